//! The subcommands: one file for each, with its arguments and the pipeline that it runs.
//!
//! Flags are Terraform's where it has one, and are written with one dash or two.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::error::{Error, Exit, Kind};
use crate::ui::Ui;
use crate::world::World;

pub mod plan;
pub mod apply;
pub mod destroy;
pub mod drift;
pub mod validate;
pub mod show;
pub mod output;
pub mod state;
pub mod import;
pub mod force_unlock;
pub mod version;
pub mod arguments;
mod dashes;
mod help;

pub use dashes::has_no_color;

/// Manages WireGuard interfaces and peers as code: shows what differs, and makes it so after a yes.
#[derive(Debug, Parser)]
#[command(
    name = "wgform",
    version,
    disable_version_flag = true,
    after_help = "\
Examples:
  wgform plan
  wgform -chdir=site apply
  wgform help state mv

The exit code is 0 when all is done and nothing differs, 1 for an error in the
configuration or in use, 2 when there are changes or drift, 4 when an apply was
done in part, 5 when the lock is held, 6 when a backend was unreachable or
refused, 7 when what was planned is stale, 8 when a guard refused, and 130 when
interrupted."
)]
pub struct Cli {
    /// Works in another directory, as if wgform had been started there
    #[arg(long = "chdir", value_name = "DIR", global = true)]
    pub directory: Option<PathBuf>,
    /// Writes no colour; the same as a value in the environment's NO_COLOR
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Says more about what is done
    #[arg(short = 'v', global = true)]
    pub verbose: bool,
    /// Prints the version, as `wgform version` does
    #[arg(long, action = clap::ArgAction::Version)]
    version: Option<bool>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A subcommand with its arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows what an apply would do, and changes nothing
    Plan(plan::Arguments),
    /// Shows what differs and makes it so, after a yes
    Apply(apply::Arguments),
    /// Removes everything that wgform owns and nothing else, after a yes
    Destroy(destroy::Arguments),
    /// Reports what was changed outside of wgform, and cannot change anything itself
    Drift(drift::Arguments),
    /// Checks the configuration without asking any backend
    Validate(validate::Arguments),
    /// Shows what wgform owns, as of the last apply
    Show(show::Arguments),
    /// Prints outputs, as of the last apply
    Output(output::Arguments),
    /// Looks at what wgform owns, or changes what it takes for its own
    #[command(subcommand)]
    State(state::Command),
    /// Makes wgform the owner of something that is there already
    Import(import::Arguments),
    /// Takes the lock away from a run that died without giving it back, after a yes
    ForceUnlock(force_unlock::Arguments),
    /// Prints the version of wgform
    Version(version::Arguments),
}

/// What a command line asks for.
#[derive(Debug)]
pub enum Request {
    /// To run a command.
    Run(Box<Cli>),
    /// To read a text, a help page or the version, and how the run ends then.
    Read {
        /// The text.
        text: String,
        /// Done when it was asked for; failed when wgform was started without a command, as Terraform does.
        exit: Exit,
    },
}

/// Reads a command line, the name of the program first.
///
/// # Errors
/// When it makes no sense; the error says what to write instead.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, Error> {
    let arguments = dashes::doubled(arguments);
    let mut command = help::install(Cli::command());
    let parsed = command.try_get_matches_from_mut(&arguments);
    match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => Ok(Request::Run(Box::new(cli))),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp => {
                Ok(Request::Read { text: error.to_string(), exit: Exit::Done })
            }
            ErrorKind::DisplayVersion => {
                Ok(Request::Read { text: version::text(), exit: Exit::Done })
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                Ok(Request::Read { text: error.to_string(), exit: Exit::Failed })
            }
            _ => Err(usage(&error, &help::page_for(&command, &arguments))),
        },
    }
}

/// What a command works with.
#[derive(Clone)]
pub struct Context {
    /// The environment, the directory, the clock.
    pub world: World,
    /// The terminal.
    pub ui: Ui,
}

/// Runs a command.
///
/// # Errors
/// When it fails; the error knows the exit code.
pub async fn run(command: Command, context: &Context) -> Result<Exit, Error> {
    match command {
        Command::Version(arguments) => version::run(&arguments, context),
        Command::Plan(_)
        | Command::Apply(_)
        | Command::Destroy(_)
        | Command::Drift(_)
        | Command::Validate(_)
        | Command::Show(_)
        | Command::Output(_)
        | Command::State(_)
        | Command::Import(_)
        | Command::ForceUnlock(_) => {
            Err(Error::new(Kind::Failed, "this command is not part of this build"))
        }
    }
}

/// Says what is wrong with a command line in our own words and dashes. clap's text is taken apart, because what it knows
/// besides is not enough to say the same for every kind of mistake.
fn usage(error: &clap::Error, page: &str) -> Error {
    let text = dashes::single(&error.render().to_string());
    let mut paragraphs = text.split("\n\n");
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let message: Vec<&str> = message.lines().map(str::trim).collect();
    let mut new = Error::new(Kind::Usage, backticks(&message.join(" ")));
    for line in paragraphs.flat_map(str::lines) {
        let line = line.trim();
        if let Some(tip) = line.strip_prefix("tip: ") {
            new = new.hint(backticks(tip));
        } else if line.starts_with("[possible values:") {
            new = new.hint(line.trim_matches(['[', ']']));
        }
    }
    new.hint(format!("`{page}` says what there is."))
}

/// Puts names between backticks, as in all other messages.
fn backticks(text: &str) -> String {
    let text = text.replace(" '", " `").replace("' ", "` ").replace("':", "`:");
    match text.strip_suffix('\'') {
        Some(text) => format!("{text}`"),
        None => text,
    }
}
