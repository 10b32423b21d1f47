//! The recipes of `examples/ci`, run: the script as it is, and of each pipeline the lines that its YAML has, job by job, against
//! simulated devices. What a forge gives to a job is played here: its variables, the tools of its runners, its artifacts and its
//! store for a state.
//!
//! `.ci/run` installs zizmor, in the version of `.ci/zizmor.txt`. Elsewhere it is looked for by its name.

#![expect(clippy::disallowed_methods, reason = "these tests run programs and look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod gitlab;
mod harness;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use regex::{Captures, Regex};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::gitlab::{GitLab, TOKEN, USER};
use crate::harness::{Project, Ran, examples, program};

/// What a job must never have on a command line.
const SECRET: &str = "ghs-Lw8Zp3Rk5Tn1";

/// What `curl`, `gh` and `node` are on a runner here. Each says how it was called; the downloaded program is a script that says so
/// too, and then is wgform.
const CURL: &str = r#"#!/bin/sh
echo "curl $*" >>"$BENCH/asked"
while [ $# -gt 0 ]; do
  case $1 in
    --config) cat >"$BENCH/told-curl"; shift ;;
    --output) output=$2; shift ;;
    --data) cp "${2#@}" "$BENCH/comment"; shift ;;
    --header) shift ;;
    -*) ;;
    *) url=$1 ;;
  esac
  shift
