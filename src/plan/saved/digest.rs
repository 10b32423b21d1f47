//! What a plan does, in a few letters.
//!
//! The digest is over the actions of a plan and the values that they write, not over any file: a comment changes
//! nothing about it. What it leaves out, so that whoever makes the plan again gets the same one:
//!
//! * the order, the time, and how long ago anything was,
//! * ids, serials and the identity of devices,
//! * what a device may hide from one user and show another: a pre-shared key counts when the configuration changes it,
//!   not when the device has another one,
//! * where a peer is now, since it may roam.
//!
//! Secrets are in it as their fingerprints.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::diff::{Class, Side};
use crate::plan::saved::change::{self, Attribute, Change};
use crate::plan::saved::hex;
use crate::plan::saved::redact::{self, Redaction};
use crate::plan::{Action, Note, Plan};
use crate::resource::declaration;
use crate::value::InvalidValue;

/// The digest of a plan: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 16]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for Digest {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let wrong = || {
            InvalidValue::new("this is not the digest of a plan")
                .hint("write the 32 digits that `wgform plan` prints behind `Digest:`")
        };
        if text.len() != 32 || !text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(wrong());
        }
        u128::from_str_radix(text, 16).map(|it| Self(it.to_be_bytes())).map_err(|_| wrong())
    }
}

/// Returns the digest of a plan. A first one was made before there was a state.
pub fn digest(plan: &Plan, is_first: bool) -> Digest {
    let redaction = Redaction::new(plan, is_first);
    let changes: Vec<Change> = plan.changes.iter().map(|it| redaction.change(it)).collect();
    of(&changes, plan)
}

/// Returns the digest of a plan whose changes are without secrets already.
pub(super) fn of(changes: &[Change], plan: &Plan) -> Digest {
    let changes: Vec<String> = changes.iter().filter(|it| !it.is_unseen()).map(seen).collect();
    let outputs = redact::outputs(&plan.outputs).into_iter().map(|it| {
        let after = it.after.map(|after| json!([after.value, after.is_sensitive]));
        json!(["output", it.name, after])
    });
    let moved = plan.moved.iter().map(|(new, old)| json!(["moved", old, new]));
    let imported = plan.imported.iter().map(|(address, id)| json!(["imported", address, id]));
    let others = outputs.chain(moved).chain(imported).map(|it| it.to_string());
    let mut lines: Vec<String> = others.chain(changes).collect();
    lines.sort();
    let mut hasher = Sha256::new();
    hasher.update(b"wgform plan digest 1\0");
    for line in lines {
        hasher.update((line.len() as u64).to_be_bytes());
        hasher.update(line.as_bytes());
    }
    let full = hasher.finalize();
    let mut short = [0; 16];
    short.copy_from_slice(&full[..16]);
    Digest(short)
}

/// Says what a change does, as a line of JSON.
fn seen(change: &Change) -> String {
    let attributes = change.attributes.iter().filter_map(|it| written(change, it));
    let mut attributes: Vec<String> = attributes.collect();
    attributes.sort();
    let mut notes: Vec<String> = change.lasting_notes().collect();
    notes.sort();
    let subject = json_of(&change.subject.to_string());
    let (backend, action) = (json_of(&change.backend), json_of(&change.action));
    let (attributes, notes) = (attributes.join(","), json_of(&notes));
    format!("[\"change\",{subject},{backend},{action},[{attributes}],{notes}]")
}

/// Writes a text at once: to make a tree of ten thousand changes first takes longer than all else here.
fn json_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("what is in a plan has texts as keys")
}

/// Says what a change does to an attribute, if anything.
fn written(change: &Change, it: &Attribute) -> Option<String> {
    let is_made = matches!(change.action, Action::Create | Action::Replace);
    if change.action == Action::Delete || change.action == Action::Forget {
        return None;
    }
    let is_secret = change.is_secret(&it.name);
    if !is_made && (!it.is_write() || is_secret && it.class == Class::Drift) {
        return None;
    }
    if is_made && it.after == Side::Unset {
        return None;
    }
    if let Some(elements) = it.elements.as_ref().filter(|_| !is_made) {
        // What else is in the set is nobody's business.
        return Some(json_of(&(&it.name, elements)));
    }
    let shows_before = !is_made && !is_secret && it.name != ROAMING;
    let before = it.before.as_ref().filter(|_| shows_before);
    Some(json_of(&(&it.name, before, &it.after)))
}

/// The attribute of which the device has a value of its own.
pub(super) const ROAMING: &str = "endpoint";

impl Change {
    /// Returns whether an attribute may be hidden from who reads the device.
    pub(super) fn is_secret(&self, name: &str) -> bool {
        let declared = change::kind(&self.subject).and_then(|it| declaration::attribute(it, name));
        declared.is_some_and(|it| it.form.is_secret())
    }

    /// Returns whether it only puts back a secret that was changed outside of wgform, which not everybody can see.
    pub(super) fn is_unseen(&self) -> bool {
        let mut writes = self.attributes.iter().filter(|it| it.is_write()).peekable();
        self.action == Action::Update
            && writes.peek().is_some()
            && writes.all(|it| it.class == Class::Drift && self.is_secret(&it.name))
            && self.lasting_notes().next().is_none()
    }

    /// Returns whether any of it puts back such a secret.
    pub(super) fn puts_back_a_secret(&self) -> bool {
        let mut attributes = self.attributes.iter();
        attributes.any(|it| it.class == Class::Drift && self.is_secret(&it.name))
    }

    /// Returns what else is said about it, without what changes by itself.
    pub(super) fn lasting_notes(&self) -> impl Iterator<Item = String> {
        self.notes.iter().filter_map(|note| {
            let told = match note {
                Note::LastHandshake(_) => return None,
                // What is in it follows from the rest.
                Note::File { path, change: _ } => json!(["file", path]),
                note => json!(note),
            };
            Some(told.to_string())
        })
    }
}
