//! Whether what a client sent may be stored. The first thing that is wrong is said, in the order in which the package
//! looks: field by field, then what single fields have of their own, then the object as a whole.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::simulator::pfsense::config::{Config, Item, Object, is_met};
use crate::simulator::pfsense::model::{Address, Field, Kind, Model, Standard};
use crate::simulator::pfsense::profile::Profile;
use crate::simulator::pfsense::request::Refused;
use crate::simulator::pfsense::rules;
use crate::simulator::pfsense::value::Value;

/// An object that a client wants.
#[derive(Clone, Default)]
pub(super) struct Draft {
    pub(super) id: Value,
    pub(super) parent: Value,
    pub(super) object: Object,
    /// As it was; none for one that is new.
    pub(super) before: Option<Object>,
}

impl Draft {
    /// Returns the value of a field; null when it has none.
    pub(super) fn value(&self, field: &str) -> &Value {
        self.object.get(field).unwrap_or(&Value::Null)
    }
}

/// What an object is looked at against.
pub(super) struct Surroundings<'a> {
    pub(super) config: &'a Config,
    pub(super) profile: &'static Profile,
    /// The other objects, and perhaps itself.
    pub(super) others: &'a [Item],
    /// The interfaces that the kernel has.
    pub(super) devices: &'a [String],
    /// Whether what is stored in a field of objects is looked at although it stays.
    pub(super) looks_at_stored: bool,
}

/// Looks at an object, and fills in what was not said.
pub(super) fn validate(
    model: &'static Model,
    draft: &mut Draft,
    around: &Surroundings<'_>,
) -> Result<(), Refused> {
    for field in model.fields(around.profile) {
        check(field, draft, around)?;
    }
    for field in model.fields(around.profile) {
        rules::check_field(model, field, draft, around)?;
    }
    check_together(model, draft, around.others)?;
    rules::check_object(model, draft, around)
}

fn check(
    field: &'static Field,
    draft: &mut Draft,
    around: &Surroundings<'_>,
) -> Result<(), Refused> {
    if let Kind::Nested(model) = field.kind {
        return check_rows(field, model, draft, around);
    }
    if !is_met(&field.when, &draft.object) {
        draft.object.insert(field.name.to_owned(), Value::Null);
        return Ok(());
    }
    check_before_values(field, draft)?;
    fill(field, draft, around);
    let value = draft.value(field.name).clone();
    let values = values_of(field, &value)?;
    check_empty(field, &value)?;
    if field.may_be_null && value.is_null() {
        return Ok(());
    }
    for value in values {
        check_type(field, value)?;
        check_choice(field, value, around)?;
        check_unique(field, value, draft, around.others)?;
        if matches!(field.kind, Kind::ReadOnly) || check_empty(field, value)? {
            return Ok(());
        }
        check_value(field, value, around)?;
    }
    Ok(())
}

fn check_before_values(field: &Field, draft: &Draft) -> Result<(), Refused> {
    let value = draft.value(field.name);
    if field.is_required && value.is_null() {
        let why = format!("Field `{}` is required.", field.name);
        return Err(Refused::bad("FIELD_IS_REQUIRED", why));
    }
    let before = draft.before.as_ref().filter(|_| field.is_fixed);
    let before = before.map(|before| before.get(field.name).unwrap_or(&Value::Null));
    if let Some(before) = before.filter(|before| *before != value) {
        let why = format!(
            "Field `{}` is not editable but the requested value `{}` differs from its current value `{}`.",
            field.name,
            value.to_text(),
            before.to_text()
        );
        return Err(Refused::bad("FIELD_VALUE_CHANGED_WHEN_NOT_EDITABLE", why));
    }
    Ok(())
}

fn fill(field: &Field, draft: &mut Draft, around: &Surroundings<'_>) {
    if draft.value(field.name).is_null() {
        let standard = match field.standard {
            Standard::NextTunnel => Some(around.config.next_tunnel().into()),
            _ => field.standard(),
        };
        draft.object.insert(field.name.to_owned(), standard.unwrap_or_default());
    }
}

/// Returns the single values of a field.
fn values_of<'a>(field: &Field, value: &'a Value) -> Result<Vec<&'a Value>, Refused> {
    match (field.is_many(), value.elements()) {
        (false, _) => Ok(vec![value]),
        (true, Some(values)) => Ok(values),
        (true, None) if value.is_null() => Ok(Vec::new()),
        (true, None) => {
            let why = format!("Field `{}` must be of type `array`.", field.name);
            Err(Refused::bad("FIELD_INVALID_MANY_VALUE", why))
        }
    }
}

