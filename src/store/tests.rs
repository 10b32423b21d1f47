//! The store on a real file system, with real locks and a second process.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rustix::io::Errno;
use tempfile::TempDir;
use uuid::Uuid;

use crate::resource::{Address, BackendId};
use crate::state::tests::{interface, put, state};
use crate::state::{BackendRecord, State, StateChange};
use crate::store::files::{Files, failed};
use crate::store::lock::try_lock;
use crate::store::vault::Vault;
use crate::store::{Held, Journal, Lock, LockInfo, LockRequest, Store, StoreError};

#[cfg(feature = "failpoints")]
mod crash;

struct Bed {
    directory: TempDir,
    store: Store,
}

impl Bed {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path().join("wgform.state.json"));
        Self { directory, store }
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.directory.path().join(format!("wgform.state.json{suffix}"))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let name =
            |it: std::io::Result<fs::DirEntry>| it.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }

    fn lock(&self) -> Lock {
        lock(&self.store, Duration::ZERO).unwrap()
    }

    /// Writes a first state with one interface.
    fn with_state(self) -> Self {
        let mut state = state();
        state.apply(put("interface.hub", interface("hq", "wg0"), false));
        self.lock().write(&mut state).unwrap();
        self
    }
}

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn request() -> LockRequest {
    LockRequest {
        id: Uuid::from_bytes([9; 16]),
        operation: "apply".to_owned(),
        who: "ada".to_owned(),
        host: "here".to_owned(),
        pid: 4711,
        now: now(),
    }
}

fn lock(store: &Store, timeout: Duration) -> Result<Lock, StoreError> {
    block(store.lock(request(), timeout, &mut |_: &Held| {}))
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn backends() -> BTreeMap<BackendId, BackendRecord> {
    let record = BackendRecord {
        kind: "local".to_owned(),
        identity: "machine".to_owned(),
        boot_id: None,
        host_name: "here".to_owned(),
        simulated: false,
        transport: BTreeMap::new(),
        capabilities: BTreeMap::new(),
        organization: None,
        other: BTreeMap::new(),
    };
    [(BackendId::new("hq"), record)].into()
}

fn change(address: &str) -> StateChange {
    put(address, interface("hq", address), false)
}

fn owned(state: Option<&State>) -> Vec<String> {
    state.map(|it| it.resources.keys().map(Address::to_string).collect()).unwrap_or_default()
}

/// An error as `ui` shows it: the chain and the hints.
fn shown(error: &StoreError, bed: &Bed) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    for hint in error.hints() {
        text += &format!("\n> {hint}");
    }
    text.replace(bed.directory.path().to_str().unwrap(), "DIR")
}

#[test]
fn nothing_is_there_before_the_first_apply_and_reading_leaves_nothing() {
    let bed = Bed::new();
    let loaded = bed.store.read().unwrap();
    assert!(loaded.state.is_none() && loaded.busy.is_none() && loaded.left_over.is_none());
    assert!(bed.names().is_empty());
}

#[test]
fn a_run_leaves_the_state_and_its_backup_and_nothing_else() {
    let bed = Bed::new().with_state();
    let first = fs::read(bed.path("")).unwrap();
    let lock = bed.lock();
    let mut state = lock.read().unwrap().state.unwrap();
    let mut journal = lock.begin(&state, now(), backends()).unwrap();
    journal.intents(&[(0, change("interface.a")), (1, change("interface.b"))]).unwrap();
    journal.done(0, change("interface.a")).unwrap();
    journal.failed(1).unwrap();
    state.apply(change("interface.a"));
    lock.write(&mut state).unwrap();
    lock.release();

    assert_eq!(bed.names(), ["wgform.state.json", "wgform.state.json.backup"]);
    assert_eq!(fs::read(bed.path(".backup")).unwrap(), first);
    assert_eq!(fs::metadata(bed.path("")).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(bed.path(".backup")).unwrap().mode() & 0o777, 0o600);
    let loaded = bed.store.read().unwrap();
    assert_eq!(loaded.state.as_ref().unwrap().serial, 2);
    assert_eq!(owned(loaded.state.as_ref()), ["interface.a", "interface.hub"]);
    assert!(loaded.open.is_empty());
}

