//! What the two ends of a link have to have of each other.

use crate::diagnostic::Diagnostic;
use crate::diagnostic::rule::{
    DIALLED_WITHOUT_FIXED_PORT, MISSING_KEEPALIVE, ONE_SIDED_LINK, ONE_SIDED_PRESHARED_KEY,
    UNREACHABLE_PAIR,
};
use crate::network::{Interface, Network, Peer, Said, said, span};
use crate::resource::{Address, Field};
use crate::value::PresharedKey;

/// Looks at every link, and at every peer that should be an end of one.
pub(super) fn all(network: &Network<'_>, found: &mut Vec<Diagnostic>) {
    for (one, other) in network.pairs().filter(|(one, other)| one.is_active && other.is_active) {
        match (one.dials(), other.dials()) {
            (false, false) => found.push(unreachable(one, other)),
            (true, false) => found.extend(no_keepalive(one, other)),
            (false, true) => found.extend(no_keepalive(other, one)),
            (true, true) => {}
        }
        found.extend(preshared_keys(one, other));
    }
    for peer in network.peers.iter().filter(|peer| peer.is_active) {
        let far = peer.far.filter(|far| *far != peer.on);
        let Some(far) = far.and_then(|far| network.interfaces.get(far)) else { continue };
        found.extend(not_answered(network, peer, far));
        found.extend(port_of_the_device(peer, far));
    }
}

/// Both wait.
fn unreachable(one: &Peer<'_>, other: &Peer<'_>) -> Diagnostic {
    let text = |peer: &Peer<'_>, of: &Peer<'_>| {
        let what = if said(peer.wanted, "endpoint") == Said::Nothing {
            "has no `endpoint`"
        } else {
            "is a `responder`"
        };
        format!("`{}` {what}, and waits for `{}`", peer.wanted.address, of.wanted.address)
    };
    Diagnostic::error("pair of peers that can never meet")
        .rule(&UNREACHABLE_PAIR)
        .label(&one.wanted.span, text(one, other))
        .label(&other.wanted.span, text(other, one))
        .help(format!(
            "Give one of the two an `endpoint`: where the far end listens. If something else than wgform tells one of them, \
             write above it:\n\n  # wgform:ignore={}",
            UNREACHABLE_PAIR.code
        ))
}

/// One end dials, and neither keeps the way open.
fn no_keepalive(dialer: &Peer<'_>, other: &Peer<'_>) -> Option<Diagnostic> {
    if dialer.keeps_alive() || other.keeps_alive() {
        return None;
    }
    let (dialing, waiting) = (&dialer.wanted.address, &other.wanted.address);
    Some(
        Diagnostic::warning("link that nothing keeps open")
            .rule(&MISSING_KEEPALIVE)
            .label(&dialer.wanted.span, format!("only `{dialing}` dials, and it is silent while it is idle"))
            .label(&other.wanted.span, format!("`{waiting}` cannot dial"))
            .help(format!(
                "Set `persistent_keepalive = \"25s\"` in `{dialing}`, so that `{waiting}` can reach it at any time."
            )),
    )
}

/// The pre-shared key of one end.
enum Secret<'d> {
    None,
    Named(&'d Address),
    Value(&'d PresharedKey),
    Unknown,
}

impl<'d> Secret<'d> {
    fn of(peer: &Peer<'d>) -> Self {
        if let Some(named) = peer.wanted.references.get("preshared_key") {
            return Self::Named(named);
        }
        match said(peer.wanted, "preshared_key") {
            Said::Nothing | Said::Value(Field::PresharedKey(None)) => Self::None,
            Said::Value(Field::PresharedKey(Some(key))) => Self::Value(key),
            _ => Self::Unknown,
        }
    }
}

fn preshared_keys(one: &Peer<'_>, other: &Peer<'_>) -> Option<Diagnostic> {
    let has = |peer: &Peer<'_>| format!("`{}` has one", peer.wanted.address);
    let lacks = |peer: &Peer<'_>| format!("`{}` has none", peer.wanted.address);
    let (text, of_other) = match (Secret::of(one), Secret::of(other)) {
        (Secret::None, Secret::Named(_) | Secret::Value(_)) => (lacks(one), has(other)),
        (Secret::Named(_) | Secret::Value(_), Secret::None) => (has(one), lacks(other)),
        (Secret::Named(key), Secret::Named(of_other)) if key != of_other => {
            let text = |peer: &Peer<'_>, key| format!("`{}` has `{key}`", peer.wanted.address);
            (text(one, key), text(other, of_other))
        }
        (Secret::Value(key), Secret::Value(of_other)) if key != of_other => {
            (has(one), format!("`{}` has another one", other.wanted.address))
        }
        _ => return None,
    };
    Some(
        Diagnostic::warning("link with a pre-shared key at one end")
            .rule(&ONE_SIDED_PRESHARED_KEY)
            .label(span(one.wanted, "preshared_key"), text)
            .label(span(other.wanted, "preshared_key"), of_other)
            .help("Let both ends name one: `preshared_key = preshared_key.NAME`."),
    )
}

/// A peer whose far end has no peer for it. A peer there that may be it makes that uncertain.
fn not_answered(network: &Network<'_>, peer: &Peer<'_>, far: &Interface<'_>) -> Option<Diagnostic> {
    let own = network.interface_of(peer)?;
    // A written key may be the one that the device has made.
    let may_be_stranger = far.has_stranger && !own.has_known_key;
    if network.other_end(peer).is_some() || far.has_open_peer || may_be_stranger {
        return None;
    }
    let (name, on, far) = (&peer.wanted.address, peer.on, &far.wanted.address);
    Some(
        Diagnostic::warning("link that only one end knows")
            .rule(&ONE_SIDED_LINK)
            .label(span(peer.wanted, "public_key"), format!("`{name}` is `{far}` for `{on}`"))
            .label(
                &network.interfaces.get(far)?.wanted.span,
                format!("`{far}` has no peer for `{on}`"),
            )
            .help(format!(
                "Declare a `peer` with `interface = {far}` and `public_key = {on}.public_key`."
            )),
    )
}

/// A peer that dials a port which is the device's choice. An endpoint that refers to the port follows it, and is not known.
fn port_of_the_device(peer: &Peer<'_>, far: &Interface<'_>) -> Option<Diagnostic> {
    let Said::Value(Field::Endpoint(endpoint)) = said(peer.wanted, "endpoint") else { return None };
    if said(far.wanted, "listen_port") != Said::Nothing || !far.is_up {
        return None;
    }
    let (name, far_name) = (&peer.wanted.address, &far.wanted.address);
    Some(
        Diagnostic::warning("endpoint on a port that the device chooses")
            .rule(&DIALLED_WITHOUT_FIXED_PORT)
            .label(span(peer.wanted, "endpoint"), format!("`{name}` dials `{far_name}` here"))
            .label(&far.wanted.span, format!("`{far_name}` has no `listen_port`"))
            .help(format!("Set `listen_port = {}` in `{far_name}`.", endpoint.port)),
    )
}
