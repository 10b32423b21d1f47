//! Evaluates and compares every resource, in dependency order.

mod condition;
mod ignore;
pub(crate) mod interface;
pub(crate) mod peer;
mod relabel;
mod trigger;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::actual::{Actual, Lack, OwnKeys, Picture, Reading, Remark};
use crate::config::{
    Computed, Config, Desired, Edition, Evaluator, Import, Removed, Sought, Wanted,
};
use crate::diagnostic::{self, Diagnostic};
use crate::diff::{self, AttributeDiff, Class, Side, Sides};
use crate::link::End;
use crate::plan::hold::{Held, Holds};
use crate::plan::persist::own_what_files_give;
use crate::plan::recover::{Recovered, come_back, recover};
use crate::plan::refactor::Origins;
use crate::plan::{
    BackendView, Inputs, Note, Options, Plan, Reason, Refusal, SecretSource, Unsettled, check,
    guard, secret,
};
use crate::resource::{Address, BackendId, BackendKind, Field, Fields, Kind, Support, declaration};
use crate::state::{Hold, ObjectKey, ResourceRecord, State, StateChange};
use crate::value::{FingerprintKey, PublicKey};

/// What a walk found out about one resource.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) address: Address,
    pub(crate) backend: Option<BackendId>,
    pub(crate) fate: Fate,
    pub(crate) reason: Reason,
    pub(crate) diffs: Vec<AttributeDiff>,
    pub(crate) notes: Vec<Note>,
    pub(crate) device: Device,
}

/// What is to happen to a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stays; its attributes may change.
    Keep,
    /// It is made.
    Create,
    /// It is made anew, and the object that was there goes.
    Replace,
    /// It waits for a key.
    Pending,
}

/// What a resource is on its device.
#[derive(Debug)]
pub(crate) enum Device {
    Interface(Box<interface::OnDevice>),
    Peer(peer::OnDevice),
    Secret(SecretSource),
}

impl Node {
    pub(crate) fn interface(&self) -> Option<&interface::OnDevice> {
        match &self.device {
            Device::Interface(it) => Some(it),
            Device::Peer(_) | Device::Secret(_) => None,
        }
    }

    pub(crate) fn peer(&self) -> Option<&peer::OnDevice> {
        match &self.device {
            Device::Peer(it) => Some(it),
            Device::Interface(_) | Device::Secret(_) => None,
        }
    }

    /// Returns whether a device or a person would notice.
    pub(crate) fn is_change(&self) -> bool {
        match self.fate {
            Fate::Create | Fate::Replace => true,
            Fate::Keep => self.diffs.iter().any(AttributeDiff::is_write) || self.has_new_key(),
            Fate::Pending => false,
        }
    }

    pub(crate) fn has_new_key(&self) -> bool {
        self.interface().is_some_and(|it| !it.key.is_untouched())
    }
}

/// What is known of attributes that the configuration does not set.
#[derive(Debug)]
pub struct Known {
    /// Another one as soon as something that was asked is answered otherwise.
    edition: Edition,
    /// Of which resources something was asked since then.
    asked: RefCell<HashSet<Address>>,
    computed: Values,
    /// What stays as it is although the configuration says otherwise.
    kept: Values,
    /// The interfaces of the backends that `data` blocks look for them on.
    found: BTreeMap<BackendId, BTreeMap<String, Fields>>,
}

