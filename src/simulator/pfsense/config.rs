//! What the firewall has stored: one configuration, which every request reads as a whole and writes back as a whole.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::simulator::pfsense::model::{
    ALLOWED_IP, API, INTERFACE, Kind, Model, PEER, SETTINGS, TUNNEL, TUNNEL_ADDRESS, When,
};
use crate::simulator::pfsense::profile::Profile;
use crate::simulator::pfsense::value::Value;

/// The values of an object by field. What is not there is null.
pub(super) type Object = BTreeMap<String, Value>;

/// Where objects of one kind are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Tunnels,
    Peers,
    Interfaces,
    Addresses,
    AllowedIps,
    Settings,
    Api,
}

impl Store {
    pub(super) fn model(self) -> &'static Model {
        match self {
            Self::Tunnels => &TUNNEL,
            Self::Peers => &PEER,
            Self::Interfaces => &INTERFACE,
            Self::Addresses => &TUNNEL_ADDRESS,
            Self::AllowedIps => &ALLOWED_IP,
            Self::Settings => &SETTINGS,
            Self::Api => &API,
        }
    }

    /// Returns where the objects are that hold these, and in which field.
    pub(super) fn parent(self) -> Option<(Self, &'static str)> {
        match self {
            Self::Addresses => Some((Self::Tunnels, "addresses")),
            Self::AllowedIps => Some((Self::Peers, "allowedips")),
            _ => None,
        }
    }

    pub(super) fn is_many(self) -> bool {
        !matches!(self, Self::Settings | Self::Api)
    }

    /// Returns whether a write of it is pending until WireGuard is applied.
    pub(super) fn is_of_wireguard(self) -> bool {
        matches!(self, Self::Tunnels | Self::Peers | Self::Settings)
    }
}

/// An object with its id, which is that of the instant.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) id: Value,
    pub(super) parent: Value,
    pub(super) object: Arc<Object>,
}

/// The configuration. A copy is cheap.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Config {
    pub(super) tunnels: Vec<Arc<Object>>,
    pub(super) peers: Vec<Arc<Object>>,
    /// Each with its `id`.
    pub(super) interfaces: Vec<Arc<Object>>,
    pub(super) settings: Arc<Object>,
    pub(super) api: Arc<Object>,
    /// How many rules of the packet filter each interface has, by its id.
    pub(super) rules: BTreeMap<String, u32>,
}

impl Config {
    /// Returns the list of a kind of objects; none for what is not a list of its own.
    pub(super) fn list(&self, store: Store) -> Option<&Vec<Arc<Object>>> {
        match store {
            Store::Tunnels => Some(&self.tunnels),
            Store::Peers => Some(&self.peers),
            Store::Interfaces => Some(&self.interfaces),
            _ => None,
        }
    }

    pub(super) fn list_mut(&mut self, store: Store) -> Option<&mut Vec<Arc<Object>>> {
        match store {
            Store::Tunnels => Some(&mut self.tunnels),
            Store::Peers => Some(&mut self.peers),
            Store::Interfaces => Some(&mut self.interfaces),
            _ => None,
        }
    }

    /// Returns all objects of a kind as they are read, with the ids that they have now.
    pub(super) fn items(&self, store: Store, profile: &Profile) -> Vec<Item> {
        if let Some((parent, field)) = store.parent() {
            let parents = self.items(parent, profile);
            let rows = parents.iter().flat_map(|item| {
                let rows = item.object.get(field).and_then(Value::elements).unwrap_or_default();
                rows.into_iter().map(nested_item).collect::<Vec<_>>()
            });
            return rows.collect();
        }
        let list = self.list(store).map(Vec::as_slice).unwrap_or_default();
        let item = |(index, object): (usize, &Arc<Object>)| {
            let id = id_of(store, index, object);
            let object = Arc::new(represent(store, profile, &id, object));
            Item { id, parent: Value::Null, object }
        };
        list.iter().enumerate().map(item).collect()
    }

    /// Returns where an object is by the id that a client sent, which may be a text.
    pub(super) fn place(&self, store: Store, id: &Value) -> Option<usize> {
        let list = self.list(store)?;
        let text = id.to_text();
        if store == Store::Interfaces {
            return list.iter().position(|object| text_of(object, "id") == text);
        }
        let index: usize = text.parse().ok()?;
        (index < list.len() && index.to_string() == text).then_some(index)
    }

    /// Returns an object as it is read.
    pub(super) fn read(&self, store: Store, id: &Value, profile: &Profile) -> Option<Object> {
        match store {
            Store::Settings => Some(represent(store, profile, id, &self.settings)),
            Store::Api => Some(represent(store, profile, id, &self.api)),
            _ => {
                let object = &self.list(store)?[self.place(store, id)?];
                Some(represent(store, profile, id, object))
            }
        }
    }

    pub(super) fn tunnel(&self, name: &str) -> Option<&Arc<Object>> {
        self.tunnels.iter().find(|tunnel| text_of(tunnel, "name") == name)
    }

    /// Returns the interface that a device is assigned to.
    pub(super) fn interface_of(&self, device: &str) -> Option<&Arc<Object>> {
        self.interfaces.iter().find(|interface| text_of(interface, "if") == device)
    }

    /// Returns whether an interface is made of a tunnel.
    pub(super) fn has_assigned_tunnel(&self) -> bool {
        self.interfaces.iter().any(|interface| text_of(interface, "if").starts_with("tun_wg"))
    }

