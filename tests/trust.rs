//! What others can write is not obeyed: by a terminal, or where the state alone says what is run.

#![expect(clippy::disallowed_methods, reason = "these tests write what somebody else would")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::fs::{self, File};
use std::io::Write as _;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::harness::{Project, Ran};

const HUB: &str = r#"
backend "local" "hq" {
  simulate = true
}

interface "hub" {
  name        = "wg0"
  listen_port = 51820
}
"#;

/// A title for the window, and a screen wiped.
const ESCAPES: &str = "\u{1b}]0;mine\u{7}\u{1b}[2J\nid: x";

fn applied() -> Project {
    let project = Project::new(HUB);
    project.run("apply -auto-approve").ends(0);
    project
}

fn edit_state(project: &Project, edit: impl FnOnce(&mut Json)) {
    let path = project.path().join("wgform.state.json");
    let mut state: Json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut state);
    fs::write(path, state.to_string()).unwrap();
}

/// Writes a lock file as somebody who means no good would; it is held as long as the file is open.
fn locked(project: &Project) -> File {
    let words = |field: &str| format!("{field}{ESCAPES}");
    let info = json!({
        "id": words("id; touch pwned"), "operation": words("apply"), "who": words("eve"), "host": words("far"),
        "pid": 1, "since": "2026-01-02T03:04:05Z", "wgform_version": words("0.1"),
    });
    let mut file = File::create(project.path().join("wgform.state.json.lock")).unwrap();
    file.write_all(info.to_string().as_bytes()).unwrap();
    file.lock().unwrap();
    file
}

/// Demands that a terminal would obey nothing of what was printed, and that no word makes a line of its own.
#[track_caller]
fn assert_harmless(ran: &Ran) {
    for said in [&ran.stdout, &ran.stderr] {
        assert!(!said.contains(['\u{1b}', '\u{7}']), "{ran}");
        assert!(!said.lines().any(|it| it.starts_with("id: x")), "{ran}");
    }
}

#[test]
fn the_words_of_a_lock_are_shown_and_not_obeyed() {
    let project = applied();
    let lock = locked(&project);
    for (command, code) in [
        ("lock show", 0),
        ("plan", 0),
        ("apply -auto-approve -lock-timeout=1s", 5),
        ("force-unlock -force other", 5),
    ] {
        let ran = project.run(command).ends(code);
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains("eve"), "{ran}");
        assert_harmless(&ran);
    }
    drop(lock);
    let path = project.path().join("wgform.state.json.lock");
    let mut info: Json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    info["id"] = "mine".into();
    fs::write(path, info.to_string()).unwrap();
    let ran = project.run("force-unlock -force mine").ends(0).says("eve");
    assert_harmless(&ran);
}

#[test]
fn a_plan_that_nobody_signed_says_nothing_to_a_terminal() {
    let project = Project::new(HUB);
    project.run("plan -out=first.wgplan").ends(0);
    let path = project.path().join("first.wgplan");
    let text = fs::read_to_string(&path).unwrap();
    // Whoever can write the file can also write the checksum.
    let (content, seal) = text.rsplit_once(",\"checksum\"").unwrap();
    let version = format!("\"wgform_version\":\"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(content.contains(&version), "{content}");
    let words = format!("\"wgform_version\":{}", json!(format!("eve{ESCAPES}")));
    let content = content.replacen(&version, &words, 1);
    let checksum: String =
        Sha256::digest(content.as_bytes()).iter().map(|it| format!("{it:02x}")).collect();
    let old = seal.split('"').nth(1).unwrap();
    fs::write(&path, format!("{content},\"checksum\"{}", seal.replacen(old, &checksum, 1)))
        .unwrap();
    let ran = project.run("show first.wgplan").ends(0).tells("by wgform eve");
    assert_harmless(&ran);
}

#[test]
fn a_program_that_only_the_state_names_is_not_run() {
    let project = Project::of_example("site-to-site-routeros");
    project.run("apply -auto-approve").ends(0);
    fs::remove_file(project.path().join("main.wg.hcl")).unwrap();
    let proof = project.path().join("pwned");
    // As if the router was a real one, at a port where nobody listens.
    edit_state(&project, |state| {
        let branch = &mut state["backends"]["branch"];
        branch["simulated"] = false.into();
        branch["transport"]["api_url"] = "http://127.0.0.1:9".into();
        branch["transport"]["api_user"] = "reader".into();
        branch["transport"]["api_password_command"] = json!(["touch", proof]);
    });
    let ran = project.run("drift -from-state").ends(6);
    assert!(!proof.exists(), "{ran}");
    ran.says("-run-commands").says("WGFORM_BACKEND_BRANCH_PASSWORD");
    // The environment knows it, so that nothing needs to be asked.
    let mut command = project.command("drift -from-state");
    let ran = command.env("WGFORM_BACKEND_BRANCH_PASSWORD", "x").output().unwrap();
    let ran = Ran::of("drift -from-state", ran).ends(6);
    assert!(!ran.to_string().contains("-run-commands"), "{ran}");
    project.run("drift -from-state -run-commands").ends(6);
    assert!(proof.exists(), "nothing was asked");
    project.run("drift -run-commands").ends(1).tells("-from-state");
}
