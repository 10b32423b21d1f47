//! `wgform show`.

use clap::Args;

use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session::{self, Needs, Session};
use crate::error::{Error, Exit};
use crate::render;

/// What `wgform show` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform show
  wgform -chdir=site show")]
pub struct Arguments {}

/// Shows the state.
///
/// # Errors
/// When the state cannot be read.
pub fn run(Arguments {}: &Arguments, context: &Context) -> Result<Exit, Error> {
    let config = session::configuration(context, &Variables::default())?;
    let session = Session::open(context, &config, Needs::Settings)?;
    match session.read()?.state {
        Some(state) => context.ui.result(&render::state::state(&state)),
        None => context.ui.result("The state is empty: nothing was applied yet."),
    }
    Ok(Exit::Done)
}
