//! A body as bytes becomes objects with texts. RouterOS sends control characters as they are, and whatever bytes somebody
//! once stored; both are read, and a text that could not be read exactly says so.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use zeroize::Zeroizing;

/// The properties whose values are never shown.
pub(super) const SECRETS: [&str; 3] = ["private-key", "preshared-key", "password"];

/// A value as the router spells it.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    text: Zeroizing<String>,
    is_exact: bool,
}

impl Text {
    /// Returns the text. Bytes that are not UTF-8 are the replacement character.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether it is what the router holds. If not, it is never written back.
    pub fn is_exact(&self) -> bool {
        self.is_exact
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may be a key: only its object knows.
        f.write_str("Text(…)")
    }
}

/// One object: its properties by name. Its `Debug` shows no key.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Row(BTreeMap<String, Text>);

impl Row {
    /// Makes an object for a test.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of(texts: &[(&str, &str)]) -> Self {
        let text = |text: &str| Text { text: Zeroizing::new(text.to_owned()), is_exact: true };
        Self(texts.iter().map(|(name, it)| ((*name).to_owned(), text(it))).collect())
    }

    /// Returns a property.
    pub fn get(&self, name: &str) -> Option<&Text> {
        self.0.get(name)
    }

    /// Returns the text of a property; empty when there is none.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).map_or("", Text::as_str)
    }

    /// Returns the router's handle for the object: good for one run, and to be looked up again in the next.
    pub fn id(&self) -> &str {
        self.text(".id")
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |name: &str, text: &Text| match SECRETS.contains(&name) {
            true => "…".to_owned(),
            false => text.as_str().to_owned(),
        };
        f.debug_map().entries(self.0.iter().map(|(name, text)| (name, shown(name, text)))).finish()
    }
}

/// Reads a list of objects, each with an id.
pub(super) fn list(body: &[u8]) -> Result<Vec<Row>, Unreadable> {
    let rows: Vec<Row> = parse(body, "a list of objects")?;
    match rows.iter().all(|row| !row.id().is_empty()) {
        true => Ok(rows),
        false => Err(Unreadable { wanted: "a list of objects with `.id`" }),
    }
}

/// Reads what a command says: objects without an id, a single one, or nothing.
pub(super) fn rows(body: &[u8]) -> Result<Vec<Row>, Unreadable> {
    let wanted = "what a command says";
    match body.trim_ascii_start().first() {
        Some(b'{') => parse(body, wanted).map(|row| vec![row]),
        None => Ok(Vec::new()),
        _ => parse(body, wanted),
    }
}

/// Reads one object, also as the only one of a list.
pub(super) fn one(body: &[u8]) -> Result<Row, Unreadable> {
    let wanted = "one object";
    if body.trim_ascii_start().starts_with(b"[") {
        let mut rows: Vec<Row> = parse(body, wanted)?;
        return match (rows.pop(), rows.pop()) {
            (Some(row), None) => Ok(row),
            _ => Err(Unreadable { wanted }),
        };
    }
    parse(body, wanted)
}

/// A body is not what was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// What was.
    pub(super) wanted: &'static str,
}

fn parse<T: for<'a> Deserialize<'a>>(body: &[u8], wanted: &'static str) -> Result<T, Unreadable> {
    serde_json::from_slice(&mend(body)).map_err(|_| Unreadable { wanted })
}

/// Makes JSON of what RouterOS sends: control characters inside of texts are escaped, bytes that are not UTF-8 replaced.
pub(super) fn mend(body: &[u8]) -> Cow<'_, [u8]> {
    let is_json = std::str::from_utf8(body).is_ok() && !body.iter().any(u8::is_ascii_control);
    if is_json {
        return Cow::Borrowed(body);
    }
    let text = String::from_utf8_lossy(body);
    let mut mended = Vec::with_capacity(body.len() + 16);
    let (mut is_inside, mut is_escaped) = (false, false);
    for byte in text.bytes() {
        if is_inside && (byte < 0x20 || byte == 0x7f) {
            mended.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
            is_escaped = false;
            continue;
        }
        match byte {
            b'"' if !is_escaped => is_inside = !is_inside,
            _ => {}
        }
        is_escaped = is_inside && byte == b'\\' && !is_escaped;
        mended.push(byte);
    }
    Cow::Owned(mended)
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsText;

        impl Visitor<'_> for AsText {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                // One that was stored as such counts as well: it is only not written back.
                let is_exact = !text.contains(char::REPLACEMENT_CHARACTER);
                Ok(Text { text: Zeroizing::new(text.to_owned()), is_exact })
            }

            // No router sends these; another version may.
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Text, E> {
                self.visit_str(if value { "true" } else { "false" })
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Text, E> {
                self.visit_str(&value.to_string())
            }
        }

        deserializer.deserialize_any(AsText)
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsRow;

        impl<'de> Visitor<'de> for AsRow {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut row = Row::default();
                while let Some((name, text)) = map.next_entry()? {
                    row.0.insert(name, text);
                }
                Ok(row)
            }
        }

        deserializer.deserialize_map(AsRow)
    }
}

/// Any bytes as a body: refused, or read into texts, of which none is shown that is secret.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(body: &[u8]) {
    for mut row in list(body).unwrap_or_default().into_iter().chain(one(body)) {
        row.0.retain(|name, _| SECRETS.contains(&name.as_str()));
        let shown = format!("{row:?}");
        let is_shown =
            |secret: &Text| secret.as_str().len() > 40 && shown.contains(secret.as_str());
        assert!(!row.0.values().any(is_shown), "{shown}");
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::routeros::client::body::{Unreadable, list, one};

    #[test]
    fn raw_bytes_are_read_and_what_was_not_exact_says_so() {
        let body = b"[\n{\".id\":\"*1\",\"comment\":\"a\x07\\\"\n\\u00e9\",\"name\":\"caf\xe9\"}]";
        let rows = list(body).unwrap();
        assert_eq!(rows[0].text("comment"), "a\x07\"\n\u{e9}");
        assert!(rows[0].get("comment").unwrap().is_exact());
        assert_eq!(rows[0].text("name"), "caf\u{fffd}");
        assert!(!rows[0].get("name").unwrap().is_exact());
    }

    #[test]
    fn a_body_of_another_shape_is_refused() {
        assert_eq!(list(b"{}"), Err(Unreadable { wanted: "a list of objects" }));
        assert_eq!(list(b"[{}]"), Err(Unreadable { wanted: "a list of objects with `.id`" }));
        for wrong in [&b"[]"[..], b"[{},{}]", b"", b"<html>", b"{\"a\":null}", b"{\"a\":\"b"] {
            assert_eq!(one(wrong), Err(Unreadable { wanted: "one object" }));
        }
        assert_eq!(one(b" [{\"version\":\"7.24\"}]").unwrap().text("version"), "7.24");
    }

    #[test]
    fn a_key_is_not_shown() {
        let row = one(br#"{"name":"wg1","private-key":"yAnz5TF","preshared-key":""}"#).unwrap();
        assert_eq!(
            format!("{row:?}"),
            r#"{"name": "wg1", "preshared-key": "…", "private-key": "…"}"#
        );
    }
}
