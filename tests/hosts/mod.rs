//! What the built program does to real hosts: the site-to-site example, drift, ownership, kills. The scenarios are the
//! same for userspace WireGuard and the kernel's; each is run in a sandbox of its own.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{Project, eventually, examples};
use crate::sandbox::{ping, sh};

/// Lists every scenario once. `$run` gets the name and the function, which is told the driver.
#[macro_export]
macro_rules! host_scenarios {
    ($run:path) => {
        $crate::host_scenarios!(@each $run:
            the_example_carries_packets_and_goes_without_a_trace
            drift_is_named_and_healed_while_other_sessions_go_on
            an_interface_that_was_deleted_comes_back_with_its_key
            what_is_foreign_is_left_alone
            what_is_there_and_wanted_is_imported_by_the_line_that_is_printed
            a_killed_run_is_finished_by_the_next_one
            routes_carry_packets_and_come_back
            a_default_route_carries_everything_but_the_tunnel_itself
        );
    };
    (@each $run:path: $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $run(stringify!($name), $crate::hosts::$name);
            }
        )*
    };
}

const HQ: &str = "wgform-hq";
const BRANCH: &str = "wgform-branch";
const ALICE: &str = "YWxpY2UgaGFzIGEgcHVibGljIGtleSBvZiBoZXIgb3c=";
const MALLORY: &str = "bWFsbG9yeSBoYXMgYSBwdWJsaWMga2V5IG9mIG93biE=";

/// Makes the two hosts of the example, and a copy of its configuration.
fn example(driver: &str) -> Project {
    sh(examples().join("linux-site-to-site/setup.sh").to_str().unwrap());
    let project = Project::of_example("linux-site-to-site");
    project.add("driver.auto.wgvars.hcl", &format!("driver = \"{driver}\"\n"));
    project
}

/// The same, applied, with one peer more on the one host, and with a session.
fn applied(driver: &str) -> Project {
    let project = example(driver);
    project.add(
        "more.wg.hcl",
        &format!(
            "peer \"alice\" {{\n  interface = interface.hq\n  public_key = \"{ALICE}\"\n  \
             endpoint = \"198.51.100.77:5000\"\n  allowed_ips = [\"10.8.0.11/32\", \"10.11.0.0/16\"]\n}}\n"
        ),
    );
    project.edit(
        "  name        = \"wg-hq\"\n",
        "  name        = \"wg-hq\"\n  mtu         = 1380\n  unmanaged_peers = \"warn\"\n",
    );
    project.run("apply -auto-approve").ends(0);
    ping(HQ, "10.8.0.2");
    project
}

pub(crate) fn the_example_carries_packets_and_goes_without_a_trace(driver: &str) {
    let project = example(driver);
    project
        .run("plan -detailed-exitcode")
        .ends(2)
        .says("Plan: 5 to add, 0 to change, 0 to destroy.");
    project.run_with("apply", "no\n").ends(1);
    assert!(!has_link(HQ, "wg-hq"), "nothing is made without a yes");

    let applied = project.run_with("apply", "yes\n").ends(0);
    applied.says("Apply complete. Resources: 5 added, 0 changed, 0 destroyed.");
    for (from, addresses) in [(HQ, ["10.8.0.2", "fd00:8::2"]), (BRANCH, ["10.8.0.1", "fd00:8::1"])]
    {
        addresses.iter().for_each(|address| ping(from, address));
    }
    compare_with_wg(&project);
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    project.run("drift").ends(0);
    project.run("apply").ends(0).says("No changes");

    project.run("destroy -auto-approve").ends(0).says("5 destroyed");
    assert!(!has_link(HQ, "wg-hq") && !has_link(BRANCH, "wg-branch"));
    assert_eq!(sh("find /var/lib/wgform -type f"), "", "no key stays behind");
    assert_eq!(sh("find /run/wireguard -type s"), "");
    sh(examples().join("linux-site-to-site/teardown.sh").to_str().unwrap());
    assert_eq!(sh("ip netns list"), "");
}

