//! Edits of a text as a patch, for people with secrets masked, and for `git apply` byte for byte without them.
//!
//! Which lines were touched is known; all others are compared with the one in their place, because a layout may have moved
//! blanks in them.

use std::ops::Range;

use crate::render::diff::drawn;
use crate::render::{Paint, Style, printable};

/// How many lines are shown around what differs.
const CONTEXT: usize = 3;

/// A text before and after, as it is and as it may be shown; both have the same lines.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'t> {
    /// The name of the file.
    pub name: &'t str,
    /// As it is.
    pub before: &'t str,
    /// As it will be.
    pub after: &'t str,
    /// With secrets masked.
    pub shown_before: &'t str,
    /// With secrets masked.
    pub shown_after: &'t str,
    /// The lines that were touched, before and after.
    pub regions: &'t [(Range<usize>, Range<usize>)],
}

/// A patch that a program can apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The patch.
    pub text: String,
    /// Whether a secret stands right behind a change, so that the patch has less context than `git apply` asks for.
    pub is_bare: bool,
}

/// Lines that differ, before and after.
type Difference = (Range<usize>, Range<usize>);

struct Lines<'t> {
    before: Vec<&'t str>,
    after: Vec<&'t str>,
}

impl<'t> Lines<'t> {
    fn of(before: &'t str, after: &'t str) -> Self {
        Self {
            before: before.split_inclusive('\n').collect(),
            after: after.split_inclusive('\n').collect(),
        }
    }
}

/// Draws a patch for people.
pub fn shown(texts: Texts<'_>, paint: Paint) -> String {
    let lines = Lines::of(texts.before, texts.after);
    let look = Lines::of(texts.shown_before, texts.shown_after);
    let differences = differences(&lines, texts.regions);
    let name = printable(texts.name);
    let mut text = String::new();
    for hunk in hunks(&differences, lines.before.len(), &|_| false) {
        if text.is_empty() {
            text += &paint.paint(Style::Bold, format!("--- a/{name}\n+++ b/{name}"));
            text.push('\n');
        }
        text += &paint.paint(Style::Dim, hunk.head());
        text.push('\n');
        hunk.draw(&mut |mark, line| {
            let (line, style) = match mark {
                '-' => (look.before.get(line), Some(Style::Remove)),
                '+' => (look.after.get(line), Some(Style::Add)),
                _ => (look.before.get(line), None),
            };
            text += &drawn(mark, line.copied().unwrap_or_default(), style, paint);
        });
    }
    text
}

/// Writes a patch for programs; none where a line that differs has a secret in it.
pub fn exact(texts: Texts<'_>) -> Option<Patch> {
    let lines = Lines::of(texts.before, texts.after);
    let look = Lines::of(texts.shown_before, texts.shown_after);
    let is_secret = |line: usize| look.before.get(line) != lines.before.get(line);
    let differences = differences(&lines, texts.regions);
    let is_shown = |(old, new): &Difference| {
        let is_new = |line: usize| look.after.get(line) != lines.after.get(line);
        !old.clone().any(is_secret) && !new.clone().any(is_new)
    };
    if !differences.iter().all(is_shown) {
        return None;
    }
    let mut text = String::new();
    let mut is_bare = false;
    for hunk in hunks(&differences, lines.before.len(), &is_secret) {
        if text.is_empty() {
            // What follows a blank in a name would be taken for a time.
            let end = if texts.name.contains(' ') { "\t" } else { "" };
            text = format!("--- a/{0}{end}\n+++ b/{0}{end}\n", texts.name);
        }
        let behind = hunk.differences.last().map_or(0, |it| it.0.end);
        is_bare |= hunk.old.end == behind && behind < lines.before.len();
        text += &hunk.head();
        text.push('\n');
        hunk.draw(&mut |mark, line| {
            let all = if mark == '+' { &lines.after } else { &lines.before };
            let line = all.get(line).copied().unwrap_or_default();
            text.push(mark);
            text += line;
            if !line.ends_with('\n') {
                text += "\n\\ No newline at end of file\n";
            }
        });
    }
    Some(Patch { text, is_bare })
}

/// Finds the lines that differ, in their order.
fn differences(lines: &Lines<'_>, regions: &[Difference]) -> Vec<Difference> {
    let mut found = Vec::new();
    let (mut old, mut new) = (0, 0);
    let end = (lines.before.len()..lines.before.len(), lines.after.len()..lines.after.len());
    for (before, after) in regions.iter().chain([&end]) {
        let same = before.start.min(lines.before.len()).saturating_sub(old);
        for at in 0..same {
            if lines.before.get(old + at) != lines.after.get(new + at) {
                found.push((old + at..old + at + 1, new + at..new + at + 1));
            }
        }
        found.extend(trimmed(lines, before, after));
        (old, new) = (before.end, after.end);
    }
    joined(found)
}

