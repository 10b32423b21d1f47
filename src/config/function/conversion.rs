//! Functions that turn one type into another, or change a mark.

use crate::config::function::{Answer, Call, Failure};
use crate::config::value::{Map, Value};

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
    Ok(make(call.in_one_type(call.items(0)?, 0)?).marked(value.is_sensitive))
}

pub(super) fn tomap(call: &Call) -> Answer {
    let value = &call.arguments[0];
    if value.is_null() || value.is_unknown() {
        return Ok(value.clone());
    }
    let map = call.map(0)?;
    let values: Vec<Value> = map.values().cloned().collect();
    let map: Map = map.keys().cloned().zip(call.in_one_type(&values, 0)?).collect();
    Ok(Value::map(map).marked(value.is_sensitive))
}

/// Whether a value is marked as sensitive, which is no secret itself.
pub(super) fn issensitive(call: &Call) -> Answer {
    let value = &call.arguments[0];
    if value.is_unknown() && !value.is_sensitive {
        Ok(Value::UNKNOWN)
    } else {
        Ok(value.is_sensitive.into())
    }
}

pub(super) fn sensitive(call: &Call) -> Answer {
    Ok(call.arguments[0].clone().marked(true))
}

pub(super) fn nonsensitive(call: &Call) -> Answer {
    let mut value = call.arguments[0].clone();
    value.is_sensitive = false;
    Ok(value)
}
