//! An apply that is killed at any of its writes: the next one finishes the job.

#![expect(clippy::disallowed_methods, reason = "the tests rewrite the journal of a killed run")]

use std::collections::BTreeSet;
use std::fs;

use insta::assert_snapshot;

use crate::backend::Crash;
use crate::changes::HUB;
use crate::lab::Lab;
use crate::secrets::LINK;

/// Kills an apply after each of its writes, with none, some or all of them on record, and lets another one go on. What
/// there is in the end is what there would have been.
pub fn finishes(make: impl Fn() -> Lab) {
    let whole = make();
    let writes = whole.apply_and_count();
    whole.assert_settled();
    let end = everything(&whole);
    for done in 0..=writes {
        for reported in [0, done / 2, done] {
            let lab = make();
            lab.let_time_pass();
            let said = lab.crash(Crash { done, reported });
            assert!(said.ends_with("killed\n"), "{said}");
            lab.stop_time();
            let plan = lab.plan();
            assert!(!plan.contains("error:") && !plan.contains("refused:"), "{done} {plan}");
            let said = lab.apply();
            assert!(said.contains("complete."), "{done} of {writes}, {reported} reported:\n{said}");
            lab.assert_settled();
            assert_eq!(everything(&lab), end, "{done} of {writes}, {reported} reported");
        }
    }
}

/// Returns what is on the hosts and in the state.
pub fn everything(lab: &Lab) -> (String, String, Vec<String>) {
    (lab.show("hq"), lab.show("branch"), lab.owned())
}

pub fn edited(before: &str, edit: impl Fn(&mut Lab)) -> impl Fn() -> Lab {
    move || {
        let mut lab = Lab::matching(before);
        edit(&mut lab);
        lab
    }
}

#[test]
fn a_first_apply_is_finished() {
    finishes(|| Lab::new(HUB));
}

#[test]
fn a_first_apply_of_a_link_is_finished() {
    finishes(|| Lab::new(LINK));
}

#[test]
fn a_destroy_is_finished() {
    finishes(edited(LINK, |lab| lab.options.destroy = true));
}

#[test]
fn removals_are_finished() {
    finishes(edited(HUB, |lab| {
        lab.remove_block("peer \"laptop\"").remove_block("peer \"phone\"");
        lab.remove_block("interface \"hub\"");
    }));
}

#[test]
fn a_replace_is_finished() {
    finishes(|| {
        let mut lab = Lab::new(HUB);
        lab.traits("hq").cannot_rename = true;
        lab.settle();
        lab.edit("\"wg0\"", "\"wg9\"");
        lab
    });
}

#[test]
fn a_rename_is_finished() {
    finishes(edited(HUB, |lab| _ = lab.edit("\"wg0\"", "\"wg9\"")));
}

#[test]
fn a_rename_of_which_only_the_new_key_is_left_to_do_is_finished() {
    let mut lab = Lab::matching(HUB);
    let before = lab.host("hq").key_of("wg0");
    lab.edit("\"wg0\"", "\"wg9\"\n  key_rotation = \"1\"");
    lab.crash(Crash { done: 0, reported: 0 });
    let host = lab.host("hq");
    host.set_up("wg0", false);
    host.linux.rename("wg0", "wg9").unwrap();
    lab.settle();
    assert_ne!(lab.host("hq").key_of("wg9"), before);
    let shown = lab.show("hq");
    assert_eq!((shown.matches("wg9 ").count(), shown.matches("file ").count()), (1, 1), "{shown}");
}

#[test]
fn a_new_key_of_a_peer_is_finished() {
    finishes(edited(HUB, |lab| _ = lab.edit("«laptop»", "«laptop 2»")));
}

#[test]
fn a_swap_of_two_keys_is_finished() {
    finishes(edited(HUB, |lab| {
        let swapped = HUB.replace("«phone»", "«x»").replace("«laptop»", "«phone»");
        lab.replace(&swapped.replace("«x»", "«laptop»"));
    }));
}

