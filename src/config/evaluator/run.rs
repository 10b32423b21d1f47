//! One call of the evaluator: what its names mean, and what it has evaluated already.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::block::{Expr, Need, Node, OutputBlock};
use crate::config::evaluator::Evaluator;
use crate::config::evaluator::repeat::Place;
use crate::config::expression::{Binding, Effort, Environment, Evaluated, Scope, poisoned};
use crate::config::parse::{Given, unknown_output};
use crate::config::rendering::Templates;
use crate::config::suggest::suggestion;
use crate::config::value::Value;
use crate::config::{Computed, Edition};
use crate::diagnostic::{Diagnostic, Span, unique};
use crate::resource::{Address, BackendId, Kind, ModuleStep};
use crate::source::Files;

/// As many values may be evaluated inside each other: those that [`Run::prepare`] cannot see, such as in the conditions
/// of variables that use each other. A test's thread with 2 MiB of stack has room for them.
const MAX_ACTIVE: usize = 100;

/// One call, in one place.
pub(crate) struct Run<'r> {
    pub(super) evaluator: &'r Evaluator<'r>,
    /// What is known of devices; none for what is evaluated before any is read.
    pub(super) computed: Option<&'r dyn Computed>,
    pub(super) place: Place,
    pub(super) call: Rc<Call>,
}

/// What all places of one call have in common.
#[derive(Default)]
pub(crate) struct Call {
    /// What depends on a device: with the answers that this call is given.
    memo: Rc<RefCell<Memo>>,
    /// Whether what is being evaluated depends on a device.
    pub(super) consulted: Cell<bool>,
    /// Whether keys of instances are looked for.
    pub(super) is_for_keys: Cell<bool>,
    /// What is being evaluated.
    active: RefCell<HashSet<(usize, Node)>>,
    /// The resources of which something was used so far.
    touched: RefCell<BTreeSet<Address>>,
    /// What `self` is.
    pub(super) this: RefCell<Option<Address>>,
    /// The backends that `data` blocks were looked for on.
    pub(super) reads: RefCell<BTreeSet<BackendId>>,
}

/// What was evaluated already, by the instance of its module.
#[derive(Default)]
pub(crate) struct Memo(HashMap<usize, HashMap<Node, Known>>);

type Known = (Evaluated, Rc<Used>);

/// What a value is made of: the resources of which it uses something, and the backends that it looked for interfaces on.
#[derive(Default)]
pub(super) struct Used {
    resources: BTreeSet<Address>,
    backends: BTreeSet<BackendId>,
}

impl Memo {
    fn get(&self, instance: usize, node: &Node) -> Option<&Known> {
        self.0.get(&instance)?.get(node)
    }

    pub(super) fn insert(&mut self, instance: usize, node: Node, known: Known) {
        self.0.entry(instance).or_default().insert(node, known);
    }
}

impl<'r> Run<'r> {
    pub(super) fn early(evaluator: &'r Evaluator<'r>) -> Self {
        Self { evaluator, computed: None, place: evaluator.root.clone(), call: Rc::default() }
    }

    pub(super) fn over(evaluator: &'r Evaluator<'r>, computed: &'r dyn Computed) -> Self {
        let edition = computed.edition();
        let mut late = evaluator.late[usize::from(edition != Edition::NOTHING)].borrow_mut();
        if late.0 != edition {
            *late = (edition, Rc::default());
        }
        let call = Call { memo: late.1.clone(), ..Call::default() };
        let place = evaluator.root.clone();
        Self { evaluator, computed: Some(computed), place, call: Rc::new(call) }
    }

    /// Evaluates keys of instances, for which it does not count what a device makes.
    pub(super) fn for_keys(
        evaluator: &'r Evaluator<'r>,
        computed: Option<&'r dyn Computed>,
    ) -> Self {
        let keys = Self { computed, ..Self::early(evaluator) };
        keys.call.is_for_keys.set(true);
        keys
    }

    /// Returns the same call in another place.
    pub(super) fn at(&self, place: Place) -> Self {
        Self { evaluator: self.evaluator, computed: self.computed, place, call: self.call.clone() }
    }

    /// Notes that something of a resource is used.
    pub(super) fn touch(&self, address: &Address) {
        let mut touched = self.call.touched.borrow_mut();
        if !touched.contains(address) {
            touched.insert(address.clone());
        }
    }

    /// Takes the resources of which something was used since this was asked for.
    pub(super) fn take_touched(&self) -> BTreeSet<Address> {
        self.call.touched.take()
    }

