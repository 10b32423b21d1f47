//! The files of one state, and the ways to read and write them that a crash cannot tear.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::failpoint::{Point, hit};
use crate::store::StoreError;

/// The state holds the key of its fingerprints, which helps to guess: nobody else needs to read it.
const MODE: u32 = 0o600;

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
}

impl Files {
    /// Follows links, and looks that a file can be there.
    pub(crate) fn resolve(path: &Path) -> Result<Self, StoreError> {
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
            state,
        })
    }

    /// Puts new bytes in the place of the state file: whatever happens on the way, the one or the other is there whole.
    pub(crate) fn replace_state(&self, bytes: &[u8]) -> Result<(), StoreError> {
        hit(Point::StateWrite);
        let written = self.write_temporary(bytes, Point::StateWritten);
        written.map_err(|source| self.give_up("write the state file", source))?;
        hit(Point::StateSynced);
        fs::rename(&self.temporary, &self.state)
            .map_err(|source| self.give_up("put the state file in place", source))?;
        hit(Point::StateRenamed);
        self.sync_directory()?;
        hit(Point::DirectorySynced);
        Ok(())
    }

    /// Keeps the previous state.
    pub(crate) fn keep_backup(&self, bytes: &[u8]) -> Result<(), StoreError> {
        hit(Point::BackupWrite);
        self.write_temporary(bytes, Point::BackupWritten)
            .and_then(|()| fs::rename(&self.temporary, &self.backup))
            .map_err(|source| {
                let _ = fs::remove_file(&self.temporary);
                failed("write the copy of the previous state", &self.backup, source)
            })?;
        hit(Point::BackupRenamed);
        Ok(())
    }

    /// Makes the journal, which must not be there.
    pub(crate) fn create_journal(&self) -> Result<File, StoreError> {
        hit(Point::JournalCreate);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(MODE)
            .open(&self.journal)
            .map_err(|source| failed("make the journal", &self.journal, source))?;
        self.sync_directory()?;
        hit(Point::JournalCreated);
        Ok(file)
    }

    /// Removes the journal, if it is there.
    pub(crate) fn remove_journal(&self) -> Result<(), StoreError> {
        hit(Point::JournalRemove);
        match fs::remove_file(&self.journal) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(failed("remove the journal", &self.journal, source));
            }
            _ => {}
        }
        self.sync_directory()?;
        hit(Point::JournalRemoved);
        Ok(())
    }

    fn sync_directory(&self) -> Result<(), StoreError> {
        let directory = parent(&self.state);
        File::open(directory)
            .and_then(|it| it.sync_all())
            .map_err(|source| failed("sync the directory", directory, source))
    }

    fn write_temporary(&self, bytes: &[u8], written: Point) -> io::Result<()> {
        // One that a crash left behind is ours to remove, since we hold the lock. Opening it as it is could follow a
        // link or keep its permissions.
        match fs::remove_file(&self.temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(MODE).open(&self.temporary)?;
        file.write_all(bytes)?;
        hit(written);
        file.sync_all()
    }

    fn give_up(&self, attempt: &'static str, source: io::Error) -> StoreError {
        // A half-written copy is of no use, and on a full disk its room is.
        let _ = fs::remove_file(&self.temporary);
        failed(attempt, &self.state, source)
    }
}

/// Reads a file; none when it is not there.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed("read", path, source)),
    }
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
