//! What is replaced by what, for one wish at the place where its value is written.

use std::sync::Arc;

use crate::adopt::list;
use crate::adopt::literal::{canonical, literal};
use crate::adopt::page::{Page, Pages};
use crate::adopt::splice::Edit;
use crate::adopt::wish::{Target, Wish};
use crate::config::vocabulary::{ASSIGN, ASSIGN_ATTRIBUTES, CLIENT, CLIENT_ATTRIBUTES};
use crate::config::{Config, Written, WrittenAt, WrittenElement};
use crate::diagnostic::{SourceText, Span};
use crate::draft::hcl::quoted;
use crate::resource::{Field, Presence};

/// What is replaced, and the comments that go.
pub(super) type Done = (Vec<Edit>, Vec<String>);

/// Where a value cannot be written, and why.
pub(super) struct NotHere {
    pub(super) at: Option<Span>,
    pub(super) why: String,
}

impl NotHere {
    fn at(span: &Span, why: impl Into<String>) -> Self {
        Self { at: Some(span.clone()), why: why.into() }
    }
}

/// Finds the edits that a wish takes.
pub(super) fn edits(
    pages: &mut Pages,
    config: &Config,
    wish: &Wish,
    written: &Written,
) -> Result<Done, NotHere> {
    let Wish { address, attribute, target } = wish;
    let is_needed = matches!(attribute.presence, Presence::Required | Presence::RequiredNullable);
    if *target == Target::Nothing && is_needed {
        let why = format!("`{}` cannot be left out, and the device has none", attribute.name);
        return Err(NotHere { at: written.argument.clone(), why });
    }
    let edits = match (&written.at, target) {
        (WrittenAt::Made { at, why }, _) => return Err(NotHere::at(at, why.clone())),
        (WrittenAt::Literal(span) | WrittenAt::List { span, .. }, Target::Nothing) => {
            return nothing(&pages.open(&span.source), span, written);
        }
        (WrittenAt::List { span, elements }, Target::Elements { .. }) => {
            return of_list(&pages.open(&span.source), span, elements, wish);
        }
        (
            WrittenAt::Literal(span) | WrittenAt::List { span, .. },
            Target::Value(field) | Target::Elements { whole: field, .. },
        ) => replaced(&pages.open(&span.source), span, field),
        (WrittenAt::Nowhere | WrittenAt::Missing { .. }, Target::Nothing) => None,
        (
            WrittenAt::Missing { object, name },
            Target::Value(field) | Target::Elements { whole: field, .. },
        ) => with_entry(&pages.open(&object.source), object, name, field),
        (WrittenAt::Nowhere, Target::Value(field) | Target::Elements { whole: field, .. }) => {
            let head = config.span(address);
            head.and_then(|it| with_line(&pages.open(&it.source), it, attribute.name, field))
        }
    };
    let unsaid = || NotHere {
        at: written.argument.clone().or_else(|| config.span(address).cloned()),
        why: format!("`{}` has no place here that could be written to", attribute.name),
    };
    edits.map(|it| (it, Vec::new())).ok_or_else(unsaid)
}

fn replaced(page: &Page, span: &Span, field: &Field) -> Option<Vec<Edit>> {
    let old = page.text().get(span.range.clone())?;
    // What closes a heredoc stands in a line of its own.
    let end = if old.ends_with('\n') { page.newline } else { "" };
    let text = literal(field, Some(old), page, span.range.start)?;
    Some(vec![Edit::new(&page.source, span.range.clone(), text + end)])
}

/// Takes a value away: with its line where it is an argument, and else with `null` in its place.
fn nothing(page: &Page, span: &Span, written: &Written) -> Result<Done, NotHere> {
    let null = || vec![Edit::new(&page.source, span.range.clone(), "null".to_owned())];
    let own = written.argument.as_ref().filter(|_| written.via.is_empty());
    let Some(start) = own.and_then(|it| page.name_of(it.range.start)) else {
        return Ok((null(), Vec::new()));
    };
    let end = own.map_or(span.range.end, |it| it.range.end);
    let value = &page.text()[..end];
    let end = end - usize::from(value.ends_with('\n'));
    match page.rest(end).filter(|_| page.is_first(start)) {
        Some((next, comment)) => {
            let line = page.line_start(start)..next;
            let comments = comment.map(str::to_owned).into_iter().collect();
            Ok((vec![Edit::new(&page.source, line, String::new())], comments))
        }
        None => Ok((null(), Vec::new())),
    }
}

fn of_list(
    page: &Page,
    span: &Span,
    elements: &[WrittenElement],
    wish: &Wish,
) -> Result<Done, NotHere> {
    let Target::Elements { add, remove, .. } = &wish.target else {
        return Err(NotHere::at(span, "this is a list"));
    };
    let form = &wish.attribute.form;
    let add: Vec<String> = add.iter().map(|it| quoted(it)).collect();
    let wanted = list::Wanted { add: &add, remove, canonical: &|text| canonical(form, text) };
    list::edits(page, &span.range, elements, &wanted).map_err(|why| NotHere::at(span, why))
}

