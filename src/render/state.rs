//! What wgform owns, as text: the form of a plan without its marks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::render::value::{SENSITIVE, literal, sorted};
use crate::render::{count, printable};
use crate::resource::{Address, declaration};
use crate::state::{ObjectKey, OutputRecord, ResourceRecord, State};

/// Shows a whole state.
pub fn state(state: &State) -> String {
    let mut text = resources(state, state.resources.keys());
    if !state.resources.is_empty() {
        text.push('\n');
    }
    if !state.outputs.is_empty() {
        let _ = writeln!(text, "Outputs:\n\n{}", outputs(&state.outputs));
    }
    let resources = count(state.resources.len(), "resource");
    let _ = writeln!(text, "{resources}, serial {} of lineage {}.", state.serial, state.lineage);
    text
}

/// Shows a part of a state, and says how much of it that is.
pub fn part(state: &State, addresses: &[Address]) -> String {
    let (part, whole) = (addresses.len(), count(state.resources.len(), "resource"));
    let mut text = resources(state, addresses);
    let _ = writeln!(
        text,
        "\n{part} of {whole}, serial {} of lineage {}.",
        state.serial, state.lineage
    );
    text
}

/// Shows resources as they were last written.
pub fn resources<'a>(state: &State, addresses: impl IntoIterator<Item = &'a Address>) -> String {
    let records = addresses.into_iter().filter_map(|it| Some((it, state.resources.get(it)?)));
    let shown: Vec<String> = records.map(|(address, record)| resource(address, record)).collect();
    shown.join("\n")
}

/// Shows outputs, one a line.
pub fn outputs(outputs: &BTreeMap<String, OutputRecord>) -> String {
    let width = outputs.keys().map(String::len).max().unwrap_or_default();
    let mut text = String::new();
    for (name, output) in outputs {
        let value = output.value.as_ref().map_or_else(|| SENSITIVE.to_owned(), literal);
        let _ = writeln!(text, "{:width$} = {value}", printable(name));
    }
    text
}

/// Shows one resource as it was last written.
pub fn resource(address: &Address, record: &ResourceRecord) -> String {
    let place = record.backend.as_ref().map(|backend| format!(" on backend `{backend}`"));
    let gone = if record.is_gone { " is gone; its key is remembered" } else { "" };
    let heading = format!("# {address}{}{gone}", place.unwrap_or_default());
    let key = address.key().map(ToString::to_string).unwrap_or_default();
    let mut text = format!("{}\n", printable(&heading));
    let _ = writeln!(text, "{} \"{}\"{} {{", address.kind, address.label, printable(&key));
    let lines = lines(address, record);
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in lines {
        let _ = writeln!(text, "    {name:width$} = {value}");
    }
    text.push_str("}\n");
    text
}

fn lines(address: &Address, record: &ResourceRecord) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    for attribute in declaration::attributes(address.kind) {
        let identity = match (&record.object, attribute.name) {
            (ObjectKey::Interface { name, .. }, "name") => Some(Json::from(name.clone())),
            (
                ObjectKey::Interface { public_key, .. } | ObjectKey::Peer { public_key, .. },
                "public_key",
            ) => Some(Json::from(public_key.clone())),
            _ => None,
        };
        let Some(json) = identity.as_ref().or_else(|| record.attributes.get(attribute.name)) else {
            continue;
        };
        let value = match json {
            _ if attribute.form.is_secret() && json != "none" => SENSITIVE.to_owned(),
            Json::Array(items) => {
                let texts = items.iter().filter_map(Json::as_str).map(str::to_owned).collect();
                literal(&sorted(texts).into())
            }
            json => literal(json),
        };
        lines.push((attribute.name, value));
        let set =
            record.attributes.get("endpoint_address").filter(|_| attribute.name == "endpoint");
        lines.extend(set.map(|set| ("endpoint_address", literal(set))));
    }
    lines
}
