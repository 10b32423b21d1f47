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

pub mod device;
mod error;
mod files;
mod history;
mod journal;
mod lock;
mod afar;
mod vault;
pub mod plan_file;
mod put_back;
pub mod remote;

pub use afar::Warn;
pub use device::{Devices, LockedDevice};
pub use error::{Held, StoreError};
pub use history::Past;
pub use journal::{Journal, StepOutcome};
pub use lock::{LockInfo, LockRequest, Predecessor};
pub use put_back::PutBack;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::resource::BackendId;
use crate::seal::Sealing;
use crate::state::{BackendRecord, JournalError, Recorded, State, StateChange};
use crate::store::afar::{Afar, AfarLock};
use crate::store::device::LocalDevices;
use crate::store::files::Files;
use crate::store::history::History;
use crate::store::lock::LocalLock;
use crate::store::remote::Make;
use crate::store::vault::Vault;

/// The store of one state.
#[derive(Debug, Clone)]
pub struct Store(Place);

#[derive(Debug, Clone)]
enum Place {
    /// A file of this machine.
    Local {
        path: PathBuf,
        history: Option<History>,
        /// Where the locks of devices are.
        devices: Option<PathBuf>,
        vault: Vault,
    },
    /// A store that many machines reach.
    Afar(Afar),
}

/// What a store holds.
#[derive(Debug, Clone, Default)]
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
    /// Where it ran, when only the store knows of it: its own record is lost, or on that host.
    pub host: Option<String>,
}

impl LeftOver {
    fn of(journal: &Recorded) -> Self {
        Self {
            began_at: journal.began_at,
            done: journal.done.len(),
            failed: journal.failed,
            unknown: journal.open.len(),
            host: None,
        }
    }
}

