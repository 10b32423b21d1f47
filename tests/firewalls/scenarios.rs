//! What a backend promises of a firewall, as scenarios that begin and end without a tunnel of ours, while WireGuard is on.

use wgform::backend::{Act, Operation, Stop};
use wgform::resource::{Field, Fields, Setting, Settings};

use crate::conformance::bed::{
    REPLACED, addresses, clear, create, create_peer, delete, delete_keyed, delete_peer, elements,
    endpoint, held, keepalive, networks, only, preshared, private, public, set, to, update,
    update_peer, update_peer_with, update_with,
};
use crate::firewalls::{Lab, bare, psk, rekey, text};

/// Hands the names of all scenarios to a macro.
#[macro_export]
macro_rules! firewall_scenarios {
    ($run:ident) => {
        $run! {
            a_firewall_without_tunnels_is_one_all_the_same
            a_created_tunnel_reads_back_and_takes_every_change_where_it_is
            a_port_that_is_not_set_is_one_that_is_free
            foreign_addresses_stay
            a_created_peer_reads_back_and_takes_every_change_where_it_is
            a_preshared_key_is_set_kept_and_cleared
            a_peer_gets_another_key_where_it_is
            a_peer_moves_to_another_tunnel
            what_is_there_is_not_made_again_and_what_is_gone_is_not_changed
            a_tunnel_is_assigned_changed_and_released
            a_tunnel_goes_with_its_peers_and_its_interface
            what_follows_a_failure_is_skipped_and_the_rest_is_done
            a_stop_leaves_the_rest_untouched
        }
    };
}

pub fn a_firewall_without_tunnels_is_one_all_the_same(lab: &Lab) {
    let picture = lab.bed.read();
    assert!(picture.interfaces.is_empty() && !picture.simulated);
    assert!(!picture.capabilities.renames);
    assert_eq!(picture.identity.id, lab.bed.read().identity.id);
}

pub fn a_created_tunnel_reads_back_and_takes_every_change_where_it_is(lab: &Lab) {
    let key = private(1);
    let fields = Fields::from([
        ("description", text("the hub")),
        ("listen_port", Field::Number(51_820)),
        ("addresses", addresses(&["10.8.0.1/24", "fd00:8::1/64"])),
        ("mtu", Field::Number(1400)),
        ("enabled", Field::Bool(true)),
    ]);
    assert_eq!(lab.bed.done(create("wg0", &key, fields.clone())), Fields::new());
    let found = lab.bed.interface("wg0");
    assert_eq!(found.private_key, lab.shows_private_keys.then(|| key.clone()));
    let mut expected = fields;
    expected.insert("public_key", Field::PublicKey(key.public()));
    assert_eq!(found.fields, expected);
    assert!(found.hidden.is_empty() && found.peers.is_empty());
    lab.bed.done(create_peer(public(1), only(&["10.1.0.0/16"])));
    for (name, field) in [
        ("description", text("")),
        ("listen_port", Field::Number(51_999)),
        ("mtu", Field::Number(1300)),
        ("enabled", Field::Bool(false)),
        ("enabled", Field::Bool(true)),
    ] {
        lab.bed.done(update("wg0", to(name, field.clone())));
        expected.insert(name, field);
        assert_eq!(lab.tunnel(), expected, "{name}");
    }
    let told = lab.bed.done(update("wg0", clear("listen_port")));
    assert!(told.contains_key("listen_port"));
    expected.extend(told);
    lab.bed.done(update("wg0", clear("mtu")));
    expected.insert("mtu", Field::Number(1420));
    let mut act = update("wg0", Settings::new());
    if let Act::UpdateInterface { private_key, .. } = &mut act {
        *private_key = Some(private(2));
    }
    lab.bed.done(act);
    expected.insert("public_key", Field::PublicKey(private(2).public()));
    assert_eq!(lab.tunnel(), expected);
    assert_eq!(lab.bed.interface("wg0").peers.len(), 1);
    assert_eq!(lab.bed.failed(delete_keyed("wg0", private(1).public())), REPLACED);
    lab.bed.done(delete_keyed("wg0", private(2).public()));
    lab.bed.done(delete("wg0"));
    assert!(lab.bed.read().interfaces.is_empty());
}

