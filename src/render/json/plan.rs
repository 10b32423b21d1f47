//! A plan as one document, in the shape of `terraform show -json PLANFILE`, so that what reads the one reads the other.
//!
//! What Terraform has no place for is under names of its own: `unmanaged_peers`, `unreachable`, `sessions`, `one_sided`
//! and what is beside `change`. `variables` is left out, because any of them may hold a secret, and expressions are left
//! out of `configuration`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use crate::config::Desired;
use crate::plan::{OutputChange, Plan, ResourceChange, Subject};
use crate::render::json::guarded::{Held, ManagementPath, held, management_paths};
use crate::render::json::state::{Module, recorded, tree};
use crate::render::json::{
    Change, Place, Remarks, ResourceName, Values, Why, action_reason, change, drift, index, module,
};
use crate::render::printable;
use crate::render::value::SENSITIVE;
use crate::resource::Address;

/// The version of Terraform's format that this has the shape of.
pub const FORMAT: &str = "1.2";

/// The version of Terraform whose documents have that shape: some tools look for it before they read on.
pub const TERRAFORM: &str = "1.11.4";

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Document {
    /// The version of Terraform's format that this has the shape of.
    pub format_version: &'static str,
    /// The version of Terraform whose plans have that shape; not a program that was used.
    pub terraform_version: &'static str,
    /// The version of wgform that made it.
    pub wgform_version: &'static str,
    /// What the plan is called by, for whoever reviews it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What will be there, as far as it is known.
    pub planned_values: PlannedValues,
    /// What happens to each resource; one that stays as it is has the action `no-op`.
    pub resource_changes: Vec<ResourceChangeRecord>,
    /// What was changed outside of wgform since the last apply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_drift: Vec<ResourceChangeRecord>,
    /// What happens to peers that nobody declared and to backends themselves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_changes: Vec<OtherChange>,
    /// What happens to the outputs that change.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub output_changes: BTreeMap<String, OutputChangeRecord>,
    /// What is there.
    pub prior_state: PriorState,
    /// Which blocks there are, without what they say.
    pub configuration: Configuration,
    /// Whether an apply would do anything.
    pub applyable: bool,
    /// Whether all of it was looked at: nothing was left out by name, and every backend was read.
    pub complete: bool,
    /// Whether something stands in its way.
    pub errored: bool,
    /// Peers that nobody declared and that stay.
    pub unmanaged_peers: Vec<UnmanagedPeer>,
    /// Peers that wait for a key.
    pub pending_peers: Vec<String>,
    /// Backends that could not be read, with what was left out.
    pub unreachable: Vec<Unread>,
    /// The sessions that live, and those that an apply cuts.
    pub sessions: Sessions,
    /// The links of which one end changes and the other does not.
    pub one_sided: Vec<OneSided>,
    /// What is left alone for a time, and would have changed.
    pub held: Vec<Held>,
    /// The ways to backends that it touches.
    pub management_paths: Vec<ManagementPath>,
    /// What must be said before anything is done.
    pub refusals: Vec<Refusal>,
}

/// What will be there.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PlannedValues {
    /// The outputs that change; a value that is sensitive, or not known yet, is absent.
    pub outputs: BTreeMap<String, PlannedOutput>,
    /// The resources.
    pub root_module: Module,
}

/// An output as it will be.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PlannedOutput {
    /// Whether it is not shown.
    pub sensitive: bool,
    /// The value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
}

/// What is there, in the shape of a state.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PriorState {
    /// The version of Terraform's format of a state.
    pub format_version: &'static str,
    /// See the document.
    pub terraform_version: &'static str,
    /// What is there.
    pub values: PriorValues,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PriorValues {
    /// The resources.
    pub root_module: Module,
}

/// What happens to one resource.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ResourceChangeRecord {
    /// Its address.
    pub address: String,
    /// The address that it had before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_address: Option<String>,
    /// The module that it is in; absent in the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_address: Option<String>,
    /// Always `managed`.
    pub mode: &'static str,
    /// `interface`, `peer` or `preshared_key`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The label of its block.
    pub name: String,
    /// Its instance, when the block is repeated: a number or a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<Json>,
    /// `wgform/` and the kind of its backend, or `wgform` for what lives in the state.
    pub provider_name: String,
    /// Which of its older objects it is about, counted from 1; absent for the one that is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deposed: Option<String>,
    /// What happens.
    pub change: Change,
    /// Terraform's word for why, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_reason: Option<&'static str>,
    /// What Terraform has no word for.
    pub wgform: Remarks,
}

/// What happens to something that is no resource.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OtherChange {
    /// What it is.
    pub subject: ResourceName,
    /// What happens.
    pub change: Change,
    /// Where, and why.
    pub wgform: Remarks,
}

