//! `kill -9` of the built program, without fail points, at random instants of an apply: the next run must find
//! everything and finish the job.

#![expect(clippy::disallowed_methods, reason = "the instants of the kills are random")]
#![expect(clippy::print_stderr, reason = "a failure must be repeatable")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod aftermath;
mod harness;

use std::time::{Duration, Instant};

use rustix::process::Signal;
use wgform::value::PublicKey;

use crate::aftermath::{Before, check};
use crate::harness::Project;

const KILLS: u32 = 20;
const PEERS: u8 = 240;
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
        // Every third is another peer in the next generation, and every other of the rest is changed.
        let byte = if number % 3 == 0 { generation } else { 0 };
        let network = if number % 2 == 0 { generation } else { 0 };
        text += &format!(
            "peer \"p{number}\" {{\n  interface = interface.i{}\n  public_key = \"{}\"\n  \
             preshared_key = preshared_key.shared\n  allowed_ips = [\"172.16.{network}.{number}/32\"]\n}}\n",
            number % INTERFACES,
            PublicKey::from_bytes(
                [number.wrapping_add(1), byte, 7].repeat(11)[..32].try_into().unwrap()
            ),
        );
    }
    text
}

#[test]
fn a_run_killed_at_any_instant_is_finished_by_the_next_one() {
    let mut random = Random::new();
    let empty = Project::new(&hosts(1));
    let changed = empty.fork();
    changed.run("apply -auto-approve").ends(0);
    let full = changed.fork();
    changed.configure(&hosts(2));
    let mut cut_off = 0;
    let starts = [(&empty, "apply"), (&changed, "apply"), (&full, "destroy")];
    for (start, command) in starts {
        let before = Before::of(start, command);
        let began = Instant::now();
        start.fork().run(&format!("{command} -auto-approve")).ends(0);
        let takes = began.elapsed();
        let kills = if command == "apply" { KILLS / 2 } else { KILLS / 4 };
        for _ in 0..kills {
            let after = takes.mul_f64(random.next());
            cut_off += u32::from(kill(start, &before, command, after));
        }
    }
    assert!(cut_off >= KILLS / 2, "only {cut_off} runs were still under way when they were killed");
}

/// Kills one run, and returns whether it was still under way.
fn kill(start: &Project, before: &Before, command: &str, after: Duration) -> bool {
    let project = start.fork();
    let run = project.start(&format!("{command} -auto-approve"));
    std::thread::sleep(after);
    run.signal(Signal::KILL);
    let ran = run.end();
    let at = format!("{after:?} of {command} (ended {:?} {:?})", ran.code, ran.signal);
    check(&project, before, command, &at);
    ran.signal == Some(9)
}

/// Numbers that a failed test can be given again.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = std::env::var("WGFORM_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| harness::now().as_millisecond().unsigned_abs());
        eprintln!("WGFORM_TEST_SEED={seed}");
        Self(seed)
    }

    /// Returns a number from 0 to 1, by splitmix64.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
