//! `wgform apply`.

use clap::Args;

use crate::command::arguments::{Asking, Consent, Lock, Scope};
use crate::resource::Address;

/// What `wgform apply` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform apply
  wgform apply -auto-approve -lock-timeout=1m
  wgform apply -allow-new-key=interface.hub")]
pub struct Arguments {
    /// What is applied.
    #[command(flatten)]
    pub scope: Scope,
    /// Destroys everything that wgform owns, as `wgform destroy` does
    #[arg(long)]
    pub destroy: bool,
    /// What it may do.
    #[command(flatten)]
    pub consent: Consent,
    /// Undoes drift although nobody can be asked
    #[arg(long)]
    pub heal: bool,
    /// Lets an interface get a new key, which every one of its peers must then learn
    #[arg(long = "allow-new-key", value_name = "ADDRESS")]
    pub new_keys: Vec<Address>,
    /// Whether to ask.
    #[command(flatten)]
    pub asking: Asking,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}
