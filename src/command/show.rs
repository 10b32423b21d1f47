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
  wgform show -json
  wgform -chdir=site show")]
pub struct Arguments {
    /// Shows only these resources, with all their instances
    #[arg(value_name = "ADDRESS")]
    pub addresses: Vec<Pattern>,
    /// Prints one JSON document, in the shape of Terraform's
    #[arg(long)]
    pub json: bool,
}

/// Shows the state.
///
/// # Errors
/// When the state cannot be read, or has nothing by one of the names.
pub fn run(Arguments { addresses, json }: &Arguments, context: &Context) -> Result<Exit, Error> {
    let config = session::configuration(context, &Variables::default())?;
    let session = Session::open(context, &config, Needs::Settings)?;
    let state = session.read()?.state;
    if *json {
        let part = match &state {
            Some(state) if !addresses.is_empty() => Some(session::owned(state, addresses)?),
            _ => None,
        };
        let document = render::json::state::state(state.as_ref(), part.as_deref());
        context.ui.result(&document.text());
        return Ok(Exit::Done);
    }
    match state {
        Some(state) if addresses.is_empty() => context.ui.result(&render::state::state(&state)),
        Some(state) => {
            let part = session::owned(&state, addresses)?;
            context.ui.result(&render::state::part(&state, &part));
        }
        None => context.ui.result("The state is empty: nothing was applied yet."),
    }
    Ok(Exit::Done)
}
