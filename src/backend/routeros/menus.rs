//! What a router holds, as whole menus: a handful of requests whatever the number of peers.
//!
//! Rows become values here, and nothing is left out: what is dynamic, orphaned or somebody else's is told apart later.
//! A row that makes no sense is kept beside the others, so that it is not taken for one that is gone.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use tokio::join;
use tokio::time::Instant;

use crate::backend::clock::Told;
use crate::backend::routeros::client::{Cause, Client, Failure, Row, Text};
use crate::backend::routeros::wire::{Kept, Reference, Strange, Version, is_id, seconds};
use crate::value::{Cidr, Keepalive, Prefix, PresharedKey, PrivateKey, PublicKey};

/// Which menus are read besides those that are always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Which router it is, what people call it and what its clock says.
    pub identity: bool,
    /// Addresses of both families.
    pub addresses: bool,
    /// Routes of both families.
    pub routes: bool,
    /// Members of interface lists.
    pub members: bool,
    /// Interfaces of other kinds.
    pub others: bool,
}

/// Everything on a router that matters here.
#[derive(Debug, Clone)]
pub struct Menus {
    /// The router itself.
    pub system: System,
    /// WireGuard interfaces.
    pub interfaces: Vec<Interface>,
    /// Their peers, and those of interfaces that are gone.
    pub peers: Vec<Peer>,
    /// Addresses of both families, of any interface, if they were wanted.
    pub addresses: Vec<Address>,
    /// Routes of both families, if they were wanted.
    pub routes: Vec<Route>,
    /// The routing tables, if routes were wanted, with a number for each.
    pub tables: BTreeMap<String, u32>,
    /// Members of interface lists, if they were wanted.
    pub members: Vec<Member>,
    /// Whether those were wanted.
    pub has_members: bool,
    /// The names of interfaces of other kinds, if they were wanted.
    pub others: BTreeSet<String>,
    /// Whether there are menus for IPv6; so it seems while nobody wants to know.
    pub has_ipv6: bool,
    /// Rows that make no sense.
    pub odd: Vec<Odd>,
}

/// What a router says of itself.
#[derive(Debug, Clone)]
pub struct System {
    /// Of RouterOS.
    pub version: Version,
    /// How long it has been up.
    pub uptime: Duration,
    /// Stays the same for the life of the router: its serial number, else the id of its system or its software. None
    /// when it was not wanted, as the name and the clock.
    pub id: Option<String>,
    /// What people call it.
    pub name: String,
    /// What its clock says.
    pub clock: Option<Told>,
}

/// A WireGuard interface.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Its handle in this run.
    pub id: String,
    /// Its name.
    pub name: String,
    /// None when there is none.
    pub comment: Option<Text>,
    /// Whether it is not disabled.
    pub is_enabled: bool,
    /// None for 0.
    pub listen_port: Option<NonZeroU16>,
    /// None when the router chooses.
    pub mtu: Option<u32>,
    /// Hidden without the policy `sensitive`.
    pub private_key: Kept<PrivateKey>,
    /// By which its private key is compared.
    pub public_key: PublicKey,
    /// None before 7.21.
    pub vrf: Option<String>,
}

/// A peer.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its handle in this run.
    pub id: String,
    /// What it is on.
    pub interface: Reference,
    /// None before 7.15.
    pub name: Option<Text>,
    /// None when there is none.
    pub comment: Option<Text>,
    /// Some older versions have peers without one.
    pub public_key: Option<PublicKey>,
    /// What both ends share.
    pub preshared_key: Kept<PresharedKey>,
    /// Where packets come from and go to.
    pub allowed_ips: BTreeSet<Prefix>,
    /// An address without brackets, or a host name.
    pub endpoint_address: Option<String>,
    /// None for 0.
    pub endpoint_port: Option<NonZeroU16>,
    /// How often the router sends.
    pub keepalive: Keepalive,
    /// Whether it waits to be called.
    pub is_responder: bool,
    /// Whether it is not disabled.
    pub is_enabled: bool,
    /// Whether another part of the router made it, who also changes it.
    pub is_dynamic: bool,
    /// What the router shows to the person at the far end.
    pub client: ClientFields,
    /// How it is in use.
    pub session: Session,
}

