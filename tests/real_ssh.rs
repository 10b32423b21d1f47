//! Linux hosts over SSH: the conformance suite and whole stories over a real server, and over a stand-in for `ssh` what a
//! network and a host can do to a run.

#![expect(clippy::disallowed_methods, reason = "these tests look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod conformance;
mod far;
mod harness;
mod sandbox;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use wgform::actual::OwnKeys;
use wgform::backend::linux::Linux;
use wgform::backend::{Act, Interest, Persist, PersistWish, Read, Surroundings};
use wgform::config::{Driver, Jump, Ssh};
use wgform::persist::{Outside, Style};
use wgform::resource::{BackendKind, Field, Fields, Settings};

use crate::conformance::bed::{
    addresses, allowed, create, create_peer, delete, delete_peer, elements, endpoint, hub_fields,
    id, keepalive, key_path, only, preshared, private, public, to, update, update_peer, wait,
    world,
};
use crate::conformance::{Bed, Kind};
use crate::far::{Fake, environment, plain};
use crate::harness::{Project, Ran};
use crate::sandbox::{
    empty_wg_quick, forget_wg0, ping, sandboxed, sandboxed_as_root, sh, start_wg0,
};

scenarios!(over_ssh);

const SERVER: &[&str] = &["wireguard-go", "wg", "ping", "ssh", "sshd", "ssh-keygen"];

/// Runs a scenario on the first hub of the example.
fn over_ssh(name: &str, scenario: fn(&Bed)) {
    sandboxed_as_root(name, SERVER, || {
        let hubs = Project::of_example("two-hubs-over-ssh");
        set_up(&hubs);
        scenario(&far(&hubs, &ssh(&hubs)));
    });
}

fn set_up(hubs: &Project) {
    sh(hubs.path().join("setup.sh").to_str().unwrap());
}

fn tear_down(hubs: &Project) {
    sh(hubs.path().join("teardown.sh").to_str().unwrap());
}

fn ssh(hubs: &Project) -> Ssh {
    let beside = |name: &str| Some(hubs.path().join(name).to_str().unwrap().to_owned());
    Ssh {
        user: Some("root".to_owned()),
        identity_file: beside("key"),
        known_hosts: beside("known_hosts"),
        ..plain("198.51.100.2")
    }
}

fn far(hubs: &Project, ssh: &Ssh) -> Bed {
    let world = world(environment(), hubs.path().to_owned());
    Bed {
        kind: Kind::Userspace,
        backend: Box::new(Linux::over_ssh(id(), ssh.clone(), None, Driver::Auto, world)),
        add_other_link: Box::new(|name| {
            drop(sh(&format!("ip -n wgform-one tuntap add {name} mode tun")))
        }),
        add_route: Box::new(|to, device| {
            drop(sh(&format!("ip -n wgform-one route add {to} dev {device}")))
        }),
        set_up: Box::new(|name, up| {
            sh(&format!("ip -n wgform-one link set {name} {}", if up { "up" } else { "down" }));
        }),
    }
}

#[test]
fn a_tunnel_between_two_hubs_outlives_their_reboot_with_the_same_keys() {
    const TEST: &str = "a_tunnel_between_two_hubs_outlives_their_reboot_with_the_same_keys";
    sandboxed_as_root(TEST, SERVER, || {
        let hubs = Project::of_example("two-hubs-over-ssh");
        hubs.add("real.auto.wgvars.hcl", "simulate = false\n");
        set_up(&hubs);
        let plan = "Plan: 5 to add, 0 to change, 0 to destroy.";
        hubs.run("plan").ends(0).says(plan).says("on linux \"one\"");
        hubs.run("apply -auto-approve").ends(0).says("5 added");
        ping("wgform-one", "10.8.0.2");
        ping("wgform-two", "fd00:8::1");
        hubs.run("plan -detailed-exitcode").ends(0).says("No changes");
        let state = fs::read_to_string(hubs.path().join("wgform.state.json")).unwrap();
        assert!(state.contains("\"identity_file\": \"key\""), "{state}");
        let keys = || sh(&format!("cat {}/disks/*/wgform/keys/wg0", hubs.path().display()));
        let before = keys();
        assert_eq!(before.lines().count(), 4);

        tear_down(&hubs);
        let unreachable = hubs.run("plan").ends(6);
        unreachable.says("could not reach the host `root@198.51.100.2` by SSH");
        set_up(&hubs);
        hubs.run("plan -detailed-exitcode").ends(2).says("was rebooted");
        hubs.run("apply -auto-approve").ends(0);
        ping("wgform-one", "10.8.0.2");
        assert_eq!(keys(), before, "the keys are the same");
        hubs.run("plan -detailed-exitcode").ends(0).says("No changes");

        // Its block is gone: the state knows the way.
        hubs.configure("");
        hubs.run("apply -auto-approve").ends(0).says("5 destroyed");
        assert_eq!(keys_left(&hubs), "");
        tear_down(&hubs);
    });
}

