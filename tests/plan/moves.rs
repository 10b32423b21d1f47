//! What moves away from a backend that is out of reach or out of the configuration.

use crate::backend::Crash;
use crate::changes::HUB;
use crate::lab::Lab;
use crate::secrets::LINK;

const BRANCH: &str = "backend \"local\" \"branch\" {\n  simulate = true\n}\n";

/// One interface on `hq`, with a second host that has nothing yet.
fn two_hosts() -> Lab {
    let text = HUB.replace("\"wg0\"", "\"wg0\"\n  backend = backend.hq");
    Lab::matching(&format!("{text}{BRANCH}"))
}

/// Says on which backend a resource is.
fn backend_of(lab: &Lab, address: &str) -> String {
    let state = lab.state();
    let record = &state.resources[&address.parse().unwrap()];
    record.backend.as_ref().unwrap().to_string()
}

#[test]
fn what_moves_away_from_a_host_out_of_reach_waits() {
    let mut lab = two_hosts();
    let before = lab.show("hq");
    lab.edit("backend.hq", "backend.branch");
    lab.traits("hq").is_unreachable = true;
    let plan = lab.plan();
    assert!(!plan.contains("gone") && plan.contains("3 resources left out"), "{plan}");
    assert_eq!(lab.steps(), "");
    lab.apply();
    assert_eq!((lab.show("hq"), lab.show("branch")), (before, String::new()));
    assert_eq!(backend_of(&lab, "interface.hub"), "hq");
    assert_eq!(lab.owned().len(), 3);
    lab.traits("hq").is_unreachable = false;
    lab.settle();
    assert_eq!(lab.show("hq"), "");
    assert_eq!(backend_of(&lab, "interface.hub"), "branch");
}

#[test]
fn a_peer_that_moves_away_from_a_host_out_of_reach_waits() {
    let mut lab = Lab::matching(
        &(LINK.to_owned()
            + "peer \"laptop\" {\n  interface = interface.hq\n  public_key = \"«laptop»\"\n  allowed_ips = []\n}\n"),
    );
    lab.edit("interface = interface.hq\n", "interface = interface.branch\n");
    lab.traits("hq").is_unreachable = true;
    let plan = lab.plan();
    assert!(!plan.contains("gone"), "{plan}");
    assert_eq!(lab.steps(), "");
    lab.apply();
    assert_eq!(backend_of(&lab, "peer.laptop"), "hq");
    lab.traits("hq").is_unreachable = false;
    lab.settle();
    assert!(!lab.show("hq").contains("«laptop»") && lab.show("branch").contains("«laptop»"));
}

#[test]
fn the_old_host_of_a_move_that_was_cut_off_is_asked_though_its_block_is_gone() {
    let moving = || {
        let mut lab = two_hosts();
        lab.edit("backend.hq", "backend.branch");
        lab
    };
    let writes = moving().apply_and_count();
    for done in 1..=writes {
        for reported in [0, done] {
            let mut lab = moving();
            lab.crash(Crash { done, reported });
            lab.remove_block("backend \"local\" \"hq\"");
            lab.settle();
            assert_eq!(lab.show("hq"), "", "{done} {reported}");
            assert_eq!(lab.owned().len(), 3);
        }
    }
}

#[test]
fn a_target_is_not_blocked_by_a_host_that_it_does_not_need() {
    let mut lab = Lab::matching(&format!(
        "{LINK}interface \"side\" {{\n  backend = backend.hq\n  name = \"wg1\"\n  listen_port = 51821\n}}\n"
    ));
    lab.traits("branch").is_unreachable = true;
    lab.edit("51821", "51822");
    lab.options.targets = vec!["interface.side".parse().unwrap()];
    let plan = lab.plan();
    assert!(!plan.contains("was not read"), "{plan}");
    let said = lab.apply();
    assert!(said.contains("Apply complete."), "{said}");
}

#[test]
fn importing_from_another_machine_says_that_it_is_one() {
    let mut lab = Lab::matching(HUB);
    lab.append("interface \"side\" {\n  name = \"wg1\"\n}\n");
    lab.host("hq").add_interface("wg1", "foreign", 51999);
    lab.host("hq").linux.set_machine_id("another").unwrap();
    let said = lab.import("interface.side", "wg1");
    assert!(said.contains("backend `hq` is another system"), "{said}");
    assert!(said.contains("-accept-new-device=hq"), "{said}");
}
