//! A configuration directory of its own, and the built program run in it.
//!
//! The program is given an empty environment, no terminal, and what a test says it finds on standard input.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(unreachable_pub, reason = "each test binary has this as a module of its own")]
#![expect(clippy::disallowed_methods, reason = "these tests run programs and look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]

pub mod devices;

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;
use wgform::resource::BackendId;
use wgform::simulator::linux::SimulatedLinux;
use wgform::world::World;

/// A directory with a configuration, which goes with this value.
pub struct Project {
    directory: TempDir,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ran {
    pub arguments: String,
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Project {
    /// Makes one with this configuration.
    pub fn new(configuration: &str) -> Self {
        let project = Self { directory: tempfile::tempdir().unwrap() };
        project.configure(configuration);
        project
    }

    /// Makes a copy of a folder of `examples/`.
    pub fn of_example(name: &str) -> Self {
        let project = Self { directory: tempfile::tempdir().unwrap() };
        copy(&examples().join(name), project.path());
        // What somebody who tried the example left there is not part of it.
        for name in project.names() {
            let path = project.path().join(&name);
            if name == ".wgform" {
                fs::remove_dir_all(path).unwrap();
            } else if name.starts_with("wgform.state.json") {
                fs::remove_file(path).unwrap();
            }
        }
        project
    }

    /// Makes a copy with everything in it.
    pub fn fork(&self) -> Self {
        let project = Self { directory: tempfile::tempdir().unwrap() };
        copy(self.path(), project.path());
        project
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes the configuration anew.
    pub fn configure(&self, configuration: &str) {
        fs::write(self.path().join("main.wg.hcl"), configuration).unwrap();
    }

    /// Writes a file beside it.
    pub fn add(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Changes the configuration at one place, which must be there.
    pub fn edit(&self, old: &str, new: &str) {
        let path = self.path().join("main.wg.hcl");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "the configuration does not hold `{old}`");
        fs::write(path, text.replacen(old, new, 1)).unwrap();
    }

    /// Prepares a run of the program.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(program());
        command.args(words(arguments)).current_dir(self.path()).env_clear();
        // wireguard-go is looked for by its name.
        command.env("PATH", env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &str) -> Ran {
        Ran::of(arguments, self.command(arguments).output().unwrap())
    }

    /// Runs the program with something on standard input.
    pub fn run_with(&self, arguments: &str, input: &str) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Who asks nothing may be gone already.
        _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        Ran::of(arguments, child.wait_with_output().unwrap())
    }

    /// Starts the program, to be watched while it runs.
    pub fn start(&self, arguments: &str) -> Running {
        self.start_in(&[], arguments)
    }

    /// Does the same with these variables.
    pub fn start_in(&self, environment: &[(&str, &str)], arguments: &str) -> Running {
        // A file, because nobody reads a pipe for stdout while the other one is watched, and a full one stops a run.
        let stdout = tempfile::tempfile().unwrap();
        let mut command = self.command(arguments);
        command.envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(stdout.try_clone().unwrap());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let arguments = arguments.to_owned();
        Running { arguments, child: Some(child), stdout, stderr, said: String::new() }
    }

    /// Returns what a simulated host is made of.
    pub fn host(&self, backend: &str) -> Json {
        let path = self.path().join(format!(".wgform/simulated/{backend}.json"));
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    /// Comes to a simulated host past wgform, as somebody with a shell there would.
    pub fn enter(&self, backend: &str) -> SimulatedLinux {
        let world = World::new(BTreeMap::new(), self.path().to_owned(), now, |it| it.fill(7));
        SimulatedLinux::open(self.path(), &BackendId::new(backend), &world).unwrap()
    }

    pub fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.path()).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Returns the files beside the state that a run must not leave behind.
    pub fn left_over(&self) -> Vec<String> {
        let mut left: Vec<_> = self
            .names()
            .into_iter()
            .filter(|name| [".journal", ".lock", ".tmp"].iter().any(|end| name.ends_with(end)))
            .collect();
        left.sort();
        left
    }
}

impl Ran {
    pub fn of(arguments: &str, output: Output) -> Self {
        let Output { status, stdout, stderr } = output;
        Self {
            arguments: arguments.to_owned(),
            code: status.code(),
            signal: status.signal(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }

    /// Demands an exit code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Demands a text on stdout.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no `{text}` on stdout of {self}");
        self
    }

    /// Demands that a text is not on stdout.
    #[track_caller]
    pub fn says_no(self, text: &str) -> Self {
        assert!(!self.stdout.contains(text), "`{text}` on stdout of {self}");
        self
    }

    /// Demands a text on stderr.
    #[track_caller]
    pub fn tells(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no `{text}` on stderr of {self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { arguments, code, signal, stdout, stderr } = self;
        writeln!(f, "wgform {arguments}: code {code:?}, signal {signal:?}")?;
        write!(f, "-- stdout\n{stdout}\n-- stderr\n{stderr}")
    }
}

/// The program while it runs; it ends with this value.
pub struct Running {
    arguments: String,
    child: Option<Child>,
    stdout: File,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Returns what was read of stderr so far.
    pub fn said(&self) -> &str {
        &self.said
    }

    /// Reads stderr until it holds a text.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        while !self.said.contains(text) {
            let mut byte = [0];
            let count = self.stderr.read(&mut byte).unwrap();
            assert!(count == 1, "it ended without `{text}`: {}", self.said);
            self.said.push(char::from(byte[0]));
        }
    }

    pub fn answer(&mut self, line: &str) {
        let stdin = self.child.as_mut().unwrap().stdin.as_mut().unwrap();
        stdin.write_all(line.as_bytes()).unwrap();
    }

    /// Sends a signal, by its number.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn is_over(&mut self) -> bool {
        self.child.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    /// Sends a signal to a run that waits for an answer, and waits for the end. It reads no end of its input before.
    pub fn end_by(mut self, signal: rustix::process::Signal) -> Ran {
        self.signal(signal);
        let _stdin = self.child.as_mut().unwrap().stdin.take();
        self.end()
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ran {
        let mut child = self.child.take().unwrap();
        drop(child.stdin.take());
        let mut line = String::new();
        while self.stderr.read_line(&mut line).unwrap() > 0 {
            self.said += &std::mem::take(&mut line);
        }
        let mut output = child.wait_with_output().unwrap();
        self.stdout.rewind().unwrap();
        self.stdout.read_to_end(&mut output.stdout).unwrap();
        output.stderr = std::mem::take(&mut self.said).into_bytes();
        Ran::of(&self.arguments, output)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            _ = child.kill();
            _ = child.wait();
        }
    }
}

/// Tries something until it holds, for ten seconds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "still not so after ten seconds: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns the program that was built with this test. A virtual machine has it somewhere else.
pub fn program() -> PathBuf {
    env::var_os("WGFORM_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_wgform").into(), Into::into)
}

/// Returns the folder of the examples.
pub fn examples() -> PathBuf {
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    env::var_os("WGFORM_EXAMPLES").map_or_else(here, Into::into)
}

pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Takes a command line apart, with words in single quotes as a shell has them.
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), None::<String>, false);
    for c in line.chars() {
        match c {
            '\'' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !is_quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
