//! The one pipeline behind `apply` and `destroy`: lock, read, refresh, plan, show, ask, write, say how it went.

use crate::apply::{self, Tools};
use crate::backend::Write;
use crate::command::Context;
use crate::command::approval::Approval;
use crate::command::arguments::Lock;
use crate::command::saved;
use crate::command::session::{self, Choice, Session, World};
use crate::config::OnDrift;
use crate::error::{Error, Exit, Kind};
use crate::event::Event;
use crate::outcome::{Fate, Report};
use crate::plan::saved::Digest;
use crate::plan::{Options, Plan, PlannedAct};
use crate::render;
use crate::render::plan::Purpose;
use crate::resource::BackendId;
use crate::ui::Input;

/// What an apply or a destroy was told.
pub(crate) struct Request {
    /// For the lock and for messages: `apply`, `destroy`.
    pub(crate) operation: &'static str,
    pub(crate) options: Options,
    pub(crate) choice: Choice,
    pub(crate) lock: Lock,
    pub(crate) input: Input,
    pub(crate) auto_approve: Approval,
    /// Drift is undone although nobody can be asked, or a guard refuses to.
    pub(crate) heal: bool,
    pub(crate) skip_unreachable: bool,
    /// The digest of the plan that was reviewed.
    pub(crate) expect: Option<Digest>,
}

/// Plans, asks and applies.
pub(crate) async fn run(session: &Session<'_>, request: Request) -> Result<Exit, Error> {
    let ui = &session.context.ui;
    refuse_unsaved(session, &request)?;
    let lock = session.lock(request.operation, &request.lock).await?;
    let loaded = session.read_locked(&lock)?;
    let is_first = loaded.state.is_none();
    let state = session::state_of(session.context, loaded.state);
    let chosen = session.choose(&state, request.options.clone(), &request.choice)?;
    // Also with `-refresh=false`: the plan then takes the state for what is there, but which host it is, which keys it
    // holds and whose peers are on it must be known before anything is written.
    let world = session.look_and_hold(&state).await?;
    let plan = session.plan(state, loaded.open, &world, chosen)?;
    ui.planned(&plan, Purpose::Apply);
    ui.result(&render::plan::plan(&plan, Purpose::Apply, ui.result_paint()));
    permit(&plan, &request)?;
    let drift = judge_drift(session, &plan, &request)?;
    saved::check_digest(session.context, &plan, is_first, request.expect)?;
    all_reached(&plan, &request)?;
    if !plan.is_empty() && (request.auto_approve.is_asked() || drift == Asked::Yes) {
        ask(session.context, &request, drift)?;
    }
    carry_out(session, plan, &world, &lock, &request).await
}

/// Writes what was planned, and says how it went.
pub(crate) async fn carry_out(
    session: &Session<'_>,
    plan: Plan,
    world: &World<dyn Write>,
    lock: &crate::store::Lock,
    request: &Request,
) -> Result<Exit, Error> {
    let ui = &session.context.ui;
    session.lock_devices(lock, &plan, &request.lock).await?;
    let is_empty = plan.is_empty();
    let was_skipped = !plan.unreachable.is_empty();
    let interrupt = session.interrupt()?;
    let tell = |event: Event| session.context.tell(&event);
    let tools = Tools {
        evaluator: &session.evaluator,
        backends: &world.backends,
        lock,
        parallelism: session.at_once,
        world: &session.context.world,
        stop: interrupt.stop(),
        tell: &tell,
    };
    let mut report = session.context.watched(apply::apply(plan, tools)).await?;
    if !is_empty {
        ui.applied(&report);
        ui.result(&render::outcome::report(&report, request.operation, ui.result_paint()));
    }
    if let Some(why) = report.unrecorded.take() {
        let kind = if report.did_anything() { Kind::Partial } else { Kind::Failed };
        return Err(Error::from(why).of_kind(kind));
    }
    ui.diagnostics(&report.checks);
    let mut problems = std::mem::take(&mut report.unmet);
    problems.append(&mut report.outputs_failed);
    if !problems.is_empty() {
        return Err(Error::diagnostics(problems).of_kind(Kind::Partial));
    }
    let exit = exit_of(&report);
    Ok(if was_skipped { exit.or_worse(Exit::Unreachable) } else { exit })
}

