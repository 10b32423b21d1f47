//! Another Linux host, as it is seen over SSH: `wg`, `ip` and a shell at the far end of one connection.
//!
//! A look at the host is one question, whatever it holds, and what it answered is kept until something changes it. Changes
//! whose end decides nothing yet are collected and sent with the next question: an interface takes three round trips,
//! a group of peers one. So a refusal of such a change comes with the call after it, in words that name what was refused.

mod answers;
mod change;
mod connection;
mod files;
mod routing;
mod script;
mod shell;
mod ssh;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rustix::io::Errno;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::actual::{Fact, HostFile, Identity};
use crate::backend::clock::Told;
use crate::backend::linux::explain::During;
use crate::backend::linux::host::Host;
use crate::backend::linux::remote::connection::Connection;
use crate::backend::linux::remote::script::{About, NotRun, Query, Step, Work};
use crate::backend::linux::remote::shell::{Script, Section};
use crate::backend::linux::userspace;
use crate::config::{Driver, Ssh};
use crate::failpoint::around_host_change;
use crate::simulator::linux::call::{
    Device, DeviceChange, HostRouting, Link, LinkKind, NotRouted, Program, Ran, Refusal,
    RoutingChange, WireGuard, is_link_name,
};
use crate::value::Cidr;
use crate::world::World;

pub(crate) use crate::backend::linux::remote::script::Foresight;

/// A host, and the session with it while nobody works there.
#[derive(Clone)]
pub(crate) struct Far {
    ssh: Ssh,
    netns: Option<String>,
    driver: Driver,
    idle: Arc<Mutex<Option<Session>>>,
}

impl Far {
    pub(crate) fn new(ssh: Ssh, netns: Option<String>, driver: Driver) -> Self {
        Self { ssh, netns, driver, idle: Arc::default() }
    }

    /// Returns how people call it.
    pub(crate) fn name(&self) -> String {
        ssh::name(&self.ssh)
    }
}

impl fmt::Debug for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Far({})", self.name())
    }
}

/// A connection, and what is known of who we are at its other end.
struct Session {
    connection: Connection,
    about: About,
}

/// A host while somebody works there.
pub(crate) struct Remote {
    far: Far,
    world: World,
    session: Option<Session>,
    /// Whether the session was there before, and may have died since.
    is_old: bool,
    /// Why there is no other session: a host that is gone is not waited for twice.
    gone: Option<Refusal>,
    about: About,
    /// The program of a userspace WireGuard.
    program: String,
    /// What will be asked, until it is.
    foresight: Option<Query>,
    seen: Seen,
    /// Changes that were not sent yet.
    pending: Vec<Step>,
    /// A link that was made just now, and that nobody has looked at: how it is set up need not be known at once.
    fresh: Option<String>,
}

/// What the host has answered, as far as it still holds.
#[derive(Default)]
struct Seen {
    identity: Option<Identity>,
    links: Option<BTreeMap<String, Link>>,
    /// The names that a WireGuard process answers for, in whatever namespace.
    served: BTreeSet<String>,
    devices: BTreeMap<String, Result<Device, Refusal>>,
    routing: Option<HostRouting>,
    /// What programs answered that only ask.
    ran: BTreeMap<String, Ran>,
    /// Which programs are there, of those that were asked for.
    has: BTreeMap<String, bool>,
    directories: BTreeMap<PathBuf, Result<Vec<PathBuf>, Refusal>>,
    files: BTreeMap<PathBuf, Result<Option<HostFile>, Refusal>>,
    names: BTreeMap<String, Result<Vec<IpAddr>, Refusal>>,
}

impl Remote {
    /// Connects, unless there is a session.
    pub(crate) fn enter(
        far: &Far,
        program: Option<&str>,
        world: &World,
        foresight: Foresight,
    ) -> Result<Self, Refusal> {
        // What the environment names here says nothing of another host.
        let program = userspace::program(program, &BTreeMap::new());
        let idle = far.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let is_old = idle.is_some();
        let session = match idle {
            Some(session) => session,
            None => Session::open(far, &program, world)?,
        };
        let about = session.about.clone();
        Ok(Self {
            far: far.clone(),
            world: world.clone(),
            session: Some(session),
            is_old,
            gone: None,
            foresight: Some(foresight.query(&about, far.netns.as_deref())),
            about,
            program,
            seen: Seen::default(),
            pending: Vec::new(),
            fresh: None,
        })
    }

    /// Sends a script, over a new connection when there is none.
    fn exchange(&mut self, script: &Script) -> Result<Vec<Section>, Refusal> {
        self.exchange_within(script, self.far.ssh.timeout)
    }

