//! Random tunnels with random peers, put on each kind of system by somebody who knows nothing of wgform.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use wgform::simulator::linux::call::{DeviceChange, PeerChange};

use crate::harness::Project;
use crate::harness::devices::{ask_firewall, ask_router, firewall, router};
use crate::taken::{preshared, private, public};

/// What people write, and what nobody should.
const TEXTS: &[&str] = &[
    "",
    "alice",
    "alice",
    "Jörg Müßig",
    "Łódź: café",
    "a: b: c",
    "${file(\"/etc/passwd\")} %{if x}",
    "quote \" and \\ back",
    "日本",
    "10.0.0.1",
    "two\nlines\t\u{202e}and more",
    "x, y",
    "alice_2",
    ": x",
];

#[derive(Debug, Clone)]
pub struct Tunnel {
    pub text: &'static str,
    pub is_up: bool,
    pub has_port: bool,
    pub has_address: bool,
    pub mtu: u32,
    /// Whether a firewall has an interface for it, and a router a list.
    pub is_assigned: bool,
    pub peers: Vec<Peer>,
}

#[derive(Debug, Clone)]
pub struct Peer {
    pub text: &'static str,
    pub name: &'static str,
    pub is_up: bool,
    pub has_secret: bool,
    pub endpoint: Option<&'static str>,
    pub keepalive: u16,
    pub network: Network,
    pub whose: Whose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    None,
    Own,
    Shared,
    Six,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Anybody,
    /// It is the far end of the other tunnel.
    OtherTunnel,
    /// A part of the device has made it.
    Dynamic,
    /// What it was on is gone, or it is on nothing.
    Orphan,
    /// Its text is no UTF-8.
    Bytes,
}

impl Peer {
    fn networks(&self, tunnel: u8, number: u8) -> Vec<String> {
        match self.network {
            Network::None => Vec::new(),
            Network::Own => {
                vec![format!("10.{tunnel}.{number}.0/24"), format!("172.16.{number}.{tunnel}/32")]
            }
            Network::Shared => vec!["0.0.0.0/0".to_owned()],
            Network::Six => vec![format!("fd00:{tunnel}:{number}::/64")],
        }
    }
}

fn text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(TEXTS)
}

fn peer() -> impl Strategy<Value = Peer> {
    let endpoint =
        prop::sample::select(vec![None, Some("192.0.2.1:51820"), Some("[2001:db8::1]:7")]);
    let network = prop_oneof![
        6 => Just(Network::Own),
        1 => Just(Network::Shared),
        1 => Just(Network::Six),
        1 => Just(Network::None),
    ];
    let whose = prop_oneof![
        8 => Just(Whose::Anybody),
        1 => Just(Whose::OtherTunnel),
        1 => Just(Whose::Dynamic),
        1 => Just(Whose::Orphan),
        1 => Just(Whose::Bytes),
    ];
    let keepalive = prop::sample::select(vec![0, 0, 25, 65535]);
    let flags = (prop::bool::weighted(0.8), any::<bool>());
    (text(), text(), flags, endpoint, keepalive, network, whose).prop_map(
        |(text, name, (is_up, has_secret), endpoint, keepalive, network, whose)| Peer {
            text,
            name,
            is_up,
            has_secret,
            endpoint,
            keepalive,
            network,
            whose,
        },
    )
}

fn tunnel() -> impl Strategy<Value = Tunnel> {
    let flags =
        (prop::bool::weighted(0.8), any::<bool>(), any::<bool>(), prop::bool::weighted(0.3));
    let mtu = prop::sample::select(vec![1420, 1420, 1380, 1280]);
    (text(), flags, mtu, prop::collection::vec(peer(), 0..5)).prop_map(
        |(text, (is_up, has_port, has_address, is_assigned), mtu, peers)| Tunnel {
            text,
            is_up,
            has_port,
            has_address,
            mtu,
            is_assigned,
            peers,
        },
    )
}

/// Two tunnels, or one, or none.
pub fn tunnels() -> impl Strategy<Value = Vec<Tunnel>> {
    prop::collection::vec(tunnel(), 0..3)
}

/// Returns the number of a tunnel's key, and those of its peers.
fn numbers(tunnel: usize) -> (u8, impl Fn(usize) -> u8) {
    let tunnel = u8::try_from(tunnel).unwrap();
    (200 + tunnel, move |peer| 10 * (tunnel + 1) + u8::try_from(peer).unwrap())
}

