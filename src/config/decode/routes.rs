//! `routes` of an interface: a word, or an object, which may have been written as a block.

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, ObjectKey};

use crate::config::decode::{Decoder, sentence};
use crate::config::expression::Evaluated;
use crate::config::foreign;
use crate::config::parse::or;
use crate::config::suggest::suggestion;
use crate::config::value::{Data, Map, Value};
use crate::config::vocabulary::ROUTES;
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::Form;
use crate::value::{GatewayCheck, InvalidValue, Prefix, RouteMode, Routes};

impl Decoder<'_> {
    pub(super) fn routes(&self, value: &Value) -> Evaluated<Routes> {
        match &value.data {
            Data::Text(word) => match RouteMode::from_word(word) {
                Some(mode) => Ok(Routes { mode, ..Routes::default() }),
                None => Err(vec![self.wrong_type(value)]),
            },
            Data::Map(map) => self.routes_object(map),
            _ => Err(vec![self.wrong_type(value)]),
        }
    }

    fn routes_object(&self, map: &Map) -> Evaluated<Routes> {
        let mut routes = Routes { mode: RouteMode::Auto, ..Routes::default() };
        let mut problems = Vec::new();
        for (name, value) in map.iter() {
            match ROUTES.arguments.iter().find(|it| it.name == &**name) {
                None => problems.push(self.no_such_argument(name)),
                Some(_) if value.is_null() => {}
                Some(argument) => {
                    problems.extend(self.routes_argument(&mut routes, argument.name, value).err())
                }
            }
        }
        if problems.is_empty() { Ok(routes) } else { Err(problems) }
    }

    fn routes_argument(
        &self,
        routes: &mut Routes,
        name: &'static str,
        value: &Value,
    ) -> Result<(), Diagnostic> {
        let text = value.to_text();
        let wrong = |expected: &str| self.wrong_argument(name, value, expected);
        match name {
            "mode" => {
                let mode = text.and_then(|it| RouteMode::from_word(&it));
                routes.mode = mode.ok_or_else(|| wrong(&Form::Choice(&RouteMode::WORDS).noun()))?;
            }
            "table" => {
                let table = text.ok_or_else(|| wrong("a number or a name"))?.parse();
                routes.table = table.map_err(|error| self.no_table(&error))?;
            }
            "distance" => {
                let number = value.to_number().and_then(|it| it.to_integer());
                let number = number.and_then(|it| u32::try_from(it).ok());
                let number = number.ok_or_else(|| wrong("a number from 0 to 4294967295"))?;
                routes.distance = Some(number).filter(|it| *it != 0);
            }
            "default_route" => {
                routes.default_route = value.to_bool().ok_or_else(|| wrong("true or false"))?;
            }
            "gateway" => {
                let gateway = text.and_then(|it| it.parse().ok());
                routes.gateway = Some(gateway.ok_or_else(|| wrong("an IP address"))?);
            }
            "check_gateway" => {
                let check = text.and_then(|it| GatewayCheck::from_word(&it));
                let noun = Form::Choice(&GatewayCheck::WORDS).noun();
                routes.check_gateway = Some(check.ok_or_else(|| wrong(&noun))?);
            }
            _ => {
                let networks = Form::Prefixes.noun();
                let prefix = |it: &Value| {
                    let prefix: Option<Prefix> = it.to_text().and_then(|text| text.parse().ok());
                    prefix.ok_or_else(|| self.wrong_argument(name, it, &networks))
                };
                let items = value.items().ok_or_else(|| wrong(&networks))?;
                routes.exclude = items.iter().map(prefix).collect::<Result<_, _>>()?;
            }
        }
        Ok(())
    }

    fn wrong_argument(&self, name: &str, value: &Value, expected: &str) -> Diagnostic {
        let is = if self.is_sensitive { value.noun().to_owned() } else { value.shown() };
        let diagnostic = Diagnostic::error("invalid value")
            .label(&self.place_of(name), format!("`{name}` is {expected}, not {is}"));
        let near = match &value.data {
            Data::Text(text) if name == "mode" && !self.is_sensitive => {
                suggestion(text, RouteMode::WORDS)
            }
            Data::Text(text) if name == "check_gateway" && !self.is_sensitive => {
                suggestion(text, GatewayCheck::WORDS)
            }
            _ => None,
        };
        match (name, near) {
            (_, Some(near)) => diagnostic.help(format!("Did you mean \"{near}\"?")),
            ("mode", None) => diagnostic.help("Write it as `mode = \"auto\"`."),
            ("distance", None) => diagnostic.help("Write it as `distance = 100`."),
            ("gateway", None) => diagnostic.help("Write it as `gateway = \"10.8.0.2\"`."),
            ("check_gateway", None) => diagnostic.help("Write it as `check_gateway = \"ping\"`."),
            ("default_route", None) => diagnostic.help("Write it as `default_route = true`."),
            ("exclude", None) => diagnostic.help("Write it as `exclude = [\"10.8.0.0/24\"]`."),
            _ => diagnostic.help("Write it as `table = \"main\"`."),
        }
    }

    fn no_table(&self, error: &InvalidValue) -> Diagnostic {
        let text = match self.is_sensitive {
            true => "this sensitive value is not a routing table".to_owned(),
            false => error.to_string(),
        };
        Diagnostic::error("invalid value")
            .label(&self.place_of("table"), text)
            .help(sentence(error.get_hint().unwrap_or_default()))
    }

    fn no_such_argument(&self, name: &str) -> Diagnostic {
        let known = || ROUTES.argument_names().into_iter();
        let meant = foreign::name_here(ROUTES.name, name);
        let advice = foreign::advice(ROUTES.name, name);
        let near = meant.or_else(|| suggestion(name, known()).filter(|_| advice.is_none()));
        let names: Vec<_> = known().map(|name| format!("`{name}`")).collect();
        let help = match (near, advice) {
            (Some(near), _) => format!("Did you mean `{near}`?"),
            (None, Some(advice)) => advice.to_owned(),
            (None, None) => format!("It can be {}.", or(&names)),
        };
        let label = match self.is_sensitive {
            true => "`routes` has no argument of this name".to_owned(),
            false => format!("`routes` has no `{name}`"),
        };
        let place = self.written(name).and_then(|(key, _)| key);
        let place = place.unwrap_or_else(|| self.expr.span());
        Diagnostic::error("unknown argument").label(&place, label).help(help)
    }

    /// Returns where the value of an argument stands, when it is written here.
    fn place_of(&self, name: &str) -> Span {
        self.written(name).and_then(|(_, value)| value).unwrap_or_else(|| self.expr.span())
    }

    /// Returns the places of an argument's name and of its value.
    fn written(&self, name: &str) -> Option<(Option<Span>, Option<Span>)> {
        let Expression::Object(object) = &*self.expr.expression else { return None };
        let is_it = |key: &ObjectKey| match key {
            ObjectKey::Ident(ident) => ident.as_str() == name,
            ObjectKey::Expression(it) => it.as_str() == Some(name),
        };
        let (key, value) = object.iter().find(|(key, _)| is_it(key))?;
        let span = |range| Span { source: self.expr.source.clone(), range };
        Some((key.span().map(span), value.expr().span().map(span)))
    }
}
