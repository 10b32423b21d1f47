//! What was changed on devices, as a plan says it, sorted into what a configuration can say and what it cannot.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::diff::{AttributeDiff, Class, Side};
use crate::plan::{Note, Plan, Reason, Subject};
use crate::resource::{Address, Attribute, BackendId, Field, Form, Ownership, Presence};

/// One attribute that is to be written as its device has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Of which resource.
    pub address: Address,
    /// Which.
    pub attribute: &'static Attribute,
    /// What is to be written.
    pub target: Target,
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// This value.
    Value(Field),
    /// Nothing: the device has no value.
    Nothing,
    /// A set with other elements.
    Elements {
        /// Those that the device has got, in canonical form.
        add: Vec<String>,
        /// Those that it has lost.
        remove: BTreeSet<String>,
        /// The whole of it.
        whole: Field,
    },
}

/// Something that was changed on a device and is nothing that a configuration could say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Of which resource.
    pub address: Address,
    /// What it is, as a short clause.
    pub why: String,
    /// What to do, as whole sentences.
    pub help: String,
}

/// What a plan says of the resources that were chosen.
#[derive(Debug, Clone, Default)]
pub struct Drifted {
    /// What can be written.
    pub wishes: Vec<Wish>,
    /// What cannot.
    pub left: Vec<Left>,
    /// Backends that could not be read, with the resources on them.
    pub unread: BTreeMap<BackendId, Vec<Address>>,
    /// How many peers that nobody declared are on interfaces that were chosen.
    pub unmanaged: usize,
    /// Elements on devices that are nobody's, of sets that lost some of ours.
    pub foreign: Vec<(Address, &'static str, Vec<String>)>,
}

/// Finds what differs from what was last applied, also what is held.
pub fn drifted(plan: &Plan, chosen: &BTreeSet<Address>, names: &BTreeSet<String>) -> Drifted {
    let mut drifted = Drifted::default();
    for change in &plan.changes {
        match &change.subject {
            Subject::Resource(address) if chosen.contains(address) => {
                if names.is_empty() && is_gone(&change.reason) {
                    drifted.left.push(gone(address));
                } else if !is_gone(&change.reason) {
                    let attributes = change.attributes.iter();
                    attributes.for_each(|it| drifted.take(address, it, &change.sensitive, names));
                    drifted.notes(address, &change.notes, names);
                }
            }
            Subject::Unmanaged { interface, .. } if chosen.contains(interface) => {
                drifted.unmanaged += 1;
            }
            _ => {}
        }
    }
    for held in plan.held.iter().filter(|it| chosen.contains(&it.address)) {
        let is_gone = held.action.as_ref().is_some_and(|(_, reason)| is_gone(reason));
        if is_gone && names.is_empty() {
            drifted.left.push(gone(&held.address));
        }
        // What a value of a held attribute was made of is not kept with it.
        let desired = plan.resources.get(&held.address);
        let sensitive = desired.map(|it| it.sensitive.clone()).unwrap_or_default();
        held.attributes.iter().for_each(|it| drifted.take(&held.address, it, &sensitive, names));
    }
    let unmanaged = plan.unmanaged.iter().filter(|it| chosen.contains(&it.interface));
    drifted.unmanaged += unmanaged.count();
    for (id, (_, addresses)) in &plan.unreachable {
        let of: Vec<_> = addresses.iter().filter(|it| chosen.contains(it)).cloned().collect();
        if !of.is_empty() {
            drifted.unread.insert(id.clone(), of);
        }
    }
    drifted
}

fn is_gone(reason: &Reason) -> bool {
    matches!(reason, Reason::Gone | Reason::Rebooted | Reason::GoneWithInterface)
}

fn gone(address: &Address) -> Left {
    Left {
        address: address.clone(),
        why: format!("`{address}` is no longer on its device"),
        help: format!(
            "`wgform apply` makes it again. If it is to stay away, remove its block and run:\n\n  wgform state rm {}",
            address.in_shell()
        ),
    }
}

impl Drifted {
    fn take(
        &mut self,
        address: &Address,
        diff: &AttributeDiff,
        sensitive: &BTreeSet<&'static str>,
        names: &BTreeSet<String>,
    ) {
        let name = diff.attribute.name;
        if !names.is_empty() && !names.contains(name) {
            return;
        }
        if diff.class == Class::Change && diff.was.is_some() {
            let why = format!("`{name}` was changed here and on the device");
            let help = "`wgform plan` shows all three values. Write the one that is right; `wgform apply` brings it to the device.";
            self.leave(address, why, help);
        }
        if diff.class != Class::Drift {
            return;
        }
        let form = &diff.attribute.form;
        let is_key = diff.attribute.presence == Presence::Computed;
        if form.is_secret() || is_key {
            let why = format!("`{name}` is made from a secret, which is never written down");
            let help = "`wgform apply` brings the known one back. To keep the one of the device, put it where the configuration takes it from, or leave it out of the configuration and import the object anew.";
            return self.leave(address, why, help);
        }
        if sensitive.contains(name) {
            let why = format!("`{name}` is sensitive, and is not written down in clear");
            let help = "Change the value where it comes from, or run `wgform apply`, which undoes what was done on the device.";
            return self.leave(address, why, help);
        }
        match target(diff) {
            Some(target) => {
                self.note_foreign(address, diff);
                let attribute = diff.attribute;
                self.wishes.push(Wish { address: address.clone(), attribute, target });
            }
            None => {
                let why = format!("`{name}` has a value that no configuration can have");
                let help = "`wgform apply` undoes what was done on the device.";
                self.leave(address, why, help);
            }
        }
    }

