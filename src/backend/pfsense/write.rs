//! Carries out a batch: one request for each object, then one apply for all of them, then one look at what is there.
//!
//! A firewall finds objects by their place in a list, which shifts when somebody removes another one, and it has nothing
//! that keeps two writers apart. So every object is looked up by its own name or key right before it is changed, the change
//! says whom it means, and the answer has to be what was meant. Nothing has landed before the apply has ended: outcomes are
//! told then, of what is stored, and of what is in the kernel where the firewall tells.

mod apply;
mod assign;
mod peers;
mod stranger;
mod tunnels;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;

use crate::backend::pfsense::client::{Body, Cause, Client, Failure};
use crate::backend::pfsense::snapshot::{self, PEERS, TUNNELS};
use crate::backend::pfsense::wire::{
    List, Live, Peer, PeerRow, Strange, Tunnel, TunnelRow, Version,
};
use crate::backend::pfsense::wish::{self, Misfit};
use crate::backend::{Act, BackendError, Batch, Landed, Operation, Outcome, Stop};
use crate::failpoint::{Point, hit};
use crate::resource::Fields;
use crate::value::PublicKey;

pub(super) use apply::enable_service;

/// How often a change is tried whose object is at another place each time.
const SHIFTS: usize = 5;

/// Carries out a batch in its order.
pub(super) async fn carry_out(client: &Client, batch: Batch, stop: Stop, landed: Landed<'_>) {
    let Batch { operations } = batch;
    let rewrites = |it: &Operation| {
        matches!(it.act, Act::UpdatePeer { .. } | Act::CreatePeer { replaces: Some(_), .. })
    };
    let keeps_peers = operations.iter().any(rewrites);
    let mut is_done = vec![false; operations.len()];
    let mut held = Vec::new();
    let mut job: Option<Result<Job<'_>, BackendError>> = None;
    let mut end = None;
    for (index, Operation { after, act }) in operations.into_iter().enumerate() {
        if stop.is_raised() {
            landed(index, Outcome::NotStarted);
            continue;
        }
        // One that comes later in the batch, or never, cannot have been done.
        let is_missing = |it: &&usize| !is_done.get(**it).is_some_and(|done| *done);
        if let Some(missing) = after.iter().find(is_missing).or(end.as_ref()) {
            landed(index, Outcome::Skipped(*missing));
            continue;
        }
        let job = match &mut job {
            Some(job) => job,
            none => none.insert(Job::start(client, keeps_peers).await),
        };
        let attempt = act.attempt();
        let (done, is_touched) = match job {
            Ok(job) => {
                job.is_touched = false;
                (job.act(&attempt, act).await, job.is_touched)
            }
            Err(error) => (Err(error.clone()), false),
        };
        // Why nothing more can be done is said once.
        let is_over = job.as_ref().map_or(true, |job| job.end.is_some());
        end = is_over.then_some(index);
        match done {
            Ok(written) => {
                is_done[index] = true;
                held.push(Held { index, attempt, written });
            }
            Err(error) if is_touched => landed(index, Outcome::Failed(error)),
            Err(error) => landed(index, Outcome::Untouched(error)),
        }
    }
    if let Some(Ok(job)) = &mut job {
        for (index, outcome) in job.finish(held).await {
            landed(index, outcome);
        }
    }
}

/// An operation that was written and has not landed.
struct Held {
    index: usize,
    attempt: String,
    written: Written,
}

/// What was written, and what the device chose.
struct Written {
    check: Check,
    fields: Fields,
}

/// What has to be there in the end.
enum Check {
    /// A tunnel that has what was sent.
    Tunnel { after: Box<Tunnel>, sent: Body },
    /// No tunnel of that name.
    NoTunnel(String),
    /// A peer that has what was sent; one that was there before, under this key, may have been another one.
    Peer { after: Box<Peer>, sent: Body, was: Option<PublicKey> },
    /// No peer with that key on that tunnel.
    NoPeer { tunnel: String, key: PublicKey },
    /// Nothing but that the apply has ended.
    Nothing,
}

impl Written {
    fn new(check: Check) -> Self {
        Self { check, fields: Fields::new() }
    }
}

type Done = Result<Written, BackendError>;

