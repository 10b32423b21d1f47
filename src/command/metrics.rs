//! `-metrics-into`: what a run says of itself, for a monitoring that reads files.

#![expect(clippy::disallowed_methods, reason = "metrics are read and written as files")]

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use crate::actual::Actual;
use crate::command::Context;
use crate::drift::seen;
use crate::error::{Error, Exit};
use crate::outfile::{Care, Kind};
use crate::render::metrics::{Metrics, Run, Surroundings, seconds, value_of};
use crate::store::{Loaded, Store};

/// The node exporter is another user, and needs to read them.
const METRICS: Kind = Kind {
    flag: "-metrics-into",
    attempt: "write the metrics into",
    other: "there is a file that is no such report",
    is_ours: |text| text.starts_with("# HELP wgform_"),
    care: Care::Public,
};

/// Where metrics go.
#[derive(Debug, Clone, Default, Args)]
pub struct Into {
    /// Writes metrics into a file in Prometheus' text format, also when the run fails
    #[arg(long = "metrics-into", value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub metrics_into: Option<PathBuf>,
}

impl Into {
    /// Returns the file with what it is.
    pub(crate) fn file(&self) -> Option<(Kind, &Path)> {
        self.metrics_into.as_deref().map(|it| (METRICS, it))
    }
}

/// The metrics of a run that goes on.
pub(crate) struct Recorder {
    path: Option<PathBuf>,
    command: &'static str,
    success: &'static str,
    began_at: Timestamp,
    /// What else there is to say.
    pub(crate) metrics: Metrics,
}

impl Recorder {
    /// Begins. Whether the file can be written was looked at when the command began.
    pub(crate) fn begin(
        context: &Context,
        into: &Into,
        command: &'static str,
        success: &'static str,
    ) -> Self {
        let path = into.metrics_into.clone();
        let began_at = context.world.now();
        Self { path, command, success, began_at, metrics: Metrics::default() }
    }

    /// Adds what is known of the state before anything is asked.
    pub(crate) fn see(&mut self, store: &Store, loaded: &Loaded, now: Timestamp) {
        let busy = loaded.busy.as_ref();
        let written = store.path().and_then(|path| fs::metadata(path).ok()?.modified().ok());
        let surroundings = Surroundings {
            state_written_at: written.and_then(|it| Timestamp::try_from(it).ok()),
            applied_at: loaded.state.as_ref().and_then(|it| it.applied_at),
            is_applying: busy.is_some_and(|it| matches!(&*it.operation, "apply" | "destroy")),
            locked_since: busy.map(|it| it.since),
        };
        self.metrics.surroundings(surroundings, now);
    }

    /// Adds which backends could be read: known before a plan is made, which may fail.
    pub(crate) fn see_backends(&mut self, actual: &Actual) {
        let seen: Vec<_> = actual.backends.iter().map(|(id, it)| (id, seen(it))).collect();
        self.metrics.backends(seen.iter().map(|(id, it)| (id.as_str(), it)));
    }

    /// Writes the file, however the run has ended. A success is a run that said all that it was asked.
    pub(crate) fn end(self, context: &Context, ended: Result<Exit, Error>) -> Result<Exit, Error> {
        let Self { path: Some(path), command, success, began_at, mut metrics } = self else {
            return ended;
        };
        let exit = ended.as_ref().map_or_else(Error::exit, |exit| *exit);
        let ended_at = context.world.now();
        let before = fs::read_to_string(context.world.path(&path)).ok();
        let before = before.and_then(|text| value_of(&text, success));
        let is_success = matches!(exit, Exit::Done | Exit::Changes);
        let last_success = if is_success { Some(seconds(ended_at)) } else { before };
        metrics.run(command, Run { began_at, ended_at, exit_code: exit.code(), last_success });
        let outfiles = context.ui.outfiles();
        let text = metrics.into_text();
        match (outfiles.write(&METRICS, &path, &context.world.directory, text.as_bytes()), ended) {
            (Ok(()), ended) => ended,
            (Err(error), Ok(_)) => Err(error.into()),
            (Err(error), Err(first)) => Err(first.and(error.into())),
        }
    }
}
