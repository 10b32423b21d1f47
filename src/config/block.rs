//! The blocks of a configuration, checked for their shape, with their expressions not yet evaluated.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;

use crate::config::broken::Broken;
use crate::config::hold::HoldBlock;
use crate::config::parse::Ignored;
use crate::config::refactor::RefactoringBlocks;
use crate::config::types::Type;
use crate::config::vocabulary::Argument;
use crate::config::{Named, Trigger};
use crate::diagnostic::{SourceText, Span};
use crate::resource::{Address, BackendId, BackendKind};

/// One module: the root, or what one `module` block calls.
#[derive(Debug)]
pub(crate) struct Module {
    /// The number of the module that calls it, and the label of the block; none for the root.
    pub(crate) caller: Option<(usize, Arc<str>)>,
    /// Its directory, relative to the configuration.
    pub(crate) directory: String,
    pub(crate) blocks: Blocks,
}

/// How often a block stands for something.
#[derive(Debug, Default)]
pub(crate) enum Repetition {
    #[default]
    Once,
    /// Once or not at all: `lifecycle.enabled`.
    Enabled(Expr),
    Count(Expr),
    ForEach(Expr),
}

impl Repetition {
    /// Returns the expression that decides.
    pub(crate) fn expr(&self) -> Option<&Expr> {
        match self {
            Self::Once => None,
            Self::Enabled(expr) | Self::Count(expr) | Self::ForEach(expr) => Some(expr),
        }
    }

    pub(crate) fn expr_mut(&mut self) -> Option<&mut Expr> {
        match self {
            Self::Once => None,
            Self::Enabled(expr) | Self::Count(expr) | Self::ForEach(expr) => Some(expr),
        }
    }

    /// Returns the argument by which there are instances with keys.
    pub(crate) fn argument(&self) -> Option<&'static str> {
        match self {
            Self::Once | Self::Enabled(_) => None,
            Self::Count(_) => Some("count"),
            Self::ForEach(_) => Some("for_each"),
        }
    }
}

/// An expression, where it stands, and what it refers to.
#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) expression: Box<Expression>,
    pub(crate) source: Arc<SourceText>,
    pub(crate) needs: Vec<Need>,
    /// Where the block starts that was made one expression; none for what was written as one.
    pub(crate) head: Option<Box<Range<usize>>>,
}

impl Expr {
    pub(crate) fn span(&self) -> Span {
        let range =
            self.head.as_deref().cloned().or_else(|| self.expression.span()).unwrap_or_default();
        Span { source: self.source.clone(), range }
    }
}

/// One reference in an expression.
#[derive(Debug)]
pub(crate) struct Need {
    pub(crate) node: Node,
    pub(crate) span: Span,
}

/// What an expression can refer to, within one module; and what else has a value there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Node {
    Variable(Arc<str>),
    Local(Arc<str>),
    Backend(BackendId),
    /// A resource, or one attribute of it.
    Resource(Address, Option<&'static str>),
    /// A module that is called, or one output of it.
    Module(Arc<str>, Option<Arc<str>>),
    /// An output, as the caller sees it.
    Output(Arc<str>),
    /// What a block is repeated over.
    Repetition(Box<Self>),
    /// All resources of a module that is called.
    Inside(Arc<str>),
    /// A `data "interface"` block.
    Data(Arc<str>),
}

impl Node {
    /// Returns the block that it is, or is in.
    pub(crate) fn block(&self) -> Self {
        match self {
            Self::Resource(address, _) => Self::Resource(address.clone(), None),
            other => other.clone(),
        }
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "var.{name}"),
            Self::Local(name) => write!(f, "local.{name}"),
            Self::Backend(id) => write!(f, "backend.{id}"),
            Self::Resource(address, None) => address.fmt(f),
            Self::Resource(address, Some(attribute)) => write!(f, "{address}.{attribute}"),
            Self::Module(label, None) | Self::Inside(label) => write!(f, "module.{label}"),
            Self::Module(label, Some(output)) => write!(f, "module.{label}.{output}"),
            Self::Output(name) => write!(f, "output.{name}"),
            Self::Repetition(of) => of.fmt(f),
            Self::Data(name) => write!(f, "data.interface.{name}"),
        }
    }
}

/// Everything that the files of a configuration say.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    pub(crate) settings: SettingsBlock,
    pub(crate) variables: BTreeMap<Arc<str>, VariableBlock>,
    pub(crate) locals: BTreeMap<Arc<str>, LocalBlock>,
    pub(crate) outputs: BTreeMap<String, OutputBlock>,
    pub(crate) modules: BTreeMap<Arc<str>, ModuleBlock>,
    pub(crate) backends: BTreeMap<BackendId, BackendBlock>,
    pub(crate) resources: BTreeMap<Address, ResourceBlock>,
    pub(crate) refactoring: RefactoringBlocks,
    pub(crate) data: BTreeMap<Arc<str>, DataBlock>,
    pub(crate) checks: BTreeMap<String, CheckBlock>,
    pub(crate) holds: Vec<HoldBlock>,
    /// What else there would be.
    pub(crate) broken: Broken,
    /// The rules of lint that comments silence.
    pub(crate) ignored: Ignored,
}

