//! The programs of a simulated host: which there are, and what they do to it. None ever runs on the real machine.
//!
//! It knows systemd-resolved and `resolvconf` as far as the backend speaks to them, and of a shell how a script ends
//! that says so; of systemd, which units there are and which are started at boot. Everything else ends well and does nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::persist::Style;
use crate::simulator::linux::call::{Program, Ran, Refusal};
use crate::simulator::linux::host::Host;

/// What a server has as a rule.
const USUAL: [&str; 25] = [
    "bash",
    "cat",
    "conntrack",
    "echo",
    "ethtool",
    "false",
    "ip",
    "iptables",
    "ip6tables",
    "logger",
    "modprobe",
    "networkctl",
    "nft",
    "ping",
    "resolvectl",
    "sh",
    "sleep",
    "sysctl",
    "systemctl",
    "tc",
    "test",
    "touch",
    "true",
    "wg",
    "wg-quick",
];

/// What there is to run, and what was run.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// Their names. A program that is named by its path is somebody's own, and always there.
    pub(crate) names: BTreeSet<String>,
    /// Whether the init is systemd, which then runs a resolver where that is installed.
    pub(crate) has_systemd: bool,
    /// What `resolvconf` was given, by link.
    pub(crate) resolvconf: BTreeMap<String, String>,
    /// The units that are started at boot.
    pub(crate) units: BTreeSet<String>,
    /// The links that networkd has brought up, and looks after.
    pub(crate) managed: BTreeSet<String>,
    /// How programs end that do not end well; for tests, and not kept.
    pub(crate) refused: BTreeMap<String, Result<Ran, Refusal>>,
    /// Everything that was run and was no question, in order; for tests, and not kept.
    pub(crate) ran: Vec<Program>,
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            names: usual(),
            has_systemd: true,
            resolvconf: BTreeMap::new(),
            units: BTreeSet::new(),
            managed: BTreeSet::new(),
            refused: BTreeMap::new(),
            ran: Vec::new(),
        }
    }
}

impl Programs {
    pub(crate) fn has(&self, name: &str) -> bool {
        name.starts_with('/') || self.names.contains(name)
    }

    /// Returns how a program ends whatever it is told, if that is settled.
    fn settled(&self, name: &str) -> Option<Result<Ran, Refusal>> {
        if !self.has(name) {
            return Some(Err(Refusal::no_program(name)));
        }
        self.refused.get(name).cloned()
    }

    /// Knows the units of wg-quick and of networkd, and lets them be started at boot or not.
    fn start(&mut self, verb: &str, unit: &str) -> Ran {
        let template = unit.split_once('@').map_or(unit, |(template, _)| template);
        let is_there = match template {
            "wg-quick" => self.has("wg-quick"),
            "systemd-networkd.service" => true,
            _ => false,
        };
        if !is_there || !unit.ends_with(".service") {
            return ended(1, &format!("Failed to {verb} unit: Unit file {unit} does not exist."));
        }
        match verb {
            "enable" => _ = self.units.insert(unit.to_owned()),
            _ => _ = self.units.remove(unit),
        }
        ended(0, "")
    }
}

impl Host {
    /// Answers a program that only asks; none for one that may change something.
    pub(crate) fn answer(&self, program: &Program) -> Option<Result<Ran, Refusal>> {
        let argv: Vec<&str> = program.argv.iter().map(String::as_str).collect();
        let answer = match *argv.as_slice() {
            ["systemctl", "is-active", ..] => {
                let runs = self.programs.has_systemd && self.programs.has("resolvectl");
                ended(if runs { 0 } else { 3 }, "")
            }
            ["resolvectl", what @ ("dns" | "domain"), link] => match self.links.get(link) {
                Some(it) => {
                    let list = if what == "dns" { &it.dns } else { &it.domains };
                    ended(0, format!("Link 9 ({link}): {}", list.join(" ")).trim_end())
                }
                None => ended(1, &no_link(link)),
            },
            ["networkctl", .., "list", link] => {
                let is_managed = self.programs.managed.contains(link);
                let setup = if is_managed { "configured" } else { "unmanaged" };
                ended(0, &format!("  9 {link} wireguard routable {setup}"))
            }
            _ => return None,
        };
        Some(self.programs.settled(argv[0]).unwrap_or(Ok(answer)))
    }

