//! Lint in a run of the built program: where it is shown, and what is known only once the devices have been asked.

mod harness;

use crate::harness::Project;

const BACKENDS: &str = "backend \"local\" \"one\" {\n  simulate = true\n}\nbackend \"local\" \"two\" {\n  simulate = true\n}\n";

fn interface(name: &str, port: u32) -> String {
    format!(
        "interface \"{name}\" {{\n  backend = backend.{name}\n  listen_port = {port}\n  persist = \"none\"\n}}\n\
         output \"{name}\" {{\n  value = interface.{name}.public_key\n}}\n"
    )
}

fn peer(name: &str, key: &str, more: &str) -> String {
    format!(
        "peer \"{name}\" {{\n  interface = interface.{name}\n  public_key = {key}\n  allowed_ips = [\"10.8.{}.0/24\"]\n{more}}}\n",
        name.len()
    )
}

fn interfaces() -> String {
    format!("{BACKENDS}{}{}", interface("one", 1), interface("two", 2))
}

#[test]
fn a_pair_with_written_keys_is_known_once_the_devices_have_been_asked() {
    let project = Project::new(&interfaces());
    project.run("apply -auto-approve").ends(0);
    let key = |name| project.run(&format!("output -raw {name}")).ends(0).stdout;
    let (one, two) = (key("one").trim().to_owned(), key("two").trim().to_owned());
    let pair = |more: &str| {
        let first = peer("one", &format!("\"{two}\""), "");
        format!("{}{first}{}", interfaces(), peer("two", &format!("\"{one}\""), more))
    };
    project.configure(&pair(""));
    project.run("validate").ends(0);
    for command in ["plan", "apply -auto-approve"] {
        project.run(command).ends(1).tells("pair of peers that can never meet [unreachable-pair]");
    }
    project.configure(&pair("  endpoint = \"192.0.2.1:1\"\n"));
    project.run("plan").ends(0).tells("link that nothing keeps open [missing-keepalive]");
    project.configure(&pair("  # wgform:ignore=missing-keepalive\n  endpoint = \"192.0.2.1:1\"\n"));
    let ran = project.run("plan").ends(0).tells("[missing-keepalive]");
    assert!(!ran.stdout.contains("missing-keepalive"), "{ran}");
    project.configure(
        &pair("  endpoint = \"192.0.2.1:1\"\n")
            .replace("peer \"two\"", "# wgform:ignore=missing-keepalive\npeer \"two\""),
    );
    assert!(!project.run("plan").ends(0).stderr.contains("missing-keepalive"));
}

#[test]
fn what_was_said_before_the_devices_were_asked_is_not_said_again() {
    let pair = format!(
        "{}{}{}locals {{\n  nothing = 1\n}}\n",
        interfaces(),
        peer("one", "interface.two.public_key", ""),
        peer("two", "interface.one.public_key", "  endpoint = \"192.0.2.1:1\"\n"),
    );
    let project = Project::new(&pair);
    for command in ["plan", "apply -auto-approve", "plan", "plan -target=peer.one"] {
        let ran = project.run(command).ends(0);
        assert_eq!(ran.stderr.matches("[missing-keepalive]").count(), 1, "{ran}");
        assert_eq!(ran.stderr.matches("[unused-local]").count(), 1, "{ran}");
    }
    let ran = project.run("plan -compact-warnings").ends(0);
    assert!(
        ran.stderr.contains("- link that nothing keeps open [missing-keepalive], in main.wg.hcl:"),
        "{ran}"
    );
    // Whoever looks for drift, or destroys, asks for something else.
    for command in ["drift", "plan -destroy", "destroy -auto-approve"] {
        let ran = project.run(command).ends(0);
        assert!(!ran.stderr.contains("[missing-keepalive]"), "{ran}");
    }
}
