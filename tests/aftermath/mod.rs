//! What must hold after a run of the program was killed, whenever that was.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(unreachable_pub, reason = "each test binary has this as a module of its own")]
#![allow(
    clippy::disallowed_methods,
    reason = "they look at what a run left behind; each test binary uses a part"
)]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use wgform::simulator::linux::call::{DeviceChange, PeerChange};
use wgform::state::{ObjectKey, State, StateChange};
use wgform::store::{Loaded, Store};
use wgform::value::PrivateKey;

use crate::harness::{self, Project};

const BACKENDS: [&str; 2] = ["hq", "branch"];

/// A WireGuard link of a host that is not ours, and must stay as it is.
pub const FOREIGN: &str = "foreign0";

/// What is known before the run that is killed.
#[derive(Clone)]
pub struct Before {
    /// The public key of each interface, by its address.
    keys: BTreeMap<String, String>,
    /// What the hosts are like after a run that was not killed.
    after: BTreeSet<String>,
    /// What is not ours.
    foreign: Vec<Json>,
    /// Whether anything was changed past wgform.
    has_drift: bool,
}

impl Before {
    /// The same, with hosts that are rebooted before anybody looks.
    pub fn rebooted(&self) -> Self {
        Self { has_drift: true, ..self.clone() }
    }
}

/// Makes links on both hosts that are not ours, each with a peer that has a session.
pub fn add_foreign(project: &Project) {
    let (key, peer) = (PrivateKey::from_bytes([3; 32]), PrivateKey::from_bytes([4; 32]).public());
    for backend in BACKENDS {
        let host = project.enter(backend);
        host.add_link(FOREIGN).unwrap();
        let peers = vec![PeerChange::new(peer)];
        let change = DeviceChange { private_key: Some(key.clone()), peers, ..Default::default() };
        host.configure(FOREIGN, &change).unwrap();
        host.set_traffic(FOREIGN, &peer, Some(harness::now()), 7, 9).unwrap();
    }
}

fn foreign(project: &Project) -> Vec<Json> {
    BACKENDS.iter().map(|backend| host(project, backend)["links"][FOREIGN].clone()).collect()
}

impl Before {
    /// Looks at a start, and at what comes of it when nothing is killed.
    pub fn of(start: &Project, command: &str) -> Self {
        let whole = start.fork();
        // Without what the start has, nothing would be shown.
        assert_eq!(keys_in_state(&whole), keys_in_state(start));
        whole.run(&format!("{command} -auto-approve")).ends(0);
        Self {
            keys: keys_in_state(start),
            after: picture(&whole),
            foreign: foreign(start),
            has_drift: start.run("drift").code != Some(0),
        }
    }
}

/// Looks at a project in which a run of `command` was killed, and finishes the job.
#[track_caller]
pub fn check(project: &Project, before: &Before, command: &str, at: &str) {
    let Before { keys, after, foreign, has_drift } = before;
    project.run("state list").ends(0);
    assert_accounted(project, at);
    // What was cut off is nobody's drift.
    let looked = project.run("drift");
    let is_right = looked.code == Some(0) || *has_drift && looked.code == Some(2);
    assert!(is_right, "after a kill at {at}: {looked}");
    let keys_on_devices = keys_on_devices(project);

    let next = project.run(&format!("{command} -auto-approve"));
    assert_eq!(next.code, Some(0), "after a kill at {at}: {next}");
    let plan = match command {
        "destroy" => "plan -destroy -detailed-exitcode",
        _ => "plan -detailed-exitcode",
    };
    for second in [plan, "drift"] {
        let second = project.run(second);
        assert_eq!(second.code, Some(0), "after a kill at {at}: {second}\nfinished by {next}");
    }
    let found = picture(project);
    let (missing, more): (Vec<_>, Vec<_>) =
        (after.difference(&found).collect(), found.difference(after).collect());
    assert!(
        missing.is_empty() && more.is_empty(),
        "after a kill at {at}, {missing:#?} is missing and {more:#?} too much, finished by {next}"
    );
    assert_eq!(self::foreign(project), *foreign, "after a kill at {at}, what is not ours changed");
    assert_no_duplicates(project, at);
    for (address, key) in keys_in_state(project) {
        let old = keys.get(&address).unwrap_or(&key);
        assert_eq!(key, *old, "`{address}` got a new key after a kill at {at}: {next}");
    }
    for (place, key) in self::keys_on_devices(project) {
        let old = keys_on_devices.get(&place).unwrap_or(&key);
        assert_eq!(key, *old, "{place:?} got a new key after a kill at {at}: {next}");
    }
    assert_eq!(project.left_over(), [""; 0], "after a kill at {at}");
}

