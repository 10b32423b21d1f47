//! Every change of a file of a run fails once, and from every change on the disk is full: no state is lost, the exit
//! code and the message are right, and when there is room again the next run finishes the job. Needs the feature
//! `failpoints`.

#![cfg(feature = "failpoints")]
#![expect(clippy::print_stderr, reason = "a test says how much it has tried")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod aftermath;
mod harness;

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::Errno;
use serde_json::Value as Json;

use crate::aftermath::{Before, check, side_by_side};
use crate::harness::{Project, Ran};

const FIRST: &str = include_str!("crash/first.wg.hcl");
const SECOND: &str = include_str!("crash/second.wg.hcl");

#[test]
fn a_first_apply_outlives_a_full_disk() {
    everywhere(&Project::new(FIRST), "apply");
}

#[test]
fn an_apply_of_changes_outlives_a_full_disk() {
    let start = Project::new(FIRST);
    start.run("apply -auto-approve").ends(0);
    start.configure(SECOND);
    everywhere(&start, "apply");
}

#[test]
fn a_destroy_outlives_a_full_disk() {
    let start = Project::new(FIRST);
    start.run("apply -auto-approve").ends(0);
    everywhere(&start, "destroy");
}

/// Lets each change of a file fail, and each with all that need room after it.
fn everywhere(start: &Project, command: &str) {
    let before = Before::of(start, command);
    start.run("plan");
    let begins_with = hosts(start);
    let failures = AtomicUsize::new(0);
    for (errno, goes_on) in [(Errno::NOSPC, "+"), (Errno::NOSPC, ""), (Errno::IO, "")] {
        let runs = (1..).map_while(|number| {
            let project = start.fork();
            let at = format!("{}:{number}{goes_on}", errno.raw_os_error());
            let ran = failing(&project, command, &at);
            let is_told = !ran.stderr.contains(&errno.to_string()) && ran.code == Some(0);
            (!is_told).then_some((project, at, ran))
        });
        side_by_side(runs, |(project, at, ran)| {
            failures.fetch_add(1, Ordering::SeqCst);
            let is_changed = hosts(&project) != begins_with;
            assert_eq!(ran.code, Some(if is_changed { 4 } else { 1 }), "{at}: {ran}");
            let ran = ran.tells("help:").tells(match errno {
                Errno::NOSPC => "Make room on the disk, and run the command again.",
                _ => "look into the system's log",
            });
            if is_changed && !ran.stderr.contains("could not remove the journal") {
                ran.tells("Nothing is lost: the journal");
            }
            check(&project, &before, command, &at);
        });
    }
    let failures = failures.into_inner();
    eprintln!("{command}: {failures} failures");
    assert!(failures > 30, "only {failures} failures");
}

fn failing(project: &Project, command: &str, at: &str) -> Ran {
    let arguments = format!("{command} -auto-approve");
    let mut prepared = project.command(&arguments);
    prepared.env("WGFORM_FILE_ERROR", at);
    Ran::of(&arguments, prepared.output().unwrap())
}

fn hosts(project: &Project) -> Vec<Json> {
    ["hq", "branch"].map(|it| project.host(it)["links"].clone()).into()
}

#[test]
fn a_command_that_only_writes_the_state_has_done_it_or_not() {
    let start = Project::new(FIRST);
    start.run("apply -auto-approve").ends(0);
    for command in ["state mv peer.bob peer.robert", "state rm peer.bob"] {
        for number in 1.. {
            let project = start.fork();
            let mut prepared = project.command(command);
            prepared.env("WGFORM_FILE_ERROR", format!("{}:{number}", Errno::NOSPC.raw_os_error()));
            let ran = Ran::of(command, prepared.output().unwrap());
            if ran.code == Some(0) {
                assert!(number > 5, "{ran}");
                break;
            }
            let ran = ran.ends(1);
            let listed = project.run("state list").ends(0).stdout;
            let is_done = !listed.contains("peer.bob");
            project.run(command).ends(if is_done { 1 } else { 0 });
            assert!(!project.run("state list").ends(0).stdout.contains("peer.bob"), "{ran}");
            assert_eq!(project.left_over(), [""; 0], "{number} {ran}");
        }
    }
}
