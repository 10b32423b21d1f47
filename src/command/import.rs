//! `wgform import`.

mod all;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::command::Context;
use crate::command::arguments::{Lock, Variables};
use crate::command::session::{self, Needs, Session};
use crate::draft;
use crate::error::{Error, Exit};
use crate::resource::Address;

/// What `wgform import` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform import interface.hub wg0
  wgform import peer.laptop wg0/xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
  wgform import -all backend.branch
  wgform import -all backend.branch -out=branch.wg.hcl -as=map

A plan that finds something it would have to create prints the line to copy.
`-all` only writes: what it has written is taken over by the next apply.")]
pub struct Arguments {
    /// The resource in the configuration
    #[arg(required_unless_present = "all")]
    pub address: Option<Address>,
    /// How it is found on its backend: NAME for an interface, INTERFACE/PUBLIC_KEY for a peer; on a router also its `.id`,
    /// such as `*3`
    #[arg(required_unless_present = "all")]
    pub id: Option<String>,
    /// Writes a configuration of everything on a backend that nobody owns, and changes nothing
    #[arg(long, value_name = "BACKEND", conflicts_with = "address")]
    pub all: Option<String>,
    /// Writes it into this new file, and not to standard output
    #[arg(long, value_name = "FILE", requires = "all", conflicts_with = "address", value_hint = clap::ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    /// Writes peers as `blocks`, one for each, or as a `map` for each interface
    #[arg(long = "as", value_name = "FORM", requires = "all", conflicts_with = "address")]
    pub form: Option<Form>,
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}

/// How the peers of an interface are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// A block for each.
    Blocks,
    /// One map of all, and one block with `for_each`.
    Map,
}

/// Takes an object that is there into the state, as it is; or writes a configuration of all there are.
///
/// # Errors
/// When the configuration does not declare it, it is not there, or it is owned already.
pub async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Error> {
    let Arguments { address, id, all, out, form, variables, lock } = arguments;
    let form = match form {
        Some(Form::Map) => draft::Form::Map,
        Some(Form::Blocks) | None => draft::Form::Blocks,
    };
    match (address, id, all) {
        (Some(address), Some(id), _) => one(context, &variables, &lock, (&address, &id)).await,
        (_, _, all) => {
            let backend = all.unwrap_or_default();
            all::run(context, &variables, &all::Wish { backend, out, form }).await
        }
    }
}

async fn one(
    context: &Context,
    variables: &Variables,
    lock: &Lock,
    (address, id): (&Address, &str),
) -> Result<Exit, Error> {
    let config = session::configuration(context, variables)?;
    let session = Session::open(context, &config, Needs::Settings)?;
    let lock = session.lock("import", lock).await?;
    let loaded = session.read_locked(&lock)?;
    let state = session::state_of(context, loaded.state);
    let world = session.look(&state, true).await?;
    let mut state = session.adopt(state, loaded.open, &world, address, id)?;
    lock.write(&mut state)?;
    context.ui.result(&format!(
        "Imported `{id}` as `{address}`. `wgform plan` shows where the configuration differs."
    ));
    Ok(Exit::Done)
}
