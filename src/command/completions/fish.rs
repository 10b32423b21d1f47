//! The script for fish: a line for each flag and each word, with the command that it belongs to.

use std::fmt::Write as _;

use crate::command::completions::{Flag, Node, Takes, Value, with_value};

const FUNCTION: &str = r#"# fish completion for wgform. To try it: wgform completions fish | source

# Returns whether the command line so far is of this command: `state mv` for example.
function __wgform_command
    set -l commands @COMMANDS@
    set -l command
    set -l is_value no
    set -l words (commandline -opc)
    for word in $words[2..]
        if test $is_value = yes
            set is_value no
            continue
        end
        switch $word
            case @TAKING@
                set is_value yes
            case '-*' help
            case '*'
                set -l longer (string trim -- "$command $word")
                contains -- $longer $commands; and set command $longer
        end
    end
    test "$command" = "$argv"
end

# Offers directories, for a value in a word of its own or after a `=`.
function __wgform_directories
    __fish_complete_directories (string replace -r -- '^--?[a-z-]+=' '' (commandline -ct))
end

complete -c wgform -f
"#;

pub(crate) fn script(nodes: &[Node]) -> String {
    let commands = nodes.iter().filter(|node| !node.path.is_empty()).map(|node| quoted(&node.path));
    let taking = with_value(nodes).into_iter().filter(|flag| flag.takes == Takes::Value);
    let taking = taking.flat_map(|flag| [flag.name.clone(), format!("-{}", flag.name)]);
    let mut text = FUNCTION
        .replace("@COMMANDS@", &commands.collect::<Vec<_>>().join(" "))
        .replace("@TAKING@", &taking.collect::<Vec<_>>().join(" "));
    for node in nodes {
        text.push('\n');
        let when = quoted(format!("__wgform_command {}", node.path).trim());
        let mut line = |rest: &str| _ = writeln!(text, "complete -c wgform -n {when} {rest}");
        for (name, about) in &node.below {
            line(&format!("-a {name} -d {}", quoted(about)));
        }
        if !node.below.is_empty() {
            line("-a help -d 'Shows the page of a command'");
        }
        for value in &node.positionals {
            match value {
                Value::Words(words) => line(&format!("-a {}", quoted(&words.join(" ")))),
                Value::Path | Value::Directory => line("-F"),
                Value::Any(_) => {}
            }
        }
        node.flags.iter().for_each(|flag| line(&option(flag)));
    }
    text
}

fn option(flag: &Flag) -> String {
    let name = flag.name.trim_start_matches('-');
    // One with a name is offered with one dash and, to whoever writes two, with two.
    let name = if name.len() == 1 { format!("-s {name}") } else { format!("-o {name} -l {name}") };
    let value = match (flag.takes, &flag.value) {
        (Takes::Nothing, _) | (Takes::Maybe, Value::Any(_)) => String::new(),
        (Takes::Maybe, Value::Words(words)) => format!(" -a {}", quoted(&words.join(" "))),
        (_, Value::Any(_)) => " -x".to_owned(),
        (_, Value::Words(words)) => format!(" -x -a {}", quoted(&words.join(" "))),
        (_, Value::Directory) => " -x -a '(__wgform_directories)'".to_owned(),
        (_, Value::Path) => " -r -F".to_owned(),
    };
    format!("{name}{value} -d {}", quoted(&flag.about))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
