//! The types that a `variable` can ask for, and the conversion of a value to one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, FuncCall, Object, ObjectKey};

use crate::config::constant::constant;
use crate::config::suggest::suggestion;
use crate::config::value::{Data, Map, Value};
use crate::resource::Kind;

/// A type constraint.
#[derive(Debug, Clone)]
pub(crate) enum Type {
    Any,
    String,
    Number,
    Bool,
    List(Box<Self>),
    Set(Box<Self>),
    Map(Box<Self>),
    Object(BTreeMap<Arc<str>, Member>),
    Tuple(Vec<Self>),
    Backend,
    Resource(Kind),
}

/// One attribute of an object type.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) of: Type,
    is_optional: bool,
    default: Option<Value>,
}

/// Why a value does not have a type.
pub(crate) struct Mismatch {
    /// Where in the value, such as `.name` or `[2]`.
    pub(crate) path: String,
    pub(crate) message: String,
}

/// What is wrong in a type expression, and where.
pub(crate) type Wrong = (Range<usize>, String);

impl Type {
    /// Reads a type such as `list(string)`.
    pub(crate) fn parse(expression: &Expression) -> Result<Self, Wrong> {
        let at = expression.span().unwrap_or_default();
        match expression {
            Expression::Variable(name) => match name.as_str() {
                "any" => Ok(Self::Any),
                "string" => Ok(Self::String),
                "number" => Ok(Self::Number),
                "bool" => Ok(Self::Bool),
                "backend" => Ok(Self::Backend),
                "interface" => Ok(Self::Resource(Kind::Interface)),
                "peer" => Ok(Self::Resource(Kind::Peer)),
                "preshared_key" => Ok(Self::Resource(Kind::PresharedKey)),
                "list" | "set" | "map" => Err((
                    at,
                    format!(
                        "`{0}` needs the type of its elements, such as `{0}(string)`",
                        name.as_str()
                    ),
                )),
                other => Err((at, unknown_type(other))),
            },
            Expression::FuncCall(call) => Self::parse_call(call, at),
            Expression::String(_) => Err((at, "a type is written without quotes".to_owned())),
            _ => Err((at, "this is not a type".to_owned())),
        }
    }

    fn parse_call(call: &FuncCall, at: Range<usize>) -> Result<Self, Wrong> {
        let (name, n) = (call.name.name.as_str(), call.args.len());
        let Some(argument) = call.args.get(0).filter(|_| n == 1) else {
            return Err((at, format!("`{name}` takes one argument")));
        };
        let element = || Self::parse(argument).map(Box::new);
        match (name, argument) {
            ("list", _) => Ok(Self::List(element()?)),
            ("set", _) => Ok(Self::Set(element()?)),
            ("map", _) => Ok(Self::Map(element()?)),
            ("object", Expression::Object(object)) => Self::parse_object(object),
            ("tuple", Expression::Array(items)) => {
                Ok(Self::Tuple(items.iter().map(Self::parse).collect::<Result<_, _>>()?))
            }
            ("object", _) => Err((
                at,
                "`object` takes attributes, such as `object({ name = string })`".to_owned(),
            )),
            ("tuple", _) => {
                Err((at, "`tuple` takes types, such as `tuple([string, number])`".to_owned()))
            }
            ("optional", _) => {
                Err((at, "only an attribute of an `object` can be `optional`".to_owned()))
            }
            (other, _) => Err((at, unknown_type(other))),
        }
    }

    fn parse_object(object: &Object) -> Result<Self, Wrong> {
        let mut members = BTreeMap::new();
        for (key, value) in object.iter() {
            let name: Arc<str> = match key {
                ObjectKey::Ident(name) => name.as_str().into(),
                ObjectKey::Expression(key) => {
                    constant(key).ok().and_then(|key| key.to_text()).ok_or_else(|| {
                        (key.span().unwrap_or_default(), "an attribute needs a name".to_owned())
                    })?
                }
            };
            members.insert(name, Member::parse(value.expr())?);
        }
        Ok(Self::Object(members))
    }

