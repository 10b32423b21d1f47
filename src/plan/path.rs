//! The management path: which tunnels carry the addresses at which backends are reached, and what a plan does to them.
//!
//! It is known from what was last applied and from the configuration, without a device. An address of a backend is looked
//! for in the allowed IPs of the peers on the machine that runs wgform, and followed from tunnel to tunnel; where nothing
//! there takes it, in those of the peers whose far end is on the backend, and among the addresses of its own interfaces.
//! `reached_through` says it where that is wrong. Where nothing is known, nothing is said.
//!
//! Not looked at: routes that wgform did not make, and tunnels that it does not manage.

mod cut;
mod map;

use std::collections::BTreeSet;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{BackendDeclaration, Named, Transport};
use crate::diagnostic::Diagnostic;
use crate::plan::path::cut::{Compared, Cut};
use crate::plan::path::map::{Map, Route, Start, told};
use crate::plan::view::View;
use crate::plan::walk::Planner;
use crate::plan::{Limits, Refusal};
use crate::resource::pattern::in_shell;
use crate::resource::{Address, BackendId, BackendKind, InstanceKey};

/// How a backend is reached, as far as packets are concerned.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// The hosts that are sent to: the system itself, and those that an SSH connection goes through.
    pub hosts: Vec<Destination>,
    /// The peers through which it is reached, where the configuration says so.
    pub through: Option<Vec<Named>>,
    /// Whether it is the machine that runs wgform, with its own network.
    pub is_here: bool,
    /// Whether the configuration has it.
    pub is_declared: bool,
}

/// A host that is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// As it is written.
    pub name: String,
    /// Its addresses; none while they are not known.
    pub addresses: Vec<IpAddr>,
}

impl Reach {
    /// Returns what a declaration says. A name has no address until somebody resolves it.
    pub fn of(declaration: &BackendDeclaration) -> Self {
        let hosts = match &declaration.transport {
            Transport::Local { .. } => Vec::new(),
            Transport::Ssh { ssh, .. } => {
                let hosts = ssh.jump.iter().map(|it| it.host.as_str());
                hosts.chain([ssh.host.as_str()]).map(Destination::of).collect()
            }
            Transport::RouterOs(router) => vec![Destination::of(host_of(&router.api_url))],
            Transport::PfSense(firewall) => vec![Destination::of(host_of(&firewall.api_url))],
        };
        let is_here = declaration.kind == BackendKind::Local
            && matches!(&declaration.transport, Transport::Local { netns: None, .. });
        Self {
            hosts,
            through: declaration.reached_through.clone(),
            is_here,
            is_declared: declaration.span.is_some(),
        }
    }
}

impl Destination {
    fn of(host: &str) -> Self {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse();
        Self { name: host.to_owned(), addresses: address.into_iter().collect() }
    }

    fn told(&self) -> String {
        let name = self.name.trim_start_matches('[').trim_end_matches(']');
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        match &*addresses {
            [] => name.to_owned(),
            [only] if only == name => name.to_owned(),
            addresses => format!("{name} ({})", addresses.join(", ")),
        }
    }
}

/// Returns the host of a URL, without its port; an IPv6 address in its brackets.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// What a plan does to the way to a backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PathChange {
    /// To which.
    pub backend: BackendId,
    /// How it is reached, as a sentence without a final period.
    pub path: String,
    /// What is done to the parts of that, as clauses.
    pub changes: Vec<String>,
    /// What becomes of the way.
    pub fate: PathFate,
}

/// What becomes of the way to a backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PathFate {
    /// It would be cut, and the plan is refused.
    Refused,
    /// It is cut, and the user said that it may be.
    Allowed,
    /// It is cut when everything on the backend is done, which the configuration no longer has.
    LeftBehind,
    /// It stays, because the far end is changed first.
    FarEndFirst,
    /// It is cut when another one is there, which is told.
    NewWayFirst(String),
}

/// A way that a plan would cut, or would have to be careful about.
#[derive(Debug)]
pub(crate) struct Endangered {
    change: PathChange,
    pub(crate) order: Precedence,
}

/// Which steps come first, so that a way stays as long as it is needed.
#[derive(Debug)]
pub(crate) struct Precedence {
    pub(crate) backend: BackendId,
    /// Everything on the backend comes first, or what is done to these resources.
    pub(crate) first: Option<BTreeSet<Address>>,
    /// What comes after that.
    pub(crate) then: BTreeSet<Address>,
    /// Whether the second is not done when the first fails.
    pub(crate) is_condition: bool,
}

