//! The file in which a simulated system outlives a run: private, locked for the run, and whole at every instant.

#![expect(clippy::disallowed_methods, reason = "this module keeps simulated systems in files")]

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::resource::BackendId;
use crate::world::World;

/// A simulated system could not be opened or kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SimulatorError {
    /// Why, with the path.
    pub reason: String,
    /// What to do.
    pub hints: Vec<String>,
}

impl SimulatorError {
    fn new(reason: String, hint: &str) -> Self {
        Self { reason, hints: vec![hint.to_owned()] }
    }
}

/// The file of one simulated system. Nobody else can open it while this value lives, or after a kill while the
/// process lives.
#[derive(Debug)]
pub struct SystemFile {
    path: PathBuf,
    lock: File,
}

impl Drop for SystemFile {
    /// Gives the lock back by name: a program that another thread is just starting has a copy of the file until it
    /// runs, and would hold the lock for as long.
    fn drop(&mut self) {
        _ = self.lock.unlock();
    }
}

impl SystemFile {
    /// Opens the file of a backend under `<directory>/.wgform/simulated/`, without reading it.
    ///
    /// # Errors
    /// When the directory cannot be made, or another run holds the file.
    pub fn open(directory: &Path, backend: &BackendId) -> Result<Self, SimulatorError> {
        Self::open_in(directory, World::DEFAULT_WORKSPACE, backend)
    }

    /// Opens the file of a backend in a workspace: each but the default one has systems of its own, in a folder of its
    /// name.
    ///
    /// # Errors
    /// As [`SystemFile::open`].
    pub fn open_in(
        directory: &Path,
        workspace: &str,
        backend: &BackendId,
    ) -> Result<Self, SimulatorError> {
        let own = directory.join(".wgform");
        let mut folder = own.join("simulated");
        if workspace != World::DEFAULT_WORKSPACE {
            folder.push(format!("env-{workspace}"));
        }
        prepare(&own, &folder).map_err(|error| {
            SimulatorError::new(
                format!("the directory `{}` cannot be made: {error}", folder.display()),
                "simulated systems are kept beside the configuration: make that directory writable",
            )
        })?;
        let name = file_name(backend);
        let lock = folder.join(format!("{name}.lock"));
        let lock = lock_file(&lock, backend)?;
        Ok(Self { path: folder.join(format!("{name}.json")), lock })
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it; none when there is none yet.
    ///
    /// # Errors
    /// When there is one that cannot be read.
    pub fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, SimulatorError> {
        let mut bytes = Zeroizing::new(Vec::new());
        match File::open(&self.path).and_then(|mut file| file.read_to_end(&mut bytes)) {
            Ok(_) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SimulatorError::new(
                format!(
                    "the simulated system in `{}` cannot be read: {error}",
                    self.path.display()
                ),
                "run as the user who owns the file",
            )),
        }
    }

    /// Writes it anew, so that a reader finds the old text or the new one, whatever happens on the way.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn write(&self, bytes: &[u8]) -> Result<(), SimulatorError> {
        self.replace(bytes).map_err(|error| self.not_written(&error))
    }

    /// Adds to its end. What a run was told then outlives its own end, and not a power cut.
    ///
    /// # Errors
    /// As [`SystemFile::write`].
    pub fn append(&self, bytes: &[u8]) -> Result<(), SimulatorError> {
        let file = OpenOptions::new().append(true).open(&self.path);
        file.and_then(|mut file| file.write_all(bytes)).map_err(|error| self.not_written(&error))
    }

    /// Says that what [`SystemFile::read`] returned makes no sense.
    pub fn broken(&self, why: &str) -> SimulatorError {
        SimulatorError::new(
            format!("the simulated system in `{}` is damaged: {why}", self.path.display()),
            "put the file back as it was, or remove it to start with an empty system",
        )
    }

    fn not_written(&self, error: &io::Error) -> SimulatorError {
        SimulatorError::new(
            format!("the simulated system in `{}` cannot be written: {error}", self.path.display()),
            "make room on the disk and its directory writable",
        )
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let new = self.path.with_extension("json.new");
        // A run that was killed may have left one.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

fn prepare(own: &Path, folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let ignore = own.join(".gitignore");
    match OpenOptions::new().write(true).create_new(true).open(ignore) {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn lock_file(path: &Path, backend: &BackendId) -> Result<File, SimulatorError> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let unusable = |error: io::Error| {
        SimulatorError::new(
            format!("the lock `{}` cannot be taken: {error}", path.display()),
            "run as the user who owns the file",
        )
    };
    let file = file.map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SimulatorError::new(
            format!("another run uses the simulated system `{backend}`"),
            "wait until it has ended",
        )),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Spells a backend's name so that it is one file name: what is not a letter, a digit, `-` or `_` as `%` and hex.
fn file_name(backend: &BackendId) -> String {
    let mut name = String::new();
    for byte in backend.as_str().bytes() {
        match byte {
            b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => name.push(char::from(byte)),
            other => name += &format!("%{other:02X}"),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use crate::resource::BackendId;
    use crate::simulator::file::SystemFile;

    #[test]
    fn a_second_run_is_refused_while_the_first_lives() {
        let directory = tempfile::tempdir().unwrap();
        let id = BackendId::new("hq");
        let first = SystemFile::open(directory.path(), &id).unwrap();
        let error = SystemFile::open(directory.path(), &id).unwrap_err();
        assert_eq!(error.reason, "another run uses the simulated system `hq`");
        let inherited = first.lock.try_clone().unwrap();
        drop(first);
        SystemFile::open(directory.path(), &id).unwrap();
        drop(inherited);
    }

    #[test]
    fn the_file_is_private_and_kept_out_of_git() {
        let directory = tempfile::tempdir().unwrap();
        let file = SystemFile::open(directory.path(), &BackendId::new("a[\"../b\"]")).unwrap();
        assert!(file.read().unwrap().is_none());
        file.write(b"{}").unwrap();
        file.write(b"{\"a\":1}").unwrap();
        assert_eq!(file.read().unwrap().unwrap().as_slice(), b"{\"a\":1}");
        let folder = directory.path().join(".wgform/simulated");
        assert_eq!(file.path(), folder.join("a%5B%22%2E%2E%2Fb%22%5D.json"));
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(file.path()), mode(&folder)), (0o600, 0o700));
        assert_eq!(
            std::fs::read_to_string(directory.path().join(".wgform/.gitignore")).unwrap(),
            "*\n"
        );
    }

    #[test]
    fn what_a_killed_run_left_does_not_matter() {
        let directory = tempfile::tempdir().unwrap();
        let file = SystemFile::open(directory.path(), &BackendId::new("hq")).unwrap();
        std::fs::write(file.path().with_extension("json.new"), "half").unwrap();
        file.write(b"whole").unwrap();
        assert_eq!(file.read().unwrap().unwrap().as_slice(), b"whole");
    }
}
