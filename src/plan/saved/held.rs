//! What a plan leaves alone, as a file holds it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diff::AttributeDiff;
use crate::plan::saved::redact::Redaction;
use crate::plan::saved::{Attribute, attribute_diff};
use crate::plan::{Action, Held, Reason};
use crate::resource::{Address, BackendId};
use crate::state::Hold;

/// Something that is left alone, and would have changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftAlone {
    /// What.
    pub address: Address,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendId>,
    /// By what.
    pub hold: Hold,
    /// What it stands on, where that is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Address>,
    /// What would happen to it as a whole, and why; none where it would be changed where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<(Action, Reason)>,
    /// The attributes that would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Attribute>,
}

impl LeftAlone {
    /// Says what is left alone, without its secrets.
    pub(super) fn of(held: &Held, redaction: &Redaction) -> Self {
        let Held { address, backend, hold, with, action, attributes } = held;
        Self {
            address: address.clone(),
            backend: backend.clone(),
            hold: (**hold).clone(),
            with: with.clone(),
            action: action.clone(),
            attributes: attributes.iter().map(|it| redaction.attribute(it)).collect(),
        }
    }

    /// Returns it as it can be shown.
    pub(super) fn shown(&self) -> Held {
        let Self { address, backend, hold, with, action, attributes } = self;
        let diff = |it: &Attribute| -> Option<AttributeDiff> { attribute_diff(address.kind, it) };
        Held {
            address: address.clone(),
            backend: backend.clone(),
            hold: Arc::new(hold.clone()),
            with: with.clone(),
            action: action.clone(),
            attributes: attributes.iter().filter_map(diff).collect(),
        }
    }
}
