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
use uuid::Uuid;

use crate::plan::saved::{self, Saved};
use crate::render::json;
use crate::render::stream::Line;
use crate::render::summary::Summary;
use crate::render::validation::Validation;
use crate::seal;
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

/// Returns the JSON Schema of a saved plan.
pub fn plan_schema() -> Json {
    let mut schema = schema_of::<SavedFile>();
    schema["title"] = json!("wgform saved plan");
    schema
}

/// The file of a saved plan.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is asked for")]
struct SavedFile {
    /// What the file is.
    #[schemars(extend("const" = "wgform plan"))]
    kind: String,
    /// The version of the format.
    #[schemars(extend("const" = saved::FORMAT))]
    version: u64,
    /// The version of the program that wrote it.
    wgform_version: String,
    /// The plan.
    plan: Saved,
    /// The SHA-256 of everything before it, in hexadecimal digits.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    checksum: String,
    /// The checksum, signed with the key of the state; none where there was no state yet.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    signature: Option<String>,
}

/// Returns the JSON Schema of a state or a saved plan that is sealed.
pub fn sealed_schema() -> Json {
    let mut schema = schema_of::<SealedFile>();
    schema["title"] = json!("wgform sealed document");
    schema
}

/// A document that only those can read who have a key.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is asked for")]
enum SealedFile {
    /// A sealed state.
    State(SealedState),
    /// A sealed plan.
    Plan(SealedPlan),
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is asked for")]
struct SealedState {
    /// The version of the format.
    #[schemars(extend("const" = seal::VERSION))]
    version: u64,
    /// The lineage of the state, the same as inside.
    lineage: Uuid,
    /// The serial of the state, the same as inside.
    serial: u64,
    /// How it is sealed.
    #[schemars(extend("const" = seal::METHOD))]
    sealed: String,
    /// The whole state in a file of age, in base64.
    #[schemars(regex(pattern = BASE64))]
    content: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is asked for")]
struct SealedPlan {
    /// What the file is.
    #[schemars(extend("const" = seal::PLAN))]
    kind: String,
    /// The version of the format.
    #[schemars(extend("const" = seal::VERSION))]
    version: u64,
    /// How it is sealed.
    #[schemars(extend("const" = seal::METHOD))]
    sealed: String,
    /// The whole plan file in a file of age, in base64.
    #[schemars(regex(pattern = BASE64))]
    content: String,
}

/// What base64 looks like.
const BASE64: &str = "^[A-Za-z0-9+/]+={0,2}$";

/// Returns the JSON Schema of one line of `-json`.
pub fn events_schema() -> Json {
    let mut schema = schema_of::<Line>();
    schema["title"] = json!("wgform event");
    schema
}

/// Returns the JSON Schema of what `wgform show -json` prints of a plan.
pub fn shown_plan_schema() -> Json {
    let mut schema = schema_of::<json::plan::Document>();
    schema["title"] = json!("wgform shown plan");
    schema
}

/// Returns the JSON Schema of what `wgform show -json` prints of a state.
pub fn shown_state_schema() -> Json {
    let mut schema = schema_of::<json::state::Document>();
    schema["title"] = json!("wgform shown state");
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
