//! The conformance suite over wireguard-go, each scenario in a sandbox of its own, and what only real packets show.

#![expect(
    clippy::disallowed_methods,
    reason = "one test runs itself again, others lay out programs"
)]
#![expect(clippy::unwrap_used, reason = "tests")]

mod conformance;
mod harness;
mod hosts;
mod sandbox;
#[path = "conformance/tunnel.rs"]
mod tunnel;

use std::collections::BTreeMap;
use std::path::PathBuf;

use wgform::backend::linux::Linux;
use wgform::backend::{Batch, Interest, Operation, Outcome, Stop, Surroundings};
use wgform::config::Driver;
use wgform::persist::Style;
use wgform::resource::{Field, Fields, Setting, Settings};

use crate::conformance::bed::{
    create, create_peer, create_with, delete, delete_with, id, only, private, public, to, update,
    wait, world,
};
use crate::conformance::{Bed, Kind};
use crate::harness::Project;
use crate::sandbox::{empty_wg_quick, forget_wg0, sandboxed, sh, start_wg0, two_hosts};

scenarios!(userspace);
host_scenarios!(program);

fn userspace(name: &str, scenario: fn(&Bed)) {
    sandboxed(name, &["wireguard-go"], || scenario(&bed(None)));
}

/// Runs a scenario with the built program.
fn program(name: &str, scenario: fn(&str)) {
    sandboxed(name, &["wireguard-go", "wg", "ping"], || scenario("userspace"));
}

fn bed(netns: Option<&str>) -> Bed {
    let world = world(BTreeMap::new(), PathBuf::from("/nowhere"));
    let netns = netns.map(str::to_owned);
    Bed {
        kind: Kind::Userspace,
        backend: Box::new(Linux::real(id(), netns, Driver::Userspace, world)),
        add_other_link: Box::new(|name| drop(sh(&format!("ip tuntap add {name} mode tun")))),
        add_route: Box::new(|to, device| drop(sh(&format!("ip route add {to} dev {device}")))),
        set_up: Box::new(|name, up| {
            sh(&format!("ip link set {name} {}", if up { "up" } else { "down" }));
        }),
    }
}

#[test]
fn packets_cross_a_tunnel_and_other_sessions_outlive_a_change() {
    const TEST: &str = "packets_cross_a_tunnel_and_other_sessions_outlive_a_change";
    sandboxed(TEST, &["wireguard-go", "wg", "ping"], || {
        two_hosts();
        // Sockets lie side by side, so that two namespaces cannot both have a `wg0`.
        tunnel::carries_packets((&bed(Some("a")), "wga0"), (&bed(Some("b")), "wgb0"));
    });
}

