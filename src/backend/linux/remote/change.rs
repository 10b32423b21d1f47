//! Changes of what WireGuard holds, as calls of `wg`.
//!
//! `wg set` leaves alone what it does not name, but takes keys from files only and is as long as the list of peers.
//! `wg addconf` takes everything as text and leaves alone what it does not name, except that a peer without networks in it
//! has none afterwards. So peers that only go, or get an endpoint or a keepalive, are set; and for those with networks
//! or a pre-shared key all of their networks are said. Both touch no other peer, and no session.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;

use zeroize::Zeroizing;

use crate::backend::linux::remote::script::{Step, Work};
use crate::backend::linux::remote::shell::quoted;
use crate::backend::linux::remote::words;
use crate::simulator::linux::call::{Device, DeviceChange, DevicePeer, PeerChange};
use crate::value::{Keepalive, Prefix, PresharedKey, PublicKey};

/// The kernel takes 128 KiB for one argument and 2 MiB for all; a command line stays far below both.
const LONGEST_COMMAND: usize = 60_000;
/// How `wg` is told that there is no pre-shared key.
const NO_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Returns the calls that make a change of a device, given what it holds.
pub(crate) fn configure(name: &str, device: &Device, change: &DeviceChange) -> Vec<Step> {
    let DeviceChange { private_key, listen_port, fwmark, clears_peers, peers } = change;
    let mut text = Zeroizing::new(String::with_capacity(256 + 400 * peers.len()));
    if private_key.is_some() || listen_port.is_some() || fwmark.is_some() {
        text.push_str("[Interface]\n");
        private_key.iter().for_each(|key| line(&mut text, "PrivateKey", &key.expose_text()));
        listen_port.iter().for_each(|port| line(&mut text, "ListenPort", &port.to_string()));
        fwmark.iter().for_each(|mark| line(&mut text, "FwMark", &mark.to_string()));
    }
    let mut set = Vec::new();
    if *clears_peers {
        set.extend(
            device
                .peers
                .keys()
                .map(|key| vec!["peer".to_owned(), key.to_string(), "remove".to_owned()]),
        );
    }
    for (key, peer) in joined(peers) {
        let held = device.peers.get(&key).filter(|_| !clears_peers);
        match peer.is_set() {
            true => set.push(peer.words(&key)),
            false => peer.write(&key, held, &mut text),
        }
    }
    let mut steps = set_steps(name, set);
    if !text.is_empty() {
        // A small host may have no /dev/stdin.
        let line = format!("wg_ addconf {} /proc/self/fd/0", quoted(name));
        steps.push(step(name, line, Some(text)));
    }
    steps
}

fn step(name: &str, line: String, input: Option<Zeroizing<String>>) -> Step {
    Step::new(Work::Line { line, input, has_links: false }, &[name], words::of_wg)
}

/// Fits as many peers as possible into each command.
fn set_steps(name: &str, peers: Vec<Vec<String>>) -> Vec<Step> {
    let start = format!("wg_ set {}", quoted(name));
    let mut lines: Vec<String> = Vec::new();
    for words in peers {
        let words: String = words.iter().map(|word| format!(" {}", quoted(word))).collect();
        match lines.last_mut() {
            Some(line) if line.len() + words.len() < LONGEST_COMMAND => line.push_str(&words),
            _ => lines.push(format!("{start}{words}")),
        }
    }
    lines.into_iter().map(|line| step(name, line, None)).collect()
}

/// What becomes of one peer, of which a change may speak in parts.
#[derive(Default)]
struct Peer {
    removes: bool,
    preshared_key: Option<Option<PresharedKey>>,
    endpoint: Option<SocketAddr>,
    persistent_keepalive: Option<Keepalive>,
    clears_allowed_ips: bool,
    allowed_ips: BTreeSet<Prefix>,
}

/// Joins the parts of each peer, in the order in which the peers come first.
fn joined(changes: &[PeerChange]) -> Vec<(PublicKey, Peer)> {
    let mut places: BTreeMap<PublicKey, usize> = BTreeMap::new();
    let mut peers: Vec<(PublicKey, Peer)> = Vec::new();
    for change in changes {
        let PeerChange {
            public_key,
            removes,
            preshared_key,
            endpoint,
            persistent_keepalive,
            clears_allowed_ips,
            allowed_ips,
        } = change;
        let place = *places.entry(*public_key).or_insert_with(|| {
            peers.push((*public_key, Peer::default()));
            peers.len() - 1
        });
        let peer = &mut peers[place].1;
        peer.removes |= removes;
        peer.preshared_key = preshared_key.clone().or(peer.preshared_key.take());
        peer.endpoint = endpoint.or(peer.endpoint);
        peer.persistent_keepalive = persistent_keepalive.or(peer.persistent_keepalive);
        peer.clears_allowed_ips |= clears_allowed_ips;
        peer.allowed_ips.extend(allowed_ips);
    }
    peers
}

impl Peer {
    /// Returns whether it can be said on a command line.
    fn is_set(&self) -> bool {
        let has_networks = self.clears_allowed_ips || !self.allowed_ips.is_empty();
        self.removes || (self.preshared_key.is_none() && !has_networks)
    }

    fn words(&self, key: &PublicKey) -> Vec<String> {
        let mut words = vec!["peer".to_owned(), key.to_string()];
        if self.removes {
            words.push("remove".to_owned());
            return words;
        }
        words.extend(self.endpoint.iter().flat_map(|it| ["endpoint".to_owned(), it.to_string()]));
        let keepalive = self.persistent_keepalive.iter();
        words.extend(
            keepalive.flat_map(|it| ["persistent-keepalive".to_owned(), it.seconds().to_string()]),
        );
        words
    }

