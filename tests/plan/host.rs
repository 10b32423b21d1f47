//! A simulated host, and what somebody may do to it behind wgform's back.

use std::fmt::Write as _;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use wgform::simulator::linux::SimulatedLinux;
use wgform::simulator::linux::call::{
    DeviceChange, HostFile, HostRoute, HostRule, PROTOCOL, PeerChange, RoutingChange,
};
use wgform::value::{Prefix, PublicKey, Route};

use crate::names::{preshared_key, private_key, public_key};

/// A host and the time on it.
pub struct Host {
    pub linux: SimulatedLinux,
    pub now: Timestamp,
}

impl Host {
    pub fn remove_peer(&self, interface: &str, name: &str) {
        self.peer(interface, PeerChange::removal(public_key(name)));
    }

    /// Adds a peer, or gives it other networks.
    pub fn set_peer(&self, interface: &str, name: &str, networks: &[&str]) {
        self.peer(
            interface,
            PeerChange {
                clears_allowed_ips: true,
                allowed_ips: networks.iter().map(|it| it.parse::<Prefix>().unwrap()).collect(),
                ..PeerChange::new(public_key(name))
            },
        );
    }

    pub fn set_keepalive(&self, interface: &str, name: &str, keepalive: &str) {
        let persistent_keepalive = Some(keepalive.parse().unwrap());
        self.peer(interface, PeerChange { persistent_keepalive, ..change(name) });
    }

    pub fn set_endpoint(&self, interface: &str, name: &str, endpoint: &str) {
        let endpoint = Some(endpoint.parse().unwrap());
        self.peer(interface, PeerChange { endpoint, ..change(name) });
    }

    pub fn set_preshared_key(&self, interface: &str, key: PublicKey, secret: Option<&str>) {
        let preshared_key = Some(secret.map(preshared_key));
        self.peer(interface, PeerChange { preshared_key, ..PeerChange::new(key) });
    }

    pub fn peer(&self, interface: &str, change: PeerChange) {
        self.configure(interface, DeviceChange { peers: vec![change], ..DeviceChange::default() });
    }

    pub fn set_port(&self, interface: &str, port: u16) {
        let listen_port = Some(port);
        self.configure(interface, DeviceChange { listen_port, ..DeviceChange::default() });
    }

    pub fn set_mark(&self, interface: &str, mark: u32) {
        let fwmark = Some(mark);
        self.configure(interface, DeviceChange { fwmark, ..DeviceChange::default() });
    }

    pub fn set_key(&self, interface: &str, name: &str) {
        let private_key = Some(private_key(name));
        self.configure(interface, DeviceChange { private_key, ..DeviceChange::default() });
    }

    fn configure(&self, interface: &str, change: DeviceChange) {
        self.linux.configure(interface, &change).unwrap();
    }

    pub fn set_mtu(&self, interface: &str, mtu: u32) {
        self.linux.set_mtu(interface, mtu).unwrap();
    }

    pub fn set_up(&self, interface: &str, up: bool) {
        self.linux.set_up(interface, up).unwrap();
    }

    pub fn add_address(&self, interface: &str, address: &str) {
        self.linux.add_address(interface, address.parse().unwrap()).unwrap();
    }

    pub fn delete_address(&self, interface: &str, address: &str) {
        self.linux.delete_address(interface, address.parse().unwrap()).unwrap();
    }

    /// Adds a route as somebody else would.
    pub fn add_route(&self, to: &str, device: &str) {
        let route = self.route(to, device, 4);
        self.linux.change_routing(&[RoutingChange::AddRoute(route)]).unwrap();
    }

    /// Removes a route of wgform's.
    pub fn delete_route(&self, to: &str, device: &str) {
        let route = self.route(to, device, PROTOCOL);
        self.linux.change_routing(&[RoutingChange::DeleteRoute(route)]).unwrap();
    }

    /// Removes every other route of wgform's to a link.
    pub fn delete_routes(&self, device: &str) {
        let routes = self.linux.routing().routes.into_iter();
        let ours =
            routes.filter(|it| it.protocol == PROTOCOL && it.device.as_deref() == Some(device));
        let gone: Vec<_> = ours.step_by(2).map(RoutingChange::DeleteRoute).collect();
        self.linux.change_routing(&gone).unwrap();
    }

