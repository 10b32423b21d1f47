//! Makes the steps of a plan and puts them in order.
//!
//! What is referred to comes before what refers to it, deletes in the inverse order, the step that gives up a name or a
//! port before the one that takes it. A swap of ports or names is broken by a temporary value. The two ends of a link
//! stay next to each other wherever nothing else decides.

pub(crate) mod draft;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::actual::OwnKeys;
use crate::diagnostic::Diagnostic;
use crate::graph::Graph;
use crate::link::Links;
use crate::plan::check::{self, Unmanaged};
use crate::plan::order::draft::{Claim, Draft, Drafts};
use crate::plan::order::way::Ways;
use crate::plan::path::Precedence;
use crate::plan::view::View;
use crate::plan::walk::Planner;
use crate::plan::{
    Effect, KeySource, PlannedAct, PlannedSetting, ResourceChange, Sessions, Step, Subject,
};
use crate::resource::{Address, BackendId, Kind, Setting};

/// The steps, and what they mean for each resource.
#[derive(Debug)]
pub(crate) struct Ordered {
    pub(crate) changes: Vec<ResourceChange>,
    pub(crate) steps: Vec<Step>,
    pub(crate) sessions: Sessions,
    /// The backends whose way could not be kept by the order.
    pub(crate) disordered: BTreeSet<BackendId>,
}

/// Makes the steps.
///
/// # Errors
/// When steps wait for each other in a way that a temporary value cannot break, and with everything that was found
/// wrong so far.
pub(crate) fn steps(
    planner: &mut Planner<'_>,
    links: &Links,
    view: &View,
    unmanaged: &Unmanaged,
    precedences: Vec<&Precedence>,
) -> Result<Ordered, Vec<Diagnostic>> {
    let Drafts { mut drafts, changes } = draft::drafts(planner, links, view, unmanaged);
    if !planner.diagnostics.is_empty() {
        return Err(std::mem::take(&mut planner.diagnostics));
    }
    let ranks = Ranks::new(links, &drafts);
    let mut ways = Ways::new(precedences, &mut drafts);
    loop {
        let graph = edges(planner, &drafts, &ways);
        match graph.order(|index| ranks.of(&drafts, index)) {
            Ok(order) => {
                let steps = in_order(&graph, drafts, &order);
                let sessions = Sessions::default();
                return Ok(Ordered { changes, steps, sessions, disordered: ways.dropped });
            }
            Err(cycle) => {
                if !ways.give_way(&mut drafts, &cycle)
                    && !persist_later(&mut drafts, &cycle)
                    && !break_swap(planner, &mut drafts, &cycle)
                {
                    return Err(vec![waiting(planner, &drafts, &cycle)]);
                }
            }
        }
    }
}

/// Both ends of a link have one number, in the order of the configuration, and a peer that gives up a network comes
/// before those that may take it.
struct Ranks<'a> {
    links: &'a Links,
    numbers: BTreeMap<Address, usize>,
}

impl<'a> Ranks<'a> {
    fn new(links: &'a Links, drafts: &[Draft]) -> Self {
        let mut numbers = BTreeMap::new();
        for draft in drafts {
            if let Some(address) = draft.step.subject.address().filter(|it| it.kind == Kind::Peer) {
                let next = numbers.len();
                numbers.entry(links.name(address).clone()).or_insert(next);
            }
        }
        Self { links, numbers }
    }

    fn of(&self, drafts: &[Draft], index: usize) -> (u8, usize, usize) {
        let draft = &drafts[index];
        match draft.step.subject.address() {
            Some(address) if address.kind == Kind::Peer => {
                let number =
                    self.numbers.get(self.links.name(address)).copied().unwrap_or(usize::MAX);
                (if draft.gives_networks { 1 } else { 2 }, number, index)
            }
            Some(_) => (0, 0, index),
            None => (1, 0, index),
        }
    }
}

