//! What the program tells other programs: the stream of `-json`, the files of reports, and the documents of `show -json`.

#![expect(clippy::disallowed_methods, reason = "these tests run programs and look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;
mod machine;

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value as Json, json};

use crate::harness::{Project, eventually};
use crate::machine::{all, is_valid, normalised, of, schema, stream};

fn applied() -> Project {
    let project = Project::of_example("quickstart");
    project.run("apply -auto-approve").ends(0);
    project
}

fn file(project: &Project, name: &str) -> String {
    fs::read_to_string(project.path().join(name)).unwrap()
}

fn document(project: &Project, name: &str) -> Json {
    serde_json::from_str(&file(project, name)).unwrap()
}

const REPORTS: &str = "-json-into=events.jsonl -markdown-into=comment.md -summary-into=summary.json \
                       -gitlab-report-into=gitlab.json";

#[test]
fn a_run_is_told_line_by_line() {
    let project = Project::of_example("quickstart");
    let plan = of(&project.run("plan -json -parallelism=1").ends(0));
    insta::assert_snapshot!("plan_of_the_quickstart", normalised(&plan));
    let apply = of(&project.run("apply -json -auto-approve -parallelism=1").ends(0));
    insta::assert_snapshot!("apply_of_the_quickstart", normalised(&apply));
    project.enter("hq").delete_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();
    project.edit("\"25s\"", "\"20s\"");
    let drift = of(&project.run("drift -json -parallelism=1").ends(2));
    insta::assert_snapshot!("drift_of_the_quickstart", normalised(&drift));
    let healed = of(&project.run("plan -json -detailed-exitcode").ends(2));
    let changed = all(&healed, "planned_change");
    assert_eq!(changed.len(), 2, "{changed:#?}");
    let destroy = of(&project.run("destroy -json -auto-approve").ends(0));
    let summary = all(&destroy, "change_summary");
    assert_eq!(summary.last().unwrap()["changes"]["operation"], "destroy");
    assert_eq!(summary.last().unwrap()["changes"]["remove"], 5);
}

#[test]
fn every_end_of_a_run_is_the_last_line() {
    let far = "backend \"local\" \"far\" {\n  netns = \"wgform-no-such-namespace\"\n}\n\
               interface \"far\" {\n  backend = backend.far\n  listen_port = 1\n}\n";
    let base = applied();
    let with = |change: &dyn Fn(&Project)| {
        let project = base.fork();
        change(&project);
        project
    };
    let changed = || with(&|it| it.edit("\"25s\"", "\"20s\""));
    let guarded = || with(&|it| it.enter("hq").set_machine_id("another").unwrap());
    let failing = || with(&|it| it.edit("\"192.0.2.2:51820\"", "\"gone.invalid:51820\""));
    for (project, arguments, code, outcome, kind) in [
        (base.fork(), "plan -json", 0, "done", None),
        (changed(), "plan -json -detailed-exitcode", 2, "changes", None),
        (changed(), "apply -json", 1, "failed", Some("declined")),
        (base.fork(), "plan -json -bogus", 1, "failed", Some("usage")),
        (base.fork(), "apply -json -lock-timeout=soon", 1, "failed", Some("usage")),
        (base.fork(), "-chdir=gone drift -json", 1, "failed", Some("usage")),
        (base.fork(), "plan -json -target=peer.nobody", 1, "failed", Some("failed")),
        (with(&|it| it.add("b.wg.hcl", "interface {")), "plan -json", 1, "failed", None),
        (with(&|it| it.add("f.wg.hcl", far)), "drift -json", 6, "unreachable", None),
        (
            with(&|it| it.add("f.wg.hcl", far)),
            "apply -json -auto-approve",
            6,
            "unreachable",
            Some("unreachable"),
        ),
        (failing(), "apply -json -auto-approve", 6, "unreachable", None),
        (guarded(), "plan -json", 8, "refused", Some("refused")),
        (guarded(), "apply -json -auto-approve", 8, "refused", Some("refused")),
    ] {
        let lines = of(&project.run(arguments).ends(code));
        assert_eq!(lines.last().unwrap()["outcome"], outcome, "{arguments}");
        let told = all(&lines, "diagnostic");
        let errors: Vec<_> = told.iter().filter(|it| it["@level"] == "error").collect();
        let failed = all(&lines, "apply_errored").len();
        assert_eq!(lines.last().unwrap()["errors"], errors.len() + failed, "{arguments}");
        if let Some(kind) = kind {
            assert!(errors.iter().any(|it| it["kind"] == kind), "{arguments}: {errors:#?}");
        }
    }
    // A new state, of which a part fails.
    let partial = Project::of_example("quickstart");
    partial.edit("\"192.0.2.2:51820\"", "\"gone.invalid:51820\"");
    let lines = of(&partial.run("apply -json -auto-approve").ends(4));
    assert_eq!(all(&lines, "apply_errored").len(), 1);
    assert_eq!(lines.last().unwrap()["applied"]["steps"]["failed"], 1);
}

