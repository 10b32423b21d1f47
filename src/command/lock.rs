//! `wgform lock`.

use clap::{Args, Subcommand};

use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session::{self, Needs, Session};
use crate::error::{Error, Exit};
use crate::render::printable;
use crate::store::device::key;
use crate::store::remote::RemoteError;
use crate::store::{LockedDevice, StoreError};

/// A subcommand of `wgform lock` with its arguments.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  wgform lock show
  wgform -workspace=lab lock show")]
pub enum Command {
    /// Says who holds the lock of the state, and which devices are locked
    Show(Show),
}

/// What `wgform lock show` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform lock show
  wgform -workspace=lab lock show

A store behind HTTP has no such question: there the lock is taken and given
back, to see whether it is free. It has no locks of devices either.")]
pub struct Show {}

/// Runs a subcommand.
///
/// # Errors
/// When the store cannot be asked.
pub fn run(command: &Command, context: &Context) -> Result<Exit, Error> {
    let Command::Show(Show {}) = command;
    let config = session::configuration(context, &Variables::default())?;
    let session = Session::open(context, &config, Needs::Settings)?;
    let text = match session.store.holder(context.world.now())? {
        None => "The state is not locked.".to_owned(),
        Some(held) => {
            let mut text = format!("The state is locked:{}", held.describe());
            if held.is_stale {
                text += "\nFor five minutes its holder has not said that it lives.";
            }
            text
        }
    };
    context.ui.result(&printable(&text));
    context.ui.result(&printable(&devices(&session)?));
    Ok(Exit::Done)
}

/// Says which devices are locked, by runs with this state or with another one beside it.
fn devices(session: &Session<'_>) -> Result<String, Error> {
    let store = &session.store;
    if !store.holds_devices() {
        return Ok("There are no locks of devices here.".to_owned());
    }
    let locked = match store.locked_devices(session.context.world.now()) {
        Ok(locked) => locked,
        // Who may read the state need not be allowed to look at what lies elsewhere in its store.
        Err(StoreError::Remote { source: RemoteError::Refused(why), .. }) => {
            return Ok(format!("Which devices are locked may not be looked at here: {why}"));
        }
        Err(error) => return Err(error.into()),
    };
    if locked.is_empty() {
        return Ok("No device is locked.".to_owned());
    }
    // The state knows how it calls its devices. It may not be readable, and the locks are there all the same.
    let known = store.read().ok().and_then(|it| it.state).map(|it| it.backends).unwrap_or_default();
    let name = |device: &LockedDevice| {
        let ours = known.iter().find(|(_, record)| key(&record.identity) == device.key);
        match ours {
            Some((id, _)) => format!("The device of backend `{id}` is locked:"),
            None => "A device that this state does not know is locked:".to_owned(),
        }
    };
    let texts = locked.iter().map(|it| {
        let dead = match it.held.is_stale {
            true => "\nFor five minutes its holder has not said that it lives.",
            false => "",
        };
        format!("{}{}{dead}", name(it), it.held.describe())
    });
    Ok(texts.collect::<Vec<_>>().join("\n"))
}
