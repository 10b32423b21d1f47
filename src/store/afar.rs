//! The state in a store that many machines reach, as one run works with it.
//!
//! What a run is about to do goes to the store in one write before the first device is touched: a runner whose disk
//! dies with its job loses nothing by that. What happens then is in a journal on this machine, beside a copy of what
//! was written, under `.wgform/remote/`; the store is told now and then. A run that cannot write at its end keeps its
//! state in `errored.wgform.json`, and the next one here puts it into the store, if nobody has written there since.

mod devices;
mod document;
mod traces;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::disk;
use crate::failpoint;
use crate::resource::BackendId;
use crate::state::{Applying, BackendRecord, State, StateChange};
use crate::store::afar::document::{Fetched, Found};
use crate::store::afar::traces::{left_elsewhere, nobody_known};
use crate::store::files::{self, Files, failed};
use crate::store::lock::{self, LocalLock};
use crate::store::remote::{Line, Make, RemoteError, Reply, Version, Write, in_workspace};
use crate::store::vault::Vault;
use crate::store::{
    Held, Journal, LeftOver, Loaded, LockInfo, LockRequest, Past, StoreError, read_journal,
    read_state, remote,
};

/// How often the store is told how far a run has come.
const REFRESH: SignedDuration = SignedDuration::from_secs(30);
/// A lease that has not been renewed for so long seems dead.
const STALE: SignedDuration = SignedDuration::from_mins(5);
/// What is attempted most.
const WRITE: &str = "write the state to";
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Short enough that who waits also gets a lock which another run takes again and again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What this program and the next run know of a lock that somebody else holds.
const SEEN: &str = "lock-seen.json";

/// Says something to the user that is no error.
pub type Warn = Arc<dyn Fn(&str) + Send + Sync>;

/// A store elsewhere.
#[derive(Clone)]
pub(crate) struct Afar {
    line: Arc<Line>,
    place: String,
    /// Where this machine keeps what it needs for the store.
    own: PathBuf,
    /// Where a state is kept that could not be written.
    errored: PathBuf,
    warn: Warn,
    /// How the state is sealed.
    pub(crate) vault: Vault,
    /// Whether it was said that the store's record of its writes cannot be read.
    is_told: Arc<AtomicBool>,
}

impl std::fmt::Debug for Afar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Afar").field(&self.place).finish()
    }
}

/// What `errored.wgform.json` is to the state in the store.
enum Kept {
    Nothing,
    /// It is what the store has.
    Stored,
    /// Nobody has written since.
    Next(Box<State>),
    /// Somebody has, or it is of another state.
    Other(String),
}

/// What the store and the journal here say together.
struct Assembled {
    state: Option<State>,
    left_over: Option<LeftOver>,
    /// Whether a journal is folded in.
    is_folded: bool,
}

