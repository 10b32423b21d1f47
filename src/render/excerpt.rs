//! Pieces of the user's files as they may be shown: where the lines are, without secrets, without anything that a
//! terminal would obey, and cut to a bearable length however long a line is.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use crate::diagnostic::{Diagnostic, SourceText};
use crate::render::{is_hidden, visible};

/// What stands in the place of a secret. Its width says nothing of the secret's.
const MASK: &str = "********";

/// A tab takes at most this many columns.
const TAB: usize = 4;

/// A word this short may be in a message by chance.
const SHORT: usize = 8;

/// Returns a message with all its places as labels, and stars in the place of what it quotes from a secret, the whole of it
/// or a part.
pub(super) fn discreet(diagnostic: &Diagnostic) -> Diagnostic {
    let places = diagnostic.places();
    let secrets: Vec<&str> = places.iter().flat_map(|label| secrets(&label.span.source)).collect();
    let mut discreet =
        Diagnostic { labels: places.clone(), within: Vec::new(), others: 0, ..diagnostic.clone() };
    discreet.labels.iter_mut().for_each(|label| hide(&secrets, &mut label.text));
    discreet.help.iter_mut().for_each(|help| hide(&secrets, help));
    discreet
}

fn secrets(source: &SourceText) -> impl Iterator<Item = &str> {
    let secrets = source.secrets.iter().filter_map(|range| source.text.get(range.clone()));
    secrets.map(|secret| secret.trim().trim_matches('"'))
}

fn hide(secrets: &[&str], message: &mut String) {
    let whole = secrets.iter().copied();
    let mut hidden: BTreeSet<String> =
        whole.filter(|it| it.len() > SHORT && message.contains(it)).map(str::to_owned).collect();
    let quoted = ['`', '"'].map(|quote| message.split(quote).skip(1).step_by(2));
    let words = quoted.into_iter().flatten().flat_map(str::split_whitespace);
    let is_part = |word: &&str| secrets.iter().any(|secret| secret.contains(*word));
    hidden.extend(words.filter(|it| it.len() > SHORT).filter(is_part).map(str::to_owned));
    hidden.iter().for_each(|word| *message = message.replace(word, MASK));
}

/// The lines of each text, found once however many diagnostics point into it.
#[derive(Default)]
pub(super) struct LineIndex(Vec<(Arc<SourceText>, Lines)>);

impl LineIndex {
    pub(super) fn of(&mut self, source: &Arc<SourceText>) -> &mut Lines {
        let known = self.0.iter().position(|(known, _)| Arc::ptr_eq(known, source));
        let at = known.unwrap_or_else(|| {
            self.0.push((Arc::clone(source), Lines::new(source)));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }
}

/// The lines of one text. Numbers of lines and columns are from zero.
pub(super) struct Lines {
    source: Arc<SourceText>,
    starts: Vec<usize>,
    /// Where columns were counted last, because a line may have fifty megabytes and a thousand problems.
    counted: Counted,
}

#[derive(Default, Clone, Copy)]
struct Counted {
    line: usize,
    offset: usize,
    column: usize,
}

impl Lines {
    fn new(source: &Arc<SourceText>) -> Self {
        let ends = source.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = [0].into_iter().chain(ends.map(|(at, _)| at + 1)).collect();
        Self { source: Arc::clone(source), starts, counted: Counted::default() }
    }

    /// Returns the number of the line that an offset is on; its line end belongs to it.
    pub(super) fn number(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset).saturating_sub(1)
    }

    /// Returns the bytes of a line without its line end.
    pub(super) fn bounds(&self, number: usize) -> Range<usize> {
        let text = &self.source.text;
        let start = self.starts.get(number).copied().unwrap_or(text.len());
        let end = self.starts.get(number + 1).map_or(text.len(), |next| next - 1);
        let line = &text[start..end];
        start..start + line.strip_suffix('\r').unwrap_or(line).len()
    }

    /// Returns the column of an offset, in what a reader takes for one character (grapheme clusters).
    pub(super) fn column(&mut self, offset: usize) -> usize {
        let line = self.number(offset);
        let start = self.bounds(line).start;
        let goes_on = self.counted.line == line && (start..=offset).contains(&self.counted.offset);
        let from = match goes_on {
            true => self.counted,
            false => Counted { line, offset: start, column: 0 },
        };
        let between = &self.source.text[from.offset..offset];
        let more = if between.is_ascii() { between.len() } else { between.graphemes(true).count() };
        let column = from.column + more;
        self.counted = Counted { line, offset, column };
        column
    }

    /// Fits a range, which may lie outside of the text or inside a character, into it. What is only white space at the
    /// end of a range over several lines is no part of it.
    pub(super) fn fit(&self, range: &Range<usize>) -> Range<usize> {
        let text = &self.source.text;
        let start = text.floor_char_boundary(range.start);
        // At most at the end of a line, and not between its two line ends.
        let start = start.min(self.bounds(self.number(start)).end);
        let end = text.ceil_char_boundary(range.end).max(start);
        let end = end.min(self.bounds(self.number(end)).end).max(start);
        let lines = self.number(start)..self.number(end);
        if lines.is_empty() { start..end } else { start..start + text[start..end].trim_end().len() }
    }
}

/// A stretch of a text as it may be shown, and where each of its characters went.
pub(super) struct Excerpt {
    pub(super) text: String,
    /// Offsets in the source, each with its offset in `text`. A secret is one step.
    map: Vec<(usize, usize)>,
}

impl Excerpt {
    /// Shows a stretch of a text in so many columns. What is longer is cut around a place in it.
    pub(super) fn new(
        source: &SourceText,
        bounds: &Range<usize>,
        place: usize,
        room: usize,
        dots: &str,
    ) -> Self {
        let line = &source.text[bounds.clone()];
        let start = if fitting(line.chars(), room) == line.len() {
            bounds.start
        } else {
            // A third of what is visible stands before the place.
            place - fitting(source.text[bounds.start..place].chars().rev(), room / 3)
        };
        let mut new = Self { text: String::new(), map: Vec::new() };
        if start > bounds.start {
            new.text += dots;
        }
        let end = new.show(source, start..bounds.end, room);
        new.map.push((end, new.text.len()));
        if end < bounds.end {
            new.text += dots;
        }
        new
    }

