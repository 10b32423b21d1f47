//! A device's clock, held against ours.
//!
//! Nobody is asked for the time alone: an answer that has it is taken down with when it was given.

use jiff::{SignedDuration, Timestamp, Unit};
use tokio::time::Instant;

/// A clock may differ from ours by so much before it is said.
const NOTABLE: SignedDuration = SignedDuration::from_secs(60);

/// What somebody should do about a clock that is wrong.
pub(crate) const HINT: &str = "Set up NTP on it: certificates and the ages of handshakes depend on its clock, and a peer takes the handshakes of \
     one whose clock was set back for old ones, until the clock is where it was.";

/// What a clock said.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// The time there, to the second.
    pub says: Timestamp,
    /// When that was, by ours.
    at: Instant,
}

impl Told {
    /// Takes down what a device says now that was asked then. It said so halfway, give or take that half.
    pub fn new(says: Timestamp, asked: Instant) -> Self {
        Self { says, at: asked + asked.elapsed() / 2 }
    }

    /// Returns by how much that clock is ahead of ours, which says `now`. What is less than a second says nothing, because
    /// a device tells no more than seconds.
    pub fn skew(self, now: Timestamp) -> SignedDuration {
        let since = SignedDuration::try_from(self.at.elapsed()).unwrap_or_default();
        let skew = self.says.duration_since(now).saturating_add(since);
        match skew.as_secs() {
            0 => SignedDuration::ZERO,
            _ => skew.round(Unit::Second).unwrap_or(skew),
        }
    }
}

/// Says what is wrong with a clock that is so far ahead of ours, as a clause; nothing of one that is right.
pub(crate) fn wrong(skew: Option<SignedDuration>) -> Option<String> {
    let skew = skew.filter(|it| it.abs() > NOTABLE)?;
    let side = if skew.is_negative() { "behind" } else { "ahead of" };
    Some(format!("its clock is {} {side} ours", length(skew)))
}

/// Says how much that is, in its largest unit.
fn length(skew: SignedDuration) -> String {
    let seconds = skew.unsigned_abs().as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use tokio::time::Instant;

    use crate::backend::clock::{Told, wrong};

    const DAY: Timestamp = Timestamp::constant(1_795_300_000, 0);

    #[test]
    fn a_clock_that_tells_seconds_is_right_within_one() {
        let skew = |says: i64, now_ms: i64| {
            let now = DAY.checked_add(SignedDuration::from_millis(now_ms)).unwrap();
            let says = DAY.checked_add(SignedDuration::from_secs(says)).unwrap();
            Told::new(says, Instant::now()).skew(now).as_secs()
        };
        assert_eq!([skew(0, 0), skew(0, 900), skew(-60, 0), skew(60, 0)], [0, 0, -60, 60]);
        assert_eq!([skew(-60, 300), skew(3600, 1200)], [-60, 3599]);
    }

    #[test]
    fn the_answer_was_given_halfway() {
        let asked = Instant::now().checked_sub(std::time::Duration::from_secs(100)).unwrap();
        let skew = Told::new(DAY, asked).skew(DAY);
        assert!((49..=51).contains(&skew.as_secs()), "{skew}");
    }

    #[test]
    fn a_clock_is_told_of_when_it_is_more_than_a_minute_off() {
        let said = |seconds| wrong(Some(SignedDuration::from_secs(seconds)));
        assert_eq!([said(60), said(-60), said(0)], [None, None, None]);
        assert_eq!(wrong(None), None);
        let all = [61, -61, -600, 10_000, -200_000].map(|it| said(it).unwrap()).join("\n");
        insta::assert_snapshot!(all, @r"
        its clock is 61 s ahead of ours
        its clock is 61 s behind ours
        its clock is 10 min behind ours
        its clock is 2 h ahead of ours
        its clock is 2 days behind ours
        ");
    }
}
