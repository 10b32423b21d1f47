//! Functions that ask the surroundings: the environment, files.

use crate::config::function::{Answer, Call, Failure};
use crate::config::value::Value;

pub(super) fn env(call: &Call) -> Answer {
    let name = call.text(0)?;
    call.environment.variable(&name).map(Value::text).ok_or_else(|| {
        Failure::at(0, format!("the environment has no `{name}`")).hint(format!(
            "Set it before the run, or write `try(env(\"{name}\"), null)` to go without."
        ))
    })
}

pub(super) fn file(call: &Call) -> Answer {
    let path = call.text(0)?;
    call.environment.file(&path).map(Value::text).map_err(|why| {
        Failure::at(0, format!("`{path}` cannot be read: {why}"))
            .hint("A path is relative to the directory of the configuration.")
    })
}
