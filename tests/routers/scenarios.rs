//! What a backend promises of a router, as scenarios that begin and end without an interface of ours.

use std::collections::BTreeSet;

use wgform::backend::{Act, Operation, Stop};
use wgform::resource::{BackendKind, Field, Fields, Setting, Settings};
use wgform::value::{GatewayCheck, Route};

use crate::conformance::bed::{
    REPLACED, addresses, clear, create, create_peer, delete, delete_keyed, delete_peer, elements,
    endpoint, held, keepalive, networks, only, preshared, private, public, set, to, update,
    update_peer,
};
use crate::routers::{Lab, assert_has, create_without_key, names, set_routes, text};

/// Hands the names of all scenarios to a macro.
#[macro_export]
macro_rules! router_scenarios {
    ($run:ident) => {
        $run! {
            a_router_without_interfaces_is_one_all_the_same
            a_created_interface_reads_back_and_takes_every_change_where_it_is
            a_port_that_is_not_set_is_chosen_by_the_router
            a_router_makes_the_key_that_it_is_not_given
            foreign_addresses_stay
            an_address_gets_another_length_and_its_network
            a_created_peer_reads_back_and_takes_every_change_where_it_is
            routes_come_and_go_and_foreign_ones_stay
            a_route_leads_to_a_gateway_in_a_table_and_is_changed_where_it_is
            what_follows_a_failure_is_skipped_and_the_rest_is_done
        }
    };
}

pub fn a_router_without_interfaces_is_one_all_the_same(lab: &Lab) {
    let picture = lab.read();
    assert!(picture.interfaces.is_empty());
    assert!(!picture.other_links.is_empty());
    assert_eq!((picture.kind, picture.simulated), (BackendKind::RouterOs, false));
    assert!(!picture.identity.id.is_empty());
    assert!(picture.capabilities.renames);
    let has_vrf = !picture.capabilities.lacks.iter().any(|it| it.attribute == "vrf");
    assert_eq!(has_vrf, lab.minor >= 21);
}

pub fn a_created_interface_reads_back_and_takes_every_change_where_it_is(lab: &Lab) {
    let held_addresses: &[&str] = match lab.has_ipv6 {
        true => &["10.8.0.1/24", "fd00:8::1/64"],
        false => &["10.8.0.1/24"],
    };
    let fields = Fields::from([
        ("description", text("the hub")),
        ("listen_port", Field::Number(51_820)),
        ("addresses", addresses(held_addresses)),
        ("mtu", Field::Number(1400)),
        ("enabled", Field::Bool(true)),
        ("interface_lists", names(&["LAN"])),
    ]);
    let key = private(1);
    assert_eq!(lab.bed.done(create("wg0", &key, fields.clone())), Fields::new());
    let found = lab.read().interfaces.remove("wg0").unwrap();
    assert_eq!(found.private_key, Some(key.clone()));
    assert_has(&found.fields, &fields);
    assert_eq!(found.fields.get("public_key"), Some(&Field::PublicKey(key.public())));
    lab.bed.done(create_peer(public(1), only(&["10.1.0.0/16"])));
    for (name, field) in [
        ("description", text("")),
        ("listen_port", Field::Number(51_999)),
        ("mtu", Field::Number(1300)),
        ("enabled", Field::Bool(false)),
        ("enabled", Field::Bool(true)),
    ] {
        let mut expected = lab.interface();
        lab.bed.done(update("wg0", to(name, field.clone())));
        expected.insert(name, field);
        assert_eq!(lab.interface(), expected, "{name}");
    }
    let lists =
        Setting::Names { add: ["WAN".to_owned()].into(), remove: ["LAN".to_owned()].into() };
    lab.bed.done(update("wg0", Settings::from([("interface_lists", lists)])));
    assert_eq!(lab.interface().get("interface_lists"), Some(&names(&["WAN"])));
    lab.bed.done(Act::UpdateInterface {
        name: "wg0".to_owned(),
        rename: Some("wg9".to_owned()),
        private_key: Some(private(2)),
        key_file: None,
        own_keys: Default::default(),
        settings: Settings::new(),
        wanted: Fields::new(),
        around: Default::default(),
    });
    let picture = lab.read();
    let found = &picture.interfaces["wg9"];
    let public_key = Field::PublicKey(private(2).public());
    assert_eq!(found.fields.get("public_key"), Some(&public_key));
    assert_eq!(found.peers.len(), 1);
    assert_eq!(held(found), set(held_addresses));
    assert_eq!(lab.bed.failed(delete_keyed("wg9", private(1).public())), REPLACED);
    lab.bed.done(delete_keyed("wg9", private(2).public()));
    lab.bed.done(delete("wg9"));
    let picture = lab.read();
    assert!(picture.interfaces.is_empty());
    // Nothing is left that refers to it.
    let orphans = "objects of an interface that is gone";
    assert!(!picture.remarks.iter().any(|it| it.summary == orphans), "{:?}", picture.remarks);
}

