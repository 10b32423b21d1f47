//! The built program on simulated routers that do what routers do.

#![expect(
    clippy::disallowed_methods,
    reason = "the files of a simulated router are written and read"
)]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::collections::BTreeSet;
use std::fs;
use std::thread;

use serde_json::{Value as Json, json};
use wgform::simulator::routeros::SimulatedRouter;
use wgform::simulator::routeros::profile::POINTS;
use wgform::value::PrivateKey;

use crate::harness::Project;
use crate::harness::devices::{self, ask_router as ask};

const PEERS: u8 = 50;

/// Afterwards no peer is there twice, none is lost, the state is true, and the next apply converges.
#[test]
fn whatever_goes_wrong_the_next_apply_converges() {
    let faults = [
        json!("lose-answer"),
        json!("reset"),
        json!("close"),
        json!("applied-but-refused"),
        json!({ "html": 403 }),
        json!({ "answer": [400, r#"{"error":400,"message":"Bad Request","detail":"Session closed"}"#] }),
        json!("raw-bytes"),
        json!("truncate"),
        json!("wrong-body"),
    ];
    thread::scope(|scope| {
        for fault in &faults {
            scope.spawn(move || goes_wrong_once("PUT", fault));
        }
    });
    // While the router is read, before anything was asked of it.
    goes_wrong_once("GET", &json!("reset"));
}

#[test]
fn an_interface_whose_key_only_the_router_has_is_not_made_anew() {
    let project = Project::new(&configuration());
    project.run("apply -auto-approve").ends(0);
    let refused = project.run("apply -auto-approve -replace=interface.hub").ends(8);
    refused.tells("`interface.hub` has a key that is nowhere but on its device, and could lose it");
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
}

#[test]
fn what_is_asked_and_answered_is_shown_without_secrets() {
    let key = PrivateKey::from_bytes([77; 32]).expose_text().to_string();
    let written = format!(
        "simulate = true\n  debug = true\n}}\n\ninterface \"own\" {{\n  private_key = \"{key}\""
    );
    let project = Project::new(&configuration().replacen("simulate = true", &written, 1));
    let applied = project.run("apply -auto-approve").ends(0);
    let applied = applied.tells("branch: > GET /system/resource").tells("branch: < 201 {");
    assert!(!format!("{applied}").contains(&key));
    project.edit("debug = true", "debug = false");
    let planned = project.run("plan").ends(0);
    assert!(!planned.stderr.contains("branch: >"), "{planned}");

    // Words that a router repeats, and what a terminal would obey.
    let project = Project::new(&hub().replacen("simulate = true", &written, 1));
    let words =
        format!("{{\"detail\":\"no {key}\u{202e}\",\"error\":400,\"message\":\"Bad Request\"}}");
    let rule = json!([{ "method": "PUT", "times": 1, "fault": { "answer": [400, words] } }]);
    fs::create_dir_all(project.path().join(".wgform/simulated")).unwrap();
    fs::write(project.path().join(".wgform/simulated/branch.faults.json"), rule.to_string())
        .unwrap();
    let failed = project.run("apply -auto-approve").to_string();
    assert!(failed.contains("branch: < 400") && failed.contains("no …"), "{failed}");
    assert!(!failed.contains(&key) && !failed.contains('\u{202e}'), "{failed}");
}

#[test]
fn a_router_that_is_served_is_asked_with_the_password_that_a_program_says() {
    let served = Project::new("");
    for (flags, trust) in [("", ""), ("-tls ", "api_verify_tls = false\n  api_timeout = \"30s\"")] {
        let password = [("WGFORM_SIMULATED_PASSWORD", "hunter2hunter2")];
        let mut router =
            served.start_in(&password, &format!("simulate routeros {flags}-version=7.16 branch"));
        router.wait_for(". Ctrl-C ends it.");
        let url =
            router.said().split(" at ").nth(1).unwrap().split(". ").next().unwrap().to_owned();
        let backend = format!(
            "api_url = \"{url}\"\n  api_user = \"admin\"\n  {trust}\n  \
             api_password_command = [\"sh\", \"-c\", \"cat password; echo asked >> asked\"]"
        );
        let simulated =
            "api_url  = \"https://192.168.88.1\"\n  api_user = \"wgform\"\n  simulate = true";
        let project = Project::new(&configuration().replacen(simulated, &backend, 1));
        let refused = project.run("apply -auto-approve").ends(6);
        let said: Vec<&str> = refused.stderr.split_whitespace().collect();
        assert!(said.join(" ").contains("could not get the password of `admin`"), "{refused}");
        assert!(said.join(" ").contains("asked` printed no password"), "{refused}");
        fs::write(project.path().join("password"), "hunter2hunter2\nmore\n").unwrap();
        let applied = project.run("apply -auto-approve").ends(0);
        assert!(!format!("{applied}").contains("hunter2"), "{applied}");
        assert_eq!(fs::read_to_string(project.path().join("asked")).unwrap(), "asked\n".repeat(2));
        for risk in [
            "router that does not have to prove what it is",
            "time limit no longer than the router's own",
        ] {
            assert_eq!(format!("{applied}").contains(risk), !flags.is_empty(), "{applied}");
        }
        // Who is gone from the configuration is asked like that, too.
        project.configure("locals {}\n");
        project.run("apply -auto-approve").ends(0);
        router.signal(rustix::process::Signal::INT);
        let said = router.end().ends(0);
        said.says("backend \"routeros\" \"branch\" {").says(&format!("{url}/rest/system/resource"));
    }
}

/// For a moment after its start a router may have nothing in its menus.
#[test]
fn a_destroy_forgets_nothing_on_a_router_that_has_just_started() {
    let served = Project::new("");
    let password = [("WGFORM_SIMULATED_PASSWORD", "hunter2hunter2")];
    let mut router = served.start_in(&password, "simulate routeros branch");
    router.wait_for(". Ctrl-C ends it.");
    let url = router.said().split(" at ").nth(1).unwrap().split(". ").next().unwrap().to_owned();
    let backend =
        format!("api_url = \"{url}\"\n  api_user = \"admin\"\n  api_password = \"hunter2hunter2\"");
    let simulated =
        "api_url  = \"https://192.168.88.1\"\n  api_user = \"wgform\"\n  simulate = true";
    let text = (hub() + &peer(1)).replacen(simulated, &backend, 1);
    let project = Project::new(&text);
    project.run("apply -auto-approve").ends(0);
    let rules = served.path().join(".wgform/simulated/branch.faults.json");
    let empty = json!([{ "method": "GET", "path": "/rest/interface/wireguard", "fault": { "answer": [200, "[]"] } }]);
    fs::write(&rules, empty.to_string()).unwrap();
    project.run("destroy -auto-approve").ends(8).tells("it has just started");
    // Nor what has no block any more.
    project.configure(&text[..text.find("interface").unwrap()]);
    project.run("apply -auto-approve").ends(8).tells("it has just started");
    assert_eq!(project.run("state list").ends(0).stdout, "interface.hub\npeer.p1\n");
    fs::remove_file(&rules).unwrap();
    project.run("destroy -auto-approve").ends(0).says("2 destroyed");
    router.signal(rustix::process::Signal::INT);
    router.end().ends(0);
}

#[test]
fn whoever_serves_a_router_is_told_what_makes_no_sense() {
    let project = Project::new("");
    let refused = |flags: &str| project.run(&format!("simulate routeros {flags}")).ends(1).stderr;
    assert!(refused("-listen=0.0.0.0:80").contains("127.0.0.1:8080"));
    assert!(refused("-version=7.13").contains("7.12"));
    assert!(refused("a/b").contains("letters, digits"));
    let mut router = project.start("simulate routeros");
    router.wait_for(". Ctrl-C ends it.");
    assert!(refused("").contains("another run uses the simulated system `router`"));
}

/// What the plan did not see is somebody else's, and no later run changes or removes it.
#[test]
fn an_interface_that_somebody_else_makes_before_yes_never_becomes_ours() {
    for (request, said) in [
        (("GET", "/rest/system/resource", 1), "an interface of that name is there already"),
        (("PUT", "/rest/interface/wireguard", 0), "already have interface with such name"),
    ] {
        let project = Project::new(&hub());
        let properties = json!({ "name": "wg0", "mtu": "1300" });
        let applied = meanwhile(&project, request, "interface/wireguard", &properties);
        assert!(applied.contains(said), "{applied}");
        assert_eq!(project.run("state list").ends(0).stdout, "", "{applied}");
        project.run("plan").ends(1).tells("existing interface that wgform does not manage");
        let theirs = interfaces(&project);
        assert_eq!(theirs.len(), 1, "{theirs:?}");
        project.edit("\"wg0\"", "\"wg2\"");
        project.run("apply -auto-approve").ends(0);
        project.run("destroy -auto-approve").ends(0);
        project.run("plan").ends(0);
        assert_eq!(interfaces(&project), theirs);
    }
}

#[test]
fn a_peer_that_somebody_else_makes_before_yes_never_becomes_ours() {
    for (request, said) in [
        (("GET", "/rest/system/resource", 1), "a peer with that key is there already"),
        (("PUT", "/rest/interface/wireguard/peers", 0), "entry already exists"),
    ] {
        let project = Project::new(&hub());
        project.run("apply -auto-approve").ends(0);
        project.configure(&(hub() + &peer(1)));
        let key = PrivateKey::from_bytes([1; 32]).public().to_string();
        // As ours would be.
        let properties = json!({
            "interface": "wg0", "public-key": key, "allowed-address": "10.8.0.2/32", "comment": "p1",
        });
        let applied = meanwhile(&project, request, "interface/wireguard/peers", &properties);
        assert!(applied.contains(said), "{applied}");
        assert_eq!(project.run("state list").ends(0).stdout, "interface.hub\n", "{applied}");
        project.run("plan").ends(1).tells("existing peer that wgform does not manage");
        project.configure(&hub());
        project.run("apply -auto-approve").ends(0);
        project.run("plan").ends(0);
        assert_eq!(keys(&project), [key]);
    }
}

/// At the other setting of each point: for lack of time of those that a plan may run into only, unless `CI=true`.
#[test]
fn the_program_goes_its_way_wherever_nobody_has_proven_what_routers_do() {
    const TOUCHING: [&str; 6] = [
        "key-is-unique",
        "disabled-twin",
        "peer-name-is-unique",
        "refuses-overlap",
        "network-stays",
        "length-tells-addresses",
    ];
    let is_thorough = std::env::var("CI").is_ok_and(|it| it == "true");
    let points = POINTS.iter().map(|(point, _)| *point);
    let points: Vec<_> = points.filter(|it| is_thorough || TOUCHING.contains(it)).collect();
    for some in points.chunks(4) {
        thread::scope(|scope| {
            for point in some {
                scope.spawn(move || goes_its_way(point));
            }
        });
    }
}

fn goes_its_way(point: &str) {
    let project = Project::new(&(hub() + &peer(1) + &peer(2)));
    assert!(enter(&project).flip(point).unwrap());
    let addresses = rows(&project, "ip/address");
    let lands = || {
        let applied = project.run("apply -auto-approve");
        assert_eq!(applied.code, Some(0), "{point}: {applied}");
        let planned = project.run("plan -detailed-exitcode");
        assert_eq!(planned.code, Some(0), "{point}: {planned}");
    };
    lands();
    let ids = || rows(&project, "peers").iter().map(|it| it["name"].clone()).collect::<Vec<_>>();
    let before = ids();
    let key = |number: u8| PrivateKey::from_bytes([number; 32]).public().to_string();
    project.edit(&key(1), &key(101));
    project.edit("10.8.0.1/24", "10.8.0.1/25");
    let planned = project.run("plan").ends(0);
    planned.says("Plan: 0 to add, 2 to change, 0 to destroy").says_no("replace ");
    lands();
    let (mut there, mut wanted) = (keys(&project), [key(101), key(2)]);
    there.sort();
    wanted.sort();
    assert_eq!((there.as_slice(), ids()), (wanted.as_slice(), before), "{point}");
    let destroyed = project.run("destroy -auto-approve");
    assert_eq!(destroyed.code, Some(0), "{point}: {destroyed}");
    drop(enter(&project));
    let left = [interfaces(&project), rows(&project, "peers")];
    assert!(left.iter().all(Vec::is_empty), "{point}: {left:?}");
    assert_eq!(rows(&project, "ip/address"), addresses, "{point}");
}

#[test]
fn an_interface_that_was_removed_by_hand_comes_back_with_its_routes() {
    let key = PrivateKey::from_bytes([77; 32]).expose_text().to_string();
    let routed = format!("private_key = \"{key}\"\n  routes = \"auto\"\n  addresses = ");
    let far = peer(1).replace("10.8.0.2/32", "10.20.0.0/16");
    let project = Project::new(&(hub().replace("addresses = ", &routed) + &far));
    project.run("apply -auto-approve").ends(0);
    let route = || rows(&project, "ip/route").len();
    let before = route();
    let router = enter(&project);
    let interface = interface_id(&router);
    ask(&router, "DELETE", &format!("interface/wireguard/{interface}"), "");
    drop(router);
    let planned = project.run("plan -detailed-exitcode").ends(2);
    planned.tells("objects of an interface that is gone");
    project.run("apply -auto-approve").ends(0);
    project.run("plan -detailed-exitcode").ends(0);
    assert_eq!(route(), before);
}

#[test]
fn a_comment_that_cannot_be_read_exactly_is_imported_and_left_alone() {
    let project = Project::new(&(hub() + &peer(1)));
    project.run("apply -auto-approve").ends(0);
    for resource in ["peer.p1", "interface.hub"] {
        project.run(&format!("state rm {resource}")).ends(0);
    }
    let comment: &[u8] = b"B\xfcro";
    enter(&project).plant("peers", 1, &[("comment", comment)]).unwrap();
    let key = PrivateKey::from_bytes([1; 32]).public();
    project.run("import interface.hub wg0").ends(0);
    project.run(&format!("import peer.p1 wg0/{key}")).ends(0);
    let planned = project.run("plan -detailed-exitcode");
    assert_eq!(planned.code, Some(0), "{planned}");
}

#[test]
fn a_router_that_does_not_say_which_one_it_is_is_known_by_its_keys() {
    let project = Project::new(&hub());
    project.run("apply -auto-approve").ends(0);
    let rules = project.path().join(".wgform/simulated/branch.faults.json");
    let refused = r#"{"error":500,"message":"Internal Server Error","detail":"std failure: not allowed (9)"}"#;
    let rule =
        json!([{ "path": "/rest/system/routerboard", "fault": { "answer": [500, refused] } }]);
    fs::write(&rules, rule.to_string()).unwrap();
    project.run("plan -detailed-exitcode").ends(0);
    let router = enter(&project);
    ask(&router, "DELETE", &format!("interface/wireguard/{}", interface_id(&router)), "");
    drop(router);
    let refused = project.run("plan").ends(8);
    refused.tells("does not say which system it is").tells("-accept-new-device=branch");
    fs::remove_file(&rules).unwrap();
    // By its number it is known, and what is gone from it is gone.
    project.run("plan").ends(8).tells("it would get a NEW KEY");
}

#[test]
fn a_peer_without_a_key_keeps_its_interface() {
    let project = Project::new(&hub());
    assert!(enter(&project).flip("peer-without-key").unwrap());
    project.run("apply -auto-approve").ends(0);
    let keyless = r#"{"interface":"wg0","allowed-address":"10.9.0.0/16"}"#;
    ask(&enter(&project), "PUT", "interface/wireguard/peers", keyless);
    let refused = project.run("destroy -auto-approve").ends(8);
    refused.tells("with 1 peer that wgform does not manage");
}

/// Comes to the router past wgform.
fn enter(project: &Project) -> SimulatedRouter {
    devices::router(project, "branch")
}

/// Returns the id of the one WireGuard interface.
fn interface_id(router: &SimulatedRouter) -> String {
    let all = ask(router, "GET", "interface/wireguard", "");
    all[0][".id"].as_str().unwrap().to_owned()
}

/// Applies, while somebody else makes an object at a request: the method, its path, and how many of them before it.
/// Returns what was said of it.
fn meanwhile(
    project: &Project,
    (method, path, skip): (&str, &str, u32),
    menu: &str,
    properties: &Json,
) -> String {
    let folder = project.path().join(".wgform/simulated");
    fs::create_dir_all(&folder).unwrap();
    let rules = folder.join("branch.faults.json");
    let fault = json!({ "meanwhile": { "menu": menu, "properties": properties } });
    let rule =
        json!([{ "method": method, "path": path, "skip": skip, "times": 1, "fault": fault }]);
    fs::write(&rules, rule.to_string()).unwrap();
    let applied = project.run("apply -auto-approve");
    fs::remove_file(&rules).unwrap();
    assert_ne!(applied.code, Some(0), "{applied}");
    applied.to_string()
}

fn goes_wrong_once(method: &str, fault: &Json) {
    let project = Project::new(&configuration());
    let folder = project.path().join(".wgform/simulated");
    fs::create_dir_all(&folder).unwrap();
    let rules = folder.join("branch.faults.json");
    let peers = "/rest/interface/wireguard/peers";
    let skip = if method == "PUT" { 20 } else { 0 };
    let rule =
        json!([{ "method": method, "path": peers, "skip": skip, "times": 1, "fault": fault }]);
    fs::write(&rules, rule.to_string()).unwrap();

    let applied = project.run("apply -auto-approve");
    // 4: done in part.
    assert!(matches!(applied.code, Some(0 | 4)), "{fault}: {applied}");
    fs::remove_file(&rules).unwrap();
    let list = project.run("state list").ends(0).stdout;
    let recorded = list.lines().filter(|line| line.starts_with("peer.")).count();
    // What was made and what is on record are the same.
    project.run("plan -detailed-exitcode").ends(if applied.code == Some(0) { 0 } else { 2 });
    let there = keys(&project);
    assert_eq!(there.len(), recorded, "{fault}: {applied}");
    assert!(recorded >= usize::from(PEERS) - 1, "{fault}: {applied}");

    project.run("apply -auto-approve").ends(0);
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    let there = keys(&project);
    assert_eq!(there.len(), usize::from(PEERS), "{fault}");
    assert_eq!(there.iter().collect::<BTreeSet<_>>().len(), there.len(), "{fault}");
}

fn configuration() -> String {
    (1..=PEERS).fold(hub(), |text, number| text + &peer(number))
}

fn hub() -> String {
    r#"
backend "routeros" "branch" {
  api_url  = "https://192.168.88.1"
  api_user = "wgform"
  simulate = true
}

interface "hub" {
  name      = "wg0"
  addresses = ["10.8.0.1/24"]
}
"#
    .to_owned()
}

fn peer(number: u8) -> String {
    let key = PrivateKey::from_bytes([number; 32]).public();
    format!(
        "\npeer \"p{number}\" {{\n  interface   = interface.hub\n  public_key  = \"{key}\"\n  \
         allowed_ips = [\"10.8.0.{}/32\"]\n  description = \"p{number}\"\n}}\n",
        number + 1
    )
}

/// Returns the keys of the peers on the router.
fn keys(project: &Project) -> Vec<String> {
    let peers = rows(project, "peers").into_iter();
    peers.map(|it| it["public-key"].as_str().unwrap().to_owned()).collect()
}

/// Returns the WireGuard interfaces of the router.
fn interfaces(project: &Project) -> Vec<Json> {
    let mut all = rows(project, "interface");
    all.retain(|it| it["type"] == "wg");
    all
}

/// Returns the objects of the router of one kind. A run writes its file in order when it begins.
fn rows(project: &Project, table: &str) -> Vec<Json> {
    let text = fs::read_to_string(project.path().join(".wgform/simulated/branch.json")).unwrap();
    let objects = text.lines().skip(1).map(|line| serde_json::from_str::<Json>(line).unwrap());
    objects.filter(|it| it["table"] == table).map(|it| it["row"].clone()).collect()
}
