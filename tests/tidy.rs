//! Holds the source tree to what the compiler does not check: the layering that one crate cannot state in
//! `Cargo.toml`, and the habits that a review would otherwise have to watch.

#![expect(clippy::disallowed_methods, reason = "the tests read the source tree")]

use std::path::{Path, PathBuf};

use regex::Regex;

/// Every module in reading order, with the modules it may name.
///
/// A row may list only rows above it, so the table cannot describe a cycle. What is not here is meant: `plan` names
/// neither `world` nor `store`, so it can read no clock and no file; `graph` names nothing, so it knows nothing of
/// WireGuard; `apply` names no `ui`, so it cannot ask or print.
const LAYERS: &[(&str, &[&str])] = &[
    ("value", &[]),
    ("world", &["value"]),
    ("failpoint", &[]),
    ("disk", &["failpoint"]),
    ("outfile", &["disk"]),
    ("tls", &[]),
    ("seal", &["value"]),
    ("resource", &["value"]),
    ("diagnostic", &[]),
    ("token", &[]),
    ("format", &["token"]),
    ("source", &["value", "world", "diagnostic"]),
    ("config", &["value", "world", "resource", "diagnostic", "token", "source"]),
    ("state", &["value", "world", "resource"]),
    (
        "store",
        &["value", "world", "failpoint", "disk", "outfile", "tls", "seal", "resource", "state"],
    ),
    ("actual", &["value", "resource"]),
    ("persist", &["value", "resource", "actual"]),
    ("simulator", &["value", "world", "failpoint", "resource", "actual", "persist"]),
    (
        "backend",
        &[
            "value",
            "world",
            "failpoint",
            "disk",
            "tls",
            "resource",
            "config",
            "actual",
            "persist",
            "simulator",
        ],
    ),
    ("refresh", &["value", "resource", "actual", "backend"]),
    ("link", &["value", "resource"]),
    ("network", &["value", "resource", "diagnostic", "config", "link"]),
    ("lint", &["value", "resource", "diagnostic", "config", "network"]),
    ("diff", &["resource"]),
    ("graph", &[]),
    (
        "plan",
        &[
            "value",
            "resource",
            "diagnostic",
            "config",
            "state",
            "actual",
            "persist",
            "link",
            "lint",
            "diff",
            "graph",
        ],
    ),
    ("drift", &["resource", "state", "actual", "diff", "plan"]),
    ("outcome", &["diagnostic", "resource", "state", "store", "plan"]),
    ("event", &["plan", "outcome"]),
    (
        "render",
        &[
            "value",
            "resource",
            "diagnostic",
            "token",
            "source",
            "config",
            "state",
            "actual",
            "backend",
            "network",
            "diff",
            "plan",
            "drift",
            "outcome",
            "event",
        ],
    ),
    (
        "draft",
        &[
            "value",
            "world",
            "resource",
            "diagnostic",
            "format",
            "source",
            "config",
            "state",
            "actual",
            "persist",
            "render",
        ],
    ),
    (
        "adopt",
        &[
            "value",
            "world",
            "resource",
            "diagnostic",
            "token",
            "format",
            "source",
            "config",
            "state",
            "diff",
            "plan",
            "draft",
        ],
    ),
    (
        "reference",
        &["seal", "resource", "diagnostic", "config", "state", "plan", "event", "render"],
    ),
    (
        "ui",
        &[
            "disk",
            "outfile",
            "value",
            "world",
            "resource",
            "diagnostic",
            "backend",
            "plan",
            "drift",
            "outcome",
            "event",
            "render",
        ],
    ),
    (
        "apply",
        &[
            "value",
            "world",
            "failpoint",
            "resource",
            "diagnostic",
            "config",
            "state",
            "store",
            "actual",
            "persist",
            "backend",
            "plan",
            "outcome",
            "event",
        ],
    ),
    (
        "error",
        &[
            "outfile",
            "value",
            "seal",
            "resource",
            "diagnostic",
            "source",
            "config",
            "state",
            "store",
            "actual",
            "backend",
            "refresh",
            "plan",
            "render",
            "ui",
            "apply",
        ],
    ),
    (
        "command",
        &[
            "value",
            "world",
            "seal",
            "resource",
            "diagnostic",
            "token",
            "format",
            "source",
            "config",
            "state",
            "disk",
            "outfile",
            "store",
            "actual",
            "simulator",
            "backend",
            "refresh",
            "link",
            "network",
            "lint",
            "diff",
            "plan",
            "drift",
            "outcome",
            "event",
            "render",
            "draft",
            "adopt",
            "reference",
            "ui",
            "apply",
            "error",
        ],
    ),
    (
        "fuzz",
        &[
            "value",
            "world",
            "seal",
            "resource",
            "diagnostic",
            "token",
            "format",
            "source",
            "config",
            "state",
            "simulator",
            "backend",
            "plan",
            "lint",
            "render",
            "command",
        ],
    ),
];

