//! Expressions that stand in no file, each as if it stood in the root module; and their values, as far as somebody may
//! see them.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use crate::config::block::{Expr, Module};
use crate::config::broken::Broken;
use crate::config::evaluator::Evaluator;
use crate::config::evaluator::run::Run;
use crate::config::expression::{Environment as _, Evaluated, too_big};
use crate::config::parse::{Declared, Within, expression};
use crate::config::value::{Data, Value};
use crate::config::{Computed, clean};
use crate::diagnostic::{Diagnostic, SourceText, Span, unique};
use crate::resource::address::path;
use crate::resource::{Address, Attribute, BackendId, ModuleStep, Presence, declaration};

/// A value, without what must not be shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// No value.
    Null,
    /// A value that only a device or an apply can say.
    Unknown,
    /// A value that must not be shown.
    Sensitive,
    /// True or false.
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A text.
    Text(String),
    /// What stands for a block inside of another one: its address.
    Block(String),
    /// A list.
    List(Vec<Self>),
    /// A set, in its order.
    Set(Vec<Self>),
    /// A map, an object, or a block with its attributes.
    Map(BTreeMap<String, Self>),
}

/// Evaluates expressions that stand in no file.
pub struct Console<'e> {
    evaluator: &'e Evaluator<'e>,
    declared: Declared<'e>,
    /// The texts in the files that are drawn in no message. A local value is not sensitive because a key is made of it.
    secrets: BTreeSet<&'e str>,
}

impl<'c> Evaluator<'c> {
    /// Prepares the evaluation of expressions that stand in no file. Ask after [`problems`](Self::problems), and only
    /// where there is none.
    pub fn console(&self) -> Console<'_> {
        let config = self.config;
        let declared = Declared::of(config.root(), &config.modules, Broken::default());
        Console { evaluator: self, declared, secrets: secrets(&config.modules) }
    }
}

impl std::fmt::Debug for Console<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Console")
    }
}

impl Console<'_> {
    /// Evaluates an expression, with what `computed` knows of devices; none for a text that is empty but for comments.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn evaluate(
        &self,
        text: &str,
        computed: &dyn Computed,
    ) -> Result<Option<Shown>, Vec<Diagnostic>> {
        let Some(mut expr) = expression("console", text)? else { return Ok(None) };
        let mut problems = Vec::new();
        self.declared.resolve(&mut expr, Within::NOTHING, &[], &mut problems);
        if !problems.is_empty() {
            return Err(clean(unique(problems)));
        }
        let run = Run::over(self.evaluator, computed);
        let value = run.evaluate(&expr).map_err(clean)?;
        let view = View { run, secrets: &self.secrets, at: expr.span(), size: Cell::default() };
        view.show(&value, Blocks::Opened).map(Some)
    }
}

/// Whether blocks are shown with all that they have. One inside of another one is not: they may lead in a circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blocks {
    Opened,
    Named,
}

/// What the name of an attribute counts.
const NAME: usize = 16;

/// What is looked at, and with what.
struct View<'r> {
    run: Run<'r>,
    secrets: &'r BTreeSet<&'r str>,
    /// The expression.
    at: Span,
    /// How much is in the blocks that were opened so far.
    size: Cell<usize>,
}

