//! Bytes of a text replaced by others, and which lines differ by that.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::SourceText;
use crate::format::formatted;

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// In which text.
    pub source: Arc<SourceText>,
    /// Which bytes.
    pub range: Range<usize>,
    /// By what.
    pub text: String,
}

impl Edit {
    pub(super) fn new(source: &Arc<SourceText>, range: Range<usize>, text: String) -> Self {
        Self { source: source.clone(), range, text }
    }

    /// Returns what it is in order by.
    pub(super) fn place(&self) -> (&str, usize, usize, &str) {
        (&self.source.name, self.range.start, self.range.end, &self.text)
    }
}

/// A text before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Before.
    pub before: Arc<SourceText>,
    /// After.
    pub after: String,
    /// The lines that were touched, before and after. All others are as many as they were.
    pub regions: Vec<(Range<usize>, Range<usize>)>,
}

/// Carries out edits, and returns each text that has one, by name. Two edits that are the same are one.
pub fn spliced<'e>(edits: impl IntoIterator<Item = &'e Edit>) -> BTreeMap<String, Revision> {
    let mut by_name: BTreeMap<&str, Vec<&Edit>> = BTreeMap::new();
    for edit in edits {
        by_name.entry(&edit.source.name).or_default().push(edit);
    }
    let mut revisions = BTreeMap::new();
    for (name, mut edits) in by_name {
        edits.sort_by_key(|it| it.place());
        edits.dedup_by_key(|it| it.place());
        revisions.insert(name.to_owned(), revision(&edits));
    }
    revisions
}

fn revision(edits: &[&Edit]) -> Revision {
    let before = edits[0].source.clone();
    let text = &before.text;
    let mut after = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for edit in edits {
        after += &text[at..edit.range.start];
        after += &edit.text;
        at = edit.range.end;
    }
    after += &text[at..];
    let regions = regions(text, edits);
    Revision { before, after, regions }
}

/// Returns the lines that edits touch, before and after.
fn regions(text: &str, edits: &[&Edit]) -> Vec<(Range<usize>, Range<usize>)> {
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let lines = ends.len() + usize::from(!text.is_empty() && !text.ends_with('\n'));
    let line_of = |offset: usize| ends.partition_point(|end| *end < offset);
    let breaks = |text: &str| text.matches('\n').count();
    let mut all: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    let (mut added, mut removed) = (0, 0);
    for edit in edits {
        let first = line_of(edit.range.start).min(lines);
        let last = (line_of(edit.range.end) + 1).min(lines).max(first);
        let start = first + added - removed;
        added += breaks(&edit.text);
        removed += breaks(&text[edit.range.clone()]);
        let end = last + added - removed;
        match all.last_mut().filter(|(old, _)| old.end > first) {
            Some((old, new)) => {
                old.end = old.end.max(last);
                new.end = old.end + added - removed;
            }
            None => all.push((first..last, start..end)),
        }
    }
    all
}

impl Revision {
    /// Lays the text out, if it was laid out before.
    #[must_use]
    pub fn laid_out(self) -> Self {
        let is_laid_out = formatted(&self.before.text).is_ok_and(|it| it == self.before.text);
        match formatted(&self.after) {
            Ok(after) if is_laid_out => Self { after, ..self },
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::adopt::splice::{Edit, spliced};
    use crate::diagnostic::SourceText;

    #[test]
    fn lines_are_counted_through_what_is_added_and_removed() {
        let text = "a\nb\nc\nd\ne\n".to_owned();
        let source = Arc::new(SourceText { name: "x".to_owned(), text, secrets: Vec::new() });
        let edits = [
            Edit::new(&source, 8..9, "E".to_owned()),
            Edit::new(&source, 2..4, String::new()),
            Edit::new(&source, 6..6, "new\n".to_owned()),
            Edit::new(&source, 6..6, "new\n".to_owned()),
        ];
        let revision = &spliced(&edits)["x"];
        assert_eq!(revision.after, "a\nc\nnew\nd\nE\n");
        assert_eq!(revision.regions, [(1..3, 1..2), (3..4, 2..4), (4..5, 4..5)]);
    }
}
