//! HCL to blocks, and their evaluation on demand: parse, scope, evaluate, functions, decode.
//!
//! Nothing here reads a file, asks a device or knows what a plan is. What only a device or an apply can say comes in
//! through [`Computed`].

mod block;
mod broken;
mod constant;
mod decode;
mod evaluator;
mod expression;
mod foreign;
mod function;
mod graph;
mod guard;
mod hold;
mod lines;
mod lint;
mod parse;
mod refactor;
mod reference;
mod rendering;
mod secrets;
pub(crate) mod suggest;
mod syntax;
mod template;
mod traversal;
mod types;
mod unify;
mod value;
mod version;
pub mod vocabulary;
mod writable;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::config::block::{Blocks, Module, Node, ResourceBlock};
use crate::config::graph::At;
use crate::config::parse::{Given, Parsed};
use crate::diagnostic::{Diagnostic, Severity, Span, unique};
use crate::resource::{Address, BackendId, BackendKind, Field, Fields};
use crate::source::{Files, Sources};
use crate::value::Secret;

pub use crate::config::evaluator::{
    Console, Evaluator, Shown, Verdict, Written, WrittenAt, WrittenElement, of_the_interface,
    own_public_key,
};
pub use crate::config::guard::{Guard, Named, OnDrift};
pub use crate::config::hold::{Holding, is_meant};
pub use crate::config::refactor::{Import, Refactoring, Removed};
pub use crate::config::syntax::check_syntax;
pub use crate::config::writable::unwritable;

pub(crate) use crate::config::decode::default_of;

/// A configuration: its blocks, with nothing evaluated yet. An [`Evaluator`] does that.
#[derive(Debug)]
pub struct Config {
    /// The root, and every module that is called.
    modules: Vec<Module>,
    /// The resources, and what each module is repeated over, each after everything that it refers to.
    order: Vec<At>,
    given: BTreeMap<Arc<str>, Given>,
    reader: Files,
    refactoring: Refactoring,
    /// What lint finds without evaluating anything.
    found: Vec<Diagnostic>,
    /// How often something refers to each variable and local value, by the number of its module.
    uses: Vec<HashMap<Node, usize>>,
}

impl Config {
    /// Parses the texts of a configuration, and returns everything that is wrong with them as far as that can be said
    /// without evaluating anything. While there is an error among it, nothing should be evaluated but by
    /// [`Evaluator::problems`]: what depends on something broken has no value, without a word.
    pub fn parse(sources: Sources) -> (Self, Vec<Diagnostic>) {
        let Parsed { mut modules, given, mut problems } = parse::parse(&sources);
        let (order, circles) = graph::order(&modules);
        problems.extend(circles);
        let mut problems = in_order(problems);
        problems.retain(|it| !lint::is_ignored(&modules, it));
        // What refers to what is not known of what cannot be read.
        let is_whole = problems.iter().all(|it| it.severity != Severity::Error);
        let found = if is_whole { lint::look(&mut modules) } else { Vec::new() };
        let uses = modules.iter_mut().map(|it| lint::uses(&mut it.blocks)).collect();
        let refactoring = Refactoring::of(&mut modules);
        let reader = sources.reader;
        (Self { modules, order, given, reader, refactoring, found, uses }, problems)
    }

    /// Returns what moved and what is no longer declared.
    pub fn refactoring(&self) -> &Refactoring {
        &self.refactoring
    }

    /// Returns the blocks of the root.
    fn root(&self) -> &Blocks {
        &self.modules[0].blocks
    }

    /// Returns what was read: the files of the configuration, and those that expressions named so far.
    pub fn files(&self) -> &Files {
        &self.reader
    }

    /// Returns whether a variable of the root was given a value.
    pub fn is_given(&self, variable: &str) -> bool {
        self.given.contains_key(variable)
    }

    /// Returns whether a variable of the root is sensitive.
    pub fn is_sensitive(&self, variable: &str) -> bool {
        self.root().variables.get(variable).is_some_and(|it| it.is_sensitive)
    }

    /// Returns the names of the variables of the root that were given a value.
    pub fn given(&self) -> impl Iterator<Item = &str> {
        self.given.keys().map(|name| &**name)
    }

