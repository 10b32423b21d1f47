//! What a plan that is to be applied may not do: how much it destroys, what is forbidden, what is protected; and how much
//! may have vanished.

use wgform::plan::{Limits, Plan};
use wgform::value::Bound;

use crate::changes::HUB;
use crate::lab::Lab;

/// A hub with ten peers besides the laptop and the phone, and what `guard` says.
fn guarded(guard: &str) -> String {
    let peer = |n: u32| {
        format!(
            "peer \"p{n}\" {{\n  interface = interface.hub\n  public_key = \"«p{n}»\"\n  allowed_ips = [\"10.7.0.{n}/32\"]\n}}\n"
        )
    };
    let guard = format!("wgform {{\n  guard {{\n    {guard}\n  }}\n}}\n");
    guard + HUB + &(0..8).map(peer).collect::<String>()
}

fn lab(guard: &str) -> Lab {
    let mut lab = Lab::matching(&guarded(guard));
    lab.options.limits = Some(Limits::default());
    lab
}

fn refusals(lab: &Lab) -> Vec<String> {
    lab.look(|plan| plan.refusals.iter().map(|it| it.message.clone()).collect())
}

#[test]
fn more_than_may_be_destroyed_is_refused_and_what_is_counted_is_said() {
    let mut lab = lab("max_destroy = 1");
    lab.remove_block("peer \"p0\"");
    assert_eq!(refusals(&lab), Vec::<String>::new());
    lab.edit("«p1»", "«p1 again»");
    let text = lab.plan();
    let refused = "refused: the plan would destroy 2 resources (1 to destroy, 1 to replace, of 11 owned), and 1 is \
                   allowed\n  help: raise `max_destroy` at main.wg.hcl:3 to 2, if all of that is meant to go\n";
    assert!(text.contains(refused), "{text}");
    let looked_at = "Guards:\n\n  max_destroy = 1 (main.wg.hcl:3): refused: 1 to destroy, 1 to replace, of 11 owned\n";
    assert!(text.contains(looked_at), "{text}");
    assert!(lab.apply().starts_with("refused: the plan would destroy 2"), "{}", lab.apply());
    lab.edit("max_destroy = 1", "max_destroy = \"20%\"");
    lab.settle();
}

#[test]
fn the_stricter_of_the_command_line_and_the_guard_wins() {
    let mut lab = lab("max_destroy = 3");
    lab.remove_block("peer \"p0\"");
    lab.remove_block("peer \"p1\"");
    let limits = |bound| Some(Limits { max_destroy: Some(bound), ..Limits::default() });
    lab.options.limits = limits(Bound::Count(1));
    let text = lab.plan();
    assert!(text.contains("help: say `-max-destroy=2`, if all of that is meant to go"), "{text}");
    assert!(text.contains("  -max-destroy=1: refused: 2 to destroy, of 11 owned\n"), "{text}");
    assert!(text.contains("  max_destroy = 3 (main.wg.hcl:3): let through: 2 to"), "{text}");
    lab.options.limits = limits(Bound::Percent(19));
    assert_eq!(refusals(&lab), Vec::<String>::new());
    lab.options.limits = limits(Bound::Percent(18));
    assert!(lab.plan().contains("help: say `-max-destroy=19%`"), "{}", lab.plan());
    lab.options.limits = limits(Bound::Count(100));
    lab.remove_block("peer \"p2\"");
    lab.remove_block("peer \"p3\"");
    assert_eq!(refusals(&lab).len(), 1);
    assert!(lab.plan().contains("raise `max_destroy` at main.wg.hcl:3 to 4"), "{}", lab.plan());
}

#[test]
fn nothing_is_said_of_guards_that_let_a_plan_through_nor_in_a_look_at_drift() {
    let mut lab = lab("max_destroy = 0\n    forbid = [\"destroy\", \"replace\"]");
    lab.edit("«p1»", "«p1 again»");
    assert_eq!(refusals(&lab).len(), 2);
    lab.options.limits = None;
    assert_eq!(refusals(&lab), Vec::<String>::new());
    lab.options.limits = Some(Limits::default());
    lab.edit("«p1 again»", "«p1»");
    lab.edit("10.7.0.2/32", "10.7.0.22/32");
    assert!(!lab.plan().contains("Guards:"), "{}", lab.plan());
    lab.settle();
}

#[test]
fn what_is_forbidden_is_named() {
    let mut lab = lab("forbid = [\"destroy\", \"forget\"]");
    for n in 0..7 {
        lab.remove_block(&format!("peer \"p{n}\""));
    }
    let message = "the plan would destroy 7 resources (peer.p6, peer.p5, peer.p4, peer.p3, peer.p2 and 2 more), which \
                   `forbid` at main.wg.hcl:3 forbids";
    assert_eq!(refusals(&lab), [message]);
    lab.append("removed {\n  from = peer.p0\n  lifecycle {\n    destroy = false\n  }\n}\n");
    assert_eq!(refusals(&lab).len(), 2);
    lab.edit("forbid = [\"destroy\", \"forget\"]", "forbid = []");
    lab.settle();
}

#[test]
fn what_is_protected_is_neither_destroyed_nor_replaced_also_when_its_block_is_gone() {
    let mut lab = lab("protect = [interface.hub, peer.p1, \"peer.p7*\"]");
    lab.edit("«p1»", "«p1 again»");
    lab.remove_block("peer \"p7\"");
    lab.remove_block("peer \"p6\"");
    assert_eq!(
        refusals(&lab),
        [
            "`peer.p1` is in `protect` at main.wg.hcl:3, and would be replaced",
            "`peer.p7` is in `protect` at main.wg.hcl:3, and would be destroyed",
        ]
    );
    lab.options.destroy = true;
    assert_eq!(refusals(&lab).len(), 3);
    lab.options.destroy = false;
    lab.edit("peer.p1, \"peer.p7*\"", "peer.nobody");
    assert!(lab.plan().contains("warning: address that names nothing"), "{}", lab.plan());
    lab.settle();
}

#[test]
fn how_much_may_vanish_is_what_the_guard_says() {
    let mut lab = lab("max_vanished = 2");
    let lose = |lab: &Lab, n: u32| lab.host("hq").remove_peer("wg0", &format!("p{n}"));
    (0..2).for_each(|n| lose(&lab, n));
    assert_eq!(refusals(&lab), Vec::<String>::new());
    lose(&lab, 2);
    assert_eq!(
        refusals(&lab),
        [
            "on backend `hq`, 3 of 10 peers that wgform owns are missing, though the host was not rebooted; `max_vanished` \
         believes 2",
        ]
    );
    lab.edit("max_vanished = 2", "max_vanished = \"30%\"");
    assert_eq!(refusals(&lab), Vec::<String>::new());
    lab.host("hq").delete_link("wg0");
    assert!(lab.look(|plan: &Plan| plan.refusals.is_empty()));
    lab.edit("max_vanished = \"30%\"", "max_vanished = 0");
    assert_eq!(refusals(&lab).len(), 1);
}
