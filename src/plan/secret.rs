//! Where the value of each pre-shared key comes from, and what that means for the peers that hold it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use crate::actual::FoundPeer;
use crate::config::{Desired, Wanted};
use crate::diagnostic::Diagnostic;
use crate::diff::{self, AttributeDiff, Class, Side, Sides};
use crate::link::Links;
use crate::plan::check::span;
use crate::plan::walk::{Device, Fate, Node, Planner, peer};
use crate::plan::{Note, Reason, Refusal, SecretSource};
use crate::resource::{Address, Field, Kind, Support, declaration};
use crate::state::ResourceRecord;
use crate::value::PresharedKey;

/// The peers that refer to one pre-shared key.
#[derive(Debug, Default)]
struct Holders {
    /// Those that are planned.
    here: Vec<Address>,
    /// Those that keep what they have, because they are held.
    held: Vec<Address>,
    /// Those on backends that cannot be reached now.
    out_of_reach: Vec<Address>,
}

/// Lets peers, which are evaluated before their secrets are resolved, see what was last known of one; unless that is
/// about to change.
pub(crate) fn publish_recorded(planner: &mut Planner<'_>, desired: &Desired) {
    let address = &desired.address;
    let Some(record) = planner.state.resources.get(address) else { return };
    let recorded = |name: &str| record.attributes.get(name).and_then(Json::as_str).map(text);
    let fingerprint = match desired.fields.get("value").map(Wanted::known) {
        Some(Some(value)) => value.recorded(planner.fingerprint_key()).as_str().map(text),
        Some(None) => None,
        None if is_renewed(planner, desired, record) => None,
        None => recorded("fingerprint"),
    };
    let known = [("fingerprint", fingerprint), ("holders", recorded("holders"))];
    for (name, field) in known {
        field.into_iter().for_each(|field| planner.known.publish(address, name, field));
    }
}

fn text(text: &str) -> Field {
    Field::Text(text.to_owned())
}

/// Returns whether the configuration, or the user, asks for another value than the one that there is.
fn is_renewed(planner: &Planner<'_>, desired: &Desired, record: &ResourceRecord) -> bool {
    let is_rotated = match planner.side(desired, "rotation") {
        Side::Known(now) => record.attributes.get("rotation") != Some(&now),
        Side::Unset | Side::Unknown => false,
    };
    is_rotated || planner.requested(&desired.address).is_some()
}

/// Decides the source of every pre-shared key, and completes the comparison of the peers.
pub(crate) fn resolve(planner: &mut Planner<'_>) {
    let mut holders = holders(planner);
    let links = Links::find(&planner.ends());
    let secrets = planner.walked.iter().filter(|address| address.kind == Kind::PresharedKey);
    for address in secrets.cloned().collect::<Vec<_>>() {
        let holders = holders.remove(&address).unwrap_or_default();
        resolve_one(planner, &links, &address, &holders);
    }
    let peers = planner.walked.iter().filter(|address| address.kind == Kind::Peer);
    for address in peers.cloned().collect::<Vec<_>>() {
        compare(planner, &address);
    }
}

/// Finds the peers that hold each pre-shared key.
fn holders(planner: &Planner<'_>) -> BTreeMap<Arc<Address>, Holders> {
    let mut all: BTreeMap<Arc<Address>, Holders> = BTreeMap::new();
    for (address, desired) in planner.desired.iter().filter(|(_, desired)| !desired.is_pending) {
        if let Some(secret) = desired.references.get("preshared_key") {
            all.entry(secret.clone()).or_default().here.push(address.clone());
        } else if desired.held.contains("preshared_key") {
            // What is held refers to nothing, and has what it was last given.
            for secret in given_secrets(planner, address) {
                all.entry(secret.into()).or_default().held.push(address.clone());
            }
        }
    }
    for (address, desired) in planner.out_of_view.iter().filter(|(_, desired)| !desired.is_pending)
    {
        if let Some(secret) = desired.references.get("preshared_key") {
            let holders = all.entry(secret.clone()).or_default();
            match planner.held_back.contains_key(address) {
                true => holders.held.push(address.clone()),
                false => holders.out_of_reach.push(address.clone()),
            }
        }
    }
    all
}

