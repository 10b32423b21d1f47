//! `-refresh-only`: what was changed outside is taken for true, and nothing is written to a device.

use insta::assert_snapshot;

use crate::changes::HUB;
use crate::lab::Lab;
use crate::names::public_key;
use crate::secrets::LINK;

const NOTHING: &str = "Nothing to record. The state says what the devices have.\n";

fn refresh_only(lab: &mut Lab) -> &mut Lab {
    lab.options.refresh_only = true;
    lab
}

/// Records what is there, makes sure that nothing is left to record and that no host was touched, and returns the plan
/// that an apply would then have.
fn recorded(lab: &mut Lab, hosts: &[&str]) -> String {
    refresh_only(lab);
    let changes = |lab: &Lab| -> Vec<u64> {
        hosts.iter().map(|host| lab.host(host).linux.changes()).collect()
    };
    let before = changes(lab);
    assert_eq!(lab.apply(), "recorded\n");
    assert_eq!(lab.plan(), NOTHING);
    assert_eq!(changes(lab), before);
    lab.options.refresh_only = false;
    lab.plan()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story: what comes next needs what came before")]
fn what_was_changed_outside_is_shown_and_becomes_a_change() {
    let mut lab = Lab::matching(HUB);
    assert_eq!(refresh_only(&mut lab).plan(), NOTHING);
    lab.host("hq").set_port("wg0", 1234);
    lab.host("hq").delete_address("wg0", "10.8.0.1/24");
    lab.host("hq").add_address("wg0", "10.7.0.1/24");
    lab.host("hq").set_peer("wg0", "laptop", &["10.8.0.22/32"]);
    lab.host("hq").set_keepalive("wg0", "phone", "20s");
    assert_snapshot!(lab.plan(), @r#"
    Since the last apply, this was changed outside of wgform:

      # interface.hub on local "hq" (simulated) has changed
      ~ interface "hub" {
            name        = "wg0"
          ~ listen_port = 51820 -> 1234
          ~ addresses   = [
              - "10.8.0.1/24",
            ]
        }

      # peer.laptop on local "hq" (simulated) has changed
      ~ peer "laptop" {
            name        = "laptop"
          ~ allowed_ips = [
              - "10.8.0.2/32",
              + "10.8.0.22/32",
            ]
        }

      # peer.phone on local "hq" (simulated) has changed
      ~ peer "phone" {
            name                 = "phone"
          ~ persistent_keepalive = "25s" -> "20s"
        }

    Refresh only: 3 resources to record, nothing to write.

    This is a refresh-only plan, so wgform will not take any actions to undo these. An apply of it takes them into the
    state; where they differ from the configuration, the next plan shows a change.
    "#);
    assert_snapshot!(recorded(&mut lab, &["hq"]), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name        = "wg0"
          ~ listen_port = 1234 -> 51820
          ~ addresses   = [
                "10.7.0.1/24",
              + "10.8.0.1/24",
            ]
            # 7 unchanged attributes hidden
        }

      # peer.laptop on local "hq" (simulated) will be updated in place
      ~ peer "laptop" {
            interface   = interface.hub
            name        = "laptop"
          ~ allowed_ips = [
              + "10.8.0.2/32",
              - "10.8.0.22/32",
            ]
            # 6 unchanged attributes hidden
        }

      # peer.phone on local "hq" (simulated) will be updated in place
      ~ peer "phone" {
            interface            = interface.hub
            name                 = "phone"
          ~ persistent_keepalive = "20s" -> "25s"
            # 7 unchanged attributes hidden
        }

    Plan: 0 to add, 3 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story: what comes next needs what came before")]
fn what_is_gone_leaves_the_state_and_is_made_again_with_its_key() {
    let mut lab = Lab::matching(HUB);
    let key = lab.host("hq").key_of("wg0");
    lab.host("hq").delete_link("wg0");
    assert_snapshot!(refresh_only(&mut lab).plan(), @r#"
    Since the last apply, this was changed outside of wgform:

      # interface.hub on local "hq" (simulated) has been deleted
      # its key is remembered, and comes back with it if it is made again
      - interface "hub" {
          - name        = "wg0"
          - key_file    = "/var/lib/wgform/keys/wg0"
          - public_key  = "«wg0@hq»"
          - listen_port = 51820
          - addresses   = ["10.8.0.1/24"]
        }

      # peer.laptop on local "hq" (simulated) has been deleted
      - peer "laptop" {
          - interface   = interface.hub
          - public_key  = "«laptop»"
          - name        = "laptop"
          - allowed_ips = ["10.8.0.2/32"]
        }

      # peer.phone on local "hq" (simulated) has been deleted
      - peer "phone" {
          - interface            = interface.hub
          - public_key           = "«phone»"
          - name                 = "phone"
          - allowed_ips          = ["10.8.0.3/32"]
          - endpoint             = "198.51.100.7:51820"
          - persistent_keepalive = "25s"
        }

    Refresh only: 3 resources to record, nothing to write.

    This is a refresh-only plan, so wgform will not take any actions to undo these. An apply of it takes them into the
    state; where they differ from the configuration, the next plan shows a change.
    "#);
    assert_snapshot!(recorded(&mut lab, &["hq"]), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be created
      + interface "hub" {
          + name        = "wg0"
          + public_key  = "«wg0@hq»"
          + listen_port = 51820
          + addresses   = ["10.8.0.1/24"]
        }

      # peer.laptop on local "hq" (simulated) will be created
      + peer "laptop" {
          + interface   = interface.hub
          + public_key  = "«laptop»"
          + name        = "laptop"
          + allowed_ips = ["10.8.0.2/32"]
        }

      # peer.phone on local "hq" (simulated) will be created
      + peer "phone" {
          + interface            = interface.hub
          + public_key           = "«phone»"
          + name                 = "phone"
          + allowed_ips          = ["10.8.0.3/32"]
          + endpoint             = "198.51.100.7:51820"
          + persistent_keepalive = "25s"
        }

    Plan: 3 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_eq!(
        lab.drift(),
        "No drift. The devices have what was last applied.\nThe configuration has 3 changes that are not applied yet; `wgform plan` shows them.\n"
    );
    lab.settle();
    assert_eq!(lab.host("hq").key_of("wg0"), key);
}

#[test]
fn the_key_of_what_is_gone_is_neither_lost_nor_left_behind() {
    // Nobody wants the interface back: its key file goes.
    let mut lab = Lab::matching(HUB);
    lab.host("hq").delete_link("wg0");
    recorded(&mut lab, &["hq"]);
    lab.replace(HUB.split("interface").next().unwrap());
    assert_snapshot!(lab.steps(), @"interface.hub: delete wg0");
    lab.settle();
    assert_eq!((lab.show("hq"), lab.owned()), (String::new(), vec![]));
    // The key file is gone, too: a new key is not made without a word.
    let mut lab = Lab::matching(HUB);
    lab.host("hq").delete_link("wg0");
    lab.host("hq").remove_key_file("/var/lib/wgform/keys/wg0");
    let plan = recorded(&mut lab, &["hq"]);
    assert!(plan.contains("refused: `interface.hub` had the key «wg0@hq»"), "{plan}");
    // Somebody else made one of that name in the meantime.
    let mut lab = Lab::matching(HUB);
    lab.host("hq").delete_link("wg0");
    recorded(&mut lab, &["hq"]);
    lab.host("hq").add_interface("wg0", "foreign", 7);
    let plan = lab.plan();
    assert!(plan.contains("error: existing interface that wgform does not manage"), "{plan}");
    lab.options.destroy = true;
    lab.apply();
    assert_eq!((lab.host("hq").key_of("wg0"), lab.owned()), (public_key("foreign"), vec![]));
}

#[test]
fn a_key_that_was_changed_is_kept_and_followed() {
    let mut lab = Lab::matching(LINK);
    lab.host("hq").set_key("wg0", "intruder");
    assert_snapshot!(refresh_only(&mut lab).plan(), @r#"
    Since the last apply, this was changed outside of wgform:

      # interface.hq on local "hq" (simulated) has changed
      ~ interface "hq" {
            name       = "wg0"
          ~ public_key = "«wg0@hq»" -> "«intruder»"
        }

    Refresh only: 1 resource to record, nothing to write.

    This is a refresh-only plan, so wgform will not take any actions to undo these. An apply of it takes them into the
    state; where they differ from the configuration, the next plan shows a change.
    "#);
    assert_snapshot!(recorded(&mut lab, &["hq", "branch"]), @r#"
    wgform will perform the following actions:

      # peer.to_hq on local "branch" (simulated) must be replaced (`public_key` cannot change on local)
    +/- peer "to_hq" {
            interface  = interface.branch
          ~ public_key = "«wg0@hq»" -> "«intruder»"  # forces replacement
            name       = "to_hq"
            # 6 unchanged attributes hidden
        }

    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hq on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ interface "hq" {
            name     = "wg0"
          + key_file = "/var/lib/wgform/keys/wg0"
            # 9 unchanged attributes hidden
        }

    Plan: 1 to add, 0 to change, 1 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(lab.host("hq").key_of("wg0"), public_key("intruder"));
}

#[test]
fn what_the_state_never_takes_over() {
    // Where a peer roamed to, a secret that is made for two ends, the addresses of others, a port that nobody chose.
    let mut lab = Lab::matching(&LINK.replace("listen_port = 51820\n", ""));
    let branch = lab.host("branch").key_of("wg0");
    lab.host("hq").set_preshared_key("wg0", branch, Some("a"));
    lab.host("hq").add_address("wg0", "10.7.0.1/24");
    lab.host("hq").set_port("wg0", 4711);
    assert_snapshot!(refresh_only(&mut lab).plan(), @r#"
    Nothing to record. The state says what the devices have.
    warning: pre-shared key changed outside of wgform
      at `peer "to_branch"`: the device of `peer.to_branch` holds another one
      help: The secret of a `preshared_key` block is not taken from a device. Run `wgform plan`, which shows how it is given back.
    "#);
    lab.options.refresh_only = false;
    assert_snapshot!(lab.drift(), @r#"
    Drift: this was changed outside of wgform:

      # peer.to_branch on local "hq" (simulated) has changed
      ~ peer "to_branch" {
            interface     = interface.hq
            name          = "to_branch"
          ~ preshared_key = (sensitive value)
            # 6 unchanged attributes hidden
        }

    Drift: 1 resource changed outside of wgform, 0 unmanaged peers.
    "#);
    let mut lab = Lab::matching(HUB);
    lab.host("hq").set_endpoint("wg0", "phone", "203.0.113.9:9");
    assert_eq!(refresh_only(&mut lab).plan(), NOTHING);
    lab.options.refresh_only = false;
    lab.edit(
        "endpoint             = \"198.51.100.7:51820\"",
        "endpoint = \"198.51.100.7:51820\"\n  pin_endpoint = true",
    );
    lab.settle();
    lab.host("hq").set_endpoint("wg0", "phone", "203.0.113.9:9");
    assert_snapshot!(recorded(&mut lab, &["hq"]), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be updated in place
      ~ peer "phone" {
            interface = interface.hub
            name      = "phone"
          ~ endpoint  = "203.0.113.9:9" -> "198.51.100.7:51820"
            # 7 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn guards_hold_and_a_reboot_is_nobodys_change() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").reboot();
    assert_snapshot!(refresh_only(&mut lab).plan(), @"
    Backend `hq`: host rebooted 60 s ago, wg0 missing.

    Nothing to record. The state says what the devices have.
    ");
    lab.options.refresh_only = false;
    lab.settle();
    lab.host("hq").linux.set_machine_id("another").unwrap();
    let plan = refresh_only(&mut lab).plan();
    assert!(plan.contains("refused: backend `hq` is another system"), "{plan}");
    lab.options.accept_new_device = [wgform::resource::BackendId::new("hq")].into();
    recorded(&mut lab, &["hq"]);
    lab.options.accept_new_device.clear();
    lab.assert_settled();
}

#[test]
fn a_part_can_be_recorded() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").remove_peer("wg0", "laptop");
    lab.host("hq").remove_peer("wg0", "phone");
    lab.options.targets = vec!["peer.phone".parse().unwrap()];
    refresh_only(&mut lab).apply();
    lab.options.targets.clear();
    assert_eq!(lab.owned(), ["interface.hub", "peer.laptop"]);
}
