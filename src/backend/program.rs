//! Programs that run on this machine to their end: where they are, how they are started, what they said last or first.
//!
//! It does not start what outlives the run; a userspace WireGuard does, and is started where it is known.

#![expect(clippy::disallowed_methods, reason = "this module starts and waits for processes")]

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, PipeReader, Read as _};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Access, OFlags, access, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};

use zeroize::Zeroizing;

use crate::simulator::linux::call::{Program, Ran, Refusal, TAIL_BYTES, printable_tail};
use crate::value::Secret;

/// How often a program is looked at.
const PAUSE: Duration = Duration::from_millis(2);
/// Where programs are when the environment does not say, and where those of the administrator are anyway.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What a program gets of our own environment. The rest may hold secrets.
const INHERITED: [&str; 3] = ["HOME", "LANG", "PATH"];
/// The longest line that is taken for a password.
const LONGEST_LINE: usize = 4096;

/// A program gave no line. Holds nothing that it said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoLine {
    /// Why, in lower case without a final period.
    pub(crate) reason: String,
    /// What to do.
    pub(crate) hint: &'static str,
}

/// Returns whether there is a program of that name, or at that path.
pub(crate) fn is_there(name: &str, environment: &BTreeMap<String, String>) -> bool {
    find(name, environment).is_some()
}

/// Prepares to start a program with next to nothing of ours: none of the environment's secrets, no input, and a group of its
/// own, so that the Ctrl-C that is meant for us does not stop it halfway, and all of it can be killed.
pub(crate) fn prepared(path: &Path, environment: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(path);
    command.env_clear().current_dir("/").process_group(0).stdin(Stdio::null());
    command.envs(environment.iter().filter(|(name, _)| INHERITED.contains(&name.as_str())));
    command.env("PATH", search_path(environment));
    command
}

/// Returns the directories that programs are looked for in.
fn search_path(environment: &BTreeMap<String, String>) -> String {
    match environment.get("PATH").filter(|path| !path.is_empty()) {
        Some(path) => format!("{path}:{PATH}"),
        None => PATH.to_owned(),
    }
}

/// Runs a program in the network namespace of this thread, and returns how it ended.
///
/// It is killed with all that it started, when its time is over. What it leaves running in the background is let go:
/// nobody waits for it, and nobody reads what it says from then on.
pub(crate) fn run(
    program: &Program,
    environment: &BTreeMap<String, String>,
) -> Result<Ran, Refusal> {
    let name = program.argv.first().map_or("", String::as_str);
    let path = find(name, environment).ok_or_else(|| Refusal::no_program(name))?;
    let (mut output, child) =
        spawn(program, &path, environment).map_err(|error| not_started(name, &error))?;
    let mut tail = Vec::new();
    let mut listen = || {
        drain(&mut output, &mut |bytes| {
            tail.extend_from_slice(bytes);
            // One more than is kept shows that something was cut.
            tail.drain(..tail.len().saturating_sub(TAIL_BYTES + 1));
        });
    };
    let status =
        wait(child, program.timeout, &mut listen).map_err(|error| not_started(name, &error))?;
    listen();
    let tail = printable_tail(&tail);
    match status {
        Some(status) => Ok(Ran { status: number(status), tail }),
        None => Err(Refusal::timed_out(name, program.timeout, &tail)),
    }
}

/// Runs a program of the user in that directory, with the whole environment, and returns the first line that it prints.
///
/// Nothing else that it says is heard, and none of it is told: it is there to say a secret. It is killed when its time is
/// over.
pub(crate) fn first_line(
    argv: &[String],
    timeout: Duration,
    directory: &Path,
    environment: &BTreeMap<String, String>,
) -> Result<Secret, NoLine> {
    let name = argv.first().map_or("", String::as_str);
    let shown = argv.join(" ");
    let no_line = |reason: String| NoLine {
        reason,
        hint: "run it by hand to see why: what it says is not shown here, since it may be the password",
    };
    let path = find(name, environment).ok_or_else(|| NoLine {
        reason: format!("there is no program `{name}` on this machine"),
        hint: "install it, or write its absolute path",
    })?;
    let mut head = Zeroizing::new(Vec::with_capacity(LONGEST_LINE + 2));
    let status = listen(&path, argv, timeout, directory, environment, &mut head)
        .map_err(|error| no_line(format!("`{shown}` could not be started: {}", error.kind())))?;
    match status.map(number) {
        Some(0) => line(&head).map_err(|why| no_line(format!("`{shown}` {why}"))),
        Some(status) => Err(no_line(format!("`{shown}` ended with exit code {status}"))),
        None => Err(no_line(format!("`{shown}` did not end within {timeout:?} and was killed"))),
    }
}

