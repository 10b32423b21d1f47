//! What the backends said, as data: one [`Picture`] of everything on each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::resource::{BackendId, BackendKind, Fields, Kind};
use crate::value::{PrivateKey, PublicKey, Route, RouteRule};

/// What a refresh found, by backend.
#[derive(Debug, Clone, Default)]
pub struct Actual {
    /// Every backend that was asked.
    pub backends: BTreeMap<BackendId, Reading>,
}

/// The answer of one backend.
#[derive(Debug, Clone)]
pub enum Reading {
    /// It was read whole.
    Read(Box<Picture>),
    /// It could not be read; the text says why and what to do.
    Unreachable(Unreachable),
}

/// Why a backend could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unreachable {
    /// What was attempted and why it failed.
    pub reason: String,
    /// What to do.
    pub hints: Vec<String>,
}

/// What a read has to look at besides what is always there.
#[derive(Debug, Clone, Default)]
pub struct Interest {
    /// Key files outside the backend's own directory.
    pub key_files: BTreeSet<PathBuf>,
    /// Whether the name servers of the interfaces matter.
    pub name_servers: bool,
    /// Whether to look at what brings interfaces back at boot.
    pub boot: bool,
    /// Whether the routes of a router matter, which can be very many. A Linux host always gives them.
    pub routes: bool,
    /// Whether it matters in which interface lists of a router the interfaces are.
    pub interface_lists: bool,
}

/// Everything that is on one backend, whoever made it.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Which kind of system it is.
    pub kind: BackendKind,
    /// Whether a simulator answered.
    pub simulated: bool,
    /// Which system it is.
    pub identity: Identity,
    /// What this system can do, where its kind alone does not tell.
    pub capabilities: Capabilities,
    /// The WireGuard interfaces, by name.
    pub interfaces: BTreeMap<String, FoundInterface>,
    /// Names that are taken by links of other kinds.
    pub other_links: BTreeSet<String>,
    /// Where a key that wgform makes is kept when the configuration names no file.
    pub key_directory: Option<PathBuf>,
    /// The keys in that directory and in every file that was asked for.
    pub key_files: BTreeMap<PathBuf, KeyFile>,
    /// Where the system sends packets.
    pub routing: Routing,
    /// What brings interfaces back at boot; none where nobody asked for it.
    pub boot: Option<Boot>,
    /// What becomes of what is stored, on a device that stores and applies.
    pub service: Option<Service>,
    /// What somebody should know of the system before anything is changed on it.
    pub remarks: Vec<Remark>,
    /// What is on it besides, and can be managed by nobody.
    pub strangers: Vec<Stranger>,
}

impl Picture {
    /// A system that keeps its configuration and has been up for less may not have loaded everything.
    pub const JUST_STARTED: Duration = Duration::from_secs(120);

    /// Returns whether what is not there may only not be loaded yet. A simulated system starts with its first use, and has
    /// everything.
    pub fn is_starting(&self) -> bool {
        let is_young = self.identity.uptime.is_some_and(|uptime| uptime < Self::JUST_STARTED);
        self.kind.keeps_configuration() && !self.simulated && is_young
    }
}

/// Something that is on a system, has to do with WireGuard, and is in no interface of its picture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stranger {
    /// What it is, with a name to find it by.
    pub what: String,
    /// Why nobody can manage it, as a clause.
    pub why: String,
}

impl Stranger {
    /// Names something, and says why nobody can manage it.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}

/// What becomes of what is stored on a device that stores and applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Whether WireGuard is on: while it is off, nothing takes effect.
    pub is_on: bool,
    /// Whether everything that is stored has taken effect.
    pub is_applied: bool,
}

/// Something about a system that is worth a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// What kind of thing it is, without names.
    pub summary: &'static str,
    /// What there is, as a clause.
    pub says: String,
    /// What to do about it, in whole sentences.
    pub hint: &'static str,
}

impl Remark {
    /// Makes a remark.
    pub fn new(summary: &'static str, says: impl Into<String>, hint: &'static str) -> Self {
        Self { summary, says: says.into(), hint }
    }
}

/// What a host does to bring interfaces back when it boots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Boot {
    /// The files in which interfaces can be described, whoever wrote them.
    pub files: BTreeMap<PathBuf, HostFile>,
    /// The units that are started.
    pub units: BTreeSet<String>,
    /// Whether systemd runs, which starts them.
    pub has_systemd: bool,
}

/// A text file of a host. What is in it may be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct HostFile {
    /// What is in it.
    pub text: Zeroizing<String>,
    /// Its permissions, such as `0o600`.
    pub mode: u32,
    /// The name of its group; none for root's.
    pub group: Option<String>,
}

impl HostFile {
    /// Returns a file that only root can read.
    pub fn private(text: Zeroizing<String>) -> Self {
        Self { text, mode: 0o600, group: None }
    }
}

impl fmt::Debug for HostFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, mode, group } = self;
        let group = group.as_deref().unwrap_or("root");
        write!(f, "HostFile({} bytes, {mode:o}, {group})", text.len())
    }
}

/// The routes of a system, whoever made them, and the policy rules of wgform.
#[derive(Debug, Clone, Default)]
pub struct Routing {
    /// The routes, but those to the system's own addresses.
    pub routes: BTreeMap<Route, FoundRoute>,
    /// Further ones of wgform that are equal but for where they lead to: a router has them share the packets.
    pub more: Vec<(Route, FoundRoute)>,
    /// The policy rules that have the form of wgform's, and whether wgform made them, whichever configuration wanted
    /// them.
    pub rules: BTreeMap<RouteRule, bool>,
    /// The tables that have a name.
    pub table_names: BTreeMap<String, u32>,
}

