//! Which sessions an apply keeps, and which it cuts.
//!
//! A session is a handshake younger than 180 s on an interface that wgform owns. It is cut when its peer is removed,
//! made anew, disabled, or its interface is removed, made anew, renamed, taken down or given another key. Nothing else
//! that wgform does touches it.

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::Side;
use crate::plan::order::Ordered;
use crate::plan::walk::Planner;
use crate::plan::{Action, CutSession, PlannedAct, Sessions, Step, Subject};
use crate::resource::{BackendId, Field};
use crate::value::PublicKey;

/// Counts the live sessions and finds those that the steps cut.
pub(crate) fn judge(planner: &Planner<'_>, ordered: &mut Ordered) {
    let mut cuts = Cuts::default();
    ordered.steps.iter().for_each(|step| cuts.add(planner, step));
    let mut sessions = Sessions::default();
    for ((backend, name), _) in planner.owners.interfaces() {
        let Some(found) = planner.picture(backend).and_then(|picture| picture.interfaces.get(name))
        else {
            continue;
        };
        for (key, peer) in found.peers.iter().filter(|(_, peer)| peer.has_session()) {
            sessions.live += 1;
            if !cuts.contains(backend, name, *key) {
                continue;
            }
            let owner = planner.owners.peer(backend, name, *key).cloned();
            let interface = planner.owners.interface(backend, name).cloned();
            let subject = owner
                .map(Subject::Resource)
                .or_else(|| Some(Subject::Unmanaged { interface: interface?, public_key: *key }));
            if let (Some(peer), Some(age)) = (subject, peer.handshake_age) {
                sessions.cut.push(CutSession { peer, handshake_age: age });
            }
        }
    }
    sessions.cut.sort_by(|one, other| one.peer.cmp(&other.peer));
    ordered.sessions = sessions;
}

#[derive(Debug, Default)]
struct Cuts<'a> {
    interfaces: BTreeSet<(&'a BackendId, &'a str)>,
    peers: BTreeMap<(&'a BackendId, &'a str), BTreeSet<PublicKey>>,
}

impl<'a> Cuts<'a> {
    fn add(&mut self, planner: &Planner<'_>, step: &'a Step) {
        let Some(backend) = &step.backend else { return };
        match &step.act {
            PlannedAct::DeleteInterface { name, .. } => {
                self.interfaces.insert((backend, name));
            }
            PlannedAct::UpdateInterface { name, rename, key, settings, .. } => {
                let goes_down = settings.contains_key("enabled") && is_wanted_down(planner, step);
                let is_new_key = key.is_some() && changes_key(planner, step);
                if rename.is_some() || goes_down || is_new_key {
                    self.interfaces.insert((backend, name));
                }
            }
            PlannedAct::DeletePeer { interface, public_key }
            | PlannedAct::CreatePeer { interface, replaces: Some(public_key), .. } => {
                self.peers.entry((backend, interface)).or_default().insert(*public_key);
            }
            PlannedAct::UpdatePeer { interface, public_key, settings } => {
                let is_taken_over = step.action == Action::Create;
                if is_taken_over
                    || settings.contains_key("enabled") && is_wanted_down(planner, step)
                {
                    self.peers.entry((backend, interface)).or_default().insert(*public_key);
                }
            }
            PlannedAct::Record
            | PlannedAct::Apply { .. }
            | PlannedAct::SetRoutes { .. }
            | PlannedAct::CreateInterface { .. }
            | PlannedAct::CreatePeer { replaces: None, .. }
            | PlannedAct::Persist { .. } => {}
        }
    }

    fn contains(&self, backend: &BackendId, interface: &str, key: PublicKey) -> bool {
        self.interfaces.contains(&(backend, interface))
            || self.peers.get(&(backend, interface)).is_some_and(|peers| peers.contains(&key))
    }
}

fn is_wanted_down(planner: &Planner<'_>, step: &Step) -> bool {
    let desired = step.subject.address().and_then(|address| planner.desired.get(address));
    let enabled = desired.and_then(|desired| desired.fields.get("enabled")?.known());
    enabled == Some(&Field::Bool(false))
}

fn changes_key(planner: &Planner<'_>, step: &Step) -> bool {
    let node = step.subject.address().and_then(|address| planner.nodes.get(address));
    let diff =
        node.and_then(|node| node.diffs.iter().find(|diff| diff.attribute.name == "public_key"));
    diff.is_some_and(|diff| match &diff.after {
        Side::Known(after) => diff.before.as_ref() != Some(after),
        Side::Unset | Side::Unknown => true,
    })
}
