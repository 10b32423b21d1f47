//! One request to objects that are stored: it works on the configuration as it was when the request began, and puts back
//! all of it. Two requests at once therefore lose what the first one wrote.

use std::sync::Arc;

use crate::simulator::pfsense::config::{Config, Item, Object, Store, id_of, text_of};
use crate::simulator::pfsense::firewall::{Firewall, JobKind};
use crate::simulator::pfsense::model::Kind;
use crate::simulator::pfsense::request::Refused;
use crate::simulator::pfsense::select::{Page, select, sort};
use crate::simulator::pfsense::validate::{Draft, Surroundings, validate};
use crate::simulator::pfsense::value::Value;

/// What a request wants beside the fields of objects.
pub(super) struct Control {
    pub(super) is_async: bool,
    pub(super) appends: bool,
    pub(super) removes: bool,
    pub(super) is_rehearsal: bool,
    pub(super) page: Page,
}

/// A request that is being carried out.
pub(super) struct Turn<'a> {
    pub(super) firewall: &'a mut Firewall,
    /// As it was when the request began, and then as the request has changed it.
    pub(super) config: Config,
    pub(super) store: Store,
    pub(super) data: Value,
    pub(super) control: Control,
    /// Whether what the user writes is kept. Nobody is told when it is not.
    pub(super) may_write: bool,
    /// Whether something else is writing, and does not end.
    pub(super) is_locked: bool,
    /// Whether it has written.
    pub(super) has_written: bool,
}

