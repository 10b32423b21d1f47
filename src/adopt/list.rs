//! Elements added to a list and removed from it where it is, with everything around them kept.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::adopt::page::Page;
use crate::adopt::splice::Edit;
use crate::config::WrittenElement;

/// What becomes of a list.
pub(super) struct Wanted<'w> {
    /// To add, as HCL.
    pub(super) add: &'w [String],
    /// To remove, in canonical form.
    pub(super) remove: &'w BTreeSet<String>,
    /// Brings the value of an element into canonical form.
    pub(super) canonical: &'w dyn Fn(&str) -> Option<String>,
}

/// Returns what is replaced, and the comments that go with their lines.
///
/// # Errors
/// When what is to be removed is no element of its own.
pub(super) fn edits(
    page: &Page,
    list: &Range<usize>,
    elements: &[WrittenElement],
    wanted: &Wanted<'_>,
) -> Result<(Vec<Edit>, Vec<String>), String> {
    let Wanted { add, remove, canonical } = wanted;
    let of = |it: &WrittenElement| it.text.as_deref().and_then(canonical);
    let goes = |it: &WrittenElement| of(it).is_some_and(|text| remove.contains(&text));
    let found: BTreeSet<String> = elements.iter().filter_map(of).collect();
    if let Some(lost) = remove.iter().find(|it| !found.contains(*it)) {
        return Err(format!("no element of this list is `{lost}` by itself"));
    }
    let going: Vec<&WrittenElement> = elements.iter().filter(|it| goes(it)).collect();
    if let ([new], [old]) = (add, going.as_slice())
        && let Some(literal) = &old.literal
    {
        return Ok((vec![Edit::new(&literal.source, literal.range.clone(), new.clone())], vec![]));
    }
    let kept: Vec<&WrittenElement> = elements.iter().filter(|it| !goes(it)).collect();
    let inner = list.start + 1..list.end - 1;
    let is_one_line = !page.text()[inner.clone()].contains('\n');
    if is_one_line && !page.has_comment(inner.clone()) {
        return Ok((vec![in_one_line(page, &inner, elements, &kept, add)], Vec::new()));
    }
    let rows = Rows { page, inner, elements, kept: &kept };
    let (mut edits, comments) = rows.removed(&going);
    edits.extend(rows.added(add, &going));
    Ok((edits, comments))
}

/// Writes the inside of a list anew that has no line end and no comment in it.
fn in_one_line(
    page: &Page,
    inner: &Range<usize>,
    elements: &[WrittenElement],
    kept: &[&WrittenElement],
    add: &[String],
) -> Edit {
    let text = &page.text()[inner.clone()];
    let between = elements.windows(2).next();
    let between = between.map(|it| &page.text()[it[0].range.end..it[1].range.start]);
    let texts = kept.iter().map(|it| &page.text()[it.range.clone()]);
    let texts: Vec<&str> = texts.chain(add.iter().map(String::as_str)).collect();
    let blanks = |text: &str| text.len() - text.trim_start().len();
    let end = text.len() - text.trim_end().len();
    let (start, end) = match texts.is_empty() || text.trim().is_empty() {
        true => ("", ""),
        false => (&text[..blanks(text)], &text[text.len() - end..]),
    };
    let last = elements.last().and_then(|it| page.comma_after(it.range.end));
    let comma = if last.is_some() && !texts.is_empty() { "," } else { "" };
    let line = texts.join(between.unwrap_or(", "));
    Edit::new(&page.source, inner.clone(), format!("{start}{line}{comma}{end}"))
}

/// A list over several lines.
struct Rows<'r> {
    page: &'r Page,
    inner: Range<usize>,
    elements: &'r [WrittenElement],
    kept: &'r [&'r WrittenElement],
}

