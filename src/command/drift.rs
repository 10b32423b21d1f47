//! `wgform drift`.

mod from_state;

use std::path::PathBuf;

use clap::Args;

use crate::command::Context;
use crate::command::arguments::{Pace, Selection, Variables};
use crate::command::metrics::{self, Recorder};
use crate::command::reports::Reports;
use crate::command::session::{self, Choice, Needs, Programs, Session};
use crate::drift::Report;
use crate::error::{Error, Exit};
use crate::plan::Options;
use crate::render;
use crate::render::metrics::DRIFT_SUCCESS;

/// What `wgform drift` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform drift
  wgform drift -target=interface.hub
  wgform drift -exclude=peer.laptop
  wgform drift -target=backend.hq
  wgform drift -from-state
  wgform drift -from-state -state=/srv/wg/wgform.state.json
  wgform drift -from-state -run-commands
  wgform drift -metrics-into=/var/lib/prometheus/node-exporter/wgform.prom
  wgform drift -json-into=drift.jsonl -summary-into=drift.json

With -from-state there is neither a configuration nor a variable: what was last
applied is compared with what is there. A password comes from the environment:
WGFORM_BACKEND_HQ_PASSWORD, or _KEY and _USER, for a backend called `hq`. The
program that knows it is in the state, and is run with -run-commands only.

The exit code is 0 without drift and 2 with it; 6 when a backend could not be
read, beside what the others have.")]
pub struct Arguments {
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
    /// Which part.
    #[command(flatten)]
    pub selection: Selection,
    /// Compares with what was last applied, without the configuration and its variables
    #[arg(long, conflicts_with_all = ["var", "var-file"])]
    pub from_state: bool,
    /// The state file for `-from-state`; without it, where the configuration says
    #[arg(long, value_name = "FILE", requires = "from_state", value_hint = clap::ValueHint::FilePath)]
    pub state: Option<PathBuf>,
    /// With `-from-state`, asks the programs that the state names for passwords
    #[arg(long, requires = "from_state")]
    pub run_commands: bool,
    /// Where metrics go.
    #[command(flatten)]
    pub metrics: metrics::Into,
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
    let Arguments {
        variables,
        selection,
        from_state,
        state,
        run_commands,
        metrics,
        pace,
        reports: _,
    } = arguments;
    let mut recorder = Recorder::begin(context, &metrics, "drift", DRIFT_SUCCESS);
    let ended = match from_state {
        true => {
            let programs = if run_commands { Programs::Run } else { Programs::Refused };
            let source = from_state::Source { state, programs };
            from_state::run(context, &mut recorder, source, selection, &pace).await
        }
        false => with_configuration(context, &mut recorder, &variables, selection, &pace).await,
    };
    recorder.end(context, ended)
}

async fn with_configuration(
    context: &Context,
    recorder: &mut Recorder,
    variables: &Variables,
    selection: Selection,
    pace: &Pace,
) -> Result<Exit, Error> {
    let config = session::configuration(context, variables)?;
    let session = Session::open(context, &config, Needs::All)?.at_pace(pace);
    let loaded = session.read()?;
    recorder.see(&session.store, &loaded, context.world.now());
    let state = session::state_of(context, loaded.state);
    let chosen = session.choose(&state, Options::default(), &Choice::of(selection))?;
    let world = session.look(&state, true).await?;
    recorder.see_backends(&world.actual);
    let plan = session.plan(state, loaded.open, &world, chosen)?;
    told(context, recorder, &Report::new(plan, &world.actual))
}

/// Shows a report, and returns how the run ends.
fn told(context: &Context, recorder: &mut Recorder, report: &Report) -> Result<Exit, Error> {
    context.ui.drifted(report);
    context.ui.result(&render::drift::report(report, context.ui.result_paint()));
    recorder.metrics.drift(report);
    if let Some(refusal) = session::refusal(&report.plan) {
        return Err(refusal);
    }
    let differs = if report.has_drift() { Exit::Changes } else { Exit::Done };
    let is_whole = report.plan.unreachable.is_empty();
    Ok(if is_whole { differs } else { differs.or_worse(Exit::Unreachable) })
}
