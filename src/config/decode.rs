//! Values to fields, by the form that an attribute's declaration gives.

mod routes;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use jiff::Timestamp;

use crate::config::block::Expr;
use crate::config::expression::Evaluated;
use crate::config::secrets;
use crate::config::suggest::suggestion;
use crate::config::value::{Data, Value};
use crate::diagnostic::{Diagnostic, Span, sentence};
use crate::resource::{Address, Attribute, Default, Field, Form, Kind};
use crate::value::{InvalidValue, Keepalive, RouteMode, Routes};

/// What systemd-resolved takes for one link, of name servers and of domains. It refuses all of them when there are more,
/// and so late that the rest of the interface is there.
const MOST_OF_RESOLVER: usize = 256;

/// What an attribute is set to.
pub(crate) enum Decoded {
    /// It is null.
    Unset,
    /// It is known after apply.
    Unknown,
    /// A value.
    Field(Field),
    /// A resource.
    Resource(Arc<Address>),
    /// A backend, which whoever asks reads from the value.
    Backend,
}

/// Decodes the value of an attribute. Whatever is wrong is said at the value, or at the element of a list.
pub(crate) fn decode(attribute: &Attribute, value: &Value, expr: &Expr) -> Evaluated<Decoded> {
    let decoder = Decoder { attribute, expr, is_sensitive: value.is_sensitive_anywhere() };
    if decoder.is_sensitive && attribute.form == Form::Commands {
        return Err(vec![secret_in_command(&expr.span())]);
    }
    match (&value.data, &attribute.form) {
        (Data::Null, _) => Ok(Decoded::Unset),
        (Data::Unknown, _) => Ok(Decoded::Unknown),
        (Data::Backend(_), Form::Backend) => Ok(Decoded::Backend),
        (Data::Resource(address), Form::Reference(kind)) if address.kind == *kind => {
            Ok(Decoded::Resource(address.clone()))
        }
        (Data::Resource(address), Form::PresharedKey) if address.kind == Kind::PresharedKey => {
            Ok(Decoded::Resource(address.clone()))
        }
        (_, Form::Routes) if value.is_unknown_anywhere() => Ok(Decoded::Unknown),
        (_, Form::Routes) => {
            decoder.routes(value).map(|it| Decoded::Field(Field::Routes(Box::new(it))))
        }
        (_, Form::Addresses) => Ok(known(decoder.set(value)?, Field::Addresses)),
        (_, Form::Prefixes) => Ok(known(decoder.set(value)?, Field::Prefixes)),
        (_, Form::Servers) => {
            let servers = decoder.list(value, &|item| item.to_text().map(|it| server(&it)))?;
            Ok(known(decoder.held(servers.map(without_twins))?, Field::Servers))
        }
        (_, Form::Names) => {
            let names = decoder.list(value, &|item| item.to_text().map(|it| name(&it)))?;
            Ok(match names {
                Some(names) if names.is_empty() => Decoded::Unset,
                names => known(names.map(|it| it.into_iter().collect()), Field::Names),
            })
        }
        (_, Form::Domains) => {
            let domains = decoder.list(value, &|item| item.to_text().map(|it| domain(&it)))?;
            Ok(known(decoder.held(domains.map(without_twins))?, Field::Domains))
        }
        (_, Form::Commands) => Ok(match decoder.commands(value)? {
            Some(list) if list.is_empty() => Decoded::Unset,
            list => known(list, Field::Commands),
        }),
        _ => decoder.scalar(value).map(Decoded::Field),
    }
}

fn known<T>(list: Option<T>, field: impl FnOnce(T) -> Field) -> Decoded {
    list.map_or(Decoded::Unknown, |list| Decoded::Field(field(list)))
}

