//! The one place where our model and a Linux host's words meet.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::actual::{FoundInterface, FoundPeer, FoundRoute, Routing};
use crate::backend::linux::resolver::Names;
use crate::resource::{Field, Fields, Setting, Settings};
use crate::simulator::linux::call::{
    Device, DevicePeer, HostRoute, HostRouting, HostRule, Link, PROTOCOL,
};
use crate::value::{Cidr, Endpoint, Keepalive, Prefix, PresharedKey};

/// What WireGuard links have when nobody says otherwise.
const DEFAULT_MTU: u32 = 1420;

/// What to set of an interface; what is unset stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct InterfaceWish {
    /// 0 lets the device choose.
    pub(crate) listen_port: Option<u16>,
    pub(crate) add_addresses: BTreeSet<Cidr>,
    pub(crate) remove_addresses: BTreeSet<Cidr>,
    pub(crate) mtu: Option<u32>,
    pub(crate) fwmark: Option<u32>,
    pub(crate) enabled: Option<bool>,
    pub(crate) dns: Option<Vec<IpAddr>>,
    pub(crate) dns_search: Option<Vec<String>>,
}

/// What to set of a peer; what is unset stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PeerWish {
    pub(crate) enabled: Option<bool>,
    pub(crate) preshared_key: Option<Option<PresharedKey>>,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) allowed_ips: Option<BTreeSet<Prefix>>,
    pub(crate) persistent_keepalive: Option<Keepalive>,
}

/// An attribute that has no place on a Linux host, or a value that has none in the attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit(pub(crate) &'static str);

/// Reads the attributes of an interface that is to be made.
pub(crate) fn interface_of_fields(fields: &Fields) -> Result<InterfaceWish, Misfit> {
    let mut wish = InterfaceWish::default();
    for (name, field) in fields {
        set_interface(&mut wish, name, field, &BTreeSet::new())?;
    }
    Ok(wish)
}

/// Reads the attributes of an interface that are to change.
pub(crate) fn interface_of_settings(
    settings: &Settings,
    found: &BTreeSet<Cidr>,
) -> Result<InterfaceWish, Misfit> {
    let mut wish = InterfaceWish::default();
    for (name, setting) in settings {
        match (*name, setting) {
            (_, Setting::To(field)) => set_interface(&mut wish, name, field, found)?,
            ("addresses", Setting::Elements { add, remove }) => {
                wish.add_addresses.clone_from(add);
                wish.remove_addresses = remove - add;
            }
            ("addresses", Setting::Clear) => wish.remove_addresses.clone_from(found),
            ("listen_port", Setting::Clear) => wish.listen_port = Some(0),
            ("mtu", Setting::Clear) => wish.mtu = Some(DEFAULT_MTU),
            ("fwmark", Setting::Clear) => wish.fwmark = Some(0),
            ("enabled", Setting::Clear) => wish.enabled = Some(true),
            ("dns", Setting::Clear) => wish.dns = Some(Vec::new()),
            ("dns_search", Setting::Clear) => wish.dns_search = Some(Vec::new()),
            _ => return Err(Misfit(name)),
        }
    }
    Ok(wish)
}

fn set_interface(
    wish: &mut InterfaceWish,
    name: &'static str,
    field: &Field,
    found: &BTreeSet<Cidr>,
) -> Result<(), Misfit> {
    match (name, field) {
        ("listen_port", Field::Number(port)) => {
            wish.listen_port = Some(u16::try_from(*port).map_err(|_| Misfit(name))?);
        }
        ("addresses", Field::Addresses(wanted)) => {
            wish.add_addresses.clone_from(wanted);
            wish.remove_addresses = found - wanted;
        }
        ("mtu", Field::Number(mtu)) => wish.mtu = Some(*mtu),
        ("fwmark", Field::Number(mark)) => wish.fwmark = Some(*mark),
        ("enabled", Field::Bool(yes)) => wish.enabled = Some(*yes),
        ("dns", Field::Servers(servers)) => wish.dns = Some(servers.clone()),
        ("dns_search", Field::Domains(domains)) => wish.dns_search = Some(domains.clone()),
        _ => return Err(Misfit(name)),
    }
    Ok(())
}

/// Returns all the name servers and domains that are wanted.
pub(crate) fn names(wanted: &Fields) -> Names {
    let mut names = Names::default();
    if let Some(Field::Servers(servers)) = wanted.get("dns") {
        names.servers.clone_from(servers);
    }
    if let Some(Field::Domains(domains)) = wanted.get("dns_search") {
        names.domains.clone_from(domains);
    }
    names
}

/// Says in our words what a resolver holds.
pub(crate) fn found_names(Names { servers, domains }: Names) -> Fields {
    Fields::from([("dns", Field::Servers(servers)), ("dns_search", Field::Domains(domains))])
}

/// Reads the attributes of a peer that is to be there.
pub(crate) fn peer_of_fields(fields: &Fields) -> Result<PeerWish, Misfit> {
    let mut wish = PeerWish::default();
    for (name, field) in fields {
        set_peer(&mut wish, name, field)?;
    }
    Ok(wish)
}

