//! The power goes at every instant of a run: what was not brought to the disk is there, gone, or there in part, in every
//! combination, and the next run must find everything and finish the job. Needs the feature `failpoints`.
//!
//! The program writes a list of what it does to its files. From the list a test makes each disk that a power cut may
//! leave, and lets the program work on it, with the hosts as they were and with the hosts rebooted.

#![cfg(feature = "failpoints")]
#![expect(clippy::disallowed_methods, reason = "these tests look at files and write them")]
#![expect(clippy::print_stderr, reason = "a test says how much it has tried")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod aftermath;
mod disks;
mod harness;

use std::collections::BTreeSet;
use std::sync::Mutex;

use wgform::failpoint::Point;

use crate::aftermath::{Before, check, side_by_side};
use crate::disks::{Disk, after_power_cut};
use crate::harness::Project;

const FIRST: &str = include_str!("crash/first.wg.hcl");
const SECOND: &str = include_str!("crash/second.wg.hcl");

#[test]
fn a_first_apply_outlives_a_power_cut() {
    everywhere(&Project::new(FIRST), "apply");
}

#[test]
fn an_apply_of_changes_outlives_a_power_cut() {
    let start = Project::new(FIRST);
    start.run("apply -auto-approve").ends(0);
    start.configure(SECOND);
    everywhere(&start, "apply");
}

#[test]
fn a_destroy_outlives_a_power_cut() {
    let start = Project::new(FIRST);
    start.run("apply -auto-approve").ends(0);
    everywhere(&start, "destroy");
}

#[test]
fn an_apply_that_goes_on_from_a_kill_outlives_a_power_cut() {
    let start = Project::new(FIRST);
    start.run("apply -auto-approve").ends(0);
    start.configure(SECOND);
    let before = Before::of(&start, "apply");
    stop(&start, "apply", "host-changed:9");
    everywhere_from(&start, &before, "apply");
}

/// Two runs are killed, and the hosts reboot: what the first had recorded and done by half is known to the third.
#[test]
fn what_two_kills_leave_is_known_after_a_reboot() {
    let start = Project::new(FIRST);
    start.run("apply -auto-approve").ends(0);
    start.configure(SECOND);
    let before = Before::of(&start, "apply").rebooted();
    side_by_side(1..24_usize, |first| {
        let killed = start.fork();
        if !stop_when(&killed, "apply", &format!("host-changed:{first}"), Pace::Slow) {
            return;
        }
        // Every instant of the second run is met for some of the first.
        for second in (1 + first % 3..40).step_by(3) {
            let twice = killed.fork();
            if !stop_when(&twice, "apply", &format!("host-changed:{second}"), Pace::Slow) {
                break;
            }
            for hosts in [&["branch"][..], &["hq", "branch"]] {
                let project = twice.fork();
                hosts.iter().for_each(|it| reboot(&project, it));
                check(&project, &before, "apply", &format!("{first}, then {second}: {hosts:?}"));
            }
        }
    });
}

fn everywhere(start: &Project, command: &str) {
    everywhere_from(start, &Before::of(start, command), command);
}

/// Cuts the power of a run at each change of a file and of a host.
fn everywhere_from(start: &Project, before: &Before, command: &str) {
    let seen = Mutex::new(BTreeSet::new());
    let points = [Point::FileChange, Point::HostChanged, Point::OutcomeLanded];
    let instants = points.into_iter().flat_map(|point| {
        let is_stopped = move |hit: &usize| {
            let at = format!("{}:{hit}", point.as_str());
            let project = start.fork();
            stop(&project, command, &at).then_some((project, at))
        };
        (1..).map_while(move |hit| is_stopped(&hit))
    });
    side_by_side(instants, |(project, at)| {
        let left = Disk::of(start).then(&project);
        for disk in after_power_cut(left) {
            let hosts = format!("{}{}", text(&project, "hq"), text(&project, "branch"));
            if !seen.lock().unwrap().insert((disk.clone(), hosts)) {
                continue;
            }
            for is_rebooted in [false, true] {
                let cut = project.fork();
                disk.put(&cut);
                let mut before = before.clone();
                if is_rebooted {
                    ["hq", "branch"].iter().for_each(|it| reboot(&cut, it));
                    before = before.rebooted();
                }
                let at = format!("{at}, rebooted: {is_rebooted}, with {disk}");
                check(&cut, &before, command, &at);
            }
        }
    });
    let tried = seen.lock().unwrap().len();
    eprintln!("{command}: {tried} disks, each with its hosts as they were and rebooted");
    assert!(tried > 60, "only {tried} disks: the list of changes is not whole");
}

/// Runs a command up to an instant, and returns whether it came there.
fn stop(project: &Project, command: &str, at: &str) -> bool {
    stop_when(project, command, at, Pace::Usual)
}

/// Whether outcomes go on record together, or each by itself, as they do on a machine that is very slow.
#[derive(Clone, Copy, PartialEq)]
enum Pace {
    Usual,
    Slow,
}

fn stop_when(project: &Project, command: &str, at: &str, pace: Pace) -> bool {
    let mut run = project.command(&format!("{command} -auto-approve"));
    if pace == Pace::Slow {
        run.env("WGFORM_SLOW", "1");
    }
    run.env("WGFORM_FAILPOINT", at).env("WGFORM_FILE_LOG", project.path().join(disks::LIST));
    run.output().unwrap().status.code().is_none()
}

fn reboot(project: &Project, backend: &str) {
    let is_there = project.path().join(format!(".wgform/simulated/{backend}.json")).is_file();
    if is_there {
        project.enter(backend).reboot(harness::now()).unwrap();
    }
}

fn text(project: &Project, backend: &str) -> String {
    let path = project.path().join(format!(".wgform/simulated/{backend}.json"));
    std::fs::read_to_string(path).unwrap_or_default()
}
