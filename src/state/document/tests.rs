//! Reading and writing state files.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::resource::{Address, BackendId, Field, Fields, InstanceKey, Kind, ModuleStep};
use crate::state::{
    BackendRecord, Deposed, ObjectKey, OutputRecord, ResourceRecord, State, StateError,
};
use crate::value::{FingerprintKey, PresharedKey, PrivateKey};

/// Never edit or remove it: files like this one are on people's machines.
const FORMAT_1: &str = include_str!("../../../testdata/state/format-1.json");

fn error(text: &str) -> String {
    State::from_bytes(text.as_bytes()).unwrap_err().to_string()
}

fn edited(from: &str, to: &str) -> String {
    assert!(FORMAT_1.contains(from), "{from}");
    FORMAT_1.replacen(from, to, 1)
}

#[test]
fn a_file_of_format_1_is_read_and_written_back_as_it_was() {
    let state = State::from_bytes(FORMAT_1.as_bytes()).unwrap();
    assert_eq!(state.serial, 7);
    assert_eq!(state.resources.len(), 3);
    assert_eq!(state.resources[&"interface.hq".parse().unwrap()].deposed.len(), 1);
    assert_eq!(state.open().len(), 1);
    let now = format!("\"wgform_version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    let expected = edited("\"wgform_version\": \"0.1.0\"", &now);
    assert_eq!(String::from_utf8(state.to_bytes()).unwrap(), expected);
}

#[test]
fn unknown_fields_of_the_same_format_are_kept() {
    let text = edited("\"serial\": 7,", "\"serial\": 7, \"color\": [1, {\"a\": null}],");
    let text =
        text.replacen("\"backend\": \"hq\",", "\"backend\": \"hq\", \"taste\": \"sour\",", 1);
    let text = text.replacen("\"kind\": \"local\",", "\"kind\": \"local\", \"smell\": 1.5,", 1);
    let text =
        text.replacen("\"deposed\": [\n        {", "\"deposed\": [\n        {\"pitch\": 1,", 1);
    let text =
        text.replacen("\"outputs\": {", "\"outputs\": {\"x\": {\"value\": 1, \"unit\": \"s\"},", 1);
    let state = State::from_bytes(text.as_bytes()).unwrap();
    let again: Json = serde_json::from_slice(&state.to_bytes()).unwrap();
    assert_eq!(again["resources"]["interface.hq"]["deposed"][0]["pitch"], 1);
    assert_eq!(again["outputs"]["x"]["unit"], "s");
    assert_eq!(again["color"], json!([1, {"a": null}]));
    assert_eq!(again["resources"]["interface.hq"]["taste"], "sour");
    assert_eq!(again["backends"]["branch"]["smell"], 1.5);
}

#[test]
fn a_key_of_an_object_with_an_unknown_field_is_refused() {
    for kind in ["interface", "peer", "preshared_key"] {
        let written = format!("\"type\": \"{kind}\"");
        let error = error(&edited(&written, &format!("\"slot\": 1, {written}")));
        assert!(error.starts_with("unknown field `slot`"), "{error}");
    }
}

#[test]
fn a_file_of_a_newer_program_is_refused_by_its_version_alone() {
    let text = r#"{"lineage": 5, "wgform_version": "3.1.0", "version": 2, "resources": []}"#;
    let error = State::from_bytes(text.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the file was written by a newer wgform (3.1.0): its format is version 2, this program reads up to version 1"
    );
    assert_eq!(error.hint(), "Use that version of wgform or a later one; nothing was changed.");
}

#[test]
fn what_is_no_state_is_named() {
    for (text, expected) in [
        ("", "the file is empty"),
        (" \n\t", "the file is empty"),
        ("\0\0\0\0", "the file is not JSON: expected value in line 1"),
        ("interface: hub\n", "the file is not JSON: expected value in line 1"),
        ("true false", "the file is not JSON: trailing characters in line 1"),
        ("[1, 2]", "the file is not a wgform state: it is not a JSON object"),
        ("null", "the file is not a wgform state: it is not a JSON object"),
        ("{}", "the file is not a wgform state: it has no `version`"),
        (
            "{\"version\": \"1\"}",
            "the file is not a wgform state: its `version` is not a version of the format",
        ),
        (
            "{\"version\": 0}",
            "the file is not a wgform state: its `version` is not a version of the format",
        ),
        (
            "{\"version\": -1}",
            "the file is not a wgform state: its `version` is not a version of the format",
        ),
        ("{\"version\": 1}", "missing field `lineage`, at `the top` in line 1"),
        ("{\"version\": 1,\n \"version\": 1}", "duplicate field `version`, at `version` in line 2"),
    ] {
        assert_eq!(error(text), expected, "{text:?}");
    }
}

