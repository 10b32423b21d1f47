//! `wgform version`.

use clap::Args;

use crate::command::Context;
use crate::error::{Error, Exit};

/// What `wgform version` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform version
  wgform version -v")]
pub struct Arguments {}

/// Prints it.
///
/// # Errors
/// Never.
pub fn run(Arguments {}: &Arguments, context: &Context) -> Result<Exit, Error> {
    context.ui.result(&text());
    context.ui.detail(&format!("state format {}", crate::state::FORMAT));
    Ok(Exit::Done)
}

/// Returns the version, as a line.
pub(crate) fn text() -> String {
    format!("wgform {}\n", env!("CARGO_PKG_VERSION"))
}
