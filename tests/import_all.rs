//! `wgform import -all` with the built program, on all three kinds of system.

#![expect(clippy::disallowed_methods, reason = "the tests look at the files of a run")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;
mod taken;

use std::{env, fs};

use insta::assert_snapshot;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value as Json, json};
use wgform::simulator::linux::call::{
    DeviceChange, HostFile, HostRoute, PeerChange, RoutingChange,
};
use wgform::simulator::{pfsense, routeros};
use wgform::value::Route;

use crate::harness::Project;
use crate::harness::devices::{ask_firewall, ask_router, firewall, router};

use crate::taken::world::{self, Network, Peer, Tunnel, Whose, tunnels};
use crate::taken::{drafted, preshared, private, public, take_over};

const HOST: &str = "backend \"local\" \"hq\" {\n  simulate = true\n}\n";
const ROUTER: &str = "backend \"routeros\" \"branch\" {\n  api_url  = \"https://192.168.88.1\"\n  api_user = \"wgform\"\n  simulate = true\n}\n";
const FIREWALL: &str = "backend \"pfsense\" \"fw\" {\n  api_url  = \"https://192.168.1.1\"\n  api_key  = \"none\"\n  simulate = true\n}\n";

/// A host with an interface that has two peers.
fn host() -> Project {
    let project = Project::new(HOST);
    project.run("plan").ends(0);
    let host = project.enter("hq");
    host.add_link("wg0").unwrap();
    let peers = vec![
        PeerChange {
            preshared_key: Some(Some(preshared(9))),
            endpoint: Some("192.0.2.7:51820".parse().unwrap()),
            persistent_keepalive: Some("25s".parse().unwrap()),
            allowed_ips: vec!["10.8.0.2/32".parse().unwrap(), "10.9.0.0/16".parse().unwrap()],
            ..PeerChange::new(public(1))
        },
        PeerChange {
            allowed_ips: vec!["0.0.0.0/0".parse().unwrap()],
            ..PeerChange::new(public(2))
        },
    ];
    let change = DeviceChange {
        private_key: Some(private(100)),
        listen_port: Some(51820),
        peers,
        ..DeviceChange::default()
    };
    host.configure("wg0", &change).unwrap();
    host.set_up("wg0", true).unwrap();
    host.add_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();
    host.add_address("wg0", "fd00:8::1/64".parse().unwrap()).unwrap();
    project
}

#[test]
fn everything_on_a_host_is_written_down() {
    let project = host();
    let before = project.host("hq");
    let said = project.run("import -all backend.hq").ends(0);
    assert_snapshot!(said.stdout);
    assert!(!said.stderr.contains("Left alone"), "{said}");
    assert_eq!(project.host("hq"), before);
    take_over(&project, "hq", &drafted(&project, "hq", ""));
    assert_eq!(project.host("hq"), before);
}

#[test]
fn files_and_routes_are_named_and_left_alone() {
    let project = host();
    let text = "[Interface]\nPrivateKey = x\n".to_owned().into();
    let file = HostFile { text, mode: 0o600, group: None };
    project.enter("hq").write_file("/etc/wireguard/wg0.conf".as_ref(), &file).unwrap();
    let to = Route::new("10.9.0.0/16".parse().unwrap(), Route::MAIN, None);
    let route = HostRoute { route: to, device: Some("wg0".to_owned()), protocol: 3 };
    project.enter("hq").change_routing(&[RoutingChange::AddRoute(route)]).unwrap();
    let text = drafted(&project, "hq", "");
    assert!(text.contains("# `/etc/wireguard/wg0.conf` brings it back at boot."), "{text}");
    assert!(text.contains("# The routes to it stay as they are:"), "{text}");
    take_over(&project, "hq", &text);
}

/// A peer that has everything.
fn peer(text: &'static str, name: &'static str, whose: Whose) -> Peer {
    let endpoint = Some("192.0.2.1:51820");
    Peer {
        text,
        name,
        is_up: true,
        has_secret: true,
        endpoint,
        keepalive: 25,
        network: Network::Own,
        whose,
    }
}

fn tunnel(text: &'static str, is_assigned: bool, peers: Vec<Peer>) -> Tunnel {
    Tunnel { text, is_up: true, has_port: true, has_address: true, mtu: 1380, is_assigned, peers }
}

fn worlds() -> Vec<Tunnel> {
    let quiet = |text, name| Peer {
        is_up: false,
        has_secret: false,
        endpoint: None,
        keepalive: 0,
        ..peer(text, name, Whose::Anybody)
    };
    let shared = |text| Peer { network: Network::Shared, ..peer(text, "", Whose::Anybody) };
    vec![
        tunnel(
            "Büro \"${x}\"",
            true,
            vec![
                peer("phone", "Jörg Müßig", Whose::Anybody),
                quiet("alice", ""),
                quiet("alice", ""),
                peer("", "", Whose::Bytes),
                peer("", "", Whose::Dynamic),
                peer("lost", "", Whose::Orphan),
            ],
        ),
        tunnel(
            "",
            false,
            vec![
                peer("", "", Whose::OtherTunnel),
                shared("one"),
                shared("two"),
                quiet("two\nlines", ""),
                Peer { network: Network::None, ..quiet("none", "") },
            ],
        ),
    ]
}

