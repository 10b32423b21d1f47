//! What a router says of itself, the menus with one object, and the question which arguments a command has.

use jiff::{SignedDuration, Timestamp};

use crate::simulator::routeros::duration;
use crate::simulator::routeros::menu::{self, Form, MENUS, Menu};
use crate::simulator::routeros::request::{Fields, Refused};
use crate::simulator::routeros::router::{Arguments, Router};
use crate::simulator::routeros::table::Row;
use crate::simulator::routeros::users::Rights;
use crate::simulator::routeros::wireguard::Shown;

/// What each of these things of a router is derived from.
const SERIAL: u64 = 1 << 62;
const LICENSE: u64 = SERIAL + 1;

impl Router {
    /// Gives the object of a menu that has one.
    pub(super) fn print_single(
        &self,
        menu: &Menu,
        rights: &Rights,
        now: Timestamp,
    ) -> Result<Fields, Refused> {
        match menu.path {
            "system/resource" => self.resource(rights, now),
            "system/routerboard" => Ok(self.routerboard()),
            "system/license" => Ok(self.license()),
            "system/clock" => Ok(self.clock(now)),
            "ipv6/settings" => {
                let is_off = if self.switches.ipv6_is_off { "true" } else { "false" };
                Ok(fields(&[("disable-ipv6", is_off), ("forward", "true")]))
            }
            "system/identity" => {
                let mut shown = Shown::new(self.single(menu)?);
                Ok(std::mem::take(&mut shown.or("name", "MikroTik").fields))
            }
            _ => self.dns(menu),
        }
    }

    /// Changes the object of a menu that has one.
    pub(super) fn set_single(
        &mut self,
        menu: &'static Menu,
        arguments: Arguments,
    ) -> Result<(), Refused> {
        match menu.form {
            Form::Single { writable: true } => self.set(menu, 0, arguments),
            _ => Err(Refused::no_directory("set")),
        }
    }

    fn single(&self, menu: &Menu) -> Result<&Row, Refused> {
        self.row(menu.table, 0).ok_or_else(Refused::not_found)
    }

    fn resource(&self, rights: &Rights, now: Timestamp) -> Result<Fields, Refused> {
        if self.switches.resource_needs_test && self.profile.minor >= 24 && !rights.has("test") {
            return Err(Refused::not_permitted());
        }
        let uptime =
            u64::try_from(now.duration_since(self.booted_at).as_secs()).unwrap_or_default();
        let board = if self.is_virtual { "CHR" } else { "RB5009UG+S+" };
        let machine = if self.is_virtual { "x86_64" } else { "arm64" };
        Ok(fields(&[
            ("version", self.profile.version),
            ("uptime", &duration::print_seconds(uptime)),
            ("board-name", board),
            ("architecture-name", machine),
            ("platform", "MikroTik"),
            ("cpu", machine),
            ("cpu-count", "4"),
            ("total-memory", "1073741824"),
        ]))
    }

    fn routerboard(&self) -> Fields {
        if self.is_virtual {
            return fields(&[("routerboard", "false")]);
        }
        let version = self.profile.version.split(' ').next().unwrap_or_default();
        fields(&[
            ("routerboard", "true"),
            ("model", "RB5009UG+S+"),
            ("serial-number", &self.text_of(SERIAL, 12)),
            ("firmware-type", "70x0"),
            ("factory-firmware", "7.4.1"),
            ("current-firmware", version),
            ("upgrade-firmware", version),
        ])
    }

    fn license(&self) -> Fields {
        let id = self.text_of(LICENSE, 8);
        let (first, second) = id.split_at(4);
        match self.is_virtual {
            true => fields(&[("system-id", &self.text_of(LICENSE, 11)), ("level", "free")]),
            false => fields(&[
                ("software-id", &format!("{first}-{second}")),
                ("nlevel", "5"),
                ("features", ""),
            ]),
        }
    }

    fn clock(&self, now: Timestamp) -> Fields {
        let shown =
            now.checked_sub(SignedDuration::from_secs(self.clock_is_slow_by.into())).unwrap_or(now);
        let text = shown.to_string();
        let (date, time) = text.split_once('T').unwrap_or((&text, ""));
        let offset = if self.switches.offset_in_seconds { "0" } else { "+00:00" };
        fields(&[
            ("date", date),
            ("time", time.get(..8).unwrap_or_default()),
            ("time-zone-name", "UTC"),
            ("time-zone-autodetect", "true"),
            ("gmt-offset", offset),
            ("dst-active", "false"),
        ])
    }

    fn dns(&self, menu: &Menu) -> Result<Fields, Refused> {
        let mut shown = Shown::new(self.single(menu)?);
        shown.copy(&["servers"]).or("allow-remote-requests", "false").or("cache-size", "2048");
        shown.or("cache-max-ttl", "1w").or("max-concurrent-queries", "100");
        shown.put("dynamic-servers", "192.168.88.254");
        shown.put("cache-used", "48");
        for (since, name, default) in [
            (10, "address-list-extra-time", "0s"),
            (15, "vrf", "main"),
            (16, "mdns-repeat-ifaces", ""),
        ] {
            if self.profile.minor >= since {
                shown.or(name, default);
            }
        }
        Ok(shown.fields)
    }

    /// Answers which directories, commands or arguments are below a path: `interface,wireguard,peers,add`.
    pub(super) fn inspect(&self, arguments: &Arguments) -> Result<Vec<Fields>, Refused> {
        if arguments.set.get("request").is_none_or(|it| it != "child") {
            return Err(Refused::missing("request"));
        }
        let path = arguments.set.get("path").ok_or_else(|| Refused::missing("path"))?;
        let path = path.replace(',', "/");
        if let Some(menu) = self.menu(&path) {
            return Ok(self.children(menu));
        }
        let (parent, command) = path.rsplit_once('/').unwrap_or(("", &path));
        match (self.menu(parent), command) {
            (Some(menu), "add" | "set") => {
                let arguments = menu.arguments(self.profile);
                Ok(arguments.map(|it| child(it.name, "arg")).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn children(&self, menu: &Menu) -> Vec<Fields> {
        let commands: &[&str] = match menu.form {
            Form::Objects { .. } => {
                &["add", "comment", "disable", "enable", "print", "remove", "set", "unset"]
            }
            Form::Single { writable: true } => &["print", "set"],
            Form::Single { writable: false } | Form::Shown => &["print"],
        };
        let below = |it: &&Menu| {
            it.path
                .strip_prefix(menu.path)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|rest| !rest.contains('/'))
        };
        let directories = MENUS.iter().filter(below).filter_map(|it| it.path.rsplit('/').next());
        let directories = directories.map(|name| child(name, "dir"));
        directories.chain(commands.iter().map(|name| child(name, "cmd"))).collect()
    }

    /// Finds a menu that this router has.
    pub(super) fn menu(&self, path: &str) -> Option<&'static Menu> {
        let is_there = !(self.switches.no_ipv6_menus && path.starts_with("ipv6/"));
        menu::find(path).filter(|_| is_there)
    }

    /// A text of capital letters and digits that a router of this seed always has.
    fn text_of(&self, place: u64, length: usize) -> String {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
        self.fixed(place).iter().take(length).map(letter).collect()
    }
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

fn child(name: &str, kind: &str) -> Fields {
    fields(&[("type", "child"), ("name", name), ("node-type", kind)])
}
