//! What a store promises when things go wrong, with the built program and each store on a real server: two processes at
//! once, a runner that is killed and its disk gone, a holder that dies while another one waits, signals, a full disk.
//!
//! `WGFORM_ROUNDS=100 cargo test --features failpoints --test reliability two_processes` lets each of two processes apply
//! a hundred times.

#![cfg(all(feature = "failpoints", feature = "object_store", feature = "postgres"))]
#![expect(clippy::disallowed_methods, reason = "these tests start processes and look at files")]
#![expect(clippy::disallowed_types, reason = "servers of these tests are on loopback")]
#![expect(clippy::print_stderr, reason = "a test says how much it has tried")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod gitlab;
mod harness;
#[path = "reliability/shop.rs"]
mod shop;
mod store_contract;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::sync::Mutex;
use std::time::Instant;

use rustix::io::Errno;
use rustix::process::Signal;
use serde_json::{Value as Json, json};

use crate::harness::{Project, Ran, Running, eventually};
use crate::shop::{Shop, copy_world, share_world};

/// Few enough for every day.
const ROUNDS: u64 = 8;
/// As many that an apply of them takes much longer than it takes to interrupt it.
const INTERFACES: usize = 120;

macro_rules! each_store {
    ($($store:ident: $($promise:ident),+;)+) => {
        $(mod $store {
            $(#[test]
            fn $promise() {
                let Some(shop) = crate::Shop::open(stringify!($store), stringify!($promise)) else { return };
                crate::$promise(&shop);
            })+
        })+
    };
}

each_store! {
    local: two_processes_lose_no_update, a_holder_dies_while_another_waits, a_runner_is_told_to_end;
    http: two_processes_lose_no_update, a_runner_dies_with_its_disk, a_holder_dies_while_another_waits,
        a_runner_is_told_to_end, a_full_disk_loses_nothing;
    s3: two_processes_lose_no_update, a_runner_dies_with_its_disk, a_holder_dies_while_another_waits,
        a_runner_is_told_to_end, a_full_disk_loses_nothing;
    azure: two_processes_lose_no_update, a_runner_dies_with_its_disk, a_holder_dies_while_another_waits,
        a_runner_is_told_to_end, a_full_disk_loses_nothing;
    gcs: two_processes_lose_no_update, a_runner_dies_with_its_disk, a_holder_dies_while_another_waits,
        a_runner_is_told_to_end, a_full_disk_loses_nothing;
    postgres: two_processes_lose_no_update, a_runner_dies_with_its_disk, a_holder_dies_while_another_waits,
        a_runner_is_told_to_end, a_full_disk_loses_nothing;
}

const HOST: &str = "backend \"local\" \"hq\" {\n  simulate = true\n}\n\
    interface \"hub\" {\n  name = \"wg0\"\n  listen_port = 51820\n}\n";

/// Writes an interface with some peers.
fn hub(peers: usize) -> String {
    let mut text = HOST.to_owned();
    for peer in 0..peers {
        text += &format!(
            "peer \"p{peer}\" {{\n  interface = interface.hub\n  public_key = wg_public_key(base64sha256(\"{peer}\"))\n  \
             allowed_ips = [\"10.8.0.{}/32\"]\n}}\n",
            peer + 1
        );
    }
    text
}

/// Runs the program with all waiting cut short.
fn hurried(project: &Project, arguments: &str) -> Ran {
    let output = project.command(arguments).env("WGFORM_HURRY", "100").output().unwrap();
    Ran::of(arguments, output)
}

/// Runs the program to where it stops as a kill would.
fn killed_at(project: &Project, point: &str) {
    let run = project.command("apply -auto-approve").env("WGFORM_FAILPOINT", point).output();
    let ran = Ran::of("apply", run.unwrap());
    assert_eq!(ran.code, None, "{point}: {ran}");
}

/// Returns the id of the lock, if somebody holds it.
fn holder(project: &Project) -> Option<String> {
    let shown = hurried(project, "lock show").ends(0).stdout;
    shown.lines().find_map(|line| line.trim().strip_prefix("id:")).map(|it| it.trim().to_owned())
}

fn document(project: &Project) -> Json {
    serde_json::from_str(&project.run("state pull").ends(0).stdout).unwrap()
}

/// Demands that the state has what the host has, each peer once, and that nothing is under way.
#[track_caller]
fn is_whole(project: &Project, peers: usize, case: &str) {
    let plan = hurried(project, "plan -detailed-exitcode");
    assert_eq!(plan.code, Some(0), "{case}: {plan}");
    let document = document(project);
    assert_eq!(document["resources"].as_object().unwrap().len(), peers + 1, "{case}");
    for open in ["in_flight", "applying"] {
        assert!(matches!(&document[open], Json::Null | Json::Array(_)), "{case}: {document}");
        assert_eq!(document[open].as_array().map_or(0, Vec::len), 0, "{case}: {document}");
    }
    let host = project.host("hq").to_string();
    assert_eq!(host.matches("10.8.0.").count(), peers, "{case}: {host}");
    assert_eq!(holder(project), None, "{case}");
}

