//! Reads the configuration directory: its `*.wg.hcl` files, and the values that were given to variables.
//!
//! Nothing here knows HCL. What a text means is `config`'s business, which in turn reads no file: the function
//! `file()` goes through [`Files`].

#![expect(clippy::disallowed_methods, reason = "this module reads the files of a configuration")]

pub mod edit;
mod files;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::SourceText;
use crate::world::World;

pub use crate::source::files::Files;

/// The texts of a configuration, in the order in which they count.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The `*.wg.hcl` files, in name order.
    pub files: Vec<Arc<SourceText>>,
    /// The values of variables. A later one wins.
    pub variables: Vec<GivenVariable>,
    /// Reads the files that expressions name.
    pub reader: Files,
}

/// A value, or a file of values, that was given to variables.
#[derive(Debug, Clone)]
pub struct GivenVariable {
    /// Which variable; none for a file, which names its variables itself.
    pub name: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// The HCL of a file, or the raw text of one value.
    pub text: Arc<SourceText>,
}

/// Where the value of a variable comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `WGFORM_VAR_name`.
    Environment,
    /// `wgform.wgvars.hcl`, `*.auto.wgvars.hcl` or `-var-file`.
    File,
    /// `-var`.
    Argument,
}

/// A value given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariableArgument {
    /// `-var name=value`.
    Value {
        /// Which variable.
        name: String,
        /// Its value.
        value: String,
    },
    /// `-var-file path`.
    File(PathBuf),
}

/// The configuration could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The directory holds no configuration.
    #[error("could not read the configuration: there is no `*.wg.hcl` file in `{0}`")]
    NoFiles(String),
    /// There is nothing at a path.
    #[error("there is no file or directory `{0}`")]
    NoPath(String),
    /// A file has another name than those of a configuration.
    #[error("`{0}` is not a file of a configuration")]
    NotOurs(String),
    /// A file or the directory cannot be read.
    #[error("could not read `{name}`")]
    Unreadable {
        /// What.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// There is something at a path where a new file is to be.
    #[error("could not write `{0}`: it is there already")]
    Taken(String),
    /// A file cannot be written.
    #[error("could not write `{name}`")]
    Unwritable {
        /// What.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// A file holds bytes that are no text.
    #[error("could not read `{name}`: line {line} is not UTF-8")]
    NotText {
        /// Which file.
        name: String,
        /// The line of the first such byte.
        line: usize,
    },
}

impl SourceError {
    /// Returns what to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoFiles(_) => Some(
                "Write a first file, for example `main.wg.hcl` with an `interface` block, or name another directory with `-chdir=DIR`."
                    .to_owned(),
            ),
            Self::NotText { .. } => Some("Save the file as UTF-8.".to_owned()),
            Self::NotOurs(_) => Some(
                "These end in `.wg.hcl` or, with values of variables, in `.wgvars.hcl`.".to_owned(),
            ),
            Self::Unreadable { .. } => {
                Some("Check that it is there, and that you may read it.".to_owned())
            }
            Self::NoPath(_) => {
                Some("A path is relative to the working directory, or to `-chdir`.".to_owned())
            }
            Self::Taken(_) => Some(
                "Name another file, or move this one away: nothing is written over.".to_owned(),
            ),
            Self::Unwritable { .. } => None,
        }
    }
}

/// Reads the configuration of a directory, and the values given by its files, the environment and the arguments.
///
/// # Errors
/// When there is no configuration, or a file of it cannot be read.
pub fn read(world: &World, arguments: &[VariableArgument]) -> Result<Sources, SourceError> {
    let names = names_in(&world.directory)?;
    let files = names
        .iter()
        .filter(|name| name.ends_with(".wg.hcl"))
        .map(|name| load_listed(&world.path(name), name))
        .collect::<Result<Vec<_>, _>>()?;
    if files.is_empty() {
        return Err(SourceError::NoFiles(world.directory.display().to_string()));
    }
    let variables = given(world, &names, arguments)?;
    let reader = Files::in_directory(world.directory.clone());
    files.iter().for_each(|it| reader.note(&it.name, it.text.as_bytes()));
    Ok(Sources { files, variables, reader })
}

