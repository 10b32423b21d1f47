//! What we want, in the package's words: the one place where our model becomes what is sent.
//!
//! A wish is applied to what is there, and only what then differs is sent. So a list goes whole, with what somebody wrote
//! beside its entries, and only when it changes; and what the answer has to say is known beforehand.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use crate::backend::pfsense::client::Body;
use crate::backend::pfsense::picture::{ASSIGN, ASSIGN_ADDRESSES, ASSIGN_DESCR, ASSIGN_MTU};
use crate::backend::pfsense::wire::{
    BETWEEN, Entry, Kept, Peer, Port, Tunnel, endpoint_texts, joined, parted,
};
use crate::resource::{Field, Fields, Setting, Settings};
use crate::value::{Cidr, Keepalive, Prefix, PrivateKey, PublicKey};

/// What the package takes for the MTU when nobody says otherwise.
const DEFAULT_MTU: u32 = 1420;

/// The port at which a free one is looked for.
const FIRST_PORT: u16 = 51_820;

/// The attributes of a peer that are no secrets, and that it has in some way without being told.
pub(super) const PLAIN: [&str; 4] = ["description", "enabled", "endpoint", "persistent_keepalive"];

/// How long a text may be.
const LONGEST_TEXT: usize = 1024;

/// An attribute that has no place on a firewall, or a value that has none in the attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) attribute: &'static str,
    /// What would fit.
    pub(super) hint: &'static str,
}

impl Misfit {
    pub(super) fn new(attribute: &'static str, hint: &'static str) -> Self {
        Self { attribute, hint }
    }

    fn unknown(attribute: &'static str) -> Self {
        Self::new(attribute, "see in docs/pfsense.md what a firewall has")
    }
}

/// What becomes of the interface that a tunnel is assigned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Assignment {
    /// It stays as it is.
    Leave,
    /// There is to be none, and with it go the firewall's rules for it.
    Release,
    /// There is to be one like this.
    Put(PortWish),
}

/// How an interface of the firewall is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PortWish {
    pub(super) description: String,
    /// None where it is not for us to say.
    pub(super) addresses: Option<BTreeSet<Cidr>>,
    /// None where it is not for us to say; none within for the firewall's own.
    pub(super) mtu: Option<Option<u32>>,
}

/// Says all attributes of an object that is to be made as settings.
pub(super) fn all(fields: &Fields) -> Settings {
    fields.iter().map(|(name, field)| (*name, Setting::To(field.clone()))).collect()
}

/// A tunnel as the package makes it of a name, a port and a key.
pub(super) fn new_tunnel(name: &str, port: NonZeroU16, key: &PrivateKey) -> Tunnel {
    Tunnel {
        id: 0,
        name: name.to_owned(),
        is_enabled: true,
        description: String::new(),
        listen_port: Some(port),
        public_key: key.public(),
        private_key: None,
        mtu: DEFAULT_MTU,
        addresses: Vec::new(),
    }
}

/// A peer as the package makes it of a tunnel and a key.
pub(super) fn new_peer(tunnel: &str, key: PublicKey) -> Peer {
    Peer {
        id: 0,
        is_enabled: false,
        tunnel: tunnel.to_owned(),
        endpoint: None,
        description: String::new(),
        keepalive: Keepalive::from_seconds(0),
        public_key: key,
        preshared_key: Kept::Unset,
        allowed_ips: Vec::new(),
    }
}

/// Returns what a peer is to be that is made.
pub(super) fn created_peer(tunnel: &str, key: PublicKey, fields: &Fields) -> Result<Peer, Misfit> {
    let made = Peer { is_enabled: true, ..new_peer(tunnel, key) };
    peer(&all(fields), fields, &made)
}

