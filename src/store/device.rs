//! One lock for each device: two states that write to one firewall at once know of each other by it.
//!
//! Where a state is in a store elsewhere, the locks lie beside it ([`Remote::device`](crate::store::remote::Remote::device)).
//! For state files they are files of this user on this host, under `wgform/devices` in his directory of states. They are
//! locked as a state file is, by the kernel, and so die with their process; a file that is left over says nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::store::files;
use crate::store::{Held, LockInfo, StoreError};

/// Who looks which devices are locked holds each lock for an instant, and must not make a run fail by that.
const GRACE: Duration = Duration::from_millis(200);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Devices that are to be locked: how messages call each, by its [`key`]. All runs take them in this order, so that none
/// waits for another one that waits for it.
pub type Devices = BTreeMap<String, String>;

/// Returns by what a device is told from others: a digest of its identity, which is nobody's business.
pub fn key(identity: &str) -> String {
    let digest = Sha256::digest(format!("wgform device {identity}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Returns where the locks of a user are: in his directory of states, or in the usual one of his home. A system account
/// without a home has none.
pub fn directory(states: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let usual = || home.filter(|it| it.is_dir()).map(|it| it.join(".local/state"));
    Some(states.or_else(usual)?.join("wgform/devices"))
}

/// A device that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedDevice {
    /// Its [`key`].
    pub key: String,
    /// By whom.
    pub held: Held,
}

/// The locks of devices that a run holds on this host.
#[derive(Debug, Default)]
pub(crate) struct LocalDevices {
    directory: Option<PathBuf>,
    /// The kernel's locks, which go with these.
    held: RefCell<Vec<File>>,
}

impl LocalDevices {
    pub(crate) fn new(directory: Option<PathBuf>) -> Self {
        Self { directory, held: RefCell::default() }
    }

    /// Takes the lock of each device. Why they cannot be had at all is returned, and is no error: the device can be
    /// written to, as it could before there were such locks.
    pub(crate) async fn take(
        &self,
        devices: &Devices,
        info: &LockInfo,
        timeout: Duration,
        waiting: &mut dyn FnMut(&str, &Held),
    ) -> Result<Option<String>, StoreError> {
        let Some(directory) = self.directory.as_ref().filter(|_| !devices.is_empty()) else {
            return Ok(None);
        };
        let mut waited = Duration::ZERO;
        for (key, name) in devices {
            let path = path(directory, key);
            let (mut pause, mut is_told) = (FIRST_PAUSE, false);
            loop {
                match try_take(directory, &path, info) {
                    Ok(Some(file)) => break self.held.borrow_mut().push(file),
                    Ok(None) => {}
                    Err(error) => return Ok(Some(format!("`{}`: {error}", path.display()))),
                }
                let waited_for = SignedDuration::try_from(waited).unwrap_or_default();
                let held = held(&path, info.since + waited_for);
                let until = timeout.max(GRACE);
                if waited >= until {
                    let device = name.clone();
                    return Err(StoreError::DeviceLocked { device, held: Box::new(held) });
                }
                if waited >= GRACE && !is_told {
                    waiting(name, &held);
                    is_told = true;
                }
                let nap = pause.min(until - waited);
                tokio::time::sleep(nap).await;
                waited += nap;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        Ok(None)
    }
}

/// Returns the devices whose locks somebody holds on this host.
pub(crate) fn locked(directory: &Path, now: Timestamp) -> Vec<LockedDevice> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let key = entry.file_name().into_string().ok()?.strip_suffix(".lock")?.to_owned();
            let file = File::open(entry.path()).ok()?;
            match file.try_lock_shared() {
                Err(TryLockError::WouldBlock) => {
                    Some(LockedDevice { key, held: held(&entry.path(), now) })
                }
                _ => None,
            }
        })
        .collect();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    found
}

fn path(directory: &Path, key: &str) -> PathBuf {
    directory.join(format!("{key}.lock"))
}

fn held(path: &Path, now: Timestamp) -> Held {
    let info = files::read(path).ok().flatten();
    let info = info.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Held { path: path.to_owned(), place: None, info, is_stale: false, now }
}

/// Takes the lock, if nobody holds it, and says in the file who does.
fn try_take(directory: &Path, path: &Path, info: &LockInfo) -> io::Result<Option<File>> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut options = OpenOptions::new();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
        Ok(()) => {}
    }
    // What it says is for people, and the lock holds without it, on a full disk too.
    let text = serde_json::to_vec_pretty(info).unwrap_or_default();
    _ = file.set_len(0).and_then(|()| file.write_all(&text));
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use crate::store::device::{Devices, LocalDevices, key, locked};
    use crate::store::{Held, LockInfo, StoreError};

    fn info(id: &str) -> LockInfo {
        LockInfo {
            id: id.to_owned(),
            operation: "apply of `a.json`".to_owned(),
            who: "alice".to_owned(),
            host: "office".to_owned(),
            pid: 42,
            since: Timestamp::UNIX_EPOCH,
            wgform_version: "0.1.0".to_owned(),
        }
    }

    fn devices(names: &[&str]) -> Devices {
        names.iter().map(|it| (key(it), (*it).to_owned())).collect()
    }

    #[tokio::test]
    async fn one_of_two_holds_a_device_and_the_other_is_told_who() {
        let directory = tempfile::tempdir().unwrap();
        let beside = || LocalDevices::new(Some(directory.path().join("devices")));
        let (one, two) = (beside(), beside());
        let mut nobody = |_: &str, _: &Held| panic!("nobody is waited for");
        one.take(&devices(&["a", "b"]), &info("1"), Duration::ZERO, &mut nobody).await.unwrap();
        two.take(&devices(&["c"]), &info("2"), Duration::ZERO, &mut nobody).await.unwrap();
        let refused = two.take(&devices(&["b"]), &info("2"), Duration::ZERO, &mut nobody).await;
        let Err(StoreError::DeviceLocked { device, held }) = refused else { panic!("{refused:?}") };
        assert_eq!((device.as_str(), held.info), ("b", Some(info("1"))));
        let held = locked(&directory.path().join("devices"), Timestamp::UNIX_EPOCH);
        assert_eq!(held.len(), 3);
        drop(one);
        two.take(&devices(&["a", "b"]), &info("2"), Duration::ZERO, &mut nobody).await.unwrap();
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_made_is_a_word_and_no_error() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let none = LocalDevices::new(Some(file.join("devices")));
        let mut nobody = |_: &str, _: &Held| {};
        let why = none.take(&devices(&["a"]), &info("1"), Duration::ZERO, &mut nobody).await;
        assert!(why.unwrap().unwrap().contains("file/devices"));
    }
}
