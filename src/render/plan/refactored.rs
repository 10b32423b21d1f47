//! What of a plan no device hears of: what has another address now, and what is taken over as it is.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::plan::{Plan, ResourceChange};
use crate::render::{Paint, Style, printable};
use crate::resource::Address;

/// Lists what moves or is taken over, and is not changed beside that.
pub(super) fn refactored(plan: &Plan, paint: Paint) -> String {
    let changed = plan.changes.iter().filter_map(|it| it.subject.address());
    let changed: BTreeSet<&Address> = changed.collect();
    let mut text = String::new();
    let mut line = |line: String| {
        let _ = writeln!(text, "  {}", paint.paint(Style::Bold, printable(&line)));
    };
    for (new, old) in plan.moved.iter().filter(|(new, _)| !changed.contains(new)) {
        line(format!("# {old} has moved to {new}"));
    }
    for (address, id) in plan.imported.iter().filter(|(it, _)| !changed.contains(it)) {
        line(format!("# {address} will be imported from {id}"));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// Says where a resource comes from that changes too.
pub(super) fn origin(plan: &Plan, change: &ResourceChange) -> Vec<String> {
    let Some(address) = change.subject.address() else { return Vec::new() };
    let moved = plan.moved.get(address).map(|old| format!("moved from {old}"));
    let imported = plan.imported.get(address).map(|id| format!("imported from {id}"));
    moved.into_iter().chain(imported).collect()
}

/// Says that a part of a plan has all moves.
pub(super) fn is_whole_note(plan: &Plan, text: &mut String) {
    if !plan.moved.is_empty() {
        text.push_str(
            "Moves are recorded whole, also of what is left out: they change the state only.\n\n",
        );
    }
}

/// Counts at the end of a sentence what there is only sometimes.
pub(crate) fn tail(moved: usize, forgotten: usize, word: &str) -> String {
    let counts = [(moved, "moved"), (forgotten, word)];
    let counts = counts.into_iter().filter(|(number, _)| *number > 0);
    counts.map(|(number, what)| format!(", {number} {what}")).collect()
}