/// Returns what a tunnel is to be. A port that nobody asks for is one that is free.
pub(super) fn tunnel(
    settings: &Settings,
    before: &Tunnel,
    key: Option<&PrivateKey>,
    free_port: Option<NonZeroU16>,
) -> Result<Tunnel, Misfit> {
    let mut after = before.clone();
    if let Some(key) = key {
        after.public_key = key.public();
    }
    for (name, setting) in settings {
        match (*name, setting) {
            // These have places of their own.
            ("name" | "private_key" | "public_key", _) => {}
            (name, _) if ASSIGN.contains(&name) => {}
            ("description", Setting::To(Field::Text(text))) => after.description = text.clone(),
            ("description", Setting::Clear) => after.description.clear(),
            ("enabled", Setting::To(Field::Bool(yes))) => after.is_enabled = *yes,
            ("enabled", Setting::Clear) => after.is_enabled = true,
            ("listen_port", Setting::To(Field::Number(port))) => {
                let port = u16::try_from(*port).ok().and_then(NonZeroU16::new);
                after.listen_port = Some(port.ok_or(Misfit::unknown(name))?);
            }
            ("listen_port", Setting::Clear) => after.listen_port = free_port,
            ("mtu", Setting::To(Field::Number(mtu))) => after.mtu = *mtu,
            ("mtu", Setting::Clear) => after.mtu = DEFAULT_MTU,
            ("addresses", setting) => after.addresses = addresses(setting, &before.addresses)?,
            (name, _) => return Err(Misfit::unknown(name)),
        }
    }
    fits("description", &after.description)?;
    Ok(after)
}

fn addresses(setting: &Setting, held: &[Entry]) -> Result<Vec<Entry>, Misfit> {
    let is = |all: &BTreeSet<Cidr>, it: &Entry| it.cidr().is_some_and(|it| all.contains(&it));
    // Where nothing says what goes, everything goes that is not wanted.
    let (add, remove) = match setting {
        Setting::To(Field::Addresses(wanted)) => (wanted.clone(), None),
        Setting::Elements { add, remove } => (add.clone(), Some(remove)),
        Setting::Clear => (BTreeSet::new(), None),
        _ => return Err(Misfit::unknown("addresses")),
    };
    let keeps = |it: &&Entry| is(&add, it) || remove.is_some_and(|remove| !is(remove, it));
    let mut after: Vec<Entry> = held.iter().filter(keeps).cloned().collect();
    let missing = add.iter().filter(|it| !after.iter().any(|held| held.cidr() == Some(**it)));
    let missing: Vec<_> = missing.map(|it| Entry::plain(it.address(), it.length())).collect();
    after.extend(missing);
    Ok(after)
}

/// Returns what a peer is to be. Its name and its description are one text on a firewall, so that all that is wanted is
/// asked for the one that does not change.
pub(super) fn peer(settings: &Settings, wanted: &Fields, before: &Peer) -> Result<Peer, Misfit> {
    let mut after = before.clone();
    if settings.contains_key("name") || settings.contains_key("description") {
        after.description = described(settings, wanted, &before.description)?;
    }
    for (name, setting) in settings {
        match (*name, setting) {
            ("name" | "description" | "interface" | "public_key", _) => {}
            ("enabled", Setting::To(Field::Bool(yes))) => after.is_enabled = *yes,
            ("enabled", Setting::Clear) => after.is_enabled = true,
            ("endpoint", Setting::To(Field::Endpoint(endpoint))) => {
                let hint = "a firewall takes a host name only with a dot in it, or an address";
                endpoint_texts(endpoint).ok_or(Misfit::new(name, hint))?;
                after.endpoint = Some(endpoint.clone());
            }
            ("endpoint", Setting::Clear) => after.endpoint = None,
            ("preshared_key", Setting::To(Field::PresharedKey(Some(key)))) => {
                after.preshared_key = Kept::Set(key.clone());
            }
            ("preshared_key", Setting::To(Field::PresharedKey(None)) | Setting::Clear) => {
                after.preshared_key = Kept::Unset;
            }
            ("allowed_ips", Setting::To(Field::Prefixes(all))) => {
                after.allowed_ips = allowed_ips(all, &before.allowed_ips);
            }
            ("persistent_keepalive", Setting::To(Field::Keepalive(keepalive))) => {
                after.keepalive = *keepalive;
            }
            ("persistent_keepalive", Setting::Clear) => {
                after.keepalive = Keepalive::from_seconds(0);
            }
            (name, _) => return Err(Misfit::unknown(name)),
        }
    }
    Ok(after)
}

