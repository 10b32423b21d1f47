//! `wgform hold`, as the built program does it.

#![expect(clippy::disallowed_methods, reason = "these tests look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::fs;
use std::time::{Duration, Instant};

use crate::harness::Project;

fn applied() -> Project {
    let project = Project::of_example("quickstart");
    project.run("apply -auto-approve").ends(0);
    project
}

fn drop_address(project: &Project) {
    let addresses = project.host("hq")["links"]["wg0"]["addresses"].clone();
    let address = addresses[0].as_str().unwrap().parse().unwrap();
    project.enter("hq").delete_address("wg0", address).unwrap();
}

#[test]
fn what_is_held_for_a_night_is_left_alone_and_released() {
    let project = applied();
    project.run("hold -list").ends(0).says("Nothing is held.");
    let held = project.run("hold interface.hq -for=10h -reason=INC-7").ends(0);
    held.says("Held `interface.hq` until 20");
    project.run("hold -list").ends(0).says("interface.hq").says("INC-7").says("held by");
    drop_address(&project);
    let plan = project.run("plan -detailed-exitcode").ends(0);
    let plan = plan.says("Held, and left alone:").says("addresses").says("INC-7");
    plan.says("No changes.");
    project.run("drift").ends(0).says("Held, and left alone:").says("But for what is held");
    project.run("drift -from-state").ends(0).says("But for what is held");
    project.run("apply -auto-approve").ends(0).says("No changes.");
    project.run("drift").ends(0).says("But for what is held");

    project.run("hold -release interface.hq").ends(0).says("Released `interface.hq`.");
    project
        .run("hold -release interface.hq")
        .ends(1)
        .tells("nothing that `interface.hq` names is held");
    project.run("drift").ends(2).says("Drift: 1 resource changed");
    project.run("drift -from-state").ends(2).says("Drift: 1 resource changed");
    project.run("apply -auto-approve").ends(0);
    project.run("plan -detailed-exitcode").ends(0).says("No changes.");
}

#[test]
fn a_hold_that_has_ended_is_said_and_forgotten() {
    let project = applied();
    project.run("hold interface.hq -attribute=addresses -for=1h -reason=night").ends(0);
    drop_address(&project);
    let path = project.path().join("wgform.state.json");
    let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(state["holds"][0]["attributes"][0], "addresses");
    state["holds"][0]["expires_at"] = "2020-01-01T00:00:00Z".into();
    fs::write(&path, state.to_string()).unwrap();
    project.run("hold -list").ends(0).says("[the time is up]");
    let ran = project.run("drift -from-state").ends(2).says("No longer held");
    ran.says("What differs there is drift again.");
    project.run("plan").ends(0).says("No longer held").says("Drift undone: 1");
    project.run("apply -auto-approve").ends(0);
    project.run("hold -list").ends(0).says("Nothing is held.");
}

#[test]
fn what_makes_no_sense_is_refused_with_the_way_out() {
    let project = applied();
    project
        .run("hold interface.hp -for=1h -reason=x")
        .ends(1)
        .tells("Did you mean `interface.hq`?");
    project.run("hold interface.hq -reason=x").ends(1).tells("-for");
    project.run("hold interface.hq -for=1h").ends(1).tells("-reason");
    project.run("hold interface.hq -for=0s -reason=x").ends(1).tells("no time");
    let wrong = project.run("hold interface.hq -attribute=adresses -for=1h -reason=x").ends(1);
    wrong.tells("Did you mean `addresses`?");
    project.run("hold").ends(1).tells("ADDRESS");
    project.run("hold -list").ends(0).says("Nothing is held.");
}

#[test]
fn a_hold_follows_its_resource() {
    let project = applied();
    project.run("hold peer.hq_to_branch -for=1h -reason=x").ends(0);
    project.run("state mv peer.hq_to_branch peer.moved").ends(0);
    project.run("hold -list").ends(0).says("peer.moved");
    project.run("state rm peer.moved").ends(0);
    project.run("hold -list").ends(0).says("Nothing is held.");
}

#[test]
fn a_reason_is_one_line() {
    let project = applied();
    let mut command = project.command("hold interface.hq -for=1h");
    let output = command.arg("-reason=one\ntwo").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("the reason has more than one line"), "{told}");
    project.run("hold -list").ends(0).says("Nothing is held.");
}

#[test]
fn a_wrong_attribute_does_not_hide_a_wrong_end() {
    let project = Project::of_example("quickstart");
    let block = "known_drift \"night\" {\n  targets = [interface.hq]\n  attributes = [adresses]\n  \
                 reason = \"x\"\n  expires_at = \"soon\"\n}\n";
    project.add("known.wg.hcl", block);
    project.run("validate").ends(1).tells("adresses").tells("soon").tells("2 errors");
}

#[test]
fn many_peers_are_held_again_and_forgotten_in_one_go() {
    let hub = "backend \"local\" \"hq\" {\n  simulate = true\n}\n\
        interface \"hub\" {\n  name = \"wg0\"\n}\n\
        peer \"p\" {\n  for_each = { for n in concat(range(1000), range(1000, 2000)) : tostring(n) => n }\n  interface = interface.hub\n  \
        public_key = wg_public_key(base64sha256(each.key))\n  \
        allowed_ips = [\"${cidrhost(\"10.0.0.0/8\", each.value + 1)}/32\"]\n}\n";
    let project = Project::new(hub);
    project.run("apply -auto-approve").ends(0);
    let began = Instant::now();
    project.run("hold peer.p -for=10h -reason=a").ends(0);
    project.run("hold peer.p -for=12h -reason=b").ends(0);
    let listed = project.run("hold -list").ends(0).stdout;
    assert_eq!((listed.matches(": a").count(), listed.matches(": b").count()), (0, 2000));
    project.run("hold -release 'peer.p[\"7\"]'").ends(0).says("Released `peer.p[\"7\"]`.");
    let listed = project.run("hold -list").ends(0).stdout;
    assert_eq!(listed.matches(": b").count(), 1999);
    project.run("state rm peer.p").ends(0);
    project.run("hold -list").ends(0).says("Nothing is held.");
    // It was 45 s, most of it for `state rm`; each command takes well under a second now.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
