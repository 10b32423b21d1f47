//! How everything in a draft is called, and which interface a peer is.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Wanted;
use crate::draft::choice::{Interface, Peer, Place};
use crate::draft::{Form, Question, label};
use crate::resource::{Address, Field, Kind};
use crate::state::ObjectKey;
use crate::value::{Prefix, PublicKey};

/// How everything in a draft is called.
pub(super) struct Named {
    /// The address of each interface by its name, those of the configuration among them.
    pub(super) interfaces: BTreeMap<String, Address>,
    /// The label of each peer, or its key in the map, by its interface and its public key.
    pub(super) peers: BTreeMap<(String, PublicKey), String>,
    /// The label of the block and the name of the local for the map of an interface.
    pub(super) maps: BTreeMap<String, (String, String)>,
    /// Which interface has a public key.
    keys: BTreeMap<PublicKey, Address>,
    /// The peers that wait for a far end that waits for them.
    pub(super) waiting: BTreeSet<(String, PublicKey)>,
}

impl Named {
    pub(super) fn of(question: &Question<'_>, all: &[Interface<'_>]) -> Self {
        let taken = |kind: Kind| -> BTreeSet<String> {
            let root =
                question.declared.iter().filter(|it| it.kind == kind && it.module().is_empty());
            root.map(|it| it.label.to_string()).collect()
        };
        let new: Vec<_> = all.iter().filter(|it| matches!(it.place, Place::New(_))).collect();
        let wanted: Vec<_> = new.iter().map(|it| label_of_interface(it.name)).collect();
        let labels = label::unique(&wanted, &taken(Kind::Interface));
        let addresses = labels.into_iter().map(|label| Address::root(Kind::Interface, label));
        let mut interfaces: BTreeMap<_, _> =
            new.iter().map(|it| it.name.to_owned()).zip(addresses).collect();
        for interface in all {
            if let Place::Declared(address) = interface.place {
                interfaces.insert(interface.name.to_owned(), address.clone());
            }
        }
        let keys = keys(question, all, &interfaces);
        let waiting = waiting(question, all, &interfaces, &keys);
        let (peers, maps) = (BTreeMap::new(), BTreeMap::new());
        let mut named = Self { interfaces, peers, maps, keys, waiting };
        named.name_peers(question, all, &taken(Kind::Peer));
        named
    }

    fn name_peers(
        &mut self,
        question: &Question<'_>,
        all: &[Interface<'_>],
        taken: &BTreeSet<String>,
    ) {
        // A block stands among all others, a peer in a map among those of its interface.
        let is_in_map = |on: &Interface<'_>, peer: &Peer<'_>| {
            question.form == Form::Map && self.key_of(on, peer).is_none()
        };
        let mut blocks: Vec<(&str, &Peer<'_>)> = Vec::new();
        let mut entries: Vec<(&str, Vec<&Peer<'_>>)> = Vec::new();
        for on in all {
            let (inside, outside): (Vec<_>, Vec<_>) =
                on.peers.iter().partition(|peer| is_in_map(on, peer));
            blocks.extend(outside.into_iter().map(|peer| (on.name, peer)));
            if !inside.is_empty() {
                entries.push((on.name, inside));
            }
        }
        // The blocks of maps are called as their interfaces, and come first.
        let label = |name: &str| self.interfaces[name].label.to_string();
        let maps: Vec<String> = entries.iter().map(|(name, _)| label(name)).collect();
        let of_peers = blocks.iter().map(|(name, peer)| label_of_peer(&label(name), peer));
        let wanted: Vec<String> = maps.iter().cloned().chain(of_peers).collect();
        let mut labels = label::unique(&wanted, taken).into_iter();
        let map_labels: Vec<_> = labels.by_ref().take(maps.len()).collect();
        let wanted: Vec<_> =
            map_labels.iter().map(|it| format!("{}_peers", it.replace('-', "_"))).collect();
        let locals = label::unique(&wanted, question.locals);
        let mut peers: BTreeMap<(String, PublicKey), String> = BTreeMap::new();
        peers.extend(
            blocks.iter().zip(labels).map(|((on, peer), it)| (((*on).to_owned(), peer.key), it)),
        );
        for (on, inside) in &entries {
            let on_label = label(on);
            let wanted: Vec<_> = inside.iter().map(|peer| label_of_peer(&on_label, peer)).collect();
            let keys = label::unique(&wanted, &BTreeSet::new());
            peers.extend(
                inside.iter().zip(keys).map(|(peer, it)| (((*on).to_owned(), peer.key), it)),
            );
        }
        let names = entries.iter().map(|(on, _)| (*on).to_owned());
        self.maps = names.zip(map_labels.into_iter().zip(locals)).collect();
        self.peers = peers;
    }

    /// Returns the interface whose key a peer has.
    pub(super) fn key_of(&self, on: &Interface<'_>, peer: &Peer<'_>) -> Option<&Address> {
        self.keys.get(&peer.key).filter(|it| **it != self.interfaces[on.name])
    }
}

/// Finds the interfaces that have a public key: those of the draft, and those that the configuration has.
fn keys(
    question: &Question<'_>,
    all: &[Interface<'_>],
    interfaces: &BTreeMap<String, Address>,
) -> BTreeMap<PublicKey, Address> {
    let mut keys = BTreeMap::new();
    for (address, record) in &question.state.resources {
        let is_there = question.declared.contains(address) && address.module().is_empty();
        if let (ObjectKey::Interface { public_key, .. }, true) = (&record.object, is_there)
            && let Ok(key) = public_key.parse()
        {
            keys.insert(key, address.clone());
        }
    }
    for desired in question.desired.iter().filter(|it| it.address.module().is_empty()) {
        let key = desired.fields.get("private_key").and_then(Wanted::known);
        if let (Some(Field::PrivateKey(key)), Kind::Interface) = (key, desired.address.kind) {
            keys.entry(key.public()).or_insert_with(|| desired.address.clone());
        }
    }
    for interface in all {
        if let Some(Field::PublicKey(key)) = interface.found.fields.get("public_key") {
            keys.entry(*key).or_insert_with(|| interfaces[interface.name].clone());
        }
    }
    keys
}

/// Finds the peers whose far end is an interface that waits for them as they wait for it.
fn waiting(
    question: &Question<'_>,
    all: &[Interface<'_>],
    interfaces: &BTreeMap<String, Address>,
    keys: &BTreeMap<PublicKey, Address>,
) -> BTreeSet<(String, PublicKey)> {
    // By the interface that a peer is on, and its key.
    let mut waits: BTreeSet<(&Address, PublicKey)> = BTreeSet::new();
    for desired in question.desired {
        let field = |name: &str| desired.fields.get(name).and_then(Wanted::known);
        if let (Some(on), Some(Field::PublicKey(key))) =
            (desired.references.get("interface"), field("public_key"))
            && !dials(desired.fields.contains_key("endpoint"), field("responder"))
        {
            waits.insert((on, *key));
        }
    }
    let mut new = Vec::new();
    for on in all {
        let Some(Field::PublicKey(own)) = on.found.fields.get("public_key") else { continue };
        for peer in on.peers.iter().filter(|it| keys.contains_key(&it.key)) {
            let fields = &peer.written.fields;
            if !dials(fields.contains_key("endpoint"), fields.get("responder")) {
                waits.insert((&interfaces[on.name], peer.key));
                new.push((on.name, *own, peer.key));
            }
        }
    }
    let is_waited_for = |own: PublicKey, far: PublicKey| waits.contains(&(&keys[&far], own));
    let mutual = new.into_iter().filter(|(_, own, far)| is_waited_for(*own, *far));
    mutual.map(|(on, _, far)| (on.to_owned(), far)).collect()
}

/// Returns whether a peer may send the first packet.
fn dials(has_endpoint: bool, responder: Option<&Field>) -> bool {
    has_endpoint && responder != Some(&Field::Bool(true))
}

fn label_of_interface(name: &str) -> String {
    label::of(name, "interface").unwrap_or_else(|| "interface".to_owned())
}

/// Makes a label of what people call a peer; else of its interface and its address; else of its key.
fn label_of_peer(on: &str, peer: &Peer<'_>) -> String {
    let text = |name: &str| match peer.found.fields.get(name) {
        Some(Field::Text(text)) => label::of(text, "peer"),
        _ => None,
    };
    let given = text("name").or_else(|| label::of(peer.found.called.as_deref()?, "peer"));
    let given = given.or_else(|| text("description"));
    let address = || {
        let Some(Field::Prefixes(all)) = peer.found.fields.get("allowed_ips") else { return None };
        let is_host = |it: &&Prefix| it.length() == if it.address().is_ipv4() { 32 } else { 128 };
        let prefix = all.iter().find(is_host).or_else(|| all.iter().find(|it| !it.is_default()))?;
        label::of(&format!("{on} {}", prefix.address()), "peer")
    };
    let key = || {
        let letters = peer.key.to_string();
        let letters: String = letters.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        format!("{on}_{letters}")
    };
    given.or_else(address).unwrap_or_else(key)
}
