//! The state as a whole: printed, replaced, looked up in the past, and put back.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;

use crate::command::arguments::Lock;
use crate::command::session::{self, Session};
use crate::error::{Error, Kind};
use crate::seal::Writes;
use crate::state::State;
use crate::store::{self, LeftOver, Loaded, PutBack};

/// What `wgform state pull` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform state pull
  wgform state pull > copy.json")]
pub struct Pull {}

/// What `wgform state push` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform state push errored.wgform.json
  wgform state push -force copy.json

A state of another lineage, or with a serial that is not above the stored one,
is refused without -force. What is pushed gets a serial of its own.")]
pub struct Push {
    /// A file that holds a state
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// Replaces the state also by an older one, or by another
    #[arg(long)]
    pub force: bool,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}

/// What `wgform state reseal` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform state reseal
  wgform state reseal -lock-timeout=1m

For after a change of the `encryption` block: the state is written once more,
with the next serial. Copies of earlier writes stay as they are.")]
pub struct Reseal {
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}

/// What `wgform state history` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform state history
  wgform -workspace=lab state history

Of a state file, the last ten writes are kept under `.wgform/history/`. What a
store elsewhere keeps is its own affair.")]
pub struct History {}

/// What `wgform state restore` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform state history
  wgform state restore 41

The state of that serial is written once more, with the next serial; nothing is
written to any device. A plan then shows what differs.")]
pub struct Restore {
    /// The serial, as `wgform state history` lists it
    #[arg(value_name = "SERIAL")]
    pub serial: u64,
    /// The lock.
    #[command(flatten)]
    pub lock: Lock,
}

/// Prints the document, opened where it is sealed.
pub(super) fn pull(session: &Session<'_>) -> Result<(), Error> {
    let Some(bytes) = session.store.document()? else {
        return Err(
            Error::new(Kind::Failed, "there is no state yet").hint("the first apply makes one")
        );
    };
    session.context.ui.result(String::from_utf8_lossy(&bytes).trim_end());
    Ok(())
}

/// Puts a state into the store.
pub(super) async fn push(session: &Session<'_>, push: &Push) -> Result<(), Error> {
    let path = session.context.world.path(&push.file);
    let shown = push.file.display();
    let bytes = store::file(&path)?.ok_or_else(|| {
        Error::new(Kind::Failed, format!("could not read `{shown}`: there is no such file"))
    })?;
    let opened = session.store.sealing().open(&bytes).map_err(|why| {
        Error::new(Kind::Failed, format!("could not push `{shown}`"))
            .because(why.to_string())
            .hint(why.hint())
    })?;
    let mut state = State::from_bytes(&opened).map_err(|error| {
        Error::new(Kind::Failed, format!("could not push `{shown}`")).cause(&error)
    })?;
    session.check_environment(Some(&state))?;
    let lock = session.lock("state push", &push.lock).await?;
    let loaded = match lock.read() {
        Err(error)
            if push.force
                && (error.is_of_document()
                    || error.is_for_others()
                    || error.is_of_lost_state()) =>
        {
            Loaded::default()
        }
        read => read?,
    };
    if let Some(stored) = &loaded.state {
        if is_same(stored, &state) {
            session.context.ui.result("The store has this state already.");
            return Ok(());
        }
        if !push.force {
            permit(stored, &state)?;
            if forgets(&loaded, stored, &state) {
                session::refuse_open("state push", &loaded)?;
            }
        }
    }
    // What it had begun whose copy it was is looked up by the next apply.
    say_put_back(session, &lock.put_back(&mut state)?);
    session
        .context
        .ui
        .result(&format!("The state in `{shown}` is stored, with serial {}.", state.serial));
    Ok(())
}

/// Says what became of a journal that was left beside what was replaced.
fn say_put_back(session: &Session<'_>, PutBack { left_over, aside }: &PutBack) {
    let ui = &session.context.ui;
    if let Some(LeftOver { began_at, done, unknown, .. }) = left_over {
        ui.warn(&format!(
            "an apply that began at {began_at} was cut off: {done} of its steps were done and are in the state now, and {unknown} are looked up by the next apply."
        ));
    }
    if let Some(aside) = aside {
        ui.warn(&format!(
            "an apply to another state was cut off here, and what it did is not in this one: its journal is in `{}` now. Import what it had made, or put it back beside its own state.",
            aside.display()
        ));
    }
}

/// Returns whether two states say the same, whatever the number of the write.
pub(super) fn is_same(one: &State, other: &State) -> bool {
    State { serial: 0, ..one.clone() } == State { serial: 0, ..other.clone() }
}

