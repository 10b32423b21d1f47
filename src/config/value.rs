//! Values of expressions: Terraform's, with marks for what is sensitive or not known yet.
//!
//! Every value carries its own mark, so a list with one sensitive element is not itself sensitive; but whatever is
//! computed from a sensitive value is. Big values are shared, never copied.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::config::secrets;
use crate::resource::address::path;
use crate::resource::{Address, BackendId, ModuleStep};

/// A map or an object.
pub(crate) type Map = BTreeMap<Arc<str>, Value>;

/// The value of an expression.
#[derive(Clone)]
pub(crate) struct Value {
    /// What it is.
    pub(crate) data: Data,
    /// Whether it must never be shown.
    pub(crate) is_sensitive: bool,
    /// How many collections are inside each other. It is bounded, so that walking a value cannot overflow the stack.
    depth: u8,
    /// The interface whose public key it is, as long as it is nothing else.
    origin: Option<Arc<Address>>,
    /// How many values and bytes of text are in it, each counted as often as it occurs. It is bounded, because a value
    /// that is shared a thousand times is small only until it is written down.
    size: usize,
}

/// A value without its marks.
#[derive(Clone)]
pub(crate) enum Data {
    Null,
    /// Known after apply.
    Unknown,
    Bool(bool),
    Number(Number),
    Text(Arc<str>),
    /// A list or a tuple.
    List(Arc<Vec<Value>>),
    /// A set: sorted, and without duplicates.
    Set(Arc<Vec<Value>>),
    /// A map or an object.
    Map(Arc<Map>),
    /// A resource, such as `interface.hub`.
    Resource(Arc<Address>),
    /// A backend, such as `backend.hq`.
    Backend(BackendId),
    /// A module, such as `module.site["berlin"]`, the outputs of which are evaluated when they are asked for.
    Module(Arc<Vec<ModuleStep>>),
}

/// A number: exact while it is an integer of 128 bits, else of double precision. Terraform's have 512 bits, so that there
/// `0.1 + 0.2` is `0.3`; here it is what it is in most languages.
#[derive(Clone, Copy)]
pub(crate) enum Number {
    Integer(i128),
    /// Finite, and no integer below 2^63.
    Float(f64),
}

impl Value {
    /// No value may hold more collections inside each other than this.
    pub(crate) const MAX_DEPTH: u8 = 100;
    /// No value may hold more values and bytes of text than this: a hundred times what ten thousand peers need.
    pub(crate) const MAX_SIZE: usize = if cfg!(fuzzing) { 1 << 20 } else { 1 << 25 };

    pub(crate) const NULL: Self = Self::plain(Data::Null);
    pub(crate) const UNKNOWN: Self = Self::plain(Data::Unknown);

    const fn plain(data: Data) -> Self {
        Self { data, is_sensitive: false, depth: 0, origin: None, size: 1 }
    }

    pub(crate) fn text(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        Self { size: text.len().saturating_add(1), ..Self::plain(Data::Text(text)) }
    }

    pub(crate) fn integer(number: impl Into<i128>) -> Self {
        Self::plain(Data::Number(Number::Integer(number.into())))
    }

    /// Makes the number of how many or which one.
    pub(crate) fn count(number: usize) -> Self {
        Self::integer(i64::try_from(number).unwrap_or(i64::MAX))
    }

    pub(crate) fn list(items: Vec<Self>) -> Self {
        let (depth, size) = (deeper(items.iter()), larger(items.iter()));
        Self { depth, size, ..Self::plain(Data::List(Arc::new(items))) }
    }

    /// Makes a set. A sensitive element makes the whole set sensitive, since its place says something of its value;
    /// with an unknown element it is not known how many there are.
    pub(crate) fn set(mut items: Vec<Self>) -> Self {
        let is_sensitive = items.iter().any(Self::is_sensitive_anywhere);
        if items.iter().any(Self::is_unknown_anywhere) {
            return Self::UNKNOWN.marked(is_sensitive);
        }
        items.sort_by(Self::order);
        items.dedup_by(|a, b| a.order(b) == Ordering::Equal);
        let (depth, size) = (deeper(items.iter()), larger(items.iter()));
        Self { is_sensitive, depth, size, ..Self::plain(Data::Set(Arc::new(items))) }
    }

