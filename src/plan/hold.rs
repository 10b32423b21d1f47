//! What is left alone for a time: `hold` blocks, and what `wgform hold` put into the state.
//!
//! A held attribute of an object that stays is taken for wanted as it is, and the state goes on saying what was last
//! applied: so it is drift again once the hold has ended. An object that would be made anew or removed stays as a whole, and with
//! it what stands on it; one that is gone is not made again while all of it is held.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::{Desired, Evaluator, Holding, Wanted, is_meant};
use crate::diagnostic::{Diagnostic, Span};
use crate::diff::AttributeDiff;
use crate::plan::routes::recorded_interface;
use crate::plan::walk::{Fate, Planner};
use crate::plan::{Action, Reason};
use crate::resource::{Address, BackendId, Kind, Presence, declaration};
use crate::state::{Hold, HoldKind, State};

/// What is left alone, or known to differ, at the time of a plan.
#[derive(Debug, Clone, Default)]
pub struct Holds {
    held: BTreeMap<Address, Vec<Arc<Hold>>>,
    known: BTreeMap<Address, Vec<Arc<Hold>>>,
    /// Those whose time is up, with what they were about, as long as the state remembers them.
    pub expired: Vec<Arc<Hold>>,
    /// Those that go on, as the state remembers them.
    pub(crate) recorded: Vec<Hold>,
}

impl Holds {
    /// Takes those that a state remembers, for whoever has no configuration.
    ///
    /// # Errors
    /// With what this program cannot read.
    pub fn recorded(state: &State, now: Timestamp) -> Result<Self, String> {
        let mut holds = Self::default();
        for hold in state.held()? {
            holds.add(hold, state, now);
        }
        Ok(holds)
    }

    /// Takes those of a configuration, and those of the state that a command made.
    fn of(
        config: Vec<Holding>,
        evaluator: &Evaluator<'_>,
        state: &State,
        now: Timestamp,
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let remembered = state.held().map_err(|why| vec![unreadable(&why)])?;
        let (by_command, in_blocks): (Vec<_>, Vec<_>) =
            remembered.into_iter().partition(|it| it.made.is_some());
        let in_blocks: BTreeSet<(HoldKind, String)> =
            in_blocks.into_iter().map(|it| (it.kind, it.name)).collect();
        let mut holds = Self::default();
        for hold in by_command {
            holds.add(hold, state, now);
        }
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        for holding in config {
            let span = holding.span.clone();
            let hold = match resolved(holding, evaluator, state, now) {
                Ok(hold) => hold,
                Err(more) => {
                    problems.extend(more);
                    continue;
                }
            };
            let is_expired = hold.is_expired(now);
            if is_expired {
                warnings.push(outlived(&hold, &span));
            }
            // The end of one that an apply has forgotten is no news.
            if !is_expired || in_blocks.contains(&(hold.kind, hold.name.clone())) {
                holds.add(hold, state, now);
            }
        }
        if problems.is_empty() { Ok((holds, warnings)) } else { Err(problems) }
    }

    fn add(&mut self, hold: Hold, state: &State, now: Timestamp) {
        if hold.is_expired(now) {
            self.expired.push(Arc::new(hold));
            return;
        }
        self.recorded.push(hold.clone());
        let hold = Arc::new(hold);
        for target in &hold.targets {
            let of_kind = match hold.kind {
                HoldKind::Hold => &mut self.held,
                HoldKind::KnownDrift => &mut self.known,
            };
            of_kind.entry(target.clone()).or_default().push(hold.clone());
            // A secret with a holder that keeps what it has stays as it is.
            let record = state.resources.get(target).filter(|_| hold.kind == HoldKind::Hold);
            let needed = record.iter().flat_map(|it| &it.dependencies);
            let secrets = needed.filter(|it| it.kind == Kind::PresharedKey);
            for secret in secrets.filter(|_| hold.covers("preshared_key")) {
                self.held.entry(secret.clone()).or_default().push(hold.clone());
            }
        }
    }

