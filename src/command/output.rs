//! `wgform output`.

use clap::Args;
use serde_json::{Value as Json, json};

use crate::command::Context;
use crate::command::arguments::Variables;
use crate::command::session::{self, Needs, Session};
use crate::error::{Error, Exit, Kind};
use crate::render;
use crate::render::value::literal;
use crate::state::OutputRecord;

/// What `wgform output` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform output
  wgform output -json
  wgform output -raw hub_public_key")]
pub struct Arguments {
    /// The output to print; all of them without it
    #[arg(required_if_eq("raw", "true"))]
    pub name: Option<String>,
    /// Prints JSON
    #[arg(long, conflicts_with = "raw")]
    pub json: bool,
    /// Prints the bare text of one output, for use in a script
    #[arg(long)]
    pub raw: bool,
}

/// Prints what the last apply recorded.
///
/// # Errors
/// When the state cannot be read, has no such output, or may not hold it.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Error> {
    let Arguments { name, json, raw } = arguments;
    let config = session::configuration(context, &Variables::default())?;
    let session = Session::open(context, &config, Needs::Settings)?;
    let outputs = session.read()?.state.map(|state| state.outputs).unwrap_or_default();
    let text = match name {
        None if *json => {
            let all = outputs.iter().map(|(name, output)| (name.clone(), document(output)));
            pretty(&Json::Object(all.collect()))
        }
        None if outputs.is_empty() => "The state has no outputs.".to_owned(),
        None => render::state::outputs(&outputs),
        Some(name) => {
            let output = outputs.get(name).ok_or_else(|| {
                Error::new(Kind::Failed, format!("the state has no output `{name}`"))
                    .hint("`wgform output` lists the outputs as of the last apply")
            })?;
            let value = output.value.as_ref().ok_or_else(|| withheld(name))?;
            match (value, raw, json) {
                (Json::String(text), true, _) => text.clone(),
                (Json::Array(_) | Json::Object(_) | Json::Null, true, _) => {
                    let message = format!("output `{name}` is not a text, a number or a bool");
                    return Err(Error::new(Kind::Failed, message).hint("use `-json` for it"));
                }
                (value, true, _) => value.to_string(),
                (value, _, true) => pretty(value),
                (value, ..) => literal(value),
            }
        }
    };
    context.ui.result(&text);
    Ok(Exit::Done)
}

fn withheld(name: &str) -> Error {
    Error::new(
        Kind::Failed,
        format!("output `{name}` is sensitive, and the state never holds such a value"),
    )
    .hint("take the value from where the configuration has it")
}

fn document(output: &OutputRecord) -> Json {
    json!({ "sensitive": output.sensitive, "value": output.value })
}

fn pretty(json: &Json) -> String {
    serde_json::to_string_pretty(json).expect("a JSON value can be written")
}
