//! `moved`, `removed` and `import` blocks: what becomes of what is recorded or there.

use std::fmt::Write as _;
use std::time::Instant;

use wgform::plan::Plan;
use wgform::state::{ObjectKey, StateChange};

use crate::backend::Crash;
use crate::changes::HUB;
use crate::lab::Lab;
use crate::persist::conf;

fn moved(from: &str, to: &str) -> String {
    format!("moved {{\n  from = {from}\n  to   = {to}\n}}\n")
}

fn kept(address: &str) -> String {
    format!("removed {{\n  from = {address}\n  lifecycle {{\n    destroy = false\n  }}\n}}\n")
}

fn import(to: &str, id: &str) -> String {
    format!("import {{\n  to = {to}\n  id = \"{id}\"\n}}\n")
}

/// Renames the hub of `HUB`, with its references.
fn renamed() -> Lab {
    let mut lab = Lab::matching(HUB);
    let text = HUB
        .replace("interface \"hub\"", "interface \"main\"")
        .replace("interface.hub", "interface.main");
    lab.replace(&text).append(&moved("interface.hub", "interface.main"));
    lab
}

#[test]
fn a_pure_move_writes_the_state_and_nothing_else() {
    let lab = renamed();
    let before = lab.show("hq");
    let plan = lab.plan();
    assert!(plan.contains("# interface.hub has moved to interface.main"), "{plan}");
    assert!(plan.contains("0 to add, 0 to change, 0 to destroy, 1 moved."), "{plan}");
    assert_eq!(lab.steps(), "");
    assert!(!lab.look(Plan::is_empty));
    let drift = lab.drift();
    assert!(drift.contains("No drift."), "{drift}");
    let said = lab.apply();
    assert!(said.contains("0 added, 0 changed, 0 destroyed, 1 moved."), "{said}");
    assert_eq!(lab.show("hq"), before);
    assert_eq!(lab.owned(), ["interface.main", "peer.laptop", "peer.phone"]);
    lab.assert_settled();
}

#[test]
fn a_moved_interface_keeps_the_name_that_its_label_gave_it() {
    let text = HUB.replace("  name        = \"wg0\"\n", "");
    let mut lab = Lab::matching(&text);
    let before = lab.show("hq");
    lab.replace(&text.replace("\"hub\"", "\"main\"").replace("interface.hub", "interface.main"));
    lab.append(&moved("interface.hub", "interface.main"));
    assert_eq!(lab.steps(), "");
    lab.settle();
    assert_eq!(lab.show("hq"), before);
    let record = &lab.state().resources[&"interface.main".parse().unwrap()];
    assert!(matches!(&record.object, ObjectKey::Interface { name, .. } if name == "hub"));
}

#[test]
fn a_peer_on_the_state_only_host_keeps_its_name_too() {
    let mut lab = Lab::matching(HUB);
    lab.edit("peer \"laptop\"", "peer \"alice\"").append(&moved("peer.laptop", "peer.alice"));
    lab.settle();
    let record = &lab.state().resources[&"peer.alice".parse().unwrap()];
    assert_eq!(record.attributes["name"], "laptop");
}

#[test]
fn without_the_block_it_is_another_resource() {
    let mut lab = Lab::matching(HUB);
    lab.edit("peer \"laptop\"", "peer \"alice\"");
    let plan = lab.plan();
    assert!(plan.contains("peer.laptop") && plan.contains("will be destroyed"), "{plan}");
}

#[test]
fn a_move_is_recorded_though_its_host_is_out_of_reach() {
    let mut lab = renamed();
    lab.traits("hq").is_unreachable = true;
    let plan = lab.plan();
    assert!(plan.contains("# interface.hub has moved to interface.main"), "{plan}");
    lab.apply();
    assert_eq!(lab.owned(), ["interface.main", "peer.laptop", "peer.phone"]);
    lab.traits("hq").is_unreachable = false;
    lab.assert_settled();
}

