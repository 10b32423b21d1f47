//! Saved plans with the built program on simulated backends: made, shown, applied, and refused when something moved.

#![expect(clippy::disallowed_methods, reason = "these tests look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value as Json;
use wgform::simulator::routeros::http::{Options, Server};
use wgform::simulator::routeros::profile::Profile;
use wgform::simulator::routeros::{ALL_POLICIES, SimulatedRouter};
use wgform::value::Secret;
use wgform::world::World;

use crate::harness::{Project, Ran, devices};

const SMALL: &str = r#"
backend "local" "hq" { simulate = true }
interface "hq" {
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
}
peer "laptop" {
  interface   = interface.hq
  public_key  = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
  allowed_ips = ["10.8.0.2/32"]
}
"#;

const KEY: &str = "aPxGwq8zERHQ3Q1cOZFdJ+cvJX5Ka4mLN38AyYKYF10=";
const SHARED: &str = "iMTr7OqQ0jzUyW0dhqhSGM2AUP9KXSpBPo4QpYZ3CGY=";

fn state(project: &Project) -> Json {
    serde_json::from_slice(&fs::read(project.path().join("wgform.state.json")).unwrap()).unwrap()
}

fn file(project: &Project) -> Vec<u8> {
    fs::read(project.path().join("p")).unwrap()
}

fn digest(ran: &Ran) -> String {
    let line = ran.stdout.lines().find_map(|it| it.strip_prefix("Digest: "));
    line.unwrap_or_else(|| panic!("no digest in {ran}")).to_owned()
}

/// A project with an applied configuration, a change that waits, and a plan of it.
fn planned() -> Project {
    let project = Project::new(SMALL);
    project.run("apply -auto-approve").ends(0);
    project.edit("10.8.0.2/32", "10.8.0.3/32");
    project.run("plan -out=p").ends(0).says("Saved the plan as `p`").says("wgform apply p");
    project
}

#[test]
fn a_saved_plan_is_shown_and_applied_without_a_question() {
    let project = Project::new(SMALL);
    let planned = project.run("plan -out=p").ends(0);
    let (text, _) = planned.stdout.split_once("\nSaved the plan").unwrap();
    let shown = project.run("show p").ends(0);
    assert_eq!(shown.stdout, text, "it is shown as it was planned");
    shown.tells("for `wgform apply`, before there was a state");
    assert_eq!(fs::metadata(project.path().join("p")).unwrap().permissions().mode() & 0o777, 0o600);
    let lineage =
        serde_json::from_slice::<Json>(&file(&project)).unwrap()["plan"]["lineage"].clone();

    project.run("apply -input=false p").ends(0).says("Plan: 2 to add").says("Apply complete.");
    assert_eq!(state(&project)["lineage"], lineage, "the plan made the lineage of the first state");
    project.run("plan -detailed-exitcode").ends(0).says("No changes.");
    assert_eq!(project.left_over(), [""; 0]);

    let again = project.run("apply p").ends(7);
    again.tells("Stale plan: this plan was applied already");
}

#[test]
fn a_later_plan_is_applied_and_then_stale() {
    let project = planned();
    let shown =
        project.run("show p").ends(0).says("~ peer \"laptop\"").says("Plan: 0 to add, 1 to change");
    shown.tells("from serial 1 of the state");
    project.run("apply -auto-approve p").ends(0).says("Apply complete.");
    project.run("apply p").ends(7).tells("this plan was applied already");
    let ids = state(&project)["applied_plans"].as_array().unwrap().len();
    assert_eq!(ids, 1);
}

#[test]
fn a_plan_that_changes_nothing_applies_and_says_so() {
    let project = Project::new(SMALL);
    project.run("apply -auto-approve").ends(0);
    let before = state(&project);
    project.run("plan -out=p -detailed-exitcode").ends(0);
    project.run("apply p").ends(0).says("No changes.");
    project.run("apply p").ends(0).says("No changes.");
    assert_eq!(state(&project), before);
}

