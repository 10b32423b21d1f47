//! The private keys of interfaces: they last.

use insta::assert_snapshot;

use crate::changes::HUB;
use crate::lab::Lab;
use crate::names::public_key;
use crate::secrets::LINK;

const FILE: &str = "/var/lib/wgform/keys/wg0";

#[test]
fn a_key_of_the_configuration_is_written_and_kept_in_no_file() {
    let mut lab = Lab::new(&HUB.replace("\"wg0\"", "\"wg0\"\n  private_key = \"«mine.private»\""));
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be created
      + interface "hub" {
          + name        = "wg0"
          + public_key  = "«mine»"
          + listen_port = 51820
          + addresses   = ["10.8.0.1/24"]
        }

      # peer.laptop on local "hq" (simulated) will be created
      + peer "laptop" {
          + interface   = interface.hub
          + public_key  = "«laptop»"
          + name        = "laptop"
          + allowed_ips = ["10.8.0.2/32"]
        }

      # peer.phone on local "hq" (simulated) will be created
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
    assert_snapshot!(lab.show("hq"), @"
    wg0 «mine» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
      «laptop» [10.8.0.2/32] keepalive off
    ");
    lab.host("hq").handshake("wg0", "laptop", 12);
    lab.edit("«mine.private»", "«other.private»");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      # NEW KEY: whoever has the old one is cut off until it learns the new one
      #   must be told by you, the far ends of: peer.laptop, peer.phone
      ~ interface "hub" {
            name       = "wg0"
          ~ public_key = "«mine»" -> "«other»"
            # 8 unchanged attributes hidden
        }

    This apply cuts 1 session:

      peer.laptop, last handshake 12 s ago

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 1.
    "#);
    lab.settle();
    assert_eq!(lab.host("hq").key_of("wg0"), public_key("other"));
}

#[test]
fn a_key_of_the_configuration_takes_the_place_of_the_file() {
    let mut lab = Lab::matching(HUB);
    lab.edit("\"wg0\"", "\"wg0\"\n  private_key = \"«mine.private»\"");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      # NEW KEY: whoever has the old one is cut off until it learns the new one
      #   must be told by you, the far ends of: peer.laptop, peer.phone
      ~ interface "hub" {
            name       = "wg0"
          - key_file   = "/var/lib/wgform/keys/wg0" -> null
          ~ public_key = "«wg0@hq»" -> "«mine»"
            # 8 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_snapshot!(lab.show("hq"), @"
    wg0 «mine» up port 51820 mtu 1420 mark 0 [10.8.0.1/24]
      «phone» [10.8.0.3/32] at 198.51.100.7:51820 keepalive 25s
      «laptop» [10.8.0.2/32] keepalive off
    ");
}

#[test]
fn a_key_that_is_no_longer_configured_stays_and_gets_a_file() {
    let mut lab =
        Lab::matching(&HUB.replace("\"wg0\"", "\"wg0\"\n  private_key = \"«mine.private»\""));
    lab.edit("private_key = \"«mine.private»\"", "");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name     = "wg0"
          + key_file = "/var/lib/wgform/keys/wg0"
            # 9 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(lab.host("hq").key_of("wg0"), public_key("mine"));
    assert!(lab.show("hq").contains("file /var/lib/wgform/keys/wg0"));
}

#[test]
fn a_key_file_that_is_there_is_used_and_said() {
    let lab = Lab::new(HUB);
    lab.host("hq").write_key_file(FILE, "old");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be created
      # key taken from /var/lib/wgform/keys/wg0
      + interface "hub" {
          + name        = "wg0"
          + public_key  = "«old»"
          + listen_port = 51820
          + addresses   = ["10.8.0.1/24"]
        }

      # peer.laptop on local "hq" (simulated) will be created
      + peer "laptop" {
          + interface   = interface.hub
          + public_key  = "«laptop»"
          + name        = "laptop"
          + allowed_ips = ["10.8.0.2/32"]
        }

      # peer.phone on local "hq" (simulated) will be created
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
}

#[test]
fn a_file_that_holds_no_key_is_not_overwritten() {
    let lab = Lab::new(HUB);
    lab.host("hq").write_file(FILE, "my shopping list");
    assert_snapshot!(lab.plan(), @r#"
    error: unusable key file
      at `interface "hub"`: `/var/lib/wgform/keys/wg0`: this is not a WireGuard private key: it has 16 characters
      help: Move the file away, or name another `key_file`.
    "#);
}

#[test]
fn a_key_file_that_was_lost_is_written_again() {
    let lab = Lab::matching(HUB);
    lab.host("hq").remove_key_file(FILE);
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) will be updated in place (changed outside of wgform)
      ~ interface "hub" {
            name     = "wg0"
          + key_file = "/var/lib/wgform/keys/wg0"
            # 9 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert!(lab.show("hq").contains("file /var/lib/wgform/keys/wg0"));
}

#[test]
fn a_key_file_moves() {
    let mut lab = Lab::matching(HUB);
    let before = lab.host("hq").key_of("wg0");
    lab.edit("\"wg0\"", "\"wg0\"\n  key_file = \"/etc/wireguard/hub.key\"");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name     = "wg0"
          ~ key_file = "/var/lib/wgform/keys/wg0" -> "/etc/wireguard/hub.key"
            # 9 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(lab.host("hq").key_of("wg0"), before);
    assert!(!lab.show("hq").contains("file /var"));
    lab.options.destroy = true;
    lab.apply();
    let path = std::path::Path::new("/etc/wireguard/hub.key");
    assert!(lab.host("hq").linux.read_key_file(path).is_none());
}

#[test]
fn a_key_that_was_changed_outside_is_kept_when_the_old_one_is_gone() {
    let lab = Lab::matching(HUB);
    lab.host("hq").set_key("wg0", "intruder");
    lab.host("hq").remove_key_file(FILE);
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) will be updated in place (changed outside of wgform)
      # its key was changed outside of wgform; the old one is gone, so «intruder» is kept
      ~ interface "hub" {
            name     = "wg0"
          + key_file = "/var/lib/wgform/keys/wg0"
            # 9 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(lab.host("hq").key_of("wg0"), public_key("intruder"));
}

#[test]
fn a_key_that_was_changed_outside_and_is_no_longer_given_gets_a_file() {
    let given = "key_file = \"/etc/hub.key\"\n";
    let mut lab =
        Lab::matching(&HUB.replace("\"wg0\"", "\"wg0\"\n  private_key = \"«one.private»\""));
    lab.host("hq").set_key("wg0", "intruder");
    lab.edit("private_key = \"«one.private»\"\n", given);
    lab.settle();
    assert_eq!(lab.host("hq").key_of("wg0"), public_key("intruder"));
    assert!(lab.host("hq").linux.read_key_file("/etc/hub.key".as_ref()).is_some());
}

#[test]
fn a_key_that_was_changed_outside_comes_back_from_the_file_that_it_leaves() {
    let mut lab = Lab::matching(HUB);
    let before = lab.host("hq").key_of("wg0");
    lab.host("hq").set_key("wg0", "intruder");
    lab.edit("name        = \"wg0\"", "name = \"wg7\"");
    lab.settle();
    assert_eq!(lab.host("hq").key_of("wg7"), before);
    assert!(!lab.show("hq").contains(FILE), "{}", lab.show("hq"));
}

/// Two interfaces on two hosts, each with its key in a file of the same name.
const SAME_NAME: &str = r#"
backend "local" "hq" {
  simulate = true
}

backend "local" "branch" {
  simulate = true
}

interface "stays" {
  backend     = backend.hq
  listen_port = 51820
  key_file    = "/etc/x.key"
}

interface "moves" {
  backend     = backend.branch
  listen_port = 51821
  key_file    = "/etc/x.key"
}
"#;

#[test]
fn a_key_file_of_the_same_name_on_the_host_that_it_moves_to_stays() {
    let mut lab = Lab::matching(SAME_NAME);
    lab.host("branch").reboot();
    lab.edit(
        "backend.branch\n  listen_port = 51821\n  key_file    = \"/etc/x.key\"",
        "backend.hq\n  listen_port = 51821",
    );
    lab.settle();
    assert!(lab.host("hq").linux.read_key_file("/etc/x.key".as_ref()).is_some());
    assert!(lab.host("branch").linux.read_key_file("/etc/x.key".as_ref()).is_none());
}

#[test]
fn a_key_of_somebody_else_on_the_host_that_it_moves_to_is_not_overwritten() {
    let mut lab = Lab::matching(&SAME_NAME.replacen("/etc/x.key", "/etc/y.key", 1));
    lab.host("branch").reboot();
    lab.host("branch").remove_key_file("/etc/x.key");
    lab.host("hq").write_key_file("/etc/x.key", "foreign");
    let key = |lab: &Lab| lab.host("hq").linux.read_key_file("/etc/x.key".as_ref());
    let before = key(&lab);
    lab.edit("backend     = backend.branch", "backend     = backend.hq");
    lab.options.allow_new_key.insert("interface.moves".parse().unwrap());
    assert!(
        lab.apply().contains("in `/etc/x.key` on backend `hq`, which holds another private key")
    );
    assert_eq!(key(&lab), before);
}

#[test]
fn a_rotation_makes_a_new_key_and_names_who_must_learn_it() {
    let mut lab = Lab::matching(&format!(
        "{LINK}\npeer \"laptop\" {{\n  interface = interface.hq\n  public_key = \"«laptop»\"\n  allowed_ips = []\n}}\n"
    ));
    let before = lab.host("hq").key_of("wg0");
    lab.host("branch").handshake_of("wg0", before, 10);
    lab.edit("backend     = backend.hq\n", "backend     = backend.hq\n  key_rotation = \"2026\"\n");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hq on local "hq" (simulated) will be updated in place
      # NEW KEY: whoever has the old one is cut off until it learns the new one
      #   follows in this apply: peer.to_hq
      #   must be told by you, the far ends of: peer.laptop
      ~ interface "hq" {
            name         = "wg0"
          + key_rotation = "2026"
          ~ public_key   = "«wg0@hq»" -> (known after apply)
            # 8 unchanged attributes hidden
        }

      # peer.to_hq on local "branch" (simulated) must be replaced (`public_key` cannot change on local)
    +/- peer "to_hq" {
            interface  = interface.branch
          ~ public_key = "«wg0@hq»" -> (known after apply)  # forces replacement
            name       = "to_hq"
            # 6 unchanged attributes hidden
        }

    This apply cuts 1 session:

      peer.to_hq, last handshake 10 s ago

    Plan: 1 to add, 1 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 1.
    "#);
    assert_snapshot!(lab.steps(), @"
    interface.hq: update wg0 key
    peer.to_hq: create wg0/?
    peer.to_hq: delete wg0/«wg0@hq»
    ");
    lab.settle();
    let now = lab.host("hq").key_of("wg0");
    assert_ne!(now, before);
    assert!(lab.host("branch").linux.device("wg0").unwrap().peers.contains_key(&now));
}

#[test]
fn a_key_file_follows_the_device_when_the_answer_to_a_rotation_is_lost() {
    for arrives in [true, false] {
        let mut lab = Lab::matching(LINK);
        let before = lab.host("hq").key_of("wg0");
        lab.edit(
            "backend     = backend.hq\n",
            "backend     = backend.hq\n  key_rotation = \"1\"\n",
        );
        lab.host("hq").linux.lose_answer(0, arrives);
        let said = lab.apply();
        assert!(said.contains("the connection to the host was lost"), "{said}");
        let now = lab.host("hq").key_of("wg0");
        assert_eq!(now == before, !arrives);
        let kept = lab.host("hq").read_file(FILE).unwrap();
        assert!(kept.contains(&now.to_string()), "{arrives}");
        lab.settle();
        let now = lab.host("hq").key_of("wg0");
        assert!(lab.host("hq").read_file(FILE).unwrap().contains(&now.to_string()));
        assert!(lab.host("branch").linux.device("wg0").unwrap().peers.contains_key(&now));
    }
}

#[test]
fn a_rotation_whose_host_went_away_and_booted_is_done_with_the_key_that_the_far_ends_know() {
    // Before the device is asked, while it is, and when the file follows.
    for (after, arrives) in [(0, false), (0, true), (1, false), (1, true)] {
        let mut lab = Lab::matching(LINK);
        let before = lab.host("hq").key_of("wg0");
        lab.edit(
            "backend     = backend.hq\n",
            "backend     = backend.hq\n  key_rotation = \"1\"\n",
        );
        lab.host("hq").linux.lose(after, arrives);
        let said = lab.apply();
        assert!(said.contains("the connection to the host was lost"), "{said}");
        lab.host("hq").linux.come_back();
        let is_written = (after, arrives) == (1, true);
        let kept = lab.host("hq").read_file(FILE).unwrap();
        assert_eq!(kept.contains(&before.to_string()), !is_written, "{after} {arrives}");
        assert_eq!(lab.host("hq").key_of("wg0") == before, (after, arrives) == (0, false));
        if !is_written {
            lab.host("hq").reboot();
        }
        lab.settle();
        let now = lab.host("hq").key_of("wg0");
        assert_ne!(now, before);
        assert!(lab.host("hq").read_file(FILE).unwrap().contains(&now.to_string()));
        assert!(lab.host("branch").linux.device("wg0").unwrap().peers.contains_key(&now));
    }
}

#[test]
fn a_rotation_that_is_named_from_the_start_makes_one_key() {
    let lab = Lab::new(&HUB.replace("\"wg0\"", "\"wg0\"\n  key_rotation = \"1\""));
    lab.settle();
}

#[test]
fn a_rotation_that_is_no_longer_named_makes_no_key() {
    let mut lab = Lab::matching(&HUB.replace("\"wg0\"", "\"wg0\"\n  key_rotation = \"1\""));
    lab.edit("key_rotation = \"1\"", "");
    assert_snapshot!(lab.plan(), @"No changes. The devices match the configuration.");
    lab.settle();
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story: what comes next needs what came before")]
fn a_key_that_is_gone_is_not_made_anew_without_a_word() {
    let mut lab = Lab::matching(HUB);
    lab.host("hq").delete_link("wg0");
    lab.host("hq").remove_key_file(FILE);
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) is gone and will be created again (changed outside of wgform)
      # NEW KEY: whoever has the old one is cut off until it learns the new one
      #   must be told by you, the far ends of: peer.laptop, peer.phone
      + interface "hub" {
          + name        = "wg0"
          + public_key  = (known after apply)
          + listen_port = 51820
          + addresses   = ["10.8.0.1/24"]
        }

      # peer.laptop on local "hq" (simulated) went with its interface and will be created again (changed outside of wgform)
      + peer "laptop" {
          + interface   = interface.hub
          + public_key  = "«laptop»"
          + name        = "laptop"
          + allowed_ips = ["10.8.0.2/32"]
        }

      # peer.phone on local "hq" (simulated) went with its interface and will be created again (changed outside of wgform)
      + peer "phone" {
          + interface            = interface.hub
          + public_key           = "«phone»"
          + name                 = "phone"
          + allowed_ips          = ["10.8.0.3/32"]
          + endpoint             = "198.51.100.7:51820"
          + persistent_keepalive = "25s"
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 3. Sessions kept: 0 of 0.
    refused: `interface.hub` had the key «wg0@hq», which is on the host no longer: it would get a NEW KEY, and every far end would have to learn it
      help: put the key file back if there is a copy of it
      help: or accept the new key with `-allow-new-key=interface.hub`
    "#);
    lab.options.allow_new_key.insert("interface.hub".parse().unwrap());
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) is gone and will be created again (changed outside of wgform)
      # NEW KEY: whoever has the old one is cut off until it learns the new one
      #   must be told by you, the far ends of: peer.laptop, peer.phone
      + interface "hub" {
          + name        = "wg0"
          + public_key  = (known after apply)
          + listen_port = 51820
          + addresses   = ["10.8.0.1/24"]
        }

      # peer.laptop on local "hq" (simulated) went with its interface and will be created again (changed outside of wgform)
      + peer "laptop" {
          + interface   = interface.hub
          + public_key  = "«laptop»"
          + name        = "laptop"
          + allowed_ips = ["10.8.0.2/32"]
        }

      # peer.phone on local "hq" (simulated) went with its interface and will be created again (changed outside of wgform)
      + peer "phone" {
          + interface            = interface.hub
          + public_key           = "«phone»"
          + name                 = "phone"
          + allowed_ips          = ["10.8.0.3/32"]
          + endpoint             = "198.51.100.7:51820"
          + persistent_keepalive = "25s"
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 3. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn another_interface_does_not_get_the_key_of_one_that_is_ours() {
    let mut lab = Lab::matching(HUB);
    lab.edit("\"wg0\"", "\"wg9\"")
        .append("interface \"next\" {\n  name = \"wg0\"\n  listen_port = 51999\n}\n");
    let before = lab.host("hq").key_of("wg0");
    assert_snapshot!(lab.steps(), @"
    interface.hub: update wg0 to wg9 key
    interface.next: create wg0
    ");
    lab.settle();
    assert_eq!(lab.host("hq").key_of("wg9"), before);
    assert_ne!(lab.host("hq").key_of("wg0"), before);
}

#[test]
fn two_interfaces_do_not_swap_their_key_files_in_one_apply() {
    let two = "interface \"side\" {\n  name = \"wg1\"\n  key_file = \"/etc/b.key\"\n}\n";
    let text = HUB.replace("\"wg0\"", "\"wg0\"\n  key_file = \"/etc/a.key\"");
    let mut lab = Lab::matching(&format!("{text}{two}"));
    lab.edit("/etc/a.key", "/etc/x.key").edit("/etc/b.key", "/etc/a.key");
    assert_snapshot!(lab.steps(), @"
    interface.hub: update wg0 key
    interface.side: update wg1 key
    ");
    lab.edit("/etc/x.key", "/etc/b.key");
    assert_snapshot!(lab.plan(), @r#"
    error: changes that wait for each other
      at `interface "hub"`: waits for the other
      at `interface "side"`: waits for the other
      help: Each of these has to be changed before the next one: `interface.hub` → `interface.side` → `interface.hub`. Make one of the changes in an apply of its own.
    "#);
}

#[test]
fn an_imported_interface_whose_key_was_changed_keeps_the_new_one_and_has_no_file() {
    let lab = Lab::new(HUB);
    lab.host("hq").add_interface("wg0", "foreign", 51820);
    lab.import("interface.hub", "wg0");
    lab.settle();
    lab.host("hq").set_key("wg0", "intruder");
    assert_snapshot!(lab.plan(), @r#"
    No changes. The devices match the configuration.
    warning: interface with another key
      at `interface "hub"`: its key was changed outside of wgform, to `«intruder»`
      help: The old key is nowhere to be found, so the new one is kept. Give the new public key to every peer that has the old one.
    "#);
    lab.settle();
    assert!(!lab.show("hq").contains("file"));
    assert_eq!(lab.plan(), "No changes. The devices match the configuration.\n");
}
