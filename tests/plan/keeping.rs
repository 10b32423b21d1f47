//! Key files and keys: whose they are, where they end up, when they go.

use std::path::Path;

use wgform::value::PrivateKey;

use crate::backend::Crash;
use crate::changes::HUB;
use crate::lab::Lab;
use crate::names::public_key;
use crate::order::TWO;
use crate::secrets::LINK;

const FILE: &str = "/var/lib/wgform/keys/wg0";
const OWN: &str = "/etc/wireguard/own.key";

/// Reads the private key in a file of a host.
pub fn kept(lab: &Lab, path: &str) -> Option<PrivateKey> {
    let text = lab.host("hq").linux.read_key_file(Path::new(path))?;
    let key = text.lines().find(|line| !line.starts_with('#') && !line.trim().is_empty());
    Some(key.unwrap().trim().parse().unwrap())
}

/// Demands that an interface has a key, and that the file of its name has the same.
pub fn is_kept(lab: &Lab, name: &str, key: wgform::value::PublicKey) {
    assert_eq!(lab.host("hq").key_of(name), key, "{name}");
    let path = format!("/var/lib/wgform/keys/{name}");
    assert_eq!(kept(lab, &path).map(|key| key.public()), Some(key), "{path}");
}

fn with_own_file() -> String {
    HUB.replace("\"wg0\"", &format!("\"wg0\"\n  key_file = \"{OWN}\""))
}

#[test]
fn a_key_file_of_the_users_own_stays_theirs() {
    let mut lab = Lab::new(&with_own_file());
    lab.host("hq").add_interface("wg0", "foreign", 51820);
    lab.host("hq").write_key_file(OWN, "foreign");
    assert_eq!(lab.import("interface.hub", "wg0"), "imported\n");
    lab.settle();
    assert!(!lab.state_text().contains("own.key"), "{}", lab.state_text());
    lab.options.destroy = true;
    let said = lab.apply();
    assert!(said.contains("complete"), "{said}");
    assert_eq!(lab.show("hq"), "");
    assert_eq!(kept(&lab, OWN).map(|key| key.public()), Some(public_key("foreign")));
}

pub fn swapped() -> String {
    TWO.replace("wg0", "x").replace("wg1", "wg0").replace("\"x\"", "\"wg1\"")
}

#[test]
fn the_key_files_of_two_swapped_names_are_swapped_too() {
    let make = || {
        let mut lab = Lab::matching(TWO);
        lab.replace(&swapped());
        lab
    };
    let writes = make().apply_and_count();
    for done in 0..=writes {
        for reported in [0, done] {
            let lab = make();
            let (a, b) = (lab.host("hq").key_of("wg0"), lab.host("hq").key_of("wg1"));
            lab.crash(Crash { done, reported });
            lab.settle();
            is_kept(&lab, "wg1", a);
            is_kept(&lab, "wg0", b);
            assert_eq!(lab.show("hq").matches("file ").count(), 2, "{}", lab.show("hq"));
        }
    }
}

#[test]
fn the_key_file_of_an_interface_that_is_gone_goes_with_a_destroy() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").delete_link("wg0");
    lab.options.destroy = true;
    let said = lab.apply();
    assert!(said.contains("complete"), "{said}");
    assert_eq!(lab.show("hq"), "");
    assert!(lab.owned().is_empty());
}

#[test]
fn the_key_file_of_an_interface_that_is_gone_goes_with_its_block() {
    let mut lab = Lab::matching(TWO);
    lab.host("hq").delete_link("wg0");
    lab.remove_block("interface \"a\"");
    lab.settle();
    assert_eq!(lab.show("hq").matches("file ").count(), 1, "{}", lab.show("hq"));
    assert!(kept(&lab, FILE).is_none());
}

#[test]
fn an_interface_that_is_gone_and_renamed_leaves_no_old_key_file() {
    let mut lab = Lab::matching(HUB);
    let key = lab.host("hq").key_of("wg0");
    lab.host("hq").delete_link("wg0");
    lab.edit("\"wg0\"", "\"wg9\"");
    lab.settle();
    is_kept(&lab, "wg9", key);
    assert!(kept(&lab, FILE).is_none());
}

#[test]
fn the_kept_file_goes_when_the_configuration_has_the_same_key() {
    let mut lab = Lab::new(HUB);
    lab.host("hq").write_key_file(FILE, "mine");
    lab.settle();
    assert!(kept(&lab, FILE).is_some());
    lab.edit("\"wg0\"", "\"wg0\"\n  private_key = \"«mine.private»\"");
    lab.settle();
    assert!(kept(&lab, FILE).is_none());
    assert_eq!(lab.host("hq").key_of("wg0"), public_key("mine"));
}

#[test]
fn a_key_of_an_interface_that_is_gone_can_be_rotated() {
    for file in ["the key", "another key", "no key"] {
        let mut lab = Lab::matching(HUB);
        let before = lab.host("hq").key_of("wg0");
        lab.host("hq").delete_link("wg0");
        match file {
            "another key" => lab.host("hq").write_key_file(FILE, "old"),
            "no key" => lab.host("hq").remove_key_file(FILE),
            _ => {}
        }
        lab.edit("\"wg0\"", "\"wg0\"\n  key_rotation = \"2026\"");
        lab.settle();
        let now = lab.host("hq").key_of("wg0");
        assert!(now != before && now != public_key("old"), "{file}");
        is_kept(&lab, "wg0", now);
    }
}

