//! The built program at its edges: streams, exit codes, what it takes from its surroundings.

#![expect(clippy::disallowed_methods, reason = "these tests run the program")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};

use crate::harness::{Project, Ran};

fn wgform(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgform"));
    command.args(arguments.split_whitespace()).env_clear().stdin(Stdio::null());
    command
}

fn run(arguments: &str) -> (i32, String, String) {
    let Output { status, stdout, stderr } = wgform(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn the_result_is_on_stdout_and_the_talk_on_stderr() {
    let version = format!("wgform {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run("version"), (0, version.clone(), String::new()));
    let (code, stdout, stderr) = run("-v version");
    assert_eq!((code, stdout), (0, version));
    assert!(stderr.ends_with("\nstate format 1\n"), "{stderr}");
}

#[test]
fn a_mistake_on_the_command_line_ends_with_1() {
    let (code, stdout, stderr) = run("plna -no-color");
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("Error: unrecognized subcommand `plna`\n"), "{stderr}");
    let (code, _, stderr) = run("-chdir=/does/not/exist version");
    assert_eq!(code, 1);
    assert!(stderr.starts_with("Error: there is no directory `/does/not/exist`\n"), "{stderr}");
}

#[test]
fn help_goes_to_stdout_and_only_asking_for_it_succeeds() {
    let (code, page, stderr) = run("-help");
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(run(""), (1, page, String::new()));
}

#[test]
fn a_reader_that_goes_away_ends_nothing_badly() {
    let mut child = wgform("-help").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Closed before anything may have been written.
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let Output { status, stderr, .. } = wgform("version").stdout(full).output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.starts_with("Error: could not write the result\n  cause: No space"), "{stderr}");
}

#[test]
fn an_apply_whose_plan_cannot_be_shown_is_not_asked_for() {
    let project = Project::of_example("quickstart");
    let piped = |arguments: &str, input: &str, stdout: Stdio| {
        let mut command = project.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(stdout).spawn().unwrap();
        // What is asked nothing may be gone already.
        _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ran::of(arguments, child.wait_with_output().unwrap())
    };
    let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").unwrap());
    // A pipe that nobody reads.
    let closed = || Stdio::from(std::io::pipe().unwrap().1);
    for stdout in [full(), closed()] {
        let ran = piped("apply", "yes\n", stdout).ends(1);
        ran.tells("Cancelled: nothing was done, because not all of the plan could be shown");
    }
    assert!(!project.path().join("wgform.state.json").exists());
    let ran = piped("apply -auto-approve", "", full()).ends(1);
    ran.tells("Error: could not write the result").tells("9 steps done in ");
    piped("plan -detailed-exitcode", "", closed()).ends(0);
    project.run("plan -detailed-exitcode").ends(0);
    piped("destroy -auto-approve", "", closed()).ends(0).tells("7 steps done in ");
}

#[test]
fn closed_streams_and_an_environment_that_is_not_text_are_borne() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let raw = OsStr::from_bytes(b"\xff");
    let status = wgform("version").env("A", raw).env(raw, "1").stdout(Stdio::null()).status();
    assert_eq!(status.unwrap().code(), Some(0));
    let program = env!("CARGO_BIN_EXE_wgform");
    let script = format!("'{program}' version >&- 2>&- <&-; echo $?");
    let mut child =
        Command::new("/bin/sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut code = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut code).unwrap();
    child.wait().unwrap();
    assert_eq!(code, "0\n");
}

/// Not a test but the other process of the one below.
#[test]
fn child_with_a_noisy_library() {
    if std::env::var("WGFORM_TEST_CHILD").is_err() {
        return;
    }
    let stdout = std::fs::read_link("/proc/self/fd/1").unwrap();
    let streams = wgform::ui::Streams::take().unwrap();
    let ui = wgform::ui::Ui::new(streams, &BTreeMap::new(), wgform::ui::Options::default());
    std::io::stdout().write_all(b"noise of a library\n").unwrap();
    ui.result("the result");
    let script = "echo noise of a program; readlink /proc/self/fd/*";
    let program = Command::new("/bin/sh").args(["-c", script]).output().unwrap();
    let held = String::from_utf8(program.stdout).unwrap();
    assert!(held.starts_with("noise of a program\n"), "{held}");
    assert!(!held.contains(stdout.to_str().unwrap()), "a program that is started holds stdout");
}

#[test]
fn nothing_but_the_result_reaches_stdout() {
    let arguments = ["--exact", "child_with_a_noisy_library", "--nocapture"];
    let mut child = Command::new(std::env::current_exe().unwrap());
    let child = child.args(arguments).env("WGFORM_TEST_CHILD", "1").output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(stdout.contains("the result\n"), "{stdout}");
    assert!(!stdout.contains("noise"), "{stdout}");
    assert!(stderr.contains("noise of a library\n"), "{stderr}");
    assert!(child.status.success(), "{stderr}");
}
