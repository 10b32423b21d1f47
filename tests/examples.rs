//! Every folder in `examples/` does what it says, with the built program. Those that need real hosts are run in
//! `tests/real_userspace.rs`, `tests/real_kernel.rs` and `tests/real_ssh.rs`.

#![expect(clippy::disallowed_methods, reason = "these tests look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::devices::{self, ask_firewall, ask_router};
use crate::harness::{Project, Ran, examples, program};

const NOBODY: u32 = 65_534;

#[test]
fn no_example_is_without_a_test() {
    let mut names: Vec<_> = fs::read_dir(examples())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "linux-site-to-site",
            "quickstart",
            "site-to-site-routeros",
            "three-backends",
            "two-hubs-over-ssh"
        ]
    );
}

#[test]
fn every_example_is_valid() {
    for name in [
        "linux-site-to-site",
        "quickstart",
        "site-to-site-routeros",
        "three-backends",
        "two-hubs-over-ssh",
    ] {
        let ran = Project::of_example(name).run("validate").ends(0);
        // Nothing in it breaks a rule of lint either.
        assert_eq!(
            (ran.stdout.as_str(), ran.stderr.as_str()),
            ("The configuration is valid.\n", "")
        );
    }
}

#[test]
fn the_quickstart_is_planned_applied_and_destroyed() {
    let project = Project::of_example("quickstart");
    let plan = "Plan: 5 to add, 0 to change, 0 to destroy.";
    project.run("plan").ends(0).says(plan).says("(simulated)");
    project.run("plan -detailed-exitcode").ends(2).says(plan);
    assert!(!project.path().join("wgform.state.json").exists(), "a plan writes no state");

    let applied = project.run_with("apply", "yes\n").ends(0).says(plan);
    let applied = applied.says("Apply complete. Resources: 5 added, 0 changed, 0 destroyed.");
    applied.says("hq_public_key = \"").tells("Do you want to perform these actions?");
    assert_eq!(project.left_over(), [""; 0]);

    project.run("apply").ends(0).says("No changes");
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    project.run("drift").ends(0).says("No drift");
    let key = project.run("output hq_public_key").ends(0).stdout;
    let link = &project.host("hq")["links"]["wg0"]["device"];
    assert!(key.contains(link_key(link).as_str()), "{key}");
    let list = project.run("state list").ends(0).stdout;
    assert_eq!(
        list,
        "interface.branch\ninterface.hq\npeer.branch_to_hq\npeer.hq_to_branch\npreshared_key.tunnel\n"
    );
    project.run("show").ends(0).says("interface \"hq\"");

    project.run_with("destroy", "no\n").ends(1).tells("Cancelled: nothing was done");
    project.run("plan -detailed-exitcode").ends(0);
    let destroyed = project.run_with("destroy", "yes\n").ends(0);
    destroyed.says("Destroy complete. Resources: 0 added, 0 changed, 5 destroyed.");
    for host in ["hq", "branch"] {
        let host = project.host(host);
        assert!(host["links"].get("wg0").is_none(), "{host}");
        assert_eq!(host["files"], serde_json::json!({}));
    }
    assert_eq!(project.run("state list").ends(0).stdout, "");
}

fn link_key(device: &serde_json::Value) -> String {
    let key = device["private_key"].as_str().unwrap();
    key.parse::<wgform::value::PrivateKey>().unwrap().public().to_string()
}

#[test]
fn two_hubs_are_applied_where_there_are_none() {
    let project = Project::of_example("two-hubs-over-ssh");
    project.run("apply -auto-approve").ends(0).says("on linux \"one\" (simulated)").says("5 added");
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    project.run("destroy -auto-approve").ends(0).says("5 destroyed");
}

#[test]
fn a_hub_and_a_router_are_one_plan_and_one_apply() {
    let project = Project::of_example("site-to-site-routeros");
    let applied =
        project.run("apply -auto-approve").ends(0).says("on routeros \"branch\" (simulated)");
    applied.says("5 added");
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    project.run("drift").ends(0).says("No drift");
    project.run("plan -refresh-only").ends(0);
    project.run("backend test").says("RouterOS");
    project.run("destroy -auto-approve").ends(0).says("5 destroyed");
    assert_eq!(project.run("state list").ends(0).stdout, "");
}