    pub(crate) fn map(map: Map) -> Self {
        let keys = map.keys().fold(0, |sum: usize, key| sum.saturating_add(key.len()));
        let (depth, size) = (deeper(map.values()), larger(map.values()).saturating_add(keys));
        Self { depth, size, ..Self::plain(Data::Map(Arc::new(map))) }
    }

    /// Returns the value, sensitive if it was or `is_sensitive` says so.
    #[must_use]
    pub(crate) fn marked(mut self, is_sensitive: bool) -> Self {
        self.is_sensitive |= is_sensitive;
        self
    }

    /// Notes whose public key it is.
    pub(crate) fn originating(mut self, origin: Option<Arc<Address>>) -> Self {
        self.origin = origin;
        self
    }

    /// Returns the interface whose public key it is, if that is known.
    pub(crate) fn origin(&self) -> Option<&Arc<Address>> {
        self.origin.as_ref()
    }

    /// Returns how many collections are inside each other.
    pub(crate) fn depth(&self) -> u8 {
        self.depth
    }

    /// Returns how many values and bytes of text are in it.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self.data, Data::Unknown)
    }

    /// Returns whether it, or anything in it, is unknown.
    pub(crate) fn is_unknown_anywhere(&self) -> bool {
        self.any(&Self::is_unknown)
    }

    /// Returns whether it, or anything in it, is sensitive.
    pub(crate) fn is_sensitive_anywhere(&self) -> bool {
        self.any(&|value| value.is_sensitive)
    }

    fn any(&self, is: &dyn Fn(&Self) -> bool) -> bool {
        is(self)
            || match &self.data {
                Data::List(items) | Data::Set(items) => items.iter().any(|item| item.any(is)),
                Data::Map(map) => map.values().any(|item| item.any(is)),
                _ => false,
            }
    }

    /// Names its type: "a string".
    pub(crate) fn noun(&self) -> &'static str {
        match &self.data {
            Data::Null => "null",
            Data::Unknown => "a value known after apply",
            Data::Bool(_) => "a bool",
            Data::Number(_) => "a number",
            Data::Text(_) => "a string",
            Data::List(_) => "a list",
            Data::Set(_) => "a set",
            Data::Map(_) => "a map",
            Data::Resource(_) => "a resource",
            Data::Backend(_) => "a backend",
            Data::Module(_) => "a module",
        }
    }

    /// Says what it is in a message: its text when that may be shown, else its type.
    pub(crate) fn shown(&self) -> String {
        match &self.data {
            _ if self.is_sensitive => format!("{}, which is sensitive", self.noun()),
            Data::Bool(yes) => format!("`{yes}`"),
            Data::Number(number) => format!("`{number}`"),
            Data::Text(text) if !secrets::keys(text).is_empty() => {
                "a text that may be a key".to_owned()
            }
            Data::Text(text) if text.chars().count() <= 60 => format!("{:?}", &**text),
            Data::Resource(address) => format!("`{address}`"),
            Data::Backend(id) => format!("`backend.{id}`"),
            Data::Module(steps) => format!("`{}`", path(steps)),
            _ => self.noun().to_owned(),
        }
    }

    /// Returns a string's, a number's or a bool's text.
    pub(crate) fn to_text(&self) -> Option<Arc<str>> {
        match &self.data {
            Data::Text(text) => Some(text.clone()),
            Data::Number(number) => Some(number.to_string().into()),
            Data::Bool(yes) => Some(if *yes { "true" } else { "false" }.into()),
            _ => None,
        }
    }

    /// Returns a number, or the number that a string spells.
    pub(crate) fn to_number(&self) -> Option<Number> {
        match &self.data {
            Data::Number(number) => Some(*number),
            Data::Text(text) => Number::parse(text),
            _ => None,
        }
    }

    /// Returns a bool, or the one that a string spells.
    pub(crate) fn to_bool(&self) -> Option<bool> {
        match &self.data {
            Data::Bool(yes) => Some(*yes),
            Data::Text(text) => match &**text {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the elements of a list or a set.
    pub(crate) fn items(&self) -> Option<&[Self]> {
        match &self.data {
            Data::List(items) | Data::Set(items) => Some(items),
            _ => None,
        }
    }

    /// Orders values: by type, then by value. Sets are sorted by it. Marks do not count.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (&self.data, &other.data) {
            (Data::Bool(a), Data::Bool(b)) => a.cmp(b),
            (Data::Number(a), Data::Number(b)) => a.order(b),
            (Data::Text(a), Data::Text(b)) => a.cmp(b),
            (Data::List(a) | Data::Set(a), Data::List(b) | Data::Set(b))
                if self.rank() == other.rank() =>
            {
                order_all(a.iter(), b.iter(), |a, b| a.order(b))
            }
            (Data::Map(a), Data::Map(b)) => {
                order_all(a.iter(), b.iter(), |a, b| a.0.cmp(b.0).then_with(|| a.1.order(b.1)))
            }
            (Data::Resource(a), Data::Resource(b)) => a.cmp(b),
            (Data::Backend(a), Data::Backend(b)) => a.cmp(b),
            (Data::Module(a), Data::Module(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match &self.data {
            Data::Unknown => 1,
            Data::Bool(_) => 2,
            Data::Number(_) => 3,
            Data::Text(_) => 4,
            Data::List(_) => 5,
            Data::Set(_) => 6,
            Data::Map(_) => 7,
            Data::Resource(_) => 8,
            Data::Backend(_) => 9,
            Data::Module(_) => 10,
            // In a set of others it comes last.
            Data::Null => 10,
        }
    }

    /// Returns the value as JSON; none if anything in it is unknown. A resource becomes its address.
    pub(crate) fn to_json(&self) -> Option<Json> {
        Some(match &self.data {
            Data::Unknown => return None,
            Data::Null => Json::Null,
            Data::Bool(yes) => (*yes).into(),
            Data::Number(number) => number.to_json(),
            Data::Text(text) => (&**text).into(),
            Data::List(items) | Data::Set(items) => {
                Json::Array(items.iter().map(Self::to_json).collect::<Option<_>>()?)
            }
            Data::Map(map) => Json::Object(
                map.iter()
                    .map(|(key, value)| Some((key.to_string(), value.to_json()?)))
                    .collect::<Option<_>>()?,
            ),
            Data::Resource(address) => address.to_string().into(),
            Data::Backend(id) => format!("backend.{id}").into(),
            Data::Module(steps) => path(steps).into(),
        })
    }

    /// Makes the value of a JSON document.
    pub(crate) fn from_json(json: Json) -> Self {
        match json {
            Json::Null => Self::NULL,
            Json::Bool(yes) => yes.into(),
            Json::Number(number) => match number.as_i128() {
                Some(integer) => Self::integer(integer),
                None => number.as_f64().and_then(Number::from_f64).map_or(Self::NULL, Self::from),
            },
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::list(items.into_iter().map(Self::from_json).collect()),
            Json::Object(map) => Self::map(
                map.into_iter().map(|(key, value)| (key.into(), Self::from_json(value))).collect(),
            ),
        }
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::plain(Data::Bool(yes))
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::plain(Data::Number(number))
    }
}

impl From<Address> for Value {
    fn from(address: Address) -> Self {
        Self::plain(Data::Resource(Arc::new(address)))
    }
}

impl Value {
    /// Makes the value that stands for a module.
    pub(crate) fn module(steps: Vec<ModuleStep>) -> Self {
        Self::plain(Data::Module(Arc::new(steps)))
    }
}

impl From<BackendId> for Value {
    fn from(id: BackendId) -> Self {
        Self::plain(Data::Backend(id))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.data {
            _ if self.is_sensitive => f.write_str("(sensitive)"),
            Data::Null => f.write_str("null"),
            Data::Unknown => f.write_str("(unknown)"),
            Data::Bool(yes) => yes.fmt(f),
            Data::Number(number) => number.fmt(f),
            Data::Text(text) => fmt::Debug::fmt(text, f),
            Data::List(items) => f.debug_list().entries(items.iter()).finish(),
            Data::Set(items) => f.debug_set().entries(items.iter()).finish(),
            Data::Map(map) => f.debug_map().entries(map.iter()).finish(),
            Data::Resource(address) => address.fmt(f),
            Data::Backend(id) => write!(f, "backend.{id}"),
            Data::Module(steps) => f.write_str(&path(steps)),
        }
    }
}

fn deeper<'a>(items: impl Iterator<Item = &'a Value>) -> u8 {
    items.map(|item| item.depth).max().unwrap_or(0).saturating_add(1)
}

fn larger<'a>(items: impl Iterator<Item = &'a Value>) -> usize {
    items.fold(1, |sum: usize, item| sum.saturating_add(item.size))
}

fn order_all<T>(
    mut a: impl Iterator<Item = T>,
    mut b: impl Iterator<Item = T>,
    order: impl Fn(T, T) -> Ordering,
) -> Ordering {
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => match order(a, b) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
        }
    }
}

