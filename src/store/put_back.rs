//! A state that is put in the place of one that cannot be read or is not there, and the journal that was left beside that.

use std::path::PathBuf;

use crate::disk;
use crate::state::State;
use crate::state::journal::Recorded;
use crate::store::files::{Files, failed};
use crate::store::{LeftOver, Lock, StoreError, read_journal, read_state};

/// What became of a journal that a run which was cut off had left.
#[derive(Debug, Default)]
pub struct PutBack {
    /// What it said, which is in the state now.
    pub left_over: Option<LeftOver>,
    /// Where it is kept, because it is of another state.
    pub aside: Option<PathBuf>,
}

impl Lock {
    /// Writes a state over whatever is there, as [`Lock::replace`] does. Nobody is at work on it afterwards, and what a run
    /// that was cut off had done or begun is in it.
    ///
    /// # Errors
    /// As [`Lock::replace`], and when a journal that is there cannot be read. The journal stays then.
    pub fn put_back(&self, state: &mut State) -> Result<PutBack, StoreError> {
        let (local, mut done) = (self.local(), PutBack::default());
        let files = local.files();
        let journal = read_journal(files)?;
        let is_foreign = journal.as_ref().is_some_and(|it| it.lineage != state.lineage);
        let fitting = journal.filter(|it| fits(files, it, state));
        state.applying = None;
        if let Some(journal) = fitting {
            done.left_over = Some(LeftOver::of(&journal));
            // So that the journal, should it stay, is known to be in the state.
            let serial = state.serial.max(journal.serial + 1);
            *state = State { serial, ..journal.fold(Some(state.clone())) };
        }
        self.replace(state)?;
        match is_foreign {
            true => done.aside = Some(set_aside(files)?),
            false => local.remove_journal()?,
        }
        Ok(done)
    }
}

/// Returns whether a state does not have in it what a journal says. One with a later serial has, unless it is of the same run,
/// which told a store elsewhere how far it had come.
fn fits(files: &Files, journal: &Recorded, state: &State) -> bool {
    let is_of_same_run = || {
        let copy = read_state(files).ok().flatten().map(|(copy, _)| copy);
        state.applying.is_some() && copy.is_some_and(|copy| copy.applying == state.applying)
    };
    journal.lineage == state.lineage && (state.serial <= journal.serial || is_of_same_run())
}

/// Gives the journal a name under which no run looks for one.
fn set_aside(files: &Files) -> Result<PathBuf, StoreError> {
    let names = (1..u32::MAX).map(|number| {
        let mut name = files.journal.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    });
    let mut free = names.skip_while(|it| it.exists());
    let aside = free.next().unwrap_or_else(|| files.journal.clone());
    disk::rename(&files.journal, &aside)
        .map_err(|source| failed("rename", &files.journal, source))?;
    Ok(aside)
}
