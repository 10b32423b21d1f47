//! The `import` blocks: what their keys and ids are.

use std::collections::BTreeMap;

use crate::config::block::Expr;
use crate::config::evaluator::run::Run;
use crate::config::evaluator::settings::unknown;
use crate::config::expression::{Binding, Evaluated, Failures, both, wrong_type};
use crate::config::refactor::{Import, ImportBlock, Step, TargetKey, instance_key};
use crate::config::value::{Data, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::{Address, InstanceKey, Kind, ModuleStep};

/// What `each` stands for; none in a block that is not repeated.
type Each<'e> = Option<&'e Binding<'e>>;

impl Run<'_> {
    /// Evaluates every import. Each resource is imported once.
    pub(super) fn imports(&self, blocks: &[ImportBlock]) -> Evaluated<BTreeMap<Address, Import>> {
        let mut failures = Failures::default();
        let mut imports: BTreeMap<Address, Import> = BTreeMap::new();
        for block in blocks {
            let Some(elements) = failures.take(self.elements(block)) else { continue };
            for element in elements {
                let each = element.map(|value| Binding { name: "each", value, outer: None });
                let import = self.import(block, each.as_ref());
                let Some(import) = failures.take(import) else { continue };
                if let Some(first) = imports.get(&import.to) {
                    failures.add(twice(&import, &first.to_span));
                    continue;
                }
                imports.insert(import.to.clone(), import);
            }
        }
        failures.or(imports)
    }

    /// Returns what `each` is, once after the other; nothing, once, for a block that is not repeated.
    fn elements(&self, block: &ImportBlock) -> Evaluated<Vec<Option<Value>>> {
        let Some(expr) = &block.for_each else { return Ok(vec![None]) };
        let value = self.evaluate(expr)?;
        let is_unknown = value.is_unknown()
            || matches!(&value.data, Data::Set(_)) && value.is_unknown_anywhere();
        let is_set = matches!(&value.data, Data::Set(_));
        let is_sensitive = value.is_sensitive || is_set && value.is_sensitive_anywhere();
        check_plain(expr, "`for_each`", is_unknown, is_sensitive)?;
        let each = |(key, value): (Value, Value)| {
            Some(Value::map([("key".into(), key), ("value".into(), value)].into()))
        };
        let wrong = || wrong_type(&expr.span(), "`for_each`", "a map or a set of strings", &value);
        match &value.data {
            Data::Map(map) => {
                let pairs =
                    map.iter().map(|(key, value)| (Value::text(key.clone()), value.clone()));
                Ok(pairs.map(each).collect())
            }
            Data::Set(items) if items.iter().all(|it| matches!(it.data, Data::Text(_))) => {
                Ok(items.iter().map(|it| each((it.clone(), it.clone()))).collect())
            }
            Data::List(_) => Err(vec![wrong().help(
                "Make it a set with `toset(…)`, or a map with `{ for it in … : it.name => it }`.",
            )]),
            _ => Err(vec![wrong()]),
        }
    }

    fn import(&self, block: &ImportBlock, each: Each<'_>) -> Evaluated<Import> {
        let ImportBlock { steps, to, id, for_each: _ } = block;
        let (address, text) = both(self.target(steps, each), self.import_id(id, each))?;
        Ok(Import { to: address, id: text, to_span: to.clone(), id_span: id.span() })
    }

    fn target(&self, steps: &[Step], each: Each<'_>) -> Evaluated<Address> {
        let mut module = Vec::new();
        for Step { kind, label, key } in steps {
            let key = key.as_ref().map(|key| self.target_key(key, each)).transpose()?;
            match kind {
                Some(kind) => return Ok(Address::new(module, *kind, label.clone(), key)),
                None => module.push(ModuleStep { label: label.clone(), key }),
            }
        }
        // Parsing lets no other address through.
        Ok(Address::root(Kind::Interface, ""))
    }

    fn target_key(&self, key: &TargetKey, each: Each<'_>) -> Evaluated<InstanceKey> {
        let expr = match key {
            TargetKey::Literal(key) => return Ok(key.clone()),
            TargetKey::Expression(expr) => expr,
        };
        let value = self.plain_value(expr, "the key", each)?;
        instance_key(&value).ok_or_else(|| {
            let wrong = wrong_type(&expr.span(), "the key of an instance", "a string", &value);
            vec![wrong.help("Write a text in quotes, or a whole number.")]
        })
    }

    fn import_id(&self, expr: &Expr, each: Each<'_>) -> Evaluated<String> {
        let value = self.plain_value(expr, "`id`", each)?;
        match value.to_text() {
            Some(text) if !value.is_null() => Ok(text.to_string()),
            _ => Err(vec![wrong_type(&expr.span(), "`id`", "a string", &value)]),
        }
    }

    fn plain_value(&self, expr: &Expr, what: &str, each: Each<'_>) -> Evaluated {
        let value = self.evaluate_in(expr, each)?;
        let (is_unknown, is_sensitive) =
            (value.is_unknown_anywhere(), value.is_sensitive_anywhere());
        check_plain(expr, what, is_unknown, is_sensitive)?;
        Ok(value)
    }
}

/// What an import is about is shown, and decided before anything is read.
fn check_plain(expr: &Expr, what: &str, is_unknown: bool, is_sensitive: bool) -> Evaluated<()> {
    if is_unknown {
        return Err(vec![unknown(&expr.span(), what)]);
    }
    if is_sensitive {
        return Err(vec![
            Diagnostic::error("sensitive value that a plan would show")
                .label(&expr.span(), format!("{what} is shown in every plan"))
                .help("Write `nonsensitive(…)` around it if it may be seen."),
        ]);
    }
    Ok(())
}

fn twice(import: &Import, first: &Span) -> Diagnostic {
    Diagnostic::error("resource that is imported twice")
        .label(&import.to_span, format!("`{}` is imported here again", import.to))
        .label(first, "it is imported here first")
        .help("A resource owns one object. Keep one of the two blocks.")
}
