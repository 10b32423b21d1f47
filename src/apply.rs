//! Walks a plan, writes, and records each step as it lands.
//!
//! Every batch goes the same way: its intents are on the disk before the first write, its outcomes are recorded as the
//! backend reports them, and the state that comes out of them is written once, at the end. What an apply was killed in
//! the middle of is therefore always on record: as done, or as an intent whose end the next plan looks up.

mod batch;
mod landed;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::actual::{Actual, Reading};
use crate::apply::batch::{Prepared, prepare};
use crate::apply::landed::Landing;
use crate::backend::{BackendError, Batch, Interest, Outcome, Stop, Write};
use crate::config::Evaluator;
use crate::event::{Event, StepName};
use crate::failpoint::{Point, hit};
use crate::plan::{Plan, PlannedAct, Subject, recover};
use crate::resource::{Address, BackendId, Field};
use crate::state::{OutputRecord, State, StateChange};
use crate::store::{Journal, Lock, StepOutcome, StoreError};
use crate::world::World;

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
    }
    if !run.plan.steps.is_empty() {
        let backends = run.plan.backends.clone();
        let began = run.tools.world.now();
        let mut journal = run.tools.lock.begin(&run.state, began, backends)?;
        (run.tools.tell)(Event::ApplyStarted { steps: run.plan.steps.len() });
        run.steps(&mut journal).await;
        (run.tools.tell)(run.ended(began));
    }
    let unrecorded = run.finish().err();
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
    /// The step that is next in line, and since when.
    started: Option<(usize, Timestamp)>,
    landing: Landing,
    resolved: Vec<(Address, String)>,
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
            plan,
            tools,
            state,
            fates,
            first_open: 0,
            started: None,
            landing,
            resolved: Vec::new(),
            broken: None,
        }
    }

    fn is_stopped(&self) -> bool {
        self.tools.stop.is_raised() || self.broken.is_some()
    }

    async fn steps(&mut self, journal: &mut Journal) {
        while let Some(next) = self.next_step() {
            if self.is_stopped() {
                self.end_rest(&Fate::NotStarted);
            } else if self.plan.steps[next].backend.is_none() || self.is_record(next) {
                self.record_only(next, journal);
            } else {
                self.one_batch(next, journal).await;
            }
        }
    }

    /// Returns the first step that has no end yet, after those that cannot be done have been given theirs.
    fn next_step(&mut self) -> Option<usize> {
        while self.fates.get(self.first_open).is_some_and(Option::is_some) {
            self.first_open += 1;
        }
        for index in self.first_open..self.plan.steps.len() {
            if self.fates[index].is_some() {
                continue;
            }
            match self.hindrance(index) {
                Some(because) => self.end(index, Fate::Skipped { because }),
                None => return Some(index),
            }
        }
        None
    }

    /// Returns the step that failed and without which this one makes no sense.
    fn hindrance(&self, index: usize) -> Option<Subject> {
        let mut before = self.plan.steps[index].after.iter();
        before.find_map(|earlier| match &self.fates[*earlier] {
            Some(Fate::Failed(_)) => Some(self.plan.steps[*earlier].subject.clone()),
            Some(Fate::Skipped { because }) => Some(because.clone()),
            _ => None,
        })
    }

    fn is_record(&self, index: usize) -> bool {
        matches!(self.plan.steps[index].act, PlannedAct::Record)
    }

    fn start(&mut self, index: usize) {
        self.started = Some((index, self.tools.world.now()));
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
        let started = self.started.take_if(|(step, _)| *step == index);
        let elapsed_ms = started.map_or(0, |(_, since)| self.tools.world.elapsed_ms(since));
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

    fn end_rest(&mut self, fate: &Fate) {
        for index in 0..self.fates.len() {
            if self.fates[index].is_none() {
                self.end(index, fate.clone());
            }
        }
    }

    /// Does a step that no device hears of.
    fn record_only(&mut self, index: usize, journal: &mut Journal) {
        self.start(index);
        self.landing.settle_secret(
            &self.plan,
            index,
            &self.state.fingerprint_key,
            self.tools.world,
        );
        let change = match self.resolved(index) {
            Ok(()) => self.landing.change(&self.plan, &self.state, index, None),
            Err(reason) => {
                self.end(index, Fate::Failed(vec![reason]));
                return;
            }
        };
        if let Some(change) = change {
            if let Err(error) = journal.done(index as u64, change.clone()) {
                self.broken = Some(error);
                self.end(index, Fate::NotStarted);
                return;
            }
            self.state.apply(change);
        }
        self.end(index, Fate::Done);
    }

    /// Evaluates what was not known of a resource when the plan was made.
    fn resolved(&mut self, index: usize) -> Result<(), String> {
        let Some(address) = self.plan.steps[index].subject.address() else { return Ok(()) };
        self.landing.resolve(&mut self.plan.resources, address, self.tools.evaluator)
    }

    /// Writes as many steps in one go as can be, the first one and others on its backend.
    async fn one_batch(&mut self, first: usize, journal: &mut Journal) {
        let Some(id) = self.plan.steps[first].backend.clone() else { return };
        let Prepared { steps, operations, failed } = prepare(self, &id);
        for (index, reason) in failed {
            self.end(index, Fate::Failed(vec![reason]));
        }
        let Some(backend) = self.tools.backends.get(&id) else {
            self.end(
                first,
                Fate::Failed(vec![format!("backend `{id}` is not there to be written to")]),
            );
            return;
        };
        if steps.is_empty() {
            return;
        }
        let intents: Vec<(u64, StateChange)> = steps
            .iter()
            .filter_map(|index| {
                Some((*index as u64, self.landing.change(&self.plan, &self.state, *index, None)?))
            })
            .collect();
        if let Err(error) = journal.intents(&intents) {
            self.broken = Some(error);
            return;
        }
        self.start(steps[0]);
        hit(Point::BatchWrite);
        let mut open = Outcomes { journal, waiting: Vec::new(), since: None };
        let batch = Batch { operations };
        let backend = backend.as_ref();
        let stop = self.tools.stop.clone();
        backend
            .write(batch, stop, &mut |at, outcome| {
                hit(Point::OutcomeLanded);
                self.land(steps[at], outcome, &mut open);
                self.start_next(&steps, at);
            })
            .await;
        self.flush(&mut open);
        hit(Point::BatchWritten);
        self.look_after_failures(&steps, &intents, backend, open.journal).await;
    }

    fn land(&mut self, index: usize, outcome: Outcome, open: &mut Outcomes<'_>) {
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
                    open.waiting.push((index as u64, StepOutcome::Done(change)));
                }
                Fate::Done
            }
            Outcome::Failed(error) => Fate::Failed(explain(&error)),
            Outcome::Skipped(_) => {
                open.waiting.push((index as u64, StepOutcome::Failed));
                let because = self.hindrance(index);
                Fate::Skipped {
                    because: because.unwrap_or_else(|| self.plan.steps[index].subject.clone()),
                }
            }
            Outcome::NotStarted => {
                open.waiting.push((index as u64, StepOutcome::Failed));
                Fate::NotStarted
            }
        };
        self.end(index, fate);
        let now = self.tools.world.now();
        let since = *open.since.get_or_insert(now);
        if now.as_millisecond() as i128 - since.as_millisecond() as i128 >= TOGETHER_MS {
            self.flush(open);
        }
    }

    fn flush(&mut self, open: &mut Outcomes<'_>) {
        open.since = None;
        let outcomes = std::mem::take(&mut open.waiting);
        if self.broken.is_none()
            && let Err(error) = open.journal.outcomes(&outcomes)
        {
            self.broken = Some(error);
            self.tools.stop.raise();
        }
    }

    /// A step that failed may have been done in part: what it left behind is ours, and is looked for.
    async fn look_after_failures(
        &mut self,
        steps: &[usize],
        intents: &[(u64, StateChange)],
        backend: &dyn Write,
        journal: &mut Journal,
    ) {
        let is_failed = |index: &&usize| matches!(self.fates[**index], Some(Fate::Failed(_)));
        let failed: BTreeSet<u64> =
            steps.iter().filter(is_failed).map(|index| *index as u64).collect();
        if failed.is_empty() || self.broken.is_some() {
            return;
        }
        let failed: Vec<&(u64, StateChange)> =
            intents.iter().filter(|(step, _)| failed.contains(step)).collect();
        let changes: Vec<StateChange> = failed.iter().map(|(_, intent)| intent.clone()).collect();
        let Ok(picture) = backend.read(&Interest::default()).await else {
            // Their end is not known, and the next run looks for them.
            self.state.keep_open(changes);
            return;
        };
        let reading = Reading::Read(Box::new(picture));
        let actual = Actual { backends: [(backend.id().clone(), reading)].into() };
        let before = self.state.clone();
        self.state = recover(before.clone(), changes, &actual).state;
        let outcomes = failed.into_iter().map(|(step, intent)| {
            let address = intent.address();
            let now = self.state.resources.get(address);
            let outcome = match (now, intent) {
                (now, _) if now == before.resources.get(address) => StepOutcome::Failed,
                (Some(record), StateChange::Put { depose, .. }) => {
                    let resource = Box::new(record.clone());
                    let (address, depose) = (address.clone(), *depose);
                    StepOutcome::Done(StateChange::Put { address, resource, depose })
                }
                (_, change) => StepOutcome::Done(change.clone()),
            };
            (*step, outcome)
        });
        if let Err(error) = journal.outcomes(&outcomes.collect::<Vec<_>>()) {
            self.broken = Some(error);
        }
    }

    fn finish(&mut self) -> Result<(), StoreError> {
        if let Some(error) = self.broken.take() {
            return Err(self.tools.lock.unrecorded(error));
        }
        let all_done = self.fates.iter().all(|fate| matches!(fate, Some(Fate::Done)));
        if all_done && !self.plan.is_partial {
            self.record_outputs();
        }
        let is_whole = all_done && !self.plan.is_partial;
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
        let used = self.state.backends_in_use();
        self.state.backends.retain(|id, _| used.contains(id));
        self.tools.lock.write(&mut self.state)
    }

    fn record_outputs(&mut self) {
        let is_destroyed = self.plan.outputs.iter().all(|change| change.after.is_none());
        if is_destroyed {
            self.plan.outputs.iter().for_each(|change| _ = self.state.outputs.remove(&change.name));
            return;
        }
        // What cannot be evaluated was said when the plan was made; the outputs then stay as they were.
        let Ok(outputs) = self.tools.evaluator.outputs(&self.landing.known) else { return };
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
            steps: steps.collect(),
            resolved: self.resolved,
            outputs: self.state.outputs,
            was_stopped: self.tools.stop.is_raised(),
            unrecorded: None,
        }
    }
}

/// Outcomes that are not on the disk yet.
struct Outcomes<'j> {
    journal: &'j mut Journal,
    waiting: Vec<(u64, StepOutcome)>,
    since: Option<Timestamp>,
}

fn explain(error: &BackendError) -> Vec<String> {
    let BackendError { backend: _, attempt, reason, hints } = error;
    let first = format!("could not {attempt}: {reason}");
    [first].into_iter().chain(hints.iter().cloned()).collect()
}
