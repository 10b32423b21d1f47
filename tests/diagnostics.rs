//! The catalogue: every diagnostic has a case in `testdata/diagnostics`, with its whole text as a user sees it.
//!
//! A case is one file. A section is a file of the configuration, or a command line with what it prints:
//!
//! ```text
//! -- main.wg.hcl --
//! peer "a" {}
//! -- wgform validate --
//!   × missing argument
//!   …
//! ```
//!
//! Sections are carried out from top to bottom. `-- set up: wgform apply -auto-approve --` has to succeed, and what it
//! prints is not kept. In a file whose name is followed by `(escaped)`, `\r`, `\t`, `\xFF` and `\u{FEFF}` are what they
//! are in Rust. `WGFORM_BLESS=1 cargo test --test diagnostics` writes what is printed anew, for review.

#![expect(clippy::disallowed_methods, reason = "the tests read and write the catalogue")]
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use regex::Regex;
use sha2::{Digest, Sha256};
use wgform::command::reports::HandedOver;
use wgform::command::{self, Context, Request};
use wgform::error::Exit;
use wgform::ui::streams::Output;
use wgform::ui::{Captured, Options, Streams, Ui};
use wgform::world::World;

/// Problems that say no way out, each with the reason.
const NO_HELP: &[(&str, &str)] = &[("syntax error", "what the parser of HCL says is all there is")];

/// Diagnostics that no configuration shows yet, each with the reason.
const NO_CASE: &[(&str, &str)] = &[
    (
        "resource that cannot be evaluated",
        "it is for mistakes in wgform: no configuration is known that shows one",
    ),
    (
        "value that has to be written by hand",
        "it is about what was changed on a device; `tests/adopt.rs` shows it",
    ),
    (
        "destroy of what is gone already",
        "it is about what was removed on a device; `tests/plan/guards.rs` shows it",
    ),
    (
        "drift that cannot be adopted",
        "it is about what was changed on a device; `tests/adopt.rs` shows it",
    ),
    (
        "too many modules",
        "a case of twenty directories is nothing to read; `src/config/tests/modules.rs` has one",
    ),
    (
        "attribute that the system is too old for",
        "a simulated router has the newest version; `tests/routeros.rs` has those that are older",
    ),
    (
        "hold in the state that this version cannot read",
        "a case has no state of a later version; `src/state/hold.rs` reads one",
    ),
    (
        "router that does not show its keys",
        "the user of a simulated router has every right; `tests/routeros.rs` has one that has not",
    ),
    (
        "router that has just started",
        "a simulated router starts with its first use; `tests/routeros.rs` has one that is started",
    ),
    (
        "two backends that are one firewall",
        "each simulated firewall is one of its own; `tests/firewall.rs` has two that are not",
    ),
    (
        "objects of a tunnel that is gone",
        "a case changes nothing on a firewall; `tests/firewall.rs` does, and shows it",
    ),
    (
        "firewall with changes that are not applied",
        "a case changes nothing on a firewall; `tests/firewall.rs` does, and shows it",
    ),
    (
        "object of a firewall that cannot be read",
        "a case changes nothing on a firewall; `tests/pfsense.rs` does, and shows it",
    ),
    (
        "peer of a firewall without a key",
        "a case changes nothing on a firewall; `tests/pfsense.rs` does, and shows it",
    ),
    (
        "firewall that does not show its interfaces",
        "the key of a simulated firewall may do everything; `tests/pfsense.rs` has one that may not",
    ),
    (
        "firewall with a wrong clock",
        "a simulated firewall has the clock of this host; `tests/pfsense.rs` has one that has not",
    ),
    (
        "host with a wrong clock",
        "a case has no host that is far away; `src/backend/clock.rs` shows what is said of one",
    ),
    (
        "firewall that has just started",
        "a simulated firewall starts with its first use; `tests/pfsense.rs` has one that is started",
    ),
    (
        "path that is added to the URL anyway",
        "a case has no firewall that is far away; `tests/firewall.rs` shows it",
    ),
    (
        "time limit no longer than the firewall's own",
        "a case has no firewall that is far away; `src/backend/pfsense.rs` shows it",
    ),
    (
        "firewall that does not have to prove what it is",
        "a case has no firewall that is far away; `src/backend/pfsense.rs` shows it",
    ),
    (
        "text that HCL reads in another way",
        "no text is known that the parser takes and the scanner of tokens does not",
    ),
    (
        "pre-shared key changed outside of wgform",
        "a case changes nothing outside of wgform; `tests/plan/refresh_only.rs` does, and shows it",
    ),
    (
        "two hosts with one machine id",
        "each simulated host is one of its own; `tests/plan/replace.rs` has two that are not",
    ),
    (
        "name servers for a host without a resolver",
        "a case changes nothing on a host; `tests/plan/resolver.rs` does, and shows it",
    ),
    (
        "domain that the host's resolver cannot route",
        "a case changes nothing on a host; `tests/plan/resolver.rs` does, and shows it",
    ),
    (
        "password that is sent in the clear",
        "a case has no router that is far away; `src/backend/routeros.rs` shows it",
    ),
    (
        "router that does not have to prove what it is",
        "a case has no router that is far away; `tests/router.rs` shows it",
    ),
    (
        "precondition that is not known",
        "what is not known when its resource is written fails that step, which says so",
    ),
    ("postcondition that is not known", "no device is known that does not tell what it made"),
    (
        "time limit no longer than the router's own",
        "a case has no router that is far away; `tests/router.rs` shows it",
    ),
];

