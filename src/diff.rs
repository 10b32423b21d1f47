//! One wanted against one last applied against one found, attribute by attribute.
//!
//! All three are compared in the form in which a state remembers values ([`Field::recorded`]): canonical, and with a
//! fingerprint in the place of a secret. So a value that a device only spells differently is no difference.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::resource::{Attribute, Default, Ownership, Presence, Support};

#[cfg(doc)]
use crate::resource::Field;

/// What the configuration says of an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Nothing.
    Unset,
    /// This value.
    Known(Json),
    /// A value that is known after apply.
    Unknown,
}

/// Why two of the three differ, if they do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Wanted, applied and found are the same; or the attribute is nobody's.
    Same,
    /// The configuration changed and the device already agrees: only the state learns of it.
    AlreadySo,
    /// The device no longer has what was last applied, and the configuration still wants that.
    Drift,
    /// The configuration wants something else than what was last applied.
    Change,
}

/// What is to happen to one attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeDiff {
    /// Its declaration.
    pub attribute: &'static Attribute,
    /// Why.
    pub class: Class,
    /// What the device has.
    pub before: Option<Json>,
    /// What it will have; [`Side::Unset`] when the attribute is cleared or left alone.
    pub after: Side,
    /// What was last applied, when it is neither.
    pub was: Option<Json>,
    /// For a set that is owned element by element: what is added and removed, and what is ours afterwards.
    pub elements: Option<Box<Elements>>,
}

/// The elements of a set that is owned element by element.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Elements {
    /// To add.
    pub add: BTreeSet<String>,
    /// To remove.
    pub remove: BTreeSet<String>,
    /// Ours afterwards.
    pub owned: BTreeSet<String>,
}

impl AttributeDiff {
    /// Returns whether the device has to be written to.
    pub fn is_write(&self) -> bool {
        matches!(self.class, Class::Drift | Class::Change)
    }

    /// Returns whether the attribute is on no side: there is nothing to say of it.
    pub fn is_nothing(&self) -> bool {
        self.class == Class::Same && self.before.is_none() && self.after == Side::Unset
    }
}

/// The three sides of one attribute.
#[derive(Debug, Clone)]
pub struct Sides<'a> {
    /// What the configuration wants.
    pub wanted: Side,
    /// What was last applied; none when the attribute was not managed.
    pub applied: Option<&'a Json>,
    /// What the device has; none when it has nothing, or cannot say.
    pub found: Option<&'a Json>,
    /// The elements that are ours, of a set that is owned element by element.
    pub owned: Option<&'a BTreeSet<String>>,
}

/// Compares one attribute of an object that exists on its device.
pub fn attribute(
    attribute: &'static Attribute,
    support: Support,
    sides: Sides<'_>,
) -> AttributeDiff {
    if attribute.ownership == Ownership::Elements {
        return elements(attribute, sides);
    }
    let Sides { wanted, applied, found, owned: _ } = sides;
    // What the device has no place for is there as it was last written.
    let found = if support == Support::Device { found } else { applied };
    let class = match &wanted {
        // What the device chose stays, and is no drift when the device chooses anew.
        Side::Unset if attribute.presence == Presence::OptionalComputed => Class::Same,
        Side::Unset if attribute.default == Default::Unset && applied.is_some() => Class::AlreadySo,
        Side::Unset if attribute.default == Default::Unset => Class::Same,
        Side::Unset if applied.is_some() => Class::Change,
        Side::Unset => Class::Same,
        Side::Unknown => Class::Change,
        Side::Known(wanted) => three_way(Some(wanted), applied, found),
    };
    let was = applied.filter(|it| class == Class::Change && found != Some(it)).cloned();
    AttributeDiff { attribute, class, before: found.cloned(), after: wanted, was, elements: None }
}

fn three_way(wanted: Option<&Json>, applied: Option<&Json>, found: Option<&Json>) -> Class {
    match (wanted == applied, wanted == found) {
        (true, true) => Class::Same,
        (true, false) => Class::Drift,
        (false, true) => Class::AlreadySo,
        (false, false) => Class::Change,
    }
}

