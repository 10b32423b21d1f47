//! `wgform backend`.

use clap::{Args, Subcommand};
use futures_util::{StreamExt, stream};

use crate::actual::Examination;
use crate::backend::{BackendError, Read, Write};
use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session::{self, Needs, Session};
use crate::config::BackendDeclaration;
use crate::config::suggest::suggestion;
use crate::error::{Error, Exit, Kind};
use crate::render;
use crate::resource::BackendId;

/// A subcommand of `wgform backend` with its arguments.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  wgform backend list
  wgform backend test hq")]
pub enum Command {
    /// Lists the backends that are declared, and those that only the state knows
    List(List),
    /// Contacts backends, and says what each has for the work and what it lacks; changes nothing
    Test(Test),
}

/// What `wgform backend list` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform backend list
  wgform -chdir=site backend list")]
pub struct List {
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
}

/// What `wgform backend test` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform backend test
  wgform backend test hq branch

The exit code is 6 when one of them cannot be reached, or lacks what an apply
needs.")]
pub struct Test {
    /// Tests only these backends
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
}

/// Runs a subcommand.
///
/// # Errors
/// When the configuration or the state cannot be read, or there is no such backend.
pub async fn run(command: Command, context: &Context) -> Result<Exit, Error> {
    match command {
        Command::List(List { variables }) => list(context, &variables),
        Command::Test(Test { ids, variables }) => test(context, &variables, &ids).await,
    }
}

fn list(context: &Context, variables: &Variables) -> Result<Exit, Error> {
    let config = session::configuration(context, variables)?;
    let session = Session::open(context, &config, Needs::Settings)?;
    let state = session::state_of(context, session.read()?.state);
    let declarations = session.every_declaration(&state)?;
    let listed: Vec<_> = declarations.values().map(|it| (it, session.declares(&it.id))).collect();
    context.ui.result(render::backend::list(&listed).trim_end());
    Ok(Exit::Done)
}

async fn test(context: &Context, variables: &Variables, ids: &[String]) -> Result<Exit, Error> {
    let config = session::configuration(context, variables)?;
    let session = Session::open(context, &config, Needs::Settings)?;
    let state = session::state_of(context, session.read()?.state);
    let mut declarations = session.every_declaration(&state)?;
    for id in ids {
        let id = BackendId::new(id.as_str());
        if !declarations.contains_key(&id) {
            return Err(unknown(&id, declarations.keys()));
        }
    }
    declarations.retain(|id, _| ids.is_empty() || ids.iter().any(|it| it == id.as_str()));
    let answers = stream::iter(declarations.values())
        .map(async |declaration| (declaration, examine(context, declaration).await))
        .buffered(session.at_once.get())
        .collect::<Vec<_>>();
    let mut exit = Exit::Done;
    let mut shown = Vec::new();
    for (declaration, answer) in context.watched(answers).await {
        let is_fit = answer.as_ref().is_ok_and(Examination::is_fit);
        exit = if is_fit { exit } else { Exit::Unreachable };
        shown.push(render::backend::examined(declaration, &answer, context.ui.result_paint()));
    }
    context.ui.result(shown.join("\n").trim_end());
    Ok(exit)
}

/// Asks one backend. It is held as one that can only be read.
async fn examine(
    context: &Context,
    declaration: &BackendDeclaration,
) -> Result<Examination, BackendError> {
    let backend: Box<dyn Write> = context.connect(declaration)?;
    let backend: Box<dyn Read> = backend;
    backend.examine().await
}

fn unknown<'a>(id: &BackendId, known: impl Iterator<Item = &'a BackendId> + Clone) -> Error {
    let error = Error::new(Kind::Failed, format!("there is no backend `{id}`"));
    match suggestion(id.as_str(), known.map(BackendId::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`wgform backend list` says which there are"),
    }
}
