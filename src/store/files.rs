//! The files of one state, and the ways to read and write them that a crash cannot tear.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::disk;
use crate::store::StoreError;
use crate::store::vault::Vault;

/// A state of ten thousand peers has ten megabytes.
const LARGEST: u64 = 1 << 30;

/// As many links as the kernel follows.
const MAX_LINKS: usize = 40;

/// Where everything lies.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// The state file, with symbolic links followed.
    pub(crate) state: PathBuf,
    pub(crate) backup: PathBuf,
    pub(crate) journal: PathBuf,
    pub(crate) lock: PathBuf,
    pub(crate) temporary: PathBuf,
    /// How what lies there is sealed.
    pub(crate) vault: Vault,
}

impl Files {
    /// Follows links, and looks that a file can be there.
    pub(crate) fn resolve(path: &Path, vault: &Vault) -> Result<Self, StoreError> {
        let state = follow(path)?;
        match fs::metadata(&state) {
            Ok(found) if found.is_dir() => {
                return Err(StoreError::NotAFile { path: state, found: "a directory" });
            }
            Ok(found) if !found.is_file() => {
                return Err(StoreError::NotAFile { path: state, found: "not a regular file" });
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let directory = parent(&state);
                if !directory.is_dir() {
                    return Err(StoreError::NoDirectory {
                        directory: directory.to_owned(),
                        path: state,
                    });
                }
            }
            Err(source) => return Err(failed("look at the state file", &state, source)),
        }
        let beside = |suffix: &str| {
            let mut name = state.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        Ok(Self {
            backup: beside(".backup"),
            journal: beside(".journal"),
            lock: beside(".lock"),
            temporary: beside(".tmp"),
            vault: vault.clone(),
            state,
        })
    }

    /// Returns where the state is, for messages.
    pub(crate) fn place(&self) -> String {
        format!("`{}`", self.state.display())
    }

    pub(crate) fn into_names(self) -> Vec<PathBuf> {
        let Self { state, backup, journal, lock, temporary, vault: _ } = self;
        vec![state, backup, journal, lock, temporary]
    }

    /// Puts new bytes in the place of the state file: whatever happens on the way, the one or the other is there whole.
    pub(crate) fn replace_state(&self, bytes: &[u8]) -> Result<(), StoreError> {
        disk::prepare(&self.temporary, bytes)
            .map_err(|source| failed("write the state file", &self.state, source))?;
        disk::rename(&self.temporary, &self.state).map_err(|source| {
            _ = disk::remove(&self.temporary);
            failed("put the state file in place", &self.state, source)
        })?;
        self.sync_directory()
    }

    /// Keeps the previous state.
    pub(crate) fn keep_backup(&self, bytes: &[u8]) -> Result<(), StoreError> {
        disk::prepare(&self.temporary, bytes)
            .and_then(|()| disk::rename(&self.temporary, &self.backup))
            .map_err(|source| {
                _ = disk::remove(&self.temporary);
                failed("write the copy of the previous state", &self.backup, source)
            })
    }

    /// Makes the journal, which must not be there.
    pub(crate) fn create_journal(&self) -> Result<File, StoreError> {
        let file = disk::make(&self.journal)
            .map_err(|source| failed("make the journal", &self.journal, source))?;
        self.sync_directory()?;
        Ok(file)
    }

    /// Removes the journal, if it is there.
    pub(crate) fn remove_journal(&self) -> Result<(), StoreError> {
        disk::remove(&self.journal)
            .map_err(|source| failed("remove the journal", &self.journal, source))?;
        self.sync_directory()
    }

    fn sync_directory(&self) -> Result<(), StoreError> {
        let directory = parent(&self.state);
        disk::sync_directory(directory)
            .map_err(|source| failed("sync the directory", directory, source))
    }
}

/// Reads a file; none when it is not there.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(mut file) = open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|source| failed("read", path, source))?;
    Ok(Some(bytes))
}

/// Opens a file to be read; none when it is not there. What is no file, or too large to be one of ours, is an error: a
/// pipe would keep us waiting, and an endless file take all memory.
pub(crate) fn open(path: &Path) -> Result<Option<File>, StoreError> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("read", path, source)),
    };
    let found = file.metadata().map_err(|source| failed("read", path, source))?;
    let what = match (found.is_file(), found.is_dir(), found.len() > LARGEST) {
        (true, _, false) => return Ok(Some(file)),
        (true, _, true) => "larger than 1 GiB",
        (false, true, _) => "a directory",
        (false, false, _) => "not a regular file",
    };
    Err(StoreError::NotAFile { path: path.to_owned(), found: what })
}

pub(crate) fn failed(attempt: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::File { attempt, path: path.to_owned(), source }
}

/// Follows symbolic links to a path that is none; the last one need not lead to a file.
fn follow(path: &Path) -> Result<PathBuf, StoreError> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let is_link = fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
        if !is_link {
            return Ok(path);
        }
        let target =
            fs::read_link(&path).map_err(|source| failed("follow the link", &path, source))?;
        path = parent(&path).join(target);
    }
    Err(StoreError::NotAFile { path, found: "a link that leads to itself" })
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
