//! Drift without a configuration: what was last applied against what the devices have.
//!
//! A state says what was written, and which of it a device may change by itself. So whoever has the state and may read the
//! devices can tell what was changed there, with no variable and no secret of the configuration. Nothing here is applied: the
//! plan has no step.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value as Json;

use crate::actual::{FoundInterface, Picture};
use crate::diff::{AttributeDiff, Class, Side};
use crate::persist::{self, Style};
use crate::plan::hold::{Held, Holds};
use crate::plan::persist::{Persisted, found};
use crate::plan::recover::public_key;
use crate::plan::routes;
use crate::plan::view::View;
use crate::plan::walk::Planner;
use crate::plan::walk::interface::{diff_of, found_key};
use crate::plan::{
    Action, FileChange, Note, Plan, Reason, ResourceChange, Subject, UnmanagedPeer, check,
};
use crate::resource::{
    Address, Attribute, BackendId, BackendKind, Field, Kind, Ownership, Support, declaration,
};
use crate::state::{ObjectKey, ResourceRecord};
use crate::value::PublicKey;

/// What became of an object since it was last written.
struct Look {
    action: Action,
    reason: Reason,
    attributes: Vec<AttributeDiff>,
    notes: Vec<Note>,
}

impl Planner<'_> {
    /// Makes a plan of what an apply of the same configuration would undo.
    pub(crate) fn compared_with_state(mut self, holds: Holds) -> Plan {
        self.holds = holds;
        // Nothing says what belongs to what is named.
        let named = |all: &[Address]| all.iter().cloned().collect();
        let view = match (self.options.targets.as_slice(), self.options.excludes.as_slice()) {
            ([], []) => View::All,
            ([], excludes) => View::AllBut(named(excludes)),
            (targets, _) => View::Only(named(targets)),
        };
        let mut changes = Vec::new();
        let mut unmanaged = Vec::new();
        for (address, record) in &self.state.resources {
            if !view.contains(address) {
                continue;
            }
            if let Some(look) = self.look(address, record) {
                let held = self.take_held(address, record, look, &mut changes);
                self.held.extend(held);
            }
            unmanaged.extend(self.undeclared(address, record));
        }
        let unchecked = self.unchecked(&view);
        let holds = std::mem::take(&mut self.holds);
        let held = std::mem::take(&mut self.held);
        Plan { unchecked, unmanaged, holds, held, ..self.only_recorded(changes, view) }
    }

    /// Parts what is held from what is drift.
    fn take_held(
        &self,
        address: &Address,
        record: &ResourceRecord,
        look: Look,
        changes: &mut Vec<ResourceChange>,
    ) -> Vec<Held> {
        let Look { action, reason, attributes, notes } = look;
        let change = |attributes, notes| ResourceChange {
            subject: Subject::Resource(address.clone()),
            backend: record.backend.clone(),
            action,
            reason: reason.clone(),
            attributes,
            sensitive: BTreeSet::new(),
            notes,
        };
        let held = |hold: &std::sync::Arc<_>, action, attributes| Held {
            address: address.clone(),
            backend: record.backend.clone(),
            hold: std::sync::Arc::clone(hold),
            with: None,
            action,
            attributes,
        };
        if action == Action::Create {
            match self.holds.on_all_of(address) {
                Some(hold) => return vec![held(hold, Some((action, reason)), Vec::new())],
                None => changes.push(change(attributes, notes)),
            }
            return Vec::new();
        }
        let mut all = Vec::new();
        let mut left = Vec::new();
        for diff in attributes {
            match self.holds.on_attribute(address, diff.attribute.name) {
                Some(hold) if diff.is_write() => all.push(held(hold, None, vec![diff])),
                _ => left.push(diff),
            }
        }
        let notes = match self.holds.on_attribute(address, "persist") {
            Some(hold) if !notes.is_empty() => {
                all.push(held(hold, None, Vec::new()));
                Vec::new()
            }
            _ => notes,
        };
        if left.iter().any(AttributeDiff::is_write) || !notes.is_empty() {
            changes.push(change(left, notes));
        }
        all
    }

    /// Looks at one object; nothing when it is as it was left, or cannot be seen.
    fn look(&self, address: &Address, record: &ResourceRecord) -> Option<Look> {
        let id = record.backend.as_ref()?;
        let picture = self.picture(id).filter(|_| !self.verdict.refusals.contains_key(id))?;
        // The end of an apply that was cut off is looked for by the next one.
        if record.is_gone || self.interrupted.contains(address) {
            return None;
        }
        if !self.is_there(record, picture) {
            return self.lost(address, record, id, picture);
        }
        let mut attributes = self.drift_of(address, record);
        let notes = files_drift(self, record, picture);
        if attributes.is_empty() && notes.is_empty() {
            return None;
        }
        attributes.extend(labels(address, record, &attributes));
        sort(address.kind, &mut attributes);
        Some(Look { action: Action::Update, reason: Reason::Drift, attributes, notes })
    }

    fn is_there(&self, record: &ResourceRecord, picture: &Picture) -> bool {
        crate::plan::recover::exists(picture, &record.object)
    }

    fn lost(
        &self,
        address: &Address,
        record: &ResourceRecord,
        id: &BackendId,
        picture: &Picture,
    ) -> Option<Look> {
        let is_rebooted = self.verdict.rebooted.contains_key(id);
        if !is_rebooted && !self.is_lost(record, id, picture) || is_absent(record, picture.kind) {
            return None;
        }
        let on = match &record.object {
            ObjectKey::Peer { interface, .. } => picture.interfaces.contains_key(interface),
            ObjectKey::Interface { .. } | ObjectKey::PresharedKey {} => true,
        };
        let reason = match (is_rebooted, on) {
            (true, _) => Reason::Rebooted,
            (false, true) => Reason::Gone,
            (false, false) => Reason::GoneWithInterface,
        };
        let mut attributes: Vec<_> = declaration::attributes(address.kind)
            .iter()
            .filter_map(|it| {
                let after = Side::Known(record.attributes.get(it.name)?.clone());
                Some(AttributeDiff {
                    attribute: it,
                    class: Class::Change,
                    before: None,
                    after,
                    was: None,
                    elements: None,
                })
            })
            .collect();
        sort(address.kind, &mut attributes);
        Some(Look { action: Action::Create, reason, attributes, notes: Vec::new() })
    }

    /// Compares what was last applied to an object that is there with what its device has: what an apply would write back.
    pub(crate) fn drift_of(
        &self,
        address: &Address,
        record: &ResourceRecord,
    ) -> Vec<AttributeDiff> {
        let picture = record.backend.as_ref().and_then(|id| self.picture(id));
        let Some(picture) = picture else { return Vec::new() };
        let mut diffs = Vec::new();
        let values = match &record.object {
            ObjectKey::Interface { name, .. } => {
                let Some(found) = picture.interfaces.get(name) else { return diffs };
                diffs.extend(key_drift(record, found));
                let values = self.interface_values(Some(record), found);
                // A link that is down has lost its routes; they come back when it is brought up.
                if values.get("enabled") != Some(&Json::Bool(false)) {
                    diffs.extend(routes_drift(record, &routes::left_of(record, name, picture)));
                }
                values
            }
            ObjectKey::Peer { interface, .. } => {
                let on = picture.interfaces.get(interface);
                let Some(found) = on.and_then(|on| on.peers.get(&public_key(&record.object)?))
                else {
                    return diffs;
                };
                let mut values = self.peer_values(record, picture.kind, found);
                if !found.hidden.contains("preshared_key") {
                    let now = found.fields.get("preshared_key");
                    let now = now.unwrap_or(&Field::PresharedKey(None));
                    values.insert("preshared_key", now.recorded(self.fingerprint_key()));
                }
                values
            }
            ObjectKey::PresharedKey {} => return diffs,
        };
        let all = declaration::attributes(address.kind).iter();
        diffs.extend(all.filter_map(|it| attribute_drift(record, picture.kind, it, &values)));
        diffs
    }

    /// Finds the peers on an interface that belong to no resource.
    fn undeclared(&self, address: &Address, record: &ResourceRecord) -> Vec<UnmanagedPeer> {
        let (ObjectKey::Interface { name, .. }, Some(backend)) = (&record.object, &record.backend)
        else {
            return Vec::new();
        };
        let is_ignored = record.attributes.get("unmanaged_peers") == Some(&Json::from("ignore"));
        let is_believed = !self.verdict.refusals.contains_key(backend);
        let picture = self.picture(backend).filter(|_| is_believed && !is_ignored);
        let found = picture.and_then(|picture| picture.interfaces.get(name));
        let peers = found.map(|found| &found.peers).into_iter().flatten();
        let unowned = peers.filter(|(key, _)| self.peer_owner(backend, name, **key).is_none());
        unowned.map(|(key, found)| check::described(address, backend, name, *key, found)).collect()
    }
}