    fn exchange_within(
        &mut self,
        script: &Script,
        longest: Duration,
    ) -> Result<Vec<Section>, Refusal> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.again()?,
        };
        match session.connection.exchange_within(script, longest) {
            Ok(sections) => {
                self.is_old = false;
                self.session = Some(session);
                Ok(sections)
            }
            Err(errno) => {
                self.seen = Seen::default();
                Err(errno.into())
            }
        }
    }

    /// Connects once more. Who fails to is told so from then on.
    fn again(&mut self) -> Result<Session, Refusal> {
        if let Some(refusal) = &self.gone {
            return Err(refusal.clone());
        }
        let opened = Session::open(&self.far, &self.program, &self.world);
        // A host that drops every connection must not keep us busy for ever.
        self.gone = Some(match &opened {
            Ok(_) => Errno::CONNRESET.into(),
            Err(refusal) => refusal.clone(),
        });
        opened
    }

    /// Looks at what will be needed, before anything is changed.
    fn look_ahead(&mut self) -> Result<(), Refusal> {
        match self.foresight.take() {
            None => Ok(()),
            Some(query) => self.ask(&query),
        }
    }

    /// Asks, and keeps the answers.
    fn ask(&mut self, query: &Query) -> Result<(), Refusal> {
        let mut script = Script::default();
        query.write(&mut script);
        let was_old = self.is_old && self.session.is_some();
        let mut asked = Instant::now();
        let sections = match self.exchange(&script) {
            // A session that nobody used for a while may be dead, and a question can be asked twice.
            Err(Refusal::Errno(Errno::CONNRESET)) if was_old => {
                asked = Instant::now();
                self.exchange(&script)?
            }
            answer => answer?,
        };
        let clock = self.keep(query, sections)?.map(|says| Told::new(says, asked));
        if let (Some(clock), Some(identity)) = (clock, &mut self.seen.identity) {
            identity.clock_skew = Some(clock.skew(self.world.now()));
        }
        Ok(())
    }

    /// Sends the changes that wait, and has a look at what they may have touched.
    fn flush(&mut self) -> Result<(), Refusal> {
        self.send().map_err(|(_, refusal)| refusal)
    }

    /// Does so, and says of a refusal which of the changes it is for.
    fn send(&mut self) -> Result<(), NotRouted> {
        let of_all = |refusal| (0, refusal);
        self.look_ahead().map_err(of_all)?;
        let mut done = 0;
        while !self.pending.is_empty() {
            let steps = std::mem::take(&mut self.pending);
            let query = self.after(&steps);
            let mut script = Script::default();
            let groups = script::write_steps(&mut script, &steps);
            query.write(&mut script);
            let sections = around_host_change(|| self.exchange(&script)).map_err(of_all)?;
            let failure = script::failure(&groups, &sections);
            let kept = self.keep(&query, sections);
            let Some((at, refusal)) = failure else { return kept.map(drop).map_err(of_all) };
            let rest = steps.into_iter().skip(at);
            let mut rest = rest.collect::<Vec<_>>().into_iter();
            let Some(failed) = rest.next() else { return Err((done, refusal)) };
            if failed.tolerates.is_none_or(|errno| refusal != Refusal::Errno(errno)) {
                return Err((done + at, failed.worded(refusal)));
            }
            done += at + 1;
            self.pending = rest.collect();
            kept.map_err(of_all)?;
        }
        Ok(())
    }

    /// Forgets what changes may touch, and returns the question for it.
    fn after(&mut self, steps: &[Step]) -> Query {
        let mut query = Query::default();
        self.seen.ran.clear();
        for step in steps {
            if step.is_routing {
                query.has_routing = true;
            }
            if step.changes_links() {
                // With a link, its addresses and its state go routes.
                self.seen.routing = None;
                self.seen.links = None;
                query.has_links = true;
            }
            for name in &step.touches {
                self.seen.devices.remove(name);
                query.devices.insert(name.clone());
            }
            query.files.extend(step.file.clone());
        }
        query
    }

    /// Collects a change whose end decides nothing yet.
    fn defer(&mut self, step: Step) -> Result<(), Refusal> {
        self.pending.push(step);
        Ok(())
    }

    /// Makes a change, after all that wait.
    fn change(&mut self, step: Step) -> Result<(), Refusal> {
        self.look_ahead()?;
        self.pending.push(step);
        self.flush()
    }

    /// Keeps the answers to a query, and returns what the clock said among them.
    fn keep(
        &mut self,
        query: &Query,
        sections: Vec<Section>,
    ) -> Result<Option<Timestamp>, Refusal> {
        let answers = script::read(query, sections)?;
        let seen = &mut self.seen;
        seen.identity = answers.identity.or(seen.identity.take());
        if let Some((links, served)) = answers.links {
            (seen.links, seen.served) = (Some(links), served);
        }
        seen.devices.extend(answers.devices);
        seen.routing = answers.routing.or(seen.routing.take());
        seen.ran.extend(answers.ran);
        seen.has.extend(answers.has);
        seen.directories.extend(answers.directories);
        seen.files.extend(answers.files);
        seen.names.extend(answers.names);
        Ok(answers.clock)
    }

    /// Returns the links, read anew if need be.
    fn seen_links(&mut self) -> Result<&BTreeMap<String, Link>, Refusal> {
        self.look_ahead()?;
        self.flush()?;
        if self.seen.links.is_none() {
            self.ask(&Query { has_links: true, ..Query::default() })?;
        }
        self.seen.links.as_ref().ok_or(Errno::CONNRESET.into())
    }

    fn ip(&self, words: &[&str], links: &[&str]) -> Step {
        let words = words.iter().map(ToString::to_string).collect();
        Step::new(Work::Ip(words), links, words::of_ip)
    }

    /// Returns a file, read anew if need be.
    fn file(&mut self, path: &Path) -> Result<Option<HostFile>, Refusal> {
        self.look_ahead()?;
        if !self.seen.files.contains_key(path) {
            self.ask(&Query { files: [path.to_owned()].into(), ..Query::default() })?;
        }
        self.seen.files.get(path).cloned().unwrap_or(Ok(None))
    }

    fn forget_file(&mut self, path: &Path) {
        self.seen.files.remove(path);
        self.seen.directories.retain(|directory, _| path.parent() != Some(directory));
    }

    /// Starts a process behind a link.
    fn start(&mut self, name: &str) -> Result<(), Refusal> {
        if self.seen.served.contains(name) {
            return Err(Refusal::said(
                "a userspace WireGuard of that name runs in another network namespace",
                "give the interface a name that is unique on the machine: their sockets share one directory",
            ));
        }
        self.change(Step::new(Work::function("start_", name), &[name], script::not_started))
    }

    fn has(&self, kind: LinkKind) -> bool {
        self.seen.links.iter().flat_map(BTreeMap::values).any(|link| link.kind == kind)
    }
}

