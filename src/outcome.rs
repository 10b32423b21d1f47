//! How an apply went, as data.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::plan::{Action, Effect, Step, Subject};
use crate::resource::Address;
use crate::state::OutputRecord;
use crate::store::StoreError;

/// How one step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The device has what was wanted.
    Done,
    /// It failed; the first text says what and why, the others what to do.
    Failed(Vec<String>),
    /// It was not tried, because something that it needs failed.
    Skipped {
        /// What failed.
        because: Subject,
    },
    /// It was not tried, because a stop was asked for.
    NotStarted,
}

/// One step and its end.
#[derive(Debug)]
pub struct StepReport {
    /// The step.
    pub step: Step,
    /// Its end.
    pub fate: Fate,
}

/// How all of it went.
#[derive(Debug)]
pub struct Report {
    /// Every step of the plan, in order.
    pub steps: Vec<StepReport>,
    /// How many resources the state has under another address than before.
    pub moved: usize,
    /// How many objects were taken over.
    pub imported: usize,
    /// Endpoints that were written as a name, with the address that was set for each.
    pub resolved: Vec<(Address, String)>,
    /// The outputs afterwards.
    pub outputs: BTreeMap<String, OutputRecord>,
    /// Why the outputs are as they were before: what was not known when it was planned cannot be evaluated.
    pub outputs_failed: Vec<Diagnostic>,
    /// The conditions that turned out not to hold.
    pub unmet: Vec<Diagnostic>,
    /// What the `check` blocks warn of now and did not when it was planned.
    pub checks: Vec<Diagnostic>,
    /// Whether a stop was asked for.
    pub was_stopped: bool,
    /// Why the state does not say all of it. The journal does, as far as it was written; the next run looks up the rest.
    pub unrecorded: Option<StoreError>,
}

impl Report {
    /// Returns whether every step was done.
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|it| it.fate == Fate::Done)
    }

    /// Returns whether any step was done.
    pub fn did_anything(&self) -> bool {
        // What only follows from another step has nothing to follow from when that failed.
        let follows = |it: &StepReport| it.step.effect == Effect::Persisted { alone: false };
        self.steps.iter().any(|it| it.fate == Fate::Done && !follows(it))
    }

    /// Counts the resources for which a kind of step was done.
    pub fn count(&self, action: Action) -> usize {
        let is = |it: &&StepReport| {
            let action_done = match (it.step.action, &it.step.effect) {
                // A step on the way to another one.
                (_, Effect::Nothing) if it.step.subject.address().is_some() => return false,
                // The last step of a replace only brings the new object up.
                (Action::Replace, Effect::Put { depose: false, .. }) => return false,
                // It follows from what else happens to the interface.
                (_, Effect::Persisted { alone: false }) => return false,
                // What was put out of the way only waits for its change.
                (_, Effect::Meanwhile) => return false,
                // Its interface was counted.
                (_, Effect::Routes) => return false,
                (Action::Replace, _) => Action::Create,
                (action, _) => action,
            };
            it.fate == Fate::Done && action_done == action
        };
        self.steps.iter().filter(is).count()
    }
}
