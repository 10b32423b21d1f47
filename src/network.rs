//! The network that a configuration describes: interfaces, the peers on them, and which two peers are one link.
//!
//! It is made without a device. Keys that only a device can make are stood in for, one for each interface, so that
//! what refers to one leads to its interface, through whatever expressions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::config::{AllUnknown, Computed, Desired, Edition, Evaluator, Wanted};
use crate::diagnostic::Span;
use crate::link::{End, Links};
use crate::resource::{Address, BackendId, BackendKind, Field, Kind};
use crate::value::{Cidr, Prefix, PublicKey};

/// A network, by the resources that describe it.
#[derive(Debug)]
pub struct Network<'d> {
    /// The interfaces, by their address.
    pub interfaces: BTreeMap<&'d Address, Interface<'d>>,
    /// The peers, each after its interface.
    pub peers: Vec<Peer<'d>>,
    /// Where each peer is in `peers`.
    places: BTreeMap<&'d Address, usize>,
    links: Links,
}

/// One interface.
#[derive(Debug)]
pub struct Interface<'d> {
    /// What is wanted of it.
    pub wanted: &'d Desired,
    /// Its public key, real or stood in for; none while it depends on something unknown.
    pub key: Option<PublicKey>,
    /// Whether that key is real: written, or known of the device.
    pub has_known_key: bool,
    /// Whether it is certain to be up.
    pub is_up: bool,
    /// Its peers, as places in [`Network::peers`].
    pub peers: Vec<usize>,
    /// Whether one of its peers has no key yet, or none that is known.
    pub has_open_peer: bool,
    /// Whether one of its peers has a written key, of which nobody can say whose it is.
    pub has_stranger: bool,
}

/// One peer.
#[derive(Debug)]
pub struct Peer<'d> {
    /// What is wanted of it.
    pub wanted: &'d Desired,
    /// The interface that it is on.
    pub on: &'d Address,
    /// Its key, when it is known.
    pub key: Option<PublicKey>,
    /// The interface of the configuration that has that key.
    pub far: Option<&'d Address>,
    /// Whether it is certain to take part: not disabled, not pending, not expired.
    pub is_active: bool,
}

/// What the configuration says of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'d> {
    /// Nothing.
    Nothing,
    /// Something that is not known yet, or must not be shown.
    Unknown,
    /// This.
    Value(&'d Field),
}

