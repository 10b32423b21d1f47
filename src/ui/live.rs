//! Lines at the end of the terminal that are written over and over, and wiped before anything else is written.
//!
//! No line is ever wrapped: a wrapped one could not be wiped. The cursor is never hidden and always stands at the start of
//! the line below, so that whatever ends the process leaves the terminal as the shell wants it. There is no thread: who
//! waits for something calls again.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

use crate::render::{Paint, Style, printable};

/// The terminal as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many columns it says that it has; none that know of none.
    pub columns: Option<usize>,
    /// How many rows.
    pub rows: Option<usize>,
    /// Whether this process may draw, which one in the background may not.
    pub is_ours: bool,
}

impl Window {
    /// Returns the columns that a line may fill. The last one stays free, where some terminals wrap.
    pub fn room(&self) -> usize {
        self.columns.filter(|it| *it > 0).unwrap_or(80).saturating_sub(1).max(1)
    }

    /// Returns how many lines may be drawn: what leaves the cursor on the screen, and some of what was there before.
    pub fn lines(&self) -> usize {
        let rows = self.rows.filter(|it| *it > 0).unwrap_or(24);
        rows.saturating_sub(1).clamp(1, 10)
    }
}

/// A line in pieces, each with its style.
#[derive(Debug, Default, Clone)]
pub(crate) struct Line(Vec<(Option<Style>, String)>);

impl Line {
    pub(crate) fn add(mut self, text: impl Into<String>) -> Self {
        self.0.push((None, text.into()));
        self
    }

    pub(crate) fn styled(mut self, style: Style, text: impl Into<String>) -> Self {
        self.0.push((Some(style), text.into()));
        self
    }

    /// Returns the text that fits, and how many columns it takes.
    fn cut(&self, room: usize, paint: Paint) -> (String, usize) {
        let (mut text, mut used) = (String::new(), 0);
        for (style, piece) in &self.0 {
            let (piece, columns) = cut(piece, room - used);
            used += columns;
            text += &style.map_or_else(|| piece.clone(), |style| paint.paint(style, &piece));
        }
        (text, used)
    }
}

/// Returns what fits of a text, and how many columns it takes: wide characters take two, combining ones none.
pub(crate) fn cut(text: &str, room: usize) -> (String, usize) {
    let (mut kept, mut used) = (String::new(), 0);
    for c in printable(text).chars() {
        // A line end or a tab has no width, and would break the line all the same.
        let c = if c.is_control() { ' ' } else { c };
        let columns = c.width().unwrap_or(0);
        if used + columns > room {
            break;
        }
        kept.push(c);
        used += columns;
    }
    (kept, used)
}

/// Moves the cursor one line up, and wipes that line.
pub(crate) const WIPE_LINE_ABOVE: &str = "\r\u{1b}[A\u{1b}[2K";

/// What is drawn at the moment.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// The columns of each line.
    drawn: Vec<usize>,
}

impl Live {
    /// Returns what moves the cursor to the start of what is drawn and wipes it; nothing when there is nothing.
    pub(crate) fn wipe(&mut self, window: Window) -> String {
        let room = window.room() + 1;
        // Most terminals break the lines that are there anew when they become narrower.
        let rows: usize = self.drawn.drain(..).map(|it| it.div_ceil(room).max(1)).sum();
        // Line by line, because some terminals keep what is erased with the whole screen.
        if window.is_ours { WIPE_LINE_ABOVE.repeat(rows) } else { String::new() }
    }

    /// Returns what draws these lines in the place of the last ones.
    pub(crate) fn draw(&mut self, lines: &[Line], window: Window, paint: Paint) -> String {
        let mut text = self.wipe(window);
        if !window.is_ours {
            return text;
        }
        for line in lines.iter().take(window.lines()) {
            let (line, columns) = line.cut(window.room(), paint);
            let _ = writeln!(text, "{line}");
            self.drawn.push(columns);
        }
        text
    }

    /// Leaves what is drawn where it is: after a stop by Ctrl-Z it is somewhere among what the shell wrote.
    pub(crate) fn forget(&mut self) {
        self.drawn.clear();
    }

    pub(crate) fn is_drawn(&self) -> bool {
        !self.drawn.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use crate::render::{Paint, Style};
    use crate::ui::live::{Line, Live, WIPE_LINE_ABOVE, Window, cut};

    fn window(columns: usize, rows: usize) -> Window {
        Window { columns: Some(columns), rows: Some(rows), is_ours: true }
    }

    #[test]
    fn a_line_is_cut_by_the_columns_that_it_takes() {
        for (text, room, expected) in [
            ("peer.laptop", 4, ("peer", 4)),
            ("日本語", 5, ("日本", 4)),
            ("e\u{301}a", 1, ("e\u{301}", 1)),
            ("a\nb\tc\u{1b}d", 9, ("a b c\u{fffd}d", 7)),
            ("abc", 0, ("", 0)),
        ] {
            assert_eq!(cut(text, room), (expected.0.to_owned(), expected.1), "{text:?}");
        }
    }

    #[test]
    fn lines_are_drawn_over_and_wiped() {
        let mut live = Live::default();
        let lines =
            [Line::default().styled(Style::Add, "abcdef").add("ghijkl"), Line::default().add("x")];
        let colour = Paint { colour: true };
        assert_eq!(live.draw(&lines, window(10, 5), colour), "\u{1b}[32mabcdef\u{1b}[0mghi\nx\n");
        assert_eq!(
            live.draw(&lines[1..], window(10, 5), colour),
            WIPE_LINE_ABOVE.repeat(2) + "x\n"
        );
        assert_eq!(live.wipe(window(10, 5)), WIPE_LINE_ABOVE);
        assert_eq!(live.wipe(window(10, 5)), "", "it is wiped once");
    }

    #[test]
    fn what_a_narrower_terminal_has_broken_is_wiped_whole() {
        let mut live = Live::default();
        live.draw(
            &[Line::default().add("123456789"), Line::default()],
            window(10, 5),
            Paint::PLAIN,
        );
        assert_eq!(live.wipe(window(4, 5)), WIPE_LINE_ABOVE.repeat(4));
    }

    #[test]
    fn a_low_window_shows_fewer_lines_and_an_unknown_one_some() {
        let mut live = Live::default();
        let lines: Vec<Line> = (0..50).map(|_| Line::default().add("x")).collect();
        for (window, expected) in [
            (window(10, 24), 10),
            (window(10, 4), 3),
            (window(1, 1), 1),
            (window(0, 0), 10),
            (Window { columns: None, rows: None, is_ours: true }, 10),
        ] {
            live.forget();
            let text = live.draw(&lines, window, Paint::PLAIN);
            assert_eq!(text.lines().count(), expected, "{window:?}");
        }
    }

    #[test]
    fn a_process_in_the_background_neither_draws_nor_wipes() {
        let mut live = Live::default();
        live.draw(&[Line::default().add("x")], window(10, 5), Paint::PLAIN);
        let away = Window { is_ours: false, ..window(10, 5) };
        assert_eq!(live.draw(&[Line::default().add("y")], away, Paint::PLAIN), "");
        assert_eq!(live.draw(&[Line::default().add("z")], window(10, 5), Paint::PLAIN), "z\n");
    }
}