/// Compares what `wg` shows with what the configuration says.
fn compare_with_wg(project: &Project) {
    let (hq, branch) = (dump(HQ, "wg-hq"), dump(BRANCH, "wg-branch"));
    assert_eq!((hq.port, branch.port), (51_820, 51_820));
    let to_branch = &hq.peers[&branch.public_key];
    let to_hq = &branch.peers[&hq.public_key];
    assert_eq!((hq.peers.len(), branch.peers.len()), (1, 1));
    assert_eq!(to_branch.preshared_key, to_hq.preshared_key);
    assert_ne!(to_hq.preshared_key, "(none)");
    assert_eq!(to_branch.endpoint, "198.51.100.2:51820");
    assert_eq!(to_hq.endpoint, "198.51.100.1:51820");
    assert_eq!(to_branch.allowed_ips, ["10.8.0.2/32", "fd00:8::2/128"]);
    assert_eq!(to_hq.allowed_ips, ["10.8.0.1/32", "fd00:8::1/128"]);
    assert_eq!((&*to_branch.keepalive, &*to_hq.keepalive), ("25", "25"));
    let shown = project.run("state show interface.hq").ends(0);
    let shown = shown.says(&hq.public_key);
    assert!(!shown.stdout.contains(&hq.private_key), "a key is a secret");
    let key = sh(&format!("cat /var/lib/wgform/keys/{HQ}/wg-hq"));
    assert!(key.contains(&hq.private_key), "the key is kept in its file");
    assert!(sh(&format!("stat -c %a /var/lib/wgform/keys/{HQ}/wg-hq")).starts_with("600"));
}

/// Networks behind the branch that only a route leads to.
const BEHIND: &str = "10.20.0.1";

/// The example with a network behind the branch, and what `routes` of the hub says.
fn routed(driver: &str, routes: &str, allowed_ips: &str) -> Project {
    let project = example(driver);
    sh(&format!("ip -n {BRANCH} address add {BEHIND}/32 dev lo; ip -n {BRANCH} link set lo up"));
    project.edit("  name        = \"wg-hq\"\n", &format!("  name        = \"wg-hq\"\n{routes}\n"));
    project.edit("[\"10.8.0.2/32\", \"fd00:8::2/128\"]", allowed_ips);
    project
}

pub(crate) fn routes_carry_packets_and_come_back(driver: &str) {
    let allowed = "[\"10.8.0.2/32\", \"fd00:8::2/128\", \"10.20.0.0/16\"]";
    let project = routed(driver, "  routes = \"auto\"", allowed);
    project.run("apply -auto-approve").ends(0);
    ping(HQ, BEHIND);
    let shown = sh(&format!("ip -n {HQ} route show 10.20.0.0/16"));
    assert!(shown.contains("dev wg-hq proto 119 scope link"), "{shown}");
    for loss in [
        "ip link set wg-hq down; ip link set wg-hq up",
        "ip route delete 10.20.0.0/16",
        "ip address delete 10.8.0.1/24 dev wg-hq",
    ] {
        sh(&format!("ip netns exec {HQ} sh -ec '{loss}'"));
        project.run("drift").ends(2).says("10.20.0.0/16");
        project.run("apply -auto-approve").ends(0);
        project.run("plan -detailed-exitcode").ends(0).says("No changes");
        ping(HQ, BEHIND);
    }
    // Another metric is made before the old one goes; a route of somebody else stays.
    sh(&format!("ip -n {HQ} route add 10.30.0.0/16 dev wg-hq"));
    project.edit("  routes = \"auto\"", "  routes {\n    distance = 50\n  }");
    project.run("apply -auto-approve").ends(0);
    ping(HQ, BEHIND);
    project.edit("  routes {\n    distance = 50\n  }", "");
    project.run("apply -auto-approve").ends(0).says("1 changed");
    let shown = sh(&format!("ip -n {HQ} route show dev wg-hq proto 119"));
    assert_eq!(shown, "");
    assert!(sh(&format!("ip -n {HQ} route")).contains("10.30.0.0/16"));
}

