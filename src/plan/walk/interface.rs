//! One interface: which object it is, and what differs. Where its key comes from is `key`'s.

mod key;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value as Json;

use crate::actual::{FoundInterface, NameServers};
use crate::config::{Desired, Wanted};
use crate::diagnostic::Diagnostic;
use crate::diff::{AttributeDiff, Class, Side};
use crate::plan::check::span;
use crate::plan::recover::public_key;
use crate::plan::routes::{self, RoutePlan};
use crate::plan::walk::interface::key::key_file_diff;
use crate::plan::walk::peer::as_applied;
use crate::plan::walk::{Device, Fate, Node, Planner, all_new, as_new_object};
use crate::plan::{Note, Reason};
use crate::resource::{Address, BackendId, BackendKind, Field, Kind, declaration};
use crate::state::{ObjectKey, ResourceRecord};
use crate::value::{Cidr, PublicKey};

pub(crate) use key::{KeyPlan, found_key, recorded_key_file};

/// What an interface is on its device.
#[derive(Debug)]
pub(crate) struct OnDevice {
    /// The name that it is to have.
    pub(crate) name: String,
    /// The object that is there now.
    pub(crate) old: Option<Old>,
    /// What it has now.
    pub(crate) found: Option<BTreeMap<&'static str, Json>>,
    /// Its key.
    pub(crate) key: KeyPlan,
    /// The port to ask for again when the configuration names none.
    pub(crate) port: Option<u32>,
    /// Where a key that wgform makes for it is kept.
    pub(crate) key_file: Option<PathBuf>,
    /// What becomes of its routes, once that is decided.
    pub(crate) routes: Option<RoutePlan>,
}

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Old {
    pub(crate) backend: BackendId,
    pub(crate) name: String,
}

impl OnDevice {
    /// Returns the old name when the interface gets another one where it is.
    pub(crate) fn renamed_from(&self) -> Option<&str> {
        self.old.as_ref().map(|old| old.name.as_str()).filter(|old| *old != self.name)
    }
}

/// How an interface stands before its attributes are compared.
struct Standing<'a> {
    backend: BackendId,
    name: String,
    record: Option<ResourceRecord>,
    old: Option<Old>,
    found: Option<&'a FoundInterface>,
    fate: Fate,
    reason: Reason,
}

impl<'a> Planner<'a> {
    pub(crate) fn visit_interface(&mut self, mut desired: Desired) -> (Desired, Node) {
        let address = desired.address.clone();
        self.take_label_over(&desired);
        let unheld = without_holds(&desired);
        let kept = self.as_kept(&desired);
        let standing = kept.as_ref().map(|kept| self.interface_standing(&kept.desired));
        let standing = match (standing, kept) {
            (Some(standing), Some(kept)) if standing.fate == Fate::Keep => {
                desired = self.keep(kept);
                standing
            }
            // What the configuration says counts for an object that is made.
            _ => {
                desired.ignored = BTreeSet::new();
                desired.held = BTreeSet::new();
                self.interface_standing(&desired)
            }
        };
        if self.kind_of(Some(&standing.backend)) == BackendKind::PfSense {
            self.reserved.insert((standing.backend.clone(), standing.name.clone()));
        }
        self.check_lacks(&desired);
        self.check_name(&desired, &standing);
        self.check_persist(&desired, &standing.backend, &standing.name);
        self.check_resolver(&desired, &standing.backend);
        let is_assigned = standing.found.is_some_and(|it| it.fields.contains_key("assign_descr"));
        self.check_firewall(&desired, is_assigned);
        let found = self.found_interface(&standing);
        let mut notes = Vec::new();
        self.settle_mark(&mut desired, &standing, &mut notes);
        self.settle_port(&mut desired, &standing);
        let key = self.key_plan(&desired, &standing, &mut notes);
        desired.fields.insert("name", Wanted::Known(Field::Text(standing.name.clone())));
        let diffs = self.interface_diffs(&desired, &standing, found.as_ref(), &key);
        if let Some(unheld) = unheld.filter(|_| !desired.held.is_empty()) {
            let would = self.interface_without_holds(unheld);
            self.note_held(&desired, would);
        }
        let recorded_port =
            standing.record.as_ref().and_then(|it| it.attributes.get("listen_port"));
        let port = recorded_port.and_then(Json::as_u64).and_then(|port| u32::try_from(port).ok());
        let key_file = self.key_path(&desired, &standing);
        self.publish_interface(&desired, &standing, found.as_ref(), &key, port);
        match &key_file {
            Some(path) => {
                self.known.publish(&address, "key_file", Field::Text(path.display().to_string()));
            }
            None if desired.fields.contains_key("private_key")
                || self.kind_of(desired.backend.as_ref()).keeps_configuration() =>
            {
                self.known.publish_null(&address, "key_file");
            }
            None => {}
        }
        self.warn_of_kept_key(&desired, &key, &notes);
        let Standing { backend, name, old, fate, reason, record: _, found: _ } = standing;
        let reason = self.keep_reason(&address, fate.clone(), reason, &diffs);
        let on_device = OnDevice { name, old, found, key, port, key_file, routes: None };
        let device = Device::Interface(Box::new(on_device));
        let node = Node { address, backend: Some(backend), fate, reason, diffs, notes, device };
        (desired, node)
    }