impl Rows<'_> {
    /// Returns where an element ends, with its comma.
    fn end_of(&self, element: &WrittenElement) -> usize {
        self.page.comma_after(element.range.end).map_or(element.range.end, |it| it.end)
    }

    fn removed(&self, going: &[&WrittenElement]) -> (Vec<Edit>, Vec<String>) {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for element in going {
            let (start, end) = (element.range.start, self.end_of(element));
            let is_blank = |from: usize| {
                self.page.text()[from..start].chars().all(|c| matches!(c, ' ' | '\t'))
            };
            match ranges.last_mut().filter(|it| is_blank(it.end)) {
                Some(last) => last.end = end,
                None => ranges.push(start..end),
            }
        }
        let mut edits = Vec::new();
        let mut comments = Vec::new();
        for Range { start, end } in ranges {
            let rest = self.page.rest(end).filter(|it| it.0 <= self.inner.end);
            let line = self.page.line_start(start);
            let is_alone = self.page.is_first(start) && line >= self.inner.start;
            let range = match rest {
                Some((next, comment)) if is_alone => {
                    comments.extend(comment.map(str::to_owned));
                    line..next
                }
                _ => self.inline(start, end),
            };
            edits.push(Edit::new(&self.page.source, range, String::new()));
        }
        (edits, comments)
    }

    /// Returns elements among others in their line, with the blanks on one side of them.
    fn inline(&self, start: usize, end: usize) -> Range<usize> {
        let after = &self.page.text()[end..self.inner.end];
        let blanks = after.len() - after.trim_start_matches([' ', '\t']).len();
        let ends_line = after[blanks..].starts_with(['\r', '\n', '#', '/']);
        if !ends_line && blanks < after.len() {
            return start..end + blanks;
        }
        let before = &self.page.text()[self.inner.start..start];
        let kept = before.trim_end_matches([' ', '\t']).len();
        self.inner.start + kept..end
    }

    fn added(&self, add: &[String], going: &[&WrittenElement]) -> Vec<Edit> {
        let last = self.elements.last();
        let ends_with_comma = last.is_none_or(|it| self.page.comma_after(it.range.end).is_some());
        let Some(anchor) = self.kept.last() else {
            return self.first(add, going, ends_with_comma);
        };
        let mut edits = Vec::new();
        let comma = self.page.comma_after(anchor.range.end);
        if add.is_empty() {
            // The last element has no comma, as before.
            edits.extend(comma.filter(|_| !ends_with_comma).map(|it| self.edit(it, "")));
            return edits;
        }
        let end = self.end_of(anchor);
        let page = self.page;
        let separator = if comma.is_none() { "," } else { "" };
        match page.rest(end).filter(|it| it.0 <= self.inner.end) {
            Some((next, _)) => {
                if comma.is_none() {
                    edits.push(self.edit(end..end, separator));
                }
                let indent = page.indent(anchor.range.start);
                let rows = rows(add, indent, page.newline, ends_with_comma);
                edits.push(self.edit(next..next, &rows));
            }
            None => {
                let comma = if ends_with_comma { "," } else { "" };
                let text = format!("{separator} {}{comma}", add.join(", "));
                edits.push(self.edit(end..end, &text));
            }
        }
        edits
    }

    /// Adds to a list of which nothing else is left.
    fn first(&self, add: &[String], going: &[&WrittenElement], has_comma: bool) -> Vec<Edit> {
        if add.is_empty() {
            return Vec::new();
        }
        let page = self.page;
        let outer = page.indent(self.inner.start);
        let row = going.first().filter(|it| page.is_first(it.range.start));
        let indent =
            row.map_or_else(|| format!("{outer}  "), |it| page.indent(it.range.start).to_owned());
        let at = page.rest(self.inner.start).map_or(self.inner.start, |it| it.0);
        let at = at.min(self.inner.end);
        let rows = rows(add, &indent, page.newline, has_comma);
        match at == self.inner.start {
            true => vec![self.edit(at..at, &format!("{}{rows}{outer}", page.newline))],
            false => vec![self.edit(at..at, &rows)],
        }
    }

    fn edit(&self, range: Range<usize>, text: &str) -> Edit {
        Edit::new(&self.page.source, range, text.to_owned())
    }
}

/// Writes one line for each element.
pub(super) fn rows(elements: &[String], indent: &str, newline: &str, has_comma: bool) -> String {
    let last = elements.len().saturating_sub(1);
    let row = |(at, it): (usize, &String)| {
        let comma = if at < last || has_comma { "," } else { "" };
        format!("{indent}{it}{comma}{newline}")
    };
    elements.iter().enumerate().map(row).collect()
}
