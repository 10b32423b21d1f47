//! A run that stops halfway, in whatever way: the next one goes on from there.

use std::fmt::Write as _;

use insta::assert_snapshot;
use wgform::state::{Deposed, ObjectKey};

use crate::backend::Crash;
use crate::changes::HUB;
use crate::crash::{edited, everything, finishes};
use crate::lab::Lab;
use crate::names::public_key;
use crate::secrets::LINK;

/// As many peers as are too many to be missing for no reason.
const PEERS: u32 = 12;

/// An interface with many peers, and two without.
fn many() -> String {
    let mut text = HUB.to_owned();
    for n in 0..PEERS {
        let _ = write!(
            text,
            "peer \"p{n}\" {{\n  interface = interface.hub\n  public_key = \"«p{n}»\"\n  allowed_ips = [\"10.7.0.{n}/32\"]\n}}\n"
        );
    }
    for n in 1..3 {
        let _ = writeln!(
            text,
            "interface \"side{n}\" {{\n  name = \"wg{n}\"\n  listen_port = 5190{n}\n}}"
        );
    }
    text
}

/// Demands that a plan is made and says of a peer that an earlier apply did not come to it, and that it can be done.
fn goes_on(lab: &Lab) {
    let plan = lab.plan();
    assert!(!plan.contains("refused:"), "{plan}");
    assert!(
        plan.contains("peer.p3 on local \"hq\" (simulated) will be created (an earlier apply did not come to it)"),
        "{plan}"
    );
    lab.settle();
}

#[test]
fn healing_many_peers_is_finished() {
    finishes(edited(&many(), |lab| lab.host("hq").delete_link("wg0")));
}

#[test]
fn healing_whose_peers_failed_is_finished() {
    let with_name = "  endpoint = \"far.example.com:51820\"\n  allowed_ips = [\"10.7";
    let lab = Lab::new(&many().replace("  allowed_ips = [\"10.7", with_name));
    let is_at = |addresses: &[std::net::IpAddr]| {
        lab.host("hq").linux.set_host("far.example.com", addresses).unwrap();
    };
    is_at(&["192.0.2.7".parse().unwrap()]);
    lab.settle();
    lab.host("hq").delete_link("wg0");
    is_at(&[]);
    let said = lab.apply();
    assert!(said.contains("Apply done in part."), "{said}");
    is_at(&["192.0.2.7".parse().unwrap()]);
    goes_on(&lab);
}

#[test]
fn healing_of_which_only_a_target_was_applied_is_finished() {
    let mut lab = Lab::matching(&many());
    lab.host("hq").delete_link("wg0");
    lab.options.targets = vec!["interface.hub".parse().unwrap()];
    lab.apply();
    lab.options.targets.clear();
    goes_on(&lab);
}

#[test]
fn healing_after_a_reboot_of_which_only_a_target_was_applied_is_finished() {
    let mut lab = Lab::matching(&many());
    lab.host("hq").reboot();
    lab.options.targets = vec!["interface.hub".parse().unwrap()];
    lab.apply();
    lab.options.targets.clear();
    let plan = lab.plan();
    assert!(!plan.contains("refused:"), "{plan}");
    for name in ["interface.side1", "interface.side2", "peer.p3"] {
        assert!(plan.contains(&format!("# {name} on local")), "{plan}");
    }
    lab.settle();
}

#[test]
fn an_interface_that_the_boot_brought_back_without_its_peers_is_filled() {
    let lab = Lab::matching(&many());
    let host = lab.host("hq");
    let key = host.linux.device("wg0").unwrap().private_key;
    host.reboot();
    host.add_interface("wg0", "x", 51820);
    let change =
        wgform::simulator::linux::call::DeviceChange { private_key: key, ..Default::default() };
    host.linux.configure("wg0", &change).unwrap();
    let plan = lab.plan();
    assert!(!plan.contains("refused:"), "{plan}");
    lab.settle();
}

#[test]
fn a_cut_off_replace_brings_the_new_one_up_when_the_old_one_is_gone() {
    let make = || {
        let mut lab = Lab::new(HUB);
        lab.traits("hq").cannot_rename = true;
        lab.settle();
        lab.edit("\"wg0\"", "\"wg9\"");
        lab
    };
    let writes = make().apply_and_count();
    let mut is_seen = false;
    for done in 0..=writes {
        let lab = make();
        lab.crash(Crash { done, reported: done / 2 });
        let steps = lab.steps();
        let place = |text: &str| steps.lines().position(|line| line.starts_with(text));
        if let (Some(gone), Some(up)) =
            (place("interface.hub: delete wg0"), place("interface.hub: update wg9 enabled"))
        {
            is_seen = true;
            assert!(gone < up, "{done}:\n{steps}");
        }
        lab.settle();
    }
    assert!(is_seen);
}

#[test]
fn what_was_cut_off_is_no_drift_and_finishing_it_touches_nothing_else() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").set_mtu("wg0", 1380);
    lab.edit("51820\n  addresses", "51900\n  addresses").edit("25s", "30s");
    lab.crash(Crash { done: 0, reported: 0 });
    let plan = lab.plan();
    assert!(!lab.look(wgform::plan::Plan::has_drift), "{plan}");
    assert!(!plan.contains("mtu"), "{plan}");
    lab.settle();
    assert!(lab.show("hq").contains("mtu 1380"), "{}", lab.show("hq"));
}

#[test]
fn what_was_cut_off_after_it_was_done_is_no_drift() {
    for done in 0..=2 {
        let mut lab = Lab::matching(HUB);
        lab.host("hq").set_mtu("wg0", 1380);
        lab.edit("51820\n  addresses", "51900\n  addresses").edit("25s", "30s");
        lab.crash(Crash { done, reported: 0 });
        // The configuration is taken back before anybody looks.
        lab.edit("51900\n  addresses", "51820\n  addresses").edit("30s", "25s");
        let plan = lab.plan();
        assert!(!lab.look(wgform::plan::Plan::has_drift), "{done} {plan}");
        lab.settle();
        assert!(lab.show("hq").contains("mtu 1380"), "{}", lab.show("hq"));
    }
}

