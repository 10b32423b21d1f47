//! What of an object that is on a device a configuration can say, in the words in which the device has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hcl_edit::expr::Expression;

use crate::config::block::Expr;
use crate::config::decode::{Decoded, decode, linux_name, value_of};
use crate::config::evaluator::misfits;
use crate::config::{Desired, Wanted};
use crate::diagnostic::{SourceText, Span};
use crate::resource::{Address, Attribute, BackendKind, Field, Fields, Kind, declaration};

/// Returns those of the attributes that no configuration could have for a backend of that kind: their form or the
/// kind refuses the value, or it would be read as another one. Each with the reason, as a clause.
pub fn unwritable(
    kind: Kind,
    backend: BackendKind,
    fields: &Fields,
) -> BTreeMap<&'static str, String> {
    let attributes = declaration::attributes(kind);
    let text = SourceText { name: String::new(), text: String::new(), secrets: Vec::new() };
    let source = Arc::new(text);
    // Each attribute has a place of its own, by which a problem tells which it is about.
    let place = |index: usize| Span { source: source.clone(), range: index..index };
    let mut desired = alone(kind, place(attributes.len()));
    let mut unwritable = BTreeMap::new();
    for (index, attribute) in attributes.iter().enumerate() {
        let Some(field) = fields.get(attribute.name) else { continue };
        if !is_read_back(attribute, field, place(index)) {
            let why = format!("a configuration has {} there", attribute.form.noun());
            unwritable.insert(attribute.name, why);
            continue;
        }
        desired.fields.insert(attribute.name, Wanted::Known(field.clone()));
        desired.spans.insert(attribute.name, place(index));
    }
    let problems = misfits(backend, &desired);
    for label in problems.iter().filter_map(|it| it.labels.first()) {
        if let Some(attribute) = attributes.get(label.span.range.start) {
            unwritable.insert(attribute.name, label.text.clone());
        }
    }
    let is_linux = !backend.keeps_configuration();
    if let (Kind::Interface, true, Some(Field::Text(name))) = (kind, is_linux, fields.get("name"))
        && let Err(why) = linux_name(name)
    {
        unwritable.insert("name", format!("`{name}` {why}"));
    }
    unwritable
}

fn is_read_back(attribute: &Attribute, field: &Field, place: Span) -> bool {
    let Span { source, range } = place;
    let expression = Box::new(Expression::from(true));
    let expr = Expr { expression, source, needs: Vec::new(), head: Some(Box::new(range)) };
    matches!(decode(attribute, &value_of(field), &expr), Ok(Decoded::Field(it)) if it == *field)
}

fn alone(kind: Kind, span: Span) -> Desired {
    Desired {
        address: Address::root(kind, ""),
        backend: None,
        fields: BTreeMap::new(),
        references: BTreeMap::new(),
        depends_on: Arc::default(),
        far: None,
        is_pending: false,
        prevent_destroy: false,
        span,
        spans: BTreeMap::new(),
        sensitive: BTreeSet::new(),
        ignored: BTreeSet::new(),
        held: BTreeSet::new(),
        triggers: Vec::new(),
        reads: BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::unwritable;
    use crate::resource::{BackendKind, Field, Fields, Kind};

    fn of(kind: Kind, backend: BackendKind, fields: &[(&'static str, Field)]) -> Vec<&'static str> {
        let fields: Fields = fields.iter().cloned().collect();
        unwritable(kind, backend, &fields).into_keys().collect()
    }

    fn text(text: &str) -> Field {
        Field::Text(text.to_owned())
    }

    #[test]
    fn what_a_form_or_a_kind_of_backend_refuses_is_found() {
        let none = Field::Prefixes([].into());
        for (kind, backend, fields, wrong) in [
            (Kind::Interface, BackendKind::Local, vec![("mtu", Field::Number(500))], vec!["mtu"]),
            (Kind::Interface, BackendKind::Local, vec![("name", text("wg%"))], vec!["name"]),
            (Kind::Interface, BackendKind::PfSense, vec![("name", text("wg0"))], vec!["name"]),
            (
                Kind::Peer,
                BackendKind::RouterOs,
                vec![("description", text("a\nb"))],
                vec!["description"],
            ),
            (
                Kind::Peer,
                BackendKind::RouterOs,
                vec![("allowed_ips", none.clone())],
                vec!["allowed_ips"],
            ),
            (Kind::Peer, BackendKind::Local, vec![("allowed_ips", none)], vec![]),
            (Kind::Peer, BackendKind::PfSense, vec![("description", text("a\nb"))], vec![]),
        ] {
            assert_eq!(of(kind, backend, &fields), wrong, "{fields:?}");
        }
    }

    #[test]
    fn an_assigned_tunnel_has_no_addresses_of_its_own() {
        let own = Field::Addresses(["10.0.0.1/24".parse().unwrap()].into());
        let fields = [("addresses", own), ("assign_descr", text("VPN"))];
        assert_eq!(of(Kind::Interface, BackendKind::PfSense, &fields), ["addresses"]);
    }
}
