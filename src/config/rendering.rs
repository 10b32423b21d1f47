//! `templatefile` and `templatestring`: a text with `${…}` and `%{…}` that sees only what its call gives it.
//!
//! A problem inside of a template is shown at its place there, and at the call.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, FuncCall};
use hcl_edit::template::StringTemplate;
use jiff::Timestamp;

use crate::config::expression::{Effort, Environment, Evaluated, Scope, both, poisoned};
use crate::config::function::{self, Answer, Failure};
use crate::config::lines::prepared;
use crate::config::parse::parser::parse_template;
use crate::config::parse::unknown_function;
use crate::config::reference::{Found, walk};
use crate::config::secrets;
use crate::config::suggest::suggestion;
use crate::config::value::{Data, Map, Value};
use crate::diagnostic::{Diagnostic, SourceText, Span};
use crate::resource::{Address, BackendId, ModuleStep};
use crate::source::Files;

/// The templates that were read: a thousand calls of one are one parse, and a problem in it is one problem.
#[derive(Default)]
pub(crate) struct Templates(RefCell<HashMap<Key, Arc<Parsed>>>);

/// Which template it is.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    text_or_path: Arc<str>,
    is_file: bool,
    is_sensitive: bool,
}

/// A template that was read.
struct Parsed {
    source: Arc<SourceText>,
    /// The template as the text of an expression, or what is wrong with it.
    expression: Result<Expression, Diagnostic>,
}

impl Scope<'_> {
    /// Calls `templatefile` or `templatestring`.
    pub(crate) fn render(&self, call: &FuncCall) -> Evaluated {
        let (name, whole) = (call.name.name.as_str(), self.at(call.span()));
        let usage = function::usage_of(name);
        let wrong = |at: &Span, message: &str| {
            vec![Diagnostic::error("invalid function call").label(at, message).help(&*usage)]
        };
        let (Some(first), Some(second), 2) = (call.args.get(0), call.args.get(1), call.args.len())
        else {
            let message = format!("`{name}` takes 2 arguments, and here are {}", call.args.len());
            return Err(wrong(&whole, &message));
        };
        if self.environment.given().is_some() {
            return Err(wrong(&whole, "a template cannot render another one"));
        }
        let is_file = name == "templatefile";
        if !is_file && !matches!(first, Expression::Traversal(_) | Expression::Variable(_)) {
            return Err(vec![
                Diagnostic::error("invalid function call")
                    .label(&self.span(first), "this has to be a reference to a text")
                    .help("Write the template itself in quotes or as a heredoc: it needs no function."),
            ]);
        }
        let (text, given) = both(self.evaluate(first), self.evaluate(second))?;
        let is_sensitive = text.is_sensitive || given.is_sensitive;
        if text.is_unknown() || given.is_unknown() {
            let is_sensitive = is_sensitive || given.is_sensitive_anywhere();
            return Ok(Value::UNKNOWN.marked(is_sensitive));
        }
        let parsed = self.parsed(&text, is_file).and_then(|parsed| {
            check_names(map_of(&given)?)?;
            Ok(parsed)
        });
        let places = [self.span(first), self.span(second)];
        let parsed = parsed
            .map_err(|failure| vec![failure.diagnostic(name, is_sensitive, &places, &whole)])?;
        self.environment.effort().charge(parsed.source.text.len() / 64);
        let value = parsed.evaluate(self.environment, &given).map_err(|problems| {
            if text.is_sensitive && !problems.is_empty() {
                return wrong(&whole, "this has no result, and the reason is sensitive");
            }
            let called = |it: Diagnostic| it.label(&whole, "the template is rendered here");
            problems.into_iter().map(called).collect()
        })?;
        if value.is_null() {
            return Err(wrong(&whole, "the template gives null"));
        }
        Ok(value.marked(is_sensitive))
    }

    /// Reads a template, unless it was read before.
    fn parsed(&self, text: &Value, is_file: bool) -> Answer<Arc<Parsed>> {
        let templates = &self.environment.templates().0;
        let wanted = || Failure::at(0, format!("this has to be a string, and is {}", text.shown()));
        let text_or_path = text.to_text().ok_or_else(wanted)?;
        let is_sensitive = text.is_sensitive;
        let key = Key { text_or_path: text_or_path.clone(), is_file, is_sensitive };
        if let Some(parsed) = templates.borrow().get(&key) {
            return Ok(parsed.clone());
        }
        let content = match is_file {
            true => function::read_text(self.environment, &text_or_path)?,
            false => text_or_path.to_string(),
        };
        // It takes many times its length, and is kept.
        self.environment.effort().charge(64 + content.len() / 2);
        let name = if is_file && !text.is_sensitive { &*text_or_path } else { "template" };
        let parsed = Arc::new(Parsed::of(name.to_owned(), content));
        templates.borrow_mut().insert(key, parsed.clone());
        Ok(parsed)
    }
}