/// Values by resource and attribute; none for one that is known to have no value.
type Values = BTreeMap<Address, Vec<(&'static str, Option<Field>)>>;

impl Default for Known {
    fn default() -> Self {
        Self {
            edition: Edition::new(),
            asked: RefCell::default(),
            computed: Values::new(),
            kept: Values::new(),
            found: BTreeMap::new(),
        }
    }
}

impl Computed for Known {
    fn computed(&self, address: &Address, attribute: &'static str) -> Option<Field> {
        self.get(address, attribute)?.clone()
    }

    fn is_null(&self, address: &Address, attribute: &'static str) -> bool {
        self.get(address, attribute).is_some_and(Option::is_none)
    }

    fn kept(&self, address: &Address, attribute: &'static str) -> Option<Option<Field>> {
        self.note(address);
        let kept = self.kept.get(address)?.iter().find(|(name, _)| *name == attribute)?;
        Some(kept.1.clone())
    }

    fn interface_on(&self, backend: &BackendId, name: &str) -> Sought {
        let Some(found) = self.found.get(backend) else { return Sought::Unknown };
        match found.get(name) {
            Some(fields) => Sought::There(fields.clone()),
            None => Sought::Missing(found.keys().cloned().collect()),
        }
    }

    fn edition(&self) -> Edition {
        self.edition
    }
}

impl Known {
    /// Makes a value known.
    pub fn publish(&mut self, address: &Address, attribute: &'static str, field: Field) {
        self.put(address, attribute, Some(field));
    }

    /// Makes known that there is no value.
    pub fn publish_null(&mut self, address: &Address, attribute: &'static str) {
        self.put(address, attribute, None);
    }

    /// Makes unknown what turned out to change.
    pub fn forget(&mut self, address: &Address, attribute: &str) {
        self.changes(address);
        if let Some(known) = self.computed.get_mut(address) {
            known.retain(|(name, _)| *name != attribute);
        }
    }

    /// Makes known what stays as it is.
    pub(crate) fn keep(
        &mut self,
        address: &Address,
        attribute: &'static str,
        field: Option<Field>,
    ) {
        self.changes(address);
        let kept = self.kept.entry(address.clone()).or_default();
        kept.retain(|(name, _)| *name != attribute);
        kept.push((attribute, field));
    }

    /// Makes known which interfaces there are on a backend.
    pub(crate) fn found(&mut self, backend: BackendId, interfaces: BTreeMap<String, Fields>) {
        self.edition = Edition::new();
        self.found.insert(backend, interfaces);
    }

    fn note(&self, address: &Address) {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(address) {
            asked.insert(address.clone());
        }
    }

    /// Something of a resource is about to be answered otherwise. Mostly nobody has asked, as what a resource depends
    /// on comes before it.
    fn changes(&mut self, address: &Address) {
        if self.asked.get_mut().contains(address) {
            self.asked.get_mut().clear();
            self.edition = Edition::new();
        }
    }

    fn get(&self, address: &Address, attribute: &str) -> Option<&Option<Field>> {
        self.note(address);
        let known = self.computed.get(address)?.iter().find(|(name, _)| *name == attribute)?;
        Some(&known.1)
    }

    fn put(&mut self, address: &Address, attribute: &'static str, field: Option<Field>) {
        self.changes(address);
        // Most resources make one or two things known, and there are many resources.
        let known = self.computed.entry(address.clone()).or_insert_with(|| Vec::with_capacity(1));
        known.retain(|(name, _)| *name != attribute);
        known.push((attribute, field));
    }
}

/// The work in progress.
pub(crate) struct Planner<'a> {
    pub(crate) state: State,
    /// Whether `state` is no longer what is stored.
    pub(crate) state_differs: bool,
    pub(crate) open: Vec<StateChange>,
    pub(crate) interrupted: BTreeSet<Address>,
    /// Copies of keys that an apply which was cut off has left.
    pub(crate) strays: BTreeMap<Address, OwnKeys>,
    pub(crate) actual: &'a Actual,
    pub(crate) views: BTreeMap<BackendId, BackendView>,
    pub(crate) options: Options,
    pub(crate) planned_at: Timestamp,
    pub(crate) verdict: guard::Verdict,
    pub(crate) known: Known,
    pub(crate) desired: BTreeMap<Address, Desired>,
    pub(crate) nodes: BTreeMap<Address, Node>,
    pub(crate) walked: Vec<Address>,
    /// Everything that has a block.
    pub(crate) configured: BTreeSet<Address>,
    /// What cannot be planned now, by the backend that is the reason.
    pub(crate) left_out: BTreeMap<BackendId, BTreeSet<Address>>,
    /// What the configuration says of those.
    pub(crate) out_of_view: BTreeMap<Address, Desired>,
    pub(crate) owners: Owners,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What must be said before anything is done, and about what.
    pub(crate) refusals: Vec<(Address, Refusal)>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// Whether an apply was cut off before.
    pub(crate) had_open: bool,
    /// The backends that something of the state was on when the run began.
    pub(crate) in_use: BTreeSet<BackendId>,
    /// Names of tunnels that the configuration asks for.
    pub(crate) reserved: BTreeSet<(BackendId, String)>,
    /// What has another address now, with its old one.
    pub(crate) moved: Origins,
    /// What `removed` blocks say of what is recorded and has no block.
    pub(crate) removed: BTreeMap<Address, Removed>,
    /// What `import` blocks say, by the resource.
    pub(crate) imports: BTreeMap<Address, Import>,
    /// What was taken over, with what it is found by.
    pub(crate) imported: BTreeMap<Address, String>,
    /// What is made anew because something else changes, and why.
    pub(crate) triggered: BTreeMap<Address, Reason>,
    /// Conditions that are not known yet.
    pub(crate) unsettled: BTreeMap<Address, Unsettled>,
    /// What the `check` blocks warn of; none when they are not looked at.
    pub(crate) checks: Option<Vec<Diagnostic>>,
    /// What is left alone for a time.
    pub(crate) holds: Holds,
    /// The interfaces that a held peer is on.
    pub(crate) held_interfaces: BTreeMap<Address, Arc<Hold>>,
    /// The peers on held interfaces, with their secrets.
    pub(crate) on_held_interfaces: BTreeMap<Address, (Address, Arc<Hold>)>,
    /// What is left out of the plan, because it or what it stands on is held.
    pub(crate) held_back: BTreeMap<Address, Arc<Hold>>,
    /// What would have changed.
    pub(crate) held: Vec<Held>,
}

