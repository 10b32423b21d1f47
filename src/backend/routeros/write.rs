//! Carries out a batch: one request for each object, its outcome compared with what was wanted.
//!
//! The menus are read once before the first request; what a router answers to a change keeps them true. After a failure
//! they are read again, and only what is then there decides: a refusal may come after the change, an answer may be lost,
//! and nothing that makes an object is ever sent twice. What a router does not show counts as written after a success only.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::actual::Picture;
use crate::backend::routeros::client::{Cause, Client, Failure, Fields as Texts, Row};
use crate::backend::routeros::menus::{
    Address, INTERFACES, Interface, MEMBERS, Member, Menus, Odd, PEERS, Peer, Route as RouteRow,
    Wanted,
};
use crate::backend::routeros::picture::{self, MARK};
use crate::backend::routeros::wire::{Kept, Reference, Strange};
use crate::backend::routeros::wish::{self, InterfaceWish, Misfit};
use crate::backend::{
    Act, BackendError, Batch, Landed, Operation, Outcome, REPLACED, REPLACED_HINT, Stop,
};
use crate::failpoint::{Point, hit};
use crate::resource::{Field, Fields, Setting, Settings};
use crate::value::{Cidr, PrivateKey, PublicKey, Route};

/// Where a port is looked for that nobody has asked for: they are free for whoever needs one for a while.
const FIRST_FREE_PORT: u16 = 49_152;

/// Carries out a batch in its order.
pub(super) async fn carry_out(
    (client, is_simulated): (&Client, bool),
    batch: Batch,
    stop: Stop,
    landed: Landed<'_>,
) {
    let Batch { operations } = batch;
    let wanted = wanted(&operations);
    let mut is_done = vec![false; operations.len()];
    let mut job: Option<Result<Job<'_>, BackendError>> = None;
    let mut end = None;
    for (index, Operation { after, act }) in operations.into_iter().enumerate() {
        if stop.is_raised() {
            landed(index, Outcome::NotStarted);
            continue;
        }
        // One that comes later in the batch, or never, cannot have been done.
        let is_missing = |it: &&usize| !is_done.get(**it).is_some_and(|done| *done);
        if let Some(missing) = after.iter().find(is_missing).or(end.as_ref()) {
            landed(index, Outcome::Skipped(*missing));
            continue;
        }
        let job = match &mut job {
            Some(job) => job,
            none => none.insert(Job::start(client, is_simulated, wanted).await),
        };
        let (done, is_touched) = match job {
            Ok(job) => {
                job.is_touched = false;
                (job.act(act).await, job.is_touched)
            }
            Err(error) => (Err(error.clone()), false),
        };
        is_done[index] = done.is_ok();
        // Why nothing more can be done is said once.
        let is_over = job.as_ref().map_or(true, |job| job.is_over);
        end = is_over.then_some(index);
        let outcome = match done {
            Ok(fields) => Outcome::Done(fields),
            Err(error) if is_touched => Outcome::Failed(error),
            Err(error) => Outcome::Untouched(error),
        };
        landed(index, outcome);
    }
}

/// Returns which menus the operations need besides those that are always read.
fn wanted(operations: &[Operation]) -> Wanted {
    let mut wanted = Wanted::default();
    for Operation { after: _, act } in operations {
        match act {
            // What cannot be made whole is removed again, with all that it has by then.
            Act::CreateInterface { fields, .. } => {
                wanted.addresses = true;
                wanted.members |= fields.contains_key("interface_lists");
            }
            Act::UpdateInterface { settings, .. } => {
                wanted.addresses |= settings.contains_key("addresses");
                wanted.members |= settings.contains_key("interface_lists");
            }
            Act::DeleteInterface { .. } => {
                (wanted.addresses, wanted.routes, wanted.members) = (true, true, true);
            }
            Act::SetRoutes { .. } => wanted.routes = true,
            Act::Persist(_)
            | Act::Apply { .. }
            | Act::CreatePeer { .. }
            | Act::UpdatePeer { .. }
            | Act::DeletePeer { .. } => {}
        }
    }
    wanted
}

/// One batch on one router.
struct Job<'a> {
    client: &'a Client,
    is_simulated: bool,
    wanted: Wanted,
    /// The router as it is now.
    menus: Menus,
    /// Whether the operation under way may have changed something.
    is_touched: bool,
    /// Whether nothing more can be done.
    is_over: bool,
}