    /// Returns the names of the locals.
    pub fn locals(&self) -> impl Iterator<Item = &str> {
        self.root().locals.keys().map(|name| &**name)
    }

    /// Returns whether anything is read that somebody else manages.
    pub fn has_data(&self) -> bool {
        !self.root().data.is_empty()
    }

    /// Returns the head of a backend's block.
    pub fn backend_span(&self, id: &BackendId) -> Option<&Span> {
        let block = BackendId::new(id.label());
        self.root().backends.get(&block).map(|block| &block.span)
    }

    /// Returns where a resource is declared: the head of its block.
    pub fn span(&self, address: &Address) -> Option<&Span> {
        self.block_of(address).map(|block| &block.span)
    }

    /// Says that a resource has no value although nothing is wrong with the configuration. It must not be taken for one
    /// that is no longer wanted.
    pub fn unexplained(&self, address: &Address) -> Diagnostic {
        let problem = Diagnostic::error("resource that cannot be evaluated");
        let problem = match self.span(address) {
            Some(span) => {
                problem.label(span, format!("`{address}` has no value, and nothing says why"))
            }
            None => problem,
        };
        problem.help(
            "This is a mistake in wgform: please report it, with this block. Nothing was changed.",
        )
    }

    /// Returns whether there is a block that a resource could be an instance of.
    pub fn has_block(&self, address: &Address) -> bool {
        self.block_of(address).is_some()
    }

    /// Returns the block of which a resource is an instance.
    fn block_of(&self, address: &Address) -> Option<&ResourceBlock> {
        let mut blocks = self.root();
        for step in address.module() {
            let module = blocks.modules.get(step.label.as_str())?.module?;
            blocks = &self.modules.get(module)?.blocks;
        }
        blocks.resources.get(&Address::root(address.kind, address.label.clone()))
    }
}

/// Takes out of what is said what may be a key. What is wrong with a configuration leaves this room by here, but for the
/// messages of conditions that are judged after a device was read, which their author wrote.
fn clean(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    secrets::without_keys(&mut problems);
    problems
}

/// Sorts problems by their place, and drops those that say the same at the same place.
fn in_order(problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut problems = clean(unique(problems));
    problems.sort_by(|a, b| place(a).cmp(&place(b)));
    problems
}

/// Returns where a problem is, to report problems from top to bottom.
fn place(problem: &Diagnostic) -> Option<(&str, usize)> {
    let span = &problem.labels.first()?.span;
    Some((&span.source.name, span.range.start))
}

/// Returns how every function is called and what it returns, in the order of their names.
pub fn functions() -> Vec<(&'static str, &'static str)> {
    function::declared()
}

/// Returns the functions of Terraform that are left out on purpose, and what to do instead.
pub fn functions_left_out() -> &'static [(&'static str, &'static str)] {
    function::left_out()
}

