//! What a store has to do, whoever keeps it: one list of promises, for every implementation of [`Remote`].

#![allow(dead_code, reason = "each test binary uses a part")]
#![expect(clippy::disallowed_methods, reason = "these tests run servers and look at the clock")]
#![expect(clippy::unwrap_used, reason = "tests")]
#![allow(unreachable_pub, reason = "each test binary has this as a module of its own")]

pub mod google;
pub mod servers;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use wgform::store::LockInfo;
use wgform::store::remote::{DeviceWish, Remote, RemoteError, Version};

/// Makes a store of one state as a new run does; the text is the name of the state.
pub type Make<'a> = &'a dyn Fn(&str) -> Box<dyn Remote>;

/// How two writers race: each round on a state of its own.
const ROUNDS: usize = 50;

/// Holds a store to every promise.
pub async fn holds(make: Make<'_>) {
    nothing_is_there_at_first(make).await;
    what_is_written_is_read(make).await;
    one_of_two_first_writers_wins(make).await;
    one_of_two_later_writers_wins(make).await;
    a_stale_write_is_refused(make).await;
    one_of_eight_lockers_wins(make).await;
    the_lock_says_who_holds_it(make).await;
    only_the_holder_gives_the_lock_back(make).await;
    force_unlock_wants_the_right_id(make).await;
    a_lock_that_was_taken_away_is_lost(make).await;
    the_history_has_the_last_writes(make).await;
    states_do_not_know_of_each_other(make).await;
    a_device_is_locked_for_all_states(make).await;
}

/// Holds a store to the promises that a protocol without conditions on writes can keep: the server compares nothing, so a
/// writer compares itself, and only the lock keeps others out between the two. What is left out of [`holds`]:
///
/// * of two who write at once without the lock, both may win,
/// * an empty document is none, and the version of one is its digest, so that two equal ones have one,
/// * there is no history,
/// * behind a server that gives a lock once more to the one who has it, a holder takes one again that was removed.
pub async fn holds_under_the_lock(make: Make<'_>) {
    nothing_is_there_at_first(make).await;
    what_is_written_is_read_again(make, &["short", "long"]).await;
    a_stale_write_is_refused(make).await;
    one_of_two_who_write_under_the_lock_wins(make).await;
    one_of_eight_lockers_wins(make).await;
    the_lock_says_who_holds_it(make).await;
    only_the_holder_gives_the_lock_back(make).await;
    force_unlock_wants_the_right_id(make).await;
    a_lock_that_was_taken_away_is_lost(make).await;
    assert!(make("history").history().await.unwrap().is_none());
    states_do_not_know_of_each_other(make).await;
}

pub fn info(id: &str) -> LockInfo {
    LockInfo {
        id: id.to_owned(),
        operation: "apply".to_owned(),
        who: "alice".to_owned(),
        host: "office".to_owned(),
        pid: 42,
        since: Timestamp::from_second(1_700_000_000).unwrap(),
        wgform_version: "0.1.0".to_owned(),
    }
}

async fn nothing_is_there_at_first(make: Make<'_>) {
    let store = make("nothing");
    assert!(store.read().await.unwrap().is_none());
    assert!(store.holder().await.unwrap().is_none());
    assert_eq!(store.history().await.unwrap().unwrap_or_default(), []);
    assert_eq!(store.past(&Version("1".to_owned())).await.unwrap(), None);
    assert_eq!(store.past(&Version("../nothing".to_owned())).await.unwrap(), None);
}

async fn what_is_written_is_read(make: Make<'_>) {
    what_is_written_is_read_again(make, &["empty", "short", "long"]).await;
}

async fn what_is_written_is_read_again(make: Make<'_>, which: &[&str]) {
    let long: Vec<u8> = (0..12_000_000_u32).map(|it| u8::try_from(it % 251).unwrap()).collect();
    let all = [("empty", Vec::new()), ("short", b"{}\n".to_vec()), ("long", long)];
    for (name, bytes) in all.into_iter().filter(|(name, _)| which.contains(name)) {
        let store = make(name);
        let written = store.write(&bytes, 1, None, None).await.unwrap();
        let document = make(name).read().await.unwrap().unwrap();
        assert!(document.bytes == bytes, "{name}");
        assert_eq!(document.version, written, "{name}");
    }
}

async fn one_of_two_first_writers_wins(make: Make<'_>) {
    for round in 0..ROUNDS {
        let name = format!("create-{round}");
        let (one, two) = (make(&name), make(&name));
        race(&*one, &*two, None).await;
    }
}

