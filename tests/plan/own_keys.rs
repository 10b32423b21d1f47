//! Keys are found wherever they are, and nobody else's is written over or removed.

use wgform::simulator::linux::call::DeviceChange;
use wgform::value::PublicKey;

use crate::backend::Crash;
use crate::changes::HUB;
use crate::keeping::kept;
use crate::lab::Lab;
use crate::names::public_key;
use crate::order::TWO;

const FILE: &str = "/var/lib/wgform/keys/wg0";
const FILE_1: &str = "/var/lib/wgform/keys/wg1";
const OWN: &str = "/etc/wireguard/own.key";
const CONF: &str = "/etc/wireguard/wg0.conf";

/// Returns which key is in a file of a host.
fn held(lab: &Lab, path: &str) -> Option<PublicKey> {
    kept(lab, path).map(|key| key.public())
}

/// Copies the key of an interface into a file.
fn copy(lab: &Lab, interface: &str, path: &str) {
    let key = lab.host("hq").linux.device(interface).unwrap().private_key.unwrap();
    lab.host("hq").write_file(path, &key.expose_text());
}

fn refused(lab: &Lab, why: &str) {
    let said = lab.apply();
    assert!(said.starts_with("refused: ") && said.contains(why), "{said}");
}

fn with(text: &str, name: &str, line: &str) -> String {
    text.replace(&format!("\"{name}\""), &format!("\"{name}\"\n  {line}"))
}

/// Two interfaces, each with a key file of its own.
fn with_files(one: &str, other: &str) -> String {
    let line = |path: &str| format!("key_file = \"{path}\"");
    with(&with(TWO, "wg0", &line(one)), "wg1", &line(other))
}

#[test]
fn a_key_file_of_somebody_else_is_not_replaced_by_one_that_moves() {
    let mut lab = Lab::matching(HUB);
    let key = lab.host("hq").key_of("wg0");
    lab.host("hq").write_key_file(OWN, "foreign");
    lab.replace(&with(HUB, "wg0", &format!("key_file = \"{OWN}\"")));
    let why = "`interface.hub` would keep its key in `/etc/wireguard/own.key` on backend `hq`, which holds another private key";
    refused(&lab, why);
    // Nor while its key is made anew.
    lab.replace(&with(HUB, "wg0", &format!("key_file = \"{OWN}\"\n  key_rotation = \"1\"")));
    refused(&lab, why);
    assert_eq!((held(&lab, OWN), held(&lab, FILE)), (Some(public_key("foreign")), Some(key)));
}

#[test]
fn a_key_file_that_comes_between_plan_and_apply_is_not_replaced() {
    for rotation in ["", "\n  key_rotation = \"1\""] {
        let mut lab = Lab::matching(HUB);
        let key = lab.host("hq").key_of("wg0");
        lab.replace(&with(HUB, "wg0", &format!("key_file = \"{OWN}\"{rotation}")));
        let race = || lab.host("hq").write_key_file(OWN, "foreign");
        let said = lab.apply_after(race);
        assert!(said.contains("holds another private key, and was not touched"), "{said}");
        assert_eq!((held(&lab, OWN), held(&lab, FILE)), (Some(public_key("foreign")), Some(key)));
        assert_eq!(lab.host("hq").key_of("wg0"), key);
    }
}

#[test]
fn the_key_of_an_interface_that_the_state_has_lost_is_not_replaced_by_a_rename() {
    let mut lab = Lab::matching(TWO);
    let (a, b) = (lab.host("hq").key_of("wg0"), lab.host("hq").key_of("wg1"));
    lab.edit_state(|state| _ = state.resources.remove(&"interface.b".parse().unwrap()));
    lab.host("hq").delete_link("wg1");
    lab.remove_block("interface \"b\"").edit("\"wg0\"", "\"wg1\"");
    refused(&lab, "which holds another private key");
    assert_eq!((held(&lab, FILE), held(&lab, FILE_1)), (Some(a), Some(b)));
}