/// Writes an entry into an object that lacks it.
fn with_entry(page: &Page, object: &Span, name: &str, field: &Field) -> Option<Vec<Edit>> {
    let inside = page.inside(object.range.start)?;
    let source = &page.source;
    let insert = |at: usize, text: String| Edit::new(source, at..at, text);
    let Some(last) = inside.entries.last() else {
        let value = literal(field, None, page, object.range.start)?;
        let is_empty = page.text()[inside.range.clone()].trim().is_empty();
        return is_empty
            .then(|| vec![Edit::new(source, inside.range, format!(" {name} = {value} "))]);
    };
    let value = literal(field, None, page, last.start)?;
    let sign = page.text().get(last.sign.clone())?;
    let blank = if sign == ":" { "" } else { " " };
    let end = last.comma.as_ref().map_or(last.end, |it| it.end);
    let has_commas = inside.entries.iter().any(|it| it.comma.is_some());
    let is_row = page.is_first(last.start) && page.line_start(last.start) >= inside.range.start;
    match page.rest(end).filter(|it| is_row && it.0 <= inside.range.end) {
        Some((next, _)) => {
            let indent = page.indent(last.start);
            let pad = padding(page, last.start, &last.sign, name.len());
            let pad = if sign == ":" { String::new() } else { pad };
            let comma = if last.comma.is_some() { "," } else { "" };
            let row = format!("{indent}{name}{pad}{sign} {value}{comma}{}", page.newline);
            let missing = has_commas && last.comma.is_none();
            let comma = missing.then(|| insert(last.end, ",".to_owned()));
            Some(comma.into_iter().chain([insert(next, row)]).collect())
        }
        None => {
            let comma = if last.comma.is_some() { "" } else { "," };
            let after = if last.comma.is_some() { "," } else { "" };
            Some(vec![insert(end, format!("{comma} {name}{blank}{sign} {value}{after}"))])
        }
    }
}

/// Returns the blanks that put a sign under the one of another line.
fn padding(page: &Page, start: usize, sign: &std::ops::Range<usize>, width: usize) -> String {
    let column = page.text()[start..sign.start].chars().count();
    " ".repeat(column.saturating_sub(width).max(1))
}

/// Writes a line into a block, or into the block in it that an attribute belongs to.
fn with_line(page: &Page, head: &Span, attribute: &str, field: &Field) -> Option<Vec<Edit>> {
    let mut inside = page.inside(head.range.end)?;
    let (block, name) = place_of(attribute);
    if let Some(block) = block {
        match inside.blocks.iter().find(|(it, _)| it == block) {
            Some((_, open)) => inside = page.inside(*open)?,
            None => return with_block(page, &inside, (block, name), field),
        }
    }
    // Arguments come before the blocks in a block.
    let first = inside.blocks.first().map_or(usize::MAX, |it| it.1);
    let last = inside.entries.iter().rfind(|it| it.start < first).or(inside.entries.last());
    let source = &page.source;
    let Some(last) = last else {
        let outer = page.indent(inside.range.start);
        let value = literal(field, None, page, inside.range.start)?;
        let (at, newline) = (inside.range.start, page.newline);
        let line = format!("{newline}{outer}  {name} = {value}");
        let is_open = page.text()[inside.range.clone()].contains('\n');
        let end = if is_open { String::new() } else { format!("{newline}{outer}") };
        let range = if is_open { at..at } else { inside.range };
        return Some(vec![Edit::new(source, range, line + &end)]);
    };
    let value = literal(field, None, page, last.start)?;
    let is_row = page.is_first(last.start) && page.line_start(last.start) >= inside.range.start;
    if !is_row {
        return Some(opened(source, page, &inside.range, &format!("{name} = {value}")));
    }
    let (next, _) = page.rest(last.end)?;
    let pad = padding(page, last.start, &last.sign, name.len());
    let indent = page.indent(last.start);
    let line = format!("{indent}{name}{pad}= {value}{}", page.newline);
    Some(vec![Edit::new(source, next..next, line)])
}

/// Gives a block that stands in one line a line for each argument.
fn opened(
    source: &Arc<SourceText>,
    page: &Page,
    range: &std::ops::Range<usize>,
    line: &str,
) -> Vec<Edit> {
    let (outer, newline) = (page.indent(range.start), page.newline);
    let inner = page.text()[range.clone()].trim();
    let text = format!("{newline}{outer}  {inner}{newline}{outer}  {line}{newline}{outer}");
    vec![Edit::new(source, range.clone(), text)]
}

/// Writes a block with one line at the end of another one.
fn with_block(
    page: &Page,
    inside: &crate::adopt::page::Inside,
    (block, name): (&str, &str),
    field: &Field,
) -> Option<Vec<Edit>> {
    let (end, newline) = (inside.range.end, page.newline);
    let outer = page.indent(end);
    let value = literal(field, None, page, end)?;
    if !page.is_first(end) {
        return None;
    }
    let at = page.line_start(end);
    let text = format!(
        "{newline}{outer}  {block} {{{newline}{outer}    {name} = {value}{newline}{outer}  }}{newline}"
    );
    Some(vec![Edit::new(&page.source, at..at, text)])
}

/// Returns how an attribute is written: in which block of its own, and under which name there.
pub(super) fn place_of(attribute: &str) -> (Option<&'static str>, &str) {
    let client = CLIENT_ATTRIBUTES.iter().find(|it| it.1 == attribute);
    let assign = ASSIGN_ATTRIBUTES.iter().find(|it| it.1 == attribute);
    match (client, assign) {
        (Some((name, _)), _) => (Some(CLIENT.name), name),
        (_, Some((name, _))) => (Some(ASSIGN.name), name),
        _ => (None, attribute),
    }
}
