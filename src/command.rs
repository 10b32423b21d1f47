//! The subcommands: one file for each, with its arguments and the pipeline that it runs.
//!
//! Flags are Terraform's where it has one, and are written with one dash or two.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::backend::{BackendError, Trace, Write, connect};
use crate::command::reports::HandedOver;
use crate::config::BackendDeclaration;
use crate::error::{Error, Exit, Kind};
use crate::render::printable;
use crate::ui::{Interrupt, Ui};
use crate::world::World;

pub mod plan;
pub mod apply;
pub mod destroy;
pub mod drift;
pub mod validate;
pub mod fmt;
pub mod graph;
pub mod console;
pub mod show;
pub mod output;
pub mod state;
pub mod import;
pub mod backend;
pub mod force_unlock;
pub mod lock;
pub mod hold;
pub mod adopt;
pub mod metrics;
pub mod simulate;
pub mod schema;
pub mod completions;
pub mod man;
pub mod version;
pub mod approval;
pub mod arguments;
pub mod reports;
mod on_device;
mod dashes;
mod help;
mod run;
mod saved;
mod session;
mod usage;
mod watch;

pub use dashes::{has_json, has_no_color, stream};

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

Environment:
  WGFORM_VAR_name         The value of the variable `name`; what files and the
                          command line say of it wins.
  WGFORM_WORKSPACE        The workspace; `-workspace` wins.
  NO_COLOR                Writes no colour, if it has a value.
  CLICOLOR_FORCE          Writes colour also where there is no terminal; 0 is
                          as if it was not set.
  CI                      Keeps every line, and draws none over again.

Exit codes:
  0                       All is done, and nothing differs.
  1                       An error in the configuration or in use, or no yes.
  2                       There are changes or drift.
  3                       `fmt -check` would change a file.
  4                       An apply was done in part.
  5                       The lock is held.
  6                       A backend was unreachable or refused.
  7                       What was planned is stale.
  8                       A guard refused.
  130                     Interrupted; what was done is in the state."
)]
pub struct Cli {
    /// Works in another directory, as if wgform had been started there
    #[arg(long = "chdir", value_name = "DIR", value_hint = clap::ValueHint::DirPath, global = true)]
    pub directory: Option<PathBuf>,
    /// Works in this workspace, which has a state and simulated systems of its own; the same as the environment's
    /// WGFORM_WORKSPACE
    #[arg(long, value_name = "NAME", global = true)]
    pub workspace: Option<String>,
    /// Writes no colour; the same as a value in the environment's NO_COLOR
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Says more about what is done
    #[arg(short = 'v', global = true)]
    pub verbose: bool,
    /// Shows warnings in one line each, where there are no errors
    #[arg(long, global = true)]
    pub compact_warnings: bool,
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
    /// Lays the configuration's files out in the one common way
    Fmt(fmt::Arguments),
    /// Draws what depends on what, or the network, from the configuration alone
    Graph(graph::Arguments),
    /// Evaluates expressions with what the last apply recorded, typed or piped in
    Console(console::Arguments),
    /// Shows what wgform owns, as of the last apply
    Show(show::Arguments),
    /// Prints outputs, as of the last apply
    Output(output::Arguments),
    /// Looks at what wgform owns, or changes what it takes for its own
    #[command(subcommand)]
    State(state::Command),
    /// Makes wgform the owner of something that is there already
    Import(import::Arguments),
    /// Lists backends, or says what each has and lacks
    #[command(subcommand)]
    Backend(backend::Command),
    /// Says who holds the lock of the state
    #[command(subcommand)]
    Lock(lock::Command),
    /// Leaves resources alone for a time, without a change of the configuration
    Hold(hold::Arguments),
    /// Writes what was changed on a device into the configuration, after a yes
    Adopt(adopt::Arguments),
    /// Takes the lock away from a run that died without giving it back, after a yes
    ForceUnlock(force_unlock::Arguments),
    /// Serves a device that is only pretended, for requests by hand and for tests
    #[command(subcommand)]
    Simulate(simulate::Command),
    /// Prints the reference of the language, or a JSON Schema of what wgform reads and writes
    Schema(schema::Arguments),
    /// Prints what makes a shell complete commands and flags
    Completions(completions::Arguments),
    /// Prints the manual page, or writes one for each command
    Man(man::Arguments),
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
            _ => Err(usage::error(&error, &command, &arguments)),
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
    /// Ends the process at once, whatever it is doing.
    pub quit: fn(Exit),
    /// What `-chdir` says: the directory of the configuration as seen from where wgform was started.
    pub prefix: String,
    /// Whether an apply listens for interrupts itself.
    pub is_handed_over: HandedOver,
}

