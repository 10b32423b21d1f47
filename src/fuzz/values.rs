//! Any text as a value, an address or a command line: refused with a message, or printed as what it is.

use std::ffi::OsString;
use std::fmt::Display;
use std::os::unix::ffi::OsStringExt;
use std::str::FromStr;

use crate::command::{self, Request};
use crate::fuzz::text;
use crate::resource::{Address, Movable, Pattern};
use crate::value::{
    Cidr, Endpoint, FingerprintKey, InvalidValue, Keepalive, Prefix, PresharedKey, PrivateKey,
    PublicKey, parse_seconds,
};

/// Reads a text as every kind of value.
pub(super) fn values(bytes: &[u8]) {
    let text = &*text(bytes);
    same_when_printed::<Cidr>(text);
    same_when_printed::<Prefix>(text);
    same_when_printed::<PublicKey>(text);
    same_when_printed::<Endpoint>(text);
    same_when_printed::<Keepalive>(text);
    same_when_printed::<Address>(text);
    same_when_printed::<Movable>(text);
    same_when_printed::<Pattern>(text);
    secret(text, |text| text.parse::<PrivateKey>().map(|it| it.expose_text().to_string()));
    secret(text, |text| text.parse::<PresharedKey>().map(|it| it.expose_text().to_string()));
    secret(text, |text| FingerprintKey::from_text(text).map(|it| it.expose_text().to_string()));
    if let Ok(seconds) = parse_seconds(text) {
        assert_eq!(parse_seconds(&format!("{seconds}s")), Ok(seconds));
    }
}

fn same_when_printed<T>(text: &str)
where
    T: FromStr<Err = InvalidValue> + Display + PartialEq + std::fmt::Debug,
{
    match text.parse::<T>() {
        Ok(value) => {
            let printed = value.to_string();
            assert_eq!(printed.parse(), Ok(value), "{printed}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The text of a secret reads back, and one that is wrong is not repeated.
fn secret(text: &str, read: impl Fn(&str) -> Result<String, InvalidValue>) {
    match read(text) {
        Ok(printed) => assert_eq!(read(&printed), Ok(printed)),
        Err(error) => {
            let said = format!("{error:?}");
            // A key has no blanks, and our own words have.
            let is_word = text.len() >= 12 && !text.contains(' ');
            assert!(!is_word || !said.contains(text), "{said}");
        }
    }
}

/// Reads words, one a line, as a command line.
pub(super) fn command_line(bytes: &[u8]) {
    let words = bytes.split(|byte| *byte == b'\n').map(|word| OsString::from_vec(word.to_vec()));
    let line: Vec<OsString> = [OsString::from("wgform")].into_iter().chain(words).collect();
    let _ = command::has_no_color(&line);
    match command::parse(line) {
        Ok(Request::Read { text, .. }) => assert!(!text.is_empty()),
        Ok(Request::Run(cli)) => drop(format!("{cli:?}")),
        Err(error) => assert!(error.exit().code() == 1, "{error:?}"),
    }
}
