//! What was changed outside of wgform, by class: what a plan says of it, with what is known and what is held apart.
//!
//! Nothing is found out here. What counts for an exit code is decided here, once for people, programs and metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde::Serialize;

use crate::actual::{Actual, Reading};
use crate::diff::Class as Compared;
use crate::plan::{Note, Plan, Reason, ResourceChange, Subject};
use crate::resource::{Address, BackendId, BackendKind, Kind};
use crate::state::{Hold, ObjectKey};

/// In which way something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Attributes of an object that is there.
    Changed,
    /// An object that is there no longer.
    Gone,
    /// A peer that nobody declared, on an interface of ours.
    Unmanaged,
    /// A hold leaves it alone.
    Held,
    /// A `known_drift` entry says so.
    Known,
    /// The device does not show it.
    NotChecked,
    /// A peer that waits for a key.
    Pending,
    /// An interface that nobody declared.
    UnknownInterface,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 8] = [
        Self::Changed,
        Self::Gone,
        Self::Unmanaged,
        Self::Held,
        Self::Known,
        Self::NotChecked,
        Self::Pending,
        Self::UnknownInterface,
    ];

    /// Returns its name, as programs are told it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Gone => "gone",
            Self::Unmanaged => "unmanaged",
            Self::Held => "held",
            Self::Known => "known",
            Self::NotChecked => "not_checked",
            Self::Pending => "pending",
            Self::UnknownInterface => "unknown_interface",
        }
    }

    /// Returns whether the exit code tells of it.
    pub fn is_drift(self) -> bool {
        matches!(self, Self::Changed | Self::Gone | Self::Unmanaged)
    }
}

/// One object that differs, in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// In which way.
    pub class: Class,
    /// Where; none for what is on no backend.
    pub backend: Option<BackendId>,
    /// What: an address; or a peer or an interface by its name on the device.
    pub subject: String,
    /// The attributes; none for an object as a whole.
    pub attributes: Vec<&'static str>,
    /// What lets it differ, where something does.
    pub hold: Option<Pardon>,
}

/// Why something may differ, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pardon {
    /// The label of the block, or what the command held.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Until when, in RFC 3339.
    pub expires_at: String,
}

impl Pardon {
    fn of(hold: &Hold) -> Self {
        Self {
            name: hold.name.clone(),
            reason: hold.reason.clone(),
            expires_at: hold.expires_at.to_string(),
        }
    }
}

/// Drift that is known.
#[derive(Debug, Clone)]
pub struct Known {
    /// What differs.
    pub change: ResourceChange,
    /// Why that is known.
    pub entry: Arc<Hold>,
}

/// An interface that nobody declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownInterface {
    /// Where.
    pub backend: BackendId,
    /// Its name there.
    pub name: String,
    /// How many peers it has.
    pub peers: usize,
}

/// How a backend was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Why it could not be read; none of one that was.
    pub why_not: Option<String>,
    /// How long it has been up, if it says.
    pub uptime: Option<Duration>,
    /// By how much its clock is ahead of ours, if it says.
    pub clock_skew: Option<SignedDuration>,
}

/// What a look for drift has found.
#[derive(Debug)]
pub struct Report {
    /// The plan, of which only drift is left that is neither known nor held.
    pub plan: Plan,
    /// What is known.
    pub known: Vec<Known>,
    /// What nobody declared.
    pub unknown: Vec<UnknownInterface>,
    /// The backends that were asked.
    pub backends: BTreeMap<BackendId, Seen>,
    /// So many changes of the configuration are not applied yet.
    pub waiting: usize,
}