/// What happens to one output.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OutputChangeRecord {
    /// `create`, `update` or `delete`.
    pub actions: Vec<&'static str>,
    /// What it was.
    pub before: Json,
    /// What it will be; absent while it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Json>,
    /// Whether it is known after the apply.
    pub after_unknown: bool,
    /// Whether what it was is not shown.
    pub before_sensitive: bool,
    /// Whether what it will be is not shown.
    pub after_sensitive: bool,
}

/// A peer that nobody declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnmanagedPeer {
    /// The interface that it is on.
    pub interface: String,
    /// Where that is.
    pub backend: String,
    /// The name of the interface on the device.
    pub interface_name: String,
    /// Which.
    pub public_key: String,
    /// Its allowed IPs.
    pub allowed_ips: Vec<String>,
    /// How long ago its last handshake was; absent when it had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake_age_seconds: Option<u64>,
}

/// A backend that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unread {
    /// Which.
    pub backend: String,
    /// Why.
    pub reason: String,
    /// What to do.
    pub hints: Vec<String>,
    /// The resources that were left out.
    pub left_out: Vec<String>,
}

/// The sessions with a handshake in the last three minutes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sessions {
    /// How many there are.
    pub live: usize,
    /// How many of them outlive an apply.
    pub kept: usize,
    /// Those that do not.
    pub cut: Vec<CutSession>,
}

/// A session that an apply cuts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CutSession {
    /// The peer.
    pub peer: String,
    /// How long ago its last handshake was.
    pub handshake_age_seconds: u64,
}

/// A link of which one end changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OneSided {
    /// The end that changes.
    pub changed: String,
    /// The end that does not.
    pub left_out: String,
    /// The backend that could not be read and is the reason; absent where the end was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
}

/// Something that a plan may not do without being told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Refusal {
    /// What.
    pub message: String,
    /// What to do.
    pub hints: Vec<String>,
}

/// Which blocks there are.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Configuration {
    /// The kinds of backend that are used, under the name that resources call their provider by.
    pub provider_config: BTreeMap<String, Provider>,
    /// The blocks of the root module.
    pub root_module: Blocks,
}

/// A kind of backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Provider {
    /// The kind.
    pub name: String,
    /// The same, with what it belongs to.
    pub full_name: String,
}

/// The blocks of a module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Blocks {
    /// One for each block, however often it is repeated.
    pub resources: Vec<Block>,
    /// The modules that it calls, by label.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub module_calls: BTreeMap<String, Call>,
}

/// A call of a module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Call {
    /// Its blocks.
    pub module: Blocks,
}

/// A block that declares a resource.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Block {
    /// Its address in its module.
    pub address: String,
    /// Always `managed`.
    pub mode: &'static str,
    /// What it declares.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its label.
    pub name: String,
    /// The kind of backend that it is on, among `provider_config`.
    pub provider_config_key: String,
    /// Always empty: expressions may hold secrets.
    pub expressions: BTreeMap<String, Json>,
    /// Always 0.
    pub schema_version: u32,
}

/// Puts a plan into its document.
pub fn plan(plan: &Plan, digest: Option<&str>) -> Document {
    let mut resource_changes = resource_changes(plan);
    resource_changes.extend(unchanged(plan));
    resource_changes.sort_by(|one, other| one.0.cmp(&other.0));
    let is_current = |it: &&(Address, ResourceChangeRecord)| it.1.deposed.is_none();
    let side = |of: fn(&Change) -> (&Option<Values>, &Json)| {
        let all = resource_changes.iter().filter(is_current).filter_map(move |(address, it)| {
            let (values, sensitive) = of(&it.change);
            let values = values.clone()?;
            Some(recorded(address, &it.provider_name, values, sensitive.clone(), Vec::new()))
        });
        tree(all)
    };
    let planned = side(|change| (&change.after, &change.after_sensitive));
    let prior = side(|change| (&change.before, &change.before_sensitive));
    let configuration = configuration(plan, &resource_changes);
    Document {
        format_version: FORMAT,
        terraform_version: TERRAFORM,
        wgform_version: env!("CARGO_PKG_VERSION"),
        digest: digest.map(str::to_owned),
        planned_values: PlannedValues { outputs: planned_outputs(plan), root_module: planned },
        resource_changes: resource_changes.into_iter().map(|it| it.1).collect(),
        resource_drift: plan.changes.iter().filter_map(|it| drifted(plan, it)).collect(),
        other_changes: plan.changes.iter().filter_map(|it| other(plan, it)).collect(),
        output_changes: plan.outputs.iter().map(output_change).collect(),
        prior_state: PriorState {
            format_version: super::state::FORMAT,
            terraform_version: TERRAFORM,
            values: PriorValues { root_module: prior },
        },
        configuration,
        applyable: !plan.is_empty() && plan.refusals.is_empty(),
        complete: !plan.is_partial && plan.unreachable.is_empty(),
        errored: !plan.refusals.is_empty(),
        unmanaged_peers: unmanaged_peers(plan),
        pending_peers: plan.pending.iter().map(ToString::to_string).collect(),
        unreachable: unread(plan),
        sessions: sessions(plan),
        one_sided: one_sided(plan),
        held: held(plan),
        management_paths: management_paths(plan),
        refusals: refusals(plan),
    }
}

