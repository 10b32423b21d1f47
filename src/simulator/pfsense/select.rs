//! Which objects of a list a query names, in which order, and which page of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use regex::RegexBuilder;

use crate::simulator::pfsense::config::Item;
use crate::simulator::pfsense::request::Refused;
use crate::simulator::pfsense::value::Value;

/// How a list is ordered and cut.
#[derive(Clone, Default)]
pub(super) struct Page {
    pub(super) sort_by: Option<Vec<String>>,
    pub(super) is_descending: bool,
    pub(super) is_reversed: bool,
    pub(super) limit: usize,
    pub(super) offset: usize,
    /// A list that is cut without a query keeps its ids.
    pub(super) keeps_ids: bool,
}

/// Returns the objects that a query names. A field that the objects do not have matches all of them.
pub(super) fn select(items: Vec<Item>, query: &Value, page: &Page) -> Result<Vec<Item>, Refused> {
    let query = match query {
        Value::Map(entries) => entries.as_slice(),
        _ => &[],
    };
    if query.is_empty() && page.sort_by.is_none() {
        return Ok(cut_whole_list(items, page));
    }
    let mut found = Vec::new();
    for item in items {
        if fits(&item, query)? {
            found.push(item);
        }
    }
    if let Some(fields) = &page.sort_by {
        sort(&mut found, fields, page.is_descending);
    }
    let mut found = cut(found, page);
    if page.is_reversed {
        found.reverse();
    }
    Ok(found)
}

fn cut_whole_list(mut items: Vec<Item>, page: &Page) -> Vec<Item> {
    if page.is_reversed {
        items.reverse();
    }
    let mut items = cut(items, page);
    // Cut from an offset on without a limit, PHP counts the keys of the array anew.
    let is_renumbered = page.offset > 0 && page.limit == 0 && !page.keeps_ids;
    if is_renumbered {
        let numbered = items.iter_mut().enumerate().filter(|(_, it)| it.id.int().is_some());
        numbered.for_each(|(index, item)| item.id = index.into());
    }
    items
}

fn cut(items: Vec<Item>, page: &Page) -> Vec<Item> {
    let limit = if page.limit == 0 { usize::MAX } else { page.limit };
    items.into_iter().skip(page.offset).take(limit).collect()
}

