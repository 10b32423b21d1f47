//! The keys of interfaces and the files that they are kept in: which file a step may write, and which may go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::actual::{KeyFile, OwnKeys};
use crate::plan::order::draft::{
    Claim, Draft, Drafter, gives, goes_first, recorded_here, update_act,
};
use crate::plan::recover::public_key;
use crate::plan::walk::interface::{OnDevice, recorded_key_file};
use crate::plan::walk::{Fate, Node, Planner};
use crate::plan::{KeySource, PlannedAct, Refusal};
use crate::resource::{Address, BackendId, Kind};
use crate::state::ObjectKey;
use crate::value::PublicKey;

/// An interface as the state has it: in use, replaced, or known to be gone.
struct Recorded<'p> {
    address: &'p Address,
    backend: &'p BackendId,
    name: Option<&'p str>,
    key: Option<PublicKey>,
    key_file: Option<&'p Path>,
}

impl<'p> Recorded<'p> {
    fn all(planner: &'p Planner<'_>) -> Vec<Self> {
        let records =
            planner.state.resources.iter().filter(|(address, _)| address.kind == Kind::Interface);
        let each = records.flat_map(|(address, record)| {
            let own = record.backend.as_ref();
            let own = own.map(|it| (it, &record.object, &record.attributes, record.is_gone));
            let deposed = record.deposed.iter();
            let deposed = deposed.map(|it| (&it.backend, &it.object, &it.attributes, false));
            own.into_iter().chain(deposed).map(move |it| (address, it))
        });
        each.map(|(address, (backend, object, attributes, is_gone))| Self {
            address,
            backend,
            name: match object {
                ObjectKey::Interface { name, .. } if !is_gone => Some(name.as_str()),
                _ => None,
            },
            key: public_key(object),
            key_file: attributes.get("key_file").and_then(Json::as_str).map(Path::new),
        })
        .collect()
    }

    /// Returns whether it has a name, or listens on a port.
    fn has(&self, planner: &Planner<'_>, claim: &Claim) -> bool {
        let Some(name) = self.name else { return false };
        match claim {
            Claim::Name(on, wanted) => wanted == name && on == self.backend,
            Claim::Port(on, _) => {
                on == self.backend && gives(planner, self.backend, name).contains(claim)
            }
            Claim::KeyFile(..) | Claim::Key(..) => false,
        }
    }

    fn is_there(&self, planner: &Planner<'_>) -> bool {
        let picture = planner.picture(self.backend);
        picture.zip(self.name).is_some_and(|(it, name)| it.interfaces.contains_key(name))
    }
}

impl Drafter {
    /// Refuses to write a key over one of somebody else's, and to give a name or a port away that its owner keeps: whoever is
    /// not asked for, held, out of reach or forgotten gives up nothing.
    pub(crate) fn guard_claims(&self, planner: &mut Planner<'_>) {
        let recorded = Recorded::all(planner);
        let mut givers: BTreeMap<&Claim, BTreeSet<&Address>> = BTreeMap::new();
        for Draft { step, gives, .. } in &self.drafts {
            for claim in gives {
                givers.entry(claim).or_default().extend(step.subject.address());
            }
        }
        let active: BTreeSet<&Address> =
            self.drafts.iter().filter_map(|it| it.step.subject.address()).collect();
        let mut refusals = Vec::new();
        for Draft { step, takes, .. } in &self.drafts {
            let Some((address, backend)) = step.subject.address().zip(step.backend.as_ref()) else {
                continue;
            };
            let others = || recorded.iter().filter(|it| it.address != address);
            for claim in takes.iter().filter(|it| !givers.contains_key(it)) {
                // One that is gone makes room by whatever becomes of it.
                let stays = |it: &&Recorded<'_>| {
                    it.has(planner, claim) && (it.is_there(planner) || !active.contains(it.address))
                };
                let owner = others().find(stays).map(|it| it.address);
                let refusal = owner.and_then(|owner| claim_taken(address, claim, owner));
                refusals.extend(refusal.map(|it| (address.clone(), it)));
            }
            let (PlannedAct::CreateInterface { key_file: Some(path), .. }
            | PlannedAct::UpdateInterface { key_file: Some(path), .. }) = &step.act
            else {
                continue;
            };
            let file = (backend, path.as_path());
            let givers = givers.get(&Claim::KeyFile(backend.clone(), path.clone()));
            let taken = taken(planner, address, file, &others().collect::<Vec<_>>(), givers);
            refusals.extend(taken.map(|it| (address.clone(), it)));
        }
        refusals.dedup();
        planner.refusals.extend(refusals);
    }
}