    fn write(&self, key: &PublicKey, held: Option<&DevicePeer>, text: &mut Zeroizing<String>) {
        text.push_str("[Peer]\n");
        line(text, "PublicKey", &key.to_string());
        match &self.preshared_key {
            Some(Some(key)) => line(text, "PresharedKey", &key.expose_text()),
            Some(None) => line(text, "PresharedKey", NO_KEY),
            None => {}
        }
        self.endpoint.iter().for_each(|it| line(text, "Endpoint", &it.to_string()));
        let keepalive = self.persistent_keepalive.iter();
        keepalive.for_each(|it| line(text, "PersistentKeepalive", &it.seconds().to_string()));
        let kept = held.filter(|_| !self.clears_allowed_ips).map(|it| &it.allowed_ips);
        let all: BTreeSet<&Prefix> = kept.into_iter().flatten().chain(&self.allowed_ips).collect();
        for prefix in all {
            line(text, "AllowedIPs", &prefix.to_string());
        }
    }
}

/// Adds a line, and leaves no copy of a key behind when the text has to grow.
fn line(text: &mut Zeroizing<String>, name: &str, value: &str) {
    let more = name.len() + value.len() + 4;
    if text.capacity() - text.len() < more {
        let capacity = (text.len() + more).next_power_of_two();
        let mut larger = Zeroizing::new(String::with_capacity(capacity));
        larger.push_str(text);
        *text = larger;
    }
    _ = writeln!(text, "{name} = {value}");
}

#[cfg(test)]
mod tests {
    use crate::backend::linux::remote::change::configure;
    use crate::backend::linux::remote::script::Work;
    use crate::simulator::linux::call::{Device, DeviceChange, DevicePeer, PeerChange};
    use crate::value::{Keepalive, PresharedKey, PrivateKey, PublicKey};

    fn key(number: u8) -> PublicKey {
        PublicKey::from_bytes([number; 32])
    }

    fn shown(device: &Device, change: &DeviceChange) -> String {
        let steps = configure("wg0", device, change).into_iter().map(|step| match step.work {
            Work::Ip(words) => words.join(" "),
            Work::Line { line, input, .. } => {
                format!("{line}\n{}", input.map(|it| it.to_string()).unwrap_or_default())
            }
        });
        steps.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn only_what_changes_is_said() {
        let held = DevicePeer {
            allowed_ips: ["10.0.0.0/8".parse().unwrap()].into(),
            ..DevicePeer::default()
        };
        let device = Device { peers: [(key(2), held)].into(), ..Device::default() };
        let change = DeviceChange {
            private_key: Some(PrivateKey::from_bytes([9; 32])),
            listen_port: Some(0),
            fwmark: None,
            clears_peers: false,
            peers: vec![
                PeerChange::removal(key(1)),
                PeerChange {
                    preshared_key: Some(PresharedKey::from_bytes([7; 32])),
                    ..PeerChange::new(key(2))
                },
                PeerChange {
                    persistent_keepalive: Some(Keepalive::OFF),
                    endpoint: Some("[2001:db8::1]:7".parse().unwrap()),
                    ..PeerChange::new(key(3))
                },
                PeerChange {
                    preshared_key: Some(None),
                    allowed_ips: vec!["10.1.0.0/16".parse().unwrap()],
                    ..PeerChange::new(key(4))
                },
                PeerChange {
                    allowed_ips: vec!["10.2.0.0/16".parse().unwrap()],
                    ..PeerChange::new(key(4))
                },
                PeerChange { clears_allowed_ips: true, ..PeerChange::new(key(2)) },
            ],
        };
        insta::assert_snapshot!(shown(&device, &change), @r#"
        wg_ set 'wg0' 'peer' 'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=' 'remove' 'peer' 'AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=' 'endpoint' '[2001:db8::1]:7' 'persistent-keepalive' '0'

        wg_ addconf 'wg0' /proc/self/fd/0
        [Interface]
        PrivateKey = CAkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCUk=
        ListenPort = 0
        [Peer]
        PublicKey = AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=
        PresharedKey = BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=
        [Peer]
        PublicKey = BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=
        PresharedKey = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
        AllowedIPs = 10.1.0.0/16
        AllowedIPs = 10.2.0.0/16
        "#);
    }

    #[test]
    fn a_peer_that_gets_another_preshared_key_keeps_its_networks() {
        let held = DevicePeer {
            allowed_ips: ["10.0.0.0/8".parse().unwrap()].into(),
            ..DevicePeer::default()
        };
        let device = Device { peers: [(key(2), held)].into(), ..Device::default() };
        let peer = PeerChange { preshared_key: Some(None), ..PeerChange::new(key(2)) };
        let change = DeviceChange { peers: vec![peer], ..DeviceChange::default() };
        assert!(shown(&device, &change).contains("AllowedIPs = 10.0.0.0/8"));
    }

    #[test]
    fn a_command_line_stays_short_and_holds_no_secret() {
        let peers = (0..3000u16).map(|n| {
            let mut bytes = [1; 32];
            bytes[..2].copy_from_slice(&n.to_be_bytes());
            PeerChange::removal(PublicKey::from_bytes(bytes))
        });
        let change = DeviceChange { peers: peers.collect(), ..DeviceChange::default() };
        let steps = configure("wg0", &Device::default(), &change);
        assert!((3..6).contains(&steps.len()));
        for step in steps {
            let Work::Line { line, .. } = step.work else { panic!("not a line") };
            assert!(line.len() < 61_000);
        }
    }
}
