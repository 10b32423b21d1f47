//! What somebody changed outside of wgform.

use insta::assert_snapshot;

use crate::changes::HUB;
use crate::host::Host;
use crate::lab::Lab;

/// Changes the host behind wgform's back, plans, heals, and returns the plan.
fn drifted(change: impl FnOnce(&Host)) -> String {
    let lab = Lab::matching(HUB);
    let host = lab.host("hq");
    host.handshake("wg0", "phone", 12);
    let (before, key) = (lab.show("hq"), host.key_of("wg0"));
    change(&host);
    let plan = lab.plan();
    let [by_configuration, by_state] = lab.findings();
    assert_eq!(by_state, by_configuration, "the state alone tells something else");
    lab.settle();
    assert_eq!(lab.show("hq"), before, "not healed");
    assert_eq!(host.key_of("wg0"), key);
    plan
}

#[test]
fn a_peer_that_was_removed_is_made_again() {
    assert_snapshot!(drifted(|host| host.remove_peer("wg0", "laptop")), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # peer.laptop on local "hq" (simulated) is gone and will be created again (changed outside of wgform)
      + peer "laptop" {
          + interface   = interface.hub
          + public_key  = "«laptop»"
          + name        = "laptop"
          + allowed_ips = ["10.8.0.2/32"]
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 1 of 1.
    "#);
}

#[test]
fn changed_allowed_ips_are_healed_as_a_whole() {
    let added = drifted(|host| host.set_peer("wg0", "laptop", &["10.8.0.2/32", "10.9.0.0/16"]));
    assert_snapshot!(added, @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # peer.laptop on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ peer "laptop" {
            interface   = interface.hub
            name        = "laptop"
          ~ allowed_ips = [
                "10.8.0.2/32",
              - "10.9.0.0/16",
            ]
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 1 of 1.
    "#);
    let emptied = drifted(|host| host.set_peer("wg0", "laptop", &[]));
    assert_snapshot!(emptied, @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # peer.laptop on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ peer "laptop" {
            interface   = interface.hub
            name        = "laptop"
          ~ allowed_ips = [
              + "10.8.0.2/32",
            ]
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 1 of 1.
    "#);
}

#[test]
fn a_network_that_was_given_to_another_peer_of_ours_comes_back() {
    let stolen = drifted(|host| host.set_peer("wg0", "phone", &["10.8.0.3/32", "10.8.0.2/32"]));
    assert_snapshot!(stolen, @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # peer.laptop on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ peer "laptop" {
            interface   = interface.hub
            name        = "laptop"
          ~ allowed_ips = [
              + "10.8.0.2/32",
            ]
            # 6 unchanged attributes hidden
        }

      # peer.phone on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ peer "phone" {
            interface   = interface.hub
            name        = "phone"
          ~ allowed_ips = [
              - "10.8.0.2/32",
                "10.8.0.3/32",
            ]
            # 7 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 2. Sessions kept: 1 of 1.
    "#);
}

#[test]
fn a_changed_port_is_healed() {
    assert_snapshot!(drifted(|host| host.set_port("wg0", 4242)), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ interface "hub" {
            name        = "wg0"
          ~ listen_port = 4242 -> 51820
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 1 of 1.
    "#);
}

#[test]
fn a_changed_mtu_is_nobodys_business_unless_it_is_written() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").set_mtu("wg0", 1400);
    assert_snapshot!(lab.plan(), @"No changes. The devices match the configuration.");
    lab.edit("\"wg0\"", "\"wg0\"\n  mtu = 1380");
    lab.settle();
    lab.host("hq").set_mtu("wg0", 1390);
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ interface "hub" {
            name = "wg0"
          ~ mtu  = 1390 -> 1380
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn a_changed_mark_is_healed_and_a_set_default_too() {
    assert_snapshot!(drifted(|host| host.set_mark("wg0", 9)), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ interface "hub" {
            name   = "wg0"
          ~ fwmark = 9 -> 0
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 1 of 1.
    "#);
}

#[test]
fn an_address_that_was_removed_comes_back_and_a_foreign_one_stays() {
    let lab = Lab::matching(HUB);
    let host = lab.host("hq");
    host.add_address("wg0", "10.99.0.1/24");
    assert_snapshot!(lab.plan(), @"No changes. The devices match the configuration.");
    host.delete_address("wg0", "10.8.0.1/24");
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ interface "hub" {
            name      = "wg0"
          ~ addresses = [
              + "10.8.0.1/24",
                "10.99.0.1/24",
            ]
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert!(lab.show("hq").contains("[10.8.0.1/24 10.99.0.1/24]"), "{}", lab.show("hq"));
}

#[test]
fn a_link_that_was_set_down_comes_up() {
    assert_snapshot!(drifted(|host| host.set_up("wg0", false)), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ interface "hub" {
            name    = "wg0"
          ~ enabled = false -> true
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 1 of 1.
    "#);
}

#[test]
fn a_link_that_was_deleted_is_made_again_with_its_key_and_peers() {
    let lab = Lab::matching(HUB);
    let before = lab.show("hq");
    lab.host("hq").delete_link("wg0");
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) is gone and will be created again (changed outside of wgform)
      + interface "hub" {
          + name        = "wg0"
          + public_key  = "«wg0@hq»"
          + listen_port = 51820
          + addresses   = ["10.8.0.1/24"]
        }

      # peer.laptop on local "hq" (simulated) went with its interface and will be created again (changed outside of wgform)
      + peer "laptop" {
          + interface   = interface.hub
          + public_key  = "«laptop»"
          + name        = "laptop"
          + allowed_ips = ["10.8.0.2/32"]
        }

      # peer.phone on local "hq" (simulated) went with its interface and will be created again (changed outside of wgform)
      + peer "phone" {
          + interface            = interface.hub
          + public_key           = "«phone»"
          + name                 = "phone"
          + allowed_ips          = ["10.8.0.3/32"]
          + endpoint             = "198.51.100.7:51820"
          + persistent_keepalive = "25s"
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 3. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(lab.show("hq"), before);
}

#[test]
fn a_changed_keepalive_is_healed() {
    assert_snapshot!(drifted(|host| host.set_keepalive("wg0", "phone", "5s")), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # peer.phone on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ peer "phone" {
            interface            = interface.hub
            name                 = "phone"
          ~ persistent_keepalive = "5s" -> "25s"
            # 7 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 1 of 1.
    "#);
}

#[test]
fn a_peer_that_roamed_has_not_drifted() {
    let lab = Lab::matching(HUB);
    lab.host("hq").set_endpoint("wg0", "phone", "203.0.113.99:1024");
    assert_snapshot!(lab.plan(), @"No changes. The devices match the configuration.");
}

#[test]
fn an_endpoint_that_is_pinned_is_healed() {
    let text = HUB.replace("endpoint  ", "pin_endpoint = true\n  endpoint  ");
    let lab = Lab::matching(&text);
    lab.host("hq").set_endpoint("wg0", "phone", "203.0.113.99:1024");
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # peer.phone on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ peer "phone" {
            interface = interface.hub
            name      = "phone"
          ~ endpoint  = "203.0.113.99:1024" -> "198.51.100.7:51820"
            # 7 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn an_endpoint_with_a_name_is_pinned_to_the_address_that_was_set() {
    let text = HUB.replace("endpoint  ", "pin_endpoint = true\n  endpoint  ");
    let lab = Lab::matching(&text.replace("198.51.100.7:51820", "vpn.example.com:51820"));
    let set = lab.state().resources[&"peer.phone".parse().unwrap()].attributes["endpoint_address"]
        .clone();
    assert_snapshot!(set, @r#"
    "203.0.113.135:51820"
    "#);
    lab.host("hq").set_endpoint("wg0", "phone", "203.0.113.99:1024");
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # peer.phone on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ peer "phone" {
            interface = interface.hub
            name      = "phone"
          ~ endpoint  = "203.0.113.99:1024" -> "vpn.example.com:51820"
            # 7 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn a_changed_key_comes_back_from_its_file() {
    assert_snapshot!(drifted(|host| host.set_key("wg0", "intruder")), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ interface "hub" {
            name       = "wg0"
          ~ public_key = "«intruder»" -> "«wg0@hq»"
            # 8 unchanged attributes hidden
        }

    This apply cuts 1 session:

      peer.phone, last handshake 12 s ago

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 1.
    "#);
}

#[test]
fn drift_and_change_of_one_resource_are_told_apart() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").set_keepalive("wg0", "phone", "5s");
    lab.edit("10.8.0.3/32", "10.8.0.4/32");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be updated in place
      ~ peer "phone" {
            interface            = interface.hub
            name                 = "phone"
          ~ allowed_ips          = [
              - "10.8.0.3/32",
              + "10.8.0.4/32",
            ]
          ~ persistent_keepalive = "5s" -> "25s"  # changed outside of wgform
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.drift(), @r#"
    Drift: this was changed outside of wgform:

      # peer.phone on local "hq" (simulated) has changed
      ~ peer "phone" {
            interface            = interface.hub
            name                 = "phone"
          ~ persistent_keepalive = "25s" -> "5s"
            # 6 unchanged attributes hidden
        }

    Drift: 1 resource changed outside of wgform, 0 unmanaged peers.
    The configuration has 1 change that is not applied yet; `wgform plan` shows it.
    "#);
    lab.settle();
}

#[test]
fn a_value_that_is_neither_the_old_nor_the_new_one_is_shown_with_the_old_one() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").set_port("wg0", 4242);
    lab.edit("listen_port = 51820", "listen_port = 51900");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name        = "wg0"
          ~ listen_port = 4242 -> 51900  # was 51820
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn what_the_device_has_already_is_only_recorded() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").set_port("wg0", 4242);
    lab.edit("listen_port = 51820", "listen_port = 4242");
    assert_snapshot!(lab.plan(), @"No changes. The devices match the configuration.");
    lab.settle();
    let state = lab.state();
    let hub = &state.resources[&"interface.hub".parse().unwrap()];
    assert_eq!(hub.attributes["listen_port"], 4242);
}

#[test]
fn what_is_gone_and_no_longer_wanted_is_only_forgotten() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").remove_peer("wg0", "laptop");
    lab.remove_block("peer \"laptop\"");
    assert_snapshot!(lab.plan(), @"No changes. The devices match the configuration.");
    lab.settle();
    assert_eq!(lab.owned(), ["interface.hub", "peer.phone"]);
}

#[test]
fn without_a_refresh_what_was_applied_is_taken_for_what_is_there() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").set_port("wg0", 4242);
    lab.options.without_refresh = true;
    assert_snapshot!(lab.plan(), @"No changes. The devices match the configuration.");
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
    lab.apply();
    lab.options.without_refresh = false;
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ interface "hub" {
            name        = "wg0"
          ~ listen_port = 4242 -> 51820
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
}

#[test]
fn drift_alone_says_what_was_not_applied_yet_in_one_line() {
    let mut lab = Lab::matching(HUB);
    assert_snapshot!(lab.drift(), @"No drift. The devices have what was last applied.");
    lab.edit("10.8.0.3/32", "10.8.0.4/32");
    assert_snapshot!(lab.drift(), @"
    No drift. The devices have what was last applied.
    The configuration has 1 change that is not applied yet; `wgform plan` shows it.
    ");
    lab.host("hq").remove_peer("wg0", "laptop");
    assert_snapshot!(lab.drift(), @r#"
    Drift: this was changed outside of wgform:

      # peer.laptop on local "hq" (simulated) has been deleted
      - peer "laptop" {
          - interface   = interface.hub
          - public_key  = "«laptop»"
          - name        = "laptop"
          - allowed_ips = ["10.8.0.2/32"]
        }

    Drift: 1 resource changed outside of wgform, 0 unmanaged peers.
    The configuration has 1 change that is not applied yet; `wgform plan` shows it.
    "#);
}

#[test]
fn a_reboot_is_said_once_and_everything_comes_back() {
    let lab = Lab::matching(HUB);
    let before = lab.show("hq");
    lab.host("hq").reboot();
    assert_snapshot!(lab.plan(), @r#"
    Backend `hq`: host rebooted 60 s ago, wg0 missing.

    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) will be created again (the host was rebooted)
      + interface "hub" {
          + name        = "wg0"
          + public_key  = "«wg0@hq»"
          + listen_port = 51820
          + addresses   = ["10.8.0.1/24"]
        }

      # peer.laptop on local "hq" (simulated) will be created again (the host was rebooted)
      + peer "laptop" {
          + interface   = interface.hub
          + public_key  = "«laptop»"
          + name        = "laptop"
          + allowed_ips = ["10.8.0.2/32"]
        }

      # peer.phone on local "hq" (simulated) will be created again (the host was rebooted)
      + peer "phone" {
          + interface            = interface.hub
          + public_key           = "«phone»"
          + name                 = "phone"
          + allowed_ips          = ["10.8.0.3/32"]
          + endpoint             = "198.51.100.7:51820"
          + persistent_keepalive = "25s"
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 3. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(lab.show("hq"), before);
}

#[test]
fn healing_one_peer_leaves_the_session_of_another_alone() {
    let lab = Lab::matching(HUB);
    let host = lab.host("hq");
    host.handshake("wg0", "phone", 12);
    host.remove_peer("wg0", "laptop");
    host.set_port("wg0", 4242);
    assert!(lab.plan().ends_with("Sessions kept: 1 of 1.\n"), "{}", lab.plan());
    lab.settle();
    let phone = &host.linux.device("wg0").unwrap().peers[&crate::names::public_key("phone")];
    assert_eq!((phone.received, phone.sent), (1000, 2000));
    assert!(phone.last_handshake.is_some());
}
