//! Puts lines together to one expression: it goes on while a bracket, a heredoc or a comment is open.
//!
//! Each line is looked at once, but for those of a heredoc or a comment, so that a long list takes no time.

use crate::error::{Error, Kind};
use crate::token::{TokenKind, scan};
use crate::ui::Ui;

/// No expression may be longer.
const MAX_BYTES: usize = 1 << 20;

/// Reads the lines of one expression; none at the end of the input. An expression that cannot be taken is an error of its
/// own, behind which one can go on.
pub(super) fn read(ui: &Ui) -> Result<Option<Result<String, Error>>, Error> {
    let mut entry = Entry::default();
    loop {
        let prompt = if entry.text.is_empty() { "> " } else { ": " };
        let Some(line) = line(ui, prompt)? else {
            let is_empty = entry.text.is_empty();
            return Ok((!is_empty).then_some(Ok(entry.text)));
        };
        if entry.text.len() + line.len() > MAX_BYTES {
            skip(ui, &line)?;
            return Ok(Some(Err(too_long())));
        }
        let Ok(line) = String::from_utf8(line) else {
            let error = Error::new(Kind::Failed, "a line of the input is not UTF-8 text");
            return Ok(Some(Err(error.hint("write it in UTF-8"))));
        };
        if entry.add(&line) {
            return Ok(Some(Ok(entry.text)));
        }
    }
}

fn too_long() -> Error {
    Error::new(Kind::Failed, "an expression of more than 1 MiB").hint(
        "keep long texts and lists in a file, and read it with `file(…)` or `jsondecode(file(…))`",
    )
}

fn line(ui: &Ui, prompt: &str) -> Result<Option<Vec<u8>>, Error> {
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let failed = |error| Error::new(Kind::Failed, "could not read standard input").cause(&error);
    ui.line(prompt, most).map_err(failed)
}

/// Reads the rest of a line that somebody typed. A pipe is at its end with the first error, and may have no end.
fn skip(ui: &Ui, line_so_far: &[u8]) -> Result<(), Error> {
    let mut is_over = line_so_far.ends_with(b"\n") || !ui.is_typed();
    while !is_over {
        is_over = line(ui, "")?.is_none_or(|part| part.ends_with(b"\n"));
    }
    Ok(())
}

/// The lines so far.
#[derive(Debug, Default)]
struct Entry {
    text: String,
    /// Where what is not looked at yet starts.
    open_from: usize,
    /// How many brackets are open before that.
    depth: usize,
    /// What has to be in a line before it is worth another look.
    awaited: Option<Awaited>,
}

/// What ends something that goes over several lines.
#[derive(Debug, PartialEq, Eq)]
enum Awaited {
    /// A line that has nothing but this.
    Marker(String),
    /// A line with this in it.
    Part(&'static str),
}

impl Awaited {
    fn may_be_in(&self, line: &str) -> bool {
        match self {
            Self::Marker(marker) => line.trim() == marker,
            Self::Part(part) => line.contains(part),
        }
    }
}

impl Entry {
    /// Adds a line, and returns whether the expression is complete. What is wrong beyond repair is complete too: the
    /// parser says what is wrong with it.
    fn add(&mut self, line: &str) -> bool {
        use TokenKind as T;
        self.text.push_str(line);
        if self.awaited.as_ref().is_some_and(|it| !it.may_be_in(line)) {
            return false;
        }
        let text = &self.text[self.open_from..];
        let tokens = scan(text);
        self.awaited =
            tokens.iter().rev().filter(|it| !it.is_closed).find_map(|it| match it.kind {
                T::HeredocOpen => {
                    let marker = it.text(text).trim_start_matches(['<', '-']).trim();
                    Some(Awaited::Marker(marker.to_owned()))
                }
                T::BlockComment => Some(Awaited::Part("*/")),
                T::TemplateOpen => Some(Awaited::Part("}")),
                _ => None,
            });
        if self.awaited.is_some() {
            return false;
        }
        let mut depth = self.depth;
        for token in &tokens {
            match token.kind {
                _ if !token.is_closed => return true,
                T::BraceOpen | T::BracketOpen | T::ParenthesisOpen => depth += 1,
                T::BraceClose | T::BracketClose | T::ParenthesisClose => match depth.checked_sub(1)
                {
                    Some(less) => depth = less,
                    None => return true,
                },
                _ => {}
            }
        }
        self.depth = depth;
        self.open_from = self.text.len();
        depth == 0
    }
}

#[cfg(test)]
mod tests {
    use crate::command::console::entry::{Entry, read};
    use crate::ui::{Options, Streams, Ui};

    /// Returns the number of lines that an expression takes; none where it stays open.
    fn lines(text: &str) -> Option<usize> {
        let mut entry = Entry::default();
        text.split_inclusive('\n').position(|line| entry.add(line)).map(|at| at + 1)
    }

    fn entries(input: impl Into<Vec<u8>>) -> Vec<Result<String, String>> {
        let (streams, ..) = Streams::in_memory(input);
        let ui = Ui::new(streams, &std::collections::BTreeMap::new(), Options::default());
        let next = || read(&ui).unwrap();
        std::iter::from_fn(next).map(|it| it.map_err(|error| error.to_string())).collect()
    }

    #[test]
    fn an_expression_goes_on_while_something_is_open() {
        for (text, n) in [
            ("1\n", Some(1)),
            ("\n", Some(1)),
            ("# [\n", Some(1)),
            ("[\n1,\n]\n2\n", Some(3)),
            ("{ a = [\n(1)] }\n", Some(2)),
            ("f(\"(\")\n", Some(1)),
            ("<<EOT\n[\nEOT \n", Some(3)),
            ("[<<-E\n  E\n, 2\n]\n", Some(4)),
            ("join(\"\", [<<A\n${x}\nA\n, <<B\nA\nB\n])\n", Some(7)),
            ("/* [\n*/ 1\n", Some(2)),
            ("[\n", None),
            ("<<E\nx\n", None),
            ("]\n[\n", Some(1)),
            ("\"a\n", Some(1)),
            ("[\"a\n", Some(1)),
        ] {
            assert_eq!(lines(text), n, "{text}");
        }
    }

    #[test]
    fn what_is_open_at_the_end_of_the_input_is_an_expression_too() {
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(entries("1\n[\n2"), [ok("1\n"), ok("[\n2")]);
        assert_eq!(entries("3"), [ok("3")]);
        assert!(entries("").is_empty());
    }

    #[test]
    fn what_is_too_long_or_no_text_is_an_error_of_its_own() {
        let long = format!("{}\n2\n", "1".repeat(1 << 20));
        assert!(entries(long)[0].as_ref().unwrap_err().contains("more than 1 MiB"));
        let both = entries(&b"\xff\n2\n"[..]);
        assert!(both[0].as_ref().unwrap_err().contains("not UTF-8"));
        assert_eq!(both[1], Ok("2\n".to_owned()));
    }

    #[test]
    fn many_lines_take_no_time() {
        let text = format!("[\n{}]\n", "[],\n".repeat(200_000));
        assert_eq!(lines(&text), Some(200_002));
    }
}
