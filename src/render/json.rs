//! What is there and what changes, as data for other programs, in the shape of Terraform's plan and state JSON where the
//! meaning is the same.
//!
//! No secret is in it: a pre-shared key is its fingerprint, which says whether it changed and nothing else, and anything
//! else that must not be shown is the text that stands for it on a terminal, with a mark in `before_sensitive` or
//! `after_sensitive`.

pub mod drifted;
pub mod guarded;
pub mod plan;
pub mod state;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::diff::{AttributeDiff, Class, Side};
use crate::plan::{Action, BackendView, Plan, Reason, ResourceChange, Subject};
use crate::render::plan::{fate, goes_first, notes, observed};
use crate::render::printable;
use crate::render::value::SENSITIVE;
use crate::resource::address::path;
use crate::resource::{Address, Attribute, BackendId, InstanceKey};
use crate::value::Fingerprint;

/// Attributes by name.
pub type Values = BTreeMap<String, Json>;

/// What happens to one object, in the words of Terraform.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// What is done, in order: `no-op`, `create`, `update`, `delete`, `forget`, or two of them for a replacement.
    pub actions: Vec<&'static str>,
    /// What is there; null when nothing is.
    pub before: Option<Values>,
    /// What will be there, as far as it is known; null when nothing will be.
    pub after: Option<Values>,
    /// `true` for each attribute that is known after the apply.
    pub after_unknown: Values,
    /// `true` for each attribute of `before` that is not shown; `false` when there is nothing before.
    pub before_sensitive: Json,
    /// `true` for each attribute of `after` that is not shown; `false` when there is nothing after.
    pub after_sensitive: Json,
    /// The attributes that cannot change on an object that exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace_paths: Option<Vec<Vec<&'static str>>>,
    /// What is taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importing: Option<Importing>,
}

/// What an object that is taken over is found by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Importing {
    /// Its name or key on the device.
    pub id: String,
}

/// A backend that something is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Place {
    /// The name of its block.
    pub id: String,
    /// The kind of its block; absent where nobody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// Whether it is only pretended.
    pub simulated: bool,
}

impl Place {
    /// Names where something is.
    pub fn of(id: Option<&BackendId>, views: &BTreeMap<BackendId, BackendView>) -> Option<Self> {
        let id = id?;
        let view = views.get(id);
        Some(Self {
            id: id.to_string(),
            kind: view.map(|it| it.kind.as_str()),
            simulated: view.is_some_and(|it| it.simulated),
        })
    }

    /// Names what makes the objects there, as a provider does for Terraform.
    pub fn provider(place: Option<&Self>) -> String {
        let kind = place.and_then(|it| it.kind);
        kind.map_or_else(|| "wgform".to_owned(), |kind| format!("wgform/{kind}"))
    }
}

/// Why something happens, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Nothing happens.
    NoChange,
    /// It is in the configuration and was not made yet.
    New,
    /// The configuration changed.
    Configuration,
    /// It was changed outside of wgform, and only that.
    Drift,
    /// It was removed outside of wgform.
    Gone,
    /// Its host was rebooted.
    Rebooted,
    /// It was changed or removed outside of wgform, and that is taken for true.
    Observed,
    /// `-replace` asks for it.
    Requested,
    /// `replace_triggered_by` names something that changes.
    Triggered,
    /// Its interface is made anew, because it was removed.
    GoneWithInterface,
    /// Its interface is made anew, because of a change.
    WithInterface,
    /// An attribute cannot be changed on an object that exists.
    CannotUpdate,
    /// It is no longer in the configuration.
    NotConfigured,
    /// A `removed` block says so.
    Removed,
    /// Its `public_key` became `null`.
    BecamePending,
    /// Everything goes.
    Destroy,
    /// An apply was cut off in the middle of it.
    Interrupted,
    /// Nobody declared it, and `unmanaged_peers = "remove"`.
    Unmanaged,
    /// It was replaced earlier, and the old object is still there.
    Deposed,
}