/// One batch on one firewall.
struct Job<'a> {
    client: &'a Client,
    version: Version,
    /// The peers as they were when the batch began, and as it made them since: what is needed to give a peer of somebody
    /// else back what it had.
    known: BTreeMap<PublicKey, Peer>,
    /// The peers that the batch took off a tunnel.
    left: BTreeMap<PublicKey, String>,
    /// Whether a peer went from one tunnel to another, which one apply does only half.
    is_moved: bool,
    /// Whether the operation under way may have changed something.
    is_touched: bool,
    /// Whether something is stored that was not applied.
    is_dirty: bool,
    /// Whether it was seen that what is written is stored.
    is_confirmed: bool,
    /// Why nothing more can be done.
    end: Option<BackendError>,
}

impl<'a> Job<'a> {
    async fn start(client: &'a Client, keeps_peers: bool) -> Result<Self, BackendError> {
        let version = snapshot::version(client).await.map_err(|failure| failure.error)?;
        let mut known = BTreeMap::new();
        if keeps_peers {
            let (peers, _) = all_peers(client).await?;
            known.extend(peers.into_iter().map(|peer| (peer.public_key, peer)));
        }
        Ok(Self {
            client,
            version,
            known,
            left: BTreeMap::new(),
            is_moved: false,
            is_touched: false,
            is_dirty: false,
            is_confirmed: false,
            end: None,
        })
    }

    async fn act(&mut self, attempt: &str, act: Act) -> Done {
        let written = self.carry(attempt, act).await?;
        self.confirm(attempt, written).await
    }

    async fn carry(&mut self, attempt: &str, act: Act) -> Done {
        match act {
            Act::CreateInterface { name, private_key, key_file: _, fields, around: _ } => {
                self.create_tunnel(attempt, &name, private_key.as_ref(), &fields).await
            }
            Act::UpdateInterface { name, rename, private_key, settings, wanted, .. } => {
                if rename.is_some_and(|new| new != name) {
                    let hint =
                        "a tunnel of a firewall keeps its name: it is made anew under another one";
                    return Err(self.misfit(attempt, &Misfit::new("name", hint)));
                }
                self.update_tunnel(attempt, &name, private_key.as_ref(), &settings, &wanted).await
            }
            Act::DeleteInterface { name, public_key, .. } => {
                self.delete_tunnel(attempt, &name, public_key).await
            }
            Act::SetRoutes { .. } => {
                let hint = "routes over a firewall's tunnel are its own: `System > Routing > Static Routes`";
                Err(self.misfit(attempt, &Misfit::new("routes", hint)))
            }
            Act::Persist(_) => {
                let hint = "a firewall brings its tunnels back by itself";
                Err(self.misfit(attempt, &Misfit::new("persist", hint)))
            }
            Act::CreatePeer { interface, public_key, replaces: None, fields } => {
                self.create_peer(attempt, &interface, public_key, &fields).await
            }
            Act::CreatePeer { interface, public_key, replaces: Some(old), fields } => {
                self.rekey_peer(attempt, &interface, (old, public_key), &fields).await
            }
            Act::UpdatePeer { interface, public_key, settings, wanted } => {
                self.update_peer(attempt, &interface, public_key, &settings, &wanted).await
            }
            Act::DeletePeer { interface, public_key } => {
                self.delete_peer(attempt, &interface, public_key).await
            }
            Act::Apply { switch_on } => {
                if switch_on {
                    self.is_touched = true;
                    enable_service(self.client).await?;
                }
                // The end of the batch applies whatever is stored, whoever stored it.
                self.is_dirty = true;
                Ok(Written::new(Check::Nothing))
            }
        }
    }

    /// Sends a change.
    async fn send<T>(
        &mut self,
        request: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        hit(Point::HostChange);
        let answer = request.await;
        hit(Point::HostChanged);
        match &answer {
            Ok(_) => (self.is_touched, self.is_dirty) = (true, true),
            Err(failure) => {
                self.is_touched |= failure.may_have_changed;
                self.is_dirty |= failure.may_have_changed;
                // Who is not let in once is not let in twice, and each try counts towards a block.
                let is_for_all = matches!(
                    failure.cause,
                    Cause::Unreachable
                        | Cause::NotTrusted
                        | Cause::Unauthorized
                        | Cause::Closed
                        | Cause::NoPackage
                );
                if is_for_all {
                    self.end = Some(failure.error.clone());
                }
            }
        }
        answer
    }

