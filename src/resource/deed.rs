//! What a plan may do to something, in the words of `-auto-approve` and of a guard.

use std::fmt;
use std::str::FromStr;

use crate::value::InvalidValue;

/// What is done to one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// It is made.
    Create,
    /// It is changed where it is.
    Update,
    /// It is destroyed and made anew.
    Replace,
    /// It is removed.
    Destroy,
    /// It stays, and is nobody's from then on.
    Forget,
    /// It is there, and is taken over.
    Import,
    /// It gets another address, and nothing about it changes.
    Move,
}

impl Deed {
    /// All of them, in the order in which messages list them.
    pub const ALL: [Self; 7] = [
        Self::Create,
        Self::Update,
        Self::Replace,
        Self::Destroy,
        Self::Forget,
        Self::Import,
        Self::Move,
    ];

    /// How they are written.
    pub const WORDS: [&'static str; 7] =
        ["create", "update", "replace", "destroy", "forget", "import", "move"];

    /// Returns how it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Destroy => "destroy",
            Self::Forget => "forget",
            Self::Import => "import",
            Self::Move => "move",
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Deed {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        // Terraform's own word for it is a synonym.
        let text = if text == "delete" { "destroy" } else { text };
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(|| {
            InvalidValue::new("this is nothing that a plan does").hint(format!(
                "a plan can {} or {}",
                Self::WORDS[..6].join(", "),
                Self::WORDS[6]
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::resource::Deed;

    #[test]
    fn every_deed_is_read_as_it_is_written() {
        assert_eq!(Deed::ALL.map(Deed::as_str), Deed::WORDS);
        for deed in Deed::ALL {
            assert_eq!(deed.to_string().parse::<Deed>().unwrap(), deed);
        }
        assert_eq!("delete".parse::<Deed>().unwrap(), Deed::Destroy);
        assert!("Create".parse::<Deed>().is_err());
    }
}
