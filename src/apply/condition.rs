//! Conditions that were not known when it was planned, looked at before and after the steps of their resource.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Evaluator, Verdict};
use crate::diagnostic::Diagnostic;
use crate::plan::{Known, Plan, Step, Unsettled};
use crate::resource::Address;

/// What is still to be looked at, and what came of it so far.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    unsettled: BTreeMap<Address, Unsettled>,
    /// How many steps of each of those resources have not been done yet.
    left: BTreeMap<Address, usize>,
    /// What does not hold.
    pub(crate) unmet: Vec<Diagnostic>,
    /// The resources that are there and are not as they have to be.
    pub(crate) unfit: BTreeSet<Address>,
}

/// Whether something may be done about a resource.
pub(crate) enum Leave {
    Yes,
    /// It depends on what is not known yet.
    NotYet,
    No(String),
}

impl Conditions {
    pub(crate) fn new(plan: &mut Plan) -> Self {
        let unsettled = std::mem::take(&mut plan.unsettled);
        let mut left = BTreeMap::new();
        for address in plan.steps.iter().filter_map(|step| step.subject.address()) {
            if unsettled.contains_key(address) {
                *left.entry(address.clone()).or_insert(0) += 1;
            }
        }
        Self { unsettled, left, ..Self::default() }
    }

    /// Looks at the preconditions of a resource that is about to be written.
    pub(crate) fn before(
        &mut self,
        address: &Address,
        evaluator: &Evaluator<'_>,
        known: &Known,
    ) -> Leave {
        let Some(unsettled) = self.unsettled.get_mut(address).filter(|it| it.before) else {
            return Leave::Yes;
        };
        let Verdict { failed, open } = evaluator.preconditions(address, known);
        if failed.is_empty() && !open.is_empty() {
            return Leave::NotYet;
        }
        unsettled.before = false;
        let Some(first) = failed.first() else { return Leave::Yes };
        let why = first.help.clone().unwrap_or_default();
        self.unmet.extend(failed);
        Leave::No(format!("its precondition does not hold: {why}"))
    }

    /// Looks at the postconditions of a resource once the last of its steps is done.
    pub(crate) fn after(&mut self, step: &Step, evaluator: &Evaluator<'_>, known: &Known) {
        let Some(address) = step.subject.address() else { return };
        let Some(left) = self.left.get_mut(address) else { return };
        *left -= 1;
        if *left > 0 {
            return;
        }
        let unsettled = self.unsettled.remove(address);
        if !unsettled.is_some_and(|it| it.after) {
            return;
        }
        let Verdict { failed, open } = evaluator.postconditions(address, known);
        if !failed.is_empty() || !open.is_empty() {
            self.unfit.insert(address.clone());
        }
        self.unmet.extend(failed.into_iter().chain(open));
    }

    /// Looks at the conditions of what nothing was to be done about. What they need may have failed, which is said.
    pub(crate) fn finish(&mut self, evaluator: &Evaluator<'_>, known: &Known) {
        for (address, unsettled) in std::mem::take(&mut self.unsettled) {
            if self.left.contains_key(&address) {
                continue;
            }
            if unsettled.before {
                self.unmet.extend(evaluator.preconditions(&address, known).failed);
            }
            if unsettled.after {
                self.unmet.extend(evaluator.postconditions(&address, known).failed);
            }
        }
    }
}
