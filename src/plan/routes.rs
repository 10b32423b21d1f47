//! The routes of each interface: what is wanted, what is there, and what stands in the way.
//!
//! A route that wgform makes has a mark of its own, so what is ours is seen on the device. The state remembers what was
//! last applied, which tells a change from drift.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value as Json;

use crate::actual::{FoundRoute, Picture};
use crate::config::{Desired, Wanted};
use crate::diagnostic::{Diagnostic, Span};
use crate::diff::{AttributeDiff, Class, Side};
use crate::persist::Style;
use crate::plan::check::span;
use crate::plan::machine::HostId;
use crate::plan::persist::Persisted;
use crate::plan::view::View;
use crate::plan::walk::interface::{OnDevice, diff_of};
use crate::plan::walk::{Device, Fate, Node, Planner};
use crate::resource::{Address, BackendId, BackendKind, Field, Kind, declaration};
use crate::state::ResourceRecord;
use crate::value::{Family, GatewayCheck, Prefix, Route, RouteMode, RouteRule, RouteTable, Routes};

/// The attribute, and what the state calls the routes that were last applied.
pub(crate) const NAME: &str = ResourceRecord::ROUTES;

/// The first number that is tried for a mark and its table; `wg-quick` starts there too.
const FIRST_MARK: u32 = 51_820;

/// How the routes of an interface come about. All of it is known when a plan is made, but for the allowed IPs of some
/// peers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recipe {
    table: u32,
    metric: Option<u32>,
    gateway: Option<IpAddr>,
    check: Option<GatewayCheck>,
    default_route: bool,
    /// The mark of the interface, and the number of the table that a default route has to itself; none when it is in
    /// the table of the other routes.
    policy: Option<u32>,
    exclude: BTreeSet<Prefix>,
    /// The networks that the interface is in by its addresses.
    connected: BTreeSet<Prefix>,
    has_ipv6: bool,
    /// The allowed IPs that are known, and whose they are.
    allowed: Vec<(Prefix, Address)>,
    /// The peers whose allowed IPs are not known yet.
    open: Vec<Address>,
}

/// The routes and rules that an interface is to have.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WantedRoutes {
    /// Each with the peer that it leads to.
    pub routes: BTreeMap<Route, Address>,
    /// What a default route needs.
    pub rules: BTreeSet<RouteRule>,
}

impl Recipe {
    /// Returns the routes; none while the allowed IPs of a peer are not known.
    pub fn wanted(&self, resources: &BTreeMap<Address, Desired>) -> Option<WantedRoutes> {
        let mut wanted = WantedRoutes::default();
        for (prefix, peer) in &self.allowed {
            self.add(prefix, peer, &mut wanted);
        }
        for peer in &self.open {
            match resources.get(peer)?.fields.get("allowed_ips")?.known()? {
                Field::Prefixes(all) => all.iter().for_each(|it| self.add(it, peer, &mut wanted)),
                _ => return None,
            }
        }
        Some(wanted)
    }

    fn add(&self, allowed: &Prefix, peer: &Address, wanted: &mut WantedRoutes) {
        let family = Family::of(allowed);
        let is_out = match allowed.is_default() {
            true => !self.default_route,
            false => {
                let is_connected = self.connected.iter().any(|it| it.contains(allowed));
                self.table == Route::MAIN && is_connected
            }
        };
        if is_out || (family == Family::V6 && !self.has_ipv6) {
            return;
        }
        let policy = self.policy.filter(|_| allowed.is_default());
        if let Some(mark) = policy {
            wanted.rules.extend([RouteRule::Main(family), RouteRule::Unmarked(family, mark)]);
        }
        let table = policy.unwrap_or(self.table);
        let gateway = self.gateway.filter(|it| it.is_ipv6() == (family == Family::V6));
        let check = gateway.and(self.check);
        for to in allowed.without(&self.exclude) {
            let route = Route::new(to, table, self.metric).through(gateway, check);
            wanted.routes.insert(route, peer.clone());
        }
    }
}

impl WantedRoutes {
    /// Returns how a plan shows them, and a state remembers them.
    pub fn texts(&self) -> BTreeSet<String> {
        let routes = self.routes.keys().map(ToString::to_string);
        routes.chain(self.rules.iter().map(ToString::to_string)).collect()
    }
}

