//! When the routes of an interface are written: after the interface and all its peers, so that no packet is sent to a
//! peer that does not take it yet, and that what a change of the link has lost comes back.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::order::draft::{Draft, Drafter, put, step};
use crate::plan::routes::{RoutePlan, recorded_interface, recorded_rules};
use crate::plan::walk::interface::OnDevice;
use crate::plan::walk::{Node, Planner};
use crate::plan::{Action, Effect, PlannedAct, Recipe, Step, Subject};
use crate::resource::{Address, Kind};
use crate::state::{ObjectKey, ResourceRecord};
use crate::value::RouteRule;

impl Drafter {
    /// Adds the step for the routes, if there is anything to write or something may be lost. `first` is the number of
    /// the first draft for the interface.
    pub(crate) fn set_routes(&mut self, node: &Node, on_device: &OnDevice, first: usize) {
        let Some(plan) = &on_device.routes else { return };
        let is_only_recorded = |draft: &Draft| matches!(draft.step.act, PlannedAct::Record);
        let is_alone = self.drafts[first..].iter().all(is_only_recorded);
        let is_write = node.diffs.iter().any(|it| it.attribute.name == "routes" && it.is_write());
        if !is_write && (is_alone || !plan.is_something()) {
            return;
        }
        if is_alone {
            self.drafts.truncate(first);
        }
        let RoutePlan { recipe, old_rules, .. } = plan;
        let mut remove_rules = old_rules.clone();
        if !is_alone && plan.drops_rules() {
            // Without its mark, what the tunnel itself sends would be sent into the tunnel.
            let drop = set(on_device, None, std::mem::take(&mut remove_rules));
            let drop = Draft::new(step(node, Action::Update, drop, Effect::Nothing));
            let drop = self.push(drop);
            self.drafts[first..drop].iter_mut().for_each(|draft| draft.after.push(drop));
        }
        let effect = if is_alone { put() } else { Effect::Routes };
        let act = set(on_device, Some(Box::new(recipe.clone())), remove_rules);
        let mut draft = Draft::new(step(node, Action::Update, act, effect));
        draft.after = (first..self.drafts.len()).collect();
        self.push(draft);
    }

    /// Removes the rules on the host that an interface leaves, first of all: later on, nothing would tell of them.
    pub(crate) fn leave_rules(&mut self, planner: &Planner<'_>, node: &Node, first: usize) {
        let Some(record) = planner.state.resources.get(&node.address) else { return };
        let rules = recorded_rules(planner, &node.address);
        if record.backend == node.backend || rules.is_empty() {
            return;
        }
        let nothing = step(node, Action::Update, PlannedAct::Record, Effect::Nothing);
        let on_old_host = Step { backend: record.backend.clone(), ..nothing };
        let drop = self.drop_rules(&on_old_host, record, rules);
        self.drafts[first..drop].iter_mut().for_each(|draft| draft.after.push(drop));
    }

    /// Removes the rules of an interface before that goes.
    pub(crate) fn drop_rules(
        &mut self,
        removal: &Step,
        record: &ResourceRecord,
        remove_rules: BTreeSet<RouteRule>,
    ) -> usize {
        let interface = match &record.object {
            ObjectKey::Interface { name, .. } => name.clone(),
            ObjectKey::Peer { .. } | ObjectKey::PresharedKey {} => String::new(),
        };
        let act = PlannedAct::SetRoutes { interface, recipe: None, remove_rules };
        self.push(Draft::new(Step { act, effect: Effect::Nothing, ..removal.clone() }))
    }

    /// Lets the routes of each interface wait for its peers, and not for their success: one that fails must not keep
    /// the others from their routes.
    pub(crate) fn let_routes_follow(&mut self, planner: &Planner<'_>) {
        let mut peers: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
        for (index, draft) in self.drafts.iter().enumerate() {
            let address = draft.step.subject.address().filter(|it| it.kind == Kind::Peer);
            if let Some(on) = address.and_then(|it| interface_of(planner, it)) {
                peers.entry(on).or_default().push(index);
            }
        }
        for draft in &mut self.drafts {
            let Subject::Resource(address) = &draft.step.subject else { continue };
            let is_last = matches!(draft.step.act, PlannedAct::SetRoutes { recipe: Some(_), .. });
            if is_last && let Some(peers) = peers.get(address) {
                draft.follows.clone_from(peers);
            }
        }
    }
}

fn set(
    on_device: &OnDevice,
    recipe: Option<Box<Recipe>>,
    remove_rules: BTreeSet<RouteRule>,
) -> PlannedAct {
    // Rules can go before a link has its new name.
    PlannedAct::SetRoutes { interface: on_device.name.clone(), recipe, remove_rules }
}

fn interface_of(planner: &Planner<'_>, peer: &Address) -> Option<Address> {
    let wanted = planner.nodes.get(peer).and_then(Node::peer).map(|peer| peer.on.clone());
    wanted.or_else(|| recorded_interface(planner.state.resources.get(peer)?))
}
