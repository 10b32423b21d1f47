//! Swaps in which something else happens to one of the two.

use wgform::state::ObjectKey;

use crate::backend::Crash;
use crate::changes::HUB;
use crate::keeping::{is_kept, swapped};
use crate::lab::Lab;
use crate::names::public_key;
use crate::order::TWO;

const PEERS: &str = r#"
peer "pa" {
  interface   = interface.a
  public_key  = "«pa»"
  allowed_ips = ["10.1.0.0/16"]
}

peer "pb" {
  interface   = interface.b
  public_key  = "«pb»"
  allowed_ips = ["10.2.0.0/16"]
}
"#;

#[test]
fn a_swap_of_names_in_which_one_gets_a_key_of_the_users_leaves_the_others_key_alone() {
    for (name, given) in [("a", "wg1"), ("b", "wg0")] {
        let make = || {
            let mut lab = Lab::matching(TWO);
            lab.replace(&swapped());
            let block = format!("\"{given}\"");
            lab.edit(&block, &format!("{block}\n  private_key = \"«mine.private»\""));
            lab
        };
        let writes = make().apply_and_count();
        for done in 0..=writes {
            for reported in [0, done] {
                let lab = make();
                let (a, b) = (lab.host("hq").key_of("wg0"), lab.host("hq").key_of("wg1"));
                lab.crash(Crash { done, reported });
                lab.settle();
                match name {
                    "a" => is_kept(&lab, "wg0", b),
                    _ => is_kept(&lab, "wg1", a),
                }
                assert_eq!(lab.host("hq").key_of(given), public_key("mine"));
                assert_eq!(lab.show("hq").matches("file ").count(), 1, "{}", lab.show("hq"));
            }
        }
    }
}

#[test]
fn names_are_swapped_while_one_link_is_gone() {
    for gone in ["wg0", "wg1"] {
        let make = || {
            let mut lab = Lab::matching(&format!("{TWO}{PEERS}"));
            let (a, b) = (lab.host("hq").key_of("wg0"), lab.host("hq").key_of("wg1"));
            lab.host("hq").delete_link(gone);
            lab.replace(&format!("{}{PEERS}", swapped()));
            (lab, a, b)
        };
        let writes = make().0.apply_and_count();
        for done in 0..=writes {
            let (lab, a, b) = make();
            lab.crash(Crash { done, reported: done });
            lab.settle();
            is_kept(&lab, "wg1", a);
            is_kept(&lab, "wg0", b);
            peers_are_on_their_interfaces(&lab);
            assert_eq!(lab.show("hq").matches("file ").count(), 2, "{}", lab.show("hq"));
        }
    }
}

#[test]
fn peers_stay_on_their_interface_when_one_of_two_names_with_given_keys_is_gone() {
    let given = |text: &str| {
        text.replace("\"a\" {", "\"a\" {\n  private_key = \"«a.private»\"")
            .replace("\"b\" {", "\"b\" {\n  private_key = \"«b.private»\"")
    };
    for gone in ["wg0", "wg1"] {
        let mut lab = Lab::matching(&given(&format!("{TWO}{PEERS}")));
        lab.host("hq").delete_link(gone);
        lab.replace(&given(&format!("{}{PEERS}", swapped())));
        lab.settle();
        peers_are_on_their_interfaces(&lab);
    }
}

/// Demands that of the swapped interfaces each has its own peer, on the host and in the state.
fn peers_are_on_their_interfaces(lab: &Lab) {
    let state = lab.state();
    for (address, name, peer) in [("peer.pa", "wg1", "pa"), ("peer.pb", "wg0", "pb")] {
        let key = public_key(peer);
        assert!(lab.host("hq").linux.device(name).unwrap().peers.contains_key(&key), "{peer}");
        let object = &state.resources[&address.parse().unwrap()].object;
        let expected = ObjectKey::Peer { interface: name.to_owned(), public_key: key.to_string() };
        assert_eq!(*object, expected, "{address}");
    }
}

#[test]
fn half_of_a_swap_of_two_keys_leaves_no_peer_without_an_owner() {
    for at in 0..2 {
        let mut lab = Lab::matching(HUB);
        let key_swap = HUB.replace("«phone»", "«x»").replace("«laptop»", "«phone»");
        lab.replace(&key_swap.replace("«x»", "«laptop»"));
        lab.traits("hq").breaks_at = Some(at);
        lab.traits("hq").is_lost_then = true;
        let said = lab.apply();
        assert!(said.contains("Failed"), "{said}");
        *lab.traits("hq") = crate::backend::Traits::default();
        lab.replace(HUB);
        lab.remove_block("peer \"laptop\"").remove_block("peer \"phone\"");
        lab.settle();
        assert!(lab.host("hq").linux.device("wg0").unwrap().peers.is_empty(), "{}", lab.show("hq"));
    }
}

