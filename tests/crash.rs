//! The built program is killed at every named instant, each time that it comes to it, and the next run must find
//! everything and finish the job. Needs the feature `failpoints`.

#![cfg(feature = "failpoints")]
#![expect(clippy::print_stderr, reason = "a test says how much it has tried")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod aftermath;
mod harness;

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value as Json;
use wgform::failpoint::Point;

use crate::aftermath::{Before, check, side_by_side};
use crate::harness::{Project, Ran, devices};

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
fn a_plan_that_is_saved_after_a_cut_off_apply_can_be_applied() {
    let project = Project::new(FIRST);
    let cut =
        project.command("apply -auto-approve").env("WGFORM_FAILPOINT", "batch-written").output();
    assert_eq!(Ran::of("apply", cut.unwrap()).code, None);
    project.run("plan -out=p").ends(0).tells("was cut off");
    project.run("apply p").ends(0);
    project.run("plan -detailed-exitcode").ends(0);
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
fn an_apply_that_goes_on_after_a_kill_is_killed_and_finished_by_the_next_one() {
    let start = Project::new(FIRST);
    start.run("apply -auto-approve").ends(0);
    start.configure(SECOND);
    let before = Before::of(&start, "apply");
    let points = [Point::HostChanged, Point::HostHalfChanged, Point::OutcomeLanded];
    let kills = AtomicUsize::new(0);
    let firsts = points.into_iter().flat_map(|point| instants(&start, "apply", point));
    side_by_side(firsts, |(first, at)| {
        // Before its intents are on record, when they are, and in the middle of its changes.
        for again in ["file-change:12", "batch-write:1", "host-changed:2", "batch-written:1"] {
            let project = first.fork();
            kills.fetch_add(
                usize::from(killed(&project, "apply", again).signal.is_some()),
                Ordering::SeqCst,
            );
            check(&project, &before, "apply", &format!("{at} and then {again}"));
        }
    });
    let kills = kills.into_inner();
    eprintln!("{kills} second kills");
    assert!(kills > 60, "only {kills} second kills");
}

/// The second configuration with other names for an interface, a peer and a secret.
fn renamed() -> String {
    let mut text = SECOND.to_owned();
    for (kind, old, new) in [
        ("interface", "hq", "main"),
        ("peer", "carol", "caroline"),
        ("preshared_key", "tunnel", "link"),
    ] {
        text = text.replace(&format!("{kind} \"{old}\""), &format!("{kind} \"{new}\""));
        for end in ["\n", "."] {
            text = text.replace(&format!("{kind}.{old}{end}"), &format!("{kind}.{new}{end}"));
        }
        text += &format!("moved {{\n  from = {kind}.{old}\n  to   = {kind}.{new}\n}}\n");
    }
    text
}

#[test]
fn an_apply_that_moves_and_changes_is_finished_by_the_next_one() {
    let start = Project::new(FIRST);
    start.run("apply -auto-approve").ends(0);
    start.configure(&renamed());
    start.run("plan").ends(0).says(", 3 moved.");
    everywhere(&start, "apply");
}

#[test]
fn what_an_apply_was_cut_off_in_can_be_renamed_before_the_next_one() {
    let start = Project::new(FIRST);
    start.run("apply -auto-approve").ends(0);
    start.configure(SECOND);
    let before = Before::of(&start, "apply");
    let kills = AtomicUsize::new(0);
    let points =
        [Point::FileChange, Point::HostChanged, Point::HostHalfChanged, Point::OutcomeLanded];
    let all = points.into_iter().flat_map(|point| instants(&start, "apply", point));
    side_by_side(all, |(project, at)| {
        kills.fetch_add(1, Ordering::SeqCst);
        project.configure(&renamed());
        check(&project, &before, "apply", &format!("{at}, and a rename"));
    });
    let kills = kills.into_inner();
    assert!(kills > 50, "only {kills} kills");
}

/// A tunnel with what it is assigned to, and two peers; a change of each; and the end of all.
#[test]
fn whatever_a_firewall_was_in_the_middle_of_is_finished_by_the_next_run() {
    let office = include_str!("crash/firewall.wg.hcl");
    let changed = office.replace("10.8.0.3/24", "10.8.0.4/24").replace("\"25s\"", "\"30s\"");
    let new = Project::new(office);
    let kills = killed_on_firewall(&new, "apply", 2);
    let made = new.fork();
    made.run("apply -auto-approve").ends(0);
    let assign = "assign {\n    descr     = \"HUB\"\n    addresses = [\"10.8.0.4/24\"]\n  }";
    let released = changed.replace(assign, "addresses = [\"10.8.0.4/24\"]");
    assert_ne!(released, changed);
    made.configure(&released);
    let kills = kills + killed_on_firewall(&made, "apply", 2);
    made.configure(&changed);
    let kills = kills + killed_on_firewall(&made, "apply", 2);
    let kills = kills + killed_on_firewall(&made, "destroy", 0);
    eprintln!("{kills} kills on a firewall");
    assert!(kills > 40, "only {kills} kills");
}

/// Kills a run at each instant of it; the next one has to leave so many peers, in what is stored and in the kernel alike.
fn killed_on_firewall(start: &Project, command: &str, peers: usize) -> usize {
    let kills = AtomicUsize::new(0);
    let points = [
        Point::BatchWrite,
        Point::HostChange,
        Point::HostChanged,
        Point::OutcomeLanded,
        Point::BatchWritten,
    ];
    side_by_side(points, |point| {
        for hit in 1..TOO_MANY {
            let project = start.fork();
            let at = format!("{}:{hit}", point.as_str());
            if killed(&project, command, &at).signal.is_none() {
                break;
            }
            kills.fetch_add(1, Ordering::SeqCst);
            project.run(&format!("{command} -auto-approve")).ends(0);
            if command == "apply" {
                project.run("plan -detailed-exitcode").ends(0);
            }
            let firewall = devices::firewall(&project, "office");
            let ask = |list: &str| {
                devices::ask_firewall(
                    &firewall,
                    "GET",
                    &format!("vpn/wireguard/{list}"),
                    &Json::Null,
                )
            };
            assert_eq!(ask("peers").as_array().unwrap().len(), peers, "{command}, {at}");
            assert_eq!(ask("tunnels").as_array().unwrap().len(), peers.min(1), "{command}, {at}");
            assert_eq!(ask("apply")["applied"], true, "{command}, {at}");
            let live = firewall.device("tun_wg0").map_or(0, |it| it.peers.len());
            assert_eq!(live, peers, "{command}, {at}");
        }
    });
    kills.into_inner()
}

#[test]
fn a_command_that_only_writes_the_state_is_done_or_not_when_it_is_killed() {
    let start = Project::new(FIRST);
    start.run("apply -auto-approve").ends(0);
    start.run("state rm peer.carol").ends(0);
    let key = "Y2Fyb2wgaGFzIGEgcHVibGljIGtleSBvZiBoZXIgb3c=";
    let import = format!("import peer.carol wg0/{key}");
    for command in ["state mv peer.bob peer.robert", "state rm peer.bob", &import] {
        let whole = start.fork();
        whole.run(command).ends(0);
        let (before, after) = (listed(&start), listed(&whole));
        let mut kills = 0;
        for point in
            [Point::FileChange, Point::FileHalfWritten, Point::FileChanged, Point::LockRelease]
        {
            for hit in 1.. {
                let project = start.fork();
                let at = format!("{}:{hit}", point.as_str());
                let mut prepared = project.command(command);
                prepared.env("WGFORM_FAILPOINT", &at);
                let ran = Ran::of(command, prepared.output().unwrap());
                let found = listed(&project);
                assert!(
                    found == before || found == after,
                    "after a kill of {command} at {at}: {found}"
                );
                if ran.signal.is_none() {
                    ran.ends(0);
                    break;
                }
                kills += 1;
                project.run(command).ends(if found == after { 1 } else { 0 });
                assert_eq!(listed(&project), after, "after a kill of {command} at {at}");
                assert_eq!(project.left_over(), [""; 0], "after a kill of {command} at {at}");
            }
        }
        assert!(kills > 15, "only {kills} kills of {command}");
    }
}

fn listed(project: &Project) -> String {
    project.run("state list").ends(0).stdout
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
    let kills = AtomicUsize::new(0);
    let all = Point::ALL.into_iter().flat_map(|point| instants(start, command, point));
    side_by_side(all, |(project, at)| {
        kills.fetch_add(1, Ordering::SeqCst);
        check(&project, &before, command, &at);
    });
    let kills = kills.into_inner();
    eprintln!("{kills} kills of {command}");
    assert!(kills > 70, "only {kills} kills: the fail points are not where they should be");
}

/// Returns what is left of a run of a command that is killed when it comes to an instant: once, twice, and so on.
fn instants<'a>(
    start: &'a Project,
    command: &'a str,
    point: Point,
) -> impl Iterator<Item = (Project, String)> + Send + 'a {
    (1..).map_while(move |hit| {
        assert!(hit < TOO_MANY, "{point:?} is hit over and over");
        let at = format!("{}:{hit}", point.as_str());
        let project = start.fork();
        let ran = killed(&project, command, &at);
        if ran.signal.is_none() {
            ran.ends(0);
            return None;
        }
        Some((project, at))
    })
}

fn killed(project: &Project, command: &str, at: &str) -> Ran {
    let arguments = format!("{command} -auto-approve");
    let mut prepared = project.command(&arguments);
    prepared.env("WGFORM_FAILPOINT", at);
    Ran::of(&arguments, prepared.output().unwrap())
}
