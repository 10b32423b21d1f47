//! Which of the user's commands a step runs, and so which of them a plan has to show before.
//!
//! What runs when a link goes up is what is wanted now; what runs when it goes down is what was last applied, which is
//! there also when the configuration is not.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::config::Wanted;
use crate::diff::Side;
use crate::plan::walk::interface::OnDevice;
use crate::plan::walk::{Fate, Node, Planner};
use crate::plan::{Effect, Hook, Note, Plan, Step};
use crate::resource::{Field, Form};
use crate::state::ResourceRecord;

/// Programs with their arguments.
type Commands = Vec<Vec<String>>;

/// When the link goes up.
const UP: [&str; 2] = ["pre_up", "post_up"];
/// When it goes down.
const DOWN: [&str; 2] = ["pre_down", "post_down"];

impl Plan {
    /// Returns the commands that a step may run, by their attribute; none while one of them is not known.
    pub fn hooks(&self, step: &Step) -> Option<BTreeMap<&'static str, Commands>> {
        let mut hooks = BTreeMap::new();
        let Some(address) = step.subject.address() else { return Some(hooks) };
        // An interface that has another name for a while in between goes down with the first step, and up with the last.
        let is_first = step.effect == Effect::Meanwhile;
        let is_last = !is_first
            && self
                .steps
                .iter()
                .any(|it| it.effect == Effect::Meanwhile && it.subject == step.subject);
        if !is_last {
            let before = self.applied(step);
            let before = before.iter().flat_map(|attributes| down(attributes));
            hooks.extend(before);
        }
        if !is_first && let Some(desired) = self.resources.get(address) {
            for at in UP {
                match desired.fields.get(at) {
                    Some(Wanted::Known(Field::Commands(list))) => {
                        _ = hooks.insert(at, list.clone())
                    }
                    Some(Wanted::Unknown) => return None,
                    _ => {}
                }
            }
        }
        hooks.retain(|_, list| !list.is_empty());
        Some(hooks)
    }

    /// Returns whether name servers were set for the object of a step.
    pub fn had_name_servers(&self, step: &Step) -> bool {
        let is_set = |json: &Json| json.as_array().is_some_and(|list| !list.is_empty());
        self.applied(step).is_some_and(|attributes| {
            ["dns", "dns_search"].iter().any(|name| attributes.get(*name).is_some_and(is_set))
        })
    }

    /// Returns what was last applied to the object that a step changes or removes.
    fn applied(&self, step: &Step) -> Option<&BTreeMap<String, Json>> {
        let record = self.state.resources.get(step.subject.address()?)?;
        match &step.effect {
            Effect::RemoveDeposed(object) if record.object != *object => {
                let deposed = record.deposed.iter().find(|it| it.object == *object)?;
                Some(&deposed.attributes)
            }
            _ => Some(&record.attributes),
        }
    }
}

/// Returns the commands for the way down that a state remembers.
fn down(attributes: &BTreeMap<String, Json>) -> Vec<(&'static str, Commands)> {
    let commands = |at: &'static str| {
        let json = attributes.get(at)?;
        match Field::from_recorded(&Form::Commands, json) {
            Ok(Some(Field::Commands(list))) => Some((at, list)),
            _ => None,
        }
    };
    DOWN.into_iter().filter_map(commands).collect()
}

/// Says which commands a change of an interface runs, in their order.
pub(crate) fn note(planner: &Planner<'_>, node: &Node, on_device: &OnDevice) -> Option<Note> {
    let desired = &planner.desired[&node.address];
    let is_up = match on_device.found.as_ref().and_then(|found| found.get("enabled")) {
        Some(Json::Bool(up)) => *up,
        _ => false,
    };
    let stays_up =
        !matches!(desired.fields.get("enabled"), Some(Wanted::Known(Field::Bool(false))));
    let is_moved = on_device.renamed_from().is_some() || node.fate == Fate::Replace;
    let is_there = on_device.old.is_some() && node.fate != Fate::Create;
    let goes_down = is_there && is_up && (is_moved || !stays_up);
    let comes_up = stays_up && (!is_there || !is_up || is_moved);
    let mut hooks = Vec::new();
    if let Some(record) = planner.state.resources.get(&node.address).filter(|_| goes_down) {
        let old = on_device.old.as_ref().map_or(on_device.name.as_str(), |old| old.name.as_str());
        hooks.extend(shown(down(&record.attributes), old));
    }
    for at in UP.into_iter().filter(|_| comes_up) {
        match desired.fields.get(at) {
            Some(Wanted::Known(Field::Commands(list))) => {
                hooks.extend(shown(vec![(at, list.clone())], &on_device.name));
            }
            Some(Wanted::Unknown) => hooks.push(Hook { at, command: Side::Unknown }),
            _ => {}
        }
    }
    (!hooks.is_empty()).then_some(Note::Hooks(hooks))
}

/// Says which commands the removal of an interface runs.
pub(crate) fn removal_note(
    planner: &Planner<'_>,
    record: &ResourceRecord,
    name: &str,
) -> Option<Note> {
    let backend = record.backend.as_ref()?;
    let found = planner.picture(backend).and_then(|picture| picture.interfaces.get(name));
    let is_down = match found {
        Some(found) => found.fields.get("enabled") == Some(&Field::Bool(false)),
        // Not looked at, or gone already.
        None => planner.picture(backend).is_some(),
    };
    let hooks = shown(down(&record.attributes), name);
    (!hooks.is_empty() && !is_down).then_some(Note::Hooks(hooks))
}

fn shown(commands: Vec<(&'static str, Commands)>, name: &str) -> Vec<Hook> {
    let hook = |at, command: &Vec<String>| Hook {
        at,
        command: Side::Known(command.iter().map(|part| part.replace("%i", name)).collect()),
    };
    commands.iter().flat_map(|(at, list)| list.iter().map(move |it| hook(*at, it))).collect()
}
