//! `wgform force-unlock`.

use clap::Args;

use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session::{self, Needs, Session};
use crate::error::{Error, Exit};
use crate::ui::Input;

/// What `wgform force-unlock` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform force-unlock 6bd3c1f2-9f0c-4f38-8c0e-1f5c2ce1a0d7
  wgform force-unlock -force 6bd3c1f2-9f0c-4f38-8c0e-1f5c2ce1a0d7

A lock whose process is alive on this host is not taken away.")]
pub struct Arguments {
    /// The lock, as the message says that refused it
    #[arg(value_name = "LOCK_ID")]
    pub id: String,
    /// Does not ask for a yes
    #[arg(long)]
    pub force: bool,
}

/// Removes the lock.
///
/// # Errors
/// When its owner lives, or it is another one.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Error> {
    let config = session::configuration(context, &Variables::default())?;
    let session = Session::open(context, &config, Needs::Settings)?;
    if !arguments.force {
        let question = "Do you really want to take the lock away from whoever has it?";
        let confirmed = context.ui.confirm(question, Input::Allowed);
        confirmed.map_err(|it| Error::not_confirmed(&it, "-force"))?;
    }
    let host = session::host_name();
    let removed = session.store.force_unlock(&arguments.id, &host, context.world.now())?;
    let (who, host) = (session::in_line(&removed.who), session::in_line(&removed.host));
    context.ui.result(&format!("The lock of {who} on {host} is removed."));
    Ok(Exit::Done)
}
