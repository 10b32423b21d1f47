//! `wgform plan -validate-on-device`: what devices that can be asked would make of a plan.

use std::collections::BTreeMap;

use crate::apply::{Rehearsed, rehearse};
use crate::backend::{BackendError, Read, Verdict};
use crate::command::session::Session;
use crate::diagnostic::{Diagnostic, sentence};
use crate::error::{Error, Kind};
use crate::plan::Plan;
use crate::render::count;
use crate::resource::{Address, BackendId, BackendKind};

/// Asks each firewall that a plan is for, and says what it answers.
///
/// # Errors
/// When one of them would refuse something, or cannot be asked.
pub(crate) async fn validate(
    session: &Session<'_>,
    backends: &BTreeMap<BackendId, Box<dyn Read>>,
    plan: Plan,
) -> Result<(), Error> {
    let kinds: BTreeMap<_, _> = plan.views.iter().map(|(id, it)| (id.clone(), it.kind)).collect();
    let rehearsed = rehearse(plan, &session.evaluator, &session.context.world);
    let mut problems = Vec::new();
    let mut is_any = false;
    for (id, Rehearsed { batch, about, unknown }) in rehearsed {
        // The others have nothing that could be asked.
        let can_be_asked = kinds.get(&id) == Some(&BackendKind::PfSense);
        let Some(backend) = backends.get(&id).filter(|_| can_be_asked) else { continue };
        is_any = true;
        let verdicts = session.context.watched(backend.validate(&batch)).await.map_err(failed)?;
        let (mut taken, mut unchecked) = (0, unknown);
        for (verdict, about) in verdicts.into_iter().zip(about) {
            match verdict {
                Verdict::Taken => taken += 1,
                Verdict::Unchecked(_) => unchecked += 1,
                Verdict::Refused(error) => problems.push(refused(session, about.as_ref(), error)),
            }
        }
        session.context.ui.talk(&format!(
            "Asked backend `{id}`: it would take {}; {unchecked} cannot be asked for before the apply.",
            count(taken, "change")
        ));
    }
    if !is_any {
        session.context.ui.talk("Nothing is planned for a device that can be asked.");
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::diagnostics(problems)),
    }
}

fn refused(session: &Session<'_>, about: Option<&Address>, error: BackendError) -> Diagnostic {
    let BackendError { backend, attempt, reason, hints } = error;
    let label = format!("backend `{backend}` could not {attempt}: {reason}");
    let problem = Diagnostic::error("change that the device would refuse");
    let help = hints.iter().map(|it| sentence(it)).collect::<Vec<_>>().join(" ");
    match about.and_then(|it| session.config.span(it)) {
        Some(span) => problem.label(span, label).help(help),
        None => problem.help(format!("{}. {help}", sentence(&label).trim_end_matches('.'))),
    }
}

fn failed(error: BackendError) -> Error {
    let BackendError { backend, attempt, reason, hints } = error;
    let message = format!("could not {attempt} on backend `{backend}`");
    let error = Error::new(Kind::Failed, message).because(reason);
    hints.into_iter().fold(error, Error::hint)
}
