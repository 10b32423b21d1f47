//! `-parallelism`: how many hosts are written to at once.

use std::num::NonZeroUsize;

use crate::lab::Lab;
use crate::secrets::LINK;

/// So many hosts with an interface each, and a link to the next one.
fn chain(hosts: usize) -> String {
    let mut text = String::new();
    for host in 0..hosts {
        let next = (host + 1) % hosts;
        text += &format!(
            "backend \"local\" \"h{host}\" {{\n  simulate = true\n}}\n\
             interface \"i{host}\" {{\n  backend = backend.h{host}\n  name = \"wg0\"\n}}\n\
             peer \"p{host}\" {{\n  interface = interface.i{host}\n  public_key = interface.i{next}.public_key\n  \
             allowed_ips = [\"10.0.{host}.0/24\"]\n}}\n"
        );
    }
    text
}

fn at_pace(text: &str, parallelism: usize) -> Lab {
    let mut lab = Lab::new(text);
    lab.parallelism = NonZeroUsize::new(parallelism).unwrap();
    lab
}

#[test]
fn so_many_hosts_are_written_to_at_once_and_no_more() {
    for (parallelism, expected) in [(1, 1), (2, 2), (3, 3), (10, 4)] {
        let lab = at_pace(&chain(4), parallelism);
        assert_eq!(lab.apply_and_watch(), expected, "{parallelism}");
        lab.assert_settled();
    }
}

#[test]
fn what_waits_for_another_host_still_waits() {
    // The branch's peer needs the key that the hub's interface gets, and a secret that both hold.
    let lab = at_pace(LINK, 10);
    assert_eq!(lab.apply_and_watch(), 2);
    lab.assert_settled();
    let one = at_pace(LINK, 1);
    one.apply();
    assert_eq!(lab.state_text(), one.state_text());
}

#[test]
fn a_host_that_fails_takes_only_what_needs_it_along() {
    let mut lab = at_pace(&chain(4), 10);
    lab.traits("h1").breaks_at = Some(0);
    let said = lab.apply();
    assert!(said.contains("Apply done in part."), "{said}");
    assert!(said.contains("interface.i3: created") && said.contains("peer.p2: created"), "{said}");
    assert!(said.contains("  peer.p0, because of interface.i1\n"), "{said}");
    lab.traits("h1").breaks_at = None;
    lab.settle();
}
