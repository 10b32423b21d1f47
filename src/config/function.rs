//! The functions of expressions: Terraform's, under Terraform's names and with its results, and a few of our own.
//!
//! `try` and `can` are not here, and of the templates only the names: they see expressions, not values.

mod collection;
mod conversion;
mod csv;
mod encoding;
mod format;
mod hash;
mod json;
mod network;
mod number;
mod outside;
mod path;
mod pattern;
mod set;
mod table;
mod text;
mod time;
mod yaml;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::config::expression::{Environment, Evaluated, poisoned};
use crate::config::function::table::{EXPRESSIONS, FUNCTIONS, REFUSED};
use crate::config::unify::{self, unified};
use crate::config::value::{Data, Map, Number, Value};
use crate::diagnostic::{Diagnostic, Span};

/// One function.
struct Function {
    /// How it is called: `[step]` may be left out, and `values...` may be any number, also none.
    usage: &'static str,
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
pub(crate) type Answer<T = Value> = Result<T, Failure>;

/// Why a function has no result.
pub(crate) struct Failure {
    /// The argument that is wrong; none for the call as a whole.
    argument: Option<usize>,
    message: String,
    hint: Option<String>,
}

/// Returns how every function is called and what it returns, in the order of their names.
pub(crate) fn declared() -> Vec<(&'static str, &'static str)> {
    let functions = FUNCTIONS.iter().map(|function| (function.usage, function.doc));
    let mut all: Vec<_> = functions.chain(EXPRESSIONS.iter().copied()).collect();
    all.sort_unstable();
    all
}

/// Returns the names of all functions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let special = EXPRESSIONS.iter().map(|(usage, _)| name_of(usage));
    FUNCTIONS.iter().map(|function| name_of(function.usage)).chain(special)
}

/// Says where all functions are listed, as a help.
pub(crate) const ALL: &str = "`wgform schema reference` lists all functions; they are Terraform's.";

/// Returns what to do instead of calling a function that Terraform has and that is left out on purpose.
pub(crate) fn refused(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(refused, _)| *refused == name).map(|(_, why)| *why)
}

/// Returns the functions that are left out on purpose, and what to do instead.
pub(crate) fn left_out() -> &'static [(&'static str, &'static str)] {
    REFUSED
}

/// Returns how a function is called, for a help.
pub(crate) fn usage_of(name: &str) -> String {
    let usage = declared().into_iter().map(|(usage, _)| usage).find(|it| name_of(it) == name);
    format!("Call it as `{}`.", usage.unwrap_or(name))
}

fn name_of(usage: &'static str) -> &'static str {
    usage.split_once('(').map_or(usage, |(name, _)| name)
}

fn find(name: &str) -> Option<&'static Function> {
    static BY_NAME: LazyLock<HashMap<&str, &Function>> =
        LazyLock::new(|| FUNCTIONS.iter().map(|it| (name_of(it.usage), it)).collect());
    BY_NAME.get(name).copied()
}

/// Calls a function. `places` says where each argument is, `whole` where the call is.
pub(crate) fn call(
    environment: &dyn Environment,
    name: &str,
    arguments: &[Value],
    places: &[Span],
    whole: &Span,
) -> Evaluated {
    let Some(function) = find(name) else {
        // Parsing says so.
        return poisoned();
    };
    check_count(name, function.usage, arguments.len(), whole)?;
    let answer = run(function, &Call { arguments, environment });
    answer.map_err(|failure| {
        let is_sensitive = arguments.iter().any(Value::is_sensitive_anywhere);
        vec![failure.diagnostic(name, is_sensitive, places, whole)]
    })
}

/// Says so when a call has too few or too many arguments.
pub(crate) fn check_count(name: &str, usage: &str, n: usize, whole: &Span) -> Evaluated<()> {
    let (least, most) = arity(usage);
    let arguments =
        |n: usize| if n == 1 { "1 argument".to_owned() } else { format!("{n} arguments") };
    let message = if least == most && n != least {
        format!("`{name}` takes {}, and here are {n}", arguments(least))
    } else if n < least {
        format!("`{name}` takes at least {}, and here are {n}", arguments(least))
    } else if n > most {
        format!("`{name}` takes at most {}, and here are {n}", arguments(most))
    } else {
        return Ok(());
    };
    Err(vec![
        Diagnostic::error("invalid function call")
            .label(whole, message)
            .help(format!("Call it as `{usage}`.")),
    ])
}