#[test]
fn a_run_that_is_cut_off_is_folded_in_by_the_next_one() {
    let bed = Bed::new().with_state();
    let lock = bed.lock();
    let state = lock.read().unwrap().state.unwrap();
    let mut journal = lock.begin(&state, now(), backends()).unwrap();
    journal.intents(&[(0, change("interface.a")), (1, change("interface.b"))]).unwrap();
    journal.done(0, change("interface.a")).unwrap();
    drop((lock, journal));

    // A reader sees it, and changes nothing.
    let before = fs::read(bed.path("")).unwrap();
    let seen = bed.store.read().unwrap();
    assert_eq!(owned(seen.state.as_ref()), ["interface.a", "interface.hub"]);
    assert_eq!(seen.open, [change("interface.b")]);
    let left_over = seen.left_over.unwrap();
    assert_eq!((left_over.began_at, left_over.done, left_over.unknown), (now(), 1, 1));
    assert_eq!(fs::read(bed.path("")).unwrap(), before);

    // The next run has it on the disk before it does anything, and what was on its way stays known.
    let lock = bed.lock();
    let loaded = lock.read().unwrap();
    assert_eq!(loaded.open, seen.open);
    assert!(loaded.left_over.is_some());
    assert!(!bed.path(".journal").exists());
    let mut state = loaded.state.unwrap();
    assert_eq!(state.serial, 2);
    drop(lock.begin(&state, now(), backends()).unwrap());
    drop(lock);
    let again = bed.store.read().unwrap();
    assert_eq!(again.open, seen.open);

    // Whoever has looked for it settles it.
    let lock = bed.lock();
    state = lock.read().unwrap().state.unwrap();
    state.settle(&seen.open[..1]);
    lock.write(&mut state).unwrap();
    assert!(lock.read().unwrap().open.is_empty());
}

#[test]
fn a_first_run_that_is_cut_off_leaves_a_first_state() {
    let bed = Bed::new();
    let lock = bed.lock();
    let mut journal = lock.begin(&state(), now(), backends()).unwrap();
    journal.intents(&[(0, change("interface.a"))]).unwrap();
    journal.done(0, change("interface.a")).unwrap();
    drop((lock, journal));
    let loaded = bed.lock().read().unwrap().state.unwrap();
    assert_eq!((loaded.lineage, loaded.serial), (state().lineage, 1));
    assert_eq!(loaded.fingerprint_key, state().fingerprint_key);
    assert_eq!(owned(Some(&loaded)), ["interface.a"]);
    assert_eq!(bed.names(), ["wgform.state.json"]);
}

#[test]
fn a_journal_cut_off_at_any_byte_loses_nothing_that_was_done() {
    let bed = Bed::new().with_state();
    let lock = bed.lock();
    let state = lock.read().unwrap().state.unwrap();
    let mut journal = lock.begin(&state, now(), backends()).unwrap();
    let mut ends = Vec::new();
    for (step, address) in [(0, "interface.a"), (1, "interface.b"), (2, "interface.c")] {
        journal.intents(&[(step, change(address))]).unwrap();
        let begun = fs::metadata(bed.path(".journal")).unwrap().len();
        journal.done(step, change(address)).unwrap();
        ends.push((address, begun, fs::metadata(bed.path(".journal")).unwrap().len()));
    }
    drop((lock, journal));
    let whole = fs::read(bed.path(".journal")).unwrap();
    let before = fs::read(bed.path("")).unwrap();
    for end in 0..=whole.len() {
        fs::write(bed.path(".journal"), &whole[..end]).unwrap();
        fs::write(bed.path(""), &before).unwrap();
        let lock = bed.lock();
        let loaded = lock.read().unwrap_or_else(|error| panic!("{end}: {error}"));
        let owned = owned(loaded.state.as_ref());
        for (address, begun, done) in &ends {
            let is_owned = owned.contains(&(*address).to_owned());
            let is_open = loaded.open.contains(&change(address));
            assert!(is_owned || end < usize::try_from(*done).unwrap(), "{end}: {address}");
            assert!(
                is_owned || is_open || end < usize::try_from(*begun).unwrap(),
                "{end}: {address}"
            );
        }
        assert!(!bed.path(".journal").exists(), "{end}");
    }
}

