//! Evaluates expressions, and points at the sub-expression that is wrong.
//!
//! What a name stands for comes from an [`Environment`]; nothing here knows blocks, variables or devices.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::{
    BinaryOp, BinaryOperator, Conditional, Expression, ForExpr, FuncCall, ObjectKey, UnaryOp,
    UnaryOperator,
};
use jiff::Timestamp;

use crate::config::function;
use crate::config::lines::prepared;
use crate::config::rendering::Templates;
use crate::config::suggest::suggestion;
use crate::config::unify;
use crate::config::value::{Data, Map, Number, Value};
use crate::diagnostic::{Diagnostic, SourceText, Span};
use crate::resource::address::path;
use crate::resource::{Address, BackendId, ModuleStep};
use crate::source::Files;

/// A value, or everything that is wrong with it; nothing where that is said elsewhere.
pub(crate) type Evaluated<T = Value> = Result<T, Vec<Diagnostic>>;

/// What the names in an expression stand for.
pub(crate) trait Environment {
    /// Returns the value of `root.name`, such as `var.region` or `interface.hub`.
    fn named(&self, root: &str, name: &str) -> Evaluated;

    /// Returns the value of an attribute of a resource.
    fn attribute(&self, resource: &Address, name: &str, at: &Span) -> Evaluated;

    /// Returns the value of an output of a module.
    fn output(&self, module: &[ModuleStep], name: &str, at: &Span) -> Evaluated;

    /// Returns the value of an attribute of a backend.
    fn backend_attribute(&self, backend: &BackendId, name: &str, at: &Span) -> Evaluated;

    /// Returns a variable of the process's environment.
    fn variable(&self, name: &str) -> Option<String>;

    /// Returns what reads the files that an expression names.
    fn files(&self) -> &Files;

    /// Returns the directory of the configuration, from the root of the file system.
    fn directory(&self) -> String;

    /// Returns the time of the plan.
    fn planned_at(&self) -> Timestamp;

    /// Returns the templates that were read already.
    fn templates(&self) -> &Templates;

    /// Returns what a template was given; none outside of one.
    fn given(&self) -> Option<&Value> {
        None
    }

    /// Counts what an evaluation takes, across expressions.
    fn effort(&self) -> &Effort;
}

/// What an evaluation has taken so far.
#[derive(Default)]
pub(crate) struct Effort {
    /// How many expressions are inside each other at this moment.
    pub(crate) depth: Cell<u32>,
    /// How many steps were taken: one for each expression, and one for each KiB of its value.
    pub(crate) steps: Cell<usize>,
}

impl Effort {
    /// Counts steps.
    pub(crate) fn charge(&self, steps: usize) {
        self.steps.set(self.steps.get().saturating_add(steps));
    }
}

/// How deep an evaluation may go. One expression has at most 64 levels and 128 operators; two such may be inside each
/// other, and a test's thread with 2 MiB of stack has room for them.
const MAX_DEPTH: u32 = 400;

/// How many steps an evaluation may take; some seconds. A hundred times what an expression over ten thousand peers takes.
const MAX_STEPS: usize = if cfg!(fuzzing) { 50_000 } else { 50_000_000 };

/// A value that a `for` gives a name.
pub(crate) struct Binding<'s> {
    pub(crate) name: &'s str,
    pub(crate) value: Value,
    pub(crate) outer: Option<&'s Self>,
}

/// Where an expression stands: its text, and what its names mean there.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s> {
    pub(crate) environment: &'s dyn Environment,
    pub(crate) source: &'s Arc<SourceText>,
    pub(crate) bindings: Option<&'s Binding<'s>>,
}

