//! Diagnostics for programs: the document that `validate -json` prints, in the shape of Terraform's, so that what reads
//! the one reads the other.
//!
//! Terraform has one place for a problem. Ours are the first label; the others are in `related`, which a reader of
//! Terraform's documents leaves alone.

use std::sync::{Arc, LazyLock};

use regex::Regex;
use schemars::JsonSchema;
use serde::Serialize;

use crate::diagnostic::{self, Diagnostic, Label, SourceText, sentence};
use crate::render::diagnostic::sorted;
use crate::render::excerpt::{Excerpt, LineIndex, Lines, discreet};
use crate::render::printable;

/// What was found out about a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Validation {
    /// The version of this format. The minor one grows when something is added.
    pub format_version: &'static str,
    /// Whether there is no error.
    pub valid: bool,
    /// How many errors there are, also those that are not among `diagnostics`.
    pub error_count: usize,
    /// How many warnings there are, also those that are not among `diagnostics`.
    pub warning_count: usize,
    /// The first thousand problems, errors first and in the order of files and places.
    pub diagnostics: Vec<Problem>,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// A short sentence without names, always the same for the same kind of problem.
    pub summary: String,
    /// The code of the rule of lint that it breaks; absent where it is none's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// What is wrong at this place and the way out, as whole sentences; may be empty.
    pub detail: String,
    /// Where; absent for a problem that is in no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// The lines there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<Snippet>,
    /// Other places that matter to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is done until it is mended.
    Error,
    /// Worth a look.
    Warning,
}

/// Another place that matters to a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Related {
    /// What is to be said there, as a whole sentence; may be empty.
    pub detail: String,
    /// Where.
    pub range: Range,
    /// The lines there.
    pub snippet: Snippet,
}

/// A stretch of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Range {
    /// The file, relative to the configuration; `-var` or the name of an environment variable for a value from there.
    pub filename: String,
    /// The first character.
    pub start: Position,
    /// Behind the last character.
    pub end: Position,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in what a reader takes for one character: grapheme clusters.
    pub column: usize,
    /// From 0, in bytes of UTF-8, without a byte order mark.
    pub byte: usize,
}

/// Whole lines of a file, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Snippet {
    /// The head of the block around the place, such as `interface "hub"`; null outside of one.
    pub context: Option<String>,
    /// The lines. What is very long is cut, and a secret is eight stars.
    pub code: String,
    /// The number of the first line, from 1.
    pub start_line: usize,
    /// Where the place begins in `code`, in bytes from 0.
    pub highlight_start_offset: usize,
    /// Where it ends.
    pub highlight_end_offset: usize,
    /// Values that matter: none yet, and here because Terraform always has it.
    pub values: Vec<Value>,
}

/// The value of an expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Value {
    /// The expression.
    pub traversal: String,
    /// What it stands for, as a clause.
    pub statement: String,
}

/// More problems than this help no program either; the counts say how many there are.
const MAX_PROBLEMS: usize = 1_000;

/// A snippet is cut to this many columns, and to what a line of a terminal would not show.
const MAX_CODE: usize = 1_000;

impl Validation {
    /// Puts diagnostics into their document.
    pub fn new(diagnostics: &[Diagnostic]) -> Self {
        let errors = diagnostics.iter().filter(|it| it.severity == diagnostic::Severity::Error);
        let error_count = errors.count();
        Self {
            format_version: "1.1",
            valid: error_count == 0,
            error_count,
            warning_count: diagnostics.len() - error_count,
            diagnostics: problems(diagnostics),
        }
    }

    /// Adds an error that is in no file.
    #[must_use]
    pub fn and_failure(mut self, summary: &str, details: impl Iterator<Item = String>) -> Self {
        self.valid = false;
        self.error_count += 1;
        self.diagnostics.push(Problem::elsewhere(Severity::Error, summary, details));
        self
    }

