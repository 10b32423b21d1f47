//! A plan as a file holds it: `plan -out=FILE`, `show FILE`, `apply FILE`.
//!
//! A saved plan is what a plan *says*, without what an apply would write with: `apply FILE` evaluates the configuration
//! and asks the backends again, makes the plan again with the same options for the same time, and carries it out only if
//! it says the same. So nothing that a file holds can make an apply do what its configuration does not say, and no
//! secret has to be in it: a pre-shared key is there as its fingerprint, a private key as its public one, and of a
//! sensitive variable only the name.
//!
//! * `change` is what happens to one resource, as it is written and read,
//! * `held` is what is left alone, in the same way,
//! * `redact` takes out of a plan what may not be in a file,
//! * `seal` turns a saved plan into bytes and back, and tells what was tampered with,
//! * `digest` says in a few letters what a plan does,
//! * `compare` finds in what two plans differ.
//!
//! Files are read and written by `store`, and `render` says what differs.

mod change;
mod compare;
mod digest;
mod held;
mod redact;
mod seal;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::actual::Unreachable;
use crate::config::VariableValues;
use crate::link::Links;
use crate::plan::saved::redact::Redaction;
use crate::plan::{
    BackendView, Known, Name, Note, OneSided, Options, OutputChange, PathChange, Plan, Reboot,
    ResourceChange, Sessions, UnmanagedPeer,
};
use crate::plan::{Holds, Reach};
use crate::resource::{Address, BackendId, BackendKind, Kind, declaration};
use crate::state::{BackendRecord, State};
use crate::value::FingerprintKey;

pub(crate) use change::attribute_diff;
pub use change::{Attribute, Change};
pub use compare::{Difference, FileDifference, differences, files_differ};
pub use digest::{Digest, digest};
pub use held::LeftAlone;
pub use seal::{FORMAT, Opened, SavedError};

/// What a plan says, and what it was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// Made with the plan. The state remembers the ids of those that were applied.
    pub plan_id: Uuid,
    /// The time for which it was made: what expires is decided by it.
    pub planned_at: Timestamp,
    /// What it is for.
    pub intent: Intent,
    /// What was asked for.
    pub options: Options,
    /// Which environment it is for.
    pub environment: String,
    /// The state that it was made from; or that its apply begins, when there was none.
    pub lineage: Uuid,
    /// Which version of that state.
    pub serial: u64,
    /// Whether there was no state yet. No file is signed then, because nobody has a key yet.
    pub is_first: bool,
    /// The files that it was made from, each with what tells its content from another: the SHA-256 of a file of the
    /// configuration, and a keyed one of a file that an expression read. There is none of such a file before there is
    /// a state, since it may hold a password.
    pub configuration: BTreeMap<String, Option<String>>,
    /// The values that variables were given, without the sensitive ones.
    pub variables: BTreeMap<String, serde_json::Value>,
    /// The names of the sensitive variables that were given a value.
    pub sensitive_variables: BTreeSet<String>,
    /// The digest that the plan was shown with.
    pub digest: String,
    /// The backends.
    pub backends: BTreeMap<BackendId, Backend>,
    /// Those that could not be read. An apply leaves them out too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unreachable: BTreeMap<BackendId, LeftOut>,
    /// What changes, in the order in which it is shown.
    pub changes: Vec<Change>,
    /// The outputs that change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputChange>,
    /// What has another address now, with its old one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub moved: BTreeMap<Address, Address>,
    /// What is taken over, with what it is found by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub imported: BTreeMap<Address, String>,
    /// Peers that wait for a key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<Address>,
    /// Peers that nobody declared and that stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmanaged: Vec<UnmanagedPeer>,
    /// What was applied and the device did not show.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unchecked: BTreeMap<Address, BTreeSet<String>>,
    /// Hosts that were rebooted since the last apply.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rebooted: BTreeMap<BackendId, Reboot>,
    /// The sessions that lived then.
    pub sessions: Sessions,
    /// The links of which it changes one end only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_sided: Vec<OneSided>,
    /// What was left out of it by name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub excluded: BTreeSet<Address>,
    /// What it does to the ways to backends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathChange>,
    /// What is left alone for a time, and would have changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<LeftAlone>,
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// `apply`.
    Apply,
    /// `destroy`.
    Destroy,
    /// `apply -refresh-only`.
    RefreshOnly,
}