impl Afar {
    pub(crate) fn new(
        make: Make,
        directory: &Path,
        workspace: &str,
        warn: Warn,
    ) -> Result<Self, StoreError> {
        let line =
            Line::new(make).map_err(|source| failed("start a thread for", directory, source))?;
        let place = line.ask(|remote| Box::pin(async move { Ok(remote.place()) }));
        let place = place.map_err(|source| StoreError::Remote {
            attempt: "get ready for",
            place: "the store".to_owned(),
            source,
        })?;
        let digest: String =
            Sha256::digest(&place).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let own = directory.join(".wgform").join("remote").join(digest);
        let errored = directory.join(in_workspace("errored.wgform.json", workspace));
        let (line, vault, is_told) = (Arc::new(line), Vault::default(), Arc::default());
        Ok(Self { line, place, own, errored, warn, vault, is_told })
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    pub(crate) fn errored(&self) -> &Path {
        &self.errored
    }

    /// Asks the store for something.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        attempt: &'static str,
        ask: impl for<'a> FnOnce(&'a dyn remote::Remote) -> Reply<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.line.ask(ask).map_err(|source| self.failed(attempt, source))
    }

    fn failed(&self, attempt: &'static str, source: RemoteError) -> StoreError {
        match source {
            RemoteError::LockLost => StoreError::LockLost { place: self.place.clone() },
            source => StoreError::Remote { attempt, place: self.place.clone(), source },
        }
    }

    fn files(&self) -> Result<Files, StoreError> {
        Files::resolve(&self.own.join("state.json"), &self.vault.without_marks())
    }

    /// Makes the directory in which this machine keeps what it needs, out of the way of version control.
    fn prepare(&self) -> Result<Files, StoreError> {
        disk::make_directory(&self.own)
            .map_err(|source| failed("make the directory", &self.own, source))?;
        if let Some(ours) = self.own.ancestors().nth(2) {
            let ignore = ours.join(".gitignore");
            if !ignore.exists() {
                _ = std::fs::write(ignore, "*\n");
            }
        }
        self.files()
    }

    /// Reads without the lock.
    pub(crate) fn read(&self) -> Result<Loaded, StoreError> {
        let (fetched, held, is_known) = self.look()?;
        let holder = held.and_then(|it| it.info);
        // A run from here keeps its state for the instant in which it is written.
        let kept = match self.own_holder()? {
            Some(_) => Kept::Nothing,
            None => self.kept(fetched.as_ref())?,
        };
        let state = match kept {
            Kept::Next(state) => {
                (self.warn)(&format!(
                    "`{}` holds the state of an apply that could not be written; the next apply puts it into the store.",
                    self.errored.display()
                ));
                return Ok(Loaded::of(Some(*state), None));
            }
            Kept::Other(why) => {
                (self.warn)(&why);
                fetched.map(|it| it.state)
            }
            Kept::Nothing | Kept::Stored => fetched.map(|it| it.state),
        };
        let Assembled { state, left_over, is_folded: _ } = match holder {
            Some(_) => Assembled { state, left_over: None, is_folded: false },
            None => self.assemble(state)?,
        };
        let left_over = left_over.filter(|_| is_known);
        Ok(Loaded { busy: holder, ..Loaded::of(state, left_over) })
    }

    /// Returns the state, who is at work on it, and whether that is known.
    fn look(&self) -> Result<(Option<Fetched>, Option<remote::Held>, bool), StoreError> {
        let mut fetched = self.fetch()?;
        let mut asked = None;
        loop {
            let applying = fetched.as_ref().and_then(|it| it.state.applying.clone());
            // To ask who holds a lock may cost others a try, so it is asked only where a run seems to go on.
            let Some(applying) = applying.filter(|it| asked.as_ref() != Some(it)) else {
                return Ok((fetched, None, true));
            };
            let (held, is_known) = self.at_work(&applying);
            if held.is_some() || !is_known {
                return Ok((fetched, held, is_known));
            }
            // A run may have ended between the two looks, and would be taken for one that was cut off.
            asked = Some(applying);
            fetched = self.fetch()?;
        }
    }

    /// Returns who is at work, and whether that is known: who may read the state need not be allowed to lock it.
    fn at_work(&self, applying: &Applying) -> (Option<remote::Held>, bool) {
        match self.line.ask(|remote| remote.holder()) {
            Ok(held) => (held, true),
            Err(why) => {
                let Applying { id: _, began_at, who, host } = applying;
                (self.warn)(&format!(
                    "an apply by {who} on {host} began at {began_at}, and whether it still runs could not be found out: {why}. If it does, what is shown here may change under its hands."
                ));
                (None, false)
            }
        }
    }

    /// Returns the bytes of the document.
    pub(crate) fn bytes(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.ask("read the state from", |remote| remote.read())?;
        Ok(found.map(|it| it.bytes))
    }

    pub(crate) fn holder(&self) -> Result<Option<remote::Held>, StoreError> {
        self.ask("ask who holds the lock in", |remote| remote.holder())
    }

    /// Takes the lock away from its holder, with those of devices that were taken in its name. They have its id, and may be
    /// all that is left of it, or be of a run with another state.
    pub(crate) fn force_unlock(&self, id: &str, now: Timestamp) -> Result<LockInfo, StoreError> {
        match self.force_unlock_state(id, now) {
            Ok(removed) => {
                if let Err(error) = self.free_devices(id) {
                    (self.warn)(&format!(
                        "the lock of the state is removed, and what it had locked of devices may be locked still: {error}."
                    ));
                }
                Ok(removed)
            }
            Err(error @ (StoreError::NotLocked { .. } | StoreError::OtherLock { .. })) => {
                self.free_devices(id)?.ok_or(error)
            }
            refused => refused,
        }
    }

    fn force_unlock_state(&self, id: &str, now: Timestamp) -> Result<LockInfo, StoreError> {
        let asked = id.to_owned();
        if let Some(owner) = self.own_holder()?.filter(|it| it.id == id) {
            let held = remote::Held { info: Some(owner), beat: None };
            return Err(StoreError::OwnerLives(Box::new(self.held(&held, now, false))));
        }
        let Some(held) = self.holder()? else { return Err(StoreError::NotLocked { asked }) };
        let shown = |held: &remote::Held| Box::new(self.held(held, now, false));
        match &held.info {
            Some(info) if info.id == id => {}
            None if id == remote::UNKNOWN => {}
            _ => return Err(StoreError::OtherLock { held: shown(&held), asked }),
        }
        let id = asked.clone();
        let done =
            self.line.ask(move |remote| Box::pin(async move { remote.force_unlock(&id).await }));
        match done {
            Ok(()) => Ok(held.info.unwrap_or_else(|| nobody_known(now))),
            Err(RemoteError::Locked(held)) if held.info.is_none() => {
                Err(StoreError::NamelessLock { place: self.place.clone() })
            }
            Err(RemoteError::Locked(held)) => {
                Err(StoreError::OtherLock { held: shown(&held), asked })
            }
            Err(RemoteError::LockLost) => Err(StoreError::NotLocked { asked }),
            Err(source) => Err(self.failed("remove the lock in", source)),
        }
    }

    /// Returns the process that works with this store from this directory: its lock on what lies here dies with it.
    fn own_holder(&self) -> Result<Option<LockInfo>, StoreError> {
        match self.own.is_dir() {
            true => lock::holder(&self.files()?),
            false => Ok(None),
        }
    }

    /// Returns the lock as it is shown.
    pub(crate) fn held_at(&self, held: &remote::Held, now: Timestamp) -> Held {
        self.held(held, now, self.is_stale(held, now))
    }

    pub(crate) fn history(&self) -> Result<Option<Vec<Past>>, StoreError> {
        let past = self.ask("read the history of", |remote| remote.history())?;
        let shown = |it: remote::Past| Past { serial: it.serial, written_at: it.written_at };
        Ok(past.map(|past| past.into_iter().map(shown).collect()))
    }

    pub(crate) fn past(&self, serial: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.ask("read the history of", move |remote| {
            Box::pin(async move {
                let all = remote.history().await?.unwrap_or_default();
                match all.into_iter().find(|it| it.serial == serial) {
                    Some(it) => remote.past(&it.version).await,
                    None => Ok(None),
                }
            })
        })
    }

    fn held(&self, held: &remote::Held, now: Timestamp, is_stale: bool) -> Held {
        Held {
            path: PathBuf::new(),
            place: Some(self.place.clone()),
            info: held.info.clone(),
            is_stale,
            now,
        }
    }

    /// Folds the journal here into the state of the store, if it belongs to it.
    fn assemble(&self, stored: Option<State>) -> Result<Assembled, StoreError> {
        let alone = |stored: Option<State>| {
            let left_over = stored.as_ref().and_then(left_elsewhere);
            Assembled { state: stored, left_over, is_folded: false }
        };
        if !self.own.is_dir() {
            return Ok(alone(stored));
        }
        let files = self.files()?;
        let Some(journal) = read_journal(&files)? else { return Ok(alone(stored)) };
        let (path, state_path) = (files.journal.clone(), PathBuf::from(&self.place));
        let Some(stored) = stored.filter(|it| it.serial >= journal.serial) else {
            let serial = journal.serial;
            return Err(StoreError::LaterJournal { path, state_path, serial, found: None });
        };
        if stored.lineage != journal.lineage {
            return Err(StoreError::ForeignJournal { path, state_path });
        }
        // The store may have been told since how far the run had come. The journal knows all of that, and begins with
        // the copy that was made when the run began.
        let copy = read_state(&files)?.map(|(state, _)| state);
        let is_of_same_run = |copy: &State| {
            copy.serial == journal.serial
                && copy.lineage == stored.lineage
                && copy.applying.is_some()
                && copy.applying == stored.applying
        };
        let (serial, base) = match copy.filter(is_of_same_run) {
            Some(copy) => (stored.serial, copy),
            None if stored.serial == journal.serial => (stored.serial, stored),
            // Another run has come since, and looked at everything.
            None => return Ok(alone(Some(stored))),
        };
        let left_over = LeftOver {
            began_at: journal.began_at,
            done: journal.done.len(),
            failed: journal.failed,
            unknown: journal.open.len(),
            host: None,
        };
        let mut state = journal.fold(Some(base));
        state.serial = serial;
        state.applying = None;
        Ok(Assembled { state: Some(state), left_over: Some(left_over), is_folded: true })
    }

    /// Looks at the state that an earlier run could not write.
    fn kept(&self, stored: Option<&Fetched>) -> Result<Kept, StoreError> {
        let Some(bytes) = files::read(&self.errored)? else { return Ok(Kept::Nothing) };
        let path = self.errored.display();
        let opened = match self.vault.sealing.open(&bytes) {
            Ok(opened) => opened,
            Err(why) => {
                return Ok(Kept::Other(format!(
                    "`{path}` cannot be opened, so it is left alone: {why}."
                )));
            }
        };
        let Ok(kept) = State::from_bytes(&opened) else {
            return Ok(Kept::Other(format!(
                "`{path}` is no state that wgform can read, so it is left alone."
            )));
        };
        let (lineage, serial) = match stored {
            Some(stored) if stored.bytes == bytes => return Ok(Kept::Stored),
            Some(stored) => (stored.state.lineage, stored.state.serial),
            None => (kept.lineage, 0),
        };
        if lineage != kept.lineage {
            return Ok(Kept::Other(format!(
                "`{path}` belongs to another state than the one in the store, so it is left alone."
            )));
        }
        // A run that could not write its end need not know whether the store took what it was told on the way.
        let is_of_same_run =
            serial == kept.serial && stored.is_some_and(|it| self.is_of_last_run_here(&it.state));
        if serial + 1 == kept.serial || is_of_same_run {
            return Ok(Kept::Next(Box::new(kept)));
        }
        Ok(Kept::Other(format!(
            "`{path}` has serial {}, and the store has serial {serial}: it is not used. Look at both, and remove the file, or say `wgform state push -force {path}`.",
            kept.serial
        )))
    }

    /// Takes the lock. While somebody else holds it, `waiting` is called once, and it is tried again until the time is up.
    pub(crate) async fn lock(
        &self,
        request: LockRequest,
        timeout: Duration,
        waiting: &mut dyn FnMut(&Held),
    ) -> Result<AfarLock, StoreError> {
        let files = self.prepare()?;
        let info = lock::info_of(request.clone());
        let (mut waited, mut pause, mut is_told) = (Duration::ZERO, FIRST_PAUSE, false);
        loop {
            let held = match self.line.lock(&info) {
                Ok(()) => break,
                Err(RemoteError::Locked(held)) => *held,
                Err(source) => return Err(self.failed("take the lock in", source)),
            };
            let now = request.now + SignedDuration::try_from(waited).unwrap_or_default();
            let held = self.held(&held, now, self.is_stale(&held, now));
            if waited >= timeout {
                return Err(StoreError::Locked(Box::new(held)));
            }
            if !is_told {
                waiting(&held);
                is_told = true;
            }
            let nap = pause.min(timeout - waited);
            tokio::time::sleep(nap).await;
            waited += nap;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        _ = disk::remove(&self.own.join(SEEN));
        match LocalLock::acquire(files, request, Duration::ZERO, &mut |_: &Held| {}).await {
            Ok(local) => Ok(AfarLock::new(self.clone(), local, true)),
            Err(error) => {
                _ = self.line.unlock();
                Err(error)
            }
        }
    }

    /// Returns what gives the lock back from another thread, also one that is being taken at that moment.
    pub(crate) fn give_back(&self) -> impl FnOnce() + Send + use<> {
        let line = Arc::clone(&self.line);
        move || line.close()
    }

    /// Goes without the lock, as a user asked for. What a run that goes on has announced is not touched all the same: it
    /// would be taken for one that was cut off.
    pub(crate) fn without_lock(&self, request: LockRequest) -> Result<AfarLock, StoreError> {
        let found = match self.fetch() {
            Err(error) if error.is_of_document() => None,
            found => found?,
        };
        if let Some(applying) = found.and_then(|it| it.state.applying)
            && let (Some(held), _) = self.at_work(&applying)
        {
            let held = self.held_at(&held, request.now);
            return Err(StoreError::Locked(Box::new(held)));
        }
        let local = LocalLock::without(self.prepare()?, request)?;
        Ok(AfarLock::new(self.clone(), local, false))
    }

    /// Returns whether the holder has not said for five minutes that it lives, by the clock of this machine: two clocks
    /// need not agree for that. What was seen is remembered from one run to the next.
    fn is_stale(&self, held: &remote::Held, now: Timestamp) -> bool {
        self.is_stale_in(SEEN, held, now)
    }

    /// Does the same with what was seen of another lock.
    fn is_stale_in(&self, seen: &str, held: &remote::Held, now: Timestamp) -> bool {
        let (Some(info), Some(beat)) = (&held.info, &held.beat) else { return false };
        let path = self.own.join(seen);
        let seen = files::read(&path).ok().flatten();
        let seen: Option<Beat> = seen.and_then(|it| serde_json::from_slice(&it).ok());
        match seen {
            Some(seen) if seen.id == info.id && seen.beat == *beat => {
                now.duration_since(seen.since) >= hurried(STALE)
            }
            _ => {
                let seen = Beat { id: info.id.clone(), beat: beat.clone(), since: now };
                // Without it, a later run waits as long as this one.
                _ = std::fs::write(&path, serde_json::to_vec(&seen).unwrap_or_default());
                false
            }
        }
    }
}

/// What the holder of a lock had said last, and since when it says nothing else.
#[derive(Serialize, Deserialize)]
struct Beat {
    id: String,
    beat: String,
    since: Timestamp,
}

/// The lock on a state that is elsewhere.
#[derive(Debug)]
pub(crate) struct AfarLock {
    afar: Afar,
    /// On what this machine keeps for the store.
    local: LocalLock,
    is_held: bool,
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
    fn new(afar: Afar, local: LocalLock, is_held: bool) -> Self {
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

fn hurried(time: SignedDuration) -> SignedDuration {
    let time = Duration::try_from(time).unwrap_or_default();
    SignedDuration::try_from(failpoint::hurried(time)).unwrap_or_default()
}
