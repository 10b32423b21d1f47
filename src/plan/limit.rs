//! What a finished plan may not do without being told: how much it destroys, what it is forbidden, what is protected.
//!
//! The command line and the `guard` block each say something of their own, and both hold.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Guard, Named};
use crate::diagnostic::Diagnostic;
use crate::plan::path::names_nothing;
use crate::plan::walk::Planner;
use crate::plan::{Action, Note, Plan, Reason, Refusal, ResourceChange, Subject};
use crate::resource::{Address, BackendId, Deed};
use crate::value::Bound;

/// So many names are in a message; the rest is counted.
const NAMED: usize = 5;

/// What a plan that is to be applied may not do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// What the configuration says, which no saved plan repeats.
    #[serde(skip)]
    pub guard: Guard,
    /// What the command line says of how much may be destroyed.
    pub max_destroy: Option<Bound>,
    /// Backends that may be cut off.
    pub allow_lockout: BTreeSet<BackendId>,
}

/// A guard that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    /// Which, as it is written.
    pub guard: String,
    /// What was found, as a clause.
    pub found: String,
    /// Whether it refuses.
    pub refuses: bool,
}

/// What each deed of a plan is done to.
pub type Deeds = BTreeMap<Deed, Vec<String>>;

/// Returns what a plan does to what.
pub fn deeds(plan: &Plan) -> Deeds {
    let mut deeds = of_changes(&plan.changes);
    let imported = plan.imported.keys().map(ToString::to_string);
    let moved = plan.moved.keys().map(ToString::to_string);
    add(&mut deeds, Deed::Import, imported);
    add(&mut deeds, Deed::Move, moved);
    deeds
}

fn add(deeds: &mut Deeds, deed: Deed, to: impl Iterator<Item = String>) {
    let all: Vec<String> = to.collect();
    if !all.is_empty() {
        deeds.entry(deed).or_default().extend(all);
    }
}

fn of_changes(changes: &[ResourceChange]) -> Deeds {
    let mut deeds = Deeds::new();
    for change in changes {
        deeds.entry(deed(change)).or_default().push(change.subject.to_string());
    }
    deeds
}

fn deed(change: &ResourceChange) -> Deed {
    match (change.action, &change.reason) {
        // What is gone already is only no longer recorded.
        (Action::Delete | Action::Forget, Reason::Observed) | (Action::Forget, _) => Deed::Forget,
        (Action::Delete, _) => Deed::Destroy,
        (Action::Replace, _) => Deed::Replace,
        (Action::Create, _) => Deed::Create,
        (Action::Update, _) => Deed::Update,
    }
}

/// Lists the first of some names, and counts the others.
pub fn listed(names: &[String]) -> String {
    let mut first = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > NAMED {
        first += &format!(" and {} more", names.len() - NAMED);
    }
    first
}

/// Looks at a plan, and says what it may not do, with what was looked at.
pub(crate) fn judge(
    planner: &mut Planner<'_>,
    changes: &[ResourceChange],
    owned: usize,
) -> (Vec<Refusal>, Vec<Guarded>) {
    let Some(limits) = planner.options.limits.clone() else { return (Vec::new(), Vec::new()) };
    let Limits { guard, max_destroy, allow_lockout: _ } = &limits;
    warn_of_misnamed(planner, guard);
    let mut deeds = of_changes(changes);
    add(&mut deeds, Deed::Import, planner.imported.keys().map(ToString::to_string));
    add(&mut deeds, Deed::Move, planner.moved.keys().map(ToString::to_string));
    let destroyed = Destroyed::count(&deeds, changes, owned);
    let mut judged = Judged::default();
    if let Some(bound) = max_destroy {
        judged.add(format!("-max-destroy={bound}"), destroyed.look(*bound, &on_the_command_line));
    }
    if let Some(bound) = guard.max_destroy {
        let place = guard.place("max_destroy");
        let raise = |enough: String| format!("raise `max_destroy` at {place} to {enough}");
        judged.add(
            format!("max_destroy = {} ({place})", written(bound)),
            destroyed.look(bound, &raise),
        );
    }
    if !guard.forbid.is_empty() {
        let place = guard.place("forbid");
        let words: Vec<_> = guard.forbid.iter().map(|it| format!("\"{it}\"")).collect();
        let name = format!("forbid = [{}] ({place})", words.join(", "));
        judged.add(name, forbidden(guard, &place, &deeds));
    }
    if !guard.protect.is_empty() {
        let place = guard.place("protect");
        judged.add(format!("protect ({place})"), protected(guard, &place, changes));
    }
    (judged.refusals, judged.looked_at)
}

#[derive(Default)]
struct Judged {
    refusals: Vec<Refusal>,
    looked_at: Vec<Guarded>,
}

impl Judged {
    fn add(&mut self, guard: String, (found, refusals): (String, Vec<Refusal>)) {
        let refuses = !refusals.is_empty();
        self.looked_at.push(Guarded { guard, found, refuses });
        self.refusals.extend(refusals);
    }
}

/// How much a plan destroys.
struct Destroyed {
    destroyed: usize,
    replaced: usize,
    /// Peers that nobody declared, and that go with their interface.
    foreign: usize,
    owned: usize,
}

