//! A router's texts as values, and values as its texts: one place for every spelling that would otherwise read as a
//! difference.
//!
//! What a text means for our model is not known here. A text that makes no sense is an error of its property, never a
//! value that looks unset.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::backend::routeros::client::Row;
use crate::value::{Cidr, Prefix};

/// A property holds a text that this program cannot read. The text itself is left out: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{property}` is not {wanted}")]
pub struct Strange {
    /// Its name.
    pub property: String,
    /// What it would have to be.
    pub wanted: &'static str,
}

/// A value that not every user may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept<T> {
    /// There is none.
    Unset,
    /// There may be one, and this user does not see it. Never a difference, and never written back.
    Hidden,
    /// This one.
    Set(T),
}

/// An interface that an object refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// The one of that name, as it is now.
    Name(String),
    /// One that was removed: its id is all that is left.
    Gone(String),
}

/// A version of RouterOS 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u16,
    /// The second.
    pub minor: u16,
    /// The third, 0 when there is none.
    pub patch: u16,
}

impl Row {
    fn strange(name: &str, wanted: &'static str) -> Strange {
        Strange { property: name.to_owned(), wanted }
    }

    fn trimmed(&self, name: &str) -> &str {
        self.text(name).trim()
    }

    fn parsed<T>(
        &self,
        name: &str,
        wanted: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Strange> {
        parse(self.trimmed(name)).ok_or_else(|| Self::strange(name, wanted))
    }

    /// Reads a text that may be there; an empty one is none.
    pub fn optional(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Reads a boolean; this value when it is absent or empty.
    ///
    /// # Errors
    /// When it is another word.
    pub fn bool_or(&self, name: &str, default: bool) -> Result<bool, Strange> {
        self.parsed(name, "yes or no", |text| boolean(text).map(|it| it.unwrap_or(default)))
    }

    /// Reads a duration in whole seconds; 0 for none in any spelling.
    ///
    /// # Errors
    /// When it is no duration.
    pub fn seconds(&self, name: &str) -> Result<u64, Strange> {
        self.parsed(name, "a duration", |text| match text {
            "" | "none" | "never" => Some(0),
            text => seconds(text),
        })
    }

    /// Reads a port; none for 0.
    ///
    /// # Errors
    /// When it is no port.
    pub fn port(&self, name: &str) -> Result<Option<NonZeroU16>, Strange> {
        self.parsed(name, "a port", |text| match text {
            "" => Some(None),
            text => text.parse().ok().map(NonZeroU16::new),
        })
    }

    /// Reads a number; none when it is absent or empty.
    ///
    /// # Errors
    /// When it is no number.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Strange> {
        self.parsed(name, "a number", |text| match text {
            "" => Some(None),
            text => text.parse().ok().map(Some),
        })
    }

    /// Reads a list of networks, masked and in no order.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn prefixes(&self, name: &str) -> Result<BTreeSet<Prefix>, Strange> {
        self.parsed(name, "a list of networks", list)
    }

    /// Reads a list of addresses whose order counts.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn servers(&self, name: &str) -> Result<Vec<IpAddr>, Strange> {
        self.parsed(name, "a list of addresses", |text| {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(|part| part.parse().ok()).collect()
        })
    }

    /// Reads a list of addresses with their lengths, host bits kept, in no order.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn cidrs(&self, name: &str) -> Result<BTreeSet<Cidr>, Strange> {
        self.parsed(name, "a list of addresses with their lengths", list)
    }

    /// Reads an address with its length, host bits kept.
    ///
    /// # Errors
    /// When it is none.
    pub fn cidr(&self, name: &str) -> Result<Cidr, Strange> {
        self.parsed(name, "an address with its length", |text| text.parse().ok())
    }

    /// Reads a key, or that there is none, or that this user does not see it.
    ///
    /// # Errors
    /// When it is no key.
    pub fn key<K: FromStr>(&self, name: &str) -> Result<Kept<K>, Strange> {
        self.parsed(name, "a key", |text| match text {
            "" | "none" => Some(Kept::Unset),
            // One that the router makes by itself, since 7.22.
            "auto" => Some(Kept::Hidden),
            text if is_mask(text) => Some(Kept::Hidden),
            text => text.parse().ok().map(Kept::Set),
        })
    }

    /// Reads a reference to an interface.
    ///
    /// # Errors
    /// When there is none.
    pub fn reference(&self, name: &str) -> Result<Reference, Strange> {
        match self.text(name) {
            "" => Err(Self::strange(name, "the name of an interface")),
            text if is_id(text) => Ok(Reference::Gone(text.to_owned())),
            text => Ok(Reference::Name(text.to_owned())),
        }
    }
}

/// Reads `yes`, `no`, `true` and `false`; nothing is neither.
fn boolean(text: &str) -> Option<Option<bool>> {
    match text {
        "" => Some(None),
        "yes" | "true" => Some(Some(true)),
        "no" | "false" => Some(Some(false)),
        _ => None,
    }
}