/// Returns whether it is empty and may be.
fn check_empty(field: &Field, value: &Value) -> Result<bool, Refused> {
    let is_empty = match value {
        Value::Text(text) => text.is_empty(),
        Value::List(list) => list.is_empty(),
        _ => false,
    };
    if is_empty && !field.may_be_empty && !matches!(field.kind, Kind::ReadOnly) {
        let why = format!("Field `{}` cannot be empty.", field.name);
        return Err(Refused::bad("FIELD_EMPTY_NOT_ALLOWED", why));
    }
    Ok(is_empty)
}

fn check_type(field: &Field, value: &Value) -> Result<(), Refused> {
    let is_free = matches!(field.kind, Kind::ReadOnly);
    if is_free || value.type_name() == field.type_name() {
        return Ok(());
    }
    Err(Refused::type_of(field.name, field.type_name()))
}

fn check_choice(field: &Field, value: &Value, around: &Surroundings<'_>) -> Result<(), Refused> {
    let choices: Vec<&str> = match field.kind {
        Kind::Choice(choices) | Kind::Choices(choices) => choices.to_vec(),
        Kind::Device => around.devices.iter().map(String::as_str).collect(),
        _ => return Ok(()),
    };
    let is_one = choices.iter().any(|choice| value.text() == Some(choice));
    if is_one || choices.is_empty() {
        return Ok(());
    }
    let why = format!("Field `{}` must be one of [{}]", field.name, choices.join(", "));
    Err(Refused::bad("FIELD_INVALID_CHOICE", why))
}

fn check_unique(
    field: &Field,
    value: &Value,
    draft: &Draft,
    others: &[Item],
) -> Result<(), Refused> {
    if !field.is_unique {
        return Ok(());
    }
    let is_same = |item: &&Item| {
        let theirs = item.object.get(field.name).unwrap_or(&Value::Null);
        !item.id.equals(&draft.id) && !theirs.is_null() && theirs.equals(value)
    };
    match others.iter().find(is_same) {
        None => Ok(()),
        Some(other) => {
            let why = format!(
                "Field `{}` must be unique. Value is in use by object with ID `{}`.",
                field.name,
                other.id.to_text()
            );
            Err(Refused::bad("FIELD_MUST_BE_UNIQUE", why))
        }
    }
}

fn check_value(field: &Field, value: &Value, around: &Surroundings<'_>) -> Result<(), Refused> {
    let text = value.text().unwrap_or_default();
    let name = field.name;
    match field.kind {
        Kind::Text { longest } => check_length(name, text, longest),
        Kind::Texts | Kind::Choice(_) | Kind::Choices(_) => check_length(name, text, 1024),
        Kind::Device => check_length(name, text, 128),
        Kind::Address(address) => check_address(name, text, address),
        Kind::Name => check_length(name, text, 128).and_then(|()| rules::check_name(name, text)),
        Kind::Mac if !is_mac(text) => {
            let why = format!("Field `{name}` must be a valid MAC address, received `{text}`.");
            Err(Refused::bad("MAC_ADDRESS_VALIDATOR_FAILED", why))
        }
        Kind::Port if port_number(text).is_none() => {
            let why = format!(
                "Field `{name}` contains invalid port value `{text}`. Valid options are: a TCP/UDP port number"
            );
            Err(Refused::bad("PORT_FIELD_INVALID", why))
        }
        Kind::Int { from, to } => check_range(name, value.int().unwrap_or_default(), from, to),
        Kind::Tunnel if text != "unassigned" && around.config.tunnel(text).is_none() => {
            Err(no_related(name, "WireGuard Tunnel", text))
        }
        Kind::Gateway => Err(no_related(name, "Gateway or Gateway Group", text)),
        _ => Ok(()),
    }
}

fn no_related(field: &str, kind: &str, text: &str) -> Refused {
    let why =
        format!("Field `{field}` could not locate `{kind}` object with `name` set to `{text}`");
    Refused::new(404, "FOREIGN_MODEL_FIELD_VALUE_NOT_FOUND", why)
}

fn check_length(field: &str, text: &str, longest: usize) -> Result<(), Refused> {
    if text.len() <= longest {
        return Ok(());
    }
    let why = format!("Field `{field}` exceeds the maximum character length of {longest}.");
    Err(Refused::bad("LENGTH_VALIDATOR_MAXIMUM_CONSTRAINT", why))
}

fn check_range(field: &str, number: i64, from: i64, to: i64) -> Result<(), Refused> {
    if number < from {
        let why = format!(
            "Field `{field}` must be greater than or equal to `{from}`. Received `{number}`"
        );
        return Err(Refused::bad("NUMERIC_RANGE_VALIDATOR_MINIMUM_CONSTRAINT", why));
    }
    if number > to {
        let why =
            format!("Field `{field}` must be less than or equal to `{to}`. Received `{number}`");
        return Err(Refused::bad("NUMERIC_RANGE_VALIDATOR_MAXIMUM_CONSTRAINT", why));
    }
    Ok(())
}

