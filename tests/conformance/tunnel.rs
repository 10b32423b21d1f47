//! Two hosts with a wire between them, and packets that cross a tunnel.

#![expect(clippy::unwrap_used, reason = "tests")]

use wgform::backend::Act;
use wgform::resource::{Field, Fields};
use wgform::value::PublicKey;

use crate::conformance::bed::{
    Bed, addresses, create, create_peer, endpoint, keepalive, only, private, public, to,
    update_peer,
};
use crate::sandbox::{ping, sh};

/// Builds a tunnel between the namespaces `a` and `b` of [`two_hosts`](crate::sandbox::two_hosts), and changes other
/// peers while its session lives.
pub(crate) fn carries_packets((a, wga): (&Bed, &str), (b, wgb): (&Bed, &str)) {
    // The listener first: an initiator that finds nobody tries again after five seconds.
    let (key_a, key_b) = (private(1).public(), private(2).public());
    build(b, wgb, 2, "10.77.0.2/24", key_a, "10.77.0.1/32", "198.51.100.1:51820");
    build(a, wga, 1, "10.77.0.1/24", key_b, "10.77.0.2/32", "198.51.100.2:51820");
    ping("a", "10.77.0.2");
    let before = a.peer(wga, &key_b);
    assert!(before.has_session());
    assert!(before.received > 0 && before.sent > 0);
    let shown = sh(&format!("ip netns exec a wg show {wga} latest-handshakes"));
    assert!(shown.contains(&key_b.to_string()), "{shown}");
    assert!(a.read().identity.id.ends_with("#netns=a"));
    assert_ne!(a.read().identity.id, b.read().identity.id);
    assert_eq!(b.read().interfaces.keys().collect::<Vec<_>>(), [wgb]);
    // Another peer comes and changes; the interface gets another address; this peer gets a network more.
    let more =
        Field::Prefixes(["10.77.0.2/32", "10.78.0.0/16"].map(|it| it.parse().unwrap()).into());
    for act in [
        create_peer(public(9), only(&["10.99.0.0/16"])),
        update_peer(public(9), to("persistent_keepalive", keepalive("9s"))),
        update_peer(key_b, to("allowed_ips", more)),
    ] {
        a.done(on(wga, act));
    }
    let after = a.peer(wga, &key_b);
    // No new handshake was needed: its age went on, and so do the counters.
    assert!(after.has_session() && after.handshake_age >= before.handshake_age);
    assert!(after.received >= before.received && after.sent >= before.sent);
    ping("a", "10.77.0.2");
    assert!(a.peer(wga, &key_b).received > before.received);
}

fn build(
    bed: &Bed,
    name: &str,
    number: u32,
    address: &str,
    peer: PublicKey,
    allowed: &str,
    far_end: &str,
) {
    let fields = Fields::from([
        ("listen_port", Field::Number(51_820)),
        ("addresses", addresses(&[address])),
    ]);
    bed.done(create(name, &private(number), fields));
    let mut fields = only(&[allowed]);
    fields.insert("endpoint", endpoint(far_end));
    bed.done(on(name, create_peer(peer, fields)));
}

/// Turns an act on a peer of `wg0` into the same on another interface.
fn on(name: &str, act: Act) -> Act {
    let interface = name.to_owned();
    match act {
        Act::CreatePeer { interface: _, public_key, replaces, fields } => {
            Act::CreatePeer { interface, public_key, replaces, fields }
        }
        Act::UpdatePeer { interface: _, public_key, settings, wanted } => {
            Act::UpdatePeer { interface, public_key, settings, wanted }
        }
        other => other,
    }
}
