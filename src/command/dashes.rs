//! One dash or two: `-out` and `--out` are the same flag. clap knows two dashes only, people and Terraform write one.

use std::ffi::{OsStr, OsString};

/// Gives each long flag that has one dash a second one.
pub(crate) fn doubled(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let mut doubled: Vec<OsString> = arguments.next().into_iter().collect();
    for argument in arguments.by_ref() {
        if argument == "--" {
            doubled.push(argument);
            break;
        }
        doubled.push(if is_long_flag(&argument) { prefixed(&argument) } else { argument });
    }
    doubled.extend(arguments);
    doubled
}

/// Takes one dash from every flag in a text that clap made.
pub(crate) fn single(text: &str) -> String {
    let mut single = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("--") {
        let (before, dashes) = rest.split_at(at);
        single += before;
        let starts_word = !before.ends_with(|c: char| c.is_alphanumeric() || c == '-');
        let is_flag = starts_word && dashes[2..].starts_with(|c: char| c.is_ascii_lowercase());
        single += if is_flag { "-" } else { "--" };
        rest = &dashes[2..];
    }
    single + rest
}

/// Returns whether a command line that may not even make sense asks for no colour.
pub fn has_no_color(arguments: &[OsString]) -> bool {
    has(arguments, &["-no-color", "--no-color"])
}

/// Returns whether a command line that may not even make sense asks for the document of `validate -json`.
pub fn has_json(arguments: &[OsString]) -> bool {
    has(arguments, &["validate"]) && has(arguments, &["-json", "--json"])
}

/// Returns whether a command line that may not even make sense asks for the stream of `-json`, and of which command.
pub fn stream(arguments: &[OsString]) -> Option<&'static str> {
    let commands = ["plan", "apply", "destroy", "drift"];
    let command = commands.into_iter().find(|command| has(arguments, &[*command]));
    command.filter(|_| has(arguments, &["-json", "--json"]))
}

fn has(arguments: &[OsString], words: &[&str]) -> bool {
    let mut read = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    read.any(|argument| words.iter().any(|word| argument == word))
}

/// Returns whether an argument is one dash and a name of two characters or more: `-v` stays as it is.
fn is_long_flag(argument: &OsStr) -> bool {
    let Some(text) = argument.to_str().and_then(|text| text.strip_prefix('-')) else {
        return is_long_flag_with_raw_value(argument);
    };
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    is_flag_name(name)
}

fn is_flag_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(is_part)
}

/// The same for `-chdir=PATH` where the path is not UTF-8.
fn is_long_flag_with_raw_value(argument: &OsStr) -> bool {
    let bytes = argument.as_encoded_bytes();
    let name = bytes.split(|byte| *byte == b'=').next().unwrap_or(bytes);
    name.len() < bytes.len()
        && std::str::from_utf8(name)
            .is_ok_and(|name| name.strip_prefix('-').is_some_and(is_flag_name))
}

fn prefixed(argument: &OsStr) -> OsString {
    let mut prefixed = OsString::from("-");
    prefixed.push(argument);
    prefixed
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use crate::command::dashes::{doubled, has_json, has_no_color, single, stream};

    fn rewritten(line: &str) -> String {
        let doubled = doubled(line.split(' ').map(OsString::from));
        doubled.join(" ".as_ref()).into_string().unwrap()
    }

    #[test]
    fn long_flags_get_their_second_dash() {
        for (given, expected) in [
            ("wgform -chdir=x plan -out f", "wgform --chdir=x plan --out f"),
            ("wgform plan --out f", "wgform plan --out f"),
            ("wgform plan -v -", "wgform plan -v -"),
            ("wgform plan -refresh=false", "wgform plan --refresh=false"),
            ("wgform plan -var a=-b -target peer.x", "wgform plan --var a=-b --target peer.x"),
            ("wgform output -- -raw", "wgform output -- -raw"),
            ("wgform -5 -Abc -a_b", "wgform -5 -Abc -a_b"),
            ("-help -help", "-help --help"),
        ] {
            assert_eq!(rewritten(given), expected);
        }
    }

    #[test]
    fn a_flag_may_have_a_value_that_is_not_text() {
        use std::os::unix::ffi::OsStringExt;
        let raw = |text: &[u8]| OsString::from_vec(text.to_vec());
        let given = [raw(b"wgform"), raw(b"-chdir=\xff=x"), raw(b"-\xff"), raw(b"\xff=-a")];
        let expected = [raw(b"wgform"), raw(b"--chdir=\xff=x"), raw(b"-\xff"), raw(b"\xff=-a")];
        assert_eq!(doubled(given), expected);
    }

    #[test]
    fn texts_name_flags_with_one_dash() {
        assert_eq!(
            single("'--out' and [--var <A>], not a--b, --- or `-- -x`"),
            "'-out' and [-var <A>], not a--b, --- or `-- -x`"
        );
    }

    #[test]
    fn no_color_is_seen_even_when_the_rest_makes_no_sense() {
        let asks =
            |line: &str| has_no_color(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(asks("wgform plna -no-color"));
        assert!(asks("wgform --no-color"));
        assert!(!asks("-no-color plan"));
        assert!(!asks("wgform output -- -no-color"));
    }

    #[test]
    fn json_is_seen_even_when_the_rest_makes_no_sense() {
        let asks = |line: &str| has_json(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(asks("wgform -chdir=gone validate -json -bogus"));
        assert!(asks("wgform validate --json"));
        assert!(!asks("wgform plan -json"));
        assert!(!asks("wgform validate -- -json"));
        let stream = |line: &str| stream(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(stream("wgform -chdir=gone apply --json -bogus"), Some("apply"));
        assert_eq!(stream("wgform show -json"), None);
        assert_eq!(stream("wgform plan -- -json"), None);
    }
}