    /// A default route needs a firewall mark: the tunnel's own packets are known by it, and stay outside.
    fn settle_mark(&self, desired: &mut Desired, standing: &Standing<'_>, notes: &mut Vec<Note>) {
        let record = standing.record.as_ref();
        let picture = self.picture(&standing.backend);
        let Some(mark) = routes::mark(self, desired, record, picture, &standing.name) else {
            return;
        };
        if record.and_then(|it| it.attributes.get("fwmark")) != Some(&Json::from(mark)) {
            notes.push(Note::MarkChosen(mark));
        }
        desired.fields.insert("fwmark", Wanted::Known(Field::Number(mark)));
    }

    /// One that a run was cut off from making again has no key yet, and not the port that its peers know either.
    fn settle_port(&self, desired: &mut Desired, standing: &Standing<'_>) {
        let is_half_made = self.interrupted.contains(&desired.address)
            && !self.kind_of(Some(&standing.backend)).keeps_configuration()
            && standing.found.is_some_and(|found| found_key(Some(found)).is_none());
        let recorded = standing.record.as_ref().and_then(|it| it.attributes.get("listen_port"));
        let port = recorded.and_then(Json::as_u64).and_then(|it| u32::try_from(it).ok());
        if let Some(port) = port.filter(|port| is_half_made && *port != 0) {
            let wanted = Wanted::Known(Field::Number(port));
            desired.fields.entry("listen_port").or_insert(wanted);
        }
    }

