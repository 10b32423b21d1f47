//! The end of a plan: what is said beside its steps, and what the state learns without one.
//!
//! That is what changes about the outputs, what stands in the way, which backends were read, and what of the state is
//! only brought up to date.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::actual::{Reading, Unreachable};
use crate::config::{Desired, Evaluator, Wanted};
use crate::diagnostic::Diagnostic;
use crate::link::Links;
use crate::plan::one_sided::one_sided;
use crate::plan::persist::PERSISTED;
use crate::plan::recover::public_key;
use crate::plan::view::View;
use crate::plan::walk::{Fate, Node, Planner};
use crate::plan::{
    OutputChange, Plan, Refusal, Step, check, limit, order, path, routes, secret, session,
};
use crate::resource::{Address, BackendId, Kind, Ownership, Presence, declaration};
use crate::state::{BackendRecord, ObjectKey, OutputRecord, ResourceRecord, State, StateChange};
use crate::value::FingerprintKey;

impl Planner<'_> {
    /// Makes the steps, and says what is to be said with them.
    pub(crate) fn finish(mut self, outputs: Vec<OutputChange>) -> Result<Plan, Vec<Diagnostic>> {
        let links = Links::find(&self.ends());
        let all_links = if self.is_of_part() { self.all_links() } else { Links::default() };
        let view = View::new(&self, &all_links);
        self.prepare(&view);
        let unmanaged = check::unmanaged(&mut self, &view);
        let endangered = path::endangered(&mut self, &view);
        let owned = self.state.resources.values().filter(|it| !it.is_gone).count();
        let precedences = endangered.iter().map(|it| &it.order).collect();
        let mut ordered = order::steps(&mut self, &links, &view, &unmanaged, precedences)?;
        session::judge(&self, &mut ordered);
        let mut refusals = self.all_refusals(&view);
        let (paths, lockouts) = path::judge(endangered, &ordered.disordered);
        let (limited, guarded) = limit::judge(&mut self, &ordered.changes, owned);
        refusals.extend(limited.into_iter().chain(lockouts));
        let mut one_sided = one_sided(&self, &all_links, &view, &ordered.changes);
        // Where something is refused, nothing is changed.
        one_sided.retain(|_| refusals.is_empty());
        self.settle_finished(&ordered.steps);
        let secrets = secret::sources(&self);
        self.record_what_needs_no_write(&view);
        let backends = self.backend_records();
        self.remember_holds();
        let state_differs = self.state_differs || backends_differ(&self.state, &backends);
        let unreachable = self.unreachable(&view);
        let unchecked = self.unchecked(&view);
        let doubted = self.doubted(&view);
        let pending = self.nodes.values().filter(|node| node.fate == Fate::Pending);
        Ok(Plan {
            pending: pending.map(|node| node.address.clone()).collect(),
            changes: ordered.changes,
            steps: ordered.steps,
            sessions: ordered.sessions,
            resources: self.desired,
            known: self.known,
            secrets,
            state_differs,
            state: self.state,
            open: self.open,
            backends,
            views: self.views,
            unmanaged: unmanaged.stay,
            held: self.held,
            holds: self.holds,
            unchecked,
            unreachable,
            doubted,
            rebooted: self.verdict.rebooted,
            refusals,
            guarded,
            paths,
            warnings: self.warnings,
            outputs,
            links,
            is_partial: self.options.is_partial(),
            excluded: view.into_excluded(),
            moved: self.moved,
            imported: self.imported,
            one_sided,
            unsettled: self.unsettled,
            checks: self.checks,
        })
    }

    /// Decides what has to be decided before there are steps.
    fn prepare(&mut self, view: &View) {
        self.import_only(|it| view.contains(it));
        self.warn_of_unstated(view);
        routes::resolve(self, view);
    }

    /// Returns what was applied and is not shown by the device.
    pub(crate) fn unchecked(&self, view: &View) -> BTreeMap<Address, BTreeSet<&'static str>> {
        let mut unchecked = BTreeMap::new();
        for (address, record) in self.state.resources.iter().filter(|(it, _)| view.contains(it)) {
            let picture = record.backend.as_ref().and_then(|id| self.picture(id));
            let hidden = picture.and_then(|picture| match &record.object {
                ObjectKey::Interface { name, .. } => Some(&picture.interfaces.get(name)?.hidden),
                ObjectKey::Peer { interface, .. } => {
                    let peers = &picture.interfaces.get(interface)?.peers;
                    Some(&peers.get(&public_key(&record.object)?)?.hidden)
                }
                ObjectKey::PresharedKey {} => None,
            });
            let applied = |name: &&'static str| record.attributes.contains_key(*name);
            let hidden: BTreeSet<_> =
                hidden.into_iter().flatten().copied().filter(applied).collect();
            if !hidden.is_empty() {
                unchecked.insert(address.clone(), hidden);
            }
        }
        unchecked
    }

    /// Compares the outputs with those of the state; none when only a part was asked for.
    pub(crate) fn outputs(&mut self, evaluator: &Evaluator<'_>) -> Vec<OutputChange> {
        if self.options.is_partial() {
            return Vec::new();
        }
        let outputs = if self.options.destroy {
            BTreeMap::new()
        } else {
            match evaluator.outputs(&self.known) {
                Ok(outputs) => outputs,
                Err(problems) => {
                    self.diagnostics.extend(problems);
                    return Vec::new();
                }
            }
        };
        let before = &self.state.outputs;
        let mut changes = Vec::new();
        for (name, output) in &outputs {
            let stored = before.get(name);
            let is_same = stored.is_some_and(|stored| {
                stored.sensitive == output.is_sensitive
                    && (output.is_sensitive || stored.value == output.value)
            });
            if !is_same {
                let before = stored.and_then(|stored| stored.value.clone());
                changes.push(OutputChange {
                    name: name.clone(),
                    before,
                    after: Some(output.clone()),
                });
            }
        }
        for (name, OutputRecord { value, sensitive: _, other: _ }) in before {
            if !outputs.contains_key(name) {
                changes.push(OutputChange {
                    name: name.clone(),
                    before: value.clone(),
                    after: None,
                });
            }
        }
        changes
    }

    /// Forgets the intents of an apply that was cut off for whose resources nothing is left to do.
    fn settle_finished(&mut self, steps: &[Step]) {
        if self.options.is_partial() {
            return;
        }
        let to_do: BTreeSet<&Address> =
            steps.iter().filter_map(|step| step.subject.address()).collect();
        let is_left = |it: &StateChange| to_do.contains(it.address()) || self.open.contains(it);
        let finished: Vec<_> = self.state.open().into_iter().filter(|it| !is_left(it)).collect();
        self.state_differs |= !finished.is_empty();
        self.state.settle(&finished);
    }

    /// Lets the state learn what no device has to be written to for.
    fn record_what_needs_no_write(&mut self, view: &View) {
        let mut learnt = Vec::new();
        for node in self.nodes.values() {
            if node.fate != Fate::Keep || node.is_change() || !view.contains(&node.address) {
                continue;
            }
            let Some(old) = self.state.resources.get(&node.address) else { continue };
            let desired = &self.desired[&node.address];
            let mut record = record(desired, old.object.clone(), Some(old), self.fingerprint_key());
            self.record_found(node, &mut record);
            if record != *old {
                learnt.push((node.address.clone(), record));
            }
        }
        self.state_differs |= !learnt.is_empty();
        for (address, record) in learnt {
            self.state.resources.insert(address, record);
        }
    }

    /// Records what a device chose by itself, and its key when that is kept.
    fn record_found(&self, node: &Node, record: &mut ResourceRecord) {
        let Some(on_device) = node.interface() else { return };
        let is_held =
            |name: &str| self.desired.get(&node.address).is_some_and(|it| it.held.contains(name));
        if !is_held("private_key")
            && let ObjectKey::Interface { public_key, .. } = &mut record.object
            && let Some(key) = on_device.key.public
        {
            *public_key = key.to_string();
        }
        let routes = on_device.routes.as_ref().and_then(|it| it.wanted.as_ref());
        if let Some(wanted) = routes {
            record.own_routes(wanted.texts());
        }
        let found = on_device.found.as_ref();
        let port = found.and_then(|found| found.get("listen_port"));
        if let Some(port) = port.filter(|_| !is_held("listen_port")) {
            record.attributes.insert("listen_port".to_owned(), port.clone());
        }
    }

    pub(crate) fn backend_records(&self) -> BTreeMap<BackendId, BackendRecord> {
        let ids = self.actual.backends.keys();
        ids.filter_map(|id| Some((id.clone(), self.backend_record(id)?))).collect()
    }

    /// Returns what is recorded of a backend; none of one that was not read, or is not believed.
    pub(crate) fn backend_record(&self, id: &BackendId) -> Option<BackendRecord> {
        let (picture, view) = (self.picture(id)?, self.views.get(id)?);
        if self.verdict.refusals.contains_key(id) {
            return None;
        }
        let capabilities = [("renames".to_owned(), Json::Bool(picture.capabilities.renames))];
        Some(BackendRecord {
            kind: picture.kind.as_str().to_owned(),
            identity: match self.state.backends.get(id) {
                Some(known) if picture.identity.id.is_empty() => known.identity.clone(),
                _ => picture.identity.id.clone(),
            },
            boot_id: picture.identity.boot_id.clone(),
            host_name: picture.identity.host_name.clone(),
            simulated: picture.simulated,
            transport: view.transport.clone(),
            capabilities: capabilities.into(),
            organization: None,
            other: BTreeMap::new(),
        })
    }

    pub(crate) fn unreachable(
        &self,
        view: &View,
    ) -> BTreeMap<BackendId, (Unreachable, Vec<Address>)> {
        let mut unreachable = BTreeMap::new();
        for (id, reading) in &self.actual.backends {
            let Reading::Unreachable(why) = reading else { continue };
            let left_out = self.left_out_on(id, view);
            if self.options.is_partial() && left_out.is_empty() {
                continue;
            }
            unreachable.insert(id.clone(), (why.clone(), left_out));
        }
        unreachable
    }

    /// Returns what cannot be planned because of its backend. What was not asked for is not in the way of what was.
    fn left_out_on(&self, id: &BackendId, view: &View) -> Vec<Address> {
        let mut left_out = self.left_out.get(id).cloned().unwrap_or_default();
        let gone = self.state.resources.iter().filter(|(address, record)| {
            record.backend.as_ref() == Some(id)
                && !self.desired.contains_key(*address)
                && !self.is_forgotten(address)
        });
        left_out.extend(gone.map(|(address, _)| address.clone()));
        left_out.into_iter().filter(|address| view.contains(address)).collect()
    }

    fn concerns(&self, id: &BackendId, view: &View) -> bool {
        !self.options.is_partial() || !self.left_out_on(id, view).is_empty()
    }

    /// Returns the backends that are not believed, with what is missing there.
    pub(crate) fn doubted(&self, view: &View) -> BTreeMap<BackendId, Vec<Address>> {
        let all = self.verdict.refusals.keys().filter(|id| self.concerns(id, view));
        let missing = |id| self.verdict.missing.get(id).into_iter().flatten();
        all.map(|id| (id.clone(), missing(id).filter(|it| view.contains(it)).cloned().collect()))
            .collect()
    }

    /// Returns what must be said before anything of what was asked for is done.
    pub(crate) fn all_refusals(&self, view: &View) -> Vec<Refusal> {
        let of_backends = self.verdict.refusals.iter().filter(|(id, _)| self.concerns(id, view));
        let of_resources = self.refusals.iter().filter(|(address, _)| view.contains(address));
        of_backends
            .map(|(_, refusal)| refusal.clone())
            .chain(of_resources.map(|(_, refusal)| refusal.clone()))
            .collect()
    }
}

