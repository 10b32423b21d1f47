//! What is held, what is known, and whose time is up, as text.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use crate::diff::{AttributeDiff, Side};
use crate::drift::{Known, UnknownInterface, in_order, place};
use crate::plan::{Action, Held, Plan};
use crate::render::plan::observed;
use crate::render::value::{after, shown};
use crate::render::{Paint, Style, count, printable};
use crate::state::{Hold, HoldKind};

/// So many are named; more are counted.
const NAMED: usize = 50;

/// Shows what a plan leaves alone, and what would have changed.
pub(crate) fn held(plan: &Plan, paint: Paint, text: &mut String) {
    if !plan.held.is_empty() {
        let heading = "Held, and left alone:";
        let _ = writeln!(text, "{}\n", paint.paint(Style::Warning, heading));
        let all: Vec<&Held> = in_order(plan).into_values().flatten().collect();
        for it in all.iter().take(NAMED) {
            one(plan, it, text);
        }
        more(all.len(), text);
        text.push('\n');
    }
    expired(plan, paint, text);
}

fn one(plan: &Plan, held: &Held, text: &mut String) {
    let Held { address, backend, hold, with, action, attributes } = held;
    let place = place(plan, backend.as_ref());
    let what = match (action, with) {
        (_, Some(with)) => format!("left as it is with {with}, which is held"),
        (Some((action, _)), None) => would(*action).to_owned(),
        (None, None) => "would be changed".to_owned(),
    };
    let line = format!("{address}{place}: {what}");
    let _ = writeln!(text, "  {}", printable(&line));
    let width = attributes.iter().map(|it| it.attribute.name.len()).max().unwrap_or_default();
    for diff in attributes {
        let _ =
            writeln!(text, "      {:width$} = {}", diff.attribute.name, printable(&value(diff)));
    }
    let _ = writeln!(text, "      # {}", printable(&by(hold)));
}

fn would(action: Action) -> &'static str {
    match action {
        Action::Create => "is not there and would be created",
        Action::Update => "would be changed",
        Action::Replace => "would be replaced",
        Action::Delete => "would be destroyed",
        Action::Forget => "would no longer be managed",
    }
}

fn value(diff: &AttributeDiff) -> String {
    let now = after(diff.attribute, false, &diff.after);
    match (&diff.before, &diff.after) {
        (Some(before), Side::Unset) => format!("{} -> unset", shown(diff.attribute, false, before)),
        (Some(before), _) => {
            let before = shown(diff.attribute, false, before);
            if before == now { before } else { format!("{before} -> {now}") }
        }
        (None, _) => now,
    }
}

/// Says by whom, why and until when.
pub fn by(hold: &Hold) -> String {
    let Hold { kind, name, reason, expires_at, made, .. } = hold;
    let block = match kind {
        HoldKind::Hold => "hold",
        HoldKind::KnownDrift => "known_drift",
    };
    let who = match made {
        Some(made) => format!("held by {} on {}", made.by, made.host),
        None => format!("{block} \"{name}\""),
    };
    format!("{who} until {expires_at}: {reason}")
}

fn expired(plan: &Plan, paint: Paint, text: &mut String) {
    let all: &[Arc<Hold>] = &plan.holds.expired;
    if all.is_empty() {
        return;
    }
    let heading = "No longer held or known, because the time is up:";
    let _ = writeln!(text, "{}\n", paint.paint(Style::Warning, heading));
    for hold in all.iter().take(NAMED) {
        let targets: Vec<_> = hold.targets.iter().map(ToString::to_string).collect();
        let targets = if targets.is_empty() { hold.name.clone() } else { targets.join(", ") };
        let line = format!("{targets}: {}", by(hold));
        let _ = writeln!(text, "  {}", printable(&line));
    }
    more(all.len(), text);
    text.push_str("\n  What differs there is drift again.\n\n");
}

/// Shows drift that is known.
pub(crate) fn known(plan: &Plan, all: &[Known], paint: Paint, text: &mut String) {
    if all.is_empty() {
        return;
    }
    let _ =
        writeln!(text, "{}\n", paint.paint(Style::Warning, "Known drift, which does not count:"));
    for Known { change, entry } in all.iter().take(NAMED) {
        let change = observed(change);
        let place = place(plan, change.backend.as_ref());
        let what = match change.action {
            Action::Delete => ": it is not there",
            _ => "",
        };
        let line = format!("{}{place}{what}", change.subject);
        let _ = writeln!(text, "  {}", printable(&line));
        let differs: Vec<_> = match change.action {
            Action::Delete => Vec::new(),
            _ => change.attributes.iter().filter(|it| it.is_write()).collect(),
        };
        let width = differs.iter().map(|it| it.attribute.name.len()).max().unwrap_or_default();
        for diff in differs {
            let name = diff.attribute.name;
            let _ = writeln!(text, "      {name:width$} = {}", printable(&value(diff)));
        }
        let _ = writeln!(text, "      # {}", printable(&by(entry)));
    }
    more(all.len(), text);
    text.push('\n');
}

/// Lists interfaces that nobody declared.
pub(crate) fn unknown(all: &[UnknownInterface], paint: Paint, text: &mut String) {
    if all.is_empty() {
        return;
    }
    let heading =
        format!("{} that nobody declared, which does not count:", count(all.len(), "interface"));
    let heading = if all.len() == 1 { heading } else { heading.replace("does not", "do not") };
    let _ = writeln!(text, "{}\n", paint.paint(Style::Warning, heading));
    for UnknownInterface { backend, name, peers } in all.iter().take(NAMED) {
        let line = format!("{name} on backend `{backend}`, {}", count(*peers, "peer"));
        let _ = writeln!(text, "  {}", printable(&line));
    }
    more(all.len(), text);
    text.push('\n');
}

fn more(all: usize, text: &mut String) {
    if all > NAMED {
        let _ = writeln!(text, "  and {} more", all - NAMED);
    }
}

/// Lists holds, for `wgform hold -list`.
pub fn list(holds: &[Hold], now: Timestamp) -> String {
    let mut text = String::new();
    for hold in holds {
        let targets: Vec<_> = hold.targets.iter().map(ToString::to_string).collect();
        let of = match hold.attributes.is_empty() {
            true => String::new(),
            false => {
                let names: Vec<_> = hold.attributes.iter().map(String::as_str).collect();
                format!(" ({})", names.join(", "))
            }
        };
        let expired = if hold.is_expired(now) { " [the time is up]" } else { "" };
        let line = format!("{}{of}{expired}\n    {}", targets.join(", "), by(hold));
        let _ = writeln!(text, "{}", printable(&line));
    }
    text
}
