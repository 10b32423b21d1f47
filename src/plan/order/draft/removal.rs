//! What goes: objects that nobody wants any longer, that a replace has left over, or that nobody declared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value as Json;

use crate::actual::{KeyFile, OwnKeys, Picture};
use crate::config::Removed;
use crate::diagnostic::Diagnostic;
use crate::diff::{AttributeDiff, Class, Side};
use crate::plan::check;
use crate::plan::hooks;
use crate::plan::limit::listed;
use crate::plan::order::draft::{
    Claim, Draft, Drafter, PeerKey, gives, key_file, key_seen, protected_in_block,
};
use crate::plan::persist::is_left;
use crate::plan::recover::{exists, public_key};
use crate::plan::routes::recorded_rules;
use crate::plan::service;
use crate::plan::view::View;
use crate::plan::walk::interface::{diff_of, recorded_key_file};
use crate::plan::walk::{Fate, Planner};
use crate::plan::{
    Action, Effect, Note, PlannedAct, Reason, Refusal, ResourceChange, Step, Subject, UnmanagedPeer,
};
use crate::resource::{Address, BackendId, Kind, declaration};
use crate::state::{Deposed, ObjectKey, ResourceRecord};

impl Drafter {
    pub(crate) fn deletions(
        &mut self,
        planner: &mut Planner<'_>,
        view: &View,
        claimed: &BTreeMap<PeerKey, Address>,
    ) {
        let left_out: BTreeSet<Address> = planner.left_out.values().flatten().cloned().collect();
        let owned: Vec<Address> = planner.state.resources.keys().cloned().collect();
        let mut forgotten: BTreeMap<BackendId, Vec<String>> = BTreeMap::new();
        // Peers sort after interfaces, and go first.
        for address in owned.iter().rev().filter(|it| view.contains(it) && !left_out.contains(it)) {
            let removed = planner.removed.get(address).cloned();
            let is_wanted = planner.desired.contains_key(address);
            if let Some(Removed { destroy: false, at }) = removed {
                let reason = Reason::Removed(at.clone());
                if planner.stays_held(address, Action::Forget, reason) {
                    continue;
                }
                self.forget(planner, address, at);
                continue;
            }
            let reason =
                if planner.options.destroy { Reason::Destroy } else { Reason::NotConfigured };
            if !is_wanted && planner.stays_held(address, Action::Delete, reason) {
                continue;
            }
            let deposed = self.deposed(planner, address, claimed);
            let is_pending = planner.nodes.get(address).is_some_and(|it| it.fate == Fate::Pending);
            if is_pending || !planner.desired.contains_key(address) {
                let reason = match (planner.options.destroy, is_pending) {
                    (true, _) => Reason::Destroy,
                    (false, true) => Reason::BecamePending,
                    (false, false) => {
                        removed.map_or(Reason::NotConfigured, |it| Reason::Removed(it.at))
                    }
                };
                let backend = planner.state.resources[address].backend.clone();
                self.delete(planner, address, reason, claimed, deposed);
                let is_forgotten = !planner.state.resources.contains_key(address);
                if let Some(backend) = backend.filter(|_| is_forgotten) {
                    forgotten.entry(backend).or_default().push(format!("`{address}`"));
                }
            }
        }
        if planner.options.destroy {
            planner.warnings.extend(forgotten.iter().map(|(id, names)| already_gone(id, names)));
        }
    }