async fn one_of_two_later_writers_wins(make: Make<'_>) {
    let (one, two) = (make("update"), make("update"));
    let mut over = one.write(b"first", 1, None, None).await.unwrap();
    for _ in 0..ROUNDS {
        over = race(&*one, &*two, Some(&over)).await;
    }
}

/// Two runs that each take the lock, read, and write what is there and one more: nothing is lost.
async fn one_of_two_who_write_under_the_lock_wins(make: Make<'_>) {
    let add = async |run: usize| {
        for round in 0..ROUNDS {
            let (store, mine) = (make("counted"), info(&format!("{run}-{round}")));
            while let Err(error) = store.lock(&mine).await {
                assert!(matches!(error, RemoteError::Locked(_)), "{error:?}");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let found = store.read().await.unwrap();
            let mut bytes = found.as_ref().map(|it| it.bytes.clone()).unwrap_or_default();
            bytes.push(b'0' + u8::try_from(run).unwrap());
            let over = found.map(|it| it.version);
            store.write(&bytes, 1, over.as_ref(), Some(&mine)).await.unwrap();
            store.unlock(&mine).await.unwrap();
        }
    };
    tokio::join!(add(0), add(1));
    let bytes = make("counted").read().await.unwrap().unwrap().bytes;
    for run in [b'0', b'1'] {
        assert_eq!(bytes.iter().filter(|it| **it == run).count(), ROUNDS);
    }
}

/// Lets two write at once over the same version. Exactly one of them wins, and what it wrote is there.
async fn race(one: &dyn Remote, two: &dyn Remote, over: Option<&Version>) -> Version {
    let number = over.map_or("", |it| it.0.as_str());
    let texts = [format!("one over {number}"), format!("two over {number}")];
    let (first, second) = tokio::join!(
        one.write(texts[0].as_bytes(), 2, over, None),
        two.write(texts[1].as_bytes(), 2, over, None),
    );
    let (version, text) = match (first, second) {
        (Ok(version), Err(RemoteError::Stale)) => (version, &texts[0]),
        (Err(RemoteError::Stale), Ok(version)) => (version, &texts[1]),
        other => panic!("not exactly one has won: {other:?}"),
    };
    let document = one.read().await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&document.bytes), *text);
    assert_eq!(document.version, version);
    version
}

async fn a_stale_write_is_refused(make: Make<'_>) {
    let store = make("stale");
    let first = store.write(b"first", 1, None, None).await.unwrap();
    let second = store.write(b"second", 2, Some(&first), None).await.unwrap();
    for over in [None, Some(&first), Some(&Version("\"none such\"".to_owned()))] {
        let refused = make("stale").write(b"stale", 2, over, None).await;
        assert!(matches!(refused, Err(RemoteError::Stale)), "{over:?}: {refused:?}");
    }
    let document = store.read().await.unwrap().unwrap();
    assert_eq!((document.bytes.as_slice(), document.version), (&b"second"[..], second));
    let gone = make("stale-gone").write(b"stale", 2, Some(&first), None).await;
    assert!(matches!(gone, Err(RemoteError::Stale)), "{gone:?}");
}

