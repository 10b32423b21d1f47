//! Evaluation on demand: settings, backends, one resource at a time, outputs.

mod api;
mod console;
mod import;
mod condition;
mod data;
mod encryption;
mod guard;
mod hold;
mod pfsense;
mod repeat;
mod resource;
mod run;
mod routeros;
mod settings;
mod ssh;
mod variable;
mod wanted;
mod written;

pub use crate::config::evaluator::condition::Verdict;
pub use crate::config::evaluator::console::{Console, Shown};
pub use crate::config::evaluator::pfsense::of_the_interface;
pub use crate::config::evaluator::resource::own_public_key;
pub use crate::config::evaluator::written::{Written, WrittenAt, WrittenElement};

pub(crate) use crate::config::evaluator::resource::misfits;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::block::{Node, OutputBlock};
use crate::config::constant::constant;
use crate::config::evaluator::repeat::{Expansion, Instances, Place};
use crate::config::evaluator::run::{Memo, Run};
use crate::config::expression::{Effort, Evaluated, Failures, poisoned};
use crate::config::rendering::Templates;
use crate::config::value::Value;
use crate::config::{
    AllUnknown, BackendDeclaration, Computed, Config, Desired, Edition, Import, Output, Settings,
    VariableValues, clean, in_order,
};
use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::resource::Address;
use crate::world::World;

/// Evaluates what a [`Config`] says.
///
/// Everything is evaluated when it is asked for, and only then, so that a variable without a value is no error while
/// nothing uses it. What does not depend on a device is kept; what does is kept until a device is known to say something
/// else.
///
/// A problem in something that several resources use is returned for each of them: see
/// [`unique`](crate::diagnostic::unique).
pub struct Evaluator<'c> {
    config: &'c Config,
    world: &'c World,
    /// The root module, as a place.
    root: Place,
    instances: RefCell<Instances>,
    expansion: OnceCell<Expansion>,
    /// What does not depend on a device.
    memo: RefCell<Memo>,
    /// What does, as long as devices are known to say the same; the first one is for nothing known.
    late: [RefCell<(Edition, Rc<RefCell<Memo>>)>; 2],
    /// Variables whose `validation` was looked at, or is being looked at, by the instance of their module.
    validated: RefCell<BTreeSet<(usize, Arc<str>)>>,
    /// What many resources depend on, once.
    shared: RefCell<BTreeSet<Arc<BTreeSet<Address>>>>,
    effort: Effort,
    /// The time of the plan: the same one wherever it is asked for.
    planned_at: OnceCell<Timestamp>,
    templates: Templates,
    /// Resources that [`problems`](Self::problems) has evaluated and that depend on no device, until they are asked for.
    ready: RefCell<BTreeMap<Address, Desired>>,
}

impl<'c> Evaluator<'c> {
    /// Prepares the evaluation of a configuration; evaluates nothing yet.
    pub fn new(config: &'c Config, world: &'c World) -> Self {
        Self {
            config,
            world,
            root: Place::root(),
            instances: RefCell::default(),
            expansion: OnceCell::new(),
            memo: RefCell::default(),
            late: [(); 2].map(|()| RefCell::new((Edition::NOTHING, Rc::default()))),
            validated: RefCell::default(),
            shared: RefCell::default(),
            effort: Effort::default(),
            planned_at: OnceCell::new(),
            templates: Templates::default(),
            ready: RefCell::default(),
        }
    }

    /// Says which time the plan is made for, before anything is evaluated.
    pub fn plan_for(&self, planned_at: Timestamp) {
        // Only the first one counts, as it does where nobody says one.
        _ = self.planned_at.set(planned_at);
    }

    /// Returns the time of the plan.
    pub fn planned_at(&self) -> Timestamp {
        *self.planned_at.get_or_init(|| self.world.now())
    }

