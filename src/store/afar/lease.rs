//! Who has the lock of a store elsewhere: how it is taken, seen to be stale, and taken away.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::disk;
use crate::store::afar::traces::nobody_known;
use crate::store::afar::under_lock::AfarLock;
use crate::store::afar::{Afar, hurried};
use crate::store::files;
use crate::store::lock::{self, LocalLock};
use crate::store::remote::{self, RemoteError};
use crate::store::{Held, LockInfo, LockRequest, StoreError};

/// A lease that has not been renewed for so long seems dead.
const STALE: SignedDuration = SignedDuration::from_mins(5);
/// What this program and the next run know of a lock that somebody else holds.
const SEEN: &str = "lock-seen.json";

pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Short enough that who waits also gets a lock which another run takes again and again.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Afar {
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
    pub(super) fn own_holder(&self) -> Result<Option<LockInfo>, StoreError> {
        match self.own.is_dir() {
            true => lock::holder(&self.files()?),
            false => Ok(None),
        }
    }

    /// Returns the lock as it is shown.
    pub(crate) fn held_at(&self, held: &remote::Held, now: Timestamp) -> Held {
        self.held(held, now, self.is_stale(held, now))
    }

    pub(super) fn held(&self, held: &remote::Held, now: Timestamp, is_stale: bool) -> Held {
        Held {
            path: PathBuf::new(),
            place: Some(self.place.clone()),
            info: held.info.clone(),
            is_stale,
            now,
        }
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
    pub(super) fn is_stale(&self, held: &remote::Held, now: Timestamp) -> bool {
        self.is_stale_in(SEEN, held, now)
    }

    /// Does the same with what was seen of another lock.
    pub(super) fn is_stale_in(&self, seen: &str, held: &remote::Held, now: Timestamp) -> bool {
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
