//! A state that is sealed, from the first apply to the last destroy, with the built program.

#![cfg(feature = "age")]
#![expect(clippy::disallowed_methods, reason = "these tests look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod gitlab;
mod harness;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use serde_json::Value as Json;

use crate::gitlab::GitLab;
use crate::harness::{Project, Ran};

const STATE: &str = "wgform.state.json";
const PASSPHRASE: &str = "correct horse battery staple";

/// What nobody without a key may read.
const HIDDEN: &[&str] = &["10.8.0.", "vpn.example.net", "\"wg0\"", "peer.laptop"];

const NETWORK: &str = "backend \"local\" \"hq\" {\n  simulate = true\n}\n\
    interface \"hub\" {\n  name = \"wg0\"\n  listen_port = 51820\n  addresses = [\"10.8.0.1/24\"]\n}\n\
    peer \"laptop\" {\n  interface = interface.hub\n  public_key = wg_public_key(base64sha256(\"1\"))\n  \
    allowed_ips = [\"10.8.0.2/32\"]\n  endpoint = \"vpn.example.net:51820\"\n}\n";

fn block(recipients: &[&Identity], rest: &str) -> String {
    let recipients: Vec<_> =
        recipients.iter().map(|it| format!("\"{}\"", it.to_public())).collect();
    format!(
        "wgform {{\n  encryption {{\n    age_recipients = [{}]\n    {rest}\n  }}\n}}\n",
        recipients.join(", ")
    )
}

fn key_file(project: &Project, name: &str, identity: &Identity) {
    project.add(name, &format!("# a key\n{}\n", identity.to_string().expose_secret()));
    let mode = fs::Permissions::from_mode(0o600);
    fs::set_permissions(project.path().join(name), mode).unwrap();
}

/// A project that is sealed for one, who has the key.
fn sealed_for(ann: &Identity) -> Project {
    let project = Project::new(&(block(&[ann], "age_identity_file = \"ann.txt\"") + NETWORK));
    key_file(&project, "ann.txt", ann);
    project
}

fn run_in(project: &Project, environment: &[(&str, &str)], arguments: &str) -> Ran {
    let output = project.command(arguments).envs(environment.iter().copied()).output().unwrap();
    Ran::of(arguments, output)
}

fn document(project: &Project) -> Json {
    serde_json::from_slice(&fs::read(project.path().join(STATE)).unwrap()).unwrap()
}

fn serial(project: &Project) -> u64 {
    document(project)["serial"].as_u64().unwrap()
}

/// Looks into every file but the configuration, the keys, and what stands in for a device.
#[track_caller]
fn nothing_is_readable(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if name != "simulated" {
                nothing_is_readable(&path);
            }
        } else if !name.ends_with(".hcl") && !name.ends_with(".txt") {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            for hidden in HIDDEN {
                assert!(!text.contains(hidden), "`{hidden}` can be read in {}", path.display());
            }
        }
    }
}

#[test]
fn every_command_works_on_a_sealed_state() {
    let ann = Identity::generate();
    let project = sealed_for(&ann);
    project.run("apply -auto-approve").ends(0);
    let document = document(&project);
    let keys: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["content", "lineage", "sealed", "serial", "version"]);
    project.run("plan -detailed-exitcode").ends(0);
    project.run("show").ends(0).says("10.8.0.2/32");
    project.run("graph").ends(0).says("laptop");
    project.run("drift").ends(0);
    project.run("drift -from-state").ends(0);
    project.run(&format!("drift -from-state -state={STATE}")).ends(0);
    project.run("state list").ends(0).says("peer.laptop");
    project.run("state show peer.laptop").ends(0).says("vpn.example.net");
    let pulled = project.run("state pull").ends(0);
    let plain: Json = serde_json::from_str(&pulled.stdout).unwrap();
    assert!(plain["resources"]["peer.laptop"].is_object(), "{plain}");
    assert_eq!(plain["serial"], document["serial"]);
    project.run("hold peer.laptop -for=1h -reason=test").ends(0);
    project.run("hold -release peer.laptop").ends(0);
    project.run("lock show").ends(0);
    project.run("state mv peer.laptop peer.phone").ends(0);
    project.run("state mv peer.phone peer.laptop").ends(0);
    project.run("state history").ends(0);
    project.run("state restore 1").ends(0).says("stored again");
    project.edit("10.8.0.2/32", "10.8.0.3/32");
    project.run("apply -auto-approve").ends(0).says("1 changed");
    nothing_is_readable(project.path());
    project.run("destroy -auto-approve").ends(0);
    nothing_is_readable(project.path());
}