/// Returns the pre-shared keys that a peer was given when it was last applied.
fn given_secrets(planner: &Planner<'_>, peer: &Address) -> Vec<Address> {
    let record = planner.state.resources.get(peer);
    let needed = record.into_iter().flat_map(|it| &it.dependencies);
    needed.filter(|it| it.kind == Kind::PresharedKey).cloned().collect()
}

/// Returns the sources for the plan.
pub(crate) fn sources(planner: &Planner<'_>) -> BTreeMap<Address, SecretSource> {
    let secrets = planner.nodes.values().filter_map(|node| match &node.device {
        Device::Secret(source) => Some((node.address.clone(), source.clone())),
        _ => None,
    });
    secrets.collect()
}

fn resolve_one(planner: &mut Planner<'_>, links: &Links, address: &Address, holders: &Holders) {
    let (source, is_lost) = source_of(planner, address, holders);
    let was_known = planner.state.resources.contains_key(address);
    if matches!(source, SecretSource::New) {
        guard_new_secret(planner, links, address, holders, is_lost);
    }
    guard_held_secret(planner, address, holders, &source);
    let fingerprint = match &source {
        SecretSource::Known(key) => {
            Some(planner.fingerprint_key().fingerprint(key.expose_bytes()).to_string())
        }
        SecretSource::Kept(fingerprint) => Some(fingerprint.clone()),
        SecretSource::New => None,
    };
    let all = holders.here.iter().chain(&holders.held).chain(&holders.out_of_reach);
    let mut all: Vec<String> = all.map(ToString::to_string).collect();
    all.sort_unstable();
    let holders = all.join(", ");
    let record = planner.state.resources.get(address);
    let recorded = |name: &str| record.and_then(|record| record.attributes.get(name)).cloned();
    let before = recorded("fingerprint");
    let after = fingerprint.clone().map_or(Side::Unknown, |it| Side::Known(Json::from(it)));
    let is_same = before.is_some() && Side::Known(before.clone().unwrap_or_default()) == after;
    let class = if is_same { Class::Same } else { Class::Change };
    let fingerprint_diff = secret_attribute("fingerprint", before, after, class);
    let before = recorded("holders");
    let class = match &before {
        Some(before) if before == holders.as_str() => Class::Same,
        Some(_) => Class::AlreadySo,
        None => Class::Change,
    };
    let holders_diff =
        secret_attribute("holders", before, Side::Known(holders.clone().into()), class);
    if let Some(desired) = planner.desired.get_mut(address) {
        planner.known.publish(address, "holders", Field::Text(holders.clone()));
        desired.fields.insert("holders", Wanted::Known(Field::Text(holders)));
        match fingerprint {
            Some(fingerprint) => {
                let field = Field::Text(fingerprint);
                planner.known.publish(address, "fingerprint", field.clone());
                desired.fields.insert("fingerprint", Wanted::Known(field));
            }
            None => planner.known.forget(address, "fingerprint"),
        }
    }
    if let Some(node) = planner.nodes.get_mut(address) {
        node.diffs.extend([holders_diff, fingerprint_diff]);
        if matches!(source, SecretSource::New) && was_known {
            node.notes.push(Note::NewSecret);
        }
        node.device = Device::Secret(source);
    }
}

/// Returns the value that was recorded, from a peer that shows it; none where the value is to be made anew.
fn still_held(
    planner: &Planner<'_>,
    address: &Address,
    candidates: &BTreeSet<Address>,
    fingerprint: Option<&str>,
) -> Option<PresharedKey> {
    if planner.options.new_secrets.contains(address) {
        return None;
    }
    let is_it = |key: &PresharedKey| {
        fingerprint == Some(&planner.fingerprint_key().fingerprint(key.expose_bytes()).to_string())
    };
    candidates.iter().filter_map(|peer| held_by(planner, peer)).find(is_it)
}

