//! What became known in the course of an apply, and what it means for the state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use crate::config::{Computed, Desired, Evaluator, Wanted};
use crate::plan::{
    Effect, Known, Plan, PlannedAct, SecretSource, Step, begin_files, record, written,
};
use crate::resource::{Address, Field, Fields, Kind};
use crate::state::{ObjectKey, ResourceRecord, State, StateChange};
use crate::value::{FingerprintKey, PresharedKey, PrivateKey, PublicKey};
use crate::world::World;

/// What is known by now.
pub(crate) struct Landing {
    /// Attributes that devices and this run made.
    pub(crate) known: Known,
    secrets: BTreeMap<Address, SecretSource>,
    keys: BTreeMap<Address, PrivateKey>,
    /// Which peer of an interface has a key; none until a key turns out that the plan did not know.
    holders: Option<BTreeMap<(Arc<Address>, PublicKey), Address>>,
}

impl Landing {
    pub(crate) fn new(known: Known, secrets: BTreeMap<Address, SecretSource>) -> Self {
        Self { known, secrets, keys: BTreeMap::new(), holders: None }
    }

    /// Makes the key of an interface, once.
    pub(crate) fn new_key(&mut self, address: &Address, world: &World) -> PrivateKey {
        self.keys.entry(address.clone()).or_insert_with(|| world.new_private_key()).clone()
    }

    /// Makes the value of a pre-shared key, if the step is about one that has none.
    pub(crate) fn settle_secret(
        &mut self,
        plan: &Plan,
        index: usize,
        key: &FingerprintKey,
        world: &World,
    ) {
        let Some(address) = plan.steps[index].subject.address() else { return };
        if plan.steps[index].effect == Effect::Remove || address.kind != Kind::PresharedKey {
            return;
        }
        let source = self.secrets.entry(address.clone()).or_insert(SecretSource::New);
        if let SecretSource::New = source {
            *source = SecretSource::Known(world.new_preshared_key());
        }
        if let SecretSource::Known(secret) = source {
            let fingerprint = key.fingerprint(secret.expose_bytes()).to_string();
            self.known.publish(address, "fingerprint", Field::Text(fingerprint));
        }
    }

    fn secret(&self, address: &Address) -> Option<&PresharedKey> {
        match self.secrets.get(address)? {
            SecretSource::Known(secret) => Some(secret),
            SecretSource::Kept(_) | SecretSource::New => None,
        }
    }