fn without_twins<T: PartialEq>(list: Vec<T>) -> Vec<T> {
    let mut kept: Vec<T> = Vec::with_capacity(list.len());
    for item in list {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

struct Decoder<'d> {
    attribute: &'d Attribute,
    expr: &'d Expr,
    is_sensitive: bool,
}

impl Decoder<'_> {
    fn scalar(&self, value: &Value) -> Evaluated<Field> {
        let wrong = || vec![self.wrong_type(value)];
        let text = || value.to_text().ok_or_else(wrong);
        Ok(match &self.attribute.form {
            Form::Text => Field::Text(text()?.to_string()),
            Form::Path => Field::Text(self.path(&text()?)?),
            Form::Choice(words) => {
                let text = text()?;
                let known = words.iter().any(|word| *word == &*text);
                let known = known.then(|| Field::Text(text.to_string()));
                known.ok_or_else(|| vec![self.wrong_type(value)])?
            }
            Form::Bool => Field::Bool(value.to_bool().ok_or_else(wrong)?),
            Form::Port => Field::Number(self.number(value, 1, 65_535)?),
            Form::Mtu => Field::Number(self.number(value, 576, 65_535)?),
            Form::Mark => Field::Number(self.number(value, 0, u32::MAX)?),
            Form::PublicKey => Field::PublicKey(self.parse(&text()?)?),
            Form::PrivateKey => Field::PrivateKey(self.parse(&text()?)?),
            Form::PresharedKey => match &*text()? {
                "none" => Field::PresharedKey(None),
                key => Field::PresharedKey(Some(self.parse(key)?)),
            },
            Form::Endpoint => Field::Endpoint(self.parse(&text()?)?),
            Form::Keepalive => Field::Keepalive(self.parse(&text()?)?),
            Form::Time => {
                let time: Result<Timestamp, _> = text()?.parse();
                Field::Time(time.map_err(|_| wrong())?)
            }
            Form::Reference(_)
            | Form::Backend
            | Form::Addresses
            | Form::Prefixes
            | Form::Routes
            | Form::Servers
            | Form::Domains
            | Form::Names
            | Form::Commands => return Err(wrong()),
        })
    }

    fn number(&self, value: &Value, least: u32, most: u32) -> Evaluated<u32> {
        let number = value.to_number().and_then(|it| it.to_integer());
        let number = number.and_then(|it| u32::try_from(it).ok());
        number.filter(|it| (least..=most).contains(it)).ok_or_else(|| vec![self.wrong_type(value)])
    }

    fn path(&self, text: &str) -> Evaluated<String> {
        if text.starts_with('/') && !text.contains('\0') {
            return Ok(text.to_owned());
        }
        let error = InvalidValue::new("this is not an absolute path")
            .hint("write it as `/etc/wireguard/wg0.key`");
        Err(vec![self.invalid(&error, &self.expr.span(), "")])
    }

    fn parse<T: FromStr<Err = InvalidValue>>(&self, text: &str) -> Evaluated<T> {
        text.parse().map_err(|error| vec![self.invalid(&error, &self.expr.span(), "")])
    }

    fn set<T: FromStr<Err = InvalidValue> + Ord>(
        &self,
        value: &Value,
    ) -> Evaluated<Option<BTreeSet<T>>> {
        let list = self.list(value, &|item| item.to_text().map(|text| text.parse()))?;
        Ok(list.map(|items| items.into_iter().collect()))
    }

    /// Decodes commands; none if a part of one is not known yet.
    fn commands(&self, value: &Value) -> Evaluated<Option<Vec<Vec<String>>>> {
        let items = value.items().unwrap_or_default();
        if items.iter().any(Value::is_unknown_anywhere) {
            return Ok(None);
        }
        let is_written = match &*self.expr.expression {
            Expression::Array(items) => items.iter().all(|it| it.is_str()),
            _ => false,
        };
        self.list(value, &|it| command(it, is_written))
    }

    /// Decodes the elements of a list; none if one of them is not known yet.
    fn list<T>(
        &self,
        value: &Value,
        parse: &dyn Fn(&Value) -> Option<Result<T, InvalidValue>>,
    ) -> Evaluated<Option<Vec<T>>> {
        let Some(items) = value.items() else {
            let mut diagnostic = self.wrong_type(value);
            if matches!(value.data, Data::Text(_)) && self.attribute.form != Form::Commands {
                diagnostic = diagnostic.help("Put `[` and `]` around it.");
            }
            return Err(vec![diagnostic]);
        };
        let (mut list, mut problems, mut is_unknown) = (Vec::new(), Vec::new(), false);
        for (i, item) in items.iter().enumerate() {
            if item.is_unknown() {
                is_unknown = true;
                continue;
            }
            let (span, place) = self.element(i);
            match parse(item) {
                Some(Ok(element)) => list.push(element),
                Some(Err(error)) => problems.push(self.invalid(&error, &span, &place)),
                None => problems.push(self.wrong_element(item, &span, &place)),
            }
        }
        if problems.is_empty() { Ok((!is_unknown).then_some(list)) } else { Err(problems) }
    }

    /// Refuses more elements than a host's resolver holds for a link.
    fn held<T>(&self, list: Option<Vec<T>>) -> Evaluated<Option<Vec<T>>> {
        let Some(n) = list.as_ref().map(Vec::len).filter(|n| *n > MOST_OF_RESOLVER) else {
            return Ok(list);
        };
        let label = format!(
            "a link has at most {MOST_OF_RESOLVER} of `{}`, and this is {n}",
            self.attribute.name
        );
        Err(vec![
            Diagnostic::error("invalid value")
                .label(&self.expr.span(), label)
                .help("Leave out what others have in them, or what is seldom asked."),
        ])
    }

    fn wrong_element(&self, item: &Value, span: &Span, place: &str) -> Diagnostic {
        let (every, help) = match self.attribute.form {
            Form::Commands => ("command is a list of strings", self.example()),
            _ => ("element is a string", "Write every element as a text in quotes.".to_owned()),
        };
        let label = format!("{place}every {every}, and this is {}", item.shown());
        Diagnostic::error("value of the wrong type").label(span, label).help(help)
    }

    /// Returns where an element stands, and its name when that is not its own place.
    fn element(&self, i: usize) -> (Span, String) {
        let place = format!("`{}[{i}]`: ", self.attribute.name);
        let Expression::Array(items) = &*self.expr.expression else {
            return (self.expr.span(), place);
        };
        match items.get(i).and_then(hcl_edit::expr::Expression::span) {
            Some(range) => (Span { source: self.expr.source.clone(), range }, String::new()),
            None => (self.expr.span(), place),
        }
    }

    fn invalid(&self, error: &InvalidValue, span: &Span, place: &str) -> Diagnostic {
        let form = &self.attribute.form;
        let diagnostic = Diagnostic::error("invalid value").help(self.example());
        if self.is_sensitive && !form.is_secret() {
            return diagnostic
                .label(span, format!("{place}this sensitive value is not {}", form.noun()));
        }
        let said = error.to_string();
        if !secrets::keys(&said).is_empty() {
            let may_be = format!("{place}this text, which may be a key, is not {}", form.noun());
            return diagnostic.label(span, may_be);
        }
        let diagnostic = diagnostic.label(span, format!("{place}{said}"));
        match error.get_hint() {
            Some(hint) => diagnostic.help(sentence(hint)),
            None => diagnostic,
        }
    }

    /// Says how a value of the attribute is written.
    fn example(&self) -> String {
        let Attribute { name, form, .. } = self.attribute;
        let value = match form {
            Form::Text => "\"a text\"".to_owned(),
            Form::Path => "\"/etc/wireguard/wg0.key\"".to_owned(),
            Form::Choice(words) => format!("{:?}", words.first().copied().unwrap_or_default()),
            Form::Bool => "true".to_owned(),
            Form::Port => "51820".to_owned(),
            Form::Mtu => "1420".to_owned(),
            Form::Mark => "51".to_owned(),
            Form::PublicKey => "interface.NAME.public_key".to_owned(),
            Form::PrivateKey => "var.NAME".to_owned(),
            Form::PresharedKey => "preshared_key.NAME".to_owned(),
            Form::Addresses => "[\"10.8.0.1/24\"]".to_owned(),
            Form::Prefixes => "[\"10.8.0.0/24\"]".to_owned(),
            Form::Endpoint => "\"vpn.example.com:51820\"".to_owned(),
            Form::Keepalive => "\"25s\"".to_owned(),
            Form::Routes => "\"auto\"".to_owned(),
            Form::Time => "\"2027-01-31T12:00:00Z\"".to_owned(),
            Form::Servers => "[\"10.8.0.53\"]".to_owned(),
            Form::Domains => "[\"corp.example.com\"]".to_owned(),
            Form::Names => "[\"LAN\"]".to_owned(),
            Form::Commands => "[[\"sysctl\", \"-w\", \"net.ipv4.ip_forward=1\"]]".to_owned(),
            Form::Reference(kind) => format!("{kind}.NAME"),
            Form::Backend => "backend.NAME".to_owned(),
        };
        format!("Write it as `{name} = {value}`.")
    }

    fn wrong_type(&self, value: &Value) -> Diagnostic {
        let Attribute { name, form, .. } = self.attribute;
        let is = if form.is_secret() || self.is_sensitive {
            value.noun().to_owned()
        } else {
            value.shown()
        };
        let diagnostic = Diagnostic::error("invalid value")
            .label(&self.expr.span(), format!("`{name}` is {}, not {is}", form.noun()))
            .help(self.example());
        match (&value.data, form) {
            (Data::Text(text), Form::Choice(_) | Form::Routes) if !self.is_sensitive => {
                let words: &[&str] = match form {
                    Form::Choice(words) => words,
                    _ => &RouteMode::WORDS,
                };
                match suggestion(text, words.iter().copied()) {
                    Some(near) => diagnostic.help(format!("Did you mean \"{near}\"?")),
                    None => diagnostic,
                }
            }
            (Data::Text(text), Form::Bool) if !self.is_sensitive => {
                match text.to_lowercase().as_str() {
                    "yes" | "on" | "enabled" => diagnostic.help("Write `true`."),
                    "no" | "off" | "disabled" => diagnostic.help("Write `false`."),
                    _ => diagnostic,
                }
            }
            (Data::Text(_), Form::Reference(_) | Form::Backend) => {
                diagnostic.help("Write the reference without quotes.")
            }
            (Data::Resource(address), _) if !crate::config::parse::is_reference(form) => diagnostic
                .help(format!(
                    "Name one of its attributes, such as `{address}.{}`.",
                    attribute_for(form)
                )),
            _ => diagnostic,
        }
    }
}

