//! Pre-shared keys: one secret, two ends.

use insta::assert_snapshot;

use crate::changes::{HUB, changed};
use crate::lab::Lab;
use crate::names::{preshared_key, public_key};

/// Two hosts with a link between them and a secret on it.
pub const LINK: &str = r#"
backend "local" "hq" {
  simulate = true
}

backend "local" "branch" {
  simulate = true
}

interface "hq" {
  backend     = backend.hq
  name        = "wg0"
  listen_port = 51820
}

interface "branch" {
  backend     = backend.branch
  name        = "wg0"
  listen_port = 51820
}

peer "to_branch" {
  interface     = interface.hq
  public_key    = interface.branch.public_key
  preshared_key = preshared_key.tunnel
  allowed_ips   = ["10.2.0.0/16"]
}

peer "to_hq" {
  interface     = interface.branch
  public_key    = interface.hq.public_key
  preshared_key = preshared_key.tunnel
  allowed_ips   = ["10.1.0.0/16"]
}

preshared_key "tunnel" {}
"#;

#[test]
fn a_secret_is_made_for_both_ends() {
    let lab = Lab::new(LINK);
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hq on local "hq" (simulated) will be created
      + interface "hq" {
          + name        = "wg0"
          + public_key  = (known after apply)
          + listen_port = 51820
        }

      # interface.branch on local "branch" (simulated) will be created
      + interface "branch" {
          + name        = "wg0"
          + public_key  = (known after apply)
          + listen_port = 51820
        }

      # preshared_key.tunnel will be created
      + preshared_key "tunnel" {
          + holders     = "peer.to_branch, peer.to_hq"
          + fingerprint = (known after apply)
        }

      # peer.to_branch on local "hq" (simulated) will be created
      + peer "to_branch" {
          + interface     = interface.hq
          + public_key    = (known after apply)
          + name          = "to_branch"
          + preshared_key = (known after apply)
          + allowed_ips   = ["10.2.0.0/16"]
        }

      # peer.to_hq on local "branch" (simulated) will be created
      + peer "to_hq" {
          + interface     = interface.branch
          + public_key    = (known after apply)
          + name          = "to_hq"
          + preshared_key = (known after apply)
          + allowed_ips   = ["10.1.0.0/16"]
        }

    Plan: 5 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.steps(), @"
    interface.hq: create wg0
    interface.branch: create wg0
    preshared_key.tunnel: record
    peer.to_branch: create wg0/?
    peer.to_hq: create wg0/?
    ");
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «wg0@hq» up port 51820 mtu 1420 mark 0 []
      «wg0@branch» [10.2.0.0/16] keepalive off psk
    file /var/lib/wgform/keys/wg0
    ");
    assert_eq!(secret(&lab, "hq", "branch"), secret(&lab, "branch", "hq"));
}

/// Returns the pre-shared key that one host holds for the other.
pub fn secret(lab: &Lab, on: &str, of: &str) -> Option<wgform::value::PresharedKey> {
    let key = lab.host(of).key_of("wg0");
    lab.host(on).linux.device("wg0").unwrap().peers[&key].preshared_key.clone()
}

