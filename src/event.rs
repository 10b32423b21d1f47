//! What happens in a run, as plain data, told while it happens.
//!
//! `refresh` and `apply` have no say in how it looks: `ui` draws events on a terminal or writes them as lines, and whoever
//! wants to follow a run from another program gets the same ones as JSON (`render::stream`). They hold no secret, and no
//! time of day, which the listener knows; lengths of time are in milliseconds.

use schemars::JsonSchema;
use serde::Serialize;

use crate::outcome::Fate;
use crate::plan::{Action, Effect, PlannedAct, Step};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Another run holds the lock, and this one waits for it.
    LockAwaited {
        /// The same for people: lines to be shown as they are.
        said: String,
        /// Who holds it; none when that cannot be read.
        holder: Option<Holder>,
        /// The device that it keeps others from; none for the lock of the state.
        device: Option<String>,
    },
    /// The backends are about to be asked.
    RefreshStarted {
        /// How many.
        backends: usize,
    },
    /// A backend is being read.
    BackendAsked {
        /// Which.
        backend: BackendName,
    },
    /// A backend was read whole.
    BackendRead {
        /// Which.
        backend: BackendName,
        /// How many WireGuard interfaces it has, whoever made them.
        interfaces: usize,
        /// How many peers they have.
        peers: usize,
        /// Since it was asked.
        elapsed_ms: u64,
    },
    /// A backend could not be read.
    BackendFailed {
        /// Which.
        backend: BackendName,
        /// What was attempted and why it failed.
        reason: String,
        /// What to do.
        hints: Vec<String>,
        /// Since it was asked.
        elapsed_ms: u64,
    },
    /// Every backend has answered or failed.
    RefreshEnded {
        /// How many were read.
        read: usize,
        /// How many failed.
        failed: usize,
        /// Since the first one was asked.
        elapsed_ms: u64,
    },
    /// The state has learnt what no device hears of: new addresses, and objects that are taken over as they are.
    StateRecorded {
        /// How many resources have another address.
        moved: usize,
        /// How many objects were taken over.
        imported: usize,
    },
    /// The steps of a plan are about to be done.
    ApplyStarted {
        /// How many.
        steps: usize,
    },
    /// A step is next in line on its backend. It ends in one of the four ways below; one that was never started can end
    /// in the last two only.
    StepStarted {
        /// Which.
        step: StepName,
    },
    /// The device has what was wanted, and the state learns it.
    StepDone {
        /// Which.
        step: StepName,
        /// Since it was started.
        elapsed_ms: u64,
    },
    /// A step failed.
    StepFailed {
        /// Which.
        step: StepName,
        /// What was attempted and why it failed.
        reason: String,
        /// What to do.
        hints: Vec<String>,
        /// Since it was started.
        elapsed_ms: u64,
    },
    /// A step was not tried, because one that it needs failed.
    StepSkipped {
        /// Which.
        step: StepName,
        /// What failed.
        because: String,
    },
    /// A step was not tried, because a stop was asked for.
    StepNotStarted {
        /// Which.
        step: StepName,
    },
    /// Every step has its end.
    ApplyEnded {
        /// How many were done.
        done: usize,
        /// How many failed.
        failed: usize,
        /// How many were skipped.
        skipped: usize,
        /// How many were not started.
        not_started: usize,
        /// Since the apply was started.
        elapsed_ms: u64,
    },
}

impl Event {
    /// Returns whether it is the end of one step.
    pub(crate) fn ends_a_step(&self) -> bool {
        matches!(
            self,
            Self::StepDone { .. }
                | Self::StepFailed { .. }
                | Self::StepSkipped { .. }
                | Self::StepNotStarted { .. }
        )
    }

    /// Says how a step ended, so many milliseconds after it was started.
    pub fn ended(step: &Step, fate: &Fate, elapsed_ms: u64) -> Self {
        let step = StepName::from(step);
        match fate {
            Fate::Done => Self::StepDone { step, elapsed_ms },
            Fate::Failed(lines) => {
                let (reason, hints) = lines.split_first().map_or_else(
                    || ("no reason was given".to_owned(), Vec::new()),
                    |(reason, hints)| (reason.clone(), hints.to_vec()),
                );
                Self::StepFailed { step, reason, hints, elapsed_ms }
            }
            Fate::Skipped { because } => Self::StepSkipped { step, because: because.to_string() },
            Fate::NotStarted => Self::StepNotStarted { step },
        }
    }
}

/// Who holds a lock, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Holder {
    /// By which `force-unlock` names it.
    pub id: String,
    /// For what: the command.
    pub operation: String,
    /// The user.
    pub who: String,
    /// The host.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Since when.
    pub since: String,
    /// The version of the program.
    pub wgform_version: String,
}

/// A backend, as messages name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BackendName {
    /// The name of its block.
    pub id: String,
    /// The kind of its block.
    pub kind: String,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether it is only pretended.
    pub simulated: bool,
}

/// A step, as messages name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepName {
    /// The address of a resource, or `unmanaged peer KEY of ADDRESS`.
    pub subject: String,
    /// The backend that it is written to; none when only the state learns of it.
    pub backend: Option<String>,
    /// What is done to it.
    pub work: Work,
}

/// What a step does. A resource that is replaced goes through several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Makes it.
    Create,
    /// Changes it where it is.
    Update,
    /// Removes it.
    Delete,
    /// Leaves it alone, and lets it be nobody's.
    Forget,
    /// Brings up what was made in the place of another one.
    BringUp,
    /// Removes what another one was made for.
    DeleteOld,
    /// Gives it a name or port for the time being, which another one waits for.
    PutAside,
    /// Does what another step of the same resource needs.
    Prepare,
    /// Makes its routes and policy rules what they are to be.
    SetRoutes,
    /// Writes what brings it back when its host boots.
    Persist,
    /// Removes what brings it back when its host boots.
    StopPersisting,
    /// Switches WireGuard on, on a backend.
    SwitchOn,
    /// Lets what is stored on a backend take effect.
    Apply,
}

impl From<&Step> for StepName {
    fn from(step: &Step) -> Self {
        Self {
            subject: step.subject.to_string(),
            backend: step.backend.as_ref().map(ToString::to_string),
            work: Work::of(step),
        }
    }
}

impl Work {
    fn of(step: &Step) -> Self {
        // Without a recipe only rules go, for the sake of another step.
        if matches!(step.act, PlannedAct::SetRoutes { recipe: Some(_), .. }) {
            return Self::SetRoutes;
        }
        if matches!(step.act, PlannedAct::Persist { style: None, .. }) {
            return Self::StopPersisting;
        }
        if let PlannedAct::Apply { switch_on } = step.act {
            return if switch_on { Self::SwitchOn } else { Self::Apply };
        }
        match (step.action, &step.effect) {
            (_, Effect::Nothing) if step.subject.address().is_some() => Self::Prepare,
            (Action::Replace, Effect::Put { depose: false, .. }) => Self::BringUp,
            (Action::Delete, Effect::RemoveDeposed(_) | Effect::MakeWay) => Self::DeleteOld,
            (_, Effect::Meanwhile) => Self::PutAside,
            (_, Effect::Persisted { .. }) => Self::Persist,
            (Action::Create | Action::Replace, _) => Self::Create,
            (Action::Update, _) => Self::Update,
            (Action::Delete, _) => Self::Delete,
            (Action::Forget, _) => Self::Forget,
        }
    }
}