#[test]
fn wg_quick_brings_back_what_was_persisted_from_afar() {
    const TEST: &str = "wg_quick_brings_back_what_was_persisted_from_afar";
    sandboxed(TEST, &["wireguard-go", "wg", "wg-quick"], || {
        empty_wg_quick();
        let fake = Fake::new();
        let bed = fake.bed(plain("far"));
        conformance::boot::comes_back(&bed, Style::WgQuick, forget_wg0, start_wg0);
    });
}

fn keys_left(hubs: &Project) -> String {
    sh(&format!("find {}/disks/*/wgform -type f", hubs.path().display()))
}

#[test]
fn another_machine_under_the_same_address_is_refused() {
    const TEST: &str = "another_machine_under_the_same_address_is_refused";
    sandboxed_as_root(TEST, SERVER, || {
        let hubs = Project::of_example("two-hubs-over-ssh");
        hubs.add("real.auto.wgvars.hcl", "simulate = false\n");
        set_up(&hubs);
        hubs.run("apply -auto-approve").ends(0);
        hubs.edit("198.51.100.2", "198.51.100.7");
        hubs.edit("198.51.100.6", "198.51.100.2");
        hubs.edit("198.51.100.7", "198.51.100.6");
        hubs.run("plan").ends(8).tells("backend `one` is another system than the one in the state");
    });
}

#[test]
fn what_keeps_us_out_is_named_with_the_way_in() {
    const TEST: &str = "what_keeps_us_out_is_named_with_the_way_in";
    sandboxed_as_root(TEST, SERVER, || {
        let hubs = Project::of_example("two-hubs-over-ssh");
        set_up(&hubs);
        let why = |ssh: &Ssh| {
            let backend = far(&hubs, ssh).backend;
            let error = wait(backend.read(&Interest::default())).unwrap_err();
            format!("{}: {}", error.attempt, error.reason)
        };
        let at = "reach the host `root@198.51.100.2` by SSH";
        let good = ssh(&hubs);
        hubs.add("nobody", "");
        let beside = |name: &str| Some(hubs.path().join(name).to_str().unwrap().to_owned());
        assert_eq!(
            why(&Ssh { known_hosts: beside("nobody"), ..good.clone() }),
            format!("{at}: the key of the host, or of one on the way to it, is not known")
        );
        hubs.add("changed", &format!("198.51.100.2 {}\n", key_of(&hubs, "two")));
        assert_eq!(
            why(&Ssh { known_hosts: beside("changed"), ..good.clone() }),
            format!(
                "{at}: the host shows another key than the one that is known of it: it was installed anew, or it is somebody else"
            )
        );
        sh(&format!("ssh-keygen -q -t ed25519 -N '' -f {}/stranger", hubs.path().display()));
        assert_eq!(
            why(&Ssh { identity_file: beside("stranger"), ..good.clone() }),
            format!(
                "{at}: the host does not let this user in with any of the keys that were offered"
            )
        );
        assert_eq!(
            why(&Ssh { port: Some(9), ..good.clone() }),
            format!("{at}: the connection was refused: nothing listens at that port")
        );
        assert_eq!(
            why(&Ssh { host: "hub.invalid".to_owned(), ..good }),
            "reach the host `root@hub.invalid` by SSH: the name of the host, `hub.invalid`, or of one on the way to it does not resolve"
        );
    });
}

