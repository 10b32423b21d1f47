//! Why the store could not do what was asked, and the way out.

use std::io;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rustix::io::Errno;

use crate::resource::pattern::in_shell;
use crate::seal::SealError;
use crate::state::{JournalError, StateError};
use crate::store::LockInfo;
use crate::store::remote::{RemoteError, UNKNOWN};

/// The store could not do what was asked. The state is never lost: what was there is there.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file could not be read, written, or made.
    #[error("could not {attempt} `{path}`", path = path.display())]
    File {
        /// What was attempted: "write the state file".
        attempt: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The state's directory is not there.
    #[error("could not use the state file `{path}`: the directory `{directory}` does not exist", path = path.display(), directory = directory.display())]
    NoDirectory {
        /// The state file.
        path: PathBuf,
        /// What is not there.
        directory: PathBuf,
    },
    /// The path of the state is something else than a file.
    #[error("could not use the file `{path}`: it is {found}")]
    NotAFile {
        /// The state file, or one beside it.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// The state file is there and cannot be understood.
    #[error("could not read the state file `{path}`")]
    State {
        /// Which.
        path: PathBuf,
        /// The copy of the state before the last write, when it is there.
        backup: Option<PathBuf>,
        /// Why.
        source: StateError,
    },
    /// The state is sealed and cannot be opened, or is not as it was sealed.
    #[error("could not open the state in {place}")]
    Sealed {
        /// Where.
        place: String,
        /// Why.
        source: SealError,
    },
    /// What is to be stored could not be sealed.
    #[error("could not seal the state")]
    Unsealable {
        /// Why.
        source: SealError,
    },
    /// The journal is sealed and cannot be opened.
    #[error("could not open the journal `{path}` of a run that was cut off")]
    SealedJournal {
        /// Which.
        path: PathBuf,
        /// Why.
        source: SealError,
    },
    /// Somebody has put back an old copy of the state.
    #[error(
        "the state in {place} is an old copy: it has serial {serial}, and serial {seen} was seen here"
    )]
    OldCopy {
        /// Where.
        place: String,
        /// The serial that it has.
        serial: u64,
        /// The highest that was seen.
        seen: u64,
    },
    /// The store remembers a newer write than the state that it has.
    #[error(
        "the state in {place} is an old copy: it has serial {serial}, and the store keeps serial {kept} of it"
    )]
    OlderThanKept {
        /// Where.
        place: String,
        /// The serial that it has.
        serial: u64,
        /// The serial of the newest write that the store keeps.
        kept: u64,
    },
    /// The state was sealed, and somebody has put one in its place that is not.
    #[error("the state in {place} is not sealed, and it was when it was seen last")]
    LaidOpen {
        /// Where.
        place: String,
        /// The serial that it has.
        serial: u64,
    },
    /// The journal is there and cannot be understood.
    #[error("could not read the journal `{path}` of a run that was cut off")]
    Journal {
        /// Which.
        path: PathBuf,
        /// Why.
        source: JournalError,
    },
    /// The journal goes with another state.
    #[error(
        "the journal `{path}` does not belong to the state file `{state_path}`: it has another lineage"
    )]
    ForeignJournal {
        /// The journal.
        path: PathBuf,
        /// The state file.
        state_path: PathBuf,
    },
    /// The journal goes with a later version of the state than the one that is there.
    #[error("the journal `{path}` belongs to serial {serial} of the state file `{state_path}`, which {}", has(.found))]
    LaterJournal {
        /// The journal.
        path: PathBuf,
        /// The state file.
        state_path: PathBuf,
        /// The serial that the journal goes with.
        serial: u64,
        /// The serial that the state file has.
        found: Option<u64>,
    },
    /// The state file is not the one from which the state to be written was made.
    #[error(
        "could not write the state file `{path}`: it changed since it was read ({found} instead of {expected})"
    )]
    Changed {
        /// Which.
        path: PathBuf,
        /// What is there now.
        found: String,
        /// What was read.
        expected: String,
    },
    /// A state could not be written at the end of a run, whose journal stays.
    #[error("could not record the end of the run")]
    Unrecorded {
        /// The journal that stays.
        journal: PathBuf,
        /// Why.
        source: Box<Self>,
    },
    /// A store elsewhere did not do what it was asked for.
    #[error("could not {attempt} {place}")]
    Remote {
        /// What was attempted: "read the state from".
        attempt: &'static str,
        /// Where the store is, without credentials.
        place: String,
        /// Why it did not.
        source: RemoteError,
    },
    /// The state is there and cannot be understood.
    #[error("could not read the state in {place}")]
    RemoteState {
        /// Where.
        place: String,
        /// Why.
        source: StateError,
    },
    /// The lock was taken away in the middle of a run.
    #[error("the lock on the state in {place} was lost")]
    LockLost {
        /// Where the store is.
        place: String,
    },
    /// The state could not be written to its store at the end of a run, and is kept in a file.
    #[error("could not write the state to its store, so it is kept in `{path}`", path = path.display())]
    Errored {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<Self>,
    },
    /// Somebody else holds the lock.
    #[error("the state is locked{}", .0.describe())]
    Locked(Box<Held>),
    /// Another run writes to a device, be it for another state.
    #[error("{device} is locked by another run{}", .held.describe())]
    DeviceLocked {
        /// How messages call it.
        device: String,
        /// By whom it is held.
        held: Box<Held>,
    },
    /// The lock to be removed belongs to a process that lives.
    #[error("could not remove the lock: its owner is still running{}", .0.describe())]
    OwnerLives(Box<Held>),
    /// The lock to be removed is another one.
    #[error("could not remove the lock `{asked}`: the state is locked under the id `{}`{}", .held.id(), .held.describe())]
    OtherLock {
        /// The id that was given.
        asked: String,
        /// The lock that is there.
        held: Box<Held>,
    },
    /// The lock to be removed does not say whose it is, and its store removes none that it does not know.
    #[error("could not remove the lock in {place}: the store does not say who holds it")]
    NamelessLock {
        /// Where.
        place: String,
    },
    /// There is no lock to be removed.
    #[error("could not remove the lock `{asked}`: the state is not locked")]
    NotLocked {
        /// The id that was given.
        asked: String,
    },
}

