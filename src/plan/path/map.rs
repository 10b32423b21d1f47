//! Interfaces and peers as far as packets are concerned that are on their way to a backend: as they were last applied,
//! and as a plan leaves them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value as Json;

use crate::diff::Side;
use crate::plan::recover::public_key;
use crate::plan::view::View;
use crate::plan::walk::{Fate, Node, Planner};
use crate::resource::{Address, BackendId, Kind};
use crate::state::{ObjectKey, ResourceRecord};
use crate::value::{Cidr, Endpoint, Prefix, PublicKey};

/// No way leads over more tunnels than this.
const MOST_HOPS: usize = 16;

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Face {
    pub(super) backend: BackendId,
    /// None while nobody knows it.
    pub(super) key: Option<PublicKey>,
    pub(super) addresses: BTreeSet<IpAddr>,
    /// The networks that it leads to: those that it is in, and those that wgform routes into it.
    networks: BTreeSet<Prefix>,
    pub(super) port: Option<u64>,
    pub(super) is_up: bool,
    /// Whether wgform routes everything into it.
    takes_default: bool,
}

/// A peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// The interface that it is on.
    pub(super) on: Address,
    pub(super) key: Option<PublicKey>,
    /// The interface at the far end, where the configuration refers to it: its key may not be made yet.
    refers_to: Option<Address>,
    pub(super) allowed: BTreeSet<Prefix>,
    pub(super) endpoint: Option<Json>,
    pub(super) is_up: bool,
}

impl Face {
    /// Returns whether its host sends packets to an address into it.
    pub(super) fn leads_to(&self, address: IpAddr) -> bool {
        whole(address).is_some_and(|it| self.leads_into(&it))
    }

    /// The same of a network.
    pub(super) fn leads_into(&self, network: &Prefix) -> bool {
        self.networks.iter().any(|it| it.contains(network))
    }
}

impl End {
    fn new(on: Address, key: Option<PublicKey>, is_up: bool, get: Get<'_>) -> Self {
        let allowed = texts(get("allowed_ips")).into_iter().filter_map(|it| it.parse().ok());
        let (allowed, endpoint) = (allowed.collect(), get("endpoint"));
        Self { on, key, refers_to: None, allowed, endpoint, is_up }
    }

    /// Returns whether packets to an address go to it.
    pub(super) fn takes(&self, address: IpAddr) -> bool {
        whole(address).is_some_and(|it| self.takes_all(&it))
    }

    /// The same of a network.
    pub(super) fn takes_all(&self, network: &Prefix) -> bool {
        self.allowed.iter().any(|it| it.contains(network))
    }

    /// Returns whether packets take the same way through it.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let refers_to = self.refers_to.clone();
        *self == Self { refers_to, ..other.clone() }
    }

    /// Returns where it sends to, when that is known.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        self.endpoint.as_ref()?.as_str()?.parse().ok()
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Map {
    pub(super) faces: BTreeMap<Address, Face>,
    pub(super) ends: BTreeMap<Address, End>,
    /// None of a key that two have.
    by_key: BTreeMap<PublicKey, Option<Address>>,
    by_prefix: BTreeMap<Prefix, Vec<Address>>,
    /// By the interface that a peer is on and the one that it leads to.
    leading: BTreeMap<(Address, Address), Address>,
    /// How many peers are up on each interface, and one of them.
    up: BTreeMap<Address, (usize, Address)>,
    /// What the plan that was asked for looks at.
    pub(super) planned: BTreeSet<Address>,
}

/// From where the packets come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// From the machine that runs wgform, which is this backend.
    Here(BackendId),
    /// From somewhere else.
    Elsewhere,
}

/// One way to a backend: the peers on it, from here to there, and the interfaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Route {
    /// The peers that send, one a tunnel; none where only the interface at the far end is known.
    pub(super) hops: Vec<Address>,
    /// These and the peers at the other ends.
    pub(super) ends: BTreeSet<Address>,
    pub(super) faces: BTreeSet<Address>,
    /// The interface that has the address itself.
    pub(super) target: Option<Address>,
}

