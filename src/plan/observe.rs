//! Takes what the devices have for what was last applied: what `-refresh-only` shows, and its apply records.
//!
//! Nothing is decided here about what is wanted; the configuration only says what a device was free to choose. What the
//! state never takes over: where a peer roamed to, the elements of others, and the secret of a `preshared_key` block,
//! which would then seem to be nobody's and be made anew; nor what somebody did to the files that bring an interface back
//! at boot, of which it has only a fingerprint: with another one, that would seem to be wgform's work. An interface that
//! is gone leaves its key behind, so that it comes back with it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::actual::{FoundPeer, Picture};
use crate::config::{AllUnknown, Config, Evaluator};
use crate::diagnostic::{Diagnostic, Span};
use crate::diff::{AttributeDiff, Class, Side};
use crate::link::Links;
use crate::plan::order::draft::removal::gone;
use crate::plan::recover::public_key;
use crate::plan::routes;
use crate::plan::view::View;
use crate::plan::walk::Planner;
use crate::plan::walk::interface::{diff_of, found_key};
use crate::plan::walk::peer::as_applied;
use crate::plan::{Action, Note, Plan, Reason, ResourceChange, Sessions, Subject};
use crate::resource::{
    Address, Attribute, BackendId, BackendKind, Field, Kind, Ownership, Presence, Support,
    declaration,
};
use crate::state::{ObjectKey, ResourceRecord};
use crate::value::PublicKey;

/// What the configuration says of attributes, by resource.
type Set = BTreeMap<Address, Said>;

/// What the configuration says of the attributes of one resource.
struct Said {
    /// Those that it sets.
    set: BTreeSet<&'static str>,
    /// Those whose changes are ignored.
    ignored: BTreeSet<&'static str>,
}

type Values = BTreeMap<&'static str, Json>;

/// What became of an object.
enum Seen {
    /// It is there, as this record says.
    There(Box<ResourceRecord>, Vec<AttributeDiff>),
    Gone,
}