/// Gathers the values of variables, weakest first.
fn given(
    world: &World,
    names: &[String],
    arguments: &[VariableArgument],
) -> Result<Vec<GivenVariable>, SourceError> {
    let mut given = Vec::new();
    for (key, value) in &world.environment {
        if let Some(name) = key.strip_prefix("WGFORM_VAR_") {
            given.push(one(name, Origin::Environment, key, value));
        }
    }
    let main = names.iter().filter(|name| *name == "wgform.wgvars.hcl");
    let auto = names.iter().filter(|name| name.ends_with(".auto.wgvars.hcl"));
    for name in main.chain(auto) {
        given.push(file(load_listed(&world.path(name), name)?));
    }
    for argument in arguments {
        given.push(match argument {
            VariableArgument::Value { name, value } => {
                one(name.trim(), Origin::Argument, "-var", value)
            }
            VariableArgument::File(path) => {
                file(load(&world.path(path), &path.display().to_string())?)
            }
        });
    }
    Ok(given)
}

fn one(name: &str, origin: Origin, shown: &str, value: &str) -> GivenVariable {
    let text = SourceText { name: shown.to_owned(), text: value.to_owned(), secrets: Vec::new() };
    GivenVariable { name: Some(name.to_owned()), origin, text: Arc::new(text) }
}

/// Takes a text for a file of values.
pub fn values(name: &str, text: String) -> GivenVariable {
    file(Arc::new(SourceText { name: name.to_owned(), text, secrets: Vec::new() }))
}

fn file(text: Arc<SourceText>) -> GivenVariable {
    GivenVariable { name: None, origin: Origin::File, text }
}

