//! `wgform validate`.

use clap::Args;

use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session::{self, Needs};
use crate::error::{Error, Exit};

/// What `wgform validate` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform validate
  wgform -chdir=site validate")]
pub struct Arguments {
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
}

/// Evaluates everything, with nothing known of any device.
///
/// # Errors
/// Everything that is wrong.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Error> {
    session::configuration(context, &arguments.variables, Needs::All)?;
    context.ui.result("The configuration is valid.");
    Ok(Exit::Done)
}
