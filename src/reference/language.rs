//! The language as a JSON Schema, over HCL's own mapping to JSON: block types and labels are keys, and an expression is a
//! string such as `${interface.hub.public_key}`.
//!
//! It is for editors and for programs that write configurations. It says less than `wgform validate`: what an expression
//! gives is not known here.

use serde_json::{Map, Value as Json, json};

use crate::config::vocabulary::{
    ASSIGN, Argument, BACKEND_LINUX, BACKEND_LOCAL, BACKEND_PFSENSE, BACKEND_ROUTEROS, BlockType,
    CHECK, CLIENT, DATA, EVERY_RESOURCE, HOLD, IMPORT, KNOWN_DRIFT, LIFECYCLE, LOCALS, MODULE,
    MOVED, OUTPUT, REMOVED, ROUTE_MODES, ROUTES, STATE, STATES, Takes, VARIABLE, WGFORM,
};
use crate::resource::{
    Attribute, BackendKind, Change, Default, Form, Kind, Ownership, Presence, Support, declaration,
};

/// Returns the JSON Schema of a configuration.
pub fn language_schema() -> Json {
    let wgform = with(
        block(&WGFORM),
        "state",
        by_label(&STATES.iter().map(|(kind, it)| (*kind, block(it))).collect::<Vec<_>>()),
    );
    let mut properties = Map::from_iter([
        ("wgform".to_owned(), wgform),
        ("variable".to_owned(), named(block(&VARIABLE))),
        ("locals".to_owned(), one_or_more(json!({ "type": "object", "description": LOCALS.doc }))),
        ("output".to_owned(), named(block(&OUTPUT))),
        ("module".to_owned(), named(module())),
        ("check".to_owned(), named(block(&CHECK))),
        ("hold".to_owned(), named(block(&HOLD))),
        ("known_drift".to_owned(), named(block(&KNOWN_DRIFT))),
        ("data".to_owned(), by_label(&[("interface", named(block(&DATA)))])),
        (
            "backend".to_owned(),
            by_label(&[
                (BackendKind::Local.as_str(), named(block(&BACKEND_LOCAL))),
                (BackendKind::Linux.as_str(), named(block(&BACKEND_LINUX))),
                (BackendKind::RouterOs.as_str(), named(block(&BACKEND_ROUTEROS))),
                (BackendKind::PfSense.as_str(), named(block(&BACKEND_PFSENSE))),
            ]),
        ),
    ]);
    for refactoring in [&MOVED, &REMOVED, &IMPORT] {
        properties.insert(refactoring.name.to_owned(), one_or_more(block(refactoring)));
    }
    properties.extend(Kind::ALL.map(|kind| (kind.to_string(), named(resource(kind)))));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "wgform configuration",
        "description": "The files `*.wg.hcl` of a directory, in HCL's mapping to JSON.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "$defs": {
            "expression": {
                "description": "An expression, such as `${var.port}`.",
                "type": "string",
                "pattern": "[$%]\\{",
            },
        },
    })
}

/// A module takes the variables of the configuration that it calls too.
fn module() -> Json {
    let mut module = block(&MODULE);
    module["additionalProperties"] = json!(true);
    module
}

fn block(block: &BlockType) -> Json {
    let BlockType { name: _, head: _, doc, arguments, blocks } = block;
    let mut properties: Map<String, Json> =
        arguments.iter().map(|it| (it.name.to_owned(), argument(it))).collect();
    for inner in blocks.iter().filter(|inner| inner.name != STATE.name) {
        properties.insert(inner.name.to_owned(), one_or_more(self::block(inner)));
    }
    let required: Vec<_> = arguments.iter().filter(|it| it.is_required).map(|it| it.name).collect();
    object(doc, properties, &required)
}

fn argument(argument: &Argument) -> Json {
    let Argument { name: _, takes, is_required: _, default, doc } = argument;
    let mut schema = match takes {
        Takes::PlainText | Takes::Type => json!({ "type": "string" }),
        Takes::PlainBool => json!({ "type": "boolean" }),
        Takes::Address => json!({ "$ref": "#/$defs/expression" }),
        Takes::Addresses | Takes::Triggers => addresses(),
        Takes::Attributes => json!({
            "anyOf": [
                { "type": "array", "items": { "type": "string" } },
                { "const": "${all}" },
            ],
        }),
        Takes::Text => json!({ "type": ["string", "null"] }),
        Takes::Choice(words) => or_expression(json!({ "enum": words })),
        Takes::Bool => or_expression(literal(&Form::Bool)),
        Takes::Backend => or_expression(json!(false)),
        Takes::Number => or_expression(number(0, u32::MAX)),
        Takes::Texts => or_expression(json!({ "type": "array", "items": { "type": "string" } })),
        Takes::Networks => or_expression(literal(&Form::Prefixes)),
        Takes::Command => {
            or_expression(json!({ "type": "array", "minItems": 1, "items": { "type": "string" } }))
        }
        Takes::Words(words) => {
            or_expression(json!({ "type": "array", "items": { "enum": words } }))
        }
        Takes::Bound => or_expression(json!({
            "anyOf": [number(0, u32::MAX), { "type": "string", "pattern": "^[0-9]+%?$" }],
        })),
        Takes::Patterns => addresses(),
        Takes::Anything => json!({}),
    };
    schema["description"] = json!(doc);
    // The defaults are written in HCL, of which texts and answers are JSON too.
    if let Some(default) = default.and_then(|it| serde_json::from_str::<Json>(it).ok()) {
        schema["default"] = default;
    }
    schema
}