impl Blocks {
    /// Returns whether there is a backend of this name; the implicit one can be named too.
    pub(crate) fn has_backend(&self, id: &BackendId) -> bool {
        self.backends.contains_key(id) || (id.as_str() == BackendId::LOCAL && self.has_only_local())
    }

    /// Returns how many blocks there are that can stand for something in a plan.
    pub(crate) fn count(&self) -> usize {
        self.resources.len() + self.modules.len()
    }

    /// Returns whether no backend is declared, so that there is the implicit one.
    pub(crate) fn has_only_local(&self) -> bool {
        self.backends.is_empty() && !self.broken.lacks("backend")
    }
}

/// The `wgform` block.
#[derive(Debug, Default)]
pub(crate) struct SettingsBlock {
    pub(crate) span: Option<Span>,
    pub(crate) default_backend: Option<Expr>,
    pub(crate) state_path: Option<Expr>,
    pub(crate) guard: GuardBlock,
    pub(crate) require_plan_file: Option<Expr>,
    /// A store that is no file of this host.
    pub(crate) state: Option<StateBlock>,
    /// How what is stored is sealed.
    pub(crate) encryption: Option<EncryptionBlock>,
}

impl SettingsBlock {
    /// Returns every expression in it.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let state = self.state.iter().flat_map(|it| it.arguments.values());
        let own = self.default_backend.iter().chain(&self.state_path);
        let own = own.chain(&self.require_plan_file).chain(self.guard.attributes.values());
        own.chain(state).chain(self.encryption.iter().flat_map(|it| it.arguments.values()))
    }

    /// Returns every expression in it, to be changed.
    pub(crate) fn expressions_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        let state = self.state.iter_mut().flat_map(|it| it.arguments.values_mut());
        let own = self.default_backend.iter_mut().chain(&mut self.state_path);
        let own = own.chain(&mut self.require_plan_file);
        let encryption = self.encryption.iter_mut().flat_map(|it| it.arguments.values_mut());
        own.chain(self.guard.attributes.values_mut()).chain(state).chain(encryption)
    }
}

/// A `state` block of another kind than `local`.
#[derive(Debug)]
pub(crate) struct StateBlock {
    pub(crate) kind: &'static str,
    pub(crate) span: Span,
    pub(crate) arguments: BTreeMap<&'static str, Expr>,
}

/// The `encryption` block.
#[derive(Debug)]
pub(crate) struct EncryptionBlock {
    pub(crate) span: Span,
    pub(crate) arguments: BTreeMap<&'static str, Expr>,
}

/// The `guard` block.
#[derive(Debug, Default)]
pub(crate) struct GuardBlock {
    pub(crate) attributes: BTreeMap<&'static str, Expr>,
    pub(crate) protect: Vec<Named>,
    pub(crate) protect_span: Option<Span>,
}

/// A `variable` block.
#[derive(Debug)]
pub(crate) struct VariableBlock {
    pub(crate) span: Span,
    /// None when it cannot be read.
    pub(crate) of: Option<Type>,
    /// Whether a raw text is taken as it is, rather than read as an expression.
    pub(crate) takes_text: bool,
    pub(crate) default: Option<Expr>,
    pub(crate) is_sensitive: bool,
    pub(crate) is_nullable: bool,
    pub(crate) validations: Vec<Validation>,
}

/// A condition, and what to say when it does not hold: a `validation`, `precondition`, `postcondition` or `assert` block.
#[derive(Debug)]
pub(crate) struct Validation {
    pub(crate) condition: Expr,
    pub(crate) message: Expr,
}

impl Validation {
    /// Returns its expressions.
    pub(crate) fn expressions(&self) -> [&Expr; 2] {
        [&self.condition, &self.message]
    }
}

/// One entry of a `locals` block.
#[derive(Debug)]
pub(crate) struct LocalBlock {
    pub(crate) name: Span,
    pub(crate) value: Expr,
}

/// An `output` block.
#[derive(Debug)]
pub(crate) struct OutputBlock {
    pub(crate) span: Span,
    pub(crate) value: Option<Expr>,
    pub(crate) is_sensitive: bool,
    pub(crate) description: Option<Expr>,
}

