//! `wgform state`.

mod migrate;
mod stored;

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};

use crate::command::Context;
use crate::command::arguments::{Lock, Variables};
use crate::command::session::{self, Needs, Session};
use crate::config::suggest::suggestion;
use crate::error::{Error, Exit, Kind};
use crate::render;
use crate::resource::{Address, Movable, Move as Statement, Moves, Pattern};
use crate::state::{ObjectKey, ResourceRecord, State};

/// A subcommand of `wgform state` with its arguments.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  wgform state list
  wgform state mv peer.laptop peer.alice_laptop")]
pub enum Command {
    /// Lists the addresses of what wgform owns
    List(List),
    /// Shows resources as they were last written
    Show(Show),
    /// Gives a resource or a module another address, after it was renamed in the configuration
    Mv(Move),
    /// Forgets resources, and leaves them on their devices as they are
    Rm(Remove),
    /// Prints the state as JSON, opened where it is sealed
    Pull(stored::Pull),
    /// Puts a state from a file into the store
    Push(stored::Push),
    /// Lists earlier writes of the state that can be restored
    History(stored::History),
    /// Writes an earlier state once more
    Restore(stored::Restore),
    /// Writes the state once more, sealed for those who are to read it now
    Reseal(stored::Reseal),
    /// Moves the state from another place to the one that the configuration names
    Migrate(migrate::Migrate),
}

/// What `wgform state list` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform state list
  wgform state list peer.laptop peer.phone
  wgform state list 'peer.rw[\"alice-*\"]'
  wgform state list module.site backend.hq
  wgform state list -id=wg0")]
pub struct List {
    /// Lists only these resources, with all their instances
    #[arg(value_name = "ADDRESS")]
    pub addresses: Vec<Pattern>,
    /// Lists only what is found on its device by this: NAME for an interface, INTERFACE/PUBLIC_KEY for a peer
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}

/// What `wgform state show` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform state show interface.hub
  wgform state show 'peer.rw[\"alice\"]'
  wgform state show 'peer.rw[*]'")]
pub struct Show {
    /// The resources, with all their instances
    #[arg(value_name = "ADDRESS", required = true)]
    pub addresses: Vec<Pattern>,
}

/// What `wgform state mv` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform state mv peer.laptop peer.alice_laptop
  wgform state mv -dry-run peer.alice 'peer.rw[\"alice\"]'
  wgform state mv module.branch 'module.site[\"branch\"]'