#[test]
fn a_device_that_somebody_changed_makes_a_plan_stale() {
    let project = planned();
    project.enter("hq").delete_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();
    let before = (project.host("hq"), state(&project));
    let ran = project.run("apply p").ends(7);
    let ran = ran.tells("Stale plan: what was planned is no longer what would be done");
    let ran = ran.tells(
        "interface.hq would be updated now, which was not planned (changed outside of wgform)",
    );
    ran.tells("addresses = [] -> [\"10.8.0.1/24\"]");
    assert_eq!((project.host("hq"), state(&project)), before, "nothing was done");
}

#[test]
fn a_touched_object_that_somebody_changed_is_named_by_attribute() {
    let project = Project::new(SMALL);
    project.run("apply -auto-approve").ends(0);
    project.edit("listen_port = 51820", "listen_port = 51821\n  mtu = 1400");
    project.run("plan -out=p").ends(0);
    project.enter("hq").add_address("wg0", "192.0.2.1/24".parse().unwrap()).unwrap();
    // It is nobody's, so nothing that was planned moved.
    let fork = project.fork();
    fork.run("apply p").ends(0);
    project.enter("hq").delete_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();
    project.run("apply p").ends(7).tells("interface.hq: `addresses` was [\"10.8.0.1/24\"");
}

#[test]
fn a_configuration_that_was_touched_makes_a_plan_stale() {
    let project = planned();
    project.edit("10.8.0.3/32", "10.8.0.4/32");
    let ran = project.run("apply p").ends(7).tells("the file `main.wg.hcl` has changed");
    ran.tells("the configuration is not the one that was planned");
    project.edit("10.8.0.4/32", "10.8.0.3/32");
    project.add("more.wg.hcl", "locals {}\n");
    project.run("apply p").ends(7).tells("the file `more.wg.hcl` is new");
    fs::remove_file(project.path().join("more.wg.hcl")).unwrap();
    project.run("apply p").ends(0);
}

#[test]
fn a_file_that_an_expression_reads_is_part_of_the_configuration() {
    let project = Project::new(&SMALL.replace("\"10.8.0.2/32\"", "trimspace(file(\"ip\"))"));
    project.add("ip", "10.8.0.2/32");
    project.run("apply -auto-approve").ends(0);
    project.add("ip", "10.8.0.3/32");
    project.run("plan -out=p").ends(0);
    project.add("ip", "10.8.0.3/32\n");
    project.run("apply p").ends(7).tells("the file `ip` has changed");
}

#[test]
fn a_state_that_moved_on_makes_a_plan_stale() {
    let project = planned();
    let other = project.fork();
    other.run("apply -auto-approve").ends(0);
    other
        .run("apply p")
        .ends(7)
        .tells("the state has changed since the plan was made: from serial 1 to ");
    let gone = project.fork();
    fs::remove_file(gone.path().join("wgform.state.json")).unwrap();
    gone.run("apply p")
        .ends(7)
        .tells("the state that the plan was made from, ")
        .tells(", is not here");
    let strange = Project::new(SMALL);
    strange.run("apply -auto-approve").ends(0);
    fs::copy(strange.path().join("wgform.state.json"), gone.path().join("wgform.state.json"))
        .unwrap();
    gone.run("apply p").ends(7).tells("the plan was made from another state");

    let first = Project::new(SMALL);
    first.run("plan -out=p").ends(0);
    first.run("apply -auto-approve").ends(0);
    first
        .run("apply p")
        .ends(7)
        .tells("the plan was made before there was a state, and now there is one");
}