impl Report {
    /// Sorts what a plan says.
    pub fn new(mut plan: Plan, actual: &Actual) -> Self {
        let unknown = match plan.is_partial {
            true => Vec::new(),
            false => unknown_interfaces(&plan, actual),
        };
        let mut known = Vec::new();
        let mut drift = Vec::new();
        let mut waiting = 0;
        let follows = Consequences::of(&plan);
        for change in std::mem::take(&mut plan.changes) {
            let is_unmanaged = change.reason == Reason::Unmanaged;
            let is_other = change.is_drift() || is_unmanaged || follows.has(&change);
            waiting += usize::from(!is_other);
            if is_unmanaged {
                drift.push(change);
            } else if change.has_drift() {
                drift.extend(without_known(&plan, drift_of(change), &mut known));
            }
        }
        plan.changes = drift;
        let backends = actual.backends.iter().map(|(id, it)| (id.clone(), seen(it))).collect();
        Self { plan, known, unknown, backends, waiting }
    }

    /// Returns whether there is drift that is neither known nor held.
    pub fn has_drift(&self) -> bool {
        !self.plan.changes.is_empty() || !self.plan.unmanaged.is_empty()
    }

    /// Returns everything that differs, in the order of the classes.
    pub fn findings(&self) -> Vec<Finding> {
        let mut all: Vec<Finding> =
            self.plan.changes.iter().map(|it| of_change(it, None)).collect();
        all.extend(self.plan.unmanaged.iter().map(|it| Finding {
            class: Class::Unmanaged,
            backend: Some(it.backend.clone()),
            subject: format!("{} of {}", it.public_key, it.interface),
            attributes: Vec::new(),
            hold: None,
        }));
        all.extend(self.missing());
        all.extend(self.held());
        all.extend(self.known.iter().map(|it| of_change(&it.change, Some(&it.entry))));
        let resources = &self.plan.state.resources;
        all.extend(self.plan.unchecked.iter().map(|(address, names)| Finding {
            class: Class::NotChecked,
            backend: resources.get(address).and_then(|it| it.backend.clone()),
            subject: address.to_string(),
            attributes: names.iter().copied().collect(),
            hold: None,
        }));
        all.extend(self.plan.pending.iter().map(|address| Finding {
            class: Class::Pending,
            backend: self.plan.resources.get(address).and_then(|it| it.backend.clone()),
            subject: address.to_string(),
            attributes: Vec::new(),
            hold: None,
        }));
        all.extend(self.unknown.iter().map(|it| Finding {
            class: Class::UnknownInterface,
            backend: Some(it.backend.clone()),
            subject: it.name.clone(),
            attributes: Vec::new(),
            hold: None,
        }));
        all.sort_by_key(|it| it.class);
        all
    }

    /// Returns what is gone where that is not believed.
    fn missing(&self) -> impl Iterator<Item = Finding> {
        self.plan.doubted.iter().flat_map(|(id, missing)| {
            missing.iter().map(|address| Finding {
                class: Class::Gone,
                backend: Some(id.clone()),
                subject: address.to_string(),
                attributes: Vec::new(),
                hold: None,
            })
        })
    }

    fn held(&self) -> impl Iterator<Item = Finding> {
        self.plan.held.iter().filter(|it| it.is_drift()).map(|it| Finding {
            class: Class::Held,
            backend: it.backend.clone(),
            subject: it.address.to_string(),
            attributes: it.attributes.iter().map(|diff| diff.attribute.name).collect(),
            hold: Some(Pardon::of(&it.hold)),
        })
    }

    /// Returns how many objects differ on each backend, by class, also where none does. An object counts once in a class.
    pub fn counts(&self) -> BTreeMap<(BackendId, Class), usize> {
        let ids = self.backends.keys();
        let mut counts: BTreeMap<(BackendId, Class), usize> =
            ids.flat_map(|id| Class::ALL.map(|class| ((id.clone(), class), 0))).collect();
        for (class, backend, _) in distinct(self.findings()) {
            let Some(backend) = backend else { continue };
            *counts.entry((backend, class)).or_default() += 1;
        }
        counts
    }