pub fn a_port_that_is_not_set_is_chosen_by_the_router(lab: &Lab) {
    let chosen = lab.bed.done(create("wg0", &private(1), Fields::new()));
    assert!(chosen.contains_key("listen_port"));
    assert_has(&lab.interface(), &chosen);
}

pub fn a_router_makes_the_key_that_it_is_not_given(lab: &Lab) {
    let told = lab.bed.done(create_without_key("wg0", Fields::new()));
    let found = lab.bed.interface("wg0");
    let key = found.private_key.unwrap().public();
    assert_eq!(told.get("public_key"), Some(&Field::PublicKey(key)));
    assert_has(&found.fields, &told);
}

pub fn foreign_addresses_stay(lab: &Lab) {
    lab.bed.hub();
    lab.bed.done(update("wg0", elements(&["192.0.2.1/32"], &[])));
    lab.bed.done(update("wg0", elements(&["10.9.0.1/24"], &["10.8.0.1/24"])));
    let found = lab.bed.interface("wg0");
    assert_eq!(held(&found), set(&["10.9.0.1/24", "192.0.2.1/32"]));
}

pub fn an_address_gets_another_length_and_its_network(lab: &Lab) {
    let lengths: &[(&str, &str, &str)] = match lab.has_ipv6 {
        true => {
            &[("10.8.0.129/24", "10.8.0.129/25", "ip"), ("fd00:8::1/64", "fd00:8::1/112", "ipv6")]
        }
        false => &[("10.8.0.129/24", "10.8.0.129/25", "ip")],
    };
    for (old, new, family) in lengths {
        lab.bed.done(create("wg0", &private(1), Fields::from([("addresses", addresses(&[old]))])));
        lab.bed.done(update("wg0", elements(&[new], &[old])));
        assert_eq!(held(&lab.bed.interface("wg0")), set(&[new]));
        // It was there all the time.
        assert_eq!((lab.asked)(&format!("DELETE /rest/{family}/address")), 0);
        lab.bed.done(delete("wg0"));
    }
}

