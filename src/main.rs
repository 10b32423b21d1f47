//! The program: reads the world once, hands it to the command that the arguments name, and ends with its exit code.

#![expect(
    clippy::disallowed_methods,
    reason = "the world is read here, once, and the process ended"
)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

use mimalloc::MiMalloc;
use wgform::command::reports::HandedOver;
use wgform::command::{self, Cli, Context, Request};
use wgform::error::{Error, Exit, Kind};
use wgform::ui::{Options, Streams, Ui, panics};
use wgform::world::World;

/// A plan of ten thousand peers makes millions of small values, and takes a third less CPU than with glibc's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    panics::install();
    let Ok(streams) = Streams::take() else {
        // Without streams there is nobody to tell.
        return Exit::Failed.into();
    };
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let no_color = command::has_no_color(&arguments);
    let has_json = command::has_json(&arguments);
    let stream = command::stream(&arguments);
    let request = command::parse(arguments);
    let is_verbose = matches!(&request, Ok(Request::Run(cli)) if cli.verbose);
    let compact_warnings = matches!(&request, Ok(Request::Run(cli)) if cli.compact_warnings);
    let (environment, unreadable) = environment();
    let ui = Ui::new(streams, &environment, Options { no_color, is_verbose, compact_warnings });
    report(&ui, &request, stream);
    let outcome = request.and_then(|request| answer(request, environment, unreadable, &ui));
    let exit = outcome.unwrap_or_else(|error| {
        if has_json {
            error.tell(&ui);
            ui.result(&error.validation().text());
        } else {
            error.show(&ui);
        }
        error.exit()
    });
    end(&ui, command::reports::end(&ui, exit)).into()
}

/// Starts what is told to other programs; `stream` is what a command line asks for that makes no sense.
fn report(ui: &Ui, request: &Result<Request, Error>, stream: Option<&'static str>) {
    let (operation, is_stream) = match request {
        Ok(Request::Run(cli)) => match cli.command.stream() {
            Some((operation, is_stream)) => (operation, is_stream),
            None => return,
        },
        Ok(Request::Read { .. }) => return,
        Err(_) => match stream {
            Some(operation) => (operation, true),
            None => return,
        },
    };
    ui.report(Some(operation), is_stream, jiff::Timestamp::now);
}

/// Does what the command line asks for.
fn answer(
    request: Request,
    environment: BTreeMap<String, String>,
    unreadable: Vec<String>,
    ui: &Ui,
) -> Result<Exit, Error> {
    let Cli { directory, workspace, command, .. } = match request {
        Request::Run(cli) => *cli,
        Request::Read { text, exit } => {
            ui.result(&text);
            return Ok(exit);
        }
    };
    if let Some(problem) = unreadable.iter().map(|name| not_text(name)).reduce(Error::and) {
        return Err(problem);
    }
    let mut environment = environment;
    if let Some(workspace) = workspace {
        environment.insert(World::WORKSPACE.to_owned(), workspace);
    }
    let prefix = directory.as_ref().map(|it| it.display().to_string()).unwrap_or_default();
    let world = world(environment, directory)?;
    ui.detail(&format!("in {}", world.directory.display()));
    let context =
        Context { world, ui: ui.clone(), quit, prefix, is_handed_over: HandedOver::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Error::new(Kind::Failed, "could not start the runtime").cause(&error))?;
    // The panic hook has said what there is to say; what is left is an exit code of the contract.
    let outcome =
        catch_unwind(AssertUnwindSafe(|| runtime.block_on(command::run(command, &context))));
    // A call to a device that still hangs must not keep the process from ending.
    runtime.shutdown_background();
    outcome.unwrap_or(Ok(Exit::Failed))
}

/// Ends the process from whatever thread. What an apply has done is in its journal by then.
#[expect(
    clippy::exit,
    reason = "for a second Ctrl-C, when the main thread may hang in a call to a device"
)]
fn quit(exit: Exit) {
    std::process::exit(exit.code().into());
}

/// Ends the output, and turns a result that could not be written into a failure.
fn end(ui: &Ui, exit: Exit) -> Exit {
    let Err(error) = ui.finish() else {
        return exit;
    };
    let error = Error::new(Kind::Failed, "could not write the result").cause(&error);
    error.show(ui);
    exit.or_worse(error.exit())
}

/// Reads the environment, and returns besides which variables of wgform are no text: a value that was given and is passed over
/// would seem to be missing. Others that are not UTF-8 are nothing that wgform could ask for.
fn environment() -> (BTreeMap<String, String>, Vec<String>) {
    let (mut texts, mut unreadable) = (BTreeMap::new(), Vec::new());
    for (name, value) in std::env::vars_os() {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => _ = texts.insert(name, value),
            (name, _) => {
                let name = name.unwrap_or_else(|it| it.to_string_lossy().into_owned());
                unreadable.extend(Some(name).filter(|it| it.starts_with("WGFORM_")));
            }
        }
    }
    unreadable.sort_unstable();
    (texts, unreadable)
}

/// Says so of one. What it holds may be secret.
fn not_text(name: &str) -> Error {
    Error::new(Kind::Failed, format!("the environment variable `{name}` is not UTF-8"))
        .hint("set it to a text in UTF-8, or unset it")
}

/// Puts together what a run may ask of its surroundings.
fn world(
    environment: BTreeMap<String, String>,
    directory: Option<PathBuf>,
) -> Result<World, Error> {
    let here = std::env::current_dir().map_err(|error| {
        Error::new(Kind::Failed, "could not find the working directory").cause(&error)
    })?;
    let directory = match directory {
        None => here,
        Some(directory) if here.join(&directory).is_dir() => here.join(directory),
        Some(directory) => {
            let message = format!("there is no directory `{}`", directory.display());
            return Err(Error::new(Kind::Usage, message).hint("Check the path after `-chdir`."));
        }
    };
    // Asked once before anything starts, so that keys cannot fail to be made in the middle of a run.
    getrandom::fill(&mut [0]).map_err(|error| {
        Error::new(Kind::Failed, "could not get random bytes from the system")
            .because(error.to_string())
    })?;
    let entropy = |bytes: &mut [u8]| {
        getrandom::fill(bytes).expect("the system's random bytes do not run out once they flow");
    };
    Ok(World::new(environment, directory, jiff::Timestamp::now, entropy))
}