/// A `backend` block.
#[derive(Debug)]
pub(crate) struct BackendBlock {
    pub(crate) span: Span,
    /// Its place among all backends.
    pub(crate) order: usize,
    pub(crate) kind: BackendKind,
    pub(crate) repetition: Repetition,
    /// Its arguments, and those of its `ssh` block, which have other names.
    pub(crate) attributes: BTreeMap<&'static str, Expr>,
    /// The peers through which it is reached, where that is written.
    pub(crate) reached_through: Option<Vec<Named>>,
    /// How whoever only reads logs in.
    pub(crate) read: Option<ReadBlock>,
}

/// A `read` block of a backend.
#[derive(Debug)]
pub(crate) struct ReadBlock {
    pub(crate) span: Span,
    /// What stands in the place of an argument of the backend only where it is written; the others of the login are
    /// none where they are not.
    pub(crate) is_partial: bool,
    /// Every argument that it may have.
    pub(crate) names: &'static [Argument],
    pub(crate) attributes: BTreeMap<&'static str, Expr>,
}

/// The arguments of a backend, for a reader or for a writer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BackendArguments<'b> {
    block: &'b BackendBlock,
    read: Option<&'b ReadBlock>,
}

impl<'b> BackendArguments<'b> {
    /// Returns what is written of an argument.
    pub(crate) fn get(self, name: &str) -> Option<&'b Expr> {
        let of_backend = || self.block.attributes.get(name);
        let Some(read) = self.read else { return of_backend() };
        let is_of_login = read.names.iter().any(|it| it.name == name);
        match read.attributes.get(name) {
            None if is_of_login && !read.is_partial => None,
            found => found.or_else(of_backend),
        }
    }

    /// Returns where the login is written.
    pub(crate) fn span(self) -> &'b Span {
        self.read.map_or(&self.block.span, |it| &it.span)
    }
}

impl BackendBlock {
    /// Returns the arguments as a writer has them, who may do everything.
    pub(crate) fn to_write(&self) -> BackendArguments<'_> {
        BackendArguments { block: self, read: None }
    }

    /// Returns the arguments as somebody has them who only reads.
    pub(crate) fn to_read(&self) -> BackendArguments<'_> {
        BackendArguments { block: self, read: self.read.as_ref() }
    }

    /// Returns every expression of the block.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let login = self.read.iter().flat_map(|it| it.attributes.values());
        self.attributes.values().chain(login).chain(self.repetition.expr())
    }
}

/// A `module` block.
#[derive(Debug)]
pub(crate) struct ModuleBlock {
    pub(crate) span: Span,
    /// Its place among all resources and modules.
    pub(crate) order: usize,
    /// Where the files of the module are, as it is written.
    pub(crate) source: Option<(String, Span)>,
    pub(crate) repetition: Repetition,
    /// The values of its variables, with where they are named.
    pub(crate) arguments: BTreeMap<Arc<str>, (Span, Expr)>,
    /// What `depends_on` names, and where.
    pub(crate) depends_on: Vec<(Node, Span)>,
    /// The number of the module; none when it could not be read.
    pub(crate) module: Option<usize>,
}

/// A `check` block.
#[derive(Debug)]
pub(crate) struct CheckBlock {
    pub(crate) span: Span,
    pub(crate) asserts: Vec<Validation>,
}

/// A `data "interface"` block.
#[derive(Debug)]
pub(crate) struct DataBlock {
    pub(crate) span: Span,
    pub(crate) backend: Option<Expr>,
    /// None when it is missing, which parsing says.
    pub(crate) name: Option<Expr>,
}

/// What a `lifecycle` block says besides its flags.
#[derive(Debug, Default)]
pub(crate) struct LifecycleBlock {
    /// The attributes whose changes are ignored.
    pub(crate) ignored: BTreeSet<&'static str>,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) preconditions: Vec<Validation>,
    pub(crate) postconditions: Vec<Validation>,
}

impl LifecycleBlock {
    /// Returns the conditions, those before first.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Validation> {
        self.preconditions.iter().chain(&self.postconditions)
    }
}

/// An `interface`, a `peer` or a `preshared_key` block.
#[derive(Debug)]
pub(crate) struct ResourceBlock {
    pub(crate) span: Span,
    /// Its place among all resources and modules.
    pub(crate) order: usize,
    pub(crate) repetition: Repetition,
    pub(crate) attributes: BTreeMap<&'static str, Expr>,
    /// The attributes that are probably meant by something that cannot be read.
    pub(crate) meant: BTreeSet<&'static str>,
    /// What `depends_on` names, and where.
    pub(crate) depends_on: Vec<(Node, Span)>,
    /// What `adopt_from` names. It is no dependency: the peer that held the secret first is mostly the one that refers
    /// to it.
    pub(crate) adopt_from: Option<(Address, Span)>,
    pub(crate) prevent_destroy: Option<Expr>,
    pub(crate) lifecycle: LifecycleBlock,
}
