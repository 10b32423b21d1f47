//! Takes an object that is there for one that is owned: what `import` does, as a command and as a block.
//!
//! The object is recorded as it is. Whatever the configuration wants otherwise is then a change like any other, which
//! a plan shows before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::actual::{FoundInterface, FoundPeer, Picture};
use crate::config::{Config, Desired, Evaluator, Wanted};
use crate::diagnostic::Diagnostic;
use crate::plan::finish::record;
use crate::plan::persist::{self, style};
use crate::plan::recover::public_key;
use crate::plan::refactor::carry_out_moves;
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
    let mut inputs = inputs;
    let moved =
        carry_out_moves(config, evaluator, &mut inputs).map_err(NotAdopted::Configuration)?;
    if let Some(old) = moved.get(address) {
        let hint = "run `wgform apply` first, which records the move".to_owned();
        return Err(refused(format!("`{old}` moves to `{address}`, and owns an object"), hint));
    }
    let mut planner = Planner::new(inputs);
    let known = planner.state.resources.get(address).cloned();
    let is_it = |record: &ResourceRecord| matches!(&record.object, ObjectKey::Interface { name, .. } if name == id);
    if known.as_ref().is_some_and(|record| !is_it(record)) {
        return Err(known_already(address));
    }
    if !evaluator.has(address) {
        let hint = match config.has_block(address) {
            true => "the block is there, and has other instances".to_owned(),
            false => {
                format!("write the block first: {} \"{}\" {{ … }}", address.kind, address.label)
            }
        };
        return Err(refused(format!("the configuration has no `{address}`"), hint));
    }
    planner.know_data(evaluator);
    planner.configured = evaluator.resources().iter().cloned().collect();
    for each in evaluator.resources() {
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
    let record = match known {
        Some(known) => with_files(&planner, desired, known, id, Files::Foreign)?,
        None => take(&planner, desired, id)?,
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

/// Finds the object that an id names, and records it as it is: what becomes of a resource that has none yet.
///
/// # Errors
/// When there is no such object, or it is somebody else's.
pub(crate) fn take(
    planner: &Planner<'_>,
    desired: &Desired,
    id: &str,
) -> Result<ResourceRecord, NotAdopted> {
    let (backend, picture) = place(planner, desired)?;
    let object = object(planner, desired, id)?;
    match &object {
        ObjectKey::Interface { name, .. } => {
            if let Some(owner) = planner.owners.interface(&backend, name) {
                return Err(owned(id, owner));
            }
            let found = &picture.interfaces[name];
            let record = as_found(planner, desired, object.clone(), (&found.fields, &found.hidden));
            with_files(planner, desired, record, name, Files::Any)
        }
        ObjectKey::Peer { interface, public_key: text } => {
            let key = public_key(&object).filter(|_| !text.is_empty());
            if let Some(owner) = key.and_then(|it| planner.owners.peer(&backend, interface, it)) {
                return Err(owned(id, owner));
            }
            let on = picture.interfaces.get(interface);
            let Some(found) = on.zip(key).and_then(|(on, key)| on.peers.get(&key)) else {
                return Err(no_peer(&backend, interface, id));
            };
            let mut fields = found.fields.clone();
            if !picture.kind.keeps_configuration() {
                fields.insert("enabled", Field::Bool(true));
            }
            Ok(as_found(planner, desired, object.clone(), (&fields, &found.hidden)))
        }
        ObjectKey::PresharedKey {} => Err(no_object()),
    }
}

/// Returns whether what an id names is what a resource owns; also when nothing is there that it could name, or that is
/// another resource's by now: the id was right once.
pub(crate) fn found_again(
    planner: &Planner<'_>,
    desired: &Desired,
    record: &ResourceRecord,
    id: &str,
) -> bool {
    let Ok(named) = object(planner, desired, id) else { return true };
    let Some(backend) = record.backend.as_ref() else { return true };
    match (&named, &record.object) {
        (ObjectKey::Interface { name, .. }, ObjectKey::Interface { name: own, .. }) => {
            name == own || planner.owners.interface(backend, name).is_some()
        }
        (ObjectKey::Peer { interface, .. }, own) => {
            let key = public_key(&named);
            let owner = key.and_then(|key| planner.owners.peer(backend, interface, key));
            named == *own || owner.is_some()
        }
        _ => true,
    }
}

/// Finds the object that an id names on the backend of a resource: an interface by its name, a peer by
/// INTERFACE/PUBLIC_KEY; both by what their device calls them, and a peer by its name if that is the only one.
fn object(planner: &Planner<'_>, desired: &Desired, id: &str) -> Result<ObjectKey, NotAdopted> {
    match desired.address.kind {
        Kind::Interface => interface(planner, desired, id),
        Kind::Peer => peer(planner, desired, id),
        Kind::PresharedKey => Err(no_object()),
    }
}

fn no_object() -> NotAdopted {
    let hint = "name a peer that holds it as `adopt_from`, and apply".to_owned();
    refused("a `preshared_key` has no object of its own".to_owned(), hint)
}

fn interface(planner: &Planner<'_>, desired: &Desired, id: &str) -> Result<ObjectKey, NotAdopted> {
    let (backend, picture) = place(planner, desired)?;
    let is_it = |it: &(&String, &FoundInterface)| it.1.id.as_deref() == Some(id);
    let by_id = || picture.interfaces.iter().find(is_it);
    let Some((name, found)) = picture.interfaces.get_key_value(id).or_else(by_id) else {
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
    let Some(Field::PublicKey(key)) = found.fields.get("public_key") else {
        let hint = "set its private key first".to_owned();
        return Err(refused(format!("interface `{name}` has no key"), hint));
    };
    Ok(ObjectKey::Interface { name: name.clone(), public_key: key.to_string() })
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
    let hint = format!("forget it first with `wgform state rm {}`", address.in_shell());
    refused(format!("`{address}` is in the state already"), hint)
}

fn peer(planner: &Planner<'_>, desired: &Desired, id: &str) -> Result<ObjectKey, NotAdopted> {
    let (backend, picture) = place(planner, desired)?;
    let on = desired.references.get("interface").and_then(|on| planner.nodes.get(on)?.interface());
    let expected = on.map(|on| on.renamed_from().unwrap_or(&on.name)).unwrap_or_default();
    let (interface, key) = match parts(id) {
        Some((interface, key)) => {
            let key: PublicKey =
                key.parse().map_err(|error| no_peer_id(id, &format!(": {error}")))?;
            (interface, key)
        }
        None => (expected, named_peer(picture.interfaces.get(expected), id)?),
    };
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
    let is_there = picture.interfaces.get(interface).is_some_and(|it| it.peers.contains_key(&key));
    if !is_there {
        return Err(no_peer(&backend, interface, &key.to_string()));
    }
    Ok(ObjectKey::Peer { interface: interface.to_owned(), public_key: key.to_string() })
}

fn no_peer(backend: &BackendId, interface: &str, key: &str) -> NotAdopted {
    let hint =
        "`wgform drift` lists the peers that nobody declared, on interfaces that wgform owns";
    refused(format!("`{interface}` on backend `{backend}` has no peer {key}"), hint.to_owned())
}

fn no_peer_id(id: &str, why: &str) -> NotAdopted {
    let hint = "write it as INTERFACE/PUBLIC_KEY, such as wg0/xTIB…=".to_owned();
    refused(format!("`{id}` does not name a peer{why}"), hint)
}

/// Finds the peer that its device calls by an id, or the only one of a name.
fn named_peer(on: Option<&FoundInterface>, id: &str) -> Result<PublicKey, NotAdopted> {
    let peers = || on.into_iter().flat_map(|on| &on.peers);
    if let Some((key, _)) = peers().find(|(_, it)| it.id.as_deref() == Some(id)) {
        return Ok(*key);
    }
    let has_name =
        |it: &FoundPeer| matches!(it.fields.get("name"), Some(Field::Text(name)) if name == id);
    let mut named = peers().filter(|(_, it)| has_name(it)).map(|(key, _)| *key);
    match (named.next(), named.next()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => Err(no_peer_id(id, ": there are several of that name")),
        (None, _) => Err(no_peer_id(id, "")),
    }
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
    // A peer that has a name on its device keeps it, unless another one is written; any other gets that of its label.
    if desired.address.kind == Kind::Peer && !desired.spans.contains_key("name") {
        let name = found.get("name").cloned();
        let name = name.unwrap_or_else(|| desired.address.default_name().into());
        new.attributes.insert("name".to_owned(), name);
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
