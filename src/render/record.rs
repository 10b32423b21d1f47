//! What is remembered of a run until its end, for the reports that are written then.
//!
//! It is told what the terminal is told, and decides nothing: of ten thousand changes no more is kept than a report takes.

use crate::diagnostic::Diagnostic;
use crate::drift;
use crate::outcome::{Fate, Report};
use crate::plan::{Plan, ResourceChange};
use crate::render::markdown::{Folded, MAX_LENGTH, fold};
use crate::render::plan::{Purpose, around, observed};
use crate::render::summary::{Applied, Planned, Summary};
use crate::render::validation::{Problem, Severity, problems};

/// What is remembered of a run.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// `plan`, `apply`, `destroy`, `drift` or `validate`; none for a command line that makes no sense.
    pub operation: Option<&'static str>,
    /// What was planned.
    pub planned: Option<PlannedRecord>,
    /// What was done.
    pub applied: Option<Applied>,
    /// What the plan is called by, for whoever reviews it.
    pub digest: Option<String>,
    /// The problems that were told, with what kind each is of where it is in no file; a thousand at the most.
    pub problems: Vec<(Problem, Option<&'static str>)>,
    /// All of them, in numbers.
    pub(super) errors: usize,
    pub(super) warnings: usize,
    pub(super) refusals: usize,
}

/// What is remembered of a plan.
#[derive(Debug, Clone)]
pub struct PlannedRecord {
    /// What it was made for.
    pub purpose: Purpose,
    /// Its numbers.
    pub numbers: Planned,
    /// Its changes as they are folded in a comment, as many as fit into one.
    pub changes: Vec<Folded>,
    /// How many there are.
    pub all: usize,
    /// What there is besides.
    pub around: String,
}

/// More problems than this help nobody.
const MAX_PROBLEMS: usize = 1_000;

/// Folds as many changes as fit into a comment.
fn folded(changes: &[ResourceChange], fold: impl Fn(&ResourceChange) -> Folded) -> Vec<Folded> {
    let mut length = 0;
    let mut all = Vec::new();
    for change in changes {
        if length > MAX_LENGTH {
            break;
        }
        let folded = fold(change);
        length += folded.text.len();
        all.push(folded);
    }
    all
}

impl Record {
    /// Remembers a plan. Its text is remembered only where somebody will want it.
    pub fn plan(&mut self, plan: &Plan, purpose: Purpose, with_text: bool) {
        let mut record = PlannedRecord {
            purpose,
            numbers: Planned::of(plan, purpose),
            changes: Vec::new(),
            all: plan.changes.len(),
            around: String::new(),
        };
        if with_text {
            record.around = around(plan, purpose);
            record.changes = folded(&plan.changes, |it| fold(plan, it));
        }
        self.planned = Some(record);
    }

    /// Remembers what a look for drift has found.
    pub fn drift(&mut self, report: &drift::Report, with_text: bool) {
        let plan = &report.plan;
        let mut record = PlannedRecord {
            purpose: Purpose::Drift,
            numbers: Planned::of_drift(report),
            changes: Vec::new(),
            all: plan.changes.len(),
            around: String::new(),
        };
        if with_text {
            record.around = crate::render::drift::around(report);
            record.changes = folded(&plan.changes, |it| fold(plan, &observed(it)));
        }
        self.planned = Some(record);
    }

    /// Remembers how an apply went.
    pub fn report(&mut self, report: &Report) {
        self.applied = Some(Applied::of(report));
        for it in &report.steps {
            let Fate::Failed(lines) = &it.fate else { continue };
            let (reason, hints) = lines
                .split_first()
                .map_or(("", [].as_slice()), |(first, hints)| (first.as_str(), hints));
            let summary = format!("{}: {reason}", it.step.subject);
            let problem = Problem::elsewhere(Severity::Error, &summary, hints.iter().cloned());
            self.problem(&problem, Some("failed"));
        }
    }

    /// Remembers problems, and returns them as they are told.
    pub fn diagnostics(&mut self, found: &[Diagnostic]) -> Vec<Problem> {
        let errors = found.iter().filter(|it| it.severity == crate::diagnostic::Severity::Error);
        let errors = errors.count();
        self.errors += errors;
        self.warnings += found.len() - errors;
        let problems = problems(found);
        problems.iter().for_each(|it| self.keep(it, None));
        problems
    }

    /// Remembers a problem that is in no file.
    pub fn problem(&mut self, problem: &Problem, kind: Option<&'static str>) {
        match problem.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        self.refusals += usize::from(kind == Some("refused"));
        self.keep(problem, kind);
    }

    fn keep(&mut self, problem: &Problem, kind: Option<&'static str>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push((problem.clone(), kind));
        }
    }

    /// Says in numbers how a run went that ends like this.
    pub fn summary(&self, exit_code: u8, outcome: &'static str) -> Summary {
        Summary {
            format_version: "1.0",
            wgform_version: env!("CARGO_PKG_VERSION"),
            operation: self.operation,
            exit_code,
            outcome,
            digest: self.digest.clone(),
            planned: self.planned.as_ref().map(|it| it.numbers.clone()),
            applied: self.applied.clone(),
            errors: self.errors,
            refusals: self.refusals,
            warnings: self.warnings,
        }
    }
}
