//! Arguments that several commands share.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};

use crate::error::{Error, Kind};
use crate::resource::{BackendId, Pattern};
use crate::ui::Input;
use crate::value::{InvalidValue, Secret, parse_seconds};

/// `-var` and `-var-file`, in the order in which they stand on the command line: the later one wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(pub Vec<VariableSource>);

/// Where values of variables come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariableSource {
    /// `-var NAME=VALUE`. The value is held as a secret, since only the configuration knows whether it is one.
    Assignment {
        /// Which variable.
        name: String,
        /// Its text.
        value: Secret,
    },
    /// `-var-file=FILE`.
    File(PathBuf),
}

const VAR: &str = "var";
const VAR_FILE: &str = "var-file";

impl Args for Variables {
    fn augment_args(command: clap::Command) -> clap::Command {
        let var = Arg::new(VAR)
            .long(VAR)
            .value_name("NAME=VALUE")
            .action(ArgAction::Append)
            .help("Sets a variable; may be given several times");
        let file = Arg::new(VAR_FILE)
            .long(VAR_FILE)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .action(ArgAction::Append)
            .help("Sets variables from a file; the later of -var and -var-file wins");
        command.arg(var).arg(file)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Variables {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut sources: Vec<(usize, VariableSource)> = Vec::new();
        let at = |id| matches.indices_of(id).into_iter().flatten();
        let values = matches.get_many::<String>(VAR).into_iter().flatten();
        for (index, text) in at(VAR).zip(values) {
            sources.push((index, assignment(text)?));
        }
        let files = matches.get_many::<PathBuf>(VAR_FILE).into_iter().flatten();
        for (index, path) in at(VAR_FILE).zip(files) {
            sources.push((index, VariableSource::File(path.clone())));
        }
        sources.sort_by_key(|(index, _)| *index);
        Ok(Self(sources.into_iter().map(|(_, source)| source).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Takes `NAME=VALUE` apart. Neither half is in the error: without the `=`, the whole may be a secret.
fn assignment(text: &str) -> Result<VariableSource, clap::Error> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok(VariableSource::Assignment {
            name: name.trim().to_owned(),
            value: Secret::new(value),
        }),
        _ => Err(clap::Error::raw(
            ErrorKind::ValueValidation,
            "the value of '--var' is not of the form '-var NAME=VALUE'\n",
        )),
    }
}

/// Which part is looked at.
#[derive(Debug, Clone, Default, Args)]
pub struct Selection {
    /// Limits the run to a resource, what it depends on, and the other end of its link; may be given several times
    #[arg(long = "target", value_name = "ADDRESS")]
    pub targets: Vec<Pattern>,
    /// Leaves the other ends of links out of `-target`
    #[arg(long = "target-exact", requires = "targets")]
    pub is_exact: bool,
    /// Leaves out a resource, what depends on it, and the other end of its link; may be given several times
    #[arg(long = "exclude", value_name = "ADDRESS", conflicts_with = "targets")]
    pub excludes: Vec<Pattern>,
}

/// What is looked at, and how.
#[derive(Debug, Clone, Args)]
pub struct Scope {
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
    /// Which part.
    #[command(flatten)]
    pub selection: Selection,
    /// Asks the backends first (the default); with false, takes the state for what is there
    #[arg(long, value_name = "false", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = ArgAction::Set)]
    pub refresh: bool,
}

impl Scope {
    /// Refuses to look only, and not to look.
    pub(crate) fn check_refresh(&self, refresh_only: bool) -> Result<(), Error> {
        if !refresh_only || self.refresh {
            return Ok(());
        }
        Err(Error::new(Kind::Usage, "`-refresh-only` cannot be used with `-refresh=false`")
            .hint("`-refresh-only` asks the backends what they have, and does nothing else."))
    }
}

/// Whether wgform may ask.
#[derive(Debug, Clone, Args)]
pub struct Asking {
    /// Asks for a yes (the default); with false, fails where it would ask
    #[arg(long, value_name = "false", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = ArgAction::Set)]
    pub input: bool,
}

impl Asking {
    /// Returns whether a question may be asked.
    pub fn allowed(&self) -> Input {
        if self.input { Input::Allowed } else { Input::Off }
    }
}

/// How the lock is taken.
#[derive(Debug, Clone, Args)]
pub struct Lock {
    /// Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work
    #[arg(long = "lock", value_name = "false", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = ArgAction::Set)]
    pub is_taken: bool,
    /// Waits this long for a lock that another run holds
    #[arg(long = "lock-timeout", value_name = "DURATION", default_value = "0s",
          value_parser = duration)]
    pub timeout: Duration,
}

/// How much is done at once.
#[derive(Debug, Clone, Args)]
pub struct Pace {
    /// Talks to at most so many backends at once; with 1, to one after another
    #[arg(long, value_name = "N", default_value = "10", value_parser = at_least_one)]
    pub parallelism: NonZeroUsize,
}

impl Pace {
    /// As many backends as are talked to at once where nobody says a number.
    pub const DEFAULT: NonZeroUsize = NonZeroUsize::new(10).expect("10 is not 0");
}

/// What is believed of a backend although a guard is against it.
#[derive(Debug, Clone, Args)]
pub struct Belief {
    /// Takes a backend for the right one although its identity has changed
    #[arg(long = "accept-new-device", value_name = "ID", value_parser = backend)]
    pub new_devices: Vec<BackendId>,
    /// Believes that what is missing on a backend is gone, however much it is
    #[arg(long = "accept-loss", value_name = "ID", value_parser = backend)]
    pub losses: Vec<BackendId>,
}

/// What an apply or a destroy does without being told again.
#[derive(Debug, Clone, Args)]
pub struct Consent {
    /// Does not ask for a yes
    #[arg(long)]
    pub auto_approve: bool,
    /// Leaves out what lives on backends that cannot be reached
    #[arg(long)]
    pub skip_unreachable: bool,
}

fn at_least_one(text: &str) -> Result<NonZeroUsize, InvalidValue> {
    let wrong = || InvalidValue::new("at least one has to be done at a time");
    text.parse().map_err(|_| wrong().hint("write a whole number such as `4`"))
}

pub(crate) fn duration(text: &str) -> Result<Duration, InvalidValue> {
    parse_seconds(text).map(Duration::from_secs)
}

fn backend(text: &str) -> Result<BackendId, Infallible> {
    Ok(BackendId::new(text))
}