/// The settings of the far end that a router keeps for its own export.
#[derive(Debug, Clone)]
pub struct ClientFields {
    /// The far end's key.
    pub private_key: Kept<PrivateKey>,
    /// The far end's addresses.
    pub address: BTreeSet<Cidr>,
    /// The far end's name servers, in order.
    pub dns: Vec<IpAddr>,
    /// Where the far end reaches the router.
    pub endpoint: Option<String>,
    /// How often the far end sends.
    pub keepalive: Keepalive,
    /// None for 0.
    pub listen_port: Option<NonZeroU16>,
    /// What the far end sends into the tunnel.
    pub allowed_ips: BTreeSet<Prefix>,
}

/// A peer in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Where it is now.
    pub endpoint: Option<(IpAddr, NonZeroU16)>,
    /// How long ago the last handshake was; none for never.
    pub handshake_age: Option<Duration>,
    /// Bytes received from it.
    pub received: u64,
    /// Bytes sent to it.
    pub sent: u64,
}

/// An address on an interface.
#[derive(Debug, Clone)]
pub struct Address {
    /// Its handle in this run.
    pub id: String,
    /// With its length, host bits kept.
    pub address: Cidr,
    /// What it is on.
    pub interface: Reference,
    /// None when there is none.
    pub comment: Option<Text>,
    /// Whether it is not disabled.
    pub is_enabled: bool,
    /// Whether the router made it.
    pub is_dynamic: bool,
}

/// A route.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its handle in this run.
    pub id: String,
    /// Where to.
    pub to: Prefix,
    /// An interface by its name, or its id when it is gone; an address; or one of the longer forms.
    pub gateway: String,
    /// None for a disabled route, which does not say.
    pub distance: Option<u64>,
    /// None for a disabled route, which does not say.
    pub table: Option<String>,
    /// How the gateway is watched.
    pub check_gateway: Option<String>,
    /// None when there is none.
    pub comment: Option<Text>,
    /// Whether it is not disabled.
    pub is_enabled: bool,
    /// Whether the router made it.
    pub is_dynamic: bool,
}

/// That an interface is in an interface list.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its handle in this run.
    pub id: String,
    /// The name of the list.
    pub list: String,
    /// What is in it.
    pub interface: Reference,
    /// Whether it is not disabled.
    pub is_enabled: bool,
    /// Whether the router made it.
    pub is_dynamic: bool,
}

/// A row that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odd {
    /// Of which menu.
    pub menu: &'static str,
    /// Its handle in this run.
    pub id: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What it is on or leads to, if that can be read.
    pub interface: Option<Reference>,
    /// Its public key, if that can be read.
    pub public_key: Option<PublicKey>,
    /// Whether the router made it.
    pub is_dynamic: bool,
    /// Why.
    pub why: Strange,
}

impl Menus {
    /// Reads a router: first what it is, then its menus, as many at once as the client allows.
    ///
    /// # Errors
    /// When one of the menus cannot be read. What only tells the identity may be out of reach.
    pub async fn read(client: &Client, wanted: Wanted) -> Result<Self, Failure> {
        // The first request opens the connection, and the session on the router, which takes it a while. Of the others
        // each is waited for, also when one is refused: requests that are given up disturb a router.
        let resource = client.one("read the version of the router", "system/resource").await?;
        let (system, interfaces, peers, addresses, six, routes, routes6, tables, members, others) = join!(
            System::read(client, wanted.identity, &resource),
            client.list("read the WireGuard interfaces", INTERFACES),
            client.list("read the WireGuard peers", PEERS),
            when(wanted.addresses, client.list("read the addresses", "ip/address")),
            when(wanted.addresses, ipv6(client.list("read the IPv6 addresses", "ipv6/address"))),
            when(wanted.routes, client.list("read the routes", "ip/route")),
            when(wanted.routes, ipv6(client.list("read the IPv6 routes", "ipv6/route"))),
            when(wanted.routes, client.list("read the routing tables", "routing/table")),
            when(wanted.members, client.list("read the interface lists", MEMBERS)),
            when(wanted.others, client.list("read the names of interfaces", "interface")),
        );
        let (addresses, six, routes, routes6) = (addresses?, six?, routes?, routes6?);
        let (system, interfaces, peers) = (system?, interfaces?, peers?);
        let (tables, members, others) = (tables?, members?, others?);
        let mut odd = Vec::new();
        let mut menus = Self {
            system: system.map_err(|why| {
                client.unreadable("read the version of the router", why.to_string())
            })?,
            interfaces: parsed(INTERFACES, &interfaces, Interface::parse, &mut odd),
            peers: parsed(PEERS, &peers, Peer::parse, &mut odd),
            addresses: parsed(
                "ip/address",
                &addresses.unwrap_or_default(),
                Address::parse,
                &mut odd,
            ),
            routes: parsed("ip/route", &routes.unwrap_or_default(), Route::parse, &mut odd),
            tables: tables.iter().flatten().filter_map(table).collect(),
            members: parsed(MEMBERS, &members.unwrap_or_default(), Member::parse, &mut odd),
            has_members: wanted.members,
            others: others
                .iter()
                .flatten()
                .filter(|it| it.text("type") != "wg")
                .map(name)
                .collect(),
            has_ipv6: six.as_ref().is_none_or(Option::is_some),
            odd: Vec::new(),
        };
        let (six, routes6) =
            (six.flatten().unwrap_or_default(), routes6.flatten().unwrap_or_default());
        menus.addresses.extend(parsed("ipv6/address", &six, Address::parse, &mut odd));
        menus.routes.extend(parsed("ipv6/route", &routes6, Route::parse, &mut odd));
        menus.odd = odd;
        Ok(menus)
    }
}