type Done = Result<Fields, BackendError>;

impl<'a> Job<'a> {
    async fn start(
        client: &'a Client,
        is_simulated: bool,
        wanted: Wanted,
    ) -> Result<Self, BackendError> {
        let menus = Menus::read(client, wanted).await.map_err(|failure| failure.error)?;
        Ok(Self { client, is_simulated, wanted, menus, is_touched: false, is_over: false })
    }

    async fn act(&mut self, act: Act) -> Done {
        let attempt = act.attempt();
        match act {
            Act::CreateInterface { name, private_key, key_file: _, fields, around: _ } => {
                self.create_interface(&attempt, &name, private_key.as_ref(), &fields).await
            }
            Act::UpdateInterface { name, rename, private_key, settings, .. } => {
                let key = private_key.as_ref();
                self.update_interface(&attempt, &name, rename.as_deref(), key, &settings).await
            }
            Act::DeleteInterface { name, public_key, .. } => {
                self.delete_interface(&attempt, &name, public_key).await
            }
            Act::SetRoutes { interface, routes, add_rules, remove_rules } => {
                if !add_rules.is_empty() || !remove_rules.is_empty() {
                    return Err(self.misfit(&attempt, &Misfit("routes")));
                }
                match routes {
                    Some(routes) => self.set_routes(&attempt, &interface, &routes).await,
                    None => Ok(Fields::new()),
                }
            }
            Act::Persist(_) => Err(self.misfit(&attempt, &Misfit("persist"))),
            // On a router everything takes effect at once.
            Act::Apply { .. } => Ok(Fields::new()),
            Act::CreatePeer { interface, public_key, replaces, fields } => match replaces {
                Some(old) => {
                    self.rekey_peer(&attempt, &interface, (old, public_key), &fields).await
                }
                None => self.create_peer(&attempt, &interface, public_key, &fields).await,
            },
            Act::UpdatePeer { interface, public_key, settings, wanted: _ } => {
                self.update_peer(&attempt, &interface, public_key, &settings).await
            }
            Act::DeletePeer { interface, public_key } => {
                let ids = self.peer_ids(&interface, public_key);
                if ids.is_empty() {
                    return self.absent(&attempt);
                }
                for id in ids {
                    self.remove(&attempt, PEERS, &id).await?;
                }
                Ok(Fields::new())
            }
        }
    }

    fn error(&self, attempt: &str, reason: impl Into<String>, hint: &str) -> BackendError {
        let hints = vec![hint.to_owned()];
        BackendError {
            backend: self.client.backend().clone(),
            attempt: attempt.to_owned(),
            reason: reason.into(),
            hints,
        }
    }

    fn misfit(&self, attempt: &str, Misfit(name): &Misfit) -> BackendError {
        let reason = format!("`{name}` cannot be written like this on this router");
        self.error(attempt, reason, "see in docs/routeros.md which version of RouterOS has it")
    }

    fn differs(&self, attempt: &str, attribute: &str) -> BackendError {
        let reason = format!("`{attribute}` is not what was written");
        self.error(attempt, reason, "run `plan` to see what the router made of it")
    }
}

