//! `wgform schema`.

use clap::{Args, ValueEnum};

use crate::command::Context;
use crate::error::{Error, Exit};
use crate::reference;

/// What `wgform schema` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform schema state > state.schema.json
  wgform schema reference > language.md

Schemas are JSON Schema, draft 2020-12. The one of the language is over HCL's
mapping to JSON, where an expression is a string such as \"${var.port}\".")]
pub struct Arguments {
    /// What to print: language, state, plan, sealed, events, shown-state, shown-plan, summary, validation, reference or lint
    #[arg(value_enum)]
    pub subject: Subject,
}

/// What there is to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// The configuration, as a JSON Schema.
    Language,
    /// The state file, as a JSON Schema.
    State,
    /// A saved plan, as a JSON Schema.
    Plan,
    /// A state or a saved plan that is sealed, as a JSON Schema.
    Sealed,
    /// The lines of `-json`, as a JSON Schema of one.
    Events,
    /// What `wgform show -json` prints of the state, as a JSON Schema.
    ShownState,
    /// What `wgform show -json` prints of a saved plan, as a JSON Schema.
    ShownPlan,
    /// What `-summary-into` writes, as a JSON Schema.
    Summary,
    /// What `wgform validate -json` prints, as a JSON Schema.
    Validation,
    /// The configuration, as a page to read.
    Reference,
    /// What lint looks for, as a page to read.
    Lint,
}

/// Prints it.
///
/// # Errors
/// Never.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Error> {
    context.ui.result(&match arguments.subject {
        Subject::Language => format!("{:#}", reference::language_schema()),
        Subject::State => format!("{:#}", reference::state_schema()),
        Subject::Plan => format!("{:#}", reference::plan_schema()),
        Subject::Sealed => format!("{:#}", reference::sealed_schema()),
        Subject::Events => format!("{:#}", reference::events_schema()),
        Subject::ShownState => format!("{:#}", reference::shown_state_schema()),
        Subject::ShownPlan => format!("{:#}", reference::shown_plan_schema()),
        Subject::Summary => format!("{:#}", reference::summary_schema()),
        Subject::Validation => format!("{:#}", reference::validation_schema()),
        Subject::Reference => reference::language_page(),
        Subject::Lint => reference::lint_page(),
    });
    Ok(Exit::Done)
}
