//! A MikroTik router with RouterOS v7, as its REST service shows it.
//!
//! It is stricter than a router where it is known how one behaves, and has a switch where it is not. It has no packets:
//! handshakes and counters are what a test sets. It has none of the commands for people, such as `wg-import`. What is here
//! answers requests without a socket; [`http`] has that.

mod body;
mod carried;
mod duration;
pub mod fault;
pub mod http;
mod log;
mod menu;
mod network;
mod order;
pub mod profile;
mod query;
mod record;
pub mod request;
mod rest;
mod router;
mod system;
mod table;
mod users;
mod value;
mod wireguard;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use jiff::Timestamp;

use crate::resource::BackendId;
use crate::simulator::certificate::Certificate;
use crate::simulator::file::{SimulatorError, SystemFile};
use crate::simulator::routeros::fault::{Fault, Faults, Rule, wrong_body};
use crate::simulator::routeros::log::Log;
use crate::simulator::routeros::profile::{Profile, Switches};
use crate::simulator::routeros::request::{Refused, Reply, Request};
use crate::simulator::routeros::router::{Arguments, Router};
use crate::simulator::routeros::table::Row;
use crate::simulator::routeros::users::{Users, claimed};
use crate::simulator::routeros::value::print_id;
use crate::value::Secret;
use crate::world::World;

pub use users::{ALL_POLICIES, POLICIES_TO_READ};

#[cfg(any(test, fuzzing))]
pub(crate) use record::fuzz as fuzz_router_file;

/// What the key of its certificate is derived from.
const CERTIFICATE: u64 = 1 << 61;

/// How many requests are remembered.
const LONGEST_LOG: usize = 100_000;

/// A simulated router. Clones are the same router. It keeps no password in its file.
#[derive(Clone)]
pub struct SimulatedRouter(Arc<Mutex<Kept>>);

struct Kept {
    file: Option<SystemFile>,
    router: Router,
    users: Users,
    faults: Faults,
    /// How many answers have a wrong body, because the router has just started.
    wrong_bodies: u32,
    /// The requests as method and path.
    log: Vec<String>,
}

impl SimulatedRouter {
    /// Makes a router that lives as long as this value. Its identity, its keys and its ports come from the seed.
    pub fn in_memory(profile: &'static Profile, seed: u64, now: Timestamp) -> Self {
        Self::keep(None, Router::new(profile, seed, now), Faults::default())
    }

    /// Opens the router of a backend that is kept beside the configuration, or makes one of the newest version.
    ///
    /// # Errors
    /// When another run uses it, or its file is damaged or cannot be read or written.
    pub fn open(directory: &Path, id: &BackendId, world: &World) -> Result<Self, SimulatorError> {
        let file = SystemFile::open_in(directory, world.workspace(), id)?;
        let router = match file.read()? {
            Some(bytes) => record::read(&bytes).map_err(|why| file.broken(&why))?,
            None => Router::new(Profile::newest(), world.new_id().as_u64_pair().0, world.now()),
        };
        // What was added at the end is put where it belongs.
        save(&file, &router)?;
        let faults = Faults::follow(file.path());
        Ok(Self::keep(Some(file), router, faults))
    }

    fn keep(file: Option<SystemFile>, router: Router, faults: Faults) -> Self {
        let (users, log) = (Users::default(), Vec::new());
        Self(Arc::new(Mutex::new(Kept { file, router, users, faults, wrong_bodies: 0, log })))
    }

    /// Returns the public key of the peer that gets the packets to a network of an interface, which is the one to whom it
    /// was given last, whatever the others list.
    pub fn carrier(&self, interface: &str, network: IpNet) -> Option<String> {
        self.lock().router.carrier(interface, network)
    }

