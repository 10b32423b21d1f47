//! `wgform show`.

use clap::Args;

/// What `wgform show` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform show")]
pub struct Arguments {}