/// Which resource owns what is on a device.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    interfaces: BTreeMap<(BackendId, String), Address>,
    peers: BTreeMap<(BackendId, String, PublicKey), Address>,
}

impl Owners {
    fn of(state: &State) -> Self {
        let mut owners = Self::default();
        for (address, record) in &state.resources {
            let Some(backend) = record.backend.as_ref().filter(|_| !record.is_gone) else {
                continue;
            };
            owners.add(address, backend, &record.object);
            for deposed in &record.deposed {
                owners.add(address, &deposed.backend, &deposed.object);
            }
        }
        owners
    }

    pub(crate) fn add(&mut self, address: &Address, backend: &BackendId, object: &ObjectKey) {
        match object {
            ObjectKey::Interface { name, .. } => {
                self.interfaces.insert((backend.clone(), name.clone()), address.clone());
            }
            ObjectKey::Peer { interface, public_key } => {
                if let Ok(key) = public_key.parse() {
                    self.peers.insert((backend.clone(), interface.clone(), key), address.clone());
                }
            }
            ObjectKey::PresharedKey {} => {}
        }
    }

    pub(crate) fn interfaces(&self) -> impl Iterator<Item = (&(BackendId, String), &Address)> {
        self.interfaces.iter()
    }

    pub(crate) fn interface(&self, backend: &BackendId, name: &str) -> Option<&Address> {
        self.interfaces.get(&(backend.clone(), name.to_owned()))
    }

    /// Lets another resource own what one owned.
    fn moved(&mut self, from: &Address, to: &Address) {
        let interfaces = self.interfaces.values_mut().filter(|owner| *owner == from);
        interfaces.for_each(|owner| owner.clone_from(to));
    }

    pub(crate) fn peer(
        &self,
        backend: &BackendId,
        interface: &str,
        key: PublicKey,
    ) -> Option<&Address> {
        self.peers.get(&(backend.clone(), interface.to_owned(), key))
    }
}

impl<'a> Planner<'a> {
    pub(crate) fn new(inputs: Inputs<'a>) -> Self {
        let Inputs { state, open, actual, backends, options, planned_at } = inputs;
        let had_open = !open.is_empty();
        let mut in_use = state.backends_in_use();
        let Recovered { mut state, open, interrupted, strays } = recover(state, open, actual);
        in_use.extend(state.backends_in_use());
        let state_differs = come_back(&mut state, actual) || had_open;
        own_what_files_give(&mut state, actual);
        let verdict = guard::judge(&state, actual, &backends, &options);
        let owners = Owners::of(&state);
        Self {
            state,
            state_differs,
            open,
            interrupted,
            strays,
            actual,
            views: backends,
            options,
            planned_at,
            verdict,
            known: Known::default(),
            desired: BTreeMap::new(),
            nodes: BTreeMap::new(),
            walked: Vec::new(),
            configured: BTreeSet::new(),
            left_out: BTreeMap::new(),
            out_of_view: BTreeMap::new(),
            owners,
            diagnostics: Vec::new(),
            refusals: Vec::new(),
            warnings: Vec::new(),
            had_open,
            in_use,
            reserved: BTreeSet::new(),
            moved: Origins::new(),
            removed: BTreeMap::new(),
            imports: BTreeMap::new(),
            imported: BTreeMap::new(),
            triggered: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            checks: None,
            holds: Holds::default(),
            held_interfaces: BTreeMap::new(),
            on_held_interfaces: BTreeMap::new(),
            held_back: BTreeMap::new(),
            held: Vec::new(),
        }
    }

