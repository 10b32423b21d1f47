//! What brings an interface back at boot: what there should be, what there is, and whether it is ours.
//!
//! Files are compared as text, which [`crate::persist`] makes of what is wanted and of the keys that the device holds. The
//! state remembers a fingerprint of what was written, so that a change by hand is told from one of the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value as Json, json};

use crate::actual::{Actual, Boot, HostFile, Picture, Reading};
use crate::config::{Desired, Wanted};
use crate::diagnostic::Diagnostic;
use crate::persist::{self, Outside, Style};
use crate::plan::check::span;
use crate::plan::routes::recorded_interface;
use crate::plan::view::View;
use crate::plan::walk::{Fate, Node, Planner};
use crate::plan::{BackendView, KeySource, PersistedPeers, WantedRoutes};
use crate::resource::{Address, BackendId, Field, Fields, Kind, declaration};
use crate::state::{ObjectKey, ResourceRecord, State};
use crate::value::{FingerprintKey, PresharedKey, PrivateKey, PublicKey};

/// The name under which a state remembers what was written.
pub(crate) const PERSISTED: &str = ResourceRecord::PERSISTED;

/// The attributes of an interface that come back with it.
const OF_INTERFACE: [&str; 11] = [
    "listen_port",
    "addresses",
    "mtu",
    "fwmark",
    "enabled",
    "dns",
    "dns_search",
    "pre_up",
    "post_up",
    "pre_down",
    "post_down",
];
/// The attributes of a peer that come back with it.
const OF_PEER: [&str; 3] = ["allowed_ips", "endpoint", "persistent_keepalive"];

/// What was last written for an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Persisted {
    pub(crate) style: Style,
    pub(crate) name: String,
    pub(crate) fingerprint: String,
    /// The address that the files give to commands of the user, where the resource has another one by now.
    pub(crate) address: Option<String>,
    /// Other files that a run began to write, and whose end it did not live to see.
    pub(crate) begun: Option<(Style, String)>,
}

impl Persisted {
    /// Returns what was last written to its end.
    pub(crate) fn of(attributes: &BTreeMap<String, Json>) -> Option<Self> {
        let json = attributes.get(PERSISTED)?;
        let text = |name: &str| json.get(name)?.as_str().map(str::to_owned);
        let (style, name) = styled(json)?;
        let (fingerprint, address) = (text("fingerprint")?, text(ResourceRecord::WRITTEN_AS));
        Some(Self { style, name, fingerprint, address, begun: begun(attributes) })
    }

    /// Returns what was last written; or what may have been, by a run that failed or was cut off before it was recorded.
    pub(crate) fn last(attributes: &BTreeMap<String, Json>) -> Option<Self> {
        let text = |name: &str| attributes.get(name)?.as_str().map(str::to_owned);
        let wanted = || Some((Style::from_word(&text("persist")?)?, text("name")?));
        Self::of(attributes).or_else(|| {
            let (style, name) = begun(attributes).or_else(wanted)?;
            let (fingerprint, address) = (String::new(), None);
            Some(Self { style, name, fingerprint, address, begun: None })
        })
    }

    /// Returns the form in which a state remembers it.
    pub(crate) fn recorded(&self) -> Json {
        let Self { style, name, fingerprint, address, begun } = self;
        let mut json = json!({ "style": style.word(), "name": name, "fingerprint": fingerprint });
        if let Some(address) = address {
            json[ResourceRecord::WRITTEN_AS] = address.as_str().into();
        }
        if let Some((style, name)) = begun {
            json[BEGUN] = json!({ "style": style.word(), "name": name });
        }
        json
    }

    /// Returns the files that were written.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.style.paths(&self.name)
    }

    /// Returns these and those that may have been.
    fn all_paths(&self) -> Vec<PathBuf> {
        let begun = self.begun.iter().flat_map(|(style, name)| style.paths(name));
        self.paths().into_iter().chain(begun).collect()
    }
}

/// Where the state remembers files whose end nobody saw.
const BEGUN: &str = "begun";