#[test]
fn a_host_is_known_by_a_pinned_fingerprint_and_reached_through_others() {
    const TEST: &str = "a_host_is_known_by_a_pinned_fingerprint_and_reached_through_others";
    sandboxed_as_root(TEST, SERVER, || {
        let hubs = Project::of_example("two-hubs-over-ssh");
        set_up(&hubs);
        let folder = hubs.path().display();
        let shown = sh(&format!("ssh-keygen -lf {folder}/disks/one/host_key.pub"));
        let fingerprint = shown.split_whitespace().nth(1).unwrap().to_owned();
        let pinned = Ssh { known_hosts: None, host_key: Some(fingerprint.clone()), ..ssh(&hubs) };
        let picture = far(&hubs, &pinned).read();
        assert_eq!((picture.kind, &*picture.identity.host_name), (BackendKind::Linux, "one"));
        let wrong = format!("SHA256:{}", "x".repeat(43));
        let backend = far(&hubs, &Ssh { host_key: Some(wrong.clone()), ..pinned.clone() }).backend;
        let error = wait(backend.read(&Interest::default())).unwrap_err();
        let expected = format!("the host shows another key than the one of `host_key`, {wrong}");
        assert_eq!(error.reason, expected);
        // Through the second hub to the first one, over the wire between them.
        hubs.add("both", &format!("203.0.113.1 {}\n{}", key_of(&hubs, "one"), known(&hubs)));
        let through = Ssh {
            host: "203.0.113.1".to_owned(),
            known_hosts: Some("both".to_owned()),
            jump: vec![Jump {
                user: Some("root".to_owned()),
                host: "198.51.100.6".to_owned(),
                port: Some(22),
            }],
            ..ssh(&hubs)
        };
        sh(&format!(
            "sed -i '/^ListenAddress/d' {folder}/disks/one/sshd_config; kill -HUP $(cat {folder}/disks/one/sshd.pid)"
        ));
        let error = || wait(far(&hubs, &through).backend.read(&Interest::default()));
        let is_there = (0..50).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            error().is_ok_and(|picture| picture.identity.host_name == "one")
        });
        assert!(is_there, "{:?}", error().err());
    });
}

#[test]
fn every_kind_of_key_lets_us_in() {
    const PROGRAMS: &[&str] = &["ssh", "sshd", "ssh-keygen", "ssh-agent", "ssh-add", "wg"];
    sandboxed_as_root("every_kind_of_key_lets_us_in", PROGRAMS, || {
        let hubs = Project::of_example("two-hubs-over-ssh");
        set_up(&hubs);
        sh(&format!(
            "cd {}
            ssh-keygen -q -t rsa -b 3072 -N '' -f rsa
            ssh-keygen -q -t ed25519 -N '' -f ca; ssh-keygen -q -t ed25519 -N '' -f signed
            ssh-keygen -q -s ca -I us -n root signed.pub
            ssh-keygen -q -t ed25519 -N 'with a passphrase' -f held
            cat rsa.pub held.pub >>key.pub; echo cert-authority $(cat ca.pub) >>key.pub",
            hubs.path().display()
        ));
        let reads = |identity_file: Option<&str>, environment: BTreeMap<String, String>| {
            let identity_file = identity_file.map(str::to_owned);
            let ssh = Ssh { identity_file, ..ssh(&hubs) };
            let world = world(environment, hubs.path().to_owned());
            let backend = Linux::over_ssh(id(), ssh, None, Driver::Auto, world);
            let answer = wait(backend.read(&Interest::default()));
            answer.map(|picture| picture.identity.host_name).map_err(|error| error.reason)
        };
        for name in ["key", "rsa", "signed"] {
            assert_eq!(reads(Some(name), environment()), Ok("one".to_owned()), "{name}");
        }
        let shut_out = "the host does not let this user in with any of the keys that were offered";
        assert_eq!(reads(Some("held"), environment()), Err(shut_out.to_owned()));
        let file = hubs.path().join("none").display().to_string();
        assert_eq!(
            reads(Some(&file), environment()),
            Err(format!("there is no private key at `{file}`"))
        );
        let agent = sh(&format!(
            "cd {}; eval $(ssh-agent -a $PWD/agent) >/dev/null
            printf '#!/bin/sh\necho with a passphrase\n' >ask; chmod +x ask
            SSH_ASKPASS=$PWD/ask SSH_ASKPASS_REQUIRE=force ssh-add -q held; echo $SSH_AUTH_SOCK",
            hubs.path().display()
        ));
        let mut with_agent = environment();
        with_agent.insert("SSH_AUTH_SOCK".to_owned(), agent.trim().to_owned());
        assert_eq!(reads(None, with_agent.clone()), Ok("one".to_owned()));
        assert_eq!(reads(Some("held.pub"), with_agent), Ok("one".to_owned()));
    });
}

