//! What a router holds, in our words.
//!
//! What is dynamic is somebody else's, and left out. What refers to an interface that is gone, and what cannot be read,
//! is told apart from what is not there.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::actual::{
    Capabilities, Fact, FoundInterface, FoundPeer, FoundRoute, Identity, Lack, NameServers,
    Picture, Remark, Routing, Stranger,
};
use crate::backend::clock;
use crate::backend::routeros::client::Text;
use crate::backend::routeros::menus::{
    ClientFields, INTERFACES, Interface, MEMBERS, Menus, Odd, PEERS, Peer, Route as RouteRow,
    System,
};
use crate::backend::routeros::wire::{Kept, Reference, Version};
use crate::resource::{BackendKind, Field, Fields, Kind, declaration};
use crate::value::{Endpoint, GatewayCheck, PublicKey, Route};

/// The comment of the routes that wgform makes.
pub(super) const MARK: &str = "made by wgform";

const VRF: Lack = Lack { kind: Kind::Interface, attribute: "vrf", since: "7.21" };
const CLIENT_ALLOWED_IPS: Lack =
    Lack { kind: Kind::Peer, attribute: "client_allowed_ips", since: "7.21" };
const RESPONDER: Lack = Lack { kind: Kind::Peer, attribute: "responder", since: "7.15" };

/// Says what is on a router.
///
/// # Errors
/// Which WireGuard interface has no name: whatever is on it would seem to be gone.
pub(super) fn picture(menus: Menus, simulated: bool, now: Timestamp) -> Result<Picture, String> {
    let unread_interfaces = menus.odd.iter().filter(|odd| odd.menu == INTERFACES);
    let mut other_links = menus.others.clone();
    for odd in unread_interfaces {
        // Its name is taken, so that nothing is made in its place.
        let nameless =
            || format!("the WireGuard interface `{}` makes no sense: {}", odd.id, odd.why);
        other_links.insert(odd.name.clone().ok_or_else(nameless)?);
    }
    let remarks = remarks(&menus, simulated, now);
    let sees_keys = sees_keys(&menus);
    let mut found: BTreeMap<String, FoundInterface> = BTreeMap::new();
    for interface in &menus.interfaces {
        found.insert(interface.name.clone(), found_interface(&menus, interface));
    }
    let routing = routing(&menus);
    let twins = twins(&menus);
    let strangers = strangers(&menus);
    let Menus { system, peers, odd, .. } = menus;
    let version = system.version;
    for peer in peers.into_iter().filter(|peer| !peer.is_dynamic) {
        let (Reference::Name(on), Some(key)) = (&peer.interface, peer.public_key) else { continue };
        if let Some(interface) = found.get_mut(on) {
            interface.peers.insert(key, found_peer(peer, version, sees_keys));
        }
    }
    let unread = odd.iter().filter_map(unread).map(|(on, key)| (on.to_owned(), key));
    for (on, key) in unread.chain(twins) {
        if let Some(interface) = found.get_mut(&on) {
            interface.peers.insert(key, unreadable_peer());
        }
    }
    Ok(Picture {
        service: None,
        kind: BackendKind::RouterOs,
        simulated,
        identity: identity(system, now),
        capabilities: Capabilities {
            renames: true,
            name_servers: NameServers::Nowhere,
            lacks: lacks(version),
        },
        interfaces: found,
        other_links,
        key_directory: None,
        key_files: BTreeMap::new(),
        routing,
        boot: None,
        remarks,
        strangers,
    })
}

/// Returns what of our model that version does not have.
fn lacks(version: Version) -> &'static [Lack] {
    match (version.major, version.minor) {
        (7, ..15) => &[VRF, CLIENT_ALLOWED_IPS, RESPONDER],
        (7, ..21) => &[VRF, CLIENT_ALLOWED_IPS],
        _ => &[],
    }
}

fn identity(System { version: _, uptime, id, name, clock }: System, now: Timestamp) -> Identity {
    Identity {
        id: id.unwrap_or_default(),
        boot_id: None,
        uptime: Some(uptime),
        clock_skew: clock.map(|it| it.skew(now)),
        host_name: name,
    }
}