impl Intent {
    /// Returns what options ask for.
    pub fn of(options: &Options) -> Self {
        match (options.destroy, options.refresh_only) {
            (true, _) => Self::Destroy,
            (false, true) => Self::RefreshOnly,
            (false, false) => Self::Apply,
        }
    }

    /// Returns the command that a user would write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Destroy => "destroy",
            Self::RefreshOnly => "apply -refresh-only",
        }
    }
}

/// A backend of a saved plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backend {
    /// What kind of system it is.
    pub kind: String,
    /// How messages call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether it is simulated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    /// What the device is known by; none of one that was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// A backend that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// Why.
    pub why: Unreachable,
    /// The resources that were left out.
    pub resources: Vec<Address>,
}

/// What a plan was made from, beside what it says itself.
pub struct Circumstances {
    /// Its id.
    pub plan_id: Uuid,
    /// The time that it was made for.
    pub planned_at: Timestamp,
    /// What was asked for.
    pub options: Options,
    /// Whether there was no state yet.
    pub is_first: bool,
    /// The files that were read, with the SHA-256 of what each held.
    pub files: BTreeMap<String, [u8; 32]>,
    /// The values of the variables.
    pub variables: VariableValues,
}

impl Saved {
    /// Says what a plan says, without its secrets.
    pub fn of(plan: &Plan, circumstances: Circumstances) -> Self {
        let Circumstances { plan_id, planned_at, options, is_first, files, variables } =
            circumstances;
        let redaction = Redaction::new(plan, is_first);
        let changes: Vec<Change> = plan.changes.iter().map(|it| redaction.change(it)).collect();
        let key = (!is_first).then_some(&plan.state.fingerprint_key);
        let unreachable = plan.unreachable.iter().map(|(id, (why, resources))| {
            (id.clone(), LeftOut { why: why.clone(), resources: resources.clone() })
        });
        let unchecked = plan.unchecked.iter().map(|(address, names)| {
            (address.clone(), names.iter().map(|it| (*it).to_owned()).collect())
        });
        Self {
            plan_id,
            planned_at,
            intent: Intent::of(&options),
            options,
            environment: plan.state.environment.clone(),
            lineage: plan.state.lineage,
            serial: plan.state.serial,
            is_first,
            configuration: told(files, key),
            variables: variables.open,
            sensitive_variables: variables.sensitive,
            digest: digest::of(&changes, plan).to_string(),
            backends: backends(plan),
            unreachable: unreachable.collect(),
            changes,
            outputs: redact::outputs(&plan.outputs),
            moved: plan.moved.clone(),
            imported: plan.imported.clone(),
            pending: plan.pending.clone(),
            unmanaged: plan.unmanaged.clone(),
            unchecked: unchecked.collect(),
            rebooted: plan.rebooted.clone(),
            sessions: plan.sessions.clone(),
            one_sided: plan.one_sided.clone(),
            excluded: plan.excluded.clone(),
            paths: plan.paths.clone(),
            held: plan.held.iter().map(|it| LeftAlone::of(it, &redaction)).collect(),
        }
    }

    /// Returns the pre-shared keys that it makes anew. Whoever made it may have been shown fewer secrets than whoever
    /// applies it, so what it chose stays chosen.
    pub fn new_secrets(&self) -> BTreeSet<Address> {
        let is_new = |it: &&Change| it.notes.contains(&Note::NewSecret);
        let addresses = self.changes.iter().filter(is_new).filter_map(|it| it.subject.address());
        addresses.filter(|it| it.kind == Kind::PresharedKey).cloned().collect()
    }

