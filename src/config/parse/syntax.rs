//! What a mistake in the syntax is called, and the way out: in the words of somebody who knows networks, not parsers.
//!
//! The parser says where it stopped; what stands around that place says why.

use std::ops::Range;

use crate::config::parse::BLOCKS;
use crate::config::parse::parser::{SyntaxError, TOO_LONG};
use crate::config::parse::split::{Fault, Format, Piece, split};
use crate::diagnostic::{Diagnostic, SourceText, Span};
use crate::source::foreign_byte;
use crate::token::{Token, TokenKind};

mod place;

use crate::config::parse::syntax::place::Place;

/// A mistake, before it is known which places may be shown.
#[derive(Debug)]
pub(crate) struct Mistake {
    summary: &'static str,
    labels: Vec<(Range<usize>, String)>,
    help: Option<String>,
}

impl Mistake {
    fn new(summary: &'static str, at: Range<usize>, text: impl Into<String>) -> Self {
        Self { summary, labels: vec![(at, text.into())], help: None }
    }

    fn and(mut self, at: Range<usize>, text: impl Into<String>) -> Self {
        self.labels.push((at, text.into()));
        self
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Returns the same mistake in a text without its first bytes, which ends earlier.
    pub(super) fn without_prefix(mut self, n: usize, end: usize) -> Self {
        let moved = |at: usize| at.saturating_sub(n).min(end);
        for (range, _) in &mut self.labels {
            *range = moved(range.start)..moved(range.end);
        }
        self
    }

    /// Points into a source.
    pub(crate) fn diagnostic(&self, source: &std::sync::Arc<SourceText>) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(self.summary);
        for (range, text) in &self.labels {
            let span = Span { source: source.clone(), range: range.clone() };
            diagnostic = diagnostic.label(&span, text.as_str());
        }
        match &self.help {
            Some(help) => diagnostic.help(help.as_str()),
            None => diagnostic,
        }
    }
}

/// Says what is wrong with a piece that does not parse; nothing when that is said elsewhere.
pub(super) fn explain(
    text: &str,
    tokens: &[Token],
    piece: &Piece,
    error: &SyntaxError,
) -> Option<Mistake> {
    if let Some(fault) = &piece.fault {
        return of_fault(text, tokens, fault);
    }
    let start = tokens.get(piece.tokens.start).map_or(0, |it| it.range.start);
    let offset = start + error.offset;
    let place = Place::find(text, tokens, piece.tokens.clone(), offset);
    Some(
        of_limits(&place, &error.message)
            .or_else(|| of_place(&place))
            .unwrap_or_else(|| general(&place)),
    )
}

/// Says what is wrong with an expression that stands alone, in no line of a block.
pub(super) fn explain_alone(text: &str, tokens: &[Token], error: Option<&SyntaxError>) -> Mistake {
    if let Some(fault) = split(text).pieces.iter().find_map(|piece| piece.fault.as_ref())
        && let Some(mistake) = of_fault(text, tokens, fault)
    {
        return mistake;
    }
    let last = tokens.iter().rfind(|it| !it.is_trivia());
    if let Some(last) = last.filter(|it| is_operator(it.kind)) {
        return without_right_side(last.range.clone());
    }
    let offset = error.map_or(0, |it| it.offset);
    let place = Place::find(text, tokens, 0..tokens.len(), offset);
    let known = of_limits(&place, error.map_or("", |it| &it.message));
    known.or_else(|| of_expression(&place)).unwrap_or_else(|| {
        let mistake = match place.here() {
            Some(_) => Mistake::new("syntax error", place.range(), "this cannot stand here"),
            None => {
                let before = place.before().unwrap_or(place.range());
                Mistake::new("syntax error", before, "something is missing behind this")
            }
        };
        mistake.help("Write one expression, such as `var.name` or `length(local.list)`.")
    })
}

fn is_operator(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Operator | TokenKind::Minus | TokenKind::Bang)
}

fn without_right_side(operator: Range<usize>) -> Mistake {
    Mistake::new("operator without its right side", operator, "a value has to follow")
        .help("Write the value behind it, on the same line.")
}

/// Says that an argument is there already.
pub(super) fn given_twice(name: &str, at: Range<usize>) -> Mistake {
    Mistake::new("argument written twice", at, format!("`{name}` is written above already"))
        .help("Keep one of them.")
}