/// Takes what changed outside into the state. It is given backends that can only be read.
pub(crate) async fn refresh_only(session: &Session<'_>, request: Request) -> Result<Exit, Error> {
    let ui = &session.context.ui;
    refuse_unsaved(session, &request)?;
    let lock = session.lock(request.operation, &request.lock).await?;
    let loaded = session.read_locked(&lock)?;
    let is_first = loaded.state.is_none();
    session::refuse_open("apply -refresh-only", &loaded)?;
    let state = session::state_of(session.context, loaded.state);
    let chosen = session.choose(&state, request.options.clone(), &request.choice)?;
    let world = session.look(&state, true).await?;
    let plan = session.plan(state, loaded.open, &world, chosen)?;
    ui.planned(&plan, Purpose::RefreshOnly);
    ui.result(&render::plan::plan(&plan, Purpose::RefreshOnly, ui.result_paint()));
    permit(&plan, &request)?;
    saved::check_digest(session.context, &plan, is_first, request.expect)?;
    all_reached(&plan, &request)?;
    if !plan.is_empty() && request.auto_approve.is_asked() {
        let question =
            "Do you want to record these changes in the state? Nothing is written to any device.";
        ui.confirm(question, request.input)?;
    }
    record(session, plan, &lock)
}

/// Takes into the state what a refresh found.
pub(crate) fn record(
    session: &Session<'_>,
    mut plan: Plan,
    lock: &crate::store::Lock,
) -> Result<Exit, Error> {
    if plan.state_differs {
        lock.write(&mut plan.state)?;
    }
    if !plan.is_empty() {
        let what = render::count(plan.changes.len() + plan.moved.len(), "resource");
        session.context.ui.result(&format!(
            "\nRecorded what changed about {what}. Nothing was written to any device."
        ));
    }
    Ok(if plan.unreachable.is_empty() { Exit::Done } else { Exit::Unreachable })
}

/// Refuses to plan and apply in one go where the configuration asks for a saved plan.
fn refuse_unsaved(session: &Session<'_>, request: &Request) -> Result<(), Error> {
    if !session.requires_plan_file {
        return Ok(());
    }
    let Options { destroy, refresh_only, .. } = &request.options;
    let flag = match (destroy, refresh_only) {
        (true, _) => " -destroy",
        (false, true) => " -refresh-only",
        (false, false) => "",
    };
    let message = format!(
        "`{}` is not done without a plan file, as `require_plan_file` in the configuration says",
        request.operation
    );
    Err(Error::new(Kind::Refused, message).hint(format!(
        "save a plan, and apply that:\n  wgform plan{flag} -out=FILE\n  wgform apply FILE"
    )))
}

/// Refuses what the user has to be asked for by a flag. Whether a backend is missing is [looked at](all_reached) after
/// all that refuses a plan: of the two exit codes, the refusal's counts.
pub(crate) fn permit(plan: &Plan, request: &Request) -> Result<(), Error> {
    if let Some(refusal) = session::refusal(plan) {
        return Err(refusal);
    }
    let is_read_only = |id: &&BackendId| plan.views.get(*id).is_some_and(|view| view.read_only);
    let written = plan.steps.iter().filter(|it| !matches!(it.act, PlannedAct::Record));
    let mut written = written.filter_map(|step| step.backend.as_ref());
    if let Some(id) = written.find(is_read_only) {
        let message = format!("backend `{id}` is read-only, and the plan changes something on it");
        return Err(Error::new(Kind::Refused, message)
            .hint("say `-target` or `-exclude` to leave out what lives there")
            .hint("or leave `read_only` out, with a key that may write"));
    }
    if plan.is_empty() { Ok(()) } else { request.auto_approve.check(plan) }
}

