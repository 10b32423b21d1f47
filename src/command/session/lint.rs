//! Lint with what the devices have said: what was not known before any was asked.

use crate::command::session::{Session, has_error};
use crate::config::Computed;
use crate::diagnostic::Diagnostic;
use crate::error::Error;
use crate::lint::look_again;
use crate::plan::Plan;

impl Session<'_> {
    /// Looks once more at what is planned, where lint was asked for, unless some devices said nothing.
    pub(super) fn lint(&self, plan: &Plan) -> Result<Vec<Diagnostic>, Error> {
        let Some(seen) = self.linted.as_ref().filter(|_| plan.unreachable.is_empty()) else {
            return Ok(Vec::new());
        };
        let planned = (&plan.resources, &plan.known as &dyn Computed);
        let now = self.context.world.now();
        let found = look_again(self.config, &self.evaluator, planned, now, seen);
        if has_error(&found) {
            return Err(Error::diagnostics(found));
        }
        Ok(found)
    }
}
