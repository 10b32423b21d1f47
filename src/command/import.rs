//! `wgform import`.

use clap::Args;

use crate::command::Context;
use crate::command::arguments::{Lock, Variables};
use crate::command::session::{self, Needs, Session};
use crate::error::{Error, Exit};
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
    /// How it is found on its backend: NAME for an interface, INTERFACE/PUBLIC_KEY for a peer; on a router also its `.id`,
    /// such as `*3`
    pub id: String,
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}

/// Takes an object that is there into the state, as it is.
///
/// # Errors
/// When the configuration does not declare it, it is not there, or it is owned already.
pub async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Error> {
    let Arguments { address, id, variables, lock } = arguments;
    let config = session::configuration(context, &variables)?;
    let session = Session::open(context, &config, Needs::Settings)?;
    let lock = session.lock("import", &lock).await?;
    let loaded = session.read_locked(&lock)?;
    let state = session::state_of(context, loaded.state);
    let world = session.look(&state, true).await?;
    let mut state = session.adopt(state, loaded.open, &world, &address, &id)?;
    lock.write(&mut state)?;
    context.ui.result(&format!(
        "Imported `{id}` as `{address}`. `wgform plan` shows where the configuration differs."
    ));
    Ok(Exit::Done)
}
