//! `wgform show`.

use clap::Args;

use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session::{self, Needs, Session};
use crate::error::{Error, Exit};
use crate::render;
use crate::resource::Pattern;

/// What `wgform show` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform show
  wgform show interface.hub 'peer.rw[\"alice-*\"]'
  wgform show backend.branch
  wgform -chdir=site show")]
pub struct Arguments {
    /// Shows only these resources, with all their instances
    #[arg(value_name = "ADDRESS")]
    pub addresses: Vec<Pattern>,
}

/// Shows the state.
///
/// # Errors
/// When the state cannot be read, or has nothing by one of the names.
pub fn run(Arguments { addresses }: &Arguments, context: &Context) -> Result<Exit, Error> {
    let config = session::configuration(context, &Variables::default())?;
    let session = Session::open(context, &config, Needs::Settings)?;
    match session.read()?.state {
        Some(state) if addresses.is_empty() => context.ui.result(&render::state::state(&state)),
        Some(state) => {
            let part = session::owned(&state, addresses)?;
            context.ui.result(&render::state::part(&state, &part));
        }
        None => context.ui.result("The state is empty: nothing was applied yet."),
    }
    Ok(Exit::Done)
}