#[test]
fn a_journal_that_is_in_the_state_already_is_passed_over() {
    let bed = Bed::new().with_state();
    let lock = bed.lock();
    let mut state = lock.read().unwrap().state.unwrap();
    let mut journal = lock.begin(&state, now(), backends()).unwrap();
    journal.intents(&[(0, change("interface.a"))]).unwrap();
    let kept = fs::read(bed.path(".journal")).unwrap();
    state.apply(change("interface.a"));
    lock.write(&mut state).unwrap();
    drop(lock);
    // As if the power had gone after the state was in place and before the journal was removed.
    fs::write(bed.path(".journal"), kept).unwrap();
    let loaded = bed.store.read().unwrap();
    assert!(loaded.open.is_empty() && loaded.left_over.is_none());
    bed.lock().read().unwrap();
    assert!(!bed.path(".journal").exists());
}

#[test]
fn a_journal_of_another_state_is_an_error_and_stays() {
    let bed = Bed::new().with_state();
    let lock = bed.lock();
    let state = lock.read().unwrap().state.unwrap();
    drop(lock.begin(&state, now(), backends()).unwrap());
    drop(lock);
    let text = fs::read_to_string(bed.path(".journal")).unwrap();

    let foreign = text.replace(&state.lineage.to_string(), &Uuid::from_bytes([2; 16]).to_string());
    fs::write(bed.path(".journal"), foreign).unwrap();
    insta::assert_snapshot!(shown(&bed.lock().read().unwrap_err(), &bed), @r"
    the journal `DIR/wgform.state.json.journal` does not belong to the state file `DIR/wgform.state.json`: it has another lineage
    > Nothing was changed. Put back the state file with which the run began, or move `DIR/wgform.state.json.journal` away and use `wgform import` for what the run had made.
    ");

    fs::write(bed.path(".journal"), text.replace("\"serial\":1", "\"serial\":5")).unwrap();
    insta::assert_snapshot!(shown(&bed.store.read().unwrap_err(), &bed), @r"
    the journal `DIR/wgform.state.json.journal` belongs to serial 5 of the state file `DIR/wgform.state.json`, which has serial 1
    > Nothing was changed. Put back the state file with serial 5, with `wgform state restore 5` where it is kept, or move `DIR/wgform.state.json.journal` away and use `wgform import` for what the run had made.
    ");

    fs::remove_file(bed.path("")).unwrap();
    assert!(shown(&bed.store.read().unwrap_err(), &bed).contains("which is not there"));
    assert!(bed.path(".journal").exists());
}

/// Leaves a journal of a run that had done one step and begun another one, and returns the state it began with.
fn cut_off(bed: &Bed) -> State {
    let lock = bed.lock();
    let state = lock.read().unwrap().state.unwrap();
    let mut journal = lock.begin(&state, now(), backends()).unwrap();
    journal.intents(&[(0, change("interface.a")), (1, change("interface.b"))]).unwrap();
    journal.done(0, change("interface.a")).unwrap();
    state
}

#[test]
fn a_state_that_is_put_back_takes_up_the_journal_beside_the_damaged_one() {
    let bed = Bed::new().with_state();
    let mut state = cut_off(&bed);
    for damaged in [Some("{"), Some("{\"serial\":1}"), None] {
        let journal = fs::read(bed.path(".journal")).unwrap();
        match damaged {
            Some(damaged) => fs::write(bed.path(""), damaged).unwrap(),
            None => fs::remove_file(bed.path("")).unwrap(),
        }
        let mut copy = state.clone();
        let put_back = bed.lock().put_back(&mut copy).unwrap();
        assert_eq!(put_back.left_over.map(|it| (it.done, it.unknown)), Some((1, 1)));
        assert!(!bed.path(".journal").exists());
        let loaded = bed.lock().read().unwrap();
        assert_eq!(owned(loaded.state.as_ref()), ["interface.a", "interface.hub"]);
        assert_eq!(loaded.open, [change("interface.b")]);
        assert!(loaded.state.unwrap().serial > state.serial);
        fs::write(bed.path(".journal"), journal).unwrap();
    }
    // One that was written with all of it in needs it no more.
    state.serial += 1;
    assert!(bed.lock().put_back(&mut state).unwrap().left_over.is_none());
    assert!(!bed.path(".journal").exists());
}

#[test]
fn a_journal_of_another_state_than_the_one_that_is_put_back_is_kept_aside() {
    let bed = Bed::new().with_state();
    for number in 1..3 {
        let mut state = cut_off(&bed);
        let journal = fs::read(bed.path(".journal")).unwrap();
        fs::write(bed.path(""), "{").unwrap();
        state.lineage = Uuid::from_bytes([70 + number; 16]);
        let aside = bed.lock().put_back(&mut state).unwrap().aside.unwrap();
        assert_eq!(aside, bed.path(&format!(".journal.{number}")));
        assert_eq!(fs::read(aside).unwrap(), journal);
        assert!(bed.lock().read().unwrap().open.is_empty());
    }
}

#[test]
fn garbage_in_a_journal_is_an_error_and_stays() {
    let bed = Bed::new().with_state();
    let lock = bed.lock();
    let state = lock.read().unwrap().state.unwrap();
    let mut journal = lock.begin(&state, now(), backends()).unwrap();
    journal.intents(&[(0, change("interface.a"))]).unwrap();
    drop((lock, journal));
    let text = fs::read_to_string(bed.path(".journal")).unwrap();
    let damaged = text.replace("\n{\"record\":\"intent\"", "\nrubbish\n{\"record\":\"intent\"");
    fs::write(bed.path(".journal"), &damaged).unwrap();
    insta::assert_snapshot!(shown(&bed.lock().read().unwrap_err(), &bed), @r"
    could not read the journal `DIR/wgform.state.json.journal` of a run that was cut off: line 2 is not a record of a journal
    > Nothing was changed. Mend the line, or move `DIR/wgform.state.json.journal` away and use `wgform import` for what the run had made.
    ");
    assert_eq!(fs::read_to_string(bed.path(".journal")).unwrap(), damaged);
}

#[test]
fn a_state_that_cannot_be_read_is_not_written_over() {
    let bed = Bed::new().with_state();
    let mut state = bed.store.read().unwrap().state.unwrap();
    bed.lock().write(&mut state).unwrap();
    let whole = fs::read(bed.path("")).unwrap();
    let half = &whole[..whole.len() / 2];
    fs::write(bed.path(""), half).unwrap();
    insta::assert_snapshot!(shown(&bed.store.read().unwrap_err(), &bed), @r"
    could not read the state file `DIR/wgform.state.json`: the file breaks off in line 10
    > Put back a good copy of the file, from version control or from the backup beside it; nothing was changed.
    > The state before the last write is in `DIR/wgform.state.json.backup`.
    ");
    let lock = bed.lock();
    assert!(matches!(lock.write(&mut state), Err(StoreError::State { .. })));
    assert!(matches!(lock.begin(&state, now(), backends()), Err(StoreError::State { .. })));
    assert_eq!(fs::read(bed.path("")).unwrap(), half);
}

#[test]
fn a_state_is_written_over_only_by_its_successor() {
    let bed = Bed::new().with_state();
    let lock = bed.lock();
    let mut old = lock.read().unwrap().state.unwrap();
    let mut new = old.clone();
    lock.write(&mut new).unwrap();
    assert!(matches!(lock.write(&mut old), Err(StoreError::Changed { .. })));
    let error = lock.begin(&state(), now(), backends()).unwrap_err();
    insta::assert_snapshot!(shown(&error, &bed), @r"
    could not write the state file `DIR/wgform.state.json`: it changed since it was read (serial 2 of lineage 01010101-0101-0101-0101-010101010101 instead of serial 0 of lineage 01010101-0101-0101-0101-010101010101)
    > Something other than wgform wrote it. Plan again.
    ");
    fs::remove_file(bed.path("")).unwrap();
    assert!(matches!(lock.write(&mut new), Err(StoreError::Changed { .. })));
}

#[test]
fn a_state_that_cannot_be_written_leaves_the_journal() {
    let bed = Bed::new().with_state();
    let lock = bed.lock();
    let mut state = lock.read().unwrap().state.unwrap();
    let mut journal = lock.begin(&state, now(), backends()).unwrap();
    journal.intents(&[(0, change("interface.a"))]).unwrap();
    journal.done(0, change("interface.a")).unwrap();
    state.apply(change("interface.a"));
    // Nothing can be written under the temporary name, as on a full disk.
    fs::create_dir(bed.path(".tmp")).unwrap();
    let error = lock.write(&mut state).unwrap_err();
    insta::assert_snapshot!(shown(&error, &bed), @r"
    could not record the end of the run: could not write the copy of the previous state `DIR/wgform.state.json.backup`: Is a directory (os error 21)
    > Nothing is lost: the journal `DIR/wgform.state.json.journal` holds what was done or begun, and the next run folds it in. Do not remove it.
    ");
    assert_eq!(state.serial, 1);
    drop(lock);
    fs::remove_dir(bed.path(".tmp")).unwrap();
    let loaded = bed.lock().read().unwrap();
    assert_eq!(owned(loaded.state.as_ref()), ["interface.a", "interface.hub"]);
}

#[test]
fn what_a_crash_left_under_the_temporary_name_is_not_followed() {
    let bed = Bed::new();
    let victim = bed.directory.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, bed.path(".tmp")).unwrap();
    let bed = bed.with_state();
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
    assert!(!bed.path(".tmp").exists());
}

#[test]
fn a_state_behind_a_link_stays_behind_it() {
    let bed = Bed::new();
    fs::create_dir(bed.directory.path().join("real")).unwrap();
    let target = bed.directory.path().join("real/state.json");
    symlink("real/state.json", bed.path("")).unwrap();
    let bed = bed.with_state();
    let mut state = bed.store.read().unwrap().state.unwrap();
    bed.lock().write(&mut state).unwrap();
    assert!(fs::symlink_metadata(bed.path("")).unwrap().is_symlink());
    assert_eq!(Store::new(&target).read().unwrap().state, Some(state));
    // Both names share one lock.
    let _lock = bed.lock();
    assert!(matches!(lock(&Store::new(target), Duration::ZERO), Err(StoreError::Locked(_))));
}

#[test]
fn a_path_that_cannot_be_a_state_says_why() {
    let bed = Bed::new();
    let path = |name: &str| bed.directory.path().join(name);
    let read = |path: PathBuf| shown(&Store::new(path).read().unwrap_err(), &bed);
    insta::assert_snapshot!(read(path("")), @r"
    could not use the file `DIR/`: it is a directory
    > Set the `path` of the `state` block to a file, with none but wgform's beside it.
    ");
    insta::assert_snapshot!(read(path("none/here.json")), @r"
    could not use the state file `DIR/none/here.json`: the directory `DIR/none` does not exist
    > Make it with `mkdir -p DIR/none`, or set another `path` in the `state` block.
    ");
    symlink("b.json", path("a.json")).unwrap();
    symlink("a.json", path("b.json")).unwrap();
    assert!(read(path("a.json")).contains("it is a link that leads to itself"));
    assert!(read("/dev/null".into()).contains("it is not a regular file"));
    let locked = lock(&Store::new(path("none/here.json")), Duration::ZERO).unwrap_err();
    assert!(matches!(locked, StoreError::NoDirectory { .. }));
}

#[test]
fn a_directory_that_cannot_be_written_is_noticed_before_anything_is_done() {
    // Also root cannot make a file here.
    let store = Store::new("/proc/self/wgform.state.json");
    assert!(store.read().unwrap().state.is_none());
    let error = lock(&store, Duration::ZERO).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("could not take the lock `/proc/self/wgform.state.json.lock`"),
        "{error}"
    );
}

#[test]
fn a_full_disk_and_missing_rights_have_a_hint() {
    for (kind, hint) in [
        (std::io::ErrorKind::StorageFull, "Make room on the disk, and run the command again."),
        (
            std::io::ErrorKind::PermissionDenied,
            "Run wgform as the user who owns the state file, or set another `path` in the `state` block.",
        ),
        (
            std::io::ErrorKind::ReadOnlyFilesystem,
            "The file system is read-only. Set a `path` in the `state` block that can be written.",
        ),
    ] {
        let error = failed("write the journal", Path::new("x"), kind.into());
        assert_eq!(error.hints(), [hint]);
    }
    for (errno, hint) in [(Errno::IO, "The disk or the"), (Errno::NOLCK, "The file system gives")] {
        let error = failed("take the lock", Path::new("x"), errno.into());
        assert!(error.hints()[0].starts_with(hint), "{errno}");
    }
}

#[test]
fn what_lies_where_a_file_should_is_named_and_keeps_nobody_waiting() {
    for suffix in [".journal", ".lock"] {
        let bed = Bed::new().with_state();
        assert!(Command::new("mkfifo").arg(bed.path(suffix)).status().unwrap().success());
        let locked = lock(&bed.store, Duration::ZERO).and_then(|lock| lock.read());
        let text = shown(&locked.unwrap_err(), &bed);
        assert!(
            text.contains(&format!("wgform.state.json{suffix}`: it is not a regular file")),
            "{text}"
        );
        fs::remove_file(bed.path(suffix)).unwrap();
        fs::create_dir(bed.path(suffix)).unwrap();
        let locked = lock(&bed.store, Duration::ZERO).and_then(|lock| lock.read());
        assert!(shown(&locked.unwrap_err(), &bed).contains("it is a directory"));
    }
    let bed = Bed::new();
    fs::File::create(bed.path("")).unwrap().set_len(3 << 30).unwrap();
    assert!(shown(&bed.store.read().unwrap_err(), &bed).contains("it is larger than 1 GiB"));
    fs::remove_file(bed.path("")).unwrap();
    assert!(Command::new("mkfifo").arg(bed.path("")).status().unwrap().success());
    assert!(shown(&bed.store.read().unwrap_err(), &bed).contains("it is not a regular file"));
}

#[test]
fn a_held_lock_says_who_where_since_when_and_for_what() {
    let bed = Bed::new();
    let _lock = bed.lock();
    assert_eq!(bed.store.read().unwrap().busy.unwrap().who, "ada");
    let mut late = request();
    late.now = "2026-11-21T14:05:09Z".parse().unwrap();
    let mut told = 0;
    let error =
        block(bed.store.lock(late, Duration::from_millis(300), &mut |_| told += 1)).unwrap_err();
    assert_eq!(told, 1);
    insta::assert_snapshot!(shown(&error, &bed), @r"
    the state is locked
      by:        ada on here, process 4711
      for:       apply (wgform 0.1.0)
      since:     2026-11-21T12:00:00Z (2h 5m ago)
      id:        09090909-0909-0909-0909-090909090909
      file:      DIR/wgform.state.json.lock
    > Wait until it is done, or give `-lock-timeout=5m` to wait for it.
    ");
}

#[test]
fn a_lock_is_waited_for() {
    let bed = Bed::new();
    let first = bed.lock();
    let second = block(async {
        let wait = async {
            let mut quiet = |_: &Held| {};
            bed.store.lock(request(), Duration::from_secs(60), &mut quiet).await
        };
        let release = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            first.release();
        };
        tokio::join!(wait, release).0
    });
    assert!(second.unwrap().predecessor().is_none());
}

#[test]
fn readers_do_not_make_a_run_fail() {
    let bed = Bed::new();
    std::thread::scope(|scope| {
        let runs = scope.spawn(|| (0..50).for_each(|_| bed.lock().release()));
        while !runs.is_finished() {
            bed.store.read().unwrap();
        }
    });
}

#[test]
fn a_reader_beside_a_run_never_sees_a_change_come_and_go() {
    let bed = Bed::new().with_state();
    let run = |index: u32| {
        let lock = bed.lock();
        let mut state = lock.read().unwrap().state.unwrap();
        let mut journal = lock.begin(&state, now(), backends()).unwrap();
        journal.done(0, change(&format!("interface.a{index}"))).unwrap();
        state.apply(change(&format!("interface.a{index}")));
        lock.write(&mut state).unwrap();
    };
    std::thread::scope(|scope| {
        let runs = scope.spawn(|| (0..100).for_each(run));
        let mut most = 1;
        while !runs.is_finished() {
            let owned = bed.store.read().unwrap().state.unwrap().resources.len();
            assert!(owned >= most, "{owned} after {most}");
            most = owned;
        }
    });
}

#[test]
fn two_runs_never_hold_the_lock_at_once() {
    let bed = Bed::new().with_state();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let lock = lock(&bed.store, Duration::from_secs(60)).unwrap();
                    let mut state = lock.read().unwrap().state.unwrap();
                    lock.write(&mut state).unwrap();
                }
            });
        }
    });
    // No write was lost.
    assert_eq!(bed.store.read().unwrap().state.unwrap().serial, 41);
    assert_eq!(bed.names(), ["wgform.state.json", "wgform.state.json.backup"]);
}

