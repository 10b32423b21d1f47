//! What we want, in a router's words: the one place where our model becomes properties.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::backend::routeros::client::Fields as Texts;
use crate::backend::routeros::picture;
use crate::backend::routeros::wire::{Version, in_seconds, joined, yes_or_no};
use crate::resource::{Field, Fields, Setting, Settings};
use crate::value::{Cidr, Host as EndpointHost, Keepalive};

/// What a router takes for the MTU when nobody says otherwise.
const DEFAULT_MTU: u32 = 1420;

/// The routing instance that everything is in unless somebody says otherwise.
const DEFAULT_VRF: &str = "main";

/// The attributes of a peer that it has in some way without being told, and that nobody leaves to somebody else.
pub(super) const PLAIN: [&str; 3] = ["description", "enabled", "persistent_keepalive"];

/// An attribute that has no place on a router, or a value that has none in the attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misfit(pub(super) &'static str);

/// What to set of an interface; what is not named stays.
#[derive(Debug, Default)]
pub(super) struct InterfaceWish {
    /// Its own properties.
    pub(super) texts: Texts,
    pub(super) add_addresses: BTreeSet<Cidr>,
    pub(super) remove_addresses: BTreeSet<Cidr>,
    /// The interface lists to join.
    pub(super) join: BTreeSet<String>,
    /// The interface lists to leave.
    pub(super) leave: BTreeSet<String>,
}

/// Says all attributes of an object that is to be made as settings.
pub(super) fn all(fields: &Fields) -> Settings {
    fields.iter().map(|(name, field)| (*name, Setting::To(field.clone()))).collect()
}

/// Says what is wanted of an interface. What it has now, by attribute, is `found`.
pub(super) fn interface(settings: &Settings, found: &Fields) -> Result<InterfaceWish, Misfit> {
    let mut wish = InterfaceWish::default();
    for (name, setting) in settings {
        match (*name, setting) {
            // These have places of their own.
            ("name" | "private_key" | "public_key", _) => {}
            ("addresses", setting) => {
                let held = match found.get("addresses") {
                    Some(Field::Addresses(held)) => held.clone(),
                    _ => BTreeSet::new(),
                };
                let (add, remove) = match setting {
                    Setting::To(Field::Addresses(wanted)) => (wanted.clone(), &held - wanted),
                    Setting::Elements { add, remove } => (add.clone(), remove - add),
                    Setting::Clear => (BTreeSet::new(), held),
                    _ => return Err(Misfit(name)),
                };
                (wish.add_addresses, wish.remove_addresses) = (add, remove);
            }
            ("interface_lists", setting) => {
                let held = match found.get("interface_lists") {
                    Some(Field::Names(held)) => held.clone(),
                    _ => BTreeSet::new(),
                };
                let (add, remove) = match setting {
                    Setting::To(Field::Names(wanted)) => (wanted.clone(), &held - wanted),
                    Setting::Names { add, remove } => (add.clone(), remove - add),
                    Setting::Clear => (BTreeSet::new(), held),
                    _ => return Err(Misfit(name)),
                };
                (wish.join, wish.leave) = (add, remove);
            }
            (name, setting) => wish.texts.extend(interface_property(name, setting)?),
        }
    }
    Ok(wish)
}

fn interface_property(
    name: &'static str,
    setting: &Setting,
) -> Result<Option<(&'static str, Zeroizing<String>)>, Misfit> {
    Ok(Some(match (name, setting) {
        ("description", Setting::To(Field::Text(text))) => ("comment", plain(text)),
        ("description", Setting::Clear) => ("comment", plain("")),
        ("enabled", Setting::To(Field::Bool(yes))) => ("disabled", yes_or_no(!yes)),
        ("enabled", Setting::Clear) => ("disabled", yes_or_no(false)),
        ("listen_port", Setting::To(Field::Number(port))) => ("listen-port", plain(port)),
        // Whoever knows which ports are taken chooses one.
        ("listen_port", Setting::Clear) => return Ok(None),
        ("mtu", Setting::To(Field::Number(mtu))) => ("mtu", plain(mtu)),
        ("mtu", Setting::Clear) => ("mtu", plain(DEFAULT_MTU)),
        ("vrf", Setting::To(Field::Text(vrf))) => ("vrf", plain(vrf)),
        ("vrf", Setting::Clear) => ("vrf", plain(DEFAULT_VRF)),
        _ => return Err(Misfit(name)),
    }))
}

/// Says what is wanted of a peer.
pub(super) fn peer(settings: &Settings, version: Version) -> Result<Texts, Misfit> {
    let mut texts = Texts::new();
    for (name, setting) in settings {
        match (*name, setting) {
            // Before 7.15 there is no place for it.
            ("name", Setting::To(Field::Text(text))) => {
                texts.extend(has_names(version).then(|| ("name", plain(text))));
            }
            ("name", Setting::Clear) => {}
            ("endpoint", Setting::To(Field::Endpoint(endpoint))) => {
                let host = match &endpoint.host {
                    EndpointHost::Address(address) => address.to_string(),
                    EndpointHost::Name(name) => name.clone(),
                };
                texts.insert("endpoint-address", plain(host));
                texts.insert("endpoint-port", plain(endpoint.port));
            }
            ("endpoint", Setting::Clear) => {
                texts.insert("endpoint-address", plain(""));
                texts.insert("endpoint-port", plain("0"));
            }
            ("responder", setting) => {
                let is_responder = match setting {
                    Setting::To(Field::Bool(yes)) => *yes,
                    Setting::Clear => false,
                    _ => return Err(Misfit(name)),
                };
                match (version.major, version.minor) {
                    (7, 17..) | (8.., _) => _ = texts.insert("responder", yes_or_no(is_responder)),
                    (7, 15..) => _ = texts.insert("is-responder", yes_or_no(is_responder)),
                    _ if is_responder => return Err(Misfit(name)),
                    _ => {}
                }
            }
            (name, setting) if name.starts_with("client_") => {
                let (property, text) = client_property(name, setting)?;
                texts.insert(property, text);
            }
            (name, setting) => {
                let (property, text) = peer_property(name, setting)?;
                texts.insert(property, text);
            }
        }
    }
    Ok(texts)
}

