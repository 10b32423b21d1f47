//! Walks a plan, writes, and records each step as it lands.
//!
//! Every batch goes the same way: its intents are on the disk before the first write, its outcomes are recorded as the
//! backend reports them, and the state that comes out of them is written once, at the end. What an apply was killed in
//! the middle of is therefore always on record: as done, or as an intent whose end the next plan looks up.
//!
//! Backends are written to side by side, each with one batch at a time. All of it happens on one thread: what lands
//! is recorded before anything else is looked at.

mod afar;
mod batch;
mod condition;
mod landed;
mod rehearsal;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;

use crate::actual::{Actual, Picture, Reading};
use crate::apply::afar::Intents;
use crate::apply::batch::{Maker, Prepared, prepare};
use crate::apply::condition::{Conditions, Leave};
use crate::apply::landed::Landing;
use crate::backend::{BackendError, Batch, Interest, Operation, Outcome, Stop, Write};
use crate::config::Evaluator;
use crate::diagnostic::Diagnostic;
use crate::event::{Event, StepName};
use crate::failpoint::{Point, hit, outcomes_may_wait};
use crate::plan::{Plan, PlannedAct, Step, Subject, recorded_interest, recover};
use crate::resource::{Address, BackendId, BackendKind, Field};
use crate::state::{OutputRecord, State, StateChange};
use crate::store::{Journal, Lock, StepOutcome, StoreError};
use crate::world::World;

pub use crate::apply::rehearsal::{Rehearsed, rehearse};
pub use crate::outcome::{Fate, Report, StepReport};

/// Outcomes are fsynced together when they land within this many milliseconds of each other: what is not on record
/// when the process dies is an open intent, which the next run looks up.
const TOGETHER_MS: i128 = 50;

/// What an apply works with.
pub struct Tools<'a, 'c> {
    /// Evaluates what was not known when the plan was made.
    pub evaluator: &'a Evaluator<'c>,
    /// The backends, for writing.
    pub backends: &'a BTreeMap<BackendId, Box<dyn Write>>,
    /// The state's lock.
    pub lock: &'a Lock,
    /// The clock and the randomness.
    pub world: &'a World,
    /// How many backends are written to at once.
    pub parallelism: NonZeroUsize,
    /// Raised when nothing new is to be started.
    pub stop: Stop,
    /// Told of every step as it starts and ends.
    pub tell: &'a dyn Fn(Event),
}

/// Carries out a plan.
///
/// # Errors
/// When nothing was done, because the journal could not be begun. What could not be recorded later on is in the report.
pub async fn apply(plan: Plan, tools: Tools<'_, '_>) -> Result<Report, StoreError> {
    let mut run = Run::new(plan, tools);
    if run.plan.steps.is_empty() && !run.plan.state_differs && run.plan.outputs.is_empty() {
        return Ok(run.report());
    }
    if run.plan.state_differs && !run.plan.steps.is_empty() {
        // The journal tells only what this run does, so what the plan found out has to be on record before.
        run.tools.lock.write(&mut run.state)?;
        run.say_recorded();
    }
    if !run.plan.steps.is_empty() {
        let backends = run.plan.backends.clone();
        let began = run.tools.world.now();
        run.announce()?;
        let mut journal = run.tools.lock.begin(&run.state, began, backends)?;
        let stop = run.tools.stop.clone();
        run.tools.lock.on_loss(move || stop.raise());
        (run.tools.tell)(Event::ApplyStarted { steps: run.plan.steps.len() });
        run.steps(&mut journal).await;
        (run.tools.tell)(run.ended(began));
    }
    let unrecorded = run.finish().err();
    if run.plan.steps.is_empty() && unrecorded.is_none() {
        run.say_recorded();
    }
    Ok(Report { unrecorded, ..run.report() })
}

/// An apply under way.
struct Run<'a, 'c> {
    plan: Plan,
    tools: Tools<'a, 'c>,
    state: State,
    fates: Vec<Option<Fate>>,
    /// All steps before this one have their end.
    first_open: usize,
    /// Backends that a batch is under way on, and its steps.
    under_way: BTreeMap<BackendId, BTreeSet<usize>>,
    /// The steps that are next in line on their backends, and since when.
    started: BTreeMap<usize, Timestamp>,
    /// What a store elsewhere was told of the steps.
    intents: Intents,
    landing: Landing,
    conditions: Conditions,
    /// What the `check` blocks warn of now and did not when it was planned.
    checks: Vec<Diagnostic>,
    resolved: Vec<(Address, String)>,
    outputs_failed: Vec<Diagnostic>,
    /// The steps that failed and left nothing on their device.
    untouched: BTreeSet<usize>,
    /// Outcomes that are not on the disk yet. They get there before anything that builds on them.
    outcomes: Outcomes,
    /// Why outcomes can no longer be recorded; nothing new is started then.
    broken: Option<StoreError>,
}

