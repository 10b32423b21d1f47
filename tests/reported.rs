//! What reports say where something could not be compared, is held or known, or failed: never less than the terminal.

#![expect(clippy::disallowed_methods, reason = "these tests look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;
mod machine;

use std::fs;

use serde_json::Value as Json;
use wgform::simulator::linux::call::{DeviceChange, PeerChange};

use crate::harness::Project;
use crate::machine::{all, of};

const REPORTS: &str = "-markdown-into=comment.md -summary-into=summary.json";

fn applied() -> Project {
    let project = Project::of_example("quickstart");
    project.run("apply -auto-approve").ends(0);
    project
}

fn file(project: &Project, name: &str) -> String {
    fs::read_to_string(project.path().join(name)).unwrap()
}

fn summary(project: &Project) -> Json {
    serde_json::from_str(&file(project, "summary.json")).unwrap()
}

fn add(project: &Project, text: &str) {
    let configuration = file(project, "main.wg.hcl");
    project.configure(&format!("{configuration}\n{text}"));
}

/// Lets both backends be namespaces that are not there.
fn out_of_reach(project: &Project) {
    let path = project.path().join("wgform.state.json");
    let text = file(project, "wgform.state.json");
    fs::write(path, text.replace("\"simulated\": true", "\"simulated\": false")).unwrap();
    let configuration = file(project, "main.wg.hcl");
    let dead = "netns = \"wgform-no-such-namespace\"";
    let configuration = configuration.replace("simulate = true", dead);
    project.configure(&configuration.replace("\"wg-quick\"", "\"none\""));
}

#[test]
fn no_comment_says_that_there_is_no_drift_where_nothing_was_compared() {
    let project = applied();
    out_of_reach(&project);
    project.run(&format!("drift {REPORTS}")).ends(6).says("No answer.");
    let comment = file(&project, "comment.md");
    let heading = "## wgform drift: no answer, because nothing was compared; 2 backends not read\n";
    assert!(comment.starts_with(heading), "{comment}");
    assert_eq!(summary(&project)["planned"]["compared"], "nothing");
    project.run(&format!("plan {REPORTS}")).ends(6).says("No plan.");
    let comment = file(&project, "comment.md");
    assert!(comment.starts_with("## wgform plan: no plan, because nothing"), "{comment}");
    assert!(!comment.contains("Digest"), "{comment}");
    let lines = of(&project.run("drift -json").ends(6));
    let message = &all(&lines, "drift_summary")[0]["@message"];
    assert!(message.as_str().unwrap().starts_with("Drift: no answer, "), "{message}");
}

#[test]
fn what_is_gone_is_listed_also_where_the_guard_does_not_believe_it() {
    let project = applied();
    add(&project, "wgform {\n  guard { max_vanished = 0 }\n}\n");
    project.enter("hq").delete_link("wg0").unwrap();
    let ran = project.run(&format!("drift {REPORTS} -metrics-into=wgform.prom")).ends(8);
    ran.says("Missing on backend `hq`, and not believed:").says("  interface.hq\n");
    let metrics = file(&project, "wgform.prom");
    let gone = "wgform_drift_objects{backend=\"hq\",class=\"gone\"} 2\n";
    assert!(metrics.contains(gone), "{metrics}");
    assert_eq!(summary(&project)["planned"]["classes"]["gone"], 2);
    let comment = file(&project, "comment.md");
    assert!(comment.starts_with("## wgform drift: no answer"), "{comment}");
    assert!(comment.contains("and not believed:"), "{comment}");
    let lines = of(&project.run("drift -json").ends(8));
    let doubted = all(&lines, "backend_doubted");
    assert_eq!(doubted[0]["doubted"]["missing"][0], "interface.hq");
}

#[test]
fn every_class_of_drift_is_in_every_report() {
    let project = applied();
    add(
        &project,
        "known_drift \"k\" {\n  targets = [interface.hq]\n  attributes = [addresses, routes]\n  reason = \"CHG-1\"\n  \
         expires_at = \"2100-01-01T00:00:00Z\"\n}\n",
    );
    project.run("apply -auto-approve").ends(0);
    project.run("hold interface.branch -for=1h -reason=INC-7").ends(0);
    project.enter("hq").add_link("wg9").unwrap();
    project.enter("hq").delete_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();
    project.enter("branch").delete_address("wg0", "10.8.0.2/24".parse().unwrap()).unwrap();
    let lines = of(&project.run(&format!("drift -json {REPORTS}")).ends(0));
    let held = &all(&lines, "held")[0]["held"];
    assert_eq!((&held["address"], &held["is_drift"]), (&"interface.branch".into(), &true.into()));
    let known = all(&lines, "known_drift")[0];
    assert_eq!(known["known"]["reason"], "CHG-1");
    assert_eq!(known["change"]["resource"]["addr"], "interface.hq");
    assert_eq!(all(&lines, "unknown_interface")[0]["interface"]["name"], "wg9");
    assert_eq!(all(&lines, "resource_drift").len(), 0);
    let classes = &all(&lines, "drift_summary")[0]["drift"]["classes"];
    for (class, number) in [("known", 1), ("held", 1), ("unknown_interface", 1), ("changed", 0)] {
        assert_eq!(classes[class], number, "{classes}");
        assert_eq!(summary(&project)["planned"]["classes"][class], number);
    }
    let comment = file(&project, "comment.md");
    let heading = "## wgform drift: no drift; besides, 1 known and 1 held\n";
    assert!(comment.starts_with(heading), "{comment}");
    for text in ["CHG-1", "INC-7", "wg9 on backend `hq`"] {
        assert!(comment.contains(text), "{comment}");
    }
}