fn edges(planner: &Planner<'_>, drafts: &[Draft], ways: &Ways) -> Graph {
    let mut graph = Graph::new(drafts.len());
    let mut makes: BTreeMap<&Address, usize> = BTreeMap::new();
    let mut removes: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        let Some(address) = draft.step.subject.address() else { continue };
        if draft.is_removal() {
            removes.entry(address).or_default().push(index);
        } else if !draft.makes_way() && (!changes_in_place(draft) || chooses(planner, draft)) {
            makes.entry(address).or_insert(index);
        }
    }
    for (index, draft) in drafts.iter().enumerate() {
        for earlier in draft.after.iter().chain(&draft.follows) {
            graph.before(*earlier, index);
        }
        if matches!(draft.step.act, PlannedAct::SetRoutes { .. }) {
            continue;
        }
        let Some(address) = draft.step.subject.address() else { continue };
        let wanted = planner.desired.get(address).map(|it| &*it.depends_on);
        if !draft.is_removal() && !draft.makes_way() {
            for needed in wanted.into_iter().flatten() {
                makes.get(needed).into_iter().for_each(|earlier| graph.before(*earlier, index));
            }
        }
        // An interface comes up again only when the one that it replaces is gone.
        if enables(draft) {
            let gone = removes.get(address).into_iter().flatten();
            gone.for_each(|earlier| graph.before(*earlier, index));
        }
        // The state forgets who had an object after it has learnt who has it now.
        let taker = draft.taken_over_by.as_ref().and_then(|taker| makes.get(taker));
        taker.into_iter().for_each(|earlier| graph.before(*earlier, index));
        // What was referred to goes after whatever referred to it has gone, or was changed.
        let recorded = planner.state.resources.get(address).map(|record| &record.dependencies);
        for needed in recorded.into_iter().flatten() {
            let later = removes.get(needed).into_iter().flatten();
            // On two systems nothing but the way to one of them says which goes first.
            let later = later.filter(|later| !ways.reverses(index, **later));
            later.for_each(|later| graph.before(index, *later));
        }
    }
    claims(drafts, &mut graph);
    with_the_interface(drafts, &mut graph);
    graph
}

fn enables(draft: &Draft) -> bool {
    match &draft.step.act {
        PlannedAct::UpdateInterface { settings, .. } => settings.contains_key("enabled"),
        _ => false,
    }
}

/// An interface that keeps its name, and whose key is known, is as good for whatever refers to it before the change as
/// after it; and what only clears an old key file away makes nothing.
fn changes_in_place(draft: &Draft) -> bool {
    matches!(
        &draft.step.act,
        PlannedAct::UpdateInterface { rename: None, key: None | Some(KeySource::Held(_)), .. }
            | PlannedAct::DeleteInterface { .. }
            | PlannedAct::SetRoutes { .. }
            | PlannedAct::Persist { .. }
    )
}

/// Returns whether the device chooses a port in this step, for which whoever refers to it has to wait.
fn chooses(planner: &Planner<'_>, draft: &Draft) -> bool {
    let interface = draft.step.subject.address().and_then(|it| planner.desired.get(it));
    enables(draft) && interface.is_some_and(|it| check::port_of(planner, it).is_none())
}

