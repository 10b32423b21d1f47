//! The built program on simulated firewalls that do what firewalls do.

#![expect(
    clippy::disallowed_methods,
    reason = "the files of a simulated firewall are written and read"
)]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::fs;

use serde_json::{Value as Json, json};
use wgform::simulator::pfsense::profile::Profile;
use wgform::value::{PresharedKey, PrivateKey};

use crate::harness::Project;
use crate::harness::devices::{ask_firewall, firewall};

const TUNNELS: &str = "vpn/wireguard/tunnels";
const TUNNEL: &str = "vpn/wireguard/tunnel";
const PEERS: &str = "vpn/wireguard/peers";
const PEER: &str = "vpn/wireguard/peer";
const APPLY: &str = "vpn/wireguard/apply";

#[test]
fn a_tunnel_gets_the_lowest_name_that_nothing_has_or_points_to() {
    let project = office("name = \"tun_wg2\"");
    // Somebody else's tunnel, and a peer of one that is gone, which the next of its name would take on.
    make_tunnel(&project, "tun_wg0", 50_000);
    make_tunnel(&project, "tun_wg1", 50_001);
    at(&project, "POST", PEER, &json!({"tun": "tun_wg1", "publickey": key(9), "enabled": true}));
    at(&project, "DELETE", &format!("{TUNNEL}?id=1"), &Json::Null);
    project.edit(
        "interface \"office\" {",
        "interface \"a\" {}\n\ninterface \"b\" {}\n\noutput \"b\" {\n  value = interface.b.name\n}\n\ninterface \"office\" {",
    );
    project.run("plan").ends(0).tells("objects of a tunnel that is gone");
    project.run("apply -auto-approve").ends(0);
    assert_eq!(names(&project), ["tun_wg0", "tun_wg2", "tun_wg3", "tun_wg4"]);
    project.run("plan -detailed-exitcode").ends(0);
    let b = project.run("output b").ends(0).stdout;
    assert!(["\"tun_wg3\"\n", "\"tun_wg4\"\n"].contains(&b.as_str()), "{b}");
    // The name is fixed: one that becomes free is not taken instead.
    at(&project, "DELETE", &format!("{TUNNEL}?id=0"), &Json::Null);
    at(&project, "POST", APPLY, &json!({"async": false}));
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn a_name_that_no_firewall_takes_is_refused_before_anybody_is_asked() {
    for name in ["wg0", "tun_wg", "tun_wg01", "tun_wg-1"] {
        let project = office(&format!("name = \"{name}\""));
        project.run("validate").ends(1).tells("interface name that a firewall does not take");
    }
}

#[test]
fn another_name_makes_the_tunnel_anew_and_keeps_what_it_is_assigned_to() {
    let private =
        format!("private_key = \"{}\"", PrivateKey::from_bytes([7; 32]).expose_text().as_str());
    let assign = "assign {\n    descr = \"VPN\"\n    addresses = [\"10.8.0.3/24\"]\n  }";
    let project = office(&format!("name = \"tun_wg0\"\n  {private}\n  {assign}"));
    project.run("apply -auto-approve").ends(0);
    project.edit("tun_wg0", "tun_wg5");
    let plan = project.run("plan").ends(0);
    let plan = plan.says("the interface `VPN` of the firewall goes at once");
    plan.says("must be replaced (`name` cannot change on pfsense)")
        .says("-/+ interface \"office\"")
        .says("Plan: 2 to add, 0 to change, 1 to destroy");
    project.run("apply -auto-approve").ends(0);
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    assert_eq!(names(&project), ["tun_wg5"]);
    let ports = at(&project, "GET", "interfaces", &Json::Null);
    let devices: Vec<_> =
        ports.as_array().unwrap().iter().filter(|it| it["descr"] == "VPN").collect();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0]["if"], "tun_wg5");
}