    pub(crate) fn plan(
        mut self,
        config: &Config,
        evaluator: &Evaluator<'_>,
    ) -> Result<Plan, Vec<Diagnostic>> {
        let mut silent = Vec::new();
        if !self.options.destroy {
            self.know_data(evaluator);
            self.reserve_names(evaluator);
            self.configured = evaluator.resources().iter().cloned().collect();
            self.note_refactoring(config, evaluator.imports());
            for address in evaluator.resources() {
                match evaluator.resource(address, &self.known) {
                    Ok(desired) => {
                        self.visit(desired);
                        self.check_conditions(evaluator, address);
                    }
                    Err(problems) => {
                        silent.extend(problems.is_empty().then_some(address));
                        self.diagnostics.extend(problems);
                    }
                }
            }
        }
        if self.diagnostics.is_empty() {
            self.diagnostics.extend(silent.first().map(|it| config.unexplained(it)));
        }
        self.warn_of_remarks(config);
        self.warn_of_copies(config);
        self.check_one_firewall(config);
        self.warn_of_service(config);
        self.warn_of_unassigned();
        self.guard_far_ends();
        secret::resolve(&mut self);
        check::across_resources(&mut self);
        if !self.options.destroy {
            self.check_everything(evaluator);
        }
        let outputs = self.outputs(evaluator);
        if !self.diagnostics.is_empty() {
            return Err(diagnostic::unique(self.diagnostics));
        }
        self.finish(outputs)
    }

    pub(crate) fn visit(&mut self, desired: Desired) {
        if let Some(backend) = self.hindrance(&desired) {
            self.left_out.entry(backend).or_default().insert(desired.address.clone());
            self.publish_recorded(&desired.address);
            self.out_of_view.insert(desired.address.clone(), desired);
            return;
        }
        self.refuse_sensitive(&desired);
        self.import(&desired);
        if self.hold_back(&desired) {
            self.publish_recorded(&desired.address);
            self.out_of_view.insert(desired.address.clone(), desired);
            return;
        }
        let desired = self.with_held(desired);
        self.look_for_triggers(&desired);
        let address = desired.address.clone();
        let (desired, node) = match address.kind {
            Kind::Interface => self.visit_interface(desired),
            Kind::Peer => self.visit_peer(desired),
            Kind::PresharedKey => self.visit_secret(desired),
        };
        self.walked.push(address.clone());
        self.desired.insert(address.clone(), desired);
        self.nodes.insert(address, node);
    }

    /// Reports what the version of a system does not have.
    pub(crate) fn check_lacks(&mut self, desired: &Desired) {
        let Some(backend) = desired.backend.as_ref() else { return };
        let Some(picture) = self.picture(backend) else { return };
        let kind = desired.address.kind;
        for lack in picture.capabilities.lacks.iter().filter(|lack| lack.kind == kind) {
            let Lack { kind: _, attribute, since } = lack;
            // What every version does without being told can be written for all of them.
            let is_default = match desired.fields.get(attribute) {
                Some(Wanted::Known(Field::Bool(yes))) => !yes,
                Some(Wanted::Known(Field::Text(text))) => text == "main",
                wanted => wanted.is_none(),
            };
            let Some(span) = desired.spans.get(attribute).filter(|_| !is_default) else { continue };
            let problem = Diagnostic::error("attribute that the system is too old for")
                .label(
                    span,
                    format!("backend `{backend}` has `{attribute}` from version {since} on"),
                )
                .help(format!("Upgrade the system, or leave `{attribute}` out."));
            self.diagnostics.push(problem);
        }
    }

    /// Says what somebody should know of the systems.
    fn warn_of_remarks(&mut self, config: &Config) {
        let actual = self.actual;
        for (id, reading) in &actual.backends {
            let Reading::Read(picture) = reading else { continue };
            for remark in &picture.remarks {
                let Remark { summary: _, says, hint } = remark;
                let warning = Diagnostic::warning(remark.summary);
                self.warnings.push(match config.backend_span(id) {
                    Some(span) => warning.label(span, says.clone()).help(*hint),
                    None => warning.help(format!("Backend `{id}`: {says}. {hint}")),
                });
            }
        }
    }

