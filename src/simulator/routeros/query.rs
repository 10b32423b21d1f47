//! Which objects and which of their properties a request wants: what follows `?`, and `.proplist` and `.query`.

use crate::simulator::routeros::request::{Fields, Refused};

/// What follows `?` of a GET.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    /// All of them must be so, as text, in the form of the reply.
    filters: Vec<(String, Vec<u8>)>,
    properties: Option<Vec<String>>,
}

impl Selection {
    /// Reads it. Only percent-encoding is undone: a `+` is a plus.
    pub(super) fn parse(query: &str) -> Self {
        let mut selection = Self::default();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = String::from_utf8_lossy(&decoded(name)).into_owned();
            let value = decoded(value);
            match name.as_str() {
                ".proplist" => selection.properties = Some(words(&String::from_utf8_lossy(&value))),
                _ => selection.filters.push((name, value)),
            }
        }
        selection
    }

    /// Returns what is left of the objects. A property that is absent matches nothing.
    pub(super) fn apply(&self, rows: Vec<Fields>, brings_id: bool) -> Vec<Fields> {
        let fits =
            |row: &Fields| self.filters.iter().all(|(name, value)| row.get(name) == Some(value));
        let mut rows: Vec<_> = rows.into_iter().filter(fits).collect();
        if let Some(properties) = &self.properties {
            for row in &mut rows {
                row.retain(|name, _| properties.contains(name) || (brings_id && name == ".id"));
            }
        }
        rows
    }
}

/// Splits a list of names.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Undoes percent-encoding; what is not that stays.
pub(super) fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|it| std::str::from_utf8(it).ok());
        let is_hex = |hex: &&str| hex.bytes().all(|b| b.is_ascii_hexdigit());
        match hex.filter(is_hex).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

/// Returns whether an object fits the words of a `.query`.
pub(super) fn fits(row: &Fields, query: &[String]) -> Result<bool, Refused> {
    let mut stack: Vec<bool> = Vec::new();
    for word in query {
        match word.strip_prefix('#') {
            Some(operators) => {
                for operator in operators.chars() {
                    operate(operator, &mut stack)?;
                }
            }
            None => stack.push(holds(row, word)),
        }
    }
    Ok(stack.into_iter().all(|it| it))
}

fn operate(operator: char, stack: &mut Vec<bool>) -> Result<(), Refused> {
    let last = stack.pop().ok_or_else(Refused::no_command)?;
    let result = match operator {
        '!' => !last,
        '&' | '|' => {
            let before = stack.pop().ok_or_else(Refused::no_command)?;
            if operator == '&' { before && last } else { before || last }
        }
        _ => return Err(Refused::no_command()),
    };
    stack.push(result);
    Ok(())
}

fn holds(row: &Fields, word: &str) -> bool {
    if let Some(name) = word.strip_prefix('-') {
        return !row.contains_key(name);
    }
    let Some((name, value)) = word.split_once('=') else {
        return row.contains_key(word);
    };
    let (name, wanted) = match name.split_at_checked(1) {
        Some(("<", name)) => (name, std::cmp::Ordering::Less),
        Some((">", name)) => (name, std::cmp::Ordering::Greater),
        _ => (name, std::cmp::Ordering::Equal),
    };
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u64>().ok();
    row.get(name).is_some_and(|found| {
        let order = match (number(found), number(value.as_bytes())) {
            (Some(found), Some(value)) => found.cmp(&value),
            _ => found.as_slice().cmp(value.as_bytes()),
        };
        order == wanted
    })
}

#[cfg(test)]
mod tests {
    use crate::simulator::routeros::query::{Selection, fits};
    use crate::simulator::routeros::request::Fields;

    fn row() -> Fields {
        let fields = [(".id", "*1"), ("name", "a b"), ("key", "+/="), ("rx", "10")];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
    }

    #[test]
    fn a_filter_is_exact_and_percent_encoded() {
        let count = |query: &str| Selection::parse(query).apply(vec![row()], true).len();
        assert_eq!(count("name=a%20b&key=%2B%2F%3D"), 1);
        assert_eq!(count("name=a+b"), 0);
        assert_eq!(count("key=+/="), 1);
        assert_eq!(count("absent="), 0);
    }

    #[test]
    fn a_list_of_properties_keeps_only_those() {
        let names = |brings_id| {
            let rows = Selection::parse(".proplist=name,unknown").apply(vec![row()], brings_id);
            rows[0].keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(names(true), [".id", "name"]);
        assert_eq!(names(false), ["name"]);
    }

    #[test]
    fn words_of_a_query_make_a_stack() {
        let fits = |words: &[&str]| {
            fits(&row(), &words.iter().map(|&it| it.to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(fits(&["name=a b", "rx", "-tx", "#&"]), Ok(true));
        assert_eq!(fits(&["name=x", ">rx=9", "#|"]), Ok(true));
        assert_eq!(fits(&["<rx=9"]), Ok(false));
        assert_eq!(fits(&["rx", "#!"]), Ok(false));
        assert!(fits(&["#&"]).is_err());
    }
}
