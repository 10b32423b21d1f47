//! What each resource's fate means in writes, before they are in order.

mod keys;
mod persist;
pub(crate) mod removal;
mod routing;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value as Json;

use crate::actual::{FoundInterface, OwnKeys};
use crate::config::Wanted;
use crate::diff::{AttributeDiff, Side};
use crate::link::Links;
use crate::plan::check::{self, Unmanaged};
use crate::plan::hooks;
use crate::plan::order::draft::keys::{
    guard_unkept_key, keep_act, key_file_now, key_source_now, outdated_key_file, own_keys,
};
use crate::plan::order::draft::removal::{is_only_recorded, is_there, leaves_files};
use crate::plan::service;
use crate::plan::view::View;
use crate::plan::walk::interface::{OnDevice, recorded_key_file};
use crate::plan::walk::{Device, Fate, Node, Planner, peer};
use crate::plan::{
    Action, Effect, KeySource, Note, PlannedAct, PlannedSetting, Reason, Refusal, ResourceChange,
    Step, Subject,
};
use crate::resource::{Address, BackendId, BackendKind, Field, Form, Kind, Setting, Support};
use crate::state::{ObjectKey, ResourceRecord};
use crate::value::{Cidr, PublicKey};

/// A name, a port or a key file on one system: only one can have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Claim {
    /// The name of a link.
    Name(BackendId, String),
    /// The port of an interface that is up.
    Port(BackendId, u64),
    /// A file with a private key.
    KeyFile(BackendId, PathBuf),
    /// The key of a peer, where it is there once on a whole system.
    Key(BackendId, PublicKey),
}

/// A step with what decides its place.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) step: Step,
    /// Drafts by number that come before, for a reason of their own.
    pub(crate) after: Vec<usize>,
    /// Drafts by number that come before, however they end; sorted.
    pub(crate) follows: Vec<usize>,
    /// What it gives up.
    pub(crate) gives: Vec<Claim>,
    /// What it takes.
    pub(crate) takes: Vec<Claim>,
    /// A peer that gives up a network.
    pub(crate) gives_networks: bool,
    /// One half of a swap that was broken already.
    pub(crate) is_temporary: bool,
    /// The resource that takes over the object that this step lets go of.
    pub(crate) taken_over_by: Option<Address>,
}

impl Draft {
    pub(crate) fn new(step: Step) -> Self {
        Self {
            step,
            after: Vec::new(),
            follows: Vec::new(),
            gives: Vec::new(),
            takes: Vec::new(),
            gives_networks: false,
            is_temporary: false,
            taken_over_by: None,
        }
    }

    pub(crate) fn is_removal(&self) -> bool {
        matches!(self.step.effect, Effect::Remove | Effect::RemoveDeposed(_))
    }

    /// Returns whether it removes what the next step makes again.
    pub(crate) fn makes_way(&self) -> bool {
        self.step.effect == Effect::MakeWay
    }
}

/// All drafts, and the changes that they make up.
pub(crate) struct Drafts {
    pub(crate) drafts: Vec<Draft>,
    pub(crate) changes: Vec<ResourceChange>,
}

/// Makes the drafts of everything that was asked for.
pub(crate) fn drafts(
    planner: &mut Planner<'_>,
    links: &Links,
    view: &View,
    unmanaged: &Unmanaged,
) -> Drafts {
    let mut drafter = Drafter::default();
    let walked: Vec<Address> =
        planner.walked.iter().filter(|it| view.contains(it)).cloned().collect();
    let claimed = claimed_peers(planner, view);
    for address in &walked {
        if !planner.nodes[address].is_change() {
            continue;
        }
        let node = &planner.nodes[address];
        let first = drafter.drafts.len();
        drafter.node(planner, node, &claimed);
        if let Some(on_device) = node.interface() {
            drafter.leave_rules(planner, node, first);
            drafter.set_routes(node, on_device, first);
        }
        let assigned = service::assignment_notes(node, &planner.desired[address]);
        let notes = new_key_note(planner, links, view, node).into_iter().chain(assigned);
        drafter.change(planner, node, notes);
    }
    drafter.guard_replaced(planner, &walked);
    drafter.deletions(planner, view, &claimed);
    for peer in &unmanaged.remove {
        drafter.unmanaged(peer);
    }
    drafter.let_routes_follow(planner);
    drafter.persist(planner, view, &walked);
    drafter.files_go_first();
    drafter.claim_keys(planner);
    drafter.services(planner);
    drafter.guard_claims(planner);
    Drafts { drafts: drafter.drafts, changes: drafter.changes }
}

