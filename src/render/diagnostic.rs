//! Diagnostics as text, drawn by miette.
//!
//! miette is never shown a file: it gets a `Snippet`, the few lines that labels point at, already masked, cut to a
//! bearable length and free of control characters. So a secret cannot slip through a corner of the drawing, and a line
//! of fifty megabytes costs no more than a short one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents, ThemeCharacters, ThemeStyles,
};

use crate::diagnostic::{Diagnostic, Label, Severity, SourceText, Span};
use crate::render::excerpt::{Excerpt, LineIndex, Lines, columns, discreet};
use crate::render::{count, printable};

/// How diagnostics are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Whether escape codes are written.
    pub colour: bool,
    /// Whether lines are drawn with more than ASCII.
    pub unicode: bool,
}

/// More than this nobody reads, and the first ones are the ones to mend first.
const MAX_DRAWN: usize = 100;

/// Draws diagnostics, errors first and in the order of files and places, with a line at the end that counts them.
/// Returns nothing for none.
pub fn diagnostics(diagnostics: &[Diagnostic], look: Look) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let handler = handler(look);
    let mut lines = LineIndex::default();
    let mut text = String::new();
    for diagnostic in sorted(diagnostics).into_iter().take(MAX_DRAWN) {
        let drawn = Drawn::new(&discreet(diagnostic), look, &mut lines);
        // Writing to a string fails only if miette cannot read the snippet, which then still has its summary.
        if handler.render_report(&mut text, &drawn).is_err() {
            text.push('\n');
        }
        text.push('\n');
    }
    text + &summary(diagnostics) + "\n"
}

/// Lists warnings by their summaries, each with the first place and how many more there are; nothing for none.
pub fn compact_warnings(warnings: &[Diagnostic]) -> String {
    if warnings.is_empty() {
        return String::new();
    }
    let mut by_summary: Vec<(String, Vec<&Diagnostic>)> = Vec::new();
    for warning in sorted(warnings) {
        match by_summary.iter_mut().find(|(_, same)| same[0].summary == warning.summary) {
            Some((_, same)) => same.push(warning),
            None => by_summary.push((heading(warning), vec![warning])),
        }
    }
    let mut text = "Warnings:\n\n".to_owned();
    for (summary, same) in by_summary {
        text += &format!("- {summary}");
        if let Some(Label { span: Span { source, range }, .. }) = same[0].labels.first() {
            let before = &source.text.as_bytes()[..range.start.min(source.text.len())];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            text += &format!(", in {}:{line}", printable(&source.name));
        }
        text += &match same.len() {
            1 => "\n".to_owned(),
            n => format!(" (and {} more)\n", n - 1),
        };
    }
    text + "\nWithout -compact-warnings they are shown in full.\n"
}

/// Returns what a problem is headed by: its summary, and the code by which it can be looked up and silenced.
fn heading(diagnostic: &Diagnostic) -> String {
    let summary = diagnostic.summary;
    diagnostic.rule.map_or_else(|| summary.to_owned(), |rule| format!("{summary} [{}]", rule.code))
}

/// Returns diagnostics with the errors first, and in the order of files and places.
pub(super) fn sorted(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| {
        let place = diagnostic.labels.first().map(|label| &label.span);
        let place = place.map(|span| (&span.source.name, span.range.start));
        (diagnostic.severity, place)
    });
    sorted
}

/// Counts: `2 errors, 1 warning`.
fn summary(diagnostics: &[Diagnostic]) -> String {
    let of = |severity| diagnostics.iter().filter(|it| it.severity == severity).count();
    let counts = [(of(Severity::Error), "error"), (of(Severity::Warning), "warning")];
    let counts = counts.into_iter().filter(|(number, _)| *number > 0);
    let counts: Vec<_> = counts.map(|(number, noun)| count(number, noun)).collect();
    let counts = counts.join(", ");
    match diagnostics.len().checked_sub(MAX_DRAWN) {
        None | Some(0) => counts,
        Some(more) => format!("and {more} more: {counts} in all"),
    }
}

