//! What the package says, as values: one place for every spelling that would otherwise read as a difference.
//!
//! What a value means for our model is not known here. A row that makes no sense is an error of its field, never a row
//! that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::value::{Cidr, Endpoint, Host, Keepalive, Prefix, PresharedKey, PrivateKey, PublicKey};

/// The name that a peer has for no tunnel at all.
pub const UNASSIGNED: &str = "unassigned";

/// A field holds what this program cannot read. The value is left out: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is not {wanted}")]
pub struct Strange {
    /// Its name.
    pub field: &'static str,
    /// What it would have to be.
    pub wanted: &'static str,
}

/// A version of the REST API package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u16,
    /// The second.
    pub minor: u16,
    /// The third.
    pub patch: u16,
}

impl Version {
    /// The oldest with which wgform works: it keeps the descriptions of tunnels.
    pub const OLDEST: Self = Self::of(2, 4, 3);
    /// Since then it can be asked what it would make of a change. Older ones make it.
    pub const DRY_RUN: Self = Self::of(2, 8, 0);
    /// Since then a change of a tunnel that is assigned takes its own addresses away.
    pub const SCRUBS: Self = Self::of(2, 8, 1);
    /// Since then it tells what is in the kernel.
    pub const STATUS: Self = Self::of(2, 9, 0);

    const fn of(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// Reads `v2.10.0`, also with something behind it.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let mut parts = text.split(['.', '-', '_']).map(|part| part.parse().ok());
        let (major, minor) = (parts.next()??, parts.next()??);
        Some(Self { major, minor, patch: parts.next().flatten().unwrap_or(0) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A value in whatever type it came. It may be a secret, and is not shown.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Scalar {
    /// There is no such field: this version has none, or it is not shown.
    #[default]
    Absent,
    /// It says that there is no value.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(Zeroizing<String>),
    /// A list, an object, a fraction.
    Other,
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scalar(…)")
    }
}

impl Scalar {
    /// Returns the text; empty when there is none.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Returns whether it says nothing.
    fn is_empty(&self) -> bool {
        matches!(self, Self::Absent | Self::Null) || matches!(self, Self::Text(it) if it.is_empty())
    }

    fn bool(&self, field: &'static str) -> Result<bool, Strange> {
        match self {
            Self::Bool(yes) => Ok(*yes),
            _ if self.is_empty() => Ok(false),
            _ => Err(Strange { field, wanted: "true or false" }),
        }
    }

    fn within<T: TryFrom<i64>>(
        &self,
        field: &'static str,
        wanted: &'static str,
    ) -> Result<Option<T>, Strange> {
        if self.is_empty() {
            return Ok(None);
        }
        let value = self.number().and_then(|number| T::try_from(number).ok());
        value.map(Some).ok_or(Strange { field, wanted })
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Null)
            }

            fn visit_bool<E>(self, yes: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(yes))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Number(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(i64::try_from(number).map_or(Scalar::Other, Scalar::Number))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(Zeroizing::new(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// A list that says `null` when it is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<Vec<T>>::deserialize(deserializer).map(|rows| Self(rows.unwrap_or_default()))
    }
}

/// A tunnel as it comes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TunnelRow {
    id: Scalar,
    name: Scalar,
    enabled: Scalar,
    descr: Scalar,
    listenport: Scalar,
    publickey: Scalar,
    privatekey: Scalar,
    mtu: Scalar,
    addresses: List<EntryRow>,
}

/// A peer as it comes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PeerRow {
    id: Scalar,
    enabled: Scalar,
    tun: Scalar,
    endpoint: Scalar,
    port: Scalar,
    descr: Scalar,
    persistentkeepalive: Scalar,
    publickey: Scalar,
    presharedkey: Scalar,
    allowedips: List<EntryRow>,
}

/// An address of a tunnel, or a network of a peer, as it comes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EntryRow {
    address: Scalar,
    mask: Scalar,
    descr: Scalar,
}

/// An interface of the firewall as it comes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PortRow {
    id: Scalar,
    r#if: Scalar,
    enable: Scalar,
    descr: Scalar,
    mtu: Scalar,
    typev4: Scalar,
    ipaddr: Scalar,
    subnet: Scalar,
    typev6: Scalar,
    ipaddrv6: Scalar,
    subnetv6: Scalar,
}

