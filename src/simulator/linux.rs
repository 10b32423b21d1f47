//! A Linux host with WireGuard in its kernel, as plain data.
//!
//! It is strict: what a kernel refuses it refuses, with the same error number, and what a kernel does silently (an
//! allowed IP moves from peer to peer, IPv6 addresses go when a link goes down, a peer with the interface's own key is
//! dropped) it does too. It has no packets: handshakes and counters are what a test sets.

pub mod call;
mod host;
mod boot;
mod program;
mod record;
mod routing;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::actual::Identity;
use crate::failpoint::{Point, around_host_change, hit_after};
use crate::resource::BackendId;
use crate::simulator::file::{SimulatorError, SystemFile};
use crate::simulator::linux::call::{
    Device, DeviceChange, HostFile, HostRouting, Link, NotRouted, Program, Ran, Refusal,
    RoutingChange,
};
use crate::simulator::linux::host::Host;
use crate::value::{Cidr, PublicKey};
use crate::world::World;

#[cfg(any(test, fuzzing))]
pub(crate) use crate::simulator::linux::boot::fuzz as fuzz_boot_files;
#[cfg(any(test, fuzzing))]
pub(crate) use crate::simulator::linux::record::fuzz as fuzz_host_file;

/// A simulated Linux host. Clones are the same host.
#[derive(Debug, Clone)]
pub struct SimulatedLinux(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    file: Option<SystemFile>,
    host: Host,
    /// How many calls meant to change something.
    changes: u64,
    /// How often a WireGuard device was read.
    reads: u64,
    /// The change whose answer gets lost, by how many come first, and whether it is carried out all the same.
    lost: Option<(u64, bool)>,
    /// Whether it stays away then, and whether it is.
    stays_away: bool,
    is_away: bool,
}

impl SimulatedLinux {
    /// Makes a host that lives as long as this value. Its identity and its random ports come from the seed.
    pub fn in_memory(seed: u64, now: Timestamp) -> Self {
        Self::keep(None, Host::new("simulated", seed, now))
    }

    /// Opens the host of a backend that is kept beside the configuration, or makes it.
    ///
    /// # Errors
    /// When another run uses it, or its file is damaged or cannot be read or written.
    pub fn open(directory: &Path, id: &BackendId, world: &World) -> Result<Self, SimulatorError> {
        let file = SystemFile::open_in(directory, world.workspace(), id)?;
        match file.read()? {
            Some(bytes) => {
                let host = record::read(&bytes).map_err(|why| file.broken(&why))?;
                Ok(Self::keep(Some(file), host))
            }
            None => {
                let seed = world.new_id().as_u64_pair().0;
                let host = Host::new(&format!("simulated-{id}"), seed, world.now());
                save(&file, &host)?;
                Ok(Self::keep(Some(file), host))
            }
        }
    }

    fn keep(file: Option<SystemFile>, host: Host) -> Self {
        Self(Arc::new(Mutex::new(Kept {
            file,
            host,
            changes: 0,
            reads: 0,
            lost: None,
            stays_away: false,
            is_away: false,
        })))
    }
}

/// What a Linux host can be asked and told. A refused call changes nothing, unless the kernel's would.
impl SimulatedLinux {
    /// Returns which host it is.
    pub fn identity(&self, now: Timestamp) -> Identity {
        self.host().identity(now)
    }

    /// Returns all links, by name.
    pub fn links(&self) -> BTreeMap<String, Link> {
        self.host().links()
    }

    /// Returns what WireGuard holds for a link.
    ///
    /// # Errors
    /// `ENODEV` without such a link, `EOPNOTSUPP` for one of another kind.
    pub fn device(&self, name: &str) -> Result<Device, Refusal> {
        let mut kept = self.lock();
        if kept.is_away {
            return Err(Errno::CONNRESET.into());
        }
        kept.reads += 1;
        kept.host.device(name)
    }

    /// Changes what WireGuard holds for a link.
    ///
    /// # Errors
    /// As [`SimulatedLinux::device`], and `EADDRINUSE` for a port that another link is up on.
    pub fn configure(&self, name: &str, change: &DeviceChange) -> Result<(), Refusal> {
        hit_after(Point::HostHalfChanged, || self.configure_half(name, change));
        self.change(|host| host.configure(name, change))
    }