/// Errors in reading and writing files that no case can set up, each with the reason.
const NO_FILE: &[(&str, &str)] = &[("could not write `{name}`", "root may write everywhere")];

#[test]
fn every_case_is_as_it_was_reviewed() {
    let mut wrong = Vec::new();
    for path in cases() {
        let text = fs::read_to_string(&path).unwrap();
        let printed = Case::run(&text);
        if std::env::var("WGFORM_BLESS").is_ok() {
            fs::write(&path, &printed).unwrap();
        } else if printed != text {
            wrong.push(format!("{}\n\n{printed}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "WGFORM_BLESS=1 writes anew, for review:\n\n{}", wrong.join("\n"));
}

#[test]
fn every_diagnostic_has_a_case() {
    let shown: BTreeSet<String> = problems().into_iter().map(|problem| problem.summary).collect();
    let summaries = summaries();
    let missing: Vec<_> = summaries.difference(&shown).map(String::as_str).collect();
    let missing: Vec<_> =
        missing.into_iter().filter(|it| NO_CASE.iter().all(|(summary, _)| summary != it)).collect();
    for (summary, _) in NO_CASE {
        assert!(summaries.contains(*summary) && !shown.contains(*summary), "{summary}");
    }
    assert!(missing.is_empty(), "no case in testdata/diagnostics shows: {missing:#?}");
    assert!(summaries.len() > 50, "{summaries:?}");
}

#[test]
fn every_error_in_reading_has_a_case() {
    let source = fs::read_to_string(root().join("src/source.rs")).unwrap();
    let messages = Regex::new(r#"#\[error\("([^"]+)"\)\]"#).unwrap();
    let texts: Vec<String> = cases().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let fields = Regex::new(r"\\\{.*?\\\}").unwrap();
    assert!(messages.captures_iter(&source).count() > 4);
    for message in messages.captures_iter(&source) {
        if NO_FILE.iter().any(|(text, _)| *text == &message[1]) {
            continue;
        }
        let pattern = regex::escape(&message[1]);
        let pattern = fields.replace_all(&pattern, ".+").into_owned();
        let pattern = Regex::new(&format!("(?m)^Error: {pattern}$")).unwrap();
        assert!(texts.iter().any(|text| pattern.is_match(text)), "no case shows: {}", &message[1]);
    }
}

#[test]
fn every_summary_has_one_form() {
    for summary in summaries() {
        let starts_low = summary.starts_with(|c: char| c.is_ascii_lowercase());
        let has_article = ["a ", "an ", "the "].iter().any(|article| summary.starts_with(article));
        let is_plain = !summary.contains(['`', '"', '{', ':']) && !summary.ends_with('.');
        assert!(starts_low && !has_article && is_plain, "{summary}");
        assert!(summary.len() <= 60, "{summary}");
    }
}

#[test]
fn every_problem_is_somewhere_and_says_the_way_out() {
    let exempt = |problem: &Problem| NO_HELP.iter().any(|(summary, _)| problem.summary == *summary);
    for problem in problems() {
        let Problem { case, text, .. } = &problem;
        assert!(text.contains("─["), "{case} is nowhere:\n{text}");
        let help = text.lines().find_map(|line| line.strip_prefix("  help: "));
        let Some(help) = help else {
            assert!(exempt(&problem), "{case} says no way out:\n{text}");
            continue;
        };
        assert!(help.starts_with(|c: char| !c.is_lowercase()), "{case}: {help}");
        let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap();
        let is_command = last.starts_with("         ");
        assert!(is_command || last.ends_with(['.', '?', '!', ':']), "{case}: {last}");
    }
}

#[test]
fn labels_are_clauses() {
    let label = Regex::new(r"[╰├]─[─┤] (.*)").unwrap();
    let mut n = 0;
    for Problem { case, text, .. } in problems() {
        for found in label.captures_iter(&text) {
            n += 1;
            assert!(
                !found[1].ends_with('.') && !found[1].starts_with(char::is_uppercase),
                "{case}: {}",
                &found[1]
            );
        }
    }
    assert!(n > 50, "{n}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("testdata/diagnostics")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A problem that a case shows.
struct Problem {
    case: String,
    summary: String,
    text: String,
}

/// Returns every problem that the catalogue shows.
fn problems() -> Vec<Problem> {
    let mut problems = Vec::new();
    for path in cases() {
        let case = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let mut is_in = false;
        for line in text.lines() {
            if let Some(summary) = line.strip_prefix("  × ").or(line.strip_prefix("  ⚠ ")) {
                // A rule of lint is named behind it.
                let summary = summary.split_once(" [").map_or(summary, |(it, _)| it).to_owned();
                problems.push(Problem { case: case.clone(), summary, text: String::new() });
                is_in = true;
            }
            is_in &= !is_end(line);
            if let Some(problem) = problems.last_mut().filter(|_| is_in) {
                problem.text += line;
                problem.text.push('\n');
            }
        }
    }
    problems
}

/// Returns whether a line comes after the last problem.
fn is_end(line: &str) -> bool {
    line.starts_with("-- ")
        || line.starts_with("and ")
        || line.starts_with(|c: char| c.is_ascii_digit())
}

/// Returns the summary of every diagnostic in the sources. Each has to stand there as it is, so that it can be found.
fn summaries() -> BTreeSet<String> {
    let literal = Regex::new(
        r#"(?:Diagnostic::(?:error|warning)|Mistake::new|Remark::new)\(\s*("([^"]*)"|remark\.)?"#,
    );
    let indirect = Regex::new(r#"(?:let summary =|\bnew\()\s*"([^"]*)""#).unwrap();
    let literal = literal.unwrap();
    let mut summaries = BTreeSet::new();
    for path in sources(&root().join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        if path.ends_with("parse/syntax.rs") {
            // Its mistakes become diagnostics later, and some share a summary.
            summaries.extend(indirect.captures_iter(code).map(|found| found[1].to_owned()));
            summaries.extend(
                literal.captures_iter(code).filter_map(|it| Some(it.get(2)?.as_str().to_owned())),
            );
            continue;
        }
        for found in literal.captures_iter(code) {
            // One that a backend has made.
            if found.get(1).is_some_and(|it| it.as_str() == "remark.") {
                continue;
            }
            let summary = found.get(2).map(|it| it.as_str().to_owned());
            summaries.insert(summary.unwrap_or_else(|| panic!("{}", path.display())));
        }
    }
    summaries
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        if path.is_dir() { found.extend(sources(&path)) } else { found.push(path) }
    }
    found
}

/// A case that is being carried out.
struct Case {
    directory: tempfile::TempDir,
    draws: &'static AtomicU64,
}

impl Case {
    /// Carries a case out and returns its text with what was printed.
    fn run(text: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let case = Self { directory, draws: Box::leak(Box::default()) };
        let mut printed = String::new();
        for (head, body) in sections(text) {
            let Some(head) = head else {
                printed += &body;
                continue;
            };
            printed += &format!("-- {head} --\n");
            if let Some(line) = head.strip_prefix("set up: ") {
                let (exit, text) = case.command(line);
                assert_eq!(exit, Exit::Done, "{line}:\n{text}");
            } else if head.starts_with("wgform ") || head.starts_with("WGFORM_") {
                printed += &case.command(&head).1;
            } else {
                case.file(&head, &body);
                printed += &body;
            }
        }
        printed
    }

    fn file(&self, name: &str, body: &str) {
        let (name, bytes) = match name.strip_suffix(" (escaped)") {
            Some(name) => (name, unescaped(body)),
            None => (name, body.as_bytes().to_vec()),
        };
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Runs a command as `main` does, and returns what is on the terminal then.
    fn command(&self, line: &str) -> (Exit, String) {
        let (environment, arguments) = words(line);
        let mut directory = self.directory.path().to_owned();
        let (mut streams, _, terminal) = Streams::in_memory("");
        streams.stdout = Output { writer: Box::new(terminal.clone()), is_terminal: false };
        let ui = Ui::new(streams, &environment, Options::default());
        let exit = match command::parse(arguments.into_iter().map(Into::into)) {
            Ok(Request::Run(cli)) => {
                directory.extend(&cli.directory);
                let world = self.world(environment, directory);
                let (prefix, is_handed_over) = (String::new(), HandedOver::default());
                let context =
                    Context { world, ui: ui.clone(), quit: |_| {}, prefix, is_handed_over };
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(command::run(cli.command, &context))
            }
            Ok(Request::Read { exit, .. }) => Ok(exit),
            Err(error) => Err(error),
        };
        let exit = exit.unwrap_or_else(|error| {
            error.show(&ui);
            error.exit()
        });
        (exit, self.plain(&terminal))
    }

    /// Randomness and time are the same in every run.
    fn world(&self, environment: BTreeMap<String, String>, directory: PathBuf) -> World {
        let draws = self.draws;
        let chance = move |bytes: &mut [u8]| {
            for chunk in bytes.chunks_mut(32) {
                let draw = draws.fetch_add(1, Ordering::SeqCst);
                chunk.copy_from_slice(&Sha256::digest(format!("draw {draw}"))[..chunk.len()]);
            }
        };
        let clock = || "2026-07-01T12:00:00Z".parse().unwrap();
        World::new(environment, directory, clock, chance)
    }

    fn plain(&self, terminal: &Captured) -> String {
        terminal.take().replace(&self.directory.path().display().to_string(), "DIR")
    }
}

/// Splits a case into its sections; what is before the first has no head.
fn sections(text: &str) -> Vec<(Option<String>, String)> {
    let mut sections = vec![(None, String::new())];
    for line in text.split_inclusive('\n') {
        let head = line.trim_end().strip_prefix("-- ").and_then(|line| line.strip_suffix(" --"));
        match head {
            Some(head) => sections.push((Some(head.to_owned()), String::new())),
            None => sections.last_mut().unwrap().1 += line,
        }
    }
    sections
}

/// Splits a command line as a shell would as far as the catalogue needs: variables in front, words between `'`.
fn words(line: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for c in line.chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    let program = words.iter().position(|word| word == "wgform").unwrap();
    let arguments = words.split_off(program);
    let pairs = words.iter().filter_map(|word| word.split_once('='));
    (pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(), arguments)
}

fn unescaped(text: &str) -> Vec<u8> {
    let escape = Regex::new(r"\\(?:([rt])|x([0-9A-F]{2})|u\{([0-9A-Fa-f]+)\})").unwrap();
    let mut bytes = Vec::new();
    let mut end = 0;
    for found in escape.captures_iter(text) {
        let whole = found.get(0).unwrap();
        bytes.extend(&text.as_bytes()[end..whole.start()]);
        end = whole.end();
        let number = |i| found.get(i).map(|it| u32::from_str_radix(it.as_str(), 16).unwrap());
        match (found.get(1).map(|it| it.as_str()), number(2), number(3)) {
            (Some("r"), ..) => bytes.push(b'\r'),
            (Some(_), ..) => bytes.push(b'\t'),
            (_, Some(byte), _) => bytes.push(u8::try_from(byte).unwrap()),
            (_, _, Some(c)) => {
                bytes.extend(char::from_u32(c).unwrap().to_string().as_bytes());
            }
            _ => {}
        }
    }
    bytes.extend(&text.as_bytes()[end..]);
    bytes
}