fn peer_property(
    name: &'static str,
    setting: &Setting,
) -> Result<(&'static str, Zeroizing<String>), Misfit> {
    Ok(match (name, setting) {
        ("description", Setting::To(Field::Text(text))) => ("comment", plain(text)),
        ("description", Setting::Clear) => ("comment", plain("")),
        ("enabled", Setting::To(Field::Bool(yes))) => ("disabled", yes_or_no(!yes)),
        ("enabled", Setting::Clear) => ("disabled", yes_or_no(false)),
        ("preshared_key", Setting::To(Field::PresharedKey(Some(key)))) => {
            ("preshared-key", key.expose_text())
        }
        ("preshared_key", Setting::To(Field::PresharedKey(None)) | Setting::Clear) => {
            ("preshared-key", plain(""))
        }
        ("allowed_ips", Setting::To(Field::Prefixes(all))) => ("allowed-address", joined(all)),
        ("persistent_keepalive", Setting::To(Field::Keepalive(keepalive))) => {
            ("persistent-keepalive", in_seconds(keepalive.seconds()))
        }
        ("persistent_keepalive", Setting::Clear) => ("persistent-keepalive", in_seconds(0)),
        _ => return Err(Misfit(name)),
    })
}

/// What a router keeps for the far end. What is cleared was never written, so that there is nothing to clear but by an
/// empty value.
fn client_property(
    name: &'static str,
    setting: &Setting,
) -> Result<(&'static str, Zeroizing<String>), Misfit> {
    let Setting::To(field) = setting else { return Err(Misfit(name)) };
    Ok(match (name, field) {
        ("client_private_key", Field::PrivateKey(key)) => ("private-key", key.expose_text()),
        ("client_address", Field::Addresses(all)) => ("client-address", joined(all)),
        ("client_dns", Field::Servers(servers)) => ("client-dns", joined(servers)),
        ("client_endpoint", Field::Text(endpoint)) => ("client-endpoint", plain(endpoint)),
        ("client_keepalive", Field::Keepalive(keepalive)) => {
            ("client-keepalive", in_seconds(keepalive.seconds()))
        }
        ("client_listen_port", Field::Number(port)) => ("client-listen-port", plain(port)),
        ("client_allowed_ips", Field::Prefixes(all)) => ("client-allowed-address", joined(all)),
        _ => return Err(Misfit(name)),
    })
}

fn has_names(version: Version) -> bool {
    (version.major, version.minor) >= (7, 15)
}

fn plain(text: impl ToString) -> Zeroizing<String> {
    Zeroizing::new(text.to_string())
}

/// Names the first attribute that is not as it was to be; those that a router does not show count as they were written.
pub(super) fn difference(
    settings: &Settings,
    found: &Fields,
    hidden: &BTreeSet<&'static str>,
) -> Option<&'static str> {
    settings.iter().find_map(|(name, setting)| {
        let is_met = match setting {
            _ if hidden.contains(name) => true,
            Setting::To(field) => match found.get(name) {
                Some(found) => found == field,
                // What this version has no place for can only have its default.
                None => matches!(*name, "responder" | "name" | "preshared_key"),
            },
            Setting::Elements { add, remove } => match found.get(name) {
                Some(Field::Addresses(held)) => {
                    add.is_subset(held) && (remove - add).is_disjoint(held)
                }
                _ => false,
            },
            Setting::Names { add, remove } => match found.get(name) {
                Some(Field::Names(held)) => add.is_subset(held) && (remove - add).is_disjoint(held),
                _ => false,
            },
            Setting::Clear => *name != "endpoint" || !found.contains_key(name),
        };
        (!is_met).then_some(*name)
    })
}

/// Returns whether what is read again proves that all of it was written. What is not shown proves nothing, and what was
/// cleared has to be as it is by itself.
pub(super) fn is_proven(settings: &Settings, found: &Fields, version: Version) -> bool {
    settings.iter().all(|(name, setting)| match (*name, setting) {
        // Before 7.15 there is no place for them, and they are not written.
        ("name" | "responder", _) if !has_names(version) => true,
        ("name", Setting::Clear) => true,
        (name, Setting::To(field)) => found.get(name) == Some(field),
        (name, Setting::Clear) => found.get(name) == cleared(name).as_ref(),
        (_, Setting::Elements { .. } | Setting::Names { .. }) => false,
    })
}

/// Returns what a router has of an attribute that was cleared; none where it then has nothing.
fn cleared(name: &str) -> Option<Field> {
    match name {
        "description" => Some(Field::Text(String::new())),
        "enabled" => Some(Field::Bool(true)),
        "mtu" => Some(Field::Number(DEFAULT_MTU)),
        "vrf" => Some(Field::Text(DEFAULT_VRF.to_owned())),
        "preshared_key" => Some(Field::PresharedKey(None)),
        "persistent_keepalive" => Some(Field::Keepalive(Keepalive::from_seconds(0))),
        "responder" => Some(Field::Bool(false)),
        _ => None,
    }
}

/// Leaves out what was written otherwise than it is compared.
pub(super) fn found_peer(
    peer: crate::backend::routeros::menus::Peer,
    version: Version,
) -> crate::actual::FoundPeer {
    // A key that is not seen may be there.
    picture::found_peer(peer, version, false)
}
