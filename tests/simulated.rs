//! The conformance suite over the simulated host, and what only a simulated host can show.

#![expect(clippy::disallowed_methods, reason = "these tests look at the files of simulated hosts")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod conformance;

use std::collections::BTreeMap;
use std::time::Duration;

use wgform::backend::linux::Linux;
use wgform::backend::{Interest, Trace, connect};
use wgform::config::{BackendDeclaration, Driver, Transport};
use wgform::resource::{BackendKind, Field};
use wgform::simulator::linux::SimulatedLinux;
use wgform::simulator::linux::call::{HostRoute, RoutingChange};
use wgform::value::Route;

use crate::conformance::bed::{
    allowed, create_peer, delete, endpoint, id, keepalive, networks, only, public, to, update_peer,
    wait, world,
};
use crate::conformance::{Bed, Kind};

scenarios!(simulated);

fn simulated(_: &str, scenario: fn(&Bed)) {
    scenario(&bed().0);
}

fn bed() -> (Bed, SimulatedLinux) {
    let host = SimulatedLinux::in_memory(1, jiff::Timestamp::now());
    let world = world(BTreeMap::new(), std::path::PathBuf::from("/nowhere"));
    let (other, route, link) = (host.clone(), host.clone(), host.clone());
    let bed = Bed {
        kind: Kind::Simulated,
        backend: Box::new(Linux::simulated(id(), None, host.clone(), world)),
        add_other_link: Box::new(move |name| other.add_other_link(name).unwrap()),
        add_route: Box::new(move |to, device| {
            let to = Route::new(to.parse().unwrap(), Route::MAIN, None);
            let added = HostRoute { route: to, device: Some(device.to_owned()), protocol: 3 };
            route.change_routing(&[RoutingChange::AddRoute(added)]).unwrap();
        }),
        set_up: Box::new(move |name, up| link.set_up(name, up).unwrap()),
    };
    (bed, host)
}

#[test]
fn a_session_outlives_the_change_of_another_peer_and_of_its_own() {
    let (bed, host) = bed();
    bed.hub();
    bed.done(create_peer(public(1), only(&["10.1.0.0/16"])));
    bed.done(create_peer(public(2), only(&["10.2.0.0/16"])));
    let then = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(60);
    host.set_traffic("wg0", &public(1), Some(then), 1000, 2000).unwrap();
    bed.write(vec![
        update_peer(public(2), to("allowed_ips", networks(&["10.3.0.0/16"]))),
        update_peer(public(1), to("persistent_keepalive", keepalive("25s"))),
    ]);
    let found = bed.peer("wg0", &public(1));
    assert!(found.has_session());
    let age = found.handshake_age.unwrap();
    assert!((Duration::from_secs(59)..Duration::from_secs(90)).contains(&age), "{age:?}");
    assert_eq!((found.received, found.sent), (1000, 2000));
}

#[test]
fn of_several_addresses_the_one_in_use_is_kept() {
    let (bed, host) = bed();
    bed.hub();
    let both = ["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()];
    host.set_host("vpn.example.com", &both).unwrap();
    let mut fields = only(&["10.1.0.0/16"]);
    fields.insert("endpoint", endpoint("192.0.2.2:51820"));
    bed.done(create_peer(public(1), fields));
    let told = bed.done(update_peer(public(1), to("endpoint", endpoint("vpn.example.com:51820"))));
    assert_eq!(told.get("endpoint"), Some(&endpoint("192.0.2.2:51820")));
    host.set_host("vpn.example.com", &both[..1]).unwrap();
    let told = bed.done(update_peer(public(1), to("endpoint", endpoint("vpn.example.com:51820"))));
    assert_eq!(told.get("endpoint"), Some(&endpoint("192.0.2.1:51820")));
}

#[test]
fn two_links_that_are_up_cannot_share_a_port() {
    let (bed, _) = bed();
    bed.hub();
    let why = bed.failed(conformance::bed::create(
        "wg1",
        &conformance::bed::private(2),
        conformance::bed::hub_fields(),
    ));
    assert_eq!(why, "failed: the listen port is taken by another program or link");
    assert_eq!(bed.read().interfaces.len(), 1);
}

#[test]
fn a_reboot_changes_the_boot_id_and_keeps_the_machine() {
    let (bed, host) = bed();
    bed.hub();
    let before = bed.read().identity;
    host.reboot(jiff::Timestamp::now()).unwrap();
    let after = bed.read();
    assert!(after.interfaces.is_empty());
    assert_eq!(before.id, after.identity.id);
    assert_ne!(before.boot_id, after.identity.boot_id);
}

#[test]
fn a_simulated_host_outlives_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let world = world(BTreeMap::new(), directory.path().to_owned());
    let open = || SimulatedLinux::open(directory.path(), &id(), &world).unwrap();
    let bed = |host| Bed {
        kind: Kind::Simulated,
        backend: Box::new(Linux::simulated(id(), Some("blue".to_owned()), host, world.clone())),
        add_other_link: Box::new(|_| {}),
        add_route: Box::new(|_, _| {}),
        set_up: Box::new(|_, _| {}),
    };
    let first = bed(open());
    first.hub();
    first.done(create_peer(public(1), only(&["10.1.0.0/16"])));
    let before = first.read();
    let error = SimulatedLinux::open(directory.path(), &id(), &world).unwrap_err();
    assert_eq!(error.to_string(), "another run uses the simulated system `hq`");
    drop(first);
    let second = bed(open());
    let after = second.read();
    assert_eq!(before.identity.id, after.identity.id);
    assert!(after.identity.id.ends_with("#netns=blue"));
    assert_eq!(allowed(&after.interfaces["wg0"].peers[&public(1)]), ["10.1.0.0/16"]);
    assert_eq!(after.interfaces["wg0"].fields.get("listen_port"), Some(&Field::Number(51_820)));
    second.done(delete("wg0"));
    drop(second);
    assert!(bed(open()).read().interfaces.is_empty());
}

