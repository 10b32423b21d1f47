//! One system where interfaces live.
//!
//! [`Read`] and [`Write`] are two traits: whatever must not change anything is given `&dyn Read`. Both speak our model
//! in plain data; how a device spells it stays inside its backend.

mod clock;
pub mod http;
mod program;
pub mod linux;
pub mod pfsense;
pub mod routeros;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use crate::actual::Interest;
use crate::actual::{Examination, OwnKeys, Picture, Unreachable};
pub use crate::backend::http::Trace;
use crate::backend::linux::Linux;
use crate::backend::pfsense::PfSense;
use crate::backend::routeros::RouterOs;
use crate::config::{BackendDeclaration, Transport};
use crate::persist::{Outside, Style};
use crate::resource::{BackendId, Fields, Settings};
use crate::simulator::SimulatorError;
use crate::simulator::linux::SimulatedLinux;
use crate::value::{PresharedKey, PrivateKey, PublicKey, Route, RouteRule};
use crate::world::World;

#[cfg(any(test, fuzzing))]
pub(crate) use crate::backend::{linux::fuzz, pfsense::fuzz_answer, routeros::fuzz as router};

/// Gets ready to talk to a backend. A real one is contacted when it is read; a simulated one is opened, for the
/// whole run. What is asked and answered is told to `trace` where the declaration wants it.
///
/// # Errors
/// When a simulated system is in use by another run, or damaged.
pub fn connect(
    declaration: &BackendDeclaration,
    world: &World,
    trace: &Trace,
) -> Result<Box<dyn Write>, BackendError> {
    let BackendDeclaration {
        id,
        kind,
        display_name: _,
        simulate,
        transport,
        reached_through: _,
        span: _,
        is_reader,
    } = declaration;
    let simulated = simulate.then_some(if *is_reader { Rights::ToRead } else { Rights::All });
    let netns = match transport {
        Transport::Local { netns, driver, userspace_program } if !simulate => {
            let host = Linux::real(id.clone(), netns.clone(), *driver, world.clone());
            return Ok(Box::new(host.with_userspace_program(userspace_program.clone())));
        }
        Transport::Ssh { ssh, netns, driver, userspace_program } if !simulate => {
            let (ssh, netns) = (ssh.clone(), netns.clone());
            let host = Linux::over_ssh(id.clone(), ssh, netns, *driver, world.clone());
            return Ok(Box::new(host.with_userspace_program(userspace_program.clone())));
        }
        Transport::RouterOs(settings) => {
            let router = RouterOs::new(id.clone(), settings.clone(), simulated, world, trace)?;
            return Ok(Box::new(router));
        }
        Transport::PfSense(settings) => {
            let firewall = PfSense::new(id.clone(), settings.clone(), simulated, world, trace)?;
            return Ok(Box::new(firewall));
        }
        Transport::Local { netns, .. } | Transport::Ssh { netns, .. } => netns.clone(),
    };
    let host = SimulatedLinux::open(&world.directory, id, world).map_err(
        |SimulatorError { reason, hints }| BackendError {
            backend: id.clone(),
            attempt: "open the simulated system".to_owned(),
            reason,
            hints,
        },
    )?;
    Ok(Box::new(Linux::simulated(id.clone(), netns, host, world.clone()).of_kind(*kind)))
}

/// What a simulated device lets wgform do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Everything.
    All,
    /// To read what is no secret.
    ToRead,
}

/// A future that lives on this thread.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Asks a backend, and cannot change it.
pub trait Read {
    /// Returns the name of its block.
    fn id(&self) -> &BackendId;

    /// Returns everything on the backend, in a handful of requests whatever the number of peers.
    ///
    /// # Errors
    /// When the backend could not be reached, refused, or gave an answer that cannot be understood. An empty picture
    /// is returned only when the backend said that it is empty.
    fn read<'a>(&'a self, interest: &'a Interest) -> Answer<'a, Result<Picture, BackendError>>;

    /// Looks at what the backend has for the work, and changes nothing.
    ///
    /// # Errors
    /// As [`Read::read`].
    fn examine(&self) -> Answer<'_, Result<Examination, BackendError>>;

    /// Asks whether a peer has this pre-shared key, or none, where the backend does not show it. None where that cannot
    /// be asked, as of most kinds.
    ///
    /// # Errors
    /// As [`Read::read`].
    fn holds<'a>(
        &'a self,
        _peer: PublicKey,
        _key: Option<&'a PresharedKey>,
    ) -> Answer<'a, Result<Option<bool>, BackendError>> {
        Box::pin(async { Ok(None) })
    }

    /// Asks the backend what it would make of each operation of a batch, and changes nothing.
    ///
    /// # Errors
    /// When it cannot be asked: most kinds never can.
    fn validate<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Result<Vec<Verdict>, BackendError>> {
        let unchecked = |_| Verdict::Unchecked("a backend of this kind cannot be asked");
        let all = batch.operations.iter().map(unchecked).collect();
        Box::pin(async move { Ok(all) })
    }
}

