//! One pass over a text, with a stack of what is open: never deeper than the heap.

use unicode_ident::{is_xid_continue, is_xid_start};

use crate::token::{Token, TokenKind};

/// What a text is made of besides names, numbers, texts and comments. A longer one stands before what it starts with.
const SYMBOLS: &[(&str, TokenKind)] = &[
    ("...", TokenKind::Ellipsis),
    ("=>", TokenKind::Arrow),
    ("==", TokenKind::Operator),
    ("!=", TokenKind::Operator),
    ("<=", TokenKind::Operator),
    (">=", TokenKind::Operator),
    ("&&", TokenKind::Operator),
    ("||", TokenKind::Operator),
    ("::", TokenKind::DoubleColon),
    ("{", TokenKind::BraceOpen),
    ("}", TokenKind::BraceClose),
    ("[", TokenKind::BracketOpen),
    ("]", TokenKind::BracketClose),
    ("(", TokenKind::ParenthesisOpen),
    (")", TokenKind::ParenthesisClose),
    (",", TokenKind::Comma),
    (".", TokenKind::Dot),
    (":", TokenKind::Colon),
    ("?", TokenKind::Question),
    ("=", TokenKind::Equal),
    ("-", TokenKind::Minus),
    ("!", TokenKind::Bang),
    ("+", TokenKind::Operator),
    ("*", TokenKind::Operator),
    ("/", TokenKind::Operator),
    ("%", TokenKind::Operator),
    ("<", TokenKind::Operator),
    (">", TokenKind::Operator),
];

pub(super) fn scan(text: &str) -> Vec<Token> {
    let mut scanner =
        Scanner { text, at: 0, tokens: Vec::new(), open: Vec::new(), is_index: false };
    if text.starts_with('\u{feff}') {
        scanner.push(TokenKind::Blank, '\u{feff}'.len_utf8());
    }
    while scanner.at < text.len() {
        match scanner.open.last() {
            Some(Open { inside: Inside::Quotes, .. }) => scanner.in_quotes(),
            Some(&Open { inside: Inside::Heredoc { marker }, .. }) => scanner.in_heredoc(marker),
            Some(Open { inside: Inside::Template { .. }, .. }) | None => scanner.in_code(),
        }
    }
    while scanner.leave_open() {}
    scanner.tokens
}

struct Scanner<'t> {
    text: &'t str,
    /// Where the next token starts.
    at: usize,
    tokens: Vec<Token>,
    open: Vec<Open<'t>>,
    /// Whether a dot was the last thing of a meaning, so that digits are an index: `a.0.1` has two.
    is_index: bool,
}

/// Something that is open, and the index of the token that opened it.
struct Open<'t> {
    inside: Inside<'t>,
    opener: usize,
    /// How many of the directives `%{ if }` and `%{ for }` in it have no end yet.
    directives: usize,
}

enum Inside<'t> {
    Quotes,
    Heredoc { marker: &'t str },
    // With how many `{` are open in it.
    Template { braces: usize },
}

impl<'t> Scanner<'t> {
    fn in_code(&mut self) {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        match bytes[0] {
            b' ' | b'\t' | b'\r' | b'\n' => self.blank_or_newline(),
            b'#' => self.push(TokenKind::LineComment, line_length(rest)),
            b'/' if bytes.get(1) == Some(&b'/') => {
                self.push(TokenKind::LineComment, line_length(rest));
            }
            b'/' if bytes.get(1) == Some(&b'*') => self.block_comment(),
            b'"' => self.enter(TokenKind::QuoteOpen, 1, Inside::Quotes),
            b'0'..=b'9' => self.push(TokenKind::Number, number_length(rest, self.is_index)),
            b'}' | b'~' if self.closes_template() => {}
            b'<' if self.opens_heredoc() => {}
            _ => self.name_or_symbol(),
        }
    }

    fn blank_or_newline(&mut self) {
        let rest = self.rest();
        if let Some(length) = newline_length(rest) {
            return self.push(TokenKind::Newline, length);
        }
        let is_blank = |it: &(usize, u8)| {
            matches!(it.1, b' ' | b'\t' | b'\r') && newline_length(&rest[it.0..]).is_none()
        };
        self.push(TokenKind::Blank, rest.bytes().enumerate().take_while(is_blank).count());
    }