impl Destroyed {
    fn count(deeds: &Deeds, changes: &[ResourceChange], owned: usize) -> Self {
        let number = |deed| deeds.get(&deed).map_or(0, Vec::len);
        let notes = changes.iter().flat_map(|it| &it.notes);
        let foreign = notes.map(|note| match note {
            Note::UnmanagedGo(number) => *number,
            _ => 0,
        });
        let (destroyed, replaced) = (number(Deed::Destroy), number(Deed::Replace));
        Self { destroyed, replaced, foreign: foreign.sum(), owned }
    }

    fn all(&self) -> usize {
        self.destroyed + self.replaced + self.foreign
    }

    /// Says what is counted.
    fn told(&self) -> String {
        let mut parts = vec![format!("{} to destroy", self.destroyed)];
        if self.replaced > 0 {
            parts.push(format!("{} to replace", self.replaced));
        }
        if self.foreign > 0 {
            parts.push(format!("{} unmanaged with them", self.foreign));
        }
        format!("{}, of {} owned", parts.join(", "), self.owned)
    }

    fn look(&self, bound: Bound, way_out: &dyn Fn(String) -> String) -> (String, Vec<Refusal>) {
        let found = self.told();
        if bound.allows(self.all(), self.owned) {
            return (found, Vec::new());
        }
        let enough = match bound {
            Bound::Percent(_) if self.all() <= self.owned => {
                // Rounded up, so that it is enough.
                format!("{}%", (self.all() * 100).div_ceil(self.owned.max(1)))
            }
            _ => self.all().to_string(),
        };
        let message = format!(
            "the plan would destroy {} ({found}), and {bound} {} allowed",
            crate::plan::limit::resources(self.all()),
            if bound == Bound::Count(1) { "is" } else { "are" },
        );
        let hints = vec![
            format!("{}, if all of that is meant to go", way_out(enough)),
            "or make the change in parts, with `-target` or `-exclude`".to_owned(),
        ];
        (found, vec![Refusal { message, hints }])
    }
}

fn on_the_command_line(enough: String) -> String {
    format!("say `-max-destroy={enough}`")
}

/// As it stands in a configuration.
fn written(bound: Bound) -> String {
    match bound {
        Bound::Count(number) => number.to_string(),
        Bound::Percent(percent) => format!("\"{percent}%\""),
    }
}

fn resources(number: usize) -> String {
    format!("{number} {}", if number == 1 { "resource" } else { "resources" })
}

fn forbidden(guard: &Guard, place: &str, deeds: &Deeds) -> (String, Vec<Refusal>) {
    let done = deeds.iter().filter(|(deed, _)| guard.forbid.contains(deed));
    let refusals: Vec<Refusal> = done
        .map(|(deed, names)| Refusal {
            message: format!(
                "the plan would {deed} {} ({}), which `forbid` at {place} forbids",
                resources(names.len()),
                listed(names)
            ),
            hints: vec![format!(
                "leave it out with `-exclude`, or take \"{deed}\" out of `forbid` at {place}"
            )],
        })
        .collect();
    let found = if refusals.is_empty() { "none of that is planned" } else { "it is planned" };
    (found.to_owned(), refusals)
}

fn protected(guard: &Guard, place: &str, changes: &[ResourceChange]) -> (String, Vec<Refusal>) {
    let is_protected =
        |address: &Address| guard.protect.iter().any(|it| it.pattern.matches(address, []));
    let mut refusals = Vec::new();
    for change in changes {
        let verb = match deed(change) {
            Deed::Destroy => "destroyed",
            Deed::Replace => "replaced",
            _ => continue,
        };
        let Subject::Resource(address) = &change.subject else { continue };
        if is_protected(address) {
            refusals.push(Refusal {
                message: format!("`{address}` is in `protect` at {place}, and would be {verb}"),
                hints: vec![format!("leave it as it is, or take it out of `protect` at {place}")],
            });
        }
    }
    let found = match refusals.len() {
        0 => "nothing of it is destroyed or replaced".to_owned(),
        number => format!("{} of it would be destroyed or replaced", resources(number)),
    };
    (found, refusals)
}

/// Says that `protect` names what is not in the configuration, where the state is not at hand. A plan says no more of what
/// the state still has.
pub fn protects_nothing(guard: &Guard, configured: &[Address]) -> Vec<Diagnostic> {
    let is_there = |it: &&Named| configured.iter().any(|address| it.pattern.matches(address, []));
    let missing = guard.protect.iter().filter(|it| !is_there(it));
    missing.map(|it| names_nothing(it, "nothing in the configuration is called that")).collect()
}

/// Says that `protect` names what is neither in the configuration nor in the state.
fn warn_of_misnamed(planner: &mut Planner<'_>, guard: &Guard) {
    let is_there = |named: &&Named| {
        let known = planner.state.resources.keys().chain(&planner.configured);
        known.into_iter().any(|it| named.pattern.matches(it, []))
    };
    let missing = guard.protect.iter().filter(|it| !is_there(it));
    let warnings: Vec<_> = missing.map(|it| names_nothing(it, "this protects nothing")).collect();
    planner.warnings.extend(warnings);
}
