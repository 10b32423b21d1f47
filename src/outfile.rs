//! The files that a run writes for its user: reports, metrics and saved plans. One rule for all of them, in one place.
//!
//! A name is refused that is somebody else's: one that the state or this program needs, a part of the configuration, the
//! file of another flag of the same run, or a file that holds something else than an earlier one of the same kind. That is
//! looked at before anything is done, and once more right before a file takes its name: what was not there at the start
//! may have been made by the run itself. A link stays one, and what it leads to is written.

#![expect(clippy::disallowed_methods, reason = "this module writes files for their user")]

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::disk;

/// What kind of file it is.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// What names it on the command line.
    pub flag: &'static str,
    /// What is attempted, before the name of the file: `write`.
    pub attempt: &'static str,
    /// What there is, when there is something else: `there is a file that is no plan`.
    pub other: &'static str,
    /// Whether a text begins as an earlier file of this kind does.
    pub is_ours: fn(&str) -> bool,
    /// How it is written.
    pub care: Care,
}

/// With how much care a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// For whoever reads it. What is no file, a pipe for example, is written to as it is.
    Shared,
    /// For everybody to read, whatever the mask of the process is, and only as a file.
    Public,
    /// For its owner, on the disk before anybody is told, and only as a file.
    Kept,
}

/// A file cannot be, or could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not {attempt} `{path}`", path = path.display())]
pub struct Unwritten {
    attempt: &'static str,
    path: PathBuf,
    #[source]
    why: Why,
}

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("a file of that name would be a part of the configuration")]
    Configuration,
    #[error("wgform keeps the state under that name, or what belongs to it")]
    Store,
    #[error("`{0}` names the same file")]
    Twice(&'static str),
    #[error("{0}")]
    Other(&'static str),
    #[error("there is a directory")]
    Directory,
    #[error("there is a link that leads nowhere")]
    Link,
    #[error("there is something that is no file")]
    NoFile,
    #[error("it is a pipe that nobody reads")]
    NoReader,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Unwritten {
    /// Says why writing failed on its way.
    pub fn because(kind: &Kind, path: &Path, why: io::Error) -> Self {
        Self::new(kind, path, why.into())
    }

    fn new(kind: &Kind, path: &Path, why: Why) -> Self {
        Self { attempt: kind.attempt, path: path.to_owned(), why }
    }

    /// Returns what to do, as a whole sentence.
    pub fn hint(&self) -> &'static str {
        let error = match &self.why {
            Why::Configuration | Why::Store | Why::Directory | Why::NoFile => {
                return "Name another file.";
            }
            Why::Twice(_) => return "Name one file for each.",
            Why::Other(_) => {
                return "Name another file: only an earlier one of the same kind is written over.";
            }
            Why::Link => return "Name a file, or make the one that the link leads to.",
            Why::NoReader => return "Start the program that reads it first.",
            Why::Io(error) => error,
        };
        match (error.kind(), Errno::from_io_error(error)) {
            (ErrorKind::NotFound, _) => "Make its directory first.",
            (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, _) => "Make room on the disk.",
            (_, Some(Errno::IO)) => "The disk is broken: look into the system's log.",
            _ => "Check that its directory is there, and that you may write to it.",
        }
    }
}

/// The names of the files of a run. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Outfiles(Arc<Mutex<Names>>);

#[derive(Debug, Default)]
struct Names {
    claimed: Vec<Claim>,
    /// What the store needs, where links lead.
    kept: Vec<PathBuf>,
}

#[derive(Debug)]
struct Claim {
    kind: Kind,
    /// As the command line calls it.
    shown: PathBuf,
    /// Where links lead.
    path: PathBuf,
    /// Whether it is there because this run has made it.
    is_made: bool,
}

/// What is written to.
enum Target {
    File(PathBuf),
    /// A pipe, a terminal or the like.
    Special(PathBuf),
}

/// The beginning of the name of a state, and of what lies beside one, where the configuration says nothing else.
const OF_STATES: [&str; 2] = ["wgform.state.", "errored.wgform."];

/// The directory of what wgform keeps for itself.
const OWN_DIRECTORY: &str = ".wgform";

/// So much of a file is looked at to know what it is.
const BEGINNING: u64 = 512;

/// As many links as the kernel follows.
const MAX_LINKS: usize = 40;

/// So long, and as often, somebody is waited for who reads a pipe.
const READER_SECONDS: u64 = 10;
const LOOKS_PER_SECOND: u64 = 20;

impl Outfiles {
    /// Takes a name for a file. The name is looked at, and not yet what is there.
    ///
    /// # Errors
    /// When it is somebody else's.
    pub fn claim(&self, kind: Kind, shown: &Path, directory: &Path) -> Result<(), Unwritten> {
        let refused = |why| Err(Unwritten::new(&kind, shown, why));
        let whole = directory.join(shown);
        let path = resolved(&whole);
        let mut names = self.names();
        if path.extension().is_some_and(|it| it == "hcl") {
            return refused(Why::Configuration);
        }
        let own = resolved(&directory.join(OWN_DIRECTORY));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.starts_with(own) || OF_STATES.iter().any(|it| name.starts_with(it)) {
            return refused(Why::Store);
        }
        if let Some(other) = names.claimed.iter().find(|it| it.path == path && !is_special(&whole))
        {
            return refused(Why::Twice(other.kind.flag));
        }
        names.claimed.push(Claim { kind, shown: shown.to_owned(), path, is_made: false });
        Ok(())
    }

    /// Takes the name of a file that the run reads, so that it is not written over.
    pub fn read(&self, kind: Kind, shown: &Path, directory: &Path) {
        let path = resolved(&directory.join(shown));
        self.names().claimed.push(Claim { kind, shown: shown.to_owned(), path, is_made: false });
    }

    /// Keeps names for the store.
    ///
    /// # Errors
    /// When a file of this run has one of them.
    pub fn keep(&self, kept: impl IntoIterator<Item = PathBuf>) -> Result<(), Unwritten> {
        let mut names = self.names();
        names.kept.extend(kept.into_iter().map(|it| resolved(&it)));
        let Names { claimed, kept } = &*names;
        let Some(claim) = claimed.iter().find(|it| kept.contains(&it.path)) else { return Ok(()) };
        if claim.is_made {
            // It would be taken for a state.
            _ = fs::remove_file(&claim.path);
        }
        Err(Unwritten::new(&claim.kind, &claim.shown, Why::Store))
    }

    /// Looks whether a file can be written, and leaves everything as it is.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(&self, kind: &Kind, shown: &Path, directory: &Path) -> Result<(), Unwritten> {
        let refused = |why| Unwritten::new(kind, shown, why);
        match self.target(kind, &directory.join(shown)).map_err(refused)? {
            Target::Special(_) => Ok(()),
            Target::File(path) => {
                let temporary = temporary(&path);
                make(&temporary)
                    .and_then(|_| fs::remove_file(&temporary))
                    .map_err(|error| refused(error.into()))
            }
        }
    }

    /// Opens a file that grows as the run goes.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn open(&self, kind: &Kind, shown: &Path, directory: &Path) -> Result<File, Unwritten> {
        let refused = |why| Unwritten::new(kind, shown, why);
        let path = match self.target(kind, &directory.join(shown)).map_err(refused)? {
            Target::Special(path) => return open_special(&path).map_err(refused),
            Target::File(path) => path,
        };
        let failed = |error: io::Error| refused(error.into());
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => {
                let mut names = self.names();
                let claim = names.claimed.iter_mut().find(|it| it.path == path);
                claim.into_iter().for_each(|it| it.is_made = true);
                Ok(file)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                OpenOptions::new().write(true).truncate(true).open(&path).map_err(failed)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes a file whole or not at all: whoever reads it finds the old one or the new one.
    ///
    /// # Errors
    /// When it could not be written, or there is something else by now. What was there is there.
    pub fn write(
        &self,
        kind: &Kind,
        shown: &Path,
        directory: &Path,
        bytes: &[u8],
    ) -> Result<(), Unwritten> {
        self.try_write(kind, &directory.join(shown), bytes)
            .map_err(|why| Unwritten::new(kind, shown, why))
    }

    fn try_write(&self, kind: &Kind, path: &Path, bytes: &[u8]) -> Result<(), Why> {
        let target = match self.target(kind, path)? {
            Target::Special(path) => return Ok(open_special(&path)?.write_all(bytes)?),
            Target::File(target) => target,
        };
        let temporary = temporary(&target);
        let put = || match kind.care {
            Care::Kept => disk::rename(&temporary, &target),
            Care::Shared | Care::Public => fs::rename(&temporary, &target),
        };
        let written = prepare(kind.care, &temporary, bytes).map_err(Why::from).and_then(|()| {
            // The run itself may have made what is there.
            self.target(kind, path)?;
            Ok(put()?)
        });
        written.inspect_err(|_| _ = fs::remove_file(&temporary))?;
        if kind.care == Care::Kept {
            disk::sync_directory(target.parent().unwrap_or(Path::new("/")))?;
        }
        Ok(())
    }

    /// Returns what is written to, if that is nobody's loss.
    fn target(&self, kind: &Kind, path: &Path) -> Result<Target, Why> {
        let is_link = fs::symlink_metadata(path).is_ok_and(|it| it.is_symlink());
        let found = match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound && is_link => return Err(Why::Link),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
            Ok(found) if found.is_dir() => return Err(Why::Directory),
            Ok(found) if !found.is_file() => {
                return match kind.care {
                    Care::Shared => Ok(Target::Special(path.to_owned())),
                    Care::Public | Care::Kept => Err(Why::NoFile),
                };
            }
            Ok(found) => Some(found),
        };
        let path = resolved(path);
        if self.names().kept.contains(&path) {
            return Err(Why::Store);
        }
        if found.is_some_and(|it| it.len() > 0) {
            let mut beginning = Vec::new();
            File::open(&path)?.take(BEGINNING).read_to_end(&mut beginning)?;
            if !(kind.is_ours)(&String::from_utf8_lossy(&beginning)) {
                return Err(Why::Other(kind.other));
            }
        }
        Ok(Target::File(path))
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        // Nothing that could panic is done while they are held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a file under its temporary name.
fn prepare(care: Care, temporary: &Path, bytes: &[u8]) -> io::Result<()> {
    if care == Care::Kept {
        return disk::prepare(temporary, bytes);
    }
    let mut file = make(temporary)?;
    if care == Care::Public {
        file.set_permissions(Permissions::from_mode(0o644))?;
    }
    file.write_all(bytes)
}

fn make(temporary: &Path) -> io::Result<File> {
    // What a killed run left under that name; or a link, which is never followed.
    _ = fs::remove_file(temporary);
    OpenOptions::new().write(true).create_new(true).open(temporary)
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", rustix::process::getpid().as_raw_nonzero()));
    path.with_file_name(name)
}

fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|it| !it.is_file() && !it.is_dir())
}