    /// Returns the plan as it can be shown. It has no steps: nothing can be carried out from it.
    pub fn plan(&self) -> Plan {
        let unreachable = self
            .unreachable
            .iter()
            .map(|(id, LeftOut { why, resources })| (id.clone(), (why.clone(), resources.clone())));
        let unchecked = self.unchecked.iter().map(|(address, names)| {
            (address.clone(), names.iter().filter_map(|it| declared(it)).collect())
        });
        let mut state = State::empty(self.lineage, FingerprintKey::from_bytes([0; 32]));
        state.serial = self.serial;
        state.environment.clone_from(&self.environment);
        Plan {
            changes: self.changes.iter().map(ResourceChange::from).collect(),
            steps: Vec::new(),
            resources: BTreeMap::new(),
            known: Known::default(),
            secrets: BTreeMap::new(),
            state,
            state_differs: false,
            open: Vec::new(),
            backends: self.records(),
            views: self.views(),
            pending: self.pending.clone(),
            unmanaged: self.unmanaged.clone(),
            unchecked: unchecked.collect(),
            unreachable: unreachable.collect(),
            doubted: BTreeMap::new(),
            rebooted: self.rebooted.clone(),
            sessions: self.sessions.clone(),
            refusals: Vec::new(),
            warnings: Vec::new(),
            outputs: self.outputs.clone(),
            links: Links::default(),
            is_partial: self.options.is_partial(),
            excluded: self.excluded.clone(),
            moved: self.moved.clone(),
            imported: self.imported.clone(),
            one_sided: self.one_sided.clone(),
            unsettled: BTreeMap::new(),
            checks: None,
            guarded: Vec::new(),
            paths: self.paths.clone(),
            held: self.held.iter().map(LeftAlone::shown).collect(),
            holds: Holds::default(),
        }
    }

    fn views(&self) -> BTreeMap<BackendId, BackendView> {
        let view = |it: &Backend| {
            Some(BackendView {
                kind: BackendKind::from_label(&it.kind)?,
                display_name: it.display_name.clone(),
                simulated: it.simulated,
                transport: BTreeMap::new(),
                manage_service: false,
                read_only: false,
                reach: Reach::default(),
            })
        };
        self.backends.iter().filter_map(|(id, it)| Some((id.clone(), view(it)?))).collect()
    }

    fn records(&self) -> BTreeMap<BackendId, BackendRecord> {
        let record = |it: &Backend| {
            Some(BackendRecord {
                kind: it.kind.clone(),
                identity: it.identity.clone()?,
                boot_id: None,
                host_name: String::new(),
                simulated: it.simulated,
                transport: BTreeMap::new(),
                capabilities: BTreeMap::new(),
                organization: None,
                other: BTreeMap::new(),
            })
        };
        self.backends.iter().filter_map(|(id, it)| Some((id.clone(), record(it)?))).collect()
    }
}

fn backends(plan: &Plan) -> BTreeMap<BackendId, Backend> {
    let backend = |(id, view): (&BackendId, &BackendView)| {
        let backend = Backend {
            kind: view.kind.as_str().to_owned(),
            display_name: view.display_name.clone(),
            simulated: view.simulated,
            identity: plan.backends.get(id).map(|it| it.identity.clone()),
        };
        (id.clone(), backend)
    };
    plan.views.iter().map(backend).collect()
}

/// Says what tells the content of each file from another: see [`Saved::configuration`].
pub fn told(
    files: BTreeMap<String, [u8; 32]>,
    key: Option<&FingerprintKey>,
) -> BTreeMap<String, Option<String>> {
    let told = |name: &str, content: &[u8; 32]| match key {
        _ if is_configuration(name) => Some(hex(content)),
        // What an expression reads may be a password, of which a plain digest would let anybody try guesses.
        Some(key) => Some(hex(&key.sign("file", content))),
        None => None,
    };
    files
        .into_iter()
        .map(|(name, content)| {
            let told = told(&name, &content);
            (name, told)
        })
        .collect()
}

fn is_configuration(name: &str) -> bool {
    name.ends_with(".wg.hcl")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Finds the name of an attribute among those that are declared.
fn declared(name: &str) -> Option<Name> {
    let all = Kind::ALL.into_iter().flat_map(declaration::attributes);
    all.map(|it| it.name).find(|it| *it == name)
}

/// Reads the name of an attribute.
pub(crate) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
    let text = String::deserialize(deserializer)?;
    declared(&text).ok_or_else(|| D::Error::custom("this is not the name of an attribute"))
}

/// Reads the name of an attribute, where there is one.
pub(crate) fn some_name<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Name>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let found = declared(&text);
    found.map(Some).ok_or_else(|| D::Error::custom("this is not the name of an attribute"))
}

/// How long ago something was, if it ever was, in seconds.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        ago: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        ago.map(|it| it.as_secs()).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_secs))
    }
}

/// How long ago something was, in seconds.
pub(crate) mod whole_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        ago: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(ago.as_secs())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests;
