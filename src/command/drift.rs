//! `wgform drift`.

use clap::Args;

use crate::command::arguments::Variables;
use crate::resource::Address;

/// What `wgform drift` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform drift
  wgform drift -target=interface.hub

The exit code is 0 without drift and 2 with it.")]
pub struct Arguments {
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
    /// Limits the report to a resource; may be given several times
    #[arg(long = "target", value_name = "ADDRESS")]
    pub targets: Vec<Address>,
}
