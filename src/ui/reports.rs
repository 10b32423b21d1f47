//! What a run tells other programs and reviewers: the stream of `-json`, and the files that a command line asks for.
//!
//! The stream grows as the run goes and is whole when its last line is a `result`. The other files are written at the end,
//! however the run ends, each under a temporary name that then becomes its own. That they can be written is looked at
//! before anything is done; a disk that is full by then is an error that is told, and changes nothing of what was done.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use jiff::Timestamp;

use crate::diagnostic::Diagnostic;
use crate::event::{Event, StepName};
use crate::outfile::{Care, Kind, Outfiles, Unwritten};
use crate::render::markdown::comment;
use crate::render::quality;
use crate::render::record::Record;
use crate::render::stream::{self, Said};

/// Where the reports of a run go. Files are called what the command line calls them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destinations {
    /// The stream of `-json`.
    pub json: Option<PathBuf>,
    /// A comment on a pull request.
    pub markdown: Option<PathBuf>,
    /// The numbers.
    pub summary: Option<PathBuf>,
    /// The numbers that GitLab shows.
    pub gitlab: Option<PathBuf>,
    /// The problems, for GitLab and others.
    pub quality: Option<PathBuf>,
    /// The directory that the files are relative to.
    pub directory: PathBuf,
    /// The directory of the configuration, as the root of its repository sees it.
    pub prefix: String,
}

/// A report, and what one begins with.
const fn report(flag: &'static str, is_ours: fn(&str) -> bool) -> Kind {
    let other = "there is a file that is no such report";
    Kind { flag, attempt: "write", other, is_ours, care: Care::Shared }
}

const JSON: Kind = report("-json-into", |text| {
    let line = text.lines().next().unwrap_or_default();
    line.starts_with('{') && line.contains("\"type\":\"version\"")
});
const MARKDOWN: Kind = report("-markdown-into", |text| text.starts_with("## wgform "));
const SUMMARY: Kind = report("-summary-into", |text| text.starts_with("{\n  \"format_version\""));
const GITLAB: Kind = report("-gitlab-report-into", |text| text.starts_with("{\"create\":"));
const QUALITY: Kind = report("-codequality-into", |text| text.starts_with('['));

impl Destinations {
    /// Returns the files with what they are.
    pub fn files(&self) -> impl Iterator<Item = (Kind, &PathBuf)> {
        let Self { json, markdown, summary, gitlab, quality, directory: _, prefix: _ } = self;
        [
            (JSON, json),
            (MARKDOWN, markdown),
            (SUMMARY, summary),
            (GITLAB, gitlab),
            (QUALITY, quality),
        ]
        .into_iter()
        .filter_map(|(kind, file)| Some((kind, file.as_ref()?)))
    }
}

/// As often a step that is under way is told again.
const BEAT_SECONDS: i64 = 10;

/// The reports of this run.
pub(super) struct Reports {
    pub(super) record: Record,
    clock: Option<Box<dyn Fn() -> Timestamp + Send>>,
    /// Whether stdout has the stream and nothing else.
    pub(super) is_stream: bool,
    destinations: Destinations,
    pub(super) outfiles: Outfiles,
    into: Option<File>,
    failed: Option<Unwritten>,
    running: BTreeMap<StepName, Running>,
    has_ended: bool,
}

/// A step that is under way.
struct Running {
    since: Timestamp,
    /// How many times it was told that it is.
    beats: i64,
}

impl Reports {
    /// Starts without any.
    pub(super) fn none() -> Self {
        Self {
            record: Record::default(),
            clock: None,
            is_stream: false,
            destinations: Destinations::default(),
            outfiles: Outfiles::default(),
            into: None,
            failed: None,
            running: BTreeMap::new(),
            has_ended: false,
        }
    }

    /// Starts those of a command.
    pub(super) fn begin(
        &mut self,
        operation: Option<&'static str>,
        is_stream: bool,
        clock: impl Fn() -> Timestamp + Send + 'static,
    ) {
        self.record.operation = operation;
        self.is_stream = is_stream;
        self.clock = Some(Box::new(clock));
    }

    /// Looks whether the files can be written, and opens the one that grows.
    pub(super) fn open(&mut self, destinations: Destinations) -> Result<(), Unwritten> {
        let directory = &destinations.directory;
        for (kind, file) in destinations.files() {
            // The stream's own file is looked at too, before another one's error leaves it empty.
            self.outfiles.check(&kind, file, directory)?;
        }
        if let Some(path) = &destinations.json {
            self.into = Some(self.outfiles.open(&JSON, path, directory)?);
        }
        self.destinations = destinations;
        Ok(())
    }