#[test]
fn a_passphrase_from_the_environment_does_the_same() {
    let project = Project::new(NETWORK);
    let run = |arguments: &str| run_in(&project, &[("WGFORM_PASSPHRASE", PASSPHRASE)], arguments);
    run("apply -auto-approve").ends(0);
    run("plan -out=plan.bin").ends(0);
    run("show plan.bin").ends(0);
    run("state list").ends(0).says("peer.laptop");
    nothing_is_readable(project.path());
    project.run("plan").ends(1).tells("sealed with a passphrase").tells("WGFORM_PASSPHRASE");
    let wrong = [("WGFORM_PASSPHRASE", "another horse's battery")];
    let ran = run_in(&project, &wrong, "plan").ends(1).tells("cannot open it");
    assert!(!ran.to_string().contains("another horse"), "{ran}");
    let short = [("WGFORM_PASSPHRASE", "hunter2")];
    let ran = run_in(&project, &short, "plan").ends(1).tells("too short");
    assert!(!ran.to_string().contains("hunter2"), "{ran}");
    run("destroy -auto-approve").ends(0);
}

#[test]
fn a_wrong_identity_is_told_and_nothing_is_changed() {
    let (ann, eve) = (Identity::generate(), Identity::generate());
    let project = sealed_for(&ann);
    project.run("apply -auto-approve").ends(0);
    let before = fs::read(project.path().join(STATE)).unwrap();
    key_file(&project, "ann.txt", &eve);
    for command in ["plan", "apply -auto-approve", "state list", "state reseal", "state restore 1"]
    {
        project.run(command).ends(1).tells("ann.txt").tells("sealed for one recipient");
    }
    fs::remove_file(project.path().join("ann.txt")).unwrap();
    project.run("plan").ends(1).tells("the identity file").tells("No such file");
    project.add("ann.txt", "AGE-PLUGIN-YUBIKEY-1QQQ\n");
    let mode = fs::Permissions::from_mode(0o644);
    fs::set_permissions(project.path().join("ann.txt"), mode).unwrap();
    project.run("plan").ends(1).tells("needs a plugin").tells("others can read");
    project.configure(NETWORK);
    project.run("plan").ends(1).tells("nothing here to open it with").tells("age_identity_file");
    project.run("state push -force ann.txt").ends(1);
    assert_eq!(fs::read(project.path().join(STATE)).unwrap(), before);
}