    /// Evaluates an expression of the configuration.
    pub(super) fn evaluate(&self, expr: &Expr) -> Evaluated {
        self.evaluate_in(expr, None)
    }

    /// Evaluates an expression around which a name is bound.
    pub(super) fn evaluate_in(&self, expr: &Expr, bindings: Option<&Binding<'_>>) -> Evaluated {
        if self.call.active.borrow().len() > MAX_ACTIVE {
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
        let scope = Scope { environment: self, source: &expr.source, bindings };
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

    /// Returns the value of something in this module.
    pub(super) fn node(&self, node: &Node) -> Evaluated {
        let instance = self.place.instance.id;
        if let Some((known, used)) = self.known(node) {
            self.use_too(&used);
            return known;
        }
        if !self.call.active.borrow_mut().insert((instance, node.clone())) {
            // Parsing shows the whole circle.
            return poisoned();
        }
        let outside = self.call.consulted.replace(false);
        let (before, reads_before) = (self.take_touched(), self.call.reads.take());
        let value = self.compute(node);
        let mut resources = self.call.touched.replace(before);
        let backends = self.call.reads.replace(reads_before);
        if let Node::Resource(block, Some(_)) = node {
            // What an attribute is made of is the business of its resource.
            resources = BTreeSet::from([self.place.absolute(block, block.key().cloned())]);
        }
        let used = Rc::new(Used { resources, backends });
        self.use_too(&used);
        self.call.active.borrow_mut().remove(&(instance, node.clone()));
        let is_late = self.call.consulted.get();
        let memo = if is_late { &self.call.memo } else { &self.evaluator.memo };
        memo.borrow_mut().insert(instance, node.clone(), (value.clone(), used));
        self.call.consulted.set(outside || is_late);
        value
    }

    /// Lets what is about to be evaluated use its own value, which it has already.
    pub(super) fn note(&self, node: &Node, value: &Value) {
        let memo = if self.call.consulted.get() { &self.call.memo } else { &self.evaluator.memo };
        let used = Used {
            resources: self.call.touched.borrow().clone(),
            backends: self.call.reads.borrow().clone(),
        };
        let known = (Ok(value.clone()), Rc::new(used));
        memo.borrow_mut().insert(self.place.instance.id, node.clone(), known);
    }

    fn use_too(&self, used: &Used) {
        self.call.touched.borrow_mut().extend(used.resources.iter().cloned());
        self.call.reads.borrow_mut().extend(used.backends.iter().cloned());
    }

    fn known(&self, node: &Node) -> Option<Known> {
        let instance = self.place.instance.id;
        if let Some(known) = self.evaluator.memo.borrow().get(instance, node) {
            return Some(known.clone());
        }
        let known = self.call.memo.borrow().get(instance, node).cloned();
        if known.is_some() {
            self.call.consulted.set(true);
        }
        known
    }

    fn compute(&self, node: &Node) -> Evaluated {
        let blocks = self.blocks();
        match node {
            Node::Variable(name) => self.variable(name),
            Node::Local(name) => match blocks.locals.get(name) {
                Some(local) => self.at_block().evaluate(&local.value),
                None => poisoned(),
            },
            Node::Resource(block, Some(attribute)) => {
                let address = self.place.absolute(block, block.key().cloned());
                match self.at_resource(&address) {
                    Some(run) => run.attribute_of(&address, attribute),
                    None => poisoned(),
                }
            }
            Node::Resource(address, None) if blocks.resources.contains_key(address) => {
                self.whole(node)
            }
            Node::Backend(id) if blocks.backends.contains_key(id) => self.whole(node),
            Node::Backend(id) if self.is_root() && blocks.has_backend(id) => Ok(id.clone().into()),
            Node::Module(label, None) if blocks.modules.contains_key(label) => self.whole(node),
            Node::Output(name) => match blocks.outputs.get(&**name) {
                Some(OutputBlock { value: Some(value), is_sensitive, .. }) => {
                    Ok(self.at_block().evaluate(value)?.marked(*is_sensitive))
                }
                _ => poisoned(),
            },
            Node::Data(name) => self.data(name),
            Node::Repetition(block) => self.at_block().repetition(block),
            Node::Resource(..) | Node::Backend(_) | Node::Module(..) | Node::Inside(_) => {
                poisoned()
            }
        }
    }

    /// Returns whether this is in the root, and in no module that it calls.
    pub(super) fn is_root(&self) -> bool {
        self.place.instance.module == 0
    }

    /// Returns an evaluation in the same module, of a block that is not repeated.
    pub(super) fn at_block(&self) -> Self {
        self.at(Place { instance: self.place.instance.clone(), each: None })
    }

    /// Returns what is wrong with something in this module of which nothing else says so.
    pub(super) fn output_of(&self, module: &[ModuleStep], name: &str, at: &Span) -> Evaluated {
        let Some(instance) = self.evaluator.instance(module) else { return poisoned() };
        let run = self.at(Place { instance, each: None });
        let label = module.last().map_or("", |step| step.label.as_str());
        unknown_output(run.blocks(), label, name, at).map_err(Vec::from_iter)?;
        run.node(&Node::Output(name.into()))
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
            let is_value =
                matches!(node, Node::Variable(_) | Node::Local(_) | Node::Resource(_, Some(_)));
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
        let instance = self.place.instance.id;
        self.evaluator.memo.borrow().get(instance, node).is_none()
            && self.call.memo.borrow().get(instance, node).is_none()
            && !self.call.active.borrow().contains(&(instance, node.clone()))
    }

    fn expression_of(&self, node: &Node) -> Option<&'r Expr> {
        let config = self.evaluator.config;
        let blocks = self.blocks();
        match node {
            // What a module is given is evaluated where it is called.
            Node::Variable(name) => match config.given.get(name) {
                Some(Given::Expression(_) | Given::Text(_)) if self.place.instance.id == 0 => None,
                _ => blocks.variables.get(name)?.default.as_ref(),
            },
            Node::Local(name) => Some(&blocks.locals.get(name)?.value),
            Node::Resource(address, Some(attribute)) => {
                blocks.resources.get(address)?.attributes.get(attribute)
            }
            _ => None,
        }
    }
}

impl Run<'_> {
    /// Returns the value of an attribute of a resource, wherever it is.
    pub(super) fn attribute_node(&self, resource: &Address, attribute: &'static str) -> Evaluated {
        let Some(instance) = self.evaluator.instance(resource.module()) else { return poisoned() };
        let key = resource.key().cloned();
        let own = Address::new(Vec::new(), resource.kind, resource.label.clone(), key);
        let place = Place { instance, each: None };
        let value = self.at(place).node(&Node::Resource(own, Some(attribute)))?;
        let is_key = (resource.kind, attribute) == (Kind::Interface, "public_key");
        Ok(if is_key { value.originating(Some(Arc::new(resource.clone()))) } else { value })
    }
}