impl Session {
    fn open(far: &Far, program: &str, world: &World) -> Result<Self, Refusal> {
        let Far { ssh, netns, driver: _, idle: _ } = far;
        let rights = script::rights(ssh.sudo, netns.as_deref(), program);
        let (connection, sections) = Connection::open(ssh, world, &rights)?;
        Ok(Self { connection, about: About::read(&sections)? })
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // No call leaves a change behind. One that did would be lost without a word.
        if !self.pending.is_empty() {
            _ = self.flush();
        }
        *self.far.idle.lock().unwrap_or_else(PoisonError::into_inner) = self.session.take();
    }
}

impl Host for Remote {
    fn identity(&mut self) -> Result<Identity, Refusal> {
        self.look_ahead()?;
        if self.seen.identity.is_none() {
            self.ask(&Query { has_identity: true, ..Query::default() })?;
        }
        self.seen.identity.clone().ok_or(Errno::CONNRESET.into())
    }

    fn key_directory(&mut self) -> PathBuf {
        self.about.keys.clone()
    }

    fn renames(&mut self, _: &BTreeMap<String, Link>) -> bool {
        match self.far.driver {
            Driver::Userspace => false,
            _ if self.has(LinkKind::Userspace) => false,
            Driver::Kernel => true,
            Driver::Auto => self.has(LinkKind::Kernel) || self.about.has_module,
        }
    }

    fn wireguard(&mut self) -> Result<WireGuard, Refusal> {
        Ok(match self.far.driver {
            Driver::Auto | Driver::Kernel if self.about.has_module => WireGuard::Kernel,
            Driver::Kernel => WireGuard::NoKernel,
            Driver::Auto | Driver::Userspace => WireGuard::Userspace {
                program: self.program.clone(),
                is_there: self.about.programs.get(&self.program) == Some(&true),
                has_tun: self.about.has_tun,
            },
        })
    }

    fn may_change(&mut self) -> Result<bool, Refusal> {
        Ok(self.about.may_change)
    }

    fn means(&mut self) -> Vec<Fact> {
        self.about.facts()
    }

    fn links(&mut self) -> Result<BTreeMap<String, Link>, Refusal> {
        self.fresh = None;
        self.seen_links().cloned()
    }