/// Runs a program to its end, and keeps the beginning of what it prints.
fn listen(
    path: &Path,
    argv: &[String],
    timeout: Duration,
    directory: &Path,
    environment: &BTreeMap<String, String>,
    head: &mut Vec<u8>,
) -> io::Result<Option<ExitStatus>> {
    let (mut output, writer) = io::pipe()?;
    fcntl_setfl(&output, OFlags::NONBLOCK)?;
    let mut command = prepared(path, environment);
    command.args(argv.iter().skip(1)).envs(environment).current_dir(directory);
    let child = command.stdout(writer).stderr(Stdio::null()).spawn()?;
    let mut listen = || {
        drain(&mut output, &mut |bytes| {
            // Within what was reserved, so that no copy of a secret is left behind.
            let room = (LONGEST_LINE + 2).saturating_sub(head.len());
            head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        });
    };
    let status = wait(child, timeout, &mut listen)?;
    listen();
    Ok(status)
}

/// Reads the first line; the error says why there is none.
fn line(head: &[u8]) -> Result<Secret, &'static str> {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok("") => Err("printed no password"),
        _ if line.len() > LONGEST_LINE => Err("printed a line that is too long for a password"),
        Ok(line) => Ok(Secret::new(line)),
        Err(_) => Err("printed a line that is not text"),
    }
}

fn find(name: &str, environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let may_run = |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| path.is_absolute() && may_run(path));
    }
    let path = search_path(environment);
    let folders = path.split(':').filter(|folder| folder.starts_with('/') && !name.is_empty());
    folders.map(|folder| Path::new(folder).join(name)).find(|path| may_run(path))
}

fn spawn(
    Program { argv, environment: own, timeout: _ }: &Program,
    path: &Path,
    environment: &BTreeMap<String, String>,
) -> io::Result<(PipeReader, Child)> {
    let (reader, writer) = io::pipe()?;
    fcntl_setfl(&reader, OFlags::NONBLOCK)?;
    let mut command = prepared(path, environment);
    command.args(argv.iter().skip(1)).envs(own).stdout(writer.try_clone()?).stderr(writer);
    Ok((reader, command.spawn()?))
}

/// Waits until the program has ended, and no longer than allowed. None for one that was killed for that.
fn wait(
    mut child: Child,
    timeout: Duration,
    meanwhile: &mut dyn FnMut(),
) -> io::Result<Option<ExitStatus>> {
    let end = Instant::now() + timeout;
    loop {
        meanwhile();
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                _ = kill_process_group(group, Signal::KILL);
            }
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}