#[test]
fn what_is_changed_by_hand_on_three_devices_is_named_and_healed() {
    let project = Project::of_example("three-backends");
    let applied = project.run("apply -auto-approve").ends(0).says("9 added, 1 changed");
    applied.says("WireGuard is off there, and will be switched on");
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    project.run("drift").ends(0).says("No drift");
    assert_eq!(project.left_over(), [""; 0]);

    project.enter("hub").delete_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();
    let router = devices::router(&project, "branch");
    let interface = ask_router(&router, "GET", "interface/wireguard", "");
    let path = format!("interface/wireguard/{}", interface[0][".id"].as_str().unwrap());
    ask_router(&router, "PATCH", &path, r#"{"comment":"by hand"}"#);
    drop(router);
    let firewall = devices::firewall(&project, "office");
    let change = json!({"id": 0, "persistentkeepalive": 60});
    ask_firewall(&firewall, "PATCH", "vpn/wireguard/peer", &change);
    ask_firewall(&firewall, "POST", "vpn/wireguard/apply", &json!({"async": false}));
    drop(firewall);

    let mut drift = project.run("drift").ends(2);
    for name in ["interface.hub", "interface.branch", "peer.office_to_hub"] {
        drift = drift.says(&format!("  # {name} on "));
    }
    project.run("plan -detailed-exitcode").ends(2).says("Drift undone: 3");
    project.run("apply -auto-approve").ends(0).says("3 changed");
    project.run("plan -detailed-exitcode").ends(0).says("No changes");

    project.run("destroy -auto-approve").ends(0).says("9 destroyed");
    assert_eq!(project.run("state list").ends(0).stdout, "");
}

#[test]
fn anything_but_yes_makes_nothing() {
    let project = Project::of_example("quickstart");
    for answer in ["no\n", "y\n", "YES\n", "\n", ""] {
        let declined = project.run_with("apply", answer).ends(1);
        declined.tells("Cancelled: nothing was done");
    }
    assert!(!project.path().join("wgform.state.json").exists());
    assert_eq!(project.left_over(), [""; 0]);
    assert!(project.host("hq")["links"].get("wg0").is_none());
    project.run("apply -input=false").ends(1).tells("`-input=false` forbids to ask");
}

#[test]
fn the_quickstart_is_found_from_elsewhere() {
    let project = Project::of_example("quickstart");
    let elsewhere = tempfile::tempdir().unwrap();
    let argument = format!("-chdir={}", project.path().display());
    let mut command = Command::new(program());
    let run = command.args([argument.as_str(), "apply", "-auto-approve"]).env_clear();
    let output = run.current_dir(elsewhere.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(project.path().join("wgform.state.json").exists());
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn a_dirty_environment_changes_nothing() {
    let project = Project::of_example("quickstart");
    let dirty = [
        ("HOME", "/does/not/exist"),
        ("LANG", "xx_YY.nonsense"),
        ("LC_ALL", "C"),
        ("TERM", "dumb"),
        ("TMPDIR", "/does/not/exist"),
        ("LOG_LEVEL", "verbose"),
        ("RUST_LOG", "trace"),
        ("RUST_BACKTRACE", "1"),
        ("HTTP_PROXY", "http://192.0.2.1:1"),
        ("WG_USERSPACE_IMPLEMENTATION", "/bin/false"),
        ("WGFORM_FAILPOINT_", "outcome-landed"),
        ("WGFORM_VAR_nobody", "x"),
        ("COLUMNS", "-1"),
        ("CLICOLOR_FORCE", "0"),
    ];
    let run = |arguments: &str| {
        let output = project.command(arguments).envs(dirty).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, stdout) = run("apply -auto-approve");
    assert_eq!(code, Some(0), "{stdout}");
    assert!(stdout.contains("Apply complete. Resources: 5 added"), "{stdout}");
    assert!(!stdout.contains('\u{1b}'), "no colour without a terminal");
    assert_eq!(run("plan -detailed-exitcode").0, Some(0));
}

#[test]
fn the_default_of_a_variable_can_be_changed_in_every_way() {
    let project = Project::of_example("quickstart");
    project
        .edit("endpoint             = \"192.0.2.2:51820\"", "endpoint = \"${var.domain}:51820\"");
    project.edit("locals {", "variable \"domain\" {\n  default = \"example.com\"\n}\n\nlocals {");
    project.run("plan -var domain=vpn.example.net").ends(0).says("vpn.example.net:51820");
    let with_environment = || {
        let mut command = project.command("plan");
        let output = command.env("WGFORM_VAR_domain", "env.example.net").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(with_environment().contains("env.example.net:51820"));
    fs::write(project.path().join("wgform.wgvars.hcl"), "domain = \"file.example.net\"\n").unwrap();
    project.run("plan").ends(0).says("file.example.net:51820");
    assert!(with_environment().contains("file.example.net:51820"));
}

#[test]
fn no_root_and_no_home_are_needed() {
    let project = for_nobody();
    let ran = as_nobody(&project, "apply -auto-approve");
    assert_eq!(ran.code, Some(0), "{ran}");
    let ran = as_nobody(&project, "plan -detailed-exitcode");
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn a_directory_that_cannot_be_written_is_a_clear_error() {
    let project = for_nobody();
    fs::set_permissions(project.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let plan = as_nobody(&project, "plan").ends(6);
    plan.says(".wgform/simulated` cannot be made: Permission denied")
        .says("make that directory writable");
    let path = project.path().join("wgform.state.json.lock");
    let told = format!("could not take the lock `{}`\n  cause: Permission denied", path.display());
    let apply = as_nobody(&project, "apply -auto-approve").ends(1).tells(&told);
    apply.tells("help:");
    fs::set_permissions(project.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

/// Makes the quickstart for a user without any rights: nobody, or whoever runs the tests without being root.
fn for_nobody() -> Project {
    let project = Project::of_example("quickstart");
    if rustix::process::geteuid().is_root() {
        own(project.path());
    }
    project
}

fn own(path: &Path) {
    std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| own(&entry.unwrap().path()));
    }
}

fn as_nobody(project: &Project, arguments: &str) -> Ran {
    // The program may lie where only root comes to.
    let copy = tempfile::tempdir().unwrap();
    fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = copy.path().join("wgform");
    fs::copy(harness::program(), &program).unwrap();
    let mut command = Command::new(program);
    command.args(harness::words(arguments)).env_clear().current_dir(project.path());
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = loop {
        match command.output() {
            // A test beside this one has started a program while the copy was open for writing.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {}
            output => break output.unwrap(),
        }
    };
    Ran {
        arguments: arguments.to_owned(),
        code: output.status.code(),
        signal: None,
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
