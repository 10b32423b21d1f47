//! The script for bash.

use crate::command::completions::{Node, Takes, Value, with_value};

const SCRIPT: &str = r#"# bash completion for wgform. To try it: source <(wgform completions bash)

_wgform() {
    local cur=${COMP_WORDS[COMP_CWORD]} flag='' before='' command='' word line i
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        # `=` is a word of its own, and what follows it is a value.
        [[ $word == [-=]* || $word == help || ${COMP_WORDS[i-1]} == '=' ]] && continue
        _wgform_takes_value "${COMP_WORDS[i-1]}" && continue
        case "$command $word" in
            @COMMANDS@) command="${command:+$command }$word" ;;
        esac
    done

    word=${COMP_WORDS[COMP_CWORD-1]}
    if [[ $cur == '=' ]]; then
        flag=$word cur=''
    elif [[ $word == '=' ]]; then
        flag=${COMP_WORDS[COMP_CWORD-2]}
    elif [[ $cur == -*=* ]]; then
        # Where COMP_WORDBREAKS is without `=`.
        flag=${cur%%=*} before=$flag= cur=${cur#*=}
    elif _wgform_takes_value "$word"; then
        flag=$word
    fi
    [[ $flag == --* ]] && flag=${flag#-}

    COMPREPLY=()
    if [[ -n $flag ]]; then
        case $flag in
@VALUES@
        esac
    elif [[ $cur == -* ]]; then
        # One dash or two.
        [[ $cur == --* ]] && before=- cur=${cur#-}
        case $command in
@FLAGS@
        esac
        [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    else
        case $command in
@WORDS@
        esac
    fi
}

# Returns whether the word after this flag is its value.
_wgform_takes_value() {
    case ${1/#--/-} in
        @TAKING@) return 0 ;;
    esac
    return 1
}

# Offers words.
_wgform_words() {
    while IFS= read -r line; do COMPREPLY+=("$before$line"); done < <(compgen -W "$1" -- "$cur")
}

# Offers directories (-d) or files (-f).
_wgform_paths() {
    compopt -o filenames
    while IFS= read -r line; do COMPREPLY+=("$before$line"); done < <(compgen "$1" -- "$cur")
}

complete -F _wgform wgform
"#;

pub(crate) fn script(nodes: &[Node]) -> String {
    let commands = nodes.iter().filter(|node| !node.path.is_empty()).map(|node| {
        let pattern = if node.path.contains(' ') { "" } else { " " };
        format!("'{pattern}{}'", node.path)
    });
    let taking = with_value(nodes).into_iter().filter(|flag| flag.takes == Takes::Value);
    let values = with_value(nodes).into_iter().filter_map(|flag| {
        let offer = offer(&flag.value)?;
        Some(format!("            {}) {offer} ;;", flag.name))
    });
    let flags = nodes.iter().map(|node| {
        let names = node.flags.iter().map(|flag| match flag.takes {
            Takes::Value => format!("{}=", flag.name),
            Takes::Nothing | Takes::Maybe => flag.name.clone(),
        });
        format!("            '{}') _wgform_words '{}' ;;", node.path, join(names, " "))
    });
    let words = nodes.iter().filter_map(|node| {
        let offer = match node.words() {
            _ if node.takes_paths() => "_wgform_paths -f".to_owned(),
            words if words.is_empty() => return None,
            words => format!("_wgform_words '{}'", words.join(" ")),
        };
        Some(format!("            '{}') {offer} ;;", node.path))
    });
    SCRIPT
        .replace("@COMMANDS@", &join(commands, " | "))
        .replace("@TAKING@", &join(taking.map(|flag| flag.name.clone()), " | "))
        .replace("@VALUES@", &join(values, "\n"))
        .replace("@FLAGS@", &join(flags, "\n"))
        .replace("@WORDS@", &join(words, "\n"))
}

fn offer(value: &Value) -> Option<String> {
    match value {
        Value::Any(_) => None,
        Value::Directory => Some("_wgform_paths -d".to_owned()),
        Value::Path => Some("_wgform_paths -f".to_owned()),
        Value::Words(words) => Some(format!("_wgform_words '{}'", words.join(" "))),
    }
}

fn join(texts: impl Iterator<Item = String>, between: &str) -> String {
    texts.collect::<Vec<_>>().join(between)
}
