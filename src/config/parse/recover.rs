//! What can be read of a text that cannot be parsed: its sound structures, and the heads of the others.
//!
//! The text is parsed once more with blanks in place of what is broken, so that every place stays where it is.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::structure::{Body, Structure};

use crate::config::broken::Broken;
use crate::config::parse::parser::{parse_body, parse_scanned};
use crate::config::parse::split::{Fault, Piece, Split, bytes, split};
use crate::config::parse::syntax::{self, Mistake};
use crate::source::foreign_byte;
use crate::token::{Token, TokenKind, scan};

/// A text as far as it can be read.
#[derive(Debug, Default)]
pub(crate) struct Text {
    pub(crate) body: Body,
    pub(crate) mistakes: Vec<Mistake>,
    /// The bytes that are not in the body.
    pub(crate) hidden: Vec<Range<usize>>,
    pub(super) lost: Vec<Lost>,
}

/// What a broken structure declares.
#[derive(Debug)]
pub(super) enum Lost {
    /// A block, by its type and its labels.
    Block(String, Vec<String>),
    /// The value of a variable, or an argument in no block.
    Argument(String),
    /// Nobody knows.
    Anything,
}

impl Text {
    /// Returns whether all of it could be read.
    pub(crate) fn is_whole(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// Notes which blocks are lost, so that nobody is told that they do not exist.
    pub(super) fn note_blocks(&self, broken: &mut Broken) {
        for lost in &self.lost {
            match lost {
                Lost::Block(ident, labels) => {
                    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
                    broken.block(ident, &labels);
                }
                Lost::Argument(_) => {}
                Lost::Anything => broken.anything(),
            }
        }
    }

    /// Notes which values of variables are lost.
    pub(super) fn note_values(&self, broken: &mut Broken) {
        for lost in &self.lost {
            match lost {
                Lost::Argument(name) | Lost::Block(name, _) if !name.is_empty() => {
                    broken.value(Some(name));
                }
                _ => broken.value(None),
            }
        }
    }
}

/// Reads a text.
pub(crate) fn read(text: &str) -> Text {
    let tokens = scan(text);
    let text = &without_empty_heredocs(text, &tokens);
    let foreign = foreign_bytes(text);
    match parse_scanned(text, &tokens) {
        Ok(body) if foreign.is_empty() => without_faults(text, body, &tokens),
        _ => recover(text, &foreign),
    }
}

/// Takes out of a text what the parser takes and HCL does not.
fn without_faults(text: &str, body: Body, tokens: &[Token]) -> Text {
    let faulty: Vec<usize> = (0..tokens.len()).filter(|at| tokens[*at].is_faulty()).collect();
    let Some(first) = faulty.first() else {
        return Text { body, ..Text::default() };
    };
    let mut found = Text::default();
    for structure in body {
        let range = structure.span().unwrap_or_default();
        let is_in = |at: &&usize| range.contains(&tokens[**at].range.start);
        let Some(token) = faulty.iter().find(is_in) else {
            found.body.push(structure);
            continue;
        };
        found.mistakes.push(syntax::faulty(text, tokens, *token));
        found.lost.push(match &structure {
            Structure::Attribute(it) => Lost::Argument(it.key.to_string()),
            Structure::Block(it) => {
                let labels = it.labels.iter().map(|label| label.as_str().to_owned());
                Lost::Block(it.ident.to_string(), labels.collect())
            }
        });
        found.hidden.push(range);
    }
    if found.is_whole() {
        found.mistakes.push(syntax::faulty(text, tokens, *first));
        found.lost.push(Lost::Anything);
    }
    found
}

/// Writes a heredoc without a line as `""`, with blanks so that every place stays where it is: the parser takes its end
/// for its first line, and reads on to the end of the next heredoc.
pub(super) fn without_empty_heredocs<'t>(text: &'t str, tokens: &[Token]) -> Cow<'t, str> {
    let mut written = Cow::Borrowed(text);
    for pair in tokens.windows(2) {
        if let [TokenKind::HeredocOpen, TokenKind::HeredocClose] = [pair[0].kind, pair[1].kind] {
            let range = pair[0].range.start..pair[1].range.end;
            let blanks = format!("{:1$}", "\"\"", range.len());
            written.to_mut().replace_range(range, &blanks);
        }
    }
    written
}

/// Finds what is there instead of bytes that are no text.
fn foreign_bytes(text: &str) -> Vec<usize> {
    // All of them start with this byte, and little else does.
    let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == 0xf4).map(|(at, _)| at);
    let is_foreign = |at: &usize| text[*at..].chars().next().and_then(foreign_byte).is_some();
    starts.filter(is_foreign).collect()
}