/// Finds the backends whose way the plan touches.
pub(crate) fn endangered(planner: &mut Planner<'_>, view: &View) -> Vec<Endangered> {
    let Some(limits) = planner.options.limits.clone() else { return Vec::new() };
    let is_known = |reach: &Reach| {
        reach.through.is_some() || reach.hosts.iter().any(|it| !it.addresses.is_empty())
    };
    if !planner.views.values().any(|it| is_known(&it.reach)) {
        return Vec::new();
    }
    let (before, after) = (Map::before(planner), Map::after(planner, view));
    let here = planner.views.iter().filter(|(_, it)| it.reach.is_here);
    let here: Vec<BackendId> = here.map(|(id, _)| id.clone()).collect();
    let mut endangered = Vec::new();
    let mut warnings = Vec::new();
    for (id, view) in planner.views.iter().filter(|(_, it)| is_known(&it.reach)) {
        let compared = Compared { planner: &*planner, before: &before, after: &after, to: id };
        let search = Search { compared, id, reach: &view.reach, here: &here };
        warnings.extend(search.misnamed());
        endangered.extend(search.change(&limits));
    }
    planner.warnings.extend(warnings);
    endangered
}

/// Says what becomes of each way, once it is known whose order could not be kept.
pub(crate) fn judge(
    endangered: Vec<Endangered>,
    disordered: &BTreeSet<BackendId>,
) -> (Vec<PathChange>, Vec<Refusal>) {
    let (mut changes, mut refusals) = (Vec::new(), Vec::new());
    for Endangered { mut change, order } in endangered {
        let is_by_order = matches!(change.fate, PathFate::FarEndFirst | PathFate::NewWayFirst(_));
        if is_by_order && disordered.contains(&order.backend) {
            change.fate = PathFate::Refused;
        }
        if change.fate == PathFate::Refused {
            refusals.push(locked_out(&change));
        }
        changes.push(change);
    }
    (changes, refusals)
}

fn locked_out(change: &PathChange) -> Refusal {
    let PathChange { backend, path, changes, fate: _ } = change;
    Refusal {
        message: format!("{path}, and the plan would cut that: {}", changes.join(", ")),
        hints: vec![
            format!(
                "say `-allow-lockout={}` if there is another way to it, or leave the change out with `-exclude`",
                in_shell(backend.as_str())
            ),
            format!(
                "if it is reached in another way, say how in its block: `reached_through = [peer.NAME]`, or `[]` for no \
                 tunnel of this configuration"
            ),
        ],
    }
}

/// One backend that is reached somehow.
struct Search<'a> {
    compared: Compared<'a>,
    id: &'a BackendId,
    reach: &'a Reach,
    here: &'a [BackendId],
}

/// The ways to one address, all of which are touched.
struct Touched {
    told: String,
    cuts: Vec<Cut>,
    /// Another way that is there by then, with its parts.
    new: Option<(String, BTreeSet<Address>)>,
}