    fn leave(&mut self, address: &Address, why: String, help: &str) {
        self.left.push(Left { address: address.clone(), why, help: help.to_owned() });
    }

    fn notes(&mut self, address: &Address, notes: &[Note], names: &BTreeSet<String>) {
        let is_asked = names.is_empty() || names.contains("persist");
        if is_asked && notes.iter().any(Note::is_drift) {
            let why = format!("the files that bring `{address}` back at boot were changed by hand");
            let help = "They are made from the configuration, and `wgform apply` writes them again. `wgform plan` shows what differs.";
            self.leave(address, why, help);
        }
    }

    /// Remembers what is on a device beside our elements: an address that was replaced by hand is one of those.
    fn note_foreign(&mut self, address: &Address, diff: &AttributeDiff) {
        let Some(elements) = &diff.elements else { return };
        let found = diff.before.as_ref().map(texts).unwrap_or_default();
        let foreign: Vec<_> = found.difference(&elements.owned).cloned().collect();
        if !foreign.is_empty() {
            self.foreign.push((address.clone(), diff.attribute.name, foreign));
        }
    }
}

/// Returns what is to be written of a difference; none for what cannot be.
fn target(diff: &AttributeDiff) -> Option<Target> {
    let form = &diff.attribute.form;
    if matches!(form, Form::Reference(_) | Form::Backend | Form::Path) {
        return None;
    }
    let found = diff.before.as_ref().filter(|it| !it.is_null());
    if diff.attribute.ownership == Ownership::Elements {
        let elements = diff.elements.as_ref()?;
        let left: Vec<&String> = elements.owned.difference(&elements.add).collect();
        let whole = Field::from_recorded(form, &serde_json::json!(left)).ok()??;
        return Some(Target::Elements { add: Vec::new(), remove: elements.add.clone(), whole });
    }
    let Some(found) = found else { return Some(Target::Nothing) };
    let whole = Field::from_recorded(form, found).ok()??;
    let is_set = matches!(form, Form::Addresses | Form::Prefixes | Form::Names);
    let Side::Known(wanted) = &diff.after else { return Some(Target::Value(whole)) };
    if !is_set {
        return Some(Target::Value(whole));
    }
    let (found, wanted) = (texts(found), texts(wanted));
    Some(Target::Elements {
        add: found.difference(&wanted).cloned().collect(),
        remove: wanted.difference(&found).cloned().collect(),
        whole,
    })
}

fn texts(json: &Json) -> BTreeSet<String> {
    let array = json.as_array().map(Vec::as_slice).unwrap_or_default();
    array.iter().filter_map(Json::as_str).map(str::to_owned).collect()
}
