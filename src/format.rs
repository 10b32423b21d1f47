//! HCL laid out as `terraform fmt` lays it out: text in, text out.
//!
//! Only blanks between tokens change. No parsed tree is printed, because hcl-edit's printer drops comments and can change
//! what a text means; and unlike `terraform fmt` nothing is rewritten, such as `"${x}"` to `x`. That the tokens are the
//! same afterwards is looked at in every run. What differs from Terraform's layout on purpose:
//!
//! * A file ends with one line end. Blanks at the end of a comment go.
//! * A minus is a sign or an operator by what stands before it, also on another line and after `${` or `=>`.
//! * `in` and `if` of a `for` are no functions: `in (x)`.
//! * A template sequence that spans lines in a heredoc does not shift what follows the heredoc.
//!
//! As there, each line keeps its line end, `\n` or `\r\n`; several blank lines stay; texts, heredocs and comments stay as
//! they are; and a byte order mark goes.

mod layout;
mod space;

use crate::token::{Token, TokenKind, scan};

/// The layout came out wrong: more than blanks would have changed. A bug of this module, never of the text.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("more than blanks would change")]
pub struct NotTheSame;

/// Lays a text out.
///
/// # Errors
/// When the result would not have the same tokens.
pub fn formatted(text: &str) -> Result<String, NotTheSame> {
    let tokens = scan(text);
    let mut formatted = layout::lay_out(text, &tokens);
    // One that stood behind a blank was a character like others, and would be a byte order mark now.
    if formatted.starts_with('\u{feff}') {
        formatted.insert(0, ' ');
    }
    let is_same = meaning(text, &tokens).eq(meaning(&formatted, &scan(&formatted)));
    if is_same { Ok(formatted) } else { Err(NotTheSame) }
}

/// Returns everything but blanks, and but the line ends at the end of the text.
fn meaning<'t>(text: &'t str, tokens: &[Token]) -> impl Iterator<Item = (TokenKind, &'t str)> {
    let is_blank = |token: &Token| matches!(token.kind, TokenKind::Blank | TokenKind::Newline);
    let end = tokens.iter().rposition(|token| !is_blank(token)).map_or(0, |last| last + 1);
    let tokens = tokens[..end].iter().filter(|token| token.kind != TokenKind::Blank);
    tokens.map(|token| (token.kind, text_of(token, text)))
}

/// Returns a token as it is written: a comment without the blanks at its end.
fn text_of<'t>(token: &Token, text: &'t str) -> &'t str {
    match token.kind {
        TokenKind::LineComment => token.text(text).trim_end_matches([' ', '\t', '\r']),
        _ => token.text(text),
    }
}

#[cfg(test)]
mod tests;
