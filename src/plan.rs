//! Wanted, found and owned become ordered steps with reasons.
//!
//! A plan is made without a clock, without IO and without randomness: the same inputs give the same plan. It leaves no
//! choice to apply but the values that only a device can make. What it decides and why:
//!
//! * `interest` says what has to be looked at before,
//! * `recover` folds in the intents of an apply that was cut off,
//! * `guard` refuses to believe in absence that is not plausible, and a device that is not the recorded one,
//! * `refactor` gives everything its new address first, and notes what is left alone and what is taken over,
//! * `walk` evaluates and compares every resource in dependency order,
//! * `routes` says which routes each interface is to have, and what is in their way,
//! * `check` looks across resources: what is wanted twice, what belongs to somebody else,
//! * `persist` says what brings an interface back at boot, and what does now,
//! * `path` knows through which tunnels backends are reached, and what becomes of those,
//! * `order` makes the steps and puts them in order,
//! * `limit` says what of it all is more than may be done without a word,
//! * `service` says what becomes of what a device stores and applies apart, and what only a firewall has,
//! * `session` says which sessions an apply keeps,
//! * `finish` says what else changes, and what stands in the way,
//! * `recorded` knows what the state says of what no device is asked for,
//! * `view` says what of all that was asked for,
//! * `one_sided` finds the links of which only one end is asked for, or can be reached,
//! * `saved` is a plan as a file holds it, its digest, and how another plan differs from it,
//! * `observe` takes what is there for what was last applied, when only that was asked for,
//! * `from_state` compares what was last applied with what is there, where there is no configuration,
//! * `hold` knows what is left alone for a time.

mod adopt;
mod check;
mod finish;
mod from_state;
mod guard;
mod hold;
mod hooks;
mod interest;
mod limit;
mod machine;
mod observe;
mod one_sided;
mod order;
mod path;
mod persist;
mod recorded;
mod recover;
mod refactor;
mod routes;
pub mod saved;
mod secret;
mod service;
mod session;
mod view;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::actual::{Actual, OwnKeys, Unreachable};
use crate::config::{Config, Desired, Evaluator, Output};
use crate::diagnostic::Diagnostic;
use crate::diff::{AttributeDiff, Side};
use crate::link::Links;
use crate::persist::Style;
use crate::resource::{Address, BackendId, BackendKind, Fields, Setting};
use crate::state::{BackendRecord, ObjectKey, State, StateChange};
use crate::value::{Bound, PresharedKey, PrivateKey, PublicKey, RouteRule};

pub use adopt::{NotAdopted, adopt};
pub use finish::record;
pub use hold::{Held, Holds};
pub use interest::{interest, recorded_interest};
pub use limit::{Deeds, Guarded, Limits, deeds, listed, protects_nothing};
pub use path::{Destination, PathChange, PathFate, Reach};
pub use persist::{begin_files, outside, persisted_fields, written};
pub use recover::recover;
pub use refactor::renames;
pub use routes::{Recipe, WantedRoutes};
pub use walk::Known;

/// What a plan is made from.
pub struct Inputs<'a> {
    /// What is owned.
    pub state: State,
    /// Intents of an apply that was cut off, whose end is not known.
    pub open: Vec<StateChange>,
    /// What is there.
    pub actual: &'a Actual,
    /// What the backends are, as the configuration declares them; and how they are reached.
    pub backends: BTreeMap<BackendId, BackendView>,
    /// What was asked for.
    pub options: Options,
    /// The time for which the plan is made.
    pub planned_at: Timestamp,
}

/// A backend as a plan needs it.
#[derive(Debug, Clone)]
pub struct BackendView {
    /// What kind of system it is.
    pub kind: BackendKind,
    /// How messages call it.
    pub display_name: Option<String>,
    /// Whether it is simulated.
    pub simulated: bool,
    /// How it is reached, for the state.
    pub transport: BTreeMap<String, Json>,
    /// Whether WireGuard may be switched on there.
    pub manage_service: bool,
    /// Whether nothing may be written there.
    pub read_only: bool,
    /// How packets come to it.
    pub reach: Reach,
}