#[test]
fn what_belongs_to_an_assigned_interface_is_refused_in_the_tunnel() {
    let project = office("addresses = [\"10.8.0.3/24\"]\n  assign {\n    descr = \"VPN\"\n  }");
    project.run("validate").ends(1).tells("attribute that belongs to the assigned interface");

    let project = office("listen_port = 51820");
    project.run("apply -auto-approve").ends(0);
    let port = json!({"if": "tun_wg0", "descr": "BY_HAND", "enable": true, "typev4": "none"});
    at(&project, "POST", "interface", &port);
    at(&project, "POST", "interface/apply", &json!({"async": false}));
    // What somebody else assigned stays.
    project.run("plan -detailed-exitcode").ends(0);
    project.edit("listen_port = 51820", "listen_port = 51820\n  addresses = [\"10.8.0.3/24\"]");
    project.run("plan").ends(1).tells("attribute that belongs to the assigned interface");
    project.edit("  addresses = [\"10.8.0.3/24\"]", "");
    let destroy = project.run("plan -destroy").ends(0);
    destroy.says(
        "the interface `BY_HAND` of the firewall goes at once, with its firewall and NAT rules",
    );
    project.run("destroy -auto-approve").ends(0);
    assert_eq!(names(&project), [""; 0]);
}

#[test]
fn a_tunnel_that_is_assigned_is_released_with_its_rules_and_keeps_its_key() {
    let project = office(
        "assign {\n    descr = \"VPN\"\n    addresses = [\"10.8.0.3/24\"]\n    mtu = 1400\n  }",
    );
    let applied = project.run("apply -auto-approve").ends(0);
    applied
        .says("assigned to an interface of the firewall")
        .tells("backend.fw: WireGuard switched on");
    let before = at(&project, "GET", TUNNELS, &Json::Null)[0]["publickey"].clone();
    project.edit(
        "assign {\n    descr = \"VPN\"\n    addresses = [\"10.8.0.3/24\"]\n    mtu = 1400\n  }",
        "addresses = [\"10.8.0.3/24\"]",
    );
    project.run("plan").ends(0).says("the interface `VPN` of the firewall goes at once");
    project.run("apply -auto-approve").ends(0);
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    assert_eq!(at(&project, "GET", TUNNELS, &Json::Null)[0]["publickey"], before);
}

#[test]
fn while_wireguard_is_off_every_plan_says_so_and_the_service_is_managed_on_request_only() {
    let project = office("");
    project.edit("manage_service = true", "");
    project.run("plan").ends(0).tells("firewall with WireGuard switched off");
    project.run("apply -auto-approve").ends(0).says("2 added, 0 changed");
    assert!(firewall(&project, "fw").device("tun_wg0").is_none());
    project.run("plan -detailed-exitcode").ends(0).tells("nothing of it reaches the kernel");
    project.edit("simulate = true", "simulate = true\n  manage_service = true");
    let plan = project.run("plan -detailed-exitcode").ends(2);
    plan.says("# backend.fw: WireGuard is off there, and will be switched on")
        .says("0 to add, 1 to change");
    project.run("apply -auto-approve").ends(0).tells("backend.fw: WireGuard switched on");
    assert_eq!(firewall(&project, "fw").device("tun_wg0").unwrap().peers.len(), 1);
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
}

#[test]
fn what_was_stored_and_not_applied_is_applied_by_the_next_run() {
    let project = office("");
    project.run("apply -auto-approve").ends(0);
    // As a run leaves it that is killed between its last write and the apply.
    at(&project, "PATCH", PEER, &json!({"id": 0, "persistentkeepalive": 60}));
    project.edit("persistent_keepalive = \"25s\"", "persistent_keepalive = \"60s\"");
    let plan = project.run("plan -detailed-exitcode").ends(2);
    plan.says("# backend.fw: something stored there has no effect yet");
    let ran = project.run("apply -auto-approve -input=false").ends(8);
    ran.tells("`-heal`");
    project.run("apply -auto-approve").ends(0).tells("backend.fw: what was stored is applied");
    assert_eq!(at(&project, "GET", APPLY, &Json::Null)["applied"], true);
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
}