#[test]
fn a_move_is_recorded_though_every_step_fails() {
    let mut lab = renamed();
    lab.edit("10.8.0.2/32", "10.8.0.9/32");
    let said = lab.crash(Crash { done: 0, reported: 0 });
    assert!(said.contains("killed"), "{said}");
    assert_eq!(lab.owned(), ["interface.main", "peer.laptop", "peer.phone"]);
    lab.settle();
}

#[test]
fn moves_are_recorded_whole_whatever_the_target() {
    let mut lab = renamed();
    lab.edit("10.8.0.2/32", "10.8.0.9/32");
    lab.options.targets = vec!["peer.phone".parse().unwrap()];
    let plan = lab.plan();
    assert!(plan.contains("Moves are recorded whole") && plan.contains(", 1 moved."), "{plan}");
    lab.apply();
    assert_eq!(lab.owned(), ["interface.main", "peer.laptop", "peer.phone"]);
}

#[test]
fn a_target_may_be_named_by_its_old_address() {
    let mut lab = renamed();
    lab.edit("51820\n  addresses", "51821\n  addresses");
    lab.options.targets = vec!["interface.hub".parse().unwrap()];
    assert_eq!(lab.steps(), "interface.main: update wg0 listen_port\n", "{}", lab.plan());
}

#[test]
fn two_objects_for_one_address_are_refused() {
    let mut lab = Lab::matching(HUB);
    lab.remove_block("peer \"laptop\"").append(&moved("peer.laptop", "peer.phone"));
    let plan = lab.plan();
    assert!(plan.contains("two objects for one address"), "{plan}");
    assert!(
        plan.contains("`peer.laptop` moves here, and `peer.phone` is in the state already"),
        "{plan}"
    );
    assert_eq!(lab.owned().len(), 3);
}

#[test]
fn moves_that_meet_are_refused() {
    let mut lab = Lab::matching(HUB);
    let text = "peer \"both\" {\n  interface = interface.hub\n  public_key = \"«laptop»\"\n  allowed_ips = []\n}\n";
    lab.remove_block("peer \"laptop\"").remove_block("peer \"phone\"").append(text);
    lab.append(&moved("peer.laptop", "peer.phone")).append(&moved("peer.phone", "peer.both"));
    let plan = lab.plan();
    assert!(
        plan.contains("`peer.laptop` moves here, and so does `peer.phone`")
            || plan.contains("`peer.phone` moves here, and so does `peer.laptop`"),
        "{plan}"
    );
}

#[test]
fn what_an_apply_was_cut_off_in_follows() {
    for done in 0..=3 {
        for reported in [0, done] {
            let mut lab = Lab::new(HUB);
            lab.crash(Crash { done, reported });
            let text = HUB.replace("interface \"hub\"", "interface \"main\"");
            let text = text
                .replace("interface.hub", "interface.main")
                .replace("peer \"laptop\"", "peer \"alice\"");
            lab.replace(&text);
            lab.append(&moved("interface.hub", "interface.main"))
                .append(&moved("peer.laptop", "peer.alice"));
            let plan = lab.plan();
            assert!(!plan.contains("will be destroyed"), "{done} {reported}\n{plan}");
            lab.settle();
            assert_eq!(
                lab.owned(),
                ["interface.main", "peer.alice", "peer.phone"],
                "{done} {reported}"
            );
            let shown = lab.show("hq");
            assert_eq!(shown.lines().count(), 4, "{shown}");
        }
    }
}

#[test]
fn what_is_on_its_way_to_the_new_address_stands_in_the_way() {
    let mut lab = Lab::matching(HUB);
    lab.edit_state(|state| {
        let resource = Box::new(state.resources[&"peer.laptop".parse().unwrap()].clone());
        let change =
            StateChange::Put { address: "peer.alice".parse().unwrap(), resource, depose: false };
        state.keep_open([change]);
    });
    lab.edit("peer \"laptop\"", "peer \"alice\"").append(&moved("peer.laptop", "peer.alice"));
    let plan = lab.plan();
    assert!(plan.contains("An apply was cut off in the middle of `peer.alice`"), "{plan}");
}