/// What a user asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Options {
    /// Everything that is owned is to go.
    pub destroy: bool,
    /// Only these, with what they need; all when empty.
    pub targets: Vec<Address>,
    /// The other ends of their links are left out.
    pub target_exact: bool,
    /// Everything but these, and but what depends on them.
    pub excludes: Vec<Address>,
    /// These are made anew although nothing about them demands it.
    pub replace: BTreeSet<Address>,
    /// Only what changed outside of wgform is looked at, and nothing is undone.
    pub refresh_only: bool,
    /// The devices are not asked: what was last applied is taken for what is there.
    pub without_refresh: bool,
    /// Interfaces that may get a new key.
    pub allow_new_key: BTreeSet<Address>,
    /// Backends that may be another system than the recorded one.
    pub accept_new_device: BTreeSet<BackendId>,
    /// Backends whose losses are believed.
    pub accept_loss: BTreeSet<BackendId>,
    /// How much may be missing before it is not believed; none for the usual.
    #[serde(skip)]
    pub max_vanished: Option<Bound>,
    /// What an apply may not do; none for a plan that nobody applies.
    pub limits: Option<Limits>,
    /// Pre-shared keys that are made anew by a saved plan, even if whoever applies it is shown their value.
    #[serde(skip)]
    pub new_secrets: BTreeSet<Address>,
}

impl Options {
    /// Returns whether only a part was asked for.
    pub fn is_partial(&self) -> bool {
        !self.targets.is_empty() || !self.excludes.is_empty()
    }
}

/// What an apply would do, and why.
#[derive(Debug)]
pub struct Plan {
    /// What changes, in the order in which it is shown.
    pub changes: Vec<ResourceChange>,
    /// What is written, in order.
    pub steps: Vec<Step>,
    /// The resources as they are wanted, for the steps.
    pub resources: BTreeMap<Address, Desired>,
    /// What is known of attributes that the configuration does not set.
    pub known: Known,
    /// Where the value of each pre-shared key comes from.
    pub secrets: BTreeMap<Address, SecretSource>,
    /// The state that the steps start from: recovered, and with everything that needs no write.
    pub state: State,
    /// Whether that state differs from the stored one.
    pub state_differs: bool,
    /// Intents whose end is still not known, because their backend could not be read.
    pub open: Vec<StateChange>,
    /// The backends that were read, as they are to be recorded.
    pub backends: BTreeMap<BackendId, BackendRecord>,
    /// How messages call the backends.
    pub views: BTreeMap<BackendId, BackendView>,
    /// Peers that wait for a key.
    pub pending: Vec<Address>,
    /// Peers that nobody declared and that stay.
    pub unmanaged: Vec<UnmanagedPeer>,
    /// What is left alone for a time and would have changed.
    pub held: Vec<Held>,
    /// What is left alone, or known to differ, now.
    pub holds: Holds,
    /// What was applied and the device does not show, so that nobody knows whether it was changed.
    pub unchecked: BTreeMap<Address, BTreeSet<&'static str>>,
    /// Backends that could not be read, with the resources that were left out.
    pub unreachable: BTreeMap<BackendId, (Unreachable, Vec<Address>)>,
    /// Backends that were read and are not believed, with the resources whose objects are missing there.
    pub doubted: BTreeMap<BackendId, Vec<Address>>,
    /// Hosts that were rebooted since the last apply and lost interfaces by it.
    pub rebooted: BTreeMap<BackendId, Reboot>,
    /// The sessions that live now, and which of them an apply cuts.
    pub sessions: Sessions,
    /// What must be said before anything is done.
    pub refusals: Vec<Refusal>,
    /// The guards that were looked at.
    pub guarded: Vec<Guarded>,
    /// What becomes of the ways to backends.
    pub paths: Vec<PathChange>,
    /// What is worth a look.
    pub warnings: Vec<Diagnostic>,
    /// The outputs that change.
    pub outputs: Vec<OutputChange>,
    /// Which peers belong together.
    pub links: Links,
    /// Whether only a part was asked for.
    pub is_partial: bool,
    /// What was left out of it by name, with what had to be left out with that.
    pub excluded: BTreeSet<Address>,
    /// What has another address now, with its old one.
    pub moved: BTreeMap<Address, Address>,
    /// What is taken over, with what it is found by.
    pub imported: BTreeMap<Address, String>,
    /// The links of which it changes one end only.
    pub one_sided: Vec<OneSided>,
    /// Conditions that the apply has to look at, because they are not known yet.
    pub unsettled: BTreeMap<Address, Unsettled>,
    /// What the `check` blocks warn of by now; none when nothing asks them.
    pub checks: Option<Vec<Diagnostic>>,
}