/// Returns whether this user sees keys. Every interface has one: where it is not seen, none is, be it masked or absent.
pub(super) fn sees_keys(menus: &Menus) -> bool {
    menus.interfaces.iter().all(|it| matches!(it.private_key, Kept::Set(_)))
}

fn found_interface(menus: &Menus, interface: &Interface) -> FoundInterface {
    let (fields, hidden) = held(menus, interface);
    let private_key = match &interface.private_key {
        Kept::Set(key) => Some(key.clone()),
        Kept::Unset | Kept::Hidden => None,
    };
    let keyless = keyless(menus, &interface.name);
    let id = Some(interface.id.clone());
    FoundInterface { fields, private_key, hidden, peers: BTreeMap::new(), keyless, id }
}

/// Counts the peers of an interface that have no key, or none that can be read.
fn keyless(menus: &Menus, name: &str) -> usize {
    let on = |it: &Reference| matches!(it, Reference::Name(on) if on == name);
    let peers = menus.peers.iter().filter(|it| it.public_key.is_none() && !it.is_dynamic);
    let odd = menus.odd.iter().filter(|it| it.menu == PEERS && it.public_key.is_none());
    let odd = odd.filter(|it| !it.is_dynamic && it.interface.as_ref().is_some_and(on));
    peers.filter(|it| on(&it.interface)).count() + odd.count()
}

/// Returns what an interface has, and what of it is not shown as it is.
pub(super) fn held(menus: &Menus, interface: &Interface) -> (Fields, BTreeSet<&'static str>) {
    let Interface {
        id: _,
        name,
        comment,
        is_enabled,
        listen_port,
        mtu,
        private_key: _,
        public_key,
        vrf,
    } = interface;
    let on = |it: &Reference| matches!(it, Reference::Name(on) if on == name);
    let addresses = menus.addresses.iter().filter(|it| it.is_enabled && !it.is_dynamic);
    let addresses = addresses.filter(|it| on(&it.interface)).map(|it| it.address).collect();
    let members = menus.members.iter().filter(|it| it.is_enabled && !it.is_dynamic);
    let lists = members.filter(|it| on(&it.interface)).map(|it| it.list.clone()).collect();
    let mut hidden = BTreeSet::new();
    let mut fields = Fields::from([
        ("public_key", Field::PublicKey(*public_key)),
        ("enabled", Field::Bool(*is_enabled)),
        ("addresses", Field::Addresses(addresses)),
    ]);
    if menus.has_members {
        fields.insert("interface_lists", Field::Names(lists));
    }
    put_text("description", comment.clone(), &mut fields, &mut hidden);
    fields.extend(listen_port.map(|port| ("listen_port", Field::Number(port.get().into()))));
    fields.extend(mtu.map(|mtu| ("mtu", Field::Number(mtu))));
    match vrf {
        Some(vrf) => _ = fields.insert("vrf", Field::Text(vrf.clone())),
        None => _ = hidden.insert("vrf"),
    }
    (fields, hidden)
}

/// A text that was not read exactly is never compared, so that it is never written back.
fn put_text(
    name: &'static str,
    text: Option<Text>,
    fields: &mut Fields,
    hidden: &mut BTreeSet<&'static str>,
) {
    match text {
        Some(text) if !text.is_exact() => _ = hidden.insert(name),
        text => {
            let text = text.map(|it| it.as_str().to_owned()).unwrap_or_default();
            fields.insert(name, Field::Text(text));
        }
    }
}

