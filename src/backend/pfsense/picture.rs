//! What a firewall holds, in our words.
//!
//! What points to a tunnel that is gone, and what cannot be read, is told apart from what is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::actual::{
    Capabilities, Fact, FoundInterface, FoundPeer, Identity, NameServers, Picture, Remark, Routing,
    Service, Stranger,
};
use crate::backend::clock;
use crate::backend::pfsense::snapshot::{Odd, OddRow, Snapshot};
use crate::backend::pfsense::wire::{
    Kept, Peer, Port, Session, Tunnel, UNASSIGNED, Version, parted,
};
use crate::resource::{BackendKind, Field, Fields, Kind, declaration};
use crate::value::PublicKey;

/// The parts of `assign`, as attributes of an interface.
pub(super) const ASSIGN: [&str; 3] = [ASSIGN_DESCR, ASSIGN_ADDRESSES, ASSIGN_MTU];
/// What the firewall calls the interface that a tunnel is assigned to.
pub(super) const ASSIGN_DESCR: &str = "assign_descr";
/// The addresses of that interface.
pub(super) const ASSIGN_ADDRESSES: &str = "assign_addresses";
/// The MTU of that interface.
pub(super) const ASSIGN_MTU: &str = "assign_mtu";

/// A firewall that has been up for less may not have installed its packages again.
const JUST_STARTED: Duration = Duration::from_secs(300);

/// Says what is on a firewall.
///
/// # Errors
/// Which tunnel has no name: whatever is on it would seem to be gone.
pub(super) fn picture(
    snapshot: &Snapshot,
    simulated: bool,
    now: Timestamp,
) -> Result<Picture, String> {
    let mut other_links: BTreeSet<String> =
        snapshot.haunted().into_iter().map(str::to_owned).collect();
    for odd in snapshot.odd.iter().filter(|it| it.what == OddRow::Tunnel) {
        if odd.tunnel.is_empty() {
            return Err(format!("a WireGuard tunnel makes no sense: {}", odd.why));
        }
        other_links.insert(odd.tunnel.clone());
    }
    let mut interfaces: BTreeMap<String, FoundInterface> = BTreeMap::new();
    for tunnel in &snapshot.tunnels {
        interfaces.insert(tunnel.name.clone(), found_interface(snapshot, tunnel));
    }
    for peer in &snapshot.peers {
        let Some(interface) = interfaces.get_mut(&peer.tunnel) else { continue };
        let found = found_peer(snapshot, peer, now);
        // Of one that is there twice, nothing tells which is meant.
        let found = match interface.peers.contains_key(&peer.public_key) {
            true => unreadable_peer(),
            false => found,
        };
        interface.peers.insert(peer.public_key, found);
    }
    for odd in &snapshot.odd {
        if let (OddRow::Peer(key), Some(interface)) = (odd.what, interfaces.get_mut(&odd.tunnel)) {
            interface.peers.entry(key).or_insert_with(unreadable_peer);
        }
    }
    let system = &snapshot.system;
    Ok(Picture {
        kind: BackendKind::PfSense,
        simulated,
        identity: Identity {
            id: system.id.clone(),
            boot_id: None,
            uptime: system.uptime,
            clock_skew: snapshot.clock.map(|it| it.skew(now)),
            host_name: system.name.clone(),
        },
        capabilities: Capabilities {
            renames: false,
            name_servers: NameServers::Nowhere,
            lacks: &[],
        },
        interfaces,
        other_links,
        key_directory: None,
        key_files: BTreeMap::new(),
        routing: Routing::default(),
        boot: None,
        service: Some(Service { is_on: snapshot.is_enabled, is_applied: snapshot.is_applied }),
        remarks: remarks(snapshot, simulated, now),
        strangers: strangers(snapshot),
    })
}

fn found_interface(snapshot: &Snapshot, tunnel: &Tunnel) -> FoundInterface {
    let Tunnel {
        id: _,
        name,
        is_enabled,
        description,
        listen_port,
        public_key,
        private_key,
        mtu,
        addresses,
    } = tunnel;
    let mut hidden = BTreeSet::new();
    let mut fields = Fields::from([
        ("public_key", Field::PublicKey(*public_key)),
        ("enabled", Field::Bool(*is_enabled)),
        ("description", Field::Text(description.clone())),
        ("mtu", Field::Number(*mtu)),
        ("addresses", Field::Addresses(addresses.iter().filter_map(|it| it.cidr()).collect())),
    ]);
    match listen_port {
        Some(port) => _ = fields.insert("listen_port", Field::Number(port.get().into())),
        // The name of a service.
        None => _ = hidden.insert("listen_port"),
    }
    match (snapshot.port_of(name), &snapshot.ports) {
        (Some(port), _) => put_port(port, &mut fields, &mut hidden),
        (None, Some(_)) => {}
        (None, None) => hidden.extend(ASSIGN),
    }
    let is_keyless = |it: &&Odd| it.what == OddRow::Keyless && it.tunnel == *name;
    FoundInterface {
        fields,
        private_key: private_key.clone(),
        hidden,
        peers: BTreeMap::new(),
        keyless: snapshot.odd.iter().filter(is_keyless).count(),
        // A firewall's own is a place in a list, which shifts.
        id: None,
    }
}

