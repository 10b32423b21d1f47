//! The document of `validate -json`, whole, as the built program prints it.

#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use serde_json::{Value as Json, json};

use crate::harness::Project;

/// Runs the program, and returns its document and how it ended. There is nothing but the document.
fn document(project: &Project, arguments: &str) -> (Json, Option<i32>) {
    let ran = project.run(arguments);
    assert_eq!(ran.stderr, "", "{arguments}");
    (serde_json::from_str(&ran.stdout).unwrap(), ran.code)
}

#[test]
fn a_valid_configuration_may_have_warnings() {
    let project = Project::new("interface \"hub\" {}\n");
    let nothing = json!({
        "format_version": "1.1", "valid": true, "error_count": 0, "warning_count": 0, "diagnostics": []
    });
    assert_eq!(document(&project, "validate -json"), (nothing, Some(0)));

    project.add("wgform.wgvars.hcl", "regoin = \"eu\"\n");
    project.configure(
        "variable \"region\" {\n  default = \"us\"\n}\noutput \"region\" {\n  value = var.region\n}\n",
    );
    let warned = json!({
        "format_version": "1.1", "valid": true, "error_count": 0, "warning_count": 1,
        "diagnostics": [{
            "severity": "warning",
            "summary": "value for an unknown variable",
            "detail": "There is no `variable \"regoin\"`. Did you mean `region`?",
            "range": {
                "filename": "wgform.wgvars.hcl",
                "start": { "line": 1, "column": 1, "byte": 0 },
                "end": { "line": 1, "column": 7, "byte": 6 },
            },
            "snippet": {
                "context": null,
                "code": "regoin = ********",
                "start_line": 1,
                "highlight_start_offset": 0,
                "highlight_end_offset": 6,
                "values": [],
            },
        }],
    });
    assert_eq!(document(&project, "validate -json"), (warned, Some(0)));
}

#[test]
fn what_breaks_a_rule_has_its_code() {
    let project = Project::new("locals {\n  a = 1\n}\n");
    let (found, _) = document(&project, "validate -json");
    assert_eq!(found["diagnostics"][0]["code"], "unused-local");
    project.configure("locals {\n  a = 1 # wgform:ignore=unused-local for later\n}\n");
    assert_eq!(document(&project, "validate -json").0["warning_count"], 0);
}

#[test]
fn an_error_has_its_range_its_lines_and_its_other_places() {
    let project = Project::new(
        "interface \"hub\" {\n  description = \"👩\u{200d}🚀é\" + \"x\"\n}\n\ninterface \"hub\" {\n}\n",
    );
    let hub = |line: u32, byte: u32| {
        (
            json!({
                "filename": "main.wg.hcl",
                "start": { "line": line, "column": 1, "byte": byte },
                "end": { "line": line, "column": 16, "byte": byte + 15 },
            }),
            json!({
                "context": "interface \"hub\"",
                "code": "interface \"hub\" {",
                "start_line": line,
                "highlight_start_offset": 0,
                "highlight_end_offset": 15,
                "values": [],
            }),
        )
    };
    let ((first, first_lines), (second, second_lines)) = (hub(1, 0), hub(5, 59));
    let twice = json!({
        "severity": "error",
        "summary": "name declared twice",
        "detail": "`interface.hub` is declared here again. Give one of them another name, or remove it.",
        "range": second,
        "snippet": second_lines,
        "related": [{
            "detail": "It is declared here first.",
            "range": first,
            "snippet": first_lines,
        }],
    });
    let (document, code) = document(&project, "validate -json");
    let found = document["diagnostics"].as_array().unwrap();
    assert_eq!((&document["valid"], code), (&json!(false), Some(1)));
    assert!(found.contains(&twice), "{document:#}");
    // An editor counts characters as a reader does; a program counts bytes.
    project.configure("interface \"hub\" {\n  description = \"👩\u{200d}🚀é\" + \"x\"\n}\n");
    let document = self::document(&project, "validate -json").0;
    let side = &document["diagnostics"][0];
    assert_eq!(
        side["range"],
        json!({
            "filename": "main.wg.hcl",
            "start": { "line": 2, "column": 17, "byte": 34 },
            "end": { "line": 2, "column": 21, "byte": 49 },
        })
    );
    assert_eq!(side["snippet"]["context"], "interface \"hub\"");
    let code = side["snippet"]["code"].as_str().unwrap();
    let at = |name: &str| usize::try_from(side["snippet"][name].as_u64().unwrap()).unwrap();
    let marked = &code[at("highlight_start_offset")..at("highlight_end_offset")];
    assert_eq!(marked, "\"👩🚀é\"");
}

#[test]
fn what_is_in_no_file_is_a_document_too() {
    let project = Project::new("");
    let failure = |summary: &str, detail: &str| {
        json!({
            "format_version": "1.1", "valid": false, "error_count": 1, "warning_count": 0,
            "diagnostics": [{ "severity": "error", "summary": summary, "detail": detail }],
        })
    };
    for (arguments, summary, detail) in [
        (
            "-chdir=gone validate -json",
            "there is no directory `gone`",
            "Check the path after `-chdir`.",
        ),
        (
            "validate -json -bogus",
            "unexpected argument `-bogus` found",
            "`wgform validate -help` says what there is.",
        ),
        (
            "validate -json -var-file=gone.hcl",
            "could not read `gone.hcl`",
            "No such file or directory (os error 2). Check that it is there, and that you may read it.",
        ),
    ] {
        assert_eq!(document(&project, arguments), (failure(summary, detail), Some(1)));
    }
}

#[test]
fn secrets_are_masked_and_lines_without_end_are_cut() {
    let project = Project::new(&format!(
        "interface \"hub\" {{\n  private_key = \"hunter2\" # {}\n}}\n",
        "x".repeat(100_000)
    ));
    let document = document(&project, "validate -json").0;
    let found = document["diagnostics"].as_array().unwrap();
    assert!(!found.is_empty());
    for one in found {
        let code = one["snippet"]["code"].as_str().unwrap();
        assert!(
            code.starts_with("  private_key = ******** # xxx") && code.ends_with('…'),
            "{code}"
        );
        assert!(code.len() < 1_100);
    }
    assert!(!document.to_string().contains("hunter2"));
}

#[test]
fn of_many_problems_the_first_thousand_are_told_and_all_are_counted() {
    let lines: String = (0..3_000).map(|i| format!("  x{i} = 1\n")).collect();
    let project = Project::new(&format!("interface \"hub\" {{\n{lines}}}\n"));
    let (document, code) = document(&project, "validate -json");
    assert_eq!((&document["error_count"], code), (&json!(3_000), Some(1)));
    let found = document["diagnostics"].as_array().unwrap();
    assert_eq!(found.len(), 1_000);
    // The head of a block is looked for a thousand lines up.
    let (near, far) = found.split_at(999);
    assert!(near.iter().all(|one| one["snippet"]["context"] == "interface \"hub\""));
    assert!(far[0]["snippet"]["context"].is_null());
}