#[test]
fn a_file_that_is_damaged_or_forged_is_refused() {
    let project = planned();
    let good = file(&project);
    let text = String::from_utf8(good.clone()).unwrap();
    let with = |bytes: &[u8]| {
        fs::write(project.path().join("p"), bytes).unwrap();
        project.run("apply p").ends(1)
    };
    with(b"").tells("the file is empty");
    with(b"\x00\xff\x10").tells("it is not a JSON object");
    with(&good[..good.len() / 2]).tells("the file breaks off after");
    with(text.replace("10.8.0.3/32", "10.8.0.9/32").as_bytes())
        .tells("its checksum is another one");
    with(text.replace("\"version\":1", "\"version\":2").as_bytes()).tells("another wgform");
    // Whoever counts anew has no key to sign with.
    let (content, _) = text.rsplit_once(",\"checksum\":\"").unwrap();
    let forged = content.replace("\"replace\":[]", "\"replace\":[\"interface.hq\"]");
    assert_ne!(forged, content);
    let sum: String = <sha2::Sha256 as sha2::Digest>::digest(forged.as_bytes())
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect();
    let seal = format!("{forged},\"checksum\":\"{sum}\",\"signature\":\"{}\"}}\n", "0".repeat(64));
    with(seal.as_bytes()).tells("the plan file was changed after it was made");
    with(&fs::read(project.path().join("wgform.state.json")).unwrap()).tells("is not a saved plan");
    for number in 0..40 {
        let cut = good.len() * number / 40;
        fs::write(project.path().join("p"), &good[..cut]).unwrap();
        let ran = project.run("show p").ends(1);
        assert!(!ran.stderr.contains("panicked"), "{ran}");
    }
    project
        .run("show gone.plan")
        .ends(1)
        .tells("`gone.plan` is neither an address nor a plan file");
    project.run("show peer.nobody").ends(1).tells("the state has no resource `peer.nobody`");
    fs::write(project.path().join("p"), &good).unwrap();
    project.run("apply p").ends(0);
}

#[test]
fn flags_that_say_what_to_plan_are_refused_with_a_file() {
    let project = planned();
    for flag in [
        "-target=peer.laptop",
        "-exclude=peer.laptop",
        "-replace=peer.laptop",
        "-destroy",
        "-refresh-only",
        "-refresh=false",
        "-allow-new-key=interface.hq",
        "-accept-loss=hq",
        "-accept-new-device=hq",
        "-skip-unreachable",
        "-max-destroy=1",
        "-allow-lockout=hq",
    ] {
        project.run(&format!("apply {flag} p")).ends(1).tells("cannot be used with a plan file");
    }
    project.run("apply p").ends(0);
}

#[test]
fn a_plan_is_not_saved_over_something_else_or_when_it_is_refused() {
    let project = planned();
    project.add("notes", "mine");
    project.run("plan -out=notes").ends(1).tells("there is a file that is no plan");
    project.run("plan -out=x.wg.hcl").ends(1).tells("would be a part of the configuration");
    let directory = project.path().display().to_string();
    let above = project.run(&format!("-chdir={directory} plan -out=r")).ends(0);
    above.says(&format!("  wgform -chdir={directory} apply r\n"));
    project.run("plan -out=gone/p").ends(1).tells("Make its directory first.");
    project.enter("hq").set_machine_id("another").unwrap();
    project.run("plan -out=q").ends(8).tells("No plan was saved.");
    assert!(!project.path().join("q").exists());
    project.run("apply p").ends(8);
}

const WITH_VARIABLES: &str = r#"
variable "port" {
  type    = number
  default = 51820
}
variable "note" {
  default = "plain"
}
variable "shared" {
  sensitive = true
}
variable "own" {
  sensitive = true
}
variable "password" {
  sensitive = true
}
backend "local" "hq" { simulate = true }
backend "routeros" "far" {
  simulate     = true
  api_url      = "http://127.0.0.1:1"
  api_user     = "wgform"
  api_password = var.password
}
interface "hq" {
  backend     = backend.hq
  name        = "wg0"
  listen_port = var.port
  private_key = var.own
}
interface "far" {
  backend = backend.far
  name    = "wg0"
}
peer "laptop" {
  interface     = interface.hq
  public_key    = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
  preshared_key = var.shared
  allowed_ips   = ["10.8.0.2/32"]
  name          = var.note
}
"#;

const PASSWORD: &str = "correct horse battery staple";

fn with_secrets(project: &Project, arguments: &str, missing: &str) -> Ran {
    let mut command = project.command(arguments);
    for (name, value) in [("shared", SHARED), ("own", KEY), ("password", PASSWORD)] {
        if name != missing {
            command.env(format!("WGFORM_VAR_{name}"), value);
        }
    }
    Ran::of(arguments, command.output().unwrap())
}

