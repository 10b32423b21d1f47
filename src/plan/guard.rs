//! Refuses to take another system, or a system that lost its memory, for a system on which all was deleted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::actual::{Actual, FoundInterface, Picture, Reading};
use crate::plan::recover::{exists, public_key};
use crate::plan::walk::Planner;
use crate::plan::walk::interface::found_key;
use crate::plan::{BackendView, Options, Reboot, Refusal};
use crate::resource::pattern::in_shell;
use crate::resource::{Address, BackendId, Field};
use crate::state::{BackendRecord, ObjectKey, ResourceRecord, State};
use crate::value::Bound;

/// So many owned interfaces may be missing before it is no longer taken for somebody's change.
const MAX_MISSING_INTERFACES: usize = 1;
/// The same for peers of interfaces that are there, unless a fifth of all owned peers is more.
const MAX_MISSING_PEERS: usize = 5;

/// What the guard says of the backends.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Backends of which nothing is believed.
    pub(crate) refusals: BTreeMap<BackendId, Refusal>,
    /// What is missing on those of them that are the recorded ones.
    pub(crate) missing: BTreeMap<BackendId, Vec<Address>>,
    /// Backends that lost interfaces by a reboot.
    pub(crate) rebooted: BTreeMap<BackendId, Reboot>,
}

/// Compares every backend that was read with what the state knows of it.
pub(crate) fn judge(
    state: &State,
    actual: &Actual,
    views: &BTreeMap<BackendId, BackendView>,
    options: &Options,
) -> Verdict {
    let mut verdict = Verdict::default();
    for (id, record) in &state.backends {
        let simulated = views.get(id).map(|view| view.simulated);
        if let Some(simulated) = simulated.filter(|it| *it != record.simulated) {
            verdict.refusals.insert(id.clone(), flipped(id, simulated));
            continue;
        }
        let Some(Reading::Read(picture)) = actual.backends.get(id) else { continue };
        // Not every router says which one it is to every user.
        let was_told = !record.identity.is_empty() && record.identity != record.host_name;
        let is_told = !picture.identity.id.is_empty() && was_told;
        let is_another = is_told && picture.identity.id != record.identity;
        if is_stranger(state, id, picture)
            && !options.accept_new_device.contains(id)
            && !options.accept_loss.contains(id)
        {
            verdict.refusals.insert(id.clone(), untold_system(id, record));
            continue;
        }
        if is_another && !options.accept_new_device.contains(id) {
            verdict.refusals.insert(id.clone(), another_system(id, record, picture));
            continue;
        }
        let missing = Missing::count(state, id, picture);
        let is_new_boot = record.boot_id.is_some()
            && picture.identity.boot_id.is_some()
            && record.boot_id != picture.identity.boot_id;
        if is_new_boot {
            // What a boot brought back by itself may be there again, without its peers.
            if !missing.interfaces.is_empty() {
                let ago = picture.identity.uptime;
                verdict.rebooted.insert(id.clone(), Reboot { ago, missing: missing.interfaces });
            }
        } else if (missing.is_too_much(options.max_vanished) && !options.destroy
            || missing.is_any() && picture.is_starting())
            && !options.accept_loss.contains(id)
        {
            let refusal = match picture.is_starting() {
                true => not_loaded(id, &missing),
                false => mass_loss(id, &missing, options.max_vanished),
            };
            verdict.refusals.insert(id.clone(), refusal);
            verdict.missing.insert(id.clone(), missing.addresses);
        }
    }
    verdict
}

/// Returns whether nothing tells that a system is the one in the state: it does not say which one it is, and of the
/// interfaces that are owned there, none is there with its key.
fn is_stranger(state: &State, id: &BackendId, picture: &Picture) -> bool {
    let is_owned_there = |it: &&ResourceRecord| {
        let is_interface = matches!(it.object, ObjectKey::Interface { .. });
        is_interface && it.backend.as_ref() == Some(id) && !it.is_gone && !it.is_being_filled
    };
    let is_there = |record: &ResourceRecord| {
        let expected = public_key(&record.object).map(Field::PublicKey);
        let mut found = picture.interfaces.values().filter_map(|it| it.fields.get("public_key"));
        found.any(|key| Some(key) == expected.as_ref())
    };
    let mut owned = state.resources.values().filter(is_owned_there).peekable();
    // What a system has that does not keep its configuration goes with every boot.
    let is_untold = picture.identity.id.is_empty() && picture.kind.keeps_configuration();
    is_untold && owned.peek().is_some() && !owned.any(is_there)
}

