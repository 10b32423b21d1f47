//! The table of what functions and expressions give: `testdata/functions/*.txt`, each row an expression and its result.
//!
//! ```text
//! upper("hello") → "HELLO"
//! [1, 2][2] → error: `2`: the list has 2 elements, counted from 0
//! 0.1 + 0.2 → 0.30000000000000004 ≠ 0.3
//! ```
//!
//! A result is JSON, `unknown` or an error with its place; behind a `≠` is what Terraform's console gives instead, where
//! `anything` is another thing each time. A row may go on
//! over several lines. `WGFORM_BLESS=1` writes the results anew, for review; with `WGFORM_TERRAFORM=1`, the same rows are
//! given to the `terraform` of this machine.

#![expect(clippy::disallowed_methods, reason = "the tests read the table and run Terraform")]
#![expect(clippy::print_stdout, reason = "a test says what it leaves out")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::tests::{Case, shown};

/// One row, with the lines in front of it that are none.
struct Row {
    before: String,
    expression: String,
    result: String,
    terraform: Option<String>,
}

#[test]
fn every_row_gives_its_result() {
    let mut wrong = Vec::new();
    for path in tables() {
        let (rows, after) = rows(&path);
        let mut written = String::new();
        for row in rows {
            let result = result(&row.expression);
            if result != row.result {
                wrong.push(format!("{} → {result}\n    not {}", row.expression, row.result));
            }
            let other = row.terraform.map(|it| format!(" ≠ {it}")).unwrap_or_default();
            let gap = if row.expression.ends_with('\n') { "" } else { " " };
            written += &format!("{}{}{gap}→ {result}{other}\n", row.before, row.expression);
        }
        if std::env::var("WGFORM_BLESS").is_ok() {
            std::fs::write(&path, written + &after).unwrap();
            wrong.clear();
        }
    }
    assert!(wrong.is_empty(), "WGFORM_BLESS=1 writes anew, for review:\n{}", wrong.join("\n"));
}

#[test]
fn every_function_has_a_row() {
    let text: String = tables().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let is_called = |name: &str| text.contains(&format!("{name}("));
    let missing: Vec<_> =
        crate::config::function::names().filter(|name| !is_called(name)).collect();
    assert!(missing.is_empty(), "no row in testdata/functions calls {missing:?}");
}

/// Gives every row to Terraform. It is for whoever changes the table, and no part of the other tests: it needs a
/// `terraform` on the PATH.
#[test]
fn terraform_gives_the_same() {
    if std::env::var("WGFORM_TERRAFORM").is_err() {
        println!("nothing is compared with Terraform: `WGFORM_TERRAFORM=1` does it");
        return;
    }
    let all: Vec<Row> = tables().iter().flat_map(|path| rows(path).0).collect();
    let said = Terraform::new(&all).results(&all);
    let mut wrong = Vec::new();
    for (row, said) in all.iter().zip(said) {
        let wanted = row.terraform.as_ref().unwrap_or(&row.result);
        let wanted = if wanted.starts_with("error") { "error" } else { wanted };
        if wanted != "anything" && said != wanted {
            wrong.push(format!("{}\n    {said}, and in the table {wanted}", row.expression));
        }
    }
    assert!(wrong.is_empty(), "Terraform says otherwise:\n{}", wrong.join("\n"));
}

/// Returns what an expression gives here.
fn result(expression: &str) -> String {
    let case = Case::new(&format!(
        "variable \"secret\" {{\n  sensitive = true\n  default = \"hunter2\"\n}}\n\
         interface \"hub\" {{}}\nlocals {{\n  unknown = interface.hub.public_key\n  template = \"$\\{{name}}\"\n  value = {expression}\n}}\n\
         output \"x\" {{\n  sensitive = true\n  value = jsonencode(local.value)\n}}\n"
    ).replace("$\\{", "$${"))
    .env("HOME", "/home/somebody")
    .directory(files());
    let (config, problems) = case.parse();
    let world = case.world();
    let problems = crate::config::Evaluator::new(&config, &world).problems(problems);
    if let Some(problem) = problems.first() {
        let label = &problem.labels[0];
        let at = label.span.source.text[label.span.range.clone()].lines().next();
        assert!(!shown(&problems).contains("hunter2"), "{expression}");
        return format!("error: `{}`: {}", at.unwrap_or_default(), label.text);
    }
    match case.output("x").as_str() {
        "unknown" => "unknown".to_owned(),
        json => serde_json::from_str(json).unwrap(),
    }
}

