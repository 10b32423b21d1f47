//! One peer: which object it is, and what differs.
//!
//! On Linux a peer is its key: the object is (interface, public key). A peer that gets another key is therefore another
//! object; when that object is there because another peer had the key until now, it is taken over and changed where it
//! is, so two peers can swap their keys in two updates.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::actual::FoundPeer;
use crate::config::{Desired, Wanted};
use crate::diagnostic::Diagnostic;
use crate::diff::{AttributeDiff, Class, Side};
use crate::plan::check::span;
use crate::plan::recover::public_key;
use crate::plan::walk::interface::{diff_of, without_holds};
use crate::plan::walk::{Device, Fate, Node, Planner, all_new, as_new_object};
use crate::plan::{Note, Reason};
use crate::resource::{Address, BackendId, BackendKind, Field, Kind, declaration};
use crate::state::{ObjectKey, ResourceRecord};
use crate::value::PublicKey;

/// What a peer is on its device.
#[derive(Debug)]
pub(crate) struct OnDevice {
    /// The name of the interface that it is to be on.
    pub(crate) interface: String,
    /// The resource of that interface.
    pub(crate) on: Address,
    /// Its key, when that is known.
    pub(crate) public_key: Option<PublicKey>,
    /// The object that was last applied, where that is another one or is to go.
    pub(crate) old: Option<Old>,
    /// Whether the object that it is to be is there already.
    pub(crate) is_there: bool,
    /// Whether it may connect.
    pub(crate) is_enabled: bool,
    /// Whether it is wanted on the device: a disabled peer is not, on Linux.
    pub(crate) is_held: bool,
}

/// A peer that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Old {
    pub(crate) backend: BackendId,
    pub(crate) interface: String,
    pub(crate) public_key: PublicKey,
}

impl Old {
    pub(crate) fn of(record: &ResourceRecord) -> Option<Self> {
        let ObjectKey::Peer { interface, .. } = &record.object else { return None };
        let (backend, public_key) = (record.backend.clone()?, public_key(&record.object)?);
        Some(Self { backend, interface: interface.clone(), public_key })
    }

    /// Returns its host, its interface and its key, as the state has them.
    pub(crate) fn place(&self) -> (BackendId, String, String) {
        (self.backend.clone(), self.interface.clone(), self.public_key.to_string())
    }
}

struct Standing<'a> {
    backend: BackendId,
    kind: BackendKind,
    on: Address,
    interface: String,
    public_key: Option<PublicKey>,
    old: Option<Old>,
    found: Option<&'a FoundPeer>,
    fate: Fate,
    reason: Reason,
}

impl<'a> Planner<'a> {
    pub(crate) fn visit_peer(&mut self, mut desired: Desired) -> (Desired, Node) {
        let mut notes = Vec::new();
        let unheld = without_holds(&desired);
        let kept = self.as_kept(&desired);
        let kept = kept.filter(|kept| self.peer_standing(&kept.desired).fate == Fate::Keep);
        match kept {
            Some(kept) => desired = self.keep(kept),
            // What the configuration says counts for an object that is made.
            None => {
                desired.ignored = BTreeSet::new();
                desired.held = BTreeSet::new();
            }
        }
        self.check_lacks(&desired);
        self.settle_enabled(&mut desired, &mut notes);
        let standing = self.peer_standing(&desired);
        self.check_conflict(&desired, &standing);
        if !desired.fields.contains_key("name") {
            let record = self.state.resources.get(&desired.address);
            let name = record.and_then(|it| it.attributes.get("name"));
            let name = name.and_then(Json::as_str).map(str::to_owned);
            let name = name.unwrap_or_else(|| desired.address.default_name());
            desired.fields.insert("name", Wanted::Known(Field::Text(name)));
        }
        if let Some(Wanted::Known(name)) = desired.fields.get("name") {
            self.known.publish(&desired.address, "name", name.clone());
        }
        let diffs = self.peer_diffs(&desired, &standing);
        if let Some(unheld) = unheld.filter(|_| !desired.held.is_empty()) {
            let would = self.peer_without_holds(unheld);
            self.note_held(&desired, would);
        }
        let is_enabled = desired.fields.get("enabled") != Some(&Wanted::Known(Field::Bool(false)));
        let address = desired.address.clone();
        let is_there = standing.found.is_some();
        let is_held = is_enabled || standing.kind.keeps_configuration();
        let Standing { backend, on, interface, public_key, old, fate, reason, .. } = standing;
        let reason = self.keep_reason(&address, fate.clone(), reason, &diffs);
        // Nobody is shown what stays as it is, and most of it does. What a pre-shared key adds is compared later.
        let name = "preshared_key";
        let has_secret = desired.fields.contains_key(name) || desired.references.contains_key(name);
        let stays = fate == Fate::Keep && diffs.iter().all(|diff| diff.class == Class::Same);
        let diffs = if stays && !has_secret { Vec::new() } else { diffs };
        let device = Device::Peer(OnDevice {
            interface,
            on,
            public_key,
            old,
            is_there,
            is_enabled,
            is_held,
        });
        let node = Node { address, backend: Some(backend), fate, reason, diffs, notes, device };
        (desired, node)
    }