#[test]
fn a_held_lock_is_told_and_an_interrupt_before_the_apply_ends_the_stream() {
    let project = applied();
    let mut holder = project.start("destroy");
    holder.wait_for("Enter a value:");
    let lines = of(&project.run("apply -json -auto-approve").ends(5));
    assert_eq!(lines.last().unwrap()["outcome"], "locked");
    let arguments = "apply -json -auto-approve -lock-timeout=10m -json-into=events.jsonl \
                     -summary-into=summary.json -markdown-into=comment.md";
    let waiting = project.start(arguments);
    eventually("it waits for the lock", || {
        fs::read_to_string(project.path().join("events.jsonl"))
            .is_ok_and(|it| it.contains("\"lock_awaited\""))
    });
    waiting.signal(Signal::INT);
    let ran = waiting.end().ends(130);
    let lines = of(&ran);
    assert_eq!(lines.last().unwrap()["outcome"], "interrupted");
    // Each of the two has a first line of its own.
    assert_eq!(stream(&file(&project, "events.jsonl"), Some(130))[1..], lines[1..]);
    assert_eq!(document(&project, "summary.json")["exit_code"], 130);
    assert!(file(&project, "comment.md").starts_with("## wgform apply: interrupted\n"));
    holder.answer("no\n");
    holder.end();
}

#[test]
fn an_interrupted_apply_ends_the_stream_with_what_was_done() {
    let mut text = String::from("backend \"local\" \"hq\" {\n  simulate = true\n}\n");
    for number in 0..300 {
        let block = "{\n  backend = backend.hq\n  name = ";
        let _ = writeln!(text, "interface \"i{number:03}\" {block}\"wg{number}\"\n}}");
    }
    let project = Project::new(&text);
    let run = project.start("apply -json -auto-approve -json-into=events.jsonl");
    eventually("a step is done", || {
        fs::read_to_string(project.path().join("events.jsonl"))
            .is_ok_and(|it| it.contains("\"apply_complete\""))
    });
    run.signal(Signal::INT);
    let ran = run.end().ends(130);
    let lines = stream(&ran.stdout, ran.code);
    let (done, not) = (all(&lines, "apply_complete").len(), all(&lines, "apply_not_started").len());
    assert_eq!(done + not, 300);
    assert!(done > 0 && not > 0, "{done}, {not}");
    assert_eq!(lines.last().unwrap()["applied"]["steps"]["not_started"], not);
}

#[test]
fn a_second_interrupt_ends_the_stream_too() {
    let project = Project::new(
        "backend \"routeros\" \"branch\" {\n  api_url      = \"https://192.168.88.1\"\n  api_user     = \"admin\"\n  \
         api_password = \"\"\n  simulate     = true\n}\n\ninterface \"branch\" {\n  backend = backend.branch\n  name    = \"wg0\"\n}\n",
    );
    project.run("plan").ends(0);
    // A router that does not answer for a minute.
    let rules = project.path().join(".wgform/simulated/branch.faults.json");
    fs::write(rules, r#"[{"method": "PUT", "fault": {"latency": 60000}}]"#).unwrap();
    let reports = "-json-into=events.jsonl -summary-into=summary.json";
    let mut run = project.start(&format!("apply -json -auto-approve {reports}"));
    eventually("a step is under way", || {
        fs::read_to_string(project.path().join("events.jsonl"))
            .is_ok_and(|it| it.contains("\"apply_start\""))
    });
    run.signal(Signal::INT);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(!run.is_over(), "it waits for the router");
    run.signal(Signal::INT);
    let ran = run.end().ends(130).tells("Interrupted again");
    let lines = stream(&ran.stdout, Some(130));
    assert_eq!(lines.last().unwrap()["outcome"], "interrupted");
    assert_eq!(lines.last().unwrap()["exit_code"], 130);
    assert_eq!(stream(&file(&project, "events.jsonl"), Some(130))[1..], lines[1..]);
    assert_eq!(document(&project, "summary.json")["exit_code"], 130);
}

#[test]
fn a_reader_that_goes_away_does_not_stop_an_apply() {
    let project = Project::of_example("quickstart");
    let mut child = project.command("apply -json -auto-approve").spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    project.run("plan -detailed-exitcode").ends(0);
    // What nobody can read in the stream is said on stderr.
    let mut child = project.command("plan -json -target=peer.nobody").spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("peer.nobody"));
}