    fn interface_standing(&self, desired: &Desired) -> Standing<'a> {
        let address = &desired.address;
        let backend = desired.backend.clone().unwrap_or_else(|| BackendId::new(BackendId::LOCAL));
        let record = self.state.resources.get(address).cloned();
        let recorded_name = record.as_ref().and_then(|record| match &record.object {
            ObjectKey::Interface { name, .. } => Some(name.clone()),
            ObjectKey::Peer { .. } | ObjectKey::PresharedKey {} => None,
        });
        let name = match desired.fields.get("name").and_then(Wanted::known) {
            Some(Field::Text(name)) => name.clone(),
            _ => match recorded_name.clone().filter(|_| self.keeps_name(address, &backend)) {
                Some(name) => name,
                None if self.kind_of(Some(&backend)) == BackendKind::PfSense => {
                    self.free_name(&backend)
                }
                None => address.default_name(),
            },
        };
        let old_backend = record.as_ref().and_then(|record| record.backend.clone());
        let old_name = recorded_name.filter(|_| old_backend.is_some());
        // Of one that is known to be gone there is nothing left but its key.
        let is_gone = record.as_ref().is_some_and(|it| it.is_gone);
        let old_name = old_name.filter(|_| !is_gone);
        let old = old_backend.zip(old_name).map(|(backend, name)| Old { backend, name });
        let found = old
            .as_ref()
            .and_then(|old| Some(self.picture(&old.backend)?.interfaces.get(&old.name)))
            .flatten();
        let is_there = found.is_some() || self.options.without_refresh;
        let (fate, reason, old) = match old {
            None => (Fate::Create, Reason::New, None),
            Some(old) if !is_there => {
                let is_rebooted = self.verdict.rebooted.contains_key(&old.backend);
                let made_way = record.as_ref().is_some_and(|it| it.is_being_filled);
                let reason = match (is_rebooted, made_way) {
                    (true, _) => Reason::Rebooted,
                    (false, true) => Reason::Interrupted,
                    (false, false) => Reason::Gone,
                };
                (Fate::Create, reason, None)
            }
            Some(old) if old.backend != backend => {
                (Fate::Replace, Reason::CannotUpdate("backend"), Some(old))
            }
            Some(old) if old.name != name && !self.renames(&backend) => {
                (Fate::Replace, Reason::CannotUpdate("name"), Some(old))
            }
            Some(old) => match self.requested(address) {
                Some(reason) => (Fate::Replace, reason, Some(old)),
                None => (Fate::Keep, Reason::Configuration, Some(old)),
            },
        };
        Standing { backend, name, record, old, found, fate, reason }
    }

    /// Returns what would differ about an interface that nobody held.
    fn interface_without_holds(&self, unheld: Desired) -> Vec<AttributeDiff> {
        let mut unheld = self.as_kept(&unheld).map_or(unheld, |it| it.desired);
        let standing = self.interface_standing(&unheld);
        let found = self.found_interface(&standing);
        self.settle_mark(&mut unheld, &standing, &mut Vec::new());
        let public = found_key(standing.found);
        let key = KeyPlan { public, ..KeyPlan::default() };
        let name = Wanted::Known(Field::Text(standing.name.clone()));
        unheld.fields.insert("name", name);
        self.interface_diffs(&unheld, &standing, found.as_ref(), &key)
    }

    /// Returns what happens to the object of an interface.
    pub(crate) fn interface_fate(&self, desired: &Desired) -> (Fate, Reason) {
        let Standing { fate, reason, .. } = self.interface_standing(desired);
        (fate, reason)
    }

    /// Returns whether the name that an interface has is one on the backend where it is to be.
    fn keeps_name(&self, address: &Address, backend: &BackendId) -> bool {
        let recorded = self.state.resources.get(address).and_then(|it| it.backend.as_ref());
        let is_firewall = |id| self.kind_of(id) == BackendKind::PfSense;
        recorded == Some(backend) || !(is_firewall(recorded) || is_firewall(Some(backend)))
    }

    fn renames(&self, backend: &BackendId) -> bool {
        self.picture(backend).is_some_and(|picture| picture.capabilities.renames)
    }

    /// Reports a name that cannot be had.
    fn check_name(&mut self, desired: &Desired, standing: &Standing<'_>) {
        let Standing { backend, name, old, .. } = standing;
        let address = &desired.address;
        let span = span(desired, "name");
        if desired.fields.get("name") == Some(&Wanted::Unknown) {
            let problem = Diagnostic::error("interface name that is not known yet")
                .label(span, "this depends on something that only the apply makes")
                .help("Write a `name` that does not depend on what the device of another resource says.");
            self.diagnostics.push(problem);
        }
        let is_old = old.as_ref().is_some_and(|old| old.backend == *backend && old.name == *name);
        let Some(picture) = self.picture(backend).filter(|_| !is_old) else { return };
        if picture.other_links.contains(name) {
            let (what, help) = match picture.kind {
                BackendKind::PfSense => (
                    "is gone, and peers or an interface still point to it",
                    "Remove them in `VPN > WireGuard > Peers` and `Interfaces > Assignments`, or give the tunnel another `name`.",
                ),
                _ => ("is a link that is not WireGuard's", "Give the interface another `name`."),
            };
            let problem = Diagnostic::error("interface name taken by another link")
                .label(span, format!("`{name}` on backend `{backend}` {what}"))
                .help(help);
            self.diagnostics.push(problem);
        } else if let Some(found) = picture.interfaces.get(name)
            && self.owners.interface(backend, name).is_none()
            && (old.is_some()
                || found_key(Some(found)).is_none_or(|key| Some(key) != recorded_key(standing)))
        {
            let problem = Diagnostic::error("existing interface that wgform does not manage")
                .label(span, format!("`{name}` is already on backend `{backend}`"))
                .help(format!(
                    "To take it over, run:\n\n  wgform import {} {name}",
                    address.in_shell()
                ));
            self.diagnostics.push(problem);
        }
    }

    /// Reports name servers that the host has no place for.
    fn check_resolver(&mut self, desired: &Desired, backend: &BackendId) {
        let Some(picture) = self.picture(backend) else { return };
        let domains = match desired.fields.get("dns_search") {
            Some(Wanted::Known(Field::Domains(domains))) => domains.as_slice(),
            _ => &[],
        };
        let has_servers = match desired.fields.get("dns") {
            Some(Wanted::Known(Field::Servers(servers))) => !servers.is_empty(),
            _ => false,
        };
        let problem = match picture.capabilities.name_servers {
            NameServers::Nowhere if has_servers || !domains.is_empty() => {
                let at = span(desired, if has_servers { "dns" } else { "dns_search" });
                Diagnostic::error("name servers for a host without a resolver")
                    .label(at, format!("nothing on backend `{backend}` takes name servers for a link"))
                    .help("Install `systemd-resolved` there and start it, or install `openresolv`, which some systems call `resolvconf`.")
            }
            NameServers::Taken => {
                let routed = domains.iter().find(|it| it.starts_with('~') && *it != "~.");
                let Some(domain) = routed else { return };
                Diagnostic::error("domain that the host's resolver cannot route")
                    .label(span(desired, "dns_search"), format!("`{domain}` needs systemd-resolved, and backend `{backend}` has `resolvconf`"))
                    .help("Remove the `~`, or install `systemd-resolved` there and start it.")
            }
            _ => return,
        };
        self.diagnostics.push(problem);
    }

    fn found_interface(&self, standing: &Standing<'_>) -> Option<BTreeMap<&'static str, Json>> {
        let record = standing.record.as_ref();
        if self.options.without_refresh {
            return record.map(|record| Self::recorded_values(record, Kind::Interface));
        }
        Some(self.interface_values(record, standing.found?))
    }

    /// Returns what a device has of an interface.
    pub(crate) fn interface_values(
        &self,
        record: Option<&ResourceRecord>,
        found: &FoundInterface,
    ) -> BTreeMap<&'static str, Json> {
        let mut values = self.found_values(&found.fields);
        as_applied(&found.hidden, record, &mut values);
        let mut found = values;
        // What a resolver takes and does not give back is there as it was last written.
        for name in ["dns", "dns_search"] {
            let applied = record.and_then(|record| record.attributes.get(name));
            if let Some(json) = applied.filter(|_| !found.contains_key(name)) {
                found.insert(name, json.clone());
            }
        }
        if found.get("enabled") == Some(&Json::Bool(false)) {
            // A link that is down has lost its IPv6 addresses; they come back when it is brought up.
            let ours = record.and_then(|record| record.owned_elements.get("addresses"));
            let is_v6 = |it: &&String| it.parse::<Cidr>().is_ok_and(|it| it.address().is_ipv6());
            let lost: Vec<Json> =
                ours.into_iter().flatten().filter(is_v6).cloned().map(Json::from).collect();
            if let Some(Json::Array(addresses)) = found.get_mut("addresses") {
                let missing: Vec<_> =
                    lost.into_iter().filter(|it| !addresses.contains(it)).collect();
                addresses.extend(missing);
            }
        }
        found
    }

    fn interface_diffs(
        &self,
        desired: &Desired,
        standing: &Standing<'_>,
        found: Option<&BTreeMap<&'static str, Json>>,
        key: &KeyPlan,
    ) -> Vec<AttributeDiff> {
        let view = &self.views[&standing.backend];
        let by_hand = ["backend", "name", "private_key", "key_file", "public_key", "persist"];
        let is_made = standing.fate != Fate::Keep;
        let found = found.filter(|_| standing.fate != Fate::Create);
        let mut diffs = self.differences(desired, view.kind, found, &by_hand);
        match standing.fate {
            Fate::Create => all_new(&mut diffs),
            Fate::Replace => as_new_object(&mut diffs),
            Fate::Keep | Fate::Pending => {}
        }
        if is_made && !desired.fields.contains_key("listen_port") {
            let recorded = standing.record.as_ref().and_then(|it| it.attributes.get("listen_port"));
            let after = recorded.cloned().map_or(Side::Unknown, Side::Known);
            let before = found.and_then(|found| found.get("listen_port")).cloned();
            let is_same = before.clone().map(Side::Known).as_ref() == Some(&after);
            let class = if is_same { Class::Same } else { Class::Change };
            diffs.retain(|diff| diff.attribute.name != "listen_port");
            diffs.push(diff_of("listen_port", before, after, class));
        }
        let old = standing.old.as_ref();
        let renamed = old.map(|old| Json::from(old.name.clone()));
        let name = Json::from(standing.name.clone());
        let class = if renamed.as_ref() == Some(&name) { Class::Same } else { Class::Change };
        diffs.push(diff_of("name", renamed, Side::Known(name), class));
        if let Some(old) = old.filter(|old| old.backend != standing.backend) {
            let before = Json::from(old.backend.as_str());
            let after = Json::from(standing.backend.as_str());
            diffs.push(diff_of("backend", Some(before), Side::Known(after), Class::Change));
        }
        diffs.push(self.public_key_diff(standing, key));
        diffs.extend(self.persist_diff(desired, standing));
        if key.file.is_some()
            && key.source.is_some()
            && standing.fate == Fate::Keep
            && !key.replaces_known
        {
            diffs.push(key_file_diff(standing, key));
        }
        if let (Some(old), None, Fate::Keep) = (&key.remove_file, &key.file, &standing.fate) {
            let before = Json::from(old.display().to_string());
            diffs.retain(|diff| diff.attribute.name != "key_file");
            diffs.push(diff_of("key_file", Some(before), Side::Unset, Class::Change));
        }
        let order = |diff: &AttributeDiff| {
            declaration::attributes(Kind::Interface)
                .iter()
                .position(|it| it.name == diff.attribute.name)
        };
        diffs.sort_by_key(order);
        if self.interrupted.contains(&desired.address) {
            let drift = diffs.iter_mut().filter(|diff| diff.class == Class::Drift);
            drift.for_each(|diff| diff.class = Class::Change);
        }
        diffs
    }

    /// What brings the interface back is no property of the device, and what was said of it last is what there is.
    fn persist_diff(&self, desired: &Desired, standing: &Standing<'_>) -> Option<AttributeDiff> {
        let record = standing.record.as_ref();
        let applied = record.and_then(|it| it.attributes.get("persist")).cloned();
        let before = applied.unwrap_or_else(|| "none".into());
        let after = self.side(desired, "persist");
        let is_made = standing.fate == Fate::Create;
        let is_same = after == Side::Known(before.clone());
        if is_same && before == "none" {
            return None;
        }
        let class = if is_same && !is_made { Class::Same } else { Class::Change };
        Some(diff_of("persist", Some(before).filter(|_| !is_made), after, class))
    }

    fn publish_interface(
        &mut self,
        desired: &Desired,
        standing: &Standing<'_>,
        found: Option<&BTreeMap<&'static str, Json>>,
        key: &KeyPlan,
        port: Option<u32>,
    ) {
        let address = &desired.address;
        self.known.publish(address, "name", Field::Text(standing.name.clone()));
        if let Some(public) = key.public {
            self.known.publish(address, "public_key", Field::PublicKey(public));
        }
        let found_port =
            found.filter(|_| standing.fate == Fate::Keep).and_then(|it| it.get("listen_port"));
        let found_port =
            found_port.and_then(Json::as_u64).and_then(|port| u32::try_from(port).ok());
        let is_down = desired.fields.get("enabled") == Some(&Wanted::Known(Field::Bool(false)));
        match found_port.or(port) {
            Some(port) => self.known.publish(address, "listen_port", Field::Number(port)),
            // The device chooses one when the link is brought up, which this apply does not do.
            None if is_down => self.known.publish_null(address, "listen_port"),
            None => {}
        }
    }
}

/// Returns a resource as it is wanted where nothing of it is held; none where nothing is.
pub(crate) fn without_holds(desired: &Desired) -> Option<Desired> {
    if desired.held.is_empty() {
        return None;
    }
    let mut desired = desired.clone();
    let held = std::mem::take(&mut desired.held);
    desired.ignored.retain(|name| !held.contains(name));
    Some(desired)
}

fn recorded_key(standing: &Standing<'_>) -> Option<PublicKey> {
    standing.record.as_ref().and_then(|record| public_key(&record.object))
}

/// Makes the difference of an attribute that is compared by hand.
pub(crate) fn diff_of(
    name: &str,
    before: Option<Json>,
    after: Side,
    class: Class,
) -> AttributeDiff {
    let attribute = declaration::attribute(Kind::Interface, name)
        .or_else(|| declaration::attribute(Kind::Peer, name))
        .expect("the attributes named in this program are declared");
    AttributeDiff { attribute, class, before, after, was: None, elements: None }
}