impl<'d> Network<'d> {
    /// Shows the network of a configuration whose problems were looked at before.
    pub fn show<T>(
        evaluator: &Evaluator<'_>,
        now: Timestamp,
        look: impl FnOnce(&Network<'_>) -> T,
    ) -> T {
        let known = StandIns(&AllUnknown, Edition::new());
        evaluator.with_wanted(&known, |wanted| look(&Network::of(wanted, &AllUnknown, now)))
    }

    /// Shows the same network again, once `known` knows what the devices say, with the resources as they are planned.
    pub fn show_planned<T>(
        evaluator: &Evaluator<'_>,
        planned: &BTreeMap<Address, Desired>,
        known: &dyn Computed,
        now: Timestamp,
        look: impl FnOnce(&Network<'_>) -> T,
    ) -> T {
        let known_or_not = StandIns(known, Edition::new());
        let lacks_key = |it: &&Desired| it.fields.get("public_key") == Some(&Wanted::Unknown);
        let lacking = planned.values().filter(lacks_key).map(|it| &it.address);
        let again: BTreeMap<&Address, Desired> = lacking
            .filter_map(|address| Some((address, evaluator.resource(address, &known_or_not).ok()?)))
            .collect();
        let all: Vec<&Desired> =
            planned.values().map(|it| again.get(&it.address).unwrap_or(it)).collect();
        look(&Network::of(&all, known, now))
    }

    fn of(wanted: &[&'d Desired], known: &dyn Computed, now: Timestamp) -> Self {
        let mut interfaces: BTreeMap<&Address, Interface<'d>> = BTreeMap::new();
        for wanted in wanted.iter().filter(|it| it.address.kind == Kind::Interface) {
            interfaces.insert(&wanted.address, Interface::of(wanted, known));
        }
        let by_key = by_key(&interfaces);
        let mut peers = Vec::new();
        for wanted in wanted.iter().filter(|it| it.address.kind == Kind::Peer) {
            let on = wanted.references.get("interface");
            let Some((on, interface)) = on.and_then(|on| interfaces.get_key_value(&**on)) else {
                continue;
            };
            let on = *on;
            let is_up = interface.is_up;
            let peer = Peer::of(wanted, on, is_up, &by_key, now);
            if let Some(interface) = interfaces.get_mut(on) {
                interface.peers.push(peers.len());
                interface.has_open_peer |= peer.key.is_none();
                interface.has_stranger |= peer.key.is_some() && peer.far.is_none();
            }
            peers.push(peer);
        }
        let end = |peer: &Peer<'_>| End {
            peer: peer.wanted.address.clone(),
            interface: peer.on.clone(),
            far_interface: peer.far.cloned(),
            public_key: peer.key,
            own_key: interfaces.get(peer.on).and_then(|it| it.key),
        };
        let links = Links::find(&peers.iter().map(end).collect::<Vec<_>>());
        let places = peers.iter().enumerate().map(|(i, peer)| (&peer.wanted.address, i)).collect();
        Self { interfaces, peers, places, links }
    }

    /// Returns the peer at the other end of a link.
    pub fn other_end(&self, peer: &Peer<'_>) -> Option<&Peer<'d>> {
        let other = self.links.other_end(&peer.wanted.address)?;
        self.peers.get(*self.places.get(other)?)
    }

    /// Returns the links whose two ends are both here, each once.
    pub fn pairs(&self) -> impl Iterator<Item = (&Peer<'d>, &Peer<'d>)> {
        self.peers.iter().enumerate().filter_map(|(i, peer)| {
            let other = self.links.other_end(&peer.wanted.address)?;
            let other_place = *self.places.get(other)?;
            // Where a third peer names the same far end, the two that agree on each other are the link.
            let is_mutual = self.links.other_end(other) == Some(&peer.wanted.address);
            (is_mutual && i < other_place).then(|| (peer, &self.peers[other_place]))
        })
    }

    /// Returns the peers of an interface.
    pub fn peers_of<'n>(
        &'n self,
        interface: &'n Interface<'d>,
    ) -> impl Iterator<Item = &'n Peer<'d>> {
        interface.peers.iter().map(|place| &self.peers[*place])
    }

    /// Returns the interface that a peer is on.
    pub fn interface_of(&self, peer: &Peer<'_>) -> Option<&Interface<'d>> {
        self.interfaces.get(peer.on)
    }
}

/// Finds interfaces by their keys. Of a key that two have nobody can say whose it is.
fn by_key<'d>(
    interfaces: &BTreeMap<&'d Address, Interface<'d>>,
) -> BTreeMap<PublicKey, Option<&'d Address>> {
    let mut by_key = BTreeMap::new();
    for (address, interface) in interfaces {
        let Some(key) = interface.key else { continue };
        by_key.entry(key).and_modify(|it| *it = None).or_insert(Some(*address));
    }
    by_key
}

impl<'d> Interface<'d> {
    fn of(wanted: &'d Desired, known: &dyn Computed) -> Self {
        let written = match said(wanted, "private_key") {
            Said::Value(Field::PrivateKey(key)) => Some(Some(key.public())),
            Said::Nothing => None,
            _ => Some(None),
        };
        let of_device = || match known.computed(&wanted.address, "public_key") {
            Some(Field::PublicKey(key)) => Some(key),
            _ => None,
        };
        let real = written.unwrap_or_else(of_device);
        let stands_in = || written.is_none().then(|| stand_in(&wanted.address));
        let (key, has_known_key) = (real.or_else(stands_in), real.is_some());
        Self {
            wanted,
            key,
            has_known_key,
            is_up: is_enabled(wanted),
            peers: Vec::new(),
            has_open_peer: false,
            has_stranger: false,
        }
    }

