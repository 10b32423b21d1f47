//! What WireGuard holds for a link, over wireguard-control. All its traps are met here and nowhere else.
//!
//! Its error messages may hold keys and its `Debug` does: only the error number or the kind of an error leaves this
//! module.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use jiff::Timestamp;
use rustix::io::Errno;
use wireguard_control as control;

use crate::simulator::linux::call::{
    Device, DeviceChange, DevicePeer, LinkKind, PeerChange, Refusal,
};
use crate::value::{Keepalive, Prefix, PresharedKey, PrivateKey, PublicKey};

/// Reads the device behind a link.
pub(crate) fn get(name: &str, kind: LinkKind) -> Result<Device, Refusal> {
    let (name, backend) = address(name, kind)?;
    let found = control::Device::get(&name, backend).map_err(|error| refused(&error, kind))?;
    // The crate reserves the right to add fields, so that this cannot be complete.
    let control::Device { private_key, fwmark, listen_port, peers, .. } = found;
    let private_key = private_key.filter(|key| key.0 != [0; 32]);
    Ok(Device {
        private_key: private_key.map(|key| PrivateKey::from_bytes(key.0)),
        listen_port: listen_port.unwrap_or(0),
        fwmark: fwmark.unwrap_or(0),
        peers: join(peers)?,
    })
}

/// Changes the device behind a link, which must be there: the crate would make one.
pub(crate) fn apply(name: &str, kind: LinkKind, change: &DeviceChange) -> Result<(), Refusal> {
    let (name, backend) = address(name, kind)?;
    let DeviceChange { private_key, listen_port, fwmark, clears_peers, peers } = change;
    let mut update = control::DeviceUpdate::new();
    if let Some(key) = private_key {
        update = update.set_private_key(control::Key(*key.expose_bytes()));
    }
    if let Some(port) = listen_port {
        update = update.set_listen_port(*port);
    }
    if let Some(mark) = fwmark {
        update = update.set_fwmark(*mark);
    }
    if *clears_peers {
        update = update.replace_peers();
    }
    for peer in peers {
        update = update.add_peer(builder(peer));
    }
    update.apply(&name, backend).map_err(|error| refused(&error, kind))
}

fn address(
    name: &str,
    kind: LinkKind,
) -> Result<(control::InterfaceName, control::Backend), Refusal> {
    let backend = match kind {
        LinkKind::Kernel => control::Backend::Kernel,
        LinkKind::Userspace => control::Backend::Userspace,
        LinkKind::Other => return Err(Errno::OPNOTSUPP.into()),
    };
    let name = name.parse().map_err(|_| Errno::INVAL)?;
    Ok((name, backend))
}

fn builder(change: &PeerChange) -> control::PeerConfigBuilder {
    let PeerChange {
        public_key,
        removes,
        preshared_key,
        endpoint,
        persistent_keepalive,
        clears_allowed_ips,
        allowed_ips,
    } = change;
    let mut peer = control::PeerConfigBuilder::new(&control::Key(*public_key.as_bytes()));
    if *removes {
        return peer.remove();
    }
    match preshared_key {
        Some(Some(key)) => peer = peer.set_preshared_key(control::Key(*key.expose_bytes())),
        Some(None) => peer = peer.unset_preshared_key(),
        None => {}
    }
    if let Some(endpoint) = endpoint {
        peer = peer.set_endpoint(*endpoint);
    }
    if let Some(keepalive) = persistent_keepalive {
        peer = peer.set_persistent_keepalive_interval(keepalive.seconds());
    }
    if *clears_allowed_ips {
        peer = peer.replace_allowed_ips();
    }
    for prefix in allowed_ips {
        peer = peer.add_allowed_ip(prefix.address(), prefix.length());
    }
    peer
}

/// Joins the parts of peers that the kernel spread over several messages. Only the first part has the settings.
pub(crate) fn join(
    parts: Vec<control::PeerInfo>,
) -> Result<BTreeMap<PublicKey, DevicePeer>, Refusal> {
    let mut peers: BTreeMap<PublicKey, DevicePeer> = BTreeMap::new();
    for control::PeerInfo { config, stats } in parts {
        let key = PublicKey::from_bytes(config.public_key.0);
        let part = peer(config, stats)?;
        match peers.entry(key) {
            Entry::Vacant(entry) => _ = entry.insert(part),
            Entry::Occupied(mut entry) => entry.get_mut().allowed_ips.extend(part.allowed_ips),
        }
    }
    Ok(peers)
}

