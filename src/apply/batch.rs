//! Turns steps into the operations of one batch.

use std::collections::{BTreeMap, BTreeSet};

use crate::apply::condition::{Conditions, Leave};
use crate::apply::landed::Landing;
use crate::apply::{Fate, Run};
use crate::backend::{Act, Operation, Persist, PersistWish, Surroundings};
use crate::config::{Evaluator, Wanted};
use crate::persist::Style;
use crate::plan::{
    Action, KeySource, PersistedPeers, Plan, PlannedAct, PlannedSetting, Recipe, Step,
    WantedRoutes, outside, persisted_fields,
};
use crate::resource::{
    Address, BackendId, BackendKind, Field, Fields, Kind, Setting, Settings, Support, declaration,
};
use crate::value::{PrivateKey, RouteRule};
use crate::world::World;

/// A batch holds at most so many operations. The ends of a link are next to each other in a plan, and a group of links
/// must be through in less than the two minutes that a session survives a mismatch: the kernel and wireguard-go take
/// less than a millisecond for each.
const LARGEST: usize = 20_000;

/// Operations with the steps that they are for.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) steps: Vec<usize>,
    pub(crate) operations: Vec<Operation>,
    /// Steps that cannot be done, and why.
    pub(crate) failed: Vec<(usize, String)>,
}

/// Collects the steps of a backend that can be written now, in the order of the plan.
pub(crate) fn prepare(run: &mut Run<'_, '_>, backend: &BackendId) -> Prepared {
    let mut prepared = Prepared::default();
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    for index in 0..run.plan.steps.len() {
        let step = &run.plan.steps[index];
        let is_open = run.fates[index].is_none() && step.backend.as_ref() == Some(backend);
        if !is_open || run.is_record(index) || prepared.operations.len() >= LARGEST {
            continue;
        }
        let mut after = Vec::new();
        let is_ready =
            step.after.iter().all(|earlier| match (&run.fates[*earlier], places.get(earlier)) {
                (Some(Fate::Done), _) => true,
                (None, Some(place)) => {
                    after.push(*place);
                    true
                }
                _ => false,
            });
        let has_ended = |it: &usize| run.fates[*it].is_some() || places.contains_key(it);
        if !is_ready || !step.follows.iter().all(has_ended) {
            continue;
        }
        match run.maker().operation(index, backend) {
            Ok(Some(act)) => {
                places.insert(index, prepared.operations.len());
                prepared.operations.push(Operation { after, act });
                prepared.steps.push(index);
            }
            // A value that lands with an earlier operation of this batch: the next batch has it.
            Ok(None) if !after.is_empty() => {}
            Ok(None) => {
                prepared.failed.push((index, "a value that it needs is still not known".to_owned()))
            }
            Err(reason) => prepared.failed.push((index, reason)),
        }
    }
    prepared
}

/// Makes operations out of the steps of a plan, with what is known by now.
pub(crate) struct Maker<'m, 'a, 'c> {
    pub(crate) plan: &'m mut Plan,
    pub(crate) landing: &'m mut Landing,
    pub(crate) conditions: &'m mut Conditions,
    pub(crate) evaluator: &'a Evaluator<'c>,
    pub(crate) world: &'a World,
}

