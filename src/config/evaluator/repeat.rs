//! Which instances a block stands for: `for_each`, `count`, `lifecycle.enabled`, and the modules around it.
//!
//! The keys are found with nothing known of any device, so that they are always the same. Values may be known later than
//! their keys, and are asked for with each instance.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use crate::config::block::{Blocks, Expr, Node, Repetition};
use crate::config::evaluator::Evaluator;
use crate::config::evaluator::run::Run;
use crate::config::expression::{Evaluated, poisoned, wrong_type};
use crate::config::graph::At;
use crate::config::value::{Data, Map, Value};
use crate::config::{AllUnknown, Computed};
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::address::path;
use crate::resource::{Address, BackendId, InstanceKey, ModuleStep};

/// As many instances may one block have.
const MAX_INSTANCES: usize = 1_000_000;

/// One instance of a module; the root has one.
#[derive(Debug)]
pub(crate) struct Instance {
    /// Its number among all instances.
    pub(crate) id: usize,
    /// The number of the module.
    pub(crate) module: usize,
    pub(crate) steps: Arc<Vec<ModuleStep>>,
    /// The instance with the `module` block; none for the root.
    pub(crate) caller: Option<Rc<Self>>,
}

/// Where an expression is evaluated: in which instance of a module, and of a block in it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) instance: Rc<Instance>,
    /// The block, and which of its instances.
    pub(crate) each: Option<(Node, InstanceKey)>,
}

impl Place {
    pub(crate) fn root() -> Self {
        let steps = Arc::default();
        Self { instance: Rc::new(Instance { id: 0, module: 0, steps, caller: None }), each: None }
    }

    /// Returns the address of a block of this module.
    pub(crate) fn absolute(&self, block: &Address, key: Option<InstanceKey>) -> Address {
        if self.instance.steps.is_empty() && key.is_none() {
            return block.clone();
        }
        Address::new(self.instance.steps.to_vec(), block.kind, block.label.clone(), key)
    }
}

/// The instances of a block.
#[derive(Debug, Clone)]
pub(crate) enum Keys {
    /// There is one, without a key.
    Single,
    /// There is none.
    Absent,
    Count(u32),
    Names(Arc<Vec<Arc<str>>>),
}

impl Keys {
    /// Lists the keys; none is the key of what has no key.
    pub(crate) fn list(&self) -> Vec<Option<InstanceKey>> {
        match self {
            Self::Single => vec![None],
            Self::Absent => Vec::new(),
            Self::Count(n) => (0..*n).map(|i| Some(InstanceKey::Index(i))).collect(),
            Self::Names(names) => {
                names.iter().map(|it| Some(InstanceKey::Name(it.to_string()))).collect()
            }
        }
    }

    pub(crate) fn has(&self, key: Option<&InstanceKey>) -> bool {
        match (self, key) {
            (Self::Single, None) => true,
            (Self::Count(n), Some(InstanceKey::Index(i))) => i < n,
            (Self::Names(names), Some(InstanceKey::Name(name))) => {
                names.binary_search_by(|it| (**it).cmp(name.as_str())).is_ok()
            }
            _ => false,
        }
    }

    /// Makes the value that a reference to the block is.
    fn value(&self, one: impl Fn(Option<InstanceKey>) -> Value) -> Value {
        match self {
            Self::Single => one(None),
            Self::Absent => Value::NULL,
            Self::Count(n) => {
                Value::list((0..*n).map(|i| one(Some(InstanceKey::Index(i)))).collect())
            }
            Self::Names(names) => {
                let one = |name: &Arc<str>| {
                    (name.clone(), one(Some(InstanceKey::Name(name.to_string()))))
                };
                Value::map(names.iter().map(one).collect::<Map>())
            }
        }
    }
}