/// Interfaces, with what hangs on them.
impl Job<'_> {
    fn interface(&self, name: &str) -> Option<&Interface> {
        self.menus.interfaces.iter().find(|it| it.name == name)
    }

    /// Returns what an interface has, as a plan sees it.
    fn found(&self, name: &str) -> Option<(Fields, BTreeSet<&'static str>)> {
        let (fields, hidden) = picture::held(&self.menus, self.interface(name)?);
        Some((fields, hidden))
    }

    async fn create_interface(
        &mut self,
        attempt: &str,
        name: &str,
        key: Option<&PrivateKey>,
        fields: &Fields,
    ) -> Done {
        if self.interface(name).is_some() {
            let hint = "import it, or give the interface another `name`";
            return Err(self.error(attempt, "an interface of that name is there already", hint));
        }
        let settings = wish::all(fields);
        let mut wish =
            wish::interface(&settings, &Fields::new()).map_err(|it| self.misfit(attempt, &it))?;
        // Nothing is there to be cleared.
        wish.texts.retain(|_, text| !text.is_empty());
        wish.texts.insert("name", plain(name));
        wish.texts.extend(key.map(|key| ("private-key", key.expose_text())));
        let public = key.map(PrivateKey::public);
        let is_there = |menus: &Menus| {
            // Whose it is, only its key tells.
            menus.interfaces.iter().any(|it| it.name == name && Some(it.public_key) == public)
        };
        self.add(attempt, INTERFACES, &wish.texts, is_there).await?;
        if let Err(error) = self.furnish(attempt, name, &wish).await {
            let is_ours = |it: &Interface| public.is_none_or(|key| key == it.public_key);
            // What is half made would be in the way of the next try. When this fails too, the next plan shows it, and
            // so it does where nobody knows what there is to be removed.
            if !self.is_over && self.interface(name).is_some_and(is_ours) {
                _ = self.delete_interface(attempt, name, public).await;
            }
            return Err(error);
        }
        self.compare(attempt, name, public, &settings)?;
        let mut chosen = self.chosen(name, &settings);
        let made = self.interface(name).filter(|_| key.is_none()).map(|it| it.public_key);
        chosen.extend(made.map(|key| ("public_key", Field::PublicKey(key))));
        Ok(chosen)
    }

    async fn update_interface(
        &mut self,
        attempt: &str,
        name: &str,
        rename: Option<&str>,
        key: Option<&PrivateKey>,
        settings: &Settings,
    ) -> Done {
        let (Some(id), Some((found, _))) =
            (self.interface(name).map(|it| it.id.clone()), self.found(name))
        else {
            let hint = "run `plan` again: it was removed in between, and would be made anew";
            return Err(self.error(attempt, "the interface is gone", hint));
        };
        let mut wish = wish::interface(settings, &found).map_err(|it| self.misfit(attempt, &it))?;
        wish.texts.extend(rename.map(|new| ("name", plain(new))));
        // A router keeps the port that it has chosen once; another one takes this one's place.
        let is_open = settings.get("listen_port") == Some(&Setting::Clear);
        let port = self.free_port().filter(|_| is_open);
        wish.texts.extend(port.map(|port| ("listen-port", plain(port))));
        wish.texts.extend(key.map(|key| ("private-key", key.expose_text())));
        let now = rename.unwrap_or(name);
        let public = key.map(PrivateKey::public);
        let mut own = own_settings(settings);
        if let (Some(setting), Some(port)) = (own.get_mut("listen_port"), port) {
            *setting = Setting::To(Field::Number(port.into()));
        }
        let is_done = |menus: &Menus| {
            let interface = menus.interfaces.iter().find(|it| it.id == id && it.name == now);
            interface.is_some_and(|it| {
                let (fields, _) = picture::held(menus, it);
                public.is_none_or(|key| key == it.public_key)
                    && wish::is_proven(&own, &fields, menus.system.version)
            })
        };
        self.set(attempt, INTERFACES, &id, &wish.texts, is_done).await?;
        if now != name {
            self.menus.rename(name, now);
        }
        self.furnish(attempt, now, &wish).await?;
        self.compare(attempt, now, public, settings)?;
        Ok(match settings.contains_key("listen_port") {
            true => self.chosen(now, settings),
            false => Fields::new(),
        })
    }

    /// Gives an interface its addresses and its places in lists, and takes those away that it is to lose.
    async fn furnish(
        &mut self,
        attempt: &str,
        name: &str,
        wish: &InterfaceWish,
    ) -> Result<(), BackendError> {
        for address in &wish.add_addresses {
            self.add_address(attempt, name, *address, &wish.remove_addresses).await?;
        }
        for list in &wish.join {
            self.join(attempt, name, list).await?;
        }
        let on = |it: &Reference| matches!(it, Reference::Name(on) if on == name);
        let addresses = self.menus.addresses.iter();
        let goes = |it: &&Address| on(&it.interface) && wish.remove_addresses.contains(&it.address);
        let addresses: Vec<_> = addresses
            .filter(|it| goes(it) && !it.is_dynamic)
            .map(|it| (it.menu(), it.id.clone()))
            .collect();
        let members = self.menus.members.iter();
        let leaves = |it: &&Member| on(&it.interface) && wish.leave.contains(&it.list);
        let members = members.filter(|it| leaves(it) && !it.is_dynamic);
        let members: Vec<_> = members.map(|it| (MEMBERS, it.id.clone())).collect();
        for (menu, id) in addresses.into_iter().chain(members) {
            self.remove(attempt, menu, &id).await?;
        }
        Ok(())
    }

    /// Gives an interface an address. One that it has with another length, which is to go, becomes it: a router may not
    /// take both.
    async fn add_address(
        &mut self,
        attempt: &str,
        name: &str,
        address: Cidr,
        goes: &BTreeSet<Cidr>,
    ) -> Result<(), BackendError> {
        let menu = address_menu(address);
        let is_here = |it: &Address| {
            !it.is_dynamic && matches!(&it.interface, Reference::Name(on) if on == name)
        };
        let is_it = |it: &Address| it.address == address && is_here(it);
        let is_there = |menus: &Menus| menus.addresses.iter().any(|it| is_it(it) && it.is_enabled);
        if is_there(&self.menus) {
            return Ok(());
        }
        if let Some(id) = self.menus.addresses.iter().find(|it| is_it(it)).map(|it| it.id.clone()) {
            let texts = Texts::from([("disabled", plain("no"))]);
            return self.set(attempt, menu, &id, &texts, is_there).await;
        }
        if address.address().is_ipv6() && !self.menus.has_ipv6 {
            let hint = "switch it on in `/ipv6/settings`, or leave the IPv6 addresses out";
            return Err(self.error(attempt, "IPv6 is switched off on the router", hint));
        }
        let mut texts = Texts::from([("address", plain(address))]);
        if address.address().is_ipv6() {
            // Nobody at the far end of a tunnel is to take this router for one that gives out addresses.
            texts.insert("advertise", plain("no"));
        }
        let is_old = |it: &&Address| {
            it.address.address() == address.address() && goes.contains(&it.address) && is_here(it)
        };
        let Some(id) = self.menus.addresses.iter().find(is_old).map(|it| it.id.clone()) else {
            texts.insert("interface", plain(name));
            return self.add(attempt, menu, &texts, is_there).await;
        };
        texts.insert("disabled", plain("no"));
        if address.address().is_ipv4() {
            // It may stay as it was.
            texts.insert("network", plain(address.prefix().address()));
        }
        self.set(attempt, menu, &id, &texts, is_there).await
    }

    async fn join(&mut self, attempt: &str, name: &str, list: &str) -> Result<(), BackendError> {
        let is_it = |it: &Member| {
            it.list == list
                && !it.is_dynamic
                && matches!(&it.interface, Reference::Name(on) if on == name)
        };
        let is_there = |menus: &Menus| menus.members.iter().any(|it| is_it(it) && it.is_enabled);
        if is_there(&self.menus) {
            return Ok(());
        }
        if let Some(id) = self.menus.members.iter().find(|it| is_it(it)).map(|it| it.id.clone()) {
            let texts = Texts::from([("disabled", plain("no"))]);
            return self.set(attempt, MEMBERS, &id, &texts, is_there).await;
        }
        let texts = Texts::from([("list", plain(list)), ("interface", plain(name))]);
        self.add(attempt, MEMBERS, &texts, is_there).await
    }

    fn compare(
        &self,
        attempt: &str,
        name: &str,
        public: Option<PublicKey>,
        settings: &Settings,
    ) -> Result<(), BackendError> {
        let Some(interface) = self.interface(name) else {
            return Err(self.differs(attempt, "name"));
        };
        if public.is_some_and(|key| key != interface.public_key) {
            return Err(self.differs(attempt, "public_key"));
        }
        let (fields, hidden) = picture::held(&self.menus, interface);
        match wish::difference(settings, &fields, &hidden) {
            Some(attribute) => Err(self.differs(attempt, attribute)),
            None => Ok(()),
        }
    }

    /// Returns a port that no interface has.
    fn free_port(&self) -> Option<u16> {
        let ports = self.menus.interfaces.iter().filter_map(|it| it.listen_port);
        let taken: BTreeSet<u16> = ports.map(u16::from).collect();
        (FIRST_FREE_PORT..=u16::MAX).find(|port| !taken.contains(port))
    }

    /// Returns the port of an interface, unless it was asked for.
    fn chosen(&self, name: &str, settings: &Settings) -> Fields {
        let is_asked = matches!(settings.get("listen_port"), Some(Setting::To(_)));
        let port = self.interface(name).filter(|_| !is_asked).and_then(|it| it.listen_port);
        port.map(|port| ("listen_port", Field::Number(port.get().into()))).into_iter().collect()
    }

    /// Removes what refers to an interface, then the interface: a router would keep all that, referring to nothing.
    async fn delete_interface(
        &mut self,
        attempt: &str,
        name: &str,
        public_key: Option<PublicKey>,
    ) -> Done {
        let Some(interface) = self.interface(name) else { return self.absent(attempt) };
        if public_key.is_some_and(|key| interface.public_key != key) {
            return Err(self.error(attempt, REPLACED, REPLACED_HINT));
        }
        let id = interface.id.clone();
        let on = |it: &Reference| matches!(it, Reference::Name(on) if on == name);
        let Menus { peers, addresses, routes, members, odd, .. } = &self.menus;
        let unread = odd.iter().filter(|it| !it.menu.ends_with("route") && !it.is_dynamic);
        let unread = unread.filter(|it| it.interface.as_ref().is_some_and(on));
        let routes = routes.iter().filter(|it| picture::is_ours(it) && it.leads_to().1 == name);
        let members = members.iter().filter(|it| on(&it.interface) && !it.is_dynamic);
        let addresses = addresses.iter().filter(|it| on(&it.interface) && !it.is_dynamic);
        let peers = peers.iter().filter(|it| on(&it.interface) && !it.is_dynamic);
        let children: Vec<(&'static str, String)> = routes
            .map(|it| (it.menu(), it.id.clone()))
            .chain(members.map(|it| (MEMBERS, it.id.clone())))
            .chain(addresses.map(|it| (it.menu(), it.id.clone())))
            .chain(peers.map(|it| (PEERS, it.id.clone())))
            .chain(unread.map(|it| (it.menu, it.id.clone())))
            .collect();
        for (menu, id) in children {
            self.remove(attempt, menu, &id).await?;
        }
        self.remove(attempt, INTERFACES, &id).await?;
        Ok(Fields::new())
    }
}

