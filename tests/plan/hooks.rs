//! The user's commands: what a plan says of them, and what an apply runs.

use crate::lab::Lab;

const HUB: &str = r#"
    backend "local" "hq" { simulate = true }
    interface "wg0" {
      listen_port = 51820
      pre_up      = [["sysctl", "-w", "net.ipv4.ip_forward=1"]]
      post_up     = [["sh", "-c", "logger up $WGFORM_INTERFACE %i"], ["true", ""]]
      pre_down    = [["logger", "going", "%i"]]
      post_down   = [["/usr/local/bin/gone", "%i"]]
    }
"#;

/// Returns the commands that were run since then, with the action that they were told.
fn ran(lab: &Lab, since: usize) -> Vec<String> {
    let told = |program: &wgform::simulator::linux::call::Program| {
        let value = |name: &str| program.environment[name].clone();
        assert_eq!(value("WGFORM_ADDRESS"), "interface.wg0");
        assert_eq!(value("WGFORM_BACKEND"), "hq");
        format!(
            "{} {}: {}",
            value("WGFORM_ACTION"),
            value("WGFORM_INTERFACE"),
            program.argv.join(" ")
        )
    };
    lab.host("hq").linux.ran()[since..].iter().map(told).collect()
}

#[test]
fn a_plan_shows_every_command_that_an_apply_runs() {
    let lab = Lab::new(HUB);
    insta::assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.wg0 on local "hq" (simulated) will be created
      # runs pre_up: sysctl -w net.ipv4.ip_forward=1
      # runs post_up: sh -c "logger up $WGFORM_INTERFACE wg0"
      # runs post_up: true ""
      + interface "wg0" {
          + name        = "wg0"
          + public_key  = (known after apply)
          + listen_port = 51820
          + pre_up      = [["sysctl", "-w", "net.ipv4.ip_forward=1"]]
          + post_up     = [["sh", "-c", "logger up $WGFORM_INTERFACE %i"], ["true", ""]]
          + pre_down    = [["logger", "going", "%i"]]
          + post_down   = [["/usr/local/bin/gone", "%i"]]
        }

    Plan: 1 to add, 0 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(
        ran(&lab, 0),
        [
            "create wg0: sysctl -w net.ipv4.ip_forward=1",
            "create wg0: sh -c logger up $WGFORM_INTERFACE wg0",
            "create wg0: true ",
        ]
    );
}