    /// Makes a WireGuard link, down.
    ///
    /// # Errors
    /// `EEXIST` when the name is taken, `EINVAL` when it is no name.
    pub fn add_link(&self, name: &str) -> Result<(), Refusal> {
        self.change(|host| host.add_link(name))
    }

    /// Removes a link with its peers and addresses.
    ///
    /// # Errors
    /// `ENODEV` without such a link, `EOPNOTSUPP` for the loopback.
    pub fn delete_link(&self, name: &str) -> Result<(), Refusal> {
        self.change(|host| host.delete_link(name))
    }

    /// Sets the MTU of a link. Addresses that do not go with it are lost.
    ///
    /// # Errors
    /// `ENODEV` without such a link, `EINVAL` for what is no MTU.
    pub fn set_mtu(&self, name: &str, mtu: u32) -> Result<(), Refusal> {
        self.change(|host| host.set_mtu(name, mtu))
    }

    /// Sets a link up or down. IPv6 addresses are lost on the way down.
    ///
    /// # Errors
    /// `ENODEV` without such a link, `EADDRINUSE` when another link is up on its port.
    pub fn set_up(&self, name: &str, up: bool) -> Result<(), Refusal> {
        self.change(|host| host.set_up(name, up))
    }

    /// Gives a link another name.
    ///
    /// # Errors
    /// `ENODEV`, `EBUSY` while it is up, `EEXIST`, `EINVAL`.
    pub fn rename(&self, name: &str, new: &str) -> Result<(), Refusal> {
        self.change(|host| host.rename(name, new))
    }

    /// Adds an address.
    ///
    /// # Errors
    /// `ENODEV`, `EEXIST`, and `EINVAL` or `ENOBUFS` when the MTU is too small for it.
    pub fn add_address(&self, name: &str, address: Cidr) -> Result<(), Refusal> {
        self.change(|host| host.add_address(name, address))
    }

    /// Removes an address, and with the first IPv4 address of a network the others of it.
    ///
    /// # Errors
    /// `ENODEV`, `EADDRNOTAVAIL`.
    pub fn delete_address(&self, name: &str, address: Cidr) -> Result<(), Refusal> {
        self.change(|host| host.delete_address(name, address))
    }

    /// Returns all routes but those to its own addresses, and the rules that have the form of wgform's.
    pub fn routing(&self) -> HostRouting {
        self.host().routing()
    }

    /// Changes routes and rules in order, up to the first that is refused.
    ///
    /// # Errors
    /// For a route to add `ENODEV` without its link or where that has no such addresses, `ENETDOWN` while it is down,
    /// `EEXIST` when there is one to the same network in that table with that metric; for one to remove `ESRCH` when
    /// there is none of that link and protocol; for a rule `EEXIST` and `ENOENT`.
    pub fn change_routing(&self, changes: &[RoutingChange]) -> Result<(), NotRouted> {
        let done = self.change(|host| Ok(host.change_routing(changes)));
        done.unwrap_or_else(|refusal| Err((0, refusal)))
    }

    /// Returns the files in a directory. The one of systemd's links has a file for every unit that is enabled.
    pub fn list_files(&self, directory: &Path) -> Vec<PathBuf> {
        self.host().list_files(directory)
    }

    /// Returns the text of a file.
    pub fn read_key_file(&self, path: &Path) -> Option<Zeroizing<String>> {
        self.read_file(path).map(|file| file.text)
    }

    /// Returns a file.
    pub fn read_file(&self, path: &Path) -> Option<HostFile> {
        self.host().files.get(path).cloned()
    }

    /// Writes a file.
    ///
    /// # Errors
    /// `EINVAL` for a path that is not absolute; when there is no such group.
    pub fn write_file(&self, path: &Path, file: &HostFile) -> Result<(), Refusal> {
        self.change(|host| host.write_file(path, file))
    }

