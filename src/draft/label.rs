//! Labels made of the names and comments that people gave on a device.

use std::collections::{BTreeMap, BTreeSet};

/// A longer comment is cut: nobody wants to type it.
const LONGEST: usize = 48;

/// Letters with a mark, and what is written in their place where there are only plain ones.
const SPELLED: &[(&str, &str)] = &[
    ("ä", "ae"),
    ("ö", "oe"),
    ("ü", "ue"),
    ("ß", "ss"),
    ("æ", "ae"),
    ("œ", "oe"),
    ("þ", "th"),
    ("àáâãåāăąǎ", "a"),
    ("çćĉċč", "c"),
    ("ďđð", "d"),
    ("èéêëēĕėęě", "e"),
    ("ĝğġģ", "g"),
    ("ĥħ", "h"),
    ("ìíîïĩīĭįı", "i"),
    ("ĵ", "j"),
    ("ķ", "k"),
    ("ĺļľŀł", "l"),
    ("ñńņňŉŋ", "n"),
    ("òóôõøōŏő", "o"),
    ("ŕŗř", "r"),
    ("śŝşšș", "s"),
    ("ţťŧț", "t"),
    ("ùúûũūŭůűų", "u"),
    ("ŵ", "w"),
    ("ýÿŷ", "y"),
    ("źżž", "z"),
];

/// The dots over a letter, where they are a character of their own.
const DIAERESIS: char = '\u{308}';

/// Makes a label of a text: letters, digits, `_` and `-`. None if nothing of it is left.
pub(super) fn of(text: &str, prefix: &str) -> Option<String> {
    let mut label = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == '-' => label.push(c),
            DIAERESIS if label.ends_with(['a', 'o', 'u', 'A', 'O', 'U']) => label.push('e'),
            '\u{300}'..='\u{36f}' | '\'' | '’' => {}
            c => match spelled(c) {
                Some(plain) => label += &plain,
                None if label.ends_with('_') => {}
                None => label.push('_'),
            },
        }
    }
    let is_end = ['_', '-'];
    let label: String = label.trim_matches(is_end).chars().take(LONGEST).collect();
    let label = label.trim_end_matches(is_end);
    match label.chars().next() {
        None => None,
        Some(first) if first.is_ascii_alphabetic() => Some(label.to_owned()),
        Some(_) => Some(format!("{prefix}_{label}")),
    }
}

/// Returns how a letter is written with plain ones.
fn spelled(c: char) -> Option<String> {
    let small: String = c.to_lowercase().collect();
    let (_, plain) = SPELLED.iter().find(|(letters, _)| letters.contains(&small))?;
    let mut letters = plain.chars();
    let first = letters.next()?;
    let is_large = c.is_uppercase();
    let first = if is_large { first.to_ascii_uppercase() } else { first };
    Some(std::iter::once(first).chain(letters).collect())
}

/// Gives a number to labels that are there already, in the order in which they come: `hub`, `hub_2`, `hub_3`.
pub(super) fn unique(wanted: &[String], taken: &BTreeSet<String>) -> Vec<String> {
    let all: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    let mut used = taken.clone();
    let mut next: BTreeMap<&str, usize> = BTreeMap::new();
    let mut labels = Vec::with_capacity(wanted.len());
    for base in wanted {
        let mut label = base.clone();
        while used.contains(&label) || (label != *base && all.contains(label.as_str())) {
            let number = next.entry(base).or_insert(1);
            *number += 1;
            label = format!("{base}_{number}");
        }
        used.insert(label.clone());
        labels.push(label);
    }
    labels
}

#[cfg(test)]
mod tests {
    use crate::draft::label::{of, unique};

    #[test]
    fn a_label_is_what_is_left_of_a_text() {
        for (text, label) in [
            ("alice", Some("alice")),
            ("Alice's phone (new)", Some("Alices_phone_new")),
            ("Jörg Müßig", Some("Joerg_Muessig")),
            ("ÄRGER", Some("AeRGER")),
            ("Bu\u{308}ro", Some("Buero")),
            ("Łódź, café", Some("Lodz_cafe")),
            ("B\u{fffd}ro", Some("B_ro")),
            ("10.8.0.2", Some("peer_10_8_0_2")),
            ("${x} \"\n\u{202e}y", Some("x_y")),
            ("--a--", Some("a")),
            ("日本", None),
            ("", None),
            ("_ - _", None),
        ] {
            assert_eq!(of(text, "peer").as_deref(), label, "{text:?}");
        }
        assert_eq!(of(&"long ".repeat(30), "peer").unwrap().len(), 48);
    }

    #[test]
    fn a_label_that_is_there_gets_a_number_that_is_free() {
        let wanted = ["a", "a", "a_2", "a", "hub"].map(str::to_owned);
        let taken = ["hub".to_owned(), "a_4".to_owned()].into();
        assert_eq!(unique(&wanted, &taken), ["a", "a_3", "a_2", "a_5", "hub_2"]);
    }
}