/// Says what HCL does not take and the parser does.
pub(super) fn faulty(text: &str, tokens: &[Token], token: usize) -> Mistake {
    let at = tokens[token].range.clone();
    match tokens[token].kind {
        TokenKind::Invalid => invalid(text, tokens, token),
        TokenKind::QuoteClose | TokenKind::HeredocClose => in_directive(at),
        TokenKind::QuoteOpen => {
            Mistake::new("quoted text over several lines", at, "it is not closed in this line")
                .help("Write `\\n` where a new line starts, or the whole text as a heredoc.")
        }
        _ => {
            let label = "here it is no longer sure what belongs together";
            Mistake::new("text that HCL reads in another way", at, label)
                .help("Write this part in another way.")
        }
    }
}

/// Says that a text has bytes that are none.
pub(super) fn not_text(text: &str, foreign: &[usize]) -> Option<Mistake> {
    let first = *foreign.first()?;
    let c = text[first..].chars().next()?;
    let byte = foreign_byte(c)?;
    let mistake = Mistake::new(
        "file that is not UTF-8",
        first..first + c.len_utf8(),
        format!("the byte 0x{byte:02x} is no part of a text in UTF-8"),
    );
    Some(mistake.help(match foreign.len() {
        _ if first == 0 && byte >= 0xfe => {
            "It looks like UTF-16. Save the file as UTF-8.".to_owned()
        }
        1 => "Save the file as UTF-8.".to_owned(),
        n => format!("Save the file as UTF-8; there are {n} such bytes."),
    }))
}

fn of_fault(text: &str, tokens: &[Token], fault: &Fault) -> Option<Mistake> {
    let at = |token: usize| tokens[token].range.clone();
    Some(match fault {
        Fault::Silent => return None,
        Fault::Unclosed { opener, closer } => unclosed(text, tokens, *opener, *closer),
        Fault::Stray(token) => {
            let shown = tokens[*token].text(text);
            Mistake::new(
                "closing bracket that closes nothing",
                at(*token),
                format!("no bracket is open that `{shown}` could close"),
            )
            .help("Remove it, or write the opening one where it is missing.")
        }
        Fault::Early { closer, stray } => {
            Mistake::new("block that is closed too early", at(*closer), "the block ends here")
                .and(at(*stray), "so that this closes nothing")
                .help("Remove one of the two braces.")
        }
        Fault::NoBrace { head } => {
            let line = line_of(text, tokens, *head);
            let below = tokens[*head..].iter().skip_while(|it| it.kind != TokenKind::Newline);
            let below = below.into_iter().find(|it| !it.is_trivia());
            if let Some(brace) = below.filter(|it| it.kind == TokenKind::BraceOpen) {
                return Some(brace_below(brace.range.clone()));
            }
            Mistake::new("block without its opening brace", line, "`{` has to end this line")
                .help("Write `{` at the end of the line.")
        }
        Fault::Invalid(token) => invalid(text, tokens, *token),
        Fault::InDirective(token) => in_directive(at(*token)),
        Fault::Conflict { start, end } => {
            let mistake =
                Mistake::new("merge conflict", start.clone(), "a merge left two versions here");
            let mistake = match end {
                Some(end) => mistake.and(end.clone(), "up to here"),
                None => mistake,
            };
            mistake.help("Keep one of the versions, and remove the lines with the markers.")
        }
        Fault::Format(format, token) => other_format(*format, line_of(text, tokens, *token)),
    })
}

