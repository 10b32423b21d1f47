//! Carries out what is to be done to peers of one interface, in one message to the host where that works.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use rustix::io::Errno;

use crate::backend::linux::batch::{Ended, Job};
use crate::backend::linux::explain::{self, During};
use crate::backend::linux::interface::{Refused, differs, misfit};
use crate::backend::linux::wire::{self, PeerWish};
use crate::resource::{Field, Fields, Settings};
use crate::simulator::linux::call::{Device, DeviceChange, DevicePeer, PeerChange, Refusal};
use crate::value::{Endpoint, Host as EndpointHost, Prefix, PrivateKey, PublicKey};

/// The kernel takes a peer of about 8 KiB in one message, and 200 IPv4 networks are near that.
const NETWORKS_PER_PART: usize = 100;

/// One operation on a peer, with its place in the batch.
pub(crate) struct PeerOperation {
    pub(crate) index: usize,
    pub(crate) after: Vec<usize>,
    pub(crate) act: PeerAct,
}

/// What is to be done to a peer; the words of [`crate::backend::Act`].
pub(crate) enum PeerAct {
    Create { public_key: PublicKey, fields: Fields },
    Update { public_key: PublicKey, settings: Settings, wanted: Fields },
    Delete { public_key: PublicKey },
}

impl PeerAct {
    pub(crate) fn public_key(&self) -> &PublicKey {
        match self {
            Self::Create { public_key, fields: _ }
            | Self::Update { public_key, settings: _, wanted: _ }
            | Self::Delete { public_key } => public_key,
        }
    }

    fn attempt(&self, interface: &str) -> String {
        let verb = match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
        };
        format!("{verb} peer `{}` on `{interface}`", self.public_key().short())
    }
}

/// Carries out a group of operations on different peers of one interface, and returns how each ended, in order.
pub(crate) fn carry_out(
    job: &mut Job<'_>,
    interface: &str,
    operations: Vec<PeerOperation>,
) -> Vec<(usize, Ended)> {
    let known = match known_device(job, interface) {
        Ok(known) => known,
        Err(refusal) => return without_device(job, interface, &operations, &refusal),
    };
    let own_key = known.private_key.as_ref().map(PrivateKey::public);
    let known = Known { device: known, own_key };
    let mut group = Group { interface, known, steps: Vec::new(), ended: BTreeMap::new() };
    for operation in operations {
        group.prepare(job, operation);
    }
    let written = group.write_together(job);
    group.judge(job, written);
    let Group { interface: _, known: _, steps: _, ended } = group;
    ended.into_iter().collect()
}

/// What is to be sent for one operation, and what must be there afterwards.
struct Step {
    index: usize,
    after: Vec<usize>,
    attempt: String,
    changes: Vec<PeerChange>,
    expected: Expected,
    fields: Fields,
    /// Whether the peer is there only because of this step.
    is_new: bool,
}

struct Expected {
    public_key: PublicKey,
    /// None when it must not be there.
    wish: Option<PeerWish>,
}

/// The device as it was before.
struct Known {
    device: Device,
    /// Its public key. To derive it takes longer than all else that is done for a peer.
    own_key: Option<PublicKey>,
}

struct Group<'a> {
    interface: &'a str,
    known: Known,
    steps: Vec<Step>,
    ended: BTreeMap<usize, Ended>,
}

