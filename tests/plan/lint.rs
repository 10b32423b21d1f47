//! What holds for every plan. The steps are carried out on a model of the hosts that refuses what a host would refuse.

use std::collections::{BTreeMap, BTreeSet};

use wgform::actual::{Actual, Reading};
use wgform::plan::{Effect, Plan, PlannedAct, PlannedSetting, Step, Subject};
use wgform::resource::{BackendId, Field, Setting};
use wgform::state::{ObjectKey, State};
use wgform::value::PublicKey;

/// Fails when a plan cannot be right. `owned` is the state that it was made from.
pub fn lint(plan: &Plan, actual: &Actual, owned: &State) {
    order(plan);
    every_step_is_shown(plan);
    if !actual.backends.is_empty() && plan.refusals.is_empty() {
        let mut model = Model::new(actual, &[owned, &plan.state]);
        for (index, step) in plan.steps.iter().enumerate() {
            model.carry_out(plan, index, step);
        }
    }
}

fn order(plan: &Plan) {
    for (index, step) in plan.steps.iter().enumerate() {
        let mut before = step.after.iter().chain(&step.follows);
        assert!(before.all(|it| *it < index), "step {index} of {:?}", plan.steps);
    }
}

fn every_step_is_shown(plan: &Plan) {
    let shown: BTreeSet<_> = plan.changes.iter().map(|it| &it.subject).collect();
    // What only follows from the change of a peer is not a change of its interface.
    let follows = |step: &&Step| step.effect == Effect::Persisted { alone: false };
    let done = plan.steps.iter().filter(|step| !follows(step) || shown.contains(&step.subject));
    let done: BTreeSet<_> = done.map(|it| &it.subject).collect();
    assert_eq!(shown, done, "changes on the left, steps on the right");
}

#[derive(Debug, Default)]
struct Interface {
    is_up: bool,
    port: Option<u32>,
    peers: BTreeSet<String>,
    /// The step that made it.
    made_by: Option<usize>,
}

type Place = (BackendId, String);

/// Hosts, as far as a plan can go wrong.
struct Model {
    interfaces: BTreeMap<Place, Interface>,
    other_links: BTreeSet<Place>,
    ours: BTreeSet<Place>,
    our_peers: BTreeSet<(Place, String)>,
}

impl Model {
    fn new(actual: &Actual, states: &[&State]) -> Self {
        let mut model = Self {
            interfaces: BTreeMap::new(),
            other_links: BTreeSet::new(),
            ours: BTreeSet::new(),
            our_peers: BTreeSet::new(),
        };
        for (id, reading) in &actual.backends {
            let Reading::Read(picture) = reading else { continue };
            for (name, found) in &picture.interfaces {
                let port = port_of(found.fields.get("listen_port").cloned());
                let is_up = found.fields.get("enabled") != Some(&Field::Bool(false));
                let peers = found.peers.keys().map(ToString::to_string).collect();
                let interface = Interface { is_up, port, peers, made_by: None };
                model.interfaces.insert((id.clone(), name.clone()), interface);
            }
            let others = picture.other_links.iter().map(|it| (id.clone(), it.clone()));
            model.other_links.extend(others);
        }
        states.iter().for_each(|state| model.own(state));
        model
    }

    fn own(&mut self, state: &State) {
        for record in state.resources.values() {
            let current = record.backend.clone().map(|backend| (backend, &record.object));
            let deposed = record.deposed.iter().map(|it| (it.backend.clone(), &it.object));
            for (backend, object) in current.into_iter().chain(deposed) {
                match object.clone() {
                    ObjectKey::Interface { name, .. } => _ = self.ours.insert((backend, name)),
                    ObjectKey::Peer { interface, public_key } => {
                        self.our_peers.insert(((backend, interface), public_key));
                    }
                    ObjectKey::PresharedKey {} => {}
                }
            }
        }
    }

    /// Routes lead to an interface that is there.
    fn route(&self, step: &Step) {
        let PlannedAct::SetRoutes { interface, recipe: Some(_), .. } = &step.act else { return };
        let at = (step.backend.clone().unwrap(), interface.clone());
        assert!(self.interfaces.contains_key(&at), "{at:?} is not there to lead to");
    }