/// Returns where the value comes from, and whether an older value was lost.
fn source_of(
    planner: &mut Planner<'_>,
    address: &Address,
    holders: &Holders,
) -> (SecretSource, bool) {
    let desired = &planner.desired[address];
    match desired.fields.get("value") {
        Some(Wanted::Known(Field::PresharedKey(Some(key)))) => {
            let source = SecretSource::Known(key.clone());
            if planner.options.replace.contains(address) {
                planner.refuse(address, given(address));
            }
            return (source, false);
        }
        Some(Wanted::Unknown) => {
            let problem = Diagnostic::error("pre-shared key that is not known yet")
                .label(
                    span(desired, "value"),
                    "this depends on something that only the apply makes",
                )
                .help("Leave `value` out and wgform makes one, or take it from a variable.");
            planner.diagnostics.push(problem);
            return (SecretSource::New, false);
        }
        _ => {}
    }
    let Some(record) = planner.state.resources.get(address) else {
        return (adopted(planner, address), false);
    };
    if is_renewed(planner, desired, record) {
        return (SecretSource::New, false);
    }
    let fingerprint =
        record.attributes.get("fingerprint").and_then(Json::as_str).map(str::to_owned);
    let earlier = record.attributes.get("holders").and_then(Json::as_str).unwrap_or_default();
    let earlier = earlier.split(", ").filter_map(|text| text.parse().ok());
    let now = holders.here.iter().chain(&holders.held).cloned();
    let candidates: BTreeSet<Address> = now.chain(earlier).collect();
    let held = still_held(planner, address, &candidates, fingerprint.as_deref());
    let is_needed = holders.here.iter().any(|peer| {
        planner.nodes.get(peer).and_then(Node::peer).is_some_and(|peer| peer.is_enabled)
    });
    match (held, fingerprint) {
        (Some(held), _) => (SecretSource::Known(held), false),
        // Nobody has to be given it, or nobody was asked for it.
        (None, Some(fingerprint)) if !is_needed || planner.options.without_refresh => {
            (SecretSource::Kept(fingerprint), false)
        }
        // Everybody has it, and nobody shows it.
        (None, Some(fingerprint))
            if holders.here.iter().all(|peer| is_kept_hidden(planner, peer, &fingerprint)) =>
        {
            (SecretSource::Kept(fingerprint), false)
        }
        // One that was recorded and never came to a device is lost for nobody.
        (None, fingerprint) => {
            let was_given = |peer: &Address| {
                let record = planner.state.resources.get(peer);
                let applied = record.and_then(|record| record.attributes.get("preshared_key"));
                applied.is_some() && applied.and_then(Json::as_str) == fingerprint.as_deref()
            };
            (SecretSource::New, candidates.iter().any(was_given))
        }
    }
}

/// Returns whether a peer was given the secret by a device that does not show it.
fn is_kept_hidden(planner: &Planner<'_>, peer: &Address, fingerprint: &str) -> bool {
    let Some(record) = planner.state.resources.get(peer) else { return false };
    // Made anew, it would have to be given it.
    let stays = planner.nodes.get(peer).is_some_and(|node| match node.fate {
        Fate::Keep | Fate::Pending => true,
        Fate::Replace => {
            node.reason == Reason::CannotUpdate("public_key")
                && planner.kind_of(node.backend.as_ref()).keeps_configuration()
        }
        Fate::Create => false,
    });
    if !stays {
        return false;
    }
    let applied = record.attributes.get("preshared_key").and_then(Json::as_str);
    applied == Some(fingerprint) && is_hidden(planner, peer)
}

/// Returns whether a peer has a pre-shared key that its device does not show.
fn is_hidden(planner: &Planner<'_>, peer: &Address) -> bool {
    let found = planner.state.resources.get(peer).and_then(peer::Old::of).and_then(|old| {
        let picture = planner.picture(&old.backend)?;
        picture.interfaces.get(&old.interface)?.peers.get(&old.public_key)
    });
    found.is_some_and(|it| it.hidden.contains("preshared_key"))
}

fn given(address: &Address) -> Refusal {
    Refusal {
        message: format!(
            "`{address}` has its `value` from the configuration, and cannot be made anew"
        ),
        hints: vec!["change the `value`, or leave it out to have the secret made".to_owned()],
    }
}

/// The value of a pre-shared key that the state does not know yet.
fn adopted(planner: &mut Planner<'_>, address: &Address) -> SecretSource {
    let desired = &planner.desired[address];
    let Some(from) = desired.references.get("adopt_from") else { return SecretSource::New };
    if let Some(key) = held_by(planner, from) {
        return SecretSource::Known(key);
    }
    let problem = Diagnostic::error("no pre-shared key to adopt")
        .label(span(desired, "adopt_from"), "the device of this peer does not give a pre-shared key")
        .help("Import the peer first if wgform does not manage it yet. Where the device does not show it, write the secret as `value`, or leave `adopt_from` out and wgform makes a new one.");
    planner.diagnostics.push(problem);
    SecretSource::New
}

