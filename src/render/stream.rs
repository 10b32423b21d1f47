//! What happens in a run, for other programs: one JSON object a line, in the words of `terraform plan -json` and
//! `terraform apply -json` where the meaning is the same.
//!
//! What Terraform does not have is under types of its own. The last line is always of the type `result` and has the exit
//! code, however a run ended.

mod drift;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use crate::event::{BackendName, Event, Holder, StepName, Work};
use crate::outcome::Report;
use crate::plan::{Plan, ResourceChange};
use crate::render::event::{elapsed, found, under_way};
use crate::render::json::drifted::{Doubted, Entry, Expired, NotChecked, UnknownInterface};
use crate::render::json::guarded::{Held, ManagementPath, management_paths};
use crate::render::json::plan::{
    OneSided, Sessions, UnmanagedPeer, Unread, one_sided, output_change, sessions,
};
use crate::render::json::{Change, Remarks, ResourceName, action_reason, change as changed};
use crate::render::plan::Purpose;
use crate::render::printable;
use crate::render::summary::{Planned, Summary};
use crate::render::validation::{Problem, Severity};

pub use drift::drift;

/// The version of the stream. The minor number goes up when something is added, the major one when something is renamed,
/// removed or means something else.
pub const VERSION: &str = "1.0";

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Line {
    /// How much it matters.
    #[serde(rename = "@level")]
    pub level: Level,
    /// What it says, for people.
    #[serde(rename = "@message")]
    pub message: String,
    /// Who says it: always `wgform.ui`.
    #[serde(rename = "@module")]
    pub module: &'static str,
    /// When.
    #[serde(rename = "@timestamp")]
    pub timestamp: String,
    /// What it says, for programs.
    #[serde(flatten)]
    pub body: Body,
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something failed, or will.
    Error,
    /// Worth a look.
    Warn,
    /// What happens.
    Info,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body {
    /// The first line.
    Version {
        /// The version of wgform.
        wgform: &'static str,
        /// The version of the stream. The minor number goes up when something is added, the major one when something is
        /// renamed, removed or means something else.
        ui: &'static str,
    },
    /// Another run holds the lock, and this one waits for it.
    LockAwaited {
        /// Who holds it, and for what; absent when that cannot be read.
        #[serde(skip_serializing_if = "Option::is_none")]
        holder: Option<Holder>,
        /// The device that it keeps others from; absent for the lock of the state.
        #[serde(skip_serializing_if = "Option::is_none")]
        device: Option<String>,
    },
    /// A backend is being read. Terraform asks for each resource; wgform asks for all that is on a backend at once.
    RefreshStart {
        /// Which.
        hook: RefreshHook,
    },
    /// A backend was read.
    RefreshComplete {
        /// Which, and what there is.
        hook: RefreshHook,
    },
    /// A backend could not be read.
    RefreshErrored {
        /// Which, and why.
        hook: RefreshHook,
    },
    /// A host was rebooted since the last apply, and lost interfaces by it.
    Rebooted {
        /// The backend.
        backend: String,
        /// How long ago, when the host says.
        #[serde(skip_serializing_if = "Option::is_none")]
        seconds_ago: Option<u64>,
        /// The names of the interfaces that are missing.
        missing: Vec<String>,
    },
    /// A resource was changed outside of wgform.
    ResourceDrift {
        /// What was applied last, and what is there.
        change: Box<ResourceChanged>,
    },
    /// Something is to be changed.
    PlannedChange {
        /// What is there, and what will be.
        change: Box<ResourceChanged>,
    },
    /// A peer that nobody declared and that stays.
    UnmanagedPeer {
        /// Which.
        peer: UnmanagedPeer,
    },
    /// A peer that waits for a key.
    PendingPeer {
        /// Which.
        resource: ResourceName,
    },
    /// A backend was left out, because it could not be read.
    BackendLeftOut {
        /// Which, with what is on it.
        unread: Unread,
    },
    /// A backend was read and is not believed: it is another one, or too much is missing there at once.
    BackendDoubted {
        /// Which, with what is missing.
        doubted: Doubted,
    },
    /// A link of which one end changes and the other does not.
    OneSided {
        /// Which.
        link: OneSided,
    },
    /// Something that is left alone for a time, and would have changed.
    Held {
        /// What.
        held: Held,
    },
    /// A hold or an entry of known drift whose time is up, and that no apply has forgotten yet.
    Expired {
        /// Which.
        expired: Expired,
    },
    /// A resource was changed outside of wgform, and a `known_drift` block says so.
    KnownDrift {
        /// What was applied last, and what is there.
        change: Box<ResourceChanged>,
        /// Why that is known.
        known: Entry,
    },
    /// What a device does not show.
    NotChecked {
        /// Of what.
        not_checked: NotChecked,
    },
    /// An interface that nobody declared, on a backend that has some of ours.
    UnknownInterface {
        /// Which.
        interface: UnknownInterface,
    },
    /// The way to a backend is touched.
    ManagementPath {
        /// Which, and what becomes of it.
        management_path: ManagementPath,
    },
    /// The sessions that live, and those that an apply cuts.
    Sessions {
        /// Which.
        sessions: Sessions,
    },
    /// What a plan has, or what an apply did, in numbers.
    ChangeSummary {
        /// The numbers.
        changes: ChangeCounts,
    },
    /// What a report of drift has, in numbers.
    DriftSummary {
        /// The numbers.
        drift: Planned,
    },
    /// The state has learnt what no device hears of.
    StateRecorded {
        /// How many resources have another address.
        moved: usize,
        /// How many objects were taken over.
        imported: usize,
    },
    /// A step begins. A resource that is replaced goes through several.
    ApplyStart {
        /// Which.
        hook: ApplyHook,
    },
    /// A step has been under way for another ten seconds.
    ApplyProgress {
        /// Which.
        hook: ApplyHook,
    },
    /// A step is done.
    ApplyComplete {
        /// Which.
        hook: ApplyHook,
    },
    /// A step failed.
    ApplyErrored {
        /// Which, and why.
        hook: ApplyHook,
    },
    /// A step was not tried, because one that it needs failed.
    ApplySkipped {
        /// Which.
        hook: ApplyHook,
        /// What failed.
        because: String,
    },
    /// A step was not tried, because a stop was asked for.
    ApplyNotStarted {
        /// Which.
        hook: ApplyHook,
    },
    /// The outputs: in a plan those that change, in an apply all of them.
    Outputs {
        /// Each with its value, as far as it may be shown.
        outputs: BTreeMap<String, Output>,
    },
    /// A problem: of the configuration with its place, or of anything else.
    Diagnostic {
        /// The problem.
        diagnostic: Problem,
        /// For what is in no file, what kind it is: `usage`, `failed`, `declined`, `partial`, `locked`, `unreachable`,
        /// `stale`, `refused` or `interrupted`.
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<&'static str>,
    },
    /// The last line.
    Result {
        /// How it went.
        #[serde(flatten)]
        summary: Box<Summary>,
    },
}

/// A backend that is read.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RefreshHook {
    /// The backend, as if it was a resource.
    pub resource: ResourceName,
    /// The backend.
    pub backend: BackendName,
    /// How many WireGuard interfaces it has, whoever made them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interfaces: Option<usize>,
    /// How many peers they have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peers: Option<usize>,
    /// What was attempted and why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// Since it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}

/// What happens to one thing.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ResourceChanged {
    /// To what.
    pub resource: ResourceName,
    /// The resource as it was called before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_resource: Option<ResourceName>,
    /// `create`, `update`, `replace`, `delete`, `forget`, `move` or `import`.
    pub action: &'static str,
    /// Terraform's word for why, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What changes about it, attribute by attribute; absent for what only gets another address or is taken over.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// What Terraform has no word for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wgform: Option<Remarks>,
}

