//! `wgform adopt`, as the built program does it: what was changed on simulated devices goes into the text.

#![expect(clippy::disallowed_methods, reason = "these tests look at files and run git")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::env;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value as Json, json};
use wgform::simulator::linux::call::{DeviceChange, PeerChange};
use wgform::value::PrivateKey;

use crate::harness::Project;
use crate::harness::devices::{ask_firewall, ask_router, firewall, router};

const ROUTER: &str = "backend \"routeros\" \"r\" {\n  api_url  = \"https://192.168.88.1\"\n  api_user = \"wgform\"\n  simulate = true\n}\n";

fn key(number: u8) -> String {
    PrivateKey::from_bytes([number; 32]).public().to_string()
}

fn text(project: &Project) -> String {
    fs::read_to_string(project.path().join("main.wg.hcl")).unwrap()
}

/// Makes a project with an interface `wg0` on a router, and applies it.
fn applied(rest: &str) -> Project {
    let project = Project::new(&format!("{ROUTER}\n{rest}"));
    project.run("apply -auto-approve").ends(0);
    project
}

const HUB: &str = "interface \"hub\" {\n  name        = \"wg0\"\n  listen_port = 51820 # as everywhere\n  addresses   = [\"10.8.0.1/24\"]\n  mtu         = 1400\n}\n";

/// Changes the peer with a key on the router, by hand.
fn change_peer(project: &Project, number: u8, body: &Json) {
    let router = router(project, "r");
    let peers = ask_router(&router, "GET", "interface/wireguard/peers", "");
    let is_it = |it: &&Json| it["public-key"] == key(number).as_str();
    let id = peers.as_array().unwrap().iter().find(is_it).unwrap()[".id"].as_str().unwrap();
    let path = format!("interface/wireguard/peers/{id}");
    ask_router(&router, "PATCH", &path, &body.to_string());
}

fn change_interface(project: &Project, body: &Json) {
    let router = router(project, "r");
    let all = ask_router(&router, "GET", "interface/wireguard", "");
    let path = format!("interface/wireguard/{}", all[0][".id"].as_str().unwrap());
    ask_router(&router, "PATCH", &path, &body.to_string());
}

/// Demands that nothing is drift any longer, and that a next apply only records.
#[track_caller]
fn assert_settled(project: &Project) {
    project.run("drift").ends(0).says("No drift.");
    project.run("plan -detailed-exitcode").ends(0);
    project.run("apply -auto-approve").ends(0);
    project.run("drift -from-state").ends(0).says("No drift.");
}

#[test]
fn values_are_written_where_they_stand_and_as_they_stand() {
    let peer = format!(
        "peer \"a\" {{\n  interface  = interface.hub\n  public_key = \"{}\"\n\n  # by the provider\n  endpoint             = \"a.example.com:51820\" # since May\n  persistent_keepalive = 25\n  description          = \"plain\"\n  enabled              = true\n  allowed_ips = [\n    \"10.8.0.2/32\", # itself\n    \"10.20.0.7/16\",\n    \"10.30.0.0/16\" // its lab\n  ]\n}}\n",
        key(1)
    );
    let project = applied(&format!("{HUB}\n{peer}"));
    let before = text(&project);
    change_interface(&project, &json!({ "listen-port": "13231", "mtu": "1380" }));
    change_peer(
        &project,
        1,
        &json!({
            "endpoint-address": "b.example.com", "endpoint-port": "4500", "persistent-keepalive": "30s",
            "comment": "a \"${new}\" place", "disabled": "yes",
            "allowed-address": "10.8.0.2/32,10.20.0.0/16,10.40.0.0/16,10.50.0.0/16",
        }),
    );
    let declined = project.run_with("adopt interface.hub peer.a", "no\n").ends(1);
    declined.says("-  listen_port = 51820 # as everywhere").says("+  listen_port = 13231");
    assert_eq!(text(&project), before);
    project.run("adopt interface.hub -input=false").ends(1);
    let state = fs::read(project.path().join("wgform.state.json")).unwrap();
    let ran = project.run("adopt interface.hub peer.a -auto-approve").ends(0);
    ran.tells("Adopted 7 values of 2 resources.").tells("goes its comment: // its lab");
    assert_eq!(fs::read(project.path().join("wgform.state.json")).unwrap(), state);
    let expected = before
        .replace("51820 # as everywhere", "13231 # as everywhere")
        .replace("= 1400", "= 1380")
        .replace("\"a.example.com:51820\"", "\"b.example.com:4500\"")
        .replace("= 25\n", "= 30\n")
        .replace("\"plain\"", "\"a \\\"$${new}\\\" place\"")
        .replace("= true\n  allowed", "= false\n  allowed")
        .replace(
            "    \"10.30.0.0/16\" // its lab\n",
            "    \"10.40.0.0/16\",\n    \"10.50.0.0/16\"\n",
        );
    assert_eq!(text(&project), expected);
    assert_settled(&project);
    project.run("adopt interface.hub peer.a").ends(0).tells("Nothing to adopt");
}

