//! Runs beside each other and runs that are interrupted, with the built program on simulated hosts.

#![expect(clippy::disallowed_methods, reason = "these tests look at files and at the clock")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Project, Ran};

/// As many that an apply of them takes much longer than it takes to interrupt it.
const INTERFACES: usize = 300;

/// Replaces what differs from run to run.
fn steady(text: &str) -> String {
    let id = regex::Regex::new("machine id [0-9a-f]{32}, up [0-9]+ s").unwrap();
    id.replace_all(text, "machine id …, up …").into_owned()
}

#[test]
fn backends_are_listed_and_tested() {
    let project = Project::new(
        r#"
        backend "local" "hq" { simulate = true }
        backend "local" "branch" {
          simulate          = true
          netns             = "blue"
          driver            = "userspace"
          userspace_program = "boringtun-cli"
        }
        interface "hub" { backend = backend.hq }
        interface "far" { backend = backend.branch }
        "#,
    );
    project.run("apply -auto-approve").ends(0);
    let elsewhere = "backend \"local\" \"far\" {\n  netns = \"wgform-no-such-namespace\"\n}\n";
    project.configure(elsewhere);
    insta::assert_snapshot!(project.run("backend list").ends(0).stdout, @r#"
    branch  local  simulated, network namespace `blue`, driver "userspace", userspace program `boringtun-cli` (only the state knows it: its block is gone)
    far     local  this host, network namespace `wgform-no-such-namespace`
    hq      local  simulated (only the state knows it: its block is gone)
    "#);
    project.enter("hq").set_program("resolvectl", false).unwrap();
    insta::assert_snapshot!(steady(&project.run("backend test").ends(6).stdout), @r#"
    branch (local, simulated, network namespace `blue`, driver "userspace", userspace program `boringtun-cli`)
      host       simulated-branch, machine id …, up …
      WireGuard  the kernel's
      rights     interfaces may be changed
      init       systemd
      found      1 interface, 0 peers

    far (local, this host, network namespace `wgform-no-such-namespace`)
      unreachable: could not enter the network namespace `wgform-no-such-namespace`: there is no network namespace `wgform-no-such-namespace`
        help: Make it with `ip netns add wgform-no-such-namespace`.

    hq (local, simulated)
      host       simulated-hq, machine id …, up …
      WireGuard  the kernel's
      rights     interfaces may be changed
      init       systemd
      resolver   none that takes name servers
        help: For `dns`, install `systemd-resolved` and start it, or install `openresolv` (`resolvconf` on some systems).
      found      1 interface, 0 peers
    "#);
    let ran = project.run("backend test hqq").ends(1);
    ran.tells("there is no backend `hqq`").tells("Did you mean `hq`?");
}

fn many() -> Project {
    let mut text = String::from("backend \"local\" \"hq\" {\n  simulate = true\n}\n");
    for number in 0..INTERFACES {
        text += &format!("interface \"i{number:03}\" {{\n  name = \"wg{number}\"\n}}\n");
    }
    Project::new(&text)
}

/// Starts an apply and sends it a signal once it has done something, and then another one as long as it runs.
fn interrupted(project: &Project, signals: &[Signal]) -> Ran {
    let mut run = project.start("apply -auto-approve");
    run.wait_for(": created");
    let (first, rest) = signals.split_first().unwrap();
    run.signal(*first);
    run.wait_for("Interrupted: nothing new is started");
    rest.iter().for_each(|signal| run.signal(*signal));
    run.end()
}

/// Demands that everything that is owned is on the host, and that the next apply makes the rest.
fn finish(project: &Project) {
    let owned = project.run("state list").ends(0).stdout.lines().count();
    let there = project.host("hq")["links"].as_object().unwrap().len();
    assert!(owned < INTERFACES, "the interrupt came too late to show anything");
    // The loopback and the one to the network are links as well.
    assert!(there >= owned + 2, "{owned} are owned, and {there} there");
    project.run("apply -auto-approve").ends(0).says("Apply complete.");
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    assert_eq!(project.run("state list").ends(0).stdout.lines().count(), INTERFACES);
    assert_eq!(project.left_over(), [""; 0]);
}

#[test]
fn an_interrupt_ends_in_order_and_says_what_is_left() {
    for signal in [Signal::INT, Signal::TERM] {
        let project = many();
        let ran = interrupted(&project, &[signal]).ends(130);
        assert_eq!(project.left_over(), [""; 0], "the state is written");
        let created = ran.stderr.lines().filter(|line| line.ends_with(": created")).count();
        let owned = project.run("state list").ends(0).stdout.lines().count();
        assert_eq!(created, owned);
        let left = INTERFACES - owned;
        let ran = ran.says("Apply interrupted.");
        let ran = ran.says(&format!(" done, {left} not started:\n")).says("  interface.i299\n");
        ran.says("What was done is in the state; run it again to do the rest.");
        finish(&project);
    }
}

#[test]
fn a_second_interrupt_ends_at_once_and_loses_nothing() {
    for signals in [[Signal::INT, Signal::INT], [Signal::TERM, Signal::INT]] {
        let project = many();
        let ran = interrupted(&project, &signals).ends(130);
        if !ran.stderr.contains("Interrupted again") {
            // The first one was through before the second came.
            ran.says("Apply interrupted.");
        }
        finish(&project);
    }
}

#[test]
fn an_interrupt_at_the_question_makes_nothing() {
    let project = Project::of_example("quickstart");
    let mut run = project.start("apply");
    run.wait_for("Enter a value:");
    let ran = run.end_by(Signal::INT);
    assert_eq!((ran.code, ran.signal), (None, Some(2)), "{ran}");
    assert!(!project.path().join("wgform.state.json").exists());
    project.run("apply -auto-approve").ends(0);
}

#[test]
fn a_second_run_is_refused_and_told_by_whom() {
    let project = Project::of_example("quickstart");
    let mut first = project.start("apply");
    first.wait_for("Enter a value:");
    let second = project.run("apply -auto-approve").ends(5);
    let second = second.tells("Locked: the state is locked").tells("for:       apply (wgform ");
    let second = second.tells(&format!("process {}\n", first.id())).tells("since:     20");
    second.tells("-lock-timeout=");
    for command in ["destroy -auto-approve", "import interface.hq wg0", "state rm interface.hq"] {
        project.run(command).ends(5);
    }
    // Who only looks is not kept out. A simulated host is, which has one user at a time.
    project.run("state list").ends(0).tells("an apply by somebody on ");
    first.answer("no\n");
    first.end().ends(1);
    project.run("apply -auto-approve").ends(0);
}

#[test]
fn a_lock_is_waited_for_as_long_as_was_said() {
    let project = Project::of_example("quickstart");
    let mut first = project.start("apply");
    first.wait_for("Enter a value:");
    let start = Instant::now();
    project.run("apply -auto-approve -lock-timeout=1s").ends(5).tells("Waiting for the lock.");
    assert!(start.elapsed() >= Duration::from_secs(1));

    let mut second = project.start("apply -auto-approve -lock-timeout=60s");
    second.wait_for("Waiting for the lock.");
    first.answer("yes\n");
    first.end().ends(0);
    second.end().ends(0).says("No changes");
}

#[test]
fn the_lock_of_a_killed_run_is_in_nobodys_way() {
    let project = Project::of_example("quickstart");
    let mut first = project.start("apply");
    first.wait_for("Enter a value:");
    let id = lock_id(&project);
    let alive = project.run(&format!("force-unlock -force {id}")).ends(5);
    alive.tells("could not remove the lock: its owner is still running");
    project.run("force-unlock -force 1234").ends(5).tells(&id);
    first.signal(Signal::KILL);
    assert_eq!(first.end().signal, Some(9));

    project.run_with(&format!("force-unlock {id}"), "no\n").ends(1);
    assert_eq!(lock_id(&project), id);
    project.run_with(&format!("force-unlock {id}"), "yes\n").ends(0).says("is removed");
    project.run(&format!("force-unlock -force {id}")).ends(1).tells("the state is not locked");
    project.run("apply -auto-approve").ends(0);

    let mut first = project.start("destroy");
    first.wait_for("Enter a value:");
    first.signal(Signal::KILL);
    first.end();
    assert_eq!(project.left_over(), ["wgform.state.json.lock"]);
    project.run("apply -auto-approve").ends(0).says("No changes");
    assert_eq!(project.left_over(), [""; 0]);
}

fn lock_id(project: &Project) -> String {
    let text = fs::read(project.path().join("wgform.state.json.lock")).unwrap();
    let lock: serde_json::Value = serde_json::from_slice(&text).unwrap();
    lock["id"].as_str().unwrap().to_owned()
}

#[test]
fn exit_codes_say_what_happened() {
    let project = Project::of_example("quickstart");
    let ends = |arguments: &str, code: i32| project.run(arguments).ends(code);
    ends("version", 0);
    ends("validate", 0);
    ends("plan", 0);
    ends("plan -detailed-exitcode", 2);
    ends("state list", 0);
    // Use.
    ends("nonsense", 1);
    ends("plan -nonsense", 1);
    ends("state show interface.nobody", 1);
    ends("output nothing", 1);
    ends("force-unlock -force 1", 1);
    ends("apply", 1).tells("standard input is not a terminal");
    ends("apply -var nothing=1", 1);
    ends("apply -auto-approve", 0);
    ends("plan -detailed-exitcode", 0);
    ends("drift", 0);

    // Drift, and whether nobody can be asked.
    project.enter("hq").delete_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();
    ends("drift", 2).says("changed outside of wgform");
    ends("plan", 0);
    ends("plan -detailed-exitcode", 2);
    ends("apply -auto-approve -input=false", 8).tells("-heal");
    ends("apply -auto-approve -input=false -heal", 0);
    ends("drift", 0);

    // A guard: another machine under the same name.
    project.enter("hq").set_machine_id("another").unwrap();
    for command in ["plan", "drift", "apply -auto-approve"] {
        ends(command, 8).tells("-accept-new-device=hq");
    }
    ends("plan -accept-new-device=hq", 0);
}

#[test]
fn an_apply_that_fails_in_part_ends_with_4_and_one_that_did_nothing_with_6() {
    let project = Project::of_example("quickstart");
    project.edit("\"192.0.2.2:51820\"", "\"gone.invalid:51820\"");
    let ran = project.run("apply -auto-approve").ends(4);
    let ran = ran.says("Failed: peer.hq_to_branch\n").says("`gone.invalid` does not resolve");
    ran.says("Apply done in part. Resources: 4 added, 0 changed, 0 destroyed.");
    project.run("apply -auto-approve").ends(6).says("Apply failed.");
    project.edit("\"gone.invalid:51820\"", "\"192.0.2.2:51820\"");
    project.run("apply -auto-approve").ends(0).says("Resources: 1 added, 0 changed, 0 destroyed.");
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn a_backend_that_cannot_be_reached_ends_with_6_and_may_be_skipped() {
    let project = Project::of_example("quickstart");
    let path = project.path().join("main.wg.hcl");
    let mut text = fs::read_to_string(&path).unwrap();
    text += "backend \"local\" \"far\" {\n  netns = \"wgform-no-such-namespace\"\n}\n\
             interface \"far\" {\n  backend = backend.far\n  listen_port = 1\n}\n";
    fs::write(path, text).unwrap();
    let said = "there is no network namespace `wgform-no-such-namespace`";
    project.run("plan").ends(6).says(said);
    project.run("drift").ends(6).says(said);
    let refused = project.run("apply -auto-approve").ends(6);
    refused.tells("`far` could not be read, so nothing is changed").tells("-skip-unreachable");
    assert_eq!(project.run("state list").ends(0).stdout, "");
    let applied = project.run("apply -auto-approve -skip-unreachable").ends(6);
    applied.says("Apply complete. Resources: 5 added");
}

#[test]
fn a_state_that_makes_no_sense_is_left_as_it_is() {
    let project = Project::of_example("quickstart");
    project.run("apply -auto-approve").ends(0);
    let path = project.path().join("wgform.state.json");
    let good = fs::read_to_string(&path).unwrap();
    let cut = &good[..good.len() / 2];
    let newer = good.replace("\"version\": 1", "\"version\": 99");
    for bad in ["", "not json", cut, &newer] {
        fs::write(&path, bad).unwrap();
        for command in
            ["plan", "apply -auto-approve", "drift", "state list", "destroy -auto-approve"]
        {
            project.run(command).ends(1).tells("could not read the state file").tells("help:");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), bad);
    }
    fs::write(&path, good).unwrap();
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn an_output_that_cannot_be_made_in_the_end_is_told() {
    let project = Project::new(
        r#"
        backend "local" "hq" { simulate = true }
        interface "hub" { backend = backend.hq }
        output "share" { value = 100 / (interface.hub.listen_port - interface.hub.listen_port) }
        "#,
    );
    let ran = project.run("apply -auto-approve").ends(4).tells("division by zero");
    assert!(ran.stdout.contains("Apply complete."), "{}", ran.stdout);
    assert_eq!(project.run("state list").ends(0).stdout, "interface.hub\n");
}
