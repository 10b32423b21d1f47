//! Where the private key of an interface comes from, where it is kept, and who has to learn a new one.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::actual::{FoundInterface, KeyFile, OwnKeys, Picture};
use crate::config::{Desired, Wanted};
use crate::diagnostic::Diagnostic;
use crate::diff::{AttributeDiff, Class, Side};
use crate::persist;
use crate::plan::check::span;
use crate::plan::persist::{Persisted, style};
use crate::plan::recover::public_key;
use crate::plan::walk::interface::{Standing, diff_of};
use crate::plan::walk::{Fate, Planner};
use crate::plan::{KeySource, Note, Refusal};
use crate::resource::{Address, BackendId, Field, Kind};
use crate::state::{ObjectKey, ResourceRecord};
use crate::value::{PrivateKey, PublicKey};

/// A key of an interface and where it comes from.
#[derive(Debug, Default)]
pub(crate) struct KeyPlan {
    /// Where it comes from when it has to be written; none when the device has it.
    pub(crate) source: Option<KeySource>,
    /// The public key afterwards, when it is known.
    pub(crate) public: Option<PublicKey>,
    /// Where it is kept from now on, when that has to be written.
    pub(crate) file: Option<PathBuf>,
    /// A key file that goes.
    pub(crate) remove_file: Option<PathBuf>,
    /// Copies of the key that an apply which was cut off has left. They go.
    pub(crate) strays: OwnKeys,
    /// Whether an older key was known, and whoever had it must learn this one.
    pub(crate) replaces_known: bool,
}

impl KeyPlan {
    /// Returns whether nothing of the key and its files is written.
    pub(crate) fn is_untouched(&self) -> bool {
        self.source.is_none() && self.remove_file.is_none() && self.strays.remove.is_empty()
    }
}