impl<'s> Scope<'s> {
    /// Evaluates an expression.
    pub(crate) fn evaluate(&self, expression: &Expression) -> Evaluated {
        let Effort { depth, steps } = self.environment.effort();
        if depth.get() >= MAX_DEPTH {
            return Err(vec![
                Diagnostic::error("expression nested too deep")
                    .label(&self.span(expression), "this has too many operations inside each other")
                    .help("Split it into several values in `locals`."),
            ]);
        }
        if steps.get() >= MAX_STEPS {
            return Err(vec![
                Diagnostic::error("expression that takes too long")
                    .label(
                        &self.span(expression),
                        format!("{} million steps are used up here", MAX_STEPS / 1_000_000),
                    )
                    .help(
                        "Go over fewer elements, or keep in a local value what is always the same.",
                    ),
            ]);
        }
        depth.set(depth.get() + 1);
        let value = self.dispatch(expression);
        depth.set(depth.get() - 1);
        let size = value.as_ref().map_or(0, Value::size);
        self.environment.effort().charge(1 + size / 1024);
        if size > Value::MAX_SIZE { Err(vec![too_big(&self.span(expression))]) } else { value }
    }

    fn dispatch(&self, expression: &Expression) -> Evaluated {
        match expression {
            Expression::Null(_) => Ok(Value::NULL),
            Expression::Bool(yes) => Ok((*yes.value()).into()),
            Expression::Number(number) => self.number(number.value(), expression),
            Expression::String(text) => Ok(Value::text(text.as_str())),
            Expression::Array(array) => {
                gather(array.iter().map(|item| self.evaluate(item))).map(Value::list)
            }
            Expression::Object(object) => self.object(object),
            Expression::StringTemplate(template) => self.template(template, true),
            Expression::HeredocTemplate(heredoc) => {
                let whole = expression.span().unwrap_or_default();
                self.environment.effort().charge(whole.len() / 64);
                let start = whole.start;
                let is_indented =
                    self.source.text.get(start..).is_some_and(|it| it.starts_with("<<-"));
                let lines = prepared(&heredoc.template, &self.source.text, is_indented);
                self.template(&lines, false)
            }
            Expression::Parenthesis(inner) => self.evaluate(inner.inner()),
            // Parsing says so of a name that nothing binds.
            Expression::Variable(name) => self.bound(name.as_str()).map_or_else(poisoned, Ok),
            Expression::Conditional(conditional) => self.conditional(conditional),
            Expression::FuncCall(call) => self.call(call),
            Expression::Traversal(traversal) => self.traversal(traversal),
            Expression::UnaryOp(operation) => self.unary(operation),
            Expression::BinaryOp(operation) => self.binary(operation),
            Expression::ForExpr(repeat) => self.repeat(repeat),
        }
    }

    /// Returns where an expression is.
    pub(crate) fn span(&self, expression: &Expression) -> Span {
        self.at(expression.span())
    }

    pub(crate) fn at(&self, range: Option<Range<usize>>) -> Span {
        Span { source: self.source.clone(), range: range.unwrap_or(0..0) }
    }

    /// Finds what a `for` around the expression, or the call of a template, names so.
    pub(crate) fn bound(&self, name: &str) -> Option<Value> {
        let mut binding = self.bindings;
        while let Some(it) = binding {
            if it.name == name {
                return Some(it.value.clone());
            }
            binding = it.outer;
        }
        let given = self.environment.given()?;
        match &given.data {
            Data::Map(map) => map.get(name).map(|it| it.clone().marked(given.is_sensitive)),
            _ => None,
        }
    }

    /// Evaluates an expression that has to be a string, a number or a bool, and returns its text and its mark.
    pub(crate) fn text(&self, expression: &Expression, what: &str) -> Evaluated<Text> {
        let value = self.evaluate(expression)?;
        if value.is_unknown() {
            return Ok(Text { text: None, is_sensitive: value.is_sensitive });
        }
        let Some(text) = value.to_text() else {
            return Err(vec![wrong_type(&self.span(expression), what, "a string", &value)]);
        };
        Ok(Text { text: Some(text), is_sensitive: value.is_sensitive })
    }

    /// Evaluates an expression that has to be true or false; none while that is not known.
    pub(crate) fn bool(&self, expression: &Expression, what: &str) -> Evaluated<Answer> {
        let value = self.evaluate(expression)?;
        if value.is_unknown() {
            return Ok(Answer { yes: None, is_sensitive: value.is_sensitive });
        }
        let Some(yes) = value.to_bool() else {
            return Err(vec![wrong_type(&self.span(expression), what, "true or false", &value)]);
        };
        Ok(Answer { yes: Some(yes), is_sensitive: value.is_sensitive })
    }

