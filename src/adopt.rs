//! What was changed on devices, written back into the text of a configuration: which bytes are replaced by what.
//!
//! A value is written where it comes from, in the form that it has there, and everything around it stays. What has no such
//! place is told with the expression that it comes from. No secret is written, nothing is written that would mean
//! something else somewhere else too, and no file is touched here.

mod check;
mod list;
mod literal;
mod page;
mod place;
mod splice;
mod wish;

use std::collections::BTreeMap;

use crate::adopt::page::Pages;
use crate::adopt::place::{NotHere, place_of};
use crate::config::{Config, Evaluator};
use crate::diagnostic::Diagnostic;
use crate::draft::hcl;

pub use crate::adopt::check::{Checker, Obstacle, revised};
pub use crate::adopt::splice::{Edit, Revision, spliced};
pub use crate::adopt::wish::{Drifted, Left, Target, Wish, drifted};

/// One attribute with what is replaced for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What is adopted.
    pub wish: Wish,
    /// What is replaced.
    pub edits: Vec<Edit>,
    /// Comments that go with a line.
    pub comments: Vec<String>,
}

/// What can be adopted, and what has to be written by hand.
#[derive(Debug, Default)]
pub struct Proposal {
    /// What can be.
    pub changes: Vec<Change>,
    /// What cannot, and what to write where.
    pub by_hand: Vec<Diagnostic>,
}

/// As often may a part of a proposal be looked at by itself.
const MAX_LOOKS: usize = 64;

/// Finds the places of what drifted. Ask only where nothing is wrong with the configuration.
pub fn propose(config: &Config, evaluator: &Evaluator<'_>, drifted: &Drifted) -> Proposal {
    let mut pages = Pages::default();
    let mut proposal = Proposal::default();
    for wish in &drifted.wishes {
        let written = evaluator.written(&wish.address, wish.attribute.name);
        match place::edits(&mut pages, config, wish, &written) {
            Ok((edits, comments)) => {
                proposal.changes.push(Change { wish: wish.clone(), edits, comments });
            }
            Err(not_here) => proposal.by_hand.push(by_hand(config, wish, not_here)),
        }
    }
    proposal.by_hand.extend(drifted.left.iter().map(|it| left(config, it)));
    proposal.refuse_overlaps(config);
    proposal
}

impl Proposal {
    /// Keeps one of several values for the same place.
    fn refuse_overlaps(&mut self, config: &Config) {
        // By file, start and end; no two of them overlap.
        let mut taken: BTreeMap<(String, usize, usize), String> = BTreeMap::new();
        for change in std::mem::take(&mut self.changes) {
            let clash = change.edits.iter().find(|edit| {
                let (name, range) = (&edit.source.name, &edit.range);
                let end = (name.clone(), range.end.max(range.start + 1), 0);
                let before = taken.range(..end).next_back();
                before.is_some_and(|((file, start, end), text)| {
                    let is_same = (*start, *end, text) == (range.start, range.end, &edit.text);
                    file == name && !is_same && *end > range.start && *start < range.end
                })
            });
            if clash.is_some() {
                let at = change.edits.first().map(span);
                let why = "another device has another value for the same place".to_owned();
                self.by_hand.push(by_hand(config, &change.wish, NotHere { at, why }));
                continue;
            }
            for edit in &change.edits {
                let place = (edit.source.name.clone(), edit.range.start, edit.range.end);
                taken.insert(place, edit.text.clone());
            }
            self.changes.push(change);
        }
    }

    /// Keeps what passes a check together, and says of the rest why it does not.
    pub fn settle(
        &mut self,
        config: &Config,
        check: &mut dyn FnMut(&[&Change]) -> Result<(), Obstacle>,
    ) {
        let changes = std::mem::take(&mut self.changes);
        let mut looks = 0;
        let mut kept = Vec::new();
        let mut open: Vec<&[Change]> = vec![&changes];
        while let Some(part) = open.pop() {
            if part.is_empty() {
                continue;
            }
            looks += 1;
            let all: Vec<&Change> = kept.iter().copied().chain(part).collect();
            match check(&all) {
                Ok(()) => kept = all,
                Err(_) if part.len() > 1 && looks < MAX_LOOKS => {
                    let (first, second) = part.split_at(part.len() / 2);
                    open.push(second);
                    open.push(first);
                }
                Err(why) => {
                    for change in part {
                        let at = change.edits.first().map(span);
                        let not_here = NotHere { at, why: why.clone() };
                        self.by_hand.push(by_hand(config, &change.wish, not_here));
                    }
                }
            }
        }
        self.changes = kept.into_iter().cloned().collect();
    }
}

fn span(edit: &Edit) -> crate::diagnostic::Span {
    crate::diagnostic::Span { source: edit.source.clone(), range: edit.range.clone() }
}

fn by_hand(config: &Config, wish: &Wish, not_here: NotHere) -> Diagnostic {
    let NotHere { at, why } = not_here;
    let Wish { address, attribute, target } = wish;
    let name = match place_of(attribute.name) {
        (Some(block), name) => format!("{block}.{name}"),
        (None, name) => name.to_owned(),
    };
    let told = |all: &mut dyn Iterator<Item = String>| all.collect::<Vec<_>>().join(", ");
    let has = match target {
        Target::Value(field) => match hcl::value(field) {
            Some(value) => format!("is `{value}` on its device"),
            None => "is another one on its device".to_owned(),
        },
        Target::Nothing => "is not set on its device".to_owned(),
        Target::Elements { add, remove, .. } => {
            let got = told(&mut add.iter().map(|it| format!("`{it}`")));
            let lost = told(&mut remove.iter().map(|it| format!("`{it}`")));
            match (got.is_empty(), lost.is_empty()) {
                (false, true) => format!("has {got} on its device too"),
                (true, _) => format!("no longer has {lost} on its device"),
                (false, false) => format!("has {got} in the place of {lost} on its device"),
            }
        }
    };
    let diagnostic = Diagnostic::error("value that has to be written by hand");
    let diagnostic = match at.as_ref().or_else(|| config.span(address)) {
        Some(span) => diagnostic.label(span, why),
        None => diagnostic,
    };
    diagnostic.help(format!(
        "`{name}` of `{address}` {has}. Let the configuration say so, or run `wgform apply`, which undoes it there."
    ))
}

fn left(config: &Config, left: &Left) -> Diagnostic {
    let Left { address, why, help } = left;
    let diagnostic = Diagnostic::error("drift that cannot be adopted");
    match config.span(address) {
        Some(span) => diagnostic.label(span, why.clone()).help(help.clone()),
        None => diagnostic
            .help(format!("{}. {help}", crate::diagnostic::sentence(why).trim_end_matches('.'))),
    }
}