impl Maker<'_, '_, '_> {
    /// Evaluates what was not known of a resource when the plan was made.
    pub(crate) fn resolved(&mut self, index: usize) -> Result<(), String> {
        let Some(address) = self.plan.steps[index].subject.address() else { return Ok(()) };
        self.landing.resolve(&mut self.plan.resources, address, self.evaluator)
    }

    /// Looks at what has to be true before anything is done about a resource.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn leave(&mut self, index: usize) -> Result<Leave, String> {
        let Some(address) = self.plan.steps[index].subject.address() else {
            return Ok(Leave::Yes);
        };
        match self.conditions.before(address, self.evaluator, &self.landing.known) {
            Leave::No(why) => Err(why),
            leave => Ok(leave),
        }
    }

    /// Builds one operation; none while a value is not known.
    pub(crate) fn operation(
        &mut self,
        index: usize,
        backend: &BackendId,
    ) -> Result<Option<Act>, String> {
        self.resolved(index)?;
        if let Leave::NotYet = self.leave(index)? {
            return Ok(None);
        }
        let step = &self.plan.steps[index];
        let address = step.subject.address().cloned();
        let wanted = self.wanted_of(step, self.plan.views[backend].kind);
        match (step.act.clone(), address) {
            (PlannedAct::Record, _) => Ok(None),
            (PlannedAct::DeleteInterface { name, public_key, own_keys, remove_boot_files }, _) => {
                let around = self.surroundings(index);
                Ok(around.map(|around| Act::DeleteInterface {
                    name,
                    public_key,
                    own_keys,
                    remove_boot_files,
                    around,
                }))
            }
            (
                PlannedAct::Persist { name, style, peers, recipe, may_replace, remove },
                Some(address),
            ) => {
                let wish = match style {
                    Some(style) => Some(self.persist_wish(
                        (backend, &address),
                        style,
                        peers,
                        recipe.as_deref(),
                    )?),
                    None => None,
                };
                Ok(Some(Act::Persist(Box::new(Persist { name, wish, may_replace, remove }))))
            }
            (PlannedAct::DeletePeer { interface, public_key }, _) => {
                Ok(Some(Act::DeletePeer { interface, public_key }))
            }
            (PlannedAct::Apply { switch_on }, _) => Ok(Some(Act::Apply { switch_on })),
            (PlannedAct::SetRoutes { interface, recipe, remove_rules }, _) => {
                Ok(self.set_routes(interface, recipe.as_deref(), remove_rules))
            }
            (act, Some(address)) => match wanted {
                Some(wanted) => self.write(index, act, &address, wanted),
                None => Ok(None),
            },
            (_, None) => Ok(None),
        }
    }

    /// Returns the attributes that a step gives its object; none while one of them is not known.
    fn wanted_of(&self, step: &Step, kind: BackendKind) -> Option<Fields> {
        let address = step.subject.address();
        let Some(desired) = address.and_then(|address| self.plan.resources.get(address)) else {
            return Some(Fields::new());
        };
        // A secret that stays where it is, and that the device does not show, needs not be known.
        let is_there = match &step.act {
            PlannedAct::UpdatePeer { settings, .. } => !settings.contains_key("preshared_key"),
            PlannedAct::CreatePeer { replaces, .. } => replaces.is_some(),
            _ => false,
        };
        // Nor one of a peer that goes from its device because it is disabled.
        let goes = desired.fields.get("enabled") == Some(&Wanted::Known(Field::Bool(false)));
        let is_unneeded = if kind.keeps_configuration() { is_there } else { goes };
        let stays = is_unneeded.then_some("preshared_key");
        device_fields(desired.address.kind, &desired.fields, kind, stays)
    }

    /// Builds the operation that writes routes; none while the allowed IPs of a peer are not known.
    fn set_routes(
        &self,
        interface: String,
        recipe: Option<&Recipe>,
        remove_rules: BTreeSet<RouteRule>,
    ) -> Option<Act> {
        let Some(recipe) = recipe else {
            let add_rules = BTreeSet::new();
            return Some(Act::SetRoutes { interface, routes: None, add_rules, remove_rules });
        };
        let WantedRoutes { routes, rules } = recipe.wanted(&self.plan.resources)?;
        let routes = Some(routes.into_keys().collect());
        Some(Act::SetRoutes { interface, routes, add_rules: rules, remove_rules })
    }

    /// Builds the operation that makes or changes an object, with what is wanted of it.
    fn write(
        &mut self,
        index: usize,
        act: PlannedAct,
        address: &Address,
        mut wanted: Fields,
    ) -> Result<Option<Act>, String> {
        Ok(match act {
            PlannedAct::CreateInterface { name, key, key_file, port, down } => {
                if down {
                    wanted.insert("enabled", Field::Bool(false));
                }
                if let Some(port) = port {
                    wanted.entry("listen_port").or_insert(Field::Number(port));
                }
                let Some(around) = self.surroundings(index) else { return Ok(None) };
                let private_key = Some(self.private_key(address, &key)?);
                Some(Act::CreateInterface { name, private_key, key_file, fields: wanted, around })
            }
            PlannedAct::UpdateInterface { name, rename, key, key_file, own_keys, settings } => {
                let Some(around) = self.surroundings(index) else { return Ok(None) };
                let private_key =
                    key.map(|source| self.private_key(address, &source)).transpose()?;
                let settings = written(&settings, &wanted);
                Some(Act::UpdateInterface {
                    name,
                    rename,
                    private_key,
                    key_file,
                    own_keys,
                    settings,
                    wanted,
                    around,
                })
            }
            PlannedAct::CreatePeer { interface, public_key, replaces } => {
                let landed = self.landing.peer_key(&self.plan.resources, address);
                if let (None, Some(landed)) = (public_key, landed) {
                    self.landing.claim(&self.plan.resources, address, landed)?;
                }
                let fields = wanted;
                let make = |public_key| Act::CreatePeer { interface, public_key, replaces, fields };
                public_key.or(landed).map(make)
            }
            PlannedAct::UpdatePeer { interface, public_key, settings } => {
                let settings = written(&settings, &wanted);
                Some(Act::UpdatePeer { interface, public_key, settings, wanted })
            }
            PlannedAct::Record
            | PlannedAct::SetRoutes { .. }
            | PlannedAct::DeleteInterface { .. }
            | PlannedAct::Persist { .. }
            | PlannedAct::Apply { .. }
            | PlannedAct::DeletePeer { .. } => None,
        })
    }

    /// Returns what happens around an operation on an interface; none while a command is not known.
    fn surroundings(&self, index: usize) -> Option<Surroundings> {
        let step = &self.plan.steps[index];
        let action = match step.action {
            Action::Create => "create",
            Action::Update => "update",
            Action::Replace => "replace",
            Action::Delete => "destroy",
            Action::Forget => "forget",
        };
        Some(Surroundings {
            address: step.subject.address().map(ToString::to_string).unwrap_or_default(),
            action,
            hooks: self.plan.hooks(step)?,
            had_name_servers: self.plan.had_name_servers(step),
        })
    }

    /// Collects what comes back at boot. A peer that is not there by now, because it failed, does not.
    fn persist_wish(
        &mut self,
        (backend, address): (&BackendId, &Address),
        style: Style,
        peers: PersistedPeers,
        recipe: Option<&Recipe>,
    ) -> Result<PersistWish, String> {
        let PersistedPeers { wanted, as_recorded } = peers;
        let desired = self.plan.resources.get(address);
        let Some(fields) = desired.and_then(persisted_fields) else {
            return Err("a value that it needs is still not known".to_owned());
        };
        let mut peers = as_recorded;
        for peer in wanted {
            // Why it cannot be evaluated is said where it was to be made.
            let _said = self.landing.resolve(&mut self.plan.resources, &peer, self.evaluator);
            let key = self.landing.peer_key(&self.plan.resources, &peer);
            let fields = self.plan.resources.get(&peer).and_then(persisted_fields);
            peers.extend(key.zip(fields));
        }
        let Some(routes) = recipe.and_then(|it| it.wanted(&self.plan.resources)) else {
            return Err("the routes are still not known".to_owned());
        };
        let outside = outside(backend, address, &routes);
        Ok(PersistWish { style, fields, outside, peers })
    }

    /// Takes the key from where the plan says, or makes it: before the intent is written, which names the public key.
    fn private_key(&mut self, address: &Address, source: &KeySource) -> Result<PrivateKey, String> {
        let key = match source {
            KeySource::Held(key) => key.clone(),
            KeySource::Configured => {
                let wanted =
                    self.plan.resources.get(address).and_then(|it| it.fields.get("private_key"));
                match wanted.and_then(Wanted::known) {
                    Some(Field::PrivateKey(key)) => key.clone(),
                    _ => return Err("its `private_key` is still not known".to_owned()),
                }
            }
            KeySource::New => self.landing.new_key(address, self.world),
        };
        self.landing.known.publish(address, "public_key", Field::PublicKey(key.public()));
        Ok(key)
    }
}

