//! `wgform state migrate`: from where the state was to where the configuration says that it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::command::arguments::Lock;
use crate::command::session::{self, Session, place};
use crate::command::state::stored;
use crate::config::{Config, Evaluator};
use crate::diagnostic::{Severity, SourceText};
use crate::error::{Error, Kind};
use crate::source::{self, Sources};
use crate::state::State;
use crate::store::remote::in_workspace;
use crate::store::{self, Store};

/// Where a state is that no configuration speaks of.
const DEFAULT: &str = "wgform.state.json";

/// What `wgform state migrate` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform state migrate
  wgform state migrate -from=old/wgform.state.json
  wgform state migrate -from=old-state.hcl

The new place is that of the `state` block. The old one is a state file, or a
file with the old `wgform { state … { … } }` block, whose name does not end in
`.wg.hcl`. It keeps a note, and refuses from then on.")]
pub struct Migrate {
    /// Where the state was: a state file, or a file with the old block
    #[arg(long, value_name = "FILE", default_value = DEFAULT, value_hint = clap::ValueHint::FilePath)]
    pub from: PathBuf,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}

/// Copies the state, looks that it arrived, and leaves a note in the old place.
pub(super) async fn migrate(session: &Session<'_>, migrate: &Migrate) -> Result<(), Error> {
    let old = old(session, &migrate.from)?;
    let new = &session.store;
    if old.place() == new.place() {
        let message = format!("the state is in {} already", new.place());
        return Err(Error::new(Kind::Failed, message).hint(
            "write the `state` block of the new place first, and name the old one with `-from`",
        ));
    }
    // A try that could not leave its note has written the new place, and so gone above the serial of the old one.
    let unmarked = old.without_marks();
    let old_lock = session.lock_of(&unmarked, "state migrate", &migrate.lock).await?;
    let new_lock = session.lock("state migrate", &migrate.lock).await?;
    let loaded = old_lock.read()?;
    session::refuse_open("state migrate", &loaded)?;
    let Some(mut state) = loaded.state else {
        let message = format!("there is no state in {}", old.place());
        return Err(Error::new(Kind::Failed, message).hint("name the old place with `-from=FILE`"));
    };
    session.check_environment(Some(&state))?;
    let there = match new_lock.read() {
        // The state had been there before, and what is left is the note of an earlier move.
        Err(error) if error.is_note() => None,
        read => read?.state,
    };
    match there {
        // An earlier try came as far as this, and could not leave its note.
        Some(there) if stored::is_same(&there, &state) => state = there,
        Some(there) => return Err(occupied(new, &there)),
        None => {
            // Nothing was written yet, so an old copy is one.
            old.read()?;
            copy(new, &new_lock, &mut state)?;
        }
    }
    old_lock.leave_note(&state, &new.place()).map_err(|error| {
        Error::from(error).hint(format!(
            "the state is in {} now, and {} still has the same one, which would be taken for the state where the configuration names it: run `wgform state migrate` again, which leaves the note",
            new.place(),
            old.place()
        ))
    })?;
    session.context.ui.result(&format!(
        "The state is in {} now, with serial {}. A note in {} says so.",
        new.place(),
        state.serial,
        old.place()
    ));
    Ok(())
}

/// Copies the state to the new place, and looks that it arrived.
fn copy(new: &Store, lock: &store::Lock, state: &mut State) -> Result<(), Error> {
    lock.replace(state)?;
    let arrived = new.document()?.and_then(|bytes| State::from_bytes(&bytes).ok());
    if arrived.as_ref() == Some(&*state) {
        return Ok(());
    }
    let message = format!("what {} has now is not what was written there", new.place());
    Err(Error::new(Kind::Failed, message)
        .hint("the old place is as it was; look at the new one before you go on"))
}

fn occupied(new: &Store, there: &State) -> Error {
    let message = format!(
        "there is a state in {} already, with serial {} of lineage {}",
        new.place(),
        there.serial,
        there.lineage
    );
    Error::new(Kind::Refused, message).hint(
        "look at both; `wgform state push -force FILE` replaces the one that the configuration names",
    )
}

fn old(session: &Session<'_>, from: &Path) -> Result<Store, Error> {
    let context = session.context;
    let world = &context.world;
    if from.extension().is_none_or(|it| it != "hcl") {
        let path = from.to_string_lossy();
        let store = Store::new(world.path(in_workspace(&path, world.workspace())));
        return Ok(place::sealed(context, store, session.store.sealing().clone()));
    }
    let read = source::read(world, &[])?;
    let text = read.reader.read(&from.to_string_lossy()).map_err(|why| {
        Error::new(Kind::Failed, format!("could not read `{}`", from.display())).because(why)
    })?;
    let name = from.to_string_lossy().into_owned();
    let file = Arc::new(SourceText { name, text, secrets: Vec::new() });
    let (config, problems) = Config::parse(Sources { files: vec![file], ..read });
    let is_wrong = problems.iter().any(|it| it.severity == Severity::Error);
    if is_wrong {
        return Err(Error::diagnostics(problems));
    }
    context.ui.diagnostics(&problems);
    let evaluator = Evaluator::new(&config, world);
    let settings = evaluator.settings().map_err(Error::diagnostics)?;
    let store = place::store(context, &settings)?;
    match settings.encryption {
        Some(_) => Ok(store),
        // The old place may have been sealed for whom the new one is.
        None => Ok(place::sealed(context, store, session.store.sealing().clone())),
    }
}