fn unclosed(text: &str, tokens: &[Token], opener: usize, closer: Option<usize>) -> Mistake {
    let token = &tokens[opener];
    let at = token.range.clone();
    let mistake = match token.kind {
        TokenKind::QuoteOpen => return unclosed_quote(text, tokens, opener),
        TokenKind::HeredocOpen => {
            let marker = token.text(text).trim();
            let name = marker.trim_start_matches(['<', '-']);
            return Mistake::new(
                "heredoc that is not closed",
                at.start..at.start + marker.len(),
                format!("no line after this is only `{name}`"),
            )
            .help(format!("Write `{name}` on a line of its own where the text ends."));
        }
        TokenKind::BlockComment => {
            return Mistake::new(
                "comment that is not closed",
                at.start..at.start + 2,
                "no `*/` follows",
            )
            .help("Write `*/` where the comment ends.");
        }
        TokenKind::TemplateOpen => {
            return Mistake::new("interpolation that is not closed", at, "no `}` follows")
                .help("Close it with `}`. The characters `${` themselves are written `$${`.");
        }
        TokenKind::BraceOpen => Mistake::new("brace that is not closed", at, "no `}` closes this")
            .help("Write `}` where it ends."),
        TokenKind::BracketOpen => {
            Mistake::new("bracket that is not closed", at, "no `]` closes this")
                .help("Write `]` after the last element.")
        }
        _ => Mistake::new("parenthesis that is not closed", at, "no `)` closes this")
            .help("Write `)` where it ends."),
    };
    match closer.map(|closer| &tokens[closer]) {
        Some(closer) => {
            mistake.and(closer.range.clone(), "this stands where another bracket is closed")
        }
        None => mistake,
    }
}

fn brace_below(brace: Range<usize>) -> Mistake {
    Mistake::new("opening brace on a line of its own", brace, "this has to end the line above")
        .help("The first line of a block ends with its `{`.")
}

fn unclosed_quote(text: &str, tokens: &[Token], opener: usize) -> Mistake {
    let line = tokens[opener..].iter().enumerate().take_while(|it| it.1.kind != TokenKind::Newline);
    let template =
        line.into_iter().find(|(_, it)| it.kind == TokenKind::TemplateOpen && !it.is_closed);
    if let Some((n, _)) = template {
        return unclosed(text, tokens, opener + n, None);
    }
    let summary = "text that is not closed";
    let at = tokens[opener].range.clone();
    let before = opener.checked_sub(1).map(|before| tokens[before].kind);
    if matches!(before, Some(TokenKind::Identifier | TokenKind::Number)) {
        return Mistake::new(summary, at, "a text starts here, and its line ends before it does")
            .help("Write the `\"` in front of the text too.");
    }
    let end = text[at.end..].find(['\n', '\r']).map_or(text.len(), |end| at.end + end);
    Mistake::new(summary, at.start..end, "the line ends before the text does")
        .help("Write `\"` at its end. A text of several lines is written `<<EOT`, its lines, and `EOT` on a line of its own.")
}

/// Says that a text ends before a directive in it does.
fn in_directive(end: Range<usize>) -> Mistake {
    let label = "the text ends here, before an `%{ if … }` or a `%{ for … }` in it";
    Mistake::new("directive without its end", end, label).help(
        "Write `%{ endif }` or `%{ endfor }` before this. A quote within the text is written `\\\"`.",
    )
}

fn invalid(text: &str, tokens: &[Token], token: usize) -> Mistake {
    let at = tokens[token].range.clone();
    let c = text[at.clone()].chars().next().unwrap_or_default();
    if c == '_' || c.is_alphabetic() {
        let word = tokens[token].text(text);
        return Mistake::new("unknown directive", at, format!("`{word}` is no directive"))
            .help("Write `if`, `else`, `endif`, `for` or `endfor` behind `%{`, or `%%{` for a text that has it as it is.");
    }
    let new = |summary, label: &str| Mistake::new(summary, at.clone(), label);
    match c {
        '\'' => new("text in single quotes", "a text starts and ends with `\"`")
            .help("Write `\"` in place of each `'`."),
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2018}' | '\u{2019}' | '\u{ab}' | '\u{bb}' => {
            new("typographic quote", "a text starts and ends with `\"`")
                .help("Write plain `\"`. Word processors and chat programs change it.")
        }
        '`' => new("text in backquotes", "a text starts and ends with `\"`")
            .help("Write `\"` in place of each."),
        ';' => new("semicolon", "`;` means nothing here")
            .help("Each argument stands on a line of its own, without `;`."),
        '\0' => new("character that means nothing", "this is a NUL character")
            .help("Remove it. A file with such characters may be no text at all."),
        c if c.is_whitespace() => {
            new("character that means nothing", "this looks like a space, and is another character")
                .help("Write a plain space.")
        }
        '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
            new("character that means nothing", "an invisible character stands here")
                .help("Remove it.")
        }
        '&' | '|' => new("character that means nothing", "one of these alone means nothing")
            .help("And is written `&&`, or is written `||`."),
        _ => new("character that means nothing", "this means nothing outside of a text")
            .help("A text stands in quotes."),
    }
}

