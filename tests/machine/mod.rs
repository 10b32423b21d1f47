//! The stream of `-json` as a test reads it.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(unreachable_pub, reason = "each test binary has this as a module of its own")]

use std::process::Command;

use jsonschema::Validator;
use regex::Regex;
use serde_json::Value as Json;

use crate::harness::{Ran, program};

/// Returns the schema of what `wgform schema SUBJECT` describes.
pub fn schema(subject: &str) -> Validator {
    let output = Command::new(program()).args(["schema", subject]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

/// Demands that a document is what a schema says.
#[track_caller]
pub fn is_valid(schema: &Validator, document: &Json) {
    let errors: Vec<_> = schema.iter_errors(document).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new(), "{document:#}");
}

/// Takes a stream apart, and demands what holds of each: every line is what the schema says, the first one is the
/// version, and the last one is the result with the exit code.
#[track_caller]
pub fn stream(text: &str, code: Option<i32>) -> Vec<Json> {
    let schema = schema("events");
    assert!(text.ends_with('\n'), "the last line is cut: {text}");
    let lines: Vec<Json> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    lines.iter().for_each(|line| is_valid(&schema, line));
    assert_eq!(lines[0]["type"], "version", "{text}");
    let results = lines.iter().filter(|line| line["type"] == "result").count();
    assert_eq!((results, &lines.last().unwrap()["type"]), (1, &"result".into()), "{text}");
    let expected = code.map(i64::from);
    assert_eq!(lines.last().unwrap()["exit_code"].as_i64(), expected, "{text}");
    lines
}

/// Does the same with the stdout of a run that has told nothing else.
#[track_caller]
pub fn of(ran: &Ran) -> Vec<Json> {
    assert_eq!(ran.stderr, "", "{ran}");
    stream(&ran.stdout, ran.code)
}

/// Returns the lines of a type.
pub fn all<'a>(lines: &'a [Json], kind: &str) -> Vec<&'a Json> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

/// Puts fixed texts in the places of times, lengths of time and keys.
pub fn normalised(lines: &[Json]) -> String {
    let key = Regex::new(r"[A-Za-z0-9+/]{43}=").unwrap();
    let fingerprint = Regex::new("fp1:[0-9a-f]{32}").unwrap();
    let elapsed = Regex::new(r#""elapsed_(ms|seconds)":\d+"#).unwrap();
    let time = Regex::new(r"\d{4}-\d\d-\d\dT[0-9:.]+Z").unwrap();
    let after = Regex::new(r"after [0-9.]+ m?s").unwrap();
    let mut text = String::new();
    for line in lines {
        let line = line.to_string();
        let line = key.replace_all(&line, "KEY");
        let line = fingerprint.replace_all(&line, "FINGERPRINT");
        let line = elapsed.replace_all(&line, r#""elapsed_$1":0"#);
        let line = time.replace_all(&line, "TIME");
        text += &after.replace_all(&line, "after 0 ms");
        text.push('\n');
    }
    text.replace(env!("CARGO_PKG_VERSION"), "VERSION")
}