impl Number {
    /// Takes a float; none when it is not finite.
    pub(crate) fn from_f64(number: f64) -> Option<Self> {
        // 2^63. A larger one is mostly the nearest to what was meant, as `1e30` is, and its digits would look exact.
        const LIMIT: f64 = 9_223_372_036_854_775_808.0;
        if !number.is_finite() {
            None
        } else if number.fract() == 0.0 && (-LIMIT..LIMIT).contains(&number) {
            Some(Self::Integer(number as i128))
        } else {
            Some(Self::Float(number))
        }
    }

    /// Takes a number as the parser of HCL read it: exact below 2^64.
    pub(crate) fn from_literal(number: &hcl_edit::Number) -> Option<Self> {
        let exact = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
        exact.map(Self::Integer).or_else(|| number.as_f64().and_then(Self::from_f64))
    }

    /// Reads a decimal number as Terraform does: no sign `+`, no hexadecimal, no infinity.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_number = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
            && text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
            && text.ends_with(|c: char| c.is_ascii_digit());
        if !is_number {
            return None;
        }
        match text.parse() {
            Ok(integer) => Some(Self::Integer(integer)),
            Err(_) => Self::from_f64(text.parse().ok()?),
        }
    }

    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    /// Returns an integer; none for a fraction or a number beyond 64 bits.
    pub(crate) fn to_integer(self) -> Option<i64> {
        self.to_wide().and_then(|number| number.try_into().ok())
    }

    /// Returns an integer; none for a fraction or a number beyond 128 bits.
    pub(crate) fn to_wide(self) -> Option<i128> {
        match self {
            Self::Integer(number) => Some(number),
            Self::Float(_) => None,
        }
    }

    /// Returns the number as JSON, as near as JSON's readers agree on: beyond 64 bits, it is of double precision.
    fn to_json(self) -> Json {
        match self {
            Self::Integer(number) => match serde_json::Number::from_i128(number) {
                Some(exact) => Json::Number(exact),
                None => (number as f64).into(),
            },
            Self::Float(number) => number.into(),
        }
    }

    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (a, b) => a.to_f64().total_cmp(&b.to_f64()),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::value::{Number, Value};

    #[test]
    fn numbers_read_as_in_terraform() {
        for (text, number) in [
            ("5", Some("5")),
            ("-1", Some("-1")),
            ("1.50", Some("1.5")),
            ("2.0", Some("2")),
            ("1e3", Some("1000")),
            ("9223372036854775807", Some("9223372036854775807")),
            (
                "340282366920938463463374607431768211455",
                Some("340282366920938500000000000000000000000"),
            ),
            ("18446744073709551616", Some("18446744073709551616")),
            ("1e30", Some("1000000000000000000000000000000")),
            ("+1", None),
            ("inf", None),
            ("1e400", None),
            ("0x10", None),
            ("", None),
            ("5 ", None),
            (".5", None),
            ("5.", None),
        ] {
            assert_eq!(Number::parse(text).map(|n| n.to_string()).as_deref(), number, "{text}");
        }
    }

    #[test]
    fn a_sensitive_value_does_not_print() {
        let value = Value::list(vec![Value::text("hunter2").marked(true), Value::text("shown")]);
        assert_eq!(format!("{value:?}"), "[(sensitive), \"shown\"]");
        assert_eq!(Value::text("hunter2").marked(true).shown(), "a string, which is sensitive");
    }

    #[test]
    fn a_set_is_sorted_and_has_no_duplicates() {
        let set = Value::set(vec![Value::text("b"), Value::text("a"), Value::text("b")]);
        assert_eq!(format!("{set:?}"), "{\"a\", \"b\"}");
    }
}
