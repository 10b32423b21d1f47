//! A pfSense firewall with the REST API package, as its web server shows it.
//!
//! It refuses what a firewall refuses, and does what one does where that is a trap: ids are places in a list and shift, a
//! query that names nothing known is for everything, two writes at once lose one of them. Where nobody has proven what a
//! firewall does there is a switch. It has no packets, no name service, and of pfSense only what WireGuard touches. What is
//! here answers requests without a socket; [`http`] has that.

mod apply;
mod config;
mod endpoint;
pub mod fault;
mod firewall;
pub mod http;
mod kernel;
mod model;
pub mod profile;
mod record;
pub mod request;
mod rules;
mod select;
mod serve;
mod show;
mod shown;
mod turn;
mod users;
mod validate;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::resource::BackendId;
use crate::simulator::certificate::Certificate;
use crate::simulator::file::{SimulatorError, SystemFile};
use crate::simulator::pfsense::config::{Config, Object, Store};
use crate::simulator::pfsense::fault::{Fault, Faults, Rule};
use crate::simulator::pfsense::firewall::Firewall;
use crate::simulator::pfsense::profile::{Profile, Switches};
use crate::simulator::pfsense::record::Written;
use crate::simulator::pfsense::request::{Reply, Request};
use crate::simulator::pfsense::serve::Caller;
use crate::simulator::pfsense::users::Users;
use crate::value::Secret;
use crate::world::World;

pub use firewall::Package;
pub use kernel::{Device, LivePeer};
pub use users::{ALL_PRIVILEGES, DENY_WRITE};

#[cfg(any(test, fuzzing))]
pub(crate) use record::fuzz as fuzz_firewall_file;

/// How often a client may fail to log in before it is blocked, and for how many seconds then.
const MOST_FAILURES: u32 = 3;
const BLOCKED_SECONDS: i64 = 120;

/// How many requests are remembered.
const LONGEST_LOG: usize = 100_000;

/// A simulated firewall. Clones are the same firewall. It keeps no password in its file.
#[derive(Clone)]
pub struct SimulatedFirewall(Arc<Mutex<Kept>>);

struct Kept {
    file: Option<SystemFile>,
    written: Option<Written>,
    firewall: Firewall,
    users: Users,
    faults: Faults,
    /// The requests as method, path and query.
    log: Vec<String>,
    clock_is_slow_by: u32,
    /// Those who failed to log in, and until when nobody is heard.
    failed_logins: u32,
    blocked_until: Timestamp,
}

/// The configuration as it was when a request began.
pub struct Begun(Config);

impl SimulatedFirewall {
    /// Makes a firewall that lives as long as this value. Its identity comes from the seed. As one that is delivered, it
    /// lets users in by password only, and WireGuard is off.
    pub fn in_memory(profile: &'static Profile, seed: u64, now: Timestamp) -> Self {
        Self::keep(None, Firewall::new(profile, seed, now), Faults::default())
    }

    /// Opens the firewall of a backend that is kept beside the configuration, or makes one of the newest version.
    ///
    /// # Errors
    /// When another run uses it, or its file is damaged or cannot be read or written.
    pub fn open(directory: &Path, id: &BackendId, world: &World) -> Result<Self, SimulatorError> {
        let file = SystemFile::open_in(directory, world.workspace(), id)?;
        let firewall = match file.read()? {
            Some(bytes) => record::read(&bytes).map_err(|why| file.broken(&why))?,
            None => Firewall::new(Profile::newest(), world.new_id().as_u64_pair().0, world.now()),
        };
        // What was added at the end is put where it belongs.
        file.write(&record::write(&firewall).map_err(|why| file.broken(&why))?)?;
        let faults = Faults::follow(file.path());
        Ok(Self::keep(Some(file), firewall, faults))
    }

    fn keep(file: Option<SystemFile>, firewall: Firewall, faults: Faults) -> Self {
        let written = file.as_ref().map(|_| Written::of(&firewall));
        Self(Arc::new(Mutex::new(Kept {
            file,
            written,
            firewall,
            users: Users::default(),
            faults,
            log: Vec::new(),
            clock_is_slow_by: 0,
            failed_logins: 0,
            blocked_until: Timestamp::MIN,
        })))
    }

