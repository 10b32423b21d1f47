//! Named instants at which a crash test stops the process dead, as `kill -9` would.
//!
//! Only a build with the feature `failpoints` can be stopped: there `WGFORM_FAILPOINT=NAME` aborts the process the
//! first time it comes to the instant, `NAME:N` the N-th time. In every other build [`hit`] is nothing, because an
//! environment variable that stops an apply halfway would be a weapon.

#![cfg_attr(
    feature = "failpoints",
    expect(
        clippy::disallowed_methods,
        reason = "a crash test says through the environment where to stop"
    )
)]

/// An instant at which the process can be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The journal is not there yet.
    JournalCreate,
    /// The journal is there and empty.
    JournalCreated,
    /// Records are about to be written to the journal.
    JournalWrite,
    /// Records are written, and may be lost by a power cut.
    JournalWritten,
    /// Records are on the disk.
    JournalSynced,
    /// The intents of a batch are on record, and the backend is about to be asked.
    BatchWrite,
    /// A host has half of the peers of one call, as a kernel has that takes them in several messages.
    HostHalfChanged,
    /// A host has made one change, of several that an operation may need.
    HostChanged,
    /// One operation landed, and its outcome is not on record.
    OutcomeLanded,
    /// The backend is through with a batch, and its outcomes are on record.
    BatchWritten,
    /// The copy of the previous state is about to be written.
    BackupWrite,
    /// The copy of the previous state is written, and may be lost by a power cut.
    BackupWritten,
    /// The copy of the previous state is in its place.
    BackupRenamed,
    /// The new state is about to be written beside the old one.
    StateWrite,
    /// The new state is written, and may be lost by a power cut.
    StateWritten,
    /// The new state is on the disk under its temporary name.
    StateSynced,
    /// The new state is in its place.
    StateRenamed,
    /// The new state is in its place after a power cut, too.
    DirectorySynced,
    /// The journal is about to be removed.
    JournalRemove,
    /// The journal is removed.
    JournalRemoved,
    /// The lock is about to be given back.
    LockRelease,
}

impl Point {
    /// Every instant, in the order in which an apply comes to them.
    pub const ALL: [Self; 21] = [
        Self::JournalCreate,
        Self::JournalCreated,
        Self::JournalWrite,
        Self::JournalWritten,
        Self::JournalSynced,
        Self::BatchWrite,
        Self::HostHalfChanged,
        Self::HostChanged,
        Self::OutcomeLanded,
        Self::BatchWritten,
        Self::BackupWrite,
        Self::BackupWritten,
        Self::BackupRenamed,
        Self::StateWrite,
        Self::StateWritten,
        Self::StateSynced,
        Self::StateRenamed,
        Self::DirectorySynced,
        Self::JournalRemove,
        Self::JournalRemoved,
        Self::LockRelease,
    ];

    /// Returns the name by which `WGFORM_FAILPOINT` calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JournalCreate => "journal-create",
            Self::JournalCreated => "journal-created",
            Self::JournalWrite => "journal-write",
            Self::JournalWritten => "journal-written",
            Self::JournalSynced => "journal-synced",
            Self::BatchWrite => "batch-write",
            Self::HostHalfChanged => "host-half-changed",
            Self::HostChanged => "host-changed",
            Self::OutcomeLanded => "outcome-landed",
            Self::BatchWritten => "batch-written",
            Self::BackupWrite => "backup-write",
            Self::BackupWritten => "backup-written",
            Self::BackupRenamed => "backup-renamed",
            Self::StateWrite => "state-write",
            Self::StateWritten => "state-written",
            Self::StateSynced => "state-synced",
            Self::StateRenamed => "state-renamed",
            Self::DirectorySynced => "directory-synced",
            Self::JournalRemove => "journal-remove",
            Self::JournalRemoved => "journal-removed",
            Self::LockRelease => "lock-release",
        }
    }
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