#[test]
fn a_firewall_is_asked_what_it_makes_of_a_plan() {
    let project = office("");
    project
        .run("plan -validate-on-device")
        .ends(0)
        .tells("Asked backend `fw`: it would take 1 change; 2 cannot");
    assert_eq!(names(&project), [""; 0]);
    // Another peer has that key, on a tunnel of somebody else: a key is there once on a whole firewall.
    make_tunnel(&project, "tun_wg7", 50_007);
    project.run("apply -auto-approve").ends(0);
    at(&project, "POST", PEER, &json!({"tun": "tun_wg7", "publickey": key(5), "enabled": true}));
    at(&project, "POST", APPLY, &json!({"async": false}));
    project.edit(
        "peer \"far\"",
        &format!(
            "peer \"new\" {{\n  interface = interface.office\n  public_key = \"{}\"\n  allowed_ips = []\n}}\n\npeer \"far\"",
            key(5)
        ),
    );
    let refused = project.run("plan -validate-on-device").ends(1);
    refused.tells("change that the device would refuse").tells("peer \"new\"");
    assert_eq!(at(&project, "GET", PEERS, &Json::Null).as_array().unwrap().len(), 2);

    firewall(&project, "fw").install(Profile::named("v2.7.0").unwrap()).unwrap();
    let refused = project.run("plan -validate-on-device").ends(1);
    refused.tells("would carry it out").tells("v2.8.0");
    assert_eq!(at(&project, "GET", PEERS, &Json::Null).as_array().unwrap().len(), 2);
}

#[test]
fn a_hidden_preshared_key_is_compared_where_it_is_known_and_else_not_checked() {
    let hub = "
backend \"local\" \"hub\" {
  simulate = true
}

interface \"hub\" {
  backend     = backend.hub
  name        = \"wg0\"
  listen_port = 51820
  addresses   = [\"10.8.0.1/24\"]
  persist     = \"none\"
}

peer \"hub\" {
  interface     = interface.hub
  public_key    = interface.office.public_key
  preshared_key = preshared_key.both
  endpoint      = \"192.0.2.9:51820\"
  allowed_ips   = [\"10.8.0.3/32\"]
}

preshared_key \"both\" {}
";
    let project = office("backend = backend.fw");
    let far = format!("public_key           = \"{}\"", key(1));
    project
        .edit(&far, "public_key = interface.hub.public_key\n  preshared_key = preshared_key.both");
    let text = fs::read_to_string(project.path().join("main.wg.hcl")).unwrap();
    project.configure(&(text + hub));
    project.run("apply -auto-approve").ends(0);
    project.run("drift").ends(0).says("No drift").says_no("Not checked");
    let other = PresharedKey::from_bytes([9; 32]).unwrap().expose_text().to_string();
    at(&project, "PATCH", PEER, &json!({"id": 0, "presharedkey": other}));
    at(&project, "POST", APPLY, &json!({"async": false}));
    let drift = project.run("drift").ends(2);
    assert!(!drift.to_string().contains(&other));
    drift
        .says("# peer.far on pfsense \"fw\" (simulated)")
        .says("preshared_key")
        .says_no("# peer.hub");
    project.run("apply -auto-approve").ends(0).says("1 changed");
    project.run("drift").ends(0).says("No drift");

    // Nobody shows it any more.
    project.run("state rm peer.hub").ends(0);
    project.enter("hub").delete_link("wg0").unwrap();
    let drift = project.run("drift");
    drift
        .says("Not checked, because the device does not show it:")
        .says("  peer.far: preshared_key\n");
}

#[test]
fn a_key_that_is_to_be_none_and_is_there_is_drift() {
    let project = office("");
    project.edit("allowed_ips", "preshared_key = \"none\"\n  allowed_ips");
    project.run("apply -auto-approve").ends(0);
    project.run("drift").ends(0).says("No drift");
    let other = PresharedKey::from_bytes([9; 32]).unwrap().expose_text().to_string();
    at(&project, "PATCH", PEER, &json!({"id": 0, "presharedkey": other}));
    at(&project, "POST", APPLY, &json!({"async": false}));
    project.run("drift").ends(2).says("preshared_key");
    project.run("apply -auto-approve").ends(0).says("1 changed");
    project.run("drift").ends(0).says("No drift");
}

