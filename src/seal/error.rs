//! Why something could not be sealed or opened. None of it shows a key or a byte of a document.

use std::path::PathBuf;

/// A document could not be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// This program cannot do it.
    #[error("it is sealed, and this wgform was built without the feature `age`")]
    NoFeature,
    /// There is nothing to open it with.
    #[error("it is sealed {}, and there is nothing here to open it with", .sealed_for)]
    NoKeys {
        /// For whom: "for 2 recipients".
        sealed_for: String,
    },
    /// What there is does not open it.
    #[error("{keys} cannot open it: it is sealed {sealed_for}")]
    WrongKeys {
        /// What was tried: "the identity in `key.txt`".
        keys: String,
        /// For whom: "for 2 recipients".
        sealed_for: String,
    },
    /// It would keep this machine busy for long.
    #[error(
        "it is sealed with a passphrase at a work factor of {required}, and no more than {most} is tried"
    )]
    TooMuchWork {
        /// As the document says.
        required: u8,
        /// What is tried.
        most: u8,
    },
    /// The identity could not be read.
    #[error("the identity file `{path}` cannot be used: {why}", path = path.display())]
    IdentityFile {
        /// Which.
        path: PathBuf,
        /// What is wrong with it. Never its content.
        why: String,
    },
    /// The identity in the environment makes no sense.
    #[error("the identity in `WGFORM_AGE_IDENTITY` cannot be used: {why}")]
    Identity {
        /// What is wrong with it. Never its content.
        why: String,
    },
    /// It ends too early.
    #[error("it breaks off after {bytes} bytes")]
    Truncated {
        /// How long it is.
        bytes: usize,
    },
    /// It is not as it was sealed.
    #[error("it is not as it was sealed: {why}")]
    Damaged {
        /// In what.
        why: &'static str,
    },
    /// What it says in the open is not what it says inside.
    #[error(
        "it is not as it was sealed: it says that it is serial {outside}, and what is sealed is serial {inside}{}",
        other_lineage(*.is_other)
    )]
    Rebound {
        /// The serial outside.
        outside: u64,
        /// The serial inside.
        inside: u64,
        /// Whether the lineage differs as well.
        is_other: bool,
    },
    /// It is sealed in a way that this program does not know.
    #[error("it is sealed in a way that this wgform does not know")]
    UnknownMethod,
    /// It would be laid open.
    #[error("it was sealed, and nothing says for whom it is to be sealed now")]
    NoRecipients,
    /// The sealing failed.
    #[error("{why}")]
    Failed {
        /// Why.
        why: String,
    },
}

fn other_lineage(is_other: bool) -> &'static str {
    if is_other { " of another lineage" } else { "" }
}

impl SealError {
    /// Returns what to do, as whole sentences.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoFeature => "Use a wgform that was built with it, as it is by default.",
            Self::NoKeys { .. } => {
                "Name the file of your identity as `age_identity_file` in `wgform { encryption { … } }`, or in `WGFORM_AGE_IDENTITY_FILE`; or give the identity itself in `WGFORM_AGE_IDENTITY`, or the passphrase in `WGFORM_PASSPHRASE`."
            }
            Self::WrongKeys { .. } => {
                "Nothing was changed. Use the identity or the passphrase of one of those, or let one of them add you to `age_recipients` and run `wgform state reseal`."
            }
            Self::TooMuchWork { .. } => "wgform seals with far less work: find out who wrote it.",
            Self::IdentityFile { .. } | Self::Identity { .. } => {
                "It has to hold what `age-keygen` writes, or a private key of OpenSSH that has no passphrase."
            }
            Self::Truncated { .. } | Self::Damaged { .. } | Self::Rebound { .. } => {
                "Nothing was changed. Put back an earlier one with `wgform state restore`, or with `wgform state push -force FILE`, and find out who wrote this."
            }
            Self::UnknownMethod => "Use a later version of wgform; nothing was changed.",
            Self::NoRecipients => {
                "Name them as `age_recipients` in `wgform { encryption { … } }`, or in `WGFORM_AGE_RECIPIENTS`; or write `sealed = false` there, to store it in the open from now on."
            }
            Self::Failed { .. } => "Nothing was changed.",
        }
    }

    /// Returns whether the document is the trouble, rather than the lack of a key to it.
    pub fn is_of_document(&self) -> bool {
        matches!(self, Self::Truncated { .. } | Self::Damaged { .. } | Self::Rebound { .. })
    }

    /// Returns whether somebody may have the key, and not this run.
    pub fn is_of_key(&self) -> bool {
        matches!(self, Self::WrongKeys { .. })
    }
}

/// What an `encryption` block or the environment says makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct WrongKey {
    /// The argument that it is written as; empty for the block as a whole.
    pub argument: &'static str,
    /// The variable of the environment that it comes from, where it comes from there.
    pub variable: Option<&'static str>,
    /// What is wrong with it. Never a secret.
    pub why: String,
    /// What to do.
    pub hint: &'static str,
}