#[test]
fn a_lock_on_a_file_that_was_given_back_meanwhile_does_not_count() {
    let bed = Bed::new();
    let files = Files::resolve(bed.store.path().unwrap(), &Vault::default()).unwrap();
    let is_held = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5000 {
                    let Some(_lock) = try_lock(&files).unwrap() else { continue };
                    assert!(!is_held.swap(true, Ordering::SeqCst), "two hold it");
                    is_held.store(false, Ordering::SeqCst);
                    fs::remove_file(&files.lock).unwrap();
                }
            });
        }
    });
}

#[test]
fn the_lock_of_a_run_that_ended_without_giving_it_back_is_taken_over() {
    for (host, is_on_other_host) in [("here", false), ("there", true)] {
        let bed = Bed::new();
        write_info(&bed, host);
        assert!(bed.store.read().unwrap().busy.is_none());
        let lock = bed.lock();
        let predecessor = lock.predecessor().unwrap();
        assert_eq!((predecessor.info.pid, predecessor.is_on_other_host), (1, is_on_other_host));
        assert_eq!(lock.info().pid, 4711);
    }
    let bed = Bed::new();
    fs::write(bed.path(".lock"), "half of").unwrap();
    assert!(bed.lock().predecessor().is_none());
}

fn write_info(bed: &Bed, host: &str) {
    let info = LockInfo {
        id: "stale".to_owned(),
        operation: "apply".to_owned(),
        who: "bob".to_owned(),
        host: host.to_owned(),
        pid: 1,
        since: now(),
        wgform_version: "0.1.0".to_owned(),
    };
    fs::write(bed.path(".lock"), serde_json::to_vec(&info).unwrap()).unwrap();
}

