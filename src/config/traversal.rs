//! Attributes, indexes and splats: what follows a value after a dot or in brackets.

use hcl_edit::expr::{Expression, Traversal, TraversalOperator};
use hcl_edit::{Decorated, Span as _};

use crate::config::expression::{Evaluated, Scope, gather, missing_key, poisoned, wrong_type};
use crate::config::suggest::suggestion;
use crate::config::value::{Data, Value};
use crate::config::vocabulary::DATA_ATTRIBUTES;
use crate::diagnostic::{Diagnostic, Span};

type Operators = [Decorated<TraversalOperator>];

/// Returns whether what follows a `data` block is something that it has.
fn is_of_data(operators: &Operators) -> bool {
    match operators.first().map(|it| it.value()) {
        Some(TraversalOperator::GetAttr(name)) => DATA_ATTRIBUTES.contains(&name.as_str()),
        _ => true,
    }
}

impl Scope<'_> {
    pub(crate) fn traversal(&self, it: &Traversal) -> Evaluated {
        if let Expression::Number(_) = &it.expr {
            return Err(vec![
                Diagnostic::error("text without quotes")
                    .label(&self.at(it.span()), "this is no number")
                    .help("Write an address in quotes, as in `\"10.8.0.1/24\"`."),
            ]);
        }
        let Expression::Variable(root) = &it.expr else {
            return self.follow(self.evaluate(&it.expr)?, &it.operators);
        };
        if let Some(value) = self.bound(root.as_str()) {
            return self.follow(value, &it.operators);
        }
        let named = it.operators.split_first().and_then(|(first, rest)| match first.value() {
            TraversalOperator::GetAttr(name) => Some((name, rest)),
            _ => None,
        });
        let Some((name, rest)) = named else {
            // Parsing says that a name has to follow.
            return poisoned();
        };
        // The label of `data` comes second.
        let (name, rest) = match (root.as_str(), rest.split_first()) {
            ("data", Some((second, after))) => match second.value() {
                // Parsing says which attributes there are.
                TraversalOperator::GetAttr(label) if is_of_data(after) => (label, after),
                _ => return poisoned(),
            },
            _ => (name, rest),
        };
        self.follow(self.environment.named(root.as_str(), name.as_str())?, rest)
    }

    fn follow(&self, mut value: Value, operators: &Operators) -> Evaluated {
        for (i, operator) in operators.iter().enumerate() {
            let rest = &operators[i + 1..];
            let at = self.at(operator.span());
            if let [second, ..] = rest
                && [operator, second].iter().all(|it| is_legacy_index(it))
            {
                let both = operator.span().zip(second.span()).map(|(a, b)| a.start..b.end);
                return Err(vec![double_index(&self.at(both))]);
            }
            value = match operator.value() {
                TraversalOperator::GetAttr(name) => {
                    self.attribute(&value, name.as_str(), &self.at(name.span()))?
                }
                TraversalOperator::Index(index) => {
                    let key = self.evaluate(index)?;
                    self.index(&value, &key, &self.span(index))?
                }
                TraversalOperator::LegacyIndex(index) => {
                    let key = Value::integer(*index.value());
                    self.index(&value, &key, &at)?
                }
                TraversalOperator::FullSplat(_) => return self.splat(&value, rest),
                TraversalOperator::AttrSplat(_) => {
                    let is_name = |it: &Decorated<TraversalOperator>| {
                        matches!(it.value(), TraversalOperator::GetAttr(_)) || is_legacy_index(it)
                    };
                    let names = rest.iter().take_while(|it| is_name(it)).count();
                    let list = self.splat(&value, &rest[..names])?;
                    return self.follow(list, &rest[names..]);
                }
            };
        }
        Ok(value)
    }

    /// Applies what follows to each element; anything but a list or a set is a list of itself, and `null` an empty one.
    fn splat(&self, value: &Value, rest: &Operators) -> Evaluated {
        if value.is_unknown() {
            return Ok(value.clone());
        }
        let whole = [value.clone()];
        let items = match value.items() {
            Some(items) => items,
            None if value.is_null() => &[],
            None => &whole,
        };
        let items = gather(items.iter().map(|item| self.follow(item.clone(), rest)))?;
        Ok(Value::list(items).marked(value.is_sensitive))
    }

    fn attribute(&self, value: &Value, name: &str, at: &Span) -> Evaluated {
        let found = match &value.data {
            Data::Unknown => return Ok(value.clone()),
            Data::Resource(address) => self.environment.attribute(address, name, at)?,
            Data::Backend(id) => self.environment.backend_attribute(id, name, at)?,
            Data::Module(steps) => self.environment.output(steps, name, at)?,
            Data::Map(map) => match map.get(name) {
                Some(found) => found.clone(),
                None if map.values().any(is_block) => return Err(vec![unnamed(at, name, value)]),
                None => return Err(vec![missing_key(at, name, value)]),
            },
            Data::List(items) if items.iter().any(is_block) => {
                return Err(vec![unnamed(at, name, value)]);
            }
            Data::List(_) | Data::Set(_) => {
                return Err(vec![
                    wrong_type(at, "what stands before a name", "a map or an object", value).help(
                        format!("Name one element as in `[0].{name}`, or all with `[*].{name}`."),
                    ),
                ]);
            }
            _ => {
                let what = "what stands before a name";
                return Err(vec![wrong_type(at, what, "a map or an object", value)]);
            }
        };
        Ok(found.marked(value.is_sensitive))
    }

    fn index(&self, value: &Value, key: &Value, at: &Span) -> Evaluated {
        let is_sensitive = value.is_sensitive || key.is_sensitive;
        if value.is_unknown() || key.is_unknown() {
            return Ok(Value::UNKNOWN.marked(is_sensitive || value.is_sensitive_anywhere()));
        }
        let found = match &value.data {
            Data::List(items) => {
                let Some(number) = key.to_number() else {
                    return Err(vec![wrong_type(at, "the index of a list", "a number", key)]);
                };
                let index = number.to_integer().and_then(|index| usize::try_from(index).ok());
                match index.and_then(|index| items.get(index)) {
                    Some(item) => item.clone(),
                    None if number.to_wide().is_none() => {
                        let what = "the index of a list";
                        return Err(vec![wrong_type(at, what, "a whole number", key)]);
                    }
                    None => return Err(vec![missing_element(at, items.len())]),
                }
            }
            Data::Map(map) => {
                let Some(text) = key.to_text() else {
                    return Err(vec![wrong_type(at, "the key of a map", "a string", key)]);
                };
                match map.get(&text) {
                    Some(found) => found.clone(),
                    None if key.is_sensitive => {
                        return Err(vec![missing_key(at, "", &value.clone().marked(true))]);
                    }
                    None => return Err(vec![missing_key(at, &text, value)]),
                }
            }
            Data::Set(_) => {
                return Err(vec![
                    wrong_type(at, "what stands before `[…]`", "a list or a map", value)
                        .help("A set has no order: turn it into a list with `tolist`."),
                ]);
            }
            Data::Resource(_) | Data::Backend(_) | Data::Module(_)
                if matches!(key.data, Data::Text(_)) =>
            {
                let name = key.to_text().unwrap_or_else(|| "".into());
                self.attribute(value, &name, at)?
            }
            _ => {
                return Err(vec![wrong_type(
                    at,
                    "what stands before `[…]`",
                    "a list or a map",
                    value,
                )]);
            }
        };
        Ok(found.marked(is_sensitive))
    }
}

