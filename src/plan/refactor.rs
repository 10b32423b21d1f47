//! What has another address now, what is no longer declared, and what is taken over: `moved`, `removed` and `import`.
//!
//! Moves come before anything is compared, so that the rest of a plan knows the new addresses only. They change the state
//! and nothing else, and all of them, whatever part of a plan was asked for: what is recorded under an old address would
//! otherwise look like something that nobody declares.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, Desired, Evaluator, Import, Refactoring};
use crate::diagnostic::{Diagnostic, sentence};
use crate::plan::adopt::{NotAdopted, found_again, take};
use crate::plan::walk::Planner;
use crate::plan::{Inputs, Options, Refusal};
use crate::resource::{Address, InstanceKey};
use crate::state::State;

/// Old addresses by the new ones.
pub(crate) type Origins = BTreeMap<Address, Address>;

/// Gives everything that is recorded its new address, and returns the old ones.
pub(crate) fn carry_out_moves(
    config: &Config,
    evaluator: &Evaluator<'_>,
    inputs: &mut Inputs<'_>,
) -> Result<Origins, Vec<Diagnostic>> {
    let declared: BTreeSet<&Address> = evaluator.resources().iter().collect();
    let renames = renames(config.refactoring(), &declared, &inputs.state)?;
    inputs.state.rename(&renames);
    if !renames.is_empty() {
        inputs.open = inputs.state.open();
        inputs.options.follow(&renames);
    }
    let is_recorded = |new: &Address| inputs.state.resources.contains_key(new);
    let origins = renames.into_iter().map(|(old, new)| (new, old));
    Ok(origins.filter(|(new, _)| is_recorded(new)).collect())
}

impl Options {
    /// Takes what was asked for by an old address for its new one.
    pub fn follow(&mut self, renames: &BTreeMap<Address, Address>) {
        let now = |address: &mut Address| {
            if let Some(new) = renames.get(address) {
                address.clone_from(new);
            }
        };
        self.targets.iter_mut().chain(&mut self.excludes).for_each(now);
        for set in [&mut self.replace, &mut self.allow_new_key] {
            let followed = std::mem::take(set).into_iter().map(|mut address| {
                now(&mut address);
                address
            });
            *set = followed.collect();
        }
    }
}

/// Returns the new address of everything that has another one now.
///
/// # Errors
/// When two objects would have one address, or moves lead in a circle.
pub fn renames(
    refactoring: &Refactoring,
    declared: &BTreeSet<&Address>,
    state: &State,
) -> Result<BTreeMap<Address, Address>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut renames = BTreeMap::new();
    let mut claims: BTreeMap<Address, Claim> = BTreeMap::new();
    let addresses = state.addresses();
    for address in &addresses {
        let moved = match refactoring.moves().follow(address) {
            Ok(moved) => moved,
            Err(circle) => {
                problems.push(refactoring.circle(&circle));
                continue;
            }
        };
        let block = moved.as_ref().and_then(|it| it.by.last().copied());
        let new = moved.map_or_else(|| address.clone(), |it| it.address);
        let claim = Claim { of: address.clone(), block };
        if let Some(first) = claims.get(&new) {
            problems.extend(collision(refactoring, state, &new, [first, &claim]));
            continue;
        }
        claims.insert(new.clone(), claim);
        if new != *address {
            renames.insert(address.clone(), new);
        }
    }
    if !problems.is_empty() {
        return Err(crate::diagnostic::unique(problems));
    }
    for (old, new) in implied(&addresses, declared, &claims) {
        renames.insert(old, new);
    }
    Ok(renames)
}

/// Who is to have an address, and the block that says so; none for whoever has it already.
struct Claim {
    of: Address,
    block: Option<usize>,
}

/// A block that gets `count`, or loses it, keeps its first instance, as in Terraform.
fn implied(
    addresses: &BTreeSet<Address>,
    declared: &BTreeSet<&Address>,
    claims: &BTreeMap<Address, Claim>,
) -> Vec<(Address, Address)> {
    let first = InstanceKey::Index(0);
    let other = |address: &Address| {
        let key = match address.key() {
            None => Some(first.clone()),
            Some(key) if *key == first => None,
            Some(_) => return None,
        };
        Some(Address::new(address.module().to_vec(), address.kind, address.label.clone(), key))
    };
    let unmoved = addresses.iter().filter(|it| claims.contains_key(*it) && !declared.contains(it));
    let pairs = unmoved.filter_map(|old| Some((old.clone(), other(old)?)));
    pairs.filter(|(_, new)| declared.contains(new) && !claims.contains_key(new)).collect()
}