fn described(settings: &Settings, wanted: &Fields, before: &str) -> Result<String, Misfit> {
    let (name, description) = parted(before);
    let text = |attribute: &str, held: &str| match (settings.get(attribute), wanted.get(attribute))
    {
        (Some(Setting::To(Field::Text(text))), _) | (None, Some(Field::Text(text))) => text.clone(),
        (Some(_), _) => String::new(),
        (None, _) => held.to_owned(),
    };
    let (name, description) = (text("name", name), text("description", description));
    if name.contains(BETWEEN) {
        let hint = "on a firewall `: ` stands between the name of a peer and its description: write it otherwise";
        return Err(Misfit::new("name", hint));
    }
    let joined = joined(&name, &description);
    fits("description", &joined)?;
    Ok(joined)
}

fn fits(attribute: &'static str, text: &str) -> Result<(), Misfit> {
    match text.chars().count() > LONGEST_TEXT {
        true => Err(Misfit::new(
            attribute,
            "a firewall takes 1024 characters, the name of a peer among them",
        )),
        false => Ok(()),
    }
}

/// Keeps the entries that stay as somebody wrote them, and adds the others.
fn allowed_ips(wanted: &BTreeSet<Prefix>, held: &[Entry]) -> Vec<Entry> {
    let mut after: Vec<Entry> = Vec::new();
    for entry in held {
        let is_there = after.iter().any(|it| it.prefix() == entry.prefix());
        if !is_there && entry.prefix().is_some_and(|it| wanted.contains(&it)) {
            after.push(entry.clone());
        }
    }
    let have: BTreeSet<_> = after.iter().filter_map(Entry::prefix).collect();
    after.extend(wanted.difference(&have).map(|it| Entry::plain(it.address(), it.length())));
    after
}

/// Returns what becomes of the interface of a tunnel.
pub(super) fn assignment(settings: &Settings, wanted: &Fields) -> Result<Assignment, Misfit> {
    if !ASSIGN.iter().any(|name| settings.contains_key(name)) {
        return Ok(Assignment::Leave);
    }
    let description = match wanted.get(ASSIGN_DESCR) {
        Some(Field::Text(text)) => text.clone(),
        None => return Ok(Assignment::Release),
        Some(_) => return Err(Misfit::unknown(ASSIGN_DESCR)),
    };
    // What is not written is somebody else's, and stays.
    let addresses = match (settings.get(ASSIGN_ADDRESSES), wanted.get(ASSIGN_ADDRESSES)) {
        (None, _) => None,
        (Some(_), Some(Field::Addresses(all))) => Some(all.clone()),
        (Some(_), None) => Some(BTreeSet::new()),
        (Some(_), Some(_)) => return Err(Misfit::unknown(ASSIGN_ADDRESSES)),
    };
    let is_v6 = |it: &&Cidr| it.address().is_ipv6();
    let all = || addresses.iter().flatten();
    let sixes = all().filter(is_v6).count();
    if sixes > 1 || all().count() - sixes > 1 {
        let hint = "an interface of a firewall has one IPv4 and one IPv6 address at most; others are virtual IPs";
        return Err(Misfit::new(ASSIGN_ADDRESSES, hint));
    }
    let mtu = match (settings.get(ASSIGN_MTU), wanted.get(ASSIGN_MTU)) {
        (None, _) => None,
        (Some(_), Some(Field::Number(mtu @ 1280..=8192))) => Some(Some(*mtu)),
        (Some(_), None) => Some(None),
        (Some(_), Some(_)) => {
            return Err(Misfit::new(ASSIGN_MTU, "an interface of a firewall takes 1280 to 8192"));
        }
    };
    Ok(Assignment::Put(PortWish { description, addresses, mtu }))
}

/// Says what to send to make a tunnel: always what the package would choose otherwise.
pub(super) fn tunnel_creation(after: &Tunnel, key: &PrivateKey) -> Body {
    let mut body = Body::of("name", after.name.as_str());
    body.set("enabled", after.is_enabled);
    body.set("descr", after.description.as_str());
    body.set("mtu", after.mtu);
    body.set("addresses", list(&after.addresses));
    if let Some(port) = after.listen_port {
        body.set("listenport", port.to_string());
    }
    body.set_secret("privatekey", key.expose_text());
    body
}

