//! Addresses that are computed from a position in a list. Whoever removes an element moves all those behind it.
//!
//! Only what is certain is said: a `for` over something that may as well be a map is left alone.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, ForExpr, FuncCall, ObjectKey, TraversalOperator};
use hcl_edit::template::{Directive, Element, Template};

use crate::config::block::{Blocks, Expr};
use crate::config::reference::name_of;
use crate::config::types::Type;
use crate::diagnostic::rule::ADDRESS_FROM_LIST_POSITION;
use crate::diagnostic::{Diagnostic, Span};

/// Functions that return a list in an order that somebody chose.
const LISTS: &[&str] = &[
    "chunklist",
    "compact",
    "concat",
    "csvdecode",
    "distinct",
    "flatten",
    "formatlist",
    "keys",
    "matchkeys",
    "regexall",
    "reverse",
    "slice",
    "sort",
    "split",
    "tolist",
    "values",
];

/// Functions that a number comes through, so that one made from a position is still one.
const NUMBERS: &[&str] =
    &["abs", "ceil", "floor", "format", "max", "min", "parseint", "sum", "tonumber", "tostring"];

/// Chains of local values are followed this far.
const MAX_DEPTH: usize = 8;

/// Looks at every expression.
pub(super) fn look(blocks: &mut Blocks) -> Vec<Diagnostic> {
    let lists = Lists::of(blocks);
    let mut found = Vec::new();
    blocks.each_expression(&mut |expr, _| {
        let Expr { expression, source, .. } = &*expr;
        let mut walk = Walk { lists: &lists, positions: Vec::new(), found: Vec::new() };
        walk.expression(expression);
        found.extend(walk.found.into_iter().map(|it| {
            let at = |range| Span { source: source.clone(), range };
            Diagnostic::warning("address computed from a list position")
                .rule(&ADDRESS_FROM_LIST_POSITION)
                .label(&at(it), "an address is made of this position in a list")
                .help("Whoever removes an element moves the addresses behind it. Write the number beside the name, as in `{ alice = 2, bob = 3 }`, and compute the address from that.")
        }));
    });
    found
}

/// Which variables and local values are lists.
struct Lists {
    variables: HashMap<Arc<str>, bool>,
    locals: HashMap<Arc<str>, bool>,
}

impl Lists {
    fn of(blocks: &Blocks) -> Self {
        let is_list = |of: &Option<Type>| matches!(of, Some(Type::List(_) | Type::Tuple(_)));
        let variables = blocks.variables.iter().map(|(name, it)| (name.clone(), is_list(&it.of)));
        let mut lists = Self { variables: variables.collect(), locals: HashMap::new() };
        // One that is made from another is a list once the other is known to be one.
        for _ in 0..MAX_DEPTH {
            let is_new = |name: &Arc<str>| !lists.locals.contains_key(name);
            let open = blocks.locals.iter().filter(|(name, _)| is_new(name));
            let more = open.filter(|(_, local)| lists.has(&local.value.expression));
            let more: Vec<_> = more.map(|(name, _)| (name.clone(), true)).collect();
            if more.is_empty() {
                break;
            }
            lists.locals.extend(more);
        }
        lists
    }

    /// Returns whether an expression is certain to be a list.
    fn has(&self, expression: &Expression) -> bool {
        match expression {
            Expression::Array(_) => true,
            Expression::Parenthesis(inner) => self.has(inner.inner()),
            Expression::Conditional(it) => self.has(&it.true_expr) && self.has(&it.false_expr),
            Expression::FuncCall(call) => LISTS.contains(&call.name.name.as_str()),
            Expression::ForExpr(it) => it.key_expr.is_none(),
            Expression::Traversal(_) => name_of(expression)
                .filter(|it| it.operators == 1)
                .and_then(|it| match it.root {
                    "var" => self.variables.get(it.name?),
                    "local" => self.locals.get(it.name?),
                    _ => None,
                })
                .is_some_and(|is_list| *is_list),
            _ => false,
        }
    }
}

struct Walk<'l, 'e> {
    lists: &'l Lists,
    /// The names that a `for` binds, with whether they are positions; the innermost last.
    positions: Vec<(&'e str, bool)>,
    found: Vec<Range<usize>>,
}

impl<'e> Walk<'_, 'e> {
    fn expression(&mut self, expression: &'e Expression) {
        match expression {
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
            Expression::Conditional(it) => {
                self.expression(&it.cond_expr);
                self.expression(&it.true_expr);
                self.expression(&it.false_expr);
            }
            Expression::FuncCall(call) => {
                self.call(call);
                call.args.iter().for_each(|argument| self.expression(argument));
            }
            Expression::Traversal(traversal) => {
                self.expression(&traversal.expr);
                for operator in &traversal.operators {
                    if let TraversalOperator::Index(index) = operator.value() {
                        self.expression(index);
                    }
                }
            }
            Expression::UnaryOp(it) => self.expression(&it.expr),
            Expression::BinaryOp(it) => {
                self.expression(&it.lhs_expr);
                self.expression(&it.rhs_expr);
            }
            Expression::ForExpr(it) => self.repetition(it),
            _ => {}
        }
    }