    /// Returns its addresses, also those that a firewall gives to the interface it is assigned to; none while they are
    /// not known.
    pub fn addresses(&self) -> Option<Vec<Cidr>> {
        let mut addresses = Vec::new();
        for name in ["addresses", "assign_addresses"] {
            match said(self.wanted, name) {
                Said::Value(Field::Addresses(set)) => addresses.extend(set),
                Said::Nothing => {}
                _ => return None,
            }
        }
        Some(addresses)
    }
}

impl<'d> Peer<'d> {
    fn of(
        wanted: &'d Desired,
        on: &'d Address,
        is_up: bool,
        by_key: &BTreeMap<PublicKey, Option<&'d Address>>,
        now: Timestamp,
    ) -> Self {
        let key = match said(wanted, "public_key") {
            Said::Value(Field::PublicKey(key)) => Some(*key),
            _ => None,
        };
        let has_ended = match said(wanted, "expires_at") {
            Said::Nothing => false,
            Said::Value(Field::Time(end)) => *end <= now,
            _ => true,
        };
        let is_active = is_up && is_enabled(wanted) && !wanted.is_pending && !has_ended;
        let far = key.and_then(|key| by_key.get(&key).copied().flatten());
        Self { wanted, on, key, far, is_active }
    }

    /// Returns its allowed IPs; none while they are not known.
    pub fn allowed_ips(&self) -> impl Iterator<Item = &'d Prefix> + use<'d> {
        let prefixes = match said(self.wanted, "allowed_ips") {
            Said::Value(Field::Prefixes(prefixes)) => Some(prefixes),
            _ => None,
        };
        prefixes.into_iter().flatten()
    }

    /// Returns whether it may send the first packet: it knows where to, and is not told to wait.
    pub fn dials(&self) -> bool {
        let waits = matches!(said(self.wanted, "responder"), Said::Value(Field::Bool(true)));
        said(self.wanted, "endpoint") != Said::Nothing && !waits
    }

    /// Returns whether it sends something while it is idle, or may do so.
    pub fn keeps_alive(&self) -> bool {
        match said(self.wanted, "persistent_keepalive") {
            Said::Nothing => false,
            Said::Value(Field::Keepalive(keepalive)) => keepalive.seconds() > 0,
            _ => true,
        }
    }
}

/// Returns what the configuration says of an attribute.
pub fn said<'d>(wanted: &'d Desired, name: &str) -> Said<'d> {
    match wanted.fields.get(name) {
        None => Said::Nothing,
        Some(_) if wanted.sensitive.contains(name) => Said::Unknown,
        Some(Wanted::Unknown) => Said::Unknown,
        Some(Wanted::Known(field)) => Said::Value(field),
    }
}

/// Returns where an attribute is written; the head of the block where it is not.
pub fn span<'d>(wanted: &'d Desired, attribute: &str) -> &'d Span {
    wanted.spans.get(attribute).unwrap_or(&wanted.span)
}

fn is_enabled(wanted: &Desired) -> bool {
    matches!(said(wanted, "enabled"), Said::Nothing | Said::Value(Field::Bool(true)))
}

/// Knows a key of every interface, and of all else what is known.
struct StandIns<'k>(&'k dyn Computed, Edition);

impl Computed for StandIns<'_> {
    fn computed(&self, address: &Address, attribute: &'static str) -> Option<Field> {
        let is_key = (address.kind, attribute) == (Kind::Interface, "public_key");
        let stand_in = || is_key.then(|| Field::PublicKey(stand_in(address)));
        self.0.computed(address, attribute).or_else(stand_in)
    }

    fn is_null(&self, address: &Address, attribute: &'static str) -> bool {
        self.0.is_null(address, attribute)
    }

    fn edition(&self) -> Edition {
        self.1
    }
}

/// Makes a key up that stands for the one of an interface. No device has it, and no message shows it.
fn stand_in(address: &Address) -> PublicKey {
    PublicKey::from_bytes(Sha256::digest(format!("stands in for the key of {address}")).into())
}

/// What kind of system each backend is.
pub type Kinds = BTreeMap<BackendId, BackendKind>;

/// Returns what kind of system each backend of a configuration is.
pub fn kinds(evaluator: &Evaluator<'_>) -> Kinds {
    let declared = evaluator.backends().unwrap_or_default();
    declared.into_iter().map(|it| (it.id, it.kind)).collect()
}