    /// Returns whether anybody is told anything.
    pub(super) fn is_any(&self) -> bool {
        self.is_stream || self.destinations.files().next().is_some()
    }

    /// Returns whether somebody reads what happens while it happens.
    fn is_followed(&self) -> bool {
        !self.has_ended && (self.is_stream || self.into.is_some())
    }

    pub(super) fn wants_text(&self) -> bool {
        self.destinations.markdown.is_some()
    }

    /// Writes a line to the file, and returns it for stdout.
    pub(super) fn line(&mut self, said: Said) -> Option<String> {
        let clock = self.clock.as_ref().filter(|_| self.is_followed())?;
        let line = said.at(clock());
        if let (Some(file), Some(path)) = (&mut self.into, &self.destinations.json)
            && let Err(error) = file.write_all(line.as_bytes())
        {
            // Who reads a pipe may stop to.
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.failed = Some(Unwritten::because(&JSON, path, error));
            }
            // What cannot be written is told once, and not for each line.
            self.into = None;
        }
        self.is_stream.then_some(line)
    }

    /// Returns what is said of an event.
    pub(super) fn event(&mut self, event: &Event, now: Timestamp) -> Option<Said> {
        if !self.is_followed() {
            return None;
        }
        match event {
            Event::StepStarted { step } => {
                _ = self.running.insert(step.clone(), Running { since: now, beats: 0 });
            }
            Event::StepDone { step, .. }
            | Event::StepFailed { step, .. }
            | Event::StepSkipped { step, .. }
            | Event::StepNotStarted { step } => _ = self.running.remove(step),
            _ => {}
        }
        stream::event(event)
    }

    /// Returns what is said because time has passed.
    pub(super) fn tick(&mut self, now: Timestamp) -> Vec<Said> {
        let mut said = Vec::new();
        for (step, running) in &mut self.running {
            let seconds = now.duration_since(running.since).as_secs();
            if seconds / BEAT_SECONDS > running.beats {
                running.beats = seconds / BEAT_SECONDS;
                said.push(stream::progress(step, seconds.unsigned_abs()));
            }
        }
        said
    }

    /// Returns what is said of problems.
    pub(super) fn diagnostics(&mut self, found: &[Diagnostic]) -> Vec<Said> {
        if self.clock.is_none() {
            return Vec::new();
        }
        let problems = self.record.diagnostics(found);
        problems.into_iter().map(|it| stream::problem(it, None)).collect()
    }

    /// Writes the files that say how the run went but not how it ends.
    pub(super) fn write(&mut self, exit_code: u8, outcome: &'static str) -> Vec<Unwritten> {
        if self.has_ended {
            return Vec::new();
        }
        let Destinations { json: _, markdown, summary: _, gitlab, quality, directory, prefix } =
            &self.destinations;
        let record = &self.record;
        let mut failed: Vec<Unwritten> = self.failed.take().into_iter().collect();
        let mut write = |kind: Kind, path: &Option<PathBuf>, text: &dyn Fn() -> String| {
            if let Some(path) = path {
                let written = self.outfiles.write(&kind, path, directory, text().as_bytes());
                failed.extend(written.err());
            }
        };
        write(MARKDOWN, markdown, &|| comment(record, exit_code, outcome));
        write(GITLAB, gitlab, &|| record.summary(exit_code, outcome).gitlab());
        let problems = || record.problems.iter().map(|(it, _)| it);
        write(QUALITY, quality, &|| quality::report(problems(), prefix));
        failed
    }

    /// Writes the numbers, which have the exit code.
    pub(super) fn write_summary(
        &mut self,
        exit_code: u8,
        outcome: &'static str,
    ) -> Result<(), Unwritten> {
        match &self.destinations.summary {
            Some(path) if !self.has_ended => {
                let text = self.record.summary(exit_code, outcome).text();
                let directory = &self.destinations.directory;
                self.outfiles.write(&SUMMARY, path, directory, text.as_bytes())
            }
            _ => Ok(()),
        }
    }

    /// Ends the stream with its result, which is returned for stdout. Nothing is said after that.
    pub(super) fn end(
        &mut self,
        exit_code: u8,
        outcome: &'static str,
    ) -> (Option<String>, Option<Unwritten>) {
        if self.has_ended {
            return (None, None);
        }
        let line = self.line(stream::result(self.record.summary(exit_code, outcome)));
        self.has_ended = true;
        (line, self.failed.take())
    }
}
