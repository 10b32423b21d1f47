//! What each resource's fate means in writes, before they are in order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value as Json;

use crate::actual::KeyFile;
use crate::config::Wanted;
use crate::diff::{AttributeDiff, Class, Side};
use crate::link::Links;
use crate::plan::check::{self, Unmanaged};
use crate::plan::order::View;
use crate::plan::recover::{exists, public_key};
use crate::plan::walk::interface::{OnDevice, recorded_key_file};
use crate::plan::walk::{Device, Fate, Node, Planner, peer};
use crate::plan::{
    Action, Effect, KeySource, Note, PlannedAct, PlannedSetting, Reason, Refusal, ResourceChange,
    Step, Subject,
};
use crate::resource::{Address, BackendId, Field, Kind, Setting, Support, declaration};
use crate::state::{Deposed, ObjectKey, ResourceRecord};
use crate::value::Cidr;

/// A name or a port on one system: only one can have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Claim {
    /// The name of a link.
    Name(BackendId, String),
    /// The port of an interface that is up.
    Port(BackendId, u64),
    /// A file with a private key.
    KeyFile(BackendId, std::path::PathBuf),
}

/// A step with what decides its place.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) step: Step,
    /// Drafts by number that come before, for a reason of their own.
    pub(crate) after: Vec<usize>,
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
    let mut drafter = Drafter { drafts: Vec::new(), changes: Vec::new() };
    let walked: Vec<Address> =
        planner.walked.iter().filter(|it| view.contains(it)).cloned().collect();
    let claimed = claimed_peers(planner);
    for address in &walked {
        if !planner.nodes[address].is_change() {
            continue;
        }
        let node = &planner.nodes[address];
        drafter.node(planner, node, &claimed);
        let notes = new_key_note(planner, links, node).into_iter();
        drafter.change(planner, node, notes);
    }
    drafter.guard_replaced(planner, &walked);
    drafter.deletions(planner, view, &claimed);
    for peer in &unmanaged.remove {
        drafter.unmanaged(peer);
    }
    Drafts { drafts: drafter.drafts, changes: drafter.changes }
}

type PeerKey = (BackendId, String, String);