/// Reads a duration in any of a router's spellings, as whole seconds: `25`, `0.12`, `1m40s`, `11ms391us`, `00:25` (hours and
/// minutes), `1d 00:00:25`.
pub fn seconds(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 8] = [
        ("w", 604_800_000_000),
        ("d", 86_400_000_000),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
        ("ms", 1000),
        ("us", 1),
        ("ns", 0),
    ];
    let (mut rest, mut micros, mut units) = (text, 0u64, &UNITS[..]);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, tail) = rest.split_at(end);
        if tail.starts_with(':') {
            let clock = clock(rest)?.checked_mul(1_000_000)?;
            return Some(micros.checked_add(clock)? / 1_000_000);
        }
        // A number alone is seconds, and only when nothing was before it.
        if tail.is_empty() || tail.starts_with('.') {
            let fits = |seconds: &u64| seconds.checked_mul(1_000_000).is_some();
            return (rest.len() == text.len()).then(|| plain(rest)).flatten().filter(fits);
        }
        let unit = tail.split(|c: char| !c.is_ascii_lowercase()).next()?;
        let at = units.iter().position(|(name, _)| *name == unit)?;
        micros = micros.checked_add(digits.parse::<u64>().ok()?.checked_mul(units[at].1)?)?;
        (rest, units) = (tail[unit.len()..].trim_start(), &units[at + 1..]);
    }
    (!text.is_empty()).then_some(micros / 1_000_000)
}

/// Reads `HH:MM` or `HH:MM:SS`, with a fraction that does not count.
fn clock(text: &str) -> Option<u64> {
    let mut parts = text.split(':');
    let (hours, minutes) = (plain(parts.next()?)?, plain(parts.next()?)?);
    let rest = parts.next().map_or(Some(0), plain)?;
    let is_clock = parts.next().is_none() && minutes < 60 && rest < 60;
    is_clock.then(|| hours.checked_mul(3600)?.checked_add(minutes * 60 + rest)).flatten()
}

fn plain(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(whole) && is_number(fraction)).then(|| whole.parse().ok()).flatten()
}

fn list<T: FromStr + Ord>(text: &str) -> Option<BTreeSet<T>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().ok()).collect()
}

/// Returns whether a router writes this in the place of what a user may not see.
fn is_mask(text: &str) -> bool {
    text.bytes().all(|b| b == b'*')
}

/// Returns whether this is an id, and not a name.
pub fn is_id(text: &str) -> bool {
    let hex = text.strip_prefix('*').unwrap_or_default();
    !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
}

impl FromStr for Version {
    type Err = Strange;

    /// Reads `7.23.7 (long-term)`, `7.24`, `7.21beta3 (testing)`.
    fn from_str(text: &str) -> Result<Self, Strange> {
        let wrong = || Row::strange("version", "a version");
        let number = text.split([' ', '(']).next().unwrap_or_default();
        let mut parts = number.split('.').map(|part| {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..end].parse::<u16>().map_err(|_| wrong())
        });
        let major = parts.next().ok_or_else(wrong)??;
        let minor = parts.next().ok_or_else(wrong)??;
        let patch = parts.next().transpose()?.unwrap_or_default();
        Ok(Self { major, minor, patch })
    }
}

impl Version {
    /// The oldest one that this program works with.
    pub const OLDEST: Self = Self { major: 7, minor: 12, patch: 0 };
}

impl Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { major, minor, patch } = self;
        match patch {
            0 => write!(f, "{major}.{minor}"),
            patch => write!(f, "{major}.{minor}.{patch}"),
        }
    }
}

/// Writes a boolean, as every menu takes it.
pub fn yes_or_no(value: bool) -> Zeroizing<String> {
    Zeroizing::new(if value { "yes" } else { "no" }.to_owned())
}

/// Writes a duration.
pub fn in_seconds(seconds: impl Display) -> Zeroizing<String> {
    Zeroizing::new(format!("{seconds}s"))
}

/// Writes a list, without blanks.
pub fn joined<T: Display>(values: impl IntoIterator<Item = T>) -> Zeroizing<String> {
    let texts: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    Zeroizing::new(texts.join(","))
}

/// Any text in any property: refused, or the same when it is written and read again.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let row = |text: &str| Row::of(&[("p", text)]);
    let read = row(&text);
    if let Ok(seconds) = read.seconds("p") {
        assert_eq!(row(&in_seconds(seconds)).seconds("p"), Ok(seconds));
    }
    if let Ok(prefixes) = read.prefixes("p") {
        assert_eq!(row(&joined(&prefixes)).prefixes("p"), Ok(prefixes));
    }
    if let Ok(addresses) = read.servers("p") {
        assert_eq!(row(&joined(&addresses)).servers("p"), Ok(addresses));
    }
    if let Ok(value) = read.bool_or("p", false) {
        assert_eq!(row(&yes_or_no(value)).bool_or("p", !value), Ok(value));
    }
    if let Ok(version) = text.parse::<Version>() {
        assert_eq!(version.to_string().parse(), Ok(version));
    }
    let _ = (read.port("p"), read.number("p"), read.cidr("p"), read.reference("p"));
    let _ = read.key::<crate::value::PresharedKey>("p");
}