/// Fails when a secret is in a file in any form that is easily turned back.
fn assert_clean(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    for secret in [KEY, SHARED, PASSWORD] {
        let raw = BASE64.decode(secret).unwrap_or_else(|_| secret.as_bytes().to_vec());
        for raw in [raw, secret.as_bytes().to_vec()] {
            let hex: String = raw.iter().map(|it| format!("{it:02x}")).collect();
            let in_base64 = BASE64.encode(&raw).to_lowercase();
            for form in [secret.to_lowercase(), hex, in_base64.trim_end_matches('=').to_owned()] {
                assert!(!text.contains(&form), "{form} is in the file");
            }
        }
    }
}

#[test]
fn no_secret_is_in_a_plan_file_and_those_that_are_needed_are_asked_for_again() {
    let project = Project::new(WITH_VARIABLES);
    with_secrets(&project, "plan -out=p -var port=51900 -var 'note=${x} \"q\"'", "").ends(0);
    assert_clean(&file(&project));
    let plan: Json = serde_json::from_slice(&file(&project)).unwrap();
    assert_eq!(plan["plan"]["variables"]["port"], 51900);
    assert_eq!(plan["plan"]["sensitive_variables"].as_array().unwrap().len(), 3);

    let ran = with_secrets(&project, "apply p", "shared").ends(1);
    ran.tells("the sensitive variable `shared` has no value").tells("WGFORM_VAR_shared");
    with_secrets(&project, "apply -var port=1 p", "").ends(1).tells("`-var port=…` cannot be used");
    let other = format!("apply -var shared={KEY} p");
    with_secrets(&project, &other, "")
        .ends(7)
        .tells("peer.laptop: `preshared_key` would become another value");
    with_secrets(&project, "apply p", "").ends(0).says("Apply complete.");
    let state = state(&project);
    assert_eq!(state["resources"]["interface.hq"]["attributes"]["listen_port"], 51900);
    assert_eq!(state["resources"]["peer.laptop"]["attributes"]["name"], "${x} \"q\"");

    // A plan from a state has fingerprints under its key, and no secret either.
    with_secrets(&project, "plan -out=p -replace=peer.laptop -var port=51901", "").ends(0);
    assert_clean(&file(&project));
    let key = state["fingerprint_key"].as_str().unwrap();
    assert!(!String::from_utf8(file(&project)).unwrap().contains(key));
    with_secrets(&project, "apply p", "").ends(0);
}

#[test]
fn the_kinds_of_plan_are_applied_as_what_they_are() {
    let project = Project::new(SMALL);
    project.run("apply -auto-approve").ends(0);
    project.enter("hq").delete_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();

    let refreshed = project.fork();
    refreshed.run("plan -refresh-only -out=p").ends(0);
    let shown = refreshed.run("show p").ends(0).says("Refresh only: 1 resource to record");
    shown.tells("for `wgform apply -refresh-only`");
    let host = refreshed.host("hq");
    refreshed.run("apply p").ends(0).says("Recorded what changed about 1 resource.");
    assert_eq!(refreshed.host("hq"), host);
    refreshed.run("apply p").ends(7).tells("this plan was applied already");

    let healed = project.fork();
    healed.run("plan -out=p").ends(0).says("Drift undone: 1.");
    healed.run("apply -input=false p").ends(0);
    healed.run("drift").ends(0);

    let blind = project.fork();
    blind.edit("10.8.0.2/32", "10.8.0.3/32");
    blind.run("plan -refresh=false -out=p").ends(0).says("Plan: 0 to add, 1 to change");
    blind.run("apply p").ends(0);

    project.run("plan -destroy -out=p").ends(0);
    project.run("show p").ends(0).tells("for `wgform destroy`");
    project.run("apply p").ends(0).says("Destroy complete");
    project.run("state list").ends(0);
    assert!(state(&project)["resources"].as_object().unwrap().is_empty());
}

const TWO: &str = r#"
backend "local" "hq" { simulate = true }
backend "routeros" "far" {
  simulate     = false
  api_url      = "http://127.0.0.1:1"
  api_user     = "wgform"
  api_password = "x"
  api_timeout  = "1s"
}
interface "hq" {
  backend = backend.hq
  name    = "wg0"
}
interface "far" {
  backend = backend.far
  name    = "wg0"
}
"#;