fn begun(attributes: &BTreeMap<String, Json>) -> Option<(Style, String)> {
    styled(attributes.get(PERSISTED)?.get(BEGUN)?)
}

fn styled(json: &Json) -> Option<(Style, String)> {
    let text = |name: &str| json.get(name)?.as_str();
    Some((Style::from_word(text("style")?)?, text("name")?.to_owned()))
}

/// Returns what a state remembers of files whose digest a backend has told.
pub fn written(style: Style, name: &str, digest: &str, key: &FingerprintKey) -> Json {
    let fingerprint = persist::fingerprint(key, digest).to_string();
    Persisted { style, name: name.to_owned(), fingerprint, address: None, begun: None }.recorded()
}

/// Notes in a record that files are going to be written beside those that it knows: a run that is cut off leaves them.
pub fn begin_files(record: &mut ResourceRecord, style: Style, name: &str) {
    let last = Persisted::of(&record.attributes);
    if last.is_some_and(|it| it.style == style && it.name == name) {
        return;
    }
    let files = record.attributes.entry(PERSISTED.to_owned()).or_insert_with(|| json!({}));
    if let Some(files) = files.as_object_mut() {
        files.insert(BEGUN.to_owned(), json!({ "style": style.word(), "name": name }));
    }
}

/// Takes over from an intent that files were begun.
pub(crate) fn take_begun(record: &mut ResourceRecord, intent: &ResourceRecord) {
    if let Some((style, name)) = begun(&intent.attributes) {
        begin_files(record, style, &name);
    }
}

/// Returns the means by which a resource is to come back.
pub(crate) fn style(desired: &Desired) -> Option<Style> {
    match desired.fields.get("persist") {
        Some(Wanted::Known(Field::Text(word))) => Style::from_word(word),
        _ => None,
    }
}

/// Returns those of the files that are there.
pub(crate) fn found<'a>(boot: &'a Boot, paths: &[PathBuf]) -> BTreeMap<&'a PathBuf, &'a HostFile> {
    paths.iter().filter_map(|path| boot.files.get_key_value(path)).collect()
}

/// Returns whether files that wgform wrote for an object that goes are there.
pub(crate) fn is_left(picture: &Picture, attributes: &BTreeMap<String, Json>) -> bool {
    let Some((boot, persisted)) = picture.boot.as_ref().zip(Persisted::last(attributes)) else {
        return false;
    };
    let left = found(boot, &persisted.all_paths());
    left.into_iter().any(|(path, it)| persist::is_ours(path, &it.text))
}

/// Takes an address for ours that a file of ours gives an interface: an apply may have removed it, and a power cut come
/// before the file lost it, too.
pub(crate) fn own_what_files_give(state: &mut State, actual: &Actual) {
    for record in state.resources.values_mut() {
        let ObjectKey::Interface { name, .. } = &record.object else { continue };
        let reading = record.backend.as_ref().and_then(|id| actual.backends.get(id));
        let (Some(Reading::Read(picture)), Some(persisted)) =
            (reading, Persisted::last(&record.attributes))
        else {
            continue;
        };
        let (Some(boot), true) = (&picture.boot, persisted.name == *name) else { continue };
        let Some(owned) = record.owned_elements.get_mut("addresses") else { continue };
        let held = picture.interfaces.get(name).and_then(|it| it.fields.get("addresses"));
        let Some(Field::Addresses(held)) = held else { continue };
        for (path, file) in found(boot, &persisted.paths()) {
            if persist::is_ours(path, &file.text) {
                let given = persist::addresses(&file.text);
                owned.extend(given.intersection(held).map(ToString::to_string));
            }
        }
    }
}

/// Which value of a held attribute is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfHeld {
    /// What the device has.
    Found,
    /// What was last applied.
    Recorded,
}

