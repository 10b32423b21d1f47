//! Lines, how far in they stand, and what stands under each other in them.

use unicode_segmentation::UnicodeSegmentation as _;

use crate::format::{space, text_of};
use crate::token::{Token, TokenKind};

/// A line whose left part is wider than this stands alone, so that one line cannot make all others as wide.
const WIDEST: usize = 1000;

/// A token that is no blank, and how many spaces go before it.
pub(super) struct Piece<'t> {
    pub(super) kind: TokenKind,
    pub(super) text: &'t str,
    /// Whether it is a number that follows a dot.
    pub(super) is_index: bool,
    /// Whether it is the `in` or `if` of a `for` or a template.
    pub(super) is_keyword: bool,
    /// Whether it is a minus before a value, and not between two.
    pub(super) is_sign: bool,
    spaces: usize,
}

impl Piece<'_> {
    /// Returns how many more brackets are open after it.
    pub(super) fn nesting(&self) -> isize {
        use TokenKind::{
            BraceClose, BraceOpen, BracketClose, BracketOpen, ParenthesisClose, ParenthesisOpen,
            TemplateClose, TemplateOpen,
        };
        match self.kind {
            BraceOpen | BracketOpen | ParenthesisOpen | TemplateOpen => 1,
            BraceClose | BracketClose | ParenthesisClose | TemplateClose => -1,
            _ => 0,
        }
    }

    /// Returns whether a value may end with it.
    fn ends_value(&self) -> bool {
        use TokenKind::{HeredocClose, Identifier, Number, QuoteClose};
        match self.kind {
            Identifier => !self.is_keyword,
            Number | QuoteClose | HeredocClose => true,
            _ => self.nesting() < 0,
        }
    }
}

/// Pieces up to a line end. A heredoc is one line with what is before it.
struct Line<'t> {
    pieces: Vec<Piece<'t>>,
    /// The index of the `=` of an argument whose value ends in this line.
    assignment: Option<usize>,
    /// The index of the comment after something else.
    comment: Option<usize>,
    /// As it is; empty at the end of the text.
    newline: &'t str,
}

pub(super) fn lay_out(text: &str, tokens: &[Token]) -> String {
    let mut lines = lines(text, tokens);
    indent(&mut lines);
    for line in &mut lines {
        for at in 1..line.pieces.len() {
            line.pieces[at].spaces =
                space::is_between(&line.pieces[at - 1], &line.pieces[at]).into();
        }
    }
    align(&mut lines, |line| line.assignment);
    align(&mut lines, |line| line.comment);
    while lines.last().is_some_and(|line| line.pieces.is_empty()) {
        lines.pop();
    }
    // A line end would become a part of what is never closed.
    if tokens.iter().all(|token| token.is_closed)
        && let Some(last) = lines.last_mut()
    {
        let newline = tokens.iter().find(|token| token.kind == TokenKind::Newline);
        last.newline = newline.map_or("\n", |newline| newline.text(text));
    }
    written(&lines, text.len())
}

fn lines<'t>(text: &'t str, tokens: &[Token]) -> Vec<Line<'t>> {
    let mut lines = Vec::new();
    let mut pieces: Vec<Piece> = Vec::new();
    let (mut is_after_value, mut last) = (false, None);
    for token in tokens {
        match token.kind {
            TokenKind::Blank => continue,
            TokenKind::Newline => {
                lines.push(Line::new(std::mem::take(&mut pieces), token.text(text)));
                continue;
            }
            _ => {}
        }
        let word = text_of(token, text);
        let is_in_or_if = token.kind == TokenKind::Identifier && matches!(word, "in" | "if");
        let piece = Piece {
            kind: token.kind,
            text: word,
            is_index: last == Some(TokenKind::Dot),
            is_keyword: is_in_or_if && (is_after_value || last == Some(TokenKind::TemplateOpen)),
            is_sign: !is_after_value,
            spaces: 0,
        };
        if !token.is_trivia() {
            is_after_value = piece.ends_value();
            last = Some(token.kind);
        }
        pieces.push(piece);
    }
    lines.push(Line::new(pieces, ""));
    lines
}

impl<'t> Line<'t> {
    fn new(pieces: Vec<Piece<'t>>, newline: &'t str) -> Self {
        let is = |at: usize, kind| pieces.get(at).is_some_and(|piece: &Piece| piece.kind == kind);
        let last = pieces.len().saturating_sub(1);
        // What a heredoc ends with is not as wide as it is long.
        let is_beside = is(last, TokenKind::LineComment) && last > 0;
        let comment = (is_beside && !is(last - 1, TokenKind::HeredocClose)).then_some(last);
        let equal = pieces.iter().skip(1).position(|piece| piece.kind == TokenKind::Equal);
        let is_whole = |&at: &usize| nesting(&pieces[at..]) == 0;
        let assignment = equal.map(|at| at + 1).filter(is_whole);
        Self { pieces, assignment, comment, newline }
    }
}

/// Sets how far in each line stands: two spaces for each line before it that left brackets open, however many.
fn indent(lines: &mut [Line]) {
    // How many brackets each of those lines left open.
    let mut open: Vec<usize> = Vec::new();
    for line in lines {
        let nesting = nesting(&line.pieces);
        let mut closed = nesting.min(0).unsigned_abs();
        while let Some(last) = open.last_mut().filter(|_| closed > 0) {
            let together = closed.min(*last);
            *last -= together;
            closed -= together;
            if *last == 0 {
                open.pop();
            }
        }
        if let Some(first) = line.pieces.first_mut() {
            first.spaces = 2 * open.len();
        }
        if nesting > 0 {
            open.push(nesting.unsigned_abs());
        }
    }
}

/// Puts a piece of each line under those of the lines around it that have it too.
fn align(lines: &mut [Line], place: impl Fn(&Line) -> Option<usize>) {
    for run in lines.chunk_by_mut(|a, b| place(a).is_some() == place(b).is_some()) {
        let width = |line: &Line| Some(width(&line.pieces[..place(line)?]));
        let widest = run.iter().filter_map(width).filter(|width| *width <= WIDEST).max();
        for line in run {
            if let (Some(at), Some(width)) = (place(line), width(line)) {
                line.pieces[at].spaces = widest.unwrap_or(0).saturating_sub(width) + 1;
            }
        }
    }
}

fn nesting(pieces: &[Piece]) -> isize {
    pieces.iter().map(Piece::nesting).sum()
}

/// Returns how many columns pieces take, where a letter with its accents, or a flag, is one column.
fn width(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| piece.spaces + piece.text.graphemes(true).count()).sum()
}

fn written(lines: &[Line], length: usize) -> String {
    let mut text = String::with_capacity(length + length / 8);
    for line in lines {
        for piece in &line.pieces {
            text.extend(std::iter::repeat_n(' ', piece.spaces));
            text += piece.text;
        }
        text += line.newline;
    }
    text
}