    /// Looks whether the first thing that was written is stored: to a user who may not write the configuration, the
    /// package says that all is well.
    async fn confirm(&mut self, attempt: &str, written: Written) -> Done {
        if self.is_confirmed || !self.is_dirty {
            return Ok(written);
        }
        let (mut tunnels, mut peers) = (Vec::new(), Vec::new());
        match &written.check {
            Check::Tunnel { after: tunnel, .. } => {
                tunnels.extend(
                    self.tunnel_row(attempt, &tunnel.name).await?.and_then(|it| it.tunnel().ok()),
                );
            }
            Check::NoTunnel(name) => {
                tunnels
                    .extend(self.tunnel_row(attempt, name).await?.and_then(|it| it.tunnel().ok()));
            }
            Check::Peer { after: peer, .. } => {
                peers.extend(
                    self.peer_row(attempt, peer.public_key).await?.and_then(|it| it.peer().ok()),
                );
            }
            Check::Nothing => return Ok(written),
            Check::NoPeer { key, .. } => {
                peers.extend(self.peer_row(attempt, *key).await?.and_then(|it| it.peer().ok()));
            }
        }
        match written.check.unmet(&tunnels, &peers) {
            None => {
                self.is_confirmed = true;
                Ok(written)
            }
            Some(_) => {
                let hint = "take `User - Config: Deny Config Write` from the user, in `System > User Manager`";
                let reason = "the firewall says that it is done, and stores nothing";
                let error = self.error(attempt, reason, hint);
                self.end = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Applies what is stored, and says of each operation how it ended.
    async fn finish(&mut self, held: Vec<Held>) -> Vec<(usize, Outcome)> {
        let applied = match self.end.clone() {
            // What is stored waits for the next apply.
            Some(end) => Err(end),
            None => self.apply_all().await,
        };
        let there = match applied {
            Ok(()) if held.is_empty() => return Vec::new(),
            Ok(()) => self.look(&held).await,
            Err(error) => Err(error),
        };
        let checks: Vec<_> = held.iter().map(|it| &it.written.check).collect();
        let is_overtaken =
            |at: usize| checks[at + 1..].iter().any(|it| checks[at].is_overtaken(it));
        let overtaken: Vec<_> = (0..checks.len()).map(is_overtaken).collect();
        let outcome = |(Held { index, attempt, written }, is_overtaken): (Held, bool)| {
            let unmet = match &there {
                // What a later operation made of it is what counts.
                Ok(_) if is_overtaken => None,
                Ok(there) => self
                    .unmet(there, &written.check)
                    .map(|(reason, hint)| self.error(&attempt, reason, hint)),
                Err(BackendError { backend, attempt: what, reason, hints }) => Some(BackendError {
                    backend: backend.clone(),
                    attempt,
                    reason: format!("it is stored, and could not {what}: {reason}"),
                    hints: hints.clone(),
                }),
            };
            (index, unmet.map_or(Outcome::Done(written.fields), Outcome::Failed))
        };
        held.into_iter().zip(overtaken).map(outcome).collect()
    }

    /// Reads what is there in the end. The kernel may take a moment longer than the package says.
    async fn look(&self, held: &[Held]) -> Result<There, BackendError> {
        let told = |failure: Failure| failure.error;
        let (tunnels, _) = snapshot::tunnels(self.client).await.map_err(told)?;
        let (peers, odd) = all_peers(self.client).await?;
        let missing = self.missing(&peers, &odd);
        let mut there = There { tunnels, peers, missing, live: None };
        if !snapshot::is_enabled(self.client).await.map_err(told)? {
            return Ok(there);
        }
        for _ in 0..3 {
            (there.live, _) = snapshot::live(self.client, self.version).await.map_err(told)?;
            if held.iter().all(|it| there.unlive(&it.written.check).is_none()) {
                break;
            }
            tokio::time::sleep(self.client.pace().poll).await;
        }
        Ok(there)
    }

    /// Says why what was to be there is not, and what to do.
    fn unmet(&self, there: &There, check: &Check) -> Option<(String, &'static str)> {
        if let Some(attribute) = check.unmet(&there.tunnels, &there.peers) {
            let hint = "run `plan` to see what the firewall made of it; somebody may have changed it in between";
            return Some((format!("`{attribute}` is not what was written"), hint));
        }
        if let Some(reason) = there.vanished(check) {
            let hint = "if nobody removed it, take it from `Diagnostics > Backup & Restore > Config History`";
            return Some((reason, hint));
        }
        let why = there.unlive(check)?;
        let hint = "see whether a peer of the tunnel has something else in the place of its key, and `Status > System Logs`";
        Some((format!("it is stored, and {why}"), hint))
    }

    async fn tunnel_row(
        &self,
        attempt: &str,
        name: &str,
    ) -> Result<Option<TunnelRow>, BackendError> {
        let rows = self.client.get(attempt, TUNNELS, &[("name", name)]).await;
        let List(mut rows): List<TunnelRow> = rows.map_err(|failure| failure.error)?;
        match (rows.pop(), rows.pop()) {
            (None, _) => Ok(None),
            (Some(row), None) if row.name() == name => Ok(Some(row)),
            _ => Err(self.unfiltered(attempt)),
        }
    }

    async fn peer_row(
        &self,
        attempt: &str,
        key: PublicKey,
    ) -> Result<Option<PeerRow>, BackendError> {
        let text = key.to_string();
        let rows = self.client.get(attempt, PEERS, &[("publickey", &text)]).await;
        let List(mut rows): List<PeerRow> = rows.map_err(|failure| failure.error)?;
        match (rows.pop(), rows.pop()) {
            (None, _) => Ok(None),
            (Some(row), None) if row.public_key() == Some(key) => Ok(Some(row)),
            (Some(one), Some(other)) if one.key_text() == text && other.key_text() == text => {
                let hint = "remove all but one of them in `VPN > WireGuard > Peers`";
                Err(self.error(attempt, "it is there more than once", hint))
            }
            _ => Err(self.unfiltered(attempt)),
        }
    }

    /// Says that more came back than was asked for: whatever is picked like that must not be changed.
    fn unfiltered(&self, attempt: &str) -> BackendError {
        self.client
            .unreadable(attempt, "it gives other objects than the one that it was asked for")
            .error
    }

    fn error(&self, attempt: &str, reason: impl Into<String>, hint: &str) -> BackendError {
        let hints = vec![hint.to_owned()];
        BackendError {
            backend: self.client.backend().clone(),
            attempt: attempt.to_owned(),
            reason: reason.into(),
            hints,
        }
    }

    fn misfit(&self, attempt: &str, Misfit { attribute, hint }: &Misfit) -> BackendError {
        self.error(
            attempt,
            format!("`{attribute}` cannot be written like this on a firewall"),
            hint,
        )
    }

    fn differs(&self, attempt: &str, attribute: &str) -> BackendError {
        let reason = format!("`{attribute}` is not what was written");
        self.error(attempt, reason, "run `plan` to see what the firewall made of it")
    }

    fn strange(&self, attempt: &str, strange: &Strange) -> BackendError {
        let reason = format!("what the firewall says of it makes no sense: {strange}");
        self.error(
            attempt,
            reason,
            "look at it in `VPN > WireGuard`, or remove it there and plan again",
        )
    }

    fn restless(&self, attempt: &str) -> BackendError {
        let hint = "see who else is changing the firewall, and try again";
        self.error(attempt, "its place in the firewall's list is another one each time", hint)
    }
}

/// What is there in the end.
struct There {
    tunnels: Vec<Tunnel>,
    peers: Vec<Peer>,
    /// Peers that are gone, and that the batch did not remove.
    missing: Vec<Peer>,
    /// None where WireGuard is off, or the version does not tell.
    live: Option<BTreeMap<String, Live>>,
}

impl There {
    /// Says what is in the kernel that was not to be, or the other way round.
    fn unlive(&self, check: &Check) -> Option<&'static str> {
        let live = self.live.as_ref()?;
        let is_on = |name: &str| self.tunnels.iter().any(|it| it.name == name && it.is_enabled);
        let on = |tunnel: &str, key: &PublicKey| {
            live.get(tunnel).is_some_and(|it| it.peers.contains_key(key))
        };
        match check {
            Check::Tunnel { after, .. } => match live.get(&after.name) {
                Some(it) if !after.is_enabled && it.is_up => {
                    Some("the kernel still has the tunnel up")
                }
                _ if !after.is_enabled => None,
                Some(it) if !it.is_up => Some("the kernel does not have the tunnel up"),
                Some(it) if it.public_key != Some(after.public_key) => {
                    Some("the kernel has another key for the tunnel")
                }
                Some(it) if it.listen_port != after.listen_port && after.listen_port.is_some() => {
                    Some("the kernel has another port for the tunnel")
                }
                Some(_) => None,
                None => Some("the kernel does not have the tunnel"),
            },
            Check::NoTunnel(name) => {
                live.contains_key(name).then_some("the kernel still has the tunnel")
            }
            Check::Peer { after, .. } => {
                let is_wanted = after.is_enabled && is_on(&after.tunnel);
                match (is_wanted, on(&after.tunnel, &after.public_key)) {
                    (true, false) => Some("the kernel does not have the peer"),
                    (false, true) if is_on(&after.tunnel) => Some("the kernel still has the peer"),
                    _ => None,
                }
            }
            Check::NoPeer { tunnel, key } => {
                let is_back =
                    self.peers.iter().any(|it| it.public_key == *key && it.tunnel == *tunnel);
                (!is_back && on(tunnel, key)).then_some("the kernel still has the peer")
            }
            Check::Nothing => None,
        }
    }
}

impl Check {
    /// Returns whether another operation on the same object came later in the batch.
    fn is_overtaken(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Tunnel { after, .. }, Self::Tunnel { after: now, .. }) => after.name == now.name,
            (Self::Tunnel { after, .. }, Self::NoTunnel(name))
            | (Self::NoTunnel(name), Self::Tunnel { after, .. }) => after.name == *name,
            (Self::Peer { after, .. }, Self::Peer { after: now, was, .. }) => {
                after.public_key == now.public_key || *was == Some(after.public_key)
            }
            (Self::Peer { after, .. }, Self::NoPeer { tunnel, key })
            | (Self::NoPeer { tunnel, key }, Self::Peer { after, .. }) => {
                after.public_key == *key && after.tunnel == *tunnel
            }
            _ => false,
        }
    }

