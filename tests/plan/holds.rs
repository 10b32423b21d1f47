//! What is left alone for a time, and drift that is known.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::changes::HUB;
use crate::lab::Lab;

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