type PeerKey = (BackendId, String, String);

/// Returns the objects that peers are, or are to be by this plan: an object that changes hands is not removed.
fn claimed_peers(planner: &Planner<'_>, view: &View) -> BTreeMap<PeerKey, Address> {
    let peers = planner.nodes.values().filter(|node| {
        let is_its =
            |it: &peer::OnDevice| it.old.as_ref().map(|old| old.public_key) == it.public_key;
        let is_touched = view.contains(&node.address) || node.peer().is_some_and(is_its);
        node.fate != Fate::Pending && is_touched
    });
    let peers = peers.filter_map(|node| {
        let peer = node.peer()?;
        // On an interface that is made there is nothing yet.
        let on = planner.nodes.get(&peer.on).filter(|on| on.fate == Fate::Keep)?;
        let interface = on.interface()?;
        let now = interface.renamed_from().unwrap_or(&interface.name).to_owned();
        let key = (node.backend.clone()?, now, peer.public_key?.to_string());
        Some((key, node.address.clone()))
    });
    peers.collect()
}

#[derive(Default)]
struct Drafter {
    drafts: Vec<Draft>,
    /// The peers that get another key where they are.
    rekeyed: BTreeSet<Address>,
    /// The drafts that remove a peer.
    removed: BTreeMap<(Option<BackendId>, String, PublicKey), usize>,
    changes: Vec<ResourceChange>,
}

impl Drafter {
    fn push(&mut self, mut draft: Draft) -> usize {
        if let PlannedAct::DeletePeer { interface, public_key } = &draft.step.act {
            let peer = (draft.step.backend.clone(), interface.clone(), *public_key);
            match self.removed.entry(peer) {
                Entry::Vacant(entry) => _ = entry.insert(self.drafts.len()),
                // One resource had the peer before that another one has now: it goes once, for both.
                Entry::Occupied(entry) => {
                    draft.after.push(*entry.get());
                    draft.step.act = PlannedAct::Record;
                }
            }
        }
        self.drafts.push(draft);
        self.drafts.len() - 1
    }

    /// On a firewall a key is there once: whoever has it goes before another one gets it.
    fn claim_keys(&mut self, planner: &Planner<'_>) {
        for draft in &mut self.drafts {
            let Some(backend) = draft.step.backend.clone() else { continue };
            if planner.kind_of(Some(&backend)) != BackendKind::PfSense {
                continue;
            }
            match &draft.step.act {
                PlannedAct::DeletePeer { public_key, .. } => {
                    draft.gives.push(Claim::Key(backend, *public_key));
                }
                PlannedAct::CreatePeer { public_key: Some(key), replaces, .. } => {
                    draft.takes.push(Claim::Key(backend.clone(), *key));
                    draft.gives.extend(replaces.map(|old| Claim::Key(backend, old)));
                }
                _ => {}
            }
        }
    }

    /// Lets what is stored take effect: WireGuard is on before anything is written that needs it.
    fn services(&mut self, planner: &Planner<'_>) {
        let is_written = |it: &&Draft| !matches!(it.step.act, PlannedAct::Record);
        let written = self.drafts.iter().filter(is_written);
        let written = written.filter_map(|it| it.step.backend.clone()).collect();
        for (id, step, change) in planner.services(&written) {
            let first = self.drafts.len();
            let on_it = self.drafts.iter_mut().filter(|it| it.step.backend.as_ref() == Some(&id));
            on_it.for_each(|it| it.follows.push(first));
            self.drafts.push(Draft::new(step));
            self.changes.push(change);
        }
    }

    fn node(&mut self, planner: &Planner<'_>, node: &Node, claimed: &BTreeMap<PeerKey, Address>) {
        match &node.device {
            Device::Interface(on_device) => match node.fate {
                Fate::Create => self.create_interface(planner, node, on_device),
                Fate::Replace if has_room_for_one(planner, node, on_device) => {
                    self.remake_interface(planner, node, on_device);
                }
                Fate::Replace => self.replace_interface(planner, node, on_device),
                Fate::Keep | Fate::Pending => self.update_interface(planner, node, on_device),
            },
            Device::Peer(on_device)
                if node.reason.is_request() || moves_alone(planner, node, on_device) =>
            {
                self.remake_peer(node, on_device);
            }
            Device::Peer(on_device) => self.peer(planner, node, on_device, claimed),
            Device::Secret(_) => {
                let is_new = node.fate == Fate::Create;
                let action = if is_new { Action::Create } else { Action::Update };
                self.push(Draft::new(step(node, action, PlannedAct::Record, put())));
            }
        }
    }