    /// Returns the hold by which a resource is left alone, in part or as a whole.
    pub fn on(&self, address: &Address) -> Option<&Arc<Hold>> {
        self.held.get(address)?.first()
    }

    /// Returns the hold by which nothing at all happens to a resource.
    pub fn on_all_of(&self, address: &Address) -> Option<&Arc<Hold>> {
        self.held.get(address)?.iter().find(|it| it.attributes.is_empty())
    }

    /// Returns the hold on an attribute.
    pub fn on_attribute(&self, address: &Address, attribute: &str) -> Option<&Arc<Hold>> {
        let covers = |it: &&Arc<Hold>| {
            // A public key is that of the private one.
            it.covers(attribute) || attribute == "public_key" && it.covers("private_key")
        };
        self.held.get(address)?.iter().find(covers)
    }

    /// Returns why drift of an attribute is known; of a whole object, where no attribute is named.
    pub fn known(&self, address: &Address, attribute: Option<&str>) -> Option<&Arc<Hold>> {
        let all = self.known.get(address)?;
        all.iter().find(|it| match attribute {
            Some(name) => it.covers(name),
            None => it.attributes.is_empty(),
        })
    }

    /// Returns how many holds there are, and entries of known drift.
    pub fn counts(&self) -> (usize, usize) {
        let of = |kind| self.recorded.iter().filter(|it| it.kind == kind).count();
        (of(HoldKind::Hold), of(HoldKind::KnownDrift))
    }

    /// Returns the attributes of a resource that are left alone.
    fn attributes(&self, address: &Address) -> BTreeSet<&'static str> {
        let Some(holds) = self.held.get(address) else { return BTreeSet::new() };
        let is_held = |name: &str| holds.iter().any(|it| it.covers(name));
        let all = declaration::attributes(address.kind).iter();
        let settable = all.filter(|it| it.presence != Presence::Computed);
        let settable = settable.filter(|it| !matches!(it.name, "backend" | "interface"));
        settable
            .map(|it| it.name)
            .filter(|name| is_held(name) || *name == "private_key" && is_held("public_key"))
            .filter(|name| *name != "adopt_from")
            .collect()
    }
}

/// Something that is left alone, and would have changed.
#[derive(Debug, Clone)]
pub struct Held {
    /// What.
    pub address: Address,
    /// Where.
    pub backend: Option<BackendId>,
    /// By what.
    pub hold: Arc<Hold>,
    /// What it stands on, where that is the reason.
    pub with: Option<Address>,
    /// What would happen to it as a whole; none where it would be changed where it is.
    pub action: Option<(Action, Reason)>,
    /// The attributes that would change.
    pub attributes: Vec<AttributeDiff>,
}

impl Held {
    /// Returns whether it differs from what was last applied.
    pub fn is_drift(&self) -> bool {
        let is_gone = matches!(
            self.action,
            Some((_, Reason::Gone | Reason::Rebooted | Reason::GoneWithInterface))
        );
        is_gone || self.attributes.iter().any(|it| it.class == crate::diff::Class::Drift)
    }
}

/// Finds out what is meant by a block.
fn resolved(
    holding: Holding,
    evaluator: &Evaluator<'_>,
    state: &State,
    now: Timestamp,
) -> Result<Hold, Vec<Diagnostic>> {
    let Holding { label, is_known_drift, targets, attributes, reason, expires_at, span: _ } =
        holding;
    let mut meant = BTreeSet::new();
    let mut problems = Vec::new();
    for (target, span) in &targets {
        let before = meant.len();
        let declared = evaluator.resources().iter();
        let all = declared.chain(state.resources.keys());
        meant.extend(all.filter(|it| is_meant(target, it)).cloned());
        if meant.len() == before && !meant.iter().any(|it| is_meant(target, it)) {
            problems.push((target, span));
        }
    }
    // Of one whose time is up, what it was about may be gone.
    if !problems.is_empty() && expires_at > now {
        let nothing = |(target, span)| {
            Diagnostic::error("hold on a resource that there is not")
                .label(span, format!("`{target}` is neither in the configuration nor in the state"))
                .help("Correct the address, or remove the block.")
        };
        return Err(problems.into_iter().map(nothing).collect());
    }
    Ok(Hold {
        kind: if is_known_drift { HoldKind::KnownDrift } else { HoldKind::Hold },
        name: label,
        targets: meant,
        attributes: attributes.into_iter().map(str::to_owned).collect(),
        reason,
        expires_at,
        made: None,
        other: BTreeMap::new(),
    })
}

