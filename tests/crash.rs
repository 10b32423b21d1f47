//! The built program is killed at every named instant, each time that it comes to it, and the next run must find
//! everything and finish the job. Needs the feature `failpoints`.

#![cfg(feature = "failpoints")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod aftermath;
mod harness;

use wgform::failpoint::Point;

use crate::aftermath::{Before, check};
use crate::harness::{Project, Ran};

const FIRST: &str = include_str!("crash/first.wg.hcl");
const SECOND: &str = include_str!("crash/second.wg.hcl");

/// So many hits of one instant are more than a run has; one that goes on for ever must not keep the test from ending.
const TOO_MANY: usize = 500;

#[test]
fn a_first_apply_is_finished_by_the_next_one() {
    let start = Project::new(FIRST);
    everywhere(&start, "apply");
}

#[test]
fn an_apply_of_changes_is_finished_by_the_next_one() {
    let start = Project::new(FIRST);
    start.run("apply -auto-approve").ends(0);
    start.configure(SECOND);
    let plan = start.run("plan").ends(0);
    // Otherwise this would show less than it says.
    for action in ["will be created", "will be updated in place", "will be destroyed", "replaced"] {
        assert!(plan.stdout.contains(action), "nothing {action} in {plan}");
    }
    everywhere(&start, "apply");
}

#[test]
fn an_apply_of_changes_back_is_finished_by_the_next_one() {
    let start = Project::new(SECOND);
    start.run("apply -auto-approve").ends(0);
    start.configure(FIRST);
    everywhere(&start, "apply");
}

#[test]
fn a_destroy_is_finished_by_the_next_one() {
    let start = Project::new(FIRST);
    start.run("apply -auto-approve").ends(0);
    everywhere(&start, "destroy");
}

#[test]
fn an_apply_that_heals_is_finished_by_the_next_one() {
    let start = Project::new(FIRST);
    start.run("apply -auto-approve").ends(0);
    start.enter("hq").delete_link("wg0").unwrap();
    start.enter("branch").delete_address("wg0", "10.8.0.2/24".parse().unwrap()).unwrap();
    everywhere(&start, "apply");
}

#[test]
fn many_peers_and_secrets_go_on_record_together() {
    let mut text = FIRST.to_owned();
    for n in 0..200 {
        text += &format!("preshared_key \"many_{n}\" {{}}\n");
    }
    // An fsync for each of them would be some two hundred.
    killed(&Project::new(&text), "apply", "journal-synced:20").ends(0);
}

/// Kills a run of a command at each instant, at its every hit, each time from the same start.
fn everywhere(start: &Project, command: &str) {
    let before = Before::of(start, command);
    let mut kills = 0;
    for point in Point::ALL {
        for hit in 1.. {
            assert!(hit < TOO_MANY, "{point:?} is hit over and over");
            let at = format!("{}:{hit}", point.as_str());
            let project = start.fork();
            let ran = killed(&project, command, &at);
            if ran.signal.is_none() {
                ran.ends(0);
                break;
            }
            kills += 1;
            check(&project, &before, command, &at);
        }
    }
    assert!(kills > 30, "only {kills} kills: the fail points are not where they should be");
}

fn killed(project: &Project, command: &str, at: &str) -> Ran {
    let arguments = format!("{command} -auto-approve");
    let mut prepared = project.command(&arguments);
    prepared.env("WGFORM_FAILPOINT", at);
    Ran::of(&arguments, prepared.output().unwrap())
}