impl View<'_> {
    fn show(&self, value: &Value, blocks: Blocks) -> Evaluated<Shown> {
        let all = |items: &[Value]| {
            items.iter().map(|it| self.show(it, blocks)).collect::<Evaluated<Vec<_>>>()
        };
        Ok(match &value.data {
            _ if value.is_sensitive => Shown::Sensitive,
            Data::Null => Shown::Null,
            Data::Unknown => Shown::Unknown,
            Data::Bool(yes) => Shown::Bool(*yes),
            Data::Number(number) => Shown::Number(number.to_string()),
            Data::Text(text) if self.secrets.contains(&**text) => Shown::Sensitive,
            Data::Text(text) => Shown::Text(text.to_string()),
            Data::List(items) => Shown::List(all(items)?),
            Data::Set(items) => Shown::Set(all(items)?),
            Data::Map(map) => {
                let show =
                    |(key, it): (&_, _)| Ok((ToString::to_string(key), self.show(it, blocks)?));
                Shown::Map(map.iter().map(show).collect::<Evaluated<_>>()?)
            }
            Data::Resource(address) if blocks == Blocks::Opened => self.resource(address)?,
            Data::Backend(id) if blocks == Blocks::Opened => self.backend(id)?,
            Data::Module(steps) if blocks == Blocks::Opened => self.module(steps)?,
            Data::Resource(address) => Shown::Block(address.to_string()),
            Data::Backend(id) => Shown::Block(format!("backend.{id}")),
            Data::Module(steps) => Shown::Block(path(steps)),
        })
    }

    fn resource(&self, address: &Address) -> Evaluated<Shown> {
        self.block(declaration::attributes(address.kind).iter().map(|attribute| {
            let value = match attribute.form.is_secret() {
                true => self.secret(address, attribute),
                false => self.part(&self.run.attribute_node(address, attribute.name)?)?,
            };
            Ok((attribute.name, value))
        }))
    }

    /// That there is no secret is none.
    fn secret(&self, address: &Address, attribute: &Attribute) -> Shown {
        let is_made = matches!(attribute.presence, Presence::Computed | Presence::OptionalComputed);
        let block = self.run.evaluator.config.block_of(address);
        let is_written = block.is_some_and(|it| it.attributes.contains_key(attribute.name));
        if is_made || is_written { Shown::Sensitive } else { Shown::Null }
    }

    fn backend(&self, id: &BackendId) -> Evaluated<Shown> {
        self.block(
            ["id", "kind", "display_name"].into_iter().map(|name| {
                Ok((name, self.part(&self.run.backend_attribute(id, name, &self.at)?)?))
            }),
        )
    }

    fn module(&self, steps: &[ModuleStep]) -> Evaluated<Shown> {
        let instance = self.run.evaluator.instance(steps);
        let module = instance.map(|it| &self.run.evaluator.config.modules[it.module]);
        let names = module.into_iter().flat_map(|it| it.blocks.outputs.keys());
        self.block(
            names
                .map(|name| Ok((&**name, self.part(&self.run.output_of(steps, name, &self.at)?)?))),
        )
    }

    /// Shows a part of a block. A value can hold a block a million times, and each time it is written down.
    fn part(&self, value: &Value) -> Evaluated<Shown> {
        self.size.set(self.size.get().saturating_add(value.size() + NAME));
        if self.size.get() > Value::MAX_SIZE {
            return Err(vec![too_big(&self.at)]);
        }
        self.show(value, Blocks::Named)
    }

    fn block<'n>(
        &self,
        parts: impl Iterator<Item = Evaluated<(&'n str, Shown)>>,
    ) -> Evaluated<Shown> {
        let parts = parts.map(|part| part.map(|(name, value)| (name.to_owned(), value)));
        parts.collect::<Evaluated<_>>().map(Shown::Map)
    }
}

/// Returns the texts in the files of which parsing has found that they are secret.
fn secrets(modules: &[Module]) -> BTreeSet<&str> {
    let mut sources: BTreeMap<&str, &SourceText> = BTreeMap::new();
    for Module { blocks, .. } in modules {
        let locals = blocks.locals.values().map(|local| &local.value);
        let defaults = blocks.variables.values().filter_map(|it| it.default.as_ref());
        let outputs = blocks.outputs.values().filter_map(|it| it.value.as_ref());
        for Expr { source, .. } in locals.chain(defaults).chain(outputs) {
            sources.insert(&source.name, source);
        }
    }
    let secrets = sources.into_values().flat_map(|source| {
        source.secrets.iter().filter_map(|range| source.text.get(range.clone()))
    });
    secrets.map(|text| text.trim_matches('"')).filter(|text| !text.is_empty()).collect()
}