fn peer(config: control::PeerConfig, stats: control::PeerStats) -> Result<DevicePeer, Refusal> {
    let control::PeerStats { last_handshake_time, rx_bytes, tx_bytes } = stats;
    // The crate reserves the right to add fields, so that this cannot be complete.
    let control::PeerConfig {
        preshared_key,
        endpoint,
        persistent_keepalive_interval,
        allowed_ips,
        ..
    } = config;
    let prefix = |it: control::AllowedIp| Prefix::new(it.address, it.cidr);
    let allowed_ips = allowed_ips.into_iter().map(prefix).collect::<Result<_, _>>();
    Ok(DevicePeer {
        // All zeroes and 0 are how the device says that there is none.
        preshared_key: preshared_key.and_then(|key| PresharedKey::from_bytes(key.0)),
        endpoint: endpoint.map(|it| SocketAddr::new(it.ip().to_canonical(), it.port())),
        persistent_keepalive: Keepalive::from_seconds(persistent_keepalive_interval.unwrap_or(0)),
        allowed_ips: allowed_ips.map_err(|error| not_understood(&error.to_string()))?,
        last_handshake: last_handshake_time.and_then(|time| Timestamp::try_from(time).ok()),
        received: rx_bytes,
        sent: tx_bytes,
    })
}

fn refused(error: &io::Error, kind: LinkKind) -> Refusal {
    match (error.raw_os_error(), error.kind(), kind) {
        // No socket, or one whose process has died: what was behind the link is gone.
        (_, ErrorKind::NotFound | ErrorKind::ConnectionRefused, LinkKind::Userspace) => {
            Refusal::Errno(Errno::NODEV)
        }
        (Some(number), _, _) => Refusal::Errno(Errno::from_raw_os_error(number)),
        (None, ErrorKind::InvalidInput, LinkKind::Userspace) => Refusal::said(
            "the userspace WireGuard refused, and its reason does not come through",
            "the listen port may be taken: see who has it with `ss -ulnp`",
        ),
        (None, kind, _) => not_understood(&kind.to_string()),
    }
}

fn not_understood(what: &str) -> Refusal {
    Refusal::said(
        format!("the answer of WireGuard could not be understood: {what}"),
        "this is a mistake in wgform: please report it with the version of the kernel",
    )
}

#[cfg(test)]
mod tests {
    use std::io;

    use rustix::io::Errno;
    use wireguard_control as control;

    use crate::backend::linux::device::{join, refused};
    use crate::simulator::linux::call::{LinkKind, Refusal};
    use crate::value::PublicKey;

    fn part(ips: &[&str]) -> control::PeerInfo {
        let mut part = control::PeerInfo::from_public_key(control::Key([5; 32]));
        part.config.allowed_ips = ips.iter().map(|it| it.parse().unwrap()).collect();
        part
    }

    #[test]
    fn parts_of_one_peer_are_joined_with_the_settings_of_the_first() {
        let mut first = part(&["10.0.0.0/8"]);
        first.config.persistent_keepalive_interval = Some(25);
        first.config.preshared_key = Some(control::Key([7; 32]));
        first.stats.rx_bytes = 9;
        let peers = join(vec![first, part(&["10.9.0.0/16"]), part(&["fd00::/8"])]).unwrap();
        let peer = &peers[&PublicKey::from_bytes([5; 32])];
        let ips: Vec<String> = peer.allowed_ips.iter().map(ToString::to_string).collect();
        assert_eq!(ips, ["10.0.0.0/8", "10.9.0.0/16", "fd00::/8"]);
        assert_eq!((peer.persistent_keepalive.seconds(), peer.received), (25, 9));
        assert!(peer.preshared_key.is_some());
    }

    #[test]
    fn none_has_one_form() {
        let mut zeroes = part(&[]);
        zeroes.config.preshared_key = Some(control::Key([0; 32]));
        zeroes.config.persistent_keepalive_interval = Some(0);
        let bare = join(vec![part(&[])]).unwrap();
        assert_eq!(join(vec![zeroes]).unwrap(), bare);
    }

    #[test]
    fn no_text_of_the_library_comes_through() {
        let leaky = io::Error::new(io::ErrorKind::InvalidInput, "PresharedKey([7, 7, 7");
        for kind in [LinkKind::Kernel, LinkKind::Userspace] {
            assert!(!format!("{:?}", refused(&leaky, kind)).contains('7'));
        }
        let gone = io::Error::from_raw_os_error(111);
        assert_eq!(refused(&gone, LinkKind::Userspace), Refusal::Errno(Errno::NODEV));
    }
}