    fn create_interface(&mut self, planner: &Planner<'_>, node: &Node, on_device: &OnDevice) {
        let act = create_act(on_device, false);
        // On the host that it leaves, the link is gone and its files are not.
        let left = planner.state.resources.get(&node.address);
        let left = left.filter(|it| it.backend != node.backend && leaves_files(planner, it));
        let effect = Effect::Put { depose: left.is_some(), meanwhile: BTreeMap::new() };
        let mut draft = Draft::new(step(node, Action::Create, act, effect));
        draft.takes = takes(planner, node, on_device);
        draft.takes.extend(key_file(node.backend.as_ref(), on_device.key.file.as_ref()));
        if let Some(outdated) = outdated_key_file(planner, node, on_device) {
            // A key that somebody else may have put there is not overwritten; ours goes, now that there is a new one.
            let (name, own_keys) =
                (on_device.name.clone(), own_keys(planner, node, Some(outdated)));
            let remove_boot_files = BTreeSet::new();
            let act =
                PlannedAct::DeleteInterface { name, public_key: None, own_keys, remove_boot_files };
            let clean = self.push(Draft::new(step(node, Action::Delete, act, Effect::Nothing)));
            draft.after.push(clean);
        }
        let create = self.push(draft);
        match left {
            Some(record) => _ = self.remove_old(planner, node, on_device, record, create),
            None if recorded_here(planner, node).is_some() => {
                self.clean_old_key_file(planner, node, on_device, create);
            }
            None => {}
        }
    }

    /// Removes the file of a key that was kept under another name when its link was lost.
    fn clean_old_key_file(
        &mut self,
        planner: &Planner<'_>,
        node: &Node,
        on_device: &OnDevice,
        create: usize,
    ) {
        let own_keys = own_keys(planner, node, on_device.key.remove_file.clone());
        if own_keys.remove.is_empty() {
            return;
        }
        let backend = node.backend.as_ref();
        let given = own_keys.remove.iter().filter_map(|it| key_file(backend, Some(it))).collect();
        let mut act = update_act(on_device.name.clone(), BTreeMap::new());
        if let PlannedAct::UpdateInterface { own_keys: files, .. } = &mut act {
            *files = own_keys;
        }
        let mut clean = Draft::new(step(node, Action::Update, act, Effect::Nothing));
        clean.gives = given;
        clean.after = vec![create];
        self.push(clean);
    }

    /// Under one name there is room for one object, so the old one goes first. Its key is in a file by then, and is not
    /// lost when the run is cut off in between; where it can be in none, the plan was refused.
    fn remake_interface(&mut self, planner: &Planner<'_>, node: &Node, on_device: &OnDevice) {
        let name = on_device.renamed_from().unwrap_or(&on_device.name).to_owned();
        let keep = keep_act(planner, node, on_device)
            .map(|act| self.push(Draft::new(step(node, Action::Update, act, Effect::Nothing))));
        let outdated = outdated_key_file(planner, node, on_device);
        // What brings it back at boot stays for its successor.
        let act = PlannedAct::DeleteInterface {
            name: name.clone(),
            public_key: node.backend.as_ref().and_then(|it| key_seen(planner, it, &name)),
            own_keys: own_keys(planner, node, outdated),
            remove_boot_files: BTreeSet::new(),
        };
        let mut remove = Draft::new(step(node, Action::Delete, act, Effect::MakeWay));
        remove.gives =
            node.backend.iter().flat_map(|backend| gives(planner, backend, &name)).collect();
        remove.after = keep.into_iter().collect();
        let remove = self.push(remove);
        let mut create =
            Draft::new(step(node, Action::Create, create_act(on_device, false), put()));
        create.takes = takes(planner, node, on_device);
        create.takes.extend(key_file(node.backend.as_ref(), on_device.key.file.as_ref()));
        create.after = vec![remove];
        let create = self.push(create);
        self.clean_old_key_file(planner, node, on_device, create);
    }

