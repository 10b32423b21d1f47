//! Files that must last: what a call has returned from is done, and each call is an instant at which a test can stop
//! the process, let the disk be full, or cut the power.
//!
//! The state with its journal and the keys on a host are written through this, and only through this. It knows nothing
//! of what is in them. A change lasts through a power cut only when it was brought to the disk: what a file holds by
//! [`sync`], which names there are by [`sync_directory`].

#![expect(clippy::disallowed_methods, reason = "this module writes files for others")]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::failpoint::{FileChange, Point, around_file_change, hit_after};

/// Nobody but its owner needs to read what is written here.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// Makes a file, which must not be there, to be written at its end.
///
/// # Errors
/// When it is there, or cannot be made.
pub fn make(path: &Path) -> io::Result<File> {
    around_file_change(FileChange::Make(path), || {
        OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).open(path)
    })
}

/// Writes all bytes to an open file.
///
/// # Errors
/// When they could not be written. Some of them may have been.
pub fn write(mut file: &File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    hit_after(Point::FileHalfWritten, || _ = file.write_all(&bytes[..bytes.len() / 2]));
    around_file_change(FileChange::Write(path, bytes), || file.write_all(bytes))
}

/// Cuts an open file to so many bytes.
///
/// # Errors
/// When it is as long as it was.
pub fn cut(file: &File, path: &Path, length: u64) -> io::Result<()> {
    around_file_change(FileChange::Cut(path, length), || file.set_len(length))
}

/// Brings what a file holds to the disk, and how long it is.
///
/// # Errors
/// When it is not known what of it is there.
pub fn sync(file: &File, path: &Path) -> io::Result<()> {
    around_file_change(FileChange::Sync(path), || file.sync_data())
}

/// Brings to the disk which names a directory holds.
///
/// # Errors
/// When it is not known which of them a power cut leaves.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    around_file_change(FileChange::SyncDirectory(path), || File::open(path)?.sync_all())
}

/// Gives a file another name, and takes that from whatever has it.
///
/// # Errors
/// When both are as they were.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    around_file_change(FileChange::Rename(from, to), || fs::rename(from, to))
}

/// Removes a file, if it is there.
///
/// # Errors
/// When it is still there.
pub fn remove(path: &Path) -> io::Result<()> {
    if matches!(fs::symlink_metadata(path), Err(error) if error.kind() == ErrorKind::NotFound) {
        return Ok(());
    }
    around_file_change(FileChange::Remove(path), || fs::remove_file(path))
}

/// Makes a directory with all that it lies in, so that a power cut does not take it away again.
///
/// # Errors
/// When one of them cannot be made.
pub fn make_directory(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(path);
    make_directory(parent)?;
    around_file_change(FileChange::MakeDirectory(path), || {
        match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
            // Another run was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            made => made,
        }
    })?;
    sync_directory(parent)
}

/// Writes a file under a temporary name beside its own, whole and on the disk, ready to be renamed. What a killed run
/// left under that name goes first: opening it as it is could follow a link or keep its permissions.
///
/// # Errors
/// When it could not be written; nothing is left of it then.
pub fn prepare(temporary: &Path, bytes: &[u8]) -> io::Result<()> {
    remove(temporary)?;
    let file = make(temporary)?;
    write(&file, temporary, bytes).and_then(|()| sync(&file, temporary)).inspect_err(|_| {
        // A half-written copy is of no use, and on a full disk its room is.
        _ = remove(temporary);
    })
}
