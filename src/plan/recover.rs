//! Folds in the intents of an apply that was cut off, by looking at what is there.
//!
//! An intent names its object by a key that is found on the device without the answer that never came: an interface
//! by its name and public key, a peer by its interface and public key. The plan that made the intent had seen that nothing
//! of that key was there, so what is there now is ours, whole or half-made. A step that found something there and did
//! nothing leaves no intent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::actual::{Actual, KeyFile, OwnKeys, Picture, Reading};
use crate::plan::persist::{Persisted, is_left, take_begun};
use crate::plan::walk::interface::{found_key, recorded_key_file};
use crate::resource::{Address, BackendId, Field, Fields, declaration};
use crate::state::{Deposed, ObjectKey, ResourceRecord, State, StateChange};
use crate::value::{FingerprintKey, PublicKey};

/// A state in which every intent that could be looked at has its end.
#[derive(Debug)]
pub struct Recovered {
    /// What is owned.
    pub state: State,
    /// Intents whose end is still not known, because their backend could not be read or does not show it yet.
    pub open: Vec<StateChange>,
    /// Resources that the apply was cut off in the middle of.
    pub interrupted: BTreeSet<Address>,
    /// Files with a key of an interface beside its key file, which the apply wrote or did not come to remove; and the keys
    /// that it meant to write.
    pub strays: BTreeMap<Address, OwnKeys>,
}

/// Looks at the end of each intent.
pub fn recover(state: State, open: Vec<StateChange>, actual: &Actual) -> Recovered {
    let mut recovered = Recovered {
        state,
        open: Vec::new(),
        interrupted: BTreeSet::new(),
        strays: BTreeMap::new(),
    };
    let key_files = key_files(&recovered.state, &open);
    let mut settled = Vec::new();
    let mut late = Vec::new();
    let removals = open.iter().filter(|change| !matches!(change, StateChange::Put { .. }));
    let removals: Vec<StateChange> = removals.cloned().collect();
    for change in open {
        match picture_of(&recovered.state, &change, actual) {
            Place::Unread => {
                recovered.open.push(change);
                continue;
            }
            Place::State => recovered.state.apply(change.clone()),
            Place::Device(picture) if recovered.may_be_there(&change, picture) => {
                recovered.open.push(change);
                continue;
            }
            Place::Device(picture) if recovered.may_come(&change, picture) => {
                recovered.look(change.clone(), picture);
                late.push(change);
                continue;
            }
            Place::Device(picture) => recovered.look(change.clone(), picture),
        }
        settled.push(change);
    }
    forget_taken(&mut recovered, &removals);
    give_way(&mut recovered.state, actual);
    recovered.find_strays(key_files, actual);
    // What is not finished stays known until it is, or a second kill would make somebody's drift of it.
    settled.retain(|change| !recovered.interrupted.contains(change.address()));
    recovered.state.settle(&settled);
    recovered.keep_open(late);
    recovered
}

/// Of two interfaces that are recorded under one name, the one is there whose key is: the other one was to get another name,
/// and is gone.
fn give_way(state: &mut State, actual: &Actual) {
    let place = |record: &ResourceRecord| {
        let (name, key, picture) = interface_of(record, actual).filter(|_| !record.is_gone)?;
        let place = (record.backend.clone()?, name.to_owned());
        Some((place, is_there(picture, name, key)))
    };
    let here = state.resources.values().filter_map(place).filter(|(_, is_there)| *is_there);
    let taken: BTreeSet<_> = here.map(|(place, _)| place).collect();
    for record in state.resources.values_mut() {
        if place(record).is_some_and(|(place, is_there)| !is_there && taken.contains(&place)) {
            record.is_gone = true;
        }
    }
}

/// Takes back interfaces that were known to be gone and are there again with their own key, as those are that their
/// host brings back when it boots; returns whether there are any.
pub(crate) fn come_back(state: &mut State, actual: &Actual) -> bool {
    let old_names = back_by_their_files(state, actual);
    let mut has_any = !old_names.is_empty();
    for change in old_names {
        state.apply(change);
    }
    for record in state.resources.values_mut().filter(|record| record.is_gone) {
        let Some((name, key, picture)) = interface_of(record, actual) else { continue };
        if is_there(picture, name, key) {
            record.is_gone = false;
            has_any = true;
        }
    }
    has_any
}

