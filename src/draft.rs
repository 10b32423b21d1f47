//! A configuration of what is on a backend: HCL, with an `import` block for each object, and a list of what is left alone.
//!
//! Once its imports are done, a plan finds nothing to change: what cannot be written so is left alone. No secret is
//! written; what is not written of one stays as the device holds it. The same device gives the same text, whatever the
//! order of its rows. Nothing here asks a device or writes a file.

mod choice;
mod hcl;
mod label;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use crate::actual::{Picture, Stranger};
use crate::config::vocabulary::{ASSIGN_ATTRIBUTES, CLIENT_ATTRIBUTES};
use crate::config::{Desired, Wanted};
use crate::draft::choice::{Interface, Peer, Place, choose};
use crate::draft::written::Written;
use crate::format::formatted;
use crate::persist::{Style, is_ours, makes_interface};
use crate::resource::{Address, BackendId, Field, Kind, declaration};
use crate::state::{ObjectKey, State};
use crate::value::{Prefix, PublicKey};

/// How the peers of an interface are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// A block for each.
    #[default]
    Blocks,
    /// One map of all, and one block with `for_each`.
    Map,
}

/// What a draft is made from.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Of which backend.
    pub backend: &'a BackendId,
    /// Whether an interface that names no backend goes there.
    pub is_default: bool,
    /// What is on it.
    pub picture: &'a Picture,
    /// What has an owner.
    pub state: &'a State,
    /// What the configuration declares, as far as that can be said.
    pub desired: &'a [Desired],
    /// Everything that has a block.
    pub declared: &'a BTreeSet<Address>,
    /// The names that locals have.
    pub locals: &'a BTreeSet<String>,
    /// How peers are written.
    pub form: Form,
}

/// A draft.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// The configuration; empty when there is nothing to take up.
    pub text: String,
    /// How many interfaces are in it.
    pub interfaces: usize,
    /// How many peers are in it.
    pub peers: usize,
    /// How many objects on the backend have an owner.
    pub owned: usize,
    /// What else is on the backend, and why it is not in the draft.
    pub left_alone: Vec<Stranger>,
}

/// Drafts a configuration of what nobody owns.
pub fn draft(question: &Question<'_>) -> Draft {
    let mut choice = choose(question);
    let named = Named::of(question, &choice.interfaces);
    let mut writer =
        Writer { question, named: &named, blocks: String::new(), imports: String::new() };
    let mut draft =
        Draft { owned: choice.owned, left_alone: choice.left_alone, ..Draft::default() };
    for interface in &mut choice.interfaces {
        interface.peers.sort_by_key(|peer| named.peers.get(&(interface.name.to_owned(), peer.key)));
        draft.interfaces += usize::from(matches!(interface.place, Place::New(_)));
        draft.peers += interface.peers.len();
        writer.interface(interface);
        match question.form {
            Form::Blocks => interface.peers.iter().for_each(|peer| writer.peer(interface, peer)),
            Form::Map => writer.map(interface),
        }
        draft.left_alone.extend(left_out(interface));
    }
    if draft.interfaces + draft.peers > 0 {
        draft.text = writer.finish();
    }
    draft
}

/// Says which attributes stay on the device, because no configuration can have them as they are.
fn left_out(interface: &Interface<'_>) -> Vec<Stranger> {
    let own = match &interface.place {
        Place::New(written) => written.left_out.as_slice(),
        Place::Declared(_) => &[],
    };
    let name = interface.name;
    let own = own.iter().map(|it| (it, format!("interface `{name}`")));
    let of_peers = interface.peers.iter().flat_map(|peer| {
        let of = move |it| (it, format!("peer `{}` on `{name}`", peer.key.short()));
        peer.written.left_out.iter().map(of)
    });
    let all = own.chain(of_peers);
    all.map(|((name, why), of)| Stranger::new(format!("`{name}` of {of}"), why.clone())).collect()
}

/// How everything in a draft is called.
struct Named {
    /// The address of each interface by its name, those of the configuration among them.
    interfaces: BTreeMap<String, Address>,
    /// The label of each peer, or its key in the map, by its interface and its public key.
    peers: BTreeMap<(String, PublicKey), String>,
    /// The label of the block and the name of the local for the map of an interface.
    maps: BTreeMap<String, (String, String)>,
    /// Which interface has a public key.
    keys: BTreeMap<PublicKey, Address>,
}

