//! What the terminal hands on to the reports of a run.
//!
//! Where stdout is the stream of `-json`, that is all there is: what is in the stream is not written to stderr as well,
//! unless nobody reads the stream any more.

use std::sync::{MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::diagnostic::Diagnostic;
use crate::drift;
use crate::event::Event;
use crate::outcome::Report;
use crate::outfile::{Outfiles, Unwritten};
use crate::plan::Plan;
use crate::render::plan::Purpose;
use crate::render::stream::{self, Said};
use crate::render::validation::{Problem, Severity};
use crate::ui::Ui;
use crate::ui::reports::{Destinations, Reports};

/// A failure that is in no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind it is, in a word.
    pub kind: &'static str,
    /// What was attempted and failed.
    pub message: String,
    /// Why, and what to do.
    pub details: Vec<String>,
    /// All of it for a terminal.
    pub text: String,
}

impl Ui {
    /// Starts the reports of a command: `operation` is its name. With `is_stream`, stdout has the stream and nothing else
    /// from now on.
    pub fn report(
        &self,
        operation: Option<&'static str>,
        is_stream: bool,
        clock: impl Fn() -> Timestamp + Send + 'static,
    ) {
        let mut reports = self.reports();
        reports.begin(operation, is_stream, clock);
        self.write(&mut reports, stream::version());
    }

    /// Returns the names of the files that this run writes for its user.
    pub fn outfiles(&self) -> Outfiles {
        self.reports().outfiles.clone()
    }

    /// Writes reports to files, too.
    ///
    /// # Errors
    /// When one of them cannot be written. Nothing was done by then.
    pub fn report_into(&self, destinations: Destinations) -> Result<(), Unwritten> {
        let mut reports = self.reports();
        let was_stream = std::mem::replace(&mut reports.is_stream, false);
        let opened = reports.open(destinations);
        // stdout has its first line already.
        self.write(&mut reports, stream::version());
        reports.is_stream = was_stream;
        opened
    }

    /// Returns whether anything is reported, so that a run has to be brought to its end.
    pub fn is_reporting(&self) -> bool {
        self.reports().is_any()
    }

    /// Returns whether stdout is the stream of `-json`.
    pub fn is_stream(&self) -> bool {
        self.reports().is_stream
    }

    /// Tells of a plan.
    pub fn planned(&self, plan: &Plan, purpose: Purpose) {
        let mut reports = self.reports();
        if !reports.is_any() {
            return;
        }
        let with_text = reports.wants_text();
        reports.record.plan(plan, purpose, with_text);
        let operation = reports.record.operation.unwrap_or("plan");
        stream::plan(plan, purpose, operation, &mut |said| self.write(&mut reports, said));
    }

    /// Tells of a look for drift.
    pub fn drifted(&self, report: &drift::Report) {
        let mut reports = self.reports();
        if !reports.is_any() {
            return;
        }
        let with_text = reports.wants_text();
        reports.record.drift(report, with_text);
        stream::drift(report, &mut |said| self.write(&mut reports, said));
    }

    /// Tells what a plan is called by, for whoever reviews it.
    pub fn digest(&self, digest: &str) {
        self.reports().record.digest = Some(digest.to_owned());
    }

    /// Tells how an apply went.
    pub fn applied(&self, report: &Report) {
        let mut reports = self.reports();
        if !reports.is_any() {
            return;
        }
        reports.record.report(report);
        let operation = reports.record.operation.unwrap_or("apply");
        stream::report(report, operation, &mut |said| self.write(&mut reports, said));
    }

    /// Writes a failure that is in no file.
    pub fn failure(&self, failure: &Failure) {
        if !self.tell_failure(failure) {
            self.talk(&failure.text);
        }
    }

    /// Tells of a failure; returns whether that is enough.
    pub(crate) fn tell_failure(&self, failure: &Failure) -> bool {
        let Failure { kind, message, details, text: _ } = failure;
        let details = details.iter().cloned();
        let problem = Problem::elsewhere(Severity::Error, message, details);
        self.tell_problem(problem, Some(kind))
    }

    /// Tells of a warning; returns whether that is enough.
    pub(super) fn tell_warning(&self, text: &str) -> bool {
        self.tell_problem(Problem::elsewhere(Severity::Warning, text, std::iter::empty()), None)
    }

    fn tell_problem(&self, problem: Problem, kind: Option<&'static str>) -> bool {
        let mut reports = self.reports();
        reports.record.problem(&problem, kind);
        self.write(&mut reports, stream::problem(problem, kind));
        self.is_enough(&reports)
    }

    /// Tells of problems; returns whether that is enough.
    pub(crate) fn tell_diagnostics(&self, found: &[Diagnostic]) -> bool {
        let mut reports = self.reports();
        for said in reports.diagnostics(found) {
            self.write(&mut reports, said);
        }
        self.is_enough(&reports)
    }

    /// Tells of an event; returns whether that is enough.
    pub(super) fn tell_event(&self, event: &Event, now: Timestamp) -> bool {
        let mut reports = self.reports();
        if let Some(said) = reports.event(event, now) {
            self.write(&mut reports, said);
        }
        reports.is_stream
    }

    /// Tells that time passes; returns whether that is enough.
    pub(super) fn tell_tick(&self, now: Timestamp) -> bool {
        let mut reports = self.reports();
        for said in reports.tick(now) {
            self.write(&mut reports, said);
        }
        reports.is_stream
    }

    /// Writes the files that are asked for, for a run that ends like this.
    pub fn write_reports(&self, exit_code: u8, outcome: &'static str) -> Vec<Unwritten> {
        self.reports().write(exit_code, outcome)
    }

    /// Writes the numbers, for a run that ends like this.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_summary(&self, exit_code: u8, outcome: &'static str) -> Result<(), Unwritten> {
        self.reports().write_summary(exit_code, outcome)
    }

    /// Ends the stream with its result. Nothing is told after that.
    ///
    /// # Errors
    /// When it could not be written to its file.
    pub fn end_reports(&self, exit_code: u8, outcome: &'static str) -> Result<(), Unwritten> {
        let mut reports = self.reports();
        let (line, failed) = reports.end(exit_code, outcome);
        if let Some(line) = line {
            self.lock().result(&line);
        }
        failed.map_or(Ok(()), Err)
    }

    fn is_enough(&self, reports: &Reports) -> bool {
        reports.is_stream && self.lock().result_failed.is_none()
    }

    fn write(&self, reports: &mut Reports, said: Said) {
        if let Some(line) = reports.line(said) {
            self.lock().result(&line);
        }
    }

    fn reports(&self) -> MutexGuard<'_, Reports> {
        // A panic while a report is put together leaves at worst half of it.
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
