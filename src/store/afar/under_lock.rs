//! The lock on a state that is elsewhere, and what a run does while it has it: it announces, tells, writes, and keeps
//! what cannot be written.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;

use jiff::{SignedDuration, Timestamp};

use crate::disk;
use crate::resource::BackendId;
use crate::state::{Applying, BackendRecord, State, StateChange};
use crate::store::afar::document::Found;
use crate::store::afar::{Afar, Assembled, Kept, WRITE, hurried};
use crate::store::files::{self, failed};
use crate::store::lock::LocalLock;
use crate::store::remote::{RemoteError, Version, Write};
use crate::store::vault::Vault;
use crate::store::{Journal, Loaded, LockInfo, StoreError};

/// How often the store is told how far a run has come.
const REFRESH: SignedDuration = SignedDuration::from_secs(30);

/// The lock on a state that is elsewhere.
#[derive(Debug)]
pub(crate) struct AfarLock {
    pub(super) afar: Afar,
    /// On what this machine keeps for the store.
    pub(super) local: LocalLock,
    pub(super) is_held: bool,
    /// What the store has, as far as is known.
    stored: RefCell<Stored>,
    /// The state as it was announced, until its journal begins.
    announced: RefCell<Option<State>>,
    applying: RefCell<Option<Applying>>,
    /// A write that nobody waits for.
    under_way: RefCell<Option<UnderWay>>,
    told_at: Cell<Timestamp>,
    /// Somebody has written although the lock is ours.
    is_overtaken: Cell<bool>,
}

#[derive(Debug, Clone, Default)]
struct Stored {
    version: Option<Version>,
    serial: u64,
}

#[derive(Debug)]
struct UnderWay {
    answer: Option<Receiver<Result<Version, RemoteError>>>,
    serial: u64,
    bytes: Vec<u8>,
}

impl AfarLock {
    pub(super) fn new(afar: Afar, local: LocalLock, is_held: bool) -> Self {
        Self {
            afar,
            local,
            is_held,
            stored: RefCell::default(),
            announced: RefCell::default(),
            applying: RefCell::default(),
            under_way: RefCell::default(),
            told_at: Cell::new(Timestamp::UNIX_EPOCH),
            is_overtaken: Cell::new(false),
        }
    }

    pub(crate) fn local(&self) -> &LocalLock {
        &self.local
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.afar.vault
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.afar.line.is_lost()
    }

    pub(crate) fn on_loss(&self, act: impl FnOnce() + Send + 'static) {
        self.afar.line.on_loss(act);
    }

    /// Reads the state under the lock. What a run that was cut off has left here goes to the store first.
    pub(crate) fn read(&self) -> Result<Loaded, StoreError> {
        let found = self.afar.find()?;
        // What cannot be understood can be replaced all the same.
        self.note(
            found.as_ref().map(|it| it.document.version.clone()),
            found.as_ref().map_or(0, Found::serial),
        );
        let fetched = found.map(|it| self.afar.understand(it)).transpose()?;
        let state = match self.afar.kept(fetched.as_ref())? {
            Kept::Next(state) => Some(self.push_kept(*state)?),
            Kept::Stored => {
                self.forget_kept()?;
                fetched.map(|it| it.state)
            }
            Kept::Other(why) => {
                (self.afar.warn)(&why);
                fetched.map(|it| it.state)
            }
            Kept::Nothing => fetched.map(|it| it.state),
        };
        if self.local.has_journal() {
            return Ok(Loaded::of(state, None));
        }
        let Assembled { mut state, left_over, is_folded } = self.afar.assemble(state)?;
        match &mut state {
            Some(state) if is_folded => self.write(state)?,
            _ => self.local.remove_journal()?,
        }
        Ok(Loaded::of(state, left_over))
    }

    fn note(&self, version: Option<Version>, serial: u64) {
        *self.stored.borrow_mut() = Stored { version, serial };
    }

    /// Puts the state into the store that an earlier run could not write, and after which nobody has written.
    fn push_kept(&self, mut state: State) -> Result<State, StoreError> {
        self.put(&mut state)?;
        // It holds all that its journal said.
        self.local.remove_journal()?;
        self.forget_kept()?;
        (self.afar.warn)(&format!(
            "the state in `{}`, which an earlier apply could not write, is in the store now.",
            self.afar.errored.display()
        ));
        Ok(state)
    }

    fn forget_kept(&self) -> Result<(), StoreError> {
        disk::remove(&self.afar.errored)
            .map_err(|source| failed("remove", &self.afar.errored, source))
    }