    fn remake_peer(&mut self, node: &Node, on_device: &peer::OnDevice) {
        let Some(old) = &on_device.old else { return };
        let (interface, public_key) = (old.interface.clone(), old.public_key);
        let act = PlannedAct::DeletePeer { interface, public_key };
        let remove = self.push(Draft::new(step(node, Action::Delete, act, Effect::MakeWay)));
        let act = match on_device.is_held {
            true => PlannedAct::CreatePeer {
                interface: on_device.interface.clone(),
                public_key: on_device.public_key,
                replaces: None,
            },
            false => PlannedAct::Record,
        };
        let mut create = Draft::new(step(node, Action::Create, act, put()));
        create.after = vec![remove];
        self.push(create);
    }

    /// What is replaced is destroyed, too, and is guarded as well.
    fn guard_replaced(&mut self, planner: &mut Planner<'_>, walked: &[Address]) {
        for address in walked {
            match address.kind {
                Kind::Peer => guard_unkept_secret(planner, address),
                Kind::Interface => guard_unkept_key(planner, address),
                Kind::PresharedKey => {}
            }
            let node = &planner.nodes[address];
            if node.fate != Fate::Replace || self.rekeyed.contains(address) {
                continue;
            }
            let desired = &planner.desired[address];
            let is_forced =
                desired.fields.get("force_destroy") == Some(&Wanted::Known(Field::Bool(true)));
            let old = node.interface().and_then(|it| it.old.clone());
            if desired.prevent_destroy {
                planner.refuse(address, protected_in_block(address, "replaced"));
            }
            let Some(old) = old else { continue };
            let doomed = check::Doomed { address, verb: "replaced", is_forced };
            let foreign = check::guard_destroy(planner, &doomed, &old.backend, &old.name);
            let subject = Subject::Resource(address.clone());
            let change = self.changes.iter_mut().find(|change| change.subject == subject);
            if let Some(change) = change.filter(|_| foreign > 0) {
                change.notes.push(Note::UnmanagedGo(foreign));
            }
        }
    }

    /// The new one is made down with the old one's key, then the old one goes, then the new one is brought up.
    fn replace_interface(&mut self, planner: &Planner<'_>, node: &Node, on_device: &OnDevice) {
        // A firewall assigns only what is up, and gives a port only once.
        let is_firewall = planner.kind_of(node.backend.as_ref()) == BackendKind::PfSense;
        let is_up = is_enabled(planner, &node.address) && !is_firewall;
        let mut meanwhile = BTreeMap::new();
        if is_up {
            meanwhile.insert("enabled", Json::Bool(false));
        }
        let effect = Effect::Put { depose: true, meanwhile };
        let mut create =
            Draft::new(step(node, Action::Replace, create_act(on_device, is_up), effect));
        let (names, ports): (Vec<_>, Vec<_>) = takes(planner, node, on_device)
            .into_iter()
            .partition(|it| matches!(it, Claim::Name(..)) || is_firewall);
        create.takes = names;
        create.takes.extend(key_file(node.backend.as_ref(), on_device.key.file.as_ref()));
        let create = self.push(create);
        let Some(record) = planner.state.resources.get(&node.address) else { return };
        let remove = self.remove_old(planner, node, on_device, record, create);
        if is_up {
            let settings = [("enabled", PlannedSetting::Wanted)].into();
            let act = update_act(on_device.name.clone(), settings);
            let mut enable = Draft::new(step(node, Action::Replace, act, put()));
            enable.takes = ports;
            enable.after = vec![create, remove];
            self.push(enable);
        }
    }

    fn remove_old(
        &mut self,
        planner: &Planner<'_>,
        node: &Node,
        on_device: &OnDevice,
        record: &ResourceRecord,
        create: usize,
    ) -> usize {
        let backend = record.backend.clone();
        let ObjectKey::Interface { name, .. } = &record.object else { return create };
        let old_file = recorded_key_file(record);
        let is_shared = old_file == on_device.key.file && recorded_here(planner, node).is_some();
        let old_file = old_file.filter(|_| !is_shared);
        let file = key_file(backend.as_ref(), old_file.as_ref());
        let boot_files = backend.as_ref().map(|it| planner.files_of(it, &record.attributes));
        let act = PlannedAct::DeleteInterface {
            name: name.clone(),
            public_key: backend.as_ref().and_then(|it| key_seen(planner, it, name)),
            own_keys: removal::own_keys(&record.object, old_file, Some(&on_device.key.strays)),
            remove_boot_files: boot_files.unwrap_or_default(),
        };
        let effect = Effect::RemoveDeposed(record.object.clone());
        let mut remove = Draft::new(step(node, Action::Delete, act, effect));
        remove.step.backend.clone_from(&backend);
        if let Some(backend) = &backend {
            remove.gives = gives(planner, backend, name);
        }
        remove.gives.extend(file);
        remove.after = vec![create];
        self.push(remove)
    }

