//! Values that are written out: without names, functions or operators.

use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, ObjectKey, UnaryOperator};
use hcl_edit::template::{Element, Template};

use crate::config::value::{Map, Number, Value};

/// Returns the value of a constant expression, or where it is not constant.
pub(crate) fn constant(expression: &Expression) -> Result<Value, Range<usize>> {
    let here = || expression.span().unwrap_or_default();
    Ok(match expression {
        Expression::Null(_) => Value::NULL,
        Expression::Bool(yes) => (*yes.value()).into(),
        Expression::Number(number) => Number::from_literal(number.value()).ok_or_else(here)?.into(),
        Expression::String(text) => Value::text(text.as_str()),
        Expression::StringTemplate(template) => literal(template).ok_or_else(here)?,
        Expression::HeredocTemplate(heredoc) => literal(&heredoc.template).ok_or_else(here)?,
        Expression::Parenthesis(inner) => constant(inner.inner())?,
        Expression::UnaryOp(it) if *it.operator.value() == UnaryOperator::Neg => {
            match constant(&it.expr)?.to_number() {
                Some(Number::Integer(number)) => {
                    Value::integer(number.checked_neg().ok_or_else(here)?)
                }
                Some(Number::Float(number)) => Number::from_f64(-number).ok_or_else(here)?.into(),
                None => return Err(here()),
            }
        }
        Expression::Array(array) => {
            Value::list(array.iter().map(constant).collect::<Result<_, _>>()?)
        }
        Expression::Object(object) => {
            let mut map = Map::new();
            for (key, value) in object.iter() {
                let key = match key {
                    ObjectKey::Ident(name) => name.as_str().into(),
                    ObjectKey::Expression(key) => constant(key)?.to_text().ok_or_else(here)?,
                };
                map.insert(key, constant(value.expr())?);
            }
            Value::map(map)
        }
        _ => return Err(here()),
    })
}

fn literal(template: &Template) -> Option<Value> {
    let text = template.iter().map(|element| match element {
        Element::Literal(text) => Some(text.as_str()),
        _ => None,
    });
    Some(Value::text(text.collect::<Option<String>>()?))
}