fn resource_changes(plan: &Plan) -> Vec<(Address, ResourceChangeRecord)> {
    let mut deposed: BTreeMap<&Address, usize> = BTreeMap::new();
    let mut all = Vec::with_capacity(plan.changes.len());
    for it in &plan.changes {
        let Some(address) = it.subject.address() else { continue };
        let mut record = record(plan, it, address, change(plan, it));
        if record.wgform.why == Why::Deposed {
            let number = deposed.entry(address).or_default();
            *number += 1;
            record.deposed = Some(number.to_string());
        }
        all.push((address.clone(), record));
    }
    all
}

fn record(
    plan: &Plan,
    it: &ResourceChange,
    address: &Address,
    change: Change,
) -> ResourceChangeRecord {
    let wgform = Remarks::of(plan, it);
    ResourceChangeRecord { action_reason: action_reason(it), ..bare(plan, address, change, wgform) }
}

fn bare(plan: &Plan, address: &Address, change: Change, wgform: Remarks) -> ResourceChangeRecord {
    ResourceChangeRecord {
        address: address.to_string(),
        previous_address: plan.moved.get(address).map(ToString::to_string),
        module_address: module(address),
        mode: "managed",
        kind: address.kind.as_str(),
        name: address.label.to_string(),
        index: index(address),
        provider_name: Place::provider(wgform.backend.as_ref()),
        deposed: None,
        change,
        action_reason: None,
        wgform,
    }
}

/// Returns what stays as it is, as Terraform has it among the changes.
fn unchanged(plan: &Plan) -> Vec<(Address, ResourceChangeRecord)> {
    let is_current = |it: &&ResourceChange| Why::from(&it.reason) != Why::Deposed;
    let changed = plan.changes.iter().filter(is_current).filter_map(|it| it.subject.address());
    let changed: BTreeSet<&Address> = changed.collect();
    let stays = plan.state.resources.iter();
    let stays = stays.filter(|(address, record)| !changed.contains(address) && !record.is_gone);
    stays
        .map(|(address, record)| {
            let sensitive = plan.resources.get(address).map(|it: &Desired| &it.sensitive);
            let is_marked = |name: &str| sensitive.is_some_and(|it| it.contains(name));
            let (values, marks) = super::state::values(address, record, is_marked).when(true);
            let imported = plan.imported.get(address);
            let change = Change {
                actions: vec!["no-op"],
                before: values.clone(),
                after: values,
                after_unknown: Values::new(),
                before_sensitive: marks.clone(),
                after_sensitive: marks,
                replace_paths: None,
                importing: imported.map(|id| super::Importing { id: printable(id).into_owned() }),
            };
            let wgform = Remarks {
                backend: Place::of(record.backend.as_ref(), &plan.views),
                why: Why::NoChange,
                fate: "stays as it is".to_owned(),
                undoes_drift: false,
                notes: Vec::new(),
            };
            (address.clone(), bare(plan, address, change, wgform))
        })
        .collect()
}

fn drifted(plan: &Plan, it: &ResourceChange) -> Option<ResourceChangeRecord> {
    let record = record(plan, it, it.subject.address()?, drift(plan, it)?);
    Some(ResourceChangeRecord { wgform: Remarks::of_drift(plan, it), ..record })
}

fn other(plan: &Plan, it: &ResourceChange) -> Option<OtherChange> {
    match it.subject {
        Subject::Resource(_) => None,
        Subject::Backend(_) | Subject::Unmanaged { .. } => Some(OtherChange {
            subject: ResourceName::from(&it.subject),
            change: change(plan, it),
            wgform: Remarks::of(plan, it),
        }),
    }
}

fn planned_outputs(plan: &Plan) -> BTreeMap<String, PlannedOutput> {
    let stays = plan.state.outputs.iter().map(|(name, it)| {
        let value = it.value.clone().filter(|_| !it.sensitive);
        (name.clone(), PlannedOutput { sensitive: it.sensitive, value })
    });
    let mut all: BTreeMap<String, PlannedOutput> = stays.collect();
    for change in &plan.outputs {
        match &change.after {
            None => _ = all.remove(&change.name),
            Some(after) => {
                let value = after.value.clone().filter(|_| !after.is_sensitive);
                let planned = PlannedOutput { sensitive: after.is_sensitive, value };
                all.insert(change.name.clone(), planned);
            }
        }
    }
    all
}

