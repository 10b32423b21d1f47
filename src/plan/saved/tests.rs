//! What is written is read, what was tampered with is refused, and what differs is named.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::diff::{Class, Side};
use crate::plan::saved::{
    Attribute, Change, Difference, Intent, Opened, Saved, SavedError, differences,
};
use crate::plan::{Action, Note, Options, Reason, Sessions, Subject};
use crate::resource::Address;
use crate::value::FingerprintKey;

fn key() -> FingerprintKey {
    FingerprintKey::from_bytes([7; 32])
}

fn attribute(name: &str, class: Class, before: i32, after: i32) -> Attribute {
    Attribute {
        name: name.to_owned(),
        class,
        before: Some(json!(before)),
        after: Side::Known(json!(after)),
        was: None,
        elements: None,
    }
}

fn change(address: &str, attributes: Vec<Attribute>) -> Change {
    Change {
        subject: Subject::Resource(address.parse::<Address>().unwrap()),
        backend: None,
        action: Action::Update,
        reason: Reason::Configuration,
        attributes,
        sensitive: BTreeSet::new(),
        notes: vec![Note::LastHandshake(Some(std::time::Duration::from_secs(5)))],
    }
}

fn saved(changes: Vec<Change>) -> Saved {
    Saved {
        plan_id: Uuid::from_bytes([1; 16]),
        planned_at: Timestamp::UNIX_EPOCH,
        intent: Intent::Apply,
        options: Options::default(),
        paths: Vec::new(),
        held: Vec::new(),
        environment: "default".to_owned(),
        lineage: Uuid::from_bytes([2; 16]),
        serial: 3,
        is_first: false,
        configuration: BTreeMap::from([("main.wg.hcl".to_owned(), Some("00".to_owned()))]),
        variables: BTreeMap::from([("port".to_owned(), json!(1))]),
        sensitive_variables: BTreeSet::from(["password".to_owned()]),
        digest: String::new(),
        backends: BTreeMap::new(),
        unreachable: BTreeMap::new(),
        changes,
        outputs: Vec::new(),
        moved: BTreeMap::new(),
        imported: BTreeMap::new(),
        pending: Vec::new(),
        unmanaged: Vec::new(),
        unchecked: BTreeMap::new(),
        rebooted: BTreeMap::new(),
        sessions: Sessions::default(),
        one_sided: Vec::new(),
        excluded: BTreeSet::new(),
    }
}

fn one() -> Saved {
    saved(vec![change("interface.hub", vec![attribute("listen_port", Class::Change, 1, 2)])])
}

#[test]
fn what_is_written_is_read() {
    let bytes = one().to_bytes(&key());
    let opened = Opened::from_bytes(&bytes).unwrap();
    assert_eq!(opened.saved, one());
    assert!(opened.is_signed_with(&key()));
    assert!(!opened.is_signed_with(&FingerprintKey::from_bytes([8; 32])));
    let first = Saved { is_first: true, ..one() };
    let opened = Opened::from_bytes(&first.to_bytes(&key())).unwrap();
    assert!(!opened.is_signed_with(&key()), "nobody had a key");
    assert_eq!(opened.saved.plan().changes.len(), 1);
}

#[test]
fn no_byte_can_be_changed_and_none_be_missing() {
    let bytes = one().to_bytes(&key());
    for at in 0..bytes.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut bytes = bytes.clone();
            bytes[at] ^= bit;
            match Opened::from_bytes(&bytes) {
                Err(_) => {}
                // The signature itself is not a part of what the checksum is of.
                Ok(opened) => assert!(!opened.is_signed_with(&key()), "byte {at}"),
            }
        }
        assert!(Opened::from_bytes(&bytes[..at]).is_err(), "{at} bytes");
    }
    let twice = [bytes.as_slice(), b"\n"].concat();
    assert_eq!(Opened::from_bytes(&twice), Err(SavedError::Damaged));
}

