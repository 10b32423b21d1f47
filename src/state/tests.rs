//! What a change does to a state.

use crate::resource::{Address, BackendId};
use crate::state::{Deposed, ObjectKey, ResourceRecord, State, StateChange};
use crate::value::FingerprintKey;

pub(crate) fn state() -> State {
    State::empty(uuid::Uuid::from_bytes([1; 16]), FingerprintKey::from_bytes([7; 32]))
}

pub(crate) fn interface(backend: &str, name: &str) -> ResourceRecord {
    let object = ObjectKey::Interface { name: name.to_owned(), public_key: "K".to_owned() };
    let mut record = ResourceRecord::new(Some(BackendId::new(backend)), object);
    record.attributes.insert("name".to_owned(), name.into());
    record
}

pub(crate) fn put(address: &str, record: ResourceRecord, depose: bool) -> StateChange {
    StateChange::Put { address: hub(address), resource: Box::new(record), depose }
}

fn hub(address: &str) -> Address {
    address.parse().unwrap()
}

fn left(state: &State) -> Vec<(String, Vec<String>)> {
    let name = |backend: &BackendId, object: &ObjectKey| match object {
        ObjectKey::Interface { name, .. } => format!("{name} on {backend}"),
        other => format!("{other:?}"),
    };
    let old = |it: &Deposed| name(&it.backend, &it.object);
    let records = state.resources.values();
    records
        .map(|it| {
            let new = name(it.backend.as_ref().unwrap(), &it.object);
            (new, it.deposed.iter().map(old).collect())
        })
        .collect()
}

fn line(new: &str, old: &[&str]) -> Vec<(String, Vec<String>)> {
    vec![(new.to_owned(), old.iter().map(ToString::to_string).collect())]
}

#[test]
fn a_replaced_object_is_kept_until_it_is_removed() {
    let mut state = state();
    state.apply(put("interface.hub", interface("a", "wg0"), false));
    state.apply(put("interface.hub", interface("b", "wg0"), true));
    assert_eq!(left(&state), line("wg0 on b", &["wg0 on a"]));
    assert_eq!(state.resources[&hub("interface.hub")].deposed[0].attributes["name"], "wg0");
    state.apply(put("interface.hub", interface("c", "wg0"), true));
    assert_eq!(left(&state), line("wg0 on c", &["wg0 on a", "wg0 on b"]));

    let object = state.resources[&hub("interface.hub")].object.clone();
    let backend = BackendId::new("a");
    let gone = StateChange::RemoveDeposed { address: hub("interface.hub"), backend, object };
    state.apply(gone.clone());
    state.apply(gone);
    assert_eq!(left(&state), line("wg0 on c", &["wg0 on b"]));
}

#[test]
fn recording_a_change_twice_is_recording_it_once() {
    let mut state = state();
    state.apply(put("interface.hub", interface("a", "wg0"), false));
    state.apply(put("interface.hub", interface("b", "wg0"), true));
    let once = state.clone();
    state.apply(put("interface.hub", interface("b", "wg0"), true));
    assert_eq!(state, once);
}

#[test]
fn an_update_keeps_what_is_deposed_whatever_the_plan_knew_of_it() {
    let mut state = state();
    state.apply(put("interface.hub", interface("a", "wg0"), false));
    state.apply(put("interface.hub", interface("b", "wg0"), true));
    state.apply(put("interface.hub", interface("b", "wg0"), false));
    assert_eq!(left(&state), line("wg0 on b", &["wg0 on a"]));
}

#[test]
fn an_object_that_is_in_use_again_is_not_a_left_over() {
    let mut state = state();
    state.apply(put("interface.hub", interface("a", "wg0"), false));
    state.apply(put("interface.hub", interface("b", "wg0"), true));
    state.apply(put("interface.hub", interface("a", "wg0"), true));
    assert_eq!(left(&state), line("wg0 on a", &["wg0 on b"]));
}

