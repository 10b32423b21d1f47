//! `lifecycle`, `check` and `data`: what is left as it is, what makes something anew, what has to be true, and what is
//! only looked at.

use insta::assert_snapshot;

use crate::lab::Lab;
use crate::names::public_key;

const HUB: &str = "\
backend \"local\" \"hq\" { simulate = true }

interface \"hub\" {
  backend     = backend.hq
  name        = \"wg0\"
  listen_port = 51820
  mtu         = 1400
  addresses   = [\"10.8.0.1/24\"]
  lifecycle {
    # more
  }
}

peer \"laptop\" {
  interface   = interface.hub
  public_key  = \"«laptop»\"
  allowed_ips = [\"10.8.0.2/32\"]
  lifecycle {
    # and more
  }
}
";

fn secret(lab: &Lab, host: &str, peer: &str) -> Option<String> {
    let device = lab.host(host).linux.device("wg0").unwrap();
    let secret = device.peers[&public_key(peer)].preshared_key.as_ref()?;
    Some(format!("{:?}", secret.expose_bytes().as_slice()))
}

/// Returns the hub with something in the `lifecycle` of its interface and of its peer.
fn hub(interface: &str, peer: &str) -> String {
    HUB.replace("# more", interface).replace("# and more", peer)
}

#[test]
fn what_is_ignored_counts_while_the_object_is_made_and_never_after() {
    let mut lab = Lab::matching(&hub(
        "ignore_changes = [listen_port, mtu, addresses]",
        "ignore_changes = [allowed_ips]",
    ));
    assert!(lab.show("hq").contains("51820"), "{}", lab.show("hq"));
    let host = lab.host("hq");
    host.set_port("wg0", 4000);
    host.set_mtu("wg0", 1300);
    host.delete_address("wg0", "10.8.0.1/24");
    host.add_address("wg0", "10.99.0.1/24");
    host.set_peer("wg0", "laptop", &["10.77.0.0/16"]);
    lab.assert_settled();
    let before = lab.show("hq");
    lab.edit("51820", "51999").edit("1400", "1500").edit("10.8.0.2/32", "10.8.0.3/32");
    lab.edit("10.8.0.1/24", "10.8.0.9/24");
    lab.assert_settled();
    assert!(!lab.drift().contains('~'), "{}", lab.drift());
    lab.append("output \"port\" { value = interface.hub.listen_port }\n");
    lab.settle();
    assert_eq!(lab.show("hq"), before);
    assert_eq!(lab.state().outputs["port"].value, Some(4000.into()));
    // What else changes is still changed, and what is ignored is still left alone.
    lab.edit("  name        = \"wg0\"\n", "  name        = \"wg0\"\n  fwmark = 7\n");
    lab.settle();
    assert_eq!(lab.show("hq").replace("mark 7", "mark 0"), before);
    // Without the words it counts again.
    lab.edit("ignore_changes = [listen_port, mtu, addresses]", "");
    lab.edit("ignore_changes = [allowed_ips]", "");
    lab.settle();
    let after = lab.show("hq");
    for wanted in ["51999", "10.8.0.9/24", "10.8.0.3/32", "1500"] {
        assert!(after.contains(wanted), "{after}");
    }
}

#[test]
fn everything_can_be_ignored_and_what_is_gone_is_made_as_it_is_written() {
    let mut lab = Lab::matching(&hub("ignore_changes = all", "ignore_changes = all"));
    let host = lab.host("hq");
    host.set_port("wg0", 4000);
    host.set_peer("wg0", "laptop", &["10.77.0.0/16"]);
    lab.edit("1400", "1500").edit("«laptop»", "«tablet»");
    lab.assert_settled();
    assert!(lab.show("hq").contains("«laptop»"), "{}", lab.show("hq"));
    host.remove_peer("wg0", "laptop");
    lab.settle();
    let shown = lab.show("hq");
    assert!(shown.contains("«tablet»") && shown.contains("10.8.0.2/32"), "{shown}");
    assert!(shown.contains("4000"), "{shown}");
}

#[test]
fn a_refresh_takes_over_what_is_ignored_without_a_word() {
    let mut lab = Lab::matching(&hub("ignore_changes = [listen_port]", ""));
    lab.host("hq").set_port("wg0", 4000);
    lab.options.refresh_only = true;
    let plan = lab.plan();
    assert!(!plan.contains("listen_port"), "{plan}");
    lab.options.refresh_only = false;
    lab.assert_settled();
    lab.options.replace = ["interface.hub".parse().unwrap()].into();
    let _ = lab.apply();
    lab.options.replace.clear();
    assert!(lab.show("hq").contains("51820"), "{}", lab.show("hq"));
}

