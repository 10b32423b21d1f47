//! The steps after which an interface comes back at boot as the plan leaves it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::actual::{Boot, HostFile};
use crate::persist::{self, Style};
use crate::plan::order::draft::{Draft, Drafter};
use crate::plan::persist::{Index, OfHeld, PERSISTED, Persisted, found, style};
use crate::plan::view::View;
use crate::plan::walk::{Fate, Node, Planner};
use crate::plan::{
    Action, Effect, FileChange, Note, PersistedPeers, PlannedAct, Reason, Recipe, ResourceChange,
    Step, Subject,
};
use crate::resource::{Address, BackendId, Kind};

/// So many lines of a difference are shown; a file with another thousand peers is not read through anyway.
const LINES: usize = 60;

/// How an interface comes back now, and how it should.
struct Standing {
    style: Option<Style>,
    recorded: Option<Persisted>,
    peers: PersistedPeers,
    /// What should be there; none while something of it is not known.
    expected: Option<BTreeMap<PathBuf, HostFile>>,
    /// What is to go.
    remove: BTreeSet<PathBuf>,
    /// The old address that the files have in them, which is no reason to write them again.
    address: Option<String>,
}

impl Drafter {
    /// Adds the steps, for every interface that was asked for.
    pub(crate) fn persist(&mut self, planner: &mut Planner<'_>, view: &View, walked: &[Address]) {
        let index = planner.index(view);
        let touching = self.touching(planner);
        let mut shown = BTreeMap::new();
        for (at, change) in self.changes.iter().enumerate() {
            if let Subject::Resource(address) = &change.subject {
                shown.entry(address.clone()).or_insert(at);
            }
        }
        for address in walked {
            let node = &planner.nodes[address];
            if node.fate == Fate::Keep && planner.holds.on_attribute(address, "persist").is_some() {
                continue;
            }
            let Some(standing) = standing(planner, node, &index) else { continue };
            let before = touching.of(node);
            let boot = node.backend.as_ref().and_then(|it| planner.picture(it)?.boot.as_ref());
            let is_as_wanted = match boot {
                Some(boot) => standing.holds(boot, node),
                // Nobody looked: it is as it was left, unless something changes.
                None => before.is_empty() && standing.is_recorded(node),
            };
            if is_as_wanted {
                learn(planner, address, &standing);
                continue;
            }
            if before.is_empty() && is_only_held_back(planner, node, &standing, &index, boot) {
                continue;
            }
            let notes = boot.map(|boot| standing.notes(planner, boot, node, !before.is_empty()));
            let own = shown.get(address).copied();
            self.push_persist(
                planner,
                (address, own),
                &standing,
                before,
                notes.unwrap_or_default(),
            );
        }
    }

    /// Returns the drafts that change each interface or one of its peers.
    fn touching(&self, planner: &Planner<'_>) -> Touching {
        let mut touching = Touching::default();
        for (index, Draft { step, .. }) in self.drafts.iter().enumerate() {
            if let (PlannedAct::DeletePeer { interface, .. }, Some(backend)) =
                (&step.act, &step.backend)
            {
                let place = (backend.clone(), interface.clone());
                touching.removals.entry(place).or_default().push(index);
            }
            let Some(address) = step.subject.address() else { continue };
            let on = match address.kind {
                Kind::Interface => Some(address),
                _ => planner.nodes.get(address).and_then(Node::peer).map(|peer| &peer.on),
            };
            if let Some(on) = on {
                touching.changes.entry(on.clone()).or_default().push(index);
            }
        }
        touching
    }

