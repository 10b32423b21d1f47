//! Values as PHP has them, because the REST API package is written in it: what equals what, how a query string is read,
//! and how JSON is spelled.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A value. A list and a map are both arrays for PHP.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Json", into = "Json")]
pub(super) enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Self>),
    /// In the order in which it is shown.
    Map(Vec<(String, Self)>),
}

impl From<Json> for Value {
    /// `json_decode()`.
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(it) => Self::Bool(it),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Self::Text(text),
            Json::Array(list) => Self::List(list.into_iter().map(Self::from).collect()),
            // For PHP an empty object is an empty array.
            Json::Object(map) if map.is_empty() => Self::List(Vec::new()),
            Json::Object(map) => {
                Self::Map(map.into_iter().map(|(name, value)| (name, value.into())).collect())
            }
        }
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(it) => Self::Bool(it),
            Value::Int(number) => Self::from(number),
            Value::Float(number) => Self::from(number),
            Value::Text(text) => Self::String(text),
            Value::List(list) => Self::Array(list.into_iter().map(Self::from).collect()),
            Value::Map(entries) => Self::Object(
                entries.into_iter().map(|(name, value)| (name, value.into())).collect(),
            ),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(it: bool) -> Self {
        Self::Bool(it)
    }
}

impl From<i64> for Value {
    fn from(it: i64) -> Self {
        Self::Int(it)
    }
}

impl From<usize> for Value {
    fn from(it: usize) -> Self {
        Self::Int(i64::try_from(it).unwrap_or(i64::MAX))
    }
}

impl Value {
    /// Makes a map of named values.
    pub(super) fn map<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Map(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the entry of a map; none when it has none, or is no map.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find(|(it, _)| it == name).map(|(_, value)| value)
    }

    /// Sets the entry of a map.
    pub(super) fn set(&mut self, name: &str, value: Self) {
        let Self::Map(entries) = self else { return };
        match entries.iter_mut().find(|(it, _)| it == name) {
            Some((_, old)) => *old = value,
            None => entries.push((name.to_owned(), value)),
        }
    }

    pub(super) fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the values of an array; none for what is no array.
    pub(super) fn elements(&self) -> Option<Vec<&Self>> {
        match self {
            Self::List(list) => Some(list.iter().collect()),
            Self::Map(entries) => Some(entries.iter().map(|(_, value)| value).collect()),
            _ => None,
        }
    }

    /// `gettype()`.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Float(_) => "double",
            Self::Text(_) => "string",
            Self::List(_) | Self::Map(_) => "array",
        }
    }

    /// `strval()`.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Null | Self::Bool(false) => String::new(),
            Self::Bool(true) => "1".to_owned(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::List(_) | Self::Map(_) => "Array".to_owned(),
        }
    }

    /// Returns whether it counts as true in a condition.
    pub(super) fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(it) => *it,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty() && text != "0",
            Self::List(list) => !list.is_empty(),
            Self::Map(entries) => !entries.is_empty(),
        }
    }

    /// Returns what `is_numeric()` takes for a number.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "PHP compares so")]
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Text(text) => numeric(text),
            _ => None,
        }
    }

    /// `==`.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Text(text)) | (Self::Text(text), Self::Null) => text.is_empty(),
            (Self::Null | Self::Bool(_), _) | (_, Self::Null | Self::Bool(_)) => {
                self.is_truthy() == other.is_truthy()
            }
            (Self::List(_) | Self::Map(_), _) | (_, Self::List(_) | Self::Map(_)) => {
                self.equals_as_array(other)
            }
            (Self::Text(a), Self::Text(b)) if a == b => true,
            _ => match (self.number(), other.number()) {
                (Some(a), Some(b)) => a == b,
                _ if self.text().is_some() && other.text().is_some() => false,
                _ => self.to_text() == other.to_text(),
            },
        }
    }

    fn equals_as_array(&self, other: &Self) -> bool {
        let (Some(a), Some(b)) = (self.elements(), other.elements()) else { return false };
        let has_same_names = match (self, other) {
            (Self::Map(entries), other) | (other, Self::Map(entries)) => {
                entries.iter().all(|(name, _)| other.get(name).is_some())
            }
            _ => true,
        };
        has_same_names && a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.equals(b))
    }

    /// `<=>`.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Text(text)) => "".cmp(text.as_str()),
            (Self::Text(text), Self::Null) => text.as_str().cmp(""),
            (Self::Null | Self::Bool(_), _) | (_, Self::Null | Self::Bool(_)) => {
                self.is_truthy().cmp(&other.is_truthy())
            }
            _ => match (self.number(), other.number(), self.elements(), other.elements()) {
                (Some(a), Some(b), ..) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
                (_, _, Some(a), Some(b)) => a.len().cmp(&b.len()),
                (_, _, Some(_), None) => Ordering::Greater,
                (_, _, None, Some(_)) => Ordering::Less,
                _ => self.to_text().cmp(&other.to_text()),
            },
        }
    }

    /// `json_encode()`: slashes and what is not ASCII are escaped.
    pub(super) fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(it) => out.push_str(if *it { "true" } else { "false" }),
            Self::Int(number) => out.push_str(&number.to_string()),
            Self::Float(number) => out.push_str(&number.to_string()),
            Self::Text(text) => write_text(text, out),
            Self::List(list) => {
                out.push('[');
                for (index, value) in list.iter().enumerate() {
                    separate(index, out);
                    value.write_json(out);
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (index, (name, value)) in entries.iter().enumerate() {
                    separate(index, out);
                    write_text(name, out);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }

    /// Spells it as JSON.
    pub(super) fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }
}

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push(',');
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            _ => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

