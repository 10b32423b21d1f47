//! Functions on sets.

use crate::config::function::{Answer, Call, fits};
use crate::config::value::{Data, Value};

pub(super) fn setintersection(call: &Call) -> Answer {
    combined(call, |one, other| one.iter().filter(|it| has(other, it)).cloned().collect())
}

pub(super) fn setsubtract(call: &Call) -> Answer {
    combined(call, |one, other| one.iter().filter(|it| !has(other, it)).cloned().collect())
}

pub(super) fn setunion(call: &Call) -> Answer {
    Ok(Value::set(elements(call)?))
}

/// Returns the elements of all sets, in one type.
fn elements(call: &Call) -> Answer<Vec<Value>> {
    let mut all = Vec::new();
    for i in 0..call.arguments.len() {
        all.extend_from_slice(call.items(i)?);
    }
    call.in_one_type(&all, call.arguments.len() - 1)
}

/// Combines the sets one after the other.
fn combined(call: &Call, combine: fn(&[Value], &[Value]) -> Vec<Value>) -> Answer {
    let typed = elements(call)?;
    let mut rest = &*typed;
    let mut made: Option<Vec<Value>> = None;
    for i in 0..call.arguments.len() {
        let (part, behind) = rest.split_at(call.items(i)?.len());
        rest = behind;
        let mut part = part.to_vec();
        part.sort_by(Value::order);
        // Else a long list of one value would be gone over for each of the others.
        part.dedup_by(|a, b| a.order(b).is_eq());
        made = Some(made.map_or_else(|| part.clone(), |made| combine(&made, &part)));
    }
    Ok(Value::set(made.unwrap_or_default()))
}

/// Returns whether sorted values have one.
fn has(sorted: &[Value], wanted: &Value) -> bool {
    sorted.binary_search_by(|it| it.order(wanted)).is_ok()
}

/// All ways to take one element of each; a set of them when all are sets.
pub(super) fn setproduct(call: &Call) -> Answer {
    let parts = (0..call.arguments.len()).map(|i| call.items(i)).collect::<Answer<Vec<_>>>()?;
    let count = parts.iter().fold(1, |n: usize, part| n.saturating_mul(part.len()));
    let widest = parts.iter().flat_map(|part| part.iter()).map(Value::size).max().unwrap_or(1);
    fits(count.saturating_mul(parts.len()).saturating_mul(widest))?;
    // Without this, an empty part behind long ones would let all their rows be made.
    let parts = if count == 0 { vec![&[][..]] } else { parts };
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for part in parts {
        let longer = |row: &Vec<Value>| {
            let row = row.clone();
            part.iter().map(move |item| row.iter().chain([item]).cloned().collect())
        };
        rows = rows.iter().flat_map(longer).collect();
    }
    let rows = rows.into_iter().map(Value::list).collect();
    let are_sets = call.arguments.iter().all(|it| matches!(it.data, Data::Set(_)));
    Ok(if are_sets { Value::set(rows) } else { Value::list(rows) })
}