/// A lock that somebody else holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The lock file; empty where there is none.
    pub path: PathBuf,
    /// The store, where the state is elsewhere.
    pub place: Option<String>,
    /// What it says; none when it cannot be read.
    pub info: Option<LockInfo>,
    /// Whether its holder seems dead: it has not said for long that it lives.
    pub is_stale: bool,
    /// When it was looked at.
    pub now: Timestamp,
}

impl Held {
    /// Returns how long it has been held; never less than nothing, also when clocks differ.
    pub fn age(&self) -> Option<SignedDuration> {
        let since = self.info.as_ref()?.since;
        Some(self.now.duration_since(since).max(SignedDuration::ZERO))
    }

    fn id(&self) -> String {
        in_line(self.info.as_ref().map_or(UNKNOWN, |info| &info.id))
    }

    /// Returns the command that takes it away, to be copied as it is.
    fn taking_away(&self) -> String {
        format!("`wgform force-unlock {}`", in_shell(&self.id()))
    }

    /// Says who holds it, in lines that follow the headline.
    pub fn describe(&self) -> String {
        let place = match &self.place {
            Some(place) => format!("store:     {place}"),
            None => format!("file:      {}", self.path.display()),
        };
        let Some(info) = &self.info else {
            return format!("\n  {place} (it does not say by whom)");
        };
        let age = self.age().map(print_age).unwrap_or_default();
        let LockInfo { id, operation, who, host, pid, since, wgform_version } = info;
        let [id, operation, who, host, wgform_version] =
            [id, operation, who, host, wgform_version].map(|it| in_line(it));
        format!(
            "\n  by:        {who} on {host}, process {pid}\n  for:       {operation} (wgform {wgform_version})\n  \
             since:     {since} ({age} ago)\n  id:        {id}\n  {place}"
        )
    }
}

