//! Drift as whoever looks at it sees it: what was applied, and what has become of it since.
//!
//! A plan has the change that undoes it. Here it is turned round, and what an apply would do about it is left out.

use crate::diff::{AttributeDiff, Class, Side};
use crate::plan::{Action, FileChange, FirewallNote, Note, Reason, ResourceChange};

/// Turns a change that undoes drift into what has happened.
pub(crate) fn observed(change: &ResourceChange) -> ResourceChange {
    let (action, reason) = match (&change.action, &change.reason) {
        // It says that already.
        (_, Reason::Observed) => return change.clone(),
        // It would be removed, because nobody declared it.
        (_, Reason::Unmanaged) => (Action::Create, Reason::Unmanaged),
        (_, Reason::Gone) => (Action::Delete, Reason::Observed),
        (_, reason @ (Reason::GoneWithInterface | Reason::Rebooted)) => {
            (Action::Delete, reason.clone())
        }
        _ => (Action::Update, Reason::Observed),
    };
    let notes = match action {
        Action::Update => change.notes.iter().filter_map(happened).collect(),
        _ => Vec::new(),
    };
    ResourceChange {
        subject: change.subject.clone(),
        backend: change.backend.clone(),
        action,
        reason,
        attributes: change.attributes.iter().map(|it| turned(it, action)).collect(),
        sensitive: change.sensitive.clone(),
        notes,
    }
}

fn turned(diff: &AttributeDiff, action: Action) -> AttributeDiff {
    if action == Action::Update && diff.class != Class::Drift {
        return diff.clone();
    }
    let applied = match &diff.after {
        Side::Known(json) => Some(json.clone()),
        Side::Unset | Side::Unknown => None,
    };
    let found = diff.before.clone();
    let (before, after) = match action {
        Action::Delete => (applied.or(found), Side::Unset),
        _ => (applied, found.map_or(Side::Unset, Side::Known)),
    };
    AttributeDiff { before, after, was: None, ..diff.clone() }
}

/// Returns what a note says of what has happened; nothing of one that says what an apply does.
fn happened(note: &Note) -> Option<Note> {
    match note {
        Note::File { path, change: FileChange::Text { lines, is_foreign, is_touched: true } } => {
            let lines = turned_lines(lines);
            let change = FileChange::Text { lines, is_foreign: *is_foreign, is_touched: true };
            Some(Note::File { path: path.clone(), change })
        }
        Note::KeyKept(_) | Note::Firewall(FirewallNote::Applied) => Some(note.clone()),
        note => note.is_drift().then(|| note.clone()),
    }
}

/// Swaps what was written and what is there; what is gone stays in front of what came for it.
fn turned_lines(lines: &[(char, String)]) -> Vec<(char, String)> {
    let mut turned = Vec::with_capacity(lines.len());
    for run in lines.chunk_by(|one, other| (one.0 == ' ') == (other.0 == ' ')) {
        for (from, to) in [(' ', ' '), ('+', '-'), ('-', '+')] {
            let of_mark = run.iter().filter(|it| it.0 == from);
            turned.extend(of_mark.map(|(_, line)| (to, line.clone())));
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use crate::render::plan::observed::turned_lines;

    #[test]
    fn a_file_shows_what_went_before_what_came() {
        let lines = |text: &str| -> Vec<(char, String)> {
            text.lines().map(|it| (it.chars().next().unwrap(), it[1..].to_owned())).collect()
        };
        let undone =
            " [Interface]\n-ListenPort = 9\n-MTU = 1\n+ListenPort = 8\n Table = off\n+DNS = a";
        let happened =
            " [Interface]\n-ListenPort = 8\n+ListenPort = 9\n+MTU = 1\n Table = off\n-DNS = a";
        assert_eq!(turned_lines(&lines(undone)), lines(happened));
    }
}