    fn push_persist(
        &mut self,
        planner: &Planner<'_>,
        (address, own): (&Address, Option<usize>),
        standing: &Standing,
        before: Vec<usize>,
        notes: Vec<Note>,
    ) {
        let node = &planner.nodes[address];
        let subject = Subject::Resource(address.clone());
        let own = own.and_then(|at| self.changes.get_mut(at));
        let is_shown = !notes.is_empty() || before.is_empty();
        let is_alone = own.is_none() && is_shown;
        match own {
            Some(change) => change.notes.extend(notes),
            None if is_alone => self.changes.push(change(planner, node, notes)),
            None => {}
        }
        let mut draft = Draft::new(Step {
            subject,
            backend: node.backend.clone(),
            action: Action::Update,
            act: PlannedAct::Persist {
                name: node.interface().map(|it| it.name.clone()).unwrap_or_default(),
                style: standing.style,
                peers: standing.peers.clone(),
                recipe: recipe(node),
                may_replace: standing.is_recorded_here(node),
                remove: standing.remove.clone(),
            },
            effect: Effect::Persisted { alone: is_alone },
            after: Vec::new(),
            follows: Vec::new(),
        });
        // A host that loses power must not bring a peer back that is gone: the files lose it first.
        let (removals, mut before): (Vec<_>, Vec<_>) =
            before.into_iter().partition(|it| self.removes_a_peer(*it));
        if !removals.is_empty() {
            // They are set when the peers are gone.
            before.retain(|it| !matches!(self.drafts[*it].step.act, PlannedAct::SetRoutes { .. }));
        }
        // One peer that fails must not keep the others from coming back.
        (draft.after, draft.follows) = before.into_iter().partition(|it| self.is_of_interface(*it));
        let files = self.push(draft);
        removals.into_iter().for_each(|it| self.drafts[it].follows.push(files));
    }

    /// Lets the files of an interface that goes go before its peers and itself.
    pub(crate) fn files_go_first(&mut self) {
        let mut files: BTreeMap<(Option<BackendId>, String), usize> = BTreeMap::new();
        for index in 0..self.drafts.len() {
            let step = &self.drafts[index].step;
            let PlannedAct::DeleteInterface { name, remove_boot_files, .. } = &step.act else {
                continue;
            };
            if remove_boot_files.is_empty() || step.effect != Effect::Remove {
                continue;
            }
            let place = (step.backend.clone(), name.clone());
            let act = PlannedAct::Persist {
                name: name.clone(),
                style: None,
                peers: PersistedPeers::default(),
                recipe: None,
                may_replace: false,
                remove: remove_boot_files.clone(),
            };
            let effect = Effect::Persisted { alone: false };
            let draft = Draft::new(Step { act, effect, ..step.clone() });
            let first = self.push(draft);
            self.drafts[index].follows.push(first);
            files.insert(place, first);
        }
        for draft in &mut self.drafts {
            if let PlannedAct::DeletePeer { interface, .. } = &draft.step.act {
                let place = (draft.step.backend.clone(), interface.clone());
                draft.follows.extend(files.get(&place));
            }
        }
    }

    fn removes_a_peer(&self, draft: usize) -> bool {
        let Step { act, effect, .. } = &self.drafts[draft].step;
        matches!(act, PlannedAct::DeletePeer { .. }) && *effect != Effect::MakeWay
    }

    fn is_of_interface(&self, draft: usize) -> bool {
        let address = self.drafts[draft].step.subject.address();
        address.is_some_and(|it| it.kind == Kind::Interface)
    }
}

/// Which drafts touch an interface.
#[derive(Default)]
struct Touching {
    /// Those that change it, or a peer that is wanted on it.
    changes: BTreeMap<Address, Vec<usize>>,
    /// Those that remove a peer from a device, by its name.
    removals: BTreeMap<(BackendId, String), Vec<usize>>,
}