#[test]
fn a_rotation_makes_a_new_secret_for_both_ends() {
    let mut lab = Lab::matching(LINK);
    let before = secret(&lab, "hq", "branch");
    lab.edit("preshared_key \"tunnel\" {}", "preshared_key \"tunnel\" {\n  rotation = \"2\"\n}");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # preshared_key.tunnel will be updated in place
      # a new secret is made and written to all its holders
      ~ preshared_key "tunnel" {
          + rotation    = "2"
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
    assert_snapshot!(lab.steps(), @"
    preshared_key.tunnel: record
    peer.to_branch: update wg0/«wg0@branch» preshared_key
    peer.to_hq: update wg0/«wg0@hq» preshared_key
    ");
    lab.settle();
    assert_ne!(secret(&lab, "hq", "branch"), before);
    assert_eq!(secret(&lab, "hq", "branch"), secret(&lab, "branch", "hq"));
}

#[test]
fn a_holder_that_lost_the_secret_gets_it_back_from_the_other() {
    let lab = Lab::matching(LINK);
    let before = secret(&lab, "hq", "branch");
    let (hq, branch) = (lab.host("hq"), lab.host("branch"));
    hq.set_preshared_key("wg0", branch.key_of("wg0"), None);
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # peer.to_branch on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ peer "to_branch" {
            interface     = interface.hq
            name          = "to_branch"
          ~ preshared_key = "none" -> (sensitive value)
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(secret(&lab, "hq", "branch"), before);
}

#[test]
fn a_secret_that_nobody_holds_any_more_is_made_anew() {
    let lab = Lab::matching(LINK);
    let (hq, branch) = (lab.host("hq"), lab.host("branch"));
    hq.set_preshared_key("wg0", branch.key_of("wg0"), None);
    branch.set_preshared_key("wg0", hq.key_of("wg0"), Some("intruder"));
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # preshared_key.tunnel will be updated in place
      # a new secret is made and written to all its holders
      ~ preshared_key "tunnel" {
          ~ fingerprint = "«fingerprint»" -> (known after apply)
            # 1 unchanged attribute hidden
        }

      # peer.to_branch on local "hq" (simulated) will be updated in place
      ~ peer "to_branch" {
            interface     = interface.hq
            name          = "to_branch"
          ~ preshared_key = "none" -> (known after apply)
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
    lab.settle();
    assert_eq!(secret(&lab, "hq", "branch"), secret(&lab, "branch", "hq"));
}

#[test]
fn a_secret_is_not_made_anew_while_a_holder_cannot_be_reached() {
    let mut lab = Lab::matching(LINK);
    lab.traits("branch").is_unreachable = true;
    assert_snapshot!(lab.plan(), @"
    Backend `branch` was not read: could not reach the host: it does not answer

      Switch it on.
      2 resources left out; where others refer to them, the last known values are used.

    No changes. The devices match the configuration on the backends that were read.
    ");
    let branch = lab.host("branch").key_of("wg0");
    lab.host("hq").set_preshared_key("wg0", branch, None);
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # preshared_key.tunnel will be updated in place
      # a new secret is made and written to all its holders
      ~ preshared_key "tunnel" {
          ~ fingerprint = "«fingerprint»" -> (known after apply)
            # 1 unchanged attribute hidden
        }

      # peer.to_branch on local "hq" (simulated) will be updated in place
      ~ peer "to_branch" {
            interface     = interface.hq
            name          = "to_branch"
          ~ preshared_key = "none" -> (known after apply)
            # 6 unchanged attributes hidden
        }

    Backend `branch` was not read: could not reach the host: it does not answer

      Switch it on.
      2 resources left out; where others refer to them, the last known values are used.

    Plan: 0 to add, 2 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    refused: `preshared_key.tunnel` has to be made anew, and `peer.to_hq` cannot be reached now to learn it
      help: run again when all its holders can be reached, or set `value`
    "#);
}

#[test]
fn a_rotation_waits_for_every_holder() {
    let mut lab = Lab::matching(LINK);
    lab.traits("branch").is_unreachable = true;
    lab.edit("preshared_key \"tunnel\" {}", "preshared_key \"tunnel\" {\n  rotation = \"2\"\n}");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # preshared_key.tunnel will be updated in place
      # a new secret is made and written to all its holders
      ~ preshared_key "tunnel" {
          + rotation    = "2"
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

    Backend `branch` was not read: could not reach the host: it does not answer

      Switch it on.
      2 resources left out; where others refer to them, the last known values are used.

    Plan: 0 to add, 2 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    refused: `preshared_key.tunnel` has to be made anew, and `peer.to_hq` cannot be reached now to learn it
      help: run again when all its holders can be reached, or set `value`
    "#);
}

#[test]
fn a_secret_of_the_configuration_is_written_where_it_is_wanted() {
    let text = LINK.replace("\"tunnel\" {}", "\"tunnel\" {\n  value = \"«a.psk»\"\n}");
    let mut lab = Lab::matching(&text);
    lab.edit("«a.psk»", "«b.psk»");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # preshared_key.tunnel will be updated in place
      ~ preshared_key "tunnel" {
          ~ fingerprint = "«fingerprint»" -> "«fingerprint»"
            # 1 unchanged attribute hidden
        }

      # peer.to_branch on local "hq" (simulated) will be updated in place
      ~ peer "to_branch" {
            interface     = interface.hq
            name          = "to_branch"
          ~ preshared_key = (sensitive value)
            # 6 unchanged attributes hidden
        }

      # peer.to_hq on local "branch" (simulated) will be updated in place
      ~ peer "to_hq" {
            interface     = interface.branch
            name          = "to_hq"
          ~ preshared_key = (sensitive value)
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 3 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(secret(&lab, "hq", "branch"), Some(crate::names::preshared_key("b")));
}

#[test]
fn a_holder_is_added_and_gets_the_secret_that_there_is() {
    let peer = "preshared_key = preshared_key.tunnel\n  allowed_ips   = [\"10.1.0.0/16\"]";
    let mut lab = Lab::matching(&LINK.replace(peer, "allowed_ips   = [\"10.1.0.0/16\"]"));
    let before = secret(&lab, "hq", "branch");
    lab.edit("allowed_ips   = [\"10.1.0.0/16\"]", peer);
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.to_hq on local "branch" (simulated) will be updated in place
      ~ peer "to_hq" {
            interface     = interface.branch
            name          = "to_hq"
          ~ preshared_key = "none" -> (sensitive value)
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(secret(&lab, "branch", "hq"), before);
}

#[test]
fn a_secret_is_adopted_from_a_peer_that_has_it() {
    let plain = LINK.replace("preshared_key = preshared_key.tunnel", "");
    let plain = plain.replace("preshared_key \"tunnel\" {}", "");
    let mut lab = Lab::matching(&plain);
    let branch = lab.host("branch").key_of("wg0");
    lab.host("hq").set_preshared_key("wg0", branch, Some("by hand"));
    lab.assert_settled();
    let adopting = "preshared_key \"tunnel\" {\n  adopt_from = peer.to_branch\n}";
    lab.replace(&LINK.replace("preshared_key \"tunnel\" {}", adopting));
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # preshared_key.tunnel will be created
      + preshared_key "tunnel" {
          + holders     = "peer.to_branch, peer.to_hq"
          + fingerprint = "«fingerprint»"
        }

      # peer.to_hq on local "branch" (simulated) will be updated in place
      ~ peer "to_hq" {
            interface     = interface.branch
            name          = "to_hq"
          ~ preshared_key = "none" -> (sensitive value)
            # 6 unchanged attributes hidden
        }

    Plan: 1 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(secret(&lab, "branch", "hq"), Some(crate::names::preshared_key("by hand")));
}

#[test]
fn a_secret_that_is_no_longer_declared_is_left_alone_on_the_devices() {
    let mut lab = Lab::matching(LINK);
    let before = secret(&lab, "hq", "branch");
    let plain = LINK.replace("preshared_key = preshared_key.tunnel", "");
    lab.replace(&plain.replace("preshared_key \"tunnel\" {}", ""));
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # preshared_key.tunnel will be destroyed (it is no longer in the configuration)
      - preshared_key "tunnel" {
          - holders     = "peer.to_branch, peer.to_hq"
          - fingerprint = "«fingerprint»"
        }

    Plan: 0 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(secret(&lab, "hq", "branch"), before);
}

#[test]
fn a_literal_secret_is_set_changed_cleared_and_let_go() {
    let at = "public_key  = \"«laptop»\"";
    let with = |value: &str| format!("{at}\n  preshared_key = {value}");
    let a = HUB.replace(at, &with("\"«a.psk»\""));
    assert_snapshot!(changed(HUB, at, &with("\"«a.psk»\"")), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) will be updated in place
      ~ peer "laptop" {
            interface     = interface.hub
            name          = "laptop"
          ~ preshared_key = "none" -> (sensitive value)
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(changed(&a, "«a.psk»", "«b.psk»"), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) will be updated in place
      ~ peer "laptop" {
            interface     = interface.hub
            name          = "laptop"
          ~ preshared_key = (sensitive value)
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(changed(&a, "\"«a.psk»\"", "\"none\""), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) will be updated in place
      ~ peer "laptop" {
            interface     = interface.hub
            name          = "laptop"
          ~ preshared_key = (sensitive value) -> "none"
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(changed(&a, "preshared_key = \"«a.psk»\"", ""), @"No changes. The devices match the configuration.");
}

#[test]
fn a_secret_that_somebody_set_is_left_alone_unless_it_is_wanted_otherwise() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").set_preshared_key("wg0", public_key("laptop"), Some("by hand"));
    assert_snapshot!(lab.plan(), @"No changes. The devices match the configuration.");
    let at = "public_key  = \"«laptop»\"";
    lab.edit(at, &format!("{at}\n  preshared_key = \"none\""));
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.laptop on local "hq" (simulated) will be updated in place
      ~ peer "laptop" {
            interface     = interface.hub
            name          = "laptop"
          ~ preshared_key = (sensitive value) -> "none"
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    lab.host("hq").set_preshared_key("wg0", public_key("laptop"), Some("by hand"));
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # peer.laptop on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ peer "laptop" {
            interface     = interface.hub
            name          = "laptop"
          ~ preshared_key = (sensitive value) -> "none"
            # 6 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn a_disabled_peer_holds_nothing_and_gets_the_secret_when_it_comes_back() {
    let disabled = LINK.replace(
        "interface     = interface.branch",
        "interface     = interface.branch\n  enabled = false",
    );
    let mut lab = Lab::matching(&disabled);
    lab.edit("\n  enabled = false", "");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.to_hq on local "branch" (simulated) will be updated in place
      ~ peer "to_hq" {
            interface     = interface.branch
            name          = "to_hq"
          ~ enabled       = false -> true
          + preshared_key = (sensitive value)
            # 5 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(secret(&lab, "hq", "branch"), secret(&lab, "branch", "hq"));
}

#[test]
fn a_link_with_a_secret_is_destroyed_end_by_end() {
    let mut lab = Lab::matching(LINK);
    lab.options.destroy = true;
    assert_snapshot!(lab.steps(), @"
    peer.to_hq: delete wg0/«wg0@hq»
    peer.to_branch: delete wg0/«wg0@branch»
    preshared_key.tunnel: record
    interface.hq: delete wg0
    interface.branch: delete wg0
    ");
    lab.apply();
    assert_eq!((lab.show("hq"), lab.show("branch")), (String::new(), String::new()));
    assert!(lab.owned().is_empty());
}

#[test]
fn an_end_that_was_deleted_comes_back_with_its_key_and_the_secret() {
    let mut lab = Lab::matching(LINK);
    let before = secret(&lab, "hq", "branch");
    lab.host("branch").delete_link("wg0");
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.branch on local "branch" (simulated) is gone and will be created again (changed outside of wgform)
      + interface "branch" {
          + name        = "wg0"
          + public_key  = "«wg0@branch»"
          + listen_port = 51820
        }

      # peer.to_hq on local "branch" (simulated) went with its interface and will be created again (changed outside of wgform)
      + peer "to_hq" {
          + interface     = interface.branch
          + public_key    = "«wg0@hq»"
          + name          = "to_hq"
          + preshared_key = (sensitive value)
          + allowed_ips   = ["10.1.0.0/16"]
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 2. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(secret(&lab, "branch", "hq"), before);
    lab.edit("allowed_ips   = [\"10.1.0.0/16\"]", "allowed_ips   = [\"10.3.0.0/16\"]");
    lab.settle();
}

#[test]
fn a_secret_that_nobody_holds_is_not_made_with_each_apply() {
    let lone = "backend \"local\" \"hq\" {\n  simulate = true\n}\npreshared_key \"tunnel\" {}\n";
    Lab::new(lone).settle();
    let disabled = LINK.replace("public_key ", "enabled = false\n  public_key ");
    let mut lab = Lab::matching(&disabled);
    let text = LINK.to_owned();
    lab.replace(&text);
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # preshared_key.tunnel will be updated in place
      # a new secret is made and written to all its holders
      ~ preshared_key "tunnel" {
          ~ fingerprint = "«fingerprint»" -> (known after apply)
            # 1 unchanged attribute hidden
        }

      # peer.to_branch on local "hq" (simulated) will be updated in place
      ~ peer "to_branch" {
            interface     = interface.hq
            name          = "to_branch"
          ~ enabled       = false -> true
          + preshared_key = (known after apply)
            # 4 unchanged attributes hidden
        }

      # peer.to_hq on local "branch" (simulated) will be updated in place
      ~ peer "to_hq" {
            interface     = interface.branch
            name          = "to_hq"
          ~ enabled       = false -> true
          + preshared_key = (known after apply)
            # 4 unchanged attributes hidden
        }

    Plan: 0 to add, 3 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(secret(&lab, "hq", "branch"), secret(&lab, "branch", "hq"));
}

#[test]
fn a_secret_that_no_device_ever_had_is_made_for_the_first_that_is_enabled() {
    let lone = r#"
backend "local" "hq" {
  simulate = true
}

interface "hub" {
  backend = backend.hq
  name    = "wg0"
}

peer "phone" {
  interface     = interface.hub
  public_key    = "«phone»"
  preshared_key = preshared_key.phone
  allowed_ips   = ["10.8.0.2/32"]
  enabled       = false
}

preshared_key "phone" {}
"#;
    let mut lab = Lab::matching(lone);
    lab.edit("  enabled       = false\n", "");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # preshared_key.phone will be updated in place
      # a new secret is made and written to all its holders
      ~ preshared_key "phone" {
          ~ fingerprint = "«fingerprint»" -> (known after apply)
            # 1 unchanged attribute hidden
        }

      # peer.phone on local "hq" (simulated) will be updated in place
      ~ peer "phone" {
            interface     = interface.hub
            name          = "phone"
          ~ enabled       = false -> true
          + preshared_key = (known after apply)
            # 4 unchanged attributes hidden
        }

    Plan: 0 to add, 2 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn a_disabled_peer_waits_for_a_secret_that_there_is() {
    let mut lab = Lab::matching(LINK);
    lab.append(
        "peer \"third\" {\n  interface     = interface.hq\n  public_key    = \"«third»\"\n  enabled       = false\n  \
         preshared_key = preshared_key.tunnel\n  allowed_ips   = []\n}\n",
    );
    lab.settle();
    lab.edit("  enabled       = false\n", "");
    lab.settle();
}

#[test]
fn what_turns_out_to_be_a_secret_is_not_recorded() {
    let lab = Lab::new(&HUB.replace(
        "peer \"laptop\" {",
        "peer \"laptop\" {\n  name = peer.phone[interface.hub.public_key == \"\" ? \"name\" : \"preshared_key\"]",
    ));
    let told = lab.apply();
    assert!(told.contains("Failed: peer.laptop"), "{told}");
    assert!(told.contains("reference to a secret"), "{told}");
}

#[test]
fn a_peer_whose_secret_was_lost_can_be_disabled_and_comes_back_with_a_new_one() {
    let one = HUB.replace("\"«phone»\"", "\"«phone»\"\n  preshared_key = preshared_key.tunnel");
    let mut lab = Lab::matching(&format!("{one}preshared_key \"tunnel\" {{}}\n"));
    let phone = public_key("phone");
    lab.host("hq").set_preshared_key("wg0", phone, Some("intruder"));
    lab.edit("[\"10.8.0.3/32\"]", "[\"10.8.0.3/32\"]\n  enabled = false");
    lab.settle();
    let peers = |lab: &Lab| lab.host("hq").linux.device("wg0").unwrap().peers;
    assert!(!peers(&lab).contains_key(&phone), "{}", lab.show("hq"));
    lab.edit("\n  enabled = false", "");
    assert!(lab.plan().contains("refused: `preshared_key.tunnel` was changed or lost"));
    lab.edit("\"tunnel\" {}", "\"tunnel\" {\n  rotation = \"2\"\n}");
    lab.settle();
    let secret = peers(&lab)[&phone].preshared_key.clone();
    assert!(secret.is_some_and(|it| it != preshared_key("intruder")));
}
