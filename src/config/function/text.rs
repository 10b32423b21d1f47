//! Functions on strings. What a reader takes for one character counts as one, whatever it is made of.

use std::collections::HashSet;

use unicode_segmentation::UnicodeSegmentation as _;

use crate::config::function::{Answer, Call, Failure, fits, pattern};
use crate::config::value::Value;

pub(super) fn chomp(call: &Call) -> Answer {
    Ok(Value::text(call.text(0)?.trim_end_matches(['\r', '\n'])))
}

pub(super) fn endswith(call: &Call) -> Answer {
    Ok(call.text(0)?.ends_with(&*call.text(1)?).into())
}

pub(super) fn startswith(call: &Call) -> Answer {
    Ok(call.text(0)?.starts_with(&*call.text(1)?).into())
}

pub(super) fn strcontains(call: &Call) -> Answer {
    Ok(call.text(0)?.contains(&*call.text(1)?).into())
}

/// Spaces at the start of every line but the first.
pub(super) fn indent(call: &Call) -> Answer {
    let (spaces, text) = (call.integer(0)?, call.text(1)?);
    let Ok(spaces) = usize::try_from(spaces) else {
        return Err(Failure::at(0, "this has to be zero or more"));
    };
    let lines = text.matches('\n').count();
    fits(text.len().saturating_add(lines.saturating_mul(spaces)))?;
    Ok(Value::text(text.replace('\n', &format!("\n{}", " ".repeat(spaces)))))
}

pub(super) fn join(call: &Call) -> Answer {
    let separator = call.text(0)?;
    let mut parts = Vec::new();
    for i in 1..call.arguments.len() {
        parts.extend(call.texts(i)?);
    }
    let length = parts
        .iter()
        .fold(0, |sum: usize, part| sum.saturating_add(part.len()).saturating_add(separator.len()));
    fits(length)?;
    Ok(Value::text(parts.join(&separator)))
}

pub(super) fn split(call: &Call) -> Answer {
    let (separator, text) = (call.text(0)?, call.text(1)?);
    fits(text.len().saturating_add(text.matches(&*separator).count()))?;
    let parts: Vec<Value> = if separator.is_empty() {
        text.chars().map(|c| Value::text(c.to_string())).collect()
    } else {
        text.split(&*separator).map(Value::text).collect()
    };
    Ok(Value::list(parts))
}

pub(super) fn lower(call: &Call) -> Answer {
    Ok(Value::text(each_char(&call.text(0)?, |c| c.to_lowercase().next())))
}

pub(super) fn upper(call: &Call) -> Answer {
    Ok(Value::text(each_char(&call.text(0)?, single_upper)))
}

/// The first letter of each word in upper case. A word starts behind a blank, and behind any sign of ASCII but `_`.
pub(super) fn title(call: &Call) -> Answer {
    let (text, mut before) = (call.text(0)?, ' ');
    let titled = text.chars().map(|c| {
        let is_start = match before.is_ascii() {
            true => !(before.is_ascii_alphanumeric() || before == '_'),
            false => before.is_whitespace(),
        };
        before = c;
        if is_start { single_upper(c).unwrap_or(c) } else { c }
    });
    Ok(Value::text(titled.collect::<String>()))
}

/// Changes each character to one other, as Go does it: `ß` stays, since `SS` is two.
fn each_char(text: &str, change: fn(char) -> Option<char>) -> String {
    text.chars().map(|c| change(c).unwrap_or(c)).collect()
}

fn single_upper(c: char) -> Option<char> {
    let mut upper = c.to_uppercase();
    upper.next().filter(|_| upper.next().is_none())
}

pub(super) fn strrev(call: &Call) -> Answer {
    Ok(Value::text(call.text(0)?.graphemes(true).rev().collect::<String>()))
}

/// A part of a text. A negative offset counts from the end, and a negative length goes on to the end.
pub(super) fn substr(call: &Call) -> Answer {
    let (text, offset, length) = (call.text(0)?, call.integer(1)?, call.integer(2)?);
    let start = match usize::try_from(offset) {
        Ok(start) => start,
        Err(_) => {
            let back = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
            text.graphemes(true).count().saturating_sub(back)
        }
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(Value::text(text.graphemes(true).skip(start).take(length).collect::<String>()))
}

pub(super) fn trim(call: &Call) -> Answer {
    let (text, unwanted) = (call.text(0)?, call.text(1)?);
    let unwanted: HashSet<char> = unwanted.chars().collect();
    Ok(Value::text(text.trim_matches(|c| unwanted.contains(&c))))
}

pub(super) fn trimprefix(call: &Call) -> Answer {
    let (text, prefix) = (call.text(0)?, call.text(1)?);
    Ok(Value::text(text.strip_prefix(&*prefix).unwrap_or(&text)))
}

pub(super) fn trimsuffix(call: &Call) -> Answer {
    let (text, suffix) = (call.text(0)?, call.text(1)?);
    Ok(Value::text(text.strip_suffix(&*suffix).unwrap_or(&text)))
}

pub(super) fn trimspace(call: &Call) -> Answer {
    Ok(Value::text(call.text(0)?.trim()))
}

/// Replaces a text, or what matches a regular expression between slashes, where the replacement may say `$1`.
pub(super) fn replace(call: &Call) -> Answer {
    let (text, what, with) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let expression = (what.len() > 1).then(|| what.strip_prefix('/')?.strip_suffix('/')).flatten();
    let Some(expression) = expression else {
        let times = text.matches(&*what).count();
        fits(text.len().saturating_add(times.saturating_mul(with.len())))?;
        return Ok(Value::text(text.replace(&*what, &with)));
    };
    let regex = pattern::regex(call, expression, text.len(), 1)?;
    // A replacement may hold what was found as often as it has a `$`.
    let copies = with.matches('$').count().saturating_mul(text.len());
    let (mut times, mut search) = (0_usize, pattern::Search::of(&text));
    for found in regex.find_iter(&text) {
        search.went_on(call, found.start())?;
        times += 1;
    }
    fits(text.len().saturating_add(times.saturating_mul(with.len())).saturating_add(copies))?;
    Ok(Value::text(regex.replace_all(&text, &*with).into_owned()))
}
