//! What is left alone for a time, and drift that is known.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use wgform::plan::Note;

use crate::changes::HUB;
use crate::lab::Lab;
use crate::secrets::LINK;

/// Returns a block that holds something, or says that its drift is known.
fn hold(kind: &str, targets: &str, attributes: &str) -> String {
    format!(
        "{kind} \"inc\" {{\n  targets    = {targets}\n{attributes}  reason     = \"INC-1\"\n  expires_at = \"2100-01-01T00:00:00Z\"\n}}\n"
    )
}

fn holding(targets: &str, attributes: &str) -> Lab {
    let mut lab = Lab::matching(HUB);
    lab.append(&hold("hold", targets, attributes));
    lab.settle();
    lab
}

#[test]
fn held_attributes_keep_what_somebody_set() {
    let lab = holding("[peer.phone]", "  attributes = [allowed_ips]\n");
    lab.host("hq").set_peer("wg0", "phone", &["10.8.0.3/32", "10.9.0.0/16"]);
    lab.host("hq").set_keepalive("wg0", "phone", "10s");
    assert_snapshot!(lab.plan());
    lab.apply();
    assert!(lab.show("hq").contains("10.9.0.0/16"), "{}", lab.show("hq"));
    assert_snapshot!(lab.drift());
    let [by_configuration, by_state] = lab.findings();
    assert_eq!((by_configuration.len(), by_state.len()), (0, 0));
}

#[test]
fn a_hold_that_has_ended_is_drift_again_and_not_a_change() {
    let mut lab = holding("[peer.phone]", "");
    lab.host("hq").set_peer("wg0", "phone", &["10.9.0.0/16"]);
    lab.apply();
    assert!(lab.show("hq").contains("10.9.0.0/16"), "{}", lab.show("hq"));
    lab.edit("2100-01-01", "2000-01-01");
    assert_snapshot!(lab.plan());
    lab.apply();
    assert!(!lab.show("hq").contains("10.9.0.0/16"), "{}", lab.show("hq"));
    lab.assert_settled();
}

#[test]
fn an_end_that_an_apply_has_forgotten_is_not_said_again() {
    let mut lab = holding("[peer.phone]", "");
    lab.edit("2100-01-01", "2000-01-01");
    assert!(lab.plan().contains("No longer held or known"), "{}", lab.plan());
    lab.apply();
    let text = lab.plan();
    assert!(!text.contains("No longer held or known"), "{text}");
    assert!(text.contains("hold or known drift whose time is up"), "{text}");
    lab.look(|plan| assert_eq!(plan.holds.expired.len(), 0));
}

#[test]
fn what_the_configuration_changes_waits_while_it_is_held() {
    let mut lab = holding("[interface.hub]", "");
    lab.edit("51820\n  addresses", "51821\n  addresses");
    assert_snapshot!(lab.plan());
    lab.apply();
    assert!(lab.show("hq").contains("port 51820"), "{}", lab.show("hq"));
    let end =
        lab.state().resources[&"interface.hub".parse().unwrap()].attributes["listen_port"].clone();
    assert_eq!(end, 51820);
}

#[test]
fn a_held_resource_that_is_removed_or_made_anew_stays() {
    let mut lab = holding("[peer.phone]", "  attributes = [endpoint]\n");
    let before = lab.show("hq");
    lab.remove_block("peer \"phone\"");
    assert_snapshot!(lab.plan());
    lab.apply();
    assert_eq!(lab.show("hq"), before);
    // Nor does it go with its interface.
    lab.remove_block("interface \"hub\"");
    lab.remove_block("peer \"laptop\"");
    assert_snapshot!(lab.plan());
    lab.apply();
    assert!(lab.show("hq").contains("phone"), "{}", lab.show("hq"));
}

#[test]
fn what_is_gone_is_not_made_again_while_all_of_it_is_held() {
    let lab = holding("[interface.hub]", "");
    lab.host("hq").delete_link("wg0");
    assert_snapshot!(lab.plan());
    lab.apply();
    assert!(!lab.show("hq").contains("wg0 "), "{}", lab.show("hq"));
    let lab = holding("[peer.phone]", "  attributes = [endpoint]\n");
    lab.host("hq").remove_peer("wg0", "phone");
    lab.apply();
    assert!(lab.show("hq").contains("phone"), "{}", lab.show("hq"));
}

#[test]
fn a_hold_names_what_there_is() {
    let mut lab = Lab::matching(HUB);
    lab.append(&hold("hold", "[peer.phon, module.site]", ""));
    assert_snapshot!(lab.plan());
}

#[test]
fn known_drift_is_told_apart_and_undone_all_the_same() {
    let mut lab = Lab::matching(HUB);
    lab.append(&hold("known_drift", "[peer.phone]", "  attributes = [allowed_ips]\n"));
    lab.settle();
    lab.host("hq").set_peer("wg0", "phone", &["10.9.0.0/16"]);
    assert_snapshot!(lab.drift());
    let [by_configuration, by_state] = lab.findings();
    assert_eq!((by_configuration.len(), by_state.len()), (0, 0));
    lab.host("hq").set_keepalive("wg0", "phone", "10s");
    let [by_configuration, by_state] = lab.findings();
    assert_eq!(by_configuration, by_state);
    assert_eq!(by_configuration[0].attributes, ["persistent_keepalive"]);
    lab.apply();
    lab.assert_settled();
    assert!(lab.show("hq").contains("10.8.0.3/32"), "{}", lab.show("hq"));
}