#[test]
fn a_key_that_is_there_once_goes_to_another_tunnel_and_to_another_resource() {
    let project = office("");
    project.edit("interface \"office\" {", "interface \"other\" {}\n\ninterface \"office\" {");
    project.run("apply -auto-approve").ends(0);
    let tunnel = || at(&project, "GET", PEERS, &Json::Null)[0]["tun"].as_str().unwrap().to_owned();
    let before = tunnel();
    project.edit("= interface.office", "= interface.other");
    project.run("plan").ends(0).says("forces replacement");
    project.run("apply -auto-approve").ends(0);
    assert_ne!(tunnel(), before);
    // The kernel has it on the new tunnel only.
    let live = |name: &str| firewall(&project, "fw").device(name).unwrap().peers.len();
    assert_eq!((live(&before), live(&tunnel())), (0, 1));
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    project.edit("= interface.other", "= interface.office");
    project.edit("peer \"far\"", "peer \"near\"");
    project.run("apply -auto-approve").ends(0);
    assert_eq!(tunnel(), before);
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    let twice = project.path().join("twice.wg.hcl");
    let text = format!(
        "peer \"twice\" {{\n  interface = interface.other\n  public_key = \"{}\"\n  allowed_ips = []\n}}\n",
        key(1)
    );
    fs::write(twice, text).unwrap();
    project.run("plan").ends(1).tells("two peers with one public key");
}