/// The instances that are known by now.
#[derive(Default)]
pub(crate) struct Instances {
    keys: HashMap<(usize, Node), Evaluated<Keys>>,
    modules: BTreeMap<Vec<ModuleStep>, Rc<Instance>>,
    /// By the number of the module.
    of_module: HashMap<usize, Vec<Rc<Instance>>>,
    /// The resources that the keys of a block are made of.
    pub(super) used: HashMap<(usize, Node), BTreeSet<Address>>,
    /// What is wrong with keys, whoever asked for them first.
    pub(super) problems: Vec<Diagnostic>,
}

/// All resources, as instances.
#[derive(Default)]
pub(crate) struct Expansion {
    pub(crate) order: Vec<Address>,
    pub(crate) known: BTreeSet<Address>,
}

impl<'c> Evaluator<'c> {
    /// Returns every resource of the configuration, each after everything that it refers to; ties are in source order.
    /// What is wrong with the keys of a repeated block is among [`Evaluator::problems`]; such a block has none here.
    pub fn resources(&self) -> &[Address] {
        &self.expansion().order
    }

    /// Returns whether the configuration has a resource.
    pub fn has(&self, address: &Address) -> bool {
        self.expansion().known.contains(address)
    }

    pub(super) fn expansion(&self) -> &Expansion {
        self.expansion.get_or_init(|| {
            let mut expansion = Expansion::default();
            for at in &self.config.order {
                self.expand(at, &mut expansion);
            }
            expansion.known = expansion.order.iter().cloned().collect();
            expansion
        })
    }

    fn expand(&self, (module, node): &At, expansion: &mut Expansion) {
        let owner = match node {
            Node::Repetition(of) => &**of,
            other => other,
        };
        for instance in self.instances_of(*module) {
            let run = Run::over(self, &AllUnknown).at(Place { instance, each: None });
            let Ok(keys) = run.keys(owner) else { continue };
            if let Node::Resource(block, _) = owner {
                let all = keys.list().into_iter();
                expansion.order.extend(all.map(|key| run.place.absolute(block, key)));
            }
        }
    }

    /// Returns all instances of a module, as far as their keys can be found.
    pub(super) fn instances_of(&self, module: usize) -> Vec<Rc<Instance>> {
        if module == 0 {
            return vec![self.root.instance.clone()];
        }
        if let Some(known) = self.instances.borrow().of_module.get(&module) {
            return known.clone();
        }
        let mut all = Vec::new();
        if let Some((caller, label)) = &self.config.modules[module].caller {
            let node = Node::Module(label.clone(), None);
            for outer in self.instances_of(*caller) {
                let run = Run::over(self, &AllUnknown).at(Place { instance: outer, each: None });
                // What is wrong with the keys is said where they are put in order.
                let Ok(keys) = run.keys(&node) else { continue };
                all.extend(keys.list().into_iter().map(|key| run.inner(module, label, key)));
            }
        }
        self.instances.borrow_mut().of_module.insert(module, all.clone());
        all
    }

    /// Finds the instance of a module that a path leads to.
    pub(super) fn instance(&self, steps: &[ModuleStep]) -> Option<Rc<Instance>> {
        let Some((last, outer)) = steps.split_last() else {
            return Some(self.root.instance.clone());
        };
        if let Some(known) = self.instances.borrow().modules.get(steps) {
            return Some(known.clone());
        }
        let caller = self.instance(outer)?;
        let blocks = &self.config.modules[caller.module].blocks;
        let (label, block) = blocks.modules.get_key_value(last.label.as_str())?;
        let run = Run::over(self, &AllUnknown).at(Place { instance: caller, each: None });
        let keys = run.keys(&Node::Module(label.clone(), None)).ok()?;
        if !keys.has(last.key.as_ref()) {
            return None;
        }
        Some(run.inner(block.module?, label, last.key.clone()))
    }
}