/// Changes in numbers, as Terraform counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChangeCounts {
    /// Made; a replacement is one of them.
    pub add: usize,
    /// Changed where they are.
    pub change: usize,
    /// Taken over.
    pub import: usize,
    /// Removed; a replacement is one of them.
    pub remove: usize,
    /// Left alone, and nobody's from then on.
    pub forget: usize,
    /// Given another address.
    #[serde(rename = "move")]
    pub moved: usize,
    /// `plan`, `apply` or `destroy`.
    pub operation: &'static str,
}

/// A step of an apply.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ApplyHook {
    /// What it is about.
    pub resource: ResourceName,
    /// `create`, `update`, `delete` or `forget`.
    pub action: &'static str,
    /// What it does exactly.
    pub work: Work,
    /// The backend that it is written to; absent when only the state learns of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Since it was started, in whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_seconds: Option<u64>,
    /// The same in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
    /// What was attempted and why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// An output.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Output {
    /// Whether its value is not shown.
    pub sensitive: bool,
    /// What happens to it, in a plan: `create`, `update` or `delete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
    /// The value; absent while it is not known, or not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
}

/// A line without its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    level: Level,
    message: String,
    body: Body,
}

impl Said {
    fn new(level: Level, message: impl Into<String>, body: Body) -> Self {
        Self { level, message: printable(&message.into()).into_owned(), body }
    }

