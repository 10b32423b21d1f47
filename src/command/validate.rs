//! `wgform validate`.

use clap::Args;

use crate::command::arguments::Variables;

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
