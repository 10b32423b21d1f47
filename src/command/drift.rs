//! `wgform drift`.

use clap::Args;

use crate::command::Context;
use crate::command::arguments::{Pace, Variables};
use crate::command::session::{self, Needs, Session};
use crate::error::{Error, Exit};
use crate::plan::Options;
use crate::render;
use crate::render::plan::Purpose;
use crate::resource::Address;

/// What `wgform drift` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform drift
  wgform drift -target=interface.hub
  wgform drift -exclude=peer.laptop

The exit code is 0 without drift and 2 with it.")]
pub struct Arguments {
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
    /// Limits the report to a resource; may be given several times
    #[arg(long = "target", value_name = "ADDRESS")]
    pub targets: Vec<Address>,
    /// Leaves out a resource, what depends on it, and the other end of its link; may be given several times
    #[arg(long = "exclude", value_name = "ADDRESS", conflicts_with = "targets")]
    pub excludes: Vec<Address>,
    /// How much is done at once.
    #[command(flatten)]
    pub pace: Pace,
}

/// Looks, and reports. It is given backends that can only be read.
///
/// # Errors
/// When the configuration or the state makes no sense, or a backend is not the one that it was.
pub async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Error> {
    let Arguments { variables, targets, excludes, pace } = arguments;
    let config = session::configuration(context, &variables)?;
    let session = Session::open(context, &config, Needs::All)?.at_pace(&pace);
    let loaded = session.read()?;
    let state = session::state_of(context, loaded.state);
    let world = session.look(&state, true).await?;
    let options = Options { targets, excludes, ..Options::default() };
    let plan = session.plan(state, loaded.open, &world, options)?;
    context.ui.result(&render::plan::plan(&plan, Purpose::Drift, context.ui.result_paint()));
    if let Some(refusal) = session::refusal(&plan) {
        return Err(refusal);
    }
    let has_drift = plan.has_drift() || !plan.unmanaged.is_empty();
    let differs = if has_drift { Exit::Changes } else { Exit::Done };
    let is_whole = plan.unreachable.is_empty();
    Ok(if is_whole { differs } else { differs.or_worse(Exit::Unreachable) })
}