/// Which conditions of a resource are not known yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unsettled {
    /// A `precondition`.
    pub before: bool,
    /// A `postcondition`.
    pub after: bool,
}

impl Plan {
    /// Returns whether a device or the state has to be written to for the sake of a resource.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.outputs.is_empty()
            && self.moved.is_empty()
            && self.imported.is_empty()
    }

    /// Returns whether an apply would undo something that was changed outside of wgform.
    pub fn has_drift(&self) -> bool {
        self.changes.iter().any(ResourceChange::has_drift)
    }
}

/// A link of which one end changes, and the other one would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OneSided {
    /// The end that changes; or the interface that gets another key.
    pub changed: Address,
    /// The end that does not.
    pub left_out: Address,
    /// The backend that is the reason; none where the end was not asked for.
    pub unread: Option<BackendId>,
}

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A resource.
    Resource(Address),
    /// A backend itself.
    Backend(BackendId),
    /// A peer that nobody declared, on an interface of ours.
    Unmanaged {
        /// The interface.
        interface: Address,
        /// The peer.
        public_key: PublicKey,
    },
}

impl Subject {
    /// Returns the address, of a resource.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Resource(address) => Some(address),
            Self::Backend(_) | Self::Unmanaged { .. } => None,
        }
    }

    /// Returns whether it is a peer that nobody declared.
    pub fn is_unmanaged(&self) -> bool {
        matches!(self, Self::Unmanaged { .. })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resource(address) => write!(f, "{address}"),
            Self::Backend(id) => write!(f, "backend.{id}"),
            Self::Unmanaged { interface, public_key } => {
                write!(f, "unmanaged peer {public_key} of {interface}")
            }
        }
    }
}

/// The name of an attribute, as it is declared.
pub type Name = &'static str;

/// What happens to one resource.
#[derive(Debug, Clone)]
pub struct ResourceChange {
    /// To what.
    pub subject: Subject,
    /// Where.
    pub backend: Option<BackendId>,
    /// What happens.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Every attribute that is worth a line, changed or not.
    pub attributes: Vec<AttributeDiff>,
    /// Attributes whose value was marked sensitive.
    pub sensitive: BTreeSet<&'static str>,
    /// What else must be said about it.
    pub notes: Vec<Note>,
}

impl ResourceChange {
    /// Returns whether all of it only undoes what happened outside of wgform.
    pub fn is_drift(&self) -> bool {
        matches!(
            self.reason,
            Reason::Gone
                | Reason::Rebooted
                | Reason::GoneWithInterface
                | Reason::Drift
                | Reason::Observed
        )
    }

    /// Returns whether any of it undoes what happened outside of wgform.
    pub fn has_drift(&self) -> bool {
        self.is_drift()
            || self.notes.iter().any(Note::is_drift)
            || self.action == Action::Update
                && self.attributes.iter().any(|it| it.class == crate::diff::Class::Drift)
    }
}

/// What happens to an object.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed where it is.
    Update,
    /// It is made anew.
    Replace,
    /// It is removed.
    Delete,
    /// It stays as it is, and is nobody's from then on.
    Forget,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is in the configuration and was not made yet.
    New,
    /// The configuration changed.
    Configuration,
    /// It was changed outside of wgform, and only that.
    Drift,
    /// It was removed outside of wgform.
    Gone,
    /// Its host was rebooted.
    Rebooted,
    /// It was changed or removed outside of wgform, and that is taken for true.
    Observed,
    /// `-replace` asks for it.
    Requested,
    /// `replace_triggered_by` names something that changes.
    Triggered {
        /// What.
        by: Address,
        /// Which attribute of it, when one is named.
        #[serde(default, deserialize_with = "saved::some_name")]
        attribute: Option<Name>,
        /// Whether it is made, or made anew.
        is_made: bool,
    },
    /// Its interface is made anew, because it was removed.
    GoneWithInterface,
    /// Its interface is made anew, because of a change.
    WithInterface,
    /// An attribute cannot be changed on an object that exists.
    CannotUpdate(#[serde(deserialize_with = "saved::name")] Name),
    /// It is no longer in the configuration.
    NotConfigured,
    /// A `removed` block says so; where that is.
    Removed(String),
    /// Its `public_key` became `null`.
    BecamePending,
    /// Everything goes.
    Destroy,
    /// An apply was cut off in the middle of it.
    Interrupted,
    /// Nobody declared it, and `unmanaged_peers = "remove"`.
    Unmanaged,
    /// It was replaced earlier, and the old object is still there.
    Deposed,
}

