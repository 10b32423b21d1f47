//! `wgform destroy`.

use clap::Args;

use crate::command::arguments::{Asking, Consent, Lock, Scope};

/// What `wgform destroy` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform destroy
  wgform destroy -target=peer.laptop
  wgform plan -destroy")]
pub struct Arguments {
    /// What is destroyed.
    #[command(flatten)]
    pub scope: Scope,
    /// What it may do.
    #[command(flatten)]
    pub consent: Consent,
    /// Whether to ask.
    #[command(flatten)]
    pub asking: Asking,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}
