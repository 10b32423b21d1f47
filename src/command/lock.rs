//! `wgform lock`.

use clap::{Args, Subcommand};

use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session::{self, Needs, Session};
use crate::error::{Error, Exit};

/// A subcommand of `wgform lock` with its arguments.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  wgform lock show
  wgform -workspace=lab lock show")]
pub enum Command {
    /// Says who holds the lock of the state
    Show(Show),
}

/// What `wgform lock show` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform lock show
  wgform -workspace=lab lock show

A store behind HTTP has no such question: there the lock is taken and given
back, to see whether it is free.")]
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
    context.ui.result(&text);
    Ok(Exit::Done)
}