/// Finds interfaces that are there under the name that their files have: the apply that renamed them was cut off before
/// the files followed, and their host booted.
fn back_by_their_files(state: &State, actual: &Actual) -> Vec<StateChange> {
    let name_of = |record: &'_ ResourceRecord| match &record.object {
        ObjectKey::Interface { name, .. } => Some((record.backend.clone()?, name.clone())),
        _ => None,
    };
    let taken: BTreeSet<_> = state.resources.values().filter_map(name_of).collect();
    let under_old_name = |(address, record): (&Address, &ResourceRecord)| {
        let (name, key, picture) = interface_of(record, actual)?;
        let old_name = Persisted::last(&record.attributes)?.name;
        let is_taken = taken.contains(&(record.backend.clone()?, old_name.clone()));
        if is_taken || is_there(picture, name, key) || !is_there(picture, &old_name, key) {
            return None;
        }
        let mut resource = Box::new(record.clone());
        resource.attributes.insert("name".to_owned(), old_name.as_str().into());
        resource.object = ObjectKey::Interface { name: old_name, public_key: key.to_owned() };
        Some(StateChange::Put { address: address.clone(), resource, depose: false })
    };
    state.resources.iter().filter_map(under_old_name).collect()
}

fn interface_of<'a>(
    record: &'a ResourceRecord,
    actual: &'a Actual,
) -> Option<(&'a str, &'a str, &'a Picture)> {
    let ObjectKey::Interface { name, public_key } = &record.object else { return None };
    match record.backend.as_ref().and_then(|id| actual.backends.get(id)) {
        Some(Reading::Read(picture)) => Some((name, public_key, picture)),
        _ => None,
    }
}

fn is_there(picture: &Picture, name: &str, key: &str) -> bool {
    found_key(picture.interfaces.get(name)).is_some_and(|found| found.to_string() == key)
}

/// Forgets interfaces that were to be removed and whose name another resource has now: they are gone, and what is
/// there was made in their place.
fn forget_taken(recovered: &mut Recovered, removals: &[StateChange]) {
    for change in removals {
        let state = &mut recovered.state;
        let place = match change {
            StateChange::Remove { address } => {
                state.resources.get(address).map(|it| (it.backend.clone(), it.object.clone()))
            }
            StateChange::RemoveDeposed { backend, object, .. } => {
                Some((Some(backend.clone()), object.clone()))
            }
            StateChange::Put { .. } => None,
        };
        let Some((backend, object @ ObjectKey::Interface { .. })) = place else { continue };
        let goes = |other: &Address| {
            let is_it = |it: &StateChange| matches!(it, StateChange::Remove { address } if address == other);
            removals.iter().any(is_it)
        };
        let is_taken = state.resources.iter().any(|(other, it)| {
            let has_name = it.backend == backend && same(&it.object, &object);
            has_name && other != change.address() && !goes(other)
        });
        if is_taken {
            state.apply(change.clone());
            recovered.interrupted.remove(change.address());
        }
    }
}

enum Place<'a> {
    State,
    Unread,
    Device(&'a Picture),
}

fn picture_of<'a>(state: &State, change: &StateChange, actual: &'a Actual) -> Place<'a> {
    let record = |address: &Address| state.resources.get(address);
    let backend = match change {
        StateChange::Put { resource, .. } => resource.backend.as_ref(),
        StateChange::Remove { address } => record(address).and_then(|it| it.backend.as_ref()),
        StateChange::RemoveDeposed { backend, .. } => Some(backend),
    };
    match backend.map(|backend| actual.backends.get(backend)) {
        None => Place::State,
        Some(Some(Reading::Read(picture))) => Place::Device(picture),
        Some(_) => Place::Unread,
    }
}

impl Recovered {
    /// Lets the state remember what may still come, and what could not be looked at.
    fn keep_open(&mut self, late: Vec<StateChange>) {
        let known = self.state.open();
        let mut by_address: BTreeMap<&Address, Vec<&StateChange>> = BTreeMap::new();
        for change in &known {
            by_address.entry(change.address()).or_default().push(change);
        }
        let is_known =
            |it: &StateChange| by_address.get(it.address()).is_some_and(|all| all.contains(&it));
        let open = late.into_iter().chain(self.open.iter().cloned()).filter(|it| !is_known(it));
        self.state.keep_open(open);
    }

