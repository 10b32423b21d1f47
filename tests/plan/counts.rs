//! What can be done once for all peers is not done once for each: counted, since a test that takes the time lies.

use std::fmt::Write as _;

use crate::lab::Lab;

/// A host with two interfaces and so many peers on each, every second one with a pre-shared key of its own.
fn text(peers: usize) -> String {
    let mut text = "backend \"local\" \"hq\" {\n  simulate = true\n}\n".to_owned();
    for interface in ["a", "b"] {
        let _ = writeln!(text, "interface \"{interface}\" {{}}");
        for n in 0..peers {
            let name = format!("{interface}{n}");
            let secret = if n % 2 == 0 {
                let _ = writeln!(text, "preshared_key \"{name}\" {{}}");
                format!("preshared_key = preshared_key.{name}")
            } else {
                String::new()
            };
            let network = if interface == "a" { 10 } else { 11 };
            let _ = writeln!(
                text,
                "peer \"{name}\" {{\n  interface = interface.{interface}\n  public_key = \"«{name}»\"\n  \
                 allowed_ips = [\"{network}.0.{}.{}/32\"]\n  persistent_keepalive = \"25s\"\n  {secret}\n}}",
                n / 256,
                n % 256,
            );
        }
    }
    text
}

/// How often a host was read, and how often it was changed.
type Counts = (u64, u64);

/// Counts for a first apply, for a plan when nothing is to be done, and for a change of every peer.
fn counts(peers: usize) -> [Counts; 3] {
    let mut lab = Lab::new(&text(peers));
    let host = lab.host("hq").linux;
    let mut before = (host.reads(), host.changes());
    let mut since = || {
        let now = (host.reads(), host.changes());
        let counts = (now.0 - before.0, now.1 - before.1);
        before = now;
        counts
    };
    let report = lab.apply();
    assert!(report.contains("Apply complete."), "{report}");
    let made = since();
    lab.plan();
    let planned = since();
    lab.replace(&text(peers).replace("25s", "30s"));
    let report = lab.apply();
    assert!(report.contains(&format!("{} changed", 2 * peers)), "{report}");
    [made, planned, since()]
}

#[test]
fn a_host_is_asked_and_told_as_often_for_many_peers_as_for_few() {
    assert_eq!(counts(4), counts(100));
}