impl Planner<'_> {
    /// Makes a plan that changes nothing but the state.
    pub(crate) fn observe(
        mut self,
        config: &Config,
        evaluator: &Evaluator<'_>,
    ) -> Result<Plan, Vec<Diagnostic>> {
        let set = set(evaluator)?;
        let view = View::new(&self, &Links::default());
        let mut changes = Vec::new();
        for (address, record) in self.state.resources.clone() {
            // Of what is held, the state goes on saying what was last applied.
            if !view.contains(&address) || self.holds.on(&address).is_some() {
                continue;
            }
            let said = set.get(&address);
            if said.is_none_or(|it| !it.ignored.contains("preshared_key")) {
                self.warn_of_secret(&address, &record, config.span(&address));
            }
            match self.look_at(&address, &record, said) {
                None => {}
                Some(Seen::There(now, diffs)) => {
                    if !diffs.is_empty() {
                        changes.push(changed(&address, &record, diffs));
                    }
                    self.state_differs |= *now != record;
                    self.state.resources.insert(address, *now);
                }
                Some(Seen::Gone) => {
                    changes.push(lost(&address, &record));
                    self.forget(&address);
                }
            }
        }
        Ok(self.only_recorded(changes, view))
    }

    /// Looks at one object; nothing when it cannot be seen, or nothing follows from what is seen.
    fn look_at(
        &self,
        address: &Address,
        record: &ResourceRecord,
        said: Option<&Said>,
    ) -> Option<Seen> {
        let id = record.backend.as_ref()?;
        let picture = self.picture(id).filter(|_| !self.verdict.refusals.contains_key(id))?;
        // The end of an apply that was cut off is looked for by the next one.
        if record.is_gone || self.interrupted.contains(address) {
            return None;
        }
        let mut now = record.clone();
        let mut diffs = Vec::new();
        let values = match &record.object {
            ObjectKey::Interface { name, .. } => {
                let Some(found) = picture.interfaces.get(name) else {
                    return self.is_lost(record, id, picture).then_some(Seen::Gone);
                };
                diffs.extend(take_key(&mut now, found_key(Some(found))));
                diffs.extend(take_routes(&mut now, &routes::left_of(record, name, picture)));
                self.interface_values(Some(record), found)
            }
            ObjectKey::Peer { interface, .. } => {
                let on = picture.interfaces.get(interface);
                let Some(found) = on.and_then(|on| on.peers.get(&public_key(&record.object)?))
                else {
                    return self.is_lost(record, id, picture).then_some(Seen::Gone);
                };
                self.peer_values(record, picture.kind, found)
            }
            ObjectKey::PresharedKey {} => return None,
        };
        for attribute in declaration::attributes(address.kind) {
            let is_set = said.is_some_and(|it| it.set.contains(attribute.name));
            let diff = take(&mut now, picture.kind, attribute, &values, is_set);
            // It is recorded, and nobody is shown it.
            let is_ignored = said.is_some_and(|it| it.ignored.contains(attribute.name));
            diffs.extend(diff.filter(|_| !is_ignored));
        }
        Some(Seen::There(Box::new(now), diffs))
    }

    /// Returns whether an object that is not there was removed by somebody: not by a reboot, nor by a run of our own.
    pub(crate) fn is_lost(
        &self,
        record: &ResourceRecord,
        id: &BackendId,
        picture: &Picture,
    ) -> bool {
        let boot = self.state.backends.get(id).and_then(|known| known.boot_id.as_ref());
        let is_new_boot = boot.is_some() && boot != picture.identity.boot_id.as_ref();
        let is_disabled_peer = !picture.kind.keeps_configuration()
            && matches!(record.object, ObjectKey::Peer { .. })
            && record.attributes.get("enabled") == Some(&Json::Bool(false));
        let on = record.attributes.get("interface").and_then(Json::as_str);
        let on = on.and_then(|on| self.state.resources.get(&on.parse::<Address>().ok()?));
        let is_under_way = record.is_being_filled || on.is_some_and(|on| on.is_being_filled);
        !is_new_boot && !is_disabled_peer && !is_under_way
    }

    pub(crate) fn peer_values(
        &self,
        record: &ResourceRecord,
        kind: BackendKind,
        found: &FoundPeer,
    ) -> Values {
        let keeps = kind.keeps_configuration();
        let mut values = self.found_values(&found.fields);
        if !keeps {
            values.insert("enabled", Json::Bool(true));
        }
        as_applied(&found.hidden, Some(record), &mut values);
        let none = Field::PresharedKey(None).recorded(self.fingerprint_key());
        if !found.hidden.contains("preshared_key") {
            values.entry("preshared_key").or_insert(none);
        }
        let keep = |values: &mut Values, name: &'static str| match record.attributes.get(name) {
            Some(applied) => _ = values.insert(name, applied.clone()),
            None => _ = values.remove(name),
        };
        let is_pinned = keeps || record.attributes.get("pin_endpoint") == Some(&Json::Bool(true));
        let set = record.attributes.get("endpoint_address");
        if !is_pinned || set.is_some() && set == values.get("endpoint") {
            keep(&mut values, "endpoint");
        }
        if has_secret_of_block(record) {
            keep(&mut values, "preshared_key");
        }
        values
    }

    /// What is not taken over although it differs is said, or else "nothing changed" would not be true.
    fn warn_of_secret(&mut self, address: &Address, record: &ResourceRecord, at: Option<&Span>) {
        let ObjectKey::Peer { interface, .. } = &record.object else { return };
        let picture = record.backend.as_ref().and_then(|id| self.picture(id));
        let on = picture.and_then(|picture| picture.interfaces.get(interface));
        let found = on.and_then(|on| on.peers.get(&public_key(&record.object)?));
        let none = Field::PresharedKey(None);
        let found = found.filter(|it| !it.hidden.contains("preshared_key"));
        let now = found.map(|it| {
            it.fields.get("preshared_key").unwrap_or(&none).recorded(self.fingerprint_key())
        });
        let applied = record.attributes.get("preshared_key");
        if !has_secret_of_block(record) || now.is_none() || now.as_ref() == applied {
            return;
        }
        let warning = Diagnostic::warning("pre-shared key changed outside of wgform").help(
            "The secret of a `preshared_key` block is not taken from a device. Run `wgform plan`, which shows how it is given back.",
        );
        self.warnings.push(match at {
            Some(at) => warning.label(at, format!("the device of `{address}` holds another one")),
            None => warning,
        });
    }

    /// An interface leaves its key behind; nothing else leaves anything.
    fn forget(&mut self, address: &Address) {
        self.state_differs = true;
        match self.state.resources.get_mut(address) {
            Some(record) if address.kind == Kind::Interface => record.is_gone = true,
            _ => _ = self.state.resources.remove(address),
        }
    }

    pub(crate) fn only_recorded(mut self, changes: Vec<ResourceChange>, view: View) -> Plan {
        let backends = self.backend_records();
        for id in &self.options.accept_new_device {
            if let (Some(known), Some(now)) = (self.state.backends.get_mut(id), backends.get(id)) {
                self.state_differs |= known != now;
                known.clone_from(now);
            }
        }
        let refusals = self.all_refusals(&view);
        let doubted = self.doubted(&view);
        Plan {
            unreachable: self.unreachable(&view),
            state_differs: self.state_differs,
            is_partial: self.options.is_partial(),
            moved: self.moved,
            imported: BTreeMap::new(),
            excluded: view.into_excluded(),
            one_sided: Vec::new(),
            changes,
            steps: Vec::new(),
            resources: BTreeMap::new(),
            known: self.known,
            secrets: BTreeMap::new(),
            state: self.state,
            open: self.open,
            backends,
            views: self.views,
            pending: Vec::new(),
            unmanaged: Vec::new(),
            held: self.held,
            holds: self.holds,
            unchecked: BTreeMap::new(),
            doubted,
            rebooted: self.verdict.rebooted,
            sessions: Sessions::default(),
            refusals,
            guarded: Vec::new(),
            paths: Vec::new(),
            warnings: self.warnings,
            outputs: Vec::new(),
            links: Links::default(),
            unsettled: BTreeMap::new(),
            checks: None,
        }
    }
}

