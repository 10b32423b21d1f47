//! How an apply went, as text.

use std::fmt::Write as _;

use crate::diagnostic::sentence;
use crate::outcome::{Fate, Report, StepReport};
use crate::plan::Action;
use crate::render::plan::tail;
use crate::render::{Paint, Style, count, printable, state};

/// Says how all of it went.
pub fn report(report: &Report, operation: &str, paint: Paint) -> String {
    let mut text = String::from("\n");
    let failed: Vec<&StepReport> =
        report.steps.iter().filter(|it| matches!(it.fate, Fate::Failed(_))).collect();
    for it in &failed {
        failure(it, paint, &mut text);
    }
    skipped(report, &mut text);
    not_started(report, &mut text);
    let capital = match operation {
        "destroy" => "Destroy",
        _ => "Apply",
    };
    let is_recorded = report.unrecorded.is_none();
    let is_met = report.unmet.is_empty();
    let is_complete = report.is_complete() && is_recorded && is_met;
    let is_well = failed.is_empty() && is_recorded && is_met;
    let heading = match (is_well, is_complete) {
        (_, true) => paint.paint(Style::Bold, format!("{capital} complete.")),
        (true, false) => paint.paint(Style::Warning, format!("{capital} interrupted.")),
        (false, false) if report.did_anything() => {
            paint.paint(Style::Error, format!("{capital} done in part."))
        }
        (false, false) => paint.paint(Style::Error, format!("{capital} failed.")),
    };
    let imported = match report.imported {
        0 => String::new(),
        number => format!("{number} imported, "),
    };
    let others = tail(report.moved, report.count(Action::Forget), "forgotten");
    let (added, changed, destroyed) =
        (report.count(Action::Create), report.count(Action::Update), report.count(Action::Delete));
    let _ = writeln!(
        text,
        "{heading} Resources: {imported}{added} added, {changed} changed, {destroyed} destroyed{others}."
    );
    if !is_recorded {
        text.push_str(
            "What was done may not all be in the state yet; run it again to bring it there.\n",
        );
    } else if report.is_complete() && !is_met {
        text.push_str("All of it is in the state, and something is not as it has to be.\n");
    } else if !is_complete {
        text.push_str("What was done is in the state; run it again to do the rest.\n");
    }
    for (address, set) in &report.resolved {
        let _ = writeln!(text, "The endpoint of {address} was resolved to {set}.");
    }
    let has_outputs = report.outputs_failed.is_empty() && !report.outputs.is_empty();
    if is_complete && operation != "destroy" && has_outputs {
        let _ = write!(text, "\nOutputs:\n\n{}", state::outputs(&report.outputs));
    }
    text
}

fn failure(it: &StepReport, paint: Paint, text: &mut String) {
    let Fate::Failed(lines) = &it.fate else { return };
    let (first, hints) = lines
        .split_first()
        .map_or(("no reason was given", [].as_slice()), |(first, hints)| (first.as_str(), hints));
    let heading = paint.paint(Style::Error, "Failed:");
    let _ = writeln!(text, "{heading} {}", printable(&it.step.subject.to_string()));
    let _ = writeln!(text, "  cause: {}", printable(first));
    for hint in hints {
        let help = paint.paint(Style::Bold, "help:");
        let _ = writeln!(text, "  {help} {}", sentence(&printable(hint)));
    }
    text.push('\n');
}

fn skipped(report: &Report, text: &mut String) {
    let skipped = report.steps.iter().filter_map(|it| match &it.fate {
        Fate::Skipped { because } => Some((it.step.subject.to_string(), because.to_string())),
        _ => None,
    });
    let mut skipped: Vec<_> = skipped.collect();
    skipped.dedup();
    if skipped.is_empty() {
        return;
    }
    text.push_str("Skipped:\n");
    for (subject, because) in skipped {
        let _ = writeln!(text, "  {}, because of {}", printable(&subject), printable(&because));
    }
    text.push('\n');
}

fn not_started(report: &Report, text: &mut String) {
    let rest: Vec<_> = report.steps.iter().filter(|it| it.fate == Fate::NotStarted).collect();
    if rest.is_empty() {
        return;
    }
    let done = report.steps.iter().filter(|it| it.fate == Fate::Done).count();
    let _ = writeln!(text, "{} done, {} not started:", count(done, "step"), rest.len());
    for it in rest {
        let _ = writeln!(text, "  {}", printable(&it.step.subject.to_string()));
    }
    text.push('\n');
}