    /// Removes a file.
    ///
    /// # Errors
    /// `ENOENT` without one.
    pub fn remove_file(&self, path: &Path) -> Result<(), Refusal> {
        self.change(|host| match host.files.remove(path) {
            Some(_) => Ok(()),
            None => Err(Errno::NOENT.into()),
        })
    }

    /// Runs a program, which changes this host and nothing else.
    ///
    /// # Errors
    /// When there is no such program, or as [`SimulatedLinux::refuse_program`] said.
    pub fn run(&self, program: &Program) -> Result<Ran, Refusal> {
        let answer = self.host().answer(program);
        answer.unwrap_or_else(|| self.change(|host| host.run(program)))
    }

    /// Returns whether there is a program of that name.
    pub fn has_program(&self, name: &str) -> bool {
        self.host().programs.has(name)
    }

    /// Returns whether the init is systemd.
    pub fn runs_systemd(&self) -> bool {
        self.host().programs.has_systemd
    }

    /// Resolves a host name: as [`SimulatedLinux::set_host`] said, else to an address of a documentation network that
    /// depends on the name only. Names under `invalid` do not resolve.
    ///
    /// # Errors
    /// When the name does not resolve.
    pub fn resolve(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Refusal> {
        let addresses = self.host().resolve(name)?;
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

/// What happens to a host without wgform.
impl SimulatedLinux {
    /// Adds a link of another kind.
    ///
    /// # Errors
    /// `EEXIST` when the name is taken, `EINVAL` when it is no name.
    pub fn add_other_link(&self, name: &str) -> Result<(), Refusal> {
        self.change(|host| host.add_other_link(name))
    }

    /// Says what a host name resolves to; to nothing, that it does not.
    ///
    /// # Errors
    /// When the file of the host cannot be written.
    pub fn set_host(&self, name: &str, addresses: &[IpAddr]) -> Result<(), Refusal> {
        self.change(|host| {
            host.names.insert(name.to_owned(), addresses.to_vec());
            Ok(())
        })
    }

    /// Gives a routing table a name, as `/etc/iproute2/rt_tables` would.
    ///
    /// # Errors
    /// When the file of the host cannot be written.
    pub fn name_table(&self, name: &str, number: u32) -> Result<(), Refusal> {
        self.change(|host| {
            host.table_names.insert(name.to_owned(), number);
            Ok(())
        })
    }

    /// Gives a peer a handshake and counters, as traffic would.
    ///
    /// # Errors
    /// `ENODEV` without such a link, `ENOENT` without such a peer.
    pub fn set_traffic(
        &self,
        interface: &str,
        peer: &PublicKey,
        last_handshake: Option<Timestamp>,
        received: u64,
        sent: u64,
    ) -> Result<(), Refusal> {
        self.change(|host| {
            let found = host.peer_mut(interface, peer)?;
            found.last_handshake = last_handshake;
            found.received = received;
            found.sent = sent;
            Ok(())
        })
    }

    /// Makes every change stop at a peer, as a kernel does that runs out of memory there: what came before it is done,
    /// and that peer is half made. Lasts as long as this value.
    ///
    /// # Errors
    /// When the file of the host cannot be written.
    pub fn refuse_peer(&self, peer: PublicKey, errno: Errno) -> Result<(), Refusal> {
        self.change(|host| {
            host.refused_peers.insert(peer, errno);
            Ok(())
        })
    }

    /// Keeps a link of that name from coming up. Lasts as long as this value.
    ///
    /// # Errors
    /// When the file of the host cannot be written.
    pub fn refuse_up(&self, name: &str, errno: Errno) -> Result<(), Refusal> {
        self.change(|host| {
            host.refused_links.insert(name.to_owned(), errno);
            Ok(())
        })
    }

    /// Installs a program, or removes it.
    ///
    /// # Errors
    /// When the file of the host cannot be written.
    pub fn set_program(&self, name: &str, is_there: bool) -> Result<(), Refusal> {
        self.change(|host| {
            match is_there {
                true => _ = host.programs.names.insert(name.to_owned()),
                false => _ = host.programs.names.remove(name),
            }
            Ok(())
        })
    }

    /// Makes systemd the init, or something else.
    ///
    /// # Errors
    /// When the file of the host cannot be written.
    pub fn set_systemd(&self, is_there: bool) -> Result<(), Refusal> {
        self.change(|host| {
            host.programs.has_systemd = is_there;
            Ok(())
        })
    }

    /// Says how a program ends from now on, whatever its arguments. Lasts as long as this value.
    ///
    /// # Errors
    /// When the file of the host cannot be written.
    pub fn refuse_program(&self, name: &str, answer: Result<Ran, Refusal>) -> Result<(), Refusal> {
        self.change(|host| {
            host.programs.refused.insert(name.to_owned(), answer);
            Ok(())
        })
    }

    /// Returns what `resolvconf` was given, by link.
    pub fn resolvconf(&self) -> BTreeMap<String, String> {
        self.host().programs.resolvconf.clone()
    }

    /// Returns every program that was run and was no question, in order. Lasts as long as this value.
    pub fn ran(&self) -> Vec<Program> {
        self.host().programs.ran.clone()
    }

    /// Returns how many calls were made that change something.
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// Returns how often a WireGuard device was read.
    pub fn reads(&self) -> u64 {
        self.lock().reads
    }

    /// Starts the host anew: links, peers and addresses are gone, files stay, and what is enabled is started.
    ///
    /// # Errors
    /// When the file of the host cannot be written.
    pub fn reboot(&self, now: Timestamp) -> Result<(), Refusal> {
        self.change(|host| {
            host.reboot(now);
            Ok(())
        })
    }

    /// Makes it another machine under the same name.
    ///
    /// # Errors
    /// When the file of the host cannot be written.
    pub fn set_machine_id(&self, id: &str) -> Result<(), Refusal> {
        self.change(|host| {
            host.machine_id = id.to_owned();
            Ok(())
        })
    }

    /// Says which boot this is, until the next one. Another host is the same one when it has both ids.
    ///
    /// # Errors
    /// When the file of the host cannot be written.
    pub fn set_boot_id(&self, id: &str) -> Result<(), Refusal> {
        self.change(|host| {
            host.boot_id = id.to_owned();
            Ok(())
        })
    }

    /// Breaks the connection to the host at the change after so many others, before or after it is carried out. Whoever
    /// asks next has a new connection.
    pub fn lose_answer(&self, after: u64, is_carried_out: bool) {
        self.lock().lost = Some((after, is_carried_out));
    }

    /// The same of a host that nobody reaches then: what WireGuard holds there cannot be read, and nothing be changed.
    pub fn lose(&self, after: u64, is_carried_out: bool) {
        self.lose_answer(after, is_carried_out);
        self.lock().stays_away = true;
    }

    /// Lets a lost host be reached again.
    pub fn come_back(&self) {
        let mut kept = self.lock();
        (kept.stays_away, kept.is_away) = (false, false);
    }

    /// Changes the host and keeps the change. A refused call is kept too: a kernel may have done half of it.
    fn change<T>(&self, call: impl FnOnce(&mut Host) -> Result<T, Refusal>) -> Result<T, Refusal> {
        around_host_change(|| {
            let mut kept = self.lock();
            if kept.is_away {
                return Err(Errno::CONNRESET.into());
            }
            let (lost, rest) = match kept.lost {
                Some((0, is_carried_out)) => (Some(is_carried_out), None),
                Some((after, is_carried_out)) => (None, Some((after - 1, is_carried_out))),
                None => (None, None),
            };
            kept.lost = rest;
            kept.is_away = lost.is_some() && kept.stays_away;
            if lost == Some(false) {
                return Err(Errno::CONNRESET.into());
            }
            let answer = call(&mut kept.host);
            let answer = if lost.is_some() { Err(Errno::CONNRESET.into()) } else { answer };
            kept.changes += 1;
            let Kept { file, host, .. } = &*kept;
            if let Some(file) = file {
                save(file, host)
                    .map_err(|SimulatorError { reason, hints }| Refusal::Said { reason, hints })?;
            }
            answer
        })
    }

    /// Does of a change what comes first: a kernel takes many peers, and many networks of a peer, in several messages.
    fn configure_half(&self, name: &str, change: &DeviceChange) {
        let mut half = change.clone();
        half.peers.truncate(change.peers.len().div_ceil(2));
        if let Some(last) = half.peers.last_mut() {
            last.allowed_ips.truncate(last.allowed_ips.len() / 2);
        }
        // The process stops next, and nobody hears how it went.
        _ = self.change(|host| host.configure(name, &half));
    }

    fn host(&self) -> impl std::ops::Deref<Target = Host> + '_ {
        struct Guard<'a>(MutexGuard<'a, Kept>);
        impl std::ops::Deref for Guard<'_> {
            type Target = Host;
            fn deref(&self) -> &Host {
                &self.0.host
            }
        }
        Guard(self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // A thread that panicked in between left a host as a crashed kernel would; it is still the host there is.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn save(file: &SystemFile, host: &Host) -> Result<(), SimulatorError> {
    let bytes = record::write(host).map_err(|why| file.broken(&why))?;
    file.write(&bytes)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rustix::io::Errno;

    use crate::simulator::linux::SimulatedLinux;
    use crate::simulator::linux::call::{DeviceChange, HostFile, PeerChange, Refusal};
    use crate::value::{Cidr, PrivateKey, PublicKey};

    fn host() -> SimulatedLinux {
        let host = SimulatedLinux::in_memory(1, Timestamp::UNIX_EPOCH);
        host.add_link("wg0").unwrap();
        host
    }

    fn address(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    fn port(port: u16) -> DeviceChange {
        DeviceChange { listen_port: Some(port), ..DeviceChange::default() }
    }

    fn peers(peers: Vec<PeerChange>) -> DeviceChange {
        DeviceChange { peers, ..DeviceChange::default() }
    }

    fn addresses(host: &SimulatedLinux) -> Vec<String> {
        host.links()["wg0"].addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_kernel_refuses_is_refused_with_its_number() {
        let host = host();
        host.set_up("wg0", true).unwrap();
        host.configure("wg0", &port(51_820)).unwrap();
        host.add_address("wg0", address("10.0.0.1/24")).unwrap();
        host.add_address("wg0", address("fd00::1/64")).unwrap();
        host.add_link("wg1").unwrap();
        host.configure("wg1", &port(51_820)).unwrap();
        let answers = [
            (host.add_link("wg0"), Errno::EXIST),
            (host.add_link("eth0"), Errno::EXIST),
            (host.add_link("sixteen-bytes-xx"), Errno::INVAL),
            (host.add_link("a/b"), Errno::INVAL),
            (host.add_link(""), Errno::INVAL),
            (host.delete_link("wg9"), Errno::NODEV),
            (host.delete_link("lo"), Errno::OPNOTSUPP),
            (host.rename("wg0", "wg2"), Errno::BUSY),
            (host.rename("wg1", "wg0"), Errno::EXIST),
            (host.rename("wg1", "a b"), Errno::INVAL),
            (host.rename("wg9", "wg2"), Errno::NODEV),
            (host.set_up("wg1", true), Errno::ADDRINUSE),
            (host.set_mtu("wg0", u32::MAX), Errno::INVAL),
            (host.set_mtu("wg9", 1400), Errno::NODEV),
            (host.add_address("wg0", address("10.0.0.1/24")), Errno::EXIST),
            (host.add_address("wg0", address("fd00::1/48")), Errno::EXIST),
            (host.delete_address("wg0", address("10.0.0.1/25")), Errno::ADDRNOTAVAIL),
            (host.configure("eth0", &port(1)), Errno::OPNOTSUPP),
            (host.configure("wg9", &port(1)), Errno::NODEV),
            (host.device("eth0").map(drop), Errno::OPNOTSUPP),
            (host.remove_file("/none".as_ref()), Errno::NOENT),
        ];
        for (at, (answer, errno)) in answers.into_iter().enumerate() {
            assert_eq!(answer, Err(Refusal::Errno(errno)), "{at}");
        }
        // The link whose port was taken is down still, and may come up when the port is free.
        assert!(!host.links()["wg1"].is_up);
        host.set_up("wg0", false).unwrap();
        host.set_up("wg1", true).unwrap();
    }

    #[test]
    fn what_a_kernel_does_silently_to_addresses_is_done() {
        let host = host();
        for text in ["10.0.0.1/24", "10.0.0.2/24", "10.1.0.1/24", "10.0.0.1/32", "fd00::1/64"] {
            host.add_address("wg0", address(text)).unwrap();
        }
        host.delete_address("wg0", address("10.0.0.1/24")).unwrap();
        assert_eq!(addresses(&host), ["10.0.0.1/32", "10.1.0.1/24", "fd00::1/64"]);
        host.set_up("wg0", true).unwrap();
        host.set_up("wg0", false).unwrap();
        assert_eq!(addresses(&host), ["10.0.0.1/32", "10.1.0.1/24"]);
        host.add_address("wg0", address("fd00::1/64")).unwrap();
        host.set_mtu("wg0", 1279).unwrap();
        assert_eq!(addresses(&host), ["10.0.0.1/32", "10.1.0.1/24"]);
        assert_eq!(host.add_address("wg0", address("fd00::1/64")), Err(Errno::INVAL.into()));
        host.set_mtu("wg0", 67).unwrap();
        assert!(addresses(&host).is_empty());
        assert_eq!(host.add_address("wg0", address("10.0.0.1/24")), Err(Errno::NOBUFS.into()));
    }

    #[test]
    fn what_a_kernel_does_silently_to_peers_is_done() {
        let host = host();
        let key = PrivateKey::from_bytes([9; 32]);
        let (one, two) = (PublicKey::from_bytes([1; 32]), PublicKey::from_bytes([2; 32]));
        let with = |public_key, networks: &[&str]| PeerChange {
            allowed_ips: networks.iter().map(|it| it.parse().unwrap()).collect(),
            ..PeerChange::new(public_key)
        };
        let held = |key| -> Vec<String> {
            let device = host.device("wg0").unwrap();
            device.peers[&key].allowed_ips.iter().map(ToString::to_string).collect()
        };
        let both = vec![with(one, &["10.0.0.0/8", "10.1.0.0/16"]), with(two, &["10.1.9.9/16"])];
        host.configure("wg0", &peers(both)).unwrap();
        assert_eq!((held(one), held(two)), (vec!["10.0.0.0/8".into()], vec!["10.1.0.0/16".into()]));
        // What was taken stays with the taker when the giver goes and comes.
        let again = vec![PeerChange::removal(one), with(one, &[])];
        host.configure("wg0", &peers(again)).unwrap();
        assert_eq!((held(one), held(two)), (vec![], vec!["10.1.0.0/16".into()]));
        // A peer with the interface's own key is dropped, whichever comes first.
        host.configure("wg0", &peers(vec![with(key.public(), &["10.9.0.0/16"])])).unwrap();
        let own = DeviceChange { private_key: Some(key.clone()), ..DeviceChange::default() };
        host.configure("wg0", &own).unwrap();
        host.configure("wg0", &peers(vec![with(key.public(), &["10.9.0.0/16"])])).unwrap();
        assert_eq!(host.device("wg0").unwrap().peers.len(), 2);
    }

    #[test]
    fn a_port_is_chosen_when_the_link_comes_up() {
        let host = host();
        let listen_port = |host: &SimulatedLinux| host.device("wg0").unwrap().listen_port;
        assert_eq!(listen_port(&host), 0);
        host.set_up("wg0", true).unwrap();
        let chosen = listen_port(&host);
        assert!((32_768..61_000).contains(&chosen));
        host.configure("wg0", &port(0)).unwrap();
        assert_ne!(listen_port(&host), chosen);
        // The same seed chooses the same.
        let again = self::host();
        again.set_up("wg0", true).unwrap();
        assert_eq!(listen_port(&again), chosen);
    }

    #[test]
    fn a_host_does_not_print_its_keys() {
        let host = host();
        let file = HostFile::private("hunter2".to_owned().into());
        host.write_file("/var/lib/wgform/keys/wg0".as_ref(), &file).unwrap();
        assert!(!format!("{host:?}").contains("hunter2"));
    }
}