    /// Returns the values that variables were given, but of a sensitive one only its name. What is wrong with one was
    /// said before.
    pub fn values_of_variables(&self) -> VariableValues {
        let mut values = VariableValues::default();
        let variables = &self.config.root().variables;
        for (name, block) in variables.iter().filter(|(name, _)| self.config.is_given(name)) {
            let value = Run::early(self).node(&Node::Variable(name.clone()));
            let is_open = |it: &Value| !block.is_sensitive && !it.is_sensitive_anywhere();
            match value.ok().filter(is_open).and_then(|it| it.to_json()) {
                Some(json) => _ = values.open.insert(name.to_string(), json),
                None => _ = values.sensitive.insert(name.to_string()),
            }
        }
        values
    }

    /// Evaluates everything, with nothing known of any device, and returns all that is wrong, with what parsing said:
    /// each problem once, from top to bottom.
    pub fn problems(&self, parsed: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let mut problems = self.early_problems(parsed);
        problems.extend(self.variables());
        self.expansion();
        problems.extend(self.given_to_modules());
        let mut silent = Vec::new();
        for address in self.resources() {
            let run = Run::over(self, &AllUnknown);
            match run.resource(address) {
                Ok(desired) if !run.call.consulted.get() => {
                    self.ready.borrow_mut().insert(address.clone(), desired);
                }
                Ok(_) => {}
                Err(more) => {
                    silent.extend(more.is_empty().then_some(address));
                    problems.extend(more);
                }
            }
            problems.extend(self.preconditions(address, &AllUnknown).failed);
            problems.extend(self.postconditions(address, &AllUnknown).failed);
        }
        problems.extend(self.data_problems(&AllUnknown));
        problems.extend(self.outputs(&AllUnknown).err().unwrap_or_default());
        let config = self.config;
        problems.extend(config.refactoring.problems(self.resources(), |it| config.span(it)));
        problems.extend(self.imports().err().unwrap_or_default());
        problems.extend(self.holds().err().unwrap_or_default());
        problems.extend(self.instances.borrow().problems.iter().cloned());
        let is_said = problems.iter().any(|it| it.severity == Severity::Error);
        problems.extend(silent.first().filter(|_| !is_said).map(|it| config.unexplained(it)));
        in_order(problems)
    }

    /// The same of what is evaluated before anything else: for a command that needs no resource.
    pub fn settings_problems(&self, parsed: Vec<Diagnostic>) -> Vec<Diagnostic> {
        in_order(self.early_problems(parsed))
    }

    fn early_problems(&self, parsed: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let mut problems = parsed;
        problems.extend(self.settings().err().unwrap_or_default());
        problems.extend(self.backends().err().unwrap_or_default());
        problems.extend(self.instances.borrow().problems.iter().cloned());
        problems
    }