fn put_port(port: &Port, fields: &mut Fields, hidden: &mut BTreeSet<&'static str>) {
    let Port { id: _, device: _, is_enabled: _, description, mtu, addresses } = port;
    fields.insert(ASSIGN_DESCR, Field::Text(description.clone()));
    match addresses {
        Some(all) => _ = fields.insert(ASSIGN_ADDRESSES, Field::Addresses(all.clone())),
        // Somebody made it get them from elsewhere.
        None => _ = hidden.insert(ASSIGN_ADDRESSES),
    }
    fields.extend(mtu.map(|mtu| (ASSIGN_MTU, Field::Number(mtu))));
}

fn found_peer(snapshot: &Snapshot, peer: &Peer, now: Timestamp) -> FoundPeer {
    let Peer {
        id: _,
        is_enabled,
        tunnel,
        endpoint,
        description,
        keepalive,
        public_key,
        preshared_key,
        allowed_ips,
    } = peer;
    let (name, description) = parted(description);
    let mut hidden = BTreeSet::new();
    let mut fields = Fields::from([
        ("name", Field::Text(name.to_owned())),
        ("description", Field::Text(description.to_owned())),
        ("enabled", Field::Bool(*is_enabled)),
        ("allowed_ips", Field::Prefixes(allowed_ips.iter().filter_map(|it| it.prefix()).collect())),
        ("persistent_keepalive", Field::Keepalive(*keepalive)),
    ]);
    fields.extend(endpoint.clone().map(|endpoint| ("endpoint", Field::Endpoint(endpoint))));
    match preshared_key {
        Kept::Set(key) => {
            fields.insert("preshared_key", Field::PresharedKey(Some(key.clone())));
        }
        Kept::Unset => _ = fields.insert("preshared_key", Field::PresharedKey(None)),
        Kept::Hidden if snapshot.without_preshared_key.contains(public_key) => {
            fields.insert("preshared_key", Field::PresharedKey(None));
        }
        Kept::Hidden => _ = hidden.insert("preshared_key"),
    }
    let session = session(snapshot, tunnel, public_key);
    let age = |it: i64| {
        let clock = snapshot.clock.map_or(now, |it| it.says).as_second();
        Duration::from_secs(u64::try_from(clock.saturating_sub(it)).unwrap_or(0))
    };
    FoundPeer {
        fields,
        hidden,
        called: None,
        handshake_age: session.and_then(|it| it.latest_handshake).map(age),
        received: session.map_or(0, |it| it.received),
        sent: session.map_or(0, |it| it.sent),
        id: None,
    }
}

fn session(snapshot: &Snapshot, tunnel: &str, key: &PublicKey) -> Option<Session> {
    snapshot.live.as_ref()?.get(tunnel)?.peers.get(key).copied()
}

/// A peer that is there, and of which nothing else can be said.
fn unreadable_peer() -> FoundPeer {
    let all = declaration::attributes(Kind::Peer).iter().map(|it| it.name);
    FoundPeer {
        fields: Fields::new(),
        hidden: all.collect(),
        called: None,
        handshake_age: None,
        received: 0,
        sent: 0,
        id: None,
    }
}

/// Says what somebody should know of a firewall.
fn remarks(snapshot: &Snapshot, simulated: bool, now: Timestamp) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let haunted: Vec<_> = snapshot.haunted().into_iter().map(|it| format!("`{it}`")).collect();
    if !haunted.is_empty() {
        remarks.push(Remark::new(
            "objects of a tunnel that is gone",
            format!("peers or interfaces of the firewall still point to {}", haunted.join(", ")),
            "A new tunnel of that name would take them on, so that wgform takes another name. Remove them on the firewall.",
        ));
    }
    remarks.extend(snapshot.odd.iter().map(odd_remark));
    if snapshot.ports.is_none() {
        remarks.push(Remark::new(
            "firewall that does not show its interfaces",
            "the user lacks a privilege, so that nobody knows which tunnels are assigned",
            "Give the user the privilege `api-v2-interfaces-get`, in `System > User Manager`.",
        ));
    }
    let skew = snapshot.clock.map(|it| it.skew(now));
    remarks.extend(
        clock::wrong(skew)
            .map(|says| Remark::new("firewall with a wrong clock", says, clock::HINT)),
    );
    // A simulated one starts with its first use, and has everything.
    if let Some(uptime) = snapshot.system.uptime.filter(|it| *it < JUST_STARTED && !simulated) {
        remarks.push(Remark::new(
            "firewall that has just started",
            format!("it has been up for {} s", uptime.as_secs()),
            "It may not have installed its packages again: if something seems to be gone, run again in a few minutes.",
        ));
    }
    remarks
}