#[test]
fn what_was_on_its_way_to_go_takes_nothing_along() {
    let mut lab = Lab::matching(HUB);
    lab.edit_state(|state| {
        state.keep_open([StateChange::Remove { address: "peer.old".parse().unwrap() }]);
    });
    lab.append(&moved("peer.old", "peer.laptop"));
    assert_eq!(lab.steps(), "");
    lab.settle();
    assert_eq!(lab.owned().len(), 3);
}

#[test]
fn destroying_everything_minds_no_moves() {
    let mut lab = Lab::matching(HUB);
    lab.remove_block("peer \"laptop\"").append(&moved("peer.laptop", "peer.phone"));
    lab.options.destroy = true;
    let said = lab.apply();
    assert!(said.contains("3 destroyed"), "{said}");
}

#[test]
fn a_refresh_records_moves_too() {
    let mut lab = renamed();
    lab.options.refresh_only = true;
    let plan = lab.plan();
    assert!(plan.contains("0 resources to record, 1 moved, nothing to write."), "{plan}");
    lab.apply();
    assert_eq!(lab.owned(), ["interface.main", "peer.laptop", "peer.phone"]);
}

#[test]
fn what_is_removed_so_stays_where_it_is() {
    let mut lab = Lab::matching(HUB);
    let before = lab.show("hq");
    lab.remove_block("peer \"phone\"").append(&kept("peer.phone"));
    let plan = lab.plan();
    assert!(
        plan.contains(
            "peer.phone on local \"hq\" (simulated) will no longer be managed, and stays as it is"
        ),
        "{plan}"
    );
    assert!(plan.contains("0 to destroy, 1 to forget."), "{plan}");
    let said = lab.apply();
    assert!(
        said.contains("peer.phone: no longer managed") && said.contains("1 forgotten"),
        "{said}"
    );
    assert_eq!(lab.show("hq"), before);
    assert_eq!(lab.owned(), ["interface.hub", "peer.laptop"]);
    lab.assert_settled();
}

#[test]
fn a_whole_interface_can_be_left_alone() {
    let mut lab = Lab::matching(HUB);
    let before = lab.show("hq");
    lab.replace("backend \"local\" \"hq\" {\n  simulate = true\n}\n");
    for address in ["interface.hub", "peer.laptop", "peer.phone"] {
        lab.append(&kept(address));
    }
    lab.apply();
    assert_eq!(lab.show("hq"), before);
    assert_eq!(lab.owned(), [""; 0]);
}

#[test]
fn an_interface_does_not_go_with_a_peer_that_is_left_alone() {
    let mut lab = Lab::matching(HUB);
    lab.replace("backend \"local\" \"hq\" {\n  simulate = true\n}\n").append(&kept("peer.phone"));
    let plan = lab.plan();
    assert!(
        plan.contains("`interface.hub` would be destroyed with 1 peer that wgform does not manage"),
        "{plan}"
    );
}

#[test]
fn what_is_left_alone_is_not_removed_as_nobodys() {
    let mut lab = Lab::matching(&HUB.replace("\"wg0\"", "\"wg0\"\n  unmanaged_peers = \"remove\""));
    lab.remove_block("peer \"phone\"").append(&kept("peer.phone"));
    let plan = lab.plan();
    assert!(plan.contains("refused: `peer.phone` is to be left alone"), "{plan}");
}

#[test]
fn what_is_removed_is_destroyed_unless_it_says_otherwise() {
    let mut lab = Lab::matching(HUB);
    lab.remove_block("peer \"phone\"").append("removed {\n  from = peer.phone\n}\n");
    let plan = lab.plan();
    assert!(plan.contains("will be destroyed (as the `removed` block at main.wg.hcl:"), "{plan}");
    lab.settle();
    assert!(!lab.show("hq").contains("«phone»"));
}

