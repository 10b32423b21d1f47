//! Diagnostics as text, drawn by miette.
//!
//! miette is never shown a file: it gets a `Snippet`, the few lines that labels point at, already masked, cut to a
//! bearable length and free of control characters. So a secret cannot slip through a corner of the drawing, and a line
//! of fifty megabytes costs no more than a short one. A label over several lines is shown on its first.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents, ThemeCharacters, ThemeStyles,
};

use crate::diagnostic::{Diagnostic, Severity, SourceText};
use crate::render::{count, is_hidden, printable};

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

/// Draws diagnostics, errors first and in the order of files and places, with a line at the end that counts them.
/// Returns nothing for none.
pub fn diagnostics(diagnostics: &[Diagnostic], look: Look) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| {
        let place = diagnostic.labels.first().map(|label| &label.span);
        let place = place.map(|span| (&span.source.name, span.range.start));
        (diagnostic.severity, place)
    });
    let handler = handler(look);
    let mut lines = LineIndex::default();
    let mut text = String::new();
    for diagnostic in sorted {
        let drawn = Drawn::new(diagnostic, look, &mut lines);
        // Writing to a string fails only if miette cannot read the snippet, which then still has its summary.
        if handler.render_report(&mut text, &drawn).is_err() {
            text.push('\n');
        }
        text.push('\n');
    }
    text + &summary(diagnostics) + "\n"
}

/// Counts: `2 errors, 1 warning`.
fn summary(diagnostics: &[Diagnostic]) -> String {
    let of = |severity| diagnostics.iter().filter(|it| it.severity == severity).count();
    let counts = [(of(Severity::Error), "error"), (of(Severity::Warning), "warning")];
    let counts = counts.into_iter().filter(|(number, _)| *number > 0);
    counts.map(|(number, noun)| count(number, noun)).collect::<Vec<_>>().join(", ")
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
    summary: &'static str,
    help: Option<String>,
    labels: Vec<LabeledSpan>,
    snippet: Snippet,
}