/// Says what to send to make a tunnel out of the one that is there; nothing when it is so already.
pub(super) fn tunnel_change(before: &Tunnel, after: &Tunnel, key: Option<&PrivateKey>) -> Body {
    let Tunnel {
        id: _,
        name: _,
        is_enabled,
        description,
        listen_port,
        public_key,
        private_key: _,
        mtu,
        addresses,
    } = after;
    let mut body = Body::default();
    if *is_enabled != before.is_enabled {
        body.set("enabled", *is_enabled);
    }
    if *description != before.description {
        body.set("descr", description.as_str());
    }
    if let Some(port) = listen_port.filter(|port| Some(*port) != before.listen_port) {
        body.set("listenport", port.to_string());
    }
    if *mtu != before.mtu {
        body.set("mtu", *mtu);
    }
    if *addresses != before.addresses {
        body.set("addresses", list(addresses));
    }
    if let Some(key) = key.filter(|_| *public_key != before.public_key) {
        body.set_secret("privatekey", key.expose_text());
    }
    body
}

/// Says what to send to make a peer.
pub(super) fn peer_creation(after: &Peer) -> Body {
    let mut body = peer_change(&new_peer(&after.tunnel, after.public_key), after);
    body.set("enabled", after.is_enabled);
    body.set("tun", after.tunnel.as_str());
    body.set("publickey", after.public_key.to_string());
    body
}

/// Says what to send to make a peer out of the one that is there; nothing when it is so already.
pub(super) fn peer_change(before: &Peer, after: &Peer) -> Body {
    let Peer {
        id: _,
        is_enabled,
        tunnel: _,
        endpoint,
        description,
        keepalive,
        public_key: _,
        preshared_key,
        allowed_ips,
    } = after;
    let mut body = Body::default();
    if *is_enabled != before.is_enabled {
        body.set("enabled", *is_enabled);
    }
    if *endpoint != before.endpoint {
        let texts = endpoint.as_ref().and_then(endpoint_texts);
        // Without an address there is no port, and with one it is not the old one.
        let (host, port) =
            texts.map_or((Json::Null, None), |(host, port)| (host.into(), Some(port)));
        body.set("endpoint", host);
        if let Some(port) = port {
            body.set("port", port);
        }
    }
    if *description != before.description {
        body.set("descr", description.as_str());
    }
    if *keepalive != before.keepalive {
        let seconds = Some(keepalive.seconds()).filter(|it| *it != 0);
        body.set("persistentkeepalive", seconds.map_or(Json::Null, Json::from));
    }
    if *preshared_key != before.preshared_key {
        match preshared_key {
            Kept::Set(key) => body.set_secret("presharedkey", key.expose_text()),
            Kept::Unset => body.set_secret("presharedkey", Zeroizing::default()),
            Kept::Hidden => {}
        }
    }
    if *allowed_ips != before.allowed_ips {
        body.set("allowedips", list(allowed_ips));
    }
    body
}

/// Says what to send to make an interface of the firewall, or to make it out of the one that is there.
pub(super) fn port_change(before: Option<&Port>, wish: &PortWish) -> Body {
    let PortWish { description, addresses, mtu } = wish;
    let mut body = Body::default();
    if before.is_none_or(|it| it.description != *description) {
        body.set("descr", description.as_str());
    }
    if let Some(mtu) = mtu
        && before.is_none_or(|it| it.mtu != *mtu)
        && (before.is_some() || mtu.is_some())
    {
        body.set("mtu", mtu.map_or(Json::Null, Json::from));
    }
    let none = BTreeSet::new();
    // A new one has to say something.
    let addresses = addresses.as_ref().or(before.is_none().then_some(&none));
    if let Some(addresses) = addresses
        && before.is_none_or(|it| it.addresses.as_ref() != Some(addresses))
    {
        let of = |is_v6: bool| addresses.iter().find(|it| it.address().is_ipv6() == is_v6);
        body.set("typev4", if of(false).is_some() { "static" } else { "none" });
        if let Some(four) = of(false) {
            body.set("ipaddr", four.address().to_string());
            body.set("subnet", four.length());
        }
        if let Some(six) = of(true) {
            body.set("typev6", "staticv6");
            body.set("ipaddrv6", six.address().to_string());
            body.set("subnetv6", six.length());
        } else if before.is_some() {
            body.set("typev6", "none");
        }
    }
    if before.is_none_or(|it| !it.is_enabled) {
        body.set("enable", true);
    }
    body
}

