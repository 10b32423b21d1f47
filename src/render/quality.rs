//! What `validate` finds as a report of code quality: the part of Code Climate's format that GitLab reads and shows beside
//! the lines of a merge request.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::render::validation::{Problem, Severity};

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Lines {
    begin: usize,
}

/// Writes problems as findings. `prefix` is the directory of the configuration as seen from the root of the repository.
///
/// A fingerprint is made of what is wrong and of the file, not of the line: what only moved is not new.
pub fn report<'a>(problems: impl IntoIterator<Item = &'a Problem>, prefix: &str) -> String {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let findings: Vec<Finding> =
        problems.into_iter().map(|it| finding(it, prefix, &mut seen)).collect();
    serde_json::to_string_pretty(&findings).unwrap_or_default() + "\n"
}

fn finding(problem: &Problem, prefix: &str, seen: &mut BTreeMap<String, usize>) -> Finding {
    let Problem { severity, summary, code, detail, range, snippet: _, related: _ } = problem;
    let description = match detail.is_empty() {
        true => summary.clone(),
        false => format!("{summary}: {detail}"),
    };
    let file = range.as_ref().map(|it| it.filename.as_str());
    let path = path(prefix, file);
    let identity = format!("{path}\n{description}");
    // The same thing twice in a file is two findings.
    let number = seen.entry(identity.clone()).or_default();
    *number += 1;
    Finding {
        check_name: code.map_or_else(|| slug(summary), str::to_owned),
        fingerprint: hex(&Sha256::digest(format!("{identity}\n{number}"))),
        description,
        severity: match severity {
            Severity::Error => "critical",
            Severity::Warning => "minor",
        },
        location: Location {
            path,
            lines: Lines { begin: range.as_ref().map_or(1, |it| it.start.line) },
        },
    }
}

/// Returns where a file is, seen from the root of the repository. What is in no file is in the directory.
fn path(prefix: &str, file: Option<&str>) -> String {
    let prefix = prefix.trim_start_matches("./").trim_end_matches('/');
    let file = file.filter(|it| !it.starts_with('-'));
    match (prefix, file) {
        ("" | ".", None) => ".".to_owned(),
        (prefix, None) => prefix.to_owned(),
        ("" | ".", Some(file)) => file.to_owned(),
        (_, Some(file)) if file.starts_with('/') => file.to_owned(),
        (prefix, Some(file)) => format!("{prefix}/{file}"),
    }
}

fn slug(summary: &str) -> String {
    let words = summary.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|it| !it.is_empty()).collect::<Vec<_>>().join("-").to_lowercase()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use crate::render::quality::{path, report};
    use crate::render::validation::{Position, Problem, Range, Severity};

    fn at(line: usize) -> Problem {
        let place = Position { line, column: 1, byte: 0 };
        Problem {
            range: Some(Range { filename: "main.wg.hcl".to_owned(), start: place, end: place }),
            ..Problem::elsewhere(Severity::Error, "name declared twice", std::iter::empty())
        }
    }

    fn findings(problems: &[Problem]) -> Vec<Json> {
        serde_json::from_str(&report(problems, "sites/lyon")).unwrap()
    }

    #[test]
    fn a_finding_that_only_moved_is_the_same_one() {
        let found = findings(&[at(7), at(9)]);
        assert_ne!(found[0]["fingerprint"], found[1]["fingerprint"]);
        assert_eq!(found[0]["fingerprint"], findings(&[at(8)])[0]["fingerprint"]);
        assert_eq!(found[0]["location"]["path"], "sites/lyon/main.wg.hcl");
        assert_eq!(found[0]["location"]["lines"]["begin"], 7);
        assert_eq!(found[0]["check_name"], "name-declared-twice");
    }

    #[test]
    fn a_path_is_seen_from_where_wgform_was_started() {
        for (prefix, file, expected) in [
            ("", Some("a.wg.hcl"), "a.wg.hcl"),
            (".", Some("m/a.wg.hcl"), "m/a.wg.hcl"),
            ("./site/", Some("a.wg.hcl"), "site/a.wg.hcl"),
            ("site", Some("/etc/x.wgvars.hcl"), "/etc/x.wgvars.hcl"),
            ("site", Some("-var"), "site"),
            ("", None, "."),
        ] {
            assert_eq!(path(prefix, file), expected);
        }
    }
}