/// Returns the settings that are properties of an interface itself, without those that have places of their own.
fn own_settings(settings: &Settings) -> Settings {
    let is_own = |name: &str| {
        !matches!(name, "addresses" | "interface_lists" | "name" | "private_key" | "public_key")
    };
    let own = settings.iter().filter(|(name, _)| is_own(name));
    own.map(|(name, setting)| (*name, setting.clone())).collect()
}

/// Routes and peers.
impl Job<'_> {
    /// Makes the routes of ours to an interface what they are to be.
    async fn set_routes(
        &mut self,
        attempt: &str,
        interface: &str,
        wanted: &BTreeSet<Route>,
    ) -> Done {
        if self.interface(interface).is_none() && !wanted.is_empty() {
            let hint = "run `plan` again: it was removed in between, and would be made anew";
            return Err(self.error(attempt, "the interface is gone", hint));
        }
        for route in wanted {
            self.put_route(attempt, interface, route, wanted).await?;
        }
        let old: Vec<_> = self.old_routes(interface, wanted).collect();
        let old: Vec<_> = old.into_iter().map(|it| (it.menu(), it.id.clone())).collect();
        for (menu, id) in old {
            self.remove(attempt, menu, &id).await?;
        }
        Ok(Fields::new())
    }

    /// Returns the routes of ours to an interface that are not wanted.
    fn old_routes<'m>(
        &'m self,
        interface: &'m str,
        wanted: &'m BTreeSet<Route>,
    ) -> impl Iterator<Item = &'m RouteRow> {
        let is_wanted = |it: &RouteRow| {
            picture::route_of(&self.menus, it).is_some_and(|route| wanted.contains(&route))
        };
        let rows = self.menus.routes.iter().filter(move |it| it.leads_to().1 == interface);
        rows.filter(|it| picture::is_ours(it)).filter(move |it| !is_wanted(it))
    }

    /// Makes a route, or makes it out of one to the same network that is not wanted.
    async fn put_route(
        &mut self,
        attempt: &str,
        interface: &str,
        route: &Route,
        wanted: &BTreeSet<Route>,
    ) -> Result<(), BackendError> {
        let is_there = |menus: &Menus| {
            let mut rows = menus.routes.iter().filter(|it| it.leads_to().1 == interface);
            rows.any(|it| picture::route_of(menus, it).as_ref() == Some(route))
        };
        if is_there(&self.menus) {
            return Ok(());
        }
        let same = |it: &&RouteRow| {
            let of = picture::route_of(&self.menus, it);
            of.is_some_and(|it| (it.to, it.table) == (route.to, route.table))
        };
        // What is left of an interface that was removed is of use again.
        let dead = self.menus.routes.iter().filter(|it| picture::is_ours(it) && it.is_dead());
        let old = self.old_routes(interface, wanted).chain(dead).find(same);
        let old = old.map(|it| it.id.clone());
        let menu = if route.to.address().is_ipv6() { "ipv6/route" } else { "ip/route" };
        let gateway =
            route.gateway.map_or_else(|| interface.to_owned(), |it| format!("{it}%{interface}"));
        let mut texts = Texts::from([
            ("gateway", plain(gateway)),
            ("distance", plain(picture::distance_of(route))),
        ]);
        texts.extend(route.check.map(|check| ("check-gateway", plain(check.word()))));
        match old {
            Some(id) => {
                texts.entry("check-gateway").or_insert_with(|| plain("none"));
                self.set(attempt, menu, &id, &texts, is_there).await?;
            }
            None => {
                texts.insert("dst-address", plain(route.to));
                texts.insert("comment", plain(MARK));
                if route.table != Route::MAIN {
                    let mut tables = self.menus.tables.iter();
                    let Some((name, _)) = tables.find(|(_, it)| **it == route.table) else {
                        let hint = "run `plan` again: it was removed in between";
                        return Err(self.error(attempt, "the routing table is gone", hint));
                    };
                    texts.insert("routing-table", plain(name));
                }
                self.add(attempt, menu, &texts, is_there).await?;
            }
        }
        match is_there(&self.menus) {
            true => Ok(()),
            false => Err(self.differs(attempt, "routes")),
        }
    }

    fn peer(&self, interface: &str, key: PublicKey) -> Option<&Peer> {
        find_peer(&self.menus, interface, key)
    }

    /// Returns the ids of a peer, also of one of which more cannot be read than which one it is. A router may have it
    /// more than once.
    fn peer_ids(&self, interface: &str, key: PublicKey) -> Vec<String> {
        let is_unread = |it: &&Odd| {
            it.menu == PEERS
                && it.public_key == Some(key)
                && !it.is_dynamic
                && matches!(&it.interface, Some(Reference::Name(on)) if on == interface)
        };
        let unread = self.menus.odd.iter().filter(is_unread).map(|it| &it.id);
        let read = self.menus.peers.iter().filter(|it| is_peer(it, interface, key));
        read.map(|it| &it.id).chain(unread).cloned().collect()
    }

    async fn create_peer(
        &mut self,
        attempt: &str,
        interface: &str,
        key: PublicKey,
        fields: &Fields,
    ) -> Done {
        self.refuse_key(attempt, interface, key)?;
        let version = self.menus.system.version;
        let settings = wish::all(fields);
        let mut texts =
            wish::peer(&settings, version).map_err(|misfit| self.misfit(attempt, &misfit))?;
        texts.insert("interface", plain(interface));
        texts.insert("public-key", plain(key));
        // Nothing is there to be cleared.
        texts.retain(|name, text| *name == "allowed-address" || !text.is_empty());
        let is_there = |menus: &Menus| is_written(menus, interface, key, &settings);
        self.add(attempt, PEERS, &texts, is_there).await?;
        self.compare_peer(attempt, interface, key, &settings)
    }

    /// Refuses a key that no peer of an interface can get.
    fn refuse_key(
        &self,
        attempt: &str,
        interface: &str,
        key: PublicKey,
    ) -> Result<(), BackendError> {
        let Some(on) = self.interface(interface) else {
            return Err(self.error(attempt, "the interface is gone", "run `plan` again"));
        };
        if on.public_key == key {
            return Err(self.error(
                attempt,
                "that is the interface's own public key",
                "set `public_key` to the key of the far end",
            ));
        }
        let is_known = |it: &Peer| {
            it.public_key == Some(key)
                && matches!(&it.interface, Reference::Name(on) if on == interface)
        };
        if self.menus.peers.iter().any(is_known) {
            let hint = "import it, or remove it on the router";
            return Err(self.error(attempt, "a peer with that key is there already", hint));
        }
        Ok(())
    }

    /// Makes of a peer one with another key, where it is. What nobody has written stays, but for the private key of the far
    /// end, which belongs to the old one.
    async fn rekey_peer(
        &mut self,
        attempt: &str,
        interface: &str,
        (old, key): (PublicKey, PublicKey),
        fields: &Fields,
    ) -> Done {
        self.refuse_key(attempt, interface, key)?;
        let id = self.one_peer(attempt, interface, old)?;
        let version = self.menus.system.version;
        let mut settings = wish::all(fields);
        for name in wish::PLAIN {
            settings.entry(name).or_insert(Setting::Clear);
        }
        let mut texts =
            wish::peer(&settings, version).map_err(|misfit| self.misfit(attempt, &misfit))?;
        texts.insert("public-key", plain(key));
        let held = self.peer(interface, old).map(|peer| &peer.client.private_key);
        if !settings.contains_key("client_private_key")
            && held.is_some_and(|held| !matches!(held, Kept::Unset))
        {
            texts.insert("private-key", plain(""));
        }
        self.write_peer(attempt, (interface, key), &id, texts, &settings).await
    }

    /// Returns the id of a peer that is to be changed.
    fn one_peer(
        &self,
        attempt: &str,
        interface: &str,
        key: PublicKey,
    ) -> Result<String, BackendError> {
        let (reason, hint) = match self.peer_ids(interface, key).as_slice() {
            [] => (
                "the peer is gone".to_owned(),
                "run `plan` again: it was removed in between, and would be made anew",
            ),
            [id] if self.peer(interface, key).is_some() => return Ok(id.clone()),
            [id] => (
                format!("what the router says of it, as `{id}`, makes no sense"),
                "look at it on the router, or remove it there and run `plan` again",
            ),
            all => (
                format!("it is there more than once, as `{}`", all.join("`, `")),
                "remove all but one of them on the router, and run `plan` again",
            ),
        };
        Err(self.error(attempt, reason, hint))
    }

    async fn update_peer(
        &mut self,
        attempt: &str,
        interface: &str,
        key: PublicKey,
        settings: &Settings,
    ) -> Done {
        let id = self.one_peer(attempt, interface, key)?;
        let version = self.menus.system.version;
        let texts =
            wish::peer(settings, version).map_err(|misfit| self.misfit(attempt, &misfit))?;
        self.write_peer(attempt, (interface, key), &id, texts, settings).await
    }

    /// Writes to a peer, which then has this key.
    async fn write_peer(
        &mut self,
        attempt: &str,
        (interface, key): (&str, PublicKey),
        id: &str,
        mut texts: Texts,
        settings: &Settings,
    ) -> Done {
        let is_it = |menus: &Menus| find_peer(menus, interface, key).is_some_and(|it| it.id == id);
        let is_done = |menus: &Menus| is_it(menus) && is_written(menus, interface, key, settings);
        let written = loop {
            let written = self.set(attempt, PEERS, id, &texts, is_done).await;
            // Since 7.22 an empty key may be no key.
            let is_refused = |name: &&str, error: &BackendError| {
                texts.get(*name).is_some_and(|text| text.is_empty()) && error.reason.contains(*name)
            };
            let keys = ["preshared-key", "private-key"].into_iter();
            match &written {
                Err(error) if let Some(name) = keys.clone().find(|it| is_refused(it, error)) => {
                    texts.insert(name, plain("none"));
                }
                _ => break written,
            }
        };
        written?;
        self.compare_peer(attempt, interface, key, settings)
    }

    fn compare_peer(
        &self,
        attempt: &str,
        interface: &str,
        key: PublicKey,
        settings: &Settings,
    ) -> Done {
        let Some(peer) = self.peer(interface, key) else {
            return Err(self.differs(attempt, "public_key"));
        };
        match peer_difference(&self.menus, peer, settings) {
            Some(attribute) => Err(self.differs(attempt, attribute)),
            None => Ok(Fields::new()),
        }
    }
}