#[test]
fn a_declared_simulated_backend_is_connected_once() {
    let directory = tempfile::tempdir().unwrap();
    let world = world(BTreeMap::new(), directory.path().to_owned());
    let declaration = BackendDeclaration {
        id: id(),
        kind: BackendKind::Local,
        display_name: None,
        simulate: true,
        transport: Transport::Local { netns: None, driver: Driver::Auto, userspace_program: None },
        reached_through: None,
        span: None,
        is_reader: false,
    };
    let first = connect(&declaration, &world, &Trace::default()).unwrap();
    let picture = wait(first.read(&Interest::default())).unwrap();
    assert!(picture.simulated);
    assert_eq!(picture.identity.host_name, "simulated-hq");
    assert_eq!(picture.kind, BackendKind::Local);
    let Err(error) = connect(&declaration, &world, &Trace::default()) else {
        panic!("connected twice")
    };
    assert_eq!(
        error.to_string(),
        "could not open the simulated system on backend `hq`: another run uses the simulated system `hq`"
    );
    drop(first);
    let again = connect(&declaration, &world, &Trace::default()).unwrap();
    assert_eq!(wait(again.read(&Interest::default())).unwrap().identity.id, picture.identity.id);
}

#[test]
fn ten_thousand_peers_take_two_writes_and_so_does_their_interface() {
    let (bed, host) = bed();
    bed.hub();
    let networks = |n: u32| only(&[&format!("10.{}.{}.0/25", n / 256, n % 256)]);
    let before = host.changes();
    let ended = bed.write((0..10_000).map(|n| create_peer(public(n), networks(n))).collect());
    assert!(ended.iter().all(Result::is_ok));
    assert_eq!(bed.interface("wg0").peers.len(), 10_000);
    assert_eq!(host.changes() - before, 2);
    let before = host.changes();
    bed.done(delete("wg0"));
    // The peers go first: with a thousand of them on it, a kernel's link takes 13 s to go.
    assert_eq!(host.changes() - before, 2);
}

#[test]
fn a_damaged_file_is_named_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let world = world(BTreeMap::new(), directory.path().to_owned());
    drop(SimulatedLinux::open(directory.path(), &id(), &world).unwrap());
    let path = directory.path().join(".wgform/simulated/hq.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    for (text, why) in [
        (&whole[..whole.len() / 2], "line"),
        ("", "line 1 column 0 is not as expected"),
        (&whole.replace("\"version\": 1", "\"version\": 2"), "its format is version 2"),
        (&whole.replace("192.0.2.10/24", "hunter2"), "`hunter2` is not an address"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = SimulatedLinux::open(directory.path(), &id(), &world).unwrap_err();
        let start = format!("the simulated system in `{}` is damaged: ", path.display());
        assert!(error.reason.starts_with(&start), "{error}");
        assert!(error.reason[start.len()..].contains(why), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}
