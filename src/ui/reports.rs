//! What a run tells other programs and reviewers: the stream of `-json`, and the files that a command line asks for.
//!
//! The stream grows as the run goes and is whole when its last line is a `result`. The other files are written at the end,
//! however the run ends, each under a temporary name that then becomes its own. That they can be written is looked at
//! before anything is done; a disk that is full by then is an error that is told, and changes nothing of what was done.

#![expect(clippy::disallowed_methods, reason = "the files of reports are written here")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::diagnostic::Diagnostic;
use crate::disk;
use crate::event::{Event, StepName};
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

impl Destinations {
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let Self { json, markdown, summary, gitlab, quality, directory: _, prefix: _ } = self;
        [json, markdown, summary, gitlab, quality].into_iter().flatten()
    }

    /// Returns whether a text begins as the report does that goes into a file.
    fn is_report(&self, file: &PathBuf, text: &str) -> bool {
        let is = |report: &Option<PathBuf>| report.as_ref() == Some(file);
        let line = text.lines().next().unwrap_or_default();
        is(&self.json) && line.starts_with('{') && line.contains("\"type\":\"version\"")
            || is(&self.markdown) && line.starts_with("## wgform ")
            || is(&self.summary) && text.starts_with("{\n  \"format_version\"")
            || is(&self.gitlab) && line.starts_with("{\"create\":")
            || is(&self.quality) && line.starts_with('[')
    }

    fn at(&self, file: &Path) -> PathBuf {
        self.directory.join(file)
    }
}

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Its file cannot be made or written.
    #[error("could not write `{}`", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Two reports would have the same file.
    #[error("two reports cannot be written to one file, `{}`", path.display())]
    Twice {
        /// Which.
        path: PathBuf,
    },
}

impl ReportError {
    fn unwritable(path: &Path, source: io::Error) -> Self {
        Self::Unwritable { path: path.to_owned(), source }
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
    into: Option<File>,
    failed: Option<ReportError>,
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
    pub(super) fn open(&mut self, destinations: Destinations) -> Result<(), ReportError> {
        let files: Vec<&PathBuf> = destinations.files().collect();
        for (index, file) in files.iter().enumerate() {
            let is_same = |other: &&PathBuf| destinations.at(other) == destinations.at(file);
            if files[..index].iter().any(is_same) {
                return Err(ReportError::Twice { path: (*file).clone() });
            }
        }
        for file in files {
            // The stream's own file is looked at too, before another one's error leaves it empty.
            let path = destinations.at(file);
            disk::check_replaceable(&path, |it| destinations.is_report(file, it))
                .and_then(|()| try_out(&path))
                .map_err(|error| ReportError::unwritable(file, error))?;
        }
        if let Some(path) = &destinations.json {
            let file = File::create(destinations.at(path))
                .map_err(|error| ReportError::unwritable(path, error))?;
            self.into = Some(file);
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
        if self.failed.is_none()
            && let (Some(file), Some(path)) = (&mut self.into, &self.destinations.json)
            && let Err(error) = file.write_all(line.as_bytes())
            // Who reads a pipe may stop to.
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.failed = Some(ReportError::unwritable(path, error));
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
    pub(super) fn write(&mut self, exit_code: u8, outcome: &'static str) -> Vec<ReportError> {
        if self.has_ended {
            return Vec::new();
        }
        let Destinations { json: _, markdown, summary: _, gitlab, quality, directory: _, prefix } =
            &self.destinations;
        let record = &self.record;
        let mut failed: Vec<ReportError> = self.failed.take().into_iter().collect();
        let mut write = |path: &Option<PathBuf>, text: &dyn Fn() -> String| {
            if let Some(path) = path
                && let Err(error) = replace(&self.destinations.at(path), text().as_bytes())
            {
                failed.push(ReportError::unwritable(path, error));
            }
        };
        write(markdown, &|| comment(record, exit_code, outcome));
        write(gitlab, &|| record.summary(exit_code, outcome).gitlab());
        write(quality, &|| quality::report(record.problems.iter().map(|(it, _)| it), prefix));
        failed
    }

    /// Writes the numbers, which have the exit code.
    pub(super) fn write_summary(
        &mut self,
        exit_code: u8,
        outcome: &'static str,
    ) -> Result<(), ReportError> {
        match &self.destinations.summary {
            Some(path) if !self.has_ended => {
                let text = self.record.summary(exit_code, outcome).text();
                replace(&self.destinations.at(path), text.as_bytes())
                    .map_err(|error| ReportError::unwritable(path, error))
            }
            _ => Ok(()),
        }
    }

    /// Ends the stream with its result, which is returned for stdout. Nothing is said after that.
    pub(super) fn end(
        &mut self,
        exit_code: u8,
        outcome: &'static str,
    ) -> (Option<String>, Option<ReportError>) {
        if self.has_ended {
            return (None, None);
        }
        let line = self.line(stream::result(self.record.summary(exit_code, outcome)));
        self.has_ended = true;
        (line, self.failed.take())
    }
}

/// Makes a file beside the one that is to be written, and takes it away again. What is no file, a pipe for example, is
/// written to as it is.
fn try_out(path: &Path) -> io::Result<()> {
    if is_special(path)? {
        return Ok(());
    }
    let temporary = temporary(path);
    make(&temporary)?;
    fs::remove_file(&temporary)
}

/// Writes a file whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if is_special(path)? {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    // A link stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let temporary = temporary(&path);
    let written = make(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        fs::rename(&temporary, &path)
    });
    written.inspect_err(|_| _ = fs::remove_file(&temporary))
}

/// Returns whether a path is there and is no file that could be replaced.
fn is_special(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(it) if it.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(it) => Ok(!it.is_file()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn make(temporary: &Path) -> io::Result<File> {
    // What a killed run left under that name.
    _ = fs::remove_file(temporary);
    OpenOptions::new().write(true).create_new(true).open(temporary)
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", rustix::process::getpid().as_raw_nonzero()));
    path.with_file_name(name)
}
