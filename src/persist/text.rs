//! What is in the files, line by line.

use std::fmt::{Display, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::persist::{DEFAULT_MTU, HEAD, Interface, commands};
use crate::resource::{Field, Fields};
use crate::value::{Family, Keepalive, Route, RouteRule};

/// A file under way. It grows in steps, and none of them leaves a copy of a key behind.
struct Page(Zeroizing<String>);

impl Page {
    /// Starts a file, with room for all of it.
    fn new(interface: &Interface<'_>) -> Self {
        let networks: usize =
            interface.peers.values().map(|peer| networks(peer.fields).len()).sum();
        let mut page = Self(Zeroizing::new(String::with_capacity(
            1024 + 64 * count_addresses(interface.fields) + 512 * interface.peers.len() + networks,
        )));
        page.line(HEAD);
        page
    }

    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn section(&mut self, name: &str) {
        let _ = writeln!(self.0, "\n[{name}]");
    }
}

/// A section in one of the two spellings.
struct Section<'a> {
    page: &'a mut Page,
    equals: &'static str,
}

impl Section<'_> {
    fn set(&mut self, key: &str, value: impl Display) {
        let _ = writeln!(self.page.0, "{key}{}{value}", self.equals);
    }
}

/// Writes what wg-quick reads.
pub(crate) fn wg_quick(interface: &Interface<'_>) -> Zeroizing<String> {
    let Interface { name: _, private_key, fields, outside: _, peers: _ } = interface;
    let mut page = Page::new(interface);
    page.section("Interface");
    let mut section = Section { page: &mut page, equals: " = " };
    section.set("PrivateKey", &*private_key.expose_text());
    port_and_mark(&mut section, fields, "FwMark");
    addresses(&mut section, fields);
    section.set("MTU", number(fields, "mtu").unwrap_or(DEFAULT_MTU));
    // wg-quick would make a route for every allowed IP.
    section.set("Table", "off");
    commands::of(interface).iter().for_each(|(key, line)| section.set(key, line));
    peers(&mut page, interface, "Peer", " = ");
    page.0
}

/// Writes the device that networkd makes. Routes to the allowed IPs are off unless `RouteTable` says otherwise.
pub(crate) fn netdev(interface: &Interface<'_>, key: &Path) -> Zeroizing<String> {
    let Interface { name, private_key: _, fields, outside: _, peers: _ } = interface;
    let mut page = Page::new(interface);
    page.section("NetDev");
    let mut section = Section { page: &mut page, equals: "=" };
    section.set("Name", name);
    section.set("Kind", "wireguard");
    section.set("MTUBytes", number(fields, "mtu").unwrap_or(DEFAULT_MTU));
    page.section("WireGuard");
    let mut section = Section { page: &mut page, equals: "=" };
    section.set("PrivateKeyFile", key.display());
    port_and_mark(&mut section, fields, "FirewallMark");
    peers(&mut page, interface, "WireGuardPeer", "=");
    page.0
}

/// Writes what networkd does with the device.
pub(crate) fn network(interface: &Interface<'_>) -> Zeroizing<String> {
    let Interface { name, private_key: _, fields, outside, peers: _ } = interface;
    let mut page = Page::new(interface);
    page.section("Match");
    Section { page: &mut page, equals: "=" }.set("Name", name);
    page.section("Link");
    let mut section = Section { page: &mut page, equals: "=" };
    // A boot does not wait for a tunnel.
    section.set("RequiredForOnline", "no");
    if is_down(fields) {
        section.set("ActivationPolicy", "down");
    }
    page.section("Network");
    let mut section = Section { page: &mut page, equals: "=" };
    // A WireGuard link has no address but those that it is given.
    section.set("LinkLocalAddressing", "no");
    addresses(&mut section, fields);
    name_servers(&mut section, fields);
    outside.routes.iter().for_each(|it| route(&mut page, it));
    outside.rules.iter().for_each(|it| rule(&mut page, it));
    page.0
}

fn name_servers(section: &mut Section<'_>, fields: &Fields) {
    if let Some(Field::Servers(all)) = fields.get("dns") {
        all.iter().for_each(|server| section.set("DNS", server));
    }
    if let Some(Field::Domains(all)) = fields.get("dns_search")
        && !all.is_empty()
    {
        section.set("Domains", all.join(" "));
    }
}

fn route(page: &mut Page, route: &Route) {
    page.section("Route");
    let mut section = Section { page, equals: "=" };
    section.set("Destination", route.to);
    if route.table != Route::MAIN {
        section.set("Table", route.table);
    }
    if route.metric() != 0 {
        section.set("Metric", route.metric());
    }
    section.set("Protocol", Route::PROTOCOL);
}

/// Writes a rule. networkd gives it a protocol number of its own.
fn rule(page: &mut Page, rule: &RouteRule) {
    page.section("RoutingPolicyRule");
    let mut section = Section { page, equals: "=" };
    let family = match rule.family() {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    section.set("Family", family);
    match rule {
        RouteRule::Main(_) => {
            section.set("SuppressPrefixLength", 0);
            section.set("Table", Route::MAIN);
        }
        RouteRule::Unmarked(_, mark) => {
            section.set("InvertRule", "yes");
            section.set("FirewallMark", mark);
            section.set("Table", mark);
        }
    }
    section.set("Priority", rule.priority());
}

fn port_and_mark(section: &mut Section<'_>, fields: &Fields, mark: &str) {
    if let Some(port) = number(fields, "listen_port") {
        section.set("ListenPort", port);
    }
    if let Some(value) = number(fields, "fwmark").filter(|value| *value != 0) {
        section.set(mark, value);
    }
}

fn addresses(section: &mut Section<'_>, fields: &Fields) {
    if let Some(Field::Addresses(all)) = fields.get("addresses") {
        all.iter().for_each(|address| section.set("Address", address));
    }
}

fn peers(page: &mut Page, interface: &Interface<'_>, heading: &str, equals: &'static str) {
    for (public_key, peer) in &interface.peers {
        page.section(heading);
        let mut section = Section { page, equals };
        section.set("PublicKey", public_key);
        if let Some(key) = peer.preshared_key {
            section.set("PresharedKey", &*key.expose_text());
        }
        let networks = networks(peer.fields);
        if !networks.is_empty() {
            section.set("AllowedIPs", networks);
        }
        if let Some(Field::Endpoint(endpoint)) = peer.fields.get("endpoint") {
            section.set("Endpoint", endpoint);
        }
        match peer.fields.get("persistent_keepalive") {
            Some(Field::Keepalive(it)) if *it != Keepalive::OFF => {
                section.set("PersistentKeepalive", it.seconds());
            }
            _ => {}
        }
    }
}

fn networks(fields: &Fields) -> String {
    match fields.get("allowed_ips") {
        Some(Field::Prefixes(all)) => {
            all.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        }
        _ => String::new(),
    }
}

fn count_addresses(fields: &Fields) -> usize {
    match fields.get("addresses") {
        Some(Field::Addresses(all)) => all.len(),
        _ => 0,
    }
}

fn number(fields: &Fields, name: &str) -> Option<u32> {
    match fields.get(name) {
        Some(Field::Number(number)) => Some(*number),
        _ => None,
    }
}

fn is_down(fields: &Fields) -> bool {
    fields.get("enabled") == Some(&Field::Bool(false))
}
