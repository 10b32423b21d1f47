//! A value as a document of YAML, byte for byte as Terraform writes it: strings in quotes or as blocks, keys in quotes.
//!
//! The layout is that of libyaml, whose emitter Terraform has in Go. What can never happen here (comments, flow
//! collections with elements, aliases) is left out.

use crate::config::function::{Answer, fits, json};
use crate::config::value::{Data, Map, Value};

/// As many columns as a line in quotes has before it is broken.
const WIDTH: usize = 80;
/// As many bytes as a key has before it stands on a line of its own.
const LONGEST_KEY: usize = 128;

/// Writes a document.
pub(super) fn document(value: &Value) -> Answer<String> {
    let mut writer = Writer { indention: true, whitespace: true, ..Writer::default() };
    writer.node(value, Place { indent: None, is_in_map: false })?;
    let is_plain = matches!(value.data, Data::Null | Data::Bool(_) | Data::Number(_));
    let mut text = writer.text;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    // A plain scalar could go on in the next line.
    text.push_str(if is_plain { "...\n" } else { "" });
    Ok(text)
}

#[derive(Default)]
struct Writer {
    text: String,
    column: usize,
    /// Whether a blank was written last.
    whitespace: bool,
    /// Whether only indicators and blanks are on the line.
    indention: bool,
}

/// Where a node stands: the column of the collection around it, and whether that is a map.
#[derive(Clone, Copy)]
struct Place {
    indent: Option<usize>,
    is_in_map: bool,
}

impl Place {
    fn deeper(self) -> usize {
        self.indent.map_or(0, |indent| indent + 2)
    }

    /// Where the lines of a scalar start.
    fn scalar(self) -> usize {
        self.indent.map_or(2, |indent| indent + 2)
    }
}

impl Writer {
    fn node(&mut self, value: &Value, place: Place) -> Answer<()> {
        fits(self.text.len())?;
        match &value.data {
            Data::List(items) | Data::Set(items) => self.sequence(items, place),
            Data::Map(map) => self.mapping(map, place),
            Data::Text(text) => self.string(text, place.scalar(), false),
            _ => {
                let plain = json::text_of(value)?;
                self.indicator(&plain, true, false);
                Ok(())
            }
        }
    }

    fn sequence(&mut self, items: &[Value], place: Place) -> Answer<()> {
        if items.is_empty() {
            self.indicator("[]", true, false);
            return Ok(());
        }
        let is_flush = place.is_in_map && !self.indention;
        let indent = if is_flush { place.indent.unwrap_or(0) } else { place.deeper() };
        for item in items {
            self.line(indent);
            self.indicator("-", true, true);
            self.node(item, Place { indent: Some(indent), is_in_map: false })?;
        }
        Ok(())
    }

    fn mapping(&mut self, map: &Map, place: Place) -> Answer<()> {
        if map.is_empty() {
            self.indicator("{}", true, false);
            return Ok(());
        }
        let indent = place.deeper();
        let inside = Place { indent: Some(indent), is_in_map: true };
        for (key, value) in map {
            self.line(indent);
            if key.contains('\n') || key.len() > LONGEST_KEY {
                self.indicator("?", true, true);
                self.string(key, inside.scalar(), false)?;
                self.line(indent);
                self.indicator(":", true, true);
            } else {
                self.string(key, inside.scalar(), true)?;
                self.indicator(":", false, false);
            }
            self.node(value, inside)?;
        }
        Ok(())
    }

    fn string(&mut self, text: &str, indent: usize, is_key: bool) -> Answer<()> {
        if !is_key && text.contains('\n') && can_be_block(text) {
            fits(text.len().saturating_add(text.matches('\n').count().saturating_mul(indent)))?;
            self.block(text, indent);
        } else {
            self.quoted(text, indent, !is_key);
        }
        Ok(())
    }

    /// Writes a text as lines under a `|`.
    fn block(&mut self, text: &str, indent: usize) {
        let starts_blank = if text.starts_with([' ', '\n']) { "2" } else { "" };
        let end = match text.strip_suffix('\n') {
            None => "-",
            Some(before) if before.is_empty() || before.ends_with('\n') => "+",
            Some(_) => "",
        };
        self.indicator(&format!("|{starts_blank}{end}"), true, false);
        self.push('\n');
        let mut is_start = true;
        for c in text.chars() {
            if c != '\n' && is_start {
                self.text.extend(std::iter::repeat_n(' ', indent));
                self.column = indent;
            }
            is_start = c == '\n';
            self.push(c);
        }
        self.indention = is_start;
        self.whitespace = true;
    }

    /// Writes a text in quotes, broken at blanks where it may be.
    fn quoted(&mut self, text: &str, indent: usize, may_break: bool) {
        self.indicator("\"", true, false);
        let mut after_blank = false;
        let last = text.len().saturating_sub(1);
        for (at, c) in text.char_indices() {
            if c == ' ' {
                if may_break && !after_blank && self.column > WIDTH && at > 0 && at < last {
                    self.line(indent);
                    if text[at + 1..].starts_with(' ') {
                        self.push('\\');
                    }
                } else {
                    self.push(c);
                }
                after_blank = true;
                continue;
            }
            after_blank = false;
            if is_printable(c) && !matches!(c, '\n' | '\u{2028}' | '\u{2029}' | '"' | '\\') {
                self.push(c);
            } else {
                escaped(c).chars().for_each(|c| self.push(c));
            }
        }
        self.push('"');
        self.whitespace = false;
        self.indention = false;
    }

    /// Starts a line at a column, unless that is where it is.
    fn line(&mut self, indent: usize) {
        let is_there =
            self.indention && (self.column < indent || (self.column == indent && self.whitespace));
        if !is_there {
            self.push('\n');
        }
        while self.column < indent {
            self.push(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    /// Writes signs, behind a blank where they need one.
    fn indicator(&mut self, signs: &str, needs_blank: bool, is_indention: bool) {
        if needs_blank && !self.whitespace {
            self.push(' ');
        }
        signs.chars().for_each(|c| self.push(c));
        self.whitespace = false;
        self.indention &= is_indention;
    }

    fn push(&mut self, c: char) {
        self.text.push(c);
        self.column = if c == '\n' { 0 } else { self.column + 1 };
    }
}

/// Returns whether a text with several lines reads back the same as a block.
fn can_be_block(text: &str) -> bool {
    text.chars().all(is_printable) && !text.contains(" \n") && !text.ends_with(' ')
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && c != '\u{feff}'
}

fn escaped(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            return match u32::from(c) {
                code @ ..=0xff => format!("\\x{code:02X}"),
                code @ ..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}
