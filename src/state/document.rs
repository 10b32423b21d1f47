//! The state file: bytes to [`State`] and back.
//!
//! A document that cannot be read is refused whole, with the place and the way out. Nothing is repaired by guessing:
//! a state that was understood wrongly would remove what people use.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;
use serde_json::error::Category;
use uuid::Uuid;

use crate::resource::declaration::attributes;
use crate::resource::{Address, BackendId, Form, Kind};
use crate::state::{
    Applying, BackendRecord, FORMAT, ObjectKey, OutputRecord, ResourceRecord, State,
};
use crate::value::{FingerprintKey, PresharedKey};

/// Why bytes are not a state. Never holds the content of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It ends too early.
    #[error("the file breaks off in line {line}")]
    Truncated {
        /// Where.
        line: usize,
    },
    /// It is something else.
    #[error("the file is not JSON: {reason} in line {line}")]
    NotJson {
        /// Where.
        line: usize,
        /// Why.
        reason: String,
    },
    /// It is JSON of something else.
    #[error("the file is not a wgform state: {reason}")]
    NotAState {
        /// Why.
        reason: &'static str,
    },
    /// A program wrote it that knows more than this one.
    #[error("the file was written by a newer wgform{}: its format is version {version}, this program reads up to version {FORMAT}", in_parentheses(.wgform_version))]
    Newer {
        /// The version of its format.
        version: u64,
        /// The program that wrote it, when it says so.
        wgform_version: Option<String>,
    },
    /// The state was moved to another store, and this is the note that says so.
    #[error("the state was moved to {to}")]
    Moved {
        /// Where it is now.
        to: String,
    },
    /// A value in it is wrong.
    #[error("{reason}, at `{path}` in line {line}")]
    Invalid {
        /// Where in the document.
        path: String,
        /// Where in the file.
        line: usize,
        /// Why.
        reason: String,
    },
}

impl StateError {
    /// Returns what to do, as a whole sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Newer { .. } => "Use that version of wgform or a later one; nothing was changed.",
            Self::Moved { .. } => "Set the `state` block to that place; nothing was changed.",
            Self::NotAState { .. } => {
                "Check the `path` of the `state` block in the configuration; nothing was changed."
            }
            Self::Empty | Self::Truncated { .. } | Self::NotJson { .. } | Self::Invalid { .. } => {
                "Put back a good copy of the file, from version control or from the backup beside it; nothing was changed."
            }
        }
    }
}

fn in_parentheses(text: &Option<String>) -> String {
    text.as_ref().map(|text| format!(" ({text})")).unwrap_or_default()
}

impl State {
    /// No state was ever written so often. There is room above it: in a number of 64 bits, also in one with a sign, as
    /// databases have.
    pub const LARGEST_SERIAL: u64 = 1 << 62;

    /// Reads a state file.
    ///
    /// # Errors
    /// When the bytes are not a state of a format that this program knows.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        check_version(bytes)?;
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| explain(bytes, &error))?;
        Ok(document.into_state())
    }

    /// Writes a state file: pretty JSON in a stable order, with a newline at its end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let fingerprint_key = self.fingerprint_key.expose_text();
        let document = DocumentRef {
            version: FORMAT,
            wgform_version: env!("CARGO_PKG_VERSION"),
            lineage: self.lineage,
            serial: self.serial,
            environment: &self.environment,
            fingerprint_key: &fingerprint_key,
            backends: &self.backends,
            resources: &self.resources,
            outputs: &self.outputs,
            in_flight: &self.in_flight,
            applying: self.applying.as_ref(),
            holds: &self.holds,
            applied_plans: &self.applied_plans,
            applied_at: self.applied_at,
            other: &self.other,
        };
        let mut bytes =
            serde_json::to_vec_pretty(&document).expect("maps of a state have texts as keys");
        bytes.push(b'\n');
        bytes
    }
}

impl State {
    /// Writes the note that stands in the place of a state that was moved.
    pub fn note(&self, serial: u64, place: &str) -> Vec<u8> {
        let note = serde_json::json!({
            "version": FORMAT,
            "wgform_version": env!("CARGO_PKG_VERSION"),
            "lineage": self.lineage,
            "serial": serial,
            "environment": self.environment,
            "moved_to": place,
        });
        let mut bytes = serde_json::to_vec_pretty(&note).expect("the fields are texts and numbers");
        bytes.push(b'\n');
        bytes
    }
}

/// What is read before anything else of the document is believed.
#[derive(Deserialize)]
struct Head {
    version: Option<Json>,
    wgform_version: Option<Json>,
    moved_to: Option<String>,
}

