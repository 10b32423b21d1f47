//! One document of YAML as a value: the scalars of YAML 1.2 with the truth values of 1.1 (`yes`, `on`), anchors and
//! merges, and no tags of applications.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use crate::config::function::{Answer, Failure, fits, time};
use crate::config::value::{Data, Map, Number, Value};

/// Reads a text that holds one document.
pub(super) fn value(text: &str) -> Answer {
    let mut reader =
        Reader { events: Parser::new_from_str(text), anchors: HashMap::new(), merged: 0 };
    reader.skip_to_document()?;
    let value = reader.node(0)?;
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(value),
            (Event::DocumentStart(_), at) => {
                return Err(wrong(&at, "a second document starts here"));
            }
            _ => {}
        }
    }
}

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Value>,
    /// How large all is that was merged, since one map can be merged a thousand times.
    merged: usize,
}

/// A value, and what it is as a key of a map.
enum Node {
    Scalar { value: Value, is_merge: bool },
    Collection(Value),
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Answer<(Event<'t>, Span)> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let (line, column) = (error.marker().line(), error.marker().col() + 1);
                Err(Failure::at(
                    0,
                    format!("this is not YAML: line {line}, column {column}: {}", error.info()),
                ))
            }
            None => Err(Failure::at(0, "this is not YAML: it ends too early")),
        }
    }

    fn skip_to_document(&mut self) -> Answer<()> {
        loop {
            match self.next()? {
                (Event::DocumentStart(_), _) => return Ok(()),
                (Event::StreamEnd, _) => {
                    return Err(Failure::at(0, "there is no document in this"));
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, depth: u8) -> Answer {
        let (event, at) = self.next()?;
        Ok(match self.node_of(event, &at, depth)? {
            Node::Scalar { value, .. } | Node::Collection(value) => value,
        })
    }

    fn node_of(&mut self, event: Event<'t>, at: &Span, depth: u8) -> Answer<Node> {
        if depth > Value::MAX_DEPTH {
            return Err(too_deep(at));
        }
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_merge = &*text == "<<" && tag.is_none();
                let value = scalar(&text, style, tag.as_deref(), at)?;
                (Node::Scalar { value, is_merge }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq", at)?;
                (Node::Collection(self.sequence(depth)?), anchor)
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map", at)?;
                (Node::Collection(self.mapping(depth)?), anchor)
            }
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let value =
                    known.ok_or_else(|| wrong(at, "an alias stands inside of its anchor"))?;
                (Node::Collection(value), 0)
            }
            _ => return Err(wrong(at, "a value is missing")),
        };
        let (Node::Scalar { value, .. } | Node::Collection(value)) = &node;
        // With aliases, a small text can stand for a huge value, and for a deep one.
        fits(value.size())?;
        if value.depth() > Value::MAX_DEPTH {
            return Err(too_deep(at));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self, depth: u8) -> Answer {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::list(items)),
                (event, at) => items.push(match self.node_of(event, &at, depth + 1)? {
                    Node::Scalar { value, .. } | Node::Collection(value) => value,
                }),
            }
        }
    }

    fn mapping(&mut self, depth: u8) -> Answer {
        let mut map = Map::new();
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Value::map(map));
            }
            let Node::Scalar { value: key, is_merge } = self.node_of(event, &at, depth + 1)? else {
                return Err(wrong(&at, "the key of a map has to be a string"));
            };
            let value = self.node(depth + 1)?;
            if is_merge {
                let Data::Map(more) = &value.data else {
                    return Err(wrong(&at, "only a map can be merged into a map"));
                };
                self.merged = self.merged.saturating_add(value.size());
                fits(self.merged)?;
                map.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
                continue;
            }
            let key = key.to_text().ok_or_else(|| wrong(&at, "the key of a map cannot be null"))?;
            map.insert(key, value);
        }
    }
}

fn wrong(at: &Span, what: &str) -> Failure {
    let (line, column) = (at.start.line(), at.start.col() + 1);
    Failure::at(0, format!("{what}: line {line}, column {column}"))
}

/// Returns what a tag of YAML itself is called; none for one of an application.
fn name_of(tag: &Tag) -> Option<String> {
    let whole = format!("{}{}", tag.handle, tag.suffix);
    whole.strip_prefix("tag:yaml.org,2002:").map(str::to_owned)
}

fn too_deep(at: &Span) -> Failure {
    wrong(at, "too many lists and maps are inside each other")
}

