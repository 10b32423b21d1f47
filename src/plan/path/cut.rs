//! What a plan does to the parts of a way, and whether packets still come through.

use std::net::IpAddr;

use crate::plan::path::map::{End, Face, Map, Route, whole};
use crate::plan::walk::{Fate, Planner};
use crate::resource::{Address, BackendId};
use crate::value::Prefix;

/// What is done to one part of a way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    /// To which.
    pub(super) part: Address,
    /// What, as `peer.x is destroyed`.
    pub(super) what: String,
    /// Whether nothing is lost when the far end is changed first.
    pub(super) is_kept_by_order: bool,
}

/// A way before and after.
pub(super) struct Compared<'a> {
    pub(super) planner: &'a Planner<'a>,
    pub(super) before: &'a Map,
    pub(super) after: &'a Map,
    /// To which backend.
    pub(super) to: &'a BackendId,
}

impl Compared<'_> {
    /// Returns what is done to a way to an address; nothing when packets come through as before.
    pub(super) fn cuts(&self, route: &Route, address: Option<IpAddr>) -> Vec<Cut> {
        let mut cuts = Vec::new();
        for face in &route.faces {
            cuts.extend(self.of_face(route, face, address));
        }
        for end in &route.ends {
            cuts.extend(self.of_end(route, end, address));
        }
        cuts
    }

    fn of_face(&self, route: &Route, at: &Address, address: Option<IpAddr>) -> Option<Cut> {
        let before = self.before.faces.get(at)?;
        let Some(after) = self.after.faces.get(at) else { return Some(cut(at, "is destroyed")) };
        if self.is_replaced(at) {
            return Some(cut(at, "is replaced"));
        }
        if before.backend != after.backend {
            return Some(cut(at, "moves to another backend"));
        }
        if let Some(renamed) = self.of_name(at, before) {
            return Some(renamed);
        }
        if before.is_up && !after.is_up {
            return Some(cut(at, "is taken down"));
        }
        if before.key != after.key {
            return Some(cut(at, "gets another key"));
        }
        let target = address.filter(|_| route.target.as_ref() == Some(at));
        if let Some(address) = target.filter(|it| !after.addresses.contains(it)) {
            return Some(cut(at, &format!("gives up {address}")));
        }
        self.of_networks(route, at, address)
            .or_else(|| self.of_way_back(route, at, address))
            .or_else(|| self.of_source(route, at, address))
            .or_else(|| self.of_port(route, at, before, after))
    }

    /// A Linux link goes down for another name, and its routes are written when it is up again: who comes through it to do
    /// that is cut off. On the machine that runs wgform nobody does.
    fn of_name(&self, at: &Address, before: &Face) -> Option<Cut> {
        let node = self.planner.nodes.get(at).filter(|_| self.after_is_planned(at))?;
        node.interface()?.renamed_from().filter(|_| node.fate == Fate::Keep)?;
        let view = self.planner.views.get(&before.backend)?;
        let goes_down = !view.kind.keeps_configuration() && !view.reach.is_here;
        goes_down.then(|| cut(at, "is renamed, for which it goes down"))
    }

    /// The host of a peer that sends finds the tunnel by a route of ours, or by the network that the interface is in.
    fn of_networks(&self, route: &Route, at: &Address, address: Option<IpAddr>) -> Option<Cut> {
        let (before, after) = (&self.before.faces[at], &self.after.faces[at]);
        let address = address.filter(|it| before.leads_to(*it) && !after.leads_to(*it))?;
        let sends = |it: &Address| self.before.ends.get(it).is_some_and(|end| end.on == *at);
        let what = format!("no longer has a route to {address}");
        route.hops.iter().any(sends).then(|| cut(at, &what))
    }

    /// The same of the answers, on the host of a peer that they go to.
    fn of_way_back(&self, route: &Route, at: &Address, address: Option<IpAddr>) -> Option<Cut> {
        let (before, after) = (&self.before.faces[at], &self.after.faces[at]);
        let ends = route.ends.iter().filter(|it| self.answers(route, it));
        let kept =
            ends.filter_map(|it| Some((it, self.before.ends.get(it)?, self.after.ends.get(it)?)));
        let lost = kept.filter(|(_, end, _)| end.on == *at).find_map(|(_, end, new)| {
            let mut sources = self.sources(route, end, address).into_iter();
            // What it does not take any longer is said of the peer.
            sources.find(|it| before.leads_into(it) && !after.leads_into(it) && new.takes_all(it))
        })?;
        Some(cut(at, &format!("no longer has a route back to {}", told(&lost))))
    }

    /// Returns whether a peer is one that answers go to.
    fn answers(&self, route: &Route, at: &Address) -> bool {
        let is_there =
            |end: &End| self.before.faces.get(&end.on).is_some_and(|face| face.backend == *self.to);
        !route.hops.contains(at) || self.before.ends.get(at).is_some_and(is_there)
    }

    /// Returns where packets come from that a peer takes: from the first interface and from the next one. Where nobody
    /// manages those, it can be anywhere that the peer takes packets from.
    fn sources(&self, route: &Route, end: &End, address: Option<IpAddr>) -> Vec<Prefix> {
        let face = |it: &End| self.before.faces.get(&it.on);
        let first = route.hops.first().and_then(|it| face(self.before.ends.get(it)?));
        let first = first.filter(|it| it.backend != *self.to);
        let next = self.before.far(end).map(|(_, face)| face);
        if first.is_none() && next.is_none() {
            return end.allowed.iter().copied().collect();
        }
        let all = first.into_iter().chain(next).flat_map(|it| &it.addresses);
        let is_of_family =
            |it: &&IpAddr| address.is_none_or(|other| other.is_ipv4() == it.is_ipv4());
        all.filter(is_of_family)
            .filter_map(|it| whole(*it))
            .filter(|it| end.takes_all(it))
            .collect()
    }

    /// Packets begin with an address of the first interface, which the far end drops when it has it in no allowed IPs.
    fn of_source(&self, route: &Route, at: &Address, address: Option<IpAddr>) -> Option<Cut> {
        let first = route.hops.first()?;
        let (before, after) = (&self.before.faces[at], &self.after.faces[at]);
        let was = self.before.ends.get(first).filter(|it| it.on == *at)?;
        let (_, twin) = self.before.twin(was)?;
        let (_, new_twin) = self.after.twin(self.after.ends.get(first)?)?;
        let is_of_family =
            |it: &&IpAddr| address.is_none_or(|other| other.is_ipv4() == it.is_ipv4());
        let mut lost = before.addresses.difference(&after.addresses).filter(is_of_family);
        let lost = lost.find(|it| twin.takes(**it))?;
        let is_taken = after.addresses.iter().filter(is_of_family).any(|it| new_twin.takes(*it));
        let what = format!("gives up {lost}, and its far end takes no other address of it");
        (!is_taken).then(|| cut(at, &what))
    }

    /// An interface that listens on another port is found by whoever sends there, and by those that it sends to itself.
    fn of_port(&self, route: &Route, at: &Address, before: &Face, after: &Face) -> Option<Cut> {
        if before.port == after.port {
            return None;
        }
        let ends = || route.ends.iter().filter_map(|it| self.after.ends.get(it));
        let own = ends().filter(|it| it.on == *at);
        let mut far = ends().filter(|it| self.after.far(it).is_some_and(|(face, _)| face == at));
        let dials = own.into_iter().any(|it| it.endpoint.is_some());
        let sender = far.find(|it| it.endpoint.is_some());
        let port = |end: &End| end.endpoint().map(|it| u64::from(it.port.get()));
        let is_told = sender.is_none_or(|it| after.port.is_some() && port(it) == after.port);
        match (dials, is_told) {
            (true, _) => None,
            (false, true) => Some(kept(at, "listens on another port")),
            (false, false) => {
                Some(cut(at, "listens on another port than the one that the far end sends to"))
            }
        }
    }

    fn of_end(&self, route: &Route, at: &Address, address: Option<IpAddr>) -> Option<Cut> {
        let before = self.before.ends.get(at)?;
        let Some(after) = self.after.ends.get(at) else { return Some(cut(at, "is destroyed")) };
        if before.is_up && !after.is_up {
            return Some(cut(at, "is disabled"));
        }
        if before.key != after.key {
            return Some(cut(at, "gets another key"));
        }
        if self.is_replaced(at) {
            return Some(cut(at, "is replaced"));
        }
        let target = address.filter(|_| route.hops.contains(at));
        if let Some(address) = target.filter(|it| before.takes(*it) && !after.takes(*it)) {
            return Some(cut(at, &format!("no longer has {address} in its allowed IPs")));
        }
        self.of_answers(route, at, before, after, address)
            .or_else(|| self.of_secret(at, after))
            .or_else(|| self.of_endpoint(at, before, after))
    }

    /// The far end drops what comes from an address that is not in its allowed IPs.
    fn of_answers(
        &self,
        route: &Route,
        at: &Address,
        before: &End,
        after: &End,
        address: Option<IpAddr>,
    ) -> Option<Cut> {
        let sources = match self.answers(route, at) {
            true => self.sources(route, before, address),
            false => {
                let (_, far) = self.before.far(before)?;
                let all = far.addresses.iter().filter_map(|it| whole(*it));
                all.filter(|it| before.takes_all(it)).collect()
            }
        };
        let lost = sources.iter().find(|it| !after.takes_all(it))?;
        Some(cut(at, &format!("no longer has {} in its allowed IPs", told(lost))))
    }

    /// A session lives on for some minutes when the two ends have different pre-shared keys.
    fn of_secret(&self, at: &Address, after: &End) -> Option<Cut> {
        if !self.changes_secret(at) {
            return None;
        }
        let twin = self.after.twin(after).map(|(it, _)| it);
        match twin.is_some_and(|it| self.changes_secret(it)) {
            true => Some(kept(at, "gets another pre-shared key")),
            false => Some(cut(at, "gets another pre-shared key, and its far end does not")),
        }
    }

    /// Who sends nowhere is found by a far end that sends here.
    fn of_endpoint(&self, at: &Address, before: &End, after: &End) -> Option<Cut> {
        let twin = self.after.twin(after).map(|(_, it)| it);
        if before.endpoint == after.endpoint || twin.is_some_and(|it| it.endpoint.is_some()) {
            return None;
        }
        if after.endpoint.is_none() {
            return Some(cut(at, "loses its endpoint, and its far end has none"));
        }
        let (old, new) = (before.endpoint(), after.endpoint());
        let far_port = self.after.far(after).and_then(|(_, face)| face.port);
        let is_same_host = old.zip(new.clone()).is_some_and(|(old, new)| old.host == new.host);
        let is_told = new.is_some_and(|it| Some(u64::from(it.port.get())) == far_port);
        match is_same_host && is_told {
            true => Some(kept(at, "gets another endpoint")),
            false => Some(cut(at, "gets an endpoint at which nothing tells that its far end is")),
        }
    }

    fn is_replaced(&self, at: &Address) -> bool {
        self.after_is_planned(at)
            && self.planner.nodes.get(at).is_some_and(|it| it.fate == Fate::Replace)
    }

    fn changes_secret(&self, at: &Address) -> bool {
        let node = self.planner.nodes.get(at).filter(|_| self.after_is_planned(at));
        node.is_some_and(|node| {
            node.diffs.iter().any(|it| it.attribute.name == "preshared_key" && it.is_write())
        })
    }

    /// Returns whether what is planned for a part is in the plan that was asked for.
    fn after_is_planned(&self, at: &Address) -> bool {
        self.after.planned.contains(at)
    }
}

/// A single address goes without its length.
fn told(network: &Prefix) -> String {
    let address = network.address();
    if whole(address) == Some(*network) { address.to_string() } else { network.to_string() }
}

fn cut(part: &Address, what: &str) -> Cut {
    Cut { part: part.clone(), what: format!("{part} {what}"), is_kept_by_order: false }
}

fn kept(part: &Address, what: &str) -> Cut {
    Cut { is_kept_by_order: true, ..cut(part, what) }
}
