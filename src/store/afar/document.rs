//! The document as the store has it, and what the store itself remembers of its writes.
//!
//! Object storage and a database keep the serials of the last writes beside the document. Where the state is to be sealed,
//! one that is older than the newest of them is an old copy that somebody put back, also for a run that has never seen a
//! newer one. A store behind HTTP has no such record that could be asked for.

use std::sync::atomic::Ordering;

use serde::Deserialize;
use uuid::Uuid;

use crate::seal::Writes;
use crate::state::State;
use crate::store::afar::Afar;
use crate::store::remote::{Document, Past, RemoteError};
use crate::store::{StoreError, serial_of};

/// The state as the store has it.
#[derive(Clone)]
pub(super) struct Fetched {
    pub(super) state: State,
    pub(super) bytes: Vec<u8>,
}

/// The document, and the newest write that the store remembers.
pub(super) struct Found {
    pub(super) document: Document,
    newest: Option<Past>,
}

impl Found {
    /// Returns the highest serial that a write has had.
    pub(super) fn serial(&self) -> u64 {
        let newest = self.newest.as_ref().map_or(0, |it| it.serial);
        serial_of(&self.document.bytes).max(newest)
    }
}

impl Afar {
    pub(super) fn fetch(&self) -> Result<Option<Fetched>, StoreError> {
        let found = self.find()?;
        found.map(|it| self.understand(it)).transpose()
    }

    /// Reads the document. The store is asked for its record before: what is written in between can only be newer.
    pub(super) fn find(&self) -> Result<Option<Found>, StoreError> {
        let newest = self.newest()?;
        let document = self.ask("read the state from", |remote| remote.read())?;
        Ok(document.map(|document| Found { document, newest }))
    }

    pub(super) fn understand(&self, found: Found) -> Result<Fetched, StoreError> {
        let Found { document: Document { bytes, version: _ }, newest } = found;
        let opened = self.vault.open(&bytes, &self.place)?;
        let state = State::from_bytes(&opened)
            .map_err(|source| StoreError::RemoteState { place: self.place.clone(), source })?;
        if let Some(newest) = newest {
            self.refuse_older(&state, newest)?;
        }
        self.vault.check(&state, &bytes, &self.place)?;
        Ok(Fetched { state, bytes })
    }

    /// Returns the newest write that the store remembers, in one request; none where nothing is sealed.
    fn newest(&self) -> Result<Option<Past>, StoreError> {
        if !self.vault.has_marks() || *self.vault.sealing.writes() == Writes::Unsaid {
            return Ok(None);
        }
        match self.line.ask(|remote| remote.history()) {
            // A state that was begun anew has lower serials than the one that was there before.
            Ok(past) => {
                Ok(past.unwrap_or_default().into_iter().max_by_key(|it| (it.written_at, it.serial)))
            }
            // Whoever may read the state need not be allowed to list what lies beside it.
            Err(RemoteError::Refused(why)) => {
                if !self.is_told.swap(true, Ordering::Relaxed) {
                    (self.warn)(&format!(
                        "{} was not asked which serial it had last, so an old copy is noticed only by what was seen here: {why}",
                        self.place
                    ));
                }
                Ok(None)
            }
            Err(source) => Err(self.failed("read the history of", source)),
        }
    }

    /// Refuses a state that is older than a write of the same state that the store remembers.
    fn refuse_older(&self, state: &State, newest: Past) -> Result<(), StoreError> {
        let Past { serial: kept, version, written_at: _ } = newest;
        if kept <= state.serial {
            return Ok(());
        }
        let copy = self.ask("read the history of", move |remote| {
            Box::pin(async move { remote.past(&version).await })
        })?;
        match copy.and_then(|it| lineage_of(&it)) {
            Some(lineage) if lineage == state.lineage => Err(StoreError::OlderThanKept {
                place: self.place.clone(),
                serial: state.serial,
                kept,
            }),
            // It is of another state, whose place this was.
            _ => Ok(()),
        }
    }
}

/// Returns the lineage of a document, which stands in the open also where that is sealed, and in a note.
fn lineage_of(bytes: &[u8]) -> Option<Uuid> {
    #[derive(Deserialize)]
    struct Named {
        lineage: Uuid,
    }
    serde_json::from_slice(bytes).ok().map(|Named { lineage }| lineage)
}
