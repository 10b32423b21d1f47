//! Conditions on resources, and checks on everything together.

use crate::config::block::Validation;
use crate::config::evaluator::Evaluator;
use crate::config::evaluator::run::Run;
use crate::config::expression::{Evaluated, Scope, poisoned, wrong_type};
use crate::config::parse::referable;
use crate::config::{Computed, block};
use crate::diagnostic::{Diagnostic, Severity};
use crate::resource::Address;

/// What became of conditions.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What does not hold, or cannot be evaluated.
    pub failed: Vec<Diagnostic>,
    /// What is not known yet, as it is to be said if it stays so.
    pub open: Vec<Diagnostic>,
}

/// Whether a condition holds.
enum Answer {
    Yes,
    Unknown,
    /// It does not, and this is what to do.
    No(String),
}

impl Evaluator<'_> {
    /// Looks at what has to be true before anything is done about a resource.
    pub fn preconditions(&self, address: &Address, computed: &dyn Computed) -> Verdict {
        self.judge(
            address,
            computed,
            |it| &it.preconditions,
            |is_known| match is_known {
                true => Diagnostic::error("precondition that does not hold"),
                false => Diagnostic::error("precondition that is not known"),
            },
        )
    }

    /// Looks at what has to be true of a resource.
    pub fn postconditions(&self, address: &Address, computed: &dyn Computed) -> Verdict {
        self.judge(
            address,
            computed,
            |it| &it.postconditions,
            |is_known| match is_known {
                true => Diagnostic::error("postcondition that does not hold"),
                false => Diagnostic::error("postcondition that is not known"),
            },
        )
    }

    /// Looks at the conditions of a resource; `new` begins what is said of one, when it is known and when it is not.
    fn judge(
        &self,
        address: &Address,
        computed: &dyn Computed,
        which: impl Fn(&block::LifecycleBlock) -> &Vec<Validation>,
        new: impl Fn(bool) -> Diagnostic,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        let Some(block) = self.config.block_of(address) else { return verdict };
        let conditions = which(&block.lifecycle);
        if conditions.is_empty() {
            return verdict;
        }
        let Some(run) = Run::over(self, computed).at_resource(address) else { return verdict };
        *run.call.this.borrow_mut() = Some(address.clone());
        for it in conditions {
            let at = it.condition.span();
            match run.answer(it) {
                Err(problems) => verdict.failed.extend(problems),
                Ok(Answer::Yes) => {}
                Ok(Answer::Unknown) => verdict.open.push(
                    new(false)
                        .label(&at, "this cannot be told")
                        .label(&block.span, format!("`{address}` has it"))
                        .help("Write a condition on what is known when the apply is through."),
                ),
                Ok(Answer::No(message)) => verdict.failed.push(
                    new(true)
                        .label(&at, "this condition does not hold")
                        .label(&block.span, format!("`{address}` has it"))
                        .help(message),
                ),
            }
        }
        verdict
    }

    /// Looks at every `check` block. All that it says are warnings.
    pub fn checks(&self, computed: &dyn Computed) -> Verdict {
        let mut verdict = Verdict::default();
        for (name, block) in &self.config.root().checks {
            let run = Run::over(self, computed);
            for it in &block.asserts {
                let at = it.condition.span();
                match run.answer(it) {
                    Err(problems) => verdict.failed.extend(
                        problems
                            .into_iter()
                            .map(|it| Diagnostic { severity: Severity::Warning, ..it }),
                    ),
                    Ok(Answer::Yes) => {}
                    Ok(Answer::Unknown) => verdict.open.push(
                        Diagnostic::warning("check that is not known yet")
                            .label(&at, format!("`check.{name}` is looked at after the apply"))
                            .help("It depends on what only the apply makes."),
                    ),
                    Ok(Answer::No(message)) => verdict.failed.push(
                        Diagnostic::warning("check that does not hold")
                            .label(&at, "this condition does not hold")
                            .label(&block.span, format!("`check.{name}` has it"))
                            .help(message),
                    ),
                }
            }
        }
        verdict
    }
}

impl Run<'_> {
    fn answer(&self, it: &Validation) -> Evaluated<Answer> {
        let value = self.evaluate(&it.condition)?;
        if value.is_unknown() {
            return Ok(Answer::Unknown);
        }
        let Some(holds) = value.to_bool() else {
            let at = it.condition.span();
            return Err(vec![wrong_type(&at, "the condition", "true or false", &value)]);
        };
        if holds {
            return Ok(Answer::Yes);
        }
        let scope = Scope { environment: self, source: &it.message.source, bindings: None };
        let message = scope.text(&it.message.expression, "the message")?;
        Ok(Answer::No(match message.text {
            _ if message.is_sensitive => "The message of this condition is sensitive.".to_owned(),
            Some(text) => text.to_string(),
            None => "The message of this condition is not known yet.".to_owned(),
        }))
    }

    /// Returns an attribute of the resource that a postcondition is about.
    pub(super) fn own(&self, name: &str) -> Evaluated {
        let this = self.call.this.borrow().clone();
        let Some(this) = this else {
            // Parsing says that there is no `self` here.
            self.call.consulted.set(true);
            return poisoned();
        };
        let span = self.evaluator.config.span(&this).cloned();
        let Some(span) = span else { return poisoned() };
        let attribute = referable(this.kind, name, &span).map_err(|it| vec![it])?;
        self.attribute_node(&this, attribute)
    }
}