    fn number(&self, number: &hcl_edit::Number, expression: &Expression) -> Evaluated {
        // The parser reads large ones with double precision.
        let written = expression.span().and_then(|at| Number::parse(self.source.text.get(at)?));
        let number = written.or_else(|| Number::from_literal(number));
        number.map(Value::from).ok_or_else(|| vec![too_large(&self.span(expression))])
    }

    fn object(&self, object: &hcl_edit::expr::Object) -> Evaluated {
        let mut is_sensitive = false;
        let mut is_unknown = false;
        let items = gather(object.iter().map(|(key, value)| {
            let key = match key {
                ObjectKey::Ident(name) => {
                    Ok(Text { text: Some(name.as_str().into()), is_sensitive: false })
                }
                ObjectKey::Expression(key) => self.text(key, "the key of an object"),
            };
            let (key, value) = both(key, self.evaluate(value.expr()))?;
            is_sensitive |= key.is_sensitive;
            is_unknown |= key.text.is_none();
            Ok((key.text.unwrap_or_else(|| "".into()), value))
        }))?;
        let map: Map = items.into_iter().collect();
        let nested = map.values().any(Value::is_sensitive_anywhere);
        Ok(if is_unknown {
            Value::UNKNOWN.marked(is_sensitive || nested)
        } else {
            Value::map(map).marked(is_sensitive)
        })
    }

    /// A condition: both values get one type. What is wrong with the one that is not taken does not matter.
    fn conditional(&self, it: &Conditional) -> Evaluated {
        let condition = self.bool(&it.cond_expr, "a condition")?;
        let (first, second) = match condition.yes {
            Some(false) => (&it.false_expr, &it.true_expr),
            _ => (&it.true_expr, &it.false_expr),
        };
        let value = match (self.evaluate(first), self.evaluate(second)) {
            (Ok(taken), Ok(other)) => {
                // No mark may be lost until more is known.
                let is_sensitive = condition.yes.is_none() && other.is_sensitive_anywhere();
                self.in_one_type((first, &taken), (second, &other))?.marked(is_sensitive)
            }
            (Ok(taken), Err(_)) => taken,
            (Err(problems), _) if condition.yes.is_some() => return Err(problems),
            (Err(_), other) => other.unwrap_or(Value::UNKNOWN),
        };
        let value = match condition.yes {
            Some(_) => value,
            None => Value::UNKNOWN.marked(value.is_sensitive_anywhere()),
        };
        Ok(value.marked(condition.is_sensitive))
    }

    /// Returns the first of two values in the type that both can have.
    fn in_one_type(
        &self,
        (first, value): (&Expression, &Value),
        (second, other): (&Expression, &Value),
    ) -> Evaluated {
        self.environment.effort().charge(unify::effort(value) + unify::effort(other));
        unify::beside(value, other).ok_or_else(|| {
            vec![
                Diagnostic::error("condition with values of different types")
                    .label(&self.span(first), format!("this is {}", value.noun()))
                    .label(&self.span(second), format!("and this is {}", other.noun()))
                    .help("Give both values one type: with `tostring` or `[…]`, or with `null` for none."),
            ]
        })
    }

    /// Returns whether a value is sensitive that may be taken once more is known: no mark may be lost until then, and
    /// what is wrong with the value is said only if it is taken.
    fn is_sensitive(&self, expression: &Expression) -> bool {
        self.evaluate(expression).is_ok_and(|value| value.is_sensitive_anywhere())
    }

    fn call(&self, call: &FuncCall) -> Evaluated {
        let name = call.name.name.as_str();
        match name {
            "try" => return self.attempt(call),
            "can" => return self.can(call),
            "templatefile" | "templatestring" => return self.render(call),
            _ => {}
        }
        let mut arguments = Vec::new();
        let mut places = Vec::new();
        let evaluated =
            gather(call.args.iter().map(|argument| {
                self.evaluate(argument).map(|value| (value, self.span(argument)))
            }))?;
        let last = evaluated.len().saturating_sub(1);
        for (i, (value, at)) in evaluated.into_iter().enumerate() {
            if !(call.args.expand_final() && i == last) {
                arguments.push(value);
                places.push(at);
                continue;
            }
            if value.is_unknown() {
                let is_sensitive = arguments.iter().any(Value::is_sensitive_anywhere);
                return Ok(value.marked(is_sensitive));
            }
            let Some(items) = value.items() else {
                return Err(vec![wrong_type(&at, "what `...` expands", "a list", &value)]);
            };
            arguments.extend(items.iter().map(|item| item.clone().marked(value.is_sensitive)));
            places.extend(items.iter().map(|_| at.clone()));
        }
        let whole = self.at(call.span());
        function::call(self.environment, name, &arguments, &places, &whole)
    }