done
[ "$url" != "$WGFORM_URL" ] || cp "$BENCH/wgform" "$output"
"#;
const GH: &str = r#"#!/bin/sh
echo "gh $*" >>"$BENCH/asked"
[ -n "$GH_TOKEN" ] || exit 4
for last in "$@"; do :; done
case "$1 $2" in
  "pr comment") cp "$last" "$BENCH/comment" ;;
  "api repos/example/net/commits/"*) echo 7 ;;
  "api repos/example/net/actions/artifacts?name=plan-7&"*) echo 4242 ;;
  "run download") [ "$3" = 4242 ] && cp "$BENCH/artifacts/$last"/* . ;;
  *) exit 1 ;;
esac
"#;
const NODE: &str = "#!/bin/sh\ncat comment.md\n";

const CAROL: &str =
    "    carol = { key = \"d2dmb3JtIGV4YW1wbGUga2V5IG9mIGNhcm9sIDAwMDE=\", host = 12 }\n";

/// A checkout of the recipes, with all that a forge has around it.
struct Bench {
    project: Project,
    around: TempDir,
    pipeline: Json,
    shell: &'static [&'static str],
    environment: BTreeMap<String, String>,
}

impl Bench {
    /// Makes one for a pipeline.
    fn new(pipeline: &str, shell: &'static [&'static str]) -> Self {
        let project = Project::of_example("ci");
        let around = tempfile::tempdir().unwrap();
        let wgform = format!(
            "#!/bin/sh\necho \"wgform $*\" >>\"$BENCH/asked\"\nexec '{}' \"$@\"\n",
            program().display()
        );
        let digest: String = Sha256::digest(&wgform).iter().map(|it| format!("{it:02x}")).collect();
        // Not in the PATH yet: a job has to install it.
        fs::write(around.path().join("wgform"), wgform).unwrap();
        let tools = around.path().join("tools");
        fs::create_dir(&tools).unwrap();
        executable(&tools.join("curl"), CURL);
        executable(&tools.join("gh"), GH);
        if Command::new("node").arg("--version").stdout(Stdio::null()).status().is_err() {
            executable(&tools.join("node"), NODE);
        }
        let pipeline = yaml(&project, pipeline);
        let path = format!("{}:{}", tools.display(), env::var("PATH").unwrap());
        let it = |name: &str| around.path().join(name).display().to_string();
        let environment = [
            ("PATH", path.as_str()),
            ("BENCH", &around.path().display().to_string()),
            ("CI", "true"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("HOME", &it("home")),
            ("WGFORM_URL", "https://files.example.net/wgform"),
            ("WGFORM_SHA256", &digest),
        ];
        let environment =
            environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        fs::create_dir(around.path().join("home")).unwrap();
        Self { project, around, pipeline, shell, environment }
    }

    /// Makes one for a pipeline of GitHub's kind.
    fn of_actions(pipeline: &str, shell: &'static [&'static str]) -> Self {
        let mut bench = Self::new(pipeline, shell);
        let it = |name: &str| bench.around.path().join(name).display().to_string();
        let environment = [
            ("RUNNER_TEMP", it("home")),
            ("GITHUB_PATH", it("github-path")),
            ("GITHUB_STEP_SUMMARY", it("summary.md")),
            ("GITHUB_REPOSITORY", "example/net".to_owned()),
            ("GITHUB_SHA", "5f2c6b1d0e9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c".to_owned()),
            ("GITHUB_API_URL", "https://forge.example.net/api/v1".to_owned()),
        ];
        bench.environment.extend(environment.map(|(name, value)| (name.to_owned(), value)));
        bench
    }

    fn around(&self, name: &str) -> PathBuf {
        self.around.path().join(name)
    }

    /// Returns what was asked of the tools since the last look, and demands that no secret was on a command line.
    fn asked(&self) -> String {
        let asked = fs::read_to_string(self.around("asked")).unwrap_or_default();
        assert!(!asked.contains(SECRET) && !asked.contains(TOKEN), "{asked}");
        _ = fs::remove_file(self.around("asked"));
        asked
    }

    fn comment(&self) -> String {
        fs::read_to_string(self.around("comment")).unwrap()
    }

    fn lines(&self, script: &str, environment: &BTreeMap<String, String>) -> Ran {
        let mut command = Command::new(self.shell[0]);
        command.args(&self.shell[1..]).arg("-c").arg(script);
        command.env_clear().envs(environment).current_dir(self.project.path());
        Ran::of(script, command.stdin(Stdio::null()).output().unwrap())
    }

    /// Runs a job of GitHub's kind, and returns how its first step that failed ended, or else its last one.
    fn job(&self, name: &str) -> Ran {
        let job = &self.pipeline["jobs"][name];
        // Each job has a runner of its own, where nothing is installed.
        _ = fs::remove_dir_all(self.around("home"));
        fs::create_dir(self.around("home")).unwrap();
        _ = fs::remove_file(self.around("github-path"));
        let (mut failed, mut last) = (None, None);
        for step in job["steps"].as_array().unwrap() {
            if !self.is_due(step["if"].as_str().unwrap_or_default(), failed.is_some()) {
                continue;
            }
            if step["uses"].is_string() {
                self.action(step);
                continue;
            }
            let mut environment = self.environment.clone();
            let added = fs::read_to_string(self.around("github-path")).unwrap_or_default();
            let path = added.lines().chain([environment["PATH"].as_str()]);
            let path = path.collect::<Vec<_>>().join(":");
            environment.insert("PATH".to_owned(), path);
            for variables in [&job["env"], &step["env"]] {
                for (name, value) in variables.as_object().into_iter().flatten() {
                    environment.insert(name.clone(), filled_in(value.as_str().unwrap()));
                }
            }
            let ran = self.lines(step["run"].as_str().unwrap(), &environment);
            if ran.code == Some(0) {
                last = Some(ran);
            } else {
                failed.get_or_insert(ran);
            }
        }
        failed.or(last).unwrap()
    }

    fn is_due(&self, condition: &str, has_failed: bool) -> bool {
        let file = Regex::new(r"hashFiles\('([^']+)'\)").unwrap();
        if let Some(file) = file.captures(condition)
            && !self.project.path().join(&file[1]).exists()
        {
            return false;
        }
        match condition {
            "failure()" => has_failed,
            it if it.contains("!cancelled()") => true,
            it => {
                assert_eq!(it, "", "a condition that these tests do not know");
                !has_failed
            }
        }
    }

    /// Does what the actions of the recipes do: a checkout is there, and an artifact is kept.
    fn action(&self, step: &Json) {
        let (action, _) = step["uses"].as_str().unwrap().split_once('@').unwrap();
        match action {
            "actions/checkout" => assert_eq!(step["with"]["persist-credentials"], false),
            "actions/upload-artifact" => {
                let path = step["with"]["path"].as_str().unwrap();
                let file = self.project.path().join(path);
                if !file.exists() && step["with"]["if-no-files-found"] == "ignore" {
                    return;
                }
                let name = filled_in(step["with"]["name"].as_str().unwrap());
                let kept = self.around("artifacts").join(name);
                fs::create_dir_all(&kept).unwrap();
                // The next job has it from there, and not from this directory.
                fs::rename(file, kept.join(path)).unwrap();
            }
            action => panic!("these tests do not know {action}"),
        }
    }

    /// Runs a job of GitLab's kind, and demands the files that it keeps.
    fn gitlab_job(&self, name: &str) -> Ran {
        let (pipeline, job) = (&self.pipeline, &self.pipeline[name]);
        let mut environment = self.environment.clone();
        for (name, value) in pipeline["variables"].as_object().unwrap() {
            let value = expanded(value.as_str().unwrap(), &self.environment);
            environment.insert(name.clone(), value);
        }
        let scripts = [&pipeline["default"]["before_script"], &job["script"]];
        let lines: Vec<_> = scripts
            .iter()
            .flat_map(|it| it.as_array().unwrap())
            .map(|it| it.as_str().unwrap())
            .collect();
        let ran = self.lines(&lines.join("\n"), &environment);
        let artifacts = &job["artifacts"];
        if ran.code == Some(0) && artifacts["when"] != "on_failure" {
            let paths = artifacts["paths"].as_array().into_iter().flatten();
            for path in paths.chain(artifacts["reports"].as_object().unwrap().values()) {
                let path = self.project.path().join(path.as_str().unwrap());
                assert!(path.exists(), "{} is missing after {ran}", path.display());
            }
        }
        ran
    }

    fn add_carol(&self) {
        self.project.edit("    bob ", &format!("{CAROL}    bob "));
        self.project.run("fmt").ends(0);
    }

    /// Gives carol a laptop if she has none.
    fn add_carol_once(&self) {
        let text = fs::read_to_string(self.project.path().join("main.wg.hcl")).unwrap();
        if !text.contains("carol") {
            self.add_carol();
        }
    }

    /// Merges, with this message.
    fn merge(&self, message: &str) {
        let who = ["-c", "user.name=Merger", "-c", "user.email=merger@example.net"];
        for arguments in [&["init", "-q"][..], &["commit", "-q", "--allow-empty", "-m", message]] {
            let mut git = Command::new("git");
            git.args(who).args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null");
            assert!(git.current_dir(self.project.path()).status().unwrap().success());
        }
    }

    /// Changes something on a device, past wgform.
    fn change_by_hand(&self) {
        let hub = self.project.enter("hq");
        hub.delete_address("wg0", "10.8.0.1/24".parse().unwrap()).unwrap();
    }
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Reads a YAML file, with the function that configurations have for that.
fn yaml(project: &Project, file: &str) -> Json {
    let expression = format!("base64encode(jsonencode(yamldecode(file(\"{file}\"))))\n");
    let said = project.run_with("console", &expression).ends(0).stdout;
    let text = base64::engine::general_purpose::STANDARD.decode(said.trim().trim_matches('"'));
    serde_json::from_slice(&text.unwrap()).unwrap()
}

/// Fills in what the forge knows.
fn filled_in(text: &str) -> String {
    let expression = Regex::new(r"\$\{\{ *([^ ]+) *\}\}").unwrap();
    let value = |it: &Captures<'_>| match &it[1] {
        "github.token" => SECRET,
        "github.event.pull_request.number" => "7",
        other => panic!("these tests do not know {other}"),
    };
    expression.replace_all(text, value).into_owned()
}

/// Puts variables in, as GitLab does.
fn expanded(text: &str, environment: &BTreeMap<String, String>) -> String {
    let variable = Regex::new(r"\$\{(\w+)\}").unwrap();
    variable.replace_all(text, |it: &Captures<'_>| environment[&it[1]].clone()).into_owned()
}

/// Returns the digest that stands in a comment.
fn digest(comment: &str) -> String {
    let digest = Regex::new("Digest of the plan: <code>([0-9a-f]{32})</code>").unwrap();
    digest.captures(comment).unwrap_or_else(|| panic!("{comment}"))[1].to_owned()
}

fn keys(value: &Json) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn story() -> Command {
    let mut command = Command::new(examples().join("ci/pull-request.sh"));
    let path = format!("{}:{}", program().parent().unwrap().display(), env::var("PATH").unwrap());
    command.env_clear().env("PATH", path).stdin(Stdio::null());
    command
}

#[test]
fn the_story_of_a_pull_request_is_played_through() {
    let ran = Ran::of("pull-request.sh", story().output().unwrap()).ends(0);
    let stale = "Stale plan: what was planned is no longer what would be done";
    let ran = ran.tells(stale).tells("listen_port = 51999 -> 51820");
    let ran = ran.says("(exit code 7)").says("No drift.").says("Drift: 1 resource changed");
    assert!(ran.stdout.ends_with("\nAll of it went as it should.\n"), "{ran}");
}

#[test]
fn the_story_fails_when_an_exit_code_is_another_one() {
    let ran = Ran::of("pull-request.sh", story().env("WGFORM", "true").output().unwrap()).ends(1);
    ran.tells("ended with 0, and not with 2").says_no("as it should");
    let missing = story().env("WGFORM", "/does/not/exist").output().unwrap();
    Ran::of("pull-request.sh", missing).ends(1).tells("wgform is not in PATH");
}

#[test]
fn github_plans_a_pull_request_applies_that_and_looks_for_drift() {
    let bench = Bench::of_actions("github-actions.yml", &["bash", "-e"]);
    assert_eq!(keys(&bench.pipeline["jobs"]), ["apply", "drift", "plan"]);
    // The first pull request, before there is a state.
    bench.job("plan").ends(0);
    assert!(bench.comment().contains("7 to add"), "{}", bench.comment());
    bench.job("apply").ends(0);
    bench.add_carol();
    bench.job("plan").ends(0);
    assert!(bench.comment().contains("peer \"laptop\"[\"carol\"]"), "{}", bench.comment());
    assert!(bench.asked().contains("wgform plan -input=false -out=plan.wgplan"));
    bench.job("apply").ends(0);
    let asked = bench.asked();
    assert!(asked.contains("gh run download 4242 --repo example/net --name plan-7\n"), "{asked}");
    let summary = || fs::read_to_string(bench.around("summary.md")).unwrap();
    assert!(summary().contains("1 added"), "{}", summary());
    bench.job("drift").ends(0);
    bench.change_by_hand();
    bench.job("drift").ends(2).says("Drift: 1 resource changed outside of wgform");
    assert!(summary().contains("10.8.0.1/24"), "{}", summary());
    bench.asked();
}

#[test]
fn github_applies_no_plan_that_is_stale_or_missing() {
    let bench = Bench::of_actions("github-actions.yml", &["bash", "-e"]);
    bench.job("plan").ends(0);
    bench.job("apply").ends(0);
    bench.job("apply").ends(7).tells("this plan was applied already");
    bench.add_carol();
    bench.job("plan").ends(0);
    bench.change_by_hand();
    bench.job("apply").ends(7).tells("Stale plan");
    fs::remove_dir_all(bench.around("artifacts")).unwrap();
    bench.asked();
    assert_ne!(bench.job("apply").code, Some(0));
    assert!(!bench.asked().contains("wgform apply"));
}

#[test]
fn a_program_with_another_checksum_is_not_run() {
    for (pipeline, shell) in
        [("github-actions.yml", &["bash", "-e"][..]), ("forgejo.yml", &["sh", "-e"])]
    {
        let bench = Bench::of_actions(pipeline, shell);
        fs::write(bench.around("wgform"), "#!/bin/sh\necho \"wgform $*\" >>\"$BENCH/asked\"\n")
            .unwrap();
        for job in ["plan", "apply", "drift"] {
            bench.job(job).ends(1).tells("did NOT match");
        }
        assert!(!bench.asked().contains("wgform plan"));
    }
}

#[test]
fn gitlab_plans_a_merge_request_applies_the_plan_and_looks_for_drift() {
    let server = GitLab::start();
    let mut bench = Bench::new("gitlab-ci.yml", &["bash", "-eo", "pipefail"]);
    let stages = ["apply", "default", "drift", "plan", "stages", "validate", "variables"];
    assert_eq!(keys(&bench.pipeline), stages);
    assert_eq!(bench.pipeline["variables"]["WGFORM_HTTP_USERNAME"], "gitlab-ci-token");
    // The server here knows one user, by another name.
    bench.pipeline["variables"]["WGFORM_HTTP_USERNAME"] = USER.into();
    let variables = [
        ("CI_API_V4_URL", format!("{}/api/v4", server.address)),
        ("CI_PROJECT_ID", "7".to_owned()),
        ("CI_JOB_TOKEN", TOKEN.to_owned()),
    ];
    bench.environment.extend(variables.map(|(name, value)| (name.to_owned(), value)));
    let here = |name: &str| bench.project.path().join(name);
    fs::copy(here("state-gitlab.hcl"), here("state.wg.hcl")).unwrap();
    for _ in 0..2 {
        for job in ["validate", "plan", "apply", "drift"] {
            bench.gitlab_job(job).ends(0);
        }
        bench.add_carol_once();
    }
    assert_eq!(fs::read_to_string(here("gl-code-quality-report.json")).unwrap().trim(), "[]");
    let counts: Json = serde_json::from_slice(&fs::read(here("plan.json")).unwrap()).unwrap();
    assert_eq!(counts, serde_json::json!({ "create": 1, "update": 0, "delete": 0 }));
    let written = server.serials("wireguard");
    bench.gitlab_job("apply").ends(7);
    assert_eq!(server.serials("wireguard"), written, "a stale plan writes no state");
    bench.change_by_hand();
    bench.gitlab_job("drift").ends(2);
    let metrics = fs::read_to_string(here("metrics.txt")).unwrap();
    let changed = "wgform_drift_objects{backend=\"hq\",class=\"changed\"} 1\n";
    assert!(metrics.contains(changed), "{metrics}");
    bench.asked();
    let kept = server.kept();
    assert!(kept.offences.is_empty() && kept.locks.is_empty(), "{:?}", kept.offences);
}

#[test]
fn forgejo_applies_the_plan_whose_digest_the_merge_names() {
    let bench = Bench::of_actions("forgejo.yml", &["sh", "-e"]);
    assert_eq!(keys(&bench.pipeline["jobs"]), ["apply", "drift", "plan"]);
    bench.job("plan").ends(0);
    let first = digest(&bench.comment());
    let told = fs::read_to_string(bench.around("told-curl")).unwrap();
    assert_eq!(told, format!("header = \"Authorization: token {SECRET}\"\n"));
    let url = "https://forge.example.net/api/v1/repos/example/net/issues/7/comments";
    let asked = bench.asked();
    assert!(asked.contains(&format!("{url}\n")), "{asked}");
    let message = |digest: &str| {
        format!("Merge pull request 'Begin' (#7)\n\nReviewed-on: {url}\nWgform-Plan: {digest}\n")
    };
    bench.merge(&message(&first));
    bench.job("apply").ends(0).says("7 added");
    bench.job("drift").ends(0);
    // What names no plan may change nothing.
    bench.merge("Mend the documentation");
    bench.job("apply").ends(0).says("No changes");
    bench.add_carol();
    bench.job("apply").ends(2);
    bench.merge(&message(&first));
    bench.job("apply").ends(7);
    // Drift that was reviewed is undone.
    bench.change_by_hand();
    bench.job("drift").ends(2);
    bench.job("plan").ends(0);
    bench.merge(&message(&digest(&bench.comment())));
    bench.job("apply").ends(0).says("1 added, 1 changed");
    bench.job("drift").ends(0);
    bench.asked();
}

#[test]
fn the_blocks_for_a_state_are_valid() {
    for state in ["state-gitlab.hcl", "state-s3.hcl"] {
        let project = Project::of_example("ci");
        let here = |name: &str| project.path().join(name);
        fs::rename(here(state), here("state.wg.hcl")).unwrap();
        project.run("fmt -check").ends(0);
        let mut command = project.command("validate");
        command.env("WGFORM_HTTP_ADDRESS", "https://gitlab.example.com/api/v4/projects/7");
        let ran = Ran::of(state, command.output().unwrap()).ends(0);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn the_pipelines_pass_zizmor() {
    let tool = env::var("ZIZMOR").unwrap_or_else(|_| "zizmor".into());
    let checked = |directory: &Path| {
        Command::new(&tool)
            .args(["--offline", "--no-config", "--strict-collection", "--persona=pedantic"])
            .args(["--no-progress", "--color=never", "github-actions.yml", "forgejo.yml"])
            .current_dir(directory)
            .output()
    };
    let Ok(output) = checked(&examples().join("ci")) else {
        let is_wanted = env::var("CI").is_ok_and(|it| it == "true");
        assert!(!is_wanted, "zizmor is not installed");
        eprintln!("skipped the_pipelines_pass_zizmor: zizmor is not installed");
        return;
    };
    let ran = Ran::of("zizmor", output).ends(0);
    assert!(!ran.stderr.contains("WARN"), "{ran}");
    // It looks, and does not only run: an action without a pin is found.
    let project = Project::of_example("ci");
    let file = project.path().join("github-actions.yml");
    let text = fs::read_to_string(&file).unwrap();
    let pin = Regex::new("checkout@[0-9a-f]{40} # v[0-9.]+").unwrap();
    fs::write(&file, pin.replace_all(&text, "checkout@v7").as_ref()).unwrap();
    let output = checked(project.path()).unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("unpinned-uses"));
}