    pub(super) fn interface(&self, id: &str) -> Option<&Arc<Object>> {
        self.interfaces.iter().find(|interface| text_of(interface, "id") == id)
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.settings.get("enable").is_some_and(Value::is_true)
    }

    /// Returns whether an enabled interface other than this one has a network that overlaps.
    pub(super) fn is_in_use(&self, address: &str, mask: i64, except: &str) -> bool {
        let Some(network) = network(address, mask) else { return false };
        let others = self.interfaces.iter().filter(|it| {
            text_of(it, "id") != except && it.get("enable").is_some_and(Value::is_true)
        });
        others
            .flat_map(|it| addresses_of(it))
            .any(|it| it.contains(&network) || network.contains(&it))
    }

    /// Returns the lowest name that no tunnel has.
    pub(super) fn next_tunnel(&self) -> String {
        let is_free = |name: &String| self.tunnel(name).is_none();
        (0..).map(|number| format!("tun_wg{number}")).find(is_free).unwrap_or_default()
    }

    /// Returns the id that the next interface gets.
    pub(super) fn next_interface(&self) -> String {
        let is_free = |id: &String| self.interface(id).is_none();
        let ids = std::iter::once("lan".to_owned()).chain((1..).map(|it| format!("opt{it}")));
        ids.into_iter().find(is_free).unwrap_or_default()
    }
}

/// Returns the text of a field; empty when it has none.
pub(super) fn text_of<'a>(object: &'a Object, field: &str) -> &'a str {
    object.get(field).and_then(Value::text).unwrap_or_default()
}

/// Returns the static addresses that an interface has.
pub(super) fn addresses_of(interface: &Object) -> Vec<IpNet> {
    let net = |address, mask| {
        network(text_of(interface, address), interface.get(mask).and_then(Value::int)?)
    };
    [net("ipaddr", "subnet"), net("ipaddrv6", "subnetv6")].into_iter().flatten().collect()
}

/// Reads an address with a mask that may be too long for it.
pub(super) fn network(address: &str, mask: i64) -> Option<IpNet> {
    let address: IpAddr = address.parse().ok()?;
    IpNet::new(address, u8::try_from(mask).ok()?).ok()
}

pub(super) fn id_of(store: Store, index: usize, object: &Object) -> Value {
    match store {
        Store::Interfaces => object.get("id").cloned().unwrap_or_default(),
        _ => index.into(),
    }
}

fn nested_item(row: &Value) -> Item {
    let Value::Map(entries) = row else {
        return Item { id: Value::Null, parent: Value::Null, object: Arc::default() };
    };
    let mut object: Object = entries.iter().cloned().collect();
    let parent = object.remove("parent_id").unwrap_or_default();
    let id = object.remove("id").unwrap_or_default();
    Item { id, parent, object: Arc::new(object) }
}

/// Returns an object as the package reads it from the configuration.
fn represent(store: Store, profile: &Profile, id: &Value, stored: &Object) -> Object {
    let mut read = Object::new();
    for field in store.model().fields(profile) {
        let mut value = stored.get(field.name).cloned().unwrap_or_default();
        match field.kind {
            Kind::Nested(model) => value = read_rows(model, &value, id),
            Kind::Bool if value.is_null() && is_met(&field.when, &read) => value = false.into(),
            _ if value.is_null() && is_met(&field.when, &read) => {
                value = field.standard().filter(Value::is_truthy).unwrap_or_default();
            }
            _ => {}
        }
        read.insert(field.name.to_owned(), value);
        if store == Store::Interfaces {
            guess_types(field.name, stored, &mut read);
        }
    }
    if store == Store::Interfaces && text_of(&read, "descr").is_empty() {
        read.insert("descr".to_owned(), id.to_text().to_uppercase().into());
    }
    read
}

/// A list without entries reads as null, and each entry with the ids of the instant.
fn read_rows(model: &Model, value: &Value, parent: &Value) -> Value {
    let rows = value.elements().unwrap_or_default();
    if rows.is_empty() {
        return Value::Null;
    }
    let read = |(index, row): (usize, &Value)| {
        let mut entries =
            vec![("parent_id".to_owned(), parent.clone()), ("id".to_owned(), index.into())];
        for field in model.fields {
            entries.push((field.name.to_owned(), row.get(field.name).cloned().unwrap_or_default()));
        }
        Value::Map(entries)
    };
    Value::List(rows.into_iter().enumerate().map(read).collect())
}

/// How an interface gets its addresses is not stored: it is seen from the addresses.
fn guess_types(field: &str, stored: &Object, read: &mut Object) {
    let guess = |address: &str, is_static: &str| {
        let text = text_of(stored, address);
        let kind = match text.parse::<IpAddr>() {
            Ok(_) => is_static,
            Err(_) if text.is_empty() => "none",
            Err(_) => text,
        };
        Value::from(kind)
    };
    match field {
        "typev4" => drop(read.insert(field.to_owned(), guess("ipaddr", "static"))),
        "typev6" => drop(read.insert(field.to_owned(), guess("ipaddrv6", "staticv6"))),
        _ => {}
    }
}

/// Returns whether the condition of a field is met by the values of the others.
pub(super) fn is_met(when: &When, object: &Object) -> bool {
    let value = |field: &str| object.get(field).unwrap_or(&Value::Null);
    match when {
        When::Always => true,
        When::Never => false,
        When::IsSet(field) => !value(field).is_null(),
        When::IsFalse(field) => *value(field) == Value::Bool(false),
        When::OneOf(field, texts) => value(field).text().is_some_and(|text| texts.contains(&text)),
    }
}
