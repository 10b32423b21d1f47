//! Functions that turn one type into another, or change a mark.

use crate::config::function::{Answer, Call, Failure};
use crate::config::value::{Data, Map, Value};

pub(super) fn tostring(call: &Call) -> Answer {
    convert(call, "a string", |value| value.to_text().map(Value::text))
}

pub(super) fn tonumber(call: &Call) -> Answer {
    convert(call, "a number", |value| value.to_number().map(Value::from))
}

pub(super) fn tobool(call: &Call) -> Answer {
    convert(call, "true or false", |value| value.to_bool().map(Value::from))
}

fn convert(call: &Call, wanted: &str, to: fn(&Value) -> Option<Value>) -> Answer {
    let value = &call.arguments[0];
    if value.is_null() {
        return Ok(Value::NULL);
    }
    to(value).ok_or_else(|| Failure::wanted(0, wanted, value))
}

pub(super) fn tolist(call: &Call) -> Answer {
    collect(call, Value::list)
}

pub(super) fn toset(call: &Call) -> Answer {
    collect(call, Value::set)
}

fn collect(call: &Call, make: fn(Vec<Value>) -> Value) -> Answer {
    let value = &call.arguments[0];
    if value.is_null() || value.is_unknown() {
        return Ok(value.clone());
    }
    Ok(make(unified(call.items(0)?.to_vec())).marked(value.is_sensitive))
}

pub(super) fn tomap(call: &Call) -> Answer {
    let value = &call.arguments[0];
    if value.is_null() || value.is_unknown() {
        return Ok(value.clone());
    }
    let map = call.map(0)?;
    let values = unified(map.values().cloned().collect());
    let map: Map = map.keys().cloned().zip(values).collect();
    Ok(Value::map(map).marked(value.is_sensitive))
}

/// Gives all elements one type: numbers and bools beside strings become strings.
pub(crate) fn unified(items: Vec<Value>) -> Vec<Value> {
    let is = |f: fn(&Data) -> bool| items.iter().any(|item| f(&item.data));
    let texts = is(|data| matches!(data, Data::Text(_)));
    let numbers = is(|data| matches!(data, Data::Number(_)));
    let bools = is(|data| matches!(data, Data::Bool(_)));
    if !(texts && (numbers || bools) || numbers && bools) {
        return items;
    }
    let text = |item: Value| match item.to_text() {
        Some(text) => Value::text(text).marked(item.is_sensitive),
        None => item,
    };
    items.into_iter().map(text).collect()
}

pub(super) fn sensitive(call: &Call) -> Answer {
    Ok(call.arguments[0].clone().marked(true))
}

pub(super) fn nonsensitive(call: &Call) -> Answer {
    let mut value = call.arguments[0].clone();
    value.is_sensitive = false;
    Ok(value)
}

pub(super) fn jsondecode(call: &Call) -> Answer {
    let text = call.text(0)?;
    serde_json::from_str(&text).map(Value::from_json).map_err(|error| {
        let message = format!("this is not JSON: line {}, column {}", error.line(), error.column());
        Failure::at(0, message)
    })
}

pub(super) fn jsonencode(call: &Call) -> Answer {
    let Some(json) = call.arguments[0].to_json() else {
        return Ok(Value::UNKNOWN);
    };
    // Terraform's JSON can stand in HTML. These characters occur in strings only.
    let mut text = String::new();
    for c in json.to_string().chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                text += &format!("\\u{:04x}", u32::from(c))
            }
            c => text.push(c),
        }
    }
    Ok(Value::text(text))
}
