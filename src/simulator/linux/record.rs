//! The file format of a simulated host. It holds private keys, because it plays the device.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::simulator::linux::call::{Device, DevicePeer, HostFile, HostRoute, HostRule};
use crate::simulator::linux::host::{Host, HostLink};
use crate::simulator::linux::program::{self, Programs};
use crate::simulator::linux::routing::default_tables;
use crate::value::{Family, Route, RouteRule};

/// The version of the format that this program writes.
const FORMAT: u64 = 1;

#[derive(Serialize, Deserialize)]
struct HostRecord {
    version: u64,
    host_name: String,
    machine_id: String,
    boot_id: String,
    booted_at: Timestamp,
    seed: u64,
    links: BTreeMap<String, LinkRecord>,
    /// In older files: those that only root can read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    key_files: BTreeMap<PathBuf, Zeroizing<String>>,
    #[serde(default)]
    files: BTreeMap<PathBuf, FileRecord>,
    names: BTreeMap<String, Vec<IpAddr>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    routes: Vec<RouteRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rules: Vec<RuleRecord>,
    #[serde(default = "default_tables")]
    table_names: BTreeMap<String, u32>,
    /// Older files do not say.
    #[serde(default = "program::usual")]
    programs: BTreeSet<String>,
    #[serde(default = "yes")]
    systemd: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    resolvconf: BTreeMap<String, String>,
    #[serde(default)]
    units: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    managed: BTreeSet<String>,
}

#[derive(Serialize, Deserialize)]
struct FileRecord {
    text: Zeroizing<String>,
    mode: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct RouteRecord {
    to: String,
    table: u32,
    metric: u32,
    device: Option<String>,
    protocol: u8,
}

#[derive(Serialize, Deserialize)]
struct RuleRecord {
    ipv6: bool,
    /// None for the rule of the main table.
    mark: Option<u32>,
    protocol: u8,
}

#[derive(Serialize, Deserialize)]
struct LinkRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<DeviceRecord>,
    is_up: bool,
    mtu: u32,
    addresses: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dns: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    domains: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct DeviceRecord {
    private_key: Option<Zeroizing<String>>,
    listen_port: u16,
    fwmark: u32,
    peers: Vec<PeerRecord>,
}

#[derive(Serialize, Deserialize)]
struct PeerRecord {
    public_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preshared_key: Option<Zeroizing<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<SocketAddr>,
    persistent_keepalive: String,
    allowed_ips: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_handshake: Option<Timestamp>,
    received: u64,
    sent: u64,
}

/// Reads what [`write()`] wrote. The error says why not, and never holds a key.
pub(crate) fn read(bytes: &[u8]) -> Result<Host, String> {
    // serde's own messages may quote what they stumbled over.
    let record: HostRecord = serde_json::from_slice(bytes).map_err(|error| {
        format!("line {} column {} is not as expected", error.line(), error.column())
    })?;
    if record.version != FORMAT {
        return Err(format!(
            "its format is version {}, this program knows {FORMAT}",
            record.version
        ));
    }
    let HostRecord {
        version: _,
        host_name,
        machine_id,
        boot_id,
        booted_at,
        seed,
        links,
        key_files,
        files,
        names,
        routes,
        rules,
        table_names,
        programs,
        systemd,
        resolvconf,
        units,
        managed,
    } = record;
    let private = key_files.into_iter().map(|(path, text)| (path, HostFile::private(text)));
    let files = files.into_iter().map(|(path, file)| (path, file.into_file()));
    let links = links
        .into_iter()
        .map(|(name, link)| Ok((name, link.into_link()?)))
        .collect::<Result<_, String>>()?;
    let routes = routes.into_iter().map(RouteRecord::into_route).collect::<Result<_, _>>()?;
    let rules = rules.into_iter().map(RuleRecord::into_rule).collect();
    Ok(Host {
        host_name,
        machine_id,
        booted_at,
        seed,
        boot_id,
        links,
        files: private.chain(files).collect(),
        names,
        routes,
        rules,
        table_names,
        programs: Programs {
            names: programs,
            has_systemd: systemd,
            resolvconf,
            units,
            managed,
            ..Programs::default()
        },
        refused_peers: BTreeMap::new(),
        refused_links: BTreeMap::new(),
    })
}

/// Writes a host. The error says why not, and never holds a key.
pub(crate) fn write(host: &Host) -> Result<Zeroizing<Vec<u8>>, String> {
    let Host {
        host_name,
        machine_id,
        booted_at,
        seed,
        boot_id,
        links,
        files,
        names,
        routes,
        rules,
        table_names,
        programs:
            Programs { names: programs, has_systemd, resolvconf, units, managed, refused: _, ran: _ },
        refused_peers: _,
        refused_links: _,
    } = host;
    let record = HostRecord {
        version: FORMAT,
        host_name: host_name.clone(),
        machine_id: machine_id.clone(),
        boot_id: boot_id.clone(),
        booted_at: *booted_at,
        seed: *seed,
        links: links.iter().map(|(name, it)| (name.clone(), LinkRecord::new(it))).collect(),
        key_files: BTreeMap::new(),
        files: files.iter().map(|(path, it)| (path.clone(), FileRecord::new(it))).collect(),
        names: names.clone(),
        routes: routes.iter().map(RouteRecord::new).collect(),
        rules: rules.iter().map(RuleRecord::new).collect(),
        table_names: table_names.clone(),
        programs: programs.clone(),
        systemd: *has_systemd,
        resolvconf: resolvconf.clone(),
        units: units.clone(),
        managed: managed.clone(),
    };
    serde_json::to_vec_pretty(&record).map(Zeroizing::new).map_err(|error| error.to_string())
}

impl FileRecord {
    fn into_file(self) -> HostFile {
        let Self { text, mode, group } = self;
        HostFile { text, mode, group }
    }

