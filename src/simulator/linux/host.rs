//! The rules of a Linux kernel over the data of one host.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustix::io::Errno;

use crate::actual::Identity;
use crate::persist::{ENABLED_DIRECTORY, NETWORKD_GROUP};
use crate::simulator::linux::call::{
    Device, DeviceChange, DevicePeer, HostFile, HostRoute, HostRule, Link, LinkKind, PeerChange,
    Refusal, is_link_name,
};
use crate::simulator::linux::program::Programs;
use crate::simulator::linux::routing::default_tables;
use crate::value::{Cidr, Prefix, PublicKey};

/// What a new WireGuard link has.
const DEFAULT_MTU: u32 = 1420;
/// Below this a link has no IPv6.
pub(crate) const IPV6_MIN_MTU: u32 = 1280;
/// Below this a link has no IPv4.
pub(crate) const IPV4_MIN_MTU: u32 = 68;
/// The kernel's largest MTU for WireGuard: `INT_MAX` less its own header and padding.
const MAX_MTU: u32 = 2_147_483_552;

/// All there is to one host.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) host_name: String,
    pub(crate) machine_id: String,
    pub(crate) booted_at: Timestamp,
    /// Where its random numbers go on: boot ids and ports.
    pub(crate) seed: u64,
    pub(crate) boot_id: String,
    pub(crate) links: BTreeMap<String, HostLink>,
    pub(crate) files: BTreeMap<PathBuf, HostFile>,
    pub(crate) names: BTreeMap<String, Vec<IpAddr>>,
    /// Those that somebody added; the kernel's own come from the addresses.
    pub(crate) routes: BTreeSet<HostRoute>,
    pub(crate) rules: BTreeSet<HostRule>,
    pub(crate) table_names: BTreeMap<String, u32>,
    pub(crate) programs: Programs,
    /// Peers at which a change stops; for tests, and not kept.
    pub(crate) refused_peers: BTreeMap<PublicKey, Errno>,
    /// The links that cannot come up.
    pub(crate) refused_links: BTreeMap<String, Errno>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The files hold keys.
        write!(f, "Host({})", self.host_name)
    }
}

/// One link with what is on it.
#[derive(Debug, Clone)]
pub(crate) struct HostLink {
    /// None for a link that is no WireGuard.
    pub(crate) device: Option<Device>,
    pub(crate) is_up: bool,
    pub(crate) mtu: u32,
    /// In the order in which they came, which says which one of a network is the first.
    pub(crate) addresses: Vec<Cidr>,
    /// What systemd-resolved holds for it, in order.
    pub(crate) dns: Vec<String>,
    pub(crate) domains: Vec<String>,
}

impl HostLink {
    /// A link without name servers.
    fn new(device: Option<Device>, is_up: bool, mtu: u32, addresses: Vec<Cidr>) -> Self {
        Self { device, is_up, mtu, addresses, dns: Vec::new(), domains: Vec::new() }
    }
}

impl Host {
    pub(crate) fn new(host_name: &str, seed: u64, now: Timestamp) -> Self {
        let mut host = Self {
            host_name: host_name.to_owned(),
            machine_id: String::new(),
            booted_at: now,
            seed,
            boot_id: String::new(),
            links: BTreeMap::new(),
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            routes: BTreeSet::new(),
            rules: BTreeSet::new(),
            table_names: default_tables(),
            programs: Programs::default(),
            refused_peers: BTreeMap::new(),
            refused_links: BTreeMap::new(),
        };
        host.machine_id = format!("{:016x}{:016x}", host.random(), host.random());
        host.reboot(now);
        host
    }

    pub(crate) fn reboot(&mut self, now: Timestamp) {
        let (high, low) = (self.random(), self.random());
        self.boot_id = uuid::Uuid::from_u64_pair(high, low).to_string();
        self.booted_at = now;
        let lo = HostLink::new(None, true, 65_536, vec![cidr(Ipv4Addr::LOCALHOST, 8)]);
        let address = cidr(Ipv4Addr::new(192, 0, 2, 10), 24);
        let eth0 = HostLink::new(None, true, 1500, vec![address]);
        // `/run`, where it is kept, is empty again.
        self.programs.resolvconf.clear();
        self.programs.managed.clear();
        self.links = BTreeMap::from([("lo".to_owned(), lo), ("eth0".to_owned(), eth0)]);
        self.routes.clear();
        self.rules.clear();
        self.start_units();
    }