/// Reads the secret back from the device that a peer is on.
fn held_by(planner: &Planner<'_>, peer: &Address) -> Option<PresharedKey> {
    let recorded = planner.state.resources.get(peer).and_then(peer::Old::of);
    let (backend, interface, public_key) = match recorded {
        Some(old) => (old.backend, old.interface, old.public_key),
        None => {
            let node = planner.nodes.get(peer)?;
            let peer = node.peer()?;
            (node.backend.clone()?, peer.interface.clone(), peer.public_key?)
        }
    };
    let found = planner.picture(&backend)?.interfaces.get(&interface)?.peers.get(&public_key)?;
    match found.fields.get("preshared_key") {
        // That it is another one is all that is known of it.
        _ if found.hidden.contains(FoundPeer::OTHER_SECRET) => None,
        Some(Field::PresharedKey(key)) => key.clone(),
        _ => None,
    }
}

/// A secret is made only when all its holders get it; and made anew, because the old one is lost, only when nobody
/// outside has it.
fn guard_new_secret(
    planner: &mut Planner<'_>,
    links: &Links,
    address: &Address,
    holders: &Holders,
    is_lost: bool,
) {
    let list = |addresses: &[&Address]| {
        addresses.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
    };
    let out: Vec<&Address> = holders.out_of_reach.iter().collect();
    if !out.is_empty() && !holders.here.is_empty() {
        planner.refuse(
            address,
            Refusal {
                message: format!(
                    "`{address}` has to be made{}, and {} cannot be reached now to learn it",
                    if planner.state.resources.contains_key(address) { " anew" } else { "" },
                    list(&out)
                ),
                hints: vec![
                    "run again when all its holders can be reached, or set `value`".to_owned(),
                ],
            },
        );
    }
    let is_managed = |it: &Address| holders.here.contains(it) || holders.held.contains(it);
    let is_one_sided =
        |peer: &&Address| links.other_end(peer).is_none_or(|other| !is_managed(other));
    let one_sided: Vec<&Address> = holders.here.iter().filter(is_one_sided).collect();
    if is_lost && out.is_empty() && !one_sided.is_empty() {
        let is_hidden = holders.here.iter().any(|it| is_hidden(planner, it));
        let what = if is_hidden { "is hidden from this user" } else { "was changed or lost" };
        let message = format!(
            "`{address}` {what} on every device that held it, and the far end of {} is not managed here: a new secret \
             would cut it off",
            list(&one_sided)
        );
        let as_writer = "plan as a user who may see it".to_owned();
        let hints = [
            "set `value` to the secret that the far end has".to_owned(),
            "or change `rotation` to have a new one made, and tell the far end".to_owned(),
        ];
        let hints = is_hidden.then_some(as_writer).into_iter().chain(hints).collect();
        planner.refuse(address, Refusal { message, hints });
    }
}

/// A secret stays what it is while one of its holders is held: the other ones would get another than that one has.
fn guard_held_secret(
    planner: &mut Planner<'_>,
    address: &Address,
    holders: &Holders,
    source: &SecretSource,
) {
    let Some(peer) = holders.held.first() else { return };
    let record = planner.state.resources.get(address);
    let recorded = record.and_then(|it| it.attributes.get("fingerprint")).and_then(Json::as_str);
    let becomes = match source {
        SecretSource::New if record.is_some() => "be made anew",
        SecretSource::New => "be made",
        SecretSource::Known(key) => {
            let now = planner.fingerprint_key().fingerprint(key.expose_bytes()).to_string();
            if recorded.is_none_or(|it| it == now) {
                return;
            }
            "get another value"
        }
        SecretSource::Kept(_) => return,
    };
    let hold = planner.held_back.get(peer);
    let Some(hold) = hold.or_else(|| planner.holds.on_attribute(peer, "preshared_key")) else {
        return;
    };
    let (told, way_out) = match &hold.made {
        Some(made) => (
            format!("held by {} on {}", made.by, made.host),
            format!("end the hold first: `wgform hold -release {}`", peer.in_shell()),
        ),
        None => (
            format!("held by `hold \"{}\"`", hold.name),
            format!("end `hold \"{}\"` first, and apply that", hold.name),
        ),
    };
    let message = format!(
        "`{address}` would {becomes}, and `{peer}` would not get it: it is {told} ({})",
        hold.reason
    );
    let back = "or leave the secret as it is until then".to_owned();
    planner.refuse(address, Refusal { message, hints: vec![way_out, back] });
}

