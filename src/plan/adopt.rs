//! Takes an object that is there for one that is owned: what `import` does.
//!
//! The object is recorded as it is. Whatever the configuration wants otherwise is then a change like any other, which
//! a plan shows before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::actual::Picture;
use crate::config::{Config, Desired, Evaluator, Wanted};
use crate::diagnostic::Diagnostic;
use crate::plan::finish::record;
use crate::plan::persist::{self, style};
use crate::plan::walk::Planner;
use crate::plan::{Inputs, Refusal};
use crate::resource::{
    Address, BackendId, Field, Fields, Kind, Ownership, Presence, Support, declaration,
};
use crate::state::{ObjectKey, ResourceRecord, State};
use crate::value::PublicKey;

/// Why an object was not taken over.
#[derive(Debug)]
pub enum NotAdopted {
    /// The configuration is wrong.
    Configuration(Vec<Diagnostic>),
    /// A guard does not believe what the backend says.
    Guarded(Refusal),
    /// The backend could not be read.
    Unread(Refusal),
    /// There is no such resource, or no such object, or it is somebody else's.
    Refused(Refusal),
}

/// Records the object that `id` names as the resource's: `NAME` for an interface, `INTERFACE/PUBLIC_KEY` for a peer.
/// Returns the new state.
///
/// # Errors
/// When that cannot be done.
pub fn adopt(
    config: &Config,
    evaluator: &Evaluator<'_>,
    inputs: Inputs<'_>,
    address: &Address,
    id: &str,
) -> Result<State, NotAdopted> {
    let mut planner = Planner::new(inputs);
    let known = planner.state.resources.get(address).cloned();
    let is_it = |record: &ResourceRecord| matches!(&record.object, ObjectKey::Interface { name, .. } if name == id);
    if known.as_ref().is_some_and(|record| !is_it(record)) {
        return Err(known_already(address));
    }
    if !config.resources().contains(address) {
        let hint = format!("write the block first: {} \"{}\" {{ … }}", address.kind, address.label);
        return Err(refused(format!("the configuration has no `{address}`"), hint));
    }
    planner.configured = config.resources().iter().cloned().collect();
    for each in config.resources() {
        match evaluator.resource(each, &planner.known) {
            Ok(desired) => planner.visit(desired),
            Err(problems) if each == address => return Err(NotAdopted::Configuration(problems)),
            Err(_) => {}
        }
    }
    let Some(desired) = planner.desired.get(address) else {
        let reason = planner.left_out.iter().find(|(_, left_out)| left_out.contains(address));
        if let Some(refusal) = reason.and_then(|(backend, _)| planner.verdict.refusals.get(backend))
        {
            return Err(NotAdopted::Guarded(refusal.clone()));
        }
        let backend = reason.map(|(backend, _)| format!("backend `{backend}`")).unwrap_or_default();
        return Err(NotAdopted::Unread(Refusal {
            message: format!("{backend} could not be read"),
            hints: vec!["run `wgform plan` to see why".to_owned()],
        }));
    };
    let record = match address.kind {
        Kind::Interface => match known {
            Some(known) => with_files(&planner, desired, known, id, Files::Foreign)?,
            None => {
                let record = interface(&planner, desired, id)?;
                with_files(&planner, desired, record, id, Files::Any)?
            }
        },
        Kind::Peer => peer(&planner, desired, id)?,
        Kind::PresharedKey => {
            let hint = "name a peer that holds it as `adopt_from`, and apply".to_owned();
            return Err(refused("a `preshared_key` has no object of its own".to_owned(), hint));
        }
    };
    let backend_records = planner.backend_records();
    let mut state = planner.state;
    if let Some(backend) = &record.backend
        && let Some(known) = backend_records.get(backend)
    {
        state.backends.entry(backend.clone()).or_insert_with(|| known.clone());
    }
    state.resources.insert(address.clone(), record);
    Ok(state)
}

