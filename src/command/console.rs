//! `wgform console`.

mod entry;

use std::collections::BTreeSet;

use clap::Args;

use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session::{self, Needs, Session, state_of};
use crate::config::Console;
use crate::error::{Error, Exit, Kind};
use crate::plan::{self, Known};
use crate::render;

/// What `wgform console` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform console
  wgform console -var-file=prod.wgvars.hcl
  echo 'interface.hub.public_key' | wgform console")]
pub struct Arguments {
    /// Values of variables.
    #[command(flatten)]
    pub variables: Variables,
}

/// What `help` says.
const HELP: &str = "\
An expression is evaluated as in the configuration, with what the state last
recorded: var.region, interface.hub.public_key, length(local.sites). While a
bracket or a heredoc is open, it goes on in the next line.

`exit` or Ctrl-D ends the console.";

/// Evaluates expressions against the configuration and what the state last recorded, and asks no device.
///
/// # Errors
/// When the configuration makes no sense, or the state cannot be read; and for the first expression that is wrong,
/// unless somebody types them.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Error> {
    let config = session::configuration(context, &arguments.variables)?;
    let session = Session::open(context, &config, Needs::All)?;
    let mut state = state_of(context, session.read()?.state);
    let declared: BTreeSet<_> = session.evaluator.resources().iter().collect();
    let renames = plan::renames(session.config.refactoring(), &declared, &state)
        .map_err(Error::diagnostics)?;
    state.rename(&renames);
    let known = Known::recorded(&state);
    let console = session.evaluator.console();
    while let Some(entry) = entry::read(&context.ui)? {
        let answer = entry.and_then(|text| match text.trim() {
            "exit" => Ok(Next::End),
            "help" => Ok(Next::Say(HELP.to_owned())),
            text => evaluate(&console, &known, text),
        });
        match answer {
            Ok(Next::End) => break,
            Ok(Next::Ask) => {}
            Ok(Next::Say(text)) => context.ui.result(&text),
            Err(error) if context.ui.is_typed() => error.show(&context.ui),
            Err(error) => return Err(error),
        }
    }
    Ok(Exit::Done)
}

/// What comes after an entry.
enum Next {
    /// The next one.
    Ask,
    /// A text, and the next one.
    Say(String),
    /// Nothing.
    End,
}

fn evaluate(console: &Console<'_>, known: &Known, text: &str) -> Result<Next, Error> {
    match console.evaluate(text, known) {
        Ok(None) => Ok(Next::Ask),
        Ok(Some(shown)) => Ok(Next::Say(render::console::text(&shown))),
        // What depends on something broken has no value without a word, and here nothing else says the word.
        Err(problems) if problems.is_empty() => {
            Err(Error::new(Kind::Failed, "the expression has no value")
                .hint("something that it refers to cannot be evaluated; `wgform plan` says more"))
        }
        Err(problems) => Err(Error::diagnostics(problems)),
    }
}