#[test]
fn a_lock_whose_owner_lives_is_not_removed() {
    let bed = Bed::new();
    let lock = bed.lock();
    let id = lock.info().id.clone();
    insta::assert_snapshot!(shown(&bed.store.force_unlock(&id, "here", now()).unwrap_err(), &bed), @r"
    could not remove the lock: its owner is still running
      by:        ada on here, process 4711
      for:       apply (wgform 0.1.0)
      since:     2026-11-21T12:00:00Z (0s ago)
      id:        09090909-0909-0909-0909-090909090909
      file:      DIR/wgform.state.json.lock
    > Wait until it is done, or end process 4711 first; the lock goes with it.
    ");
    // Seen from another host the owner may be dead: there the user decides.
    assert_eq!(bed.store.force_unlock(&id, "there", now()).unwrap().pid, 4711);
    let second = bed.lock();
    // The one that was robbed must not give back what is not its own any more.
    drop(lock);
    assert!(bed.path(".lock").exists());
    drop(second);
    assert!(bed.names().is_empty());
}

#[test]
fn a_lock_that_nobody_holds_is_removed_by_its_id() {
    let bed = Bed::new();
    assert!(matches!(
        bed.store.force_unlock("x", "here", now()),
        Err(StoreError::NotLocked { .. })
    ));
    assert!(bed.names().is_empty());
    write_info(&bed, "here");
    let error = bed.store.force_unlock("wrong", "here", now()).unwrap_err();
    let text = shown(&error, &bed);
    assert!(
        text.starts_with(
            "could not remove the lock `wrong`: the state is locked under the id `stale`"
        ),
        "{text}"
    );
    assert!(text.ends_with("> If that is the one you mean: `wgform force-unlock stale`"), "{text}");
    assert!(bed.path(".lock").exists());
    assert_eq!(bed.store.force_unlock("stale", "here", now()).unwrap().who, "bob");
    assert!(bed.names().is_empty());
}

#[test]
fn a_failed_write_of_the_journal_leaves_no_half_record() {
    // Too little room for the second record: the journal then holds the first one whole.
    let wrapper = ["sh", "-c", "ulimit -f 4; trap '' XFSZ; exec \"$@\"", "sh"];
    let output = spawn("full_disk", &Bed::new(), &wrapper).wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("filled"), "{said}");
}

