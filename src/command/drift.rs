//! `wgform drift`.

use clap::Args;

use crate::command::Context;
use crate::command::arguments::{Pace, Selection, Variables};
use crate::command::reports::Reports;
use crate::command::session::{self, Choice, Needs, Session};
use crate::error::{Error, Exit};
use crate::plan::Options;
use crate::render;
use crate::render::plan::Purpose;

/// What `wgform drift` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform drift
  wgform drift -target=interface.hub
  wgform drift -exclude=peer.laptop
  wgform drift -target=backend.hq
  wgform drift -json-into=drift.jsonl -summary-into=drift.json

The exit code is 0 without drift and 2 with it.")]
pub struct Arguments {
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
    /// Which part.
    #[command(flatten)]
    pub selection: Selection,
    /// How much is done at once.
    #[command(flatten)]
    pub pace: Pace,
    /// What is reported.
    #[command(flatten)]
    pub reports: Reports,
}

/// Looks, and reports. It is given backends that can only be read.
///
/// # Errors
/// When the configuration or the state makes no sense, or a backend is not the one that it was.
pub async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Error> {
    let Arguments { variables, selection, pace, reports: _ } = arguments;
    let config = session::configuration(context, &variables)?;
    let session = Session::open(context, &config, Needs::All)?.at_pace(&pace);
    let loaded = session.read()?;
    let state = session::state_of(context, loaded.state);
    let chosen = session.choose(&state, Options::default(), &Choice::of(selection))?;
    let world = session.look(&state, true).await?;
    let plan = session.plan(state, loaded.open, &world, chosen)?;
    context.ui.planned(&plan, Purpose::Drift);
    context.ui.result(&render::plan::plan(&plan, Purpose::Drift, context.ui.result_paint()));
    if let Some(refusal) = session::refusal(&plan) {
        return Err(refusal);
    }
    let has_drift = plan.has_drift() || !plan.unmanaged.is_empty();
    let differs = if has_drift { Exit::Changes } else { Exit::Done };
    let is_whole = plan.unreachable.is_empty();
    Ok(if is_whole { differs } else { differs.or_worse(Exit::Unreachable) })
}