/// Lists the files of a directory in name order, without hidden ones.
fn names_in(directory: &Path) -> Result<Vec<String>, SourceError> {
    let shown = directory.display().to_string();
    let unreadable = |source| SourceError::Unreadable { name: shown.clone(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !entry.path().is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Reads a file of the directory. A pipe that nobody writes to would be waited for.
fn load_listed(path: &Path, name: &str) -> Result<Arc<SourceText>, SourceError> {
    if std::fs::metadata(path).is_ok_and(|it| !it.is_file()) {
        let source = io::Error::other("it is not a file");
        return Err(SourceError::Unreadable { name: name.to_owned(), source });
    }
    load(path, name)
}

fn load(path: &Path, name: &str) -> Result<Arc<SourceText>, SourceError> {
    let text = lossy_text_of(path, name)?;
    Ok(Arc::new(SourceText { name: name.to_owned(), text, secrets: Vec::new() }))
}

/// Where the characters start that stand in for bytes that are no text: private ones, behind which there are only two
/// that no text may have.
const FOREIGN: u32 = 0x10_ff00;

/// Returns the byte that a character stands in for, in a text of a configuration: one that was no part of UTF-8.
pub fn foreign_byte(c: char) -> Option<u8> {
    u32::from(c)
        .checked_sub(FOREIGN)
        .and_then(|byte| u8::try_from(byte).ok())
        .filter(|byte| *byte >= 0x80)
}

/// Reads a text of a configuration. Bytes that are no text become characters of their own, so that the rest can be
/// checked and the message can say where they are.
fn lossy_text_of(path: &Path, name: &str) -> Result<String, SourceError> {
    let bytes = bytes_of(path, name)?;
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        let foreign =
            chunk.invalid().iter().filter_map(|byte| char::from_u32(FOREIGN + u32::from(*byte)));
        text.extend(foreign);
    }
    Ok(without_mark(text))
}

fn bytes_of(path: &Path, name: &str) -> Result<Vec<u8>, SourceError> {
    std::fs::read(path).map_err(|source| SourceError::Unreadable { name: name.to_owned(), source })
}

/// The byte order mark.
const MARK: char = '\u{feff}';

fn without_mark(text: String) -> String {
    match text.strip_prefix(MARK) {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

/// Turns bytes into a text without its byte order mark, and returns whether there was one.
///
/// # Errors
/// When they are not UTF-8.
pub fn decoded(bytes: Vec<u8>, name: &str) -> Result<(String, bool), SourceError> {
    text_or_line(bytes).map_err(|line| SourceError::NotText { name: name.to_owned(), line })
}

/// Returns a text and whether it had a byte order mark, or the line of the first byte that is no text.
fn text_or_line(bytes: Vec<u8>) -> Result<(String, bool), usize> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        valid.iter().filter(|byte| **byte == b'\n').count() + 1
    })?;
    let has_mark = text.starts_with(MARK);
    Ok((without_mark(text), has_mark))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use crate::source::{SourceError, VariableArgument, foreign_byte, read};
    use crate::world::World;

    fn world(files: &[(&str, &[u8])], environment: &[(&str, &str)]) -> (TempDir, World) {
        let directory = TempDir::new().unwrap();
        for (name, bytes) in files {
            fs::write(directory.path().join(name), bytes).unwrap();
        }
        let environment =
            environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let path = directory.path().to_owned();
        (directory, World::new(environment, path, || jiff::Timestamp::UNIX_EPOCH, |_| {}))
    }

    #[test]
    fn files_come_in_name_order_without_their_byte_order_mark() {
        let (_kept, world) = world(
            &[
                ("b.wg.hcl", b"b"),
                ("a.wg.hcl", "\u{feff}a".as_bytes()),
                (".c.wg.hcl", b"c"),
                ("notes.txt", b"\xff"),
            ],
            &[],
        );
        let sources = read(&world, &[]).unwrap();
        let texts: Vec<_> =
            sources.files.iter().map(|it| (it.name.as_str(), it.text.as_str())).collect();
        assert_eq!(texts, [("a.wg.hcl", "a"), ("b.wg.hcl", "b")]);
    }

    #[test]
    fn values_of_variables_come_weakest_first_and_arguments_in_their_own_order() {
        let (_kept, world) = world(
            &[
                ("a.wg.hcl", b""),
                ("wgform.wgvars.hcl", b"main"),
                ("b.auto.wgvars.hcl", b"auto b"),
                ("a.auto.wgvars.hcl", b"auto a"),
                ("other.wgvars.hcl", b"other"),
            ],
            &[("WGFORM_VAR_x", "env"), ("HOME", "/root")],
        );
        let value =
            |text: &str| VariableArgument::Value { name: "x".to_owned(), value: text.to_owned() };
        let arguments =
            [value("1=2"), VariableArgument::File("other.wgvars.hcl".into()), value("last")];
        let sources = read(&world, &arguments).unwrap();
        let texts: Vec<_> = sources.variables.iter().map(|it| it.text.text.as_str()).collect();
        assert_eq!(texts, ["env", "main", "auto a", "auto b", "1=2", "other", "last"]);
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        let failure = |files: &[(&str, &[u8])], arguments: &[VariableArgument]| {
            let (kept, world) = world(files, &[]);
            let text = read(&world, arguments).unwrap_err().to_string();
            text.replace(&kept.path().display().to_string(), "DIR")
        };
        assert_eq!(
            failure(&[("a.txt", b"")], &[]),
            "could not read the configuration: there is no `*.wg.hcl` file in `DIR`"
        );
        assert_eq!(
            failure(&[("a.wg.hcl", b"")], &[VariableArgument::File("gone.hcl".into())]),
            "could not read `gone.hcl`"
        );
    }

    #[test]
    fn bytes_that_are_no_text_have_characters_that_stand_in_for_them() {
        let (_kept, world) = world(&[("a.wg.hcl", b"x\xff \xe9")], &[]);
        let text = &read(&world, &[]).unwrap().files[0].text;
        assert_eq!(text.chars().filter_map(foreign_byte).collect::<Vec<_>>(), [0xff, 0xe9]);
        assert_eq!(text.chars().filter(|it| foreign_byte(*it).is_none()).collect::<String>(), "x ");
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let (kept, world) = world(&[("a.wg.hcl", b"")], &[]);
        let socket = kept.path().join("b.wg.hcl");
        let _bound = std::os::unix::net::UnixListener::bind(socket).unwrap();
        let error = read(&world, &[]).unwrap_err();
        assert_eq!(error.to_string(), "could not read `b.wg.hcl`");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "it is not a file");
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        let (kept, mut world) = world(&[], &[]);
        world.directory = kept.path().join("gone");
        assert!(matches!(read(&world, &[]), Err(SourceError::Unreadable { .. })));
    }

    #[test]
    fn the_reader_reads_relative_to_the_configuration() {
        let (_kept, world) = world(&[("a.wg.hcl", b""), ("key.txt", b"k\n")], &[]);
        let reader = read(&world, &[]).unwrap().reader;
        assert_eq!(reader.read("key.txt").unwrap(), "k\n");
        assert!(reader.read("gone.txt").is_err());
    }
}
