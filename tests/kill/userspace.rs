//! Kills of runs that change userspace WireGuard: real links, processes, sockets and key files, in a sandbox.

#![expect(clippy::print_stderr, reason = "what was tried is said")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use wgform::value::PublicKey;

use crate::harness::{Project, eventually};
use crate::killed;
use crate::random::{Random, number};
use crate::sandbox::{ping, sandboxed, sh, two_hosts};

const KILLS: u64 = 6;
const IN_A_ROW: u32 = 5;
const PEERS: u8 = 40;

/// Writes two hosts with a tunnel between them that stays as it is, and much that changes.
fn hosts(generation: u8) -> String {
    let mut text = String::new();
    for (host, number) in [("a", 1), ("b", 2)] {
        let other = if host == "a" { "b" } else { "a" };
        text += &format!(
            "backend \"local\" \"{host}\" {{\n  netns = \"{host}\"\n  driver = \"userspace\"\n}}\n\
             interface \"{host}\" {{\n  backend = backend.{host}\n  name = \"wg{host}\"\n  listen_port = 51820\n  \
             addresses = [\"10.8.0.{number}/24\", \"10.9.{generation}.{number}/24\"]\n}}\n\
             peer \"to_{other}\" {{\n  interface = interface.{host}\n  public_key = interface.{other}.public_key\n  \
             preshared_key = preshared_key.tunnel\n  endpoint = \"198.51.100.{}:51820\"\n  allowed_ips = [\"10.8.0.{}/32\"]\n}}\n",
            3 - number,
            3 - number,
        );
    }
    text += "preshared_key \"tunnel\" {}\npreshared_key \"shared\" {}\n";
    for it in 0..generation {
        text += &format!(
            "interface \"more{it}\" {{\n  backend = backend.b\n  name = \"wgm{it}\"\n}}\n"
        );
    }
    for number in 0..PEERS {
        let byte = if number.is_multiple_of(3) { generation } else { 0 };
        let key = PublicKey::from_bytes([number + 1, byte, 7].repeat(11)[..32].try_into().unwrap());
        let network = if number.is_multiple_of(2) { generation } else { 0 };
        text += &format!(
            "peer \"p{number}\" {{\n  interface = interface.a\n  public_key = \"{key}\"\n  \
             preshared_key = preshared_key.shared\n  allowed_ips = [\"172.16.{network}.{number}/32\"]\n}}\n"
        );
    }
    text
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story: what comes next needs what came before")]
fn a_run_on_userspace_wireguard_killed_at_any_instant_is_finished_by_the_next_one() {
    const TEST: &str =
        "userspace::a_run_on_userspace_wireguard_killed_at_any_instant_is_finished_by_the_next_one";
    sandboxed(TEST, &["wireguard-go", "wg", "ping"], || {
        let mut random = Random::new();
        two_hosts();
        foreign();
        let project = Project::new(&hosts(1));
        let mut whole = BTreeMap::new();
        let mut takes = Duration::ZERO;
        for generation in [1, 2, 1] {
            project.configure(&hosts(generation));
            let began = Instant::now();
            project.run("apply -auto-approve").ends(0);
            takes = began.elapsed();
            whole.insert(generation, picture());
        }
        ping("a", "10.8.0.2");
        let (sessions, wanted) = (sessions(), number("WGFORM_USERSPACE_KILLS", KILLS));
        let (mut generation, mut kills) = (1, 0);
        for round in 0..20 * wanted {
            if kills >= wanted {
                break;
            }
            generation = 3 - generation;
            project.configure(&hosts(generation));
            let mut at = format!("in round {round}");
            for _ in 0..IN_A_ROW {
                let after = takes.mul_f64(random.next() * 1.2);
                let ran = killed(&project, "apply -auto-approve", after);
                at += &format!(", {after:?} ({:?})", ran.signal);
                if ran.signal != Some(9) {
                    assert_eq!(ran.code, Some(0), "{at}: {ran}");
                    break;
                }
                kills += 1;
                project.run("state list").ends(0);
                if random.next() < 0.5 {
                    break;
                }
            }
            // A process of WireGuard that was started in the last instant is there a little later.
            eventually("every process has its link", || processes() == links());
            let next = project.run("apply -auto-approve");
            assert_eq!(next.code, Some(0), "after kills {at}: {next}");
            for second in ["plan -detailed-exitcode", "drift"] {
                let second = project.run(second);
                assert_eq!(second.code, Some(0), "after kills {at}: {second}\nfinished by {next}");
            }
            compare(&picture(), &whole[&generation], &format!("after kills {at}: {next}"));
            assert_eq!(project.left_over(), [""; 0], "after kills {at}");
            for (session, now) in sessions.iter().zip(self::sessions()) {
                assert_eq!(*session, now, "a session was cut, after kills {at}: {next}");
            }
        }
        eprintln!("{kills} kills of runs on userspace WireGuard");
        assert!(kills >= wanted, "only {kills} runs were still under way when they were killed");
        ping("a", "10.8.0.2");
        ping("a", "10.99.0.2");
        project.run("destroy -auto-approve").ends(0);
        assert_eq!(links(), 2, "only what is not ours stays");
        assert_eq!(sh("find /var/lib/wgform -type f"), "");
    });
}

/// Makes a tunnel that is not ours, with a session.
fn foreign() {
    for (host, number) in [("a", 1), ("b", 2)] {
        sh(&format!(
            "umask 077; wg genkey >/run/{host}.key; wg pubkey </run/{host}.key >/run/{host}.pub
             ip netns exec {host} wireguard-go for{host} >/dev/null 2>&1
             ip netns exec {host} wg set for{host} private-key /run/{host}.key listen-port 5000
             ip -n {host} address add 10.99.0.{number}/24 dev for{host}; ip -n {host} link set for{host} up"
        ));
    }
    for (host, other, number) in [("a", "b", 2), ("b", "a", 1)] {
        sh(&format!(
            "ip netns exec {host} wg set for{host} peer $(cat /run/{other}.pub) allowed-ips 10.99.0.{number}/32 \
             endpoint 198.51.100.{number}:5000"
        ));
    }
    ping("a", "10.99.0.2");
}

/// Returns when the two tunnels had their handshakes. Nobody sends through them meanwhile, so a later one would be one
/// that was needed.
fn sessions() -> Vec<String> {
    ["a wg show wga", "a wg show fora"]
        .map(|it| sh(&format!("ip netns exec {it} latest-handshakes | grep -v '\t0$'")))
        .into()
}

fn processes() -> usize {
    sh("pidof wireguard-go || true").split_whitespace().count()
}

fn links() -> usize {
    sh("for h in a b; do ip -n $h -o link show type tun; done").lines().count()
}

/// Draws everything that is there: keys, peers, addresses, processes, sockets, files. An interface that comes and goes
/// has other keys each time.
fn picture() -> BTreeSet<String> {
    let text = sh("for h in a b; do
            ip netns exec $h wg show all dump | cut -f1-5,9 | grep -v ^wgm
            ip -n $h -o address show | awk '{print $2, $4}' | grep -v fe80
            ip -n $h -o link show | awk '{print $2, $5}'
        done; find /run/wireguard -type s; find /var/lib/wgform -type f; pidof wireguard-go | wc -w
        sha256sum /var/lib/wgform/keys/*/wg[ab]");
    text.lines().map(str::to_owned).collect()
}

/// Demands that the one is like the other.
fn compare(found: &BTreeSet<String>, wanted: &BTreeSet<String>, at: &str) {
    let missing: Vec<_> = wanted.difference(found).collect();
    let more: Vec<_> = found.difference(wanted).collect();
    assert!(found == wanted, "{at}, {missing:#?} is missing and {more:#?} too much");
}