    /// Lets a resource be nobody's. Its object, and those that it replaced, stay on their devices.
    fn forget(&mut self, planner: &mut Planner<'_>, address: &Address, at: String) {
        let Some(record) = planner.state.resources.get_mut(address) else { return };
        // The state would take up an older object in the place of one that goes.
        let older = std::mem::take(&mut record.deposed).len();
        let record = record.clone();
        planner.state_differs |= older > 0;
        let subject = Subject::Resource(address.clone());
        self.push(Draft::new(Step {
            subject: subject.clone(),
            backend: None,
            action: Action::Forget,
            act: PlannedAct::Record,
            effect: Effect::Remove,
            after: Vec::new(),
            follows: Vec::new(),
        }));
        self.changes.push(ResourceChange {
            subject,
            action: Action::Forget,
            reason: Reason::Removed(at),
            attributes: gone(address.kind, &record),
            backend: record.backend,
            sensitive: BTreeSet::new(),
            notes: (older > 0).then_some(Note::OlderStay(older)).into_iter().collect(),
        });
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
        if backend.as_ref().is_some_and(|backend| !is_known(planner, backend))
            || planner.refuse_renamed(address, "it would be forgotten and stay")
        {
            return;
        }
        let has_successor = backend.as_ref().and_then(|backend| planner.picture(backend));
        if record.is_gone && has_successor.is_some_and(|it| exists(it, &record.object)) {
            // What is there by now under its name is somebody else's.
            planner.state.resources.remove(address);
            planner.state_differs = true;
            return;
        }
        let leaves_files = leaves_files(planner, &record) || planner.strays.contains_key(address);
        let is_gone = !is_there(planner, backend.as_ref(), &record.object);
        let old_rules = recorded_rules(planner, address);
        if is_gone && !leaves_files && old_rules.is_empty() && record.deposed.is_empty() {
            // It is gone already, and nobody wants it back.
            planner.state.resources.remove(address);
            planner.state_differs = true;
            return;
        }
        match (&reason, planner.desired.get(address)) {
            (Reason::BecamePending, Some(desired)) if desired.prevent_destroy => {
                planner.refuse(address, protected_in_block(address, "destroyed"));
            }
            (Reason::BecamePending, Some(_)) => {}
            _ if record.prevent_destroy && !is_gone => planner.refuse(address, protected(address)),
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
            follows: Vec::new(),
        });
        draft.gives = gives_up;
        draft.taken_over_by = taken_over_by.filter(|taker| taker != address);
        draft.after = deposed;
        if !old_rules.is_empty() {
            draft.after.push(self.drop_rules(&draft.step, &record, old_rules));
        }
        self.push(draft);
        let attributes = gone(address.kind, &record);
        self.changes.push(ResourceChange {
            subject,
            backend,
            action: Action::Delete,
            reason,
            attributes,
            sensitive: BTreeSet::new(),
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
            let record = record_of(planner, address, &deposed);
            let has_left_key =
                left_key_file(planner, &deposed).is_some() && left_key(planner, &record);
            if has_left_key
                || left_boot_files(planner, &record)
                || is_there(planner, Some(&deposed.backend), &deposed.object)
            {
                removals.push(self.remove_deposed(planner, address, &deposed, claimed));
            } else if planner.picture(&deposed.backend).is_some_and(Picture::is_starting) {
                // It may only not be loaded yet.
            } else if let Some(record) = planner.state.resources.get_mut(address) {
                record
                    .deposed
                    .retain(|it| it.object != deposed.object || it.backend != deposed.backend);
                planner.state_differs = true;
            }
        }
        removals
    }