/// What is asked of every interface, found once.
#[derive(Default)]
pub(crate) struct Index {
    /// The peers that are wanted on each interface.
    peers: BTreeMap<Address, Vec<Address>>,
    /// The peers on each interface that stay as they are, because nobody asked for a change of them.
    recorded: BTreeMap<Address, Vec<Address>>,
    /// Every file that brings a wanted interface back; no other interface may take it away.
    claimed: BTreeSet<(BackendId, PathBuf)>,
}

/// What an interface comes back as.
pub(crate) struct Expected {
    pub(crate) peers: PersistedPeers,
    /// The files; none while something of them is not known.
    pub(crate) files: Option<BTreeMap<PathBuf, HostFile>>,
}

/// A peer as it is to come back; none for what is not known.
struct ExpectedPeer {
    fields: Option<Fields>,
    preshared_key: Option<Option<PresharedKey>>,
}

impl Planner<'_> {
    /// Returns what an interface should come back as once the plan is carried out, under an address that the user's
    /// commands are told.
    pub(crate) fn expected(
        &self,
        node: &Node,
        style: Style,
        index: &Index,
        address: &str,
        of_held: OfHeld,
    ) -> Option<Expected> {
        let on_device = node.interface()?;
        let mut peers = PersistedPeers::default();
        let mut known = Some(BTreeMap::new());
        for address in index.recorded.get(&node.address).into_iter().flatten() {
            let record = &self.state.resources[address];
            if record.backend != node.backend {
                continue;
            }
            let Some((key, peer)) = self.recorded_peer(record) else { continue };
            peers.as_recorded.insert(key, peer.fields.clone().unwrap_or_default());
            add(&mut known, key, &peer);
        }
        let on_it = index.peers.get(&node.address).into_iter().flatten();
        for address in on_it {
            let it = &self.nodes[address];
            peers.wanted.push(address.clone());
            match it.peer().and_then(|peer| peer.public_key) {
                Some(key) => add(&mut known, key, &self.wanted_peer(it, of_held)),
                None => known = None,
            }
        }
        let fields = self.interface_fields(node, of_held);
        let private_key = self.private_key(node);
        let outside = self.outside(node).map(|it| Outside { address: address.to_owned(), ..it });
        let all = known.zip(fields).zip(private_key).zip(outside);
        let files = all.map(|(((peers, fields), private_key), outside)| {
            let peers = peers.iter().map(|(key, (fields, preshared_key))| {
                (*key, persist::Peer { preshared_key: preshared_key.as_ref(), fields })
            });
            let (name, peers) = (&*on_device.name, peers.collect());
            let (private_key, fields, outside) = (&private_key, &fields, &outside);
            let interface = persist::Interface { name, private_key, fields, outside, peers };
            persist::files(style, &interface)
        });
        Some(Expected { peers, files })
    }

    /// Returns whether something of an interface or of one of its peers is held.
    pub(crate) fn is_any_held(&self, node: &Node, index: &Index) -> bool {
        let peers = index.peers.get(&node.address).into_iter().flatten();
        let mut all = peers.chain([&node.address]);
        all.any(|it| self.desired.get(it).is_some_and(|it| !it.held.is_empty()))
    }

    /// Puts what was last applied in the place of what is held.
    fn put_recorded(&self, desired: &Desired, names: &[&'static str], fields: &mut Fields) {
        let address = &desired.address;
        let Some(record) = self.state.resources.get(address) else { return };
        for name in names.iter().copied().filter(|it| desired.held.contains(it)) {
            let recorded = || {
                let form = &declaration::attribute(address.kind, name)?.form;
                Field::from_recorded(form, record.attributes.get(name)?).ok().flatten()
            };
            match recorded() {
                Some(field) => _ = fields.insert(name, field),
                None => _ = fields.remove(name),
            }
        }
    }

    /// Looks once for what is asked of every interface.
    pub(crate) fn index(&self, view: &View) -> Index {
        let mut index = Index { claimed: self.claimed_files(), ..Index::default() };
        for (address, node) in &self.nodes {
            let peer = node.peer().filter(|peer| peer.is_enabled && node.fate != Fate::Pending);
            if let Some(peer) = peer.filter(|_| view.contains(address)) {
                index.peers.entry(peer.on.clone()).or_default().push(address.clone());
            }
        }
        for (address, record) in &self.state.resources {
            let is_planned = view.contains(address) && !self.is_left_out(address);
            let is_disabled = record.attributes.get("enabled") == Some(&Json::Bool(false));
            if is_planned || is_disabled || address.kind != Kind::Peer {
                continue;
            }
            if let Some(on) = recorded_interface(record) {
                index.recorded.entry(on).or_default().push(address.clone());
            }
        }
        index
    }

    fn is_left_out(&self, address: &Address) -> bool {
        self.held_back.contains_key(address)
            || self.left_out.values().any(|left_out| left_out.contains(address))
    }

    fn recorded_peer(&self, record: &ResourceRecord) -> Option<(PublicKey, ExpectedPeer)> {
        let ObjectKey::Peer { interface, public_key } = &record.object else { return None };
        let key: PublicKey = public_key.parse().ok()?;
        let field = |name: &'static str| {
            let form = &declaration::attribute(Kind::Peer, name)?.form;
            let field = Field::from_recorded(form, record.attributes.get(name)?).ok().flatten()?;
            Some((name, field))
        };
        let fields = OF_PEER.into_iter().filter_map(field).collect();
        let backend = record.backend.as_ref()?;
        let held = self.held_secret(backend, interface, &key);
        // One that is not there is not written either.
        held.map(|held| (key, ExpectedPeer { fields: Some(fields), preshared_key: Some(held) }))
    }

    fn wanted_peer(&self, node: &Node, of_held: OfHeld) -> ExpectedPeer {
        let desired = &self.desired[&node.address];
        let is_written =
            node.diffs.iter().any(|diff| diff.attribute.name == "preshared_key" && diff.is_write());
        let preshared_key = match desired.fields.get("preshared_key") {
            Some(Wanted::Known(Field::PresharedKey(key))) => Some(key.clone()),
            _ if is_written => None,
            _ => self.held_by_peer(node),
        };
        let mut fields = known_fields(desired, &OF_PEER);
        if let Some(fields) = fields.as_mut().filter(|_| of_held == OfHeld::Recorded) {
            self.put_recorded(desired, &OF_PEER, fields);
        }
        ExpectedPeer { fields, preshared_key }
    }

    /// Returns the pre-shared key that a peer has and keeps; no key, for one that is made.
    fn held_by_peer(&self, node: &Node) -> Option<Option<PresharedKey>> {
        let peer = node.peer()?;
        let on = self.nodes.get(&peer.on).and_then(Node::interface)?;
        let now = on.renamed_from().unwrap_or(&on.name);
        let is_kept = peer.is_there && node.fate != Fate::Create;
        let held = self.held_secret(node.backend.as_ref()?, now, &peer.public_key?);
        Some(held.filter(|_| is_kept).flatten())
    }

    fn held_secret(
        &self,
        backend: &BackendId,
        interface: &str,
        key: &PublicKey,
    ) -> Option<Option<PresharedKey>> {
        let peer = self.picture(backend)?.interfaces.get(interface)?.peers.get(key)?;
        match peer.fields.get("preshared_key") {
            Some(Field::PresharedKey(held)) => Some(held.clone()),
            _ => Some(None),
        }
    }

    fn interface_fields(&self, node: &Node, of_held: OfHeld) -> Option<Fields> {
        let on_device = node.interface()?;
        let desired = &self.desired[&node.address];
        let mut fields = known_fields(desired, &OF_INTERFACE)?;
        if of_held == OfHeld::Recorded {
            self.put_recorded(desired, &OF_INTERFACE, &mut fields);
        }
        if fields.contains_key("listen_port") || persist::has_no_port(&fields) {
            return Some(fields);
        }
        let found = on_device.found.as_ref().filter(|_| node.fate == Fate::Keep);
        let found = found.and_then(|it| it.get("listen_port")?.as_u64()?.try_into().ok());
        fields.insert("listen_port", Field::Number(found.or(on_device.port)?));
        Some(fields)
    }

    /// Returns what belongs to an interface outside of its link; none while its routes are not known.
    fn outside(&self, node: &Node) -> Option<Outside> {
        let routes = node.interface()?.routes.as_ref()?.wanted.as_ref();
        Some(outside(node.backend.as_ref()?, &node.address, routes?))
    }

    fn private_key(&self, node: &Node) -> Option<PrivateKey> {
        let on_device = node.interface()?;
        match &on_device.key.source {
            Some(KeySource::Held(key)) => Some(key.clone()),
            Some(KeySource::New) => None,
            Some(KeySource::Configured) => {
                match self.desired[&node.address].fields.get("private_key") {
                    Some(Wanted::Known(Field::PrivateKey(key))) => Some(key.clone()),
                    _ => None,
                }
            }
            None => {
                let old = on_device.old.as_ref()?;
                self.picture(&old.backend)?.interfaces.get(&old.name)?.private_key.clone()
            }
        }
    }

    /// Reports what cannot be persisted, and files of somebody else's that would be written over.
    pub(crate) fn check_persist(&mut self, desired: &Desired, backend: &BackendId, name: &str) {
        let Some(style) = style(desired) else { return };
        let span = span(desired, "persist");
        if !Style::takes_name(name) {
            let problem = Diagnostic::error("interface name that cannot be persisted")
                .label(span, format!("`{name}` cannot stand in the name of a file or a unit"))
                .help("Give the interface a `name` of letters, digits, `_`, `-` and `.`, or set `persist = \"none\"`.");
            self.diagnostics.push(problem);
        }
        self.check_files(desired, backend, name, style);
    }

    fn check_files(&mut self, desired: &Desired, backend: &BackendId, name: &str, style: Style) {
        let Some(picture) = self.picture(backend) else { return };
        let Some(boot) = &picture.boot else { return };
        let address = &desired.address;
        let own = style.paths(name);
        let record = self.state.resources.get(address);
        let owned = record.and_then(|it| Persisted::of(&it.attributes));
        let owned = owned.map(|it| it.paths()).unwrap_or_default();
        let is_there = picture.interfaces.contains_key(name);
        let span = span(desired, "persist");
        let mut problems = Vec::new();
        for (path, file) in &boot.files {
            let is_own = own.contains(path);
            if persist::is_ours(path, &file.text) || owned.contains(path) {
                continue;
            }
            let is_started = persist::owner(path).is_some_and(|(other, stem)| {
                let unit = other.unit(stem);
                other == style || boot.units.contains(&unit)
            });
            let is_second = is_started && persist::makes_interface(path, &file.text, name);
            if !is_own && !is_second {
                continue;
            }
            let help = match (is_own, is_there) {
                (true, true) => format!(
                    "To take it over, run:\n\n  wgform import {} {name}\n\nWhat was in it is kept beside it, as `{}`, or with a number behind that where it is taken.",
                    address.in_shell(),
                    persist::kept(path, 1).display()
                ),
                _ => {
                    "Move it away: at boot, only one of the two can make the interface.".to_owned()
                }
            };
            let label =
                format!("`{}` on backend `{backend}` describes `{name}` already", path.display());
            problems.push(
                Diagnostic::error("existing file that wgform does not manage")
                    .label(span, label)
                    .help(help),
            );
        }
        self.diagnostics.extend(problems);
    }

    /// Says once for each host which interfaces a reboot loses, unless the configuration says that this is meant.
    pub(crate) fn warn_of_unstated(&mut self, view: &View) {
        let mut unstated: BTreeMap<BackendId, Vec<&Desired>> = BTreeMap::new();
        for desired in self.desired.values().filter(|it| view.contains(&it.address)) {
            let is_silent =
                desired.address.kind == Kind::Interface && !desired.spans.contains_key("persist");
            let is_lost = |it: &&BackendId| !self.kind_of(Some(*it)).keeps_configuration();
            let backend = desired.backend.as_ref().filter(|_| is_silent).filter(is_lost);
            let Some(backend) = backend.filter(|it| self.views.get(*it).and_then(netns).is_none())
            else {
                continue;
            };
            unstated.entry(backend.clone()).or_default().push(desired);
        }
        for (backend, all) in unstated {
            let names: Vec<_> = all.iter().map(|it| format!("`{}`", it.address)).collect();
            let label =
                format!("a reboot of the host of backend `{backend}` loses {}", names.join(", "));
            self.warnings.push(
                Diagnostic::warning("interfaces that do not survive a reboot")
                    .label(&all[0].span, label)
                    .help("Set `persist` to \"wg-quick\" or \"networkd\", or to \"none\" to leave it at that: the next apply after a reboot makes them again, with the same keys."),
            );
        }
    }

    /// Returns every file that brings a wanted interface back.
    fn claimed_files(&self) -> BTreeSet<(BackendId, PathBuf)> {
        let wanted = self.nodes.values().filter_map(|node| {
            let style = style(self.desired.get(&node.address)?)?;
            Some((node.backend.clone()?, style.paths(&node.interface()?.name)))
        });
        wanted
            .flat_map(|(backend, paths)| paths.into_iter().map(move |it| (backend.clone(), it)))
            .collect()
    }

    /// Returns the files that go with an object.
    pub(crate) fn files_of(
        &self,
        backend: &BackendId,
        attributes: &BTreeMap<String, Json>,
    ) -> BTreeSet<PathBuf> {
        match Persisted::last(attributes).is_some() {
            true => unclaimed(&self.claimed_files(), backend, attributes),
            false => BTreeSet::new(),
        }
    }
}

