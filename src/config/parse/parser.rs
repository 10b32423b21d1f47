//! The one door to the parser of HCL, and what may not go through it.
//!
//! hcl-edit reads an operand that is broken once more when two operators stand before it, so that a mistake inside of
//! many brackets that each follow two operators would be read until the end of days. Before a text is parsed, its tokens
//! are counted as often as they could be read.

use hcl_edit::expr::{Expression, Traversal};
use hcl_edit::parser;
use hcl_edit::structure::Body;
use hcl_edit::template::Template;
use hcl_edit::visit_mut::{VisitMut, visit_traversal_mut};

use crate::token::{Token, TokenKind, scan};

/// Why a text cannot be parsed.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    /// Where, in bytes from the start of the text.
    pub(crate) offset: usize,
    pub(super) message: String,
}

/// What is said of a text that would take too long.
pub(super) const TOO_LONG: &str = "too many brackets behind operators";

pub(crate) fn parse_body(text: &str) -> Result<Body, SyntaxError> {
    parse_scanned(text, &scan(text))
}

/// Parses a text whose tokens are known.
pub(super) fn parse_scanned(text: &str, tokens: &[Token]) -> Result<Body, SyntaxError> {
    refuse_repeated(tokens, 0)?;
    let mut body = parser::parse_body(text)?;
    Shrink.visit_body_mut(&mut body);
    Ok(body)
}

pub(crate) fn parse_expression(text: &str) -> Result<Expression, SyntaxError> {
    refuse_repeated(&scan(text), 0)?;
    Ok(parser::parse_expr(text)?)
}

/// Parses what stands in a file of its own, as if it stood in quotes.
pub(crate) fn parse_template(text: &str) -> Result<Template, SyntaxError> {
    // The text has nothing as long, so that all of it is in the heredoc.
    let opener = format!("<<{}\n", "_".repeat(text.len() + 1));
    refuse_repeated(&scan(&(opener.clone() + text)), opener.len())?;
    Ok(parser::parse_template(text)?)
}

impl From<parser::Error> for SyntaxError {
    fn from(error: parser::Error) -> Self {
        Self { offset: error.location().offset(), message: error.message().to_owned() }
    }
}

/// Refuses tokens that could be read much more often than once each. The first bytes of the text are not the user's.
fn refuse_repeated(tokens: &[Token], prefix: usize) -> Result<(), SyntaxError> {
    const FACTOR: u64 = 16;
    const FEW: u64 = 1 << 18;
    let limit = FACTOR * tokens.len() as u64 + FEW;
    let mut open = Open { all: vec![Level::default()], floor: 1, last: None };
    let mut reads = 0_u64;
    for token in tokens.iter().filter(|it| it.kind != TokenKind::Blank) {
        reads += 1 << open.level().repeats.min(40);
        if reads > limit {
            let offset = token.range.start.saturating_sub(prefix);
            return Err(SyntaxError { offset, message: TOO_LONG.to_owned() });
        }
        open.pass(token);
    }
    Ok(())
}

/// What is open around a token, from the outside.
struct Open {
    all: Vec<Level>,
    /// How many of them nothing closes any more: where a text in quotes ends with its line, hcl-edit reads on.
    floor: usize,
    /// What stood before, comments left out.
    last: Option<TokenKind>,
}

#[derive(Clone, Copy, Default)]
struct Level {
    /// How often what stands here is read twice.
    repeats: u32,
    /// How many operators stand before, in the same expression.
    operators: u32,
}

impl Open {
    fn level(&self) -> Level {
        self.all.last().copied().unwrap_or_default()
    }

    fn pass(&mut self, token: &Token) {
        use TokenKind as T;
        let Some(level) = self.all.last_mut() else { return };
        match token.kind {
            T::Blank | T::LineComment | T::BlockComment => return,
            T::Comma | T::Equal | T::Arrow | T::Colon | T::Question => level.operators = 0,
            T::Operator | T::Minus => level.operators += 1,
            // After a line's end it starts another argument, unless an operator waits for it.
            T::Identifier if self.last == Some(T::Newline) => level.operators = 0,
            T::Newline if matches!(self.last, Some(T::Operator | T::Minus | T::Bang)) => return,
            T::BraceOpen
            | T::BracketOpen
            | T::ParenthesisOpen
            | T::QuoteOpen
            | T::HeredocOpen
            | T::TemplateOpen => {
                let repeats = level.repeats + u32::from(level.operators > 1);
                self.all.push(Level { repeats, operators: 0 });
                if !token.is_closed {
                    self.floor = self.all.len();
                }
            }
            T::BraceClose
            | T::BracketClose
            | T::ParenthesisClose
            | T::QuoteClose
            | T::HeredocClose
            | T::TemplateClose => self.all.truncate((self.all.len() - 1).max(self.floor)),
            _ => {}
        }
        self.last = Some(token.kind);
    }
}

/// Gives back the room for operators that a reference does not have: three of four that the parser makes room for,
/// and a fifth of all memory that a large configuration takes.
struct Shrink;

impl VisitMut for Shrink {
    fn visit_traversal_mut(&mut self, traversal: &mut Traversal) {
        traversal.operators.shrink_to_fit();
        visit_traversal_mut(self, traversal);
    }
}
