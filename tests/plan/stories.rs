//! Any bytes as a story of hosts on which nobody ever takes a key away: configurations that follow each other, kills, lost
//! links, reboots. Whatever the order, no key of an interface is lost, nothing of somebody else's is touched, no plan
//! promises what an apply cannot keep, and a destroy leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use wgform::plan::Plan;
use wgform::resource::BackendId;
use wgform::value::PublicKey;

use crate::backend::Crash;
use crate::fuzzed::Bytes;
use crate::lab::Lab;

/// So many that all of them take some seconds. To look for more, raise the one and take another of the other.
const CASES: u32 = 40;
const SEED: u64 = 1;

const HOSTS: [&str; 2] = ["hq", "branch"];
const LABELS: usize = 3;

/// What somebody else has on a host.
const FOREIGN: &str = "/etc/wireguard/wg3.conf";
const THEIRS: &str = "[Interface]\n# not wgform's\n";

/// What a plan says when it takes a key for lost that a host has made; one of the configuration may be taken back.
const LOST: [&str; 2] = ["had the key «wg", "could lose it"];

/// One interface as a configuration wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Interface {
    host: usize,
    name: u8,
    port: Option<u8>,
    /// Its key is in the configuration.
    is_given: bool,
    key_file: Option<u8>,
    persist: &'static str,
    is_enabled: bool,
    peers: Vec<u8>,
}

type Wanted = [Option<Interface>; LABELS];

fn interface(label: usize, bytes: &mut Bytes<'_>) -> Interface {
    let own = u8::try_from(label).unwrap();
    Interface {
        host: 0,
        name: own,
        port: (bytes.pick(2) == 0).then_some(own),
        is_given: bytes.pick(4) == 3,
        key_file: None,
        persist: "none",
        is_enabled: true,
        peers: (0..bytes.pick(3)).collect(),
    }
}

fn change(wanted: &mut Wanted, bytes: &mut Bytes<'_>) {
    let label = usize::from(bytes.pick(3));
    let Some(it) = &mut wanted[label] else {
        wanted[label] = Some(interface(label, bytes));
        return;
    };
    match bytes.pick(12) {
        0 | 1 => {
            let (name, other) = (bytes.pick(4), usize::from(bytes.pick(3)));
            let before = std::mem::replace(&mut it.name, name);
            // Half of all renames are swaps.
            if let Some(other) = wanted[other].as_mut().filter(|it| it.name == name) {
                other.name = before;
            }
        }
        2 => it.is_given = !it.is_given,
        3 | 4 => it.persist = bytes.one(&["none", "wg-quick", "networkd"]),
        5 => it.key_file = [None, Some(0), Some(1)][usize::from(bytes.pick(3))],
        6 => it.host = 1 - it.host,
        7 => it.is_enabled = !it.is_enabled,
        8 => it.port = [None, Some(0), Some(1), Some(2)][usize::from(bytes.pick(4))],
        9 => it.peers = (0..bytes.pick(4)).rev().collect(),
        10 => wanted[label] = None,
        _ => {
            let from = usize::from(bytes.pick(3));
            wanted.swap(label, from);
        }
    }
}

fn text(wanted: &Wanted) -> String {
    let mut text = String::new();
    for host in HOSTS {
        let _ = writeln!(text, "backend \"local\" \"{host}\" {{\n  simulate = true\n}}");
    }
    for (label, it) in wanted.iter().enumerate() {
        let Some(it) = it else { continue };
        let Interface { host, name, port, is_given, key_file, persist, is_enabled, peers } = it;
        let _ = write!(
            text,
            "interface \"i{label}\" {{\n  backend = backend.{}\n  name = \"wg{name}\"\n  persist = \"{persist}\"\n",
            HOSTS[*host]
        );
        port.iter().for_each(|it| _ = writeln!(text, "  listen_port = 5180{it}"));
        match (is_given, key_file) {
            (true, _) => _ = writeln!(text, "  private_key = \"«given {label}.private»\""),
            (false, Some(file)) => _ = writeln!(text, "  key_file = \"/keys/{file}\""),
            (false, None) => {}
        }
        if !is_enabled {
            text.push_str("  enabled = false\n");
        }
        text.push_str("}\n");
        for (number, far) in peers.iter().enumerate() {
            let _ = writeln!(
                text,
                "peer \"p{label}{number}\" {{\n  interface = interface.i{label}\n  public_key = \"«far {far}»\"\n  \
                 allowed_ips = [\"10.{label}.{number}.0/24\"]\n}}"
            );
        }
    }
    text
}

/// What goes on, and what is known of it.
struct Story {
    lab: Lab,
    wanted: Wanted,
    /// The keys that are nowhere but on the hosts.
    keys: BTreeMap<usize, PublicKey>,
    /// Those that an apply which was killed may have given up.
    unsure: BTreeSet<usize>,
    has_foreign: bool,
    told: String,
}

/// Tells the story that bytes stand for, and fails where something does not hold.
fn check(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let mut wanted = [None, None, None];
    for (label, it) in wanted.iter_mut().enumerate() {
        *it = Some(interface(label, &mut bytes));
    }
    let mut lab = Lab::new(&text(&wanted));
    HOSTS.iter().for_each(|it| _ = lab.options.accept_loss.insert(BackendId::new(*it)));
    let has_foreign = bytes.pick(4) == 3;
    if has_foreign {
        lab.host("hq").write_file(FOREIGN, THEIRS);
    }
    let (keys, unsure) = (BTreeMap::new(), BTreeSet::new());
    let mut story = Story { lab, wanted, keys, unsure, has_foreign, told: String::new() };
    story.apply(None);
    for _ in 0..6 {
        story.chapter(&mut bytes);
    }
    story.end();
}

