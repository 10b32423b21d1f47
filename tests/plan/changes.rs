//! What the configuration changes: create, update in place, replace, destroy.

use insta::assert_snapshot;

use crate::lab::Lab;

/// One hub with two peers of other people's.
pub const HUB: &str = r#"
backend "local" "hq" {
  simulate = true
}

interface "hub" {
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
}

peer "laptop" {
  interface   = interface.hub
  public_key  = "«laptop»"
  allowed_ips = ["10.8.0.2/32"]
}

peer "phone" {
  interface            = interface.hub
  public_key           = "«phone»"
  allowed_ips          = ["10.8.0.3/32"]
  endpoint             = "198.51.100.7:51820"
  persistent_keepalive = "25s"
}
"#;

#[test]
fn everything_is_made_the_first_time() {
    let lab = Lab::new(HUB);
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be created
      + interface "hub" {
          + name        = "wg0"
          + public_key  = (known after apply)
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
    assert_snapshot!(lab.apply(), @"
    interface.hub: created
    peer.laptop: created
    peer.phone: created

    Apply complete. Resources: 3 added, 0 changed, 0 destroyed.
    ");
    assert_snapshot!(lab.plan(), @"No changes. The devices match the configuration.");
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
      «laptop» [10.8.0.2/32] keepalive off
    file /var/lib/wgform/keys/wg0
    ");
}

/// Applies `base`, edits it, plans, applies again until nothing is left, and returns the plan.
pub fn changed(base: &str, from: &str, to: &str) -> String {
    let mut lab = Lab::matching(base);
    lab.edit(from, to);
    let plan = lab.plan();
    lab.settle();
    plan
}

#[test]
fn a_port_is_updated_in_place() {
    assert_snapshot!(changed(HUB, "51820\n  addresses", "51821\n  addresses"), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name        = "wg0"
          ~ listen_port = 51820 -> 51821
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
}

#[test]
fn a_port_that_is_no_longer_written_is_left_to_the_device_as_it_is() {
    assert_snapshot!(changed(HUB, "listen_port = 51820\n  addresses", "addresses"), @"No changes. The devices match the configuration.");
}

#[test]
fn only_the_elements_of_addresses_that_differ_are_shown_as_changes() {
    let to = r#"["10.8.0.1/24", "fd00:8::1/64"]"#;
    assert_snapshot!(changed(HUB, r#"["10.8.0.1/24"]"#, to), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name      = "wg0"
          ~ addresses = [
                "10.8.0.1/24",
              + "fd00:8::1/64",
            ]
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(changed(&HUB.replace(r#"["10.8.0.1/24"]"#, to), to, r#"["fd00:8::1/64"]"#), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name      = "wg0"
          ~ addresses = [
              - "10.8.0.1/24",
                "fd00:8::1/64",
            ]
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
}

#[test]
fn an_mtu_is_set_and_brought_back_to_what_the_device_has_by_itself() {
    let with = HUB.replace("name        = \"wg0\"", "name        = \"wg0\"\n  mtu = 1380");
    assert_snapshot!(changed(HUB, "\"wg0\"", "\"wg0\"\n  mtu = 1380"), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name = "wg0"
          ~ mtu  = 1420 -> 1380
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(changed(&with, "mtu = 1380", ""), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name = "wg0"
          - mtu  = 1380 -> (the device's default)
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
}

#[test]
fn a_mark_is_set_and_cleared() {
    let with = HUB.replace("\"wg0\"", "\"wg0\"\n  fwmark = 7");
    assert_snapshot!(changed(HUB, "\"wg0\"", "\"wg0\"\n  fwmark = 7"), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name   = "wg0"
          ~ fwmark = 0 -> 7
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(changed(&with, "fwmark = 7", ""), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name   = "wg0"
          ~ fwmark = 7 -> 0
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
}

#[test]
fn a_link_goes_down_and_up_again_with_its_ipv6_addresses() {
    let up = HUB.replace(r#"["10.8.0.1/24"]"#, r#"["10.8.0.1/24", "fd00:8::1/64"]"#);
    let mut lab = Lab::matching(&up);
    lab.host("hq").handshake("wg0", "laptop", 12);
    lab.edit("\"wg0\"", "\"wg0\"\n  enabled = false");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name    = "wg0"
          ~ enabled = true -> false
            # 8 unchanged attributes hidden
        }

    This apply cuts 1 session:

      peer.laptop, last handshake 12 s ago

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 1.
    "#);
    lab.settle();
    lab.edit("enabled = false", "");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name    = "wg0"
          ~ enabled = false -> true
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 1 of 1.
    "#);
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24 fd00:8::1/64]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
      «laptop» [10.8.0.2/32] keepalive off
    file /var/lib/wgform/keys/wg0
    ");
}

#[test]
fn what_only_the_state_holds_is_updated_there() {
    assert_snapshot!(changed(HUB, "\"wg0\"", "\"wg0\"\n  description = \"the hub\""), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name        = "wg0"
          ~ description = "" -> "the hub"
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
}

#[test]
fn what_only_tells_wgform_what_to_do_is_no_change() {
    let to = "\"wg0\"\n  unmanaged_peers = \"ignore\"\n  force_destroy = true";
    assert_snapshot!(changed(HUB, "\"wg0\"", to), @"No changes. The devices match the configuration.");
}

#[test]
fn the_kernel_renames_an_interface_in_place_and_its_key_file_follows() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").handshake("wg0", "laptop", 12);
    lab.edit("\"wg0\"", "\"wg9\"");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
          ~ name     = "wg0" -> "wg9"
          ~ key_file = "/var/lib/wgform/keys/wg0" -> "/var/lib/wgform/keys/wg9"
            # 9 unchanged attributes hidden
        }

    This apply cuts 1 session:

      peer.laptop, last handshake 12 s ago

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 1.
    "#);
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg9 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
      «laptop» [10.8.0.2/32] keepalive off
    file /var/lib/wgform/keys/wg9
    ");
}

#[test]
fn allowed_ips_are_changed_as_a_whole() {
    let to = r#"["10.8.0.2/32", "10.20.0.0/16"]"#;
    assert_snapshot!(changed(HUB, r#"["10.8.0.2/32"]"#, to), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) will be updated in place
      ~ peer "laptop" {
            interface   = interface.hub
            name        = "laptop"
          ~ allowed_ips = [
                "10.8.0.2/32",
              + "10.20.0.0/16",
            ]
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    let lab = Lab::matching(&HUB.replace(r#"["10.8.0.2/32"]"#, "[]"));
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
      «laptop» [] keepalive off
    file /var/lib/wgform/keys/wg0
    ");
}

#[test]
fn of_a_long_list_only_what_changes_is_shown() {
    let list = |last: u32| {
        let all: Vec<_> = (0..10).map(|n| format!("\"10.{n}.0.0/16\"")).collect();
        format!("[{}, \"10.{last}.0.0/16\"]", all.join(", "))
    };
    let base = HUB.replace(r#"["10.8.0.2/32"]"#, &list(50));
    assert_snapshot!(changed(&base, &list(50), &list(60)), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) will be updated in place
      ~ peer "laptop" {
            interface   = interface.hub
            name        = "laptop"
          ~ allowed_ips = [
              - "10.50.0.0/16",
              + "10.60.0.0/16",
                # 10 unchanged elements hidden
            ]
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
}

#[test]
fn an_endpoint_is_set_changed_and_left_alone() {
    let at = "allowed_ips = [\"10.8.0.2/32\"]";
    let with = format!("{at}\n  endpoint = \"vpn.example.com:51820\"");
    assert_snapshot!(changed(HUB, at, &with), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) will be updated in place
      ~ peer "laptop" {
            interface = interface.hub
            name      = "laptop"
          + endpoint  = "vpn.example.com:51820"
            # 7 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(changed(HUB, "198.51.100.7", "198.51.100.8"), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be updated in place
      ~ peer "phone" {
            interface = interface.hub
            name      = "phone"
          ~ endpoint  = "198.51.100.7:51820" -> "198.51.100.8:51820"
            # 7 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(changed(HUB, "endpoint             = \"198.51.100.7:51820\"", ""), @"No changes. The devices match the configuration.");
}

#[test]
fn a_keepalive_is_changed_and_cleared() {
    assert_snapshot!(changed(HUB, "25s", "30s"), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be updated in place
      ~ peer "phone" {
            interface            = interface.hub
            name                 = "phone"
          ~ persistent_keepalive = "25s" -> "30s"
            # 7 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(changed(HUB, "persistent_keepalive = \"25s\"", ""), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be updated in place
      ~ peer "phone" {
            interface            = interface.hub
            name                 = "phone"
          ~ persistent_keepalive = "25s" -> "off"
            # 7 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
}

#[test]
fn another_spelling_of_the_same_value_is_no_change() {
    let mut lab = Lab::matching(HUB);
    lab.edit(r#"["10.8.0.2/32"]"#, r#"["10.8.0.2"]"#).edit("25s", "0m25s");
    assert_snapshot!(lab.plan(), @"No changes. The devices match the configuration.");
}

#[test]
fn a_peer_whose_block_is_gone_is_destroyed() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").handshake("wg0", "laptop", 40);
    lab.host("hq").handshake("wg0", "phone", 50);
    lab.remove_block("peer \"laptop\"");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) will be destroyed (it is no longer in the configuration)
      - peer "laptop" {
          - interface   = interface.hub
          - public_key  = "«laptop»"
          - name        = "laptop"
          - allowed_ips = ["10.8.0.2/32"]
        }

    This apply cuts 1 session:

      peer.laptop, last handshake 40 s ago

    Plan: 0 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 1 of 2.
    "#);
    lab.settle();
    assert_eq!(lab.owned(), ["interface.hub", "peer.phone"]);
}

#[test]
fn an_interface_whose_block_is_gone_goes_after_its_peers() {
    let mut lab = Lab::matching(HUB);
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
    "#);
    assert_snapshot!(lab.steps(), @"
    peer.phone: delete wg0/«phone»
    peer.laptop: delete wg0/«laptop»
    interface.hub: delete wg0
    ");
    lab.settle();
    assert_eq!(lab.show("hq"), "");
}

#[test]
fn a_backend_whose_block_is_gone_is_reached_as_before() {
    let mut lab = Lab::matching(HUB);
    lab.replace("");
    assert_snapshot!(lab.steps(), @"
    peer.phone: delete wg0/«phone»
    peer.laptop: delete wg0/«laptop»
    interface.hub: delete wg0
    ");
    lab.settle();
    assert_eq!(lab.show("hq"), "");
    assert!(lab.state().backends.is_empty());
}

#[test]
fn everything_that_is_owned_is_destroyed_and_nothing_else() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").add_interface("wg7", "foreign", 7777);
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
      - interface "hub" {
          - name        = "wg0"
          - key_file    = "/var/lib/wgform/keys/wg0"
          - public_key  = "«wg0@hq»"
          - listen_port = 51820
          - addresses   = ["10.8.0.1/24"]
        }

    Plan: 0 to add, 0 to change, 3 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.apply(), @"
    peer.phone: destroyed
    peer.laptop: destroyed
    interface.hub: destroyed

    Destroy complete. Resources: 0 added, 0 changed, 3 destroyed.
    ");
    assert_snapshot!(lab.show("hq"), @"wg7 «foreign» up port 7777 mtu 1420 mark 0 []");
    assert!(lab.owned().is_empty());
}