const CHILD: &str = "WGFORM_STORE_TEST_CHILD";

/// Starts [`other_process`] in another process.
fn spawn(role: &str, bed: &Bed, wrapper: &[&str]) -> Child {
    let binary = std::env::current_exe().unwrap();
    let mut words: Vec<_> = wrapper.iter().map(std::ffi::OsString::from).collect();
    words.push(binary.into());
    words.extend(["--exact", "store::tests::other_process", "--nocapture"].map(Into::into));
    Command::new(&words[0])
        .args(&words[1..])
        .env(CHILD, format!("{role} {}", bed.path("").display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_killed_process_loses_its_lock_and_nothing_else() {
    let bed = Bed::new().with_state();
    let mut child = spawn("sleeper", &bed, &[]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("asleep")));
    // What it has done is seen while it runs, and it is not called a run that was cut off.
    let seen = bed.store.read().unwrap();
    assert_eq!(owned(seen.state.as_ref()), ["interface.a", "interface.hub"]);
    assert_eq!(seen.busy.unwrap().pid, child.id());
    assert!(seen.left_over.is_none());
    assert!(matches!(lock(&bed.store, Duration::ZERO), Err(StoreError::Locked(_))));

    child.kill().unwrap();
    child.wait().unwrap();
    let lock = bed.lock();
    assert_eq!(lock.predecessor().unwrap().info.pid, child.id());
    let loaded = lock.read().unwrap();
    assert_eq!(owned(loaded.state.as_ref()), ["interface.a", "interface.hub"]);
    assert_eq!(loaded.open, [change("interface.b")]);
}

/// The other process of the tests above; by itself it does nothing.
#[test]
fn other_process() {
    let Ok(order) = std::env::var(CHILD) else { return };
    let (role, path) = order.split_once(' ').unwrap();
    let store = Store::new(path);
    let mut request = request();
    request.pid = std::process::id();
    let lock = block(store.lock(request, Duration::ZERO, &mut |_| {})).unwrap();
    let state = lock.read().unwrap().state.unwrap_or_else(state);
    let mut journal = lock.begin(&state, now(), backends()).unwrap();
    match role {
        "sleeper" => {
            journal.intents(&[(0, change("interface.a")), (1, change("interface.b"))]).unwrap();
            journal.done(0, change("interface.a")).unwrap();
            announce("asleep");
            std::thread::sleep(Duration::from_secs(60));
        }
        "full_disk" => fill(&store, journal),
        #[cfg(feature = "failpoints")]
        "run" => crash::run(lock, state, journal),
        other => panic!("{other}"),
    }
}

/// Writes until there is no room.
fn fill(store: &Store, mut journal: Journal) {
    journal.intents(&[(0, change("interface.a"))]).unwrap();
    let length =
        || fs::metadata(format!("{}.journal", store.path().unwrap().display())).unwrap().len();
    let before = length();
    let long = change(&format!("interface.{}", "b".repeat(4000)));
    journal.intents(&[(1, long)]).unwrap_err();
    assert_eq!(length(), before);
    journal.failed(0).unwrap();
    let loaded = store.read().unwrap();
    assert!(loaded.open.is_empty());
    announce("filled");
}

#[expect(
    clippy::print_stdout,
    reason = "the other process has nothing but its stdout to talk with"
)]
fn announce(text: &str) {
    println!("{text}");
}

#[test]
fn files_are_readable_by_their_owner_only_while_a_run_goes_on() {
    let bed = Bed::new().with_state();
    let lock = bed.lock();
    let state = lock.read().unwrap().state.unwrap();
    let _journal = lock.begin(&state, now(), backends()).unwrap();
    for suffix in ["", ".journal", ".lock"] {
        let mode = fs::metadata(bed.path(suffix)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix}");
    }
}

#[test]
fn reading_under_the_lock_leaves_the_journal_of_this_run_alone() {
    let bed = Bed::new().with_state();
    let lock = bed.lock();
    let state = lock.read().unwrap().state.unwrap();
    let mut journal = lock.begin(&state, now(), backends()).unwrap();
    journal.done(0, change("interface.a")).unwrap();
    assert_eq!(lock.read().unwrap().state.unwrap().serial, 1);
    journal.done(1, change("interface.b")).unwrap();
    assert_eq!(owned(lock.read().unwrap().state.as_ref()).len(), 3);
    assert!(matches!(lock.begin(&state, now(), backends()), Err(StoreError::File { .. })));
}