#[test]
fn a_user_with_sudo_for_three_programs_has_a_tunnel() {
    const TEST: &str = "a_user_with_sudo_for_three_programs_has_a_tunnel";
    sandboxed_as_root(TEST, &[SERVER, &["sudo"]].concat(), || {
        let hubs = Project::of_example("two-hubs-over-ssh");
        sh(&format!(
            "chmod 755 {0}; mkdir -p /run/etc /run/home; chown 4711 /run/home
            for f in passwd shadow sudoers; do cp /etc/$f /run/etc/; done
            echo deploy:x:4711:4711::/run/home:/bin/sh >>/run/etc/passwd
            echo 'deploy:*:20000:0:99999:7:::' >>/run/etc/shadow
            echo 'deploy ALL=(root) NOPASSWD:' $(command -v wg), $(command -v ip), $(command -v wireguard-go) >/run/etc/sudoers
            for f in passwd shadow sudoers; do mount --bind /run/etc/$f /etc/$f; done",
            hubs.path().display()
        ));
        set_up(&hubs);
        hubs.edit("user          = \"root\"", "user          = \"deploy\"");
        hubs.add("real.auto.wgvars.hcl", "simulate = false\n");
        hubs.run("backend test one")
            .ends(0)
            .says("login      `deploy`, and root by `sudo -n` for `wg` and `ip` only")
            .says("programs   wireguard-tools v")
            .says("rights     interfaces may be changed");
        hubs.run("apply -auto-approve").ends(0).says("5 added");
        ping("wgform-one", "10.8.0.2");
        hubs.run("plan -detailed-exitcode").ends(0).says("No changes");
        let key = "/run/home/.local/state/wgform/keys/wg0";
        assert_eq!(sh(&format!("stat -c '%a %u' {key}")), "600 4711\n");
        hubs.run("destroy -auto-approve").ends(0);
        sh("echo >/run/etc/sudoers");
        hubs.run("plan")
            .ends(6)
            .tells("this user may not run `wg` as root on the host, by `sudo -n`");
    });
}

fn key_of(hubs: &Project, hub: &str) -> String {
    let path = hubs.path().display();
    sh(&format!("cut -d ' ' -f 1,2 {path}/disks/{hub}/host_key.pub")).trim().to_owned()
}

fn known(hubs: &Project) -> String {
    fs::read_to_string(hubs.path().join("known_hosts")).unwrap()
}

fn faked(name: &str, body: fn(&Fake)) {
    sandboxed(name, &["wireguard-go", "wg"], || body(&Fake::new()));
}

fn why(bed: &Bed) -> (String, String) {
    let error = wait(bed.backend.read(&Interest::default())).unwrap_err();
    (error.reason, error.hints.join("; "))
}

/// Counts the changes of a host, and cuts the line before or after the one that `$0.at` says.
const CUTTING: &str = r#"case " $* " in *" show "*|*" -V "*|*" --version "*) exec $REAL "$@";; esac
n=$(($(cat FOLDER/count) + 1)); echo $n >FOLDER/count
[ "$(cat FOLDER/at)" != "before $n" ] || CUT
$REAL "$@"; c=$?
[ "$(cat FOLDER/at)" != "after $n" ] || CUT
exit $c"#;

const CUT_HUB: &str = r#"backend "linux" "hub" {
  driver = "userspace"
  ssh { host = "hub" }
}

interface "hub" {
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
  routes      = "auto"
}

peer "laptop" {
  interface     = interface.hub
  public_key    = "hamKjk6EpGzthxCTodSbmx60Jg3j5rDUyQcY9WJmh0A="
  preshared_key = preshared_key.laptop
  allowed_ips   = ["10.9.0.0/24"]
}

preshared_key "laptop" {}
"#;

#[test]
fn whenever_the_line_is_cut_the_next_run_ends_the_work() {
    faked("whenever_the_line_is_cut_the_next_run_ends_the_work", |fake| {
        let folder = fake.directory.path().display().to_string();
        let cut = format!("{{ echo cut >FOLDER/at; {}; }}", fake.cut());
        let cutting = CUTTING.replace("CUT", &cut).replace("FOLDER", &folder);
        ["wg", "ip", "mv", "rm"].iter().for_each(|name| fake.program(name, &cutting));
        let project = Project::new(CUT_HUB);
        let run = |arguments: &str, at: &str| {
            fs::write(fake.path("count"), "0").unwrap();
            fs::write(fake.path("at"), at).unwrap();
            let output = project.command(arguments).envs(fake.environment()).output().unwrap();
            let count = fs::read_to_string(fake.path("count")).unwrap().trim().parse().unwrap();
            (Ran::of(arguments, output), count)
        };
        let (all, count): (_, usize) = run("apply -auto-approve", "");
        all.ends(0);
        let (all, count_of_destroy): (_, usize) = run("destroy -auto-approve", "");
        all.ends(0);
        assert!(count > 5 && count_of_destroy > 2, "{count}, {count_of_destroy}");
        let mut cuts = 0;
        for (command, count) in
            [("apply -auto-approve", count), ("destroy -auto-approve", count_of_destroy)]
        {
            for at in (1..=count).flat_map(|n| [format!("before {n}"), format!("after {n}")]) {
                if command.starts_with("destroy") {
                    run("apply -auto-approve", "").0.ends(0);
                }
                let (cut, _) = run(command, &at);
                let now = fs::read_to_string(fake.path("at")).unwrap();
                assert_eq!(now.trim(), "cut", "{command}, {at}");
                if cut.code != Some(0) {
                    cuts += 1;
                    assert!(cut.stderr.contains("the connection to the host was lost"), "{cut:?}");
                }
                run(command, "").0.ends(0);
                run("plan -detailed-exitcode", "").0.ends(if command.starts_with("apply") {
                    0
                } else {
                    2
                });
                if command.starts_with("apply") {
                    let kept = sh("grep -v '^#' /var/lib/wgform/keys/wg0");
                    assert_eq!(kept, sh("wg show wg0 private-key"), "{at}");
                    run("destroy -auto-approve", "").0.ends(0);
                }
                assert_eq!(
                    sh("ls /var/lib/wgform/keys /run/wireguard | grep wg0 || :"),
                    "",
                    "{at}"
                );
            }
        }
        assert!(cuts > 5, "{cuts}");
    });
}

