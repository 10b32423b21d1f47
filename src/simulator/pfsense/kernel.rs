//! What the kernel of the firewall does: the devices that WireGuard has made from the configuration, and from which they
//! may differ until the next apply.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::simulator::pfsense::config::{Config, Object, addresses_of, network, text_of};
use crate::simulator::pfsense::profile::Switches;
use crate::simulator::pfsense::rules::is_key;
use crate::simulator::pfsense::validate::port_number;
use crate::simulator::pfsense::value::Value;
use crate::value::{PublicKey, Secret};

/// What a device transfers at most at once when nobody has said.
const DEFAULT_MTU: i64 = 1420;

/// Where every name leads, because there is no name service.
const RESOLVED: &str = "203.0.113.1";

/// The service of WireGuard and its devices.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kernel {
    pub(super) is_running: bool,
    /// In the order in which they were made.
    pub(super) devices: Vec<Device>,
}

/// A device of WireGuard as it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The name of the tunnel.
    pub name: String,
    /// None when WireGuard could not be configured.
    pub public_key: Option<String>,
    /// The UDP port.
    pub listen_port: u16,
    /// In bytes.
    pub mtu: i64,
    /// The addresses with the length of their network.
    #[serde(with = "as_texts")]
    pub addresses: Vec<IpNet>,
    /// In the order of the configuration.
    pub peers: Vec<LivePeer>,
}

/// A peer of a device as it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LivePeer {
    /// As base64.
    pub public_key: String,
    /// The pre-shared key, if it has one.
    #[serde(with = "as_text")]
    pub preshared_key: Option<Secret>,
    /// `198.51.100.7:51820`.
    pub endpoint: Option<String>,
    /// What it may send. A network belongs to one peer only, the one to whom it was given last.
    #[serde(with = "as_texts")]
    pub allowed_ips: Vec<IpNet>,
    /// In seconds; 0 for none.
    pub keepalive: u16,
    /// The time of the last handshake in seconds since 1970; 0 for none.
    pub handshake: i64,
    /// In bytes.
    pub received: i64,
    /// In bytes.
    pub sent: i64,
}

/// The file has the secrets of the firewall, and only its owner can read it.
mod as_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::value::Secret;

    pub(super) fn serialize<S: Serializer>(
        secret: &Option<Secret>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Secret::expose).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Secret>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Secret::new))
    }
}

/// Networks in the file are texts.
mod as_texts {
    use ipnet::IpNet;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        list: &[IpNet],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
    }
}

impl Kernel {
    pub(super) fn device(&self, name: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.name == name)
    }

    pub(super) fn device_mut(&mut self, name: &str) -> Option<&mut Device> {
        self.devices.iter_mut().find(|device| device.name == name)
    }

    /// Starts or stops the service by what is stored. Returns whether it runs.
    pub(super) fn toggle(&mut self, config: &Config, switches: Switches) -> bool {
        // A tunnel that is an interface of pfSense has to run.
        let is_needed = config.has_assigned_tunnel() && !switches.assigned_stays_off;
        match (config.is_enabled() || is_needed, self.is_running) {
            (true, false) => {
                self.is_running = true;
                self.sync(config, &[], switches);
            }
            (false, _) => *self = Self::default(),
            _ => {}
        }
        self.is_running
    }

    /// Makes tunnels run as they are stored; all of them when none is named.
    pub(super) fn sync(&mut self, config: &Config, names: &[String], switches: Switches) {
        let stored = config.tunnels.iter().map(|tunnel| text_of(tunnel, "name").to_owned());
        let running = self.devices.iter().map(|device| device.name.clone());
        let all: Vec<String> = stored.chain(running).collect();
        for name in if names.is_empty() { &all } else { names } {
            self.sync_one(config, name, switches);
        }
    }

    fn sync_one(&mut self, config: &Config, name: &str, switches: Switches) {
        let tunnel = config.tunnel(name);
        let Some(tunnel) = tunnel.filter(|it| it.get("enabled").is_some_and(Value::is_true)) else {
            self.devices.retain(|device| device.name != name);
            return;
        };
        let device = match self.devices.iter().position(|device| device.name == name) {
            Some(at) => &mut self.devices[at],
            None => {
                self.devices.push(Device::new(name));
                let last = self.devices.len() - 1;
                &mut self.devices[last]
            }
        };
        let is_configured = device.configure(tunnel, config);
        device.address(tunnel, config);
        if !is_configured && switches.failed_tunnel_has_no_device && device.public_key.is_none() {
            self.devices.retain(|device| device.name != name);
        }
    }
}