    fn block_comment(&mut self) {
        let end = self.rest()[2..].find("*/").map(|at| 2 + at + 2);
        self.push(TokenKind::BlockComment, end.unwrap_or(self.rest().len()));
        if let (None, Some(token)) = (end, self.tokens.last_mut()) {
            token.is_closed = false;
        }
    }

    /// Takes `}` or `~}` when it ends a template sequence.
    fn closes_template(&mut self) -> bool {
        let length = match self.rest().as_bytes() {
            [b'}', ..] => 1,
            [b'~', b'}', ..] => 2,
            _ => return false,
        };
        let is_end =
            matches!(self.open.last(), Some(Open { inside: Inside::Template { braces: 0 }, .. }));
        if is_end {
            self.open.pop();
            self.push(TokenKind::TemplateClose, length);
        }
        is_end
    }

    /// Takes `<<EOT` or `<<-EOT` when the line ends after it. Blanks before the line's end are a mistake, but would turn
    /// the whole body into code.
    fn opens_heredoc(&mut self) -> bool {
        let rest = self.rest();
        let Some(name) = rest.strip_prefix("<<") else {
            return false;
        };
        let name = name.strip_prefix('-').unwrap_or(name);
        let marker = &name[..name_length(name)];
        let after = name[marker.len()..].trim_start_matches([' ', '\t']);
        let Some(newline) = newline_length(after) else {
            return false;
        };
        if marker.is_empty() {
            return false;
        }
        let length = rest.len() - after.len() + newline;
        self.enter(TokenKind::HeredocOpen, length, Inside::Heredoc { marker });
        self.closes_heredoc(marker);
        true
    }

    fn name_or_symbol(&mut self) {
        let rest = self.rest();
        let name = name_length(rest);
        if name > 0 {
            let kind = self.name(&rest[..name]);
            return self.push(kind, name);
        }
        let symbol = SYMBOLS.iter().find(|(symbol, _)| rest.starts_with(symbol));
        let Some((symbol, kind)) = symbol else {
            let width = rest.chars().next().map_or(0, char::len_utf8);
            return self.push(TokenKind::Invalid, width);
        };
        if let Some(Open { inside: Inside::Template { braces }, .. }) = self.open.last_mut() {
            match kind {
                TokenKind::BraceOpen => *braces += 1,
                // One that ends the sequence was taken before.
                TokenKind::BraceClose => *braces -= 1,
                _ => {}
            }
        }
        self.push(*kind, symbol.len());
    }

    /// Returns what a name is, and counts it if it is the word of a directive.
    fn name(&mut self, name: &str) -> TokenKind {
        let mut before = self.tokens.iter().rev().filter(|it| !it.is_trivia());
        let is_directive = before.next().is_some_and(|it| {
            it.kind == TokenKind::TemplateOpen && it.text(self.text).starts_with('%')
        });
        // The last thing that is open is the sequence, and the one before it the text that it stands in.
        let Some(text) = self.open.iter_mut().rev().nth(1).filter(|_| is_directive) else {
            return TokenKind::Identifier;
        };
        match name {
            "if" | "for" => text.directives += 1,
            "endif" | "endfor" => text.directives = text.directives.saturating_sub(1),
            "else" => {}
            _ => return TokenKind::Invalid,
        }
        TokenKind::Identifier
    }

    fn in_quotes(&mut self) {
        let rest = self.rest();
        match quoted_length(rest.as_bytes()) {
            0 if rest.starts_with('"') => self.leave(TokenKind::QuoteClose, 1),
            0 if rest.starts_with(['$', '%']) => self.enter_template(),
            0 => self.end_line_in_quotes(),
            length => self.push(TokenKind::Text, length),
        }
    }

    /// Gives up the text in quotes that the line ends in, and all that it stands in up to a heredoc: one of the quotes
    /// is missing, and nobody knows which.
    fn end_line_in_quotes(&mut self) {
        while !matches!(self.open.last(), Some(Open { inside: Inside::Heredoc { .. }, .. }) | None)
        {
            self.leave_open();
        }
    }

    fn in_heredoc(&mut self, marker: &str) {
        match heredoc_length(self.rest(), marker) {
            0 => self.enter_template(),
            length => {
                self.push(TokenKind::Text, length);
                if self.text[..self.at].ends_with('\n') {
                    self.closes_heredoc(marker);
                }
            }
        }
    }