    /// Evaluates the `wgform` block.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn settings(&self) -> Result<Settings, Vec<Diagnostic>> {
        Run::early(self).settings().map_err(clean)
    }

    /// Evaluates the `backend` blocks, in source order; without any, the implicit `local`. What only a writer needs is
    /// not evaluated for a reader.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn backends(&self) -> Result<Vec<BackendDeclaration>, Vec<Diagnostic>> {
        Run::early(self).backends(false).map_err(clean)
    }

    /// Evaluates the `backend` blocks as those need them who write.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn backends_to_write(&self) -> Result<Vec<BackendDeclaration>, Vec<Diagnostic>> {
        Run::early(self).backends(true).map_err(in_order)
    }

    /// Evaluates every variable that has a value, also those that nothing uses, and returns what is wrong with them.
    pub fn variables(&self) -> Vec<Diagnostic> {
        clean(Run::early(self).variables())
    }

    /// Evaluates what every module is given, also what nothing uses, and its outputs.
    fn given_to_modules(&self) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let instances = (1..self.config.modules.len()).flat_map(|it| self.instances_of(it));
        for instance in instances {
            let run = Run::over(self, &AllUnknown).at(Place { instance, each: None });
            let blocks = run.blocks();
            let variables = blocks.variables.keys().map(|name| Node::Variable(name.clone()));
            let outputs = blocks.outputs.keys().map(|name| Node::Output(name.as_str().into()));
            let failed = variables.chain(outputs).filter_map(|it| run.node(&it).err()).flatten();
            let shown = blocks.outputs.iter().filter_map(|(name, it)| run.shown_secret(name, it));
            problems.extend(failed.chain(shown).map(|it| run.in_module(it)));
        }
        problems
    }

    /// Evaluates a resource. Ask in the order of [`Self::resources`], so that `computed` knows what comes before.
    ///
    /// # Errors
    /// Everything that is wrong with it, and with what it refers to.
    pub fn resource(
        &self,
        address: &Address,
        computed: &dyn Computed,
    ) -> Result<Desired, Vec<Diagnostic>> {
        let ready = self.ready.borrow_mut().remove(address);
        let evaluated = || Run::over(self, computed).resource(address).map_err(clean);
        ready.map_or_else(evaluated, Ok)
    }

    /// Evaluates the `import` blocks.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn imports(&self) -> Result<BTreeMap<Address, Import>, Vec<Diagnostic>> {
        let config = self.config;
        let blocks = config.root();
        let imports = Run::over(self, &AllUnknown).imports(&blocks.refactoring.imports);
        let imports = imports.map_err(clean)?;
        let is_broken = |it: &Address| blocks.broken.may_declare(it.kind.as_str(), &it.label);
        let missing = imports.values().filter(|it| !self.has(&it.to) && !is_broken(&it.to));
        let problems: Vec<Diagnostic> = missing.map(|it| undeclared(config, it)).collect();
        if problems.is_empty() { Ok(imports) } else { Err(problems) }
    }

    /// Evaluates the outputs.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn outputs(
        &self,
        computed: &dyn Computed,
    ) -> Result<BTreeMap<String, Output>, Vec<Diagnostic>> {
        let mut failures = Failures::default();
        let mut outputs = BTreeMap::new();
        for (name, block) in &self.config.modules[0].blocks.outputs {
            if let Some(output) = failures.take(Run::over(self, computed).output(name, block)) {
                outputs.insert(name.clone(), output);
            }
        }
        failures.or(outputs).map_err(clean)
    }
}

/// Says that an import has no resource to go to.
fn undeclared(config: &Config, import: &Import) -> Diagnostic {
    let Import { to, id: _, to_span, id_span: _ } = import;
    let problem = Diagnostic::error("import to an undeclared resource")
        .label(to_span, format!("no `{to}` in this configuration"));
    match config.span(to) {
        Some(block) => problem
            .label(block, "this block has other instances")
            .help("Correct the address, or let the block have that instance."),
        None => problem.help(format!(
            "Declare it with `{} \"{}\" {{ … }}`, or remove the block.",
            to.kind, to.label
        )),
    }
}

impl std::fmt::Debug for Evaluator<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Evaluator")
    }
}

/// Says that an output would show a secret.
fn sensitive_output(at: &Span, name: &str) -> Diagnostic {
    Diagnostic::error("sensitive value in an output that is not sensitive")
        .label(at, format!("`output.{name}` would show a sensitive value"))
        .help("Add `sensitive = true` to the output, or wrap the value in `nonsensitive(…)` if it is no secret.")
}

impl Run<'_> {
    /// Says that an output of this module has a secret and does not say so.
    fn shown_secret(&self, name: &str, block: &OutputBlock) -> Option<Diagnostic> {
        let value = self.node(&Node::Output(name.into())).ok()?;
        let at = block.value.as_ref()?.span();
        (value.is_sensitive_anywhere() && !block.is_sensitive).then(|| sensitive_output(&at, name))
    }

    fn output(&self, name: &str, block: &OutputBlock) -> Evaluated<Output> {
        let OutputBlock { span: _, value, is_sensitive, description } = block;
        let Some(expr) = value else { return poisoned() };
        let value = self.evaluate(expr)?;
        if value.is_sensitive_anywhere() && !is_sensitive {
            return Err(vec![sensitive_output(&expr.span(), name)]);
        }
        let description = description.as_ref();
        let description = description.and_then(|it| constant(&it.expression).ok()?.to_text());
        let description = description.map(|it| it.to_string());
        Ok(Output { value: value.to_json(), is_sensitive: *is_sensitive, description })
    }
}