impl Reason {
    /// Returns whether an object is made anew in its place, although nothing about itself demands it.
    pub fn is_request(&self) -> bool {
        matches!(self, Self::Requested | Self::Triggered { .. })
    }
}

/// What else must be said about a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// The interface gets a key that nobody knows yet; these are the peers that have the old one.
    NewKey {
        /// Resources that refer to the key and follow.
        follow: Vec<Address>,
        /// Far ends that must be told: peers of the interface whose configuration is not here.
        tell: Vec<Address>,
    },
    /// The interface is gone, and comes back with its key if it is made again.
    KeyRemembered,
    /// The key comes from a file that was there.
    KeyTakenFrom(PathBuf),
    /// The firewall mark is wgform's own choice.
    MarkChosen(u32),
    /// The key was changed outside of wgform, the old one is not known, so the device's is kept.
    KeyKept(PublicKey),
    /// The peer is past its `expires_at`.
    Expired(Timestamp),
    /// The last handshake of a peer that is removed.
    LastHandshake(
        #[serde(with = "saved::seconds")]
        #[schemars(with = "Option<u64>")]
        Option<Duration>,
    ),
    /// Peers that nobody declared go with the interface.
    UnmanagedGo(usize),
    /// So many older objects of it, which were replaced and are still there, are forgotten with it.
    OlderStay(usize),
    /// The pre-shared key is made anew because no holder can give it back.
    NewSecret,
    /// Commands of the user run on its host.
    Hooks(Vec<Hook>),
    /// A file that brings the interface back at boot is written again.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        change: FileChange,
    },
    /// The unit that brings the interface back at boot is no longer started, and will be.
    NotStarted(String),
    /// There is no systemd to start the unit that brings the interface back at boot.
    NoSystemd(String),
    /// Something that there is on a firewall only.
    Firewall(FirewallNote),
}

impl Note {
    /// Returns whether it says what was done outside of wgform.
    pub fn is_drift(&self) -> bool {
        match self {
            Self::File { change: FileChange::Text { is_touched, .. }, .. } => *is_touched,
            Self::File { change: FileChange::Gone | FileChange::Access, .. }
            | Self::NotStarted(_) => true,
            _ => false,
        }
    }
}

/// What must be said about a change on a firewall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FirewallNote {
    /// WireGuard is switched on.
    SwitchedOn,
    /// What was stored on it by then takes effect.
    Applied,
    /// The tunnel is assigned to an interface.
    Assigned,
    /// The interface that a tunnel is assigned to goes, with its rules.
    Released(String),
}

/// How a file differs from what is to be in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileChange {
    /// It is not there.
    Gone,
    /// Its permissions are others.
    Access,
    /// It holds something else.
    Text {
        /// The lines that differ, with `-` or `+` in front, and those around them, with a blank. Keys are not in them.
        lines: Vec<(char, String)>,
        /// Whether somebody else wrote it.
        is_foreign: bool,
        /// Whether it was changed by hand.
        is_touched: bool,
    },
}

/// A command of the user that an apply runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hook {
    /// The attribute that it is in, which says when it runs.
    #[serde(deserialize_with = "saved::name")]
    pub at: Name,
    /// The program and its arguments, with the interface's name in them, as a list; or not known yet.
    pub command: Side,
}

/// A peer that nobody declared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UnmanagedPeer {
    /// The interface that it is on.
    pub interface: Address,
    /// Where.
    pub backend: BackendId,
    /// The name of the interface on the device.
    pub interface_name: String,
    /// Which.
    pub public_key: PublicKey,
    /// Its allowed IPs.
    pub allowed_ips: Vec<String>,
    /// How long ago its last handshake was.
    #[serde(default, with = "saved::seconds")]
    #[schemars(with = "Option<u64>")]
    pub handshake_age: Option<Duration>,
}

