//! Says what is wrong with a command line, in our own words and dashes, and what to write instead.

use std::error::Error as _;
use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use regex::Regex;

use crate::command::{dashes, help};
use crate::error::{Error, Kind};
use crate::resource::Pattern;
use crate::resource::pattern::in_shell;
use crate::value::InvalidValue;

/// What users of Terraform, OpenTofu and wg-quick may look for, and what there is in its place.
const ELSEWHERE: &[(&str, &str)] = &[
    ("init", "There is nothing to download or to set up: start with `wgform plan`."),
    ("workspace", "Say `-workspace=NAME` with any command: each workspace has a state of its own."),
    ("env", "Say `-workspace=NAME` with any command: each workspace has a state of its own."),
    (
        "refresh",
        "`wgform drift` shows what was changed outside; every plan asks the backends first.",
    ),
    ("taint", "`wgform apply -replace=ADDRESS` makes a resource anew."),
    ("untaint", "Nothing is ever tainted: what failed is looked up by the next plan."),
    (
        "get",
        "A module is a directory beside the configuration, so there is nothing to get: `wgform plan` reads it.",
    ),
    (
        "modules",
        "`wgform graph` shows what is in which module, and `wgform state list` what is managed.",
    ),
    ("providers", "Backends are built in, and declared with `backend` blocks."),
    (
        "login",
        "There is no service to log in to; what a store asks for comes from the environment.",
    ),
    ("logout", "There is no service to log out from."),
    ("query", "`wgform plan` reports interfaces and peers that nobody declared."),
    ("test", "`simulate = true` in a `backend` block tries a configuration without a device."),
    ("diff", "`wgform plan` shows what differs."),
    ("status", "`wgform drift` shows what was changed outside, `wgform show` what is owned."),
    ("up", "`wgform apply` makes what is declared."),
    ("down", "`wgform destroy` removes what is owned."),
    ("ls", "Say `wgform state list`."),
    ("move", "Say `wgform state mv`."),
    ("remove", "Say `wgform state rm`."),
    ("pull", "Say `wgform state pull`."),
    ("push", "Say `wgform state push`."),
];

/// Makes an error of what clap says of a command line. Its text is taken apart, because what it knows besides is not
/// enough to say the same for every kind of mistake.
pub(crate) fn error(error: &clap::Error, command: &Command, arguments: &[OsString]) -> Error {
    let text = readable(&error.render().to_string());
    let (first, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    let choices = |line: &&str| line.starts_with('[');
    let first = first.strip_prefix("error: ").unwrap_or(first).lines().map(str::trim);
    let message: Vec<&str> = first.clone().filter(|line| !choices(line)).collect();
    let new = Error::new(Kind::Usage, backticks(&message.join(" ")));
    let own = instead(error, command, arguments);
    let tips = rest.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
    // No argument starts with a dash, and what is in the table is no slip of the pen.
    let tips = tips.filter(|tip| own.is_none() && !tip.starts_with("to pass "));
    let hints = first.filter(choices).map(|line| line.trim_matches(['[', ']'])).chain(tips);
    let new = hints.fold(new, |new, hint| new.hint(backticks(hint)));
    let value = error.source().and_then(|source| source.downcast_ref::<InvalidValue>());
    let new = value.and_then(InvalidValue::get_hint).into_iter().fold(new, Error::hint);
    let new = own.into_iter().fold(new, Error::hint);
    new.hint(format!("`{}` says what there is.", help::page_for(command, arguments)))
}

/// Writes flags and values as the help pages do: `-target=ADDRESS` for `--target <ADDRESS>`.
fn readable(text: &str) -> String {
    let text = dashes::single(text).replace("[=<false>]", "");
    let value = Regex::new("(?<flag>-[a-z-]+) <(?<value>[A-Z_=:]+)>").expect("it is a pattern");
    let text = value.replace_all(&text, "${flag}=${value}");
    let name = Regex::new("<(?<name>[A-Z_:]+)>").expect("it is a pattern");
    name.replace_all(&text, "${name}").into_owned()
}

/// Says what to write in place of something that is not there.
fn instead(error: &clap::Error, command: &Command, arguments: &[OsString]) -> Option<String> {
    let said = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let name = said(ContextKind::InvalidSubcommand)?;
            let (_, hint) = ELSEWHERE.iter().find(|(there, _)| *there == name)?;
            Some((*hint).to_owned())
        }
        ErrorKind::TooManyValues if said(ContextKind::InvalidArg)? == "--target-exact" => {
            let address = in_shell(&said(ContextKind::InvalidValue)?);
            Some(format!("Write it as `-target={address} -target-exact`."))
        }
        ErrorKind::UnknownArgument => {
            let word = said(ContextKind::InvalidArg)?;
            match word.strip_prefix("--") {
                Some(flag) => whose(flag, command),
                None => for_word(&word, arguments),
            }
        }
        _ => None,
    }
}

