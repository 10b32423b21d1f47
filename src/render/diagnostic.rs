//! Diagnostics as text, drawn by miette.
//!
//! miette is never shown a file: it gets a [`Snippet`], the few lines that labels point at, already masked, cut to a
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
    name: String,
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
        source: &SourceText,
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
        source: &SourceText,
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
        // miette drops a last line that is empty, and with it a label at the end of a file.
        self.text += if line.text.is_empty() { " \n" } else { "\n" };
        let name = printable(&source.name).into_owned();
        self.lines.push(SnippetLine { name, number, range: base..self.text.len() });
        let mut labels = Vec::new();
        for Place { range, text, .. } in here {
            let (start, end) = (base + line.find(range.start), base + line.find(range.end));
            let column = source.text[bounds.start..range.start].chars().count();
            self.columns.insert(start, column);
            let text = (!text.is_empty()).then(|| printable(text).into_owned());
            labels.push(LabeledSpan::new(text, start, end - start));
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
        if first.name != last.name || in_between.count() != count {
            return Err(MietteError::OutOfBounds);
        }
        let range = first.range.start..last.range.end;
        Ok(Box::new(MietteSpanContents::new_named(
            first.name.clone(),
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