/// Keeping a picture true without reading it again.
impl Menus {
    /// Takes in an object as the router now has it.
    ///
    /// # Errors
    /// When it makes no sense.
    pub(in crate::backend::routeros) fn learn(
        &mut self,
        menu: &str,
        row: &Row,
    ) -> Result<(), Strange> {
        match menu {
            INTERFACES => put(&mut self.interfaces, Interface::parse(row)?, |it| &it.id),
            PEERS => put(&mut self.peers, Peer::parse(row)?, |it| &it.id),
            MEMBERS => put(&mut self.members, Member::parse(row)?, |it| &it.id),
            "ip/address" | "ipv6/address" => {
                let is_v6 = menu.starts_with("ipv6");
                let id = |it: &Address| (it.address.address().is_ipv6(), it.id.clone());
                let address = Address::parse(row)?;
                self.addresses.retain(|it| id(it) != (is_v6, address.id.clone()));
                self.addresses.push(address);
            }
            _ => {
                let is_v6 = menu.starts_with("ipv6");
                let id = |it: &Route| (it.to.address().is_ipv6(), it.id.clone());
                let route = Route::parse(row)?;
                self.routes.retain(|it| id(it) != (is_v6, route.id.clone()));
                self.routes.push(route);
            }
        }
        Ok(())
    }

    /// Returns whether there is such an object.
    pub(in crate::backend::routeros) fn holds(&self, menu: &str, id: &str) -> bool {
        let is_v6 = menu.starts_with("ipv6");
        if self.odd.iter().any(|it| it.menu == menu && it.id == id) {
            return true;
        }
        match menu {
            INTERFACES => self.interfaces.iter().any(|it| it.id == id),
            PEERS => self.peers.iter().any(|it| it.id == id),
            MEMBERS => self.members.iter().any(|it| it.id == id),
            "ip/address" | "ipv6/address" => {
                let is_v6 = |it: &&Address| it.address.address().is_ipv6() == is_v6;
                self.addresses.iter().filter(is_v6).any(|it| it.id == id)
            }
            _ => {
                let is_v6 = |it: &&Route| it.to.address().is_ipv6() == is_v6;
                self.routes.iter().filter(is_v6).any(|it| it.id == id)
            }
        }
    }

    /// Leaves out an object that was removed.
    pub(in crate::backend::routeros) fn forget(&mut self, menu: &str, id: &str) {
        self.odd.retain(|it| it.menu != menu || it.id != id);
        let is_v6 = menu.starts_with("ipv6");
        match menu {
            INTERFACES => self.interfaces.retain(|it| it.id != id),
            PEERS => self.peers.retain(|it| it.id != id),
            MEMBERS => self.members.retain(|it| it.id != id),
            "ip/address" | "ipv6/address" => {
                self.addresses.retain(|it| it.address.address().is_ipv6() != is_v6 || it.id != id);
            }
            _ => self.routes.retain(|it| it.to.address().is_ipv6() != is_v6 || it.id != id),
        }
    }

