//! Durations as a configuration writes them, and the persistent keepalive.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use crate::value::InvalidValue;

/// Reads a duration of whole seconds: `25`, `25s`, `1m40s`, `2h`, `1d`.
///
/// # Errors
/// When the text is something else, or too long for 64 bits.
pub fn parse_seconds(text: &str) -> Result<u64, InvalidValue> {
    let wrong = || {
        InvalidValue::new(format!("`{text}` is not a duration"))
            .hint("write it as `25s`, `1m40s` or `2h`")
    };
    if text.is_empty() {
        return Err(wrong());
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map_err(|_| wrong());
    }
    let (mut total, mut digits, mut last_unit) = (0u64, String::new(), u64::MAX);
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        if unit >= last_unit {
            return Err(wrong());
        }
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        total = count.checked_mul(unit).and_then(|n| total.checked_add(n)).ok_or_else(wrong)?;
        digits.clear();
        last_unit = unit;
    }
    if digits.is_empty() { Ok(total) } else { Err(wrong()) }
}

/// How often an idle peer is sent a packet, so that a NAT on the way does not forget it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Keepalive(Option<NonZeroU16>);

impl Keepalive {
    /// No keepalive, WireGuard's default.
    pub const OFF: Self = Self(None);

    /// Takes seconds as a device gives them, where 0 means off.
    pub fn from_seconds(seconds: u16) -> Self {
        Self(NonZeroU16::new(seconds))
    }

    /// Returns the seconds, 0 for off, as a device takes them.
    pub fn seconds(self) -> u16 {
        self.0.map_or(0, NonZeroU16::get)
    }
}

impl FromStr for Keepalive {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text == "off" {
            return Ok(Self::OFF);
        }
        let seconds = parse_seconds(text).map_err(|e| e.hint("write it as `25s`, or \"off\""))?;
        u16::try_from(seconds).map(Self::from_seconds).map_err(|_| {
            InvalidValue::new(format!("`{text}` is longer than WireGuard allows"))
                .hint("a persistent keepalive is at most 65535 seconds")
        })
    }
}

impl fmt::Display for Keepalive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(seconds) => write!(f, "{seconds}s"),
            None => f.write_str("off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::value::{Keepalive, parse_seconds};

    #[test]
    fn durations_are_seconds_however_they_are_spelled() {
        for (text, seconds) in
            [("100", 100), ("1m40s", 100), ("2h", 7200), ("1d1s", 86_401), ("0s", 0)]
        {
            assert_eq!(parse_seconds(text).unwrap(), seconds, "{text}");
        }
        for text in ["", "s", "1x", "1s1m", "1m40", "-1s", "1.5s", "99999999999999999999d", "é"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_keepalive_of_zero_is_off() {
        assert_eq!("0s".parse::<Keepalive>().unwrap(), Keepalive::OFF);
        assert_eq!("1m40s".parse::<Keepalive>().unwrap().to_string(), "100s");
        assert!("70000s".parse::<Keepalive>().is_err());
    }
}