#[test]
fn a_key_file_that_its_owner_does_not_leave_in_this_plan_stays_theirs() {
    let removed =
        "removed {\n  from = interface.a\n  lifecycle {\n    destroy = false\n  }\n}\n".to_owned();
    let held_back = "hold \"inc\" {\n  targets = [interface.a]\n  reason = \"x\"\n  expires_at = \"2100-01-01T00:00:00Z\"\n}\n";
    for case in ["target", "exclude", "hold", "forget"] {
        let mut lab = Lab::matching(&with_files("/etc/a.key", "/etc/b.key"));
        let keys = ["wg0", "wg1"].map(|name| Some(lab.host("hq").key_of(name)));
        lab.replace(&with_files("/etc/x.key", "/etc/a.key"));
        match case {
            "target" => lab.options.targets = vec!["interface.b".parse().unwrap()],
            "exclude" => lab.options.excludes = vec!["interface.a".parse().unwrap()],
            "hold" => _ = lab.append(held_back),
            _ => _ = lab.remove_block("interface \"a\"").append(&removed),
        }
        let plan = lab.plan();
        assert!(plan.contains("refused:") || plan.starts_with("error: "), "{case}: {plan}");
        lab.apply();
        assert_eq!([held(&lab, "/etc/a.key"), held(&lab, "/etc/b.key")], keys, "{case}");
    }
    // Together they can.
    let mut lab = Lab::matching(&with_files("/etc/a.key", "/etc/b.key"));
    let keys = ["wg0", "wg1"].map(|name| Some(lab.host("hq").key_of(name)));
    lab.replace(&with_files("/etc/x.key", "/etc/a.key"));
    lab.settle();
    assert_eq!([held(&lab, "/etc/x.key"), held(&lab, "/etc/a.key")], keys);
}

#[test]
fn a_name_that_its_owner_keeps_in_this_plan_is_not_given_away() {
    let moved = TWO.replace("wg0", "wg9").replace("wg1", "wg0");
    for is_gone in [false, true] {
        let mut lab = Lab::matching(TWO);
        let keys = [FILE, FILE_1].map(|path| held(&lab, path));
        if is_gone {
            lab.host("hq").delete_link("wg0");
        }
        lab.replace(&moved);
        lab.options.targets = vec!["interface.b".parse().unwrap()];
        refused(&lab, "`interface.b` would");
        assert!(
            lab.plan().contains("be `wg0` on backend `hq`, which is the name of `interface.a`")
        );
        assert_eq!([FILE, FILE_1].map(|path| held(&lab, path)), keys);
        lab.options.targets.clear();
        lab.settle();
        assert_eq!(["/var/lib/wgform/keys/wg9", FILE].map(|path| held(&lab, path)), keys);
    }
}

#[test]
fn a_key_that_somebody_put_in_the_place_of_ours_is_not_removed() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").write_key_file(FILE, "foreign");
    lab.options.destroy = true;
    let said = lab.apply();
    assert!(said.contains("complete"), "{said}");
    assert_eq!(held(&lab, FILE), Some(public_key("foreign")));
    // Nor when ours is kept elsewhere from now on.
    let mut lab = Lab::matching(HUB);
    let key = lab.host("hq").key_of("wg0");
    lab.host("hq").write_key_file(FILE, "foreign");
    lab.replace(&with(HUB, "wg0", &format!("key_file = \"{OWN}\"")));
    lab.settle();
    assert_eq!((held(&lab, OWN), held(&lab, FILE)), (Some(key), Some(public_key("foreign"))));
}

#[test]
fn the_recorded_key_is_taken_from_a_file_whoever_it_is_recorded_for() {
    let lab = Lab::matching(TWO);
    let key = lab.host("hq").key_of("wg0");
    lab.edit_state(|state| {
        let b = state.resources.get_mut(&"interface.b".parse().unwrap()).unwrap();
        b.attributes.insert("key_file".to_owned(), FILE.into());
    });
    lab.host("hq").delete_link("wg0");
    assert!(!lab.plan().contains("NEW KEY"), "{}", lab.plan());
    assert!(lab.plan().contains("«wg0@hq»"), "{}", lab.plan());
    assert_eq!(held(&lab, FILE), Some(key));
}

#[test]
fn the_key_of_another_interface_is_not_taken_from_a_file() {
    let mut lab = Lab::matching(TWO);
    lab.replace(TWO.split("interface \"b\"").next().unwrap());
    lab.settle();
    copy(&lab, "wg0", FILE_1);
    lab.replace(TWO);
    refused(&lab, "on backend `hq`, which holds another private key");
    assert_eq!(held(&lab, FILE_1), held(&lab, FILE));
}

/// Lets a key file move, and kills the apply: before it was begun, in the middle, or when it is done and nobody knows.
fn killed_while_the_file_moves(at: &str) -> Lab {
    let mut lab = Lab::matching(HUB);
    lab.replace(&with(HUB, "wg0", &format!("key_file = \"{OWN}\"")));
    let done = usize::from(at == "end");
    lab.crash(Crash { done, reported: 0 });
    if at == "middle" {
        copy(&lab, "wg0", OWN);
    }
    lab
}

const INSTANTS: [&str; 3] = ["begin", "middle", "end"];

#[test]
fn a_key_file_that_moved_unseen_goes_with_its_interface() {
    for at in INSTANTS {
        for is_wanted in [true, false] {
            let mut lab = killed_while_the_file_moves(at);
            if !is_wanted {
                lab.replace(HUB);
            }
            lab.options.destroy = true;
            let said = lab.apply();
            assert!(said.contains("complete"), "{said}");
            assert_eq!((held(&lab, FILE), held(&lab, OWN)), (None, None), "{at} {is_wanted}");
        }
    }
}