/// Returns whether a pushed state leaves out what a run that was cut off had begun. What such a run kept itself follows on
/// what it had stored, and has the ends of its steps in it.
fn forgets(loaded: &Loaded, stored: &State, pushed: &State) -> bool {
    let is_next = pushed.lineage == stored.lineage && pushed.serial == stored.serial + 1;
    let known: BTreeSet<String> = pushed.in_flight.iter().map(ToString::to_string).collect();
    !is_next && loaded.open.iter().any(|it| !known.contains(&it.to_json().to_string()))
}

fn permit(stored: &State, pushed: &State) -> Result<(), Error> {
    let refused = |message: String| {
        Error::new(Kind::Refused, message)
            .hint("look at both; `-force` replaces what is stored all the same")
    };
    if stored.lineage != pushed.lineage {
        return Err(refused(format!(
            "this is another state: its lineage is {}, and that of the stored one {}",
            pushed.lineage, stored.lineage
        )));
    }
    if pushed.serial <= stored.serial {
        return Err(refused(format!(
            "the stored state is newer: it has serial {}, and this one {}",
            stored.serial, pushed.serial
        )));
    }
    Ok(())
}

/// Writes the state once more, for those who are to read it now.
pub(super) async fn reseal(session: &Session<'_>, reseal: &Reseal) -> Result<(), Error> {
    let writes = session.store.sealing().writes();
    if *writes == Writes::Unsaid {
        let message = "nothing says for whom the state is to be sealed";
        return Err(Error::new(Kind::Failed, message).hint(
            "write `wgform { encryption { age_recipients = [\"age1…\"] } }`, or give `WGFORM_AGE_RECIPIENTS` or `WGFORM_PASSPHRASE`",
        ));
    }
    let lock = session.lock("state reseal", &reseal.lock).await?;
    let loaded = session.read_locked(&lock)?;
    session::refuse_open("state reseal", &loaded)?;
    let Some(mut state) = loaded.state else {
        return Err(Error::new(Kind::Failed, "there is no state yet")
            .hint("the first apply makes one, and seals it"));
    };
    lock.write(&mut state)?;
    let how = match writes {
        Writes::Plain => "stored in the open",
        _ => "sealed anew",
    };
    session.context.ui.result(&format!(
        "The state is {how}, with serial {}. It can be read by {}.\n\nOlder copies, such as the backup and what `wgform state history` lists, can still be read by whoever could read them.",
        state.serial,
        writes.readers()
    ));
    Ok(())
}

/// Lists what can be restored.
pub(super) fn history(session: &Session<'_>) -> Result<(), Error> {
    let all = session.store.history()?.ok_or_else(|| no_history(session))?;
    let lines = all.into_iter().map(|it| match it.written_at {
        Some(at) => format!("{:>6}  {at:.0}", it.serial),
        None => format!("{:>6}", it.serial),
    });
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        session.context.ui.result(&lines.join("\n"));
    }
    Ok(())
}

fn no_history(session: &Session<'_>) -> Error {
    let message = format!("{} keeps no history that wgform can read", session.store.place());
    Error::new(Kind::Failed, message)
        .hint("what the store keeps by itself can be put back with `wgform state push -force FILE`")
}

/// Puts an earlier state back, as a new write.
pub(super) async fn restore(session: &Session<'_>, restore: &Restore) -> Result<(), Error> {
    let serial = restore.serial;
    let lock = session.lock("state restore", &restore.lock).await?;
    let loaded = match lock.read() {
        // What cannot be understood is what is to be replaced.
        Err(error) if error.is_of_document() && !error.is_note() && !error.is_newer() => {
            Loaded::default()
        }
        Err(error) if error.is_of_lost_state() => Loaded::default(),
        read => read?,
    };
    session.check_environment(loaded.state.as_ref())?;
    session::refuse_open("state restore", &loaded)?;
    if session.store.history()?.is_none() {
        return Err(no_history(session));
    }
    let bytes = session.store.past(serial)?.ok_or_else(|| {
        Error::new(Kind::Failed, format!("the state with serial {serial} is not kept"))
            .hint("`wgform state history` lists what is")
    })?;
    let mut state = State::from_bytes(&bytes).map_err(|error| {
        Error::new(Kind::Failed, format!("could not restore serial {serial}")).cause(&error)
    })?;
    session.check_environment(Some(&state))?;
    if let Some(stored) = &loaded.state {
        if stored.lineage != state.lineage {
            let message = format!("serial {serial} is of another state, with another lineage");
            return Err(Error::new(Kind::Refused, message));
        }
        state.serial = stored.serial;
    }
    // What was under way at that time has long come to its end, unless a journal says otherwise.
    state.in_flight.clear();
    say_put_back(session, &lock.put_back(&mut state)?);
    session.context.ui.result(&format!(
        "The state of serial {serial} is stored again, with serial {}. `wgform plan` shows what differs.",
        state.serial
    ));
    Ok(())
}