impl From<&Reason> for Why {
    fn from(reason: &Reason) -> Self {
        match reason {
            Reason::New => Self::New,
            Reason::Configuration => Self::Configuration,
            Reason::Drift => Self::Drift,
            Reason::Gone => Self::Gone,
            Reason::Rebooted => Self::Rebooted,
            Reason::Observed => Self::Observed,
            Reason::Requested => Self::Requested,
            Reason::Triggered { .. } => Self::Triggered,
            Reason::GoneWithInterface => Self::GoneWithInterface,
            Reason::WithInterface => Self::WithInterface,
            Reason::CannotUpdate(_) => Self::CannotUpdate,
            Reason::NotConfigured => Self::NotConfigured,
            Reason::Removed(_) => Self::Removed,
            Reason::BecamePending => Self::BecamePending,
            Reason::Destroy => Self::Destroy,
            Reason::Interrupted => Self::Interrupted,
            Reason::Unmanaged => Self::Unmanaged,
            Reason::Deposed => Self::Deposed,
        }
    }
}

/// What wgform says of a change beyond what Terraform has a word for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Remarks {
    /// Where it is; absent for what lives in the state only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<Place>,
    /// Why it happens, in one word.
    pub why: Why,
    /// What happens and why, as a plan says it; of drift, what has happened.
    pub fate: String,
    /// Whether any of it undoes what was changed outside of wgform.
    pub undoes_drift: bool,
    /// What else must be said about it: sessions that are cut, files that are written, commands that run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Remarks {
    /// Says what there is to say of a change.
    pub fn of(plan: &Plan, change: &ResourceChange) -> Self {
        Self {
            backend: Place::of(change.backend.as_ref(), &plan.views),
            why: Why::from(&change.reason),
            fate: printable(&fate(plan, change)).into_owned(),
            undoes_drift: change.has_drift(),
            notes: notes(change).iter().map(|it| printable(it).into_owned()).collect(),
        }
    }

    /// Says of drift what has happened, and not what an apply does about it.
    pub fn of_drift(plan: &Plan, change: &ResourceChange) -> Self {
        Self {
            why: Why::from(&change.reason),
            undoes_drift: change.has_drift(),
            ..Self::of(plan, &observed(change))
        }
    }
}

/// Returns what is done, in Terraform's words.
pub fn actions(plan: &Plan, change: &ResourceChange) -> Vec<&'static str> {
    match change.action {
        Action::Create => vec!["create"],
        Action::Update => vec!["update"],
        Action::Replace if goes_first(plan, change) => vec!["delete", "create"],
        Action::Replace => vec!["create", "delete"],
        Action::Delete => vec!["delete"],
        Action::Forget => vec!["forget"],
    }
}

/// Returns Terraform's word for why something happens, where it has one.
pub fn action_reason(change: &ResourceChange) -> Option<&'static str> {
    match (change.action, &change.reason) {
        (Action::Replace, Reason::Requested) => Some("replace_by_request"),
        (Action::Replace, Reason::Triggered { .. }) => Some("replace_by_triggers"),
        (Action::Replace, Reason::CannotUpdate(_)) => Some("replace_because_cannot_update"),
        (Action::Delete, Reason::NotConfigured) => Some("delete_because_no_resource_config"),
        _ => None,
    }
}

/// Says what a plan does to one object.
pub fn change(plan: &Plan, change: &ResourceChange) -> Change {
    let (mut before, mut after) = (Shown::default(), Shown::default());
    let mut after_unknown = Values::new();
    for diff in &change.attributes {
        let name = diff.attribute.name;
        let is_marked = change.sensitive.contains(name);
        if let Some(json) = &diff.before {
            before.take(diff.attribute, is_marked, json);
        }
        match after_of(diff) {
            After::Known(json) => after.take(diff.attribute, is_marked, json),
            After::Null if change.action == Action::Update => after.clear(name),
            After::Null => {}
            After::Unknown => _ = after_unknown.insert(name.to_owned(), json!(true)),
        }
    }
    let is_there = change.action != Action::Create;
    let will_be = !matches!(change.action, Action::Delete | Action::Forget);
    let (before, before_sensitive) = before.when(is_there);
    let (after, after_sensitive) = after.when(will_be);
    let address = change.subject.address();
    Change {
        actions: actions(plan, change),
        before,
        after,
        after_unknown: if will_be { after_unknown } else { Values::new() },
        before_sensitive,
        after_sensitive,
        replace_paths: match change.reason {
            Reason::CannotUpdate(name) => Some(vec![vec![name]]),
            _ => None,
        },
        importing: address
            .and_then(|it| plan.imported.get(it))
            .map(|id| Importing { id: printable(id).into_owned() }),
    }
}

