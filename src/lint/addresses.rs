//! What the peers of an interface have of its own addresses and networks.

use crate::diagnostic::Diagnostic;
use crate::diagnostic::rule::{ADDRESS_OUTSIDE_NETWORKS, OWN_ADDRESS};
use crate::network::{Interface, Network, Peer, Said, said, span};
use crate::resource::Field;
use crate::value::{Cidr, Prefix};

/// Looks at the peers of one interface, where its addresses are known.
pub(super) fn of_an_interface(
    network: &Network<'_>,
    interface: &Interface<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let Some(addresses) = interface.addresses() else { return };
    // A single address says nothing of where the others are.
    let networks: Vec<Prefix> =
        addresses.iter().map(Cidr::prefix).filter(|it| !is_single(it)).collect();
    for peer in network.peers_of(interface).filter(|peer| peer.is_active) {
        for prefix in peer.allowed_ips().filter(|it| is_single(it)) {
            if addresses.iter().any(|own| own.address() == prefix.address()) {
                found.push(own_address(interface, peer, prefix));
            }
        }
        found.extend(outside(interface, peer, &networks));
        found.extend(client_outside(interface, peer, &networks));
    }
}

fn own_address(interface: &Interface<'_>, peer: &Peer<'_>, prefix: &Prefix) -> Diagnostic {
    Diagnostic::warning("allowed IP that is the interface's own address")
        .rule(&OWN_ADDRESS)
        .label(
            span(peer.wanted, "allowed_ips"),
            format!("`{prefix}` of `{}` is an address of `{}`", peer.wanted.address, peer.on),
        )
        .label(at_addresses(interface), "it is here")
        .help(
            "Write the address of the far end. What is for an own address never enters the tunnel.",
        )
}

/// Finds a far end that no network of the interface has. One that has anything in a network is at home there, whatever
/// else is behind it.
fn outside(interface: &Interface<'_>, peer: &Peer<'_>, networks: &[Prefix]) -> Option<Diagnostic> {
    let of_family = |prefix: &Prefix| networks.iter().find(|it| is_one_family(it, prefix)).copied();
    let is_in = |prefix: &Prefix| {
        networks.iter().any(|network| network.contains(prefix) || prefix.contains(network))
    };
    let is_stranger = |single: &&Prefix| {
        of_family(single).is_some()
            && !peer.allowed_ips().any(|it| is_one_family(it, single) && is_in(it))
    };
    let single = peer.allowed_ips().filter(|it| is_single(it)).find(is_stranger)?;
    let text = format!("`{single}` of `{}` is in no network of `{}`", peer.wanted.address, peer.on);
    Some(
        stranger(interface, of_family(single)?)
            .label(span(peer.wanted, "allowed_ips"), text)
            .label(at_addresses(interface), "its networks are these"),
    )
}

/// The same of the address that the far end is told to take.
fn client_outside(
    interface: &Interface<'_>,
    peer: &Peer<'_>,
    networks: &[Prefix],
) -> Option<Diagnostic> {
    let addresses: Vec<Prefix> = match said(peer.wanted, "client_address") {
        Said::Value(Field::Addresses(set)) => set.iter().map(single).collect::<Option<_>>()?,
        Said::Value(Field::Prefixes(set)) => set.iter().copied().collect(),
        _ => return None,
    };
    let of_family = |prefix: &Prefix| networks.iter().find(|it| is_one_family(it, prefix)).copied();
    let is_stranger = |address: &&Prefix| {
        of_family(address).is_some() && !networks.iter().any(|network| network.contains(address))
    };
    let address = addresses.iter().find(is_stranger)?;
    let shown = address.address();
    let text = format!("`{shown}` of `{}` is in no network of `{}`", peer.wanted.address, peer.on);
    Some(
        stranger(interface, of_family(address)?)
            .label(span(peer.wanted, "client_address"), text)
            .label(at_addresses(interface), "its networks are these"),
    )
}

fn stranger(interface: &Interface<'_>, network: Prefix) -> Diagnostic {
    let name = &interface.wanted.address;
    Diagnostic::warning("address outside the networks of the interface")
        .rule(&ADDRESS_OUTSIDE_NETWORKS)
        .help(format!(
            "Give the far end an address in `{network}`, or add an address in the network of the far end to `{name}`."
        ))
}

fn at_addresses<'d>(interface: &Interface<'d>) -> &'d crate::diagnostic::Span {
    let is_written = |name: &&str| interface.wanted.spans.contains_key(*name);
    let name = ["addresses", "assign_addresses"].into_iter().find(|it| is_written(it));
    span(interface.wanted, name.unwrap_or_default())
}

/// Returns an address without its network.
fn single(address: &Cidr) -> Option<Prefix> {
    let address = address.address();
    Prefix::new(address, if address.is_ipv4() { 32 } else { 128 }).ok()
}

fn is_single(prefix: &Prefix) -> bool {
    prefix.length() == if prefix.address().is_ipv4() { 32 } else { 128 }
}

fn is_one_family(one: &Prefix, other: &Prefix) -> bool {
    one.address().is_ipv4() == other.address().is_ipv4()
}
