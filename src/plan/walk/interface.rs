//! One interface: which object it is, what differs, and where its key comes from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value as Json;

use crate::actual::{FoundInterface, KeyFile, NameServers, Picture};
use crate::config::{Desired, Wanted};
use crate::diagnostic::Diagnostic;
use crate::diff::{AttributeDiff, Class, Side};
use crate::plan::recover::public_key;
use crate::plan::routes::{self, RoutePlan};
use crate::plan::walk::{Device, Fate, KeyPlan, Node, Planner, all_new, as_new_object};
use crate::plan::{KeySource, Note, Reason, Refusal};
use crate::resource::{Address, BackendId, Field, Kind, declaration};
use crate::state::{ObjectKey, ResourceRecord};
use crate::value::{Cidr, PrivateKey, PublicKey};

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
        let standing = self.interface_standing(&desired);
        self.check_name(&desired, &standing);
        self.check_persist(&desired, &standing.backend, &standing.name);
        self.check_resolver(&desired, &standing.backend);
        let found = self.found_interface(&standing);
        let mut notes = Vec::new();
        self.settle_mark(&mut desired, &standing, &mut notes);
        let key = self.key_plan(&desired, &standing, &mut notes);
        desired.fields.insert("name", Wanted::Known(Field::Text(standing.name.clone())));
        let diffs = self.interface_diffs(&desired, &standing, found.as_ref(), &key);
        let recorded_port =
            standing.record.as_ref().and_then(|it| it.attributes.get("listen_port"));
        let port = recorded_port.and_then(Json::as_u64).and_then(|port| u32::try_from(port).ok());
        let key_file = self.key_path(&desired, &standing);
        self.publish_interface(&desired, &standing, found.as_ref(), &key, port);
        match &key_file {
            Some(path) => {
                self.known.publish(&address, "key_file", Field::Text(path.display().to_string()));
            }
            None if desired.fields.contains_key("private_key") => {
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
            _ => recorded_name.clone().unwrap_or_else(|| address.default_name()),
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
            Some(old) if self.options.replace.contains(address) => {
                (Fate::Replace, Reason::Requested, Some(old))
            }
            Some(old) => (Fate::Keep, Reason::Configuration, Some(old)),
        };
        Standing { backend, name, record, old, found, fate, reason }
    }

    fn renames(&self, backend: &BackendId) -> bool {
        self.picture(backend).is_some_and(|picture| picture.capabilities.renames)
    }

    /// Reports a name that cannot be had.
    fn check_name(&mut self, desired: &Desired, standing: &Standing<'_>) {
        let Standing { backend, name, old, .. } = standing;
        let address = &desired.address;
        let span = desired.spans.get("name").unwrap_or(&desired.span);
        if desired.fields.get("name") == Some(&Wanted::Unknown) {
            let problem = Diagnostic::error("interface name that is not known yet")
                .label(span, "this depends on something that only the apply makes")
                .help("Write a `name` that does not depend on what the device of another resource says.");
            self.diagnostics.push(problem);
        }
        let is_old = old.as_ref().is_some_and(|old| old.backend == *backend && old.name == *name);
        let Some(picture) = self.picture(backend).filter(|_| !is_old) else { return };
        if picture.other_links.contains(name) {
            let problem = Diagnostic::error("interface name taken by another link")
                .label(
                    span,
                    format!("`{name}` on backend `{backend}` is a link that is not WireGuard's"),
                )
                .help("Give the interface another `name`.");
            self.diagnostics.push(problem);
        } else if picture.interfaces.contains_key(name)
            && self.owners.interface(backend, name).is_none()
        {
            let problem = Diagnostic::error("existing interface that wgform does not manage")
                .label(span, format!("`{name}` is already on backend `{backend}`"))
                .help(format!("To take it over, run:\n\n  wgform import {address} {name}"));
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
        let span = |name| desired.spans.get(name).unwrap_or(&desired.span);
        let problem = match picture.capabilities.name_servers {
            NameServers::Nowhere if has_servers || !domains.is_empty() => {
                let at = span(if has_servers { "dns" } else { "dns_search" });
                Diagnostic::error("name servers for a host without a resolver")
                    .label(at, format!("nothing on backend `{backend}` takes name servers for a link"))
                    .help("Install `systemd-resolved` there and start it, or install `openresolv`, which some systems call `resolvconf`.")
            }
            NameServers::Taken => {
                let routed = domains.iter().find(|it| it.starts_with('~') && *it != "~.");
                let Some(domain) = routed else { return };
                Diagnostic::error("domain that the host's resolver cannot route")
                    .label(span("dns_search"), format!("`{domain}` needs systemd-resolved, and backend `{backend}` has `resolvconf`"))
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
        let mut found = self.found_values(&found.fields);
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
            diffs.push(one("listen_port", before, after, class));
        }
        let old = standing.old.as_ref();
        let renamed = old.map(|old| Json::from(old.name.clone()));
        let name = Json::from(standing.name.clone());
        let class = if renamed.as_ref() == Some(&name) { Class::Same } else { Class::Change };
        diffs.push(one("name", renamed, Side::Known(name), class));
        if let Some(old) = old.filter(|old| old.backend != standing.backend) {
            let before = Json::from(old.backend.as_str());
            let after = Json::from(standing.backend.as_str());
            diffs.push(one("backend", Some(before), Side::Known(after), Class::Change));
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
            diffs.push(one("key_file", Some(before), Side::Unset, Class::Change));
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

    fn public_key_diff(&self, standing: &Standing<'_>, key: &KeyPlan) -> AttributeDiff {
        let recorded = standing.record.as_ref().and_then(|record| public_key(&record.object));
        let found = found_key(standing.found);
        let before = if self.options.without_refresh { recorded } else { found };
        let before = before.filter(|_| standing.old.is_some());
        let class = match key.public {
            public if public.is_some() && public == before => Class::Same,
            _ if standing.fate != Fate::Keep => Class::Change,
            public if public.is_some() && public == recorded => Class::Drift,
            _ => Class::Change,
        };
        let json = |key: PublicKey| Json::from(key.to_string());
        let after = key.public.map_or(Side::Unknown, |public| Side::Known(json(public)));
        one("public_key", before.map(json), after, class)
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
        Some(one("persist", Some(before).filter(|_| !is_made), after, class))
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

    /// Returns where a key that wgform makes for the interface is kept.
    fn key_path(&self, desired: &Desired, standing: &Standing<'_>) -> Option<PathBuf> {
        if desired.fields.contains_key("private_key") {
            return None;
        }
        match desired.fields.get("key_file").and_then(Wanted::known) {
            Some(Field::Text(path)) => Some(PathBuf::from(path)),
            _ => {
                Some(self.picture(&standing.backend)?.key_directory.as_ref()?.join(&standing.name))
            }
        }
    }

    fn key_plan(
        &mut self,
        desired: &Desired,
        standing: &Standing<'_>,
        notes: &mut Vec<Note>,
    ) -> KeyPlan {
        let recorded = standing.record.as_ref().and_then(|record| public_key(&record.object));
        let recorded_file = standing.record.as_ref().and_then(recorded_key_file);
        let found = found_key(standing.found);
        if let Some(wanted) = desired.fields.get("private_key") {
            let private = match wanted.known() {
                Some(Field::PrivateKey(private)) => Some(private.public()),
                _ => None,
            };
            let is_there = standing.fate == Fate::Keep
                && private.is_some()
                && private == found.or(recorded.filter(|_| self.options.without_refresh));
            return KeyPlan {
                source: (!is_there).then_some(KeySource::Configured),
                public: private,
                remove_file: recorded_file,
                replaces_known: recorded.is_some() && private != recorded,
                ..KeyPlan::default()
            };
        }
        let path = self.key_path(desired, standing);
        let remove_file = recorded_file.clone().filter(|old| path.as_ref() != Some(old));
        if self.is_rotated(desired, standing) {
            let tell = recorded.is_some();
            return KeyPlan {
                source: Some(KeySource::New),
                file: path,
                remove_file,
                replaces_known: tell,
                ..KeyPlan::default()
            };
        }
        match standing.fate {
            Fate::Keep => self.kept_key(desired, standing, path, remove_file, notes),
            _ => self.made_key(desired, standing, path, remove_file, notes),
        }
    }

    /// Says that a key was changed, where nothing has to be written for it and so no change says it.
    fn warn_of_kept_key(&mut self, desired: &Desired, key: &KeyPlan, notes: &[Note]) {
        let kept = notes.iter().find_map(|note| match note {
            Note::KeyKept(kept) if key.source.is_none() => Some(kept),
            _ => None,
        });
        let Some(kept) = kept else { return };
        self.warnings.push(
            Diagnostic::warning("interface with another key")
                .label(&desired.span, format!("its key was changed outside of wgform, to `{kept}`"))
                .help("The old key is nowhere to be found, so the new one is kept. Give the new public key to every peer that has the old one."),
        );
    }

    fn is_rotated(&self, desired: &Desired, standing: &Standing<'_>) -> bool {
        let Some(record) = &standing.record else { return false };
        match self.side(desired, "key_rotation") {
            Side::Known(now) => record.attributes.get("key_rotation") != Some(&now),
            Side::Unset | Side::Unknown => false,
        }
    }

    /// The key of an interface that stays: nothing, unless the key or its file was changed outside.
    fn kept_key(
        &mut self,
        desired: &Desired,
        standing: &Standing<'_>,
        path: Option<PathBuf>,
        remove_file: Option<PathBuf>,
        notes: &mut Vec<Note>,
    ) -> KeyPlan {
        let recorded = standing.record.as_ref().and_then(|record| public_key(&record.object));
        let found = found_key(standing.found);
        let untouched = KeyPlan { public: found.or(recorded), ..KeyPlan::default() };
        let Some(picture) = self.picture(&standing.backend) else { return untouched };
        if found == recorded {
            let kept = kept_file(standing, picture, path, remove_file);
            return kept.unwrap_or(untouched);
        }
        self.changed_key(desired, standing, picture, path, notes)
    }

    /// The key of an interface that stays and whose key was changed, or that is half-made and has none.
    fn changed_key(
        &mut self,
        desired: &Desired,
        standing: &Standing<'_>,
        picture: &Picture,
        path: Option<PathBuf>,
        notes: &mut Vec<Note>,
    ) -> KeyPlan {
        let recorded = standing.record.as_ref().and_then(|record| public_key(&record.object));
        let recorded_file = standing.record.as_ref().and_then(recorded_key_file);
        let found = found_key(standing.found);
        let held = standing.found.and_then(|found| found.private_key.clone());
        let file = path.clone().or(recorded_file.clone());
        let from_file = file.as_ref().and_then(|path| held_in(picture, path));
        match from_file.filter(|key| recorded.is_none() || Some(key.public()) == recorded) {
            Some(key) => KeyPlan {
                public: Some(key.public()),
                source: Some(KeySource::Held(key)),
                ..KeyPlan::default()
            },
            None if held.is_none() => {
                self.guard_new_key(&desired.address, recorded);
                let replaces_known = recorded.is_some();
                KeyPlan {
                    source: Some(KeySource::New),
                    file: path,
                    replaces_known,
                    ..KeyPlan::default()
                }
            }
            None => {
                notes.extend(found.map(Note::KeyKept));
                // Only a key that wgform made has a file, which has to hold the one that there is now.
                let file = path.filter(|_| recorded_file.is_some());
                let source = held.filter(|_| file.is_some()).map(KeySource::Held);
                KeyPlan { source, file, public: found.or(recorded), ..KeyPlan::default() }
            }
        }
    }

    /// The key of an interface that is made: the one that it had, wherever that is; else a new one.
    fn made_key(
        &mut self,
        desired: &Desired,
        standing: &Standing<'_>,
        path: Option<PathBuf>,
        remove_file: Option<PathBuf>,
        notes: &mut Vec<Note>,
    ) -> KeyPlan {
        let recorded = standing.record.as_ref().and_then(|record| public_key(&record.object));
        let recorded_file = standing.record.as_ref().and_then(recorded_key_file);
        let on_device = standing.found.and_then(|found| found.private_key.clone());
        let old_backend = standing.record.as_ref().and_then(|record| record.backend.clone());
        let files = [(Some(standing.backend.clone()), path.clone()), (old_backend, recorded_file)];
        let in_files = files.into_iter().filter_map(|(backend, path)| {
            let (backend, path) = (backend?, path?);
            let picture = self.picture(&backend)?;
            let is_anothers = self.is_key_file_of_another(&desired.address, &backend, &path);
            held_in(picture, &path).filter(|_| !is_anothers).map(|key| (key, path))
        });
        let mut held = on_device
            .into_iter()
            .map(|key| (key, None))
            .chain(in_files.map(|(key, path)| (key, Some(path))));
        let kept = held.find(|(key, _)| recorded.is_none_or(|recorded| key.public() == recorded));
        drop(held);
        let is_unread = self.options.without_refresh && self.picture(&standing.backend).is_none();
        if is_unread && kept.is_none() && recorded.is_some() {
            // Which key there is is not looked at, and an apply does look.
            let source = Some(KeySource::New);
            return KeyPlan {
                source,
                public: recorded,
                file: path,
                remove_file,
                ..KeyPlan::default()
            };
        }
        let Some((key, from)) = kept else {
            self.guard_new_key(&desired.address, recorded);
            self.report_unusable(desired, standing, path.as_ref());
            let replaces_known = recorded.is_some();
            return KeyPlan {
                source: Some(KeySource::New),
                file: path,
                remove_file,
                replaces_known,
                ..KeyPlan::default()
            };
        };
        if recorded.is_none() {
            notes.extend(from.map(Note::KeyTakenFrom));
        }
        let was_imported = standing.record.as_ref().is_some_and(|it| !has_key_file(it));
        // One that goes before its successor is made needs a file for its key in between, and that stays.
        let file = path.filter(|_| !was_imported || standing.reason == Reason::Requested);
        KeyPlan {
            public: Some(key.public()),
            source: Some(KeySource::Held(key)),
            file,
            remove_file,
            ..KeyPlan::default()
        }
    }

    /// Returns whether the file belongs to another interface on the same system; on another one it is another file.
    fn is_key_file_of_another(
        &self,
        address: &Address,
        backend: &BackendId,
        path: &std::path::Path,
    ) -> bool {
        let others = self.state.resources.iter().filter(|(other, _)| *other != address);
        others.into_iter().any(|(_, record)| {
            let on = record.backend.as_ref();
            let is_current = recorded_key_file(record).as_deref() == Some(path)
                && on.is_some_and(|on| self.is_same_machine(on, backend));
            is_current
                || record.deposed.iter().any(|it| {
                    let file = it.attributes.get("key_file").and_then(Json::as_str);
                    file.map(std::path::Path::new) == Some(path)
                        && self.is_same_machine(&it.backend, backend)
                })
        })
    }

    /// Returns whether two backends have their files in common: network namespaces of one machine do.
    pub(crate) fn is_same_machine(&self, one: &BackendId, other: &BackendId) -> bool {
        let machine = |backend| {
            let identity = &self.picture(backend)?.identity.id;
            Some(identity.split_once("#netns=").map_or(identity.as_str(), |(machine, _)| machine))
        };
        one == other || machine(one).is_some_and(|it| Some(it) == machine(other))
    }

    fn guard_new_key(&mut self, address: &Address, recorded: Option<PublicKey>) {
        let Some(recorded) = recorded.filter(|_| !self.options.allow_new_key.contains(address))
        else {
            return;
        };
        self.refuse(address, Refusal {
            message: format!(
                "`{address}` had the key {recorded}, which is on the host no longer: it would get a NEW KEY, and every \
                 far end would have to learn it"
            ),
            hints: vec![
                "put the key file back if there is a copy of it".to_owned(),
                format!("or accept the new key with `-allow-new-key={address}`"),
            ],
        });
    }

    /// Refuses to change a key while somebody who has to learn it cannot be reached.
    pub(crate) fn guard_far_ends(&mut self) {
        let mut refusals = Vec::new();
        for (address, node) in &self.nodes {
            let diff = node.diffs.iter().find(|diff| diff.attribute.name == "public_key");
            let before = diff.and_then(|diff| diff.before.as_ref().map(|key| (key, &diff.after)));
            let is_new = before.is_some_and(|(key, after)| *after != Side::Known(key.clone()));
            let is_new = is_new && diff.is_some_and(|diff| diff.class == Class::Change);
            let is_new = is_new || node.interface().is_some_and(|it| it.key.replaces_known);
            if address.kind != Kind::Interface || !is_new {
                continue;
            }
            let far_ends: Vec<String> = self
                .out_of_view
                .values()
                .filter(|it| {
                    it.address.kind == Kind::Peer
                        && it.depends_on.contains(address)
                        && it.references.get("interface").is_none_or(|on| **on != *address)
                })
                .map(|it| format!("`{}`", it.address))
                .collect();
            if !far_ends.is_empty() {
                refusals.push((address.clone(), Refusal {
                    message: format!(
                        "`{address}` would get another key, and {} cannot be reached now to learn it",
                        far_ends.join(", ")
                    ),
                    hints: vec!["run again when every far end can be reached".to_owned()],
                }));
            }
        }
        self.refusals.extend(refusals);
    }

    fn report_unusable(
        &mut self,
        desired: &Desired,
        standing: &Standing<'_>,
        path: Option<&PathBuf>,
    ) {
        let Some(path) = path else { return };
        let picture = self.picture(&standing.backend);
        let Some(KeyFile::Unusable(why)) = picture.and_then(|it| it.key_files.get(path)) else {
            return;
        };
        let span = desired.spans.get("key_file").unwrap_or(&desired.span);
        let problem = Diagnostic::error("unusable key file")
            .label(span, format!("`{}`: {why}", path.display()))
            .help("Move the file away, or name another `key_file`.");
        self.diagnostics.push(problem);
    }

    /// Says why an object that stays is changed.
    pub(crate) fn keep_reason(
        &self,
        address: &Address,
        fate: Fate,
        reason: Reason,
        diffs: &[AttributeDiff],
    ) -> Reason {
        if fate != Fate::Keep {
            return reason;
        }
        let has = |class: Class| diffs.iter().any(|diff| diff.class == class);
        match (self.interrupted.contains(address), has(Class::Change), has(Class::Drift)) {
            (true, ..) => Reason::Interrupted,
            (false, false, true) => Reason::Drift,
            _ => Reason::Configuration,
        }
    }

    /// Says anew why an object that stays is changed, once its differences are others.
    pub(crate) fn settle_reason(&mut self, address: &Address) {
        let Some(node) = self.nodes.get(address) else { return };
        let reason = self.keep_reason(address, node.fate.clone(), node.reason.clone(), &node.diffs);
        if let Some(node) = self.nodes.get_mut(address) {
            node.reason = reason;
        }
    }
}

/// The untouched key of an interface that stays, where its file has to be written; none where nothing has to be.
fn kept_file(
    standing: &Standing<'_>,
    picture: &Picture,
    path: Option<PathBuf>,
    remove_file: Option<PathBuf>,
) -> Option<KeyPlan> {
    let record = standing.record.as_ref()?;
    let recorded = public_key(&record.object);
    let path = path.filter(|_| has_key_file(record))?;
    let is_kept = held_in(picture, &path).is_some_and(|key| Some(key.public()) == recorded);
    let held = standing.found?.private_key.clone()?;
    (!is_kept || remove_file.is_some()).then(|| KeyPlan {
        source: Some(KeySource::Held(held)),
        public: recorded,
        file: Some(path),
        remove_file,
        replaces_known: false,
    })
}

/// Returns whether a key that is no longer given, or was not, has a file: one that was imported stays where it is.
fn has_key_file(record: &ResourceRecord) -> bool {
    recorded_key_file(record).is_some() || record.attributes.contains_key("private_key")
}

/// The key is written into a file: the one that it was in, and is in no longer; or another one.
fn key_file_diff(standing: &Standing<'_>, key: &KeyPlan) -> AttributeDiff {
    let text = |path: &PathBuf| Json::from(path.display().to_string());
    let recorded = standing.record.as_ref().and_then(recorded_key_file);
    let after = key.file.as_ref().map_or(Side::Unknown, |path| Side::Known(text(path)));
    match recorded {
        Some(old) if Some(&old) == key.file.as_ref() => one("key_file", None, after, Class::Drift),
        old => one("key_file", old.as_ref().map(text), after, Class::Change),
    }
}

pub(crate) fn found_key(found: Option<&FoundInterface>) -> Option<PublicKey> {
    match found?.fields.get("public_key") {
        Some(Field::PublicKey(key)) => Some(*key),
        _ => None,
    }
}

pub(crate) fn recorded_key_file(record: &ResourceRecord) -> Option<PathBuf> {
    record.attributes.get("key_file").and_then(Json::as_str).map(PathBuf::from)
}

fn held_in(picture: &Picture, path: &std::path::Path) -> Option<PrivateKey> {
    match picture.key_files.get(path) {
        Some(KeyFile::Key(key)) => Some(key.clone()),
        _ => None,
    }
}

/// Makes the difference of an attribute that is compared by hand.
pub(crate) fn one(name: &str, before: Option<Json>, after: Side, class: Class) -> AttributeDiff {
    let attribute = declaration::attribute(Kind::Interface, name)
        .or_else(|| declaration::attribute(Kind::Peer, name))
        .expect("the attributes named in this program are declared");
    AttributeDiff { attribute, class, before, after, was: None, elements: None }
}
