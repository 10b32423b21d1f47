//! Templates that go over lines, heredocs and files: what a `~` takes away, and the indentation that `<<-` leaves out.
//!
//! HCL does both line by line. A `~` takes the blanks of its own line and, behind it, the end of that line. The indentation is that
//! of the lines as the `~` left them, but for blank ones. The parser takes a text as a whole, so that all of it is done
//! here, from what is written.

use hcl_edit::Span as _;
use hcl_edit::template::{Directive, Element, Strip, Template};

/// Returns a template without `~`, as they and `<<-` leave it.
pub(crate) fn prepared(template: &Template, source: &str, is_indented: bool) -> Template {
    let mut made = template.clone();
    let mut lines = Lines { source, at_start: true, least: None, parts: Vec::new() };
    lines.read(&mut made, Edges::default());
    let least = if is_indented { lines.least.unwrap_or(0) } else { 0 };
    let mut parts = lines.parts.into_iter();
    write(&mut made, least, &mut parts);
    made
}

/// A part of a literal, with whether it starts a line.
type Part = (String, bool);

/// Whether the markers around something have a `~` on its side.
#[derive(Clone, Copy, Default)]
struct Edges {
    before: bool,
    after: bool,
}

struct Lines<'s> {
    source: &'s str,
    at_start: bool,
    /// The least indentation so far.
    least: Option<usize>,
    /// The lines of each literal.
    parts: Vec<Vec<Part>>,
}

impl Lines<'_> {
    /// Notes the lines of all literals without what a `~` takes, and clears the markers of their `~`.
    fn read(&mut self, template: &mut Template, outer: Edges) {
        let sides: Vec<Option<Edges>> = template.iter().map(sides).collect();
        for (i, element) in template.iter_mut().enumerate() {
            let before = match i.checked_sub(1) {
                Some(i) => sides[i].is_some_and(|it| it.after),
                None => outer.before,
            };
            let after = match sides.get(i + 1) {
                Some(side) => side.is_some_and(|it| it.before),
                None => outer.after,
            };
            match element {
                Element::Literal(text) => {
                    let written = text.span().and_then(|at| self.source.get(at));
                    let text = written.map_or_else(|| text.to_string(), unescaped);
                    self.literal(&text, Edges { before, after });
                }
                Element::Interpolation(it) => {
                    self.marker();
                    it.strip = Strip::None;
                }
                Element::Directive(directive) => self.directive(directive),
            }
        }
    }

    fn directive(&mut self, directive: &mut Directive) {
        self.marker();
        match directive {
            Directive::If(it) => {
                let end = it.endif_expr.strip;
                let middle = it.else_expr.as_ref().map_or(end, |it| it.strip);
                let head = &mut it.if_expr;
                self.read(&mut head.template, between(head.strip, middle));
                head.strip = Strip::None;
                if let Some(other) = &mut it.else_expr {
                    self.marker();
                    self.read(&mut other.template, between(other.strip, end));
                    other.strip = Strip::None;
                }
                it.endif_expr.strip = Strip::None;
            }
            Directive::For(it) => {
                let head = &mut it.for_expr;
                self.read(&mut head.template, between(head.strip, it.endfor_expr.strip));
                head.strip = Strip::None;
                it.endfor_expr.strip = Strip::None;
            }
        }
        self.marker();
    }

    /// Notes that something else than a text stands here.
    fn marker(&mut self) {
        if self.at_start {
            self.least = Some(0);
        }
        self.at_start = false;
    }

    fn literal(&mut self, text: &str, edges: Edges) {
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        if let (true, Some(first)) = (edges.before, lines.first_mut()) {
            *first = first.trim_start();
        }
        if let (true, Some(last)) = (edges.after, lines.last_mut()) {
            *last = last.trim_end();
        }
        let part = |line: &str| {
            let is_start = self.at_start && !(line.ends_with('\n') && line.trim().is_empty());
            if is_start {
                let indent = line.chars().take_while(|c| c.is_whitespace()).count();
                self.least = Some(self.least.map_or(indent, |least| least.min(indent)));
            }
            self.at_start = line.ends_with('\n');
            (line.to_owned(), is_start)
        };
        self.parts.push(lines.into_iter().map(part).collect());
    }
}

/// Puts the lines back, those that start one without the indentation.
fn write(template: &mut Template, least: usize, parts: &mut dyn Iterator<Item = Vec<Part>>) {
    for element in template.iter_mut() {
        match element {
            Element::Literal(text) => {
                let lines = parts.next().unwrap_or_default().into_iter();
                let line = |(line, is_start): Part| -> String {
                    line.chars().skip(if is_start { least } else { 0 }).collect()
                };
                *text.value_mut() = lines.map(line).collect();
            }
            Element::Interpolation(_) => {}
            Element::Directive(directive) => match &mut **directive {
                Directive::If(it) => {
                    write(&mut it.if_expr.template, least, parts);
                    if let Some(other) = &mut it.else_expr {
                        write(&mut other.template, least, parts);
                    }
                }
                Directive::For(it) => write(&mut it.for_expr.template, least, parts),
            },
        }
    }
}

/// Returns on which sides an element takes blanks; none for a text.
fn sides(element: &Element) -> Option<Edges> {
    let (first, last) = match element {
        Element::Literal(_) => return None,
        Element::Interpolation(it) => (it.strip, it.strip),
        Element::Directive(directive) => match &**directive {
            Directive::If(it) => (it.if_expr.strip, it.endif_expr.strip),
            Directive::For(it) => (it.for_expr.strip, it.endfor_expr.strip),
        },
    };
    Some(Edges { before: first.strip_start(), after: last.strip_end() })
}

/// Returns what two markers take of what is between them.
fn between(opening: Strip, closing: Strip) -> Edges {
    Edges { before: opening.strip_end(), after: closing.strip_start() }
}

fn unescaped(text: &str) -> String {
    text.replace("$${", "${").replace("%%{", "%{")
}