    /// Returns what kind of system a backend is.
    pub(crate) fn kind_of(&self, backend: Option<&BackendId>) -> BackendKind {
        let view = backend.and_then(|backend| self.views.get(backend));
        view.map_or(BackendKind::Local, |view| view.kind)
    }

    /// Returns the backend without which nothing can be planned for a resource: its own, the one that it is to leave,
    /// or the one that keeps out what it is a part of, or what only that backend could tell.
    fn hindrance(&self, desired: &Desired) -> Option<BackendId> {
        let recorded =
            self.state.resources.get(&desired.address).and_then(|it| it.backend.as_ref());
        let own =
            self.out_of_reach(desired.backend.as_ref()).or_else(|| self.out_of_reach(recorded));
        let is_unknown = desired.fields.values().any(|wanted| *wanted == Wanted::Unknown);
        let read = || {
            let mut read = desired.reads.iter().filter(|_| is_unknown);
            read.find_map(|id| self.out_of_reach(Some(id)))
        };
        // A peer is planned with its interface and its secret. Of anything else, what was last known will do.
        let whole = ["interface", "preshared_key"].map(|name| desired.references.get(name));
        let whole = whole.into_iter().flatten().map(|it| &**it);
        let needed = || {
            let mut needed = whole.chain(desired.depends_on.iter().filter(|_| is_unknown));
            needed.find_map(|it| self.kept_out_by(it))
        };
        own.or_else(read).or_else(needed)
    }

    /// Returns the backend that keeps a resource out of the plan.
    pub(crate) fn kept_out_by(&self, address: &Address) -> Option<BackendId> {
        // There may be many backends, and most resources wait for none.
        self.out_of_view.get(address)?;
        let (id, _) = self.left_out.iter().find(|(_, left_out)| left_out.contains(address))?;
        Some(id.clone())
    }

    /// The state may not hold what must not be seen, and without it nothing could be compared.
    fn refuse_sensitive(&mut self, desired: &Desired) {
        for name in &desired.sensitive {
            let declared = declaration::attribute(desired.address.kind, name);
            if declared.is_none_or(|attribute| attribute.form.is_secret()) {
                continue;
            }
            let problem = Diagnostic::error("sensitive value that the state would hold")
                .label(check::span(desired, name), format!("`{name}` is recorded in the state"))
                .help("The state holds no sensitive values. Write `nonsensitive(…)` around it if it may be seen.");
            self.diagnostics.push(problem);
        }
    }

    /// Returns the backend if nothing is known of it now.
    pub(crate) fn out_of_reach(&self, backend: Option<&BackendId>) -> Option<BackendId> {
        let backend = backend?;
        let is_read = matches!(self.actual.backends.get(backend), Some(Reading::Read(_)));
        let is_trusted = !self.verdict.refusals.contains_key(backend);
        let is_within = is_trusted && (is_read || self.options.without_refresh);
        (!is_within).then(|| backend.clone())
    }

    /// Lets others refer to what was last known of a resource that cannot be looked at.
    fn publish_recorded(&mut self, address: &Address) {
        let Some(record) = self.state.resources.get(address) else { return };
        self.known.publish_recorded(address, record);
    }

    fn visit_secret(&mut self, desired: Desired) -> (Desired, Node) {
        let address = desired.address.clone();
        let desired = match self.as_kept(&desired) {
            Some(kept) => self.keep(kept),
            None => desired,
        };
        secret::publish_recorded(self, &desired);
        let record = self.state.resources.get(&address);
        let fate = if record.is_some() { Fate::Keep } else { Fate::Create };
        let diffs = self.differences(
            &desired,
            BackendKind::Local,
            None,
            &["holders", "fingerprint", "value"],
        );
        let reason = match (&record, self.requested(&address)) {
            (None, _) => Reason::New,
            (Some(_), Some(reason)) => reason,
            (Some(_), None) => Reason::Configuration,
        };
        let node = Node {
            address,
            backend: None,
            fate,
            reason,
            diffs,
            notes: Vec::new(),
            device: Device::Secret(SecretSource::New),
        };
        (desired, node)
    }

