//! Functions on lists and maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation as _;

use crate::config::function::{Answer, Call, Failure, fits};
use crate::config::value::{Data, Map, Value};

pub(super) fn alltrue(call: &Call) -> Answer {
    for item in call.items(0)? {
        if !truth(item)? {
            return Ok(false.into());
        }
    }
    Ok(true.into())
}

/// Whether one is true; the others need not be known then.
pub(super) fn anytrue(call: &Call) -> Answer {
    let is_sensitive = call.arguments[0].is_sensitive_anywhere();
    if call.arguments[0].is_unknown() {
        return Ok(call.unknown());
    }
    let mut is_unknown = false;
    for item in call.items(0)? {
        is_unknown |= item.is_unknown();
        if !item.is_unknown() && truth(item)? {
            return Ok(Value::from(true).marked(is_sensitive));
        }
    }
    let value = if is_unknown { Value::UNKNOWN } else { false.into() };
    Ok(value.marked(is_sensitive))
}

/// What an element counts as: `null` is not true.
fn truth(item: &Value) -> Answer<bool> {
    if item.is_null() {
        return Ok(false);
    }
    let wrong = || {
        let message = format!("every element has to be true or false, and one is {}", item.shown());
        Failure::at(0, message)
    };
    item.to_bool().ok_or_else(wrong)
}

pub(super) fn chunklist(call: &Call) -> Answer {
    let (items, size) = (call.in_one_type(call.items(0)?, 0)?, call.integer(1)?);
    let size = match usize::try_from(size) {
        Ok(0) => items.len().max(1),
        Ok(size) => size,
        Err(_) => return Err(Failure::at(1, "a size cannot be negative")),
    };
    Ok(Value::list(items.chunks(size).map(|chunk| Value::list(chunk.to_vec())).collect()))
}

pub(super) fn coalesce(call: &Call) -> Answer {
    let is_sensitive = call.arguments.iter().any(|value| value.is_sensitive);
    let values = call.in_one_type(call.arguments, call.arguments.len() - 1)?;
    for value in values {
        if value.is_unknown() {
            return Ok(call.unknown());
        }
        let is_empty = matches!(&value.data, Data::Text(text) if text.is_empty());
        if !value.is_null() && !is_empty {
            return Ok(value.marked(is_sensitive));
        }
    }
    Err(Failure::whole("every argument is null or an empty string"))
}

/// The first list that has elements.
pub(super) fn coalescelist(call: &Call) -> Answer {
    let has_parts = |value: &Value| !(value.is_null() || value.is_unknown());
    for (i, _) in call.arguments.iter().enumerate().filter(|(_, value)| has_parts(value)) {
        call.list(i)?;
    }
    let is_empty = |value: &&Value| value.items().is_none_or(<[Value]>::is_empty);
    let is_sensitive = call.arguments.iter().any(Value::is_sensitive_anywhere);
    let found = call.arguments.iter().find(|value| value.is_unknown() || !is_empty(value));
    let found = found.ok_or_else(|| Failure::whole("every list is null or empty"))?;
    Ok(found.clone().marked(is_sensitive))
}

pub(super) fn compact(call: &Call) -> Answer {
    let items = call.items(0)?;
    if items.iter().any(|item| !item.is_null() && item.to_text().is_none()) {
        return Err(Failure::at(0, "every element has to be a string"));
    }
    let texts = items.iter().filter_map(Value::to_text).filter(|text| !text.is_empty());
    Ok(Value::list(texts.map(Value::text).collect()))
}

pub(super) fn concat(call: &Call) -> Answer {
    let mut all = Vec::new();
    for i in 0..call.arguments.len() {
        all.extend_from_slice(call.list(i)?);
    }
    Ok(Value::list(all))
}

/// Whether a list has a value; what is not known does not matter when another element is it.
pub(super) fn contains(call: &Call) -> Answer {
    let [list, wanted] = call.arguments else {
        return Err(Failure::whole("`contains` takes a list and a value"));
    };
    if list.is_null() {
        return Err(Failure::at(0, "this is null, and may not be"));
    }
    if list.is_unknown() || wanted.is_unknown_anywhere() {
        return Ok(call.unknown());
    }
    let is_it = |item: &&Value| !item.is_unknown_anywhere() && item.order(wanted).is_eq();
    let value = match call.items(0)?.iter().find(is_it) {
        Some(_) => true.into(),
        None if list.is_unknown_anywhere() => Value::UNKNOWN,
        None => false.into(),
    };
    Ok(value.marked(list.is_sensitive_anywhere() || wanted.is_sensitive_anywhere()))
}