/// Sorts objects by fields, the first one first.
pub(super) fn sort(items: &mut [Item], fields: &[String], is_descending: bool) {
    items.sort_by(|a, b| {
        let by_field = fields.iter().map(|field| {
            let order = value(a, field).order(&value(b, field));
            if is_descending { order.reverse() } else { order }
        });
        by_field.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
}

fn value(item: &Item, field: &str) -> Value {
    match field {
        "id" => item.id.clone(),
        "parent_id" => item.parent.clone(),
        _ => item.object.get(field).cloned().unwrap_or_default(),
    }
}

fn fits(item: &Item, query: &[(String, Value)]) -> Result<bool, Refused> {
    for (target, wanted) in query {
        let (field, operator) = target.rsplit_once("__").unwrap_or((target, "exact"));
        let operator = Operator::named(operator)?;
        let is_known = matches!(field, "id" | "parent_id") || item.object.contains_key(field);
        if is_known && !operator.holds(&value(item, field), wanted) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[derive(Clone, Copy)]
enum Operator {
    Exact,
    Except,
    StartsWith,
    EndsWith,
    Contains,
    In,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Format,
    Regex,
}

impl Operator {
    fn named(name: &str) -> Result<Self, Refused> {
        Ok(match name {
            "exact" => Self::Exact,
            "except" => Self::Except,
            "startswith" => Self::StartsWith,
            "endswith" => Self::EndsWith,
            "contains" => Self::Contains,
            "in" => Self::In,
            "lt" => Self::Less,
            "lte" => Self::LessOrEqual,
            "gt" => Self::Greater,
            "gte" => Self::GreaterOrEqual,
            "format" => Self::Format,
            "regex" => Self::Regex,
            _ => {
                let why = format!("No QueryFilter class found with the name `{name}`.");
                return Err(Refused::new(404, "QUERY_FILTER_NOT_FOUND", why));
            }
        })
    }

    fn holds(self, value: &Value, wanted: &Value) -> bool {
        let numbers = value.number().zip(wanted.number());
        match self {
            Self::Exact => is_same(value, wanted),
            Self::Except => !is_same(value, wanted),
            Self::StartsWith => end(value, <[_]>::first).starts_with(&wanted.to_text()),
            Self::EndsWith => end(value, <[_]>::last).ends_with(&wanted.to_text()),
            Self::Contains => match value.elements() {
                Some(elements) => elements.iter().any(|element| element.equals(wanted)),
                None => value.to_text().contains(&wanted.to_text()),
            },
            Self::In => match wanted.elements() {
                Some(wanted) if value.elements().is_none() => {
                    wanted.iter().any(|wanted| value.equals(wanted))
                }
                _ => wanted.to_text().contains(&value.to_text()),
            },
            Self::Less => numbers.is_some_and(|(a, b)| a < b),
            Self::LessOrEqual => numbers.is_some_and(|(a, b)| a <= b),
            Self::Greater => numbers.is_some_and(|(a, b)| a > b),
            Self::GreaterOrEqual => numbers.is_some_and(|(a, b)| a >= b),
            Self::Format => has_format(&value.to_text(), &wanted.to_text()),
            Self::Regex => fits_pattern(&value.to_text(), &wanted.to_text()),
        }
    }
}

/// Null equals only null; all else is compared loosely.
fn is_same(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        _ => value.equals(wanted),
    }
}

fn end(value: &Value, which: for<'a> fn(&'a [Value]) -> Option<&'a Value>) -> String {
    match value {
        Value::List(list) => which(list).map(Value::to_text).unwrap_or_default(),
        _ => value.to_text(),
    }
}

fn has_format(text: &str, format: &str) -> bool {
    match format {
        "ip" => text.parse::<IpAddr>().is_ok(),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "numeric" => Value::from(text).number().is_some(),
        "port" => text.parse::<u16>().is_ok_and(|port| port > 0),
        _ => false,
    }
}

/// A pattern stands between delimiters, which may be followed by modifiers. One without them is wrong, and matches
/// nothing.
fn fits_pattern(text: &str, pattern: &str) -> bool {
    let Some(delimiter) = pattern.chars().next().filter(|it| !it.is_alphanumeric() && *it != '\\')
    else {
        return false;
    };
    let closing = match delimiter {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        '<' => '>',
        other => other,
    };
    let inner = &pattern[delimiter.len_utf8()..];
    let Some((inner, modifiers)) = inner.rsplit_once(closing) else { return false };
    let regex = RegexBuilder::new(inner)
        .case_insensitive(modifiers.contains('i'))
        .multi_line(modifiers.contains('m'))
        .dot_matches_new_line(modifiers.contains('s'))
        .build();
    regex.is_ok_and(|regex| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::simulator::pfsense::config::{Item, Object};
    use crate::simulator::pfsense::select::{Page, fits_pattern, select};
    use crate::simulator::pfsense::value::{Value, parse_query};

    fn items() -> Vec<Item> {
        let item = |(index, descr): (usize, &str)| {
            let keepalive = if index == 1 { Value::Int(25) } else { Value::Null };
            let object = Object::from([
                ("descr".to_owned(), descr.into()),
                ("persistentkeepalive".to_owned(), keepalive),
            ]);
            Item { id: index.into(), parent: Value::Null, object: Arc::new(object) }
        };
        ["hub", "branch", "laptop"].into_iter().enumerate().map(item).collect()
    }

    fn ids(query: &str, page: &Page) -> String {
        let found = select(items(), &parse_query(query), page);
        match found {
            Ok(items) => items.iter().map(|item| item.id.to_text()).collect(),
            Err(refused) => refused.id.to_owned(),
        }
    }

    #[test]
    fn a_query_names_objects_by_their_fields() {
        let all = Page::default();
        for (query, found) in [
            ("descr=branch", "1"),
            ("descr__except=branch", "02"),
            ("descr__contains=a", "12"),
            ("descr__in[]=hub&descr__in[]=laptop", "02"),
            ("descr__regex=%5Eb", ""),
            ("descr__regex=/%5EB/i", "1"),
            ("id__gt=0", "12"),
            ("persistentkeepalive=null", "02"),
            ("persistentkeepalive__lte=25", "1"),
            ("colour=red", "012"),
            ("parent_id=0", ""),
            ("descr__fuzzy=x", "QUERY_FILTER_NOT_FOUND"),
        ] {
            assert_eq!(ids(query, &all), found, "{query}");
        }
    }

    #[test]
    fn a_page_keeps_the_ids_but_for_an_offset_alone() {
        let page = |limit, offset| Page { limit, offset, ..Page::default() };
        assert_eq!(ids("", &page(1, 1)), "1");
        assert_eq!(ids("", &page(5, 50)), "");
        assert_eq!(ids("", &page(0, 1)), "01");
        assert_eq!(ids("id__gt=0", &page(0, 1)), "2");
        assert_eq!(ids("", &Page { keeps_ids: true, ..page(0, 1) }), "12");
    }

    #[test]
    fn sorting_and_reversing_keep_the_ids() {
        let sorted = Page { sort_by: Some(vec!["descr".to_owned()]), ..Page::default() };
        assert_eq!(ids("", &sorted), "102");
        assert_eq!(ids("", &Page { is_descending: true, ..sorted.clone() }), "201");
        assert_eq!(ids("", &Page { is_reversed: true, ..sorted }), "201");
        assert_eq!(ids("", &Page { is_reversed: true, ..Page::default() }), "210");
    }

    #[test]
    fn a_pattern_without_delimiters_matches_nothing() {
        assert!(fits_pattern("abc", "/^a/"));
        assert!(fits_pattern("abc", "{^a}"));
        for wrong in ["^a", "a.c", "", "/a", "/(/"] {
            assert!(!fits_pattern("abc", wrong), "{wrong}");
        }
    }
}