#[test]
fn everything_on_a_router_is_written_down() {
    let project = Project::new(&format!("{HOST}{ROUTER}"));
    world::on_router(&project, "branch", &worlds());
    let said = project.run("import -all backend.branch").ends(0);
    assert_snapshot!(format!("{}\n{}", said.stdout, left_alone(&said.stderr)));
    take_over(&project, "branch", &said.stdout);
}

#[test]
fn everything_on_a_firewall_is_written_down() {
    let project = Project::new(&format!("{HOST}{FIREWALL}"));
    project.run("backend test fw").ends(0);
    world::on_firewall(&project, "fw", &worlds());
    let said = project.run("import -all backend.fw").ends(0);
    assert_snapshot!(format!("{}\n{}", said.stdout, left_alone(&said.stderr)));
    take_over(&project, "fw", &said.stdout);
}

#[test]
fn a_map_holds_all_peers_of_an_interface() {
    let project = Project::new(&format!("{HOST}{ROUTER}"));
    world::on_router(&project, "branch", &worlds());
    let said = project.run("import -all backend.branch -as=map -out=branch.wg.hcl").ends(0);
    said.says("Wrote 2 interfaces and 5 peers into `branch.wg.hcl`.");
    let text = fs::read_to_string(project.path().join("branch.wg.hcl")).unwrap();
    assert_snapshot!(text);
    take_over(&project, "branch", &text);
    let owned = project.run("state list").ends(0).says("peer.wg0[\"Joerg_Muessig\"]");
    assert_eq!(owned.stdout.lines().count(), 7, "{owned}");
}

#[test]
fn what_has_an_owner_or_a_block_is_not_written_again() {
    let owner = "interface \"hub\" {\n  name = \"wg0\"\n  addresses = [\"10.8.0.1/24\", \"fd00:8::1/64\"]\n  persist = \"none\"\n}\n";
    let peer = |label: &str, number: u8| {
        format!(
            "peer \"{label}\" {{\n  interface   = interface.hub\n  public_key  = \"{}\"\n  allowed_ips = [\"10.7.{number}.0/24\"]\n}}\n",
            public(number)
        )
    };
    let project = host();
    project.configure(&format!("{HOST}{owner}"));
    let said = project.run("import -all hq").ends(0);
    let declared = "`interface.hub` declares it: `wgform import interface.hub wg0` takes it over";
    said.tells(declared).says("interface   = interface.hub").says_no("interface \"wg0\"");
    project.run("import interface.hub wg0").ends(0);
    let (first, second) = (peer("wg0_10_8_0_2", 1), peer("other", 50));
    project.configure(&format!("{HOST}{owner}{first}{second}"));
    let said =
        project.run("import -all backend.hq").ends(0).tells("1 object has an owner already.");
    let said = said.tells("`peer.wg0_10_8_0_2` declares it").says("peer \"hub_zo060cy2\" {");
    assert!(!said.stdout.contains(&public(1).to_string()), "{said}");
    project.configure(&format!("{HOST}{owner}"));
    take_over(&project, "hq", &drafted(&project, "hq", ""));
    let said = project.run("import -all backend.hq").ends(0);
    said.tells("3 objects have an owner already.").tells("There is nothing to take over");
}

#[test]
fn a_label_that_is_taken_gets_a_number() {
    let project = host();
    let other = "backend \"local\" \"other\" {\n  simulate = true\n}\n";
    let taken = "interface \"wg0\" {\n  backend = backend.other\n  persist = \"none\"\n}\n";
    project.configure(&format!("{HOST}{other}{taken}"));
    let text = drafted(&project, "hq", "");
    assert!(text.contains("interface \"wg0_2\" {\n  backend     = backend.hq\n"), "{text}");
    assert!(text.contains("  name        = \"wg0\"\n"), "{text}");
}

