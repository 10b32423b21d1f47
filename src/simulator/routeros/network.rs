//! Addresses, routes and interface lists: what the router computes, what it refuses, and how it prints them.

use ipnet::{IpNet, Ipv4Net};

use crate::simulator::routeros::request::{Fields, Refused};
use crate::simulator::routeros::router::{Arguments, Router};
use crate::simulator::routeros::table::Row;
use crate::simulator::routeros::value::{parse_id, print_id};
use crate::simulator::routeros::wireguard::Shown;

/// What a reply about a disabled route does not have.
const ONLY_ENABLED: [&str; 4] = ["distance", "routing-table", "scope", "target-scope"];

/// Where the ids of connected routes begin.
const CONNECTED: u64 = 0x2018_0000;

/// The property that nobody sees, with the second from which on an address is there.
const SINCE: &str = "(since)";

/// How many seconds later the route to the network of an address is there.
const ROUTE_IS_LATE: i64 = 2;

impl Router {
    pub(super) fn complete_address(
        &mut self,
        id: Option<u64>,
        row: &mut Row,
        arguments: &Arguments,
    ) -> Result<(), Refused> {
        take_netmask(row)?;
        self.refuse_same_address("ip/address", id, row)?;
        let changes = |name: &str| arguments.set.contains_key(name);
        let stays = id.is_some() && self.switches.network_stays;
        if !changes("network") && (row.get("network").is_none() || (changes("address") && !stays)) {
            let network = row.text("address").parse::<IpNet>().map(|net| net.network().to_string());
            row.set("network", network.unwrap_or_default());
        }
        if id.is_none() || changes("address") || changes("disabled") {
            row.set(SINCE, self.now.as_second().to_string());
        }
        Ok(())
    }

    pub(super) fn complete_address6(
        &mut self,
        id: Option<u64>,
        row: &mut Row,
    ) -> Result<(), Refused> {
        self.refuse_same_address("ipv6/address", id, row)?;
        let is_64 = row.text("address").ends_with("/64");
        row.fill("advertise", if is_64 { "true" } else { "false" });
        if row.is_true("eui-64") {
            let rewritten = row.text("address").parse::<ipnet::Ipv6Net>().ok().map(|net| {
                let bits = u128::from(net.network()) | 0x0200_5eff_fe00_5300;
                format!("{}/{}", std::net::Ipv6Addr::from(bits), net.prefix_len())
            });
            row.set("address", rewritten.unwrap_or_default());
        }
        Ok(())
    }

    fn refuse_same_address(&self, table: &str, id: Option<u64>, row: &Row) -> Result<(), Refused> {
        let address = |it: &Row| match self.switches.length_tells_addresses {
            true => it.text("address").into_owned(),
            false => it.text("address").split('/').next().unwrap_or_default().to_owned(),
        };
        let is_twin = |(other, it): (u64, &Row)| {
            Some(other) != id
                && row.get("interface") == it.get("interface")
                && address(row) == address(it)
        };
        match self.rows(table).any(is_twin) {
            true => Err(Refused::bad("failure: already have such address")),
            false => Ok(()),
        }
    }

    pub(super) fn complete_member(&mut self, id: Option<u64>, row: &Row) -> Result<(), Refused> {
        let is_builtin =
            |(_, it): (u64, &Row)| it.is_true("builtin") && it.get("name") == row.get("list");
        if self.rows("interface/list").any(is_builtin) {
            return Err(Refused::no_match("list"));
        }
        let same = |name: &str, other: &Row| row.get(name) == other.get(name);
        let mut others = self.rows("interface/list/member").filter(|(other, _)| Some(*other) != id);
        match others.any(|(_, it)| same("list", it) && same("interface", it)) {
            false => Ok(()),
            true if self.switches.member_exists => Err(Refused::entry_exists()),
            true => Err(Refused::bad("failure: already have such entry")),
        }
    }

    /// Gives an interface the address that IPv6 has on each one.
    pub(super) fn add_link_local(&mut self, interface: u64) {
        let bytes = self.fixed(u64::MAX - interface);
        let host = u64::from_be_bytes(std::array::from_fn(|at| bytes[at]));
        let address = std::net::Ipv6Addr::from((0xfe80 << 112) | u128::from(host));
        let id = print_id(interface);
        self.insert(
            "ipv6/address",
            Row::new([
                ("address", &*format!("{address}/64")),
                ("interface", &*id),
                ("dynamic", "true"),
                ("link-local", "true"),
                ("advertise", "false"),
            ]),
        );
    }

    pub(super) fn show_address(&self, row: &Row) -> Fields {
        let mut shown = Shown::new(row);
        shown.copy(&["address", "network"]).or("disabled", "false").or("dynamic", "false");
        shown.when_set("comment");
        self.show_place(&mut shown);
        shown.put("invalid", if self.is_up(row) { "false" } else { "true" });
        if self.profile.minor >= 16 {
            shown.put("slave", "false");
            shown.put("vrf", "main");
        }
        shown.fields
    }

    pub(super) fn show_address6(&self, row: &Row) -> Fields {
        let mut shown = Shown::new(row);
        shown.copy(&["address"]).or("disabled", "false").or("dynamic", "false");
        shown.or("advertise", "false").or("eui-64", "false").or("no-dad", "false");
        shown.or("from-pool", "").when_set("comment");
        if self.profile.minor >= 18 {
            shown.or("auto-link-local", "true");
        }
        if self.profile.minor >= 23 {
            shown.or("from-pool-policy", "recommended");
        }
        self.show_place(&mut shown);
        let is_valid = self.is_up(row) && !self.switches.ipv6_is_off;
        shown.put("invalid", if is_valid { "false" } else { "true" });
        let is_link_local = row.is_true("link-local");
        shown.put("link-local", if is_link_local { "true" } else { "false" });
        shown.put("global", if is_link_local { "false" } else { "true" });
        shown.put("deprecated", "false");
        if self.profile.minor >= 16 {
            shown.put("slave", "false");
            shown.put("vrf", "main");
        }
        shown.fields
    }

