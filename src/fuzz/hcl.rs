//! Any text as a configuration: what is said about it can be shown, and nothing secret is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use hcl_edit::expr::{Array, FuncArgs, Object, ObjectKey};
use hcl_edit::template::{ForDirective, IfDirective};
use hcl_edit::visit_mut::{
    VisitMut, visit_array_mut, visit_for_directive_mut, visit_func_args_mut,
    visit_if_directive_mut, visit_object_mut,
};
use jiff::Timestamp;

use crate::config::{AllUnknown, Config, Evaluator, check_syntax};
use crate::diagnostic::{Diagnostic, Severity, SourceText, Span};
use crate::format::formatted;
use crate::fuzz::{assert_printable, text};
use crate::lint;
use crate::render::{Look, diagnostics};
use crate::source::{Files, GivenVariable, Origin, Sources};
use crate::token::{Token, TokenKind, scan};
use crate::world::World;

/// A line that ends one file of an input and starts the next.
const CUT: &str = "\n====\n";

/// A private key. Where an input has it, it is a secret.
const SECRET: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

/// How diagnostics are drawn: narrower than anybody's terminal, as usual, and as in a log.
const LOOKS: [Look; 3] = [
    Look { width: 1, colour: false, unicode: true },
    Look { width: 80, colour: false, unicode: false },
    Look { width: 300, colour: false, unicode: true },
];

/// Parses a configuration of several files.
pub(super) fn parse(bytes: &[u8]) {
    let sources = sources(bytes);
    let (_, problems) = Config::parse(sources.clone());
    assert_shown_well(&sources, &problems);
    assert_eq!(problems, Config::parse(sources).1);
}

/// Evaluates everything, as `validate` does.
pub(super) fn evaluate(bytes: &[u8]) {
    let sources = sources(bytes);
    let (config, problems) = Config::parse(sources.clone());
    if problems.iter().any(|it| it.severity == Severity::Error) {
        return;
    }
    let (values, problems) = evaluated(&config);
    assert_shown_well(&sources, &problems);
    assert_no_secret(&sources, &values);
    assert_eq!((values, problems), evaluated(&config));
}