fn check_version(bytes: &[u8]) -> Result<(), StateError> {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err(StateError::Empty),
        Some(b'{') => {}
        // The other kinds of JSON; anything else fails below as no JSON at all.
        Some(b'[' | b'"' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n') => {
            serde_json::from_slice::<serde::de::IgnoredAny>(bytes)
                .map_err(|error| explain(bytes, &error))?;
            return Err(StateError::NotAState { reason: "it is not a JSON object" });
        }
        Some(_) => {}
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| explain(bytes, &error))?;
    if let Some(to) = head.moved_to {
        return Err(StateError::Moved { to });
    }
    match head.version.as_ref().map(Json::as_u64) {
        Some(Some(FORMAT)) => Ok(()),
        Some(Some(version)) if version > FORMAT => Err(StateError::Newer {
            version,
            wgform_version: head.wgform_version.and_then(|it| Some(it.as_str()?.to_owned())),
        }),
        Some(_) => {
            Err(StateError::NotAState { reason: "its `version` is not a version of the format" })
        }
        None => Err(StateError::NotAState { reason: "it has no `version`" }),
    }
}

/// The document as it is read.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "version")]
    _version: u64,
    #[serde(default, rename = "wgform_version")]
    _wgform_version: Json,
    lineage: Uuid,
    #[serde(deserialize_with = "serial")]
    serial: u64,
    #[serde(default = "default_environment")]
    environment: String,
    #[serde(deserialize_with = "fingerprint_key")]
    fingerprint_key: FingerprintKey,
    #[serde(deserialize_with = "distinct")]
    backends: BTreeMap<BackendId, BackendRecord>,
    #[serde(deserialize_with = "resources")]
    resources: BTreeMap<Address, ResourceRecord>,
    #[serde(default, deserialize_with = "distinct")]
    outputs: BTreeMap<String, OutputRecord>,
    #[serde(default)]
    in_flight: Vec<Json>,
    #[serde(default)]
    applying: Option<Applying>,
    #[serde(default)]
    holds: Vec<Json>,
    #[serde(default)]
    applied_plans: Vec<String>,
    #[serde(default)]
    applied_at: Option<Timestamp>,
    #[serde(flatten)]
    other: BTreeMap<String, Json>,
}

impl Document {
    fn into_state(self) -> State {
        State {
            lineage: self.lineage,
            serial: self.serial,
            environment: self.environment,
            fingerprint_key: self.fingerprint_key,
            backends: self.backends,
            resources: self.resources,
            outputs: self.outputs,
            in_flight: self.in_flight,
            applying: self.applying,
            holds: self.holds,
            applied_plans: self.applied_plans,
            applied_at: self.applied_at,
            other: self.other,
        }
    }
}

/// The document as it is written; the order of the fields is the order in the file.
#[derive(Serialize)]
struct DocumentRef<'a> {
    version: u64,
    wgform_version: &'static str,
    lineage: Uuid,
    serial: u64,
    environment: &'a str,
    fingerprint_key: &'a str,
    backends: &'a BTreeMap<BackendId, BackendRecord>,
    resources: &'a BTreeMap<Address, ResourceRecord>,
    outputs: &'a BTreeMap<String, OutputRecord>,
    in_flight: &'a [Json],
    #[serde(skip_serializing_if = "Option::is_none")]
    applying: Option<&'a Applying>,
    holds: &'a [Json],
    applied_plans: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    applied_at: Option<Timestamp>,
    #[serde(flatten)]
    other: &'a BTreeMap<String, Json>,
}

fn default_environment() -> String {
    State::DEFAULT_ENVIRONMENT.to_owned()
}

fn fingerprint_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FingerprintKey, D::Error> {
    FingerprintKey::from_text(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn resources<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<Address, ResourceRecord>, D::Error> {
    deserializer.deserialize_map(Distinct { check, value: PhantomData })
}

/// Reads a map in which no key may be there twice; serde would quietly keep the last one.
fn distinct<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord + Display,
    V: Deserialize<'de>,
{
    deserializer.deserialize_map(Distinct { check: |_: &K, _: &V| Ok(()), value: PhantomData })
}

struct Distinct<K, V, C> {
    check: C,
    value: PhantomData<(K, V)>,
}

impl<'de, K, V, C> Visitor<'de> for Distinct<K, V, C>
where
    K: Deserialize<'de> + Ord + Display,
    V: Deserialize<'de>,
    C: Fn(&K, &V) -> Result<(), String>,
{
    type Value = BTreeMap<K, V>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some(key) = access.next_key::<K>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("`{key}` is there twice")));
            }
            let value = access.next_value()?;
            (self.check)(&key, &value).map_err(A::Error::custom)?;
            map.insert(key, value);
        }
        Ok(map)
    }
}

