//! Durations as RouterOS takes them and prints them.

const MICROS: u64 = 1_000_000;

/// The units from the longest to the shortest, in microseconds.
const UNITS: [(&str, u64); 7] = [
    ("w", 604_800 * MICROS),
    ("d", 86_400 * MICROS),
    ("h", 3600 * MICROS),
    ("m", 60 * MICROS),
    ("s", MICROS),
    ("ms", 1000),
    ("us", 1),
];

/// Reads `25`, `0.12`, `1m40s`, `10ms`, `00:25` (hours and minutes), `1d 00:00:25`, as microseconds.
pub(super) fn parse(text: &str) -> Option<u64> {
    if text.contains(':') {
        let days = text.find([' ', 'd', 'w']).and_then(|_| text.rfind([' ', 'd', 'w']));
        let (days, clock) = days.map_or(("", text), |at| text.split_at(at + 1));
        let days = if days.trim().is_empty() { 0 } else { units(days.trim(), &UNITS[..2])? };
        return days.checked_add(clock_time(clock)?);
    }
    seconds(text).or_else(|| units(text, &UNITS))
}

fn clock_time(text: &str) -> Option<u64> {
    let parts: Vec<_> = text.split(':').collect();
    let (hours, minutes, rest) = match parts[..] {
        [hours, minutes] => (hours, minutes, "0"),
        [hours, minutes, rest] => (hours, minutes, rest),
        _ => return None,
    };
    let (hours, minutes, rest) = (number(hours)?, number(minutes)?, seconds(rest)?);
    if minutes > 59 || rest >= 60 * MICROS {
        return None;
    }
    hours.checked_mul(3600)?.checked_add(minutes * 60)?.checked_mul(MICROS)?.checked_add(rest)
}

fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let whole = number(whole)?.checked_mul(MICROS)?;
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    number(fraction)?;
    whole.checked_add(number(&digits)?)
}

fn units(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (mut rest, mut total, mut units) = (text, 0u64, units);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (count, tail) = (number(&rest[..end])?, &rest[end..]);
        let unit = &tail[..tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len())];
        let at = units.iter().position(|(name, _)| *name == unit)?;
        total = total.checked_add(count.checked_mul(units[at].1)?)?;
        (rest, units) = (&tail[unit.len()..], &units[at + 1..]);
    }
    (!text.is_empty()).then_some(total)
}

fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// Prints `1w2d3h4m5s`: the largest unit first, without those that are zero; `0s` for nothing.
pub(super) fn print(micros: u64) -> String {
    let mut rest = micros;
    let mut text = String::new();
    for (name, unit) in UNITS {
        if rest / unit > 0 {
            text += &format!("{}{name}", rest / unit);
        }
        rest %= unit;
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Prints whole seconds.
pub(super) fn print_seconds(seconds: u64) -> String {
    print(seconds.saturating_mul(MICROS))
}

#[cfg(test)]
mod tests {
    use crate::simulator::routeros::duration::{parse, print};

    #[test]
    fn a_duration_is_printed_in_its_largest_units() {
        for (text, shown) in [
            ("0", "0s"),
            ("60", "1m"),
            ("100", "1m40s"),
            ("86400", "1d"),
            ("604800", "1w"),
            ("65535", "18h12m15s"),
            ("00:25", "25m"),
            ("00:00:25", "25s"),
            ("1d00:00:00", "1d"),
            ("1d 00:00:25", "1d25s"),
            ("0.12", "120ms"),
            ("11ms391us", "11ms391us"),
            ("1w2d3h4m5s", "1w2d3h4m5s"),
        ] {
            assert_eq!(parse(text).map(print).as_deref(), Some(shown), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "s",
            "5s1m",
            "1x",
            "off",
            "-1",
            "1:2:3:4",
            "00:60",
            "1.",
            "é",
            "d:1",
            "99999999999999w",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
