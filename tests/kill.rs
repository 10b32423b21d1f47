//! `kill -9` of the built program, without fail points, at random instants of its runs, also of those that clean up
//! after a kill: the next run that is left alone must find everything and finish the job.
//!
//! `WGFORM_KILLS=300 cargo test --test kill -- --nocapture` kills more often, `WGFORM_USERSPACE_KILLS` does so for
//! userspace WireGuard, and `WGFORM_TEST_SEED` repeats the draws of an earlier run.

#![expect(clippy::disallowed_methods, reason = "the instants of the kills are random")]
#![expect(
    clippy::print_stderr,
    reason = "a failure must be repeatable, and what was tried is said"
)]
#![expect(clippy::unwrap_used, reason = "tests")]

mod aftermath;
mod harness;
#[path = "kill/random.rs"]
mod random;
mod sandbox;
#[path = "kill/userspace.rs"]
mod userspace;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use wgform::simulator::linux::call::DeviceChange;
use wgform::state::{Recorded, State};
use wgform::value::{PrivateKey, PublicKey};

use crate::aftermath::{Before, add_foreign, check, side_by_side};
use crate::harness::{Project, Ran};
use crate::random::{Random, number};

/// So many kills take some seconds.
const KILLS: u64 = 20;
/// A run is killed at most so often before one is left alone.
const IN_A_ROW: u32 = 5;
const PEERS: u8 = 120;
/// A dozen of them, so that there are many batches and journal records.
const INTERFACES: u8 = 12;

/// Writes two hosts with many peers; the number makes one configuration differ from another at every other peer.
fn hosts(generation: u8) -> String {
    let mut text = String::new();
    for backend in ["hq", "branch"] {
        text += &format!("backend \"local\" \"{backend}\" {{\n  simulate = true\n}}\n");
    }
    for number in 0..INTERFACES {
        let backend = if number % 2 == 0 { "hq" } else { "branch" };
        text += &format!(
            "interface \"i{number}\" {{\n  backend = backend.{backend}\n  name = \"wg{number}\"\n  \
             addresses = [\"10.{number}.0.{}/24\"]\n}}\n",
            generation + 1
        );
    }
    text += "preshared_key \"shared\" {}\n";
    for number in 0..PEERS {
        text += &peer(number, generation);
    }
    text
}

fn peer(number: u8, generation: u8) -> String {
    // Every third is another peer in the next generation, and every other of the rest is changed.
    let byte = if number.is_multiple_of(3) { generation } else { 0 };
    let network = if number.is_multiple_of(2) { generation } else { 0 };
    format!(
        "peer \"p{number}\" {{\n  interface = interface.i{}\n  public_key = \"{}\"\n  \
         preshared_key = preshared_key.shared\n  allowed_ips = [\"172.16.{network}.{number}/32\"]\n}}\n",
        number % INTERFACES,
        key(number, byte),
    )
}

fn key(number: u8, byte: u8) -> PublicKey {
    PublicKey::from_bytes([number.wrapping_add(1), byte, 7].repeat(11)[..32].try_into().unwrap())
}

/// Something that is to be done, and what comes of it.
struct Job<'a> {
    start: &'a Project,
    command: &'static str,
    before: Before,
    takes: Duration,
}

impl<'a> Job<'a> {
    fn new(start: &'a Project, command: &'static str) -> Self {
        let before = Before::of(start, command);
        let whole = start.fork();
        let began = Instant::now();
        whole.run(&format!("{command} -auto-approve")).ends(0);
        Self { start, command, before, takes: began.elapsed() }
    }
}

#[test]
fn a_run_killed_at_any_instant_is_finished_by_the_next_one() {
    let random = Random::new();
    let empty = Project::new(&hosts(1));
    empty.run("plan").ends(0);
    add_foreign(&empty);
    let full = empty.fork();
    full.run("apply -auto-approve").ends(0);
    // A peer that stays as it is, with a session.
    full.enter("branch").set_traffic("wg1", &key(1, 0), Some(harness::now()), 1, 2).unwrap();
    let changed = full.fork();
    changed.configure(&hosts(2));
    let jobs = [Job::new(&empty, "apply"), Job::new(&changed, "apply"), Job::new(&full, "destroy")];
    let kills = number("WGFORM_KILLS", KILLS);
    let where_to = Mutex::new(BTreeMap::new());
    let count = || where_to.lock().unwrap().values().sum::<u64>();
    let rounds = (0..).take_while(|round| *round < 20 * kills && count() < kills);
    side_by_side(rounds, |round| {
        let job = &jobs[usize::try_from(round % 3).unwrap()];
        let phases = kill(job, &mut random.of(round), round);
        phases.into_iter().for_each(|it| *where_to.lock().unwrap().entry(it).or_default() += 1);
    });
    let count = count();
    eprintln!("{count} kills: {:#?}", where_to.into_inner().unwrap());
    assert!(count >= kills, "only {count} runs were still under way when they were killed");
}