/// A peer that goes is removed while its interface is there, and under the name that it has then: the recorded one, or
/// the new one when another peer is made in its place first.
fn with_the_interface(drafts: &[Draft], graph: &mut Graph) {
    type Place<'a> = (Option<&'a BackendId>, &'a String);
    let (mut ends, mut begins) = (BTreeMap::<Place<'_>, usize>::new(), BTreeMap::new());
    for (index, draft) in drafts.iter().enumerate() {
        let backend = draft.step.backend.as_ref();
        match &draft.step.act {
            PlannedAct::UpdateInterface { name, rename: Some(new), .. } => {
                ends.insert((backend, name), index);
                begins.insert((backend, new), index);
            }
            PlannedAct::DeleteInterface { name, .. } => _ = ends.insert((backend, name), index),
            _ => {}
        }
    }
    for (index, draft) in drafts.iter().enumerate() {
        let PlannedAct::DeletePeer { interface, .. } = &draft.step.act else { continue };
        let place = (draft.step.backend.as_ref(), interface);
        // What another peer was made for first.
        let is_replaced =
            matches!(draft.step.effect, Effect::RemoveDeposed(_)) && !draft.after.is_empty();
        match is_replaced {
            true => begins.get(&place).iter().for_each(|begin| graph.before(**begin, index)),
            false => ends.get(&place).iter().for_each(|end| graph.before(index, **end)),
        }
    }
}

/// Whoever gives up a name or a port goes before whoever takes it.
fn claims(drafts: &[Draft], graph: &mut Graph) {
    let mut givers: BTreeMap<&Claim, Vec<usize>> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        draft.gives.iter().for_each(|claim| givers.entry(claim).or_default().push(index));
    }
    for (index, draft) in drafts.iter().enumerate() {
        let before = draft.takes.iter().filter_map(|claim| givers.get(claim)).flatten();
        before.for_each(|giver| graph.before(*giver, index));
    }
}

/// Lets the files of an interface be written when its peers have gone, where something else waits for one of them.
fn persist_later(drafts: &mut [Draft], cycle: &[usize]) -> bool {
    let is_files = |index: &usize| matches!(drafts[*index].step.act, PlannedAct::Persist { .. });
    let is_first = |files: &usize| cycle.iter().any(|it| drafts[*it].follows.contains(files));
    let Some(files) = cycle.iter().copied().filter(is_files).find(is_first) else { return false };
    let mut removals = Vec::new();
    for (index, draft) in drafts.iter_mut().enumerate() {
        let is_removal = matches!(draft.step.act, PlannedAct::DeletePeer { .. });
        if is_removal && draft.follows.contains(&files) {
            draft.follows.retain(|it| *it != files);
            removals.push(index);
        }
    }
    let has_any = !removals.is_empty();
    drafts[files].follows.extend(removals);
    drafts[files].follows.sort_unstable();
    has_any
}

/// Lets one step of a swap give up what it has for a temporary value first.
fn break_swap(planner: &Planner<'_>, drafts: &mut Vec<Draft>, cycle: &[usize]) -> bool {
    let number = drafts.len();
    let halves = cycle.iter().filter(|index| {
        let draft = &drafts[**index];
        !draft.is_temporary && !draft.gives.is_empty()
    });
    let mut acts = halves.filter_map(|index| {
        let draft = &drafts[*index];
        Some((*index, temporary(draft, temporary_name(planner, drafts, draft))?))
    });
    let Some((index, act)) = acts.next() else { return false };
    let original = &mut drafts[index];
    let frees_port =
        matches!(&act, PlannedAct::UpdateInterface { settings, .. } if !settings.is_empty());
    let is_given = |claim: &Claim| frees_port || !matches!(claim, Claim::Port(..));
    let (gives, kept) = std::mem::take(&mut original.gives).into_iter().partition(is_given);
    original.gives = kept;
    let step = Step { act, effect: Effect::Meanwhile, ..original.step.clone() };
    original.after.push(number);
    original.is_temporary = true;
    if let (
        PlannedAct::UpdateInterface { rename: Some(meanwhile), key_file: moved_to, .. },
        PlannedAct::UpdateInterface { name, own_keys, .. },
    ) = (&step.act, &mut original.step.act)
    {
        name.clone_from(meanwhile);
        if let Some(moved_to) = moved_to {
            own_keys.remove = [moved_to.clone()].into();
        }
    }
    let mut temporary = Draft::new(step);
    temporary.gives = gives;
    temporary.is_temporary = true;
    drafts.push(temporary);
    true
}

