//! What bash makes of a line in a file of wg-quick, as far as such lines are wgform's: words in quotes, `|`, `||`, `!`
//! and a program that is known here. A line with anything else fails, so that no test passes by one that means nothing.

use std::iter::Peekable;
use std::str::Chars;
use std::time::Duration;

use rustix::io::Errno;

use crate::persist::COMMAND_SECONDS;
use crate::simulator::linux::call::{HostRoute, HostRule, Program, Refusal, RoutingChange};
use crate::simulator::linux::host::Host;
use crate::value::{Family, Prefix, Route, RouteRule};

/// What a program ends with that is not there.
const NOT_FOUND: i32 = 127;
/// What `timeout` is told, and what the rest is given.
const TIMEOUT: Duration = Duration::from_secs(COMMAND_SECONDS);

/// Commands that are piped one into the next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pipe {
    is_negated: bool,
    commands: Vec<Vec<String>>,
}

impl Pipe {
    fn new() -> Self {
        Self { is_negated: false, commands: vec![Vec::new()] }
    }
}

/// Reads a line for an interface of that name: pipes, each of which runs when the one before fails.
pub(crate) fn parsed(line: &str, name: &str) -> Result<Vec<Pipe>, Refusal> {
    let line = line.replace("%i", name);
    let mut rest = line.chars().peekable();
    let mut pipes = vec![Pipe::new()];
    while let Some(c) = rest.next() {
        let pipe = pipes.last_mut().ok_or(Errno::INVAL)?;
        let command = pipe.commands.last_mut().ok_or(Errno::INVAL)?;
        match c {
            ' ' => {}
            '|' if rest.next_if_eq(&'|').is_some() => pipes.push(Pipe::new()),
            '|' => pipe.commands.push(Vec::new()),
            '!' if command.is_empty() && rest.peek() == Some(&' ') => pipe.is_negated = true,
            c => command.push(word(c, &mut rest)?),
        }
    }
    let is_whole = pipes.iter().flat_map(|pipe| &pipe.commands).all(|it| !it.is_empty());
    is_whole.then_some(pipes).ok_or(Errno::INVAL.into())
}

fn word(first: char, rest: &mut Peekable<Chars<'_>>) -> Result<String, Refusal> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,~".contains(c);
    let mut word = String::new();
    let mut next = Some(first);
    while let Some(c) = next {
        match c {
            '\'' => word.push_str(&until(rest, '\'')?),
            '"' => word.push_str(&substituted(&until(rest, '"')?)?),
            '$' if rest.next_if_eq(&'\'').is_some() => word.push_str(&escaped(rest)?),
            c if is_plain(c) => word.push(c),
            // Everything else means something to a shell.
            _ => return Err(Errno::INVAL.into()),
        }
        next = rest.next_if(|c| *c != ' ');
    }
    Ok(word)
}

fn until(rest: &mut Peekable<Chars<'_>>, end: char) -> Result<String, Refusal> {
    let mut text = String::new();
    loop {
        match rest.next().ok_or(Errno::INVAL)? {
            c if c == end => return Ok(text),
            c => text.push(c),
        }
    }
}

/// Leaves out what a program says that reads a file which a simulated host does not have.
fn substituted(text: &str) -> Result<String, Refusal> {
    match text.strip_prefix("$(sed -n ").map(|it| it.rsplit_once(')')) {
        Some(Some((_, rest))) => Ok(rest.to_owned()),
        _ if !text.contains(['$', '`', '\\']) => Ok(text.to_owned()),
        _ => Err(Errno::INVAL.into()),
    }
}

fn escaped(rest: &mut Peekable<Chars<'_>>) -> Result<String, Refusal> {
    let mut text = String::new();
    loop {
        match rest.next().ok_or(Errno::INVAL)? {
            '\'' => return Ok(text),
            '\\' => match rest.next().ok_or(Errno::INVAL)? {
                'x' => {
                    let digits: String = rest.by_ref().take(2).collect();
                    let byte = u8::from_str_radix(&digits, 16).map_err(|_| Errno::INVAL)?;
                    text.push(char::from(byte));
                }
                c => text.push(c),
            },
            c => text.push(c),
        }
    }
}

impl Host {
    /// Runs a line, which has to end with 0.
    pub(crate) fn shell(&mut self, line: &str, name: &str) -> Result<(), Refusal> {
        let mut status = 0;
        for Pipe { is_negated, commands } in parsed(line, name)? {
            let mut text = String::new();
            for command in commands {
                let words: Vec<&str> = command.iter().map(String::as_str).collect();
                (status, text) = self.command(&words, &text)?;
            }
            status = if is_negated { i32::from(status == 0) } else { status };
            if status == 0 {
                return Ok(());
            }
        }
        Err(Refusal::said(format!("`{line}` ended with {status}"), "see what it says by hand"))
    }

