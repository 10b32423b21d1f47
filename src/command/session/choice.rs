//! Which resources a command line means, once it is known which there are.
//!
//! What names nothing is a slip of the pen and an error: it must not read as "nothing to do".

use std::collections::{BTreeMap, BTreeSet};

use crate::command::arguments::Selection;
use crate::command::session::Session;
use crate::config::AllUnknown;
use crate::config::suggest::suggestion;
use crate::error::{Error, Kind};
use crate::plan::{self, Options, Plan};
use crate::resource::pattern::in_shell;
use crate::resource::{self, Address, BackendId, Pattern};
use crate::state::{ResourceRecord, State};

/// What a command line chooses, as it is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    pub(crate) targets: Vec<Pattern>,
    pub(crate) excludes: Vec<Pattern>,
    pub(crate) replace: Vec<Pattern>,
    pub(crate) new_keys: Vec<Pattern>,
    /// Whether the other ends of links are left out of the targets.
    pub(crate) is_exact: bool,
}

impl Choice {
    /// Chooses a part.
    pub(crate) fn of(selection: Selection) -> Self {
        let Selection { targets, is_exact, excludes } = selection;
        Self { targets, excludes, is_exact, ..Self::default() }
    }

    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let Self { targets, excludes, replace, new_keys, is_exact: _ } = self;
        targets.iter().chain(excludes).chain(replace).chain(new_keys)
    }
}

/// What is meant by it.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(super) options: Options,
    /// What is to be made anew, as it is written and as it is meant.
    pub(super) replaced: Vec<(Pattern, BTreeSet<Address>)>,
}

impl Chosen {
    /// Chooses what was chosen before.
    pub(crate) fn exactly(options: Options) -> Self {
        Self { options, replaced: Vec::new() }
    }

    /// Returns what is planned with.
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }
}

/// Everything that an address can be.
struct There<'a> {
    wanted: BTreeSet<&'a Address>,
    /// What is owned, under its new addresses, and those by the old ones.
    state: &'a State,
    renames: &'a BTreeMap<Address, Address>,
    /// Where it is wanted and where it was made, of every resource; asked for only if somebody asks for a backend.
    homes: BTreeMap<&'a Address, BTreeSet<BackendId>>,
    backends: BTreeSet<BackendId>,
}

impl Session<'_> {
    /// Finds out what is meant by a choice, and adds it to the options of a plan.
    ///
    /// # Errors
    /// When something of it names nothing.
    pub(crate) fn choose(
        &self,
        state: &State,
        options: Options,
        choice: &Choice,
    ) -> Result<Chosen, Error> {
        self.check_believed(&options, state)?;
        if choice.patterns().next().is_none() {
            return Ok(Chosen { options, replaced: Vec::new() });
        }
        let (moved, renames) = self.moved(state);
        let there = self.there(&moved, &renames, choice.patterns().any(Pattern::is_of_backend));
        let replaced: Vec<_> = choice
            .replace
            .iter()
            .map(|pattern| Ok((pattern.clone(), there.to_replace(pattern)?)))
            .collect::<Result<_, Error>>()?;
        let options = Options {
            targets: there.all("-target", &choice.targets)?,
            excludes: there.all("-exclude", &choice.excludes)?,
            target_exact: choice.is_exact,
            replace: replaced.iter().flat_map(|(_, meant)| meant.iter().cloned()).collect(),
            allow_new_key: there.interfaces("-allow-new-key", &choice.new_keys)?,
            ..options
        };
        Ok(Chosen { options, replaced })
    }

    /// A backend that something is allowed of has to be there: whoever mistypes it is otherwise refused by the guard, or not
    /// told at all.
    fn check_believed(&self, options: &Options, state: &State) -> Result<(), Error> {
        let declared = || self.declared.iter().map(|it| &it.id).chain(state.backends.keys());
        let lockouts = options.limits.iter().flat_map(|it| &it.allow_lockout);
        let new_devices = options.accept_new_device.iter();
        let named = new_devices.map(|id| ("-accept-new-device", id));
        let named = named.chain(options.accept_loss.iter().map(|id| ("-accept-loss", id)));
        let mut named = named.chain(lockouts.map(|id| ("-allow-lockout", id)));
        let Some((flag, id)) = named.find(|(_, id)| !declared().any(|it| it == *id)) else {
            return Ok(());
        };
        let message = format!("`{flag}={id}` names a backend that there is not");
        let error = Error::new(Kind::Failed, message);
        Err(match suggestion(id.as_str(), declared().map(BackendId::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("`wgform backend list` lists the backends"),
        })
    }

    /// Finds out which resources are named.
    ///
    /// # Errors
    /// When a pattern names nothing.
    pub(crate) fn named(
        &self,
        state: &State,
        patterns: &[Pattern],
    ) -> Result<BTreeSet<Address>, Error> {
        let (moved, renames) = self.moved(state);
        let there = self.there(&moved, &renames, patterns.iter().any(Pattern::is_of_backend));
        Ok(there.all("", patterns)?.into_iter().collect())
    }

    /// Returns the state with new addresses, and which those are.
    fn moved(&self, state: &State) -> (State, BTreeMap<Address, Address>) {
        let declared = self.evaluator.resources().iter().collect();
        // What is wrong with moves is said by the plan.
        let renames =
            plan::renames(self.config.refactoring(), &declared, state).unwrap_or_default();
        let mut moved = state.clone();
        moved.rename(&renames);
        (moved, renames)
    }

    fn there<'a>(
        &'a self,
        state: &'a State,
        renames: &'a BTreeMap<Address, Address>,
        with_homes: bool,
    ) -> There<'a> {
        let wanted: BTreeSet<&Address> = self.evaluator.resources().iter().collect();
        let mut homes: BTreeMap<&Address, BTreeSet<BackendId>> = BTreeMap::new();
        for address in wanted.iter().copied() {
            // What is wrong with it is said when it is planned.
            let desired = with_homes.then(|| self.evaluator.resource(address, &AllUnknown).ok());
            homes.entry(address).or_default().extend(desired.flatten().and_then(|it| it.backend));
        }
        for (address, record) in &state.resources {
            homes.entry(address).or_default().extend(homes_of(record).cloned());
        }
        let declared = self.declared.iter().map(|it| it.id.clone());
        let backends = declared.chain(state.backends.keys().cloned()).collect();
        There { wanted, state, renames, homes, backends }
    }
}