pub(crate) fn a_default_route_carries_everything_but_the_tunnel_itself(driver: &str) {
    let routes = "  routes {\n    default_route = true\n  }";
    let project = routed(driver, routes, "[\"0.0.0.0/0\", \"::/0\"]");
    sh(&format!("ip -n {HQ} route add default via 198.51.100.254 dev uplink onlink"));
    project.run("apply -auto-approve").ends(0);
    // Nothing but the tunnel leads there; and the endpoint is still reached outside of it.
    ping(HQ, BEHIND);
    ping(HQ, "198.51.100.2");
    let leads = |mark: &str| sh(&format!("ip -n {HQ} route get 203.0.113.9 {mark}"));
    assert!(leads("").contains("dev wg-hq"), "{}", leads(""));
    assert!(leads("mark 51820").contains("via 198.51.100.254"), "{}", leads("mark 51820"));
    assert!(sh(&format!("ip netns exec {HQ} wg show wg-hq fwmark")).contains("0xca6c"));
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    sh(&format!("ip -n {HQ} rule delete not fwmark 51820 table 51820"));
    project.run("drift").ends(2).says("rule ipv4: not fwmark 51820 lookup 51820");
    project.run("apply -auto-approve").ends(0);
    ping(HQ, BEHIND);
    project.run("destroy -auto-approve").ends(0);
    for family in ["-4", "-6"] {
        let rules = sh(&format!("ip {family} -n {HQ} rule"));
        assert!(!rules.contains("51820") && !rules.contains("suppress"), "{rules}");
    }
}

pub(crate) fn drift_is_named_and_healed_while_other_sessions_go_on(driver: &str) {
    let project = applied(driver);
    let branch = dump(BRANCH, "wg-branch").public_key;
    // What is done past wgform, and what the report must name.
    let cases = [
        (format!("wg set wg-hq peer {ALICE} remove"), "peer.alice", "has been deleted"),
        (
            format!("wg set wg-hq peer {ALICE} allowed-ips 10.66.0.0/16"),
            "peer.alice",
            "10.66.0.0/16",
        ),
        (
            format!("wg set wg-hq peer {ALICE} persistent-keepalive 9"),
            "peer.alice",
            "persistent_keepalive",
        ),
        ("wg set wg-hq listen-port 60000".to_owned(), "interface.hq", "60000"),
        ("ip address delete 10.8.0.1/24 dev wg-hq".to_owned(), "interface.hq", "10.8.0.1/24"),
        ("ip link set wg-hq mtu 1300".to_owned(), "interface.hq", "1300"),
    ];
    for (command, address, what) in cases {
        let before = dump(HQ, "wg-hq");
        sh(&format!("ip netns exec {HQ} {command}"));
        heal(&project, address, what, &command);
        let after = dump(HQ, "wg-hq");
        assert_eq!(before.identity(), after.identity(), "{command}");
        let (old, new) = (&before.peers[&branch], &after.peers[&branch]);
        // The session is the one that it was: no new handshake, and counters that went on.
        assert_eq!(old.handshake, new.handshake, "{command}");
        assert_ne!(new.handshake, 0, "{command}");
        assert!(new.received >= old.received && new.sent >= old.sent, "{command}");
        assert_eq!(old.endpoint, new.endpoint, "{command}");
        ping(HQ, "10.8.0.2");
        let later = dump(HQ, "wg-hq");
        assert!(later.peers[&branch].received > old.received, "{command}");
    }
    // A link that is down has no sessions; they come again by themselves.
    sh(&format!("ip netns exec {HQ} ip link set wg-hq down"));
    heal(&project, "interface.hq", "enabled", "down");
    ping(HQ, "10.8.0.2");
    ping(HQ, "fd00:8::2");
}

