//! What a power cut may leave of the files of a run.
//!
//! A file has what was in it at its last sync, and any part of what was written since, or zeroes in its place. A name
//! that was made, changed or removed since the directory was brought to the disk is as before or as after, each for
//! itself. That is more than any one file system does, and no less than what they promise.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(unreachable_pub, reason = "each test binary has this as a module of its own")]
#![allow(clippy::disallowed_methods, reason = "they look at files and write them")]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::harness::Project;

/// The file in a project in which a run lists what it does to its files.
pub const LIST: &str = "changes.list";

/// What the files of a state begin with.
const STATE: &str = "wgform.state.json";

/// What lies beside the state, and how much of it is on the disk.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    /// Changes of names that are not on the disk yet.
    waiting: Vec<Renaming>,
}

#[derive(Debug, Clone, Default)]
struct File {
    synced: Vec<u8>,
    now: Vec<u8>,
}

/// What names come to mean; nothing for one that goes.
type Renaming = Vec<(String, Option<usize>)>;

/// What is there after the power cut.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left(BTreeMap<String, Vec<u8>>);

impl Disk {
    /// Looks at what lies there before a run: all of that is on the disk.
    pub fn of(project: &Project) -> Self {
        let mut disk = Self::default();
        for entry in fs::read_dir(project.path()).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if name.starts_with(STATE) {
                let bytes = fs::read(entry.path()).unwrap();
                disk.names.insert(name, disk.files.len());
                disk.files.push(File { synced: bytes.clone(), now: bytes });
            }
        }
        disk
    }

    /// Does what the run in a project has listed.
    pub fn then(mut self, project: &Project) -> Self {
        let list = fs::read_to_string(project.path().join(LIST)).unwrap_or_default();
        for line in list.lines() {
            self.change(&serde_json::from_str(line).unwrap());
        }
        self
    }

    fn change(&mut self, change: &Json) {
        let name = |field: &str| {
            let path = change.get(field)?.as_str().unwrap();
            Some(Path::new(path).file_name()?.to_str().unwrap().to_owned())
        };
        if let Some(name) = name("make") {
            self.waiting.push(vec![(name, Some(self.files.len()))]);
            self.files.push(File::default());
        } else if let Some(name) = name("write") {
            // The lock is nothing that must last.
            let Some(file) = self.now().get(&name).copied() else { return };
            self.files[file].now.extend(change["text"].as_str().unwrap().bytes());
        } else if let Some(name) = name("cut") {
            let length = usize::try_from(change["length"].as_u64().unwrap()).unwrap();
            let file = self.now()[&name];
            self.files[file].now.truncate(length);
        } else if let Some(name) = name("sync") {
            let file = self.now()[&name];
            self.files[file].synced = self.files[file].now.clone();
        } else if let (Some(from), Some(to)) = (name("rename"), name("to")) {
            let file = self.now()[&from];
            self.waiting.push(vec![(to, Some(file)), (from, None)]);
        } else if let Some(name) = name("remove") {
            self.waiting.push(vec![(name, None)]);
        } else if change.get("sync_directory").is_some() {
            self.names = self.now();
            self.waiting.clear();
        }
    }

    fn now(&self) -> BTreeMap<String, usize> {
        renamed(&self.names, &self.waiting)
    }
}

fn renamed<'a>(
    names: &BTreeMap<String, usize>,
    changes: impl IntoIterator<Item = &'a Renaming>,
) -> BTreeMap<String, usize> {
    let mut names = names.clone();
    for (name, file) in changes.into_iter().flatten() {
        match file {
            Some(file) => _ = names.insert(name.clone(), *file),
            None => _ = names.remove(name),
        }
    }
    names
}

impl File {
    fn left(&self) -> BTreeSet<Vec<u8>> {
        let Self { synced, now } = self;
        let mut left = BTreeSet::from([synced.clone(), now.clone()]);
        if let Some(rest) = now.strip_prefix(synced.as_slice()) {
            left.insert([synced, &rest[..rest.len() / 2]].concat());
            left.insert([synced.as_slice(), &vec![0; rest.len()]].concat());
            left.insert(
                [synced, &rest[..rest.len() / 2], &vec![0; rest.len().div_ceil(2)]].concat(),
            );
        }
        left
    }
}

/// Returns every disk that a power cut may leave.
pub fn after_power_cut(disk: Disk) -> BTreeSet<Left> {
    let Disk { files, names, waiting } = disk;
    let mut left = BTreeSet::new();
    for chosen in 0_u32..1 << waiting.len() {
        let done = waiting.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1);
        let names = renamed(&names, done.map(|(_, renaming)| renaming));
        let mut disks = vec![BTreeMap::new()];
        for (name, file) in names {
            let mut more = Vec::new();
            for bytes in files[file].left() {
                more.extend(disks.iter().cloned().map(|mut disk: BTreeMap<_, _>| {
                    disk.insert(name.clone(), bytes.clone());
                    disk
                }));
            }
            disks = more;
        }
        left.extend(disks.into_iter().map(Left));
    }
    left
}

impl Left {
    /// Makes it so that this is what lies beside the state, with the lock of a run that is no more.
    pub fn put(&self, project: &Project) {
        for entry in fs::read_dir(project.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with(STATE) {
                fs::remove_file(path).unwrap();
            }
        }
        for (name, bytes) in &self.0 {
            fs::write(project.path().join(name), bytes).unwrap();
        }
        project.add("wgform.state.json.lock", "{\n  \"id\": \"half a");
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(name, bytes)| {
            let zeroes = bytes.iter().filter(|byte| **byte == 0).count();
            format!("{name} ({} bytes, {zeroes} of them 0)", bytes.len())
        });
        write!(f, "{:?}", names.collect::<Vec<_>>())
    }
}