    /// Lets whatever refers to an interface follow its new name.
    pub(in crate::backend::routeros) fn rename(&mut self, old: &str, new: &str) {
        let follow = |it: &mut Reference| {
            if matches!(it, Reference::Name(name) if name == old) {
                *it = Reference::Name(new.to_owned());
            }
        };
        self.peers.iter_mut().for_each(|it| follow(&mut it.interface));
        self.addresses.iter_mut().for_each(|it| follow(&mut it.interface));
        self.members.iter_mut().for_each(|it| follow(&mut it.interface));
        for route in self.routes.iter_mut().filter(|it| it.leads_to().1 == old) {
            route.gateway = match route.leads_to().0 {
                Some(gateway) => format!("{gateway}%{new}"),
                None => new.to_owned(),
            };
        }
    }
}

/// Puts an object in the place of the one with its id, or adds it.
fn put<T>(rows: &mut Vec<T>, row: T, id: impl Fn(&T) -> &String) {
    match rows.iter().position(|it| id(it) == id(&row)) {
        Some(at) => rows[at] = row,
        None => rows.push(row),
    }
}

pub(in crate::backend::routeros) const INTERFACES: &str = "interface/wireguard";
pub(in crate::backend::routeros) const PEERS: &str = "interface/wireguard/peers";
pub(in crate::backend::routeros) const MEMBERS: &str = "interface/list/member";

async fn when<T>(
    wanted: bool,
    read: impl Future<Output = Result<T, Failure>>,
) -> Result<Option<T>, Failure> {
    if wanted { read.await.map(Some) } else { Ok(None) }
}

/// A router on which IPv6 is switched off may have no menu for it.
async fn ipv6<T>(read: impl Future<Output = Result<T, Failure>>) -> Result<Option<T>, Failure> {
    match read.await {
        Err(Failure { cause: Cause::Refused(words), .. })
            if words.starts_with("no such command") =>
        {
            Ok(None)
        }
        answer => answer.map(Some),
    }
}

/// Gives what somebody may lack the rights or the product for.
async fn tolerated(read: impl Future<Output = Result<Row, Failure>>) -> Result<Row, Failure> {
    match read.await {
        Err(Failure {
            cause: Cause::Refused(_) | Cause::NotPermitted | Cause::NotFound, ..
        }) => Ok(Row::default()),
        answer => answer,
    }
}

/// Gives what not every product has; none when it is there and not shown.
async fn of_product(
    read: impl Future<Output = Result<Row, Failure>>,
) -> Result<Option<Row>, Failure> {
    match read.await {
        Err(Failure { cause: Cause::NotFound, .. }) => Ok(Some(Row::default())),
        Err(Failure { cause: Cause::Refused(words), .. }) => {
            Ok(words.starts_with("no such command").then(Row::default))
        }
        Err(Failure { cause: Cause::NotPermitted, .. }) => Ok(None),
        answer => answer.map(Some),
    }
}

fn parsed<T>(
    menu: &'static str,
    rows: &[Row],
    parse: fn(&Row) -> Result<T, Strange>,
    odd: &mut Vec<Odd>,
) -> Vec<T> {
    let mut values = Vec::with_capacity(rows.len());
    for row in rows {
        match parse(row) {
            Ok(value) => values.push(value),
            Err(why) => odd.push(Odd {
                menu,
                id: row.id().to_owned(),
                name: row.optional("name").map(str::to_owned),
                interface: row.reference("interface").or_else(|_| row.reference("gateway")).ok(),
                public_key: public_key(row).ok().flatten(),
                is_dynamic: row.bool_or("dynamic", false).unwrap_or_default(),
                why,
            }),
        }
    }
    values
}

