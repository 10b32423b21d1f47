//! Random configurations that are right, and random things that happen to their hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

use proptest::prelude::*;
use wgform::simulator::linux::call::PeerChange;
use wgform::value::PublicKey;

use crate::host::Host;
use crate::names::public_key;

const HOSTS: [&str; 2] = ["hq", "branch"];

#[derive(Debug, Clone)]
pub struct Model {
    interfaces: BTreeMap<u8, Interface>,
    peers: BTreeMap<u8, Peer>,
    links: BTreeMap<u8, Link>,
    secrets: BTreeMap<u8, u8>,
}

#[derive(Debug, Clone)]
struct Interface {
    host: usize,
    name: u8,
    port: Option<u8>,
    addresses: BTreeSet<u8>,
    has_ipv6: bool,
    mtu: Option<u16>,
    mark: Option<u8>,
    is_enabled: bool,
    description: Option<u8>,
    rotation: Option<u8>,
    routes: u8,
}

#[derive(Debug, Clone)]
struct Peer {
    on: u8,
    key: u8,
    networks: BTreeSet<u8>,
    endpoint: Option<u8>,
    keepalive: Option<u8>,
    is_enabled: bool,
    is_pending: bool,
    secret: Secret,
    description: Option<u8>,
}

#[derive(Debug, Clone)]
enum Secret {
    Unset,
    None,
    Literal(u8),
    Resource(u8),
}

#[derive(Debug, Clone)]
struct Link {
    one: u8,
    other: u8,
    secret: Option<u8>,
}

pub fn model() -> impl Strategy<Value = Model> {
    model_of(1..4, 0..2)
}

/// One with a link at least.
pub fn linked_model() -> impl Strategy<Value = Model> {
    let has_link = |model: &Model| model.text().contains("peer \"l");
    model_of(3..5, 1..2).prop_filter("there is no link", has_link)
}

fn model_of(interfaces: Range<usize>, links: Range<usize>) -> impl Strategy<Value = Model> {
    let interfaces = prop::collection::btree_map(0u8..4, interface(), interfaces);
    let peers = prop::collection::btree_map(0u8..6, peer(), 0..6);
    let links = prop::collection::btree_map(0u8..2, link(), links);
    let secrets = prop::collection::btree_map(0u8..2, 0u8..3, 0..3);
    (interfaces, peers, links, secrets).prop_map(|(interfaces, peers, links, secrets)| Model {
        interfaces,
        peers,
        links,
        secrets,
    })
}

fn interface() -> impl Strategy<Value = Interface> {
    let first = (0usize..2, 0u8..4, prop::option::of(0u8..4));
    let second = (prop::collection::btree_set(1u8..5, 0..3), any::<bool>());
    let third = (prop::option::of(1300u16..1400), prop::option::of(0u8..3));
    let fourth = (prop::bool::weighted(0.8), prop::option::of(0u8..2), prop::option::of(0u8..2));
    (first, second, third, fourth, 0u8..4).prop_map(
        |((host, name, port), (addresses, has_ipv6), (mtu, mark), rest, routes)| {
            let (is_enabled, description, rotation) = rest;
            Interface {
                host,
                name,
                port,
                addresses,
                has_ipv6,
                mtu,
                mark,
                is_enabled,
                description,
                rotation,
                routes,
            }
        },
    )
}

fn peer() -> impl Strategy<Value = Peer> {
    let secret = prop_oneof![
        3 => Just(Secret::Unset),
        1 => Just(Secret::None),
        1 => (0u8..2).prop_map(Secret::Literal),
        2 => (0u8..2).prop_map(Secret::Resource),
    ];
    let first = (0u8..4, 0u8..6, prop::collection::btree_set(0u8..8, 0..4));
    let second = (prop::option::of(0u8..3), prop::option::of(1u8..3));
    let third = (prop::bool::weighted(0.8), prop::bool::weighted(0.1));
    (first, second, third, secret, prop::option::of(0u8..2)).prop_map(
        |((on, key, networks), (endpoint, keepalive), flags, secret, description)| {
            let (is_enabled, is_pending) = flags;
            Peer {
                on,
                key,
                networks,
                endpoint,
                keepalive,
                is_enabled,
                is_pending,
                secret,
                description,
            }
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    (0u8..4, 0u8..4, prop::option::of(0u8..2)).prop_map(|(one, other, secret)| Link {
        one,
        other,
        secret,
    })
}

impl Model {
    /// Writes the configuration, without what would contradict itself.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for host in HOSTS {
            let _ = write!(text, "backend \"local\" \"{host}\" {{\n  simulate = true\n}}\n");
        }
        let (mut names, mut ports) = (BTreeSet::new(), BTreeSet::new());
        let mut written: BTreeMap<u8, &Interface> = BTreeMap::new();
        for (label, it) in &self.interfaces {
            if names.insert((it.host, it.name)) {
                let port = it.port.filter(|port| !it.is_enabled || ports.insert((it.host, *port)));
                it.write(*label, port, &mut text);
                written.insert(*label, it);
            }
        }
        for (label, rotation) in &self.secrets {
            let _ =
                write!(text, "preshared_key \"s{label}\" {{\n  rotation = \"{rotation}\"\n}}\n");
        }
        let (mut keys, mut networks) = (BTreeSet::new(), BTreeSet::new());
        for (label, it) in self.peers.iter().filter(|(_, it)| written.contains_key(&it.on)) {
            let is_free = it.is_pending || keys.insert((it.on, it.key));
            if is_free {
                let is_there = it.is_enabled && !it.is_pending;
                let free = |n: &&u8| !is_there || networks.insert((it.on, **n));
                let networks = it.networks.iter().filter(free).copied().collect();
                it.write(*label, &networks, &self.secrets, &mut text);
            }
        }
        for (label, it) in &self.links {
            let both = written.contains_key(&it.one) && written.contains_key(&it.other);
            if both && it.one != it.other {
                it.write(*label, &self.secrets, &mut text);
            }
        }
        text
    }
}