/// Returns how many arguments a function takes at least and at most.
fn arity(usage: &str) -> (usize, usize) {
    let inside = usage.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
    let parameters = inside.split(", ").filter(|it| !it.is_empty());
    parameters.fold((0, 0_usize), |(least, most), parameter| {
        match (parameter.ends_with("..."), parameter.starts_with('[')) {
            (true, _) => (least, usize::MAX),
            (false, true) => (least, most + 1),
            (false, false) => (least + 1, most.saturating_add(1)),
        }
    })
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
        return Ok(call.unknown());
    }
    (function.run)(call).map(|value| value.marked(is_sensitive))
}

impl Failure {
    pub(crate) fn at(argument: usize, message: impl Into<String>) -> Self {
        Self { argument: Some(argument), message: message.into(), hint: None }
    }

    fn whole(message: impl Into<String>) -> Self {
        Self { argument: None, message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn wanted(argument: usize, wanted: &str, value: &Value) -> Self {
        Self::at(argument, format!("this has to be {wanted}, and is {}", value.shown()))
    }

    /// Says it at the argument, unless what it says may quote something sensitive.
    pub(crate) fn diagnostic(
        self,
        name: &str,
        is_sensitive: bool,
        places: &[Span],
        whole: &Span,
    ) -> Diagnostic {
        let at = self.argument.and_then(|i| places.get(i)).unwrap_or(whole);
        let (message, hint) = match is_sensitive {
            true => (format!("`{name}` cannot take this, and the reason is sensitive"), None),
            false => (self.message, self.hint),
        };
        let hint = hint.unwrap_or_else(|| usage_of(name));
        Diagnostic::error("invalid function call").label(at, message).help(hint)
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

    /// Returns the elements of a list or a set.
    fn items(&self, i: usize) -> Answer<&'c [Value]> {
        let value = &self.arguments[i];
        value.items().ok_or_else(|| Failure::wanted(i, "a list or a set", value))
    }

    /// Returns the elements of a list, where a set will not do because it has no order.
    fn list(&self, i: usize) -> Answer<&'c [Value]> {
        match &self.arguments[i].data {
            Data::List(items) => Ok(items),
            Data::Set(_) => Err(Failure::at(i, "this has to be a list, and is a set")
                .hint("A set has no order: turn it into a list with `tolist`.")),
            _ => Err(Failure::wanted(i, "a list", &self.arguments[i])),
        }
    }

    /// Returns the elements of a list or a set as strings; none may be null.
    fn texts(&self, i: usize) -> Answer<Vec<Arc<str>>> {
        let text = |item: &Value| {
            item.to_text().ok_or_else(|| {
                let shown = item.shown();
                Failure::at(i, format!("every element has to be a string, and one is {shown}"))
            })
        };
        self.items(i)?.iter().map(text).collect()
    }

    fn map(&self, i: usize) -> Answer<&'c Map> {
        let value = &self.arguments[i];
        match &value.data {
            Data::Map(map) => Ok(map),
            _ => Err(Failure::wanted(i, "a map or an object", value)),
        }
    }

    /// Returns values in one type; the argument at a place is wrong when there is none.
    fn in_one_type(&self, values: &[Value], place: usize) -> Answer<Vec<Value>> {
        self.charge(values.iter().map(unify::effort).fold(0, usize::saturating_add));
        unified(values).ok_or_else(|| Failure::at(place, unify::mismatch(values)))
    }

    /// Returns an unknown value with the marks of everything in the arguments.
    fn unknown(&self) -> Value {
        Value::UNKNOWN.marked(self.arguments.iter().any(Value::is_sensitive_anywhere))
    }

    /// Counts work that the size of the result does not show, so that many calls do not take for ever.
    fn charge(&self, steps: usize) {
        self.environment.effort().charge(steps);
    }
}

/// Reads the text of a file, as the first argument of a call names it.
pub(crate) fn read_text(environment: &dyn Environment, path: &str) -> Answer<String> {
    outside::text(&Call { arguments: &[], environment }, path)
}

/// Refuses to make something that no value could be, before the memory for it is taken.
fn fits(size: usize) -> Answer<()> {
    if size > Value::MAX_SIZE {
        let limit = Value::MAX_SIZE >> 20;
        return Err(Failure::whole(format!("this makes a value of more than {limit} MiB")));
    }
    Ok(())
}
