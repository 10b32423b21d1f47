//! Scenarios on peers.

use std::collections::BTreeSet;

use wgform::backend::{Act, Operation, Stop};
use wgform::resource::{Field, Fields};
use wgform::value::Prefix;

use crate::conformance::bed::{
    Bed, allowed, clear, create, create_peer, delete_peer, endpoint, hub_fields, keepalive,
    networks, only, preshared, private, public, to, update, update_peer, update_peer_with,
};

/// All that a peer can have.
fn full() -> Fields {
    Fields::from([
        ("enabled", Field::Bool(true)),
        ("preshared_key", Field::PresharedKey(Some(preshared(7)))),
        ("allowed_ips", networks(&["10.8.0.2/32", "10.20.0.0/16", "fd00:20::/48", "0.0.0.0/0"])),
        ("endpoint", endpoint("192.0.2.7:51820")),
        ("persistent_keepalive", keepalive("25s")),
    ])
}

pub fn a_created_peer_reads_back(bed: &Bed) {
    bed.hub();
    assert_eq!(bed.done(create_peer(public(1), full())), Fields::new());
    let found = bed.peer("wg0", &public(1));
    assert_eq!(found.fields, full());
    assert_eq!((found.handshake_age, found.received), (None, 0));
    bed.done(create_peer(public(2), only(&[])));
    let bare = Fields::from([
        ("enabled", Field::Bool(true)),
        ("preshared_key", Field::PresharedKey(None)),
        ("allowed_ips", networks(&[])),
        ("persistent_keepalive", keepalive("off")),
    ]);
    assert_eq!(bed.peer("wg0", &public(2)).fields, bare);
}

pub fn every_attribute_of_a_peer_can_be_changed(bed: &Bed) {
    bed.hub();
    bed.done(create_peer(public(1), full()));
    bed.done(create_peer(public(2), only(&["10.99.0.0/16"])));
    let other = bed.peer("wg0", &public(2)).fields;
    let changes = [
        ("preshared_key", Field::PresharedKey(Some(preshared(8)))),
        ("allowed_ips", networks(&["10.8.0.2/32", "10.21.0.0/16"])),
        ("allowed_ips", networks(&["10.8.0.2/32", "10.21.0.0/16", "10.22.0.0/16"])),
        ("allowed_ips", networks(&[])),
        ("endpoint", endpoint("[2001:db8::7]:51821")),
        ("persistent_keepalive", keepalive("1m")),
        ("persistent_keepalive", keepalive("off")),
    ];
    for (name, field) in changes {
        let mut expected = bed.peer("wg0", &public(1)).fields;
        bed.done(update_peer(public(1), to(name, field.clone())));
        expected.insert(name, field);
        assert_eq!(bed.peer("wg0", &public(1)).fields, expected, "{name}");
    }
    // An endpoint cannot be forgotten, so that clearing it leaves what is there.
    bed.done(update_peer(public(1), to("persistent_keepalive", keepalive("9s"))));
    let before = bed.peer("wg0", &public(1)).fields;
    bed.done(update_peer(public(1), clear("endpoint")));
    assert_eq!(bed.peer("wg0", &public(1)).fields, before);
    bed.done(update_peer(public(1), clear("persistent_keepalive")));
    let found = bed.peer("wg0", &public(1)).fields;
    assert_eq!(found.get("persistent_keepalive"), Some(&keepalive("off")));
    assert_eq!(bed.peer("wg0", &public(2)).fields, other);
}

pub fn a_name_is_resolved_and_the_address_is_told(bed: &Bed) {
    bed.hub();
    let mut fields = only(&["10.8.0.2/32"]);
    fields.insert("endpoint", endpoint("localhost:51820"));
    let told = bed.done(create_peer(public(1), fields));
    let found = bed.peer("wg0", &public(1));
    assert_eq!(found.fields.get("endpoint"), told.get("endpoint"));
    assert!(matches!(told.get("endpoint"), Some(Field::Endpoint(it)) if it.socket().is_some()));
    // An address needs no words.
    let settings = to("endpoint", endpoint("192.0.2.9:1"));
    assert_eq!(bed.done(update_peer(public(1), settings)), Fields::new());
}

pub fn a_name_that_does_not_resolve_fails_only_its_peer(bed: &Bed) {
    bed.hub();
    let mut fields = only(&["10.8.0.2/32"]);
    fields.insert("endpoint", endpoint("nobody.invalid:51820"));
    let ended = bed.write(vec![
        create_peer(public(1), only(&["10.8.0.1/32"])),
        create_peer(public(2), fields),
        create_peer(public(3), only(&["10.8.0.3/32"])),
    ]);
    assert_eq!(ended[0], Ok(Fields::new()));
    assert_eq!(ended[1], Err("failed: the name `nobody.invalid` does not resolve".to_owned()));
    assert_eq!(ended[2], Ok(Fields::new()));
    let keys: Vec<_> = bed.interface("wg0").peers.into_keys().collect();
    assert_eq!(keys, [public(1), public(3)]);
}