impl Index {
    /// Returns the files that go with an object.
    pub(crate) fn files_of(
        &self,
        backend: &BackendId,
        attributes: &BTreeMap<String, Json>,
    ) -> BTreeSet<PathBuf> {
        unclaimed(&self.claimed, backend, attributes)
    }
}

fn unclaimed(
    claimed: &BTreeSet<(BackendId, PathBuf)>,
    backend: &BackendId,
    attributes: &BTreeMap<String, Json>,
) -> BTreeSet<PathBuf> {
    let paths = Persisted::last(attributes).map(|it| it.all_paths()).unwrap_or_default();
    paths.into_iter().filter(|path| !claimed.contains(&(backend.clone(), path.clone()))).collect()
}

fn add(
    known: &mut Option<BTreeMap<PublicKey, (Fields, Option<PresharedKey>)>>,
    key: PublicKey,
    peer: &ExpectedPeer,
) {
    match (&peer.fields, &peer.preshared_key, known.as_mut()) {
        (Some(fields), Some(secret), Some(all)) => {
            _ = all.insert(key, (fields.clone(), secret.clone()));
        }
        _ => *known = None,
    }
}

/// Returns those of the attributes that are set; none while one of them is not known.
fn known_fields(desired: &Desired, names: &[&'static str]) -> Option<Fields> {
    let set = names.iter().filter_map(|name| Some((*name, desired.fields.get(name)?)));
    set.map(|(name, wanted)| Some((name, wanted.known()?.clone()))).collect()
}

/// Returns what belongs to an interface outside of its link.
pub fn outside(backend: &BackendId, address: &Address, routes: &WantedRoutes) -> Outside {
    Outside {
        backend: backend.as_str().to_owned(),
        address: address.to_string(),
        routes: routes.routes.keys().copied().collect(),
        rules: routes.rules.clone(),
    }
}

/// Returns the attributes of an interface or a peer that come back with it; none while one of them is not known.
pub fn persisted_fields(desired: &Desired) -> Option<Fields> {
    match desired.address.kind {
        Kind::Interface => known_fields(desired, &OF_INTERFACE),
        Kind::Peer => known_fields(desired, &OF_PEER),
        Kind::PresharedKey => None,
    }
}

fn netns(view: &BackendView) -> Option<&str> {
    view.transport.get("netns").and_then(Json::as_str)
}
