//! The network as a drawing: a group for each backend, a box for each interface, a line for each link.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::BackendDeclaration;
use crate::network::{Interface, Network, Peer, Said, said};
use crate::render::graph::{Arrows, Drawing, Edge, Group, Node};
use crate::resource::{BackendId, Field};

/// More networks than this are counted at a line, and not listed.
const MAX_NETWORKS: usize = 4;

/// Draws a network. An arrow is at the end that is dialled; a link is faint that is disabled, pending or known at one end
/// only. Far ends that the configuration does not have stand in a group of their own.
pub fn topology(network: &Network<'_>, backends: &[BackendDeclaration]) -> Drawing {
    let mut groups: BTreeMap<Option<&BackendId>, Vec<Node>> = BTreeMap::new();
    for interface in network.interfaces.values() {
        let nodes = groups.entry(interface.wanted.backend.as_ref()).or_default();
        nodes.push(interface_node(interface));
    }
    let title = |id: &BackendId| match backends.iter().find(|it| it.id == *id) {
        Some(BackendDeclaration { display_name: Some(name), kind, .. }) => {
            format!("{name} ({})", kind.as_str())
        }
        Some(backend) => format!("backend.{id} ({})", backend.kind.as_str()),
        None => format!("backend.{id}"),
    };
    let groups = groups.into_iter().map(|(id, nodes)| Group { title: id.map(title), nodes });
    let mut drawing = Drawing { groups: groups.collect(), edges: Vec::new() };
    let mut drawn = BTreeSet::new();
    for (one, other) in network.pairs() {
        drawing.edges.push(link(one, other));
        drawn.extend([&one.wanted.address, &other.wanted.address]);
    }
    let mut outside: BTreeMap<String, Node> = BTreeMap::new();
    for peer in network.peers.iter().filter(|peer| !drawn.contains(&peer.wanted.address)) {
        let to = match peer.far {
            Some(far) => far.to_string(),
            None => {
                let node = outside_node(peer);
                let id = node.id.clone();
                outside.entry(id.clone()).or_insert(node);
                id
            }
        };
        drawing.edges.push(Edge {
            from: peer.on.to_string(),
            to,
            lines: vec![end(peer)],
            arrows: if peer.dials() { Arrows::Forward } else { Arrows::Back },
            is_faint: !peer.is_active || peer.far.is_some(),
        });
    }
    if !outside.is_empty() {
        let title = Some("outside of the configuration".to_owned());
        drawing.groups.push(Group { title, nodes: outside.into_values().collect() });
    }
    drawing
}

fn interface_node(interface: &Interface<'_>) -> Node {
    let id = interface.wanted.address.to_string();
    let mut lines = vec![id.clone()];
    if let Said::Value(Field::Text(name)) = said(interface.wanted, "name") {
        lines.push(name.clone());
    }
    lines.extend(interface.addresses().into_iter().flatten().map(|it| it.to_string()));
    if let Said::Value(Field::Number(port)) = said(interface.wanted, "listen_port") {
        lines.push(format!("port {port}"));
    }
    if !interface.is_up {
        lines.push("disabled".to_owned());
    }
    Node { id, lines, is_outside: false }
}

/// The same far end of several interfaces is one box, which its key tells.
fn outside_node(peer: &Peer<'_>) -> Node {
    let address = peer.wanted.address.to_string();
    let id = match peer.key {
        Some(key) => format!("outside {key}"),
        None => format!("outside {address}"),
    };
    Node { id, lines: vec![address], is_outside: true }
}

fn link(one: &Peer<'_>, other: &Peer<'_>) -> Edge {
    Edge {
        from: one.on.to_string(),
        to: other.on.to_string(),
        lines: vec![end(one), end(other)],
        arrows: match (one.dials(), other.dials()) {
            (false, false) => Arrows::None,
            (true, false) => Arrows::Forward,
            (false, true) => Arrows::Back,
            (true, true) => Arrows::Both,
        },
        is_faint: !(one.is_active && other.is_active),
    }
}

/// Says what one end sends to the other, and where that is.
fn end(peer: &Peer<'_>) -> String {
    let all: Vec<String> = peer.allowed_ips().map(ToString::to_string).collect();
    let mut text = format!("{}:", peer.wanted.address);
    match all.len().checked_sub(MAX_NETWORKS).filter(|more| *more > 0) {
        Some(more) => text += &format!(" {} and {more} more", all[..MAX_NETWORKS].join(", ")),
        None if all.is_empty() => text += " nothing that is known",
        None => text += &format!(" {}", all.join(", ")),
    }
    match said(peer.wanted, "endpoint") {
        Said::Value(Field::Endpoint(endpoint)) => text += &format!(" at {endpoint}"),
        Said::Nothing => {}
        _ => text += " at an endpoint known after apply",
    }
    text
}