    /// `try`: the first argument that evaluates.
    fn attempt(&self, call: &FuncCall) -> Evaluated {
        let mut problems = Vec::new();
        for (i, argument) in call.args.iter().enumerate() {
            match self.evaluate(argument) {
                // In the end it may be an error, and a later argument be taken.
                Ok(value) if value.is_unknown_anywhere() => {
                    let mut later = call.args.iter().skip(i + 1);
                    return Ok(value.marked(later.any(|it| self.is_sensitive(it))));
                }
                Ok(value) => return Ok(value),
                Err(more) if more.is_empty() => return poisoned(),
                Err(more) => problems = more,
            }
        }
        if problems.is_empty() {
            problems.push(
                Diagnostic::error("invalid function call")
                    .label(&self.at(call.span()), "`try` needs at least one argument")
                    .help("Write it as `try(value, fallback)`."),
            );
        }
        Err(problems)
    }

    /// `can`: whether the argument evaluates.
    fn can(&self, call: &FuncCall) -> Evaluated {
        let (Some(argument), 1) = (call.args.get(0), call.args.len()) else {
            return Err(vec![
                Diagnostic::error("invalid function call")
                    .label(&self.at(call.span()), "`can` needs exactly one argument")
                    .help("Write it as `can(value)`."),
            ]);
        };
        Ok(match self.evaluate(argument) {
            Ok(value) if value.is_unknown_anywhere() => {
                Value::UNKNOWN.marked(value.is_sensitive_anywhere())
            }
            Ok(value) => Value::from(true).marked(value.is_sensitive_anywhere()),
            Err(problems) if problems.is_empty() => return poisoned(),
            Err(_) => false.into(),
        })
    }

    fn unary(&self, it: &UnaryOp) -> Evaluated {
        if *it.operator.value() == UnaryOperator::Not {
            let answer = self.bool(&it.expr, "what `!` turns round")?;
            let value = answer.yes.map_or(Value::UNKNOWN, |yes| Value::from(!yes));
            return Ok(value.marked(answer.is_sensitive));
        }
        let value = self.evaluate(&it.expr)?;
        if value.is_unknown() {
            return Ok(value);
        }
        let number = match value.to_number() {
            Some(Number::Integer(number)) => match number.checked_neg() {
                Some(negative) => Some(Number::Integer(negative)),
                None => Number::from_f64(-(number as f64)),
            },
            Some(Number::Float(number)) => Number::from_f64(-number),
            None => None,
        };
        let number = number.ok_or_else(|| {
            vec![wrong_type(&self.span(&it.expr), "what `-` negates", "a number", &value)]
        })?;
        Ok(Value::from(number).marked(value.is_sensitive))
    }

    fn binary(&self, it: &BinaryOp) -> Evaluated {
        match it.operator.value() {
            BinaryOperator::And => self.logic(it, false),
            BinaryOperator::Or => self.logic(it, true),
            BinaryOperator::Eq => self.equal(it, true),
            BinaryOperator::NotEq => self.equal(it, false),
            operator => self.arithmetic(it, *operator),
        }
    }

    /// `&&` and `||`: the right side counts only when the left one does not decide.
    fn logic(&self, it: &BinaryOp, decisive: bool) -> Evaluated {
        let what = format!("a side of `{}`", it.operator.value());
        let left = self.bool(&it.lhs_expr, &what)?;
        if left.yes == Some(decisive) {
            return Ok(Value::from(decisive).marked(left.is_sensitive));
        }
        let right = self.bool(&it.rhs_expr, &what)?;
        let value = match (left.yes, right.yes) {
            (_, Some(yes)) if yes == decisive => decisive.into(),
            (Some(_), Some(_)) => (!decisive).into(),
            _ => Value::UNKNOWN,
        };
        Ok(value.marked(left.is_sensitive || right.is_sensitive))
    }

