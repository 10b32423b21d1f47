//! Several processes at once on one configuration, and locks whose owner is gone, elsewhere, or somebody else by now.

#![expect(clippy::disallowed_methods, reason = "these tests look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;
use serde_json::{Value as Json, json};
use wgform::state::State;

use crate::harness::{Project, Running, eventually};

const HUB: &str = "backend \"local\" \"hq\" {\n  simulate = true\n}\n\
    interface \"hub\" {\n  name = \"wg0\"\n  listen_port = 51820\n}\n";

/// A run that has the lock and waits for an answer.
fn asking(project: &Project, command: &str) -> Running {
    let mut run = project.start(command);
    run.wait_for("Enter a value");
    run
}

fn serial(project: &Project) -> u64 {
    let bytes = fs::read(project.path().join("wgform.state.json")).unwrap();
    State::from_bytes(&bytes).unwrap().serial
}

fn lock(project: &Project) -> Json {
    let path = project.path().join("wgform.state.json.lock");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn write_lock(project: &Project, info: &Json) {
    project.add("wgform.state.json.lock", &info.to_string());
}

fn info(host: &str, pid: u32) -> Json {
    json!({ "id": "stale", "operation": "apply", "who": "bob", "host": host, "pid": pid,
            "since": "2026-11-21T12:00:00Z", "wgform_version": "0.1.0" })
}

fn here() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Counts a run as ended, also when it ended in a panic.
struct Ended<'a>(&'a AtomicUsize);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn of_twenty_runs_at_once_each_has_the_state_to_itself() {
    let text = "variable \"port\" {\n  default = 51820\n}\n".to_owned()
        + &HUB.replace("51820", "var.port")
        + "interface \"side\" {\n  name = \"wg1\"\n}\n";
    let project = Project::new(&text);
    project.run("apply -auto-approve").ends(0);
    let before = serial(&project);
    let running = AtomicUsize::new(20);
    std::thread::scope(|scope| {
        for number in 0..20 {
            let (project, running) = (&project, &running);
            scope.spawn(move || {
                let _ended = Ended(running);
                match number % 5 {
                    0..=2 => {
                        let port = 52_000 + number;
                        let apply =
                            format!("apply -auto-approve -lock-timeout=5m -var=port={port}");
                        project.run(&apply).ends(0).says("1 changed")
                    }
                    3 => project.run("state list").ends(0),
                    // A simulated host has one user at a time, so nobody else looks at it.
                    _ => project.run("show").ends(0),
                };
            });
        }
        scope.spawn(|| {
            let mut last = before;
            while running.load(Ordering::SeqCst) > 0 {
                let now = serial(&project);
                assert!(now >= last, "serial {now} after {last}");
                last = now;
            }
        });
    });
    // Each apply has found the state of the one before it, and written its own.
    assert_eq!(serial(&project), before + 12);
    let port = project.host("hq")["links"]["wg0"]["device"]["listen_port"].clone();
    project.run(&format!("plan -detailed-exitcode -var=port={port}")).ends(0);
    assert_eq!(project.left_over(), [""; 0]);
}

#[test]
fn moves_at_once_lose_nothing() {
    let mut text = String::from("backend \"local\" \"hq\" {\n  simulate = true\n}\n");
    for number in 0..10 {
        text += &format!("interface \"i{number}\" {{\n  name = \"wg{number}\"\n}}\n");
    }
    let project = Project::new(&text);
    project.run("apply -auto-approve").ends(0);
    let before = serial(&project);
    std::thread::scope(|scope| {
        for number in 0..10 {
            let project = &project;
            scope.spawn(move || {
                let command = format!(
                    "state mv -lock-timeout=5m interface.i{number} interface.moved{number}"
                );
                project.run(&command).ends(0);
            });
        }
    });
    let listed = project.run("state list").ends(0).stdout;
    let listed: BTreeSet<&str> = listed.lines().collect();
    let moved: BTreeSet<String> = (0..10).map(|it| format!("interface.moved{it}")).collect();
    assert_eq!(listed, moved.iter().map(String::as_str).collect());
    assert_eq!(serial(&project), before + 10);
}

