//! What can be written and what can be read, for people and for programs: the reference of the language, and the JSON
//! Schemas of what wgform writes.
//!
//! All of it is made from the declarations that the program itself goes by, so that it cannot say anything else. What
//! commands there are is said by their help.

mod language;
mod lint;
mod page;

use std::sync::LazyLock;

use regex::Regex;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Value as Json, json};

use crate::render::json::{plan, state};
use crate::render::stream::Line;
use crate::render::summary::Summary;
use crate::render::validation::Validation;
use crate::state::{FORMAT, State};

pub use language::language_schema;
pub use lint::lint_page;
pub use page::language_page;

/// Returns the JSON Schema of the state file.
pub fn state_schema() -> Json {
    let mut schema = schema_of::<State>();
    schema["title"] = json!("wgform state");
    // What only the document has: it is read before anything else of it is believed.
    schema["properties"]["version"] = json!({
        "description": "The version of the format.",
        "const": FORMAT,
    });
    schema["properties"]["wgform_version"] = json!({
        "description": "The version of the program that wrote it.",
        "type": "string",
    });
    schema
}

/// Returns the JSON Schema of one line of `-json`.
pub fn events_schema() -> Json {
    let mut schema = schema_of::<Line>();
    schema["title"] = json!("wgform event");
    schema
}

/// Returns the JSON Schema of what `wgform show -json` prints of a plan.
pub fn plan_schema() -> Json {
    let mut schema = schema_of::<plan::Document>();
    schema["title"] = json!("wgform plan");
    schema
}

/// Returns the JSON Schema of what `wgform show -json` prints of a state.
pub fn show_schema() -> Json {
    let mut schema = schema_of::<state::Document>();
    schema["title"] = json!("wgform show");
    schema
}

/// Returns the JSON Schema of what `-summary-into` writes.
pub fn summary_schema() -> Json {
    let mut schema = schema_of::<Summary>();
    schema["title"] = json!("wgform summary");
    schema
}

/// Returns the JSON Schema of what `wgform validate -json` prints.
pub fn validation_schema() -> Json {
    let mut schema = schema_of::<Validation>();
    schema["title"] = json!("wgform validation");
    schema
}

fn schema_of<T: JsonSchema>() -> Json {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    PlainDescriptions.transform(&mut schema);
    schema.to_value()
}

/// Takes the links of rustdoc out of descriptions.
struct PlainDescriptions;

impl Transform for PlainDescriptions {
    fn transform(&mut self, schema: &mut Schema) {
        static LINK: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r":? ?\[`[^`]*`\](\([^)]*\))?").ok());
        let description = schema.get("description").and_then(Json::as_str);
        if let (Some(description), Some(link)) = (description, &*LINK) {
            let plain = link.replace_all(description, "").into_owned();
            schema.insert("description".to_owned(), plain.into());
        }
        transform_subschemas(self, schema);
    }
}
