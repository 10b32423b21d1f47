//! Peers that wait, end, rest and come back.

use insta::assert_snapshot;

use crate::changes::HUB;
use crate::lab::Lab;

#[test]
fn a_peer_without_a_key_waits_for_it() {
    let mut lab = Lab::matching(&HUB.replace("\"«laptop»\"", "null"));
    assert_snapshot!(lab.plan(), @"
    Pending, until their `public_key` is set:

      peer.laptop

    No changes. The devices match the configuration.
    ");
    assert_eq!(lab.owned(), ["interface.hub", "peer.phone"]);
    lab.edit("null", "\"«laptop»\"");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) will be created
      + peer "laptop" {
          + interface   = interface.hub
          + public_key  = "«laptop»"
          + name        = "laptop"
          + allowed_ips = ["10.8.0.2/32"]
        }

    Plan: 1 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn a_peer_that_loses_its_key_is_destroyed_and_waits() {
    let mut lab = Lab::matching(HUB);
    lab.edit("\"«laptop»\"", "null");
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
    "#);
    lab.settle();
    assert_eq!(lab.owned(), ["interface.hub", "peer.phone"]);
}

#[test]
fn a_peer_that_is_disabled_leaves_the_device_and_stays_ours() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").handshake("wg0", "phone", 12);
    lab.edit("\"«phone»\"", "\"«phone»\"\n  enabled = false");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be updated in place
      ~ peer "phone" {
            interface = interface.hub
            name      = "phone"
          ~ enabled   = true -> false
            # 7 unchanged attributes hidden
        }

    This apply cuts 1 session:

      peer.phone, last handshake 12 s ago

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 1.
    "#);
    lab.settle();
    assert!(!lab.show("hq").contains("«phone»"));
    assert_eq!(lab.owned(), ["interface.hub", "peer.laptop", "peer.phone"]);
    lab.edit("enabled = false\n", "");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be updated in place
      ~ peer "phone" {
            interface = interface.hub
            name      = "phone"
          ~ enabled   = false -> true
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert!(lab.show("hq").contains("«phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story: what comes next needs what came before")]
fn a_peer_that_is_disabled_from_the_start_is_only_recorded() {
    let mut lab = Lab::new(&HUB.replace("\"«phone»\"", "\"«phone»\"\n  enabled = false"));
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
          + enabled              = false
          + allowed_ips          = ["10.8.0.3/32"]
          + endpoint             = "198.51.100.7:51820"
          + persistent_keepalive = "25s"
        }

    Plan: 3 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    lab.edit("10.8.0.3/32", "10.8.0.4/32");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be updated in place
      ~ peer "phone" {
            interface   = interface.hub
            name        = "phone"
          ~ allowed_ips = [
              - "10.8.0.3/32",
              + "10.8.0.4/32",
            ]
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    lab.edit("\"«phone»\"", "\"«phone 2»\"");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) must be replaced (`public_key` cannot change on local)
    +/- peer "phone" {
            interface  = interface.hub
          ~ public_key = "«phone»" -> "«phone 2»"  # forces replacement
            name       = "phone"
            # 6 unchanged attributes hidden
        }

    Plan: 1 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.steps(), @"peer.phone: record");
    lab.settle();
    lab.remove_block("peer \"phone\"");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be destroyed (it is no longer in the configuration)
      - peer "phone" {
          - interface            = interface.hub
          - public_key           = "«phone 2»"
          - name                 = "phone"
          - enabled              = false
          - allowed_ips          = ["10.8.0.4/32"]
          - endpoint             = "198.51.100.7:51820"
          - persistent_keepalive = "25s"
        }

    Plan: 0 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn somebody_who_adds_a_disabled_peer_has_changed_it() {
    let lab = Lab::matching(&HUB.replace("\"«phone»\"", "\"«phone»\"\n  enabled = false"));
    lab.host("hq").set_peer("wg0", "phone", &["10.8.0.3/32"]);
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # peer.phone on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ peer "phone" {
            interface = interface.hub
            name      = "phone"
          ~ enabled   = true -> false
            # 7 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert!(!lab.show("hq").contains("«phone»"));
}

#[test]
fn a_peer_that_has_expired_is_treated_as_disabled() {
    let end = "\"«phone»\"\n  expires_at = \"2026-07-01T12:30:00Z\"";
    let mut lab = Lab::new(&HUB.replace("\"«phone»\"", end));
    lab.settle();
    assert!(lab.show("hq").contains("«phone»"));
    lab.pass(std::time::Duration::from_secs(3600));
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be updated in place
      # expired: its `expires_at` is 2026-07-01T12:30:00Z, so it is treated as disabled
      ~ peer "phone" {
            interface = interface.hub
            name      = "phone"
          ~ enabled   = true -> false
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert!(!lab.show("hq").contains("«phone»"));
    lab.edit("2026-07-01T12:30:00Z", "2027-07-01T12:30:00Z");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be updated in place
      ~ peer "phone" {
            interface = interface.hub
            name      = "phone"
          ~ enabled   = false -> true
            # 7 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn an_expired_peer_does_not_keep_its_network_from_others() {
    let end = "\"«phone»\"\n  expires_at = \"2026-07-01T11:00:00Z\"";
    let lab = Lab::new(&HUB.replace("\"«phone»\"", end).replace("10.8.0.3/32", "10.8.0.2/32"));
    lab.settle();
}

#[test]
fn two_peers_cannot_have_one_network_or_one_key() {
    let lab = Lab::new(&HUB.replace("10.8.0.3/32", "10.8.0.2/32").replace("«phone»", "«laptop»"));
    assert_snapshot!(lab.plan(), @r#"
    error: two peers with one public key
      at `"«laptop»"`: `peer.phone` has `5Etvk/ES…` on `interface.hub`
      at `"«laptop»"`: `peer.laptop` has `5Etvk/ES…` on `interface.hub`
      help: WireGuard knows a peer by its public key. Give each peer of an interface its own.
    error: two peers with one allowed IP
      at `["10.8.0.2/32"]`: `peer.phone` has `10.8.0.2/32` on `interface.hub`
      at `["10.8.0.2/32"]`: `peer.laptop` has `10.8.0.2/32` on `interface.hub`
      help: WireGuard routes a network to one peer only. Remove it from one of the two.
    "#);
}

#[test]
fn two_peers_that_turn_out_to_have_one_key_are_told_apart_while_it_is_made() {
    for enabled in [true, false] {
        let lab = Lab::new(&format!(
            r#"
backend "local" "hq" {{
  simulate = true
}}

interface "hub" {{
  backend = backend.hq
}}

interface "far" {{
  backend = backend.hq
}}

peer "one" {{
  interface   = interface.hub
  public_key  = interface.far.public_key
  allowed_ips = []
  enabled     = {enabled}
}}

peer "two" {{
  interface   = interface.hub
  public_key  = interface.far.public_key
  allowed_ips = []
  enabled     = {enabled}
}}
"#
        ));
        let report = lab.apply();
        let why = "its public key is that of `peer.one`, and WireGuard knows a peer by its key";
        assert!(report.contains(why) && report.contains("Apply done in part."), "{report}");
        assert!(lab.plan().contains("error: two peers with one public key"));
    }
}

#[test]
fn a_disabled_peer_that_somebody_added_goes_with_its_block() {
    let mut lab = Lab::matching(&HUB.replace("\"«phone»\"", "\"«phone»\"\n  enabled = false"));
    lab.host("hq").set_peer("wg0", "phone", &["10.8.0.3/32"]);
    lab.remove_block("peer \"phone\"");
    assert_snapshot!(lab.steps(), @"peer.phone: delete wg0/«phone»");
    lab.settle();
    assert!(!lab.show("hq").contains("«phone»"));
}

#[test]
fn what_a_resource_makes_or_does_not_make_is_known_after_one_apply() {
    for (interface, peer) in [
        ("", "endpoint = \"far.example:${interface.hub.listen_port}\""),
        ("enabled = false", "description = interface.hub.listen_port"),
        ("", "description = interface.hub.key_file"),
        ("private_key = \"«one.private»\"", "description = interface.hub.key_file"),
        ("", "description = preshared_key.s.fingerprint"),
        ("", "description = preshared_key.s.holders"),
    ] {
        for enabled in [true, false] {
            Lab::new(&format!(
                r#"
backend "local" "hq" {{
  simulate = true
}}

interface "hub" {{
  {interface}
}}

peer "phone" {{
  interface     = interface.hub
  public_key    = "«phone»"
  allowed_ips   = []
  preshared_key = preshared_key.s
  enabled       = {enabled}
  {peer}
}}

preshared_key "s" {{}}
"#
            ))
            .settle();
        }
    }
}

#[test]
fn an_interface_that_was_never_up_has_no_port_to_refer_to() {
    let mut lab = Lab::new(
        &HUB.replace("listen_port = 51820", "enabled = false")
            .replace("198.51.100.7:51820", "far.example:${interface.hub.listen_port}"),
    );
    assert_snapshot!(lab.plan(), @"
    error: value of the wrong type
      at `interface.hub.listen_port`: a part of a text has to be a string, and this is null
      help: Write a text in quotes.
    ");
    lab.edit(
        "\"far.example:${interface.hub.listen_port}\"",
        "interface.hub.listen_port == null ? null : \"far.example:${interface.hub.listen_port}\"",
    );
    lab.settle();
    assert!(lab.show("hq").contains("«phone» [10.8.0.3/32] keepalive 25s"), "{}", lab.show("hq"));
    // The port is chosen as the interface comes up, and the peer waits for it.
    lab.edit("  enabled = false\n", "");
    lab.settle();
    assert!(lab.show("hq").contains("«phone» [10.8.0.3/32] at "), "{}", lab.show("hq"));
}