impl Store {
    /// Names a state file, which need not be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(Place::Local {
            path: path.into(),
            history: None,
            devices: None,
            vault: Vault::default(),
        })
    }

    /// Names a state file, the last writes of which are kept in a directory.
    pub fn with_history(path: impl Into<PathBuf>, directory: impl Into<PathBuf>) -> Self {
        let history = Some(History::new(directory.into()));
        Self(Place::Local { path: path.into(), history, devices: None, vault: Vault::default() })
    }

    /// Names the directory in which state files lock devices. All that name the same one know of each other.
    #[must_use]
    pub fn locking_devices_in(mut self, directory: Option<PathBuf>) -> Self {
        if let Place::Local { devices, .. } = &mut self.0 {
            *devices = directory;
        }
        self
    }

    /// Seals what is written, and opens what is read. What is remembered of the state lies in a directory `.wgform` below
    /// this one.
    #[must_use]
    pub fn sealed_by(mut self, sealing: Sealing, directory: &Path, warn: Warn) -> Self {
        let new = Vault::new(sealing, directory, warn);
        match &mut self.0 {
            Place::Local { vault, .. } => *vault = new,
            Place::Afar(afar) => afar.vault = new,
        }
        self
    }

    /// Returns the same store, which reads also a state that is older than one that was seen here.
    #[must_use]
    pub fn without_marks(&self) -> Self {
        let mut store = self.clone();
        let unmarked = self.vault().without_marks();
        match &mut store.0 {
            Place::Local { vault, .. } => *vault = unmarked,
            Place::Afar(afar) => afar.vault = unmarked,
        }
        store
    }

    fn vault(&self) -> &Vault {
        match &self.0 {
            Place::Local { vault, .. } => vault,
            Place::Afar(afar) => &afar.vault,
        }
    }

    /// Returns how what is written is sealed.
    pub fn sealing(&self) -> &Sealing {
        &self.vault().sealing
    }

    /// Names a state that is kept elsewhere. What this machine needs for it lies in a directory `.wgform` below this one,
    /// and a state that could not be written beside the configuration.
    ///
    /// # Errors
    /// When nothing can be got ready.
    pub fn afar(
        make: Make,
        directory: &Path,
        workspace: &str,
        warn: Warn,
    ) -> Result<Self, StoreError> {
        Afar::new(make, directory, workspace, warn).map(|afar| Self(Place::Afar(afar)))
    }

    /// Returns where the state is, for messages.
    pub fn place(&self) -> String {
        match &self.0 {
            Place::Local { path, .. } => format!("`{}`", path.display()),
            Place::Afar(afar) => afar.place().to_owned(),
        }
    }

    /// Returns the file of this machine that holds the state; none where that is elsewhere.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Place::Local { path, .. } => Some(path),
            Place::Afar(_) => None,
        }
    }

    /// Returns the files of this machine that are the store's own, whether they are there or not.
    pub fn names(&self) -> Vec<PathBuf> {
        match &self.0 {
            // What cannot be resolved is told by whoever reads it.
            Place::Local { path, .. } => Files::resolve(path, self.vault())
                .map_or_else(|_| vec![path.clone()], Files::into_names),
            Place::Afar(afar) => vec![afar.errored().to_owned()],
        }
    }

    /// Reads without the lock and without changing anything.
    ///
    /// # Errors
    /// When a file cannot be read or understood.
    pub fn read(&self) -> Result<Loaded, StoreError> {
        let files = match &self.0 {
            Place::Local { path, vault, .. } => Files::resolve(path, vault)?,
            Place::Afar(afar) => return afar.read(),
        };
        let (mut busy, (mut loaded, _)) = (lock::holder(&files)?, load(&files)?);
        if busy.is_none() && loaded.left_over.is_some() {
            // A run may have begun between the two looks, and its journal would be taken for a left-over.
            (busy, (loaded, _)) = (lock::holder(&files)?, load(&files)?);
        }
        // The journal of a run that goes on is not left over.
        let left_over = loaded.left_over.filter(|_| busy.is_none());
        Ok(Loaded { busy, left_over, ..loaded })
    }

    /// Returns the document as it is stored, opened where it is sealed; none before the first write.
    ///
    /// # Errors
    /// When it cannot be read or opened.
    pub fn document(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = match &self.0 {
            Place::Local { path, vault, .. } => files::read(&Files::resolve(path, vault)?.state),
            Place::Afar(afar) => afar.bytes(),
        };
        self.opened(bytes?)
    }

    fn opened(&self, bytes: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, StoreError> {
        bytes.map(|it| self.vault().open(&it, &self.place())).transpose()
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
        let place = match &self.0 {
            Place::Local { path, history, vault, .. } => {
                let files = Files::resolve(path, vault)?;
                let lock = LocalLock::acquire(files, request, timeout, waiting).await?;
                LockPlace::Local(Box::new(lock.with_history(history.clone())))
            }
            Place::Afar(afar) => {
                LockPlace::Afar(Box::new(afar.lock(request, timeout, waiting).await?))
            }
        };
        Ok(Lock { place, devices: self.local_devices(), state: self.place() })
    }

    /// Returns what gives the lock back when the process is told to end, also while it is being taken; none for a lock that
    /// dies with its process.
    pub fn give_back(&self) -> Option<Box<dyn FnOnce() + Send>> {
        match &self.0 {
            Place::Local { .. } => None,
            Place::Afar(afar) => Some(Box::new(afar.give_back())),
        }
    }

    /// Goes without the lock, because the user says that nobody else is there, or that the file system has no locks.
    ///
    /// # Errors
    /// When another run is in the middle of an apply.
    pub fn without_lock(&self, request: LockRequest) -> Result<Lock, StoreError> {
        let place = match &self.0 {
            Place::Local { path, history, vault, .. } => {
                let lock = LocalLock::without(Files::resolve(path, vault)?, request)?;
                LockPlace::Local(Box::new(lock.with_history(history.clone())))
            }
            Place::Afar(afar) => LockPlace::Afar(Box::new(afar.without_lock(request)?)),
        };
        Ok(Lock { place, devices: LocalDevices::default(), state: self.place() })
    }

    fn local_devices(&self) -> LocalDevices {
        match &self.0 {
            Place::Local { devices, .. } => LocalDevices::new(devices.clone()),
            Place::Afar(_) => LocalDevices::default(),
        }
    }

    /// Returns whether there are locks of devices, by which the states beside this one know of each other.
    pub fn holds_devices(&self) -> bool {
        match &self.0 {
            Place::Local { devices, .. } => devices.is_some(),
            Place::Afar(afar) => afar.holds_devices(),
        }
    }

    /// Returns the devices whose locks somebody holds, for this state or another one.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn locked_devices(&self, now: Timestamp) -> Result<Vec<LockedDevice>, StoreError> {
        match &self.0 {
            Place::Local { devices: Some(directory), .. } => Ok(device::locked(directory, now)),
            Place::Local { .. } => Ok(Vec::new()),
            Place::Afar(afar) => afar.devices(now),
        }
    }

    /// Returns who holds the lock at this moment.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn holder(&self, now: Timestamp) -> Result<Option<Held>, StoreError> {
        match &self.0 {
            Place::Local { path, vault, .. } => {
                let files = Files::resolve(path, vault)?;
                let holder = lock::holder(&files)?;
                Ok(holder.map(|_| lock::held(&files, now)))
            }
            Place::Afar(afar) => Ok(afar.holder()?.map(|held| afar.held_at(&held, now))),
        }
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
        match &self.0 {
            Place::Local { path, vault, .. } => {
                lock::force(&Files::resolve(path, vault)?, id, host, now)
            }
            Place::Afar(afar) => afar.force_unlock(id, now),
        }
    }

    /// Returns the writes that can be had again, the newest first; none where the store keeps no history.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn history(&self) -> Result<Option<Vec<Past>>, StoreError> {
        match &self.0 {
            Place::Local { history, .. } => Ok(history.as_ref().map(History::list)),
            Place::Afar(afar) => afar.history(),
        }
    }

    /// Returns the document as it was with a serial, opened where it is sealed; none when it is not kept.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn past(&self, serial: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = match &self.0 {
            Place::Local { history, .. } => match history {
                Some(history) => history.read(serial),
                None => Ok(None),
            },
            Place::Afar(afar) => afar.past(serial),
        };
        self.opened(bytes?)
    }
}