/// The folder of `backend` that is no system, but what several of them need.
const SHARED: &str = "http";

/// A file that is longer than this has more than one purpose.
const MAX_LINES: usize = 900;

#[test]
fn modules_import_only_what_the_table_allows() {
    let mut broken = Vec::new();
    for (module, allowed) in LAYERS {
        for file in module_files(module) {
            for (at, line) in file.code() {
                for rest in line.split("crate::").skip(1) {
                    let name = first_word(rest);
                    if name != *module && !allowed.contains(&name) {
                        broken.push(format!("{at}: {module} -> {name}"));
                    }
                }
            }
        }
    }
    report("the table LAYERS in tests/tidy.rs does not allow this", &broken);
}

#[test]
fn the_table_describes_no_cycle() {
    for (index, (module, allowed)) in LAYERS.iter().enumerate() {
        for name in *allowed {
            assert!(
                LAYERS[..index].iter().any(|(above, _)| above == name),
                "{module} lists {name}"
            );
        }
    }
}

#[test]
fn lib_declares_the_layers_in_reading_order() {
    let lib = File::read(src().join("lib.rs"));
    let declared: Vec<_> = lib.text.lines().filter_map(declaration).collect();
    let expected: Vec<_> = LAYERS.iter().map(|(module, _)| *module).collect();
    assert_eq!(declared, expected);
}

#[test]
fn only_a_backend_names_its_own_parts() {
    let systems = folders(&src().join("backend"));
    let mut broken = Vec::new();
    // `src/backend.rs` is where a kind of backend becomes a backend.
    for file in files(&src()).iter().filter(|file| file.name() != "src/backend.rs") {
        for (at, line) in file.code() {
            for rest in line.split("backend::").skip(1) {
                let name = first_word(rest);
                let is_home = name == SHARED || file.is_in(&format!("src/backend/{name}"));
                if systems.iter().any(|it| it == name) && !is_home {
                    broken.push(format!("{at}: backend::{name}"));
                }
            }
        }
    }
    report("a backend is reached through `Read` and `Write`, and names no other backend", &broken);
}

#[test]
fn imports_start_at_the_crate() {
    let pattern = Regex::new(r"^\s*(pub(\(\w+\))? )?use super::").unwrap();
    let found: Vec<_> = sources().iter().flat_map(|file| file.matching(&pattern)).collect();
    report("say `crate::`", &found);
}

#[test]
fn nothing_is_left_for_later() {
    let pattern = Regex::new(r"\b(todo|unimplemented)!|#\[ignore\b|\b(TODO|FIXME|XXX)\b").unwrap();
    let sources = sources();
    let others = sources.iter().filter(|file| !file.is_in("tests/tidy"));
    let found: Vec<_> = others.flat_map(|file| file.matching(&pattern)).collect();
    report("do it now, or leave it out", &found);
}