#[test]
fn what_could_not_be_read_is_left_out_of_the_apply_as_well() {
    let project = Project::new(TWO);
    let ran = project.run("plan -out=p").ends(6);
    ran.says("Its apply leaves out `far` as well, also if it can be reached by then.");
    project.run("apply p").ends(6).says("Apply complete.");
    assert_eq!(project.run("state list").ends(0).stdout, "interface.hq\n");
}

#[test]
fn a_digest_says_which_plan_was_reviewed() {
    let (one, two) = (Project::new(SMALL), Project::new(SMALL));
    let reviewed = digest(&one.run("plan"));
    assert_eq!(digest(&two.run("plan")), reviewed, "the same plan elsewhere");
    // A comment changes nothing about it, and the saved one has it too.
    two.edit("backend \"local\"", "# a comment\nbackend \"local\"");
    two.run("plan -out=p").ends(0);
    assert_eq!(digest(&two.run("show p")), reviewed);
    two.run(&format!("plan -expect={reviewed}")).ends(0);
    two.edit("51820", "51821");
    let ran = two.run(&format!("plan -out=q -expect={reviewed}")).ends(7);
    ran.tells(&format!("Stale plan: this is not the plan with the digest {reviewed}"));
    assert!(!two.path().join("q").exists());
    two.run(&format!("apply -auto-approve -expect={reviewed}")).ends(7);
    assert!(!two.path().join("wgform.state.json").exists());
    two.run("apply -auto-approve -expect=1234").ends(1).tells("this is not the digest of a plan");
    two.edit("51821", "51820");
    two.run(&format!("apply -auto-approve -expect={reviewed}")).ends(0);
    one.run("plan -out=p").ends(0);
    one.run(&format!("apply -expect={} p", "0".repeat(32))).ends(7);
    one.run(&format!("apply -expect={reviewed} p")).ends(0);
}

#[test]
fn a_digest_of_a_first_plan_with_a_secret_is_the_same_elsewhere() {
    let of = |shared: &str| {
        let project = Project::new(WITH_VARIABLES);
        let mut command = project.command("plan");
        command.env("WGFORM_VAR_shared", shared).env("WGFORM_VAR_own", KEY);
        command.env("WGFORM_VAR_password", PASSWORD);
        digest(&Ran::of("plan", command.output().unwrap()))
    };
    assert_eq!(of(SHARED), of(SHARED));
    assert_ne!(of(SHARED), of(KEY), "another secret is another plan");
}

#[test]
fn a_configuration_may_ask_for_saved_plans() {
    let project = Project::new(&format!("wgform {{ require_plan_file = true }}\n{SMALL}"));
    let ran = project.run("apply -auto-approve").ends(8);
    ran.tells("as `require_plan_file` in the configuration says").tells("wgform plan -out=FILE");
    project.run("plan -out=p").ends(0);
    project.run("apply p").ends(0);
    project.run("destroy -auto-approve").ends(8).tells("wgform plan -destroy -out=FILE");
    project.run("apply -refresh-only").ends(8).tells("wgform plan -refresh-only -out=FILE");
    project.run("plan -destroy -out=p").ends(0);
    project.run("apply p").ends(0);
}