async fn one_of_eight_lockers_wins(make: Make<'_>) {
    for round in 0..5 {
        let stores: Vec<_> = (0..8).map(|_| make("race")).collect();
        let infos: Vec<_> = (0..8).map(|it| info(&format!("{round}-{it}"))).collect();
        let tries = stores.iter().zip(&infos).map(|(store, info)| store.lock(info));
        let outcomes = join_all(tries).await;
        let winners: Vec<usize> = (0..8).filter(|it| outcomes[*it].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        for outcome in outcomes.iter().filter_map(|it| it.as_ref().err()) {
            assert!(matches!(outcome, RemoteError::Locked(_)), "{outcome:?}");
        }
        let winner = winners[0];
        let held = make("race").holder().await.unwrap().unwrap();
        assert_eq!(held.info.as_ref(), Some(&infos[winner]));
        // The lock goes from hand to hand, also the one that was never held before.
        stores[winner].unlock(&infos[winner]).await.unwrap();
        assert_eq!(make("race").holder().await.unwrap(), None);
    }
}

async fn the_lock_says_who_holds_it(make: Make<'_>) {
    let (store, other, mine) = (make("held"), make("held"), info("mine"));
    store.lock(&mine).await.unwrap();
    let before = other.holder().await.unwrap().unwrap();
    assert_eq!(before.info, Some(mine.clone()));
    let refused = other.lock(&info("other")).await;
    let Err(RemoteError::Locked(held)) = refused else { panic!("{refused:?}") };
    assert_eq!(*held, before);
    // Who asks again for what it has was not told that it has it.
    store.lock(&mine).await.unwrap();
    let written = store.write(b"under the lock", 1, None, Some(&mine)).await.unwrap();
    store.renew(&mine).await.unwrap();
    let after = other.holder().await.unwrap().unwrap();
    assert_eq!(after.info, Some(mine.clone()));
    if let Some(beat) = before.beat {
        assert_ne!(Some(beat), after.beat, "nobody would see that the holder lives");
    }
    store.write(b"again", 2, Some(&written), Some(&mine)).await.unwrap();
    store.unlock(&mine).await.unwrap();
    assert_eq!(other.holder().await.unwrap(), None);
    let lost = store.renew(&mine).await;
    assert!(matches!(lost, Err(RemoteError::LockLost)), "{lost:?}");
    other.lock(&info("other")).await.unwrap();
    other.unlock(&info("other")).await.unwrap();
}

async fn only_the_holder_gives_the_lock_back(make: Make<'_>) {
    let (store, mine) = (make("keep"), info("mine"));
    store.lock(&mine).await.unwrap();
    let other = make("keep");
    other.unlock(&info("other")).await.unwrap();
    let lost = other.renew(&info("other")).await;
    assert!(matches!(lost, Err(RemoteError::LockLost)), "{lost:?}");
    assert_eq!(other.holder().await.unwrap().unwrap().info, Some(mine.clone()));
    store.renew(&mine).await.unwrap();
    store.unlock(&mine).await.unwrap();
    store.unlock(&mine).await.unwrap();
}

async fn force_unlock_wants_the_right_id(make: Make<'_>) {
    let (store, other, mine) = (make("force"), make("force"), info("mine"));
    let free = other.force_unlock("mine").await;
    assert!(matches!(free, Err(RemoteError::LockLost)), "{free:?}");
    store.lock(&mine).await.unwrap();
    let refused = other.force_unlock("other").await;
    let Err(RemoteError::Locked(held)) = refused else { panic!("{refused:?}") };
    assert_eq!(held.info, Some(mine.clone()));
    store.renew(&mine).await.unwrap();
    store.unlock(&mine).await.unwrap();
}

async fn a_lock_that_was_taken_away_is_lost(make: Make<'_>) {
    let (store, other, mine) = (make("lost"), make("lost"), info("mine"));
    store.lock(&mine).await.unwrap();
    let first = store.write(b"first", 1, None, Some(&mine)).await.unwrap();
    other.force_unlock("mine").await.unwrap();
    assert_eq!(other.holder().await.unwrap(), None);
    let lost = store.renew(&mine).await;
    assert!(matches!(lost, Err(RemoteError::LockLost)), "{lost:?}");
    other.lock(&info("other")).await.unwrap();
    let lost = store.renew(&mine).await;
    assert!(matches!(lost, Err(RemoteError::LockLost)), "{lost:?}");
    store.unlock(&mine).await.unwrap();
    assert_eq!(other.holder().await.unwrap().unwrap().info, Some(info("other")));
    // A holder that does not know yet loses nothing of what the next one writes.
    other.write(b"second", 2, Some(&first), Some(&info("other"))).await.unwrap();
    store.write(b"lost", 2, Some(&first), Some(&mine)).await.unwrap_err();
    assert_eq!(other.read().await.unwrap().unwrap().bytes, b"second");
    other.unlock(&info("other")).await.unwrap();
}

async fn the_history_has_the_last_writes(make: Make<'_>) {
    let store = make("history");
    if store.history().await.unwrap().is_none() {
        return;
    }
    let mut over = None;
    for serial in 1..=25 {
        let text = format!("serial {serial}");
        over = Some(store.write(text.as_bytes(), serial, over.as_ref(), None).await.unwrap());
    }
    let past = make("history").history().await.unwrap().unwrap();
    let serials: Vec<u64> = past.iter().map(|it| it.serial).collect();
    assert_eq!(serials, (6..=25).rev().collect::<Vec<_>>());
    let versions: BTreeSet<_> = past.iter().map(|it| &it.version).collect();
    assert_eq!(versions.len(), past.len());
    assert!(past.iter().all(|it| it.written_at.is_some()));
    for it in &past {
        let bytes = store.past(&it.version).await.unwrap().unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), format!("serial {}", it.serial));
    }
    // An old one is restored by a write like any other.
    let old = store.past(&past[5].version).await.unwrap().unwrap();
    store.write(&old, 26, over.as_ref(), None).await.unwrap();
    assert_eq!(store.read().await.unwrap().unwrap().bytes, b"serial 20");
    assert_eq!(store.history().await.unwrap().unwrap()[0].serial, 26);
}