/// Says what a peer is in our words.
pub(super) fn found_peer(peer: Peer, version: Version, sees_keys: bool) -> FoundPeer {
    let endpoint = endpoint(&peer);
    let called = called(&peer);
    let Peer {
        id,
        interface: _,
        name,
        comment,
        public_key: _,
        preshared_key,
        allowed_ips,
        endpoint_address: _,
        endpoint_port: _,
        keepalive,
        is_responder,
        is_enabled,
        is_dynamic: _,
        client,
        session,
    } = peer;
    let mut hidden = BTreeSet::new();
    let mut fields = Fields::from([
        ("enabled", Field::Bool(is_enabled)),
        ("allowed_ips", Field::Prefixes(allowed_ips)),
        ("persistent_keepalive", Field::Keepalive(keepalive)),
    ]);
    put_text("description", comment, &mut fields, &mut hidden);
    match name {
        // One that the router chose says nothing: the version that has names brought it.
        Some(name) if !is_chosen(name.as_str()) => {
            put_text("name", Some(name), &mut fields, &mut hidden);
        }
        _ => _ = hidden.insert("name"),
    }
    match preshared_key {
        Kept::Set(key) => _ = fields.insert("preshared_key", Field::PresharedKey(Some(key))),
        Kept::Unset if sees_keys => _ = fields.insert("preshared_key", Field::PresharedKey(None)),
        Kept::Unset | Kept::Hidden => _ = hidden.insert("preshared_key"),
    }
    match lacks(version).contains(&RESPONDER) {
        true => _ = hidden.insert("responder"),
        false => _ = fields.insert("responder", Field::Bool(is_responder)),
    }
    fields.extend(endpoint.map(|endpoint| ("endpoint", Field::Endpoint(endpoint))));
    put_client(client, version, sees_keys, &mut fields, &mut hidden);
    FoundPeer {
        fields,
        hidden,
        called,
        handshake_age: session.handshake_age,
        received: session.received,
        sent: session.sent,
        id: Some(id),
    }
}

/// Says what a router holds of the far end's configuration. An unset part is as good as an empty one.
fn put_client(
    client: ClientFields,
    version: Version,
    sees_keys: bool,
    fields: &mut Fields,
    hidden: &mut BTreeSet<&'static str>,
) {
    let ClientFields { private_key, address, dns, endpoint, keepalive, listen_port, allowed_ips } =
        client;
    match private_key {
        Kept::Set(key) => _ = fields.insert("client_private_key", Field::PrivateKey(key)),
        Kept::Unset if sees_keys => {}
        Kept::Unset | Kept::Hidden => _ = hidden.insert("client_private_key"),
    }
    fields.insert("client_address", Field::Addresses(address));
    fields.insert("client_dns", Field::Servers(dns));
    fields.insert("client_endpoint", Field::Text(endpoint.unwrap_or_default()));
    fields.insert("client_keepalive", Field::Keepalive(keepalive));
    let port = listen_port.map(|port| Field::Number(port.get().into()));
    fields.extend(port.map(|port| ("client_listen_port", port)));
    match lacks(version).contains(&CLIENT_ALLOWED_IPS) {
        true => _ = hidden.insert("client_allowed_ips"),
        false => _ = fields.insert("client_allowed_ips", Field::Prefixes(allowed_ips)),
    }
}

/// Returns what a peer is called, if its name or else its comment could not be read exactly.
fn called(peer: &Peer) -> Option<String> {
    let name = peer.name.as_ref().filter(|it| !is_chosen(it.as_str()));
    let text = name.or(peer.comment.as_ref())?;
    (!text.is_exact()).then(|| text.as_str().to_owned())
}

