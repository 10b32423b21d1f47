//! One call of the evaluator: what its names mean, and what it has evaluated already.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use crate::config::Computed;
use crate::config::block::{Expr, Need, Node};
use crate::config::evaluator::Evaluator;
use crate::config::expression::{Effort, Environment, Evaluated, Scope, poisoned};
use crate::config::parse::Given;
use crate::config::rendering::Templates;
use crate::config::suggest::suggestion;
use crate::config::value::Value;
use crate::diagnostic::{Diagnostic, Span, unique};
use crate::resource::{Address, BackendId, Kind};
use crate::source::Files;

/// As many values may be evaluated inside each other: those that [`Run::prepare`] cannot see, such as in the conditions
/// of variables that use each other. A test's thread with 2 MiB of stack has room for them.
const MAX_ACTIVE: usize = 100;

/// One call.
pub(crate) struct Run<'r> {
    pub(super) evaluator: &'r Evaluator<'r>,
    /// What is known of devices; none for what is evaluated before any is read.
    pub(super) computed: Option<&'r dyn Computed>,
    /// What depends on a device, as of this call.
    memo: RefCell<HashMap<Node, Evaluated>>,
    /// Whether what is being evaluated depends on a device.
    pub(super) consulted: Cell<bool>,
    /// What is being evaluated.
    active: RefCell<HashSet<Node>>,
    /// What `self` is.
    pub(super) this: RefCell<Option<Address>>,
    /// The backends that `data` blocks were looked for on.
    pub(super) reads: RefCell<BTreeSet<BackendId>>,
}

impl<'r> Run<'r> {
    pub(super) fn early(evaluator: &'r Evaluator<'r>) -> Self {
        Self {
            evaluator,
            computed: None,
            memo: RefCell::default(),
            consulted: Cell::new(false),
            active: RefCell::default(),
            this: RefCell::default(),
            reads: RefCell::default(),
        }
    }

    pub(super) fn over(evaluator: &'r Evaluator<'r>, computed: &'r dyn Computed) -> Self {
        Self { computed: Some(computed), ..Self::early(evaluator) }
    }

    /// Evaluates an expression of the configuration.
    pub(super) fn evaluate(&self, expr: &Expr) -> Evaluated {
        if self.active.borrow().len() > MAX_ACTIVE {
            return Err(vec![
                Diagnostic::error("expression nested too deep")
                    .label(&expr.span(), "too many values need each other on the way to this one")
                    .help("Let fewer values need each other."),
            ]);
        }
        self.prepare(&expr.needs);
        let Effort { depth, steps } = self.effort();
        if depth.get() == 0 {
            steps.set(0);
        }
        let scope = Scope { environment: self, source: &expr.source, bindings: None };
        // What is wrong with a value is said once, however often the expression has it.
        let value = scope.evaluate(&expr.expression).map_err(unique)?;
        if value.depth() > Value::MAX_DEPTH {
            let most = Value::MAX_DEPTH;
            return Err(vec![
                Diagnostic::error("value nested too deep")
                    .label(
                        &expr.span(),
                        format!("this has more than {most} lists and maps inside each other"),
                    )
                    .help("Put fewer lists and maps inside each other."),
            ]);
        }
        Ok(value)
    }

    /// Returns the value of a variable, a local value, or an attribute that is written.
    pub(super) fn node(&self, node: &Node) -> Evaluated {
        if let Some(known) = self.known(node) {
            return known;
        }
        if !self.active.borrow_mut().insert(node.clone()) {
            // Parsing shows the whole circle.
            return poisoned();
        }
        let outside = self.consulted.replace(false);
        let value = self.compute(node);
        self.active.borrow_mut().remove(node);
        let memo = if self.consulted.get() { &self.memo } else { &self.evaluator.memo };
        memo.borrow_mut().insert(node.clone(), value.clone());
        self.consulted.set(outside || self.consulted.get());
        value
    }

    fn known(&self, node: &Node) -> Option<Evaluated> {
        if let Some(known) = self.evaluator.memo.borrow().get(node) {
            return Some(known.clone());
        }
        let known = self.memo.borrow().get(node).cloned();
        if known.is_some() {
            self.consulted.set(true);
        }
        known
    }

    fn compute(&self, node: &Node) -> Evaluated {
        let blocks = &self.evaluator.config.blocks;
        match node {
            Node::Variable(name) => self.variable(name),
            Node::Local(name) => match blocks.locals.get(name) {
                Some(local) => self.evaluate(&local.value),
                None => poisoned(),
            },
            Node::Resource(address, Some(attribute)) => self.attribute_of(address, attribute),
            Node::Resource(address, None) => Ok(address.clone().into()),
            Node::Backend(id) if blocks.has_backend(id) => Ok(id.clone().into()),
            Node::Backend(_) => poisoned(),
            Node::Data(name) => self.data(name),
        }
    }

