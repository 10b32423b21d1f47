//! What the README and the docs tell people to type is what the program takes, and does.
//!
//! The commands of `docs/machine-output.md` need a shell and `jq`: `tests/machine_output.rs` runs them. Those of the examples
//! are run by `tests/examples.rs` and `tests/recipes.rs`.

#![expect(clippy::disallowed_methods, reason = "these tests read the documentation")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use wgform::command;

use crate::harness::{Project, examples, words};

/// Every page for people, by its path in the repository.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let in_folder = |folder: &str| -> Vec<PathBuf> {
        fs::read_dir(root.join(folder)).unwrap().map(|it| it.unwrap().path()).collect()
    };
    let mut paths = in_folder("docs");
    paths.extend(in_folder("examples").into_iter().map(|it| it.join("README.md")));
    paths.push(root.join("README.md"));
    paths.retain(|it| it.extension().is_some_and(|it| it == "md") && it.exists());
    paths.sort();
    let name = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// Returns the lines of the blocks of a page that call the program, without a prompt, a comment or what comes after a pipe.
fn typed(page: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for block in page.split("\n```").skip(1).step_by(2) {
        for line in block.lines().skip(1) {
            let line = line.strip_prefix("$ ").unwrap_or(line);
            let line = [" | ", " # ", " > "]
                .iter()
                .fold(line, |line, end| line.split(end).next().unwrap());
            let of_cargo = line.strip_prefix("cargo run -- ");
            let ours = of_cargo.or_else(|| line.strip_prefix("wgform "));
            // A block of the language, or of what the program prints.
            let ours = ours.filter(|it| !it.starts_with('{') && !it.starts_with("will "));
            lines.extend(ours.map(|it| it.trim().to_owned()));
        }
    }
    lines
}

/// Returns the calls of the program in the sentences of a page. `…` and `a|b` stand for something else.
fn named(page: &str) -> Vec<String> {
    let prose: String = page.split("\n```").step_by(2).collect();
    let calls = prose.split('`').skip(1).step_by(2).filter_map(|it| it.strip_prefix("wgform "));
    calls.filter(|it| !it.contains(['…', '|', '{'])).map(str::to_owned).collect()
}

/// Reads a command line as the program does; returns what is wrong with it.
fn problem(line: &str) -> Option<String> {
    // What stands for a digest is none.
    let line = line.replace("=DIGEST", "=0123456789abcdef0123456789abcdef");
    let words = words(&line).into_iter().map(OsString::from);
    let arguments = std::iter::once(OsString::from("wgform")).chain(words);
    command::parse(arguments).err().map(|it| it.to_string())
}

#[test]
fn every_command_that_is_to_be_typed_is_one() {
    let mut n = 0;
    for (page, text) in pages() {
        for line in typed(&text) {
            n += 1;
            assert_eq!(problem(&line), None, "{page}: wgform {line}");
        }
    }
    assert!(n > 40, "only {n} commands were found");
}

#[test]
fn every_command_that_is_named_is_one() {
    let mut n = 0;
    for (page, text) in pages() {
        for line in named(&text) {
            n += 1;
            // A name alone may lack what it needs.
            let is_unknown = |it: &String| it.contains("unexpected") || it.contains("unrecognized");
            let problem = problem(&line).filter(is_unknown);
            assert_eq!(problem, None, "{page}: wgform {line}");
        }
    }
    assert!(n > 60, "only {n} commands were found");
    assert!(problem("plan -nonsense").unwrap().contains("unexpected"));
    assert!(problem("nonsense").unwrap().contains("unrecognized"));
}

/// The first thing that anybody does.
#[test]
fn the_first_command_of_the_readme_does_what_is_said() {
    let readme = pages().into_iter().find(|(page, _)| page == "README.md").unwrap().1;
    let first = typed(&readme).into_iter().next().unwrap();
    let of_example = first.strip_prefix("-chdir=examples/three-backends ").unwrap();
    let project = Project::of_example("three-backends");
    // In a home that nothing is in, and of the program alone.
    let home = project.path().join("home");
    fs::create_dir(&home).unwrap();
    let mut run = project.start_in(&[("HOME", home.to_str().unwrap())], of_example);
    run.wait_for("Enter a value:");
    run.answer("yes\n");
    run.end().ends(0).says("Apply complete");
    assert!(fs::read_dir(&home).unwrap().next().is_none());
    project.run(of_example).ends(0).says("No changes");
    assert!(examples().join("three-backends").exists());
}

/// The pages whose commands can be run as they stand, one after the other, and the example in which.
#[test]
fn commands_that_follow_each_other_are_run() {
    for (page, block, example) in [
        ("docs/saved-plans.md", 0, "quickstart"),
        ("examples/drift-cron/README.md", 0, "drift-cron"),
    ] {
        let text = pages().into_iter().find(|it| it.0 == page).unwrap().1;
        let text = format!("\n```{}", text.split("\n```").nth(2 * block + 1).unwrap());
        let lines = typed(&text);
        assert!(lines.len() > 1, "{page}: {lines:?}");
        let project = Project::of_example(example);
        for line in lines {
            project.run(&line).ends(0);
        }
    }
}
