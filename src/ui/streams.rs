//! The three standard streams, as the process has them.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::fd::AsFd;
use rustix::process::getpgrp;
use rustix::termios::{tcgetpgrp, tcgetwinsize};

use crate::ui::live::Window;

/// Where output goes.
pub struct Output {
    /// What takes it.
    pub writer: Box<dyn Write + Send>,
    /// Whether somebody sees it at once.
    pub is_terminal: bool,
}

/// Standard input, output and error.
pub struct Streams {
    /// The result.
    pub stdout: Output,
    /// The talk.
    pub stderr: Output,
    /// Answers.
    pub stdin: Box<dyn BufRead + Send>,
    /// Whether somebody types them.
    pub stdin_is_terminal: bool,
    /// The columns of the terminal, if there is one.
    pub width: Option<usize>,
    /// What the terminal behind stderr is like at the moment.
    pub window: Box<dyn Fn() -> Window + Send>,
}

impl Streams {
    /// Takes the process's streams, and keeps stdout for itself: whatever else writes to descriptor 1 from now on, such
    /// as the library that talks to WireGuard, lands on stderr and cannot break a result.
    ///
    /// # Errors
    /// When descriptors cannot be duplicated.
    pub fn take() -> io::Result<Self> {
        let stdout_is_terminal = io::stdout().is_terminal();
        let width = terminal_width();
        // Above the standard three, and closed in programs that are started.
        let stdout = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?;
        rustix::stdio::dup2_stdout(io::stderr())?;
        let stdout = std::fs::File::from(stdout);
        Ok(Self {
            stdout: Output { writer: Box::new(stdout), is_terminal: stdout_is_terminal },
            stderr: Output {
                writer: Box::new(io::stderr()),
                is_terminal: io::stderr().is_terminal(),
            },
            stdin: Box::new(io::BufReader::new(io::stdin())),
            stdin_is_terminal: io::stdin().is_terminal(),
            width,
            window: Box::new(window),
        })
    }
}

/// Returns the columns of the first of the output streams that is a terminal and knows them.
fn terminal_width() -> Option<usize> {
    let columns = |fd: &dyn AsFd| tcgetwinsize(fd.as_fd()).ok().map(|it| it.ws_col);
    let (stderr, stdout) = (io::stderr(), io::stdout());
    let outputs: [&dyn AsFd; 2] = [&stderr, &stdout];
    outputs.into_iter().filter_map(columns).find(|&columns| columns > 0).map(usize::from)
}

/// Asks the terminal behind stderr each time: it may have another size by now, or belong to another program.
fn window() -> Window {
    let stderr = io::stderr();
    let size = tcgetwinsize(&stderr).ok();
    Window {
        columns: size.map(|it| it.ws_col.into()),
        rows: size.map(|it| it.ws_row.into()),
        // A terminal that is nobody's, as that of a container's first process, is not somebody else's.
        is_ours: tcgetpgrp(&stderr).map_or(true, |group| group == getpgrp()),
    }
}
