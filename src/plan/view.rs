//! Which resources were asked for: `-target` and `-exclude`.
//!
//! Both keep together what cannot be changed on one side only: the ends of a link, a key and whoever refers to it, an
//! object and what stands on it. `-target-exact` parts the ends of a link.

use std::collections::{BTreeMap, BTreeSet};

use crate::link::Links;
use crate::plan::walk::{Fate, Node, Planner};
use crate::resource::{Address, Kind};

/// Which resources were asked for.
#[derive(Debug)]
pub(crate) enum View {
    /// All.
    All,
    /// These.
    Only(BTreeSet<Address>),
    /// All but these.
    AllBut(BTreeSet<Address>),
}

impl View {
    /// Collects what the user named with what belongs to it.
    pub(crate) fn new(planner: &Planner<'_>, links: &Links) -> Self {
        let options = &planner.options;
        match (options.targets.is_empty(), options.excludes.is_empty()) {
            (false, _) => Self::Only(targeted(planner, links)),
            (true, false) => Self::AllBut(excluded(planner, links)),
            (true, true) => Self::All,
        }
    }

    /// Returns whether the resource was asked for.
    pub(crate) fn contains(&self, address: &Address) -> bool {
        match self {
            Self::All => true,
            Self::Only(view) => view.contains(address),
            Self::AllBut(excluded) => !excluded.contains(address),
        }
    }

    /// Returns what was left out by name, and what had to be left out with it.
    pub(crate) fn into_excluded(self) -> BTreeSet<Address> {
        match self {
            Self::AllBut(excluded) => excluded,
            Self::All | Self::Only(_) => BTreeSet::new(),
        }
    }
}

/// Collects the targets, what they need, and the other ends of their links.
fn targeted(planner: &Planner<'_>, links: &Links) -> BTreeSet<Address> {
    let (followers, recorded) = (wanted_by(planner), recorded_by(planner));
    let mut view = BTreeSet::new();
    let mut next: Vec<Address> = planner.options.targets.clone();
    while let Some(address) = next.pop() {
        if !view.insert(address.clone()) {
            continue;
        }
        let desired = planner.desired.get(&address);
        next.extend(desired.into_iter().flat_map(|it| it.depends_on.iter().cloned()));
        let is_exact = planner.options.target_exact;
        let other_end = links.other_end(&address).filter(|_| !is_exact);
        next.extend(other_end.filter(|it| is_within_reach(planner, it)).cloned());
        let node = planner.nodes.get(&address);
        let has_new_key = node.and_then(Node::interface).is_some_and(|it| it.key.replaces_known);
        if has_new_key && !is_exact {
            // Whoever refers to the key would be cut off.
            next.extend(followers.get(&address).into_iter().flatten().map(|it| (*it).clone()));
        }
        if planner.options.destroy || desired.is_none() {
            // What refers to a resource that goes must go before it.
            next.extend(recorded.get(&address).into_iter().flatten().map(|it| (*it).clone()));
        }
    }
    view
}

/// An other end that cannot be reached is left out and never in the way.
fn is_within_reach(planner: &Planner<'_>, address: &Address) -> bool {
    let record = planner.state.resources.get(address);
    let is_going = !planner.out_of_view.contains_key(address)
        && record.is_some_and(|it| planner.out_of_reach(it.backend.as_ref()).is_none());
    planner.nodes.contains_key(address) || is_going
}

/// Collects the excluded, what depends on them, the other ends of their links, and what they need as it is.
fn excluded(planner: &Planner<'_>, links: &Links) -> BTreeSet<Address> {
    let followers = wanted_by(planner);
    let mut excluded = BTreeSet::new();
    let mut next: Vec<Address> = planner.options.excludes.clone();
    while let Some(address) = next.pop() {
        if !excluded.insert(address.clone()) {
            continue;
        }
        next.extend(followers.get(&address).into_iter().flatten().map(|it| (*it).clone()));
        next.extend(links.other_end(&address).cloned());
        let desired = planner.desired.get(&address).map(|it| &*it.depends_on);
        let recorded = planner.state.resources.get(&address).map(|it| &it.dependencies);
        let needed = desired.into_iter().chain(recorded).flatten();
        next.extend(needed.filter(|it| cuts_off(planner, it)).cloned());
    }
    excluded
}

/// Returns whether what refers to a resource would be cut off, or lost, if only the resource were changed as planned.
fn cuts_off(planner: &Planner<'_>, address: &Address) -> bool {
    let Some(node) = planner.nodes.get(address) else {
        let is_owned = planner.state.resources.contains_key(address);
        return is_owned && !planner.out_of_view.contains_key(address);
    };
    node.fate == Fate::Replace
        || node.interface().is_some_and(|it| it.key.replaces_known)
        || address.kind == Kind::PresharedKey && node.is_change()
}

type ByTarget<'a> = BTreeMap<&'a Address, Vec<&'a Address>>;

fn wanted_by<'a>(planner: &'a Planner<'_>) -> ByTarget<'a> {
    let all = planner.desired.iter().chain(&planner.out_of_view);
    referred_to(all.map(|(it, desired)| (it, &*desired.depends_on)))
}

fn recorded_by<'a>(planner: &'a Planner<'_>) -> ByTarget<'a> {
    referred_to(planner.state.resources.iter().map(|(it, record)| (it, &record.dependencies)))
}

/// Turns who refers to whom around.
fn referred_to<'a>(
    references: impl Iterator<Item = (&'a Address, &'a BTreeSet<Address>)>,
) -> ByTarget<'a> {
    let mut by_target: ByTarget<'_> = BTreeMap::new();
    for (address, targets) in references {
        targets.iter().for_each(|target| by_target.entry(target).or_default().push(address));
    }
    by_target
}
