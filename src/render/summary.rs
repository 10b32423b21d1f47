//! How a run went, in numbers: the last line of `-json`, the file of `-summary-into`, and what GitLab counts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::drift::{Class, Report};
use crate::outcome::{Fate, Report as Outcome};
use crate::plan::{Action, Plan};
use crate::render::count;
use crate::render::json::plan::{Sessions, sessions};
use crate::render::plan::Purpose;

/// How a run went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// The version of this format. The minor one grows when something is added.
    pub format_version: &'static str,
    /// The version of wgform.
    pub wgform_version: &'static str,
    /// `plan`, `apply`, `destroy` or `drift`; absent for a command line that makes no sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'static str>,
    /// The exit code.
    pub exit_code: u8,
    /// What it means, in a word: `done`, `failed`, `changes`, `partial`, `locked`, `unreachable`, `stale`, `refused` or
    /// `interrupted`.
    pub outcome: &'static str,
    /// What the plan is called by, for whoever reviews it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What was planned; absent when it did not come to a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<Planned>,
    /// What was done; absent when nothing was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<Applied>,
    /// How many errors were told, with refusals and steps that failed among them.
    pub errors: usize,
    /// How many of them say that a guard refused.
    pub refusals: usize,
    /// How many warnings were told.
    pub warnings: usize,
}

/// How much of what is asked for was compared with what there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// All of it.
    #[default]
    All,
    /// What `-target` and `-exclude` leave of it, on the backends that were read and are believed.
    Part,
    /// Nothing, so that the other numbers say nothing either.
    Nothing,
}

impl Compared {
    /// Returns how much a plan was compared with.
    fn of(plan: &Plan) -> Self {
        let is_silent = plan.is_empty() && plan.unmanaged.is_empty();
        let was_none_read = plan.backends.is_empty() && !plan.unreachable.is_empty();
        if is_silent && (was_none_read || !plan.refusals.is_empty()) {
            return Self::Nothing;
        }
        match plan.is_partial || !plan.unreachable.is_empty() || !plan.doubted.is_empty() {
            true => Self::Part,
            false => Self::All,
        }
    }
}

/// What a plan has, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Planned {
    /// How much was compared.
    pub compared: Compared,
    /// What an apply would do, by action; what undoes drift is among it.
    pub changes: Counts,
    /// How many resources were changed outside of wgform.
    pub drift: usize,
    /// How many peers nobody declared, which stay.
    pub unmanaged_peers: usize,
    /// How many peers wait for a key.
    pub pending_peers: usize,
    /// The sessions that live now, and those that an apply cuts.
    pub sessions: Sessions,
    /// The backends that could not be read.
    pub unreachable: Vec<String>,
    /// Whether only a part was planned.
    pub is_partial: bool,
    /// Everything that differs, by class; only of a look for drift.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<&'static str, usize>,
    /// How many changes of the configuration are not applied yet; only of a look for drift.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_changes: Option<usize>,
    /// How many holds and entries of known drift have ended, and were not forgotten by an apply.
    pub expired: usize,
}

/// Changes by action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// Made.
    pub create: usize,
    /// Changed where it is.
    pub update: usize,
    /// Made anew: each one is in none of the other counts.
    pub replace: usize,
    /// Removed.
    pub delete: usize,
    /// Left alone, and nobody's from then on.
    pub forget: usize,
    /// Given another address.
    #[serde(rename = "move")]
    pub moved: usize,
    /// Taken over.
    pub import: usize,
    /// Outputs that change.
    pub outputs: usize,
}

/// What an apply did, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Applied {
    /// Resources that were made, or made anew.
    pub added: usize,
    /// Resources that were changed.
    pub changed: usize,
    /// Resources that were removed, or made way for their successors.
    pub destroyed: usize,
    /// Resources that are nobody's now.
    pub forgotten: usize,
    /// Resources that have another address.
    pub moved: usize,
    /// Objects that were taken over.
    pub imported: usize,
    /// The steps, by their ends.
    pub steps: Steps,
    /// Whether all of it is in the state.
    pub is_recorded: bool,
}

/// Steps by their ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Steps {
    /// Done.
    pub done: usize,
    /// Tried, and failed.
    pub failed: usize,
    /// Not tried, because one that they need failed.
    pub skipped: usize,
    /// Not tried, because a stop was asked for.
    pub not_started: usize,
}

impl Counts {
    /// Counts what a plan does.
    pub fn of(plan: &Plan) -> Self {
        let mut counts = Self {
            moved: plan.moved.len(),
            import: plan.imported.len(),
            outputs: plan.outputs.len(),
            ..Self::default()
        };
        for change in &plan.changes {
            match change.action {
                Action::Create => counts.create += 1,
                Action::Update => counts.update += 1,
                Action::Replace => counts.replace += 1,
                Action::Delete => counts.delete += 1,
                Action::Forget => counts.forget += 1,
            }
        }
        counts
    }

    /// Returns how many are made, as Terraform counts: a replacement is one that is made and one that goes.
    pub fn added(self) -> usize {
        self.create + self.replace
    }

    /// Returns how many go, as Terraform counts.
    pub fn removed(self) -> usize {
        self.delete + self.replace
    }
}