fn handler(look: Look) -> GraphicalReportHandler {
    let theme = GraphicalTheme {
        characters: if look.unicode {
            ThemeCharacters::unicode()
        } else {
            ThemeCharacters::ascii()
        },
        styles: if look.colour { ThemeStyles::ansi() } else { ThemeStyles::none() },
    };
    GraphicalReportHandler::new_themed(theme)
        .with_width(look.width.max(MIN_WIDTH))
        .with_urls(false)
        .with_break_words(false)
        .without_syntax_highlighting()
}

/// Below this nothing can be drawn sensibly, and miette's arithmetic on widths is not tested.
const MIN_WIDTH: usize = 40;

/// A diagnostic with the lines that it points at, as miette wants it.
#[derive(Debug)]
struct Drawn {
    severity: Severity,
    heading: String,
    help: Option<String>,
    labels: Vec<LabeledSpan>,
    snippet: Snippet,
}

impl Drawn {
    fn new(diagnostic: &Diagnostic, look: Look, index: &mut LineIndex) -> Self {
        let Diagnostic { severity, summary: _, rule: _, labels, help, within: _, others: _ } =
            diagnostic;
        let mut snippet = Snippet::default();
        let mut drawn = Vec::new();
        for source in sources(diagnostic) {
            let of_source = labels.iter().filter(|label| Arc::ptr_eq(&label.span.source, source));
            let lines = index.of(source);
            let places: Vec<Place<'_>> =
                of_source.map(|label| Place::new(lines, label, look)).collect();
            drawn.extend(snippet.add(source, lines, &places, look));
        }
        let help = help.as_ref().map(|help| printable(help).into_owned());
        let heading = heading(diagnostic);
        Self { severity: *severity, heading, help, labels: drawn, snippet }
    }
}

/// Returns the texts that a diagnostic points into, the one of its first label first.
fn sources(diagnostic: &Diagnostic) -> Vec<&Arc<SourceText>> {
    let mut sources: Vec<&Arc<SourceText>> = Vec::new();
    for label in &diagnostic.labels {
        if !sources.iter().any(|source| Arc::ptr_eq(source, &label.span.source)) {
            sources.push(&label.span.source);
        }
    }
    sources
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.heading)
    }
}

impl std::error::Error for Drawn {}

impl miette::Diagnostic for Drawn {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        (!self.labels.is_empty()).then_some(&self.snippet)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

/// A label and the lines on which it is drawn.
struct Place<'a> {
    /// The numbers of the first and the last line, from zero.
    first: usize,
    last: usize,
    /// The bytes in the source, within those lines.
    range: Range<usize>,
    text: Cow<'a, str>,
}

/// A label over more lines than this is drawn on the first of them only.
const MAX_LINES: usize = 5;

impl<'a> Place<'a> {
    fn new(lines: &Lines, label: &'a Label, look: Look) -> Self {
        let range = lines.fit(&label.span.range);
        let (first, last) = (lines.number(range.start), lines.number(range.end));
        let text = printable(&label.text);
        if last - first < MAX_LINES {
            return Self { first, last, range, text };
        }
        let dots = if look.unicode { "…" } else { "..." };
        let text = format!("{text} ({dots} up to line {})", last + 1).trim_start().to_owned();
        let range = range.start..lines.bounds(first).end;
        Self { first, last: first, range, text: text.into() }
    }
}

/// The lines that labels point at, as one text with its own offsets.
#[derive(Debug, Default)]
struct Snippet {
    text: String,
    lines: Vec<SnippetLine>,
    /// For the start of each label in `text`, its column in the source, from zero.
    columns: BTreeMap<usize, usize>,
}

#[derive(Debug)]
struct SnippetLine {
    source: Arc<SourceText>,
    /// From zero.
    number: usize,
    /// In the snippet's text, with the line end.
    range: Range<usize>,
}

/// Two labels that are no more than this many lines apart are drawn in one piece, with the lines between them.
const MAX_GAP: usize = 3;

