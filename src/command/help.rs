//! Help pages, in the form that Terraform's users know: one dash, `-flag=VALUE`, one sentence for each.
//!
//! clap finds out which page is asked for; what stands on it is written here, from clap's declarations.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

/// Gives a command and all below it their help pages.
pub(crate) fn install(command: Command) -> Command {
    let everywhere: Vec<(String, String)> = command
        .get_arguments()
        .filter(|arg| arg.is_global_set())
        .map(row)
        .chain([("-help".to_owned(), "Shows this page, or that of a command".to_owned())])
        .collect();
    page(command, "", &everywhere)
}

/// Returns how to ask for the page of the command that a command line means.
pub(crate) fn page_for(command: &Command, arguments: &[OsString]) -> String {
    let mut path = command.get_name().to_owned();
    let mut command = command;
    for argument in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        // A word after a flag may be its value and still the name of a command: then a page too high is named.
        match command.find_subcommand(argument) {
            Some(found) if argument != "help" => {
                path = format!("{path} {argument}");
                command = found;
            }
            _ => {}
        }
    }
    format!("{path} -help")
}

fn page(mut command: Command, above: &str, everywhere: &[(String, String)]) -> Command {
    let path = format!("{above}{}", command.get_name());
    let names: Vec<String> =
        command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, |it| page(it, &format!("{path} "), everywhere));
    }
    let text = text(&command, &path, everywhere);
    command.override_help(text)
}

fn text(command: &Command, path: &str, everywhere: &[(String, String)]) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut text =
        format!("Usage: {}\n\n{}\n", usage(command, path), wrapped(&about, 0).join("\n"));
    let own = command.get_arguments().filter(|arg| !arg.is_global_set());
    let (positionals, options): (Vec<&Arg>, Vec<&Arg>) = own.partition(|arg| arg.is_positional());
    let below = command.get_subcommands();
    text += &rows(
        "Commands",
        below.map(|below| {
            let about = below.get_about().map(ToString::to_string);
            (below.get_name().to_owned(), about.unwrap_or_default())
        }),
    );
    text += &rows("Arguments", positionals.into_iter().map(row));
    text += &rows("Options", options.into_iter().map(row));
    text += &rows("Global options", everywhere.iter().cloned());
    if let Some(after) = command.get_after_help() {
        text += &format!("\n{after}\n");
    }
    text
}

fn usage(command: &Command, path: &str) -> String {
    let mut usage = path.to_owned();
    if command.has_subcommands() {
        return usage + " [global options] COMMAND [arguments]";
    }
    usage += " [options]";
    for arg in command.get_positionals() {
        let name = label(arg);
        usage += &if arg.is_required_set() { format!(" {name}") } else { format!(" [{name}]") };
    }
    usage
}

fn row(arg: &Arg) -> (String, String) {
    (label(arg), arg.get_help().map(ToString::to_string).unwrap_or_default())
}

/// Returns how an argument is written: `-target=ADDRESS`, `-var 'NAME=VALUE'`, `LOCK_ID`.
fn label(arg: &Arg) -> String {
    let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let value = value.unwrap_or_else(|| arg.get_id().to_string().to_uppercase());
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    match (arg.get_long(), arg.get_short()) {
        (Some(long), _) if takes_value && value.contains('=') => format!("-{long} '{value}'"),
        (Some(long), _) if takes_value => format!("-{long}={value}"),
        (Some(long), _) => format!("-{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => value,
    }
}

/// Where the second column starts, and where it ends.
const COLUMN: usize = 26;
const WIDTH: usize = 80;

/// Sets out a table with a title; nothing for no rows.
fn rows(title: &str, rows: impl Iterator<Item = (String, String)>) -> String {
    let mut text = String::new();
    for (label, help) in rows {
        let lines = wrapped(&help, COLUMN);
        let mut lines = lines.iter().map(String::as_str);
        // A label that reaches into the second column has a line of its own.
        let first = if label.len() + 3 > COLUMN { "" } else { lines.next().unwrap_or_default() };
        text += format!("  {label:<0$}{first}", COLUMN - 2).trim_end();
        text.push('\n');
        for line in lines {
            text += &format!("{:COLUMN$}{line}\n", "");
        }
    }
    if text.is_empty() { text } else { format!("\n{title}:\n{text}") }
}

/// Breaks a sentence into lines that end before the last column, and gives it its period.
fn wrapped(sentence: &str, indent: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in sentence.split_whitespace() {
        match lines.last_mut() {
            Some(line) if indent + line.len() + word.len() + 2 <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('.')) {
        last.push('.');
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::command::{Request, parse};
    use crate::error::Exit;

    const PAGES: [&str; 16] = [
        "",
        "plan",
        "apply",
        "destroy",
        "drift",
        "validate",
        "fmt",
        "show",
        "output",
        "state",
        "state list",
        "state show",
        "state mv",
        "state rm",
        "import",
        "force-unlock",
        "version",
    ];

    fn read(line: &str) -> (String, Exit) {
        let words = line.split(' ').filter(|word| !word.is_empty());
        match parse(words.map(Into::into)) {
            Ok(Request::Read { text, exit }) => (text, exit),
            other => panic!("`{line}` is no help but {other:?}"),
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test keeps pages in files")]
    fn every_page_is_as_it_was_reviewed() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/help");
        for page in PAGES {
            let (text, _) = read(&format!("wgform {page} -help"));
            let name = if page.is_empty() { "wgform" } else { page };
            let path = directory.join(name.replace(' ', "-") + ".txt");
            if std::env::var("WGFORM_BLESS").is_ok() {
                std::fs::write(&path, &text).unwrap();
            }
            let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(text, reviewed, "{page}: WGFORM_BLESS=1 writes it anew, for review");
        }
    }

    #[test]
    fn no_page_shows_two_dashes_or_is_wider_than_a_terminal() {
        for page in PAGES {
            let (text, _) = read(&format!("wgform {page} -help"));
            assert!(!text.contains("--"), "{page}");
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{page}: {line}");
            }
        }
    }

    #[test]
    fn help_is_found_however_it_is_asked_for() {
        let (page, exit) = read("wgform state mv -help");
        assert_eq!(exit, Exit::Done);
        for line in [
            "wgform state mv --help",
            "wgform state mv -h",
            "wgform help state mv",
            "wgform state help mv",
        ] {
            assert_eq!(read(line), (page.clone(), Exit::Done), "{line}");
        }
        let (page, _) = read("wgform -help");
        assert_eq!(read("wgform help"), (page.clone(), Exit::Done));
        assert_eq!(read("wgform"), (page, Exit::Failed), "without a command nothing was done");
    }
}