/// A reboot that lost interfaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reboot {
    /// How long ago, when the host says.
    #[serde(default, with = "saved::seconds")]
    #[schemars(with = "Option<u64>")]
    pub ago: Option<Duration>,
    /// The names of the interfaces that are missing.
    pub missing: Vec<String>,
}

/// What lives and what an apply does to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sessions {
    /// Sessions with a handshake younger than 180 s on the interfaces of the plan.
    pub live: usize,
    /// Those that are cut.
    pub cut: Vec<CutSession>,
}

/// A session that an apply cuts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CutSession {
    /// The peer, by address, or by key when nobody declared it.
    pub peer: Subject,
    /// How long ago its last handshake was.
    #[serde(with = "saved::whole_seconds")]
    #[schemars(with = "u64")]
    pub handshake_age: Duration,
}

/// Something that a plan may not do without being told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What, as a sentence without a final period.
    pub message: String,
    /// What to do.
    pub hints: Vec<String>,
}

/// An output that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputChange {
    /// Which.
    pub name: String,
    /// What it was; none when it was not there.
    pub before: Option<Json>,
    /// What it will be; none when it goes.
    pub after: Option<Output>,
}

/// Where the value of a pre-shared key comes from.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// It is known: from the configuration, or from a device that holds it.
    Known(PresharedKey),
    /// It stays as it is, where it is: nobody has to be given it. Its fingerprint is the recorded one.
    Kept(String),
    /// It is made by the apply, for all holders.
    New,
}

/// One write, or one change of the state.
#[derive(Debug, Clone)]
pub struct Step {
    /// To what.
    pub subject: Subject,
    /// Where; none for a resource that lives in the state.
    pub backend: Option<BackendId>,
    /// What is done, as progress says it.
    pub action: Action,
    /// What is written.
    pub act: PlannedAct,
    /// What the state learns when it lands.
    pub effect: Effect,
    /// Steps that must land before.
    pub after: Vec<usize>,
    /// Steps that must have ended before, well or not.
    pub follows: Vec<usize>,
}

/// What a step writes. Wanted attributes are those of [`Plan::resources`].
#[derive(Debug, Clone)]
pub enum PlannedAct {
    /// Nothing: only the state changes.
    Record,
    /// An interface is made.
    CreateInterface {
        /// Its name.
        name: String,
        /// Its key.
        key: KeySource,
        /// Where the key is kept.
        key_file: Option<PathBuf>,
        /// The port to ask for when the configuration names none: the one it had.
        port: Option<u32>,
        /// Made down, to be brought up when the one it replaces is gone.
        down: bool,
    },
    /// An interface is changed.
    UpdateInterface {
        /// Its name now.
        name: String,
        /// Its name afterwards.
        rename: Option<String>,
        /// Its new key.
        key: Option<KeySource>,
        /// Where the key is kept from now on.
        key_file: Option<PathBuf>,
        /// Which key files go, and what they may hold.
        own_keys: OwnKeys,
        /// The attributes to change.
        settings: BTreeMap<&'static str, PlannedSetting>,
    },
    /// An interface is removed.
    DeleteInterface {
        /// Its name.
        name: String,
        /// The key that was seen there; none when none was.
        public_key: Option<PublicKey>,
        /// Which key files go with it, and what they may hold.
        own_keys: OwnKeys,
        /// What brings it back at boot, which goes with it.
        remove_boot_files: BTreeSet<PathBuf>,
    },
    /// An interface comes back at boot as it is by then, or no longer does.
    Persist {
        /// Its name.
        name: String,
        /// By what means; none when nothing is to bring it back.
        style: Option<Style>,
        /// Which of its peers come back with it.
        peers: PersistedPeers,
        /// How its routes come about.
        recipe: Option<Box<Recipe>>,
        /// Whether files may be replaced that wgform did not write.
        may_replace: bool,
        /// Files that go.
        remove: BTreeSet<PathBuf>,
    },
    /// Routes and policy rules of an interface are made what they are to be.
    SetRoutes {
        /// Its name.
        interface: String,
        /// What they are made from; none when only rules go.
        recipe: Option<Box<Recipe>>,
        /// Rules that go.
        remove_rules: BTreeSet<RouteRule>,
    },
    /// A peer is made.
    CreatePeer {
        /// The name of its interface.
        interface: String,
        /// Its key; none while it is not known.
        public_key: Option<PublicKey>,
        /// The key of the peer that becomes it.
        replaces: Option<PublicKey>,
    },
    /// A peer is changed.
    UpdatePeer {
        /// The name of its interface.
        interface: String,
        /// Its key.
        public_key: PublicKey,
        /// The attributes to change.
        settings: BTreeMap<&'static str, PlannedSetting>,
    },
    /// A peer is removed.
    DeletePeer {
        /// The name of its interface.
        interface: String,
        /// Its key.
        public_key: PublicKey,
    },
    /// What is stored takes effect.
    Apply {
        /// Whether WireGuard is switched on by that.
        switch_on: bool,
    },
}