fn check_tag(tag: Option<&Tag>, wanted: &str, at: &Span) -> Answer<()> {
    match tag {
        Some(tag) if name_of(tag).as_deref() != Some(wanted) => {
            Err(wrong(at, &format!("the tag `{}{}` does not go with this", tag.handle, tag.suffix)))
        }
        _ => Ok(()),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, at: &Span) -> Answer {
    let is_plain = style == ScalarStyle::Plain;
    let Some(tag) = tag else {
        return if is_plain { plain(text, at) } else { Ok(Value::text(text)) };
    };
    let unknown =
        || wrong(at, &format!("the tag `{}{}` means nothing here", tag.handle, tag.suffix));
    let name = name_of(tag).ok_or_else(unknown)?;
    let cannot = || wrong(at, &format!("{text:?} is no `{name}`"));
    match &*name {
        "str" => Ok(Value::text(text)),
        "binary" if STANDARD.decode(text.replace(char::is_whitespace, "")).is_ok() => {
            Ok(Value::text(text))
        }
        "binary" => Err(cannot()),
        "int" | "float" | "bool" | "null" | "timestamp" if !is_plain => Ok(Value::text(text)),
        "int" | "float" => number(text).map(Value::from).ok_or_else(cannot),
        "bool" => truth(text).map(Value::from).ok_or_else(cannot),
        "null" => Ok(Value::NULL),
        "timestamp" => instant(text).map(Value::text).ok_or_else(cannot),
        _ => Err(unknown()),
    }
}

/// What a text without quotes and tag stands for.
fn plain(text: &str, at: &Span) -> Answer {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Ok(Value::NULL);
    }
    if let Some(yes) = truth(text) {
        return Ok(yes.into());
    }
    let is_endless = matches!(
        text.trim_start_matches(['+', '-']),
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN"
    );
    if is_endless {
        return Err(wrong(at, "a number has to be finite"));
    }
    if is_number(text) {
        return number(text).map(Value::from).ok_or_else(|| wrong(at, "this number is too large"));
    }
    Ok(Value::text(instant(text).unwrap_or_else(|| text.to_owned())))
}

fn truth(text: &str) -> Option<bool> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => true,
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            false
        }
        _ => return None,
    })
}

fn is_number(text: &str) -> bool {
    number(text).is_some()
        || (decimal(text).is_some() && text.contains(|c: char| c.is_ascii_digit()))
}

fn number(text: &str) -> Option<Number> {
    for (prefix, base) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let is_plain = !digits.starts_with(['+', '-']);
            return i128::from_str_radix(digits, base)
                .ok()
                .filter(|_| is_plain)
                .map(Number::Integer);
        }
    }
    Number::parse(&decimal(text)?)
}

/// Returns a decimal number in the spelling that has a digit on both sides of the point.
fn decimal(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, power) = match digits.split_once(['e', 'E']) {
        Some((mantissa, power)) => (mantissa, Some(power)),
        None => (digits, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let exponent = power.map(|power| power.strip_prefix(['+', '-']).unwrap_or(power));
    let is_number = is_digits(whole)
        && is_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|digits| !digits.is_empty() && is_digits(digits));
    is_number.then(|| {
        let power = power.map(|power| format!("e{power}")).unwrap_or_default();
        let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
        format!("{sign}{whole:0>1}{fraction}{power}")
    })
}

/// Returns a date, or a date and a time, as a timestamp of RFC 3339.
fn instant(text: &str) -> Option<String> {
    let is_dated = text.len() >= 8
        && text.bytes().take(4).all(|b| b.is_ascii_digit())
        && text.as_bytes()[4] == b'-';
    if !is_dated {
        return None;
    }
    let (date, clock) = match text.split_once(['T', 't', ' ']) {
        Some((date, clock)) => (date, Some(clock)),
        None => (text, None),
    };
    let mut parts = date.split('-').map(|part| {
        let is_short = part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
        part.parse::<i16>().ok().filter(|_| is_short)
    });
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let date = civil::Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()?;
    if parts.next().is_some() {
        return None;
    }
    let Some(clock) = clock else { return Some(format!("{date}T00:00:00Z")) };
    let zone = if clock.contains(['Z', '+', '-']) { "" } else { "Z" };
    time::Moment::parse(&format!("{date}T{clock}{zone}")).ok().map(|it| it.to_string())
}