#[test]
fn what_nobody_declared_has_a_class_of_its_own() {
    let lab = Lab::matching(HUB);
    lab.host("hq").add_interface("wg9", "other", 4000);
    lab.host("hq").set_peer("wg0", "stranger", &["10.66.0.0/24"]);
    assert_snapshot!(lab.drift());
    lab.look(|plan| assert!(!plan.has_drift() && plan.unmanaged.len() == 1));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it measures how long the machine takes")]
fn ten_thousand_peers_are_compared_with_the_state_alone_in_no_time() {
    let peers = "peer \"many\" {\n  count       = 10000\n  interface   = interface.hub\n  \
                 public_key  = base64encode(substr(sha256(tostring(count.index)), 0, 32))\n  \
                 allowed_ips = [\"${cidrhost(\"10.64.0.0/12\", count.index)}/32\"]\n}\n";
    let lab = Lab::matching(&format!("{HUB}{peers}"));
    let began = Instant::now();
    let [by_configuration, by_state] = lab.findings();
    // A debug build on a busy machine; what is not linear takes many minutes.
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
    assert_eq!((by_configuration.len(), by_state.len()), (0, 0));
}

/// A link with a hold on one of its parts.
fn held_link(targets: &str, attributes: &str) -> Lab {
    let mut lab = Lab::matching(LINK);
    lab.append(&hold("hold", targets, attributes));
    lab.settle();
    lab
}

#[test]
fn a_held_peer_goes_on_holding_its_secret() {
    let mut lab = held_link("[peer.to_hq]", "");
    lab.edit("[\"10.2.0.0/16\"]", "[\"10.22.0.0/16\"]");
    lab.settle();
    let holders =
        lab.state().resources[&"preshared_key.tunnel".parse().unwrap()].attributes["holders"]
            .clone();
    assert_eq!(holders, "peer.to_branch, peer.to_hq");
    // What the other end lost is read back from the held one.
    let (hq, branch) = (lab.show("hq"), lab.show("branch"));
    let key = lab.host("branch").key_of("wg0");
    lab.host("hq").set_preshared_key("wg0", key, None);
    lab.settle();
    assert_eq!((lab.show("hq"), lab.show("branch")), (hq, branch));
}

#[test]
fn a_secret_is_not_made_anew_while_a_holder_is_held() {
    let mut lab = held_link("[peer.to_hq]", "  attributes = [preshared_key]\n");
    lab.edit("\"tunnel\" {}", "\"tunnel\" {\n  rotation = \"2\"\n}");
    let text = lab.plan();
    let refused = "`preshared_key.tunnel` would be made anew, and `peer.to_hq` would not get it: it is held by \
                   `hold \"inc\"` (INC-1)";
    assert!(text.contains(refused), "{text}");
    assert!(lab.apply().starts_with("refused: "));
    lab.edit("  rotation = \"2\"\n", "");
    lab.settle();
}

#[test]
fn a_key_that_a_held_far_end_would_not_learn_is_refused() {
    let mut lab = held_link("[peer.to_hq]", "");
    lab.edit("interface \"hq\" {\n", "interface \"hq\" {\n  key_rotation = \"2\"\n");
    let text = lab.plan();
    let refused =
        "`interface.hq` would get another key, and `peer.to_hq` would not learn it while held";
    assert!(text.contains(refused), "{text}");
    lab.options.allow_new_key.insert("interface.hq".parse().unwrap());
    let (refusals, notes) = lab.look(|plan| {
        let notes = plan.changes.iter().flat_map(|it| it.notes.clone());
        let is_about_key = |it: &Note| matches!(it, Note::NewKey { .. });
        (plan.refusals.clone(), notes.filter(is_about_key).collect::<Vec<_>>())
    });
    assert_eq!(refusals, []);
    let tell = vec!["peer.to_branch".parse().unwrap()];
    assert_eq!(notes, [Note::NewKey { follow: Vec::new(), tell }]);
}

#[test]
fn routes_stay_while_the_allowed_ips_that_they_are_for_are_held() {
    let text = HUB
        .replace("[\"10.8.0.1/24\"]\n", "[\"10.8.0.1/24\"]\n  routes = \"auto\"\n")
        .replace("[\"10.8.0.3/32\"]", "[\"10.8.0.3/32\", \"10.9.0.0/16\"]");
    let mut lab = Lab::matching(&text);
    lab.append(&hold("hold", "[peer.phone]", "  attributes = [allowed_ips]\n"));
    lab.settle();
    lab.host("hq").set_peer("wg0", "phone", &["10.8.0.3/32"]);
    lab.look(|plan| assert!(plan.changes.is_empty(), "{:?}", plan.changes));
    // What other peers get is routed all the same.
    lab.edit("[\"10.8.0.2/32\"]", "[\"10.8.0.2/32\", \"10.10.0.0/16\"]");
    lab.apply();
    let routes = &lab.state().resources[&"interface.hub".parse().unwrap()].owned_elements["routes"];
    assert_eq!(routes.iter().collect::<Vec<_>>(), ["10.10.0.0/16", "10.9.0.0/16"]);
}

#[test]
fn peers_and_their_secrets_stay_with_a_held_interface_that_would_be_destroyed() {
    let mut lab = held_link("[interface.branch]", "");
    let before = lab.show("branch");
    lab.options.destroy = true;
    lab.apply();
    assert_eq!(lab.show("branch"), before);
    let left: Vec<_> = lab.state().resources.keys().map(ToString::to_string).collect();
    assert_eq!(left, ["interface.branch", "peer.to_hq", "preshared_key.tunnel"]);
}