    /// Returns how many objects differ, by class, also where none does.
    pub fn by_class(&self) -> BTreeMap<Class, usize> {
        let mut counts = BTreeMap::from(Class::ALL.map(|class| (class, 0)));
        for (class, _, _) in distinct(self.findings()) {
            *counts.entry(class).or_default() += 1;
        }
        counts
    }
}

/// What an apply would write only because something is gone: secrets that nobody has any longer, and keys that were lost.
struct Consequences {
    secrets: BTreeSet<Address>,
    told: BTreeSet<Address>,
}

impl Consequences {
    fn of(plan: &Plan) -> Self {
        let mut all = Self { secrets: BTreeSet::new(), told: BTreeSet::new() };
        for change in plan.changes.iter().filter(|it| it.is_drift()) {
            let record = change.subject.address().and_then(|it| plan.state.resources.get(it));
            let needed = record.into_iter().flat_map(|it| &it.dependencies);
            all.secrets.extend(needed.filter(|it| it.kind == Kind::PresharedKey).cloned());
            for note in &change.notes {
                if let Note::NewKey { follow, tell: _ } = note {
                    all.told.extend(follow.iter().cloned());
                }
            }
        }
        all
    }

    /// Returns whether a change is no more than that.
    fn has(&self, change: &ResourceChange) -> bool {
        let Some(address) = change.subject.address() else { return false };
        if !matches!(change.reason, Reason::Configuration | Reason::CannotUpdate("public_key")) {
            return false;
        }
        let writes = |name: &str| {
            let mut written = change.attributes.iter().filter(|it| it.is_write()).peekable();
            written.peek().is_some() && written.all(|it| it.attribute.name == name)
        };
        match address.kind {
            Kind::PresharedKey => self.secrets.contains(address) && writes("fingerprint"),
            Kind::Peer => self.told.contains(address) && writes("public_key"),
            Kind::Interface => false,
        }
    }
}

fn distinct(findings: Vec<Finding>) -> BTreeSet<(Class, Option<BackendId>, String)> {
    findings.into_iter().map(|it| (it.class, it.backend, it.subject)).collect()
}

fn of_change(change: &ResourceChange, entry: Option<&Arc<Hold>>) -> Finding {
    let is_gone =
        matches!(change.reason, Reason::Gone | Reason::Rebooted | Reason::GoneWithInterface);
    let class = match (&change.subject, entry) {
        (_, Some(_)) => Class::Known,
        (Subject::Unmanaged { .. }, None) => Class::Unmanaged,
        (_, None) if is_gone => Class::Gone,
        (_, None) => Class::Changed,
    };
    let drifted = change.attributes.iter().filter(|it| it.class == Compared::Drift);
    let mut attributes: Vec<_> = drifted.map(|it| it.attribute.name).collect();
    if change.notes.iter().any(Note::is_drift) && !attributes.contains(&"persist") {
        attributes.push("persist");
    }
    let subject = match &change.subject {
        Subject::Unmanaged { interface, public_key } => format!("{public_key} of {interface}"),
        other => other.to_string(),
    };
    Finding {
        class,
        backend: change.backend.clone(),
        subject,
        attributes: if is_gone { Vec::new() } else { attributes },
        hold: entry.map(|it| Pardon::of(it)),
    }
}

/// Returns that part of a change that only undoes what happened outside of wgform.
fn drift_of(mut change: ResourceChange) -> ResourceChange {
    if !change.is_drift() {
        change.reason = Reason::Drift;
        change.attributes.retain(|diff| diff.class != Compared::Change);
    }
    change
}