impl<'r> Run<'r> {
    /// Returns the blocks of the module in which this evaluates.
    pub(super) fn blocks(&self) -> &'r Blocks {
        &self.evaluator.config.modules[self.place.instance.module].blocks
    }

    /// Returns an evaluation in the place of a resource.
    pub(super) fn at_resource(&self, address: &Address) -> Option<Self> {
        let instance = self.evaluator.instance(address.module())?;
        let block = Address::root(address.kind, address.label.clone());
        let each = address.key().map(|key| (Node::Resource(block, None), key.clone()));
        Some(self.at(Place { instance, each }))
    }

    /// Returns an evaluation in an instance of a module that a block of this one calls.
    fn inner(&self, module: usize, label: &Arc<str>, key: Option<InstanceKey>) -> Rc<Instance> {
        let mut steps = self.place.instance.steps.to_vec();
        steps.push(ModuleStep { label: label.to_string(), key });
        let mut instances = self.evaluator.instances.borrow_mut();
        if let Some(known) = instances.modules.get(&steps) {
            return known.clone();
        }
        let id = instances.modules.len() + 1;
        let caller = Some(self.place.instance.clone());
        let instance = Rc::new(Instance { id, module, steps: Arc::new(steps.clone()), caller });
        instances.modules.insert(steps, instance.clone());
        instance
    }

    /// Returns an evaluation of what the block that calls this module says; none in the root.
    pub(super) fn caller(&self) -> Option<Self> {
        let Instance { steps, caller, .. } = &*self.place.instance;
        let step = steps.last()?;
        let node = Node::Module(step.label.as_str().into(), None);
        let each = step.key.clone().map(|key| (node, key));
        Some(self.at(Place { instance: caller.clone()?, each }))
    }

    /// Returns which instances a block of this module stands for.
    pub(super) fn keys(&self, block: &Node) -> Evaluated<Keys> {
        let at = (self.place.instance.id, block.clone());
        if let Some(known) = self.evaluator.instances.borrow().keys.get(&at) {
            return known.clone();
        }
        let Some(repetition) = self.repetition_of(block) else { return Ok(Keys::Single) };
        // Parsing shows a circle.
        self.evaluator.instances.borrow_mut().keys.insert(at.clone(), poisoned());
        let computed = self.computed.map(|_| &AllUnknown as &dyn Computed);
        let anew = Run::for_keys(self.evaluator, computed);
        let place = Place { instance: self.place.instance.clone(), each: None };
        let anew = anew.at(place);
        let keys = anew.found_keys(block, repetition);
        let mut instances = self.evaluator.instances.borrow_mut();
        instances.used.insert(at.clone(), anew.take_touched());
        // What is wrong with them is said once, also where whoever asks goes on without them.
        let kept = keys.map_err(|problems| {
            instances.problems.extend(problems.into_iter().map(|it| anew.in_module(it)));
            Vec::new()
        });
        instances.keys.insert(at, kept.clone());
        kept
    }

    fn repetition_of(&self, block: &Node) -> Option<&'r Repetition> {
        let blocks = self.blocks();
        let repetition = match block {
            Node::Resource(address, _) => &blocks.resources.get(address)?.repetition,
            Node::Module(label, _) => &blocks.modules.get(label)?.repetition,
            Node::Backend(id) => &blocks.backends.get(id)?.repetition,
            _ => return None,
        };
        (!matches!(repetition, Repetition::Once)).then_some(repetition)
    }

    fn found_keys(&self, block: &Node, repetition: &Repetition) -> Evaluated<Keys> {
        match repetition {
            Repetition::Once => Ok(Keys::Single),
            Repetition::Enabled(expr) => {
                let value = self.evaluate(expr)?;
                check_open(expr, &value, "`enabled`")?;
                match value.to_bool() {
                    Some(true) => Ok(Keys::Single),
                    None if value.is_null() => Ok(Keys::Single),
                    Some(false) => Ok(Keys::Absent),
                    None => {
                        Err(vec![wrong_type(&expr.span(), "`enabled`", "true or false", &value)])
                    }
                }
            }
            Repetition::Count(expr) => {
                let value = self.evaluate(expr)?;
                check_open(expr, &value, "`count`")?;
                let number = value.to_number().and_then(|it| it.to_integer());
                match number.and_then(|it| u32::try_from(it).ok()) {
                    Some(n) if n as usize <= MAX_INSTANCES => Ok(Keys::Count(n)),
                    _ => Err(vec![wrong_type(
                        &expr.span(),
                        "`count`",
                        "a whole number from 0 to 1000000",
                        &value,
                    )]),
                }
            }
            Repetition::ForEach(expr) => {
                let value = self.node(&Node::Repetition(Box::new(block.clone())))?;
                names(expr, &value)
            }
        }
    }

    /// Returns what a block is repeated over.
    pub(super) fn repetition(&self, block: &Node) -> Evaluated {
        match self.repetition_of(block).and_then(Repetition::expr) {
            Some(expr) => self.evaluate(expr),
            None => poisoned(),
        }
    }

    /// Returns `each.key`, `each.value` or `count.index`.
    pub(super) fn each(&self, root: &str, name: &str) -> Evaluated {
        let Some((block, key)) = &self.place.each else { return poisoned() };
        match (root, name, key) {
            ("each", "key", InstanceKey::Name(key)) => Ok(Value::text(key.as_str())),
            ("each", "value", InstanceKey::Name(key)) => {
                let over = self.node(&Node::Repetition(Box::new(block.clone())))?;
                match &over.data {
                    Data::Map(map) => map.get(key.as_str()).cloned().map_or_else(poisoned, Ok),
                    Data::Set(_) => Ok(Value::text(key.as_str())),
                    _ => poisoned(),
                }
            }
            ("count", "index", InstanceKey::Index(index)) => Ok(Value::integer(i128::from(*index))),
            // Parsing says what there is.
            _ => poisoned(),
        }
    }

    /// Returns what a reference to a block of this module is: the one, or a list or a map of all.
    pub(super) fn whole(&self, block: &Node) -> Evaluated {
        let keys = self.keys(block)?;
        Ok(match block {
            Node::Resource(address, _) => {
                keys.value(|key| self.place.absolute(address, key).into())
            }
            Node::Backend(id) => {
                keys.value(|key| BackendId::instance(id.as_str(), key.as_ref()).into())
            }
            Node::Module(label, _) => keys.value(|key| {
                let mut steps = self.place.instance.steps.to_vec();
                steps.push(ModuleStep { label: label.to_string(), key });
                Value::module(steps)
            }),
            _ => return poisoned(),
        })
    }

    /// Returns every resource that `depends_on` means.
    pub(super) fn meant(&self, block: &Node) -> Vec<Address> {
        match block {
            Node::Resource(address, _) => {
                let keys = self.keys(block).map_or_else(|_| Vec::new(), |it| it.list());
                keys.into_iter().map(|key| self.place.absolute(address, key)).collect()
            }
            Node::Inside(label) => {
                let mut outer = self.place.instance.steps.to_vec();
                outer.push(ModuleStep { label: label.to_string(), key: None });
                let depth = outer.len();
                let is_inside = |it: &&Address| {
                    let module = it.module();
                    module.len() >= depth
                        && module[..depth - 1] == outer[..depth - 1]
                        && module[depth - 1].label == **label
                };
                let lowest =
                    Address::new(outer.clone(), crate::resource::Kind::Interface, "", None);
                let after = self.evaluator.expansion().known.range(lowest..);
                after.take_while(is_inside).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Says of a problem in which instances it is.
    pub(super) fn in_module(&self, problem: Diagnostic) -> Diagnostic {
        let mut problem = problem;
        if problem.labels.is_empty() {
            return problem;
        }
        if let Some((block, key)) = &self.place.each
            && let Some(span) = self.span_of(block)
        {
            problem = problem.within(&span, format!("in `{}{key}`", self.named(block)));
        }
        let mut run = self.caller();
        let mut steps = &self.place.instance.steps[..];
        while let (Some(outer), Some((step, rest))) = (run, steps.split_last()) {
            let node = Node::Module(step.label.as_str().into(), None);
            if let Some(span) = outer.span_of(&node) {
                problem = problem.within(&span, format!("in `{}`", path(steps)));
            }
            run = outer.caller();
            steps = rest;
        }
        problem
    }

    fn named(&self, block: &Node) -> String {
        match block {
            Node::Resource(address, _) => self.place.absolute(address, None).to_string(),
            other => other.to_string(),
        }
    }

    fn span_of(&self, block: &Node) -> Option<Span> {
        let blocks = self.blocks();
        Some(match block {
            Node::Resource(address, _) => blocks.resources.get(address)?.span.clone(),
            Node::Module(label, _) => blocks.modules.get(label)?.span.clone(),
            Node::Backend(id) => blocks.backends.get(id)?.span.clone(),
            _ => return None,
        })
    }
}

/// Refuses what must not, or cannot, decide how many instances there are.
fn check_open(expr: &Expr, value: &Value, what: &str) -> Evaluated<()> {
    if value.is_unknown() {
        return Err(vec![unknown_keys(&expr.span(), &format!("{what} is known after apply only"))]);
    }
    if value.is_sensitive {
        return Err(vec![sensitive_keys(&expr.span(), &format!("{what} is sensitive"))]);
    }
    Ok(())
}

fn unknown_keys(at: &Span, label: &str) -> Diagnostic {
    Diagnostic::error("instances that are not known before the apply")
        .label(at, label)
        .help("Use keys that are written in the configuration, and let only the values depend on what a device makes.")
}

fn sensitive_keys(at: &Span, label: &str) -> Diagnostic {
    Diagnostic::error("sensitive value in the keys of instances")
        .label(at, label)
        .help("Keys are in addresses, which are shown. Use keys that are no secret, or `nonsensitive(…)` if these are none.")
}

/// Returns the keys of what `for_each` goes over.
fn names(expr: &Expr, value: &Value) -> Evaluated<Keys> {
    let at = expr.span();
    check_open(expr, value, "`for_each`")?;
    let wrong =
        |value: &Value| vec![wrong_type(&at, "`for_each`", "a map or a set of strings", value)];
    let names: Vec<Arc<str>> = match &value.data {
        Data::Map(map) => map.keys().cloned().collect(),
        Data::Set(items) => {
            let mut names = Vec::new();
            for item in items.iter() {
                if item.is_unknown() {
                    let label = "an element of this set is known after apply only";
                    return Err(vec![unknown_keys(&at, label)]);
                }
                if item.is_sensitive {
                    let label = "an element of this set is sensitive";
                    return Err(vec![sensitive_keys(&at, label)]);
                }
                match &item.data {
                    Data::Text(text) => names.push(text.clone()),
                    Data::Null => {
                        let label = "an element of this set is null";
                        return Err(vec![
                            Diagnostic::error("invalid value")
                                .label(&at, label)
                                .help("Every element is the key of an instance: leave out the one that is null."),
                        ]);
                    }
                    _ => return Err(wrong(value)),
                }
            }
            names
        }
        Data::List(_) => {
            let mut problem = wrong(value);
            let help = "Make it a set with `toset(…)`, or a map with `{ for it in … : it.name => it }`: an instance is found by its key, not by its place.";
            problem.iter_mut().for_each(|it| it.help = Some(help.to_owned()));
            return Err(problem);
        }
        _ => return Err(wrong(value)),
    };
    if names.len() > MAX_INSTANCES {
        return Err(vec![
            Diagnostic::error("invalid value")
                .label(&at, format!("there are more than {MAX_INSTANCES} elements"))
                .help("Use several blocks with fewer instances."),
        ]);
    }
    if let Some(name) = names.iter().find(|it| it.contains(char::is_control)) {
        return Err(vec![
            Diagnostic::error("invalid value")
                .label(&at, format!("the key {name:?} has a control character"))
                .help("Keys are in addresses, which are shown on one line. Use other keys."),
        ]);
    }
    let mut names = names;
    names.sort_unstable();
    Ok(Keys::Names(Arc::new(names)))
}
