//! HCL's native syntax as tokens: what `fmt` lays out anew, and what is left of a file that cannot be parsed.
//!
//! Every byte of a text is in exactly one token, blanks and line ends included, so that the tokens joined are the text.
//! Any text has tokens; what is never closed says so. This is no parser: which tokens may follow each other is
//! hcl-edit's business, and where a text in quotes or a heredoc ends is where hcl-edit lets it end, with two exceptions:
//! as HCL has it, a text in quotes ends with its line, and a heredoc may end before its first line.

mod scanner;

use std::ops::Range;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its bytes.
    pub range: Range<usize>,
    /// False for a quote, a heredoc, a template sequence or a comment that opens and is never closed, and for the end of
    /// a text in which a directive, such as `%{ if a }`, has none.
    pub is_closed: bool,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Spaces, tabs, lone carriage returns; a byte order mark at the start of the text.
    Blank,
    /// `\n` or `\r\n`, outside of texts and comments.
    Newline,
    /// `# …` or `// …`, without its line end.
    LineComment,
    /// `/* … */`.
    BlockComment,
    /// A name or keyword.
    Identifier,
    /// Digits with fraction and exponent, without a sign; after a dot digits only, because that is an index.
    Number,
    /// The `"` before a text.
    QuoteOpen,
    /// The `"` after a text.
    QuoteClose,
    /// `<<EOT` or `<<-EOT` with its line end.
    HeredocOpen,
    /// `EOT` with the blanks before it.
    HeredocClose,
    /// What stands in quotes or in a heredoc as it is, escapes included: all of it up to the next sequence or the end.
    Text,
    /// `${`, `%{`, `${~` or `%{~`.
    TemplateOpen,
    /// `}` or `~}` after such a sequence.
    TemplateClose,
    /// `{`
    BraceOpen,
    /// `}`
    BraceClose,
    /// `[`
    BracketOpen,
    /// `]`
    BracketClose,
    /// `(`
    ParenthesisOpen,
    /// `)`
    ParenthesisClose,
    /// `,`
    Comma,
    /// `.`
    Dot,
    /// `...`
    Ellipsis,
    /// `:`
    Colon,
    /// `::`
    DoubleColon,
    /// `?`
    Question,
    /// `=`
    Equal,
    /// `=>`
    Arrow,
    /// `-`
    Minus,
    /// `!`
    Bang,
    /// `+ * / %`, `== != < > <= >=`, `&&` and `||`.
    Operator,
    /// A character that HCL has no use for, or a name that is no directive where one has to be, as in `%{ iff a }`.
    Invalid,
}

/// Takes a text apart, in time that grows with its length only.
pub fn scan(text: &str) -> Vec<Token> {
    scanner::scan(text)
}

impl Token {
    /// Returns its part of the text that was scanned.
    pub fn text<'t>(&self, text: &'t str) -> &'t str {
        &text[self.range.clone()]
    }

    /// Returns whether it has no meaning: blanks, line ends and comments.
    pub fn is_trivia(&self) -> bool {
        use TokenKind::{Blank, BlockComment, LineComment, Newline};
        matches!(self.kind, Blank | Newline | LineComment | BlockComment)
    }

    /// Returns whether a text with it cannot be right.
    pub fn is_faulty(&self) -> bool {
        self.kind == TokenKind::Invalid || !self.is_closed
    }
}

#[cfg(test)]
pub(crate) mod tests;
