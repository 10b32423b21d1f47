//! Regular expressions: those of RE2, which Terraform takes, in the words of the crate that carries them out.
//!
//! The crate's are nearly the same, with another meaning of a few: `\d`, `\w` and `\s` are those of ASCII here, a class
//! knows no operators, and a brace that repeats nothing is a brace.

use regex::{Captures, Regex, RegexBuilder};

use crate::config::function::{Answer, Call, Failure, fits};
use crate::config::value::Value;

/// As long as a pattern is at most, in bytes.
const MAX_PATTERN: usize = 1 << 16;

/// As many bytes as all searches of a call go over at most: half a minute. Each match may look at all that is behind it.
const MAX_SEARCH: usize = if cfg!(any(test, fuzzing)) { 1 << 26 } else { 1 << 35 };

/// How often a part may be repeated at most, as in RE2.
const MAX_REPEAT: u32 = 1000;

pub(super) fn regex_of(call: &Call) -> Answer {
    let (pattern, text) = (call.text(0)?, call.text(1)?);
    let regex = regex(call, &pattern, text.len(), 0)?;
    let groups = Groups::of(&regex)?;
    match regex.captures(&text) {
        Some(found) => Ok(groups.value(&found)),
        None => Err(Failure::at(1, "nothing in this matches the pattern").hint(
            "Ask first with `can(regex(…))`, or take `regexall`, which gives an empty list.",
        )),
    }
}

pub(super) fn regexall(call: &Call) -> Answer {
    let (pattern, text) = (call.text(0)?, call.text(1)?);
    let regex = regex(call, &pattern, text.len(), 0)?;
    let groups = Groups::of(&regex)?;
    let (mut all, mut size, mut search) = (Vec::new(), 0_usize, Search::of(&text));
    for found in regex.captures_iter(&text) {
        search.went_on(call, found.get(0).map_or(0, |it| it.start()))?;
        let value = groups.value(&found);
        size = size.saturating_add(value.size());
        fits(size)?;
        all.push(value);
    }
    Ok(Value::list(all))
}

/// How much the search for all matches has gone over, at the worst.
pub(super) struct Search {
    length: usize,
    bytes: usize,
}

impl Search {
    pub(super) fn of(text: &str) -> Self {
        Self { length: text.len(), bytes: 0 }
    }

    /// Counts the search that starts at a match.
    pub(super) fn went_on(&mut self, call: &Call, at: usize) -> Answer<()> {
        let rest = self.length.saturating_sub(at);
        call.charge(rest >> 12);
        self.bytes = self.bytes.saturating_add(rest);
        if self.bytes > MAX_SEARCH {
            return Err(Failure::whole("there are too many matches in a text of this length")
                .hint("Divide the text first, such as with `split` into its lines."));
        }
        Ok(())
    }
}

/// What a match gives: the text, or what the groups took.
enum Groups {
    None,
    Numbered,
    Named(Vec<String>),
}

impl Groups {
    fn of(regex: &Regex) -> Answer<Self> {
        let names: Vec<&str> = regex.capture_names().flatten().collect();
        match (regex.captures_len() - 1, names.len()) {
            (0, _) => Ok(Self::None),
            (_, 0) => Ok(Self::Numbered),
            (all, named) if all == named => {
                Ok(Self::Named(names.into_iter().map(str::to_owned).collect()))
            }
            _ => Err(Failure::at(0, "some groups have a name, and some have none")
                .hint("Write a group without a value as `(?:…)`.")),
        }
    }

    fn value(&self, found: &Captures) -> Value {
        let text = |it: Option<regex::Match>| it.map_or(Value::NULL, |it| Value::text(it.as_str()));
        match self {
            Self::None => text(found.get(0)),
            Self::Numbered => Value::list(found.iter().skip(1).map(text).collect()),
            Self::Named(names) => {
                let entry = |name: &String| (name.as_str().into(), text(found.name(name)));
                Value::map(names.iter().map(entry).collect())
            }
        }
    }
}

/// Reads a regular expression that is the argument at a place. The longer the text, the smaller it has to be: at the
/// worst, the time is the one times the other.
pub(super) fn regex(call: &Call, pattern: &str, length: usize, place: usize) -> Answer<Regex> {
    if pattern.len() > MAX_PATTERN {
        return Err(Failure::at(place, format!("this is longer than {MAX_PATTERN} bytes")));
    }
    let translated = Translation::of(pattern).map_err(|why| Failure::at(place, why))?;
    let most = ((1_usize << 36) / (length + 1)).clamp(1 << 15, 1 << 20);
    // Small ones are many, so a large one is found to be large step by step, and counts more.
    let mut size = translated.len().next_power_of_two().clamp(1 << 12, most);
    let built = loop {
        call.charge((size >> 6).saturating_add(size.saturating_mul(length) >> 16));
        match RegexBuilder::new(&translated).size_limit(size).build() {
            Err(regex::Error::CompiledTooBig(_)) if size < most => size = (size << 3).min(most),
            built => break built,
        }
    };
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            Failure::at(place, format!("this is too large for a text of {length} bytes"))
        }
        error => {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Failure::at(place, format!("this is not a regular expression: {why}"))
        }
    })
}