impl Named {
    fn of(question: &Question<'_>, all: &[Interface<'_>]) -> Self {
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
        let mut named = Self { interfaces, peers: BTreeMap::new(), maps: BTreeMap::new(), keys };
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
    fn key_of(&self, on: &Interface<'_>, peer: &Peer<'_>) -> Option<&Address> {
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

/// Writes a draft.
struct Writer<'a> {
    question: &'a Question<'a>,
    named: &'a Named,
    blocks: String,
    imports: String,
}

impl Writer<'_> {
    fn finish(self) -> String {
        let is_linux = !self.question.picture.kind.keeps_configuration();
        let may_roam = match is_linux && self.blocks.contains("\nendpoint = ") {
            true => hcl::comment(
                "An `endpoint` may be where a peer roamed to: it can go where the peer is the one who calls.",
            ),
            false => String::new(),
        };
        let head = hcl::comment(&format!(
            "What was on backend `{}`, by `wgform import -all`. Secrets are left as the device holds them.",
            self.question.backend
        ));
        let imports =
            hcl::comment("Once an apply has taken everything over, the `import` blocks can go.");
        let text = format!("{head}{may_roam}{}\n{imports}{}", self.blocks, self.imports);
        // One that cannot be laid out is as good, if less pretty.
        formatted(&text).unwrap_or(text)
    }

    fn import(&mut self, to: &str, id: &str) {
        self.imports += &format!("\nimport {{\nto = {to}\nid = {}\n}}\n", hcl::quoted(id));
    }

    fn interface(&mut self, interface: &Interface<'_>) {
        let Place::New(Written { fields, .. }) = &interface.place else { return };
        let address = &self.named.interfaces[interface.name];
        let mut lines = Vec::new();
        if !self.question.is_default {
            lines.push(format!("backend = backend.{}", self.question.backend));
        }
        let mut assign = Vec::new();
        for attribute in declaration::attributes(Kind::Interface) {
            let field = fields.get(attribute.name);
            let is_label = attribute.name == "name" && *interface.name == *address.label;
            let Some(value) = field.and_then(hcl::value).filter(|_| !is_label) else { continue };
            match ASSIGN_ATTRIBUTES.iter().find(|(_, flat)| *flat == attribute.name) {
                Some((name, _)) => assign.push(format!("{name} = {value}")),
                None => lines.push(format!("{} = {value}", attribute.name)),
            }
        }
        lines.extend(self.persist(interface.name));
        let block = block("assign", assign);
        self.block(&format!("interface {}", hcl::quoted(&address.label)), lines, &block);
        self.import(&address.to_string(), interface.name);
    }

    /// Says what brings an interface back at boot, so that no plan has to ask.
    fn persist(&self, name: &str) -> Option<String> {
        let picture = self.question.picture;
        let is_in_namespace = picture.identity.id.contains("#netns=");
        let boot = picture.boot.as_ref().filter(|_| !is_in_namespace)?;
        let own = Style::ALL.into_iter().find(|style| {
            let mut files = style.paths(name).into_iter().filter_map(|it| {
                boot.files.get_key_value(&it).map(|(path, file)| (path.clone(), file))
            });
            files.any(|(path, file)| is_ours(&path, &file.text))
        });
        if let Some(style) = own {
            return Some(format!("persist = {}", hcl::quoted(style.word())));
        }
        let foreign =
            boot.files.iter().find(|(path, file)| makes_interface(path, &file.text, name));
        let comment = match foreign {
            Some((path, _)) => hcl::comment(&format!(
                "`{}` brings it back at boot. \"wg-quick\" or \"networkd\" would write it anew, and keep it up to date.",
                path.display()
            )),
            None => hcl::comment(
                "Nothing brings it back when the host boots. \"wg-quick\" or \"networkd\" would.",
            ),
        };
        Some(format!("{comment}persist = \"none\""))
    }

    fn peer(&mut self, on: &Interface<'_>, peer: &Peer<'_>) {
        let label = &self.named.peers[&(on.name.to_owned(), peer.key)];
        let mut lines = vec![
            format!("interface = {}", self.named.interfaces[on.name]),
            format!("public_key = {}", self.public_key(on, peer)),
        ];
        let mut client = Vec::new();
        for (name, value) in attributes(peer) {
            match CLIENT_ATTRIBUTES.iter().find(|(_, flat)| *flat == name) {
                Some((name, _)) => client.push(format!("{name} = {value}")),
                None if name == "name" && value == hcl::quoted(label) => {}
                None => lines.push(format!("{name} = {value}")),
            }
        }
        let client = block("client", client);
        self.block(&format!("peer {}", hcl::quoted(label)), lines, &client);
        let id = format!("{}/{}", on.name, peer.key);
        self.import(&format!("peer.{label}"), &id);
    }

    /// Returns the key as it is written: one of an interface that is known is not repeated.
    fn public_key(&self, on: &Interface<'_>, peer: &Peer<'_>) -> String {
        match self.named.key_of(on, peer) {
            Some(interface) => format!("{interface}.public_key"),
            None => hcl::quoted(&peer.key.to_string()),
        }
    }

    /// Writes the peers of an interface as one map and one block.
    fn map(&mut self, on: &Interface<'_>) {
        let (inside, outside): (Vec<_>, Vec<_>) =
            on.peers.iter().partition(|peer| self.named.key_of(on, peer).is_none());
        if let Some((label, local)) = self.named.maps.get(on.name) {
            // What all of them are called on the device is not said twice.
            let key_of =
                |peer: &Peer<'_>| hcl::quoted(&self.named.peers[&(on.name.to_owned(), peer.key)]);
            let has_its_key = |peer: &&Peer<'_>| {
                let mut all = attributes(peer);
                all.any(|(name, value)| name == "name" && value == key_of(peer))
            };
            let all_have = inside.iter().all(has_its_key);
            let is_by_key = |name: &&str| all_have && *name == "name";
            let mut entries = Vec::new();
            // How many peers have an attribute, in the order in which a block has them.
            let mut counts: BTreeMap<usize, (&str, usize)> = BTreeMap::new();
            for peer in &inside {
                let mut lines = vec![format!("public_key = {}", self.public_key(on, peer))];
                for (name, value) in attributes(peer).filter(|(name, _)| !is_by_key(name)) {
                    let place =
                        declaration::attributes(Kind::Peer).iter().position(|it| it.name == name);
                    counts.entry(place.unwrap_or_default()).or_insert((name, 0)).1 += 1;
                    lines.push(format!("{name} = {value}"));
                }
                entries.push((key_of(peer), lines.join("\n")));
            }
            entries.sort();
            let entries =
                entries.into_iter().map(|(key, lines)| format!("{key} = {{\n{lines}\n}}\n"));
            let map = format!("{local} = {{\n{}}}", entries.collect::<String>());
            self.block("locals", vec![map], "");
            let mut lines = vec![
                format!("for_each = local.{local}\n"),
                format!("interface = {}", self.named.interfaces[on.name]),
                "public_key = each.value.public_key".to_owned(),
            ];
            lines.extend(all_have.then(|| "name = each.key".to_owned()));
            lines.extend(counts.into_values().map(|(name, count)| match count == inside.len() {
                true => format!("{name} = each.value.{name}"),
                false => format!("{name} = try(each.value.{name}, null)"),
            }));
            self.block(&format!("peer {}", hcl::quoted(label)), lines, "");
            let name = hcl::quoted(on.name);
            let name = &name[1..name.len() - 1];
            self.imports += &format!(
                "\nimport {{\nfor_each = local.{local}\n\nto = peer.{label}[each.key]\nid = \"{name}/${{each.value.public_key}}\"\n}}\n"
            );
        }
        outside.into_iter().for_each(|peer| self.peer(on, peer));
    }

    fn block(&mut self, head: &str, lines: Vec<String>, inner: &str) {
        let inner = if inner.is_empty() { String::new() } else { format!("\n{inner}") };
        self.blocks += &format!("\n{head} {{\n{}\n{inner}}}\n", lines.join("\n"));
    }
}

/// Returns what is written of a peer, in the order in which a plan shows it.
fn attributes<'a>(peer: &'a Peer<'_>) -> impl Iterator<Item = (&'static str, String)> + 'a {
    let all = declaration::attributes(Kind::Peer).iter();
    all.filter_map(|it| Some((it.name, hcl::value(peer.written.fields.get(it.name)?)?)))
}

/// Writes a block inside another one; nothing for an empty one.
fn block(name: &str, lines: Vec<String>) -> String {
    match lines.is_empty() {
        true => String::new(),
        false => format!("{name} {{\n{}\n}}\n", lines.join("\n")),
    }
}
