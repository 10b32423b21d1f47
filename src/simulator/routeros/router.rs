//! A router as data, and what its menus do: print, add, set and remove, each a plain function.
//!
//! Knows no socket, no user but by what they may do, and no clock.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::simulator::routeros::carried::Carried;
use crate::simulator::routeros::log::Log;
use crate::simulator::routeros::menu::{Form, MENUS, Menu};
use crate::simulator::routeros::order::place;
use crate::simulator::routeros::profile::{Profile, Switches};
use crate::simulator::routeros::request::{Fields, Refused};
use crate::simulator::routeros::table::{Row, Table};
use crate::simulator::routeros::users::Rights;
use crate::simulator::routeros::value::{parse_id, print_id};

/// A router.
pub(super) struct Router {
    pub(super) profile: &'static Profile,
    pub(super) switches: Switches,
    pub(super) seed: u64,
    /// How often something was drawn from the seed.
    pub(super) drawn: u64,
    pub(super) booted_at: Timestamp,
    /// A virtual one has a system id, and no serial number.
    pub(super) is_virtual: bool,
    /// By how many seconds its clock is slow.
    pub(super) clock_is_slow_by: u32,
    pub(super) vrfs: BTreeSet<String>,
    pub(super) tables: BTreeMap<&'static str, Table>,
    /// What was changed since somebody asked.
    pub(super) touched: BTreeSet<(&'static str, u64)>,
    /// When the request came that is being answered.
    pub(super) now: Timestamp,
    pub(super) log: Log,
    pub(super) carried: Carried,
}

/// What a client wrote: values by name, and what it wants to be unset.
#[derive(Default)]
pub(super) struct Arguments {
    pub(super) set: BTreeMap<String, String>,
    pub(super) unset: BTreeSet<String>,
}

impl Router {
    /// Makes a router as it comes: a port, an address on it, the lists of the default configuration.
    pub(super) fn new(profile: &'static Profile, seed: u64, now: Timestamp) -> Self {
        let tables = MENUS.iter().filter(|menu| !menu.table.is_empty());
        let empty = |menu: &Menu| Table { next: menu.first_id, ..Table::default() };
        let mut router = Self {
            profile,
            switches: Switches::usual(profile),
            seed,
            drawn: 0,
            booted_at: now,
            is_virtual: false,
            clock_is_slow_by: 0,
            vrfs: BTreeSet::from(["main".to_owned()]),
            tables: tables.map(|menu| (menu.table, empty(menu))).collect(),
            touched: BTreeSet::new(),
            now,
            log: Log::default(),
            carried: Carried::default(),
        };
        router.furnish();
        router
    }

    fn furnish(&mut self) {
        let ether = self.insert(
            "interface",
            Row::new([("type", "ether"), ("name", "ether1"), ("mtu", "1500")]),
        );
        self.insert(
            "interface",
            Row::new([("type", "loopback"), ("name", "lo"), ("mtu", "65536")]),
        );
        let ether = print_id(ether);
        let lan =
            [("address", "192.168.88.1/24"), ("network", "192.168.88.0"), ("interface", &ether)];
        self.insert("ip/address", Row::new(lan));
        for name in ["all", "none", "dynamic", "static"] {
            self.insert("interface/list", Row::new([("name", name), ("builtin", "true")]));
        }
        self.table("interface/list").next = 0x200_0010;
        for name in ["LAN", "WAN"] {
            self.insert("interface/list", Row::new([("name", name)]));
        }
        self.insert("interface/list/member", Row::new([("list", "LAN"), ("interface", &ether)]));
        self.insert("routing/table", Row::new([("name", "main"), ("dynamic", "true")]));
        for single in ["ip/dns", "system/identity"] {
            self.table(single).rows.insert(0, Row::default());
        }
        self.touched.clear();
    }

    /// Gives the objects of a menu as it prints them.
    pub(super) fn print(&self, menu: &Menu, rights: &Rights) -> Vec<Fields> {
        if menu.path == "log" {
            return self.log.print();
        }
        let mut members: Vec<_> = self.members(menu).collect();
        if menu.is_ordered {
            members.sort_by_key(|(id, row)| place(*id, row));
        }
        let show = |(id, row)| self.show(menu, id, row, rights);
        let mut rows: Vec<_> = members.into_iter().map(show).collect();
        if menu.path == "ip/route" {
            rows.extend(self.connected_routes());
        }
        rows
    }

    /// Gives one object as its menu prints it.
    pub(super) fn print_one(
        &self,
        menu: &Menu,
        id: u64,
        rights: &Rights,
    ) -> Result<Fields, Refused> {
        let row = self.row(menu.table, id).ok_or_else(Refused::not_found)?;
        Ok(self.show(menu, id, row, rights))
    }