    fn device(&mut self, name: &str) -> Result<Device, Refusal> {
        self.fresh = None;
        self.look_ahead()?;
        self.flush()?;
        if !self.seen.devices.contains_key(name) {
            self.ask(&Query { devices: [name.to_owned()].into(), ..Query::default() })?;
        }
        self.seen.devices.get(name).cloned().unwrap_or(Err(Errno::NODEV.into()))
    }

    fn configure(&mut self, name: &str, change: &DeviceChange) -> Result<(), Refusal> {
        if self.fresh.as_deref() == Some(name) {
            for step in change::configure(name, &Device::default(), change) {
                self.defer(step.part_of(During::Configuring, None))?;
            }
            return Ok(());
        }
        let device = self.device(name)?;
        self.pending.extend(change::configure(name, &device, change));
        self.flush()
    }

    fn add_link(&mut self, name: &str) -> Result<(), Refusal> {
        if !is_link_name(name) {
            return Err(Errno::INVAL.into());
        }
        if self.seen_links()?.contains_key(name) {
            return Err(Errno::EXIST.into());
        }
        let words = ["link", "add", "dev", name, "type", "wireguard"];
        let made = match self.far.driver {
            Driver::Userspace => self.start(name),
            Driver::Kernel | Driver::Auto => match self.change(self.ip(&words, &[name])) {
                Err(Refusal::Errno(Errno::OPNOTSUPP)) if self.far.driver == Driver::Auto => {
                    self.start(name)
                }
                Err(Refusal::Errno(Errno::OPNOTSUPP)) => {
                    Err(Refusal::said("the kernel has no module `wireguard`", userspace::NO_MODULE))
                }
                answer => answer,
            },
        };
        self.fresh = made.is_ok().then(|| name.to_owned());
        made
    }

    fn delete_link(&mut self, name: &str) -> Result<(), Refusal> {
        let kind = self.seen_links()?.get(name).ok_or(Errno::NODEV)?.kind;
        self.pending.push(self.ip(&["link", "delete", "dev", name], &[name]));
        if kind == LinkKind::Userspace {
            let wait = Step::new(Work::function("gone_", name), &[name], script::not_ended);
            self.pending.push(wait);
        }
        self.flush()
    }

    fn set_mtu(&mut self, name: &str, mtu: u32) -> Result<(), Refusal> {
        let step = self.ip(&["link", "set", "dev", name, "mtu", &mtu.to_string()], &[name]);
        self.defer(step.part_of(During::Addressing, None))
    }

    fn set_up(&mut self, name: &str, up: bool) -> Result<(), Refusal> {
        let state = if up { "up" } else { "down" };
        let step = self.ip(&["link", "set", "dev", name, state], &[name]);
        // While a link is made, its end comes with the look at it; else others have to be set right at once.
        match self.fresh.as_deref() == Some(name) {
            true => self.defer(step.part_of(During::Binding, None)),
            false => self.change(step),
        }
    }

    fn rename(&mut self, name: &str, new: &str) -> Result<(), Refusal> {
        if !is_link_name(new) {
            return Err(Errno::INVAL.into());
        }
        self.change(self.ip(&["link", "set", "dev", name, "name", new], &[name, new]))
    }

    fn rename_up(
        &mut self,
        name: &str,
        new: &str,
        addresses: &BTreeSet<Cidr>,
    ) -> Result<(), Refusal> {
        if !is_link_name(new) {
            return Err(Errno::INVAL.into());
        }
        self.look_ahead()?;
        self.flush()?;
        let both = [name, new];
        self.pending.push(self.ip(&["link", "set", "dev", name, "down"], &both));
        self.pending.push(self.ip(&["link", "set", "dev", name, "name", new], &both));
        self.pending.push(self.ip(&["link", "set", "dev", new, "up"], &both));
        // The others stay when a link goes down.
        for address in addresses.iter().filter(|it| it.address().is_ipv6()) {
            let step = self.ip(&["address", "add", &address.to_string(), "dev", new], &both);
            self.pending.push(step.tolerating(Errno::EXIST));
        }
        self.flush()
    }

    fn add_address(&mut self, name: &str, address: Cidr) -> Result<(), Refusal> {
        let step = self.ip(&["address", "add", &address.to_string(), "dev", name], &[name]);
        let step = step.part_of(During::Addressing, Some(format!("the address `{address}`")));
        self.defer(step.tolerating(Errno::EXIST))
    }

    fn delete_address(&mut self, name: &str, address: Cidr) -> Result<(), Refusal> {
        let step = self.ip(&["address", "delete", &address.to_string(), "dev", name], &[name]);
        let step = step.part_of(During::Addressing, Some(format!("the address `{address}`")));
        self.defer(step.tolerating(Errno::ADDRNOTAVAIL))
    }

