//! Values and comments as HCL.

use std::fmt::Display;

use serde_json::Value as Json;

use crate::resource::Field;

/// A list that is longer than this gets a line for each element.
const LONGEST_LIST: usize = 90;

/// Writes a value; none for a secret, which is never written down.
pub(crate) fn value(field: &Field) -> Option<String> {
    Some(match field {
        Field::Text(text) => quoted(text),
        Field::Bool(yes) => yes.to_string(),
        Field::Number(number) => number.to_string(),
        Field::PublicKey(key) => quoted(&key.to_string()),
        Field::PrivateKey(_) | Field::PresharedKey(_) => return None,
        Field::Addresses(set) => texts(set),
        Field::Prefixes(set) => texts(set),
        Field::Endpoint(endpoint) => quoted(&endpoint.to_string()),
        Field::Keepalive(keepalive) => quoted(&keepalive.to_string()),
        Field::Time(time) => quoted(&time.to_string()),
        Field::Routes(routes) => json(&routes.to_json()),
        Field::Servers(list) => texts(list),
        Field::Domains(list) => texts(list),
        Field::Names(set) => texts(set),
        Field::Commands(all) => list(all.iter().map(texts).collect()),
    })
}

fn texts<T: Display>(all: impl IntoIterator<Item = T>) -> String {
    list(all.into_iter().map(|it| quoted(&it.to_string())).collect())
}

fn list(elements: Vec<String>) -> String {
    let line = elements.join(", ");
    match line.len() > LONGEST_LIST {
        true => format!("[\n{},\n]", elements.join(",\n")),
        false => format!("[{line}]"),
    }
}

fn json(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(yes) => yes.to_string(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => quoted(text),
        Json::Array(all) => list(all.iter().map(json).collect()),
        Json::Object(map) => {
            let entries = map.iter().map(|(name, it)| format!("{} = {}", quoted(name), json(it)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Writes a text in quotes, so that it is read as what it is: no template, and nothing in it that an editor would not
/// show.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => quoted += "\\\"",
            '\\' => quoted += "\\\\",
            '\n' => quoted += "\\n",
            '\r' => quoted += "\\r",
            '\t' => quoted += "\\t",
            // `$${` would be read as `${`.
            '$' | '%' if matches!(rest.peek(), Some('{')) => quoted += &escaped(c),
            c if is_unseen(c) => quoted += &escaped(c),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn escaped(c: char) -> String {
    let number = u32::from(c);
    match c {
        '$' => "$$".to_owned(),
        '%' => "%%".to_owned(),
        _ if number > 0xffff => format!("\\U{number:08x}"),
        _ => format!("\\u{number:04x}"),
    }
}

/// Returns whether a character is not seen, or changes the order in which others are.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{10ff00}'..='\u{10ffff}')
}

/// Writes lines that are not read.
pub(super) fn comment(text: &str) -> String {
    let shown = text.chars().map(|c| if is_unseen(c) { char::REPLACEMENT_CHARACTER } else { c });
    format!("# {}\n", shown.collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::config::{AllUnknown, Config, Evaluator};
    use crate::draft::hcl::quoted;
    use crate::source::{Files, Sources};

    fn read(text: &str) -> String {
        let text = format!("output \"it\" {{\n  value = {}\n}}\n", quoted(text));
        let world = crate::world::World::new(
            std::collections::BTreeMap::new(),
            "/".into(),
            || jiff::Timestamp::UNIX_EPOCH,
            |_| {},
        );
        let source = crate::diagnostic::SourceText {
            name: "a.wg.hcl".to_owned(),
            text,
            secrets: Vec::new(),
        };
        let reader = Files::in_directory("/".into());
        let sources = Sources { files: vec![source.into()], variables: Vec::new(), reader };
        let (config, problems) = Config::parse(sources);
        assert!(problems.is_empty(), "{problems:?}");
        let outputs = Evaluator::new(&config, &world).outputs(&AllUnknown).unwrap();
        outputs["it"].value.as_ref().unwrap().as_str().unwrap().to_owned()
    }

    #[test]
    fn a_text_that_looks_like_a_template_is_none() {
        for text in ["${a}", "$${a}", "$$${a}", "%{if x}", "%%{x}", "a$", "$", "\\u0041", "\"\\"] {
            assert_eq!(read(text), text, "{}", quoted(text));
        }
        assert_eq!(quoted("a\u{202e}b\u{7}"), "\"a\\u202eb\\u0007\"");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_read_back(text in "([$%{}\"\\\\a\\n]|\\PC|\\pC)*") {
            prop_assert_eq!(read(&text), text);
        }
    }
}