    /// Takes the end of a heredoc, at the start of a line.
    fn closes_heredoc(&mut self, marker: &str) {
        if let Some(length) = heredoc_close(self.rest(), marker) {
            self.leave(TokenKind::HeredocClose, length);
        }
    }

    fn enter_template(&mut self) {
        let length = if self.rest().as_bytes().get(2) == Some(&b'~') { 3 } else { 2 };
        self.enter(TokenKind::TemplateOpen, length, Inside::Template { braces: 0 });
    }

    fn enter(&mut self, kind: TokenKind, length: usize, inside: Inside<'t>) {
        self.open.push(Open { inside, opener: self.tokens.len(), directives: 0 });
        self.push(kind, length);
    }

    /// Leaves a text by its end, which is faulty where a directive in it has none.
    fn leave(&mut self, kind: TokenKind, length: usize) {
        let is_sound = self.open.pop().is_none_or(|text| text.directives == 0);
        self.push(kind, length);
        if let Some(token) = self.tokens.last_mut() {
            token.is_closed = is_sound;
        }
    }

    /// Leaves the innermost thing that is open, for lack of its end.
    fn leave_open(&mut self) -> bool {
        let Some(open) = self.open.pop() else {
            return false;
        };
        self.tokens[open.opener].is_closed = false;
        true
    }

    fn push(&mut self, kind: TokenKind, length: usize) {
        let end = self.at + length;
        self.tokens.push(Token { kind, range: self.at..end, is_closed: true });
        self.at = end;
        if !self.tokens[self.tokens.len() - 1].is_trivia() {
            self.is_index = kind == TokenKind::Dot;
        }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }
}

/// Returns how far a literal in quotes goes: to the closing quote, a template sequence or the end of the line.
fn quoted_length(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += match (byte, text.get(at + 1)) {
            (b'"' | b'\n', _) | (b'\r', Some(b'\n')) => break,
            (b'\\', Some(next)) if !matches!(next, b'\n' | b'\r') => 2,
            _ => match literal_step(&text[at..]) {
                Some(step) => step,
                None => break,
            },
        };
    }
    at
}

/// Returns how far a literal in a heredoc goes: to a template sequence, or to the line with the marker.
fn heredoc_length(text: &str, marker: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let Some(step) = literal_step(&bytes[at..]) else {
            break;
        };
        at += step;
        if bytes[at - 1] == b'\n' && heredoc_close(&text[at..], marker).is_some() {
            break;
        }
    }
    at
}

/// Returns how many bytes at the start of a text are literal together; none when a template sequence starts there.
fn literal_step(text: &[u8]) -> Option<usize> {
    match text {
        [b'$', b'$', b'{', ..] | [b'%', b'%', b'{', ..] => Some(3),
        [b'$' | b'%', b'{', ..] => None,
        _ => Some(1),
    }
}

/// Returns the length of the marker that ends a heredoc, with the blanks before it, when the line starts with it.
fn heredoc_close(line: &str, marker: &str) -> Option<usize> {
    let after = line.trim_start_matches([' ', '\t']).strip_prefix(marker)?;
    (!after.starts_with(is_name_part)).then(|| line.len() - after.len())
}

fn newline_length(text: &str) -> Option<usize> {
    match text.as_bytes() {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}

/// Returns the length of a line without its end.
fn line_length(text: &str) -> usize {
    let line = text.split_once('\n').map_or(text, |(line, _)| line);
    let has_end = line.len() < text.len();
    if has_end { line.strip_suffix('\r').unwrap_or(line).len() } else { line.len() }
}

fn name_length(text: &str) -> usize {
    if !text.starts_with(|first| first == '_' || is_xid_start(first)) {
        return 0;
    }
    text.find(|c| !is_name_part(c)).unwrap_or(text.len())
}

fn is_name_part(c: char) -> bool {
    c == '-' || is_xid_continue(c)
}

fn number_length(text: &str, is_index: bool) -> usize {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut length = digits(text);
    if is_index {
        return length;
    }
    if let Some(fraction) = text[length..].strip_prefix('.').map(digits).filter(|it| *it > 0) {
        length += 1 + fraction;
    }
    let exponent = text[length..].strip_prefix(['e', 'E']).map(|rest| {
        let sign = usize::from(rest.starts_with(['+', '-']));
        (1 + sign, digits(&rest[sign..]))
    });
    match exponent {
        Some((mark, digits)) if digits > 0 => length + mark + digits,
        _ => length,
    }
}
