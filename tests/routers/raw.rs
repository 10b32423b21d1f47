//! A router asked in its own words: what a suite needs besides a backend, and takes away afterwards.

use std::sync::{Arc, Mutex};

use ipnet::IpNet;
use wgform::backend::Trace;
use wgform::backend::routeros::client::{
    Cause, Client, Failure, Fields, Pace, Row, Settings, Trust,
};
use wgform::config::{Password, RouterOs};
use wgform::value::Secret;
use zeroize::Zeroizing;

use crate::conformance::bed::{id, wait};
use crate::routers::under::{LOWER, PREFIX};

/// What scenarios and probes put on a router, and what must therefore be nobody's.
const ROOM: [&str; 9] = [
    "10.8.0.0/24",
    "10.9.0.0/24",
    "10.20.0.0/16",
    "10.30.0.0/16",
    "10.40.0.0/16",
    "10.77.0.0/16",
    "192.0.2.1/32",
    "fd00:8::/64",
    "fd00:77::/64",
];

/// The ports that scenarios name.
const PORTS: [u32; 2] = [51_820, 51_999];

/// Where ours is first what refers to something, and then what it refers to.
const MENUS: [(&str, &str); 9] = [
    ("ip/route", "gateway"),
    ("ipv6/route", "gateway"),
    ("ip/address", "interface"),
    ("ipv6/address", "interface"),
    ("interface/wireguard/peers", "interface"),
    ("interface/list/member", "interface"),
    ("interface/wireguard", "name"),
    ("routing/table", "name"),
    ("interface/list", "name"),
];

/// A router.
pub struct Raw {
    client: Client,
    lines: Lines,
}

/// What was asked and answered.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    /// Returns what writes them.
    pub fn trace(&self) -> Trace {
        let lines = self.clone();
        Trace::new(move |line| lines.0.lock().unwrap().push(line.to_owned()))
    }

    /// Counts the requests that begin so: `PUT /rest/ip/route`.
    pub fn count(&self, request: &str) -> usize {
        let request = format!("> {}", request.replacen("/rest/", "/", 1));
        self.0.lock().unwrap().iter().filter(|line| line.contains(&request)).count()
    }

    fn last(&self) -> String {
        self.0.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

impl Raw {
    pub fn new(router: &RouterOs) -> Self {
        let lines = Lines::default();
        let pin = router.tls.tls_pin_sha256.as_deref().and_then(Trust::pinned);
        let Password::Given(password) = &router.api_password else { panic!("a password") };
        let settings = Settings {
            backend: id(),
            api_url: router.api_url.clone(),
            api_user: router.api_user.clone(),
            api_password: Secret::new(password.expose()),
            trust: pin.unwrap_or(Trust::System),
            api_timeout: router.api_timeout,
            concurrency: Settings::CONCURRENCY,
            trace: lines.trace(),
            pace: Pace::default(),
        };
        Self { client: Client::new(settings).unwrap(), lines }
    }

    /// Reads a menu; none when there is no such menu, as of IPv6.
    pub fn menu(&self, menu: &str) -> Option<Vec<Row>> {
        match wait(self.client.list("look", menu)) {
            Ok(rows) => Some(rows),
            Err(Failure { cause: Cause::NotFound | Cause::Refused(_), .. }) => None,
            Err(failure) => panic!("{failure}"),
        }
    }

    /// Reads what is in a menu, if it is there.
    pub fn list(&self, menu: &str) -> Vec<Row> {
        self.menu(menu).unwrap_or_default()
    }

    /// Reads an object, or the one object of a menu.
    pub fn one(&self, path: &str) -> Result<Row, Failure> {
        wait(self.client.one("look", path))
    }

    /// Returns the beginning of the last body: `[` or `{`.
    pub fn last_begins(&self, with: char) -> bool {
        let line = self.lines.last();
        line.split_once("< 200 ").is_some_and(|(_, body)| body.starts_with(with))
    }

    /// Makes an object. The error is what the router says.
    pub fn add(&self, menu: &str, fields: &[(&'static str, &str)]) -> Result<Row, String> {
        wait(self.client.add("make", menu, &spelled(fields))).map_err(words)
    }

    /// Changes one.
    pub fn set(
        &self,
        menu: &str,
        id: &str,
        fields: &[(&'static str, &str)],
    ) -> Result<Row, String> {
        wait(self.client.set("change", menu, id, &spelled(fields))).map_err(words)
    }

    pub fn remove(&self, menu: &str, id: &str) {
        wait(self.client.remove("remove", menu, id)).unwrap_or_else(|failure| panic!("{failure}"));
    }

    /// Returns the number after `7.` of its version.
    pub fn minor(&self) -> u8 {
        let version = self.one("system/resource").unwrap_or_else(|failure| panic!("{failure}"));
        let minor = version.text("version").strip_prefix("7.").map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse()
        });
        let Some(Ok(minor)) = minor else { panic!("{version:?} is no RouterOS 7") };
        minor
    }

    /// Returns whether it takes IPv6 addresses.
    pub fn has_ipv6(&self) -> bool {
        let settings = self.one("ipv6/settings");
        settings.is_ok_and(|it| matches!(it.text("disable-ipv6"), "" | "false" | "no"))
    }

    /// Says what the suite would disturb.
    pub fn in_the_way(&self) -> Vec<String> {
        let net = |text: &str| text.parse::<IpNet>().ok().map(|net| net.trunc());
        let is_needed = |text: &str| {
            let Some(found) = net(text).filter(|it| it.prefix_len() > 0) else { return false };
            let mut room = ROOM.iter().filter_map(|it| net(it));
            room.any(|it| it.contains(&found) || found.contains(&it))
        };
        let menus = [
            ("ip/address", "address"),
            ("ipv6/address", "address"),
            ("ip/route", "dst-address"),
            ("ipv6/route", "dst-address"),
        ];
        let mut all: Vec<String> = Vec::new();
        for (menu, name) in menus {
            let rows = self.list(menu);
            let texts = rows.iter().map(|row| row.text(name)).filter(|text| is_needed(text));
            all.extend(texts.map(|text| format!("/{menu} {text}")));
        }
        let ports = PORTS.map(|port| (port - LOWER).to_string());
        let rows = self.list("interface/wireguard");
        let taken = rows.iter().map(|row| row.text("listen-port"));
        let taken = taken.filter(|port| ports.iter().any(|it| it == port));
        all.extend(taken.map(|port| format!("/interface/wireguard listen-port={port}")));
        all
    }

    /// Removes everything below the prefix, the lists too when all is over.
    pub fn sweep(&self, is_over: bool) {
        for (menu, name) in MENUS {
            if menu == "interface/list" && !is_over {
                continue;
            }
            let is_ours = |row: &&Row| {
                // An address may stand before an interface, with a `%` between them.
                let text = row.text(name).rsplit('%').next().unwrap_or_default();
                text.starts_with(PREFIX) || row.text("routing-table").starts_with(PREFIX)
            };
            let rows = self.list(menu);
            let rows = rows.iter().filter(|row| row.text("dynamic") != "true").filter(is_ours);
            rows.for_each(|row| self.remove(menu, row.id()));
        }
    }
}

fn spelled(fields: &[(&'static str, &str)]) -> Fields {
    fields.iter().map(|(name, text)| (*name, Zeroizing::new((*text).to_owned()))).collect()
}

/// What the router says; a failure of another kind ends the test.
fn words(failure: Failure) -> String {
    match failure.cause {
        Cause::Refused(words) => words,
        _ => panic!("{failure}"),
    }
}
