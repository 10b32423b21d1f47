//! The conformance suite over wireguard-go, each scenario in a sandbox of its own, and what only real packets show.

#![expect(clippy::disallowed_methods, reason = "one test runs itself again")]

mod conformance;
mod sandbox;

use std::collections::BTreeMap;
use std::path::PathBuf;

use wgform::backend::linux::Linux;
use wgform::config::Driver;
use wgform::resource::{Field, Fields};

use crate::conformance::bed::{
    addresses, create, create_peer, delete, endpoint, id, keepalive, only, private, public, to,
    update_peer, world,
};
use crate::conformance::{Bed, Kind};
use crate::sandbox::{ping, sandboxed, sh, two_hosts};

scenarios!(userspace);

fn userspace(name: &str, scenario: fn(&Bed)) {
    sandboxed(name, &["wireguard-go"], || scenario(&bed(None)));
}

fn bed(netns: Option<&str>) -> Bed {
    let world = world(BTreeMap::new(), PathBuf::from("/nowhere"));
    let netns = netns.map(str::to_owned);
    Bed {
        kind: Kind::Userspace,
        backend: Box::new(Linux::real(id(), netns, Driver::Userspace, world)),
        add_other_link: Box::new(|name| drop(sh(&format!("ip tuntap add {name} mode tun")))),
    }
}

#[test]
fn packets_cross_a_tunnel_and_other_sessions_outlive_a_change() {
    sandboxed(
        "packets_cross_a_tunnel_and_other_sessions_outlive_a_change",
        &["wireguard-go", "wg", "ping"],
        || {
            two_hosts();
            let (a, b) = (bed(Some("a")), bed(Some("b")));
            tunnel(
                &b,
                "wgb",
                2,
                "10.77.0.2/24",
                private(1).public(),
                "10.77.0.1/32",
                "198.51.100.1:51820",
            );
            tunnel(
                &a,
                "wgx",
                1,
                "10.77.0.1/24",
                private(2).public(),
                "10.77.0.2/32",
                "198.51.100.2:51820",
            );
            ping("a", "10.77.0.2");
            let before = a.peer("wgx", &private(2).public());
            assert!(before.has_session());
            assert!(before.received > 0 && before.sent > 0);
            assert!(a.read().identity.id.ends_with("#netns=a"));
            assert_ne!(a.read().identity.id, b.read().identity.id);
            assert!(!b.read().interfaces.contains_key("wgx"));
            // Another peer comes, changes and goes.
            let other = |act: fn(&str) -> wgform::backend::Act| a.done(act("wgx"));
            other(|on| on_interface(on, create_peer(public(9), only(&["10.99.0.0/16"]))));
            other(|on| {
                on_interface(
                    on,
                    update_peer(public(9), to("persistent_keepalive", keepalive("9s"))),
                )
            });
            ping("a", "10.77.0.2");
            let after = a.peer("wgx", &private(2).public());
            assert!(after.has_session() && after.received > before.received);
            let shown = sh("wg show wgx latest-handshakes");
            assert!(shown.contains(&private(2).public().to_string()), "{shown}");
        },
    );
}

fn tunnel(
    bed: &Bed,
    name: &str,
    number: u32,
    address: &str,
    peer: wgform::value::PublicKey,
    allowed: &str,
    far_end: &str,
) {
    let fields = Fields::from([
        ("listen_port", Field::Number(51_820)),
        ("addresses", addresses(&[address])),
    ]);
    bed.done(create(name, &private(number), fields));
    let mut fields = only(&[allowed]);
    fields.insert("endpoint", endpoint(far_end));
    bed.done(on_interface(name, create_peer(peer, fields)));
}

/// Turns an act on `wg0` into the same on another interface.
fn on_interface(name: &str, act: wgform::backend::Act) -> wgform::backend::Act {
    use wgform::backend::Act;
    let interface = name.to_owned();
    match act {
        Act::CreatePeer { interface: _, public_key, fields } => {
            Act::CreatePeer { interface, public_key, fields }
        }
        Act::UpdatePeer { interface: _, public_key, settings, wanted } => {
            Act::UpdatePeer { interface, public_key, settings, wanted }
        }
        other => other,
    }
}

#[test]
fn a_namespace_that_is_not_there_says_how_to_make_it() {
    sandboxed("a_namespace_that_is_not_there_says_how_to_make_it", &[], || {
        let bed = bed(Some("blue"));
        let error = conformance::bed::wait(bed.backend.read(&Default::default())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "could not enter the network namespace `blue` on backend `hq`: there is no network namespace `blue`"
        );
        assert_eq!(error.hints, ["make it with `ip netns add blue`"]);
        let why = bed.failed(delete("wg0"));
        assert_eq!(why, "failed: there is no network namespace `blue`");
    });
}

#[test]
fn a_socket_that_a_killed_process_left_is_no_interface() {
    sandboxed("a_socket_that_a_killed_process_left_is_no_interface", &["wireguard-go"], || {
        let bed = bed(None);
        bed.hub();
        sh(
            "kill -9 $(pidof wireguard-go); while ip link show wg0 2>/dev/null; do sleep 0.01; done; test -e /run/wireguard/wg0.sock",
        );
        assert!(bed.read().interfaces.is_empty());
        bed.hub();
        assert_eq!(bed.read().interfaces.len(), 1);
    });
}

#[test]
fn one_name_cannot_be_used_in_two_namespaces() {
    sandboxed("one_name_cannot_be_used_in_two_namespaces", &["wireguard-go"], || {
        two_hosts();
        let (a, b) = (bed(Some("a")), bed(Some("b")));
        a.hub();
        let why = b.failed(create("wg0", &private(2), Fields::new()));
        assert_eq!(
            why,
            "failed: a userspace WireGuard of that name runs in another network namespace"
        );
        assert_eq!(a.read().interfaces.len(), 1);
        assert!(b.read().interfaces.is_empty());
    });
}

#[test]
fn without_a_program_the_package_is_named() {
    sandboxed("without_a_program_the_package_is_named", &[], || {
        let environment = BTreeMap::from([(
            "WG_USERSPACE_IMPLEMENTATION".to_owned(),
            "/nowhere/wireguard-none".to_owned(),
        )]);
        let world = world(environment, PathBuf::from("/nowhere"));
        let backend = Box::new(Linux::real(id(), None, Driver::Userspace, world));
        let bed = Bed { backend, ..bed(None) };
        let why = bed.failed(create("wg0", &private(1), Fields::new()));
        assert_eq!(
            why,
            "failed: there is no WireGuard here: `/nowhere/wireguard-none` is not installed"
        );
        assert!(bed.read().interfaces.is_empty());
    });
}

#[test]
fn a_link_that_was_deleted_outside_is_gone_and_comes_back_with_its_key() {
    sandboxed(
        "a_link_that_was_deleted_outside_is_gone_and_comes_back_with_its_key",
        &["wireguard-go"],
        || {
            let bed = bed(None);
            let key = bed.hub();
            sh("ip link delete wg0; while test -e /run/wireguard/wg0.sock; do sleep 0.01; done");
            assert!(bed.read().interfaces.is_empty());
            assert_eq!(bed.hub(), key);
        },
    );
}
