//! What is said to the shell of another host, and how its answers are told apart.
//!
//! A script is POSIX, for dash, busybox and bash alike. Every command in it answers in a section of its own, between
//! marks that nobody can guess: what it printed, its exit code, what it complained of. A script is one compound command,
//! so that a shell that has not got all of it, because the connection broke, does nothing of it.

use std::fmt::Write as _;

use zeroize::Zeroizing;

/// The functions that every script relies on. `answer NAME COMMAND…` runs a command with the input that it is given,
/// `ask` with none. fd 3 is the way back to us: what a command starts in the background must not keep it open.
const FUNCTIONS: &str = r#"exec 3>&1
answer() {
  printf '%s[%s\n' "$M" "$1" >&3; shift
  e=$("$@" 2>&1 >&3 3>&-); c=$?
  printf '\n%s]%s\n%s\n%s.\n' "$M" "$c" "$e" "$M" >&3
  return $c
}
ask() { answer "$@" </dev/null; }
"#;

/// Puts a word into quotes, so that a shell takes it as it is.
pub(crate) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A script for the far shell. It may hold keys, and is wiped.
#[derive(Default)]
pub(crate) struct Script(Zeroizing<String>);

impl Script {
    /// Adds lines.
    pub(crate) fn line(&mut self, line: &str) -> &mut Self {
        self.reserve(line.len() + 1);
        self.0.push_str(line);
        self.0.push('\n');
        self
    }

    /// Adds a command that answers under a name. It must be quoted already.
    pub(crate) fn ask(&mut self, name: &str, command: &str) -> &mut Self {
        self.line(&format!("ask {} {command}", quoted(name)))
    }

    /// Adds a command that is given a text as its input: past the list of processes and past any file.
    pub(crate) fn feed(&mut self, name: &str, text: &str, command: &str) -> &mut Self {
        self.reserve(text.len() + command.len() + 64);
        // `printf` is part of the shell, which was looked at: its arguments are in no list of processes.
        self.0.push_str("printf '%s' '");
        text.split('\'').enumerate().for_each(|(at, part)| {
            self.0.push_str(if at > 0 { r"'\''" } else { "" });
            self.0.push_str(part);
        });
        _ = writeln!(self.0, "' | answer {} {command}", quoted(name));
        self
    }

    /// Lets what follows be done only when what was added last went well.
    pub(crate) fn and(&mut self) -> &mut Self {
        if self.0.ends_with('\n') {
            self.0.pop();
        }
        self.line(" &&")
    }

    /// Returns the text to send: all or nothing of it is done.
    pub(crate) fn sealed(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.0.len() + 64));
        bytes.extend_from_slice(b"{\n");
        bytes.extend_from_slice(self.0.as_bytes());
        bytes.extend_from_slice(b":\nprintf '%s=\\n' \"$M\" >&3\n}\n");
        bytes
    }

    /// A text that grows by itself leaves copies behind.
    fn reserve(&mut self, more: usize) {
        if self.0.capacity() - self.0.len() >= more {
            return;
        }
        let mut larger =
            Zeroizing::new(String::with_capacity((self.0.len() + more).next_power_of_two()));
        larger.push_str(&self.0);
        self.0 = larger;
    }
}

/// Returns the line that begins a session. The functions stay in `F`, for a shell that is started as another user.
pub(crate) fn opening(marker: &str) -> String {
    let functions = quoted(FUNCTIONS);
    format!(
        "LC_ALL=C; export LC_ALL; unset LOG_LEVEL; umask 077; M={marker}; F={functions}; eval \"$F\""
    )
}

/// Returns the end of every answer.
pub(crate) fn end_of_answer(marker: &str) -> String {
    format!("{marker}=\n")
}

/// What one command answered.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) status: i32,
    pub(crate) output: Zeroizing<String>,
    pub(crate) complaint: String,
}

/// Takes an answer apart. What is no section is noise of somebody's profile, and passed over.
pub(crate) fn sections(answer: &str, marker: &str) -> Vec<Section> {
    let (begin, end) = (format!("{marker}["), format!("\n{marker}]"));
    let (last, mut rest) = (format!("\n{marker}.\n"), answer);
    let mut sections = Vec::new();
    while let Some((_, after)) = rest.split_once(&begin) {
        let Some((name, after)) = after.split_once('\n') else { break };
        let Some((output, after)) = after.split_once(&end) else { break };
        let Some((status, after)) = after.split_once('\n') else { break };
        let Some((complaint, after)) = after.split_once(&last) else { break };
        sections.push(Section {
            name: name.to_owned(),
            status: status.parse().unwrap_or(-1),
            output: Zeroizing::new(output.to_owned()),
            complaint: complaint.to_owned(),
        });
        rest = after;
    }
    sections
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a shell is what a script is for")]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use crate::backend::linux::remote::shell::{Script, end_of_answer, opening, quoted, sections};

    const MARKER: &str = "0123456789abcdef";

    fn run(input: &[u8]) -> String {
        let mut child = Command::new("sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }

    fn script(build: impl FnOnce(&mut Script)) -> Vec<u8> {
        let mut script = Script::default();
        script.line(&opening(MARKER));
        build(&mut script);
        script.sealed().to_vec()
    }

    #[test]
    fn every_command_answers_by_itself() {
        let answer = run(&script(|script| {
            script.line("echo noise");
            script.ask("one", "sh -c 'echo out; echo why >&2; exit 3'");
            script.feed("two", "it's\n$HOME `x` \\ 100%\n", "cat");
            script.ask("three", "cat");
        }));
        let end = end_of_answer(MARKER);
        assert!(answer.ends_with(&end));
        let found = sections(&answer, MARKER);
        let shown: Vec<_> =
            found.iter().map(|it| (&*it.name, it.status, &**it.output, &*it.complaint)).collect();
        assert_eq!(
            shown,
            [
                ("one", 3, "out\n", "why"),
                ("two", 0, "it's\n$HOME `x` \\ 100%\n", ""),
                ("three", 0, "", ""),
            ]
        );
    }

    #[test]
    fn what_follows_a_failure_is_left_out() {
        let answer = run(&script(|script| {
            script.ask("one", "true").and();
            script.feed("two", "", "false").and();
            script.ask("three", "true").and();
            script.line(":");
            script.ask("four", "true");
        }));
        let found = sections(&answer, MARKER);
        let names: Vec<_> = found.iter().map(|it| &*it.name).collect();
        assert_eq!(names, ["one", "two", "four"]);
    }

    #[test]
    fn a_script_that_is_cut_off_does_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let touched = directory.path().join("touched");
        let command = format!("touch {}", quoted(touched.to_str().unwrap()));
        let whole = script(|script| {
            script.ask("one", &command);
            script.feed("two", "text", &command);
        });
        // The line end after the brace is all that may be missing.
        for length in (0..whole.len() - 1).step_by(7).chain([whole.len() - 2]) {
            run(&whole[..length]);
            assert!(!touched.exists(), "cut off after {length} bytes");
        }
        run(&whole);
        assert!(touched.exists());
    }

    #[test]
    fn an_answer_that_is_no_answer_has_no_sections() {
        for text in ["", "hello", "0123456789abcdef[", "0123456789abcdef[x\ny\n0123456789abcdef]0"]
        {
            assert_eq!(sections(text, MARKER).len(), 0);
        }
    }
}