fn list(entries: &[Entry]) -> Json {
    let one = |Entry { address, length, description }: &Entry| json!({ "address": address.to_string(), "mask": length, "descr": description });
    entries.iter().map(one).collect()
}

/// Returns the lowest free port from which pfSense itself begins.
pub(super) fn free_port(tunnels: &[Tunnel]) -> Option<NonZeroU16> {
    let taken: BTreeSet<_> = tunnels.iter().filter_map(|it| it.listen_port).collect();
    (FIRST_PORT..=u16::MAX).filter_map(NonZeroU16::new).find(|port| !taken.contains(port))
}

/// Names the first attribute in which a tunnel is not as it was to be, among the fields that count.
pub(super) fn tunnel_difference(
    wanted: &Tunnel,
    found: &Tunnel,
    counts: impl Fn(&str) -> bool,
) -> Option<&'static str> {
    let Tunnel {
        id: _,
        name,
        is_enabled,
        description,
        listen_port,
        public_key,
        private_key: _,
        mtu,
        addresses,
    } = wanted;
    let differs = [
        ("name", "name", *name != found.name),
        ("private_key", "privatekey", *public_key != found.public_key),
        ("enabled", "enabled", *is_enabled != found.is_enabled),
        ("description", "descr", *description != found.description),
        ("listen_port", "listenport", *listen_port != found.listen_port),
        ("mtu", "mtu", *mtu != found.mtu),
        ("addresses", "addresses", by_value(addresses) != by_value(&found.addresses)),
    ];
    let mut differs = differs.into_iter().filter(|(_, field, _)| counts(field));
    differs.find_map(|(name, _, differs)| differs.then_some(name))
}

/// Names the first attribute in which a peer is not as it was to be, among the fields that count. A pre-shared key that is
/// not shown counts as it was written.
pub(super) fn peer_difference(
    wanted: &Peer,
    found: &Peer,
    counts: impl Fn(&str) -> bool,
) -> Option<&'static str> {
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
    } = wanted;
    let is_hidden = found.preshared_key == Kept::Hidden || *preshared_key == Kept::Hidden;
    let differs = [
        ("public_key", "publickey", *public_key != found.public_key),
        ("interface", "tun", *tunnel != found.tunnel),
        ("enabled", "enabled", *is_enabled != found.is_enabled),
        ("endpoint", "endpoint", *endpoint != found.endpoint),
        ("description", "descr", *description != found.description),
        ("persistent_keepalive", "persistentkeepalive", *keepalive != found.keepalive),
        ("preshared_key", "presharedkey", !is_hidden && *preshared_key != found.preshared_key),
        ("allowed_ips", "allowedips", by_value(allowed_ips) != by_value(&found.allowed_ips)),
    ];
    let mut differs = differs.into_iter().filter(|(_, field, _)| counts(field));
    differs.find_map(|(name, _, differs)| differs.then_some(name))
}

/// Names the first attribute in which an interface is not as it was to be.
pub(super) fn port_difference(wish: &PortWish, found: &Port) -> Option<&'static str> {
    let PortWish { description, addresses, mtu } = wish;
    let differs = [
        (ASSIGN_DESCR, *description != found.description),
        (ASSIGN_ADDRESSES, addresses.is_some() && found.addresses.as_ref() != addresses.as_ref()),
        (ASSIGN_MTU, mtu.is_some_and(|mtu| mtu != found.mtu)),
    ];
    differs.into_iter().find_map(|(name, differs)| differs.then_some(name))
}

/// A list as what it means, in no order: an entry that is spelt otherwise is the same one.
fn by_value(entries: &[Entry]) -> BTreeSet<(std::net::IpAddr, u8, &str)> {
    entries.iter().map(|it| (it.address, it.length, it.description.as_str())).collect()
}
