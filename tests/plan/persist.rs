//! What brings an interface back when its host boots: files that follow every change, and are drift when they differ.

use std::path::Path;

use insta::assert_snapshot;
use wgform::plan::Plan;
use wgform::simulator::linux::call::{Program, Ran};

use crate::backend::Crash;
use crate::changes::HUB;
use crate::lab::Lab;
use crate::secrets::LINK;

const CONF: &str = "/etc/wireguard/wg0.conf";
const NETDEV: &str = "/etc/systemd/network/wg0.netdev";
const NETWORK: &str = "/etc/systemd/network/wg0.network";

fn persisted(style: &str) -> String {
    let line = format!("name        = \"wg0\"\n  persist     = \"{style}\"");
    HUB.replacen("name        = \"wg0\"", &line, 1)
}

fn hub() -> Lab {
    Lab::matching(&persisted("wg-quick"))
}

pub fn conf(lab: &Lab) -> String {
    lab.host("hq").read_file(CONF).unwrap_or_default()
}

fn ran(lab: &Lab) -> Vec<String> {
    lab.host("hq").linux.ran().iter().map(|Program { argv, .. }| argv.join(" ")).collect()
}

/// Boots the host, and makes sure that what it had is there again.
fn assert_boots(lab: &Lab) {
    let before = lab.show("hq");
    lab.host("hq").reboot();
    assert_eq!(lab.show("hq"), before);
    lab.assert_settled();
}

#[test]
fn what_is_held_is_written_only_with_something_else() {
    let mut lab = hub();
    lab.append(
        "hold \"inc\" {\n  targets = [interface.hub]\n  attributes = [listen_port]\n  \
         reason = \"x\"\n  expires_at = \"2100-01-01T00:00:00Z\"\n}\n",
    );
    lab.settle();
    let before = conf(&lab);
    lab.host("hq").set_port("wg0", 51999);
    assert!(lab.plan().contains("No changes."), "{}", lab.plan());
    lab.apply();
    assert_eq!(conf(&lab), before);
    let [by_configuration, by_state] = lab.findings();
    assert_eq!((by_configuration.len(), by_state.len()), (0, 0));
    // A file that somebody changed is another reason.
    lab.host("hq").write_file(CONF, &before.replace("1420", "1400"));
    assert!(lab.plan().contains("was changed outside of wgform"), "{}", lab.plan());
    lab.apply();
    assert!(conf(&lab).contains("ListenPort = 51999\n"), "{}", conf(&lab));
    assert!(lab.plan().contains("No changes."), "{}", lab.plan());
}

