//! `wgform state`.

use clap::{Args, Subcommand};

use crate::command::arguments::Lock;
use crate::resource::Address;

/// A subcommand of `wgform state` with its arguments.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  wgform state list
  wgform state mv peer.laptop peer.alice_laptop")]
pub enum Command {
    /// Lists the addresses of what wgform owns
    List(List),
    /// Shows one resource as it was last written
    Show(Show),
    /// Gives a resource another address, after it was renamed in the configuration
    Mv(Move),
    /// Forgets a resource, and leaves it on its device as it is
    Rm(Remove),
}

/// What `wgform state list` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform state list
  wgform state list peer.laptop")]
pub struct List {
    /// Lists only this resource, with all its instances
    pub address: Option<Address>,
}

/// What `wgform state show` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform state show interface.hub
  wgform state show 'peer.rw[\"alice\"]'")]
pub struct Show {
    /// The resource
    pub address: Address,
}

/// What `wgform state mv` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform state mv peer.laptop peer.alice_laptop
  wgform state mv peer.alice 'peer.rw[\"alice\"]'")]
pub struct Move {
    /// The address that it has
    pub from: Address,
    /// The address that it gets
    pub to: Address,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}

/// What `wgform state rm` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform state rm peer.laptop")]
pub struct Remove {
    /// The resource
    pub address: Address,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}