impl Route {
    /// Returns whether a resource is a part of it.
    pub(super) fn contains(&self, address: &Address) -> bool {
        self.ends.contains(address) || self.faces.contains(address)
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &Address> {
        self.faces.iter().chain(&self.ends)
    }
}

type Get<'g> = &'g dyn Fn(&str) -> Option<Json>;

impl Map {
    /// Shows what was last applied.
    pub(super) fn before(planner: &Planner<'_>) -> Self {
        let mut map = Self::default();
        for (address, record) in planner.state.resources.iter().filter(|(_, it)| !it.is_gone) {
            map.add_recorded(address, record);
        }
        map.finish()
    }

    /// Shows what there is when the plan is carried out.
    pub(super) fn after(planner: &Planner<'_>, view: &View) -> Self {
        let mut map = Self::default();
        for (address, node) in planner.nodes.iter().filter(|(it, _)| view.contains(it)) {
            map.planned.insert(address.clone());
            if node.fate != Fate::Pending {
                map.add_wanted(planner, address, node);
            }
        }
        for (address, record) in planner.state.resources.iter().filter(|(_, it)| !it.is_gone) {
            let is_planned = planner.nodes.contains_key(address) && view.contains(address);
            if !is_planned && !goes(planner, view, address, record) {
                map.add_recorded(address, record);
            }
        }
        map.finish()
    }

    fn add_recorded(&mut self, address: &Address, record: &ResourceRecord) {
        let Some(backend) = &record.backend else { return };
        let get = |name: &str| record.attributes.get(name).cloned();
        let key = public_key(&record.object);
        match &record.object {
            ObjectKey::Interface { .. } => {
                self.add_face(address, backend, key, routed(record), &get);
            }
            ObjectKey::Peer { .. } => {
                let on = get("interface").and_then(|it| it.as_str()?.parse().ok());
                let is_up = get("enabled") != Some(Json::Bool(false));
                let Some(on) = on else { return };
                let end = End::new(on, key, is_up, &get);
                self.ends.insert(address.clone(), end);
            }
            ObjectKey::PresharedKey {} => {}
        }
    }

    fn add_wanted(&mut self, planner: &Planner<'_>, address: &Address, node: &Node) {
        let Some(desired) = planner.desired.get(address) else { return };
        let record = planner.state.resources.get(address);
        let recorded = |name: &str| record.and_then(|it| it.attributes.get(name)).cloned();
        let get = |name: &str| match planner.side(desired, name) {
            Side::Known(json) => Some(json),
            Side::Unknown => Some(Json::Null),
            // A port that nobody chose stays what it is.
            Side::Unset if name == "listen_port" => recorded(name),
            Side::Unset => None,
        };
        if let (Some(on_device), Some(backend)) = (node.interface(), &node.backend) {
            let known = record.and_then(|it| public_key(&it.object));
            let kept = known.filter(|_| !on_device.key.replaces_known);
            let wanted = on_device.routes.as_ref().and_then(|it| it.wanted.as_ref());
            let routed = match wanted {
                Some(wanted) => wanted.routes.keys().map(|it| it.to).collect(),
                None => record.map(routed).unwrap_or_default(),
            };
            self.add_face(address, backend, on_device.key.public.or(kept), routed, &get);
        }
        if let Some(on_device) = node.peer() {
            let (on, key) = (on_device.on.clone(), on_device.public_key);
            let end = End::new(on, key, on_device.is_enabled, &get);
            let refers_to = planner.end(desired).and_then(|it| it.far_interface);
            self.ends.insert(address.clone(), End { refers_to, ..end });
        }
    }

    fn add_face(
        &mut self,
        address: &Address,
        backend: &BackendId,
        key: Option<PublicKey>,
        routed: BTreeSet<Prefix>,
        get: Get<'_>,
    ) {
        let addresses = ["addresses", "assign_addresses"].iter().flat_map(|it| texts(get(it)));
        let addresses: Vec<Cidr> = addresses.filter_map(|it| it.parse().ok()).collect();
        let routes = get("routes");
        let default_route = routes.as_ref().and_then(|it| it.get("default_route")?.as_bool());
        let face = Face {
            backend: backend.clone(),
            key,
            addresses: addresses.iter().map(Cidr::address).collect(),
            networks: addresses.iter().map(Cidr::prefix).chain(routed).collect(),
            port: get("listen_port").and_then(|it| it.as_u64()),
            is_up: get("enabled") != Some(Json::Bool(false)),
            takes_default: default_route == Some(true),
        };
        self.faces.insert(address.clone(), face);
    }

