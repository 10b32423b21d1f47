//! The lock: taken, waited for, looked at, given back, and removed by force.
//!
//! The kernel's `flock` decides who holds it. What the file says is for people: it may be of a process that was killed,
//! and a number of a process may have been given to another one since.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::disk;
use crate::failpoint::{Point, hit};
use crate::resource::BackendId;
use crate::state::{BackendRecord, State};
use crate::store::files::{self, Files, failed};
use crate::store::history::History;
use crate::store::vault::Vault;
use crate::store::{Held, Journal, Loaded, Seen, StoreError, load, parse_state, serial_of};

/// A reader looks for an instant whether the lock is held, and must not make a run fail by that.
const GRACE: Duration = Duration::from_millis(200);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Who wants the lock, and for what.
#[derive(Debug, Clone)]
pub struct LockRequest {
    /// A new id.
    pub id: Uuid,
    /// For what: `apply`.
    pub operation: String,
    /// The user.
    pub who: String,
    /// The host.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The time now.
    pub now: Timestamp,
}

/// What a lock file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockInfo {
    /// By which `force-unlock` names it.
    pub id: String,
    /// For what.
    pub operation: String,
    /// The user.
    pub who: String,
    /// The host.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Since when.
    pub since: Timestamp,
    /// The program.
    pub wgform_version: String,
}

/// A holder that went without giving the lock back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predecessor {
    /// What it had said.
    pub info: LockInfo,
    /// Whether it ran on another host: then the file system is shared, and may not carry locks from host to host.
    pub is_on_other_host: bool,
}

/// The lock on one state file. Nobody else changes the state while it is there; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct LocalLock {
    files: Files,
    /// None when the user wants no lock.
    file: Option<File>,
    info: LockInfo,
    predecessor: Option<Predecessor>,
    /// Whether a journal of this run is being written.
    has_journal: Cell<bool>,
    /// What the state file held at the last look.
    seen: Cell<Option<Seen>>,
    /// Where what is written is kept for a while.
    history: Option<History>,
}

