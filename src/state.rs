//! What wgform owns, and the versioned file formats that say so.
//!
//! The formats are JSON. A file never holds a secret: keys are there as public keys and fingerprints. Reading and
//! writing files is `store`'s; this module turns bytes into [`State`] and [`Recorded`] and back.

pub mod document;
pub mod hold;
pub mod journal;
mod rename;

pub use document::StateError;
pub use hold::{Hold, HoldKind, Made};
pub use journal::{JournalError, Recorded};

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::resource::{Address, BackendId};
use crate::value::FingerprintKey;
use crate::world::World;

/// The version of the format that this program writes.
pub const FORMAT: u64 = 1;

/// Everything that one state file says.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
pub struct State {
    /// Made with the first state; another lineage is another state.
    pub lineage: Uuid,
    /// Grows by one with each write.
    pub serial: u64,
    /// Which environment it describes; `default` unless said otherwise.
    pub environment: String,
    /// The key of its fingerprints.
    #[schemars(with = "String")]
    pub fingerprint_key: FingerprintKey,
    /// The backends it has objects on.
    pub backends: BTreeMap<BackendId, BackendRecord>,
    /// The objects it owns.
    pub resources: BTreeMap<Address, ResourceRecord>,
    /// The outputs as of the last apply; never a sensitive one.
    pub outputs: BTreeMap<String, OutputRecord>,
    /// Intents that are on their way, kept here by stores without a journal of their own.
    pub in_flight: Vec<Json>,
    /// The run that is at work, in a store elsewhere: what it is about to do is in flight.
    #[schemars(default, skip_serializing_if = "Option::is_none")]
    pub applying: Option<Applying>,
    /// What is left alone, or known to differ, for a time.
    pub holds: Vec<Json>,
    /// The ids of saved plans that were applied, newest last.
    pub applied_plans: Vec<String>,
    /// When an apply last wrote it, all of which succeeded.
    #[schemars(default, skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<Timestamp>,
    /// Fields of the document that this program does not know. They are written back as they came.
    #[schemars(flatten)]
    pub other: BTreeMap<String, Json>,
}

impl State {
    /// The environment of a state that was not made for a named one.
    pub const DEFAULT_ENVIRONMENT: &str = "default";

    /// Starts a state: a lineage and a fingerprint key of its own, and nothing owned.
    pub fn new(world: &World) -> Self {
        let state = Self::empty(world.new_id(), world.new_fingerprint_key());
        Self { environment: world.workspace().to_owned(), ..state }
    }

    /// Starts a state under a lineage and a fingerprint key that are given already.
    pub fn empty(lineage: Uuid, fingerprint_key: FingerprintKey) -> Self {
        Self {
            lineage,
            serial: 0,
            environment: Self::DEFAULT_ENVIRONMENT.to_owned(),
            fingerprint_key,
            backends: BTreeMap::new(),
            resources: BTreeMap::new(),
            outputs: BTreeMap::new(),
            in_flight: Vec::new(),
            applying: None,
            holds: Vec::new(),
            applied_plans: Vec::new(),
            applied_at: None,
            other: BTreeMap::new(),
        }
    }

    /// Records what one step did. Recording the same change twice is the same as recording it once.
    pub fn apply(&mut self, change: StateChange) {
        match change {
            StateChange::Put { address, resource, depose } => self.put(address, *resource, depose),
            StateChange::Remove { address } => self.remove(&address),
            StateChange::RemoveDeposed { address, backend, object } => {
                if let Some(record) = self.resources.get_mut(&address) {
                    record.deposed.retain(|it| it.backend != backend || it.object != object);
                }
            }
        }
    }

    /// Returns the changes that were on their way when a run was cut off, in their order. What is not one, because a
    /// newer program wrote it, stays in the document and is not returned.
    pub fn open(&self) -> Vec<StateChange> {
        self.in_flight.iter().filter_map(|it| serde_json::from_value(it.clone()).ok()).collect()
    }

    /// Forgets open changes: their objects were looked for, and what was found is recorded or known to be nothing.
    pub fn settle(&mut self, changes: &[StateChange]) {
        if changes.is_empty() {
            return;
        }
        let settled: BTreeSet<String> = changes.iter().map(|it| it.to_json().to_string()).collect();
        self.in_flight.retain(|it| !settled.contains(&it.to_string()));
    }

    /// Remembers changes whose end is not known.
    pub fn keep_open(&mut self, changes: impl IntoIterator<Item = StateChange>) {
        self.in_flight.extend(changes.into_iter().map(|change| change.to_json()));
    }

    /// Returns every backend that something of this state is on, or may be.
    pub fn backends_in_use(&self) -> BTreeSet<BackendId> {
        let resources = self.resources.values();
        let owned = resources.flat_map(|record| {
            record
                .backend
                .iter()
                .chain(record.deposed.iter().map(|deposed| &deposed.backend))
                .cloned()
        });
        let open = self.open().into_iter().filter_map(|change| match change {
            StateChange::Put { resource, .. } => resource.backend,
            StateChange::RemoveDeposed { backend, .. } => Some(backend),
            StateChange::Remove { .. } => None,
        });
        owned.chain(open).collect()
    }