#[test]
fn the_stream_is_written_as_the_run_goes() {
    let project = applied();
    let mut holder = project.start("destroy");
    holder.wait_for("Enter a value:");
    let mut child = project
        .command("apply -json -auto-approve -lock-timeout=10m")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut text = String::new();
    while !text.contains("\"lock_awaited\"") {
        let mut bytes = [0; 4_096];
        let count = stdout.read(&mut bytes).unwrap();
        assert!(count > 0, "{text}");
        text += std::str::from_utf8(&bytes[..count]).unwrap();
    }
    holder.answer("no\n");
    holder.end();
    stdout.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    stream(&text, Some(0));
}

#[test]
fn reports_are_written_beside_the_human_text() {
    let project = Project::of_example("quickstart");
    let ran = project.run(&format!("plan {REPORTS}")).ends(0);
    let ran = ran.says("Plan: 5 to add, 0 to change, 0 to destroy");
    let lines = stream(&file(&project, "events.jsonl"), ran.code);
    assert_eq!(all(&lines, "planned_change").len(), 5);
    is_valid(&schema("summary"), &document(&project, "summary.json"));
    assert_eq!(document(&project, "summary.json")["planned"]["changes"]["create"], 5);
    assert_eq!(file(&project, "gitlab.json"), "{\"create\":5,\"delete\":0,\"update\":0}\n");
    insta::assert_snapshot!("comment_of_the_quickstart", file(&project, "comment.md"));
    assert_eq!(project.left_over(), Vec::<String>::new());
    // The reports of the run before give way.
    project.run(&format!("apply -auto-approve {REPORTS}")).ends(0).says("Apply complete.");
    let summary = document(&project, "summary.json");
    assert_eq!((&summary["operation"], &summary["applied"]["added"]), (&json!("apply"), &json!(5)));
    assert!(file(&project, "comment.md").starts_with("## wgform apply: 5 added, 0 changed, 0 des"));
    // A replacement is one that is made and one that goes, as GitLab counts.
    project.edit("\"25s\"", "\"20s\"");
    project.run(&format!("plan -replace=interface.branch {REPORTS}")).ends(0);
    let counts = document(&project, "summary.json")["planned"]["changes"].clone();
    let gitlab = document(&project, "gitlab.json");
    let number = |json: &Json| json.as_u64().unwrap();
    assert!(number(&counts["replace"]) > 0, "{counts}");
    assert_eq!(number(&gitlab["create"]), number(&counts["create"]) + number(&counts["replace"]));
    assert_eq!(number(&gitlab["delete"]), number(&counts["delete"]) + number(&counts["replace"]));
    assert_eq!(gitlab["update"], counts["update"]);
}

