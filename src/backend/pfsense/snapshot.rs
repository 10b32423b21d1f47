//! What a firewall holds, as whole lists: a constant number of requests whatever the number of peers.
//!
//! A row that makes no sense is kept beside the others, so that it is not taken for one that is gone; and lists that are
//! empty because there is no WireGuard at all are no lists.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;

use crate::backend::clock::Told;
use crate::backend::pfsense::client::{Body, Cause, Client, Failure};
use crate::backend::pfsense::wire::{
    List, Live, LiveRow, Peer, PeerRow, Port, PortRow, Scalar, Tunnel, TunnelRow, UNASSIGNED,
    Version, uptime,
};
use crate::value::PublicKey;

/// Where the tunnels are.
pub const TUNNELS: &str = "vpn/wireguard/tunnels";
/// Where one tunnel is made, changed and removed.
pub const TUNNEL: &str = "vpn/wireguard/tunnel";
/// Where the peers of all tunnels are.
pub const PEERS: &str = "vpn/wireguard/peers";
/// Where one peer is made, changed and removed.
pub const PEER: &str = "vpn/wireguard/peer";
/// Where the service is switched on.
pub const SETTINGS: &str = "vpn/wireguard/settings";
/// Where changes are brought to the kernel.
pub const APPLY: &str = "vpn/wireguard/apply";
/// Where one sees what is in the kernel.
pub const STATUS: &str = "status/wireguard/tunnels";
/// Where the interfaces of the firewall are.
pub const PORTS: &str = "interfaces";
/// Where one interface is made, changed and removed.
pub const PORT: &str = "interface";
/// Where changes of interfaces are brought to the kernel.
pub const PORT_APPLY: &str = "interface/apply";

/// Everything on a firewall that matters here.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The firewall itself.
    pub system: System,
    /// Whether WireGuard is switched on.
    pub is_enabled: bool,
    /// Whether everything that is stored was brought to the kernel.
    pub is_applied: bool,
    /// The tunnels.
    pub tunnels: Vec<Tunnel>,
    /// Their peers, and those of tunnels that are gone.
    pub peers: Vec<Peer>,
    /// The peers that have no pre-shared key.
    pub without_preshared_key: BTreeSet<PublicKey>,
    /// The interfaces of the firewall; none when this user may not see them.
    pub ports: Option<Vec<Port>>,
    /// What is in the kernel; none when this version does not tell, or not to this user.
    pub live: Option<BTreeMap<String, Live>>,
    /// What the firewall's clock said.
    pub clock: Option<Told>,
    /// Rows that make no sense.
    pub odd: Vec<Odd>,
}

/// What a firewall says of itself.
#[derive(Debug, Clone)]
pub struct System {
    /// Of the REST API package.
    pub version: Version,
    /// Of pfSense; none when this user may not see it.
    pub pfsense: Option<String>,
    /// Stays the same for the life of the firewall: its id at Netgate, else its serial number, else its name. Empty when
    /// this user may see none of them.
    pub id: String,
    /// What people call it; empty when this user may not see it.
    pub name: String,
    /// How long it has been up.
    pub uptime: Option<Duration>,
}

/// A row that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odd {
    /// The tunnel that it is, or that it is on; empty when it does not say.
    pub tunnel: String,
    /// What it is.
    pub what: OddRow,
    /// Why it makes no sense.
    pub why: String,
}

/// What a row is that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddRow {
    /// A tunnel.
    Tunnel,
    /// A peer, whose key at least can be read.
    Peer(PublicKey),
    /// A peer with something else in the place of its key.
    Keyless,
}