    fn put(&mut self, address: Address, mut resource: ResourceRecord, depose: bool) {
        if let Some(old) = self.resources.remove(&address) {
            // The state knows best which old objects are left: a change is made from a plan, and some of them may
            // be gone since then.
            resource.deposed = old.deposed;
            match old.backend {
                Some(backend) if depose => {
                    let ResourceRecord { object, attributes, other, .. } = old;
                    resource.deposed.push(Deposed { backend, object, attributes, other });
                }
                Some(backend) if resource.backend.as_ref() == Some(&backend) => {
                    self.follow_rename(&address, &backend, &old.object, &resource.object);
                }
                _ => {}
            }
        }
        // An object that is in use (again, or still, when a change is recorded twice) is not a left-over to remove.
        let (backend, object) = (&resource.backend, &resource.object);
        resource.deposed.retain(|it| Some(&it.backend) != backend.as_ref() || it.object != *object);
        self.resources.insert(address, resource);
    }

    /// The peers of an interface that got another name are on the interface of that name. Those of another one, which had
    /// it before or gets it in the same apply, are not.
    fn follow_rename(
        &mut self,
        address: &Address,
        backend: &BackendId,
        before: &ObjectKey,
        after: &ObjectKey,
    ) {
        let (ObjectKey::Interface { name: before, .. }, ObjectKey::Interface { name: after, .. }) =
            (before, after)
        else {
            return;
        };
        if before == after {
            return;
        }
        let address = address.to_string();
        for record in self.resources.values_mut() {
            let ResourceRecord { backend: own, object, attributes, deposed, .. } = record;
            let own = own.as_ref().map(|own| (own, object, &*attributes));
            let deposed =
                deposed.iter_mut().map(|it| (&it.backend, &mut it.object, &it.attributes));
            for (on, object, attributes) in own.into_iter().chain(deposed) {
                let is_others =
                    attributes.get("interface").is_some_and(|it| it.as_str() != Some(&address));
                if let ObjectKey::Peer { interface, .. } = object
                    && interface == before
                    && on == backend
                    && !is_others
                {
                    interface.clone_from(after);
                }
            }
        }
    }

    fn remove(&mut self, address: &Address) {
        let Some(mut record) = self.resources.remove(address) else { return };
        // An older object that is still on its device must not be forgotten: it becomes the object of the address,
        // and a later plan removes it.
        if let Some(Deposed { backend, object, attributes, other }) = record.deposed.pop() {
            record.backend = Some(backend);
            record.object = object;
            record.attributes = attributes;
            record.other = other;
            record.owned_elements.clear();
            record.written_to.clear();
            self.resources.insert(address.clone(), record);
        }
    }
}

/// A run that is at work on a state that is kept elsewhere, or was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Applying {
    /// The id of its lock.
    pub id: String,
    /// When it began.
    pub began_at: Timestamp,
    /// The user.
    pub who: String,
    /// The host.
    pub host: String,
}

/// One backend as it was when it was last written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackendRecord {
    /// What kind of system it is: `local`.
    pub kind: String,
    /// What the device is known by, whatever its name and address: [`Identity::id`](crate::actual::Identity::id).
    pub identity: String,
    /// Another one after each boot: [`Identity::boot_id`](crate::actual::Identity::boot_id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// What people call it.
    pub host_name: String,
    /// Whether it was a simulator.
    pub simulated: bool,
    /// How it is reached, without credentials: `netns`, `driver`; later a URL.
    #[serde(default)]
    pub transport: BTreeMap<String, Json>,
    /// What it could do.
    #[serde(default)]
    pub capabilities: BTreeMap<String, Json>,
    /// Which organization it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Fields that this program does not know. They are written back as they came.
    #[serde(flatten)]
    pub other: BTreeMap<String, Json>,
}

/// One owned object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceRecord {
    /// Where it lives; none for a resource that lives in the state only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendId>,
    /// How it is found on the device.
    pub object: ObjectKey,
    /// The attributes as last written, with a secret as its fingerprint and a private key as its public key:
    /// [`Field::recorded`](crate::resource::Field::recorded). An attribute that is not here was not managed.
    pub attributes: BTreeMap<String, Json>,
    /// For a set that is owned element by element, the elements that are ours; under `routes`, the routes and rules
    /// of an interface that were last applied.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub owned_elements: BTreeMap<String, BTreeSet<String>>,
    /// The device field that an attribute was written to, where a device has had more than one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub written_to: BTreeMap<String, String>,
    /// What it refers to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub dependencies: BTreeSet<Address>,
    /// `lifecycle.prevent_destroy` as of the last apply: it holds after the block is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prevent_destroy: bool,
    /// Something that an apply has under way: an interface that was made, and whose peers are still to be put on it; or
    /// an object that made way for its successor. That they are missing is no surprise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_being_filled: bool,
    /// An interface that was removed outside of wgform, which a refresh took for true: only its key is still ours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_gone: bool,
    /// The attributes that are recorded and that its device may change by itself, or that others may: what it chose, and
    /// `ignore_changes`. They are never drift.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub left_to_device: BTreeSet<String>,
    /// Older objects of the same address that are still to be removed, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deposed: Vec<Deposed>,
    /// Fields that this program does not know. They are written back as they came.
    #[serde(flatten)]
    pub other: BTreeMap<String, Json>,
}