fn attribute_for(form: &Form) -> &'static str {
    match form {
        Form::PublicKey => "public_key",
        Form::Port => "listen_port",
        Form::Addresses | Form::Prefixes => "addresses",
        _ => "name",
    }
}

/// Returns the field that an attribute has when it is not written, unless that is left to the device.
pub(crate) fn default_of(attribute: &Attribute) -> Option<Field> {
    Some(match attribute.default {
        Default::Unset | Default::Device => return None,
        Default::Text(text) if attribute.form == Form::Routes => {
            let mode = RouteMode::from_word(text).unwrap_or_default();
            Field::Routes(Box::new(Routes { mode, ..Routes::default() }))
        }
        Default::Text(text) => Field::Text(text.to_owned()),
        Default::Bool(yes) => Field::Bool(yes),
        Default::Number(number) => Field::Number(number),
        Default::Empty => match attribute.form {
            Form::Prefixes => Field::Prefixes(BTreeSet::new()),
            // None is the same as nothing, so that a state from before has no less than one from now.
            Form::Commands | Form::Names => return None,
            _ => Field::Addresses(BTreeSet::new()),
        },
        Default::Off => Field::Keepalive(Keepalive::OFF),
    })
}

/// Returns a field as the value that a reference to it has. A secret has none: it is unknown.
pub(crate) fn value_of(field: &Field) -> Value {
    let texts = |texts: Vec<String>| Value::list(texts.into_iter().map(Value::text).collect());
    match field {
        Field::Text(text) => Value::text(text.as_str()),
        Field::Bool(yes) => (*yes).into(),
        Field::Number(number) => Value::integer(*number),
        Field::PublicKey(key) => Value::text(key.to_string()),
        Field::PrivateKey(_) | Field::PresharedKey(_) => Value::UNKNOWN.marked(true),
        Field::Addresses(set) => texts(set.iter().map(ToString::to_string).collect()),
        Field::Prefixes(set) => texts(set.iter().map(ToString::to_string).collect()),
        Field::Endpoint(endpoint) => Value::text(endpoint.to_string()),
        Field::Keepalive(keepalive) => Value::text(keepalive.to_string()),
        Field::Time(time) => Value::text(time.to_string()),
        Field::Routes(routes) => Value::from_json(routes.to_json()),
        Field::Servers(list) => texts(list.iter().map(ToString::to_string).collect()),
        Field::Domains(list) => texts(list.clone()),
        Field::Names(set) => texts(set.iter().cloned().collect()),
        Field::Commands(list) => {
            Value::list(list.iter().map(|command| texts(command.clone())).collect())
        }
    }
}