    fn equal(&self, it: &BinaryOp, wanted: bool) -> Evaluated {
        let (left, right) = both(self.evaluate(&it.lhs_expr), self.evaluate(&it.rhs_expr))?;
        let is_sensitive = left.is_sensitive_anywhere() || right.is_sensitive_anywhere();
        let value = if left.is_unknown_anywhere() || right.is_unknown_anywhere() {
            Value::UNKNOWN
        } else {
            Value::from(left.order(&right).is_eq() == wanted)
        };
        Ok(value.marked(is_sensitive))
    }

    fn arithmetic(&self, it: &BinaryOp, operator: BinaryOperator) -> Evaluated {
        let (left, right) = both(self.evaluate(&it.lhs_expr), self.evaluate(&it.rhs_expr))?;
        let is_sensitive = left.is_sensitive || right.is_sensitive;
        let number = |value: &Value, side: &Expression| {
            if value.is_unknown() {
                return Ok(None);
            }
            let what = format!("a side of `{operator}`");
            value
                .to_number()
                .map(Some)
                .ok_or_else(|| vec![wrong_type(&self.span(side), &what, "a number", value)])
        };
        let (a, b) = both(number(&left, &it.lhs_expr), number(&right, &it.rhs_expr))?;
        let (Some(a), Some(b)) = (a, b) else {
            return Ok(Value::UNKNOWN.marked(is_sensitive));
        };
        let order = a.order(&b);
        let value: Value = match operator {
            BinaryOperator::Less => order.is_lt().into(),
            BinaryOperator::LessEq => order.is_le().into(),
            BinaryOperator::Greater => order.is_gt().into(),
            BinaryOperator::GreaterEq => order.is_ge().into(),
            BinaryOperator::Div | BinaryOperator::Mod if b.to_f64() == 0.0 => {
                return Err(vec![
                    Diagnostic::error("division by zero")
                        .label(&self.span(&it.rhs_expr), "this is zero")
                        .help("Ask first, as in `n == 0 ? 0 : x / n`."),
                ]);
            }
            operator => calculate(operator, a, b)
                .ok_or_else(|| vec![too_large(&self.at(it.span()))])?
                .into(),
        };
        Ok(value.marked(is_sensitive))
    }

    fn repeat(&self, it: &ForExpr) -> Evaluated {
        let intro = &it.intro;
        let collection = self.evaluate(&intro.collection_expr)?;
        let is_unknown = collection.is_unknown();
        let Some(entries) = entries(&collection) else {
            let at = self.span(&intro.collection_expr);
            return Err(vec![wrong_type(
                &at,
                "what `for` goes over",
                "a list, a set or a map",
                &collection,
            )]);
        };
        let is_sensitive = collection.is_sensitive;
        let mut made = Made { is_sensitive, is_unknown, ..Made::default() };
        let key_name = intro.key_var.as_ref().map(|name| name.as_str());
        for (key, value) in entries {
            let outer = Binding {
                // A name that no expression can spell, where the key has none.
                name: key_name.unwrap_or(""),
                value: key,
                outer: self.bindings,
            };
            let inner = Binding { name: intro.value_var.as_str(), value, outer: Some(&outer) };
            let scope = Scope { bindings: Some(&inner), ..*self };
            let one = scope.one(it, &mut made);
            // The same mistake a thousand times is one mistake; in what may have no elements it is none yet.
            if !is_unknown {
                one?;
            }
        }
        Ok(made.value(it.key_expr.is_some()))
    }