/// Demands that drift is named with its reason, and that an apply undoes it and nothing else.
fn heal(project: &Project, address: &str, what: &str, command: &str) {
    let drift = project.run("drift").ends(2);
    let is_named = |line: &str| line.contains(&format!("# {address} "));
    assert!(drift.stdout.lines().any(is_named), "after `{command}`: {drift}");
    let drift = drift.says(what).says("changed outside of wgform");
    let others = drift.stdout.lines().filter(|line| line.starts_with("  # ") && !is_named(line));
    assert_eq!(others.count(), 0, "after `{command}`: {drift}");
    let healed = project.run("apply -auto-approve").ends(0).says("Drift undone: 1.");
    let healed = healed.tells("1 step done in ");
    let done = healed.stderr.lines().filter(|line| !line.starts_with("Refreshed backend")).count();
    assert_eq!(done, 2, "after `{command}`: {healed}");
    project.run("plan -detailed-exitcode").ends(0);
}

pub(crate) fn an_interface_that_was_deleted_comes_back_with_its_key(driver: &str) {
    let project = applied(driver);
    let before = dump(HQ, "wg-hq");
    let far = dump(BRANCH, "wg-branch");
    sh(&format!("ip -n {HQ} link delete wg-hq"));
    eventually("the socket is gone", || sh("find /run/wireguard -name wg-hq.sock").is_empty());
    let drift = project.run("drift").ends(2);
    let drift = drift.says("# interface.hq on local \"hq\" has been deleted");
    drift.says("changed outside of wgform").says_no("NEW KEY").says_no("# interface.branch");
    project.run("apply -auto-approve").ends(0);
    let after = dump(HQ, "wg-hq");
    assert_eq!(before.identity(), after.identity());
    assert_eq!(before.peers.len(), after.peers.len());
    assert_eq!(dump(BRANCH, "wg-branch").identity(), far.identity());
    ping(HQ, "10.8.0.2");
    project.run("plan -detailed-exitcode").ends(0);
}

pub(crate) fn what_is_foreign_is_left_alone(driver: &str) {
    let project = applied(driver);
    make_link(driver, HQ, "wg-other");
    sh(&format!(
        "ip netns exec {HQ} wg set wg-other listen-port 7000 peer {MALLORY} allowed-ips 10.70.0.0/16
         ip -n {HQ} address add 10.70.0.1/24 dev wg-other
         ip netns exec {HQ} wg set wg-hq peer {MALLORY} allowed-ips 10.60.0.0/16
         ip -n {HQ} address add 10.61.0.1/24 dev wg-hq"
    ));
    let other = dump(HQ, "wg-other");
    let is_left_alone = || {
        let now = dump(HQ, "wg-other");
        assert_eq!(now.identity(), other.identity());
        assert_eq!(now.peers[MALLORY].allowed_ips, ["10.70.0.0/16"]);
        assert!(sh(&format!("ip -n {HQ} address show wg-other")).contains("10.70.0.1/24"));
    };
    let drift = project.run("drift").ends(2).says(MALLORY).says("1 unmanaged peer");
    drift.says("1 interface that nobody declared, which does not count").says_no("10.61.0.1");
    project.run("plan -detailed-exitcode").ends(0).says(MALLORY);

    // Other changes pass them by.
    project
        .edit("addresses   = [\"10.8.0.1/24\", \"fd00:8::1/64\"]", "addresses = [\"10.8.0.1/24\"]");
    project.run("apply -auto-approve").ends(0);
    is_left_alone();
    assert_eq!(dump(HQ, "wg-hq").peers[MALLORY].allowed_ips, ["10.60.0.0/16"]);
    let addresses = sh(&format!("ip -n {HQ} address show wg-hq"));
    assert!(addresses.contains("10.61.0.1/24") && addresses.contains("10.8.0.1/24"), "{addresses}");
    assert!(!addresses.contains("fd00:8::1/64"), "{addresses}");

    // An interface does not go with somebody else's peer on it.
    project.run("destroy -auto-approve").ends(8).tells("1 peer that wgform does not manage");
    assert!(has_link(HQ, "wg-hq") && has_link(BRANCH, "wg-branch"));
    project.edit("\"warn\"", "\"remove\"");
    let removed = project.run("apply -auto-approve").ends(0);
    removed.says(MALLORY);
    let peers = dump(HQ, "wg-hq").peers;
    assert!(!peers.contains_key(MALLORY) && peers.contains_key(ALICE));
    assert!(sh(&format!("ip -n {HQ} address show wg-hq")).contains("10.61.0.1/24"));
    is_left_alone();

    project.run("destroy -auto-approve").ends(0);
    assert!(!has_link(HQ, "wg-hq") && !has_link(BRANCH, "wg-branch"));
    is_left_alone();
    assert!(has_link(HQ, "uplink"));
}