    /// Tells the store what a run is about to do, before the first device is touched.
    pub(crate) fn announce(
        &self,
        state: &mut State,
        now: Timestamp,
        intents: &[StateChange],
    ) -> Result<(), StoreError> {
        let LockInfo { id, who, host, .. } = self.local.info().clone();
        let applying = Applying { id, began_at: now, who, host };
        let mut announced = state.clone();
        announced.applying = Some(applying.clone());
        announced.keep_open(intents.iter().cloned());
        self.put(&mut announced)?;
        state.serial = announced.serial;
        *self.announced.borrow_mut() = Some(announced);
        *self.applying.borrow_mut() = Some(applying);
        self.told_at.set(now);
        Ok(())
    }

    /// Begins the journal, beside a copy of what was announced.
    pub(crate) fn begin(
        &self,
        state: &State,
        now: Timestamp,
        backends: BTreeMap<BackendId, BackendRecord>,
    ) -> Result<Journal, StoreError> {
        let announced = self.announced.borrow_mut().take();
        let bytes = self.afar.vault.seal(announced.as_ref().unwrap_or(state))?;
        self.local.begin_beside(&bytes, state, now, backends)
    }

    /// Tells the store how far the run has come, if it was not told for a while; nobody waits for that.
    pub(crate) fn refresh(&self, now: Timestamp, so_far: impl FnOnce() -> State) {
        self.hear(false);
        let is_due = now.duration_since(self.told_at.get()) >= hurried(REFRESH);
        if !is_due || self.under_way.borrow().is_some() || self.is_lost() {
            return;
        }
        let mut state = so_far();
        state.applying.clone_from(&self.applying.borrow());
        state.serial = self.stored.borrow().serial + 1;
        self.told_at.set(now);
        // What cannot be sealed now cannot be at the end either, and is said then.
        let Ok(write) = self.write_of(&state) else { return };
        let (serial, bytes) = (write.serial, write.bytes.clone());
        let answer = Some(self.afar.line.begin_write(write));
        *self.under_way.borrow_mut() = Some(UnderWay { answer, serial, bytes });
    }

    /// Takes in what became of a write that nobody waited for.
    fn hear(&self, is_waiting: bool) {
        let mut under_way = self.under_way.borrow_mut();
        let Some(UnderWay { answer: Some(answer), serial, .. }) = under_way.as_mut() else {
            return;
        };
        let answer = match is_waiting {
            true => answer.recv().ok(),
            false => answer.try_recv().ok(),
        };
        match answer {
            Some(Ok(version)) => {
                self.note(Some(version), *serial);
                *under_way = None;
            }
            Some(Err(error @ (RemoteError::Stale | RemoteError::LockLost))) => {
                *under_way = None;
                self.is_overtaken.set(matches!(error, RemoteError::Stale));
                self.afar.line.lose();
            }
            // Whether it arrived is looked up by the next write.
            Some(Err(_)) => {
                if let Some(it) = under_way.as_mut() {
                    it.answer = None;
                }
            }
            None => {}
        }
    }

    /// Finds out whether a write arrived of which nothing was heard.
    fn look_up(&self) -> Result<(), StoreError> {
        self.hear(true);
        if self.under_way.borrow().is_none() {
            return Ok(());
        }
        let found = self.afar.ask("read the state from", |remote| remote.read())?;
        let under_way = self.under_way.borrow_mut().take();
        if let (Some(found), Some(UnderWay { serial, bytes, .. })) = (found, under_way)
            && found.bytes == bytes
        {
            self.note(Some(found.version), serial);
        }
        Ok(())
    }

    /// Writes the state with the next serial, and removes the journal. One that a run has come to and that cannot be written
    /// is kept beside the configuration.
    pub(crate) fn write(&self, state: &mut State) -> Result<(), StoreError> {
        state.applying = None;
        let is_end = self.local.has_journal();
        // A store may hang for so long that whoever waits for the run ends it.
        let is_kept = is_end && self.keep_early(state).is_ok();
        let written = self.look_up().and_then(|()| self.put(state));
        let Err(source) = written else {
            self.applying.borrow_mut().take();
            if is_kept {
                self.forget_kept()?;
            }
            return self.local.remove_journal();
        };
        if !is_end {
            return Err(source);
        }
        state.serial = self.stored.borrow().serial + 1;
        match self.keep(state) {
            Ok(()) => {
                self.local.remove_journal()?;
                let (path, source) = (self.afar.errored.clone(), Box::new(source));
                Err(StoreError::Errored { path, source })
            }
            Err(_) => Err(self.local.unrecorded(source)),
        }
    }

    /// Keeps a state before it is written, with the serial that it will have.
    fn keep_early(&self, state: &mut State) -> Result<(), StoreError> {
        self.put_aside()?;
        let before = state.serial;
        state.serial = self.stored.borrow().serial + 1;
        let kept = self.keep(state);
        state.serial = before;
        kept
    }

