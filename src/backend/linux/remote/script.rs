//! The scripts: what a session begins with, what a look asks, what a change does; and what their answers are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::actual::{Fact, HostFile, Identity};
use crate::backend::linux::explain::{self, During};
use crate::backend::linux::files::uptime;
use crate::backend::linux::remote::shell::{Script, Section, quoted};
use crate::backend::linux::remote::{answers, files, routing, words};
use crate::backend::linux::userspace;
use crate::backend::{Act, Interest, Operation, Persist};
use crate::persist;
use crate::resource::{Field, Fields, Setting, Settings};
use crate::simulator::linux::call::{
    Device, HostRouting, Link, Program, Ran, Refusal, printable_tail,
};
use crate::value::{Endpoint, Host as EndpointHost};

/// So many names are looked up side by side: one that nobody answers for takes seconds.
const LOOKUPS_AT_ONCE: usize = 16;

/// How a session begins: who we are there, and as whom `wg` and `ip` are run. `ip` may enter a namespace for us, so that
/// no other right is needed. Where a user may run nothing else as root, keys are kept in the home directory. Both are
/// called by their paths: a shell of busybox may take an `ip` of its own first, which is too small.
const RIGHTS: &str = r#"PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH
@ROOT@
path_() ( IFS=:; for d in $PATH; do if [ -x "$d/$1" ]; then echo "$d/$1"; exit; fi; done )
W=$(path_ wg); I=$(path_ ip)
wg_() { @INSIDE@ "$W" "$@"; }
ip_() { @IP@ "$@"; }
see_() { @SEE@ "$@"; }
K=/var/lib/wgform/keys; A='sh -c'
if [ -n "$S" ] && sudo -n -l sh >/dev/null 2>&1 && sudo -n sh -c : >/dev/null 2>&1; then A='sudo -n sh -c'
elif [ "$(id -u)" != 0 ]; then K=$HOME/.local/state/wgform/keys; fi
U=@PROGRAM@; R=@RUN@
run_() { @RUNNER@ "$R" sh "$@"; }
start_() {
  command -v "$U" >/dev/null || { echo "$U: not found" >&2; return 127; }
  $(command -v setsid) @INSIDE@ "$U" "$1" </dev/null >/dev/null 2>&1 || { c=$?; echo "$U: code $c" >&2; return $c; }
  i=0
  until wg_ show "$1" listen-port >/dev/null 2>&1; do
    i=$((i+1)); [ $i -gt 100 ] && { echo "$U: no answer" >&2; return 1; }
    sleep 0.1 2>/dev/null || sleep 1
  done
}
gone_() {
  i=0
  while wg_ show "$1" listen-port >/dev/null 2>&1; do
    i=$((i+1)); [ $i -gt 100 ] && return 1
    sleep 0.1 2>/dev/null || sleep 1
  done
}
name_() {
  r=$(getent ahosts "$1" 2>/dev/null)
  printf '%s[name %s\n%s\n%s]0\n\n%s.\n' "$M" "$1" "$r" "$M" "$M" >&3
}
tables_() {
  for d in /usr/lib/iproute2 /usr/share/iproute2 /etc/iproute2; do cat $d/rt_tables $d/rt_tables.d/*.conf; done 2>/dev/null
  return 0
}
names_() {
  command -v resolvectl >/dev/null && [ -d /run/systemd/system ] || return 0
  for p in 'systemctl is-active --quiet systemd-resolved.service'; do ask "program $p" run_ 20 systemctl $p; done
  for i in $(wg_ show interfaces 2>/dev/null); do
    for p in dns domain; do ask "program resolvectl $p $i" run_ 20 resolvectl resolvectl $p "$i"; done
  done
}
about_() {
  printf 'keys=%s\nwg=%s\nip=%s\nprintf=%s\n' "$K" "$W" "$I" "$(command -v printf)"
  printf 'user=%s\nby=%s\nwg version=%s\nip version=%s\n' "$(id -un)" "$S" "$("$W" --version 2>&1)" "$("$I" -V 2>&1)"
  if [ "$(id -u)" = 0 ] || [ "$A" != 'sh -c' ]; then echo all=yes; fi
  if [ -z "$S" ] && [ -d /var/run/wireguard ] && ! [ -r /var/run/wireguard ]; then echo blind=yes; fi
  for p in resolvectl resolvconf systemctl wg-quick "$U"; do
    if command -v "$p" >/dev/null; then echo "has $p=yes"; else echo "has $p=no"; fi
  done
  if [ -e /dev/net/tun ]; then echo tun=yes; fi
  if [ -d /run/systemd/system ]; then echo systemd=yes; fi
  if [ "$(id -u)" = 0 ] || { [ -n "$S" ] && $S "$I" -V >/dev/null 2>&1; }; then echo root=yes; fi
  if [ -d /sys/module/wireguard ]; then echo module=yes; return; fi
  for f in modules.dep modules.builtin; do
    if grep -qs /wireguard.ko "/lib/modules/$(uname -r)/$f"; then echo module=yes; return; fi
  done
}
ask about about_"#;

/// Runs a program to its end: its time, its name, its variables, and the program with its arguments. What it leaves
/// running in the background keeps nobody waiting, since what it says goes to a file.
const RUN: &str = r#"cd /; t=$1; p=$2; shift 2
command -v "$p" >/dev/null 2>&1 || { echo none; exit 0; }
o=$(mktemp) || exit; l=
if command -v timeout >/dev/null; then l="timeout -s KILL $t"; fi
$l env -i HOME="$HOME" PATH="$PATH" LANG="$LANG" "$@" </dev/null >"$o" 2>&1
echo $?; tail -c 2049 "$o"; rm -f "$o""#;

/// Returns how a session begins.
pub(crate) fn rights(sudo: Option<bool>, netns: Option<&str>, program: &str) -> String {
    let root = match sudo {
        None => "if [ \"$(id -u)\" = 0 ]; then S=; else S='sudo -n'; fi",
        Some(true) => "S='sudo -n'",
        Some(false) => "S=",
    };
    let (inside, ip) = match netns.map(quoted) {
        Some(name) => (format!("$S \"$I\" netns exec {name}"), format!("$S \"$I\" -n {name}")),
        None => ("$S".to_owned(), "$S \"$I\"".to_owned()),
    };
    let see = if netns.is_some() { &ip } else { "\"$I\"" };
    let runner = if netns.is_some() { format!("{inside} sh -c") } else { "$A".to_owned() };
    let words = [
        ("@ROOT@", root),
        ("@RUNNER@", &runner),
        ("@INSIDE@", &inside),
        ("@IP@", &ip),
        ("@SEE@", see),
        ("@RUN@", &quoted(RUN)),
        ("@PROGRAM@", &quoted(program)),
    ];
    words.iter().fold(RIGHTS.to_owned(), |text, (word, with)| text.replace(word, with))
}

/// What a session knows of the host and of us.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// Where keys are kept that wgform makes.
    pub(crate) keys: PathBuf,
    /// Whether the kernel has WireGuard, loaded or ready to be.
    pub(crate) has_module: bool,
    /// Whether a tun device can be made.
    pub(crate) has_tun: bool,
    /// Whether systemd is its init.
    pub(crate) runs_systemd: bool,
    /// Whether this user may change links.
    pub(crate) may_change: bool,
    /// Whether programs are there that will be asked for.
    pub(crate) programs: BTreeMap<String, bool>,
    /// Who we are there.
    user: String,
    /// Whether `sudo` makes root of us.
    has_sudo: bool,
    /// Whether any program can be run as root, rather than `wg` and `ip` alone.
    runs_all: bool,
    /// The versions of `wg` and `ip`, as they say them.
    versions: [String; 2],
}

impl About {
    /// Reads what the host says of itself.
    ///
    /// # Errors
    /// When something is missing without which nothing can be done there.
    pub(crate) fn read(sections: &[Section]) -> Result<Self, Refusal> {
        let about = sections.iter().find(|it| it.name == "about").ok_or_else(unheard)?;
        let facts: BTreeMap<&str, &str> =
            about.output.lines().filter_map(|line| line.split_once('=')).collect();
        let fact = |name| facts.get(name).copied().unwrap_or_default();
        // One that is a program of its own would have keys among its arguments, for everybody to see.
        if fact("printf") != "printf" {
            return Err(Refusal::said(
                "the shell of the host, `/bin/sh`, has no `printf` of its own, so that keys cannot be handed over safely",
                "make dash, bash or busybox the `/bin/sh` there",
            ));
        }
        if let Some(missing) = ["ip", "wg"].into_iter().find(|name| fact(name).is_empty()) {
            return Err(words::not_installed(missing));
        }
        if fact("blind") == "yes" {
            return Err(words::as_user(Errno::ACCESS.into()));
        }
        let programs = facts.iter().filter_map(|(fact, is)| Some((fact.strip_prefix("has ")?, is)));
        Ok(Self {
            keys: PathBuf::from(fact("keys")),
            has_module: fact("module") == "yes",
            has_tun: fact("tun") == "yes",
            runs_systemd: fact("systemd") == "yes",
            may_change: fact("root") == "yes",
            user: fact("user").to_owned(),
            has_sudo: !fact("by").is_empty(),
            runs_all: fact("all") == "yes",
            versions: ["wg version", "ip version"].map(|name| fact(name).to_owned()),
            programs: programs.map(|(name, is)| (name.to_owned(), *is == "yes")).collect(),
        })
    }
}

impl About {
    /// Says who we are there, and what the host is worked with.
    pub(crate) fn facts(&self) -> Vec<Fact> {
        let user = &self.user;
        let login = match (self.has_sudo, self.runs_all) {
            (true, true) => Fact::new("login", format!("`{user}`, and root by `sudo -n`")),
            (true, false) => {
                Fact::new("login", format!("`{user}`, and root by `sudo -n` for `wg` and `ip` only"))
                    .without([
                        "Commands of an interface and name servers then run as that user, and keys are kept in its home directory.".to_owned(),
                    ])
            }
            (false, _) => Fact::new("login", format!("`{user}`")),
        };
        // `wireguard-tools v1.0.20210914 - https://…`, `ip utility, iproute2-6.1.0, libbpf 1.1.0`
        let [wg, ip] = &self.versions;
        let wg = wg.split(" - ").next().unwrap_or_default();
        let ip = ip.split(", ").nth(1).unwrap_or(ip);
        let programs = [wg, ip].map(|it| it.chars().filter(|c| !c.is_control()).take(60).collect());
        vec![login, Fact::new("programs", programs.map(|it: String| it).join(", "))]
    }
}

/// What somebody who comes to the host will want to know.
#[derive(Debug, Clone)]
pub(crate) enum Foresight {
    /// Everything.
    Picture(Interest),
    /// What these operations need.
    Batch(Query),
}

impl Foresight {
    /// Looks ahead at a batch, so that it begins with one question.
    pub(crate) fn of_batch(operations: &[Operation]) -> Self {
        let mut query = Query { has_links: true, ..Query::default() };
        operations.iter().for_each(|operation| query.foresee(&operation.act));
        Self::Batch(query)
    }

    pub(crate) fn query(self, about: &About, netns: Option<&str>) -> Query {
        match self {
            Self::Picture(Interest {
                key_files,
                name_servers,
                boot,
                routes: _,
                interface_lists: _,
            }) => Query {
                has_routing: true,
                has_name_servers: name_servers,
                has_identity: true,
                has_links: true,
                has_all_devices: true,
                directories: [netns.map_or(about.keys.clone(), |name| about.keys.join(name))]
                    .into_iter()
                    .chain(
                        boot.then_some(persist::DIRECTORIES.map(PathBuf::from))
                            .into_iter()
                            .flatten(),
                    )
                    .collect(),
                files: key_files,
                ..Query::default()
            },
            Self::Batch(query) => query,
        }
    }
}

/// What to ask.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) has_identity: bool,
    pub(crate) has_links: bool,
    pub(crate) has_all_devices: bool,
    pub(crate) has_routing: bool,
    pub(crate) has_name_servers: bool,
    pub(crate) devices: BTreeSet<String>,
    pub(crate) directories: BTreeSet<PathBuf>,
    pub(crate) files: BTreeSet<PathBuf>,
    pub(crate) names: BTreeSet<String>,
    /// Which of these programs are there.
    pub(crate) programs: BTreeSet<String>,
}

impl Query {
    fn foresee(&mut self, act: &Act) {
        match act {
            Act::SetRoutes { .. } => self.has_routing = true,
            Act::CreateInterface { key_file, .. } => {
                self.files.extend(key_file.clone());
            }
            Act::UpdateInterface { name, key_file, own_keys, .. } => {
                self.devices.insert(name.clone());
                self.files.extend(key_file.iter().chain(&own_keys.remove).cloned());
            }
            Act::DeleteInterface { name, own_keys, remove_boot_files, .. } => {
                self.devices.insert(name.clone());
                self.files.extend(own_keys.remove.iter().cloned());
                self.foresee_boot_files(remove_boot_files);
                // Whether its unit is started is looked at, whoever wrote its files.
                self.directories.insert(PathBuf::from(persist::ENABLED_DIRECTORY));
            }
            Act::Persist(persist) => {
                let Persist { name, wish, may_replace: _, remove } = &**persist;
                self.devices.insert(name.clone());
                let paths = wish.iter().flat_map(|wish| wish.style.paths(name));
                self.foresee_boot_files(&paths.chain(remove.iter().cloned()).collect());
            }
            Act::CreatePeer { interface, public_key: _, replaces: _, fields } => {
                self.foresee_peer(interface, fields, None);
            }
            Act::UpdatePeer { interface, public_key: _, settings, wanted } => {
                self.foresee_peer(interface, wanted, Some(settings));
            }
            Act::Apply { .. } => {}
            Act::DeletePeer { interface, public_key: _ } => {
                _ = self.devices.insert(interface.clone());
            }
        }
    }

    fn foresee_boot_files(&mut self, paths: &BTreeSet<PathBuf>) {
        if !paths.is_empty() {
            self.files.extend(paths.iter().flat_map(|path| [path.clone(), persist::kept(path, 1)]));
            self.directories.insert(PathBuf::from(persist::ENABLED_DIRECTORY));
        }
    }

    fn foresee_peer(&mut self, interface: &str, fields: &Fields, settings: Option<&Settings>) {
        if !self.devices.contains(interface) {
            self.devices.insert(interface.to_owned());
        }
        let set = settings.and_then(|settings| settings.get("endpoint"));
        let set = set.and_then(|setting| match setting {
            Setting::To(field) => Some(field),
            _ => None,
        });
        for field in fields.get("endpoint").into_iter().chain(set) {
            if let Field::Endpoint(Endpoint { host: EndpointHost::Name(name), port: _ }) = field {
                self.names.insert(name.to_string());
            }
        }
    }

    /// Writes the commands whose answers [`read`] understands.
    pub(crate) fn write(&self, script: &mut Script) {
        if self.has_identity {
            script.ask("machine", "cat /etc/machine-id");
            script.ask("bus", "cat /var/lib/dbus/machine-id");
            script.ask("boot", "cat /proc/sys/kernel/random/boot_id");
            script.ask("uptime", "cat /proc/uptime");
            script.ask("clock", "date +%s");
            script.ask("node", "uname -n");
        }
        if self.has_links {
            script.ask("links", "see_ -j -d link show");
            script.ask("addresses", "see_ -j address show");
            script.ask("served", "wg_ show interfaces");
        }
        if self.has_all_devices {
            script.ask("all", "wg_ show all dump");
        }
        if self.has_routing {
            routing::ask(script);
        }
        if self.has_name_servers {
            script.line("names_");
        }
        for name in &self.devices {
            script.ask(&format!("device {name}"), &format!("wg_ show {} dump", quoted(name)));
        }
        files::ask(script, &self.directories, &self.files);
        for name in &self.programs {
            script.ask(&format!("has {name}"), &format!("command -v {}", quoted(name)));
        }
        self.write_names(script);
    }

    fn write_names(&self, script: &mut Script) {
        if self.names.is_empty() {
            return;
        }
        script.line("if command -v getent >/dev/null; then");
        let names: Vec<&String> = self.names.iter().collect();
        for some in names.chunks(LOOKUPS_AT_ONCE) {
            let line: Vec<String> =
                some.iter().map(|name| format!("name_ {} &", quoted(name))).collect();
            script.line(&format!("{} wait", line.join(" ")));
        }
        script.line("fi");
    }
}

/// What was answered.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) identity: Option<Identity>,
    /// What its clock says; none also when it does not know.
    pub(crate) clock: Option<Timestamp>,
    /// The links, and the names that `wg` knows.
    pub(crate) links: Option<(BTreeMap<String, Link>, BTreeSet<String>)>,
    pub(crate) devices: BTreeMap<String, Result<Device, Refusal>>,
    pub(crate) routing: Option<HostRouting>,
    /// What programs answered that only ask, by their words.
    pub(crate) ran: BTreeMap<String, Ran>,
    /// Which programs are there.
    pub(crate) has: BTreeMap<String, bool>,
    pub(crate) directories: BTreeMap<PathBuf, Result<Vec<PathBuf>, Refusal>>,
    pub(crate) files: BTreeMap<PathBuf, Result<Option<HostFile>, Refusal>>,
    pub(crate) names: BTreeMap<String, Result<Vec<IpAddr>, Refusal>>,
}

/// Reads the answers to a query.
pub(crate) fn read(query: &Query, sections: Vec<Section>) -> Result<Answers, Refusal> {
    let mut answers = Answers::default();
    let named = |name: &str| sections.iter().find(|it| it.name == name).ok_or_else(unheard);
    if query.has_identity {
        answers.identity = Some(identity(&named)?);
        answers.clock = clock(named("clock")?);
    }
    if query.has_links {
        let (links, addresses) = (of_ip(named("links")?)?, of_ip(named("addresses")?)?);
        let served = of_wg(named("served")?)?;
        let names = served.split_whitespace().map(str::to_owned).collect();
        answers.links = Some((answers::links(links, addresses, served)?, names));
    }
    if query.has_all_devices {
        answers.devices = all_devices(named("all")?)?;
    }
    if query.has_routing {
        answers.routing = Some(routing::read(&named)?);
    }
    for name in &query.devices {
        let section = named(&format!("device {name}"))?;
        answers.devices.insert(name.clone(), of_wg(section).and_then(answers::device));
    }
    for section in &sections {
        if let Some(path) = section.name.strip_prefix("directory ") {
            answers.directories.insert(PathBuf::from(path), files::listed(path, section));
        } else if let Some(path) = section.name.strip_prefix("file ") {
            answers.files.insert(PathBuf::from(path), files::read(section));
        } else if let Some(name) = section.name.strip_prefix("has ") {
            answers.has.insert(name.to_owned(), section.status == 0);
        } else if let Some(words) = section.name.strip_prefix("program ") {
            let ran = ran(section).ok();
            answers.ran.extend(ran.map(|ran| (words.to_owned(), ran)));
        } else if let Some(name) = section.name.strip_prefix("name ") {
            answers.names.insert(name.to_owned(), Ok(answers::addresses(&section.output)));
        }
    }
    check_all_heard(query, &mut answers)?;
    Ok(answers)
}

/// What was not answered was not there to be asked, or the answer is not whole.
fn check_all_heard(query: &Query, answers: &mut Answers) -> Result<(), Refusal> {
    for name in &query.names {
        let missing = || Err(Refusal::said("there is no `getent` on the host", "install it there"));
        answers.names.entry(name.clone()).or_insert_with(missing);
    }
    let has_directories = query.directories.iter().all(|it| answers.directories.contains_key(it));
    let has_files = query.files.iter().all(|it| answers.files.contains_key(it));
    if has_directories && has_files { Ok(()) } else { Err(unheard()) }
}

/// Returns the line that runs a program.
pub(crate) fn run(Program { argv, environment, timeout }: &Program) -> String {
    let name = argv.first().map_or("", String::as_str);
    let variables = environment.iter().map(|(name, value)| format!("{name}={value}"));
    let words: Vec<String> =
        variables.chain(argv.iter().cloned()).map(|word| quoted(&word)).collect();
    format!("run_ {} {} {}", timeout.as_secs().max(1), quoted(name), words.join(" "))
}

/// Reads how a program ended; an error when it did not run.
pub(crate) fn ran(section: &Section) -> Result<Ran, NotRun> {
    let (first, rest) = section.output.split_once('\n').unwrap_or((&section.output, ""));
    let tail = printable_tail(rest.as_bytes());
    match (section.status, first.trim(), first.trim().parse()) {
        (0, "none", _) => Err(NotRun::Missing),
        // As `timeout` ends with when it had to kill.
        (0, _, Ok(137)) => Err(NotRun::Late(tail)),
        (0, _, Ok(status)) => Ok(Ran { status, tail }),
        _ => Err(NotRun::Refused(words::of_file(&section.complaint))),
    }
}

/// Why a program has no end of its own.
pub(crate) enum NotRun {
    /// It is not there.
    Missing,
    /// It took too long, and said this.
    Late(String),
    /// It could not be started.
    Refused(Refusal),
}

fn unheard() -> Refusal {
    Refusal::said(
        "the host's answer is not whole",
        "see that the login there starts no other program, with `ssh HOST true`",
    )
}

fn identity<'a>(named: &dyn Fn(&str) -> Result<&'a Section, Refusal>) -> Result<Identity, Refusal> {
    let line = |name: &str| -> Result<Option<String>, Refusal> {
        let section = named(name)?;
        Ok(Some(section.output.trim().to_owned())
            .filter(|it| section.status == 0 && !it.is_empty()))
    };
    let host_name = line("node")?.unwrap_or_default();
    let machine = line("machine")?.filter(|it| it != "uninitialized").or(line("bus")?);
    Ok(Identity {
        // A machine without an id has at least a name that stays.
        id: machine.unwrap_or_else(|| format!("host={host_name}")),
        boot_id: line("boot")?,
        uptime: line("uptime")?.and_then(|text| uptime(&text)),
        // Known to who knows when it was asked.
        clock_skew: None,
        host_name,
    })
}

fn clock(section: &Section) -> Option<Timestamp> {
    let seconds = section.output.trim().parse().ok()?;
    Timestamp::from_second(seconds).ok().filter(|_| section.status == 0)
}

fn of_ip(section: &Section) -> Result<&str, Refusal> {
    match section.status {
        0 => Ok(&section.output),
        _ => Err(words::as_user(words::of_ip(&section.complaint))),
    }
}

fn of_wg(section: &Section) -> Result<&str, Refusal> {
    match section.status {
        0 => Ok(&section.output),
        _ => Err(words::as_user(words::of_wg(&section.complaint))),
    }
}

/// Reads all devices, and why some of them could not be read.
fn all_devices(section: &Section) -> Result<BTreeMap<String, Result<Device, Refusal>>, Refusal> {
    let read = answers::all_devices(&section.output)?;
    let mut devices: BTreeMap<String, _> =
        read.into_iter().map(|(name, device)| (name, Ok(device))).collect();
    let mut is_explained = section.status == 0;
    for line in section.complaint.lines() {
        let of_one =
            line.strip_prefix("Unable to access interface ").and_then(|it| it.split_once(": "));
        if let Some((name, why)) = of_one {
            is_explained = true;
            devices.insert(name.to_owned(), Err(words::as_user(words::of_wg(why))));
        }
    }
    match is_explained {
        true => Ok(devices),
        false => Err(words::as_user(words::of_wg(&section.complaint))),
    }
}

/// One change, as a command.
pub(crate) struct Step {
    pub(crate) work: Work,
    /// The links that it may change, so that they are looked at afterwards.
    pub(crate) touches: Vec<String>,
    /// The file that it writes or removes, looked at afterwards too.
    pub(crate) file: Option<PathBuf>,
    /// The error that is none: what it makes is there, what it removes is gone.
    pub(crate) tolerates: Option<Errno>,
    meaning: fn(&str) -> Refusal,
    /// Whether it changes routes or rules.
    pub(crate) is_routing: bool,
    /// What was being done, and to what, for a refusal that somebody else will come upon.
    part: Option<(During, Option<String>)>,
}

/// What is to be run.
pub(crate) enum Work {
    /// The words of a call of `ip`; several of them are one.
    Ip(Vec<String>),
    /// A line for the shell, and what it is given to read.
    Line {
        /// Quoted already.
        line: String,
        /// Perhaps with keys.
        input: Option<Zeroizing<String>>,
        /// Whether it makes or removes links.
        has_links: bool,
    },
}

impl Step {
    pub(crate) fn new(work: Work, touches: &[&str], meaning: fn(&str) -> Refusal) -> Self {
        let touches = touches.iter().map(ToString::to_string).collect();
        Self { work, touches, file: None, tolerates: None, meaning, is_routing: false, part: None }
    }

    /// Makes it one that writes or removes a file.
    pub(crate) fn of_file(self, path: &Path) -> Self {
        Self { file: Some(path.to_owned()), ..self }
    }

    /// Gives the words for a refusal that comes with a later call.
    pub(crate) fn part_of(self, during: During, what: Option<String>) -> Self {
        Self { part: Some((during, what)), ..self }
    }

    /// Takes a refusal for success: what it makes is there, or what it removes is gone.
    pub(crate) fn tolerating(self, errno: Errno) -> Self {
        Self { tolerates: Some(errno), ..self }
    }

    /// Makes it one that changes routes or rules, and no link.
    pub(crate) fn of_routing(self) -> Self {
        Self { is_routing: true, ..self }
    }

    /// Says of a refusal what was refused, unless the caller knows.
    pub(crate) fn worded(&self, refusal: Refusal) -> Refusal {
        let Some((during, what)) = &self.part else { return refusal };
        let (reason, hints) = explain::words(*during, refusal);
        match what {
            Some(what) => Refusal::Said { reason: format!("{what}: {reason}"), hints },
            None => Refusal::Said { reason, hints },
        }
    }

    /// Returns whether it may change links, rather than what WireGuard holds for one.
    pub(crate) fn changes_links(&self) -> bool {
        match &self.work {
            Work::Ip(_) => !self.is_routing,
            Work::Line { line: _, input: _, has_links } => *has_links,
        }
    }
}

impl Work {
    /// Runs a function of the session that makes or removes a link.
    pub(crate) fn function(name: &str, argument: &str) -> Self {
        Self::Line { line: format!("{name} {}", quoted(argument)), input: None, has_links: true }
    }
}

/// Steps that are run by one command, and answer under one name.
pub(crate) struct Group {
    name: String,
    first: usize,
    meaning: fn(&str) -> Refusal,
    is_batch: bool,
}

/// Writes steps so that each is done only when all before it went well.
pub(crate) fn write_steps(script: &mut Script, steps: &[Step]) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut at = 0;
    while let Some(step) = steps.get(at) {
        let name = format!("step {at}");
        let lines = batch_lines(&steps[at..]);
        let is_batch = !lines.is_empty();
        groups.push(Group { name: name.clone(), first: at, meaning: step.meaning, is_batch });
        match &step.work {
            Work::Ip(_) if is_batch => {
                at += lines.len();
                script.feed(&name, &(lines.join("\n") + "\n"), "ip_ -batch -").and();
                continue;
            }
            Work::Ip(words) => {
                let line: Vec<String> = words.iter().map(|word| quoted(word)).collect();
                script.ask(&name, &format!("ip_ {}", line.join(" "))).and();
            }
            Work::Line { line, input: Some(input), .. } => {
                script.feed(&name, input, line).and();
            }
            Work::Line { line, input: None, .. } => {
                script.ask(&name, line).and();
            }
        }
        at += 1;
    }
    script.line(":");
    groups
}

/// Returns the calls of `ip` at the beginning that one `ip -batch` can do. A word that it would take apart is left to
/// the shell.
fn batch_lines(steps: &[Step]) -> Vec<String> {
    let is_plain = |word: &String| {
        let is_safe = |c: char| c.is_ascii_alphanumeric() || "._:/@%+=,-".contains(c);
        !word.is_empty() && word.chars().all(is_safe)
    };
    let line = |step: &Step| match &step.work {
        // An option is for a whole batch.
        Work::Ip(words) if words.first().is_some_and(|it| it.starts_with('-')) => None,
        Work::Ip(words) if words.iter().all(is_plain) => Some(words.join(" ")),
        _ => None,
    };
    steps.iter().map_while(line).collect()
}

/// Finds the step that failed, and why; none when all went well.
pub(crate) fn failure(groups: &[Group], sections: &[Section]) -> Option<(usize, Refusal)> {
    for Group { name, first, meaning, is_batch } in groups {
        let Some(section) = sections.iter().find(|it| it.name == *name) else {
            return Some((*first, unheard()));
        };
        if section.status != 0 {
            // `ip` says in which line it stopped.
            let line = || section.complaint.rsplit_once("Command failed -:")?.1.trim().parse().ok();
            let line: usize = line().filter(|_| *is_batch).unwrap_or(1);
            return Some((first + line.saturating_sub(1), meaning(&section.complaint)));
        }
    }
    None
}

/// Says why a userspace WireGuard did not start; the complaint begins with its name.
pub(crate) fn not_started(complaint: &str) -> Refusal {
    let (program, why) = complaint.split_once(": ").unwrap_or(("the program", complaint));
    match why.trim() {
        "not found" => Refusal::Said {
            reason: format!("there is no WireGuard on the host: `{program}` is not installed"),
            hints: userspace::to_install(program),
        },
        "no answer" => {
            Refusal::said(format!("`{program}` on the host does not answer"), failed_hint())
        }
        why => Refusal::said(
            format!("`{program}` on the host did not start, and ended with {why}"),
            failed_hint(),
        ),
    }
}

fn failed_hint() -> &'static str {
    "see why by running it there as root, with LOG_LEVEL=verbose; a user needs `NOPASSWD` for it as for `wg`"
}

/// Says that the process of a link does not end.
pub(crate) fn not_ended(_: &str) -> Refusal {
    Refusal::said(
        "its process on the host did not end",
        "see which one it is with `pgrep -a wireguard`",
    )
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use crate::backend::linux::remote::script::clock;
    use crate::backend::linux::remote::shell::Section;

    #[test]
    fn a_clock_that_does_not_tell_seconds_is_none() {
        let said = |status, output: &str| {
            let (name, complaint) = ("clock".to_owned(), String::new());
            let output = Zeroizing::new(output.to_owned());
            clock(&Section { name, status, output, complaint }).map(|it| it.as_second())
        };
        assert_eq!(said(0, "1795300000\n"), Some(1_795_300_000));
        assert_eq!([said(1, "1795300000\n"), said(0, "%s\n"), said(0, "")], [None; 3]);
    }
}