/// Checks what the types of a record leave open.
fn check(address: &Address, record: &ResourceRecord) -> Result<(), String> {
    let objects = std::iter::once(&record.object).chain(record.deposed.iter().map(|it| &it.object));
    for object in objects {
        let kind = match object {
            ObjectKey::Interface { .. } => Kind::Interface,
            ObjectKey::Peer { .. } => Kind::Peer,
            ObjectKey::PresharedKey {} => Kind::PresharedKey,
        };
        if kind != address.kind {
            return Err(format!("the object of `{address}` is of kind `{kind}`"));
        }
    }
    let maps =
        std::iter::once(&record.attributes).chain(record.deposed.iter().map(|it| &it.attributes));
    for map in maps {
        for attribute in attributes(address.kind) {
            let Some(Json::String(text)) = map.get(attribute.name) else { continue };
            // A pre-shared key is recorded as its fingerprint; somebody put this one there by hand.
            if attribute.form == Form::PresharedKey && text.parse::<PresharedKey>().is_ok() {
                return Err(format!(
                    "`{}` of `{address}` is a secret, which a state never holds",
                    attribute.name
                ));
            }
        }
    }
    Ok(())
}

/// Turns serde's error, which knows only a line and a column, into one that knows the place in the document.
/// Reads the number of a write, which must leave room for the next ones.
fn serial<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let serial = u64::deserialize(deserializer)?;
    match serial <= State::LARGEST_SERIAL {
        true => Ok(serial),
        false => Err(D::Error::custom(format!("{serial} is too large for the number of a write"))),
    }
}

fn explain(bytes: &[u8], error: &serde_json::Error) -> StateError {
    let line = error.line();
    let text = error.to_string();
    let reason =
        text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason).to_owned();
    match error.classify() {
        Category::Eof => StateError::Truncated { line },
        Category::Syntax | Category::Io => StateError::NotJson { line, reason },
        Category::Data => {
            let path = path_at(bytes, line, error.column());
            StateError::Invalid { path, line, reason }
        }
    }
}

/// One level of the document on the way to a place in it.
enum Level {
    Object(Option<String>),
    Array(usize),
}

/// Returns the path of the value that ends at a place: `resources["interface.hq"].prevent_destroy`.
fn path_at(bytes: &[u8], line: usize, column: usize) -> String {
    let before = bytes.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1));
    let end = before.map(<[u8]>::len).sum::<usize>().saturating_add(column).min(bytes.len());
    let mut levels: Vec<Level> = Vec::new();
    let mut at = 0;
    while at < end {
        match (bytes[at], levels.last_mut()) {
            (b'{', _) => levels.push(Level::Object(None)),
            (b'[', _) => levels.push(Level::Array(0)),
            // A wrong container is reported at its bracket or at its end: both belong to the key above it.
            (b'}' | b']', _) => drop(levels.pop()),
            (b',', Some(Level::Array(index))) => *index += 1,
            (b',', Some(Level::Object(key))) => *key = None,
            (b'"', level) => {
                let (text, length) = string_at(&bytes[at..]);
                at += length - 1;
                if let Some(Level::Object(key @ None)) = level {
                    *key = Some(text);
                }
            }
            _ => {}
        }
        at += 1;
    }
    print_path(&levels)
}

/// Returns the string at the start of the bytes, and how many bytes it takes up.
fn string_at(bytes: &[u8]) -> (String, usize) {
    let mut length = 1;
    while length < bytes.len() && bytes[length] != b'"' {
        length += if bytes[length] == b'\\' { 2 } else { 1 };
    }
    let length = (length + 1).min(bytes.len());
    let text = serde_json::from_slice(&bytes[..length]);
    (text.unwrap_or_else(|_| "…".to_owned()), length)
}

fn print_path(levels: &[Level]) -> String {
    let mut path = String::new();
    for level in levels {
        match level {
            Level::Array(index) => path += &format!("[{index}]"),
            Level::Object(None) => {}
            Level::Object(Some(key)) if key.contains(['.', '[', '"', ' ']) => {
                path += &format!("[{key:?}]");
            }
            Level::Object(Some(key)) if path.is_empty() => path += key,
            Level::Object(Some(key)) => path += &format!(".{key}"),
        }
    }
    if path.is_empty() { "the top".to_owned() } else { path }
}

#[cfg(test)]
mod tests;