/// Says which commands have a flag.
fn whose(flag: &str, command: &Command) -> Option<String> {
    let has = |page: &&Command| page.get_arguments().any(|arg| arg.get_long() == Some(flag));
    let mut open: Vec<(&Command, String)> = vec![(command, "wgform".to_owned())];
    let mut owners = Vec::new();
    while let Some((command, path)) = open.pop() {
        for below in command.get_subcommands() {
            open.push((below, format!("{path} {}", below.get_name())));
        }
        if path != "wgform" && has(&command) {
            owners.push(format!("`{path}`"));
        }
    }
    owners.sort();
    let (last, others) = owners.split_last()?;
    let owners = if others.is_empty() { last.clone() } else { others.join(", ") + " and " + last };
    Some(format!("`-{flag}` is a flag of {owners}."))
}

/// Says where a word belongs that is no argument of its command.
fn for_word(word: &str, arguments: &[OsString]) -> Option<String> {
    let at = arguments.iter().position(|argument| argument == word)?;
    let before = arguments[at.checked_sub(1)?].to_str()?;
    if matches!(word, "true" | "false") && before.starts_with("--") {
        return Some(format!("Write it as `{}={word}`.", &before[1..]));
    }
    let address: Pattern = word.parse().ok()?;
    Some(format!("A resource is chosen with `-target={}`.", in_shell(&address.to_string())))
}

/// Puts names between backticks, as in all other messages.
fn backticks(text: &str) -> String {
    let text = text.replace(" '", " `").replace("' ", "` ").replace("':", "`:");
    let text = match text.strip_prefix('\'') {
        Some(text) => format!("`{text}"),
        None => text,
    };
    match text.strip_suffix('\'') {
        Some(text) => format!("{text}`"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use crate::command::usage::ELSEWHERE;
    use crate::command::{Cli, parse};

    fn refusal(line: &str) -> String {
        parse(line.split(' ').map(Into::into)).unwrap_err().to_string()
    }

    #[test]
    fn a_command_of_another_program_is_answered() {
        for (name, hint) in ELSEWHERE {
            let text = refusal(&format!("wgform {name}"));
            assert_eq!(
                text,
                format!(
                    "Error: unrecognized subcommand `{name}`\n\n  help: {hint}\n\n  \
                     help: `wgform -help` says what there is.\n"
                )
            );
        }
        assert!(refusal("wgform state ls").contains("help: Say `wgform state list`.\n"));
    }

    #[test]
    fn nothing_that_there_is_is_said_to_be_elsewhere() {
        let command = Cli::command();
        let names = command.get_subcommands().map(clap::Command::get_name);
        let both: Vec<_> =
            names.filter(|name| ELSEWHERE.iter().any(|(it, _)| it == name)).collect();
        assert_eq!(both, [""; 0]);
    }

    #[test]
    fn a_flag_or_a_word_in_the_wrong_place_is_shown_its_own() {
        for (line, hint) in [
            (
                "wgform drift -auto-approve",
                "`-auto-approve` is a flag of `wgform adopt`, `wgform apply` and `wgform destroy`.",
            ),
            ("wgform plan -raw", "`-raw` is a flag of `wgform output`."),
            (
                "wgform -auto-approve apply",
                "`-auto-approve` is a flag of `wgform adopt`, `wgform apply` and `wgform destroy`.",
            ),
            ("wgform plan peer.laptop", "A resource is chosen with `-target=peer.laptop`."),
            ("wgform plan peer.*", "A resource is chosen with `-target='peer.*'`."),
            ("wgform plan -target-exact=peer.a", "Write it as `-target=peer.a -target-exact`."),
            ("wgform plan -refresh false", "Write it as `-refresh=false`."),
            ("wgform apply -tagret=peer.a", "A similar argument exists: `-target`."),
            ("wgform completions tcsh", "Possible values: bash, zsh, fish."),
        ] {
            let text = refusal(line);
            assert!(text.contains(&format!("\n  help: {hint}\n")), "{line}: {text}");
        }
    }

    #[test]
    fn values_are_named_as_on_the_help_pages() {
        for (line, message) in [
            ("wgform plan -var", "a value is required for `-var=NAME=VALUE` but none was supplied"),
            ("wgform plan -target=nonsense", "invalid value `nonsense` for `-target=ADDRESS`: "),
            ("wgform completions tcsh", "invalid value `tcsh` for `SHELL`"),
            ("wgform import peer.a", "the following required arguments were not provided: ID"),
        ] {
            let text = refusal(line);
            assert!(text.starts_with(&format!("Error: {message}")), "{line}: {text}");
        }
    }
}
