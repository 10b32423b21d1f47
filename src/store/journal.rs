//! The journal while it is written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::disk;
use crate::resource::BackendId;
use crate::seal::JournalSeal;
use crate::state::{BackendRecord, FORMAT, JournalRecord, State, StateChange};
use crate::store::StoreError;
use crate::store::files::{Files, failed};

/// The journal of one run. What a call has returned from is on the disk.
///
/// Dropping it leaves the file: [`Lock::write`](crate::store::Lock::write) removes it once the state holds what it says.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// How many bytes of the file are whole records.
    length: u64,
    /// Whether a failed write may have left bytes that could not be taken back.
    is_broken: bool,
    /// What seals the records.
    seal: Option<JournalSeal>,
}

/// How one step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    /// It landed, with the values that only the device could make.
    Done(StateChange),
    /// It failed, and the device is as it was.
    Failed,
}

impl Journal {
    pub(crate) fn begin(
        files: &Files,
        state: &State,
        began_at: Timestamp,
        backends: BTreeMap<BackendId, BackendRecord>,
    ) -> Result<Self, StoreError> {
        let (seal, head) = files.vault.journal()?.unzip();
        let file = files.create_journal()?;
        let path = files.journal.clone();
        let mut journal = Self { path, file, length: 0, is_broken: false, seal };
        let begin = JournalRecord::Begin {
            version: FORMAT,
            lineage: state.lineage,
            serial: state.serial,
            environment: state.environment.clone(),
            fingerprint_key: state.fingerprint_key.expose_text().to_string(),
            began_at,
            backends,
        };
        let mut bytes = head.unwrap_or_default();
        let first = journal.sealed(begin.to_line());
        let written = first.and_then(|first| {
            bytes.extend(first);
            journal.append(&bytes)
        });
        written.map_err(|source| failed("write the journal", &journal.path, source)).inspect_err(
            |_| {
                // Without its first record it tells nothing, and why there is none is what matters.
                _ = files.remove_journal();
            },
        )?;
        Ok(journal)
    }

    /// Records what is about to be done, before the device is asked; all in one write.
    ///
    /// # Errors
    /// When it could not be recorded: nothing of it may be done.
    pub fn intents(&mut self, intents: &[(u64, StateChange)]) -> Result<(), StoreError> {
        let intents = intents.iter().cloned();
        self.write(intents.map(|(step, change)| JournalRecord::Intent { step, change }))
    }

    /// Records that a step landed.
    ///
    /// # Errors
    /// When it could not be recorded: the next run will look for the object.
    pub fn done(&mut self, step: u64, change: StateChange) -> Result<(), StoreError> {
        self.outcomes([(step, StepOutcome::Done(change))])
    }

    /// Records that a step failed and left the device as it was.
    ///
    /// # Errors
    /// When it could not be recorded: the next run will look for the object.
    pub fn failed(&mut self, step: u64) -> Result<(), StoreError> {
        self.outcomes([(step, StepOutcome::Failed)])
    }

    /// Records how several steps ended, in one write.
    ///
    /// # Errors
    /// When it could not be recorded: the next run will look for the objects.
    pub fn outcomes(
        &mut self,
        outcomes: impl IntoIterator<Item = (u64, StepOutcome)>,
    ) -> Result<(), StoreError> {
        self.write(outcomes.into_iter().map(|(step, outcome)| match outcome {
            StepOutcome::Done(change) => JournalRecord::Done { step, change },
            StepOutcome::Failed => JournalRecord::Failed { step },
        }))
    }

    fn write(&mut self, records: impl Iterator<Item = JournalRecord>) -> Result<(), StoreError> {
        let mut lines = Vec::new();
        records.for_each(|record| record.write_line(&mut lines));
        if lines.is_empty() {
            return Ok(());
        }
        let before = self.seal.as_ref().map(JournalSeal::position);
        let written = self.sealed(lines).and_then(|bytes| self.append(&bytes));
        if written.is_err()
            && let Some((seal, before)) = self.seal.as_mut().zip(before)
        {
            // The place of what was taken back is the place of what comes next.
            seal.rewind(before);
        }
        written.map_err(|source| failed("write the journal", &self.path, source))
    }

    fn sealed(&mut self, lines: Vec<u8>) -> io::Result<Vec<u8>> {
        match &mut self.seal {
            Some(seal) => seal.seal(&lines).map_err(io::Error::other),
            None => Ok(lines),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("an earlier write to it failed"));
        }
        if let Err(error) = disk::write(&self.file, &self.path, bytes) {
            // Half a record may not stay in front of the next one.
            self.is_broken = disk::cut(&self.file, &self.path, self.length).is_err();
            return Err(error);
        }
        if let Err(error) = disk::sync(&self.file, &self.path) {
            // The kernel forgets which pages it could not write: what is on the disk is no longer known.
            self.is_broken = true;
            return Err(error);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }
}
