//! Colour, as a value: renderers are given a [`Paint`] and never ask whether there is a terminal.
//!
//! Colour is never the only carrier of a meaning.

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Something that will be there.
    Add,
    /// Something that will be different.
    Change,
    /// Something that will be gone.
    Remove,
    /// A heading, or what the eye should find first.
    Bold,
    /// An aside.
    Dim,
    /// The heading of an error.
    Error,
    /// The heading of a warning.
    Warning,
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    /// Whether escape codes are written.
    pub colour: bool,
}

impl Paint {
    /// Leaves every text as it is.
    pub const PLAIN: Self = Self { colour: false };

    /// Returns the text in a style.
    pub fn paint(self, style: Style, text: impl AsRef<str>) -> String {
        let text = text.as_ref();
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        // The sixteen basic colours, because a terminal's theme keeps these readable. Bold yellow is the exception: many
        // terminals draw it bright, and nobody can read that on white.
        let code = match style {
            Style::Add => "32",
            Style::Change => "33",
            Style::Remove => "31",
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Error => "1;31",
            Style::Warning => "1;35",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use crate::render::{Paint, Style};

    #[test]
    fn without_colour_the_text_is_untouched() {
        assert_eq!(Paint::PLAIN.paint(Style::Add, "+ peer"), "+ peer");
        assert_eq!(Paint { colour: true }.paint(Style::Add, "+ peer"), "\u{1b}[32m+ peer\u{1b}[0m");
        assert_eq!(Paint { colour: true }.paint(Style::Add, ""), "");
    }
}