impl<'a, 'c> Run<'a, 'c> {
    fn new(mut plan: Plan, tools: Tools<'a, 'c>) -> Self {
        let state = plan.state.clone();
        let fates = plan.steps.iter().map(|_| None).collect();
        let landing =
            Landing::new(std::mem::take(&mut plan.known), std::mem::take(&mut plan.secrets));
        Self {
            conditions: Conditions::new(&mut plan),
            checks: Vec::new(),
            plan,
            tools,
            state,
            fates,
            first_open: 0,
            under_way: BTreeMap::new(),
            started: BTreeMap::new(),
            intents: Intents::new(),
            landing,
            resolved: Vec::new(),
            outputs_failed: Vec::new(),
            untouched: BTreeSet::new(),
            outcomes: Outcomes::default(),
            broken: None,
        }
    }

    fn is_stopped(&self) -> bool {
        self.tools.stop.is_raised() || self.broken.is_some() || self.tools.lock.is_lost()
    }

    async fn steps(&mut self, journal: &mut Journal) {
        let limit = self.tools.parallelism.get();
        let shared = Shared { run: RefCell::new(self), journal: RefCell::new(journal) };
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < limit
                && let Some(ready) = shared.next_batch()
            {
                under_way.push(shared.write(ready));
            }
            if under_way.next().await.is_none() {
                return;
            }
        }
    }

    /// Returns the next batch that can be written now, after what no device hears of has been done.
    fn next_batch(&mut self, journal: &mut Journal) -> Option<Ready> {
        while let Some(next) = self.next_step() {
            if self.is_stopped() {
                self.end_rest(&Fate::NotStarted);
                return None;
            }
            match self.plan.steps[next].backend.clone() {
                Some(id) if !self.is_record(next) => {
                    let ready = self.one_batch(id, next, journal);
                    if ready.is_some() {
                        return ready;
                    }
                }
                _ => self.record_only(next, journal),
            }
        }
        None
    }

    /// Returns the first step that can be done now, after those that cannot be done have been given their end.
    fn next_step(&mut self) -> Option<usize> {
        while self.fates.get(self.first_open).is_some_and(Option::is_some) {
            self.first_open += 1;
        }
        for index in self.first_open..self.plan.steps.len() {
            if self.fates[index].is_some() || self.is_busy(index) {
                continue;
            }
            match self.hindrance(index) {
                Some(because) => self.end(index, Fate::Skipped { because }),
                None if self.waits(index) => {}
                None => return Some(index),
            }
        }
        None
    }

    /// Returns whether a batch is under way on the step's backend.
    fn is_busy(&self, index: usize) -> bool {
        let step = &self.plan.steps[index];
        let is_written = !self.is_record(index);
        is_written && step.backend.as_ref().is_some_and(|id| self.under_way.contains_key(id))
    }

    /// Returns whether a step has to wait for one that is under way, or for one that waits itself.
    fn waits(&self, index: usize) -> bool {
        let Step { after, follows, .. } = &self.plan.steps[index];
        after.iter().chain(follows).any(|earlier| self.fates[*earlier].is_none())
    }

    /// Returns the step that failed and without which this one makes no sense.
    fn hindrance(&self, index: usize) -> Option<Subject> {
        let mut before = self.plan.steps[index].after.iter();
        before.find_map(|earlier| match &self.fates[*earlier] {
            Some(Fate::Failed(_)) => Some(self.plan.steps[*earlier].subject.clone()),
            Some(Fate::Skipped { because }) => Some(because.clone()),
            Some(Fate::Done) => {
                let subject = &self.plan.steps[*earlier].subject;
                let is_unfit = |it: &Address| self.conditions.unfit.contains(it);
                let is_other = *subject != self.plan.steps[index].subject;
                subject
                    .address()
                    .is_some_and(is_unfit)
                    .then(|| subject.clone())
                    .filter(|_| is_other)
            }
            _ => None,
        })
    }

    fn is_record(&self, index: usize) -> bool {
        let Step { backend, act, .. } = &self.plan.steps[index];
        backend.is_none() || matches!(act, PlannedAct::Record)
    }

    fn start(&mut self, index: usize) {
        self.started.insert(index, self.tools.world.now());
        (self.tools.tell)(Event::StepStarted { step: StepName::from(&self.plan.steps[index]) });
    }

    /// Starts the step that a backend comes to next in its batch, unless it will be left out.
    fn start_next(&mut self, steps: &[usize], at: usize) {
        let next = steps.get(at + 1).filter(|next| self.fates[**next].is_none());
        if let Some(next) =
            next.filter(|next| !self.is_stopped() && self.hindrance(**next).is_none())
        {
            self.start(*next);
        }
    }

    fn end(&mut self, index: usize, fate: Fate) {
        let started = self.started.remove(&index);
        let elapsed_ms = started.map_or(0, |since| self.tools.world.elapsed_ms(since));
        (self.tools.tell)(Event::ended(&self.plan.steps[index], &fate, elapsed_ms));
        self.fates[index] = Some(fate);
    }

    fn ended(&self, began: Timestamp) -> Event {
        let count = |is: fn(&Fate) -> bool| self.fates.iter().flatten().filter(|it| is(it)).count();
        Event::ApplyEnded {
            done: count(|fate| matches!(fate, Fate::Done)),
            failed: count(|fate| matches!(fate, Fate::Failed(_))),
            skipped: count(|fate| matches!(fate, Fate::Skipped { .. })),
            not_started: count(|fate| matches!(fate, Fate::NotStarted)),
            elapsed_ms: self.tools.world.elapsed_ms(began),
        }
    }

    /// Tells what the state has learnt before any step.
    fn say_recorded(&self) {
        let (moved, imported) = (self.plan.moved.len(), self.plan.imported.len());
        if moved + imported > 0 {
            (self.tools.tell)(Event::StateRecorded { moved, imported });
        }
    }

    fn end_rest(&mut self, fate: &Fate) {
        for index in 0..self.fates.len() {
            let is_under_way = self.under_way.values().any(|steps| steps.contains(&index));
            if self.fates[index].is_none() && !is_under_way {
                self.end(index, fate.clone());
            }
        }
    }

    /// Does steps that no device hears of: the first one, and those behind it up to one that a device hears of. They
    /// go on record together.
    fn record_only(&mut self, first: usize, journal: &mut Journal) {
        let mut changes: Vec<(usize, Option<StateChange>)> = Vec::new();
        for index in first..self.plan.steps.len() {
            if self.fates[index].is_some() {
                continue;
            }
            let is_done = |earlier: &usize| match self.fates[*earlier] {
                None => changes.binary_search_by_key(earlier, |(index, _)| *index).is_ok(),
                Some(ref fate) => *fate == Fate::Done,
            };
            if !self.is_record(index) || !self.plan.steps[index].after.iter().all(is_done) {
                break;
            }
            self.start(index);
            match self.change_on_record(index) {
                Ok(change) => changes.push((index, change)),
                Err(reason) => self.end(index, Fate::Failed(vec![reason])),
            }
        }
        let outcomes = changes.iter().filter_map(|(index, change)| {
            Some((*index as u64, StepOutcome::Done(change.clone()?)))
        });
        self.outcomes.waiting.extend(outcomes);
        self.flush(journal);
        for (index, change) in changes {
            if self.broken.is_some() {
                self.end(index, Fate::NotStarted);
                continue;
            }
            change.into_iter().for_each(|change| self.state.apply(change));
            self.end(index, Fate::Done);
            self.check_after(index);
        }
    }

    /// Returns what the state learns by a step that no device hears of.
    fn change_on_record(&mut self, index: usize) -> Result<Option<StateChange>, String> {
        let key = &self.state.fingerprint_key;
        self.landing.settle_secret(&self.plan, index, key, self.tools.world);
        self.maker().resolved(index)?;
        if let Leave::NotYet = self.maker().leave(index)? {
            return Err("its precondition is still not known".to_owned());
        }
        if let Some(address) = self.plan.steps[index].subject.address()
            && let Some(key) = self.landing.peer_key(&self.plan.resources, address)
        {
            self.landing.claim(&self.plan.resources, address, key)?;
        }
        Ok(self.landing.change(&self.plan, &self.state, index, None))
    }

    fn maker(&mut self) -> Maker<'_, 'a, 'c> {
        Maker {
            plan: &mut self.plan,
            landing: &mut self.landing,
            conditions: &mut self.conditions,
            evaluator: self.tools.evaluator,
            world: self.tools.world,
        }
    }

    /// Collects as many steps as can be written in one go, the first one and others on its backend, and puts on record
    /// that they will be.
    fn one_batch(&mut self, id: BackendId, first: usize, journal: &mut Journal) -> Option<Ready> {
        if !self.tools.backends.contains_key(&id) {
            let reason = format!("backend `{id}` is not there to be written to");
            self.end(first, Fate::Failed(vec![reason]));
            return None;
        }
        let Prepared { steps, operations, failed } = prepare(self, &id);
        for (index, reason) in failed {
            self.end(index, Fate::Failed(vec![reason]));
        }
        if steps.is_empty() {
            return None;
        }
        let intents: Vec<(u64, StateChange)> = steps
            .iter()
            .filter_map(|index| {
                Some((*index as u64, self.landing.change(&self.plan, &self.state, *index, None)?))
            })
            .collect();
        self.flush(journal);
        if self.broken.is_some() {
            return None;
        }
        if let Err(error) = journal.intents(&intents) {
            self.broken = Some(error);
            return None;
        }
        self.start(steps[0]);
        self.under_way.insert(id.clone(), steps.iter().copied().collect());
        Some(Ready { id, steps, intents, operations })
    }

    /// Takes in how a step ended. A step that another one kept from being tried names that step.
    fn land(&mut self, index: usize, outcome: Outcome, journal: &mut Journal) {
        let fate = match outcome {
            Outcome::Done(fields) => {
                if let (Some(address), Some(Field::Endpoint(set))) =
                    (self.plan.steps[index].subject.address(), fields.get("endpoint"))
                {
                    self.resolved.push((address.clone(), set.to_string()));
                }
                let change = self.landing.change(&self.plan, &self.state, index, Some(fields));
                if let Some(change) = change {
                    self.state.apply(change.clone());
                    self.outcomes.waiting.push((index as u64, StepOutcome::Done(change)));
                }
                Fate::Done
            }
            Outcome::Failed(error) => Fate::Failed(explain(&error)),
            Outcome::Untouched(error) => {
                self.untouched.insert(index);
                self.outcomes.waiting.push((index as u64, StepOutcome::Failed));
                Fate::Failed(explain(&error))
            }
            Outcome::Skipped(by) => {
                self.outcomes.waiting.push((index as u64, StepOutcome::Failed));
                let because = self.hindrance(index);
                Fate::Skipped {
                    because: because.unwrap_or_else(|| self.plan.steps[by].subject.clone()),
                }
            }
            Outcome::NotStarted => {
                self.outcomes.waiting.push((index as u64, StepOutcome::Failed));
                Fate::NotStarted
            }
        };
        let is_done = fate == Fate::Done;
        self.end(index, fate);
        if is_done {
            self.check_after(index);
        }
        let now = self.tools.world.now();
        let since = *self.outcomes.since.get_or_insert(now);
        let waited = i128::from(now.as_millisecond()) - i128::from(since.as_millisecond());
        if waited >= TOGETHER_MS || !outcomes_may_wait() {
            self.flush(journal);
        }
        self.refresh_store();
    }

    /// Looks at what has to be true of a resource once a step of it is done.
    fn check_after(&mut self, index: usize) {
        let step = &self.plan.steps[index];
        self.conditions.after(step, self.tools.evaluator, &self.landing.known);
    }

    /// Looks at what has to be, or should be, true of what is there by now.
    fn check_everything(&mut self) {
        let evaluator = self.tools.evaluator;
        self.conditions.finish(evaluator, &self.landing.known);
        if let Some(said) = &self.plan.checks {
            let now = evaluator.checks(&self.landing.known).failed;
            self.checks = now.into_iter().filter(|it| !said.contains(it)).collect();
        }
    }

    fn flush(&mut self, journal: &mut Journal) {
        let Outcomes { waiting: outcomes, since: _ } = std::mem::take(&mut self.outcomes);
        if self.broken.is_none()
            && !outcomes.is_empty()
            && let Err(error) = journal.outcomes(outcomes)
        {
            self.broken = Some(error);
            self.tools.stop.raise();
        }
    }

    /// Returns the intents of the steps of a batch that failed and may have left something behind.
    fn failed(&self, intents: Vec<(u64, StateChange)>) -> Vec<(u64, StateChange)> {
        let is_failed = |step: u64| {
            let step = usize::try_from(step).ok().filter(|step| !self.untouched.contains(step));
            matches!(step.and_then(|step| self.fates.get(step)), Some(Some(Fate::Failed(_))))
        };
        match self.broken {
            Some(_) => Vec::new(),
            None => intents.into_iter().filter(|(step, _)| is_failed(*step)).collect(),
        }
    }

    /// Returns what has to be looked at to know what failed steps left behind: also files of which nothing else tells.
    fn interest(&self, backend: &BackendId, failed: &[(u64, StateChange)]) -> Interest {
        let mut state = self.state.clone();
        state.keep_open(failed.iter().map(|(_, intent)| intent.clone()));
        let recorded = recorded_interest(&state).remove(backend).unwrap_or_default();
        Interest { interface_lists: true, ..recorded }
    }

    /// A step that failed may have been done in part: what it left behind is ours, and is looked for.
    fn look_after_failures(
        &mut self,
        failed: Vec<(u64, StateChange)>,
        id: BackendId,
        now: Result<Picture, BackendError>,
        journal: &mut Journal,
    ) {
        let changes: Vec<StateChange> = failed.iter().map(|(_, intent)| intent.clone()).collect();
        let Ok(picture) = now else {
            // Their end is not known, and the next run looks for them.
            self.state.keep_open(changes);
            return;
        };
        let reading = Reading::Read(Box::new(picture));
        let actual = Actual { backends: [(id, reading)].into() };
        let before = self.state.clone();
        self.state = recover(before.clone(), changes, &actual).state;
        let open = self.state.open();
        let open: BTreeSet<&Address> = open.iter().map(StateChange::address).collect();
        let ended = failed.into_iter().filter(|(_, intent)| !open.contains(intent.address()));
        let outcomes = ended.map(|(step, intent)| {
            let address = intent.address();
            let now = self.state.resources.get(address);
            let outcome = match (now, &intent) {
                (now, _) if now == before.resources.get(address) => StepOutcome::Failed,
                (Some(record), StateChange::Put { depose, .. }) => {
                    let resource = Box::new(record.clone());
                    let (address, depose) = (address.clone(), *depose);
                    StepOutcome::Done(StateChange::Put { address, resource, depose })
                }
                (_, change) => StepOutcome::Done(change.clone()),
            };
            (step, outcome)
        });
        if let Err(error) = journal.outcomes(outcomes) {
            self.broken = Some(error);
        }
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        self.check_everything();
        if let Some(error) = self.broken.take() {
            return Err(self.tools.lock.unrecorded(error));
        }
        let all_done = self.fates.iter().all(|fate| matches!(fate, Some(Fate::Done)));
        let is_whole = all_done && !self.plan.is_partial;
        if is_whole {
            self.record_outputs();
        }
        for (id, record) in &self.plan.backends {
            // A host that was rebooted and is not healed whole still counts as rebooted: otherwise what is missing on it
            // would look like somebody's deletion.
            let known = self.state.backends.entry(id.clone()).or_insert_with(|| record.clone());
            if is_whole {
                known.clone_from(record);
            }
        }
        if is_whole {
            self.state.resources.values_mut().for_each(|record| record.is_being_filled = false);
        }
        self.settle_finished();
        let used = self.state.backends_in_use();
        self.state.backends.retain(|id, _| used.contains(id));
        let is_missed = !self.plan.unreachable.is_empty();
        let has_failed = !self.outputs_failed.is_empty() || !self.conditions.unmet.is_empty();
        if all_done && !is_missed && !has_failed {
            self.state.applied_at = Some(self.tools.world.now());
        }
        self.tools.lock.write(&mut self.state)
    }

    /// Forgets the intents of an apply that was cut off which this one has finished.
    fn settle_finished(&mut self) {
        let (mut finished, mut left) = (BTreeSet::new(), BTreeSet::new());
        for (step, fate) in self.plan.steps.iter().zip(&self.fates) {
            let ended = if *fate == Some(Fate::Done) { &mut finished } else { &mut left };
            ended.extend(step.subject.address());
        }
        let applied = self.applied();
        let is_finished = |change: &StateChange| match change {
            StateChange::RemoveDeposed { backend, .. } if applied.contains(backend) => true,
            _ => finished.contains(change.address()) && !left.contains(change.address()),
        };
        let changes: Vec<_> = self.state.open().into_iter().filter(is_finished).collect();
        self.state.settle(&changes);
    }

    /// Returns the backends that have applied all that is stored: such a batch is done when its apply is. Where one step was
    /// not done, an earlier batch says nothing of it.
    fn applied(&self) -> BTreeSet<&BackendId> {
        let (mut done, mut left) = (BTreeSet::new(), BTreeSet::new());
        for (at, (step, fate)) in self.plan.steps.iter().zip(&self.fates).enumerate() {
            match fate {
                Some(Fate::Done) if self.is_record(at) => {}
                Some(Fate::Done) => done.extend(&step.backend),
                _ => left.extend(&step.backend),
            }
        }
        done.retain(|id| self.plan.views[*id].kind == BackendKind::PfSense && !left.contains(id));
        done
    }

    fn record_outputs(&mut self) {
        let is_destroyed = self.plan.outputs.iter().all(|change| change.after.is_none());
        if is_destroyed {
            self.plan.outputs.iter().for_each(|change| _ = self.state.outputs.remove(&change.name));
            return;
        }
        let outputs = match self.tools.evaluator.outputs(&self.landing.known) {
            Ok(outputs) => outputs,
            Err(problems) => {
                self.outputs_failed = problems;
                return;
            }
        };
        let records = outputs.into_iter().map(|(name, output)| {
            let value = output.value.filter(|_| !output.is_sensitive);
            (name, OutputRecord::new(value, output.is_sensitive))
        });
        self.state.outputs = records.collect();
    }

    fn report(self) -> Report {
        let steps = self.plan.steps.into_iter().zip(self.fates);
        let steps =
            steps.map(|(step, fate)| StepReport { step, fate: fate.unwrap_or(Fate::NotStarted) });
        Report {
            moved: self.plan.moved.len(),
            imported: self.plan.imported.len(),
            steps: steps.collect(),
            resolved: self.resolved,
            outputs: self.state.outputs,
            outputs_failed: self.outputs_failed,
            unmet: self.conditions.unmet,
            checks: self.checks,
            was_stopped: self.tools.stop.is_raised(),
            unrecorded: None,
        }
    }
}

