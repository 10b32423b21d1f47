//! `-exclude`: everything but something, with what hangs together with it.

use insta::assert_snapshot;

use crate::changes::HUB;
use crate::lab::Lab;
use crate::secrets::LINK;

fn exclude(lab: &mut Lab, addresses: &[&str]) {
    lab.options.excludes = addresses.iter().map(|it| it.parse().unwrap()).collect();
}

#[test]
fn what_is_excluded_keeps_its_state_and_the_plan_says_that_it_is_not_whole() {
    let mut lab = Lab::matching(HUB);
    lab.edit("10.8.0.2/32", "10.8.0.12/32").edit("25s", "20s");
    exclude(&mut lab, &["peer.laptop"]);
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be updated in place
      ~ peer "phone" {
            interface            = interface.hub
            name                 = "phone"
          ~ persistent_keepalive = "25s" -> "20s"
            # 7 unchanged attributes hidden
        }

    Left out, as `-exclude` says:

      peer.laptop

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.apply(), @"
    peer.phone: updated

    Apply complete. Resources: 0 added, 1 changed, 0 destroyed.
    ");
    assert_snapshot!(lab.plan(), @"
    Left out, as `-exclude` says:

      peer.laptop

    No changes. The devices match the configuration in the part that was planned.
    ");
    exclude(&mut lab, &[]);
    assert_snapshot!(lab.steps(), @"peer.laptop: update wg0/«laptop» allowed_ips");
}

#[test]
fn what_depends_on_something_excluded_is_excluded_too() {
    let mut lab = Lab::new(&format!("{LINK}{SIDE}"));
    exclude(&mut lab, &["interface.branch"]);
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hq on local "hq" (simulated) will be created
      + interface "hq" {
          + name        = "wg0"
          + public_key  = (known after apply)
          + listen_port = 51820
        }

      # interface.side on local "hq" (simulated) will be created
      + interface "side" {
          + name        = "wg1"
          + public_key  = (known after apply)
          + listen_port = (known after apply)
        }

    Left out, as `-exclude` says, with what hangs together with it:

      interface.branch
      peer.to_branch
      peer.to_hq
      preshared_key.tunnel

    Plan: 2 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.apply(), @"
    interface.hq: created
    interface.side: created

    Apply complete. Resources: 2 added, 0 changed, 0 destroyed.
    ");
    exclude(&mut lab, &[]);
    lab.settle();
}

const SIDE: &str = "interface \"side\" {\n  backend = backend.hq\n  name = \"wg1\"\n}\n";

#[test]
fn nothing_is_changed_on_one_side_of_a_link_only() {
    // A new key would cut off the peer that may not learn it, so that the whole link stays as it is.
    let mut lab = Lab::matching(&format!("{LINK}{SIDE}"));
    lab.edit("backend     = backend.hq\n", "backend     = backend.hq\n  key_rotation = \"2026\"\n");
    lab.edit("\"tunnel\" {}", "\"tunnel\" {\n  rotation = \"2026\"\n}");
    lab.edit("name = \"wg1\"", "name = \"wg1\"\n  mtu = 1400");
    exclude(&mut lab, &["peer.to_hq"]);
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.side on local "hq" (simulated) will be updated in place
      ~ interface "side" {
            name = "wg1"
          ~ mtu  = 1420 -> 1400
            # 8 unchanged attributes hidden
        }

    Left out, as `-exclude` says, with what hangs together with it:

      interface.hq
      peer.to_branch
      peer.to_hq
      preshared_key.tunnel

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
}

#[test]
fn an_interface_is_not_taken_from_under_a_peer_that_is_excluded() {
    let mut lab = Lab::new(HUB);
    lab.traits("hq").cannot_rename = true;
    lab.settle();
    lab.edit("\"wg0\"", "\"wg9\"");
    exclude(&mut lab, &["peer.phone"]);
    assert_snapshot!(lab.plan(), @"
    Left out, as `-exclude` says, with what hangs together with it:

      interface.hub
      peer.laptop
      peer.phone

    No changes. The devices match the configuration in the part that was planned.
    ");
    lab.replace(HUB.split("interface").next().unwrap());
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) will be destroyed (it is no longer in the configuration)
      - peer "laptop" {
          - interface   = interface.hub
          - public_key  = "«laptop»"
          - name        = "laptop"
          - allowed_ips = ["10.8.0.2/32"]
        }

    Left out, as `-exclude` says, with what hangs together with it:

      interface.hub
      peer.phone

    Plan: 0 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.options.destroy = true;
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) will be destroyed
      - peer "laptop" {
          - interface   = interface.hub
          - public_key  = "«laptop»"
          - name        = "laptop"
          - allowed_ips = ["10.8.0.2/32"]
        }

    Left out, as `-exclude` says, with what hangs together with it:

      interface.hub
      peer.phone

    Plan: 0 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.apply();
    assert_eq!(lab.owned(), ["interface.hub", "peer.phone"]);
}

#[test]
fn the_peers_of_an_interface_that_is_kept_from_a_destroy_go() {
    let mut lab = Lab::matching(HUB);
    lab.options.destroy = true;
    exclude(&mut lab, &["interface.hub"]);
    assert_snapshot!(lab.steps(), @"
    peer.phone: delete wg0/«phone»
    peer.laptop: delete wg0/«laptop»
    ");
}

#[test]
fn what_is_excluded_stands_in_nobodys_way() {
    // A lost key would need a word of the user, and a host is another one.
    let mut lab = Lab::matching(LINK);
    lab.host("hq").delete_link("wg0");
    lab.host("hq").remove_key_file("/var/lib/wgform/keys/wg0");
    lab.host("branch").set_port("wg0", 1);
    assert!(lab.plan().contains("refused: `interface.hq` had the key"));
    exclude(&mut lab, &["interface.hq"]);
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.branch on local "branch" (simulated) will be updated in place (changed outside of wgform)
      ~ interface "branch" {
            name        = "wg0"
          ~ listen_port = 1 -> 51820
            # 8 unchanged attributes hidden
        }

    Left out, as `-exclude` says, with what hangs together with it:

      interface.hq
      peer.to_branch
      peer.to_hq

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    assert!(lab.apply().contains("Apply complete."));

    let mut lab = Lab::matching(LINK);
    lab.host("hq").linux.set_machine_id("another").unwrap();
    lab.traits("branch").is_unreachable = true;
    exclude(&mut lab, &["interface.hq", "interface.branch"]);
    assert_snapshot!(lab.plan(), @"
    Left out, as `-exclude` says, with what hangs together with it:

      interface.branch
      interface.hq
      peer.to_branch
      peer.to_hq

    No changes. The devices match the configuration in the part that was planned.
    ");
}

#[test]
fn drift_of_what_is_excluded_is_not_reported() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").remove_peer("wg0", "laptop");
    exclude(&mut lab, &["peer.laptop"]);
    assert_snapshot!(lab.drift(), @"
    Left out, as `-exclude` says:

      peer.laptop

    No drift. The devices have what was last applied in the part that was planned.
    ");
    exclude(&mut lab, &["peer.phone"]);
    assert_snapshot!(lab.drift(), @r#"
    Drift: this was changed outside of wgform:

      # peer.laptop on local "hq" (simulated) has been deleted
      - peer "laptop" {
          - interface   = interface.hub
          - public_key  = "«laptop»"
          - name        = "laptop"
          - allowed_ips = ["10.8.0.2/32"]
        }

    Left out, as `-exclude` says:

      peer.phone

    Drift: 1 resource changed outside of wgform, 0 unmanaged peers.
    "#);
}
