//! Which objects of a backend a draft takes up, and which it leaves alone, with the reason.
//!
//! What could not be taken over without a change, or without a problem that the device has and a configuration may not
//! have, is left alone: two peers with one allowed IP, two interfaces with one port.

use std::collections::{BTreeMap, BTreeSet};

use crate::actual::{FoundInterface, FoundPeer, Stranger};
use crate::config::{Desired, Wanted};
use crate::draft::Question;
use crate::draft::written::{Written, written};
use crate::render::count;
use crate::resource::pattern::in_shell;
use crate::resource::{Address, BackendKind, Field, Kind};
use crate::state::ObjectKey;
use crate::value::{Prefix, PublicKey};

/// What a draft takes up, and what not.
#[derive(Default)]
pub(super) struct Choice<'a> {
    pub(super) interfaces: Vec<Interface<'a>>,
    /// How many objects have an owner.
    pub(super) owned: usize,
    pub(super) left_alone: Vec<Stranger>,
}

/// An interface that is taken up, or that has peers which are.
pub(super) struct Interface<'a> {
    pub(super) name: &'a str,
    pub(super) found: &'a FoundInterface,
    pub(super) place: Place<'a>,
    pub(super) peers: Vec<Peer<'a>>,
}

/// Where an interface is declared.
pub(super) enum Place<'a> {
    /// In the draft, with these attributes.
    New(Written),
    /// In the configuration.
    Declared(&'a Address),
}

/// A peer that is taken up.
pub(super) struct Peer<'a> {
    pub(super) key: PublicKey,
    pub(super) found: &'a FoundPeer,
    pub(super) written: Written,
}

/// Who has what is on the backend.
struct Holders<'a> {
    /// By the state.
    owned: BTreeMap<&'a str, &'a Address>,
    owned_peers: BTreeMap<(&'a str, PublicKey), &'a Address>,
    /// By the configuration, and not yet by the state.
    declared: BTreeMap<String, &'a Address>,
    declared_peers: BTreeMap<(&'a Address, PublicKey), &'a Address>,
}

impl<'a> Holders<'a> {
    fn of(question: &Question<'a>) -> Self {
        let mut holders = Self {
            owned: BTreeMap::new(),
            owned_peers: BTreeMap::new(),
            declared: BTreeMap::new(),
            declared_peers: BTreeMap::new(),
        };
        for (address, record) in question.state.resources.iter().filter(|(_, it)| !it.is_gone) {
            let own = record.backend.as_ref().map(|backend| (backend, &record.object));
            let deposed = record.deposed.iter().map(|it| (&it.backend, &it.object));
            for (_, object) in
                own.into_iter().chain(deposed).filter(|(on, _)| *on == question.backend)
            {
                holders.own(address, object);
            }
        }
        let state = &question.state.resources;
        for desired in question.desired.iter().filter(|it| !state.contains_key(&it.address)) {
            holders.declare(desired, question);
        }
        holders
    }

    fn own(&mut self, address: &'a Address, object: &'a ObjectKey) {
        match object {
            ObjectKey::Interface { name, .. } => _ = self.owned.insert(name, address),
            ObjectKey::Peer { interface, public_key } => {
                let key = public_key.parse().ok();
                self.owned_peers.extend(key.map(|key| ((interface.as_str(), key), address)));
            }
            ObjectKey::PresharedKey {} => {}
        }
    }

    fn declare(&mut self, desired: &'a Desired, question: &Question<'a>) {
        let known = |name: &str| desired.fields.get(name).and_then(Wanted::known);
        if desired.backend.as_ref() != Some(question.backend) {
            return;
        }
        let on = desired.references.get("interface");
        match (desired.address.kind, known("name"), known("public_key"), on) {
            (Kind::Interface, Some(Field::Text(name)), ..) => {
                self.declared.insert(name.clone(), &desired.address);
            }
            // A firewall gives names of its own.
            (Kind::Interface, ..) if question.picture.kind == BackendKind::PfSense => {}
            (Kind::Interface, ..) => {
                self.declared.insert(desired.address.default_name(), &desired.address);
            }
            (Kind::Peer, _, Some(Field::PublicKey(key)), Some(on)) => {
                self.declared_peers.insert((on, *key), &desired.address);
            }
            _ => {}
        }
    }
}

/// Chooses.
pub(super) fn choose<'a>(question: &Question<'a>) -> Choice<'a> {
    let holders = Holders::of(question);
    let mut choice = Choice::default();
    choice.left_alone.clone_from(&question.picture.strangers);
    let busy = busy_ports(question);
    for (name, found) in &question.picture.interfaces {
        match place(question, &holders, &busy, name, found) {
            Ok(place) => {
                choice.owned += usize::from(holders.owned.contains_key(name.as_str()));
                choice.leave_declared(&holders, name);
                choice.interfaces.push(Interface { name, found, place, peers: Vec::new() });
            }
            Err(why) => choice.leave_interface(&holders, name, found, why),
        }
    }
    let twins = twins(question);
    let mut interfaces = std::mem::take(&mut choice.interfaces);
    for interface in &mut interfaces {
        interface.peers = peers(&holders, &twins, interface, question.picture.kind, &mut choice);
    }
    interfaces.retain(|it| matches!(it.place, Place::New(_)) || !it.peers.is_empty());
    choice.interfaces = interfaces;
    choice
}

