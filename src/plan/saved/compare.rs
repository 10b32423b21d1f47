//! In what a plan differs from the one that was saved.
//!
//! Both were made from the same options for the same time, so they differ only where the configuration, the state or a
//! device does. What is not compared is what the digest of a plan leaves out too, and what one of the two could not see.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::diff::{Class, Side};
use crate::plan::saved::digest::ROAMING;
use crate::plan::saved::{Attribute, Change, Saved};
use crate::plan::{Action, Note, Subject};
use crate::resource::{Address, BackendId};

/// One thing in which a plan differs from the saved one.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// A file of the configuration.
    File {
        /// Which.
        name: String,
        /// How.
        how: FileDifference,
    },
    /// Something would be done now that was not planned.
    Appeared {
        /// To what.
        subject: Subject,
        /// What.
        action: Action,
        /// What it would change, and from what: its name, what is there, what it would be.
        attributes: Vec<(String, Option<Json>, Side)>,
        /// Whether that would undo what was changed outside of wgform.
        is_drift: bool,
    },
    /// Something was planned that there is no need for now.
    Disappeared {
        /// To what.
        subject: Subject,
        /// What.
        action: Action,
    },
    /// Something else would be done.
    Action {
        /// To what.
        subject: Subject,
        /// What was planned.
        planned: Action,
        /// What would be done now.
        now: Action,
    },
    /// The device has another value.
    Found {
        /// Of what.
        subject: Subject,
        /// Which attribute.
        attribute: String,
        /// What it had.
        planned: Option<Json>,
        /// What it has.
        now: Option<Json>,
    },
    /// Another value would be written.
    Wanted {
        /// Of what.
        subject: Subject,
        /// Which attribute.
        attribute: String,
        /// What was planned; none where it was a secret.
        planned: Option<Side>,
        /// What it would be; none where it is a secret.
        now: Option<Side>,
    },
    /// Another number of peers that nobody declared would go with it.
    UnmanagedGo {
        /// With what.
        subject: Subject,
        /// How many was planned.
        planned: usize,
        /// How many it would be.
        now: usize,
    },
    /// Something else about a change: a command that runs, a file that is written, a key that is made.
    Note {
        /// Of what.
        subject: Subject,
    },
    /// An output.
    Output {
        /// Which.
        name: String,
    },
    /// What has another address, or is taken over.
    Refactored {
        /// Which.
        address: Address,
    },
    /// A backend is another system.
    Device {
        /// Which.
        backend: BackendId,
    },
}

/// How a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileDifference {
    /// It holds something else.
    Changed,
    /// It was not there.
    Added,
    /// It is no longer there.
    Removed,
}

/// Compares the files of the configuration; only those that the second one names when it is known to be a part.
pub fn files_differ(
    planned: &BTreeMap<String, Option<String>>,
    now: &BTreeMap<String, Option<String>>,
) -> Vec<Difference> {
    let names: BTreeSet<&String> = planned.keys().chain(now.keys()).collect();
    let difference = |name: &String| {
        let how = match (planned.get(name), now.get(name)) {
            (Some(_), None) => FileDifference::Removed,
            (None, Some(_)) => FileDifference::Added,
            (Some(planned), Some(now)) if planned == now => return None,
            _ => FileDifference::Changed,
        };
        Some(Difference::File { name: name.clone(), how })
    };
    names.into_iter().filter_map(difference).collect()
}

fn is_only_read_now(difference: &Difference) -> bool {
    let Difference::File { name, how: FileDifference::Added } = difference else { return false };
    !name.ends_with(".wg.hcl")
}

/// Compares a plan with the saved one. What it would do besides, and the saved one could not see, is in the second list.
pub fn differences(planned: &Saved, now: &Saved) -> (Vec<Difference>, Vec<Subject>) {
    let mut all = files_differ(&planned.configuration, &now.configuration);
    // What only a writer needs is read by an apply only, as the file of a password.
    all.retain(|it| !is_only_read_now(it));
    for (id, backend) in &now.backends {
        let before = planned.backends.get(id).and_then(|it| it.identity.as_ref());
        if let (Some(before), Some(now)) = (before, &backend.identity)
            && before != now
        {
            all.push(Difference::Device { backend: id.clone() });
        }
    }
    let (mut before, mut after) = (by_subject(planned), by_subject(now));
    let subjects: BTreeSet<Subject> = before.keys().chain(after.keys()).cloned().collect();
    for subject in subjects {
        let (old, new) = (before.remove(&subject), after.remove(&subject));
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        let hidden = hidden(&[planned, now], &subject);
        let mut pairs = old.iter().zip(&new);
        pairs.by_ref().for_each(|(old, new)| change(old, new, &hidden, &mut all));
        old.iter().skip(new.len()).for_each(|it| all.push(disappeared(it)));
        new.iter().skip(old.len()).for_each(|it| all.push(appeared(it)));
    }
    let outputs = |saved: &Saved| -> BTreeMap<String, Json> {
        let told = saved.outputs.iter().map(|it| (it.name.clone(), serde_json::json!(it.after)));
        told.collect()
    };
    let (old, new) = (outputs(planned), outputs(now));
    all.extend(differing(&old, &new).map(|name| Difference::Output { name }));
    all.extend(
        differing(&planned.moved, &now.moved)
            .chain(differing(&planned.imported, &now.imported))
            .map(|address| Difference::Refactored { address }),
    );
    let unseen = |saved: &Saved| -> BTreeSet<Subject> {
        let unseen = saved.changes.iter().filter(|it| it.puts_back_a_secret());
        unseen.map(|it| it.subject.clone()).collect()
    };
    let (was, is) = (unseen(planned), unseen(now));
    (all, is.difference(&was).cloned().collect())
}