    fn repetition(&mut self, it: &'e ForExpr) {
        self.expression(&it.intro.collection_expr);
        let key = it.intro.key_var.as_ref().map_or("", |name| name.as_str());
        self.bind(key, it.intro.value_var.as_str(), &it.intro.collection_expr);
        it.key_expr.iter().for_each(|key| self.expression(key));
        self.expression(&it.value_expr);
        it.cond.iter().for_each(|condition| self.expression(&condition.expr));
        self.positions.truncate(self.positions.len() - 2);
    }

    fn bind(&mut self, key: &'e str, value: &'e str, collection: &Expression) {
        self.positions.push((key, self.lists.has(collection)));
        self.positions.push((value, counts_a_list(collection)));
    }

    fn template(&mut self, template: &'e Template) {
        let mut before = "";
        for element in template.iter() {
            match element {
                Element::Literal(text) => before = text.as_str(),
                Element::Interpolation(it) => {
                    if begins_an_address(before) {
                        self.found.extend(self.position(&it.expr));
                    }
                    self.expression(&it.expr);
                    before = "";
                }
                Element::Directive(directive) => {
                    self.directive(directive);
                    before = "";
                }
            }
        }
    }

    fn directive(&mut self, directive: &'e Directive) {
        match directive {
            Directive::If(it) => {
                self.expression(&it.if_expr.cond_expr);
                self.template(&it.if_expr.template);
                it.else_expr.iter().for_each(|it| self.template(&it.template));
            }
            Directive::For(it) => {
                let head = &it.for_expr;
                self.expression(&head.collection_expr);
                let key = head.key_var.as_ref().map_or("", |name| name.as_str());
                self.bind(key, head.value_var.as_str(), &head.collection_expr);
                self.template(&head.template);
                self.positions.truncate(self.positions.len() - 2);
            }
        }
    }

    /// Looks at the number of a call that makes an address.
    fn call(&mut self, call: &FuncCall) {
        let number = match call.name.name.as_str() {
            "cidrhost" => call.args.iter().nth(1),
            "cidrsubnet" => call.args.iter().nth(2),
            _ => None,
        };
        self.found.extend(number.and_then(|number| self.position(number)));
    }

    /// Returns where a number comes from a position; nothing of one that is only looked up by it.
    fn position(&self, expression: &Expression) -> Option<Range<usize>> {
        let span = || expression.span();
        match expression {
            Expression::Parenthesis(inner) => self.position(inner.inner()),
            Expression::UnaryOp(it) => self.position(&it.expr),
            Expression::BinaryOp(it) => {
                self.position(&it.lhs_expr).or_else(|| self.position(&it.rhs_expr))
            }
            Expression::Conditional(it) => {
                self.position(&it.true_expr).or_else(|| self.position(&it.false_expr))
            }
            Expression::FuncCall(call) => match call.name.name.as_str() {
                "index" => span(),
                name if NUMBERS.contains(&name) => {
                    call.args.iter().find_map(|argument| self.position(argument))
                }
                _ => None,
            },
            Expression::Variable(name) => {
                let bound = self.positions.iter().rev().find(|(it, _)| *it == name.as_str());
                bound.filter(|(_, is_position)| *is_position).and_then(|_| span())
            }
            Expression::Traversal(_) => {
                let it = name_of(expression)?;
                let is_bound = self.positions.iter().any(|(name, _)| *name == it.root);
                let is_count = (it.root, it.name, it.operators) == ("count", Some("index"), 1);
                (is_count && !is_bound).then(span).flatten()
            }
            Expression::StringTemplate(template) => template.iter().find_map(|it| match it {
                Element::Interpolation(it) => self.position(&it.expr),
                _ => None,
            }),
            _ => None,
        }
    }
}

/// Returns whether a collection is as many numbers as a list has elements.
fn counts_a_list(collection: &Expression) -> bool {
    let Expression::FuncCall(call) = collection else { return false };
    let is_length = |argument: &Expression| match argument {
        Expression::FuncCall(inner) => inner.name.name.as_str() == "length",
        _ => false,
    };
    call.name.name.as_str() == "range" && call.args.iter().any(is_length)
}

/// Returns whether a text is the beginning of an address, so that what follows is a part of it: `10.8.0.`, `fd00::`.
fn begins_an_address(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
    let parts = text.split(['.', ':']).count();
    text.ends_with(['.', ':']) && parts > 2 && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use crate::config::lint::position::begins_an_address;

    #[test]
    fn only_the_beginning_of_an_address_makes_one() {
        for text in ["10.8.0.", "fd00::", "fd00:8:", "2001:db8::10."] {
            assert!(begins_an_address(text), "{text}");
        }
        for text in ["", ".", "site-", "v1.", "peer 10.8.0.", "10.8.0.1", "example.com:"] {
            assert!(!begins_an_address(text), "{text}");
        }
    }
}