#[test]
fn reports_are_written_of_a_run_that_fails_or_is_refused() {
    let project = applied();
    project.enter("hq").set_machine_id("another").unwrap();
    project.run(&format!("apply -auto-approve {REPORTS}")).ends(8).tells("Refused: ");
    stream(&file(&project, "events.jsonl"), Some(8));
    let summary = document(&project, "summary.json");
    assert_eq!((&summary["outcome"], &summary["refusals"]), (&json!("refused"), &json!(1)));
    let comment = file(&project, "comment.md");
    assert!(
        comment.contains("### Refused\n\n```text\nbackend `hq` is another system"),
        "{comment}"
    );
    assert!(comment.ends_with("Exit code 8 (refused).\n"), "{comment}");
    project.add("broken.wg.hcl", "interface {");
    project.run(&format!("drift {REPORTS}")).ends(1);
    let comment = file(&project, "comment.md");
    assert!(
        comment.starts_with("## wgform drift: failed\n\n### Errors\n\n```text\nbroken.wg.hcl:1")
    );
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_is_done() {
    let project = Project::of_example("quickstart");
    fs::create_dir(project.path().join("directory")).unwrap();
    for (flags, message) in [
        ("-summary-into=gone/summary.json", "could not write `gone/summary.json`"),
        ("-markdown-into=directory", "could not write `directory`"),
        ("-json-into=gone/events.jsonl", "could not write `gone/events.jsonl`"),
        ("-json-into=a.json -summary-into=a.json", "`-json-into` names the same file"),
        ("-metrics-into=./m -markdown-into=m", "`-metrics-into` names the same file"),
        ("-metrics-into=gone/m", "could not write the metrics into `gone/m`"),
    ] {
        let ran = project.run(&format!("apply -auto-approve {flags}")).ends(1);
        assert!(ran.stderr.contains(message), "{ran}");
        assert!(!project.path().join("wgform.state.json").exists(), "{flags}");
        let lines = of(&project.run(&format!("apply -json -auto-approve {flags}")).ends(1));
        assert!(lines.last().unwrap()["errors"] == 1, "{flags}");
    }
    assert_eq!(project.left_over(), Vec::<String>::new());
    // What goes wrong afterwards is told, and what was applied stays applied.
    let reports = project.path().join("reports");
    fs::create_dir(&reports).unwrap();
    let mut run =
        project.start("apply -summary-into=reports/summary.json -json-into=reports/e.jsonl");
    run.wait_for("Enter a value:");
    fs::set_permissions(&reports, fs::Permissions::from_mode(0o500)).unwrap();
    fs::rename(&reports, project.path().join("moved")).unwrap();
    run.answer("yes\n");
    let ran = run.end().ends(1);
    ran.says("Apply complete.").tells("could not write").tells("reports/summary.json");
    stream(&file(&project, "moved/e.jsonl"), Some(1));
    fs::set_permissions(project.path().join("moved"), fs::Permissions::from_mode(0o700)).unwrap();
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn nobody_is_asked_with_json() {
    let project = Project::of_example("quickstart");
    let ran = project.run_with("apply -json", "yes\n").ends(1);
    let lines = of(&ran);
    let told = all(&lines, "diagnostic");
    assert_eq!(
        told.last().unwrap()["diagnostic"]["detail"],
        "To go ahead without a question, say `-auto-approve`."
    );
    assert_eq!(project.names().iter().filter(|it| *it == "wgform.state.json").count(), 0);
}

const SECRETS: &str = r#"
variable "psk" {
  sensitive = true
}
variable "note" {
  sensitive = true
}
backend "local" "hq" {
  simulate = true
}
interface "hub" {
  backend     = backend.hq
  name        = "wg0"
  private_key = "«key»"
}
peer "a" {
  interface     = interface.hub
  public_key    = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
  preshared_key = var.psk
  allowed_ips   = ["10.0.0.2/32"]
}
output "note" {
  value     = var.note
  sensitive = true
}
"#;

#[test]
fn no_secret_is_in_any_of_it() {
    let (private, psk, other) = (
        "eHl6enkxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1NkE=",
        "cHNrcHNrcHNrcHNrcHNrcHNrcHNrcHNrcHNrcHNrMTI=",
        "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyMTI=",
    );
    let project = Project::new(&SECRETS.replace("«key»", private));
    let mut said = String::new();
    for (psk, command) in [
        (psk, "plan"),
        (psk, "plan -json"),
        (psk, "apply -auto-approve"),
        (other, "plan"),
        (other, "plan -json"),
        (other, "apply -auto-approve -json"),
        (other, "drift -json"),
    ] {
        let command = format!("{command} -var psk={psk} -var note=hunter22 {REPORTS}");
        let ran = project.run(&command).ends(0);
        said += &(ran.stdout + &ran.stderr);
        for name in ["events.jsonl", "comment.md", "summary.json", "gitlab.json"] {
            said += &file(&project, name);
        }
    }
    said += &project.run("show -json").ends(0).stdout;
    for secret in [private, psk, other, "hunter22"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    // That a pre-shared key changed can be told from its fingerprints.
    let lines: Vec<Json> =
        said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let changes = all(&lines, "planned_change");
    let rekeyed = changes.iter().find(|it| it["change"]["action"] == "update").unwrap();
    let change = &rekeyed["change"];
    assert_ne!(change["before"]["preshared_key"], change["after"]["preshared_key"]);
    assert!(change["after"]["preshared_key"].as_str().unwrap().starts_with("fp1:"));
    assert_eq!(change["after_sensitive"], json!({ "preshared_key": true }));
}

#[test]
fn nothing_in_a_value_gets_out_of_a_comment() {
    let project = Project::new(
        r#"
backend "local" "hq" {
  simulate = true
}
interface "hub" {
  backend = backend.hq
  name    = "wg0"
}
peer "rw" {
  for_each    = { "</code></summary><img src=x> @everyone ``` #1" = "10.0.0.2/32" }
  interface   = interface.hub
  public_key  = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
  description = "````</details>\n```\n<script>"
  allowed_ips = [each.value]
}
"#,
    );
    project.run("plan -markdown-into=comment.md").ends(0);
    let comment = file(&project, "comment.md");
    let mut fence: Option<usize> = None;
    for line in comment.lines() {
        let ticks = line.chars().take_while(|c| *c == '`').count();
        match fence {
            Some(open) if ticks >= open && line.len() == ticks => fence = None,
            Some(_) => {}
            None if ticks >= 3 => fence = Some(ticks),
            None => {
                let known = ["Digest of", "<details><summary>", "</details>", "##", "Exit code"];
                let is_known = line.is_empty() || known.iter().any(|it| line.starts_with(it));
                assert!(is_known, "{line}");
                assert!(!line.contains("<img") && line.matches("</code>").count() <= 1, "{line}");
            }
        }
    }
    assert_eq!(fence, None, "{comment}");
}

#[test]
fn a_comment_of_thousands_of_changes_is_cut_and_the_stream_is_not() {
    let project = Project::new(
        r#"
locals {
  numbers = flatten([for a in range(40) : [for b in range(50) : 50 * a + b]])
}
backend "local" "hq" {
  simulate = true
}
interface "hub" {
  backend = backend.hq
  name    = "wg0"
}
peer "rw" {
  for_each    = { for n in local.numbers : format("p%04d", n) => n }
  interface   = interface.hub
  public_key  = sha256("x") == "" ? null : base64encode(substr(sha256(each.key), 0, 32))
  allowed_ips = [cidrsubnet("10.0.0.0/8", 24, each.value + 1)]
}
"#,
    );
    let ran = project.run(&format!("plan {REPORTS}")).ends(0);
    let lines = stream(&file(&project, "events.jsonl"), ran.code);
    assert_eq!(all(&lines, "planned_change").len(), 2_001);
    let comment = file(&project, "comment.md");
    assert!(comment.len() < 65_536, "{}", comment.len());
    assert_eq!(comment.matches("</details>").count(), comment.matches("<details>").count());
    let shown = comment.matches("<details><summary><code>").count();
    assert!(shown > 50, "{shown}");
    let left = format!("**{} more changes left out**", 2_001 - shown);
    assert!(comment.contains(&left), "no `{left}`");
}

#[test]
fn what_validate_finds_is_a_report_of_code_quality() {
    let project = Project::new("locals {\n  a = 1\n}\n");
    let report = || document(&project, "quality.json");
    project.run("validate -codequality-into=quality.json").ends(0);
    assert_eq!(report()[0]["check_name"], "unused-local");
    assert_eq!(report()[0]["severity"], "minor");
    assert_eq!(report()[0]["location"], json!({ "path": "main.wg.hcl", "lines": { "begin": 2 } }));
    project.configure("interface \"hub\" {\n  mtuu = 1\n}\n");
    project.run("validate -json -codequality-into=quality.json").ends(1);
    assert_eq!(report()[0]["severity"], "critical");
    assert_eq!(report()[0]["location"]["lines"]["begin"], 2);
    project.configure("interface \"hub\" {}\n");
    project.run("validate -codequality-into=quality.json").ends(0);
    assert_eq!(report(), json!([]));
    let above = Project::new("");
    fs::create_dir(above.path().join("site")).unwrap();
    above.add("site/main.wg.hcl", "locals {\n  a = 1\n}\n");
    above.run("-chdir=site validate -codequality-into=quality.json").ends(0);
    let found = document(&above, "site/quality.json");
    assert_eq!(found[0]["location"]["path"], "site/main.wg.hcl");
    assert_eq!(found[0]["fingerprint"].as_str().unwrap().len(), 64);
}

#[test]
fn a_state_is_shown_in_terraforms_shape() {
    let new = Project::new("interface \"hub\" {}\n");
    let empty: Json = serde_json::from_str(&new.run("show -json").ends(0).stdout).unwrap();
    is_valid(&schema("shown-state"), &empty);
    assert_eq!(empty.get("values"), None);
    let project = applied();
    let state: Json = serde_json::from_str(&project.run("show -json").ends(0).stdout).unwrap();
    is_valid(&schema("shown-state"), &state);
    assert_eq!(state["format_version"], "1.0");
    let resources = state["values"]["root_module"]["resources"].as_array().unwrap();
    let addresses: Vec<_> = resources.iter().map(|it| it["address"].as_str().unwrap()).collect();
    assert_eq!(
        addresses,
        [
            "interface.branch",
            "interface.hq",
            "peer.branch_to_hq",
            "peer.hq_to_branch",
            "preshared_key.tunnel"
        ]
    );
    let hq = &resources[1];
    assert_eq!(hq["values"]["listen_port"], 51_820);
    assert_eq!(hq["provider_name"], "wgform/local");
    assert_eq!(resources[2]["sensitive_values"], json!({ "preshared_key": true }));
    let part: Json =
        serde_json::from_str(&project.run("show -json peer.branch_to_hq").ends(0).stdout).unwrap();
    assert_eq!(part["values"]["root_module"]["resources"].as_array().unwrap().len(), 1);
}

#[test]
fn a_saved_plan_is_shown_in_terraforms_shape() {
    let project = applied();
    project.edit("\"25s\"", "\"20s\"");
    project.enter("hq").delete_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();
    project.run("plan -replace=interface.branch -out=a.wgplan").ends(0);
    let plan: Json =
        serde_json::from_str(&project.run("show -json a.wgplan").ends(0).stdout).unwrap();
    is_valid(&schema("shown-plan"), &plan);
    let change = |address: &str| {
        let all = plan["resource_changes"].as_array().unwrap();
        all.iter().find(|it| it["address"] == address).unwrap().clone()
    };
    let replaced = change("interface.branch");
    assert_eq!(replaced["change"]["actions"], json!(["delete", "create"]));
    assert_eq!(replaced["action_reason"], "replace_by_request");
    let updated = change("peer.hq_to_branch");
    let sides = |it: &Json| (it["before"].clone(), it["after"].clone());
    let (before, after) = sides(&updated["change"]);
    assert_eq!(before["persistent_keepalive"], "25s");
    assert_eq!(after["persistent_keepalive"], "20s");
    assert_eq!(before["endpoint"], after["endpoint"]);
    assert_eq!(change("preshared_key.tunnel")["change"]["actions"], json!(["no-op"]));
    // What is drift has what was applied before and what is there after.
    let drift = &plan["resource_drift"][0];
    assert_eq!(drift["address"], "interface.hq");
    let (before, after) = sides(&drift["change"]);
    assert_eq!(before["addresses"], json!(["10.8.0.1/24", "fd00:8::1/64"]));
    assert_eq!(after["addresses"], json!(["fd00:8::1/64"]));
    let planned = plan["planned_values"]["root_module"]["resources"].as_array().unwrap();
    assert_eq!(planned.len(), 5);
    // It can be shown without its state too, and then has only what changes.
    let elsewhere = Project::new("");
    fs::copy(project.path().join("a.wgplan"), elsewhere.path().join("a.wgplan")).unwrap();
    let bare: Json =
        serde_json::from_str(&elsewhere.run("show -json a.wgplan").ends(0).stdout).unwrap();
    is_valid(&schema("shown-plan"), &bare);
    let all = bare["resource_changes"].as_array().unwrap();
    assert!(all.iter().all(|it| it["change"]["actions"] != json!(["no-op"])));
    assert_eq!(bare["resource_drift"], plan["resource_drift"]);
    // Its apply is told as any other, and asks nobody.
    let lines = of(&project.run("apply -json a.wgplan").ends(0));
    assert_eq!(lines.last().unwrap()["digest"], plan["digest"]);
    let stale = of(&project.run("apply -json a.wgplan").ends(7));
    assert_eq!(all_errors(&stale), ["stale"]);
}

fn all_errors(lines: &[Json]) -> Vec<&str> {
    let told = all(lines, "diagnostic");
    told.iter().filter_map(|it| it["kind"].as_str()).collect()
}

/// The examples of the documentation are for a shell with jq.
#[test]
fn the_examples_of_the_documentation_run() {
    if std::process::Command::new("jq").arg("--version").output().is_err() {
        assert!(!std::env::var("CI").is_ok_and(|it| it == "true"), "jq is not installed");
        return note("skipped the_examples_of_the_documentation_run: jq is not installed");
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/machine-output.md")).unwrap();
    let project = applied();
    project.edit("\"25s\"", "\"20s\"");
    project.enter("hq").delete_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();
    let mut said = String::new();
    let blocks = page.split("```sh\n").skip(1).map(|it| it.split("```").next().unwrap());
    for block in blocks {
        let script = format!("wgform() {{ \"$PROGRAM\" \"$@\"; }}\n{block}");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-euc", &script]).current_dir(project.path());
        let output = shell.env("PROGRAM", crate::harness::program()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{block}\n{stderr}");
        said += &String::from_utf8_lossy(&output.stdout);
    }
    for expected in [
        "update peer.hq_to_branch\n",
        "[\"peer.hq_to_branch\",\"persistent_keepalive\"]\n",
        "\ninterface.hq\n",
        "\"outcome\": \"changes\"",
        "\"kept\": 0",
        "\npreshared_key.tunnel\n",
    ] {
        assert!(said.contains(expected), "no {expected} in {said}");
    }
    assert!(
        fs::read_to_string(project.path().join("comment.md"))
            .unwrap()
            .starts_with("## wgform plan: ")
    );
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn note(text: &str) {
    eprintln!("{text}");
}

#[test]
fn no_report_takes_the_place_of_something_else() {
    let project = Project::of_example("quickstart");
    project.run("apply -auto-approve").ends(0);
    let state = file(&project, "wgform.state.json");
    let configuration = file(&project, "main.wg.hcl");
    for flag in ["-json-into", "-markdown-into", "-summary-into", "-gitlab-report-into"] {
        for victim in ["wgform.state.json", "main.wg.hcl"] {
            project.run(&format!("plan {flag}={victim}")).ends(1).tells("could not write");
        }
        // The report of an earlier run is no loss.
        project.run(&format!("plan {flag}=report")).ends(0);
        project.run(&format!("plan {flag}=report")).ends(0);
        std::fs::remove_file(project.path().join("report")).unwrap();
    }
    project.run("validate -codequality-into=wgform.state.json").ends(1);
    for command in ["drift", "apply"] {
        project.run(&format!("{command} -metrics-into=wgform.state.json")).ends(1);
        project.run(&format!("{command} -metrics-into=metrics.prom")).ends(0);
        project.run(&format!("{command} -metrics-into=metrics.prom")).ends(0);
    }
    assert_eq!(file(&project, "wgform.state.json"), state);
    assert_eq!(file(&project, "main.wg.hcl"), configuration);
}

#[test]
fn what_a_run_makes_itself_is_not_written_over_by_its_reports() {
    // With nothing there yet, only the name says what would be lost.
    let flags =
        ["-json-into", "-markdown-into", "-summary-into", "-gitlab-report-into", "-metrics-into"];
    let project = Project::of_example("quickstart");
    let configuration = file(&project, "main.wg.hcl");
    for victim in
        ["wgform.state.json", "wgform.state.json.journal", "errored.wgform.json", ".wgform/x"]
    {
        for flag in flags {
            let ran = project.run(&format!("apply -auto-approve {flag}={victim}")).ends(1);
            ran.tells("wgform keeps the state under that name").tells("Name another file.");
        }
        project.run(&format!("plan -out={victim}")).ends(1).tells("wgform keeps the state");
    }
    assert_eq!(project.names(), ["main.wg.hcl"]);
    // Elsewhere, the configuration says what the store needs.
    let own = "wgform {\n  state \"local\" {\n    path = \"net.json\"\n  }\n}\n";
    project.add("place.wg.hcl", own);
    for victim in ["net.json", "net.json.backup", "./net.json.lock"] {
        for flag in flags {
            let ran = project.run(&format!("apply -auto-approve {flag}={victim}")).ends(1);
            ran.tells("wgform keeps the state under that name");
        }
    }
    let mut names = project.names();
    names.sort_unstable();
    assert_eq!(names, ["main.wg.hcl", "place.wg.hcl"]);
    assert_eq!(file(&project, "main.wg.hcl"), configuration);
    project.run("apply -auto-approve -summary-into=s -metrics-into=m").ends(0);
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn a_saved_plan_is_not_written_over_by_a_report_of_its_run() {
    let project = Project::of_example("quickstart");
    project.run("plan -out=q -markdown-into=./q").ends(1).tells("`-out` names the same file");
    project.run("plan -out=gone/q").ends(1).tells("Make its directory first.");
    project.run("plan -out=q").ends(0);
    let plan = file(&project, "q");
    for flag in ["-markdown-into", "-metrics-into", "-json-into"] {
        let ran = project.run(&format!("apply {flag}=q q")).ends(1);
        ran.tells("`PLANFILE` names the same file");
    }
    assert_eq!(file(&project, "q"), plan);
    project.run("apply q").ends(0);
}

#[test]
fn a_pipe_is_no_file_for_metrics() {
    let project = Project::of_example("quickstart");
    let pipe = project.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o600.into()).unwrap();
    let ran = project.run("apply -auto-approve -metrics-into=pipe").ends(1);
    ran.tells("there is something that is no file");
    // Nobody reads it, and a run that waits for that would wait for ever.
    project.run("plan -json-into=pipe").ends(1).tells("it is a pipe that nobody reads");
    assert_eq!(project.left_over(), Vec::<String>::new());
}

#[test]
fn a_stream_that_cannot_be_written_is_told_once() {
    let project = Project::of_example("quickstart");
    let ran = project.run("apply -auto-approve -json-into=/dev/full").ends(1);
    assert_eq!(ran.stderr.matches("could not write `/dev/full`").count(), 1, "{ran}");
}

#[test]
fn who_holds_the_lock_is_told_field_by_field() {
    let project = applied();
    let held = json!({
        "id": "1", "operation": "apply", "who": "eve", "host": "far", "pid": 1,
        "since": "2026-01-02T03:04:05Z", "wgform_version": "0.1.0",
    });
    fs::write(project.path().join("wgform.state.json.lock"), held.to_string()).unwrap();
    let lock = fs::File::open(project.path().join("wgform.state.json.lock")).unwrap();
    lock.lock().unwrap();
    let said = of(&project.run("apply -json -auto-approve -lock-timeout=1s").ends(5));
    let awaited = all(&said, "lock_awaited");
    assert_eq!(awaited[0]["holder"], held);
    let text = project.run("apply -auto-approve -lock-timeout=1s").ends(5);
    text.tells("Waiting for the lock.\n  by:        eve on far, process 1");
}

#[test]
fn a_peer_that_nobody_declared_is_told_without_an_address() {
    use wgform::simulator::linux::call::{DeviceChange, PeerChange};

    let project = applied();
    project.edit("listen_port", "unmanaged_peers = \"remove\"\n  listen_port");
    let key = wgform::value::PrivateKey::from_bytes([7; 32]).public();
    let change = DeviceChange { peers: vec![PeerChange::new(key)], ..DeviceChange::default() };
    project.enter("hq").configure("wg0", &change).unwrap();
    let said = of(&project.run("apply -json -auto-approve").ends(0));
    let of_type = |kind| {
        let named = all(&said, kind).into_iter().map(|it| match it.get("change") {
            Some(change) => change["resource"].clone(),
            None => it["hook"]["resource"].clone(),
        });
        named.filter(|it| it["resource_type"] == "unmanaged_peer").collect::<Vec<_>>()
    };
    for kind in ["planned_change", "apply_start", "apply_complete"] {
        let named = of_type(kind);
        assert_eq!(named.len(), 1, "{kind}: {said:#?}");
        assert_eq!(named[0]["addr"], "", "{kind}");
        assert_eq!(named[0]["interface"], "interface.hq", "{kind}");
        assert_eq!(named[0]["resource_name"], key.to_string(), "{kind}");
    }
}