/// A pattern of RE2 on its way to one of the crate.
struct Translation<'p> {
    rest: &'p str,
    made: String,
}

impl<'p> Translation<'p> {
    fn of(pattern: &'p str) -> Result<String, String> {
        let mut it = Translation { rest: pattern, made: String::with_capacity(pattern.len()) };
        while let Some(c) = it.next() {
            match c {
                '\\' => it.escape(false),
                '[' => it.class(),
                '{' => it.brace()?,
                c => it.made.push(c),
            }
        }
        Ok(it.made)
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn escape(&mut self, is_class: bool) {
        let (set, is_negated) = match self.next() {
            Some('d') => ("0-9", false),
            Some('D') => ("0-9", true),
            Some('w') => ("0-9A-Za-z_", false),
            Some('W') => ("0-9A-Za-z_", true),
            Some('s') => (r"\t\n\f\r ", false),
            Some('S') => (r"\t\n\f\r ", true),
            Some('b') if !is_class => return self.made.push_str(r"(?-u:\b)"),
            Some('Q') if !is_class => return self.quoted(),
            Some(c @ ('<' | '>')) => return self.made.push(c),
            Some(c @ ('x' | 'p' | 'P')) => return self.braced(c),
            Some(c) => return self.made.extend(['\\', c]),
            None => return self.made.push('\\'),
        };
        self.made += match (is_class, is_negated) {
            (true, false) => set.to_owned(),
            (_, true) => format!("[^{set}]"),
            (false, false) => format!("[{set}]"),
        }
        .as_str();
    }

    /// What stands in braces behind `\x` or `\p` is a name.
    fn braced(&mut self, c: char) {
        self.made.extend(['\\', c]);
        if self.rest.starts_with('{') {
            let end = self.rest.find('}').map_or(0, |at| at + 1);
            self.made += &self.rest[..end];
            self.rest = &self.rest[end..];
        }
    }

    /// What stands between `\Q` and `\E` is text.
    fn quoted(&mut self) {
        let (text, rest) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
        self.made += &regex::escape(text);
        self.rest = rest;
    }

    fn class(&mut self) {
        self.made.push('[');
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.made.push('^');
            self.rest = rest;
        }
        let mut is_first = true;
        while let Some(c) = self.next() {
            match c {
                ']' if !is_first => return self.made.push(']'),
                '\\' => self.escape(true),
                '[' if self.rest.starts_with(':') => {
                    let end = self.rest.find(":]").map_or(0, |at| at + 2);
                    self.made.push('[');
                    self.made += &self.rest[..end];
                    self.rest = &self.rest[end..];
                }
                '[' | '&' | '~' => self.made.extend(['\\', c]),
                '-' if self.rest.starts_with('-') => self.made += r"\-",
                c => self.made.push(c),
            }
            is_first = false;
        }
    }

    /// A brace repeats what is before it, or is a brace.
    fn brace(&mut self) -> Result<(), String> {
        let inside = self.rest.split_once('}').map_or("", |(inside, _)| inside);
        let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if least.is_empty() || !is_number(least) || !is_number(most) {
            self.made += r"\{";
            return Ok(());
        }
        let is_too_many =
            |text: &&str| !text.is_empty() && text.parse().map_or(true, |n: u32| n > MAX_REPEAT);
        if [least, most].iter().any(is_too_many) {
            return Err(format!("a part can be repeated {MAX_REPEAT} times at most"));
        }
        self.made.push('{');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::function::pattern::Translation;

    #[test]
    fn a_pattern_of_re2_means_the_same() {
        for (pattern, made) in [
            (r"\d+\D", "[0-9]+[^0-9]"),
            (r"[\d\W-]", r"[0-9[^0-9A-Za-z_]-]"),
            (r"\Qa.b\E+\Q[", r"a\.b+\["),
            (r"[]a[&&~--x]", r"[]a\[\&\&\~\--x]"),
            (r"[[:alpha:]x]", "[[:alpha:]x]"),
            (r"a{2}{x}{,3}{2,}", r"a{2}\{x}\{,3}{2,}"),
            (r"\<\>\\d", r"<>\\d"),
            (r"\x{65e5}\p{Greek}{2}", r"\x{65e5}\p{Greek}{2}"),
            ("日[^日]", "日[^日]"),
        ] {
            assert_eq!(Translation::of(pattern).as_deref(), Ok(made), "{pattern}");
        }
        assert!(Translation::of("a{1001}").is_err());
    }
}