/// The peers that come back with an interface. One that is not on the device by then does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersistedPeers {
    /// Those that come back as they are wanted.
    pub wanted: Vec<Address>,
    /// Those of which no change was asked for, with their attributes.
    pub as_recorded: BTreeMap<PublicKey, Fields>,
}

/// Where the key of an interface comes from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// The configuration's `private_key`.
    Configured,
    /// A device or a key file has it.
    Held(PrivateKey),
    /// The apply makes one.
    New,
}

/// What happens to one attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum PlannedSetting {
    /// It gets the value that is wanted, once that is known.
    Wanted,
    /// This is written.
    Direct(Setting),
}

/// What the state learns when a step lands.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// The resource is there as it is wanted, but for attributes that a later step brings.
    Put {
        /// The object that was there before stays for now.
        depose: bool,
        /// Attributes with another value than the wanted one until a later step.
        meanwhile: BTreeMap<&'static str, Json>,
    },
    /// The object is gone, and a later step makes it again in its place.
    MakeWay,
    /// The resource has its routes, and is else as an earlier step left it.
    Routes,
    /// The object is what it was, under another name or on another port for now.
    Meanwhile,
    /// What brings the resource back at boot is there.
    Persisted {
        /// Whether nothing else changes about the resource.
        alone: bool,
    },
    /// The resource is no longer there.
    Remove,
    /// An object that was replaced is no longer there.
    RemoveDeposed(ObjectKey),
}

/// Why there is no plan.
#[derive(Debug)]
pub struct NoPlan {
    /// What is wrong with the configuration, or wants what belongs to somebody else; everything that is.
    pub problems: Vec<Diagnostic>,
    /// Backends that a guard does not believe. They are no reason, but whoever asks must hear of them first.
    pub refusals: Vec<Refusal>,
}

/// Compares what was last applied with what is there, without a configuration. Nothing of it can be applied.
///
/// # Errors
/// With the hold that this program cannot read.
pub fn from_state(inputs: Inputs<'_>) -> Result<Plan, String> {
    let planner = walk::Planner::new(inputs);
    let holds = Holds::recorded(&planner.state, planner.planned_at)?;
    Ok(planner.compared_with_state(holds))
}

/// Makes a plan.
///
/// # Errors
/// When there is something wrong that no apply could get right.
pub fn plan(
    config: &Config,
    evaluator: &Evaluator<'_>,
    inputs: Inputs<'_>,
) -> Result<Plan, NoPlan> {
    let mut inputs = inputs;
    let moved = match refactor::carry_out_moves(config, evaluator, &mut inputs) {
        // Whoever destroys everything asks for no address.
        Err(_) if inputs.options.destroy => Ok(BTreeMap::new()),
        moved => moved,
    };
    let mut planner = walk::Planner::new(inputs);
    let refusals = planner.verdict.refusals.values().cloned().collect();
    let plan = moved.and_then(|moved| {
        planner.state_differs |= !moved.is_empty();
        planner.moved = moved;
        planner.take_holds(evaluator)?;
        match planner.options.refresh_only {
            true => planner.observe(config, evaluator),
            false => planner.plan(config, evaluator),
        }
    });
    plan.map_err(|problems| NoPlan { problems, refusals })
}
