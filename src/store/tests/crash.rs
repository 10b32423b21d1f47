//! A process that is stopped dead at every instant which has a name.

use std::process::Output;

use crate::failpoint::Point;
use crate::state::State;
use crate::store::tests::{Bed, CHILD, announce, change, owned};
use crate::store::{Journal, Lock};

/// What the other process does: two steps, and the end of the run.
pub(crate) fn run(lock: Lock, mut state: State, mut journal: Journal) {
    announce("begun");
    journal.intents(&[(0, change("interface.a")), (1, change("interface.b"))]).unwrap();
    announce("meant interface.a");
    announce("meant interface.b");
    for (step, address) in [(0, "interface.a"), (1, "interface.b")] {
        journal.done(step, change(address)).unwrap();
        announce(&format!("did {address}"));
        state.apply(change(address));
    }
    lock.write(&mut state).unwrap();
    announce("written");
    lock.release();
    announce("released");
}

/// Runs the other process up to the N-th time that it comes to a point.
fn stopped_at(bed: &Bed, point: Point, hit: usize) -> Output {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::other_process", "--nocapture"])
        .env(CHILD, format!("run {}", bed.path("").display()))
        .env("WGFORM_FAILPOINT", format!("{}:{hit}", point.as_str()))
        .output()
        .unwrap()
}

#[test]
fn a_process_that_is_stopped_at_any_instant_loses_nothing() {
    // A run that only writes files comes to no host. `tests/crash.rs` stops runs that do.
    for point in [Point::FileChange, Point::FileHalfWritten, Point::FileChanged, Point::LockRelease]
    {
        for is_first in [true, false] {
            let mut hit = 1;
            while check(point, hit, is_first) {
                hit += 1;
            }
            assert!(hit > 1, "nothing comes to `{}`", point.as_str());
        }
    }
}

/// Stops a run and looks at what is left; returns false once the run comes to its end.
fn check(point: Point, hit: usize, is_first: bool) -> bool {
    let bed = if is_first { Bed::new() } else { Bed::new().with_state() };
    let output = stopped_at(&bed, point, hit);
    let said = String::from_utf8(output.stdout).unwrap();
    let at = format!("{}:{hit} after {said:?}", point.as_str());

    let seen = bed.store.read().unwrap_or_else(|error| panic!("{at}: {error}"));
    let loaded = bed.lock().read().unwrap_or_else(|error| panic!("{at}: {error}"));
    assert_eq!(owned(seen.state.as_ref()), owned(loaded.state.as_ref()), "{at}");
    assert_eq!(seen.open, loaded.open, "{at}");
    let owned = owned(loaded.state.as_ref());
    for address in ["interface.a", "interface.b"] {
        let is_owned = owned.contains(&address.to_owned());
        assert!(is_owned || !said.contains(&format!("did {address}")), "{at}");
        let is_open = loaded.open.contains(&change(address));
        assert!(is_owned || is_open || !said.contains(&format!("meant {address}")), "{at}");
        assert!(!(is_owned && is_open), "{at}");
    }
    assert!(!bed.path(".journal").exists() && !bed.path(".lock").exists(), "{at}");
    !output.status.success()
}
