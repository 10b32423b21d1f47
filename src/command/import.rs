//! `wgform import`.

use clap::Args;

use crate::command::arguments::{Lock, Variables};
use crate::resource::Address;

/// What `wgform import` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform import interface.hub wg0
  wgform import peer.laptop wg0/xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=

A plan that finds something it would have to create prints the line to copy.")]
pub struct Arguments {
    /// The resource in the configuration
    pub address: Address,
    /// How it is found on its backend: NAME for an interface, INTERFACE/PUBLIC_KEY for a peer
    pub id: String,
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}
