//! Documents that only those can read who have a key: the state, a saved plan, the journal of a run.
//!
//! A sealed document is a JSON object whose `content` is the whole plain document in an [age](https://age-encryption.org)
//! file, in base64. The lineage and the serial of a state stand outside as well, because stores such as GitLab's read
//! them there; on opening, both have to be those inside. What is sealed cannot be read, and not be changed unnoticed by
//! somebody who has no recipients to seal for. It does not say that it is the newest: the store's high-water mark does.
//!
//! Nothing here knows where a document is kept, and nothing is sealed that was not asked for.

#[cfg(feature = "age")]
mod cipher;
mod document;
mod error;
mod journal;
mod keys;
#[cfg(not(feature = "age"))]
#[path = "seal/without.rs"]
mod cipher;

pub use document::{METHOD, PLAN, VERSION};
pub use error::{SealError, WrongKey};
pub use journal::JournalSeal;
pub use keys::{Settings, Writes, wrong_recipients};

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::seal::document::Found;
use crate::seal::keys::Keys;

/// Says something to the user that is no error.
pub type Warn = Arc<dyn Fn(&str) + Send + Sync>;

/// How documents are sealed and opened. A clone is the same one.
#[derive(Clone, Default)]
pub struct Sealing(Arc<Inner>);

#[derive(Default)]
struct Inner {
    keys: Keys,
    identities: OnceLock<Result<cipher::Identities, SealError>>,
    warn: Option<Warn>,
    /// Whether something was opened that was sealed.
    was_sealed: AtomicBool,
    /// Whether a state was plain that will be sealed, and nobody was told of it.
    was_plain: AtomicBool,
    /// What was opened or sealed last. A passphrase is slow by intent, and a run reads its state several times.
    last: Mutex<Option<Pair>>,
}

/// A sealed document and what is in it.
struct Pair {
    of_sealed: [u8; 32],
    /// None for one that was opened: a new one is sealed for those who are named now.
    of_plain: Option<[u8; 32]>,
    sealed: Vec<u8>,
    plain: Vec<u8>,
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing(…)")
    }
}

/// What a document says of itself in the open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Numbered {
    lineage: Uuid,
    serial: u64,
}

impl Sealing {
    /// Takes the keys that a configuration and the environment name. An identity file is read when something is to be
    /// opened.
    ///
    /// # Errors
    /// When a recipient, or the passphrase, cannot be used.
    pub fn new(settings: Settings, directory: &Path, warn: Warn) -> Result<Self, WrongKey> {
        let keys = Keys::read(settings, directory)?;
        Ok(Self(Arc::new(Inner { keys, warn: Some(warn), ..Inner::default() })))
    }

    /// Returns whether what is written is sealed.
    pub fn seals(&self) -> bool {
        matches!(self.0.keys.writes, Writes::Recipients(_) | Writes::Passphrase)
    }

    /// Returns what is done with what is written.
    pub fn writes(&self) -> &Writes {
        &self.0.keys.writes
    }

    /// Returns whether a state was read that was plain, and that the next write seals. Says so once.
    pub fn take_plain(&self) -> bool {
        self.seals() && self.0.was_plain.swap(false, Ordering::Relaxed)
    }

    /// Notes that a state is stored in the open.
    pub fn note_plain(&self) {
        self.0.was_plain.store(true, Ordering::Relaxed);
    }

    /// Returns whether a document is sealed.
    pub fn is_sealed(bytes: &[u8]) -> bool {
        !matches!(document::look(bytes), Ok(Found::Plain))
    }

    /// Returns a document as it was before it was sealed; one that is plain as it is.
    ///
    /// # Errors
    /// When it cannot be opened, or is not as it was sealed.
    pub fn open<'a>(&self, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, SealError> {
        let Found::Sealed(envelope) = document::look(bytes)? else { return Ok(bytes.into()) };
        self.0.was_sealed.store(true, Ordering::Relaxed);
        let digest = digest(bytes);
        if let Some(pair) = &*self.last()
            && pair.of_sealed == digest
        {
            return Ok(pair.plain.clone().into());
        }
        let plain = cipher::open(&envelope.content()?, self.identities()?)?;
        envelope.check(&plain)?;
        self.remember(bytes, &plain, false);
        Ok(plain.into())
    }

    /// Returns a state as it is to be stored: sealed, where that is asked for.
    ///
    /// # Errors
    /// When it has to be sealed and nothing says for whom.
    pub fn seal<'a>(&self, plain: &'a [u8]) -> Result<Cow<'a, [u8]>, SealError> {
        self.seal_as(plain, document::state)
    }

    /// Returns a saved plan as it is to be stored.
    ///
    /// # Errors
    /// When it has to be sealed and nothing says for whom.
    pub fn seal_plan<'a>(&self, plain: &'a [u8]) -> Result<Cow<'a, [u8]>, SealError> {
        self.seal_as(plain, |_, content| Ok(document::plan(content)))
    }

    fn seal_as<'a>(
        &self,
        plain: &'a [u8],
        wrap: impl FnOnce(&[u8], &[u8]) -> Result<Vec<u8>, SealError>,
    ) -> Result<Cow<'a, [u8]>, SealError> {
        if !self.must_seal()? {
            return Ok(plain.into());
        }
        let digest = digest(plain);
        if let Some(pair) = &*self.last()
            && pair.of_plain == Some(digest)
        {
            // The same document once more: a copy of it is told from another one by its bytes.
            return Ok(pair.sealed.clone().into());
        }
        let sealed = wrap(plain, &cipher::seal(plain, &self.0.keys)?)?;
        self.remember(&sealed, plain, true);
        Ok(sealed.into())
    }

    /// Returns whether what is written now has to be sealed.
    fn must_seal(&self) -> Result<bool, SealError> {
        match self.0.keys.writes {
            Writes::Recipients(_) | Writes::Passphrase => Ok(true),
            Writes::Plain => Ok(false),
            // What was sealed is not laid open because a runner lacks a variable.
            Writes::Unsaid if self.0.was_sealed.load(Ordering::Relaxed) => {
                Err(SealError::NoRecipients)
            }
            Writes::Unsaid => Ok(false),
        }
    }

    fn identities(&self) -> Result<&cipher::Identities, SealError> {
        let load = || cipher::Identities::load(&self.0.keys, self.0.warn.as_ref());
        self.0.identities.get_or_init(load).as_ref().map_err(Clone::clone)
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Pair>> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, sealed: &[u8], plain: &[u8], is_ours: bool) {
        *self.last() = Some(Pair {
            of_sealed: digest(sealed),
            of_plain: is_ours.then(|| digest(plain)),
            sealed: sealed.to_vec(),
            plain: plain.to_vec(),
        });
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(all(test, feature = "age"))]
mod tests;