    fn update_interface(&mut self, planner: &Planner<'_>, node: &Node, on_device: &OnDevice) {
        let mut settings = settings(planner, node);
        // The link that a key file or a name belongs to is changed by arguments of their own.
        settings.remove("name");
        settings.remove("public_key");
        settings.remove("key_file");
        let rename = on_device.renamed_from().map(|_| on_device.name.clone());
        let key = &on_device.key;
        let act = if settings.is_empty() && rename.is_none() && key.is_untouched() {
            PlannedAct::Record
        } else {
            let name = on_device.renamed_from().unwrap_or(&on_device.name).to_owned();
            PlannedAct::UpdateInterface {
                name,
                key_file: key_file_now(planner, node, on_device, rename.is_some()),
                own_keys: own_keys(planner, node, key.remove_file.clone()),
                rename,
                key: key_source_now(planner, node, on_device),
                settings,
            }
        };
        let mut draft = Draft::new(step(node, Action::Update, act, put()));
        if let (Some(old), Some(backend)) = (&on_device.old, &node.backend) {
            let before = gives(planner, backend, &old.name);
            let after = takes(planner, node, on_device);
            draft.gives = before.iter().filter(|it| !after.contains(it)).cloned().collect();
            draft.takes = after.into_iter().filter(|it| !before.contains(it)).collect();
        }
        if let PlannedAct::UpdateInterface { key_file: now, own_keys, .. } = &draft.step.act {
            let backend = node.backend.as_ref();
            draft.gives.extend(own_keys.remove.iter().filter_map(|it| key_file(backend, Some(it))));
            let is_new = recorded_key_file_of(planner, &node.address) != *now;
            draft.takes.extend(key_file(node.backend.as_ref(), now.as_ref().filter(|_| is_new)));
        }
        self.push(draft);
    }

    fn peer(
        &mut self,
        planner: &Planner<'_>,
        node: &Node,
        on_device: &peer::OnDevice,
        claimed: &BTreeMap<PeerKey, Address>,
    ) {
        let action = if node.fate == Fate::Keep { Action::Update } else { Action::Create };
        let settings = settings(planner, node);
        let interface = on_device.interface.clone();
        let is_wanted_there = on_device.is_held || on_device.is_there;
        let is_update = on_device.is_there || node.fate == Fate::Keep;
        let act = match (is_update, on_device.public_key) {
            (true, Some(_)) if settings.is_empty() || !is_wanted_there => PlannedAct::Record,
            (true, Some(public_key)) => PlannedAct::UpdatePeer { interface, public_key, settings },
            _ if !on_device.is_held => PlannedAct::Record,
            (_, public_key) => PlannedAct::CreatePeer { interface, public_key, replaces: None },
        };
        let old = on_device.old.as_ref().filter(|_| node.fate == Fate::Replace);
        let old = old.filter(|old| is_to_go(planner, old));
        let taker = old.and_then(|old| claimed.get(&old.place())).cloned();
        if let (Some(old), PlannedAct::CreatePeer { interface, .. }) = (old, &act)
            && taker.is_none()
            && node.reason == Reason::CannotUpdate("public_key")
            && planner.kind_of(node.backend.as_ref()).keeps_configuration()
            && name_then(planner, old) == *interface
        {
            return self.rekey_peer(node, on_device, old.public_key);
        }
        let effect = Effect::Put { depose: old.is_some(), meanwhile: BTreeMap::new() };
        let mut draft = Draft::new(step(node, action, act, effect));
        draft.gives_networks = gives_networks(node);
        let made = self.push(draft);
        let Some(old) = old else { return };
        let interface = name_then(planner, old);
        let public_key = old.public_key;
        let object =
            ObjectKey::Peer { interface: interface.clone(), public_key: public_key.to_string() };
        // One that another resource takes over stays where it is, and is this one's until the other has it.
        let act = match taker {
            Some(_) => PlannedAct::Record,
            None => PlannedAct::DeletePeer { interface, public_key },
        };
        let mut remove = Draft::new(step(node, Action::Delete, act, Effect::RemoveDeposed(object)));
        remove.step.backend = Some(old.backend.clone());
        remove.after = vec![made];
        remove.taken_over_by = taker;
        self.push(remove);
    }