#[test]
fn a_wrong_value_is_shown_with_its_path() {
    for (from, to, expected) in [
        (
            "\"serial\": 7",
            "\"serial\": \"7\"",
            "invalid type: string \"7\", expected u64, at `serial` in line 5",
        ),
        (
            "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
            "secret",
            "this is not a WireGuard fingerprint key: it has 6 characters, at `fingerprint_key` in line 7",
        ),
        (
            "\"prevent_destroy\": true",
            "\"prevent_destroy\": 3",
            "invalid type: integer `3`, expected a boolean, at `resources[\"interface.hq\"].prevent_destroy` in line 58",
        ),
        (
            "\"5f2d1c9a\"",
            "5",
            "invalid type: integer `5`, expected a string, at `applied_plans[0]` in line 136",
        ),
        (
            "\"preshared_key.link\": {",
            "\"interface.hq\": {",
            "`interface.hq` is there twice, at `resources[\"interface.hq\"]` in line 73",
        ),
        ("\"hq\": {", "\"branch\": {", "`branch` is there twice, at `backends.branch` in line 24"),
        (
            "\"type\": \"peer\",",
            "\"type\": \"tunnel\",",
            "unknown variant `tunnel`, expected one of `interface`, `peer`, `preshared_key`, at `resources[\"module.site[\\\"berlin\\\"].peer.rw[\\\"alice phone\\\"]\"].object.type` in line 84",
        ),
        (
            "\"preshared_key.link\": {",
            "\"interface.link\": {",
            "the object of `interface.link` is of kind `preshared_key`, at `resources[\"interface.link\"]` in line 80",
        ),
    ] {
        assert_eq!(error(&edited(from, to)), expected);
    }
}

#[test]
fn an_address_that_is_none_is_shown() {
    let error = error(&edited("\"interface.hq\": {", "\"tunnel.hq\": {"));
    assert_eq!(
        error,
        "`tunnel.hq` is not the address of a resource: there is no kind `tunnel`, at `resources[\"tunnel.hq\"]` in line 34"
    );
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    let secret = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    let error = error(&edited("fp1:000102030405060708090a0b0c0d0e0f", secret));
    assert!(
        error.starts_with("`value` of `preshared_key.link` is a secret, which a state never holds"),
        "{error}"
    );
    assert!(!error.contains(secret));
}

#[test]
fn a_state_that_breaks_off_anywhere_is_an_error() {
    let text = FORMAT_1.trim_end();
    for end in 0..text.len() {
        let error = State::from_bytes(&text.as_bytes()[..end]).unwrap_err();
        match end {
            0 => assert_eq!(error, StateError::Empty),
            _ => assert!(matches!(error, StateError::Truncated { .. }), "{end}: {error}"),
        }
    }
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let text = edited("\"serial\": 7", &format!("\"x\": {open}{close}, \"serial\": 7"));
    assert!(error(&text).starts_with("the file is not JSON: recursion limit exceeded"));
}