/// Leaves out what is the same at both ends.
fn trimmed(lines: &Lines<'_>, old: &Range<usize>, new: &Range<usize>) -> Option<Difference> {
    let (mut old, mut new) = (old.clone(), new.clone());
    let is_same = |a: usize, b: usize| lines.before.get(a) == lines.after.get(b);
    while !old.is_empty() && !new.is_empty() && is_same(old.start, new.start) {
        old.start += 1;
        new.start += 1;
    }
    while !old.is_empty() && !new.is_empty() && is_same(old.end - 1, new.end - 1) {
        old.end -= 1;
        new.end -= 1;
    }
    (!old.is_empty() || !new.is_empty()).then_some((old, new))
}

/// Makes one of those that stand right behind each other.
fn joined(found: Vec<Difference>) -> Vec<Difference> {
    let mut joined: Vec<Difference> = Vec::new();
    for (old, new) in found {
        match joined.last_mut().filter(|it| it.0.end == old.start && it.1.end == new.start) {
            Some(last) => (last.0.end, last.1.end) = (old.end, new.end),
            None => joined.push((old, new)),
        }
    }
    joined
}

struct Hunk {
    old: Range<usize>,
    new: Range<usize>,
    differences: Vec<Difference>,
}

/// Puts differences together that share lines around them. A line where `stops` says so is not shown around any.
fn hunks(differences: &[Difference], lines: usize, stops: &dyn Fn(usize) -> bool) -> Vec<Hunk> {
    let mut hunks: Vec<Hunk> = Vec::new();
    for (old, new) in differences {
        let lead = (1..=CONTEXT.min(old.start)).take_while(|n| !stops(old.start - n)).count();
        let most = CONTEXT.min(lines.saturating_sub(old.end));
        let tail = (0..most).take_while(|n| !stops(old.end + n)).count();
        let end = (old.end + tail, new.end + tail);
        let difference = (old.clone(), new.clone());
        match hunks.last_mut().filter(|it| it.old.end >= old.start - lead) {
            Some(last) => {
                last.differences.push(difference);
                (last.old.end, last.new.end) = end;
            }
            None => hunks.push(Hunk {
                old: old.start - lead..end.0,
                new: new.start - lead..end.1,
                differences: vec![difference],
            }),
        }
    }
    hunks
}

impl Hunk {
    fn head(&self) -> String {
        let side = |range: &Range<usize>| match range.len() {
            0 => format!("{},0", range.start),
            1 => format!("{}", range.start + 1),
            n => format!("{},{n}", range.start + 1),
        };
        format!("@@ -{} +{} @@", side(&self.old), side(&self.new))
    }

    /// Calls for each line with its mark; lines that are the same are counted as before.
    fn draw(&self, line: &mut dyn FnMut(char, usize)) {
        let mut at = self.old.start;
        for (old, new) in &self.differences {
            (at..old.start).for_each(|it| line(' ', it));
            old.clone().for_each(|it| line('-', it));
            new.clone().for_each(|it| line('+', it));
            at = old.end;
        }
        (at..self.old.end).for_each(|it| line(' ', it));
    }
}

#[cfg(test)]
mod tests {
    use crate::render::Paint;
    use crate::render::patch::{Texts, exact, shown};

    #[test]
    fn secrets_are_masked_for_people_and_left_out_for_programs() {
        let before = "a\nsecret\nb\nc\nd\r\n";
        let after = "a\nsecret\nb\nnew\nC\nd\r\n";
        let texts = Texts {
            name: "x y.wg.hcl",
            before,
            after,
            shown_before: "a\n******\nb\nc\nd\r\n",
            shown_after: "a\n******\nb\nnew\nC\nd\r\n",
            regions: &[(3..4, 3..5)],
        };
        insta::assert_snapshot!(shown(texts, Paint::PLAIN), @r"
        --- a/x y.wg.hcl
        +++ b/x y.wg.hcl
        @@ -1,5 +1,6 @@
         a
         ******
         b
        -c
        +new
        +C
         d
        ");
        let patch = exact(texts).unwrap();
        assert!(!patch.is_bare);
        assert_eq!(
            patch.text,
            "--- a/x y.wg.hcl\t\n+++ b/x y.wg.hcl\t\n@@ -3,3 +3,4 @@\n b\n-c\n+new\n+C\n d\r\n"
        );
    }
}
