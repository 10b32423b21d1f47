//! Keeps the ways to backends open as long as they are needed: the far end is changed first, and a new way is made
//! before the old one goes.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::PlannedAct;
use crate::plan::order::draft::Draft;
use crate::plan::path::Precedence;
use crate::resource::{Address, BackendId};

/// What the ways add to the order, and which of them had to give way to what must be.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// For whose sake one draft comes before another one.
    added: BTreeMap<(usize, usize), BackendId>,
    /// Whose order was given up.
    pub(super) dropped: BTreeSet<BackendId>,
}

impl Ways {
    /// Lets drafts wait for those that keep a way open.
    pub(super) fn new(precedences: Vec<&Precedence>, drafts: &mut [Draft]) -> Self {
        let mut ways = Self::default();
        if precedences.is_empty() {
            return ways;
        }
        let (mut of_subject, mut on_backend) =
            (BTreeMap::<Address, Vec<usize>>::new(), BTreeMap::<BackendId, Vec<usize>>::new());
        for (index, draft) in drafts.iter().enumerate() {
            if let Some(address) = draft.step.subject.address() {
                of_subject.entry(address.clone()).or_default().push(index);
            }
            let is_written = !matches!(draft.step.act, PlannedAct::Record);
            let backend = draft.step.backend.as_ref().filter(|_| is_written);
            backend
                .into_iter()
                .for_each(|it| on_backend.entry(it.clone()).or_default().push(index));
        }
        for Precedence { backend, first, then, is_condition } in precedences {
            let steps = |addresses: &BTreeSet<Address>| -> Vec<usize> {
                addresses.iter().filter_map(|it| of_subject.get(it)).flatten().copied().collect()
            };
            let (first, then) = match first {
                Some(first) => (steps(first), steps(then)),
                // What is done to the far end itself is among what comes first.
                None => {
                    let first = on_backend.get(backend).cloned().unwrap_or_default();
                    let is_near = |it: &usize| drafts[*it].step.backend.as_ref() != Some(backend);
                    (first, steps(then).into_iter().filter(is_near).collect())
                }
            };
            ways.add(backend, &first, &then, *is_condition, drafts);
        }
        ways
    }

    fn add(
        &mut self,
        backend: &BackendId,
        first: &[usize],
        then: &[usize],
        is_condition: bool,
        drafts: &mut [Draft],
    ) {
        for later in then {
            let draft = &mut drafts[*later];
            let known: BTreeSet<usize> =
                draft.after.iter().chain(&draft.follows).copied().collect();
            let new = first.iter().copied().filter(|it| it != later && !known.contains(it));
            let new: Vec<usize> = new.filter(|it| !then.contains(it)).collect();
            self.added.extend(new.iter().map(|it| ((*it, *later), backend.clone())));
            if is_condition {
                draft.after.extend(new);
            } else {
                draft.follows.extend(new);
                draft.follows.sort_unstable();
            }
        }
    }

    /// Returns whether a way demands that the second comes before the first.
    pub(super) fn reverses(&self, first: usize, second: usize) -> bool {
        self.added.contains_key(&(second, first))
    }

    /// Gives up the order of a way that is a part of a circle; returns whether there is one.
    pub(super) fn give_way(&mut self, drafts: &mut [Draft], cycle: &[usize]) -> bool {
        let next = cycle.iter().cycle().skip(1);
        let edges = cycle.iter().copied().zip(next.copied());
        let Some(backend) = edges.filter_map(|edge| self.added.get(&edge)).next().cloned() else {
            return false;
        };
        let (dropped, kept) =
            std::mem::take(&mut self.added).into_iter().partition(|(_, it)| *it == backend);
        self.added = kept;
        let dropped: BTreeMap<(usize, usize), BackendId> = dropped;
        for (first, later) in dropped.into_keys() {
            drafts[later].after.retain(|it| *it != first);
            drafts[later].follows.retain(|it| *it != first);
        }
        self.dropped.insert(backend);
        true
    }
}