/// Lists the block types for a message.
fn names_of_blocks() -> String {
    let names: Vec<_> = parse::BLOCKS.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// What is known of resources beyond what the configuration says: the values of attributes that a device or an apply
/// makes.
pub trait Computed {
    /// Returns the value of an attribute that the configuration does not set, such as `public_key` of an interface;
    /// none while it is not known.
    fn computed(&self, address: &Address, attribute: &'static str) -> Option<Field>;

    /// Returns whether it is known that such an attribute has no value, as the port of an interface that is down and
    /// was never up.
    fn is_null(&self, _address: &Address, _attribute: &'static str) -> bool {
        false
    }

    /// Returns the value of an attribute whose changes are ignored, as it is on an object that stays. The inner none is
    /// for an attribute that has no value there.
    fn kept(&self, _address: &Address, _attribute: &'static str) -> Option<Option<Field>> {
        None
    }

    /// Returns what is known of an interface that somebody else manages.
    fn interface_on(&self, _backend: &BackendId, _name: &str) -> Sought {
        Sought::Unknown
    }

    /// Returns which answers these are: while it stays the same, all that was asked is answered in the same way.
    fn edition(&self) -> Edition;
}

/// Which answers of a [`Computed`] these are. No two of them have the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edition(u64);

impl Edition {
    /// Nothing is known, whoever is asked.
    pub const NOTHING: Self = Self(0);

    /// Returns one that nobody has had.
    #[expect(
        clippy::new_without_default,
        reason = "a default that is another one each time would surprise"
    )]
    pub fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// What is known of an interface that somebody else manages.
#[derive(Debug, Clone)]
pub enum Sought {
    /// Its backend was not read.
    Unknown,
    /// It is not there; these are.
    Missing(Vec<String>),
    /// It is there, with these attributes.
    There(Fields),
}

/// Knows nothing: what `validate` evaluates with.
#[derive(Debug, Clone, Copy)]
pub struct AllUnknown;

impl Computed for AllUnknown {
    fn computed(&self, _: &Address, _: &'static str) -> Option<Field> {
        None
    }

    fn edition(&self) -> Edition {
        Edition::NOTHING
    }
}

/// One resource as the configuration wants it.
#[derive(Debug, Clone)]
pub struct Desired {
    /// Which.
    pub address: Address,
    /// Where: for a peer its interface's backend, for a pre-shared key none.
    pub backend: Option<BackendId>,
    /// The attributes that are written, and those that have a default of their own. An attribute that is unset, or
    /// left to the device, is not here; nor is one that names a resource or a backend.
    pub fields: BTreeMap<&'static str, Wanted>,
    /// The resources that attributes name: `interface`, `preshared_key`, `adopt_from`.
    pub references: BTreeMap<&'static str, Arc<Address>>,
    /// Everything that it refers to, directly or through locals, and `depends_on`.
    pub depends_on: Arc<BTreeSet<Address>>,
    /// The interface whose public key a peer has, where its value says so.
    pub far: Option<Arc<Address>>,
    /// A peer whose `public_key` is `null`.
    pub is_pending: bool,
    /// `lifecycle.prevent_destroy`.
    pub prevent_destroy: bool,
    /// `lifecycle.ignore_changes`: the attributes whose value counts only while the object is made.
    pub ignored: BTreeSet<&'static str>,
    /// Those of them that are only held for a time: the state goes on saying what was last applied.
    pub held: BTreeSet<&'static str>,
    /// `lifecycle.replace_triggered_by`.
    pub triggers: Vec<Trigger>,
    /// The backends of the `data` blocks that it refers to.
    pub reads: BTreeSet<BackendId>,
    /// The head of its block.
    pub span: Span,
    /// The values of the attributes that are written.
    pub spans: BTreeMap<&'static str, Span>,
    /// Attributes that are no secrets by themselves and were given a sensitive value. They are not shown, and no
    /// state can record them: `plan` refuses one that a state would have to hold.
    pub sensitive: BTreeSet<&'static str>,
}

/// What makes a resource anew when it changes: an entry of `replace_triggered_by`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Which resource; every instance when the block is repeated and no key is written.
    pub address: Address,
    /// Which attribute of it; any change when none is written.
    pub attribute: Option<&'static str>,
    /// Where it is written.
    pub span: Span,
}

impl Trigger {
    /// Returns the address of the block, whatever its instances are.
    pub fn block(&self) -> Address {
        let Address { kind, label, .. } = &self.address;
        Address::new(self.address.module().to_vec(), *kind, label.clone(), None)
    }

    /// Returns whether it names a resource.
    pub fn names(&self, address: &Address) -> bool {
        match self.address.key() {
            Some(_) => self.address == *address,
            None => {
                let (it, address) = (&self.address, address);
                (it.kind, &it.label, it.module())
                    == (address.kind, &address.label, address.module())
            }
        }
    }
}

impl Desired {
    /// Returns whether it may hold the public key of an interface: where its value does not say whose key it is, every
    /// interface that it refers to may be meant.
    pub fn may_hold_key_of(&self, interface: &Address) -> bool {
        match &self.far {
            Some(far) => **far == *interface,
            None => self.depends_on.contains(interface),
        }
    }
}

/// A wanted value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// This one.
    Known(Field),
    /// One that is known after apply.
    Unknown,
}

impl Wanted {
    /// Returns the value, if it is known.
    pub fn known(&self) -> Option<&Field> {
        match self {
            Self::Known(field) => Some(field),
            Self::Unknown => None,
        }
    }
}

