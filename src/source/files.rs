//! The files that expressions name: read, looked for and listed, relative to the configuration.
//!
//! What was read is remembered by what it held, so that a saved plan can say what it was made from.
//!
//! A pipe or a device is no file here, since reading one may never end; neither is what is larger than any value.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::diagnostic::SourceText;
use crate::source::{SourceError, load_listed, names_in, text_or_line};

/// As many bytes as a file has at most.
const MAX_SIZE: u64 = 1 << 25;
/// As many files and directories as are looked at in a list.
const MAX_ENTRIES: usize = 10_000;

/// Reads the files that functions such as `file()` name.
#[derive(Clone)]
pub struct Files(Shelf, Arc<BTreeMap<String, String>>);

#[derive(Clone)]
enum Shelf {
    Directory(PathBuf, Seen),
    Texts(Arc<Read>),
}

/// What was read, with the SHA-256 of what it held.
type Seen = Arc<Mutex<BTreeMap<String, [u8; 32]>>>;

type Read = dyn Fn(&str) -> Result<String, String> + Send + Sync;

impl Files {
    /// Takes what answers a read: the text, or why there is none. No directory can be listed then.
    pub fn new(read: impl Fn(&str) -> Result<String, String> + Send + Sync + 'static) -> Self {
        Self(Shelf::Texts(Arc::new(read)), Arc::default())
    }

    /// Reads files by a path that is absolute or relative to a directory.
    pub fn in_directory(directory: PathBuf) -> Self {
        Self(Shelf::Directory(directory, Seen::default()), Arc::default())
    }

    /// Reads the same files, with other texts in the place of some that belong to modules, and remembers nothing of what
    /// was read by now.
    #[must_use]
    pub fn with_texts(&self, texts: BTreeMap<String, String>) -> Self {
        let shelf = match &self.0 {
            Shelf::Directory(directory, _) => Shelf::Directory(directory.clone(), Seen::default()),
            Shelf::Texts(read) => Shelf::Texts(read.clone()),
        };
        Self(shelf, Arc::new(texts))
    }

    /// Returns what was read so far, by names that are relative to the directory where they can be, with the SHA-256 of
    /// what each file held.
    pub fn seen(&self) -> BTreeMap<String, [u8; 32]> {
        match &self.0 {
            Shelf::Directory(_, seen) => {
                seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
            }
            Shelf::Texts(_) => BTreeMap::new(),
        }
    }

    /// Remembers what a file of the configuration held.
    pub(crate) fn note(&self, name: &str, bytes: &[u8]) {
        let Shelf::Directory(directory, seen) = &self.0 else { return };
        let relative = Path::new(name).strip_prefix(directory).unwrap_or(Path::new(name));
        let name = relative.components().collect::<PathBuf>().display().to_string();
        let digest = Sha256::digest(bytes).into();
        _ = seen.lock().unwrap_or_else(PoisonError::into_inner).insert(name, digest);
    }

    /// Reads a text. A byte order mark, which some editors put in front, is no part of it.
    ///
    /// # Errors
    /// Why it cannot be read, as a short clause.
    pub fn read(&self, path: &str) -> Result<String, String> {
        match &self.0 {
            Shelf::Texts(read) => read(path),
            Shelf::Directory(..) => {
                let text = text_or_line(self.bytes(path)?);
                text.map(|it| it.0).map_err(|line| format!("line {line} is not UTF-8"))
            }
        }
    }

    /// Reads a file of any content.
    ///
    /// # Errors
    /// Why it cannot be read, as a short clause.
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, String> {
        match &self.0 {
            Shelf::Texts(read) => read(path).map(String::into_bytes),
            Shelf::Directory(directory, _) => {
                let bytes = whole(&directory.join(path))?;
                self.note(path, &bytes);
                Ok(bytes)
            }
        }
    }