fn recover(text: &str, foreign: &[usize]) -> Text {
    let mut found = Text::default();
    found.mistakes.extend(syntax::not_text(text, foreign));
    if text.starts_with(['\u{10ffff}', '\u{10fffe}']) {
        // UTF-16 has nothing that could be read.
        found.lost.push(Lost::Anything);
        return found;
    }
    let Split { tokens, pieces } = split(text);
    let mut arguments = HashSet::new();
    for piece in &pieces {
        let range = bytes(&tokens, &piece.tokens);
        let has_foreign = foreign.partition_point(|at| *at < range.start)
            < foreign.partition_point(|at| *at < range.end);
        let mistake = match parse_body(&text[range.clone()]) {
            _ if has_foreign => None,
            Err(error) => syntax::explain(text, &tokens, piece, &error),
            Ok(body) => {
                match body.attributes().find(|it| !arguments.insert(it.key.as_str().to_owned())) {
                    Some(twice) => Some(syntax::given_twice(twice.key.as_str(), range.clone())),
                    None => continue,
                }
            }
        };
        found.mistakes.extend(mistake);
        lose(text, &tokens, piece, &mut found.lost);
        found.hidden.push(range);
    }
    match parse_body(&blanked(text, &found.hidden)) {
        Ok(body) => found.body = body,
        Err(error) => {
            // No piece alone is wrong, so this is not reached; but nothing may be lost without a word.
            let whole = Piece::whole(&tokens);
            found.mistakes.extend(syntax::explain(text, &tokens, &whole, &error));
            found.lost.push(Lost::Anything);
        }
    }
    found
}

/// Puts blanks in place of some bytes, but leaves the ends of lines.
fn blanked(text: &str, hidden: &[Range<usize>]) -> String {
    let mut blanked = String::with_capacity(text.len());
    let mut at = 0;
    for range in hidden {
        blanked += &text[at..range.start];
        let blanks = text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' });
        blanked.extend(blanks);
        at = range.end;
    }
    blanked + &text[at..]
}

/// Reads the heads in a broken piece: what starts a line or follows a closing brace, outside of all brackets; or what
/// starts a line without indent, where the brackets are not to be trusted.
fn lose(text: &str, tokens: &[Token], piece: &Piece, lost: &mut Vec<Lost>) {
    if matches!(piece.fault, Some(Fault::Format(..))) {
        lost.push(Lost::Anything);
        return;
    }
    use TokenKind as T;
    let first = tokens[piece.tokens.start].kind;
    if !matches!(first, T::Identifier | T::QuoteOpen | T::BraceClose | T::Operator) {
        lost.push(Lost::Anything);
    }
    let (mut depth, mut is_start) = (0_usize, true);
    for at in piece.tokens.clone() {
        let token = &tokens[at];
        let starts_line = token.range.start == 0 || text.as_bytes()[token.range.start - 1] == b'\n';
        match token.kind {
            T::Identifier
                if depth == 0 && is_start || starts_line && depth > 0 && piece.fault.is_some() =>
            {
                lost.extend(head(text, tokens, at, piece));
            }
            T::QuoteOpen if depth == 0 && at == piece.tokens.start => {
                lost.push(Lost::Block(String::new(), labels(text, tokens, at, piece)));
            }
            T::BlockComment if !token.is_closed => lost.push(Lost::Anything),
            T::BraceOpen | T::BracketOpen | T::ParenthesisOpen => depth += 1,
            T::BraceClose | T::BracketClose | T::ParenthesisClose => {
                depth = depth.saturating_sub(1)
            }
            _ => {}
        }
        is_start = match token.kind {
            T::Newline | T::BraceClose => true,
            T::Blank | T::BlockComment => is_start,
            _ => false,
        };
    }
}

/// Reads the head that starts at a token.
fn head(text: &str, tokens: &[Token], at: usize, piece: &Piece) -> Option<Lost> {
    let ident = tokens[at].text(text).to_owned();
    let next = tokens[at + 1..piece.tokens.end].iter().find(|it| it.kind != TokenKind::Blank);
    match next.map(|it| it.kind) {
        Some(TokenKind::Equal | TokenKind::Colon) => Some(Lost::Argument(ident)),
        _ => Some(Lost::Block(ident, labels(text, tokens, at + 1, piece))),
    }
}

/// Reads the labels that follow, quoted or not.
fn labels(text: &str, tokens: &[Token], from: usize, piece: &Piece) -> Vec<String> {
    use TokenKind as T;
    let of_head = tokens[from..piece.tokens.end].iter().take_while(|it| {
        matches!(it.kind, T::Blank | T::Identifier | T::QuoteOpen | T::Text | T::QuoteClose)
    });
    let names = of_head.filter(|it| matches!(it.kind, T::Identifier | T::Text));
    // What a missing quote swallows is no part of the name.
    let name =
        |it: &Token| it.text(text).split(['"', ' ', '{']).next().unwrap_or_default().to_owned();
    names.map(name).filter(|name| !name.is_empty()).collect()
}
