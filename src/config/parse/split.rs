//! Takes a text that cannot be parsed apart at its top level, so that a mistake hides only what it stands in.
//!
//! A piece goes from where a structure starts to the end of the line on which it ends. Where brackets do not close, it
//! ends before the next line that is the head of a block and is not indented: nobody writes one inside another block.
//! What a mistake is called, and what to do about it, is the matter of `syntax`.

use std::ops::Range;

use crate::config::parse::BLOCKS;
use crate::config::parse::parser::parse_body;
use crate::token::{Token, TokenKind, scan};

/// A text in pieces.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) tokens: Vec<Token>,
    pub(super) pieces: Vec<Piece>,
}

/// One structure of the top level, or what is left of one.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) tokens: Range<usize>,
    /// What is wrong with its brackets or its texts. A piece without a fault may be wrong all the same.
    pub(super) fault: Option<Fault>,
    /// A pair of braces that do not stand below each other.
    oddly: Option<(usize, usize)>,
}

impl Piece {
    /// Takes a whole text for one piece.
    pub(super) fn whole(tokens: &[Token]) -> Self {
        Self { tokens: 0..tokens.len(), fault: None, oddly: None }
    }
}

/// What no parser is needed for. The numbers are those of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Something opens and is not closed; perhaps because what closes it was meant for something else.
    Unclosed { opener: usize, closer: Option<usize> },
    /// A bracket closes nothing.
    Stray(usize),
    /// A brace ends a block before its end, so that another one closes nothing.
    Early { closer: usize, stray: usize },
    /// The head of a block, and no brace.
    NoBrace { head: usize },
    /// A character that has no meaning, or a name that is no directive.
    Invalid(usize),
    /// A text ends before a directive in it does.
    InDirective(usize),
    /// The bytes of the lines that a merge marks its conflict with.
    Conflict { start: Range<usize>, end: Option<Range<usize>> },
    /// Another format.
    Format(Format, usize),
    /// Said elsewhere.
    Silent,
}

/// What somebody may paste.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `[Interface]`
    WgQuick,
    /// `{ "interface": …`
    Json,
    /// `interface:`
    Yaml,
}

/// Takes a text apart.
pub(super) fn split(text: &str) -> Split {
    let mut splitter = Splitter {
        text,
        lines: text.match_indices('\n').map(|(at, _)| at + 1).collect(),
        markers: conflict_markers(text),
        tokens: scan(text),
        at: 0,
        pieces: Vec::new(),
        rescans: 0,
    };
    while splitter.skip_trivia() {
        splitter.piece();
    }
    Split { tokens: splitter.tokens, pieces: splitter.pieces }
}

/// Nobody indents by more.
const MAX_INDENT: usize = 1_000;

/// How often the rest of a text is scanned anew, after a heredoc that has no end. Each costs the length of the rest.
const MAX_RESCANS: usize = 16;

struct Splitter<'t> {
    text: &'t str,
    /// Where each line but the first starts.
    lines: Vec<usize>,
    tokens: Vec<Token>,
    at: usize,
    pieces: Vec<Piece>,
    rescans: usize,
    /// Where lines with `<<<<<<<`, `=======`, `>>>>>>>` start, if there is any of the first.
    markers: Vec<usize>,
}

/// Brackets that are open, with a list of each kind, so that none has to be searched for.
#[derive(Default)]
struct Open {
    tokens: Vec<usize>,
    /// Where in `tokens`: braces, brackets, parentheses, template sequences.
    of_kind: [Vec<usize>; 4],
}

impl Open {
    fn push(&mut self, kind: TokenKind, token: usize) {
        self.of_kind[kind_index(kind)].push(self.tokens.len());
        self.tokens.push(token);
    }

    fn last(&self, kind: TokenKind) -> Option<usize> {
        self.of_kind[kind_index(kind)].last().copied()
    }

    fn truncate(&mut self, n: usize) {
        self.tokens.truncate(n);
        for places in &mut self.of_kind {
            while places.last().is_some_and(|place| *place >= n) {
                places.pop();
            }
        }
    }
}

fn kind_index(opener_or_closer: TokenKind) -> usize {
    match opener_or_closer {
        TokenKind::BracketOpen | TokenKind::BracketClose => 1,
        TokenKind::ParenthesisOpen | TokenKind::ParenthesisClose => 2,
        TokenKind::TemplateOpen | TokenKind::TemplateClose => 3,
        _ => 0,
    }
}

/// A piece while it is read.
#[derive(Default)]
struct Reading {
    open: Open,
    fault: Option<Fault>,
    oddly: Option<(usize, usize)>,
    /// How many brackets were open before a text that its line does not close: what opens in it is no bracket.
    before_quote: Option<usize>,
    /// Whether it starts as a block does and has no brace yet.
    is_headless: bool,
    /// A heredoc with the head of a block in it, and where that is.
    doubtful: Option<(usize, usize)>,
}