pub(crate) fn secret_in_command(at: &Span) -> Diagnostic {
    Diagnostic::error("secret in a command").label(at, "a part of this is sensitive").help(
        "Let the command read it from a file that only root can read: arguments are seen by every user of the host.",
    )
}

fn server(text: &str) -> Result<IpAddr, InvalidValue> {
    text.parse().map_err(|_| {
        let is_network = text.contains('/');
        let error = InvalidValue::new("this is not the address of a name server");
        match is_network {
            true => error.hint("write it without a prefix length"),
            false => error.hint("write an IP address such as `10.8.0.53` or `fd00:8::53`"),
        }
    })
}

/// Reads the name of an interface list.
fn name(text: &str) -> Result<String, InvalidValue> {
    let is_name = !text.is_empty() && !text.contains(char::is_control) && !text.starts_with('*');
    let error = || InvalidValue::new("this is not a name").hint("write it as the device shows it");
    is_name.then(|| text.to_owned()).ok_or_else(error)
}

/// Reads a domain as a resolver keeps it: in lower case, without the final dot.
fn domain(text: &str) -> Result<String, InvalidValue> {
    let name = text.strip_prefix('~').unwrap_or(text);
    if text == "~." {
        return Ok(text.to_owned());
    }
    let is_label = |label: &str| {
        let is_good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(is_good) && !label.starts_with('-')
    };
    let plain = name.strip_suffix('.').unwrap_or(name);
    if plain.len() <= 253 && plain.split('.').all(is_label) {
        return Ok(text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase());
    }
    let error = InvalidValue::new("this is not a domain name");
    Err(error.hint("write it as `corp.example.com`, in its ASCII form, or `~.` for every name"))
}