/// Says why a key may not be written into a file, if it may not.
fn taken(
    planner: &Planner<'_>,
    address: &Address,
    (backend, path): (&BackendId, &Path),
    others: &[&Recorded<'_>],
    givers: Option<&BTreeSet<&Address>>,
) -> Option<Refusal> {
    let node = planner.nodes.get(address)?;
    let record = recorded_here(planner, node);
    let is_own = record.and_then(recorded_key_file).as_deref() == Some(path);
    let owner = others
        .iter()
        .find(|it| it.key_file == Some(path) && planner.is_same_machine(it.backend, backend));
    let refused = |why: String, hint: String| Refusal {
        message: format!(
            "`{address}` would keep its key in `{}` on backend `{backend}`, {why}",
            path.display()
        ),
        hints: vec![hint],
    };
    if let Some(owner) = owner.filter(|_| !is_own && givers.is_none()) {
        return Some(refused(
            format!("where `{}` keeps its own", owner.address),
            format!("set another `key_file`, or change `{}` in the same plan", owner.address),
        ));
    }
    let move_away = "move the file away, or set `key_file` to another path".to_owned();
    let held = match planner.picture(backend)?.key_files.get(path)? {
        KeyFile::Key(key) => key.public(),
        KeyFile::Unusable(why) => {
            return Some(refused(format!("which holds something else: {why}"), move_away));
        }
    };
    let written = match node.interface().map(|it| &it.key.source) {
        Some(Some(KeySource::Held(key))) => Some(key.public()),
        _ => None,
    };
    let own = record.and_then(|it| public_key(&it.object));
    let is_stray = node.interface().is_some_and(|it| it.key.strays.keys.contains(&held));
    let is_ours = is_stray || Some(held) == written || Some(held) == own;
    let mut owners = others.iter().filter(|it| it.key == Some(held)).peekable();
    let is_anothers = owners.peek().is_some();
    let goes = owners.any(|it| givers.is_some_and(|all| all.contains(it.address)));
    if is_ours || goes || is_own && !is_anothers {
        return None;
    }
    Some(refused("which holds another private key".to_owned(), move_away))
}

fn claim_taken(address: &Address, claim: &Claim, owner: &Address) -> Option<Refusal> {
    let (message, attribute) = match claim {
        Claim::Name(backend, name) => (
            format!(
                "`{address}` would be `{name}` on backend `{backend}`, which is the name of `{owner}`"
            ),
            "name",
        ),
        Claim::Port(backend, port) => (
            format!(
                "`{address}` would listen on `{port}` on backend `{backend}`, as `{owner}` does"
            ),
            "listen_port",
        ),
        Claim::KeyFile(..) | Claim::Key(..) => return None,
    };
    let hint = format!("give it another `{attribute}`, or change `{owner}` in the same plan");
    Some(Refusal { message, hints: vec![hint] })
}

/// Returns which key files go with a step, copies of the key among them, and what they may hold: the recorded key, and in
/// the recorded file whatever is in it.
pub(crate) fn own_keys(planner: &Planner<'_>, node: &Node, remove: Option<PathBuf>) -> OwnKeys {
    let record = recorded_here(planner, node);
    let own = record.and_then(|it| public_key(&it.object));
    let written = node.interface().and_then(|it| it.key.file.as_ref());
    let replaced = record.and_then(recorded_key_file).filter(|it| Some(it) == written);
    let picture = node.backend.as_ref().and_then(|it| planner.picture(it));
    let held = picture.zip(replaced).and_then(|(it, path)| match it.key_files.get(&path)? {
        KeyFile::Key(key) => Some(key.public()),
        KeyFile::Unusable(_) => None,
    });
    let mut all = node.interface().map(|it| it.key.strays.clone()).unwrap_or_default();
    all.keys.extend(own.into_iter().chain(held));
    all.remove.extend(remove);
    all
}

/// Returns the step that writes a key into its file, where it is not there yet.
pub(crate) fn keep_act(
    planner: &Planner<'_>,
    node: &Node,
    on_device: &OnDevice,
) -> Option<PlannedAct> {
    let Some(KeySource::Held(key)) = &on_device.key.source else { return None };
    let path = on_device.key.file.as_ref()?;
    let picture = planner.picture(node.backend.as_ref()?)?;
    let is_kept = matches!(
        picture.key_files.get(path),
        Some(KeyFile::Key(kept)) if kept.public() == key.public()
    );
    let mut act = update_act(on_device.name.clone(), BTreeMap::new());
    if let PlannedAct::UpdateInterface { key: source, key_file, own_keys, .. } = &mut act {
        *source = on_device.key.source.clone();
        *key_file = Some(path.clone());
        *own_keys = self::own_keys(planner, node, None);
    }
    (!is_kept).then_some(act)
}

/// Refuses to make an interface anew whose key is nowhere but on its device: cut off in between, it would be lost.
pub(crate) fn guard_unkept_key(planner: &mut Planner<'_>, address: &Address) {
    let node = &planner.nodes[address];
    let key = node.interface().map(|it| &it.key);
    let is_unkept =
        key.is_some_and(|it| matches!(it.source, Some(KeySource::Held(_))) && it.file.is_none());
    if node.fate == Fate::Replace && goes_first(planner, node) && is_unkept {
        planner.refuse(
            address,
            Refusal {
                message: format!(
                    "`{address}` has a key that is nowhere but on its device, and could lose it"
                ),
                hints: vec![format!(
                    "leave its name and drop `-replace`, or write its key as `private_key`"
                )],
            },
        );
    }
}

/// Returns the file of a key of ours that a new one takes the place of.
pub(crate) fn outdated_key_file(
    planner: &Planner<'_>,
    node: &Node,
    on_device: &OnDevice,
) -> Option<PathBuf> {
    let record = recorded_here(planner, node)?;
    let is_new = matches!(on_device.key.source, Some(KeySource::New));
    let path = recorded_key_file(record)
        .filter(|path| is_new && on_device.key.file.as_ref() == Some(path))?;
    let picture = planner.picture(node.backend.as_ref()?)?;
    picture.key_files.contains_key(&path).then_some(path)
}

/// The key file follows a rename, with the key that the device has.
pub(crate) fn key_file_now(
    planner: &Planner<'_>,
    node: &Node,
    on_device: &OnDevice,
    is_renamed: bool,
) -> Option<PathBuf> {
    let record = planner.state.resources.get(&node.address)?;
    let is_kept = recorded_key_file(record).is_some() || on_device.key.file.is_some();
    let moves = is_renamed && recorded_key_file(record) != on_device.key_file;
    on_device.key.file.clone().or_else(|| on_device.key_file.clone().filter(|_| is_kept && moves))
}

pub(crate) fn key_source_now(
    planner: &Planner<'_>,
    node: &Node,
    on_device: &OnDevice,
) -> Option<KeySource> {
    if on_device.key.source.is_some() || on_device.renamed_from().is_none() {
        return on_device.key.source.clone();
    }
    let record = planner.state.resources.get(&node.address)?;
    recorded_key_file(record).filter(|old| Some(old) != on_device.key_file.as_ref())?;
    let picture = planner.picture(node.backend.as_ref()?)?;
    let held = picture.interfaces.get(on_device.renamed_from()?)?.private_key.clone()?;
    Some(KeySource::Held(held))
}
