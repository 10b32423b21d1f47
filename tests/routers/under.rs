//! A backend whose interfaces, lists and tables all have a prefix that nobody sees, so that scenarios run on a router that
//! is in use and touch nothing of it.

use std::collections::{BTreeMap, BTreeSet};

use wgform::actual::{Examination, FoundInterface, Picture};
use wgform::backend::{
    Act, Answer, BackendError, Batch, Interest, Landed, Operation, Outcome, Read, Stop, Write,
};
use wgform::resource::{BackendId, Field, Fields, Setting, Settings};

/// What every object begins with that a suite makes on a router.
pub const PREFIX: &str = "wgform-test-";

/// By how much the ports of scenarios are lowered: those that they name are in use on many routers.
pub const LOWER: u32 = 10_000;

/// A backend below a prefix.
pub struct Under {
    pub inner: Box<dyn Write>,
    /// What was said of the router before.
    pub before: Picture,
}

impl Under {
    fn raised(&self, mut picture: Picture) -> Picture {
        let all = std::mem::take(&mut picture.interfaces);
        for (name, interface) in all {
            match name.strip_prefix(PREFIX) {
                Some(name) => drop(picture.interfaces.insert(name.to_owned(), found(interface))),
                None => drop(picture.other_links.insert(name)),
            }
        }
        let more = picture.routing.more.iter_mut().map(|(_, found)| found);
        for route in picture.routing.routes.values_mut().chain(more) {
            route.device = route.device.take().map(|name| without(&name));
        }
        let tables = std::mem::take(&mut picture.routing.table_names);
        let raised = |(name, number): (String, u32)| (without(&name), number);
        picture.routing.table_names = tables.into_iter().map(raised).collect();
        picture.remarks.retain(|remark| !self.before.remarks.contains(remark));
        picture
    }
}

impl Read for Under {
    fn id(&self) -> &BackendId {
        self.inner.id()
    }

    fn read<'a>(&'a self, interest: &'a Interest) -> Answer<'a, Result<Picture, BackendError>> {
        Box::pin(async move { Ok(self.raised(self.inner.read(interest).await?)) })
    }

    fn examine(&self) -> Answer<'_, Result<Examination, BackendError>> {
        self.inner.examine()
    }
}

impl Write for Under {
    fn write<'a>(&'a self, batch: Batch, stop: Stop, landed: Landed<'a>) -> Answer<'a, ()> {
        let lowered = |Operation { after, act }: Operation| Operation { after, act: lowered(act) };
        let operations = batch.operations.into_iter().map(lowered).collect();
        Box::pin(async move {
            let mut landed = |index: usize, outcome: Outcome| match outcome {
                Outcome::Done(fields) => landed(index, Outcome::Done(ports(fields, raise))),
                other => landed(index, other),
            };
            self.inner.write(Batch { operations }, stop, &mut landed).await;
        })
    }
}

fn under(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn without(name: &str) -> String {
    name.strip_prefix(PREFIX).unwrap_or(name).to_owned()
}

fn lower(port: u32) -> u32 {
    port.saturating_sub(LOWER)
}

fn raise(port: u32) -> u32 {
    port + LOWER
}

/// An interface without the lists that are not ours.
fn found(interface: FoundInterface) -> FoundInterface {
    let FoundInterface { fields, private_key, hidden, peers, keyless, id } = interface;
    let mut fields = ports(fields, raise);
    if let Some(Field::Names(lists)) = fields.get_mut("interface_lists") {
        *lists = lists.iter().map(|name| without(name)).collect();
    }
    FoundInterface { fields, private_key, hidden, peers, keyless, id }
}

fn ports(mut fields: Fields, change: fn(u32) -> u32) -> Fields {
    if let Some(Field::Number(port)) = fields.get_mut("listen_port") {
        *port = change(*port);
    }
    fields
}

fn lists(names: &BTreeSet<String>) -> BTreeSet<String> {
    names.iter().map(|name| under(name)).collect()
}

fn lowered_fields(fields: Fields) -> Fields {
    let mut fields = ports(fields, lower);
    if let Some(Field::Names(names)) = fields.get_mut("interface_lists") {
        *names = lists(names);
    }
    fields
}

fn lowered_settings(settings: Settings) -> Settings {
    let lowered = |(name, setting)| {
        let setting = match (name, setting) {
            ("listen_port", Setting::To(Field::Number(port))) => {
                Setting::To(Field::Number(lower(port)))
            }
            (_, Setting::Names { add, remove }) => {
                Setting::Names { add: lists(&add), remove: lists(&remove) }
            }
            (_, setting) => setting,
        };
        (name, setting)
    };
    settings.into_iter().map(lowered).collect::<BTreeMap<_, _>>()
}

fn lowered(act: Act) -> Act {
    match act {
        Act::CreateInterface { name, private_key, key_file, fields, around } => {
            let (name, fields) = (under(&name), lowered_fields(fields));
            Act::CreateInterface { name, private_key, key_file, fields, around }
        }
        Act::UpdateInterface {
            name,
            rename,
            private_key,
            key_file,
            own_keys,
            settings,
            wanted,
            around,
        } => Act::UpdateInterface {
            name: under(&name),
            rename: rename.map(|name| under(&name)),
            private_key,
            key_file,
            own_keys,
            settings: lowered_settings(settings),
            wanted: lowered_fields(wanted),
            around,
        },
        Act::DeleteInterface { name, public_key, own_keys, remove_boot_files, around } => {
            let name = under(&name);
            Act::DeleteInterface { name, public_key, own_keys, remove_boot_files, around }
        }
        Act::SetRoutes { interface, routes, add_rules, remove_rules } => {
            Act::SetRoutes { interface: under(&interface), routes, add_rules, remove_rules }
        }
        Act::CreatePeer { interface, public_key, replaces, fields } => {
            Act::CreatePeer { interface: under(&interface), public_key, replaces, fields }
        }
        Act::UpdatePeer { interface, public_key, settings, wanted } => {
            Act::UpdatePeer { interface: under(&interface), public_key, settings, wanted }
        }
        Act::DeletePeer { interface, public_key } => {
            Act::DeletePeer { interface: under(&interface), public_key }
        }
        Act::Apply { .. } => act,
        Act::Persist(_) => panic!("a router keeps what it is told"),
    }
}