fn interface(
    planner: &Planner<'_>,
    desired: &Desired,
    id: &str,
) -> Result<ResourceRecord, NotAdopted> {
    let (backend, picture) = place(planner, desired)?;
    let Some(found) = picture.interfaces.get(id) else {
        let names: Vec<_> = picture.interfaces.keys().map(|name| format!("`{name}`")).collect();
        let hint = match names.is_empty() {
            true => "there is no WireGuard interface on that backend".to_owned(),
            false => format!("there are {}", names.join(", ")),
        };
        return Err(refused(
            format!("backend `{backend}` has no WireGuard interface `{id}`"),
            hint,
        ));
    };
    if let Some(owner) = planner.owners.interface(&backend, id) {
        return Err(owned(id, owner));
    }
    let Some(Field::PublicKey(key)) = found.fields.get("public_key") else {
        let hint = "set its private key first".to_owned();
        return Err(refused(format!("interface `{id}` has no key"), hint));
    };
    let object = ObjectKey::Interface { name: id.to_owned(), public_key: key.to_string() };
    Ok(as_found(planner, desired, object, (&found.fields, &found.hidden)))
}

/// Which files there have to be.
#[derive(PartialEq, Eq)]
enum Files {
    Any,
    /// Only for what somebody else wrote is there a reason to take over an interface twice.
    Foreign,
}

/// Takes over what brings the interface back at boot, if the configuration wants it there: it is recorded as it is, so that
/// a plan shows how it is to differ.
fn with_files(
    planner: &Planner<'_>,
    desired: &Desired,
    mut record: ResourceRecord,
    name: &str,
    files: Files,
) -> Result<ResourceRecord, NotAdopted> {
    let (_, picture) = place(planner, desired)?;
    let found = style(desired).zip(picture.boot.as_ref()).map(|(style, boot)| {
        let found = persist::found(boot, &style.paths(name));
        let has_foreign = found.iter().any(|(path, it)| !crate::persist::is_ours(path, &it.text));
        (style, crate::persist::digest(found), has_foreign)
    });
    if files == Files::Foreign && !found.as_ref().is_some_and(|(_, _, has_foreign)| *has_foreign) {
        return Err(known_already(&desired.address));
    }
    if let Some((style, digest, true)) = found {
        let json = persist::written(style, name, &digest, planner.fingerprint_key());
        record.attributes.insert(persist::PERSISTED.to_owned(), json);
    }
    Ok(record)
}

fn known_already(address: &Address) -> NotAdopted {
    let hint = format!("forget it first with `wgform state rm {address}`");
    refused(format!("`{address}` is in the state already"), hint)
}

fn peer(planner: &Planner<'_>, desired: &Desired, id: &str) -> Result<ResourceRecord, NotAdopted> {
    let (backend, picture) = place(planner, desired)?;
    let form = || "write it as INTERFACE/PUBLIC_KEY, such as wg0/xTIB…=".to_owned();
    let Some((interface, key)) = parts(id) else {
        return Err(refused(format!("`{id}` does not name a peer"), form()));
    };
    let key: PublicKey = key
        .parse()
        .map_err(|error| refused(format!("`{id}` does not name a peer: {error}"), form()))?;
    let on = desired.references.get("interface").and_then(|on| planner.nodes.get(on)?.interface());
    let expected = on.map(|on| on.renamed_from().unwrap_or(&on.name)).unwrap_or_default();
    if expected != interface {
        let message = format!(
            "`{}` is on interface `{expected}` by its configuration, not on `{interface}`",
            desired.address
        );
        return Err(refused(message, "name the interface that the block refers to".to_owned()));
    }
    let wanted = desired.fields.get("public_key").and_then(Wanted::known);
    if let Some(Field::PublicKey(wanted)) = wanted.filter(|it| **it != Field::PublicKey(key)) {
        let message =
            format!("`{}` has the public key {wanted} in the configuration", desired.address);
        return Err(refused(
            message,
            "import the peer with that key, or change the configuration".to_owned(),
        ));
    }
    let found = picture.interfaces.get(interface).and_then(|found| found.peers.get(&key));
    let Some(found) = found else {
        let hint =
            "`wgform drift` lists the peers that nobody declared, on interfaces that wgform owns"
                .to_owned();
        return Err(refused(
            format!("`{interface}` on backend `{backend}` has no peer {key}"),
            hint,
        ));
    };
    if let Some(owner) = planner.owners.peer(&backend, interface, key) {
        return Err(owned(id, owner));
    }
    let object = ObjectKey::Peer { interface: interface.to_owned(), public_key: key.to_string() };
    let mut fields = found.fields.clone();
    if !picture.kind.keeps_configuration() {
        fields.insert("enabled", Field::Bool(true));
    }
    Ok(as_found(planner, desired, object, (&fields, &found.hidden)))
}

