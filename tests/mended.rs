//! What once went wrong from one run of the program to the next, with the built program on simulated hosts.

#![expect(clippy::disallowed_methods, reason = "these tests look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::fs;

use serde_json::{Value as Json, json};

use crate::harness::Project;

const HUB: &str = r#"
backend "local" "hq" {
  simulate = true
}

interface "hub" {
  name        = "wg0"
  listen_port = 51820
}
"#;

const BRANCH: &str = "backend \"local\" \"branch\" {\n  simulate = true\n}\n";

const SIDE: &str = "interface \"side\" {\n  name        = \"wg1\"\n  listen_port = 51821\n}\n";

fn state(project: &Project) -> Json {
    serde_json::from_slice(&fs::read(project.path().join("wgform.state.json")).unwrap()).unwrap()
}

fn write_state(project: &Project, state: &Json) {
    fs::write(project.path().join("wgform.state.json"), state.to_string()).unwrap();
}

/// Makes it so that an apply of one resource seems to have been cut off after it was done.
fn cut_off(project: &Project, address: &str) {
    let mut state = state(project);
    let resource = state["resources"][address].clone();
    state["in_flight"] = json!([{ "change": "put", "address": address, "resource": resource }]);
    state["resources"].as_object_mut().unwrap().remove(address);
    if state["resources"].as_object().unwrap().is_empty() {
        // What was never applied has left nothing else behind.
        state["outputs"] = json!({});
    }
    write_state(project, &state);
}

#[test]
fn an_apply_without_a_refresh_asks_the_hosts_all_the_same() {
    let project = Project::new(HUB);
    project.run("apply -auto-approve -refresh=false").ends(0);
    let files = project.host("hq")["files"].as_object().unwrap().len();
    assert_eq!(files, 1, "{}", project.host("hq"));
    project.run("plan -detailed-exitcode").ends(0);

    project.enter("hq").add_link("wg1").unwrap();
    project.configure(&format!("{HUB}{SIDE}"));
    let ran = project.run("apply -auto-approve -refresh=false").ends(1);
    ran.tells("existing interface that wgform does not manage");
    project.configure(HUB);

    project.enter("hq").set_machine_id("another").unwrap();
    for command in ["apply -auto-approve -refresh=false", "destroy -auto-approve -refresh=false"] {
        project.run(command).ends(8).tells("-accept-new-device=hq");
    }
}

#[test]
fn an_interface_with_a_foreign_peer_is_not_destroyed_without_a_refresh_either() {
    use wgform::simulator::linux::call::{DeviceChange, PeerChange};

    let project = Project::new(HUB);
    project.run("apply -auto-approve").ends(0);
    let key = wgform::value::PrivateKey::from_bytes([7; 32]).public();
    let change = DeviceChange { peers: vec![PeerChange::new(key)], ..DeviceChange::default() };
    project.enter("hq").configure("wg0", &change).unwrap();
    for command in ["destroy -auto-approve", "destroy -auto-approve -refresh=false"] {
        project.run(command).ends(8).tells("force_destroy");
    }
    assert!(project.host("hq")["links"].get("wg0").is_some());
}

#[test]
fn the_state_is_not_moved_about_while_steps_are_to_be_looked_up() {
    let project = Project::new(HUB);
    project.run("apply -auto-approve").ends(0);
    let mut before = state(&project);
    let resource = before["resources"]["interface.hub"].clone();
    before["in_flight"] =
        json!([{ "change": "put", "address": "interface.hub", "resource": resource }]);
    write_state(&project, &before);
    for command in ["state mv interface.hub interface.core", "state rm interface.hub"] {
        let ran = project.run(command).ends(1);
        ran.tells("an apply was cut off, with 1 step still").tells("Run `wgform apply` first");
    }
    project.run("apply -auto-approve").ends(0);
    project.run("state mv interface.hub interface.core").ends(0);
}