    fn routing(&mut self) -> Result<HostRouting, Refusal> {
        self.look_ahead()?;
        self.flush()?;
        if self.seen.routing.is_none() {
            self.ask(&Query { has_routing: true, ..Query::default() })?;
        }
        self.seen.routing.clone().ok_or(Errno::CONNRESET.into())
    }

    fn change_routing(&mut self, changes: &[RoutingChange]) -> Result<(), NotRouted> {
        self.look_ahead().and_then(|()| self.flush()).map_err(|refusal| (0, refusal))?;
        self.pending.extend(changes.iter().map(routing::step));
        self.send()
    }

    fn resolve(&mut self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Refusal> {
        self.look_ahead()?;
        if !self.seen.names.contains_key(name) {
            self.ask(&Query { names: [name.to_owned()].into(), ..Query::default() })?;
        }
        let not_resolved = || {
            Refusal::said(
                format!("the name `{name}` does not resolve"),
                "check the name, and the name server of the host",
            )
        };
        match self.seen.names.get(name) {
            Some(Ok(found)) if !found.is_empty() => {
                Ok(found.iter().map(|address| SocketAddr::new(*address, port)).collect())
            }
            // A host without `getent`: the name is looked up from here.
            Some(Err(_)) => match (name, port).to_socket_addrs() {
                Ok(found) => Ok(found.collect()),
                Err(_) => Err(not_resolved()),
            },
            _ => Err(not_resolved()),
        }
    }

    fn list_files(&mut self, directory: &Path) -> Result<Vec<PathBuf>, Refusal> {
        self.look_ahead()?;
        if !self.seen.directories.contains_key(directory) {
            let directories = [directory.to_owned()].into();
            self.ask(&Query { directories, ..Query::default() })?;
        }
        self.seen.directories.get(directory).cloned().unwrap_or(Ok(Vec::new()))
    }

    fn read_key_file(&mut self, path: &Path) -> Result<Option<Zeroizing<String>>, Refusal> {
        Ok(self.file(path)?.map(|file| file.text))
    }

    fn read_file(&mut self, path: &Path) -> Result<Option<HostFile>, Refusal> {
        self.file(path)
    }

    fn write_file(&mut self, path: &Path, file: &HostFile) -> Result<(), Refusal> {
        self.forget_file(path);
        self.change(files::write(path, file))
    }

    fn remove_file(&mut self, path: &Path) -> Result<(), Refusal> {
        self.forget_file(path);
        self.change(files::remove(path))
    }

    fn run(&mut self, program: &Program) -> Result<Ran, Refusal> {
        self.look_ahead()?;
        self.flush()?;
        let name = program.argv.first().map_or("", String::as_str);
        let words = program.argv.join(" ");
        if let Some(ran) = self.seen.ran.get(&words) {
            return Ok(ran.clone());
        }
        if name.is_empty() || (name.contains('/') && !name.starts_with('/')) {
            return Err(Refusal::no_program(name));
        }
        let mut script = Script::default();
        script.ask("run", &script::run(program));
        if !only_asks(&program.argv) {
            // Nobody knows what it does.
            self.seen = Seen { identity: self.seen.identity.take(), ..Seen::default() };
        }
        let longest = program.timeout + TO_AND_FRO;
        let sections = around_host_change(|| self.exchange_within(&script, longest))?;
        let section = sections.first().ok_or(Errno::CONNRESET)?;
        script::ran(section).map_err(|not_run| match not_run {
            NotRun::Missing => Refusal::no_program(name),
            NotRun::Late(tail) => Refusal::timed_out(name, program.timeout, &tail),
            NotRun::Refused(refusal) => refusal,
        })
    }

    fn has_program(&mut self, name: &str) -> Result<bool, Refusal> {
        if let Some(is_there) = self.about.programs.get(name) {
            return Ok(*is_there);
        }
        if !self.seen.has.contains_key(name) {
            self.ask(&Query { programs: [name.to_owned()].into(), ..Query::default() })?;
        }
        Ok(self.seen.has.get(name).copied().unwrap_or(false))
    }

    fn runs_systemd(&mut self) -> Result<bool, Refusal> {
        Ok(self.about.runs_systemd)
    }
}

/// What a program may take longer because it is far away.
const TO_AND_FRO: Duration = Duration::from_secs(10);

/// Returns whether a program is one of those that change nothing.
fn only_asks(argv: &[String]) -> bool {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    matches!(words[..], ["systemctl", "is-active", ..] | ["resolvectl", _, _])
}
