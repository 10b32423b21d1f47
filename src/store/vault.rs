//! What the store does with a state before it is stored and after it was read: it seals and opens it, and remembers the
//! highest serial that was seen, so that an old copy that somebody puts back is noticed.
//!
//! The mark lies under `.wgform/high-water/`, one file for each lineage. It is kept for states that are sealed: a state in
//! the open can be changed by whoever could put an old one back. Where it cannot be kept, a run goes on with a warning.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::disk;
use crate::seal::{JournalSeal, SealError, Sealing, Warn, Writes};
use crate::state::State;
use crate::store::{StoreError, files};

/// The keys to a state, and what is remembered of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vault {
    pub(crate) sealing: Sealing,
    marks: Option<Marks>,
}

/// Where the marks are.
#[derive(Clone)]
struct Marks {
    directory: PathBuf,
    warn: Warn,
    is_warned: Arc<AtomicBool>,
}

impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Marks").field(&self.directory).finish()
    }
}

/// The highest that was seen of a lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    serial: u64,
    sealed: bool,
}

impl Vault {
    /// Takes the keys, and the directory of the configuration, below which the marks are kept.
    pub(crate) fn new(sealing: Sealing, directory: &Path, warn: Warn) -> Self {
        let directory = directory.join(".wgform").join("high-water");
        let marks = Marks { directory, warn, is_warned: Arc::default() };
        Self { sealing, marks: Some(marks) }
    }

    /// Returns the same keys, for what may be old: a copy, or the place that a state has left.
    pub(crate) fn without_marks(&self) -> Self {
        Self { sealing: self.sealing.clone(), marks: None }
    }

    /// Returns whether an old copy is looked out for.
    pub(crate) fn has_marks(&self) -> bool {
        self.marks.is_some()
    }

    /// Opens a document.
    pub(crate) fn open(&self, bytes: &[u8], place: &str) -> Result<Vec<u8>, StoreError> {
        let opened = self.sealing.open(bytes);
        opened.map(Into::into).map_err(|source| sealed(place, source))
    }

    /// Returns a state as it is to be stored.
    pub(crate) fn seal(&self, state: &State) -> Result<Vec<u8>, StoreError> {
        self.seal_bytes(&state.to_bytes())
    }

    /// Returns a document as it is to be stored.
    pub(crate) fn seal_bytes(&self, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let sealed = self.sealing.seal(plain);
        sealed.map(Into::into).map_err(|source| StoreError::Unsealable { source })
    }

    /// Makes the seal of a journal, and its first line.
    pub(crate) fn journal(&self) -> Result<Option<(JournalSeal, Vec<u8>)>, StoreError> {
        self.sealing.journal().map_err(|source| StoreError::Unsealable { source })
    }

    /// Refuses a state that is older than one that was seen here, or open where that was sealed, and remembers it.
    pub(crate) fn check(&self, state: &State, bytes: &[u8], place: &str) -> Result<(), StoreError> {
        let is_sealed = Sealing::is_sealed(bytes);
        if !is_sealed {
            self.sealing.note_plain();
        }
        let Some(marks) = &self.marks else { return Ok(()) };
        let mark = marks.of(state.lineage);
        let place = || place.to_owned();
        if let Some(mark) = mark.filter(|it| it.serial > state.serial) {
            let (serial, seen) = (state.serial, mark.serial);
            return Err(StoreError::OldCopy { place: place(), serial, seen });
        }
        if mark.is_some_and(|it| it.sealed) && !is_sealed && *self.sealing.writes() != Writes::Plain
        {
            return Err(StoreError::LaidOpen { place: place(), serial: state.serial });
        }
        self.remember(state.lineage, state.serial, is_sealed);
        Ok(())
    }

    /// Remembers a state that was written.
    pub(crate) fn written(&self, state: &State) {
        self.remember(state.lineage, state.serial, self.sealing.seals());
    }

    /// Returns the serial that was seen last of a lineage.
    pub(crate) fn seen(&self, lineage: Uuid) -> Option<u64> {
        self.marks.as_ref()?.of(lineage).map(|it| it.serial)
    }

    fn remember(&self, lineage: Uuid, serial: u64, sealed: bool) {
        let Some(marks) = &self.marks else { return };
        let before = marks.of(lineage);
        let mark = Mark { serial, sealed };
        // Another run may have seen more meanwhile.
        let is_news = before.map_or(sealed, |it| it != mark && it.serial <= serial);
        if is_news && let Err(why) = marks.set(lineage, mark) {
            marks.say(&why);
        }
    }
}

pub(crate) fn sealed(place: &str, source: SealError) -> StoreError {
    StoreError::Sealed { place: place.to_owned(), source }
}

impl Marks {
    fn path(&self, lineage: Uuid) -> PathBuf {
        self.directory.join(format!("{lineage}.json"))
    }

    fn of(&self, lineage: Uuid) -> Option<Mark> {
        match files::read(&self.path(lineage)) {
            Ok(bytes) => serde_json::from_slice(&bytes?).ok(),
            Err(why) => {
                self.say(&io::Error::other(why.to_string()));
                None
            }
        }
    }

    fn set(&self, lineage: Uuid, mark: Mark) -> io::Result<()> {
        disk::make_directory(&self.directory)?;
        if let Some(own) = self.directory.parent() {
            let ignore = own.join(".gitignore");
            if !ignore.exists() {
                std::fs::write(ignore, "*\n")?;
            }
        }
        // Two runs may read at once.
        let temporary = self.directory.join(format!("{lineage}.{}.tmp", std::process::id()));
        let bytes = serde_json::to_vec(&mark).map_err(io::Error::other)?;
        disk::prepare(&temporary, &bytes)
            .and_then(|()| disk::rename(&temporary, &self.path(lineage)))
            .inspect_err(|_| _ = disk::remove(&temporary))
    }

    /// Says once that nothing is remembered.
    fn say(&self, why: &io::Error) {
        if !self.is_warned.swap(true, Ordering::Relaxed) {
            (self.warn)(&format!(
                "the serial of the state could not be kept in `{}`, so an old copy of it is not noticed here: {why}",
                self.directory.display()
            ));
        }
    }
}
