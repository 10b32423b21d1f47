//! What the scenarios stand on: a backend, and short words for reading and writing it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;

use wgform::actual::{FoundInterface, FoundPeer, Picture};
use wgform::backend::{Act, Batch, Interest, Operation, Outcome, Stop, Surroundings, Write};
use wgform::resource::{BackendId, Field, Fields, Setting, Settings};
use wgform::value::{Cidr, Keepalive, Prefix, PresharedKey, PrivateKey, PublicKey};
use wgform::world::World;

/// Which host it is, where that makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Simulated,
    Userspace,
    Kernel,
    Router,
    Firewall,
}

/// How a removal ends that finds an interface with another key.
pub const REPLACED: &str =
    "failed: an interface with another key is there: somebody made it since the plan was made";

/// Makes a route: to where, and to which link.
pub type AddRoute = Box<dyn Fn(&str, &str)>;
/// Sets a link up or down.
pub type SetUp = Box<dyn Fn(&str, bool)>;

/// A host to test.
pub struct Bed {
    pub kind: Kind,
    pub backend: Box<dyn Write>,
    /// Makes a link that is no WireGuard.
    pub add_other_link: Box<dyn Fn(&str)>,
    /// Makes a route to a link, as somebody else would.
    pub add_route: AddRoute,
    /// Sets a link up or down.
    pub set_up: SetUp,
}

/// What one operation came to.
pub type Ended = Result<Fields, String>;

impl Bed {
    pub fn read(&self) -> Picture {
        self.read_with(&Interest::default())
    }