#[test]
fn lines_come_and_go_with_what_a_device_has_and_has_not() {
    let peer = format!(
        "peer \"a\" {{\n  interface   = interface.hub\n  public_key  = \"{}\"\n  allowed_ips = [\"10.8.0.2/32\", \"10.20.0.0/16\"]\n  endpoint    = \"a.example.com:51820\" # for now\n\n  lifecycle {{\n    prevent_destroy = false\n  }}\n}}\n",
        key(1)
    );
    let project = applied(&format!("{HUB}\n{peer}"));
    project.run("fmt -check").ends(0);
    change_peer(
        &project,
        1,
        &json!({
            "endpoint-address": "", "endpoint-port": "0", "persistent-keepalive": "40s",
            "allowed-address": "10.8.0.2/32",
        }),
    );
    let ran = project.run("adopt peer.a -auto-approve").ends(0);
    ran.tells("goes its comment: # for now");
    let now = text(&project);
    assert!(now.contains("  allowed_ips          = [\"10.8.0.2/32\"]\n  persistent_keepalive = \"40s\"\n\n  lifecycle {"), "{now}");
    assert!(!now.contains("endpoint"), "{now}");
    project.run("fmt -check").ends(0);
    assert_settled(&project);
}

#[test]
fn an_entry_of_a_map_is_changed_and_what_others_share_is_not() {
    let rest = format!(
        "locals {{\n  people = {{\n    alice = {{ key = \"{}\", nets = [\"10.8.1.1/32\"], host = \"a.example.com:1\" }}\n    bob = {{\n      key  = \"{}\"\n      nets = [\"10.8.1.2/32\"]\n    }}\n  }}\n}}\n\npeer \"rw\" {{\n  for_each             = local.people\n  interface            = interface.hub\n  public_key           = each.value.key\n  allowed_ips          = each.value.nets\n  endpoint             = try(each.value.host, null)\n  description          = try(each.value.note, \"\")\n  persistent_keepalive = \"25s\"\n  name                 = \"p-${{each.key}}\"\n}}\n",
        key(1),
        key(2)
    );
    let project = applied(&format!("{HUB}\n{rest}"));
    let before = text(&project);
    let moved = json!({
        "endpoint-address": "b.example.com", "endpoint-port": "2", "allowed-address": "10.8.1.1/32,10.9.0.0/24",
    });
    change_peer(&project, 1, &moved);
    let moved = json!({
        "comment": "by hand", "persistent-keepalive": "7s", "name": "robert",
    });
    change_peer(&project, 2, &moved);
    let ran = project.run("adopt peer.rw[*] -auto-approve").ends(1);
    let ran = ran.tells("this is also `persistent_keepalive` of `peer.rw[\"alice\"]`");
    let ran = ran.tells("this text is put together from other values").tells("`\"robert\"`");
    ran.tells("Adopted 3 values of 2 resources.");
    let expected = before
        .replace("[\"10.8.1.1/32\"]", "[\"10.8.1.1/32\", \"10.9.0.0/24\"]")
        .replace("a.example.com:1", "b.example.com:2")
        .replace(
            "nets = [\"10.8.1.2/32\"]\n",
            "nets = [\"10.8.1.2/32\"]\n      note = \"by hand\"\n",
        );
    assert_eq!(text(&project), expected);
    let drift = project.run("drift").ends(2);
    drift.says("persistent_keepalive").says("robert").says_no("by hand").says_no("alice");
}

