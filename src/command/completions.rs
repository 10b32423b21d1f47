//! `wgform completions`.
//!
//! clap_complete was tried: what it writes knows flags with two dashes only, completes no `-flag=VALUE` in bash, and offers
//! files where an address belongs. What is completed is read from the same declarations as the help pages.

use clap::{Arg, ArgAction, Args, Command, CommandFactory, ValueEnum, ValueHint};

use crate::command::{Cli, Context, help};
use crate::error::{Error, Exit};

mod bash;
mod zsh;
mod fish;

/// What `wgform completions` is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wgform completions bash > ~/.local/share/bash-completion/completions/wgform
  wgform completions zsh > ~/.zfunc/_wgform
  wgform completions fish > ~/.config/fish/completions/wgform.fish

For zsh, the directory has to be in `fpath` before `compinit` is called.")]
pub struct Arguments {
    /// The shell: bash, zsh or fish
    #[arg(value_enum)]
    pub shell: Shell,
}

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash, from 4.0 on.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// Prints the script.
///
/// # Errors
/// Never.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Error> {
    context.ui.result(&script(arguments.shell, &Cli::command()));
    Ok(Exit::Done)
}

fn script(shell: Shell, command: &Command) -> String {
    let nodes = nodes(command);
    match shell {
        Shell::Bash => bash::script(&nodes),
        Shell::Zsh => zsh::script(&nodes),
        Shell::Fish => fish::script(&nodes),
    }
}

/// A command as a shell completes it.
struct Node {
    /// `state mv`; nothing for the program itself.
    path: String,
    /// The commands below it, with what they do.
    below: Vec<(String, String)>,
    flags: Vec<Flag>,
    /// What its positional arguments may be.
    positionals: Vec<Value>,
}

struct Flag {
    /// With its dash.
    name: String,
    about: String,
    takes: Takes,
    /// What the value may be.
    value: Value,
    is_repeated: bool,
}

/// Whether a flag takes a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    /// As `-flag=VALUE` or not at all.
    Maybe,
    /// As `-flag=VALUE` or as the next word.
    Value,
}

/// What can be said of a value beforehand.
#[derive(Clone, PartialEq, Eq)]
enum Value {
    /// Nothing; its name.
    Any(String),
    Directory,
    Path,
    Words(Vec<String>),
}

fn nodes(command: &Command) -> Vec<Node> {
    let global: Vec<&Arg> = command.get_arguments().filter(|arg| arg.is_global_set()).collect();
    let mut nodes = Vec::new();
    let mut open = vec![(command, String::new())];
    while let Some((command, path)) = open.pop() {
        let below: Vec<_> = command.get_subcommands().collect();
        let longer = |it: &&Command| format!("{path} {}", it.get_name()).trim().to_owned();
        open.extend(below.iter().rev().map(|it| (*it, longer(it))));
        let own = command.get_arguments().filter(|arg| !arg.is_global_set());
        let (positionals, flags): (Vec<&Arg>, Vec<&Arg>) = own.partition(|it| it.is_positional());
        let about = |it: &&Command| it.get_about().map(ToString::to_string).unwrap_or_default();
        nodes.push(Node {
            below: below.iter().map(|it| (it.get_name().to_owned(), about(it))).collect(),
            flags: flags.iter().chain(&global).map(|arg| flag(arg)).chain([help_flag()]).collect(),
            positionals: positionals.into_iter().map(value).collect(),
            path,
        });
    }
    nodes
}

fn flag(arg: &Arg) -> Flag {
    let is_optional = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
    let takes = match arg.get_action() {
        ArgAction::Set | ArgAction::Append if is_optional => Takes::Maybe,
        ArgAction::Set | ArgAction::Append => Takes::Value,
        _ => Takes::Nothing,
    };
    let long = arg.get_long().map(str::to_owned);
    let name = long.or_else(|| arg.get_short().map(String::from)).unwrap_or_default();
    Flag {
        name: format!("-{name}"),
        about: arg.get_help().map(ToString::to_string).unwrap_or_default(),
        takes,
        value: value(arg),
        is_repeated: matches!(arg.get_action(), ArgAction::Append),
    }
}

fn help_flag() -> Flag {
    Flag {
        name: "-help".to_owned(),
        about: "Shows the page of the command".to_owned(),
        takes: Takes::Nothing,
        value: Value::Any(String::new()),
        is_repeated: false,
    }
}

fn value(arg: &Arg) -> Value {
    let words = arg.get_possible_values();
    match arg.get_value_hint() {
        _ if !words.is_empty() => {
            Value::Words(words.iter().map(|it| it.get_name().to_owned()).collect())
        }
        ValueHint::DirPath => Value::Directory,
        ValueHint::AnyPath | ValueHint::FilePath => Value::Path,
        _ => Value::Any(help::value_name(arg)),
    }
}

impl Node {
    /// Returns what may stand where a word without a dash is.
    fn words(&self) -> Vec<&str> {
        let below = self.below.iter().map(|(name, _)| name.as_str());
        let values = self.positionals.iter().filter_map(|value| match value {
            Value::Words(words) => Some(words.iter().map(String::as_str)),
            Value::Any(_) | Value::Directory | Value::Path => None,
        });
        let help = if self.below.is_empty() { None } else { Some("help") };
        below.chain(values.flatten()).chain(help).collect()
    }

    fn takes_paths(&self) -> bool {
        self.positionals.iter().any(|it| matches!(it, Value::Path | Value::Directory))
    }
}

/// Returns every flag with a value of its own once, wherever it belongs.
fn with_value(nodes: &[Node]) -> Vec<&Flag> {
    let mut flags: Vec<&Flag> = Vec::new();
    for flag in nodes.iter().flat_map(|node| &node.flags) {
        if flag.takes != Takes::Nothing && !flags.iter().any(|it| it.name == flag.name) {
            flags.push(flag);
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::{CommandFactory, ValueEnum};

    use crate::command::Cli;
    use crate::command::completions::{Shell, script};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test keeps scripts in files")]
    fn every_script_is_as_it_was_reviewed() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/completions");
        for shell in Shell::value_variants() {
            let text = script(*shell, &Cli::command());
            let path = directory.join(format!("wgform.{shell:?}").to_lowercase());
            if std::env::var("WGFORM_BLESS").is_ok() {
                std::fs::write(&path, &text).unwrap();
            }
            let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(text, reviewed, "{shell:?}: WGFORM_BLESS=1 writes it anew, for review");
        }
    }
}
