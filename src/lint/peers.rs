//! What the peers of one interface have of each other: networks inside networks, and ways to everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::rule::{
    IPV6_THROUGH_SMALL_MTU, OVERLAPPING_ALLOWED_IPS, TWO_DEFAULT_ROUTES,
};
use crate::network::{Interface, Network, Peer, Said, said, span};
use crate::resource::{Address, Field};
use crate::value::Prefix;

/// The smallest packet that IPv6 has to get through.
const IPV6_PACKET: u32 = 1280;

/// A network and the peer that has it.
type Held<'n, 'd> = (Prefix, &'n Peer<'d>);

/// Looks at the peers of one interface.
pub(super) fn of_an_interface(
    network: &Network<'_>,
    interface: &Interface<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let active = || network.peers_of(interface).filter(|peer| peer.is_active);
    let held = active().flat_map(|peer| peer.allowed_ips().map(move |prefix| (*prefix, peer)));
    let (wide, mut narrow): (Vec<_>, Vec<_>) = held.partition(|(prefix, _)| prefix.length() < 2);
    default_routes(interface, &wide, found);
    narrow.sort_by_key(|(prefix, _)| *prefix);
    overlaps(&narrow, found);
    let ipv6 = wide.iter().chain(&narrow).find(|(prefix, _)| is_v6(prefix));
    if let Some((prefix, peer)) = ipv6 {
        found.extend(small_mtu(interface, *prefix, peer));
    }
}

/// Reports each network that lies in one of another peer. They are sorted, so that what may hold one comes before it: as
/// many comparisons as a path from a wide network to a narrow one is long, however many peers there are.
fn overlaps(sorted: &[Held<'_, '_>], found: &mut Vec<Diagnostic>) {
    let mut around: Vec<Held<'_, '_>> = Vec::new();
    for (prefix, peer) in sorted {
        while around.last().is_some_and(|(outer, _)| !outer.contains(prefix)) {
            around.pop();
        }
        if around.last().is_some_and(|(outer, _)| outer == prefix) {
            // Of the same network on two peers it is said elsewhere that it cannot be.
            continue;
        }
        let is_other = |held: &&Held<'_, '_>| held.1.wanted.address != peer.wanted.address;
        if let Some((outer, other)) = around.iter().rev().find(is_other) {
            found.push(overlap((*prefix, peer), (*outer, other)));
        }
        around.push((*prefix, peer));
    }
}

fn overlap((inner, peer): Held<'_, '_>, (outer, other): Held<'_, '_>) -> Diagnostic {
    let (name, other_name) = (&peer.wanted.address, &other.wanted.address);
    Diagnostic::warning("overlapping allowed IPs")
        .rule(&OVERLAPPING_ALLOWED_IPS)
        .label(span(peer.wanted, "allowed_ips"), format!("`{inner}` of `{name}` lies in it"))
        .label(span(other.wanted, "allowed_ips"), format!("`{outer}` of `{other_name}`"))
        .help(format!(
            "What is for `{inner}` goes to `{name}`, and the rest of `{outer}` to `{other_name}`. Make one of them smaller, or \
             silence this where it is meant."
        ))
}

/// Reports peers that share what is to go everywhere.
fn default_routes(interface: &Interface<'_>, wide: &[Held<'_, '_>], found: &mut Vec<Diagnostic>) {
    // One half alone is a large network and no more.
    let mut halves: BTreeMap<(&Address, bool), BTreeSet<Prefix>> = BTreeMap::new();
    for (prefix, peer) in wide.iter().filter(|(prefix, _)| !prefix.is_default()) {
        halves.entry((&peer.wanted.address, is_v6(prefix))).or_default().insert(*prefix);
    }
    let is_default = |(prefix, peer): &&Held<'_, '_>| {
        let halves = || halves.get(&(&peer.wanted.address, is_v6(prefix)));
        prefix.is_default() || halves().is_some_and(|halves| halves.len() == 2)
    };
    let mut defaults = wide.iter().filter(is_default);
    let Some((first, peer)) = defaults.next() else { return };
    let mut seen = BTreeSet::from([&peer.wanted.address]);
    for (prefix, other) in defaults.filter(|(prefix, _)| prefix != first) {
        if !seen.insert(&other.wanted.address) {
            continue;
        }
        let text =
            |prefix: &Prefix, peer: &Peer<'_>| format!("`{}` has `{prefix}`", peer.wanted.address);
        found.push(
            Diagnostic::warning("two peers with a default route")
                .rule(&TWO_DEFAULT_ROUTES)
                .label(span(other.wanted, "allowed_ips"), text(prefix, other))
                .label(span(peer.wanted, "allowed_ips"), text(first, peer))
                .help(format!(
                    "A part of what goes out of `{}` takes another way than the rest. Take the default route from one of the \
                     two, or give each an interface of its own.",
                    interface.wanted.address
                )),
        );
    }
}

fn small_mtu(interface: &Interface<'_>, prefix: Prefix, peer: &Peer<'_>) -> Option<Diagnostic> {
    let Said::Value(Field::Number(mtu)) = said(interface.wanted, "mtu") else { return None };
    (*mtu < IPV6_PACKET).then(|| {
        Diagnostic::warning("small MTU in front of an IPv6 network")
            .rule(&IPV6_THROUGH_SMALL_MTU)
            .label(
                span(peer.wanted, "allowed_ips"),
                format!("`{prefix}` of `{}`", peer.wanted.address),
            )
            .label(span(interface.wanted, "mtu"), "no packet of IPv6 is sure to fit into this")
            .help("Set `mtu = 1280` or more, or remove the IPv6 networks.")
    })
}

fn is_v6(prefix: &Prefix) -> bool {
    matches!(prefix.address(), IpAddr::V6(_))
}
