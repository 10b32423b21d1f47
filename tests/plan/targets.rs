//! `-target`, `-target-exact`, and the links of which only one end is changed.

use insta::assert_snapshot;

use crate::lab::Lab;
use crate::secrets::LINK;

fn target(lab: &mut Lab, addresses: &[&str]) {
    lab.options.targets = addresses.iter().map(|it| it.parse().unwrap()).collect();
}

/// Gives each end of the link something to change.
fn changed() -> Lab {
    let mut lab = Lab::matching(LINK);
    lab.edit("[\"10.1.0.0/16\"]", "[\"10.1.0.0/24\"]");
    lab.edit("[\"10.2.0.0/16\"]", "[\"10.2.0.0/24\"]");
    lab
}

#[test]
fn an_exact_target_leaves_out_the_other_end_and_says_so() {
    let mut lab = changed();
    target(&mut lab, &["peer.to_branch"]);
    assert_snapshot!(lab.steps(), @"
    peer.to_branch: update wg0/«wg0@branch» allowed_ips
    peer.to_hq: update wg0/«wg0@hq» allowed_ips
    ");
    lab.options.target_exact = true;
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.to_branch on local "hq" (simulated) will be updated in place
      ~ peer "to_branch" {
            interface   = interface.hq
            name        = "to_branch"
          ~ allowed_ips = [
              - "10.2.0.0/16",
              + "10.2.0.0/24",
            ]
            # 6 unchanged attributes hidden
        }

    Only a part was planned, as `-target` says: what else differs is not shown here.

    This apply leaves 1 link one-sided:

      peer.to_branch changes, and peer.to_hq is left out

      The ends of such a link may not reach each other until an apply changes both.

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.apply();
    target(&mut lab, &[]);
    assert_snapshot!(lab.steps(), @"peer.to_hq: update wg0/«wg0@hq» allowed_ips");
}

#[test]
fn an_exact_target_that_is_new_is_made_with_what_it_needs_and_the_other_end_follows_later() {
    let mut lab = Lab::new(LINK);
    target(&mut lab, &["peer.to_branch"]);
    lab.options.target_exact = true;
    assert_snapshot!(lab.steps(), @"
    interface.hq: create wg0
    interface.branch: create wg0
    preshared_key.tunnel: record
    peer.to_branch: create wg0/?
    ");
    assert!(lab.plan().contains("peer.to_branch changes, and peer.to_hq is left out\n"));
    lab.apply();
    // The other end is given the secret that the one has.
    target(&mut lab, &[]);
    lab.settle();
}

#[test]
fn one_end_whose_other_end_stays_as_it_is_leaves_nothing_one_sided() {
    let mut lab = Lab::matching(LINK);
    lab.edit("[\"10.2.0.0/16\"]", "[\"10.2.0.0/24\"]");
    target(&mut lab, &["peer.to_branch"]);
    lab.options.target_exact = true;
    assert!(!lab.plan().contains("one-sided"));
    lab.options.target_exact = false;
    lab.traits("branch").is_unreachable = true;
    assert!(!lab.plan().contains("one-sided"));
}

#[test]
fn a_new_key_of_an_exact_target_is_not_told_to_the_other_end() {
    let mut lab = Lab::matching(LINK);
    lab.edit("backend     = backend.hq\n", "backend     = backend.hq\n  key_rotation = \"2026\"\n");
    target(&mut lab, &["interface.hq"]);
    assert_snapshot!(lab.steps(), @"
    interface.hq: update wg0 key
    peer.to_hq: create wg0/?
    peer.to_hq: delete wg0/«wg0@hq»
    ");
    lab.options.target_exact = true;
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hq on local "hq" (simulated) will be updated in place
      # NEW KEY: whoever has the old one is cut off until it learns the new one
      #   must be told by you, the far ends of: peer.to_branch
      ~ interface "hq" {
            name         = "wg0"
          + key_rotation = "2026"
          ~ public_key   = "«wg0@hq»" -> (known after apply)
            # 8 unchanged attributes hidden
        }

    Only a part was planned, as `-target` says: what else differs is not shown here.

    This apply leaves 1 link one-sided:

      interface.hq changes, and peer.to_hq is left out

      The ends of such a link may not reach each other until an apply changes both.

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.apply();
    target(&mut lab, &[]);
    assert_snapshot!(lab.steps(), @"
    peer.to_hq: create wg0/«wg0@hq #2»
    peer.to_hq: delete wg0/«wg0@hq»
    ");
    lab.settle();
}

#[test]
fn an_end_that_cannot_be_reached_is_named_with_the_one_that_changes() {
    let mut lab = changed();
    lab.traits("branch").is_unreachable = true;
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.to_branch on local "hq" (simulated) will be updated in place
      ~ peer "to_branch" {
            interface   = interface.hq
            name        = "to_branch"
          ~ allowed_ips = [
              - "10.2.0.0/16",
              + "10.2.0.0/24",
            ]
            # 6 unchanged attributes hidden
        }

    Backend `branch` was not read: could not reach the host: it does not answer

      Switch it on.
      2 resources left out; where others refer to them, the last known values are used.

    This apply leaves 1 link one-sided:

      peer.to_branch changes, and peer.to_hq is left out with backend `branch`

      The ends of such a link may not reach each other until an apply changes both.

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    // With a target, too: the end that cannot be reached is in nobody's way.
    target(&mut lab, &["peer.to_branch"]);
    assert!(lab.plan().contains("peer.to_hq is left out with backend `branch`\n"));
}

#[test]
fn both_ends_of_a_link_that_goes_go_unless_one_is_named_exactly() {
    let mut lab = Lab::matching(LINK);
    lab.options.destroy = true;
    target(&mut lab, &["peer.to_branch"]);
    assert_snapshot!(lab.steps(), @"
    peer.to_hq: delete wg0/«wg0@hq»
    peer.to_branch: delete wg0/«wg0@branch»
    ");
    lab.options.target_exact = true;
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.to_branch on local "hq" (simulated) will be destroyed
      - peer "to_branch" {
          - interface     = interface.hq
          - public_key    = "«wg0@branch»"
          - name          = "to_branch"
          - preshared_key = (sensitive value)
          - allowed_ips   = ["10.2.0.0/16"]
        }

    Only a part was planned, as `-target` says: what else differs is not shown here.

    This apply leaves 1 link one-sided:

      peer.to_branch changes, and peer.to_hq is left out

      The ends of such a link may not reach each other until an apply changes both.

    Plan: 0 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.options.target_exact = false;
    lab.traits("branch").is_unreachable = true;
    assert_snapshot!(lab.steps(), @"peer.to_branch: delete wg0/«wg0@branch»");

    let mut lab = Lab::matching(LINK);
    lab.remove_block("peer \"to_branch\"").remove_block("peer \"to_hq\"");
    target(&mut lab, &["peer.to_hq"]);
    assert_snapshot!(lab.steps(), @"
    peer.to_hq: delete wg0/«wg0@hq»
    peer.to_branch: delete wg0/«wg0@branch»
    ");
    lab.options.targets.clear();
    lab.options.excludes = vec!["peer.to_hq".parse().unwrap()];
    assert_snapshot!(lab.steps(), @"");
}
