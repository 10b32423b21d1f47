//! What only a device has that stores and applies apart, and a firewall: whether its WireGuard is on, and what a tunnel
//! is called and assigned to.

use std::collections::{BTreeMap, BTreeSet};

use crate::actual::{FoundInterface, Reading, Service};
use crate::config::{AllUnknown, Config, Desired, Evaluator, Wanted, of_the_interface};
use crate::diagnostic::Diagnostic;
use crate::plan::check::span;
use crate::plan::walk::{Fate, Node, Planner};
use crate::plan::{
    Action, Effect, FirewallNote, Note, PlannedAct, Reason, ResourceChange, Step, Subject,
};
use crate::resource::{BackendId, BackendKind, Field, Kind};
use crate::state::ObjectKey;

/// The attribute that says whether a tunnel is assigned.
const ASSIGNED: &str = "assign_descr";

impl Planner<'_> {
    /// Warns of what is stored and has no effect.
    pub(super) fn warn_of_service(&mut self, config: &Config) {
        for (id, reading) in &self.actual.backends {
            let Reading::Read(picture) = reading else { continue };
            let Some(Service { is_on, is_applied }) = picture.service else { continue };
            let is_managed = self.views.get(id).is_some_and(|view| view.manage_service);
            let (warning, says, help) = match (is_on, is_applied) {
                (false, _) if !is_managed => (
                    Diagnostic::warning("firewall with WireGuard switched off"),
                    "what is written is stored, and nothing of it reaches the kernel",
                    "Set `manage_service = true` on the backend, or enable WireGuard in `VPN > WireGuard > Settings`.",
                ),
                (true, false) => (
                    Diagnostic::warning("firewall with changes that are not applied"),
                    "something was changed and not brought to the kernel",
                    "An apply of wgform that writes there brings it there too. To see what it is, look at `VPN > WireGuard`.",
                ),
                _ => continue,
            };
            self.warnings.push(match config.backend_span(id) {
                Some(span) => warning.label(span, says).help(help),
                None => warning.help(format!("Backend `{id}`: {says}. {help}")),
            });
        }
    }

    /// Reports backends that are one firewall: two clients of it would lose what the other one writes.
    pub(super) fn check_one_firewall(&mut self, config: &Config) {
        let mut firewalls: BTreeMap<&str, &BackendId> = BTreeMap::new();
        for (id, reading) in &self.actual.backends {
            let Reading::Read(picture) = reading else { continue };
            let identity = picture.identity.id.as_str();
            if picture.kind != BackendKind::PfSense || identity.is_empty() {
                continue;
            }
            let Some(other) = firewalls.insert(identity, id) else { continue };
            let problem = Diagnostic::error("two backends that are one firewall")
                .help("Keep one of the two: a firewall keeps nobody apart, and each would lose what the other writes.");
            self.diagnostics.push(match (config.backend_span(other), config.backend_span(id)) {
                (Some(first), Some(second)) => problem
                    .label(first, format!("`{other}` is the firewall {identity}"))
                    .label(second, format!("and so is `{id}`")),
                _ => problem,
            });
        }
    }

    /// Returns what is to be done so that what is stored takes effect, for each backend where something is: the step,
    /// and how it is shown.
    pub(crate) fn services(
        &self,
        written: &BTreeSet<BackendId>,
    ) -> Vec<(BackendId, Step, ResourceChange)> {
        let mut steps = Vec::new();
        for (id, reading) in &self.actual.backends {
            let Reading::Read(picture) = reading else { continue };
            let Some(Service { is_on, is_applied }) = picture.service else { continue };
            let is_refused = self.verdict.refusals.contains_key(id);
            let is_written = written.contains(id);
            // What a run removed before it was cut off is not in the state any more, and may be in the kernel.
            let is_ours = self.in_use.contains(id);
            let concerns = is_written || (is_ours && !self.options.is_partial());
            let view = self.views.get(id);
            let is_managed = view.is_some_and(|view| view.manage_service);
            let is_refused = is_refused || view.is_some_and(|view| view.read_only);
            let switch_on = !is_on && is_managed && !self.options.destroy;
            // A batch applies whatever is stored when it has ended.
            let waits = is_on && !is_applied && !is_written;
            if is_refused || !concerns || !(switch_on || waits) {
                continue;
            }
            let (reason, note) = match switch_on {
                true => (Reason::Configuration, FirewallNote::SwitchedOn),
                // What a run of ours was cut off before is nobody's change.
                false if self.had_open => (Reason::Interrupted, FirewallNote::Applied),
                false => (Reason::Drift, FirewallNote::Applied),
            };
            let subject = Subject::Backend(id.clone());
            let step = Step {
                subject: subject.clone(),
                backend: Some(id.clone()),
                action: Action::Update,
                act: PlannedAct::Apply { switch_on },
                effect: Effect::Nothing,
                after: Vec::new(),
                follows: Vec::new(),
            };
            let change = ResourceChange {
                subject,
                backend: Some(id.clone()),
                action: Action::Update,
                reason,
                attributes: Vec::new(),
                sensitive: BTreeSet::new(),
                notes: vec![Note::Firewall(note)],
            };
            steps.push((id.clone(), step, change));
        }
        steps
    }

    /// Notes the names of tunnels that the state knows or the configuration asks for: none of them is chosen for another
    /// one.
    pub(super) fn reserve_names(&mut self, evaluator: &Evaluator<'_>) {
        if !self.views.values().any(|view| view.kind == BackendKind::PfSense) {
            return;
        }
        for record in self.state.resources.values() {
            if let (Some(backend), ObjectKey::Interface { name, .. }) =
                (&record.backend, &record.object)
            {
                self.reserved.insert((backend.clone(), name.clone()));
            }
        }
        for address in evaluator.resources().iter().filter(|it| it.kind == Kind::Interface) {
            // What is wrong is said when it is planned.
            let Ok(desired) = evaluator.resource(address, &AllUnknown) else { continue };
            if let (Some(backend), Some(Wanted::Known(Field::Text(name)))) =
                (&desired.backend, desired.fields.get("name"))
                && self.kind_of(Some(backend)) == BackendKind::PfSense
            {
                self.reserved.insert((backend.clone(), name.clone()));
            }
        }
    }

    /// Chooses the name of a tunnel: the lowest that nothing on the firewall has or points to, and nobody asks for.
    pub(crate) fn free_name(&self, backend: &BackendId) -> String {
        let picture = self.picture(backend);
        let is_free = |name: &String| {
            let is_there = picture.is_some_and(|it| {
                it.interfaces.contains_key(name) || it.other_links.contains(name)
            });
            !is_there && !self.reserved.contains(&(backend.clone(), name.clone()))
        };
        let mut names = (0..).map(|number: u32| format!("tun_wg{number}"));
        names.find(is_free).unwrap_or_default()
    }

    /// Reports what has no effect on a firewall.
    pub(crate) fn check_firewall(&mut self, desired: &Desired, is_assigned: bool) {
        if self.kind_of(desired.backend.as_ref()) != BackendKind::PfSense {
            return;
        }
        let is_ours = self
            .state
            .resources
            .get(&desired.address)
            .is_some_and(|it| it.attributes.contains_key(ASSIGNED));
        // What is assigned by the configuration was looked at when it was evaluated.
        let by_others = is_assigned && !is_ours && !desired.fields.contains_key(ASSIGNED);
        let is_empty = matches!(desired.fields.get("addresses"), Some(Wanted::Known(Field::Addresses(all))) if all.is_empty());
        if by_others && desired.spans.contains_key("addresses") && !is_empty {
            self.diagnostics.push(of_the_interface(span(desired, "addresses"), "addresses"));
        }
        if let Some(at) = desired.spans.get("mtu") {
            self.warnings.push(
                Diagnostic::warning("tunnel MTU that the firewall only stores")
                    .label(at, "pfSense does not set the MTU of a tunnel that is not assigned")
                    .help("Write it as `mtu` in a block `assign`, which the firewall sets."),
            );
        }
    }

    /// Warns of tunnels that are not assigned, and that far ends send something through to behind the firewall.
    pub(super) fn warn_of_unassigned(&mut self) {
        let mut warnings = Vec::new();
        for end in self.ends() {
            let Some(far) = &end.far_interface else { continue };
            let (Some(node), Some(desired)) = (self.nodes.get(far), self.desired.get(far)) else {
                continue;
            };
            if self.kind_of(node.backend.as_ref()) != BackendKind::PfSense
                || is_assigned(node, desired)
            {
                continue;
            }
            let Some(Wanted::Known(Field::Prefixes(allowed))) =
                self.desired.get(&end.peer).and_then(|it| it.fields.get("allowed_ips"))
            else {
                continue;
            };
            let own = match desired.fields.get("addresses") {
                Some(Wanted::Known(Field::Addresses(own))) => own.clone(),
                _ => BTreeSet::new(),
            };
            let Some(behind) =
                allowed.iter().find(|it| !own.iter().any(|own| own.prefix().contains(it)))
            else {
                continue;
            };
            warnings.push(
                Diagnostic::warning("tunnel of a firewall that nothing is routed into")
                    .label(&desired.span, format!("`{}` sends `{behind}` here, and the tunnel is not assigned to an interface", end.peer))
                    .help("Add a block `assign { descr = \"…\" }`, and a rule of the firewall for that interface."),
            );
        }
        self.warnings.extend(warnings);
    }
}