/// Lets the first batch on a host break off at each of its operations, which is done without anybody learning of it,
/// with the host lost or not; then the apply may be killed later on. The next one finishes the job.
fn outlives_a_break(host: &str, is_lost_then: bool, is_killed: bool, make: impl Fn() -> Lab) {
    let whole = make();
    let writes = whole.apply_and_count();
    whole.assert_settled();
    let end = everything(&whole);
    let kills = if is_killed { writes + 1 } else { 0 };
    let crashes = (0..kills).map(|done| Some(Crash { done, reported: done }));
    for crash in crashes.chain([None]) {
        for at in 0..writes {
            let mut lab = make();
            lab.traits(host).breaks_at = Some(at);
            lab.traits(host).is_lost_then = is_lost_then;
            match crash {
                Some(crash) => lab.crash(crash),
                None => lab.apply(),
            };
            lab.traits(host).breaks_at = None;
            lab.traits(host).is_lost_then = false;
            let plan = lab.plan();
            let context = format!("broken off at {at}, {crash:?}");
            assert!(!plan.contains("error:") && !plan.contains("refused:"), "{context}\n{plan}");
            let said = lab.apply();
            assert!(said.contains("complete."), "{context}\n{said}");
            lab.assert_settled();
            assert_eq!(everything(&lab), end, "{context}");
        }
    }
}

#[test]
fn a_first_apply_that_lost_its_host_is_finished() {
    outlives_a_break("hq", true, false, || Lab::new(HUB));
    outlives_a_break("hq", false, false, || Lab::new(HUB));
}

#[test]
fn updates_that_lost_their_host_are_finished() {
    let make = edited(HUB, |lab| {
        lab.edit("51820\n  addresses", "51900\n  addresses").edit("25s", "30s");
        lab.remove_block("peer \"laptop\"");
    });
    outlives_a_break("hq", true, false, &make);
    outlives_a_break("hq", false, false, &make);
}

/// Two hosts, of which the first gives its interface another name by making it anew, and the other has something to do
/// after that.
fn replacing() -> Lab {
    let mut lab = Lab::new(LINK);
    lab.traits("hq").cannot_rename = true;
    lab.settle();
    let text = LINK.replacen("\"wg0\"", "\"wg9\"", 1);
    let (first, rest) = text.split_once("interface \"branch\"").unwrap();
    let rest = rest.replace("51820", "51900");
    lab.replace(&format!("{first}interface \"branch\"{rest}"));
    lab
}

#[test]
fn a_replace_that_failed_halfway_is_finished_also_when_it_is_killed_later() {
    outlives_a_break("hq", false, true, replacing);
    outlives_a_break("hq", true, true, replacing);
}

#[test]
fn a_peer_that_is_gone_is_not_removed_by_a_destroy_that_removes_what_it_was_before() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").set_peer("wg0", "laptop 2", &["10.7.0.1/32"]);
    lab.edit_state(|state| {
        let record = state.resources.get_mut(&"peer.laptop".parse().unwrap()).unwrap();
        let (backend, interface) = (record.backend.clone().unwrap(), "wg0".to_owned());
        let public_key = public_key("laptop 2").to_string();
        let object = ObjectKey::Peer { interface, public_key };
        let (attributes, other) = Default::default();
        record.deposed.push(Deposed { backend, object, attributes, other });
    });
    lab.host("hq").remove_peer("wg0", "laptop");
    lab.options.destroy = true;
    assert_snapshot!(lab.steps(), @"
    peer.phone: delete wg0/«phone»
    peer.laptop: delete wg0/9lprtSMK6nvQNvpouvhohdEFg3ARpnx7PCf8FilTa1k=
    peer.laptop: record
    interface.hub: delete wg0
    ");
    assert_destroyed(&lab);
}

#[test]
fn a_peer_that_two_resources_had_is_removed_once_by_a_destroy() {
    // The phone takes over the key of the laptop, which gets another one; and the run ends before the state forgets
    // whose it was.
    for done in 0..3 {
        let mut lab = Lab::matching(HUB);
        lab.edit("«laptop»", "«laptop 2»").edit("«phone»", "«laptop»");
        lab.crash(Crash { done, reported: done });
        lab.options.destroy = true;
        let removals = lab.steps().matches(": delete wg0/«laptop»").count();
        assert_eq!(removals, 1, "{}", lab.steps());
        assert_destroyed(&lab);
    }
}

fn assert_destroyed(lab: &Lab) {
    let report = lab.apply();
    assert!(report.contains("Destroy complete."), "{report}");
    lab.assert_settled();
    assert_eq!(lab.owned(), [""; 0]);
}

#[test]
fn a_port_that_the_host_chose_outlives_a_kill_while_its_interface_is_made_again() {
    let text = HUB.replace("  listen_port = 51820\n", "");
    for is_up in [false, true] {
        let lab = Lab::matching(&text);
        let port = || lab.host("hq").linux.device("wg0").unwrap().listen_port;
        let before = port();
        lab.host("hq").delete_link("wg0");
        lab.crash(Crash { done: 0, reported: 0 });
        // Killed in the middle of it: there is a link, and nothing more.
        lab.host("hq").linux.add_link("wg0").unwrap();
        if is_up {
            lab.host("hq").set_up("wg0", true);
            assert_ne!(port(), before);
        }
        lab.settle();
        assert_eq!(port(), before, "{is_up}");
    }
}