    /// Returns which resource a peer belongs to, and will.
    pub(crate) fn peer_owner(
        &self,
        backend: &BackendId,
        interface: &str,
        key: PublicKey,
    ) -> Option<&Address> {
        self.owners.peer(backend, interface, key).filter(|owner| !self.is_forgotten(owner))
    }

    pub(crate) fn refuse(&mut self, about: &Address, refusal: Refusal) {
        self.refusals.push((about.clone(), refusal));
    }

    pub(crate) fn picture(&self, backend: &BackendId) -> Option<&'a Picture> {
        match self.actual.backends.get(backend) {
            Some(Reading::Read(picture)) => Some(picture),
            _ => None,
        }
    }

    pub(crate) fn fingerprint_key(&self) -> &FingerprintKey {
        &self.state.fingerprint_key
    }

    /// Compares every attribute but those that are named, which their kind compares by itself.
    pub(crate) fn differences(
        &self,
        desired: &Desired,
        backend: BackendKind,
        found: Option<&BTreeMap<&'static str, Json>>,
        without: &[&str],
    ) -> Vec<AttributeDiff> {
        let record = self.state.resources.get(&desired.address);
        // What an apply was cut off in the middle of is compared with what is there only, so that the rest of it is
        // a change and not somebody's drift.
        let is_interrupted = self.interrupted.contains(&desired.address);
        let all = declaration::attributes(desired.address.kind).iter();
        // What the backend has no place for can only have its default, of which there is nothing to say.
        all.filter(|attribute| !without.contains(&attribute.name))
            .filter(|attribute| attribute.support(backend) != Support::No)
            .map(|attribute| {
                let support = attribute.support(backend);
                let wanted = self.side(desired, attribute.name);
                let applied = record.and_then(|record| record.attributes.get(attribute.name));
                let found_now = found.and_then(|found| found.get(attribute.name));
                let wanted_now = match &wanted {
                    Side::Known(json) => Some(json.clone()),
                    Side::Unset | Side::Unknown => None,
                };
                let (applied, found_now) = match support {
                    Support::Wgform => (applied, wanted_now.as_ref()),
                    Support::Device if is_interrupted && wanted != Side::Unset => {
                        (found_now, found_now)
                    }
                    _ => (applied, found_now),
                };
                let support = if support == Support::Wgform { Support::Device } else { support };
                let owned = record.and_then(|record| record.owned_elements.get(attribute.name));
                let sides = Sides { wanted, applied, found: found_now, owned };
                let mut diff = diff::attribute(attribute, support, sides);
                if diff.is_write() && desired.ignored.contains(attribute.name) {
                    diff.class = Class::AlreadySo;
                }
                if is_interrupted && diff.class == Class::Drift {
                    diff.class = Class::Change;
                }
                diff
            })
            .collect()
    }

    /// Returns what the configuration says of an attribute, as a state would remember it.
    pub(crate) fn side(&self, desired: &Desired, name: &str) -> Side {
        match desired.fields.get(name) {
            None => Side::Unset,
            Some(Wanted::Unknown) => Side::Unknown,
            Some(Wanted::Known(field)) => Side::Known(field.recorded(self.fingerprint_key())),
        }
    }

    pub(crate) fn found_values(&self, fields: &Fields) -> BTreeMap<&'static str, Json> {
        fields.iter().map(|(name, field)| (*name, field.recorded(self.fingerprint_key()))).collect()
    }

    pub(crate) fn recorded_values(
        record: &ResourceRecord,
        kind: Kind,
    ) -> BTreeMap<&'static str, Json> {
        let all = declaration::attributes(kind).iter();
        all.filter_map(|it| Some((it.name, record.attributes.get(it.name)?.clone()))).collect()
    }

    /// Says why an object that stays is changed.
    pub(crate) fn keep_reason(
        &self,
        address: &Address,
        fate: Fate,
        reason: Reason,
        diffs: &[AttributeDiff],
    ) -> Reason {
        if fate != Fate::Keep {
            return reason;
        }
        let has = |class: Class| diffs.iter().any(|diff| diff.class == class);
        match (self.interrupted.contains(address), has(Class::Change), has(Class::Drift)) {
            (true, ..) => Reason::Interrupted,
            (false, false, true) => Reason::Drift,
            _ => Reason::Configuration,
        }
    }

    /// Says anew why an object that stays is changed, once its differences are others.
    pub(crate) fn settle_reason(&mut self, address: &Address) {
        let Some(node) = self.nodes.get(address) else { return };
        let reason = self.keep_reason(address, node.fate.clone(), node.reason.clone(), &node.diffs);
        if let Some(node) = self.nodes.get_mut(address) {
            node.reason = reason;
        }
    }

    pub(crate) fn ends(&self) -> Vec<End> {
        self.desired.values().filter_map(|desired| self.end(desired)).collect()
    }

    /// Returns what a peer is an end of.
    pub(crate) fn end(&self, desired: &Desired) -> Option<End> {
        if desired.address.kind != Kind::Peer {
            return None;
        }
        let interface = desired.references.get("interface")?;
        let public_key = match desired.fields.get("public_key").and_then(Wanted::known) {
            Some(Field::PublicKey(key)) => Some(*key),
            _ => None,
        };
        let own_key = match self.known.computed(interface, "public_key") {
            Some(Field::PublicKey(key)) => Some(key),
            _ => None,
        };
        Some(End {
            peer: desired.address.clone(),
            interface: (**interface).clone(),
            far_interface: match &desired.far {
                Some(far) => Some((**far).clone()).filter(|far| *far != **interface),
                None => far_interface(&desired.depends_on, interface),
            },
            public_key,
            own_key,
        })
    }
}