    /// Returns the certificate that the firewall has signed itself, always the same.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn certificate(&self) -> io::Result<Certificate> {
        let seed = self.lock().firewall.seed;
        let key = Sha256::new()
            .chain_update(b"simulated pfsense\0")
            .chain_update(seed.to_be_bytes())
            .finalize();
        Certificate::self_signed(&key.into(), "firewall")
    }

    /// Adds a user with these privileges, or changes one: `api-v2-vpn-wireguard-peers-get`, [`ALL_PRIVILEGES`], or
    /// `user-config-readonly` for one whose writes are dropped.
    pub fn set_user(&self, name: &str, password: &Secret, privileges: &[&str]) {
        self.lock().users.set(name, password.clone(), privileges);
    }

    /// Adds a key of a user. It counts only while the setting `auth_methods` has `KeyAuth`.
    pub fn add_key(&self, key: &Secret, user: &str) {
        self.lock().users.add_key(key.clone(), user);
    }

    /// Adds a token of a user that counts until then, while the setting `auth_methods` has `JWTAuth`.
    pub fn add_token(&self, token: &Secret, user: &str, until: Timestamp) {
        self.lock().users.add_token(token.clone(), user, until);
    }

    /// Puts a user on the access list of those who are kept out.
    pub fn keep_out(&self, user: &str) {
        self.lock().users.keep_out(user);
    }

    /// Lets something go wrong.
    pub fn inject(&self, rule: Rule) {
        self.lock().faults.add(rule);
    }

    /// Returns the requests that came over a socket so far, as method, path and query.
    pub fn requests(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// Returns how many requests of each kind came over a socket so far, by method and path.
    pub fn request_counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for request in &self.lock().log {
            let kind = request.split_once('?').map_or(request.as_str(), |(kind, _)| kind);
            *counts.entry(kind.to_owned()).or_default() += 1;
        }
        counts
    }

    /// Answers a request.
    ///
    /// # Errors
    /// When the file of the firewall cannot be written.
    pub fn answer(&self, request: &Request, now: Timestamp) -> Result<Reply, SimulatorError> {
        self.finish(self.begin(), request, false, now)
    }

    /// Begins a request: it reads the configuration, and will write back all of it.
    pub fn begin(&self) -> Begun {
        Begun(Config::clone(&self.lock().firewall.config))
    }

    /// Answers a request that has begun, perhaps while something else is writing the configuration and does not end. What
    /// others wrote since it began is lost when it writes.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn finish(
        &self,
        begun: Begun,
        request: &Request,
        is_locked: bool,
        now: Timestamp,
    ) -> Result<Reply, SimulatorError> {
        let mut kept = self.lock();
        kept.firewall.go_on();
        let Kept { firewall, users, clock_is_slow_by, .. } = &mut *kept;
        let now = now - SignedDuration::from_secs((*clock_is_slow_by).into());
        let caller = Caller { users: Some(users), is_locked };
        let mut reply = firewall.serve(begun.0, request, &caller, now);
        // The only clock that a client sees.
        reply.headers.push(("date", now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()));
        kept.save()?;
        Ok(reply)
    }

    /// Does what somebody at the firewall does, who needs no privilege, by the request that does the same.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn by_hand(&self, request: &Request, now: Timestamp) -> Result<Reply, SimulatorError> {
        self.change(|firewall| {
            let begun = Config::clone(&firewall.config);
            firewall.serve(begun, request, &Caller { users: None, is_locked: false }, now)
        })
    }

    /// Takes note of a request, and returns what happens to it by the rules and its own header.
    pub(crate) fn strike(&self, request: &Request, header: Option<&str>) -> Vec<Fault> {
        let mut kept = self.lock();
        if kept.log.len() < LONGEST_LOG {
            let query = match request.query.is_empty() {
                true => String::new(),
                false => format!("?{}", request.query),
            };
            kept.log.push(format!("{} {}{query}", request.method, request.path));
        }
        kept.faults.strike(&request.method, &request.path, header)
    }

    /// Takes note of how a request over a socket was answered: the login protection blocks whoever fails too often.
    pub(crate) fn protect(&self, status: u16, now: Timestamp) {
        let mut kept = self.lock();
        if status != 401 || !kept.firewall.api("login_protection").is_true() {
            return;
        }
        kept.failed_logins += 1;
        if kept.failed_logins >= MOST_FAILURES {
            kept.failed_logins = 0;
            kept.blocked_until = now + SignedDuration::from_secs(BLOCKED_SECONDS);
        }
    }

    /// Returns whether the packet filter drops what comes over a socket.
    pub(crate) fn is_blocked(&self, now: Timestamp) -> bool {
        now < self.lock().blocked_until
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is seen of a firewall beside its answers.
impl SimulatedFirewall {
    /// Returns which version of the package it has.
    pub fn profile(&self) -> &'static Profile {
        self.lock().firewall.profile
    }

    /// Returns where it is kept; none when it is not.
    pub fn path(&self) -> Option<PathBuf> {
        self.lock().file.as_ref().map(|file| file.path().to_owned())
    }

    /// Returns a device of WireGuard as it runs.
    pub fn device(&self, name: &str) -> Option<Device> {
        self.lock().firewall.kernel.device(name).cloned()
    }

    /// Returns how many rules of the packet filter an interface has.
    pub fn rules(&self, interface: &str) -> u32 {
        self.lock().firewall.config.rules.get(interface).copied().unwrap_or_default()
    }
}