    pub(crate) fn run(&mut self, program: &Program) -> Result<Ran, Refusal> {
        let argv: Vec<&str> = program.argv.iter().map(String::as_str).collect();
        let name = argv.first().copied().unwrap_or_default();
        if self.programs.has(name) {
            self.programs.ran.push(program.clone());
        }
        if let Some(settled) = self.programs.settled(name) {
            return settled;
        }
        Ok(match *argv.as_slice() {
            ["false", ..] => ended(1, ""),
            ["resolvectl", _, link, ..] if self.programs.managed.contains(link) => {
                ended(1, &format!("Failed to set DNS configuration: Link {link} is managed."))
            }
            ["networkctl", "reload"] => self.reload_networkd(),
            ["resolvectl", what @ ("dns" | "domain"), link, ref list @ ..] => {
                self.set_names(what, link, list)
            }
            ["sh", "-c", script, "sh", link, ref text @ ..] if script.contains("resolvconf -") => {
                self.resolvconf(link, text.first().copied())
            }
            ["systemctl", verb @ ("enable" | "disable"), unit] => self.programs.start(verb, unit),
            ["systemctl", ..] => ended(1, "Unknown command verb or arguments."),
            ["sh" | "bash", "-c", script, ..] => {
                let status = script.rsplit_once("exit ").and_then(|(_, it)| it.trim().parse().ok());
                ended(status.unwrap_or(0), "")
            }
            _ => ended(0, ""),
        })
    }

    /// Lets networkd read the networks of its links again; of what they say, only name servers are its alone.
    fn reload_networkd(&mut self) -> Ran {
        for name in self.programs.managed.clone() {
            let path = Style::Networkd.paths(&name).pop().unwrap_or_default();
            let (dns, domains) = self.name_servers_in(&path);
            if let Some(link) = self.links.get_mut(&name) {
                (link.dns, link.domains) = (dns, domains);
            }
        }
        ended(0, "")
    }

    fn set_names(&mut self, what: &str, link: &str, list: &[&str]) -> Ran {
        let Some(found) = self.links.get_mut(link) else { return ended(1, &no_link(link)) };
        let list: Vec<String> = match list {
            [""] => Vec::new(),
            list => list.iter().map(ToString::to_string).collect(),
        };
        let is_server = |it: &String| it.parse::<IpAddr>().is_ok();
        match (what, list.iter().find(|it| !is_server(it))) {
            ("dns", Some(bad)) => {
                return ended(1, &format!("Failed to parse DNS server address: {bad}"));
            }
            ("dns", None) => found.dns = list,
            _ => found.domains = list,
        }
        ended(0, "")
    }

    fn resolvconf(&mut self, link: &str, text: Option<&str>) -> Ran {
        if !self.programs.has("resolvconf") {
            return ended(127, "sh: 1: resolvconf: not found");
        }
        match text {
            Some(text) => _ = self.programs.resolvconf.insert(link.to_owned(), text.to_owned()),
            None => _ = self.programs.resolvconf.remove(link),
        }
        ended(0, "")
    }
}

fn ended(status: i32, tail: &str) -> Ran {
    Ran { status, tail: tail.to_owned() }
}

fn no_link(link: &str) -> String {
    format!("Failed to resolve interface \"{link}\": No such device")
}

/// Returns the names of the programs of a new host.
pub(crate) fn usual() -> BTreeSet<String> {
    USUAL.iter().map(ToString::to_string).collect()
}