    /// Where a device keeps what it was told, a peer gets another key and stays what it is: a second one may not be taken
    /// beside it, and what only the device holds would be lost.
    fn rekey_peer(&mut self, node: &Node, on_device: &peer::OnDevice, old: PublicKey) {
        let act = PlannedAct::CreatePeer {
            interface: on_device.interface.clone(),
            public_key: on_device.public_key,
            replaces: Some(old),
        };
        let mut draft = Draft::new(step(node, Action::Update, act, put()));
        draft.gives_networks = gives_networks(node);
        self.push(draft);
        self.rekeyed.insert(node.address.clone());
    }

    fn change(&mut self, planner: &Planner<'_>, node: &Node, notes: impl Iterator<Item = Note>) {
        let is_rekeyed = self.rekeyed.contains(&node.address);
        let action = match node.fate {
            Fate::Create => Action::Create,
            Fate::Replace if !is_rekeyed => Action::Replace,
            Fate::Replace | Fate::Keep | Fate::Pending => Action::Update,
        };
        let reason = if is_rekeyed { Reason::Configuration } else { node.reason.clone() };
        let hooks = node.interface().and_then(|it| hooks::note(planner, node, it));
        self.changes.push(ResourceChange {
            subject: Subject::Resource(node.address.clone()),
            backend: node.backend.clone(),
            action,
            reason,
            attributes: node.diffs.clone(),
            sensitive: planner.desired[&node.address].sensitive.clone(),
            notes: node.notes.iter().cloned().chain(notes).chain(hooks).collect(),
        });
    }
}

/// Returns whether the object that a peer was needs a step of its own: it is there, and its interface does not go.
fn is_to_go(planner: &Planner<'_>, old: &peer::Old) -> bool {
    let (interface, public_key) = (old.interface.clone(), old.public_key.to_string());
    let object = ObjectKey::Peer { interface, public_key };
    is_there(planner, Some(&old.backend), &object)
        && !is_only_recorded(planner, &old.backend, &object)
}

/// Returns the name that the interface of a peer that is there has by the time that the peer is changed.
fn name_then(planner: &Planner<'_>, old: &peer::Old) -> String {
    let on = planner.owners.interface(&old.backend, &old.interface);
    let on = on.and_then(|on| planner.nodes.get(on)).filter(|on| on.fate == Fate::Keep);
    let on = on.and_then(Node::interface);
    let renamed = on.filter(|on| on.renamed_from() == Some(old.interface.as_str()));
    renamed.map_or_else(|| old.interface.clone(), |on| on.name.clone())
}

/// Refuses to make a peer anew when that would lose a pre-shared key which is nowhere but on the device.
fn guard_unkept_secret(planner: &mut Planner<'_>, address: &Address) {
    let node = &planner.nodes[address];
    let is_remade = |node: &Node| goes_first(planner, node);
    let on = node.peer().and_then(|peer| planner.nodes.get(&peer.on));
    let is_configured = planner.desired[address].fields.contains_key("preshared_key");
    if is_configured || !(is_remade(node) || on.is_some_and(is_remade)) {
        return;
    }
    let old = planner.state.resources.get(address).and_then(peer::Old::of);
    let found = old.and_then(|old| {
        let picture = planner.picture(&old.backend)?;
        picture.interfaces.get(&old.interface)?.peers.get(&old.public_key)
    });
    let secret = found.and_then(|found| found.fields.get("preshared_key"));
    // One that is not shown may be there.
    let is_hidden = found.is_some_and(|found| found.hidden.contains("preshared_key"));
    if is_hidden || matches!(secret, Some(Field::PresharedKey(Some(_)))) {
        planner.refuse(address, Refusal {
            message: format!(
                "`{address}` has a pre-shared key that is nowhere but on its device, and would lose it"
            ),
            hints: vec![format!(
                "set `preshared_key` on `{address}` to a `preshared_key` block with `adopt_from = {address}`, and apply that first"
            )],
        });
    }
}

/// Returns the record of a resource that stays on its host: on another one, a file of the same name is somebody else's.
fn recorded_here<'p>(planner: &'p Planner<'_>, node: &Node) -> Option<&'p ResourceRecord> {
    let record = planner.state.resources.get(&node.address)?;
    let is_here = match (&record.backend, &node.backend) {
        (Some(old), Some(new)) => planner.is_same_machine(old, new),
        (old, new) => old == new,
    };
    is_here.then_some(record)
}