    fn show_place(&self, shown: &mut Shown<'_>) {
        let place = self.show_reference(shown.row.get("interface").unwrap_or_default());
        shown.put("actual-interface", &place);
        shown.put("interface", place);
    }

    pub(super) fn show_route(&self, row: &Row) -> Fields {
        let mut shown = Shown::new(row);
        let any = if row.text("dst-address").contains(':') { "::/0" } else { "0.0.0.0/0" };
        shown.or("dst-address", any).or("distance", "1").or("scope", "30").or("target-scope", "10");
        shown.or("routing-table", "main").when_set("comment").when_set("check-gateway");
        shown.when_set("pref-src");
        for name in ["gateway", "vrf-interface"] {
            if let Some(reference) = row.get(name) {
                shown.put(name, self.show_gateway(reference));
            }
        }
        if row.get("blackhole").is_some() {
            shown.put("blackhole", "");
        }
        if self.profile.minor < 21 {
            shown.or("suppress-hw-offload", "false");
        }
        if row.is_true("disabled") {
            shown.put("disabled", "true");
            shown.put("inactive", "true");
            for name in ONLY_ENABLED {
                shown.fields.remove(name);
            }
            return shown.fields;
        }
        shown.put("dynamic", "false");
        shown.put("static", "true");
        let is_active = self.leads_somewhere(row);
        shown.put("inactive", if is_active { "false" } else { "true" });
        if is_active {
            shown.put("active", "true");
            let gateway = self.show_reference(row.get("gateway").unwrap_or_default());
            shown.put("immediate-gw", gateway);
        }
        shown.fields
    }

    /// Shows an interface, or an address behind one.
    fn show_gateway(&self, gateway: &[u8]) -> Vec<u8> {
        match gateway.iter().position(|it| *it == b'%') {
            Some(at) => [&gateway[..=at], &self.show_reference(&gateway[at + 1..])].concat(),
            None => self.show_reference(gateway),
        }
    }

    fn leads_somewhere(&self, row: &Row) -> bool {
        let gateway = row.text("gateway");
        match parse_id(gateway.split_once('%').map_or(&gateway, |(_, on)| on)) {
            Some(id) => self.row("interface", id).is_some_and(|it| !it.is_true("disabled")),
            None => true,
        }
    }

    /// The routes that the router has to the networks of its addresses.
    pub(super) fn connected_routes(&self) -> impl Iterator<Item = Fields> {
        let live =
            self.rows("ip/address").filter(|(_, row)| self.is_up(row) && !row.is_true("disabled"));
        let now = self.now.as_second();
        let is_new = move |row: &Row| {
            row.text(SINCE)
                .parse::<i64>()
                .is_ok_and(|since| now < since.saturating_add(ROUTE_IS_LATE))
        };
        let live = live.filter(move |(_, row)| !is_new(row));
        live.map(|(id, row)| {
            let mut shown = Shown::new(row);
            let length = row.text("address").rsplit('/').next().unwrap_or_default().to_owned();
            shown.put("dst-address", format!("{}/{length}", row.text("network")));
            let interface = self.show_reference(row.get("interface").unwrap_or_default());
            shown.put("gateway", &interface);
            shown.put("immediate-gw", interface);
            let local = row.text("address").split('/').next().unwrap_or_default().to_owned();
            shown.put("local-address", local);
            let plain = [("distance", "0"), ("scope", "10"), ("routing-table", "main")];
            let flags = [
                ("active", "true"),
                ("connect", "true"),
                ("dynamic", "true"),
                ("inactive", "false"),
            ];
            for (name, value) in plain.into_iter().chain(flags) {
                shown.put(name, value);
            }
            shown.put(".id", print_id(CONNECTED + id));
            shown.fields
        })
    }

    pub(super) fn show_list(&self, row: &Row) -> Fields {
        let mut shown = Shown::new(row);
        shown.copy(&["name", "include", "exclude"]).when_set("comment");
        shown.or("dynamic", "false").or("builtin", "false");
        shown.fields
    }

    pub(super) fn show_member(&self, row: &Row) -> Fields {
        let mut shown = Shown::new(row);
        shown.copy(&["list"]).or("disabled", "false").or("dynamic", "false").when_set("comment");
        let interface = self.show_reference(row.get("interface").unwrap_or_default());
        shown.put("interface", interface);
        shown.fields
    }

    pub(super) fn show_plain(row: &Row) -> Fields {
        let mut shown = Shown::new(row);
        shown.copy(&["name"]).or("disabled", "false").or("dynamic", "false").when_set("comment");
        shown.fields
    }
}

/// Makes of a netmask the length of the address that it came with.
fn take_netmask(row: &mut Row) -> Result<(), Refused> {
    row.0.remove("broadcast");
    let Some(mask) = row.0.remove("netmask") else { return Ok(()) };
    let invalid = || Refused::invalid("netmask");
    let mask = String::from_utf8_lossy(&mask).parse().map_err(|_| invalid())?;
    let address: Ipv4Net = row.text("address").parse().map_err(|_| invalid())?;
    let address = Ipv4Net::with_netmask(address.addr(), mask).map_err(|_| invalid())?;
    row.set("address", address.to_string());
    Ok(())
}