#[test]
fn variables_modules_and_locals_are_followed_to_their_literals() {
    let project = Project::new(&format!(
        "{ROUTER}\nvariable \"port\" {{\n  type = number\n}}\n\nlocals {{\n  alive  = \"25s\"\n  shared = \"s.example.com:1\"\n}}\n\ninterface \"hub\" {{\n  name        = \"wg0\"\n  listen_port = var.port\n}}\n\nmodule \"site\" {{\n  source   = \"./site\"\n  hub      = interface.hub\n  endpoint = \"m.example.com:1\"\n}}\n\npeer \"b\" {{\n  interface            = interface.hub\n  public_key           = \"{}\"\n  allowed_ips          = [\"10.9.2.0/24\"]\n  endpoint             = local.shared\n  persistent_keepalive = local.alive\n}}\n\npeer \"c\" {{\n  interface   = interface.hub\n  public_key  = \"{}\"\n  allowed_ips = [\"10.9.3.0/24\"]\n  endpoint    = local.shared\n}}\n",
        key(2),
        key(3)
    ));
    fs::create_dir(project.path().join("site")).unwrap();
    project.add(
        "site/main.wg.hcl",
        &format!(
            "variable \"hub\" {{\n  type = interface\n}}\n\nvariable \"endpoint\" {{\n  type = string\n}}\n\npeer \"a\" {{\n  interface   = var.hub\n  public_key  = \"{}\"\n  allowed_ips = [\"10.8.0.2/32\"]\n  endpoint    = var.endpoint\n}}\n",
            key(1)
        ),
    );
    project.add("wgform.wgvars.hcl", "port = 51820 # here\n");
    project.run("apply -auto-approve").ends(0);
    change_interface(&project, &json!({ "listen-port": "7" }));
    let moved = json!({ "endpoint-address": "n.example.com", "allowed-address": "10.8.0.3/32" });
    change_peer(&project, 1, &moved);
    change_peer(
        &project,
        2,
        &json!({ "endpoint-address": "t.example.com", "persistent-keepalive": "9s" }),
    );
    let ran = project.run("adopt interface.hub peer.b module.site -auto-approve").ends(1);
    ran.tells("`local.shared` is used in 2 places").tells("Adopted 4 values of 3 resources.");
    let values = fs::read_to_string(project.path().join("wgform.wgvars.hcl")).unwrap();
    assert_eq!(values, "port = 7 # here\n");
    let module = fs::read_to_string(project.path().join("site/main.wg.hcl")).unwrap();
    assert!(module.contains("[\"10.8.0.3/32\"]") && module.contains("= var.endpoint"), "{module}");
    let main = text(&project);
    assert!(main.contains("endpoint = \"n.example.com:1\"") && main.contains("= \"9s\""), "{main}");
    assert!(main.contains("\"s.example.com:1\""), "{main}");
}

/// Runs a program in a project, with something on standard input.
fn piped(project: &Project, program: &[&str], input: &str) {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).current_dir(project.path());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program:?}: {output:?}\n{input}");
}