#[test]
fn whoever_writes_waits_for_the_one_who_has_the_lock_and_finds_what_it_left() {
    for (first, second) in [
        ("apply", "apply -auto-approve"),
        ("apply", "destroy -auto-approve"),
        ("destroy", "apply -auto-approve"),
        ("apply", "state mv interface.hub interface.core"),
        ("apply", "state rm interface.hub"),
    ] {
        let project = Project::new(HUB);
        project.run("apply -auto-approve").ends(0);
        project.edit("51820", "51900");
        let mut run = asking(&project, first);
        project.run(second).ends(5).tells(&format!("for:       {first} (wgform "));
        project.run(&format!("{second} -lock-timeout=1s")).ends(5);
        let mut waiting = project.start(&format!("{second} -lock-timeout=5m"));
        waiting.wait_for("Waiting for the lock.");
        run.answer("yes\n");
        run.end().ends(0);
        waiting.end().ends(0);
        let listed = project.run("state list").ends(0).stdout;
        let expected = match (first, second.split(' ').next().unwrap(), second.contains(" mv ")) {
            (_, _, true) => "interface.core\n",
            (_, "apply", _) => "interface.hub\n",
            _ => "",
        };
        assert_eq!(listed, expected, "{first}, then {second}");
        assert_eq!(project.left_over(), [""; 0]);
    }
}

#[test]
fn whoever_only_looks_is_told_who_is_at_work_and_waits_for_nobody() {
    let project = Project::new(HUB);
    project.run("apply -auto-approve").ends(0);
    project.edit("51820", "51900");
    let mut run = asking(&project, "apply");
    for command in ["show", "state list", "state show interface.hub"] {
        project.run(command).ends(0).tells("an apply by ");
    }
    // The simulated host has one user at a time, which a real one has not.
    for command in ["plan", "drift"] {
        let ran = project.run(command).ends(6).tells("an apply by ");
        assert!(ran.to_string().contains("another run uses the simulated system `hq`"), "{ran}");
    }
    run.answer("yes\n");
    run.end().ends(0);
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn a_run_that_is_paused_keeps_its_lock() {
    let project = Project::new(HUB);
    let mut run = asking(&project, "apply");
    run.signal(Signal::STOP);
    let id = lock(&project)["id"].as_str().unwrap().to_owned();
    project.run("apply -auto-approve -lock-timeout=1s").ends(5);
    project.run(&format!("force-unlock -force {id}")).ends(5).tells("its owner is still running");
    project.run("state list").ends(0).tells("an apply by ");
    run.signal(Signal::CONT);
    run.answer("yes\n");
    run.end().ends(0);
    project.run("apply -auto-approve").ends(0).says("No changes");
}

#[test]
fn a_lock_whose_owner_is_gone_is_in_nobodys_way_whatever_it_says() {
    // A number that no process has, one that another process has by now, and one of another host.
    let ours = std::process::id();
    for left in [info(&here(), 4_000_000), info(&here(), ours), info("elsewhere", 1)] {
        let project = Project::new(HUB);
        write_lock(&project, &left);
        project.run("plan").ends(0);
        let ran = project.run("apply -auto-approve").ends(0);
        assert!(!ran.stderr.contains("locked"), "{ran}");
        assert_eq!(project.left_over(), [""; 0]);
    }
    for left in ["", "{", "{\"id\": \"half a", "\0\0\0\0", "not json at all\n", "[1, 2]"] {
        let project = Project::new(HUB);
        project.add("wgform.state.json.lock", left);
        project.run("plan").ends(0);
        project.run("apply -auto-approve").ends(0);
        assert_eq!(project.left_over(), [""; 0], "{left:?}");
    }
}

#[test]
fn a_lock_is_taken_away_by_its_id_when_nobody_has_it() {
    for left in [info(&here(), 4_000_000), info(&here(), std::process::id()), info("elsewhere", 1)]
    {
        let project = Project::new(HUB);
        write_lock(&project, &left);
        project.run("force-unlock -force another").ends(5).tells("locked under the id `stale`");
        let host = left["host"].as_str().unwrap().to_owned();
        project
            .run("force-unlock -force stale")
            .ends(0)
            .says(&format!("The lock of bob on {host} is removed."));
        project.run("force-unlock -force stale").ends(1).tells("the state is not locked");
    }
    for left in ["", "{\"id\": \"half a", "not json"] {
        let project = Project::new(HUB);
        project.add("wgform.state.json.lock", left);
        project.run("force-unlock -force stale").ends(1).tells("the state is not locked");
        assert_eq!(project.left_over(), [""; 0], "{left:?}");
    }
}

#[test]
fn a_lock_of_another_host_that_is_held_may_be_taken_away_by_whoever_knows_better() {
    // As on a file system that carries locks from host to host: it is held, and its owner cannot be seen from here.
    let project = Project::new(HUB);
    let mut run = asking(&project, "apply");
    let mut other = lock(&project);
    other["host"] = "elsewhere".into();
    write_lock(&project, &other);
    let refused = project.run("state rm interface.hub").ends(5);
    refused.tells("on elsewhere, process");
    let id = other["id"].as_str().unwrap();
    project.run(&format!("force-unlock -force {id}")).ends(0).says("on elsewhere is removed.");
    run.answer("no\n");
    run.end().ends(1);
    eventually("the lock is free", || project.run("state list").code == Some(0));
    project.run("apply -auto-approve").ends(0);
}