/// A secret that not every setting of the package shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept<T> {
    /// There is none.
    Unset,
    /// There may be one, and it is not shown. Never a difference, and never written back.
    Hidden,
    /// This one.
    Set(T),
}

/// An address with its length and what somebody wrote beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// With host bits.
    pub address: IpAddr,
    /// Of the prefix.
    pub length: u8,
    /// Kept when the others of the list change.
    pub description: String,
}

/// A tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// Its place in the list, which shifts when others go.
    pub id: u32,
    /// `tun_wgN`; it stays.
    pub name: String,
    /// Whether it is there after an apply.
    pub is_enabled: bool,
    /// What somebody wrote beside it.
    pub description: String,
    /// None when it is the name of a service.
    pub listen_port: Option<NonZeroU16>,
    /// By which its private key is compared.
    pub public_key: PublicKey,
    /// None when it is not shown.
    pub private_key: Option<PrivateKey>,
    /// Stored only.
    pub mtu: u32,
    /// Its own ones, which count while it is not assigned.
    pub addresses: Vec<Entry>,
}

/// A peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its place in the list of all tunnels, which shifts when others go.
    pub id: u32,
    /// Whether it is there after an apply.
    pub is_enabled: bool,
    /// The name of its tunnel, which may be gone.
    pub tunnel: String,
    /// Where it is reached.
    pub endpoint: Option<Endpoint>,
    /// Its name and what somebody wrote beside it.
    pub description: String,
    /// 0 and nothing are the same.
    pub keepalive: Keepalive,
    /// Which peer it is.
    pub public_key: PublicKey,
    /// What both ends share.
    pub preshared_key: Kept<PresharedKey>,
    /// Where packets come from and go to, in their order.
    pub allowed_ips: Vec<Entry>,
}

/// An interface of the firewall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// `wan`, `lan`, `opt1`; it stays while the interface does.
    pub id: String,
    /// Its device, such as `em0` or `tun_wg0`.
    pub device: String,
    /// Whether it is switched on.
    pub is_enabled: bool,
    /// What people call it.
    pub description: String,
    /// None for the device's own.
    pub mtu: Option<u32>,
    /// At most one of each family; none when they are not set by hand.
    pub addresses: Option<BTreeSet<Cidr>>,
}

/// Where a tunnel is in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Whether its device is up.
    pub is_up: bool,
    /// None when it has none.
    pub public_key: Option<PublicKey>,
    /// None when it has none.
    pub listen_port: Option<NonZeroU16>,
    /// Its peers.
    pub peers: BTreeMap<PublicKey, Session>,
}

/// A peer in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// In seconds of the firewall's clock; none for never.
    pub latest_handshake: Option<i64>,
    /// Bytes received from it.
    pub received: u64,
    /// Bytes sent to it.
    pub sent: u64,
}

impl TunnelRow {
    /// Returns its name, which is all that is left of one that makes no sense.
    pub fn name(&self) -> &str {
        self.name.text()
    }

    /// Returns its place in the list.
    ///
    /// # Errors
    /// When it has none.
    pub fn id(&self) -> Result<u32, Strange> {
        place(&self.id)
    }

    /// Reads it.
    ///
    /// # Errors
    /// Which field makes no sense.
    pub fn tunnel(&self) -> Result<Tunnel, Strange> {
        let Self { id, name, enabled, descr, listenport, publickey, privatekey, mtu, addresses } =
            self;
        let public_key = key(publickey).ok_or(Strange { field: "publickey", wanted: "a key" })?;
        if name.text().is_empty() {
            return Err(Strange { field: "name", wanted: "a text" });
        }
        Ok(Tunnel {
            id: place(id)?,
            name: name.text().to_owned(),
            is_enabled: enabled.bool("enabled")?,
            description: descr.text().to_owned(),
            listen_port: listenport
                .number()
                .and_then(|it| u16::try_from(it).ok())
                .and_then(NonZeroU16::new),
            public_key,
            private_key: privatekey.text().parse().ok(),
            mtu: mtu.within("mtu", "a number")?.unwrap_or(1420),
            addresses: entries("addresses", addresses)?,
        })
    }
}