pub(super) fn distinct(call: &Call) -> Answer {
    let items = &*call.in_one_type(call.items(0)?, 0)?;
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| items[*a].order(&items[*b]).then(a.cmp(b)));
    order.dedup_by(|later, first| items[*later].order(&items[*first]).is_eq());
    order.sort_unstable();
    Ok(Value::list(order.into_iter().map(|i| items[i].clone()).collect()))
}

/// The element at an index, which wraps round at both ends.
pub(super) fn element(call: &Call) -> Answer {
    let (items, index) = (call.list(0)?, call.integer(1)?);
    let n = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if n == 0 {
        return Err(Failure::at(0, "an empty list has no element"));
    }
    let index = usize::try_from(index.rem_euclid(n)).unwrap_or_default();
    Ok(items[index].clone())
}

pub(super) fn flatten(call: &Call) -> Answer {
    let mut flat = Vec::new();
    let mut is_unknown = false;
    flatten_into(call.items(0)?, false, &mut flat, &mut is_unknown);
    if is_unknown {
        let is_sensitive = flat.iter().any(Value::is_sensitive_anywhere);
        return Ok(Value::UNKNOWN.marked(is_sensitive));
    }
    Ok(Value::list(flat))
}

fn flatten_into(items: &[Value], is_sensitive: bool, flat: &mut Vec<Value>, is_unknown: &mut bool) {
    for item in items {
        let is_sensitive = is_sensitive || item.is_sensitive;
        match item.items() {
            Some(inner) => flatten_into(inner, is_sensitive, flat, is_unknown),
            None => {
                // It may turn out to be a list of any length.
                *is_unknown |= item.is_unknown();
                flat.push(item.clone().marked(is_sensitive));
            }
        }
    }
}

pub(super) fn keys(call: &Call) -> Answer {
    Ok(Value::list(call.map(0)?.keys().map(|key| Value::text(key.clone())).collect()))
}

pub(super) fn values(call: &Call) -> Answer {
    Ok(Value::list(call.map(0)?.values().cloned().collect()))
}

pub(super) fn length(call: &Call) -> Answer {
    let value = &call.arguments[0];
    let n = match &value.data {
        Data::Text(text) => text.graphemes(true).count(),
        Data::List(items) | Data::Set(items) => items.len(),
        Data::Map(map) => map.len(),
        _ => return Err(Failure::wanted(0, "a string, a list, a set or a map", value)),
    };
    Ok(Value::count(n))
}

pub(super) fn lookup(call: &Call) -> Answer {
    let [map, key, default @ ..] = call.arguments else {
        return Err(Failure::whole("`lookup` takes a map and a key"));
    };
    let is_sensitive = map.is_sensitive || key.is_sensitive;
    if map.is_unknown() || key.is_unknown() {
        let is_sensitive = call.arguments.iter().any(Value::is_sensitive_anywhere);
        return Ok(Value::UNKNOWN.marked(is_sensitive));
    }
    let name = call.text(1)?;
    match (call.map(0)?.get(&name), default) {
        (Some(found), _) => Ok(found.clone().marked(is_sensitive)),
        (None, [default, ..]) => Ok(default.clone().marked(is_sensitive)),
        (None, []) => Err(Failure::at(1, format!("there is no key {name:?} in the map"))
            .hint("Give a third argument to use when there is none.")),
    }
}

