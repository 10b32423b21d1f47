//! Outputs.

use insta::assert_snapshot;

use crate::changes::HUB;
use crate::lab::Lab;

const OUTPUTS: &str = r#"
output "key" {
  value = interface.hub.public_key
}

output "port" {
  value = interface.hub.listen_port
}

output "secret" {
  value     = "hunter2"
  sensitive = true
}
"#;

#[test]
fn outputs_are_shown_with_what_is_known_of_them() {
    let mut lab = Lab::new(&format!("{HUB}{OUTPUTS}"));
    assert_snapshot!(tail(&lab.plan()), @"
    Changes to outputs:

      + key    = (known after apply)
      + port   = 51820
      + secret = (sensitive value)

    Plan: 3 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    ");
    assert_snapshot!(lab.apply(), @r#"
    interface.hub: created
    peer.laptop: created
    peer.phone: created

    Apply complete. Resources: 3 added, 0 changed, 0 destroyed.

    Outputs:

    key    = "«wg0@hq»"
    port   = 51820
    secret = (sensitive value)
    "#);
    assert_snapshot!(lab.plan(), @"No changes. The devices match the configuration.");
    assert!(!lab.state_text().contains("hunter2"));
    lab.edit("listen_port = 51820", "listen_port = 51821");
    assert_snapshot!(tail(&lab.plan()), @"
    Changes to outputs:

      ~ port = 51820 -> 51821

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    ");
    lab.settle();
    lab.edit("\"hunter2\"", "\"hunter3\"");
    assert_snapshot!(lab.plan(), @"No changes. The devices match the configuration.");
    lab.remove_block("output \"secret\"").remove_block("output \"port\"");
    assert_snapshot!(lab.plan(), @"
    Changes to outputs:

      - port   = 51821
      - secret = (sensitive value)

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    ");
    lab.settle();
}

/// Returns what comes after the resources.
fn tail(plan: &str) -> String {
    let at = plan.find("Changes to outputs").unwrap_or_else(|| panic!("{plan}"));
    plan[at..].to_owned()
}

#[test]
fn an_output_that_becomes_sensitive_leaves_the_state() {
    let mut lab = Lab::matching(&format!("{HUB}\noutput \"port\" {{\n  value = 7\n}}\n"));
    lab.edit("value = 7", "value = 7\n  sensitive = true");
    assert_snapshot!(lab.plan(), @"
    Changes to outputs:

      ~ port = 7 -> (sensitive value)

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    ");
    lab.settle();
    assert!(lab.state().outputs["port"].value.is_none());
}