    /// Makes one element of a `for`.
    fn one(&self, it: &ForExpr, made: &mut Made) -> Evaluated<()> {
        if let Some(condition) = &it.cond {
            let condition = self.bool(&condition.expr, "the condition of a `for`")?;
            made.is_sensitive |= condition.is_sensitive;
            made.is_unknown |= condition.yes.is_none();
            if condition.yes == Some(false) {
                return Ok(());
            }
        }
        let value = |made: &mut Made| {
            let value = self.evaluate(&it.value_expr)?;
            made.size = made.size.saturating_add(value.size());
            let is_too_big = made.size > Value::MAX_SIZE;
            if is_too_big { Err(vec![too_big(&self.span(&it.value_expr))]) } else { Ok(value) }
        };
        let Some(key_expression) = &it.key_expr else {
            let value = value(made)?;
            made.list.push(value);
            return Ok(());
        };
        let key = self.text(key_expression, "the key of a `for`");
        let (key, value) = both(key, value(made))?;
        made.is_sensitive |= key.is_sensitive;
        let Some(name) = key.text else {
            made.is_unknown = true;
            made.is_sensitive |= value.is_sensitive_anywhere();
            return Ok(());
        };
        made.size = made.size.saturating_add(name.len());
        if it.grouping {
            made.groups.entry(name).or_default().push(value);
            return Ok(());
        }
        if made.map.insert(name.clone(), value).is_some() {
            let named = if made.is_sensitive { String::new() } else { format!(" {name:?}") };
            return Err(vec![
                Diagnostic::error("duplicate key in a map")
                    .label(&self.span(key_expression), format!("two elements have the key{named}"))
                    .help("Add `...` after the value to group the values of each key in a list."),
            ]);
        }
        Ok(())
    }
}

/// A text that is not known yet, or is, with its mark.
pub(crate) struct Text {
    pub(crate) text: Option<Arc<str>>,
    pub(crate) is_sensitive: bool,
}

/// A yes or no that is not known yet, or is, with its mark.
pub(crate) struct Answer {
    pub(crate) yes: Option<bool>,
    pub(crate) is_sensitive: bool,
}

/// What a `for` has made so far.
#[derive(Default)]
struct Made {
    list: Vec<Value>,
    map: Map,
    groups: BTreeMap<Arc<str>, Vec<Value>>,
    is_sensitive: bool,
    is_unknown: bool,
    size: usize,
}

impl Made {
    fn value(self, is_map: bool) -> Value {
        let Self { list, mut map, groups, is_sensitive, is_unknown, size: _ } = self;
        map.extend(groups.into_iter().map(|(key, values)| (key, Value::list(values))));
        let value = if is_map { Value::map(map) } else { Value::list(list) };
        if is_unknown {
            return Value::UNKNOWN.marked(is_sensitive || value.is_sensitive_anywhere());
        }
        value.marked(is_sensitive)
    }
}

/// Returns the keys and values of a collection, with the collection's mark. An unknown one has one unknown entry, which
/// is enough to find the marks of what is made from it.
pub(crate) fn entries(collection: &Value) -> Option<Vec<(Value, Value)>> {
    let is_sensitive = collection.is_sensitive;
    let marked = |value: &Value| value.clone().marked(is_sensitive);
    Some(match &collection.data {
        Data::Unknown => vec![(collection.clone(), collection.clone())],
        Data::List(items) => items
            .iter()
            .enumerate()
            .map(|(i, item)| (Value::count(i).marked(is_sensitive), marked(item)))
            .collect(),
        Data::Set(items) => items.iter().map(|item| (marked(item), marked(item))).collect(),
        Data::Map(map) => map
            .iter()
            .map(|(key, item)| (Value::text(key.clone()).marked(is_sensitive), marked(item)))
            .collect(),
        _ => return None,
    })
}

fn calculate(operator: BinaryOperator, a: Number, b: Number) -> Option<Number> {
    if let (Number::Integer(a), Number::Integer(b)) = (a, b) {
        let exact = match operator {
            BinaryOperator::Plus => a.checked_add(b),
            BinaryOperator::Minus => a.checked_sub(b),
            BinaryOperator::Mul => a.checked_mul(b),
            BinaryOperator::Div if a.checked_rem(b) == Some(0) => a.checked_div(b),
            BinaryOperator::Mod => a.checked_rem(b),
            _ => None,
        };
        if let Some(exact) = exact {
            return Some(Number::Integer(exact));
        }
    }
    let (a, b) = (a.to_f64(), b.to_f64());
    Number::from_f64(match operator {
        BinaryOperator::Plus => a + b,
        BinaryOperator::Minus => a - b,
        BinaryOperator::Mul => a * b,
        BinaryOperator::Div => a / b,
        _ => a % b,
    })
}

