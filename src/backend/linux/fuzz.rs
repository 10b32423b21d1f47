//! Any bytes as what a Linux host answers: understood or passed over, and never a panic.
//!
//! The first byte says as what. Bytes from the kernel go through the same parser that takes them off the socket.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use wireguard_control as control;

use crate::actual::KeyFile;
use crate::backend::linux::netlink::{RawLink, raw_links};
use crate::backend::linux::{device, files, key_text, wire};
use crate::resource::Field;
use crate::simulator::linux::call::{Device, Link, LinkKind};

/// Reads bytes as one of a host's answers.
pub(crate) fn netlink(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 4 {
        0 => messages(bytes),
        1 => peers(&mut Bytes(bytes)),
        2 => key_file(&String::from_utf8_lossy(bytes)),
        _ => drop(files::uptime(&String::from_utf8_lossy(bytes))),
    }
}

/// Messages of rtnetlink: links and addresses.
fn messages(bytes: &[u8]) {
    let (mut links, mut addresses) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    while let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest) {
        let length = usize::try_from(message.header.length).unwrap_or(rest.len());
        match message.payload {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(it)) => links.push(it),
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(it)) => addresses.push(it),
            _ => {}
        }
        let next = length.next_multiple_of(4).max(4).min(rest.len());
        rest = &rest[next..];
    }
    for RawLink { is_up, mtu, addresses, .. } in raw_links(&links, &addresses).into_values() {
        let link = Link { kind: LinkKind::Kernel, is_up, mtu, addresses };
        found(&link, Device { private_key: None, listen_port: 0, fwmark: 0, peers: [].into() });
    }
}

/// Peers as wireguard-control hands them over.
fn peers(bytes: &mut Bytes) {
    let mut parts = Vec::new();
    while !bytes.0.is_empty() {
        let mut config = control::PeerConfigBuilder::new(&control::Key([bytes.byte() % 4; 32]));
        config = config.set_preshared_key(control::Key([bytes.byte() % 2; 32]));
        let ip = bytes.ip();
        config = config.set_endpoint(SocketAddr::new(ip, bytes.short()));
        config = config.set_persistent_keepalive_interval(bytes.short());
        let then = Duration::from_secs(bytes.long());
        let info = control::PeerInfo {
            config: config.add_allowed_ip(bytes.ip(), bytes.byte()).into_peer_config(),
            stats: control::PeerStats {
                last_handshake_time: SystemTime::UNIX_EPOCH.checked_add(then),
                rx_bytes: bytes.long(),
                tx_bytes: bytes.long(),
            },
        };
        parts.push(info);
    }
    if let Ok(peers) = device::join(parts) {
        let link = Link { kind: LinkKind::Kernel, is_up: true, mtu: 0, addresses: [].into() };
        found(&link, Device { private_key: None, listen_port: 1, fwmark: 1, peers });
    }
}

/// What is found is what a state could record: canonical.
fn found(link: &Link, device: Device) {
    let found = wire::found_interface(link, device, Timestamp::UNIX_EPOCH);
    let peers = found.peers.values().flat_map(|peer| peer.fields.values());
    for field in found.fields.values().chain(peers) {
        match field {
            Field::Addresses(all) => {
                all.iter().for_each(|it| assert_eq!(it.to_string().parse(), Ok(*it)));
            }
            Field::Prefixes(all) => {
                all.iter().for_each(|it| assert_eq!(it.to_string().parse(), Ok(*it)));
            }
            Field::Endpoint(it) => assert_eq!(it.to_string().parse().as_ref(), Ok(it)),
            Field::Keepalive(it) => assert_eq!(it.to_string().parse(), Ok(*it)),
            _ => {}
        }
    }
}

/// A key file is a key, or says why not without saying what is in it.
fn key_file(text: &str) {
    match key_text::read(text) {
        KeyFile::Key(key) => {
            let again = key_text::read(&key_text::write(&key));
            assert!(matches!(again, KeyFile::Key(again) if again == key));
        }
        KeyFile::Unusable(why) => {
            let mut words = text.split_whitespace().filter(|it| it.len() >= 20);
            assert!(words.all(|word| !why.contains(word)), "{why}");
        }
    }
}

/// Bytes that become values; zeroes when there are no more.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn long(&mut self) -> u64 {
        u64::from_be_bytes(std::array::from_fn(|_| self.byte()))
    }

    fn ip(&mut self) -> std::net::IpAddr {
        match self.byte() % 3 {
            0 => std::array::from_fn::<u8, 4, _>(|_| self.byte()).into(),
            1 => std::array::from_fn::<u8, 16, _>(|_| self.byte()).into(),
            _ => std::net::Ipv4Addr::from(std::array::from_fn::<u8, 4, _>(|_| self.byte()))
                .to_ipv6_mapped()
                .into(),
        }
    }
}
