//! The value of an expression as text, as Terraform's console writes it.

use crate::config::Shown;
use crate::render::printable;
use crate::render::value::{SENSITIVE, UNKNOWN, quoted};

/// Shows a value; a collection that is not empty on several lines.
pub fn text(shown: &Shown) -> String {
    let mut text = String::new();
    write(&mut text, shown, 0);
    text
}

fn write(text: &mut String, shown: &Shown, indent: usize) {
    match shown {
        Shown::Null => *text += "null",
        Shown::Unknown => *text += UNKNOWN,
        Shown::Sensitive => *text += SENSITIVE,
        Shown::Bool(yes) => *text += if *yes { "true" } else { "false" },
        Shown::Number(number) => *text += number,
        Shown::Block(address) => *text += &printable(address),
        Shown::Text(it) if is_heredoc(it) => heredoc(text, it, indent),
        Shown::Text(it) => *text += &quoted(it),
        Shown::List(items) => list(text, items, indent),
        Shown::Set(items) => {
            *text += "toset(";
            list(text, items, indent);
            *text += ")";
        }
        Shown::Map(map) if map.is_empty() => *text += "{}",
        Shown::Map(map) => {
            *text += "{\n";
            for (key, value) in map {
                *text += &format!("{:1$}{2} = ", "", indent + 2, quoted(key));
                write(text, value, indent + 2);
                *text += "\n";
            }
            *text += &format!("{:indent$}}}", "");
        }
    }
}

fn list(text: &mut String, items: &[Shown], indent: usize) {
    if items.is_empty() {
        *text += "[]";
        return;
    }
    *text += "[\n";
    for item in items {
        *text += &format!("{:1$}", "", indent + 2);
        write(text, item, indent + 2);
        *text += ",\n";
    }
    *text += &format!("{:indent$}]", "");
}

/// Returns whether a text is shown line by line. One that a terminal would obey is shown with its escapes.
fn is_heredoc(text: &str) -> bool {
    text.contains('\n') && printable(text) == text
}

fn heredoc(text: &mut String, content: &str, indent: usize) {
    let mut end = "EOT".to_owned();
    while content.lines().any(|line| line.trim() == end) {
        end.push('_');
    }
    *text += if indent > 0 { "<<-" } else { "<<" };
    *text += &end;
    for line in content.split('\n') {
        *text += "\n";
        if !line.is_empty() {
            *text += &format!("{:indent$}{line}", "");
        }
    }
    *text += &format!("\n{:indent$}{end}", "");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::config::Shown;
    use crate::render::console::text;

    fn words(words: &str) -> Shown {
        Shown::Text(words.to_owned())
    }

    #[test]
    fn a_collection_is_written_as_in_terraform() {
        let inner = BTreeMap::from([
            ("a".to_owned(), Shown::List(vec![Shown::Number("1".to_owned()), Shown::Null])),
            ("b c".to_owned(), Shown::Set(vec![words("x"), words("y")])),
            ("d".to_owned(), Shown::Map(BTreeMap::new())),
        ]);
        let value = Shown::List(vec![
            Shown::Map(inner),
            Shown::Sensitive,
            Shown::Unknown,
            Shown::Bool(true),
            Shown::Block("interface.hub".to_owned()),
            Shown::List(Vec::new()),
            Shown::Set(Vec::new()),
        ]);
        insta::assert_snapshot!(text(&value), @r#"
        [
          {
            "a" = [
              1,
              null,
            ]
            "b c" = toset([
              "x",
              "y",
            ])
            "d" = {}
          },
          (sensitive value),
          (known after apply),
          true,
          interface.hub,
          [],
          toset([]),
        ]
        "#);
    }

    #[test]
    fn a_text_of_several_lines_is_a_heredoc() {
        assert_eq!(text(&words("a\nb")), "<<EOT\na\nb\nEOT");
        assert_eq!(text(&words("EOT\n")), "<<EOT_\nEOT\n\nEOT_");
        let list = Shown::List(vec![words("x\n\n  y")]);
        assert_eq!(text(&list), "[\n  <<-EOT\n  x\n\n    y\n  EOT,\n]");
    }

    #[test]
    fn nothing_drives_the_terminal() {
        assert_eq!(text(&words("a \"b\" ${c} \t")), r#""a \"b\" ${c} \t""#);
        assert_eq!(text(&words("\u{1b}[2J\n")), r#""\u001b[2J\n""#);
        let map = BTreeMap::from([("\u{202e}x".to_owned(), Shown::Null)]);
        assert!(!text(&Shown::Map(map)).contains('\u{202e}'));
    }
}
