//! What of a plan may be in a file.
//!
//! A plan knows a pre-shared key as its fingerprint under the key of its state. Before there is a state, that key is one
//! that nobody else will ever have; then a key stands there under a fixed one, so that the same plan made on another
//! machine says the same. A fingerprint is of 32 random bytes, so knowing how it was made helps nobody to guess them.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::config::Wanted;
use crate::diff::{AttributeDiff, Side};
use crate::plan::saved::change::{Attribute, Change};
use crate::plan::{OutputChange, Plan, ResourceChange, SecretSource};
use crate::resource::{Field, Form};
use crate::value::{FingerprintKey, PresharedKey};

/// Stands for a value that must not be seen and is no key.
const SENSITIVE: &str = "(sensitive value)";
/// Stands for a secret that a device holds and nobody knows the fingerprint of.
const SECRET: &str = "(secret)";
/// The key of the fingerprints in a plan that was made before there was a state.
const FIRST: [u8; 32] = *b"wgform: a plan without any state";

/// How the secrets of one plan are written.
pub(super) struct Redaction {
    /// For a first plan: the fingerprint under its own key, and the one that is written.
    first: Option<BTreeMap<String, String>>,
}

impl Redaction {
    pub(super) fn new(plan: &Plan, is_first: bool) -> Self {
        let own = &plan.state.fingerprint_key;
        let fixed = FingerprintKey::from_bytes(FIRST);
        let pair = |secret: &PresharedKey| {
            let under = |key: &FingerprintKey| key.fingerprint(secret.expose_bytes()).to_string();
            (under(own), under(&fixed))
        };
        let first = is_first.then(|| secrets(plan).map(pair).collect());
        Self { first }
    }

    /// Says what happens to a resource, without its secrets.
    pub(super) fn change(&self, change: &ResourceChange) -> Change {
        let mut written = Change::from(change);
        let forms: Vec<Form> = change.attributes.iter().map(|it| it.attribute.form).collect();
        for (attribute, form) in written.attributes.iter_mut().zip(forms) {
            let is_sensitive = written.sensitive.contains(&attribute.name);
            match form {
                Form::PresharedKey => self.each(attribute, |it| self.secret(it)),
                // It is its public key already.
                Form::PrivateKey => {}
                _ if is_sensitive => self.each(attribute, |_| Json::from(SENSITIVE)),
                _ => {}
            }
        }
        written
    }

    /// Says what would happen to an attribute, without its secret.
    pub(super) fn attribute(&self, diff: &AttributeDiff) -> Attribute {
        let mut written = Attribute::from(diff);
        if diff.attribute.form == Form::PresharedKey {
            self.each(&mut written, |it| self.secret(it));
        }
        written
    }

    fn each(&self, attribute: &mut Attribute, replace: impl Fn(&Json) -> Json) {
        let Attribute { name: _, class: _, before, after, was, elements } = attribute;
        for side in [before, was] {
            *side = side.as_ref().map(&replace);
        }
        if let Side::Known(json) = after {
            *json = replace(json);
        }
        *elements = None;
    }

    fn secret(&self, json: &Json) -> Json {
        let (Some(first), Json::String(text)) = (&self.first, json) else { return json.clone() };
        match (text.as_str(), first.get(text)) {
            ("none", _) => json.clone(),
            (_, Some(fixed)) => Json::from(fixed.as_str()),
            (_, None) => Json::from(SECRET),
        }
    }
}

/// Returns the pre-shared keys that a plan knows.
fn secrets(plan: &Plan) -> impl Iterator<Item = &PresharedKey> {
    let wanted = plan.resources.values().filter_map(|desired| {
        match desired.fields.get("preshared_key").or_else(|| desired.fields.get("value"))? {
            Wanted::Known(Field::PresharedKey(Some(key))) => Some(key),
            _ => None,
        }
    });
    let of_blocks = plan.secrets.values().filter_map(|source| match source {
        SecretSource::Known(key) => Some(key),
        SecretSource::Kept(_) | SecretSource::New => None,
    });
    wanted.chain(of_blocks)
}

/// Returns the changes of outputs, without the values of sensitive ones.
pub(super) fn outputs(changes: &[OutputChange]) -> Vec<OutputChange> {
    let redacted = |change: &OutputChange| {
        let mut change = change.clone();
        if let Some(output) = change.after.as_mut().filter(|it| it.is_sensitive) {
            output.value = None;
            // It may have been shown before it became one.
            change.before = None;
        }
        change
    };
    changes.iter().map(redacted).collect()
}