#[test]
fn wg_quick_brings_everything_back() {
    let lab = hub();
    let text = conf(&lab);
    let shown: Vec<_> = text.lines().filter(|it| !it.starts_with("PrivateKey")).collect();
    assert_snapshot!(shown.join("\n").replace(&crate::names::public_key("laptop").to_string(), "«laptop»").replace(&crate::names::public_key("phone").to_string(), "«phone»"), @"
    # Written by wgform. A change by hand is undone by the next apply.

    [Interface]
    ListenPort = 51820
    Address = 10.8.0.1/24
    MTU = 1420
    Table = off

    [Peer]
    PublicKey = «phone»
    AllowedIPs = 10.8.0.3/32
    Endpoint = 198.51.100.7:51820
    PersistentKeepalive = 25

    [Peer]
    PublicKey = «laptop»
    AllowedIPs = 10.8.0.2/32
    ");
    assert_eq!(ran(&lab), ["systemctl enable wg-quick@wg0.service"]);
    assert_eq!(lab.host("hq").linux.read_file(Path::new(CONF)).unwrap().mode, 0o600);
    assert_boots(&lab);
}

#[test]
fn networkd_brings_everything_back() {
    let lab = Lab::matching(&persisted("networkd"));
    assert_eq!(ran(&lab), ["systemctl enable systemd-networkd.service"]);
    for (extension, mode) in [("netdev", 0o640), ("network", 0o640), ("wgform-key", 0o640)] {
        let path = format!("/etc/systemd/network/wg0.{extension}");
        let file = lab.host("hq").linux.read_file(Path::new(&path)).unwrap();
        assert_eq!((file.mode, file.group.as_deref()), (mode, Some("systemd-network")), "{path}");
    }
    let netdev = lab.host("hq").read_file(NETDEV).unwrap();
    assert!(!netdev.contains("PrivateKey="), "the key has a file of its own");
    assert_boots(&lab);
}

#[test]
fn every_attribute_comes_back_by_both_ways() {
    for style in ["wg-quick", "networkd"] {
        let lab = Lab::matching(&format!(
            r#"
backend "local" "hq" {{
  simulate = true
}}
interface "hub" {{
  name      = "wg0"
  persist   = "{style}"
  addresses = ["10.8.0.1/24", "10.9.0.1/16", "fd00:8::1/64"]
  mtu       = 1380
  fwmark    = 51
}}
interface "off" {{
  name      = "wg1"
  persist   = "{style}"
  addresses = ["10.10.0.1/24"]
  enabled   = false
  listen_port = 51821
}}
preshared_key "link" {{
}}
peer "a" {{
  interface     = interface.hub
  public_key    = "«a»"
  preshared_key = preshared_key.link
  allowed_ips   = ["10.8.0.2/32", "fd00:8::2/128", "10.20.0.0/16"]
  endpoint      = "[2001:db8::7]:51820"
}}
peer "b" {{
  interface            = interface.hub
  public_key           = "«b»"
  allowed_ips          = []
  endpoint             = "vpn.example.com:51820"
  persistent_keepalive = "1m"
}}
peer "c" {{
  interface   = interface.hub
  public_key  = "«c»"
  allowed_ips = ["10.8.0.4/32"]
  enabled     = false
}}
"#
        ));
        assert_boots(&lab);
    }
}

#[test]
fn a_port_that_is_not_written_is_the_one_that_was_chosen_and_none_while_the_link_is_down() {
    for style in ["wg-quick", "networkd"] {
        let text = persisted(style).replace("  listen_port = 51820\n", "");
        let mut lab = Lab::matching(&text);
        assert_boots(&lab);
        lab.edit("persist     =", "enabled     = false\n  persist     =");
        lab.settle();
        lab.host("hq").reboot();
        lab.assert_settled();
    }
}

#[test]
fn files_follow_every_later_change_and_say_so_once() {
    let mut lab = hub();
    lab.edit("\"10.8.0.3/32\"", "\"10.8.0.3/32\", \"10.30.0.0/16\"");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # peer.phone on local "hq" (simulated) will be updated in place
      ~ peer "phone" {
            interface   = interface.hub
            name        = "phone"
          ~ allowed_ips = [
                "10.8.0.3/32",
              + "10.30.0.0/16",
            ]
            # 7 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    assert_snapshot!(lab.apply(), @"
    peer.phone: updated
    interface.hub: persisted

    Apply complete. Resources: 0 added, 1 changed, 0 destroyed.
    ");
    lab.assert_settled();
    assert!(conf(&lab).contains("AllowedIPs = 10.8.0.3/32,10.30.0.0/16"));
    lab.remove_block("peer \"laptop\"").edit("listen_port = 51820", "listen_port = 51821");
    lab.settle();
    assert!(conf(&lab).contains("ListenPort = 51821"));
    assert_eq!(conf(&lab).matches("[Peer]").count(), 1);
    assert_boots(&lab);
}

#[test]
fn a_file_that_was_edited_by_hand_is_drift_shown_as_a_difference_without_keys() {
    let lab = hub();
    let edited = conf(&lab).replace("MTU = 1420", "MTU = 1300");
    let key = edited.lines().find(|it| it.starts_with("PrivateKey")).unwrap().to_owned();
    let stolen =
        format!("{edited}# {key}\nPostUp = wg set wg0 private-key <(echo {})\n", &key[13..]);
    lab.host("hq").write_file(CONF, &stolen);
    assert_snapshot!(lab.plan(), @r#"
    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.hub on local "hq" (simulated) will be updated in place (changed outside of wgform)
      # /etc/wireguard/wg0.conf was changed outside of wgform, and will be written again:
      #     ListenPort = 51820
      #     Address = 10.8.0.1/24
      #   - MTU = 1300
      #   + MTU = 1420
      #     Table = off
      #
      #     …
      #     PublicKey = «laptop»
      #     AllowedIPs = 10.8.0.2/32
      #   - # PrivateKey = (sensitive value)
      #   - PostUp = wg set wg0 private-key <(echo (sensitive value))
      ~ interface "hub" {
            name = "wg0"
            # 10 unchanged attributes hidden
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    assert!(lab.look(Plan::has_drift));
    lab.settle();
    assert!(!conf(&lab).contains("1300"));
    assert_boots(&lab);
}

#[test]
fn a_file_that_is_gone_or_open_to_others_and_a_unit_that_is_off_are_drift() {
    let lab = hub();
    let host = lab.host("hq");
    host.linux.remove_file(Path::new(CONF)).unwrap();
    host.linux.run(&systemctl("disable")).unwrap();
    assert_snapshot!(notes(&lab), @"
    # interface.hub on local \"hq\" (simulated) will be updated in place (changed outside of wgform)
    # /etc/wireguard/wg0.conf is gone, and will be written again
    # `wg-quick@wg0.service` was disabled outside of wgform, and is enabled again
    # 10 unchanged attributes hidden
    ");
    lab.settle();
    let mut file = host.linux.read_file(Path::new(CONF)).unwrap();
    file.mode = 0o644;
    host.linux.write_file(Path::new(CONF), &file).unwrap();
    assert_snapshot!(notes(&lab), @"
    # interface.hub on local \"hq\" (simulated) will be updated in place (changed outside of wgform)
    # /etc/wireguard/wg0.conf has other permissions than it was given, and gets them back
    # 10 unchanged attributes hidden
    ");
    lab.settle();
    assert_boots(&lab);
}

fn systemctl(verb: &str) -> Program {
    let argv = ["systemctl", verb, "wg-quick@wg0.service"].map(str::to_owned).into();
    let timeout = std::time::Duration::from_secs(1);
    Program { argv, environment: Default::default(), timeout }
}

/// Returns the remarks of a plan.
fn notes(lab: &Lab) -> String {
    let text = lab.plan();
    let notes = text.lines().map(str::trim).filter(|line| line.starts_with('#'));
    notes.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_file_of_somebody_elses_is_a_conflict_and_can_be_taken_over() {
    let mut lab = Lab::matching(HUB);
    let theirs = "[Interface]\nPrivateKey = «hidden»\nAddress = 10.8.0.1/24\nPostUp = echo hello\n";
    lab.host("hq").write_file(CONF, theirs);
    lab.edit("name        = \"wg0\"", "name        = \"wg0\"\n  persist     = \"wg-quick\"");
    assert_snapshot!(lab.plan(), @r#"
    error: existing file that wgform does not manage
      at `"wg-quick"`: `/etc/wireguard/wg0.conf` on backend `hq` describes `wg0` already
      help: To take it over, run:

      wgform import interface.hub wg0

    What was in it is kept beside it, as `/etc/wireguard/wg0.conf.before-wgform`, or with a number behind that where it is taken.
    "#);
    assert_eq!(lab.import("interface.hub", "wg0"), "imported\n");
    assert_snapshot!(notes(&lab), @"
    # interface.hub on local \"hq\" (simulated) will be updated in place
    # /etc/wireguard/wg0.conf was not written by wgform, and will be replaced (it is kept beside the new one):
    #   + # Written by wgform. A change by hand is undone by the next apply.
    #   +
    #     [Interface]
    #   - PrivateKey = (sensitive value)
    #   + PrivateKey = (sensitive value)
    #   + ListenPort = 51820
    #     Address = 10.8.0.1/24
    #   - PostUp = echo hello
    #   + MTU = 1420
    #   + Table = off
    #   +
    #   + [Peer]
    #   + PublicKey = «phone»
    #   + AllowedIPs = 10.8.0.3/32
    #   + Endpoint = 198.51.100.7:51820
    #   + PersistentKeepalive = 25
    #   +
    #   + [Peer]
    #   + PublicKey = «laptop»
    #   + AllowedIPs = 10.8.0.2/32
    # 9 unchanged attributes hidden
    ");
    assert_eq!(lab.host("hq").read_file(CONF).unwrap(), theirs, "nothing is written before yes");
    lab.settle();
    assert_eq!(lab.host("hq").read_file("/etc/wireguard/wg0.conf.before-wgform").unwrap(), theirs);
    assert_boots(&lab);
    assert_snapshot!(lab.import("interface.hub", "wg0"), @"
    refused: `interface.hub` is in the state already
      help: forget it first with `wgform state rm interface.hub`
    ");
}

#[test]
fn each_file_of_somebody_elses_is_kept() {
    let lab = hub();
    let kept = |number: &str| lab.host("hq").read_file(&format!("{CONF}.before-wgform{number}"));
    let theirs = ["# First.\n", "# Second.\n", "# First.\n", "# Third.\n"];
    for text in theirs {
        lab.host("hq").write_file(CONF, text);
        lab.settle();
    }
    let found = ["", ".2", ".3", ".4"].map(kept);
    let expected = ["# First.\n", "# Second.\n", "# Third.\n"].map(str::to_owned);
    assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), expected);
    assert_boots(&lab);
}

#[test]
fn a_second_way_of_coming_back_is_a_conflict() {
    let mut lab = Lab::new(&persisted("networkd"));
    let netdev = "[NetDev]\nName=wg0\nKind=wireguard\n";
    lab.host("hq").write_file("/etc/systemd/network/99-vpn.netdev", netdev);
    assert_snapshot!(lab.plan(), @r#"
    error: existing file that wgform does not manage
      at `"networkd"`: `/etc/systemd/network/99-vpn.netdev` on backend `hq` describes `wg0` already
      help: Move it away: at boot, only one of the two can make the interface.
    "#);
    // As long as nothing starts what it is for, it is in nobody's way.
    lab.edit("networkd", "wg-quick");
    lab.settle();
}

#[test]
fn another_way_takes_the_files_of_the_first_away_and_none_all_of_them() {
    let mut lab = hub();
    lab.edit("wg-quick", "networkd");
    lab.settle();
    assert_eq!(files(&lab).len(), 3);
    assert!(conf(&lab).is_empty());
    assert_boots(&lab);
    lab.edit("networkd", "wg-quick");
    lab.settle();
    assert_eq!(files(&lab), [CONF]);
    lab.edit("wg-quick", "none");
    assert_snapshot!(lab.apply(), @"
    interface.hub: updated
    interface.hub: no longer persisted

    Apply complete. Resources: 0 added, 1 changed, 0 destroyed.
    ");
    lab.assert_settled();
    assert!(files(&lab).is_empty());
    lab.host("hq").reboot();
    assert!(lab.plan().starts_with("Backend `hq`: host rebooted 60 s ago, wg0 missing."));
    let key = lab.state().resources.values().find_map(|it| match &it.object {
        wgform::state::ObjectKey::Interface { public_key, .. } => Some(public_key.clone()),
        _ => None,
    });
    lab.settle();
    assert_eq!(Some(lab.host("hq").key_of("wg0").to_string()), key);
}

fn files(lab: &Lab) -> Vec<String> {
    let of = |directory: &str| lab.host("hq").linux.list_files(Path::new(directory));
    let all = of("/etc/wireguard").into_iter().chain(of("/etc/systemd/network"));
    all.map(|path| path.display().to_string()).collect()
}

#[test]
fn files_go_with_the_interface_and_follow_its_name() {
    let mut lab = hub();
    lab.edit("name        = \"wg0\"", "name        = \"wg7\"");
    lab.settle();
    assert_eq!(files(&lab), ["/etc/wireguard/wg7.conf"]);
    assert_boots(&lab);
    lab.options.destroy = true;
    assert!(lab.apply().contains("Destroy complete."), "{}", lab.plan());
    assert!(files(&lab).is_empty());
    assert_eq!(ran(&lab).last().unwrap(), "systemctl disable wg-quick@wg7.service");
    lab.host("hq").reboot();
    assert_eq!(lab.show("hq"), "");
}

#[test]
fn two_interfaces_that_swap_their_names_keep_their_files() {
    let side = "interface \"side\" {\n  name = \"wg1\"\n  persist = \"wg-quick\"\n  listen_port = 51821\n}\n";
    let mut lab = Lab::matching(&format!("{}{side}", persisted("wg-quick")));
    lab.edit("name        = \"wg0\"", "name        = \"wg1\"")
        .edit("name = \"wg1\"", "name = \"wg0\"");
    lab.settle();
    assert_eq!(files(&lab), [CONF, "/etc/wireguard/wg1.conf"]);
    assert_boots(&lab);
    // One goes, and the other one takes its name.
    lab.remove_block("interface \"side\"").edit("name        = \"wg1\"", "name        = \"wg0\"");
    lab.settle();
    assert_eq!(files(&lab), [CONF]);
    assert_boots(&lab);
}

#[test]
fn an_interface_that_moves_to_another_host_leaves_no_files_behind() {
    let mut lab = hub();
    lab.edit(
        "interface \"hub\" {",
        "backend \"local\" \"dr\" {\n  simulate = true\n}\n\ninterface \"hub\" {\n  backend = backend.dr",
    );
    lab.settle();
    assert!(files(&lab).is_empty());
    assert!(lab.host("dr").read_file(CONF).is_some());
    lab.host("dr").reboot();
    lab.assert_settled();
}

#[test]
fn a_replaced_interface_and_a_rotated_key_come_back_as_they_are_now() {
    let mut lab = hub();
    lab.options.replace.insert("interface.hub".parse().unwrap());
    assert!(lab.apply().contains("Apply complete."));
    lab.options.replace.clear();
    lab.assert_settled();
    assert_boots(&lab);
    lab.edit("persist     =", "key_rotation = \"2\"\n  persist     =");
    lab.settle();
    assert_boots(&lab);
}

#[test]
fn a_new_secret_of_a_link_is_in_the_files_of_both_ends() {
    let text = LINK.replace("listen_port", "persist = \"wg-quick\"\n  listen_port");
    let mut lab = Lab::matching(&text);
    lab.edit("preshared_key \"tunnel\" {}", "preshared_key \"tunnel\" {\n  rotation = \"2\"\n}");
    lab.settle();
    for host in ["hq", "branch"] {
        lab.host(host).reboot();
    }
    lab.assert_settled();
}

#[test]
fn what_one_failed_peer_does_not_have_is_written_for_the_others() {
    let mut lab = hub();
    lab.append("peer \"bad\" {\n  interface = interface.hub\n  public_key = \"«bad»\"\n  allowed_ips = []\n  endpoint = \"no.invalid:1\"\n}\n");
    lab.edit("\"10.8.0.2/32\"", "\"10.8.0.5/32\"");
    let report = lab.apply();
    assert!(report.contains("interface.hub: persisted"), "{report}");
    assert!(conf(&lab).contains("10.8.0.5/32") && !conf(&lab).contains("no.invalid"));
    lab.edit("no.invalid:1", "yes.example.com:1");
    lab.settle();
    assert!(conf(&lab).contains("Endpoint = yes.example.com:1"));
    assert_boots(&lab);
}

#[test]
fn a_change_of_a_part_is_written_without_the_rest() {
    let mut lab = hub();
    lab.edit("\"10.8.0.2/32\"", "\"10.8.0.5/32\"").edit("\"10.8.0.3/32\"", "\"10.8.0.6/32\"");
    lab.options.targets = vec!["peer.laptop".parse().unwrap()];
    assert!(lab.apply().contains("Apply complete."));
    assert!(conf(&lab).contains("10.8.0.5/32") && conf(&lab).contains("10.8.0.3/32"));
    assert!(!conf(&lab).contains("10.8.0.6/32"));
    assert_boots_into(&lab);
    lab.options.targets.clear();
    lab.settle();
    assert_boots(&lab);
}

/// Boots the host of a lab that is not settled.
fn assert_boots_into(lab: &Lab) {
    let before = lab.show("hq");
    lab.host("hq").reboot();
    assert_eq!(lab.show("hq"), before);
}

#[test]
fn a_unit_that_cannot_be_enabled_fails_the_step_and_says_why() {
    let lab = Lab::new(&persisted("wg-quick"));
    let ran = Ran { status: 1, tail: "Failed to enable unit: no".to_owned() };
    lab.host("hq").linux.refuse_program("systemctl", Ok(ran)).unwrap();
    let report = lab.apply();
    assert_snapshot!(report.split_once("\n\n").unwrap().1, @"
    Failed: interface.hub
      cause: could not persist interface `wg0`: `systemctl enable wg-quick@wg0.service` ended with exit code 1: Failed to enable unit: no
      help: See that `wireguard-tools` is installed.

    Apply done in part. Resources: 3 added, 0 changed, 0 destroyed.
    What was done is in the state; run it again to do the rest.
    ");
    let without = Lab::new(&persisted("wg-quick"));
    without.host("hq").linux.set_systemd(false).unwrap();
    assert_snapshot!(notes(&without), @r#"
    # interface.hub on local "hq" (simulated) will be created
    # no systemd here: see that what `wg-quick@wg0.service` does is done at boot
    # peer.laptop on local "hq" (simulated) will be created
    # peer.phone on local "hq" (simulated) will be created
    "#);
    without.settle();
    assert!(conf(&without).contains("[Peer]"));
}

#[test]
fn files_go_again_that_a_failed_step_has_left() {
    for way in ["destroy", "its block", "none", "somebody else, then its block"] {
        let mut lab = Lab::new(&persisted("wg-quick"));
        let answer = |status| Ok(Ran { status, tail: String::new() });
        lab.host("hq").linux.refuse_program("systemctl", answer(1)).unwrap();
        let report = lab.apply();
        assert!(report.contains("Failed: interface.hub"), "{report}");
        assert_eq!(files(&lab), [CONF], "{way}");
        if way.starts_with("somebody") {
            lab.host("hq").delete_link("wg0");
        }
        match way {
            "destroy" => lab.options.destroy = true,
            "none" => _ = lab.edit("wg-quick", "none"),
            _ => _ = lab.replace("backend \"local\" \"hq\" {\n  simulate = true\n}\n"),
        }
        let report = lab.apply();
        assert!(report.contains("complete."), "{way}: {report}");
        assert!(files(&lab).is_empty(), "{way}");
        lab.assert_settled();
    }
}

#[test]
fn an_interface_that_is_gone_is_not_forgotten_while_its_files_cannot_be_removed() {
    let mut lab = Lab::matching(
        &persisted("wg-quick").replace("\"wg0\"", "\"wg0\"\n  private_key = \"«mine.private»\""),
    );
    lab.host("hq").delete_link("wg0");
    lab.replace("backend \"local\" \"hq\" {\n  simulate = true\n}\n");
    let answer = |status| Ok(Ran { status, tail: String::new() });
    lab.host("hq").linux.refuse_program("systemctl", answer(1)).unwrap();
    let report = lab.apply();
    assert!(report.contains("Failed: interface.hub"), "{report}");
    assert_eq!(
        (lab.owned(), files(&lab)),
        (vec!["interface.hub".to_owned()], vec![CONF.to_owned()])
    );
    lab.host("hq").linux.refuse_program("systemctl", answer(0)).unwrap();
    lab.settle();
    assert!(lab.owned().is_empty() && files(&lab).is_empty());
}

#[test]
fn what_cannot_be_persisted_is_an_error() {
    let lab = Lab::new(&persisted("wg-quick").replace("\"wg0\"", "\"wg+0\""));
    assert_snapshot!(lab.plan(), @r#"
    error: interface name that cannot be persisted
      at `"wg-quick"`: `wg+0` cannot stand in the name of a file or a unit
      help: Give the interface a `name` of letters, digits, `_`, `-` and `.`, or set `persist = "none"`.
    "#);
}

#[test]
fn a_plan_warns_once_for_each_host_until_it_is_stated() {
    let mut lab = Lab::matching(&format!("{HUB}interface \"side\" {{\n  name = \"wg1\"\n}}\n"));
    let warnings = |lab: &Lab| {
        lab.look(|plan| {
            let all = plan.warnings.iter();
            all.map(|it| format!("{}: {}", it.summary, it.labels[0].text)).collect::<Vec<_>>()
        })
    };
    assert_eq!(
        warnings(&lab),
        [
            "interfaces that do not survive a reboot: a reboot of the host of backend `hq` loses `interface.hub`, `interface.side`"
        ]
    );
    lab.edit("name = \"wg1\"", "name = \"wg1\"\n  persist = \"none\"");
    assert!(warnings(&lab)[0].ends_with("loses `interface.hub`"));
    lab.edit("name        = \"wg0\"", "name        = \"wg0\"\n  persist     = \"wg-quick\"");
    assert!(warnings(&lab).is_empty());
}

#[test]
fn a_kill_between_interface_and_file_heals() {
    use crate::backend::Crash;
    let count = hub_writes();
    for number in 0..count {
        for reported in [number, number + 1] {
            let crash = Crash { done: number + 1, reported };
            let mut lab = Lab::new(&persisted("wg-quick"));
            lab.crash(crash);
            lab.settle();
            assert_boots(&lab);
            lab.edit("\"10.8.0.2/32\"", "\"10.8.0.5/32\"")
                .edit("name        = \"wg0\"", "name        = \"wg7\"");
            lab.crash(crash);
            lab.host("hq").reboot();
            lab.settle();
            assert_boots(&lab);
            assert_eq!(files(&lab), ["/etc/wireguard/wg7.conf"]);
            lab.options.destroy = true;
            lab.crash(crash);
            assert!(lab.apply().contains("complete."));
            assert!(files(&lab).is_empty());
        }
    }
}

fn hub_writes() -> usize {
    Lab::new(&persisted("wg-quick")).apply_and_count()
}

/// An interface with everything that wg-quick does by commands and networkd by sections.
const OUTSIDE: &str = r##"
backend "local" "hq" {
  simulate = true
}
interface "hub" {
  name        = "wg0"
  persist     = "wg-quick"
  listen_port = 51820
  addresses   = ["10.8.0.1/24", "fd00:8::1/64"]
  dns         = ["10.8.0.53", "fd00:8::53"]
  dns_search  = ["corp.example.com", "~."]
  routes {
    distance      = 50
    default_route = true
  }
  # pre_up  = [["modprobe", "-q", "dummy"]]
  # post_up = [["sh", "-c", "echo '%i' is # up\n"], ["logger", "%i is up", ""]]
  # pre_down  = [["logger", "%i goes down"]]
  # post_down = [["logger", "gone"]]
}
peer "gate" {
  interface   = interface.hub
  public_key  = "«gate»"
  allowed_ips = ["0.0.0.0/0", "10.8.0.2/32", "10.20.0.0/16", "fd00:20::/48"]
  endpoint    = "198.51.100.7:51820"
}
"##;

#[test]
fn routes_rules_name_servers_and_commands_come_back_by_wg_quick() {
    let lab = Lab::matching(&OUTSIDE.replace("  # p", "  p"));
    let text = conf(&lab);
    let shown = text.lines().skip_while(|it| !it.starts_with("MTU"));
    let shown: Vec<_> = shown.take_while(|it| !it.is_empty()).collect();
    assert_snapshot!(shown.join("\n"), @r##"
    MTU = 1420
    Table = off
    PreUp = env WGFORM_INTERFACE=%i WGFORM_BACKEND=hq WGFORM_ADDRESS=interface.hub WGFORM_ACTION=create timeout 60 modprobe -q dummy
    PostUp = ! systemctl is-active --quiet systemd-resolved.service || resolvectl dns %i 10.8.0.53 fd00:8::53
    PostUp = ! systemctl is-active --quiet systemd-resolved.service || resolvectl domain %i corp.example.com '~.'
    PostUp = systemctl is-active --quiet systemd-resolved.service || printf '%s\n' 'nameserver 10.8.0.53' 'nameserver fd00:8::53' 'search corp.example.com' | resolvconf -a "$(sed -n 's/^\([A-Za-z0-9-]\{1,\}\)\*$/\1./p' /etc/resolvconf/interface-order 2>/dev/null | head -n 1)%i" -m 0 -x
    PostUp = env WGFORM_INTERFACE=%i WGFORM_BACKEND=hq WGFORM_ADDRESS=interface.hub WGFORM_ACTION=create timeout 60 sh -c $'echo \'%i\' is \x23 up\x0a'
    PostUp = env WGFORM_INTERFACE=%i WGFORM_BACKEND=hq WGFORM_ADDRESS=interface.hub WGFORM_ACTION=create timeout 60 logger '%i is up' ''
    PostUp = printf 'route add %s dev %i proto 119 table 51820 metric 50\n' 0.0.0.0/0 | ip -4 -force -batch - || true
    PostUp = printf 'route add %s dev %i proto 119 metric 50\n' 10.20.0.0/16 | ip -4 -force -batch - || true
    PostUp = printf 'route add %s dev %i proto 119 metric 50\n' fd00:20::/48 | ip -6 -force -batch - || true
    PostUp = ip -4 rule add table 254 suppress_prefixlength 0 priority 32764 protocol 119 || true
    PostUp = ip -4 rule add not fwmark 51820 table 51820 priority 32765 protocol 119 || true
    PreDown = ip -4 rule del not fwmark 51820 table 51820 priority 32765 protocol 119 || true
    PreDown = ip -4 rule del table 254 suppress_prefixlength 0 priority 32764 protocol 119 || true
    PreDown = env WGFORM_INTERFACE=%i WGFORM_BACKEND=hq WGFORM_ADDRESS=interface.hub WGFORM_ACTION=destroy timeout 60 logger '%i goes down'
    PostDown = systemctl is-active --quiet systemd-resolved.service || resolvconf -d "$(sed -n 's/^\([A-Za-z0-9-]\{1,\}\)\*$/\1./p' /etc/resolvconf/interface-order 2>/dev/null | head -n 1)%i" -f
    PostDown = env WGFORM_INTERFACE=%i WGFORM_BACKEND=hq WGFORM_ADDRESS=interface.hub WGFORM_ACTION=destroy timeout 60 logger gone
    "##);
    let before = ran(&lab).len();
    assert_boots(&lab);
    assert_snapshot!(ran(&lab)[before..].join("\n"), @"
    modprobe -q dummy
    resolvectl dns wg0 10.8.0.53 fd00:8::53
    resolvectl domain wg0 corp.example.com ~.
    sh -c echo 'wg0' is # up

    logger wg0 is up
    ");
}

#[test]
fn routes_and_name_servers_come_back_by_networkd() {
    let text = OUTSIDE.replace("wg-quick", "networkd");
    let lab = Lab::matching(&text.replace("    default_route = true\n", ""));
    assert_boots(&lab);
    let mut lab = Lab::matching(&text);
    let network = lab.host("hq").read_file("/etc/systemd/network/wg0.network").unwrap();
    assert_snapshot!(network.split_once("[Network]\n").unwrap().1, @"
    LinkLocalAddressing=no
    Address=10.8.0.1/24
    Address=fd00:8::1/64
    DNS=10.8.0.53
    DNS=fd00:8::53
    Domains=corp.example.com ~.

    [Route]
    Destination=0.0.0.0/0
    Table=51820
    Metric=50
    Protocol=119

    [Route]
    Destination=10.20.0.0/16
    Metric=50
    Protocol=119

    [Route]
    Destination=fd00:20::/48
    Metric=50
    Protocol=119

    [RoutingPolicyRule]
    Family=ipv4
    SuppressPrefixLength=0
    Table=254
    Priority=32764

    [RoutingPolicyRule]
    Family=ipv4
    InvertRule=yes
    FirewallMark=51820
    Table=51820
    Priority=32765
    ");
    let before = lab.show("hq");
    lab.host("hq").reboot();
    // Its rules have a mark of its own.
    assert_eq!(lab.show("hq").replace("by another", "by wgform"), before);
    lab.assert_settled();
    lab.edit("    default_route = true\n", "");
    lab.settle();
    assert_boots(&lab);
}

#[test]
fn what_is_outside_of_the_link_follows_a_change() {
    let mut lab = Lab::matching(OUTSIDE);
    lab.edit("\"10.20.0.0/16\"", "\"10.30.0.0/16\"").edit("distance      = 50", "table = 77");
    lab.settle();
    let routes = r"proto 119 table 77\n' 0.0.0.0/0 10.8.0.2/32 10.30.0.0/16 |";
    assert!(conf(&lab).contains(routes), "{}", conf(&lab));
    assert_boots(&lab);
    lab.edit("listen_port =", "enabled     = false\n  listen_port =");
    lab.settle();
    assert!(!conf(&lab).contains("route add"), "{}", conf(&lab));
    assert_boots(&lab);
}

#[test]
fn on_a_host_with_resolvconf_the_name_servers_come_back_by_that() {
    let lab = Lab::new(OUTSIDE);
    lab.host("hq").linux.set_program("resolvectl", false).unwrap();
    lab.host("hq").linux.set_program("resolvconf", true).unwrap();
    lab.settle();
    let told = lab.host("hq").linux.resolvconf();
    assert!(!told.is_empty());
    lab.host("hq").reboot();
    assert_eq!(lab.host("hq").linux.resolvconf(), told);
    lab.assert_settled();
}

#[test]
fn a_link_that_networkd_brought_up_gets_other_name_servers_by_its_file() {
    let mut lab = Lab::matching(&OUTSIDE.replace("wg-quick", "networkd"));
    lab.host("hq").reboot();
    let before = ran(&lab).len();
    lab.edit("[\"10.8.0.53\", \"fd00:8::53\"]", "[\"10.8.0.54\"]");
    lab.settle();
    assert_eq!(ran(&lab)[before..], ["networkctl reload"]);
    lab.remove_block("interface \"hub\"").remove_block("peer \"gate\"");
    lab.settle();
}

#[test]
fn a_file_that_was_edited_stays_drift_when_only_the_state_is_refreshed() {
    let mut lab = hub();
    let before = lab.plan();
    lab.host("hq").write_file(CONF, &conf(&lab).replace("MTU = 1420", "MTU = 1300"));
    let drift = lab.plan();
    assert_ne!(drift, before);
    lab.options.refresh_only = true;
    assert_eq!(lab.plan(), "Nothing to record. The state says what the devices have.\n");
    lab.options.refresh_only = false;
    assert_eq!(lab.plan(), drift);
    lab.settle();
}

#[test]
fn what_was_taken_for_gone_and_comes_back_at_boot_is_still_ours() {
    let text = persisted("wg-quick");
    let (before, _) = HUB.split_once("interface").unwrap();
    let mut lab = Lab::matching(text.split("peer \"").next().unwrap());
    lab.host("hq").delete_link("wg0");
    lab.options.refresh_only = true;
    lab.apply();
    lab.options.refresh_only = false;
    lab.host("hq").reboot();
    lab.replace(before);
    lab.apply();
    assert_eq!((lab.show("hq"), lab.owned(), conf(&lab)), (String::new(), vec![], String::new()));
}

#[test]
fn an_address_that_an_older_file_brings_back_goes_again() {
    for (style, path) in [("wg-quick", CONF), ("networkd", NETWORK)] {
        let mut lab = Lab::matching(&persisted(style));
        let before = lab.host("hq").linux.read_file(Path::new(path)).unwrap();
        lab.edit("10.8.0.1/24", "10.8.0.9/24");
        lab.settle();
        // The power went before the file was written.
        lab.host("hq").linux.write_file(Path::new(path), &before).unwrap();
        lab.host("hq").reboot();
        assert!(lab.show("hq").contains("10.8.0.1/24"));
        lab.settle();
        assert!(!lab.show("hq").contains("10.8.0.1/24"), "{}", lab.show("hq"));
    }
}

#[test]
fn files_go_again_that_a_killed_run_has_written() {
    let renamed = |style: &str| persisted(style).replace("\"wg0\"", "\"wg9\"");
    for (from, to) in [
        (persisted("none"), persisted("wg-quick")),
        (persisted("none"), renamed("networkd")),
        (persisted("wg-quick"), persisted("networkd")),
        (persisted("networkd"), renamed("wg-quick")),
        (persisted("wg-quick"), renamed("wg-quick")),
    ] {
        let make = || {
            let mut lab = Lab::matching(&from);
            lab.replace(&to);
            lab
        };
        let all = make().apply_and_count();
        for (done, reported) in (0..=all).flat_map(|done| (0..=done).map(move |it| (done, it))) {
            let mut lab = make();
            lab.crash(Crash { done, reported });
            lab.replace("backend \"local\" \"hq\" {\n  simulate = true\n}\n");
            let report = lab.apply();
            assert!(report.contains("complete."), "{done} {reported}: {report}");
            assert_eq!(lab.show("hq"), "", "{done} {reported}");
            assert!(files(&lab).is_empty(), "{done} {reported}");
            lab.assert_settled();
        }
    }
}

#[test]
fn a_file_of_somebody_else_is_not_taken_for_one_that_a_killed_run_has_begun() {
    let mut lab = Lab::matching(&persisted("none"));
    lab.replace(&persisted("wg-quick"));
    lab.crash(Crash { done: 0, reported: 0 });
    lab.host("hq").write_file(CONF, "[Interface]\nPrivateKey = theirs\n");
    let plan = lab.plan();
    assert!(plan.contains("error:"), "{plan}");
    lab.replace("backend \"local\" \"hq\" {\n  simulate = true\n}\n");
    assert!(lab.apply().contains("complete."));
    assert_eq!(files(&lab), [CONF]);
}