/// The values that the root's variables were given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VariableValues {
    /// Those that may be seen.
    pub open: BTreeMap<String, Json>,
    /// The names of the sensitive ones.
    pub sensitive: BTreeSet<String>,
}

/// The `wgform` block, with its defaults.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where an interface goes that names no backend; none when several backends are declared and no default is.
    pub default_backend: Option<BackendId>,
    /// The state file, relative to the configuration.
    pub state_path: PathBuf,
    /// What a plan may not do without being told.
    pub guard: Guard,
    /// Whether only a saved plan may be applied.
    pub require_plan_file: bool,
    /// A store that is no file of this host, and that holds the state in place of that file.
    pub state: Option<StateDeclaration>,
    /// How what is stored is sealed.
    pub encryption: Option<EncryptionDeclaration>,
}

/// An `encryption` block.
#[derive(Debug, Clone)]
pub struct EncryptionDeclaration {
    /// Its head.
    pub span: Span,
    /// For whom to seal; none when it is not written.
    pub recipients: Option<Vec<String>>,
    /// The file of the key that opens.
    pub identity_file: Option<String>,
    /// Whether what is written is sealed.
    pub sealed: Option<bool>,
    /// Where each of its arguments is written.
    pub spans: BTreeMap<&'static str, Span>,
}

impl Settings {
    /// Returns whether the state is at the same place, reached in the same way.
    pub fn is_at_the_place_of(&self, other: &Self) -> bool {
        let told = |it: &Self| {
            let StateDeclaration { kind, texts, maps, .. } = it.state.clone()?;
            let exposed = |it: Secret| it.expose().to_owned();
            let texts: BTreeMap<_, _> =
                texts.into_iter().map(|(name, it)| (name, exposed(it))).collect();
            let of_map = |it: BTreeMap<String, Secret>| {
                it.into_iter().map(|(name, it)| (name, exposed(it))).collect::<BTreeMap<_, _>>()
            };
            let maps: BTreeMap<_, _> =
                maps.into_iter().map(|(name, it)| (name, of_map(it))).collect();
            Some((kind, texts, maps))
        };
        self.state_path == other.state_path && told(self) == told(other)
    }
}

/// A `state` block of another kind than `local`. Any of its values may be a secret.
#[derive(Debug, Clone)]
pub struct StateDeclaration {
    /// Its kind: `http`.
    pub kind: &'static str,
    /// Its head.
    pub span: Span,
    /// Its arguments with one value each, as texts.
    pub texts: BTreeMap<&'static str, Secret>,
    /// Its arguments with a value for each of several names.
    pub maps: BTreeMap<&'static str, BTreeMap<String, Secret>>,
    /// Where each of them is written.
    pub spans: BTreeMap<&'static str, Span>,
}

/// One `backend` block, or the implicit `local`.
#[derive(Debug, Clone)]
pub struct BackendDeclaration {
    /// Its name.
    pub id: BackendId,
    /// What kind of system it is.
    pub kind: BackendKind,
    /// How messages call it.
    pub display_name: Option<String>,
    /// Whether a simulator stands in for the system.
    pub simulate: bool,
    /// What only this kind has.
    pub transport: Transport,
    /// The peers through which it is reached; none where that is not written.
    pub reached_through: Option<Vec<Named>>,
    /// The head of its block; none for the implicit one.
    pub span: Option<Span>,
    /// Whether this is how its `read` block says to log in, which cannot write.
    pub is_reader: bool,
}

/// How a backend is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// This host.
    Local {
        /// A named network namespace instead of the one we run in.
        netns: Option<String>,
        /// Which WireGuard to use.
        driver: Driver,
        /// The program behind a userspace one, by its name or its absolute path.
        userspace_program: Option<String>,
    },
    /// Another Linux host, over SSH.
    Ssh {
        /// How to get there.
        ssh: Ssh,
        /// A named network namespace of that host.
        netns: Option<String>,
        /// Which WireGuard to use.
        driver: Driver,
        /// The program of a userspace WireGuard there.
        userspace_program: Option<String>,
    },
    /// A router with RouterOS, over REST.
    RouterOs(RouterOs),
    /// A firewall with pfSense, over its REST API package.
    PfSense(PfSense),
}

