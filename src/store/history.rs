//! The last writes of a state file, each under its serial, so that one can be put back.
//!
//! A convenience: the state itself and its backup are written so that nothing can tear them, this is not. What cannot be
//! kept is not kept.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::time::SystemTime;

use jiff::Timestamp;

use crate::state::State;
use crate::store::{StoreError, files};

/// A state of ten thousand peers has ten megabytes.
const KEPT: usize = 10;

/// A write of the state that can be had again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The serial of the state.
    pub serial: u64,
    /// When it was written, if that is known.
    pub written_at: Option<Timestamp>,
}

/// The directory of them.
#[derive(Debug, Clone)]
pub(crate) struct History {
    directory: PathBuf,
}

impl History {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Keeps what was written, and forgets what was written long ago. What has a later serial is of an earlier state, whose
    /// file is no longer there.
    pub(crate) fn keep(&self, serial: u64, bytes: &[u8]) {
        if self.try_keep(serial, bytes).is_err() {
            _ = fs::remove_file(self.new_path());
            return;
        }
        let (later, ours): (Vec<_>, Vec<_>) =
            self.list().into_iter().partition(|it| it.serial > serial);
        for old in later.iter().chain(ours.iter().skip(KEPT)) {
            _ = fs::remove_file(self.path(old.serial));
        }
    }

    fn try_keep(&self, serial: u64, bytes: &[u8]) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        if let Some(own) = self.directory.ancestors().find(|it| it.ends_with(".wgform")) {
            let ignore = own.join(".gitignore");
            if !ignore.exists() {
                fs::write(ignore, "*\n")?;
            }
        }
        let new = self.new_path();
        _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        fs::rename(&new, self.path(serial))
    }

    fn new_path(&self) -> PathBuf {
        self.directory.join("new")
    }

    fn path(&self, serial: u64) -> PathBuf {
        self.directory.join(format!("{serial}.json"))
    }

    /// Returns what there is, the newest first.
    pub(crate) fn list(&self) -> Vec<Past> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        let mut all: Vec<Past> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let name = entry.file_name().into_string().ok()?;
                let serial = name.strip_suffix(".json")?.parse().ok()?;
                let written = entry.metadata().and_then(|it| it.modified()).ok();
                Some(Past { serial, written_at: written.and_then(timestamp) })
            })
            .collect();
        all.sort_by_key(|it| std::cmp::Reverse(it.serial));
        all
    }

    /// Returns the serial of the last write that is kept, and 0 without any.
    pub(crate) fn newest(&self) -> u64 {
        let serials = self.list().into_iter().map(|it| it.serial);
        serials.filter(|it| *it < State::LARGEST_SERIAL).max().unwrap_or(0)
    }

    pub(crate) fn read(&self, serial: u64) -> Result<Option<Vec<u8>>, StoreError> {
        files::read(&self.path(serial))
    }
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Timestamp::from_second(since.as_secs().try_into().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use crate::store::history::History;

    #[test]
    fn what_was_written_last_is_kept_also_when_its_serial_is_low() {
        let directory = tempfile::tempdir().unwrap();
        let history = History::new(directory.path().join("history"));
        let serials = || history.list().into_iter().map(|it| it.serial).collect::<Vec<u64>>();
        for serial in 1..=12 {
            history.keep(serial, b"old");
        }
        assert_eq!(serials(), (3..=12).rev().collect::<Vec<u64>>());
        // The state file was removed, and an apply began anew.
        history.keep(1, b"new");
        assert_eq!(serials(), [1]);
        history.keep(2, b"new");
        assert_eq!(serials(), [2, 1]);
    }
}
