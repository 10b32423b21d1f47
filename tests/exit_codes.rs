//! The exit codes are a contract: every code with how it comes about, and which one counts when several apply.
//!
//! 3 is `fmt -check`'s, and 7 is for saved plans.

#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use rustix::process::Signal;
use wgform::error::Exit;

use crate::harness::Project;

/// What is done to the quickstart, which was applied, before the command is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    /// It was not applied.
    New,
    /// The configuration wants something else now.
    Changed,
    /// Somebody changed a host.
    Drifted,
    /// A host is another machine.
    Guarded,
    /// A host cannot be reached.
    Unreachable,
    /// Two interfaces want one port.
    Wrong,
    /// A file cannot be parsed.
    Broken,
    /// A write fails.
    Failing,
    /// Another run holds the lock.
    Locked,
}

use Given::{Broken, Changed, Drifted, Failing, Guarded, Locked, New, Unreachable, Wrong};

const FAR: &str = "backend \"local\" \"far\" {\n  netns = \"wgform-no-such-namespace\"\n}\n\
                   interface \"far\" {\n  backend = backend.far\n  listen_port = 1\n}\n";
const SECOND: &str = "interface \"second\" {\n  backend = backend.branch\n  name = \"wg0\"\n  listen_port = 51821\n}\n";

fn arrange(project: &Project, given: Given) {
    match given {
        New | Locked => {}
        Changed => project.edit("\"25s\"", "\"20s\""),
        Drifted => {
            let address = "10.8.0.1/24".parse().unwrap();
            project.enter("hq").delete_address("wg0", address).unwrap();
        }
        Guarded => project.enter("hq").set_machine_id("another").unwrap(),
        Unreachable => project.add("far.wg.hcl", FAR),
        Wrong => project.add("second.wg.hcl", SECOND),
        Broken => project.add("broken.wg.hcl", "interface {"),
        Failing => project.edit("\"192.0.2.2:51820\"", "\"gone.invalid:51820\""),
    }
}

/// A command line, what is given, and how it ends.
const TABLE: &[(&str, &[Given], u8)] = &[
    // 0: done, nothing differs; or nobody asked whether something does.
    ("version", &[], 0),
    ("validate", &[], 0),
    ("plan", &[Changed], 0),
    ("plan -detailed-exitcode", &[], 0),
    ("drift", &[], 0),
    ("drift", &[Changed], 0),
    ("apply -auto-approve", &[Changed], 0),
    ("state list", &[], 0),
    ("backend list", &[Unreachable], 0),
    ("backend test", &[], 0),
    ("backend test hq", &[Unreachable], 0),
    ("state rm -dry-run peer.hq_to_branch", &[Locked], 0),
    // 1: an error in configuration or use.
    ("nonsense", &[], 1),
    ("plan -nonsense", &[], 1),
    ("plan -target=peer.nobody", &[], 1),
    ("plan -exclude=peer.nobody", &[], 1),
    ("plan -replace=peer.nobody", &[], 1),
    ("plan -target=interface.hq -exclude=interface.hq", &[], 1),
    ("plan -parallelism=0", &[], 1),
    ("apply", &[Changed], 1),
    ("plan", &[Broken], 1),
    ("plan", &[Wrong], 1),
    ("drift", &[Wrong], 1),
    ("state show interface.nobody", &[], 1),
    ("force-unlock -force 1", &[], 1),
    ("backend test nobody", &[], 1),
    ("import interface.hq wg0", &[], 1),
    // 2: there are changes, or drift.
    ("plan -detailed-exitcode", &[Changed], 2),
    ("plan -detailed-exitcode", &[Drifted], 2),
    ("drift", &[Drifted], 2),
    // 4: an apply was done in part.
    ("apply -auto-approve", &[New, Failing], 4),
    // 5: the lock is held.
    ("apply -auto-approve", &[Locked], 5),
    ("destroy -auto-approve", &[Locked], 5),
    ("import interface.hq wg0", &[Locked], 5),
    ("state rm peer.hq_to_branch", &[Locked], 5),
    ("state mv peer.hq_to_branch peer.b", &[Locked], 5),
    ("force-unlock -force 1", &[Locked], 5),
    // 6: a backend was unreachable, or refused.
    ("plan", &[Unreachable], 6),
    ("drift", &[Unreachable], 6),
    ("apply -auto-approve", &[Unreachable], 6),
    ("apply -auto-approve -skip-unreachable", &[Unreachable], 6),
    ("apply -auto-approve", &[Failing], 6),
    ("import interface.far wg0", &[Unreachable], 6),
    ("backend test", &[Unreachable], 6),
    // 8: a guard refused.
    ("plan", &[Guarded], 8),
    ("drift", &[Guarded], 8),
    ("apply -auto-approve", &[Guarded], 8),
    ("apply -auto-approve -input=false", &[Drifted], 8),
    ("apply -auto-approve -input=false -heal", &[Drifted], 0),
    ("plan -max-destroy=0 -destroy", &[], 8),
    ("plan -max-destroy=0", &[Changed], 0),
    ("plan -detailed-exitcode -max-destroy=0", &[Changed], 2),
    ("apply -auto-approve=create", &[Changed], 8),
    ("apply -auto-approve=update", &[Changed], 0),
    ("destroy -auto-approve -max-destroy=50%", &[], 8),
    // When several apply: 130, 4, 8, 7, 5, 1, 6, 2.
    ("apply -auto-approve -skip-unreachable", &[New, Failing, Unreachable], 4),
    ("plan", &[Guarded, Wrong], 8),
    ("plan -detailed-exitcode", &[Guarded, Unreachable, Changed], 8),
    ("drift", &[Guarded, Drifted], 8),
    ("apply -auto-approve=create -input=false", &[Changed, Drifted], 8),
    ("apply -auto-approve=create", &[Changed, Locked], 5),
    ("plan -destroy -max-destroy=0", &[Unreachable], 8),
    ("apply -auto-approve", &[Guarded, Unreachable], 8),
    ("apply -auto-approve=create", &[Changed, Unreachable], 8),
    ("apply -auto-approve -input=false", &[Drifted, Unreachable], 8),
    ("apply -auto-approve -max-destroy=0 -destroy", &[Unreachable], 8),
    ("apply -auto-approve -expect=0123456789abcdef0123456789abcdef", &[Changed, Unreachable], 7),
    ("apply -auto-approve=create -expect=0123456789abcdef0123456789abcdef", &[Changed], 8),
    ("apply -refresh-only -auto-approve=create", &[Drifted, Unreachable], 8),
    ("apply -refresh-only -auto-approve", &[Drifted, Unreachable], 6),
    ("apply -auto-approve", &[Locked, Wrong], 5),
    ("apply -auto-approve", &[Locked, Unreachable], 5),
    ("plan", &[Wrong, Unreachable], 1),
    ("plan -detailed-exitcode", &[Changed, Unreachable], 6),
    ("drift", &[Drifted, Unreachable], 6),
];