/// Says that two objects would have one address.
fn collision(
    refactoring: &Refactoring,
    state: &State,
    new: &Address,
    claims: [&Claim; 2],
) -> Option<Diagnostic> {
    let mut problem = Diagnostic::error("two objects for one address");
    let [one, other] = claims;
    for (claim, rival) in [(one, other), (other, one)] {
        let Some(block) = claim.block else { continue };
        let text = match rival.block {
            Some(_) => format!("`{}` moves here, and so does `{}`", claim.of, rival.of),
            None => format!("`{}` moves here, and `{new}` is in the state already", claim.of),
        };
        problem = problem.label(refactoring.places(block).1, text);
    }
    let is_open = |it: &&&Claim| !state.resources.contains_key(&it.of);
    let help = match claims.iter().find(is_open) {
        Some(it) => format!(
            "An apply was cut off in the middle of `{}`. Take the `moved` block out, run `wgform apply`, and look at what is there then.",
            it.of
        ),
        None => format!(
            "An address is that of one object. Move one of the two to another address, or let wgform forget one of them:\n\n  wgform state rm '{}'",
            one.of
        ),
    };
    (!problem.labels.is_empty()).then(|| problem.help(help))
}

impl Planner<'_> {
    /// Notes what `removed` and `import` blocks say of what is recorded.
    pub(crate) fn note_refactoring(
        &mut self,
        config: &Config,
        imports: Result<BTreeMap<Address, Import>, Vec<Diagnostic>>,
    ) {
        let undeclared = self.state.resources.keys().filter(|it| !self.configured.contains(*it));
        let removed =
            undeclared.filter_map(|it| Some((it.clone(), config.refactoring().removal(it)?)));
        self.removed = removed.collect();
        match imports {
            Ok(imports) => self.imports = imports,
            Err(problems) => self.diagnostics.extend(problems),
        }
    }

    /// Returns whether a resource is about to be forgotten, and its object left where it is.
    pub(crate) fn is_forgotten(&self, address: &Address) -> bool {
        self.removed.get(address).is_some_and(|it| !it.destroy)
    }

    /// Takes over the object that an `import` block names, before the resource is compared with it.
    pub(crate) fn import(&mut self, desired: &Desired) {
        let Some(import) = self.imports.get(&desired.address).cloned() else { return };
        if let Some(record) = self.state.resources.get(&desired.address) {
            if !found_again(self, desired, record, &import.id) {
                self.diagnostics.push(another_object(&import));
            }
            return;
        }
        match take(self, desired, &import.id) {
            Ok(record) => {
                if let Some(backend) = &record.backend {
                    self.owners.add(&desired.address, backend, &record.object);
                    let known = self.backend_record(backend);
                    let backends = &mut self.state.backends;
                    known
                        .into_iter()
                        .for_each(|it| _ = backends.entry(backend.clone()).or_insert(it));
                }
                self.state.resources.insert(desired.address.clone(), record);
                self.imported.insert(desired.address.clone(), import.id);
                self.state_differs = true;
            }
            Err(NotAdopted::Unread(_)) if self.options.without_refresh => {
                self.diagnostics.push(not_looked_at(&import));
            }
            Err(why) => self.diagnostics.extend(not_imported(&import, why)),
        }
    }

    /// Takes back what was imported and not asked for.
    pub(crate) fn import_only(&mut self, is_asked_for: impl Fn(&Address) -> bool) {
        let (kept, dropped): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.imported).into_iter().partition(|(it, _)| is_asked_for(it));
        self.imported = kept;
        dropped.keys().for_each(|address| _ = self.state.resources.remove(address));
    }
}

fn another_object(import: &Import) -> Diagnostic {
    let Import { to, id, to_span, id_span } = import;
    Diagnostic::error("import of another object")
        .label(to_span, format!("`{to}` is in the state already"))
        .label(id_span, format!("and owns another object than `{id}`"))
        .help(format!(
            "Remove the block, import the object to another resource, or let wgform forget what it owns now:\n\n  wgform state rm '{to}'"
        ))
}

fn not_looked_at(import: &Import) -> Diagnostic {
    Diagnostic::error("object that cannot be imported")
        .label(&import.id_span, "no device was asked for it")
        .help("Leave `-refresh=false` out, until it is imported.")
}

fn not_imported(import: &Import, why: NotAdopted) -> Vec<Diagnostic> {
    let Refusal { message, hints } = match why {
        NotAdopted::Configuration(problems) => return problems,
        NotAdopted::Guarded(refusal)
        | NotAdopted::Unread(refusal)
        | NotAdopted::Refused(refusal) => refusal,
    };
    let help: Vec<String> = hints.iter().map(|it| sentence(it)).collect();
    let problem =
        Diagnostic::error("object that cannot be imported").label(&import.id_span, message);
    vec![problem.help(help.join(" "))]
}