    pub fn read_with(&self, interest: &Interest) -> Picture {
        wait(self.backend.read(interest)).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn interface(&self, name: &str) -> FoundInterface {
        let mut picture = self.read();
        picture.interfaces.remove(name).unwrap_or_else(|| panic!("no `{name}`"))
    }

    pub fn peer(&self, interface: &str, key: &PublicKey) -> FoundPeer {
        self.interface(interface).peers.remove(key).expect("the peer is there")
    }

    /// Carries out acts without dependencies.
    pub fn write(&self, acts: Vec<Act>) -> Vec<Ended> {
        let operations = acts.into_iter().map(|act| Operation { after: vec![], act });
        self.write_batch(operations.collect(), Stop::default())
    }

    pub fn write_batch(&self, operations: Vec<Operation>, stop: Stop) -> Vec<Ended> {
        let mut ended: BTreeMap<usize, Ended> = BTreeMap::new();
        let count = operations.len();
        let mut landed = |index, outcome| {
            let end = match outcome {
                Outcome::Done(fields) => Ok(fields),
                Outcome::Failed(error) | Outcome::Untouched(error) => {
                    Err(format!("failed: {}", error.reason))
                }
                Outcome::Skipped(after) => Err(format!("skipped after {after}")),
                Outcome::NotStarted => Err("not started".to_owned()),
            };
            assert!(ended.insert(index, end).is_none(), "operation {index} ended twice");
        };
        wait(self.backend.write(Batch { operations }, stop, &mut landed));
        assert_eq!(ended.len(), count, "some operation did not end");
        ended.into_values().collect()
    }

    /// Carries out one act that must succeed.
    pub fn done(&self, act: Act) -> Fields {
        self.write(vec![act]).remove(0).unwrap_or_else(|why| panic!("{why}"))
    }

    /// Carries out one act that must fail, and returns why it did.
    pub fn failed(&self, act: Act) -> String {
        self.write(vec![act]).remove(0).expect_err("the act must fail")
    }

    /// Makes an interface `wg0` with a port and an address, and returns its public key.
    pub fn hub(&self) -> PublicKey {
        let key = private(1);
        self.done(create("wg0", &key, hub_fields()));
        key.public()
    }
}

pub fn hub_fields() -> Fields {
    Fields::from([
        ("listen_port", Field::Number(51_820)),
        ("addresses", addresses(&["10.8.0.1/24"])),
    ])
}

pub fn create(name: &str, key: &PrivateKey, fields: Fields) -> Act {
    create_with(name, key, fields, Surroundings::default())
}

pub fn create_with(name: &str, key: &PrivateKey, fields: Fields, around: Surroundings) -> Act {
    let (name, private_key) = (name.to_owned(), Some(key.clone()));
    Act::CreateInterface { name, private_key, key_file: None, fields, around }
}

pub fn update(name: &str, settings: Settings) -> Act {
    update_with(name, settings, Fields::new())
}

pub fn update_with(name: &str, settings: Settings, wanted: Fields) -> Act {
    Act::UpdateInterface {
        name: name.to_owned(),
        rename: None,
        private_key: None,
        key_file: None,
        own_keys: Default::default(),
        settings,
        wanted,
        around: Surroundings::default(),
    }
}

pub fn update_around(name: &str, settings: Settings, around: Surroundings) -> Act {
    let mut act = update(name, settings);
    if let Act::UpdateInterface { around: found, .. } = &mut act {
        *found = around;
    }
    act
}

pub fn delete(name: &str) -> Act {
    delete_with(name, Surroundings::default())
}

/// Deletes an interface, as long as it has this key.
pub fn delete_keyed(name: &str, key: PublicKey) -> Act {
    let mut act = delete(name);
    if let Act::DeleteInterface { public_key, .. } = &mut act {
        *public_key = Some(key);
    }
    act
}

pub fn delete_with(name: &str, around: Surroundings) -> Act {
    Act::DeleteInterface {
        name: name.to_owned(),
        public_key: None,
        own_keys: Default::default(),
        remove_boot_files: BTreeSet::new(),
        around,
    }
}

pub fn create_peer(key: PublicKey, fields: Fields) -> Act {
    Act::CreatePeer { interface: "wg0".to_owned(), public_key: key, replaces: None, fields }
}

pub fn update_peer(key: PublicKey, settings: Settings) -> Act {
    update_peer_with(key, settings, Fields::new())
}

pub fn update_peer_with(key: PublicKey, settings: Settings, wanted: Fields) -> Act {
    Act::UpdatePeer { interface: "wg0".to_owned(), public_key: key, settings, wanted }
}

pub fn delete_peer(key: PublicKey) -> Act {
    Act::DeletePeer { interface: "wg0".to_owned(), public_key: key }
}

pub fn to(name: &'static str, field: Field) -> Settings {
    Settings::from([(name, Setting::To(field))])
}

pub fn clear(name: &'static str) -> Settings {
    Settings::from([(name, Setting::Clear)])
}

pub fn elements(add: &[&str], remove: &[&str]) -> Settings {
    let set = |texts: &[&str]| texts.iter().map(|it| it.parse::<Cidr>().unwrap()).collect();
    Settings::from([("addresses", Setting::Elements { add: set(add), remove: set(remove) })])
}

pub fn addresses(texts: &[&str]) -> Field {
    Field::Addresses(texts.iter().map(|it| it.parse::<Cidr>().unwrap()).collect())
}

pub fn networks(texts: &[&str]) -> Field {
    Field::Prefixes(texts.iter().map(|it| it.parse::<Prefix>().unwrap()).collect())
}

pub fn endpoint(text: &str) -> Field {
    Field::Endpoint(text.parse().unwrap())
}

pub fn keepalive(text: &str) -> Field {
    Field::Keepalive(text.parse::<Keepalive>().unwrap())
}

/// Fields of a peer that has nothing but networks.
pub fn only(texts: &[&str]) -> Fields {
    Fields::from([("allowed_ips", networks(texts))])
}

pub fn allowed(peer: &FoundPeer) -> Vec<String> {
    match peer.fields.get("allowed_ips") {
        Some(Field::Prefixes(set)) => set.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

/// The addresses of an interface as text.
pub fn held(found: &FoundInterface) -> BTreeSet<String> {
    match found.fields.get("addresses") {
        Some(Field::Addresses(set)) => set.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

pub fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(ToString::to_string).collect()
}

pub fn private(number: u32) -> PrivateKey {
    let mut bytes = [3; 32];
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    PrivateKey::from_bytes(bytes)
}

/// A public key that is as good as any, made without the curve.
pub fn public(number: u32) -> PublicKey {
    let mut bytes = [5; 32];
    bytes[4..8].copy_from_slice(&number.to_be_bytes());
    PublicKey::from_bytes(bytes)
}

pub fn preshared(number: u8) -> PresharedKey {
    PresharedKey::from_bytes([number; 32]).expect("not all zeroes")
}

pub fn id() -> BackendId {
    BackendId::new("hq")
}

/// Where the default directory of keys is.
pub fn key_path(name: &str) -> PathBuf {
    PathBuf::from("/var/lib/wgform/keys").join(name)
}

/// A world with a clock that goes, for a host that is real, and without entropy, which no backend needs.
pub fn world(environment: BTreeMap<String, String>, directory: PathBuf) -> World {
    World::new(environment, directory, jiff::Timestamp::now, |bytes| bytes.fill(7))
}

pub fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(answer)
}