    /// Names what is not there as it was to be.
    fn unmet(&self, tunnels: &[Tunnel], peers: &[Peer]) -> Option<&'static str> {
        match self {
            Self::Tunnel { after, sent } => match tunnels.iter().find(|it| it.name == after.name) {
                Some(found) => wish::tunnel_difference(after, found, |field| sent.has(field)),
                None => Some("name"),
            },
            Self::NoTunnel(name) => tunnels.iter().any(|it| it.name == *name).then_some("name"),
            Self::Peer { after, sent, .. } => {
                match peers.iter().find(|it| it.public_key == after.public_key) {
                    Some(found) => wish::peer_difference(after, found, |field| sent.has(field)),
                    None => Some("public_key"),
                }
            }
            Self::NoPeer { tunnel, key } => {
                let is_it = |it: &&Peer| it.public_key == *key && it.tunnel == *tunnel;
                peers.iter().find(is_it).map(|_| "public_key")
            }
            Self::Nothing => None,
        }
    }
}

/// Reads all peers, and those that make no sense.
async fn all_peers(client: &Client) -> Result<(Vec<Peer>, Vec<snapshot::Odd>), BackendError> {
    let rows = client.get("read the WireGuard peers", PEERS, &[]).await;
    Ok(snapshot::peers(&rows.map_err(|failure: Failure| failure.error)?))
}

/// Returns whether nothing was done because the object is at another place by now.
fn is_shifted(failure: &Failure) -> bool {
    match &failure.cause {
        Cause::NotFound => true,
        Cause::Refused(id) => {
            matches!(id.as_str(), "FIELD_MUST_BE_UNIQUE" | "FIELD_VALUE_CHANGED_WHEN_NOT_EDITABLE")
        }
        _ => false,
    }
}

/// Returns whether something else has that name, key or port.
fn is_taken(failure: &Failure) -> bool {
    matches!(&failure.cause, Cause::Refused(id) if id == "FIELD_MUST_BE_UNIQUE")
}