/// Takes the id of a peer apart. A key has a length of its own, and a router takes a `/` in the name of an interface.
fn parts(id: &str) -> Option<(&str, &str)> {
    let at = id.len().checked_sub("/xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=".len());
    let split = at.and_then(|at| id.split_at_checked(at));
    let whole = split.and_then(|(interface, key)| Some((interface, key.strip_prefix('/')?)));
    whole.filter(|(_, key)| key.parse::<PublicKey>().is_ok()).or_else(|| id.split_once('/'))
}

fn place<'a>(
    planner: &Planner<'a>,
    desired: &Desired,
) -> Result<(BackendId, &'a Picture), NotAdopted> {
    let backend = desired.backend.clone().unwrap_or_else(|| BackendId::new(BackendId::LOCAL));
    match planner.picture(&backend) {
        Some(picture) => Ok((backend, picture)),
        None => Err(NotAdopted::Unread(Refusal {
            message: format!("backend `{backend}` could not be read"),
            hints: vec!["run `wgform plan` to see why".to_owned()],
        })),
    }
}

/// Records what the device has of that which the configuration manages. What the device has no place for, or does not show
/// as it is, is recorded as it is wanted, since nothing else is known of it. A secret that is not shown is written once.
fn as_found(
    planner: &Planner<'_>,
    desired: &Desired,
    object: ObjectKey,
    (found, hidden): (&Fields, &BTreeSet<&'static str>),
) -> ResourceRecord {
    let key = planner.fingerprint_key();
    let kind = desired
        .backend
        .as_ref()
        .and_then(|backend| planner.views.get(backend))
        .map(|view| view.kind);
    let mut new = record(desired, object, None, key);
    let found: BTreeMap<&str, Json> =
        found.iter().map(|(name, field)| (*name, field.recorded(key))).collect();
    for attribute in declaration::attributes(desired.address.kind) {
        let is_managed = desired.fields.contains_key(attribute.name)
            || attribute.presence == Presence::OptionalComputed;
        let is_on_device = kind.is_some_and(|kind| attribute.support(kind) == Support::Device);
        let is_unseen = hidden.contains(attribute.name) && !attribute.form.is_secret();
        if is_unseen && attribute.name.starts_with("assign_") {
            // There may be none at all: the firewall is told what is wanted.
            new.attributes.remove(attribute.name);
        }
        if !is_on_device
            || is_unseen
            || matches!(
                attribute.name,
                "interface" | "public_key" | "private_key" | "key_file" | "name"
            )
        {
            continue;
        }
        new.attributes.remove(attribute.name);
        if let Some(json) = found.get(attribute.name).filter(|_| is_managed) {
            new.attributes.insert(attribute.name.to_owned(), json.clone());
        }
        if attribute.ownership == Ownership::Elements && is_managed {
            let texts = found.get(attribute.name).and_then(Json::as_array);
            let texts = texts.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned);
            new.owned_elements.insert(attribute.name.to_owned(), texts.collect());
        }
    }
    new.attributes.remove("key_file");
    // A peer that has a name on its device keeps it, unless another one is written.
    let name = found.get("name").filter(|_| !desired.spans.contains_key("name"));
    if let Some(name) = name.filter(|_| desired.address.kind == Kind::Peer) {
        new.attributes.insert("name".to_owned(), name.clone());
    }
    new
}

fn owned(id: &str, owner: &Address) -> NotAdopted {
    let hint = format!("`wgform state mv {owner} ADDRESS` gives it another address");
    refused(format!("`{id}` is owned already, by `{owner}`"), hint)
}

fn refused(message: String, hint: String) -> NotAdopted {
    NotAdopted::Refused(Refusal { message, hints: vec![hint] })
}