const SECRET: &str = "\
backend \"local\" \"hq\" { simulate = true }

interface \"hub\" {
  backend = backend.hq
  name    = \"wg0\"
}

preshared_key \"link\" {}

peer \"laptop\" {
  interface     = interface.hub
  public_key    = \"«laptop»\"
  allowed_ips   = [\"10.8.0.2/32\"]
  preshared_key = preshared_key.link
  lifecycle {
    ignore_changes = [preshared_key]
  }
}
";

#[test]
fn a_secret_that_is_ignored_is_neither_needed_nor_written() {
    let mut lab = Lab::matching(SECRET);
    let first = secret(&lab, "hq", "laptop");
    assert!(first.is_some());
    let key = public_key("laptop");
    lab.host("hq").set_preshared_key("wg0", key, Some("other"));
    let other = secret(&lab, "hq", "laptop");
    assert_ne!(first, other);
    lab.assert_settled();
    lab.edit("  preshared_key = preshared_key.link\n", "  preshared_key = \"none\"\n");
    lab.edit("preshared_key \"link\" {}\n", "");
    lab.edit("10.8.0.2/32", "10.8.0.3/32");
    lab.settle();
    assert_eq!(secret(&lab, "hq", "laptop"), other);
    lab.edit("ignore_changes = [preshared_key]", "");
    lab.settle();
    assert_eq!(secret(&lab, "hq", "laptop"), None);
}

#[test]
fn what_is_imported_with_ignored_attributes_stays_as_it_is() {
    let lab = Lab::new(&hub("ignore_changes = all", "ignore_changes = all"));
    let host = lab.host("hq");
    host.add_interface("wg0", "foreign", 4000);
    host.set_peer("wg0", "laptop", &["10.77.0.0/16"]);
    let _ = lab.import("interface.hub", "wg0");
    let key = public_key("laptop");
    let _ = lab.import("peer.laptop", &format!("wg0/{key}"));
    assert_eq!(lab.owned(), ["interface.hub", "peer.laptop"]);
    lab.assert_settled();
    let shown = lab.show("hq");
    assert!(shown.contains("port 4000 mtu 1420 mark 0 []\n  «laptop» [10.77.0.0/16]"), "{shown}");
}

#[test]
fn what_changes_makes_anew_what_names_it() {
    let mut lab = Lab::matching(&hub("", "replace_triggered_by = [interface.hub.listen_port]"));
    lab.edit("1400", "1500");
    lab.settle();
    lab.edit("51820", "51999");
    assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.hub on local "hq" (simulated) will be updated in place
      ~ interface "hub" {
            name        = "wg0"
          ~ listen_port = 51820 -> 51999
            # 8 unchanged attributes hidden
        }

      # peer.laptop on local "hq" (simulated) will be replaced (`interface.hub.listen_port` changes)
    -/+ peer "laptop" {
            interface = interface.hub
            name      = "laptop"
            # 6 unchanged attributes hidden
        }

    Plan: 1 to add, 1 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
}

#[test]
fn an_interface_that_is_made_anew_keeps_its_key() {
    let text = hub("replace_triggered_by = [preshared_key.link]", "");
    let mut lab =
        Lab::matching(&format!("{text}preshared_key \"link\" {{\n  rotation = \"1\"\n}}\n"));
    let key = lab.host("hq").key_of("wg0");
    lab.edit("rotation = \"1\"", "rotation = \"2\"");
    let plan = lab.plan();
    assert!(plan.contains("will be replaced (`preshared_key.link` changes)"), "{plan}");
    lab.settle();
    assert_eq!(lab.host("hq").key_of("wg0"), key);
}

#[test]
fn what_triggers_itself_is_a_circle() {
    let lab = Lab::new(&hub("replace_triggered_by = [peer.laptop]", ""));
    assert!(lab.plan().contains("circular references"), "{}", lab.plan());
}