impl Planned {
    /// Counts what a plan has. A plan that only looks changes nothing.
    pub fn of(plan: &Plan, purpose: Purpose) -> Self {
        let mut changes = Counts::of(plan);
        if purpose == Purpose::RefreshOnly {
            changes = Counts { moved: changes.moved, ..Counts::default() };
        }
        Self {
            compared: Compared::of(plan),
            changes,
            drift: plan.changes.iter().filter(|it| it.has_drift()).count(),
            unmanaged_peers: plan.unmanaged.len(),
            pending_peers: plan.pending.len(),
            sessions: sessions(plan),
            unreachable: plan.unreachable.keys().map(ToString::to_string).collect(),
            is_partial: plan.is_partial,
            classes: BTreeMap::new(),
            waiting_changes: None,
            expired: plan.holds.expired.len(),
        }
    }

    /// Counts what a look for drift has found.
    pub fn of_drift(report: &Report) -> Self {
        let plan = &report.plan;
        let undeclared = plan.changes.iter().filter(|it| it.subject.is_unmanaged()).count();
        Self {
            unmanaged_peers: plan.unmanaged.len() + undeclared,
            classes: report.by_class().into_iter().map(|(it, n)| (it.as_str(), n)).collect(),
            waiting_changes: Some(report.waiting),
            ..Self::of(plan, Purpose::Drift)
        }
    }

    /// Says it in one line, without the period.
    pub fn line(&self, purpose: Purpose) -> String {
        let line = match (self.compared, purpose) {
            (Compared::Nothing, Purpose::Apply) => {
                "no plan, because nothing was compared".to_owned()
            }
            (Compared::Nothing, _) => "no answer, because nothing was compared".to_owned(),
            (_, Purpose::Apply) => self.line_of_changes(),
            _ => self.line_of_drift(),
        };
        let line = match (self.compared, self.beside()) {
            (Compared::Nothing, _) | (_, None) => line,
            (_, Some(beside)) => format!("{line}; besides, {beside}"),
        };
        match self.unreachable.len() {
            0 => line,
            number => format!("{line}; {} not read", count(number, "backend")),
        }
    }

    /// Says what differs and does not count.
    fn beside(&self) -> Option<String> {
        let number = |class: Class| self.classes.get(class.as_str()).copied().unwrap_or_default();
        match (number(Class::Known), number(Class::Held)) {
            (0, 0) => None,
            (known, 0) => Some(format!("{known} known")),
            (0, held) => Some(format!("{held} held")),
            (known, held) => Some(format!("{known} known and {held} held")),
        }
    }

    fn line_of_drift(&self) -> String {
        let peers = count(self.unmanaged_peers, "unmanaged peer");
        match (self.drift, self.unmanaged_peers) {
            (0, 0) => "no drift".to_owned(),
            (drift, 0) => format!("{} changed outside of wgform", count(drift, "resource")),
            (drift, _) => {
                format!("{} changed outside of wgform, {peers}", count(drift, "resource"))
            }
        }
    }

    fn line_of_changes(&self) -> String {
        let Counts { update, forget, moved, import, .. } = self.changes;
        let (added, removed) = (self.changes.added(), self.changes.removed());
        let mut line = format!("{added} to add, {update} to change, {removed} to destroy");
        for (number, what) in [(import, "to import"), (moved, "moved"), (forget, "to forget")] {
            if number > 0 {
                line += &format!(", {number} {what}");
            }
        }
        match self.drift {
            0 => line,
            drift => format!("{line}; {drift} of them drift that is undone"),
        }
    }
}

impl Applied {
    /// Counts what an apply did.
    pub fn of(report: &Outcome) -> Self {
        let mut steps = Steps::default();
        for step in &report.steps {
            match step.fate {
                Fate::Done => steps.done += 1,
                Fate::Failed(_) => steps.failed += 1,
                Fate::Skipped { .. } => steps.skipped += 1,
                Fate::NotStarted => steps.not_started += 1,
            }
        }
        Self {
            added: report.count(Action::Create),
            changed: report.count(Action::Update),
            destroyed: report.count(Action::Delete),
            forgotten: report.count(Action::Forget),
            moved: report.moved,
            imported: report.imported,
            steps,
            is_recorded: report.unrecorded.is_none(),
        }
    }

    /// Says it in one line, without the period.
    pub fn line(&self) -> String {
        let Self { added, changed, destroyed, .. } = self;
        format!("{added} added, {changed} changed, {destroyed} destroyed")
    }

    /// Returns whether every step was done, and all of it is in the state.
    pub fn is_whole(&self) -> bool {
        let Steps { done: _, failed, skipped, not_started } = self.steps;
        failed + skipped + not_started == 0 && self.is_recorded
    }
}

impl Summary {
    /// Returns it as the text of a file.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Returns the counts that GitLab shows on a merge request.
    pub fn gitlab(&self) -> String {
        let counts = self.planned.as_ref().map(|it| it.changes).unwrap_or_default();
        let report = json!({
            "create": counts.added(),
            "update": counts.update,
            "delete": counts.removed(),
        });
        format!("{report}\n")
    }
}
