//! What stays as it is: `ignore_changes`.
//!
//! What the configuration says of such an attribute counts while the object is made. As long as the object stays, what
//! its device has is what is wanted; where no device shows it, what was last applied.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::actual::FoundPeer;
use crate::config::{Desired, Wanted};
use crate::plan::recover::public_key;
use crate::plan::walk::Planner;
use crate::resource::{Attribute, BackendKind, Field, Kind, Ownership, Support, declaration};
use crate::state::{ObjectKey, ResourceRecord};

/// A resource as it is wanted while its object stays.
pub(crate) struct Kept {
    pub(crate) desired: Desired,
    /// What the object has of the attributes whose changes are ignored, for those that refer to them.
    values: Vec<(&'static str, Option<Field>)>,
}

/// What there is of an object.
struct There {
    values: BTreeMap<&'static str, Json>,
    /// Its key, if the device shows it.
    secret: Option<Field>,
    /// Whether the values are those of the device.
    is_read: bool,
}

impl Planner<'_> {
    /// Returns the resource as it is wanted while its object stays; none when it ignores nothing, or has no object.
    pub(crate) fn as_kept(&self, wanted: &Desired) -> Option<Kept> {
        if wanted.ignored.is_empty() {
            return None;
        }
        let record = self.state.resources.get(&wanted.address).filter(|it| !it.is_gone)?;
        let there = self.there(record);
        let kind = self.kind_of(record.backend.as_ref());
        let (mut desired, mut values) = (wanted.clone(), Vec::new());
        for name in &wanted.ignored {
            let Some(attribute) = declaration::attribute(wanted.address.kind, name) else {
                continue;
            };
            let is_absent = !there.is_read && !self.options.without_refresh;
            if attribute.form.is_secret() && is_absent && record.backend.is_some() {
                // A peer that was disabled is made when it is enabled, and needs its secret.
                desired.ignored.remove(name);
                desired.held.remove(name);
                continue;
            }
            let field = field_there(attribute, kind, record, &there);
            let own = match attribute.ownership {
                Ownership::Whole => field.clone(),
                Ownership::Elements => own_elements(attribute, record, &there),
            };
            desired.references.remove(name);
            match own {
                Some(field) => _ = desired.fields.insert(name, Wanted::Known(field)),
                None => _ = desired.fields.remove(name),
            }
            values.push((*name, field.filter(|_| !attribute.form.is_secret())));
        }
        desired.is_pending &= !desired.ignored.contains("public_key");
        Some(Kept { desired, values })
    }

    /// Takes for wanted what stays as it is, and lets others refer to it.
    pub(crate) fn keep(&mut self, kept: Kept) -> Desired {
        let Kept { desired, values } = kept;
        for (name, field) in values {
            self.known.keep(&desired.address, name, field);
        }
        desired
    }

    fn there(&self, record: &ResourceRecord) -> There {
        let recorded = |kind| There {
            values: Self::recorded_values(record, kind),
            secret: None,
            is_read: false,
        };
        let picture = record.backend.as_ref().and_then(|id| self.picture(id));
        let picture = picture.filter(|_| !self.options.without_refresh);
        match &record.object {
            ObjectKey::Interface { name, .. } => {
                let found = picture.and_then(|it| it.interfaces.get(name));
                found.map_or_else(
                    || recorded(Kind::Interface),
                    |found| There {
                        values: self.interface_values(Some(record), found),
                        secret: found.private_key.clone().map(Field::PrivateKey),
                        is_read: true,
                    },
                )
            }
            ObjectKey::Peer { interface, .. } => {
                let found = picture.and_then(|picture| {
                    let on = picture.interfaces.get(interface)?;
                    Some((picture.kind, on.peers.get(&public_key(&record.object)?)?))
                });
                found.map_or_else(
                    || recorded(Kind::Peer),
                    |(kind, found)| There {
                        values: self.peer_values(record, kind, found),
                        secret: shown_secret(found),
                        is_read: true,
                    },
                )
            }
            ObjectKey::PresharedKey {} => recorded(Kind::PresharedKey),
        }
    }
}

fn shown_secret(found: &FoundPeer) -> Option<Field> {
    let is_hidden = ["preshared_key", FoundPeer::OTHER_SECRET].map(|it| found.hidden.contains(it));
    let shown = found.fields.get("preshared_key").filter(|_| is_hidden == [false, false]);
    shown.cloned()
}

fn field_there(
    attribute: &Attribute,
    kind: BackendKind,
    record: &ResourceRecord,
    there: &There,
) -> Option<Field> {
    let recorded = || record.attributes.get(attribute.name);
    let json = match (attribute.name, &record.object) {
        _ if attribute.form.is_secret() => return there.secret.clone(),
        ("name", ObjectKey::Interface { name, .. }) => return Some(Field::Text(name.clone())),
        ("public_key", object @ ObjectKey::Peer { .. }) => {
            return public_key(object).map(Field::PublicKey);
        }
        // Where the key is kept, a device does not say.
        ("key_file", _) => recorded(),
        _ if attribute.support(kind) != Support::Device => recorded(),
        _ => there.values.get(attribute.name),
    };
    Field::from_recorded(&attribute.form, json?).ok().flatten()
}

/// Returns what is left of the elements that are ours.
fn own_elements(attribute: &Attribute, record: &ResourceRecord, there: &There) -> Option<Field> {
    let ours: &BTreeSet<String> = record.owned_elements.get(attribute.name)?;
    let found = there.values.get(attribute.name).and_then(Json::as_array);
    let left = found.into_iter().flatten().filter_map(Json::as_str);
    let left: Vec<&str> = left.filter(|it| ours.contains(*it)).collect();
    Field::from_recorded(&attribute.form, &left.into()).ok().flatten()
}
