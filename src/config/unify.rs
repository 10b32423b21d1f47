//! One type for several values, as a condition and a list need it: Terraform's rules.
//!
//! A value does not carry its type, so a list counts as a tuple and a map as an object until they meet another shape.
//! That gives the same results; only `==` of a tuple and a list, which Terraform calls unequal, is true here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::types::{Member, Type};
use crate::config::value::{Data, Value};

/// Returns the values in one type; none when there is no such type.
pub(crate) fn unified(values: &[Value]) -> Option<Vec<Value>> {
    if values.iter().all(|it| matches!(it.data, Data::Text(_))) {
        return Some(values.to_vec());
    }
    let types: Vec<Type> = values.iter().map(Type::of).collect();
    let mut left = looks(values);
    let one = unify(&types.iter().collect::<Vec<_>>(), &mut left)?;
    values.iter().map(|value| one.convert(value).ok()).collect()
}

/// Returns how many steps it counts to find the type of a value: each of its parts is looked at.
pub(crate) fn effort(value: &Value) -> usize {
    if value.depth() == 0 { 0 } else { value.size() / 8 }
}

/// Returns how many types may be looked at until it counts that values have none in common. Tuples that do not fit column
/// by column are tried as lists, level by level, so that without a limit a hundred levels would take for ever.
fn looks<'v>(values: impl IntoIterator<Item = &'v Value>) -> usize {
    values
        .into_iter()
        .fold(1024, |sum: usize, value| sum.saturating_add(value.size().saturating_mul(64)))
}

/// Returns a value in the type that it has together with another one.
pub(crate) fn beside(value: &Value, other: &Value) -> Option<Value> {
    let mut left = looks([value, other]);
    let one = unify(&[&Type::of(value), &Type::of(other)], &mut left)?;
    one.convert(value).ok()
}

impl Type {
    /// Returns the type that a value shows; any for what has none or is not known.
    fn of(value: &Value) -> Self {
        match &value.data {
            Data::Null | Data::Unknown | Data::Resource(_) | Data::Backend(_) | Data::Module(_) => {
                Self::Any
            }
            Data::Bool(_) => Self::Bool,
            Data::Number(_) => Self::Number,
            Data::Text(_) => Self::String,
            Data::List(items) => Self::Tuple(items.iter().map(Self::of).collect()),
            Data::Set(items) => {
                let types: Vec<Self> = items.iter().map(Self::of).collect();
                let mut left = looks(items.iter());
                let one = unify(&types.iter().collect::<Vec<_>>(), &mut left);
                Self::Set(Box::new(one.unwrap_or(Self::Any)))
            }
            Data::Map(map) => {
                let member = |value| Member::required(Self::of(value));
                Self::Object(map.iter().map(|(key, value)| (key.clone(), member(value))).collect())
            }
        }
    }

    /// Names the kinds of types of which two can become one.
    fn family(&self) -> u8 {
        match self {
            // No value that stands for a block has a type that another could get.
            Self::Any | Self::Backend | Self::Resource(_) => 0,
            Self::String | Self::Number | Self::Bool => 1,
            Self::List(_) | Self::Tuple(_) | Self::Set(_) => 2,
            Self::Map(_) | Self::Object(_) => 3,
        }
    }
}

/// Returns the type that values of all these types can have; none also when nothing is left to look at more types.
fn unify(types: &[&Type], left: &mut usize) -> Option<Type> {
    *left = left.checked_sub(types.len())?;
    let types: Vec<&Type> = types.iter().copied().filter(|it| it.family() != 0).collect();
    let Some(first) = types.first() else { return Some(Type::Any) };
    if types.iter().any(|it| it.family() != first.family()) {
        return None;
    }
    match first.family() {
        1 => scalar(&types),
        2 => sequence(&types, left),
        _ => mapping(&types, left),
    }
}

fn scalar(types: &[&Type]) -> Option<Type> {
    let all = |is: fn(&Type) -> bool| types.iter().all(|it| is(it));
    if types.iter().any(|it| matches!(it, Type::String)) {
        Some(Type::String)
    } else if all(|it| matches!(it, Type::Number)) {
        Some(Type::Number)
    } else {
        all(|it| matches!(it, Type::Bool)).then_some(Type::Bool)
    }
}

/// Tuples of one length stay tuples; others become a list, or a set where one is a set.
fn sequence(types: &[&Type], left: &mut usize) -> Option<Type> {
    let mut tuples = Vec::new();
    let (mut elements, mut is_set) = (Vec::new(), false);
    for it in types {
        match it {
            Type::Tuple(items) => {
                tuples.push(items);
                elements.extend(items.iter());
            }
            Type::Set(of) => {
                is_set = true;
                elements.push(of);
            }
            Type::List(of) => elements.push(of),
            _ => {}
        }
    }
    let is_even =
        tuples.len() == types.len() && tuples.iter().all(|it| it.len() == tuples[0].len());
    if is_even {
        let column = |i| unify(&tuples.iter().map(|items| &items[i]).collect::<Vec<_>>(), left);
        let columns: Option<Vec<Type>> = (0..tuples[0].len()).map(column).collect();
        if let Some(columns) = columns {
            return Some(Type::Tuple(columns));
        }
    }
    let one = Box::new(unify(&elements, left)?);
    Some(if is_set { Type::Set(one) } else { Type::List(one) })
}

/// Objects with the same attributes stay objects; others become a map.
fn mapping(types: &[&Type], left: &mut usize) -> Option<Type> {
    let mut columns: BTreeMap<&Arc<str>, Vec<&Type>> = BTreeMap::new();
    let mut is_map = false;
    let mut elements = Vec::new();
    for it in types {
        match it {
            Type::Object(members) => {
                for (name, member) in members {
                    columns.entry(name).or_default().push(&member.of);
                    elements.push(&member.of);
                }
            }
            Type::Map(of) => {
                is_map = true;
                elements.push(of);
            }
            _ => {}
        }
    }
    if !is_map && columns.values().all(|it| it.len() == types.len()) {
        let column = |(name, types): (&&Arc<str>, &Vec<&Type>)| {
            Some((Arc::clone(name), Member::required(unify(types, left)?)))
        };
        if let Some(members) = columns.iter().map(column).collect() {
            return Some(Type::Object(members));
        }
    }
    Some(Type::Map(Box::new(unify(&elements, left)?)))
}

/// Says why values have no type in common.
pub(crate) fn mismatch(values: &[Value]) -> String {
    let nouns: BTreeSet<_> = values.iter().map(Value::noun).collect();
    let nouns: Vec<_> = nouns.into_iter().collect();
    match nouns.as_slice() {
        [_] | [] => "these have no type in common".to_owned(),
        [others @ .., last] => {
            format!("these have no type in common: {} and {last}", others.join(", "))
        }
    }
}