fn other_format(format: Format, at: Range<usize>) -> Mistake {
    let summary = "file in another format";
    match format {
        Format::WgQuick => Mistake::new(summary, at, "this is a section of a wg-quick file")
            .help("Write `interface \"NAME\" { … }` and `peer \"NAME\" { … }`, with lines such as `listen_port = 51820`."),
        Format::Json => Mistake::new(summary, at, "this looks like JSON")
            .help("Write blocks such as `interface \"NAME\" { … }`, with lines such as `listen_port = 51820`."),
        Format::Yaml => Mistake::new(summary, at, "this looks like YAML")
            .help("Write blocks such as `interface \"NAME\" { … }`, with lines such as `listen_port = 51820`."),
    }
}

/// Says which limit of the parser is hit, or which of its own words explains most.
fn of_limits(place: &Place<'_>, message: &str) -> Option<Mistake> {
    let at = place.range();
    let into_locals = "Move inner parts into `locals`, and refer to them.";
    if message.contains("nested levels") {
        let label = "this is inside more than 64 brackets and blocks";
        return Some(Mistake::new("expression nested too deep", at, label).help(into_locals));
    }
    if message == TOO_LONG {
        let label = "this is inside too many brackets that each follow two operators";
        return Some(Mistake::new("expression nested too deep", at, label).help(into_locals));
    }
    if message.contains("chained binary operators") {
        let label = "more than 128 operators are in one expression";
        return Some(Mistake::new("expression too long", at, label).help(into_locals));
    }
    if message.contains("redefined attribute") {
        let name = place.word();
        let mistake =
            Mistake::new("argument written twice", at, format!("`{name}` is written here again"));
        let mistake = match place.first_of_same_name() {
            Some(first) => mistake.and(first, "it is written here first"),
            None => mistake,
        };
        return Some(mistake.help("Keep one of them."));
    }
    if message.contains("escape sequence") || message.contains("hex code") {
        return Some(
            Mistake::new("escape that means nothing", place.escape(), "nothing is written this way")
                .help("Write a backslash as `\\\\`. The escapes are `\\n`, `\\r`, `\\t`, `\\\"`, `\\\\`, `\\uNNNN` and `\\UNNNNNNNN`."),
        );
    }
    if message.contains("`:`") && place.has_question() {
        return Some(
            Mistake::new(
                "condition without its second value",
                at,
                "`:` and a value have to stand here",
            )
            .help("Write it as `CONDITION ? VALUE : OTHER`."),
        );
    }
    if message.contains("`:`") {
        return Some(
            Mistake::new(
                "for expression without its value",
                at,
                "`:` and a value have to stand here",
            )
            .help("Write it as `[for x in LIST : VALUE]`."),
        );
    }
    None
}

fn of_place(place: &Place<'_>) -> Option<Mistake> {
    if let Some(number) = place.huge_number() {
        return Some(
            Mistake::new("number too large", number, "this is beyond what a number can hold")
                .help("Write a number up to about 1e308, or a text in quotes."),
        );
    }
    if let Some(line) = place.line_of_structure() {
        return of_structure(place, &line);
    }
    of_expression(place)
}