/// Returns the key of a peer, which may be the other tunnel's.
fn key_of(peer: &Peer, number: u8, tunnel: usize) -> u8 {
    match peer.whose {
        Whose::OtherTunnel => 200 + u8::try_from(1 - tunnel.min(1)).unwrap(),
        _ => number,
    }
}

pub fn on_host(project: &Project, backend: &str, tunnels: &[Tunnel]) {
    let host = project.enter(backend);
    for (index, tunnel) in tunnels.iter().enumerate() {
        let (own, number) = numbers(index);
        let name = ["wg0", "wg-büro"][index];
        host.add_link(name).unwrap();
        let peers = tunnel.peers.iter().enumerate().map(|(i, peer)| PeerChange {
            preshared_key: peer.has_secret.then(|| Some(preshared(number(i)))),
            endpoint: peer.endpoint.map(|it| it.parse().unwrap()),
            persistent_keepalive: Some(format!("{}s", peer.keepalive).parse().unwrap()),
            allowed_ips: peer
                .networks(own, number(i))
                .iter()
                .map(|it| it.parse().unwrap())
                .collect(),
            ..PeerChange::new(public(key_of(peer, number(i), index)))
        });
        let change = DeviceChange {
            private_key: Some(private(own)),
            listen_port: tunnel.has_port.then_some(51820 + u16::from(own)),
            fwmark: tunnel.is_assigned.then_some(51820),
            peers: peers.collect(),
            ..DeviceChange::default()
        };
        host.configure(name, &change).unwrap();
        host.set_mtu(name, tunnel.mtu).unwrap();
        host.set_up(name, tunnel.is_up).unwrap();
        if tunnel.has_address {
            host.add_address(name, format!("10.{own}.0.1/24").parse().unwrap()).unwrap();
        }
    }
}

pub fn on_router(project: &Project, backend: &str, tunnels: &[Tunnel]) {
    let router = router(project, backend);
    let put = |path: &str, body: &Json| -> u64 {
        let made = ask_router(&router, "PUT", path, &body.to_string());
        u64::from_str_radix(made[".id"].as_str().unwrap().trim_start_matches('*'), 16).unwrap()
    };
    put("interface/wireguard", &json!({"name": "gone"}));
    put("interface/list", &json!({"name": "LAN"}));
    for (index, tunnel) in tunnels.iter().enumerate() {
        let (own, number) = numbers(index);
        let name = ["wg0", "büro/2"][index];
        let mut body = json!({
            "name": name,
            "private-key": &*private(own).expose_text(),
            "mtu": tunnel.mtu.to_string(),
            "disabled": if tunnel.is_up { "no" } else { "yes" },
            "comment": tunnel.text,
        });
        if tunnel.has_port {
            body["listen-port"] = (50_000 + u32::from(own)).to_string().into();
        }
        put("interface/wireguard", &body);
        if tunnel.has_address {
            let address = format!("10.{own}.0.1/24");
            put("ip/address", &json!({"interface": name, "address": address}));
        }
        if tunnel.is_assigned {
            put("interface/list/member", &json!({"interface": name, "list": "LAN"}));
        }
        let mut keys = BTreeSet::new();
        for (i, peer) in tunnel.peers.iter().enumerate() {
            let key = key_of(peer, number(i), index);
            let is_twin = !keys.insert(key);
            let twin = public(key).to_string();
            let anybody = Peer { whose: Whose::Anybody, ..peer.clone() };
            let peer = if is_twin { &anybody } else { peer };
            let id =
                put("interface/wireguard/peers", &router_peer(peer, name, (own, number(i)), index));
            let mut planted: Vec<(&str, &[u8])> = Vec::new();
            match peer.whose {
                Whose::Dynamic => planted.push(("dynamic", b"true")),
                Whose::Bytes => planted.push(("comment", b"B\xfcro 1")),
                Whose::Anybody | Whose::OtherTunnel | Whose::Orphan => {}
            }
            // It refuses what it has already, and older versions did not.
            if is_twin {
                planted.push(("public-key", twin.as_bytes()));
            }
            // Those of older versions may have none.
            if peer.network == Network::None {
                planted.push(("allowed-address", b""));
            }
            router.plant("peers", id, &planted).unwrap();
        }
    }
    let all = ask_router(&router, "GET", "interface/wireguard", "");
    let gone = all.as_array().unwrap().iter().find(|it| it["name"] == "gone").unwrap();
    let path = format!("interface/wireguard/{}", gone[".id"].as_str().unwrap());
    ask_router(&router, "DELETE", &path, "");
}