/// Two processes on two machines, each of which adds one peer with each apply. At the end all are there, and each write
/// had the serial above the last.
fn two_processes_lose_no_update(shop: &Shop) {
    let rounds = env::var("WGFORM_ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(ROUNDS);
    let mut text = shop.block("two") + HOST;
    for (name, net) in [("one", 1), ("two", 2)] {
        text += &format!(
            "variable \"{name}\" {{\n  default = 0\n}}\npeer \"{name}\" {{\n  count = var.{name}\n  \
             interface = interface.hub\n  public_key = wg_public_key(base64sha256(\"{name}-${{count.index}}\"))\n  \
             allowed_ips = [\"10.8.{net}.${{count.index}}/32\"]\n}}\n"
        );
    }
    let projects = [Project::new(&text), Project::new(&text)];
    share_world(&projects[0], &projects[1]);
    projects[0].run("apply -auto-approve -target=interface.hub").ends(0);
    let (serials, began) = (Mutex::new(BTreeSet::new()), Instant::now());
    let look = |project: &Project| {
        let seen = shop.serials(project, "two");
        serials.lock().unwrap().extend(seen);
    };
    look(&projects[0]);
    std::thread::scope(|scope| {
        for (project, name) in projects.iter().zip(["one", "two"]) {
            scope.spawn(move || {
                for round in 1..=rounds {
                    let apply = format!(
                        "apply -auto-approve -lock-timeout=10m -target=peer.{name} -var={name}={round}"
                    );
                    project.run(&apply).ends(0).says("1 added");
                    look(project);
                }
            });
        }
    });
    eprintln!("2 x {rounds} applies in {:.0?}", began.elapsed());
    let last = shop.writes_per_apply() * (2 * rounds + 1);
    assert_eq!(serials.into_inner().unwrap(), (1..=last).collect::<BTreeSet<u64>>());
    let document = document(&projects[0]);
    assert_eq!(document["serial"], last);
    assert_eq!(document["in_flight"], json!([]));
    let listed = projects[1].run("state list").ends(0).stdout;
    let host = projects[0].host("hq").to_string();
    for (name, net) in [("one", 1), ("two", 2)] {
        for index in 0..rounds {
            assert!(listed.contains(&format!("peer.{name}[{index}]")), "{name} {index}: {listed}");
            assert!(host.contains(&format!("10.8.{net}.{index}/32")), "{name} {index}: {host}");
        }
    }
    assert_eq!(holder(&projects[0]), None);
}

/// The runner is killed, and all that it kept is gone: the next one, elsewhere, makes up for it.
fn a_runner_dies_with_its_disk(shop: &Shop) {
    let points =
        ["batch-write", "host-changed:2", "outcome-landed:3", "batch-written", "lock-release"];
    for (number, point) in points.into_iter().enumerate() {
        let text = shop.block(&format!("killed-{number}")) + &hub(4);
        let (first, second) = (Project::new(&text), Project::new(&text));
        killed_at(&first, point);
        copy_world(first.path(), &second);
        drop(first);
        // What the server frees by itself it frees when it sees that the session is over.
        if shop.frees() {
            eventually("the lock is freed", || holder(&second).is_none());
        }
        if let Some(id) = holder(&second) {
            hurried(&second, "apply -auto-approve").ends(5).tells(&id);
            hurried(&second, &format!("force-unlock -force {id}")).ends(0);
        }
        let again = hurried(&second, "apply -auto-approve").ends(0);
        assert!(!again.stderr.contains("destroyed"), "{point}: {again}");
        is_whole(&second, 4, point);
        hurried(&second, "destroy -auto-approve").ends(0);
    }
}

fn asking(project: &Project, environment: &[(&str, &str)]) -> Running {
    let mut run = project.start_in(environment, "apply");
    run.wait_for("Enter a value");
    run
}

/// The holder of the lock is killed while another run waits for it. Where the lock does not go with its holder, it is never
/// broken; who waits is told that its holder seems dead, by a clock of its own.
fn a_holder_dies_while_another_waits(shop: &Shop) {
    let text = shop.block("waits") + &hub(2);
    let (first, second) = (Project::new(&text), Project::new(&text));
    // Five minutes are six seconds.
    let hurry = [("WGFORM_HURRY", "50")];
    let holding = asking(&first, &hurry);
    let id = holder(&second).unwrap();
    let early = "apply -auto-approve -lock-timeout=1s";
    let early = Ran::of(early, second.command(early).envs(hurry).output().unwrap());
    assert!(!early.ends(5).tells(&id).stderr.contains("seems dead"));
    let mut waiting = second.start_in(&hurry, "apply -auto-approve -lock-timeout=12s");
    waiting.wait_for("Waiting for the lock");
    holding.signal(Signal::KILL);
    drop(holding);
    let waited = waiting.end();
    if shop.frees() {
        waited.ends(0);
        is_whole(&second, 2, "freed");
        return;
    }
    let waited = waited.ends(5).tells(&id);
    assert_eq!(waited.stderr.contains("It seems dead"), shop.beats(), "{waited}");
    assert_eq!(holder(&second), Some(id.clone()), "the lock is as it was");
    if shop.beats() {
        looks_dead_by_our_own_clock(&second);
    }
    assert_eq!(holder(&second), Some(id.clone()), "the lock is as it was");
    hurried(&second, &format!("force-unlock -force {id}")).ends(0);
    hurried(&second, "apply -auto-approve").ends(0);
    is_whole(&second, 2, "by force");
}

/// What counts is since when this machine has seen nothing new, whatever the holder wrote of its own time: a clock that was
/// set back makes nobody dead.
fn looks_dead_by_our_own_clock(project: &Project) {
    let remote = project.path().join(".wgform/remote");
    let own = fs::read_dir(remote).unwrap().next().unwrap().unwrap().path();
    let path = own.join("lock-seen.json");
    for (since, is_dead) in [("2099-01-01T00:00:00Z", false), ("2020-01-01T00:00:00Z", true)] {
        let mut seen: Json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        seen["since"] = since.into();
        fs::write(&path, seen.to_string()).unwrap();
        let shown = project.run("lock show").ends(0).stdout;
        assert_eq!(shown.contains("For five minutes"), is_dead, "{since}: {shown}");
    }
}

/// SIGTERM, as a CI runner sends it: in the middle of an apply, and while the run waits for the lock.
fn a_runner_is_told_to_end(shop: &Shop) {
    let mut text = shop.block("ended") + "backend \"local\" \"hq\" {\n  simulate = true\n}\n";
    for number in 0..INTERFACES {
        text += &format!("interface \"i{number:03}\" {{\n  name = \"wg{number}\"\n}}\n");
    }
    let (first, second) = (Project::new(&text), Project::new(&text));
    share_world(&first, &second);
    let mut running = first.start("apply -auto-approve");
    running.wait_for(": created");
    let mut waiting = second.start("apply -auto-approve -lock-timeout=10m");
    waiting.wait_for("Waiting for the lock");
    waiting.signal(Signal::TERM);
    let waited = waiting.end();
    match shop {
        // It holds nothing, and ends as the system lets it.
        Shop::Local(_) => assert_eq!(waited.signal, Some(15), "{waited}"),
        _ => assert_eq!(waited.code, Some(130), "{waited}"),
    }
    running.signal(Signal::TERM);
    let ran = running.end().ends(130).says("Apply interrupted.");
    let owned = second.run("state list").ends(0).stdout.lines().count();
    assert!(owned < INTERFACES, "the signal came too late to show anything: {ran}");
    assert_eq!(document(&second)["in_flight"], json!([]));
    assert_eq!(holder(&second), None, "the lock is given back");
    // The loopback and the one to the network are links as well.
    assert_eq!(first.host("hq")["links"].as_object().unwrap().len(), owned + 2);
    second.run("apply -auto-approve").ends(0).says("Apply complete.");
    second.run("plan -detailed-exitcode").ends(0);
    assert_eq!(second.run("state list").ends(0).stdout.lines().count(), INTERFACES);
}

/// From some change of a file on, the disk of the runner is full. The store has all the same what there is, be it that
/// the next run is on the same disk or on another one.
fn a_full_disk_loses_nothing(shop: &Shop) {
    let mut failures = 0;
    for number in 1.. {
        let text = shop.block(&format!("full-{number}")) + &hub(3);
        let project = Project::new(&text);
        project.run("plan").ends(0);
        let mut prepared = project.command("apply -auto-approve");
        prepared.env("WGFORM_FILE_ERROR", format!("{}:{number}+", Errno::NOSPC.raw_os_error()));
        let ran = Ran::of("apply", prepared.env("WGFORM_HURRY", "100").output().unwrap());
        let case = format!("from change {number} on: {ran}");
        assert!(matches!(ran.code, Some(0 | 1 | 4)), "{case}");
        assert_eq!(holder(&project), None, "{case}");
        if ran.code == Some(0) && !ran.stderr.contains("No space") {
            assert!(failures > 5, "{case}");
            break;
        }
        failures += 1;
        let elsewhere = Project::new(&text);
        let next = match number % 2 {
            0 => &project,
            _ => {
                copy_world(project.path(), &elsewhere);
                &elsewhere
            }
        };
        let again = hurried(next, "apply -auto-approve");
        assert_eq!(again.code, Some(0), "{case}\n{again}");
        is_whole(next, 3, &case);
    }
    eprintln!("{failures} failures");
}