    fn show(&self, menu: &Menu, id: u64, row: &Row, rights: &Rights) -> Fields {
        let mut fields = match menu.path {
            "interface" => self.show_any_interface(row),
            "interface/wireguard" => self.show_interface(id, row, rights),
            "interface/wireguard/peers" => self.show_peer(row, rights),
            "ip/address" => self.show_address(row),
            "ipv6/address" => self.show_address6(row),
            "ip/route" | "ipv6/route" => self.show_route(row),
            "interface/list" => self.show_list(row),
            "interface/list/member" => self.show_member(row),
            _ => Self::show_plain(row),
        };
        fields.insert(".id".to_owned(), print_id(id).into_bytes());
        fields
    }

    /// Adds an object.
    pub(super) fn add(
        &mut self,
        menu: &'static Menu,
        mut arguments: Arguments,
    ) -> Result<u64, Refused> {
        let helpers = self.take_helpers(menu, &mut arguments)?;
        let mut row = self.parsed(menu, helpers.base.clone(), &arguments.set)?;
        for name in menu.mandatory {
            if row.get(name).is_none() {
                return Err(Refused::missing(name));
            }
        }
        self.complete(menu, None, &mut row, &arguments)?;
        let id = self.insert(menu.table, row);
        if menu.path == "interface/wireguard" {
            self.add_link_local(id);
        }
        self.place_new(menu, id, &helpers);
        if menu.table == "peers" {
            self.carry(id, None, &[]);
        }
        Ok(id)
    }

    /// Changes an object.
    pub(super) fn set(
        &mut self,
        menu: &'static Menu,
        id: u64,
        arguments: Arguments,
    ) -> Result<(), Refused> {
        let before = self.row(menu.table, id).ok_or_else(Refused::not_found)?.clone();
        if before.is_true("dynamic") || before.is_true("builtin") {
            return Err(Refused::bad("failure: can not change dynamic or builtin object"));
        }
        let mut row = self.parsed(menu, before.clone(), &arguments.set)?;
        for name in &arguments.unset {
            if !menu.unset.contains(&name.as_str()) {
                return Err(Refused::unknown(&format!("!{name}")));
            }
            row.0.remove(name);
        }
        self.complete(menu, Some(id), &mut row, &arguments)?;
        self.table(menu.table).rows.insert(id, row);
        self.touched.insert((menu.table, id));
        if menu.table == "peers" {
            let written: Vec<&str> = arguments.set.keys().map(String::as_str).collect();
            self.carry(id, Some(&before), &written);
        }
        Ok(())
    }

    /// Removes an object. What refers to it stays behind, with its id.
    pub(super) fn remove(&mut self, menu: &'static Menu, id: u64) -> Result<(), Refused> {
        let row = self.row(menu.table, id).ok_or_else(Refused::not_found)?.clone();
        if row.is_true("dynamic") || row.is_true("builtin") {
            return Err(Refused::bad("failure: can not remove dynamic or builtin object"));
        }
        self.discard(menu.table, id);
        if menu.table == "peers" {
            self.carry(id, Some(&row), &["disabled"]);
        }
        if menu.path == "interface/wireguard" {
            let own = |(_, row): &(u64, &Row)| {
                row.is_true("dynamic") && row.is("interface", &print_id(id))
            };
            let link_local: Vec<_> =
                self.rows("ipv6/address").filter(own).map(|(id, _)| id).collect();
            for id in link_local {
                self.discard("ipv6/address", id);
            }
        }
        Ok(())
    }

    fn parsed(
        &self,
        menu: &'static Menu,
        mut row: Row,
        arguments: &BTreeMap<String, String>,
    ) -> Result<Row, Refused> {
        for (name, value) in arguments {
            let argument = menu.argument(name, self.profile);
            let argument = argument.ok_or_else(|| Refused::unknown(name))?;
            row.set(name, self.parse(argument, value)?);
        }
        Ok(row)
    }

    /// Fills in what the router chooses, and refuses what cannot be beside what is there.
    fn complete(
        &mut self,
        menu: &Menu,
        id: Option<u64>,
        row: &mut Row,
        arguments: &Arguments,
    ) -> Result<(), Refused> {
        match menu.path {
            "interface/wireguard" => self.complete_interface(id, row),
            "interface/wireguard/peers" => self.complete_peer(id, row),
            "ip/address" => self.complete_address(id, row, arguments),
            "ipv6/address" => self.complete_address6(id, row),
            "interface/list/member" => self.complete_member(id, row),
            _ => Ok(()),
        }
    }