fn outlived(hold: &Hold, span: &Span) -> Diagnostic {
    Diagnostic::warning("hold or known drift whose time is up")
        .label(span, format!("it ended at {}, and does nothing any longer", hold.expires_at))
        .help("Remove the block, or give it a later `expires_at`.")
}

fn unreadable(why: &str) -> Diagnostic {
    Diagnostic::error("hold in the state that this version cannot read").help(format!(
        "A newer version of wgform made it ({why}). Use that version: this one would change what is held."
    ))
}

impl Planner<'_> {
    /// Finds out what is left alone, and what only was.
    pub(crate) fn take_holds(&mut self, evaluator: &Evaluator<'_>) -> Result<(), Vec<Diagnostic>> {
        let config = evaluator.holds()?;
        let (holds, warnings) = Holds::of(config, evaluator, &self.state, self.planned_at)?;
        self.holds = holds;
        self.warnings.extend(warnings);
        for (address, record) in &self.state.resources {
            let Some(hold) = self.holds.on(address).filter(|_| address.kind == Kind::Peer) else {
                continue;
            };
            if let Some(on) = recorded_interface(record) {
                self.held_interfaces.entry(on).or_insert_with(|| hold.clone());
            }
        }
        self.note_standing_on_held();
        Ok(())
    }

    /// Notes the peers on held interfaces, with the secrets that they have.
    fn note_standing_on_held(&mut self) {
        for (address, record) in self.state.resources.iter().filter(|it| it.0.kind == Kind::Peer) {
            let Some(on) = recorded_interface(record) else { continue };
            let Some(hold) = self.holds.on(&on) else { continue };
            let secrets = record.dependencies.iter().filter(|it| it.kind == Kind::PresharedKey);
            for it in secrets.chain([address]) {
                let standing = || (on.clone(), hold.clone());
                self.on_held_interfaces.entry(it.clone()).or_insert_with(standing);
            }
        }
    }

    /// Returns the interface that a resource stands on, where that stays although nobody wants it any longer.
    fn stays_with(&self, address: &Address, action: Action) -> Option<&(Address, Arc<Hold>)> {
        let with = self.on_held_interfaces.get(address)?;
        (action == Action::Delete && !self.desired.contains_key(&with.0)).then_some(with)
    }

    /// Warns of holds whose time is up.
    pub(crate) fn remember_holds(&mut self) {
        let before = std::mem::take(&mut self.state.holds);
        let recorded = std::mem::take(&mut self.holds.recorded);
        self.state.hold(&recorded);
        self.holds.recorded = recorded;
        self.state_differs |= self.state.holds != before;
    }

    /// Adds what is held of a resource to what it ignores.
    pub(crate) fn with_held(&self, mut desired: Desired) -> Desired {
        desired.held = self.holds.attributes(&desired.address);
        desired.held.retain(|name| !desired.ignored.contains(name));
        desired.ignored.extend(&desired.held);
        desired
    }

    /// Leaves a resource out of the plan whose object would be made, made anew or removed although it is held, or that
    /// stands on one of those.
    pub(crate) fn hold_back(&mut self, desired: &Desired) -> bool {
        let address = &desired.address;
        let held = match self.hindered_by_hold(desired) {
            Some((on, hold)) => Held {
                address: address.clone(),
                backend: desired.backend.clone(),
                hold,
                with: Some(on),
                action: None,
                attributes: Vec::new(),
            },
            None => match self.would_go(desired) {
                Some(held) => held,
                None => return false,
            },
        };
        self.held_back.insert(address.clone(), held.hold.clone());
        self.held.push(held);
        true
    }

    fn hindered_by_hold(&self, desired: &Desired) -> Option<(Address, Arc<Hold>)> {
        if self.held_back.is_empty() {
            return None;
        }
        let whole = ["interface", "preshared_key"].map(|name| desired.references.get(name));
        let whole = whole.into_iter().flatten().map(|it| &**it);
        let is_unknown = desired.fields.values().any(|wanted| *wanted == Wanted::Unknown);
        let mut needed = whole.chain(desired.depends_on.iter().filter(|_| is_unknown));
        needed.find_map(|it| Some((it.clone(), self.held_back.get(it)?.clone())))
    }

    /// Returns what would happen to a held object that does not stay, or is not there.
    fn would_go(&self, desired: &Desired) -> Option<Held> {
        let address = &desired.address;
        let hold = self.holds.on(address).or_else(|| self.held_interfaces.get(address))?;
        let kept = self.as_kept(&self.with_held(desired.clone()));
        let kept = kept.as_ref().map_or(desired, |it| &it.desired);
        let (fate, reason) = match address.kind {
            Kind::Interface => self.interface_fate(kept),
            Kind::Peer => self.peer_fate(kept),
            Kind::PresharedKey => (Fate::Keep, Reason::Configuration),
        };
        let is_recorded = self.state.resources.contains_key(address);
        let action = match fate {
            Fate::Keep => return None,
            Fate::Pending if !is_recorded => return None,
            Fate::Pending => Action::Delete,
            Fate::Replace => Action::Replace,
            // What is gone has nothing left to be left alone, unless all of it is.
            Fate::Create => {
                self.holds.on_all_of(address)?;
                Action::Create
            }
        };
        Some(Held {
            address: address.clone(),
            backend: desired.backend.clone(),
            hold: hold.clone(),
            with: None,
            action: Some((action, reason)),
            attributes: Vec::new(),
        })
    }

    /// Returns whether an object that nobody wants any longer stays because it is held, and notes that.
    pub(crate) fn stays_held(&mut self, address: &Address, action: Action, reason: Reason) -> bool {
        if self.held_back.contains_key(address) {
            return true;
        }
        let own = self.holds.on(address).cloned();
        let of_peer = || {
            let hold = self.held_interfaces.get(address)?.clone();
            Some((hold.targets.iter().find(|it| it.kind == Kind::Peer).cloned(), hold))
        };
        let of_interface = || {
            let (on, hold) = self.stays_with(address, action)?.clone();
            Some((Some(on), hold))
        };
        let found = own.map(|hold| (None, hold)).or_else(of_peer).or_else(of_interface);
        let Some((with, hold)) = found else { return false };
        let record = self.state.resources.get(address);
        self.held.push(Held {
            address: address.clone(),
            backend: record.and_then(|it| it.backend.clone()),
            hold,
            with,
            action: Some((action, reason)),
            attributes: Vec::new(),
        });
        true
    }

    /// Notes which held attributes of an object that stays would have changed.
    pub(crate) fn note_held(&mut self, desired: &Desired, would: Vec<AttributeDiff>) {
        let address = &desired.address;
        let record = self.state.resources.get(address);
        let drifted = record.map(|record| self.drift_of(address, record)).unwrap_or_default();
        let is_new =
            |it: &AttributeDiff| !would.iter().any(|w| w.attribute.name == it.attribute.name);
        let drifted: Vec<_> = drifted.into_iter().filter(is_new).collect();
        let mut by_hold: Vec<(Arc<Hold>, Vec<AttributeDiff>)> = Vec::new();
        for diff in would.into_iter().filter(AttributeDiff::is_write).chain(drifted) {
            let Some(hold) = self.holds.on_attribute(address, diff.attribute.name) else {
                continue;
            };
            match by_hold.iter_mut().find(|(it, _)| Arc::ptr_eq(it, hold)) {
                Some((_, diffs)) => diffs.push(diff),
                None => by_hold.push((hold.clone(), vec![diff])),
            }
        }
        for (hold, attributes) in by_hold {
            self.held.push(Held {
                address: address.clone(),
                backend: desired.backend.clone(),
                hold,
                with: None,
                action: None,
                attributes,
            });
        }
    }
}
