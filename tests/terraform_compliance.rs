//! What `wgform show -json PLANFILE` prints, read by a tool that was made for Terraform's plans: terraform-compliance,
//! which checks a plan against rules in words.
//!
//! `.ci/run` installs it, in the version of `.ci/terraform-compliance.txt`. Elsewhere it is looked for by its name.

#![expect(clippy::disallowed_methods, reason = "these tests run programs and look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod harness;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;

use crate::harness::Project;

/// Checks a plan against the rules of one file, and returns what is said about it and whether they hold; nothing where the
/// tool is missing, which CI does not accept.
fn checked(project: &Project, plan: &str, rules: &str, test: &str) -> Option<(String, bool)> {
    let tool = env::var("TERRAFORM_COMPLIANCE").unwrap_or_else(|_| "terraform-compliance".into());
    let features = project.path().join(format!("rules-{rules}"));
    fs::create_dir_all(&features).unwrap();
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/terraform-compliance");
    let name = format!("{rules}.feature");
    fs::copy(all.join(&name), features.join(&name)).unwrap();
    let output = Command::new(tool)
        .args(["-p", plan, "-f", &format!("rules-{rules}")])
        .current_dir(project.path())
        .output();
    let Ok(output) = output else {
        let is_wanted = env::var("CI").is_ok_and(|it| it == "true");
        assert!(!is_wanted, "terraform-compliance is not installed");
        eprintln!("skipped {test}: terraform-compliance is not installed");
        return None;
    };
    let colour = Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Some((colour.replace_all(&said, "").into_owned(), output.status.success()))
}

#[test]
fn a_tool_for_terraforms_plans_reads_ours() {
    let project = Project::of_example("quickstart");
    project.run("apply -auto-approve").ends(0);
    project.edit("\"25s\"", "\"20s\"");
    project.run("plan -replace=interface.branch -out=tonight.wgplan").ends(0);
    let document = project.run("show -json tonight.wgplan").ends(0).stdout;
    project.add("plan.json", &document);
    let test = "a_tool_for_terraforms_plans_reads_ours";
    let Some((said, holds)) = checked(&project, "plan.json", "holds", test) else { return };
    assert!(holds, "{said}");
    assert!(said.contains("3 scenarios (3 passed)"), "{said}");
    // It is read and not only taken: what does not hold is found, by the address of the resource.
    let (said, holds) = checked(&project, "plan.json", "broken", test).unwrap();
    assert!(!holds, "{said}");
    assert!(said.contains("peer.hq_to_branch (peer) does not have expires_at property"), "{said}");
    assert!(said.contains("interface.branch") && said.contains("interface.hq"), "{said}");
}
