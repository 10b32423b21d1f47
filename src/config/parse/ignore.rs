//! The comments that silence a rule of lint: `# wgform:ignore=CODE`, or several codes with commas between them.
//!
//! A comment on a line of its own is about what begins on the next line that is neither blank nor a comment; one behind
//! something is about what begins on its line, or else about what it stands in. A block is meant as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::structure::{Body, Structure};

use crate::config::suggest::suggestion;
use crate::diagnostic::rule::{RULES, Rule};
use crate::diagnostic::{Diagnostic, SourceText, Span};
use crate::token::{Token, TokenKind, scan};

/// What such a comment begins with.
const WORD: &str = "wgform:ignore";

/// What is silenced where, in all files.
#[derive(Debug, Default)]
pub(crate) struct Ignored(BTreeMap<String, BTreeMap<&'static str, Ranges>>);

impl Ignored {
    /// Returns whether a comment silences a diagnostic: one at any of the places that it names, since either end of a
    /// problem between two may be the one that is meant to be so.
    pub(crate) fn covers(&self, diagnostic: &Diagnostic) -> bool {
        let Some(rule) = diagnostic.rule.filter(|rule| rule.can_be_silenced) else { return false };
        diagnostic.labels.iter().any(|label| {
            let Span { source, range } = &label.span;
            let ranges = self.0.get(&source.name).and_then(|codes| codes.get(rule.code));
            ranges.is_some_and(|ranges| ranges.contains(range.start))
        })
    }

    /// Reads the comments of one file, and returns what is wrong with them.
    pub(crate) fn read(&mut self, source: &Arc<SourceText>, body: &Body) -> Vec<Diagnostic> {
        // Nearly every file has none, and some are large.
        if !source.text.contains(WORD) {
            return Vec::new();
        }
        let mut problems = Vec::new();
        let tokens = scan(&source.text);
        let things = things(body);
        for (at, token) in tokens.iter().enumerate() {
            if !matches!(token.kind, TokenKind::LineComment | TokenKind::BlockComment) {
                continue;
            }
            let codes = codes(source, token, &mut problems);
            let Some(range) = silenced(&things, &tokens, at).filter(|_| !codes.is_empty()) else {
                continue;
            };
            let of_file = self.0.entry(source.name.clone()).or_default();
            for code in codes {
                of_file.entry(code).or_default().add(range.clone());
            }
        }
        for ranges in self.0.get_mut(&source.name).into_iter().flat_map(BTreeMap::values_mut) {
            ranges.sort();
        }
        problems
    }
}

/// Stretches of a file, which may lie in each other.
#[derive(Debug, Default)]
struct Ranges {
    /// By their start, each with the furthest end so far.
    sorted: Vec<(usize, usize)>,
}

impl Ranges {
    fn add(&mut self, range: Range<usize>) {
        self.sorted.push((range.start, range.end));
    }

    fn sort(&mut self) {
        self.sorted.sort_unstable();
        let mut furthest = 0;
        for (_, end) in &mut self.sorted {
            furthest = furthest.max(*end);
            *end = furthest;
        }
    }

    fn contains(&self, byte: usize) -> bool {
        let before = self.sorted.partition_point(|(start, _)| *start <= byte);
        before.checked_sub(1).is_some_and(|last| byte < self.sorted[last].1)
    }
}

/// Returns what blocks and arguments there are, with their bytes, each before what is in it.
fn things(body: &Body) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open: Vec<&Structure> = body.iter().collect();
    while let Some(structure) = open.pop() {
        let range = match structure {
            Structure::Attribute(attribute) => attribute.span(),
            Structure::Block(block) => {
                open.extend(block.body.iter());
                block.span()
            }
        };
        found.extend(range);
    }
    found.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    found
}

/// Returns what a comment is about.
fn silenced(things: &[Range<usize>], tokens: &[Token], at: usize) -> Option<Range<usize>> {
    let is_newline = |token: &&Token| token.kind == TokenKind::Newline;
    let is_nothing = |token: &Token| {
        matches!(
            token.kind,
            TokenKind::Blank
                | TokenKind::Newline
                | TokenKind::LineComment
                | TokenKind::BlockComment
        )
    };
    let start_of_line =
        |at: usize| tokens[..at].iter().rev().find(is_newline).map_or(0, |it| it.range.end);
    let is_alone = tokens[..at].iter().rev().take_while(|it| !is_newline(it)).all(is_nothing);
    let line = match is_alone {
        true => {
            let next = at + tokens[at..].iter().position(|token| !is_nothing(token))?;
            start_of_line(next)..tokens[next].range.end
        }
        false => start_of_line(at)..tokens[at].range.start,
    };
    let from = things.partition_point(|thing| thing.start < line.start);
    let begins_there = things[from..].first().filter(|thing| thing.start < line.end);
    let around = || {
        let before = &things[..things.partition_point(|thing| thing.start < line.end)];
        before.iter().rev().find(|thing| thing.end > line.start)
    };
    begins_there.or_else(around).cloned()
}