impl Environment for Run<'_> {
    fn named(&self, root: &str, name: &str) -> Evaluated {
        match root {
            "var" => self.node(&Node::Variable(name.into())),
            "local" => self.node(&Node::Local(name.into())),
            "each" | "count" => self.each(root, name),
            "backend" => self.node(&Node::Backend(BackendId::new(name))),
            "data" => self.node(&Node::Data(name.into())),
            "self" => self.own(name),
            "path" if name == "cwd" => Ok(Value::text(self.directory())),
            "path" if name == "module" => {
                let module = &self.evaluator.config.modules[self.place.instance.module];
                Ok(Value::text(module.directory.as_str()))
            }
            // A path starts at the directory of the configuration.
            "path" => Ok(Value::text(".")),
            _ => {
                let node = match root {
                    "module" => Some(Node::Module(name.into(), None)),
                    _ => Kind::from_block(root)
                        .map(|kind| Node::Resource(Address::root(kind, name), None)),
                };
                match node {
                    // What a module makes of values is known before any device is read.
                    Some(node) if self.computed.is_some() || root == "module" => self.node(&node),
                    // Parsing says that it comes too early, or that there is none. What has such a reference may be
                    // fine where it is evaluated later.
                    _ => {
                        self.call.consulted.set(true);
                        poisoned()
                    }
                }
            }
        }
    }

    fn attribute(&self, resource: &Address, name: &str, at: &Span) -> Evaluated {
        let attribute =
            crate::config::parse::referable(resource.kind, name, at).map_err(|it| vec![it])?;
        self.attribute_node(resource, attribute)
    }

    fn output(&self, module: &[ModuleStep], name: &str, at: &Span) -> Evaluated {
        self.output_of(module, name, at)
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
        self.evaluator.planned_at()
    }

    fn templates(&self) -> &Templates {
        &self.evaluator.templates
    }

    fn effort(&self) -> &Effort {
        &self.evaluator.effort
    }
}
