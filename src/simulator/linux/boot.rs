//! Starts what is enabled when a simulated host boots: interfaces of wg-quick and of systemd-networkd, from their files.
//!
//! It knows what those two know of what wgform writes, and is strict: a file with anything else in it brings nothing up,
//! as a real one does with a mistake in it, so that no test passes by a line that nobody reads.

mod shell;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::io::Errno;

use crate::persist::{NETWORKD_DIRECTORY, NETWORKD_GROUP, Style};
use crate::simulator::linux::call::{
    DeviceChange, HostFile, HostRoute, HostRule, PeerChange, Refusal, RoutingChange,
};
use crate::simulator::linux::host::Host;
use crate::value::{
    Cidr, Endpoint, Family, Host as EndpointHost, Keepalive, Prefix, PublicKey, Route, RouteRule,
};

/// `RTPROT_STATIC`, which networkd gives its rules.
const STATIC: u8 = 4;

/// What a file says of an interface.
#[derive(Default)]
struct Described {
    change: DeviceChange,
    key_file: Option<PathBuf>,
    addresses: Vec<Cidr>,
    mtu: Option<u32>,
    is_down: bool,
    servers: Vec<String>,
    domains: Vec<String>,
    routing: Vec<RoutingChange>,
    pre_up: Vec<String>,
    post_up: Vec<String>,
}

/// A section of a file: its heading, and its settings in order.
type Section<'a> = (&'a str, Vec<(&'a str, &'a str)>);

/// What does not go on is left as the host's own tools leave it: nothing of that interface is there.
type Started = Result<(), Refusal>;

impl Host {
    /// Starts every unit. One that fails is in the way of no other.
    pub(crate) fn start_units(&mut self) {
        if !self.programs.has_systemd {
            return;
        }
        for unit in self.programs.units.clone() {
            let name = unit.strip_prefix("wg-quick@").and_then(|it| it.strip_suffix(".service"));
            let _failed = match name {
                Some(name) => self.start_wg_quick(name),
                None => self.start_networkd(),
            };
        }
    }

    fn start_wg_quick(&mut self, name: &str) -> Started {
        let path = Style::WgQuick.paths(name).swap_remove(0);
        let file = self.files.get(&path).cloned().ok_or(Errno::NOENT)?;
        let mut described = Described::default();
        for (heading, settings) in sections(&file.text)? {
            match heading {
                "Interface" => described.read_interface(&settings, wg_quick_setting)?,
                "Peer" => described.read_peer(&settings, self)?,
                _ => return Err(unknown(heading)),
            }
        }
        self.bring_up(name, described)
    }

    fn start_networkd(&mut self) -> Started {
        let in_order = |host: &Self, extension: &str| -> Vec<HostFile> {
            let is_it = |path: &&PathBuf| path.extension().is_some_and(|it| it == extension);
            let files = host.list_files(Path::new(NETWORKD_DIRECTORY));
            files.iter().filter(is_it).filter_map(|path| host.files.get(path).cloned()).collect()
        };
        for file in in_order(self, "netdev") {
            let sections = sections(&file.text)?;
            let is_wireguard = value(&sections, "NetDev", "Kind") == Some("wireguard");
            let Some(name) = value(&sections, "NetDev", "Name").filter(|_| is_wireguard) else {
                continue;
            };
            let network = in_order(self, "network").into_iter().find(|network| {
                let found = self::sections(&network.text).ok();
                found.is_some_and(|it| value(&it, "Match", "Name") == Some(name))
            });
            // A device without a network is made and left down; ours have both.
            let network = network.ok_or(Errno::NOENT)?;
            let _failed = self.start_netdev(name, &file, &network);
        }
        Ok(())
    }

    fn start_netdev(&mut self, name: &str, netdev: &HostFile, network: &HostFile) -> Started {
        let mut described = Described::default();
        for (heading, settings) in
            sections(&netdev.text)?.into_iter().chain(sections(&network.text)?)
        {
            match heading {
                "WireGuardPeer" => described.read_peer(&settings, self)?,
                "Route" => described.routing.push(route(name, &settings)?),
                "RoutingPolicyRule" => described.routing.push(rule(&settings)?),
                "NetDev" | "WireGuard" | "Match" | "Link" | "Network" => {
                    described.read_interface(&settings, networkd_setting)?;
                }
                _ => return Err(unknown(heading)),
            }
        }
        let readable = |file: &HostFile| {
            file.mode & 0o004 != 0
                || file.mode & 0o040 != 0 && file.group.as_deref() == Some(NETWORKD_GROUP)
        };
        let key = described.key_file.take().and_then(|path| self.files.get(&path));
        let key = key.filter(|key| readable(key) && readable(netdev) && readable(network));
        described.change.private_key = Some(parsed(key.ok_or(Errno::ACCESS)?.text.trim_end())?);
        self.bring_up(name, described)?;
        self.programs.managed.insert(name.to_owned());
        Ok(())
    }