/// Takes a text apart and lays it out: nothing but blanks changes, and what can be parsed means the same.
pub(super) fn layout(bytes: &[u8]) {
    let text = &*text(bytes);
    let (mut end, tokens) = (0, scan(text));
    for token in &tokens {
        assert_eq!(token.range.start, end, "{token:?}");
        assert!(text.get(token.range.clone()).is_some(), "{token:?}");
        end = token.range.end;
    }
    assert_eq!(end, text.len());
    let once = formatted(text).expect("only blanks change");
    assert_eq!(formatted(&once).as_ref(), Ok(&once));
    let parse = |text: &str| {
        let mut body =
            hcl_edit::parser::parse_body(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        WithoutBlanks.visit_body_mut(&mut body);
        body
    };
    // hcl-edit alone lets an empty heredoc go on to the end of the next one.
    let is_empty = |pair: &[Token]| {
        [pair[0].kind, pair[1].kind] == [TokenKind::HeredocOpen, TokenKind::HeredocClose]
    };
    let is_right = check_syntax(&source("main.wg.hcl", text)).is_ok();
    if is_right && !tokens.windows(2).any(is_empty) {
        assert_eq!(parse(text), parse(&once), "{once}");
    }
}

/// Takes away the blanks that hcl-edit compares, which are those before a closing bracket and within a directive.
struct WithoutBlanks;

impl VisitMut for WithoutBlanks {
    fn visit_array_mut(&mut self, array: &mut Array) {
        array.set_trailing("");
        visit_array_mut(self, array);
    }

    fn visit_object_mut(&mut self, object: &mut Object) {
        // hcl-edit forgets the keys.
        for (mut key, value) in std::mem::take(object) {
            if let ObjectKey::Expression(key) = &mut key {
                self.visit_expr_mut(key);
            }
            object.insert(key, value);
        }
        object.set_trailing("");
        visit_object_mut(self, object);
    }

    fn visit_func_args_mut(&mut self, arguments: &mut FuncArgs) {
        arguments.set_trailing("");
        visit_func_args_mut(self, arguments);
    }

    fn visit_if_directive_mut(&mut self, directive: &mut IfDirective) {
        directive.if_expr.set_preamble("");
        if let Some(otherwise) = &mut directive.else_expr {
            otherwise.set_preamble("");
            otherwise.set_trailing("");
        }
        directive.endif_expr.set_preamble("");
        directive.endif_expr.set_trailing("");
        visit_if_directive_mut(self, directive);
    }

    fn visit_for_directive_mut(&mut self, directive: &mut ForDirective) {
        directive.for_expr.set_preamble("");
        // hcl-edit forgets it.
        self.visit_expr_mut(&mut directive.for_expr.collection_expr);
        directive.endfor_expr.set_preamble("");
        directive.endfor_expr.set_trailing("");
        visit_for_directive_mut(self, directive);
    }
}

fn source(name: &str, text: &str) -> Arc<SourceText> {
    let (name, text) = (name.to_owned(), text.to_owned());
    Arc::new(SourceText { name, text, secrets: Vec::new() })
}

/// Cuts an input into two files of a configuration, a file of values, and values from the command line.
fn sources(bytes: &[u8]) -> Sources {
    let text = text(bytes);
    let mut sources = Sources {
        files: Vec::new(),
        variables: Vec::new(),
        reader: Files::new(|path| match path {
            "key.txt" => Ok(format!("{SECRET}\n")),
            _ => Err("no such file".to_owned()),
        }),
    };
    for (index, part) in text.split(CUT).enumerate() {
        let given = |name: Option<&str>, origin, text| GivenVariable {
            name: name.map(str::to_owned),
            origin,
            text,
        };
        match index {
            0 => sources.files.push(source("main.wg.hcl", part)),
            1 => sources.files.push(source("other.wg.hcl", part)),
            2 => {
                sources.variables.push(given(None, Origin::File, source("wgform.wgvars.hcl", part)))
            }
            _ => sources.variables.push(given(Some("v"), Origin::Argument, source("-var", part))),
        }
    }
    sources
}

/// Evaluates everything, with nothing known of any device.
fn evaluated(config: &Config) -> (String, Vec<Diagnostic>) {
    let environment = BTreeMap::from([("HOME".to_owned(), "/home/somebody".to_owned())]);
    let world = World::new(environment, ".".into(), || Timestamp::UNIX_EPOCH, |_| {});
    let evaluator = Evaluator::new(config, &world);
    let (mut values, mut problems) = (String::new(), evaluator.variables());
    let mut note = |text: Result<String, Vec<Diagnostic>>| match text {
        Ok(text) => _ = writeln!(values, "{text}"),
        Err(more) => problems.extend(more),
    };
    note(evaluator.settings().map(|it| format!("{it:?}")));
    note(evaluator.backends().map(|it| format!("{it:?}")));
    for address in evaluator.resources() {
        note(evaluator.resource(address, &AllUnknown).map(|it| format!("{it:?}")));
    }
    let outputs = evaluator.outputs(&AllUnknown).map(|mut outputs| {
        // A sensitive output has its value, for `plan` to refuse to store it.
        outputs.values_mut().filter(|it| it.is_sensitive).for_each(|it| it.value = None);
        format!("{outputs:?}")
    });
    note(outputs);
    if problems.iter().all(|it| it.severity != Severity::Error) {
        problems.extend(lint::look(config, &evaluator, Timestamp::UNIX_EPOCH));
    }
    (values, problems)
}

fn assert_shown_well(sources: &Sources, problems: &[Diagnostic]) {
    for label in problems.iter().flat_map(|it| &it.labels) {
        let Span { source, range } = &label.span;
        let there = source.text.get(range.clone());
        assert!(there.is_some(), "{}: {range:?} is no place: {}", source.name, label.text);
    }
    let hidden = hidden(sources, problems);
    for look in LOOKS {
        let drawn = diagnostics(problems, look);
        assert_printable(&drawn);
        assert_no_secret(sources, &drawn);
        let shown: Vec<_> = hidden.iter().filter(|it| drawn.contains(**it)).collect();
        assert!(shown.is_empty(), "{shown:?} in:\n{drawn}");
    }
    drop(diagnostics(problems, Look { colour: true, ..LOOKS[1] }));
}

/// A text of so many letters and digits is not in a message by chance. One of bytes that are no text may be.
const LONG: usize = 12;

/// Returns the texts that are marked as secrets and stand nowhere else.
fn hidden<'a>(sources: &Sources, problems: &'a [Diagnostic]) -> Vec<&'a str> {
    let labels = problems.iter().flat_map(|it| &it.labels);
    let marked: Vec<&SourceText> = labels.map(|it| &*it.span.source).collect();
    // A message makes the name of a block of its type and its label, and what is looked for may be the beginning of it.
    let head = |name: &str| name.split_once('.').map(|(kind, label)| format!("{kind} \"{label}"));
    let is_elsewhere = |text: &str| {
        let head = head(text);
        let is_in =
            |it: &str| it.contains(text) || head.as_ref().is_some_and(|head| it.contains(head));
        let masked = marked.iter().any(|source| is_in(&masked(source)));
        let mut files = sources.files.iter().chain(sources.variables.iter().map(|it| &it.text));
        masked
            || files.any(|it| marked.iter().all(|of| of.text != it.text) && it.text.contains(text))
    };
    let ranges = marked.iter().flat_map(|source| {
        source.secrets.iter().filter_map(|range| source.text.get(range.clone()))
    });
    let mut hidden: Vec<_> = ranges
        .map(|text| text.trim().trim_matches('"'))
        .filter(|text| text.chars().filter(|c| c.is_alphanumeric()).count() >= LONG)
        .filter(|text| !text.contains(char::is_whitespace))
        .collect();
    hidden.sort_unstable();
    hidden.dedup();
    hidden.retain(|text| !is_elsewhere(text));
    hidden
}

fn masked(source: &SourceText) -> String {
    let is_secret = |at: usize| source.secrets.iter().any(|it| it.contains(&at));
    source.text.char_indices().map(|(at, c)| if is_secret(at) { ' ' } else { c }).collect()
}

/// Fails when a message shows a key that the configuration has only as a private key.
fn assert_no_secret(sources: &Sources, shown: &str) {
    let written = format!("private_key = \"{SECRET}\"");
    let part = &SECRET[..LONG];
    let files = sources.files.iter().chain(sources.variables.iter().map(|it| &it.text));
    let is_secret = files.into_iter().all(|it| !it.text.replace(&written, "").contains(part));
    assert!(!is_secret || !shown.contains(part), "a private key in:\n{shown}");
}
