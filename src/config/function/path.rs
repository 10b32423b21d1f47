//! Functions on the names of files, which need not be there.

use crate::config::function::{Answer, Call, Failure};
use crate::config::value::Value;

pub(super) fn basename(call: &Call) -> Answer {
    let path = call.text(0)?;
    let name = match path.trim_end_matches('/') {
        "" if path.is_empty() => ".",
        "" => "/",
        path => path.rsplit('/').next().unwrap_or(path),
    };
    Ok(Value::text(name))
}

pub(super) fn dirname(call: &Call) -> Answer {
    let path = call.text(0)?;
    let end = path.rfind('/').map_or(0, |at| at + 1);
    Ok(Value::text(cleaned(&path[..end])))
}

/// The path from the root of the file system; a relative one starts at the directory of the configuration.
pub(super) fn abspath(call: &Call) -> Answer {
    let path = call.text(0)?;
    let whole = match path.starts_with('/') {
        true => path.to_string(),
        false => format!("{}/{path}", call.environment.directory()),
    };
    Ok(Value::text(cleaned(&whole)))
}

pub(super) fn pathexpand(call: &Call) -> Answer {
    Ok(Value::text(expanded(call, &call.text(0)?)?))
}

/// Returns a path with the home directory in the place of a `~` in front.
pub(super) fn expanded(call: &Call, path: &str) -> Answer<String> {
    let Some(rest) = path.strip_prefix('~') else { return Ok(path.to_owned()) };
    if !(rest.is_empty() || rest.starts_with('/')) {
        return Err(Failure::at(0, "the home directory of another user is not known")
            .hint("Write the whole path."));
    }
    let home = call.environment.variable("HOME").ok_or_else(|| {
        Failure::at(0, "the environment has no `HOME`").hint("Write the whole path.")
    })?;
    Ok(cleaned(&format!("{home}{rest}")))
}

/// Returns the shortest path of the same meaning, as far as the names alone say it.
fn cleaned(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => _ = parts.pop(),
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    match (is_absolute, parts.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}