impl Group<'_> {
    /// Turns an operation into a step, unless it has an end already.
    fn prepare(&mut self, job: &mut Job<'_>, operation: PeerOperation) {
        let PeerOperation { index, after, act } = operation;
        if let Some(missing) = self.missing(&after) {
            self.ended.insert(index, Ended::Skipped(missing));
            return;
        }
        let attempt = act.attempt(self.interface);
        match plan(job, &self.known, &act) {
            Ok(Some(Plan { changes, wish, fields })) => {
                let is_new = !self.known.device.peers.contains_key(act.public_key());
                let expected = Expected { public_key: *act.public_key(), wish };
                self.steps.push(Step { index, after, attempt, changes, expected, fields, is_new });
            }
            Ok(None) => _ = self.ended.insert(index, Ended::Done(Fields::new())),
            Err((during, refusal)) => {
                let error = explain::error(job.backend, &attempt, during, refusal);
                self.ended.insert(index, Ended::Untouched(error));
            }
        }
    }

    /// Returns one of the operations of this group that has ended, and not well.
    fn missing(&self, after: &[usize]) -> Option<usize> {
        let is_over =
            |it: &usize| self.ended.get(it).is_some_and(|end| !matches!(end, Ended::Done(_)));
        after.iter().copied().find(is_over)
    }

    fn write_together(&self, job: &mut Job<'_>) -> Result<(), Refusal> {
        let peers = self.steps.iter().flat_map(|step| step.changes.iter().cloned()).collect();
        self.write(job, peers)
    }

    fn write(&self, job: &mut Job<'_>, peers: Vec<PeerChange>) -> Result<(), Refusal> {
        if peers.is_empty() {
            return Ok(());
        }
        let change = DeviceChange { peers, ..DeviceChange::default() };
        job.host.configure(self.interface, &change)
    }

    /// Looks at the device and says how each step ended. What a refused message left out is tried one by one, so that
    /// only those fail that are refused themselves.
    fn judge(&mut self, job: &mut Job<'_>, written: Result<(), Refusal>) {
        let steps = std::mem::take(&mut self.steps);
        let found = match look(job, self.interface) {
            Ok(found) => found,
            Err(refusal) => {
                for step in steps {
                    self.fail(job, step.index, &step.attempt, (During::Reading, refusal.clone()));
                }
                return;
            }
        };
        let Err(refusal) = written else {
            steps.into_iter().for_each(|step| self.compare(job, step, &found));
            return;
        };
        let mut tried = Vec::new();
        for step in steps {
            if step.expected.compare(&found).is_ok() {
                self.ended.insert(step.index, Ended::Done(step.fields));
            } else if is_meant_for_all(&refusal) {
                self.fail(job, step.index, &step.attempt, (During::Configuring, refusal.clone()));
            } else if let Some(step) = self.write_alone(job, step) {
                tried.push(step);
            }
        }
        match look(job, self.interface) {
            Ok(found) => tried.into_iter().for_each(|step| self.compare(job, step, &found)),
            Err(refusal) => {
                for step in tried {
                    self.fail(job, step.index, &step.attempt, (During::Reading, refusal.clone()));
                }
            }
        }
    }

    /// Writes one step by itself, and returns it when it was taken.
    fn write_alone(&mut self, job: &mut Job<'_>, step: Step) -> Option<Step> {
        if let Some(missing) = self.missing(&step.after) {
            self.ended.insert(step.index, Ended::Skipped(missing));
            return None;
        }
        let Err(refusal) = self.write(job, step.changes.clone()) else {
            return Some(step);
        };
        if step.is_new {
            // A refused message may have made half a peer. When this fails too, the next plan shows it.
            _ = self.write(job, vec![PeerChange::removal(step.expected.public_key)]);
        }
        self.fail(job, step.index, &step.attempt, (During::Configuring, refusal));
        None
    }

    fn compare(&mut self, job: &Job<'_>, step: Step, found: &Device) {
        let Step { index, after, attempt, changes: _, expected, fields, is_new: _ } = step;
        if let Some(missing) = self.missing(&after) {
            // It landed all the same: the message was one. What is there is what counts.
            if expected.compare(found).is_err() {
                self.ended.insert(index, Ended::Skipped(missing));
                return;
            }
        }
        match expected.compare(found) {
            Ok(()) => _ = self.ended.insert(index, Ended::Done(fields)),
            Err(refused) => self.fail(job, index, &attempt, refused),
        }
    }

    fn fail(&mut self, job: &Job<'_>, index: usize, attempt: &str, (during, refusal): Refused) {
        let error = explain::error(job.backend, attempt, during, refusal);
        self.ended.insert(index, Ended::Failed(error));
    }
}

impl Expected {
    fn compare(&self, device: &Device) -> Result<(), Refused> {
        match (&self.wish, device.peers.get(&self.public_key)) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(differs("the peer is still there")),
            (Some(_), None) => Err(differs("the peer is not there")),
            (Some(wish), Some(peer)) => match difference(wish, peer) {
                None => Ok(()),
                Some(attribute) => Err(differs(&format!("`{attribute}` is not what was written"))),
            },
        }
    }
}