    /// Returns whether there is a file.
    ///
    /// # Errors
    /// What else is there, or why that cannot be said, as a short clause.
    pub fn exists(&self, path: &str) -> Result<bool, String> {
        let directory = match &self.0 {
            Shelf::Texts(read) => return Ok(read(path).is_ok()),
            Shelf::Directory(directory, _) => directory,
        };
        match fs::metadata(directory.join(path)) {
            Ok(it) if it.is_file() => Ok(true),
            Ok(it) if it.is_dir() => Err("it is a directory".to_owned()),
            Ok(_) => Err("it is not a file".to_owned()),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(false),
                _ => Err(error.to_string()),
            },
        }
    }

    /// Reads the `*.wg.hcl` files of the directory of a module, in name order.
    ///
    /// # Errors
    /// Why that cannot be done, as a short clause.
    pub fn configuration(&self, path: &str) -> Result<Vec<Arc<SourceText>>, String> {
        let named =
            |name: &str| if path == "." { name.to_owned() } else { format!("{path}/{name}") };
        match &self.0 {
            Shelf::Texts(read) => {
                let name = named("main.wg.hcl");
                let text = read(&name)?;
                Ok(vec![Arc::new(SourceText { name, text, secrets: Vec::new() })])
            }
            Shelf::Directory(directory, _) => {
                let whole = directory.join(path);
                match fs::metadata(&whole) {
                    Ok(it) if it.is_dir() => {}
                    Ok(_) => return Err("this is not a directory".to_owned()),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        return Err("there is no such directory".to_owned());
                    }
                    Err(error) => return Err(format!("this cannot be read: {error}")),
                }
                let names = names_in(&whole).map_err(|error| said(&error))?;
                let names = names.into_iter().filter(|name| name.ends_with(".wg.hcl"));
                let load = |name: String| match self.1.get(&named(&name)) {
                    Some(text) => {
                        let (name, text) = (named(&name), text.clone());
                        Ok(Arc::new(SourceText { name, text, secrets: Vec::new() }))
                    }
                    None => load_listed(&whole.join(&name), &named(&name)),
                };
                let texts: Vec<_> =
                    names.map(load).collect::<Result<_, _>>().map_err(|error| said(&error))?;
                texts.iter().for_each(|it| self.note(&it.name, it.text.as_bytes()));
                match texts.is_empty() {
                    true => Err("there is no `*.wg.hcl` file in this directory".to_owned()),
                    false => Ok(texts),
                }
            }
        }
    }

    /// Lists the files in a directory and in those in it, down to a depth, with `/` in their names; none where there is
    /// no directory. A link to a directory is not followed, so that the list ends.
    ///
    /// # Errors
    /// Why it cannot be listed, as a short clause.
    pub fn list(&self, path: &str, depth: usize) -> Result<Vec<String>, String> {
        let Shelf::Directory(directory, _) = &self.0 else { return Ok(Vec::new()) };
        let root = directory.join(path);
        let mut found = Vec::new();
        let mut looked_at = 0;
        let mut open = vec![(root, String::new(), depth)];
        while let Some((directory, prefix, depth)) = open.pop() {
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(error) if prefix.is_empty() && error.kind() == io::ErrorKind::NotFound => {
                    return Ok(found);
                }
                Err(error) => return Err(error.to_string()),
            };
            for entry in entries {
                looked_at += 1;
                if looked_at > MAX_ENTRIES {
                    return Err(format!("there are more than {MAX_ENTRIES} files in it"));
                }
                let entry = entry.map_err(|error| error.to_string())?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let name = format!("{prefix}{name}");
                let kind = entry.file_type().map_err(|error| error.to_string())?;
                if kind.is_dir() && depth > 1 {
                    open.push((entry.path(), format!("{name}/"), depth - 1));
                } else if fs::metadata(entry.path()).is_ok_and(|it| it.is_file()) {
                    found.push(name);
                }
            }
        }
        Ok(found)
    }
}

/// Says what is wrong with a file, with the reason.
fn said(error: &SourceError) -> String {
    match error {
        SourceError::Unreadable { name, source } => format!("`{name}`: {source}"),
        other => other.to_string(),
    }
}

/// Reads a file, if it is one.
fn whole(path: &Path) -> Result<Vec<u8>, String> {
    let said = |error: io::Error| error.to_string();
    if !fs::metadata(path).map_err(said)?.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(said)?;
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(said)?;
    match u64::try_from(bytes.len()) {
        Ok(size) if size <= MAX_SIZE => Ok(bytes),
        _ => Err(format!("it is larger than {} MiB", MAX_SIZE >> 20)),
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use crate::source::Files;

    #[test]
    fn a_list_has_files_and_follows_no_link_to_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::write(at("a/b/deep"), "").unwrap();
        std::fs::write(at("top"), "").unwrap();
        symlink(directory.path(), at("a/loop")).unwrap();
        symlink(at("top"), at("link")).unwrap();
        let files = Files::in_directory(directory.path().to_owned());
        let list = |depth| {
            let mut names = files.list(".", depth).unwrap();
            names.sort();
            names.join(" ")
        };
        assert_eq!(list(9), "a/b/deep link top");
        assert_eq!(list(1), "link top");
        assert_eq!(files.list("gone", 9), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_file_or_too_large_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let large = std::fs::File::create(directory.path().join("large")).unwrap();
        large.set_len((1 << 25) + 1).unwrap();
        let files = Files::in_directory(directory.path().to_owned());
        assert_eq!(files.bytes("large"), Err("it is larger than 32 MiB".to_owned()));
        assert_eq!(files.bytes("/dev/zero"), Err("it is not a file".to_owned()));
        assert_eq!(files.exists("."), Err("it is a directory".to_owned()));
        assert_eq!(files.exists("gone"), Ok(false));
    }
}