fn step(node: &Node, action: Action, act: PlannedAct, effect: Effect) -> Step {
    let subject = Subject::Resource(node.address.clone());
    let (backend, after, follows) = (node.backend.clone(), Vec::new(), Vec::new());
    Step { subject, backend, action, act, effect, after, follows }
}

fn put() -> Effect {
    Effect::Put { depose: false, meanwhile: BTreeMap::new() }
}

/// Returns the key of an interface as it was found: what has another one by the time it is removed is not what was planned.
pub(crate) fn key_seen(
    planner: &Planner<'_>,
    backend: &BackendId,
    name: &str,
) -> Option<PublicKey> {
    match planner.picture(backend)?.interfaces.get(name)?.fields.get("public_key")? {
        Field::PublicKey(key) => Some(*key),
        _ => None,
    }
}

fn create_act(on_device: &OnDevice, down: bool) -> PlannedAct {
    PlannedAct::CreateInterface {
        name: on_device.name.clone(),
        key: on_device.key.source.clone().unwrap_or(KeySource::New),
        key_file: on_device.key.file.clone(),
        port: on_device.port,
        down,
    }
}

fn update_act(name: String, settings: BTreeMap<&'static str, PlannedSetting>) -> PlannedAct {
    PlannedAct::UpdateInterface {
        name,
        rename: None,
        key: None,
        key_file: None,
        own_keys: OwnKeys::default(),
        settings,
    }
}

