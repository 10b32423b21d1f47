//! What was changed outside of wgform, as text.

use std::fmt::Write as _;

use crate::drift::Report;
use crate::render::plan::{around_drift, drift_body, extent};
use crate::render::{Paint, Style, count, hold};

/// Shows a report.
pub fn report(report: &Report, paint: Paint) -> String {
    let mut text = drift_body(&report.plan, paint);
    classes(report, paint, &mut text);
    summary(report, paint, &mut text);
    text
}

/// Shows all of a report but the drift that counts, for a reader who is shown that in another form.
pub fn around(report: &Report) -> String {
    let mut text = around_drift(&report.plan);
    classes(report, Paint::PLAIN, &mut text);
    waiting(report, &mut text);
    text
}

fn classes(report: &Report, paint: Paint, text: &mut String) {
    hold::known(&report.plan, &report.known, paint, text);
    hold::held(&report.plan, paint, text);
    hold::unknown(&report.unknown, paint, text);
}

fn summary(report: &Report, paint: Paint, text: &mut String) {
    let Report { plan, known, .. } = report;
    let held = plan.held.iter().filter(|it| it.is_drift()).count();
    let undeclared = plan.changes.iter().filter(|it| it.subject.is_unmanaged()).count();
    let (drifted, unmanaged) = (plan.changes.len() - undeclared, plan.unmanaged.len() + undeclared);
    let bold = |words: &str| paint.paint(Style::Bold, words);
    let is_silent = !report.has_drift();
    if is_silent && !plan.refusals.is_empty() {
        let _ = writeln!(
            text,
            "{} Something stands in the way, so the devices were not compared.",
            bold("No answer.")
        );
    } else if is_silent && plan.backends.is_empty() && !plan.unreachable.is_empty() {
        let line = bold("No answer.");
        let _ = writeln!(text, "{line} No backend could be read, so nothing was compared.");
    } else if is_silent {
        let but = match (known.len(), held) {
            (0, 0) => "The devices have what was last applied",
            (_, 0) => "But for what is known, the devices have what was last applied",
            (0, _) => "But for what is held, the devices have what was last applied",
            _ => "But for what is known or held, the devices have what was last applied",
        };
        let _ = writeln!(text, "{} {but}{}.", bold("No drift."), extent(plan));
    } else {
        let (resources, peers) = (count(drifted, "resource"), count(unmanaged, "unmanaged peer"));
        let line = format!("{} {resources} changed outside of wgform, {peers}", bold("Drift:"));
        let others = match (known.len(), held) {
            (0, 0) => String::new(),
            (known, held) => format!("; besides, {known} known and {held} held"),
        };
        let _ = writeln!(text, "{line}{others}.");
    }
    waiting(report, text);
}

fn waiting(report: &Report, text: &mut String) {
    let waiting = report.waiting;
    if waiting > 0 {
        let what = count(waiting, "change");
        let (is, it) = if waiting == 1 { ("is", "it") } else { ("are", "them") };
        let _ = writeln!(
            text,
            "The configuration has {what} that {is} not applied yet; `wgform plan` shows {it}."
        );
    }
}