fn check_address(field: &str, text: &str, allowed: Address) -> Result<(), Refused> {
    let Address { v4, v6, link_local, fqdn, words } = allowed;
    if v4 && text.parse::<Ipv4Addr>().is_ok() {
        return Ok(());
    }
    let plain = text.split_once('%').map_or(text, |(address, _)| address);
    let address = plain.parse::<Ipv6Addr>().ok();
    let is_link_local = address.is_some_and(|address| address.is_unicast_link_local());
    if v6 && !link_local && is_link_local {
        let why =
            format!("Field `{field}` cannot be an IPv6 link-local address, received `{text}`.");
        return Err(Refused::bad("IP_ADDRESS_VALIDATOR_IPV6_LINK_LOCAL_NOT_ALLOWED", why));
    }
    let has_good_scope = plain == text || is_link_local;
    let is_v6 = v6 && address.is_some() && has_good_scope;
    if is_v6 || (fqdn && is_fqdn(text)) || words.contains(&text) {
        return Ok(());
    }
    // Only the first of the kinds that would do is ever named.
    let kind = if v4 { "IPv4" } else { "IPv6" };
    let why = format!("Field `{field}` must be a valid {kind} address, received `{text}`.");
    Err(Refused::bad("IP_ADDRESS_VALIDATOR_FAILED", why))
}

/// A name with a dot, which an address is not.
fn is_fqdn(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        !label.is_empty()
            && label.bytes().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let labels: Vec<&str> = text.strip_suffix('.').unwrap_or(text).split('.').collect();
    labels.len() > 1
        && labels.iter().all(|label| is_label(label))
        && text.parse::<IpAddr>().is_err()
}

fn is_mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let is_byte =
        |part: &&str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    parts.len() == 6 && parts.iter().all(is_byte)
}

/// The services that a firewall knows by name, some of them.
const SERVICES: [(&str, u16); 12] = [
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("http", 80),
    ("pop3", 110),
    ("ntp", 123),
    ("imap", 143),
    ("snmp", 161),
    ("https", 443),
    ("openvpn", 1194),
];

/// Reads a port, which may be the name of a service.
pub(super) fn port_number(text: &str) -> Option<u16> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().filter(|port| *port > 0);
    }
    SERVICES.iter().find(|(name, _)| *name == text).map(|(_, port)| *port)
}

/// Looks at the objects within a field, each as one that is new.
fn check_rows(
    field: &'static Field,
    model: &'static Model,
    draft: &mut Draft,
    around: &Surroundings<'_>,
) -> Result<(), Refused> {
    let before = draft.before.as_ref().and_then(|before| before.get(field.name));
    let value = draft.value(field.name).clone();
    let stays = value.is_truthy() && before == Some(&value);
    if stays && !around.looks_at_stored {
        // The entries keep the ids with which they were read.
        return Ok(());
    }
    fill(field, draft, around);
    let value = draft.value(field.name).clone();
    let mut rows: Vec<Item> = Vec::new();
    for value in values_of(field, &value)? {
        check_type(field, value)?;
        let mut row = Draft { id: rows.len().into(), ..Draft::default() };
        for field in model.fields(around.profile) {
            let value = value.get(field.name).cloned().unwrap_or_default();
            row.object.insert(field.name.to_owned(), value);
        }
        let around = Surroundings { others: &rows, looks_at_stored: false, ..*around };
        validate(model, &mut row, &around).map_err(|refused| refused.within(field.name))?;
        rows.push(Item {
            id: row.id,
            parent: draft.id.clone(),
            object: std::sync::Arc::new(row.object),
        });
    }
    let shown = rows.iter().map(|row| show_row(model, row)).collect();
    draft.object.insert(field.name.to_owned(), Value::List(shown));
    Ok(())
}

fn show_row(model: &Model, row: &Item) -> Value {
    let mut shown = Value::map([("parent_id", row.parent.clone()), ("id", row.id.clone())]);
    for field in model.fields {
        shown.set(field.name, row.object.get(field.name).cloned().unwrap_or_default());
    }
    shown
}

fn check_together(model: &Model, draft: &Draft, others: &[Item]) -> Result<(), Refused> {
    if model.together.is_empty() {
        return Ok(());
    }
    let is_same = |item: &&Item| {
        let alike = |field: &&'static str| {
            let theirs = item.object.get(*field).unwrap_or(&Value::Null);
            theirs.equals(draft.value(field))
        };
        !item.id.equals(&draft.id) && model.together.iter().all(alike)
    };
    match others.iter().find(is_same) {
        None => Ok(()),
        Some(other) => {
            let why = format!(
                "Fields [{}] together must be unique from all other objects of its kind. Values in use by object \
                 with ID `{}`.",
                model.together.join(", "),
                other.id.to_text()
            );
            Err(Refused::bad("MODEL_FIELDS_NOT_UNIQUE_TOGETHER", why))
        }
    }
}
