//! Whether a changed text means what was meant: what was adopted is wanted now, and nothing else is wanted differently.
//!
//! The whole configuration is evaluated again with nothing known of any device, so that also what is on a backend that cannot
//! be read is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::adopt::Change;
use crate::adopt::splice::{Revision, spliced};
use crate::adopt::wish::{Target, Wish};
use crate::config::{AllUnknown, Config, Desired, Evaluator, Wanted};
use crate::diagnostic::{Diagnostic, Severity, SourceText};
use crate::resource::{Address, Field};
use crate::source::Sources;
use crate::value::FingerprintKey;
use crate::world::World;

/// Why a change of a text is not what was meant, as a short clause.
pub type Obstacle = String;

/// Compares what a configuration wants with what it wanted.
pub struct Checker<'a> {
    world: &'a World,
    sources: &'a Sources,
    before: BTreeMap<Address, Desired>,
}

impl std::fmt::Debug for Checker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Checker")
    }
}

impl<'a> Checker<'a> {
    /// Remembers what is wanted now.
    pub fn new(world: &'a World, sources: &'a Sources, evaluator: &Evaluator<'_>) -> Self {
        Self { world, sources, before: wanted(evaluator) }
    }

    /// Looks at what would be wanted after changes.
    ///
    /// # Errors
    /// What else would differ.
    pub fn look(&self, changes: &[&Change]) -> Result<(), Obstacle> {
        let revisions = spliced(changes.iter().flat_map(|it| &it.edits));
        let (config, parsed) = Config::parse(revised(self.sources, &revisions));
        let evaluator = Evaluator::new(&config, self.world);
        let problems = evaluator.problems(parsed);
        if let Some(problem) = problems.iter().find(|it| it.severity == Severity::Error) {
            return Err(said(problem));
        }
        let after = wanted(&evaluator);
        let adopted: BTreeMap<(&Address, &str), &Wish> = changes
            .iter()
            .map(|it| ((&it.wish.address, it.wish.attribute.name), &it.wish))
            .collect();
        for ((address, name), wish) in &adopted {
            let now = after.get(*address).and_then(|it| it.fields.get(name));
            if !is_so(&wish.target, now) {
                return Err(format!(
                    "`{name}` of `{address}` would not become what the device has"
                ));
            }
        }
        others(&self.before, &after, &|address, name| adopted.contains_key(&(address, name)))
    }
}

/// Returns a configuration with other texts.
pub fn revised(sources: &Sources, revisions: &BTreeMap<String, Revision>) -> Sources {
    let other = |source: &Arc<SourceText>| match revisions.get(&source.name) {
        Some(it) => {
            let (name, text) = (source.name.clone(), it.after.clone());
            Arc::new(SourceText { name, text, secrets: Vec::new() })
        }
        None => source.clone(),
    };
    let mut revised = sources.clone();
    revised.files.iter_mut().for_each(|it| *it = other(it));
    for given in revised.variables.iter_mut().filter(|it| it.name.is_none()) {
        given.text = other(&given.text);
    }
    let texts = revisions.iter().map(|(name, it)| (name.clone(), it.after.clone()));
    revised.reader = sources.reader.with_texts(texts.collect());
    revised
}

/// Evaluates every resource with nothing known of any device.
fn wanted(evaluator: &Evaluator<'_>) -> BTreeMap<Address, Desired> {
    let resources = evaluator.resources().iter();
    // What is wrong with a resource was said before.
    let one = |it: &Address| Some((it.clone(), evaluator.resource(it, &AllUnknown).ok()?));
    resources.filter_map(one).collect()
}

fn said(problem: &Diagnostic) -> Obstacle {
    match problem.labels.first() {
        Some(label) => format!("{}: {}", problem.summary, label.text),
        None => problem.summary.to_owned(),
    }
}

/// Finds something that is wanted differently and was not adopted.
fn others(
    before: &BTreeMap<Address, Desired>,
    after: &BTreeMap<Address, Desired>,
    is_adopted: &dyn Fn(&Address, &str) -> bool,
) -> Result<(), Obstacle> {
    if let Some(lost) = before.keys().find(|it| !after.contains_key(it)) {
        return Err(format!("`{lost}` would no longer be there"));
    }
    let mut differing = BTreeSet::new();
    for (address, now) in after {
        let Some(was) = before.get(address) else {
            return Err(format!("`{address}` would be new"));
        };
        let names = was.fields.keys().chain(now.fields.keys());
        let names = names.filter(|name| was.fields.get(*name) != now.fields.get(*name));
        let others = names.filter(|name| !is_adopted(address, name));
        differing.extend(others.map(|name| format!("`{name}` of `{address}`")));
        let is_same = (&was.references, &was.backend, was.is_pending, was.prevent_destroy)
            == (&now.references, &now.backend, now.is_pending, now.prevent_destroy);
        if !is_same || was.ignored != now.ignored {
            differing.insert(format!("`{address}`"));
        }
    }
    let count = differing.len();
    match (differing.into_iter().next(), count) {
        (None, _) => Ok(()),
        (Some(one), 1) => Err(format!("this is also {one}")),
        (Some(one), n) => Err(format!("this is also {one}, and {} more", n - 1)),
    }
}

/// Returns whether a value is what is to be written.
fn is_so(target: &Target, now: Option<&Wanted>) -> bool {
    let now = match now {
        Some(Wanted::Known(field)) => Some(field),
        Some(Wanted::Unknown) => return false,
        None => None,
    };
    match (target, now) {
        (Target::Value(wanted), Some(now)) => wanted == now,
        (Target::Value(_), None) => false,
        // What there is then is the default.
        (Target::Nothing, _) => true,
        (Target::Elements { add, remove, .. }, now) => {
            let texts = now.map(texts).unwrap_or_default();
            add.iter().all(|it| texts.contains(it)) && !remove.iter().any(|it| texts.contains(it))
        }
    }
}

fn texts(field: &Field) -> BTreeSet<String> {
    // Sets hold no secret, so the key does not matter.
    let json = field.recorded(&FingerprintKey::from_bytes([0; 32]));
    let array = json.as_array().map(Vec::as_slice).unwrap_or_default();
    array.iter().filter_map(|it| it.as_str()).map(str::to_owned).collect()
}