impl Reading {
    fn fault(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }
}

impl Splitter<'_> {
    fn skip_trivia(&mut self) -> bool {
        let is_skipped = |it: &&Token| it.is_trivia() && it.is_closed;
        self.at += self.tokens[self.at..].iter().take_while(is_skipped).count();
        self.at < self.tokens.len()
    }

    fn piece(&mut self) {
        let start = self.at;
        if let Some(piece) = self.conflict().or_else(|| self.other_format()) {
            return self.pieces.push(piece);
        }
        if self.tokens[start].kind == TokenKind::BraceClose && self.merge_early() {
            return;
        }
        let mut reading = Reading { is_headless: self.starts_block(start), ..Reading::default() };
        while self.at < self.tokens.len() && self.take(start, &mut reading) {
            self.at += 1;
        }
        let Reading { open, mut fault, oddly, doubtful, .. } = reading;
        let is_right = fault.is_none();
        if let Some(&innermost) = open.tokens.last() {
            let unclosed = match oddly {
                Some((opener, closer)) => Fault::Unclosed { opener, closer: Some(closer) },
                None => Fault::Unclosed { opener: innermost, closer: None },
            };
            // What is wrong in between may well follow from that.
            if matches!(fault, None | Some(Fault::Invalid(_))) {
                fault = Some(unclosed);
            }
        }
        if let Some((opener, head)) = doubtful
            && is_right
            && !self.parses(start..self.at)
        {
            self.cut(opener, head);
            fault = Some(Fault::Unclosed { opener, closer: None });
        }
        self.pieces.push(Piece { tokens: start..self.at, fault, oddly });
    }

    /// Reads one token of a piece; false when the piece ends before it.
    fn take(&mut self, start: usize, reading: &mut Reading) -> bool {
        let at = self.at;
        let Token { kind, is_closed, .. } = self.tokens[at];
        use TokenKind as T;
        match kind {
            T::Newline => return self.goes_on(start, reading),
            T::QuoteOpen if !is_closed => {
                reading.fault(Fault::Unclosed { opener: at, closer: None });
                reading.before_quote.get_or_insert(reading.open.tokens.len());
            }
            T::HeredocOpen => return self.heredoc(at, is_closed, reading),
            T::BlockComment | T::TemplateOpen if !is_closed => {
                reading.fault(Fault::Unclosed { opener: at, closer: None });
            }
            T::BraceOpen | T::BracketOpen | T::ParenthesisOpen | T::TemplateOpen => {
                reading.is_headless &= kind != T::BraceOpen;
                reading.open.push(kind, at);
            }
            T::BraceClose | T::BracketClose | T::ParenthesisClose | T::TemplateClose => {
                self.close(at, reading);
            }
            // An argument, unless this is on a later line of a block.
            T::Equal if reading.open.tokens.is_empty() => {
                reading.is_headless &= reading.fault.is_some();
            }
            T::Invalid => reading.fault(Fault::Invalid(at)),
            T::QuoteClose | T::HeredocClose if !is_closed => reading.fault(Fault::InDirective(at)),
            _ => {}
        }
        true
    }

    /// Decides at the end of a line whether a piece goes on.
    fn goes_on(&mut self, start: usize, reading: &mut Reading) -> bool {
        if let Some(n) = reading.before_quote.take() {
            reading.open.truncate(n);
        }
        let next = self.at + 1;
        if self.is_head(next) {
            return false;
        }
        if let Some(marker) = self.marker_at(next) {
            reading.fault(marker);
        }
        if !reading.open.tokens.is_empty() {
            return true;
        }
        if !reading.is_headless {
            return false;
        }
        // A block whose brace is missing goes on as far as it is indented, and with the brace that closes it.
        let Some(blank) = self.tokens[next..].iter().position(|it| !it.is_trivia()) else {
            return false;
        };
        let first = &self.tokens[next + blank];
        let is_brace = matches!(first.kind, TokenKind::BraceOpen | TokenKind::BraceClose);
        if !is_brace && self.column(first) == 0 {
            return false;
        }
        reading.fault(Fault::NoBrace { head: start });
        self.at = next + blank - 1;
        true
    }

    /// Takes a closing bracket.
    fn close(&self, at: usize, reading: &mut Reading) {
        let closer = self.tokens[at].kind;
        let open = &mut reading.open;
        let is_brace = closer == TokenKind::BraceClose;
        // Only a brace closes what stands in braces.
        let found =
            open.last(closer).filter(|it| is_brace || open.last(TokenKind::BraceOpen) < Some(*it));
        let Some(found) = found else {
            if is_brace && reading.is_headless && open.tokens.is_empty() {
                reading.is_headless = false;
            } else {
                reading.fault(Fault::Stray(at));
            }
            return;
        };
        let (opener, inner) = (open.tokens[found], open.tokens.get(found + 1).copied());
        open.truncate(found);
        if let Some(opener) = inner {
            reading.fault(Fault::Unclosed { opener, closer: Some(at) });
        } else if self.is_odd(opener, at) {
            reading.oddly.get_or_insert((opener, at));
        }
    }

    /// Returns whether a brace that starts a line stands elsewhere than the line that opens it.
    fn is_odd(&self, opener: usize, closer: usize) -> bool {
        let (opener, closer) = (&self.tokens[opener], &self.tokens[closer]);
        let (start, end) = (self.line_start(opener), self.line_start(closer));
        let blanks = |from: usize| {
            let rest = self.text.as_bytes()[from..].iter().take(MAX_INDENT);
            rest.take_while(|byte| matches!(byte, b' ' | b'\t')).count()
        };
        let indent = closer.range.start - end;
        opener.kind == TokenKind::BraceOpen
            && start != end
            && indent == blanks(end)
            && indent != blanks(start)
    }

    /// Joins what follows a block that was closed too early with it, up to the brace that closes nothing.
    fn merge_early(&mut self) -> bool {
        let stray = self.at;
        let is_indented = |piece: &&Piece| self.column(&self.tokens[piece.tokens.start]) > 0;
        let n = self.pieces.iter().rev().take_while(is_indented).count();
        let block = self.pieces.len().checked_sub(n + 1);
        let Some(block) = block.filter(|_| n > 0 && self.column(&self.tokens[stray]) == 0) else {
            return false;
        };
        let Piece { tokens, fault, oddly } = &self.pieces[block];
        let is_brace = |it: &usize| self.tokens[*it].kind == TokenKind::BraceClose;
        let last = tokens.clone().rev().find(is_brace);
        let closer = oddly.map(|(_, closer)| closer).or(last);
        let (Some(closer), None) = (closer, fault) else { return false };
        let tokens = tokens.start..stray + 1;
        self.pieces.truncate(block);
        self.pieces.push(Piece {
            tokens,
            fault: Some(Fault::Early { closer, stray }),
            oddly: None,
        });
        self.at += 1;
        true
    }

    /// Looks for the head of a block in a heredoc, which then most likely lacks its end. False when the piece ends.
    fn heredoc(&mut self, at: usize, is_closed: bool, reading: &mut Reading) -> bool {
        let from = self.tokens[at].range.end;
        if !is_closed {
            reading.fault(Fault::Unclosed { opener: at, closer: None });
            reading.open.truncate(0);
            let head = head_in(&self.text[from..]).map_or(self.text.len(), |head| from + head);
            self.cut(at, head);
            return false;
        }
        let is_end = |it: &&Token| it.kind == TokenKind::HeredocClose;
        let end = self.tokens[at..].iter().find(is_end).map_or(from, |it| it.range.start);
        if let Some(head) = head_in(&self.text[from..end]) {
            reading.doubtful.get_or_insert((at, from + head));
        }
        true
    }

    /// Takes everything between a heredoc's start and a place for its text, and scans the rest anew.
    fn cut(&mut self, opener: usize, place: usize) {
        self.rescans += 1;
        let place = if self.rescans > MAX_RESCANS { self.text.len() } else { place };
        self.tokens.truncate(opener + 1);
        let from = self.tokens[opener].range.end;
        self.tokens[opener].is_closed = false;
        self.tokens.push(Token { kind: TokenKind::Text, range: from..place, is_closed: true });
        self.at = self.tokens.len();
        self.tokens.extend(scan(&self.text[place..]).into_iter().map(|it| {
            let range = it.range.start + place..it.range.end + place;
            Token { range, ..it }
        }));
    }

    /// Takes what a merge left: the line of its first marker, or everything from the second to the last.
    fn conflict(&mut self) -> Option<Piece> {
        let start = self.at;
        let fault = self.marker_at(start)?;
        let from = self.tokens[start].range.start;
        let is_first = self.text[from..].starts_with('<');
        let (end, fault) = match &fault {
            Fault::Conflict { end: Some(end), .. } if !is_first => (end.end, Fault::Silent),
            _ => (line_end(self.text, from), fault),
        };
        self.at += self.tokens[start..].partition_point(|it| it.range.start < end);
        Some(Piece { tokens: start..self.at, fault: Some(fault), oddly: None })
    }

    fn marker_at(&self, token: usize) -> Option<Fault> {
        let from = self.tokens.get(token)?.range.start;
        let i = self.markers.binary_search(&from).ok()?;
        let line = |at: usize| at..line_end(self.text, at);
        // There are four at most.
        let end = self.markers[i..].iter().take(4).find(|it| self.text[**it..].starts_with('>'));
        Some(Fault::Conflict { start: line(from), end: end.map(|it| line(*it)) })
    }

    /// Takes a part in another format, up to the next block.
    fn other_format(&mut self) -> Option<Piece> {
        let start = self.at;
        let format = self.format_at(start)?;
        while self.at < self.tokens.len() {
            self.at += 1;
            let is_line = self.tokens[self.at - 1].kind == TokenKind::Newline;
            if is_line && self.is_head(self.at) {
                break;
            }
        }
        let fault = Some(Fault::Format(format, start));
        Some(Piece { tokens: start..self.at, fault, oddly: None })
    }

    fn format_at(&self, at: usize) -> Option<Format> {
        let mut tokens = self.tokens[at..].iter().filter(|it| it.kind != TokenKind::Blank);
        let (first, second, third) = (tokens.next()?, tokens.next(), tokens.next());
        if self.column(first) > 0 {
            return None;
        }
        let kind = |it: Option<&Token>| it.map(|it| it.kind);
        match (first.kind, kind(second), kind(third)) {
            (
                TokenKind::BracketOpen,
                Some(TokenKind::Identifier),
                Some(TokenKind::BracketClose),
            ) => Some(Format::WgQuick),
            (TokenKind::BraceOpen, ..) if self.starts_json(at) => Some(Format::Json),
            (TokenKind::Identifier, Some(TokenKind::Colon), _) => Some(Format::Yaml),
            _ => None,
        }
    }

    /// Returns whether `{ "…":` starts at a token.
    fn starts_json(&self, at: usize) -> bool {
        use TokenKind as T;
        let kinds = self.tokens[at..].iter().filter(|it| !it.is_trivia()).map(|it| it.kind);
        kinds.take(5).eq([T::BraceOpen, T::QuoteOpen, T::Text, T::QuoteClose, T::Colon])
    }

    /// Returns whether a token starts a line as the first one of a block would.
    fn starts_block(&self, at: usize) -> bool {
        let token = &self.tokens[at];
        self.column(token) == 0 && BLOCKS.contains(&token.text(self.text))
    }

    /// Returns whether a line starts at a token, without indent, and is the head of a block with its brace.
    fn is_head(&self, at: usize) -> bool {
        let Some(token) = self.tokens.get(at) else { return false };
        self.column(token) == 0 && is_head(&self.text[token.range.start..])
    }

    fn parses(&self, tokens: Range<usize>) -> bool {
        parse_body(&self.text[bytes(&self.tokens, &tokens)]).is_ok()
    }

    /// Returns how many bytes stand before a token on its line.
    fn column(&self, token: &Token) -> usize {
        token.range.start - self.line_start(token)
    }

    /// Returns where the line of a token starts.
    fn line_start(&self, token: &Token) -> usize {
        let after = self.lines.partition_point(|start| *start <= token.range.start);
        after.checked_sub(1).map_or(0, |i| self.lines[i])
    }
}