fn backends_differ(state: &State, backends: &BTreeMap<BackendId, BackendRecord>) -> bool {
    let is_known =
        |id: &BackendId| state.resources.values().any(|it| it.backend.as_ref() == Some(id));
    backends.iter().any(|(id, record)| is_known(id) && state.backends.get(id) != Some(record))
}

/// Builds what a state says of a resource that is as it is wanted. Attributes that are not known stay as they were.
pub fn record(
    desired: &Desired,
    object: ObjectKey,
    old: Option<&ResourceRecord>,
    key: &FingerprintKey,
) -> ResourceRecord {
    let mut attributes = BTreeMap::new();
    let mut owned_elements = BTreeMap::new();
    for attribute in declaration::attributes(desired.address.kind) {
        let name = attribute.name.to_owned();
        let before = || old.and_then(|old| old.attributes.get(attribute.name)).cloned();
        let value = match desired.fields.get(attribute.name) {
            // Of what is held, the state goes on saying what was last applied.
            _ if desired.held.contains(attribute.name) => before(),
            // Where the key is kept is known when it is there.
            _ if attribute.name == "key_file" => before(),
            _ if attribute.name == "preshared_key" && secret::waits(desired) => before(),
            Some(Wanted::Known(field)) => Some(field.recorded(key)),
            Some(Wanted::Unknown) => before(),
            None if attribute.presence == Presence::OptionalComputed => before(),
            None => None,
        };
        // One that is not written owns nothing.
        if attribute.ownership == Ownership::Elements && value.is_some() {
            let texts =
                value.as_ref().and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
            let owned = texts.iter().filter_map(Json::as_str).map(str::to_owned).collect();
            let held = old.filter(|_| desired.held.contains(attribute.name));
            let held = held.and_then(|it| it.owned_elements.get(attribute.name)).cloned();
            owned_elements.insert(name.clone(), held.unwrap_or(owned));
        }
        if let Some(value) = value {
            attributes.insert(name, value);
        }
    }
    for (name, address) in desired.references.iter().filter(|(name, _)| **name != "preshared_key") {
        attributes.entry((*name).to_owned()).or_insert_with(|| address.to_string().into());
    }
    if let Some(address) = old.and_then(|old| old.attributes.get("endpoint_address"))
        && attributes.contains_key("endpoint")
    {
        attributes.insert("endpoint_address".to_owned(), address.clone());
    }
    if let Some(persisted) = old.and_then(|old| old.attributes.get(PERSISTED)) {
        attributes.insert(PERSISTED.to_owned(), persisted.clone());
    }
    // Which routes there are is known when they are there.
    if let Some(routes) = old.and_then(|old| old.owned_elements.get_key_value(routes::NAME)) {
        owned_elements.insert(routes.0.clone(), routes.1.clone());
    }
    ResourceRecord {
        backend: desired.backend.clone(),
        object,
        attributes,
        owned_elements,
        written_to: old.map(|old| old.written_to.clone()).unwrap_or_default(),
        dependencies: dependencies(desired, old),
        prevent_destroy: desired.prevent_destroy,
        is_being_filled: old.is_some_and(|old| old.is_being_filled),
        is_gone: false,
        left_to_device: left_to_device(desired),
        deposed: old.map(|old| old.deposed.clone()).unwrap_or_default(),
        other: old.map(|old| old.other.clone()).unwrap_or_default(),
    }
}

/// Returns what a resource needs: of a held secret, the one that it was last given.
fn dependencies(desired: &Desired, old: Option<&ResourceRecord>) -> BTreeSet<Address> {
    let mut needed = (*desired.depends_on).clone();
    if let Some(old) = old.filter(|_| desired.held.contains("preshared_key")) {
        let secrets = old.dependencies.iter().filter(|it| it.kind == Kind::PresharedKey);
        needed.extend(secrets.cloned());
    }
    needed
}

/// Returns the attributes that a device may change without that being drift.
fn left_to_device(desired: &Desired) -> BTreeSet<String> {
    let all = declaration::attributes(desired.address.kind).iter();
    let is_left = |name: &str, presence| {
        let is_chosen =
            presence == Presence::OptionalComputed && !desired.fields.contains_key(name);
        let is_ignored = desired.ignored.contains(name) && !desired.held.contains(name);
        // The name is fixed, and nobody but wgform knows where a key is kept.
        is_ignored || is_chosen && name == "listen_port"
    };
    all.filter(|it| is_left(it.name, it.presence)).map(|it| it.name.to_owned()).collect()
}