#[test]
fn the_order_of_the_rows_of_a_device_does_not_matter() {
    let text = |numbers: [u8; 3]| {
        let project = Project::new(ROUTER);
        let router = router(&project, "branch");
        let key = private(100).expose_text();
        let body = json!({ "name": "wg0", "private-key": &*key }).to_string();
        ask_router(&router, "PUT", "interface/wireguard", &body);
        for number in numbers {
            let body = json!({
                "interface": "wg0",
                "public-key": public(number).to_string(),
                "allowed-address": format!("10.0.{number}.0/24"),
                "comment": "alice",
            });
            ask_router(&router, "PUT", "interface/wireguard/peers", &body.to_string());
        }
        drop(router);
        drafted(&project, "branch", "")
    };
    let port = |text: String| {
        text.lines().filter(|it| !it.contains("listen_port")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(port(text([1, 2, 3])), port(text([3, 1, 2])));
}

/// What is only worth a warning, or is an error that may be meant, is how the device is.
#[test]
fn two_ends_that_wait_for_each_other_are_taken_over() {
    let project = Project::new(ROUTER);
    let waits = || Peer { endpoint: None, ..peer("", "", Whose::OtherTunnel) };
    let worlds = [tunnel("", false, vec![waits()]), tunnel("", false, vec![waits()])];
    world::on_router(&project, "branch", &worlds);
    let text = drafted(&project, "branch", "");
    assert_eq!(text.matches("# wgform:ignore=unreachable-pair").count(), 2, "{text}");
    take_over(&project, "branch", &text);
    // The other end is another backend's, where it was written down with its key.
    let project = Project::new(&format!("{HOST}{ROUTER}"));
    world::on_host(&project, "hq", &[tunnel("", false, vec![waits()])]);
    take_over(&project, "hq", &drafted(&project, "hq", ""));
    world::on_router(&project, "branch", &[tunnel("", false, vec![]), worlds[1].clone()]);
    let text = drafted(&project, "branch", "");
    assert!(text.contains("  public_key           = interface.wg0.public_key"), "{text}");
    assert_eq!(text.matches("# wgform:ignore=unreachable-pair").count(), 1, "{text}");
}

#[test]
fn a_host_that_cannot_be_read_is_said() {
    let project = Project::new(ROUTER);
    project.edit("  simulate = true\n", "");
    project.edit("https://192.168.88.1", "http://127.0.0.1:1");
    let failed = project.run("import -all branch -out=branch.wg.hcl").ends(6);
    failed.tells("could not read backend `branch`");
    assert!(!project.names().contains(&"branch.wg.hcl".to_owned()));
}

/// What wgform itself has written for the boot, and a state that is lost.
#[test]
fn an_interface_that_wgform_brings_back_keeps_its_file() {
    let project = Project::new(HOST);
    let block =
        "interface \"wg0\" {\n  addresses = [\"10.8.0.1/24\"]\n  persist = \"wg-quick\"\n}\n";
    project.configure(&format!("{HOST}{block}"));
    project.run("apply -auto-approve").ends(0);
    for name in project.names().iter().filter(|it| it.starts_with("wgform.state")) {
        fs::remove_file(project.path().join(name)).unwrap();
    }
    project.configure(HOST);
    let text = drafted(&project, "hq", "");
    assert!(text.contains("persist     = \"wg-quick\""), "{text}");
    take_over(&project, "hq", &text);
}

fn left_alone(stderr: &str) -> &str {
    &stderr[stderr.find("Left alone").unwrap()..]
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: if env::var("CI").is_ok_and(|it| it == "true") { 100 } else { 8 },
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        max_shrink_iters: 40,
        ..ProptestConfig::default()
    }
}

/// Everything that is secret on the systems.
fn secrets() -> Vec<String> {
    let keys = (0..=255).flat_map(|it| {
        [private(it).expose_text().to_string(), preshared(it.max(1)).expose_text().to_string()]
    });
    keys.collect()
}

/// Returns all that is on the systems, as they show it to somebody who may see everything.
fn systems(project: &Project) -> Vec<Json> {
    let mut shown = vec![project.host("hq")];
    let router = router(project, "branch");
    for menu in
        ["interface/wireguard", "interface/wireguard/peers", "ip/address", "interface/list/member"]
    {
        shown.push(ask_router(&router, "GET", menu, ""));
    }
    let firewall = firewall(project, "fw");
    for list in
        ["vpn/wireguard/tunnels", "vpn/wireguard/peers", "interfaces", "vpn/wireguard/apply"]
    {
        shown.push(ask_firewall(&firewall, "GET", list, &Json::Null));
    }
    shown
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_is_on_a_system_is_taken_over_without_a_change(
        on_host in tunnels(), on_router in tunnels(), on_firewall in tunnels(),
        router_is in prop::sample::select(vec!["7.12", "7.17", "7.24"]),
        firewall_is in prop::sample::select(vec!["v2.4.3", "v2.8.2", "v2.10.0"]),
        shows_secrets in any::<bool>(),
        form in prop::sample::select(vec!["", "-as=map"]),
    ) {
        let project = Project::new(&format!("{HOST}\n{ROUTER}\n{FIREWALL}"));
        project.run("plan").ends(0);
        world::on_host(&project, "hq", &on_host);
        world::on_router(&project, "branch", &on_router);
        world::on_firewall(&project, "fw", &on_firewall);
        router(&project, "branch").install(routeros::profile::Profile::named(router_is).unwrap()).unwrap();
        let fw = firewall(&project, "fw");
        fw.install(pfsense::profile::Profile::named(firewall_is).unwrap()).unwrap();
        fw.set_api("expose_sensitive_fields", shows_secrets.into()).unwrap();
        drop(fw);
        let before = systems(&project);
        for backend in ["hq", "branch", "fw"] {
            let text = drafted(&project, backend, form);
            prop_assert_eq!(&drafted(&project, backend, form), &text);
            prop_assert!(!secrets().iter().any(|it| text.contains(it)));
            take_over(&project, backend, &text);
        }
        prop_assert_eq!(systems(&project), before);
        for backend in ["hq", "branch", "fw"] {
            prop_assert_eq!(drafted(&project, backend, ""), "");
        }
    }
}