/// Takes out of a change what is known, and returns what is left of it.
fn without_known(
    plan: &Plan,
    change: ResourceChange,
    known: &mut Vec<Known>,
) -> Option<ResourceChange> {
    let Subject::Resource(address) = &change.subject else { return Some(change) };
    let is_whole = change.reason != Reason::Drift;
    if is_whole {
        let Some(entry) = plan.holds.known(address, None) else { return Some(change) };
        known.push(Known { entry: entry.clone(), change });
        return None;
    }
    let entry_of = |name: &str| plan.holds.known(address, Some(name));
    let is_known =
        |it: &crate::diff::AttributeDiff| it.is_write() && entry_of(it.attribute.name).is_some();
    let has_notes = change.notes.iter().any(Note::is_drift);
    let notes_entry = entry_of("persist").filter(|_| has_notes);
    let first = change.attributes.iter().find(|it| is_known(it));
    let entry = first.and_then(|it| entry_of(it.attribute.name)).or(notes_entry);
    let Some(entry) = entry.cloned() else { return Some(change) };
    let mut rest = change.clone();
    let mut told = change;
    rest.attributes.retain(|it| !is_known_of(&rest.subject, plan, it));
    told.attributes.retain(|it| !it.is_write() || is_known_of(&told.subject, plan, it));
    match notes_entry {
        Some(_) => rest.notes.retain(|it| !it.is_drift()),
        None => told.notes.clear(),
    }
    known.push(Known { entry, change: told });
    rest.has_drift_left().then_some(rest)
}

fn is_known_of(subject: &Subject, plan: &Plan, diff: &crate::diff::AttributeDiff) -> bool {
    let known = subject.address().and_then(|it| plan.holds.known(it, Some(diff.attribute.name)));
    diff.is_write() && known.is_some()
}

impl ResourceChange {
    fn has_drift_left(&self) -> bool {
        self.attributes.iter().any(|it| it.class == Compared::Drift)
            || self.notes.iter().any(Note::is_drift)
    }
}

fn unknown_interfaces(plan: &Plan, actual: &Actual) -> Vec<UnknownInterface> {
    let records = plan.state.resources.values().filter(|it| !it.is_gone);
    let owned: BTreeSet<(&BackendId, &str)> = records
        .flat_map(|record| {
            let deposed = record.deposed.iter().map(|it| (&it.backend, &it.object));
            record.backend.as_ref().map(|id| (id, &record.object)).into_iter().chain(deposed)
        })
        .filter_map(|(id, object)| match object {
            ObjectKey::Interface { name, .. } => Some((id, name.as_str())),
            ObjectKey::Peer { .. } | ObjectKey::PresharedKey {} => None,
        })
        .collect();
    let managed: BTreeSet<&BackendId> = owned.iter().map(|(id, _)| *id).collect();
    let mut unknown = Vec::new();
    for (id, reading) in actual.backends.iter().filter(|(id, _)| managed.contains(id)) {
        let Reading::Read(picture) = reading else { continue };
        let others = picture.interfaces.iter();
        unknown.extend(others.filter(|(name, _)| !owned.contains(&(id, name.as_str()))).map(
            |(name, found)| UnknownInterface {
                backend: id.clone(),
                name: name.clone(),
                peers: found.peers.len() + found.keyless,
            },
        ));
    }
    unknown
}

/// Says how a backend was found.
pub fn seen(reading: &Reading) -> Seen {
    match reading {
        Reading::Read(picture) => Seen {
            why_not: None,
            uptime: picture.identity.uptime,
            clock_skew: picture.identity.clock_skew,
        },
        Reading::Unreachable(why) => {
            Seen { why_not: Some(why.reason.clone()), uptime: None, clock_skew: None }
        }
    }
}

/// Returns how messages call a resource's place.
pub fn place(plan: &Plan, backend: Option<&BackendId>) -> String {
    let Some(id) = backend else { return String::new() };
    let kind = plan.views.get(id).map_or("backend", |it| BackendKind::as_str(it.kind));
    format!(" on {kind} \"{id}\"")
}

/// Returns what is held in the order in which it is told.
pub fn in_order(plan: &Plan) -> BTreeMap<&Address, Vec<&crate::plan::Held>> {
    let mut by_address: BTreeMap<&Address, Vec<&crate::plan::Held>> = BTreeMap::new();
    for held in &plan.held {
        by_address.entry(&held.address).or_default().push(held);
    }
    by_address
}
