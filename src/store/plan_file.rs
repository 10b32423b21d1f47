//! The files of saved plans. What is in one is `plan::saved`'s business; this says what such a file is, and reads it.

use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::outfile::{Care, Kind};
use crate::store::StoreError;
use crate::store::files;

/// A plan of ten thousand peers has some ten megabytes. What is larger than this is not read.
const LARGEST: u64 = 1 << 28;

/// How a file of ours begins.
const BEGINNING: &str = "{\"kind\":\"wgform plan\"";

/// A plan that is saved: nobody but its owner can read it, because it names addresses and endpoints, as the state does.
pub const SAVED: Kind = Kind {
    flag: "-out",
    attempt: "save the plan as",
    other: "there is a file that is no plan",
    is_ours: |text| text.starts_with(BEGINNING),
    care: Care::Kept,
};

/// A plan that is carried out.
pub const APPLIED: Kind = Kind { flag: "PLANFILE", attempt: "read the plan file", ..SAVED };

/// A plan could not be read.
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
}

impl PlanFileError {
    /// Returns what to do, as whole sentences.
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Missing(_) => {
                "A path is relative to the working directory, or to `-chdir`. `wgform plan -out=FILE` makes one."
            }
            Self::NotAFile { .. } => "A plan is saved with `wgform plan -out=FILE`.",
            Self::Unreadable { source, .. } => {
                match (source.kind(), Errno::from_io_error(source)) {
                    (ErrorKind::PermissionDenied, _) => "Run wgform as the user who owns it.",
                    (_, Some(Errno::IO)) => "The disk is broken: look into the system's log.",
                    _ => return Vec::new(),
                }
            }
        };
        vec![hint.to_owned()]
    }
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
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use crate::outfile::Outfiles;
    use crate::store::plan_file::{BEGINNING, SAVED, read};

    #[test]
    fn a_plan_is_its_owners_and_only_an_older_one_is_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let files = Outfiles::default();
        let plan = format!("{BEGINNING}}}");
        for _ in 0..2 {
            files.write(&SAVED, Path::new("p"), here, plan.as_bytes()).unwrap();
        }
        assert_eq!(read(&here.join("p")).unwrap(), plan.as_bytes());
        let mode = fs::metadata(here.join("p")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(here.join("notes"), "mine").unwrap();
        let refused = files.write(&SAVED, Path::new("notes"), here, b"").unwrap_err();
        assert_eq!(refused.to_string(), "could not save the plan as `notes`");
        assert_eq!(fs::read(here.join("notes")).unwrap(), b"mine");
        assert_eq!(fs::read_dir(here).unwrap().count(), 2, "no temporary file stays");
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