/// A batch whose intents are on record.
struct Ready {
    id: BackendId,
    steps: Vec<usize>,
    intents: Vec<(u64, StateChange)>,
    operations: Vec<Operation>,
}

/// An apply as the batches see it that are under way. Nothing is borrowed while a backend is waited for.
struct Shared<'s, 'a, 'c> {
    run: RefCell<&'s mut Run<'a, 'c>>,
    journal: RefCell<&'s mut Journal>,
}

impl Shared<'_, '_, '_> {
    fn next_batch(&self) -> Option<Ready> {
        self.run.borrow_mut().next_batch(&mut self.journal.borrow_mut())
    }

    async fn write(&self, ready: Ready) {
        let Ready { id, steps, intents, operations } = ready;
        let (backends, stop) = {
            let run = self.run.borrow();
            (run.tools.backends, run.tools.stop.clone())
        };
        let Some(backend) = backends.get(&id) else { return };
        hit(Point::BatchWrite);
        backend
            .write(Batch { operations }, stop, &mut |at, outcome| {
                hit(Point::OutcomeLanded);
                let outcome = match outcome {
                    Outcome::Skipped(by) => Outcome::Skipped(steps[by]),
                    outcome => outcome,
                };
                let (mut run, mut journal) = (self.run.borrow_mut(), self.journal.borrow_mut());
                run.land(steps[at], outcome, &mut journal);
                run.start_next(&steps, at);
            })
            .await;
        self.run.borrow_mut().flush(&mut self.journal.borrow_mut());
        hit(Point::BatchWritten);
        let failed = self.run.borrow().failed(intents);
        if !failed.is_empty() {
            let interest = self.run.borrow().interest(&id, &failed);
            let now = backend.read(&interest).await;
            let (mut run, mut journal) = (self.run.borrow_mut(), self.journal.borrow_mut());
            run.look_after_failures(failed, id.clone(), now, &mut journal);
        }
        self.run.borrow_mut().under_way.remove(&id);
    }
}

/// Outcomes that are not on the disk yet.
#[derive(Default)]
struct Outcomes {
    waiting: Vec<(u64, StepOutcome)>,
    since: Option<Timestamp>,
}

fn explain(error: &BackendError) -> Vec<String> {
    let BackendError { backend: _, attempt, reason, hints } = error;
    let first = format!("could not {attempt}: {reason}");
    [first].into_iter().chain(hints.iter().cloned()).collect()
}