impl StoreError {
    /// Returns what to do, as whole sentences.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::File { source, .. } => file_hint(source).into_iter().collect(),
            Self::NoDirectory { directory, .. } => {
                vec![format!(
                    "Make it with `mkdir -p {}`, or set another `path` in the `state` block.",
                    directory.display()
                )]
            }
            Self::NotAFile { .. } => {
                vec!["Set the `path` of the `state` block to a file, with none but wgform's beside it.".to_owned()]
            }
            // What lies beside a note is older than the state that it speaks of.
            Self::State { source: source @ StateError::Moved { .. }, .. } => {
                vec![source.hint().to_owned()]
            }
            Self::State { backup, source, .. } => {
                let backup = backup.as_ref().map(|path| {
                    format!("The state before the last write is in `{}`.", path.display())
                });
                [Some(source.hint().to_owned()), backup].into_iter().flatten().collect()
            }
            Self::Journal { source: JournalError::Newer { .. }, .. } => {
                vec!["Use that version of wgform or a later one; nothing was changed.".to_owned()]
            }
            Self::Journal { path, .. } => vec![format!(
                "Nothing was changed. Mend the line, or move `{}` away and use `wgform import` for what the run had made.",
                path.display()
            )],
            Self::ForeignJournal { path, .. } => vec![format!(
                "Nothing was changed. Put back the state file with which the run began, or move `{}` away and use `wgform import` for what the run had made.",
                path.display()
            )],
            Self::LaterJournal { path, serial, .. } => vec![format!(
                "Nothing was changed. Put back the state file with serial {serial}, with `wgform state restore {serial}` where it is kept, or move `{}` away and use `wgform import` for what the run had made.",
                path.display()
            )],
            Self::Changed { .. } => {
                vec!["Something other than wgform wrote it. Plan again.".to_owned()]
            }
            Self::Unrecorded { journal, source } => {
                let mut hints = source.hints();
                hints.push(format!(
                    "Nothing is lost: the journal `{}` holds what was done or begun, and the next run folds it in. Do not remove it.",
                    journal.display()
                ));
                hints
            }
            Self::OwnerLives(held) => vec![held.info.as_ref().map_or_else(
                || "Wait until it is done.".to_owned(),
                |info| {
                    format!(
                        "Wait until it is done, or end process {} first; the lock goes with it.",
                        info.pid
                    )
                },
            )],
            Self::OtherLock { held, .. } => {
                vec![format!("If that is the one you mean: {}", held.taking_away())]
            }
            _ => self.hints_of_sealing(),
        }
    }

    /// Returns whether the state is there, and is the trouble: it cannot be understood, or is a note, or is not the one that
    /// was sealed last.
    pub fn is_of_document(&self) -> bool {
        match self {
            Self::State { .. }
            | Self::RemoteState { .. }
            | Self::OldCopy { .. }
            | Self::OlderThanKept { .. }
            | Self::LaidOpen { .. } => true,
            Self::Sealed { source, .. } => source.is_of_document(),
            _ => false,
        }
    }

    /// Returns whether there is a journal of a later state than the one that is there, or of one that is not there.
    pub fn is_of_lost_state(&self) -> bool {
        matches!(self, Self::LaterJournal { .. })
    }

    /// Returns whether the state is sealed for others, so that only they can read it.
    pub fn is_for_others(&self) -> bool {
        matches!(self, Self::Sealed { source, .. } if source.is_of_key())
    }

    /// The same of what is sealed.
    fn hints_of_sealing(&self) -> Vec<String> {
        match self {
            Self::Sealed { source, .. } | Self::Unsealable { source } => {
                vec![source.hint().to_owned()]
            }
            Self::SealedJournal { path, source } => match source.is_of_document() {
                true => vec![format!(
                    "Nothing was changed. Move `{}` away, and use `wgform import` for what the run had made.",
                    path.display()
                )],
                false => vec![source.hint().to_owned()],
            },
            Self::OldCopy { serial, seen, .. }
            | Self::OlderThanKept { serial, kept: seen, .. } => vec![
                format!("Nothing was changed. Find out who put it there, and put serial {seen} back: `wgform state restore {seen}`, where it is kept."),
                format!("If serial {serial} is what you want: `wgform state pull` prints it, and `wgform state push -force FILE` writes it as a new one."),
            ],
            Self::LaidOpen { .. } => vec![
                "Nothing was changed. Find out who put it there. `wgform state restore SERIAL` puts back one that is kept.".to_owned(),
                "If it is meant, write `sealed = false` in `wgform { encryption { … } }` to read and write it in the open; or take it with `wgform state pull`, and write it sealed with `wgform state push -force FILE`.".to_owned(),
            ],
            _ => self.hints_of_afar(),
        }
    }

    /// Returns whether there is only a note, which says where the state is now.
    pub fn is_note(&self) -> bool {
        matches!(
            self,
            Self::State { source: StateError::Moved { .. }, .. }
                | Self::RemoteState { source: StateError::Moved { .. }, .. }
        )
    }

    /// Returns whether the state was written by a later version.
    pub fn is_newer(&self) -> bool {
        matches!(
            self,
            Self::State { source: StateError::Newer { .. }, .. }
                | Self::RemoteState { source: StateError::Newer { .. }, .. }
        )
    }

    /// The same of a lock, and of a store elsewhere.
    fn hints_of_afar(&self) -> Vec<String> {
        match self {
            Self::Locked(held) | Self::DeviceLocked { held, .. } => locked_hints(held),
            Self::Remote { source, .. } => remote_hint(source).into_iter().collect(),
            Self::RemoteState { source: StateError::Moved { .. }, .. } => {
                vec!["Set the `state` block to that place; nothing was changed.".to_owned()]
            }
            Self::RemoteState { source, .. } => match source {
                StateError::Newer { .. } => vec![source.hint().to_owned()],
                _ => vec!["Look at the address of the `state` block, or put back an earlier state with `wgform state restore`; nothing was changed.".to_owned()],
            },
            Self::LockLost { .. } => vec!["Somebody removed it, or it could not be renewed for minutes. Look whether another run is at work before you start the next one.".to_owned()],
            Self::NamelessLock { .. } => vec!["When you know that nobody is at work: remove it by the means of the store itself. Where it keeps the state behind HTTP, that is the request that gives a lock back, or a button on its pages; in PostgreSQL, the end of the session that holds the advisory lock.".to_owned()],
            Self::Errored { path, source } => errored_hints(path, source),
            _ => Vec::new(),
        }
    }
}

