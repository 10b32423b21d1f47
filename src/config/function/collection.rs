//! Functions on lists, sets, maps and numbers.

use std::cmp::Ordering;

use crate::config::function::{Answer, Call, Failure};
use crate::config::value::{Data, Map, Number, Value};

/// As many elements as `range` makes at most, which is Terraform's limit.
const MAX_RANGE: usize = 1024;

pub(super) fn coalesce(call: &Call) -> Answer {
    let mut is_sensitive = false;
    let texts = call.arguments.iter().any(|value| matches!(value.data, Data::Text(_)));
    for value in call.arguments {
        is_sensitive |= value.is_sensitive;
        if value.is_unknown() {
            let is_sensitive = call.arguments.iter().any(Value::is_sensitive_anywhere);
            return Ok(Value::UNKNOWN.marked(is_sensitive));
        }
        let is_empty = matches!(&value.data, Data::Text(text) if text.is_empty());
        if !value.is_null() && !is_empty {
            let value = match value.to_text() {
                Some(text) if texts => Value::text(text),
                _ => value.clone(),
            };
            return Ok(value.marked(is_sensitive));
        }
    }
    Err(Failure::whole("every argument is null or an empty string"))
}

pub(super) fn concat(call: &Call) -> Answer {
    let mut all = Vec::new();
    for i in 0..call.arguments.len() {
        all.extend_from_slice(call.items(i)?);
    }
    Ok(Value::list(all))
}

pub(super) fn contains(call: &Call) -> Answer {
    let wanted = &call.arguments[1];
    Ok(call.items(0)?.iter().any(|item| item.order(wanted).is_eq()).into())
}

pub(super) fn distinct(call: &Call) -> Answer {
    let items = call.items(0)?;
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| items[*a].order(&items[*b]).then(a.cmp(b)));
    order.dedup_by(|later, first| items[*later].order(&items[*first]).is_eq());
    order.sort_unstable();
    Ok(Value::list(order.into_iter().map(|i| items[i].clone()).collect()))
}

/// The element at an index, which wraps round at both ends.
pub(super) fn element(call: &Call) -> Answer {
    let (items, index) = (call.items(0)?, call.integer(1)?);
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
        Data::Text(text) => text.chars().count(),
        Data::List(items) | Data::Set(items) => items.len(),
        Data::Map(map) => map.len(),
        _ => return Err(Failure::wanted(0, "a string, a list, a set or a map", value)),
    };
    Ok(Value::integer(i64::try_from(n).unwrap_or(i64::MAX)))
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

pub(super) fn max(call: &Call) -> Answer {
    extreme(call, Ordering::Greater)
}

pub(super) fn min(call: &Call) -> Answer {
    extreme(call, Ordering::Less)
}

fn extreme(call: &Call, wanted: Ordering) -> Answer {
    let mut best = call.number(0)?;
    for i in 1..call.arguments.len() {
        let number = call.number(i)?;
        if number.order(&best) == wanted {
            best = number;
        }
    }
    Ok(best.into())
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

pub(super) fn range(call: &Call) -> Answer {
    let numbers = (0..call.arguments.len()).map(|i| call.number(i)).collect::<Answer<Vec<_>>>()?;
    let (start, limit) = match numbers.as_slice() {
        [limit] => (0.0, limit.to_f64()),
        [start, limit, ..] => (start.to_f64(), limit.to_f64()),
        [] => return Err(Failure::whole("`range` takes a limit")),
    };
    let step = match numbers.get(2) {
        Some(step) => step.to_f64(),
        None if limit < start => -1.0,
        None => 1.0,
    };
    if step == 0.0 || (limit - start) * step < 0.0 {
        let message = format!("a step of {step} never gets from {start} to {limit}");
        return Err(Failure::at(numbers.len() - 1, message));
    }
    let mut made = Vec::new();
    let mut at = start;
    while (step > 0.0 && at < limit) || (step < 0.0 && at > limit) {
        if made.len() == MAX_RANGE {
            return Err(Failure::whole(format!("this makes more than {MAX_RANGE} values")));
        }
        made.push(Number::from_f64(at).map_or(Value::NULL, Value::from));
        at += step;
    }
    Ok(Value::list(made))
}