Without a key on either side, all instances move and keep theirs. A `moved`
block does the same for everybody who uses the configuration, and its plan
shows it.")]
pub struct Move {
    /// The address that it has: a resource or a module
    pub from: Movable,
    /// The address that it gets, of the same kind
    pub to: Movable,
    /// Says what would happen, and changes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}

/// What `wgform state rm` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform state rm peer.laptop
  wgform state rm -dry-run interface.hub peer.laptop
  wgform state rm 'module.site[\"berlin\"]'")]
pub struct Remove {
    /// The resources, with all their instances
    #[arg(value_name = "ADDRESS", required = true)]
    pub addresses: Vec<Pattern>,
    /// Says what would happen, and changes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}

/// Runs a subcommand.
///
/// # Errors
/// When the state cannot be read or written, or there is no such resource.
pub async fn run(command: Command, context: &Context) -> Result<Exit, Error> {
    let config = session::configuration(context, &Variables::default())?;
    let session = Session::open(context, &config, Needs::Settings)?;
    match command {
        Command::List(List { addresses, id }) => list(&session, &addresses, id.as_deref())?,
        Command::Show(Show { addresses }) => show(&session, &addresses)?,
        Command::Pull(stored::Pull {}) => stored::pull(&session)?,
        Command::Push(push) => stored::push(&session, &push).await?,
        Command::History(stored::History {}) => stored::history(&session)?,
        Command::Restore(restore) => stored::restore(&session, &restore).await?,
        Command::Reseal(reseal) => stored::reseal(&session, &reseal).await?,
        Command::Migrate(migrate) => migrate::migrate(&session, &migrate).await?,
        Command::Mv(Move { from, to, dry_run: true, .. }) => {
            let moved = renames(&look(&session)?, &from, &to)?;
            let would =
                |(old, new): (&Address, &Address)| format!("Would move `{old}` to `{new}`.");
            context.ui.result(&lines(moved.iter().map(would)));
        }
        Command::Mv(Move { from, to, lock, .. }) => {
            let mut moved = BTreeMap::new();
            let rename = |state: &mut State| {
                moved = renames(state, &from, &to)?;
                state.rename(&moved);
                Ok(())
            };
            change(&session, "state mv", &lock, rename).await?;
            let done = |(old, new): (&Address, &Address)| format!("Moved `{old}` to `{new}`.");
            context.ui.result(&lines(moved.iter().map(done)));
        }
        Command::Rm(Remove { addresses, dry_run: true, .. }) => {
            let forgotten = take_all(&mut look(&session)?, &addresses)?;
            let would = |it: &Address| {
                format!("Would forget `{it}`. What is on its device would stay there.")
            };
            context.ui.result(&lines(forgotten.iter().map(would)));
        }
        Command::Rm(Remove { addresses, lock, .. }) => {
            let mut forgotten = Vec::new();
            let forget = |state: &mut State| {
                forgotten = take_all(state, &addresses)?;
                Ok(())
            };
            change(&session, "state rm", &lock, forget).await?;
            let done = |it: &Address| format!("Forgot `{it}`. What is on its device stays there.");
            context.ui.result(&lines(forgotten.iter().map(done)));
        }
    }
    Ok(Exit::Done)
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

/// Reads the state for somebody who changes nothing, without the lock.
fn look(session: &Session<'_>) -> Result<State, Error> {
    Ok(session::state_of(session.context, session.read()?.state))
}

fn list(session: &Session<'_>, only: &[Pattern], id: Option<&str>) -> Result<(), Error> {
    let Some(state) = session.read()?.state else { return Ok(()) };
    let named: BTreeSet<Address> = session::owned(&state, only)?.into_iter().collect();
    let is_by_name =
        |address: &Address| only.iter().any(|only| only.is_address() && only.matches(address, []));
    // Of an interface that is known to be gone there is only the key, which is shown to whoever asks for it by name.
    let is_listed = |(address, record): &(&Address, &ResourceRecord)| {
        let is_named = only.is_empty() || named.contains(address);
        let is_meant = is_named && (!record.is_gone || is_by_name(address));
        is_meant && id.is_none_or(|id| found_by(record).as_deref() == Some(id))
    };
    let listed: Vec<_> =
        state.resources.iter().filter(is_listed).map(|(address, _)| address.to_string()).collect();
    if !listed.is_empty() {
        session.context.ui.result(&listed.join("\n"));
    }
    Ok(())
}

/// Returns how an object is found on its device, as `import` takes it.
fn found_by(record: &ResourceRecord) -> Option<String> {
    match &record.object {
        ObjectKey::Interface { name, .. } => Some(name.clone()),
        ObjectKey::Peer { interface, public_key } => Some(format!("{interface}/{public_key}")),
        ObjectKey::PresharedKey {} => None,
    }
}

fn show(session: &Session<'_>, patterns: &[Pattern]) -> Result<(), Error> {
    let state = look(session)?;
    let addresses = session::owned(&state, patterns)?;
    session.context.ui.result(&render::state::resources(&state, &addresses));
    Ok(())
}

async fn change(
    session: &Session<'_>,
    operation: &str,
    lock: &Lock,
    edit: impl FnOnce(&mut State) -> Result<(), Error>,
) -> Result<(), Error> {
    let lock = session.lock(operation, lock).await?;
    let loaded = session.read_locked(&lock)?;
    session::refuse_open(operation, &loaded)?;
    let mut state = session::state_of(session.context, loaded.state);
    edit(&mut state)?;
    lock.write(&mut state)?;
    Ok(())
}

/// Returns the new addresses of what has the old one, by the rules of a `moved` block.
fn renames(
    state: &State,
    from: &Movable,
    to: &Movable,
) -> Result<BTreeMap<Address, Address>, Error> {
    let refused = |message: String| Error::new(Kind::Failed, message);
    if from == to {
        return Err(refused(format!("`{from}` would stay where it is")));
    }
    if from.kind() != to.kind() {
        let message = format!("`{from}` cannot become `{to}`: they are of different kinds");
        return Err(refused(message));
    }
    let statement = Statement { scope: Vec::new(), from: from.clone(), to: to.clone() };
    let moves = Moves::new(vec![statement]);
    let mut renames = BTreeMap::new();
    for address in state.resources.keys() {
        let Ok(moved) = moves.follow(address) else {
            return Err(refused(format!("`{from}` cannot become `{to}`, which is a part of it")));
        };
        renames.extend(moved.map(|moved| (address.clone(), moved.address)));
    }
    if renames.is_empty() {
        return Err(missing(state, from));
    }
    let is_taken = |(_, new): &(&Address, &Address)| {
        state.resources.contains_key(*new) && !renames.contains_key(*new)
    };
    match renames.iter().find(is_taken) {
        None => Ok(renames),
        Some((old, new)) => {
            let message = format!("`{old}` cannot become `{new}`: the state has that one already");
            Err(refused(message)
                .hint(format!("forget it first with `wgform state rm {}`", new.in_shell())))
        }
    }
}

fn take_all(state: &mut State, patterns: &[Pattern]) -> Result<Vec<Address>, Error> {
    let addresses = session::owned(state, patterns)?;
    addresses.iter().for_each(|address| _ = state.resources.remove(address));
    state.release(&addresses.iter().cloned().collect());
    Ok(addresses)
}

fn missing(state: &State, named: &Movable) -> Error {
    let what = if named.resource.is_some() { "resource" } else { "module" };
    let error = Error::new(Kind::Failed, format!("the state has no {what} `{named}`"));
    let known: Vec<String> = state.resources.keys().map(ToString::to_string).collect();
    let error = match suggestion(&named.to_string(), known.iter().map(String::as_str)) {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None => error,
    };
    error.hint("`wgform state list` lists what there is")
}
