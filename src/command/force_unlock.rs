//! `wgform force-unlock`.

use clap::Args;

/// What `wgform force-unlock` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform force-unlock 6bd3c1f2-9f0c-4f38-8c0e-1f5c2ce1a0d7

A lock whose process is alive on this host is not taken away.")]
pub struct Arguments {
    /// The lock, as the message says that refused it
    #[arg(value_name = "LOCK_ID")]
    pub id: String,
    /// Does not ask for a yes
    #[arg(long)]
    pub force: bool,
}
