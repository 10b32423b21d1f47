//! Functions that ask the surroundings: the environment, files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use globset::GlobBuilder;

use crate::config::function::{Answer, Call, Failure, fits, path};
use crate::config::value::Value;

/// As long as a pattern of names is at most, in bytes: as long as a path.
const MAX_PATTERN: usize = 4096;

pub(super) fn env(call: &Call) -> Answer {
    let name = call.text(0)?;
    call.environment.variable(&name).map(Value::text).ok_or_else(|| {
        Failure::at(0, format!("the environment has no `{name}`")).hint(format!(
            "Set it before the run, or write `try(env(\"{name}\"), null)` to go without."
        ))
    })
}

pub(super) fn file(call: &Call) -> Answer {
    text(call, &call.text(0)?).map(Value::text)
}

/// Reads the text of a file.
pub(super) fn text(call: &Call, path: &str) -> Answer<String> {
    let read = call.environment.files().read(&path::expanded(call, path)?);
    read.map_err(|why| match why.ends_with("is not UTF-8") {
        true => unreadable(path, &why).hint("Take `filebase64`, which reads any bytes."),
        false => unreadable(path, &why),
    })
}

pub(super) fn filebase64(call: &Call) -> Answer {
    Ok(Value::text(STANDARD.encode(bytes(call)?)))
}

/// Reads the file that the first argument names.
pub(super) fn bytes(call: &Call) -> Answer<Vec<u8>> {
    let path = call.text(0)?;
    let read = call.environment.files().bytes(&path::expanded(call, &path)?);
    let bytes = read.map_err(|why| unreadable(&path, &why))?;
    call.charge(bytes.len() / 64);
    Ok(bytes)
}

pub(super) fn fileexists(call: &Call) -> Answer {
    let path = call.text(0)?;
    let exists = call.environment.files().exists(&path::expanded(call, &path)?);
    exists.map(Value::from).map_err(|why| Failure::at(0, format!("`{path}` is no file: {why}")))
}

/// The files in a directory whose names match a pattern: `*` and `?` within a name, `**` for directories, `[…]`, `{a,b}`.
pub(super) fn fileset(call: &Call) -> Answer {
    let (path, pattern) = (call.text(0)?, call.text(1)?);
    if pattern.len() > MAX_PATTERN {
        return Err(Failure::at(1, format!("this is longer than {MAX_PATTERN} bytes")));
    }
    let glob = GlobBuilder::new(&pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .empty_alternates(true)
        .build()
        .map_err(|error| Failure::at(1, format!("this is no pattern: {}", error.kind())))?;
    let matcher = glob.compile_matcher();
    let depth = match pattern.contains("**") {
        true => usize::MAX,
        false => pattern.matches('/').count() + 1,
    };
    let list = call.environment.files().list(&path::expanded(call, &path)?, depth);
    let names = list.map_err(|why| Failure::at(0, format!("`{path}` cannot be listed: {why}")))?;
    call.charge(names.len().saturating_mul(16));
    let names: Vec<Value> =
        names.into_iter().filter(|name| matcher.is_match(name)).map(Value::text).collect();
    fits(names.len())?;
    Ok(Value::set(names))
}

fn unreadable(path: &str, why: &str) -> Failure {
    Failure::at(0, format!("`{path}` cannot be read: {why}"))
        .hint("A path is relative to the directory of the configuration.")
}