    pub(crate) fn list_files(&self, directory: &Path) -> Vec<PathBuf> {
        let is_there = |path: &&PathBuf| path.parent() == Some(directory);
        let units = self.programs.units.iter().map(|unit| Path::new(ENABLED_DIRECTORY).join(unit));
        let units: Vec<_> = units.filter(|path| is_there(&path)).collect();
        self.files.keys().filter(is_there).cloned().chain(units).collect()
    }

    pub(crate) fn write_file(&mut self, path: &Path, file: &HostFile) -> Result<(), Refusal> {
        if !path.is_absolute() {
            return Err(Errno::INVAL.into());
        }
        if let Some(group) = file.group.as_deref().filter(|group| *group != NETWORKD_GROUP) {
            let hint = "use one that it has";
            return Err(Refusal::said(format!("the host has no group `{group}`"), hint));
        }
        self.files.insert(path.to_owned(), file.clone());
        Ok(())
    }

    pub(crate) fn identity(&self, now: Timestamp) -> Identity {
        Identity {
            id: self.machine_id.clone(),
            boot_id: Some(self.boot_id.clone()),
            uptime: Duration::try_from(now.duration_since(self.booted_at)).ok(),
            clock_skew: None,
            host_name: self.host_name.clone(),
        }
    }

    pub(crate) fn links(&self) -> BTreeMap<String, Link> {
        let link =
            |HostLink { device, is_up, mtu, addresses, dns: _, domains: _ }: &HostLink| Link {
                kind: if device.is_some() { LinkKind::Kernel } else { LinkKind::Other },
                is_up: *is_up,
                mtu: *mtu,
                addresses: addresses.iter().copied().collect(),
            };
        self.links.iter().map(|(name, it)| (name.clone(), link(it))).collect()
    }

    pub(crate) fn device(&self, name: &str) -> Result<Device, Refusal> {
        let link = self.links.get(name).ok_or(Errno::NODEV)?;
        Ok(link.device.clone().ok_or(Errno::OPNOTSUPP)?)
    }

    pub(crate) fn configure(&mut self, name: &str, change: &DeviceChange) -> Result<(), Refusal> {
        let DeviceChange { private_key, listen_port, fwmark, clears_peers, peers } = change;
        let refused = self.refused_peers.clone();
        self.device_mut(name)?;
        if let Some(port) = *listen_port {
            self.set_port(name, port)?;
        }
        let device = self.device_mut(name)?;
        if let Some(mark) = *fwmark {
            device.fwmark = mark;
        }
        if *clears_peers {
            device.peers.clear();
        }
        if let Some(key) = private_key {
            // The kernel lets go of a peer that would be the interface itself.
            device.peers.remove(&key.public());
            device.private_key = Some(key.clone());
        }
        // A kernel does not take back what it did before the peer that it refuses, and that one is half made.
        let stop = peers.iter().position(|it| !it.removes && refused.contains_key(&it.public_key));
        let done = stop.map_or(peers.as_slice(), |at| &peers[..at]);
        set_peers(device, done);
        let Some(refused_peer) = stop.map(|at| peers[at].public_key) else {
            return Ok(());
        };
        device.peers.entry(refused_peer).or_default();
        Err(refused[&refused_peer].into())
    }

    pub(crate) fn add_link(&mut self, name: &str) -> Result<(), Refusal> {
        let device = Some(Device::default());
        self.insert(name, HostLink::new(device, false, DEFAULT_MTU, vec![]))
    }

    pub(crate) fn add_other_link(&mut self, name: &str) -> Result<(), Refusal> {
        self.insert(name, HostLink::new(None, true, 1500, vec![]))
    }

    fn insert(&mut self, name: &str, link: HostLink) -> Result<(), Refusal> {
        if !is_link_name(name) {
            return Err(Errno::INVAL.into());
        }
        if self.links.contains_key(name) {
            return Err(Errno::EXIST.into());
        }
        self.links.insert(name.to_owned(), link);
        Ok(())
    }