pub fn a_port_that_is_not_set_is_one_that_is_free(lab: &Lab) {
    let first = lab.bed.done(create("wg0", &private(1), Fields::new()));
    let second = lab.bed.done(create("wg1", &private(2), Fields::new()));
    assert!(first.contains_key("listen_port") && first != second, "{first:?} {second:?}");
    for (name, chosen) in [("wg0", first), ("wg1", second)] {
        let found = lab.bed.interface(name).fields;
        assert_eq!(found.get("listen_port"), chosen.get("listen_port"));
        assert_eq!(found.get("mtu"), Some(&Field::Number(1420)));
        assert_eq!(found.get("enabled"), Some(&Field::Bool(true)));
    }
}

pub fn foreign_addresses_stay(lab: &Lab) {
    lab.bed.hub();
    lab.bed.done(update("wg0", elements(&["198.51.100.1/32"], &[])));
    lab.bed.done(update("wg0", elements(&["10.9.0.1/24"], &["10.8.0.1/24"])));
    assert_eq!(held(&lab.bed.interface("wg0")), set(&["10.9.0.1/24", "198.51.100.1/32"]));
}

pub fn a_created_peer_reads_back_and_takes_every_change_where_it_is(lab: &Lab) {
    lab.bed.hub();
    let mut expected = bare([
        ("name", text("phone")),
        ("description", text("a phone")),
        ("preshared_key", psk(preshared(7))),
        ("allowed_ips", networks(&["10.8.0.2/32", "10.20.0.0/16", "fd00:20::/48", "0.0.0.0/0"])),
        ("endpoint", endpoint("192.0.2.7:51820")),
        ("persistent_keepalive", keepalive("100s")),
    ]);
    assert_eq!(lab.bed.done(create_peer(public(1), expected.clone())), Fields::new());
    lab.assert_peer(1, expected.clone(), "created");
    lab.bed.done(create_peer(public(2), only(&["10.99.0.0/16"])));
    for (name, field) in [
        ("description", text("")),
        ("name", text("laptop")),
        ("description", text("a laptop: the old one")),
        ("preshared_key", psk(preshared(8))),
        ("preshared_key", Field::PresharedKey(None)),
        ("allowed_ips", networks(&["10.8.0.2/32", "::/0"])),
        ("allowed_ips", networks(&[])),
        ("endpoint", endpoint("[2001:db8::7]:51821")),
        ("endpoint", endpoint("vpn.example.com:51820")),
        ("persistent_keepalive", keepalive("1m")),
        ("persistent_keepalive", keepalive("off")),
        ("enabled", Field::Bool(false)),
        ("enabled", Field::Bool(true)),
    ] {
        expected.insert(name, field.clone());
        lab.bed.done(update_peer_with(public(1), to(name, field), expected.clone()));
        lab.assert_peer(1, expected.clone(), name);
    }
    expected.remove("endpoint");
    lab.bed.done(update_peer_with(public(1), clear("endpoint"), expected.clone()));
    lab.assert_peer(1, expected, "without an endpoint");
    lab.assert_peer(2, bare(only(&["10.99.0.0/16"])), "the other one");
    lab.bed.done(delete_peer(public(1)));
    lab.bed.done(delete_peer(public(1)));
    assert_eq!(lab.bed.interface("wg0").peers.len(), 1);
}

pub fn a_preshared_key_is_set_kept_and_cleared(lab: &Lab) {
    lab.bed.hub();
    let mut expected = bare([("preshared_key", psk(preshared(7)))]);
    lab.bed.done(create_peer(public(1), expected.clone()));
    lab.bed.done(create_peer(public(2), bare([])));
    lab.bed.done(update_peer(public(1), to("persistent_keepalive", keepalive("5s"))));
    expected.insert("persistent_keepalive", keepalive("5s"));
    lab.assert_peer(1, expected.clone(), "kept");
    lab.bed.done(update_peer(public(1), to("preshared_key", Field::PresharedKey(None))));
    expected.insert("preshared_key", Field::PresharedKey(None));
    lab.assert_peer(1, expected.clone(), "cleared");
    lab.bed.done(update_peer(public(1), to("preshared_key", psk(preshared(9)))));
    expected.insert("preshared_key", psk(preshared(9)));
    lab.assert_peer(1, expected, "set again");
    lab.assert_peer(2, bare([]), "without one");
}

