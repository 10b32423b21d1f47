//! Data as text: what the user reads. Pure: nothing here prints, asks how wide the terminal is or reads the
//! environment; the caller says how it should look.

use std::borrow::Cow;

use crate::source::foreign_byte;

mod excerpt;
pub mod backend;
pub mod console;
pub mod diagnostic;
pub mod diff;
pub mod drift;
pub mod event;
pub mod graph;
pub mod hold;
pub mod metrics;
pub mod json;
pub mod markdown;
pub mod outcome;
pub mod paint;
pub mod patch;
pub mod plan;
pub mod quality;
pub mod record;
pub mod stale;
pub mod state;
pub mod stream;
pub mod summary;
pub mod validation;
pub mod value;

pub use diagnostic::{Look, compact_warnings, diagnostics};
pub use paint::{Paint, Style};

/// Replaces what a terminal would obey rather than show: control characters and those that reorder or hide text.
///
/// Texts of the user and words of a device come through here before they are shown. Line ends and tabs stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| is_hidden(c) && c != '\n') {
        return Cow::Borrowed(text);
    }
    let mut before = ' ';
    let mut show = |c| visible(c, std::mem::replace(&mut before, c));
    Cow::Owned(text.chars().filter_map(&mut show).collect())
}

/// Returns what is shown for a character that stands after another one, if anything.
fn visible(c: char, before: char) -> Option<char> {
    let may_be_emoji = !before.is_ascii() && !before.is_alphanumeric();
    match c {
        '\n' => Some(c),
        // Terminals do not agree on how wide a joined emoji is, so its parts are shown side by side.
        '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' if may_be_emoji => None,
        c if is_hidden(c) => Some(char::REPLACEMENT_CHARACTER),
        c => Some(c),
    }
}

/// Returns whether a character does something to a terminal or to the order of a line instead of being seen, or stands
/// in for a byte that is no text.
fn is_hidden(c: char) -> bool {
    let is_format = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e01ef}');
    (c.is_control() && c != '\t') || is_format || foreign_byte(c).is_some()
}

/// Says a number with its noun: `1 error`, `3 errors`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use crate::render::{count, printable};

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        assert_eq!(printable("a\u{1b}[2Jb\r\n\tc\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}\n\tc\u{fffd}d");
        assert_eq!(
            printable("a\u{200d}b 👩\u{200d}🚀 ❤\u{fe0f} x\u{fe0f}"),
            "a\u{fffd}b 👩🚀 ❤ x\u{fffd}"
        );
        // What stands in for the bytes 0x80 and 0xff of a text that is not UTF-8.
        assert_eq!(printable("a\u{10ff80}b\u{10ffff}c"), "a\u{fffd}b\u{fffd}c");
        assert!(matches!(printable("größe\n"), std::borrow::Cow::Borrowed(_)));
    }

    #[test]
    fn counts_agree_with_their_noun() {
        assert_eq!(
            [0, 1, 2].map(|n| count(n, "error")),
            ["0 errors", "1 error", "2 errors"].map(String::from)
        );
    }
}