    /// Runs a program with its input; returns how it ends, and what it says.
    fn command(&mut self, words: &[&str], input: &str) -> Result<(i32, String), Refusal> {
        let ended = |is_well: bool| Ok((i32::from(!is_well), String::new()));
        match words {
            ["true"] => ended(true),
            ["printf", format, arguments @ ..] => {
                let format = format.replace("\\n", "\n");
                Ok((0, arguments.iter().map(|it| format.replace("%s", it)).collect()))
            }
            ["ip", "link", "set", "dev", name, "down"] => ended(self.set_up(name, false).is_ok()),
            ["ip", "-4" | "-6", "-force", "-batch", "-"] => {
                let all: Result<Vec<RoutingChange>, _> = input.lines().map(route).collect();
                let refused = all?
                    .into_iter()
                    .filter(|it| self.change_routing(std::slice::from_ref(it)).is_err());
                ended(refused.count() == 0)
            }
            ["ip", family, "rule", "add", words @ ..] => {
                let change = RoutingChange::AddRule(rule(family, words)?);
                ended(self.change_routing(&[change]).is_ok())
            }
            ["resolvconf", "-a", name, "-m", "0", ..] if self.programs.has("resolvconf") => {
                let text = input.trim_end().to_owned();
                ended(self.programs.resolvconf.insert((*name).to_owned(), text).is_none())
            }
            ["env", words @ ..] => Ok(self.user_command(words)?),
            ["systemctl" | "resolvectl", ..] => Ok(self.program(words, &[])),
            _ => Ok((NOT_FOUND, String::new())),
        }
    }

    fn user_command(&mut self, words: &[&str]) -> Result<(i32, String), Refusal> {
        let variables = words.iter().take_while(|it| it.starts_with("WGFORM_")).count();
        let (variables, words) = words.split_at(variables);
        match words {
            ["timeout", seconds, argv @ ..] if *seconds == TIMEOUT.as_secs().to_string() => {
                Ok(self.program(argv, variables))
            }
            _ => Err(Errno::INVAL.into()),
        }
    }

    fn program(&mut self, words: &[&str], variables: &[&str]) -> (i32, String) {
        let argv = words.iter().map(ToString::to_string).collect();
        let pairs = variables.iter().filter_map(|it| it.split_once('='));
        let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let program = Program { argv, environment, timeout: TIMEOUT };
        let ran = self.answer(&program).unwrap_or_else(|| self.run(&program));
        (ran.map_or(NOT_FOUND, |it| it.status), String::new())
    }
}

fn route(line: &str) -> Result<RoutingChange, Refusal> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["route", "add", to, "dev", device, "proto", protocol, rest @ ..] = words.as_slice() else {
        return Err(Errno::INVAL.into());
    };
    let (mut table, mut metric) = (Route::MAIN, None);
    for pair in rest.chunks(2) {
        match pair {
            ["table", number] => table = value(number)?,
            ["metric", number] => metric = Some(value(number)?),
            _ => return Err(Errno::INVAL.into()),
        }
    }
    let route = Route::new(value::<Prefix>(to)?, table, metric);
    let device = Some((*device).to_owned());
    Ok(RoutingChange::AddRoute(HostRoute { route, device, protocol: value(protocol)? }))
}

fn rule(family: &str, words: &[&str]) -> Result<HostRule, Refusal> {
    let family = if family == "-6" { Family::V6 } else { Family::V4 };
    let (rule, rest) = match words {
        ["table", "254", "suppress_prefixlength", "0", rest @ ..] => {
            (RouteRule::Main(family), rest)
        }
        ["not", "fwmark", mark, "table", table, rest @ ..] if mark == table => {
            (RouteRule::Unmarked(family, value(mark)?), rest)
        }
        _ => return Err(Errno::INVAL.into()),
    };
    match rest {
        ["priority", at, "protocol", protocol] if *at == rule.priority().to_string() => {
            Ok(HostRule { rule, protocol: value(protocol)? })
        }
        _ => Err(Errno::INVAL.into()),
    }
}

fn value<T: std::str::FromStr>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|_| Errno::INVAL.into())
}

#[cfg(test)]
mod tests {
    use crate::persist::quoted;
    use crate::simulator::linux::boot::shell::parsed;

    #[test]
    fn what_is_quoted_is_read_as_it_was() {
        for word in [
            "plain",
            "",
            "two words",
            "it's",
            "# no comment",
            "a\\b",
            "\n\tü\r",
            "'#'",
            "a|b;c&d",
            "$HOME `x`",
            "!",
        ] {
            let line = format!("run {} last", quoted(word));
            assert!(!line.contains(['#', '\n', '\r']), "{line}");
            let pipes = parsed(&line, "wg0").unwrap();
            assert_eq!(pipes[0].commands, [["run", word, "last"]], "{line}");
        }
    }

    #[test]
    fn what_means_something_to_a_shell_is_refused() {
        for line in ["a; b", "a & b", "a > b", "a $HOME", "`a`", "a |", "|| a", "a 'b", "(a)", ""] {
            assert!(parsed(line, "wg0").is_err(), "{line}");
        }
    }
}