impl There<'_> {
    fn matching(&self, pattern: &Pattern) -> BTreeSet<Address> {
        let matches = |it: &(&&Address, &BTreeSet<BackendId>)| pattern.matches(it.0, it.1);
        let now = self.homes.iter().filter(matches).map(|(address, _)| (*address).clone());
        // What has another address now may be named by its old one.
        let was = |(old, _): &(&Address, &Address)| pattern.matches(old, []);
        now.chain(self.renames.iter().filter(was).map(|(_, new)| new.clone())).collect()
    }

    /// Returns what one of the patterns means; each has to mean something.
    fn all(&self, flag: &str, patterns: &[Pattern]) -> Result<Vec<Address>, Error> {
        let mut all = BTreeSet::new();
        for pattern in patterns {
            let matching = self.matching(pattern);
            if matching.is_empty() {
                return Err(self.nothing(flag, pattern));
            }
            all.extend(matching);
        }
        Ok(all.into_iter().collect())
    }

    /// Only an interface has a key of its own.
    fn interfaces(&self, flag: &str, patterns: &[Pattern]) -> Result<BTreeSet<Address>, Error> {
        let mut interfaces = BTreeSet::new();
        for pattern in patterns {
            let before = interfaces.len();
            let all = self.all(flag, std::slice::from_ref(pattern))?;
            interfaces.extend(all.into_iter().filter(|it| it.kind == resource::Kind::Interface));
            if interfaces.len() == before {
                let message = format!("`{flag}={pattern}` names no interface");
                return Err(Error::new(Kind::Failed, message)
                    .hint("name the interface whose key may become another one"));
            }
        }
        Ok(interfaces)
    }

    /// Only what there is, and what is wanted, can be made anew.
    fn to_replace(&self, pattern: &Pattern) -> Result<BTreeSet<Address>, Error> {
        let is_owned = |it: &Address| self.state.resources.contains_key(it);
        let is_wanted = |it: &Address| self.wanted.contains(it);
        let matching = self.matching(pattern);
        let both: BTreeSet<Address> =
            matching.iter().filter(|it| is_owned(it) && is_wanted(it)).cloned().collect();
        if !both.is_empty() {
            return Ok(both);
        }
        let why = match (matching.iter().any(is_owned), matching.iter().any(is_wanted)) {
            (false, true) => "is not in the state, so there is nothing to replace",
            (true, _) => "is not in the configuration, so it would not be made again",
            (false, false) => return Err(self.nothing("-replace", pattern)),
        };
        let error = Error::new(Kind::Failed, format!("`-replace={pattern}` {why}"));
        let both = self.state.resources.keys().filter(|it| is_wanted(it));
        Err(meant(error, pattern, both, []).hint("`wgform state list` lists what is managed"))
    }

    fn nothing(&self, flag: &str, pattern: &Pattern) -> Error {
        let is_backend = self.backends.iter().any(|id| pattern.matches_backend(id));
        let said = match flag {
            "" => pattern.to_string(),
            flag => format!("{flag}={pattern}"),
        };
        let message = match (pattern.is_address(), pattern.is_of_backend()) {
            (true, _) => {
                format!("`{said}` is neither in the configuration nor in the state")
            }
            (false, true) if is_backend => format!(
                "`{said}` names a backend on which nothing is, neither in the configuration nor in the state"
            ),
            (false, true) => format!("`{said}` names a backend that there is not"),
            (false, false) => {
                format!("`{said}` matches nothing in the configuration or in the state")
            }
        };
        let error = Error::new(Kind::Failed, message);
        let error = match is_backend {
            true => error,
            false => meant(error, pattern, self.homes.keys().copied(), &self.backends),
        };
        match pattern.is_of_backend() {
            true => error.hint("`wgform backend list` lists the backends"),
            false => error.hint(
                "`wgform state list` lists what is managed; the blocks of the files are the rest",
            ),
        }
    }
}

