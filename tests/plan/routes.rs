//! Routes: which there are, when they are written, and whose they are.

use insta::assert_snapshot;

use crate::backend::Crash;
use crate::lab::Lab;

const HUB: &str = r#"
backend "local" "hq" {
  simulate = true
}

interface "hub" {
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24", "fd00:8::1/64"]
  routes      = "auto"
}

peer "laptop" {
  interface   = interface.hub
  public_key  = "«laptop»"
  allowed_ips = ["10.8.0.2/32", "fd00:8::2/128"]
}

peer "office" {
  interface   = interface.hub
  public_key  = "«office»"
  allowed_ips = ["10.8.0.3/32", "10.20.0.0/16", "fd00:20::/48"]
}
"#;

/// The routes and rules that are on the host, but for the kernel's own.
fn routes(lab: &Lab) -> String {
    let text = lab.show("hq");
    let lines = text.lines().filter(|it| it.starts_with("route") || it.starts_with("rule"));
    lines.map(|it| format!("{it}\n")).collect()
}

fn with_block(block: &str) -> String {
    HUB.replace("routes      = \"auto\"", &format!("routes {{\n    {block}\n  }}"))
}

#[test]
fn each_allowed_ip_gets_a_route_unless_an_address_covers_it() {
    let lab = Lab::new(HUB);
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be created
      + interface "hub" {
          + name        = "wg0"
          + public_key  = (known after apply)
          + listen_port = 51820
          + addresses   = ["10.8.0.1/24", "fd00:8::1/64"]
          + routes      = ["10.20.0.0/16", "fd00:20::/48"]
        }

      # peer.laptop on local "hq" (simulated) will be created
      + peer "laptop" {
          + interface   = interface.hub
          + public_key  = "«laptop»"
          + name        = "laptop"
          + allowed_ips = ["10.8.0.2/32", "fd00:8::2/128"]
        }

      # peer.office on local "hq" (simulated) will be created
      + peer "office" {
          + interface   = interface.hub
          + public_key  = "«office»"
          + name        = "office"
          + allowed_ips = ["10.8.0.3/32", "10.20.0.0/16", "fd00:20::/48"]
        }

    Plan: 3 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.steps(), @"
    interface.hub: create wg0
    peer.laptop: create wg0/«laptop»
    peer.office: create wg0/«office»
    interface.hub: set routes of wg0
    ");
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.20.0.0/16 to wg0 by wgform
    route fd00:20::/48 to wg0 by wgform
    ");
}

