//! The `hold` and `known_drift` blocks: why, and until when.

use jiff::Timestamp;

use crate::config::block::Expr;
use crate::config::evaluator::Evaluator;
use crate::config::evaluator::run::Run;
use crate::config::expression::{Evaluated, Failures, both, wrong_type};
use crate::config::hold::{HoldBlock, Holding};
use crate::config::{AllUnknown, clean};
use crate::diagnostic::Diagnostic;

impl Evaluator<'_> {
    /// Evaluates the `hold` and `known_drift` blocks, in source order. They may not depend on a resource.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn holds(&self) -> Result<Vec<Holding>, Vec<Diagnostic>> {
        let run = Run::over(self, &AllUnknown);
        let mut failures = Failures::default();
        let blocks = self.config.root().holds.iter();
        let all: Vec<_> = blocks.filter_map(|it| failures.take(run.holding(it))).collect();
        failures.or(all).map_err(clean)
    }
}

impl Run<'_> {
    fn holding(&self, block: &HoldBlock) -> Evaluated<Holding> {
        let HoldBlock { label, span, is_known_drift, targets, attributes, reason, expires_at } =
            block;
        let (reason, expires_at) = both(self.hold_reason(reason), self.hold_end(expires_at))?;
        let targets = targets.iter().map(|it| (it.movable.clone(), it.span.clone()));
        Ok(Holding {
            label: label.clone(),
            is_known_drift: *is_known_drift,
            targets: targets.collect(),
            attributes: attributes.clone(),
            reason,
            expires_at,
            span: span.clone(),
        })
    }

    /// It is shown, and kept in the state.
    fn shown_text(&self, expr: &Expr, what: &str) -> Evaluated<String> {
        let value = self.known_value(expr, what)?;
        if value.is_sensitive_anywhere() {
            return Err(vec![
                Diagnostic::error("sensitive value that a plan would show")
                    .label(&expr.span(), format!("{what} is shown in every plan"))
                    .help("Write `nonsensitive(…)` around it if it may be seen."),
            ]);
        }
        match value.to_text() {
            Some(text) if !value.is_null() => Ok(text.to_string()),
            _ => Err(vec![wrong_type(&expr.span(), what, "a string", &value)]),
        }
    }

    fn hold_reason(&self, expr: &Expr) -> Evaluated<String> {
        let text = self.shown_text(expr, "`reason`")?;
        if text.trim().is_empty() {
            return Err(vec![
                Diagnostic::error("invalid value")
                    .label(&expr.span(), "there is no reason")
                    .help("Say why, such as \"INC-1234: the provider changed the address\"."),
            ]);
        }
        Ok(text.trim().to_owned())
    }

    fn hold_end(&self, expr: &Expr) -> Evaluated<Timestamp> {
        let text = self.shown_text(expr, "`expires_at`")?;
        text.parse().map_err(|_| {
            vec![
                Diagnostic::error("invalid value")
                    .label(&expr.span(), "this is not a time")
                    .help("Write it as \"2027-01-31T12:00:00Z\"."),
            ]
        })
    }
}
