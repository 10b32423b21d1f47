//! One text of a configuration with its tokens, and what stands where in it: arguments, entries, lines.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::SourceText;
use crate::token::{Token, TokenKind, scan};

/// One text.
pub(super) struct Page {
    pub(super) source: Arc<SourceText>,
    tokens: Vec<Token>,
    /// How its lines end.
    pub(super) newline: &'static str,
}

/// The texts that were looked at so far, by name.
#[derive(Default)]
pub(super) struct Pages(BTreeMap<String, Rc<Page>>);

/// An argument of a block, or an entry of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where its name starts.
    pub(super) start: usize,
    /// The `=` or `:` after its name.
    pub(super) sign: Range<usize>,
    /// Where its value ends.
    pub(super) end: usize,
    /// The comma after it.
    pub(super) comma: Option<Range<usize>>,
}

/// What is between two braces or brackets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Inside {
    /// From behind the one to before the other.
    pub(super) range: Range<usize>,
    pub(super) entries: Vec<Entry>,
    /// The blocks in a block: their names, and where each of them opens.
    pub(super) blocks: Vec<(String, usize)>,
}

impl Pages {
    /// Opens a text.
    pub(super) fn open(&mut self, source: &Arc<SourceText>) -> Rc<Page> {
        let new = || Rc::new(Page::new(source.clone()));
        self.0.entry(source.name.clone()).or_insert_with(new).clone()
    }
}

impl Page {
    pub(super) fn new(source: Arc<SourceText>) -> Self {
        let tokens = scan(&source.text);
        let first = tokens.iter().find(|it| it.kind == TokenKind::Newline);
        let is_long = first.is_some_and(|it| it.range.len() > 1);
        let newline = if is_long { "\r\n" } else { "\n" };
        Self { source, tokens, newline }
    }

    pub(super) fn text(&self) -> &str {
        &self.source.text
    }

    /// Returns the token at a place, or the next one.
    fn token_at(&self, offset: usize) -> usize {
        self.tokens.partition_point(|it| it.range.end <= offset)
    }

    /// Returns the start of the line that a place is in.
    pub(super) fn line_start(&self, offset: usize) -> usize {
        self.text()[..offset].rfind('\n').map_or(0, |it| it + 1)
    }

    /// Returns the blanks at the start of a line.
    pub(super) fn indent(&self, offset: usize) -> &str {
        let start = self.line_start(offset);
        let line = &self.text()[start..];
        &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
    }

    /// Returns whether only blanks stand before a place in its line.
    pub(super) fn is_first(&self, offset: usize) -> bool {
        let start = self.line_start(offset);
        self.text()[start..offset].chars().all(|c| matches!(c, ' ' | '\t'))
    }

    /// Returns where the line ends after a place, with its line end, where nothing but blanks and a comment follows there;
    /// and that comment.
    pub(super) fn rest(&self, offset: usize) -> Option<(usize, Option<&str>)> {
        let mut comment = None;
        for token in &self.tokens[self.token_at(offset)..] {
            match token.kind {
                TokenKind::Blank => {}
                TokenKind::Newline => return Some((token.range.end, comment)),
                TokenKind::LineComment => {
                    comment = Some(token.text(self.text()).trim_end());
                }
                _ => return None,
            }
        }
        Some((self.text().len(), comment))
    }

    /// Returns the comma that follows a place, if nothing else with a meaning is before it.
    pub(super) fn comma_after(&self, offset: usize) -> Option<Range<usize>> {
        let next = self.tokens[self.token_at(offset)..].iter().find(|it| !it.is_trivia())?;
        (next.kind == TokenKind::Comma).then(|| next.range.clone())
    }

    /// Returns whether there is a comment between two places.
    pub(super) fn has_comment(&self, range: Range<usize>) -> bool {
        let from = &self.tokens[self.token_at(range.start)..];
        let within = from.iter().take_while(|it| it.range.start < range.end);
        let mut within = within.filter(|it| it.is_trivia());
        within.any(|it| matches!(it.kind, TokenKind::LineComment | TokenKind::BlockComment))
    }

    /// Returns where the name of an argument starts, of which this is the start of the value.
    pub(super) fn name_of(&self, value: usize) -> Option<usize> {
        let before = &self.tokens[..self.token_at(value)];
        let mut before = before.iter().rev().filter(|it| !it.is_trivia());
        let sign = before.next()?;
        let name = before.next()?;
        let is_name = matches!(name.kind, TokenKind::Identifier);
        (sign.kind == TokenKind::Equal && is_name).then_some(name.range.start)
    }

    /// Returns what is in the block of which the head ends here, or in the brackets that open here.
    pub(super) fn inside(&self, offset: usize) -> Option<Inside> {
        use TokenKind::{BraceOpen, BracketOpen};
        let from = self.token_at(offset);
        let is_open = |it: &Token| matches!(it.kind, BraceOpen | BracketOpen);
        let open = from + self.tokens[from..].iter().position(is_open)?;
        let close = self.close_of(open)?;
        let range = self.tokens[open].range.end..self.tokens[close].range.start;
        let mut inside = Inside { range, ..Inside::default() };
        let mut at = open + 1;
        while at < close {
            let token = &self.tokens[at];
            if token.is_trivia() || token.kind == TokenKind::Comma {
                at += 1;
                continue;
            }
            at = self.item(at, close, &mut inside);
        }
        Some(inside)
    }

    /// Takes an argument, an entry or a block that starts here, and returns what is behind it.
    fn item(&self, start: usize, close: usize, inside: &mut Inside) -> usize {
        use TokenKind::{BraceOpen, Colon, Comma, Equal, Newline};
        let mut at = start;
        let mut sign = None;
        let mut last = start;
        while at < close {
            let token = &self.tokens[at];
            match token.kind {
                Equal | Colon if sign.is_none() => sign = Some(token.range.clone()),
                Newline | Comma if sign.is_some() => break,
                BraceOpen if sign.is_none() => {
                    let name = self.tokens[start].text(self.text()).to_owned();
                    inside.blocks.push((name, token.range.start));
                    return self.close_of(at).map_or(close, |it| it + 1);
                }
                _ => {}
            }
            if !token.is_trivia() {
                last = at;
            }
            at = match nesting(token.kind) {
                1 => {
                    last = self.close_of(at).unwrap_or(close).min(close);
                    last + 1
                }
                _ => at + 1,
            };
        }
        let end = self.tokens[last].range.end;
        if let Some(sign) = sign {
            let start = self.tokens[start].range.start;
            let comma = self.comma_after(end).filter(|it| it.start < inside.range.end);
            inside.entries.push(Entry { start, sign, end, comma });
        }
        at
    }

    fn close_of(&self, open: usize) -> Option<usize> {
        let mut depth = 0;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            depth += nesting(token.kind);
            if depth == 0 {
                return Some(at);
            }
        }
        None
    }
}

fn nesting(kind: TokenKind) -> isize {
    use TokenKind::{
        BraceClose, BraceOpen, BracketClose, BracketOpen, HeredocClose, HeredocOpen,
        ParenthesisClose, ParenthesisOpen, QuoteClose, QuoteOpen, TemplateClose, TemplateOpen,
    };
    match kind {
        BraceOpen | BracketOpen | ParenthesisOpen | TemplateOpen | QuoteOpen | HeredocOpen => 1,
        BraceClose | BracketClose | ParenthesisClose | TemplateClose | QuoteClose
        | HeredocClose => -1,
        _ => 0,
    }
}
