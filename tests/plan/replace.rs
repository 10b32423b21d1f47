//! What cannot change where it is: it is made anew, with the key it had.

use insta::assert_snapshot;

use crate::changes::HUB;
use crate::lab::Lab;

#[test]
fn userspace_wireguard_gets_another_name_by_being_made_anew_with_its_key() {
    let mut lab = Lab::new(HUB);
    lab.traits("hq").cannot_rename = true;
    lab.settle();
    lab.host("hq").handshake("wg0", "laptop", 12);
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

    This apply cuts 1 session:

      peer.laptop, last handshake 12 s ago

    Plan: 3 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 1.
    "#);
    assert_snapshot!(lab.steps(), @"
    interface.hub: create wg9 down
    peer.laptop: create wg9/«laptop»
    peer.phone: create wg9/«phone»
    interface.hub: delete wg0
    interface.hub: update wg9 enabled
    ");
    assert_snapshot!(lab.apply(), @"
    interface.hub: created
    peer.laptop: created
    peer.phone: created
    interface.hub: old one destroyed
    interface.hub: brought up

    Apply complete. Resources: 3 added, 0 changed, 1 destroyed.
    ");
    lab.assert_settled();
    assert_snapshot!(lab.show("hq"), @"
    wg9 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
      «laptop» [10.8.0.2/32] keepalive off
    file /var/lib/wgform/keys/wg9
    ");
}

#[test]
fn a_disabled_interface_is_replaced_without_being_brought_up() {
    let mut lab = Lab::new(&HUB.replace("\"wg0\"", "\"wg0\"\n  enabled = false"));
    lab.traits("hq").cannot_rename = true;
    lab.settle();
    lab.edit("\"wg0\"", "\"wg9\"");
    assert_snapshot!(lab.steps(), @"
    interface.hub: create wg9
    peer.laptop: create wg9/«laptop»
    peer.phone: create wg9/«phone»
    interface.hub: delete wg0
    ");
    lab.settle();
}

#[test]
fn a_peer_with_another_public_key_is_another_peer() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").handshake("wg0", "laptop", 12);
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

    This apply cuts 1 session:

      peer.laptop, last handshake 12 s ago

    Plan: 1 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 1.
    "#);
    assert_snapshot!(lab.steps(), @"
    peer.laptop: create wg0/«laptop 2»
    peer.laptop: delete wg0/«laptop»
    ");
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
      «laptop 2» [10.8.0.2/32] keepalive off
    file /var/lib/wgform/keys/wg0
    ");
}

const TWO: &str = r#"
interface "side" {
  name        = "wg1"
  listen_port = 51821
}
"#;

#[test]
fn a_peer_moves_to_another_interface() {
    let mut lab = Lab::matching(&format!("{HUB}{TWO}"));
    lab.edit(
        "peer \"laptop\" {\n  interface   = interface.hub",
        "peer \"laptop\" {\n  interface   = interface.side",
    );
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) must be replaced (`interface` cannot change on local)
    +/- peer "laptop" {
          ~ interface = interface.hub -> interface.side  # forces replacement
            name      = "laptop"
            # 6 unchanged attributes hidden
        }

    Plan: 1 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.steps(), @"
    peer.laptop: create wg1/«laptop»
    peer.laptop: delete wg0/«laptop»
    ");
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
    wg1 «wg1@hq» up port 51821 mtu 1420 mark 0 []
      «laptop» [10.8.0.2/32] keepalive off
    file /var/lib/wgform/keys/wg0
    file /var/lib/wgform/keys/wg1
    ");
}

#[test]
fn an_interface_moves_to_another_backend_with_its_key() {
    let mut lab = Lab::matching(&HUB.replace("\"wg0\"", "\"wg0\"\n  backend = backend.hq"));
    let before = lab.host("hq").key_of("wg0");
    lab.append("backend \"local\" \"dr\" {\n  simulate = true\n}\n");
    lab.edit("backend.hq", "backend.dr");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "dr" (simulated) must be replaced (`backend` cannot change on local)
    +/- interface "hub" {
          ~ backend = backend.hq -> backend.dr  # forces replacement
            name    = "wg0"
            # 9 unchanged attributes hidden
        }

      # peer.laptop on local "dr" (simulated) will be created on the interface that is made anew
      + peer "laptop" {
          + interface   = interface.hub
          + public_key  = "«laptop»"
          + name        = "laptop"
          + allowed_ips = ["10.8.0.2/32"]
        }

      # peer.phone on local "dr" (simulated) will be created on the interface that is made anew
      + peer "phone" {
          + interface            = interface.hub
          + public_key           = "«phone»"
          + name                 = "phone"
          + allowed_ips          = ["10.8.0.3/32"]
          + endpoint             = "198.51.100.7:51820"
          + persistent_keepalive = "25s"
        }

    Plan: 3 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.steps(), @"
    interface.hub: create wg0 down
    peer.laptop: create wg0/«laptop»
    peer.phone: create wg0/«phone»
    interface.hub: delete wg0
    interface.hub: update wg0 enabled
    ");
    lab.settle();
    assert_eq!(lab.host("dr").key_of("wg0"), before);
    assert_snapshot!(lab.show("hq"), @"");
    assert_snapshot!(lab.show("dr"), @"
    wg0 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
      «laptop» [10.8.0.2/32] keepalive off
    file /var/lib/wgform/keys/wg0
    ");
}

#[test]
fn an_interface_leaves_nothing_on_a_host_of_which_the_other_one_is_a_copy() {
    let dr = "backend \"local\" \"dr\" {\n  simulate = true\n}\n";
    let mut lab = Lab::new(&(HUB.replace("\"wg0\"", "\"wg0\"\n  backend = backend.hq") + dr));
    ["hq", "dr"].iter().for_each(|it| lab.host(it).linux.set_machine_id("copied").unwrap());
    lab.settle();
    lab.edit("= backend.hq", "= backend.dr");
    let plan = lab.plan();
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"");
    assert!(lab.show("dr").contains("file /var/lib/wgform/keys/wg0"));
    assert!(
        plan.ends_with(
            "warning: two hosts with one machine id\n  at `backend \"local\" \"hq\"`: backends `dr` and `hq` have \
             different boot ids or names, so they are two hosts, and one was copied from the other\n  help: Give one of them \
             another id: remove its `/etc/machine-id`, run `systemd-machine-id-setup`, and accept it with \
             `-accept-new-device=ID`.\n"
        ),
        "{}",
        plan
    );
    // Nor is one in the way of the other.
    lab.append("interface \"other\" {\n  backend = backend.hq\n  name = \"wg0\"\n  listen_port = 51820\n}\n");
    lab.settle();
}

#[test]
fn another_label_with_the_same_name_takes_its_place() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").handshake("wg0", "laptop", 12);
    let text = HUB.replace("interface \"hub\"", "interface \"main\"");
    lab.replace(&text.replace("interface.hub", "interface.main"));
    assert_snapshot!(lab.plan(), @r#"
    No changes. The devices match the configuration.
    warning: interface under another label
      at `interface "main"`: `wg0` is `interface.hub` in the state, and its block is gone
      help: The interface stays as it is, with its key and its sessions, and `interface.main` owns it from the next apply on. If it is to be another interface, give the new block another `name`.
    "#);
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
      «laptop» [10.8.0.2/32] keepalive off
    file /var/lib/wgform/keys/wg0
    ");
}

#[test]
fn another_label_for_a_peer_takes_the_object_over() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").handshake("wg0", "laptop", 12);
    lab.edit("peer \"laptop\"", "peer \"notebook\"");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.notebook on local "hq" (simulated) will be created
      + peer "notebook" {
          + interface   = interface.hub
          + public_key  = "«laptop»"
          + name        = "notebook"
          + allowed_ips = ["10.8.0.2/32"]
        }

      # peer.laptop on local "hq" (simulated) will be destroyed (it is no longer in the configuration)
      - peer "laptop" {
          - interface   = interface.hub
          - public_key  = "«laptop»"
          - name        = "laptop"
          - allowed_ips = ["10.8.0.2/32"]
        }

    Plan: 1 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 1 of 1.
    "#);
    assert_snapshot!(lab.steps(), @"
    peer.notebook: record
    peer.laptop: record
    ");
    lab.settle();
}

#[test]
fn a_peer_that_moves_to_a_new_interface_leaves_the_old_one() {
    let mut lab = Lab::matching(HUB);
    lab.append(TWO);
    let at = "peer \"laptop\" {\n  interface   = interface.";
    lab.edit(&format!("{at}hub"), &format!("{at}side"));
    assert_snapshot!(lab.steps(), @"
    interface.side: create wg1
    peer.laptop: create wg1/«laptop»
    peer.laptop: delete wg0/«laptop»
    ");
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
    wg1 «wg1@hq» up port 51821 mtu 1420 mark 0 []
      «laptop» [10.8.0.2/32] keepalive off
    file /var/lib/wgform/keys/wg0
    file /var/lib/wgform/keys/wg1
    ");
}

#[test]
fn a_peer_moves_to_the_interface_that_takes_the_name_of_its_old_one() {
    let mut lab = Lab::matching(HUB);
    lab.edit("\"wg0\"", "\"wg9\"").append(&TWO.replace("wg1", "wg0"));
    let at = "peer \"laptop\" {\n  interface   = interface.";
    lab.edit(&format!("{at}hub"), &format!("{at}side"));
    assert_snapshot!(lab.steps(), @"
    interface.hub: update wg0 to wg9 key
    interface.side: create wg0
    peer.laptop: create wg0/«laptop»
    peer.laptop: delete wg9/«laptop»
    ");
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq #2» up port 51821 mtu 1420 mark 0 []
      «laptop» [10.8.0.2/32] keepalive off
    wg9 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
    file /var/lib/wgform/keys/wg0
    file /var/lib/wgform/keys/wg9
    ");
}

#[test]
fn peers_and_names_of_two_interfaces_change_places() {
    let mut lab = Lab::matching(&format!("{HUB}{TWO}"));
    lab.edit("\"wg0\"", "\"x\"").edit("\"wg1\"", "\"wg0\"").edit("\"x\"", "\"wg1\"");
    let at = "peer \"laptop\" {\n  interface   = interface.";
    lab.edit(&format!("{at}hub"), &format!("{at}side"));
    assert_snapshot!(lab.steps(), @"
    interface.hub: update wg0 to wgform-tmp4
    interface.side: update wg1 to wg0 key
    interface.hub: update wgform-tmp4 to wg1 key
    peer.laptop: create wg0/«laptop»
    peer.laptop: delete wg1/«laptop»
    ");
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg1@hq» up port 51821 mtu 1420 mark 0 []
      «laptop» [10.8.0.2/32] keepalive off
    wg1 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
    file /var/lib/wgform/keys/wg0
    file /var/lib/wgform/keys/wg1
    ");
}