fn numeric(text: &str) -> Option<f64> {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let is_spelled = |c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-' | 'e' | 'E');
    // Rust reads more words as numbers than PHP does.
    text.chars().all(is_spelled).then(|| text.parse().ok())?
}

/// `parse_str()`, and then the package's own guess at the type of each value.
pub(super) fn parse_query(query: &str) -> Value {
    let mut entries = Value::Map(Vec::new());
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (name, value) = (decode(name), guess(decode(value)));
        match name.split_once('[') {
            Some((name, key)) => {
                let name = as_variable(name);
                let mut array = entries.get(&name).cloned().unwrap_or_default();
                if array.elements().is_none() {
                    array = Value::List(Vec::new());
                }
                push(&mut array, key.strip_suffix(']').unwrap_or(key), value);
                entries.set(&name, array);
            }
            None => entries.set(&as_variable(&name), value),
        }
    }
    entries
}

fn push(array: &mut Value, key: &str, value: Value) {
    match array {
        Value::List(list) if key.is_empty() || key == list.len().to_string() => list.push(value),
        Value::List(list) => {
            let entries = list.drain(..).enumerate().map(|(index, it)| (index.to_string(), it));
            *array = Value::Map(entries.collect());
            array.set(key, value);
        }
        Value::Map(entries) if key.is_empty() => entries.push((entries.len().to_string(), value)),
        _ => array.set(key, value),
    }
}

/// What PHP makes of a name, which was once that of a variable.
fn as_variable(name: &str) -> String {
    name.trim_start().replace(['.', ' '], "_")
}

fn guess(text: String) -> Value {
    match text.as_str() {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        _ if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Value::Int(text.parse().unwrap_or(i64::MAX))
        }
        _ if text.contains('.') => numeric(&text).map_or(Value::Text(text), Value::Float),
        _ => Value::Text(text),
    }
}

/// A plus is a blank, and that is what becomes of one in a key that is not percent-encoded.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        let escaped = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, escaped) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use crate::simulator::pfsense::value::{Value, parse_query};

    #[test]
    fn json_is_spelled_as_php_does() {
        let value = Value::map([
            ("a/b", Value::from("Zürich ☕ 😀 \"\\\n\u{1}")),
            ("list", Value::List(vec![Value::Null, Value::Bool(true), Value::Float(0.33)])),
            ("empty", Value::List(Vec::new())),
        ]);
        assert_eq!(
            value.to_json(),
            r#"{"a\/b":"Z\u00fcrich \u2615 \ud83d\ude00 \"\\\n\u0001","list":[null,true,0.33],"empty":[]}"#
        );
    }

    #[test]
    fn a_query_is_typed_by_what_it_looks_like() {
        let query = "a=true&b=null&c=51820&d=1.5&e=a+b%2Bc&f[]=0&f[]=x&g[k]=1&h&i.j=-1&k=";
        assert_eq!(
            parse_query(query).to_json(),
            r#"{"a":true,"b":null,"c":51820,"d":1.5,"e":"a b+c","f":[0,"x"],"g":{"k":1},"h":"","i_j":"-1","k":""}"#
        );
    }

    #[test]
    fn equality_is_loose() {
        let int = Value::Int;
        let text = |text: &str| Value::from(text);
        for (a, b, is_equal) in [
            (int(51820), text("51820"), true),
            (text("1e1"), text("10"), true),
            (text("abc"), int(0), false),
            (text("tun_wg0"), Value::Bool(true), true),
            (Value::Null, text(""), true),
            (text("a"), text("A"), false),
            (text("inf"), text("Infinity"), false),
            (Value::List(vec![int(1)]), Value::List(vec![text("1")]), true),
            (Value::List(vec![int(1)]), text("Array"), false),
            (Value::map([("a", int(1))]), Value::map([("b", int(1))]), false),
        ] {
            assert_eq!(a.equals(&b), is_equal, "{} {}", a.to_json(), b.to_json());
            assert_eq!(b.equals(&a), is_equal, "{} {}", b.to_json(), a.to_json());
        }
    }

    #[test]
    fn order_is_loose_too() {
        assert_eq!(Value::from("9").order(&Value::from("10")), Ordering::Less);
        assert_eq!(Value::from("b").order(&Value::from("a")), Ordering::Greater);
        assert_eq!(Value::Null.order(&Value::from("a")), Ordering::Less);
        assert_eq!(Value::Int(0).order(&Value::Bool(true)), Ordering::Less);
    }
}
