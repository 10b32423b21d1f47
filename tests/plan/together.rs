//! Pre-shared keys that nobody can give back, holders out of reach, and peers that take over from each other.

use crate::changes::HUB;
use crate::lab::Lab;
use crate::names::{preshared_key, public_key};
use crate::secrets::{LINK, secret};

/// A hub whose one peer has a pre-shared key, and a far end of somebody else.
fn one_sided() -> String {
    HUB.replace(
        "public_key  = \"«laptop»\"",
        "public_key  = \"«laptop»\"\n  preshared_key = preshared_key.laptop",
    ) + "preshared_key \"laptop\" {}\n"
}

#[test]
fn a_lost_secret_whose_far_end_is_not_managed_is_not_made_anew_without_a_word() {
    for way in ["deleted", "rebooted"] {
        let mut lab = Lab::matching(&one_sided());
        match way {
            "deleted" => lab.host("hq").delete_link("wg0"),
            _ => lab.host("hq").reboot(),
        }
        let plan = lab.plan();
        assert!(
            plan.contains(
                "refused: `preshared_key.laptop` was changed or lost on every device that held it"
            ),
            "{way} {plan}"
        );
        assert!(plan.contains("help: set `value`") && plan.contains("change `rotation`"), "{plan}");
        assert!(lab.apply().contains("refused:"));
        lab.edit("\"laptop\" {}", "\"laptop\" {\n  rotation = \"2\"\n}");
        lab.settle();
        let device = lab.host("hq").linux.device("wg0").unwrap();
        assert!(device.peers[&public_key("laptop")].preshared_key.is_some());
    }
}

#[test]
fn a_lost_secret_comes_back_by_its_value() {
    let mut lab = Lab::matching(&one_sided());
    lab.host("hq").reboot();
    lab.edit("\"laptop\" {}", "\"laptop\" {\n  value = \"«a.psk»\"\n}");
    lab.settle();
    let device = lab.host("hq").linux.device("wg0").unwrap();
    assert_eq!(device.peers[&public_key("laptop")].preshared_key, Some(preshared_key("a")));
}

#[test]
fn a_secret_that_both_ends_lost_is_made_anew_for_both() {
    let lab = Lab::matching(LINK);
    let before = secret(&lab, "hq", "branch");
    lab.host("hq").reboot();
    lab.host("branch").delete_link("wg0");
    lab.settle();
    let now = secret(&lab, "hq", "branch");
    assert!(now.is_some() && now != before);
    assert_eq!(now, secret(&lab, "branch", "hq"));
}

#[test]
fn without_a_refresh_secrets_are_as_they_were() {
    for text in [LINK, &one_sided()] {
        let mut lab = Lab::matching(text);
        lab.options.without_refresh = true;
        assert_eq!(lab.plan(), "No changes. The devices match the configuration.\n");
    }
}

#[test]
fn holders_out_of_reach_are_still_holders() {
    let mut lab = Lab::matching(LINK);
    lab.traits("branch").is_unreachable = true;
    lab.edit("10.2.0.0/16", "10.9.0.0/16");
    let said = lab.apply();
    assert!(said.contains("Apply complete."), "{said}");
    let holders = |lab: &Lab| {
        let state = lab.state();
        let record = &state.resources[&"preshared_key.tunnel".parse().unwrap()];
        record.attributes["holders"].as_str().unwrap().to_owned()
    };
    assert_eq!(holders(&lab), "peer.to_branch, peer.to_hq");
    lab.traits("branch").is_unreachable = false;
    lab.assert_settled();
}

#[test]
fn a_first_secret_waits_for_every_holder() {
    let plain = LINK.replace("preshared_key = preshared_key.tunnel", "");
    let mut lab = Lab::matching(&plain.replace("preshared_key \"tunnel\" {}", ""));
    lab.traits("branch").is_unreachable = true;
    lab.replace(LINK);
    let plan = lab.plan();
    assert!(
        plan.contains("refused: `preshared_key.tunnel` has to be made, and `peer.to_hq`"),
        "{plan}"
    );
    lab.traits("branch").is_unreachable = false;
    lab.settle();
}

#[test]
fn a_secret_to_adopt_that_is_not_there_is_an_error() {
    let adopting = "preshared_key \"tunnel\" {\n  adopt_from = peer.to_branch\n}";
    let plain = LINK.replace("preshared_key = preshared_key.tunnel", "");
    let mut lab = Lab::matching(&plain.replace("preshared_key \"tunnel\" {}", ""));
    lab.replace(&LINK.replace("preshared_key \"tunnel\" {}", adopting));
    let plan = lab.plan();
    assert!(plan.contains("error: no pre-shared key to adopt"), "{plan}");
    // Nor before the peer is there.
    let lab = Lab::new(&LINK.replace("preshared_key \"tunnel\" {}", adopting));
    let plan = lab.plan();
    assert!(plan.contains("error: no pre-shared key to adopt"), "{plan}");
}