pub(crate) fn what_is_there_and_wanted_is_imported_by_the_line_that_is_printed(driver: &str) {
    sh(examples().join("linux-site-to-site/setup.sh").to_str().unwrap());
    make_link(driver, HQ, "wg-hq");
    sh(&format!(
        "umask 077; wg genkey >/run/key
         ip netns exec {HQ} wg set wg-hq private-key /run/key listen-port 51820 \
           peer {ALICE} allowed-ips 10.8.0.11/32 endpoint 198.51.100.77:5000
         ip -n {HQ} address add 10.8.0.1/24 dev wg-hq; ip -n {HQ} link set wg-hq up"
    ));
    let before = dump(HQ, "wg-hq");
    let project = Project::new(&format!(
        "backend \"local\" \"hq\" {{\n  netns = \"{HQ}\"\n  driver = \"{driver}\"\n}}\n\
         interface \"hq\" {{\n  name = \"wg-hq\"\n  listen_port = 51820\n  addresses = [\"10.8.0.1/24\"]\n}}\n\
         peer \"alice\" {{\n  interface = interface.hq\n  public_key = \"{ALICE}\"\n  \
         endpoint = \"198.51.100.77:5000\"\n  allowed_ips = [\"10.8.0.11/32\"]\n}}\n"
    ));
    let mut imported = Vec::new();
    for _ in 0..2 {
        let plan = project.run("plan");
        let line = plan.stderr.lines().find_map(|line| line.split_once("wgform import "));
        let Some((_, line)) = line else { break };
        assert_eq!(plan.code, Some(1), "{plan}");
        project.run("apply -auto-approve").ends(1);
        project.run(&format!("import {line}")).ends(0).says("Imported");
        imported.push(line.to_owned());
    }
    assert_eq!(imported, ["interface.hq wg-hq".to_owned(), format!("peer.alice wg-hq/{ALICE}")]);
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    project.run("drift").ends(0);
    let after = dump(HQ, "wg-hq");
    assert_eq!(before.identity(), after.identity());
    assert_eq!(sh("find /var/lib/wgform -type f 2>/dev/null || true"), "");
    project.run("destroy -auto-approve").ends(0);
    assert!(!has_link(HQ, "wg-hq") && has_link(HQ, "uplink"));
}