/// Returns the bytes of some tokens.
pub(super) fn bytes(tokens: &[Token], range: &Range<usize>) -> Range<usize> {
    let tokens = tokens.get(range.clone()).unwrap_or_default();
    match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => first.range.start..last.range.end,
        _ => 0..0,
    }
}

fn line_end(text: &str, at: usize) -> usize {
    text.as_bytes()[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |n| at + n)
}

/// Finds the first line of a text that is the head of a block.
fn head_in(text: &str) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if is_head(line) {
            return Some(start);
        }
        start += line.len();
    }
    None
}

/// Returns whether a text starts with `interface "name" {`, also when the type of the block is misspelt.
fn is_head(text: &str) -> bool {
    let name =
        |text: &str| text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (ident, mut rest) = text.split_at(name(text));
    let mut labels = 0;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let label = match rest.strip_prefix('"') {
            Some(quoted) => quoted
                .find(['"', '\n'])
                .filter(|end| quoted[*end..].starts_with('"'))
                .map(|end| end + 2),
            None => Some(name(rest)).filter(|length| *length > 0),
        };
        match label {
            Some(length) if labels < 4 => rest = &rest[length..],
            _ => break,
        }
        labels += 1;
    }
    let is_block = BLOCKS.contains(&ident);
    // A nested block may stand without indent too.
    let is_named = labels > 0 && !ident.is_empty() && ident != "state";
    rest.starts_with('{') && (is_block || is_named)
}

/// Finds the lines that a merge marks a conflict with.
fn conflict_markers(text: &str) -> Vec<usize> {
    if !text.starts_with("<<<<<<<") && !text.contains("\n<<<<<<<") {
        return Vec::new();
    }
    let mut markers = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|it| line.starts_with(it)) {
            markers.push(start);
        }
        start += line.len();
    }
    markers
}