impl Interface {
    fn write(&self, label: u8, port: Option<u8>, text: &mut String) {
        let _ = writeln!(text, "interface \"i{label}\" {{");
        let _ = writeln!(text, "  backend = backend.{}", HOSTS[self.host]);
        let _ = writeln!(text, "  name = \"wg{}\"", self.name);
        port.iter().for_each(|it| _ = writeln!(text, "  listen_port = 5180{it}"));
        let mut addresses: Vec<_> =
            self.addresses.iter().map(|it| format!("\"10.8.{label}.{it}/24\"")).collect();
        addresses.extend(self.has_ipv6.then(|| format!("\"fd00:{label}::1/64\"")));
        let _ = writeln!(text, "  addresses = [{}]", addresses.join(", "));
        self.mtu.iter().for_each(|it| _ = writeln!(text, "  mtu = {it}"));
        self.mark.iter().for_each(|it| _ = writeln!(text, "  fwmark = {it}"));
        if !self.is_enabled {
            text.push_str("  enabled = false\n");
        }
        self.description.iter().for_each(|it| _ = writeln!(text, "  description = \"{it}\""));
        self.rotation.iter().for_each(|it| _ = writeln!(text, "  key_rotation = \"{it}\""));
        // A table or a metric of its own: no two interfaces want one route.
        let _ = match self.routes {
            0 => Ok(()),
            1 => writeln!(text, "  routes = {{ distance = 1{label} }}"),
            2 => writeln!(
                text,
                "  routes {{\n    distance = 2{label}\n    exclude = [\"10.2.0.0/17\"]\n  }}"
            ),
            _ => {
                writeln!(text, "  routes {{\n    table = 10{label}\n    default_route = true\n  }}")
            }
        };
        text.push_str("}\n");
    }
}

impl Peer {
    fn write(
        &self,
        label: u8,
        networks: &BTreeSet<u8>,
        secrets: &BTreeMap<u8, u8>,
        text: &mut String,
    ) {
        let _ = writeln!(text, "peer \"p{label}\" {{\n  interface = interface.i{}", self.on);
        match self.is_pending {
            true => text.push_str("  public_key = null\n"),
            false => _ = writeln!(text, "  public_key = \"«far {}»\"", self.key),
        }
        let networks: Vec<_> = networks.iter().map(|it| format!("\"10.{it}.0.0/16\"")).collect();
        let _ = writeln!(text, "  allowed_ips = [{}]", networks.join(", "));
        self.endpoint
            .iter()
            .for_each(|it| _ = writeln!(text, "  endpoint = \"h{it}.example:51820\""));
        let keepalive = self.keepalive.iter();
        keepalive.for_each(|it| _ = writeln!(text, "  persistent_keepalive = \"{it}0s\""));
        if !self.is_enabled {
            text.push_str("  enabled = false\n");
        }
        match &self.secret {
            Secret::None => text.push_str("  preshared_key = \"none\"\n"),
            Secret::Literal(it) => _ = writeln!(text, "  preshared_key = \"«{it}.psk»\""),
            Secret::Resource(it) if secrets.contains_key(it) => {
                let _ = writeln!(text, "  preshared_key = preshared_key.s{it}");
            }
            Secret::Unset | Secret::Resource(_) => {}
        }
        self.description.iter().for_each(|it| _ = writeln!(text, "  description = \"{it}\""));
        text.push_str("}\n");
    }
}

impl Link {
    fn write(&self, label: u8, secrets: &BTreeMap<u8, u8>, text: &mut String) {
        let secret = self.secret.filter(|it| secrets.contains_key(it));
        let secret = secret.map(|it| format!("\n  preshared_key = preshared_key.s{it}"));
        for (end, on, far) in [("a", self.one, self.other), ("b", self.other, self.one)] {
            let _ = write!(
                text,
                "peer \"l{label}{end}\" {{\n  interface = interface.i{on}\n  public_key = interface.i{far}.public_key\n  \
                 allowed_ips = [\"10.1{label}{far}.0.0/16\"]{}\n}}\n",
                secret.as_deref().unwrap_or_default()
            );
        }
    }
}