/// Looks at a line of a block: `name = value`, `name "label" {`.
fn of_structure(place: &Place<'_>, line: &[usize]) -> Option<Mistake> {
    use TokenKind as T;
    let (first, rest) = line.split_first()?;
    let kind = |token: Option<&usize>| token.map(|it| place.tokens[*it].kind);
    let at = |token: usize| place.tokens[token].range.clone();
    let name = place.tokens[*first].text(place.text);
    if let Some(mistake) = one_line_block(place).or_else(|| behind_a_block(place)) {
        return Some(mistake);
    }
    if place.is_at(*first) && kind(rest.first()) == Some(T::Equal) {
        return Some(of_template(place, rest));
    }
    match (place.tokens[*first].kind, kind(rest.first())) {
        (T::QuoteOpen, _) => Some(
            Mistake::new(
                "name in quotes",
                place.quoted(*first),
                "a name stands without quotes here",
            )
            .help("Write `name = value`, or `type \"label\" {` for a block."),
        ),
        (T::Minus, _) => Some(
            Mistake::new("list of YAML", at(*first), "`-` means nothing at the start of a line")
                .help("A list is written `[\"a\", \"b\"]`."),
        ),
        (T::Identifier, Some(T::Colon)) => Some(
            Mistake::new("colon in place of an equals sign", at(rest[0]), "`=` has to stand here")
                .help(format!("Write `{name} = …`.")),
        ),
        (T::Identifier, Some(T::Operator | T::Arrow)) => Some(
            Mistake::new(
                "operator in place of an equals sign",
                at(rest[0]),
                "`=` has to stand here",
            )
            .help(format!("Write `{name} = …`.")),
        ),
        (T::Identifier, Some(T::Dot)) => Some(
            Mistake::new("name with a dot", at(rest[0]), "the name of an argument has no dots")
                .help("An argument of a nested block stands inside `{` and `}` of that block."),
        ),
        (T::Identifier, Some(T::Equal)) => of_value(place, rest),
        (T::Identifier, None) if place.next_brace().is_some() => {
            place.next_brace().map(brace_below)
        }
        (T::Identifier, None) => Some(
            Mistake::new("argument without a value", at(*first), "`=` and a value have to follow")
                .help(format!("Write `{name} = …`.")),
        ),
        (T::Identifier, Some(_)) => of_head(place, line),
        _ => None,
    }
}

/// Looks at what follows a block on the line that closes it.
fn behind_a_block(place: &Place<'_>) -> Option<Mistake> {
    (place.here()?.kind == TokenKind::Identifier && place.previous_kind()? == TokenKind::BraceClose)
        .then(|| {
            Mistake::new("something behind a block", place.range(), "a new line has to start here")
                .help("Nothing stands behind the `}` of a block.")
        })
}

/// Looks at an argument whose value the parser gave up as a whole, which it does for the sequences of a template.
fn of_template(place: &Place<'_>, line: &[usize]) -> Mistake {
    let value = place.tokens[line[0]].range.end..place.tokens[line[line.len() - 1]].range.end;
    let blanks = place.text[value.clone()].len() - place.text[value.clone()].trim_start().len();
    let value = value.start + blanks..value.end;
    Mistake::new("invalid template", value, "something in this is not as it should be")
        .help("In a text, `${` opens an interpolation; `%{ if … }` ends with `%{ endif }`, `%{ for … }` with `%{ endfor }`. The characters themselves are written `$${` and `%%{`.")
}

/// Looks at a head, or at an argument without `=`.
fn of_head(place: &Place<'_>, line: &[usize]) -> Option<Mistake> {
    use TokenKind as T;
    let name = place.tokens[line[0]].text(place.text);
    let labels = line[1..].iter().take_while(|it| {
        matches!(place.tokens[**it].kind, T::Identifier | T::QuoteOpen | T::Text | T::QuoteClose)
    });
    let labels = labels.count();
    let after = line.get(labels + 1).map(|it| &place.tokens[*it]);
    let head = place.tokens[line[0]].range.start..place.tokens[line[labels]].range.end;
    let is_block = place.is_top() && BLOCKS.contains(&name);
    match after.map(|it| it.kind) {
        Some(T::Equal) if labels > 0 => Some(
            Mistake::new("block with an equals sign", after?.range.clone(), "a block has no `=`")
                .help(format!("Write `{} {{`.", &place.text[head])),
        ),
        None if place.next_brace().is_some() => place.next_brace().map(brace_below),
        None | Some(_) if is_block && labels > 0 => Some(
            Mistake::new("block without its opening brace", head, "`{` has to follow here")
                .help("Write `{` at the end of the line."),
        ),
        Some(T::BraceOpen) => None,
        _ => {
            let value = &place.tokens[line[1]];
            let at = match value.kind {
                T::QuoteOpen => place.quoted(line[1]),
                _ => value.range.clone(),
            };
            Some(
                Mistake::new("argument without an equals sign", at, "`=` has to stand before this")
                    .help(format!("Write `{name} = …`.")),
            )
        }
    }
}