impl Story {
    fn chapter(&mut self, bytes: &mut Bytes<'_>) {
        for _ in 0..bytes.pick(3) {
            self.happen(bytes);
        }
        let before = self.wanted.clone();
        for _ in 0..bytes.pick(4) {
            change(&mut self.wanted, bytes);
        }
        let kill = (bytes.pick(3) == 2).then(|| {
            let (done, back) = (usize::from(bytes.pick(8)), usize::from(bytes.pick(3)));
            Crash { done, reported: done.saturating_sub(back) }
        });
        if !self.apply(kill) {
            self.wanted = before;
        }
    }

    fn happen(&mut self, bytes: &mut Bytes<'_>) {
        let host = bytes.one(&HOSTS);
        let it = self.lab.host(host);
        let _ = match bytes.pick(4) {
            0 => {
                it.reboot();
                writeln!(self.told, "-- {host} boots")
            }
            1 | 2 => {
                let name = format!("wg{}", bytes.pick(4));
                let is_gone = it.linux.delete_link(&name).is_ok();
                writeln!(self.told, "-- {name} of {host} goes: {is_gone}")
            }
            _ => {
                let name = format!("wg{}", bytes.pick(4));
                let is_done = it.linux.set_up(&name, bytes.pick(2) == 1).is_ok();
                writeln!(self.told, "-- {name} of {host} goes up or down: {is_done}")
            }
        };
    }

    /// Applies what is wanted; returns whether that may be had.
    fn apply(&mut self, kill: Option<Crash>) -> bool {
        let text = text(&self.wanted);
        self.lab.replace(&text);
        let there = self.lab.show("hq") + "--\n" + &self.lab.show("branch");
        let _ = writeln!(self.told, "{there}\n-- apply, {kill:?}\n{text}");
        let plan = self.lab.plan();
        let _ = writeln!(self.told, "{}{plan}", self.lab.steps());
        self.holds(!LOST.iter().any(|it| plan.contains(it)), "the plan takes a key for lost");
        if plan.contains("error: ") || plan.contains("refused: ") {
            return false;
        }
        let report = match kill {
            Some(crash) => self.lab.crash(crash),
            None => self.lab.apply(),
        };
        let _ = writeln!(self.told, "{report}");
        self.holds(!report.contains("Failed"), "the apply does not keep what the plan promised");
        match report.contains("complete.") {
            true => self.look(),
            false => {
                let gives_up =
                    |label: &usize| self.wanted[*label].as_ref().is_none_or(|it| it.is_given);
                self.unsure.extend((0..LABELS).filter(gives_up));
            }
        }
        true
    }

    /// Makes sure that everything is as it was wanted, with the keys that it had.
    fn look(&mut self) {
        let is_done = self.lab.look(Plan::is_empty);
        if !is_done {
            let _ = writeln!(self.told, "-- left:\n{}{}", self.lab.steps(), self.lab.plan());
        }
        self.holds(is_done, "something is left to do");
        for label in 0..LABELS {
            let Some(it) = self.wanted[label].clone().filter(|it| !it.is_given) else {
                self.keys.remove(&label);
                self.unsure.remove(&label);
                continue;
            };
            let host = self.lab.host(HOSTS[it.host]);
            let now = host.key_of(&format!("wg{}", it.name));
            let before = self.keys.insert(label, now);
            let is_same = before.is_none_or(|before| before == now);
            let is_unsure = self.unsure.remove(&label);
            self.holds(is_same || is_unsure, "an interface has another key");
            let path = match it.key_file {
                Some(file) => format!("/keys/{file}"),
                None => format!("/var/lib/wgform/keys/wg{}", it.name),
            };
            let kept = host.read_file(&path).unwrap_or_default();
            let has_key = |line: &str| {
                line.parse::<wgform::value::PrivateKey>().is_ok_and(|it| it.public() == now)
            };
            self.holds(kept.lines().any(has_key), "a key is in no file");
        }
    }

    fn end(&mut self) {
        let is_theirs =
            |story: &Self| story.lab.host("hq").read_file(FOREIGN).is_some_and(|it| it == THEIRS);
        self.lab.options.destroy = true;
        let plan = self.lab.plan();
        let report = self.lab.apply();
        let _ = writeln!(self.told, "-- destroy\n{plan}{report}");
        self.holds(report.contains("complete."), "a destroy fails");
        self.holds(self.has_foreign == is_theirs(self), "a file of somebody else's was touched");
        if self.has_foreign {
            self.lab.host("hq").remove_key_file(FOREIGN);
        }
        for host in HOSTS {
            let left = self.lab.show(host);
            let _ = writeln!(self.told, "{left}");
            self.holds(left.is_empty(), "something is left on a host");
            for directory in
                ["/etc/wireguard", "/etc/systemd/network", "/keys", "/var/lib/wgform/keys"]
            {
                let left = self.lab.host(host).linux.list_files(Path::new(directory));
                let _ = writeln!(self.told, "{left:?}");
                self.holds(left.is_empty(), "a file is left on a host");
            }
        }
    }

    fn holds(&self, it: bool, what: &str) {
        assert!(it, "{what}:\n{}--\n{}", self.lab.show("hq"), self.lab.show("branch"));
    }
}

/// Whatever fails, the story so far is told.
impl Drop for Story {
    #[expect(clippy::print_stderr, reason = "where a failed test says why")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("=== the story\n{}", self.told);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: CASES,
        rng_seed: RngSeed::Fixed(SEED),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_key_is_lost_and_nothing_is_left_in_any_story(bytes in prop::collection::vec(any::<u8>(), 0..160)) {
        check(&bytes);
    }
}
