//! A saved plan as bytes, and back.
//!
//! The file is one JSON object on one line: which format it is, the plan, a checksum, a signature. The checksum is of
//! everything before it and finds damage. The signature is of the checksum, with the key of the state that the plan was
//! made from, and finds who changed a file and counted anew. A plan that was made before there was a state has none:
//! nobody had a key. What such a file says is worth as much as the place where it was kept.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::error::Category;
use sha2::{Digest as _, Sha256};

use crate::plan::saved::{Saved, hex};
use crate::value::FingerprintKey;

/// The version of the format that this program writes and reads.
pub const FORMAT: u64 = 1;

/// What the file says that it is.
const KIND: &str = "wgform plan";
/// What the signature is for.
const PURPOSE: &str = "plan";
/// Where the plan ends and its seal begins.
const SEAL: &[u8] = b",\"checksum\":\"";
/// No seal is longer.
const LONGEST_SEAL: usize = 256;

/// Why bytes are not a saved plan. Never holds the content of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SavedError {
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It ends too early.
    #[error("the file breaks off after {bytes} bytes")]
    Truncated {
        /// How long it is.
        bytes: usize,
    },
    /// It is something else.
    #[error("the file is not a saved plan: {reason}")]
    NotAPlan {
        /// Why.
        reason: &'static str,
    },
    /// A program wrote it that writes another format.
    #[error("the plan was saved by another wgform{}: its format is version {version}, this program reads version {FORMAT}", in_parentheses(.wgform_version))]
    OtherFormat {
        /// The version of its format.
        version: u64,
        /// The program that wrote it, when it says so.
        wgform_version: Option<String>,
    },
    /// It was changed since it was written, by accident or by somebody.
    #[error("the file is not as it was written: its checksum is another one")]
    Damaged,
    /// A value in it is wrong.
    #[error("the plan in the file makes no sense: {reason}")]
    Invalid {
        /// Why.
        reason: String,
    },
}

impl SavedError {
    /// Returns what to do, as a whole sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotAPlan { .. } => "A plan is saved with `wgform plan -out=FILE`.",
            Self::OtherFormat { .. } => {
                "Apply it with the version of wgform that made it, or plan again with this one."
            }
            Self::Empty | Self::Truncated { .. } | Self::Damaged | Self::Invalid { .. } => {
                "Nothing was done. Fetch the file again from where it was kept, or make it again with `wgform plan -out=FILE`."
            }
        }
    }
}

fn in_parentheses(text: &Option<String>) -> String {
    text.as_ref().map(|text| format!(" ({text})")).unwrap_or_default()
}

/// A plan that was read from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// The plan.
    pub saved: Saved,
    /// The version of the program that wrote it.
    pub wgform_version: String,
    checksum: [u8; 32],
    signature: Option<[u8; 32]>,
}

impl Opened {
    /// Returns whether it was signed with the key of a state.
    pub fn is_signed_with(&self, key: &FingerprintKey) -> bool {
        self.signature.is_some_and(|it| key.has_signed(PURPOSE, &self.checksum, &it))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When the bytes are not a plan of this format, or not as they were written.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SavedError> {
        check_head(bytes)?;
        let start = bytes.len().saturating_sub(LONGEST_SEAL);
        let at = bytes[start..].windows(SEAL.len()).rposition(|it| it == SEAL);
        let (content, seal) = bytes.split_at(start + at.ok_or(SavedError::Damaged)?);
        let Seal { checksum, signature } = Seal::read(seal).ok_or(SavedError::Damaged)?;
        if checksum != <[u8; 32]>::from(Sha256::digest(content)) {
            return Err(SavedError::Damaged);
        }
        let document: Document = serde_json::from_slice(bytes).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.split_once(" at line ").map_or(reason.as_str(), |(it, _)| it);
            SavedError::Invalid { reason: reason.to_owned() }
        })?;
        let Document { wgform_version, plan, .. } = document;
        if plan.is_first == signature.is_some() {
            return Err(SavedError::Damaged);
        }
        Ok(Self { saved: plan, wgform_version, checksum, signature })
    }
}

impl Saved {
    /// Writes a file, signed with the key of the state; a first plan is not signed.
    pub fn to_bytes(&self, key: &FingerprintKey) -> Vec<u8> {
        let document = DocumentRef {
            kind: KIND,
            version: FORMAT,
            wgform_version: env!("CARGO_PKG_VERSION"),
            plan: self,
        };
        let mut bytes = serde_json::to_vec(&document).expect("maps of a plan have texts as keys");
        // The seal goes before the closing brace.
        bytes.pop();
        let checksum: [u8; 32] = Sha256::digest(&bytes).into();
        let signature = match self.is_first {
            true => "null".to_owned(),
            false => format!("\"{}\"", hex(&key.sign(PURPOSE, &checksum))),
        };
        bytes.extend_from_slice(SEAL);
        let rest = format!("{}\",\"signature\":{signature}}}\n", hex(&checksum));
        bytes.extend_from_slice(rest.as_bytes());
        bytes
    }
}

/// What is read before anything else of the document is believed.
#[derive(Deserialize)]
struct Head {
    kind: Option<Json>,
    version: Option<Json>,
    wgform_version: Option<Json>,
}

fn check_head(bytes: &[u8]) -> Result<(), SavedError> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_none() {
        return Err(SavedError::Empty);
    }
    if first != Some(&b'{') {
        return Err(SavedError::NotAPlan { reason: "it is not a JSON object" });
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Eof => SavedError::Truncated { bytes: bytes.len() },
        _ => SavedError::NotAPlan { reason: "it is not JSON" },
    })?;
    if head.kind.as_ref().and_then(Json::as_str) != Some(KIND) {
        return Err(SavedError::NotAPlan { reason: "it does not say that it is one" });
    }
    match head.version.as_ref().and_then(Json::as_u64) {
        Some(FORMAT) => Ok(()),
        Some(version) => Err(SavedError::OtherFormat {
            version,
            wgform_version: head.wgform_version.and_then(|it| Some(it.as_str()?.to_owned())),
        }),
        None => {
            Err(SavedError::NotAPlan { reason: "its `version` is not a version of the format" })
        }
    }
}

/// The document as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(rename = "version")]
    _version: u64,
    wgform_version: String,
    plan: Saved,
    #[serde(rename = "checksum")]
    _checksum: String,
    #[serde(rename = "signature")]
    _signature: Option<String>,
}

/// The document as it is written, but for its seal.
#[derive(Serialize)]
struct DocumentRef<'a> {
    kind: &'static str,
    version: u64,
    wgform_version: &'static str,
    plan: &'a Saved,
}

/// What ends a file.
struct Seal {
    checksum: [u8; 32],
    signature: Option<[u8; 32]>,
}

impl Seal {
    /// Reads it as it was written, and in no other form: two files that differ in a byte are not both whole.
    fn read(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(SEAL)?;
        let (checksum, rest) = rest.split_at_checked(64)?;
        let rest = rest.strip_prefix(b"\",\"signature\":")?.strip_suffix(b"}\n")?;
        let signature = match rest {
            b"null" => None,
            quoted => Some(unhex(quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?)?),
        };
        Some(Self { checksum: unhex(checksum)?, signature })
    }
}

fn unhex(text: &[u8]) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = 16 * digit(pair[0])? + digit(pair[1])?;
    }
    Some(bytes)
}
