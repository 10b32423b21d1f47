//! The programs of a simulated host: which there are, and what they do to it. None ever runs on the real machine.

use std::collections::{BTreeMap, BTreeSet};

use crate::simulator::linux::call::{Program, Ran, Refusal};

/// What a server has as a rule.
const USUAL: [&str; 24] = [
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
    /// Whether the init is systemd.
    pub(crate) has_systemd: bool,
    /// The units that are started at boot.
    pub(crate) units: BTreeSet<String>,
    /// How programs end that do not end well; for tests, and not kept.
    pub(crate) refused: BTreeMap<String, Result<Ran, Refusal>>,
    /// Everything that was run, in order; for tests, and not kept.
    pub(crate) ran: Vec<Program>,
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            names: usual(),
            has_systemd: true,
            units: BTreeSet::new(),
            refused: BTreeMap::new(),
            ran: Vec::new(),
        }
    }
}

impl Programs {
    pub(crate) fn has(&self, name: &str) -> bool {
        name.starts_with('/') || self.names.contains(name)
    }

    pub(crate) fn run(&mut self, program: &Program) -> Result<Ran, Refusal> {
        let name = program.argv.first().map_or("", String::as_str);
        if !self.has(name) {
            return Err(Refusal::no_program(name));
        }
        self.ran.push(program.clone());
        match self.refused.get(name) {
            Some(answer) => answer.clone(),
            None if name == "systemctl" => Ok(self.systemctl(&program.argv[1..])),
            None => Ok(Ran { status: i32::from(name == "false"), tail: String::new() }),
        }
    }
}

impl Programs {
    /// Knows the units of wg-quick and of networkd, and what starts them at boot.
    fn systemctl(&mut self, words: &[String]) -> Ran {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (verb, unit) = match words.as_slice() {
            [verb @ ("enable" | "disable"), unit] => (*verb, *unit),
            _ => return failed("Unknown command verb or arguments."),
        };
        let template = unit.split_once('@').map_or(unit, |(template, _)| template);
        let is_there = match template {
            "wg-quick" => self.has("wg-quick"),
            "systemd-networkd.service" => true,
            _ => false,
        };
        if !is_there || !unit.ends_with(".service") {
            return failed(&format!("Failed to {verb} unit: Unit file {unit} does not exist."));
        }
        match verb {
            "enable" => _ = self.units.insert(unit.to_owned()),
            _ => _ = self.units.remove(unit),
        }
        Ran { status: 0, tail: String::new() }
    }
}

fn failed(why: &str) -> Ran {
    Ran { status: 1, tail: why.to_owned() }
}

/// Returns the names of the programs of a new host.
pub(crate) fn usual() -> BTreeSet<String> {
    USUAL.iter().map(ToString::to_string).collect()
}