/// Reads the codes of a comment; nothing for one that is about something else.
fn codes(
    source: &Arc<SourceText>,
    comment: &Token,
    problems: &mut Vec<Diagnostic>,
) -> BTreeSet<&'static str> {
    let mut codes = BTreeSet::new();
    let text = &source.text[comment.range.clone()];
    let inside = text.trim_start_matches(['#', '/', '*', ' ', '\t']);
    let Some(rest) = inside.strip_prefix(WORD) else { return codes };
    let start = comment.range.end - rest.len();
    let at = |range: Range<usize>| Span { source: source.clone(), range };
    let Some(list) = rest.strip_prefix('=') else {
        let diagnostic = Diagnostic::warning("comment that silences nothing")
            .label(&at(start - WORD.len()..start), "no code of a rule follows");
        problems
            .push(diagnostic.help(
                "Write the code that the message has, as in `# wgform:ignore=unused-local`.",
            ));
        return codes;
    };
    // What comes after a blank is the reason.
    let end = list.find(|c: char| c.is_whitespace()).unwrap_or(list.len());
    let list = list[..end].trim_end_matches("*/");
    let mut from = start + 1;
    for code in list.split(',') {
        let place = at(from..from + code.len());
        from += code.len() + 1;
        match Rule::named(code) {
            Some(rule) if rule.can_be_silenced => _ = codes.insert(rule.code),
            Some(_) => problems.push(
                Diagnostic::warning("comment that silences nothing")
                    .label(&place, format!("`{code}` cannot be silenced"))
                    .help("Take the code out of the comment, and mend what the rule finds: no device could do it."),
            ),
            None => problems.push(unknown(code, &place)),
        }
    }
    codes
}

fn unknown(code: &str, place: &Span) -> Diagnostic {
    let silenceable = RULES.iter().filter(|rule| rule.can_be_silenced).map(|rule| rule.code);
    Diagnostic::warning("comment that silences nothing")
        .label(place, format!("there is no rule `{code}`"))
        .help(match suggestion(code, silenceable) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => "`wgform schema lint` lists the rules.".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::config::parse::ignore::Ignored;
    use crate::config::parse::parser::parse_body;
    use crate::diagnostic::rule::UNUSED_LOCAL;
    use crate::diagnostic::{Diagnostic, SourceText, Span};

    /// Returns the marked places (`@1`, `@2`, …) that the comments of a text silence for `unused-local`.
    fn silenced(text: &str) -> Vec<usize> {
        let source = SourceText { name: "main".into(), text: text.into(), secrets: Vec::new() };
        let source = Arc::new(source);
        let mut ignored = Ignored::default();
        let problems = ignored.read(&source, &parse_body(text).unwrap());
        assert_eq!(problems, []);
        let is_silent = |mark: &usize| {
            let Some(at) = text.find(&format!("@{mark}")) else { return false };
            let span = Span { source: source.clone(), range: at..at + 2 };
            ignored.covers(&Diagnostic::warning("x").rule(&UNUSED_LOCAL).label(&span, ""))
        };
        (1..10).filter(is_silent).collect()
    }

    #[test]
    fn a_comment_is_about_what_follows_it_or_stands_before_it() {
        for (text, expected) in [
            ("# wgform:ignore=unused-local\na \"b\" {\n  c = \"@1\"\n}\nd \"@2\" {}\n", vec![1]),
            ("a \"b\" { # wgform:ignore=unused-local\n  c = \"@1\"\n}\nd \"@2\" {}\n", vec![1]),
            (
                "a {\n  // wgform:ignore=unused-local,own-address because\n\n  # more\n  c = \"@1\"\n  d = \"@2\"\n}\n",
                vec![1],
            ),
            ("a {\n  c = \"@1\" /* wgform:ignore=unused-local */\n  d = \"@2\"\n}\n", vec![1]),
            (
                "a {\n  c = [\n    \"@1\",\n  ] # wgform:ignore=unused-local\n  d = \"@2\"\n}\n",
                vec![1],
            ),
            (
                "a {\n  c = [\n    # wgform:ignore=unused-local\n    \"@1\",\n  ]\n  d = \"@2\"\n}\n",
                vec![1],
            ),
            ("a {\n  c = \"# wgform:ignore=unused-local @1\"\n}\n", vec![]),
            ("# wgform:ignore=unused-variable\na = \"@1\"\n", vec![]),
            ("a = \"@1\"\n# wgform:ignore=unused-local\n", vec![]),
            (
                "# wgform:ignore=unused-local\na {\n  b {\n    c = \"@1\"\n  }\n  d = \"@2\"\n}\ne = \"@3\"\n",
                vec![1, 2],
            ),
        ] {
            assert_eq!(silenced(text), expected, "{text}");
        }
    }

    #[test]
    fn ranges_may_lie_in_each_other() {
        let text = "# wgform:ignore=unused-local\na {\n  # wgform:ignore=unused-local\n  b = \"@1\"\n  c = \"@2\"\n}\nd = \"@3\"\n";
        assert_eq!(silenced(text), [1, 2]);
    }
}
