//! Which attributes of an object a draft has to write, so that a plan finds nothing to change.

use crate::config::{default_of, unwritable};
use crate::resource::{
    Attribute, BackendKind, Default, Field, Fields, Kind, Ownership, Presence, Support, declaration,
};
use crate::value::Keepalive;

/// What a device has when nobody asks for anything else, where the declarations leave it to the device.
const USUAL: &[(&str, &str)] =
    &[("mtu", "1420"), ("vrf", "main"), ("client_allowed_ips", "::/0"), ("responder", "false")];

/// What is not written as an attribute of the object that it is on the device: what it is known by, and where it is.
const BY_HAND: &[&str] = &["backend", "interface", "public_key", "key_file"];

/// What belongs to the interface of a firewall that a tunnel is assigned to.
const ASSIGNED: &str = "assign_";

/// The attributes that a draft writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) fields: Fields,
    /// Those that a configuration cannot have as the device has them, and that stay when they are not written.
    pub(super) left_out: Vec<(&'static str, String)>,
}

/// Chooses the attributes of an object that have to be written.
///
/// # Errors
/// Why the object is left alone: without an attribute that cannot be written, a plan would change it.
pub(super) fn written(kind: Kind, backend: BackendKind, found: &Fields) -> Result<Written, String> {
    let mut fields = Fields::new();
    for attribute in declaration::attributes(kind) {
        if let Some(field) = found.get(attribute.name)
            && is_written(kind, backend, attribute, field)
        {
            fields.insert(attribute.name, field.clone());
        }
    }
    let mut left_out = Vec::new();
    for _ in 0..2 {
        let mut refused = unwritable(kind, backend, &fields);
        // A tunnel that is disabled, or has no name that a configuration takes, is not assigned by a configuration.
        let why = refused.get("assign_descr").cloned().or_else(|| refused.remove("enabled"));
        if let Some(why) = why {
            let all = fields.keys().filter(|name| name.starts_with(ASSIGNED));
            refused.extend(all.map(|name| (*name, why.clone())));
        }
        for (name, why) in refused {
            if declaration::attribute(kind, name).is_some_and(is_needed) {
                return Err(format!("its `{name}` cannot be written: {why}"));
            }
            fields.remove(name);
            left_out.push((name, why));
        }
    }
    // The firewall's interface has them.
    let is_moved = |name: &&str| matches!(*name, "addresses" | "mtu");
    if found.keys().any(|name| name.starts_with(ASSIGNED)) {
        fields.retain(|name, _| !is_moved(name));
        left_out.retain(|(name, _)| !is_moved(name));
    }
    Ok(Written { fields, left_out })
}

/// Returns whether leaving an attribute out would change what the device has.
fn is_needed(attribute: &Attribute) -> bool {
    attribute.presence == Presence::Required
        || (default_of(attribute).is_some() && attribute.ownership == Ownership::Whole)
}

fn is_written(kind: Kind, backend: BackendKind, attribute: &Attribute, field: &Field) -> bool {
    let Attribute { name, form, presence, .. } = attribute;
    // What a firewall only stores is no use to anybody.
    let is_only_stored = (kind, backend, *name) == (Kind::Interface, BackendKind::PfSense, "mtu");
    let is_on_device = attribute.support(backend) == Support::Device;
    let is_named = kind == Kind::Interface && *name == "name";
    if BY_HAND.contains(name) || form.is_secret() || is_only_stored || !(is_on_device || is_named) {
        return false;
    }
    *presence == Presence::Required || !is_usual(attribute, field)
}

/// Returns whether an attribute has the value that it has anyway.
fn is_usual(attribute: &Attribute, field: &Field) -> bool {
    let is_nothing = match field {
        Field::Text(text) => text.is_empty(),
        Field::Addresses(set) => set.is_empty(),
        Field::Prefixes(set) => set.is_empty(),
        Field::Keepalive(it) => *it == Keepalive::OFF,
        Field::Servers(list) => list.is_empty(),
        Field::Domains(list) => list.is_empty(),
        Field::Names(set) => set.is_empty(),
        Field::Commands(list) => list.is_empty(),
        _ => false,
    };
    let is_default = match default_of(attribute) {
        Some(default) => default == *field,
        None => {
            matches!(attribute.default, Default::Unset | Default::Device | Default::Empty)
                && is_nothing
        }
    };
    let shown = match field {
        Field::Text(text) => text.clone(),
        Field::Bool(yes) => yes.to_string(),
        Field::Number(number) => number.to_string(),
        Field::Prefixes(set) => set.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        _ => String::new(),
    };
    is_default || USUAL.contains(&(attribute.name, shown.as_str()))
}

#[cfg(test)]
mod tests {
    use crate::draft::written::written;
    use crate::resource::{BackendKind, Field, Fields, Kind};

    fn names(
        kind: Kind,
        backend: BackendKind,
        fields: &[(&'static str, Field)],
    ) -> Vec<&'static str> {
        let fields: Fields = fields.iter().cloned().collect();
        written(kind, backend, &fields).unwrap().fields.into_keys().collect()
    }

    fn text(text: &str) -> Field {
        Field::Text(text.to_owned())
    }

    #[test]
    fn what_is_so_anyway_is_not_written() {
        let networks = |text: &str| Field::Prefixes([text.parse().unwrap()].into());
        let fields = [
            ("name", text("")),
            ("description", text("")),
            ("enabled", Field::Bool(true)),
            ("allowed_ips", networks("10.0.0.0/8")),
            ("preshared_key", Field::PresharedKey(None)),
            ("client_allowed_ips", networks("::/0")),
            ("responder", Field::Bool(false)),
        ];
        assert_eq!(names(Kind::Peer, BackendKind::RouterOs, &fields), ["allowed_ips"]);
        let fields =
            [("mtu", Field::Number(1420)), ("fwmark", Field::Number(0)), ("name", text("a"))];
        assert_eq!(names(Kind::Interface, BackendKind::Local, &fields), ["name"]);
    }

    #[test]
    fn of_an_assigned_tunnel_the_assignment_is_written() {
        let own = || Field::Addresses(["10.0.0.1/24".parse().unwrap()].into());
        let fields =
            [("addresses", own()), ("assign_addresses", own()), ("assign_descr", text("VPN"))];
        let names = names(Kind::Interface, BackendKind::PfSense, &fields);
        assert_eq!(names, ["assign_addresses", "assign_descr"]);
    }

    #[test]
    fn an_object_that_would_be_changed_is_left_alone() {
        let fields = Fields::from([
            ("allowed_ips", Field::Prefixes([].into())),
            ("description", text("two\nlines")),
        ]);
        let why = written(Kind::Peer, BackendKind::RouterOs, &fields).unwrap_err();
        assert_eq!(why, "its `allowed_ips` cannot be written: a router takes no peer without one");
    }
}
