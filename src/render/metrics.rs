//! Metrics in Prometheus' text format, for the textfile collector of its node exporter.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::drift::{Report, Seen};
use crate::plan::Holds;

/// The last success of `wgform drift`, which is taken over from one file to the next.
pub const DRIFT_SUCCESS: &str = "wgform_drift_last_success_timestamp_seconds";
/// The same of `wgform apply`.
pub const APPLY_SUCCESS: &str = "wgform_apply_last_success_timestamp_seconds";

/// The metrics of one run.
#[derive(Debug, Default)]
pub struct Metrics {
    text: String,
}

/// What every run says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How it ended.
    pub exit_code: u8,
    /// When one of its kind last succeeded, this one included; none when that was never seen.
    pub last_success: Option<f64>,
}

/// What is known of the state and of whoever changes it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings {
    /// When the state was last written.
    pub state_written_at: Option<Timestamp>,
    /// When an apply last wrote it, all of which succeeded.
    pub applied_at: Option<Timestamp>,
    /// Whether an apply or a destroy is running.
    pub is_applying: bool,
    /// Since when the lock is held, while it is.
    pub locked_since: Option<Timestamp>,
}

impl Metrics {
    /// Returns the text.
    pub fn into_text(self) -> String {
        self.text
    }

    /// Adds what a run says of itself; `command` is part of the names.
    pub fn run(&mut self, command: &str, run: Run) {
        let Run { began_at, ended_at, exit_code, last_success } = run;
        let name = |what: &str| format!("wgform_{command}_{what}");
        let took = ended_at.duration_since(began_at).as_secs_f64().max(0.0);
        let gauges = [
            (
                "exit_code",
                format!("The exit code of the last run of wgform {command}."),
                f64::from(exit_code),
            ),
            (
                "last_run_timestamp_seconds",
                format!("When wgform {command} last ran."),
                seconds(ended_at),
            ),
            ("duration_seconds", format!("How long the last run of wgform {command} took."), took),
        ];
        for (what, help, value) in gauges {
            self.metric(&name(what), &help, [(&[][..], value)]);
        }
        if let Some(at) = last_success {
            let help = format!("When wgform {command} last succeeded.");
            self.metric(&name("last_success_timestamp_seconds"), &help, [(&[][..], at)]);
        }
    }

    /// Adds what was found.
    pub fn drift(&mut self, report: &Report) {
        let counts = report.counts();
        let samples = counts.iter().map(|((backend, class), n)| {
            ([("backend", backend.as_str()), ("class", class.as_str())], float(*n))
        });
        let samples: Vec<_> = samples.collect();
        self.metric(
            "wgform_drift_objects",
            "Objects that differ from what was last applied, by class.",
            samples.iter().map(|(labels, value)| (&labels[..], *value)),
        );
        self.holds(&report.plan.holds);
        let waiting = float(report.waiting);
        let help = "Changes of the configuration that are not applied yet.";
        self.metric("wgform_drift_waiting_changes", help, [(&[][..], waiting)]);
    }

    fn holds(&mut self, holds: &Holds) {
        let (held, known) = holds.counts();
        let counts = [("active", held), ("known_drift", known), ("expired", holds.expired.len())];
        let samples = counts.map(|(state, n)| ([("kind", state)], float(n)));
        self.metric(
            "wgform_holds",
            "Holds and entries of known drift, and those whose time is up and that no apply has forgotten.",
            samples.iter().map(|(labels, value)| (&labels[..], *value)),
        );
    }

    /// Adds which backends could be read.
    pub fn backends<'a>(&mut self, seen: impl IntoIterator<Item = (&'a str, &'a Seen)>) {
        let seen: BTreeMap<&str, &Seen> = seen.into_iter().collect();
        if seen.is_empty() {
            return;
        }
        let labels: Vec<_> = seen.iter().map(|(id, it)| ([("backend", *id)], *it)).collect();
        let up = labels
            .iter()
            .map(|(labels, it)| (&labels[..], if it.why_not.is_none() { 1.0 } else { 0.0 }));
        let help = "Whether the backend could be read.";
        self.metric("wgform_backend_up", help, up);
        let uptimes =
            labels.iter().filter_map(|(labels, it)| Some((&labels[..], it.uptime?.as_secs_f64())));
        let uptimes: Vec<_> = uptimes.collect();
        if !uptimes.is_empty() {
            let help = "How long the system of the backend has been up.";
            self.metric("wgform_backend_uptime_seconds", help, uptimes);
        }
        let skews = labels
            .iter()
            .filter_map(|(labels, it)| Some((&labels[..], it.clock_skew?.as_secs_f64())));
        let skews: Vec<_> = skews.collect();
        if !skews.is_empty() {
            let help = "By how much the clock of the backend is ahead of the one here.";
            self.metric("wgform_backend_clock_skew_seconds", help, skews);
        }
    }

    /// Adds what is known of the state.
    pub fn surroundings(&mut self, surroundings: Surroundings, now: Timestamp) {
        let Surroundings { state_written_at, applied_at, is_applying, locked_since } = surroundings;
        if let Some(at) = state_written_at {
            let help = "When the file of the state was last written, by whatever did.";
            let name = "wgform_state_written_timestamp_seconds";
            self.metric(name, help, [(&[][..], seconds(at))]);
        }
        if let Some(at) = applied_at {
            let help = "When an apply last changed something, and all of it succeeded.";
            let name = "wgform_state_applied_timestamp_seconds";
            self.metric(name, help, [(&[][..], seconds(at))]);
        }
        let applying = if is_applying { 1.0 } else { 0.0 };
        let help = "Whether an apply or a destroy was running.";
        self.metric("wgform_apply_in_progress", help, [(&[][..], applying)]);
        let age =
            locked_since.map_or(0.0, |since| now.duration_since(since).as_secs_f64().max(0.0));
        let help = "How long the lock on the state had been held; 0 while it was free.";
        self.metric("wgform_lock_age_seconds", help, [(&[][..], age)]);
    }

    /// Adds a metric; all of them are gauges.
    fn metric<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (&'a [(&'a str, &'a str)], f64)>,
    ) {
        let _ =
            writeln!(self.text, "# HELP {name} {}\n# TYPE {name} gauge", help.replace('\\', r"\\"));
        for (labels, value) in samples {
            let labels: Vec<_> = labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                .collect();
            let labels =
                if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(self.text, "{name}{labels} {value}");
        }
    }
}

