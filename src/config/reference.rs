//! The names in expressions: found without evaluating anything, and checked against what is declared.

use std::ops::Range;

use hcl_edit::expr::{Expression, FuncCall, ObjectKey, Traversal, TraversalOperator};
use hcl_edit::template::{Directive, Element, Template};
use hcl_edit::{Decorated, Span as _};

/// A name that an expression uses, which no `for` around it binds.
pub(crate) enum Found<'e> {
    /// `root`, or `root.name`, or `root.name.attribute`, or one name more.
    Name(Name<'e>),
    /// `function(…)`.
    Call(&'e FuncCall),
    /// A literal text.
    Text(&'e str, Range<usize>),
}

/// A name with up to three names behind it.
#[derive(Clone)]
pub(crate) struct Name<'e> {
    pub(crate) root: &'e str,
    pub(crate) name: Option<&'e str>,
    pub(crate) attribute: Option<(&'e str, Range<usize>)>,
    /// What follows that.
    pub(crate) after: Option<(&'e str, Range<usize>)>,
    /// The root.
    pub(crate) start: Range<usize>,
    /// The root and what is named after it.
    pub(crate) range: Range<usize>,
    /// How many operators follow in all.
    pub(crate) operators: usize,
}

/// Visits all names, calls and texts of an expression.
pub(crate) fn walk<'e>(expression: &'e Expression, visit: &mut dyn FnMut(Found<'e>)) {
    walk_in(expression, &[], visit);
}

/// The same where some names are bound around the expression.
pub(crate) fn walk_in<'e>(
    expression: &'e Expression,
    bound: &[&'e str],
    visit: &mut dyn FnMut(Found<'e>),
) {
    Walk { bound: bound.to_vec(), visit }.expression(expression);
}

/// Takes a traversal or a variable apart.
pub(crate) fn name_of(expression: &Expression) -> Option<Name<'_>> {
    match expression {
        Expression::Variable(root) => {
            let start = expression.span().unwrap_or_default();
            Some(Name {
                root: root.as_str(),
                name: None,
                attribute: None,
                after: None,
                range: start.clone(),
                start,
                operators: 0,
            })
        }
        Expression::Traversal(traversal) => {
            let Expression::Variable(root) = &traversal.expr else { return None };
            Some(traversal_name(root.as_str(), traversal))
        }
        _ => None,
    }
}

fn traversal_name<'e>(root: &'e str, traversal: &'e Traversal) -> Name<'e> {
    let start = traversal.expr.span().unwrap_or_default();
    let mut names = traversal.operators.iter().map_while(|operator| match operator.value() {
        TraversalOperator::GetAttr(name) => Some((name.as_str(), end_of(operator), name.span())),
        _ => None,
    });
    let first = names.next();
    let second = names.next();
    let third = names.next();
    let end = second.as_ref().or(first.as_ref()).map_or(start.end, |it| it.1);
    Name {
        root,
        name: first.as_ref().map(|it| it.0),
        attribute: second.map(|(name, _, span)| (name, span.unwrap_or_default())),
        after: third.map(|(name, _, span)| (name, span.unwrap_or_default())),
        range: start.start..end.max(start.end),
        start,
        operators: traversal.operators.len(),
    }
}

fn end_of(operator: &Decorated<TraversalOperator>) -> usize {
    operator.span().unwrap_or_default().end
}

struct Walk<'w, 'e> {
    bound: Vec<&'e str>,
    visit: &'w mut dyn FnMut(Found<'e>),
}

impl<'e> Walk<'_, 'e> {
    fn expression(&mut self, expression: &'e Expression) {
        match expression {
            Expression::Null(_) | Expression::Bool(_) | Expression::Number(_) => {}
            Expression::String(text) => {
                (self.visit)(Found::Text(text.as_str(), expression.span().unwrap_or_default()));
            }
            Expression::Array(items) => items.iter().for_each(|item| self.expression(item)),
            Expression::Object(object) => {
                for (key, value) in object.iter() {
                    if let ObjectKey::Expression(key) = key {
                        self.expression(key);
                    }
                    self.expression(value.expr());
                }
            }
            Expression::StringTemplate(template) => self.template(template),
            Expression::HeredocTemplate(heredoc) => self.template(&heredoc.template),
            Expression::Parenthesis(inner) => self.expression(inner.inner()),
            Expression::Variable(_) => self.name(expression),
            Expression::Conditional(it) => {
                self.expression(&it.cond_expr);
                self.expression(&it.true_expr);
                self.expression(&it.false_expr);
            }
            Expression::FuncCall(call) => {
                (self.visit)(Found::Call(call));
                call.args.iter().for_each(|argument| self.expression(argument));
            }
            Expression::Traversal(traversal) => self.traversal(traversal, expression),
            Expression::UnaryOp(it) => self.expression(&it.expr),
            Expression::BinaryOp(it) => {
                self.expression(&it.lhs_expr);
                self.expression(&it.rhs_expr);
            }
            Expression::ForExpr(it) => {
                self.expression(&it.intro.collection_expr);
                let key = it.intro.key_var.as_ref().map_or("", |name| name.as_str());
                self.bound.extend([key, it.intro.value_var.as_str()]);
                it.key_expr.iter().for_each(|key| self.expression(key));
                self.expression(&it.value_expr);
                it.cond.iter().for_each(|condition| self.expression(&condition.expr));
                self.bound.truncate(self.bound.len() - 2);
            }
        }
    }

    fn traversal(&mut self, traversal: &'e Traversal, expression: &'e Expression) {
        match &traversal.expr {
            Expression::Variable(_) => self.name(expression),
            other => self.expression(other),
        }
        for operator in &traversal.operators {
            if let TraversalOperator::Index(index) = operator.value() {
                self.expression(index);
            }
        }
    }

    fn name(&mut self, expression: &'e Expression) {
        if let Some(name) = name_of(expression)
            && !self.bound.contains(&name.root)
        {
            (self.visit)(Found::Name(name));
        }
    }

    fn template(&mut self, template: &'e Template) {
        for element in template.iter() {
            match element {
                Element::Literal(text) => {
                    (self.visit)(Found::Text(text.as_str(), text.span().unwrap_or_default()));
                }
                Element::Interpolation(it) => self.expression(&it.expr),
                Element::Directive(directive) => match &**directive {
                    Directive::If(it) => {
                        self.expression(&it.if_expr.cond_expr);
                        self.template(&it.if_expr.template);
                        it.else_expr.iter().for_each(|it| self.template(&it.template));
                    }
                    Directive::For(it) => {
                        let head = &it.for_expr;
                        self.expression(&head.collection_expr);
                        let key = head.key_var.as_ref().map_or("", |name| name.as_str());
                        self.bound.extend([key, head.value_var.as_str()]);
                        self.template(&head.template);
                        self.bound.truncate(self.bound.len() - 2);
                    }
                },
            }
        }
    }
}