#[test]
fn prevent_destroy_does_not_prevent_leaving_alone() {
    let mut lab = Lab::matching(&HUB.replace(
        "  allowed_ips = [\"10.8.0.2/32\"]\n",
        "  allowed_ips = [\"10.8.0.2/32\"]\n  lifecycle {\n    prevent_destroy = true\n  }\n",
    ));
    lab.remove_block("peer \"laptop\"");
    assert!(lab.plan().contains("refused"));
    lab.append(&kept("peer.laptop"));
    let said = lab.apply();
    assert!(said.contains("1 forgotten"), "{said}");
}

/// A hub that somebody made by hand.
fn by_hand(blocks: &str) -> Lab {
    let mut lab = Lab::new(HUB);
    lab.host("hq").add_interface("wg0", "old", 51820);
    lab.host("hq").add_address("wg0", "10.8.0.1/24");
    lab.host("hq").set_peer("wg0", "laptop", &["10.8.0.2/32"]);
    lab.append(blocks);
    lab
}

#[test]
fn an_import_takes_over_what_is_there_in_the_apply() {
    let lab = by_hand(&(import("interface.hub", "wg0") + &import("peer.laptop", "wg0/«laptop»")));
    let plan = lab.plan();
    assert!(plan.contains("# interface.hub will be imported from wg0"), "{plan}");
    assert!(plan.contains("# peer.laptop will be imported from wg0/«laptop»"), "{plan}");
    assert!(plan.contains("Plan: 2 to import, 1 to add, 0 to change, 0 to destroy."), "{plan}");
    assert!(!lab.has_state());
    let said = lab.apply();
    assert!(said.contains("Resources: 2 imported, 1 added, 0 changed, 0 destroyed."), "{said}");
    lab.assert_settled();
    assert!(lab.show("hq").contains("«old»"));
}

#[test]
fn an_import_shows_what_would_change() {
    let mut lab = by_hand(&import("interface.hub", "wg0"));
    lab.edit("51820\n  addresses", "51821\n  addresses").remove_block("peer \"laptop\"");
    let plan = lab.plan();
    assert!(plan.contains("# (imported from wg0)") && plan.contains("51820 -> 51821"), "{plan}");
    assert!(plan.contains("Plan: 1 to import, 1 to add, 1 to change, 0 to destroy."), "{plan}");
    lab.settle();
}

#[test]
fn an_import_of_what_is_not_there_says_so() {
    let mut lab = by_hand(&import("interface.hub", "wg7"));
    lab.remove_block("peer \"laptop\"").remove_block("peer \"phone\"");
    let plan = lab.plan();
    assert!(plan.contains("object that cannot be imported"), "{plan}");
    assert!(plan.contains("backend `hq` has no WireGuard interface `wg7`"), "{plan}");
}

#[test]
fn an_import_has_to_look() {
    let mut lab = by_hand(&import("interface.hub", "wg0"));
    lab.options.without_refresh = true;
    let plan = lab.plan();
    assert!(plan.contains("Leave `-refresh=false` out"), "{plan}");
}

#[test]
fn an_import_of_another_object_is_an_error() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").add_interface("wg7", "old", 51999);
    lab.append(&import("interface.hub", "wg7"));
    let plan = lab.plan();
    assert!(plan.contains("import of another object"), "{plan}");
}

#[test]
fn an_import_that_was_done_is_done() {
    let mut lab = Lab::matching(HUB);
    lab.append(&import("interface.hub", "wg0")).append(&import("peer.phone", "wg0/«phone»"));
    lab.assert_settled();
    lab.edit("name        = \"wg0\"", "name        = \"wg1\"");
    lab.settle();
}

#[test]
fn what_belongs_to_another_resource_is_not_imported() {
    let mut lab = Lab::matching(HUB);
    lab.append("interface \"side\" {\n  name = \"wg0\"\n}\n")
        .append(&import("interface.side", "wg0"));
    let plan = lab.plan();
    assert!(plan.contains("`wg0` is owned already, by `interface.hub`"), "{plan}");
}