/// Returns whether nothing of an object is on its device by design: a disabled peer on Linux.
fn is_absent(record: &ResourceRecord, kind: BackendKind) -> bool {
    let is_disabled = record.attributes.get("enabled") == Some(&Json::Bool(false));
    !kind.keeps_configuration() && is_disabled && matches!(record.object, ObjectKey::Peer { .. })
}

fn attribute_drift(
    record: &ResourceRecord,
    kind: BackendKind,
    attribute: &'static Attribute,
    values: &std::collections::BTreeMap<&'static str, Json>,
) -> Option<AttributeDiff> {
    let name = attribute.name;
    let applied = record.attributes.get(name)?;
    let is_interface = matches!(record.object, ObjectKey::Interface { .. });
    // What an object is found by, and where a key is kept, is compared elsewhere or by nobody.
    let by_hand =
        matches!(name, "backend" | "private_key" | "key_file" | "public_key" | "interface")
            || name == "name" && is_interface;
    if by_hand || attribute.support(kind) != Support::Device || record.left_to_device.contains(name)
    {
        return None;
    }
    let found = values.get(name);
    let (before, after) = match attribute.ownership {
        Ownership::Whole if found == Some(applied) => return None,
        Ownership::Whole => (found.cloned(), applied.clone()),
        Ownership::Elements => {
            let there: BTreeSet<&str> = found
                .and_then(Json::as_array)
                .into_iter()
                .flatten()
                .filter_map(Json::as_str)
                .collect();
            let ours = record.owned_elements.get(name)?;
            if ours.iter().all(|it| there.contains(it.as_str())) {
                return None;
            }
            let all: BTreeSet<&str> =
                there.iter().copied().chain(ours.iter().map(String::as_str)).collect();
            (
                Some(there.into_iter().collect::<Vec<_>>().into()),
                all.into_iter().collect::<Vec<_>>().into(),
            )
        }
    };
    let (class, after) = (Class::Drift, Side::Known(after));
    Some(AttributeDiff { attribute, class, before, after, was: None, elements: None })
}

