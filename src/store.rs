//! The state file on this machine: its lock, its journal, and writes that a crash cannot tear.
//!
//! Beside `wgform.state.json` lie
//!
//! * `wgform.state.json.lock` while a run may change something: who, where, since when and for what. The lock itself is
//!   the kernel's `flock` on that file, so it dies with its process, whatever the file says.
//! * `wgform.state.json.journal` while an apply runs: what was about to be done and what was done, on the disk before
//!   the device is asked and before anybody is told. One that is left over is folded in by the next run.
//! * `wgform.state.json.backup`, the state before the last write.
//! * `wgform.state.json.tmp` for the instant in which a state is written.
//!
//! When the state file is a symbolic link, they lie beside its target, so that two links to one state share one lock.
//!
//! Nothing here knows what a plan is, and nothing is repaired by guessing: what cannot be read is left as it is, with
//! an error that says what to do.

#![expect(
    clippy::disallowed_methods,
    reason = "the state lives in files, and those are this module's job"
)]

mod error;
mod files;
mod journal;
mod lock;
pub mod plan_file;
pub mod remote;

pub use error::{Held, StoreError};
pub use journal::{Journal, StepOutcome};
pub use lock::{Lock, LockInfo, LockRequest, Predecessor};

use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::state::{Recorded, State, StateChange};
use crate::store::files::Files;

/// The store of one state file.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
}

/// What a store holds.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The state, with a left-over journal folded in; none before the first apply.
    pub state: Option<State>,
    /// What was begun and whose end is unknown, in its order: the same as [`State::open`]. Whoever has looked for the
    /// object takes the change out with [`State::settle`].
    pub open: Vec<StateChange>,
    /// The run that was cut off, when there was one.
    pub left_over: Option<LeftOver>,
    /// The run that is changing things at this moment. What it has done so far is in the state.
    pub busy: Option<LockInfo>,
}

/// A run that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOver {
    /// When it began.
    pub began_at: Timestamp,
    /// How many steps it had done.
    pub done: usize,
    /// How many steps had failed.
    pub failed: usize,
    /// How many steps were on their way.
    pub unknown: usize,
}

impl Store {
    /// Names a state file, which need not be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns the path of the state file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads without the lock and without changing anything.
    ///
    /// # Errors
    /// When a file cannot be read or understood.
    pub fn read(&self) -> Result<Loaded, StoreError> {
        let files = Files::resolve(&self.path)?;
        let (mut busy, (mut loaded, _)) = (lock::holder(&files)?, load(&files)?);
        if busy.is_none() && loaded.left_over.is_some() {
            // A run may have begun between the two looks, and its journal would be taken for a left-over.
            (busy, (loaded, _)) = (lock::holder(&files)?, load(&files)?);
        }
        // The journal of a run that goes on is not left over.
        let left_over = loaded.left_over.filter(|_| busy.is_none());
        Ok(Loaded { busy, left_over, ..loaded })
    }

    /// Takes the lock. While somebody else holds it, `waiting` is called once, and it is tried again until the time is
    /// up.
    ///
    /// # Errors
    /// When it is still held, or a file cannot be made.
    pub async fn lock(
        &self,
        request: LockRequest,
        timeout: Duration,
        waiting: &mut dyn FnMut(&Held),
    ) -> Result<Lock, StoreError> {
        Lock::acquire(Files::resolve(&self.path)?, request, timeout, waiting).await
    }

    /// Goes without the lock, because the user says that nobody else is there, or that the file system has no locks.
    ///
    /// # Errors
    /// When another run is in the middle of an apply.
    pub fn without_lock(&self, request: LockRequest) -> Result<Lock, StoreError> {
        Lock::without(Files::resolve(&self.path)?, request)
    }

    /// Removes what a lock left behind, after a look at who holds it.
    ///
    /// # Errors
    /// When its owner still lives on this host, or the id is that of another lock.
    pub fn force_unlock(
        &self,
        id: &str,
        host: &str,
        now: Timestamp,
    ) -> Result<LockInfo, StoreError> {
        lock::force(&Files::resolve(&self.path)?, id, host, now)
    }
}

/// What a state file held when it was last read or written: ten megabytes are told from others without reading them as
/// a state again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    lineage: Uuid,
    serial: u64,
    digest: u64,
}

impl Seen {
    fn of(state: &State, bytes: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        Self { lineage: state.lineage, serial: state.serial, digest: hasher.finish() }
    }
}

/// Reads the state file and the journal beside it, and folds the one into the other in memory. Tells also what the file
/// itself holds.
fn load(files: &Files) -> Result<(Loaded, Option<Seen>), StoreError> {
    // The journal first: a run that ends in between has then written a state that is newer than this journal, and the
    // journal is passed over. The other way round, an old state could be read and its journal missed.
    let journal = read_journal(files)?;
    let (state, seen) = read_state(files)?.unzip();
    let Some(journal) = journal else { return Ok((Loaded::of(state, None), seen)) };
    if !goes_with(files, &journal, state.as_ref())? {
        return Ok((Loaded::of(state, None), seen));
    }
    let left_over = LeftOver {
        began_at: journal.began_at,
        done: journal.done.len(),
        failed: journal.failed,
        unknown: journal.open.len(),
    };
    Ok((Loaded::of(Some(journal.fold(state)), Some(left_over)), seen))
}

impl Loaded {
    fn of(state: Option<State>, left_over: Option<LeftOver>) -> Self {
        let open = state.as_ref().map(State::open).unwrap_or_default();
        Self { state, open, left_over, busy: None }
    }
}

fn read_state(files: &Files) -> Result<Option<(State, Seen)>, StoreError> {
    let Some(bytes) = files::read(&files.state)? else { return Ok(None) };
    let state = parse_state(files, &bytes)?;
    let seen = Seen::of(&state, &bytes);
    Ok(Some((state, seen)))
}

fn parse_state(files: &Files, bytes: &[u8]) -> Result<State, StoreError> {
    State::from_bytes(bytes).map_err(|source| StoreError::State {
        path: files.state.clone(),
        backup: files.backup.exists().then(|| files.backup.clone()),
        source,
    })
}

fn read_journal(files: &Files) -> Result<Option<Recorded>, StoreError> {
    let Some(bytes) = files::read(&files.journal)? else { return Ok(None) };
    Recorded::from_bytes(&bytes)
        .map_err(|source| StoreError::Journal { path: files.journal.clone(), source })
}

/// Decides whether a journal is still to be folded into the state.
fn goes_with(files: &Files, journal: &Recorded, state: Option<&State>) -> Result<bool, StoreError> {
    let (state_path, path) = (files.state.clone(), files.journal.clone());
    match state {
        Some(state) if state.lineage != journal.lineage => {
            Err(StoreError::ForeignJournal { path, state_path })
        }
        // The state was written with the journal in it, and the run was cut off before the journal was removed.
        Some(state) if state.serial > journal.serial => Ok(false),
        Some(state) if state.serial == journal.serial => Ok(true),
        None if journal.serial == 0 => Ok(true),
        older => Err(StoreError::LaterJournal {
            path,
            state_path,
            serial: journal.serial,
            found: older.map(|state| state.serial),
        }),
    }
}

#[cfg(test)]
mod tests;