    fn info(message: impl Into<String>, body: Body) -> Self {
        Self::new(Level::Info, message, body)
    }

    /// Returns the line, with its end.
    pub fn at(self, now: Timestamp) -> String {
        let Self { level, message, body } = self;
        let timestamp = now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        let line = Line { level, message, module: "wgform.ui", timestamp, body };
        // What is said has texts as keys only, so that it can always be written.
        serde_json::to_string(&line).unwrap_or_default() + "\n"
    }
}

/// Says the first line.
pub fn version() -> Said {
    let wgform = env!("CARGO_PKG_VERSION");
    Said::info(format!("wgform {wgform}"), Body::Version { wgform, ui: VERSION })
}

/// Says the last line.
pub fn result(summary: Summary) -> Said {
    let Summary { exit_code, outcome, .. } = summary;
    let level = match (outcome, summary.errors) {
        ("done" | "changes", 0) => Level::Info,
        _ => Level::Error,
    };
    let message = format!("Ended with exit code {exit_code}: {outcome}");
    Said::new(level, message, Body::Result { summary: Box::new(summary) })
}

/// Says that something is wrong. `kind` is known of what is in no file.
pub fn problem(problem: Problem, kind: Option<&'static str>) -> Said {
    let (level, word) = match problem.severity {
        Severity::Error => (Level::Error, "Error"),
        Severity::Warning => (Level::Warn, "Warning"),
    };
    let message = format!("{word}: {}", problem.summary);
    Said::new(level, message, Body::Diagnostic { diagnostic: problem, kind })
}

/// Says what happened; nothing where only the next event says something.
pub fn event(event: &Event) -> Option<Said> {
    Some(match event {
        Event::LockAwaited { said: _, holder, device } => {
            let (holder, device) = (holder.clone(), device.clone());
            Said::info("Waiting for the lock", Body::LockAwaited { holder, device })
        }
        Event::BackendAsked { backend } => {
            let message = format!("backend.{}: Refreshing...", backend.id);
            Said::info(message, Body::RefreshStart { hook: asked(backend) })
        }
        Event::BackendRead { backend, interfaces, peers, elapsed_ms } => {
            let message =
                format!("backend.{}: Refreshed, {}", backend.id, found(*interfaces, *peers));
            let (interfaces, peers) = (Some(*interfaces), Some(*peers));
            let elapsed_ms = Some(*elapsed_ms);
            let hook = RefreshHook { interfaces, peers, elapsed_ms, ..asked(backend) };
            Said::info(message, Body::RefreshComplete { hook })
        }
        Event::BackendFailed { backend, reason, hints, elapsed_ms } => {
            let message = format!("backend.{}: Could not be read: {reason}", backend.id);
            let hook = RefreshHook {
                reason: Some(printable(reason).into_owned()),
                hints: texts(hints),
                elapsed_ms: Some(*elapsed_ms),
                ..asked(backend)
            };
            Said::new(Level::Error, message, Body::RefreshErrored { hook })
        }
        Event::StateRecorded { moved, imported } => Said::info(
            format!("Recorded: {moved} moved, {imported} imported"),
            Body::StateRecorded { moved: *moved, imported: *imported },
        ),
        Event::StepStarted { step } => {
            Said::info(format!("{}...", under_way(step)), Body::ApplyStart { hook: hook(step) })
        }
        Event::StepDone { .. }
        | Event::StepFailed { .. }
        | Event::StepSkipped { .. }
        | Event::StepNotStarted { .. } => return end_of_step(event),
        Event::RefreshStarted { .. }
        | Event::RefreshEnded { .. }
        | Event::ApplyStarted { .. }
        | Event::ApplyEnded { .. } => return None,
    })
}

