//! The values of variables: given, or by default, converted to their type and checked.

use std::ops::Range;
use std::sync::Arc;

use crate::config::block::{Expr, Node, Validation, VariableBlock};
use crate::config::constant::constant;
use crate::config::evaluator::run::Run;
use crate::config::expression::{Evaluated, Scope, poisoned, wrong_type};
use crate::config::parse::Given;
use crate::config::parse::parser::parse_expression;
use crate::config::types::Type;
use crate::config::value::Value;
use crate::diagnostic::{Diagnostic, Span};

impl Run<'_> {
    /// Evaluates every variable that has a value.
    pub(super) fn variables(&self) -> Vec<Diagnostic> {
        let config = self.evaluator.config;
        let mut problems = Vec::new();
        for (name, block) in &config.root().variables {
            if config.given.contains_key(name) || block.default.is_some() {
                let node = Node::Variable(name.clone());
                problems.extend(self.node(&node).err().unwrap_or_default());
            }
        }
        problems
    }

    pub(super) fn variable(&self, name: &Arc<str>) -> Evaluated {
        let Some(block) = self.blocks().variables.get(name) else { return poisoned() };
        let Some(of) = &block.of else { return poisoned() };
        let value = self.converted(name, block, of)?.marked(block.is_sensitive);
        if block.validations.is_empty() {
            return Ok(value);
        }
        let instance = self.place.instance.id;
        // What depends on a device may be another value each time.
        let is_late = self.call.consulted.get();
        let is_new = self.evaluator.validated.borrow_mut().insert((instance, name.clone()));
        if is_new || is_late {
            // A condition may use the variable itself.
            self.note(&Node::Variable(name.clone()), &value);
            let problems: Vec<Diagnostic> = block
                .validations
                .iter()
                .flat_map(|it| self.validate(name, it).err().unwrap_or_default())
                .collect();
            if !problems.is_empty() {
                return Err(problems);
            }
        }
        Ok(value)
    }

    fn converted(&self, name: &str, block: &VariableBlock, of: &Type) -> Evaluated {
        let config = self.evaluator.config;
        let is_root = self.place.instance.id == 0;
        if let Some(given) = config.given.get(name).filter(|_| is_root) {
            let value = self.given(given, block)?;
            if !value.is_null() || block.is_nullable {
                return convert(block, of, &value, &given.span());
            }
        }
        if let Some((caller, argument)) = self.argument(name) {
            let value = caller.evaluate(argument)?;
            if !value.is_null() || block.is_nullable {
                return convert(block, of, &value, &argument.span());
            }
        }
        if is_root && config.root().broken.has_value(name) {
            // It is given where nothing can be read.
            return poisoned();
        }
        let Some(default) = &block.default else {
            // Parsing says what a module is not given.
            return if is_root { Err(vec![no_value(name, block)]) } else { poisoned() };
        };
        let value = self.evaluate(default)?;
        if value.is_null() && !block.is_nullable {
            return Err(vec![wrong_type(&default.span(), "the default", "a value", &value)]);
        }
        convert(block, of, &value, &default.span())
    }

    /// Returns what the `module` block gives a variable, and where that is evaluated.
    fn argument(&self, name: &str) -> Option<(Self, &Expr)> {
        let caller = self.caller()?;
        let label = &self.place.instance.steps.last()?.label;
        let module = caller.blocks().modules.get(label.as_str())?;
        let (_, argument) = module.arguments.get(name)?;
        Some((caller, argument))
    }

    fn given(&self, given: &Given, block: &VariableBlock) -> Evaluated {
        let source = match given {
            Given::Expression(expr) => {
                let at = |range| Span { source: expr.source.clone(), range };
                return constant(&expr.expression).map_err(|range| vec![not_constant(&at(range))]);
            }
            Given::Text(source) => source,
        };
        if block.takes_text {
            return Ok(Value::text(source.text.as_str()));
        }
        // What a CI sets over several lines ends with one more.
        let text = source.text.trim_start();
        let start = source.text.len() - text.len();
        let at = |range: Range<usize>| Span {
            source: source.clone(),
            range: start + range.start..start + range.end,
        };
        let expression = parse_expression(text.trim_end()).map_err(|_| {
            vec![
                Diagnostic::error("invalid value for a variable")
                    .label(&given.span(), "this is not written as an expression")
                    .help("The type of this variable takes an expression, such as `[\"a\", \"b\"]` or `{ a = 1 }`."),
            ]
        })?;
        constant(&expression).map_err(|range| vec![not_constant(&at(range))])
    }

    fn validate(&self, name: &str, it: &Validation) -> Evaluated<()> {
        let value = self.evaluate(&it.condition)?;
        if value.is_unknown() {
            return Ok(());
        }
        let Some(is_valid) = value.to_bool() else {
            let at = it.condition.span();
            return Err(vec![wrong_type(&at, "the condition", "true or false", &value)]);
        };
        if is_valid {
            return Ok(());
        }
        let scope = Scope { environment: self, source: &it.message.source, bindings: None };
        let message = scope.text(&it.message.expression, "the message")?;
        let message = match message.text {
            Some(text) if !message.is_sensitive => text.to_string(),
            _ => "The message of this validation is sensitive.".to_owned(),
        };
        let config = self.evaluator.config;
        let mut diagnostic = Diagnostic::error("invalid value for a variable");
        let given = config.given.get(name).filter(|_| self.place.instance.id == 0);
        let at = given.map(Given::span).or_else(|| Some(self.argument(name)?.1.span()));
        diagnostic = match at {
            Some(at) => diagnostic.label(&at, format!("this is the value of `var.{name}`")),
            None => diagnostic,
        };
        Err(vec![
            diagnostic.label(&it.condition.span(), "this condition does not hold").help(message),
        ])
    }
}

fn convert(block: &VariableBlock, of: &Type, value: &Value, at: &Span) -> Evaluated {
    of.convert(value).map_err(|it| {
        // What is wrong with a part of it may quote that part.
        let message = match block.is_sensitive || value.is_sensitive_anywhere() {
            true => format!("{} is wanted", of.noun()),
            false if it.path.is_empty() => it.message,
            false => format!("at `{}`: {}", it.path, it.message),
        };
        vec![
            Diagnostic::error("invalid value for a variable")
                .label(at, message)
                .label(&block.span, "the variable is declared here")
                .help("Give it a value of its `type`, or change the `type`."),
        ]
    })
}

fn not_constant(at: &Span) -> Diagnostic {
    Diagnostic::error("expression where a plain value is needed")
        .label(at, "the value of a variable has no references, functions or operators")
        .help("Put the expression into a `locals` block.")
}

fn no_value(name: &str, block: &VariableBlock) -> Diagnostic {
    Diagnostic::error("variable without a value")
        .label(&block.span, format!("`var.{name}` is used, and has no value"))
        .help(format!(
            "Set it with `-var {name}=…`, in the environment as `WGFORM_VAR_{name}`, or in `wgform.wgvars.hcl`; or give it a `default`."
        ))
}
