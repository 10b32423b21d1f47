//! Named instants at which a crash test stops the process dead, as `kill -9` would.
//!
//! Only a build with the feature `failpoints` can be stopped: there `WGFORM_FAILPOINT=NAME` aborts the process the
//! first time it comes to the instant, `NAME:N` the N-th time. In every other build [`hit`] is nothing, because an
//! environment variable that stops an apply halfway would be a weapon. The same build can let a change of a file fail,
//! and list all of them, so that a test knows what a power cut may undo.

#![cfg_attr(
    feature = "failpoints",
    expect(
        clippy::disallowed_methods,
        reason = "a crash test says through the environment where to stop"
    )
)]

use std::io;
use std::path::Path;
use std::time::Duration;

/// An instant at which the process can be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A file that must last is about to be made, written, brought to the disk, renamed or removed.
    FileChange,
    /// Half of the bytes of a write are in the file.
    FileHalfWritten,
    /// One change of a file that must last is done; what it needs to outlive a power cut may be another one.
    FileChanged,
    /// The intents of a batch are on record, and the backend is about to be asked.
    BatchWrite,
    /// A host is about to be told to make one change, of several that an operation may need.
    HostChange,
    /// A host has half of the peers of one call, as a kernel has that takes them in several messages.
    HostHalfChanged,
    /// A host has made one change.
    HostChanged,
    /// One operation landed, and its outcome is not on record.
    OutcomeLanded,
    /// The backend is through with a batch, and its outcomes are on record.
    BatchWritten,
    /// The lock is about to be given back.
    LockRelease,
}

impl Point {
    /// Every instant, in the order in which an apply comes to them.
    pub const ALL: [Self; 10] = [
        Self::FileChange,
        Self::FileHalfWritten,
        Self::FileChanged,
        Self::BatchWrite,
        Self::HostChange,
        Self::HostHalfChanged,
        Self::HostChanged,
        Self::OutcomeLanded,
        Self::BatchWritten,
        Self::LockRelease,
    ];

    /// Returns the name by which `WGFORM_FAILPOINT` calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FileChange => "file-change",
            Self::FileHalfWritten => "file-half-written",
            Self::FileChanged => "file-changed",
            Self::BatchWrite => "batch-write",
            Self::HostChange => "host-change",
            Self::HostHalfChanged => "host-half-changed",
            Self::HostChanged => "host-changed",
            Self::OutcomeLanded => "outcome-landed",
            Self::BatchWritten => "batch-written",
            Self::LockRelease => "lock-release",
        }
    }
}