/// Returns what has to be written on the device.
fn settings(planner: &Planner<'_>, node: &Node) -> BTreeMap<&'static str, PlannedSetting> {
    let kind =
        node.backend.as_ref().and_then(|backend| planner.views.get(backend)).map(|view| view.kind);
    let Some(kind) = kind else { return BTreeMap::new() };
    let writes = node.diffs.iter().filter(|diff| {
        let identifies = node.address.kind == Kind::Peer
            && matches!(diff.attribute.name, "public_key" | "interface");
        diff.is_write() && !identifies && diff.attribute.support(kind) == Support::Device
    });
    writes.map(|diff| (diff.attribute.name, setting(diff))).collect()
}

fn setting(diff: &AttributeDiff) -> PlannedSetting {
    match (&diff.elements, &diff.after) {
        (Some(elements), _) if diff.attribute.form == Form::Names => {
            let (add, remove) = (elements.add.clone(), elements.remove.clone());
            PlannedSetting::Direct(Setting::Names { add, remove })
        }
        (Some(elements), _) => {
            let parse = |set: &BTreeSet<String>| {
                set.iter().filter_map(|it| it.parse::<Cidr>().ok()).collect()
            };
            let (add, remove) = (parse(&elements.add), parse(&elements.remove));
            PlannedSetting::Direct(Setting::Elements { add, remove })
        }
        (None, Side::Unset) => PlannedSetting::Direct(Setting::Clear),
        (None, Side::Known(_) | Side::Unknown) => PlannedSetting::Wanted,
    }
}

/// Returns whether the old object has to go before the new one comes: it has the same name, or it is on a firewall, where
/// an interface that it is assigned to, or the name of one, would be in the way.
fn has_room_for_one(planner: &Planner<'_>, node: &Node, on_device: &OnDevice) -> bool {
    let is_same_name = node.reason.is_request() && on_device.renamed_from().is_none();
    let stays = on_device.old.as_ref().map(|it| &it.backend) == node.backend.as_ref();
    is_same_name || stays && planner.kind_of(node.backend.as_ref()) == BackendKind::PfSense
}

/// Returns whether the old object is removed before the new one is made, so that what only its device has would be lost.
fn goes_first(planner: &Planner<'_>, node: &Node) -> bool {
    match &node.device {
        Device::Interface(on_device) => {
            node.fate == Fate::Replace && has_room_for_one(planner, node, on_device)
        }
        Device::Peer(on_device) => {
            node.reason.is_request() || moves_alone(planner, node, on_device)
        }
        Device::Secret(_) => false,
    }
}

/// Returns whether a peer goes to another tunnel of one firewall, where its key is there once.
fn moves_alone(planner: &Planner<'_>, node: &Node, on_device: &peer::OnDevice) -> bool {
    let is_firewall = planner.kind_of(node.backend.as_ref()) == BackendKind::PfSense;
    let old = on_device.old.as_ref().filter(|_| node.fate == Fate::Replace && is_firewall);
    old.is_some_and(|old| {
        Some(&old.backend) == node.backend.as_ref() && Some(old.public_key) == on_device.public_key
    })
}

/// Returns whether an interface has its port also while it is down.
fn keeps_port(planner: &Planner<'_>, backend: &BackendId) -> bool {
    planner.kind_of(Some(backend)) == BackendKind::PfSense
}

fn is_enabled(planner: &Planner<'_>, address: &Address) -> bool {
    planner.desired[address].fields.get("enabled") != Some(&Wanted::Known(Field::Bool(false)))
}

fn takes(planner: &Planner<'_>, node: &Node, on_device: &OnDevice) -> Vec<Claim> {
    let Some(backend) = &node.backend else { return Vec::new() };
    let mut claims = vec![Claim::Name(backend.clone(), on_device.name.clone())];
    let port = match planner.desired[&node.address].fields.get("listen_port") {
        Some(Wanted::Known(Field::Number(port))) => Some(*port),
        Some(Wanted::Unknown) => None,
        _ => on_device.port,
    };
    let port = port.filter(|_| is_enabled(planner, &node.address) || keeps_port(planner, backend));
    claims.extend(port.map(|port| Claim::Port(backend.clone(), port.into())));
    claims
}

/// Returns what an interface has now.
fn gives(planner: &Planner<'_>, backend: &BackendId, name: &str) -> Vec<Claim> {
    let mut claims = vec![Claim::Name(backend.clone(), name.to_owned())];
    let found = planner.picture(backend).and_then(|picture| picture.interfaces.get(name));
    let is_up = |it: &FoundInterface| it.fields.get("enabled") != Some(&Field::Bool(false));
    if let Some(found) = found.filter(|it| is_up(it) || keeps_port(planner, backend))
        && let Some(Field::Number(port)) = found.fields.get("listen_port")
    {
        claims.push(Claim::Port(backend.clone(), u64::from(*port)));
    }
    claims
}

fn key_file(backend: Option<&BackendId>, path: Option<&PathBuf>) -> Option<Claim> {
    Some(Claim::KeyFile(backend?.clone(), path?.clone()))
}

fn recorded_key_file_of(planner: &Planner<'_>, address: &Address) -> Option<PathBuf> {
    recorded_key_file(planner.state.resources.get(address)?)
}

fn gives_networks(node: &Node) -> bool {
    let allowed_ips = node.diffs.iter().find(|diff| diff.attribute.name == "allowed_ips");
    let Some(diff) = allowed_ips.filter(|diff| diff.is_write()) else { return false };
    let list = |json: Option<&Json>| json.and_then(Json::as_array).cloned().unwrap_or_default();
    let after = match &diff.after {
        Side::Known(after) => list(Some(after)),
        Side::Unset | Side::Unknown => Vec::new(),
    };
    list(diff.before.as_ref()).iter().any(|it| !after.contains(it))
}

/// Refuses to lose what `prevent_destroy` protects, where the block that says so is still there.
fn protected_in_block(address: &Address, verb: &str) -> Refusal {
    Refusal {
        message: format!("`{address}` has `prevent_destroy`, and would be {verb}"),
        hints: vec![format!(
            "set `prevent_destroy = false` in the `lifecycle` block of `{address}`, or leave it as it is"
        )],
    }
}

/// Names whom a new key concerns.
fn new_key_note(planner: &Planner<'_>, links: &Links, view: &View, node: &Node) -> Option<Note> {
    node.interface().filter(|it| it.key.replaces_known)?;
    let refers = |address: &&Address| {
        let desired = &planner.desired[*address];
        // What is held keeps the old key.
        desired.may_hold_key_of(&node.address)
            && !desired.held.contains("public_key")
            && planner.nodes[*address].peer().is_some_and(|peer| peer.on != node.address)
    };
    let asked_for = planner.walked.iter().filter(|it| view.contains(it));
    let follow: Vec<Address> = asked_for.filter(refers).cloned().collect();
    let is_on =
        |address: &&Address| planner.nodes[*address].peer().is_some_and(|it| it.on == node.address);
    let on = planner.walked.iter().filter(is_on);
    let follows: BTreeSet<&Address> = follow.iter().collect();
    let tell = on.filter(|peer| links.other_end(peer).is_none_or(|other| !follows.contains(other)));
    let tell = tell.cloned().collect();
    Some(Note::NewKey { follow, tell })
}
