//! The built program on a terminal: a pseudo-terminal whose screen a terminal emulator keeps. What is looked at is what
//! somebody would see, and at some places the bytes.

#![expect(clippy::disallowed_methods, reason = "these tests run the program")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command};

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::harness::{Project, program, words};

/// Scrolled lines that are kept.
const HISTORY: usize = 10_000;

/// The program on a terminal; it ends with this value.
struct Terminal {
    master: File,
    child: Child,
    screen: vt100::Parser,
    bytes: Vec<u8>,
}

impl Terminal {
    fn start(project: &Project, arguments: &str, (rows, columns): (u16, u16)) -> Self {
        Self::start_with(project, arguments, (rows, columns), &[("TERM", "xterm-256color")])
    }

    fn start_with(
        project: &Project,
        arguments: &str,
        (rows, columns): (u16, u16),
        environment: &[(&str, &str)],
    ) -> Self {
        let (master, slave) = pair();
        resize(&master, (rows, columns));
        let input = || File::from(slave.try_clone().unwrap());
        // It makes a session of its own with this terminal, so that Ctrl-C comes to it as from a keyboard.
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(program()).args(words(arguments));
        command.current_dir(project.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(environment.iter().copied());
        let child = command.stdin(input()).stdout(input()).stderr(input()).spawn().unwrap();
        // An emulator has no screen without rows or columns.
        let or = |size: u16, usual| if size == 0 { usual } else { size };
        let screen = vt100::Parser::new(or(rows, 24), or(columns, 80), HISTORY);
        Self { master: File::from(master), child, screen, bytes: Vec::new() }
    }

    /// Reads once; false at the end.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 512];
        match self.master.read(&mut buffer) {
            // The last one who had the other end has closed it.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                false
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            read => {
                let count = read.unwrap();
                self.screen.process(&buffer[..count]);
                self.bytes.extend_from_slice(&buffer[..count]);
                count > 0
            }
        }
    }

    /// Reads until the screen shows a text.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        while !self.shown().contains(text) {
            assert!(self.read(), "it ended without `{text}`:\n{}", self.shown());
        }
    }

    fn shown(&self) -> String {
        self.screen.screen().contents()
    }

    fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    fn resize(&mut self, (rows, columns): (u16, u16)) {
        resize(&self.master, (rows, columns));
        self.screen.screen_mut().set_size(rows, columns);
    }

    /// Reads to the end, and returns the exit code and all lines that are left, also those that have scrolled away.
    fn end(mut self) -> Ended {
        while self.read() {}
        let code = self.child.wait().unwrap().code();
        let cursor = self.screen.screen().cursor_position();
        let is_cursor_hidden = self.screen.screen().hide_cursor();
        let (_, columns) = self.screen.screen().size();
        // A window as high as everything that was written shows all of it.
        self.screen.screen_mut().set_scrollback(HISTORY);
        let scrolled = self.screen.screen().scrollback();
        let mut lines = Vec::new();
        for back in (1..=scrolled).rev() {
            self.screen.screen_mut().set_scrollback(back);
            lines.extend(self.screen.screen().rows(0, columns).next());
        }
        self.screen.screen_mut().set_scrollback(0);
        lines.extend(self.screen.screen().rows(0, columns));
        let text = lines.join("\n").trim_end().to_owned();
        Ended { code, text, column: cursor.1, is_cursor_hidden, bytes: self.bytes }
    }
}

#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    text: String,
    column: u16,
    is_cursor_hidden: bool,
    bytes: Vec<u8>,
}

impl Ended {
    /// Demands an exit code, and a terminal as a shell wants it, with nothing left of what was drawn meanwhile.
    #[track_caller]
    fn is_clean(&self, code: i32) {
        let Self { text, .. } = self;
        assert_eq!(
            (self.code, self.column, self.is_cursor_hidden),
            (Some(code), 0, false),
            "{text}"
        );
        for drawn in ["Applying", ": creating", "reading,"] {
            assert!(!text.contains(drawn), "`{drawn}` is left:\n{text}");
        }
    }

    #[track_caller]
    fn says(&self, line: &str) {
        assert!(self.text.lines().any(|it| it.starts_with(line)), "no `{line}`:\n{}", self.text);
    }
}

fn pair() -> (OwnedFd, OwnedFd) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(name, flags, Mode::empty()).unwrap();
    (master, slave)
}

fn resize(master: impl rustix::fd::AsFd, (ws_row, ws_col): (u16, u16)) {
    let size = Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).unwrap();
}

/// As many interfaces that an apply of them is seen drawing.
fn many() -> Project {
    let mut text = String::from("backend \"local\" \"hq\" {\n  simulate = true\n}\n");
    for number in 0..60 {
        text += &format!("interface \"i{number:03}\" {{\n  name = \"wg{number}\"\n}}\n");
    }
    Project::new(&text)
}