    /// Returns the name servers and the domains that a file of networkd's says.
    pub(crate) fn name_servers_in(&self, path: &Path) -> (Vec<String>, Vec<String>) {
        let mut described = Described::default();
        let text = self.files.get(path).map(|file| file.text.as_str()).unwrap_or_default();
        for (key, value) in sections(text).into_iter().flatten().flat_map(|(_, settings)| settings)
        {
            // What is wrong in it is said when it is read for good.
            let _unknown = networkd_setting(&mut described, key, value);
        }
        (described.servers, described.domains)
    }

    /// Makes the interface, or leaves nothing of it behind.
    fn bring_up(&mut self, name: &str, described: Described) -> Started {
        for line in &described.pre_up {
            self.shell(line, name)?;
        }
        self.add_link(name)?;
        self.fill(name, described).inspect_err(|_| _ = self.delete_link(name))
    }

    fn fill(&mut self, name: &str, described: Described) -> Started {
        let Described { change, addresses, mtu, is_down, servers, domains, routing, .. } =
            &described;
        self.configure(name, change)?;
        mtu.map_or(Ok(()), |mtu| self.set_mtu(name, mtu))?;
        addresses.iter().try_for_each(|address| self.add_address(name, *address))?;
        self.set_up(name, true)?;
        if *is_down {
            self.set_up(name, false)?;
        }
        self.change_routing(routing).map_err(|(_, refusal)| refusal)?;
        if let Some(link) = self.links.get_mut(name) {
            (link.dns, link.domains) = (servers.clone(), domains.clone());
        }
        described.post_up.iter().try_for_each(|line| self.shell(line, name))
    }
}

impl Described {
    fn read_interface(
        &mut self,
        settings: &[(&str, &str)],
        read: fn(&mut Self, &str, &str) -> Started,
    ) -> Started {
        settings.iter().try_for_each(|(key, value)| read(self, key, value))
    }

    fn read_peer(&mut self, settings: &[(&str, &str)], host: &Host) -> Started {
        let key = settings.iter().find(|(key, _)| *key == "PublicKey");
        let public_key: PublicKey = parsed(key.ok_or(Errno::INVAL)?.1)?;
        let mut peer = PeerChange::new(public_key);
        for (key, value) in settings {
            match *key {
                "PublicKey" => {}
                "PresharedKey" => peer.preshared_key = Some(Some(parsed(value)?)),
                "AllowedIPs" => {
                    let networks = value.split(',').map(|it| parsed::<Prefix>(it.trim()));
                    peer.allowed_ips = networks.collect::<Result<_, _>>()?;
                }
                "Endpoint" => peer.endpoint = Some(socket(&parsed(value)?, host)?),
                "PersistentKeepalive" => {
                    peer.persistent_keepalive = Some(Keepalive::from_seconds(parsed(value)?));
                }
                _ => return Err(unknown(key)),
            }
        }
        self.change.peers.push(peer);
        Ok(())
    }
}

fn wg_quick_setting(described: &mut Described, key: &str, value: &str) -> Started {
    match (key, value) {
        ("PrivateKey", value) => described.change.private_key = Some(parsed(value)?),
        ("ListenPort", value) => described.change.listen_port = Some(parsed(value)?),
        ("FwMark", value) => described.change.fwmark = Some(parsed(value)?),
        ("Address", value) => described.addresses.push(parsed(value)?),
        ("MTU", value) => described.mtu = Some(parsed(value)?),
        ("Table", "off") => {}
        ("PreUp", line) => described.pre_up.push(line.to_owned()),
        ("PostUp", line) => described.post_up.push(line.to_owned()),
        ("PreDown" | "PostDown", line) => _ = shell::parsed(line, "i")?,
        _ => return Err(unknown(key)),
    }
    Ok(())
}

