//! Links of which an apply changes one end and leaves out the other.
//!
//! A whole plan leaves none. A part does, where only one end was asked for, or where the other one cannot be reached.

use std::collections::{BTreeMap, BTreeSet};

use crate::actual::Reading;
use crate::config::{Desired, Wanted};
use crate::link::{End, Links};
use crate::plan::finish::record;
use crate::plan::recover::public_key;
use crate::plan::view::View;
use crate::plan::walk::{Node, Planner, far_interface};
use crate::plan::{OneSided, ResourceChange};
use crate::resource::{Address, Field, Kind};
use crate::state::{ObjectKey, ResourceRecord, State};

impl Planner<'_> {
    /// Returns whether something may be left out of the plan.
    pub(crate) fn is_of_part(&self) -> bool {
        let is_read = |reading: &Reading| matches!(reading, Reading::Read(_));
        self.options.is_partial() || !self.actual.backends.values().all(is_read)
    }

    /// Finds all links: also those of which an end cannot be reached, or is to go.
    pub(crate) fn all_links(&self) -> Links {
        Links::find(&self.all_ends())
    }

    fn all_ends(&self) -> Vec<End> {
        let mut ends = self.ends();
        ends.extend(self.out_of_view.values().filter_map(|it| self.end(it)));
        let is_wanted =
            |it: &Address| self.desired.contains_key(it) || self.out_of_view.contains_key(it);
        let going = self.state.resources.iter().filter(|(it, _)| !is_wanted(it));
        ends.extend(going.filter_map(|(it, record)| recorded_end(&self.state, it, record)));
        ends
    }

    /// Returns whether a whole plan would change a resource that this one leaves out.
    fn would_change(&self, address: &Address) -> bool {
        if let Some(node) = self.nodes.get(address) {
            return node.is_change();
        }
        let record = self.state.resources.get(address);
        match (self.out_of_view.get(address), record) {
            (Some(desired), Some(record)) => self.differs(desired, record),
            (Some(desired), None) => !desired.is_pending,
            (None, Some(record)) => !record.is_gone,
            (None, None) => false,
        }
    }

    /// Returns whether something is wanted of a resource that was not applied, as far as that can be said without its
    /// device.
    fn differs(&self, desired: &Desired, before: &ResourceRecord) -> bool {
        let now = record(desired, before.object.clone(), Some(before), self.fingerprint_key());
        // The name that it has by itself, and what it refers to, are not among the values that are wanted.
        let is_said = |name: &str| name != "name" && !desired.references.contains_key(name);
        let has_other_key = match desired.fields.get("public_key").and_then(Wanted::known) {
            Some(Field::PublicKey(key)) => public_key(&before.object) != Some(*key),
            _ => false,
        };
        let secret = desired.references.get("preshared_key");
        let is_unknown =
            |(name, wanted): (&&str, &Wanted)| *wanted == Wanted::Unknown && is_said(name);
        let names: BTreeSet<&String> =
            now.attributes.keys().chain(before.attributes.keys()).collect();
        let is_other = |name: &&String| {
            is_said(name) && now.attributes.get(*name) != before.attributes.get(*name)
        };
        has_other_key
            || desired.fields.iter().any(is_unknown)
            || names.iter().any(is_other)
            || secret.and_then(|it| self.nodes.get(&**it)).is_some_and(Node::is_change)
    }

    /// Returns how an end is left out that would change, too.
    fn left_out(&self, changed: &Address, other: &Address, view: &View) -> Option<OneSided> {
        let record = self.state.resources.get(other);
        let own = record.and_then(|it| it.backend.as_ref());
        let unread = self.kept_out_by(other).or_else(|| match self.nodes.contains_key(other) {
            true => None,
            false => self.out_of_reach(own),
        });
        let is_left_out = unread.is_some() || !view.contains(other);
        (is_left_out && self.would_change(other)).then(|| OneSided {
            changed: changed.clone(),
            left_out: other.clone(),
            unread,
        })
    }
}

/// Finds the links of which only one end is changed; and who has the key of an interface that gets another one, and
/// does not hear of it.
pub(crate) fn one_sided(
    planner: &Planner<'_>,
    links: &Links,
    view: &View,
    changes: &[ResourceChange],
) -> Vec<OneSided> {
    if !planner.is_of_part() {
        return Vec::new();
    }
    let changed: BTreeSet<&Address> =
        changes.iter().filter_map(|it| it.subject.address()).collect();
    let mut found: BTreeMap<Address, OneSided> = BTreeMap::new();
    for peer in &changed {
        let other = links.other_end(peer).filter(|it| !changed.contains(it));
        let left_out = other.and_then(|other| planner.left_out(peer, other, view));
        found.extend(left_out.map(|it| (it.left_out.clone(), it)));
    }
    let is_rekeyed = |it: &Address| {
        let on_device = planner.nodes.get(it).and_then(Node::interface);
        changed.contains(it) && on_device.is_some_and(|it| it.key.replaces_known)
    };
    for desired in planner.desired.values().chain(planner.out_of_view.values()) {
        let (peer, own) = (&desired.address, desired.references.get("interface"));
        if peer.kind != Kind::Peer || changed.contains(peer) || found.contains_key(peer) {
            continue;
        }
        let far = desired.depends_on.iter().filter(|it| own.is_none_or(|own| **own != **it));
        let rekeyed = far.into_iter().find(|it| is_rekeyed(it));
        let left_out = rekeyed.and_then(|it| planner.left_out(it, peer, view));
        found.extend(left_out.map(|it| (it.left_out.clone(), it)));
    }
    found.into_values().collect()
}

/// Returns what a peer that nobody wants any longer is an end of.
fn recorded_end(state: &State, peer: &Address, record: &ResourceRecord) -> Option<End> {
    if peer.kind != Kind::Peer {
        return None;
    }
    let interface: Address = record.attributes.get("interface")?.as_str()?.parse().ok()?;
    let own_key = state.resources.get(&interface).and_then(|it| match &it.object {
        ObjectKey::Interface { public_key, .. } => public_key.parse().ok(),
        ObjectKey::Peer { .. } | ObjectKey::PresharedKey {} => None,
    });
    Some(End {
        peer: peer.clone(),
        far_interface: far_interface(&record.dependencies, &interface),
        interface,
        public_key: public_key(&record.object),
        own_key,
    })
}
