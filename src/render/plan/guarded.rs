//! What a plan says of guards and of the ways to backends.

use std::fmt::Write as _;

use crate::plan::{PathChange, PathFate, Plan};
use crate::render::{Paint, Style, printable};
use crate::resource::pattern::in_shell;

/// So many addresses are named; more are counted.
const NAMED: usize = 50;

/// Lists what is missing where that is not believed.
pub(super) fn missing(plan: &Plan, paint: Paint, text: &mut String) {
    for (backend, missing) in plan.doubted.iter().filter(|it| !it.1.is_empty()) {
        let heading = format!("Missing on backend `{backend}`, and not believed:");
        let _ = writeln!(text, "{}\n", paint.paint(Style::Warning, printable(&heading)));
        for address in missing.iter().take(NAMED) {
            let _ = writeln!(text, "  {}", printable(&address.to_string()));
        }
        if missing.len() > NAMED {
            let _ = writeln!(text, "  and {} more", missing.len() - NAMED);
        }
        text.push('\n');
    }
}

/// Tells the ways to backends that the plan touches, and what becomes of them.
pub(super) fn paths(plan: &Plan, paint: Paint, text: &mut String) {
    for change in &plan.paths {
        let PathChange { backend: _, path, changes, fate } = change;
        let (style, heading) = match fate {
            PathFate::Refused | PathFate::Allowed => (Style::Error, "Management path cut:"),
            PathFate::LeftBehind => (Style::Warning, "Management path cut:"),
            PathFate::FarEndFirst | PathFate::NewWayFirst(_) => (Style::Bold, "Management path:"),
        };
        let path = printable(path).into_owned();
        let _ = writeln!(text, "{} {path}.\n", paint.paint(style, heading));
        for change in changes {
            let _ = writeln!(text, "  {}", printable(change));
        }
        let _ = writeln!(text, "  {}\n", printable(&fate_of(change)));
    }
}

fn fate_of(change: &PathChange) -> String {
    let backend = &change.backend;
    match &change.fate {
        PathFate::Refused => format!("backend.{backend} would be out of reach."),
        PathFate::Allowed => format!(
            "backend.{backend} may be out of reach then, as `-allow-lockout={}` allows; what is to be done on it is done first.",
            in_shell(backend.as_str())
        ),
        PathFate::LeftBehind => format!(
            "backend.{backend} is no longer in the configuration; what is to be removed from it is removed first."
        ),
        PathFate::FarEndFirst => {
            format!("The far end, backend.{backend}, is changed first, so the way stays open.")
        }
        PathFate::NewWayFirst(way) => {
            format!("A new way, through {way}, is there before this one goes.")
        }
    }
}

/// Lists the guards that were looked at, when one of them refuses.
pub(super) fn guards(plan: &Plan, paint: Paint, text: &mut String) {
    if !plan.guarded.iter().any(|it| it.refuses) {
        return;
    }
    let _ = writeln!(text, "{}\n", paint.paint(Style::Warning, "Guards:"));
    for guarded in &plan.guarded {
        let verdict = if guarded.refuses { "refused" } else { "let through" };
        let line = format!("{}: {verdict}: {}", guarded.guard, guarded.found);
        let _ = writeln!(text, "  {}", printable(&line));
    }
    text.push('\n');
}