fn networkd_setting(described: &mut Described, key: &str, value: &str) -> Started {
    match (key, value) {
        ("Name", _) | ("Kind", "wireguard") => {}
        ("PrivateKeyFile", path) => described.key_file = Some(PathBuf::from(path)),
        ("ListenPort", value) => described.change.listen_port = Some(parsed(value)?),
        ("FirewallMark", value) => described.change.fwmark = Some(parsed(value)?),
        ("MTUBytes", value) => described.mtu = Some(parsed(value)?),
        ("Address", value) => described.addresses.push(parsed(value)?),
        ("RequiredForOnline" | "LinkLocalAddressing", "no") => {}
        ("ActivationPolicy", "down") => described.is_down = true,
        ("DNS", server) => described.servers.push(server.to_owned()),
        ("Domains", all) => {
            described.domains.extend(all.split_whitespace().map(str::to_owned));
        }
        _ => return Err(unknown(key)),
    }
    Ok(())
}

fn route(name: &str, settings: &[(&str, &str)]) -> Result<RoutingChange, Refusal> {
    let (mut to, mut table, mut metric, mut protocol) = (None, Route::MAIN, None, STATIC);
    for (key, value) in settings {
        match *key {
            "Destination" => to = Some(parsed(value)?),
            "Table" => table = parsed(value)?,
            "Metric" => metric = Some(parsed(value)?),
            "Protocol" => protocol = parsed(value)?,
            _ => return Err(unknown(key)),
        }
    }
    let route = Route::new(to.ok_or(Errno::INVAL)?, table, metric);
    Ok(RoutingChange::AddRoute(HostRoute { route, device: Some(name.to_owned()), protocol }))
}

/// Reads a rule of one of the two forms that there are.
fn rule(settings: &[(&str, &str)]) -> Result<RoutingChange, Refusal> {
    let family = match settings.first() {
        Some(("Family", "ipv4")) => Family::V4,
        Some(("Family", "ipv6")) => Family::V6,
        _ => return Err(Errno::INVAL.into()),
    };
    let rule = match &settings[1..] {
        [("SuppressPrefixLength", "0"), ("Table", "254"), priority] => {
            (RouteRule::Main(family), priority)
        }
        [("InvertRule", "yes"), ("FirewallMark", mark), ("Table", table), priority]
            if mark == table =>
        {
            (RouteRule::Unmarked(family, parsed(mark)?), priority)
        }
        _ => return Err(Errno::INVAL.into()),
    };
    match rule {
        (rule, ("Priority", at)) if *at == rule.priority().to_string() => {
            Ok(RoutingChange::AddRule(HostRule { rule, protocol: STATIC }))
        }
        _ => Err(Errno::INVAL.into()),
    }
}

fn sections(text: &str) -> Result<Vec<Section<'_>>, Refusal> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in text.lines() {
        // networkd knows comments only in lines of their own; we write no other line with this sign.
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        if let Some(heading) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            sections.push((heading, Vec::new()));
            continue;
        }
        let (key, value) = line.split_once('=').ok_or(Errno::INVAL)?;
        let (_, settings) = sections.last_mut().ok_or(Errno::INVAL)?;
        settings.push((key.trim(), value.trim()));
    }
    Ok(sections)
}

fn value<'a>(sections: &[Section<'a>], heading: &str, key: &str) -> Option<&'a str> {
    let settings = &sections.iter().find(|(found, _)| *found == heading)?.1;
    settings.iter().find(|(found, _)| *found == key).map(|(_, value)| *value)
}

fn socket(endpoint: &Endpoint, host: &Host) -> Result<SocketAddr, Refusal> {
    let address = match &endpoint.host {
        EndpointHost::Address(address) => *address,
        EndpointHost::Name(name) => *host.resolve(name)?.first().ok_or(Errno::INVAL)?,
    };
    Ok(SocketAddr::new(address, endpoint.port.get()))
}

fn parsed<T: FromStr>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|_| Errno::INVAL.into())
}

fn unknown(what: &str) -> Refusal {
    Refusal::said(format!("`{what}` is not known"), "write what wg-quick or networkd knows")
}

/// Any text as a file of either: no panic, and no interface by halves.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    for style in Style::ALL {
        let mut host = Host::new("fuzzed", 1, jiff::Timestamp::UNIX_EPOCH);
        for path in style.paths("wg0") {
            let file = HostFile { mode: 0o644, ..HostFile::private(text.clone().into()) };
            host.files.insert(path, file);
        }
        host.programs.units.insert(style.unit("wg0"));
        host.reboot(jiff::Timestamp::UNIX_EPOCH);
        let device = host.links.get("wg0").map(|link| link.device.is_some());
        assert!(device != Some(false));
    }
}