/// Names the first attribute that is not as wished.
fn difference(wish: &PeerWish, peer: &DevicePeer) -> Option<&'static str> {
    let PeerWish { enabled: _, preshared_key, endpoint, allowed_ips, persistent_keepalive } = wish;
    // A peer that talks at this very moment moves its endpoint by itself.
    let roamed = peer.last_handshake.is_some() && peer.endpoint.is_some();
    let endpoint = endpoint.as_ref().and_then(Endpoint::socket);
    let holds = [
        ("preshared_key", preshared_key.as_ref().is_none_or(|it| *it == peer.preshared_key)),
        ("endpoint", endpoint.is_none_or(|it| peer.endpoint == Some(it) || roamed)),
        ("allowed_ips", allowed_ips.as_ref().is_none_or(|it| *it == peer.allowed_ips)),
        (
            "persistent_keepalive",
            persistent_keepalive.is_none_or(|it| it == peer.persistent_keepalive),
        ),
    ];
    holds.into_iter().find(|(_, holds)| !holds).map(|(attribute, _)| attribute)
}

/// Returns whether a refusal has nothing to do with single peers.
fn is_meant_for_all(refusal: &Refusal) -> bool {
    let all = [
        Errno::PERM,
        Errno::ACCESS,
        Errno::NODEV,
        Errno::OPNOTSUPP,
        Errno::CONNRESET,
        Errno::TIMEDOUT,
    ];
    matches!(refusal, Refusal::Errno(errno) if all.contains(errno))
}

struct Plan {
    changes: Vec<PeerChange>,
    wish: Option<PeerWish>,
    fields: Fields,
}

/// Decides what to send for an operation; nothing when the device holds it already.
fn plan(job: &mut Job<'_>, known: &Known, act: &PeerAct) -> Result<Option<Plan>, Refused> {
    let found = known.device.peers.get(act.public_key());
    let none = BTreeSet::new();
    match act {
        PeerAct::Create { public_key, fields } => {
            if found.is_some() {
                return Err(said(
                    "a peer with that key is there already",
                    "import it, or remove it with `wg set INTERFACE peer KEY remove`",
                ));
            }
            let wish = wire::peer_of_fields(fields).map_err(misfit)?;
            put_if_enabled(job, known, *public_key, wish)
        }
        PeerAct::Update { public_key, settings, wanted } => {
            let networks = found.map_or(&none, |peer| &peer.allowed_ips);
            let wish = wire::peer_of_settings(settings, networks).map_err(misfit)?;
            match (wish.enabled, found) {
                (Some(false), None) => Ok(None),
                (Some(false), Some(_)) => Ok(Some(removal(*public_key))),
                (Some(true), None) => {
                    let wish = wire::peer_of_fields(wanted).map_err(misfit)?;
                    put(job, known, *public_key, PeerWish { enabled: Some(true), ..wish }).map(Some)
                }
                (None, None) if wanted.get("enabled") == Some(&Field::Bool(false)) => Ok(None),
                (None, None) => Err(said(
                    "the peer is gone",
                    "run `plan` again: it was removed in between, and would be made anew",
                )),
                (Some(true) | None, Some(_)) => put(job, known, *public_key, wish).map(Some),
            }
        }
        PeerAct::Delete { public_key } => Ok(found.map(|_| removal(*public_key))),
    }
}

fn put_if_enabled(
    job: &mut Job<'_>,
    known: &Known,
    public_key: PublicKey,
    wish: PeerWish,
) -> Result<Option<Plan>, Refused> {
    match wish.enabled {
        Some(false) => Ok(None),
        Some(true) | None => put(job, known, public_key, wish).map(Some),
    }
}

fn removal(public_key: PublicKey) -> Plan {
    let changes = vec![PeerChange::removal(public_key)];
    Plan { changes, wish: None, fields: Fields::new() }
}

/// Makes or changes a peer.
fn put(
    job: &mut Job<'_>,
    known: &Known,
    public_key: PublicKey,
    mut wish: PeerWish,
) -> Result<Plan, Refused> {
    if known.own_key == Some(public_key) {
        return Err(said(
            "that is the interface's own public key, and WireGuard drops such a peer",
            "set `public_key` to the key of the far end",
        ));
    }
    let found = known.device.peers.get(&public_key);
    let mut fields = Fields::new();
    let mut socket = None;
    if let Some(endpoint) = wish.endpoint.take() {
        let address = resolve(job, &endpoint, found.and_then(|peer| peer.endpoint))?;
        let address_set = Endpoint::try_from(address).map_err(|error| {
            said(&error.to_string(), "set `endpoint` to an address with a port")
        })?;
        if address_set != endpoint {
            fields.insert("endpoint", Field::Endpoint(address_set.clone()));
        }
        socket = Some(address);
        wish.endpoint = Some(address_set);
    }
    let mut changes = networks(public_key, wish.allowed_ips.as_ref(), found);
    changes[0].preshared_key.clone_from(&wish.preshared_key);
    changes[0].endpoint = socket;
    changes[0].persistent_keepalive = wish.persistent_keepalive;
    Ok(Plan { changes, wish: Some(wish), fields })
}