fn differing<K: Ord + Clone, V: PartialEq>(
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
) -> impl Iterator<Item = K> {
    let keys: BTreeSet<K> = old.keys().chain(new.keys()).cloned().collect();
    keys.into_iter().filter(|key| old.get(key) != new.get(key))
}

fn by_subject(saved: &Saved) -> BTreeMap<Subject, Vec<&Change>> {
    let mut changes: BTreeMap<Subject, Vec<&Change>> = BTreeMap::new();
    for change in saved.changes.iter().filter(|it| !it.is_unseen()) {
        changes.entry(change.subject.clone()).or_default().push(change);
    }
    // An address may have an older object too.
    changes.values_mut().for_each(|it| it.sort_by_key(|it| it.action));
    changes
}

/// Returns the attributes that one of the two could not see.
fn hidden<'a>(plans: &[&'a Saved], subject: &Subject) -> BTreeSet<&'a str> {
    let Some(address) = subject.address() else { return BTreeSet::new() };
    let of = |saved: &&'a Saved| saved.unchecked.get(address).into_iter().flatten();
    plans.iter().flat_map(of).map(String::as_str).collect()
}

fn disappeared(change: &Change) -> Difference {
    Difference::Disappeared { subject: change.subject.clone(), action: change.action }
}

fn appeared(change: &Change) -> Difference {
    let shown = |it: &&Attribute| it.is_write() && !change.is_secret(&it.name);
    let attributes = match change.action {
        Action::Update => change.attributes.iter().filter(shown).collect(),
        _ => Vec::new(),
    };
    let is_drift = |it: &Attribute| it.class == Class::Drift;
    Difference::Appeared {
        subject: change.subject.clone(),
        action: change.action,
        is_drift: crate::plan::ResourceChange::from(change).is_drift()
            || change.attributes.iter().any(is_drift),
        attributes: attributes
            .into_iter()
            .map(|it| (it.name.clone(), it.before.clone(), it.after.clone()))
            .collect(),
    }
}

/// Compares two changes of one thing.
fn change(planned: &Change, now: &Change, hidden: &BTreeSet<&str>, all: &mut Vec<Difference>) {
    let subject = &planned.subject;
    if planned.action != now.action {
        let (planned, now) = (planned.action, now.action);
        return all.push(Difference::Action { subject: subject.clone(), planned, now });
    }
    let before = all.len();
    let named = |change: &Change| -> BTreeMap<String, Attribute> {
        change.attributes.iter().map(|it| (it.name.clone(), it.clone())).collect()
    };
    let (mut old, mut new) = (named(planned), named(now));
    let names: BTreeSet<String> = old.keys().chain(new.keys()).cloned().collect();
    for name in names.into_iter().filter(|it| !hidden.contains(it.as_str())) {
        let is_secret = planned.is_secret(&name);
        let sides = [old.remove(&name), new.remove(&name)];
        all.extend(attribute(planned, &name, is_secret, &sides));
    }
    let gone = |it: &Change| {
        let number = |note: &Note| match note {
            Note::UnmanagedGo(number) => Some(*number),
            _ => None,
        };
        it.notes.iter().find_map(number).unwrap_or_default()
    };
    if gone(planned) != gone(now) {
        let (planned, now) = (gone(planned), gone(now));
        all.push(Difference::UnmanagedGo { subject: subject.clone(), planned, now });
    }
    let notes = |it: &Change| it.lasting_notes().collect::<BTreeSet<_>>();
    let is_other = planned.backend != now.backend || notes(planned) != notes(now);
    if all.len() == before && is_other {
        all.push(Difference::Note { subject: subject.clone() });
    }
}

fn attribute(
    change: &Change,
    name: &str,
    is_secret: bool,
    [planned, now]: &[Option<Attribute>; 2],
) -> Option<Difference> {
    let subject = || change.subject.clone();
    let after = |it: &Option<Attribute>| it.as_ref().map_or(Side::Unset, |it| it.after.clone());
    let found = |it: &Option<Attribute>| it.as_ref().and_then(|it| it.before.clone());
    if is_secret {
        // What the device holds is not for everybody to see; what the configuration wants is.
        let wanted = |it: &Option<Attribute>| match it {
            Some(it) if it.class == Class::Change => it.after.clone(),
            _ => Side::Unset,
        };
        let is_same = wanted(planned) == wanted(now);
        return (!is_same).then(|| Difference::Wanted {
            subject: subject(),
            attribute: name.to_owned(),
            planned: None,
            now: None,
        });
    }
    let is_nobodys = |it: &Option<Attribute>| {
        it.as_ref().is_none_or(|it| !it.is_write() && it.after == Side::Unset)
    };
    if change.action != Action::Delete && is_nobodys(planned) && is_nobodys(now) {
        return None;
    }
    let elements = [planned, now].map(|it| it.as_ref().and_then(|it| it.elements.as_ref()));
    if let [Some(planned), Some(now)] = elements
        && change.action == Action::Update
        && planned == now
    {
        // What else is in the set is nobody's business.
        return None;
    }
    if name != ROAMING && change.action != Action::Create && found(planned) != found(now) {
        return Some(Difference::Found {
            subject: subject(),
            attribute: name.to_owned(),
            planned: found(planned),
            now: found(now),
        });
    }
    (after(planned) != after(now)).then(|| Difference::Wanted {
        subject: subject(),
        attribute: name.to_owned(),
        planned: Some(after(planned)),
        now: Some(after(now)),
    })
}