    /// Looks at the end of one intent on the device that it was for.
    fn look(&mut self, change: StateChange, picture: &Picture) {
        match change {
            StateChange::Put { address, resource, depose } => {
                let old = self.state.resources.get_mut(&address);
                let old = old.filter(|old| old.backend == resource.backend);
                old.into_iter().for_each(|old| take_begun(old, &resource));
                let found = found(picture, &resource.object).filter(|_| self.is_on_its(&resource));
                match found {
                    Some(found) => self.put(address, resource, depose, (found, picture)),
                    None => self.not_put(address, resource, depose, picture),
                }
            }
            StateChange::Remove { address } if self.is_left(&address, picture) => {
                self.interrupted.insert(address);
            }
            StateChange::RemoveDeposed { address, backend, object }
                if self.is_deposed_left(&address, &backend, &object, picture) => {}
            StateChange::Remove { .. } | StateChange::RemoveDeposed { .. } => {
                self.remove(change, picture);
            }
        }
    }

    /// Returns whether a peer that was to be made can be one that is there: until its interface has the name that it was to
    /// get, what is on the interface of that name is another one's.
    fn is_on_its(&self, peer: &ResourceRecord) -> bool {
        let ObjectKey::Peer { interface, .. } = &peer.object else { return true };
        let on = peer.attributes.get("interface").and_then(Json::as_str);
        let on = on.and_then(|on| self.state.resources.get(&on.parse::<Address>().ok()?));
        on.is_none_or(|on| {
            let has_name =
                matches!(&on.object, ObjectKey::Interface { name, .. } if name == interface);
            has_name && !on.is_gone || on.backend != peer.backend
        })
    }

    /// Returns whether an object that was to go may only not be loaded yet.
    fn may_be_there(&self, change: &StateChange, picture: &Picture) -> bool {
        picture.is_starting()
            && match change {
                StateChange::Put { .. } => false,
                StateChange::Remove { address } => !self.is_left(address, picture),
                StateChange::RemoveDeposed { object, .. } => !exists(picture, object),
            }
    }

    /// Returns whether an object that is not there may still be made: a router and a firewall go on with a request after
    /// whoever sent it has given up. Then it is ours, until it is made another way or nobody wants it.
    fn may_come(&self, change: &StateChange, picture: &Picture) -> bool {
        let StateChange::Put { address, resource, .. } = change else { return false };
        let old = self.state.resources.get(address);
        picture.kind.keeps_configuration()
            && !exists(picture, &resource.object)
            && old.is_none_or(|old| old.object != resource.object)
    }

    /// Takes in that an object is no longer stored. Where that was not applied, the device still runs it, and nothing but
    /// this would tell: the removal stays open, as one of an object that has no resource any more.
    fn remove(&mut self, change: StateChange, picture: &Picture) {
        let removal = match &change {
            StateChange::Remove { address } => {
                self.state.resources.get(address).and_then(|record| {
                    let (address, object) = (address.clone(), record.object.clone());
                    let backend = record.backend.clone()?;
                    Some(StateChange::RemoveDeposed { address, backend, object })
                })
            }
            removal => Some(removal.clone()),
        };
        let is_running = picture.service.is_some_and(|it| it.is_on && !it.is_applied);
        self.open.extend(removal.filter(|_| is_running));
        self.state.apply(change);
    }