    /// Returns which RouterOS it has.
    pub fn profile(&self) -> &'static Profile {
        self.lock().router.profile
    }

    /// Returns where it is kept; none when it is not.
    pub fn path(&self) -> Option<PathBuf> {
        self.lock().file.as_ref().map(|file| file.path().to_owned())
    }

    /// Returns the certificate that it has signed for itself, which is the same in every run.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn certificate(&self) -> io::Result<Certificate> {
        let key = self.lock().router.fixed(CERTIFICATE);
        Certificate::self_signed(&key, "router")
    }

    /// Adds a user with these policies, or changes one. Changed policies count when the session of ten minutes ends.
    pub fn set_user(&self, name: &str, password: &Secret, policies: &[&str]) {
        self.lock().users.set(name, password.clone(), policies);
    }

    /// Lets something go wrong.
    pub fn inject(&self, rule: Rule) {
        self.lock().faults.add(rule);
    }

    /// Returns the requests that came over a socket so far, as method and path.
    pub fn requests(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// Answers a request.
    ///
    /// # Errors
    /// When the file of the router cannot be written.
    pub fn answer(&self, request: &Request, now: Timestamp) -> Result<Reply, SimulatorError> {
        let mut kept = self.lock();
        let answer = kept.serve(request, now);
        kept.save_changes()?;
        let mut reply = answer.map_or_else(Reply::from, Reply::from);
        if request.method == "GET" && reply.status == 200 && kept.wrong_bodies > 0 {
            kept.wrong_bodies -= 1;
            wrong_body(&mut reply);
        }
        Ok(reply)
    }

    /// Takes note of a request, and returns what happens to it by the rules and its own header.
    pub(crate) fn strike(&self, request: &Request, header: Option<&str>) -> Vec<Fault> {
        let mut kept = self.lock();
        if kept.log.len() < LONGEST_LOG {
            kept.log.push(format!("{} {}", request.method, request.path));
        }
        kept.faults.strike(&request.method, &request.path, header)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happens to a router beside what is asked of it.
impl SimulatedRouter {
    /// Behaves otherwise at a point that is not proven; false when there is no such point.
    ///
    /// # Errors
    /// As [`SimulatedRouter::answer`].
    pub fn flip(&self, point: &str) -> Result<bool, SimulatorError> {
        self.change(|router| {
            let flipped: Option<Switches> = router.switches.flipped(point);
            router.switches = flipped.unwrap_or(router.switches);
            flipped.is_some()
        })
    }

    /// Starts again: no session, no handshake, and one answer with a wrong body.
    ///
    /// # Errors
    /// As [`SimulatedRouter::answer`].
    pub fn reboot(&self, now: Timestamp) -> Result<(), SimulatorError> {
        let mut kept = self.lock();
        kept.users.forget_sessions();
        kept.wrong_bodies = 1;
        kept.router.reboot(now);
        kept.save_all()
    }

    /// Gets another version, in place.
    ///
    /// # Errors
    /// As [`SimulatedRouter::answer`].
    pub fn install(&self, profile: &'static Profile) -> Result<(), SimulatorError> {
        self.change(|router| router.install(profile))
    }

    /// Gives every object another id, as restoring a configuration does.
    ///
    /// # Errors
    /// As [`SimulatedRouter::answer`].
    pub fn renumber(&self) -> Result<(), SimulatorError> {
        self.change(Router::renumber)
    }

    /// Becomes a virtual router, which has no serial number.
    ///
    /// # Errors
    /// As [`SimulatedRouter::answer`].
    pub fn become_virtual(&self) -> Result<(), SimulatorError> {
        self.change(|router| router.is_virtual = true)
    }

    /// Lets the clock be slow by so many seconds.
    ///
    /// # Errors
    /// As [`SimulatedRouter::answer`].
    pub fn set_clock_slow_by(&self, seconds: u32) -> Result<(), SimulatorError> {
        self.change(|router| router.clock_is_slow_by = seconds)
    }

    /// Adds a VRF.
    ///
    /// # Errors
    /// As [`SimulatedRouter::answer`].
    pub fn add_vrf(&self, name: &str) -> Result<(), SimulatorError> {
        self.change(|router| {
            router.vrfs.insert(name.to_owned());
        })
    }

    /// Sets properties of an object that nobody could set over REST: bytes that WinBox stored, a handshake, counters, a
    /// dynamic row. An interface is referred to by its id. Makes an object when the id is 0, and returns its id; none
    /// when there is no such table or object.
    ///
    /// # Errors
    /// As [`SimulatedRouter::answer`].
    pub fn plant(
        &self,
        table: &str,
        id: u64,
        properties: &[(&str, &[u8])],
    ) -> Result<Option<String>, SimulatorError> {
        self.change(|router| router.plant(table, id, properties).map(print_id))
    }

    /// Makes an object as somebody else does. What the router refuses is not made.
    ///
    /// # Errors
    /// As [`SimulatedRouter::answer`].
    pub fn make(
        &self,
        menu: &str,
        properties: &BTreeMap<String, String>,
    ) -> Result<(), SimulatorError> {
        self.change(|router| {
            let arguments = Arguments { set: properties.clone(), ..Arguments::default() };
            _ = menu::find(menu).map(|menu| router.add(menu, arguments));
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Router) -> T) -> Result<T, SimulatorError> {
        let mut kept = self.lock();
        let done = change(&mut kept.router);
        kept.save_all()?;
        Ok(done)
    }
}

impl Kept {
    fn serve(&mut self, request: &Request, now: Timestamp) -> Result<request::Answer, Refused> {
        let header = request.authorization.as_deref();
        let login = self.users.authenticate(header, now);
        match (&login, claimed(header)) {
            (Ok(login), _) if login.is_new => self.router.log.session(&login.user, now),
            (Err(Refused { status: 401, .. }), Some(user)) => self.router.log.refusal(&user, now),
            _ => {}
        }
        self.router.serve(request, &login?.rights, now)
    }

    fn save_changes(&mut self) -> Result<(), SimulatorError> {
        if let Some(file) = self.file.as_ref().filter(|_| !self.router.touched.is_empty()) {
            let lines = record::changes(&self.router).map_err(|why| file.broken(&why))?;
            file.append(&lines)?;
        }
        self.router.touched.clear();
        Ok(())
    }

    fn save_all(&mut self) -> Result<(), SimulatorError> {
        self.router.touched.clear();
        self.file.as_ref().map_or(Ok(()), |file| save(file, &self.router))
    }
}

fn save(file: &SystemFile, router: &Router) -> Result<(), SimulatorError> {
    file.write(&record::write(router).map_err(|why| file.broken(&why))?)
}

impl Router {
    fn reboot(&mut self, now: Timestamp) {
        self.booted_at = now;
        self.log = Log::default();
        for row in self.table("peers").rows.values_mut() {
            row.0.retain(|name, _| !LIVE.contains(&name.as_str()));
        }
        self.carry_all();
    }

    fn install(&mut self, profile: &'static Profile) {
        self.profile = profile;
        let (old, new) = match profile.minor {
            ..17 => ("responder", "is-responder"),
            17.. => ("is-responder", "responder"),
        };
        for row in self.table("peers").rows.values_mut() {
            if let Some(value) = row.0.remove(old) {
                row.set(new, value);
            }
            if profile.minor >= 21 {
                row.fill("client-allowed-address", "::/0");
            }
        }
        let nameless = |(_, row): &(u64, &Row)| profile.minor >= 15 && row.text("name").is_empty();
        let nameless: Vec<_> = self.rows("peers").filter(nameless).map(|(id, _)| id).collect();
        for id in nameless {
            let name = self.free_peer_name();
            if let Some(row) = self.table("peers").rows.get_mut(&id) {
                row.set("name", name);
            }
        }
    }

    fn plant(&mut self, table: &str, id: u64, properties: &[(&str, &[u8])]) -> Option<u64> {
        let name = *self.tables.keys().find(|it| **it == table)?;
        let id = if id == 0 { self.insert(name, Row::default()) } else { id };
        let row = self.table(name).rows.get_mut(&id)?;
        properties.iter().for_each(|(name, value)| row.set(name, value));
        Some(id)
    }
}

/// What a peer has from packets, and loses when the router starts again.
const LIVE: [&str; 5] =
    ["current-endpoint-address", "current-endpoint-port", "last-handshake", "rx", "tx"];

impl fmt::Debug for SimulatedRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It holds private keys.
        f.write_str("SimulatedRouter(…)")
    }
}