#[test]
fn every_code_comes_about_as_the_table_says() {
    let new = Project::of_example("quickstart");
    let applied = new.fork();
    applied.run("apply -auto-approve").ends(0);
    for (command, given, code) in TABLE {
        let project = if given.contains(&New) { new.fork() } else { applied.fork() };
        let holder = given.contains(&Locked).then(|| {
            // It waits for an answer, and never gets one.
            let mut holder = project.start("destroy");
            holder.wait_for("Enter a value:");
            holder
        });
        given.iter().for_each(|given| arrange(&project, *given));
        let ran = project.run(command);
        assert_eq!(ran.code, Some(i32::from(*code)), "{given:?} {ran}");
        if let Some(mut holder) = holder {
            holder.answer("no\n");
            holder.end();
        }
    }
}

#[test]
fn a_condition_that_does_not_hold_after_the_write_ends_with_4() {
    let project = Project::of_example("quickstart");
    let condition = "lifecycle {\n    postcondition {\n      condition     = self.public_key == \"x\"\n      \
                     error_message = \"Not that key.\"\n    }\n  }\n}\n";
    let block = "interface \"third\" {\n  backend = backend.hq\n  name    = \"wg3\"\n\n  ";
    project.add("third.wg.hcl", &format!("{block}{condition}"));
    // It was made, and only then its key was known.
    let ran = project.run("apply -auto-approve").ends(4);
    ran.tells("postcondition that does not hold").tells("Not that key.");
    assert!(project.enter("hq").links().contains_key("wg3"), "it was made");
    project.run("state list").ends(0).says("interface.third");
    // From then on its key is known, so that the plan itself says no.
    project.run("apply -auto-approve").ends(1).tells("postcondition that does not hold");
}

#[test]
fn a_backend_of_a_flag_has_to_be_there() {
    let project = Project::of_example("quickstart");
    project.run("apply -auto-approve").ends(0);
    for flag in ["-accept-new-device", "-accept-loss", "-allow-lockout"] {
        for command in ["plan", "apply -auto-approve", "destroy -auto-approve"] {
            let ran = project.run(&format!("{command} {flag}=branhc")).ends(1);
            ran.tells("names a backend that there is not").tells("Did you mean `branch`?");
        }
        let ran = project.run(&format!("plan {flag}=elsewhere")).ends(1);
        ran.tells("`wgform backend list`");
        project.run(&format!("plan {flag}=branch")).ends(0);
    }
    project.run("plan -allow-new-key=interface.hw").ends(1).tells("Did you mean `interface.hq`?");
    // One that only the state knows is one.
    project.configure("locals {}\n");
    project.run("plan -accept-loss=branch").ends(0);
}

#[test]
fn an_import_that_a_guard_refuses_ends_with_8() {
    let project = Project::of_example("quickstart");
    project.run("apply -auto-approve").ends(0);
    project.run("state rm interface.hq").ends(0);
    project.enter("hq").set_machine_id("another").unwrap();
    let ran = project.run("import interface.hq wg0").ends(8);
    ran.tells("Refused: could not import: backend `hq` is another system")
        .tells("-accept-new-device=hq");
}

#[test]
fn an_interrupt_counts_more_than_what_could_not_be_reached() {
    let mut text = String::from("backend \"local\" \"hq\" {\n  simulate = true\n}\n");
    for number in 0..300 {
        let block = "{\n  backend = backend.hq\n  name = ";
        text += &format!("interface \"i{number:03}\" {block}\"wg{number}\"\n}}\n");
    }
    let project = Project::new(&text);
    project.add("far.wg.hcl", FAR);
    let mut run = project.start("apply -auto-approve -skip-unreachable");
    run.wait_for(": created");
    run.signal(Signal::INT);
    run.end().ends(130).says("Apply interrupted.");
}

#[test]
fn the_one_that_counts_is_the_first_in_the_list() {
    let order = [
        Exit::Interrupted,
        Exit::Partial,
        Exit::Refused,
        Exit::Stale,
        Exit::Locked,
        Exit::Failed,
        Exit::Unreachable,
        Exit::Changes,
        Exit::Done,
    ];
    assert_eq!(order.map(Exit::code), [130, 4, 8, 7, 5, 1, 6, 2, 0]);
    for (at, one) in order.into_iter().enumerate() {
        for other in &order[at..] {
            assert_eq!((one.or_worse(*other), other.or_worse(one)), (one, one));
        }
    }
}
