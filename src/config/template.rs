//! Templates: text with `${…}`, `%{if}` and `%{for}`, in quotes and in heredocs.

use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::template::{Directive, Element, ForDirective, IfDirective, Strip, Template};

use crate::config::expression::{
    Binding, Evaluated, Failures, Scope, entries, too_big, wrong_type,
};
use crate::config::value::Value;

/// The text of a template while it is put together.
#[derive(Default)]
struct Output {
    text: String,
    is_sensitive: bool,
    is_unknown: bool,
}

/// Whether the white space before the next and after the last literal goes, because of a `~` of the surrounding marker.
#[derive(Clone, Copy, Default)]
struct Trim {
    start: bool,
    end: bool,
}

impl Scope<'_> {
    /// Evaluates a template. One that is a single interpolation, in quotes, is the value itself: `"${5}"` is a number.
    pub(crate) fn template(&self, template: &Template, unwraps: bool) -> Evaluated {
        if let (true, Some(Element::Interpolation(only))) = (unwraps, template.as_single_element())
        {
            return self.evaluate(&only.expr);
        }
        let mut output = Output::default();
        self.write(template, Trim::default(), &mut output)?;
        let value =
            if output.is_unknown { Value::UNKNOWN } else { Value::text(Arc::from(output.text)) };
        Ok(value.marked(output.is_sensitive))
    }

    /// Writes the elements of a template, and goes on after a problem to find the others.
    fn write(&self, template: &Template, trim: Trim, output: &mut Output) -> Evaluated<()> {
        let elements: Vec<&Element> = template.iter().collect();
        let mut failures = Failures::default();
        for (i, element) in elements.iter().enumerate() {
            let before = i.checked_sub(1).and_then(|i| elements.get(i));
            let written = match element {
                Element::Literal(text) => {
                    let start = before.map_or(trim.start, |it| strips(it).1);
                    let end = elements.get(i + 1).map_or(trim.end, |it| strips(it).0);
                    output.text.push_str(trimmed(text, Trim { start, end }));
                    let is_too_big = output.text.len() > Value::MAX_SIZE;
                    if is_too_big { Err(vec![too_big(&self.at(text.span()))]) } else { Ok(()) }
                }
                Element::Interpolation(it) => self.interpolate(&it.expr, output),
                Element::Directive(directive) => match &**directive {
                    Directive::If(it) => self.write_if(it, output),
                    Directive::For(it) => self.write_for(it, output),
                },
            };
            failures.take(written);
        }
        failures.or(())
    }

    fn interpolate(
        &self,
        expression: &hcl_edit::expr::Expression,
        output: &mut Output,
    ) -> Evaluated<()> {
        let piece = self.text(expression, "a part of a text")?;
        output.is_sensitive |= piece.is_sensitive;
        match piece.text {
            Some(text) => output.text.push_str(&text),
            None => output.is_unknown = true,
        }
        if output.text.len() > Value::MAX_SIZE {
            return Err(vec![too_big(&self.span(expression))]);
        }
        Ok(())
    }

    fn write_if(&self, it: &IfDirective, output: &mut Output) -> Evaluated<()> {
        let condition = self.bool(&it.if_expr.cond_expr, "the condition of an `if`")?;
        output.is_sensitive |= condition.is_sensitive;
        let after_if = it.else_expr.as_ref().map_or(it.endif_expr.strip, |it| it.strip);
        let then = Trim { start: ends(it.if_expr.strip), end: starts(after_if) };
        let (yes, no) = match condition.yes {
            Some(yes) => (yes, !yes),
            // Both sides, for their marks.
            None => (true, true),
        };
        output.is_unknown |= condition.yes.is_none();
        if yes {
            self.write(&it.if_expr.template, then, output)?;
        }
        if let (true, Some(other)) = (no, &it.else_expr) {
            let trim = Trim { start: ends(other.strip), end: starts(it.endif_expr.strip) };
            self.write(&other.template, trim, output)?;
        }
        Ok(())
    }

    fn write_for(&self, it: &ForDirective, output: &mut Output) -> Evaluated<()> {
        let head = &it.for_expr;
        let collection = self.evaluate(&head.collection_expr)?;
        output.is_sensitive |= collection.is_sensitive;
        output.is_unknown |= collection.is_unknown();
        let Some(entries) = entries(&collection) else {
            let at = self.span(&head.collection_expr);
            let wanted = "a list, a set or a map";
            return Err(vec![wrong_type(&at, "what `for` goes over", wanted, &collection)]);
        };
        let trim = Trim { start: ends(head.strip), end: starts(it.endfor_expr.strip) };
        let key_name = head.key_var.as_ref().map_or("", |name| name.as_str());
        for (key, value) in entries {
            self.environment.effort().charge(1);
            let outer = Binding { name: key_name, value: key, outer: self.bindings };
            let inner = Binding { name: head.value_var.as_str(), value, outer: Some(&outer) };
            let scope = Scope { bindings: Some(&inner), ..*self };
            let written = scope.write(&head.template, trim, output);
            // In what may have no elements, nothing is wrong yet.
            if !collection.is_unknown() {
                written?;
            }
        }
        Ok(())
    }
}

/// Returns whether an element takes the white space before it, and after it.
fn strips(element: &Element) -> (bool, bool) {
    match element {
        Element::Literal(_) => (false, false),
        Element::Interpolation(it) => (starts(it.strip), ends(it.strip)),
        Element::Directive(directive) => match &**directive {
            Directive::If(it) => (starts(it.if_expr.strip), ends(it.endif_expr.strip)),
            Directive::For(it) => (starts(it.for_expr.strip), ends(it.endfor_expr.strip)),
        },
    }
}

fn starts(strip: Strip) -> bool {
    strip.strip_start()
}

fn ends(strip: Strip) -> bool {
    strip.strip_end()
}

fn trimmed(text: &str, trim: Trim) -> &str {
    let text = if trim.start { text.trim_start() } else { text };
    if trim.end { text.trim_end() } else { text }
}