#[test]
fn a_changed_peer_brings_and_takes_its_routes_after_it() {
    let mut lab = Lab::matching(HUB);
    lab.edit("\"10.20.0.0/16\"", "\"10.21.0.0/16\"");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name   = "wg0"
          ~ routes = [
              - "10.20.0.0/16",
              + "10.21.0.0/16",
                "fd00:20::/48",
            ]
            # 9 unchanged attributes hidden
        }

      # peer.office on local "hq" (simulated) will be updated in place
      ~ peer "office" {
            interface   = interface.hub
            name        = "office"
          ~ allowed_ips = [
                "10.8.0.3/32",
              - "10.20.0.0/16",
              + "10.21.0.0/16",
                "fd00:20::/48",
            ]
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 2 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.steps(), @"
    peer.office: update wg0/«office» allowed_ips
    interface.hub: set routes of wg0
    ");
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.21.0.0/16 to wg0 by wgform
    route fd00:20::/48 to wg0 by wgform
    ");
    lab.remove_block("peer \"office\"");
    assert_snapshot!(lab.steps(), @"
    peer.office: delete wg0/«office»
    interface.hub: set routes of wg0
    ");
    lab.settle();
    assert_snapshot!(routes(&lab), @"");
}

#[test]
fn a_disabled_peer_has_no_routes() {
    let mut lab = Lab::matching(HUB);
    lab.edit("public_key  = \"«office»\"", "public_key  = \"«office»\"\n  enabled = false");
    lab.settle();
    assert_snapshot!(routes(&lab), @"");
}

#[test]
fn a_route_that_somebody_removed_is_drift() {
    let lab = Lab::matching(HUB);
    lab.host("hq").delete_route("10.20.0.0/16", "wg0");
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ interface "hub" {
            name   = "wg0"
          ~ routes = [
              + "10.20.0.0/16",
                "fd00:20::/48",
            ]
            # 9 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.drift(), @r#"
    Drift: this was changed outside of wgform:

      # interface.hub on local "hq" (simulated) has changed
      ~ interface "hub" {
            name   = "wg0"
          ~ routes = [
              - "10.20.0.0/16",
                "fd00:20::/48",
            ]
            # 9 unchanged attributes hidden
        }

    Drift: 1 resource changed outside of wgform, 0 unmanaged peers.
    "#);
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.20.0.0/16 to wg0 by wgform
    route fd00:20::/48 to wg0 by wgform
    ");
}

#[test]
fn what_the_kernel_loses_comes_back_in_the_same_apply() {
    let mut lab = Lab::matching(HUB);
    let before = routes(&lab);
    let down_and_up = |lab: &Lab| {
        lab.host("hq").set_up("wg0", false);
        lab.host("hq").set_up("wg0", true);
    };
    down_and_up(&lab);
    assert_eq!(routes(&lab), "");
    lab.settle();
    assert_eq!(routes(&lab), before);
    lab.host("hq").set_up("wg0", false);
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ interface "hub" {
            name    = "wg0"
          ~ enabled = false -> true
            # 9 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(routes(&lab), before);
    // With the last IPv4 address go the routes; and with the name.
    lab.edit("\"10.8.0.1/24\", ", "");
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.8.0.2/32 to wg0 by wgform
    route 10.8.0.3/32 to wg0 by wgform
    route 10.20.0.0/16 to wg0 by wgform
    route fd00:20::/48 to wg0 by wgform
    ");
    lab.edit("name        = \"wg0\"", "name        = \"wg1\"");
    assert_snapshot!(lab.steps(), @"
    interface.hub: update wg0 to wg1 key
    interface.hub: set routes of wg1
    ");
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.8.0.2/32 to wg1 by wgform
    route 10.8.0.3/32 to wg1 by wgform
    route 10.20.0.0/16 to wg1 by wgform
    route fd00:20::/48 to wg1 by wgform
    ");
    lab.host("hq").reboot();
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.8.0.2/32 to wg1 by wgform
    route 10.8.0.3/32 to wg1 by wgform
    route 10.20.0.0/16 to wg1 by wgform
    route fd00:20::/48 to wg1 by wgform
    ");
}

#[test]
fn an_interface_that_is_taken_down_has_no_routes() {
    let mut lab = Lab::matching(HUB);
    lab.edit("name        = \"wg0\"", "name        = \"wg0\"\n  enabled = false");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name    = "wg0"
          ~ enabled = true -> false
          ~ routes  = [
              - "10.20.0.0/16",
              - "fd00:20::/48",
            ]
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(routes(&lab), "");
    lab.edit("\n  enabled = false", "");
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.20.0.0/16 to wg0 by wgform
    route fd00:20::/48 to wg0 by wgform
    ");
}

#[test]
fn routes_that_are_turned_off_go_and_those_of_others_stay() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").add_route("10.30.0.0/16", "wg0");
    lab.host("hq").add_route("10.31.0.0/16", "eth0");
    lab.assert_settled();
    lab.edit("routes      = \"auto\"", "routes      = \"off\"");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name   = "wg0"
          ~ routes = [
              - "10.20.0.0/16",
              - "fd00:20::/48",
            ]
            # 9 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.30.0.0/16 to wg0 by another
    route 10.31.0.0/16 to eth0 by another
    ");
}

#[test]
fn table_metric_and_exclusion_are_as_written() {
    let mut lab = Lab::new(&with_block(
        "table = \"vpn\"\n    distance = 7\n    exclude = [\"10.20.0.0/18\", \"fd00::/16\"]",
    ));
    assert_snapshot!(lab.plan(), @"
    error: unknown routing table
      at `routes`: the host has no routing table `vpn`
      help: Give it a name in `/etc/iproute2/rt_tables` of the host, or write its number. The host knows `default`, `local`, `main`.
    ");
    lab.host("hq").linux.name_table("vpn", 1000).unwrap();
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.8.0.2/32 table 1000 metric 7 to wg0 by wgform
    route 10.8.0.3/32 table 1000 metric 7 to wg0 by wgform
    route 10.20.64.0/18 table 1000 metric 7 to wg0 by wgform
    route 10.20.128.0/17 table 1000 metric 7 to wg0 by wgform
    ");
    lab.edit("\"vpn\"", "\"main\"").edit("distance = 7", "distance = 1024");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name   = "wg0"
          ~ routes = [
              - "10.8.0.2/32 table 1000 metric 7",
              - "10.8.0.3/32 table 1000 metric 7",
              + "10.20.64.0/18 metric 1024",
              - "10.20.64.0/18 table 1000 metric 7",
              + "10.20.128.0/17 metric 1024",
              - "10.20.128.0/17 table 1000 metric 7",
            ]
            # 9 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.20.64.0/18 metric 1024 to wg0 by wgform
    route 10.20.128.0/17 metric 1024 to wg0 by wgform
    ");
}

#[test]
fn a_route_of_somebody_else_that_is_as_wanted_counts_as_there() {
    let mut lab = Lab::matching(&HUB.replace("\"auto\"", "\"off\""));
    lab.host("hq").add_route("10.20.0.0/16", "wg0");
    lab.edit("routes      = \"off\"", "routes      = \"auto\"");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name   = "wg0"
          ~ routes = [
                "10.20.0.0/16",
              + "fd00:20::/48",
            ]
            # 9 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.20.0.0/16 to wg0 by another
    route fd00:20::/48 to wg0 by wgform
    ");
    // It is not ours, and stays when ours go.
    lab.edit("routes      = \"auto\"", "routes      = \"off\"");
    lab.settle();
    assert_snapshot!(routes(&lab), @"route 10.20.0.0/16 to wg0 by another");
}

#[test]
fn a_route_of_somebody_else_that_leads_elsewhere_is_said_before_anything_is_done() {
    let mut lab = Lab::new(HUB);
    lab.host("hq").add_route("10.20.0.0/16", "eth0");
    assert_snapshot!(lab.plan(), @r#"
    error: route of somebody else
      at `["10.8.0.3/32", "10.20.0.0/16", "fd00:20::/48"]`: `10.20.0.0/16` leads to `eth0` on backend `hq` now
      help: It was not made for this configuration. Set another `distance` or `table` in `routes` of `interface.hub`, or leave the network out with `exclude`.
    "#);
    lab.edit("\"auto\"", "{ distance = 5 }");
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.20.0.0/16 to eth0 by another
    route 10.20.0.0/16 metric 5 to wg0 by wgform
    route fd00:20::/48 metric 5 to wg0 by wgform
    ");
}

const SECOND: &str = r#"
interface "second" {
  name        = "wg1"
  listen_port = 51821
  routes      = "auto"
}

peer "again" {
  interface   = interface.second
  public_key  = "«again»"
  allowed_ips = ["10.20.0.0/16"]
}
"#;

#[test]
fn two_interfaces_cannot_have_one_route() {
    let mut lab = Lab::new(&format!("{HUB}{SECOND}"));
    assert_snapshot!(lab.plan(), @r#"
    error: one route to two interfaces
      at `["10.20.0.0/16"]`: `10.20.0.0/16` leads to `interface.second`
      at `["10.8.0.3/32", "10.20.0.0/16", "fd00:20::/48"]`: `10.20.0.0/16` leads to `interface.hub`
      help: Give `routes` of one of the interfaces another `distance` or `table`, or leave the network out with `exclude`.
    "#);
    lab.edit(
        "listen_port = 51821\n  routes      = \"auto\"",
        "listen_port = 51821\n  routes { distance = 9 }",
    );
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.20.0.0/16 to wg0 by wgform
    route 10.20.0.0/16 metric 9 to wg1 by wgform
    route fd00:20::/48 to wg0 by wgform
    ");
}

#[test]
fn a_route_moves_from_one_interface_to_another() {
    let mut lab =
        Lab::matching(&format!("{HUB}{}", SECOND.replace("10.20.0.0/16", "10.99.0.0/16")));
    lab.edit("\"10.20.0.0/16\"", "\"10.98.0.0/16\"").edit("\"10.99.0.0/16\"", "\"10.20.0.0/16\"");
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.20.0.0/16 to wg1 by wgform
    route 10.98.0.0/16 to wg0 by wgform
    route fd00:20::/48 to wg0 by wgform
    ");
    // And a swap.
    lab.edit("\"10.98.0.0/16\"", "\"10.0.0.0/16\"").edit("\"10.20.0.0/16\"", "\"10.98.0.0/16\"");
    lab.edit("\"10.0.0.0/16\"", "\"10.20.0.0/16\"");
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.20.0.0/16 to wg0 by wgform
    route 10.98.0.0/16 to wg1 by wgform
    route fd00:20::/48 to wg0 by wgform
    ");
}

/// A client that sends everything through its peer.
const CLIENT: &str = r#"
backend "local" "hq" {
  simulate = true
}

interface "hub" {
  name      = "wg0"
  addresses = ["10.8.0.2/32", "fd00:8::2/128"]

  routes {
    default_route = true
  }
}

peer "exit" {
  interface   = interface.hub
  public_key  = "«exit»"
  endpoint    = "192.0.2.1:51820"
  allowed_ips = ["0.0.0.0/0", "::/0"]
}
"#;

#[test]
fn a_default_route_has_a_table_and_rules_of_its_own() {
    let lab = Lab::new(CLIENT);
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be created
      # fwmark 51820 is wgform's choice: with it, what goes to endpoints stays outside of the tunnel
      + interface "hub" {
          + name        = "wg0"
          + public_key  = (known after apply)
          + listen_port = (known after apply)
          + addresses   = ["10.8.0.2/32", "fd00:8::2/128"]
          + fwmark      = 51820
          + routes      = ["0.0.0.0/0 table 51820", "::/0 table 51820", "rule ipv4: lookup main suppress_prefixlength 0", "rule ipv4: not fwmark 51820 lookup 51820", "rule ipv6: lookup main suppress_prefixlength 0", "rule ipv6: not fwmark 51820 lookup 51820"]
        }

      # peer.exit on local "hq" (simulated) will be created
      + peer "exit" {
          + interface   = interface.hub
          + public_key  = "«exit»"
          + name        = "exit"
          + allowed_ips = ["0.0.0.0/0", "::/0"]
          + endpoint    = "192.0.2.1:51820"
        }

    Plan: 2 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 0.0.0.0/0 table 51820 to wg0 by wgform
    route ::/0 table 51820 to wg0 by wgform
    rule ipv4: lookup main suppress_prefixlength 0 by wgform
    rule ipv6: lookup main suppress_prefixlength 0 by wgform
    rule ipv4: not fwmark 51820 lookup 51820 by wgform
    rule ipv6: not fwmark 51820 lookup 51820 by wgform
    ");
    assert!(lab.show("hq").contains("mark 51820"));
    // A rule that somebody removed comes back.
    let rule = lab.host("hq").linux.routing().rules[0];
    let gone = wgform::simulator::linux::call::RoutingChange::DeleteRule(rule);
    lab.host("hq").linux.change_routing(&[gone]).unwrap();
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ interface "hub" {
            name   = "wg0"
          ~ routes = [
              + "rule ipv4: lookup main suppress_prefixlength 0",
                # 5 unchanged elements hidden
            ]
            # 9 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn without_a_default_route_the_rules_go_before_the_mark() {
    let mut lab = Lab::matching(CLIENT);
    // The other way round, the tunnel's own packets would go into the tunnel in between.
    lab.edit("default_route = true", "default_route = false");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name   = "wg0"
          ~ fwmark = 51820 -> 0
          ~ routes = [
              - "0.0.0.0/0 table 51820",
              - "::/0 table 51820",
              - "rule ipv4: lookup main suppress_prefixlength 0",
              - "rule ipv4: not fwmark 51820 lookup 51820",
              - "rule ipv6: lookup main suppress_prefixlength 0",
              - "rule ipv6: not fwmark 51820 lookup 51820",
            ]
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.steps(), @"
    interface.hub: drop rules of wg0
    interface.hub: update wg0 fwmark
    interface.hub: set routes of wg0
    ");
    lab.settle();
    assert_eq!(routes(&lab), "");
    assert!(lab.show("hq").contains("mark 0"));
}

#[test]
fn the_rules_of_a_default_route_go_with_the_interface_even_when_that_is_gone() {
    for is_gone in [false, true] {
        let mut lab = Lab::matching(CLIENT);
        if is_gone {
            lab.host("hq").delete_link("wg0");
            assert_ne!(routes(&lab), "");
        }
        lab.options.accept_loss.insert(wgform::resource::BackendId::new("hq"));
        lab.remove_block("peer \"exit\"").remove_block("interface \"hub\"");
        lab.settle();
        assert_eq!(routes(&lab), "");
    }
}

#[test]
fn a_mark_that_is_written_or_that_others_use_is_not_chosen() {
    let mut lab =
        Lab::new(&CLIENT.replace("name      = \"wg0\"", "name      = \"wg0\"\n  fwmark = 77"));
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 0.0.0.0/0 table 77 to wg0 by wgform
    route ::/0 table 77 to wg0 by wgform
    rule ipv4: lookup main suppress_prefixlength 0 by wgform
    rule ipv6: lookup main suppress_prefixlength 0 by wgform
    rule ipv4: not fwmark 77 lookup 77 by wgform
    rule ipv6: not fwmark 77 lookup 77 by wgform
    ");
    let lab2 = Lab::new(CLIENT);
    lab2.host("hq").add_interface("wg9", "foreign", 4000);
    lab2.host("hq").set_mark("wg9", 51_820);
    lab2.settle();
    assert!(routes(&lab2).contains("lookup 51821"), "{}", routes(&lab2));
    lab.edit("fwmark = 77", "fwmark = 78");
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 0.0.0.0/0 table 78 to wg0 by wgform
    route ::/0 table 78 to wg0 by wgform
    rule ipv4: lookup main suppress_prefixlength 0 by wgform
    rule ipv6: lookup main suppress_prefixlength 0 by wgform
    rule ipv4: not fwmark 78 lookup 78 by wgform
    rule ipv6: not fwmark 78 lookup 78 by wgform
    ");
}

#[test]
fn without_default_route_there_is_none_and_a_table_of_ones_own_needs_no_rules() {
    let mut lab = Lab::matching(&CLIENT.replace("default_route = true", "default_route = false"));
    assert_eq!(routes(&lab), "");
    lab.edit(
        "default_route = false",
        "default_route = true\n    table = 200\n    exclude = [\"192.168.0.0/16\"]",
    );
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 0.0.0.0/1 table 200 to wg0 by wgform
    route 128.0.0.0/2 table 200 to wg0 by wgform
    route 192.0.0.0/9 table 200 to wg0 by wgform
    route 192.128.0.0/11 table 200 to wg0 by wgform
    route 192.160.0.0/13 table 200 to wg0 by wgform
    route 192.169.0.0/16 table 200 to wg0 by wgform
    route 192.170.0.0/15 table 200 to wg0 by wgform
    route 192.172.0.0/14 table 200 to wg0 by wgform
    route 192.176.0.0/12 table 200 to wg0 by wgform
    route 192.192.0.0/10 table 200 to wg0 by wgform
    route 193.0.0.0/8 table 200 to wg0 by wgform
    route 194.0.0.0/7 table 200 to wg0 by wgform
    route 196.0.0.0/6 table 200 to wg0 by wgform
    route 200.0.0.0/5 table 200 to wg0 by wgform
    route 208.0.0.0/4 table 200 to wg0 by wgform
    route 224.0.0.0/3 table 200 to wg0 by wgform
    route ::/0 table 200 to wg0 by wgform
    ");
}

#[test]
fn two_default_routes_on_one_host_are_an_error() {
    let second = CLIENT.split_once("\n\n").unwrap().1;
    let second = second.replace("\"hub\"", "\"other\"").replace("interface.hub", "interface.other");
    let second = second.replace("\"exit\"", "\"exit2\"").replace("wg0", "wg1");
    let lab = Lab::new(&format!("{CLIENT}{second}"));
    assert_snapshot!(lab.plan(), @"
    error: two default routes on one host
      at `routes`: what nothing else is for goes into the tunnel of `interface.other`
      at `routes`: what nothing else is for goes into the tunnel of `interface.hub`
      help: Only one can. Set `default_route = false` on one of them, or give it a `table` of its own.
    ");
}

#[test]
fn a_peer_that_fails_does_not_keep_the_others_from_their_routes() {
    let lab = Lab::new(&HUB.replace(
        "public_key  = \"«laptop»\"",
        "public_key  = \"«laptop»\"\n  endpoint = \"no.invalid:1\"",
    ));
    let report = lab.apply();
    assert!(report.contains("does not resolve"), "{report}");
    assert_snapshot!(routes(&lab), @"
    route 10.20.0.0/16 to wg0 by wgform
    route fd00:20::/48 to wg0 by wgform
    ");
}

#[test]
fn only_what_was_asked_for_counts() {
    let mut lab = Lab::matching(HUB);
    lab.edit("\"10.8.0.2/32\"", "\"10.70.0.0/16\"").edit("\"10.20.0.0/16\"", "\"10.71.0.0/16\"");
    lab.options.targets = vec!["peer.laptop".parse().unwrap()];
    lab.apply();
    assert_snapshot!(routes(&lab), @"
    route 10.20.0.0/16 to wg0 by wgform
    route 10.70.0.0/16 to wg0 by wgform
    route fd00:20::/48 to wg0 by wgform
    ");
    lab.options.targets.clear();
    lab.settle();
    assert_snapshot!(routes(&lab), @"
    route 10.70.0.0/16 to wg0 by wgform
    route 10.71.0.0/16 to wg0 by wgform
    route fd00:20::/48 to wg0 by wgform
    ");
}

#[test]
fn what_is_lost_is_taken_for_true_by_refresh_only() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").delete_route("10.20.0.0/16", "wg0");
    lab.options.refresh_only = true;
    assert_snapshot!(lab.plan(), @r#"
    Since the last apply, this was changed outside of wgform:

      # interface.hub on local "hq" (simulated) has changed
      ~ interface "hub" {
            name   = "wg0"
          ~ routes = [
              - "10.20.0.0/16",
                "fd00:20::/48",
            ]
        }

    Refresh only: 1 resource to record, nothing to write.

    This is a refresh-only plan, so wgform will not take any actions to undo these. An apply of it takes them into the
    state; where they differ from the configuration, the next plan shows a change.
    "#);
    lab.apply();
    lab.options.refresh_only = false;
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name   = "wg0"
          ~ routes = [
              + "10.20.0.0/16",
                "fd00:20::/48",
            ]
            # 9 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
}

/// The client on one of two hosts, under a name, and with what `routes` says.
fn client_on(backend: &str, name: &str, routes: &str) -> String {
    let name = format!("name = \"{name}\"\n  backend = backend.{backend}");
    let text = CLIENT.replace("name      = \"wg0\"", &name).replace("default_route = true", routes);
    format!("backend \"local\" \"branch\" {{\n  simulate = true\n}}\n{text}")
}

#[test]
fn a_killed_apply_is_finished_wherever_it_was_cut_off() {
    let first = client_on("hq", "wg0", "default_route = true");
    let none = first.split_once("interface").unwrap().0.to_owned();
    let moved = client_on("branch", "wg0", "default_route = true");
    let renamed = client_on("hq", "wg1", "distance = 3");
    for (before, after) in [(&none, &first), (&first, &moved), (&first, &renamed)] {
        for (done, reported) in (0..6).flat_map(|done| (0..=done).map(move |it| (done, it))) {
            let mut lab = Lab::matching(before);
            lab.replace(after);
            lab.crash(Crash { done, reported });
            let plan = lab.plan();
            let is_right = !plan.contains("error:") && !plan.contains("Drift:");
            assert!(is_right, "{done} done, {reported} reported: {plan}");
            lab.settle();
            let is_on_branch = after.contains("backend.branch");
            assert!(!is_on_branch || routes(&lab).is_empty(), "{}", routes(&lab));
        }
    }
}
