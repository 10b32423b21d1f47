//! What has to be true of resources, of everything together, and of what somebody else manages.

use std::collections::BTreeMap;

use crate::actual::Reading;
use crate::config::{Evaluator, Verdict};
use crate::plan::Unsettled;
use crate::plan::walk::Planner;
use crate::resource::Address;

impl Planner<'_> {
    /// Makes known what the backends have that `data` blocks look for.
    pub(crate) fn know_data(&mut self, evaluator: &Evaluator<'_>) {
        for id in evaluator.data_backends() {
            let Some(Reading::Read(picture)) = self.actual.backends.get(&id) else { continue };
            if self.verdict.refusals.contains_key(&id) {
                continue;
            }
            let found = picture.interfaces.iter();
            let found: BTreeMap<_, _> =
                found.map(|(name, it)| (name.clone(), it.fields.clone())).collect();
            self.known.found(id, found);
        }
    }

    /// Looks at the conditions of a resource that has been compared. What is not known yet is for the apply.
    pub(crate) fn check_conditions(&mut self, evaluator: &Evaluator<'_>, address: &Address) {
        if !self.nodes.contains_key(address) {
            return;
        }
        let before = evaluator.preconditions(address, &self.known);
        let after = evaluator.postconditions(address, &self.known);
        let unsettled =
            Unsettled { before: !before.open.is_empty(), after: !after.open.is_empty() };
        self.diagnostics.extend(before.failed.into_iter().chain(after.failed));
        if unsettled.before || unsettled.after {
            self.unsettled.insert(address.clone(), unsettled);
        }
    }

    /// Looks at every `check`, and at every `data` that nothing may have used.
    pub(crate) fn check_everything(&mut self, evaluator: &Evaluator<'_>) {
        self.diagnostics.extend(evaluator.data_problems(&self.known));
        let Verdict { failed, open } = evaluator.checks(&self.known);
        self.warnings.extend(failed.iter().cloned().chain(open));
        self.checks = Some(failed);
    }
}