    /// Returns the document as text.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// Puts sentences behind each other, and what follows several lines on a line of its own.
fn joined(details: &[String]) -> String {
    let mut all = String::new();
    let mut has_lines = false;
    for detail in details {
        if !all.is_empty() {
            all.push(if has_lines { '\n' } else { ' ' });
        }
        all.push_str(detail);
        has_lines = detail.contains('\n');
    }
    all
}

impl Problem {
    /// Says a problem that is in no file.
    pub fn elsewhere(
        severity: Severity,
        summary: &str,
        details: impl Iterator<Item = String>,
    ) -> Self {
        let details: Vec<String> = details.map(|it| sentence(&printable(&it))).collect();
        Self {
            severity,
            summary: printable(summary).into_owned(),
            code: None,
            detail: joined(&details),
            range: None,
            snippet: None,
            related: Vec::new(),
        }
    }
}

/// Returns the first thousand problems, errors first and in the order of files and places.
pub fn problems(diagnostics: &[Diagnostic]) -> Vec<Problem> {
    let mut lines = LineIndex::default();
    let shown = sorted(diagnostics).into_iter().take(MAX_PROBLEMS);
    shown.map(|it| problem(&discreet(it), &mut lines)).collect()
}

fn problem(diagnostic: &Diagnostic, index: &mut LineIndex) -> Problem {
    let Diagnostic { severity, summary, rule, labels, help, within: _, others: _ } = diagnostic;
    let mut places = labels.iter().map(|label| related(label, index));
    let (detail, place) = match places.next() {
        Some(Related { detail, range, snippet }) => (detail, Some((range, snippet))),
        None => (String::new(), None),
    };
    let sentences = [Some(detail), help.as_deref().map(sentence)].into_iter().flatten();
    let sentences: Vec<String> = sentences.filter(|it| !it.is_empty()).collect();
    let (range, snippet) = place.unzip();
    Problem {
        severity: match severity {
            diagnostic::Severity::Error => Severity::Error,
            diagnostic::Severity::Warning => Severity::Warning,
        },
        summary: (*summary).to_owned(),
        code: rule.map(|rule| rule.code),
        detail: sentences.join(" "),
        range,
        snippet,
        related: places.collect(),
    }
}

fn related(label: &Label, index: &mut LineIndex) -> Related {
    let source = &label.span.source;
    let lines = index.of(source);
    let bytes = lines.fit(&label.span.range);
    let mut position =
        |byte| Position { line: lines.number(byte) + 1, column: lines.column(byte) + 1, byte };
    let (start, end) = (position(bytes.start), position(bytes.end));
    Related {
        detail: sentence(&printable(&label.text)),
        range: Range { filename: printable(&source.name).into_owned(), start, end },
        snippet: snippet(source, lines, &bytes),
    }
}

fn snippet(source: &Arc<SourceText>, lines: &Lines, bytes: &std::ops::Range<usize>) -> Snippet {
    let (first, last) = (lines.number(bytes.start), lines.number(bytes.end));
    let whole = lines.bounds(first).start..lines.bounds(last).end;
    let code = Excerpt::new(source, &whole, bytes.start, MAX_CODE, "…");
    let start = code.start_of(bytes.start);
    Snippet {
        context: context(source, lines, first),
        start_line: first + 1,
        highlight_start_offset: start,
        highlight_end_offset: code.end_of(bytes.end).max(start),
        code: code.text,
        values: Vec::new(),
    }
}

/// A block is looked for no further up than this, since a file of fifty megabytes may be one block.
const MAX_BLOCK: usize = 1_000;

/// Returns the head of the block that a line is in, as far as it can be told by how files are laid out: the head and
/// the closing brace at the beginning of their lines, and what is inside is not.
fn context(source: &SourceText, lines: &Lines, number: usize) -> Option<String> {
    static HEAD: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"^[a-z_]+(?:[ \t]+"[^"\n]*")*[ \t]*\{"#).ok());
    let line = |number| &source.text[lines.bounds(number)];
    let above = (0..=number).rev().take(MAX_BLOCK);
    let edge = |&number: &usize| line(number).starts_with(|c: char| c == '}' || c.is_alphabetic());
    let head =
        above.clone().find(|it| edge(it) && !(*it == number && line(*it).starts_with('}')))?;
    let start = lines.bounds(head).start;
    let is_secret = source.secrets.iter().any(|secret| secret.contains(&start));
    let found = HEAD.as_ref()?.find(line(head)).filter(|_| !is_secret)?;
    Some(printable(found.as_str().trim_end_matches('{').trim_end()).into_owned())
}