impl Search<'_> {
    /// Says that `reached_through` names something that is nowhere.
    fn misnamed(&self) -> Vec<Diagnostic> {
        let named = self.reach.through.iter().flatten();
        let Compared { planner, before, .. } = &self.compared;
        let is_there = |named: &Named| {
            let known = before.ends.keys().chain(&planner.configured);
            known.into_iter().any(|it| named.pattern.matches(it, []))
        };
        let missing = named.filter(|it| !is_there(it));
        missing.map(|it| names_nothing(it, "no such peer, so no way is guarded by this")).collect()
    }

    fn change(&self, limits: &Limits) -> Option<Endangered> {
        let touched = match self.stated() {
            Some(route) => self.touched_route(&route, None).map(|it| (None, it)),
            None => self.touched_host(),
        };
        let (host, Touched { told, cuts, new }) = touched?;
        let at = host.map(|it| format!(" at {it}")).unwrap_or_default();
        let path = format!("backend.{} is reached{at} through {told}", self.id);
        let is_kept = cuts.iter().all(|it| it.is_kept_by_order);
        let fate = match &new {
            _ if is_kept => PathFate::FarEndFirst,
            Some((told, _)) => PathFate::NewWayFirst(told.clone()),
            None if limits.allow_lockout.contains(self.id) => PathFate::Allowed,
            None if !self.reach.is_declared => PathFate::LeftBehind,
            None => PathFate::Refused,
        };
        let is_condition = matches!(fate, PathFate::FarEndFirst | PathFate::NewWayFirst(_));
        let first = new.map(|(_, parts)| parts).filter(|_| !is_kept);
        let then: BTreeSet<Address> = cuts.iter().map(|it| it.part.clone()).collect();
        let order = Precedence { backend: self.id.clone(), first, then, is_condition };
        let changes = cuts.into_iter().map(|it| it.what).collect();
        let change = PathChange { backend: self.id.clone(), path, changes, fate };
        Some(Endangered { change, order })
    }

    /// Returns the way that the configuration states; none where it states none, or one that is not there yet.
    fn stated(&self) -> Option<Route> {
        let named = self.reach.through.as_ref()?;
        let before = self.compared.before;
        let is_meant = |address: &Address| named.iter().any(|it| self.means(it, address));
        let hops: Vec<Address> = before.ends.keys().filter(|it| is_meant(it)).cloned().collect();
        (named.is_empty() || !hops.is_empty()).then(|| before.way_over(hops))
    }

    /// Of a repeated peer, a backend with a key means the one with its own key, unless it says which.
    fn means(&self, named: &Named, address: &Address) -> bool {
        if !named.pattern.matches(address, []) {
            return false;
        }
        let is_block = named.pattern.to_string() == crate::resource::pattern::block(address);
        let own = self.id.key();
        let key = address.key().filter(|_| is_block);
        key.is_none_or(|key: &InstanceKey| own.as_ref().is_none_or(|own| own == key))
    }

    /// Returns what is done to the way to the first host of which all ways are touched.
    fn touched_host(&self) -> Option<(Option<String>, Touched)> {
        let hosts = self.reach.hosts.iter();
        hosts.filter_map(|it| Some((Some(it.told()), self.touched(it)?))).next()
    }

    fn touched(&self, host: &Destination) -> Option<Touched> {
        let mut all: Vec<Touched> = Vec::new();
        for address in &host.addresses {
            let (from, routes) = self.compared.before.routes(self.id, *address, self.here);
            if routes.is_empty() {
                return None;
            }
            for route in &routes {
                let mut touched = self.touched_route(route, Some(*address))?;
                touched.new = self.new_way(&from, *address, route);
                all.push(touched);
            }
        }
        // A way that stays, or that order keeps, is enough.
        let is_kept = |it: &Touched| it.cuts.iter().all(|cut| cut.is_kept_by_order);
        let best = all.iter().position(is_kept);
        let best = best.or_else(|| all.iter().position(|it| it.new.is_some()));
        (!all.is_empty()).then(|| all.swap_remove(best.unwrap_or(0)))
    }

    fn touched_route(&self, route: &Route, address: Option<IpAddr>) -> Option<Touched> {
        let cuts = self.compared.cuts(route, address);
        let told = told(self.compared.before, route);
        (!cuts.is_empty()).then_some(Touched { told, cuts, new: None })
    }

    /// Returns another way that is there when the plan is carried out, and needs nothing of what is cut.
    fn new_way(
        &self,
        from: &Start,
        address: IpAddr,
        old: &Route,
    ) -> Option<(String, BTreeSet<Address>)> {
        let Compared { before, after, .. } = &self.compared;
        let routes = match from {
            Start::Here(here) => after.route_from(here, self.id, address).into_iter().collect(),
            Start::Elsewhere => after.routes_elsewhere(self.id, address),
        };
        // A tunnel of which one end goes is no other way.
        let is_old = |route: &Route| route.hops.iter().any(|it| old.contains(it));
        let comes_through = |route: &&Route| {
            !route.hops.is_empty()
                && !is_old(route)
                && self.compared.cuts(route, Some(address)).is_empty()
                && route.ends.iter().all(|it| after.ends.contains_key(it))
        };
        let route = routes.iter().find(comes_through)?;
        let is_new = |it: &&Address| {
            let is_same_end = match (before.ends.get(*it), after.ends.get(*it)) {
                (Some(before), Some(after)) => before.is_same(after),
                (before, after) => before.is_none() && after.is_none(),
            };
            !is_same_end || before.faces.get(*it) != after.faces.get(*it)
        };
        let parts = route.parts().filter(is_new).cloned().collect();
        Some((told(after, route), parts))
    }
}

/// Says that an argument which names resources names none.
pub(crate) fn names_nothing(named: &Named, label: &str) -> Diagnostic {
    Diagnostic::warning("address that names nothing")
        .label(&named.span, label)
        .help("Correct the address, or remove it from the list.")
}

#[cfg(test)]
mod tests {
    use crate::plan::path::{Destination, host_of};

    #[test]
    fn the_host_of_a_url_is_without_its_scheme_its_port_and_its_path() {
        for (url, host) in [
            ("https://10.8.0.2", "10.8.0.2"),
            ("https://10.8.0.2:8443/rest", "10.8.0.2"),
            ("http://[2001:db8::1]:80/rest", "[2001:db8::1]"),
            ("https://[2001:db8::1]", "[2001:db8::1]"),
            ("https://fw.example.com/x:1", "fw.example.com"),
        ] {
            assert_eq!(host_of(url), host);
        }
    }

    #[test]
    fn a_name_has_no_address_of_its_own() {
        assert_eq!(Destination::of("fw.example.com").addresses, Vec::<std::net::IpAddr>::new());
        let address = Destination::of("[2001:db8::1]");
        assert_eq!(address.addresses, ["2001:db8::1".parse::<std::net::IpAddr>().unwrap()]);
        assert_eq!(address.told(), "2001:db8::1");
    }
}