pub fn a_preshared_key_is_set_kept_and_cleared(bed: &Bed) {
    bed.hub();
    bed.done(create_peer(public(1), full()));
    let held = || bed.peer("wg0", &public(1)).fields.remove("preshared_key");
    bed.done(update_peer(public(1), to("persistent_keepalive", keepalive("5s"))));
    assert_eq!(held(), Some(Field::PresharedKey(Some(preshared(7)))));
    bed.done(update_peer(public(1), to("preshared_key", Field::PresharedKey(None))));
    assert_eq!(held(), Some(Field::PresharedKey(None)));
}

pub fn an_allowed_ip_moves_from_peer_to_peer(bed: &Bed) {
    bed.hub();
    bed.done(create_peer(public(1), only(&["10.1.0.0/16", "10.2.0.0/16"])));
    bed.done(create_peer(public(2), only(&["10.3.0.0/16"])));
    // One batch, the giver first: both lists are owned whole.
    let ended = bed.write(vec![
        update_peer(public(1), to("allowed_ips", networks(&["10.1.0.0/16"]))),
        update_peer(public(2), to("allowed_ips", networks(&["10.2.0.0/16", "10.3.0.0/16"]))),
    ]);
    assert_eq!(ended, [Ok(Fields::new()), Ok(Fields::new())]);
    assert_eq!(allowed(&bed.peer("wg0", &public(1))), ["10.1.0.0/16"]);
    assert_eq!(allowed(&bed.peer("wg0", &public(2))), ["10.2.0.0/16", "10.3.0.0/16"]);
    // A rotation needs no order: the last write wins.
    let ended = bed.write(vec![
        update_peer(public(1), to("allowed_ips", networks(&["10.2.0.0/16", "10.3.0.0/16"]))),
        update_peer(public(2), to("allowed_ips", networks(&["10.1.0.0/16"]))),
    ]);
    assert_eq!(ended, [Ok(Fields::new()), Ok(Fields::new())]);
    assert_eq!(allowed(&bed.peer("wg0", &public(1))), ["10.2.0.0/16", "10.3.0.0/16"]);
    // Where two want the same one, the host gives it to the last, and the first is told.
    let ended = bed.write(vec![
        update_peer(public(1), to("allowed_ips", networks(&["10.9.0.0/16"]))),
        update_peer(public(2), to("allowed_ips", networks(&["10.9.0.0/16"]))),
    ]);
    assert_eq!(
        ended[0],
        Err("failed: the device was read again after the write, and `allowed_ips` is not what was written".to_owned())
    );
    assert_eq!(ended[1], Ok(Fields::new()));
}

pub fn five_thousand_allowed_ips_are_written_and_changed(bed: &Bed) {
    bed.hub();
    let prefix = |n: u32| -> Prefix { format!("10.{}.{}.0/25", n / 256, n % 256).parse().unwrap() };
    let many = |range: std::ops::Range<u32>| -> BTreeSet<Prefix> { range.map(prefix).collect() };
    let mut fields = full();
    fields.insert("allowed_ips", Field::Prefixes(many(0..5000)));
    bed.done(create_peer(public(1), fields.clone()));
    assert_eq!(bed.peer("wg0", &public(1)).fields, fields);
    for wanted in [many(0..5100), many(100..5100), many(3..4)] {
        let field = Field::Prefixes(wanted);
        bed.done(update_peer(public(1), to("allowed_ips", field.clone())));
        fields.insert("allowed_ips", field);
        assert_eq!(bed.peer("wg0", &public(1)).fields, fields);
    }
}

pub fn a_thousand_peers_are_one_batch(bed: &Bed) {
    bed.hub();
    let fields = |n: u32| {
        let mut fields = full();
        let v4 = format!("10.100.{}.{}/32", n / 256, n % 256);
        let v6 = format!("fd00:100::{n:x}/128");
        fields.insert("allowed_ips", networks(&[&v4, &v6]));
        fields
    };
    let ended = bed.write((0..1000).map(|n| create_peer(public(n), fields(n))).collect());
    assert!(ended.iter().all(Result::is_ok));
    let found = bed.interface("wg0");
    assert_eq!(found.peers.len(), 1000);
    for n in 0..1000 {
        assert_eq!(found.peers[&public(n)].fields, fields(n), "{n}");
    }
    let ended = bed.write((1..1000).map(|n| delete_peer(public(n))).collect());
    assert!(ended.iter().all(Result::is_ok));
    assert_eq!(bed.interface("wg0").peers.len(), 1);
}

pub fn foreign_peers_stay(bed: &Bed) {
    bed.hub();
    // Made by somebody else, as far as the next batch knows.
    bed.done(create_peer(public(9), full()));
    let foreign = bed.peer("wg0", &public(9)).fields;
    bed.write(vec![
        create_peer(public(1), only(&["10.1.0.0/16"])),
        create_peer(public(2), only(&["10.2.0.0/16"])),
        update("wg0", to("fwmark", Field::Number(3))),
        update_peer(public(1), to("allowed_ips", networks(&["10.3.0.0/16"]))),
        delete_peer(public(2)),
    ]);
    assert_eq!(bed.peer("wg0", &public(9)).fields, foreign);
    assert_eq!(bed.interface("wg0").peers.len(), 2);
}