fn elements(attribute: &'static Attribute, sides: Sides<'_>) -> AttributeDiff {
    let found = texts(sides.found);
    let ours = sides.owned.cloned().unwrap_or_default();
    let wanted = match &sides.wanted {
        Side::Known(json) => texts(Some(json)),
        Side::Unset => BTreeSet::new(),
        Side::Unknown => {
            return AttributeDiff {
                attribute,
                class: Class::Change,
                before: sides.found.cloned(),
                after: Side::Unknown,
                was: None,
                elements: None,
            };
        }
    };
    let add: BTreeSet<_> = wanted.difference(&found).cloned().collect();
    let remove: BTreeSet<_> =
        ours.difference(&wanted).filter(|it| found.contains(*it)).cloned().collect();
    let class = if wanted == ours {
        if add.is_empty() { Class::Same } else { Class::Drift }
    } else if add.is_empty() && remove.is_empty() {
        Class::AlreadySo
    } else {
        Class::Change
    };
    let after = found.difference(&remove).chain(&add).cloned().collect::<BTreeSet<_>>();
    AttributeDiff {
        attribute,
        class,
        before: Some(found.into_iter().collect::<Vec<_>>().into()),
        after: Side::Known(after.into_iter().collect::<Vec<_>>().into()),
        was: None,
        elements: Some(Box::new(Elements { add, remove, owned: wanted })),
    }
}

fn texts(json: Option<&Json>) -> BTreeSet<String> {
    let array = json.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    array.iter().filter_map(Json::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use crate::diff::{Class, Side, Sides, attribute};
    use crate::resource::{Kind, Support, declaration};

    fn class(name: &str, wanted: Side, applied: Option<Json>, found: Option<Json>) -> Class {
        let declaration = declaration::attribute(Kind::Interface, name)
            .or_else(|| declaration::attribute(Kind::Peer, name))
            .unwrap();
        let sides = Sides { wanted, applied: applied.as_ref(), found: found.as_ref(), owned: None };
        attribute(declaration, Support::Device, sides).class
    }

    #[test]
    fn three_sides_decide_between_change_and_drift() {
        let port = |wanted: u32, applied: u32, found: u32| {
            class(
                "listen_port",
                Side::Known(wanted.into()),
                Some(applied.into()),
                Some(found.into()),
            )
        };
        assert_eq!(port(1, 1, 1), Class::Same);
        assert_eq!(port(2, 1, 1), Class::Change);
        assert_eq!(port(1, 1, 2), Class::Drift);
        assert_eq!(port(2, 1, 2), Class::AlreadySo);
        assert_eq!(port(3, 1, 2), Class::Change);
    }

    #[test]
    fn what_is_not_written_is_left_alone_or_cleared_by_its_default() {
        let unset = |name, applied: Option<Json>| class(name, Side::Unset, applied, Some(json!(7)));
        assert_eq!(unset("listen_port", Some(json!(8))), Class::Same);
        assert_eq!(unset("endpoint", Some(json!("a:1"))), Class::AlreadySo);
        assert_eq!(unset("mtu", Some(json!(1400))), Class::Change);
        assert_eq!(unset("mtu", None), Class::Same);
    }

    #[test]
    fn foreign_elements_of_a_set_stay() {
        let declaration = declaration::attribute(Kind::Interface, "addresses").unwrap();
        let owned = ["10.0.0.1/24".to_owned(), "10.0.1.1/24".to_owned()].into();
        let found = json!(["10.0.0.1/24", "10.0.1.1/24", "192.0.2.1/32"]);
        let sides = Sides {
            wanted: Side::Known(json!(["10.0.0.1/24", "10.0.2.1/24"])),
            applied: None,
            found: Some(&found),
            owned: Some(&owned),
        };
        let diff = attribute(declaration, Support::Device, sides);
        assert_eq!(diff.class, Class::Change);
        let elements = diff.elements.unwrap();
        assert_eq!(elements.add, ["10.0.2.1/24".to_owned()].into());
        assert_eq!(elements.remove, ["10.0.1.1/24".to_owned()].into());
        assert_eq!(diff.after, Side::Known(json!(["10.0.0.1/24", "10.0.2.1/24", "192.0.2.1/32"])));
    }

    #[test]
    fn an_owned_element_that_is_gone_is_drift() {
        let declaration = declaration::attribute(Kind::Interface, "addresses").unwrap();
        let owned = ["10.0.0.1/24".to_owned()].into();
        let wanted = Side::Known(json!(["10.0.0.1/24"]));
        let sides = Sides { wanted, applied: None, found: None, owned: Some(&owned) };
        assert_eq!(attribute(declaration, Support::Device, sides).class, Class::Drift);
    }
}