#[test]
fn a_rotation_of_a_secret_is_finished() {
    finishes(edited(LINK, |lab| {
        lab.edit("\"tunnel\" {}", "\"tunnel\" {\n  rotation = \"2\"\n}");
    }));
}

#[test]
fn many_updates_are_finished() {
    finishes(edited(HUB, |lab| {
        lab.edit("51820\n  addresses", "51900\n  addresses");
        lab.edit(r#"["10.8.0.1/24"]"#, r#"["10.9.0.1/24", "fd00::1/64"]"#);
        lab.edit("10.8.0.2/32", "10.9.0.2/32").edit("10.8.0.3/32", "10.8.0.2/32");
        lab.edit("25s", "30s");
    }));
}

#[test]
fn a_move_to_another_host_is_finished() {
    let text = HUB.replace("\"wg0\"", "\"wg0\"\n  backend = backend.hq");
    finishes(edited(&text, |lab| {
        lab.append("backend \"local\" \"branch\" {\n  simulate = true\n}\n");
        lab.edit("backend.hq", "backend.branch");
    }));
}

#[test]
fn a_move_of_an_interface_that_was_lost_leaves_no_key_behind() {
    let text = HUB.replace("\"wg0\"", "\"wg0\"\n  backend = backend.hq");
    let make = edited(&text, |lab| {
        lab.host("hq").reboot();
        lab.append("backend \"local\" \"branch\" {\n  simulate = true\n}\n");
        lab.edit("backend.hq", "backend.branch");
    });
    let lab = make();
    let files = |host: &str| lab.host(host).linux.list_files("/var/lib/wgform/keys".as_ref());
    assert_eq!(files("hq").len(), 1);
    lab.settle();
    assert_eq!((files("hq").len(), files("branch").len()), (0, 1));
    finishes(make);
}

#[test]
fn healing_is_finished() {
    finishes(edited(HUB, |lab| {
        lab.host("hq").delete_link("wg0");
    }));
}

#[test]
fn a_rotation_of_a_key_that_was_cut_off_is_one_rotation() {
    let rotate = |lab: &mut Lab| {
        let to = "backend     = backend.hq\n  key_rotation = \"2026\"\n";
        lab.edit("backend     = backend.hq\n", to);
    };
    for done in 0..=3 {
        let mut lab = Lab::matching(LINK);
        rotate(&mut lab);
        lab.crash(Crash { done, reported: 0 });
        let key = lab.host("hq").key_of("wg0");
        lab.settle();
        if done > 0 {
            assert_eq!(lab.host("hq").key_of("wg0"), key, "{done}");
        }
    }
}

#[test]
fn what_was_cut_off_in_the_middle_is_called_so() {
    let mut lab = Lab::matching(HUB);
    lab.edit("51820\n  addresses", "51900\n  addresses").edit("25s", "30s");
    lab.crash(Crash { done: 1, reported: 0 });
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be finished (an apply was cut off in the middle of it)
      ~ peer "phone" {
            interface            = interface.hub
            name                 = "phone"
          ~ persistent_keepalive = "25s" -> "30s"
            # 7 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn what_failed_is_said_and_done_the_next_time() {
    let mut lab = Lab::new(HUB);
    lab.edit("198.51.100.7", "vpn.example.com");
    lab.host("hq").linux.set_host("vpn.example.com", &[]).unwrap();
    assert_snapshot!(lab.apply(), @"
    interface.hub: created
    peer.laptop: created

    Failed: peer.phone
      cause: could not create peer `posD+Btw…` on `wg0`: the name `vpn.example.com` does not resolve
      help: Check the name, and the name server of the host.

    Apply done in part. Resources: 2 added, 0 changed, 0 destroyed.
    What was done is in the state; run it again to do the rest.
    ");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be created
      + peer "phone" {
          + interface            = interface.hub
          + public_key           = "«phone»"
          + name                 = "phone"
          + allowed_ips          = ["10.8.0.3/32"]
          + endpoint             = "vpn.example.com:51820"
          + persistent_keepalive = "25s"
        }

    Plan: 1 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    let found = ["192.0.2.7".parse().unwrap()];
    lab.host("hq").linux.set_host("vpn.example.com", &found).unwrap();
    lab.settle();
}

#[test]
fn what_needs_a_failed_step_is_skipped() {
    let lab = Lab::new(HUB);
    let race = || lab.host("hq").linux.add_other_link("wg0").unwrap();
    assert_snapshot!(lab.apply_after(race), @"
    Failed: interface.hub
      cause: could not create interface `wg0`: a link of that name is there already
      help: Give the interface another name, import the link, or remove it with `ip link delete`.

    Skipped:
      peer.laptop, because of interface.hub
      peer.phone, because of interface.hub

    Apply failed. Resources: 0 added, 0 changed, 0 destroyed.
    What was done is in the state; run it again to do the rest.
    ");
    lab.host("hq").linux.delete_link("wg0").unwrap();
    lab.settle();
}

#[test]
fn a_link_that_somebody_else_makes_before_yes_stays_theirs() {
    let lab = Lab::new(HUB);
    let race = || lab.host("hq").linux.add_link("wg0").unwrap();
    assert!(lab.apply_after(race).contains("a link of that name is there already"));
    assert!(lab.owned().is_empty(), "{:?}", lab.owned());
    assert!(
        lab.plan().contains("existing interface that wgform does not manage"),
        "{}",
        lab.plan()
    );
}

#[test]
fn a_peer_that_was_left_behind_goes_before_its_interface() {
    let interface =
        |label: &str, name: &str| format!("interface \"{label}\" {{\n  name = \"{name}\"\n}}\n");
    let peer = |label: &str, on: &str| {
        format!(
            "peer \"{label}\" {{\n  interface = interface.{on}\n  public_key = \"«far»\"\n  allowed_ips = []\n}}\n"
        )
    };
    let backend = "backend \"local\" \"hq\" {\n  simulate = true\n}\n";
    let before =
        [backend, &interface("a", "wg0"), &interface("b", "wg1"), &peer("p", "a")].concat();
    let mut lab = Lab::matching(&before);
    lab.replace(&[backend, &interface("b", "wg1"), &peer("p", "b")].concat());
    lab.crash(Crash { done: 1, reported: 0 });
    assert_snapshot!(lab.steps(), @"
    peer.p: delete wg0/«far»
    interface.a: delete wg0
    ");
    lab.settle();
}

#[test]
fn an_interface_that_takes_the_name_of_one_that_goes_is_not_taken_for_it() {
    let before = "backend \"local\" \"hq\" {\n  simulate = true\n}\nbackend \"local\" \"branch\" {\n  simulate = true\n}\n\
        interface \"goes\" {\n  backend = backend.hq\n  name = \"wg0\"\n}\n\
        interface \"comes\" {\n  backend = backend.branch\n  name = \"wg0\"\n}\n";
    finishes(edited(before, |lab| {
        lab.remove_block("interface \"goes\"");
        lab.edit("backend.branch", "backend.hq");
    }));
}

#[test]
fn an_interface_that_takes_the_name_of_one_that_moves_is_not_taken_for_it() {
    let before = "backend \"local\" \"hq\" {\n  simulate = true\n}\nbackend \"local\" \"branch\" {\n  simulate = true\n}\n\
        interface \"moves\" {\n  backend = backend.hq\n  name = \"wg0\"\n}\n";
    finishes(edited(before, |lab| {
        lab.edit("backend.hq", "backend.branch");
        lab.append("interface \"comes\" {\n  backend = backend.hq\n  name = \"wg0\"\n}\n");
        lab.append("peer \"p\" {\n  interface = interface.comes\n  public_key = \"«p»\"\n  allowed_ips = []\n}\n");
    }));
}

/// Kills an apply when so many writes are done, and rewrites its journal so that every subset of their outcomes is on
/// record, in several orders; `mended` then takes away what made some of them fail. The next apply finishes the job.
fn finishes_in_every_order(make: impl Fn() -> Lab, mended: impl Fn(&Lab)) {
    let whole = make();
    mended(&whole);
    let writes = whole.apply_and_count();
    let end = everything(&whole);
    for done in [writes.div_ceil(2), writes] {
        let mut seen = BTreeSet::new();
        for chosen in 0_u32..1 << done.min(5) {
            for order in ORDERS {
                let lab = make();
                lab.let_time_pass();
                lab.crash(Crash { done, reported: done });
                lab.stop_time();
                let path = lab.path("wgform.state.json.journal");
                let journal = fs::read_to_string(&path).unwrap();
                let rewritten = rewritten(&journal, chosen, order);
                let steps = |it: &str| {
                    it.lines().map(|it| it[..it.len().min(40)].to_owned()).collect::<Vec<_>>()
                };
                if !seen.insert(steps(&rewritten)) {
                    continue;
                }
                fs::write(path, rewritten).unwrap();
                mended(&lab);
                let context = format!("{done} of {writes}, {chosen:b} of the outcomes on record");
                let plan = lab.plan();
                assert!(!plan.contains("error:") && !plan.contains("refused:"), "{context} {plan}");
                assert!(!lab.look(wgform::plan::Plan::has_drift), "{context} {plan}");
                let said = lab.apply();
                assert!(said.contains("complete."), "{context}:\n{said}");
                lab.assert_settled();
                assert_eq!(everything(&lab), end, "{context}");
            }
        }
    }
}

/// A way to put lines into another order.
type Order = fn(&mut Vec<&str>);

const ORDERS: [Order; 3] = [
    |_: &mut Vec<&str>| {},
    |it: &mut Vec<&str>| it.reverse(),
    |it: &mut Vec<&str>| {
        let half = it.len() / 2;
        it.rotate_left(half);
    },
];

/// Takes the last batch's outcomes out of a journal but for the chosen ones, and puts those in another order.
fn rewritten(journal: &str, chosen: u32, order: Order) -> String {
    let is_outcome = |line: &&str| {
        !line.contains("\"record\":\"begin\"") && !line.contains("\"record\":\"intent\"")
    };
    let lines: Vec<&str> = journal.lines().collect();
    let last = lines.iter().rposition(|line| !is_outcome(line)).map_or(0, |at| at + 1);
    let (before, outcomes) = lines.split_at(last);
    let kept = outcomes.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1);
    let mut kept: Vec<&str> = kept.map(|(_, line)| *line).collect();
    order(&mut kept);
    [before, &kept].concat().iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_first_apply_is_finished_in_whatever_order_its_outcomes_are_on_record() {
    finishes_in_every_order(|| Lab::new(HUB), |_| {});
    finishes_in_every_order(|| Lab::new(LINK), |_| {});
}

#[test]
fn changes_are_finished_in_whatever_order_their_outcomes_are_on_record() {
    let make = edited(HUB, |lab| {
        lab.edit("51820\n  addresses", "51900\n  addresses").edit("25s", "30s");
        lab.edit("\"wg0\"", "\"wg9\"").edit("10.8.0.2/32", "10.9.0.2/32");
    });
    finishes_in_every_order(make, |_| {});
    finishes_in_every_order(edited(LINK, |lab| lab.options.destroy = true), |_| {});
}

#[test]
fn what_failed_and_what_it_kept_from_being_tried_is_finished_in_whatever_order_it_is_on_record() {
    let resolves = |lab: &Lab, addresses: &[std::net::IpAddr]| {
        lab.host("hq").linux.set_host("vpn.example.com", addresses).unwrap();
    };
    let make = || {
        let mut lab = Lab::new(HUB);
        lab.edit("198.51.100.7", "vpn.example.com");
        resolves(&lab, &[]);
        lab
    };
    finishes_in_every_order(make, |lab| resolves(lab, &["192.0.2.7".parse().unwrap()]));
}