impl Choice<'_> {
    fn leave(&mut self, what: String, why: impl Into<String>) {
        self.left_alone.push(Stranger::new(what, why));
    }

    /// Leaves an interface and its peers, apart from what has an owner, which is only counted.
    fn leave_interface(
        &mut self,
        holders: &Holders<'_>,
        name: &str,
        found: &FoundInterface,
        why: String,
    ) {
        let is_owned = holders.owned.contains_key(name);
        let owned = |key: &&PublicKey| holders.owned_peers.contains_key(&(name, **key));
        let owned_peers = found.peers.keys().filter(owned).count();
        self.owned += usize::from(is_owned) + owned_peers;
        let what = match (is_owned, found.peers.len() - owned_peers) {
            (true, 0) => return,
            (true, peers) => format!("{} on `{name}`", count(peers, "peer")),
            (false, 0) => format!("interface `{name}`"),
            (false, peers) => format!("interface `{name}` with {}", count(peers, "peer")),
        };
        self.leave(what, why);
    }

    fn leave_declared(&mut self, holders: &Holders<'_>, name: &str) {
        let declared = holders.declared.get(name);
        if let Some(address) = declared.filter(|_| !holders.owned.contains_key(name)) {
            self.leave(
                format!("interface `{name}`"),
                format!(
                    "`{address}` declares it: `wgform import {} {}` takes it over",
                    address.in_shell(),
                    in_shell(name)
                ),
            );
        }
    }
}

/// Says where an interface is declared, or is to be.
///
/// # Errors
/// Why it is left alone.
fn place<'a>(
    question: &Question<'a>,
    holders: &Holders<'a>,
    busy: &BTreeMap<u32, Vec<&'a str>>,
    name: &'a str,
    found: &'a FoundInterface,
) -> Result<Place<'a>, String> {
    if let Some(owner) = holders.owned.get(name).or_else(|| holders.declared.get(name)) {
        return match (question.declared.contains(*owner), owner.module().is_empty()) {
            (true, true) => Ok(Place::Declared(owner)),
            (true, false) => {
                Err(format!("`{owner}` is in a module, and only there its peers can be declared"))
            }
            (false, _) => Err(format!("it belongs to `{owner}`, which has no block any more")),
        };
    }
    if !found.fields.contains_key("public_key") {
        return Err("it has no private key, and is known by nothing".to_owned());
    }
    if let (Some(port), true) = (port(found), is_enabled(found))
        && let Some(other) = busy[&port].iter().find(|other| **other != name)
    {
        return Err(format!("it listens on port {port}, as `{other}` does"));
    }
    let mut fields = found.fields.clone();
    fields.insert("name", Field::Text(name.to_owned()));
    written(Kind::Interface, question.picture.kind, &fields).map(Place::New)
}

/// Returns which interfaces that are up have a port.
fn busy_ports<'a>(question: &Question<'a>) -> BTreeMap<u32, Vec<&'a str>> {
    let mut busy: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for (name, found) in question.picture.interfaces.iter().filter(|(_, it)| is_enabled(it)) {
        if let Some(port) = port(found) {
            busy.entry(port).or_default().push(name);
        }
    }
    busy
}

fn port(found: &FoundInterface) -> Option<u32> {
    match found.fields.get("listen_port") {
        Some(Field::Number(port)) => Some(*port),
        _ => None,
    }
}

fn is_enabled(found: &FoundInterface) -> bool {
    found.fields.get("enabled") != Some(&Field::Bool(false))
}

/// Returns the keys that a firewall has on more than one tunnel, where it should have each once.
fn twins(question: &Question<'_>) -> BTreeSet<PublicKey> {
    let mut seen = BTreeSet::new();
    let all = question.picture.interfaces.values().flat_map(|it| it.peers.keys());
    let again = all.filter(|key| !seen.insert(**key)).copied();
    match question.picture.kind {
        BackendKind::PfSense => again.collect(),
        _ => BTreeSet::new(),
    }
}

