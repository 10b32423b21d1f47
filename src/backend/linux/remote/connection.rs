//! One session with another host: a process, a shell at its far end, and one question at a time.

#![expect(clippy::disallowed_methods, reason = "this module runs `ssh`")]

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::backend::linux::remote::shell::{Script, Section, end_of_answer, opening, sections};
use crate::backend::linux::remote::ssh;
use crate::config::Ssh;
use crate::simulator::linux::call::Refusal;
use crate::world::World;

/// How long `ssh` may take to get there and log in, where its own limits do not end it.
const PATIENCE_AT_FIRST: Duration = Duration::from_secs(60);
/// How long what `ssh` said last may take to come through once it has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// So much of what `ssh` says is kept.
const LARGEST_COMPLAINT: usize = 16 * 1024;
/// An answer that is larger is not one of ours: ten thousand peers take two million bytes.
const LARGEST_ANSWER: usize = 256 * 1024 * 1024;

/// A session.
pub(crate) struct Connection {
    child: Child,
    input: Sender<Zeroizing<Vec<u8>>>,
    output: Receiver<Zeroizing<Vec<u8>>>,
    complaints: Receiver<String>,
    marker: String,
    patience: Duration,
}

impl Connection {
    /// Connects, and has the shell say what it is asked for at the beginning.
    pub(crate) fn open(
        ssh: &Ssh,
        world: &World,
        rights: &str,
    ) -> Result<(Self, Vec<Section>), Refusal> {
        let marker = world.new_id().simple().to_string();
        let mut command = Command::new("ssh");
        command.args(ssh::arguments(ssh, world));
        // A host needs to know nothing of what variables hold.
        let ours = |name: &str| name.starts_with("WGFORM_");
        command.env_clear().envs(world.environment.iter().filter(|(name, _)| !ours(name)));
        // It must not be ended by the Ctrl-C that is meant for us, in the middle of a change.
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| ssh::not_started(error.kind()))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Errno::PIPE.into());
        };
        let no_thread =
            |_| Refusal::said("no thread could be started", "raise the limit on processes");
        let mut connection = Self {
            child,
            input: writer(stdin).map_err(no_thread)?,
            output: reader(stdout).map_err(no_thread)?,
            complaints: listener(stderr).map_err(no_thread)?,
            marker,
            patience: PATIENCE_AT_FIRST,
        };
        let sections = connection.greet(ssh, rights)?;
        connection.patience = ssh.timeout;
        Ok((connection, sections))
    }

    fn greet(&mut self, ssh: &Ssh, rights: &str) -> Result<Vec<Section>, Refusal> {
        let mut script = Script::default();
        script.line(&opening(&self.marker)).line(rights);
        let mut answer = Zeroizing::new(String::new());
        match self.exchange_into(&script, &mut answer) {
            Ok(()) => Ok(sections(&answer, &self.marker)),
            Err(Errno::TIMEDOUT) => Err(Refusal::said(
                format!("the host did not let `ssh` in within {} s", self.patience.as_secs()),
                "check that it is up and not overloaded",
            )),
            Err(_) => {
                // They come when it has ended; one that goes on all the same is ended.
                let said = self.complaints.recv_timeout(LAST_WORDS).unwrap_or_default();
                _ = self.child.kill();
                let status = self.child.wait().ok().and_then(|status| status.code());
                Err(ssh::explain(ssh, &format!("{}\n{said}", *answer), status))
            }
        }
    }

    /// Lets one exchange take longer than usual.
    pub(crate) fn exchange_within(
        &mut self,
        script: &Script,
        longest: Duration,
    ) -> Result<Vec<Section>, Errno> {
        let usual = std::mem::replace(&mut self.patience, longest);
        self.patience = self.patience.max(usual);
        let answer = self.exchange(script);
        self.patience = usual;
        answer
    }

    /// Has a script done, and returns what its commands answered.
    ///
    /// # Errors
    /// `ECONNRESET` when the connection broke, `ETIMEDOUT` when nothing came for too long. What of the script was
    /// done is not known then, and the connection is of no more use.
    pub(crate) fn exchange(&mut self, script: &Script) -> Result<Vec<Section>, Errno> {
        let mut answer = Zeroizing::new(String::new());
        self.exchange_into(script, &mut answer)?;
        Ok(sections(&answer, &self.marker))
    }

    fn exchange_into(
        &mut self,
        script: &Script,
        answer: &mut Zeroizing<String>,
    ) -> Result<(), Errno> {
        self.input.send(script.sealed()).map_err(|_| Errno::CONNRESET)?;
        let end = end_of_answer(&self.marker);
        let mut bytes: Zeroizing<Vec<u8>> = Zeroizing::default();
        let result = loop {
            match self.output.recv_timeout(self.patience) {
                Ok(chunk) => append(&mut bytes, &chunk),
                Err(RecvTimeoutError::Timeout) => break Err(Errno::TIMEDOUT),
                Err(RecvTimeoutError::Disconnected) => break Err(Errno::CONNRESET),
            }
            if bytes.ends_with(end.as_bytes()) {
                break Ok(());
            }
            if bytes.len() > LARGEST_ANSWER {
                break Err(Errno::CONNRESET);
            }
        };
        *answer = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
        result
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Nothing is under way: whatever was asked was answered, or given up.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A buffer that grows by itself leaves copies behind.
fn append(bytes: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    if bytes.capacity() - bytes.len() < chunk.len() {
        let capacity = (bytes.len() + chunk.len()).next_power_of_two().max(64 * 1024);
        let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(chunk);
}

/// Writes from a thread of its own: a host that does not read must not keep us from giving up.
fn writer(mut stdin: ChildStdin) -> io::Result<Sender<Zeroizing<Vec<u8>>>> {
    let (sender, receiver) = channel::<Zeroizing<Vec<u8>>>();
    thread::Builder::new().spawn(move || {
        for bytes in receiver {
            if stdin.write_all(&bytes).and_then(|()| stdin.flush()).is_err() {
                return;
            }
        }
    })?;
    Ok(sender)
}

fn reader(mut stdout: ChildStdout) -> io::Result<Receiver<Zeroizing<Vec<u8>>>> {
    let (sender, receiver) = channel();
    thread::Builder::new().spawn(move || {
        let mut buffer = Zeroizing::new(vec![0; 64 * 1024]);
        loop {
            match stdout.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) if sender.send(Zeroizing::new(buffer[..count].to_vec())).is_ok() => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    })?;
    Ok(receiver)
}

/// Keeps the last of what `ssh` says, until it has ended.
fn listener(mut stderr: ChildStderr) -> io::Result<Receiver<String>> {
    let (sender, receiver) = channel();
    thread::Builder::new().spawn(move || {
        let (mut said, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = stderr.read(&mut buffer) {
            said.extend_from_slice(&buffer[..count]);
            let excess = said.len().saturating_sub(LARGEST_COMPLAINT);
            said.drain(..excess);
        }
        _ = sender.send(String::from_utf8_lossy(&said).into_owned());
    })?;
    Ok(receiver)
}