    /// Takes over what is there of an object that was to be made or changed.
    fn put(
        &mut self,
        address: Address,
        resource: Box<ResourceRecord>,
        depose: bool,
        ((found, hidden), picture): ((&Fields, &BTreeSet<&'static str>), &Picture),
    ) {
        let Self { state, interrupted, open: _, strays: _ } = self;
        interrupted.insert(address.clone());
        // An interface that moves to another backend may have the same name there.
        let is_it = |old: &&mut ResourceRecord| {
            old.backend == resource.backend && same(&old.object, &resource.object)
        };
        match state.resources.get_mut(&address).filter(is_it) {
            Some(old) => {
                settle(old, &resource, found, &state.fingerprint_key);
                follow_key(old, &resource, picture);
            }
            None => {
                let mut resource = resource;
                as_found(&mut resource, found, &state.fingerprint_key);
                // A secret that is not shown may not have come so far, and is written once more.
                let is_secret = |name: &str| {
                    declaration::attribute(address.kind, name).is_some_and(|it| it.form.is_secret())
                };
                let is_unseen = |name: &str| hidden.contains(name) && is_secret(name);
                resource.attributes.retain(|name, _| !is_unseen(name));
                state.apply(StateChange::Put { address, resource, depose });
            }
        }
    }

    /// Decides what it means that an object that was to be made or changed is not there.
    fn not_put(
        &mut self,
        address: Address,
        resource: Box<ResourceRecord>,
        depose: bool,
        picture: &Picture,
    ) {
        // A disabled peer is nowhere but in the state, on Linux. An interface that is made down is on its device.
        let is_peer = matches!(resource.object, ObjectKey::Peer { .. });
        let is_nowhere = is_peer && !picture.kind.keeps_configuration();
        if is_nowhere && resource.attributes.get("enabled") == Some(&Json::Bool(false)) {
            return self.state.apply(StateChange::Put { address, resource, depose });
        }
        let Some(old) = self.state.resources.get_mut(&address) else { return };
        if !depose && old.backend == resource.backend {
            follow_key(old, &resource, picture);
        }
        if let Some(renamed) = renamed_only(old, &resource, picture).filter(|_| !depose) {
            self.interrupted.insert(address.clone());
            let resource = Box::new(renamed);
            return self.state.apply(StateChange::Put { address, resource, depose: false });
        }
        if resource.is_being_filled && old.object == resource.object {
            // It made way for its successor, which was not made.
            old.is_being_filled = true;
        } else if !depose && old.backend == resource.backend && exists(picture, &old.object) {
            // It was to get another name, for which it goes down first.
            self.interrupted.insert(address);
        }
    }

    /// Finds what is left of keys that were moved, among the files that the intents and the records name.
    fn find_strays(&mut self, files: Vec<(Address, Keeping)>, actual: &Actual) {
        for (address, (backend, path, key)) in files {
            let Some(record) = self.state.resources.get(&address) else { continue };
            let Some(Reading::Read(picture)) = actual.backends.get(&backend) else { continue };
            let is_here = record.backend.as_ref() == Some(&backend);
            let held = key_in(picture, &path);
            // One that the interface had before it got another key is not kept any longer, whatever the file.
            let has_it = |other: &Address, it: &ResourceRecord| {
                *other != address || held == public_key(&it.object)
            };
            let mut others = self.state.resources.iter();
            let is_kept = others.any(|(other, it)| keeps(it, &backend, &path) && has_it(other, it));
            let is_own = held.is_some() && (held == key || held == public_key(&record.object));
            if is_here && is_own && !is_kept {
                self.interrupted.insert(address.clone());
                let strays = self.strays.entry(address).or_default();
                strays.keys.extend(held);
                strays.remove.insert(path);
            }
        }
    }

    /// Returns whether anything is left of a resource that was to be removed.
    fn is_left(&self, address: &Address, picture: &Picture) -> bool {
        self.state.resources.get(address).is_some_and(|it| {
            let (own, backend) = (Some(address), it.backend.as_ref());
            exists(picture, &it.object)
                || has_left_files(&self.state, own, backend, Left::of(it), picture)
        })
    }

    /// Returns whether anything is left of an object that was replaced and was to be removed.
    fn is_deposed_left(
        &self,
        address: &Address,
        backend: &BackendId,
        object: &ObjectKey,
        picture: &Picture,
    ) -> bool {
        let deposed = self.state.resources.get(address).map_or(&[][..], |it| &it.deposed);
        let is_it = |it: &&Deposed| it.backend == *backend && it.object == *object;
        let has_left_files = deposed.iter().find(is_it).is_some_and(|it| {
            let left = Left { object, attributes: &it.attributes };
            has_left_files(&self.state, None, Some(backend), left, picture)
        });
        has_left_files || exists(picture, object)
    }
}

/// Returns the record of an interface that has its new name, and not yet the new key that it was to get with it.
fn renamed_only(
    old: &ResourceRecord,
    intent: &ResourceRecord,
    picture: &Picture,
) -> Option<ResourceRecord> {
    let ObjectKey::Interface { name, .. } = &intent.object else { return None };
    let ObjectKey::Interface { public_key, .. } = &old.object else { return None };
    let is_it = old.backend == intent.backend
        && !exists(picture, &old.object)
        && is_there(picture, name, public_key);
    is_it.then(|| {
        let mut renamed = old.clone();
        renamed.attributes.insert("name".to_owned(), name.as_str().into());
        renamed.object =
            ObjectKey::Interface { name: name.clone(), public_key: public_key.clone() };
        renamed
    })
}

/// Where a key is, or was to be, and which.
type Keeping = (BackendId, PathBuf, Option<PublicKey>);

/// Returns the files in which the keys of interfaces were before an apply that was cut off, and were to be after it.
fn key_files(state: &State, open: &[StateChange]) -> Vec<(Address, Keeping)> {
    let puts = open.iter().filter_map(|change| match change {
        StateChange::Put { address, resource, .. } => Some((address, &**resource)),
        StateChange::Remove { .. } | StateChange::RemoveDeposed { .. } => None,
    });
    let both = puts.flat_map(|(address, intent)| {
        let record = state.resources.get(address);
        record.into_iter().chain([intent]).map(move |it| (address, it))
    });
    both.filter_map(|(address, it)| {
        let keeping = (it.backend.clone()?, recorded_key_file(it)?, public_key(&it.object));
        Some((address.clone(), keeping))
    })
    .collect()
}

/// Returns whether a key of a resource, or of an object that it replaced, is kept in a file.
fn keeps(record: &ResourceRecord, backend: &BackendId, path: &Path) -> bool {
    let deposed = record.deposed.iter().any(|it| {
        let left = Left { object: &it.object, attributes: &it.attributes };
        it.backend == *backend && left.key_file().map(Path::new) == Some(path)
    });
    let is_here = record.backend.as_ref() == Some(backend);
    deposed || is_here && recorded_key_file(record).as_deref() == Some(path)
}

/// Takes over where the key of an interface is by now: its file moves before the rest of a change is done.
fn follow_key(old: &mut ResourceRecord, intent: &ResourceRecord, picture: &Picture) {
    let file = |record: &ResourceRecord| {
        let own = public_key(&old.object);
        recorded_key_file(record).filter(|path| own.is_some() && key_in(picture, path) == own)
    };
    if file(old).is_none()
        && file(intent).is_some()
        && let Some(path) = intent.attributes.get("key_file")
    {
        old.attributes.insert("key_file".to_owned(), path.clone());
    }
}

/// Returns which key is in a file.
fn key_in(picture: &Picture, path: &Path) -> Option<PublicKey> {
    match picture.key_files.get(path)? {
        KeyFile::Key(key) => Some(key.public()),
        KeyFile::Unusable(_) => None,
    }
}

/// An object that was to go.
struct Left<'a> {
    object: &'a ObjectKey,
    attributes: &'a BTreeMap<String, Json>,
}

impl<'a> Left<'a> {
    fn of(record: &'a ResourceRecord) -> Self {
        Self { object: &record.object, attributes: &record.attributes }
    }

