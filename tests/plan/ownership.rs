//! What is ours and what is not.

use insta::assert_snapshot;

use crate::changes::HUB;
use crate::lab::Lab;

/// A hub with a peer that nobody declared.
fn with_stranger(policy: &str) -> Lab {
    let text = HUB.replace("\"wg0\"", &format!("\"wg0\"\n  unmanaged_peers = \"{policy}\""));
    let lab = Lab::matching(&text);
    lab.host("hq").set_peer("wg0", "stranger", &["10.66.0.0/24", "10.65.0.0/24"]);
    lab.host("hq").handshake("wg0", "stranger", 40);
    lab
}

#[test]
fn a_stranger_is_reported_and_left_alone() {
    let lab = with_stranger("warn");
    assert_snapshot!(lab.plan(), @"
    1 peer that nobody declared, left alone:

      «stranger» of interface.hub: 10.65.0.0/24, 10.66.0.0/24; last handshake 40 s ago

      To manage one, declare it and run `wgform import peer.NAME INTERFACE/KEY`; `unmanaged_peers` on the interface
      decides whether they are reported, ignored or removed.

    No changes. The devices match the configuration.
    ");
    assert_snapshot!(lab.drift(), @"
    1 peer that nobody declared, left alone:

      «stranger» of interface.hub: 10.65.0.0/24, 10.66.0.0/24; last handshake 40 s ago

      To manage one, declare it and run `wgform import peer.NAME INTERFACE/KEY`; `unmanaged_peers` on the interface
      decides whether they are reported, ignored or removed.

    Drift: 0 resources changed outside of wgform, 1 unmanaged peer.
    ");
    lab.settle();
    assert!(lab.show("hq").contains("«stranger»"));
}

#[test]
fn a_stranger_may_be_ignored() {
    let lab = with_stranger("ignore");
    assert_snapshot!(lab.plan(), @"No changes. The devices match the configuration.");
}

#[test]
fn a_stranger_may_be_removed_which_is_said_with_its_last_handshake() {
    let lab = with_stranger("remove");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer «stranger» of interface.hub on local "hq" (simulated) will be destroyed (nobody declared it, and `unmanaged_peers` is "remove")
      # last handshake 40 s ago
      - peer (unmanaged) {
          - public_key  = "«stranger»"
          - allowed_ips = ["10.65.0.0/24", "10.66.0.0/24"]
        }

    This apply cuts 1 session:

      unmanaged peer «stranger» of interface.hub, last handshake 40 s ago

    Plan: 0 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 1.
    "#);
    assert_snapshot!(lab.apply(), @"
    unmanaged peer «stranger» of interface.hub: destroyed

    Apply complete. Resources: 0 added, 0 changed, 1 destroyed.
    ");
    lab.assert_settled();
    assert!(!lab.show("hq").contains("«stranger»"));
}

#[test]
fn the_network_of_a_stranger_is_not_taken_without_a_word() {
    let mut lab = with_stranger("ignore");
    lab.edit("10.8.0.3/32", "10.66.0.0/24");
    assert_snapshot!(lab.plan(), @r#"
    error: allowed IP of an unmanaged peer
      at `["10.66.0.0/24"]`: `10.66.0.0/24` is routed to peer `«stranger»` now
      help: No block declares that peer, and it would lose the network. Declare and import it, remove it from the host, or set `unmanaged_peers = "remove"` on the interface.
    "#);
    lab.edit("\"ignore\"", "\"remove\"");
    lab.settle();
}

#[test]
fn a_peer_that_waits_for_its_key_or_was_not_asked_for_takes_no_network() {
    let mut lab = with_stranger("ignore");
    lab.edit("10.8.0.3/32", "10.66.0.0/24").edit("25s", "20s");
    lab.options.excludes = vec!["peer.phone".parse().unwrap()];
    assert_eq!(lab.steps(), "");
    lab.options.excludes.clear();
    lab.edit("\"«phone»\"", "null");
    lab.settle();
}

#[test]
fn an_interface_that_exists_and_is_wanted_is_imported() {
    let lab = Lab::new(HUB);
    let host = lab.host("hq");
    host.add_interface("wg0", "hub", 51820);
    host.add_address("wg0", "10.8.0.1/24");
    assert_snapshot!(lab.plan(), @r#"
    error: existing interface that wgform does not manage
      at `"wg0"`: `wg0` is already on backend `hq`
      help: To take it over, run:

      wgform import interface.hub wg0
    "#);
    assert_snapshot!(lab.import("interface.hub", "wg0"), @"imported");
    assert_snapshot!(lab.steps(), @"
    peer.laptop: create wg0/«laptop»
    peer.phone: create wg0/«phone»
    ");
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
      «laptop» [10.8.0.2/32] keepalive off
    ");
}

#[test]
fn what_was_imported_as_it_is_wanted_needs_no_change() {
    let lab = Lab::new(HUB);
    let host = lab.host("hq");
    host.add_interface("wg0", "hub", 51820);
    host.add_address("wg0", "10.8.0.1/24");
    lab.import("interface.hub", "wg0");
    lab.apply();
    lab.edit_state(|state| state.resources.retain(|it, _| it.to_string() == "interface.hub"));
    assert_snapshot!(lab.plan(), @r#"
    error: existing peer that wgform does not manage
      at `"«laptop»"`: a peer with this key is already on `wg0` of backend `hq`
      help: To take it over, run:

      wgform import peer.laptop wg0/«laptop»
    error: existing peer that wgform does not manage
      at `"«phone»"`: a peer with this key is already on `wg0` of backend `hq`
      help: To take it over, run:

      wgform import peer.phone wg0/«phone»
    "#);
    lab.import("peer.laptop", "wg0/«laptop»");
    assert_snapshot!(lab.import("peer.laptop", "wg0/«laptop»"), @"
    refused: `peer.laptop` is in the state already
      help: forget it first with `wgform state rm peer.laptop`
    ");
    lab.import("peer.phone", "wg0/«phone»");
    lab.assert_settled();
    assert_snapshot!(lab.plan(), @"No changes. The devices match the configuration.");
}

#[test]
fn a_peer_is_imported_by_the_name_that_its_interface_still_has() {
    let mut lab = Lab::matching(HUB);
    lab.edit_state(|state| state.resources.retain(|it, _| it.to_string() != "peer.laptop"));
    lab.edit("\"wg0\"", "\"wg9\"");
    assert!(lab.plan().contains("wgform import peer.laptop wg0/«laptop»"), "{}", lab.plan());
    assert_eq!(lab.import("peer.laptop", "wg0/«laptop»"), "imported\n");
    lab.settle();
}

#[test]
fn an_imported_difference_is_a_change_of_ours() {
    let lab = Lab::new(HUB);
    let host = lab.host("hq");
    host.add_interface("wg0", "hub", 4242);
    host.add_address("wg0", "10.9.0.1/24");
    lab.import("interface.hub", "wg0");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name        = "wg0"
          ~ listen_port = 4242 -> 51820
          ~ addresses   = [
              + "10.8.0.1/24",
              - "10.9.0.1/24",
            ]
            # 7 unchanged attributes hidden
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

    Plan: 2 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn what_cannot_be_imported_is_refused() {
    let lab = Lab::new(HUB);
    assert_snapshot!(lab.import("interface.hub", "wg0"), @"
    refused: backend `hq` has no WireGuard interface `wg0`
      help: there is no WireGuard interface on that backend
    ");
    lab.host("hq").add_interface("wg0", "hub", 51820);
    assert_snapshot!(lab.import("interface.nobody", "wg0"), @r#"
    refused: the configuration has no `interface.nobody`
      help: write the block first: interface "nobody" { … }
    "#);
    assert_snapshot!(lab.import("peer.laptop", "wg0"), @"
    refused: `wg0` does not name a peer
      help: write it as INTERFACE/PUBLIC_KEY, such as wg0/xTIB…=
    ");
    assert_snapshot!(lab.import("peer.laptop", "wg1/«laptop»"), @"
    refused: `peer.laptop` is on interface `wg0` by its configuration, not on `wg1`
      help: name the interface that the block refers to
    ");
    assert_snapshot!(lab.import("peer.laptop", "wg0/«phone»"), @"
    refused: `peer.laptop` has the public key «laptop» in the configuration
      help: import the peer with that key, or change the configuration
    ");
    assert_snapshot!(lab.import("peer.laptop", "wg0/«laptop»"), @"
    refused: `wg0` on backend `hq` has no peer «laptop»
      help: `wgform drift` lists the peers that nobody declared, on interfaces that wgform owns
    ");
    lab.import("interface.hub", "wg0");
    assert_snapshot!(lab.import("interface.hub", "wg0"), @"
    refused: `interface.hub` is in the state already
      help: forget it first with `wgform state rm interface.hub`
    ");
}

#[test]
fn names_and_ports_of_others_are_not_taken() {
    let lab = Lab::new(HUB);
    lab.host("hq").linux.add_other_link("wg0").unwrap();
    lab.host("hq").add_interface("wg7", "foreign", 51820);
    assert_snapshot!(lab.plan(), @r#"
    error: interface name taken by another link
      at `"wg0"`: `wg0` on backend `hq` is a link that is not WireGuard's
      help: Give the interface another `name`.
    error: listen port taken by another interface
      at `51820`: `wg7` on backend `hq` listens on `51820`
      help: `wg7` is not managed by wgform. Choose another `listen_port`.
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story: what comes next needs what came before")]
fn an_interface_with_strangers_is_destroyed_by_force_only() {
    let mut lab = with_stranger("warn");
    lab.options.destroy = true;
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be destroyed
      - peer "phone" {
          - interface            = interface.hub
          - public_key           = "«phone»"
          - name                 = "phone"
          - allowed_ips          = ["10.8.0.3/32"]
          - endpoint             = "198.51.100.7:51820"
          - persistent_keepalive = "25s"
        }

      # peer.laptop on local "hq" (simulated) will be destroyed
      - peer "laptop" {
          - interface   = interface.hub
          - public_key  = "«laptop»"
          - name        = "laptop"
          - allowed_ips = ["10.8.0.2/32"]
        }

      # interface.hub on local "hq" (simulated) will be destroyed
      # 1 unmanaged peer goes with it
      - interface "hub" {
          - name        = "wg0"
          - key_file    = "/var/lib/wgform/keys/wg0"
          - public_key  = "«wg0@hq»"
          - listen_port = 51820
          - addresses   = ["10.8.0.1/24"]
        }

    This apply cuts 1 session:

      unmanaged peer «stranger» of interface.hub, last handshake 40 s ago

    Plan: 0 to add, 0 to change, 3 to destroy. Drift undone: none. Sessions kept: 0 of 1.
    refused: `interface.hub` would be destroyed with 1 peer that wgform does not manage
      help: remove or import those peers, or set `force_destroy = true` on `interface.hub` and apply that first
    "#);
    lab.options.destroy = false;
    lab.edit("\"wg0\"", "\"wg0\"\n  force_destroy = true");
    lab.settle();
    lab.options.destroy = true;
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be destroyed
      - peer "phone" {
          - interface            = interface.hub
          - public_key           = "«phone»"
          - name                 = "phone"
          - allowed_ips          = ["10.8.0.3/32"]
          - endpoint             = "198.51.100.7:51820"
          - persistent_keepalive = "25s"
        }

      # peer.laptop on local "hq" (simulated) will be destroyed
      - peer "laptop" {
          - interface   = interface.hub
          - public_key  = "«laptop»"
          - name        = "laptop"
          - allowed_ips = ["10.8.0.2/32"]
        }

      # interface.hub on local "hq" (simulated) will be destroyed
      # 1 unmanaged peer goes with it
      - interface "hub" {
          - name          = "wg0"
          - key_file      = "/var/lib/wgform/keys/wg0"
          - public_key    = "«wg0@hq»"
          - listen_port   = 51820
          - addresses     = ["10.8.0.1/24"]
          - force_destroy = true
        }

    This apply cuts 1 session:

      unmanaged peer «stranger» of interface.hub, last handshake 40 s ago

    Plan: 0 to add, 0 to change, 3 to destroy. Drift undone: none. Sessions kept: 0 of 1.
    "#);
    lab.apply();
    assert_eq!(lab.show("hq"), "");
}

#[test]
fn an_interface_with_strangers_is_replaced_by_force_only() {
    let mut lab = with_stranger("warn");
    lab.traits("hq").cannot_rename = true;
    lab.edit("\"wg0\"", "\"wg9\"");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) must be replaced (`name` cannot change on local)
      # 1 unmanaged peer goes with it
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

      unmanaged peer «stranger» of interface.hub, last handshake 40 s ago

    Plan: 3 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 1.
    refused: `interface.hub` would be replaced with 1 peer that wgform does not manage
      help: remove or import those peers, or set `force_destroy = true` on `interface.hub`
    "#);
}

#[test]
fn foreign_interfaces_peers_and_addresses_outlive_everything() {
    let mut lab = with_stranger("ignore");
    let host = lab.host("hq");
    host.add_interface("wg7", "foreign", 7777);
    host.set_peer("wg7", "friend", &["10.77.0.0/24"]);
    host.add_address("wg0", "192.168.9.1/24");
    lab.edit("51820\n  addresses", "51900\n  addresses").edit("10.8.0.1/24", "10.9.0.1/24");
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq» up port 51900 mtu 1420 mark 0 [10.9.0.1/24 192.168.9.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
      «laptop» [10.8.0.2/32] keepalive off
      «stranger» [10.65.0.0/24 10.66.0.0/24] keepalive off
    wg7 «foreign» up port 7777 mtu 1420 mark 0 []
      «friend» [10.77.0.0/24] keepalive off
    file /var/lib/wgform/keys/wg0
    ");
}