/// Returns whether a router makes up names such as this one.
fn is_chosen(name: &str) -> bool {
    name.strip_prefix("peer")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

/// Returns the endpoint that is set; one without an address or a port is none.
fn endpoint(peer: &Peer) -> Option<Endpoint> {
    let (host, port) = (peer.endpoint_address.as_deref()?, peer.endpoint_port?);
    let text = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    text.parse().ok()
}

/// Returns which peer a row is of that cannot be read.
fn unread(odd: &Odd) -> Option<(&str, PublicKey)> {
    match (odd.menu == PEERS && !odd.is_dynamic, &odd.interface, odd.public_key) {
        (true, Some(Reference::Name(on)), Some(key)) => Some((on, key)),
        _ => None,
    }
}

/// Returns the peers that an interface has more than once: nothing tells which of them is meant.
fn twins(menus: &Menus) -> BTreeSet<(String, PublicKey)> {
    let peers = menus.peers.iter().filter(|it| !it.is_dynamic);
    let peers = peers.filter_map(|it| match &it.interface {
        Reference::Name(on) => Some((on.as_str(), it.public_key?)),
        Reference::Gone(_) => None,
    });
    let mut seen = BTreeSet::new();
    let again = peers.chain(menus.odd.iter().filter_map(unread)).filter(|it| !seen.insert(*it));
    again.map(|(on, key)| (on.to_owned(), key)).collect()
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

/// Returns the route that a row is; none for one that does not count: a disabled one, one to the router's own networks,
/// one of a table that is gone. The distance that a router takes by itself is the same as none.
pub(super) fn route_of(menus: &Menus, row: &RouteRow) -> Option<Route> {
    let distance = u32::try_from(row.distance?).ok()?;
    let table = match row.table.as_deref() {
        None | Some("main") => Route::MAIN,
        Some(name) => *menus.tables.get(name)?,
    };
    let check = row.check_gateway.as_deref().and_then(GatewayCheck::from_word);
    let route = Route::new(row.to, table, Some(distance).filter(|it| *it != 1));
    (row.is_enabled && distance != 0).then(|| route.through(row.leads_to().0, check))
}

/// Returns the distance of a route.
pub(super) fn distance_of(route: &Route) -> u32 {
    let plain = route.through(None, None);
    if plain == Route::new(route.to, route.table, None) { 1 } else { route.metric() }
}

/// Returns whether wgform made a route.
pub(super) fn is_ours(row: &RouteRow) -> bool {
    row.comment.as_ref().is_some_and(|comment| comment.as_str() == MARK)
}

fn routing(menus: &Menus) -> Routing {
    let mut routing = Routing { table_names: menus.tables.clone(), ..Routing::default() };
    // One to an interface that is gone carries nothing, and is in nobody's way.
    for row in menus.routes.iter().filter(|it| !it.is_dead()) {
        let Some(route) = route_of(menus, row) else { continue };
        let is_marked = is_ours(row);
        let found = FoundRoute { device: Some(row.leads_to().1.to_owned()), is_marked };
        // Several routes may share the packets to one network, and none of ours is left out.
        match routing.routes.get_mut(&route) {
            Some(other) if other.is_marked && is_marked => routing.more.push((route, found)),
            Some(other) if is_marked => *other = found,
            Some(_) => {}
            None => _ = routing.routes.insert(route, found),
        }
    }
    routing
}

/// Says what somebody should know of a router.
fn remarks(menus: &Menus, simulated: bool, now: Timestamp) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let orphans = orphans(menus);
    if !orphans.is_empty() {
        remarks.push(Remark::new(
            "objects of an interface that is gone",
            format!("the router still has {}", orphans.join(", ")),
            "Nothing uses them, and an interface of the same name does not get them back. Remove them on the router.",
        ));
    }
    remarks.extend(menus.odd.iter().filter(|it| concerns(menus, it)).map(|odd| {
        Remark::new(
            "object of a router that cannot be read",
            format!("`{}` in `/{}`: {}", odd.id, odd.menu.replace('/', " "), odd.why),
            "It is left alone. If this version of RouterOS is newer than this wgform, look for a newer wgform.",
        )
    }));
    remarks.extend(twins(menus).iter().map(|(on, key)| {
        Remark::new(
            "peer that is there twice",
            format!("`{on}` has the peer `{}` more than once", key.short()),
            "Nothing tells which of them is meant, so that none is compared or changed. Remove the others on the router.",
        )
    }));
    if !sees_keys(menus) {
        remarks.push(Remark::new(
            "router that does not show its keys",
            "the user lacks the policy `sensitive`, so that keys can be written and not compared",
            "Add `sensitive` to the policies of the user's group.",
        ));
    }
    let skew = menus.system.clock.map(|it| it.skew(now));
    remarks.extend(
        clock::wrong(skew).map(|says| Remark::new("router with a wrong clock", says, clock::HINT)),
    );
    // A simulated one starts with its first use, and has everything.
    if menus.system.uptime < Picture::JUST_STARTED && !simulated {
        remarks.push(Remark::new(
            "router that has just started",
            format!("it has been up for {} s", menus.system.uptime.as_secs()),
            "It may not have loaded everything: if something seems to be gone, run again in a minute.",
        ));
    }
    remarks
}

/// Returns whether what cannot be read has to do with WireGuard, and is not the router's own.
fn concerns(menus: &Menus, odd: &Odd) -> bool {
    let unread = menus.odd.iter().filter(|it| it.menu == INTERFACES);
    let names = menus.interfaces.iter().map(|it| it.name.as_str());
    let mut names = names.chain(unread.filter_map(|it| it.name.as_deref()));
    let on = match &odd.interface {
        // An address may stand before the one that a route leads to.
        Some(Reference::Name(name)) => name.rsplit('%').next(),
        Some(Reference::Gone(_)) | None => None,
    };
    let is_ours = matches!(odd.menu, INTERFACES | PEERS) || names.any(|it| Some(it) == on);
    is_ours && !odd.is_dynamic
}

/// Names what refers to interfaces that are gone.
fn orphans(menus: &Menus) -> Vec<String> {
    let is_gone = |it: &Reference| matches!(it, Reference::Gone(_));
    let name = |menu: &str, id: &str| format!("`{id}` in `/{}`", menu.replace('/', " "));
    let peers = menus.peers.iter().filter(|it| is_gone(&it.interface));
    let addresses = menus.addresses.iter().filter(|it| is_gone(&it.interface));
    let members = menus.members.iter().filter(|it| is_gone(&it.interface));
    let routes = menus.routes.iter().filter(|it| it.is_dead());
    peers
        .map(|it| name(PEERS, &it.id))
        .chain(addresses.map(|it| name(it.menu(), &it.id)))
        .chain(members.map(|it| name(MEMBERS, &it.id)))
        .chain(routes.map(|it| name(it.menu(), &it.id)))
        .collect()
}

/// Names what the router has made by itself, what is on an interface that is gone, and what cannot be read.
fn strangers(menus: &Menus) -> Vec<Stranger> {
    let on = |it: &Reference| match it {
        Reference::Name(name) => format!("on `{name}`"),
        Reference::Gone(id) => format!("on the interface `{id}`, which is gone"),
    };
    let peers = menus.peers.iter().filter_map(|peer| {
        let why = match (&peer.interface, peer.is_dynamic, peer.public_key) {
            (_, true, _) => "the router has made it by itself, and changes it",
            (Reference::Gone(_), ..) => "nothing uses it: remove it on the router",
            (Reference::Name(_), false, None) => "it has no public key to be known by",
            (Reference::Name(_), false, Some(_)) => return None,
        };
        let name = peer.name.as_ref().map(|it| format!(" `{}`", it.as_str())).unwrap_or_default();
        Some(Stranger::new(format!("peer{name} (`{}`) {}", peer.id, on(&peer.interface)), why))
    });
    let odd = menus.odd.iter().filter(|it| matches!(it.menu, INTERFACES | PEERS)).map(|odd| {
        let what = if odd.menu == PEERS { "peer" } else { "interface" };
        let name = odd.name.as_ref().map(|it| format!(" `{it}`")).unwrap_or_default();
        let on = odd.interface.as_ref().map(|it| format!(" {}", on(it))).unwrap_or_default();
        Stranger::new(format!("{what}{name} (`{}`){on}", odd.id), odd.why.to_string())
    });
    peers.chain(odd).collect()
}

/// Says what a router has for the work, besides what is on it.
pub(super) fn facts(menus: &Menus) -> Vec<Fact> {
    let version = menus.system.version;
    let mut facts = vec![match version >= Version::OLDEST {
        true => Fact::new("RouterOS", version.to_string()),
        false => Fact::new("RouterOS", format!("{version}, which is too old"))
            .lacks([format!("upgrade it to {} or later", Version::OLDEST)]),
    }];
    facts.push(match sees_keys(menus) {
        true => Fact::new("keys", "this user sees them"),
        false => Fact::new("keys", "this user does not see them")
            .without(["add `sensitive` to the policies of the user's group".to_owned()]),
    });
    facts.push(match menus.has_ipv6 {
        true => Fact::new("IPv6", "there are menus for it"),
        false => Fact::new("IPv6", "the router has no menus for it")
            .without(["for IPv6 addresses, switch it on in `/ipv6/settings`".to_owned()]),
    });
    facts
}
