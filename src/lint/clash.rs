//! What two resources cannot both have. A plan says the same of what only devices know, in the same words.

use std::collections::BTreeMap;

use crate::config::{Desired, own_public_key};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::rule::{
    DUPLICATE_ALLOWED_IP, DUPLICATE_PUBLIC_KEY, LISTEN_PORT_CLASH, SHARED_INTERFACE_KEY,
};
use crate::network::{Kinds, Network, Said, said, span};
use crate::resource::{Address, BackendId, BackendKind, Field};
use crate::value::{Prefix, PublicKey};

/// Reports ports that two interfaces of one backend listen on, and keys that two interfaces have.
pub(super) fn between_interfaces(network: &Network<'_>, found: &mut Vec<Diagnostic>) {
    let mut ports: BTreeMap<(&BackendId, u32), &Desired> = BTreeMap::new();
    let mut keys: BTreeMap<PublicKey, &Desired> = BTreeMap::new();
    for interface in network.interfaces.values() {
        let wanted = interface.wanted;
        if let (Some(key), true) = (interface.key, interface.has_known_key)
            && let Some(other) = keys.insert(key, wanted)
        {
            found.push(one_interface_key(wanted, other));
        }
        let (true, Some(backend)) = (interface.is_up, &wanted.backend) else { continue };
        let Said::Value(Field::Number(port)) = said(wanted, "listen_port") else { continue };
        if let Some(other) = ports.insert((backend, *port), wanted) {
            let text = format!("`{port}` on backend `{backend}`");
            found.push(one_listen_port((wanted, &text), (other, &text)));
        }
    }
}

fn one_interface_key(one: &Desired, other: &Desired) -> Diagnostic {
    let text = |it: &Desired| format!("`{}` has this key", it.address);
    Diagnostic::warning("two interfaces with one private key")
        .rule(&SHARED_INTERFACE_KEY)
        .label(span(one, "private_key"), text(one))
        .label(span(other, "private_key"), text(other))
        .help("Leave `private_key` out of one of the two, so that it gets a key of its own.")
}

/// Says that two interfaces of one host are on one port, with what is to be said of each.
pub fn one_listen_port(
    (one, text): (&Desired, &str),
    (other, of_other): (&Desired, &str),
) -> Diagnostic {
    Diagnostic::error("two interfaces with one listen port")
        .rule(&LISTEN_PORT_CLASH)
        .label(span(one, "listen_port"), text)
        .label(span(other, "listen_port"), of_other)
        .help("Two interfaces that are up cannot listen on one port. Give one of them another `listen_port`.")
}

/// Reports networks and keys that two peers have.
pub(super) fn between_peers(network: &Network<'_>, kinds: &Kinds, found: &mut Vec<Diagnostic>) {
    let mut keys = BTreeMap::new();
    let mut prefixes: BTreeMap<(&Address, Prefix), &Desired> = BTreeMap::new();
    for peer in &network.peers {
        let wanted = peer.wanted;
        if let Some(key) = peer.key {
            let backend = wanted.backend.as_ref();
            let is_firewall = backend.and_then(|it| kinds.get(it)) == Some(&BackendKind::PfSense);
            let scope = if is_firewall { Scope::Firewall(backend) } else { Scope::On(peer.on) };
            if let Some(other) = keys.insert((scope, key), wanted) {
                let key = match peer.far {
                    // It may be one that stands in for the device's.
                    Some(far) => format!("the key of `{far}`"),
                    None => format!("`{}`", key.short()),
                };
                found.push(one_public_key(wanted, other, &key, scope));
            }
            if peer.far == Some(peer.on) {
                found.push(own_public_key(span(wanted, "public_key"), peer.on));
            }
        }
        for prefix in peer.allowed_ips().filter(|_| peer.is_active) {
            if let Some(other) = prefixes.insert((peer.on, *prefix), wanted) {
                found.push(one_allowed_ip(wanted, other, *prefix, peer.on));
            }
        }
    }
}

/// Where a key may be there once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope<'a> {
    /// On an interface.
    On(&'a Address),
    /// On a whole firewall.
    Firewall(Option<&'a BackendId>),
}

/// Says that two peers have one key.
pub fn one_public_key(one: &Desired, other: &Desired, key: &str, scope: Scope<'_>) -> Diagnostic {
    let text = |it: &Desired| match scope {
        Scope::Firewall(Some(backend)) => {
            format!("`{}` has {key} on backend `{backend}`", it.address)
        }
        Scope::Firewall(None) => format!("`{}` has {key}", it.address),
        Scope::On(interface) => format!("`{}` has {key} on `{interface}`", it.address),
    };
    Diagnostic::error("two peers with one public key")
        .rule(&DUPLICATE_PUBLIC_KEY)
        .label(span(one, "public_key"), text(one))
        .label(span(other, "public_key"), text(other))
        .help(match scope {
            Scope::Firewall(_) => "A firewall knows a peer by its public key, whatever the tunnel. Give each peer its own.",
            Scope::On(_) => "WireGuard knows a peer by its public key. Give each peer of an interface its own.",
        })
}

/// Says that two peers have one network.
pub fn one_allowed_ip(one: &Desired, other: &Desired, prefix: Prefix, on: &Address) -> Diagnostic {
    let text = |it: &Desired| format!("`{}` has `{prefix}` on `{on}`", it.address);
    Diagnostic::error("two peers with one allowed IP")
        .rule(&DUPLICATE_ALLOWED_IP)
        .label(span(one, "allowed_ips"), text(one))
        .label(span(other, "allowed_ips"), text(other))
        .help("WireGuard routes a network to one peer only. Remove it from one of the two.")
}