#[test]
fn a_printed_patch_applies_byte_for_byte() {
    let peer = |number: u8| {
        format!(
            "peer \"p{number}\" {{\n  interface   = interface.hub\n  public_key  = \"{}\"\n  allowed_ips = [\"10.8.0.{number}/32\"]\n  endpoint    = \"h{number}.example.com:1\"\n}}\n",
            key(number)
        )
    };
    let whole = format!("{ROUTER}\n{HUB}\n{}\n{}", peer(1), peer(2));
    let windows = format!("\u{feff}{}", whole.replace('\n', "\r\n"));
    for text_before in [whole.clone(), windows, whole.trim_end().to_owned()] {
        let project = Project::new(&text_before);
        project.run("apply -auto-approve").ends(0);
        change_peer(&project, 1, &json!({ "persistent-keepalive": "9s", "endpoint-port": "7" }));
        change_peer(&project, 2, &json!({ "allowed-address": "10.8.0.9/32,10.9.0.0/16" }));
        let printed = project.run("adopt peer.p1 peer.p2 -print").ends(0).stdout;
        assert_eq!(text(&project), text_before);
        let by_git = project.fork();
        piped(&by_git, &["git", "apply", "-"], &printed);
        let by_patch = project.fork();
        piped(&by_patch, &["patch", "--binary", "-s", "-p1"], &printed);
        project.run("adopt peer.p1 peer.p2 -auto-approve").ends(0);
        assert_eq!(text(&by_git), text(&project));
        assert_eq!(text(&by_patch), text(&project));
        assert_eq!(text(&project).starts_with('\u{feff}'), text_before.starts_with('\u{feff}'));
        let breaks = |text: &str| (text.matches("\r\n").count(), text.matches('\n').count());
        let (long, all) = breaks(&text(&project));
        assert!(long == 0 || long == all, "{}", text(&project));
        assert_settled(&project);
    }
    let project = applied(HUB);
    let quiet = project.run("adopt interface.hub -print").ends(0).tells("Nothing to adopt");
    assert_eq!(quiet.stdout, "");
}

#[test]
fn what_cannot_be_written_is_told_with_the_way_out() {
    let peer = |name: &str, number: u8| {
        format!(
            "\npeer \"{name}\" {{\n  interface   = interface.hub\n  public_key  = \"{}\"\n  allowed_ips = [\"10.8.0.{number}/32\"]\n}}\n",
            key(number)
        )
    };
    let project = applied(&format!("{HUB}{}{}", peer("gone", 1), peer("moved", 2)));
    let before = text(&project);
    {
        let router = router(&project, "r");
        let peers = ask_router(&router, "GET", "interface/wireguard/peers", "");
        let is_it = |it: &&Json| it["public-key"] == key(1).as_str();
        let id = peers.as_array().unwrap().iter().find(is_it).unwrap()[".id"].clone();
        let path = format!("interface/wireguard/peers/{}", id.as_str().unwrap());
        ask_router(&router, "DELETE", &path, "");
        let stranger = json!({
            "interface": "wg0", "public-key": key(9), "allowed-address": "10.9.9.9/32",
        });
        ask_router(&router, "PUT", "interface/wireguard/peers", &stranger.to_string());
    }
    let ran = project.run("adopt peer.gone interface.hub").ends(1);
    let ran =
        ran.tells("`peer.gone` is no longer on its device").tells("wgform state rm peer.gone");
    ran.tells("1 peer on what was chosen").tells("wgform import -all");
    project.run("adopt peer.gnoe").ends(1).tells("Did you mean `peer.gone`?");
    project.run("adopt peer.moved -attribute=endpiont").ends(1).tells("Did you mean `endpoint`?");
    project.run("adopt").ends(1).tells("ADDRESS");
    // What is here is held, and still can be adopted.
    project.run("hold peer.moved -for=10h -reason=INC-7").ends(0);
    change_peer(&project, 2, &json!({ "endpoint-address": "n.example.com", "endpoint-port": "5" }));
    change_peer(&project, 2, &json!({ "persistent-keepalive": "11s" }));
    project.run("adopt peer.moved -attribute=persistent_keepalive -auto-approve").ends(0);
    let expected = before.replace(
        "  allowed_ips = [\"10.8.0.2/32\"]\n",
        "  allowed_ips = [\"10.8.0.2/32\"]\n  persistent_keepalive = \"11s\"\n",
    );
    // The file was laid out, and is.
    let expected = project.run_with("fmt -", &expected).ends(0).stdout;
    assert_eq!(text(&project), expected);
}

