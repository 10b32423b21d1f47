//! How two files differ, line by line, without the keys that are in them.

use similar::{ChangeTag, TextDiff};

/// Lines around a difference that are shown with it.
const CONTEXT: usize = 2;
/// What stands in the place of a key.
const MASKED: &str = "(sensitive value)";
/// A key in base64, without the `=` at its end.
const KEY_DIGITS: usize = 43;

/// Returns how two files differ: lines with `-`, `+` or a blank in front, `…` between places that lie apart, and no keys.
pub fn differences(before: &str, after: &str) -> Vec<(char, String)> {
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for (place, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if place > 0 {
            lines.push((' ', "…".to_owned()));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let mark = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push((mark, masked(change.value().trim_end())));
        }
    }
    lines
}

/// Hides what a line gives away: the value of a secret key, and whatever else looks like one. Private and public keys
/// have one form, so that only the name of a setting tells that a key may be seen.
fn masked(line: &str) -> String {
    let key = line.split_once('=').map(|(key, _)| key);
    let name: String = key.unwrap_or_default().chars().filter(char::is_ascii_alphabetic).collect();
    match (key, name.to_ascii_lowercase()) {
        (Some(key), name) if name.ends_with("privatekey") || name.ends_with("presharedkey") => {
            format!("{} = {MASKED}", key.trim_end())
        }
        (Some(_), name) if name.ends_with("publickey") => line.to_owned(),
        _ => without_keys(line),
    }
}

fn without_keys(line: &str) -> String {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    let words = line.split_inclusive(|c| !is_base64(c));
    let shown = words.map(|word| match word.strip_suffix('=') {
        Some(digits) if digits.len() >= KEY_DIGITS => MASKED,
        _ => word,
    });
    shown.collect()
}
