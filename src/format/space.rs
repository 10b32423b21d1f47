//! Whether a space stands between two tokens of a line.

use crate::format::layout::Piece;
use crate::token::TokenKind;

/// Returns whether a space stands between two pieces that follow each other in a line. The first rule that knows decides.
pub(super) fn is_between(first: &Piece, second: &Piece) -> bool {
    use TokenKind::{
        Bang, BraceClose, BraceOpen, BracketOpen, Comma, Dot, DoubleColon, Ellipsis, HeredocClose,
        HeredocOpen, Identifier, Minus, Number, ParenthesisOpen, QuoteClose, QuoteOpen,
        TemplateClose, TemplateOpen, Text,
    };
    match (first.kind, second.kind) {
        _ if would_merge(first, second) => true,
        (Identifier, ParenthesisOpen | BracketOpen) => first.is_keyword,
        (Identifier, DoubleColon) | (DoubleColon, Identifier) => false,
        (Dot, _) | (_, Dot | Comma | Ellipsis) => false,
        (Comma, _) => true,
        (Text | QuoteOpen | HeredocOpen, _) | (_, Text | QuoteClose | HeredocClose) => false,
        (Number, BracketOpen) => false,
        (_, BracketOpen) if first.nesting() < 0 => false,
        (Bang, _) => false,
        (Minus, _) => !first.is_sign,
        (BraceOpen, BraceClose) => false,
        (BraceOpen, _) | (_, BraceClose) => true,
        (TemplateOpen, BraceOpen) | (BraceClose, TemplateClose) => true,
        (TemplateClose, TemplateOpen) => false,
        _ => first.nesting() <= 0 && second.nesting() >= 0,
    }
}

/// Returns whether two pieces without a space between them would be other tokens.
fn would_merge(first: &Piece, second: &Piece) -> bool {
    use TokenKind::{Bang, Dot, Ellipsis, Invalid, Number, TemplateOpen};
    match (first.kind, second.kind) {
        // It could become anything.
        (Invalid, _) | (_, Invalid) => true,
        (Dot, Dot | Ellipsis) => true,
        (Number, Dot) => !first.is_index,
        (Bang, _) => second.text.starts_with('='),
        (TemplateOpen, _) => second.text.starts_with('~'),
        _ => false,
    }
}