#[test]
fn nothing_but_ui_and_main_prints() {
    let pattern = Regex::new(r"\b(e?print(ln)?|dbg)!|\bio::std(out|err)\(").unwrap();
    let may_print = |file: &File| file.is_in("src/ui") || file.is_in("src/main");
    let files: Vec<_> = files(&src()).into_iter().filter(|file| !may_print(file)).collect();
    let lines = files.iter().flat_map(File::code).filter(|(_, line)| pattern.is_match(line));
    let found: Vec<_> = lines.map(|(at, line)| format!("{at}: {line}")).collect();
    report("only `ui` prints", &found);
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = sources()
        .iter()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| format!("{} does not start with `//!`", file.name()))
        .collect();
    report("a file starts with what it is for", &silent);
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = sources()
        .iter()
        .map(|file| (file.name(), file.text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(name, lines)| format!("{name} has {lines} lines"))
        .collect();
    report("split it by purpose", &long);
}

#[test]
fn the_changelog_has_this_version() {
    let changelog = File::read(root().join("CHANGELOG.md"));
    let heading = format!("## {} ", env!("CARGO_PKG_VERSION"));
    assert!(
        changelog.text.lines().any(|line| line.starts_with(&heading)),
        "no line starts with `{heading}`"
    );
}

/// One source file.
struct File {
    path: PathBuf,
    text: String,
}

impl File {
    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }

    fn name(&self) -> String {
        let path = self.path.strip_prefix(root()).unwrap_or(&self.path);
        path.display().to_string()
    }

    /// Returns whether it is the file of a module or one below it.
    fn is_in(&self, module: &str) -> bool {
        let name = self.name();
        name == format!("{module}.rs") || name.starts_with(&format!("{module}/"))
    }

    /// Returns the lines that match, each with its place.
    fn matching(&self, pattern: &Regex) -> Vec<String> {
        let lines = self.text.lines().enumerate();
        lines
            .filter(|(_, line)| pattern.is_match(line))
            .map(|(index, line)| format!("{}:{}: {line}", self.name(), index + 1))
            .collect()
    }

    /// Returns the lines that are neither comments nor tests, each with its place.
    fn code(&self) -> impl Iterator<Item = (String, &str)> {
        let name = self.name();
        let is_test = name.ends_with("/tests.rs") || name.contains("/tests/");
        // Tests that are written out are the last thing in a file; the name of a module of tests is not.
        let end = self.text.find("\n#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        let code = if is_test { "" } else { &self.text[..end] };
        code.lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(move |(index, line)| (format!("{name}:{}", index + 1), line))
    }
}

fn report(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

fn declaration(line: &str) -> Option<&str> {
    line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "))?.strip_suffix(';')
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| c != '_' && !c.is_alphanumeric()).next().unwrap_or_default()
}

fn module_files(module: &str) -> Vec<File> {
    let mut all = files(&src().join(module));
    all.push(File::read(src().join(format!("{module}.rs"))));
    all
}

fn sources() -> Vec<File> {
    let mut all = files(&src());
    all.extend(files(&root().join("tests")));
    assert!(all.len() > 20, "the source tree is somewhere else");
    all
}

/// Returns every Rust file in a directory and below it.
fn files(directory: &Path) -> Vec<File> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for path in entries(&directory) {
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                found.push(File::read(path));
            }
        }
    }
    found
}

/// Returns the names of the modules in a directory that have a folder of their own; the others are for all of them.
fn folders(directory: &Path) -> Vec<String> {
    let name = |path: PathBuf| Some(path.file_name()?.to_str()?.to_owned());
    entries(directory).into_iter().filter(|path| path.is_dir()).filter_map(name).collect()
}

/// Returns the paths in a directory in a stable order; none when it is not there.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = directory.read_dir().into_iter().flatten();
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn src() -> PathBuf {
    root().join("src")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