/// What a backend says of an operation that it was not to carry out.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It would do it.
    Taken,
    /// It would refuse.
    Refused(BackendError),
    /// It was not asked, or cannot know yet; the text says why.
    Unchecked(&'static str),
}

/// Changes a backend.
pub trait Write: Read {
    /// Carries out a batch in its order, and reports each outcome as it lands.
    ///
    /// What follows a failed operation by [`Operation::after`] is skipped. Once `stop` is raised nothing new starts.
    /// Every operation has exactly one outcome, whatever happens. What was written is compared with what the device
    /// then holds; a difference is a failure.
    fn write<'a>(&'a self, batch: Batch, stop: Stop, landed: Landed<'a>) -> Answer<'a, ()>;
}

/// Called with the index of an operation and its outcome, in the order in which they land.
pub type Landed<'a> = &'a mut dyn FnMut(usize, Outcome);

/// A wish that nothing new is started. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Raises it.
    pub fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Returns whether it was raised.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Operations for one backend, in an order that satisfies each one's `after`.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// In order.
    pub operations: Vec<Operation>,
}

/// One write.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Indices of earlier operations of the batch without which this one makes no sense.
    pub after: Vec<usize>,
    /// What to do.
    pub act: Act,
}

/// What a write does. Attributes whose support is [`StateOnly`](crate::resource::Support::StateOnly) or
/// [`Wgform`](crate::resource::Support::Wgform) never come here.
#[derive(Debug, Clone)]
pub enum Act {
    /// Makes an interface with its addresses; up unless `enabled` is false.
    CreateInterface {
        /// Its name; an interface of that name is a failure.
        name: String,
        /// Its key, so that the intent can name the public key. Only a device that makes one by itself is given none; its
        /// outcome then has `public_key`.
        private_key: Option<PrivateKey>,
        /// Where to keep the key before the device gets it.
        key_file: Option<PathBuf>,
        /// Its attributes, without `name`, keys and unset ones.
        fields: Fields,
        /// What happens around it.
        around: Surroundings,
    },
    /// Changes an interface and nothing but what is named here. Sessions of peers that are not touched go on, except
    /// where `rename`, `private_key` or `enabled` must cut them.
    UpdateInterface {
        /// Its name now.
        name: String,
        /// Its name from now on.
        rename: Option<String>,
        /// Its new key.
        private_key: Option<PrivateKey>,
        /// Where to keep the key, when it changes or moves there.
        key_file: Option<PathBuf>,
        /// The key files to remove, and what these and `key_file` may hold.
        own_keys: OwnKeys,
        /// The attributes to change.
        settings: Settings,
        /// All wanted attributes, for what the device loses by the way (IPv6 addresses when a link goes down).
        wanted: Fields,
        /// What happens around it.
        around: Surroundings,
    },
    /// Removes an interface with everything on it. One that is gone already is done; one with another key is a failure,
    /// because somebody made it in the place of the one that is meant.
    DeleteInterface {
        /// Its name.
        name: String,
        /// Its key; none when it is not known, or there was no interface to be seen.
        public_key: Option<PublicKey>,
        /// The key files to remove with it, and what they may hold.
        own_keys: OwnKeys,
        /// What brings it back at boot, to be removed with it.
        remove_boot_files: BTreeSet<PathBuf>,
        /// What happens around it.
        around: Surroundings,
    },
    /// Makes the routes of an interface what they are to be, and adds and removes policy rules; what is there already,
    /// or gone, is done. Never touches a route or a rule that wgform did not make.
    SetRoutes {
        /// Its name. It may be gone when there are no routes to add.
        interface: String,
        /// All routes that wgform has to it; none leaves them as they are.
        routes: Option<BTreeSet<Route>>,
        /// Rules that are to be there.
        add_rules: BTreeSet<RouteRule>,
        /// Rules that are to be there no longer.
        remove_rules: BTreeSet<RouteRule>,
    },
    /// Sees to it that an interface comes back at boot, or no longer does.
    Persist(Box<Persist>),
    /// Makes a peer. One with that key is a failure. A peer with `enabled = false` is not put on the device.
    CreatePeer {
        /// The name of its interface.
        interface: String,
        /// Its key.
        public_key: PublicKey,
        /// The key of the peer that becomes it, where a device keeps what it was told and can change its key. When that
        /// peer is gone, this one is made.
        replaces: Option<PublicKey>,
        /// Its attributes, without `interface`, `public_key` and unset ones.
        fields: Fields,
    },
    /// Changes a peer and nothing but what is named here. A peer that is gone is a failure, unless `enabled` is among
    /// the settings.
    UpdatePeer {
        /// The name of its interface.
        interface: String,
        /// Its key.
        public_key: PublicKey,
        /// The attributes to change.
        settings: Settings,
        /// All wanted attributes, for a peer that is enabled again.
        wanted: Fields,
    },
    /// Lets what is stored on a device that applies it apart take effect.
    Apply {
        /// Whether WireGuard is switched on by that.
        switch_on: bool,
    },
    /// Removes a peer. One that is gone already is done.
    DeletePeer {
        /// The name of its interface.
        interface: String,
        /// Its key.
        public_key: PublicKey,
    },
}

