//! What is known of a run that is gone: by what it left in the store, and on this machine.

use jiff::Timestamp;

use crate::state::{Applying, State};
use crate::store::afar::Afar;
use crate::store::{LeftOver, LockInfo, read_state, remote};

impl Afar {
    /// Returns whether a stored state was written on the way by the run that was the last to begin here.
    pub(super) fn is_of_last_run_here(&self, stored: &State) -> bool {
        if stored.applying.is_none() || !self.own.is_dir() {
            return false;
        }
        let copy = self.files().and_then(|files| read_state(&files)).ok().flatten();
        copy.is_some_and(|(copy, _)| {
            copy.lineage == stored.lineage && copy.applying == stored.applying
        })
    }
}

/// Returns what a lock says that says nothing.
pub(super) fn nobody_known(now: Timestamp) -> LockInfo {
    LockInfo {
        id: remote::UNKNOWN.to_owned(),
        operation: "something".to_owned(),
        who: "somebody".to_owned(),
        host: "a host that it does not name".to_owned(),
        pid: 0,
        since: now,
        wgform_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Returns the run that was cut off somewhere else, or here with the loss of its journal.
pub(super) fn left_elsewhere(stored: &State) -> Option<LeftOver> {
    let Applying { id: _, began_at, who: _, host } = stored.applying.clone()?;
    let unknown = stored.in_flight.len();
    Some(LeftOver { began_at, done: 0, failed: 0, unknown, host: Some(host) })
}