fn errored_hints(path: &Path, source: &StoreError) -> Vec<String> {
    let path = path.display();
    if matches!(source, StoreError::Remote { source: RemoteError::Stale, .. }) {
        return vec![
            "Somebody else has written the state while this run went on. Find out who, before anything else is applied.".to_owned(),
            format!("What this run did is in `{path}`, and what they wrote is shown by `wgform state pull`. Look at both, and remove the file, or say `wgform state push -force {path}`."),
        ];
    }
    let mut hints = source.hints();
    hints.push(format!(
        "Nothing is lost: the next apply in this directory puts it into the store, unless somebody writes there before. From elsewhere: `wgform state push {path}`"
    ));
    hints
}

/// Keeps a word of somebody else in its line: whoever may write a lock may write anything into it.
fn in_line(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

fn locked_hints(held: &Held) -> Vec<String> {
    let wait = "Wait until it is done, or give `-lock-timeout=5m` to wait for it.";
    if held.info.is_none() || held.place.is_none() {
        return vec![wait.to_owned()];
    }
    let first = match held.is_stale {
        true => "It seems dead: for five minutes it has not said that it lives.",
        false => wait,
    };
    vec![first.to_owned(), format!("When you know that its run is over: {}", held.taking_away())]
}

fn remote_hint(source: &RemoteError) -> Option<String> {
    let hint = match source {
        RemoteError::Unreachable(_) => "Run the command again when the store answers.",
        RemoteError::Stale => "Plan again: the state is another one now.",
        RemoteError::Refused(_) => {
            "Look at the arguments of the `state` block, and at what its user may do."
        }
        RemoteError::Unconditional => {
            "Use a store that honours conditions on writes, such as the service that the block is named for."
        }
        RemoteError::Locked(_) | RemoteError::LockLost | RemoteError::Unclear(_) => return None,
    };
    Some(hint.to_owned())
}

fn file_hint(source: &io::Error) -> Option<String> {
    let errno = Errno::from_io_error(source);
    let hint = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "Make room on the disk, and run the command again."
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "The file system is read-only. Set a `path` in the `state` block that can be written."
        }
        io::ErrorKind::PermissionDenied => {
            "Run wgform as the user who owns the state file, or set another `path` in the `state` block."
        }
        _ if errno == Some(Errno::IO) => {
            "The disk or the file system is broken: look into the system's log. Then run the command again."
        }
        _ if matches!(errno, Some(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS)) => {
            "The file system gives no locks, as some network file systems do. Set a `path` in the `state` block on one that does."
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn has(found: &Option<u64>) -> String {
    found.map_or_else(|| "is not there".to_owned(), |serial| format!("has serial {serial}"))
}

/// Prints an age in its two largest units: `2h 5m`.
fn print_age(age: SignedDuration) -> String {
    let seconds = age.as_secs();
    match (seconds / 86400, seconds % 86400 / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, s) => format!("{m}m {s}s"),
        (0, h, m, _) => format!("{h}h {m}m"),
        (d, h, _, _) => format!("{d}d {h}h"),
    }
}
