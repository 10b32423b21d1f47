//! `wgform show`.

use std::path::Path;

use clap::Args;

use crate::command::arguments::Variables;
use crate::command::session::{self, Needs, Session};
use crate::command::{Context, saved};
use crate::error::{Error, Exit, Kind};
use crate::render;
use crate::resource::Pattern;
use crate::store::plan_file;

/// What `wgform show` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform show
  wgform show interface.hub 'peer.rw[\"alice-*\"]'
  wgform show backend.branch
  wgform show tonight.wgplan
  wgform show -json
  wgform show -json tonight.wgplan
  wgform -chdir=site show")]
pub struct Arguments {
    /// Shows only these resources, with all their instances; or a plan that was saved
    #[arg(value_name = "ADDRESS|PLANFILE", value_hint = clap::ValueHint::FilePath)]
    pub subjects: Vec<String>,
    /// Prints one JSON document, in the shape of Terraform's
    #[arg(long)]
    pub json: bool,
}

/// Shows the state, or a saved plan.
///
/// # Errors
/// When it cannot be read, or the state has nothing by one of the names.
pub fn run(Arguments { subjects, json }: &Arguments, context: &Context) -> Result<Exit, Error> {
    let addresses = match addresses(subjects) {
        Ok(addresses) => addresses,
        Err(wrong) => match subjects.as_slice() {
            [file] if plan_file::is_there(&context.world.path(file)) => {
                return saved::show(context, Path::new(file), *json);
            }
            _ => return Err(wrong),
        },
    };
    let config = session::configuration(context, &Variables::default())?;
    let session = Session::open(context, &config, Needs::Settings)?;
    let state = session.read()?.state;
    if *json {
        let part = match &state {
            Some(state) if !addresses.is_empty() => Some(session::owned(state, &addresses)?),
            _ => None,
        };
        let document = render::json::state::state(state.as_ref(), part.as_deref());
        context.ui.result(&document.text());
        return Ok(Exit::Done);
    }
    match state {
        Some(state) if addresses.is_empty() => context.ui.result(&render::state::state(&state)),
        Some(state) => {
            let part = session::owned(&state, &addresses)?;
            context.ui.result(&render::state::part(&state, &part));
        }
        None => context.ui.result("The state is empty: nothing was applied yet."),
    }
    Ok(Exit::Done)
}

fn addresses(subjects: &[String]) -> Result<Vec<Pattern>, Error> {
    let address = |text: &String| {
        text.parse::<Pattern>().map_err(|wrong| {
            let message = format!("`{text}` is neither an address nor a plan file");
            let error = Error::new(Kind::Usage, message).cause(&wrong);
            wrong.get_hint().into_iter().fold(error, Error::hint)
        })
    };
    subjects.iter().map(address).collect()
}