    fn key_file(&self) -> Option<&str> {
        self.attributes.get("key_file")?.as_str()
    }
}

/// Returns whether a file of an interface is there, which nothing would tell of once the interface is forgotten: the link
/// may have gone with a reboot before its removal came to the file with its key. `own` is its own address.
fn has_left_files(
    state: &State,
    own: Option<&Address>,
    backend: Option<&BackendId>,
    left: Left<'_>,
    picture: &Picture,
) -> bool {
    if has_left_boot_files(state, own, backend, &left, picture) {
        return true;
    }
    let Some(file) = left.key_file() else { return false };
    let is_taken = state.resources.iter().any(|(other, it)| {
        Some(other) != own
            && it.backend.as_ref() == backend
            && Left::of(it).key_file() == Some(file)
    });
    let held = key_in(picture, Path::new(file));
    !is_taken && held.is_some() && held == public_key(left.object)
}

/// The same of what brings it back at boot, unless that is another's by now.
fn has_left_boot_files(
    state: &State,
    own: Option<&Address>,
    backend: Option<&BackendId>,
    left: &Left<'_>,
    picture: &Picture,
) -> bool {
    let Some(persisted) = Persisted::last(left.attributes) else { return false };
    let is_taken = state.resources.iter().any(|(other, it)| {
        let is_named =
            matches!(&it.object, ObjectKey::Interface { name, .. } if *name == persisted.name);
        Some(other) != own && it.backend.as_ref() == backend && is_named
    });
    !is_taken && is_left(picture, left.attributes)
}

/// Records of an object that may be half-made what it has, so that the rest is a change and not somebody's drift.
fn as_found(record: &mut ResourceRecord, found: &Fields, key: &FingerprintKey) {
    for (name, field) in found {
        if let Some(recorded) = record.attributes.get_mut(*name).filter(|_| *name != "endpoint") {
            *recorded = field.recorded(key);
        }
        if let Some(owned) = record.owned_elements.get_mut(*name) {
            let there = field.recorded(key);
            let there = there.as_array().map(Vec::as_slice).unwrap_or_default();
            owned.retain(|element| there.iter().any(|it| it == element.as_str()));
        }
    }
}

/// Takes over those attributes of the intent that the device has by now.
fn settle(old: &mut ResourceRecord, intent: &ResourceRecord, found: &Fields, key: &FingerprintKey) {
    for (name, wanted) in &intent.attributes {
        let found = found.get(name.as_str()).map(|field| field.recorded(key));
        if found.as_ref() == Some(wanted) {
            old.attributes.insert(name.clone(), wanted.clone());
        }
    }
    old.is_being_filled |= intent.is_being_filled;
    let landed = public_key(&intent.object).map(Field::PublicKey);
    if landed.is_some() && found.get("public_key") == landed.as_ref() && old.object != intent.object
    {
        old.object = intent.object.clone();
        // The new key is there, so what no device can show (`key_rotation`) has happened too, and does not again.
        for (name, wanted) in &intent.attributes {
            if !found.contains_key(name.as_str()) {
                old.attributes.insert(name.clone(), wanted.clone());
            }
        }
    }
    let names = old.owned_elements.keys().chain(intent.owned_elements.keys());
    let names: BTreeSet<String> = names.cloned().collect();
    let mut owned = BTreeMap::new();
    for name in names {
        let there = found.get(name.as_str()).map(|field| field.recorded(key));
        let there = there.as_ref().and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        let none = BTreeSet::new();
        let before = old.owned_elements.get(&name).unwrap_or(&none);
        let after = intent.owned_elements.get(&name).unwrap_or(&none);
        let is_ours = |it: &&String| {
            before.contains(*it) && after.contains(*it)
                || there.iter().any(|there| there == it.as_str())
        };
        owned.insert(name, before.union(after).filter(is_ours).cloned().collect());
    }
    old.owned_elements = owned;
}

/// Returns the attributes of an object that is there and can be the one that was meant.
fn found<'p>(
    picture: &'p Picture,
    object: &ObjectKey,
) -> Option<(&'p Fields, &'p BTreeSet<&'static str>)> {
    match object {
        ObjectKey::Interface { name, .. } => {
            let found = picture.interfaces.get(name)?;
            let expected = public_key(object).map(Field::PublicKey);
            // A half-made interface has no key yet, but on a router, where not everybody is shown it.
            let is_open = found.private_key.is_none() && !picture.kind.keeps_configuration();
            let is_ours = found
                .fields
                .get("public_key")
                .is_none_or(|key| Some(key) == expected.as_ref() || is_open);
            is_ours.then_some((&found.fields, &found.hidden))
        }
        ObjectKey::Peer { interface, .. } => {
            let peers = &picture.interfaces.get(interface)?.peers;
            let found = peers.get(&public_key(object)?)?;
            Some((&found.fields, &found.hidden))
        }
        ObjectKey::PresharedKey {} => None,
    }
}

/// Returns whether an object is on its device, whatever its attributes.
pub(crate) fn exists(picture: &Picture, object: &ObjectKey) -> bool {
    match object {
        ObjectKey::Interface { name, .. } => picture.interfaces.contains_key(name),
        ObjectKey::Peer { interface, .. } => {
            let on = picture.interfaces.get(interface);
            on.zip(public_key(object)).is_some_and(|(on, key)| on.peers.contains_key(&key))
        }
        ObjectKey::PresharedKey {} => false,
    }
}

fn same(one: &ObjectKey, other: &ObjectKey) -> bool {
    match (one, other) {
        (ObjectKey::Interface { name: one, .. }, ObjectKey::Interface { name: other, .. }) => {
            one == other
        }
        _ => one == other,
    }
}

/// Reads the public key of an object's key.
pub(crate) fn public_key(object: &ObjectKey) -> Option<PublicKey> {
    match object {
        ObjectKey::Interface { public_key, .. } | ObjectKey::Peer { public_key, .. } => {
            public_key.parse().ok()
        }
        ObjectKey::PresharedKey {} => None,
    }
}