impl PeerRow {
    /// Returns the tunnel that it names; empty for none.
    pub fn tunnel_name(&self) -> &str {
        match self.tun.text() {
            UNASSIGNED => "",
            name => name,
        }
    }

    /// Returns its key as it is stored, which may be no key at all.
    pub fn key_text(&self) -> &str {
        self.publickey.text()
    }

    /// Returns its key, which is all that is left of one that makes no sense.
    pub fn public_key(&self) -> Option<PublicKey> {
        key(&self.publickey)
    }

    /// Returns its place in the list.
    ///
    /// # Errors
    /// When it has none.
    pub fn id(&self) -> Result<u32, Strange> {
        place(&self.id)
    }

    /// Returns whether pre-shared keys are shown at all.
    pub fn shows_preshared_key(&self) -> bool {
        self.presharedkey != Scalar::Absent
    }

    /// Reads it.
    ///
    /// # Errors
    /// Which field makes no sense.
    pub fn peer(&self) -> Result<Peer, Strange> {
        let Self {
            id,
            enabled,
            tun,
            endpoint,
            port,
            descr,
            persistentkeepalive,
            publickey,
            presharedkey,
            allowedips,
        } = self;
        let seconds = persistentkeepalive.within("persistentkeepalive", "a number of seconds")?;
        let preshared_key = match presharedkey {
            Scalar::Absent => Kept::Hidden,
            empty if empty.is_empty() => Kept::Unset,
            Scalar::Text(text) => match text.parse() {
                Ok(key) => Kept::Set(key),
                Err(_) => return Err(Strange { field: "presharedkey", wanted: "a key" }),
            },
            _ => return Err(Strange { field: "presharedkey", wanted: "a key" }),
        };
        Ok(Peer {
            id: place(id)?,
            is_enabled: enabled.bool("enabled")?,
            tunnel: tun.text().to_owned(),
            endpoint: endpoint_of(endpoint, port)?,
            description: descr.text().to_owned(),
            keepalive: Keepalive::from_seconds(seconds.unwrap_or(0)),
            public_key: key(publickey).ok_or(Strange { field: "publickey", wanted: "a key" })?,
            preshared_key,
            allowed_ips: entries("allowedips", allowedips)?,
        })
    }
}

impl PortRow {
    /// Returns its device.
    pub fn device(&self) -> &str {
        self.r#if.text()
    }

    /// Reads it. Addresses that are not set by hand are somebody else's.
    pub fn port(&self) -> Port {
        let Self {
            id,
            r#if,
            enable,
            descr,
            mtu,
            typev4,
            ipaddr,
            subnet,
            typev6,
            ipaddrv6,
            subnetv6,
        } = self;
        let by_hand = |kind: &Scalar, word: &str| {
            kind.is_empty() || kind.text() == "none" || kind.text() == word
        };
        let is_by_hand = by_hand(typev4, "static") && by_hand(typev6, "staticv6");
        let one = |kind: &Scalar, word: &str, address: &Scalar, length: &Scalar| {
            let length = length.number().and_then(|it| u8::try_from(it).ok())?;
            let address = address.text().parse().ok().filter(|_| kind.text() == word)?;
            Cidr::new(address, length).ok()
        };
        let addresses =
            [one(typev4, "static", ipaddr, subnet), one(typev6, "staticv6", ipaddrv6, subnetv6)];
        Port {
            id: id.text().to_owned(),
            device: r#if.text().to_owned(),
            is_enabled: enable.bool("enable").unwrap_or(true),
            description: descr.text().to_owned(),
            mtu: mtu.number().and_then(|it| u32::try_from(it).ok()),
            addresses: is_by_hand.then(|| addresses.into_iter().flatten().collect()),
        }
    }
}