/// Returns the wanted attributes that the device holds; none while one of them is not known.
fn device_fields(
    kind: Kind,
    wanted: &BTreeMap<&'static str, Wanted>,
    backend: BackendKind,
    stays: Option<&str>,
) -> Option<Fields> {
    let identifies = |name: &str| match name {
        "private_key" | "key_file" | "public_key" | "interface" => true,
        // A peer is known by its key.
        "name" => kind == crate::resource::Kind::Interface,
        _ => false,
    };
    let mut fields = Fields::new();
    for attribute in declaration::attributes(kind) {
        if attribute.support(backend) != Support::Device || identifies(attribute.name) {
            continue;
        }
        if let Some(value) = wanted.get(attribute.name) {
            if value.known().is_none() && stays == Some(attribute.name) {
                continue;
            }
            fields.insert(attribute.name, value.known()?.clone());
        }
    }
    Some(fields)
}

fn written(planned: &BTreeMap<&'static str, PlannedSetting>, wanted: &Fields) -> Settings {
    let setting = |(name, setting): (&&'static str, &PlannedSetting)| {
        let setting = match setting {
            PlannedSetting::Direct(setting) => setting.clone(),
            PlannedSetting::Wanted => match wanted.get(name) {
                Some(field) => Setting::To(field.clone()),
                None => Setting::Clear,
            },
        };
        (*name, setting)
    };
    planned.iter().map(setting).collect()
}