impl Touching {
    fn of(&self, node: &Node) -> Vec<usize> {
        let place = node.backend.clone().zip(node.interface().map(|it| it.name.clone()));
        let removals = place.and_then(|place| self.removals.get(&place));
        let all = self.changes.get(&node.address).into_iter().chain(removals).flatten();
        all.copied().collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Returns how the routes that come back come about.
fn recipe(node: &Node) -> Option<Box<Recipe>> {
    Some(Box::new(node.interface()?.routes.as_ref()?.recipe.clone()))
}

/// Returns how an interface stands; nothing for one that never was to come back.
fn standing(planner: &Planner<'_>, node: &Node, index: &Index) -> Option<Standing> {
    let on_device = node.interface()?;
    let backend = node.backend.as_ref()?;
    let style = style(&planner.desired[&node.address]);
    let record = planner.state.resources.get(&node.address);
    // What was written on another host, or for an object that is replaced by another one, goes with that.
    let is_in_its_place = node.reason.is_request() && on_device.renamed_from().is_none();
    let is_same_object = node.fate != Fate::Replace || is_in_its_place;
    let record = record.filter(|it| it.backend == node.backend && is_same_object);
    let last = record.and_then(|it| Persisted::last(&it.attributes));
    if style.is_none() && last.is_none() {
        return None;
    }
    let recorded = record.and_then(|it| Persisted::of(&it.attributes));
    let own = node.address.to_string();
    let old = recorded.as_ref().and_then(|it| it.address.as_deref());
    let as_written = |address: &str| {
        let expected = planner.expected(node, style?, index, address, OfHeld::Found)?;
        let boot = planner.picture(backend)?.boot.as_ref()?;
        expected.files.as_ref()?.iter().all(|it| is_in(boot, it)).then_some(expected)
    };
    // What moved stays as it was written, until something else changes it.
    let as_it_was = || old.and_then(|old| Some((as_written(old)?, Some(old.to_owned()))));
    let as_it_is = || Some((planner.expected(node, style?, index, &own, OfHeld::Found)?, None));
    let is_new = old.is_none() || as_written(&own).is_some();
    let expected = if is_new { as_it_is() } else { as_it_was().or_else(as_it_is) };
    let (expected, address) = expected.map_or((None, None), |(it, address)| (Some(it), address));
    let (peers, expected) = match expected {
        Some(it) => (it.peers, it.files),
        None => (PersistedPeers::default(), style.is_none().then(BTreeMap::new)),
    };
    let kept = style.map(|style| style.paths(&on_device.name)).unwrap_or_default();
    let remove = record.map(|it| index.files_of(backend, &it.attributes)).unwrap_or_default();
    let remove = remove.into_iter().filter(|path| !kept.contains(path)).collect();
    Some(Standing { style, recorded, peers, expected, remove, address })
}

/// Returns whether all is there as it was left, so that it would be written again only for the sake of what is held. That
/// follows when there is another reason to write.
fn is_only_held_back(
    planner: &Planner<'_>,
    node: &Node,
    standing: &Standing,
    index: &Index,
    boot: Option<&Boot>,
) -> bool {
    let Some((style, boot)) = standing.style.zip(boot) else { return false };
    if !planner.is_any_held(node, index) {
        return false;
    }
    let own = node.address.to_string();
    let old = standing.recorded.as_ref().and_then(|it| it.address.as_deref());
    let expected = planner.expected(node, style, index, old.unwrap_or(&own), OfHeld::Recorded);
    expected.and_then(|it| it.files).is_some_and(|it| standing.has(&it, boot, node))
}

impl Standing {
    /// Returns whether everything is there as it should be, and nothing else.
    fn holds(&self, boot: &Boot, node: &Node) -> bool {
        self.expected.as_ref().is_some_and(|it| self.has(it, boot, node))
    }

    /// Returns whether these files are there, and nothing else.
    fn has(&self, expected: &BTreeMap<PathBuf, HostFile>, boot: &Boot, node: &Node) -> bool {
        let name = node.interface().map(|it| it.name.as_str()).unwrap_or_default();
        let is_left = |path: &PathBuf| {
            boot.files.get(path).is_some_and(|it| persist::is_ours(path, &it.text))
        };
        let is_started = self.style.is_none_or(|it| is_started(boot, it, name));
        expected.iter().all(|it| is_in(boot, it)) && !self.remove.iter().any(is_left) && is_started
    }

    /// Returns whether the state says that it was written for this interface, by these means.
    fn is_recorded(&self, node: &Node) -> bool {
        match self.style {
            Some(_) => self.is_recorded_here(node),
            None => self.recorded.is_none(),
        }
    }

    fn is_recorded_here(&self, node: &Node) -> bool {
        let name = node.interface().map(|it| it.name.as_str());
        self.recorded
            .as_ref()
            .is_some_and(|it| Some(it.style) == self.style && Some(&*it.name) == name)
    }

    /// Says what is worth a line: what somebody did to the files, and what happens to a file that somebody else wrote.
    /// What only follows from the rest of the plan is not.
    fn notes(&self, planner: &Planner<'_>, boot: &Boot, node: &Node, follows: bool) -> Vec<Note> {
        let Some((style, on_device)) = self.style.zip(node.interface()) else { return Vec::new() };
        let name = &*on_device.name;
        let is_interrupted = planner.interrupted.contains(&node.address);
        // What a run left half-done is nobody's work, and no more than what follows from the rest.
        let recorded = self.recorded.as_ref().filter(|_| !is_interrupted);
        let recorded = recorded.filter(|it| it.style == style && it.name == name);
        let is_touched = recorded.is_some_and(|it| {
            let digest = persist::digest(found(boot, &it.paths()));
            persist::fingerprint(planner.fingerprint_key(), &digest).to_string() != it.fingerprint
        });
        let is_own_work = recorded.is_some() && !follows;
        let mut notes: Vec<Note> = self
            .expected
            .iter()
            .flatten()
            .filter_map(|(path, file)| {
                let change = file_change(path, boot.files.get(path), file, is_touched)?;
                let is_foreign = matches!(change, FileChange::Text { is_foreign: true, .. });
                let is_shown = is_touched || is_foreign || is_own_work;
                is_shown.then(|| Note::File { path: path.clone(), change })
            })
            .collect();
        // What was taken over was never started by us.
        let is_ours =
            |path: &PathBuf| boot.files.get(path).is_none_or(|it| persist::is_ours(path, &it.text));
        let is_all_ours = style.paths(name).iter().all(is_ours);
        if recorded.is_some() && is_all_ours && !is_started(boot, style, name) {
            notes.push(Note::NotStarted(style.unit(name)));
        }
        if !boot.has_systemd && self.recorded.is_none() {
            notes.push(Note::NoSystemd(style.unit(name)));
        }
        notes
    }
}

/// Returns how a file differs from what should be in it.
fn file_change(
    path: &Path,
    now: Option<&HostFile>,
    file: &HostFile,
    is_touched: bool,
) -> Option<FileChange> {
    match now {
        None => Some(FileChange::Gone),
        Some(now) if now == file => None,
        Some(now) if now.text == file.text => Some(FileChange::Access),
        Some(now) => {
            let is_foreign = !persist::is_ours(path, &now.text);
            let lines = lines(&now.text, &file.text);
            Some(FileChange::Text { lines, is_foreign, is_touched: is_touched && !is_foreign })
        }
    }
}

fn is_in(boot: &Boot, (path, file): (&PathBuf, &HostFile)) -> bool {
    boot.files.get(path) == Some(file)
}

fn is_started(boot: &Boot, style: Style, name: &str) -> bool {
    !boot.has_systemd || boot.units.contains(&style.unit(name))
}

fn lines(before: &str, after: &str) -> Vec<(char, String)> {
    let mut lines = persist::differences(before, after);
    let more = lines.len().saturating_sub(LINES);
    if more > 0 {
        lines.truncate(LINES);
        lines.push((' ', format!("… and {more} more lines")));
    }
    lines
}

/// Lets the state learn of files that are as they should be.
fn learn(planner: &mut Planner<'_>, address: &Address, standing: &Standing) {
    let name = planner.nodes[address].interface().map(|it| it.name.clone()).unwrap_or_default();
    let now = standing.style.zip(standing.expected.as_ref()).map(|(style, files)| {
        let fingerprint =
            persist::fingerprint(planner.fingerprint_key(), &persist::digest(files)).to_string();
        Persisted { style, name, fingerprint, address: standing.address.clone(), begun: None }
    });
    let is_known = standing.style.is_some() && standing.expected.is_none();
    if is_known || now == standing.recorded {
        return;
    }
    let Some(record) = planner.state.resources.get_mut(address) else { return };
    planner.state_differs = true;
    match now {
        Some(now) => _ = record.attributes.insert(PERSISTED.to_owned(), now.recorded()),
        None => _ = record.attributes.remove(PERSISTED),
    }
}

/// The change of an interface of which nothing else changes.
fn change(planner: &Planner<'_>, node: &Node, notes: Vec<Note>) -> ResourceChange {
    let is_drift = notes.iter().any(Note::is_drift);
    let reason = match planner.interrupted.contains(&node.address) {
        true => Reason::Interrupted,
        false if is_drift => Reason::Drift,
        false => Reason::Configuration,
    };
    ResourceChange {
        subject: Subject::Resource(node.address.clone()),
        backend: node.backend.clone(),
        action: Action::Update,
        reason,
        attributes: node.diffs.clone(),
        sensitive: planner.desired[&node.address].sensitive.clone(),
        notes,
    }
}
