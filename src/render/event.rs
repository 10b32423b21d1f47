//! What happens in a run, as text: a line for each event that is worth one.

use std::fmt::Write as _;

use crate::event::{BackendName, Event, StepName, Work};
use crate::render::{count, printable};

/// Says what happened; nothing where only the next event says something.
pub fn line(event: &Event) -> Option<String> {
    let line = match event {
        Event::LockAwaited { said, .. } => format!("Waiting for the lock.{}", printable(said)),
        Event::BackendRead { backend, interfaces, peers, elapsed_ms } => {
            let found = found(*interfaces, *peers);
            format!("Refreshed {}: {found}, {}.", quoted(backend), elapsed(*elapsed_ms))
        }
        Event::BackendFailed { backend, reason, .. } => {
            format!("Could not read {}: {reason}.", quoted(backend))
        }
        Event::StepDone { step, .. } => done(step)?,
        Event::StepFailed { step, reason, .. } => format!("{}: failed: {reason}", step.subject),
        Event::ApplyEnded { done, failed, skipped, not_started, elapsed_ms } => {
            summary(
                *done,
                [(*failed, "failed"), (*skipped, "skipped"), (*not_started, "not started")],
            ) + &format!(" in {}.", elapsed(*elapsed_ms))
        }
        Event::StateRecorded { .. }
        | Event::RefreshStarted { .. }
        | Event::BackendAsked { .. }
        | Event::RefreshEnded { .. }
        | Event::ApplyStarted { .. }
        | Event::StepStarted { .. }
        | Event::StepSkipped { .. }
        | Event::StepNotStarted { .. } => return None,
    };
    Some(printable(&line).into_owned())
}

fn quoted(backend: &BackendName) -> String {
    let simulated = if backend.simulated { " (simulated)" } else { "" };
    format!("backend `{}`{simulated}", backend.id)
}

/// Says what is on a backend.
pub fn found(interfaces: usize, peers: usize) -> String {
    format!("{}, {}", count(interfaces, "interface"), count(peers, "peer"))
}

fn done(step: &StepName) -> Option<String> {
    let verb = match step.work {
        Work::Create => "created",
        Work::Update => "updated",
        Work::Delete => "destroyed",
        Work::Forget => "no longer managed",
        Work::BringUp => "brought up",
        Work::DeleteOld => "old one destroyed",
        Work::PutAside => "put out of the way",
        Work::SetRoutes => "routes set",
        Work::Persist => "persisted",
        Work::StopPersisting => "no longer persisted",
        Work::SwitchOn => "WireGuard switched on",
        Work::Apply => "what was stored is applied",
        // The end of another step says it.
        Work::Prepare => return None,
    };
    Some(format!("{}: {verb}", step.subject))
}

/// Says what is being done.
pub fn under_way(step: &StepName) -> String {
    let verb = match step.work {
        Work::Create => "creating",
        Work::Update => "updating",
        Work::Delete => "destroying",
        Work::Forget => "forgetting",
        Work::BringUp => "bringing up",
        Work::DeleteOld => "destroying the old one",
        Work::PutAside => "putting out of the way",
        Work::SetRoutes => "setting routes",
        Work::Prepare => "preparing",
        Work::Persist => "persisting",
        Work::StopPersisting => "removing what is persisted",
        Work::SwitchOn => "switching WireGuard on",
        Work::Apply => "applying what is stored",
    };
    let on = step.backend.as_ref().map(|backend| format!(" on {backend}")).unwrap_or_default();
    printable(&format!("{}{on}: {verb}", step.subject)).into_owned()
}

fn summary(done: usize, others: [(usize, &str); 3]) -> String {
    let all = done + others.iter().map(|(number, _)| number).sum::<usize>();
    if done == all {
        return format!("{} done", count(done, "step"));
    }
    let mut text = format!("{done} of {} done", count(all, "step"));
    for (number, how) in others.into_iter().filter(|(number, _)| *number > 0) {
        let _ = write!(text, ", {number} {how}");
    }
    text
}

/// Writes a length of time as people say it: `42 ms`, `1.2 s`, `2 min 5 s`, `1 h 2 min`.
pub fn elapsed(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds}.{} s", ms % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use crate::event::{BackendName, Event, StepName, Work};
    use crate::render::event::{elapsed, line};

    #[test]
    fn an_event_is_a_line_or_nothing() {
        let hq = || BackendName {
            id: "hq".to_owned(),
            kind: "local".to_owned(),
            display_name: None,
            simulated: true,
        };
        let step = |work| StepName { subject: "peer.a\u{1b}".to_owned(), backend: None, work };
        let reason = || "no route".to_owned();
        let ended = |done, failed, skipped, not_started| Event::ApplyEnded {
            done,
            failed,
            skipped,
            not_started,
            elapsed_ms: 1_250,
        };
        for (event, expected) in [
            (
                Event::BackendRead { backend: hq(), interfaces: 1, peers: 41, elapsed_ms: 7 },
                "Refreshed backend `hq` (simulated): 1 interface, 41 peers, 7 ms.",
            ),
            (
                Event::BackendFailed {
                    backend: hq(),
                    reason: reason(),
                    hints: vec![],
                    elapsed_ms: 7,
                },
                "Could not read backend `hq` (simulated): no route.",
            ),
            (
                Event::StepDone { step: step(Work::BringUp), elapsed_ms: 0 },
                "peer.a\u{fffd}: brought up",
            ),
            (Event::StepDone { step: step(Work::Prepare), elapsed_ms: 0 }, ""),
            (
                Event::StepFailed {
                    step: step(Work::Create),
                    reason: reason(),
                    hints: vec![],
                    elapsed_ms: 0,
                },
                "peer.a\u{fffd}: failed: no route",
            ),
            (ended(1, 0, 0, 0), "1 step done in 1.2 s."),
            (ended(3, 1, 0, 2), "3 of 6 steps done, 1 failed, 2 not started in 1.2 s."),
        ] {
            assert_eq!(line(&event).unwrap_or_default(), expected, "{event:?}");
        }
    }

    #[test]
    fn lengths_of_time_are_as_long_as_they_have_to_be() {
        assert_eq!(
            [0, 999, 1_000, 59_999, 60_000, 3_600_000, 5_430_000].map(elapsed),
            ["0 ms", "999 ms", "1.0 s", "59.9 s", "1 min 0 s", "1 h 0 min", "1 h 30 min"]
        );
    }
}