#[test]
fn new_recipients_can_read_after_the_state_is_sealed_anew() {
    let (ann, bob) = (Identity::generate(), Identity::generate());
    let project = sealed_for(&ann);
    project.run("apply -auto-approve").ends(0);
    let before = serial(&project);
    project.configure(&(block(&[&bob], "age_identity_file = \"ann.txt\"") + NETWORK));
    project.run("state reseal").ends(0).says("sealed anew").says("age1").says("Older copies");
    assert_eq!(serial(&project), before + 1);
    project.run("state list").ends(1).tells("cannot open it");
    key_file(&project, "bob.txt", &bob);
    project.configure(&(block(&[&bob], "age_identity_file = \"bob.txt\"") + NETWORK));
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn an_old_copy_that_is_put_back_is_noticed() {
    let ann = Identity::generate();
    let project = sealed_for(&ann);
    project.run("apply -auto-approve").ends(0);
    let old = fs::read(project.path().join(STATE)).unwrap();
    project.edit("10.8.0.2/32", "10.8.0.3/32");
    project.run("apply -auto-approve").ends(0);
    let newest = serial(&project);
    fs::write(project.path().join(STATE), &old).unwrap();
    for command in ["plan", "apply -auto-approve", "state list"] {
        project.run(command).ends(1).tells("is an old copy").tells(&format!("serial {newest}"));
    }
    let restored = project.fork();
    restored.run(&format!("state restore {newest}")).ends(0);
    restored.run("plan -detailed-exitcode").ends(0);
    assert_eq!(serial(&restored), newest + 1);
    // Or it is what is wanted.
    let pulled = project.run("state pull").ends(0);
    project.add("old.txt", &pulled.stdout);
    project.run("state push -force old.txt").ends(0);
    assert_eq!(serial(&project), newest + 1);
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn a_plain_state_in_the_place_of_a_sealed_one_is_refused_unless_it_is_meant() {
    let ann = Identity::generate();
    let project = Project::new(NETWORK);
    project.run("apply -auto-approve").ends(0);
    let plain = fs::read(project.path().join(STATE)).unwrap();
    project.configure(&(block(&[&ann], "age_identity_file = \"ann.txt\"") + NETWORK));
    key_file(&project, "ann.txt", &ann);
    project.run("plan").ends(0).tells("stored in the open so far");
    project.run("state reseal").ends(0).says("sealed anew");
    let sealed = fs::read(project.path().join(STATE)).unwrap();
    let newest = serial(&project);
    let mut forged: Json = serde_json::from_slice(&plain).unwrap();
    forged["serial"] = newest.into();
    project.add(STATE, &forged.to_string());
    project.run("plan").ends(1).tells("is not sealed, and it was");
    fs::write(project.path().join(STATE), &sealed).unwrap();
    let back = block(&[&ann], "sealed = false\n    age_identity_file = \"ann.txt\"");
    project.configure(&(back + NETWORK));
    project.run("state reseal").ends(0).says("stored in the open");
    assert!(document(&project)["resources"].is_object());
    project.configure(NETWORK);
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn damage_is_told_from_a_wrong_key() {
    let ann = Identity::generate();
    let project = sealed_for(&ann);
    project.run("apply -auto-approve").ends(0);
    let text = fs::read_to_string(project.path().join(STATE)).unwrap();
    project.add(STATE, &text[..text.len() / 2]);
    project.run("plan").ends(1).tells("breaks off");
    let number = serial_text(&text);
    project.add(STATE, &text.replace(&number, "\"serial\":900"));
    project.run("plan").ends(1).tells("says that it is serial 900");
    let at = text.len() - 40;
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    project.add(STATE, &format!("{}{other}{}", &text[..at], &text[at + 1..]));
    project.run("plan").ends(1).tells("changed or cut off");
    project.run("state restore 1").ends(0);
    project.run("plan").ends(0);
}

fn serial_text(text: &str) -> String {
    let start = text.find("\"serial\":").unwrap();
    text[start..start + text[start..].find(',').unwrap()].to_owned()
}

#[test]
fn a_sealed_plan_is_shown_applied_and_stale_as_a_plain_one() {
    let ann = Identity::generate();
    let project = sealed_for(&ann);
    project.run("apply -auto-approve").ends(0);
    project.edit("10.8.0.2/32", "10.8.0.3/32");
    project.run("plan -out=plan.bin").ends(0).says("sealed");
    nothing_is_readable(project.path());
    project.run("show plan.bin").ends(0).says("10.8.0.3/32");
    let older = project.fork();
    project.run("plan -out=plan.bin").ends(0);
    project.run("apply plan.bin").ends(0);
    project.run("apply plan.bin").ends(7).tells("applied already");
    key_file(&older, "ann.txt", &Identity::generate());
    older.run("show plan.bin").ends(1).tells("plan.bin").tells("cannot open it");
}

#[test]
fn a_state_older_than_its_plan_is_said_to_be() {
    let ann = Identity::generate();
    let project = sealed_for(&ann);
    project.run("apply -auto-approve").ends(0);
    let old = fs::read(project.path().join(STATE)).unwrap();
    project.run("state mv peer.laptop peer.phone").ends(0);
    project.run("state mv peer.phone peer.laptop").ends(0);
    project.edit("10.8.0.2/32", "10.8.0.3/32");
    project.run("plan -out=plan.bin").ends(0);
    fs::write(project.path().join(STATE), &old).unwrap();
    fs::remove_dir_all(project.path().join(".wgform/high-water")).unwrap();
    project.run("apply plan.bin").ends(7).tells("the state is older than the plan");
}

#[cfg(feature = "failpoints")]
#[test]
fn an_apply_that_is_killed_leaves_nothing_readable_and_is_finished_by_the_next_one() {
    let ann = Identity::generate();
    for point in ["batch-write:1", "outcome-landed:1", "outcome-landed:2", "file-half-written:3"] {
        let project = sealed_for(&ann);
        let killed = run_in(&project, &[("WGFORM_FAILPOINT", point)], "apply -auto-approve");
        assert!(killed.signal.is_some(), "{point}: {killed}");
        nothing_is_readable(project.path());
        project.run("apply -auto-approve").ends(0);
        project.run("plan -detailed-exitcode").ends(0);
        assert_eq!(project.left_over(), Vec::<String>::new());
    }
}

#[test]
fn a_store_elsewhere_has_the_sealed_state_and_its_serial() {
    let (server, ann) = (GitLab::start(), Identity::generate());
    let encryption = block(&[&ann], "age_identity_file = \"ann.txt\"");
    let inner = encryption.strip_prefix("wgform {\n").unwrap().strip_suffix("}\n").unwrap();
    let text = server.block("wireguard").replacen("wgform {\n", &format!("wgform {{\n{inner}"), 1);
    let project = Project::new(&(text + NETWORK));
    key_file(&project, "ann.txt", &ann);
    project.run("apply -auto-approve").ends(0);
    project.run("plan -detailed-exitcode").ends(0);
    nothing_is_readable(project.path());
    let stored = server.document("wireguard").to_string();
    for hidden in HIDDEN {
        assert!(!stored.contains(hidden), "the server can read {hidden}");
    }
    let stored: Json = serde_json::from_str(&stored).unwrap();
    assert_eq!(stored["sealed"], "age");
    assert!(stored["serial"].as_u64().unwrap() > 0);
    project.edit("10.8.0.2/32", "10.8.0.3/32");
    project.run("apply -auto-approve").ends(0).says("1 changed");
    project.run("state pull").ends(0).says("peer.laptop");
}

#[test]
fn a_move_that_left_no_note_is_finished_by_the_next_try() {
    let (server, ann) = (GitLab::start(), Identity::generate());
    let project = sealed_for(&ann);
    project.run("apply -auto-approve").ends(0);
    let first = fs::read(project.path().join(STATE)).unwrap();
    project.run("state mv peer.laptop peer.phone").ends(0);
    project.run("state mv peer.phone peer.laptop").ends(0);
    let last = fs::read(project.path().join(STATE)).unwrap();
    let encryption = block(&[&ann], "age_identity_file = \"ann.txt\"");
    let inner = encryption.strip_prefix("wgform {\n").unwrap().strip_suffix("}\n").unwrap();
    let text = server.block("wireguard").replacen("wgform {\n", &format!("wgform {{\n{inner}"), 1);
    project.configure(&(text + NETWORK));
    // An old copy is not what is moved.
    fs::write(project.path().join(STATE), &first).unwrap();
    project.run("state migrate").ends(1).tells("is an old copy");
    assert_eq!(server.serials("wireguard"), [] as [u64; 0]);
    fs::write(project.path().join(STATE), &last).unwrap();
    project.run("state migrate").ends(0).says("The state is in http://127.0.0.1");
    // As if the note could not have been left.
    fs::write(project.path().join(STATE), &last).unwrap();
    let serials = server.serials("wireguard");
    project.run("state migrate").ends(0).says("The state is in http://127.0.0.1");
    assert_eq!(server.serials("wireguard"), serials);
    project.run("plan -detailed-exitcode").ends(0);
    assert!(document(&project)["moved_to"].is_string());
}