/// Returns whether a tunnel is to be assigned to an interface, or stays so.
fn is_assigned(node: &Node, desired: &Desired) -> bool {
    let found = node.interface().and_then(|it| it.found.as_ref());
    let is_changed = node.diffs.iter().any(|it| it.attribute.name == ASSIGNED && it.is_write());
    let stays = !is_changed && found.is_some_and(|it| it.contains_key(ASSIGNED));
    desired.fields.contains_key(ASSIGNED) || stays
}

/// Says what an assignment, or the end of one, brings about. What takes the place of a tunnel gets an interface of its own.
pub(crate) fn assignment_notes(node: &Node, desired: &Desired) -> Vec<Note> {
    let Some(on_device) = node.interface() else { return Vec::new() };
    let found = on_device.found.as_ref().and_then(|it| it.get(ASSIGNED)?.as_str());
    let is_wanted = desired.fields.contains_key(ASSIGNED);
    let is_written = node.diffs.iter().any(|it| it.attribute.name == ASSIGNED && it.is_write());
    let goes = match node.fate {
        Fate::Replace => true,
        _ => is_written && !is_wanted,
    };
    let comes = is_wanted && (node.fate != Fate::Keep || is_written && found.is_none());
    let released = found.filter(|_| goes).map(|name| FirewallNote::Released(name.to_owned()));
    let notes = released.into_iter().chain(comes.then_some(FirewallNote::Assigned));
    notes.map(Note::Firewall).collect()
}

/// Says what goes with a tunnel that is removed.
pub(crate) fn released(found: &FoundInterface) -> Option<Note> {
    match found.fields.get(ASSIGNED)? {
        Field::Text(name) => Some(Note::Firewall(FirewallNote::Released(name.clone()))),
        _ => None,
    }
}