/// Something that somebody does on a host.
#[derive(Debug, Clone)]
pub struct Event {
    host: usize,
    /// Which interface, counted around.
    interface: u8,
    /// Which peer, counted around.
    peer: u8,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    RemovePeer,
    SetNetworks(u8),
    SetKeepalive,
    SetSecret,
    SetPort,
    SetMark,
    SetMtu,
    Toggle,
    SetKey,
    DeleteAddress(u8),
    AddAddress,
    AddStranger,
    DeleteLink,
    DeleteRoutes,
    AddRoute,
}

pub fn event() -> impl Strategy<Value = Event> {
    let what = prop_oneof![
        3 => Just(What::RemovePeer),
        3 => (0u8..8).prop_map(What::SetNetworks),
        2 => Just(What::SetKeepalive),
        2 => Just(What::SetSecret),
        2 => Just(What::SetPort),
        1 => Just(What::SetMark),
        1 => Just(What::SetMtu),
        1 => Just(What::Toggle),
        1 => Just(What::SetKey),
        2 => (0u8..4).prop_map(What::DeleteAddress),
        2 => Just(What::AddAddress),
        2 => Just(What::AddStranger),
        1 => Just(What::DeleteLink),
        2 => Just(What::DeleteRoutes),
        1 => Just(What::AddRoute),
    ];
    (0usize..2, any::<u8>(), any::<u8>(), what).prop_map(|(host, interface, peer, what)| Event {
        host,
        interface,
        peer,
        what,
    })
}

impl Event {
    pub fn host(&self) -> &'static str {
        HOSTS[self.host]
    }

    /// Returns whether foreign things go with what it does, as with a link.
    pub fn takes_foreign_things(&self) -> bool {
        matches!(self.what, What::DeleteLink | What::DeleteAddress(_) | What::Toggle)
    }

    /// Does it, if there is something to do it to. `number` keeps what is added apart.
    pub fn happen(&self, host: &Host, number: usize) {
        let links = host.linux.links();
        let ours: Vec<_> = links.keys().filter(|it| it.starts_with("wg")).cloned().collect();
        let Some(name) = around(&ours, self.interface) else { return };
        let device = host.linux.device(name).unwrap();
        let strangers: Vec<PublicKey> =
            (0..20).map(|it| public_key(&format!("stranger {it}"))).collect();
        let peers: Vec<PublicKey> =
            device.peers.keys().filter(|it| !strangers.contains(it)).copied().collect();
        let peer = around(&peers, self.peer);
        let change = peer.map(|key| PeerChange::new(*key));
        let put = |change: PeerChange| host.peer(name, change);
        match (self.what, change) {
            (What::RemovePeer, Some(change)) => put(PeerChange { removes: true, ..change }),
            (What::SetNetworks(n), Some(change)) => {
                let allowed_ips = vec![format!("10.{n}.0.0/16").parse().unwrap()];
                put(PeerChange { clears_allowed_ips: true, allowed_ips, ..change });
            }
            (What::SetKeepalive, Some(change)) => {
                put(PeerChange { persistent_keepalive: Some("77s".parse().unwrap()), ..change });
            }
            (What::SetSecret, Some(change)) => {
                let secret = crate::names::preshared_key("by hand");
                put(PeerChange { preshared_key: Some(Some(secret)), ..change });
            }
            (What::SetPort, _) => host.set_port(name, 40_000 + u16::try_from(number).unwrap()),
            (What::SetMark, _) => host.set_mark(name, 99),
            (What::SetMtu, _) => host.set_mtu(name, 1290),
            (What::Toggle, _) if device.listen_port == 0 || !links[name].is_up => {}
            (What::Toggle, _) => host.set_up(name, false),
            (What::SetKey, _) => host.set_key(name, "intruder"),
            (What::DeleteAddress(n), _) => {
                let all: Vec<_> = links[name].addresses.iter().collect();
                around(&all, n).iter().for_each(|it| host.delete_address(name, &it.to_string()));
            }
            (What::AddAddress, _) => host.add_address(name, &format!("172.16.{number}.1/24")),
            (What::AddStranger, _) => {
                let network = format!("172.17.{number}.0/24");
                host.set_peer(name, &format!("stranger {number}"), &[&network]);
            }
            (What::DeleteLink, _) => host.delete_link(name),
            (What::DeleteRoutes, _) => host.delete_routes(name),
            (What::AddRoute, _) if !links[name].is_up => {}
            (What::AddRoute, _) => host.add_route(&format!("172.18.{number}.0/24"), name),
            (_, None) => {}
        }
    }
}

fn around<T>(all: &[T], at: u8) -> Option<&T> {
    (!all.is_empty()).then(|| &all[usize::from(at) % all.len()])
}