impl System {
    async fn read(
        client: &Client,
        wants_identity: bool,
        resource: &Row,
    ) -> Result<Result<Self, Strange>, Failure> {
        let one = async |attempt, menu| match wants_identity {
            true => tolerated(client.one(attempt, menu)).await,
            false => Ok(Row::default()),
        };
        let (id, identity, clock) = join!(
            async {
                match wants_identity {
                    true => id_of(client).await,
                    false => Ok(None),
                }
            },
            one("read the router's name", "system/identity"),
            async {
                let asked = Instant::now();
                let row = one("read the clock", "system/clock").await?;
                Ok(clock_of(&row).map(|says| Told::new(says, asked)))
            },
        );
        let (id, identity, clock) = (id?, identity?, clock?);
        let parse = || {
            Ok(Self {
                version: resource.text("version").parse()?,
                uptime: Duration::from_secs(resource.seconds("uptime")?),
                id,
                name: identity.text("name").to_owned(),
                clock,
            })
        };
        Ok(parse())
    }
}

/// Reads what stays the same for the life of a router. Of a product with a serial number that is not shown, an id of
/// another kind would seem to be another router's.
async fn id_of(client: &Client) -> Result<Option<String>, Failure> {
    let board = of_product(client.one("read the serial number", "system/routerboard")).await?;
    let Some(board) = board else { return Ok(None) };
    if let Some(serial) = board.optional("serial-number") {
        return Ok(Some(serial.to_owned()));
    }
    let license = tolerated(client.one("read the license", "system/license")).await?;
    let id = license.optional("system-id").or_else(|| license.optional("software-id"));
    Ok(id.map(str::to_owned))
}

/// Reads a clock. One that cannot be read is as good as none.
fn clock_of(row: &Row) -> Option<Timestamp> {
    let date: Date = row.text("date").parse().ok()?;
    let time: Time = row.text("time").parse().ok()?;
    let offset = row.text("gmt-offset");
    let (sign, digits) = match offset.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, offset.strip_prefix('+').unwrap_or(offset)),
    };
    // `+01:00`, or seconds.
    let length = if digits.is_empty() { 0 } else { i32::try_from(seconds(digits)?).ok()? };
    let offset = Offset::from_seconds(sign * length).ok()?;
    offset.to_timestamp(DateTime::from_parts(date, time)).ok()
}

impl Interface {
    pub(in crate::backend::routeros) fn parse(row: &Row) -> Result<Self, Strange> {
        Ok(Self {
            id: row.id().to_owned(),
            name: row.text("name").to_owned(),
            comment: comment(row),
            is_enabled: !row.bool_or("disabled", false)?,
            listen_port: row.port("listen-port")?,
            mtu: row.text("mtu").parse().ok(),
            private_key: row.key("private-key")?,
            public_key: public_key(row)?
                .ok_or_else(|| Strange { property: "public-key".to_owned(), wanted: "a key" })?,
            vrf: row.optional("vrf").map(str::to_owned),
        })
    }
}

impl Peer {
    pub(in crate::backend::routeros) fn parse(row: &Row) -> Result<Self, Strange> {
        Ok(Self {
            id: row.id().to_owned(),
            interface: row.reference("interface")?,
            name: row.get("name").filter(|it| !it.as_str().is_empty()).cloned(),
            comment: comment(row),
            public_key: public_key(row)?,
            preshared_key: row.key("preshared-key")?,
            allowed_ips: row.prefixes("allowed-address")?,
            endpoint_address: row.optional("endpoint-address").map(str::to_owned),
            endpoint_port: row.port("endpoint-port")?,
            keepalive: keepalive(row, "persistent-keepalive")?,
            is_responder: row.bool_or("responder", row.bool_or("is-responder", false)?)?,
            is_enabled: !row.bool_or("disabled", false)?,
            is_dynamic: row.bool_or("dynamic", false)?,
            client: ClientFields::parse(row)?,
            session: Session::of(row),
        })
    }
}

impl ClientFields {
    fn parse(row: &Row) -> Result<Self, Strange> {
        Ok(Self {
            private_key: row.key("private-key")?,
            address: row.cidrs("client-address")?,
            dns: row.servers("client-dns")?,
            endpoint: row.optional("client-endpoint").map(str::to_owned),
            keepalive: keepalive(row, "client-keepalive")?,
            listen_port: row.port("client-listen-port")?,
            allowed_ips: row.prefixes("client-allowed-address")?,
        })
    }
}

impl Session {
    /// What cannot be read of it is as good as unset: the peer is what it is without it.
    fn of(row: &Row) -> Self {
        let address = row.text("current-endpoint-address").parse().ok();
        let port = row.port("current-endpoint-port").ok().flatten();
        let count = |name: &str| row.number(name).ok().flatten().unwrap_or_default();
        Self {
            endpoint: address.zip(port),
            handshake_age: handshake_age(row),
            received: count("rx"),
            sent: count("tx"),
        }
    }
}

