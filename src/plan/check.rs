//! Looks across resources: what is wanted twice, and what is on the devices without having been declared.

use std::collections::BTreeMap;
use std::path::Path;

use crate::actual::FoundPeer;
use crate::config::{Computed, Desired, Wanted, own_public_key};
use crate::diagnostic::{Diagnostic, Span};
use crate::lint::clash::{self, Scope};
use crate::plan::machine::HostId;
use crate::plan::recover::public_key;
use crate::plan::view::View;
use crate::plan::walk::interface::found_key;
use crate::plan::walk::{Fate, Node, Planner};
use crate::plan::{Refusal, UnmanagedPeer};
use crate::resource::{Address, BackendId, BackendKind, Field};
use crate::value::{Prefix, PublicKey};

/// Peers that nobody declared.
#[derive(Debug, Default)]
pub(crate) struct Unmanaged {
    /// They stay and are reported.
    pub(crate) stay: Vec<UnmanagedPeer>,
    /// They are removed, as `unmanaged_peers = "remove"` says.
    pub(crate) remove: Vec<UnmanagedPeer>,
}

/// Reports everything that two resources cannot both have.
pub(crate) fn across_resources(planner: &mut Planner<'_>) {
    let mut problems = Vec::new();
    interface_names_and_ports(planner, &mut problems);
    peers_of_each_interface(planner, &mut problems);
    planner.diagnostics.extend(problems);
}