#[test]
fn a_namespace_that_is_not_there_says_how_to_make_it() {
    sandboxed("a_namespace_that_is_not_there_says_how_to_make_it", &[], || {
        let bed = bed(Some("blue"));
        let error = wait(bed.backend.read(&Default::default())).unwrap_err();
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
fn wg_quick_brings_back_what_was_persisted() {
    const TEST: &str = "wg_quick_brings_back_what_was_persisted";
    sandboxed(TEST, &["wireguard-go", "wg", "wg-quick"], || {
        empty_wg_quick();
        conformance::boot::comes_back(&bed(None), Style::WgQuick, forget_wg0, start_wg0);
    });
}

#[test]
fn a_plan_is_empty_when_wg_quick_has_brought_an_interface_back() {
    const TEST: &str = "a_plan_is_empty_when_wg_quick_has_brought_an_interface_back";
    sandboxed(TEST, &["wireguard-go", "wg", "wg-quick"], || {
        empty_wg_quick();
        let project = Project::new(HUB_THAT_COMES_BACK);
        project.run("apply -auto-approve").ends(0);
        for change in ["10.8.0.0/24", "10.9.0.0/24"] {
            project.edit("10.8.0.0/24", change);
            project.run("apply -auto-approve").ends(0);
            let held = sh("wg showconf wg0");
            forget_wg0();
            start_wg0();
            assert_eq!(sh("wg showconf wg0"), held);
            project.run("plan -detailed-exitcode").ends(0).says("No changes");
        }
        project.run("destroy -auto-approve").ends(0);
        assert_eq!(sh("ls /etc/wireguard"), "");
    });
}

const HUB_THAT_COMES_BACK: &str = r#"backend "local" "hub" {
  driver = "userspace"
}

interface "hub" {
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.7.0.1/24"]
  persist     = "wg-quick"
  routes {
    default_route = true
  }
}

peer "laptop" {
  interface     = interface.hub
  public_key    = "hamKjk6EpGzthxCTodSbmx60Jg3j5rDUyQcY9WJmh0A="
  preshared_key = preshared_key.laptop
  endpoint      = "127.0.0.1:5000"
  allowed_ips   = ["10.8.0.0/24", "0.0.0.0/0"]
}

preshared_key "laptop" {}
"#;

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

/// What a command writes down: when it ran, what it was told, and how the link was then.
const LOG: &str = "echo $1 $WGFORM_ACTION $WGFORM_ADDRESS $WGFORM_BACKEND $TOKEN \
    $(ip -br link show $WGFORM_INTERFACE 2>/dev/null | tr -s ' ' | cut -d' ' -f1,2) >>/run/log";

fn around(action: &'static str) -> Surroundings {
    let log = |at: &str| ["sh", "-c", LOG, "sh", at].map(str::to_owned).to_vec();
    let hooks = ["pre_up", "post_up", "pre_down", "post_down"];
    Surroundings {
        address: "interface.hub".to_owned(),
        action,
        hooks: hooks.map(|at| (at, vec![log(at)])).into(),
        had_name_servers: true,
    }
}

/// A host whose programs are first looked for in a directory of the sandbox, where these scripts are.
fn bed_with(programs: &[(&str, &str)]) -> Bed {
    std::fs::create_dir_all("/run/bin").unwrap();
    for (name, script) in programs {
        let path = format!("/run/bin/{name}");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        sh(&format!("chmod +x {path}"));
    }
    let path = format!("/run/bin:{}", std::env::var("PATH").unwrap());
    let environment = BTreeMap::from([
        ("PATH".to_owned(), path),
        ("TOKEN".to_owned(), "a-secret-of-the-environment".to_owned()),
    ]);
    let world = world(environment, PathBuf::from("/nowhere"));
    Bed { backend: Box::new(Linux::real(id(), None, Driver::Userspace, world)), ..bed(None) }
}

#[test]
fn commands_see_the_link_as_it_is_and_no_secret() {
    sandboxed("commands_see_the_link_as_it_is_and_no_secret", &["wireguard-go"], || {
        let bed = bed_with(&[]);
        bed.done(create_with("wg0", &private(1), Fields::new(), around("create")));
        bed.done(delete_with("wg0", around("destroy")));
        assert_eq!(
            sh("cat /run/log"),
            "pre_up create interface.hub hq wg0 DOWN\n\
             post_up create interface.hub hq wg0 UNKNOWN\n\
             pre_down destroy interface.hub hq wg0 UNKNOWN\n\
             post_down destroy interface.hub hq\n"
        );
    });
}

fn name_servers() -> Fields {
    Fields::from([
        ("dns", Field::Servers(vec!["10.8.0.53".parse().unwrap(), "fd00::53".parse().unwrap()])),
        ("dns_search", Field::Domains(vec!["corp.example".to_owned(), "~.".to_owned()])),
    ])
}

#[test]
fn name_servers_go_to_systemd_resolved_where_it_runs() {
    sandboxed("name_servers_go_to_systemd_resolved_where_it_runs", &["wireguard-go"], || {
        sh("mkdir -p /run/systemd/system");
        let resolvectl = r#"f=/run/$1-$2; echo "resolvectl $*" >>/run/log
            if test $# = 2; then echo "Link 7 ($2): $(cat $f 2>/dev/null)"; exit; fi
            shift 2; test -e /run/lies || echo "$*" >$f"#;
        let bed = bed_with(&[
            ("resolvectl", resolvectl),
            ("systemctl", "test $3 = systemd-resolved.service"),
        ]);
        bed.done(create_with("wg0", &private(1), name_servers(), Surroundings::default()));
        let interest = Interest { name_servers: true, ..Interest::default() };
        let found = bed.read_with(&interest).interfaces.remove("wg0").unwrap().fields;
        for (name, field) in name_servers() {
            assert_eq!(found.get(name), Some(&field));
        }
        sh("rm /run/log");
        bed.done(update("wg0", Settings::from([("dns", Setting::Clear)])));
        assert_eq!(sh("head -n 1 /run/log"), "resolvectl dns wg0 \n");
        // A resolver that takes a list and holds another one is not believed.
        sh("touch /run/lies");
        let why = bed.failed(update("wg0", to("dns", name_servers()["dns"].clone())));
        assert_eq!(
            why,
            "failed: the device was read again after the write, and `dns` is not what was written"
        );
        bed.done(delete("wg0"));
    });
}

#[test]
fn name_servers_go_to_resolvconf_where_that_is_all_there_is() {
    sandboxed(
        "name_servers_go_to_resolvconf_where_that_is_all_there_is",
        &["wireguard-go"],
        || {
            let resolvconf = r#"{ echo "$*"; test "$1" = -d || cat; } >>/run/given; test ! -e /run/broken || { echo no signature >&2; exit 5; }"#;
            let bed = bed_with(&[("resolvconf", resolvconf)]);
            bed.done(create_with("wg0", &private(1), name_servers(), Surroundings::default()));
            bed.done(delete_with("wg0", around("destroy")));
            assert_eq!(
                sh("sed 's/tun\\.//' /run/given"),
                "-a wg0 -m 0 -x\nnameserver 10.8.0.53\nnameserver fd00::53\nsearch corp.example\n-d wg0 -f\n"
            );
            sh("touch /run/broken");
            let failing = create_with("wg0", &private(1), name_servers(), Surroundings::default());
            assert!(
                bed.failed(failing)
                    .starts_with("failed: `resolvconf`: it ended with 5, and said: no signature")
            );
            assert!(bed.read().interfaces.is_empty());
        },
    );
}

#[test]
fn a_program_of_ones_own_is_started_and_tested() {
    const TEST: &str = "a_program_of_ones_own_is_started_and_tested";
    sandboxed(TEST, &["wireguard-go"], || {
        let own = "echo started $TOKEN >>/run/log; exec wireguard-go \"$@\"";
        drop(bed_with(&[("our-wireguard", own)]));
        let driven = |program: &str| {
            // It lives on, and must not keep what is secret here.
            let environment = BTreeMap::from([("TOKEN".to_owned(), "a secret".to_owned())]);
            let world = world(environment, PathBuf::from("/nowhere"));
            let linux = Linux::real(id(), None, Driver::Userspace, world);
            let linux = linux.with_userspace_program(Some(program.to_owned()));
            Bed { backend: Box::new(linux), ..bed(None) }
        };
        let ours = driven("/run/bin/our-wireguard");
        ours.hub();
        assert_eq!(sh("cat /run/log"), "started\n");
        let examined = wait(ours.backend.examine()).unwrap();
        assert!(examined.is_fit());
        assert_eq!(examined.picture.interfaces.len(), 1);
        assert_eq!(examined.facts[0].says, "in userspace, `/run/bin/our-wireguard`");
        let examined = wait(driven("no-wireguard").backend.examine()).unwrap();
        assert!(!examined.is_fit());
        assert_eq!(examined.facts[0].says, "none: `no-wireguard` is not installed");
        let why = driven("no-wireguard").failed(create("wg1", &private(2), Fields::new()));
        assert_eq!(why, "failed: there is no WireGuard here: `no-wireguard` is not installed");
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

#[test]
fn without_the_module_auto_takes_userspace_and_kernel_says_so() {
    sandboxed(
        "without_the_module_auto_takes_userspace_and_kernel_says_so",
        &["wireguard-go"],
        || {
            let driven = |driver| {
                let world = world(BTreeMap::new(), PathBuf::from("/nowhere"));
                Bed { backend: Box::new(Linux::real(id(), None, driver, world)), ..bed(None) }
            };
            let has_module = driven(Driver::Auto).read().capabilities.renames;
            driven(Driver::Auto).done(create("wg0", &private(1), Fields::new()));
            assert_eq!(driven(Driver::Auto).read().interfaces.len(), 1);
            if has_module {
                driven(Driver::Kernel).done(create("wg1", &private(2), Fields::new()));
            } else {
                let why = driven(Driver::Kernel).failed(create("wg1", &private(2), Fields::new()));
                assert_eq!(why, "failed: the kernel has no module `wireguard`");
            }
            // Whoever made it, an interface is read and removed.
            driven(Driver::Kernel).done(delete("wg0"));
        },
    );
}

#[test]
fn ten_thousand_peers_take_seconds() {
    sandboxed("ten_thousand_peers_take_seconds", &["wireguard-go"], || {
        let bed = bed(None);
        bed.hub();
        let networks = |n: u32| only(&[&format!("10.{}.{}.0/25", n / 256, n % 256)]);
        let ended = bed.write((0..10_000).map(|n| create_peer(public(n), networks(n))).collect());
        assert!(ended.iter().all(Result::is_ok));
        assert_eq!(bed.interface("wg0").peers.len(), 10_000);
        // Its name is free at once.
        for _ in 0..8 {
            bed.done(delete("wg0"));
            bed.hub();
        }
    });
}

#[test]
fn without_rights_the_way_to_them_is_named() {
    const TEST: &str = "without_rights_the_way_to_them_is_named";
    sandboxed(TEST, &["wireguard-go"], || {
        let driven = |driver| {
            let world = world(BTreeMap::new(), PathBuf::from("/nowhere"));
            Bed { backend: Box::new(Linux::real(id(), None, driver, world)), ..bed(None) }
        };
        if !is_without_rights() {
            bed(None).hub();
            // A user namespace of its own has no rights over the network of this one.
            let inner = format!("unshare -U $0 --exact {TEST} --nocapture");
            let own = std::env::current_exe().unwrap();
            let output =
                std::process::Command::new("sh").args(["-ec", &inner]).arg(own).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
            return;
        }
        let why = "failed: this user may not change or read WireGuard interfaces";
        assert_eq!(driven(Driver::Kernel).failed(create("wg1", &private(2), Fields::new())), why);
        assert_eq!(driven(Driver::Auto).failed(create("wg1", &private(2), Fields::new())), why);
        let acts = [create("wg1", &private(2), Fields::new())];
        let operations = acts.map(|act| Operation { after: vec![], act }).into();
        let mut hints = Vec::new();
        let mut landed = |_, outcome| match outcome {
            Outcome::Failed(error) => hints.push((error.reason, error.hints)),
            _ => panic!("it must fail"),
        };
        let backend = driven(Driver::Userspace).backend;
        wait(backend.write(Batch { operations }, Stop::default(), &mut landed));
        let (reason, hints) = hints.remove(0);
        assert!(reason.starts_with("`wireguard-go` did not start"), "{reason}");
        assert_eq!(hints, ["run as root, or with the capability CAP_NET_ADMIN"]);
    });
}

/// Whether the network of this process belongs to a user namespace above its own.
fn is_without_rights() -> bool {
    sh("cat /proc/self/uid_map").trim().is_empty()
}
