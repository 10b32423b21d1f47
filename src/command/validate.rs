//! `wgform validate`.

use clap::Args;

use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session;
use crate::config::{AllUnknown, Evaluator};
use crate::diagnostic::{self, Diagnostic};
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
    let config = session::configuration(context, &arguments.variables)?;
    let evaluator = Evaluator::new(&config, &context.world);
    let mut problems: Vec<Diagnostic> = evaluator.variables();
    problems.extend(evaluator.settings().err().into_iter().flatten());
    problems.extend(evaluator.backends().err().into_iter().flatten());
    for address in config.resources() {
        problems.extend(evaluator.resource(address, &AllUnknown).err().into_iter().flatten());
    }
    problems.extend(evaluator.outputs(&AllUnknown).err().into_iter().flatten());
    if !problems.is_empty() {
        return Err(Error::diagnostics(diagnostic::unique(problems)));
    }
    context.ui.result("The configuration is valid.");
    Ok(Exit::Done)
}
