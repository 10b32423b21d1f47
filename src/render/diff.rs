//! Two layouts of a text as a unified diff.
//!
//! A layout keeps lines, so that each is compared with the one in its place: a general diff takes time that grows with
//! the square of what differs, and after `fmt` that may be all.

use similar::DiffOp;
use similar::udiff::UnifiedHunkHeader;

use crate::diagnostic::SourceText;
use crate::render::{Paint, Style, printable};
use crate::token::{Token, TokenKind, scan};

/// How many lines are shown around what differs.
const CONTEXT: usize = 3;

/// Draws what differs between the lines of two texts; nothing when they are the same.
pub fn unified(name: &str, before: &str, after: &str, paint: Paint) -> String {
    let before: Vec<&str> = before.split_inclusive('\n').collect();
    let after: Vec<&str> = after.split_inclusive('\n').collect();
    let mut text = String::new();
    for hunk in similar::group_diff_ops(operations(&before, &after), CONTEXT) {
        if text.is_empty() {
            let name = printable(name);
            text += &paint.paint(Style::Bold, format!("--- old/{name}\n+++ new/{name}"));
            text.push('\n');
        }
        text += &paint.paint(Style::Dim, UnifiedHunkHeader::new(&hunk).to_string());
        text.push('\n');
        for operation in hunk {
            let is_same = matches!(operation, DiffOp::Equal { .. });
            let (old, new) = (&before[operation.old_range()], &after[operation.new_range()]);
            if is_same {
                old.iter().for_each(|line| text += &drawn(' ', line, None, paint));
            } else {
                old.iter().for_each(|line| text += &drawn('-', line, Some(Style::Remove), paint));
                new.iter().for_each(|line| text += &drawn('+', line, Some(Style::Add), paint));
            }
        }
    }
    text
}

/// Says which lines are as they were and which are not.
fn operations(before: &[&str], after: &[&str]) -> Vec<DiffOp> {
    let both = before.len().min(after.len());
    let mut operations = Vec::new();
    let mut at = 0;
    let pairs: Vec<bool> = before.iter().zip(after).map(|(old, new)| old == new).collect();
    for run in pairs.chunk_by(|a, b| a == b) {
        let len = run.len();
        operations.push(if run[0] {
            DiffOp::Equal { old_index: at, new_index: at, len }
        } else {
            DiffOp::Replace { old_index: at, old_len: len, new_index: at, new_len: len }
        });
        at += len;
    }
    let (old_len, new_len) = (before.len() - both, after.len() - both);
    if old_len > 0 {
        operations.push(DiffOp::Delete { old_index: both, old_len, new_index: both });
    }
    if new_len > 0 {
        operations.push(DiffOp::Insert { old_index: both, new_index: both, new_len });
    }
    operations
}

pub(super) fn drawn(mark: char, line: &str, style: Option<Style>, paint: Paint) -> String {
    let whole = line.strip_suffix('\n');
    let shown = whole.unwrap_or(line);
    let shown = printable(shown.strip_suffix('\r').unwrap_or(shown)).into_owned();
    let shown = format!("{mark}{shown}");
    let shown = style.map_or_else(|| shown.clone(), |style| paint.paint(style, &shown));
    let end = if whole.is_some() { "\n" } else { "\n\\ No newline at end of file\n" };
    shown + end
}

/// Returns a text with its secrets masked, letter by letter as diagnostics mask them. What is between tokens stays, so
/// that a layout can be compared.
pub fn masked(source: &SourceText) -> String {
    let SourceText { name: _, text, secrets } = source;
    let mut secrets: Vec<_> = secrets.iter().collect();
    secrets.sort_by_key(|range| range.start);
    let mut masked = String::with_capacity(text.len());
    // How far the secrets reach that start before the token.
    let (mut next, mut reach) = (0, 0);
    for token in scan(text) {
        let Token { kind, range, is_closed: _ } = &token;
        while let Some(secret) = secrets.get(next).filter(|secret| secret.start < range.end) {
            reach = reach.max(secret.end);
            next += 1;
        }
        let is_value = matches!(
            kind,
            TokenKind::Text | TokenKind::Number | TokenKind::LineComment | TokenKind::BlockComment
        );
        if is_value && reach > range.start {
            let mask = |c: char| if c.is_whitespace() { c } else { '*' };
            masked.extend(token.text(text).chars().map(mask));
        } else {
            masked += token.text(text);
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::SourceText;
    use crate::render::Paint;
    use crate::render::diff::{masked, unified};

    #[test]
    fn lines_that_differ_stand_among_three_that_do_not() {
        let before = "1\n2\n3\n4\n5\r\n6\n7\n8\n9\n10\n11\n12\n13\n\n";
        let after = "1\n2\n3\n4\nfive\r\n6\n7\n8\n9\n10\n11\n12\n13\n";
        insta::assert_snapshot!(unified("a.wg.hcl", before, after, Paint::PLAIN), @r"
        --- old/a.wg.hcl
        +++ new/a.wg.hcl
        @@ -2,7 +2,7 @@
         2
         3
         4
        -5
        +five
         6
         7
         8
        @@ -11,4 +11,3 @@
         11
         12
         13
        -
        ");
    }

    #[test]
    fn the_same_is_nothing_and_what_has_no_line_end_says_so() {
        assert_eq!(unified("a", "x\n", "x\n", Paint::PLAIN), "");
        assert_eq!(
            unified("a", "x", "x\n", Paint { colour: true }),
            "\u{1b}[1m--- old/a\n+++ new/a\u{1b}[0m\n\u{1b}[2m@@ -1 +1 @@\u{1b}[0m\n\
             \u{1b}[31m-x\u{1b}[0m\n\\ No newline at end of file\n\u{1b}[32m+x\u{1b}[0m\n"
        );
    }

    #[test]
    fn secrets_are_masked_and_their_layout_is_not() {
        let text = "a=\"süß x${ b }y\"\nc = 12 # 12\n".to_owned();
        let mut source = SourceText { name: "a".to_owned(), text, secrets: vec![] };
        assert_eq!(masked(&source), source.text);
        source.secrets = vec![22..25, 2..19, 3..4];
        assert_eq!(masked(&source), "a=\"*** *${ b }*\"\nc = ** # 12\n");
    }
}
