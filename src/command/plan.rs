//! `wgform plan`.

use clap::{ArgAction, Args};

use crate::command::arguments::Scope;

/// What `wgform plan` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform plan
  wgform plan -var 'region=eu' -target=interface.hub
  wgform plan -detailed-exitcode")]
pub struct Arguments {
    /// What is planned.
    #[command(flatten)]
    pub scope: Scope,
    /// Plans to destroy everything that wgform owns
    #[arg(long)]
    pub destroy: bool,
    /// Ends with exit code 2 when there are changes
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Never asks, which a plan never does: for scripts that say so to every command
    #[arg(long, value_name = "false", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = ArgAction::Set)]
    pub input: bool,
}