fn end_of_step(event: &Event) -> Option<Said> {
    let timed = |step, ms: u64| ApplyHook {
        elapsed_seconds: Some(ms / 1000),
        elapsed_ms: Some(ms),
        ..hook(step)
    };
    Some(match event {
        Event::StepDone { step, elapsed_ms } => {
            let message = format!("{}: Complete after {}", step.subject, elapsed(*elapsed_ms));
            Said::info(message, Body::ApplyComplete { hook: timed(step, *elapsed_ms) })
        }
        Event::StepFailed { step, reason, hints, elapsed_ms } => {
            let message = format!("{}: Failed: {reason}", step.subject);
            let hook = ApplyHook {
                reason: Some(printable(reason).into_owned()),
                hints: texts(hints),
                ..timed(step, *elapsed_ms)
            };
            Said::new(Level::Error, message, Body::ApplyErrored { hook })
        }
        Event::StepSkipped { step, because } => {
            let message = format!("{}: Skipped, because of {because}", step.subject);
            let because = printable(because).into_owned();
            Said::new(Level::Warn, message, Body::ApplySkipped { hook: hook(step), because })
        }
        Event::StepNotStarted { step } => {
            let message = format!("{}: Not started", step.subject);
            Said::new(Level::Warn, message, Body::ApplyNotStarted { hook: hook(step) })
        }
        _ => return None,
    })
}

/// Says that a step is still under way.
pub fn progress(step: &StepName, seconds: u64) -> Said {
    let message = format!("{}... [{seconds}s elapsed]", under_way(step));
    let hook = ApplyHook { elapsed_seconds: Some(seconds), ..hook(step) };
    Said::info(message, Body::ApplyProgress { hook })
}

fn asked(backend: &BackendName) -> RefreshHook {
    let addr = format!("backend.{}", backend.id);
    RefreshHook {
        resource: ResourceName::other(&addr, "backend", &backend.id),
        backend: backend.clone(),
        interfaces: None,
        peers: None,
        reason: None,
        hints: Vec::new(),
        elapsed_ms: None,
    }
}

fn hook(step: &StepName) -> ApplyHook {
    ApplyHook {
        resource: ResourceName::parse(&step.subject),
        action: match step.work {
            Work::Create | Work::BringUp => "create",
            Work::Delete | Work::DeleteOld => "delete",
            Work::Forget => "forget",
            Work::Update
            | Work::PutAside
            | Work::Prepare
            | Work::SetRoutes
            | Work::Persist
            | Work::StopPersisting
            | Work::SwitchOn
            | Work::Apply => "update",
        },
        work: step.work,
        backend: step.backend.clone(),
        elapsed_seconds: None,
        elapsed_ms: None,
        reason: None,
        hints: Vec::new(),
    }
}

fn texts(texts: &[String]) -> Vec<String> {
    texts.iter().map(|it| printable(it).into_owned()).collect()
}

fn reboots(plan: &Plan, say: &mut dyn FnMut(Said)) {
    for (backend, reboot) in &plan.rebooted {
        let message = format!("backend.{backend}: Rebooted, {} missing", reboot.missing.join(", "));
        say(Said::new(
            Level::Warn,
            message,
            Body::Rebooted {
                backend: backend.to_string(),
                seconds_ago: reboot.ago.map(|ago| ago.as_secs()),
                missing: texts(&reboot.missing),
            },
        ));
    }
}

/// Says what a plan has, line by line. They are handed on as they are made, because there may be ten thousand.
pub fn plan(plan: &Plan, purpose: Purpose, operation: &'static str, say: &mut dyn FnMut(Said)) {
    reboots(plan, say);
    plan.changes.iter().filter_map(|it| drift::line(plan, it)).for_each(&mut *say);
    if purpose == Purpose::Apply {
        plan.changes.iter().map(|it| change_line(plan, it)).for_each(&mut *say);
    }
    addresses(plan, say);
    around(plan, purpose, say);
    let planned = Planned::of(plan, purpose);
    if !plan.outputs.is_empty() {
        let outputs: BTreeMap<_, _> = plan.outputs.iter().map(output).collect();
        say(Said::info(format!("Outputs: {}", outputs.len()), Body::Outputs { outputs }));
    }
    let counts = planned.changes;
    let changes = ChangeCounts {
        add: counts.added(),
        change: counts.update,
        import: counts.import,
        remove: counts.removed(),
        forget: counts.forget,
        moved: counts.moved,
        operation: if operation == "destroy" { "destroy" } else { "plan" },
    };
    let message = format!("Plan: {}.", planned.line(purpose));
    say(Said::info(message, Body::ChangeSummary { changes }));
}

