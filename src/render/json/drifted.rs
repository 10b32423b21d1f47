//! What a look for drift finds beside what counts, for other programs.

use schemars::JsonSchema;
use serde::Serialize;

use crate::drift::Report;
use crate::plan::Plan;
use crate::render::printable;
use crate::state::{Hold, HoldKind};

/// Why something may differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Entry {
    /// The label of the `known_drift` block.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Until when.
    pub expires_at: String,
}

/// What a device does not show, so that nobody knows whether it was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NotChecked {
    /// The resource.
    pub address: String,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Its attributes.
    pub attributes: Vec<&'static str>,
}

/// An interface that nobody declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnknownInterface {
    /// Where.
    pub backend: String,
    /// Its name there.
    pub name: String,
    /// How many peers it has.
    pub peers: usize,
}

/// A hold, or an entry of known drift, whose time is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Expired {
    /// `hold` or `known_drift`.
    pub kind: HoldKind,
    /// The label of its block, or what it was made for.
    pub hold: String,
    /// What it was about, as far as that is there.
    pub targets: Vec<String>,
    /// Who made it by a command; absent for a block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// Why.
    pub reason: String,
    /// When it ended.
    pub expires_at: String,
}

/// A backend that was read and is not believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Doubted {
    /// Which.
    pub backend: String,
    /// The resources whose objects are missing there.
    pub missing: Vec<String>,
}

impl Entry {
    /// Says why drift is known.
    pub fn of(hold: &Hold) -> Self {
        Self {
            name: text(&hold.name),
            reason: text(&hold.reason),
            expires_at: hold.expires_at.to_string(),
        }
    }
}

/// Lists what no device shows.
pub fn not_checked(plan: &Plan) -> impl Iterator<Item = NotChecked> {
    plan.unchecked.iter().map(|(address, names)| NotChecked {
        address: address.to_string(),
        backend: plan
            .state
            .resources
            .get(address)
            .and_then(|it| it.backend.as_ref())
            .map(ToString::to_string),
        attributes: names.iter().copied().collect(),
    })
}

/// Lists the interfaces that nobody declared.
pub fn unknown_interfaces(report: &Report) -> impl Iterator<Item = UnknownInterface> {
    report.unknown.iter().map(|it| UnknownInterface {
        backend: it.backend.to_string(),
        name: text(&it.name),
        peers: it.peers,
    })
}

/// Lists the holds whose time is up.
pub fn expired(plan: &Plan) -> impl Iterator<Item = Expired> {
    plan.holds.expired.iter().map(|it| Expired {
        kind: it.kind,
        hold: text(&it.name),
        targets: it.targets.iter().map(ToString::to_string).collect(),
        made_by: it.made.as_ref().map(|made| text(&made.by)),
        reason: text(&it.reason),
        expires_at: it.expires_at.to_string(),
    })
}

/// Lists the backends that are not believed.
pub fn doubted(plan: &Plan) -> impl Iterator<Item = Doubted> {
    plan.doubted.iter().map(|(id, missing)| Doubted {
        backend: id.to_string(),
        missing: missing.iter().map(ToString::to_string).collect(),
    })
}

fn text(text: &str) -> String {
    printable(text).into_owned()
}