#[test]
fn a_condition_that_does_not_hold_ends_the_plan() {
    let condition =
        "precondition {\n condition = self_port > 1024\n error_message = \"Take a high port.\"\n }";
    let text = hub(&condition.replace("self_port", "local.port"), "");
    let mut lab = Lab::matching(&format!("{text}locals {{\n  port = 2000\n}}\n"));
    lab.edit("port = 2000", "port = 80");
    let plan = lab.plan();
    assert!(plan.contains("precondition that does not hold"), "{plan}");
    assert!(plan.contains("Take a high port."), "{plan}");
    let condition = condition.replace("precondition", "postcondition");
    let text = hub(&condition.replace("self_port", "self.listen_port"), "");
    let mut lab = Lab::matching(&text);
    lab.edit("= 51820", "= 80");
    let plan = lab.plan();
    assert!(plan.contains("postcondition that does not hold"), "{plan}");
}

#[test]
fn a_condition_that_is_not_known_is_looked_at_by_the_apply() {
    let before = "precondition {\n condition = interface.hub.public_key == \"x\"\n error_message = \"No.\"\n }";
    let lab = Lab::new(&hub("", before));
    let plan = lab.plan();
    assert!(plan.contains("2 to add"), "{plan}");
    assert_snapshot!(lab.apply(), @"
    interface.hub: created

    Failed: peer.laptop
      cause: its precondition does not hold: No.

    Apply done in part. Resources: 1 added, 0 changed, 0 destroyed.
    What was done is in the state; run it again to do the rest.
    ");
    assert_eq!(lab.owned(), ["interface.hub"]);
    assert!(lab.plan().contains("precondition that does not hold"), "{}", lab.plan());

    let after =
        "postcondition {\n condition = self.public_key == \"x\"\n error_message = \"No.\"\n }";
    let lab = Lab::new(&hub(after, ""));
    let report = lab.apply();
    assert!(report.contains("done in part"), "{report}");
    assert!(lab.owned().contains(&"interface.hub".to_owned()));

    let holds = after.replace("== \"x\"", "!= \"x\"");
    Lab::matching(&hub(&holds, &before.replace("== \"x\"", "!= \"x\"")));
}

#[test]
fn a_check_that_does_not_hold_is_a_warning() {
    let check = "check \"port\" {\n  assert {\n    condition = interface.hub.listen_port == 51821\n    error_message = \"Not that port.\"\n  }\n}\n";
    let lab = Lab::new(&format!("{}{check}", hub("", "")));
    let plan = lab.plan();
    assert!(plan.contains("check that does not hold"), "{plan}");
    assert!(lab.apply().contains("Apply complete."));
    let check = check.replace("listen_port == 51821", "public_key == \"x\"");
    let lab = Lab::new(&format!("{}{check}", hub("", "")));
    let plan = lab.plan();
    assert!(plan.contains("check that is not known yet"), "{plan}");
    assert!(lab.apply().contains("Apply complete."));
    assert!(lab.plan().contains("check that does not hold"), "{}", lab.plan());
}

const DATA: &str = "\
backend \"local\" \"hq\" { simulate = true }
backend \"local\" \"branch\" { simulate = true }

data \"interface\" \"theirs\" {
  backend = backend.branch
  name    = \"wg7\"
}

interface \"hub\" {
  backend = backend.hq
  name    = \"wg0\"
}

peer \"theirs\" {
  interface   = interface.hub
  public_key  = data.interface.theirs.public_key
  endpoint    = \"192.0.2.7:${data.interface.theirs.listen_port}\"
  allowed_ips = [\"10.7.0.0/16\"]
}
";

#[test]
fn an_interface_of_somebody_else_can_be_referred_to() {
    let mut lab = Lab::new(DATA);
    let plan = lab.plan();
    assert!(plan.contains("interface that is not there"), "{plan}");
    lab.host("branch").add_interface("wg7", "foreign", 4000);
    let plan = lab.plan();
    assert!(plan.contains("\"«foreign»\"") && plan.contains("192.0.2.7:4000"), "{plan}");
    let before = lab.show("branch");
    lab.settle();
    assert_eq!(lab.show("branch"), before);
    // It is looked at again, and what uses it is left out while nobody can.
    lab.host("branch").set_port("wg7", 4001);
    let plan = lab.plan();
    assert!(plan.contains("192.0.2.7:4001"), "{plan}");
    lab.traits("branch").is_unreachable = true;
    let plan = lab.plan();
    assert!(plan.contains("1 resource left out"), "{plan}");
}
