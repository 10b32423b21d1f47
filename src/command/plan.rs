//! `wgform plan`.

use clap::Args;

use crate::command::arguments::{Asking, Scope};

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
    /// Whether to ask.
    #[command(flatten)]
    pub asking: Asking,
}