/// Spreads the networks of a peer over as many parts as they need; there is always a first one. A list that only
/// grows is added to, so that no network is without its peer in between.
fn networks(
    public_key: PublicKey,
    wanted: Option<&BTreeSet<Prefix>>,
    found: Option<&DevicePeer>,
) -> Vec<PeerChange> {
    let mut first = PeerChange::new(public_key);
    let Some(wanted) = wanted else { return vec![first] };
    let none = BTreeSet::new();
    let held = found.map_or(&none, |peer| &peer.allowed_ips);
    first.clears_allowed_ips = !held.is_subset(wanted);
    let to_add: Vec<Prefix> = match first.clears_allowed_ips {
        true => wanted.iter().copied().collect(),
        false => (wanted - held).into_iter().collect(),
    };
    let mut parts = to_add.chunks(NETWORKS_PER_PART);
    first.allowed_ips = parts.next().unwrap_or_default().to_vec();
    let part = |networks: &[Prefix]| PeerChange {
        allowed_ips: networks.to_vec(),
        ..PeerChange::new(public_key)
    };
    [first].into_iter().chain(parts.map(part)).collect()
}

/// Finds the address of an endpoint. Of several the one that is in use already is kept.
fn resolve(
    job: &mut Job<'_>,
    endpoint: &Endpoint,
    in_use: Option<SocketAddr>,
) -> Result<SocketAddr, Refused> {
    let name = match &endpoint.host {
        EndpointHost::Address(address) => {
            return Ok(SocketAddr::new(*address, endpoint.port.get()));
        }
        EndpointHost::Name(name) => name,
    };
    let found =
        job.host.resolve(name, endpoint.port.get()).map_err(|it| (During::Configuring, it))?;
    let kept = in_use.filter(|address| found.contains(address));
    kept.or_else(|| found.first().copied()).ok_or_else(|| {
        said(&format!("the name `{name}` has no address"), "check the name with `getent hosts`")
    })
}

fn known_device(job: &mut Job<'_>, interface: &str) -> Result<Device, Refusal> {
    match job.devices.get(interface) {
        Some(device) => Ok(device.clone()),
        None => look(job, interface),
    }
}

/// Reads the device, and remembers what it holds now.
fn look(job: &mut Job<'_>, interface: &str) -> Result<Device, Refusal> {
    job.devices.remove(interface);
    let device = job.host.device(interface)?;
    job.devices.insert(interface.to_owned(), device.clone());
    Ok(device)
}

/// Ends a group whose interface cannot be read: with a link go its peers, so that removing one is done.
fn without_device(
    job: &Job<'_>,
    interface: &str,
    operations: &[PeerOperation],
    refusal: &Refusal,
) -> Vec<(usize, Ended)> {
    let mut ended: BTreeMap<usize, Ended> = BTreeMap::new();
    for PeerOperation { index, after, act } in operations {
        let missing = after
            .iter()
            .find(|it| matches!(ended.get(it), Some(Ended::Failed(_) | Ended::Skipped(_))));
        let end = match (missing, act, refusal) {
            (Some(missing), _, _) => Ended::Skipped(*missing),
            (None, PeerAct::Delete { .. }, Refusal::Errno(Errno::NODEV)) => {
                Ended::Done(Fields::new())
            }
            (None, act, refusal) => {
                let attempt = act.attempt(interface);
                let during = During::Configuring;
                Ended::Failed(explain::error(job.backend, attempt, during, refusal.clone()))
            }
        };
        ended.insert(*index, end);
    }
    ended.into_iter().collect()
}

fn said(reason: &str, hint: &str) -> Refused {
    (During::Configuring, Refusal::said(reason, hint))
}
