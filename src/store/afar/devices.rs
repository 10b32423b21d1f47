//! The locks of devices, where the store holds them beside the states.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::disk;
use crate::store::afar::lease::{FIRST_PAUSE, LONGEST_PAUSE};
use crate::store::afar::{Afar, AfarLock};
use crate::store::device::{Devices, LockedDevice};
use crate::store::remote::{DeviceWish, RemoteError};
use crate::store::{Held, LockInfo, StoreError};

/// What this program and the next run know of a lock of a device that somebody else holds.
fn seen_name(key: &str) -> String {
    format!("device-seen.{key}.json")
}

impl Afar {
    /// Returns whether the store holds locks of devices.
    pub(crate) fn holds_devices(&self) -> bool {
        let asked = self.line.ask(|remote| {
            let holds = remote.holds_devices();
            Box::pin(async move { Ok(holds) })
        });
        asked.unwrap_or(false)
    }

    /// Returns the devices whose locks somebody holds.
    pub(crate) fn devices(&self, now: Timestamp) -> Result<Vec<LockedDevice>, StoreError> {
        let found = self.ask("ask who holds devices in", |remote| remote.devices())?;
        let shown = |it: crate::store::remote::HeldDevice| {
            let is_stale = self.is_stale_in(&seen_name(&it.device), &it.held, now);
            LockedDevice { held: self.held(&it.held, now, is_stale), key: it.device }
        };
        Ok(found.into_iter().map(shown).collect())
    }

    /// Takes the locks of devices away that have an id; it is that of the lock of the state in whose name they were taken.
    /// Returns what one of them said.
    pub(crate) fn free_devices(&self, id: &str) -> Result<Option<LockInfo>, StoreError> {
        let id = id.to_owned();
        self.ask("remove the locks of devices in", move |remote| {
            Box::pin(async move {
                let mut freed = None;
                for it in remote.devices().await? {
                    let Some(info) = it.held.info.filter(|info| info.id == id) else { continue };
                    match remote.device(&it.device, DeviceWish::TakeAway(&id)).await {
                        // It was given back in between.
                        Ok(()) | Err(RemoteError::LockLost) => freed = Some(info),
                        Err(error) => return Err(error),
                    }
                }
                Ok(freed)
            })
        })
    }
}

impl AfarLock {
    /// Takes the locks of devices, which are given back with that of the state.
    pub(crate) async fn take_devices(
        &self,
        devices: &Devices,
        timeout: Duration,
        waiting: &mut dyn FnMut(&str, &Held),
    ) -> Result<(), StoreError> {
        if !self.is_held || !self.afar.holds_devices() {
            return Ok(());
        }
        let info = self.device_info();
        let mut waited = Duration::ZERO;
        for (key, name) in devices {
            let (mut pause, mut is_told) = (FIRST_PAUSE, false);
            loop {
                let held = match self.afar.line.lock_device(key, &info) {
                    Ok(()) => break,
                    Err(RemoteError::Locked(held)) => *held,
                    Err(RemoteError::Refused(why)) => return self.say_refused(&why),
                    Err(source) => return Err(self.afar.failed("lock a device in", source)),
                };
                let now = info.since + SignedDuration::try_from(waited).unwrap_or_default();
                let is_stale = self.afar.is_stale_in(&seen_name(key), &held, now);
                let held = self.afar.held(&held, now, is_stale);
                if waited >= timeout {
                    let device = name.clone();
                    return Err(StoreError::DeviceLocked { device, held: Box::new(held) });
                }
                if !is_told {
                    waiting(name, &held);
                    is_told = true;
                }
                let nap = pause.min(timeout - waited);
                tokio::time::sleep(nap).await;
                waited += nap;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            _ = disk::remove(&self.afar.own.join(seen_name(key)));
        }
        Ok(())
    }

    /// Returns what the locks of devices say of us: for which state they are.
    fn device_info(&self) -> LockInfo {
        let info = self.local.info().clone();
        LockInfo { operation: format!("{} of {}", info.operation, self.afar.place), ..info }
    }

    /// Goes on without, as before there were such locks: the store has its own ideas of what this user may do.
    fn say_refused(&self, why: &str) -> Result<(), StoreError> {
        (self.afar.warn)(&format!(
            "devices are not locked, so another state that writes to one of them at the same time is not kept out: {why}. See \"One lock for each device\" in docs/remote-state.md."
        ));
        Ok(())
    }

    /// Says that the lock of a device was taken away, if that has stopped the run.
    pub(super) fn say_lost_device(&self) {
        if self.afar.line.lost_device().is_some() {
            (self.afar.warn)(
                "the lock of a device was taken away while this run wrote to it, so nothing new was started. Look whether another run is at work there before you start the next one.",
            );
        }
    }
}