/// Returns whether a peer is given its secret later: when it is enabled, with everything else. Until then its record
/// says what it was given before.
pub(crate) fn waits(desired: &Desired) -> bool {
    desired.references.contains_key("preshared_key")
        && desired.fields.get("enabled") == Some(&Wanted::Known(Field::Bool(false)))
}

/// Completes the comparison of one peer with its pre-shared key.
fn compare(planner: &mut Planner<'_>, address: &Address) {
    let desired = &planner.desired[address];
    let node = &planner.nodes[address];
    let record = planner.state.resources.get(address);
    let applied = record.and_then(|record| record.attributes.get("preshared_key"));
    // A block that is wrong has no node.
    let secret = desired.references.get("preshared_key");
    let secret = secret.map(|it| planner.nodes.get(it).map(|node| &node.device));
    let wanted = match secret {
        Some(_) if waits(desired) => applied.cloned().map_or(Side::Unset, Side::Known),
        Some(Some(Device::Secret(SecretSource::Known(key)))) => {
            Side::Known(Field::PresharedKey(Some(key.clone())).recorded(planner.fingerprint_key()))
        }
        Some(Some(Device::Secret(SecretSource::Kept(fingerprint)))) => {
            Side::Known(Json::from(fingerprint.clone()))
        }
        Some(_) => Side::Unknown,
        None => planner.side(desired, "preshared_key"),
    };
    let value = secret.map(|device| match device {
        Some(Device::Secret(SecretSource::Known(key))) => {
            Wanted::Known(Field::PresharedKey(Some(key.clone())))
        }
        _ => Wanted::Unknown,
    });
    let found = found_secret(planner, node);
    // A disabled peer holds nothing.
    let found =
        if planner.options.without_refresh || found.is_none() { applied.cloned() } else { found };
    let is_interrupted = planner.interrupted.contains(address);
    // Of an object that is taken over from another peer, only what is there counts.
    let is_taken_over = node.fate != Fate::Keep;
    let applied = if is_interrupted || is_taken_over { found.as_ref() } else { applied };
    let attribute = declaration::attribute(Kind::Peer, "preshared_key").expect("it is declared");
    let is_made = node.fate != Fate::Keep && !node.peer().is_some_and(|it| it.is_there);
    let sides = if is_made && node.fate == Fate::Replace {
        Sides { wanted, applied, found: applied, owned: None }
    } else if is_made {
        Sides { wanted, applied: None, found: None, owned: None }
    } else {
        Sides { wanted, applied, found: found.as_ref(), owned: None }
    };
    let diff = diff::attribute(attribute, Support::Device, sides);
    if let (Some(value), Some(desired)) = (value, planner.desired.get_mut(address)) {
        desired.fields.insert("preshared_key", value);
    }
    let Some(node) = planner.nodes.get_mut(address) else { return };
    if !diff.is_nothing() {
        node.diffs.push(diff);
        peer::sort(&mut node.diffs);
    }
    // Nobody is shown what stays as it is, and most of it does.
    if node.fate == Fate::Keep && node.diffs.iter().all(|diff| diff.class == Class::Same) {
        node.diffs = Vec::new();
    }
    planner.settle_reason(address);
}

fn found_secret(planner: &Planner<'_>, node: &Node) -> Option<Json> {
    let peer = node.peer().filter(|peer| peer.is_there)?;
    let interface = planner.nodes.get(&peer.on)?.interface()?;
    let name = interface.renamed_from().unwrap_or(&interface.name);
    let found = planner
        .picture(node.backend.as_ref()?)?
        .interfaces
        .get(name)?
        .peers
        .get(&peer.public_key?)?;
    // What this user is not shown counts as it was applied.
    if found.hidden.contains("preshared_key") {
        return None;
    }
    let none = Field::PresharedKey(None);
    Some(found.fields.get("preshared_key").unwrap_or(&none).recorded(planner.fingerprint_key()))
}

fn secret_attribute(name: &str, before: Option<Json>, after: Side, class: Class) -> AttributeDiff {
    let attribute = declaration::attribute(Kind::PresharedKey, name).expect("it is declared");
    AttributeDiff { attribute, class, before, after, was: None, elements: None }
}