/// Refuses a plan in which a backend is missing.
fn all_reached(plan: &Plan, request: &Request) -> Result<(), Error> {
    if plan.unreachable.is_empty() || request.skip_unreachable {
        return Ok(());
    }
    let ids: Vec<_> = plan.unreachable.keys().map(|id| format!("`{id}`")).collect();
    let what = if ids.len() == 1 { "backend" } else { "backends" };
    let message = format!("{what} {} could not be read, so nothing is changed", ids.join(", "));
    Err(Error::new(Kind::Unreachable, message)
        .hint("say `-skip-unreachable` to leave out what lives there and apply the rest"))
}

/// Whether somebody is asked about drift, whatever was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Yes,
    No,
}

/// Refuses to undo drift where nobody can be asked, or where a guard says so.
pub(crate) fn judge_drift(
    session: &Session<'_>,
    plan: &Plan,
    request: &Request,
) -> Result<Asked, Error> {
    if request.heal || !plan.has_drift() {
        return Ok(Asked::No);
    }
    let guard = &session.guard;
    let place = guard.place("on_drift");
    let (why, line) = match guard.on_drift {
        Some(OnDrift::Heal) => return Ok(Asked::No),
        Some(OnDrift::Refuse) => (format!("`on_drift` at {place} refuses that"), true),
        Some(OnDrift::Ask) if request.input == Input::Off => {
            (format!("`on_drift` at {place} wants somebody to be asked, and nobody can be"), true)
        }
        Some(OnDrift::Ask) => return Ok(Asked::Yes),
        None if request.input == Input::Off => ("nobody can be asked".to_owned(), false),
        None => return Ok(Asked::No),
    };
    let message =
        format!("the plan would undo changes that were made outside of wgform, and {why}");
    let refused = Error::new(Kind::Refused, message)
        .hint("say `-heal` to undo them, or put them into the configuration first");
    Err(match line {
        true => {
            refused.hint(format!("or write `on_drift = \"heal\"` at {place}, to undo them always"))
        }
        false => refused,
    })
}

impl Session<'_> {
    /// Says of a plan what an apply of it would be refused for.
    pub(crate) fn say_what_drift_does(&self, plan: &Plan) {
        if plan.has_drift() && self.guard.on_drift == Some(OnDrift::Refuse) {
            let place = self.guard.place("on_drift");
            self.context.ui.warn(&format!(
                "an apply of this would undo changes that were made outside of wgform, which `on_drift` at {place} refuses; \
                 `apply -heal` does it."
            ));
        }
    }
}

fn ask(context: &Context, request: &Request, drift: Asked) -> Result<(), Error> {
    let question = match request.operation {
        "destroy" => "Do you really want to destroy all of this? There is no undo.",
        _ => "Do you want to perform these actions?",
    };
    // Drift that is asked about is asked about whatever was approved.
    let flag = match (drift, request.auto_approve.is_asked()) {
        (Asked::No, _) => "-auto-approve",
        (Asked::Yes, false) => "-heal",
        (Asked::Yes, true) => "-auto-approve -heal",
    };
    let confirmed = context.ui.confirm(question, request.input);
    confirmed.map_err(|it| Error::not_confirmed(&it, flag))
}

fn exit_of(report: &Report) -> Exit {
    let failed = report.steps.iter().any(|it| matches!(it.fate, Fate::Failed(_)));
    match (report.was_stopped && !report.is_complete(), failed, report.did_anything()) {
        (true, ..) => Exit::Interrupted,
        (false, true, true) => Exit::Partial,
        (false, true, false) => Exit::Unreachable,
        (false, false, _) => Exit::Done,
    }
}