impl Parsed {
    fn of(name: String, text: String) -> Self {
        let secrets = secrets::keys(&text);
        let source = Arc::new(SourceText { name, text, secrets });
        let parsed = parse_template(&source.text);
        let expression = match parsed {
            Ok(template) => {
                Ok(StringTemplate::from(prepared(&template, &source.text, false)).into())
            }
            Err(error) => {
                let start = floor(&source.text, error.offset);
                let end =
                    source.text[start..].find('\n').map_or(source.text.len(), |at| start + at);
                let at = Span { source: source.clone(), range: start..end };
                Err(Diagnostic::error("invalid template")
                    .label(&at, "something in this is not as it should be")
                    .help("`${` opens an interpolation; `%{ if … }` ends with `%{ endif }`, `%{ for … }` with `%{ endfor }`. The characters themselves are written `$${` and `%%{`."))
            }
        };
        Self { source, expression }
    }

    fn evaluate(&self, outer: &dyn Environment, given: &Value) -> Evaluated {
        let expression = self.expression.as_ref().map_err(|problem| vec![problem.clone()])?;
        let problems = self.unknown_names(expression, given);
        if !problems.is_empty() {
            return Err(problems);
        }
        let inside = Inside { outer, given };
        Scope { environment: &inside, source: &self.source, bindings: None }.evaluate(expression)
    }

    /// Says which names in the template nothing stands behind.
    fn unknown_names(&self, expression: &Expression, given: &Value) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let Data::Map(known) = &given.data else { return problems };
        let at = |range: Range<usize>| Span { source: self.source.clone(), range };
        walk(expression, &mut |found| match found {
            Found::Name(name) if !known.contains_key(name.root) => {
                let root = name.root;
                let near = suggestion(root, known.keys().map(|it| &**it));
                problems.push(
                    Diagnostic::error("reference to what a template was not given")
                        .label(&at(name.start.clone()), format!("the call gives no `{root}`"))
                        .help(match near {
                            Some(near) => format!("Did you mean `{near}`?"),
                            None => format!("Give it in the second argument: `{{ {root} = … }}`."),
                        }),
                );
            }
            Found::Call(call) => {
                let name = call.name.name.as_str();
                let is_plain = call.name.namespace.is_empty();
                if !(is_plain && function::names().any(|it| it == name)) {
                    let range = call.name.name.span().unwrap_or_default();
                    problems.push(unknown_function(name, &at(range)));
                }
            }
            _ => {}
        });
        problems
    }
}

/// Returns the start of the character at an offset.
fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn map_of(given: &Value) -> Answer<&Map> {
    match &given.data {
        Data::Map(map) => Ok(map),
        _ => {
            let message = format!("this has to be a map or an object, and is {}", given.shown());
            Err(Failure::at(1, message))
        }
    }
}

/// Refuses names that no template could say.
fn check_names(given: &Map) -> Answer<()> {
    let is_name = |name: &str| {
        let mut chars = name.chars();
        chars.next().is_some_and(unicode_ident::is_xid_start)
            && chars.all(|c| c == '-' || unicode_ident::is_xid_continue(c))
    };
    match given.keys().find(|name| !is_name(name)) {
        Some(name) => {
            Err(Failure::at(1, format!("{:?} cannot be the name of a variable", &**name)).hint(
                "A name starts with a letter, and goes on with letters, digits, `_` and `-`.",
            ))
        }
        None => Ok(()),
    }
}

/// What the names in a template stand for.
struct Inside<'e> {
    outer: &'e dyn Environment,
    given: &'e Value,
}

impl Environment for Inside<'_> {
    fn named(&self, _: &str, _: &str) -> Evaluated {
        // It is said of every name that was not given.
        poisoned()
    }

    fn attribute(&self, resource: &Address, name: &str, at: &Span) -> Evaluated {
        self.outer.attribute(resource, name, at)
    }

    fn output(&self, module: &[ModuleStep], name: &str, at: &Span) -> Evaluated {
        self.outer.output(module, name, at)
    }

    fn backend_attribute(&self, backend: &BackendId, name: &str, at: &Span) -> Evaluated {
        self.outer.backend_attribute(backend, name, at)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.outer.variable(name)
    }

    fn files(&self) -> &Files {
        self.outer.files()
    }

    fn directory(&self) -> String {
        self.outer.directory()
    }

    fn planned_at(&self) -> Timestamp {
        self.outer.planned_at()
    }

    fn templates(&self) -> &Templates {
        self.outer.templates()
    }

    fn given(&self) -> Option<&Value> {
        Some(self.given)
    }

    fn effort(&self) -> &Effort {
        self.outer.effort()
    }
}