#[test]
fn a_plan_for_three_kinds_of_device_is_saved_and_applied() {
    let project = Project::of_example("three-backends");
    project.run("plan -out=p").ends(0);
    project.run("apply p").ends(0).says("Apply complete.");
    let router = devices::router(&project, "branch");
    let interface = devices::ask_router(&router, "GET", "interface/wireguard", "");
    let path = format!("interface/wireguard/{}", interface[0][".id"].as_str().unwrap());
    drop(router);
    project.run("plan -detailed-exitcode -out=p").ends(0);
    let router = devices::router(&project, "branch");
    devices::ask_router(&router, "PATCH", &path, r#"{"comment":"by hand"}"#);
    drop(router);
    project.run("apply p").ends(7).tells("which was not planned (changed outside of wgform)");
}

/// A router that is reached as a user who is not in any plan file.
fn as_somebody(server: &Server) -> Project {
    Project::new(&format!(
        r#"
        variable "user" {{ sensitive = true }}
        backend "routeros" "far" {{
          api_url      = "http://{}"
          api_user     = var.user
          api_password = "hunter2hunter2"
        }}
        interface "far" {{
          backend     = backend.far
          name        = "wg0"
          listen_port = 13231
        }}
        peer "laptop" {{
          interface     = interface.far
          public_key    = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
          preshared_key = "{SHARED}"
          allowed_ips   = ["10.8.0.2/32"]
        }}
        "#,
        server.address()
    ))
}

/// A router with a user who may write and see everything, and one who may only read, and sees no secret.
fn router_for_two() -> (SimulatedRouter, Server) {
    let router = SimulatedRouter::in_memory(Profile::newest(), 7, jiff::Timestamp::UNIX_EPOCH);
    let reads: Vec<_> =
        ALL_POLICIES.into_iter().filter(|it| !["write", "sensitive"].contains(it)).collect();
    router.set_user("reader", &Secret::new("hunter2hunter2"), &reads);
    router.set_user("writer", &Secret::new("hunter2hunter2"), &ALL_POLICIES);
    let world =
        World::new(std::collections::BTreeMap::new(), "/nowhere".into(), harness::now, |it| {
            it.fill(7);
        });
    let server = Server::start(router.clone(), &world, Options::default()).unwrap();
    (router, server)
}

/// Runs the program as one of them.
fn run_as(project: &Project, user: &str, arguments: &str) -> Ran {
    let mut command = project.command(arguments);
    command.env("WGFORM_VAR_user", user);
    Ran::of(arguments, command.output().unwrap())
}

#[test]
fn a_plan_made_without_the_right_to_see_secrets_is_good_for_who_may_write() {
    let (router, server) = router_for_two();
    let project = as_somebody(&server);
    let run = |user: &str, arguments: &str| run_as(&project, user, arguments);
    run("reader", "plan -out=p").ends(0);
    run("writer", "apply p").ends(0);
    project.edit("10.8.0.2/32", "10.8.0.3/32");
    let reviewed = digest(&run("reader", "plan -out=p").ends(0));
    assert_eq!(digest(&run("writer", "plan").ends(0)), reviewed);
    run("writer", "apply p").ends(0).says("1 changed");
    // Somebody changes the key, which only the writer can see.
    let peers = devices::ask_router(&router, "GET", "interface/wireguard/peers", "");
    let path = format!("interface/wireguard/peers/{}", peers[0][".id"].as_str().unwrap());
    let body = format!("{{\"preshared-key\":\"{KEY}\"}}");
    devices::ask_router(&router, "PATCH", &path, &body);
    for changes in [true, false] {
        if changes {
            project.edit("10.8.0.3/32", "10.8.0.4/32");
        } else {
            devices::ask_router(&router, "PATCH", &path, &body);
        }
        let reviewed = run("reader", "plan -out=p").ends(0);
        assert_eq!(reviewed.stdout.contains("No changes."), !changes);
        if changes {
            assert_eq!(digest(&run("writer", "plan").ends(0)), digest(&reviewed));
        }
        let applied = run("writer", "apply p").ends(0);
        applied.tells("is put back with the rest: peer.laptop");
    }
    run("writer", "plan -detailed-exitcode").ends(0);
}

#[test]
fn a_secret_that_who_planned_could_not_see_is_made_anew_as_planned() {
    let (_router, server) = router_for_two();
    let project = as_somebody(&server);
    let run = |user: &str, arguments: &str| run_as(&project, user, arguments);
    let text = fs::read_to_string(project.path().join("main.wg.hcl")).unwrap();
    let text = text.replace(&format!("\"{SHARED}\""), "preshared_key.k");
    let text = format!(
        "{text}\npreshared_key \"k\" {{}}\ninterface \"near\" {{\n  backend = backend.far\n  name = \"wg1\"\n}}\n"
    );
    let end = |name: &str, interface: &str, key: &str| {
        format!(
            "peer \"{name}\" {{\n  interface = interface.{interface}\n  public_key = {key}\n  \
             preshared_key = preshared_key.k\n  allowed_ips = [\"10.8.0.9/32\"]\n  endpoint = \"192.0.2.7:13231\"\n}}\n"
        )
    };
    let one_end = text
        .replace("\"TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=\"", "interface.near.public_key");
    project.configure(&one_end);
    run("writer", "apply -auto-approve").ends(0);
    let other_end = end("back", "near", "interface.far.public_key");
    project.configure(&format!("{one_end}{other_end}"));
    run("reader", "plan -out=p").ends(0);
    run("writer", "apply p").ends(0).says("1 added");
    run("writer", "plan -detailed-exitcode").ends(0);
    // Whose far end is not managed would be cut off.
    project.configure(&text);
    run("writer", "apply -auto-approve").ends(0);
    project.configure(&format!("{text}{}", end("phone", "near", &format!("\"{KEY}\""))));
    run("reader", "plan -out=p").tells("is hidden from this user on every device that held it");
}

#[test]
fn two_thousand_peers_are_saved_and_applied() {
    let project = Project::new(
        r#"
        backend "local" "hq" { simulate = true }
        interface "hq" { name = "wg0" }
        peer "p" {
          count       = 2000
          interface   = interface.hq
          public_key  = base64encode(substr(sha256("${count.index}"), 0, 32))
          allowed_ips = ["10.0.${floor(count.index / 256)}.${count.index % 256}/32"]
        }
        "#,
    );
    project.run("plan -out=p").ends(0).says("Plan: 2001 to add");
    assert!(file(&project).len() < 2_000_000, "{} bytes", file(&project).len());
    project.run("apply p").ends(0).says("Resources: 2001 added");
}

#[test]
fn guards_hold_for_a_saved_plan_too() {
    let guarded = |drift: &str| {
        format!(
            "wgform {{\n  guard {{ on_drift = \"{drift}\" }}\n}}\n\
             backend \"local\" \"hq\" {{ simulate = true }}\n\
             interface \"hub\" {{\n  backend = backend.hq\n  persist = \"none\"\n}}\n\
             peer \"a\" {{\n  interface = interface.hub\n  public_key = \"YWxpY2UgaGFzIGEgcHVibGljIGtleSBvZiBoZXIgb3c=\"\n  allowed_ips = [\"10.0.0.1/32\"]\n}}\n"
        )
    };
    let project = Project::new(&guarded("refuse"));
    project.run("plan -out=p").ends(0);
    project
        .run("apply -auto-approve=update p")
        .ends(8)
        .tells("`-auto-approve=update` does not approve");
    project.run("apply -auto-approve=create p").ends(0);
    let host = project.enter("hq");
    host.delete_link("hub").unwrap();
    drop(host);
    let ran = project.run("plan -out=p").ends(0);
    ran.tells("`on_drift` at main.wg.hcl:2 refuses").says("  wgform apply -heal p\n");
    project.run("apply p").ends(8).tells("`on_drift` at main.wg.hcl:2 refuses that");
    project.run("apply -heal p").ends(0);
    project.run("drift").ends(0);
}

#[test]
fn a_plan_is_for_the_workspace_that_it_was_made_in() {
    let project = Project::new(SMALL);
    project.run("-workspace=lab plan -out=p").ends(0);
    let refused = project.run("apply p").ends(7);
    refused.tells("the plan was made in the workspace `lab`, and this run is in `default`");
    project.run("-workspace=lab apply p").ends(0).says("2 added");
    project.run("-workspace=lab plan -detailed-exitcode").ends(0);
    project.run("plan -out=p").ends(0);
    project.run("-workspace=prod apply p").ends(7).tells("add `-workspace=default`");
    assert!(!project.path().join("wgform.state.env-prod.json").exists());
}

#[test]
fn a_plan_does_not_say_where_its_state_is() {
    let text = format!(
        "wgform {{\n  state \"local\" {{ path = var.at }}\n}}\nvariable \"at\" {{}}\n{SMALL}"
    );
    let project = Project::new(&text);
    project.run("plan -out=p -var=at=one.json").ends(0);
    let refused = project.run("apply p").ends(1);
    refused.tells("where the state is depends on a value that only the plan file has");
    fs::write(project.path().join("here.auto.wgvars.hcl"), "at = \"two.json\"\n").unwrap();
    project.run("apply p").ends(1).tells("only the plan file has");
    fs::write(project.path().join("here.auto.wgvars.hcl"), "at = \"one.json\"\n").unwrap();
    project.run("apply p").ends(0).says("2 added");
    assert!(project.path().join("one.json").exists());
}