/// Looks at what stands behind the `=` of an argument; the first of the tokens is the `=`.
fn of_value(place: &Place<'_>, line: &[usize]) -> Option<Mistake> {
    use TokenKind as T;
    let equal = place.tokens[line[0]].range.clone();
    let is_value = |it: &&usize| place.tokens[**it].kind != T::BraceClose;
    let Some(value) = line.get(1).filter(is_value).map(|it| &place.tokens[*it]) else {
        return Some(
            Mistake::new("argument without a value", equal, "a value has to follow")
                .help("Write a value behind it, or `null` to leave it unset."),
        );
    };
    let here = place.here();
    match here.map(|it| it.kind) {
        Some(T::Equal) if value.kind == T::Equal => Some(
            Mistake::new("equals sign too many", value.range.clone(), "a value has to stand here")
                .help("Remove one of them."),
        ),
        Some(T::Comma) => Some(
            Mistake::new(
                "comma after an argument",
                place.range(),
                "no comma stands between arguments",
            )
            .help("Each argument stands on a line of its own."),
        ),
        Some(kind) if place.ends_value_before() && kind != T::Newline => {
            let next = place.after_here();
            if kind == T::Identifier && next == Some(T::Equal) {
                return Some(
                    Mistake::new(
                        "two arguments on one line",
                        place.range(),
                        "a new line has to start here",
                    )
                    .help("Each argument stands on a line of its own."),
                );
            }
            if place.has_quotes(line) {
                return None;
            }
            Some(
                Mistake::new(
                    "text without quotes",
                    value.range.start..place.range().end.max(value.range.end),
                    "this is no number and no name",
                )
                .help("Write a text in quotes, as in `\"10.8.0.1/24\"`."),
            )
        }
        _ => of_expression(place),
    }
}

/// Looks at a block that starts and should end on one line.
fn one_line_block(place: &Place<'_>) -> Option<Mistake> {
    use TokenKind as T;
    let brace = place.brace_on_this_line()?;
    let first = place.first_after(brace)?;
    match place.here().map(|it| it.kind) {
        Some(T::Newline) | None => Some(
            Mistake::new(
                "argument on the line of an opening brace",
                first,
                "a new line has to start here",
            )
            .help("A block of several lines has nothing behind its `{`."),
        ),
        Some(T::Comma) => Some(
            Mistake::new(
                "two arguments in a block on one line",
                place.range(),
                "a block on one line has one argument",
            )
            .help("Write each argument on a line of its own, without commas."),
        ),
        Some(T::Identifier) if place.range() != first => Some(
            Mistake::new(
                "two arguments in a block on one line",
                place.range(),
                "a block on one line has one argument",
            )
            .help("Write each argument on a line of its own."),
        ),
        Some(T::BraceOpen | T::QuoteOpen) => Some(
            Mistake::new(
                "block inside a block on one line",
                first,
                "a block on one line has no blocks inside",
            )
            .help("Write it on lines of its own."),
        ),
        _ => None,
    }
}

/// Looks inside an expression.
fn of_expression(place: &Place<'_>) -> Option<Mistake> {
    use TokenKind as T;
    let at = place.range();
    let here = place.here().map(|it| it.kind);
    let is_list =
        matches!(place.around(), Some(T::BracketOpen | T::ParenthesisOpen | T::BraceOpen));
    if let Some(operator) = place.operator_before() {
        return Some(without_right_side(operator));
    }
    if here == Some(T::Comma) && is_list {
        return Some(
            Mistake::new("comma too many", at, "a value has to stand before this")
                .help("Remove the comma."),
        );
    }
    if is_list && place.ends_value_before() && place.starts_value_here() {
        return Some(
            Mistake::new("missing comma", at, "a comma has to stand before this")
                .help("Elements are separated by commas, as in `[\"a\", \"b\"]`."),
        );
    }
    None
}

fn general(place: &Place<'_>) -> Mistake {
    let mistake = match place.here().map(|it| it.kind) {
        Some(TokenKind::Newline) => Mistake::new(
            "syntax error",
            place.before().unwrap_or(place.range()),
            "the line ends here, and something is missing",
        ),
        None => Mistake::new(
            "syntax error",
            place.before().unwrap_or(place.range()),
            "something is missing behind this",
        ),
        Some(_) => Mistake::new("syntax error", place.range(), "this cannot stand here"),
    };
    mistake.help(
        "An argument is written `name = value`, a block `type \"label\" {`, its lines and `}`.",
    )
}

/// Returns the line of a token from there on, without what follows the last character.
fn line_of(text: &str, tokens: &[Token], token: usize) -> Range<usize> {
    let start = tokens[token].range.start;
    let line = text[start..].lines().next().unwrap_or_default().trim_end();
    start..start + line.len()
}
