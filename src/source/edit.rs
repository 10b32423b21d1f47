//! The files of a configuration that wgform writes: which there are for `fmt`, how one is replaced, and how a new one is
//! made.
//!
//! Symbolic links are followed to files and not to directories, as Terraform does, so that a search stays in the tree.

use std::fs::{self, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use crate::source::{SourceError, bytes_of, decoded};
use crate::world::World;

/// What the files of a configuration end with.
const ENDINGS: [&str; 2] = [".wg.hcl", ".wgvars.hcl"];

/// A file of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as the user would type it.
    pub name: String,
    path: PathBuf,
}

/// Finds the files of a configuration: the given ones, and those in the given directories, in name order.
///
/// Files and directories with a dot before their name are left out, unless they are given themselves. What cannot be
/// looked at does not hide the rest.
pub fn find(
    world: &World,
    paths: &[PathBuf],
    is_recursive: bool,
) -> (Vec<SourceFile>, Vec<SourceError>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let mut waiting: Vec<(PathBuf, bool)> =
        paths.iter().rev().map(|path| (path.clone(), true)).collect();
    while let Some((path, is_given)) = waiting.pop() {
        match look_at(world, &path, is_given) {
            Ok(Entry::File(file)) => found.push(file),
            Ok(Entry::Directory(names)) if is_given || is_recursive => {
                waiting.extend(names.into_iter().rev().map(|name| (below(&path, name), false)));
            }
            Ok(Entry::Directory(_) | Entry::Other) => {}
            Err(problem) => problems.push(problem),
        }
    }
    (found, problems)
}

enum Entry {
    File(SourceFile),
    Directory(Vec<PathBuf>),
    Other,
}

fn look_at(world: &World, path: &Path, is_given: bool) -> Result<Entry, SourceError> {
    let name = path.display().to_string();
    let real = world.path(path);
    let unreadable = |source| SourceError::Unreadable { name: name.clone(), source };
    let found = match fs::metadata(&real) {
        Ok(found) => found,
        Err(error) if is_given && error.kind() == io::ErrorKind::NotFound => {
            return Err(SourceError::NoPath(name));
        }
        Err(error) => return if is_ours(path) { Err(unreadable(error)) } else { Ok(Entry::Other) },
    };
    if found.is_dir() {
        let is_link = fs::symlink_metadata(&real).is_ok_and(|found| found.is_symlink());
        if is_link && !is_given {
            return Ok(Entry::Other);
        }
        return entries(&real).map(Entry::Directory).map_err(unreadable);
    }
    match (is_ours(path), is_given) {
        (true, _) if found.is_file() => Ok(Entry::File(SourceFile { name, path: real })),
        (true, _) => Err(unreadable(io::Error::other("it is not a regular file"))),
        (false, true) => Err(SourceError::NotOurs(name)),
        (false, false) => Ok(Entry::Other),
    }
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    ENDINGS.iter().any(|ending| name.ends_with(ending.as_bytes()))
}

/// Lists a directory in name order, without hidden entries.
fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            names.push(PathBuf::from(name));
        }
    }
    names.sort();
    Ok(names)
}

/// Joins as a user would type it: what is in `.` has no `./` before it.
fn below(directory: &Path, name: PathBuf) -> PathBuf {
    if directory == Path::new(".") { name } else { directory.join(name) }
}

impl SourceFile {
    /// Reads its text, and whether there is a byte order mark before it.
    ///
    /// # Errors
    /// When it cannot be read or is no text.
    pub fn read(&self) -> Result<(String, bool), SourceError> {
        decoded(bytes_of(&self.path, &self.name)?, &self.name)
    }

    /// Puts another text in its place. Whatever happens on the way, the one or the other is there whole, with the same
    /// permissions, and a symbolic link still leads there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn replace(&self, text: &str) -> Result<(), SourceError> {
        self.put(text).map_err(|source| SourceError::Unwritable { name: self.name.clone(), source })
    }

    fn put(&self, text: &str) -> io::Result<()> {
        let target = fs::canonicalize(&self.path)?;
        let found = fs::metadata(&target)?;
        let directory = target.parent().unwrap_or(Path::new("/"));
        // Hidden, so that no run takes it for a part of the configuration.
        let mut new = tempfile::Builder::new().prefix(".wgform-fmt-").tempfile_in(directory)?;
        keep_owner(new.as_file(), &found);
        new.as_file().set_permissions(found.permissions())?;
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        new.persist(&target)?;
        fs::File::open(directory)?.sync_all()
    }
}

/// Finds out whether a new file can be made.
///
/// # Errors
/// When there is something already.
pub fn check_free(world: &World, path: &Path) -> Result<(), SourceError> {
    match fs::symlink_metadata(world.path(path)) {
        Ok(_) => Err(SourceError::Taken(path.display().to_string())),
        Err(_) => Ok(()),
    }
}

/// Makes a new file, whole or not at all.
///
/// # Errors
/// When there is something already, or it cannot be written.
pub fn make(world: &World, path: &Path, text: &str) -> Result<(), SourceError> {
    let name = path.display().to_string();
    put_new(&world.path(path), text).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => SourceError::Taken(name),
        _ => SourceError::Unwritable { name, source },
    })
}

fn put_new(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Everybody may read it whom the user lets read new files: there is no secret in it.
    let readable = fs::Permissions::from_mode(0o666);
    let mut new = tempfile::Builder::new()
        .prefix(".wgform-new-")
        .permissions(readable)
        .tempfile_in(directory)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist_noclobber(path).map_err(|error| error.error)?;
    fs::File::open(directory)?.sync_all()
}

/// Gives a new file to whom the old one belongs, as far as that is allowed: root may edit what others own, and everybody
/// may leave a file to a group that they are in.
fn keep_owner(file: &fs::File, old: &Metadata) {
    if fchown(file, Some(old.uid()), Some(old.gid())).is_err() {
        _ = fchown(file, None, Some(old.gid()));
    }
}