    /// Makes what is looked up, once everything is there.
    fn finish(mut self) -> Self {
        for (address, face) in &self.faces {
            let Some(key) = face.key else { continue };
            let owner = self.by_key.entry(key);
            owner.and_modify(|it| *it = None).or_insert_with(|| Some(address.clone()));
        }
        for (address, end) in &self.ends {
            for prefix in &end.allowed {
                self.by_prefix.entry(*prefix).or_default().push(address.clone());
            }
            if end.is_up {
                let up = self.up.entry(end.on.clone());
                up.and_modify(|it| it.0 += 1).or_insert_with(|| (1, address.clone()));
            }
        }
        let leading = self.ends.iter().filter_map(|(address, end)| {
            let (far, _) = self.far(end)?;
            Some(((end.on.clone(), far.clone()), address.clone()))
        });
        self.leading = leading.collect();
        self
    }

    /// Returns the interface at the far end of a peer.
    pub(super) fn far(&self, end: &End) -> Option<(&Address, &Face)> {
        let by_key = end.key.and_then(|it| self.by_key.get(&it)?.as_ref());
        let by_reference = || end.refers_to.as_ref().filter(|_| end.key.is_none());
        self.faces.get_key_value(by_key.or_else(by_reference)?)
    }

    /// Returns the peer at the other end of a tunnel.
    pub(super) fn twin(&self, end: &End) -> Option<(&Address, &End)> {
        let (far, _) = self.far(end)?;
        self.ends.get_key_value(self.leading.get(&(far.clone(), end.on.clone()))?)
    }

    /// Returns the peers that packets to an address may go to, those with the longest prefixes first.
    fn carriers(&self, address: IpAddr) -> impl Iterator<Item = (&Address, &End, &Face)> {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefixes = (0..=longest).rev().filter_map(move |it| Prefix::new(address, it).ok());
        let held = prefixes.filter_map(|it| Some((it, self.by_prefix.get(&it)?)));
        held.flat_map(move |(prefix, ends)| {
            ends.iter().filter_map(move |it| {
                let end = self.ends.get(it)?;
                let face = self.faces.get(&end.on)?;
                // Most have a route to everything for what comes out of the tunnel, and few send everything into it.
                let is_taken = !prefix.is_default() || face.takes_default;
                (is_taken && end.is_up && face.is_up).then_some((it, end, face))
            })
        })
    }

    /// Returns the ways to an address of a backend, with where they begin. There is none where none is known.
    pub(super) fn routes(
        &self,
        to: &BackendId,
        address: IpAddr,
        here: &[BackendId],
    ) -> (Start, Vec<Route>) {
        for from in here.iter().filter(|it| *it != to) {
            if let Some(route) = self.route_from(from, to, address) {
                return (Start::Here(from.clone()), vec![route]);
            }
        }
        (Start::Elsewhere, self.routes_elsewhere(to, address))
    }

    /// Follows the packets from a machine.
    pub(super) fn route_from(
        &self,
        from: &BackendId,
        to: &BackendId,
        address: IpAddr,
    ) -> Option<Route> {
        let (mut hops, mut at) = (Vec::new(), from);
        while hops.len() < MOST_HOPS {
            let mut carriers = self.carriers(address);
            let next = carriers.find(|(it, _, face)| face.backend == *at && !hops.contains(*it));
            let Some((hop, end, _)) = next else { break };
            hops.push(hop.clone());
            match self.far(end) {
                Some((_, far)) if far.backend != *at && far.backend != *to => at = &far.backend,
                _ => break,
            }
        }
        (!hops.is_empty()).then(|| self.route(hops, to, address))
    }

