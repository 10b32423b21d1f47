//! `wgform validate`.

use clap::Args;

use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session::{self, Needs};
use crate::config::{AllUnknown, Evaluator};
use crate::error::{Error, Exit};
use crate::render::validation::Validation;

/// What `wgform validate` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform validate
  wgform -chdir=site validate
  wgform validate -json")]
pub struct Arguments {
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
    /// Prints one JSON document on stdout, in the shape of Terraform's, for an editor or a check of a merge request
    #[arg(long)]
    pub json: bool,
}

/// Evaluates everything, with nothing known of any device.
///
/// # Errors
/// Everything that is wrong.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Error> {
    let (config, parsed) = session::configuration(context, &arguments.variables)?;
    let evaluator = Evaluator::new(&config, &context.world);
    let mut warnings = session::check(context, &config, &evaluator, parsed, Needs::Linted)?;
    evaluator.backends_to_write().map_err(Error::diagnostics)?;
    warnings.extend(evaluator.checks(&AllUnknown).failed);
    if arguments.json {
        context.ui.result(&Validation::new(&warnings).text());
    } else {
        context.ui.diagnostics(&warnings);
        context.ui.result("The configuration is valid.");
    }
    Ok(Exit::Done)
}