/// One change of a file that must last, as a test sees it.
#[derive(Debug, Clone, Copy)]
pub enum FileChange<'a> {
    /// A file is made.
    Make(&'a Path),
    /// A directory is made.
    MakeDirectory(&'a Path),
    /// Bytes are put at the end of a file.
    Write(&'a Path, &'a [u8]),
    /// A file is cut to so many bytes.
    Cut(&'a Path, u64),
    /// What a file holds is brought to the disk.
    Sync(&'a Path),
    /// Which names a directory holds is brought to the disk.
    SyncDirectory(&'a Path),
    /// A file gets another name.
    Rename(&'a Path, &'a Path),
    /// A name goes.
    Remove(&'a Path),
}

/// Says that the process has come to an instant, and stops it there when the environment asks for it.
#[inline(always)]
pub fn hit(point: Point) {
    hit_after(point, || {});
}

/// Says that the process has come to an instant that is in the middle of something: `half` does half of it, and only
/// when the process stops there.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn hit_after(_: Point, _: impl FnOnce()) {}

/// Says that the process has come to an instant that is in the middle of something: `half` does half of it, and only
/// when the process stops there.
#[cfg(feature = "failpoints")]
pub fn hit_after(point: Point, half: impl FnOnce()) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static HITS: AtomicU64 = AtomicU64::new(0);

    let wanted = WANTED.get_or_init(|| wanted(&std::env::var("WGFORM_FAILPOINT").ok()?));
    let Some((name, at)) = wanted else { return };
    if name == point.as_str() && HITS.fetch_add(1, Ordering::SeqCst) + 1 == *at {
        half();
        std::process::abort();
    }
}

/// Returns how long to wait; less of it in a build for tests, where `WGFORM_HURRY=N` divides it by N.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn hurried(time: Duration) -> Duration {
    time
}

/// Returns how long to wait; less of it in a build for tests, where `WGFORM_HURRY=N` divides it by N.
#[cfg(feature = "failpoints")]
pub fn hurried(time: Duration) -> Duration {
    let hurry = std::env::var("WGFORM_HURRY").ok().and_then(|it| it.parse::<u32>().ok());
    match hurry.filter(|it| *it > 1) {
        Some(hurry) => (time / hurry).max(Duration::from_millis(5)),
        None => time,
    }
}

/// Says that a host is about to make a change, lets it, and says that it has.
#[inline(always)]
pub fn around_host_change<T>(change: impl FnOnce() -> T) -> T {
    hit(Point::HostChange);
    let answer = change();
    hit(Point::HostChanged);
    answer
}

/// Says that a file is about to be changed, lets it, and says that it has. A test can make it fail before anything is
/// done, as a full disk does, and has a list of all changes written.
///
/// # Errors
/// When the change fails, or a test says that it does.
#[inline(always)]
pub fn around_file_change<T>(
    change: FileChange<'_>,
    carry_out: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    hit(Point::FileChange);
    refuse(change)?;
    let answer = carry_out()?;
    note(change);
    hit(Point::FileChanged);
    Ok(answer)
}

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
fn refuse(_: FileChange<'_>) -> io::Result<()> {
    Ok(())
}

/// Fails as `WGFORM_FILE_ERROR` says: `ERRNO:N` fails the N-th change, `ERRNO:N+` that one and all later ones that
/// need room. A write that fails has done half of its work before.
#[cfg(feature = "failpoints")]
fn refuse(change: FileChange<'_>) -> io::Result<()> {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(i32, u64, bool)>> = OnceLock::new();
    static CHANGES: AtomicU64 = AtomicU64::new(0);

    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("WGFORM_FILE_ERROR").ok()?;
        let (errno, at) = text.split_once(':')?;
        Some((errno.parse().ok()?, at.trim_end_matches('+').parse().ok()?, at.ends_with('+')))
    });
    let Some((errno, at, goes_on)) = *wanted else { return Ok(()) };
    let number = CHANGES.fetch_add(1, Ordering::SeqCst) + 1;
    let needs_room = matches!(
        change,
        FileChange::Make(_) | FileChange::MakeDirectory(_) | FileChange::Write(..)
    );
    if number != at && !(goes_on && number > at && needs_room) {
        return Ok(());
    }
    if let FileChange::Write(path, bytes) = change {
        use std::io::Write as _;
        let mut file = std::fs::OpenOptions::new().append(true).open(path)?;
        file.write_all(&bytes[..bytes.len() / 2])?;
    }
    Err(io::Error::from_raw_os_error(errno))
}

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
fn note(_: FileChange<'_>) {}

/// Adds a line of JSON to the file that `WGFORM_FILE_LOG` names.
#[cfg(feature = "failpoints")]
fn note(change: FileChange<'_>) {
    use std::io::Write as _;

    let Ok(log) = std::env::var("WGFORM_FILE_LOG") else { return };
    let line = match change {
        FileChange::Make(path) => serde_json::json!({ "make": path }),
        FileChange::MakeDirectory(path) => serde_json::json!({ "make_directory": path }),
        FileChange::Write(path, bytes) => {
            serde_json::json!({ "write": path, "text": String::from_utf8_lossy(bytes) })
        }
        FileChange::Cut(path, length) => serde_json::json!({ "cut": path, "length": length }),
        FileChange::Sync(path) => serde_json::json!({ "sync": path }),
        FileChange::SyncDirectory(path) => serde_json::json!({ "sync_directory": path }),
        FileChange::Rename(from, to) => serde_json::json!({ "rename": from, "to": to }),
        FileChange::Remove(path) => serde_json::json!({ "remove": path }),
    };
    let file = std::fs::OpenOptions::new().create(true).append(true).open(log);
    // A test that asked for a list and got none fails by itself.
    // At once, because another thread may come to where the process is stopped.
    _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
}

/// Reads `NAME` or `NAME:N`.
#[cfg(feature = "failpoints")]
fn wanted(text: &str) -> Option<(String, u64)> {
    match text.split_once(':') {
        None => Some((text.to_owned(), 1)),
        Some((name, at)) => Some((name.to_owned(), at.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::failpoint::Point;

    #[test]
    fn no_two_instants_share_a_name() {
        let names: BTreeSet<_> = Point::ALL.iter().map(|point| point.as_str()).collect();
        assert_eq!(names.len(), Point::ALL.len());
    }
}
