//! `wgform graph`, as the built program prints it.

#![expect(
    clippy::disallowed_methods,
    reason = "a test runs graphviz, and asks whether it may be missing"
)]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod harness;

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::harness::Project;

fn drawn(arguments: &str) -> String {
    Project::of_example("three-backends").run(arguments).ends(0).stdout
}

#[test]
fn what_depends_on_what_is_drawn_for_graphviz() {
    insta::assert_snapshot!(drawn("graph"), @r#"
    digraph wgform {
      rankdir = "LR"
      node [shape = "box"]
      "interface.hub"
      "interface.branch"
      "interface.office"
      "preshared_key.branch"
      "peer.hub_to_branch"
      "peer.branch_to_hub"
      "preshared_key.office"
      "peer.hub_to_office"
      "peer.office_to_hub"
      "peer.hub_to_branch" -> "interface.branch"
      "peer.hub_to_branch" -> "interface.hub"
      "peer.hub_to_branch" -> "preshared_key.branch"
      "peer.branch_to_hub" -> "interface.branch"
      "peer.branch_to_hub" -> "interface.hub"
      "peer.branch_to_hub" -> "preshared_key.branch"
      "peer.hub_to_office" -> "interface.hub"
      "peer.hub_to_office" -> "interface.office"
      "peer.hub_to_office" -> "preshared_key.office"
      "peer.office_to_hub" -> "interface.hub"
      "peer.office_to_hub" -> "interface.office"
      "peer.office_to_hub" -> "preshared_key.office"
    }
    "#);
}

#[test]
fn the_network_is_drawn_with_its_backends_and_links() {
    insta::assert_snapshot!(drawn("graph -topology"), @r#"
    digraph wgform {
      rankdir = "LR"
      node [shape = "box"]
      subgraph "cluster_0" {
        label = "backend.branch (routeros)"
        "interface.branch" [label = "interface.branch\nwg-hub\n10.8.0.2/24\nport 13231"]
      }
      subgraph "cluster_1" {
        label = "backend.hub (local)"
        "interface.hub" [label = "interface.hub\nwg0\n10.8.0.1/24\nport 51820"]
      }
      subgraph "cluster_2" {
        label = "backend.office (pfsense)"
        "interface.office" [label = "interface.office\n10.8.0.3/24\nport 51820"]
      }
      "interface.hub" -> "interface.branch" [label = "peer.hub_to_branch: 10.8.0.2/32, 192.168.88.0/24\npeer.branch_to_hub: 10.8.0.0/24, 10.10.0.0/16, 192.168.1.0/24 at 198.51.100.1:51820", dir = "back"]
      "interface.hub" -> "interface.office" [label = "peer.hub_to_office: 10.8.0.3/32, 192.168.1.0/24\npeer.office_to_hub: 10.8.0.0/24, 10.10.0.0/16, 192.168.88.0/24 at 198.51.100.1:51820", dir = "back"]
    }
    "#);
    insta::assert_snapshot!(drawn("graph -topology -type=mermaid"), @r#"
    flowchart LR
      subgraph g0["backend.branch (routeros)"]
        n0["interface.branch<br/>wg-hub<br/>10.8.0.2/24<br/>port 13231"]
      end
      subgraph g1["backend.hub (local)"]
        n1["interface.hub<br/>wg0<br/>10.8.0.1/24<br/>port 51820"]
      end
      subgraph g2["backend.office (pfsense)"]
        n2["interface.office<br/>10.8.0.3/24<br/>port 51820"]
      end
      n0 -->|"peer.hub_to_branch: 10.8.0.2/32, 192.168.88.0/24<br/>peer.branch_to_hub: 10.8.0.0/24, 10.10.0.0/16, 192.168.1.0/24 at 198.51.100.1:51820"| n1
      n2 -->|"peer.hub_to_office: 10.8.0.3/32, 192.168.1.0/24<br/>peer.office_to_hub: 10.8.0.0/24, 10.10.0.0/16, 192.168.88.0/24 at 198.51.100.1:51820"| n1
    "#);
}

#[test]
fn far_ends_that_nobody_declared_are_outside_and_what_is_not_up_is_faint() {
    let key = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
    let peer = |name: &str, on: &str, more: &str| {
        format!(
            "peer \"{name}\" {{\n  interface = interface.{on}\n  public_key = \"{key}\"\n  allowed_ips = [\"10.8.0.9/32\"]\n{more}}}\n"
        )
    };
    let text = format!(
        "variable \"port\" {{\n  sensitive = true\n  default = 7777\n}}\n\
         interface \"a\" {{\n  listen_port = var.port\n}}\ninterface \"b\" {{\n  enabled = false\n}}\n{}{}\
         peer \"one_sided\" {{\n  interface = interface.a\n  public_key = interface.b.public_key\n  endpoint = \"192.0.2.1:1\"\n  \
         allowed_ips = [for n in range(6) : \"10.9.${{n}}.0/24\"]\n}}\n",
        peer("laptop", "a", ""),
        peer("again", "b", "  endpoint = \"[2001:db8::1]:51820\"\n"),
    );
    let ran = Project::new(&text).run("graph -topology").ends(0);
    assert!(!ran.stdout.contains("7777"), "{ran}");
    insta::assert_snapshot!(ran.stdout, @r#"
    digraph wgform {
      rankdir = "LR"
      node [shape = "box"]
      subgraph "cluster_0" {
        label = "backend.local (local)"
        "interface.a"
        "interface.b" [label = "interface.b\ndisabled"]
      }
      subgraph "cluster_1" {
        label = "outside of the configuration"
        "outside HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=" [label = "peer.laptop", style = "rounded"]
      }
      "interface.a" -> "outside HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=" [label = "peer.laptop: 10.8.0.9/32", dir = "back"]
      "interface.b" -> "outside HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=" [label = "peer.again: 10.8.0.9/32 at [2001:db8::1]:51820", style = "dashed"]
      "interface.a" -> "interface.b" [label = "peer.one_sided: 10.9.0.0/24, 10.9.1.0/24, 10.9.2.0/24, 10.9.3.0/24 and 2 more at 192.0.2.1:1", style = "dashed"]
    }
    "#);
}

#[test]
fn no_device_is_asked_and_no_state_is_read() {
    let project = Project::new(
        "backend \"local\" \"far\" {\n  netns = \"wgform-no-such-namespace\"\n}\ninterface \"a\" {}\n",
    );
    project.add("wgform.wgstate", "no state");
    let ran = project.run("graph").ends(0);
    assert!(ran.stdout.contains("\"interface.a\""), "{ran}");
    assert_eq!(ran.stderr, "");
    let wrong = Project::new("interface \"a\" {\n  mtuu = 1\n}\n").run("graph").ends(1);
    assert_eq!(wrong.stdout, "");
}

#[test]
fn graphviz_takes_what_is_written() {
    let project = Project::new(
        "backend \"local\" \"a\" {\n  display_name = \"a\\\"b\\\\n&lt;<br>\\\\\"\n}\n\
         interface \"a\" {\n  name = \"a\\\"b\\\\n&lt;\\\\\"\n}\ninterface \"b\" {\n}\n",
    );
    let text = project.run("graph -topology").ends(0).stdout;
    let child = Command::new("dot")
        .arg("-Tplain")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        let is_wanted = std::env::var("CI").is_ok_and(|it| it == "true");
        assert!(!is_wanted, "graphviz is not installed");
        eprintln!("skipped graphviz_takes_what_is_written: graphviz is not installed");
        return;
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    let plain = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(plain.lines().filter(|it| it.starts_with("node ")).count(), 2, "{plain}");
}