#[test]
fn a_key_file_that_moved_unseen_moves_back() {
    for at in INSTANTS {
        let mut lab = killed_while_the_file_moves(at);
        let key = lab.host("hq").key_of("wg0");
        lab.replace(HUB);
        lab.settle();
        assert_eq!((held(&lab, FILE), held(&lab, OWN)), (Some(key), None), "{at}");
    }
}

#[test]
fn a_key_file_that_moved_unseen_is_found_when_the_link_is_lost() {
    for at in INSTANTS {
        for is_wanted in [true, false] {
            let mut lab = killed_while_the_file_moves(at);
            let key = lab.host("hq").key_of("wg0");
            lab.host("hq").reboot();
            if !is_wanted {
                lab.replace(HUB);
            }
            lab.settle();
            assert_eq!(lab.host("hq").key_of("wg0"), key, "{at}");
            let (there, gone) = if is_wanted { (OWN, FILE) } else { (FILE, OWN) };
            assert_eq!(
                (held(&lab, there), held(&lab, gone)),
                (Some(key), None),
                "{at} {is_wanted}"
            );
        }
    }
}

#[test]
fn a_key_file_that_moved_unseen_is_not_taken_by_another_interface() {
    for at in INSTANTS {
        let mut lab = killed_while_the_file_moves(at);
        let key = lab.host("hq").key_of("wg0");
        lab.replace(HUB).append(&format!(
            "interface \"side\" {{\n  name = \"wg1\"\n  key_file = \"{OWN}\"\n}}\n"
        ));
        lab.settle();
        assert_eq!((lab.host("hq").key_of("wg0"), held(&lab, FILE)), (key, Some(key)), "{at}");
        let side = lab.host("hq").key_of("wg1");
        assert!(side != key && held(&lab, OWN) == Some(side), "{at}");
    }
}

#[test]
fn a_new_key_that_came_no_further_than_its_file_is_in_nobodys_way() {
    for is_wanted in [true, false] {
        let mut lab = Lab::matching(HUB);
        let host = lab.host("hq").linux;
        let private_key = host.device("wg0").unwrap().private_key;
        let key = lab.host("hq").key_of("wg0");
        lab.replace(&with(HUB, "wg0", &format!("key_file = \"{OWN}\"\n  key_rotation = \"1\"")));
        lab.crash(Crash { done: 1, reported: 0 });
        let change = DeviceChange { private_key, ..DeviceChange::default() };
        host.configure("wg0", &change).unwrap();
        if !is_wanted {
            lab.replace(HUB);
        }
        lab.settle();
        let now = lab.host("hq").key_of("wg0");
        assert_eq!(now == key, !is_wanted);
        let (there, gone) = if is_wanted { (OWN, FILE) } else { (FILE, OWN) };
        assert_eq!((held(&lab, there), held(&lab, gone)), (Some(now), None), "{is_wanted}");
    }
}

#[test]
fn keys_whose_names_are_swapped_survive_a_kill_and_a_reboot() {
    let swapped = TWO.replace("wg0", "x").replace("wg1", "wg0").replace("\"x\"", "\"wg1\"");
    let make = || {
        let mut lab = Lab::matching(TWO);
        lab.replace(&swapped);
        lab
    };
    let writes = make().apply_and_count();
    for done in 0..=writes {
        for reported in [0, done] {
            for is_wanted in [true, false] {
                let mut lab = make();
                let (a, b) = (lab.host("hq").key_of("wg0"), lab.host("hq").key_of("wg1"));
                lab.crash(Crash { done, reported });
                lab.host("hq").reboot();
                if !is_wanted {
                    lab.replace(TWO);
                }
                // While neither is there, only one of the two ways needs no third file.
                let mut is_swapped = is_wanted;
                for other in [false, true] {
                    if lab.plan().starts_with("error: changes that wait for each other") {
                        lab.replace(if other { &swapped } else { TWO });
                        is_swapped = other;
                    }
                }
                lab.settle();
                let (of_a, of_b) = if is_swapped { ("wg1", "wg0") } else { ("wg0", "wg1") };
                let now = (lab.host("hq").key_of(of_a), lab.host("hq").key_of(of_b));
                assert_eq!(now, (a, b), "{done} {reported} {is_wanted}");
                assert_eq!(lab.show("hq").matches("file ").count(), 2, "{}", lab.show("hq"));
            }
        }
    }
}

#[test]
fn the_key_of_an_interface_that_is_gone_is_found_in_its_boot_file() {
    for style in ["wg-quick", "networkd"] {
        let lab = Lab::matching(&with(HUB, "wg0", &format!("persist = \"{style}\"")));
        let key = lab.host("hq").key_of("wg0");
        lab.host("hq").delete_link("wg0");
        lab.host("hq").remove_key_file(FILE);
        lab.settle();
        assert_eq!((lab.host("hq").key_of("wg0"), held(&lab, FILE)), (key, Some(key)), "{style}");
    }
}

