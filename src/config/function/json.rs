//! JSON, byte for byte as Terraform writes it.

use std::fmt::Write as _;

use crate::config::function::{Answer, Call, Failure, fits};
use crate::config::value::{Data, Value};
use crate::resource::address::path;

pub(super) fn jsondecode(call: &Call) -> Answer {
    let text = call.text(0)?;
    serde_json::from_str(&text).map(Value::from_json).map_err(|error| {
        let message = format!("this is not JSON: line {}, column {}", error.line(), error.column());
        Failure::at(0, message)
    })
}

pub(super) fn jsonencode(call: &Call) -> Answer {
    Ok(Value::text(text_of(&call.arguments[0])?))
}

/// Returns a value as JSON; what is unknown in it counts as null.
pub(super) fn text_of(value: &Value) -> Answer<String> {
    let mut output = String::new();
    write(value, &mut output)?;
    Ok(output)
}

fn write(value: &Value, output: &mut String) -> Answer<()> {
    fits(output.len())?;
    match &value.data {
        Data::Null | Data::Unknown => output.push_str("null"),
        Data::Bool(yes) => _ = write!(output, "{yes}"),
        Data::Number(number) => _ = write!(output, "{number}"),
        Data::Text(text) => output.push_str(&quoted(text)),
        Data::List(items) | Data::Set(items) => {
            for (i, item) in items.iter().enumerate() {
                output.push(if i == 0 { '[' } else { ',' });
                write(item, output)?;
            }
            output.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        Data::Map(map) => {
            for (i, (key, item)) in map.iter().enumerate() {
                output.push(if i == 0 { '{' } else { ',' });
                output.push_str(&quoted(key));
                output.push(':');
                write(item, output)?;
            }
            output.push_str(if map.is_empty() { "{}" } else { "}" });
        }
        Data::Resource(address) => output.push_str(&quoted(&address.to_string())),
        Data::Backend(id) => output.push_str(&quoted(&format!("backend.{id}"))),
        Data::Module(steps) => output.push_str(&quoted(&path(steps))),
    }
    Ok(())
}

/// Writes a string so that it can stand in HTML too.
pub(super) fn quoted(text: &str) -> String {
    let plain = serde_json::Value::from(text).to_string();
    if !plain.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return plain;
    }
    let mut output = String::with_capacity(plain.len() + 16);
    for c in plain.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                _ = write!(output, "\\u{:04x}", u32::from(c))
            }
            c => output.push(c),
        }
    }
    output
}