pub fn a_peer_gets_another_key_where_it_is(lab: &Lab) {
    lab.bed.hub();
    let more = [("name", text("phone")), ("preshared_key", psk(preshared(7)))];
    lab.bed.done(create_peer(public(1), bare(more)));
    lab.bed.done(create_peer(public(2), bare([])));
    let mut wanted = only(&["10.1.0.0/16"]);
    wanted.insert("name", text("phone"));
    lab.bed.done(rekey(public(1), public(3), wanted.clone()));
    let both = [("name", text("phone")), ("preshared_key", psk(preshared(7)))];
    let mut expected = bare(both);
    expected.insert("allowed_ips", networks(&["10.1.0.0/16"]));
    lab.assert_peer(3, expected, "with another key");
    let keys: Vec<_> = lab.bed.interface("wg0").peers.into_keys().collect();
    assert_eq!(keys, [public(2), public(3)]);
    let taken = lab.bed.write(vec![rekey(public(3), public(2), wanted)]).remove(0);
    assert_eq!(taken, Err("failed: a peer with that key is there already".to_owned()));
}

pub fn a_peer_moves_to_another_tunnel(lab: &Lab) {
    lab.bed.hub();
    lab.bed.done(create("wg1", &private(2), Fields::new()));
    lab.bed.done(create_peer(public(1), only(&["10.1.0.0/16"])));
    let on_wg1 = Act::CreatePeer {
        interface: "wg1".to_owned(),
        public_key: public(1),
        replaces: None,
        fields: only(&["10.1.0.0/16"]),
    };
    let ended = lab.bed.write(vec![delete_peer(public(1)), on_wg1]);
    assert_eq!(ended, [Ok(Fields::new()), Ok(Fields::new())]);
    assert!(lab.bed.interface("wg0").peers.is_empty());
    assert_eq!(lab.bed.interface("wg1").peers.len(), 1);
}

pub fn what_is_there_is_not_made_again_and_what_is_gone_is_not_changed(lab: &Lab) {
    lab.bed.hub();
    let why = lab.bed.failed(create("wg0", &private(2), Fields::new()));
    assert_eq!(why, "failed: a tunnel of that name is there already");
    lab.bed.done(create_peer(public(1), bare([])));
    let why = lab.bed.failed(create_peer(public(1), only(&["10.1.0.0/16"])));
    assert_eq!(why, "failed: a peer with that key is there already");
    lab.assert_peer(1, bare([]), "made twice");
    let why = lab.bed.failed(update_peer(public(9), to("enabled", Field::Bool(true))));
    assert_eq!(why, "failed: it is gone");
    let why = lab.bed.failed(update("wg7", to("mtu", Field::Number(1300))));
    assert_eq!(why, "failed: it is gone");
    lab.bed.done(delete("wg7"));
    // In one batch, it may be removed first.
    let ended =
        lab.bed.write(vec![delete_peer(public(1)), create_peer(public(1), only(&["10.2.0.0/16"]))]);
    assert_eq!(ended, [Ok(Fields::new()), Ok(Fields::new())]);
    lab.assert_peer(1, bare(only(&["10.2.0.0/16"])), "made again");
}