#[test]
fn the_key_of_an_interface_that_is_gone_is_found_in_the_boot_file_of_its_old_name() {
    let mut lab = Lab::matching(&with(HUB, "wg0", "persist = \"wg-quick\""));
    let key = lab.host("hq").key_of("wg0");
    lab.host("hq").delete_link("wg0");
    lab.host("hq").remove_key_file(FILE);
    lab.replace(&HUB.replace("wg0", "wg9"));
    lab.settle();
    assert_eq!(lab.host("hq").key_of("wg9"), key);
    assert!(lab.host("hq").read_file(CONF).is_none());
}

#[test]
fn the_key_in_a_boot_file_that_the_state_has_lost_is_used_and_said() {
    for style in ["wg-quick", "networkd"] {
        let lab = Lab::matching(&with(HUB, "wg0", &format!("persist = \"{style}\"")));
        let key = lab.host("hq").key_of("wg0");
        lab.edit_state(|state| state.resources.clear());
        lab.host("hq").delete_link("wg0");
        lab.host("hq").remove_key_file(FILE);
        assert!(lab.plan().contains("# key taken from /etc/"), "{}", lab.plan());
        lab.settle();
        assert_eq!((lab.host("hq").key_of("wg0"), held(&lab, FILE)), (key, Some(key)), "{style}");
    }
}

#[test]
fn a_boot_file_with_another_key_is_not_believed() {
    let lab = Lab::matching(&with(HUB, "wg0", "persist = \"wg-quick\""));
    let conf = lab.host("hq").read_file(CONF).unwrap();
    let other = crate::names::private_key("foreign").expose_text();
    let lines = conf.lines().map(|line| match line.starts_with("PrivateKey") {
        true => format!("PrivateKey = {}\n", *other),
        false => format!("{line}\n"),
    });
    lab.host("hq").write_file(CONF, &lines.collect::<String>());
    lab.host("hq").delete_link("wg0");
    lab.host("hq").remove_key_file(FILE);
    refused(&lab, "had the key «wg0@hq», which is on the host no longer");
}

#[test]
fn an_imported_key_is_found_in_the_boot_file_that_it_came_with() {
    let lab = Lab::new(&with(HUB, "wg0", "persist = \"wg-quick\""));
    lab.host("hq").add_interface("wg0", "foreign", 51820);
    let key = crate::names::private_key("foreign").expose_text();
    lab.host("hq").write_file(CONF, &format!("[Interface]\nPrivateKey={}\n", *key));
    assert_eq!(lab.import("interface.hub", "wg0"), "imported\n");
    lab.host("hq").delete_link("wg0");
    lab.settle();
    assert_eq!(lab.host("hq").key_of("wg0"), public_key("foreign"));
}

/// An interface of somebody else's that was taken over, and comes back at boot.
fn imported() -> Lab {
    let lab = Lab::new(&with(HUB, "wg0", "persist = \"wg-quick\""));
    lab.host("hq").add_interface("wg0", "foreign", 51820);
    assert_eq!(lab.import("interface.hub", "wg0"), "imported\n");
    lab.settle();
    assert_eq!(held(&lab, FILE), None);
    lab
}

#[test]
fn an_imported_key_has_a_file_before_its_boot_file_goes() {
    let make = || {
        let mut lab = imported();
        lab.edit("\"wg-quick\"", "\"none\"");
        lab
    };
    assert!(make().plan().contains("+ key_file"), "{}", make().plan());
    let writes = make().apply_and_count();
    for done in 0..=writes {
        let lab = make();
        lab.crash(Crash { done, reported: 0 });
        lab.host("hq").reboot();
        lab.settle();
        assert_eq!(lab.host("hq").key_of("wg0"), public_key("foreign"), "{done}");
        assert_eq!(held(&lab, FILE), Some(public_key("foreign")), "{done}");
        assert!(lab.host("hq").read_file(CONF).is_none(), "{done}");
    }
}

#[test]
fn an_imported_key_has_a_file_on_the_host_that_it_moves_to() {
    let branch = "backend \"local\" \"branch\" {\n  simulate = true\n}\n";
    let mut lab = Lab::new(&format!("{}{branch}", with(HUB, "wg0", "backend = backend.hq")));
    lab.host("hq").add_interface("wg0", "foreign", 51820);
    assert_eq!(lab.import("interface.hub", "wg0"), "imported\n");
    lab.settle();
    lab.edit("backend = backend.hq", "backend = backend.branch");
    lab.settle();
    lab.host("branch").reboot();
    lab.settle();
    assert_eq!(lab.host("branch").key_of("wg0"), public_key("foreign"));
}