#[test]
fn a_bar_is_drawn_and_gone_at_the_end() {
    let project = many();
    let mut terminal = Terminal::start(&project, "apply -auto-approve", (24, 80));
    terminal.wait_for("/60");
    terminal.wait_for("  interface.i");
    let ended = terminal.end();
    ended.is_clean(0);
    ended.says("hq  local (simulated)  0 interfaces, 0 peers, ");
    ended.says("60 steps done in ");
    ended.says("Apply complete. Resources: 60 added");
}

#[test]
fn a_question_is_asked_below_everything_and_answered() {
    let project = Project::of_example("quickstart");
    let mut terminal = Terminal::start(&project, "apply", (24, 80));
    terminal.wait_for("Enter a value: ");
    terminal.press("yes\r");
    let ended = terminal.end();
    ended.is_clean(0);
    ended.says("Do you want to perform these actions?");
    ended.says("  Enter a value: yes");
    ended.says("9 steps done in ");
    ended.says("Apply complete. Resources: 5 added");
    let mut terminal = Terminal::start(&project, "destroy", (24, 80));
    terminal.wait_for("Enter a value: ");
    terminal.press("\u{4}");
    let ended = terminal.end();
    ended.is_clean(1);
    ended.says("Cancelled: nothing was done, because there was no answer");
}

#[test]
fn ctrl_c_wipes_the_bar_and_says_how_far_it_came() {
    let project = many();
    let mut terminal = Terminal::start(&project, "apply -auto-approve", (24, 80));
    terminal.wait_for("  interface.i0");
    terminal.press("\u{3}");
    terminal.wait_for("nothing new is started");
    let ended = terminal.end();
    ended.is_clean(130);
    ended.says("Apply interrupted.");
    ended.says("Interrupted: nothing new is started");
}

#[test]
fn a_terminal_that_becomes_narrow_is_still_drawn_on_and_wiped() {
    let project = many();
    let mut terminal = Terminal::start(&project, "apply -auto-approve", (24, 80));
    terminal.wait_for("  interface.i0");
    terminal.resize((12, 20));
    let since = terminal.bytes.len();
    let ended = terminal.end();
    ended.is_clean(0);
    ended.says("60 steps done in ");
    let later = String::from_utf8_lossy(&ended.bytes[since..]).into_owned();
    let drawn = later.split("\u{1b}[2K").last().unwrap();
    assert!(drawn.contains("60 steps done in "), "the last thing is wiped: {drawn:?}");
    // What was on its way when it became narrow may be as wide as before.
    let bars = later.split("\u{1b}[2K").skip(4).filter(|it| it.contains("/60"));
    assert!(bars.clone().count() > 0, "it draws on: {later:?}");
    bars.for_each(|bar| assert!(bar.lines().next().unwrap().chars().count() < 20, "{bar:?}"));
}

#[test]
fn a_terminal_without_a_size_gets_one() {
    for size in [(0, 0), (24, 0), (2, 20)] {
        let project = many();
        let mut terminal = Terminal::start(&project, "apply -auto-approve", size);
        terminal.wait_for("/60");
        let ended = terminal.end();
        ended.is_clean(0);
        ended.says("60 steps done in ");
    }
}

#[test]
fn a_dumb_terminal_and_a_ci_runner_get_lines_and_nothing_else() {
    let project = Project::of_example("quickstart");
    for environment in [("TERM", "dumb"), ("CI", "true")] {
        let environment = [environment, ("NO_COLOR", "1")];
        let terminal =
            Terminal::start_with(&project, "apply -auto-approve", (24, 80), &environment);
        let ended = terminal.end();
        ended.is_clean(0);
        ended.says("Refreshed backend `hq` (simulated): 0 interfaces, 0 peers, ");
        ended.says("interface.hq: created");
        assert!(!ended.bytes.contains(&0x1b), "{}", ended.text);
        Terminal::start(&project, "destroy -auto-approve", (24, 80)).end().is_clean(0);
    }
}

#[test]
fn without_colour_the_bar_is_drawn_all_the_same() {
    let environment = [("TERM", "xterm"), ("NO_COLOR", "1")];
    let project = many();
    let mut terminal =
        Terminal::start_with(&project, "apply -auto-approve", (24, 80), &environment);
    terminal.wait_for("━─");
    let ended = terminal.end();
    ended.is_clean(0);
    let text = String::from_utf8_lossy(&ended.bytes).into_owned();
    let codes = text.split('\u{1b}').skip(1);
    codes.for_each(|code| assert!(code.starts_with("[A") || code.starts_with("[2K"), "{code:?}"));
}

#[test]
fn a_backend_that_cannot_be_read_is_said_at_once_and_stays() {
    let project = Project::of_example("quickstart");
    project.add(
        "far.wg.hcl",
        "backend \"local\" \"far\" {\n  netns = \"wgform-no-such-namespace\"\n}\n\
         interface \"far\" {\n  backend = backend.far\n  listen_port = 1\n}\n",
    );
    let ended = Terminal::start(&project, "plan", (24, 80)).end();
    ended.is_clean(6);
    ended.says("Could not read backend `far`: could not ");
    ended.says("hq      local (simulated)  0 interfaces, 0 peers, ");
}
