//! The text of a draft.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::vocabulary::{ASSIGN_ATTRIBUTES, CLIENT_ATTRIBUTES};
use crate::draft::choice::{Interface, Peer, Place};
use crate::draft::named::Named;
use crate::draft::written::Written;
use crate::draft::{Question, hcl};
use crate::format::formatted;
use crate::persist::{Style, is_ours, makes_interface};
use crate::resource::{Field, Kind, declaration};
use crate::value::{Cidr, Prefix};

/// Writes a draft.
pub(super) struct Writer<'a> {
    question: &'a Question<'a>,
    named: &'a Named,
    blocks: String,
    imports: String,
}

impl<'a> Writer<'a> {
    pub(super) fn new(question: &'a Question<'a>, named: &'a Named) -> Self {
        Self { question, named, blocks: String::new(), imports: String::new() }
    }

    pub(super) fn finish(self) -> String {
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

    pub(super) fn interface(&mut self, interface: &Interface<'_>) {
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
        lines.extend(self.routes(interface));
        lines.extend(self.persist(interface.name));
        let block = block("assign", assign);
        self.block(&format!("interface {}", hcl::quoted(&address.label)), lines, &block);
        self.import(&address.to_string(), interface.name);
    }

    /// Says that there are routes, which are nobody's as long as nobody writes so.
    fn routes(&self, interface: &Interface<'_>) -> Option<String> {
        let allowed = interface.found.peers.values().filter_map(|it| it.fields.get("allowed_ips"));
        let networks: BTreeSet<_> = allowed.flat_map(prefixes).collect();
        let own = interface.found.fields.get("addresses").into_iter();
        let own: BTreeSet<_> = own.flat_map(prefixes).collect();
        let routes = self.question.picture.routing.all();
        let mut routes =
            routes.filter(|(_, found)| found.device.as_deref() == Some(interface.name));
        // The kernel makes one to the network of each address.
        let is_there = routes.any(|(it, _)| networks.contains(&it.to) && !own.contains(&it.to));
        let says = "The routes to it stay as they are: `routes = \"auto\"` would own one to each allowed IP of its peers.";
        is_there.then(|| hcl::comment(says).trim_end().to_owned())
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

    pub(super) fn peer(&mut self, on: &Interface<'_>, peer: &Peer<'_>) {
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
        let waits = self.named.waiting.contains(&(on.name.to_owned(), peer.key));
        let comment = match waits {
            true => hcl::comment(
                "wgform:ignore=unreachable-pair  neither end has an `endpoint` on the device",
            ),
            false => String::new(),
        };
        self.block(&format!("{comment}peer {}", hcl::quoted(label)), lines, &client);
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
    pub(super) fn map(&mut self, on: &Interface<'_>) {
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

/// Returns the networks of a set.
fn prefixes(field: &Field) -> Vec<Prefix> {
    match field {
        Field::Prefixes(set) => set.iter().copied().collect(),
        Field::Addresses(set) => set.iter().map(Cidr::prefix).collect(),
        _ => Vec::new(),
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
