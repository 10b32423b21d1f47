//! The `import` blocks: what their keys and ids are.

use std::collections::BTreeMap;

use crate::config::block::Expr;
use crate::config::evaluator::run::Run;
use crate::config::evaluator::settings::unknown;
use crate::config::expression::{Evaluated, Failures, both, wrong_type};
use crate::config::refactor::{Import, ImportBlock, Step, TargetKey, instance_key};
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::{Address, InstanceKey, Kind, ModuleStep};

impl Run<'_> {
    /// Evaluates every import. Each resource is imported once.
    pub(super) fn imports(&self, blocks: &[ImportBlock]) -> Evaluated<BTreeMap<Address, Import>> {
        let mut failures = Failures::default();
        let mut imports: BTreeMap<Address, Import> = BTreeMap::new();
        for block in blocks {
            let Some(import) = failures.take(self.import(block)) else { continue };
            if let Some(first) = imports.get(&import.to) {
                failures.add(twice(&import, &first.to_span));
                continue;
            }
            imports.insert(import.to.clone(), import);
        }
        failures.or(imports)
    }

    fn import(&self, block: &ImportBlock) -> Evaluated<Import> {
        let ImportBlock { steps, to, id } = block;
        let (address, text) = both(self.target(steps), self.import_text(id, "`id`"))?;
        Ok(Import { to: address, id: text, to_span: to.clone(), id_span: id.span() })
    }

    fn target(&self, steps: &[Step]) -> Evaluated<Address> {
        let mut module = Vec::new();
        for Step { kind, label, key } in steps {
            let key = key.as_ref().map(|key| self.target_key(key)).transpose()?;
            match kind {
                Some(kind) => return Ok(Address::new(module, *kind, label.clone(), key)),
                None => module.push(ModuleStep { label: label.clone(), key }),
            }
        }
        // Parsing lets no other address through.
        Ok(Address::root(Kind::Interface, ""))
    }

    fn target_key(&self, key: &TargetKey) -> Evaluated<InstanceKey> {
        let expr = match key {
            TargetKey::Literal(key) => return Ok(key.clone()),
            TargetKey::Expression(expr) => expr,
        };
        let value = self.evaluate(expr)?;
        self.check_plain(
            expr,
            "the key",
            value.is_unknown_anywhere(),
            value.is_sensitive_anywhere(),
        )?;
        instance_key(&value).ok_or_else(|| {
            vec![wrong_type(
                &expr.span(),
                "the key of an instance",
                "a string or a whole number",
                &value,
            )]
        })
    }

    fn import_text(&self, expr: &Expr, what: &str) -> Evaluated<String> {
        let value = self.evaluate(expr)?;
        self.check_plain(expr, what, value.is_unknown_anywhere(), value.is_sensitive_anywhere())?;
        match value.to_text() {
            Some(text) if !value.is_null() => Ok(text.to_string()),
            _ => Err(vec![wrong_type(&expr.span(), what, "a string", &value)]),
        }
    }

    /// What an import is about is shown and decided before anything is read.
    fn check_plain(
        &self,
        expr: &Expr,
        what: &str,
        is_unknown: bool,
        is_sensitive: bool,
    ) -> Evaluated<()> {
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
}

fn twice(import: &Import, first: &Span) -> Diagnostic {
    Diagnostic::error("resource that is imported twice")
        .label(&import.to_span, format!("`{}` is imported here again", import.to))
        .label(first, "it is imported here first")
        .help("A resource owns one object. Keep one of the two blocks.")
}