pub(crate) fn a_killed_run_is_finished_by_the_next_one(driver: &str) {
    let project = example(driver);
    let mut peers = String::new();
    for number in 0..60 {
        let key = wgform::value::PublicKey::from_bytes([number + 1; 32]);
        peers += &format!(
            "peer \"p{number}\" {{\n  interface = interface.hq\n  public_key = \"{key}\"\n  \
             preshared_key = preshared_key.tunnel\n  allowed_ips = [\"172.16.0.{number}/32\"]\n}}\n"
        );
    }
    project.add("peers.wg.hcl", &peers);
    // From a quick death to one that comes when all is done.
    for part in [10, 30, 50, 70, 90] {
        let began = crate::harness::now();
        project.run("plan").ends(0);
        let plan_takes = crate::harness::now().duration_since(began).unsigned_abs();
        let run = project.start("apply -auto-approve");
        std::thread::sleep(plan_takes + Duration::from_millis(4) * part);
        run.signal(Signal::KILL);
        let ran = run.end();
        let at = format!("{part}: {:?} {:?}", ran.code, ran.signal);
        project.run("state list").ends(0);
        let keys = keys();
        let next = project.run("apply -auto-approve");
        assert_eq!(next.code, Some(0), "after a kill at {at}: {next}");
        let plan = project.run("plan -detailed-exitcode");
        assert_eq!(plan.code, Some(0), "after a kill at {at}: {plan}");
        for (place, key) in self::keys() {
            assert_eq!(keys.get(&place).unwrap_or(&key), &key, "{place} after a kill at {at}");
        }
        assert_eq!(dump(HQ, "wg-hq").peers.len(), 61, "after a kill at {at}");
        ping(HQ, "10.8.0.2");
        project.run("destroy -auto-approve").ends(0);
        assert_eq!(sh("find /var/lib/wgform -type f"), "", "after a kill at {at}");
    }
}

/// Returns the public keys of the interfaces that are there and have one.
fn keys() -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    for (host, name) in [(HQ, "wg-hq"), (BRANCH, "wg-branch")] {
        let shown =
            sh(&format!("ip netns exec {host} wg show {name} public-key 2>/dev/null || true"));
        let key = shown.trim();
        if !key.is_empty() && key != "(none)" {
            keys.insert(name.to_owned(), key.to_owned());
        }
    }
    keys
}

/// What `wg show … dump` says.
#[derive(Debug)]
struct Dump {
    private_key: String,
    public_key: String,
    port: u16,
    peers: BTreeMap<String, DumpedPeer>,
}

#[derive(Debug)]
struct DumpedPeer {
    preshared_key: String,
    endpoint: String,
    allowed_ips: Vec<String>,
    handshake: u64,
    received: u64,
    sent: u64,
    keepalive: String,
}

impl Dump {
    fn identity(&self) -> (&str, u16) {
        (&self.public_key, self.port)
    }
}

fn dump(host: &str, name: &str) -> Dump {
    let text = sh(&format!("ip netns exec {host} wg show {name} dump"));
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let own = lines.next().unwrap();
    let peer = |it: Vec<&str>| {
        let mut allowed_ips: Vec<_> = it[3].split(',').map(str::to_owned).collect();
        allowed_ips.sort();
        let peer = DumpedPeer {
            preshared_key: it[1].to_owned(),
            endpoint: it[2].to_owned(),
            allowed_ips,
            handshake: it[4].parse().unwrap(),
            received: it[5].parse().unwrap(),
            sent: it[6].parse().unwrap(),
            keepalive: it[7].to_owned(),
        };
        (it[0].to_owned(), peer)
    };
    Dump {
        private_key: own[0].to_owned(),
        public_key: own[1].to_owned(),
        port: own[2].parse().unwrap(),
        peers: lines.map(peer).collect(),
    }
}

fn has_link(host: &str, name: &str) -> bool {
    let found = sh(&format!("ip -n {host} -o link show | cut -d: -f2"));
    // One end of a cable is shown as `uplink@if2`.
    found.lines().any(|line| line.trim().split('@').next() == Some(name))
}

/// Makes a WireGuard link as somebody without wgform would.
fn make_link(driver: &str, host: &str, name: &str) {
    match driver {
        "kernel" => sh(&format!("ip -n {host} link add {name} type wireguard")),
        _ => sh(&format!("ip netns exec {host} wireguard-go {name} >/dev/null 2>&1")),
    };
}