impl Planner<'_> {
    /// Returns what becomes of the key of an interface, and of the files that it is in.
    pub(super) fn key_plan(
        &mut self,
        desired: &Desired,
        standing: &Standing<'_>,
        notes: &mut Vec<Note>,
    ) -> KeyPlan {
        let key = self.wanted_key(desired, standing, notes);
        let mut strays = self.strays.get(&desired.address).cloned().unwrap_or_default();
        let path = self.key_path(desired, standing);
        strays.remove.retain(|it| Some(it) != path.as_ref());
        KeyPlan { strays, ..key }
    }

    fn wanted_key(
        &mut self,
        desired: &Desired,
        standing: &Standing<'_>,
        notes: &mut Vec<Note>,
    ) -> KeyPlan {
        let recorded = standing.record.as_ref().and_then(|record| public_key(&record.object));
        let recorded_file = standing.record.as_ref().and_then(recorded_key_file);
        let found = found_key(standing.found);
        if standing.fate == Fate::Create
            && self.refuse_renamed(&desired.address, "another one would be made beside it")
        {
            return KeyPlan { public: recorded, ..KeyPlan::default() };
        }
        if desired.ignored.contains("private_key") {
            // The key that the device holds is the one that is wanted.
            return KeyPlan { public: found.or(recorded), ..KeyPlan::default() };
        }
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

    /// Returns where a key that wgform makes for the interface is kept.
    pub(super) fn key_path(&self, desired: &Desired, standing: &Standing<'_>) -> Option<PathBuf> {
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
            let kept = kept_file(desired, standing, picture, path, remove_file);
            return kept.unwrap_or(untouched);
        }
        self.changed_key(desired, standing, picture, path, remove_file, notes)
    }

    /// The key of an interface that stays and whose key was changed, or that is half-made and has none.
    fn changed_key(
        &mut self,
        desired: &Desired,
        standing: &Standing<'_>,
        picture: &Picture,
        path: Option<PathBuf>,
        remove_file: Option<PathBuf>,
        notes: &mut Vec<Note>,
    ) -> KeyPlan {
        let recorded = standing.record.as_ref().and_then(|record| public_key(&record.object));
        let found = found_key(standing.found);
        let held = standing.found.and_then(|found| found.private_key.clone());
        let in_files = path.iter().chain(&remove_file).filter_map(|path| held_in(picture, path));
        let mut in_files =
            in_files.filter(|key| recorded.is_none() || Some(key.public()) == recorded);
        let elsewhere = || self.found_elsewhere(standing);
        let moves = remove_file.is_some();
        match in_files.next().map(|key| (key, moves)).or_else(|| Some((elsewhere()?, true))) {
            Some((key, is_written)) => KeyPlan {
                public: Some(key.public()),
                source: Some(KeySource::Held(key)),
                file: path.filter(|_| is_written),
                remove_file,
                ..KeyPlan::default()
            },
            // One that the device has and does not show is a key too.
            None if found.is_none() => {
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
                // One that was given, or that wgform made, has a file now, which has to hold the one that there is.
                let record = standing.record.as_ref();
                let file = path.filter(|_| record.is_some_and(|it| has_key_file(desired, it)));
                let source = held.filter(|_| file.is_some()).map(KeySource::Held);
                let remove_file = remove_file.filter(|_| source.is_some());
                let public = found.or(recorded);
                KeyPlan { source, file, public, remove_file, ..KeyPlan::default() }
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
        let kept = self.kept_somewhere(desired, standing, path.clone());
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
        // A file that the user has for a key is theirs, and stays the only one.
        let stays = standing.record.as_ref().is_some_and(|it| !has_key_file(desired, it))
            && !standing.reason.is_request()
            && from.is_some()
            && from == path;
        if recorded.is_none() {
            notes.extend(from.map(Note::KeyTakenFrom));
        }
        let file = path.filter(|_| !stays);
        KeyPlan {
            public: Some(key.public()),
            source: Some(KeySource::Held(key)),
            file,
            remove_file,
            ..KeyPlan::default()
        }
    }

    /// Returns the key that an interface had, and the file that it is in, where that is not the device.
    fn kept_somewhere(
        &self,
        desired: &Desired,
        standing: &Standing<'_>,
        path: Option<PathBuf>,
    ) -> Option<(PrivateKey, Option<PathBuf>)> {
        let recorded = standing.record.as_ref().and_then(|record| public_key(&record.object));
        let recorded_file = standing.record.as_ref().and_then(recorded_key_file);
        let on_device = standing.found.and_then(|found| found.private_key.clone());
        let old_backend = standing.record.as_ref().and_then(|record| record.backend.clone());
        let files = [(Some(standing.backend.clone()), path), (old_backend, recorded_file)];
        let in_files = files.into_iter().filter_map(|(backend, path)| {
            let (backend, path) = (backend?, path?);
            let picture = self.picture(&backend)?;
            let is_anothers = self.is_key_file_of_another(&desired.address, &backend, &path);
            let is_ours = |key: &PrivateKey| match recorded {
                Some(recorded) => key.public() == recorded,
                None => !is_anothers && !self.is_key_of_another(&desired.address, key.public()),
            };
            held_in(picture, &path).filter(is_ours).map(|key| (key, path))
        });
        let mut held = on_device
            .into_iter()
            .map(|key| (key, None))
            .chain(in_files.map(|(key, path)| (key, Some(path))));
        let kept = held.find(|(key, _)| recorded.is_none_or(|recorded| key.public() == recorded));
        drop(held);
        match recorded {
            _ if kept.is_some() => kept,
            Some(_) => Some((self.found_elsewhere(standing)?, None)),
            None => self.left_at_boot(desired, standing),
        }
    }

    /// Returns the key in a file of wgform's that brings back an interface of that name, of which there is no record: it would
    /// be written over.
    fn left_at_boot(
        &self,
        desired: &Desired,
        standing: &Standing<'_>,
    ) -> Option<(PrivateKey, Option<PathBuf>)> {
        let boot = self.picture(&standing.backend)?.boot.as_ref()?;
        let paths = style(desired)?.paths(&standing.name);
        paths.into_iter().find_map(|path| {
            let file = boot.files.get(&path).filter(|it| persist::is_ours(&path, &it.text))?;
            let key = persist::private_key(&path, &file.text)?;
            let is_anothers = self.is_key_of_another(&desired.address, key.public());
            (!is_anothers).then_some((key, Some(path)))
        })
    }

    /// Returns the recorded key from wherever else it is on a host: a key file that moved without a record of it, or a file
    /// that brings an interface back at boot.
    fn found_elsewhere(&self, standing: &Standing<'_>) -> Option<PrivateKey> {
        let record = standing.record.as_ref()?;
        let recorded = public_key(&record.object)?;
        let backends = record.backend.iter().chain([&standing.backend]);
        let pictures: Vec<&Picture> = backends.filter_map(|it| self.picture(it)).collect();
        let files = pictures.iter().flat_map(|it| it.key_files.values());
        let keys = files.filter_map(|file| match file {
            KeyFile::Key(key) => Some(key.clone()),
            KeyFile::Unusable(_) => None,
        });
        let boot = pictures.iter().filter_map(|it| it.boot.as_ref()).flat_map(|it| &it.files);
        let of_boot = boot.filter_map(|(path, file)| persist::private_key(path, &file.text));
        keys.chain(of_boot).find(|key| key.public() == recorded)
    }

    /// Returns whether the file belongs to another interface on the same system; on another one it is another file.
    fn is_key_file_of_another(&self, address: &Address, backend: &BackendId, path: &Path) -> bool {
        let others = self.state.resources.iter().filter(|(other, _)| *other != address);
        others.into_iter().any(|(_, record)| {
            let on = record.backend.as_ref();
            let is_current = recorded_key_file(record).as_deref() == Some(path)
                && on.is_some_and(|on| self.is_same_machine(on, backend));
            is_current
                || record.deposed.iter().any(|it| {
                    let file = it.attributes.get("key_file").and_then(Json::as_str);
                    file.map(Path::new) == Some(path) && self.is_same_machine(&it.backend, backend)
                })
        })
    }

    /// Returns whether another interface has the key, wherever it is.
    fn is_key_of_another(&self, address: &Address, key: PublicKey) -> bool {
        let others = self.state.resources.iter().filter(|(other, _)| *other != address);
        let others = others.filter(|(other, _)| other.kind == Kind::Interface);
        others.into_iter().any(|(_, record)| {
            public_key(&record.object) == Some(key)
                || record.deposed.iter().any(|it| public_key(&it.object) == Some(key))
        })
    }

    pub(super) fn public_key_diff(&self, standing: &Standing<'_>, key: &KeyPlan) -> AttributeDiff {
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
        diff_of("public_key", before.map(json), after, class)
    }

    /// Says that a key was changed, where nothing has to be written for it and so no change says it.
    pub(super) fn warn_of_kept_key(&mut self, desired: &Desired, key: &KeyPlan, notes: &[Note]) {
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
        let problem = Diagnostic::error("unusable key file")
            .label(span(desired, "key_file"), format!("`{}`: {why}", path.display()))
            .help("Move the file away, or name another `key_file`.");
        self.diagnostics.push(problem);
    }

    fn guard_new_key(&mut self, address: &Address, recorded: Option<PublicKey>) {
        let Some(recorded) = recorded.filter(|_| !self.options.allow_new_key.contains(address))
        else {
            return;
        };
        if self.is_hidden_key(address, recorded) {
            self.refuse(address, Refusal {
                message: format!(
                    "`{address}` has the key {recorded}, which its device does not show: it would get a NEW KEY, and every \
                     far end would have to learn it"
                ),
                hints: vec![
                    "let the device show private keys, or write the key as `private_key`".to_owned(),
                    format!("or accept the new key with `-allow-new-key={}`", address.in_shell()),
                ],
            });
            return;
        }
        self.refuse(address, Refusal {
            message: format!(
                "`{address}` had the key {recorded}, which is on the host no longer: it would get a NEW KEY, and every \
                 far end would have to learn it"
            ),
            hints: vec![
                "put the key file back if there is a copy of it".to_owned(),
                format!("or accept the new key with `-allow-new-key={}`", address.in_shell()),
            ],
        });
    }

    /// Returns whether the device has that key and does not show it.
    fn is_hidden_key(&self, address: &Address, recorded: PublicKey) -> bool {
        let found = self.state.resources.get(address).and_then(|record| {
            let ObjectKey::Interface { name, .. } = &record.object else { return None };
            self.picture(record.backend.as_ref()?)?.interfaces.get(name)
        });
        found.is_some_and(|it| found_key(Some(it)) == Some(recorded) && it.private_key.is_none())
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
            refusals.extend(self.unreached_far_ends(address).map(|it| (address.clone(), it)));
            refusals.extend(self.held_far_ends(address).map(|it| (address.clone(), it)));
        }
        self.refusals.extend(refusals);
    }

    fn unreached_far_ends(&self, address: &Address) -> Option<Refusal> {
        let is_meant =
            |it: &&Desired| is_far_end(it, address) && !self.held_back.contains_key(&it.address);
        let far_ends = self.out_of_view.values().filter(is_meant);
        let far_ends: Vec<String> = far_ends.map(|it| format!("`{}`", it.address)).collect();
        (!far_ends.is_empty()).then(|| Refusal {
            message: format!(
                "`{address}` would get another key, and {} cannot be reached now to learn it",
                far_ends.join(", ")
            ),
            hints: vec!["run again when every far end can be reached".to_owned()],
        })
    }

    /// A far end that is held keeps the old key, and the tunnel is cut.
    fn held_far_ends(&self, address: &Address) -> Option<Refusal> {
        if self.options.allow_new_key.contains(address) {
            return None;
        }
        let back = self.out_of_view.values().filter(|it| self.held_back.contains_key(&it.address));
        let kept = self.desired.values().filter(|it| it.held.contains("public_key"));
        let far_ends = back.chain(kept).filter(|it| is_far_end(it, address));
        let far_ends: Vec<String> = far_ends.map(|it| format!("`{}`", it.address)).collect();
        (!far_ends.is_empty()).then(|| Refusal {
            message: format!(
                "`{address}` would get another key, and {} would not learn it while held",
                far_ends.join(", ")
            ),
            hints: vec![
                "end the hold first, or leave the key as it is until then".to_owned(),
                format!("or accept the new key with `-allow-new-key={}`", address.in_shell()),
            ],
        })
    }
}