    /// Finds the object that a word of a URL means.
    pub(super) fn find(&self, menu: &Menu, word: &str) -> Result<u64, Refused> {
        if word.starts_with('*') {
            let id = parse_id(word).ok_or_else(Refused::no_identifier)?;
            let found = self.members(menu).find(|(found, _)| *found == id);
            return found.map(|(id, _)| id).ok_or_else(Refused::not_found);
        }
        if !menu.is_named(self.profile) {
            return Err(Refused::no_prefix());
        }
        // The star of an id that a client has encoded is not understood.
        if word.to_ascii_uppercase().contains("%2A") {
            return Err(Refused::no_identifier());
        }
        let name = crate::simulator::routeros::query::decoded(word);
        let found = self.members(menu).find(|(_, row)| row.get("name") == Some(&name));
        found.map(|(id, _)| id).ok_or_else(Refused::not_found)
    }

    /// Returns the objects that a menu shows.
    fn members<'a>(&'a self, menu: &Menu) -> impl Iterator<Item = (u64, &'a Row)> + use<'a> {
        let only_wireguard = menu.path == "interface/wireguard";
        // The address that IPv6 gives an interface by itself goes with the interface's state.
        let is_there = move |row: &Row| match only_wireguard {
            true => row.is("type", "wg"),
            false => {
                !row.is_true("dynamic") || !row.0.contains_key("link-local") || self.is_up(row)
            }
        };
        self.rows(menu.table).filter(move |(_, row)| is_there(row))
    }

    /// Returns all objects of a table.
    pub(super) fn rows(&self, table: &str) -> impl Iterator<Item = (u64, &Row)> {
        let rows = self.tables.get(table).into_iter().flat_map(|table| &table.rows);
        rows.map(|(id, row)| (*id, row))
    }

    pub(super) fn row(&self, table: &str, id: u64) -> Option<&Row> {
        self.tables.get(table)?.rows.get(&id)
    }

    /// Returns a table; each one is there from the beginning.
    pub(super) fn table(&mut self, name: &'static str) -> &mut Table {
        self.tables.entry(name).or_default()
    }

    /// Adds an object without asking whether it makes sense.
    pub(super) fn insert(&mut self, table: &'static str, row: Row) -> u64 {
        let id = self.table(table).add(row);
        self.touched.insert((table, id));
        id
    }

    fn discard(&mut self, table: &'static str, id: u64) {
        self.table(table).rows.remove(&id);
        self.touched.insert((table, id));
    }

    pub(super) fn interface_named(&self, name: &str) -> Option<(u64, &Row)> {
        self.rows("interface").find(|(_, row)| row.is("name", name))
    }

    /// Returns the interface that an object refers to, unless it is gone.
    pub(super) fn interface_of(&self, row: &Row) -> Option<&Row> {
        self.row("interface", parse_id(&row.text("interface"))?)
    }

    /// Returns whether the interface of an object is there and enabled.
    pub(super) fn is_up(&self, row: &Row) -> bool {
        self.interface_of(row).is_some_and(|interface| !interface.is_true("disabled"))
    }

    /// Shows a reference: the name of what it refers to, or the id of what is gone.
    pub(super) fn show_reference(&self, reference: &[u8]) -> Vec<u8> {
        let id = std::str::from_utf8(reference).ok().and_then(parse_id);
        let name = id.and_then(|id| self.row("interface", id)?.get("name"));
        name.unwrap_or(reference).to_vec()
    }

    /// Draws 32 bytes. The same seed draws the same ones.
    pub(super) fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        self.fixed(self.drawn)
    }

    /// Returns bytes that a router of this seed always has.
    pub(super) fn fixed(&self, place: u64) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"simulated routeros\0")
            .chain_update(self.seed.to_be_bytes())
            .chain_update(place.to_be_bytes())
            .finalize()
            .into()
    }

    /// Gives every object another id, as restoring a configuration does. References follow.
    pub(super) fn renumber(&mut self) {
        let mut new_ids = BTreeMap::new();
        let menus =
            MENUS.iter().filter(|menu| matches!(menu.form, Form::Objects { .. } | Form::Shown));
        let names: BTreeSet<_> = menus.map(|menu| menu.table).collect();
        for name in names {
            let table = self.table(name);
            let rows = std::mem::take(&mut table.rows);
            for (old, row) in rows {
                let new = table.add(row);
                if name == "interface" {
                    new_ids.insert(print_id(old), print_id(new));
                }
            }
        }
        for table in self.tables.values_mut() {
            for row in table.rows.values_mut() {
                for name in ["interface", "gateway", "vrf-interface"] {
                    let old = row.text(name).into_owned();
                    // An address may stand before it.
                    let (before, id) = old.split_at(old.find('*').unwrap_or(old.len()));
                    if let Some(new) = new_ids.get(id) {
                        row.set(name, format!("{before}{new}"));
                    }
                }
            }
        }
        self.carry_all();
    }
}