/// How a router is reached over its REST service. Its `Debug` does not show the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterOs {
    /// Where, as it is written.
    pub api_url: String,
    /// Who to log in as.
    pub api_user: String,
    /// The password.
    pub api_password: Password,
    /// How long an answer may take.
    pub api_timeout: Duration,
    /// Whom to believe to be the router.
    pub tls: Tls,
    /// How many reads may be on their way at once.
    pub concurrency: NonZeroU8,
    /// Whether all that is asked and answered is shown.
    pub debug: bool,
}

/// How a firewall is reached over its REST API package. Its `Debug` does not show what lets one in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PfSense {
    /// Where, as it is written.
    pub api_url: String,
    /// Who asks.
    pub login: Login,
    /// How long an answer may take.
    pub api_timeout: Duration,
    /// Whom to believe to be the firewall.
    pub tls: Tls,
    /// Whether WireGuard may be switched on.
    pub manage_service: bool,
    /// Whether nothing may be written.
    pub read_only: bool,
    /// Whether all that is asked and answered is shown.
    pub debug: bool,
}

impl PfSense {
    /// How long an answer may take when nobody says: longer than the 180 s that the firewall allows itself, so that it is the
    /// firewall who ends a request.
    pub const TIMEOUT: Duration = Duration::from_secs(190);
}

/// Who asks a firewall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Whoever has this key.
    Key(Password),
    /// A user of the firewall.
    User {
        /// The name.
        name: String,
        /// The password.
        password: Password,
    },
}

/// Whom to believe to be a device that is asked over TLS, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Whether the device has to prove that it is the device.
    pub api_verify_tls: bool,
    /// A PEM file with the certificates that are believed.
    pub ca_file: Option<String>,
    /// The SHA-256 of the certificate that is believed, in hexadecimal digits.
    pub tls_pin_sha256: Option<String>,
}

/// Where a password or a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Password {
    /// Here; it may be empty.
    Given(Secret),
    /// In the first line that this program prints, which is not secret itself.
    Asked(Vec<String>),
}

impl RouterOs {
    /// How long an answer may take when nobody says: longer than the 60 s after which a router ends a command, so that it
    /// is the router who says so.
    pub const TIMEOUT: Duration = Duration::from_secs(90);

    /// How many reads are on their way at once when nobody says. A router does the commands of one user one after another.
    pub const CONCURRENCY: NonZeroU8 = NonZeroU8::MIN.saturating_add(1);
}

/// How a host is reached by SSH; what is unset is up to the `ssh_config` of the user. Nothing in it is a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// A name, an address, or a `Host` of the `ssh_config`.
    pub host: String,
    /// The port of its SSH server.
    pub port: Option<u16>,
    /// Who to log in as.
    pub user: Option<String>,
    /// The key to log in with, as it is written.
    pub identity_file: Option<String>,
    /// The file of the host keys that are believed, as it is written.
    pub known_hosts: Option<String>,
    /// The fingerprint of the host key that is believed, `SHA256:…`.
    pub host_key: Option<String>,
    /// The hosts to go through, from here to there.
    pub jump: Vec<Jump>,
    /// Whether `wg` and `ip` are run by `sudo -n`; unset: unless the user is root.
    pub sudo: Option<bool>,
    /// How long the host may be silent while it works.
    pub timeout: Duration,
}

impl Ssh {
    /// How long a host may be silent when nothing is said of it.
    pub const TIMEOUT: Duration = Duration::from_secs(120);
}

/// A host to go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// Who to log in as.
    pub user: Option<String>,
    /// A name or an address.
    pub host: String,
    /// The port of its SSH server.
    pub port: Option<u16>,
}

/// Which WireGuard implementation a Linux host uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// The kernel's where it has the module, else userspace.
    Auto,
    /// The kernel's.
    Kernel,
    /// A userspace implementation.
    Userspace,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The value; none while it is not known.
    pub value: Option<Json>,
    /// Whether it must not be shown or stored.
    pub is_sensitive: bool,
    /// What it is for.
    pub description: Option<String>,
}