impl Routing {
    /// Returns every route.
    pub fn all(&self) -> impl Iterator<Item = (&Route, &FoundRoute)> {
        self.routes.iter().chain(self.more.iter().map(|(route, found)| (route, found)))
    }
}

/// Where a route leads to, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRoute {
    /// The name of the link; none when it leads to several, or nowhere.
    pub device: Option<String>,
    /// Whether wgform made it, whichever configuration wanted it.
    pub is_marked: bool,
}

/// Which system a backend is, so that another one under the same name is noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Stays the same for the life of the system: the machine id, with the network namespace when there is one.
    pub id: String,
    /// Changes at each boot.
    pub boot_id: Option<String>,
    /// How long it has been up.
    pub uptime: Option<Duration>,
    /// By how much its clock is ahead of ours, to the second, where it tells.
    pub clock_skew: Option<SignedDuration>,
    /// What people call it.
    pub host_name: String,
}

/// What one system can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// An interface can get another name without being made anew (the kernel can, userspace WireGuard cannot).
    pub renames: bool,
    /// What it does with the name servers of a link.
    pub name_servers: NameServers,
    /// The attributes that its version does not have.
    pub lacks: &'static [Lack],
}

/// An attribute that came with a later version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lack {
    /// Of what.
    pub kind: Kind,
    /// Its name.
    pub attribute: &'static str,
    /// The version that has it.
    pub since: &'static str,
}

/// What a system does with the name servers of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameServers {
    /// Nobody asked.
    Unasked,
    /// Nothing there takes them.
    Nowhere,
    /// They are taken, and cannot be read back: `resolvconf`.
    Taken,
    /// They are held by link, and read back: systemd-resolved.
    Held,
}

/// What a backend has for the work, and what it lacks.
#[derive(Debug, Clone)]
pub struct Examination {
    /// What is on it now.
    pub picture: Picture,
    /// What was looked at besides.
    pub facts: Vec<Fact>,
}

impl Examination {
    /// Returns whether nothing is missing that an apply needs.
    pub fn is_fit(&self) -> bool {
        !self.facts.iter().any(|fact| fact.is_needed && !fact.hints.is_empty())
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What, in a word.
    pub about: &'static str,
    /// How it is.
    pub says: String,
    /// What to do about it; empty when it is well.
    pub hints: Vec<String>,
    /// Whether no apply works while it is not well.
    pub is_needed: bool,
}

impl Fact {
    /// Says that something is well.
    pub fn new(about: &'static str, says: impl Into<String>) -> Self {
        Self { about, says: says.into(), hints: Vec::new(), is_needed: false }
    }

    /// Says what to do about something that every apply needs.
    #[must_use]
    pub fn lacks(self, hints: impl IntoIterator<Item = String>) -> Self {
        Self { hints: hints.into_iter().collect(), is_needed: true, ..self }
    }

    /// Says what to do about something that some applies need.
    #[must_use]
    pub fn without(self, hints: impl IntoIterator<Item = String>) -> Self {
        Self { hints: hints.into_iter().collect(), is_needed: false, ..self }
    }
}

/// One interface on a device.
#[derive(Debug, Clone)]
pub struct FoundInterface {
    /// The attributes that the device holds, `public_key` among them and without `private_key`.
    pub fields: Fields,
    /// The private key, where the device gives it.
    pub private_key: Option<PrivateKey>,
    /// The attributes that the device may hold and does not show as they are: they are never a difference.
    pub hidden: BTreeSet<&'static str>,
    /// Its peers.
    pub peers: BTreeMap<PublicKey, FoundPeer>,
    /// How many peers there are besides these, which have no key to be known by.
    pub keyless: usize,
    /// What the device calls it by itself, such as `*3`, until it is made anew; none where that says nothing.
    pub id: Option<String>,
}

/// One peer on a device.
#[derive(Debug, Clone)]
pub struct FoundPeer {
    /// The attributes that the device holds. `endpoint` is the one in use now, learnt or set; the one that is set, where
    /// the device keeps it apart.
    pub fields: Fields,
    /// The attributes that the device may hold and does not show as they are: they are never a difference.
    pub hidden: BTreeSet<&'static str>,
    /// What people call it, where that could not be read exactly: good enough for a label, and for nothing else.
    pub called: Option<String>,
    /// How long ago the last handshake was.
    pub handshake_age: Option<Duration>,
    /// Bytes received from it.
    pub received: u64,
    /// Bytes sent to it.
    pub sent: u64,
    /// What the device calls it by itself, such as `*3`, until it is made anew; none where that says nothing.
    pub id: Option<String>,
}

impl FoundPeer {
    /// In [`FoundPeer::hidden`]: the pre-shared key is another one than was applied, and its value in the fields stands for
    /// one that nobody knows.
    pub const OTHER_SECRET: &str = "another preshared_key";

    /// A session lives while its last handshake is younger than this: WireGuard's REJECT_AFTER_TIME.
    pub const SESSION: Duration = Duration::from_secs(180);

    /// Returns whether the peer has a session now.
    pub fn has_session(&self) -> bool {
        self.handshake_age.is_some_and(|age| age < Self::SESSION)
    }
}

/// What is an interface's own of the key files on its host: a file that holds any other key is somebody else's, and is
/// neither replaced nor removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnKeys {
    /// The keys that its files may hold, besides the one that its device has.
    pub keys: BTreeSet<PublicKey>,
    /// The files that go.
    pub remove: BTreeSet<PathBuf>,
}

/// A file on the host that holds a private key.
#[derive(Debug, Clone)]
pub enum KeyFile {
    /// A key.
    Key(PrivateKey),
    /// Something else, and why it is not usable; never the content.
    Unusable(String),
}
