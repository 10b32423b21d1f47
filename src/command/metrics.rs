//! `-metrics-into`: what a run says of itself, for a monitoring that reads files.

#![expect(clippy::disallowed_methods, reason = "metrics are read and written as files")]

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use crate::actual::Actual;
use crate::command::Context;
use crate::disk;
use crate::drift::seen;
use crate::error::{Error, Exit, Kind};
use crate::render::metrics::{Metrics, Run, Surroundings, seconds, value_of};
use crate::store::{Loaded, Store};

/// The node exporter is another user, and needs to read them.
const MODE: u32 = 0o644;

/// Where metrics go.
#[derive(Debug, Clone, Default, Args)]
pub struct Into {
    /// Writes metrics into a file in Prometheus' text format, also when the run fails
    #[arg(long = "metrics-into", value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub metrics_into: Option<PathBuf>,
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
    /// Begins.
    ///
    /// # Errors
    /// When there is something else than metrics where they are to go.
    pub(crate) fn begin(
        context: &Context,
        into: &Into,
        command: &'static str,
        success: &'static str,
    ) -> Result<Self, Error> {
        let path = into.metrics_into.as_ref().map(|it| context.world.path(it));
        if let Some(path) = &path {
            let is_metrics = |text: &str| text.starts_with("# HELP wgform_");
            disk::check_replaceable(path, is_metrics).map_err(|error| {
                let message = format!("could not write the metrics into {}", path.display());
                Error::new(Kind::Failed, message).cause(&error)
            })?;
        }
        let began_at = context.world.now();
        Ok(Self { path, command, success, began_at, metrics: Metrics::default() })
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
        let before = fs::read_to_string(&path).ok();
        let before = before.and_then(|text| value_of(&text, success));
        let is_success = matches!(exit, Exit::Done | Exit::Changes);
        let last_success = if is_success { Some(seconds(ended_at)) } else { before };
        metrics.run(command, Run { began_at, ended_at, exit_code: exit.code(), last_success });
        match (write(&path, metrics.into_text().as_bytes()), ended) {
            (Ok(()), ended) => ended,
            (Err(error), ended) => {
                let message = format!("could not write the metrics into {}", path.display());
                let error = Error::new(Kind::Failed, message).cause(&error);
                match ended {
                    Ok(_) => Err(error),
                    Err(first) => Err(first.and(error)),
                }
            }
        }
    }
}

/// Writes a file under another name, and gives it its own: whoever reads it finds the old one or the new one.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = || {
        // What a killed run left there; or a link, which is never followed.
        _ = fs::remove_file(&temporary);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(MODE).open(&temporary)?;
        // Whatever the mask of the process is.
        file.set_permissions(Permissions::from_mode(MODE))?;
        file.write_all(bytes)?;
        fs::rename(&temporary, path)
    };
    written().inspect_err(|_| _ = fs::remove_file(&temporary))
}