#[test]
fn a_host_that_stays_away_is_finished_when_it_is_back() {
    faked("a_host_that_stays_away_is_finished_when_it_is_back", |fake| {
        let (ssh, away) = (fake.path("ssh"), fake.path("away"));
        // From the first peer on, nobody is let in any more.
        fake.program(
            "wg",
            &format!(
                "if [ $1 = addconf ] && ! [ -e {away} ]; then mv {ssh} {away}
                printf '#!/bin/sh\necho ssh: connect to host hub port 22: Connection refused >&2; exit 255\n' >{ssh}
                chmod +x {ssh}; {cut}; fi; exec $REAL \"$@\"",
                away = away.display(),
                ssh = ssh.display(),
                cut = fake.cut(),
            ),
        );
        let project = Project::new(CUT_HUB);
        let run = |arguments: &str| {
            let output = project.command(arguments).envs(fake.environment()).output().unwrap();
            Ran::of(arguments, output)
        };
        run("apply -auto-approve").ends(4).tells("the connection to the host was lost");
        run("plan").ends(6).says("the connection was refused");
        fs::rename(&away, &ssh).unwrap();
        fs::write(&away, "").unwrap();
        run("apply -auto-approve").ends(0);
        run("plan -detailed-exitcode").ends(0);
        let kept = sh("grep -v '^#' /var/lib/wgform/keys/wg0");
        assert_eq!(kept, sh("wg show wg0 private-key"));
    });
}

#[test]
fn round_trips_do_not_grow_with_peers() {
    faked("round_trips_do_not_grow_with_peers", |fake| {
        let bed = fake.bed(plain("hub"));
        bed.hub();
        // Who are we; what is there; the link; its settings.
        assert_eq!(fake.round_trips(), 4);
        let mut counts = Vec::new();
        for count in [1, 1000] {
            let fields = |n: u32| {
                let mut fields = only(&[&format!("10.{}.{}.0/25", n / 256, n % 256)]);
                fields.insert("preshared_key", Field::PresharedKey(Some(preshared(7))));
                fields.insert("endpoint", endpoint("localhost:5000"));
                fields
            };
            let ended = bed.write((0..count).map(|n| create_peer(public(n), fields(n))).collect());
            assert!(ended.iter().all(Result::is_ok));
            let made = fake.round_trips();
            assert_eq!(bed.read().interfaces["wg0"].peers.len(), count as usize);
            let read = fake.round_trips();
            let change = |n| update_peer(public(n), to("persistent_keepalive", keepalive("9s")));
            assert!(bed.write((0..count).map(change).collect()).iter().all(Result::is_ok));
            let changed = fake.round_trips();
            assert!(
                bed.write((0..count).map(|n| delete_peer(public(n))).collect())
                    .iter()
                    .all(Result::is_ok)
            );
            counts.push((made, read, changed, fake.round_trips()));
        }
        assert_eq!(counts, [(2, 1, 2, 2); 2]);
        bed.done(delete("wg0"));
        assert_eq!(fake.round_trips(), 2);
        let everything = Interest {
            key_files: [key_path("wg0")].into(),
            name_servers: true,
            boot: true,
            ..Interest::default()
        };
        bed.read_with(&everything);
        assert_eq!(fake.round_trips(), 1);
    });
}