    fn remove_deposed(
        &mut self,
        planner: &Planner<'_>,
        address: &Address,
        deposed: &Deposed,
        claimed: &BTreeMap<PeerKey, Address>,
    ) -> usize {
        let subject = Subject::Resource(address.clone());
        let backend = Some(deposed.backend.clone());
        let mut draft = Draft::new(Step {
            subject: subject.clone(),
            backend: backend.clone(),
            action: Action::Delete,
            act: deposed_act(planner, deposed, claimed),
            effect: Effect::RemoveDeposed(deposed.object.clone()),
            after: Vec::new(),
            follows: Vec::new(),
        });
        draft.taken_over_by = taker(deposed, claimed).cloned();
        if let PlannedAct::DeleteInterface { name, own_keys, .. } = &draft.step.act {
            let on = Some(&deposed.backend);
            draft.gives = gives(planner, &deposed.backend, name);
            draft.gives.extend(own_keys.remove.iter().filter_map(|it| key_file(on, Some(it))));
        }
        let record = record_of(planner, address, deposed);
        let hooks = match &record.object {
            ObjectKey::Interface { name, .. } => hooks::removal_note(planner, &record, name),
            ObjectKey::Peer { .. } | ObjectKey::PresharedKey {} => None,
        };
        let released = match &record.object {
            ObjectKey::Interface { name, .. } => planner
                .picture(&deposed.backend)
                .and_then(|it| it.interfaces.get(name))
                .and_then(service::released),
            ObjectKey::Peer { .. } | ObjectKey::PresharedKey {} => None,
        };
        self.changes.push(ResourceChange {
            subject,
            backend,
            action: Action::Delete,
            reason: Reason::Deposed,
            attributes: gone(address.kind, &record),
            sensitive: BTreeSet::new(),
            notes: hooks.into_iter().chain(released).collect(),
        });
        self.push(draft)
    }

    pub(crate) fn unmanaged(&mut self, peer: &UnmanagedPeer) {
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
            follows: Vec::new(),
        }));
        let allowed_ips = Json::from(peer.allowed_ips.clone());
        let before = |name, json| diff_of(name, Some(json), Side::Unset, Class::Change);
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
}

/// Names what a destroy finds nowhere.
fn already_gone(backend: &BackendId, names: &[String]) -> Diagnostic {
    Diagnostic::warning("destroy of what is gone already").help(format!(
        "On backend `{backend}` there is nothing left of {}, which the state forgets. If that is a surprise, look there first.",
        listed(names)
    ))
}

/// Returns what the state would say of a replaced object if it were still in use.
fn record_of(planner: &Planner<'_>, address: &Address, deposed: &Deposed) -> ResourceRecord {
    ResourceRecord {
        backend: Some(deposed.backend.clone()),
        attributes: deposed.attributes.clone(),
        object: deposed.object.clone(),
        ..planner.state.resources[address].clone()
    }
}

/// Returns how an object that was replaced goes: a peer that another resource is now stays.
fn deposed_act(
    planner: &Planner<'_>,
    deposed: &Deposed,
    claimed: &BTreeMap<PeerKey, Address>,
) -> PlannedAct {
    match &deposed.object {
        ObjectKey::Interface { name, .. } => {
            let own_keys = own_keys(&deposed.object, left_key_file(planner, deposed), None);
            let remove_boot_files = planner.files_of(&deposed.backend, &deposed.attributes);
            PlannedAct::DeleteInterface {
                name: name.clone(),
                public_key: key_seen(planner, &deposed.backend, name),
                own_keys,
                remove_boot_files,
            }
        }
        ObjectKey::Peer { interface, public_key: _ } => {
            match public_key(&deposed.object).filter(|_| taker(deposed, claimed).is_none()) {
                Some(public_key) => {
                    PlannedAct::DeletePeer { interface: interface.clone(), public_key }
                }
                None => PlannedAct::Record,
            }
        }
        ObjectKey::PresharedKey {} => PlannedAct::Record,
    }
}