#[test]
fn a_new_key_may_be_allowed_for_an_interface_whose_file_has_another() {
    let mut lab = Lab::matching(HUB);
    let before = lab.host("hq").key_of("wg0");
    lab.host("hq").delete_link("wg0");
    lab.host("hq").write_key_file(FILE, "old");
    let plan = lab.plan();
    assert!(plan.contains("refused:") && plan.contains("-allow-new-key=interface.hub"), "{plan}");
    lab.options.allow_new_key.insert("interface.hub".parse().unwrap());
    lab.settle();
    let now = lab.host("hq").key_of("wg0");
    assert_ne!(now, before);
    is_kept(&lab, "wg0", now);
}

#[test]
fn a_key_that_was_wiped_and_is_in_no_file_is_not_made_anew_without_a_word() {
    let mut lab = Lab::matching(HUB);
    let before = lab.host("hq").key_of("wg0");
    wipe(&lab);
    lab.host("hq").remove_key_file(FILE);
    let plan = lab.plan();
    assert!(plan.contains("NEW KEY: whoever has the old one"), "{plan}");
    assert!(plan.contains("must be told by you, the far ends of: peer.laptop, peer.phone"));
    assert!(plan.contains("refused:") && plan.contains("-allow-new-key=interface.hub"), "{plan}");
    lab.options.allow_new_key.insert("interface.hub".parse().unwrap());
    lab.settle();
    let now = lab.host("hq").key_of("wg0");
    assert_ne!(now, before);
    is_kept(&lab, "wg0", now);
}

#[test]
fn a_key_that_was_wiped_comes_back_from_its_file() {
    let lab = Lab::matching(HUB);
    let before = lab.host("hq").key_of("wg0");
    wipe(&lab);
    lab.settle();
    is_kept(&lab, "wg0", before);
}

/// Leaves an interface without a key, as `wg set wg0 private-key /dev/null` does.
fn wipe(lab: &Lab) {
    let host = lab.host("hq");
    host.delete_link("wg0");
    host.linux.add_link("wg0").unwrap();
    host.set_port("wg0", 51820);
    host.add_address("wg0", "10.8.0.1/24");
    host.set_up("wg0", true);
    assert!(host.linux.device("wg0").unwrap().private_key.is_none());
}

#[test]
fn two_interfaces_cannot_have_one_key_file() {
    let key_file = format!("\"\n  key_file = \"{OWN}\"");
    let lab = Lab::new(
        &TWO.replace("\"wg0\"", &format!("\"wg0{key_file}"))
            .replace("\"wg1\"", &format!("\"wg1{key_file}")),
    );
    let plan = lab.plan();
    assert!(plan.starts_with("error: two interfaces with one key file"), "{plan}");
    assert_eq!(plan.matches("  at `").count(), 2, "{plan}");
    // On two machines they can.
    let two = LINK.replace("\"wg0\"", &format!("\"wg0{key_file}"));
    Lab::new(&two).settle();
}

#[test]
fn a_key_that_the_configuration_changes_names_who_must_be_told() {
    let mine = "\"wg0\"\n  private_key = \"«mine.private»\"";
    let mut lab = Lab::matching(&HUB.replace("\"wg0\"", mine));
    lab.edit("«mine.private»", "«other.private»");
    let plan = lab.plan();
    assert!(plan.contains("NEW KEY") && plan.contains("the far ends of: peer.laptop"), "{plan}");
}

#[test]
fn a_rotation_with_a_target_brings_in_who_refers_to_the_key() {
    let mut lab = Lab::matching(LINK);
    lab.edit("backend     = backend.hq\n", "backend     = backend.hq\n  key_rotation = \"1\"\n");
    lab.options.targets = vec!["interface.hq".parse().unwrap()];
    let said = lab.apply();
    assert!(said.contains("Apply complete."), "{said}");
    let now = lab.host("hq").key_of("wg0");
    assert!(lab.host("branch").linux.device("wg0").unwrap().peers.contains_key(&now));
    lab.options.targets.clear();
    lab.assert_settled();
}

#[test]
fn an_old_key_goes_also_when_the_run_that_gave_the_interface_another_one_was_killed() {
    let given = HUB.replace("\"wg0\"", "\"wg0\"\n  private_key = \"«mine.private»\"");
    for is_gone in [false, true] {
        let make = || {
            let mut lab = Lab::matching(HUB);
            if is_gone {
                lab.host("hq").delete_link("wg0");
            }
            lab.replace(&given);
            lab
        };
        let writes = make().apply_and_count();
        for (done, reported) in (0..=writes).flat_map(|done| (0..=done).map(move |it| (done, it))) {
            for then in ["again", "destroy"] {
                let mut lab = make();
                lab.crash(Crash { done, reported });
                match then {
                    "again" => lab.settle(),
                    _ => {
                        lab.options.destroy = true;
                        let said = lab.apply();
                        assert!(said.contains("complete."), "{said}");
                        assert_eq!(lab.show("hq"), "", "{done} {reported}");
                    }
                }
                assert!(kept(&lab, FILE).is_none(), "{is_gone} {done} {reported} {then}");
            }
        }
    }
}
