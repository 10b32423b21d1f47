//! What wgform owns, and the versioned file formats that say so.
//!
//! The formats are JSON. A file never holds a secret: keys are there as public keys and fingerprints. Reading and
//! writing files is `store`'s; this module turns bytes into [`State`] and back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::resource::{Address, BackendId};
use crate::value::FingerprintKey;

/// The version of the format that this program writes.
pub const FORMAT: u64 = 1;

/// Everything that one state file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Made with the first state; another lineage is another state.
    pub lineage: Uuid,
    /// Grows by one with each write.
    pub serial: u64,
    /// Which environment it describes; `default` unless said otherwise.
    pub environment: String,
    /// The key of its fingerprints.
    pub fingerprint_key: FingerprintKey,
    /// The backends it has objects on.
    pub backends: BTreeMap<BackendId, BackendRecord>,
    /// The objects it owns.
    pub resources: BTreeMap<Address, ResourceRecord>,
    /// The outputs as of the last apply; never a sensitive one.
    pub outputs: BTreeMap<String, OutputRecord>,
    /// Intents that are on their way, kept here by stores without a journal of their own.
    pub in_flight: Vec<Json>,
    /// Holds on changes.
    pub holds: Vec<Json>,
    /// The ids of saved plans that were applied, newest last.
    pub applied_plans: Vec<String>,
}

/// One backend as it was when it was last written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendRecord {
    /// `local`, …
    pub kind: String,
    /// [`Identity::id`](crate::actual::Identity::id).
    pub identity: String,
    /// [`Identity::boot_id`](crate::actual::Identity::boot_id).
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
}

/// One owned object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceRecord {
    /// Where it lives; none for a resource that lives in the state only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendId>,
    /// How it is found on the device.
    pub object: ObjectKey,
    /// The attributes as last written, in the form of [`Field::recorded`](crate::resource::Field::recorded).
    /// An attribute that is not here was not managed.
    pub attributes: BTreeMap<String, Json>,
    /// For a set that is owned element by element, the elements that are ours.
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
    /// Older objects of the same address that are still to be removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deposed: Vec<Deposed>,
}

/// An object that was replaced and is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deposed {
    /// Where it lives.
    pub backend: BackendId,
    /// How it is found.
    pub object: ObjectKey,
    /// Its attributes as last written.
    pub attributes: BTreeMap<String, Json>,
}

/// A key by which an object is found on its device without the answer of the request that made it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
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
    PresharedKey,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRecord {
    /// The value; none for a sensitive output, which is never stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// Whether it is sensitive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
}

/// One line of the journal that is written beside the state while an apply runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "record")]
pub enum JournalRecord {
    /// The first line: which state this journal goes with, and what it is before the run.
    Begin {
        /// The version of the format.
        version: u64,
        /// The lineage of the state.
        lineage: Uuid,
        /// The serial that the state file had.
        serial: u64,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
        /// Which object.
        object: ObjectKey,
    },
}