#[test]
fn what_nobody_wrote_of_an_assigned_interface_stays() {
    let project = office("");
    project.run("apply -auto-approve").ends(0);
    let port = json!({"if": "tun_wg0", "descr": "BY_HAND", "enable": true, "typev4": "static", "ipaddr": "10.8.0.3", "subnet": 24, "mtu": 1400});
    at(&project, "POST", "interface", &port);
    at(&project, "POST", "interface/apply", &json!({"async": false}));
    project.edit(
        "interface \"office\" {",
        "interface \"office\" {\n  assign {\n    descr = \"VPN\"\n  }\n",
    );
    project
        .run("plan")
        .ends(0)
        .says("assign_descr = \"BY_HAND\" -> \"VPN\"")
        .says_no("goes at once");
    project.run("apply -auto-approve").ends(0);
    let ports = at(&project, "GET", "interfaces", &Json::Null);
    let port = ports.as_array().unwrap().iter().find(|it| it["if"] == "tun_wg0").unwrap();
    assert_eq!(
        (&port["descr"], &port["ipaddr"], &port["mtu"]),
        (&json!("VPN"), &json!("10.8.0.3"), &json!(1400))
    );
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn a_tunnel_comes_from_another_backend_with_what_it_is_assigned_to() {
    let private = PrivateKey::from_bytes([7; 32]).expose_text().to_string();
    let project = office(&format!(
        "backend = backend.hub\n  private_key = \"{private}\"\n  persist = \"none\""
    ));
    let hub = "\nbackend \"local\" \"hub\" {\n  simulate = true\n}\n";
    let text = fs::read_to_string(project.path().join("main.wg.hcl")).unwrap() + hub;
    project.configure(&text);
    project.run("apply -auto-approve").ends(0);
    let assign = "backend = backend.fw\n  assign {\n    descr = \"VPN\"\n    addresses = [\"10.8.0.3/24\"]\n  }";
    project.edit("backend = backend.hub", assign);
    project.edit("persist = \"none\"", "");
    project.run("apply -auto-approve").ends(0);
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    assert_eq!(names(&project), ["tun_wg0"]);
    let back = fs::read_to_string(project.path().join("main.wg.hcl")).unwrap();
    project.configure(
        &back.replace(assign, "backend = backend.hub\n  name = \"wg0\"\n  persist = \"none\""),
    );
    project.run("plan").ends(0).says("the interface `VPN` of the firewall goes at once");
    project.run("apply -auto-approve").ends(0);
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    assert_eq!(names(&project), [""; 0]);
}

#[test]
fn a_secret_that_nobody_shows_is_not_lost_with_the_peer_that_has_it() {
    let project = office("");
    project.edit(
        "interface \"office\" {",
        "interface \"other\" {}\n\npreshared_key \"psk\" {}\n\ninterface \"office\" {",
    );
    project.edit("allowed_ips", "preshared_key = preshared_key.psk\n  allowed_ips");
    project.run("apply -auto-approve").ends(0);
    project.run("plan -detailed-exitcode").ends(0);
    project.edit("= interface.office", "= interface.other");
    let refused = project.run("apply -auto-approve").ends(8);
    refused.tells("a new secret would cut it off");
    assert_eq!(at(&project, "GET", PEERS, &Json::Null).as_array().unwrap().len(), 1);
}

#[test]
fn two_backends_that_are_one_firewall_are_refused() {
    let project = office("backend = backend.fw");
    let text = fs::read_to_string(project.path().join("main.wg.hcl")).unwrap();
    let second = "\nbackend \"pfsense\" \"again\" {\n  api_url = \"https://192.168.1.2\"\n  api_key = \"none\"\n  simulate = true\n}\n";
    project.configure(&(text + second));
    project.run("plan").ends(0);
    for name in ["fw", "again"] {
        firewall(&project, name).set_netgate_id("1234567890").unwrap();
    }
    project.run("plan").ends(1).tells("two backends that are one firewall");
}

#[test]
fn nothing_is_written_to_a_firewall_that_is_read_only() {
    let project = office("");
    project.run("apply -auto-approve").ends(0);
    project.edit("manage_service = true", "read_only = true");
    project.run("plan -detailed-exitcode").ends(0);
    project.edit("25s", "30s");
    project.run("plan -detailed-exitcode").ends(2);
    let refused = project.run("apply -auto-approve").ends(8);
    refused.tells("backend `fw` is read-only, and the plan changes something on it");
    project.edit("30s", "25s");
    at(&project, "PATCH", PEER, &json!({"id": 0, "descr": "far"}));
    project.run("plan -detailed-exitcode").ends(0);
    assert_eq!(at(&project, "GET", PEERS, &Json::Null)[0]["persistentkeepalive"], 25);
}

#[test]
fn a_package_that_is_missing_is_no_deletion() {
    let project = office("");
    project.run("apply -auto-approve").ends(0);
    firewall(&project, "fw").remove_wireguard(false).unwrap();
    let ran = project.run("plan").ends(6);
    assert!(!ran.stdout.contains("will be created"), "{ran}");
    ran.says("Backend `fw` was not read");
}

#[test]
fn what_fails_in_the_middle_is_finished_by_the_next_apply() {
    let faults = [json!("lose-answer"), json!("reset"), json!("close"), json!("truncate")];
    for fault in &faults {
        for (method, path) in [("POST", TUNNEL), ("POST", PEER), ("POST", APPLY), ("GET", PEERS)] {
            let project = office("");
            let rules = rules(
                &project,
                &json!([{ "method": method, "path": format!("/api/v2/{path}"), "times": 1, "fault": fault }]),
            );
            let ran = project.run("apply -auto-approve");
            fs::remove_file(&rules).unwrap();
            project.run("apply -auto-approve").ends(0);
            let plan = project.run("plan -detailed-exitcode");
            assert_eq!(plan.code, Some(0), "{method} {path} {fault}: {ran}\n{plan}");
            assert_eq!(names(&project).len(), 1, "{method} {path} {fault}: {ran}");
            assert_eq!(at(&project, "GET", PEERS, &Json::Null).as_array().unwrap().len(), 1);
        }
    }
}

#[test]
fn a_removal_that_is_stored_and_not_applied_stays_open_until_it_is() {
    let project = office("");
    project.run("apply -auto-approve").ends(0);
    let busy =
        json!([{ "method": "POST", "path": format!("/api/v2/{APPLY}"), "fault": { "busy": 300 } }]);
    let is_up = || firewall(&project, "fw").device("tun_wg0").is_some();
    for again in 0..3 {
        let rules = rules(&project, &busy);
        // Whatever is tried in between fails as well, and is not forgotten either.
        for _ in 0..=again {
            project.run("destroy -auto-approve").ends(6).says("could not apply the changes");
            assert_eq!((names(&project), is_up()), (Vec::new(), true));
        }
        fs::remove_file(&rules).unwrap();
        match again {
            0 => {
                let plan = project.run("plan -destroy -detailed-exitcode").ends(2);
                plan.says("# backend.fw: something stored there has no effect yet");
                project.run("destroy -auto-approve").ends(0);
            }
            // Of the removed blocks nothing is left but the backend.
            1 => {
                let text = configuration("");
                project.configure(&text[..text.find("interface").unwrap()]);
                let plan = project.run("plan -detailed-exitcode").ends(2);
                plan.says("# backend.fw: something stored there has no effect yet");
                project.run("apply -auto-approve -input=false").ends(0);
                project.configure(&text);
            }
            // It is made again instead, under the same name.
            _ => _ = project.run("apply -auto-approve").ends(0),
        }
        assert_eq!(is_up(), again == 2);
        project.run("state list").ends(0);
        if again < 2 {
            project.run("plan -destroy -detailed-exitcode").ends(0).says("No changes");
            project.run("apply -auto-approve").ends(0);
        }
        project.run("plan -detailed-exitcode").ends(0).says("No changes");
        let state = fs::read(project.path().join("wgform.state.json")).unwrap();
        let state: Json = serde_json::from_slice(&state).unwrap();
        assert_eq!(state["in_flight"].as_array().map_or(0, Vec::len), 0, "{state}");
    }
}

#[test]
fn what_the_firewall_makes_after_its_client_gave_up_is_ours() {
    for path in [TUNNEL, PEER] {
        let simulator = Project::new("");
        let mut running = simulator.start("simulate pfsense fw");
        running.wait_for("Ctrl-C ends it.");
        let url = running.said().split_whitespace().find(|it| it.starts_with("http://")).unwrap();
        let url = url.trim_end_matches('.').to_owned();
        let reached = format!("\"{url}\"\n  api_key  = \"simulated\"\n  api_timeout = \"1s\"");
        let project = Project::new(
            &configuration("")
                .replace("simulate = true", "simulate = false")
                .replace("\"https://192.168.1.1\"\n  api_key  = \"none\"", &reached),
        );
        let slow = json!([{ "method": "POST", "path": format!("/api/v2/{path}"), "times": 1, "fault": { "slow": 7000 } }]);
        rules(&simulator, &slow);
        project.run("apply -auto-approve").ends(4).says("hether it was done is known");
        std::thread::sleep(std::time::Duration::from_secs(4));
        let plan = project.run("plan").ends(0);
        plan.says(if path == PEER { "Plan: 0 to add" } else { "Plan: 1 to add" });
        project.run("apply -auto-approve").ends(0);
        project.run("plan -detailed-exitcode").ends(0).says("No changes");
        running.signal(rustix::process::Signal::INT);
        running.end().ends(0);
    }
}

#[test]
fn changes_that_wait_on_a_firewall_are_no_peers() {
    let project = office("");
    project.run("apply -auto-approve").ends(0);
    at(&project, "PATCH", PEER, &json!({"id": 0, "descr": "far"}));
    let drift = project.run("drift").ends(2);
    drift
        .says("# backend.fw: something stored there has no effect yet")
        .says("Drift: 1 resource changed outside of wgform, 0 unmanaged peers.");
    let summary = project.path().join("summary.json");
    project.run(&format!("drift -summary-into={}", summary.display())).ends(2);
    let summary: Json = serde_json::from_slice(&fs::read(summary).unwrap()).unwrap();
    assert_eq!(summary["planned"]["unmanaged_peers"], 0, "{summary}");
}

#[test]
fn a_firewall_may_get_another_name() {
    let untold = |project: &Project| {
        let broken = json!({ "path": "/api/v2/status/system", "fault": { "html": 500 } });
        rules(project, &json!([broken]))
    };
    let project = office("");
    untold(&project);
    project.run("apply -auto-approve").ends(0);
    firewall(&project, "fw").set_hostname("other", "example.org").unwrap();
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    project.run("apply -auto-approve").ends(0);
    // One that tells nothing else is known by what is on it.
    at(&project, "DELETE", &format!("{PEER}?id=0"), &Json::Null);
    at(&project, "DELETE", &format!("{TUNNEL}?id=0"), &Json::Null);
    at(&project, "POST", APPLY, &json!({"async": false}));
    project.run("plan").ends(8).tells("does not say which system it is");
    // It says more by now than when it was recorded.
    let project = office("");
    let rules = untold(&project);
    project.run("apply -auto-approve").ends(0);
    fs::remove_file(rules).unwrap();
    let path = project.path().join("wgform.state.json");
    let mut state: Json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let record = &mut state["backends"]["fw"];
    record["identity"] = record["host_name"].clone();
    fs::write(&path, state.to_string()).unwrap();
    project.run("plan").ends(0);
    project.run("apply -auto-approve").ends(0);
    firewall(&project, "fw").set_netgate_id("0987654321").unwrap();
    project.run("plan").ends(8).tells("is another system");
}

#[test]
fn a_key_with_the_line_break_of_its_file_is_refused_and_not_shown() {
    let project = office("");
    fs::write(project.path().join("key"), "hunter2hunter2\n").unwrap();
    project.edit("\"none\"", "file(\"key\")");
    let refused = project.run("plan").ends(1).tells("api_key = trimspace(file(");
    assert!(!refused.to_string().contains("hunter2"), "{refused}");
    project.edit("file(\"key\")", "trimspace(file(\"key\"))");
    project.run("plan").ends(0);
    project.edit("api_key  = ", "api_user = \"admin\"\n  api_password = \"hunter2\\n\" # ");
    let refused = project.run("plan").ends(1).tells("api_password = trimspace(file(");
    assert!(!refused.to_string().contains("hunter2"), "{refused}");
}

#[test]
fn who_is_not_let_in_hears_what_to_do() {
    let simulator = Project::new("");
    let mut running = simulator.start("simulate pfsense fw");
    running.wait_for("Ctrl-C ends it.");
    let url = running.said().split_whitespace().find(|it| it.starts_with("http://")).unwrap();
    let url = url.trim_end_matches('.').to_owned();
    let project = office("");
    let away = |key: &str, url: &str| {
        project.configure(
            &configuration("").replace("simulate = true", "simulate = false").replace(
                "\"https://192.168.1.1\"\n  api_key  = \"none\"",
                &format!("\"{url}\"\n  api_key  = \"{key}\""),
            ),
        );
        project.run("plan")
    };
    away("simulated", &url).ends(0).says("Plan: 2 to add, 1 to change");
    away("simulated", &format!("{url}/api/v2"))
        .ends(0)
        .tells("path that is added to the URL anyway");
    let wrong = away("hunter2hunter2", &url).ends(6);
    assert!(
        !wrong.to_string().replace("api_key  = \"hunter2hunter2\"", "").contains("hunter2"),
        "{wrong}"
    );
    running.signal(rustix::process::Signal::INT);
    running.end().ends(0);
    away("simulated", &url).ends(6).says("Backend `fw` was not read");
}

/// Writes what is to go wrong.
fn rules(project: &Project, rules: &Json) -> std::path::PathBuf {
    let folder = project.path().join(".wgform/simulated");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("fw.faults.json");
    fs::write(&path, rules.to_string()).unwrap();
    path
}

/// Does something at the firewall past wgform.
fn at(project: &Project, method: &str, path: &str, body: &Json) -> Json {
    ask_firewall(&firewall(project, "fw"), method, path, body)
}

fn names(project: &Project) -> Vec<String> {
    let mut names: Vec<_> = at(project, "GET", TUNNELS, &Json::Null)
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn make_tunnel(project: &Project, name: &str, port: u16) {
    let key =
        PrivateKey::from_bytes([u8::try_from(port % 250).unwrap(); 32]).expose_text().to_string();
    at(
        project,
        "POST",
        TUNNEL,
        &json!({"name": name, "listenport": port.to_string(), "privatekey": key, "enabled": true}),
    );
    at(project, "POST", APPLY, &json!({"async": false}));
}

fn key(number: u8) -> String {
    PrivateKey::from_bytes([number; 32]).public().to_string()
}

/// A project with a firewall, a tunnel that has these arguments, and a peer.
fn office(arguments: &str) -> Project {
    Project::new(&configuration(arguments))
}

fn configuration(arguments: &str) -> String {
    format!(
        "
backend \"pfsense\" \"fw\" {{
  api_url  = \"https://192.168.1.1\"
  api_key  = \"none\"
  simulate = true
  manage_service = true
}}

interface \"office\" {{
  {arguments}
}}

peer \"far\" {{
  interface            = interface.office
  public_key           = \"{}\"
  allowed_ips          = [\"10.8.0.1/32\"]
  persistent_keepalive = \"25s\"
}}
",
        key(1)
    )
}