    pub(crate) fn delete_link(&mut self, name: &str) -> Result<(), Refusal> {
        if name == "lo" {
            return Err(Errno::OPNOTSUPP.into());
        }
        self.links.remove(name).ok_or(Errno::NODEV)?;
        self.lose_routes(name);
        self.programs.managed.remove(name);
        Ok(())
    }

    pub(crate) fn set_mtu(&mut self, name: &str, mtu: u32) -> Result<(), Refusal> {
        let link = self.link_mut(name)?;
        if mtu > MAX_MTU {
            return Err(Errno::INVAL.into());
        }
        link.mtu = mtu;
        link.addresses.retain(|it| mtu >= least_mtu(it));
        self.lose_routes(name);
        Ok(())
    }

    pub(crate) fn set_up(&mut self, name: &str, up: bool) -> Result<(), Refusal> {
        let refused = self.refused_links.get(name).filter(|_| up).copied();
        let link = self.link_mut(name)?;
        if link.is_up == up {
            return Ok(());
        }
        if !up {
            link.is_up = false;
            link.addresses.retain(|it| it.address().is_ipv4());
            self.lose_routes(name);
            return Ok(());
        }
        if let Some(errno) = refused {
            return Err(errno.into());
        }
        link.is_up = true;
        let Some(port) = link.device.as_ref().map(|device| device.listen_port) else {
            return Ok(());
        };
        self.set_port(name, port).inspect_err(|_| {
            if let Some(link) = self.links.get_mut(name) {
                link.is_up = false;
            }
        })
    }

    pub(crate) fn rename(&mut self, name: &str, new: &str) -> Result<(), Refusal> {
        if self.link_mut(name)?.is_up {
            return Err(Errno::BUSY.into());
        }
        if !is_link_name(new) {
            return Err(Errno::INVAL.into());
        }
        if self.links.contains_key(new) {
            return Err(Errno::EXIST.into());
        }
        if let Some(link) = self.links.remove(name) {
            self.links.insert(new.to_owned(), link);
            self.programs.managed.remove(name);
        }
        Ok(())
    }

    pub(crate) fn add_address(&mut self, name: &str, address: Cidr) -> Result<(), Refusal> {
        let link = self.link_mut(name)?;
        let ip = address.address();
        if link.mtu < least_mtu(&address) {
            return Err(if ip.is_ipv4() { Errno::NOBUFS } else { Errno::INVAL }.into());
        }
        // IPv4 may have one address with two lengths, IPv6 may not.
        let is_same = |it: &Cidr| *it == address || (ip.is_ipv6() && it.address() == ip);
        if link.addresses.iter().any(is_same) {
            return Err(Errno::EXIST.into());
        }
        link.addresses.push(address);
        Ok(())
    }

    pub(crate) fn delete_address(&mut self, name: &str, address: Cidr) -> Result<(), Refusal> {
        let link = self.link_mut(name)?;
        let at = link.addresses.iter().position(|it| *it == address);
        let at = at.ok_or(Errno::ADDRNOTAVAIL)?;
        let in_network = |it: &Cidr| it.address().is_ipv4() && it.prefix() == address.prefix();
        let is_first = link.addresses.iter().position(in_network) == Some(at);
        link.addresses.remove(at);
        if is_first {
            link.addresses.retain(|it| !in_network(it));
        }
        // With the last IPv4 address go all IPv4 routes of the link, in every table.
        if address.address().is_ipv4() && !link.addresses.iter().any(|it| it.address().is_ipv4()) {
            let is_lost = |it: &HostRoute| {
                it.device.as_deref() == Some(name) && it.route.to.address().is_ipv4()
            };
            self.routes.retain(|it| !is_lost(it));
        }
        Ok(())
    }

    pub(crate) fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Refusal> {
        let unknown = || {
            Refusal::said(
                format!("the name `{name}` does not resolve"),
                "check the name, and the name server of the host",
            )
        };
        match self.names.get(name) {
            Some(addresses) if addresses.is_empty() => Err(unknown()),
            Some(addresses) => Ok(addresses.clone()),
            None if name == "invalid" || name.ends_with(".invalid") => Err(unknown()),
            None => {
                let sum = name.bytes().fold(5381u32, |n, b| n.wrapping_mul(33) ^ u32::from(b));
                let last = u8::try_from(sum % 254 + 1).unwrap_or(1);
                Ok(vec![Ipv4Addr::new(203, 0, 113, last).into()])
            }
        }
    }

