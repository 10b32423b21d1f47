//! `wgform drift` as the built program does it: with the state alone, and with metrics.

#![expect(clippy::disallowed_methods, reason = "these tests look at files and run promtool")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::devices::{self, ask_firewall, ask_router};
use crate::harness::{Project, examples};

/// Removes what only somebody with the configuration has.
fn without_configuration(project: &Project) {
    fs::remove_file(project.path().join("main.wg.hcl")).unwrap();
}

fn metrics(project: &Project) -> String {
    fs::read_to_string(project.path().join("wgform.prom")).unwrap()
}

/// Lets Prometheus' own tool read a file.
#[track_caller]
fn assert_read_by_prometheus(arguments: &[&str], text: &str) {
    let child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        let is_wanted = std::env::var("CI").is_ok_and(|it| it == "true");
        assert!(!is_wanted, "promtool is not installed");
        eprintln!("skipped what Prometheus says of {arguments:?}: promtool is not installed");
        return;
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // What it would have written otherwise is said on the way, and is no failure.
    assert!(output.status.success() && !said.contains("error"), "{said}\n{text}");
    if arguments[0] == "check" && arguments[1] == "metrics" {
        assert_eq!(said, "", "{text}");
    }
}

#[test]
fn three_backends_are_compared_with_the_state_alone() {
    let project = Project::of_example("three-backends");
    project.run("apply -auto-approve").ends(0);
    without_configuration(&project);
    project.run("drift -from-state").ends(0).says("No drift.");
    let state = fs::read(project.path().join("wgform.state.json")).unwrap();
    project.enter("hub").delete_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();
    let router = devices::router(&project, "branch");
    let interface = ask_router(&router, "GET", "interface/wireguard", "");
    let path = format!("interface/wireguard/{}", interface[0][".id"].as_str().unwrap());
    ask_router(&router, "PATCH", &path, r#"{"comment":"by hand"}"#);
    drop(router);
    let firewall = devices::firewall(&project, "office");
    let change = serde_json::json!({"id": 0, "persistentkeepalive": 60});
    ask_firewall(&firewall, "PATCH", "vpn/wireguard/peer", &change);
    ask_firewall(&firewall, "POST", "vpn/wireguard/apply", &serde_json::json!({"async": false}));
    drop(firewall);
    let ran = project.run("drift -from-state").ends(2);
    let ran = ran.says("interface.hub on local \"hub\"").says("10.8.0.1/24");
    let ran = ran.says("-> \"by hand\"").says("persistent_keepalive = \"25s\" -> \"60s\"");
    ran.says("Drift: 3 resources changed outside of wgform, 0 unmanaged peers.");
    // Nothing was written, and no lock was taken.
    assert_eq!(fs::read(project.path().join("wgform.state.json")).unwrap(), state);
    assert_eq!(project.left_over(), [""; 0]);
    project.run("drift -from-state -target=backend.hub").ends(2).says("Drift: 1 resource changed");
    project.run("drift -from-state -target=peer.nobody").ends(1).tells("no resource");
}

#[test]
fn a_state_is_found_where_it_is_said_to_be() {
    let project = Project::of_example("quickstart");
    project.run("drift -from-state").ends(1).tells("there is no state at");
    project.run("apply -auto-approve").ends(0);
    let path = project.path();
    fs::rename(path.join("wgform.state.json"), path.join("elsewhere.json")).unwrap();
    project.run("drift -from-state -state=elsewhere.json").ends(0).says("No drift.");
    project.run("drift -state=elsewhere.json").ends(1).tells("-from-state");
    project.run("drift -from-state -var=a=1").ends(1);
    // What the configuration says counts, if no variable is needed for it.
    project.configure("wgform {\n  state \"local\" { path = \"elsewhere.json\" }\n}\n");
    project.run("drift -from-state").ends(0).says("No drift.");
    project.configure("variable \"path\" {}\nwgform {\n  state \"local\" { path = var.path }\n}\n");
    let ran = project.run("drift -from-state").ends(1).tells("-state=FILE");
    assert!(!ran.stderr.contains("-var "), "{ran}");
}

#[test]
fn credentials_come_from_the_environment() {
    let project = Project::of_example("site-to-site-routeros");
    project.run("apply -auto-approve").ends(0);
    without_configuration(&project);
    // As if the router was a real one, at a port where nobody listens.
    let path = project.path().join("wgform.state.json");
    let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let branch = &mut state["backends"]["branch"];
    branch["simulated"] = false.into();
    branch["transport"]["api_url"] = "http://127.0.0.1:9".into();
    fs::write(&path, state.to_string()).unwrap();
    let ran = project.run("drift -from-state -metrics-into=wgform.prom").ends(6);
    let ran = ran.says("there are no credentials for it");
    ran.says("WGFORM_BACKEND_BRANCH_PASSWORD");
    let text = metrics(&project);
    assert!(text.contains("wgform_backend_up{backend=\"branch\"} 0\n"), "{text}");
    assert!(text.contains("wgform_backend_up{backend=\"hq\"} 1\n"), "{text}");
    assert!(text.contains("wgform_drift_exit_code 6\n"), "{text}");
    let mut command = project.command("drift -from-state");
    command.env("WGFORM_BACKEND_BRANCH_PASSWORD", "hunter2hunter2");
    let ran = harness::Ran::of("drift", command.output().unwrap()).ends(6);
    assert!(!ran.to_string().contains("no credentials"), "{ran}");
    assert!(!ran.to_string().contains("hunter2hunter2"), "{ran}");
}

#[test]
fn metrics_are_what_prometheus_reads_and_last() {
    let project = Project::of_example("quickstart");
    let applied = project.run("apply -auto-approve -metrics-into=apply.prom").ends(0);
    applied.says("Apply complete");
    let text = fs::read_to_string(project.path().join("apply.prom")).unwrap();
    assert!(text.contains("wgform_apply_last_success_timestamp_seconds "), "{text}");
    assert_read_by_prometheus(&["check", "metrics"], &text);

    let drift = "drift -metrics-into=wgform.prom";
    project.run(drift).ends(0);
    let first = metrics(&project);
    assert_read_by_prometheus(&["check", "metrics"], &first);
    assert!(first.contains("wgform_drift_objects{backend=\"hq\",class=\"gone\"} 0\n"), "{first}");
    let mode = fs::metadata(project.path().join("wgform.prom")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    let success = |text: &str| {
        let name = "wgform_drift_last_success_timestamp_seconds ";
        text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
    };
    assert!(success(&first).is_some());

    project.enter("hq").delete_link("wg0").unwrap();
    project.run(drift).ends(2);
    let text = metrics(&project);
    assert!(text.contains("wgform_drift_objects{backend=\"hq\",class=\"gone\"} 2\n"), "{text}");
    assert_read_by_prometheus(&["check", "metrics"], &text);
    let second = success(&text);

    // A run that fails says so, and keeps when the last one succeeded.
    project.configure("peer \"x\" {\n");
    project.run(drift).ends(1);
    let failed = metrics(&project);
    assert!(failed.contains("wgform_drift_exit_code 1\n"), "{failed}");
    assert_eq!(success(&failed), second);
    assert_read_by_prometheus(&["check", "metrics"], &failed);
    let names = project.names();
    assert!(names.iter().all(|it| !it.contains(".tmp")), "{names:?}");
    project.run("drift -metrics-into=nowhere/x.prom").ends(1).tells("could not write the metrics");
}

#[test]
fn metrics_tell_of_clocks_and_of_the_last_apply() {
    let project = Project::of_example("three-backends");
    let before = harness::now().as_second();
    project.run("apply -auto-approve").ends(0);
    devices::router(&project, "branch").set_clock_slow_by(600).unwrap();
    let ran = project.run("drift -metrics-into=wgform.prom").ends(0);
    ran.tells("router with a wrong clock").tells("its clock is 10 min behind ours").tells("NTP");
    let value = |text: &str, name: &str| -> Option<f64> {
        text.lines().find_map(|it| it.strip_prefix(name)?.trim().parse().ok())
    };
    let text = metrics(&project);
    assert_read_by_prometheus(&["check", "metrics"], &text);
    let skew = |backend: &str| {
        value(&text, &format!("wgform_backend_clock_skew_seconds{{backend=\"{backend}\"}} "))
    };
    assert!(skew("branch").is_some_and(|it| (-603.0..-598.0).contains(&it)), "{text}");
    assert!(skew("office").is_some_and(|it| it.abs() < 3.0), "{text}");
    // The hub is simulated by this process, and has our clock.
    assert_eq!(skew("hub"), None);
    let applied_at = "wgform_state_applied_timestamp_seconds ";
    let applied = value(&text, applied_at).unwrap();
    assert!((applied - before as f64).abs() < 300.0, "{text}");

    // What writes the state and is no apply changes nothing of it, and neither does an apply that fails.
    project.run("hold interface.hub -for=1h -reason=test").ends(0);
    project.run("hold -release interface.hub").ends(0);
    project.edit("descr     = \"WG_HUB\"", "descr     = \"WG_HUB2\"");
    let rules = project.path().join(".wgform/simulated/office.faults.json");
    fs::write(rules, r#"[{"method": "PATCH", "fault": {"html": 500}}]"#).unwrap();
    project.run("apply -auto-approve");
    project.run("drift -from-state -metrics-into=wgform.prom");
    assert_eq!(value(&metrics(&project), applied_at), Some(applied), "{}", metrics(&project));
}

#[test]
fn the_rules_of_the_example_are_what_prometheus_reads() {
    let rules = examples().join("drift-cron/rules.yml");
    assert_read_by_prometheus(&["check", "rules", rules.to_str().unwrap()], "");
    assert!(Path::new(&rules).exists());
}

#[test]
fn a_known_drift_is_known_to_the_state_too() {
    let project = Project::of_example("quickstart");
    project.run("apply -auto-approve").ends(0);
    let configuration = fs::read_to_string(project.path().join("main.wg.hcl")).unwrap();
    project.configure(&format!(
        "{configuration}\nknown_drift \"addresses\" {{\n  targets    = [interface.hq]\n  \
         attributes = [addresses, routes]\n  reason     = \"CHG-1\"\n  expires_at = \"2100-01-01T00:00:00Z\"\n}}\n"
    ));
    project.run("apply -auto-approve").ends(0).says("No changes");
    let addresses = project.host("hq")["links"]["wg0"]["addresses"].clone();
    let address = addresses[0].as_str().unwrap().parse().unwrap();
    project.enter("hq").delete_address("wg0", address).unwrap();
    project.run("drift").ends(0).says("Known drift").says("CHG-1").says("But for what is known");
    without_configuration(&project);
    project.run("drift -from-state").ends(0).says("Known drift").says("CHG-1");
}