#[derive(Debug, Default)]
struct Missing {
    interfaces: Vec<String>,
    owned_interfaces: usize,
    peers: usize,
    owned_peers: usize,
    /// All of them, with the peers of interfaces that are missing.
    addresses: Vec<Address>,
}

impl Missing {
    fn count(state: &State, id: &BackendId, picture: &Picture) -> Self {
        let mut missing = Self::default();
        let on_it = || {
            let on_it = |(_, record): &(&Address, &ResourceRecord)| {
                record.backend.as_ref() == Some(id) && !record.is_gone
            };
            state.resources.iter().filter(on_it)
        };
        // An apply that was cut off has made these, and did not come to their peers.
        let being_filled: BTreeSet<&str> = on_it()
            .filter(|(_, record)| record.is_being_filled)
            .filter_map(|(_, record)| match &record.object {
                ObjectKey::Interface { name, .. } => Some(name.as_str()),
                ObjectKey::Peer { .. } | ObjectKey::PresharedKey {} => None,
            })
            .collect();
        for (address, record) in on_it() {
            let is_disabled = !picture.kind.keeps_configuration()
                && record.attributes.get("enabled") == Some(&Json::Bool(false));
            let is_expected = !is_disabled && !record.is_being_filled;
            let is_interface = matches!(record.object, ObjectKey::Interface { .. });
            missing.owned_interfaces += usize::from(is_interface);
            match &record.object {
                // One that made way for its successor is missed by nobody.
                ObjectKey::Interface { name, .. }
                    if !picture.interfaces.contains_key(name) && !record.is_being_filled =>
                {
                    missing.interfaces.push(name.clone());
                    missing.addresses.push(address.clone());
                }
                // The peers of an interface that is missing went with it, and count as one with it.
                ObjectKey::Peer { interface, .. }
                    if picture.interfaces.contains_key(interface)
                        && !being_filled.contains(interface.as_str()) =>
                {
                    missing.owned_peers += 1;
                    if is_expected && !exists(picture, &record.object) {
                        missing.peers += 1;
                        missing.addresses.push(address.clone());
                    }
                }
                ObjectKey::Peer { interface, .. } => {
                    missing.owned_peers += 1;
                    if is_expected && !picture.interfaces.contains_key(interface) {
                        missing.addresses.push(address.clone());
                    }
                }
                ObjectKey::Interface { .. } | ObjectKey::PresharedKey {} => {}
            }
        }
        missing.interfaces.sort_unstable();
        missing
    }

    fn texts(&self) -> Vec<String> {
        let Self { interfaces, owned_interfaces: _, peers, owned_peers, addresses: _ } = self;
        let mut what = Vec::new();
        if !interfaces.is_empty() {
            let (count, names) = (interfaces.len(), interfaces.join(", "));
            what.push(format!("{count} interface{} ({names})", if count == 1 { "" } else { "s" }));
        }
        if *peers > 0 {
            what.push(format!("{peers} of {owned_peers} peers"));
        }
        what
    }

    fn is_any(&self) -> bool {
        !self.interfaces.is_empty() || self.peers > 0
    }

    fn is_too_much(&self, bound: Option<Bound>) -> bool {
        let Self { interfaces, owned_interfaces, peers, owned_peers, addresses: _ } = self;
        match bound {
            None => {
                interfaces.len() > MAX_MISSING_INTERFACES
                    || *peers > MAX_MISSING_PEERS.max(owned_peers / 5)
            }
            // Of a few interfaces, one is mostly more than any share.
            Some(bound @ Bound::Percent(percent)) => {
                let is_one = interfaces.len() <= MAX_MISSING_INTERFACES && percent > 0;
                !(is_one || bound.allows(interfaces.len(), *owned_interfaces))
                    || !bound.allows(*peers, *owned_peers)
            }
            Some(bound) => {
                !bound.allows(interfaces.len(), *owned_interfaces)
                    || !bound.allows(*peers, *owned_peers)
            }
        }
    }
}