/// Reads the attributes of a peer that are to change. A kernel cannot forget an endpoint, so that one stays.
pub(crate) fn peer_of_settings(
    settings: &Settings,
    found: &BTreeSet<Prefix>,
) -> Result<PeerWish, Misfit> {
    let mut wish = PeerWish::default();
    for (name, setting) in settings {
        match (*name, setting) {
            (_, Setting::To(field)) => set_peer(&mut wish, name, field)?,
            ("enabled", Setting::Clear) => wish.enabled = Some(true),
            ("preshared_key", Setting::Clear) => wish.preshared_key = Some(None),
            ("endpoint", Setting::Clear) => {}
            ("allowed_ips", Setting::Clear) => wish.allowed_ips = Some(BTreeSet::new()),
            ("allowed_ips", Setting::Elements { add, remove }) => {
                let mut all = found.clone();
                remove.iter().map(Cidr::prefix).for_each(|it| _ = all.remove(&it));
                all.extend(add.iter().map(Cidr::prefix));
                wish.allowed_ips = Some(all);
            }
            ("persistent_keepalive", Setting::Clear) => {
                wish.persistent_keepalive = Some(Keepalive::OFF);
            }
            _ => return Err(Misfit(name)),
        }
    }
    Ok(wish)
}

fn set_peer(wish: &mut PeerWish, name: &'static str, field: &Field) -> Result<(), Misfit> {
    match (name, field) {
        ("enabled", Field::Bool(yes)) => wish.enabled = Some(*yes),
        ("preshared_key", Field::PresharedKey(key)) => wish.preshared_key = Some(key.clone()),
        ("endpoint", Field::Endpoint(endpoint)) => wish.endpoint = Some(endpoint.clone()),
        ("allowed_ips", Field::Prefixes(wanted)) => wish.allowed_ips = Some(wanted.clone()),
        ("persistent_keepalive", Field::Keepalive(it)) => wish.persistent_keepalive = Some(*it),
        _ => return Err(Misfit(name)),
    }
    Ok(())
}

/// Says in our words where a host sends packets.
pub(crate) fn routing(HostRouting { routes, rules, table_names }: HostRouting) -> Routing {
    let mut found = Routing { table_names, ..Routing::default() };
    for HostRoute { route, device, protocol } in routes {
        found.routes.insert(route, FoundRoute { device, is_marked: protocol == PROTOCOL });
    }
    for HostRule { rule, protocol } in rules {
        *found.rules.entry(rule).or_default() |= protocol == PROTOCOL;
    }
    found
}

/// Says in our words what a host holds.
pub(crate) fn found_interface(link: &Link, device: Device, now: Timestamp) -> FoundInterface {
    let Link { kind: _, is_up, mtu, addresses } = link;
    let Device { private_key, listen_port, fwmark, peers } = device;
    let mut fields = Fields::from([
        ("addresses", Field::Addresses(addresses.clone())),
        ("mtu", Field::Number(*mtu)),
        ("fwmark", Field::Number(fwmark)),
        ("enabled", Field::Bool(*is_up)),
    ]);
    if let Some(key) = &private_key {
        fields.insert("public_key", Field::PublicKey(key.public()));
    }
    if listen_port != 0 {
        fields.insert("listen_port", Field::Number(listen_port.into()));
    }
    let peers = peers.into_iter().map(|(key, peer)| (key, found_peer(peer, now))).collect();
    FoundInterface { fields, private_key, hidden: BTreeSet::new(), peers, keyless: 0, id: None }
}

fn found_peer(peer: DevicePeer, now: Timestamp) -> FoundPeer {
    let DevicePeer {
        preshared_key,
        endpoint,
        persistent_keepalive,
        allowed_ips,
        last_handshake,
        received,
        sent,
    } = peer;
    let mut fields = Fields::from([
        ("enabled", Field::Bool(true)),
        ("preshared_key", Field::PresharedKey(preshared_key)),
        ("allowed_ips", Field::Prefixes(allowed_ips)),
        ("persistent_keepalive", Field::Keepalive(persistent_keepalive)),
    ]);
    if let Some(endpoint) = endpoint.and_then(|socket| Endpoint::try_from(socket).ok()) {
        fields.insert("endpoint", Field::Endpoint(endpoint));
    }
    // A clock that was set back makes a handshake of the future: it was just now.
    let age = |then: Timestamp| Duration::try_from(now.duration_since(then)).unwrap_or_default();
    let hidden = BTreeSet::new();
    let handshake_age = last_handshake.map(age);
    FoundPeer { fields, hidden, called: None, handshake_age, received, sent, id: None }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::backend::linux::wire::{Misfit, interface_of_settings, peer_of_fields};
    use crate::resource::{Field, Fields, Setting, Settings};
    use crate::value::Cidr;

    #[test]
    fn an_attribute_without_a_place_on_linux_is_named() {
        let fields = Fields::from([("responder", Field::Bool(true))]);
        assert_eq!(peer_of_fields(&fields), Err(Misfit("responder")));
        let fields = Fields::from([("enabled", Field::Number(1))]);
        assert_eq!(peer_of_fields(&fields), Err(Misfit("enabled")));
    }

    #[test]
    fn an_address_that_is_added_and_removed_stays() {
        let address: Cidr = "10.0.0.1/24".parse().unwrap();
        let both = Setting::Elements { add: [address].into(), remove: [address].into() };
        let settings = Settings::from([("addresses", both)]);
        let wish = interface_of_settings(&settings, &BTreeSet::new()).unwrap();
        assert_eq!((wish.add_addresses.len(), wish.remove_addresses.len()), (1, 0));
    }
}
