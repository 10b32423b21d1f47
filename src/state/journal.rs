//! The journal: what an apply was about to do and what it did, one JSON record a line.
//!
//! Reading it and folding it into a state is pure; `store` writes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use crate::resource::{Address, BackendId};
use crate::state::{BackendRecord, FORMAT, JournalRecord, State, StateChange};
use crate::value::FingerprintKey;

/// A journal that was left over or is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The lineage of the state that it goes with.
    pub lineage: Uuid,
    /// The serial that the state file had; 0 when there was none.
    pub serial: u64,
    /// When the run began.
    pub began_at: Timestamp,
    /// What landed, in the order in which it did.
    pub done: Vec<StateChange>,
    /// What was begun and whose end is unknown, in its order.
    pub open: Vec<StateChange>,
    /// How many steps failed.
    pub failed: usize,
    environment: String,
    fingerprint_key: FingerprintKey,
    backends: BTreeMap<BackendId, BackendRecord>,
}

/// Why bytes are not a journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// A record in the middle cannot be read.
    #[error("line {line} is not a record of a journal")]
    Garbage {
        /// Which.
        line: usize,
    },
    /// A program wrote it that knows more than this one.
    #[error(
        "it was written by a newer wgform: its format is version {version}, this program reads up to version {FORMAT}"
    )]
    Newer {
        /// The version of its format.
        version: u64,
    },
}

impl Recorded {
    /// Reads a journal; none when not even its first record was written.
    ///
    /// A tail that was never wholly written is ignored: nobody acted on it, because records are on the disk before
    /// the device is asked and before anybody is told.
    ///
    /// # Errors
    /// When a record cannot be read that was wholly written once.
    pub fn from_bytes(bytes: &[u8]) -> Result<Option<Self>, JournalError> {
        let mut records = records(bytes)?.into_iter();
        let Some(first) = records.next() else { return Ok(None) };
        let JournalRecord::Begin {
            version: _,
            lineage,
            serial,
            environment,
            fingerprint_key,
            began_at,
            backends,
        } = first
        else {
            return Err(JournalError::Garbage { line: 1 });
        };
        let fingerprint_key = FingerprintKey::from_text(&fingerprint_key)
            .map_err(|_| JournalError::Garbage { line: 1 })?;
        let mut steps = Steps::default();
        for (index, record) in records.enumerate() {
            steps.take(index, record).map_err(|()| JournalError::Garbage { line: index + 2 })?;
        }
        let Steps { done, failed, open } = steps;
        let mut open: Vec<_> = open.into_values().collect();
        open.sort_by_key(|(order, _)| *order);
        let open = open.into_iter().map(|(_, change)| change).collect();
        Ok(Some(Self {
            lineage,
            serial,
            began_at,
            done,
            open,
            failed,
            environment,
            fingerprint_key,
            backends,
        }))
    }

    /// Folds what the journal says into the state that it goes with. What is still open is added to
    /// [`State::in_flight`].
    pub fn fold(&self, state: Option<State>) -> State {
        let mut state = state.unwrap_or_else(|| {
            let mut state = State::empty(self.lineage, self.fingerprint_key.clone());
            state.environment.clone_from(&self.environment);
            state
        });
        // A backend that is recorded stays as it was recorded: a new boot id beside objects that the run did not come
        // to would make their absence look like a loss.
        for (id, record) in &self.backends {
            state.backends.entry(id.clone()).or_insert_with(|| record.clone());
        }
        for change in &self.done {
            state.apply(change.clone());
        }
        // What an earlier run had left open is done by now.
        let done: BTreeSet<&Address> = self.done.iter().map(StateChange::address).collect();
        let is_done = |it: &StateChange| done.contains(it.address());
        let done: Vec<_> = state.open().into_iter().filter(is_done).collect();
        state.settle(&done);
        // A store elsewhere was told of everything before it began, and so of these too.
        let open = self.open.iter().map(StateChange::to_json);
        let known: BTreeSet<String> = state.in_flight.iter().map(ToString::to_string).collect();
        state.in_flight.extend(open.filter(|it| !known.contains(&it.to_string())));
        state
    }
}

impl JournalRecord {
    /// Writes the record as a line.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = Vec::new();
        self.write_line(&mut line);
        line
    }

    /// Writes the record as a line behind others.
    pub(crate) fn write_line(&self, lines: &mut Vec<u8>) {
        serde_json::to_writer(&mut *lines, self).expect("maps of a record have texts as keys");
        lines.push(b'\n');
    }
}

/// What is known of the steps so far.
#[derive(Default)]
struct Steps {
    done: Vec<StateChange>,
    failed: usize,
    /// By the number of the step, with the order in which they were begun.
    open: BTreeMap<u64, (usize, StateChange)>,
}

impl Steps {
    fn take(&mut self, order: usize, record: JournalRecord) -> Result<(), ()> {
        match record {
            JournalRecord::Begin { .. } => return Err(()),
            JournalRecord::Intent { step, change } => {
                self.open.insert(step, (order, change));
            }
            JournalRecord::Done { step, change } => {
                self.open.remove(&step);
                self.done.push(change);
            }
            JournalRecord::Failed { step } => {
                self.open.remove(&step);
                self.failed += 1;
            }
        }
        Ok(())
    }
}

/// Reads the lines up to a torn tail.
fn records(bytes: &[u8]) -> Result<Vec<JournalRecord>, JournalError> {
    let mut records = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        if records.is_empty() {
            check_version(&rest[..end])?;
        }
        match serde_json::from_slice(&rest[..end]) {
            Ok(record) => records.push(record),
            Err(_) if is_torn(&rest[..end], &rest[end..]) => break,
            Err(_) => return Err(JournalError::Garbage { line: records.len() + 1 }),
        }
        rest = &rest[end..];
    }
    Ok(records)
}

fn check_version(line: &[u8]) -> Result<(), JournalError> {
    #[derive(Deserialize)]
    struct Head {
        version: u64,
    }
    match serde_json::from_slice(line) {
        Ok(Head { version: FORMAT }) | Err(_) => Ok(()),
        Ok(Head { version }) => Err(JournalError::Newer { version }),
    }
}

/// Returns whether a line that cannot be read was never wholly written: it has no end, or a power cut left zeroes
/// where it should be; and nothing readable follows.
fn is_torn(line: &[u8], after: &[u8]) -> bool {
    let is_whole = line.ends_with(b"\n") && !line.contains(&0);
    let is_record = |line: &[u8]| serde_json::from_slice::<JournalRecord>(line).is_ok();
    !is_whole && !after.split(|byte| *byte == b'\n').any(is_record)
}

#[cfg(test)]
mod tests;
