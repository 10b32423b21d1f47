//! The reports of a command for other programs and for reviewers: what its flags ask for, and the end of a run that has any.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueHint};

use crate::command::{Command, Context};
use crate::error::{Error, Exit, Kind};
use crate::outfile::{self, Unwritten};
use crate::store::plan_file;
use crate::ui::interrupt::{Early, patiently};
use crate::ui::{Destinations, Ui};

/// What is reported, and where to.
#[derive(Debug, Clone, Default, Args)]
pub struct Reports {
    /// Prints what happens as JSON, one object a line, and nothing else; the last one has the exit code. Never asks
    #[arg(long)]
    pub json: bool,
    /// Writes the lines of `-json` to a file, beside what is shown
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub json_into: Option<PathBuf>,
    /// Writes a comment for a pull request to a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub markdown_into: Option<PathBuf>,
    /// Writes how the run went, in numbers, to a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub summary_into: Option<PathBuf>,
    /// Writes the counts that GitLab shows on a merge request to a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub gitlab_report_into: Option<PathBuf>,
}

/// What a command line asks to be reported.
struct Wanted {
    operation: &'static str,
    is_stream: bool,
    into: Destinations,
}

impl Command {
    /// Returns the name of a command that can print the stream, and whether it is to.
    pub fn stream(&self) -> Option<(&'static str, bool)> {
        self.wanted().map(|it| (it.operation, it.is_stream))
    }

    fn wanted(&self) -> Option<Wanted> {
        let (operation, reports) = match self {
            Self::Plan(it) => ("plan", &it.reports),
            Self::Apply(it) if it.destroy => ("destroy", &it.reports),
            Self::Apply(it) => ("apply", &it.reports),
            Self::Destroy(it) => ("destroy", &it.reports),
            Self::Drift(it) => ("drift", &it.reports),
            Self::Validate(it) => {
                let quality = it.codequality_into.clone();
                let into = Destinations { quality, ..Destinations::default() };
                return Some(Wanted { operation: "validate", is_stream: false, into });
            }
            _ => return None,
        };
        let Reports { json, json_into, markdown_into, summary_into, gitlab_report_into } = reports;
        let into = Destinations {
            json: json_into.clone(),
            markdown: markdown_into.clone(),
            summary: summary_into.clone(),
            gitlab: gitlab_report_into.clone(),
            ..Destinations::default()
        };
        Some(Wanted { operation, is_stream: *json, into })
    }

    /// Returns the files beside the reports that a command line names: what is written at the end, and what is read.
    fn other_files(&self) -> (Option<(outfile::Kind, &Path)>, Option<&Path>) {
        match self {
            Self::Plan(it) => (it.out.as_deref().map(|it| (plan_file::SAVED, it)), None),
            Self::Apply(it) => (it.metrics.file(), it.file.as_deref()),
            Self::Drift(it) => (it.metrics.file(), None),
            _ => (None, None),
        }
    }
}

/// Opens the files that a command line asks for, before anything else is done, and sees to it that a run with reports ends
/// with them.
///
/// # Errors
/// When one of them cannot be written.
pub(super) fn begin(command: &Command, context: &Context) -> Result<(), Error> {
    let Some(Wanted { into, .. }) = command.wanted() else { return Ok(()) };
    let directory = context.world.directory.clone();
    let outfiles = context.ui.outfiles();
    let (written, read) = command.other_files();
    if let Some(file) = read {
        outfiles.read(plan_file::APPLIED, file, &directory);
    }
    let reports = into.files().map(|(kind, it)| (kind, it.as_path()));
    for (kind, file) in written.into_iter().chain(reports) {
        outfiles.claim(kind, file, &directory)?;
    }
    let into = Destinations { directory, prefix: context.prefix.clone(), ..into };
    context.ui.report_into(into)?;
    if let Some((kind, file)) = written {
        outfiles.check(&kind, file, &context.world.directory)?;
    }
    if context.ui.is_reporting() {
        context.end_early()?;
    }
    Ok(())
}

impl Context {
    /// Lets an interrupt that comes before an apply end the process with what is reported by then.
    fn end_early(&self) -> Result<(), Error> {
        let (ui, quit) = (self.ui.clone(), self.quit);
        Early::listen(&self.is_handed_over, move || end_now(&ui, quit))
            .map_err(|error| Error::new(Kind::Failed, "could not listen for Ctrl-C").cause(&error))
    }

    /// Takes the interrupts over from whoever would have ended the process at the first one.
    pub(super) fn hand_over(&self) {
        self.is_handed_over.store(true, Ordering::SeqCst);
    }
}

/// Whether an apply listens for interrupts itself.
pub type HandedOver = Arc<AtomicBool>;

/// Ends the process, and before that the reports, if that can be done at once.
pub(super) fn end_now(ui: &Ui, quit: fn(Exit)) {
    let exit = Exit::Interrupted;
    let reporting = ui.clone();
    patiently(move || _ = end(&reporting, exit));
    quit(exit);
}

/// Ends the reports of a run, and returns how it ends: worse, when one of them could not be written. The ones with the exit
/// code come last.
pub fn end(ui: &Ui, exit: Exit) -> Exit {
    let failed = ui.write_reports(exit.code(), exit.word());
    let exit = failed.into_iter().fold(exit, |exit, failed| worse(ui, exit, failed));
    let exit = match ui.write_summary(exit.code(), exit.word()) {
        Ok(()) => exit,
        Err(failed) => worse(ui, exit, failed),
    };
    match ui.end_reports(exit.code(), exit.word()) {
        Ok(()) => exit,
        Err(failed) => worse(ui, exit, failed),
    }
}

fn worse(ui: &Ui, exit: Exit, failed: Unwritten) -> Exit {
    let error = Error::from(failed);
    error.show(ui);
    exit.or_worse(error.exit())
}
