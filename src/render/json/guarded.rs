//! What a plan leaves alone, and what it does to the ways to backends, for other programs.

use schemars::JsonSchema;
use serde::Serialize;

use crate::plan::{Action, PathFate, Plan};
use crate::render::printable;

/// Something that is left alone for a time, and would have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Held {
    /// What.
    pub address: String,
    /// Where; absent for what lives in the state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// What would happen to it: `create`, `update`, `replace`, `delete` or `forget`; absent for what only stays with
    /// something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// What it stays with, where that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// The attributes that would change.
    pub attributes: Vec<&'static str>,
    /// Whether its device differs from what was last applied.
    pub is_drift: bool,
    /// The hold, by the label of its block or by what it was made for.
    pub hold: String,
    /// Who made it by a command; absent for a block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// Why.
    pub reason: String,
    /// Until when.
    pub expires_at: String,
}

/// What a plan does to the way to a backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ManagementPath {
    /// To which.
    pub backend: String,
    /// How it is reached.
    pub path: String,
    /// What is done to the parts of that.
    pub changes: Vec<String>,
    /// What becomes of it: `refused`, `allowed`, `left_behind`, `far_end_first` or `new_way_first`.
    pub fate: &'static str,
    /// The way that is there first, where it is that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_way: Option<String>,
}

/// Lists what is left alone.
pub fn held(plan: &Plan) -> Vec<Held> {
    let text = |it: &str| printable(it).into_owned();
    let one = |it: &crate::plan::Held| Held {
        address: it.address.to_string(),
        backend: it.backend.as_ref().map(ToString::to_string),
        action: match &it.action {
            Some((action, _)) => Some(*action),
            None => it.with.is_none().then_some(Action::Update),
        },
        with: it.with.as_ref().map(ToString::to_string),
        attributes: it.attributes.iter().map(|diff| diff.attribute.name).collect(),
        is_drift: it.is_drift(),
        hold: text(&it.hold.name),
        made_by: it.hold.made.as_ref().map(|made| text(&made.by)),
        reason: text(&it.hold.reason),
        expires_at: it.hold.expires_at.to_string(),
    };
    crate::drift::in_order(plan).into_values().flatten().map(one).collect()
}

/// Lists the ways to backends that a plan touches.
pub fn management_paths(plan: &Plan) -> Vec<ManagementPath> {
    let text = |it: &String| printable(it).into_owned();
    let one = |it: &crate::plan::PathChange| {
        let (fate, new_way) = match &it.fate {
            PathFate::Refused => ("refused", None),
            PathFate::Allowed => ("allowed", None),
            PathFate::LeftBehind => ("left_behind", None),
            PathFate::FarEndFirst => ("far_end_first", None),
            PathFate::NewWayFirst(way) => ("new_way_first", Some(text(way))),
        };
        ManagementPath {
            backend: it.backend.to_string(),
            path: text(&it.path),
            changes: it.changes.iter().map(text).collect(),
            fate,
            new_way,
        }
    };
    plan.paths.iter().map(one).collect()
}
