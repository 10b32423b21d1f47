//! `wgform state`.

use clap::{Args, Subcommand};

use crate::command::Context;
use crate::command::arguments::{Lock, Variables};
use crate::command::session::{self, Needs, Session};
use crate::error::{Error, Exit, Kind};
use crate::render;
use crate::resource::Address;
use crate::state::{ResourceRecord, State};

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
  wgform state rm peer.laptop
  wgform state rm 'peer.rw[\"alice\"]'")]
pub struct Remove {
    /// The resource
    pub address: Address,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}

/// Runs a subcommand.
///
/// # Errors
/// When the state cannot be read or written, or there is no such resource.
pub async fn run(command: Command, context: &Context) -> Result<Exit, Error> {
    let config = session::configuration(context, &Variables::default(), Needs::Settings)?;
    let session = Session::open(context, &config)?;
    match command {
        Command::List(List { address }) => list(&session, address.as_ref())?,
        Command::Show(Show { address }) => show(&session, &address)?,
        Command::Mv(Move { from, to, lock }) => {
            change(&session, "state mv", &lock, |state| move_record(state, &from, &to)).await?;
            context.ui.result(&format!("Moved `{from}` to `{to}`."));
        }
        Command::Rm(Remove { address, lock }) => {
            change(&session, "state rm", &lock, |state| take(state, &address).map(drop)).await?;
            context.ui.result(&format!("Forgot `{address}`. It is still on its device."));
        }
    }
    Ok(Exit::Done)
}

fn list(session: &Session<'_>, only: Option<&Address>) -> Result<(), Error> {
    let Some(state) = session.read()?.state else { return Ok(()) };
    let is_listed = |it: &&Address| {
        only.is_none_or(|only| {
            let is_instance = only.key.is_none() || only.key == it.key;
            only.module == it.module
                && only.kind == it.kind
                && only.label == it.label
                && is_instance
        })
    };
    let listed: Vec<_> =
        state.resources.keys().filter(is_listed).map(ToString::to_string).collect();
    if let (Some(only), true) = (only, listed.is_empty()) {
        return Err(missing(only));
    }
    if !listed.is_empty() {
        session.context.ui.result(&listed.join("\n"));
    }
    Ok(())
}

fn show(session: &Session<'_>, address: &Address) -> Result<(), Error> {
    let state = session.read()?.state;
    let record = state.as_ref().and_then(|state| state.resources.get(address));
    let record = record.ok_or_else(|| missing(address))?;
    session.context.ui.result(&render::state::resource(address, record));
    Ok(())
}

async fn change(
    session: &Session<'_>,
    operation: &str,
    lock: &Lock,
    edit: impl FnOnce(&mut State) -> Result<(), Error>,
) -> Result<(), Error> {
    let lock = session.lock(operation, lock.timeout).await?;
    let loaded = session.read_locked(&lock)?;
    let mut state = session::state_of(session.context, &loaded);
    if !loaded.open.is_empty() {
        let message = format!(
            "could not do `{operation}`: {} of an apply that was cut off are still to be looked up",
            render::count(loaded.open.len(), "step")
        );
        return Err(
            Error::new(Kind::Failed, message).hint("run `wgform apply` first, which looks them up")
        );
    }
    edit(&mut state)?;
    lock.write(&mut state)?;
    Ok(())
}

fn move_record(state: &mut State, from: &Address, to: &Address) -> Result<(), Error> {
    if from.kind != to.kind {
        let message = format!("`{from}` cannot become `{to}`: they are of different kinds");
        return Err(Error::new(Kind::Failed, message));
    }
    if state.resources.contains_key(to) {
        let message = format!("the state has a resource `{to}` already");
        return Err(Error::new(Kind::Failed, message)
            .hint(format!("forget it first with `wgform state rm {to}`")));
    }
    let record = take(state, from)?;
    for other in state.resources.values_mut() {
        if other.dependencies.remove(from) {
            other.dependencies.insert(to.clone());
        }
        for value in other.attributes.values_mut().filter(|it| *it == &from.to_string()) {
            *value = to.to_string().into();
        }
    }
    state.resources.insert(to.clone(), record);
    Ok(())
}

fn take(state: &mut State, address: &Address) -> Result<ResourceRecord, Error> {
    state.resources.remove(address).ok_or_else(|| missing(address))
}

fn missing(address: &Address) -> Error {
    Error::new(Kind::Failed, format!("the state has no resource `{address}`"))
        .hint("`wgform state list` lists what there is")
}