/// Writes the value of a label as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

/// Returns the value of a metric without labels in an older file of the same kind.
pub fn value_of(text: &str, name: &str) -> Option<f64> {
    let line = text
        .lines()
        .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
    let value: f64 = line[name.len()..].trim().parse().ok()?;
    value.is_finite().then_some(value)
}

/// Returns the seconds since 1970, to the millisecond.
pub fn seconds(at: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact for the next quarter of a million years")]
    let milliseconds = at.as_millisecond() as f64;
    milliseconds / 1000.0
}

fn float(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use insta::assert_snapshot;
    use jiff::SignedDuration;

    use crate::drift::Seen;
    use crate::render::metrics::{DRIFT_SUCCESS, Metrics, Run, Surroundings, value_of};

    #[test]
    fn metrics_have_a_name_a_type_and_escaped_labels() {
        let at = |text: &str| text.parse().unwrap();
        let mut metrics = Metrics::default();
        let run = Run {
            began_at: at("2026-03-01T00:00:00Z"),
            ended_at: at("2026-03-01T00:00:01.5Z"),
            exit_code: 6,
            last_success: Some(1_772_323_200.0),
        };
        metrics.run("drift", run);
        let up = Seen {
            why_not: None,
            uptime: Some(Duration::from_secs(90)),
            clock_skew: Some(SignedDuration::from_secs(-75)),
        };
        let down = Seen { why_not: Some("could not".to_owned()), uptime: None, clock_skew: None };
        metrics.backends([("hq", &up), ("site[\"a\\b\"]", &down)]);
        let surroundings = Surroundings {
            state_written_at: None,
            applied_at: Some(at("2026-02-27T00:00:00Z")),
            is_applying: true,
            locked_since: Some(at("2026-02-28T23:59:01.5Z")),
        };
        metrics.surroundings(surroundings, at("2026-03-01T00:00:01.5Z"));
        let text = metrics.into_text();
        assert_eq!(value_of(&text, DRIFT_SUCCESS), Some(1_772_323_200.0));
        assert_eq!(value_of(&text, "wgform_drift"), None);
        assert_snapshot!(text, @r#"
        # HELP wgform_drift_exit_code The exit code of the last run of wgform drift.
        # TYPE wgform_drift_exit_code gauge
        wgform_drift_exit_code 6
        # HELP wgform_drift_last_run_timestamp_seconds When wgform drift last ran.
        # TYPE wgform_drift_last_run_timestamp_seconds gauge
        wgform_drift_last_run_timestamp_seconds 1772323201.5
        # HELP wgform_drift_duration_seconds How long the last run of wgform drift took.
        # TYPE wgform_drift_duration_seconds gauge
        wgform_drift_duration_seconds 1.5
        # HELP wgform_drift_last_success_timestamp_seconds When wgform drift last succeeded.
        # TYPE wgform_drift_last_success_timestamp_seconds gauge
        wgform_drift_last_success_timestamp_seconds 1772323200
        # HELP wgform_backend_up Whether the backend could be read.
        # TYPE wgform_backend_up gauge
        wgform_backend_up{backend="hq"} 1
        wgform_backend_up{backend="site[\"a\\b\"]"} 0
        # HELP wgform_backend_uptime_seconds How long the system of the backend has been up.
        # TYPE wgform_backend_uptime_seconds gauge
        wgform_backend_uptime_seconds{backend="hq"} 90
        # HELP wgform_backend_clock_skew_seconds By how much the clock of the backend is ahead of the one here.
        # TYPE wgform_backend_clock_skew_seconds gauge
        wgform_backend_clock_skew_seconds{backend="hq"} -75
        # HELP wgform_state_applied_timestamp_seconds When an apply last changed something, and all of it succeeded.
        # TYPE wgform_state_applied_timestamp_seconds gauge
        wgform_state_applied_timestamp_seconds 1772150400
        # HELP wgform_apply_in_progress Whether an apply or a destroy was running.
        # TYPE wgform_apply_in_progress gauge
        wgform_apply_in_progress 1
        # HELP wgform_lock_age_seconds How long the lock on the state had been held; 0 while it was free.
        # TYPE wgform_lock_age_seconds gauge
        wgform_lock_age_seconds 60
        "#);
    }
}
