//! The state in a store that many machines reach, as one run works with it.
//!
//! What a run is about to do goes to the store in one write before the first device is touched: a runner whose disk
//! dies with its job loses nothing by that. What happens then is in a journal on this machine, beside a copy of what
//! was written, under `.wgform/remote/`; the store is told now and then. A run that cannot write at its end keeps its
//! state in `errored.wgform.json`, and the next one here puts it into the store, if nobody has written there since.

mod devices;
mod document;
mod lease;
mod traces;
mod under_lock;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};

use crate::disk;
use crate::failpoint;
use crate::state::{Applying, State};
use crate::store::afar::document::Fetched;
use crate::store::afar::traces::left_elsewhere;
use crate::store::files::{self, Files, failed};
use crate::store::remote::{Line, Make, RemoteError, Reply, in_workspace};
use crate::store::vault::Vault;
use crate::store::{LeftOver, Loaded, Past, StoreError, read_journal, read_state, remote};

pub(crate) use crate::store::afar::under_lock::AfarLock;

/// What is attempted most.
const WRITE: &str = "write the state to";

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
        let left_over = LeftOver::of(&journal);
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
}

fn hurried(time: SignedDuration) -> SignedDuration {
    let time = Duration::try_from(time).unwrap_or_default();
    SignedDuration::try_from(failpoint::hurried(time)).unwrap_or_default()
}