/// Says how what is there differs from what was last applied: Terraform's `resource_drift`. Returns nothing for a change
/// without drift.
pub fn drift(plan: &Plan, change: &ResourceChange) -> Option<Change> {
    if !change.has_drift() {
        return None;
    }
    if change.reason == Reason::Observed {
        // It is about that and nothing else.
        return Some(Change { importing: None, ..self::change(plan, change) });
    }
    let is_gone =
        matches!(change.reason, Reason::Gone | Reason::Rebooted | Reason::GoneWithInterface);
    let (mut before, mut after) = (Shown::default(), Shown::default());
    for diff in &change.attributes {
        let is_marked = change.sensitive.contains(diff.attribute.name);
        if let Some(json) = applied(diff, is_gone) {
            before.take(diff.attribute, is_marked, json);
        }
        match (&diff.before, diff.class) {
            (Some(json), _) => after.take(diff.attribute, is_marked, json),
            (None, Class::Drift) => after.clear(diff.attribute.name),
            (None, _) => {}
        }
    }
    let (before, before_sensitive) = before.when(true);
    let (after, after_sensitive) = after.when(!is_gone);
    Some(Change {
        actions: vec![if is_gone { "delete" } else { "update" }],
        before,
        after,
        after_unknown: Values::new(),
        before_sensitive,
        after_sensitive,
        replace_paths: None,
        importing: None,
    })
}

/// Returns what was last applied, as far as a difference tells: where only the device strayed, that is what is wanted.
fn applied(diff: &AttributeDiff, is_gone: bool) -> Option<&Json> {
    match (&diff.after, diff.class) {
        (Side::Known(json), Class::Drift) => Some(json),
        (Side::Known(json), _) if is_gone => Some(json),
        (_, Class::Change) => diff.was.as_ref().or(diff.before.as_ref()),
        _ => diff.before.as_ref(),
    }
}

enum After<'a> {
    Known(&'a Json),
    Unknown,
    Null,
}

fn after_of(diff: &AttributeDiff) -> After<'_> {
    match (&diff.after, &diff.before) {
        (Side::Known(json), _) => After::Known(json),
        (Side::Unknown, _) => After::Unknown,
        (Side::Unset, Some(json)) if !diff.is_write() => After::Known(json),
        (Side::Unset, _) => After::Null,
    }
}

/// The values on one side of a change, and which of them are not shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    values: Values,
    sensitive: Values,
}

impl Shown {
    /// Adds a value, or what stands for it.
    pub(super) fn take(&mut self, attribute: &Attribute, is_marked: bool, json: &Json) {
        let (json, is_sensitive) = redacted(attribute, is_marked, json);
        let name = attribute.name.to_owned();
        if is_sensitive {
            self.sensitive.insert(name.clone(), json!(true));
        }
        self.values.insert(name, json);
    }

    /// Adds a value that nothing else is known of.
    pub(super) fn plain(&mut self, name: &str, json: Json) {
        self.values.insert(name.to_owned(), json);
    }

    fn clear(&mut self, name: &str) {
        self.values.insert(name.to_owned(), Json::Null);
    }

    /// Returns the values with their marks, or nothing, as Terraform writes it.
    pub(super) fn when(self, is_there: bool) -> (Option<Values>, Json) {
        match is_there {
            true => (Some(self.values), json!(self.sensitive)),
            false => (None, json!(false)),
        }
    }
}

