//! `wgform validate`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session::{self, Needs, place};
use crate::config::{AllUnknown, Evaluator};
use crate::error::{Error, Exit};
use crate::plan;
use crate::render::validation::Validation;

/// What `wgform validate` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform validate
  wgform -chdir=site validate
  wgform validate -json
  wgform validate -codequality-into=gl-code-quality-report.json")]
pub struct Arguments {
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
    /// Prints one JSON document on stdout, in the shape of Terraform's, for an editor or a check of a merge request
    #[arg(long)]
    pub json: bool,
    /// Writes what is wrong to a file, in the form that GitLab shows beside the lines of a merge request
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub codequality_into: Option<PathBuf>,
}

/// Evaluates everything, with nothing known of any device.
///
/// # Errors
/// Everything that is wrong.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Error> {
    let (config, parsed) = session::configuration(context, &arguments.variables)?;
    let evaluator = Evaluator::new(&config, &context.world);
    let warnings = session::check(context, &config, &evaluator, parsed, Needs::Linted)?;
    evaluator.backends_to_write().map_err(Error::diagnostics)?;
    let settings = evaluator.settings().map_err(Error::diagnostics)?;
    let wrong = settings.encryption.as_ref().map(place::encryption_problems).unwrap_or_default();
    if !wrong.is_empty() {
        return Err(Error::diagnostics(wrong));
    }
    let unprotected = plan::protects_nothing(&settings.guard, evaluator.resources());
    let warnings = [warnings, unprotected, evaluator.checks(&AllUnknown).failed].concat();
    if arguments.json {
        context.ui.tell_diagnostics(&warnings);
        context.ui.result(&Validation::new(&warnings).text());
    } else {
        context.ui.diagnostics(&warnings);
        context.ui.result("The configuration is valid.");
    }
    Ok(Exit::Done)
}