impl Drawn {
    fn new(diagnostic: &Diagnostic, look: Look, index: &mut LineIndex) -> Self {
        let Diagnostic { severity, summary, labels, help } = diagnostic;
        let mut snippet = Snippet::default();
        let mut drawn = Vec::new();
        for source in sources(diagnostic) {
            let of_source = labels.iter().filter(|label| Arc::ptr_eq(&label.span.source, source));
            let places: Vec<Place> = of_source
                .map(|label| Place::new(source, index.of(source), &label.span.range, &label.text))
                .collect();
            drawn.extend(snippet.add(source, index.of(source), &places, look));
        }
        let help = help.as_ref().map(|help| printable(help).into_owned());
        Self { severity: *severity, summary, help, labels: drawn, snippet }
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
        f.write_str(self.summary)
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

/// A label on the one line where it is drawn.
struct Place<'a> {
    /// The number of the line, from zero.
    line: usize,
    /// The bytes in the source, within that line.
    range: Range<usize>,
    text: &'a str,
}

impl<'a> Place<'a> {
    /// Fits a range, which may lie outside of the text or inside a character, onto a line.
    fn new(source: &SourceText, lines: &[usize], range: &Range<usize>, text: &'a str) -> Self {
        let start = source.text.floor_char_boundary(range.start);
        let line = lines.partition_point(|&line_start| line_start <= start).saturating_sub(1);
        let bounds = line_bounds(source, lines, line);
        let start = start.min(bounds.end);
        let end = source.text.ceil_char_boundary(range.end).clamp(start, bounds.end.max(start));
        Self { line, range: start..end, text }
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
        lines: &[usize],
        places: &[Place<'_>],
        look: Look,
    ) -> Vec<LabeledSpan> {
        let mut numbers: Vec<usize> = places.iter().map(|place| place.line).collect();
        numbers.sort_unstable();
        let mut labels = Vec::new();
        let mut next = None;
        for number in numbers {
            if next.is_some_and(|next| number < next) {
                continue;
            }
            let first = next.filter(|next| number - next < MAX_GAP).unwrap_or(number);
            for number in first..=number {
                labels.extend(self.add_line(source, lines, number, places, look));
            }
            next = Some(number + 1);
        }
        labels
    }

    fn add_line(
        &mut self,
        source: &Arc<SourceText>,
        lines: &[usize],
        number: usize,
        places: &[Place<'_>],
        look: Look,
    ) -> Vec<LabeledSpan> {
        let bounds = line_bounds(source, lines, number);
        let here: Vec<&Place<'_>> = places.iter().filter(|place| place.line == number).collect();
        let first = here.iter().map(|place| place.range.start).min().unwrap_or(bounds.start);
        let line = VisibleLine::new(source, &bounds, first, look);
        let base = self.text.len();
        self.text += &line.text;
        self.text.push('\n');
        let range = base..self.text.len();
        self.lines.push(SnippetLine { source: Arc::clone(source), number, range });
        let mut labels = Vec::new();
        for place in here {
            let Place { line: _, range, text } = place;
            let (start, end) = (base + line.find(range.start), base + line.find(range.end));
            let column = source.text[bounds.start..range.start].chars().count();
            self.columns.insert(start, column);
            let text = (!text.is_empty()).then(|| printable(text).into_owned());
            // The heading of a piece names the place that comes first in the diagnostic, not in the file.
            let is_first = places.first().is_some_and(|first| std::ptr::eq(first, place));
            let new = if is_first {
                LabeledSpan::new_primary_with_span
            } else {
                LabeledSpan::new_with_span
            };
            labels.push(new(text, (start, end - start)));
        }
        labels
    }
}

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

/// What is shown of a line, and where each of its characters went.
struct VisibleLine {
    text: String,
    /// Offsets in the source, each with its offset in `text`.
    map: Vec<(usize, usize)>,
}

impl VisibleLine {
    /// Cuts a line around a place, masks its secrets and replaces what a terminal would obey.
    fn new(source: &SourceText, bounds: &Range<usize>, place: usize, look: Look) -> Self {
        let limit = look.width.max(MIN_WIDTH) - GUTTER;
        let dots = if look.unicode { "…" } else { "..." };
        let line = &source.text[bounds.clone()];
        let start = if line.chars().nth(limit).is_none() {
            bounds.start
        } else {
            // A third of what is visible stands before the place.
            let before = source.text[bounds.start..place].char_indices().rev().nth(limit / 3);
            before.map_or(bounds.start, |(at, _)| bounds.start + at)
        };
        let mut text = String::new();
        let mut map = Vec::new();
        if start > bounds.start {
            text += dots;
        }
        let secrets = source.secrets.iter();
        let secrets: Vec<_> =
            secrets.filter(|range| range.start < bounds.end && range.end > start).collect();
        let mut chars = source.text[start..bounds.end].char_indices();
        for (at, c) in chars.by_ref().take(limit) {
            map.push((start + at, text.len()));
            let is_secret = secrets.iter().any(|range| range.contains(&(start + at)));
            text.push(match c {
                _ if is_secret => '*',
                c if is_hidden(c) => char::REPLACEMENT_CHARACTER,
                c => c,
            });
        }
        let rest = chars.as_str();
        map.push((bounds.end - rest.len(), text.len()));
        if !rest.is_empty() {
            text += dots;
        }
        Self { text, map }
    }

    /// Returns where an offset of the source is in the text; one that was cut off is at the cut.
    fn find(&self, offset: usize) -> usize {
        let next = self.map.partition_point(|&(source, _)| source < offset);
        self.map.get(next).or(self.map.last()).map_or(0, |&(_, text)| text)
    }
}

/// What miette draws to the left of a line, and a little air.
const GUTTER: usize = 10;

/// Returns the bytes of a line without its line end.
fn line_bounds(source: &SourceText, lines: &[usize], number: usize) -> Range<usize> {
    let start = lines.get(number).copied().unwrap_or(source.text.len());
    let end = lines.get(number + 1).map_or(source.text.len(), |next| next - 1);
    let line = &source.text[start..end];
    start..start + line.strip_suffix('\r').unwrap_or(line).len()
}

/// The starts of lines of each text, found once however many diagnostics point into it.
#[derive(Default)]
struct LineIndex(Vec<(Arc<SourceText>, Vec<usize>)>);

impl LineIndex {
    fn of(&mut self, source: &Arc<SourceText>) -> &[usize] {
        let known = self.0.iter().position(|(known, _)| Arc::ptr_eq(known, source));
        let at = known.unwrap_or_else(|| {
            let ends = source.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            let starts = [0].into_iter().chain(ends.map(|(at, _)| at + 1)).collect();
            self.0.push((Arc::clone(source), starts));
            self.0.len() - 1
        });
        &self.0[at].1
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Arc;

    use crate::diagnostic::{Diagnostic, SourceText, Span};
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
    fn secrets_are_never_drawn() {
        let text = "key = \"hünter22\" # why\n";
        let secrets = vec![7..10, 10..16];
        let a =
            Arc::new(SourceText { name: "a.wg.hcl".to_owned(), text: text.to_owned(), secrets });
        insta::assert_snapshot!(drawn(&of(&a, "\"hünter22\""), LOOK), @r#"
          × something is wrong
           ╭─[a.wg.hcl:1:7]
         1 │ key = "********" # why
           ·       ─────┬────
           ·            ╰── here
           ╰────
        "#);
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
    fn a_label_over_several_lines_is_shown_on_its_first() {
        let a = source("a.wg.hcl", "x = [\n  1,\n  2,\n]\n");
        insta::assert_snapshot!(drawn(&at(&a, 4..15), LOOK), @r"
          × something is wrong
           ╭─[a.wg.hcl:1:5]
         1 │ x = [
           ·     ┬
           ·     ╰── here
           ╰────
        ");
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
         1 │ …aaaaaaaaaaaHEREaaaaaaaaaaaaaaa…
           ·             ──┬─
           ·               ╰── here
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
