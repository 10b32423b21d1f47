//! The script for zsh: a function for each command, which hands over to those below it.

use std::fmt::Write as _;

use crate::command::completions::{Flag, Node, Takes, Value};

pub(crate) fn script(nodes: &[Node]) -> String {
    let mut text = String::from(
        "#compdef wgform\n\n# zsh completion for wgform. To try it: source <(wgform completions zsh)\n",
    );
    for node in nodes {
        text.push('\n');
        function(node, &mut text);
    }
    text += "\nif [[ $funcstack[1] == _wgform ]]; then\n    _wgform \"$@\"\nelse\n    compdef _wgform wgform\nfi\n";
    text
}

fn function(node: &Node, text: &mut String) {
    let name = function_name(&node.path);
    let _ = writeln!(text, "{name}() {{");
    if node.below.is_empty() {
        *text += "    _arguments";
    } else {
        *text += "    local curcontext=$curcontext state line\n    typeset -A opt_args\n    _arguments -C";
    }
    for flag in &node.flags {
        let _ = write!(text, " \\\n        {}", spec(flag));
    }
    if node.below.is_empty() {
        for value in &node.positionals {
            let _ = write!(text, " \\\n        {}", quoted(&format!(":{}", action(value))));
        }
        *text += "\n}\n";
        return;
    }
    *text += " \\\n        ': :->command' \\\n        '*:: :->arguments'\n    case $state in\n        command)\n";
    *text += "            local -a commands=(\n";
    for (below, about) in &node.below {
        let _ = writeln!(text, "                {}", quoted(&format!("{below}:{about}")));
    }
    *text += "                'help:Shows the page of a command'\n            )\n";
    *text += "            _describe -t commands command commands\n            ;;\n";
    *text += "        arguments)\n            case $words[1] in\n";
    for (below, _) in &node.below {
        let _ = writeln!(text, "                {below}) {name}_{} ;;", below.replace('-', "_"));
    }
    let _ = writeln!(text, "                help) {name} ;;");
    *text += "            esac\n            ;;\n    esac\n}\n";
}

fn function_name(path: &str) -> String {
    format!("_wgform {path}").trim().replace([' ', '-'], "_")
}

/// Writes a flag as `_arguments` reads it: `-target=[What it is]:ADDRESS:`.
fn spec(flag: &Flag) -> String {
    let about = flag.about.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]");
    let repeated = if flag.is_repeated { "*" } else { "" };
    let value = match flag.takes {
        Takes::Nothing => return quoted(&format!("{}[{about}]", flag.name)),
        Takes::Maybe => format!("=-[{about}]::{}", action(&flag.value)),
        Takes::Value => format!("=[{about}]:{}", action(&flag.value)),
    };
    quoted(&format!("{repeated}{}{value}", flag.name))
}

/// Says what a value is, and how it is completed.
fn action(value: &Value) -> String {
    match value {
        Value::Any(name) => format!("{}: ", name.replace(':', "\\:")),
        Value::Directory => "directory:_files -/".to_owned(),
        Value::Path => "file:_files".to_owned(),
        Value::Words(words) => format!("value:({})", words.join(" ")),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