/// Works on all items, on as many threads as there are processors, in the order in which they come.
pub fn side_by_side<T: Send>(
    items: impl IntoIterator<Item = T, IntoIter: Send>,
    work: impl Fn(T) + Sync,
) {
    let items = std::sync::Mutex::new(items.into_iter());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(item) = items.lock().unwrap().next() else { break };
                    work(item);
                }
            });
        }
    });
}

/// Demands that everything on the hosts is in the state, or that an open intent names it.
#[track_caller]
fn assert_accounted(project: &Project, at: &str) {
    let Loaded { state, open, .. } = read(project);
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    let mut replaced: BTreeSet<(String, String)> = BTreeSet::new();
    let mut note = |backend: Option<&wgform::resource::BackendId>, object: &ObjectKey| {
        let backend = backend.map(ToString::to_string).unwrap_or_default();
        known.insert((backend, name_of(object)));
    };
    for record in state.iter().flat_map(|state| state.resources.values()) {
        note(record.backend.as_ref(), &record.object);
        for old in &record.deposed {
            note(Some(&old.backend), &old.object);
            replaced.insert((old.backend.to_string(), name_of(&old.object)));
        }
    }
    let mut renamed = BTreeMap::new();
    for record in state.iter().flat_map(|state| state.resources.values()) {
        // Files that still have the old name bring an interface back under it.
        if let Some(Json::String(old)) = record.attributes.get("persisted").map(|it| &it["name"]) {
            let backend = record.backend.iter().map(ToString::to_string).collect::<String>();
            renamed.insert((backend, old.clone()), name_of(&record.object));
        }
    }
    for change in &open {
        if let StateChange::Put { address, resource, .. } = change {
            note(resource.backend.as_ref(), &resource.object);
            let old = state.as_ref().and_then(|state| state.resources.get(address));
            if let Some(old) = old.filter(|old| old.backend == resource.backend) {
                let backend = resource.backend.iter().map(ToString::to_string).collect::<String>();
                renamed.insert((backend, name_of(&resource.object)), name_of(&old.object));
            }
        }
    }
    for backend in BACKENDS {
        for (name, device) in devices(project, backend) {
            if name == FOREIGN {
                continue;
            }
            let peers = device["peers"].as_array().unwrap().iter();
            let peers =
                peers.map(|peer| format!("{name}/{}", peer["public_key"].as_str().unwrap()));
            for object in peers.chain([name.clone()]) {
                let is_known = known.contains(&(backend.to_owned(), object.clone()))
                    // The peers of an interface are on it when it gets another name.
                    || renamed.get(&(backend.to_owned(), name.clone())).is_some_and(|old| {
                        known.contains(&(backend.to_owned(), object.replacen(&name, old, 1)))
                    })
                    // And they go with one that was replaced.
                    || replaced.contains(&(backend.to_owned(), name.clone()));
                assert!(is_known, "after a kill at {at}, nobody knows of {object} on {backend}");
            }
        }
    }
}

#[track_caller]
fn assert_no_duplicates(project: &Project, at: &str) {
    let Loaded { state, open, left_over, .. } = read(project);
    assert!(open.is_empty() && left_over.is_none(), "after a kill at {at}, something is open");
    let mut seen = BTreeSet::new();
    for (address, record) in state.iter().flat_map(|state| &state.resources) {
        assert!(record.deposed.is_empty(), "after a kill at {at}, {address} has old objects");
        let object = (record.backend.clone(), name_of(&record.object));
        let is_new = record.object == ObjectKey::PresharedKey {} || seen.insert(object.clone());
        assert!(is_new, "after a kill at {at}, {object:?} is owned twice");
    }
}

