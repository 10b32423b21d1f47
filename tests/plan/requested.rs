//! `-replace`: something is made anew although nothing demands it.

use insta::assert_snapshot;

use crate::backend::Crash;
use crate::changes::HUB;
use crate::lab::Lab;
use crate::names::{preshared_key, public_key};
use crate::secrets::{LINK, secret};

fn replace(lab: &mut Lab, addresses: &[&str]) {
    lab.options.replace = addresses.iter().map(|it| it.parse().unwrap()).collect();
}

#[test]
fn an_interface_is_made_anew_with_its_key_and_its_peers() {
    let mut lab = Lab::matching(LINK);
    let before = (lab.host("hq").key_of("wg0"), secret(&lab, "hq", "branch"));
    let branch = lab.host("branch").key_of("wg0");
    lab.host("hq").handshake_of("wg0", branch, 12);
    replace(&mut lab, &["interface.hq"]);
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hq on local "hq" (simulated) will be replaced, as `-replace` asks
    -/+ interface "hq" {
            name = "wg0"
            # 9 unchanged attributes hidden
        }

      # peer.to_branch on local "hq" (simulated) will be created on the interface that is made anew
      + peer "to_branch" {
          + interface     = interface.hq
          + public_key    = "«wg0@branch»"
          + name          = "to_branch"
          + preshared_key = (sensitive value)
          + allowed_ips   = ["10.2.0.0/16"]
        }

    This apply cuts 1 session:

      peer.to_branch, last handshake 12 s ago

    Plan: 2 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 1.
    "#);
    assert_snapshot!(lab.steps(), @"
    interface.hq: delete wg0
    interface.hq: create wg0
    peer.to_branch: create wg0/«wg0@branch»
    ");
    assert_snapshot!(lab.apply(), @"
    interface.hq: old one destroyed
    interface.hq: created
    peer.to_branch: created

    Apply complete. Resources: 2 added, 0 changed, 1 destroyed.
    ");
    assert_eq!((lab.host("hq").key_of("wg0"), secret(&lab, "hq", "branch")), before);
    replace(&mut lab, &[]);
    lab.assert_settled();
}

#[test]
fn a_peer_is_made_anew_where_it_is() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").handshake("wg0", "laptop", 12);
    lab.host("hq").handshake("wg0", "phone", 12);
    replace(&mut lab, &["peer.laptop"]);
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) will be replaced, as `-replace` asks
    -/+ peer "laptop" {
            interface = interface.hub
            name      = "laptop"
            # 6 unchanged attributes hidden
        }

    This apply cuts 1 session:

      peer.laptop, last handshake 12 s ago

    Plan: 1 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 1 of 2.
    "#);
    assert_snapshot!(lab.steps(), @"
    peer.laptop: delete wg0/«laptop»
    peer.laptop: create wg0/«laptop»
    ");
    assert_snapshot!(lab.apply(), @"
    peer.laptop: old one destroyed
    peer.laptop: created

    Apply complete. Resources: 1 added, 0 changed, 1 destroyed.
    ");
    assert!(
        lab.host("hq").linux.device("wg0").unwrap().peers[&public_key("laptop")]
            .last_handshake
            .is_none()
    );
    replace(&mut lab, &[]);
    lab.assert_settled();
}

#[test]
fn an_interface_and_its_peer_that_are_both_asked_for_are_made_anew_once() {
    let mut lab = Lab::matching(HUB);
    lab.edit("\"wg0\"", "\"wg9\"");
    replace(&mut lab, &["peer.laptop"]);
    assert_snapshot!(lab.steps(), @"
    peer.laptop: delete wg0/«laptop»
    interface.hub: update wg0 to wg9 key
    peer.laptop: create wg9/«laptop»
    ");
    lab.apply();
    replace(&mut lab, &["interface.hub", "peer.laptop"]);
    assert_snapshot!(lab.steps(), @"
    interface.hub: delete wg9
    interface.hub: create wg9
    peer.laptop: create wg9/«laptop»
    peer.phone: create wg9/«phone»
    ");
    lab.apply();
    replace(&mut lab, &[]);
    lab.assert_settled();
}

#[test]
fn a_pre_shared_key_is_made_anew_for_all_its_holders() {
    let mut lab = Lab::matching(LINK);
    let before = secret(&lab, "hq", "branch");
    replace(&mut lab, &["preshared_key.tunnel"]);
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # preshared_key.tunnel will be made anew for all its holders, as `-replace` asks
      # a new secret is made and written to all its holders
      ~ preshared_key "tunnel" {
          ~ fingerprint = "«fingerprint»" -> (known after apply)
            # 1 unchanged attribute hidden
        }

      # peer.to_branch on local "hq" (simulated) will be updated in place
      ~ peer "to_branch" {
            interface     = interface.hq
            name          = "to_branch"
          ~ preshared_key = (sensitive value) -> (known after apply)
            # 6 unchanged attributes hidden
        }

      # peer.to_hq on local "branch" (simulated) will be updated in place
      ~ peer "to_hq" {
            interface     = interface.branch
            name          = "to_hq"
          ~ preshared_key = (sensitive value) -> (known after apply)
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 3 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.apply();
    assert_ne!(secret(&lab, "hq", "branch"), before);
    assert_eq!(secret(&lab, "hq", "branch"), secret(&lab, "branch", "hq"));
    replace(&mut lab, &[]);
    lab.assert_settled();
    lab.edit("\"tunnel\" {}", "\"tunnel\" {\n  value = \"«a.psk»\"\n}");
    lab.settle();
    replace(&mut lab, &["preshared_key.tunnel"]);
    assert_snapshot!(lab.plan(), @"
    No plan. Something stands in the way, so the devices were not compared.
    refused: `preshared_key.tunnel` has its `value` from the configuration, and cannot be made anew
      help: change the `value`, or leave it out to have the secret made
    ");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story: what comes next needs what came before")]
fn what_is_nowhere_else_is_not_lost() {
    // A key that was imported has no file; it gets one before its interface goes.
    let mut lab = Lab::new(HUB);
    lab.host("hq").add_interface("wg0", "old", 51820);
    assert_eq!(lab.import("interface.hub", "wg0"), "imported\n");
    lab.settle();
    replace(&mut lab, &["interface.hub"]);
    assert_snapshot!(lab.steps(), @"
    interface.hub: update wg0 key
    interface.hub: delete wg0
    interface.hub: create wg0
    peer.laptop: create wg0/«laptop»
    peer.phone: create wg0/«phone»
    ");
    assert_snapshot!(lab.crash(Crash { done: 2, reported: 2 }), @"
    interface.hub: old one destroyed
    killed
    ");
    replace(&mut lab, &[]);
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be created (an earlier apply did not come to it)
      + interface "hub" {
          + name        = "wg0"
          + public_key  = "«old»"
          + listen_port = 51820
          + addresses   = ["10.8.0.1/24"]
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

    Plan: 3 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(lab.host("hq").key_of("wg0"), public_key("old"));
    // A secret that nobody declared.
    let laptop = public_key("laptop");
    lab.host("hq").set_preshared_key("wg0", laptop, Some("a"));
    for address in ["interface.hub", "peer.laptop"] {
        replace(&mut lab, &[address]);
        let plan = lab.plan();
        assert!(
            plan.contains(
                "refused: `peer.laptop` has a pre-shared key that is nowhere but on its device"
            ),
            "{plan}"
        );
    }
    lab.edit("\"«laptop»\"", "\"«laptop»\"\n  preshared_key = \"«a.psk»\"");
    assert!(!lab.plan().contains("refused"));
    lab.apply();
    assert_eq!(
        lab.host("hq").linux.device("wg0").unwrap().peers[&laptop].preshared_key,
        Some(preshared_key("a"))
    );
}

#[test]
fn a_run_that_is_killed_in_between_loses_nothing_wherever_that_is() {
    for (text, addresses) in [
        (LINK, &["interface.hq", "interface.branch"] as &[_]),
        (HUB, &["interface.hub"]),
        (HUB, &["peer.laptop", "peer.phone"]),
    ] {
        let writes = {
            let mut lab = Lab::matching(text);
            replace(&mut lab, addresses);
            lab.apply_and_count()
        };
        assert!(writes > 1);
        for done in 0..=writes {
            for reported in 0..=done {
                let mut lab = Lab::matching(text);
                let key = lab.host("hq").key_of("wg0");
                replace(&mut lab, addresses);
                lab.crash(Crash { done, reported });
                replace(&mut lab, &[]);
                let plan = lab.plan();
                assert!(
                    !plan.contains("outside of wgform") && !plan.contains("refused"),
                    "{done} {reported} {plan}"
                );
                lab.settle();
                assert_eq!(lab.host("hq").key_of("wg0"), key, "{done} {reported}");
            }
        }
    }
}

#[test]
fn guards_hold_for_what_is_asked_for_too() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").set_peer("wg0", "stranger", &["10.9.0.0/16"]);
    replace(&mut lab, &["interface.hub"]);
    let plan = lab.plan();
    assert!(
        plan.contains(
            "refused: `interface.hub` would be replaced with 1 peer that wgform does not manage"
        ),
        "{plan}"
    );
}