#[test]
fn a_change_that_landed_before_the_connection_broke_is_done() {
    faked("a_change_that_landed_before_the_connection_broke_is_done", |fake| {
        // The change is made, and then the line is dead, once.
        let once = fake.path("once");
        fake.program(
            "wg",
            &format!(
                "$REAL \"$@\"; c=$?; if [ $1 = addconf ] && rm {} 2>/dev/null; then {}; fi; exit $c",
                once.display(),
                fake.cut()
            ),
        );
        let bed = fake.bed(plain("hub"));
        bed.hub();
        fs::write(&once, "").unwrap();
        let peer = |n| create_peer(public(n), only(&[&format!("10.{n}.0.0/16")]));
        let ended = bed.write((1..5).map(peer).collect());
        assert_eq!(fake.sessions(), 2, "the line was cut");
        assert_eq!(ended, vec![Ok(Fields::new()); 4]);
        assert_eq!(bed.interface("wg0").peers.len(), 4);
    });
}

#[test]
fn a_change_that_did_not_land_fails_and_nothing_else_is_tried() {
    faked("a_change_that_did_not_land_fails_and_nothing_else_is_tried", |fake| {
        let once = fake.path("once");
        fake.program(
            "wg",
            &format!(
                "if [ $1 = addconf ] && rm {} 2>/dev/null; then {}; fi; exec $REAL \"$@\"",
                once.display(),
                fake.cut()
            ),
        );
        let bed = fake.bed(plain("hub"));
        bed.hub();
        fs::write(&once, "").unwrap();
        let peer = |n| create_peer(public(n), only(&[&format!("10.{n}.0.0/16")]));
        let ended = bed.write((1..5).map(peer).collect());
        assert_eq!(fake.sessions(), 2, "the line was cut");
        let lost = Err("failed: the connection to the host was lost".to_owned());
        assert_eq!(ended, vec![lost; 4]);
        assert!(bed.interface("wg0").peers.is_empty());
        assert!(bed.write((1..5).map(peer).collect()).iter().all(Result::is_ok));
    });
}

/// Lets nobody come or stay but while `ip` says so, and calls the process of a link the kernel's. A new session sees it.
fn only_while(fake: &Fake, holds: &str) {
    fake.program(
        "ip",
        &format!(
            "case \" $* \" in *\" show \"*) $REAL \"$@\" | sed s/tun/wireguard/; exit;; esac\n\
             $REAL \"$@\"; c=$?; $REAL {holds} || {}; exit $c",
            fake.cut()
        ),
    );
    let ssh = fs::read_to_string(fake.path("ssh")).unwrap();
    let guarded = ssh.replacen("echo $$", &format!("ip {holds} || exit 255; echo $$"), 1);
    fs::write(fake.path("ssh"), guarded).unwrap();
}

#[test]
fn an_address_that_carries_the_session_stays_when_others_go() {
    faked("an_address_that_carries_the_session_stays_when_others_go", |fake| {
        let bed = fake.bed(plain("hub"));
        let mut fields = hub_fields();
        fields.insert("addresses", addresses(&["10.8.0.1/24", "10.8.0.2/24", "fd00:8::1/64"]));
        bed.done(create("wg0", &private(1), fields));
        for (address, settings) in [
            ("10.8.0.2", elements(&[], &["10.8.0.1/24"])),
            ("fd00:8::1", elements(&["fd00:8::1/128"], &["fd00:8::1/64"])),
        ] {
            let ssh = fs::read_to_string(fake.path("ssh")).unwrap();
            only_while(fake, &format!("-o address show dev wg0 | grep -q ' {address}/'"));
            let ended = fake.bed(plain("hub")).write(vec![update("wg0", settings)]);
            assert_eq!(ended, [Ok(Fields::new())], "{address}");
            fs::write(fake.path("ssh"), ssh).unwrap();
        }
        let shown = sh("ip -o address show dev wg0");
        assert!(shown.contains("10.8.0.2/24") && shown.contains("fd00:8::1/128"), "{shown}");
    });
}

#[test]
fn a_link_that_carries_the_session_is_up_again_under_its_new_name() {
    faked("a_link_that_carries_the_session_is_up_again_under_its_new_name", |fake| {
        let bed = fake.bed(plain("hub"));
        let mut fields = hub_fields();
        fields.insert("addresses", addresses(&["10.8.0.1/24", "fd00:8::1/64"]));
        bed.done(create("wg0", &private(1), fields));
        // Nobody comes here but through that link, which is a kernel's as far as the host tells.
        only_while(fake, "link show up | grep -q ' wg[01]:'");
        let rename = Act::UpdateInterface {
            name: "wg0".to_owned(),
            rename: Some("wg1".to_owned()),
            private_key: None,
            key_file: None,
            own_keys: OwnKeys::default(),
            settings: Settings::new(),
            wanted: Fields::new(),
            around: Surroundings::default(),
        };
        // A new session finds the new programs.
        fake.bed(plain("hub")).write(vec![rename]);
        let shown = sh("ip -o address show dev wg1 up");
        assert!(shown.contains("10.8.0.1/24") && shown.contains("fd00:8::1/64"), "{shown}");
    });
}