impl Act {
    /// Says what it does, as a clause.
    pub fn attempt(&self) -> String {
        let peer = |verb: &str, interface: &str, key: &PublicKey| {
            format!("{verb} peer `{}` on `{interface}`", key.short())
        };
        match self {
            Self::CreateInterface { name, .. } => format!("create interface `{name}`"),
            Self::UpdateInterface { name, .. } => format!("update interface `{name}`"),
            Self::DeleteInterface { name, .. } => format!("delete interface `{name}`"),
            Self::SetRoutes { interface, .. } => format!("set the routes to `{interface}`"),
            Self::Persist(act) => format!("see to it that `{}` comes back", act.name),
            Self::Apply { switch_on: true } => "switch WireGuard on".to_owned(),
            Self::Apply { switch_on: false } => "apply what is stored".to_owned(),
            Self::CreatePeer { interface, public_key, replaces: None, .. } => {
                peer("create", interface, public_key)
            }
            Self::CreatePeer { interface, public_key, .. } => peer("rekey", interface, public_key),
            Self::UpdatePeer { interface, public_key, .. } => peer("update", interface, public_key),
            Self::DeletePeer { interface, public_key } => peer("delete", interface, public_key),
        }
    }
}

/// Why an interface is not removed that is not the one that was seen.
pub(crate) const REPLACED: &str =
    "an interface with another key is there: somebody made it since the plan was made";

/// What to do about that.
pub(crate) const REPLACED_HINT: &str = "plan again, and look whether that one is to go";

/// What belongs to an interface outside of WireGuard: the user's commands, and in whose name they run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The address of the resource.
    pub address: String,
    /// What is being done to it: "create", "update", "replace" or "destroy".
    pub action: &'static str,
    /// By their attribute: `pre_up` and `post_up` as they are wanted, `pre_down` and `post_down` as last applied. They
    /// run only when the link goes up or down by the operation.
    pub hooks: BTreeMap<&'static str, Vec<Vec<String>>>,
    /// Whether name servers were set for it so far.
    pub had_name_servers: bool,
}

/// How an interface comes back at boot.
#[derive(Debug, Clone)]
pub struct Persist {
    /// Its name.
    pub name: String,
    /// What to write; none where nothing is to bring it back.
    pub wish: Option<PersistWish>,
    /// Whether files may be replaced that wgform did not write. They are kept beside the new ones.
    pub may_replace: bool,
    /// Files to remove: what brought it back under another name or by other means.
    pub remove: BTreeSet<PathBuf>,
}

/// What is to come back. The private key, the port, the pre-shared keys and which of the peers there are, are the device's.
#[derive(Debug, Clone)]
pub struct PersistWish {
    /// By what means.
    pub style: Style,
    /// The attributes of the interface.
    pub fields: Fields,
    /// What belongs to it outside of the link.
    pub outside: Outside,
    /// The attributes of its peers.
    pub peers: BTreeMap<PublicKey, Fields>,
}

/// How an operation ended.
#[derive(Debug)]
pub enum Outcome {
    /// The device holds what was wanted. The fields are those that the device chose (`listen_port`, `public_key`) or that were
    /// resolved on the way (`endpoint`), and the digest of the files that were written (`persisted`).
    Done(Fields),
    /// The device refused, or holds something else; it was left as the error says.
    Failed(BackendError),
    /// Nothing was asked of the device, or it said that this is there already: whatever is there is not ours.
    Untouched(BackendError),
    /// It was not tried, because the operation with this index failed or was skipped: one that it comes after, or one
    /// that shows that none can be done.
    Skipped(usize),
    /// It was not tried, because a stop was asked for.
    NotStarted,
}

/// A backend refused or failed a request. Never holds a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("could not {attempt} on backend `{backend}`: {reason}")]
pub struct BackendError {
    /// Which one.
    pub backend: BackendId,
    /// What was attempted, as a clause: "read the WireGuard interfaces", "create peer `hV1…` on `wg0`".
    pub attempt: String,
    /// Why it failed, in the device's words where it has some.
    pub reason: String,
    /// What to do.
    pub hints: Vec<String>,
}

impl From<BackendError> for Unreachable {
    fn from(BackendError { backend: _, attempt, reason, hints }: BackendError) -> Self {
        Self { reason: format!("could not {attempt}: {reason}"), hints }
    }
}