#[test]
fn removing_a_resource_does_not_forget_its_older_object() {
    let mut state = state();
    state.apply(put("interface.hub", interface("a", "wg0"), false));
    state.apply(put("interface.hub", interface("b", "wg1"), true));
    state.apply(StateChange::Remove { address: hub("interface.hub") });
    assert_eq!(left(&state), line("wg0 on a", &[]));
    assert_eq!(state.resources[&hub("interface.hub")].attributes["name"], "wg0");
    state.apply(StateChange::Remove { address: hub("interface.hub") });
    state.apply(StateChange::Remove { address: hub("interface.hub") });
    assert_eq!(left(&state), Vec::new());
}

#[test]
fn a_record_that_moves_takes_its_older_objects_along() {
    let mut state = state();
    state.apply(put("interface.hub", interface("a", "wg0"), false));
    state.apply(put("interface.hub", interface("b", "wg0"), true));
    let record = state.resources[&hub("interface.hub")].clone();
    state.resources.clear();
    state.apply(put("interface.spoke", record, false));
    assert_eq!(left(&state), line("wg0 on b", &["wg0 on a"]));
}

#[test]
fn an_open_change_is_there_until_it_is_settled() {
    let mut state = state();
    let (one, two) = (
        put("interface.a", interface("x", "wg0"), false),
        StateChange::Remove { address: hub("interface.b") },
    );
    state.in_flight = vec![one.to_json(), two.to_json(), serde_json::json!({"from": "later"})];
    assert_eq!(state.open(), [one.clone(), two.clone()]);
    state.settle(std::slice::from_ref(&one));
    assert_eq!(state.open(), [two]);
    assert_eq!(state.in_flight.len(), 2);
}

#[test]
fn everything_that_names_an_address_follows_it() {
    let mut state = state();
    state.apply(put("interface.hub", interface("a", "wg0"), false));
    let mut peer = interface("a", "laptop");
    peer.attributes.insert("interface".to_owned(), "interface.hub".into());
    peer.attributes.insert("description".to_owned(), "interface.hub".into());
    peer.dependencies = [hub("interface.hub"), hub("preshared_key.k")].into();
    let mut old = interface("a", "old");
    old.attributes.insert("interface".to_owned(), "interface.hub".into());
    state.apply(put("peer.b", old, false));
    state.apply(put("peer.b", peer.clone(), true));
    let mut secret = ResourceRecord::new(None, ObjectKey::PresharedKey {});
    secret.attributes.insert("holders".to_owned(), "peer.b, peer.c".into());
    secret.attributes.insert("adopt_from".to_owned(), "peer.b".into());
    state.apply(put("preshared_key.k", secret, false));
    let remove = StateChange::Remove { address: hub("interface.hub") };
    let (backend, object) = (BackendId::new("a"), ObjectKey::PresharedKey {});
    let remove_old = StateChange::RemoveDeposed { address: hub("peer.b"), backend, object };
    state.keep_open([put("peer.c", peer, false), remove, remove_old]);
    state.in_flight.push(serde_json::json!({ "address": "peer.b" }));

    let renames = [("interface.hub", "interface.main"), ("peer.b", "peer.d")];
    state.rename(&renames.map(|(old, new)| (hub(old), hub(new))).into());

    let text = serde_json::to_string(&state.open()).unwrap()
        + &serde_json::to_string(&state.resources).unwrap();
    let addresses: Vec<String> = state.resources.keys().map(ToString::to_string).collect();
    assert_eq!(addresses, ["interface.main", "peer.d", "preshared_key.k"]);
    let peer = &state.resources[&hub("peer.d")];
    assert_eq!(peer.attributes["interface"], "interface.main");
    assert_eq!(peer.deposed[0].attributes["interface"], "interface.main");
    assert_eq!(peer.dependencies, [hub("interface.main"), hub("preshared_key.k")].into());
    // A text that is nobody's address stays: of the resource, and of the change that is on its way.
    assert_eq!(text.matches("interface.hub").count(), 2, "{text}");
    assert!(!text.contains("peer.b"), "{text}");
    let secret = &state.resources[&hub("preshared_key.k")].attributes;
    assert_eq!(
        (&secret["holders"], &secret["adopt_from"]),
        (&"peer.c, peer.d".into(), &"peer.d".into())
    );
    let open: Vec<String> = state.open().iter().map(|it| it.address().to_string()).collect();
    assert_eq!(open, ["peer.c", "interface.main", "peer.d"]);
    assert_eq!(state.in_flight[3], serde_json::json!({ "address": "peer.b" }));
}