    /// Names a value of the type in a message: "a string".
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Any => "any value",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::List(_) => "a list",
            Self::Set(_) => "a set",
            Self::Map(_) => "a map",
            Self::Object(_) => "an object",
            Self::Tuple(_) => "a tuple",
            Self::Backend => "a backend",
            Self::Resource(Kind::Interface) => "an interface",
            Self::Resource(Kind::Peer) => "a peer",
            Self::Resource(Kind::PresharedKey) => "a pre-shared key",
        }
    }

    /// Converts a value, as Terraform does: numbers and bools to strings and back, tuples to lists, objects to maps.
    pub(crate) fn convert(&self, value: &Value) -> Result<Value, Mismatch> {
        if value.is_null() || value.is_unknown() {
            return Ok(value.clone());
        }
        let wrong = || Mismatch {
            path: String::new(),
            message: format!("{} is wanted, and this is {}", self.noun(), value.shown()),
        };
        let converted = match self {
            Self::Any => return Ok(value.clone()),
            Self::String => Value::text(value.to_text().ok_or_else(wrong)?),
            Self::Number => value.to_number().ok_or_else(wrong)?.into(),
            Self::Bool => value.to_bool().ok_or_else(wrong)?.into(),
            Self::Backend => match &value.data {
                Data::Backend(_) => value.clone(),
                _ => return Err(wrong()),
            },
            Self::Resource(kind) => match &value.data {
                Data::Resource(address) if address.kind == *kind => value.clone(),
                _ => return Err(wrong()),
            },
            Self::List(of) => Value::list(of.elements(value.items().ok_or_else(wrong)?)?),
            Self::Set(of) => Value::set(of.elements(value.items().ok_or_else(wrong)?)?),
            Self::Tuple(types) => {
                let items = value.items().ok_or_else(wrong)?;
                if items.len() != types.len() {
                    let message = format!(
                        "{} elements are wanted, and here are {}",
                        types.len(),
                        items.len()
                    );
                    return Err(Mismatch { path: String::new(), message });
                }
                let convert = |(i, (of, item)): (usize, (&Self, &Value))| of.element(i, item);
                Value::list(
                    types.iter().zip(items).enumerate().map(convert).collect::<Result<_, _>>()?,
                )
            }
            Self::Map(of) => {
                let Data::Map(map) = &value.data else { return Err(wrong()) };
                let convert =
                    |(key, item): (&Arc<str>, &Value)| Ok((key.clone(), of.member(key, item)?));
                Value::map(map.iter().map(convert).collect::<Result<_, _>>()?)
            }
            Self::Object(members) => {
                let Data::Map(map) = &value.data else { return Err(wrong()) };
                Value::map(object(members, map)?)
            }
        };
        Ok(converted.marked(value.is_sensitive))
    }

    fn elements(&self, items: &[Value]) -> Result<Vec<Value>, Mismatch> {
        items.iter().enumerate().map(|(i, item)| self.element(i, item)).collect()
    }

    fn element(&self, i: usize, item: &Value) -> Result<Value, Mismatch> {
        self.convert(item).map_err(|it| Mismatch { path: format!("[{i}]{}", it.path), ..it })
    }

    fn member(&self, name: &str, value: &Value) -> Result<Value, Mismatch> {
        self.convert(value).map_err(|it| Mismatch { path: format!(".{name}{}", it.path), ..it })
    }
}

impl Member {
    /// An attribute that has to be there.
    pub(crate) fn required(of: Type) -> Self {
        Self { of, is_optional: false, default: None }
    }

    fn parse(expression: &Expression) -> Result<Self, Wrong> {
        let Expression::FuncCall(call) = expression else {
            return Ok(Self::required(Type::parse(expression)?));
        };
        if call.name.name.as_str() != "optional" {
            return Ok(Self::required(Type::parse(expression)?));
        }
        let at = expression.span().unwrap_or_default();
        let (Some(of), 1..=2) = (call.args.get(0), call.args.len()) else {
            return Err((at, "`optional` takes a type and a default".to_owned()));
        };
        let of = Type::parse(of)?;
        let default = match call.args.get(1) {
            None => None,
            Some(default) => {
                let value =
                    constant(default).map_err(|at| (at, "a default is a constant".to_owned()))?;
                let wrong = |it: Mismatch| (default.span().unwrap_or_default(), it.message);
                Some(of.convert(&value).map_err(wrong)?)
            }
        };
        Ok(Self { of, is_optional: true, default })
    }
}

fn unknown_type(word: &str) -> String {
    let meant = match word {
        "text" | "str" => Some("string"),
        "int" | "integer" | "float" => Some("number"),
        "boolean" => Some("bool"),
        "dict" => Some("map"),
        "array" => Some("list"),
        _ => suggestion(word, NAMES.iter().copied()),
    };
    match meant {
        Some(meant) => format!("there is no type `{word}`; did you mean `{meant}`?"),
        None => format!("there is no type `{word}`"),
    }
}

const NAMES: &[&str] = &[
    "any",
    "string",
    "number",
    "bool",
    "list",
    "set",
    "map",
    "object",
    "tuple",
    "backend",
    "interface",
    "peer",
    "preshared_key",
];

/// Converts the attributes that an object type has, and drops others as Terraform does.
fn object(members: &BTreeMap<Arc<str>, Member>, map: &Map) -> Result<Map, Mismatch> {
    let mut made = Map::new();
    for (name, Member { of, is_optional, default }) in members {
        let value = match map.get(name) {
            Some(value) if !(value.is_null() && default.is_some()) => of.member(name, value)?,
            None if !is_optional => {
                let message = format!("the attribute `{name}` is missing");
                return Err(Mismatch { path: String::new(), message });
            }
            _ => default.clone().unwrap_or(Value::NULL),
        };
        made.insert(name.clone(), value);
    }
    Ok(made)
}