/// Names what is on no tunnel, or on one that is gone, and what cannot be read.
fn strangers(snapshot: &Snapshot) -> Vec<Stranger> {
    let on = |tunnel: &str| match tunnel {
        "" | UNASSIGNED => "on no tunnel".to_owned(),
        tunnel => format!("on `{tunnel}`"),
    };
    let is_there = |name: &str| snapshot.tunnels.iter().any(|it| it.name == name);
    let peers = snapshot.peers.iter().filter(|it| !is_there(&it.tunnel)).map(|peer| {
        let why = match peer.tunnel.as_str() {
            "" | UNASSIGNED => "nothing uses it until it is given a tunnel",
            _ => "that tunnel is gone: remove it on the firewall",
        };
        let (name, key) = (peer.description.as_str(), peer.public_key.short());
        let name = if name.is_empty() { String::new() } else { format!(" `{name}`") };
        Stranger::new(format!("peer{name} (`{key}`) {}", on(&peer.tunnel)), why)
    });
    let odd = snapshot.odd.iter().map(|odd| {
        let what = match odd.what {
            OddRow::Tunnel => format!("tunnel `{}`", odd.tunnel),
            OddRow::Peer(key) => format!("peer `{}` {}", key.short(), on(&odd.tunnel)),
            OddRow::Keyless => format!("peer without a key {}", on(&odd.tunnel)),
        };
        Stranger::new(what, odd.why.clone())
    });
    peers.chain(odd).collect()
}

fn odd_remark(odd: &Odd) -> Remark {
    let on = if odd.tunnel.is_empty() { "no tunnel" } else { &odd.tunnel };
    match odd.what {
        OddRow::Tunnel => Remark::new(
            "object of a firewall that cannot be read",
            format!("the tunnel `{}`: {}", odd.tunnel, odd.why),
            "It is left alone. If this version of the package is newer than this wgform, look for a newer wgform.",
        ),
        OddRow::Peer(key) => Remark::new(
            "object of a firewall that cannot be read",
            format!("peer `{}` on `{on}`: {}", key.short(), odd.why),
            "It is left alone. Look at it in `VPN > WireGuard > Peers`.",
        ),
        // The whole tunnel fails to be brought to the kernel, and the package says that all is well.
        OddRow::Keyless => Remark::new(
            "peer of a firewall without a key",
            format!("a peer on `{on}` has something else in the place of its public key"),
            "Nothing of that tunnel reaches the kernel while it is there. Remove it in `VPN > WireGuard > Peers`.",
        ),
    }
}

/// Says what a firewall has for the work, besides what is on it.
pub(super) fn facts(snapshot: &Snapshot) -> Vec<Fact> {
    let version = snapshot.system.version;
    let mut facts = vec![Fact::new("REST API", version.to_string())];
    facts.extend(snapshot.system.pfsense.as_ref().map(|it| Fact::new("pfSense", it.clone())));
    facts.push(match snapshot.is_enabled {
        true => Fact::new("WireGuard", "switched on"),
        false => Fact::new("WireGuard", "switched off: nothing reaches the kernel").without([
            "set `manage_service = true` on the backend, or enable it in `VPN > WireGuard > Settings`"
                .to_owned(),
        ]),
    });
    facts.push(match version >= Version::DRY_RUN {
        true => Fact::new("dry run", "the firewall can be asked whether it takes a plan"),
        false => {
            Fact::new("dry run", "this version writes when it is asked for one").without([format!(
                "for `-validate-on-device`, update the package to {}",
                Version::DRY_RUN
            )])
        }
    });
    facts.push(match (&snapshot.live, version >= Version::STATUS) {
        (Some(_), _) => Fact::new("kernel", "this user sees what is in it"),
        (None, true) => Fact::new("kernel", "this user does not see what is in it").without([
            "give the user the privilege `api-v2-status-wireguard-tunnels-get`".to_owned(),
        ]),
        (None, false) => {
            Fact::new("kernel", "this version does not tell what is in it").without([format!(
                "to have an apply verified there, update the package to {}",
                Version::STATUS
            )])
        }
    });
    facts.push(match snapshot.ports {
        Some(_) => Fact::new("interfaces", "this user sees them"),
        None => Fact::new("interfaces", "this user does not see them")
            .without(["for `assign`, and to remove a tunnel, give the user the privilege `api-v2-interfaces-get`".to_owned()]),
    });
    facts
}