/// Returns whether a value stands for a block.
fn is_block(value: &Value) -> bool {
    matches!(value.data, Data::Resource(_) | Data::Backend(_) | Data::Module(_))
}

/// Says that one instance of a block has to be named, or that there is none of this name.
fn unnamed(at: &Span, name: &str, value: &Value) -> Diagnostic {
    let keys: Vec<&str> = match &value.data {
        Data::Map(map) => map.keys().map(|key| &**key).collect(),
        _ => Vec::new(),
    };
    let problem = Diagnostic::error("reference to a repeated block as if it were one")
        .label(at, format!("this block has instances, and none of them is `{name}`"));
    problem.help(match (suggestion(name, keys.iter().copied()), keys.first()) {
        (Some(near), _) => format!("Did you mean `[{near:?}]`?"),
        (None, Some(first)) => {
            format!("Name an instance, as in `[{first:?}].{name}`, or go over all with a `for`.")
        }
        (None, None) => {
            format!("Name an instance, as in `[0].{name}`, or all, as in `[*].{name}`.")
        }
    })
}

/// Returns whether an operator is an index behind a dot, as in `list.0`.
fn is_legacy_index(operator: &Decorated<TraversalOperator>) -> bool {
    matches!(operator.value(), TraversalOperator::LegacyIndex(_))
}

/// Refuses `list.0.1`, as HCL does, which reads a number with a fraction there.
fn double_index(at: &Span) -> Diagnostic {
    Diagnostic::error("two indexes behind dots")
        .label(at, "this could be a number with a fraction")
        .help("Write them in brackets: `list[0][1]`.")
}

/// Says that a list has no such element.
fn missing_element(at: &Span, n: usize) -> Diagnostic {
    let elements = if n == 1 { "1 element".to_owned() } else { format!("{n} elements") };
    Diagnostic::error("reference to an element that is not there")
        .label(at, format!("the list has {elements}, counted from 0"))
        .help("For an element that may be missing, write `try(list[n], fallback)`.")
}