/// Takes what is in the pipe now.
fn drain(output: &mut PipeReader, take: &mut dyn FnMut(&[u8])) {
    let mut bytes = Zeroizing::new([0; 4096]);
    // A program that never stops talking must not keep us from looking at the time.
    for _ in 0..64 {
        match output.read(&mut *bytes) {
            Ok(0) => return,
            Ok(length) => take(&bytes[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Returns the exit code, and for a program that a signal ended what a shell says.
fn number(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

fn not_started(name: &str, error: &io::Error) -> Refusal {
    Refusal::said(
        format!("`{name}` could not be started: {}", error.kind()),
        "see that it is a program for this machine, and that its interpreter is there",
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use crate::backend::program;
    use crate::simulator::linux::call::{Program, Ran, Refusal};

    fn shell(script: &str, timeout: Duration) -> Result<Ran, Refusal> {
        let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
        let own = BTreeMap::from([("WGFORM_INTERFACE".to_owned(), "wg0".to_owned())]);
        let secret = BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())]);
        program::run(&Program { argv, environment: own, timeout }, &secret)
    }

    fn said(script: &str) -> (i32, String) {
        let Ran { status, tail } = shell(script, Duration::from_secs(60)).unwrap();
        (status, tail)
    }

    #[test]
    fn a_program_says_how_it_ended_and_what_it_said() {
        assert_eq!(said("echo out; echo err >&2; exit 3"), (3, "out\nerr".to_owned()));
        assert_eq!(said("kill -TERM $$").0, 143);
        assert_eq!(said("printf 'a\\033[31mb\\rc\\377\\n'"), (0, "a[31mb\nc\u{fffd}".to_owned()));
    }

    #[test]
    fn only_the_last_whole_lines_are_kept() {
        let (_, tail) = said("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done");
        assert!(tail.len() <= 2048 && tail.len() > 1900, "{}", tail.len());
        assert!(tail.starts_with("line 19") && tail.ends_with("line 19999"), "{tail}");
    }

    #[test]
    fn a_program_gets_no_input_and_none_of_our_environment() {
        assert_eq!(said("cat; echo $WGFORM_INTERFACE $TOKEN $CARGO_MANIFEST_DIR $PWD").1, "wg0 /");
    }

    #[test]
    fn a_program_that_takes_too_long_is_killed_with_all_that_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alive");
        let script = format!("echo waiting; (sleep 2; touch {}) & sleep 60", path.display());
        let refusal = shell(&script, Duration::from_millis(300)).unwrap_err();
        let Refusal::Said { reason, hints: _ } = refusal else { panic!("{refusal:?}") };
        assert_eq!(reason, "`sh` did not end within 300ms and was killed; it said: waiting");
        std::thread::sleep(Duration::from_secs(3));
        assert!(!path.exists());
    }

    #[test]
    fn what_a_program_leaves_in_the_background_is_not_waited_for() {
        let start = Instant::now();
        assert_eq!(said("sleep 20 & echo done"), (0, "done".to_owned()));
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_program_is_found_by_name_and_by_path() {
        let none = BTreeMap::new();
        let there = |name| program::is_there(name, &none);
        assert!(there("sh") && there("/bin/sh"));
        assert!(!there("no-such-program") && !there("") && !there("bin/sh") && !there("/etc"));
        let argv = vec!["no-such-program".to_owned()];
        let program = Program { argv, environment: none.clone(), timeout: Duration::from_secs(1) };
        let refusal = program::run(&program, &none).unwrap_err();
        assert_eq!(refusal, Refusal::no_program("no-such-program"));
    }

    fn first_line(script: &str) -> Result<String, String> {
        let argv = ["sh", "-c", script].map(str::to_owned);
        let token = BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())]);
        let timeout = Duration::from_secs(60);
        let line = program::first_line(&argv, timeout, Path::new("/"), &token);
        line.map(|line| line.expose().to_owned()).map_err(|it| it.reason)
    }

    #[test]
    fn the_first_line_is_what_counts() {
        assert_eq!(first_line("printf 'a b\\r\\nmore\\n'; echo x >&2"), Ok("a b".to_owned()));
        assert_eq!(first_line("printf %s $TOKEN"), Ok("hunter2".to_owned()));
        assert_eq!(first_line("pwd; head -c 300000 /dev/zero"), Ok("/".to_owned()));
    }

    #[test]
    fn whoever_gives_no_line_is_told_without_what_it_said() {
        let reason = |script: &str| first_line(script).unwrap_err();
        assert_eq!(reason("true"), "`sh -c true` printed no password");
        assert_eq!(reason("exit 3"), "`sh -c exit 3` ended with exit code 3");
        assert_eq!(reason("kill $$"), "`sh -c kill $$` ended with exit code 143");
        assert_eq!(
            reason("printf '\\377\\n'"),
            "`sh -c printf '\\377\\n'` printed a line that is not text"
        );
        assert_eq!(
            reason("head -c 5000 /dev/zero"),
            "`sh -c head -c 5000 /dev/zero` printed a line that is too long for a password"
        );
    }

    #[test]
    fn who_says_no_password_in_time_is_killed() {
        let argv = ["sh".to_owned(), "-c".to_owned(), "sleep 60".to_owned()];
        let soon = Duration::from_millis(200);
        let none = BTreeMap::new();
        let no_line = program::first_line(&argv, soon, Path::new("/"), &none).unwrap_err();
        assert_eq!(no_line.reason, "`sh -c sleep 60` did not end within 200ms and was killed");
        let argv = ["no-such-program".to_owned()];
        let no_line = program::first_line(&argv, soon, Path::new("/"), &none).unwrap_err();
        assert_eq!(no_line.reason, "there is no program `no-such-program` on this machine");
    }
}
