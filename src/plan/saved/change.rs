//! What happens to one resource, as a file holds it.
//!
//! Attributes are written by their names and found again among the declarations, so that what is read back can be shown
//! by whoever shows a plan.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;

use crate::diff::{AttributeDiff, Class, Elements, Side};
use crate::plan::saved::declared;
use crate::plan::{Action, Note, Reason, ResourceChange, Subject};
use crate::resource::{BackendId, Kind, declaration};

/// What happens to one resource.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// To what.
    pub subject: Subject,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendId>,
    /// What happens.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Every attribute that is worth a line, changed or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Attribute>,
    /// Attributes whose value was marked sensitive.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sensitive: BTreeSet<String>,
    /// What else must be said about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// What happens to one attribute. A secret is its fingerprint, or `none`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Why.
    pub class: Class,
    /// What the device has.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub before: Option<Json>,
    /// What it will have.
    #[serde(default = "unset", skip_serializing_if = "is_unset")]
    pub after: Side,
    /// What was last applied, when it is neither.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub was: Option<Json>,
    /// For a set that is owned element by element: what is added and removed, and what is ours afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elements: Option<Elements>,
}

/// A change before its attributes are found among the declarations.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    subject: Subject,
    #[serde(default)]
    backend: Option<BackendId>,
    action: Action,
    reason: Reason,
    #[serde(default)]
    attributes: Vec<Attribute>,
    #[serde(default)]
    sensitive: BTreeSet<String>,
    #[serde(default)]
    notes: Vec<Note>,
}

impl<'de> Deserialize<'de> for Change {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Unchecked { subject, backend, action, reason, attributes, sensitive, notes } =
            Unchecked::deserialize(deserializer)?;
        let kind = kind(&subject);
        let is_known =
            |name: &str| kind.is_some_and(|it| declaration::attribute(it, name).is_some());
        if attributes.iter().any(|it| !is_known(&it.name)) {
            return Err(D::Error::custom("a change is of an attribute that there is not"));
        }
        if sensitive.iter().any(|it| declared(it).is_none()) {
            return Err(D::Error::custom("an attribute is sensitive that there is not"));
        }
        Ok(Self { subject, backend, action, reason, attributes, sensitive, notes })
    }
}

/// Returns what kind of resource a change is of; none of a backend itself.
pub(super) fn kind(subject: &Subject) -> Option<Kind> {
    match subject {
        Subject::Resource(address) => Some(address.kind),
        Subject::Unmanaged { .. } => Some(Kind::Peer),
        Subject::Backend(_) => None,
    }
}

impl From<&ResourceChange> for Change {
    fn from(change: &ResourceChange) -> Self {
        let ResourceChange { subject, backend, action, reason, attributes, sensitive, notes } =
            change;
        Self {
            subject: subject.clone(),
            backend: backend.clone(),
            action: *action,
            reason: reason.clone(),
            attributes: attributes.iter().map(Attribute::from).collect(),
            sensitive: sensitive.iter().map(|it| (*it).to_owned()).collect(),
            notes: notes.clone(),
        }
    }
}

impl From<&AttributeDiff> for Attribute {
    fn from(diff: &AttributeDiff) -> Self {
        let AttributeDiff { attribute, class, before, after, was, elements } = diff;
        Self {
            name: attribute.name.to_owned(),
            class: *class,
            before: before.clone(),
            after: after.clone(),
            was: was.clone(),
            elements: elements.as_deref().cloned(),
        }
    }
}

impl Attribute {
    /// Returns whether the device has to be written to.
    pub fn is_write(&self) -> bool {
        matches!(self.class, Class::Drift | Class::Change)
    }
}

impl From<&Change> for ResourceChange {
    fn from(change: &Change) -> Self {
        let Change { subject, backend, action, reason, attributes, sensitive, notes } = change;
        let kind = kind(subject);
        let diff = |it: &Attribute| attribute_diff(kind?, it);
        Self {
            subject: subject.clone(),
            backend: backend.clone(),
            action: *action,
            reason: reason.clone(),
            attributes: attributes.iter().filter_map(diff).collect(),
            sensitive: sensitive.iter().filter_map(|it| declared(it)).collect(),
            notes: notes.clone(),
        }
    }
}

/// Finds an attribute among the declarations again.
pub(crate) fn attribute_diff(kind: Kind, it: &Attribute) -> Option<AttributeDiff> {
    let Attribute { name, class, before, after, was, elements } = it;
    Some(AttributeDiff {
        attribute: declaration::attribute(kind, name)?,
        class: *class,
        before: before.clone(),
        after: after.clone(),
        was: was.clone(),
        elements: elements.clone().map(Box::new),
    })
}

fn unset() -> Side {
    Side::Unset
}

fn is_unset(side: &Side) -> bool {
    *side == Side::Unset
}

/// Reads a value that is there: `null` is one too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}
