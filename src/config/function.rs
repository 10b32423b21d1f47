//! The functions of expressions: Terraform's, under Terraform's names and with its results, and a few of our own.
//!
//! `try` and `can` are not here: they see expressions, not values.

mod collection;
mod conversion;
mod format;
mod network;
mod outside;
mod table;
mod text;

use std::sync::Arc;

use crate::config::expression::{Environment, Evaluated, poisoned};
use crate::config::function::table::FUNCTIONS;
use crate::config::value::{Map, Number, Value};
use crate::diagnostic::{Diagnostic, Span};

/// One function.
struct Function {
    name: &'static str,
    /// How it is called, for messages.
    usage: &'static str,
    least: usize,
    most: usize,
    manner: Manner,
    run: fn(&Call) -> Answer,
    /// What it returns, for the reference.
    doc: &'static str,
}

/// What marks and unknown values in the arguments do to the result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Whatever is sensitive or unknown, however deep in the arguments, makes the result so.
    Whole,
    /// The same, but `null` is an argument like others.
    WholeOrNull,
    /// Only the marks of the arguments themselves do: elements keep their own.
    Elements,
    /// The function sees to it.
    Own,
}

/// The arguments of a call, and what the function may ask of the outside.
struct Call<'c> {
    arguments: &'c [Value],
    environment: &'c dyn Environment,
}

/// A value, or why there is none.
type Answer<T = Value> = Result<T, Failure>;

/// Why a function has no result.
struct Failure {
    /// The argument that is wrong; none for the call as a whole.
    argument: Option<usize>,
    message: String,
    hint: Option<String>,
}

const MANY: usize = usize::MAX;

/// Returns how every function is called and what it returns, in the order of their names.
pub(crate) fn declared() -> Vec<(&'static str, &'static str)> {
    let special = [
        ("can(expression)", "Whether the expression has a value; an error in it is none."),
        ("try(expressions...)", "The value of the first expression that has one."),
    ];
    let functions = FUNCTIONS.iter().map(|function| (function.usage, function.doc));
    let mut all: Vec<_> = functions.chain(special).collect();
    all.sort_unstable();
    all
}

/// Returns the names of all functions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name).chain(["can", "try"])
}

/// Lists all functions, as a help.
pub(crate) fn all_names() -> String {
    let names: Vec<_> = names().map(|name| format!("`{name}`")).collect();
    format!("The functions are {}.", names.join(", "))
}

/// Calls a function. `places` says where each argument is, `whole` where the call is.
pub(crate) fn call(
    environment: &dyn Environment,
    name: &str,
    arguments: &[Value],
    places: &[Span],
    whole: &Span,
) -> Evaluated {
    let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) else {
        // Parsing says so.
        return poisoned();
    };
    if !(function.least..=function.most).contains(&arguments.len()) {
        return Err(vec![
            Diagnostic::error("invalid function call")
                .label(whole, wrong_count(function, arguments.len()))
                .help(format!("Call it as `{}`.", function.usage)),
        ]);
    }
    let answer = run(function, &Call { arguments, environment });
    answer.map_err(|failure| {
        let at = failure.argument.and_then(|i| places.get(i)).unwrap_or(whole);
        let is_sensitive = arguments.iter().any(Value::is_sensitive_anywhere);
        // What the function says may quote its arguments.
        let (message, hint) = match is_sensitive {
            true => (format!("`{name}` cannot take this, and the reason is sensitive"), None),
            false => (failure.message, failure.hint),
        };
        let hint = hint.unwrap_or_else(|| format!("Call it as `{}`.", function.usage));
        vec![Diagnostic::error("invalid function call").label(at, message).help(hint)]
    })
}

fn wrong_count(function: &Function, n: usize) -> String {
    let arguments =
        |n: usize| if n == 1 { "1 argument".to_owned() } else { format!("{n} arguments") };
    let Function { name, least, most, .. } = function;
    if least == most {
        format!("`{name}` takes {}, and here are {n}", arguments(*least))
    } else if n < *least {
        format!("`{name}` takes at least {}, and here are {n}", arguments(*least))
    } else {
        format!("`{name}` takes at most {}, and here are {n}", arguments(*most))
    }
}

fn run(function: &Function, call: &Call) -> Answer {
    let arguments = call.arguments;
    let (is_sensitive, is_unknown) = match function.manner {
        Manner::Own => return (function.run)(call),
        Manner::Elements => (
            arguments.iter().any(|argument| argument.is_sensitive),
            arguments.iter().any(Value::is_unknown),
        ),
        Manner::Whole | Manner::WholeOrNull => (
            arguments.iter().any(Value::is_sensitive_anywhere),
            arguments.iter().any(Value::is_unknown_anywhere),
        ),
    };
    if function.manner != Manner::WholeOrNull
        && let Some(i) = arguments.iter().position(Value::is_null)
    {
        return Err(Failure::at(i, "this is null, and may not be"));
    }
    if is_unknown {
        // Which elements the result will have is not known either.
        return Ok(Value::UNKNOWN.marked(arguments.iter().any(Value::is_sensitive_anywhere)));
    }
    (function.run)(call).map(|value| value.marked(is_sensitive))
}

impl Failure {
    fn at(argument: usize, message: impl Into<String>) -> Self {
        Self { argument: Some(argument), message: message.into(), hint: None }
    }

    fn whole(message: impl Into<String>) -> Self {
        Self { argument: None, message: message.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn wanted(argument: usize, wanted: &str, value: &Value) -> Self {
        Self::at(argument, format!("this has to be {wanted}, and is {}", value.shown()))
    }
}

impl<'c> Call<'c> {
    fn text(&self, i: usize) -> Answer<Arc<str>> {
        let value = &self.arguments[i];
        value.to_text().ok_or_else(|| Failure::wanted(i, "a string", value))
    }

    fn number(&self, i: usize) -> Answer<Number> {
        let value = &self.arguments[i];
        value.to_number().ok_or_else(|| Failure::wanted(i, "a number", value))
    }

    fn integer(&self, i: usize) -> Answer<i64> {
        let whole = || Failure::wanted(i, "a whole number", &self.arguments[i]);
        self.number(i)?.to_integer().ok_or_else(whole)
    }

    fn items(&self, i: usize) -> Answer<&'c [Value]> {
        let value = &self.arguments[i];
        value.items().ok_or_else(|| Failure::wanted(i, "a list or a set", value))
    }

    fn map(&self, i: usize) -> Answer<&'c Map> {
        let value = &self.arguments[i];
        match &value.data {
            crate::config::value::Data::Map(map) => Ok(map),
            _ => Err(Failure::wanted(i, "a map or an object", value)),
        }
    }
}