#[test]
fn one_peer_of_a_swap_fails_and_both_are_still_owned() {
    let mut lab = Lab::matching(HUB);
    let key_swap = HUB.replace("«phone»", "«x»").replace("«laptop»", "«phone»");
    lab.replace(&key_swap.replace("«x»", "«laptop»"));
    lab.edit("198.51.100.7", "nowhere.example.com");
    lab.host("hq").linux.set_host("nowhere.example.com", &[]).unwrap();
    let said = lab.apply();
    assert!(said.contains("Failed: peer.phone"), "{said}");
    for key in ["phone", "laptop"] {
        assert!(is_owned(&lab, key), "`{key}` is nobody's:\n{}", lab.state_text());
    }
    lab.replace(HUB);
    lab.settle();
    let device = lab.host("hq").linux.device("wg0").unwrap();
    assert_eq!(device.peers.len(), 2);
    lab.remove_block("peer \"laptop\"").remove_block("peer \"phone\"");
    lab.settle();
    assert!(lab.host("hq").linux.device("wg0").unwrap().peers.is_empty(), "{}", lab.show("hq"));
}

/// Returns whether the state says whose a peer is.
fn is_owned(lab: &Lab, name: &str) -> bool {
    let key = public_key(name).to_string();
    let has = |object: &ObjectKey| matches!(object, ObjectKey::Peer { public_key, .. } if *public_key == key);
    let state = lab.state();
    let mut all = state.resources.values();
    all.any(|it| has(&it.object) || it.deposed.iter().any(|it| has(&it.object)))
}

#[test]
fn a_port_is_free_before_the_other_one_of_a_swap_listens_on_it() {
    let mut lab = Lab::matching(TWO);
    lab.replace(&swapped());
    lab.edit("listen_port = 51820", "enabled = false").edit("51821", "51820");
    lab.settle();
    assert_eq!(lab.host("hq").linux.device("wg0").unwrap().listen_port, 51820);
}

#[test]
fn a_peer_is_not_taken_for_one_with_the_same_key_after_a_kill_in_a_swap() {
    let (on_a, on_b) = PEERS.split_at(PEERS.find("peer \"pb\"").unwrap());
    let make = || {
        let mut lab = Lab::matching(&format!("{TWO}{on_a}").replace("«pa»", "«far»"));
        lab.replace(&format!("{}{on_b}", swapped()).replace("«pb»", "«far»"));
        lab
    };
    let writes = make().apply_and_count();
    for (done, reported) in (0..=writes).flat_map(|done| (0..=done).map(move |it| (done, it))) {
        let lab = make();
        lab.crash(Crash { done, reported });
        lab.settle();
        let device = |name| lab.host("hq").linux.device(name).unwrap();
        assert_eq!((device("wg0").peers.len(), device("wg1").peers.len()), (1, 0));
    }
}

#[test]
fn a_link_that_goes_after_a_kill_in_a_swap_is_not_taken_for_the_other_one() {
    for gone in ["wg0", "wg1", "wgform-tmp4"] {
        let make = || {
            let mut lab = Lab::matching(&format!("{TWO}{PEERS}"));
            lab.replace(&format!("{}{PEERS}", swapped()));
            lab
        };
        let writes = make().apply_and_count();
        for (done, reported) in (0..=writes).flat_map(|done| (0..=done).map(move |it| (done, it))) {
            let lab = make();
            let (a, b) = (lab.host("hq").key_of("wg0"), lab.host("hq").key_of("wg1"));
            lab.crash(Crash { done, reported });
            let _ = lab.host("hq").linux.delete_link(gone);
            lab.settle();
            is_kept(&lab, "wg1", a);
            is_kept(&lab, "wg0", b);
            peers_are_on_their_interfaces(&lab);
        }
    }
}

#[test]
fn a_port_that_its_owner_keeps_is_not_promised() {
    let mut lab = Lab::matching(TWO);
    lab.replace(&TWO.replace("51820", "51822").replace("51821", "51820"));
    lab.options.targets = vec!["interface.b".parse().unwrap()];
    let plan = lab.plan();
    let why =
        "refused: `interface.b` would listen on `51820` on backend `hq`, as `interface.a` does";
    assert!(plan.contains(why), "{plan}");
    // Whoever is forgotten listens on.
    lab.options.targets.clear();
    lab.remove_block("interface \"a\"");
    lab.append("removed {\n  from = interface.a\n  lifecycle {\n    destroy = false\n  }\n}\n");
    assert!(lab.plan().contains(why), "{}", lab.plan());
}