    /// Evaluates what some references need, deepest first, so that a long chain of references is no deep recursion.
    /// What is wrong with it is only said where it is used.
    fn prepare(&self, needs: &[Need]) {
        if needs.is_empty() {
            return;
        }
        let mut seen = HashSet::new();
        let mut stack: Vec<(&Need, bool)> = needs.iter().map(|need| (need, false)).collect();
        while let Some((need, is_ready)) = stack.pop() {
            let node = &need.node;
            let is_value = !matches!(node, Node::Backend(_) | Node::Resource(_, None));
            // Only an early evaluation has nothing to ask for attributes.
            let is_early =
                self.computed.is_none() && matches!(node, Node::Resource(..) | Node::Data(_));
            if is_ready {
                drop(self.node(node));
            } else if is_value && !is_early && self.is_open(node) && seen.insert(node) {
                stack.push((need, true));
                let below = self.expression_of(node).map_or(&[][..], |it| &it.needs);
                stack.extend(below.iter().map(|need| (need, false)));
            }
        }
    }

    /// Returns whether a node still has to be evaluated.
    fn is_open(&self, node: &Node) -> bool {
        !self.evaluator.memo.borrow().contains_key(node)
            && !self.memo.borrow().contains_key(node)
            && !self.active.borrow().contains(node)
    }

    fn expression_of(&self, node: &Node) -> Option<&'r Expr> {
        let config = self.evaluator.config;
        match node {
            Node::Variable(name) => match config.given.get(name) {
                Some(Given::Expression(_) | Given::Text(_)) => None,
                None => config.blocks.variables.get(name)?.default.as_ref(),
            },
            Node::Local(name) => Some(&config.blocks.locals.get(name)?.value),
            Node::Resource(address, Some(attribute)) => {
                config.blocks.resources.get(address)?.attributes.get(attribute)
            }
            Node::Backend(_) | Node::Resource(_, None) | Node::Data(_) => None,
        }
    }
}

impl Environment for Run<'_> {
    fn named(&self, root: &str, name: &str) -> Evaluated {
        let config = self.evaluator.config;
        match root {
            "var" => self.node(&Node::Variable(name.into())),
            "local" => self.node(&Node::Local(name.into())),
            "backend" => self.node(&Node::Backend(BackendId::new(name))),
            "data" => self.node(&Node::Data(name.into())),
            "self" => self.own(name),
            "path" if name == "cwd" => Ok(Value::text(self.directory())),
            // A path starts at the directory of the configuration.
            "path" => Ok(Value::text(".")),
            _ => {
                let address = Kind::from_block(root).map(|kind| Address::root(kind, name));
                let address = address.filter(|it| config.blocks.resources.contains_key(it));
                match address {
                    Some(address) if self.computed.is_some() => Ok(address.into()),
                    // Parsing says that it comes too early, or that there is none. What has such a reference may be
                    // fine where it is evaluated later.
                    _ => {
                        self.consulted.set(true);
                        poisoned()
                    }
                }
            }
        }
    }

    fn attribute(&self, resource: &Address, name: &str, at: &Span) -> Evaluated {
        let attribute =
            crate::config::parse::referable(resource.kind, name, at).map_err(|it| vec![it])?;
        self.node(&Node::Resource(resource.clone(), Some(attribute)))
    }

    fn backend_attribute(&self, backend: &BackendId, name: &str, at: &Span) -> Evaluated {
        match name {
            "id" => Ok(Value::text(backend.as_str())),
            "kind" => Ok(Value::text(self.kind_of(backend).as_str())),
            "display_name" => Ok(match self.display_name(backend)? {
                Some(name) => name,
                None => Value::NULL,
            }),
            _ => Err(vec![
                Diagnostic::error("reference to an unknown attribute")
                    .label(at, format!("a backend has no attribute `{name}`"))
                    .help(match suggestion(name, ["id", "kind", "display_name"]) {
                        Some(near) => format!("Did you mean `{near}`?"),
                        None => "A backend has the attributes `id`, `kind` and `display_name`."
                            .to_owned(),
                    }),
            ]),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.evaluator.world.variable(name).map(str::to_owned)
    }

    fn files(&self) -> &Files {
        &self.evaluator.config.reader
    }

    fn directory(&self) -> String {
        self.evaluator.world.directory.display().to_string()
    }

    fn planned_at(&self) -> Timestamp {
        *self.evaluator.planned_at.get_or_init(|| self.evaluator.world.now())
    }

    fn templates(&self) -> &Templates {
        &self.evaluator.templates
    }

    fn effort(&self) -> &Effort {
        &self.evaluator.effort
    }
}
