//! How much of something may be done at once: a number, or a share of what there is.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::InvalidValue;

/// The most of something that is let through: `5`, or `20%` of what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Bound {
    /// So many.
    Count(u32),
    /// Such a share, in percent; 100 at the most.
    Percent(u8),
}

impl Bound {
    /// Returns whether so many of so many are within it.
    pub fn allows(self, number: usize, of: usize) -> bool {
        match self {
            Self::Count(most) => number <= most as usize,
            // Nothing is rounded: one of three is more than 33 %.
            Self::Percent(percent) => number.saturating_mul(100) <= of * usize::from(percent),
        }
    }
}

impl TryFrom<String> for Bound {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Bound> for String {
    fn from(bound: Bound) -> Self {
        bound.to_string()
    }
}

impl FromStr for Bound {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let wrong = |why: &str| {
            InvalidValue::new(why)
                .hint("write a whole number such as `5`, or a share such as `20%`")
        };
        let (digits, is_share) = match text.strip_suffix('%') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong("this is neither a number nor a share"));
        }
        let number: u32 = digits.parse().map_err(|_| wrong("this is too much to be counted"))?;
        match (is_share, u8::try_from(number)) {
            (false, _) => Ok(Self::Count(number)),
            (true, Ok(percent @ 0..=100)) => Ok(Self::Percent(percent)),
            (true, _) => Err(wrong("a share is 100% at the most")),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(number) => write!(f, "{number}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::value::Bound;

    #[test]
    fn a_bound_is_a_number_or_a_share() {
        for (text, bound) in [
            ("0", Bound::Count(0)),
            ("5", Bound::Count(5)),
            ("0%", Bound::Percent(0)),
            ("100%", Bound::Percent(100)),
        ] {
            assert_eq!(text.parse::<Bound>().unwrap(), bound);
            assert_eq!(bound.to_string(), text);
        }
        for text in ["", "%", "-1", "+1", "1.5", "101%", "256%", "5 %", "many", "99999999999"] {
            assert!(text.parse::<Bound>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_is_not_rounded() {
        assert!(Bound::Percent(20).allows(2, 10));
        assert!(!Bound::Percent(20).allows(3, 10));
        assert!(!Bound::Percent(33).allows(1, 3));
        assert!(Bound::Percent(0).allows(0, 0));
        assert!(Bound::Count(3).allows(3, 3) && !Bound::Count(3).allows(4, 1000));
    }
}