impl Device {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            public_key: None,
            // One of the kernel's choice.
            listen_port: 49152,
            mtu: DEFAULT_MTU,
            addresses: Vec::new(),
            peers: Vec::new(),
        }
    }

    /// `wg syncconf`: all of it or, when one thing in it is wrong, nothing of it.
    fn configure(&mut self, tunnel: &Object, config: &Config) -> bool {
        let name = text_of(tunnel, "name");
        let is_mine = |peer: &&Arc<Object>| {
            text_of(peer, "tun") == name && peer.get("enabled").is_some_and(Value::is_true)
        };
        let before = self.peers.iter().map(|peer| (peer.public_key.as_str(), peer)).collect();
        let peers = config.peers.iter().filter(is_mine).map(|peer| live(peer, &before));
        let (Some(mut peers), Some(port)) =
            (peers.collect::<Option<Vec<_>>>(), port_number(text_of(tunnel, "listenport")))
        else {
            return false;
        };
        let mut owners: HashMap<IpNet, usize> = HashMap::new();
        for (at, peer) in peers.iter().enumerate() {
            owners.extend(peer.allowed_ips.iter().map(|network| (*network, at)));
        }
        for (at, peer) in peers.iter_mut().enumerate() {
            peer.allowed_ips.retain(|network| owners.get(network) == Some(&at));
        }
        self.public_key = Some(text_of(tunnel, "publickey").to_owned());
        self.listen_port = port;
        self.peers = peers;
        true
    }

    /// Sets the addresses: those of the interface that it is assigned to, else its own.
    fn address(&mut self, tunnel: &Object, config: &Config) {
        match config.interface_of(&self.name) {
            Some(interface) => self.follow(interface),
            None => {
                let rows = tunnel.get("addresses").and_then(Value::elements).unwrap_or_default();
                let network = |row: &&Value| {
                    let address = row.get("address").and_then(Value::text)?;
                    network(address, row.get("mask").and_then(Value::int)?)
                };
                self.addresses = rows.iter().filter_map(network).collect();
            }
        }
    }

    /// Sets what an interface says of its device.
    pub(super) fn follow(&mut self, interface: &Object) {
        if interface.get("enable").is_some_and(Value::is_true) {
            self.addresses = addresses_of(interface);
            self.mtu = interface.get("mtu").and_then(Value::int).unwrap_or(DEFAULT_MTU);
        } else {
            self.addresses = Vec::new();
        }
    }
}

/// Returns how a stored peer runs; none when WireGuard refuses something of it.
fn live(stored: &Object, before: &HashMap<&str, &LivePeer>) -> Option<LivePeer> {
    let key: PublicKey = text_of(stored, "publickey").parse().ok()?;
    let preshared = text_of(stored, "presharedkey");
    if !preshared.is_empty() && !is_key(preshared) {
        return None;
    }
    let rows = stored.get("allowedips").and_then(Value::elements).unwrap_or_default();
    let network = |row: &&Value| {
        let address = row.get("address").and_then(Value::text)?;
        network(address, row.get("mask").and_then(Value::int)?).map(|it| it.trunc())
    };
    let allowed_ips = rows.iter().map(network).collect::<Option<Vec<_>>>()?;
    let keepalive = stored.get("persistentkeepalive").and_then(Value::int).unwrap_or(0);
    let public_key = key.to_string();
    let before = before.get(public_key.as_str());
    let told = endpoint(stored);
    Some(LivePeer {
        preshared_key: (!preshared.is_empty()).then(|| Secret::new(preshared)),
        // A peer may have roamed, and keeps that until it is told where it is.
        endpoint: told.or_else(|| before.and_then(|before| before.endpoint.clone())),
        allowed_ips,
        keepalive: u16::try_from(keepalive).unwrap_or_default(),
        handshake: before.map_or(0, |before| before.handshake),
        received: before.map_or(0, |before| before.received),
        sent: before.map_or(0, |before| before.sent),
        public_key,
    })
}

fn endpoint(stored: &Object) -> Option<String> {
    let host = stored.get("endpoint").and_then(Value::text)?;
    let port = port_number(text_of(stored, "port"))?;
    Some(match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        Ok(IpAddr::V4(address)) => format!("{address}:{port}"),
        Err(_) => format!("{RESOLVED}:{port}"),
    })
}