fn router_peer(peer: &Peer, name: &str, (own, number): (u8, u8), tunnel: usize) -> Json {
    let on = if peer.whose == Whose::Orphan { "gone" } else { name };
    let key = public(key_of(peer, number, tunnel)).to_string();
    let networks = peer.networks(own, number).join(",");
    let mut body = json!({
        "interface": on,
        "public-key": key,
        "allowed-address": if networks.is_empty() { "10.0.0.0/8" } else { &networks },
        "persistent-keepalive": peer.keepalive.to_string(),
        "disabled": if peer.is_up { "no" } else { "yes" },
        "comment": peer.text,
        "responder": if peer.keepalive == 25 { "yes" } else { "no" },
        "client-dns": if peer.has_secret { "10.0.0.53" } else { "" },
    });
    if !peer.name.is_empty() {
        body["name"] = peer.name.into();
    }
    if peer.has_secret {
        body["preshared-key"] = (*preshared(number).expose_text()).clone().into();
        body["private-key"] = (*private(number).expose_text()).clone().into();
    }
    if let Some((host, port)) = peer.endpoint.and_then(|it| it.rsplit_once(':')) {
        body["endpoint-address"] = host.trim_matches(['[', ']']).into();
        body["endpoint-port"] = port.into();
    }
    body
}

pub fn on_firewall(project: &Project, backend: &str, tunnels: &[Tunnel]) {
    let firewall = firewall(project, backend);
    let post = |path: &str, body: &Json| ask_firewall(&firewall, "POST", path, body);
    let apply = || post("vpn/wireguard/apply", &json!({"async": false}));
    ask_firewall(&firewall, "PATCH", "vpn/wireguard/settings", &json!({"enable": true}));
    for (index, tunnel) in tunnels.iter().enumerate() {
        let (own, number) = numbers(index);
        let name = ["tun_wg0", "tun_wg7"][index];
        let is_assigned = tunnel.is_assigned && tunnel.is_up;
        let address = json!([{"address": format!("10.{own}.0.1"), "mask": 24}]);
        let body = json!({
            "name": name,
            "privatekey": &*private(own).expose_text(),
            "listenport": (50_000 + u32::from(own)).to_string(),
            "enabled": tunnel.is_up,
            "descr": tunnel.text,
            "mtu": tunnel.mtu,
            "addresses": if tunnel.has_address && !is_assigned { address } else { json!([]) },
        });
        post("vpn/wireguard/tunnel", &body);
        apply();
        if is_assigned {
            let body = json!({
                "if": name, "descr": format!("WG{own}"), "enable": true, "typev4": "static",
                "ipaddr": format!("10.{own}.0.1"), "subnet": 24, "mtu": tunnel.mtu,
            });
            post("interface", &body);
            post("interface/apply", &json!({"async": false}));
        }
        for (i, peer) in tunnel.peers.iter().enumerate() {
            let key = key_of(peer, number(i), index);
            let networks = peer.networks(own, number(i)).into_iter().map(|it| {
                let (address, mask) = it.split_once('/').unwrap();
                json!({"address": address, "mask": mask.parse::<u8>().unwrap()})
            });
            let mut body = json!({
                "publickey": public(key).to_string(),
                "enabled": peer.is_up,
                "descr": peer.text,
                "allowedips": networks.collect::<Vec<_>>(),
                "persistentkeepalive": peer.keepalive,
            });
            if peer.whose != Whose::Orphan {
                body["tun"] = name.into();
            }
            if peer.has_secret {
                body["presharedkey"] = (*preshared(number(i)).expose_text()).clone().into();
            }
            if let Some((host, port)) = peer.endpoint.and_then(|it| it.rsplit_once(':')) {
                body["endpoint"] = host.trim_matches(['[', ']']).into();
                body["port"] = port.into();
            }
            // A firewall has each key once.
            let is_there = ask_firewall(&firewall, "GET", "vpn/wireguard/peers", &Json::Null);
            let is_there =
                is_there.as_array().unwrap().iter().any(|it| it["publickey"] == body["publickey"]);
            if !is_there {
                post("vpn/wireguard/peer", &body);
            }
        }
    }
    apply();
}