impl Context {
    /// Gets ready to talk to a backend; one that is to be debugged tells the terminal what is asked and answered.
    fn connect(&self, declaration: &BackendDeclaration) -> Result<Box<dyn Write>, BackendError> {
        let ui = self.ui.clone();
        let trace = Trace::new(move |line| ui.talk(&printable(line)));
        connect(declaration, &self.world, &trace)
    }

    /// Starts to listen for Ctrl-C. From here on the first one only asks to stop, and the second ends the process.
    ///
    /// # Errors
    /// When the signals cannot be caught.
    pub fn interrupt(&self) -> Result<Interrupt, Error> {
        let (ui, quit) = (self.ui.clone(), self.quit);
        let listening = Interrupt::listen(&self.ui, move || reports::end_now(&ui, quit));
        self.hand_over();
        listening
            .map_err(|error| Error::new(Kind::Failed, "could not listen for Ctrl-C").cause(&error))
    }
}

/// Runs a command.
///
/// # Errors
/// When it fails; the error knows the exit code.
pub async fn run(command: Command, context: &Context) -> Result<Exit, Error> {
    reports::begin(&command, context)?;
    match command {
        Command::Schema(arguments) => schema::run(&arguments, context),
        Command::Completions(arguments) => completions::run(&arguments, context),
        Command::Man(arguments) => man::run(&arguments, context),
        Command::Version(arguments) => version::run(&arguments, context),
        Command::Plan(arguments) => plan::run(arguments, context).await,
        Command::Apply(arguments) => apply::run(arguments, context).await,
        Command::Destroy(arguments) => destroy::run(arguments, context).await,
        Command::Drift(arguments) => drift::run(arguments, context).await,
        Command::Validate(arguments) => validate::run(&arguments, context),
        Command::Fmt(arguments) => fmt::run(arguments, context),
        Command::Graph(arguments) => graph::run(&arguments, context),
        Command::Console(arguments) => console::run(&arguments, context),
        Command::Show(arguments) => show::run(&arguments, context),
        Command::Output(arguments) => output::run(&arguments, context),
        Command::State(command) => state::run(command, context).await,
        Command::Import(arguments) => import::run(arguments, context).await,
        Command::Backend(command) => backend::run(command, context).await,
        Command::Lock(command) => lock::run(&command, context),
        Command::Hold(arguments) => hold::run(arguments, context).await,
        Command::Adopt(arguments) => adopt::run(arguments, context).await,
        Command::ForceUnlock(arguments) => force_unlock::run(&arguments, context),
        Command::Simulate(command) => simulate::run(command, context).await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::command::approval::Approval;
    use crate::command::arguments::VariableSource;
    use crate::command::{Cli, Command, Request, parse};
    use crate::error::{Exit, Kind};
    use crate::ui::Input;

    fn run(line: &str) -> Cli {
        match parse(line.split(' ').map(Into::into)) {
            Ok(Request::Run(cli)) => *cli,
            other => panic!("`{line}` is not a command but {other:?}"),
        }
    }

    fn refusal(line: &str) -> String {
        let error = parse(line.split(' ').map(Into::into)).unwrap_err();
        assert_eq!((error.kind(), error.exit()), (Kind::Usage, Exit::Failed), "{line}");
        error.to_string()
    }

    #[test]
    fn variables_keep_the_order_of_the_command_line() {
        let Command::Plan(plan) =
            run("wgform plan -var a=1 -var-file=x.hcl -var=b=2=3 --var-file y.hcl -var a=").command
        else {
            panic!("not a plan");
        };
        let shown = plan.scope.variables.0.iter().map(|source| match source {
            VariableSource::Assignment { name, value } => format!("{name}={}", value.expose()),
            VariableSource::File(path) => path.display().to_string(),
        });
        assert_eq!(shown.collect::<Vec<_>>(), ["a=1", "x.hcl", "b=2=3", "y.hcl", "a="]);
    }

    #[test]
    fn values_of_variables_are_in_no_message() {
        let cli = run("wgform plan -var password=hunter22");
        assert!(!format!("{cli:?}").contains("hunter22"));
        assert_eq!(
            refusal("wgform plan -var hunter22"),
            "Error: the value of `-var` is not of the form `-var NAME=VALUE`\n\n  \
             help: `wgform plan -help` says what there is.\n"
        );
    }

    #[test]
    fn switches_are_written_as_in_terraform() {
        let Command::Apply(apply) = run(
            "wgform -chdir=site apply -refresh=false -input=false -auto-approve -lock-timeout=1m -no-color",
        )
        .command
        else {
            panic!("not an apply");
        };
        assert!(!apply.scope.refresh && apply.consent.auto_approve == Approval::All && !apply.heal);
        assert_eq!(apply.asking.allowed(), Input::Off);
        assert_eq!(apply.lock.timeout, Duration::from_secs(60));
        let Command::Apply(apply) =
            run("wgform apply -refresh -target=peer.a -target peer.b").command
        else {
            panic!("not an apply");
        };
        assert!(apply.scope.refresh);
        assert_eq!(apply.asking.allowed(), Input::Allowed);
        assert_eq!(apply.scope.selection.targets.len(), 2);
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in
            ["wgform -chdir=site -no-color -v drift", "wgform drift -v -no-color -chdir site"]
        {
            let cli = run(line);
            assert_eq!(cli.directory.as_deref(), Some("site".as_ref()));
            assert!(cli.no_color && cli.verbose);
        }
    }

    #[test]
    fn the_version_is_printed_without_a_command_too() {
        for line in ["wgform -version", "wgform --version"] {
            let Ok(Request::Read { text, exit: Exit::Done }) =
                parse(line.split(' ').map(Into::into))
            else {
                panic!("{line}");
            };
            assert_eq!(text, format!("wgform {}\n", env!("CARGO_PKG_VERSION")));
        }
    }

    #[test]
    fn mistakes_are_named_with_one_dash_and_a_way_out() {
        for (line, expected) in [
            (
                "wgform plan --traget=peer.a",
                "Error: unexpected argument `-traget` found\n\n  \
                 help: A similar argument exists: `-target`.\n\n  \
                 help: `wgform plan -help` says what there is.\n",
            ),
            (
                "wgform plna",
                "Error: unrecognized subcommand `plna`\n\n  \
                 help: A similar subcommand exists: `plan`.\n\n  \
                 help: `wgform -help` says what there is.\n",
            ),
            (
                "wgform apply -refresh=maybe",
                "Error: invalid value `maybe` for `-refresh`\n\n  \
                 help: Possible values: true, false.\n\n  \
                 help: `wgform apply -help` says what there is.\n",
            ),
            (
                "wgform apply -lock-timeout=soon",
                "Error: invalid value `soon` for `-lock-timeout=DURATION`: `soon` is not a duration\n\n  \
                 help: Write it as `25s`, `1m40s` or `2h`.\n\n  \
                 help: `wgform apply -help` says what there is.\n",
            ),
            (
                "wgform state mv peer.a",
                "Error: the following required arguments were not provided: TO\n\n  \
                 help: `wgform state mv -help` says what there is.\n",
            ),
            (
                "wgform output -raw",
                "Error: the following required arguments were not provided: NAME\n\n  \
                 help: `wgform output -help` says what there is.\n",
            ),
        ] {
            assert_eq!(refusal(line), expected, "{line}");
        }
    }

    #[test]
    fn no_command_line_panics() {
        let words = [
            "-", "--", "-var", "-=", "--=", "-chdir", "state", "help", "mv", "-v", "-vv", "plan",
            "\u{1b}",
        ];
        for a in words {
            for b in words {
                let _ = parse(["wgform", a, b].map(Into::into));
            }
        }
        let _ = parse([]);
    }
}