#[test]
fn the_host_of_a_step_that_was_cut_off_is_asked_though_its_block_is_gone() {
    let project = Project::new(HUB);
    project.run("apply -auto-approve").ends(0);
    cut_off(&project, "interface.hub");
    project.configure(BRANCH);
    project.run("plan").ends(0).says("interface.hub").says("will be destroyed");
    project.run("apply -auto-approve").ends(0);
    assert!(project.host("hq")["links"].get("wg0").is_none(), "{}", project.host("hq"));
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn the_old_host_of_a_move_is_asked_until_the_old_interface_is_gone() {
    let hub = HUB.replace("\"wg0\"", "\"wg0\"\n  backend     = backend.hq");
    let project = Project::new(&format!("{hub}{BRANCH}"));
    project.run("apply -auto-approve").ends(0);
    let before = state(&project);
    let host = fs::read(project.path().join(".wgform/simulated/hq.json")).unwrap();
    project.edit("backend.hq", "backend.branch");
    project.run("apply -auto-approve").ends(0);
    // As if it was cut off before the old one went.
    let mut now = state(&project);
    let old = &before["resources"]["interface.hub"];
    now["resources"]["interface.hub"]["deposed"] =
        json!([{ "backend": "hq", "object": old["object"], "attributes": old["attributes"] }]);
    now["backends"]["hq"] = before["backends"]["hq"].clone();
    write_state(&project, &now);
    fs::write(project.path().join(".wgform/simulated/hq.json"), host).unwrap();
    let block = "backend \"local\" \"hq\" {\n  simulate = true\n}\n";
    project.edit(block, "");
    project.run("apply -auto-approve").ends(0).says("1 destroyed");
    assert!(project.host("hq")["links"].get("wg0").is_none());
    assert!(project.host("branch")["links"].get("wg0").is_some());
    project.run("plan -detailed-exitcode").ends(0);
    assert!(state(&project)["backends"].get("hq").is_none());
}

#[test]
fn a_target_that_names_nothing_is_an_error() {
    let project = Project::new(HUB);
    for command in ["plan", "apply -auto-approve", "destroy -auto-approve"] {
        let ran = project.run(&format!("{command} -target=interface.hbu")).ends(1);
        ran.tells("`-target=interface.hbu` is neither in the configuration nor in the state");
    }
    project.run("apply -auto-approve -target=interface.hub").ends(0);
}

#[test]
fn a_host_out_of_reach_that_no_target_needs_is_in_nobodys_way() {
    let project = Project::new(&format!(
        "{}backend \"local\" \"far\" {{\n  netns = \"wgform-no-such-namespace\"\n}}\n\
         interface \"far\" {{\n  backend = backend.far\n}}\n",
        HUB.replace("\"wg0\"", "\"wg0\"\n  backend     = backend.hq")
    ));
    project.run("apply -auto-approve -target=interface.hub").ends(0).says("1 added");
    project.run("apply -auto-approve -target=interface.far").ends(6);
}

#[test]
fn an_import_from_another_machine_says_that_it_is_one() {
    let project = Project::new(&format!("{HUB}{SIDE}"));
    project.run("apply -auto-approve -target=interface.hub").ends(0);
    project.enter("hq").add_link("wg1").unwrap();
    project.enter("hq").set_machine_id("another").unwrap();
    project.run("import interface.side wg1").ends(8).tells("backend `hq` is another system");
}

#[test]
fn the_address_of_a_name_is_reported_and_shown() {
    let project = Project::new(&format!(
        "{HUB}peer \"far\" {{\n  interface = interface.hub\n  allowed_ips = []\n  endpoint = \"far.example.com:51820\"\n  \
         public_key = \"{}\"\n}}\n",
        wgform::value::PrivateKey::from_bytes([7; 32]).public()
    ));
    project.run("apply -auto-approve -target=interface.hub").ends(0);
    project.enter("hq").set_host("far.example.com", &["192.0.2.7".parse().unwrap()]).unwrap();
    project.run("apply -auto-approve").ends(0).says("192.0.2.7:51820");
    project.run("state show peer.far").ends(0).says("192.0.2.7:51820");
}

#[test]
fn a_variable_of_the_environment_that_is_not_text_is_not_passed_over() {
    use std::os::unix::ffi::OsStrExt as _;
    let project = Project::new(HUB);
    let mut command = project.command("plan");
    command.env("WGFORM_VAR_port", std::ffi::OsStr::from_bytes(b"secret\xff"));
    let ran = crate::harness::Ran::of("plan", command.output().unwrap()).ends(1);
    let ran = ran.tells("the environment variable `WGFORM_VAR_port` is not UTF-8");
    assert!(!ran.to_string().contains("secret"), "{ran}");
}

#[test]
fn more_domains_than_a_resolver_holds_are_refused_before_anything_is_made() {
    let domains = |n: usize| {
        let names: Vec<String> = (0..n).map(|n| format!("\"d{n}.example.com\"")).collect();
        HUB.replace(
            "51820\n",
            &format!("51820\n  dns = [\"10.0.0.1\"]\n  dns_search = [{}]\n", names.join(", ")),
        )
    };
    let project = Project::new(&domains(257));
    let ran = project.run("validate").ends(1);
    ran.tells("a link has at most 256 of").tells("`dns_search`, and this is 257");
    project.configure(&domains(256));
    project.run("validate").ends(0);
}