pub fn a_tunnel_is_assigned_changed_and_released(lab: &Lab) {
    lab.bed.hub();
    lab.bed.done(create_peer(public(1), bare([])));
    let mut assigned = Fields::from([
        ("assign_descr", text("WGFORMTEST")),
        ("assign_addresses", addresses(&["10.8.0.1/24"])),
        ("assign_mtu", Field::Number(1380)),
    ]);
    let mut act = settings(&assigned);
    act.extend(elements(&[], &["10.8.0.1/24"]));
    lab.bed.done(update_with("wg0", act, assigned.clone()));
    let is_assigned = |wanted: &Fields| {
        let found = lab.bed.interface("wg0");
        assert_eq!(held(&found), set(&[]));
        let parts = found.fields.into_iter().filter(|(name, _)| name.starts_with("assign"));
        assert_eq!(parts.collect::<Fields>(), *wanted);
    };
    is_assigned(&assigned);
    for (name, field) in [
        ("assign_descr", text("WGFORMOTHER")),
        ("assign_addresses", addresses(&["10.8.0.9/24", "fd00:8::9/64"])),
        ("assign_addresses", addresses(&["fd00:8::9/64"])),
        ("assign_mtu", Field::Number(1400)),
    ] {
        assigned.insert(name, field.clone());
        lab.bed.done(update_with("wg0", to(name, field), assigned.clone()));
        is_assigned(&assigned);
    }
    // Its own attributes, and its peers, are changed as ever.
    lab.bed.done(update_with("wg0", to("description", text("hub")), assigned.clone()));
    lab.bed.done(update_peer(public(1), to("persistent_keepalive", keepalive("5s"))));
    is_assigned(&assigned);
    let why = lab.bed.failed(update_with("wg0", elements(&["10.8.0.1/24"], &[]), assigned.clone()));
    assert_eq!(why, "failed: `addresses` cannot be written like this on a firewall");
    let mut release: Settings = assigned.into_keys().map(|name| (name, Setting::Clear)).collect();
    release.extend(elements(&["10.8.0.1/24"], &[]));
    lab.bed.done(update("wg0", release));
    let found = lab.bed.interface("wg0");
    assert_eq!(held(&found), set(&["10.8.0.1/24"]));
    assert!(!found.fields.keys().any(|name| name.starts_with("assign")));
    assert_eq!(found.peers.len(), 1);
}

fn settings(fields: &Fields) -> Settings {
    fields.iter().map(|(name, field)| (*name, Setting::To(field.clone()))).collect()
}

pub fn a_tunnel_goes_with_its_peers_and_its_interface(lab: &Lab) {
    let assigned = Fields::from([
        ("assign_descr", text("WGFORMTEST")),
        ("assign_addresses", addresses(&["10.8.0.1/24"])),
    ]);
    lab.bed.done(create("wg0", &private(1), assigned.clone()));
    for number in 0..3 {
        lab.bed.done(create_peer(public(number), bare([])));
    }
    lab.bed.done(delete("wg0"));
    let picture = lab.bed.read();
    assert!(picture.interfaces.is_empty());
    let orphans = "objects of a tunnel that is gone";
    assert!(!picture.remarks.iter().any(|it| it.summary == orphans), "{:?}", picture.remarks);
    // One of the same name takes on nothing.
    lab.bed.done(create("wg0", &private(2), assigned));
    assert!(lab.bed.interface("wg0").peers.is_empty());
}

pub fn what_follows_a_failure_is_skipped_and_the_rest_is_done(lab: &Lab) {
    lab.bed.hub();
    let operation = |after: &[usize], act| Operation { after: after.to_vec(), act };
    let ended = lab.bed.write_batch(
        vec![
            operation(&[], create_peer(public(1), only(&["10.1.0.0/16"]))),
            operation(&[], update_peer(public(9), to("enabled", Field::Bool(true)))),
            operation(&[1], create_peer(public(2), only(&["10.2.0.0/16"]))),
            operation(&[0], create_peer(public(3), only(&["10.3.0.0/16"]))),
        ],
        Stop::default(),
    );
    let short: Vec<&str> =
        ended.iter().map(|end| end.as_ref().map_or_else(String::as_str, |_| "done")).collect();
    assert_eq!(short, ["done", "failed: it is gone", "skipped after 1", "done"]);
    let keys: Vec<_> = lab.bed.interface("wg0").peers.into_keys().collect();
    assert_eq!(keys, [public(1), public(3)]);
}

pub fn a_stop_leaves_the_rest_untouched(lab: &Lab) {
    let stop = Stop::default();
    stop.raise();
    let act = create("wg0", &private(1), Fields::new());
    let ended = lab.bed.write_batch(vec![Operation { after: vec![], act }], stop);
    assert_eq!(ended, [Err("not started".to_owned())]);
    assert_eq!((lab.asked)(""), 0);
    assert!(lab.bed.read().interfaces.is_empty());
}