/// What happens to a firewall beside what is asked of it.
impl SimulatedFirewall {
    /// Behaves otherwise at a point that is not proven; false when there is no such point.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn flip(&self, point: &str) -> Result<bool, SimulatorError> {
        self.change_all(|firewall| {
            let flipped: Option<Switches> = firewall.switches.flipped(point);
            firewall.switches = flipped.unwrap_or(firewall.switches);
            flipped.is_some()
        })
    }

    /// Starts again: what is stored runs, and nothing is pending.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn reboot(&self, now: Timestamp) -> Result<(), SimulatorError> {
        self.change_all(|firewall| firewall.reboot(now))
    }

    /// Gets another version of the package, in place.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn install(&self, profile: &'static Profile) -> Result<(), SimulatorError> {
        self.change_all(|firewall| firewall.profile = profile)
    }

    /// Says whether the REST API package is there.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn set_package(&self, package: Package) -> Result<(), SimulatorError> {
        self.change(|firewall| firewall.runtime.package = package)
    }

    /// Changes a setting of the REST API: `auth_methods`, `read_only`, `expose_sensitive_fields`.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn set_api(&self, setting: &str, value: Json) -> Result<(), SimulatorError> {
        self.change(|firewall| {
            let config = Arc::make_mut(&mut firewall.config);
            Arc::make_mut(&mut config.api).insert(setting.to_owned(), value.into());
        })
    }

    /// Takes the WireGuard package away. Its configuration stays, as after an upgrade that has yet to install it again, or
    /// goes with it.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn remove_wireguard(&self, keeps_configuration: bool) -> Result<(), SimulatorError> {
        self.change(|firewall| {
            firewall.runtime.has_wireguard = false;
            firewall.kernel = Arc::default();
            if !keeps_configuration {
                let config = Arc::make_mut(&mut firewall.config);
                config.tunnels.clear();
                config.peers.clear();
                Arc::make_mut(&mut config.settings).insert("enable".to_owned(), false.into());
            }
        })
    }

    /// Installs the WireGuard package. What is stored runs then, if the service is on.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn install_wireguard(&self) -> Result<(), SimulatorError> {
        self.change(|firewall| {
            firewall.runtime.has_wireguard = true;
            Arc::make_mut(&mut firewall.kernel).toggle(&firewall.config, firewall.switches);
        })
    }

    /// Lets a background process go on for so many further requests.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn set_wait(&self, requests: u32) -> Result<(), SimulatorError> {
        self.change(|firewall| firewall.runtime.wait = requests)
    }

    /// Becomes another machine, on which the configuration was restored.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn set_netgate_id(&self, id: &str) -> Result<(), SimulatorError> {
        self.change(|firewall| firewall.runtime.netgate_id = Some(id.to_owned()))
    }

    /// Gives it another name.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn set_hostname(&self, hostname: &str, domain: &str) -> Result<(), SimulatorError> {
        self.change(|firewall| {
            hostname.clone_into(&mut firewall.runtime.hostname);
            domain.clone_into(&mut firewall.runtime.domain);
        })
    }

    /// Lets the clock be slow by so many seconds.
    pub fn set_clock_slow_by(&self, seconds: u32) {
        self.lock().clock_is_slow_by = seconds;
    }

    /// Adds a rule of the packet filter to an interface.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn add_rule(&self, interface: &str) -> Result<(), SimulatorError> {
        self.change(|firewall| {
            let config = Arc::make_mut(&mut firewall.config);
            *config.rules.entry(interface.to_owned()).or_default() += 1;
        })
    }

    /// Stores an object that nobody could store over the REST API, without looking at it, at the end of `tunnels`, `peers`
    /// or `interfaces`; false when there is no such list or it is no object.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn plant(&self, list: &str, object: Json) -> Result<bool, SimulatorError> {
        let store = match list {
            "tunnels" => Store::Tunnels,
            "peers" => Store::Peers,
            "interfaces" => Store::Interfaces,
            _ => return Ok(false),
        };
        let Json::Object(entries) = object else { return Ok(false) };
        let object: Object =
            entries.into_iter().map(|(name, value)| (name, value.into())).collect();
        self.change(|firewall| {
            let list = Arc::make_mut(&mut firewall.config).list_mut(store);
            list.map(|list| list.push(Arc::new(object))).is_some()
        })
    }

    /// Changes what a running peer has from packets; false when there is no such peer.
    ///
    /// # Errors
    /// As [`SimulatedFirewall::answer`].
    pub fn touch_peer(
        &self,
        device: &str,
        public_key: &str,
        change: impl FnOnce(&mut LivePeer),
    ) -> Result<bool, SimulatorError> {
        self.change(|firewall| {
            let device = Arc::make_mut(&mut firewall.kernel).device_mut(device);
            let peer = device
                .and_then(|it| it.peers.iter_mut().find(|peer| peer.public_key == public_key));
            peer.map(change).is_some()
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Firewall) -> T) -> Result<T, SimulatorError> {
        let mut kept = self.lock();
        let done = change(&mut kept.firewall);
        kept.save()?;
        Ok(done)
    }

    fn change_all<T>(&self, change: impl FnOnce(&mut Firewall) -> T) -> Result<T, SimulatorError> {
        let mut kept = self.lock();
        let done = change(&mut kept.firewall);
        kept.save_all()?;
        Ok(done)
    }
}

impl Kept {
    fn save(&mut self) -> Result<(), SimulatorError> {
        let (Some(file), Some(written)) = (&self.file, &self.written) else { return Ok(()) };
        match record::changes(written, &self.firewall).map_err(|why| file.broken(&why))? {
            Some(lines) if lines.is_empty() => return Ok(()),
            Some(lines) => file.append(&lines)?,
            None => return self.save_all(),
        }
        self.written = Some(Written::of(&self.firewall));
        Ok(())
    }

    fn save_all(&mut self) -> Result<(), SimulatorError> {
        let Some(file) = &self.file else { return Ok(()) };
        file.write(&record::write(&self.firewall).map_err(|why| file.broken(&why))?)?;
        self.written = Some(Written::of(&self.firewall));
        Ok(())
    }
}

impl fmt::Debug for SimulatedFirewall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It holds private keys.
        f.write_str("SimulatedFirewall(…)")
    }
}