/// Opens what is no file. A pipe that nobody reads would keep a run waiting for ever, also one that is told to end.
fn open_special(path: &Path) -> Result<File, Why> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    for _ in 0..READER_SECONDS * LOOKS_PER_SECOND {
        match OpenOptions::new().write(true).custom_flags(flags).open(path) {
            Ok(file) => {
                let flags = rustix::fs::fcntl_getfl(&file).map_err(io::Error::from)?;
                // Its reader may be slower than we are.
                rustix::fs::fcntl_setfl(&file, flags - OFlags::NONBLOCK)
                    .map_err(io::Error::from)?;
                return Ok(file);
            }
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) => {
                thread::sleep(Duration::from_millis(1000 / LOOKS_PER_SECOND));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Why::NoReader)
}

/// Returns where a path leads, whether there is anything or not.
fn resolved(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("/")).join(target);
    }
    if let Ok(whole) = fs::canonicalize(&path) {
        return whole;
    }
    match (path.parent().map(fs::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use crate::outfile::{Care, Kind, Outfiles};

    const NOTES: Kind = Kind {
        flag: "-notes-into",
        attempt: "write",
        other: "there is a file that is no such report",
        is_ours: |it| it.starts_with("notes"),
        care: Care::Shared,
    };
    const PLAN: Kind = Kind { flag: "-out", care: Care::Kept, ..NOTES };
    const METRICS: Kind = Kind { flag: "-metrics-into", care: Care::Public, ..NOTES };

    fn why(refused: impl std::error::Error) -> String {
        refused.source().unwrap().to_string()
    }

    #[test]
    fn what_belongs_to_somebody_else_is_no_name_for_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        fs::create_dir_all(here.join(".wgform/history")).unwrap();
        symlink("main.wg.hcl", here.join("innocent")).unwrap();
        let files = Outfiles::default();
        let claim = |kind, name: &str| files.claim(kind, Path::new(name), here).map_err(why);
        for name in [
            "wgform.state.json",
            "wgform.state.json.journal",
            "./wgform.state.night.json.lock",
            "errored.wgform.json",
            ".wgform/history/1.json",
        ] {
            let refused = claim(NOTES, name).unwrap_err();
            assert!(refused.starts_with("wgform keeps the state"), "{name}: {refused}");
        }
        for name in ["main.wg.hcl", "innocent"] {
            assert!(claim(NOTES, name).unwrap_err().ends_with("part of the configuration"));
        }
        claim(PLAN, "p").unwrap();
        assert_eq!(claim(NOTES, "./p").unwrap_err(), "`-out` names the same file");
        claim(NOTES, "net.json.backup").unwrap();
        let kept = ["net.json", "net.json.backup"].map(|it| here.join(it));
        assert!(why(files.keep(kept).unwrap_err()).starts_with("wgform keeps"));
    }

    #[test]
    fn a_file_of_the_stream_does_not_stay_where_the_state_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let (here, name) = (directory.path(), Path::new("net.json"));
        let files = Outfiles::default();
        files.claim(NOTES, name, here).unwrap();
        drop(files.open(&NOTES, name, here).unwrap());
        files.keep([here.join(name)]).unwrap_err();
        assert_eq!(fs::read_dir(here).unwrap().count(), 0);
    }

    #[test]
    fn what_was_made_since_the_start_is_not_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let files = Outfiles::default();
        for kind in [NOTES, PLAN, METRICS] {
            let name = Path::new(kind.flag);
            files.check(&kind, name, here).unwrap();
            fs::write(here.join(name), "mine").unwrap();
            let refused = files.write(&kind, name, here, b"notes").unwrap_err();
            assert_eq!(why(refused), "there is a file that is no such report");
            assert_eq!(fs::read(here.join(name)).unwrap(), b"mine");
        }
        assert_eq!(fs::read_dir(here).unwrap().count(), 3, "no temporary file stays");
    }

    #[test]
    fn a_link_stays_one_and_its_file_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let files = Outfiles::default();
        fs::write(here.join("file"), "").unwrap();
        symlink("file", here.join("link")).unwrap();
        symlink("nowhere", here.join("dangling")).unwrap();
        let link = Path::new("link");
        for (kind, mode) in [(NOTES, None), (METRICS, Some(0o644)), (PLAN, Some(0o600))] {
            files.write(&kind, link, here, b"notes").unwrap();
            assert!(fs::symlink_metadata(here.join(link)).unwrap().is_symlink());
            assert_eq!(fs::read(here.join("file")).unwrap(), b"notes");
            let found = fs::metadata(here.join("file")).unwrap().permissions().mode() & 0o777;
            assert!(mode.is_none_or(|it| it == found), "{found:o}");
            let refused = files.check(&kind, Path::new("dangling"), here).unwrap_err();
            assert_eq!(why(refused), "there is a link that leads nowhere");
        }
        assert!(!here.join("nowhere").exists());
    }

    #[test]
    fn what_is_no_file_takes_a_report_and_nothing_else() {
        let files = Outfiles::default();
        let null = Path::new("/dev/null");
        files.write(&NOTES, null, Path::new("/"), b"notes").unwrap();
        for kind in [PLAN, METRICS] {
            let refused = files.check(&kind, null, Path::new("/")).unwrap_err();
            assert_eq!(why(refused), "there is something that is no file");
        }
    }
}