    fn new(HostFile { text, mode, group }: &HostFile) -> Self {
        Self { text: text.clone(), mode: *mode, group: group.clone() }
    }
}

impl RouteRecord {
    fn new(HostRoute { route, device, protocol }: &HostRoute) -> Self {
        let (to, metric) = (route.to.to_string(), route.metric());
        Self { to, table: route.table, metric, device: device.clone(), protocol: *protocol }
    }

    fn into_route(self) -> Result<HostRoute, String> {
        let Self { to, table, metric, device, protocol } = self;
        Ok(HostRoute { route: Route::new(value(&to)?, table, Some(metric)), device, protocol })
    }
}

impl RuleRecord {
    fn new(HostRule { rule, protocol }: &HostRule) -> Self {
        let mark = match rule {
            RouteRule::Main(_) => None,
            RouteRule::Unmarked(_, mark) => Some(*mark),
        };
        Self { ipv6: rule.family() == Family::V6, mark, protocol: *protocol }
    }

    fn into_rule(self) -> HostRule {
        let Self { ipv6, mark, protocol } = self;
        let family = if ipv6 { Family::V6 } else { Family::V4 };
        let rule = mark.map_or(RouteRule::Main(family), |mark| RouteRule::Unmarked(family, mark));
        HostRule { rule, protocol }
    }
}

impl LinkRecord {
    fn new(HostLink { device, is_up, mtu, addresses, dns, domains }: &HostLink) -> Self {
        Self {
            device: device.as_ref().map(DeviceRecord::new),
            is_up: *is_up,
            mtu: *mtu,
            addresses: texts(addresses),
            dns: dns.clone(),
            domains: domains.clone(),
        }
    }

    fn into_link(self) -> Result<HostLink, String> {
        let Self { device, is_up, mtu, addresses, dns, domains } = self;
        let device = device.map(DeviceRecord::into_device).transpose()?;
        Ok(HostLink { device, is_up, mtu, addresses: values(&addresses)?, dns, domains })
    }
}

impl DeviceRecord {
    fn new(Device { private_key, listen_port, fwmark, peers }: &Device) -> Self {
        Self {
            private_key: private_key.as_ref().map(crate::value::PrivateKey::expose_text),
            listen_port: *listen_port,
            fwmark: *fwmark,
            peers: peers.iter().map(|(key, peer)| PeerRecord::new(key, peer)).collect(),
        }
    }

    fn into_device(self) -> Result<Device, String> {
        let Self { private_key, listen_port, fwmark, peers } = self;
        let peers = peers
            .into_iter()
            .map(|peer| Ok((value(&peer.public_key)?, peer.into_peer()?)))
            .collect::<Result<_, String>>()?;
        let private_key = private_key.map(|text| value(&text)).transpose()?;
        Ok(Device { private_key, listen_port, fwmark, peers })
    }
}

impl PeerRecord {
    fn new(public_key: &crate::value::PublicKey, peer: &DevicePeer) -> Self {
        let DevicePeer {
            preshared_key,
            endpoint,
            persistent_keepalive,
            allowed_ips,
            last_handshake,
            received,
            sent,
        } = peer;
        Self {
            public_key: public_key.to_string(),
            preshared_key: preshared_key.as_ref().map(crate::value::PresharedKey::expose_text),
            endpoint: *endpoint,
            persistent_keepalive: persistent_keepalive.to_string(),
            allowed_ips: texts(allowed_ips),
            last_handshake: *last_handshake,
            received: *received,
            sent: *sent,
        }
    }

    fn into_peer(self) -> Result<DevicePeer, String> {
        let Self {
            public_key: _,
            preshared_key,
            endpoint,
            persistent_keepalive,
            allowed_ips,
            last_handshake,
            received,
            sent,
        } = self;
        Ok(DevicePeer {
            preshared_key: preshared_key.map(|text| value(&text)).transpose()?,
            endpoint,
            persistent_keepalive: value(&persistent_keepalive)?,
            allowed_ips: values(&allowed_ips)?,
            last_handshake,
            received,
            sent,
        })
    }
}

fn yes() -> bool {
    true
}

fn texts<'a, T: Display + 'a>(values: impl IntoIterator<Item = &'a T>) -> Vec<String> {
    values.into_iter().map(ToString::to_string).collect()
}

fn values<T: FromStr<Err = crate::value::InvalidValue>, C: FromIterator<T>>(
    texts: &[String],
) -> Result<C, String> {
    texts.iter().map(|text| value(text)).collect()
}

/// Parses a value; the types' own messages never hold a secret.
fn value<T: FromStr<Err = crate::value::InvalidValue>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: crate::value::InvalidValue| error.to_string())
}

/// Any bytes as a file: refused, or the same when written and read again.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(bytes: &[u8]) {
    let Ok(host) = read(bytes) else { return };
    let written = write(&host).expect("a host that was read can be written");
    let again = read(&written).expect("a host that was written can be read");
    assert_eq!(write(&again).as_ref(), Ok(&written));
}