fn too_large(at: &Span) -> Diagnostic {
    Diagnostic::error("number too large")
        .label(at, "this is beyond what a number can hold")
        .help("The largest number is about 1.8e308.")
}

/// Says that a value is too large.
pub(crate) fn too_big(at: &Span) -> Diagnostic {
    let limit = Value::MAX_SIZE >> 20;
    Diagnostic::error("value too large")
        .label(at, format!("this is beyond {limit} MiB"))
        .help("Make it of fewer or shorter parts.")
}

/// Says that a value has the wrong type.
pub(crate) fn wrong_type(at: &Span, what: &str, wanted: &str, value: &Value) -> Diagnostic {
    let diagnostic = Diagnostic::error("value of the wrong type")
        .label(at, format!("{what} has to be {wanted}, and this is {}", value.shown()))
        .help(match wanted {
            "a string" => "Write a text in quotes.",
            "a whole number from 0 to 1000000" => {
                "Write how many instances there are, such as `2`."
            }
            "a number" | "a whole number" => "Write a number, such as `1420`.",
            "true or false" => "Write `true`, `false` or a comparison such as `a == b`.",
            _ => "Write it as `[…]` for a list, as `{ name = value }` for a map or an object.",
        });
    match &value.data {
        Data::Resource(address) => {
            diagnostic.help(format!("Name one of its attributes, such as `{address}.name`."))
        }
        Data::Backend(id) => diagnostic.help(format!("Name its id with `backend.{id}.id`.")),
        Data::Module(steps) => {
            diagnostic.help(format!("Name one of its outputs, as in `{}.NAME`.", path(steps)))
        }
        _ => diagnostic,
    }
}

/// Says that a collection has no such key.
pub(crate) fn missing_key(at: &Span, key: &str, map: &Value) -> Diagnostic {
    let mut diagnostic = Diagnostic::error("reference to a key that is not there")
        .help("For a key that may be missing, write `lookup(map, key, fallback)`.");
    let Data::Map(entries) = &map.data else {
        return diagnostic.label(at, "this has no keys");
    };
    if map.is_sensitive {
        return diagnostic.label(at, "there is no such key in this sensitive value");
    }
    diagnostic = diagnostic.label(at, format!("there is no key `{key}` here"));
    match suggestion(key, entries.keys().map(|key| &**key)) {
        Some(near) => diagnostic.help(format!("Did you mean `{near}`?")),
        None => diagnostic,
    }
}

/// Says that there is no value, and that the reason is said elsewhere: what it refers to is broken itself.
pub(crate) fn poisoned<T>() -> Evaluated<T> {
    Err(Vec::new())
}

/// What is wrong with the parts of something, so that one run says all of it.
#[derive(Default)]
pub(crate) struct Failures {
    said: Vec<Diagnostic>,
    /// A part may be poisoned, and then there is nothing to say.
    any: bool,
}

impl Failures {
    /// Returns the value of a part, or keeps what is wrong with it.
    pub(crate) fn take<T>(&mut self, part: Evaluated<T>) -> Option<T> {
        match part {
            Ok(value) => Some(value),
            Err(more) => {
                self.any = true;
                self.said.extend(more);
                None
            }
        }
    }

    /// Adds something that is wrong with the parts together.
    pub(crate) fn add(&mut self, problem: Diagnostic) {
        self.any = true;
        self.said.push(problem);
    }

    /// Returns the whole, if all parts are right.
    pub(crate) fn or<T>(self, whole: T) -> Evaluated<T> {
        if self.any { Err(self.said) } else { Ok(whole) }
    }
}

/// Collects all values, or all problems.
pub(crate) fn gather<T>(results: impl Iterator<Item = Evaluated<T>>) -> Evaluated<Vec<T>> {
    let mut failures = Failures::default();
    let values = results.filter_map(|it| failures.take(it)).collect();
    failures.or(values)
}

/// Returns both values, or the problems of both.
pub(crate) fn both<A, B>(a: Evaluated<A>, b: Evaluated<B>) -> Evaluated<(A, B)> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(mut a), Err(b)) => {
            a.extend(b);
            Err(a)
        }
        (Err(problems), _) | (_, Err(problems)) => Err(problems),
    }
}