#[test]
fn an_import_that_was_not_asked_for_waits() {
    let mut lab =
        by_hand(&(import("interface.hub", "wg0") + &import("peer.laptop", "wg0/«laptop»")));
    lab.options.targets = vec!["interface.hub".parse().unwrap()];
    let plan = lab.plan();
    assert!(plan.contains("Plan: 1 to import, 0 to add"), "{plan}");
    lab.apply();
    assert_eq!(lab.owned(), ["interface.hub"]);
}

#[test]
fn importing_by_hand_waits_for_a_move_to_the_same_address() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").set_peer("wg0", "friend", &["10.8.0.8/32"]);
    lab.edit("peer \"laptop\"", "peer \"alice\"").append(&moved("peer.laptop", "peer.alice"));
    let said = lab.import("peer.alice", "wg0/«friend»");
    assert!(said.contains("`peer.laptop` moves to `peer.alice`, and owns an object"), "{said}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test measures time")]
fn ten_thousand_moves_take_their_time_each() {
    let time = |number: usize| {
        let mut lab = Lab::new(
            "backend \"local\" \"hq\" {\n  simulate = true\n}\ninterface \"hub\" {\n  name = \"wg0\"\n}\n",
        );
        lab.settle();
        lab.edit_state(|state| {
            let hub = state.resources[&"interface.hub".parse().unwrap()].clone();
            for at in 0..number {
                let mut record = hub.clone();
                record.backend = None;
                record.object = ObjectKey::PresharedKey {};
                record.dependencies = ["interface.hub".parse().unwrap()].into();
                state.resources.insert(format!("preshared_key.k{at}").parse().unwrap(), record);
            }
        });
        let mut text = String::new();
        for at in 0..number {
            let _ = writeln!(
                text,
                "moved {{\n from = preshared_key.k{at}\n to = preshared_key.n{at}\n}}"
            );
        }
        lab.append(&text);
        let began = Instant::now();
        assert_eq!(lab.look(|plan| plan.moved.len()), number);
        began.elapsed()
    };
    let (few, many) = (time(500), time(5_000));
    assert!(many < few * 40, "500 take {few:?}, 5000 take {many:?}");
}

#[test]
fn a_moved_interface_comes_back_from_the_files_that_it_has() {
    let text = HUB.replace(
        "\"wg0\"",
        "\"wg0\"\n  persist = \"wg-quick\"\n  post_up = [[\"logger\", \"up\"]]",
    );
    let mut lab = Lab::matching(&text);
    let before = lab.show("hq");
    let text = text.replace("\"hub\"", "\"main\"").replace("interface.hub", "interface.main");
    lab.replace(&text).append(&moved("interface.hub", "interface.main"));
    assert_eq!(lab.steps(), "", "{}", lab.plan());
    lab.settle();
    assert_eq!(lab.show("hq"), before);
    let files = conf(&lab);
    assert!(files.contains("WGFORM_ADDRESS=interface.hub"), "{files}");
    lab.edit("51820\n  addresses", "51821\n  addresses");
    lab.settle();
    let files = conf(&lab);
    assert!(files.contains("WGFORM_ADDRESS=interface.main"), "{files}");
}

#[test]
fn an_import_can_be_repeated() {
    let mut lab = by_hand(&import("interface.hub", "wg0"));
    lab.append(
        "import {\n  for_each = { laptop = \"«laptop»\" }\n  to = peer.laptop\n  id = \"wg0/${each.value}\"\n}\n",
    );
    let plan = lab.plan();
    assert!(plan.contains("Plan: 2 to import, 1 to add"), "{plan}");
    lab.settle();
    lab.edit("{ laptop = \"«laptop»\" }", "toset([\"a\", \"b\"])");
    let plan = lab.plan();
    assert!(plan.contains("resource that is imported twice"), "{plan}");
    lab.edit("toset([\"a\", \"b\"])", "[\"a\"]");
    let plan = lab.plan();
    assert!(plan.contains("`for_each` has to be a map or a set of strings"), "{plan}");
    lab.edit("  for_each = [\"a\"]\n", "");
    let plan = lab.plan();
    assert!(plan.contains("`each`"), "{plan}");
}
