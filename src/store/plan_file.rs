//! The files of saved plans. What is in one is `plan::saved`'s business; this reads and writes bytes.
//!
//! A plan file is written under a temporary name and then renamed, so that there is never a part of one, and nobody but
//! its owner can read it: it names addresses and endpoints, as the state does.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::disk;
use crate::store::StoreError;
use crate::store::files;

/// A plan of ten thousand peers has some ten megabytes. What is larger than this is not read.
const LARGEST: u64 = 1 << 28;

/// How a file of ours begins.
const BEGINNING: &[u8] = b"{\"kind\":\"wgform plan\"";

/// A plan could not be saved, or not be read.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// There is no such file.
    #[error("there is no plan file `{path}`", path = .0.display())]
    Missing(PathBuf),
    /// It is no file, or one that cannot be a plan.
    #[error("could not read the plan file `{path}`: it is {found}", path = path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// It could not be read.
    #[error("could not read the plan file `{path}`", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is something else in its place.
    #[error("could not save the plan as `{path}`: {found}", path = path.display())]
    Taken {
        /// Where it was to be.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// It could not be written.
    #[error("could not save the plan as `{path}`", path = path.display())]
    Unwritable {
        /// Where it was to be.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl PlanFileError {
    /// Returns what to do, as whole sentences.
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Missing(_) => {
                "A path is relative to the working directory, or to `-chdir`. `wgform plan -out=FILE` makes one."
            }
            Self::NotAFile { .. } => "A plan is saved with `wgform plan -out=FILE`.",
            Self::Taken { .. } => "Name another file: only an older plan is written over.",
            Self::Unreadable { source, .. } | Self::Unwritable { source, .. } => {
                match (source.kind(), Errno::from_io_error(source)) {
                    (ErrorKind::NotFound, _) => "Make the directory first.",
                    (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, _) => {
                        "Make room on the disk, and plan again."
                    }
                    (ErrorKind::PermissionDenied, _) => {
                        "Run wgform as the user who owns it, or name another file."
                    }
                    (_, Some(Errno::IO)) => "The disk is broken: look into the system's log.",
                    _ => return Vec::new(),
                }
            }
        };
        vec![hint.to_owned()]
    }
}

/// Looks whether a plan can be saved there, before the work is done.
///
/// # Errors
/// When there is something that is no plan.
pub fn check_vacant(path: &Path) -> Result<(), PlanFileError> {
    let taken = |found| PlanFileError::Taken { path: path.to_owned(), found };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(".hcl") {
        return Err(taken("a file of that name would be a part of the configuration"));
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(PlanFileError::Unwritable { path: path.to_owned(), source }),
        Ok(it) if it.is_dir() => return Err(taken("there is a directory")),
        Ok(it) if it.is_symlink() => return Err(taken("there is a link")),
        Ok(it) if !it.is_file() => return Err(taken("there is something that is no file")),
        Ok(it) if it.len() == 0 => return Ok(()),
        Ok(_) => {}
    }
    let mut beginning = Vec::new();
    let length = BEGINNING.len() as u64;
    let read = fs::File::open(path).and_then(|it| it.take(length).read_to_end(&mut beginning));
    read.map_err(|source| PlanFileError::Unwritable { path: path.to_owned(), source })?;
    if beginning == BEGINNING { Ok(()) } else { Err(taken("there is a file that is no plan")) }
}

/// Saves a plan.
///
/// # Errors
/// When it could not be written, or there is something that is no plan. What was there is there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), PlanFileError> {
    check_vacant(path)?;
    // A name that nobody else has: what is there under it goes.
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    disk::prepare(&temporary, bytes)
        .and_then(|()| disk::rename(&temporary, path).inspect_err(|_| _ = disk::remove(&temporary)))
        .and_then(|()| disk::sync_directory(directory))
        .map_err(|source| PlanFileError::Unwritable { path: path.to_owned(), source })
}

/// Returns whether there is anything at a path.
pub fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Reads a saved plan.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, PlanFileError> {
    let unreadable = |source| PlanFileError::Unreadable { path: path.to_owned(), source };
    let file = match files::open(path) {
        Ok(Some(file)) => file,
        Ok(None) => return Err(PlanFileError::Missing(path.to_owned())),
        Err(StoreError::NotAFile { path, found }) => {
            return Err(PlanFileError::NotAFile { path, found });
        }
        Err(StoreError::File { source, .. }) => return Err(unreadable(source)),
        Err(other) => return Err(unreadable(io::Error::other(other.to_string()))),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    match u64::try_from(bytes.len()) {
        Ok(size) if size <= LARGEST => Ok(bytes),
        _ => Err(PlanFileError::NotAFile { path: path.to_owned(), found: "larger than 256 MiB" }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use crate::store::plan_file::{BEGINNING, check_vacant, read, write};

    #[test]
    fn a_plan_is_its_owners_and_only_an_older_one_is_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let plan = [BEGINNING, b"}"].concat();
        write(&at("p"), &plan).unwrap();
        write(&at("p"), &plan).unwrap();
        assert_eq!(read(&at("p")).unwrap(), plan);
        assert_eq!(fs::metadata(at("p")).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(at("notes"), "mine").unwrap();
        symlink(at("p"), at("link")).unwrap();
        let refused = |name: &str| check_vacant(&at(name)).unwrap_err().to_string();
        assert!(refused("notes").ends_with("there is a file that is no plan"));
        assert!(refused("link").ends_with("there is a link"));
        assert!(refused("main.wg.hcl").ends_with("would be a part of the configuration"));
        assert!(check_vacant(directory.path()).is_err());
        assert_eq!(fs::read(at("notes")).unwrap(), b"mine");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3, "no temporary file stays");
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let message = |name: &str| read(&directory.path().join(name)).unwrap_err().to_string();
        assert!(message("gone").starts_with("there is no plan file"));
        assert!(message(".").ends_with("it is a directory"));
        assert!(
            read("/dev/zero".as_ref()).unwrap_err().to_string().ends_with("not a regular file")
        );
        let large = fs::File::create(directory.path().join("large")).unwrap();
        large.set_len((1 << 28) + 1).unwrap();
        assert!(message("large").ends_with("larger than 256 MiB"));
    }
}
