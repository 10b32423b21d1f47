//! Help pages, in the form that Terraform's users know: one dash, `-flag=VALUE`, one sentence for each.
//!
//! clap finds out which page is asked for; what stands on it is written here, from clap's declarations.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

/// What stands on a page, before it is set out as a text or as a page of the manual.
#[derive(Debug)]
pub(crate) struct Page {
    /// The command, from the program on: `wgform state mv`.
    pub(crate) path: String,
    /// How it is written.
    pub(crate) usage: String,
    /// What it does.
    pub(crate) about: String,
    /// Its parts.
    pub(crate) sections: Vec<Section>,
    /// Examples and the like, set out already.
    pub(crate) after: String,
}

/// A part of a page.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    /// How something is written, and what it is.
    pub(crate) rows: Vec<(String, String)>,
}

/// What most people need most of the time.
const MAIN: [&str; 5] = ["validate", "plan", "apply", "destroy", "drift"];

/// Gives a command and all below it their help pages.
pub(crate) fn install(command: Command) -> Command {
    let everywhere = everywhere(&command);
    below(command, "", &everywhere)
}

fn below(mut command: Command, above: &str, everywhere: &[(String, String)]) -> Command {
    let names: Vec<String> =
        command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    let path = format!("{above}{}", command.get_name());
    for name in names {
        command = command.mut_subcommand(name, |it| below(it, &format!("{path} "), everywhere));
    }
    let text = text(&page(&command, &path, everywhere));
    command.override_help(text)
}

/// Returns the pages of a command and of all below it, in reading order.
pub(crate) fn pages(command: &Command) -> Vec<Page> {
    let everywhere = everywhere(command);
    let mut pages = Vec::new();
    let mut open = vec![(command, command.get_name().to_owned())];
    while let Some((command, path)) = open.pop() {
        let below = command.get_subcommands().map(|it| (it, format!("{path} {}", it.get_name())));
        open.extend(below.collect::<Vec<_>>().into_iter().rev());
        pages.push(page(command, &path, &everywhere));
    }
    pages
}

/// Returns the flags that every command has.
fn everywhere(command: &Command) -> Vec<(String, String)> {
    let help = ("-help".to_owned(), "Shows this page, or that of a command".to_owned());
    command.get_arguments().filter(|arg| arg.is_global_set()).map(row).chain([help]).collect()
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

fn page(command: &Command, path: &str, everywhere: &[(String, String)]) -> Page {
    let own = command.get_arguments().filter(|arg| !arg.is_global_set());
    let (positionals, options): (Vec<&Arg>, Vec<&Arg>) = own.partition(|arg| arg.is_positional());
    let commands: Vec<_> = command
        .get_subcommands()
        .map(|below| (below.get_name().to_owned(), said(below.get_about())))
        .collect();
    let is_main = |(name, _): &(String, String)| MAIN.contains(&name.as_str());
    let (mut main, others): (Vec<_>, Vec<_>) = commands.into_iter().partition(is_main);
    main.sort_by_key(|(name, _)| MAIN.iter().position(|it| it == name));
    let other_title = if main.is_empty() { "Commands" } else { "Other commands" };
    let sections = [
        ("Main commands", main),
        (other_title, others),
        ("Arguments", positionals.into_iter().map(row).collect()),
        ("Options", options.into_iter().map(row).collect()),
        ("Global options", everywhere.to_vec()),
    ];
    let sections = sections.into_iter().filter(|(_, rows)| !rows.is_empty());
    Page {
        path: path.to_owned(),
        usage: usage(command, path),
        about: said(command.get_about()),
        sections: sections.map(|(title, rows)| Section { title, rows }).collect(),
        after: said(command.get_after_help()),
    }
}

fn said(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

fn text(page: &Page) -> String {
    let Page { path: _, usage, about, sections, after } = page;
    let mut text = format!("Usage: {usage}\n\n{}\n", wrapped(about, 0).join("\n"));
    for Section { title, rows: table } in sections {
        text += &rows(title, table);
    }
    if !after.is_empty() {
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
    let value = value_name(arg);
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    match (arg.get_long(), arg.get_short()) {
        (Some(long), _) if takes_value && value.contains('=') => format!("-{long} '{value}'"),
        (Some(long), _) if takes_value => format!("-{long}={value}"),
        (Some(long), _) => format!("-{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => value,
    }
}

/// Returns what the value of an argument is called.
pub(crate) fn value_name(arg: &Arg) -> String {
    let name = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    name.unwrap_or_else(|| arg.get_id().to_string().to_uppercase())
}

/// Where the second column starts, and where it ends.
const COLUMN: usize = 26;
const WIDTH: usize = 80;

/// Sets out a table with a title.
fn rows(title: &str, rows: &[(String, String)]) -> String {
    let mut text = format!("\n{title}:\n");
    for (label, help) in rows {
        let lines = wrapped(help, COLUMN);
        let mut lines = lines.iter().map(String::as_str);
        // A label that reaches into the second column has a line of its own.
        let first = if label.len() + 3 > COLUMN { "" } else { lines.next().unwrap_or_default() };
        text += format!("  {label:<0$}{first}", COLUMN - 2).trim_end();
        text.push('\n');
        for line in lines {
            text += &format!("{:COLUMN$}{line}\n", "");
        }
    }
    text
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

    use clap::CommandFactory;

    use crate::command::help::pages;
    use crate::command::{Cli, Request, parse};
    use crate::error::Exit;

    /// Returns the commands, without the name of the program.
    fn commands() -> Vec<String> {
        let pages = pages(&Cli::command());
        pages.iter().map(|page| page.path.replacen("wgform", "", 1).trim().to_owned()).collect()
    }

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
        for page in commands() {
            let (text, _) = read(&format!("wgform {page} -help"));
            let name = if page.is_empty() { "wgform" } else { page.as_str() };
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
        for page in commands() {
            let (text, _) = read(&format!("wgform {page} -help"));
            assert!(!text.contains("--"), "{page}");
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{page}: {line}");
            }
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test looks at files")]
    fn no_page_is_kept_of_a_command_that_is_gone() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/help");
        assert_eq!(directory.read_dir().unwrap().count(), commands().len());
    }

    #[test]
    fn every_page_has_examples_that_are_understood() {
        for page in pages(&Cli::command()) {
            let examples: Vec<&str> =
                page.after.lines().filter_map(|line| line.strip_prefix("  wgform")).collect();
            assert!(examples.len() >= 2, "`{}` has two examples", page.path);
            let own = page.path.strip_prefix("wgform").unwrap();
            assert!(examples.iter().any(|it| it.contains(own)), "{}", page.path);
            for example in examples {
                let words = shell_words(&format!("wgform{example}"));
                let parsed = parse(words.into_iter().map(Into::into));
                assert!(parsed.is_ok(), "`wgform{example}`: {}", parsed.unwrap_err());
            }
        }
    }

    /// Takes a line apart as a shell does, up to where its output goes to.
    fn shell_words(line: &str) -> Vec<String> {
        let line = line.split(['>', '|']).next().unwrap();
        let (mut words, mut word, mut is_quoted) = (Vec::new(), None::<String>, false);
        for c in line.chars() {
            match c {
                '\'' => {
                    is_quoted = !is_quoted;
                    word.get_or_insert_default();
                }
                c if c.is_whitespace() && !is_quoted => words.extend(word.take()),
                c => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        words
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
