//! `wgform validate`.

use clap::Args;

use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session;
use crate::config::{AllUnknown, Evaluator};
use crate::diagnostic;
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
    let (config, mut problems) = session::parsed(context, &arguments.variables)?;
    let evaluator = Evaluator::new(&config, &context.world);
    let warnings = problems.len();
    problems.extend(evaluator.variables());
    problems.extend(evaluator.settings().err().into_iter().flatten());
    problems.extend(evaluator.backends().err().into_iter().flatten());
    for address in config.resources() {
        problems.extend(evaluator.resource(address, &AllUnknown).err().into_iter().flatten());
    }
    problems.extend(evaluator.outputs(&AllUnknown).err().into_iter().flatten());
    if problems.len() > warnings {
        return Err(Error::diagnostics(diagnostic::unique(problems)));
    }
    if arguments.json {
        context.ui.result(&Validation::new(&problems).text());
    } else {
        context.ui.diagnostics(&problems);
        context.ui.result("The configuration is valid.");
    }
    Ok(Exit::Done)
}