    fn carry_out(&mut self, plan: &Plan, index: usize, step: &Step) {
        let place = |name: &String| (step.backend.clone().unwrap(), name.clone());
        let wanted = |name: &str| {
            plan.resources.get(step.subject.address()?)?.fields.get(name)?.known().cloned()
        };
        let is_unmanaged = matches!(step.subject, Subject::Unmanaged { .. });
        match &step.act {
            PlannedAct::Apply { .. } => {}
            PlannedAct::Record | PlannedAct::SetRoutes { .. } => self.route(step),
            PlannedAct::CreateInterface { name, port, down, .. } => {
                let is_up = !down && wanted("enabled") != Some(Field::Bool(false));
                let port = port_of(wanted("listen_port")).or(*port);
                let (peers, made_by) = (BTreeSet::new(), Some(index));
                self.create_interface(place(name), Interface { is_up, port, peers, made_by });
            }
            PlannedAct::UpdateInterface { name, rename, settings, .. } => {
                let value = |name: &str| match settings.get(name)? {
                    PlannedSetting::Wanted => Some(wanted(name)),
                    PlannedSetting::Direct(Setting::To(field)) => Some(Some(field.clone())),
                    PlannedSetting::Direct(_) => Some(None),
                };
                let (port, enabled) = (value("listen_port"), value("enabled"));
                self.update_interface(place(name), rename.as_ref().map(place), port, enabled);
            }
            PlannedAct::Persist { style: None, .. } => {} // its interface may be gone already
            PlannedAct::Persist { name, .. } => self.persist(plan, index, &place(name)),
            PlannedAct::DeleteInterface { name, public_key: _, own_keys, remove_boot_files } => {
                let has_files = !own_keys.remove.is_empty() || !remove_boot_files.is_empty();
                self.delete_interface(&place(name), has_files);
            }
            PlannedAct::CreatePeer { interface, public_key, replaces } => {
                if let Some(made_by) = self.on(&place(interface)).made_by {
                    let needs = all_before(plan, index);
                    assert!(needs.contains(&made_by), "step {index} does not wait for {made_by}");
                }
                self.create_peer(place(interface), *public_key, *replaces);
            }
            PlannedAct::UpdatePeer { interface, public_key, settings } => {
                let (at, key) = (place(interface), public_key.to_string());
                assert!(self.our_peers.contains(&(at.clone(), key.clone())), "{key} is not ours");
                let on = self.on(&at);
                let comes_back = settings.contains_key("enabled");
                assert!(on.peers.contains(&key) || comes_back, "{key} is not on {at:?}");
                on.peers.insert(key);
            }
            PlannedAct::DeletePeer { interface, public_key } => {
                let (at, key) = (place(interface), public_key.to_string());
                let is_ours = self.our_peers.contains(&(at.clone(), key.clone()));
                assert!(is_ours || is_unmanaged, "{key} of {at:?} is removed and not ours");
                assert!(
                    self.on(&at).peers.remove(&key),
                    "{key} is removed from {at:?} and not there"
                );
            }
        }
    }

    /// What comes back at boot is an interface that is there, after all that its peers are was written to it; and nothing
    /// that goes.
    fn persist(&self, plan: &Plan, index: usize, at: &Place) {
        assert!(self.interfaces.contains_key(at), "{at:?} is persisted, and not there");
        let changes = |later: &Step| match &later.act {
            PlannedAct::CreatePeer { interface, .. } | PlannedAct::UpdatePeer { interface, .. } => {
                *interface == at.1 && later.backend.as_ref() == Some(&at.0)
            }
            _ => false,
        };
        assert!(!plan.steps[index..].iter().any(changes), "{at:?} is persisted too early");
    }

    fn create_peer(&mut self, at: Place, key: Option<PublicKey>, old: Option<PublicKey>) {
        if let Some(old) = old.map(|it| it.to_string()) {
            assert!(self.on(&at).peers.remove(&old), "{old} becomes another, and is not there");
        }
        if let Some(key) = key.map(|it| it.to_string()) {
            assert!(self.on(&at).peers.insert(key.clone()), "{key} is made twice on {at:?}");
            self.our_peers.insert((at, key));
        }
    }

    fn create_interface(&mut self, at: Place, interface: Interface) {
        assert!(!self.other_links.contains(&at), "{at:?} is somebody else's");
        self.ours.insert(at.clone());
        assert!(self.interfaces.insert(at.clone(), interface).is_none(), "{at:?} is made twice");
        self.assert_port_is_free(&at);
    }

    fn delete_interface(&mut self, at: &Place, has_files: bool) {
        assert!(self.ours.contains(at), "{at:?} is removed and not ours");
        // Of an interface that is gone, files may be left.
        let was_there = self.interfaces.remove(at).is_some();
        assert!(was_there || has_files, "{at:?} is removed and not there");
    }

    fn update_interface(
        &mut self,
        before: Place,
        rename: Option<Place>,
        port: Option<Option<Field>>,
        enabled: Option<Option<Field>>,
    ) {
        assert!(self.ours.contains(&before), "{before:?} is changed and not ours");
        let mut interface = self.interfaces.remove(&before).unwrap_or_else(|| panic!("{before:?}"));
        if let Some(new) = &rename {
            self.rename_peers(&before, new);
            self.ours.insert(new.clone());
        }
        let at = rename.unwrap_or(before);
        if let Some(port) = port {
            interface.port = port_of(port);
        }
        if let Some(enabled) = enabled {
            interface.is_up = enabled != Some(Field::Bool(false));
        }
        assert!(self.interfaces.insert(at.clone(), interface).is_none(), "{at:?} is taken");
        self.assert_port_is_free(&at);
    }

    /// The interface of a peer.
    fn on(&mut self, at: &Place) -> &mut Interface {
        self.interfaces.get_mut(at).unwrap_or_else(|| panic!("no {at:?}"))
    }

    fn rename_peers(&mut self, before: &Place, after: &Place) {
        let moved: Vec<_> = self.our_peers.iter().filter(|(at, _)| at == before).cloned().collect();
        for (_, key) in moved {
            self.our_peers.insert((after.clone(), key));
        }
    }

    fn assert_port_is_free(&self, at: &Place) {
        let this = &self.interfaces[at];
        let (true, Some(port)) = (this.is_up, this.port) else { return };
        let other = self.interfaces.iter().find(|(other, it)| {
            *other != at && other.0 == at.0 && it.is_up && it.port == Some(port)
        });
        assert!(other.is_none(), "{at:?} and {other:?} listen on {port}");
    }
}

/// Returns every step that must land before one.
fn all_before(plan: &Plan, index: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut next = plan.steps[index].after.clone();
    while let Some(step) = next.pop() {
        if found.insert(step) {
            next.extend(&plan.steps[step].after);
        }
    }
    found
}

fn port_of(field: Option<Field>) -> Option<u32> {
    match field {
        Some(Field::Number(port)) => Some(port),
        _ => None,
    }
}