fn tables() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/functions");
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut tables: Vec<_> =
        paths.filter(|it| it.extension().is_some_and(|it| it == "txt")).collect();
    tables.sort();
    assert!(tables.len() > 3, "{tables:?}");
    tables
}

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/functions/files")
}

/// Reads the rows of a table, and what follows the last one.
fn rows(path: &Path) -> (Vec<Row>, String) {
    let (mut rows, mut before, mut expression) = (Vec::new(), String::new(), String::new());
    for line in std::fs::read_to_string(path).unwrap().lines() {
        if expression.is_empty() && (line.is_empty() || line.starts_with('#')) {
            before += &format!("{line}\n");
            continue;
        }
        let Some((last, result)) = line.rsplit_once("→ ") else {
            expression += &format!("{line}\n");
            continue;
        };
        expression += last.strip_suffix(' ').unwrap_or(last);
        let (result, terraform) = match result.rsplit_once(" ≠ ") {
            Some((result, terraform)) => (result, Some(terraform.to_owned())),
            None => (result, None),
        };
        rows.push(Row {
            before: std::mem::take(&mut before),
            expression: std::mem::take(&mut expression),
            result: result.to_owned(),
            terraform,
        });
    }
    assert!(expression.is_empty(), "{}: no result of {expression}", path.display());
    (rows, before)
}

/// A configuration with a local value for each row.
struct Terraform {
    directory: tempfile::TempDir,
}

impl Terraform {
    fn new(rows: &[Row]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let it = Self { directory };
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(files().join(".")).arg(it.directory.path());
        assert!(copy.status().unwrap().success());
        it.write("base.tf", "variable \"secret\" {\n  sensitive = true\n  default = \"hunter2\"\n}\nresource \"terraform_data\" \"u\" {}\nlocals {\n  unknown = terraform_data.u.id\n  template = \"$${name}\"\n}\n");
        for (i, row) in rows.iter().enumerate() {
            let expression = &row.expression;
            it.write(&format!("row_{i}.tf"), &format!("locals {{\n  row_{i} = {expression}\n}}\n"));
        }
        it
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    /// Returns the results as the table spells them, errors without their text. Few processes do it, for they are slow:
    /// one or two find all errors, and one more evaluates all that is left.
    fn results(&self, rows: &[Row]) -> Vec<String> {
        let mut said = vec!["error".to_owned(); rows.len()];
        let mut sound: BTreeSet<usize> = (0..rows.len()).collect();
        // What is wrong before anything is evaluated hides the rest.
        loop {
            let faulty = self.faulty();
            if faulty.is_empty() {
                break;
            }
            for i in faulty {
                assert!(sound.remove(&i), "row {i} is gone and still said to be wrong");
                std::fs::remove_file(self.directory.path().join(format!("row_{i}.tf"))).unwrap();
            }
        }
        // Base64 has nothing in it that the console would write in another way.
        let entry = |i: &usize| {
            let json = format!("nonsensitive(jsonencode(local.row_{i}))");
            format!("\"{i}\", try(base64encode({json}), \"error\")")
        };
        let all: Vec<_> = sound.iter().map(entry).collect();
        let (text, errors) = self.console(&format!("[{}]", all.join(", ")));
        let lines: Vec<_> = text.lines().map(|line| line.trim_matches([' ', ',', '"'])).collect();
        let (entries, []) = lines[1..lines.len() - 1].as_chunks::<2>() else {
            panic!("{text}{errors}");
        };
        assert_eq!(entries.len(), sound.len(), "{text}{errors}");
        for [i, result] in entries {
            said[i.parse::<usize>().unwrap()] = match *result {
                "(known after apply)" => "unknown".to_owned(),
                "error" => "error".to_owned(),
                base64 => String::from_utf8(STANDARD.decode(base64).unwrap()).unwrap(),
            };
        }
        said
    }

    /// Finds the rows that are errors: Terraform names the file of each.
    fn faulty(&self) -> BTreeSet<usize> {
        let (_, errors) = self.console("1");
        let marks = errors.split("on row_").skip(1);
        marks.filter_map(|it| it.split_once(".tf")?.0.parse().ok()).collect()
    }

    fn console(&self, expression: &str) -> (String, String) {
        use std::io::Write as _;
        let mut child = Command::new("terraform")
            .args(["console", "-no-color"])
            .current_dir(self.directory.path())
            .env("TF_CLI_CONFIG_FILE", "/dev/null")
            .env("CHECKPOINT_DISABLE", "1")
            .env("HOME", "/home/somebody")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(format!("{expression}\n").as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    }
}