#[cfg(test)]
mod tests {
    use crate::backend::routeros::client::Row;
    use crate::backend::routeros::wire::{Kept, Reference, Strange, Version, is_id, seconds};
    use crate::value::PublicKey;

    const KEY: &str = "v/oIzPyFm1FPHrqhytZgsKjU7mUToQHLrW+Tb5e601M=";

    fn row(text: &str) -> Row {
        Row::of(&[("p", text)])
    }

    #[test]
    fn a_duration_is_the_same_in_every_spelling() {
        for (text, expected) in [
            ("25", 25),
            ("25s", 25),
            ("00:00:25", 25),
            ("00:25", 1500),
            ("1m", 60),
            ("60s", 60),
            ("60", 60),
            ("1m40s", 100),
            ("100", 100),
            ("1d", 86_400),
            ("1w", 604_800),
            ("18h12m15s", 65_535),
            ("1w2d3h4m5s", 788_645),
            ("1d00:00:00", 86_400),
            ("1d 00:00:25", 86_425),
            ("0s", 0),
            ("0.12", 0),
            ("10ms", 0),
            ("11ms391us", 0),
            ("453us", 0),
            ("1500ms", 1),
            ("00:00:00.200", 0),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["", "s", "1x", "5s1m", "1m40", "-1", "1:2:3:4", "00:61", "1.", "é", "forever"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
        for unset in ["", "0", "0s", "none", "never"] {
            assert_eq!(row(unset).seconds("p"), Ok(0), "{unset}");
        }
        assert_eq!(Row::default().seconds("p"), Ok(0));
    }

    #[test]
    fn networks_are_a_set_of_masked_ones() {
        let wanted = row("10.0.0.2,::/0,fd00::/64").prefixes("p").unwrap();
        for text in [
            "::/0,fd00::/64,10.0.0.2/32",
            "10.0.0.2/32, FD00:0:0::7/64 ,::/0",
            "10.0.0.2,10.0.0.2/32,::/0,fd00::/64,",
        ] {
            assert_eq!(row(text).prefixes("p").as_ref(), Ok(&wanted), "{text}");
        }
        assert_eq!(row("10.0.0.2/24").prefixes("p"), row("10.0.0.0/24").prefixes("p"));
        assert_eq!(row("").prefixes("p"), Ok([].into()));
        assert_eq!(
            row("10.0.0.0/33").prefixes("p"),
            Err(Strange { property: "p".to_owned(), wanted: "a list of networks" })
        );
    }

    #[test]
    fn what_is_unset_is_unset_however_it_is_spelled() {
        for text in ["", "none"] {
            assert_eq!(row(text).key::<PublicKey>("p"), Ok(Kept::Unset));
        }
        assert_eq!(Row::default().key::<PublicKey>("p"), Ok(Kept::Unset));
        for text in ["*****", "********", "*", "auto"] {
            assert_eq!(row(text).key::<PublicKey>("p"), Ok(Kept::Hidden));
        }
        assert_eq!(row(KEY).key("p"), Ok(Kept::Set(KEY.parse::<PublicKey>().unwrap())));
        assert!(row("**?").key::<PublicKey>("p").is_err());
        for text in ["", "0"] {
            assert_eq!(row(text).port("p"), Ok(None));
        }
        assert_eq!(row("51820").port("p").unwrap().map(u16::from), Some(51_820));
        assert!(row("65536").port("p").is_err());
        assert_eq!(row("").optional("p"), None);
    }

    #[test]
    fn a_boolean_has_two_spellings_and_a_default() {
        for (text, expected) in [("yes", true), ("true", true), ("no", false), ("false", false)] {
            assert_eq!(row(text).bool_or("p", !expected), Ok(expected), "{text}");
        }
        assert_eq!(row("").bool_or("p", true), Ok(true));
        assert!(row("maybe").bool_or("p", true).is_err());
    }

    #[test]
    fn what_refers_to_something_that_is_gone_shows_its_id() {
        assert_eq!(row("*17").reference("p"), Ok(Reference::Gone("*17".to_owned())));
        assert_eq!(row("wg1").reference("p"), Ok(Reference::Name("wg1".to_owned())));
        assert!(row("").reference("p").is_err());
        for name in ["*", "*1a", "*wg", "17"] {
            assert!(!is_id(name), "{name}");
        }
    }

    #[test]
    fn a_version_may_have_a_channel() {
        for (text, expected) in [
            ("7.23.7 (long-term)", "7.23.7"),
            ("7.24 (stable)", "7.24"),
            ("7.21beta3 (testing)", "7.21"),
            ("7.22rc1", "7.22"),
        ] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), expected);
        }
        for text in ["", "seven", "7", "7.x", "99999.1"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