impl Turn<'_> {
    /// GET of all objects.
    pub(super) fn list(&self) -> Result<Value, Refused> {
        let items = self.config.items(self.store, self.firewall.profile);
        let found = select(items, &self.data, &self.control.page)?;
        Ok(Value::List(found.iter().map(|item| self.firewall.show(self.store, item)).collect()))
    }

    /// GET of one object.
    pub(super) fn read(&self) -> Result<Value, Refused> {
        let draft = self.draft()?;
        if self.store.is_many() && draft.id.is_null() {
            return Err(Refused::no_id());
        }
        Ok(self.firewall.show(self.store, &as_it_was(draft)))
    }

    /// POST.
    pub(super) fn create(&mut self) -> Result<Value, Refused> {
        if let Value::Map(entries) = &mut self.data {
            entries.retain(|(name, _)| name != "id");
        }
        let mut draft = self.draft()?;
        let parent = self.parent(&draft)?;
        draft.id = self.next_id(parent);
        self.check_package()?;
        let others = self.others(&draft);
        self.validate(&mut draft, &others, false)?;
        if !self.control.is_rehearsal {
            self.keep(parent, &mut draft, None)?;
        }
        Ok(self.firewall.show(self.store, &item(draft)))
    }

    /// PATCH.
    pub(super) fn update(&mut self) -> Result<Value, Refused> {
        let mut draft = self.draft()?;
        self.append_and_remove(&mut draft)?;
        let is_assigned = self.is_assigned(&draft);
        if is_assigned && self.firewall.profile.scrubs_addresses() {
            draft.object.insert("addresses".to_owned(), Value::List(Vec::new()));
        }
        if self.store.is_many() && draft.id.is_null() {
            return Err(Refused::no_id());
        }
        let parent = self.parent(&draft)?;
        self.check_package()?;
        let others = self.others(&draft);
        self.validate(&mut draft, &others, is_assigned)?;
        if !self.control.is_rehearsal {
            let place = match self.store.parent() {
                Some(_) => draft.id.to_text().parse().ok(),
                None => self.config.place(self.store, &draft.id),
            };
            self.keep(parent, &mut draft, Some(place.unwrap_or_default()))?;
        }
        Ok(self.firewall.show(self.store, &item(draft)))
    }

    /// DELETE of one object.
    pub(super) fn delete(&mut self) -> Result<Value, Refused> {
        let value = |name: &str| self.data.get(name).cloned().unwrap_or_default();
        let (id, parent) = (value("id"), value("parent_id"));
        if self.store.parent().is_some() && parent.is_null() {
            let why = "A parent ID is required when refreshing objects from config on model with a `many` parent.";
            return Err(Refused::new(500, "MODEL_PARENT_ID_REQUIRED_FOR_REFRESH", why));
        }
        if id.is_null() {
            return Err(Refused::no_id_to_read());
        }
        let item = as_it_was(self.draft()?);
        self.check_package()?;
        if !self.control.is_rehearsal {
            self.delete_item(&item)?;
            // Nothing is left of an interface to apply it to.
            if self.store != Store::Interfaces {
                self.apply_if_asked()?;
            }
        }
        Ok(self.firewall.show(self.store, &item))
    }

    /// DELETE of the objects that a query names. It wants to name something, and takes what it does not know for that. It
    /// forgets that it was only to be rehearsed.
    pub(super) fn delete_many(&mut self) -> Result<Value, Refused> {
        let items = self.config.items(self.store, self.firewall.profile);
        let is_for_all = self.data.get("all").is_some_and(Value::is_true);
        if !is_for_all && !self.data.is_truthy() {
            let why = "At least one query parameter is required to perform mass deletion.";
            return Err(Refused::bad("MODEL_DELETE_MANY_REQUIRES_QUERY_PARAMS", why));
        }
        let page = Page {
            limit: self.control.page.limit,
            offset: self.control.page.offset,
            ..Page::default()
        };
        let found = match is_for_all {
            true => items,
            false => select(items, &self.data, &page)?,
        };
        for item in found.iter().rev() {
            self.delete_item(item)?;
        }
        Ok(Value::List(found.iter().map(|item| self.firewall.show(self.store, item)).collect()))
    }

    /// PUT of all objects. Looking at the first one reads the configuration anew, and what was to be replaced is back.
    pub(super) fn replace_all(&mut self) -> Result<Value, Refused> {
        let wanted = self.data.elements().unwrap_or_default();
        let wanted: Vec<Value> = wanted.into_iter().cloned().collect();
        let before = self.config.clone();
        let mut list: Vec<Arc<Object>> = Vec::new();
        let mut made: Vec<Item> = Vec::new();
        for (index, data) in wanted.into_iter().enumerate() {
            let Value::Map(_) = data else {
                return Err(Refused::php(
                    "Model::__construct(): Argument #3 ($data) must be of type array",
                ));
            };
            let id = if self.control.is_rehearsal { made.len() } else { list.len() };
            let mut draft = self.new_draft(&data);
            draft.id = id.into();
            self.check_package()?;
            if index == 0 {
                list = before.list(self.store).cloned().unwrap_or_default();
            }
            self.validate(&mut draft, &made, false)?;
            let stored = Arc::new(self.stored(&draft, None));
            match list.get_mut(id) {
                Some(old) => *old = stored,
                None => list.push(stored),
            }
            made.push(item(draft));
            if self.control.is_rehearsal && self.firewall.profile.fails_to_rehearse_put() {
                let why = "ModelSet cannot be cached without a valid signature.";
                return Err(Refused::new(500, "MODEL_CACHE_MODELSET_MISSING_SIGNATURE", why));
            }
        }
        if !self.control.is_rehearsal {
            if let Some(all) = self.config.list_mut(self.store) {
                *all = list;
            }
            self.write_config()?;
            self.firewall.runtime.is_pending = true;
        }
        Ok(Value::List(made.iter().map(|item| self.firewall.show(self.store, item)).collect()))
    }

    /// Puts together what a client wants: what there is by its id, with what it sent.
    fn draft(&self) -> Result<Draft, Refused> {
        let mut draft = Draft::default();
        let sent = |name: &str| self.data.get(name).cloned();
        let mut rows = None;
        if let (Some((parent, field)), Some(id)) = (self.store.parent(), sent("parent_id")) {
            let read = self.config.read(parent, &id, self.firewall.profile);
            let read = read.ok_or_else(|| Refused::no_parent(&id))?;
            rows = Some(read.get(field).cloned().unwrap_or_default());
            draft.parent = id;
        }
        if !self.store.is_many() {
            draft.before = self.config.read(self.store, &Value::Null, self.firewall.profile);
        } else if let Some(id) = sent("id") {
            if id.is_null() {
                return Err(Refused::no_id_to_read());
            }
            draft.before = Some(self.read_by_id(&id, rows.as_ref())?);
            draft.id = id;
        }
        draft.object = draft.before.clone().unwrap_or_default();
        for field in self.store.model().fields(self.firewall.profile) {
            if let Some(value) = sent(field.name) {
                draft.object.insert(field.name.to_owned(), value);
            }
        }
        Ok(draft)
    }

    fn read_by_id(&self, id: &Value, rows: Option<&Value>) -> Result<Object, Refused> {
        if self.store.parent().is_none() {
            let read = self.config.read(self.store, id, self.firewall.profile);
            return read.ok_or_else(|| Refused::no_object(id));
        }
        let rows = rows.ok_or_else(Refused::no_parent_to_read)?.elements().unwrap_or_default();
        let is_it =
            |row: &&&Value| row.get("id").is_some_and(|theirs| theirs.to_text() == id.to_text());
        match rows.iter().find(is_it) {
            Some(Value::Map(entries)) => Ok(entries.iter().cloned().collect()),
            _ => Err(Refused::no_object(id)),
        }
    }

    fn new_draft(&self, data: &Value) -> Draft {
        let fields = self.store.model().fields(self.firewall.profile);
        let sent = fields
            .filter_map(|field| Some((field.name.to_owned(), data.get(field.name).cloned()?)));
        Draft { object: sent.collect(), ..Draft::default() }
    }

    /// Returns where the object is that holds these.
    fn parent(&self, draft: &Draft) -> Result<usize, Refused> {
        let Some((parent, _)) = self.store.parent() else { return Ok(0) };
        if draft.parent.is_null() {
            return Err(Refused::bad("MODEL_PARENT_ID_REQUIRED", "Field `parent_id` is required."));
        }
        self.config.place(parent, &draft.parent).ok_or_else(|| Refused::no_parent(&draft.parent))
    }

    fn next_id(&self, parent: usize) -> Value {
        match (self.store, self.store.parent()) {
            (Store::Interfaces, _) => self.config.next_interface().into(),
            (_, Some(_)) => self.rows(parent).len().into(),
            _ => self.config.list(self.store).map_or(0, Vec::len).into(),
        }
    }

    fn check_package(&self) -> Result<(), Refused> {
        match self.store.model().is_wireguard && !self.firewall.runtime.has_wireguard {
            true => Err(Refused::no_package(404, "MODEL_MISSING_REQUIRED_PACKAGE")),
            false => Ok(()),
        }
    }

    /// Returns the objects of the same list as they are stored.
    fn others(&self, draft: &Draft) -> Vec<Item> {
        if self.store.parent().is_some() {
            let mut items = self.config.items(self.store, self.firewall.profile);
            items.retain(|item| item.parent.equals(&draft.parent));
            return items;
        }
        let list = self.config.list(self.store).map(Vec::as_slice).unwrap_or_default();
        let item = |(index, object): (usize, &Arc<Object>)| Item {
            id: id_of(self.store, index, object),
            parent: Value::Null,
            object: Arc::clone(object),
        };
        list.iter().enumerate().map(item).collect()
    }

    fn validate(
        &self,
        draft: &mut Draft,
        others: &[Item],
        is_assigned: bool,
    ) -> Result<(), Refused> {
        let around = Surroundings {
            config: &self.config,
            profile: self.firewall.profile,
            others,
            devices: &self.firewall.devices(),
            looks_at_stored: is_assigned && self.firewall.switches.looks_at_stored_addresses,
        };
        validate(self.store.model(), draft, &around)
    }

    fn is_assigned(&self, draft: &Draft) -> bool {
        let name = text_of(&draft.object, "name");
        self.store == Store::Tunnels && self.config.interface_of(name).is_some()
    }

    /// Joins lists, which fails on one that is empty; or takes entries away, which takes all of them.
    fn append_and_remove(&self, draft: &mut Draft) -> Result<(), Refused> {
        let Some((field, _)) = self.store.model().nested() else { return Ok(()) };
        let before = draft.before.as_ref().and_then(|it| it.get(field.name)).cloned();
        let before = before.unwrap_or_default();
        let Some(wanted) = draft.value(field.name).elements() else { return Ok(()) };
        if *draft.value(field.name) == before {
            return Ok(());
        }
        let joined = match (self.control.appends, self.control.removes, before.elements()) {
            (false, false, _) => return Ok(()),
            (true, _, None) => {
                let why = "array_merge(): Argument #1 must be of type array, null given";
                return Err(Refused::php(why));
            }
            (false, true, None) => {
                let why = "array_diff(): Argument #1 ($array) must be of type array, null given";
                return Err(Refused::php(why));
            }
            (true, true, _) => Vec::new(),
            (true, false, Some(before)) => before.into_iter().chain(wanted).cloned().collect(),
            // Objects are compared as texts, and as texts they are all alike.
            (false, true, Some(before)) if wanted.is_empty() => {
                before.into_iter().cloned().collect()
            }
            (false, true, Some(_)) => Vec::new(),
        };
        draft.object.insert(field.name.to_owned(), Value::List(joined));
        Ok(())
    }

    /// Returns the entries of an object as they are stored.
    fn rows(&self, parent: usize) -> Vec<Value> {
        let Some((store, field)) = self.store.parent() else { return Vec::new() };
        let object = self.config.list(store).and_then(|list| list.get(parent));
        let rows = object.and_then(|object| object.get(field)?.elements()).unwrap_or_default();
        rows.into_iter().cloned().collect()
    }

    fn set_rows(&mut self, parent: usize, rows: Vec<Value>) {
        let Some((store, field)) = self.store.parent() else { return };
        if let Some(object) = self.config.list_mut(store).and_then(|list| list.get_mut(parent)) {
            Arc::make_mut(object).insert(field.to_owned(), Value::List(rows));
        }
    }

    /// Stores an object, and notes or does what follows from that.
    fn keep(
        &mut self,
        parent: usize,
        draft: &mut Draft,
        place: Option<usize>,
    ) -> Result<(), Refused> {
        self.put_in(parent, draft, place);
        self.place(draft)?;
        self.sort(draft);
        self.write_config()?;
        let name = self.tunnel_of(draft, parent);
        self.pend(&draft.id, name);
        self.apply_if_asked()
    }

    /// Stores an object at its place, or at the end.
    fn put_in(&mut self, parent: usize, draft: &Draft, place: Option<usize>) {
        match self.store {
            Store::Settings => {
                self.config.settings = Arc::new(self.stored(draft, Some(&self.config.settings)));
            }
            Store::Api => {
                self.config.api = Arc::new(self.stored(draft, Some(&self.config.api)));
            }
            Store::Addresses | Store::AllowedIps => {
                let mut rows = self.rows(parent);
                let row = Value::Map(self.stored(draft, None).into_iter().collect());
                match place.and_then(|place| rows.get_mut(place)) {
                    Some(old) => *old = row,
                    None => rows.push(row),
                }
                self.set_rows(parent, rows);
            }
            _ => {
                let old = place.and_then(|place| self.config.list(self.store)?.get(place));
                let stored = Arc::new(self.stored(draft, old));
                let Some(list) = self.config.list_mut(self.store) else { return };
                match place.and_then(|place| list.get_mut(place)) {
                    Some(old) => *old = stored,
                    None => list.push(stored),
                }
            }
        }
    }

    /// Returns what is stored of an object. What this version does not know of an old one stays.
    fn stored(&self, draft: &Draft, old: Option<&Arc<Object>>) -> Object {
        let old = old.filter(|_| self.store != Store::Interfaces);
        let mut stored = old.map(|old| Object::clone(old)).unwrap_or_default();
        if self.store == Store::Interfaces {
            stored.insert("id".to_owned(), draft.id.clone());
        }
        for field in self.store.model().fields(self.firewall.profile) {
            let value = match (field.kind, draft.value(field.name)) {
                _ if matches!(field.name, "typev4" | "typev6") => continue,
                (Kind::Nested(model), value) => {
                    let rows = value.elements().unwrap_or_default();
                    let kept = |row: &&Value| {
                        let entry = |name: &str| row.get(name).cloned().unwrap_or_default();
                        let fields = model.fields.iter();
                        Value::Map(fields.map(|it| (it.name.to_owned(), entry(it.name))).collect())
                    };
                    Value::List(rows.iter().map(kept).collect())
                }
                (_, value) => value.clone(),
            };
            stored.insert(field.name.to_owned(), value);
        }
        stored.retain(|_, value| !value.is_null());
        stored
    }

    /// Moves an object to where a client wants it.
    fn place(&mut self, draft: &mut Draft) -> Result<(), Refused> {
        let wanted = match self.data.get("placement") {
            None | Some(Value::Null) => return Ok(()),
            Some(wanted) => wanted.int().and_then(|wanted| usize::try_from(wanted).ok()),
        };
        let id = self.config.place(self.store, &draft.id);
        let list = self.config.list_mut(self.store);
        let fits = |(list, wanted): &(&mut Vec<_>, usize)| *wanted < list.len();
        let Some(((list, wanted), id)) = list.zip(wanted).filter(fits).zip(id) else {
            let why = "Failed to set placement for Model object.";
            return Err(Refused::new(500, "MODEL_FAILED_TO_SET_PLACEMENT", why));
        };
        let object = list.remove(id);
        list.insert(wanted, object);
        draft.id = wanted.into();
        Ok(())
    }

    /// Stores a list in another order.
    fn sort(&mut self, draft: &mut Draft) {
        let Some(fields) = &self.control.page.sort_by else { return };
        if self.config.list(self.store).is_none() {
            return;
        }
        let mut items = self.config.items(self.store, self.firewall.profile);
        sort(&mut items, fields, self.control.page.is_descending);
        let places: Vec<_> =
            items.iter().filter_map(|item| self.config.place(self.store, &item.id)).collect();
        let old = draft.id.clone();
        let at = items.iter().position(|item| item.id.equals(&old));
        let Some(list) = self.config.list_mut(self.store) else { return };
        *list = places.iter().map(|place| Arc::clone(&list[*place])).collect();
        draft.id = at.map_or(old, Value::from);
    }

    fn write_config(&mut self) -> Result<(), Refused> {
        if self.is_locked {
            return Err(Refused::locked());
        }
        self.has_written = true;
        if self.may_write {
            self.firewall.config = Arc::new(self.config.clone());
        }
        Ok(())
    }

    /// Returns the tunnel that a change of an object is for.
    fn tunnel_of(&self, draft: &Draft, parent: usize) -> Option<String> {
        let of = |store: Store, field: &str| {
            Some(text_of(self.config.list(store)?.get(parent)?, field).to_owned())
        };
        match self.store {
            Store::Tunnels => Some(text_of(&draft.object, "name").to_owned()),
            Store::Peers => Some(text_of(&draft.object, "tun").to_owned()),
            Store::Addresses => of(Store::Tunnels, "name"),
            Store::AllowedIps => of(Store::Peers, "tun"),
            _ => None,
        }
    }

    /// Notes what a later apply has to do.
    fn pend(&mut self, id: &Value, tunnel: Option<String>) {
        let runtime = &mut self.firewall.runtime;
        let counts = self.store.is_of_wireguard()
            || (self.store.parent().is_some() && self.firewall.switches.nested_write_is_pending);
        runtime.is_pending |= counts;
        if let Some(tunnel) = tunnel
            && !runtime.apply_list.contains(&tunnel)
        {
            runtime.apply_list.push(tunnel);
        }
        let id = id.to_text();
        if self.store == Store::Interfaces && !runtime.pending_interfaces.contains(&id) {
            runtime.pending_interfaces.push(id);
        }
    }

    fn apply_if_asked(&mut self) -> Result<(), Refused> {
        if !self.data.get("apply").is_some_and(Value::is_true) {
            return Ok(());
        }
        let kind = match self.store {
            Store::Api => return Ok(()),
            Store::Interfaces => JobKind::Interfaces,
            _ => JobKind::WireGuard,
        };
        self.firewall.apply(kind, self.control.is_async)?;
        if self.store.is_of_wireguard() {
            // At once, although the process may still be running.
            self.firewall.runtime.is_pending = false;
        }
        Ok(())
    }

    fn delete_item(&mut self, item: &Item) -> Result<(), Refused> {
        self.check_package()?;
        if self.store == Store::Interfaces {
            return self.release(item);
        }
        let draft = Draft {
            id: item.id.clone(),
            parent: item.parent.clone(),
            object: Object::clone(&item.object),
            before: None,
        };
        let parent = self.parent(&draft)?;
        let name = self.tunnel_of(&draft, parent);
        let index: usize = item.id.to_text().parse().unwrap_or(usize::MAX);
        match self.store.parent() {
            Some(_) => {
                let mut rows = self.rows(parent);
                if index < rows.len() {
                    rows.remove(index);
                }
                self.set_rows(parent, rows);
            }
            None => {
                if let Some(list) = self.config.list_mut(self.store).filter(|it| index < it.len()) {
                    list.remove(index);
                }
            }
        }
        self.write_config()?;
        self.pend(&item.id, name);
        Ok(())
    }

    /// Takes an interface away at once: its device loses the addresses, and the packet filter its rules.
    fn release(&mut self, item: &Item) -> Result<(), Refused> {
        let id = item.id.to_text();
        if id == "wan" {
            let why = "Interface `wan` cannot be deleted.";
            return Err(Refused::bad("NETWORK_INTERFACE_WAN_CANNOT_BE_DELETED", why));
        }
        if let Some(device) =
            Arc::make_mut(&mut self.firewall.kernel).device_mut(text_of(&item.object, "if"))
        {
            device.addresses.clear();
        }
        self.config.interfaces.retain(|it| id_of(Store::Interfaces, 0, it).to_text() != id);
        self.config.rules.remove(&id);
        self.write_config()
    }
}

fn item(draft: Draft) -> Item {
    Item { id: draft.id, parent: draft.parent, object: Arc::new(draft.object) }
}

/// Returns an object without what was sent with its id.
fn as_it_was(draft: Draft) -> Item {
    let object = draft.before.unwrap_or(draft.object);
    Item { id: draft.id, parent: draft.parent, object: Arc::new(object) }
}