    fn route(&self, to: &str, device: &str, protocol: u8) -> HostRoute {
        let route = Route::new(to.parse().unwrap(), Route::MAIN, None);
        HostRoute { route, device: Some(device.to_owned()), protocol }
    }

    pub fn delete_link(&self, interface: &str) {
        self.linux.delete_link(interface).unwrap();
    }

    /// Makes an interface of somebody else, up on a port.
    pub fn add_interface(&self, interface: &str, name: &str, port: u16) {
        self.linux.add_link(interface).unwrap();
        self.set_key(interface, name);
        self.set_port(interface, port);
        self.set_up(interface, true);
    }

    /// Gives a peer a handshake, so many seconds ago, and counters.
    pub fn handshake(&self, interface: &str, name: &str, ago: i64) {
        self.handshake_of(interface, public_key(name), ago);
    }

    pub fn handshake_of(&self, interface: &str, key: PublicKey, ago: i64) {
        let then = self.now - SignedDuration::from_secs(ago);
        self.linux.set_traffic(interface, &key, Some(then), 1000, 2000).unwrap();
    }

    /// Starts it anew, a minute ago.
    pub fn reboot(&self) {
        self.linux.reboot(self.now - SignedDuration::from_mins(1)).unwrap();
    }

    pub fn remove_key_file(&self, path: &str) {
        self.linux.remove_file(Path::new(path)).unwrap();
    }

    pub fn read_file(&self, path: &str) -> Option<String> {
        Some(self.linux.read_file(Path::new(path))?.text.to_string())
    }

    pub fn write_file(&self, path: &str, text: &str) {
        let file = HostFile::private(text.to_owned().into());
        self.linux.write_file(Path::new(path), &file).unwrap();
    }

    /// Writes a file with the private key of that name.
    pub fn write_key_file(&self, path: &str, name: &str) {
        let text = private_key(name).expose_text();
        self.write_file(path, &text);
    }

    pub fn key_of(&self, interface: &str) -> PublicKey {
        self.linux.device(interface).unwrap().private_key.unwrap().public()
    }

    /// Says everything that is on the host, one line for each object.
    pub fn show(&self) -> String {
        let mut text = String::new();
        for (name, link) in self.linux.links() {
            let Ok(device) = self.linux.device(&name) else { continue };
            let key = device.private_key.map(|key| key.public().to_string());
            let up = if link.is_up { "up" } else { "down" };
            let addresses: Vec<_> = link.addresses.iter().map(ToString::to_string).collect();
            let _ = writeln!(
                text,
                "{name} {} {up} port {} mtu {} mark {} [{}]",
                key.unwrap_or_default(),
                device.listen_port,
                link.mtu,
                device.fwmark,
                addresses.join(" ")
            );
            for (key, peer) in device.peers {
                let networks: Vec<_> = peer.allowed_ips.iter().map(ToString::to_string).collect();
                let endpoint = peer.endpoint.map(|it| format!(" at {it}")).unwrap_or_default();
                let secret = if peer.preshared_key.is_some() { " psk" } else { "" };
                let _ = writeln!(
                    text,
                    "  {key} [{}]{endpoint} keepalive {}{secret}",
                    networks.join(" "),
                    peer.persistent_keepalive
                );
            }
        }
        let routing = self.linux.routing();
        // Those that the kernel makes of addresses say nothing new.
        for HostRoute { route, device, protocol } in
            routing.routes.iter().filter(|it| it.protocol != 2)
        {
            let device = device.as_deref().unwrap_or("-");
            let _ = writeln!(text, "route {route} to {device} by {}", maker(*protocol));
        }
        for HostRule { rule, protocol } in &routing.rules {
            let _ = writeln!(text, "{rule} by {}", maker(*protocol));
        }
        let directory = Path::new("/var/lib/wgform/keys");
        for path in self.linux.list_files(directory) {
            let _ = writeln!(text, "file {}", path.display());
        }
        text
    }
}

fn maker(protocol: u8) -> &'static str {
    if protocol == PROTOCOL { "wgform" } else { "another" }
}

fn change(name: &str) -> PeerChange {
    PeerChange::new(public_key(name))
}