    /// Returns where a label begins that begins there in the source. One that was cut off begins at the cut, one in a
    /// secret at the beginning of its mask.
    pub(super) fn start_of(&self, offset: usize) -> usize {
        let next = self.map.partition_point(|&(source, _)| source <= offset);
        self.map.get(next.saturating_sub(1)).map_or(0, |&(_, text)| text)
    }

    /// Returns where a label ends that ends there in the source.
    pub(super) fn end_of(&self, offset: usize) -> usize {
        let next = self.map.partition_point(|&(source, _)| source < offset);
        self.map.get(next).or(self.map.last()).map_or(0, |&(_, text)| text)
    }

    /// Writes what fits, and returns where it ends in the source.
    fn show(&mut self, source: &SourceText, range: Range<usize>, room: usize) -> usize {
        let secrets = secrets_in(source, &range);
        let mut secrets = secrets.iter().peekable();
        let (mut at, mut used, mut before) = (range.start, 0, ' ');
        while let Some(c) = source.text[at..range.end].chars().next() {
            while secrets.next_if(|secret| secret.end <= at).is_some() {}
            let secret = secrets.peek().filter(|secret| secret.start <= at);
            let hidden = secret.map(|secret| masked(&source.text[at..secret.end]));
            let hidden = hidden.filter(|it| !it.is_empty());
            let width = hidden.map_or_else(|| width_of(c), |_| MASK.len());
            if used + width > room {
                return at;
            }
            self.map.push((at, self.text.len()));
            match hidden {
                Some(_) => self.text += MASK,
                None => self.text.extend(visible(c, before)),
            }
            used += width;
            before = c;
            at += hidden.map_or(c.len_utf8(), str::len);
        }
        range.end
    }
}

/// Returns the part of a secret that one mask stands for: its lines stay lines.
fn masked(secret: &str) -> &str {
    secret.split('\n').next().unwrap_or(secret)
}

/// Returns the bytes of the secrets in a stretch of a text, sorted, and those that touch each other as one.
fn secrets_in(source: &SourceText, within: &Range<usize>) -> Vec<Range<usize>> {
    let text = &source.text;
    let inside = source.secrets.iter().map(|secret| {
        let start = text.floor_char_boundary(secret.start).max(within.start);
        start..text.ceil_char_boundary(secret.end).min(within.end)
    });
    let mut secrets: Vec<Range<usize>> = inside.filter(|secret| !secret.is_empty()).collect();
    secrets.sort_by_key(|secret| secret.start);
    secrets.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
    secrets
}

/// Returns how many bytes of some characters fit into so many columns.
fn fitting(chars: impl Iterator<Item = char>, room: usize) -> usize {
    let mut used = 0;
    let fits = chars.take_while(|c| {
        used += width_of(*c);
        used <= room
    });
    fits.map(char::len_utf8).sum()
}

/// Returns how many columns a character takes on most terminals.
fn width_of(c: char) -> usize {
    match c {
        '\t' => TAB,
        c if is_hidden(c) => 1,
        c => c.width().unwrap_or(0),
    }
}

/// Returns how many columns a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(width_of).sum()
}