#[test]
fn a_slow_host_is_not_waited_for_for_ever() {
    faked("a_slow_host_is_not_waited_for_for_ever", |fake| {
        fake.program("wg", "[ $1 = --version ] || sleep 30");
        let bed = fake.bed(Ssh { timeout: Duration::from_secs(1), ..plain("hub") });
        let (reason, hint) = why(&bed);
        assert_eq!(reason, "the host did not answer in time");
        assert!(hint.contains("raise `timeout`"), "{hint}");
    });
}

#[test]
fn a_host_without_what_is_needed_is_told_what_to_install() {
    faked("a_host_without_what_is_needed_is_told_what_to_install", |fake| {
        fake.program("ip", "echo 'Option \"-j\" is unknown, try \"ip -help\".' >&2; exit 255");
        assert_eq!(
            why(&fake.bed(plain("hub"))).0,
            "the host's `ip` is too old, or too small, to answer in JSON"
        );
        // All that a small host has, in one directory.
        let few = fake.path("few");
        fs::create_dir(&few).unwrap();
        for name in ["sh", "id", "cat", "uname", "grep", "ls", "head", "tee", "sleep"] {
            sh(&format!("ln -s $(command -v {name}) {}/{name}", few.display()));
        }
        fs::copy(fake.path("ssh"), few.join("ssh")).unwrap();
        let environment = [("PATH".to_owned(), few.to_str().unwrap().to_owned())].into();
        assert_eq!(
            why(&fake.bed_in(plain("hub"), environment)),
            (
                "there is no `wg` on the host".to_owned(),
                "install the package `wireguard-tools` there".to_owned()
            )
        );
    });
}