    /// Evaluates a resource again if something of it was not known, and takes over what is known now.
    ///
    /// # Errors
    /// When what was known has another value now: the plan no longer holds.
    pub(crate) fn resolve(
        &self,
        resources: &mut BTreeMap<Address, Desired>,
        address: &Address,
        evaluator: &Evaluator<'_>,
    ) -> Result<(), String> {
        let Some(desired) = resources.get_mut(address) else { return Ok(()) };
        if !desired.fields.values().any(|wanted| *wanted == Wanted::Unknown) {
            return Ok(());
        }
        let secret = desired.references.get("preshared_key").and_then(|secret| self.secret(secret));
        if let Some(secret) = secret {
            desired
                .fields
                .insert("preshared_key", Wanted::Known(Field::PresharedKey(Some(secret.clone()))));
        }
        let fingerprint = self.known.computed(address, "fingerprint");
        if let Some(fingerprint) = fingerprint {
            desired.fields.insert("fingerprint", Wanted::Known(fingerprint));
        }
        if !desired.fields.values().any(|wanted| *wanted == Wanted::Unknown) {
            return Ok(());
        }
        let again = evaluator.resource(address, &self.known).map_err(|problems| match problems
            .first()
        {
            Some(problem) => {
                format!("what was not known when it was planned is wrong: {}", problem.summary)
            }
            None => "what was not known when it was planned cannot be evaluated".to_owned(),
        })?;
        let Desired { fields, ignored, .. } = desired;
        for (name, wanted) in fields {
            match (&wanted, again.fields.get(name)) {
                (Wanted::Unknown, Some(now)) => *wanted = now.clone(),
                (Wanted::Known(before), Some(Wanted::Known(now)))
                    // These two a plan decides with what it knows of the device and the time.
                    if before != now
                        && !matches!(*name, "enabled" | "fwmark")
                        && !ignored.contains(name) =>
                {
                    return Err(format!("`{name}` is no longer what was planned"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the key of a peer that was not known when it was planned.
    pub(crate) fn peer_key(
        &self,
        resources: &BTreeMap<Address, Desired>,
        address: &Address,
    ) -> Option<PublicKey> {
        match resources.get(address)?.fields.get("public_key")?.known()? {
            Field::PublicKey(key) => Some(*key),
            _ => None,
        }
    }

    /// Gives a key to the one peer of its interface that may have it.
    ///
    /// # Errors
    /// When another one has it: that two references lead to one key may only turn out when it is made.
    pub(crate) fn claim(
        &mut self,
        resources: &BTreeMap<Address, Desired>,
        peer: &Address,
        key: PublicKey,
    ) -> Result<(), String> {
        let holder = |(address, desired): (&Address, &Desired)| {
            let on = desired.references.get("interface")?.clone();
            match desired.fields.get("public_key")?.known()? {
                Field::PublicKey(key) => Some(((on, *key), address.clone())),
                _ => None,
            }
        };
        let Some(on) = resources.get(peer).and_then(|it| it.references.get("interface")) else {
            return Ok(());
        };
        let holders =
            self.holders.get_or_insert_with(|| resources.iter().filter_map(holder).collect());
        let first = holders.entry((on.clone(), key)).or_insert_with(|| peer.clone());
        if first == peer {
            return Ok(());
        }
        Err(format!("its public key is that of `{first}`, and WireGuard knows a peer by its key"))
    }

    /// Returns what the state learns when a step lands; with the values that the device chose, once it has.
    pub(crate) fn change(
        &mut self,
        plan: &Plan,
        state: &State,
        index: usize,
        landed: Option<Fields>,
    ) -> Option<StateChange> {
        let step = &plan.steps[index];
        let address = step.subject.address()?;
        match &step.effect {
            Effect::Nothing => None,
            Effect::Remove => Some(StateChange::Remove { address: address.clone() }),
            Effect::RemoveDeposed(object) => Some(StateChange::RemoveDeposed {
                address: address.clone(),
                backend: step.backend.clone()?,
                object: object.clone(),
            }),
            Effect::MakeWay => {
                let mut resource = Box::new(state.resources.get(address)?.clone());
                resource.is_being_filled = true;
                Some(StateChange::Put { address: address.clone(), resource, depose: false })
            }
            // Whose they are is seen on the device, so there is nothing that an intent would have to say.
            Effect::Routes if landed.is_none() => None,
            Effect::Routes => {
                let mut resource = Box::new(state.resources.get(address)?.clone());
                own_routes(plan, step, &mut resource);
                Some(StateChange::Put { address: address.clone(), resource, depose: false })
            }
            // The intent says only that files may be half-written: they are ours, and nobody's drift.
            Effect::Persisted { .. } => {
                let mut resource = Box::new(state.resources.get(address)?.clone());
                persisted(step, landed.as_ref(), &mut resource, &state.fingerprint_key);
                Some(StateChange::Put { address: address.clone(), resource, depose: false })
            }
            Effect::Meanwhile => {
                let resource = Box::new(meanwhile(step, state.resources.get(address)?, landed));
                Some(StateChange::Put { address: address.clone(), resource, depose: false })
            }
            Effect::Put { depose, meanwhile } => {
                let mut resource = self.put(plan, state, step, landed)?;
                if *depose {
                    // That belongs to the object that goes.
                    resource.attributes.remove("persisted");
                }
                for (name, json) in meanwhile {
                    resource.attributes.insert((*name).to_owned(), json.clone());
                }
                let (address, resource) = (address.clone(), Box::new(resource));
                Some(StateChange::Put { address, resource, depose: *depose })
            }
        }
    }

    fn put(
        &mut self,
        plan: &Plan,
        state: &State,
        step: &Step,
        landed: Option<Fields>,
    ) -> Option<ResourceRecord> {
        let address = step.subject.address()?;
        let desired = plan.resources.get(address)?;
        let old = state.resources.get(address);
        let mut landed = landed.unwrap_or_default();
        // A key that the device made is known by now, and part of what the object is.
        if let Some(key) = landed.remove("public_key") {
            self.known.publish(address, "public_key", key);
        }
        let object = self.object(plan, step, desired, old)?;
        let mut resource = record(desired, object, old, &state.fingerprint_key);
        let is_interface = address.kind == Kind::Interface;
        resource.is_being_filled &= is_interface;
        resource.is_being_filled |= matches!(step.act, PlannedAct::CreateInterface { .. });
        if address.kind == Kind::PresharedKey
            && let Some(Field::Text(fingerprint)) = self.known.computed(address, "fingerprint")
        {
            resource.attributes.insert("fingerprint".to_owned(), fingerprint.into());
        }
        record_key_file(step, desired, &mut resource);
        own_routes(plan, step, &mut resource);
        if let PlannedAct::CreateInterface { port: Some(port), .. } = &step.act {
            resource
                .attributes
                .entry("listen_port".to_owned())
                .or_insert_with(|| Json::from(*port));
        }
        if let Some(endpoint) = landed.remove("endpoint") {
            let set = endpoint.recorded(&state.fingerprint_key);
            resource.attributes.insert("endpoint_address".to_owned(), set);
        }
        for (name, field) in landed {
            let is_written = desired.fields.contains_key(name);
            if !is_written {
                resource.attributes.insert(name.to_owned(), field.recorded(&state.fingerprint_key));
            }
            self.known.publish(address, name, field);
        }
        Some(resource)
    }

    fn object(
        &self,
        plan: &Plan,
        step: &Step,
        desired: &Desired,
        old: Option<&ResourceRecord>,
    ) -> Option<ObjectKey> {
        let address = &desired.address;
        match address.kind {
            Kind::PresharedKey => Some(ObjectKey::PresharedKey {}),
            Kind::Interface => {
                let wanted = match desired.fields.get("name")?.known()? {
                    Field::Text(name) => name.clone(),
                    _ => return None,
                };
                let name = match &step.act {
                    PlannedAct::UpdateInterface { name, rename, .. } => {
                        rename.clone().unwrap_or_else(|| name.clone())
                    }
                    _ => wanted,
                };
                let known = match self.known.computed(address, "public_key") {
                    Some(Field::PublicKey(key)) => Some(key.to_string()),
                    _ => None,
                };
                let before = old.and_then(|old| match &old.object {
                    ObjectKey::Interface { public_key, .. } => Some(public_key.clone()),
                    ObjectKey::Peer { .. } | ObjectKey::PresharedKey {} => None,
                });
                Some(ObjectKey::Interface { name, public_key: known.or(before)? })
            }
            Kind::Peer => {
                let public_key = self.peer_key(&plan.resources, address)?.to_string();
                let on = desired.references.get("interface")?;
                let interface = match self.known.computed(on, "name") {
                    Some(Field::Text(name)) => name,
                    _ => return None,
                };
                Some(ObjectKey::Peer { interface, public_key })
            }
        }
    }
}

/// Returns what the state says of an interface that gave up its name or port for a temporary one.
fn meanwhile(step: &Step, old: &ResourceRecord, landed: Option<Fields>) -> ResourceRecord {
    let mut record = old.clone();
    if let PlannedAct::UpdateInterface { rename, key_file, .. } = &step.act {
        if let (ObjectKey::Interface { name, .. }, Some(new)) = (&mut record.object, rename) {
            name.clone_from(new);
        }
        if let Some(path) = key_file {
            record.attributes.insert("key_file".to_owned(), path.display().to_string().into());
        }
    }
    if let Some(Field::Number(port)) = landed.as_ref().and_then(|it| it.get("listen_port")) {
        record.attributes.insert("listen_port".to_owned(), Json::from(*port));
    }
    record
}

/// Remembers which routes there are.
fn own_routes(plan: &Plan, step: &Step, resource: &mut ResourceRecord) {
    match &step.act {
        PlannedAct::CreateInterface { .. } => resource.own_routes(BTreeSet::new()),
        PlannedAct::SetRoutes { recipe: Some(recipe), .. } => {
            if let Some(wanted) = recipe.wanted(&plan.resources) {
                resource.own_routes(wanted.texts());
            }
        }
        _ => {}
    }
}

/// Remembers what was written for the next boot; before it was, that it may be.
fn persisted(
    step: &Step,
    landed: Option<&Fields>,
    resource: &mut ResourceRecord,
    key: &FingerprintKey,
) {
    let PlannedAct::Persist { name, style, .. } = &step.act else { return };
    let Some(landed) = landed else {
        style.iter().for_each(|style| begin_files(resource, *style, name));
        return;
    };
    resource.attributes.remove("persisted");
    if let (Some(style), Some(Field::Text(digest))) = (style, landed.get("persisted")) {
        let json = written(*style, name, digest, key);
        resource.attributes.insert("persisted".to_owned(), json);
    }
}

/// Remembers where the key is kept, when wgform keeps it.
fn record_key_file(step: &Step, desired: &Desired, resource: &mut ResourceRecord) {
    let name = "key_file".to_owned();
    match &step.act {
        PlannedAct::CreateInterface { key_file, .. } => {
            resource.attributes.remove(&name);
            if let Some(path) = key_file {
                resource.attributes.insert(name, path.display().to_string().into());
            }
        }
        PlannedAct::UpdateInterface { key_file: Some(path), .. } => {
            resource.attributes.insert(name, path.display().to_string().into());
        }
        PlannedAct::UpdateInterface { own_keys, .. }
            if !own_keys.remove.is_empty() && desired.fields.contains_key("private_key") =>
        {
            resource.attributes.remove(&name);
        }
        _ => {}
    }
}