/// A tunnel in the kernel as it comes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LiveRow {
    name: Scalar,
    status: Scalar,
    public_key: Scalar,
    listen_port: Scalar,
    peers: List<SessionRow>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct SessionRow {
    public_key: Scalar,
    latest_handshake: Scalar,
    transfer_rx: Scalar,
    transfer_tx: Scalar,
}

impl LiveRow {
    /// Reads it, with its name. A peer that makes no sense is not in the kernel.
    pub fn live(&self) -> (String, Live) {
        let Self { name, status, public_key, listen_port, peers } = self;
        let bytes = |it: &Scalar| it.number().and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
        let session = |row: &SessionRow| {
            let SessionRow { public_key, latest_handshake, transfer_rx, transfer_tx } = row;
            let session = Session {
                latest_handshake: latest_handshake.number().filter(|it| *it > 0),
                received: bytes(transfer_rx),
                sent: bytes(transfer_tx),
            };
            key(public_key).map(|key| (key, session))
        };
        let port = listen_port.number().and_then(|it| u16::try_from(it).ok());
        let live = Live {
            is_up: status.text() == "up",
            public_key: key(public_key),
            listen_port: port.and_then(NonZeroU16::new),
            peers: peers.0.iter().filter_map(session).collect(),
        };
        (name.text().to_owned(), live)
    }
}

impl Entry {
    /// Makes one of which nobody wrote anything.
    pub fn plain(address: IpAddr, length: u8) -> Self {
        Self { address, length, description: String::new() }
    }

    /// Returns the address with its length, host bits kept; none for a length that its family does not have.
    pub fn cidr(&self) -> Option<Cidr> {
        Cidr::new(self.address, self.length).ok()
    }

    /// Returns the network, host bits masked.
    pub fn prefix(&self) -> Option<Prefix> {
        Prefix::new(self.address, self.length).ok()
    }
}

fn key(scalar: &Scalar) -> Option<PublicKey> {
    scalar.text().parse().ok()
}

fn place(id: &Scalar) -> Result<u32, Strange> {
    id.within("id", "a number")?.ok_or(Strange { field: "id", wanted: "a number" })
}

/// Reads a list. The package takes `10.0.0.0/33`, which no kernel does.
fn entries(field: &'static str, rows: &List<EntryRow>) -> Result<Vec<Entry>, Strange> {
    let strange = || Strange { field, wanted: "a list of addresses with their lengths" };
    let read = |EntryRow { address, mask, descr }: &EntryRow| {
        let length = mask.number().and_then(|it| u8::try_from(it).ok()).ok_or_else(strange)?;
        let address: IpAddr = address.text().trim().parse().map_err(|_| strange())?;
        let entry = Entry { address, length, description: descr.text().to_owned() };
        entry.cidr().map(|_| entry).ok_or_else(strange)
    };
    rows.0.iter().map(read).collect()
}

fn endpoint_of(host: &Scalar, port: &Scalar) -> Result<Option<Endpoint>, Strange> {
    if host.is_empty() {
        return Ok(None);
    }
    let strange = || Strange { field: "endpoint", wanted: "a host and a port" };
    let host = host.text().trim();
    let port = match port.within::<u16>("port", "a port")? {
        Some(port) => NonZeroU16::new(port).ok_or_else(strange)?,
        None => NonZeroU16::new(51820).ok_or_else(strange)?,
    };
    let text =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    text.parse().map(Some).map_err(|_| strange())
}

/// Returns the host and the port of an endpoint as the package takes them; none for a name that it refuses.
pub fn endpoint_texts(endpoint: &Endpoint) -> Option<(String, String)> {
    let host = match &endpoint.host {
        Host::Address(address) => address.to_string(),
        Host::Name(name) => Some(name.clone()).filter(|name| name.contains('.'))?,
    };
    Some((host, endpoint.port.to_string()))
}