/// Says what there is besides the changes.
fn around(plan: &Plan, purpose: Purpose, say: &mut dyn FnMut(Said)) {
    for address in plan.pending.iter().filter(|_| purpose == Purpose::Apply) {
        let message = format!("{address}: Waits for its public key");
        say(Said::info(message, Body::PendingPeer { resource: ResourceName::from(address) }));
    }
    drift::beside(plan, say);
    if purpose != Purpose::Apply {
        return;
    }
    for link in one_sided(plan) {
        let message = format!("{} changes, and {} is left out", link.changed, link.left_out);
        say(Said::new(Level::Warn, message, Body::OneSided { link }));
    }
    for management_path in management_paths(plan) {
        let level = match management_path.fate {
            "refused" => Level::Error,
            _ => Level::Warn,
        };
        let message = format!("{}: {}", management_path.path, management_path.changes.join(", "));
        say(Said::new(level, message, Body::ManagementPath { management_path }));
    }
    let sessions = sessions(plan);
    let level = if sessions.cut.is_empty() { Level::Info } else { Level::Warn };
    let message = format!("Sessions kept: {} of {}", sessions.kept, sessions.live);
    say(Said::new(level, message, Body::Sessions { sessions }));
}

fn change_line(plan: &Plan, it: &ResourceChange) -> Said {
    let change = changed(plan, it);
    let action = match change.actions.as_slice() {
        [action] => action,
        _ => "replace",
    };
    let reason = action_reason(it).map(|reason| match reason {
        "replace_by_request" => "requested",
        reason => reason.strip_prefix("replace_because_").unwrap_or(reason),
    });
    let old = it.subject.address().and_then(|address| plan.moved.get(address));
    let changed = ResourceChanged {
        resource: ResourceName::from(&it.subject),
        previous_resource: old.map(ResourceName::from),
        action,
        reason,
        change: Some(change),
        wgform: Some(Remarks::of(plan, it)),
    };
    let message = format!("{}: Plan to {action}", it.subject);
    Said::info(message, Body::PlannedChange { change: Box::new(changed) })
}

/// Says what gets another address or is taken over, and is not changed beside that.
fn addresses(plan: &Plan, say: &mut dyn FnMut(Said)) {
    let changed = plan.changes.iter().filter_map(|it| it.subject.address());
    let changed: std::collections::BTreeSet<_> = changed.collect();
    let bare = |address, old: Option<ResourceName>, action| {
        let changed = ResourceChanged {
            resource: ResourceName::from(address),
            previous_resource: old,
            action,
            reason: None,
            change: None,
            wgform: None,
        };
        let message = format!("{address}: Plan to {action}");
        Said::info(message, Body::PlannedChange { change: Box::new(changed) })
    };
    for (address, old) in plan.moved.iter().filter(|(it, _)| !changed.contains(it)) {
        say(bare(address, Some(ResourceName::from(old)), "move"));
    }
    for (address, _) in plan.imported.iter().filter(|(it, _)| !changed.contains(it)) {
        say(bare(address, None, "import"));
    }
}

fn output(change: &crate::plan::OutputChange) -> (String, Output) {
    let (name, record) = output_change(change);
    let sensitive = record.after_sensitive || record.before_sensitive;
    let value = record.after.filter(|_| !sensitive && record.actions != ["delete"]);
    (name, Output { sensitive, action: record.actions.first().copied(), value })
}

/// Says how an apply went, beyond what was said of its steps.
pub fn report(report: &Report, operation: &'static str, say: &mut dyn FnMut(Said)) {
    let applied = crate::render::summary::Applied::of(report);
    let changes = ChangeCounts {
        add: applied.added,
        change: applied.changed,
        import: applied.imported,
        remove: applied.destroyed,
        forget: applied.forgotten,
        moved: applied.moved,
        operation,
    };
    let name = if operation == "destroy" { "Destroy" } else { "Apply" };
    let end = if report.is_complete() { "complete" } else { "incomplete" };
    let message = format!("{name} {end}! Resources: {}.", applied.line());
    say(Said::info(message, Body::ChangeSummary { changes }));
    if operation == "destroy" || !report.outputs_failed.is_empty() || report.outputs.is_empty() {
        return;
    }
    let outputs = report.outputs.iter().map(|(name, it)| {
        let value = it.value.clone().filter(|_| !it.sensitive);
        (name.clone(), Output { sensitive: it.sensitive, action: None, value })
    });
    let outputs: BTreeMap<_, _> = outputs.collect();
    say(Said::info(format!("Outputs: {}", outputs.len()), Body::Outputs { outputs }));
}