/// Returns where there is something of a resource.
fn homes_of(record: &ResourceRecord) -> impl Iterator<Item = &BackendId> {
    record.backend.iter().chain(record.deposed.iter().map(|it| &it.backend))
}

/// Returns what patterns mean of what is owned, in their order; each has to mean something.
pub(crate) fn owned(state: &State, patterns: &[Pattern]) -> Result<Vec<Address>, Error> {
    let mut owned = Vec::new();
    let mut seen = BTreeSet::new();
    for pattern in patterns {
        let resources = state.resources.iter();
        let meant: Vec<&Address> = resources
            .filter(|(address, record)| pattern.matches(address, homes_of(record)))
            .map(|(address, _)| address)
            .collect();
        if meant.is_empty() {
            return Err(missing(state, pattern));
        }
        owned.extend(meant.into_iter().filter(|it| seen.insert(*it)).cloned());
    }
    Ok(owned)
}

/// Says that the state has nothing by this name.
fn missing(state: &State, pattern: &Pattern) -> Error {
    let message = match (pattern.is_address(), pattern.is_of_backend()) {
        (true, _) => format!("the state has no resource `{pattern}`"),
        (false, true) => format!("the state has nothing on `{pattern}`"),
        (false, false) => format!("the state has no resource that `{pattern}` matches"),
    };
    let new = Error::new(Kind::Failed, message);
    meant(new, pattern, state.resources.keys(), state.backends.keys())
        .hint("`wgform state list` lists what there is")
}

/// Adds what was probably meant: a resource, its block, a module that it is in, or a backend.
fn meant<'a>(
    error: Error,
    written: &Pattern,
    known: impl IntoIterator<Item = &'a Address>,
    backends: impl IntoIterator<Item = &'a BackendId>,
) -> Error {
    let mut names: BTreeSet<String> =
        backends.into_iter().map(|id| format!("backend.{id}")).collect();
    for address in known {
        names.insert(address.to_string());
        names.insert(resource::pattern::block(address));
        names.extend(resource::pattern::modules(address));
    }
    // What is there and has no such part is not what was meant.
    names.remove(written.stem());
    match suggestion(written.stem(), names.iter().map(String::as_str)) {
        Some(meant) if in_shell(meant) == meant => error.hint(format!("did you mean `{meant}`?")),
        Some(meant) => {
            let typed = in_shell(meant);
            error.hint(format!("did you mean `{meant}`? In a shell, write it as `{typed}`"))
        }
        None => error,
    }
}

/// What was to be made anew and is not, because something else keeps it out of the plan, is not passed over silently.
pub(super) fn check_is_replaced(
    plan: &Plan,
    replaced: &[(Pattern, BTreeSet<Address>)],
) -> Result<(), Error> {
    let left_out = plan.unreachable.values().flat_map(|(_, left_out)| left_out);
    let changed = plan.changes.iter().filter_map(|change| change.subject.address());
    let held = plan.held.iter().map(|it| &it.address);
    let said: BTreeSet<&Address> = left_out.chain(changed).chain(held).collect();
    // Of many, those that are there count.
    let is_said = |meant: &BTreeSet<Address>| meant.iter().any(|it| said.contains(it));
    let mut idle = replaced.iter().filter(|(_, meant)| !is_said(meant));
    match idle.next().filter(|_| plan.refusals.is_empty()) {
        None => Ok(()),
        Some((pattern, _)) => {
            let message = format!("`-replace={pattern}` would replace nothing");
            let hint = match plan.is_partial {
                true => "`-target` or `-exclude` leaves it out; drop one of the two",
                false => "it is disabled or pending, so there is nothing of it on its device",
            };
            Err(Error::new(Kind::Failed, message).hint(hint))
        }
    }
}
