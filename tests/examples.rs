//! Every folder in `examples/` does what it says, with the built program. Those that need real hosts are run in
//! `tests/real_userspace.rs`, `tests/real_kernel.rs` and `tests/real_ssh.rs`; what `ci` has beside a configuration, in
//! `tests/recipes.rs`.

#![expect(clippy::disallowed_methods, reason = "these tests look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;
mod taken;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::devices::{self, ask_firewall, ask_router};
use crate::harness::{Project, Ran, examples, program};
use crate::taken::{drafted, take_over};

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
            "ci",
            "drift-cron",
            "fifty-sites",
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
        "ci",
        "drift-cron",
        "fifty-sites",
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

#[test]
fn the_drift_cron_looks_with_the_state_alone() {
    let project = Project::of_example("drift-cron");
    let service = fs::read_to_string(project.path().join("wgform-drift.service")).unwrap();
    let cron = fs::read_to_string(project.path().join("wgform-drift.cron")).unwrap();
    let command = "drift -from-state -no-color -metrics-into=/var/lib/wgform-metrics/wgform.prom";
    assert!(service.contains(&format!("ExecStart=/usr/local/bin/wgform {command}\n")), "{service}");
    assert!(cron.contains(&format!("wgform {command} ")), "{cron}");
    let command = command.replace("/var/lib/wgform-metrics/", "");
    project.run("apply -auto-approve").ends(0);
    // The cron has no configuration.
    fs::remove_file(project.path().join("main.wg.hcl")).unwrap();
    project.run(&command).ends(0).says("No drift.");
    let metrics = || fs::read_to_string(project.path().join("wgform.prom")).unwrap();
    let changed = "wgform_drift_objects{backend=\"hq\",class=\"changed\"}";
    assert!(metrics().contains(&format!("{changed} 0\n")), "{}", metrics());
    project.enter("hq").delete_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();
    project.run(&command).ends(2).says("Drift: 1 resource changed outside of wgform");
    assert!(metrics().contains(&format!("{changed} 1\n")), "{}", metrics());
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
fn fifty_sites_are_one_map_and_one_module() {
    let project = Project::of_example("fifty-sites");
    let lines = |name: &str| fs::read_to_string(project.path().join(name)).unwrap().lines().count();
    let lines = lines("main.wg.hcl") + lines("modules/site/main.wg.hcl");
    assert!(lines < 100, "{lines} lines");

    project.run("plan").ends(0).says("Plan: 201 to add, 1 to change, 0 to destroy.");
    project.run("apply -auto-approve").ends(0).says("Resources: 201 added, 1 changed");
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    project.run("drift").ends(0).says("No drift");
    let peers = project.run("state list").ends(0).stdout;
    assert_eq!(peers.lines().filter(|it| it.starts_with("peer.site[")).count(), 50, "{peers}");

    let before = simulated(&project);
    rename(&project, "lisbon", "lisboa");
    let planned = project.run("plan -detailed-exitcode").ends(2);
    let planned = planned.says("Plan: 0 to add, 0 to change, 0 to destroy, 4 moved.");
    planned.says("  # peer.site[\"lisbon\"] has moved to peer.site[\"lisboa\"]\n");
    project.run("apply -auto-approve").ends(0).says("0 added, 0 changed, 0 destroyed, 4 moved");
    assert_untouched(&project, &before);
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    project.run("state list").ends(0).says("module.site[\"lisboa\"].peer.hub").says_no("lisbon");

    project.run("destroy -auto-approve").ends(0);
    assert_eq!(project.run("state list").ends(0).stdout, "");
}

/// Gives a site another key, as the first comment of the example says.
fn rename(project: &Project, old: &str, new: &str) {
    let text = fs::read_to_string(project.path().join("main.wg.hcl")).unwrap();
    let comment = text.lines().take_while(|line| line.starts_with('#'));
    let blocks: Vec<_> = comment.filter_map(|line| line.strip_prefix("#   ")).collect();
    let blocks = blocks.iter().skip_while(|line| !line.starts_with("moved")).copied();
    let blocks = blocks.collect::<Vec<_>>().join("\n") + "\n";
    assert_eq!((blocks.matches("moved {").count(), blocks.matches(new).count()), (2, 2));
    project.add("moved.wg.hcl", &blocks);
    let sites = fs::read_to_string(project.path().join("sites.yaml")).unwrap();
    let renamed = sites.replace(&format!("\n{old}: "), &format!("\n{new}: "));
    assert_ne!(renamed, sites);
    project.add("sites.yaml", &renamed);
}

#[test]
fn fifty_sites_are_given_back_by_import_all() {
    let project = Project::of_example("fifty-sites");
    project.run("apply -auto-approve").ends(0);
    // Whoever opens a simulated device next writes what the last one appended into its place.
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    let said = project.run("import -all backend.router").ends(0);
    said.tells("50 objects have an owner already.\nThere is nothing to take over");

    // All at once, from files; each device holds the secrets.
    let copy = devices_alone(&project);
    let before = simulated(&copy);
    let mut expected = BTreeMap::from([("firewall", (1, 50)), ("router", (25, 25))]);
    expected.insert("server", (25, 25));
    for (backend, (interfaces, peers)) in expected {
        let said =
            copy.run(&format!("import -all backend.{backend} -out={backend}.wg.hcl")).ends(0);
        let interfaces = if interfaces == 1 { "1 interface" } else { "25 interfaces" };
        said.says(&format!("Wrote {interfaces} and {peers} peers into `{backend}.wg.hcl`."));
    }
    copy.run("validate").ends(0);
    let planned = copy.run("plan -detailed-exitcode").ends(2);
    planned.says("Plan: 151 to import, 0 to add, 0 to change, 0 to destroy.");
    copy.run("apply -auto-approve").ends(0).says("151 imported, 0 added, 0 changed, 0 destroyed");
    copy.run("plan -detailed-exitcode").ends(0).says("No changes");
    assert_untouched(&copy, &before);
    project.run("plan -detailed-exitcode").ends(0).says("No changes");

    // One after the other: a site refers to the key of the hub, which has an owner by then.
    for flags in ["", "-as=map"] {
        let copy = devices_alone(&project);
        for backend in ["firewall", "router", "server"] {
            let text = drafted(&copy, backend, flags);
            take_over(&copy, backend, &text);
            let references = text.matches("interface.tun_wg0.public_key").count();
            assert_eq!(references, if backend == "firewall" { 0 } else { 25 }, "{text}");
        }
        assert_eq!(copy.run("state list").ends(0).stdout.lines().count(), 151);
        assert_untouched(&copy, &before);
    }
}

/// Makes a copy of the devices of the example, with its backends, and nothing else.
fn devices_alone(project: &Project) -> Project {
    let text = fs::read_to_string(project.path().join("main.wg.hcl")).unwrap();
    let backends =
        text.find("variable \"firewall_key\"").unwrap()..text.find("interface ").unwrap();
    let copy = Project::new(&text[backends]);
    let directory = copy.path().join(".wgform/simulated");
    fs::create_dir_all(&directory).unwrap();
    for (name, text) in simulated(project) {
        fs::write(directory.join(name), text).unwrap();
    }
    copy
}

#[track_caller]
fn assert_untouched(project: &Project, before: &BTreeMap<String, Vec<u8>>) {
    for (name, text) in simulated(project) {
        assert!(before.get(&name) == Some(&text), "`{name}` has changed");
    }
}

/// Returns everything that the simulated devices are made of.
fn simulated(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(project.path().join(".wgform/simulated")).unwrap();
    let paths = files.map(|entry| entry.unwrap().path());
    let devices = paths.filter(|path| path.extension().is_some_and(|it| it == "json"));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    devices.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
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