/// Returns a name that nothing on the host has: an earlier run may have been cut off in a swap of its own.
fn temporary_name(planner: &Planner<'_>, drafts: &[Draft], draft: &Draft) -> String {
    let picture = draft.step.backend.as_ref().and_then(|backend| planner.picture(backend));
    let is_free = |name: &String| {
        let has_file = |path: &PathBuf| path.file_name() == Some(name.as_ref());
        picture.is_none_or(|it| {
            !it.interfaces.contains_key(name)
                && !it.other_links.contains(name)
                && !it.key_files.keys().any(has_file)
        })
    };
    // Nor has another half of a swap in this plan.
    let is_taken = |name: &String| {
        drafts.iter().any(|it| {
            matches!(&it.step.act, PlannedAct::UpdateInterface { rename: Some(new), .. } if new == name)
        })
    };
    let mut names = (drafts.len()..).map(|number| format!("wgform-tmp{number}"));
    names.find(|name| is_free(name) && !is_taken(name)).unwrap_or_default()
}

/// Returns the act that makes an interface give up its name or port, if that is what the step does.
fn temporary(draft: &Draft, meanwhile_name: String) -> Option<PlannedAct> {
    let PlannedAct::UpdateInterface { name, rename, key_file, own_keys, settings, key: _ } =
        &draft.step.act
    else {
        return None;
    };
    let has_port = draft.gives.iter().any(|claim| matches!(claim, Claim::Port(..)));
    let rename = rename.as_ref().map(|_| meanwhile_name);
    let mut meanwhile = BTreeMap::new();
    if has_port && settings.contains_key("listen_port") {
        meanwhile.insert("listen_port", PlannedSetting::Direct(Setting::Clear));
    } else if has_port && settings.contains_key("enabled") {
        meanwhile.insert("enabled", PlannedSetting::Wanted);
    }
    if rename.is_none() && meanwhile.is_empty() {
        return None;
    }
    // The key's file goes along, also one that is to go: under its old name the other half of the swap would overwrite it,
    // or would lose its own in it.
    let old = own_keys.remove.first();
    let moved = rename.as_ref().zip(old.map(|old| key_file.as_ref().unwrap_or(old)));
    let key_file = moved.map(|(name, path)| path.with_file_name(name));
    Some(PlannedAct::UpdateInterface {
        name: name.clone(),
        key: None,
        own_keys: match &key_file {
            Some(_) => own_keys.clone(),
            None => OwnKeys::default(),
        },
        key_file,
        rename,
        settings: meanwhile,
    })
}

fn in_order(graph: &Graph, drafts: Vec<Draft>, order: &[usize]) -> Vec<Step> {
    let mut place = vec![0; order.len()];
    order.iter().enumerate().for_each(|(at, index)| place[*index] = at);
    let mut steps: Vec<_> =
        drafts.into_iter().map(|Draft { step, follows, .. }| Some((step, follows))).collect();
    let ordered = order.iter().filter_map(|index| {
        let (mut step, follows) = steps[*index].take()?;
        let before = graph.directly_before(*index).into_iter();
        (step.follows, step.after) = before.partition(|it| follows.binary_search(it).is_ok());
        for places in [&mut step.follows, &mut step.after] {
            places.iter_mut().for_each(|it| *it = place[*it]);
            places.sort_unstable();
        }
        Some(step)
    });
    ordered.collect()
}

fn waiting(planner: &Planner<'_>, drafts: &[Draft], cycle: &[usize]) -> Diagnostic {
    let path =
        cycle.iter().chain(cycle.first()).filter_map(|index| match &drafts[*index].step.subject {
            Subject::Resource(address) => Some(format!("`{address}`")),
            Subject::Backend(_) | Subject::Unmanaged { .. } => None,
        });
    let mut path: Vec<String> = path.collect();
    path.dedup();
    let path = path.join(" → ");
    let mut problem = Diagnostic::error("changes that wait for each other").help(format!(
        "Each of these has to be changed before the next one: {path}. Make one of the changes in an apply of its own."
    ));
    let addresses: BTreeSet<_> =
        cycle.iter().filter_map(|it| drafts[*it].step.subject.address()).collect();
    for address in addresses {
        if let Some(desired) = planner.desired.get(address) {
            problem = problem.label(&desired.span, "waits for the other");
        }
    }
    problem
}