/// The lock on one state. Nobody else changes the state while it is there; dropping it gives it back.
#[derive(Debug)]
pub struct Lock {
    place: LockPlace,
    /// The locks of devices, where they are on this host.
    devices: LocalDevices,
    /// Where the state is.
    state: String,
}

#[derive(Debug)]
enum LockPlace {
    Local(Box<LocalLock>),
    Afar(Box<AfarLock>),
}

impl Lock {
    /// Returns what the lock says of us.
    pub fn info(&self) -> &LockInfo {
        self.local().info()
    }

    /// Returns the holder before us, if it went without giving the lock back.
    pub fn predecessor(&self) -> Option<&Predecessor> {
        self.local().predecessor()
    }

    fn local(&self) -> &LocalLock {
        match &self.place {
            LockPlace::Local(lock) => lock,
            LockPlace::Afar(lock) => lock.local(),
        }
    }

    /// Reads the state. A journal that is left over is folded in for good: the state that comes back is stored.
    ///
    /// # Errors
    /// When the state cannot be read, understood, or written; nothing is lost then.
    pub fn read(&self) -> Result<Loaded, StoreError> {
        match &self.place {
            LockPlace::Local(lock) => lock.read(),
            LockPlace::Afar(lock) => lock.read(),
        }
    }

    /// Returns whether the store has to be told what a run is about to do, because what this machine keeps may be gone
    /// with the run.
    pub fn wants_intents(&self) -> bool {
        matches!(self.place, LockPlace::Afar(_))
    }

    /// Tells a store that wants it what a run is about to do, before the first device is touched. The state has the serial
    /// of that write afterwards.
    ///
    /// # Errors
    /// When it cannot be told: nothing may be changed then.
    pub fn announce(
        &self,
        state: &mut State,
        now: Timestamp,
        intents: &[StateChange],
    ) -> Result<(), StoreError> {
        match &self.place {
            LockPlace::Local(_) => Ok(()),
            LockPlace::Afar(lock) => lock.announce(state, now, intents),
        }
    }

    /// Begins the journal of a run that will change the backends. The state must be as [`Lock::read`] or
    /// [`Lock::announce`] left it, or new.
    ///
    /// # Errors
    /// When it cannot be written: nothing may be changed then.
    pub fn begin(
        &self,
        state: &State,
        now: Timestamp,
        backends: BTreeMap<BackendId, BackendRecord>,
    ) -> Result<Journal, StoreError> {
        match &self.place {
            LockPlace::Local(lock) => lock.begin(state, now, backends),
            LockPlace::Afar(lock) => lock.begin(state, now, backends),
        }
    }

    /// Tells a store that wants it how far a run has come, if it was not told for a while. Nobody waits for that.
    pub fn refresh(&self, now: Timestamp, so_far: impl FnOnce() -> State) {
        if let LockPlace::Afar(lock) = &self.place {
            lock.refresh(now, so_far);
        }
    }

    /// Writes the state with the next serial, keeps the previous one as far as the store does, and removes the journal.
    ///
    /// # Errors
    /// When it cannot be written: the old state is there then, and so is the journal, or the new state in a file of its
    /// own. Or when the journal cannot be removed, which the next run passes over, because the new state has it in.
    pub fn write(&self, state: &mut State) -> Result<(), StoreError> {
        match &self.place {
            LockPlace::Local(lock) => lock.write(state),
            LockPlace::Afar(lock) => lock.write(state),
        }
    }