    /// Returns what would differ about a peer that nobody held.
    fn peer_without_holds(&self, unheld: Desired) -> Vec<AttributeDiff> {
        let mut unheld = self.as_kept(&unheld).map_or(unheld, |it| it.desired);
        self.settle_enabled(&mut unheld, &mut Vec::new());
        let standing = self.peer_standing(&unheld);
        self.peer_diffs(&unheld, &standing)
    }

    /// Returns what happens to the object of a peer.
    pub(crate) fn peer_fate(&self, desired: &Desired) -> (Fate, Reason) {
        let Standing { fate, reason, .. } = self.peer_standing(desired);
        (fate, reason)
    }

    /// A peer past its `expires_at` is wanted as a disabled one.
    fn settle_enabled(&self, desired: &mut Desired, notes: &mut Vec<Note>) {
        if desired.held.contains("enabled") {
            return;
        }
        if let Some(Field::Time(end)) = desired.fields.get("expires_at").and_then(Wanted::known)
            && *end <= self.planned_at
        {
            notes.push(Note::Expired(*end));
            desired.fields.insert("enabled", Wanted::Known(Field::Bool(false)));
        }
    }

    fn peer_standing(&self, desired: &Desired) -> Standing<'a> {
        let address = &desired.address;
        let on = desired.references.get("interface").map(|on| (**on).clone());
        let on = on.unwrap_or_else(|| Address::root(Kind::Interface, ""));
        let node = self.nodes.get(&on);
        let on_device = node.and_then(Node::interface);
        let interface = on_device.map(|it| it.name.clone()).unwrap_or_default();
        // Until an interface is renamed, its peers are found under its old name.
        let is_renamed = node.is_some_and(|node| node.fate == Fate::Keep);
        let now = on_device.and_then(|it| it.renamed_from()).filter(|_| is_renamed);
        let now = now.unwrap_or(&interface).to_owned();
        let backend = desired.backend.clone().unwrap_or_else(|| BackendId::new(BackendId::LOCAL));
        let kind = self.views.get(&backend).map_or(BackendKind::Local, |view| view.kind);
        let key = match desired.fields.get("public_key").and_then(Wanted::known) {
            Some(Field::PublicKey(key)) => Some(*key),
            _ => None,
        };
        let record = self.state.resources.get(address);
        let old = record.and_then(Old::of);
        let is_made_anew =
            node.is_some_and(|node| matches!(node.fate, Fate::Create | Fate::Replace));
        let at = |interface: &str, key: PublicKey| {
            self.picture(&backend)?.interfaces.get(interface)?.peers.get(&key)
        };
        let found = key.filter(|_| !is_made_anew).and_then(|key| at(&now, key));
        let is_same = old.as_ref().is_some_and(|old| {
            old.backend == backend && old.interface == now && Some(old.public_key) == key
        });
        let (fate, reason) = match record {
            _ if desired.is_pending => (Fate::Pending, Reason::BecamePending),
            None => (Fate::Create, Reason::New),
            Some(_) if is_made_anew && self.is_on(&on, old.as_ref()) => {
                let interface_reason = node.map(|node| &node.reason);
                let reason = match interface_reason.filter(|_| is_same) {
                    Some(Reason::Gone) => Reason::GoneWithInterface,
                    Some(Reason::Rebooted) => Reason::Rebooted,
                    _ => Reason::WithInterface,
                };
                (Fate::Create, reason)
            }
            Some(record) if is_same && !is_made_anew => self.same_object(record, kind, found),
            Some(_)
                if is_made_anew
                    || old
                        .as_ref()
                        .is_some_and(|old| old.interface != now || old.backend != backend) =>
            {
                (Fate::Replace, Reason::CannotUpdate("interface"))
            }
            Some(_) => (Fate::Replace, Reason::CannotUpdate("public_key")),
        };
        let is_there = found.is_some() || self.options.without_refresh;
        let requested = self.requested(address).filter(|_| fate == Fate::Keep && is_there);
        let (fate, reason, found) = match requested {
            Some(requested) => (Fate::Replace, requested, None),
            None => (fate, reason, found),
        };
        let old = old.filter(|_| fate == Fate::Replace || fate == Fate::Keep || desired.is_pending);
        Standing { backend, kind, on, interface, public_key: key, old, found, fate, reason }
    }

    /// Returns whether a peer was on the object that an interface has been until now.
    fn is_on(&self, interface: &Address, old: Option<&Old>) -> bool {
        let Some(old) = old else { return true };
        self.state.resources.get(interface).is_some_and(|record| {
            record.backend.as_ref() == Some(&old.backend)
                && matches!(&record.object, ObjectKey::Interface { name, .. } if *name == old.interface)
        })
    }

    fn same_object(
        &self,
        record: &ResourceRecord,
        kind: BackendKind,
        found: Option<&FoundPeer>,
    ) -> (Fate, Reason) {
        let was_disabled = record.attributes.get("enabled") == Some(&Json::Bool(false));
        let is_absent = was_disabled && !kind.keeps_configuration();
        if found.is_some() || is_absent || self.options.without_refresh {
            (Fate::Keep, Reason::Configuration)
        } else {
            let on = record.attributes.get("interface").and_then(Json::as_str);
            let on = on.and_then(|on| self.state.resources.get(&on.parse::<Address>().ok()?));
            let is_being_filled = on.is_some_and(|on| on.is_being_filled) || record.is_being_filled;
            (Fate::Create, if is_being_filled { Reason::Interrupted } else { Reason::Gone })
        }
    }

    /// Reports a peer that is there and belongs to nobody that wgform knows.
    fn check_conflict(&mut self, desired: &Desired, standing: &Standing<'_>) {
        let Standing { backend, interface, public_key, found, fate, .. } = standing;
        let Some(key) = public_key.filter(|_| found.is_some() && *fate != Fate::Keep) else {
            return;
        };
        // Until an interface is renamed, its peers are found, and imported, under its old name.
        let now = self.renamed(standing).unwrap_or_else(|| interface.clone());
        let mut names = [interface, &now].into_iter();
        if names.any(|name| self.owners.peer(backend, name, key).is_some()) {
            return;
        }
        let problem = Diagnostic::error("existing peer that wgform does not manage")
            .label(
                span(desired, "public_key"),
                format!("a peer with this key is already on `{now}` of backend `{backend}`"),
            )
            .help(format!(
                "To take it over, run:\n\n  wgform import {} {now}/{key}",
                desired.address.in_shell()
            ));
        self.diagnostics.push(problem);
    }

    fn renamed(&self, standing: &Standing<'_>) -> Option<String> {
        let on_device = self.nodes.get(&standing.on)?.interface()?;
        on_device.renamed_from().map(str::to_owned)
    }

    fn peer_diffs(&self, desired: &Desired, standing: &Standing<'_>) -> Vec<AttributeDiff> {
        let record = self.state.resources.get(&desired.address);
        let found = self.found_peer(desired, standing);
        let by_hand = ["interface", "public_key", "preshared_key"];
        let is_made = !matches!(standing.fate, Fate::Keep);
        let takes_over = is_made && standing.found.is_some();
        let replaced = record.filter(|_| standing.fate == Fate::Replace);
        let replaced = replaced.map(|record| Self::recorded_values(record, Kind::Peer));
        let found = if is_made && !takes_over { replaced } else { found };
        let mut diffs = self.differences(desired, standing.kind, found.as_ref(), &by_hand);
        match (&standing.fate, takes_over) {
            (Fate::Keep, _) => {}
            (_, true) => against_found(&mut diffs),
            (Fate::Replace, false) => as_new_object(&mut diffs),
            (Fate::Create | Fate::Pending, false) => all_new(&mut diffs),
        }
        let old = standing.old.as_ref().filter(|_| standing.fate != Fate::Create);
        let json = |key: PublicKey| Json::from(key.to_string());
        let before = old.map(|old| json(old.public_key));
        let after = standing.public_key.map_or(Side::Unknown, |key| Side::Known(json(key)));
        let class = match (&before, &after) {
            (Some(before), Side::Known(after)) if before == after => Class::Same,
            _ => Class::Change,
        };
        diffs.push(diff_of("public_key", before, after, class));
        let after = Json::from(standing.on.to_string());
        let before = record.and_then(|it| it.attributes.get("interface")).cloned();
        let before = before.filter(|_| standing.fate != Fate::Create);
        let class = if standing.fate != Fate::Keep && before.as_ref() != Some(&after) {
            Class::Change
        } else {
            Class::Same
        };
        diffs.push(diff_of("interface", before, Side::Known(after), class));
        diffs.retain(|diff| !diff.is_nothing());
        diffs.shrink_to_fit();
        sort(&mut diffs);
        diffs
    }

    /// Returns what the device has, but for what is no difference: an endpoint that the peer roamed to, and everything
    /// about a peer that is disabled and therefore not there, or soon not. What the device does not show counts as applied.
    fn found_peer(
        &self,
        desired: &Desired,
        standing: &Standing<'_>,
    ) -> Option<BTreeMap<&'static str, Json>> {
        let record = self.state.resources.get(&desired.address);
        let recorded = || record.map(|record| Self::recorded_values(record, Kind::Peer));
        if self.options.without_refresh {
            return recorded();
        }
        let Some(peer) = standing.found else { return recorded() };
        let keeps = standing.kind.keeps_configuration();
        let is_off = desired.fields.get("enabled") == Some(&Wanted::Known(Field::Bool(false)));
        let is_to_go = is_off && !keeps;
        let recorded = if is_to_go { recorded() } else { None };
        let mut found = recorded.unwrap_or_else(|| self.found_values(&peer.fields));
        if !keeps {
            found.insert("enabled", Json::Bool(true));
        }
        let is_pinned =
            keeps || desired.fields.get("pin_endpoint") == Some(&Wanted::Known(Field::Bool(true)));
        // What was applied to another object says nothing of the one that is taken over from another peer.
        let record = record.filter(|_| standing.fate == Fate::Keep);
        as_applied(&peer.hidden, record, &mut found);
        let applied = record.and_then(|record| record.attributes.get("endpoint"));
        let set = record.and_then(|record| record.attributes.get("endpoint_address"));
        match (applied, found.get("endpoint")) {
            // A name was resolved when it was applied; the address that was set then stands for it.
            (Some(applied), Some(now)) if is_pinned && set == Some(now) => {
                found.insert("endpoint", applied.clone());
            }
            (Some(applied), Some(_)) if !is_pinned => {
                found.insert("endpoint", applied.clone());
            }
            _ => {}
        }
        Some(found)
    }
}

/// Takes what a device does not show for what was last applied.
pub(crate) fn as_applied(
    hidden: &BTreeSet<&'static str>,
    record: Option<&ResourceRecord>,
    found: &mut BTreeMap<&'static str, Json>,
) {
    for name in hidden {
        let applied = record.and_then(|record| record.attributes.get(*name));
        found.extend(applied.map(|json| (*name, json.clone())));
    }
}

/// Compares with the object that is taken over only: what was applied to another one does not count.
fn against_found(diffs: &mut [AttributeDiff]) {
    for diff in diffs {
        let is_same = match (&diff.before, &diff.after) {
            (Some(before), Side::Known(after)) => before == after,
            (_, Side::Unset) => true,
            _ => false,
        };
        diff.class = if is_same { Class::Same } else { Class::Change };
        diff.was = None;
    }
}

pub(crate) fn sort(diffs: &mut [AttributeDiff]) {
    let all = declaration::attributes(Kind::Peer);
    diffs.sort_by_key(|diff| all.iter().position(|it| it.name == diff.attribute.name));
}