impl Snippet {
    /// Adds the lines of one source and returns its labels, in offsets of the snippet.
    fn add(
        &mut self,
        source: &Arc<SourceText>,
        lines: &mut Lines,
        places: &[Place<'_>],
        look: Look,
    ) -> Vec<LabeledSpan> {
        let mut drawn = BTreeMap::new();
        for number in numbers(places) {
            let bounds = lines.bounds(number);
            let here = places.iter().filter(|place| place.first == number);
            let first = here.map(|place| place.range.start).min().unwrap_or(bounds.start);
            let room = look.width.max(MIN_WIDTH) - GUTTER;
            let dots = if look.unicode { "…" } else { "..." };
            let line = Excerpt::new(source, &bounds, first, room, dots);
            let range = self.text.len()..self.text.len() + line.text.len() + 1;
            self.text += &line.text;
            self.text.push('\n');
            drawn.insert(number, (range.start, line));
            self.lines.push(SnippetLine { source: Arc::clone(source), number, range });
        }
        let label = |(i, place)| self.label(lines, place, &drawn, i == 0, look);
        places.iter().enumerate().filter_map(label).collect()
    }

    fn label(
        &mut self,
        lines: &mut Lines,
        place: &Place<'_>,
        drawn: &BTreeMap<usize, (usize, Excerpt)>,
        is_first: bool,
        look: Look,
    ) -> Option<LabeledSpan> {
        let Place { first, last, range, text } = place;
        let ((first_base, first), (last_base, last)) = (drawn.get(first)?, drawn.get(last)?);
        let start = first_base + first.start_of(range.start);
        let end = (last_base + last.end_of(range.end)).max(start);
        self.columns.insert(start, lines.column(range.start));
        let middle = self.text.floor_char_boundary((start + end) / 2);
        let before = self.text[..middle].rsplit('\n').next().unwrap_or_default();
        let room = look.width.saturating_sub(GUTTER + columns(before));
        let text = (!text.is_empty()).then(|| wrapped(text, room));
        // The heading of a piece names the place that comes first in the diagnostic, not in the file.
        let new =
            if is_first { LabeledSpan::new_primary_with_span } else { LabeledSpan::new_with_span };
        Some(new(text, (start, end - start)))
    }
}

/// Returns the lines that places are on, and those between two that are near each other.
fn numbers(places: &[Place<'_>]) -> BTreeSet<usize> {
    let on: BTreeSet<usize> = places.iter().flat_map(|place| place.first..=place.last).collect();
    let near = on.iter().zip(on.iter().skip(1)).filter(|(one, next)| *next - *one <= MAX_GAP);
    let between: Vec<usize> = near.flat_map(|(one, next)| *one..*next).collect();
    on.into_iter().chain(between).collect()
}

/// Breaks a label into lines of so many columns, unless that is too few to read.
fn wrapped(text: &str, room: usize) -> String {
    let mut wrapped = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let width = columns(word);
        if used > 0 && used + 1 + width > room.max(MIN_LABEL) {
            wrapped.push('\n');
            used = 0;
        } else if used > 0 {
            wrapped.push(' ');
            used += 1;
        }
        wrapped += word;
        used += width;
    }
    wrapped
}

/// A label is not broken into lines that are shorter than this.
const MIN_LABEL: usize = 16;

impl SourceCode for Snippet {
    /// Returns whole lines, and none around them. Fails for lines that are not neighbours in their file, so that
    /// miette does not draw them in one piece.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (start, end) = (span.offset(), span.offset() + span.len());
        let at = |offset| self.lines.iter().position(|line| line.range.contains(&offset));
        let (Some(first), Some(last)) = (at(start), at(end)) else {
            return Err(MietteError::OutOfBounds);
        };
        let (first, last) = (&self.lines[first], &self.lines[last]);
        let count = last.number.wrapping_sub(first.number).wrapping_add(1);
        let in_between = self.lines.iter().filter(|line| {
            line.range.start >= first.range.start && line.range.start <= last.range.start
        });
        if !Arc::ptr_eq(&first.source, &last.source) || in_between.count() != count {
            return Err(MietteError::OutOfBounds);
        }
        let range = first.range.start..last.range.end;
        Ok(Box::new(MietteSpanContents::new_named(
            printable(&first.source.name).into_owned(),
            &self.text.as_bytes()[range.clone()],
            (range.start, range.len()).into(),
            first.number,
            self.columns.get(&start).copied().unwrap_or(0),
            // miette joins two pieces when the second starts no later than this many lines after the first.
            count + MAX_GAP,
        )))
    }
}