#[test]
fn a_change_of_commands_alone_runs_none() {
    let mut lab = Lab::matching(HUB);
    lab.edit("going", "leaving");
    lab.edit(r#"pre_up      = [["sysctl", "-w", "net.ipv4.ip_forward=1"]]"#, "");
    insta::assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.wg0 on local "hq" (simulated) will be updated in place
      ~ interface "wg0" {
            name     = "wg0"
          - pre_up   = [["sysctl", "-w", "net.ipv4.ip_forward=1"]] -> null
          ~ pre_down = [["logger", "going", "%i"]] -> [["logger", "leaving", "%i"]]
            # 11 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(lab.host("hq").linux.ran().len(), 3);
}

#[test]
fn commands_of_the_way_down_are_those_of_the_last_apply() {
    let mut lab = Lab::matching(HUB);
    lab.edit("going", "leaving").edit("listen_port = 51820", "enabled = false");
    insta::assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.wg0 on local "hq" (simulated) will be updated in place
      # runs pre_down: logger going wg0
      # runs post_down: /usr/local/bin/gone wg0
      ~ interface "wg0" {
            name     = "wg0"
          ~ enabled  = true -> false
          ~ pre_down = [["logger", "going", "%i"]] -> [["logger", "leaving", "%i"]]
            # 11 unchanged attributes hidden
        }

    Plan: 0 to add, 1 to change, 0 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(
        ran(&lab, 3),
        ["update wg0: logger going wg0", "update wg0: /usr/local/bin/gone wg0"]
    );
    lab.edit("enabled = false", "");
    lab.settle();
    assert_eq!(ran(&lab, 5).len(), 3);
}

#[test]
fn commands_run_when_an_interface_goes_that_is_in_no_configuration() {
    let mut lab = Lab::matching(HUB);
    lab.replace(r#"backend "local" "hq" { simulate = true }"#);
    insta::assert_snapshot!(lab.plan(), @r#"
    wgform will perform the following actions:

      # interface.wg0 on local "hq" (simulated) will be destroyed (it is no longer in the configuration)
      # runs pre_down: logger going wg0
      # runs post_down: /usr/local/bin/gone wg0
      - interface "wg0" {
          - name        = "wg0"
          - key_file    = "/var/lib/wgform/keys/wg0"
          - public_key  = "«wg0@hq»"
          - listen_port = 51820
          - pre_up      = [["sysctl", "-w", "net.ipv4.ip_forward=1"]]
          - post_up     = [["sh", "-c", "logger up $WGFORM_INTERFACE %i"], ["true", ""]]
          - pre_down    = [["logger", "going", "%i"]]
          - post_down   = [["/usr/local/bin/gone", "%i"]]
        }

    Plan: 0 to add, 0 to change, 1 to destroy. Drift undone: none. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(
        ran(&lab, 3),
        ["destroy wg0: logger going wg0", "destroy wg0: /usr/local/bin/gone wg0"]
    );
}

#[test]
fn a_renamed_interface_goes_down_under_its_old_name_and_up_under_its_new_one() {
    let mut lab = Lab::matching(HUB);
    lab.edit("listen_port = 51820", r#"name = "wg1""#);
    lab.settle();
    assert_eq!(
        ran(&lab, 3),
        [
            "update wg0: logger going wg0",
            "update wg0: /usr/local/bin/gone wg0",
            "update wg1: sysctl -w net.ipv4.ip_forward=1",
            "update wg1: sh -c logger up $WGFORM_INTERFACE wg1",
            "update wg1: true ",
        ]
    );
}

#[test]
fn two_interfaces_that_swap_their_names_go_down_and_up_once() {
    let block = |label: &str, name: &str| {
        format!(
            r#"
            interface "{label}" {{
              name     = "{name}"
              post_up  = [["logger", "up", "%i"]]
              pre_down = [["logger", "down", "%i"]]
            }}
            "#
        )
    };
    let backend = r#"backend "local" "hq" { simulate = true }"#;
    let text = |a: &str, b: &str| format!("{backend}{}{}", block("a", a), block("b", b));
    let mut lab = Lab::matching(&text("wg0", "wg1"));
    lab.replace(&text("wg1", "wg0"));
    lab.settle();
    let ran = lab.host("hq").linux.ran();
    let mut ran: Vec<String> = ran[2..].iter().map(|it| it.argv.join(" ")).collect();
    ran.sort();
    assert_eq!(ran, ["logger down wg0", "logger down wg1", "logger up wg0", "logger up wg1"]);
}

#[test]
fn commands_run_when_an_interface_is_made_again() {
    let lab = Lab::matching(HUB);
    lab.host("hq").linux.reboot(lab.host("hq").now).unwrap();
    insta::assert_snapshot!(lab.plan(), @r#"
    Backend `hq`: host rebooted 0 s ago, wg0 missing.

    Drift: this was changed outside of wgform, and an apply undoes it:

      # interface.wg0 on local "hq" (simulated) will be created again (the host was rebooted)
      # runs pre_up: sysctl -w net.ipv4.ip_forward=1
      # runs post_up: sh -c "logger up $WGFORM_INTERFACE wg0"
      # runs post_up: true ""
      + interface "wg0" {
          + name        = "wg0"
          + public_key  = "«wg0@hq»"
          + listen_port = 51820
          + pre_up      = [["sysctl", "-w", "net.ipv4.ip_forward=1"]]
          + post_up     = [["sh", "-c", "logger up $WGFORM_INTERFACE %i"], ["true", ""]]
          + pre_down    = [["logger", "going", "%i"]]
          + post_down   = [["/usr/local/bin/gone", "%i"]]
        }

    Plan: 0 to add, 0 to change, 0 to destroy. Drift undone: 1. Sessions kept: 0 of 0.
    "#);
    lab.settle();
    assert_eq!(ran(&lab, 3).len(), 3);
}

#[test]
fn a_command_that_fails_stops_the_step_and_says_its_last_lines() {
    let lab = Lab::new(HUB);
    let ran =
        wgform::simulator::linux::call::Ran { status: 3, tail: "trying\nno such key".to_owned() };
    lab.host("hq").linux.refuse_program("sysctl", Ok(ran)).unwrap();
    insta::assert_snapshot!(lab.apply(), @r#"

    Failed: interface.wg0
      cause: could not create interface `wg0`: `pre_up` runs `sysctl -w net.ipv4.ip_forward=1`: it ended with 3, and said: trying / no such key; the interface was removed again
      help: Run it by hand to see why, and apply again when it ends with 0.

    Apply failed. Resources: 0 added, 0 changed, 0 destroyed.
    What was done is in the state; run it again to do the rest.
    "#);
    assert!(!lab.host("hq").linux.links().contains_key("wg0"));
}

#[test]
fn a_command_cannot_hold_a_secret_nor_be_a_line_for_a_shell() {
    let lab = Lab::new(
        r#"
        variable "token" {
          default   = "hunter2"
          sensitive = true
        }
        backend "local" "hq" { simulate = true }
        interface "wg0" {
          pre_up    = ["sysctl -w net.ipv4.ip_forward=1", "echo 1 > /tmp/x"]
          post_up   = [["curl", var.token]]
          pre_down  = [[], ["bin/x"], 3]
          post_down = "true"
        }
    "#,
    );
    insta::assert_snapshot!(lab.plan(), @r#"
    error: invalid value
      at `"sysctl -w net.ipv4.ip_forward=1"`: a command is a list of its parts
      help: Write it as `["sysctl", "-w", "net.ipv4.ip_forward=1"]`.
    error: invalid value
      at `"echo 1 > /tmp/x"`: a command is a list of its parts
      help: Write it as `["sh", "-c", "echo 1 > /tmp/x"]`.
    error: secret in a command
      at `[["curl", var.token]]`: a part of this is sensitive
      help: Let the command read it from a file that only root can read: arguments are seen by every user of the host.
    error: invalid value
      at `[]`: a command begins with the name or the absolute path of a program
      help: Write it as `["/usr/local/bin/up", "%i"]`.
    error: invalid value
      at `["bin/x"]`: a command begins with the name or the absolute path of a program
      help: Write it as `["/usr/local/bin/up", "%i"]`.
    error: invalid value
      at `3`: a command is a list of its parts
      help: Write it as `["program", "argument"]`.
    error: invalid value
      at `"true"`: `post_down` is a list of commands, each a list of strings, not "true"
      help: Write it as `post_down = [["sysctl", "-w", "net.ipv4.ip_forward=1"]]`.
    "#);
}