    /// Writes a state over whatever is there.
    pub(crate) fn replace(&self, state: &mut State) -> Result<(), StoreError> {
        self.put(state)
    }

    /// Returns the number of the next write.
    pub(crate) fn next_serial(&self) -> u64 {
        self.stored.borrow().serial + 1
    }

    /// Writes other bytes over whatever is there.
    pub(crate) fn replace_by(&self, bytes: Vec<u8>, serial: u64) -> Result<(), StoreError> {
        self.check_may_write()?;
        let over = self.stored.borrow().version.clone();
        let lock = self.is_held.then(|| self.local.info().clone());
        let write = Write { bytes, serial, over, lock };
        let answer = self.afar.line.begin_write(write).recv();
        let written =
            answer.unwrap_or_else(|_| Err(RemoteError::Unreachable("it is gone".to_owned())));
        written.map(drop).map_err(|source| self.afar.failed("leave a note in", source))
    }

    /// Says that a run could not be recorded to its end.
    pub(crate) fn unrecorded(&self, source: StoreError) -> StoreError {
        self.local.unrecorded(source)
    }

    fn keep(&self, state: &State) -> Result<(), StoreError> {
        let path = &self.afar.errored;
        let temporary = path.with_extension("json.tmp");
        let directory = path.parent().unwrap_or(path);
        let bytes = self.afar.vault.seal(state)?;
        disk::prepare(&temporary, &bytes)
            .and_then(|()| disk::rename(&temporary, path))
            .and_then(|()| disk::sync_directory(directory))
            .map_err(|source| failed("write", path, source))
    }

    /// Gives what is kept already, and was not used, another name: it is of another state, or of another serial.
    fn put_aside(&self) -> Result<(), StoreError> {
        let path = &self.afar.errored;
        let Some(bytes) = files::read(path)? else { return Ok(()) };
        let opened = self.afar.vault.sealing.open(&bytes).ok();
        let name = match opened.and_then(|it| State::from_bytes(&it).ok()) {
            Some(state) => state.serial.to_string(),
            None => "unreadable".to_owned(),
        };
        let names = std::iter::once(name.clone())
            .chain((2..u32::MAX).map(|number| format!("{name}-{number}")));
        let mut free = names.map(|it| path.with_extension(format!("{it}.json")));
        let Some(aside) = free.find(|it| !it.exists()) else { return Ok(()) };
        disk::rename(path, &aside).map_err(|source| failed("rename", path, source))?;
        (self.afar.warn)(&format!(
            "what was in `{}` is in `{}` now.",
            path.display(),
            aside.display()
        ));
        Ok(())
    }

    fn check_may_write(&self) -> Result<(), StoreError> {
        let source = match self.is_overtaken.get() {
            true => RemoteError::Stale,
            false if self.is_lost() || self.afar.line.is_given_back() => RemoteError::LockLost,
            false => return Ok(()),
        };
        Err(self.afar.failed(WRITE, source))
    }

    fn write_of(&self, state: &State) -> Result<Write, StoreError> {
        Ok(Write {
            bytes: self.afar.vault.seal(state)?,
            serial: state.serial,
            over: self.stored.borrow().version.clone(),
            lock: self.is_held.then(|| self.local.info().clone()),
        })
    }

    /// Writes a state over the one that was read, with the next serial.
    fn put(&self, state: &mut State) -> Result<(), StoreError> {
        self.check_may_write()?;
        let before = state.serial;
        // A state that comes from a file may be ahead; no serial is given twice.
        state.serial = before.max(self.stored.borrow().serial + 1);
        let write = self.write_of(state).inspect_err(|_| state.serial = before)?;
        let answer = self.afar.line.begin_write(write).recv();
        match answer.unwrap_or_else(|_| Err(RemoteError::Unreachable("it is gone".to_owned()))) {
            Ok(version) => {
                self.note(Some(version), state.serial);
                self.afar.vault.written(state);
                Ok(())
            }
            Err(source) => {
                state.serial = before;
                if matches!(source, RemoteError::LockLost) {
                    self.afar.line.lose();
                }
                Err(self.afar.failed(WRITE, source))
            }
        }
    }
}

impl Drop for AfarLock {
    fn drop(&mut self) {
        if !self.is_held {
            return;
        }
        // What is on its way is written while the lock is still ours.
        self.hear(true);
        self.say_lost_device();
        if let Err(error) = self.afar.line.unlock() {
            let id = &self.local.info().id;
            (self.afar.warn)(&format!(
                "the lock in {} could not be given back: {error}. Once the store is well: `wgform force-unlock {id}`",
                self.afar.place
            ));
        }
    }
}