impl Planner<'_> {
    /// Refuses what would be done because an interface is gone that is there under another name, as its key tells. A peer is
    /// gone with its interface. Returns whether it did.
    pub(crate) fn refuse_renamed(&mut self, address: &Address, what_else: &str) -> bool {
        let Some(refusal) = self.renamed_there(address, what_else) else { return false };
        if !self.refusals.iter().any(|(_, it)| *it == refusal) {
            self.refuse(address, refusal);
        }
        true
    }

    fn renamed_there(&self, address: &Address, what_else: &str) -> Option<Refusal> {
        let record = self.state.resources.get(address)?;
        let backend = record.backend.as_ref()?;
        let address = match &record.object {
            ObjectKey::Interface { .. } => address,
            ObjectKey::Peer { interface, .. } => self.owners.interface(backend, interface)?,
            ObjectKey::PresharedKey {} => return None,
        };
        let object = &self.state.resources.get(address)?.object;
        let ObjectKey::Interface { name, public_key: text } = object else { return None };
        let key = public_key(object);
        let found = &self.picture(backend)?.interfaces;
        let is_it = |(now, it): &(&String, &FoundInterface)| {
            key.is_some()
                && found_key(Some(it)) == key
                && self.owners.interface(backend, now).is_none()
        };
        if found.contains_key(name) {
            return None;
        }
        let (now, _) = found.iter().find(is_it)?;
        Some(Refusal {
            message: format!(
                "`{address}` was renamed on backend `{backend}`: `{now}` has its key ({text}) there, and {what_else}"
            ),
            hints: vec![
                format!("rename it back to `{name}` there"),
                format!(
                    "or, if it is to keep that name, take it and its peers out of the state with `wgform state rm {}`, \
                     and import them under the new name",
                    address.in_shell()
                ),
            ],
        })
    }
}

fn flipped(id: &BackendId, simulated: bool) -> Refusal {
    let (now, before) = if simulated { ("simulated", "real") } else { ("real", "simulated") };
    Refusal {
        message: format!("backend `{id}` is {now} now, and the state describes a {before} one"),
        hints: vec![format!(
            "use another state file for the {now} one (`state \"local\" {{ path = … }}` in the `wgform` block), or \
             destroy what is on the {before} one first"
        )],
    }
}

fn another_system(id: &BackendId, record: &BackendRecord, picture: &Picture) -> Refusal {
    Refusal {
        message: format!(
            "backend `{id}` is another system than the one in the state: it was `{}` ({}), and is now `{}` ({})",
            record.host_name, record.identity, picture.identity.host_name, picture.identity.id
        ),
        hints: vec![
            "a wrong host, or a run on another machine? Then nothing has to be done but to run it where it belongs"
                .to_owned(),
            format!("if the system was replaced for good, say `-accept-new-device={}`", in_shell(id.as_str())),
        ],
    }
}

fn untold_system(id: &BackendId, record: &BackendRecord) -> Refusal {
    let host_name = &record.host_name;
    Refusal {
        message: format!(
            "backend `{id}` does not say which system it is, and has none of the interfaces that wgform owns on \
             `{host_name}`{}",
            match record.identity.as_str() {
                "" => String::new(),
                identity => format!(" ({identity})"),
            }
        ),
        hints: vec![
            "a wrong host? Then nothing has to be done but to name the right one".to_owned(),
            format!(
                "if it is the right one and has lost them, or was replaced for good, say `-accept-new-device={}`",
                in_shell(id.as_str())
            ),
        ],
    }
}

fn not_loaded(id: &BackendId, missing: &Missing) -> Refusal {
    let what = missing.texts().join(" and ");
    Refusal {
        message: format!(
            "on backend `{id}`, {what} that wgform owns are missing, and it has just started: it may not have loaded \
             everything"
        ),
        hints: vec![
            "run again in a few minutes".to_owned(),
            format!(
                "if it has lost them, and that is to be believed, say `-accept-loss={}`",
                in_shell(id.as_str())
            ),
        ],
    }
}

fn mass_loss(id: &BackendId, missing: &Missing, bound: Option<Bound>) -> Refusal {
    let what = missing.texts();
    let more = bound.map(|it| format!("; `max_vanished` believes {it}")).unwrap_or_default();
    Refusal {
        message: format!(
            "on backend `{id}`, {} that wgform owns are missing, though the host was not rebooted{more}",
            what.join(" and ")
        ),
        hints: vec![
            "so much is rarely removed by hand: look first whether this is the right host and namespace".to_owned(),
            format!("if it was, and all of it is to be made again, say `-accept-loss={}`", in_shell(id.as_str())),
        ],
    }
}
