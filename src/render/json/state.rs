//! What wgform owns as one document, in the shape of `terraform show -json`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use crate::render::json::plan::TERRAFORM;
use crate::render::json::{Shown, Values, index};
use crate::resource::address::path;
use crate::resource::{Address, ModuleStep, declaration};
use crate::state::{ObjectKey, ResourceRecord, State};

/// The version of Terraform's format that this has the shape of.
pub const FORMAT: &str = "1.0";

/// A state.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Document {
    /// The version of Terraform's format that this has the shape of.
    pub format_version: &'static str,
    /// The version of Terraform whose states have that shape; not a program that was used.
    pub terraform_version: &'static str,
    /// The version of wgform that wrote it.
    pub wgform_version: &'static str,
    /// Which state it is, and how often it was written; absent while nothing was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wgform: Option<Source>,
    /// What is owned; absent while nothing was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<StateValues>,
}

/// Which state a document is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Source {
    /// The lineage of the state.
    pub lineage: String,
    /// Its serial.
    pub serial: u64,
}

/// What is owned.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StateValues {
    /// The outputs.
    pub outputs: BTreeMap<String, Output>,
    /// The resources.
    pub root_module: Module,
}

/// An output.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Output {
    /// Whether it is not shown, nor stored.
    pub sensitive: bool,
    /// The value; null for one that is sensitive.
    pub value: Option<Json>,
}

/// A module with what is in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Module {
    /// Its address; absent for the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Its resources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// The modules that it calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub child_modules: Vec<Self>,
}

/// A resource.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Resource {
    /// Its address.
    pub address: String,
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
    /// Always 0.
    pub schema_version: u32,
    /// Its attributes. What must not be shown is its fingerprint, or a text that says so.
    pub values: Values,
    /// `true` for each attribute that is not shown.
    pub sensitive_values: Json,
    /// What it refers to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
}

/// Puts a state into its document; none for one that is not there yet. With addresses, only those are in it.
pub fn state(state: Option<&State>, part: Option<&[Address]>) -> Document {
    let new = Document {
        format_version: FORMAT,
        terraform_version: TERRAFORM,
        wgform_version: env!("CARGO_PKG_VERSION"),
        wgform: None,
        values: None,
    };
    let Some(state) = state else { return new };
    let all = || state.resources.iter().filter(|(_, record)| !record.is_gone);
    let shown: Vec<(&Address, &ResourceRecord)> = match part {
        None => all().collect(),
        Some(part) => part.iter().filter_map(|it| state.resources.get_key_value(it)).collect(),
    };
    let resources = shown.into_iter().map(|(address, record)| {
        let kind = record.backend.as_ref().and_then(|id| state.backends.get(id));
        let provider = kind.map_or_else(|| "wgform".to_owned(), |it| format!("wgform/{}", it.kind));
        let (values, marks) = values(address, record, |_| false).when(true);
        let depends_on = record.dependencies.iter().map(ToString::to_string).collect();
        recorded(address, &provider, values.unwrap_or_default(), marks, depends_on)
    });
    let outputs = state.outputs.iter().map(|(name, it)| {
        let value = it.value.clone().filter(|_| !it.sensitive);
        (name.clone(), Output { sensitive: it.sensitive, value })
    });
    let outputs = if part.is_none() { outputs.collect() } else { BTreeMap::new() };
    Document {
        wgform: Some(Source { lineage: state.lineage.to_string(), serial: state.serial }),
        values: Some(StateValues { outputs, root_module: tree(resources) }),
        ..new
    }
}

impl Document {
    /// Returns it as text, on one line as Terraform writes it.
    pub fn text(&self) -> String {
        // Everything in it has texts as keys, so that it can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Returns what a record says of its object, as it may be shown.
pub(super) fn values(
    address: &Address,
    record: &ResourceRecord,
    is_marked: impl Fn(&str) -> bool,
) -> Shown {
    let mut shown = Shown::default();
    for attribute in declaration::attributes(address.kind) {
        let identity = match (&record.object, attribute.name) {
            (ObjectKey::Interface { name, .. }, "name") => Some(name),
            (
                ObjectKey::Interface { public_key, .. } | ObjectKey::Peer { public_key, .. },
                "public_key",
            ) => Some(public_key),
            _ => None,
        };
        let identity = identity.map(|text| Json::from(text.as_str()));
        let json = identity.as_ref().or_else(|| record.attributes.get(attribute.name));
        if let Some(json) = json {
            shown.take(attribute, is_marked(attribute.name), json);
        }
        let set = record.attributes.get("endpoint_address");
        let set = set.filter(|_| attribute.name == "endpoint" && !is_marked("endpoint"));
        if let Some(set) = set {
            shown.plain("endpoint_address", set.clone());
        }
    }
    shown
}

/// Puts together what a document says of one resource.
pub(super) fn recorded(
    address: &Address,
    provider_name: &str,
    values: Values,
    sensitive_values: Json,
    depends_on: Vec<String>,
) -> (Address, Resource) {
    let resource = Resource {
        address: address.to_string(),
        mode: "managed",
        kind: address.kind.as_str(),
        name: address.label.to_string(),
        index: index(address),
        provider_name: provider_name.to_owned(),
        schema_version: 0,
        values,
        sensitive_values,
        depends_on,
    };
    (address.clone(), resource)
}

/// Puts each resource into its module. They come module by module, as addresses are sorted.
pub(super) fn tree(resources: impl Iterator<Item = (Address, Resource)>) -> Module {
    let mut root = Module::default();
    for (address, resource) in resources {
        module_of(&mut root, address.module()).resources.push(resource);
    }
    root
}

/// Finds a module, or makes it. What is in it comes together, so that on each level it can only be the last one.
fn module_of<'m>(root: &'m mut Module, steps: &[ModuleStep]) -> &'m mut Module {
    let mut module = root;
    for depth in 1..=steps.len() {
        let address = Some(path(&steps[..depth]));
        if module.child_modules.last().is_none_or(|it| it.address != address) {
            module.child_modules.push(Module { address, ..Module::default() });
        }
        let last = module.child_modules.len() - 1;
        module = &mut module.child_modules[last];
    }
    module
}
