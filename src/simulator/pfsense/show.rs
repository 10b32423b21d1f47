//! How objects are shown: without what is secret, unless a setting shows it, and with links when those are wanted.

use crate::simulator::pfsense::config::{Item, Store, text_of};
use crate::simulator::pfsense::endpoint::{Endpoint, Target};
use crate::simulator::pfsense::firewall::Firewall;
use crate::simulator::pfsense::model::{Field, Kind, Model, Secrecy};
use crate::simulator::pfsense::select::Page;
use crate::simulator::pfsense::shown::order;
use crate::simulator::pfsense::value::Value;

impl Firewall {
    pub(super) fn has_links(&self) -> bool {
        self.api("hateoas").is_true()
    }

    /// Shows an object of a kind.
    pub(super) fn show(&self, store: Store, item: &Item) -> Value {
        let mut shown = Value::Map(Vec::new());
        if !item.parent.is_null() {
            shown.set("parent_id", item.parent.clone());
        }
        if !item.id.is_null() {
            shown.set("id", item.id.clone());
        }
        for field in store.model().fields(self.profile) {
            if self.is_hidden(store.model(), field) {
                continue;
            }
            let mut value = item.object.get(field.name).cloned().unwrap_or_default();
            if let (Kind::Nested(model), Value::List(rows)) = (field.kind, &mut value)
                && self.has_links()
            {
                rows.iter_mut().for_each(|row| self.link_row(model, row));
            }
            shown.set(field.name, value);
        }
        if self.has_links() {
            shown.set("_links", self.links(store, item));
        }
        shown
    }

    fn is_hidden(&self, model: &Model, field: &Field) -> bool {
        let Secrecy::Sensitive(since) = field.secrecy else { return false };
        if self.profile.version < since {
            return true;
        }
        !self.is_exposed(&format!("{}:{}", model.name, field.name))
    }

    /// Returns whether a setting shows a field that is sensitive, by its model and its name.
    pub(super) fn is_exposed(&self, field: &str) -> bool {
        let shown = self.api("override_sensitive_fields");
        self.api("expose_sensitive_fields").is_true()
            || shown.elements().is_some_and(|it| it.iter().any(|it| it.text() == Some(field)))
    }

    fn link_row(&self, model: &Model, row: &mut Value) {
        let store = if model.name == "WireGuardPeerAllowedIP" {
            Store::AllowedIps
        } else {
            Store::Addresses
        };
        let value = |name: &str| row.get(name).cloned().unwrap_or_default();
        let item =
            Item { id: value("id"), parent: value("parent_id"), object: std::sync::Arc::default() };
        row.set("_links", self.links(store, &item));
    }

    fn links(&self, store: Store, item: &Item) -> Value {
        let mut links = Value::Map(Vec::new());
        let known = [("self", "GET"), ("update", "PATCH"), ("delete", "DELETE")];
        let is_there = |method: &str| store.is_many() || method != "DELETE";
        for (name, method) in known.into_iter().filter(|(_, method)| is_there(method)) {
            links.set(name, link(store, &item.id, &item.parent, method));
        }
        if store == Store::Peers {
            let name = text_of(&item.object, "tun");
            let mut tunnels = self.config.tunnels.iter();
            if let Some(index) = tunnels.position(|tunnel| text_of(tunnel, "name") == name) {
                let tunnel = link(Store::Tunnels, &index.into(), &Value::Null, "GET");
                links.set("pfsense:field:tun", tunnel);
            }
        }
        links
    }

    /// Returns the links of an answer itself.
    pub(super) fn answer_links(
        &self,
        endpoint: &Endpoint,
        method: &str,
        page: &Page,
    ) -> Option<Value> {
        if !self.has_links() {
            return None;
        }
        if !endpoint.is_many() || !matches!(method, "GET" | "DELETE") {
            return Some(Value::List(Vec::new()));
        }
        let Page { limit, offset, .. } = page;
        let link = |offset: usize| {
            let href = format!("{}?offset={offset}&limit={limit}", endpoint.url());
            Value::map([("href", href.into()), ("method", "GET".into())])
        };
        let previous = link(offset.saturating_sub(*limit));
        Some(Value::map([("prev", previous), ("next", link(offset + limit))]))
    }
}

fn link(store: Store, id: &Value, parent: &Value, method: &str) -> Value {
    let model = store.model();
    let mut href = Endpoint::of(Target::One(store)).map(Endpoint::url).unwrap_or_default();
    let title = match store.is_many() {
        true => format!("{}: {}", model.title, id.to_text()),
        false => model.title.to_owned(),
    };
    if store.is_many() && method != "PATCH" {
        href += &match parent.is_null() {
            true => format!("?id={}", id.to_text()),
            false => format!("?parent_id={}&id={}", parent.to_text(), id.to_text()),
        };
    }
    Value::map([
        ("href", href.into()),
        ("method", method.into()),
        ("id", id.clone()),
        ("parent_id", parent.clone()),
        ("title", title.into()),
    ])
}

/// Shows an object of a list that can only be read.
pub(super) fn show_status(target: Target, item: &Item) -> Value {
    let mut shown = Value::map([("id", item.id.clone())]);
    // What is hidden is not there at all.
    for (name, value) in order(target).iter().filter_map(|it| item.object.get_key_value(*it)) {
        shown.set(name, value.clone());
    }
    shown
}