pub fn a_disabled_peer_is_absent_and_comes_back(bed: &Bed) {
    bed.hub();
    let mut fields = full();
    fields.insert("enabled", Field::Bool(false));
    bed.done(create_peer(public(1), fields.clone()));
    assert!(bed.interface("wg0").peers.is_empty());
    // A change of one that is disabled has nothing to write.
    bed.done(update_peer_with(public(1), to("persistent_keepalive", keepalive("5s")), fields));
    assert!(bed.interface("wg0").peers.is_empty());
    for enabled in [true, true, false, false] {
        let mut wanted = full();
        wanted.insert("enabled", Field::Bool(enabled));
        bed.done(update_peer_with(public(1), to("enabled", Field::Bool(enabled)), wanted));
        match enabled {
            true => assert_eq!(bed.peer("wg0", &public(1)).fields, full()),
            false => assert!(bed.interface("wg0").peers.is_empty()),
        }
    }
}

pub fn a_peer_that_is_there_is_not_made_again(bed: &Bed) {
    bed.hub();
    bed.done(create_peer(public(1), full()));
    let why = bed.failed(create_peer(public(1), only(&[])));
    assert_eq!(why, "failed: a peer with that key is there already");
    assert_eq!(bed.peer("wg0", &public(1)).fields, full());
    // In one batch, it may be removed first.
    let ended = bed.write(vec![delete_peer(public(1)), create_peer(public(1), only(&[]))]);
    assert_eq!(ended, [Ok(Fields::new()), Ok(Fields::new())]);
    assert!(allowed(&bed.peer("wg0", &public(1))).is_empty());
}

pub fn a_peer_that_is_gone_is_not_made_by_an_update(bed: &Bed) {
    bed.hub();
    let settings = to("persistent_keepalive", keepalive("5s"));
    assert_eq!(bed.failed(update_peer(public(1), settings)), "failed: the peer is gone");
    assert!(bed.interface("wg0").peers.is_empty());
    bed.done(delete_peer(public(1)));
}

pub fn the_interfaces_own_key_is_no_peer(bed: &Bed) {
    let own = bed.hub();
    let why = bed.failed(create_peer(own, only(&["10.8.0.2/32"])));
    assert_eq!(
        why,
        "failed: that is the interface's own public key, and WireGuard drops such a peer"
    );
}

pub fn what_follows_a_failure_is_skipped_and_the_rest_is_done(bed: &Bed) {
    bed.hub();
    let operation = |after: &[usize], act| Operation { after: after.to_vec(), act };
    let on_wg1 = Act::CreatePeer {
        interface: "wg1".to_owned(),
        public_key: public(4),
        replaces: None,
        fields: only(&["10.4.0.0/16"]),
    };
    let ended = bed.write_batch(
        vec![
            operation(&[], create_peer(public(1), only(&["10.1.0.0/16"]))),
            operation(&[], update_peer(public(9), to("allowed_ips", networks(&[])))),
            operation(&[1], create_peer(public(2), only(&["10.2.0.0/16"]))),
            operation(&[0], create("wg1", &private(2), Fields::new())),
            operation(&[3], on_wg1),
            operation(&[2], update("wg0", to("mtu", Field::Number(1300)))),
            operation(&[0, 4], create_peer(public(3), only(&["10.3.0.0/16"]))),
            operation(&[5, 0], delete_peer(public(1))),
        ],
        Stop::default(),
    );
    let short: Vec<&str> =
        ended.iter().map(|end| end.as_ref().map_or_else(String::as_str, |_| "done")).collect();
    let expected = [
        "done",
        "failed: the peer is gone",
        "skipped after 1",
        "done",
        "done",
        "skipped after 2",
        "done",
        "skipped after 5",
    ];
    assert_eq!(short, expected);
    let keys: Vec<_> = bed.interface("wg0").peers.into_keys().collect();
    assert_eq!(keys, [public(1), public(3)]);
    assert_eq!(bed.interface("wg0").fields.get("mtu"), Some(&Field::Number(1420)));
}

pub fn a_stop_leaves_the_rest_untouched(bed: &Bed) {
    let stop = Stop::default();
    stop.raise();
    let act = create("wg0", &private(1), hub_fields());
    let ended = bed.write_batch(vec![Operation { after: vec![], act }], stop);
    assert_eq!(ended, [Err("not started".to_owned())]);
    assert!(bed.read().interfaces.is_empty());
}

pub fn peers_of_an_interface_that_is_gone_count_as_deleted(bed: &Bed) {
    assert_eq!(bed.done(delete_peer(public(1))), Fields::new());
    let why = bed.failed(create_peer(public(1), only(&[])));
    assert_eq!(why, "failed: the link is gone");
    assert!(bed.read().interfaces.is_empty());
}