/// Reads how long a firewall has been up: `1102 Days 21 Hours 46 Minutes 42 Seconds`.
pub fn uptime(text: &str) -> Option<Duration> {
    let mut words = text.split_whitespace();
    let mut seconds: u64 = 0;
    while let Some(number) = words.next() {
        let number: u64 = number.parse().ok()?;
        let unit = match words.next()?.trim_end_matches(',').trim_end_matches('s') {
            "Day" => 86_400,
            "Hour" => 3_600,
            "Minute" => 60,
            "Second" => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
    }
    (!text.trim().is_empty()).then(|| Duration::from_secs(seconds))
}

/// What a peer is called and what is written beside it, as one text.
pub fn joined(name: &str, description: &str) -> String {
    match description {
        "" => name.to_owned(),
        description => format!("{name}{BETWEEN}{description}"),
    }
}

/// Takes the text of a peer apart: what [`joined`] made, and whatever somebody else wrote.
pub fn parted(text: &str) -> (&str, &str) {
    text.split_once(BETWEEN).unwrap_or((text, ""))
}

/// What stands between a name and a description.
pub const BETWEEN: &str = ": ";

/// Any bytes as a list of each kind: refused, or read into values, of which none is shown that is secret.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(body: &[u8]) {
    if let Ok(List(rows)) = serde_json::from_slice::<List<TunnelRow>>(body) {
        let shown =
            format!("{rows:?} {:?}", rows.iter().map(TunnelRow::tunnel).collect::<Vec<_>>());
        let keys = rows.iter().map(|row| row.privatekey.text());
        keys.for_each(|key| assert!(key.len() < 40 || !shown.contains(key)));
    }
    if let Ok(List(rows)) = serde_json::from_slice::<List<PeerRow>>(body) {
        let shown = format!("{rows:?} {:?}", rows.iter().map(PeerRow::peer).collect::<Vec<_>>());
        let keys = rows.iter().map(|row| row.presharedkey.text());
        keys.for_each(|key| assert!(key.len() < 40 || !shown.contains(key)));
    }
    if let Ok(List(rows)) = serde_json::from_slice::<List<PortRow>>(body) {
        rows.iter().for_each(|row| drop(row.port()));
    }
    if let Ok(List(rows)) = serde_json::from_slice::<List<LiveRow>>(body) {
        rows.iter().for_each(|row| drop(row.live()));
    }
    if let Ok(text) = std::str::from_utf8(body) {
        _ = (uptime(text), Version::read(text));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use crate::backend::pfsense::wire::{
        List, Peer, PeerRow, PortRow, Strange, TunnelRow, Version, endpoint_texts, fuzz, joined,
        parted, uptime,
    };

    const KEY: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

    fn peer(values: Json) -> Result<Peer, Strange> {
        let mut row = json!({"id": 0, "tun": "tun_wg0", "publickey": KEY});
        for (name, value) in values.as_object().unwrap() {
            row[name] = value.clone();
        }
        serde_json::from_value::<PeerRow>(row).unwrap().peer()
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let read = |text| Version::read(text).unwrap();
        assert!(read("v2.10.0") > read("v2.9.0") && read("2.4.3") >= Version::OLDEST);
        assert_eq!(read("v2.10.0_3-devel").to_string(), "v2.10.0");
        for wrong in ["", "v2", "two", "v2.x"] {
            assert_eq!(Version::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn spellings_of_a_value_are_one() {
        let plain =
            peer(json!({"persistentkeepalive": null, "endpoint": null, "port": null})).unwrap();
        for same in [
            json!({"persistentkeepalive": 0}),
            json!({"persistentkeepalive": ""}),
            json!({"endpoint": ""}),
            json!({"port": "51820"}),
            json!({"id": "0"}),
            json!({"allowedips": null}),
            json!({"allowedips": []}),
            json!({"enabled": null}),
        ] {
            assert_eq!(peer(same.clone()).unwrap(), plain, "{same}");
        }
        let six =
            peer(json!({"endpoint": "2001:DB8:0:0:0:0:0:1", "port": 7})).unwrap().endpoint.unwrap();
        assert_eq!(endpoint_texts(&six), Some(("2001:db8::1".to_owned(), "7".to_owned())));
        // Without a port, the package takes its own.
        assert_eq!(
            peer(json!({"endpoint": "a.example"})).unwrap().endpoint.unwrap().to_string(),
            "a.example:51820"
        );
    }

    #[test]
    fn what_makes_no_sense_is_named_and_not_repeated() {
        let why = |values: Json| peer(values).unwrap_err().to_string();
        assert_eq!(why(json!({"publickey": "x"})), "`publickey` is not a key");
        assert_eq!(why(json!({"presharedkey": "hunter2"})), "`presharedkey` is not a key");
        assert_eq!(
            why(json!({"persistentkeepalive": 65536})),
            "`persistentkeepalive` is not a number of seconds"
        );
        assert_eq!(why(json!({"enabled": "on"})), "`enabled` is not true or false");
        assert_eq!(
            why(json!({"endpoint": "a b", "port": "1"})),
            "`endpoint` is not a host and a port"
        );
        let list = "`allowedips` is not a list of addresses with their lengths";
        assert_eq!(why(json!({"allowedips": [{"address": "10.0.0.0", "mask": 33}]})), list);
        assert_eq!(why(json!({"allowedips": [{"address": "10.0.0.0/8", "mask": 8}]})), list);
    }

    #[test]
    fn a_port_with_the_name_of_a_service_is_no_port_and_the_tunnel_is_there() {
        let row = json!({"id": 0, "name": "tun_wg0", "publickey": KEY, "listenport": "http"});
        let tunnel = serde_json::from_value::<TunnelRow>(row).unwrap().tunnel().unwrap();
        assert_eq!(tunnel.listen_port, None);
    }

    #[test]
    fn addresses_of_an_interface_count_when_they_are_set_by_hand() {
        let addresses =
            |row: Json| serde_json::from_value::<PortRow>(row).unwrap().port().addresses;
        let both = json!({"typev4": "static", "ipaddr": "10.0.0.1", "subnet": 24, "typev6": "staticv6", "ipaddrv6": "fd00::1", "subnetv6": "64"});
        let parsed = |text: &str| text.parse().unwrap();
        assert_eq!(addresses(both), Some([parsed("10.0.0.1/24"), parsed("fd00::1/64")].into()));
        assert_eq!(addresses(json!({"typev4": "none", "typev6": null})), Some([].into()));
        assert_eq!(addresses(json!({"typev4": "dhcp"})), None);
    }

    #[test]
    fn a_name_and_a_description_are_one_text_and_come_apart_again() {
        for (name, description) in [("laptop", ""), ("laptop", "of: Anna"), ("", "x"), ("", "")] {
            assert_eq!(parted(&joined(name, description)), (name, description));
        }
        assert_eq!(parted("what: ever: it was"), ("what", "ever: it was"));
        assert_eq!(parted("what:ever"), ("what:ever", ""));
    }

    #[test]
    fn uptimes_are_read() {
        assert_eq!(uptime("3 Days 04 Hours 05 Minutes 06 Seconds").unwrap().as_secs(), 273_906);
        assert_eq!(uptime("1 Minute 1 Second").unwrap().as_secs(), 61);
        for wrong in
            ["", "long", "3", "3 Years", "99999999999999999999 Days", "300000000000000 Days"]
        {
            assert_eq!(uptime(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_list_may_be_null() {
        assert_eq!(serde_json::from_str::<List<u8>>("null").unwrap(), List(vec![]));
        assert_eq!(serde_json::from_str::<List<u8>>("[1]").unwrap(), List(vec![1]));
        assert!(serde_json::from_str::<List<u8>>("{}").is_err());
    }

    fn value() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            "\\PC{0,12}".prop_map(Json::from),
            Just(Json::from(KEY)),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop::collection::vec(inner, 0..3).prop_map(Json::from)
        })
    }

    proptest! {
      #[test]
      fn any_row_is_read_or_refused(values in prop::collection::vec(value(), 12)) {
          let names = ["id", "name", "enabled", "tun", "endpoint", "port", "descr", "publickey", "presharedkey", "privatekey", "mtu", "persistentkeepalive"];
          let row: serde_json::Map<_, _> = names.iter().map(|it| (*it).to_owned()).zip(values).collect();
          fuzz(json!([row]).to_string().as_bytes());
      }

      #[test]
      fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
          fuzz(&bytes);
      }
    }
}