#[test]
fn a_user_needs_sudo_for_two_programs_and_nothing_else() {
    faked("a_user_needs_sudo_for_two_programs_and_nothing_else", |fake| {
        fs::create_dir(fake.path("home")).unwrap();
        fake.program("id", "echo 1000");
        fake.program("sudo", "echo 'sudo: a password is required' >&2; exit 1");
        let (reason, hint) = why(&fake.bed(plain("hub")));
        assert!(reason.starts_with("this user may not run `wg` as root on the host"), "{reason}");
        assert!(hint.contains("NOPASSWD: /usr/bin/wg"), "{hint}");
        let log = fake.path("sudo.log");
        fake.program(
            "sudo",
            &format!(
                "shift; echo \"$*\" >>{}; case ${{1##*/}} in wg|ip|wireguard-go) exec \"$@\";; esac
                 echo \"Sorry, user deploy is not allowed to execute '$1' as root\" >&2; exit 1",
                log.display()
            ),
        );
        let bed = fake.bed(plain("hub"));
        let path = fake.path("home/.local/state/wgform/keys/wg0");
        bed.done(Act::CreateInterface {
            name: "wg0".to_owned(),
            private_key: Some(private(1)),
            key_file: Some(path.clone()),
            fields: hub_fields(),
            around: Surroundings::default(),
        });
        let mut fields = only(&["10.1.0.0/16"]);
        fields.insert("preshared_key", Field::PresharedKey(Some(preshared(7))));
        bed.done(create_peer(public(1), fields));
        let picture = bed.read();
        assert_eq!(picture.key_directory.as_deref(), path.parent());
        assert_eq!(picture.key_files.keys().collect::<Vec<_>>(), [&path]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let run = fs::read_to_string(&log).unwrap();
        assert!(
            run.contains("wg addconf wg0 /proc/self/fd/0") && run.contains("ip -batch -"),
            "{run}"
        );
        for secret in [private(1).expose_text().to_string(), preshared(7).expose_text().to_string()]
        {
            assert!(!run.contains(&secret), "a key on a command line");
        }
        assert_eq!(allowed(&bed.peer("wg0", &public(1))), ["10.1.0.0/16"]);
    });
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    faked("a_full_disk_leaves_nothing_behind", |fake| {
        sh("mkdir -p /var/lib/wgform; mount -t tmpfs -o size=4k t /var/lib/wgform; mkdir /var/lib/wgform/keys
            head -c 4096 /dev/zero >/var/lib/wgform/full 2>/dev/null || :");
        let bed = fake.bed(plain("hub"));
        let act = || Act::CreateInterface {
            name: "wg0".to_owned(),
            private_key: Some(private(1)),
            key_file: Some(key_path("wg0")),
            fields: hub_fields(),
            around: Surroundings::default(),
        };
        let why = bed.failed(act());
        assert_eq!(why, "failed: the key file `/var/lib/wgform/keys/wg0`: the disk is full");
        let picture = bed.read();
        assert!(picture.interfaces.is_empty() && picture.key_files.is_empty());
        assert_eq!(sh("ls /var/lib/wgform/keys"), "");
        sh("rm /var/lib/wgform/full");
        bed.done(act());
    });
}

#[test]
fn a_file_that_holds_something_else_than_was_written_is_seen() {
    faked("a_file_that_holds_something_else_than_was_written_is_seen", |fake| {
        empty_wg_quick();
        fake.program("mv", "$REAL \"$@\"; for last; do :; done; echo '# lies' >>\"$last\"");
        let bed = fake.bed(plain("hub"));
        bed.hub();
        let (style, outside, peers) = (Style::WgQuick, Outside::default(), BTreeMap::new());
        let wish = PersistWish { style, fields: hub_fields(), outside, peers };
        let (name, remove) = ("wg0".to_owned(), BTreeSet::new());
        let act = Persist { name, wish: Some(wish), may_replace: false, remove };
        assert_eq!(
            bed.failed(Act::Persist(Box::new(act))),
            "failed: the file `/etc/wireguard/wg0.conf`: it is not what was written"
        );
    });
}

#[test]
fn any_posix_shell_will_do() {
    faked("any_posix_shell_will_do", |fake| {
        let mut tried = 0;
        for shell in ["dash", "bash", "busybox sh"] {
            if sh(&format!("command -v {shell} || :")).is_empty() {
                continue;
            }
            fake.program("ssh", &format!("exec {shell}"));
            let bed = fake.bed(plain("hub"));
            let key_file = Some(key_path("wg0"));
            let (name, private_key) = ("wg0".to_owned(), Some(private(1)));
            let (fields, around) = (hub_fields(), Surroundings::default());
            bed.done(Act::CreateInterface { name, private_key, key_file, fields, around });
            let mut fields = only(&["10.1.0.0/16"]);
            fields.insert("preshared_key", Field::PresharedKey(Some(preshared(7))));
            bed.done(create_peer(public(1), fields));
            let picture = bed.read();
            let found = &picture.interfaces["wg0"];
            assert_eq!(found.private_key, Some(private(1)), "{shell}");
            assert_eq!((found.peers.len(), picture.key_files.len()), (1, 1), "{shell}");
            bed.done(Act::DeleteInterface {
                name: "wg0".to_owned(),
                public_key: None,
                own_keys: OwnKeys {
                    keys: [private(1).public()].into(),
                    remove: [key_path("wg0")].into(),
                },
                remove_boot_files: BTreeSet::new(),
                around: Surroundings::default(),
            });
            assert!(bed.read().key_files.is_empty(), "{shell}");
            tried += 1;
        }
        assert!(tried > 0);
    });
}

#[test]
fn a_network_namespace_of_the_host_is_worked_in() {
    faked("a_network_namespace_of_the_host_is_worked_in", |fake| {
        sh("ip netns add blue; ip -n blue link set lo up");
        let bed = |name: &str| {
            let world = world(fake.environment(), fake.directory.path().to_owned());
            let netns = Some(name.to_owned());
            let backend = Linux::over_ssh(id(), plain("hub"), netns, Driver::Userspace, world);
            fake.bed_of(Kind::Userspace, backend)
        };
        let blue = bed("blue");
        blue.hub();
        blue.done(create_peer(public(1), only(&["10.1.0.0/16"])));
        sh("ip -n blue link show wg0; ! ip link show wg0 2>/dev/null");
        let picture = blue.read();
        assert!(picture.identity.id.ends_with("#netns=blue"), "{}", picture.identity.id);
        assert_eq!(picture.key_directory, Some("/var/lib/wgform/keys/blue".into()));
        assert_eq!(allowed(&blue.peer("wg0", &public(1))), ["10.1.0.0/16"]);
        assert_eq!(why(&bed("red")).0, "there is no network namespace of that name on the host");
        blue.done(delete("wg0"));
        assert_eq!(sh("ls /run/wireguard"), "");
    });
}

#[test]
fn odd_names_are_no_words_for_a_shell() {
    faked("odd_names_are_no_words_for_a_shell", |fake| {
        let bed = fake.bed(plain("hub"));
        for name in ["a'b\"c", "$(id)", "#x", "-v", "a;b"] {
            bed.done(create(name, &private(1), hub_fields()));
            assert_eq!(bed.read().interfaces.keys().collect::<Vec<_>>(), [name]);
            bed.done(delete(name));
        }
    });
}