    /// Writes a state over whatever is there. It gets a serial above that, above its own if it is there no more, and above
    /// what was seen here of its lineage.
    ///
    /// # Errors
    /// As [`Lock::write`].
    pub fn replace(&self, state: &mut State) -> Result<(), StoreError> {
        let vault = match &self.place {
            LockPlace::Local(lock) => lock.vault(),
            LockPlace::Afar(lock) => lock.vault(),
        };
        let seen = vault.seen(state.lineage).filter(|seen| *seen >= state.serial);
        state.serial = seen.map_or(state.serial, |seen| seen + 1);
        match &self.place {
            LockPlace::Local(lock) => lock.replace(state),
            LockPlace::Afar(lock) => lock.replace(state),
        }
    }

    /// Leaves a note in the place of a state that is elsewhere now: whoever reads it is told where.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn leave_note(&self, state: &State, place: &str) -> Result<(), StoreError> {
        match &self.place {
            LockPlace::Local(lock) => lock.replace_by(&state.note(state.serial + 1, place)),
            LockPlace::Afar(lock) => {
                // The numbers of the new place may be ahead, and a store counts its own writes.
                let serial = lock.next_serial();
                lock.replace_by(state.note(serial, place), serial)
            }
        }
    }

    /// Says that a run could not be recorded to its end, and what becomes of its journal.
    pub fn unrecorded(&self, source: StoreError) -> StoreError {
        match &self.place {
            LockPlace::Local(lock) => lock.unrecorded(source),
            LockPlace::Afar(lock) => lock.unrecorded(source),
        }
    }

    /// Returns whether the lock was taken away. Nothing new may be started then.
    pub fn is_lost(&self) -> bool {
        match &self.place {
            LockPlace::Local(_) => false,
            LockPlace::Afar(lock) => lock.is_lost(),
        }
    }

    /// Says what is to be done at once when the lock is taken away.
    pub fn on_loss(&self, act: impl FnOnce() + Send + 'static) {
        if let LockPlace::Afar(lock) = &self.place {
            lock.on_loss(act);
        }
    }

    /// Takes the locks of devices, until this one is given back. While somebody else holds one, `waiting` is called once for
    /// it, with how messages call it; all in all, no longer is waited than the timeout.
    ///
    /// # Errors
    /// When one of them is still held, or the store cannot be asked. Where there are no such locks, or may be none for this
    /// user, it goes without; why is returned where nobody else says it.
    pub async fn take_devices(
        &self,
        devices: &Devices,
        timeout: Duration,
        waiting: &mut dyn FnMut(&str, &Held),
    ) -> Result<Option<String>, StoreError> {
        match &self.place {
            LockPlace::Local(lock) => {
                let info = lock.info().clone();
                let operation = format!("{} of {}", info.operation, self.state);
                let info = LockInfo { operation, ..info };
                self.devices.take(devices, &info, timeout, waiting).await
            }
            LockPlace::Afar(lock) => {
                lock.take_devices(devices, timeout, waiting).await.map(|()| None)
            }
        }
    }

    /// Gives the lock back.
    pub fn release(self) {
        drop(self);
    }
}

/// Reads a file that somebody names; none when it is not there.
///
/// # Errors
/// When it cannot be read.
pub fn file(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    files::read(path)
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
    let left_over = LeftOver::of(&journal);
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
    files.vault.check(&state, &bytes, &files.place())?;
    let seen = Seen::of(&state, &bytes);
    Ok(Some((state, seen)))
}

fn parse_state(files: &Files, bytes: &[u8]) -> Result<State, StoreError> {
    let bytes = files.vault.open(bytes, &files.place())?;
    State::from_bytes(&bytes).map_err(|source| StoreError::State {
        path: files.state.clone(),
        backup: files.backup.exists().then(|| files.backup.clone()),
        source,
    })
}

/// Returns the serial of a document that need not be a state that can be understood: a note has one, too. What can be no
/// serial counts as none.
fn serial_of(bytes: &[u8]) -> u64 {
    #[derive(serde::Deserialize)]
    struct Numbered {
        serial: u64,
    }
    let serial = serde_json::from_slice(bytes).map_or(0, |Numbered { serial }| serial);
    if serial <= State::LARGEST_SERIAL { serial } else { 0 }
}

fn read_journal(files: &Files) -> Result<Option<Recorded>, StoreError> {
    let Some(bytes) = files::read(&files.journal)? else { return Ok(None) };
    let path = &files.journal;
    let opened = files.vault.sealing.open_journal(bytes);
    let (bytes, is_sealed) =
        opened.map_err(|source| StoreError::SealedJournal { path: path.clone(), source })?;
    Recorded::from_bytes(&bytes).map_err(|source| match source {
        JournalError::Garbage { line } if is_sealed => {
            // The first line of the file holds its key.
            let source = JournalError::Garbage { line: line + 1 };
            StoreError::Journal { path: path.clone(), source }
        }
        source => StoreError::Journal { path: path.clone(), source },
    })
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