/// Reads a command; none if it is no list of texts. What is not written where it is used may be the secret itself that
/// the command has to print, and is not repeated.
pub(crate) fn command(
    value: &Value,
    is_written: bool,
) -> Option<Result<Vec<String>, InvalidValue>> {
    if let Some(line) = value.to_text() {
        let list =
            if is_written { as_list(&line) } else { "[\"program\", \"argument\"]".to_owned() };
        let hint = format!("write it as `{list}`");
        return Some(Err(InvalidValue::new("a command is a list of its parts").hint(hint)));
    }
    let parts: Option<Vec<String>> =
        value.items()?.iter().map(|part| part.to_text().map(|it| it.to_string())).collect();
    let parts = parts?;
    let program = parts.first().map_or("", String::as_str);
    let is_found = program.starts_with('/') || !program.contains('/');
    if program.is_empty() || !is_found {
        let error =
            InvalidValue::new("a command begins with the name or the absolute path of a program");
        return Some(Err(error.hint("write it as `[\"/usr/local/bin/up\", \"%i\"]`")));
    }
    if parts.iter().any(|part| part.contains('\0')) {
        let error = InvalidValue::new("there is a zero byte in this command");
        return Some(Err(error.hint("remove it: no program can be given one")));
    }
    Some(Ok(parts))
}

/// Writes a line for a shell as the list that does the same.
fn as_list(line: &str) -> String {
    let needs_shell = line.contains(|c: char| "|&;<>()$`\\\"'*?[]#~{}!\n".contains(c));
    let parts: Vec<&str> = match needs_shell {
        true => vec!["sh", "-c", line],
        false => line.split_whitespace().collect(),
    };
    let quoted = parts.into_iter().map(|part| serde_json::Value::from(part).to_string());
    let list = quoted.collect::<Vec<_>>().join(", ");
    format!("[{}]", list.replace("${", "$${").replace("%{", "%%{"))
}

/// Checks the name of a Linux interface.
///
/// # Errors
/// Why the kernel would not take it, to follow the name in a sentence.
pub(crate) fn linux_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("is empty".to_owned());
    }
    if name.len() > 15 {
        return Err(format!("has {} bytes, and at most 15 are allowed", name.len()));
    }
    if matches!(name, "." | "..") {
        return Err("is a directory".to_owned());
    }
    // The kernel takes a `%` as a pattern, and the rest it refuses.
    match name.chars().find(|c| c.is_whitespace() || c.is_control() || "/:%".contains(*c)) {
        Some(c) if c.is_whitespace() || c.is_control() => Err("has white space in it".to_owned()),
        Some(c) => Err(format!("has a `{c}` in it")),
        None => Ok(()),
    }
}
