//! The place at which a parser stopped, and what stands around it.

use std::ops::Range;

use crate::token::{Token, TokenKind};

/// A place in a text.
pub(super) struct Place<'t> {
    pub(super) text: &'t str,
    pub(super) tokens: &'t [Token],
    /// The tokens of the piece.
    piece: Range<usize>,
    /// The token that is wrong, which may be the end of a line, or the end of the piece.
    at: usize,
    /// The brackets around it.
    open: Vec<usize>,
    offset: usize,
}

impl<'t> Place<'t> {
    pub(super) fn find(
        text: &'t str,
        tokens: &'t [Token],
        piece: Range<usize>,
        offset: usize,
    ) -> Self {
        let inside = &tokens[piece.clone()];
        let mut at = piece.start + inside.partition_point(|it| it.range.end <= offset);
        let is_skipped = |it: &Token| it.is_trivia() && it.kind != TokenKind::Newline;
        while at < piece.end && is_skipped(&tokens[at]) {
            at += 1;
        }
        let open = open_at(tokens, piece.start..at);
        Self { text, tokens, piece, at, open, offset }
    }

    /// Returns the wrong token; none at the end.
    pub(super) fn here(&self) -> Option<&'t Token> {
        self.tokens[..self.piece.end].get(self.at)
    }

    /// Returns what is to be shown of it.
    pub(super) fn range(&self) -> Range<usize> {
        match self.here() {
            Some(token) if token.kind == TokenKind::Newline => token.range.start..token.range.start,
            Some(token) if token.kind == TokenKind::QuoteOpen => self.quoted(self.at),
            Some(token) => token.range.clone(),
            None => {
                let end = self.piece.end.checked_sub(1).map_or(0, |it| self.tokens[it].range.end);
                end..end
            }
        }
    }

    pub(super) fn word(&self) -> &'t str {
        self.here().map_or("", |it| it.text(self.text))
    }

    /// Returns whether a token is the wrong one.
    pub(super) fn is_at(&self, token: usize) -> bool {
        self.at == token
    }

    pub(super) fn previous_kind(&self) -> Option<TokenKind> {
        self.previous().map(|it| it.kind)
    }

    /// Returns whether a condition starts on its line.
    pub(super) fn has_question(&self) -> bool {
        let before = self.tokens[self.piece.start..self.at].iter().rev();
        let mut line = before.take_while(|it| it.kind != TokenKind::Newline);
        line.any(|it| it.kind == TokenKind::Question)
    }

    /// Returns the token before it on its line.
    fn previous(&self) -> Option<&'t Token> {
        let before = self.tokens[self.piece.start..self.at].iter().rev();
        before.take_while(|it| it.kind != TokenKind::Newline).find(|it| !it.is_trivia())
    }

    pub(super) fn before(&self) -> Option<Range<usize>> {
        self.previous().map(|it| it.range.clone())
    }

    /// Returns the kind of what follows it.
    pub(super) fn after_here(&self) -> Option<TokenKind> {
        let rest = self.tokens.get(self.at + 1..self.piece.end)?;
        rest.iter().find(|it| it.kind != TokenKind::Blank).map(|it| it.kind)
    }

    /// Returns the kind of the innermost bracket around it.
    pub(super) fn around(&self) -> Option<TokenKind> {
        self.open.last().map(|it| self.tokens[*it].kind)
    }

    /// Returns whether it stands in no block.
    pub(super) fn is_top(&self) -> bool {
        self.open.is_empty()
    }

    /// Returns a text with its quotes.
    pub(super) fn quoted(&self, opener: usize) -> Range<usize> {
        let start = self.tokens[opener].range.start;
        let rest = self.tokens[opener..self.piece.end].iter();
        let mut rest = rest.take_while(|it| it.kind != TokenKind::Newline);
        let close = rest.find(|it| it.kind == TokenKind::QuoteClose);
        start..close.unwrap_or(&self.tokens[opener]).range.end
    }

    /// Returns where an argument of the same name stands before it in the same block.
    pub(super) fn first_of_same_name(&self) -> Option<Range<usize>> {
        let name = self.word();
        let (mut depth, mut first) = (0_usize, None);
        let mut previous = TokenKind::Newline;
        for token in self.tokens[self.piece.start..self.at]
            .iter()
            .rev()
            .filter(|it| it.kind != TokenKind::Blank)
        {
            use TokenKind as T;
            match token.kind {
                T::BraceClose | T::BracketClose | T::ParenthesisClose | T::TemplateClose => {
                    depth += 1
                }
                T::BraceOpen | T::BracketOpen | T::ParenthesisOpen | T::TemplateOpen => {
                    match depth.checked_sub(1) {
                        Some(less) => depth = less,
                        None => break,
                    }
                }
                T::Identifier
                    if depth == 0 && previous == T::Equal && token.text(self.text) == name =>
                {
                    first = Some(token.range.clone());
                }
                _ => {}
            }
            previous = token.kind;
        }
        first
    }

    /// Returns the backslash before it, and what it escapes.
    pub(super) fn escape(&self) -> Range<usize> {
        let end = self.offset.min(self.text.len());
        let before = &self.text.as_bytes()[..end];
        // The parser stops one or a few characters behind it.
        let near = before.iter().rev().take(12).position(|byte| *byte == b'\\');
        let start = near.map_or(end, |n| end - n - 1);
        let start = self.text.floor_char_boundary(start);
        let mut chars = self.text[start..].char_indices().skip(2);
        start..chars.next().map_or(self.text.len(), |(at, _)| start + at)
    }

    /// Returns the number at or right before it, if it is one that nothing can hold.
    pub(super) fn huge_number(&self) -> Option<Range<usize>> {
        let candidates = [self.here(), self.previous()];
        let numbers = candidates.into_iter().flatten().filter(|it| it.kind == TokenKind::Number);
        let mut huge = numbers.filter(|it| it.text(self.text).parse().is_ok_and(f64::is_infinite));
        huge.next().map(|it| it.range.clone())
    }

    /// Returns the tokens of its line that mean something, if the line is one of a block or of the top level.
    pub(super) fn line_of_structure(&self) -> Option<Vec<usize>> {
        let is_structure = match self.open.last() {
            None => true,
            Some(opener) => self.is_block_brace(*opener),
        };
        if !is_structure {
            return None;
        }
        let is_newline = |it: &usize| self.tokens[*it].kind == TokenKind::Newline;
        let start = (self.piece.start..self.at)
            .rev()
            .find(is_newline)
            .map_or(self.piece.start, |it| it + 1);
        let start = match self.open.last() {
            Some(opener) if *opener >= start => opener + 1,
            _ => start,
        };
        let end = (self.at..self.piece.end).find(is_newline).unwrap_or(self.piece.end);
        Some((start..end).filter(|it| !self.tokens[*it].is_trivia()).collect())
    }

    /// Returns whether a brace opens the body of a block rather than an object.
    fn is_block_brace(&self, opener: usize) -> bool {
        let before = self.tokens[self.piece.start..opener].iter().rev();
        let before = before.into_iter().find(|it| !it.is_trivia()).map(|it| it.kind);
        self.tokens[opener].kind == TokenKind::BraceOpen
            && matches!(before, Some(TokenKind::Identifier | TokenKind::QuoteClose))
    }

    /// Returns the brace of the block around it, if that stands on its line with something behind it.
    pub(super) fn brace_on_this_line(&self) -> Option<usize> {
        let opener = *self.open.last()?;
        let between = &self.tokens[opener..self.at];
        let is_same = !between.iter().any(|it| it.kind == TokenKind::Newline);
        (is_same && self.is_block_brace(opener)).then_some(opener)
    }

    pub(super) fn first_after(&self, token: usize) -> Option<Range<usize>> {
        let rest = &self.tokens[token + 1..self.piece.end];
        let first =
            rest.iter().take_while(|it| it.kind != TokenKind::Newline).find(|it| !it.is_trivia());
        first.map(|it| it.range.clone())
    }

    /// Returns the opening brace that the next line starts with.
    pub(super) fn next_brace(&self) -> Option<Range<usize>> {
        let next = self.tokens[self.at..self.piece.end].iter().find(|it| !it.is_trivia())?;
        (next.kind == TokenKind::BraceOpen).then(|| next.range.clone())
    }

    /// Returns whether a value may end right before it.
    pub(super) fn ends_value_before(&self) -> bool {
        use TokenKind as T;
        let before = self.tokens[self.piece.start..self.at].iter().rev().find(|it| !it.is_trivia());
        before.is_some_and(|it| {
            matches!(
                it.kind,
                T::Identifier
                    | T::Number
                    | T::QuoteClose
                    | T::BraceClose
                    | T::BracketClose
                    | T::ParenthesisClose
            )
        })
    }

    /// Returns whether a value starts with it.
    pub(super) fn starts_value_here(&self) -> bool {
        use TokenKind as T;
        self.here().is_some_and(|it| {
            matches!(
                it.kind,
                T::Identifier
                    | T::Number
                    | T::QuoteOpen
                    | T::BraceOpen
                    | T::BracketOpen
                    | T::ParenthesisOpen
            )
        })
    }

    /// Returns the operator right before it, if it has no right side.
    pub(super) fn operator_before(&self) -> Option<Range<usize>> {
        let before = self.previous()?;
        let is_end = match self.here().map(|it| it.kind) {
            None => true,
            Some(kind) => matches!(
                kind,
                TokenKind::Newline
                    | TokenKind::Comma
                    | TokenKind::BraceClose
                    | TokenKind::BracketClose
                    | TokenKind::ParenthesisClose
                    | TokenKind::TemplateClose
            ),
        };
        let is_operator =
            matches!(before.kind, TokenKind::Operator | TokenKind::Minus | TokenKind::Bang);
        (is_end && is_operator).then(|| before.range.clone())
    }

    /// Returns whether there is a text in quotes among some tokens.
    pub(super) fn has_quotes(&self, tokens: &[usize]) -> bool {
        tokens.iter().any(|it| self.tokens[*it].kind == TokenKind::QuoteOpen)
    }
}

/// Returns the brackets that some tokens leave open.
fn open_at(tokens: &[Token], range: Range<usize>) -> Vec<usize> {
    use TokenKind as T;
    let mut open = Vec::new();
    for at in range {
        match tokens[at].kind {
            T::BraceOpen | T::BracketOpen | T::ParenthesisOpen | T::TemplateOpen => open.push(at),
            T::BraceClose | T::BracketClose | T::ParenthesisClose | T::TemplateClose => {
                open.pop();
            }
            _ => {}
        }
    }
    open
}
