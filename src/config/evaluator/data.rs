//! `data "interface"`: what a backend has of an interface that somebody else manages.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::block::{DataBlock, Expr, Node};
use crate::config::decode::{decode, value_of};
use crate::config::evaluator::Evaluator;
use crate::config::evaluator::run::Run;
use crate::config::expression::{Evaluated, both, poisoned};
use crate::config::suggest::suggestion;
use crate::config::value::{Data, Map, Value};
use crate::config::vocabulary::DATA_ATTRIBUTES;
use crate::config::{AllUnknown, Computed, Sought, clean};
use crate::diagnostic::{Diagnostic, unique};
use crate::resource::{BackendId, Fields, Kind, declaration};

impl Evaluator<'_> {
    /// Evaluates every `data` block, also those that nothing uses, and returns what is wrong with them.
    pub fn data_problems(&self, computed: &dyn Computed) -> Vec<Diagnostic> {
        let run = Run::over(self, computed);
        let names = self.config.root().data.keys();
        let problems = names.filter_map(|name| run.node(&Node::Data(name.clone())).err());
        clean(unique(problems.flatten().collect()))
    }

    /// Returns the backends that `data` blocks look for interfaces on, as far as that is known before anything is read.
    pub fn data_backends(&self) -> BTreeSet<BackendId> {
        let run = Run::over(self, &AllUnknown);
        let blocks = self.config.root().data.values();
        blocks.filter_map(|block| run.data_backend(block).ok().flatten()).collect()
    }
}

impl Run<'_> {
    /// Returns what is known of an interface of somebody else: a map of its attributes.
    pub(super) fn data(&self, name: &Arc<str>) -> Evaluated {
        self.call.consulted.set(true);
        let (Some(block), Some(computed)) =
            (self.evaluator.config.root().data.get(name), self.computed)
        else {
            // Parsing says that it comes too early.
            return poisoned();
        };
        let (backend, interface) = both(self.data_backend(block), self.data_name(block))?;
        self.call.reads.borrow_mut().extend(backend.clone());
        let sought = match (&backend, &interface) {
            (Some(backend), Some(name)) => computed.interface_on(backend, name),
            _ => Sought::Unknown,
        };
        let found = match sought {
            Sought::Unknown => None,
            Sought::There(fields) => Some(fields),
            Sought::Missing(there) => {
                let (backend, name) = (backend.as_ref(), interface.unwrap_or_default());
                return Err(vec![missing(block, backend, &name, &there)]);
            }
        };
        let map = DATA_ATTRIBUTES.map(|attribute| {
            let value = match attribute {
                "backend" => backend.clone().map_or(Value::UNKNOWN, Value::from),
                "name" => interface.as_deref().map_or(Value::UNKNOWN, Value::text),
                _ => attribute_of(found.as_ref(), attribute),
            };
            (Arc::from(attribute), value)
        });
        Ok(Value::map(Map::from(map)))
    }

    /// Returns the backend to look on; none while that is not known.
    fn data_backend(&self, block: &DataBlock) -> Evaluated<Option<BackendId>> {
        let Some(expr) = &block.backend else {
            return match self.default_backend()? {
                Some(id) => Ok(Some(id)),
                None => Err(vec![
                    Diagnostic::error("data without a backend")
                        .label(&block.span, "several backends are declared, and this names none")
                        .help("Add `backend = backend.NAME`, or set `default_backend` in the `wgform` block."),
                ]),
            };
        };
        let value = self.evaluate(expr)?;
        match &value.data {
            Data::Backend(id) => Ok(Some(id.clone())),
            Data::Unknown => Ok(None),
            _ => {
                // It says what is wrong with anything else.
                let attribute = declaration::attribute(Kind::Interface, "backend");
                attribute.map(|attribute| decode(attribute, &value, expr)).transpose()?;
                self.default_backend()
            }
        }
    }

    /// Returns the name to look for; none while that is not known.
    fn data_name(&self, block: &DataBlock) -> Evaluated<Option<String>> {
        let Some(expr) = &block.name else { return poisoned() };
        let value = self.evaluate(expr)?;
        if value.is_unknown() {
            return Ok(None);
        }
        match self.string(expr, "`name`")? {
            Some(name) => Ok(Some(name)),
            None => Err(vec![
                Diagnostic::error("missing argument")
                    .label(&expr.span(), "`name` is null, and has to be a string")
                    .help("Write a value, or refer to one that is not null."),
            ]),
        }
    }
}

fn attribute_of(found: Option<&Fields>, name: &str) -> Value {
    match found {
        None => Value::UNKNOWN,
        Some(fields) => fields.get(name).map_or(Value::NULL, value_of),
    }
}

fn missing(
    block: &DataBlock,
    backend: Option<&BackendId>,
    name: &str,
    there: &[String],
) -> Diagnostic {
    let backend = backend.map_or(BackendId::LOCAL, BackendId::as_str);
    let at = block.name.as_ref().map_or_else(|| block.span.clone(), Expr::span);
    let near = suggestion(name, there.iter().map(String::as_str));
    Diagnostic::error("interface that is not there")
        .label(&at, format!("backend `{backend}` has no WireGuard interface `{name}`"))
        .help(match (near, there) {
            (_, []) => "There is no WireGuard interface on that backend. If it is to be made here, write an `interface` block and refer to that.".to_owned(),
            (Some(near), _) => format!("Did you mean \"{near}\"?"),
            (None, _) => {
                let names: Vec<_> = there.iter().map(|it| format!("`{it}`")).collect();
                format!("There are {}.", names.join(", "))
            }
        })
}