async fn states_do_not_know_of_each_other(make: Make<'_>) {
    let (one, two) = (make("two/a"), make("two/b"));
    one.lock(&info("a")).await.unwrap();
    two.lock(&info("b")).await.unwrap();
    one.write(b"a", 1, None, Some(&info("a"))).await.unwrap();
    assert!(two.read().await.unwrap().is_none());
    assert_eq!(two.history().await.unwrap().unwrap_or_default(), []);
    one.unlock(&info("a")).await.unwrap();
    two.unlock(&info("b")).await.unwrap();
}

async fn a_device_is_locked_for_all_states(make: Make<'_>) {
    let (one, two, mine) = (make("devices/a"), make("b"), info("mine"));
    assert!(one.holds_devices());
    assert_eq!(one.devices().await.unwrap(), []);
    // It is not the lock of the state, and a run has many.
    one.lock(&mine).await.unwrap();
    two.lock(&info("other")).await.unwrap();
    for device in ["first", "second"] {
        one.device(device, DeviceWish::Take(&mine)).await.unwrap();
        one.device(device, DeviceWish::Take(&mine)).await.unwrap();
    }
    two.device("third", DeviceWish::Take(&info("other"))).await.unwrap();
    let refused = two.device("first", DeviceWish::Take(&info("other"))).await;
    let Err(RemoteError::Locked(held)) = refused else { panic!("{refused:?}") };
    assert_eq!(held.info, Some(mine.clone()));
    let found = make("c").devices().await.unwrap();
    let found: Vec<_> =
        found.into_iter().map(|it| (it.device, it.held.info.map(|info| info.id))).collect();
    let named = [("first", "mine"), ("second", "mine"), ("third", "other")];
    assert_eq!(found, named.map(|(device, id)| (device.to_owned(), Some(id.to_owned()))));

    one.device("first", DeviceWish::Renew(&mine)).await.unwrap();
    two.device("first", DeviceWish::GiveBack(&info("other"))).await.unwrap();
    let wrong = two.device("first", DeviceWish::TakeAway("other")).await;
    assert!(matches!(wrong, Err(RemoteError::Locked(_))), "{wrong:?}");
    one.device("first", DeviceWish::GiveBack(&mine)).await.unwrap();
    two.device("first", DeviceWish::Take(&info("other"))).await.unwrap();
    let lost = one.device("first", DeviceWish::Renew(&mine)).await;
    assert!(matches!(lost, Err(RemoteError::LockLost)), "{lost:?}");
    two.device("second", DeviceWish::TakeAway("mine")).await.unwrap();
    let lost = one.device("second", DeviceWish::Renew(&mine)).await;
    assert!(matches!(lost, Err(RemoteError::LockLost)), "{lost:?}");
    for device in ["first", "third"] {
        two.device(device, DeviceWish::GiveBack(&info("other"))).await.unwrap();
    }
    assert_eq!(two.devices().await.unwrap(), []);
    one.unlock(&mine).await.unwrap();
    two.unlock(&info("other")).await.unwrap();
}

/// Asks a server that is not there, or that never answers, for everything.
pub async fn is_unreachable(store: &dyn Remote) {
    let began = Instant::now();
    let outcomes = [
        store.read().await.map(|_| ()),
        store.write(b"x", 1, None, None).await.map(|_| ()),
        store.lock(&info("x")).await,
        store.holder().await.map(|_| ()),
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(RemoteError::Unreachable(_))), "{outcome:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
}

/// Asks with credentials that are not believed. No message shows them.
pub async fn is_refused(store: &dyn Remote, secret: &str) {
    let outcomes = [
        store.read().await.map(|_| ()),
        store.write(b"x", 1, None, None).await.map(|_| ()),
        store.lock(&info("x")).await,
    ];
    for outcome in outcomes {
        let Err(RemoteError::Refused(text)) = &outcome else { panic!("{outcome:?}") };
        assert!(!text.contains(secret) && text.len() > 10, "{text}");
    }
    assert!(!format!("{store:?} {}", store.place()).contains(secret));
}