#[test]
fn the_secrets_of_fields_do_not_reach_the_file() {
    let private: PrivateKey = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=".parse().unwrap();
    let preshared: PresharedKey = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=".parse().unwrap();
    let mut state = State::empty(uuid::Uuid::nil(), FingerprintKey::from_bytes([1; 32]));
    let fields: Fields = [
        ("private_key", Field::PrivateKey(private.clone())),
        ("preshared_key", Field::PresharedKey(Some(preshared.clone()))),
    ]
    .into();
    let mut record = ResourceRecord::new(None, ObjectKey::PresharedKey {});
    for (name, field) in &fields {
        record.attributes.insert((*name).to_owned(), field.recorded(&state.fingerprint_key));
    }
    state.resources.insert(Address::root(Kind::PresharedKey, "x"), record);
    let text = String::from_utf8(state.to_bytes()).unwrap();
    assert!(text.contains(&private.public().to_string()));
    assert!(!text.contains(private.expose_text().as_str()));
    assert!(!text.contains(preshared.expose_text().as_str()));
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        ".{0,8}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(".{0,4}", inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

fn any_other() -> impl Strategy<Value = BTreeMap<String, Json>> {
    prop::collection::btree_map("x_[a-z]{1,4}", any_json(), 0..2)
}

fn any_key() -> impl Strategy<Value = Option<InstanceKey>> {
    prop_oneof![
        Just(None),
        any::<u32>().prop_map(|index| Some(InstanceKey::Index(index))),
        ".{0,6}".prop_map(|name| Some(InstanceKey::Name(name))),
    ]
}

fn any_address() -> impl Strategy<Value = Address> {
    let step = ("[a-z_]{1,4}", any_key()).prop_map(|(label, key)| ModuleStep { label, key });
    let module = prop::collection::vec(step, 0..3);
    (module, prop::sample::select(&Kind::ALL[..]), "[a-z_-]{1,6}", any_key())
        .prop_map(|(module, kind, label, key)| Address::new(module, kind, label, key))
}

fn any_object(kind: Kind) -> BoxedStrategy<ObjectKey> {
    match kind {
        Kind::Interface => (".{0,15}", ".{0,44}")
            .prop_map(|(name, public_key)| ObjectKey::Interface { name, public_key })
            .boxed(),
        Kind::Peer => (".{0,15}", ".{0,44}")
            .prop_map(|(interface, public_key)| ObjectKey::Peer { interface, public_key })
            .boxed(),
        Kind::PresharedKey => Just(ObjectKey::PresharedKey {}).boxed(),
    }
}

fn any_attributes() -> impl Strategy<Value = BTreeMap<String, Json>> {
    prop::collection::btree_map("[a-z_]{1,8}", any_json(), 0..3)
}

fn any_record(kind: Kind) -> impl Strategy<Value = ResourceRecord> {
    let backend = || "[a-z\"\\[\\]]{1,8}".prop_map(BackendId::new);
    let deposed = (backend(), any_object(kind), any_attributes(), any_other()).prop_map(
        |(backend, object, attributes, other)| Deposed { backend, object, attributes, other },
    );
    (
        prop::option::of(backend()),
        any_object(kind),
        any_attributes(),
        prop::collection::btree_map(
            "[a-z]{1,4}",
            prop::collection::btree_set(".{0,6}", 0..3),
            0..2,
        ),
        prop::collection::btree_map("[a-z]{1,4}", "[a-z]{1,4}", 0..2),
        prop::collection::btree_set(any_address(), 0..2),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec(deposed, 0..2),
        any_other(),
    )
        .prop_map(
            |(
                backend,
                object,
                attributes,
                owned_elements,
                written_to,
                dependencies,
                prevent_destroy,
                is_being_filled,
                is_gone,
                deposed,
                other,
            )| {
                ResourceRecord {
                    backend,
                    object,
                    attributes,
                    owned_elements,
                    written_to,
                    dependencies,
                    prevent_destroy,
                    is_being_filled,
                    is_gone,
                    left_to_device: std::collections::BTreeSet::new(),
                    deposed,
                    other,
                }
            },
        )
}

fn any_backend() -> impl Strategy<Value = BackendRecord> {
    (
        ".{0,4}",
        ".{0,8}",
        prop::option::of(".{0,4}"),
        ".{0,8}",
        any::<bool>(),
        any_other(),
        any_other(),
        prop::option::of(".{0,4}"),
        any_other(),
    )
        .prop_map(
            |(
                kind,
                identity,
                boot_id,
                host_name,
                simulated,
                transport,
                capabilities,
                organization,
                other,
            )| {
                BackendRecord {
                    kind,
                    identity,
                    boot_id,
                    host_name,
                    simulated,
                    transport,
                    capabilities,
                    organization,
                    other,
                }
            },
        )
}

fn any_state() -> impl Strategy<Value = State> {
    let resource =
        any_address().prop_flat_map(|address| (Just(address.clone()), any_record(address.kind)));
    let output = prop_oneof![
        any_json().prop_map(|json| OutputRecord::new(Some(json), false)),
        Just(OutputRecord::new(None, true)),
    ];
    (
        any::<[u8; 16]>(),
        0..=State::LARGEST_SERIAL,
        ".{0,8}",
        any::<[u8; 32]>(),
        prop::collection::btree_map("[a-z]{1,4}".prop_map(BackendId::new), any_backend(), 0..3),
        prop::collection::vec(resource, 0..4),
        prop::collection::btree_map(".{0,6}", output, 0..3),
        prop::collection::vec(any_json(), 0..3),
        any_other(),
    )
        .prop_map(
            |(lineage, serial, environment, key, backends, resources, outputs, holds, other)| {
                State {
                    lineage: uuid::Uuid::from_bytes(lineage),
                    serial,
                    environment,
                    fingerprint_key: FingerprintKey::from_bytes(key),
                    backends,
                    resources: resources.into_iter().collect(),
                    outputs,
                    in_flight: holds.clone(),
                    applying: None,
                    holds,
                    applied_plans: vec!["a".to_owned()],
                    applied_at: jiff::Timestamp::from_second(1_772_323_200)
                        .ok()
                        .filter(|_| serial % 2 == 0),
                    other,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_state_reads_back_as_it_was_written(state in any_state()) {
        let bytes = state.to_bytes();
        let again = State::from_bytes(&bytes);
        prop_assert_eq!(again.as_ref(), Ok(&state));
        prop_assert_eq!(again.unwrap().to_bytes(), bytes);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = State::from_bytes(&bytes);
    }

    #[test]
    fn no_damage_to_a_file_makes_the_reader_panic(
        at in 0..FORMAT_1.len(),
        length in 0..40_usize,
        put in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]\",:0\\"[..])], 0..6),
    ) {
        let mut bytes = FORMAT_1.as_bytes().to_vec();
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, put);
        if let Ok(state) = State::from_bytes(&bytes) {
            prop_assert_eq!(State::from_bytes(&state.to_bytes()), Ok(state));
        }
    }
}
