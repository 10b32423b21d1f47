//! What the calls of a Linux host take and give, as plain data. The simulated host answers in these words, and the
//! Linux backend speaks them to the real one too, so that one piece of code runs over both.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use rustix::io::Errno;

pub use crate::actual::HostFile;
use crate::value::{
    Cidr, Keepalive, Prefix, PresharedKey, PrivateKey, PublicKey, Route, RouteRule,
};

/// A call that did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The system's own word.
    Errno(Errno),
    /// What no error number says.
    Said {
        /// Why, in lower case without a final period; never a secret.
        reason: String,
        /// What to do.
        hints: Vec<String>,
    },
}

impl Refusal {
    /// Says why, and what to do.
    pub fn said(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Said { reason: reason.into(), hints: vec![hint.into()] }
    }

    /// Says that a program is not there.
    pub fn no_program(name: &str) -> Self {
        Self::said(
            format!("there is no program `{name}` on the host"),
            "install it, or write its absolute path",
        )
    }

    /// Says that a program was killed because it took too long.
    pub fn timed_out(program: &str, timeout: Duration, tail: &str) -> Self {
        let said = if tail.is_empty() { String::new() } else { format!("; it said: {tail}") };
        Self::said(
            format!("`{program}` did not end within {timeout:?} and was killed{said}"),
            "see by hand what it waits for, and let what lasts run in the background",
        )
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// What is behind a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// The kernel's WireGuard.
    Kernel,
    /// A tun device whose WireGuard is a process.
    Userspace,
    /// Something that is no WireGuard.
    Other,
}

/// Which WireGuard a new interface gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireGuard {
    /// The kernel's.
    Kernel,
    /// The kernel's is asked for, and the kernel has none.
    NoKernel,
    /// A process.
    Userspace {
        /// Its program.
        program: String,
        /// Whether it is installed.
        is_there: bool,
        /// Whether `/dev/net/tun` is there, which every one of them needs.
        has_tun: bool,
    },
}

/// One network link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What is behind it.
    pub kind: LinkKind,
    /// Whether it was set up.
    pub is_up: bool,
    /// In bytes.
    pub mtu: u32,
    /// Its addresses, without the one that a tun device gives itself.
    pub addresses: BTreeSet<Cidr>,
}

/// What WireGuard holds for one link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// None while it has none.
    pub private_key: Option<PrivateKey>,
    /// 0 while it has none.
    pub listen_port: u16,
    /// 0 for none.
    pub fwmark: u32,
    /// Its peers.
    pub peers: BTreeMap<PublicKey, DevicePeer>,
}

/// What WireGuard holds for one peer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DevicePeer {
    /// None for none.
    pub preshared_key: Option<PresharedKey>,
    /// Where it is, set or learnt.
    pub endpoint: Option<SocketAddr>,
    /// How often it is sent a packet.
    pub persistent_keepalive: Keepalive,
    /// Its networks.
    pub allowed_ips: BTreeSet<Prefix>,
    /// When the last handshake was.
    pub last_handshake: Option<Timestamp>,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
}

/// What to change of a device; what is unset stays.
#[derive(Debug, Clone, Default)]
pub struct DeviceChange {
    /// A new key.
    pub private_key: Option<PrivateKey>,
    /// A new port; 0 lets the device choose.
    pub listen_port: Option<u16>,
    /// A new mark; 0 for none.
    pub fwmark: Option<u32>,
    /// Whether all peers go first.
    pub clears_peers: bool,
    /// In order.
    pub peers: Vec<PeerChange>,
}

/// What to change of a peer; one that is not there is made.
#[derive(Debug, Clone)]
pub struct PeerChange {
    /// Which.
    pub public_key: PublicKey,
    /// Whether it goes.
    pub removes: bool,
    /// A new pre-shared key, or none.
    pub preshared_key: Option<Option<PresharedKey>>,
    /// A new endpoint.
    pub endpoint: Option<SocketAddr>,
    /// A new keepalive.
    pub persistent_keepalive: Option<Keepalive>,
    /// Whether the networks that it has go first.
    pub clears_allowed_ips: bool,
    /// Networks to add, taken from whichever peer has them.
    pub allowed_ips: Vec<Prefix>,
}

impl PeerChange {
    /// Changes nothing of a peer.
    pub fn new(public_key: PublicKey) -> Self {
        Self {
            public_key,
            removes: false,
            preshared_key: None,
            endpoint: None,
            persistent_keepalive: None,
            clears_allowed_ips: false,
            allowed_ips: Vec::new(),
        }
    }

    /// Removes a peer.
    pub fn removal(public_key: PublicKey) -> Self {
        Self { removes: true, ..Self::new(public_key) }
    }
}

/// One route of a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostRoute {
    /// Where to, in which table and with which metric.
    pub route: Route,
    /// The link that it leads to; none when it leads to several, or nowhere.
    pub device: Option<String>,
    /// Who made it, as `/etc/iproute2/rt_protos` has them.
    pub protocol: u8,
}

/// One policy rule of a host that has the form of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostRule {
    /// What it says.
    pub rule: RouteRule,
    /// Who made it.
    pub protocol: u8,
}

/// What the routes and rules of wgform are marked with, so that they are told from others. Nobody has it in
/// `/etc/iproute2/rt_protos`.
pub const PROTOCOL: u8 = Route::PROTOCOL;

/// All routes of a host but those of its local table, and what there is to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostRouting {
    /// The routes.
    pub routes: Vec<HostRoute>,
    /// The policy rules that have the form of ours.
    pub rules: Vec<HostRule>,
    /// The tables that have a name.
    pub table_names: BTreeMap<String, u32>,
}

/// One change of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoutingChange {
    /// Adds a route.
    AddRoute(HostRoute),
    /// Removes the route that is the same in everything.
    DeleteRoute(HostRoute),
    /// Adds a rule.
    AddRule(HostRule),
    /// Removes the rule that is the same in everything.
    DeleteRule(HostRule),
}

/// The change of several at which a host stopped, by its place, and why. What comes before it is done.
pub type NotRouted = (usize, Refusal);

/// A program that runs on the host to its end, without input. Never with secrets in its arguments or environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its name, looked for in the host's `PATH`, or its absolute path; then its arguments. No shell reads them.
    pub argv: Vec<String>,
    /// Variables besides `PATH`, `HOME` and `LANG`, which are the host's.
    pub environment: BTreeMap<String, String>,
    /// After so long it is killed, with what it started.
    pub timeout: Duration,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; 128 and the signal's number when a signal ended it.
    pub status: i32,
    /// The last lines of what it wrote to stdout and stderr: printable, at most [`TAIL_BYTES`].
    pub tail: String,
}

/// So much is kept of what a program says.
pub const TAIL_BYTES: usize = 2048;

/// Returns the last whole lines of what a program said, with nothing in them that moves a cursor.
pub fn printable_tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let text = text.replace('\t', " ");
    let text: String = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    let text = text.trim();
    let mut start = text.len().saturating_sub(TAIL_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let kept = &text[start..];
    let whole_lines = kept.split_once('\n').filter(|_| start > 0 || bytes.len() > TAIL_BYTES);
    whole_lines.map_or(kept, |(_, whole)| whole).to_owned()
}

/// Returns whether a link can have this name.
pub fn is_link_name(name: &str) -> bool {
    /// `IFNAMSIZ` less the final zero.
    const NAME_BYTES: usize = 15;
    let is_bad = |c: char| c == '/' || c == ':' || c.is_ascii_whitespace() || c == '\0';
    (1..=NAME_BYTES).contains(&name.len()) && name != "." && name != ".." && !name.contains(is_bad)
}