/// Returns whether a peer on another interface may hold the key of this one.
fn is_far_end(desired: &Desired, interface: &Address) -> bool {
    desired.address.kind == Kind::Peer
        && desired.may_hold_key_of(interface)
        && desired.references.get("interface").is_none_or(|on| **on != *interface)
}

/// The untouched key of an interface that stays, where its file has to be written; none where nothing has to be.
fn kept_file(
    desired: &Desired,
    standing: &Standing<'_>,
    picture: &Picture,
    path: Option<PathBuf>,
    remove_file: Option<PathBuf>,
) -> Option<KeyPlan> {
    let record = standing.record.as_ref()?;
    let recorded = public_key(&record.object);
    let path = path.filter(|_| has_key_file(desired, record))?;
    let is_kept = held_in(picture, &path).is_some_and(|key| Some(key.public()) == recorded);
    let held = standing.found?.private_key.clone()?;
    (!is_kept || remove_file.is_some()).then(|| KeyPlan {
        source: Some(KeySource::Held(held)),
        public: recorded,
        file: Some(path),
        remove_file,
        ..KeyPlan::default()
    })
}

/// Returns whether a key that is no longer given, or was not, has a file: one that was imported stays where it is, as long as
/// that is not only the file which brings the interface back at boot, and which is to go.
fn has_key_file(desired: &Desired, record: &ResourceRecord) -> bool {
    let loses_boot_files =
        style(desired).is_none() && Persisted::last(&record.attributes).is_some();
    recorded_key_file(record).is_some()
        || record.attributes.contains_key("private_key")
        || loses_boot_files
}

/// The key is written into a file: the one that it was in, and is in no longer; or another one.
pub(super) fn key_file_diff(standing: &Standing<'_>, key: &KeyPlan) -> AttributeDiff {
    let text = |path: &PathBuf| Json::from(path.display().to_string());
    let recorded = standing.record.as_ref().and_then(recorded_key_file);
    let after = key.file.as_ref().map_or(Side::Unknown, |path| Side::Known(text(path)));
    match recorded {
        Some(old) if Some(&old) == key.file.as_ref() => {
            diff_of("key_file", None, after, Class::Drift)
        }
        old => diff_of("key_file", old.as_ref().map(text), after, Class::Change),
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

fn held_in(picture: &Picture, path: &Path) -> Option<PrivateKey> {
    match picture.key_files.get(path) {
        Some(KeyFile::Key(key)) => Some(key.clone()),
        _ => None,
    }
}