fn set(evaluator: &Evaluator<'_>) -> Result<Set, Vec<Diagnostic>> {
    let mut set = Set::new();
    let mut problems = Vec::new();
    for address in evaluator.resources() {
        match evaluator.resource(address, &AllUnknown) {
            Ok(desired) => {
                let said = Said {
                    set: desired.fields.keys().copied().collect(),
                    ignored: desired.ignored,
                };
                set.insert(address.clone(), said);
            }
            Err(wrong) => problems.extend(wrong),
        }
    }
    if problems.is_empty() { Ok(set) } else { Err(crate::diagnostic::unique(problems)) }
}

fn has_secret_of_block(record: &ResourceRecord) -> bool {
    record.dependencies.iter().any(|it| it.kind == Kind::PresharedKey)
}

/// The key that a device holds is the truth.
fn take_key(record: &mut ResourceRecord, now: Option<PublicKey>) -> Option<AttributeDiff> {
    let ObjectKey::Interface { public_key, .. } = &mut record.object else { return None };
    let now = now?.to_string();
    if *public_key == now {
        return None;
    }
    let before = Json::from(std::mem::replace(public_key, now.clone()));
    Some(diff_of("public_key", Some(before), Side::Known(now.into()), Class::Drift))
}

/// Of the routes that were applied, those count that are still there.
fn take_routes(record: &mut ResourceRecord, left: &BTreeSet<String>) -> Option<AttributeDiff> {
    let before = record.owned_elements.get(ResourceRecord::ROUTES).filter(|it| *it != left)?;
    let json = |set: &BTreeSet<String>| Json::from(set.iter().cloned().collect::<Vec<_>>());
    let diff = diff_of("routes", Some(json(before)), Side::Known(json(left)), Class::Drift);
    record.own_routes(left.clone());
    Some(diff)
}

