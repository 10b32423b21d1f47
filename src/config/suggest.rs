//! "Did you mean …?"

use std::cell::Cell;

/// Nobody means a name as long as this, and to compare two takes the product of their lengths.
const LONGEST: usize = 100;

/// More slips than that make another word.
const FURTHEST: usize = 3;

/// So many names are compared for one configuration, which takes less than a second. Ten thousand unknown names beside
/// ten thousand known ones are a hundred million pairs; the first of them have their suggestions then, and show what is
/// wrong with all.
const MOST: usize = 500_000;

thread_local! {
    /// How many more are compared. A configuration is read on one thread.
    static LEFT: Cell<usize> = const { Cell::new(MOST) };
}

/// Begins to count anew, for a configuration that is read now.
pub(crate) fn renew() {
    LEFT.set(MOST);
}

/// Finds the name that was most likely meant.
pub(crate) fn suggestion<'a>(
    written: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // One slip for a short word, up to three for a longer one; more is another word.
    let allowed = (written.chars().count() / 3).clamp(1, FURTHEST);
    let written: Vec<char> = written.chars().flat_map(char::to_lowercase).collect();
    names
        .into_iter()
        .take_while(|_| LEFT.replace(LEFT.get().saturating_sub(1)) > 0)
        .filter_map(|name| Some((distance(&written, name)?, name)))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Counts the letters to add, drop, change or swap with their neighbour (Damerau-Levenshtein, restricted); none when they
/// are too many to matter.
fn distance(a: &[char], b: &str) -> Option<usize> {
    let b: Vec<char> =
        b.chars().flat_map(char::to_lowercase).take(LONGEST + FURTHEST + 1).collect();
    if a.len().abs_diff(b.len()) > FURTHEST || a.len() > LONGEST {
        return None;
    }
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut row = last.clone();
    for i in 1..=a.len() {
        row[0] = i;
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(last[j] + 1).min(row[j - 1] + 1);
            let is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if is_swap {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        // A swap reaches back over one row, and no further.
        if row.iter().chain(&last).all(|it| *it > FURTHEST) {
            return None;
        }
        std::mem::swap(&mut before, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    Some(last[b.len()])
}

#[cfg(test)]
mod tests {
    use crate::config::suggest::{MOST, renew, suggestion};

    #[test]
    fn a_slip_of_the_fingers_is_recognised_and_another_word_is_not() {
        let names = ["listen_port", "mtu", "addresses", "wg0"];
        for (written, meant) in [
            ("lisen_port", Some("listen_port")),
            ("adresess", Some("addresses")),
            ("mut", Some("mtu")),
            ("wg9", Some("wg0")),
            ("fwmark", None),
            ("", None),
        ] {
            assert_eq!(suggestion(written, names), meant, "{written}");
        }
        let long = "x".repeat(200);
        assert_eq!(suggestion(&long, [&*format!("{long}x")]), None);
    }

    #[test]
    fn ten_thousand_unknown_names_are_not_compared_with_ten_thousand_others() {
        let names: Vec<String> = (0..10_000).map(|n| format!("wg_{n:05}")).collect();
        let meant = |n: usize| suggestion(&format!("gw_{n:05}"), names.iter().map(String::as_str));
        let found = (0..10_000).filter(|n| meant(*n) == Some(&*names[*n])).count();
        assert_eq!(found, MOST / names.len());
        renew();
        assert_eq!(meant(0), Some("wg_00000"));
    }
}
