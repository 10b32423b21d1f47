//! Functions on strings.

use regex::Regex;

use crate::config::function::{Answer, Call, Failure};
use crate::config::value::Value;

pub(super) fn join(call: &Call) -> Answer {
    let separator = call.text(0)?;
    let mut parts = Vec::new();
    for i in 1..call.arguments.len() {
        for item in call.items(i)? {
            parts.push(item.to_text().ok_or_else(|| {
                Failure::at(
                    i,
                    format!("every element has to be a string, and one is {}", item.shown()),
                )
            })?);
        }
    }
    let length = parts.iter().map(|part| part.len().saturating_add(separator.len())).sum();
    fits(length)?;
    Ok(Value::text(parts.join(&separator)))
}

pub(super) fn split(call: &Call) -> Answer {
    let (separator, text) = (call.text(0)?, call.text(1)?);
    let parts: Vec<Value> = if separator.is_empty() {
        text.chars().map(|c| Value::text(c.to_string())).collect()
    } else {
        text.split(&*separator).map(Value::text).collect()
    };
    Ok(Value::list(parts))
}

pub(super) fn lower(call: &Call) -> Answer {
    Ok(Value::text(call.text(0)?.to_lowercase()))
}

pub(super) fn upper(call: &Call) -> Answer {
    Ok(Value::text(call.text(0)?.to_uppercase()))
}

pub(super) fn trimspace(call: &Call) -> Answer {
    Ok(Value::text(call.text(0)?.trim()))
}

/// Replaces a text, or what matches a regular expression between slashes, where the replacement may say `$1`.
pub(super) fn replace(call: &Call) -> Answer {
    let (text, what, with) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let pattern = (what.len() > 1).then(|| what.strip_prefix('/')?.strip_suffix('/')).flatten();
    let Some(pattern) = pattern else {
        fits(text.matches(&*what).count().saturating_mul(with.len()))?;
        return Ok(Value::text(text.replace(&*what, &with)));
    };
    let regex = Regex::new(pattern).map_err(|error| {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Failure::at(1, format!("this is not a regular expression: {why}"))
    })?;
    // A replacement may hold what was found as often as it has a `$`.
    let copies = with.matches('$').count().saturating_mul(text.len());
    fits(regex.find_iter(&text).count().saturating_mul(with.len()).saturating_add(copies))?;
    Ok(Value::text(regex.replace_all(&text, &*with).into_owned()))
}

/// Refuses to make a text that no value could be, before the memory for it is taken.
pub(super) fn fits(length: usize) -> Answer<()> {
    if length > Value::MAX_SIZE {
        let limit = Value::MAX_SIZE >> 20;
        return Err(Failure::whole(format!("this makes a text of more than {limit} MiB")));
    }
    Ok(())
}