#[test]
fn a_backend_that_is_down_does_not_keep_others_from_being_adopted() {
    let project = applied(&format!(
        "{HUB}\nbackend \"local\" \"l\" {{\n  simulate = true\n}}\n\ninterface \"other\" {{\n  backend     = backend.l\n  name        = \"wg1\"\n  listen_port = 7\n  persist     = \"none\"\n}}\n"
    ).replace("interface \"hub\" {\n", "interface \"hub\" {\n  backend     = backend.r\n"));
    change_interface(&project, &json!({ "mtu": "1380" }));
    let broken = project.path().join(".wgform/simulated/l.json");
    fs::write(&broken, "{").unwrap();
    let ran = project.run("adopt interface.hub interface.other -auto-approve").ends(6);
    ran.tells("Adopted 1 value of 1 resource.").tells("nothing of 1 resource on it is adopted");
    assert!(text(&project).contains("= 1380"));
    // Nothing of what was asked for is on the other one.
    project.run("adopt interface.hub").ends(0).tells("Nothing to adopt");
}

#[test]
fn hosts_and_firewalls_are_adopted_too() {
    let project = Project::of_example("three-backends");
    project.run("apply -auto-approve").ends(0);
    {
        let host = project.enter("hub");
        host.delete_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();
        host.add_address("wg0", "10.8.0.77/24".parse().unwrap()).unwrap();
        let peer = host.device("wg0").unwrap().peers.keys().next().copied().unwrap();
        let change = PeerChange {
            persistent_keepalive: Some("77s".parse().unwrap()),
            ..PeerChange::new(peer)
        };
        let change = DeviceChange {
            peers: vec![change],
            listen_port: Some(7777),
            ..DeviceChange::default()
        };
        host.configure("wg0", &change).unwrap();
    }
    let firewall = firewall(&project, "office");
    ask_firewall(
        &firewall,
        "PATCH",
        "vpn/wireguard/peer",
        &json!({ "id": 0, "persistentkeepalive": 60 }),
    );
    ask_firewall(&firewall, "POST", "vpn/wireguard/apply", &json!({ "async": false }));
    drop(firewall);
    let all =
        project.run("adopt peer.* interface.hub -attribute=persistent_keepalive -auto-approve");
    all.ends(0).tells("Adopted 2 values of 2 resources.");
    project.run("adopt interface.hub -attribute=listen_port -auto-approve").ends(0);
    assert!(text(&project).contains("7777"));
    // Without its address, what was in its network would be routed.
    let before = text(&project);
    let refused = project.run("adopt interface.hub -attribute=addresses -auto-approve").ends(1);
    refused.tells("with it, a plan would still change routes of `interface.hub`");
    assert_eq!(text(&project), before);
}

#[test]
fn a_file_keeps_its_rights_and_its_link_and_what_changed_meanwhile_is_not_lost() {
    let project = applied(HUB);
    change_interface(&project, &json!({ "mtu": "1380" }));
    let (main, real) = (project.path().join("main.wg.hcl"), project.path().join("real"));
    fs::rename(&main, &real).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real", &main).unwrap();
    let mut running = project.start("adopt interface.hub");
    running.wait_for("Enter a value:");
    let before = fs::read_to_string(&real).unwrap();
    fs::write(&real, format!("# mine\n{before}")).unwrap();
    running.answer("yes\n");
    running.end().ends(1).tells("was changed in the meantime");
    assert_eq!(fs::read_to_string(&real).unwrap(), format!("# mine\n{before}"));
    project.run_with("adopt interface.hub", "yes\n").ends(0);
    assert!(fs::symlink_metadata(&main).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::read_to_string(&real).unwrap().contains("= 1380"));
}

/// One peer, how it is written and what becomes of it on its device.
#[derive(Debug, Clone)]
struct Case {
    networks: Vec<u8>,
    then: Vec<u8>,
    rows: bool,
    comma: bool,
    comment: bool,
    endpoint: Option<u16>,
    endpoint_then: Option<u16>,
    keepalive: Option<u16>,
    keepalive_then: u16,
    is_number: bool,
    description: String,
    then_description: String,
}