/// Returns the objects that peers are to be: an object that changes hands is not removed.
fn claimed_peers(planner: &Planner<'_>) -> BTreeMap<PeerKey, Address> {
    let peers = planner.nodes.values().filter(|node| node.fate != Fate::Pending);
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

struct Drafter {
    drafts: Vec<Draft>,
    changes: Vec<ResourceChange>,
}

impl Drafter {
    fn push(&mut self, draft: Draft) -> usize {
        self.drafts.push(draft);
        self.drafts.len() - 1
    }

    fn node(&mut self, planner: &Planner<'_>, node: &Node, claimed: &BTreeMap<PeerKey, Address>) {
        match &node.device {
            Device::Interface(on_device) => match node.fate {
                Fate::Create => self.create_interface(planner, node, on_device),
                Fate::Replace => self.replace_interface(planner, node, on_device),
                Fate::Keep | Fate::Pending => self.update_interface(planner, node, on_device),
            },
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
        let mut draft = Draft::new(step(node, Action::Create, act, put()));
        draft.takes = takes(planner, node, on_device);
        draft.takes.extend(key_file(node.backend.as_ref(), on_device.key.file.as_ref()));
        if let Some(outdated) = outdated_key_file(planner, node, on_device) {
            // A key that somebody else may have put there is not overwritten; ours goes, now that there is a new one.
            let (name, remove_key_file) = (on_device.name.clone(), Some(outdated));
            let act = PlannedAct::DeleteInterface { name, remove_key_file };
            let clean = self.push(Draft::new(step(node, Action::Delete, act, Effect::Nothing)));
            draft.after.push(clean);
        }
        let create = self.push(draft);
        if let Some(old_file) = &on_device.key.remove_file {
            // It was kept under another name when its link was lost.
            let mut act = update_act(on_device.name.clone(), BTreeMap::new());
            if let PlannedAct::UpdateInterface { remove_key_file, .. } = &mut act {
                *remove_key_file = Some(old_file.clone());
            }
            let mut clean = Draft::new(step(node, Action::Update, act, Effect::Nothing));
            clean.after = vec![create];
            self.push(clean);
        }
    }

    /// What is replaced is destroyed, too, and is guarded as well.
    fn guard_replaced(&mut self, planner: &mut Planner<'_>, walked: &[Address]) {
        for address in walked {
            let node = &planner.nodes[address];
            if node.fate != Fate::Replace {
                continue;
            }
            let desired = &planner.desired[address];
            let is_forced =
                desired.fields.get("force_destroy") == Some(&Wanted::Known(Field::Bool(true)));
            let old = node.interface().and_then(|it| it.old.clone());
            if desired.prevent_destroy {
                planner.refusals.push(protected_in_block(address, "replaced"));
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
        let is_up = is_enabled(planner, &node.address);
        let mut meanwhile = BTreeMap::new();
        if is_up {
            meanwhile.insert("enabled", Json::Bool(false));
        }
        let effect = Effect::Put { depose: true, meanwhile };
        let mut create =
            Draft::new(step(node, Action::Replace, create_act(on_device, is_up), effect));
        let (names, ports): (Vec<_>, Vec<_>) = takes(planner, node, on_device)
            .into_iter()
            .partition(|it| matches!(it, Claim::Name(..)));
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
        let is_one_place = match (&backend, &node.backend) {
            (Some(old), Some(new)) => planner.is_same_machine(old, new),
            (old, new) => old == new,
        };
        let is_shared = old_file == on_device.key.file && is_one_place;
        let old_file = old_file.filter(|_| !is_shared);
        let file = key_file(backend.as_ref(), old_file.as_ref());
        let act = PlannedAct::DeleteInterface { name: name.clone(), remove_key_file: old_file };
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
        let is_key_untouched = key.source.is_none() && key.remove_file.is_none();
        let act = if settings.is_empty() && rename.is_none() && is_key_untouched {
            PlannedAct::Record
        } else {
            let name = on_device.renamed_from().unwrap_or(&on_device.name).to_owned();
            PlannedAct::UpdateInterface {
                name,
                key_file: key_file_now(planner, node, on_device, rename.is_some()),
                remove_key_file: key.remove_file.clone(),
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
        if let PlannedAct::UpdateInterface { key_file: now, remove_key_file: old, .. } =
            &draft.step.act
        {
            draft.gives.extend(key_file(node.backend.as_ref(), old.as_ref()));
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
        let is_wanted_there = on_device.is_enabled || on_device.is_there;
        let is_update = on_device.is_there || node.fate == Fate::Keep;
        let act = match (is_update, on_device.public_key) {
            (true, Some(_)) if settings.is_empty() || !is_wanted_there => PlannedAct::Record,
            (true, Some(public_key)) => PlannedAct::UpdatePeer { interface, public_key, settings },
            _ if !on_device.is_enabled => PlannedAct::Record,
            (_, public_key) => PlannedAct::CreatePeer { interface, public_key },
        };
        let removes_old = node.fate == Fate::Replace
            && on_device.old.as_ref().is_some_and(|old| self.is_to_go(planner, old, claimed));
        let effect = Effect::Put { depose: removes_old, meanwhile: BTreeMap::new() };
        let mut draft = Draft::new(step(node, action, act, effect));
        draft.gives_networks = gives_networks(node);
        let made = self.push(draft);
        let Some(old) = on_device.old.as_ref().filter(|_| removes_old) else { return };
        // By then the interface has its new name, if it gets one.
        let renamed = planner.nodes.values().find_map(|node| {
            let is_there = node.backend.as_ref() == Some(&old.backend) && node.fate == Fate::Keep;
            let on = node.interface().filter(|_| is_there)?;
            (on.renamed_from() == Some(old.interface.as_str())).then(|| on.name.clone())
        });
        let interface = renamed.unwrap_or_else(|| old.interface.clone());
        let public_key = old.public_key;
        let object =
            ObjectKey::Peer { interface: interface.clone(), public_key: public_key.to_string() };
        let act = PlannedAct::DeletePeer { interface, public_key };
        let mut remove = Draft::new(step(node, Action::Delete, act, Effect::RemoveDeposed(object)));
        remove.step.backend = Some(old.backend.clone());
        remove.after = vec![made];
        self.push(remove);
    }

    /// Returns whether the object that a peer was has to be removed by a step of its own: it is there, nobody takes it
    /// over, and its interface does not go.
    fn is_to_go(
        &self,
        planner: &Planner<'_>,
        old: &peer::Old,
        claimed: &BTreeMap<PeerKey, Address>,
    ) -> bool {
        let key = (old.backend.clone(), old.interface.clone(), old.public_key.to_string());
        let object = ObjectKey::Peer { interface: key.1.clone(), public_key: key.2.clone() };
        !claimed.contains_key(&key)
            && is_there(planner, Some(&old.backend), &object)
            && !is_only_recorded(planner, &old.backend, &object)
    }

    fn deletions(
        &mut self,
        planner: &mut Planner<'_>,
        view: &View,
        claimed: &BTreeMap<PeerKey, Address>,
    ) {
        let left_out: BTreeSet<Address> = planner.left_out.values().flatten().cloned().collect();
        let owned: Vec<Address> = planner.state.resources.keys().cloned().collect();
        // Peers sort after interfaces, and go first.
        for address in owned.iter().rev().filter(|it| view.contains(it) && !left_out.contains(it)) {
            let deposed = self.deposed(planner, address, claimed);
            let is_pending = planner.nodes.get(address).is_some_and(|it| it.fate == Fate::Pending);
            if is_pending || !planner.desired.contains_key(address) {
                let reason = match (planner.options.destroy, is_pending) {
                    (true, _) => Reason::Destroy,
                    (false, true) => Reason::BecamePending,
                    (false, false) => Reason::NotConfigured,
                };
                self.delete(planner, address, reason, claimed, deposed);
            }
        }
    }

    fn delete(
        &mut self,
        planner: &mut Planner<'_>,
        address: &Address,
        reason: Reason,
        claimed: &BTreeMap<PeerKey, Address>,
        deposed: Vec<usize>,
    ) {
        let record = planner.state.resources[address].clone();
        let backend = record.backend.clone();
        if backend.as_ref().is_some_and(|backend| !is_known(planner, backend)) {
            return;
        }
        let has_left_key = left_key(planner, &record);
        let is_gone = !is_there(planner, backend.as_ref(), &record.object);
        if is_gone && !has_left_key && record.deposed.is_empty() {
            // It is gone already, and nobody wants it back.
            planner.state.resources.remove(address);
            planner.state_differs = true;
            return;
        }
        match (&reason, planner.desired.get(address)) {
            (Reason::BecamePending, Some(desired)) if desired.prevent_destroy => {
                planner.refusals.push(protected_in_block(address, "destroyed"));
            }
            (Reason::BecamePending, Some(_)) => {}
            _ if record.prevent_destroy && !is_gone => planner.refusals.push(protected(address)),
            _ => {}
        }
        let Removal { act, gives_up, notes, taken_over_by } =
            removal(planner, address, &record, claimed);
        let subject = Subject::Resource(address.clone());
        let mut draft = Draft::new(Step {
            subject: subject.clone(),
            backend: backend.clone(),
            action: Action::Delete,
            act,
            effect: Effect::Remove,
            after: Vec::new(),
        });
        draft.gives = gives_up;
        draft.taken_over_by = taken_over_by.filter(|taker| taker != address);
        draft.after = deposed;
        self.push(draft);
        let attributes = gone(address.kind, &record);
        let sensitive = BTreeSet::new();
        let action = Action::Delete;
        self.changes.push(ResourceChange {
            subject,
            backend,
            action,
            reason,
            attributes,
            sensitive,
            notes,
        });
    }

    /// Removes objects that an earlier apply replaced and did not get to remove; returns the drafts.
    fn deposed(
        &mut self,
        planner: &mut Planner<'_>,
        address: &Address,
        claimed: &BTreeMap<PeerKey, Address>,
    ) -> Vec<usize> {
        let mut removals = Vec::new();
        for deposed in planner.state.resources[address].deposed.clone() {
            if !is_known(planner, &deposed.backend) {
                continue;
            }
            let effect = Effect::RemoveDeposed(deposed.object.clone());
            let act = match &deposed.object {
                ObjectKey::Interface { name, .. } => {
                    let remove_key_file = left_key_file(planner, &deposed);
                    PlannedAct::DeleteInterface { name: name.clone(), remove_key_file }
                }
                ObjectKey::Peer { interface, public_key: text } => {
                    let key = (deposed.backend.clone(), interface.clone(), text.clone());
                    match public_key(&deposed.object).filter(|_| !claimed.contains_key(&key)) {
                        Some(public_key) => {
                            PlannedAct::DeletePeer { interface: interface.clone(), public_key }
                        }
                        None => PlannedAct::Record,
                    }
                }
                ObjectKey::PresharedKey => PlannedAct::Record,
            };
            if !is_there(planner, Some(&deposed.backend), &deposed.object) {
                if let Some(record) = planner.state.resources.get_mut(address) {
                    record
                        .deposed
                        .retain(|it| it.object != deposed.object || it.backend != deposed.backend);
                    planner.state_differs = true;
                }
                continue;
            }
            let subject = Subject::Resource(address.clone());
            let backend = Some(deposed.backend.clone());
            let mut draft = Draft::new(Step {
                subject: subject.clone(),
                backend: backend.clone(),
                action: Action::Delete,
                act,
                effect,
                after: Vec::new(),
            });
            if let PlannedAct::DeleteInterface { name, remove_key_file } = &draft.step.act {
                let file = key_file(Some(&deposed.backend), remove_key_file.as_ref());
                draft.gives = gives(planner, &deposed.backend, name);
                draft.gives.extend(file);
            }
            removals.push(self.push(draft));
            let record = ResourceRecord {
                attributes: deposed.attributes.clone(),
                object: deposed.object.clone(),
                ..planner.state.resources[address].clone()
            };
            self.changes.push(ResourceChange {
                subject,
                backend,
                action: Action::Delete,
                reason: Reason::Deposed,
                attributes: gone(address.kind, &record),
                sensitive: BTreeSet::new(),
                notes: Vec::new(),
            });
        }
        removals
    }

    fn unmanaged(&mut self, peer: &crate::plan::UnmanagedPeer) {
        let subject =
            Subject::Unmanaged { interface: peer.interface.clone(), public_key: peer.public_key };
        let act = PlannedAct::DeletePeer {
            interface: peer.interface_name.clone(),
            public_key: peer.public_key,
        };
        let backend = Some(peer.backend.clone());
        self.push(Draft::new(Step {
            subject: subject.clone(),
            backend: backend.clone(),
            action: Action::Delete,
            act,
            effect: Effect::Nothing,
            after: Vec::new(),
        }));
        let allowed_ips = Json::from(peer.allowed_ips.clone());
        let before = |name, json| {
            crate::plan::walk::interface::one(name, Some(json), Side::Unset, Class::Change)
        };
        self.changes.push(ResourceChange {
            subject,
            backend,
            action: Action::Delete,
            reason: Reason::Unmanaged,
            attributes: vec![
                before("public_key", Json::from(peer.public_key.to_string())),
                before("allowed_ips", allowed_ips),
            ],
            sensitive: BTreeSet::new(),
            notes: vec![Note::LastHandshake(peer.handshake_age)],
        });
    }

    fn change(&mut self, planner: &Planner<'_>, node: &Node, notes: impl Iterator<Item = Note>) {
        let action = match node.fate {
            Fate::Create => Action::Create,
            Fate::Replace => Action::Replace,
            Fate::Keep | Fate::Pending => Action::Update,
        };
        self.changes.push(ResourceChange {
            subject: Subject::Resource(node.address.clone()),
            backend: node.backend.clone(),
            action,
            reason: node.reason.clone(),
            attributes: node.diffs.clone(),
            sensitive: planner.desired[&node.address].sensitive.clone(),
            notes: node.notes.iter().cloned().chain(notes).collect(),
        });
    }
}

/// What takes an object from its device.
struct Removal {
    act: PlannedAct,
    gives_up: Vec<Claim>,
    notes: Vec<Note>,
    taken_over_by: Option<Address>,
}

/// Decides how an owned object goes: removed, or left to the one that takes it over.
fn removal(
    planner: &mut Planner<'_>,
    address: &Address,
    record: &ResourceRecord,
    claimed: &BTreeMap<PeerKey, Address>,
) -> Removal {
    let nothing = |taken_over_by| Removal {
        act: PlannedAct::Record,
        gives_up: Vec::new(),
        notes: Vec::new(),
        taken_over_by,
    };
    match (&record.object, &record.backend) {
        (ObjectKey::Interface { name, .. }, Some(backend)) => {
            let file = recorded_key_file(record);
            let is_forced = record.attributes.get("force_destroy") == Some(&Json::Bool(true));
            let doomed = check::Doomed { address, verb: "destroyed", is_forced };
            let foreign = check::guard_destroy(planner, &doomed, backend, name);
            let mut gives_up = gives(planner, backend, name);
            gives_up.extend(key_file(Some(backend), file.as_ref()));
            Removal {
                act: PlannedAct::DeleteInterface { name: name.clone(), remove_key_file: file },
                gives_up,
                notes: (foreign > 0).then_some(Note::UnmanagedGo(foreign)).into_iter().collect(),
                taken_over_by: None,
            }
        }
        (ObjectKey::Peer { interface, public_key: text }, Some(backend)) => {
            let taker = claimed.get(&(backend.clone(), interface.clone(), text.clone())).cloned();
            let is_absent = is_only_recorded(planner, backend, &record.object);
            let is_left = taker.is_some() || is_absent;
            let interface = interface.clone();
            let act = public_key(&record.object)
                .filter(|_| !is_left)
                .map(|public_key| PlannedAct::DeletePeer { interface, public_key });
            Removal { act: act.unwrap_or(PlannedAct::Record), ..nothing(taker) }
        }
        _ => nothing(None),
    }
}

/// Returns the file of a key of ours that a new one takes the place of.
fn outdated_key_file(
    planner: &Planner<'_>,
    node: &Node,
    on_device: &OnDevice,
) -> Option<std::path::PathBuf> {
    let record = planner.state.resources.get(&node.address)?;
    let is_new = matches!(on_device.key.source, Some(KeySource::New));
    let path = recorded_key_file(record)
        .filter(|path| is_new && on_device.key.file.as_ref() == Some(path))?;
    let picture = planner.picture(node.backend.as_ref()?)?;
    picture.key_files.contains_key(&path).then_some(path)
}

/// Returns whether a key that wgform keeps for an interface is still in its file.
fn left_key(planner: &Planner<'_>, record: &ResourceRecord) -> bool {
    let picture = record.backend.as_ref().and_then(|backend| planner.picture(backend));
    let path = recorded_key_file(record);
    match picture.zip(path).and_then(|(picture, path)| picture.key_files.get(&path)) {
        Some(KeyFile::Key(key)) => Some(key.public()) == public_key(&record.object),
        _ => false,
    }
}

fn step(node: &Node, action: Action, act: PlannedAct, effect: Effect) -> Step {
    let subject = Subject::Resource(node.address.clone());
    Step { subject, backend: node.backend.clone(), action, act, effect, after: Vec::new() }
}

fn put() -> Effect {
    Effect::Put { depose: false, meanwhile: BTreeMap::new() }
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
        remove_key_file: None,
        settings,
    }
}

/// The key file follows a rename, with the key that the device has.
fn key_file_now(
    planner: &Planner<'_>,
    node: &Node,
    on_device: &OnDevice,
    is_renamed: bool,
) -> Option<std::path::PathBuf> {
    let record = planner.state.resources.get(&node.address)?;
    let is_kept = recorded_key_file(record).is_some() || on_device.key.file.is_some();
    let moves = is_renamed && recorded_key_file(record) != on_device.key_file;
    on_device.key.file.clone().or_else(|| on_device.key_file.clone().filter(|_| is_kept && moves))
}

fn key_source_now(planner: &Planner<'_>, node: &Node, on_device: &OnDevice) -> Option<KeySource> {
    if on_device.key.source.is_some() || on_device.renamed_from().is_none() {
        return on_device.key.source.clone();
    }
    let record = planner.state.resources.get(&node.address)?;
    recorded_key_file(record).filter(|old| Some(old) != on_device.key_file.as_ref())?;
    let picture = planner.picture(node.backend.as_ref()?)?;
    let held = picture.interfaces.get(on_device.renamed_from()?)?.private_key.clone()?;
    Some(KeySource::Held(held))
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
    let port = port.filter(|_| is_enabled(planner, &node.address));
    claims.extend(port.map(|port| Claim::Port(backend.clone(), port.into())));
    claims
}

/// Returns what an interface has now.
fn gives(planner: &Planner<'_>, backend: &BackendId, name: &str) -> Vec<Claim> {
    let mut claims = vec![Claim::Name(backend.clone(), name.to_owned())];
    let found = planner.picture(backend).and_then(|picture| picture.interfaces.get(name));
    if let Some(found) = found.filter(|it| it.fields.get("enabled") != Some(&Field::Bool(false)))
        && let Some(Field::Number(port)) = found.fields.get("listen_port")
    {
        claims.push(Claim::Port(backend.clone(), u64::from(*port)));
    }
    claims
}

fn key_file(backend: Option<&BackendId>, path: Option<&std::path::PathBuf>) -> Option<Claim> {
    Some(Claim::KeyFile(backend?.clone(), path?.clone()))
}

fn recorded_key_file_of(planner: &Planner<'_>, address: &Address) -> Option<std::path::PathBuf> {
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

fn is_disabled(record: &ResourceRecord) -> bool {
    record.attributes.get("enabled") == Some(&Json::Bool(false))
}

/// Returns the key file of a replaced interface, unless an interface that is in use keeps its key there.
fn left_key_file(planner: &Planner<'_>, deposed: &Deposed) -> Option<PathBuf> {
    let file = PathBuf::from(deposed.attributes.get("key_file")?.as_str()?);
    let is_used = planner.state.resources.values().any(|record| {
        let on = record.backend.as_ref();
        recorded_key_file(record).as_ref() == Some(&file)
            && on.is_some_and(|on| planner.is_same_machine(on, &deposed.backend))
    });
    (!is_used).then_some(file)
}

/// Returns whether anything is known of a backend: it was read, or what was last applied counts.
fn is_known(planner: &Planner<'_>, backend: &BackendId) -> bool {
    let is_trusted = !planner.verdict.refusals.contains_key(backend);
    is_trusted && (planner.options.without_refresh || planner.picture(backend).is_some())
}

fn is_there(planner: &Planner<'_>, backend: Option<&BackendId>, object: &ObjectKey) -> bool {
    let Some(backend) = backend else { return true };
    match planner.picture(backend) {
        Some(picture) => exists(picture, object) || is_only_recorded(planner, backend, object),
        None => planner.options.without_refresh,
    }
}

/// Returns whether an object is disabled and nowhere but in the state.
fn is_only_recorded(planner: &Planner<'_>, backend: &BackendId, object: &ObjectKey) -> bool {
    let is_on_device = planner.picture(backend).is_some_and(|picture| exists(picture, object));
    let owner = match object {
        ObjectKey::Peer { interface, .. } => public_key(object)
            .and_then(|key| planner.owners.peer(backend, interface, key))
            .and_then(|owner| planner.state.resources.get(owner)),
        ObjectKey::Interface { .. } | ObjectKey::PresharedKey => None,
    };
    owner.is_some_and(|record| record.object == *object && is_disabled(record)) && !is_on_device
}

fn protected(address: &Address) -> Refusal {
    Refusal {
        message: format!("`{address}` has `prevent_destroy`, and would be destroyed"),
        hints: vec![format!(
            "set `prevent_destroy = false` in the `lifecycle` block of `{address}` and apply that first"
        )],
    }
}

/// The same, where the block that says so is there.
fn protected_in_block(address: &Address, verb: &str) -> Refusal {
    Refusal {
        message: format!("`{address}` has `prevent_destroy`, and would be {verb}"),
        hints: vec![format!(
            "set `prevent_destroy = false` in the `lifecycle` block of `{address}`, or leave it as it is"
        )],
    }
}

/// Returns the attributes of an object that goes.
fn gone(kind: Kind, record: &ResourceRecord) -> Vec<AttributeDiff> {
    let mut values = Planner::recorded_values(record, kind);
    match &record.object {
        ObjectKey::Interface { name, public_key } => {
            values.insert("name", name.clone().into());
            values.insert("public_key", public_key.clone().into());
        }
        ObjectKey::Peer { public_key, .. } => {
            values.insert("public_key", public_key.clone().into());
        }
        ObjectKey::PresharedKey => {}
    }
    let all = declaration::attributes(kind).iter();
    all.filter_map(|attribute| {
        let before = values.remove(attribute.name)?;
        let (after, class) = (Side::Unset, Class::Change);
        Some(AttributeDiff {
            attribute,
            class,
            before: Some(before),
            after,
            was: None,
            elements: None,
        })
    })
    .collect()
}

/// Names whom a new key concerns.
fn new_key_note(planner: &Planner<'_>, links: &Links, node: &Node) -> Option<Note> {
    node.interface().filter(|it| it.key.replaces_known)?;
    let refers = |address: &&Address| {
        planner.desired[*address].depends_on.contains(&node.address)
            && planner.nodes[*address].peer().is_some_and(|peer| peer.on != node.address)
    };
    let follow: Vec<Address> = planner.walked.iter().filter(refers).cloned().collect();
    let is_on =
        |address: &&Address| planner.nodes[*address].peer().is_some_and(|it| it.on == node.address);
    let on = planner.walked.iter().filter(is_on);
    let tell = on.filter(|peer| links.other_end(peer).is_none_or(|other| !follow.contains(other)));
    Some(Note::NewKey { follow: follow.clone(), tell: tell.cloned().collect() })
}