/// A handshake that never was is absent, empty or `0s`. One that was this very second reads `0s` too, or in parts of one.
fn handshake_age(row: &Row) -> Option<Duration> {
    match row.text("last-handshake") {
        "" | "0s" | "never" => None,
        _ => row.seconds("last-handshake").ok().map(Duration::from_secs),
    }
}

impl Address {
    pub(in crate::backend::routeros) fn parse(row: &Row) -> Result<Self, Strange> {
        Ok(Self {
            id: row.id().to_owned(),
            address: row.cidr("address")?,
            interface: row.reference("interface")?,
            comment: comment(row),
            is_enabled: !row.bool_or("disabled", false)?,
            is_dynamic: row.bool_or("dynamic", false)?,
        })
    }
}

impl Route {
    pub(in crate::backend::routeros) fn parse(row: &Row) -> Result<Self, Strange> {
        let to = row.prefixes("dst-address")?.pop_first();
        Ok(Self {
            id: row.id().to_owned(),
            to: to.ok_or_else(|| Strange {
                property: "dst-address".to_owned(),
                wanted: "a network",
            })?,
            gateway: row.text("gateway").to_owned(),
            distance: row.number("distance")?,
            table: row.optional("routing-table").map(str::to_owned),
            check_gateway: row.optional("check-gateway").map(str::to_owned),
            comment: comment(row),
            is_enabled: !row.bool_or("disabled", false)?,
            is_dynamic: row.bool_or("dynamic", false)?,
        })
    }
}

impl Address {
    /// Returns the menu that it is in.
    pub fn menu(&self) -> &'static str {
        if self.address.address().is_ipv6() { "ipv6/address" } else { "ip/address" }
    }
}

impl Route {
    /// Returns the menu that it is in.
    pub fn menu(&self) -> &'static str {
        if self.to.address().is_ipv6() { "ipv6/route" } else { "ip/route" }
    }

    /// Returns the gateway behind an interface, and the interface; what is anything else counts as the latter.
    pub fn leads_to(&self) -> (Option<IpAddr>, &str) {
        let behind = self.gateway.split_once('%');
        let behind = behind.and_then(|(gateway, on)| Some((gateway.parse().ok()?, on)));
        behind.map_or((None, self.gateway.as_str()), |(gateway, on)| (Some(gateway), on))
    }

    /// Returns whether it leads to an interface that was removed: its id is all that is left.
    pub fn is_dead(&self) -> bool {
        is_id(self.leads_to().1)
    }
}

impl Member {
    pub(in crate::backend::routeros) fn parse(row: &Row) -> Result<Self, Strange> {
        Ok(Self {
            id: row.id().to_owned(),
            list: row.text("list").to_owned(),
            interface: row.reference("interface")?,
            is_enabled: !row.bool_or("disabled", false)?,
            is_dynamic: row.bool_or("dynamic", false)?,
        })
    }
}

/// A table has no number on a router; the id that it has there makes one, out of the way of those of Linux.
fn table(row: &Row) -> Option<(String, u32)> {
    let number = match row.text("name") {
        "main" => crate::value::Route::MAIN,
        _ => u32::from_str_radix(row.id().strip_prefix('*')?, 16).ok()?.checked_add(1000)?,
    };
    Some((name(row), number))
}

fn name(row: &Row) -> String {
    row.text("name").to_owned()
}

fn comment(row: &Row) -> Option<Text> {
    row.get("comment").filter(|it| !it.as_str().is_empty()).cloned()
}

fn public_key(row: &Row) -> Result<Option<PublicKey>, Strange> {
    match row.key("public-key")? {
        Kept::Set(key) => Ok(Some(key)),
        Kept::Unset | Kept::Hidden => Ok(None),
    }
}

fn keepalive(row: &Row, name: &str) -> Result<Keepalive, Strange> {
    let seconds = u16::try_from(row.seconds(name)?);
    seconds.map(Keepalive::from_seconds).map_err(|_| Strange {
        property: name.to_owned(),
        wanted: "a keepalive of at most 65535 seconds",
    })
}
