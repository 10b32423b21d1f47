//! The files that the program writes itself: they are as the program writes them now, and the schemas take what they
//! describe and refuse what they do not.

#![expect(clippy::disallowed_methods, reason = "the tests read and write files of the tree")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Validator;
use regex::Regex;
use serde_json::{Value as Json, json};

use crate::harness::Project;

/// What `wgform schema` prints, and where it is kept.
const GENERATED: &[(&str, &str)] = &[
    ("language", "schema/language.schema.json"),
    ("state", "schema/state.schema.json"),
    ("plan", "schema/plan.schema.json"),
    ("sealed", "schema/sealed.schema.json"),
    ("events", "schema/events.schema.json"),
    ("shown-state", "schema/shown-state.schema.json"),
    ("shown-plan", "schema/shown-plan.schema.json"),
    ("summary", "schema/summary.schema.json"),
    ("validation", "schema/validation.schema.json"),
    ("reference", "docs/reference.md"),
    ("lint", "docs/lint.md"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn printed(subject: &str) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_wgform"));
    let output = program.args(["schema", subject]).output().unwrap();
    assert!(output.status.success(), "{subject}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn schema(subject: &str) -> Validator {
    jsonschema::validator_for(&serde_json::from_str(&printed(subject)).unwrap()).unwrap()
}

fn errors(schema: &Validator, document: &Json) -> Vec<String> {
    schema.iter_errors(document).map(|error| error.to_string()).collect()
}

#[test]
fn generated_files_are_as_the_program_writes_them() {
    for (subject, file) in GENERATED {
        let (path, text) = (root().join(file), printed(subject));
        if std::env::var("WGFORM_BLESS").is_ok() {
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(text == kept, "{file} is not fresh: WGFORM_BLESS=1 writes it anew, for review");
    }
}

#[test]
fn a_saved_plan_is_what_the_schema_says() {
    let project = Project::of_example("quickstart");
    project.run("plan -out=first").ends(0);
    project.run("apply -auto-approve").ends(0);
    project.run("plan -destroy -out=last").ends(0);
    let schema = schema("plan");
    for name in ["first", "last"] {
        let text = std::fs::read_to_string(project.path().join(name)).unwrap();
        let plan: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(errors(&schema, &plan), Vec::<String>::new(), "{name}");
        for (pointer, wrong) in [
            ("/version", json!(2)),
            ("/kind", json!("state")),
            ("/checksum", json!("x")),
            ("/plan/serial", json!(-1)),
            ("/plan/changes/0/action", json!("paint")),
        ] {
            let mut plan = plan.clone();
            *plan.pointer_mut(pointer).expect(pointer) = wrong;
            assert_ne!(errors(&schema, &plan), Vec::<String>::new(), "{pointer}");
        }
    }
}

#[cfg(feature = "age")]
#[test]
fn what_is_sealed_is_what_the_schema_says() {
    use age::secrecy::ExposeSecret as _;

    let identity = age::x25519::Identity::generate();
    let key = identity.to_string().expose_secret().to_owned();
    let recipient = identity.to_public().to_string();
    let project = Project::of_example("quickstart");
    for arguments in ["plan -out=sealed", "apply -auto-approve"] {
        let keys = [("WGFORM_AGE_IDENTITY", &key), ("WGFORM_AGE_RECIPIENTS", &recipient)];
        let output = project.command(arguments).envs(keys).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let schema = schema("sealed");
    for (name, own) in [("sealed", "/kind"), ("wgform.state.json", "/lineage")] {
        let text = std::fs::read_to_string(project.path().join(name)).unwrap();
        let document: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(errors(&schema, &document), Vec::<String>::new(), "{name}");
        for pointer in ["/version", "/sealed", "/content", own] {
            let mut document = document.clone();
            *document.pointer_mut(pointer).expect(pointer) = json!(-1);
            assert_ne!(errors(&schema, &document), Vec::<String>::new(), "{name} {pointer}");
        }
    }
}

#[test]
fn every_state_fixture_is_what_the_schema_says() {
    let schema = schema("state");
    let text = std::fs::read_to_string(root().join("testdata/state/format-1.json")).unwrap();
    let mut state: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(errors(&schema, &state), Vec::<String>::new());
    state["a_later_field"] = json!(1);
    assert_eq!(errors(&schema, &state), Vec::<String>::new(), "a later version may add fields");
    for (pointer, wrong) in [
        ("/version", json!(2)),
        ("/serial", json!(-1)),
        ("/resources/interface.hq/object/type", json!("tunnel")),
        ("/resources/interface.hq/prevent_destroy", json!("yes")),
        ("/backends/hq/identity", Json::Null),
    ] {
        let mut state = state.clone();
        *state.pointer_mut(pointer).expect(pointer) = wrong;
        assert_ne!(errors(&schema, &state), Vec::<String>::new(), "{pointer}");
    }
}

#[test]
fn what_validate_prints_is_what_the_schema_says() {
    let schema = schema("validation");
    for (configuration, code) in [
        ("interface \"a\" {}\n", 0),
        ("interface \"a\" {\n  mtuu = 1\n}\ninterface \"a\" {}\n", 1),
        ("interface \"a\" {\n", 1),
    ] {
        let ran = Project::new(configuration).run("validate -json");
        let document: Json = serde_json::from_str(&ran.ends(code).stdout).unwrap();
        assert_eq!(errors(&schema, &document), Vec::<String>::new(), "{document:#}");
    }
    assert_ne!(errors(&schema, &json!({ "valid": true })), Vec::<String>::new());
}

#[test]
fn every_configuration_of_the_tree_is_what_the_schema_says() {
    let schema = schema("language");
    let names = Regex::new("«[^»]*»").unwrap();
    let key = "B".repeat(43) + "=";
    let mut checked = 0;
    for file in configurations() {
        let text = std::fs::read_to_string(&file).unwrap();
        // The scenarios write a name between these for a key that is made up from it.
        let text = names.replace_all(&text, &*key);
        let document: Json = hcl::from_str(&text).unwrap();
        assert_eq!(errors(&schema, &document), Vec::<String>::new(), "{}", file.display());
        checked += 1;
    }
    assert!(checked > 5, "{checked}");
}

#[test]
fn the_schema_of_the_language_refuses_what_validate_refuses() {
    let schema = schema("language");
    for wrong in [
        r#"interface "a" { listen_prt = 1 }"#,
        r#"interface "a" { listen_port = 70000 }"#,
        r#"interface "a" { public_key = "x" }"#,
        r#"interface "a" { unmanaged_peers = "wran" }"#,
        r#"interface "a" { addresses = "10.0.0.1/24" }"#,
        r#"peer "a" { allowed_ips = [] }"#,
        r#"peer "a" { interface = "hub" }"#,
        r#"backend "locl" "a" {}"#,
        r#"variable "a" { sensitive = "yes" }"#,
        "wgform {\n  state \"s3\" {}\n}",
        r#"output "a" {}"#,
        "tunnel {}",
    ] {
        let document: Json = hcl::from_str(wrong).unwrap();
        Project::new(wrong).run("validate").ends(1);
        assert_ne!(errors(&schema, &document), Vec::<String>::new(), "{wrong}");
    }
}

/// The configurations that are meant to be right.
fn configurations() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join("examples"), root().join("testdata/scenarios")];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            match path.is_dir() {
                true if !name.starts_with('.') => open.push(path),
                false if name.ends_with(".wg.hcl") => found.push(path),
                _ => {}
            }
        }
    }
    found
}