/// Says what happens to an output. What the state never held was sensitive.
pub fn output_change(change: &OutputChange) -> (String, OutputChangeRecord) {
    let action = match (&change.before, &change.after) {
        (_, None) => "delete",
        (None, Some(_)) => "create",
        (Some(_), Some(_)) => "update",
    };
    let sensitive = change.after.as_ref().is_some_and(|it| it.is_sensitive);
    let after = match &change.after {
        None => Some(Json::Null),
        Some(_) if sensitive => Some(SENSITIVE.into()),
        Some(output) => output.value.clone(),
    };
    let record = OutputChangeRecord {
        actions: vec![action],
        before: change.before.clone().unwrap_or_default(),
        after_unknown: after.is_none(),
        after,
        before_sensitive: action == "delete" && change.before.is_none(),
        after_sensitive: sensitive,
    };
    (change.name.clone(), record)
}

/// Lists the peers that nobody declared and that stay.
pub fn unmanaged_peers(plan: &Plan) -> Vec<UnmanagedPeer> {
    let peer = |it: &crate::plan::UnmanagedPeer| UnmanagedPeer {
        interface: it.interface.to_string(),
        backend: it.backend.to_string(),
        interface_name: printable(&it.interface_name).into_owned(),
        public_key: it.public_key.to_string(),
        allowed_ips: it.allowed_ips.clone(),
        handshake_age_seconds: it.handshake_age.map(|age| age.as_secs()),
    };
    plan.unmanaged.iter().map(peer).collect()
}

/// Lists the backends that could not be read.
pub fn unread(plan: &Plan) -> Vec<Unread> {
    let text = |it: &str| printable(it).into_owned();
    let one = |(id, (why, left_out)): (&crate::resource::BackendId, &(_, Vec<Address>))| {
        let why: &crate::actual::Unreachable = why;
        Unread {
            backend: id.to_string(),
            reason: text(&why.reason),
            hints: why.hints.iter().map(|it| text(it)).collect(),
            left_out: left_out.iter().map(ToString::to_string).collect(),
        }
    };
    plan.unreachable.iter().map(one).collect()
}

/// Says what becomes of the sessions.
pub fn sessions(plan: &Plan) -> Sessions {
    let cut = plan.sessions.cut.iter().map(|it| CutSession {
        peer: it.peer.to_string(),
        handshake_age_seconds: it.handshake_age.as_secs(),
    });
    let cut: Vec<_> = cut.collect();
    let live = plan.sessions.live;
    Sessions { live, kept: live.saturating_sub(cut.len()), cut }
}

/// Lists the links of which one end changes.
pub fn one_sided(plan: &Plan) -> Vec<OneSided> {
    let link = |it: &crate::plan::OneSided| OneSided {
        changed: it.changed.to_string(),
        left_out: it.left_out.to_string(),
        backend: it.unread.as_ref().map(ToString::to_string),
    };
    plan.one_sided.iter().map(link).collect()
}

fn refusals(plan: &Plan) -> Vec<Refusal> {
    let text = |it: &String| printable(it).into_owned();
    let one = |it: &crate::plan::Refusal| Refusal {
        message: text(&it.message),
        hints: it.hints.iter().map(text).collect(),
    };
    plan.refusals.iter().map(one).collect()
}

fn configuration(plan: &Plan, all: &[(Address, ResourceChangeRecord)]) -> Configuration {
    let wanted = all.iter().filter(|(address, it)| {
        it.deposed.is_none() && (plan.resources.contains_key(address) || it.change.after.is_some())
    });
    let mut provider_config = BTreeMap::new();
    let mut root_module = Blocks::default();
    let mut seen = BTreeSet::new();
    for (address, it) in wanted {
        let provider = it.provider_name.trim_start_matches("wgform/").to_owned();
        provider_config.entry(provider.clone()).or_insert_with(|| Provider {
            name: provider.clone(),
            full_name: it.provider_name.clone(),
        });
        let labels: Vec<&str> = address.module().iter().map(|step| &*step.label).collect();
        if !seen.insert((labels.clone(), address.kind, address.label.clone())) {
            continue;
        }
        let mut module = &mut root_module;
        for label in labels {
            module = &mut module.module_calls.entry(label.to_owned()).or_default().module;
        }
        module.resources.push(Block {
            address: format!("{}.{}", address.kind, address.label),
            mode: "managed",
            kind: address.kind.as_str(),
            name: address.label.to_string(),
            provider_config_key: provider,
            expressions: BTreeMap::new(),
            schema_version: 0,
        });
    }
    Configuration { provider_config, root_module }
}

impl Document {
    /// Returns it as text, on one line as Terraform writes it.
    pub fn text(&self) -> String {
        // Everything in it has texts as keys, so that it can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}