fn key_drift(record: &ResourceRecord, found: &FoundInterface) -> Option<AttributeDiff> {
    let applied: PublicKey = public_key(&record.object)?;
    let now = found_key(Some(found)).filter(|it| *it != applied)?;
    let json = |key: PublicKey| Json::from(key.to_string());
    Some(diff_of("public_key", Some(json(now)), Side::Known(json(applied)), Class::Drift))
}

fn routes_drift(record: &ResourceRecord, left: &BTreeSet<String>) -> Option<AttributeDiff> {
    let applied = record.owned_elements.get(ResourceRecord::ROUTES).filter(|it| *it != left)?;
    let json = |set: &BTreeSet<String>| Json::from(set.iter().cloned().collect::<Vec<_>>());
    Some(diff_of("routes", Some(json(left)), Side::Known(json(applied)), Class::Drift))
}

/// Compares the files that bring an interface back at boot with what was written. Of that, a state has only a fingerprint.
fn files_drift(planner: &Planner<'_>, record: &ResourceRecord, picture: &Picture) -> Vec<Note> {
    let Some((boot, persisted)) = picture.boot.as_ref().zip(Persisted::of(&record.attributes))
    else {
        return Vec::new();
    };
    let paths = persisted.paths();
    let files = found(boot, &paths);
    let digest = persist::digest(files.iter().map(|(path, file)| (*path, *file)));
    let now = persist::fingerprint(planner.fingerprint_key(), &digest).to_string();
    let mut notes = Vec::new();
    if now != persisted.fingerprint {
        let gone: Vec<_> = paths.iter().filter(|path| !files.contains_key(path)).collect();
        match gone.is_empty() {
            true => notes.extend(paths.first().map(|path| file(path, touched()))),
            false => notes.extend(gone.into_iter().map(|path| file(path, FileChange::Gone))),
        }
    }
    let unit = Style::unit(persisted.style, &persisted.name);
    if boot.has_systemd && !boot.units.contains(&unit) {
        notes.push(Note::NotStarted(unit));
    }
    notes
}

fn file(path: &Path, change: FileChange) -> Note {
    Note::File { path: path.to_owned(), change }
}

fn touched() -> FileChange {
    FileChange::Text { lines: Vec::new(), is_foreign: false, is_touched: true }
}

/// Returns what an object is called, to be shown beside what differs.
fn labels(
    address: &Address,
    record: &ResourceRecord,
    shown: &[AttributeDiff],
) -> Vec<AttributeDiff> {
    let of_object = |name: &str| match (&record.object, name) {
        (ObjectKey::Interface { name, .. }, "name") => Some(Json::from(name.clone())),
        _ => record.attributes.get(name).cloned(),
    };
    let all = declaration::attributes(address.kind).iter();
    all.filter(|it| !shown.iter().any(|diff| diff.attribute.name == it.name))
        .filter_map(|it| {
            let json = of_object(it.name)?;
            Some(AttributeDiff {
                attribute: it,
                class: Class::Same,
                before: Some(json.clone()),
                after: Side::Known(json),
                was: None,
                elements: None,
            })
        })
        .collect()
}

fn sort(kind: Kind, diffs: &mut [AttributeDiff]) {
    let all = declaration::attributes(kind);
    diffs.sort_by_key(|diff| all.iter().position(|it| it.name == diff.attribute.name));
}