fn find_peer<'m>(menus: &'m Menus, interface: &str, key: PublicKey) -> Option<&'m Peer> {
    menus.peers.iter().find(|it| is_peer(it, interface, key))
}

fn is_peer(it: &Peer, interface: &str, key: PublicKey) -> bool {
    it.public_key == Some(key)
        && !it.is_dynamic
        && matches!(&it.interface, Reference::Name(on) if on == interface)
}

/// Returns whether a peer has for certain what was to be written.
fn is_written(menus: &Menus, interface: &str, key: PublicKey, settings: &Settings) -> bool {
    let version = menus.system.version;
    find_peer(menus, interface, key).is_some_and(|it| {
        let found = picture::found_peer(it.clone(), version, picture::sees_keys(menus));
        wish::is_proven(settings, &found.fields, version)
    })
}

fn peer_difference(menus: &Menus, peer: &Peer, settings: &Settings) -> Option<&'static str> {
    let found = wish::found_peer(peer.clone(), menus.system.version);
    wish::difference(settings, &found.fields, &found.hidden)
}

/// Requests, and what becomes of the menus.
impl Job<'_> {
    /// Makes an object. When it is not known whether the router did, it is looked for.
    async fn add(
        &mut self,
        attempt: &str,
        menu: &'static str,
        texts: &Texts,
        is_there: impl Fn(&Menus) -> bool,
    ) -> Result<(), BackendError> {
        hit(Point::HostChange);
        let answer = self.client.add(attempt, menu, texts).await;
        hit(Point::HostChanged);
        match answer {
            Ok(row) => self.learn(menu, &row).await,
            Err(failure) => {
                // Nothing tells a peer of ours from somebody else's with that key.
                let may_be_ours = menu != PEERS || !failure.cause.is_taken();
                self.decide(failure, |menus| may_be_ours && is_there(menus)).await
            }
        }
    }

    /// Changes properties of an object. When it is not known whether the router did, it is looked at.
    async fn set(
        &mut self,
        attempt: &str,
        menu: &'static str,
        id: &str,
        texts: &Texts,
        is_done: impl Fn(&Menus) -> bool,
    ) -> Result<(), BackendError> {
        if texts.is_empty() {
            return Ok(());
        }
        hit(Point::HostChange);
        let answer = self.client.set(attempt, menu, id, texts).await;
        hit(Point::HostChanged);
        match answer {
            Ok(row) => self.learn(menu, &row).await,
            Err(failure) => self.decide(failure, is_done).await,
        }
    }

    /// Removes an object.
    async fn remove(
        &mut self,
        attempt: &str,
        menu: &'static str,
        id: &str,
    ) -> Result<(), BackendError> {
        hit(Point::HostChange);
        let answer = self.client.remove(attempt, menu, id).await;
        hit(Point::HostChanged);
        match answer {
            Ok(()) => {
                self.is_touched = true;
                self.menus.forget(menu, id);
                Ok(())
            }
            Err(failure) => {
                self.decide(failure, |menus| !menus.holds(menu, id)).await?;
                self.absent(attempt).map(drop)
            }
        }
    }

    /// Takes what was to go for gone, because it is not there.
    fn absent(&self, attempt: &str) -> Done {
        if self.is_simulated || self.menus.system.uptime >= Picture::JUST_STARTED {
            return Ok(Fields::new());
        }
        let reason =
            "it is not there, and the router has just started: it may not have loaded everything";
        Err(self.error(attempt, reason, "run again in a few minutes"))
    }

    /// Takes in what the router says that an object now is.
    async fn learn(&mut self, menu: &'static str, row: &Row) -> Result<(), BackendError> {
        self.is_touched = true;
        match self.menus.learn(menu, row) {
            Ok(()) => Ok(()),
            Err(Strange { .. }) => self.read_again().await,
        }
    }

    /// Looks at the router after a failure, and returns the failure unless what was wanted is there.
    async fn decide(
        &mut self,
        failure: Failure,
        is_met: impl Fn(&Menus) -> bool,
    ) -> Result<(), BackendError> {
        let Failure { error, cause, may_have_changed } = failure;
        self.is_touched |= may_have_changed && !cause.is_taken();
        // Who is not let in once is not let in twice, and a router logs each try. Who may not change one thing may change
        // none.
        self.is_over = matches!(
            cause,
            Cause::Unreachable | Cause::NotTrusted | Cause::Unauthorized | Cause::NotPermitted
        );
        if self.is_over {
            return Err(error);
        }
        if !may_have_changed {
            return Err(error);
        }
        self.read_again().await?;
        if is_met(&self.menus) { Ok(()) } else { Err(error) }
    }

    async fn read_again(&mut self) -> Result<(), BackendError> {
        match Menus::read(self.client, self.wanted).await {
            Ok(menus) => {
                self.menus = menus;
                Ok(())
            }
            Err(failure) => {
                self.is_over = true;
                Err(failure.error)
            }
        }
    }
}

fn address_menu(address: Cidr) -> &'static str {
    if address.address().is_ipv6() { "ipv6/address" } else { "ip/address" }
}

fn plain(text: impl ToString) -> Zeroizing<String> {
    Zeroizing::new(text.to_string())
}