impl ResourceRecord {
    /// What brings an interface back at boot, among its attributes.
    pub const PERSISTED: &str = "persisted";

    /// In that, the address that was written into the files.
    pub const WRITTEN_AS: &str = "address";

    /// What the routes of an interface are among its elements.
    pub const ROUTES: &str = "routes";

    /// Remembers the routes and rules that were last applied, each as a plan shows it.
    pub fn own_routes(&mut self, texts: BTreeSet<String>) {
        match texts.is_empty() {
            true => _ = self.owned_elements.remove(Self::ROUTES),
            false => _ = self.owned_elements.insert(Self::ROUTES.to_owned(), texts),
        }
    }

    /// Starts the record of an object.
    pub fn new(backend: Option<BackendId>, object: ObjectKey) -> Self {
        Self {
            backend,
            object,
            attributes: BTreeMap::new(),
            owned_elements: BTreeMap::new(),
            written_to: BTreeMap::new(),
            dependencies: BTreeSet::new(),
            prevent_destroy: false,
            is_being_filled: false,
            is_gone: false,
            left_to_device: BTreeSet::new(),
            deposed: Vec::new(),
            other: BTreeMap::new(),
        }
    }
}

/// An object that was replaced and is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deposed {
    /// Where it lives.
    pub backend: BackendId,
    /// How it is found.
    pub object: ObjectKey,
    /// Its attributes as last written.
    pub attributes: BTreeMap<String, Json>,
    /// Fields that this program does not know. They are written back as they came.
    #[serde(flatten)]
    pub other: BTreeMap<String, Json>,
}

/// A key by which an object is found on its device without the answer of the request that made it.
///
/// A key with a field that this program does not know is refused: it may name another object.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case", tag = "type", deny_unknown_fields)]
pub enum ObjectKey {
    /// An interface.
    Interface {
        /// Its name.
        name: String,
        /// Its public key.
        public_key: String,
    },
    /// A peer.
    Peer {
        /// The name of its interface.
        interface: String,
        /// Its public key.
        public_key: String,
    },
    /// A pre-shared key, which lives on its holders.
    PresharedKey {},
}

/// One output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutputRecord {
    /// The value; none for a sensitive output, which is never stored.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// Whether it is sensitive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// Fields that this program does not know. They are written back as they came.
    #[serde(flatten)]
    pub other: BTreeMap<String, Json>,
}

/// Reads a value that is there: `null` is one too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl OutputRecord {
    /// Records an output.
    pub fn new(value: Option<Json>, sensitive: bool) -> Self {
        Self { value, sensitive, other: BTreeMap::new() }
    }
}

/// One line of the journal that is written beside the state while an apply runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "record")]
pub enum JournalRecord {
    /// The first line: which state this journal goes with, and what it is before the run.
    Begin {
        /// The version of the format.
        version: u64,
        /// The lineage of the state.
        lineage: Uuid,
        /// The serial that the state file had; 0 when there was none.
        serial: u64,
        /// The environment of the state.
        environment: String,
        /// The fingerprint key, since a first apply has no state file yet.
        fingerprint_key: String,
        /// When the run began.
        began_at: Timestamp,
        /// The backends that the run touches, as they are.
        backends: BTreeMap<BackendId, BackendRecord>,
    },
    /// A step is about to be written.
    Intent {
        /// The number of the step in this run.
        step: u64,
        /// What changes in the state when it lands.
        change: StateChange,
    },
    /// A step landed.
    Done {
        /// The number of the step.
        step: u64,
        /// What changed, with the values that only the device could make; replaces the intent's.
        change: StateChange,
    },
    /// A step failed, and the device is as it was.
    Failed {
        /// The number of the step.
        step: u64,
    },
}

/// What one step does to the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum StateChange {
    /// The resource is there, as recorded. An older object of the address becomes deposed when `depose` is set.
    Put {
        /// Which.
        address: Address,
        /// As it is.
        resource: Box<ResourceRecord>,
        /// Whether the object that was there before stays on its device for now.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        depose: bool,
    },
    /// The resource is gone, or no longer ours.
    Remove {
        /// Which.
        address: Address,
    },
    /// A deposed object is gone.
    RemoveDeposed {
        /// Of which resource.
        address: Address,
        /// Where it was. An interface that moved has the same key on both its backends.
        backend: BackendId,
        /// Which object.
        object: ObjectKey,
    },
}

impl StateChange {
    /// Returns which resource it changes.
    pub fn address(&self) -> &Address {
        match self {
            Self::Put { address, .. }
            | Self::Remove { address }
            | Self::RemoveDeposed { address, .. } => address,
        }
    }

    /// Returns the form in which [`State::in_flight`] holds it.
    pub fn to_json(&self) -> Json {
        serde_json::to_value(self).expect("maps of a change have texts as keys")
    }
}

#[cfg(test)]
pub(crate) mod tests;
