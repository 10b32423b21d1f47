//! A sealed document, as JSON.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use uuid::Uuid;

use crate::seal::{Numbered, SealError};

/// The version of the format. It is counted with that of the state.
pub const VERSION: u64 = 1;
/// How it is sealed.
pub const METHOD: &str = "age";
/// What a plan says that it is.
pub const PLAN: &str = "wgform plan";
/// How far from either end a document says that it is sealed: it need not be read to its end to find that it is not.
const NEAR: usize = 1024;
/// What it says that with, and what stands there as we write it.
const MARK: &[u8] = b"\"sealed\"";
const WRITTEN: &[u8] = b"\"sealed\":\"age\",\"content\":\"";

/// What bytes turn out to be.
pub(super) enum Found<'a> {
    Plain,
    Sealed(Envelope<'a>),
}

/// A sealed document; the order of the fields is the order in the file.
#[derive(Serialize, Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    kind: Option<Cow<'a, str>>,
    version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lineage: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serial: Option<u64>,
    #[serde(borrow)]
    sealed: Cow<'a, str>,
    #[serde(borrow)]
    content: Cow<'a, str>,
}

/// What a plan says of itself inside.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

/// Looks whether bytes are a sealed document.
pub(super) fn look(bytes: &[u8]) -> Result<Found<'_>, SealError> {
    let head = &bytes[..bytes.len().min(NEAR)];
    let tail = &bytes[bytes.len().saturating_sub(NEAR)..];
    if !contains(head, MARK) && !contains(tail, MARK) {
        return Ok(Found::Plain);
    }
    match serde_json::from_slice::<Envelope<'_>>(bytes) {
        Ok(envelope) if envelope.sealed != METHOD || envelope.version > VERSION => {
            Err(SealError::UnknownMethod)
        }
        Ok(envelope) => Ok(Found::Sealed(envelope)),
        Err(error) if contains(head, WRITTEN) => Err(match error.classify() {
            Category::Eof => SealError::Truncated { bytes: bytes.len() },
            _ => SealError::Damaged { why: "it cannot be read" },
        }),
        // A name that happens to be there, such as that of an output.
        Err(_) => Ok(Found::Plain),
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|it| it == part)
}

impl Envelope<'_> {
    /// Returns what is sealed.
    pub(super) fn content(&self) -> Result<Vec<u8>, SealError> {
        BASE64
            .decode(self.content.as_bytes())
            .map_err(|_| SealError::Damaged { why: "its content is not base64" })
    }

    /// Looks that what it says in the open is what it says inside.
    pub(super) fn check(&self, plain: &[u8]) -> Result<(), SealError> {
        if let Some(kind) = &self.kind {
            // A plan has a signature of its own, and names its state inside. A state is none, or nothing would hold its
            // numbers outside to those inside.
            return match serde_json::from_slice(plain) {
                Ok(Named { kind: inside }) if inside == *kind => Ok(()),
                _ => {
                    Err(SealError::Damaged { why: "what is sealed is not what it says that it is" })
                }
            };
        }
        let (Some(lineage), Some(serial)) = (self.lineage, self.serial) else {
            return Err(SealError::Damaged { why: "it does not say its lineage and serial" });
        };
        let inside: Numbered = serde_json::from_slice(plain)
            .map_err(|_| SealError::Damaged { why: "what is sealed is not a state" })?;
        if (inside.lineage, inside.serial) == (lineage, serial) {
            return Ok(());
        }
        Err(SealError::Rebound {
            outside: serial,
            inside: inside.serial,
            is_other: inside.lineage != lineage,
        })
    }
}

/// Writes a sealed state.
pub(super) fn state(plain: &[u8], content: &[u8]) -> Result<Vec<u8>, SealError> {
    let failed = |_| SealError::Failed { why: "it has no lineage and serial".to_owned() };
    let Numbered { lineage, serial } = serde_json::from_slice(plain).map_err(failed)?;
    Ok(write(None, Some(lineage), Some(serial), content))
}

/// Writes a sealed plan.
pub(super) fn plan(content: &[u8]) -> Vec<u8> {
    write(Some(PLAN.into()), None, None, content)
}

fn write(
    kind: Option<Cow<'_, str>>,
    lineage: Option<Uuid>,
    serial: Option<u64>,
    content: &[u8],
) -> Vec<u8> {
    let envelope = Envelope {
        kind,
        version: VERSION,
        lineage,
        serial,
        sealed: METHOD.into(),
        content: BASE64.encode(content).into(),
    };
    let mut bytes = serde_json::to_vec(&envelope).expect("the fields are texts and numbers");
    bytes.push(b'\n');
    bytes
}
