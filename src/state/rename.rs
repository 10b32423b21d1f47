//! Gives resources other addresses, everywhere in a state: what refers to them, and what an apply was cut off in, follow.
//!
//! Nothing here knows why. What an object is called on its device is no address, and stays.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::resource::{Address, Form, declaration};
use crate::state::{ResourceRecord, State, StateChange};

/// The attribute that lists addresses in one text.
const HOLDERS: &str = "holders";

impl State {
    /// Gives resources their new addresses. No two may get one, and none may get one that another keeps.
    pub fn rename(&mut self, new: &BTreeMap<Address, Address>) {
        if new.is_empty() {
            return;
        }
        let resources = std::mem::take(&mut self.resources);
        let renamed = resources.into_iter().map(|(address, mut record)| {
            record.rename(new);
            let Some(new) = new.get(&address) else { return (address, record) };
            record.note_files_of(&address);
            (new.clone(), record)
        });
        self.resources = renamed.collect();
        self.rename_held(new);
        for json in &mut self.in_flight {
            let change = serde_json::from_value::<StateChange>(json.clone());
            if let Ok(change) = change {
                *json = change.renamed(new).to_json();
            }
        }
    }

    /// Returns every address that something is recorded under, or on its way to be. What is only on its way to go has
    /// none any more.
    pub fn addresses(&self) -> BTreeSet<Address> {
        let made = self.open().into_iter().filter_map(|change| match change {
            StateChange::Put { address, .. } => Some(address),
            StateChange::Remove { .. } | StateChange::RemoveDeposed { .. } => None,
        });
        self.resources.keys().cloned().chain(made).collect()
    }
}

impl ResourceRecord {
    fn rename(&mut self, new: &BTreeMap<Address, Address>) {
        if self.dependencies.iter().any(|it| new.contains_key(it)) {
            let old = std::mem::take(&mut self.dependencies);
            self.dependencies =
                old.into_iter().map(|it| new.get(&it).cloned().unwrap_or(it)).collect();
        }
        rename_in(&mut self.attributes, new);
        self.deposed.iter_mut().for_each(|it| rename_in(&mut it.attributes, new));
    }
}

impl ResourceRecord {
    /// The files that bring an interface back at boot have its address in them, and stay as they are.
    fn note_files_of(&mut self, address: &Address) {
        if let Some(Json::Object(files)) = self.attributes.get_mut(Self::PERSISTED) {
            files.entry(Self::WRITTEN_AS).or_insert_with(|| address.to_string().into());
        }
    }
}

impl StateChange {
    fn renamed(self, new: &BTreeMap<Address, Address>) -> Self {
        let now = |address: Address| new.get(&address).cloned().unwrap_or(address);
        match self {
            Self::Put { address, mut resource, depose } => {
                resource.rename(new);
                Self::Put { address: now(address), resource, depose }
            }
            Self::Remove { address } => Self::Remove { address: now(address) },
            Self::RemoveDeposed { address, backend, object } => {
                Self::RemoveDeposed { address: now(address), backend, object }
            }
        }
    }
}

/// Renames in the attributes that hold addresses. Any other one may hold the same text, and means it.
fn rename_in(attributes: &mut BTreeMap<String, Json>, new: &BTreeMap<Address, Address>) {
    for (name, value) in attributes {
        let Json::String(text) = value else { continue };
        let now = |text: &str| Some(new.get(&text.parse::<Address>().ok()?)?.to_string());
        if is_reference(name) {
            if let Some(now) = now(text) {
                *text = now;
            }
        } else if name == HOLDERS {
            let mut all: Vec<String> =
                text.split(", ").map(|it| now(it).unwrap_or_else(|| it.to_owned())).collect();
            all.sort_unstable();
            *text = all.join(", ");
        }
    }
}

fn is_reference(name: &str) -> bool {
    crate::resource::Kind::ALL.iter().any(|kind| {
        declaration::attribute(*kind, name).is_some_and(|it| matches!(it.form, Form::Reference(_)))
    })
}
