//! What a plan refuses to believe or to do.

use insta::assert_snapshot;

use crate::changes::HUB;
use crate::lab::Lab;
use crate::secrets::LINK;

fn many(count: u32) -> String {
    let peer = |n: u32| {
        format!(
            "peer \"p{n}\" {{\n  interface = interface.hub\n  public_key = \"«p{n}»\"\n  allowed_ips = [\"10.7.0.{n}/32\"]\n}}\n"
        )
    };
    HUB.to_owned() + &(0..count).map(peer).collect::<String>()
}

#[test]
fn a_mass_loss_is_not_believed() {
    let mut lab = Lab::matching(&many(10));
    (0..6).for_each(|n| lab.host("hq").remove_peer("wg0", &format!("p{n}")));
    assert!(lab.drift().contains("and not believed:\n\n  peer.p0\n  peer.p1\n"), "{}", lab.drift());
    let [by_configuration, by_state] = lab.findings();
    assert_eq!((by_configuration.len(), &by_configuration), (6, &by_state));
    assert_snapshot!(lab.plan(), @"
    Missing on backend `hq`, and not believed:

      peer.p0
      peer.p1
      peer.p2
      peer.p3
      peer.p4
      peer.p5

    No plan. Something stands in the way, so the devices were not compared.
    refused: on backend `hq`, 6 of 12 peers that wgform owns are missing, though the host was not rebooted
      help: so much is rarely removed by hand: look first whether this is the right host and namespace
      help: if it was, and all of it is to be made again, say `-accept-loss=hq`
    ");
    lab.options.accept_loss.insert(wgform::resource::BackendId::new("hq"));
    assert_eq!(lab.steps().lines().count(), 6);
    lab.settle();
}

#[test]
fn a_few_lost_peers_are_drift() {
    let lab = Lab::matching(&many(10));
    (0..5).for_each(|n| lab.host("hq").remove_peer("wg0", &format!("p{n}")));
    assert_eq!(lab.steps().lines().count(), 5);
    lab.settle();
}

const TWO: &str = "interface \"side\" {\n  name = \"wg1\"\n  listen_port = 51821\n}\n";

#[test]
fn two_lost_interfaces_are_not_believed_unless_the_host_was_rebooted() {
    let lab = Lab::matching(&format!("{HUB}{TWO}"));
    lab.host("hq").delete_link("wg0");
    lab.host("hq").delete_link("wg1");
    assert_snapshot!(lab.plan(), @"
    Missing on backend `hq`, and not believed:

      interface.hub
      interface.side
      peer.laptop
      peer.phone

    No plan. Something stands in the way, so the devices were not compared.
    refused: on backend `hq`, 2 interfaces (wg0, wg1) that wgform owns are missing, though the host was not rebooted
      help: so much is rarely removed by hand: look first whether this is the right host and namespace
      help: if it was, and all of it is to be made again, say `-accept-loss=hq`
    ");
    lab.host("hq").reboot();
    assert!(lab.plan().starts_with("Backend `hq`: host rebooted 60 s ago, wg0, wg1 missing."));
    lab.settle();
}

#[test]
fn an_interface_that_was_renamed_by_hand_is_found_by_its_key() {
    let mut lab = Lab::matching(HUB);
    let key = lab.host("hq").key_of("wg0");
    let rename = |lab: &Lab, from: &str, to: &str| {
        lab.host("hq").set_up(from, false);
        lab.host("hq").linux.rename(from, to).unwrap();
        lab.host("hq").set_up(to, true);
    };
    rename(&lab, "wg0", "wg9");
    for has_file in [true, false] {
        if !has_file {
            lab.host("hq").remove_key_file("/var/lib/wgform/keys/wg0");
        }
        let plan = lab.plan();
        assert!(!plan.contains("NEW KEY") && !plan.contains("error:"), "{plan}");
        assert!(plan.contains("refused: `interface.hub` was renamed"), "{plan}");
    }
    let plan = lab.plan();
    assert_snapshot!(plan[plan.find("refused:").unwrap_or(0)..], @"
    refused: `interface.hub` was renamed on backend `hq`: `wg9` has its key («wg0@hq») there, and another one would be made beside it
      help: rename it back to `wg0` there
      help: or, if it is to keep that name, take it and its peers out of the state with `wgform state rm interface.hub`, and import them under the new name
    ");
    lab.edit("\"wg0\"", "\"wg9\"");
    assert!(lab.plan().contains("refused: `interface.hub` was renamed"), "{}", lab.plan());
    lab.edit("\"wg9\"", "\"wg0\"");
    // Nor is it made beside the other one on request, or forgotten.
    lab.options.allow_new_key.insert("interface.hub".parse().unwrap());
    assert!(lab.plan().contains("refused: `interface.hub` was renamed"), "{}", lab.plan());
    lab.options.destroy = true;
    let plan = lab.plan();
    assert_snapshot!(plan[plan.find("refused:").unwrap_or(0)..], @"
    refused: `interface.hub` was renamed on backend `hq`: `wg9` has its key («wg0@hq») there, and it would be forgotten and stay
      help: rename it back to `wg0` there
      help: or, if it is to keep that name, take it and its peers out of the state with `wgform state rm interface.hub`, and import them under the new name
    ");
    lab.options.destroy = false;
    lab.options.allow_new_key.clear();
    rename(&lab, "wg9", "wg0");
    lab.settle();
    assert_eq!(lab.host("hq").key_of("wg0"), key);
}

#[test]
fn a_destroy_names_what_is_gone_already() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").remove_peer("wg0", "phone");
    lab.options.destroy = true;
    let plan = lab.plan();
    assert_snapshot!(plan[plan.find("Plan:").unwrap_or(0)..], @"
    Plan: 0 to add, 0 to change, 2 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    warning: destroy of what is gone already
      help: On backend `hq` there is nothing left of `peer.phone`, which the state forgets. If that is a surprise, look there first.
    ");
    lab.host("hq").delete_link("wg0");
    lab.host("hq").remove_key_file("/var/lib/wgform/keys/wg0");
    assert_snapshot!(lab.plan(), @"
    No changes. The devices match the configuration.
    warning: destroy of what is gone already
      help: On backend `hq` there is nothing left of `peer.phone`, `peer.laptop`, `interface.hub`, which the state forgets. If that is a surprise, look there first.
    ");
}

#[test]
fn another_machine_is_not_taken_for_the_recorded_one() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").linux.set_machine_id("ffffffffffffffffffffffffffffffff").unwrap();
    assert_snapshot!(lab.plan(), @"
    No plan. Something stands in the way, so the devices were not compared.
    refused: backend `hq` is another system than the one in the state: it was `simulated` (d3a8d03c36640b2f4f1489cca6eaa256), and is now `simulated` (ffffffffffffffffffffffffffffffff)
      help: a wrong host, or a run on another machine? Then nothing has to be done but to run it where it belongs
      help: if the system was replaced for good, say `-accept-new-device=hq`
    ");
    lab.options.accept_new_device.insert(wgform::resource::BackendId::new("hq"));
    lab.settle();
    lab.options.accept_new_device.clear();
    lab.assert_settled();
}

#[test]
fn a_new_machine_gets_everything_once_it_is_accepted() {
    let mut lab = Lab::matching(HUB);
    let host = lab.host("hq");
    host.linux.set_machine_id("ffffffffffffffffffffffffffffffff").unwrap();
    host.delete_link("wg0");
    host.remove_key_file("/var/lib/wgform/keys/wg0");
    lab.options.accept_new_device.insert(wgform::resource::BackendId::new("hq"));
    assert!(lab.plan().contains("refused: `interface.hub` had the key"), "{}", lab.plan());
    lab.options.allow_new_key.insert("interface.hub".parse().unwrap());
    lab.settle();
}

#[test]
fn a_simulated_host_does_not_become_a_real_one() {
    let mut lab = Lab::matching(HUB);
    lab.edit("simulate = true", "simulate = false");
    assert_snapshot!(lab.plan(), @r#"
    No plan. Something stands in the way, so the devices were not compared.
    refused: backend `hq` is real now, and the state describes a simulated one
      help: use another state file for the real one (`state "local" { path = … }` in the `wgform` block), or destroy what is on the simulated one first
    "#);
}

#[test]
fn what_must_not_be_destroyed_is_not() {
    let text = HUB.replace(
        "public_key  = \"«laptop»\"",
        "public_key  = \"«laptop»\"\n  lifecycle {\n    prevent_destroy = true\n  }",
    );
    let mut lab = Lab::matching(&text);
    lab.replace(&text);
    lab.options.destroy = true;
    assert!(lab.plan().ends_with(PROTECTED), "{}", lab.plan());
    lab.options.destroy = false;
    lab.edit("«laptop»", "«laptop 2»");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) must be replaced (`public_key` cannot change on local)
    +/- peer "laptop" {
            interface  = interface.hub
          ~ public_key = "«laptop»" -> "«laptop 2»"  # forces replacement
            name       = "laptop"
            # 5 unchanged attributes hidden
        }

    Plan: 1 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    refused: `peer.laptop` has `prevent_destroy`, and would be replaced
      help: set `prevent_destroy = false` in the `lifecycle` block of `peer.laptop`, or leave it as it is
    "#);
    lab.edit("\"«laptop 2»\"", "null");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) will be destroyed (its `public_key` became null)
      - peer "laptop" {
          - interface   = interface.hub
          - public_key  = "«laptop»"
          - name        = "laptop"
          - allowed_ips = ["10.8.0.2/32"]
        }

    Pending, until their `public_key` is set:

      peer.laptop

    Plan: 0 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    refused: `peer.laptop` has `prevent_destroy`, and would be destroyed
      help: set `prevent_destroy = false` in the `lifecycle` block of `peer.laptop`, or leave it as it is
    "#);
}

const PROTECTED: &str = "refused: `peer.laptop` has `prevent_destroy`, and would be destroyed
  help: set `prevent_destroy = false` in the `lifecycle` block of `peer.laptop` and apply that first
";

#[test]
fn what_must_not_be_destroyed_stays_after_its_block_is_gone() {
    let block = "\n  lifecycle {\n    prevent_destroy = true\n  }";
    let mut lab = Lab::matching(&HUB.replace("\"wg0\"", &format!("\"wg0\"{block}")));
    lab.replace("backend \"local\" \"hq\" {\n  simulate = true\n}\n");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be destroyed (it is no longer in the configuration)
      - peer "phone" {
          - interface            = interface.hub
          - public_key           = "«phone»"
          - name                 = "phone"
          - allowed_ips          = ["10.8.0.3/32"]
          - endpoint             = "198.51.100.7:51820"
          - persistent_keepalive = "25s"
        }

      # peer.laptop on local "hq" (simulated) will be destroyed (it is no longer in the configuration)
      - peer "laptop" {
          - interface   = interface.hub
          - public_key  = "«laptop»"
          - name        = "laptop"
          - allowed_ips = ["10.8.0.2/32"]
        }

      # interface.hub on local "hq" (simulated) will be destroyed (it is no longer in the configuration)
      - interface "hub" {
          - name        = "wg0"
          - key_file    = "/var/lib/wgform/keys/wg0"
          - public_key  = "«wg0@hq»"
          - listen_port = 51820
          - addresses   = ["10.8.0.1/24"]
        }

    Plan: 0 to add, 0 to change, 3 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    refused: `interface.hub` has `prevent_destroy`, and would be destroyed
      help: set `prevent_destroy = false` in the `lifecycle` block of `interface.hub` and apply that first
    "#);
}

#[test]
fn what_must_not_be_destroyed_is_not_replaced() {
    let block = "\n  lifecycle {\n    prevent_destroy = true\n  }";
    let mut lab = Lab::new(&HUB.replace("\"wg0\"", &format!("\"wg0\"{block}")));
    lab.traits("hq").cannot_rename = true;
    lab.settle();
    lab.edit("\"wg0\"", "\"wg9\"");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) must be replaced (`name` cannot change on local)
    +/- interface "hub" {
          ~ name = "wg0" -> "wg9"  # forces replacement
            # 9 unchanged attributes hidden
        }

      # peer.laptop on local "hq" (simulated) will be created on the interface that is made anew
      + peer "laptop" {
          + interface   = interface.hub
          + public_key  = "«laptop»"
          + name        = "laptop"
          + allowed_ips = ["10.8.0.2/32"]
        }

      # peer.phone on local "hq" (simulated) will be created on the interface that is made anew
      + peer "phone" {
          + interface            = interface.hub
          + public_key           = "«phone»"
          + name                 = "phone"
          + allowed_ips          = ["10.8.0.3/32"]
          + endpoint             = "198.51.100.7:51820"
          + persistent_keepalive = "25s"
        }

    Plan: 3 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    refused: `interface.hub` has `prevent_destroy`, and would be replaced
      help: set `prevent_destroy = false` in the `lifecycle` block of `interface.hub`, or leave it as it is
    "#);
}

#[test]
fn an_unreachable_backend_is_left_out_and_its_last_known_values_are_used() {
    let mut lab = Lab::matching(LINK);
    lab.traits("branch").is_unreachable = true;
    lab.edit("10.2.0.0/16", "10.4.0.0/16").edit("10.1.0.0/16", "10.5.0.0/16");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.to_branch on local "hq" (simulated) will be updated in place
      ~ peer "to_branch" {
            interface   = interface.hq
            name        = "to_branch"
          ~ allowed_ips = [
              - "10.2.0.0/16",
              + "10.4.0.0/16",
            ]
            # 6 unchanged attributes hidden
        }

    Backend `branch` was not read: could not reach the host: it does not answer

      Switch it on.
      2 resources left out; where others refer to them, the last known values are used.

    This apply leaves 1 link one-sided:

      peer.to_branch changes, and peer.to_hq is left out with backend `branch`

      The ends of such a link may not reach each other until an apply changes both.

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.steps(), @"peer.to_branch: update wg0/«wg0@branch» allowed_ips");
    lab.apply();
    lab.traits("branch").is_unreachable = false;
    assert_snapshot!(lab.steps(), @"peer.to_hq: update wg0/«wg0@hq» allowed_ips");
    lab.settle();
}

#[test]
fn what_was_to_be_destroyed_on_an_unreachable_backend_waits() {
    let mut lab = Lab::matching(LINK);
    lab.traits("branch").is_unreachable = true;
    lab.options.destroy = true;
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # preshared_key.tunnel will be destroyed
      - preshared_key "tunnel" {
          - holders     = "peer.to_branch, peer.to_hq"
          - fingerprint = "«fingerprint»"
        }

      # peer.to_branch on local "hq" (simulated) will be destroyed
      - peer "to_branch" {
          - interface     = interface.hq
          - public_key    = "«wg0@branch»"
          - name          = "to_branch"
          - preshared_key = (sensitive value)
          - allowed_ips   = ["10.2.0.0/16"]
        }

      # interface.hq on local "hq" (simulated) will be destroyed
      - interface "hq" {
          - name        = "wg0"
          - key_file    = "/var/lib/wgform/keys/wg0"
          - public_key  = "«wg0@hq»"
          - listen_port = 51820
        }

    Backend `branch` was not read: could not reach the host: it does not answer

      Switch it on.
      2 resources left out; where others refer to them, the last known values are used.

    This apply leaves 1 link one-sided:

      peer.to_branch changes, and peer.to_hq is left out with backend `branch`

      The ends of such a link may not reach each other until an apply changes both.

    Plan: 0 to add, 0 to change, 3 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.apply();
    lab.traits("branch").is_unreachable = false;
    lab.apply();
    assert!(lab.owned().is_empty());
    assert_eq!((lab.show("hq"), lab.show("branch")), (String::new(), String::new()));
}

#[test]
fn a_first_apply_with_one_end_out_of_reach_makes_what_it_can() {
    let mut lab = Lab::new(LINK);
    lab.traits("branch").is_unreachable = true;
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hq on local "hq" (simulated) will be created
      + interface "hq" {
          + name        = "wg0"
          + public_key  = (known after apply)
          + listen_port = 51820
        }

      # preshared_key.tunnel will be created
      + preshared_key "tunnel" {
          + holders     = "peer.to_branch, peer.to_hq"
          + fingerprint = (known after apply)
        }

    Backend `branch` was not read: could not reach the host: it does not answer

      Switch it on.
      3 resources left out; where others refer to them, the last known values are used.

    Plan: 2 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.apply(), @"
    interface.hq: created
    preshared_key.tunnel: created

    Apply complete. Resources: 2 added, 0 changed, 0 destroyed.
    ");
    lab.traits("branch").is_unreachable = false;
    lab.settle();
}

#[test]
fn a_target_brings_in_what_it_needs_and_the_other_end() {
    let mut lab =
        Lab::new(&format!("{LINK}{}", TWO.replace("name", "backend = backend.hq\n  name")));
    lab.options.targets = vec!["peer.to_hq".parse().unwrap()];
    assert_snapshot!(lab.steps(), @"
    interface.hq: create wg0
    interface.branch: create wg0
    preshared_key.tunnel: record
    peer.to_branch: create wg0/?
    peer.to_hq: create wg0/?
    ");
    assert_snapshot!(lab.apply(), @"
    interface.hq: created
    interface.branch: created
    preshared_key.tunnel: created
    peer.to_branch: created
    peer.to_hq: created

    Apply complete. Resources: 5 added, 0 changed, 0 destroyed.
    ");
    assert!(!lab.owned().contains(&"interface.side".to_owned()));
    lab.options.targets.clear();
    assert_snapshot!(lab.steps(), @"interface.side: create wg1");
}

#[test]
fn a_target_that_goes_takes_what_refers_to_it_along() {
    let mut lab = Lab::matching(&format!("{HUB}{TWO}"));
    lab.options.targets = vec!["interface.hub".parse().unwrap()];
    lab.options.destroy = true;
    assert_snapshot!(lab.steps(), @"
    peer.phone: delete wg0/«phone»
    peer.laptop: delete wg0/«laptop»
    interface.hub: delete wg0
    ");
    lab.apply();
    assert_eq!(lab.owned(), ["interface.side"]);
}

#[test]
fn a_target_leaves_other_drift_alone() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").remove_peer("wg0", "laptop");
    lab.host("hq").remove_peer("wg0", "phone");
    lab.options.targets = vec!["peer.phone".parse().unwrap()];
    assert_snapshot!(lab.steps(), @"peer.phone: create wg0/«phone»");
    lab.apply();
    lab.options.targets.clear();
    assert_snapshot!(lab.steps(), @"peer.laptop: create wg0/«laptop»");
}

#[test]
fn a_change_of_two_ends_does_not_begin_while_one_is_out_of_reach() {
    let mut lab = Lab::matching(LINK);
    lab.traits("branch").is_unreachable = true;
    lab.edit("backend     = backend.hq\n", "backend     = backend.hq\n  key_rotation = \"2026\"\n");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hq on local "hq" (simulated) will be updated in place
      # NEW KEY: whoever has the old one is cut off until it learns the new one
      #   must be told by you, the far ends of: peer.to_branch
      ~ interface "hq" {
            name         = "wg0"
          + key_rotation = "2026"
          ~ public_key   = "«wg0@hq»" -> (known after apply)
            # 8 unchanged attributes hidden
        }

    Backend `branch` was not read: could not reach the host: it does not answer

      Switch it on.
      2 resources left out; where others refer to them, the last known values are used.

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    refused: `interface.hq` would get another key, and `peer.to_hq` cannot be reached now to learn it
      help: run again when every far end can be reached
    "#);
}

#[test]
fn a_peer_whose_interface_or_secret_is_left_out_is_left_out_too() {
    let away = "interface.away.public_key";
    let description = format!("description = {away}");
    let rotation = format!("rotation = {away}");
    for (hub, secret, steps) in [
        (description.as_str(), "", "preshared_key.k: record\n"),
        ("", rotation.as_str(), "interface.hub: create wg0\n"),
    ] {
        let mut lab = Lab::new(&format!(
            r#"
backend "local" "hq" {{
  simulate = true
}}

backend "local" "branch" {{
  simulate = true
}}

interface "hub" {{
  backend = backend.hq
  name    = "wg0"
  {hub}
}}

interface "away" {{
  backend = backend.branch
}}

preshared_key "k" {{
  {secret}
}}

peer "phone" {{
  interface     = interface.hub
  public_key    = "«phone»"
  preshared_key = preshared_key.k
  allowed_ips   = []
}}
"#
        ));
        lab.traits("branch").is_unreachable = true;
        assert_eq!(lab.steps(), steps);
        assert!(lab.plan().contains("3 resources left out"), "{}", lab.plan());
        lab.traits("branch").is_unreachable = false;
        lab.settle();
    }
}

#[test]
fn two_backends_that_are_one_host_cannot_have_one_name_or_one_port() {
    let lab = Lab::new(LINK);
    for id in ["hq", "branch"] {
        lab.host(id).linux.set_machine_id("one").unwrap();
        lab.host(id).linux.set_boot_id("one").unwrap();
    }
    let plan = lab.plan();
    for text in [
        "error: two interfaces with one name",
        "error: two interfaces with one listen port",
        "`51820` on backend `hq`",
        "`51820` on backend `branch`",
    ] {
        assert!(plan.contains(text), "{text} is not in:\n{plan}");
    }
    assert!(!plan.contains("one key file"), "{plan}");
}

#[test]
fn steps_on_a_backend_of_which_the_state_says_nothing_fail() {
    let mut lab = Lab::matching(HUB);
    lab.replace("");
    lab.edit_state(|state| state.backends.clear());
    lab.options.without_refresh = true;
    let report = lab.apply();
    assert!(report.contains("backend `hq` is not there to be written to"), "{report}");
}