    pub(crate) fn peer_mut(
        &mut self,
        interface: &str,
        peer: &PublicKey,
    ) -> Result<&mut DevicePeer, Refusal> {
        self.device_mut(interface)?.peers.get_mut(peer).ok_or(Errno::NOENT.into())
    }

    /// Sets the port of a device, which takes the socket only while its link is up.
    fn set_port(&mut self, name: &str, port: u16) -> Result<(), Refusal> {
        let is_up = self.link_mut(name)?.is_up;
        let taken: BTreeSet<u16> = self
            .links
            .iter()
            .filter(|(other, link)| other.as_str() != name && link.is_up)
            .filter_map(|(_, link)| link.device.as_ref().map(|device| device.listen_port))
            .collect();
        if is_up && port != 0 && taken.contains(&port) {
            return Err(Errno::ADDRINUSE.into());
        }
        let mut chosen = port;
        while is_up && (chosen == 0 || taken.contains(&chosen)) {
            // The range of `ip_local_port_range`.
            chosen = 32_768 + u16::try_from(self.random() % 28_232).unwrap_or_default();
        }
        self.device_mut(name)?.listen_port = chosen;
        Ok(())
    }

    fn link_mut(&mut self, name: &str) -> Result<&mut HostLink, Refusal> {
        self.links.get_mut(name).ok_or(Errno::NODEV.into())
    }

    fn device_mut(&mut self, name: &str) -> Result<&mut Device, Refusal> {
        self.link_mut(name)?.device.as_mut().ok_or(Errno::OPNOTSUPP.into())
    }

    /// SplitMix64: small, and the same on every machine.
    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Changes peers in order, as one message to the kernel does.
fn set_peers(device: &mut Device, changes: &[PeerChange]) {
    let own = device.private_key.as_ref().map(crate::value::PrivateKey::public);
    let mut owners: HashMap<Prefix, PublicKey> = HashMap::new();
    if !changes.is_empty() {
        for (key, peer) in &device.peers {
            owners.extend(peer.allowed_ips.iter().map(|prefix| (*prefix, *key)));
        }
    }
    for change in changes {
        if own == Some(change.public_key) {
            continue;
        }
        set_peer(&mut device.peers, &mut owners, change);
    }
}

fn set_peer(
    peers: &mut BTreeMap<PublicKey, DevicePeer>,
    owners: &mut HashMap<Prefix, PublicKey>,
    change: &PeerChange,
) {
    let PeerChange {
        public_key,
        removes,
        preshared_key,
        endpoint,
        persistent_keepalive,
        clears_allowed_ips,
        allowed_ips,
    } = change;
    if *removes {
        let gone = peers.remove(public_key).unwrap_or_default();
        for prefix in &gone.allowed_ips {
            owners.remove(prefix);
        }
        return;
    }
    let peer = peers.entry(*public_key).or_default();
    if let Some(preshared) = preshared_key {
        peer.preshared_key.clone_from(preshared);
    }
    if let Some(endpoint) = endpoint {
        peer.endpoint = Some(*endpoint);
    }
    if let Some(keepalive) = persistent_keepalive {
        peer.persistent_keepalive = *keepalive;
    }
    if *clears_allowed_ips {
        let gone = std::mem::take(&mut peer.allowed_ips);
        for prefix in &gone {
            owners.remove(prefix);
        }
    }
    peer.allowed_ips.extend(allowed_ips);
    for prefix in allowed_ips {
        match owners.insert(*prefix, *public_key) {
            Some(before) if before != *public_key => {
                if let Some(before) = peers.get_mut(&before) {
                    before.allowed_ips.remove(prefix);
                }
            }
            _ => {}
        }
    }
}

/// The smallest MTU that a link with this address can have.
fn least_mtu(address: &Cidr) -> u32 {
    if address.address().is_ipv4() { IPV4_MIN_MTU } else { IPV6_MIN_MTU }
}

fn cidr(address: Ipv4Addr, length: u8) -> Cidr {
    Cidr::new(address.into(), length).expect("the lengths given here are below 32")
}