fn case() -> impl Strategy<Value = Case> {
    let networks = || prop::collection::btree_set(1_u8..9, 1..6);
    let port = || prop::option::of(1_u16..9);
    let words = || "[a-z \"${}ü]{1,8}";
    (
        (networks(), networks(), any::<[bool; 4]>()),
        (port(), port(), prop::option::of(1_u16..9), 0_u16..9, words(), words()),
    )
        .prop_map(
            |((networks, then, flags), (endpoint, endpoint_then, keepalive, later, a, b))| Case {
                networks: networks.into_iter().collect(),
                then: then.into_iter().collect(),
                rows: flags[0],
                comma: flags[1],
                comment: flags[2],
                is_number: flags[3],
                endpoint,
                endpoint_then,
                keepalive,
                keepalive_then: later,
                description: a.trim().to_owned() + "x",
                then_description: b.trim().to_owned() + "y",
            },
        )
}

impl Case {
    fn network(number: u8, it: u8) -> String {
        format!("10.{}.{it}.0/24", number + 50)
    }

    fn written(&self, number: u8) -> String {
        let quoted: Vec<_> =
            self.networks.iter().map(|it| format!("\"{}\"", Self::network(number, *it))).collect();
        let comma = if self.comma { "," } else { "" };
        let note = if self.comment { " # kept?" } else { "" };
        let list = match self.rows {
            true => format!("[\n    {}{comma}{note}\n  ]", quoted.join(&format!(",{note}\n    "))),
            false => format!("[{}{comma}]", quoted.join(",  ")),
        };
        let mut lines = vec![
            "interface = interface.hub".to_owned(),
            format!("public_key = \"{}\"", key(number)),
            format!("allowed_ips = {list}"),
            format!(
                "description = \"{}\"{note}",
                self.description.replace('"', "\\\"").replace("${", "$${")
            ),
        ];
        lines.extend(self.endpoint.map(|it| format!("endpoint = \"h.example.com:{it}\"")));
        lines.extend(self.keepalive.map(|it| match self.is_number {
            true => format!("persistent_keepalive   =   {it}"),
            false => format!("persistent_keepalive = \"{it}s\""),
        }));
        format!("\npeer \"p{number}\" {{\n  {}\n}}\n", lines.join("\n  "))
    }

    fn change(&self, project: &Project, number: u8) {
        let networks: Vec<_> = self.then.iter().map(|it| Self::network(number, *it)).collect();
        let host = self.endpoint_then.map_or("", |_| "h.example.com");
        let body = json!({
            "allowed-address": networks.join(","),
            "endpoint-address": host,
            "endpoint-port": self.endpoint_then.unwrap_or_default().to_string(),
            "persistent-keepalive": format!("{}s", self.keepalive_then),
            "comment": self.then_description,
        });
        change_peer(project, number, &body);
    }
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: if env::var("CI").is_ok_and(|it| it == "true") { 100 } else { 8 },
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        max_shrink_iters: 20,
        ..ProptestConfig::default()
    }
}

/// Returns the lines of a text that hold nothing which was adopted.
fn others(text: &str) -> Vec<String> {
    let names = ["allowed_ips", "endpoint", "persistent_keepalive", "description", "\"10."];
    let is_other = |line: &&str| !names.iter().any(|name| line.contains(name)) && *line != "  ]";
    text.lines().filter(is_other).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn after_any_drift_is_adopted_nothing_differs(cases in prop::collection::vec(case(), 1..4)) {
        let numbered = || (1_u8..).zip(&cases);
        let peers: String = numbered().map(|(number, it)| it.written(number)).collect();
        let project = applied(&format!("{HUB}{peers}"));
        numbered().for_each(|(number, it)| it.change(&project, number));
        let before = text(&project);
        let ran = project.run("adopt peer.* -auto-approve");
        let now = text(&project);
        prop_assert_eq!(ran.code, Some(0), "{}\n{}\n{}", &ran, before, now);
        let drift = project.run("drift");
        prop_assert_eq!(drift.code, Some(0), "{}\n{}\n{}", drift, before, now);
        let plan = project.run("plan -detailed-exitcode");
        prop_assert_eq!(plan.code, Some(0), "{}\n{}\n{}", plan, before, now);
        prop_assert_eq!(others(&now), others(&before));
    }
}