/// What is to become of the routes of one interface.
#[derive(Debug)]
pub(crate) struct RoutePlan {
    pub(crate) recipe: Recipe,
    /// None while it is not known.
    pub(crate) wanted: Option<WantedRoutes>,
    /// Rules of ours that nobody wants any longer.
    pub(crate) old_rules: BTreeSet<RouteRule>,
}

impl RoutePlan {
    /// Returns whether there is anything that a change of the interface could lose.
    pub(crate) fn is_something(&self) -> bool {
        self.wanted.as_ref().is_none_or(|it| !it.routes.is_empty() || !it.rules.is_empty())
    }

    /// Returns whether the rules have to go before the interface loses its mark.
    pub(crate) fn drops_rules(&self) -> bool {
        !self.old_rules.is_empty() && self.wanted.as_ref().is_some_and(|it| it.rules.is_empty())
    }
}

/// Decides about the routes of everything that was asked for.
pub(crate) fn resolve(planner: &mut Planner<'_>, view: &View) {
    let mut plans = BTreeMap::new();
    let mut problems = Vec::new();
    let peers = peers_by_interface(planner);
    for address in planner.walked.iter().filter(|it| view.contains(it)) {
        let node = &planner.nodes[address];
        let Some(on_device) = node.interface() else { continue };
        if node.fate == Fate::Keep && planner.holds.on_attribute(address, NAME).is_some() {
            continue;
        }
        match recipe(planner, view, node, on_device, peers.get(address)) {
            Ok(Some(recipe)) => {
                let wanted = recipe.wanted(&BTreeMap::new());
                plans.insert(
                    address.clone(),
                    RoutePlan { recipe, wanted, old_rules: BTreeSet::new() },
                );
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    conflicts(planner, &plans, &mut problems);
    planner.diagnostics.extend(problems);
    let rules: Vec<_> = plans
        .keys()
        .map(|address| (address.clone(), old_rules(planner, address, &plans)))
        .collect();
    for (address, old) in rules {
        let Some(mut plan) = plans.remove(&address) else { continue };
        plan.old_rules = old;
        take_in(planner, &address, plan);
    }
}

type Peers<'a> = BTreeMap<Address, Vec<&'a Address>>;

/// Returns the peers of each interface: those of the configuration, and those that are only recorded.
fn peers_by_interface<'a>(planner: &'a Planner<'_>) -> Peers<'a> {
    let mut peers = Peers::new();
    for (address, node) in &planner.nodes {
        if let Some(peer) = node.peer() {
            peers.entry(peer.on.clone()).or_default().push(address);
        }
    }
    for (address, record) in &planner.state.resources {
        if address.kind == Kind::Peer
            && !planner.nodes.contains_key(address)
            && let Some(on) = recorded_interface(record)
        {
            peers.entry(on).or_default().push(address);
        }
    }
    peers
}

pub(crate) fn recorded_interface(record: &ResourceRecord) -> Option<Address> {
    record.attributes.get("interface").and_then(Json::as_str)?.parse().ok()
}

/// Puts together how the routes of an interface come about; none when that cannot be told without looking at the host.
fn recipe(
    planner: &Planner<'_>,
    view: &View,
    node: &Node,
    on_device: &OnDevice,
    peers: Option<&Vec<&Address>>,
) -> Result<Option<Recipe>, Diagnostic> {
    let desired = &planner.desired[&node.address];
    let Some(routes) = routes_of(desired)? else { return Ok(Some(Recipe::default())) };
    let Some(table) = table(planner, desired, node.backend.as_ref(), routes)? else {
        return Ok(None);
    };
    let is_router = planner.kind_of(node.backend.as_ref()) == BackendKind::RouterOs;
    let mark = desired.fields.get("fwmark").and_then(Wanted::known).filter(|_| !is_router);
    let mut recipe = Recipe {
        table,
        // A router takes 1 by itself.
        metric: routes.distance.filter(|it| !(is_router && *it == 1)),
        gateway: routes.gateway,
        check: routes.check_gateway,
        default_route: routes.default_route,
        policy: match mark {
            Some(Field::Number(mark)) if table == Route::MAIN => Some(*mark),
            _ => None,
        },
        exclude: routes.exclude.clone(),
        connected: connected(desired),
        has_ipv6: has_ipv6(desired, node, on_device),
        allowed: Vec::new(),
        open: Vec::new(),
    };
    let peers = peers.into_iter().flatten();
    peers.for_each(|peer| add_peer(planner, view, peer, on_device, &mut recipe));
    Ok(Some(recipe))
}

/// Returns what is wanted of an interface that is up; none when it is to have no routes.
fn routes_of(desired: &Desired) -> Result<Option<&Routes>, Diagnostic> {
    let is_down = desired.fields.get("enabled") == Some(&Wanted::Known(Field::Bool(false)));
    match desired.fields.get(NAME) {
        Some(Wanted::Unknown) => Err(Diagnostic::error("routes that are not known yet")
            .label(span(desired, NAME), "this depends on something that only the apply makes")
            .help("Write `routes` so that it does not depend on what the device of another resource says.")),
        Some(Wanted::Known(Field::Routes(routes)))
            if routes.mode == RouteMode::Auto && !is_down =>
        {
            Ok(Some(routes))
        }
        _ => Ok(None),
    }
}

/// Returns the number of the table; none when a name would have to be looked up on a host that was not read.
fn table(
    planner: &Planner<'_>,
    desired: &Desired,
    backend: Option<&BackendId>,
    routes: &Routes,
) -> Result<Option<u32>, Diagnostic> {
    let name = match &routes.table {
        RouteTable::Number(number) => return Ok(Some(*number)),
        RouteTable::Name(name) => name,
    };
    let Some(picture) = backend.and_then(|it| planner.picture(it)) else { return Ok(None) };
    let names = &picture.routing.table_names;
    let number = names.get(name).copied();
    let mut known: Vec<_> = names.keys().map(|name| format!("`{name}`")).collect();
    known.sort();
    let problem = || {
        Diagnostic::error("unknown routing table")
            .label(span(desired, NAME), format!("the host has no routing table `{name}`"))
            .help(match picture.kind {
                BackendKind::RouterOs => format!(
                    "Make it in `/routing/table` of the router, with `fib`. The router knows {}.",
                    known.join(", ")
                ),
                BackendKind::Local | BackendKind::Linux | BackendKind::PfSense => format!(
                    "Give it a name in `/etc/iproute2/rt_tables` of the host, or write its number. The host knows {}.",
                    known.join(", ")
                ),
            })
    };
    number.map(Some).ok_or_else(problem)
}

/// Returns whether the link can have IPv6, which needs packets of at least 1280 bytes.
fn has_ipv6(desired: &Desired, node: &Node, on_device: &OnDevice) -> bool {
    let found = on_device.found.as_ref().and_then(|it| it.get("mtu")?.as_u64());
    let stays = node.fate == Fate::Keep
        && !node.diffs.iter().any(|it| it.attribute.name == "mtu" && it.is_write());
    let mtu = match desired.fields.get("mtu").and_then(Wanted::known) {
        Some(Field::Number(mtu)) => Some(u64::from(*mtu)),
        _ => found.filter(|_| stays),
    };
    mtu.is_none_or(|mtu| mtu >= 1280)
}

fn connected(desired: &Desired) -> BTreeSet<Prefix> {
    match desired.fields.get("addresses") {
        Some(Wanted::Known(Field::Addresses(all))) => all.iter().map(|it| it.prefix()).collect(),
        _ => BTreeSet::new(),
    }
}

/// Adds the allowed IPs of a peer: as they are wanted, or as they were last applied when the peer was not asked for.
fn add_peer(
    planner: &Planner<'_>,
    view: &View,
    peer: &Address,
    on_device: &OnDevice,
    recipe: &mut Recipe,
) {
    let node = planner.nodes.get(peer);
    if let Some(node) = node.filter(|_| view.contains(peer)) {
        let is_enabled = node.peer().is_some_and(|it| it.is_enabled);
        if node.fate == Fate::Pending || !is_enabled {
            return;
        }
        let desired = &planner.desired[peer];
        let record = planner.state.resources.get(peer);
        match desired.fields.get("allowed_ips") {
            // Whoever trimmed them has not asked for fewer routes.
            _ if desired.held.contains("allowed_ips") => {
                recipe.allowed.extend(recorded_allowed(record, peer));
            }
            Some(Wanted::Known(Field::Prefixes(all))) => {
                recipe.allowed.extend(all.iter().map(|it| (*it, peer.clone())));
            }
            _ => recipe.open.push(peer.clone()),
        }
        return;
    }
    let is_held = planner.held_back.contains_key(peer) || planner.holds.on(peer).is_some();
    let is_left_out = || is_held || planner.left_out.values().any(|it| it.contains(peer));
    let goes = node.is_none() && view.contains(peer) && !is_left_out();
    let Some(record) = planner.state.resources.get(peer).filter(|_| !goes) else { return };
    let is_disabled = record.attributes.get("enabled") == Some(&Json::Bool(false));
    // One that is made anew has none but the peers that are made on it.
    if is_disabled || on_device.old.is_none() {
        return;
    }
    recipe.allowed.extend(recorded_allowed(Some(record), peer));
}

/// Returns the allowed IPs that a peer was last given.
fn recorded_allowed(record: Option<&ResourceRecord>, peer: &Address) -> Vec<(Prefix, Address)> {
    let all = record.and_then(|it| it.attributes.get("allowed_ips")).and_then(Json::as_array);
    let all = all.into_iter().flatten().filter_map(|it| it.as_str()?.parse().ok());
    all.map(|it| (it, peer.clone())).collect()
}

/// Chooses the firewall mark of an interface with a default route when the configuration names none: the one that it
/// has, or one that nobody on the host uses.
pub(crate) fn mark(
    planner: &Planner<'_>,
    desired: &Desired,
    record: Option<&ResourceRecord>,
    picture: Option<&Picture>,
    name: &str,
) -> Option<u32> {
    if planner.kind_of(desired.backend.as_ref()) == BackendKind::RouterOs {
        return None;
    }
    let routes = routes_of(desired).ok()??;
    let is_unset = desired.fields.get("fwmark") == Some(&Wanted::Known(Field::Number(0)));
    if !routes.default_route || routes.table != RouteTable::MAIN || !is_unset {
        return None;
    }
    let of_field = |field: Option<&Field>| match field {
        Some(Field::Number(mark)) if *mark != 0 => Some(*mark),
        _ => None,
    };
    let recorded = record.and_then(|it| it.attributes.get("fwmark")?.as_u64());
    let recorded = recorded.and_then(|it| u32::try_from(it).ok()).filter(|it| *it != 0);
    let interfaces = || picture.into_iter().flat_map(|it| &it.interfaces);
    let own = interfaces().find(|(it, _)| *it == name);
    let own = own.and_then(|(_, found)| of_field(found.fields.get("fwmark")));
    let mut taken: BTreeSet<u32> =
        interfaces().filter_map(|(_, found)| of_field(found.fields.get("fwmark"))).collect();
    let wanted = planner.desired.values().filter_map(|it| it.fields.get("fwmark")?.known());
    taken.extend(wanted.filter_map(|it| of_field(Some(it))));
    taken.extend(picture.iter().flat_map(|it| it.routing.routes.keys().map(|route| route.table)));
    recorded.or(own).or_else(|| (FIRST_MARK..).find(|mark| !taken.contains(mark)))
}

/// Reports what two interfaces cannot both have, and what somebody else has.
fn conflicts(
    planner: &Planner<'_>,
    plans: &BTreeMap<Address, RoutePlan>,
    problems: &mut Vec<Diagnostic>,
) {
    type Taken<'a> = (&'a Address, &'a Address);
    let mut routes: BTreeMap<(HostId<'_>, Route), Taken<'_>> = BTreeMap::new();
    let mut defaults: BTreeMap<HostId<'_>, &Address> = BTreeMap::new();
    for (address, plan) in plans {
        let Some(wanted) = &plan.wanted else { continue };
        let Some(backend) = planner.nodes[address].backend.as_ref() else { continue };
        let host = planner.host_of(backend);
        for (route, peer) in &wanted.routes {
            // Whom it leads to does not make it another one.
            let key = (host, route.through(None, None));
            if let Some(other) = routes.insert(key, (address, peer)) {
                problems.push(one_route(planner, route, (address, peer), other));
            }
            problems.extend(foreign(planner, backend, address, route, peer));
        }
        if !wanted.rules.is_empty()
            && let Some(other) = defaults.insert(host, address)
        {
            let at = |it: &Address| span(&planner.desired[it], NAME).clone();
            let text =
                |it: &Address| format!("what nothing else is for goes into the tunnel of `{it}`");
            problems.push(
                Diagnostic::error("two default routes on one host")
                    .label(&at(address), text(address))
                    .label(&at(other), text(other))
                    .help("Only one can. Set `default_route = false` on one of them, or give it a `table` of its own."),
            );
        }
    }
}

fn one_route(
    planner: &Planner<'_>,
    route: &Route,
    (interface, peer): (&Address, &Address),
    (other_interface, other_peer): (&Address, &Address),
) -> Diagnostic {
    let text = |it: &Address| format!("`{route}` leads to `{it}`");
    Diagnostic::error("one route to two interfaces")
        .label(&place(planner, interface, peer), text(interface))
        .label(&place(planner, other_interface, other_peer), text(other_interface))
        .help(
            "Give `routes` of one of the interfaces another `distance` or `table`, or leave the network out with `exclude`.",
        )
}

/// Returns where an allowed IP is written.
fn place(planner: &Planner<'_>, interface: &Address, peer: &Address) -> Span {
    match planner.desired.get(peer) {
        Some(desired) => span(desired, "allowed_ips").clone(),
        None => span(&planner.desired[interface], NAME).clone(),
    }
}

/// A route of somebody else that leads elsewhere would make the write fail.
fn foreign(
    planner: &Planner<'_>,
    backend: &BackendId,
    address: &Address,
    route: &Route,
    peer: &Address,
) -> Option<Diagnostic> {
    let routes = &planner.picture(backend)?.routing.routes;
    let found = routes.get(route).or_else(|| routes.get(&route.through(None, None)));
    let FoundRoute { device, is_marked } = found?;
    let device = device.as_deref();
    let is_owned = |it: &str| planner.owners.interface(backend, it).is_some();
    let is_own = device.is_some_and(|it| names(&planner.nodes[address]).contains(&it));
    if is_own || (*is_marked && device.is_some_and(is_owned)) {
        return None;
    }
    let place = place(planner, address, peer);
    let leads = match device {
        Some(device) => format!("`{route}` leads to `{device}` on backend `{backend}` now"),
        None => format!("there is a route `{route}` on backend `{backend}` already"),
    };
    Some(Diagnostic::error("route of somebody else").label(&place, leads).help(format!(
        "It was not made for this configuration. Set another `distance` or `table` in `routes` of `{address}`, or leave \
         the network out with `exclude`."
    )))
}

/// Returns the names that an interface has, and is to have.
fn names(node: &Node) -> Vec<&str> {
    let Some(on_device) = node.interface() else { return Vec::new() };
    let old = on_device.old.as_ref().filter(|old| Some(&old.backend) == node.backend.as_ref());
    old.map(|old| old.name.as_str()).into_iter().chain([on_device.name.as_str()]).collect()
}

/// Returns the rules of ours on the host that an interface had and nobody wants any longer.
fn old_rules(
    planner: &Planner<'_>,
    address: &Address,
    plans: &BTreeMap<Address, RoutePlan>,
) -> BTreeSet<RouteRule> {
    let node = &planner.nodes[address];
    let wanted = plans.iter().filter(|(it, _)| planner.nodes[*it].backend == node.backend);
    let wanted = wanted.filter_map(|(_, plan)| plan.wanted.as_ref());
    let wanted: BTreeSet<RouteRule> = wanted.flat_map(|it| it.rules.iter().copied()).collect();
    let record = planner.state.resources.get(address);
    match record.is_some_and(|it| it.backend == node.backend) {
        true => &recorded_rules(planner, address) - &wanted,
        // They are on the host that it leaves.
        false => BTreeSet::new(),
    }
}

/// Returns the rules on the host that were last applied for an interface.
pub(crate) fn recorded_rules(planner: &Planner<'_>, address: &Address) -> BTreeSet<RouteRule> {
    let record = planner.state.resources.get(address);
    let picture = record.and_then(|it| it.backend.as_ref()).and_then(|it| planner.picture(it));
    let owned = record.and_then(|it| it.owned_elements.get(NAME));
    let (Some(picture), Some(owned)) = (picture, owned) else { return BTreeSet::new() };
    // networkd marks what it makes from our files as its own.
    let by_networkd = record.and_then(|it| Persisted::of(&it.attributes));
    let by_networkd = by_networkd.is_some_and(|it| it.style == Style::Networkd);
    let rules = picture.routing.rules.iter();
    let ours = || rules.clone().filter(|(_, is_marked)| **is_marked || by_networkd);
    let is_owned = |rule: &RouteRule| owned.contains(&rule.to_string());
    // A rule of the main table serves whoever has a default route.
    let is_shared = |rule: &RouteRule| {
        matches!(rule, RouteRule::Main(_))
            && ours().any(|(other, _)| {
                let is_unmarked = matches!(other, RouteRule::Unmarked(..));
                is_unmarked && other.family() == rule.family() && !is_owned(other)
            })
    };
    ours().map(|(rule, _)| *rule).filter(|rule| is_owned(rule) && !is_shared(rule)).collect()
}

/// Makes the plan of an interface's routes part of what is known of it.
fn take_in(planner: &mut Planner<'_>, address: &Address, plan: RoutePlan) {
    let diff = difference(planner, address, &plan);
    let interrupted = planner.interrupted.contains(address);
    let Some(node) = planner.nodes.get_mut(address) else { return };
    node.diffs.retain(|it| it.attribute.name != NAME);
    if let Some(mut diff) = diff {
        if interrupted && diff.class == Class::Drift {
            diff.class = Class::Change;
        }
        let all = declaration::attributes(Kind::Interface);
        let at = |diff: &AttributeDiff| all.iter().position(|it| it.name == diff.attribute.name);
        let place = node.diffs.iter().position(|it| at(it) > at(&diff));
        node.diffs.insert(place.unwrap_or(node.diffs.len()), diff);
    }
    if let Device::Interface(on_device) = &mut node.device {
        on_device.routes = Some(plan);
    }
    planner.settle_reason(address);
}

/// Compares the routes that are wanted with those that are there; nothing when there are none.
fn difference(planner: &Planner<'_>, address: &Address, plan: &RoutePlan) -> Option<AttributeDiff> {
    let node = &planner.nodes[address];
    let record = planner.state.resources.get(address);
    let owned = record.and_then(|it| it.owned_elements.get(NAME)).cloned().unwrap_or_default();
    let found = found(planner, node, plan, &owned);
    let json = |set: &BTreeSet<String>| Json::from(set.iter().cloned().collect::<Vec<_>>());
    let before = (node.fate != Fate::Create).then(|| json(&found));
    let Some(wanted) = plan.wanted.as_ref().map(WantedRoutes::texts) else {
        return Some(diff_of(NAME, before, Side::Unknown, Class::Change));
    };
    let class = match (wanted == found, wanted == owned) {
        (true, true) => Class::Same,
        (true, false) => Class::AlreadySo,
        (false, true) if node.fate == Fate::Keep => Class::Drift,
        (false, _) => Class::Change,
    };
    let is_nothing = wanted.is_empty() && found.is_empty();
    (!is_nothing).then(|| diff_of(NAME, before, Side::Known(json(&wanted)), class))
}

/// Returns the routes and rules of ours that are there, and those of somebody else that are as wanted.
fn found(
    planner: &Planner<'_>,
    node: &Node,
    plan: &RoutePlan,
    owned: &BTreeSet<String>,
) -> BTreeSet<String> {
    let Some(picture) = node.backend.as_ref().and_then(|it| planner.picture(it)) else {
        return owned.clone();
    };
    if node.fate == Fate::Keep && is_only_down(planner, node) {
        return owned.clone();
    }
    let names = names(node);
    let none = WantedRoutes::default();
    let wanted = plan.wanted.as_ref().unwrap_or(&none);
    let routing = &picture.routing;
    let routes = routing.all().filter(|(route, found)| {
        let leads_here = found.device.as_deref().is_some_and(|it| names.contains(&it));
        leads_here && (found.is_marked || wanted.routes.contains_key(*route))
    });
    let routes = routes.map(|(route, _)| route.to_string());
    let rules = routing.rules.keys();
    let rules = rules.filter(|it| wanted.rules.contains(it) || plan.old_rules.contains(it));
    routes.chain(rules.map(ToString::to_string)).collect()
}

/// Returns which of the routes and rules that were last applied to an interface are there.
pub(crate) fn left_of(record: &ResourceRecord, name: &str, picture: &Picture) -> BTreeSet<String> {
    let routing = &picture.routing;
    let here = routing.all().filter(|(_, found)| found.device.as_deref() == Some(name));
    let there: BTreeSet<String> = here
        .map(|(route, _)| route.to_string())
        .chain(routing.rules.keys().map(ToString::to_string))
        .collect();
    let owned = record.owned_elements.get(NAME).into_iter().flatten();
    owned.filter(|it| there.contains(*it)).cloned().collect()
}

/// A link that somebody set down has lost its routes; they come back when it is brought up.
fn is_only_down(planner: &Planner<'_>, node: &Node) -> bool {
    let is_down = Some(&Json::Bool(false));
    let found = node.interface().and_then(|it| it.found.as_ref());
    let record = planner.state.resources.get(&node.address);
    let wanted = planner.desired[&node.address].fields.get("enabled");
    found.is_some_and(|it| it.get("enabled") == is_down)
        && record.is_some_and(|it| it.attributes.get("enabled") != is_down)
        && wanted != Some(&Wanted::Known(Field::Bool(false)))
}