/// Draws the hosts in words that are the same for every run: made keys and ports go by what they belong to.
fn picture(project: &Project) -> BTreeSet<String> {
    let mut owners = BTreeMap::new();
    for backend in BACKENDS {
        for (name, device) in devices(project, backend) {
            if let Some(key) = key(&device) {
                owners.insert(key.public().to_string(), format!("{backend} {name}"));
            }
        }
    }
    let mut lines = BTreeSet::new();
    let mut secrets = BTreeSet::new();
    for backend in BACKENDS {
        let host = host(project, backend);
        for (name, device) in devices(project, backend) {
            let link = &host["links"][&name];
            let mut addresses = link["addresses"].as_array().unwrap().clone();
            addresses.sort_by_key(ToString::to_string);
            let port = device["listen_port"].as_u64().unwrap();
            let port =
                if [51_820, 51_821].contains(&port) { port.to_string() } else { "own".into() };
            lines.insert(format!(
                "{backend} {name}: up {}, mtu {}, addresses {}, port {port}, mark {}, key {}",
                link["is_up"],
                link["mtu"],
                Json::from(addresses),
                device["fwmark"],
                key(&device).is_some()
            ));
            for peer in device["peers"].as_array().unwrap() {
                let public_key = peer["public_key"].as_str().unwrap();
                let whose = owners.get(public_key).map_or(public_key, String::as_str);
                let secret = peer.get("preshared_key").and_then(Json::as_str);
                secrets.extend(secret.map(str::to_owned));
                lines.insert(format!(
                    "{backend} {name} peer {whose}: {} {} {:?} handshake {:?} secret {}",
                    peer["allowed_ips"],
                    peer["persistent_keepalive"],
                    peer.get("endpoint"),
                    peer.get("last_handshake"),
                    secret.is_some()
                ));
            }
        }
        lines.insert(format!("{backend} at boot: {}, routes: {}", host["units"], host["routes"]));
        for (path, file) in host["files"].as_object().unwrap() {
            let keys = devices(project, backend).into_iter().filter(|(_, device)| {
                let key = device["private_key"].as_str();
                key.is_some_and(|key| file["text"].as_str().unwrap().contains(key))
            });
            let keys: Vec<_> = keys.map(|(name, _)| name).collect();
            lines.insert(format!("{backend} file {path}: key of {keys:?}"));
        }
    }
    lines.insert(format!("{} secrets", secrets.len()));
    lines
}

fn read(project: &Project) -> Loaded {
    Store::new(project.path().join("wgform.state.json")).read().unwrap()
}

fn keys_in_state(project: &Project) -> BTreeMap<String, String> {
    let state: Option<State> = read(project).state;
    let resources = state.into_iter().flat_map(|state| state.resources);
    let key = |(address, record)| {
        let (address, record): (wgform::resource::Address, wgform::state::ResourceRecord) =
            (address, record);
        match record.object {
            ObjectKey::Interface { public_key, .. } => Some((address.to_string(), public_key)),
            ObjectKey::Peer { .. } | ObjectKey::PresharedKey {} => None,
        }
    };
    resources.filter_map(key).collect()
}

fn keys_on_devices(project: &Project) -> BTreeMap<(&'static str, String), String> {
    let mut keys = BTreeMap::new();
    for backend in BACKENDS {
        for (name, device) in devices(project, backend) {
            if let Some(key) = key(&device) {
                keys.insert((backend, name), key.public().to_string());
            }
        }
    }
    keys
}

fn host(project: &Project, backend: &str) -> Json {
    match project.path().join(format!(".wgform/simulated/{backend}.json")).is_file() {
        true => project.host(backend),
        false => serde_json::json!({ "links": {}, "files": {} }),
    }
}

/// Returns what WireGuard holds on a host, by the name of the link.
fn devices(project: &Project, backend: &str) -> Vec<(String, Json)> {
    let host = host(project, backend);
    let links = host["links"].as_object().unwrap().iter();
    links.filter_map(|(name, link)| Some((name.clone(), link.get("device")?.clone()))).collect()
}

fn key(device: &Json) -> Option<PrivateKey> {
    Some(device["private_key"].as_str()?.parse().unwrap())
}

fn name_of(object: &ObjectKey) -> String {
    match object {
        ObjectKey::Interface { name, .. } => name.clone(),
        ObjectKey::Peer { interface, public_key } => format!("{interface}/{public_key}"),
        ObjectKey::PresharedKey {} => "a pre-shared key".to_owned(),
    }
}