fn interface_names_and_ports(planner: &Planner<'_>, problems: &mut Vec<Diagnostic>) {
    let mut names: BTreeMap<(HostId<'_>, &str), &Desired> = BTreeMap::new();
    let mut ports: BTreeMap<(HostId<'_>, u32), &Desired> = BTreeMap::new();
    let mut files: BTreeMap<&Path, Vec<(&BackendId, &Desired)>> = BTreeMap::new();
    for address in &planner.walked {
        let (node, desired) = (&planner.nodes[address], &planner.desired[address]);
        let (Some(on_device), Some(backend)) = (node.interface(), &node.backend) else { continue };
        let host = planner.host_of(backend);
        if let Some(path) = &on_device.key_file {
            let users = files.entry(path).or_default();
            // Two of one name have one file too, by default, and that is said below.
            let has_other_name = |other: &Desired| {
                let other = planner.nodes[&other.address].interface();
                other.is_none_or(|other| other.name != on_device.name)
            };
            if let Some((_, other)) = users.iter().find(|(on, other)| {
                planner.is_same_machine(on, backend)
                    && (planner.host_of(on) != host || has_other_name(other))
            }) {
                let text = format!("the key would be kept in `{}`", path.display());
                problems.push(
                    Diagnostic::error("two interfaces with one key file")
                        .label(span(desired, "key_file"), &text)
                        .label(span(other, "key_file"), &text)
                        .help("Give one of them another `key_file`."),
                );
            }
            users.push((backend, desired));
        }
        if let Some(other) = names.insert((host, &on_device.name), desired) {
            problems.push(one_name(planner, desired, other, &on_device.name));
        }
        let is_up = desired.fields.get("enabled") != Some(&Wanted::Known(Field::Bool(false)));
        let Some(port) = port_of(planner, desired).filter(|_| is_up) else { continue };
        if let Some(other) = ports.insert((host, port), desired) {
            problems.push(one_port(planner, desired, other, port));
        }
        if desired.fields.contains_key("listen_port") {
            foreign_port(planner, (desired, &on_device.name), backend, port, problems);
        }
    }
}

/// Returns the port that an interface is to have: the written one, or else the one that it has and keeps.
pub(crate) fn port_of(planner: &Planner<'_>, desired: &Desired) -> Option<u32> {
    let port = match desired.fields.get("listen_port") {
        Some(wanted) => wanted.known().cloned(),
        None => planner.known.computed(&desired.address, "listen_port"),
    };
    match port {
        Some(Field::Number(port)) if port != 0 => Some(port),
        _ => None,
    }
}

/// Says what an interface has, and where.
fn place(planner: &Planner<'_>, interface: &Desired, what: &str) -> String {
    let backend = planner.nodes[&interface.address].backend.as_ref();
    format!("`{what}` on backend `{}`", backend.map_or("", BackendId::as_str))
}

/// Says that two interfaces have one name, also two instances of one block.
fn one_name(planner: &Planner<'_>, desired: &Desired, other: &Desired, name: &str) -> Diagnostic {
    let problem = Diagnostic::error("two interfaces with one name");
    let (one, two) = (span(desired, "name"), span(other, "name"));
    if one == two {
        let (a, b) = (&desired.address, &other.address);
        return problem.label(one, format!("`{a}` and `{b}` are both `{name}`")).help(
            "Give each its own `name`: make it of `each.key`, or of a variable of the module.",
        );
    }
    problem
        .label(one, place(planner, desired, name))
        .label(two, place(planner, other, name))
        .help("Give one of them another `name`.")
}

fn one_port(planner: &Planner<'_>, one: &Desired, other: &Desired, port: u32) -> Diagnostic {
    let text = |it: &Desired| {
        let place = place(planner, it, &port.to_string());
        match it.fields.contains_key("listen_port") {
            true => place,
            false => format!("this has {place} now, and keeps it because it names no other"),
        }
    };
    clash::one_listen_port((one, &text(one)), (other, &text(other)))
}

/// An interface that wgform does not own and that is up on the wanted port would make the write fail.
fn foreign_port(
    planner: &Planner<'_>,
    (desired, wanted): (&Desired, &str),
    backend: &BackendId,
    port: u32,
    problems: &mut Vec<Diagnostic>,
) {
    let Some(picture) = planner.picture(backend) else { return };
    let own_key =
        planner.state.resources.get(&desired.address).and_then(|it| public_key(&it.object));
    // Of one that has the wanted name, or the key, it is said elsewhere how it is taken over.
    let foreign = picture.interfaces.iter().find(|(name, found)| {
        *name != wanted
            && (own_key.is_none() || found_key(Some(found)) != own_key)
            && planner.owners.interface(backend, name).is_none()
            && found.fields.get("listen_port") == Some(&Field::Number(port))
            && found.fields.get("enabled") == Some(&Field::Bool(true))
    });
    if let Some((name, _)) = foreign {
        problems.push(
            Diagnostic::error("listen port taken by another interface")
                .label(
                    span(desired, "listen_port"),
                    format!("`{name}` on backend `{backend}` listens on `{port}`"),
                )
                .help(format!("`{name}` is not managed by wgform. Choose another `listen_port`.")),
        );
    }
}

fn peers_of_each_interface(planner: &Planner<'_>, problems: &mut Vec<Diagnostic>) {
    let mut keys: BTreeMap<(Scope<'_>, PublicKey), &Desired> = BTreeMap::new();
    let mut prefixes: BTreeMap<(&Address, Prefix), &Desired> = BTreeMap::new();
    for address in &planner.walked {
        let (node, desired) = (&planner.nodes[address], &planner.desired[address]);
        let Some(peer) = node.peer() else { continue };
        if let Some(key) = peer.public_key {
            // On a firewall a key is there once, whatever the tunnel.
            let backend = node.backend.as_ref();
            let is_unique = planner.kind_of(backend) == BackendKind::PfSense;
            let scope = if is_unique { Scope::Firewall(backend) } else { Scope::On(&peer.on) };
            if let Some(other) = keys.insert((scope, key), desired) {
                let key = format!("`{}`", key.short());
                problems.push(clash::one_public_key(desired, other, &key, scope));
            }
            let own =
                planner.nodes.get(&peer.on).and_then(Node::interface).and_then(|it| it.key.public);
            if own == Some(key) {
                problems.push(own_public_key(span(desired, "public_key"), &peer.on));
            }
        }
        if !peer.is_enabled || node.fate == Fate::Pending {
            continue;
        }
        for prefix in wanted_prefixes(desired) {
            if let Some(other) = prefixes.insert((&peer.on, *prefix), desired) {
                problems.push(clash::one_allowed_ip(desired, other, *prefix, &peer.on));
            }
        }
    }
}

fn wanted_prefixes(desired: &Desired) -> impl Iterator<Item = &Prefix> {
    let prefixes = match desired.fields.get("allowed_ips") {
        Some(Wanted::Known(Field::Prefixes(prefixes))) => Some(prefixes),
        _ => None,
    };
    prefixes.into_iter().flatten()
}

/// Returns where an attribute is written; the head of the block where it is not.
pub(crate) fn span<'a>(desired: &'a Desired, attribute: &str) -> &'a Span {
    desired.spans.get(attribute).unwrap_or(&desired.span)
}

/// Finds the peers on interfaces of ours that nobody declared, and what is to become of them.
pub(crate) fn unmanaged(planner: &mut Planner<'_>, view: &View) -> Unmanaged {
    let mut unmanaged = Unmanaged::default();
    let (mut problems, mut refusals) = (Vec::new(), Vec::new());
    let mut wanted: BTreeMap<&Address, BTreeMap<Prefix, &Address>> = BTreeMap::new();
    for (address, node) in planner.nodes.iter().filter(|(address, _)| view.contains(address)) {
        let peer = node.peer().filter(|peer| peer.is_enabled && node.fate != Fate::Pending);
        let Some(peer) = peer else { continue };
        let prefixes = wanted_prefixes(&planner.desired[address]).map(|prefix| (*prefix, address));
        wanted.entry(&peer.on).or_default().extend(prefixes);
    }
    let none = BTreeMap::new();
    for (address, node) in planner.nodes.iter().filter(|(address, _)| view.contains(address)) {
        let Some(on_device) = node.interface().filter(|_| node.fate == Fate::Keep) else {
            continue;
        };
        let desired = &planner.desired[address];
        let policy = match desired.fields.get("unmanaged_peers") {
            Some(Wanted::Known(Field::Text(policy))) => policy.as_str(),
            _ => "warn",
        };
        let name = on_device.renamed_from().unwrap_or(&on_device.name);
        for (key, found) in unowned_peers(planner, node, name) {
            let peer = describe(address, node, name, key, found);
            let is_held = planner.holds.on_all_of(address).is_some();
            if policy == "remove" && !is_held {
                if let Some(owner) = planner.owners.peer(&peer.backend, name, key) {
                    refusals.push((owner.clone(), not_left_alone(owner, address)));
                    continue;
                }
                unmanaged.remove.push(peer);
                continue;
            }
            overlap(planner, wanted.get(address).unwrap_or(&none), key, found, &mut problems);
            if policy != "ignore" {
                unmanaged.stay.push(peer);
            }
        }
    }
    planner.diagnostics.extend(problems);
    planner.refusals.extend(refusals);
    unmanaged
}

/// A peer that is forgotten is one that nobody declared, and would go with the next apply.
fn not_left_alone(peer: &Address, interface: &Address) -> Refusal {
    Refusal {
        message: format!(
            "`{peer}` is to be left alone, and `{interface}` has `unmanaged_peers = \"remove\"`, which would remove it"
        ),
        hints: vec![
            "set `unmanaged_peers` to \"warn\" or \"ignore\"".to_owned(),
            "or let the `removed` block destroy it, without `destroy = false`".to_owned(),
        ],
    }
}

fn describe(
    address: &Address,
    node: &Node,
    name: &str,
    public_key: PublicKey,
    found: &FoundPeer,
) -> UnmanagedPeer {
    let local = BackendId::new(BackendId::LOCAL);
    described(address, node.backend.as_ref().unwrap_or(&local), name, public_key, found)
}

/// Says what there is to say of a peer that nobody declared.
pub(crate) fn described(
    interface: &Address,
    backend: &BackendId,
    name: &str,
    public_key: PublicKey,
    found: &FoundPeer,
) -> UnmanagedPeer {
    let allowed_ips = match found.fields.get("allowed_ips") {
        Some(Field::Prefixes(prefixes)) => prefixes.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    UnmanagedPeer {
        interface: interface.clone(),
        backend: backend.clone(),
        interface_name: name.to_owned(),
        public_key,
        allowed_ips,
        handshake_age: found.handshake_age,
    }
}

/// The kernel moves a network from one peer to another without a word; here a word is said first.
fn overlap(
    planner: &Planner<'_>,
    wanted: &BTreeMap<Prefix, &Address>,
    key: PublicKey,
    found: &FoundPeer,
    problems: &mut Vec<Diagnostic>,
) {
    let Some(Field::Prefixes(prefixes)) = found.fields.get("allowed_ips") else { return };
    for prefix in prefixes {
        let Some(address) = wanted.get(prefix) else { continue };
        let desired = &planner.desired[*address];
        problems.push(
            Diagnostic::error("allowed IP of an unmanaged peer")
                .label(span(desired, "allowed_ips"), format!("`{prefix}` is routed to peer `{key}` now"))
                .help(
                    "No block declares that peer, and it would lose the network. Declare and import it, remove it from \
                     the host, or set `unmanaged_peers = \"remove\"` on the interface.",
                ),
        );
    }
}

/// Returns the peers that are on an interface and belong to no resource, neither in the state nor in the configuration.
fn unowned_peers<'a>(
    planner: &'a Planner<'_>,
    node: &'a Node,
    name: &'a str,
) -> impl Iterator<Item = (PublicKey, &'a FoundPeer)> {
    let backend = node.backend.as_ref();
    let found = backend.and_then(|backend| planner.picture(backend)?.interfaces.get(name));
    let peers = found.map(|found| &found.peers).into_iter().flatten();
    peers.filter_map(move |(key, found)| {
        planner.peer_owner(backend?, name, *key).is_none().then_some((*key, found))
    })
}

/// An interface that is to go.
pub(crate) struct Doomed<'a> {
    pub(crate) address: &'a Address,
    /// What is to happen to it.
    pub(crate) verb: &'a str,
    /// Whether `force_destroy` is set.
    pub(crate) is_forced: bool,
}

/// Refuses to destroy an interface that has peers of somebody else, unless `force_destroy` says so; returns how many
/// there are.
pub(crate) fn guard_destroy(
    planner: &mut Planner<'_>,
    doomed: &Doomed<'_>,
    backend: &BackendId,
    name: &str,
) -> usize {
    let Doomed { address, verb, is_forced } = *doomed;
    let Some(found) = planner.picture(backend).and_then(|picture| picture.interfaces.get(name))
    else {
        return 0;
    };
    let is_foreign = |key: &&PublicKey| planner.peer_owner(backend, name, **key).is_none();
    let count = found.peers.keys().filter(is_foreign).count() + found.keyless;
    if count > 0 && !is_forced {
        planner.refuse(
            address,
            Refusal {
                message: format!(
                    "`{address}` would be {verb} with {count} peer{} that wgform does not manage",
                    if count == 1 { "" } else { "s" }
                ),
                hints: vec![format!(
                    "remove or import those peers, or set `force_destroy = true` on `{address}`{}",
                    if verb == "destroyed" { " and apply that first" } else { "" }
                )],
            },
        );
    }
    count
}
