//! Functions between a text and its bytes in another form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::function::{Answer, Call, Failure, fits};
use crate::config::value::Value;

pub(super) fn base64encode(call: &Call) -> Answer {
    Ok(Value::text(STANDARD.encode(call.text(0)?.as_bytes())))
}

pub(super) fn base64decode(call: &Call) -> Answer {
    let text = String::from_utf8(decoded(call)?);
    text.map(Value::text).map_err(|_| {
        Failure::at(0, "what this stands for is not UTF-8")
            .hint("Take `textdecodebase64`, which knows other encodings too.")
    })
}

fn decoded(call: &Call) -> Answer<Vec<u8>> {
    // Line ends are no part of it.
    let text = call.text(0)?.replace(['\r', '\n'], "");
    STANDARD.decode(text).map_err(|_| {
        Failure::at(0, "this is not base64").hint("It has `A`–`Z`, `a`–`z`, `0`–`9`, `+` and `/`, and is filled up with `=` to a length that four divides.")
    })
}

/// A form in which a text can be bytes.
#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Utf16 {
        is_big: bool,
        is_marked: bool,
    },
    /// The first so many characters of Unicode, one byte each.
    Bytes(u32),
}

impl Encoding {
    /// Only what somebody needs beside WireGuard: names of IANA, without regard to case.
    fn of(call: &Call, i: usize) -> Answer<Self> {
        let name = call.text(i)?;
        Ok(match name.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" => Self::Utf8,
            "UTF-16LE" => Self::Utf16 { is_big: false, is_marked: false },
            "UTF-16BE" => Self::Utf16 { is_big: true, is_marked: false },
            "UTF-16" => Self::Utf16 { is_big: true, is_marked: true },
            "ISO-8859-1" | "LATIN1" => Self::Bytes(0x100),
            "US-ASCII" | "ASCII" => Self::Bytes(0x80),
            _ => {
                return Err(Failure::at(i, format!("there is no encoding {:?} here", &*name)).hint(
                    "Take \"UTF-8\", \"UTF-16LE\", \"UTF-16BE\", \"UTF-16\", \"ISO-8859-1\" or \"US-ASCII\".",
                ));
            }
        })
    }

    fn encode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Utf8 => Some(text.as_bytes().to_vec()),
            Self::Utf16 { is_big, is_marked } => {
                let mark = if is_marked { "\u{feff}" } else { "" };
                let pair = |unit: u16| if is_big { unit.to_be_bytes() } else { unit.to_le_bytes() };
                Some(mark.encode_utf16().chain(text.encode_utf16()).flat_map(pair).collect())
            }
            Self::Bytes(limit) => {
                let byte = |c| u32::from(c) < limit;
                let bytes = text.chars().map(|c| u8::try_from(c).ok().filter(|_| byte(c)));
                bytes.collect()
            }
        }
    }

    fn decode(self, bytes: Vec<u8>) -> Option<String> {
        match self {
            Self::Utf8 => String::from_utf8(bytes).ok(),
            Self::Utf16 { is_big, is_marked } => {
                let is_big = is_big && !(is_marked && bytes.starts_with(&[0xff, 0xfe]));
                let (pairs, []) = bytes.as_chunks::<2>() else { return None };
                let unit = |pair: &[u8; 2]| match is_big {
                    true => u16::from_be_bytes(*pair),
                    false => u16::from_le_bytes(*pair),
                };
                let units: Vec<u16> = pairs.iter().map(unit).collect();
                let text = String::from_utf16(&units).ok()?;
                let unmarked = text.strip_prefix('\u{feff}').filter(|_| is_marked);
                Some(unmarked.map(str::to_owned).unwrap_or(text))
            }
            Self::Bytes(limit) => {
                let char = |byte: u8| Some(char::from(byte)).filter(|_| u32::from(byte) < limit);
                bytes.into_iter().map(char).collect()
            }
        }
    }
}

pub(super) fn textencodebase64(call: &Call) -> Answer {
    let (text, encoding) = (call.text(0)?, Encoding::of(call, 1)?);
    let bytes = encoding.encode(&text);
    let bytes = bytes.ok_or_else(|| Failure::at(0, "the encoding lacks a character of this"))?;
    Ok(Value::text(STANDARD.encode(bytes)))
}

pub(super) fn textdecodebase64(call: &Call) -> Answer {
    let (bytes, encoding) = (decoded(call)?, Encoding::of(call, 1)?);
    let text = encoding.decode(bytes);
    text.map(Value::text)
        .ok_or_else(|| Failure::at(0, "what this stands for is no text in that encoding"))
}

/// A text as a part of a query in a URL: a blank is a `+`.
pub(super) fn urlencode(call: &Call) -> Answer {
    let text = call.text(0)?;
    fits(text.len().saturating_mul(3))?;
    let mut output = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                output.push(char::from(byte));
            }
            b' ' => output.push('+'),
            _ => output += &format!("%{byte:02X}"),
        }
    }
    Ok(Value::text(output))
}
