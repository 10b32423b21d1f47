//! What a request says in its body.

use serde_json::Value as Json;

use crate::simulator::routeros::query::words;
use crate::simulator::routeros::request::Refused;
use crate::simulator::routeros::router::Arguments;

/// The body of a command.
#[derive(Default)]
pub(super) struct Body {
    pub(super) arguments: Arguments,
    pub(super) properties: Option<Vec<String>>,
    pub(super) query: Vec<String>,
}

/// Reads a body. Values are texts, whole numbers or booleans.
pub(super) fn body(bytes: &[u8]) -> Result<Body, Refused> {
    if bytes.is_empty() {
        return Ok(Body::default());
    }
    let Ok(Json::Object(map)) = serde_json::from_slice(&with_decimals(bytes)) else {
        return Err(Refused::no_json());
    };
    let mut body = Body::default();
    for (name, value) in map {
        match (name.as_str(), value) {
            (".proplist", value) => body.properties = Some(texts(value)?),
            (".query", value) => body.query = texts(value)?,
            (_, Json::String(value)) => match name.strip_prefix('!') {
                Some(name) => drop(body.arguments.unset.insert(name.to_owned())),
                None => drop(body.arguments.set.insert(name, value)),
            },
            (_, Json::Bool(value)) => {
                let value = if value { "yes" } else { "no" };
                body.arguments.set.insert(name, value.to_owned());
            }
            (_, Json::Number(number)) if !number.is_f64() => {
                body.arguments.set.insert(name, number.to_string());
            }
            _ => return Err(Refused::no_json()),
        }
    }
    Ok(body)
}

fn texts(value: Json) -> Result<Vec<String>, Refused> {
    match value {
        Json::String(text) => Ok(words(&text)),
        Json::Array(parts) => parts
            .into_iter()
            .map(|part| part.as_str().map(str::to_owned).ok_or_else(Refused::no_json))
            .collect(),
        _ => Err(Refused::no_json()),
    }
}

/// Spells bare numbers in decimal, as JSON has them: RouterOS reads `010` and `0x10` as C does.
fn with_decimals(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let (mut at, mut is_text) = (0, false);
    while let Some(byte) = bytes.get(at) {
        let goes_on = out.last().is_some_and(|it: &u8| it.is_ascii_alphanumeric() || *it == b'.');
        let digits = bytes[at..].iter().take_while(|it| it.is_ascii_alphanumeric()).count();
        let number = match byte {
            b'0' if !is_text && !goes_on => number_of_c(&bytes[at..at + digits]),
            _ => None,
        };
        if let Some(number) = number {
            out.extend_from_slice(number.to_string().as_bytes());
            at += digits;
            continue;
        }
        out.push(*byte);
        at += 1;
        match byte {
            b'"' => is_text = !is_text,
            // What is escaped ends no text.
            b'\\' if is_text => {
                out.extend(bytes.get(at));
                at += 1;
            }
            _ => {}
        }
    }
    out
}

/// Reads `010` or `0x10`; none for anything else.
fn number_of_c(word: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(word).ok()?.strip_prefix('0')?;
    match digits.strip_prefix('x') {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => u64::from_str_radix(digits, 8).ok(),
    }
}

#[cfg(test)]
mod tests {
    use crate::simulator::routeros::body::{body, with_decimals};

    #[test]
    fn a_bare_number_is_one_of_c() {
        for (sent, read) in [
            ("{\"a\":010,\"b\":[0x1F,0,10,0]}", "{\"a\":8,\"b\":[31,0,10,0]}"),
            ("{\"a\":\"010\",\"\\\"010\":\"0x1\"}", "{\"a\":\"010\",\"\\\"010\":\"0x1\"}"),
            ("08 1010 0.010 \"\\", "08 1010 0.010 \"\\"),
        ] {
            assert_eq!(String::from_utf8(with_decimals(sent.as_bytes())).unwrap(), read);
        }
    }

    #[test]
    fn values_become_texts() {
        let sent = br#"{"a":010,"b":true,"c":"010","!d":"",".query":["x"]}"#;
        let read = body(sent).unwrap_or_default();
        let set: Vec<_> =
            read.arguments.set.iter().map(|(name, it)| format!("{name}={it}")).collect();
        assert_eq!(set, ["a=8", "b=yes", "c=010"]);
        assert!(read.arguments.unset.contains("d") && read.query == ["x"]);
        for wrong in ["{\"a\":1.5}", "{\"a\":null}", "[]", "{"] {
            assert!(body(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