/// Records what a device has of one attribute; returns the difference that is worth a line.
fn take(
    record: &mut ResourceRecord,
    kind: BackendKind,
    attribute: &'static Attribute,
    values: &Values,
    is_set: bool,
) -> Option<AttributeDiff> {
    let name = attribute.name;
    let by_hand = matches!(
        name,
        "backend" | "name" | "private_key" | "key_file" | "public_key" | "interface"
    );
    let before = record.attributes.get(name).cloned()?;
    if by_hand || attribute.support(kind) != Support::Device {
        return None;
    }
    let after = match attribute.ownership {
        Ownership::Elements => Some(left_of(record, name, values.get(name))),
        Ownership::Whole => values.get(name).cloned(),
    };
    if after.as_ref() == Some(&before) {
        return None;
    }
    match &after {
        Some(after) => _ = record.attributes.insert(name.to_owned(), after.clone()),
        None => _ = record.attributes.remove(name),
    }
    if name == "endpoint" {
        record.attributes.remove("endpoint_address");
    }
    // What a device chooses by itself is nobody's change.
    let is_chosen = attribute.presence == Presence::OptionalComputed && !is_set;
    let after = after.map_or(Side::Unset, Side::Known);
    let (class, before) = (Class::Drift, Some(before));
    let diff = AttributeDiff { attribute, class, before, after, was: None, elements: None };
    (!is_chosen).then_some(diff)
}

/// Returns which of our elements are still there, and keeps only those for ours.
fn left_of(record: &mut ResourceRecord, name: &str, found: Option<&Json>) -> Json {
    let there = found.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_there = |element: &str| there.iter().any(|it| it == element);
    if let Some(ours) = record.owned_elements.get_mut(name) {
        ours.retain(|element| is_there(element));
    }
    let before = record.attributes.get(name).and_then(Json::as_array);
    let left = before.into_iter().flatten();
    left.filter(|it| it.as_str().is_some_and(is_there)).cloned().collect()
}

fn changed(
    address: &Address,
    record: &ResourceRecord,
    diffs: Vec<AttributeDiff>,
) -> ResourceChange {
    let mut attributes = diffs;
    let name = match &record.object {
        ObjectKey::Interface { name, .. } => Some(Json::from(name.clone())),
        ObjectKey::Peer { .. } | ObjectKey::PresharedKey {} => {
            record.attributes.get("name").cloned()
        }
    };
    attributes.extend(
        name.map(|name| diff_of("name", Some(name.clone()), Side::Known(name), Class::Same)),
    );
    let all = declaration::attributes(address.kind);
    attributes.sort_by_key(|diff| all.iter().position(|it| it.name == diff.attribute.name));
    ResourceChange {
        subject: Subject::Resource(address.clone()),
        backend: record.backend.clone(),
        action: Action::Update,
        reason: Reason::Observed,
        attributes,
        sensitive: BTreeSet::new(),
        notes: Vec::new(),
    }
}

fn lost(address: &Address, record: &ResourceRecord) -> ResourceChange {
    let is_interface = address.kind == Kind::Interface;
    ResourceChange {
        subject: Subject::Resource(address.clone()),
        backend: record.backend.clone(),
        action: Action::Delete,
        reason: Reason::Observed,
        attributes: gone(address.kind, record),
        sensitive: BTreeSet::new(),
        notes: is_interface.then_some(Note::KeyRemembered).into_iter().collect(),
    }
}