/// Chooses among the peers of an interface.
fn peers<'a>(
    holders: &Holders<'a>,
    twins: &BTreeSet<PublicKey>,
    interface: &Interface<'a>,
    kind: BackendKind,
    choice: &mut Choice<'a>,
) -> Vec<Peer<'a>> {
    let Interface { name, found: on, place, .. } = interface;
    let own = on.fields.get("public_key");
    let mut left: BTreeMap<PublicKey, String> = BTreeMap::new();
    let mut taken = Vec::new();
    for (key, found) in &on.peers {
        if holders.owned_peers.contains_key(&(*name, *key)) {
            choice.owned += 1;
            continue;
        }
        let declared = match place {
            Place::Declared(address) => holders.declared_peers.get(&(*address, *key)),
            Place::New(_) => None,
        };
        let chosen = match declared {
            Some(address) => Err(format!(
                "`{address}` declares it: `wgform import {} {}` takes it over",
                address.in_shell(),
                in_shell(&format!("{name}/{key}"))
            )),
            None if found.fields.is_empty() => {
                Err("it is there twice, or cannot be read".to_owned())
            }
            None if own == Some(&Field::PublicKey(*key)) => {
                Err(format!("it has the key of `{name}` itself"))
            }
            None if twins.contains(key) => Err("another tunnel has it, too".to_owned()),
            None => written(Kind::Peer, kind, &found.fields),
        };
        match chosen {
            Ok(written) => taken.push(Peer { key: *key, found, written }),
            Err(why) => _ = left.insert(*key, why),
        }
    }
    let owned = |key: &PublicKey| holders.owned_peers.contains_key(&(*name, *key));
    leave_rivals(on, &owned, &mut left);
    taken.retain(|peer| !left.contains_key(&peer.key));
    for (key, why) in left {
        choice.leave(called(name, &key, &on.peers[&key]), why);
    }
    taken
}

/// Leaves alone each peer that has an allowed IP in common with one that is left alone, or with any other: a configuration
/// routes a network to one peer only. Those that are disabled are routed nothing.
fn leave_rivals(
    on: &FoundInterface,
    is_owned: &dyn Fn(&PublicKey) -> bool,
    left: &mut BTreeMap<PublicKey, String>,
) {
    let mut of: BTreeMap<Prefix, Vec<PublicKey>> = BTreeMap::new();
    for (key, found) in &on.peers {
        prefixes(found).for_each(|prefix| of.entry(*prefix).or_default().push(*key));
    }
    let is_up = |key: &PublicKey| on.peers[key].fields.get("enabled") != Some(&Field::Bool(false));
    let mut rivals: Vec<(PublicKey, Prefix)> = Vec::new();
    for (prefix, keys) in &of {
        let up: Vec<_> = keys.iter().filter(|key| is_up(key)).collect();
        if up.len() > 1 {
            rivals.extend(up.into_iter().map(|key| (*key, *prefix)));
        }
    }
    let held = left.keys().copied().collect::<Vec<_>>();
    rivals
        .extend(held.iter().flat_map(|key| rivals_of(on, &of, key)).filter(|(key, _)| is_up(key)));
    while let Some((key, prefix)) = rivals.pop() {
        if is_owned(&key) || left.contains_key(&key) {
            continue;
        }
        left.insert(key, format!("another peer has `{prefix}`, too, which only one can have"));
        rivals.extend(rivals_of(on, &of, &key).into_iter().filter(|(key, _)| is_up(key)));
    }
}

/// Returns the peers that have an allowed IP of this one.
fn rivals_of(
    on: &FoundInterface,
    of: &BTreeMap<Prefix, Vec<PublicKey>>,
    key: &PublicKey,
) -> Vec<(PublicKey, Prefix)> {
    let pairs = prefixes(&on.peers[key]).flat_map(|it| of[it].iter().map(|other| (*other, *it)));
    pairs.filter(|(other, _)| other != key).collect()
}

fn prefixes(found: &FoundPeer) -> impl Iterator<Item = &Prefix> {
    let all = match found.fields.get("allowed_ips") {
        Some(Field::Prefixes(all)) => Some(all),
        _ => None,
    };
    all.into_iter().flatten()
}

/// Names a peer for a person.
fn called(interface: &str, key: &PublicKey, found: &FoundPeer) -> String {
    let text = |name: &str| match found.fields.get(name) {
        Some(Field::Text(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let name = text("name").or_else(|| text("description")).or_else(|| found.called.clone());
    match name {
        Some(name) => format!("peer `{name}` (`{}`) on `{interface}`", key.short()),
        None => format!("peer `{}` on `{interface}`", key.short()),
    }
}