#[test]
fn two_peers_that_swap_their_keys_swap_everything_else_too() {
    let text = HUB
        .replace(
            "public_key  = \"«laptop»\"",
            "public_key  = \"«laptop»\"\n  endpoint = \"192.0.2.1:1\"\n  preshared_key = \"«a.psk»\"",
        )
        .replace("\"«phone»\"", "\"«phone»\"\n  preshared_key = \"«b.psk»\"");
    let mut lab = Lab::matching(&text);
    let swapped = text.replace("«phone»", "«x»").replace("«laptop»", "«phone»");
    lab.replace(&swapped.replace("«x»", "«laptop»"));
    lab.settle();
    let device = lab.host("hq").linux.device("wg0").unwrap();
    let has = |name: &str, endpoint: &str, secret: &str| {
        let peer = &device.peers[&public_key(name)];
        assert_eq!(peer.endpoint.map(|it| it.to_string()).as_deref(), Some(endpoint));
        assert_eq!(peer.preshared_key, Some(preshared_key(secret)));
    };
    has("phone", "192.0.2.1:1", "a");
    has("laptop", "198.51.100.7:51820", "b");
}

#[test]
fn a_key_whose_new_owner_fails_to_take_it_still_has_an_owner() {
    let mut lab = Lab::matching(HUB);
    lab.remove_block("peer \"laptop\"");
    lab.edit("«phone»", "«laptop»").edit("198.51.100.7", "nowhere.example.com");
    lab.host("hq").linux.set_host("nowhere.example.com", &[]).unwrap();
    let said = lab.apply();
    assert!(said.contains("Failed: peer.phone"), "{said}");
    let key = public_key("laptop").to_string();
    let state = lab.state();
    let owns = |object: &wgform::state::ObjectKey| matches!(object, wgform::state::ObjectKey::Peer { public_key, .. } if *public_key == key);
    let is_owned = state.resources.values().any(|record| {
        owns(&record.object) || record.deposed.iter().any(|deposed| owns(&deposed.object))
    });
    assert!(
        is_owned || !lab.show("hq").contains("«laptop»"),
        "{}\n{}",
        lab.show("hq"),
        lab.state_text()
    );
    let found = ["192.0.2.7".parse().unwrap()];
    lab.host("hq").linux.set_host("nowhere.example.com", &found).unwrap();
    lab.settle();
    assert_eq!(lab.show("hq").matches('[').count(), 2, "{}", lab.show("hq"));
}

#[test]
fn the_address_of_a_name_is_in_the_report_and_in_the_state() {
    let lab = Lab::new(&HUB.replace("198.51.100.7", "vpn.example.com"));
    lab.host("hq").linux.set_host("vpn.example.com", &["192.0.2.7".parse().unwrap()]).unwrap();
    let said = lab.apply();
    assert!(said.contains("192.0.2.7"), "{said}");
    assert!(lab.state_text().contains("192.0.2.7:51820"), "{}", lab.state_text());
    lab.assert_settled();
}

#[test]
fn a_sensitive_value_of_an_attribute_that_is_kept_is_an_error_at_its_place() {
    let cases = [
        ("interface \"hub\" {", "description = var.it"),
        ("interface \"hub\" {", "key_rotation = var.it"),
        ("peer \"laptop\" {", "endpoint = var.it"),
        ("peer \"laptop\" {", "description = \"for ${var.it}\""),
    ];
    let variable = "variable \"it\" {\n  sensitive = true\n  default = \"hidden.example:1\"\n}\n";
    for (at, line) in cases {
        let text = format!("{variable}{HUB}");
        let lab = Lab::new(&text.replace(at, &format!("{at}\n  {line}")));
        let plan = lab.plan();
        assert!(plan.starts_with("error:") && plan.contains("sensitive"), "{line} {plan}");
        assert!(plan.contains("  at `"), "{line} {plan}");
        assert!(!plan.contains("hidden.example"), "{line} {plan}");
    }
    let lab = Lab::new(
        &format!("{variable}{HUB}")
            .replace("\"hidden.example:1\"", "\"10.8.0.1/24\"")
            .replace("[\"10.8.0.1/24\"]", "[var.it]"),
    );
    let plan = lab.plan();
    assert!(plan.starts_with("error:") && plan.contains("sensitive"), "{plan}");
}