/// Returns a value as it may be shown, and whether it is not shown. That there is no pre-shared key is no secret.
fn redacted(attribute: &Attribute, is_marked: bool, json: &Json) -> (Json, bool) {
    let is_secret = attribute.form.is_secret() && json != "none";
    let is_fingerprint = |text: &str| text.parse::<Fingerprint>().is_ok();
    match json {
        _ if !is_secret && !is_marked => (json.clone(), false),
        Json::String(text) if is_secret && is_fingerprint(text) => (json.clone(), true),
        _ => (SENSITIVE.into(), true),
    }
}

/// Returns the key of an instance: a number or a text.
pub fn index(address: &Address) -> Option<Json> {
    address.key().map(|key| match key {
        InstanceKey::Index(index) => json!(index),
        InstanceKey::Name(name) => json!(name),
    })
}

/// Returns the address of the module that a resource is in; nothing for the root.
pub fn module(address: &Address) -> Option<String> {
    Some(path(address.module())).filter(|it| !it.is_empty())
}

/// How other programs call the resource that something happens to.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ResourceName {
    /// Its whole address; of a backend `backend.ID`, and empty for a peer that nobody declared, which has none.
    pub addr: String,
    /// The address of its module; empty for the root.
    pub module: String,
    /// Its address in that.
    pub resource: String,
    /// What makes it: always `wgform`.
    pub implied_provider: &'static str,
    /// `interface`, `peer` or `preshared_key`; `backend` or `unmanaged_peer` for what is no resource.
    pub resource_type: &'static str,
    /// The label of its block; of a peer that nobody declared its public key.
    pub resource_name: String,
    /// Its instance, when the block is repeated: a number or a text.
    pub resource_key: Option<Json>,
    /// Of a peer that nobody declared: the address of the interface that it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
}

impl From<&Address> for ResourceName {
    fn from(address: &Address) -> Self {
        let key = address.key().map(ToString::to_string).unwrap_or_default();
        Self {
            addr: address.to_string(),
            module: path(address.module()),
            resource: format!("{}.{}{key}", address.kind, address.label),
            implied_provider: "wgform",
            resource_type: address.kind.as_str(),
            resource_name: address.label.to_string(),
            resource_key: index(address),
            interface: None,
        }
    }
}

impl From<&Subject> for ResourceName {
    fn from(subject: &Subject) -> Self {
        match subject {
            Subject::Resource(address) => Self::from(address),
            Subject::Backend(id) => Self::other(&subject.to_string(), "backend", id.as_str()),
            Subject::Unmanaged { interface, public_key } => {
                Self::unmanaged(&public_key.to_string(), &interface.to_string())
            }
        }
    }
}

impl ResourceName {
    /// Names what is no resource.
    pub fn other(addr: &str, kind: &'static str, name: &str) -> Self {
        Self {
            addr: addr.to_owned(),
            module: String::new(),
            resource: addr.to_owned(),
            implied_provider: "wgform",
            resource_type: kind,
            resource_name: name.to_owned(),
            resource_key: None,
            interface: None,
        }
    }

    /// Names a peer that nobody declared. It has no address, and what looks like one would be taken for one.
    fn unmanaged(public_key: &str, interface: &str) -> Self {
        let interface = Some(interface.to_owned());
        Self { interface, ..Self::other("", "unmanaged_peer", public_key) }
    }

    /// Names what an event calls by its text.
    pub fn parse(subject: &str) -> Self {
        if let Ok(address) = subject.parse::<Address>() {
            return Self::from(&address);
        }
        match subject.strip_prefix("backend.") {
            Some(id) => Self::other(subject, "backend", id),
            None => {
                let words = subject.strip_prefix("unmanaged peer ").unwrap_or(subject);
                let (key, interface) = words.split_once(" of ").unwrap_or((words, ""));
                Self::unmanaged(key, interface)
            }
        }
    }
}