#[derive(Deserialize)]
struct VersionData {
    current_version: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SystemData {
    serial: Scalar,
    netgate_id: Scalar,
    uptime: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HostData {
    hostname: Scalar,
    domain: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PfsenseData {
    version: Scalar,
}

#[derive(Deserialize)]
struct SettingsData {
    enable: bool,
}

#[derive(Deserialize)]
struct ApplyData {
    applied: bool,
}

impl Snapshot {
    /// Reads a firewall, in at most eleven requests.
    ///
    /// # Errors
    /// When it does not answer, is too old, or has no WireGuard: nothing on it is gone then.
    pub async fn read(client: &Client) -> Result<Self, Failure> {
        let (version, dated) = dated_version(client).await?;
        let system = system(client, version).await?;
        let is_enabled = is_enabled(client).await?;
        let is_applied = is_applied(client).await?;
        let (live, clock) = live(client, version).await?;
        let (tunnels, mut odd) = tunnels(client).await?;
        let rows: List<PeerRow> = client.get("read the WireGuard peers", PEERS, &[]).await?;
        let is_shown = rows.0.iter().any(PeerRow::shows_preshared_key);
        let (peers, odd_peers) = peers(&rows);
        odd.extend(odd_peers);
        if tunnels.is_empty() && peers.is_empty() && odd.is_empty() && live.is_none() {
            package(client, version).await?;
        }
        let without_preshared_key = match peers.is_empty() || is_shown {
            true => BTreeSet::new(),
            false => without_preshared_key(client).await?,
        };
        let attempt = "read the interfaces of the firewall";
        let ports: Option<List<PortRow>> = optional(client.get_once(attempt, PORTS, &[]).await)?;
        let ports = ports.map(|List(rows)| rows.iter().map(PortRow::port).collect());
        Ok(Self {
            system,
            is_enabled,
            is_applied,
            tunnels,
            peers,
            without_preshared_key,
            ports,
            live,
            clock: clock.or(dated),
            odd,
        })
    }

    /// Returns the interface that a tunnel is assigned to.
    pub fn port_of(&self, tunnel: &str) -> Option<&Port> {
        self.ports.iter().flatten().find(|port| port.device == tunnel)
    }

    /// Returns the names of tunnels that are gone, and that peers or interfaces still point to: a new one of such a name
    /// would take them on.
    pub fn haunted(&self) -> BTreeSet<&str> {
        let peers = self.peers.iter().map(|it| it.tunnel.as_str());
        let odd =
            self.odd.iter().filter(|it| it.what != OddRow::Tunnel).map(|it| it.tunnel.as_str());
        let ports = self.ports.iter().flatten().map(|it| it.device.as_str());
        let ports = ports.filter(|it| it.starts_with("tun_wg"));
        let is_there = |name: &str| {
            let mut odd = self.odd.iter().filter(|it| it.what == OddRow::Tunnel);
            self.tunnels.iter().any(|it| it.name == name) || odd.any(|it| it.tunnel == name)
        };
        let is_none = |name: &str| name.is_empty() || name == UNASSIGNED;
        peers.chain(odd).chain(ports).filter(|it| !is_none(it) && !is_there(it)).collect()
    }
}

/// Reads the version of the package, which decides what it can be asked.
///
/// # Errors
/// When it is too old.
pub async fn version(client: &Client) -> Result<Version, Failure> {
    dated_version(client).await.map(|(version, _)| version)
}

async fn dated_version(client: &Client) -> Result<(Version, Option<Told>), Failure> {
    let attempt = "read the version of the REST API package";
    let (data, dated): (VersionData, _) =
        client.get_dated(attempt, "system/restapi/version").await?;
    let text = data.current_version;
    let Some(version) = Version::read(&text) else {
        return Err(client.unreadable(attempt, "it makes no sense"));
    };
    if version < Version::OLDEST {
        let hint = "update it: https://github.com/pfrest/pfSense-pkg-RESTAPI/releases lists which one goes with which pfSense";
        let mut failure = client.unreadable(
            attempt,
            format!("it is {version}, and wgform needs {} or later", Version::OLDEST),
        );
        failure.error.hints = vec![hint.to_owned()];
        return Err(failure);
    }
    Ok((version, dated))
}

async fn system(client: &Client, version: Version) -> Result<System, Failure> {
    let attempt = "read which firewall it is";
    // It fails altogether where a sensor of the hardware is missing.
    let status: Option<SystemData> =
        optional(client.get_once(attempt, "status/system", &[]).await)?;
    let host: Option<HostData> = optional(client.get_once(attempt, "system/hostname", &[]).await)?;
    let pfsense: Option<PfsenseData> =
        optional(client.get_once(attempt, "system/version", &[]).await)?;
    let (status, host) = (status.unwrap_or_default(), host.unwrap_or_default());
    let name = [host.hostname.text(), host.domain.text()];
    let name = name.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(".");
    // A name is none: people change it.
    let ids = [status.netgate_id.text(), status.serial.text()];
    let id =
        ids.into_iter().map(str::trim).find(|it| !it.is_empty()).unwrap_or_default().to_owned();
    Ok(System {
        version,
        pfsense: pfsense.map(|it| it.version.text().to_owned()).filter(|it| !it.is_empty()),
        id,
        uptime: uptime(status.uptime.text()),
        name,
    })
}

/// Returns whether WireGuard is switched on.
///
/// # Errors
/// As [`Client::get`].
pub async fn is_enabled(client: &Client) -> Result<bool, Failure> {
    let data: SettingsData = client.get("read the WireGuard settings", SETTINGS, &[]).await?;
    Ok(data.enable)
}

/// Returns whether everything that is stored was brought to the kernel.
///
/// # Errors
/// As [`Client::get`].
pub async fn is_applied(client: &Client) -> Result<bool, Failure> {
    let data: ApplyData = client.get("read whether everything is applied", APPLY, &[]).await?;
    Ok(data.applied)
}

/// Reads the tunnels, and those that make no sense.
///
/// # Errors
/// As [`Client::get`].
pub async fn tunnels(client: &Client) -> Result<(Vec<Tunnel>, Vec<Odd>), Failure> {
    let List(rows): List<TunnelRow> =
        client.get("read the WireGuard tunnels", TUNNELS, &[]).await?;
    let (mut tunnels, mut odd) = (Vec::new(), Vec::new());
    for row in rows {
        match row.tunnel() {
            Ok(tunnel) => tunnels.push(tunnel),
            Err(strange) => odd.push(Odd {
                tunnel: row.name().to_owned(),
                what: OddRow::Tunnel,
                why: strange.to_string(),
            }),
        }
    }
    Ok((tunnels, odd))
}

/// Tells peers from those that make no sense.
pub fn peers(List(rows): &List<PeerRow>) -> (Vec<Peer>, Vec<Odd>) {
    let (mut peers, mut odd) = (Vec::new(), Vec::new());
    for row in rows {
        match row.peer() {
            Ok(peer) => peers.push(peer),
            Err(strange) => odd.push(Odd {
                tunnel: row.tunnel_name().to_owned(),
                what: row.public_key().map_or(OddRow::Keyless, OddRow::Peer),
                why: strange.to_string(),
            }),
        }
    }
    (peers, odd)
}

/// Returns the peers that have no pre-shared key. A filter sees what is not shown.
async fn without_preshared_key(client: &Client) -> Result<BTreeSet<PublicKey>, Failure> {
    let attempt = "read which peers have a pre-shared key";
    let filter = Body::of("presharedkey", "");
    let List(rows): List<PeerRow> = client.search(attempt, PEERS, &filter).await?;
    Ok(rows.iter().filter_map(PeerRow::public_key).collect())
}

/// What is in the kernel, by tunnel, and what the clock said.
type Kernel = (Option<BTreeMap<String, Live>>, Option<Told>);

/// Reads what is in the kernel, where this version tells.
///
/// # Errors
/// When there is no WireGuard.
pub async fn live(client: &Client, version: Version) -> Result<Kernel, Failure> {
    if version < Version::STATUS {
        return Ok((None, None));
    }
    let answer = client.get_dated_once("read what is in the kernel", STATUS).await;
    let answer: Option<(List<LiveRow>, _)> = optional(answer)?;
    let Some((List(rows), clock)) = answer else { return Ok((None, None)) };
    Ok((Some(rows.iter().map(LiveRow::live).collect()), clock))
}

/// Makes sure that there is a WireGuard package on a firewall that has no tunnel and no peer. It may just have lost the
/// package, or not have it back yet, and answers as if all had been removed.
///
/// Before v2.9.0 nothing that can be read tells, and later not everybody may. So it is asked for a tunnel without a key,
/// which no version makes: who has the package misses the key.
async fn package(client: &Client, version: Version) -> Result<(), Failure> {
    let attempt = "find out whether WireGuard is installed";
    let mut nothing = Body::default();
    if version >= Version::DRY_RUN {
        nothing.set("dry_run", true);
    }
    let refusal = match client.post::<Scalar>(attempt, TUNNEL, &nothing).await {
        Err(failure) => failure,
        Ok(_) => return Err(client.unreadable(attempt, "it makes a tunnel out of nothing")),
    };
    match &refusal.cause {
        Cause::Refused(id) if id == "FIELD_IS_REQUIRED" => Ok(()),
        Cause::NotPermitted | Cause::Closed => {
            let why = "it has no tunnel and no peer, and does not tell this user whether the WireGuard package is there";
            let mut failure = client.unreadable(attempt, why);
            let mut hints = refusal.error.hints;
            hints.push(match version < Version::STATUS {
                true => "or update the REST API package: since v2.9.0 reading tells".to_owned(),
                false => {
                    "or give it the privilege `api-v2-status-wireguard-tunnels-get`".to_owned()
                }
            });
            failure.error.hints = hints;
            Err(failure)
        }
        _ => Err(refusal),
    }
}

/// Does without what this user may not see, or this version or firewall does not have.
pub fn optional<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(data) => Ok(Some(data)),
        Err(failure) => match failure.cause {
            Cause::NotPermitted
            | Cause::NoEndpoint
            | Cause::NotFound
            | Cause::Broken
            | Cause::Unreadable => Ok(None),
            _ => Err(failure),
        },
    }
}