/// Returns the one interface that a peer refers to besides its own.
pub(crate) fn far_interface(
    depends_on: &BTreeSet<Address>,
    interface: &Address,
) -> Option<Address> {
    let is_other = |it: &&Address| it.kind == Kind::Interface && *it != interface;
    let mut others = depends_on.iter().filter(is_other);
    let first = others.next();
    if others.next().is_none() { first.cloned() } else { None }
}

/// Returns the attribute's difference for an object that is made: everything that is wanted is new.
pub(crate) fn all_new(diffs: &mut [AttributeDiff]) {
    for diff in diffs {
        diff.before = None;
        diff.was = None;
        diff.class = if diff.after == Side::Unset { Class::Same } else { Class::Change };
    }
}

/// Returns the attributes' differences between an object that goes and the one that takes its place. Nothing of the old
/// one is left there, so only what is wanted counts; what somebody else had added to it goes with it.
pub(crate) fn as_new_object(diffs: &mut [AttributeDiff]) {
    for diff in diffs {
        if let Some(elements) = diff.elements.take() {
            let wanted: Vec<Json> = elements.owned.into_iter().map(Json::from).collect();
            diff.after = Side::Known(wanted.into());
        }
        diff.was = None;
        let is_same = match (&diff.before, &diff.after) {
            (_, Side::Unset) => true,
            (Some(before), Side::Known(after)) => before == after,
            _ => false,
        };
        diff.class = if is_same { Class::Same } else { Class::Change };
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Computed as _;
    use crate::plan::walk::Known;
    use crate::resource::{Address, BackendId, Field, Kind};

    #[test]
    fn an_answer_that_changes_makes_another_edition() {
        let (a, b) = (Address::root(Kind::Interface, "a"), Address::root(Kind::Interface, "b"));
        let mut known = Known::default();
        let first = known.edition();
        assert_ne!(first, Known::default().edition());
        // Nobody has asked.
        known.publish(&a, "name", Field::Text("wg0".to_owned()));
        assert_eq!(known.edition(), first);
        known.computed(&a, "name");
        known.publish(&b, "name", Field::Text("wg1".to_owned()));
        assert_eq!(known.edition(), first);
        known.publish_null(&a, "listen_port");
        let second = known.edition();
        assert_ne!(second, first);
        type Change = (&'static str, fn(&Known, &Address), fn(&mut Known, &Address));
        let changes: [Change; 3] = [
            ("forget", |it, on| _ = it.is_null(on, "x"), |it, on| it.forget(on, "name")),
            ("keep", |it, on| _ = it.kept(on, "x"), |it, on| it.keep(on, "x", None)),
            ("found", |_, _| {}, |it, _| it.found(BackendId::new("hq"), [].into())),
        ];
        for (what, ask, change) in changes {
            let before = known.edition();
            ask(&known, &b);
            change(&mut known, &b);
            assert_ne!(known.edition(), before, "{what}");
        }
    }
}