pub fn a_created_peer_reads_back_and_takes_every_change_where_it_is(lab: &Lab) {
    lab.bed.hub();
    let mut fields = Fields::from([
        ("description", text("a phone")),
        ("enabled", Field::Bool(true)),
        ("preshared_key", Field::PresharedKey(Some(preshared(7)))),
        ("allowed_ips", networks(&["10.8.0.2/32", "10.20.0.0/16", "fd00:20::/48"])),
        ("endpoint", endpoint("192.0.2.7:51820")),
        ("persistent_keepalive", keepalive("100s")),
        ("client_address", addresses(&["10.8.0.2/32"])),
        (
            "client_dns",
            Field::Servers(vec!["10.8.0.53".parse().unwrap(), "9.9.9.9".parse().unwrap()]),
        ),
        ("client_endpoint", text("vpn.example.com:51820")),
        ("client_keepalive", keepalive("25s")),
        ("client_private_key", Field::PrivateKey(private(5))),
    ]);
    if lab.minor >= 15 {
        fields.insert("name", text("phone"));
        fields.insert("responder", Field::Bool(true));
    }
    assert_eq!(lab.bed.done(create_peer(public(1), fields.clone())), Fields::new());
    assert_has(&lab.peer(1), &fields);
    lab.bed.done(create_peer(public(2), only(&["10.99.0.0/16"])));
    let other = lab.peer(2);
    for (name, field) in [
        ("description", text("")),
        ("preshared_key", Field::PresharedKey(Some(preshared(8)))),
        ("preshared_key", Field::PresharedKey(None)),
        ("allowed_ips", networks(&["10.8.0.2/32", "::/0"])),
        ("endpoint", endpoint("[2001:db8::7]:51821")),
        ("endpoint", endpoint("vpn.example.com:51820")),
        ("persistent_keepalive", keepalive("1m")),
        ("persistent_keepalive", keepalive("off")),
        ("enabled", Field::Bool(false)),
        ("enabled", Field::Bool(true)),
        ("client_endpoint", text("")),
    ] {
        let mut expected = lab.peer(1);
        lab.bed.done(update_peer(public(1), to(name, field.clone())));
        expected.insert(name, field);
        assert_eq!(lab.peer(1), expected, "{name}");
    }
    lab.bed.done(update_peer(public(1), clear("endpoint")));
    assert_eq!(lab.peer(1).get("endpoint"), None);
    assert_eq!(lab.peer(2), other);
    lab.bed.done(delete_peer(public(1)));
    lab.bed.done(delete_peer(public(1)));
    assert_eq!(lab.bed.interface("wg0").peers.len(), 1);
}

pub fn routes_come_and_go_and_foreign_ones_stay(lab: &Lab) {
    lab.bed.hub();
    let route = |to: &str| Route::new(to.parse().unwrap(), Route::MAIN, None);
    let far = Route::new("10.30.0.0/16".parse().unwrap(), Route::MAIN, Some(7));
    let ours = || lab.own_routes();
    let foreign = lab.read().routing.routes.len();
    lab.bed.done(set_routes(&[route("10.20.0.0/16"), far]));
    assert_eq!(ours(), [route("10.20.0.0/16"), far].into());
    lab.bed.done(set_routes(&[route("10.20.0.0/16"), route("10.40.0.0/16")]));
    assert_eq!(ours(), [route("10.20.0.0/16"), route("10.40.0.0/16")].into());
    lab.bed.done(delete("wg0"));
    assert_eq!((ours(), lab.read().routing.routes.len()), (BTreeSet::new(), foreign));
    lab.bed.done(set_routes(&[]));
}

pub fn a_route_leads_to_a_gateway_in_a_table_and_is_changed_where_it_is(lab: &Lab) {
    lab.bed.hub();
    (lab.add_table)("vpn");
    let table = lab.read().routing.table_names["vpn"];
    let (to, gateway) = ("10.20.0.0/16".parse().unwrap(), "10.0.0.2".parse().unwrap());
    let route = Route::new(to, table, Some(7));
    let checked = route.through(Some(gateway), Some(GatewayCheck::Ping));
    let mut made = 0;
    for wanted in [route, checked, route.through(Some(gateway), None), route] {
        lab.bed.done(set_routes(&[wanted]));
        assert_eq!(lab.own_routes(), [wanted].into(), "{wanted}");
        made = made.max((lab.asked)("PUT /rest/ip/route"));
    }
    assert_eq!((made, (lab.asked)("DELETE /rest/ip/route")), (1, 0));
    lab.bed.done(set_routes(&[checked]));
    let mut rename = update("wg0", Settings::new());
    if let Act::UpdateInterface { rename, .. } = &mut rename {
        *rename = Some("wg1".to_owned());
    }
    lab.bed.done(rename);
    let leads_to = &lab.read().routing.routes[&checked].device;
    assert_eq!(leads_to.as_deref(), Some("wg1"));
    lab.bed.done(delete("wg1"));
    assert_eq!(lab.own_routes(), BTreeSet::new());
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
    assert_eq!(short, ["done", "failed: the peer is gone", "skipped after 1", "done"]);
    let keys: Vec<_> = lab.bed.interface("wg0").peers.into_keys().collect();
    assert_eq!(keys, [public(1), public(3)]);
}