/// Kills runs in a row, lets one finish the job, and returns in what the runs were that were still under way.
fn kill(job: &Job<'_>, random: &mut Random, round: u64) -> Vec<&'static str> {
    let project = job.start.fork();
    let mut phases = Vec::new();
    let mut at = format!("in round {round}");
    for _ in 0..IN_A_ROW {
        let after = job.takes.mul_f64(random.next());
        let serial = state(&project).map_or(0, |it| it.serial);
        let ran = killed(&project, &format!("{} -auto-approve", job.command), after);
        if ran.signal != Some(9) {
            // It had nothing left to do, or had done it.
            assert_eq!(ran.code, Some(0), "{at}, {ran}");
            break;
        }
        let phase = phase(&project, serial);
        at += &format!(", {after:?} of {} ({phase})", job.command);
        phases.push(phase);
        project.run("state list").ends(0);
        if random.next() < 0.5 {
            break;
        }
    }
    check(&project, &job.before, job.command, &at);
    phases
}

fn killed(project: &Project, arguments: &str, after: Duration) -> Ran {
    let run = project.start(arguments);
    std::thread::sleep(after);
    run.signal(Signal::KILL);
    run.end()
}

fn state(project: &Project) -> Option<State> {
    let bytes = fs::read(project.path().join("wgform.state.json")).ok()?;
    Some(State::from_bytes(&bytes).unwrap())
}

/// Tells from what is left behind where a run was, that began with this serial.
fn phase(project: &Project, began_with: u64) -> &'static str {
    let path = |end: &str| project.path().join(format!("wgform.state.json{end}"));
    let serial = state(project).map_or(0, |it| it.serial);
    if path(".tmp").exists() {
        return "5 a state was being written";
    }
    let Ok(bytes) = fs::read(path(".journal")) else {
        return match (path(".lock").exists(), serial > began_with) {
            (false, false) => "0 not begun, or all over",
            (true, false) => "1 reading and planning",
            (_, true) => "6 a state was written",
        };
    };
    match Recorded::from_bytes(&bytes).unwrap() {
        None => "2 the journal was made",
        Some(it) if serial > it.serial => "6 a state was written",
        Some(it) if !it.open.is_empty() && it.done.is_empty() => "3 in the first batch of a host",
        Some(it) if !it.open.is_empty() => "4 in a later batch, or in outcomes",
        Some(it) if it.done.is_empty() => "2 the journal was made",
        Some(_) => "4 in a later batch, or in outcomes",
    }
}

#[test]
fn a_command_that_only_writes_the_state_is_done_or_not_when_it_is_killed() {
    let random = Random::new();
    let start = Project::new(&hosts(1));
    start.run("apply -auto-approve").ends(0);
    let host = start.enter("hq");
    host.add_link("wg77").unwrap();
    let private_key = Some(PrivateKey::from_bytes([5; 32]));
    host.configure("wg77", &DeviceChange { private_key, ..Default::default() }).unwrap();
    drop(host);
    let more = "interface \"more\" {\n  backend = backend.hq\n  name = \"wg77\"\n}\n";
    start.add("more.wg.hcl", more);
    let hosts = ["hq", "branch"].map(|it| start.host(it));
    let commands =
        ["import interface.more wg77", "state mv peer.p1 peer.other", "state rm peer.p1"];
    let kills = number("WGFORM_KILLS", KILLS) / 4;
    let jobs = commands.map(|command| {
        let whole = start.fork();
        let began = Instant::now();
        whole.run(command).ends(0);
        (command, began.elapsed(), state(&whole).unwrap().resources)
    });
    let untouched = state(&start).unwrap().resources;
    side_by_side(0..kills, |round| {
        let (command, takes, after) = &jobs[usize::try_from(round % 3).unwrap()];
        let project = start.fork();
        let at = takes.mul_f64(random.of(round).next());
        let ran = killed(&project, command, at);
        let found = state(&project).unwrap().resources;
        assert!(found == untouched || found == *after, "{at:?} of {command}: {ran}");
        let is_done = found == *after;
        // Done twice it says that it is done.
        project.run(command).ends(if is_done { 1 } else { 0 });
        assert_eq!(state(&project).unwrap().resources, *after, "{at:?} of {command}");
        assert_eq!(project.left_over(), [""; 0], "{at:?} of {command}");
        assert_eq!(["hq", "branch"].map(|it| project.host(it)), hosts, "{at:?} of {command}");
    });
}