#[test]
fn each_kind_of_other_file_has_its_own_error() {
    let message = |bytes: &[u8]| Opened::from_bytes(bytes).unwrap_err().to_string();
    assert_eq!(message(b" \n"), "the file is empty");
    assert_eq!(message(b"\xff\x00"), "the file is not a saved plan: it is not a JSON object");
    assert_eq!(message(b"{\"a\":x}"), "the file is not a saved plan: it is not JSON");
    assert_eq!(message(b"{\"kind\":\"wg"), "the file breaks off after 11 bytes");
    let state = b"{\"version\": 1, \"serial\": 3}";
    assert_eq!(message(state), "the file is not a saved plan: it does not say that it is one");
    assert_eq!(
        message(br#"{"kind":"wgform plan","version":9,"wgform_version":"2.0"}"#),
        "the plan was saved by another wgform (2.0): its format is version 9, this program reads version 1"
    );
    assert_eq!(
        message(br#"{"kind":"wgform plan","version":1}"#),
        "the file is not as it was written: its checksum is another one"
    );
}

#[test]
fn a_plan_that_was_made_again_is_the_same() {
    let mut again = one();
    again.plan_id = Uuid::from_bytes([9; 16]);
    again.changes[0].notes = vec![Note::LastHandshake(None)];
    assert_eq!(differences(&one(), &again), (Vec::new(), Vec::new()));
}

#[test]
fn what_the_device_has_now_is_named_by_attribute() {
    let mut now = one();
    now.changes[0].attributes[0].before = Some(json!(5));
    let (all, _) = differences(&one(), &now);
    let [Difference::Found { attribute, planned, now, .. }] = all.as_slice() else {
        panic!("{all:?}");
    };
    assert_eq!(
        (attribute.as_str(), planned, now),
        ("listen_port", &Some(json!(1)), &Some(json!(5)))
    );
}

#[test]
fn what_appears_or_disappears_is_named() {
    let other = change("peer.a", vec![attribute("persistent_keepalive", Class::Drift, 1, 2)]);
    let more = saved(vec![one().changes[0].clone(), other]);
    let (all, _) = differences(&one(), &more);
    assert!(
        matches!(all.as_slice(), [Difference::Appeared { is_drift: true, attributes, .. }] if attributes.len() == 1),
        "{all:?}"
    );
    let (all, _) = differences(&more, &one());
    assert!(matches!(all.as_slice(), [Difference::Disappeared { .. }]), "{all:?}");
}

#[test]
fn a_secret_that_not_everybody_sees_makes_no_plan_stale() {
    let secret = change("peer.a", vec![attribute("preshared_key", Class::Drift, 1, 2)]);
    let mut secret = secret;
    secret.reason = Reason::Drift;
    let seen = saved(vec![one().changes[0].clone(), secret.clone()]);
    let (all, unseen) = differences(&one(), &seen);
    assert_eq!((all, unseen.len()), (Vec::new(), 1));
    // And one that the configuration changes does.
    secret.attributes[0].class = Class::Change;
    let (all, _) = differences(&one(), &saved(vec![one().changes[0].clone(), secret]));
    assert_eq!(all.len(), 1);
}

#[test]
fn where_a_peer_roamed_to_makes_no_plan_stale() {
    let of = |before| {
        saved(vec![change("peer.a", vec![attribute("endpoint", Class::Change, before, 2)])])
    };
    assert_eq!(differences(&of(1), &of(7)).0, Vec::new());
}

#[test]
fn a_plan_of_an_attribute_that_there_is_not_is_refused() {
    let mut bad = one();
    bad.changes[0].attributes[0].name = "colour".to_owned();
    let error = Opened::from_bytes(&bad.to_bytes(&key())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plan in the file makes no sense: a change is of an attribute that there is not"
    );
}

/// Writes, reads and compares a plan of so many changes, and returns how long that takes at best.
#[expect(clippy::disallowed_methods, reason = "this test looks at the clock")]
fn time_of(count: usize) -> std::time::Duration {
    let of = |class: Class| {
        let peer = |i: usize| {
            change(&format!("peer.p[{i}]"), vec![attribute("persistent_keepalive", class, 1, 2)])
        };
        saved((0..count).map(peer).collect())
    };
    let (planned, now) = (of(Class::Change), of(Class::Drift));
    let once = |_| {
        let start = Timestamp::now();
        let opened = Opened::from_bytes(&planned.to_bytes(&key())).unwrap();
        assert_eq!(differences(&opened.saved, &planned), (Vec::new(), Vec::new()));
        assert_eq!(differences(&now, &saved(Vec::new())).0.len(), count);
        Timestamp::now().duration_since(start).unsigned_abs()
    };
    (0..3).map(once).min().unwrap()
}

#[test]
fn ten_thousand_changes_take_some_ten_times_as_long_as_a_thousand() {
    let (small, big) = (time_of(1000), time_of(10_000));
    assert!(big < small * 40, "{small:?} {big:?}");
}