fn resource(kind: Kind) -> Json {
    let declared = declaration::attributes(kind);
    let settable = || declared.iter().filter(|it| it.presence != Presence::Computed);
    let mut properties: Map<String, Json> =
        settable().map(|it| (it.name.to_owned(), attribute(it))).collect();
    properties.extend(EVERY_RESOURCE.iter().map(|it| (it.name.to_owned(), argument(it))));
    properties.insert(LIFECYCLE.name.to_owned(), block(&LIFECYCLE));
    if kind == Kind::Peer {
        properties.insert(CLIENT.name.to_owned(), one_or_more(block(&CLIENT)));
    }
    if kind == Kind::Interface {
        properties.insert(ASSIGN.name.to_owned(), one_or_more(block(&ASSIGN)));
    }
    let is_required =
        |it: &&Attribute| matches!(it.presence, Presence::Required | Presence::RequiredNullable);
    let required: Vec<_> = settable().filter(is_required).map(|it| it.name).collect();
    object(declaration::doc(kind), properties, &required)
}

fn attribute(attribute: &Attribute) -> Json {
    let Attribute {
        name: _,
        form,
        presence: _,
        default,
        ownership,
        change,
        local: _,
        routeros: _,
        pfsense: _,
        doc,
    } = attribute;
    let mut schema = or_expression(literal(form));
    schema["description"] = json!(doc);
    if let Some(default) = default_value(*default) {
        schema["default"] = default;
    }
    let support = BackendKind::ALL.map(|kind| {
        let support = match attribute.support(kind) {
            Support::Device => "device",
            Support::StateOnly => "state",
            Support::Wgform => "wgform",
            Support::No => "no",
        };
        (kind.as_str().to_owned(), json!(support))
    });
    schema["x-wgform"] = json!({
        "change": match change {
            Change::InPlace => "in-place",
            Change::Replace => "replace",
        },
        "ownership": match ownership {
            Ownership::Whole => "whole",
            Ownership::Elements => "elements",
        },
        "sensitive": form.is_secret(),
        "backends": Map::from_iter(support),
    });
    schema
}

/// Returns what a literal value of the form is.
fn literal(form: &Form) -> Json {
    match form {
        Form::Text | Form::Endpoint | Form::Keepalive => json!({ "type": "string" }),
        Form::Path => json!({ "type": "string", "pattern": "^/" }),
        Form::Choice(words) => json!({ "enum": words }),
        Form::Bool => json!({ "enum": [true, false, "true", "false"] }),
        Form::Port => number(1, 65_535),
        Form::Mtu => number(576, 65_535),
        Form::Mark => number(0, u32::MAX),
        Form::PublicKey | Form::PrivateKey => json!({ "type": "string", "pattern": KEY }),
        Form::PresharedKey => json!({ "type": "string", "pattern": format!("{KEY}|^none$") }),
        Form::Addresses | Form::Prefixes | Form::Servers | Form::Domains | Form::Names => {
            json!({ "type": "array", "items": { "type": "string" } })
        }
        Form::Routes => {
            json!({ "anyOf": [{ "enum": ROUTE_MODES }, block(&ROUTES)] })
        }
        Form::Commands => json!({
            "type": "array",
            "items": { "type": "array", "minItems": 1, "items": { "type": "string" } },
        }),
        Form::Time => json!({ "type": "string", "format": "date-time" }),
        Form::Reference(_) | Form::Backend => json!(false),
    }
}

/// A string that holds a number is one, as in Terraform.
fn number(least: u32, most: u32) -> Json {
    json!({
        "anyOf": [
            { "type": "integer", "minimum": least, "maximum": most },
            { "type": "string", "pattern": "^[0-9]+$" },
        ],
    })
}

/// 32 bytes in base64.
const KEY: &str = "^[A-Za-z0-9+/]{43}=$";

fn default_value(default: Default) -> Option<Json> {
    Some(match default {
        Default::Unset | Default::Device => return None,
        Default::Text(text) => json!(text),
        Default::Bool(yes) => json!(yes),
        Default::Number(number) => json!(number),
        Default::Empty => json!([]),
        Default::Off => json!("off"),
    })
}

fn addresses() -> Json {
    json!({ "type": "array", "items": { "$ref": "#/$defs/expression" } })
}

/// A value of this form, an expression, or null, which is the same as nothing.
fn or_expression(literal: Json) -> Json {
    let mut forms =
        vec![literal, json!({ "$ref": "#/$defs/expression" }), json!({ "type": "null" })];
    forms.retain(|form| *form != json!(false));
    json!({ "anyOf": forms })
}

fn object(doc: &str, properties: Map<String, Json>, required: &[&str]) -> Json {
    let mut schema = json!({
        "description": doc,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// A block that stands under a label of the user's choice.
fn named(block: Json) -> Json {
    json!({
        "type": "object",
        "propertyNames": { "pattern": "^[\\p{L}_][\\p{L}\\p{N}_-]*$" },
        "additionalProperties": block,
    })
}

/// A block that is another one under each label.
fn by_label(blocks: &[(&str, Json)]) -> Json {
    let properties: Map<_, _> =
        blocks.iter().map(|(label, block)| ((*label).to_owned(), block.clone())).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// A block that may be repeated is an array in JSON once it is.
fn one_or_more(block: Json) -> Json {
    json!({ "anyOf": [block, { "type": "array", "items": block }] })
}

fn with(mut schema: Json, name: &str, inner: Json) -> Json {
    schema["properties"][name] = inner;
    schema
}