/// Merges maps, later ones over earlier ones; `null` counts as empty.
pub(super) fn merge(call: &Call) -> Answer {
    let is_sensitive = call.arguments.iter().any(|map| map.is_sensitive);
    if call.arguments.iter().any(Value::is_unknown) {
        let nested = call.arguments.iter().any(Value::is_sensitive_anywhere);
        return Ok(Value::UNKNOWN.marked(is_sensitive || nested));
    }
    let mut merged = Map::new();
    for (i, argument) in call.arguments.iter().enumerate() {
        if !argument.is_null() {
            merged.extend(call.map(i)?.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
    }
    Ok(Value::map(merged).marked(is_sensitive))
}

/// Where a value is in a list.
pub(super) fn index(call: &Call) -> Answer {
    let (items, wanted) = (call.list(0)?, &call.arguments[1]);
    let found = items.iter().position(|item| item.order(wanted).is_eq());
    found.map(Value::count).ok_or_else(|| {
        Failure::at(1, format!("the list does not hold {}", wanted.shown()))
            .hint("Ask first with `contains(list, value)`.")
    })
}

/// The values at the places at which a list of keys has one of the wanted keys.
pub(super) fn matchkeys(call: &Call) -> Answer {
    let (values, keys, wanted) = (call.items(0)?, call.items(1)?, call.items(2)?);
    if values.len() != keys.len() {
        let (keys, values) = (keys.len(), values.len());
        let message = format!("the number of keys, {keys}, is not that of the values, {values}");
        return Err(Failure::at(1, message));
    }
    let all: Vec<Value> = keys.iter().chain(wanted).cloned().collect();
    let all = call.in_one_type(&all, 2)?;
    let (keys, wanted) = all.split_at(keys.len());
    let mut wanted = wanted.to_vec();
    wanted.sort_by(Value::order);
    let is_wanted = |key: &Value| wanted.binary_search_by(|it| it.order(key)).is_ok();
    let chosen = values.iter().zip(keys).filter(|(_, key)| is_wanted(key));
    Ok(Value::list(chosen.map(|(value, _)| value.clone()).collect()))
}

/// The only element, or null when there is none.
pub(super) fn one(call: &Call) -> Answer {
    match call.items(0)? {
        [] => Ok(Value::NULL),
        [only] => Ok(only.clone()),
        several => {
            let message = format!("this may have one element at most, and has {}", several.len());
            Err(Failure::at(0, message))
        }
    }
}

pub(super) fn reverse(call: &Call) -> Answer {
    Ok(Value::list(call.items(0)?.iter().rev().cloned().collect()))
}

pub(super) fn slice(call: &Call) -> Answer {
    let (items, start, end) = (call.list(0)?, call.integer(1)?, call.integer(2)?);
    let n = items.len();
    let place = |i: usize, at: i64| {
        let inside = usize::try_from(at).ok().filter(|at| *at <= n);
        inside.ok_or_else(|| Failure::at(i, format!("{at} is no place in a list of {n}")))
    };
    let (start, end) = (place(1, start)?, place(2, end)?);
    match items.get(start..end) {
        Some(part) => Ok(Value::list(part.to_vec())),
        None => Err(Failure::at(1, format!("the start {start} is behind the end {end}"))),
    }
}

/// The elements as strings, in the order of their bytes.
pub(super) fn sort(call: &Call) -> Answer {
    let mut texts = call.texts(0)?;
    texts.sort_unstable();
    Ok(Value::list(texts.into_iter().map(Value::text).collect()))
}

/// A map of lists with keys and elements swapped.
pub(super) fn transpose(call: &Call) -> Answer {
    let mut made: BTreeMap<Arc<str>, Vec<Arc<str>>> = BTreeMap::new();
    for (key, list) in call.map(0)? {
        let texts = list.items().map(|items| items.iter().map(Value::to_text).collect());
        let Some(texts) = texts.and_then(|texts: Option<Vec<_>>| texts) else {
            let message =
                format!("every value has to be a list of strings, and that of {key:?} is not");
            return Err(Failure::at(0, message));
        };
        for text in texts {
            made.entry(text).or_default().push(key.clone());
        }
    }
    let keys = made.values().flatten().fold(0, |sum: usize, key| sum.saturating_add(key.len()));
    fits(keys)?;
    let list = |keys: Vec<Arc<str>>| Value::list(keys.into_iter().map(Value::text).collect());
    Ok(Value::map(made.into_iter().map(|(text, keys)| (text, list(keys))).collect()))
}

pub(super) fn zipmap(call: &Call) -> Answer {
    if call.arguments[0].is_unknown_anywhere() {
        return Ok(call.unknown());
    }
    let (keys, values) = (call.texts(0)?, call.list(1)?);
    if keys.len() != values.len() {
        let (keys, values) = (keys.len(), values.len());
        let message = format!("the number of values, {values}, is not that of the keys, {keys}");
        return Err(Failure::at(1, message));
    }
    let is_sensitive = call.arguments[0].is_sensitive_anywhere();
    let map: Map = keys.into_iter().zip(values.iter().cloned()).collect();
    Ok(Value::map(map).marked(is_sensitive))
}