/// What miette draws to the left of a line, and a little air.
const GUTTER: usize = 10;

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Arc;

    use crate::diagnostic::{Diagnostic, SourceText, Span};
    use crate::render::excerpt::columns;
    use crate::render::validation::Validation;
    use crate::render::{Look, diagnostics};

    const LOOK: Look = Look { width: 80, colour: false, unicode: true };

    fn source(name: &str, text: impl Into<String>) -> Arc<SourceText> {
        Arc::new(SourceText { name: name.to_owned(), text: text.into(), secrets: Vec::new() })
    }

    fn at(source: &Arc<SourceText>, range: Range<usize>) -> Span {
        Span { source: Arc::clone(source), range }
    }

    fn of(source: &Arc<SourceText>, part: &str) -> Span {
        let start = source.text.find(part).unwrap();
        at(source, start..start + part.len())
    }

    /// Draws one error with one label, and leaves the line that counts it away.
    fn drawn(span: &Span, look: Look) -> String {
        let text =
            diagnostics(&[Diagnostic::error("something is wrong").label(span, "here")], look);
        text.strip_suffix("\n1 error\n").unwrap().to_owned()
    }

    #[test]
    fn a_diagnostic_is_drawn_as_the_style_guide_shows_it() {
        let office =
            source("office.wg.hcl", format!("{}  interface = interface.wg9\n", "\n".repeat(13)));
        let unknown = Diagnostic::error("reference to an unknown interface")
            .label(&of(&office, "interface.wg9"), "no `interface \"wg9\"` in this configuration")
            .help("did you mean `interface.wg0`?");
        insta::assert_snapshot!(diagnostics(&[unknown], LOOK), @r#"
          × reference to an unknown interface
            ╭─[office.wg.hcl:14:15]
         14 │   interface = interface.wg9
            ·               ──────┬──────
            ·                     ╰── no `interface "wg9"` in this configuration
            ╰────
          help: did you mean `interface.wg0`?

        1 error
        "#);
    }

    #[test]
    fn places_in_several_files_each_have_their_piece() {
        let hub = source("hub.wg.hcl", "interface \"hub\" {\n  name = \"wg0\"\n}\n");
        let branch = source("branch.wg.hcl", "\ninterface \"b\" {\n  name = \"wg0\"\n}\n");
        let twice = Diagnostic::error("a name is used twice")
            .label(&of(&hub, "\"wg0\""), "this is taken")
            .label(&of(&branch, "\"wg0\""), "by this one")
            .label(&of(&hub, "interface"), "");
        insta::assert_snapshot!(diagnostics(&[twice], LOOK), @r#"
          × a name is used twice
           ╭─[hub.wg.hcl:2:10]
         1 │ interface "hub" {
           · ─────────
         2 │   name = "wg0"
           ·          ──┬──
           ·            ╰── this is taken
           ╰────
           ╭─[branch.wg.hcl:3:10]
         3 │   name = "wg0"
           ·          ──┬──
           ·            ╰── by this one
           ╰────

        1 error
        "#);
    }

    #[test]
    fn places_far_apart_have_a_piece_each_and_near_ones_share_one() {
        let text = source("a.wg.hcl", "one\ntwo\nthree\n4\n5\n6\n7\neight eight\n");
        let several = Diagnostic::warning("several places")
            .label(&of(&text, "three"), "second")
            .label(&of(&text, "one"), "first")
            .label(&of(&text, "eight"), "third")
            .label(&of(&text, "ight eight"), "fourth");
        insta::assert_snapshot!(diagnostics(&[several], LOOK), @r"
          ⚠ several places
           ╭─[a.wg.hcl:3:1]
         1 │ one
           · ─┬─
           ·  ╰── first
         2 │ two
         3 │ three
           · ──┬──
           ·   ╰── second
           ╰────
           ╭─[a.wg.hcl:8:1]
         8 │ eight eight
           · ──┬─────┬──
           ·   │     ╰── fourth
           ·   ╰── third
           ╰────

        1 warning
        ");
    }

    #[test]
    fn errors_come_first_and_all_are_counted() {
        let (a, b) = (source("a.wg.hcl", "x\ny\n"), source("b.wg.hcl", "z\n"));
        let found = [
            Diagnostic::warning("late").label(&of(&a, "y"), ""),
            Diagnostic::error("in b").label(&of(&b, "z"), ""),
            Diagnostic::error("in a").label(&of(&a, "x"), ""),
            Diagnostic::warning("early").label(&of(&a, "x"), ""),
            Diagnostic::error("nowhere"),
        ];
        let text = diagnostics(&found, LOOK);
        let summaries =
            text.lines().filter_map(|line| line.strip_prefix("  × ").or(line.strip_prefix("  ⚠ ")));
        assert_eq!(summaries.collect::<Vec<_>>(), ["nowhere", "in a", "in b", "early", "late"]);
        assert!(text.ends_with("\n\n3 errors, 2 warnings\n"), "{text}");
        assert_eq!(diagnostics(&[], LOOK), "");
    }

    #[test]
    fn secrets_are_never_drawn_and_nothing_tells_how_long_they_are() {
        for secret in ["hünter22", "x", "1234567890123456789012345678901234567890"] {
            let text = format!("key = \"{secret}\" # why\n");
            // Two that touch each other are one.
            let secrets = vec![8..7 + secret.len(), 7..8];
            let a = Arc::new(SourceText { name: "a.wg.hcl".to_owned(), text, secrets });
            insta::allow_duplicates! {
                insta::assert_snapshot!(drawn(&of(&a, &format!("\"{secret}\"")), LOOK), @r#"
                  × something is wrong
                   ╭─[a.wg.hcl:1:7]
                 1 │ key = "********" # why
                   ·       ─────┬────
                   ·            ╰── here
                   ╰────
                "#);
            }
            for part in [7..8, 7 + secret.len() - 1..7 + secret.len()] {
                let text = drawn(&at(&a, part), LOOK);
                assert!(text.contains("        ────┬───\n"), "{text}");
            }
        }
    }

    #[test]
    fn what_a_message_quotes_from_a_secret_is_masked_too() {
        let text = "hunter2hunter2 \"interface\"\n".to_owned();
        let a = Arc::new(SourceText {
            name: "a.wg.hcl".to_owned(),
            text,
            secrets: std::iter::once(0..26).collect(),
        });
        let diagnostic = Diagnostic::error("something is wrong")
            .label(&at(&a, 0..14), "there is no `hunter2hunter2` in any interface")
            .help("Write `hunter2hunter2 {`.");
        let text = diagnostics(std::slice::from_ref(&diagnostic), LOOK);
        insta::assert_snapshot!(text, @r"
          × something is wrong
           ╭─[a.wg.hcl:1:1]
         1 │ ********
           · ────┬───
           ·     ╰── there is no `********` in any interface
           ╰────
          help: Write `******** {`.

        1 error
        ");
        let document = Validation::new(&[diagnostic]).text();
        assert!(!document.contains("hunter2"), "{document}");
    }

    #[test]
    fn a_secret_over_several_lines_is_masked_line_by_line() {
        let text = "key = <<EOT\r\nabc\n\ndefghi\nEOT\n".to_owned();
        let secrets = std::iter::once(13..25).collect();
        let a = Arc::new(SourceText { name: "a.wg.hcl".to_owned(), text, secrets });
        insta::assert_snapshot!(drawn(&at(&a, 6..29), LOOK), @r"
          × something is wrong
           ╭─[a.wg.hcl:1:7]
         1 │ ╭─▶ key = <<EOT
         2 │ │   ********
         3 │ │   
         4 │ │   ********
         5 │ ├─▶ EOT
           · ╰──── here
           ╰────
        ");
    }

    #[test]
    fn plain_ascii_will_do() {
        let a = source("a.wg.hcl", "name = 1\n");
        let look = Look { unicode: false, ..LOOK };
        insta::assert_snapshot!(drawn(&of(&a, "1"), look), @r"
          x something is wrong
           ,-[a.wg.hcl:1:8]
         1 | name = 1
           :        |
           :        `-- here
           `----
        ");
        let colours = drawn(&of(&a, "1"), Look { colour: true, ..look });
        assert!(colours.contains("\u{1b}["), "{colours:?}");
        assert!(!drawn(&of(&a, "1"), LOOK).contains('\u{1b}'));
    }

    #[test]
    fn help_is_wrapped_and_commands_in_it_stand_on_their_line() {
        let long = Diagnostic::error("conflict").help(
            "An interface of this name exists already, and wgform does not own it. To make it its own, say:\n\n    wgform import interface.hub wg0",
        );
        insta::assert_snapshot!(diagnostics(&[long], Look { width: 60, ..LOOK }), @r"
          × conflict
          help: An interface of this name exists already, and
                wgform does not own it. To make it its own, say:

                    wgform import interface.hub wg0

        1 error
        ");
    }

    #[test]
    fn the_end_of_a_file_is_a_place() {
        for (text, line) in [("interface {\n", 2), ("interface {", 1), ("", 1)] {
            let a = source("a.wg.hcl", text);
            let text = drawn(&at(&a, a.text.len()..a.text.len()), LOOK);
            assert!(text.contains(&format!("[a.wg.hcl:{line}:")), "{text}");
            assert!(text.contains("╰── here"), "{text}");
        }
    }

    #[test]
    fn tabs_wide_characters_and_line_ends_of_windows_keep_the_mark_in_place() {
        let a = source("a.wg.hcl", "\r\n\tname = \"東京\" + 1\r\nx\r\n");
        insta::assert_snapshot!(drawn(&of(&a, "1"), LOOK), @r#"
          × something is wrong
           ╭─[a.wg.hcl:2:16]
         2 │     name = "東京" + 1
           ·                     ┬
           ·                     ╰── here
           ╰────
        "#);
    }

    #[test]
    fn emoji_and_combining_marks_keep_the_mark_in_place() {
        let a = source("a.wg.hcl", "d = \"👩\u{200d}🚀 ❤\u{fe0f} e\u{301} 한국\" + 1\n");
        insta::assert_snapshot!(drawn(&of(&a, "1"), LOOK), @r#"
          × something is wrong
           ╭─[a.wg.hcl:1:18]
         1 │ d = "👩🚀 ❤ é 한국" + 1
           ·                       ┬
           ·                       ╰── here
           ╰────
        "#);
    }

    #[test]
    fn a_byte_order_mark_and_what_hides_are_seen() {
        let a = source("a.wg.hcl", "\u{feff}na\u{200d}me\u{202e} = 1\r\r\n");
        insta::assert_snapshot!(drawn(&of(&a, "1"), LOOK), @r"
          × something is wrong
           ╭─[a.wg.hcl:1:10]
         1 │ �na�me� = 1�
           ·           ┬
           ·           ╰── here
           ╰────
        ");
    }

    #[test]
    fn a_long_line_of_wide_characters_is_cut_by_what_it_takes() {
        let text = format!("d = \"{}\" + x + \"{}\"\n", "東".repeat(100), "京".repeat(100));
        let a = source("a.wg.hcl", text);
        for width in [40, 80, 200] {
            let text = drawn(&of(&a, "x"), Look { width, ..LOOK });
            let line = text.lines().nth(2).unwrap();
            assert!(line.contains(" + x + "), "{text}");
            assert!((width - 8..=width).contains(&columns(line)), "{width}: {text}");
        }
    }

    #[test]
    fn a_label_over_several_lines_has_a_bracket() {
        let a = source("a.wg.hcl", "x = [\n  1,\n  2,\n]\n\n\n");
        insta::assert_snapshot!(drawn(&at(&a, 4..19), LOOK), @r"
          × something is wrong
           ╭─[a.wg.hcl:1:5]
         1 │ ╭─▶ x = [
         2 │ │     1,
         3 │ │     2,
         4 │ ├─▶ ]
           · ╰──── here
           ╰────
        ");
    }

    #[test]
    fn a_label_over_many_lines_is_shown_on_its_first() {
        let a = source("a.wg.hcl", "x = [\n  1,\n  2,\n  3,\n  4,\n]\n");
        insta::assert_snapshot!(drawn(&of(&a, &a.text[4..]), LOOK), @r"
          × something is wrong
           ╭─[a.wg.hcl:1:5]
         1 │ x = [
           ·     ┬
           ·     ╰── here (… up to line 6)
           ╰────
        ");
    }

    #[test]
    fn a_label_that_is_long_for_the_terminal_is_broken_into_lines() {
        let a = source("a.wg.hcl", "name = \"a name that is longer than fifteen bytes\"\n");
        let long = Diagnostic::error("long").label(
            &of(&a, "\"a name that is longer than fifteen bytes\""),
            "`a name that is longer than fifteen bytes` has 40 bytes, and at most 15 are allowed",
        );
        let help = long.help("Add a line such as `name = \"wg0\"`, which Linux takes.");
        insta::assert_snapshot!(diagnostics(std::slice::from_ref(&help), Look { width: 40, ..LOOK }), @r#"
          × long
           ╭─[a.wg.hcl:1:8]
         1 │ name = "a name that is longer …
           ·        ───────────┬───────────
           ·                   ╰─┤ `a name that is
           ·                     │ longer than
           ·                     │ fifteen bytes`
           ·                     │ has 40 bytes,
           ·                     │ and at most 15
           ·                     │ are allowed
           ╰────
          help: Add a line such as `name =
                "wg0"`, which Linux takes.

        1 error
        "#);
        insta::assert_snapshot!(diagnostics(&[help], Look { width: 80, ..LOOK }), @r#"
          × long
           ╭─[a.wg.hcl:1:8]
         1 │ name = "a name that is longer than fifteen bytes"
           ·        ─────────────────────┬────────────────────
           ·                             ╰─┤ `a name that is longer than fifteen bytes`
           ·                               │ has 40 bytes, and at most 15 are allowed
           ╰────
          help: Add a line such as `name = "wg0"`, which Linux takes.

        1 error
        "#);
    }

    #[test]
    fn more_than_anybody_reads_is_counted_and_not_drawn() {
        let a = source("a.wg.hcl", "x\n");
        let mut found = vec![Diagnostic::warning("late").label(&of(&a, "x"), "here")];
        found.extend((0..100_000).map(|_| Diagnostic::error("wrong").label(&of(&a, "x"), "here")));
        let text = diagnostics(&found, LOOK);
        assert_eq!(text.matches("× wrong").count(), 100);
        let end = "\n\nand 99901 more: 100000 errors, 1 warning in all\n";
        assert!(!text.contains("late") && text.ends_with(end), "{}", text.len());
    }

    #[test]
    fn a_line_of_fifty_megabytes_is_shown_around_the_place() {
        let mut text = "a".repeat(50_000_000);
        text.replace_range(25_000_000..25_000_004, "HERE");
        let a = source("a.wg.hcl", text);
        let look = Look { width: 40, ..LOOK };
        insta::assert_snapshot!(drawn(&at(&a, 25_000_000..25_000_004), look), @r"
          × something is wrong
           ╭─[a.wg.hcl:1:25000001]
         1 │ …aaaaaaaaaaHEREaaaaaaaaaaaaaaaa…
           ·            ──┬─
           ·              ╰── here
           ╰────
        ");
        assert!(drawn(&at(&a, 0..50_000_000), look).len() < 2_000);
    }

    #[test]
    fn no_range_in_any_text_panics() {
        let texts = [
            "",
            "\n",
            "a",
            "é\r\n東\u{301}\t\u{1b}[2J\u{202e}\r",
            "x\ny\n\nz\n",
            "\u{feff}a = 1\r\r\n",
        ];
        for text in texts {
            let mut a = SourceText {
                name: "a\u{7}.hcl".to_owned(),
                text: text.to_owned(),
                secrets: vec![1..3, 9..2000],
            };
            a.secrets.push(2..2);
            let a = Arc::new(a);
            for start in 0..text.len() + 3 {
                for end in [0, start, start + 1, start + 2, start + 7, usize::MAX] {
                    for width in [0, 80] {
                        let text = drawn(&at(&a, start..end), Look { width, ..LOOK });
                        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
                        assert!(text.contains("here"), "{text}");
                    }
                }
            }
        }
    }
}
