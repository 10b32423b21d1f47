//! YAML: read by the rules that Terraform documents, and written byte for byte as it writes it.

mod read;
mod write;

use crate::config::function::{Answer, Call};
use crate::config::value::Value;

pub(super) fn yamldecode(call: &Call) -> Answer {
    read::value(&call.text(0)?)
}

pub(super) fn yamlencode(call: &Call) -> Answer {
    Ok(Value::text(write::document(&call.arguments[0])?))
}