impl LocalLock {
    pub(crate) async fn acquire(
        files: Files,
        request: LockRequest,
        timeout: Duration,
        waiting: &mut dyn FnMut(&Held),
    ) -> Result<Self, StoreError> {
        let (mut waited, mut pause, mut is_told) = (Duration::ZERO, FIRST_PAUSE, false);
        loop {
            if let Some(file) = try_lock(&files)? {
                return Self::taken(files, file, request);
            }
            let held =
                held(&files, request.now + SignedDuration::try_from(waited).unwrap_or_default());
            if waited >= timeout.max(GRACE) {
                return Err(StoreError::Locked(Box::new(held)));
            }
            if waited >= GRACE && !is_told {
                waiting(&held);
                is_told = true;
            }
            let until = if waited < GRACE { GRACE } else { timeout };
            let nap = pause.min(until - waited);
            tokio::time::sleep(nap).await;
            waited += nap;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Goes without the lock, as a user asked for. The journal of a run that goes on is not touched all the same: it
    /// would be taken for one that is left over.
    pub(crate) fn without(files: Files, request: LockRequest) -> Result<Self, StoreError> {
        if holder(&files)?.is_some() && files.journal.exists() {
            return Err(StoreError::Locked(Box::new(held(&files, request.now))));
        }
        let info = info_of(request);
        Ok(Self {
            files,
            file: None,
            info,
            predecessor: None,
            has_journal: Cell::new(false),
            seen: Cell::new(None),
            history: None,
        })
    }

    /// Keeps what is written in a history, for a while.
    #[must_use]
    pub(crate) fn with_history(self, history: Option<History>) -> Self {
        let mut with = self;
        with.history = history;
        with
    }

    /// Returns what the lock file says of us.
    pub(crate) fn info(&self) -> &LockInfo {
        &self.info
    }

    /// Returns the holder before us, if it went without giving the lock back.
    pub(crate) fn predecessor(&self) -> Option<&Predecessor> {
        self.predecessor.as_ref()
    }

    /// Reads the state. A journal that is left over is folded in for good: the state that comes back is on the disk.
    ///
    /// # Errors
    /// When a file cannot be read, understood, or written; nothing is lost then.
    pub(crate) fn read(&self) -> Result<Loaded, StoreError> {
        let (mut loaded, seen) = load(&self.files)?;
        self.seen.set(seen);
        if self.has_journal.get() {
            return Ok(loaded);
        }
        match (&mut loaded.state, &loaded.left_over) {
            (Some(state), Some(_)) => self.write(state)?,
            // One that is in the state already, or of which not even the first record was written.
            _ if self.files.journal.exists() => self.files.remove_journal()?,
            _ => {}
        }
        Ok(loaded)
    }

    /// Begins the journal of a run that will change the backends. The state must be as [`LocalLock::read`] returned it, or
    /// new.
    ///
    /// # Errors
    /// When it cannot be written: nothing may be changed then.
    pub(crate) fn begin(
        &self,
        state: &State,
        now: Timestamp,
        backends: BTreeMap<BackendId, BackendRecord>,
    ) -> Result<Journal, StoreError> {
        self.check_unchanged(state)?;
        let journal = Journal::begin(&self.files, state, now, backends)?;
        self.has_journal.set(true);
        Ok(journal)
    }

    /// Writes the state with the next serial, keeps the previous one as a backup, and removes the journal.
    ///
    /// # Errors
    /// When it cannot be written: the serial is then as it was, the old state is there, and so is the journal. Or when
    /// the journal cannot be removed, which the next run passes over, because the new state has it in.
    pub(crate) fn write(&self, state: &mut State) -> Result<(), StoreError> {
        let written = self.try_write(state).and_then(|()| self.files.remove_journal());
        written.map_err(|source| match self.files.journal.exists() {
            true => self.unrecorded(source),
            false => source,
        })?;
        self.has_journal.set(false);
        Ok(())
    }

    /// Writes a state over whatever is there, with a serial above both.
    pub(crate) fn replace(&self, state: &mut State) -> Result<(), StoreError> {
        let there = files::read(&self.files.state)?;
        // What is there may be the trouble, and be replaced for that. Copies that are later than what is put back stay then.
        let serial = there.as_deref().map_or(0, serial_of);
        let kept = self.history.as_ref().map_or(0, History::newest);
        state.serial = state.serial.max(serial.max(kept) + 1);
        let bytes = self.files.vault.seal(state)?;
        self.replace_by(&bytes)?;
        self.files.vault.written(state);
        self.seen.set(Some(Seen::of(state, &bytes)));
        if let Some(history) = &self.history {
            history.keep(state.serial, &bytes);
        }
        Ok(())
    }

    /// Writes bytes over whatever is there, which is kept as the backup.
    pub(crate) fn replace_by(&self, bytes: &[u8]) -> Result<(), StoreError> {
        if let Some(there) = files::read(&self.files.state)? {
            self.files.keep_backup(&there)?;
        }
        self.files.replace_state(bytes)
    }

    /// Says that a run could not be recorded to its end, and what becomes of its journal.
    pub(crate) fn unrecorded(&self, source: StoreError) -> StoreError {
        StoreError::Unrecorded { journal: self.files.journal.clone(), source: Box::new(source) }
    }

    /// Returns where everything lies.
    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// Returns how the state is sealed.
    pub(crate) fn vault(&self) -> &Vault {
        &self.files.vault
    }

    /// Returns whether a journal of this run is being written.
    pub(crate) fn has_journal(&self) -> bool {
        self.has_journal.get()
    }

    /// Begins a journal beside a copy of a state that is kept elsewhere.
    pub(crate) fn begin_beside(
        &self,
        copy: &[u8],
        state: &State,
        now: Timestamp,
        backends: BTreeMap<BackendId, BackendRecord>,
    ) -> Result<Journal, StoreError> {
        self.files.remove_journal()?;
        self.files.replace_state(copy)?;
        let journal = Journal::begin(&self.files, state, now, backends)?;
        self.has_journal.set(true);
        Ok(journal)
    }

    /// Removes the journal, whose content is kept elsewhere by now.
    pub(crate) fn remove_journal(&self) -> Result<(), StoreError> {
        self.has_journal.set(false);
        if self.files.journal.exists() {
            self.files.remove_journal()?;
        }
        Ok(())
    }

    fn taken(files: Files, file: File, request: LockRequest) -> Result<Self, StoreError> {
        let host = &request.host;
        let predecessor = read_info(&files)
            .map(|info| Predecessor { is_on_other_host: info.host != *host, info });
        let info = info_of(request);
        let text = serde_json::to_vec_pretty(&info).expect("the fields are texts and numbers");
        let written = file.set_len(0).and_then(|()| disk::write(&file, &files.lock, &text));
        let place = files.lock.clone();
        let lock = Self {
            files,
            file: Some(file),
            info,
            predecessor,
            has_journal: Cell::new(false),
            seen: Cell::new(None),
            history: None,
        };
        written.map_err(|source| failed("write the lock file", &place, source))?;
        Ok(lock)
    }

    fn try_write(&self, state: &mut State) -> Result<(), StoreError> {
        let previous = self.check_unchanged(state)?;
        if let Some(bytes) = previous {
            self.files.keep_backup(&bytes)?;
        }
        state.serial += 1;
        let sealed = self.files.vault.seal(state).inspect_err(|_| state.serial -= 1)?;
        let written = self.files.replace_state(&sealed);
        match written {
            Ok(()) => {
                self.files.vault.written(state);
                self.seen.set(Some(Seen::of(state, &sealed)));
                if let Some(history) = &self.history {
                    history.keep(state.serial, &sealed);
                }
            }
            Err(_) => state.serial -= 1,
        }
        written
    }

    /// Looks that the state file is the one from which a state was made, and returns its bytes.
    fn check_unchanged(&self, state: &State) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = files::read(&self.files.state)?;
        if bytes.as_deref().is_some_and(|it| self.seen.get() == Some(Seen::of(state, it))) {
            return Ok(bytes);
        }
        let found = bytes.as_deref().map(|it| parse_state(&self.files, it)).transpose()?;
        let name = |lineage: Uuid, serial: u64| format!("serial {serial} of lineage {lineage}");
        let expected = name(state.lineage, state.serial);
        let found = match &found {
            Some(found) => name(found.lineage, found.serial),
            // A state that has no file yet begins at nothing.
            None if state.serial == 0 => return Ok(None),
            None => "no file".to_owned(),
        };
        if found == expected {
            return Ok(bytes);
        }
        Err(StoreError::Changed { path: self.files.state.clone(), found, expected })
    }
}

impl Drop for LocalLock {
    fn drop(&mut self) {
        hit(Point::LockRelease);
        // Whoever waits on the removed file notices, because its name is gone. If it cannot be removed it stays with
        // our text in it, and the next run takes it over.
        let is_ours =
            self.file.as_ref().is_some_and(|it| is_named(it, &self.files).unwrap_or(false));
        if is_ours {
            let _ = fs::remove_file(&self.files.lock);
        }
    }
}

pub(crate) fn info_of(request: LockRequest) -> LockInfo {
    let LockRequest { id, operation, who, host, pid, now } = request;
    let wgform_version = env!("CARGO_PKG_VERSION").to_owned();
    LockInfo { id: id.to_string(), operation, who, host, pid, since: now, wgform_version }
}

/// Returns who holds the lock at this moment.
pub(crate) fn holder(files: &Files) -> Result<Option<LockInfo>, StoreError> {
    // Without a file nobody holds it, and a reader may not be allowed to make one.
    let Ok(Some(file)) = files::open(&files.lock) else { return Ok(None) };
    for _ in 0..20 {
        match file.try_lock_shared() {
            Ok(()) => return Ok(None),
            Err(TryLockError::Error(source)) => {
                return Err(failed("look at the lock", &files.lock, source));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if let Some(info) = read_info(files) {
            return Ok(Some(info));
        }
        // It was taken this instant, and its holder is about to write its name.
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(None)
}

/// Removes a lock that nobody on this host holds.
pub(crate) fn force(
    files: &Files,
    id: &str,
    host: &str,
    now: Timestamp,
) -> Result<LockInfo, StoreError> {
    let asked = id.to_owned();
    if !files.lock.exists() {
        return Err(StoreError::NotLocked { asked });
    }
    let file = try_lock(files)?;
    let held = Box::new(held(files, now));
    match (&held.info, &file) {
        (Some(info), _) if info.id != id => return Err(StoreError::OtherLock { asked, held }),
        (None, Some(_)) => {
            // An empty file of a run that was killed before it wrote its name.
            let _ = fs::remove_file(&files.lock);
            return Err(StoreError::NotLocked { asked });
        }
        (Some(info), None) if info.host != host => {}
        (_, None) => return Err(StoreError::OwnerLives(held)),
        (Some(_), Some(_)) => {}
    }
    fs::remove_file(&files.lock)
        .map_err(|source| failed("remove the lock file", &files.lock, source))?;
    held.info.ok_or(StoreError::NotLocked { asked })
}

/// Takes the lock, if nobody holds it.
pub(crate) fn try_lock(files: &Files) -> Result<Option<File>, StoreError> {
    let failed = |source| failed("take the lock", &files.lock, source);
    // What is no file is left alone, and named.
    files::open(&files.lock)?;
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&files.lock)
            .map_err(failed)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
            Ok(()) => {}
        }
        // The file may have been given back, and so removed, between the two calls: then this is a lock on nothing.
        if is_named(&file, files).map_err(failed)? {
            return Ok(Some(file));
        }
    }
}

/// Returns whether an open file is the one that others find under the name of the lock file.
fn is_named(file: &File, files: &Files) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(&files.lock) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

pub(crate) fn held(files: &Files, now: Timestamp) -> Held {
    Held { path: files.lock.clone(), place: None, info: read_info(files), is_stale: false, now }
}

/// Reads what the lock file says; none when it says nothing yet, or something else.
fn read_info(files: &Files) -> Option<LockInfo> {
    serde_json::from_slice(&files::read(&files.lock).ok()??).ok()
}