    /// Finds the last tunnel: who sends to the backend from another one; or else where its interface leads to.
    pub(super) fn routes_elsewhere(&self, to: &BackendId, address: IpAddr) -> Vec<Route> {
        let is_last = |end: &End, face: &Face| {
            face.backend != *to && self.far(end).is_some_and(|(_, far)| far.backend == *to)
        };
        let last = self.carriers(address).filter(|(_, end, face)| is_last(end, face));
        let routes: Vec<Route> =
            last.map(|(hop, _, _)| self.route(vec![hop.clone()], to, address)).collect();
        if !routes.is_empty() {
            return routes;
        }
        let own = self.own_face(to, address).map(|_| {
            let mut route = self.route(Vec::new(), to, address);
            // Of several peers nobody knows behind which one we are.
            let only = route.target.as_ref().and_then(|it| self.up.get(it));
            let only = only.filter(|(number, _)| *number == 1).map(|(_, only)| only.clone());
            route.ends.extend(only);
            route
        });
        own.into_iter().collect()
    }

    fn own_face(&self, to: &BackendId, address: IpAddr) -> Option<&Address> {
        let has = |face: &Face| face.backend == *to && face.addresses.contains(&address);
        self.faces.iter().find(|(_, face)| face.is_up && has(face)).map(|(it, _)| it)
    }

    /// Returns the way over these peers.
    pub(super) fn route(&self, hops: Vec<Address>, to: &BackendId, address: IpAddr) -> Route {
        let mut route = self.way_over(hops);
        route.target = self.own_face(to, address).cloned();
        route.faces.extend(route.target.clone());
        route
    }

    /// Returns the way over these peers, wherever it leads.
    pub(super) fn way_over(&self, hops: Vec<Address>) -> Route {
        let mut route = Route::default();
        for end in hops.iter().filter_map(|it| self.ends.get(it)) {
            route.faces.insert(end.on.clone());
            route.faces.extend(self.far(end).map(|(it, _)| it.clone()));
            route.ends.extend(self.twin(end).map(|(it, _)| it.clone()));
        }
        route.ends.extend(hops.iter().cloned());
        route.hops = hops;
        route
    }
}

/// Returns where the routes lead to that were last applied to an interface.
fn routed(record: &ResourceRecord) -> BTreeSet<Prefix> {
    let owned = record.owned_elements.get(ResourceRecord::ROUTES).into_iter().flatten();
    // A rule is no network, and a route begins with one.
    owned.filter_map(|it| it.split(' ').next()?.parse().ok()).collect()
}

/// Returns whether something that is recorded is to go from its device.
fn goes(planner: &Planner<'_>, view: &View, address: &Address, record: &ResourceRecord) -> bool {
    let waits = planner.nodes.get(address).is_some_and(|it| it.fate == Fate::Pending);
    let is_unwanted = !planner.desired.contains_key(address) || waits;
    is_unwanted
        && view.contains(address)
        && !planner.out_of_view.contains_key(address)
        && !planner.is_forgotten(address)
        && planner.out_of_reach(record.backend.as_ref()).is_none()
}

fn texts(json: Option<Json>) -> Vec<String> {
    let Some(Json::Array(items)) = json else { return Vec::new() };
    items.into_iter().filter_map(|it| Some(it.as_str()?.to_owned())).collect()
}

pub(super) fn whole(address: IpAddr) -> Option<Prefix> {
    Prefix::new(address, if address.is_ipv4() { 32 } else { 128 }).ok()
}

/// Returns how a way is told: each peer with its interface, from here to there.
pub(super) fn told(map: &Map, route: &Route) -> String {
    let hop = |it: &Address| match map.ends.get(it) {
        Some(end) => format!("{it} ({})", end.on),
        None => it.to_string(),
    };
    match (&*route.hops, &route.target) {
        ([], Some(target)) => {
            let ends = route.ends.iter().filter(|it| it.kind == Kind::Peer);
            let ends: Vec<String> = ends.map(ToString::to_string).collect();
            match &*ends {
                [] => format!("its own {target}"),
                _ => format!("its own {target}, from the far end of {}", ends.join(", ")),
            }
        }
        (hops, _) => hops.iter().map(hop).collect::<Vec<_>>().join(", then "),
    }
}