#[test]
fn a_peer_that_would_be_removed_is_told_too() {
    let project = applied();
    project.edit("routes      = \"auto\" #", "unmanaged_peers = \"remove\"\n  routes = \"auto\" #");
    project.run("apply -auto-approve").ends(0);
    let key = wgform::value::PrivateKey::from_bytes([9; 32]).public();
    let change = DeviceChange { peers: vec![PeerChange::new(key)], ..DeviceChange::default() };
    project.enter("hq").configure("wg0", &change).unwrap();
    let lines = of(&project.run(&format!("drift -json {REPORTS}")).ends(2));
    assert_eq!(all(&lines, "unmanaged_peer")[0]["peer"]["public_key"], key.to_string());
    assert_eq!(all(&lines, "drift_summary")[0]["drift"]["unmanaged_peers"], 1);
    let comment = file(&project, "comment.md");
    assert!(comment.contains("was added outside of wgform, and nobody declared it"), "{comment}");
}

#[test]
fn the_comment_of_a_failed_apply_says_what_failed() {
    let project = Project::of_example("quickstart");
    project.edit("\"192.0.2.2:51820\"", "\"gone.invalid:51820\"");
    project.run(&format!("apply -auto-approve {REPORTS}")).ends(4).says("Apply done in part.");
    let comment = file(&project, "comment.md");
    assert!(comment.starts_with("## wgform apply done in part: "), "{comment}");
    let errors = comment.split("### Errors\n").nth(1).unwrap();
    assert!(errors.contains("peer.hq_to_branch: ") && errors.contains("gone.invalid"), "{comment}");
    assert_eq!(summary(&project)["errors"], 1);
}

#[test]
fn drift_says_what_happened_and_not_what_an_apply_does() {
    let project = applied();
    project.enter("hq").delete_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();
    project.enter("branch").delete_link("wg0").unwrap();
    let ran = project.run("drift").ends(2);
    let ran = ran.says("interface.hq on local \"hq\" (simulated) has changed\n");
    let ran = ran.says("- \"10.8.0.1/24\",").says("interface.branch on local \"branch\"");
    let ran = ran.says("has been deleted\n").says("went with its interface\n");
    assert!(!ran.to_string().contains("will be"), "{ran}");
    let lines = of(&project.run("drift -json").ends(2));
    let changed = all(&lines, "resource_drift");
    let branch = changed.iter().find(|it| it["change"]["resource"]["addr"] == "interface.branch");
    let remarks = &branch.unwrap()["change"]["wgform"];
    assert_eq!((&remarks["fate"], &remarks["why"]), (&"has been deleted".into(), &"gone".into()));
}

#[test]
fn what_an_apply_makes_anew_only_because_of_drift_does_not_wait() {
    let project = applied();
    for id in ["hq", "branch"] {
        project.enter(id).delete_link("wg0").unwrap();
    }
    let ran = project.run(&format!("drift {REPORTS}")).ends(2);
    assert!(!ran.to_string().contains("not applied yet"), "{ran}");
    assert_eq!(summary(&project)["planned"]["waiting_changes"], 0);
    add(&project, "interface \"other\" {\n  backend = backend.hq\n  name = \"wg7\"\n}\n");
    project.run("drift").ends(2).says("1 change that is not applied yet");
}

#[test]
fn a_hold_on_a_backend_is_released_by_its_name() {
    let project = applied();
    project.run("hold backend.hq -for=1h -reason=x").ends(0).says("`interface.hq`");
    project.run("hold -release backend.branch").ends(1).tells("nothing that `backend.branch`");
    project.run("hold -release backend.hq").ends(0).says("Released `interface.hq`.");
    project.run("hold -list").ends(0).says("Nothing is held.");
}

#[test]
fn a_held_attribute_is_no_reason_to_write_the_boot_file() {
    let project = applied();
    project.run("hold interface.hq -attribute=listen_port -for=1h -reason=night").ends(0);
    let change = DeviceChange { listen_port: Some(51_999), ..DeviceChange::default() };
    project.enter("hq").configure("wg0", &change).unwrap();
    project.run("drift").ends(0).says("But for what is held");
    project.run("plan -detailed-exitcode").ends(0).says("No changes.");
}

#[test]
fn a_block_whose_time_is_up_is_warned_of_and_its_end_is_said_once() {
    let project = applied();
    add(
        &project,
        "hold \"night\" {\n  targets = [interface.hq]\n  reason = \"x\"\n  expires_at = \"2100-01-01T00:00:00Z\"\n}\n",
    );
    project.run("apply -auto-approve").ends(0);
    project.edit("2100-01-01", "2020-01-01");
    let drift = "drift -metrics-into=wgform.prom";
    let expired = |number| format!("wgform_holds{{kind=\"expired\"}} {number}\n");
    project.run(drift).ends(0).says("No longer held");
    assert!(file(&project, "wgform.prom").contains(&expired(1)));
    let ran = project.run("apply -auto-approve").ends(0);
    ran.says("No longer held").tells("hold or known drift whose time is up");
    let ran = project.run("plan -detailed-exitcode").ends(0);
    let ran = ran.tells("hold or known drift whose time is up");
    assert!(!ran.to_string().contains("No longer held"), "{ran}");
    project.run(drift).ends(0);
    assert!(file(&project, "wgform.prom").contains(&expired(0)));
}