/// Returns the resource that a replaced peer is now, or is to be.
fn taker<'c>(deposed: &Deposed, claimed: &'c BTreeMap<PeerKey, Address>) -> Option<&'c Address> {
    match &deposed.object {
        ObjectKey::Peer { interface, public_key } => {
            claimed.get(&(deposed.backend.clone(), interface.clone(), public_key.clone()))
        }
        ObjectKey::Interface { .. } | ObjectKey::PresharedKey {} => None,
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
            let strays = planner.strays.get(address);
            let own_keys = own_keys(&record.object, recorded_key_file(record), strays);
            let is_forced = record.attributes.get("force_destroy") == Some(&Json::Bool(true));
            let doomed = check::Doomed { address, verb: "destroyed", is_forced };
            let foreign = check::guard_destroy(planner, &doomed, backend, name);
            let mut gives_up = gives(planner, backend, name);
            gives_up
                .extend(own_keys.remove.iter().filter_map(|it| key_file(Some(backend), Some(it))));
            let unmanaged = (foreign > 0).then_some(Note::UnmanagedGo(foreign));
            let hooks = hooks::removal_note(planner, record, name);
            let found = planner.picture(backend).and_then(|it| it.interfaces.get(name));
            let released = found.and_then(service::released);
            Removal {
                act: PlannedAct::DeleteInterface {
                    name: name.clone(),
                    public_key: key_seen(planner, backend, name),
                    own_keys,
                    remove_boot_files: planner.files_of(backend, &record.attributes),
                },
                gives_up,
                notes: unmanaged.into_iter().chain(hooks).chain(released).collect(),
                taken_over_by: None,
            }
        }
        (ObjectKey::Peer { interface, public_key: text }, Some(backend)) => {
            let taker = claimed.get(&(backend.clone(), interface.clone(), text.clone())).cloned();
            let is_absent = is_only_recorded(planner, backend, &record.object)
                || !is_there(planner, Some(backend), &record.object);
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

/// Returns whether an interface that is gone has left files behind that go with it.
pub(crate) fn leaves_files(planner: &Planner<'_>, record: &ResourceRecord) -> bool {
    left_key(planner, record) || left_boot_files(planner, record)
}

fn left_boot_files(planner: &Planner<'_>, record: &ResourceRecord) -> bool {
    let picture = record.backend.as_ref().and_then(|backend| planner.picture(backend));
    let is_taken = || {
        let backend = record.backend.as_ref();
        backend.is_none_or(|backend| planner.files_of(backend, &record.attributes).is_empty())
    };
    picture.is_some_and(|picture| is_left(picture, &record.attributes)) && !is_taken()
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

/// Returns what goes with an object of the key files.
pub(crate) fn own_keys(
    object: &ObjectKey,
    file: Option<PathBuf>,
    strays: Option<&OwnKeys>,
) -> OwnKeys {
    let mut all = strays.cloned().unwrap_or_default();
    all.keys.extend(public_key(object));
    all.remove.extend(file);
    all
}

/// Returns whether anything is known of a backend: it was read, or what was last applied counts.
fn is_known(planner: &Planner<'_>, backend: &BackendId) -> bool {
    let is_trusted = !planner.verdict.refusals.contains_key(backend);
    is_trusted && (planner.options.without_refresh || planner.picture(backend).is_some())
}

pub(crate) fn is_there(
    planner: &Planner<'_>,
    backend: Option<&BackendId>,
    object: &ObjectKey,
) -> bool {
    let Some(backend) = backend else { return true };
    match planner.picture(backend) {
        Some(picture) => exists(picture, object) || is_only_recorded(planner, backend, object),
        None => planner.options.without_refresh,
    }
}

/// Returns whether an object is disabled and nowhere but in the state.
pub(crate) fn is_only_recorded(
    planner: &Planner<'_>,
    backend: &BackendId,
    object: &ObjectKey,
) -> bool {
    let is_on_device = planner.picture(backend).is_some_and(|picture| exists(picture, object));
    let owner = match object {
        ObjectKey::Peer { interface, .. } => public_key(object)
            .and_then(|key| planner.owners.peer(backend, interface, key))
            .and_then(|owner| planner.state.resources.get(owner)),
        ObjectKey::Interface { .. } | ObjectKey::PresharedKey {} => None,
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

/// Returns the attributes of an object that goes.
pub(crate) fn gone(kind: Kind, record: &ResourceRecord) -> Vec<AttributeDiff> {
    let mut values = Planner::recorded_values(record, kind);
    match &record.object {
        ObjectKey::Interface { name, public_key } => {
            values.insert("name", name.clone().into());
            values.insert("public_key", public_key.clone().into());
        }
        ObjectKey::Peer { public_key, .. } => {
            values.insert("public_key", public_key.clone().into());
        }
        ObjectKey::PresharedKey {} => {}
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
