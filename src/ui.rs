//! The terminal: the only place that prints and the only one that asks.
//!
//! stdout is the result, stderr the talk. Everything that is written here was made into text elsewhere; whether it may
//! have colour, and how wide it may be, is asked of [`Ui`] before.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::diagnostic::{Diagnostic, Severity};
use crate::event::Event;
use crate::render::{Look, Paint, Style, compact_warnings, diagnostics, printable};
use crate::ui::live::Live;
use crate::ui::progress::{Mode, Progress};
use crate::ui::reports::Reports;

pub mod interrupt;
pub mod panics;
pub mod streams;
pub mod capture;
pub mod live;
pub mod reports;
mod progress;
mod telling;

pub use capture::Captured;
pub use interrupt::Interrupt;
pub use reports::Destinations;
pub use streams::Streams;
pub use telling::Failure;

/// The terminal of this run. Clones share it.
#[derive(Clone)]
pub struct Ui {
    inner: Arc<Mutex<Inner>>,
    /// Apart from what is written to the terminal, because a prompt holds that until there is an answer. Whoever needs both
    /// takes this one first.
    reports: Arc<Mutex<Reports>>,
    result: Paint,
    talk: Paint,
    unicode: bool,
    is_verbose: bool,
    compact_warnings: bool,
    /// Whether lines are drawn over and over.
    is_live: bool,
    stdin_is_terminal: bool,
    width: usize,
}

struct Inner {
    streams: Streams,
    progress: Progress,
    live: Live,
    /// When that was last drawn.
    drawn: Option<Timestamp>,
    /// The first failure of stdout; nothing more is written there after it.
    result_failed: Option<io::Error>,
}

/// What the command line says about the terminal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// `-no-color`.
    pub no_color: bool,
    /// `-v`.
    pub is_verbose: bool,
    /// `-compact-warnings`.
    pub compact_warnings: bool,
}

/// Whether a question may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// It may.
    Allowed,
    /// `-input=false`.
    Off,
}

/// A question was not answered by `yes`.
#[derive(Debug, thiserror::Error)]
pub enum NotConfirmed {
    /// By something else.
    #[error("nothing was done, because the answer was not `yes`")]
    Declined,
    /// By the end of the input, on a terminal.
    #[error("nothing was done, because there was no answer")]
    NoAnswer,
    /// By nobody, because standard input is no terminal and holds nothing.
    #[error("nothing was done, because standard input is not a terminal and holds no answer")]
    NoTerminal,
    /// It was not asked.
    #[error("nothing was done, because `-input=false` forbids to ask")]
    InputOff,
    /// It was not asked, because standard output belongs to another program.
    #[error("nothing was done, because nobody is asked with `-json`")]
    Json,
    /// By nobody, because what it is about could not be shown.
    #[error("nothing was done, because not all of the plan could be shown")]
    NotShown,
    /// Standard input cannot be read.
    #[error("could not read the answer")]
    Unreadable(#[source] io::Error),
}

/// The width of what is no terminal: long enough for most lines, short enough to be read in a browser.
const DEFAULT_WIDTH: usize = 100;

/// More often than that nobody can read.
const REDRAW: SignedDuration = SignedDuration::from_millis(100);

impl Ui {
    /// Takes over the streams.
    pub fn new(streams: Streams, environment: &BTreeMap<String, String>, options: Options) -> Self {
        let is_live = streams.stderr.is_terminal && can_redraw(environment);
        let mode = if is_live { Mode::Live } else { Mode::Plain };
        let colour =
            |is_terminal| Paint { colour: has_colour(is_terminal, environment, options.no_color) };
        Self {
            result: colour(streams.stdout.is_terminal),
            talk: colour(streams.stderr.is_terminal),
            unicode: has_unicode(environment),
            is_verbose: options.is_verbose,
            compact_warnings: options.compact_warnings,
            is_live,
            stdin_is_terminal: streams.stdin_is_terminal,
            width: streams.width.unwrap_or(DEFAULT_WIDTH),
            reports: Arc::new(Mutex::new(Reports::none())),
            inner: Arc::new(Mutex::new(Inner {
                streams,
                progress: Progress::new(mode),
                live: Live::default(),
                drawn: None,
                result_failed: None,
            })),
        }
    }

    /// Returns how to colour what goes to [`Ui::result`].
    pub fn result_paint(&self) -> Paint {
        self.result
    }

    /// Returns how to colour what goes to [`Ui::talk`].
    pub fn talk_paint(&self) -> Paint {
        self.talk
    }

    /// Writes the result, on stdout; nothing where that belongs to the stream of `-json`. A reader that has gone away is no
    /// failure: the run goes on without it.
    pub fn result(&self, text: &str) {
        if !self.is_stream() {
            self.lock().result(text);
        }
    }

    /// Writes what accompanies the result, on stderr.
    pub fn talk(&self, text: &str) {
        self.lock().say_alone(&line(text));
    }

    /// Writes a warning that has no place in a file. It has words of others in it, which a terminal does not obey.
    pub fn warn(&self, text: &str) {
        let text = &printable(text);
        if !self.tell_warning(text) {
            self.talk(&format!("{} {text}", self.talk.paint(Style::Warning, "Warning:")));
        }
    }

    /// Writes what is of interest only with `-v`.
    pub fn detail(&self, text: &str) {
        if self.is_verbose {
            self.talk(&self.talk.paint(Style::Dim, text));
        }
    }

    /// Draws diagnostics, or lists them when they are warnings and shall be short; nothing for none.
    pub fn diagnostics(&self, found: &[Diagnostic]) {
        if self.tell_diagnostics(found) {
            return;
        }
        let look = Look { width: self.width, colour: self.talk.colour, unicode: self.unicode };
        let has_error = found.iter().any(|it| it.severity == Severity::Error);
        let text = match self.compact_warnings && !has_error {
            true => compact_warnings(found),
            false => diagnostics(found, look),
        };
        if !text.is_empty() {
            self.talk(&text);
        }
    }

    /// Shows what happens: a terminal draws over what it showed before, and anything else gets lines.
    pub fn event(&self, event: &Event, now: Timestamp) {
        if self.tell_event(event, now) {
            return;
        }
        let mut inner = self.lock();
        if let Some(text) = inner.progress.take(event, now) {
            inner.say_alone(&line(&text));
        }
        // The step that comes next is started in the same instant, and a picture without it would be the one that stays.
        if !event.ends_a_step() {
            self.draw(&mut inner, now);
        }
    }

    /// Shows that time passes, to be called a few times a second while something is waited for.
    pub fn tick(&self, now: Timestamp) {
        if self.tell_tick(now) {
            return;
        }
        let mut inner = self.lock();
        if self.is_live {
            self.draw(&mut inner, now);
        } else if let Some(text) = inner.progress.heartbeat(now) {
            inner.say(&line(&text));
        }
    }

    /// Starts to draw anew further down, after the shell has had the terminal.
    pub fn resumed(&self) {
        self.lock().live.forget();
    }

    fn draw(&self, inner: &mut Inner, now: Timestamp) {
        let is_due = inner.drawn.is_none_or(|drawn| now.duration_since(drawn).abs() >= REDRAW);
        if !self.is_live || !is_due {
            return;
        }
        let window = (inner.streams.window)();
        let lines = inner.progress.lines(window, self.unicode, now);
        inner.drawn = if lines.is_empty() { None } else { Some(now) };
        let text = inner.live.draw(&lines, window, self.talk);
        inner.say(&text);
    }

    /// Asks, and accepts nothing but `yes`. An answer may also be piped in.
    ///
    /// # Errors
    /// When the answer is another one, or there is none.
    pub fn confirm(&self, question: &str, input: Input) -> Result<(), NotConfirmed> {
        if input == Input::Off {
            return Err(NotConfirmed::InputOff);
        }
        if self.is_stream() {
            return Err(NotConfirmed::Json);
        }
        let mut inner = self.lock();
        inner.wipe();
        if inner.result_failed.is_some() {
            // `wgform apply | head` has cut off what the answer would be about.
            return Err(NotConfirmed::NotShown);
        }
        let prompt = self.talk.paint(Style::Bold, "Enter a value:");
        let question = self.talk.paint(Style::Bold, question);
        inner.say(&format!("{question}\n  Only `yes` is accepted as a yes.\n\n  {prompt} "));
        let mut answer = String::new();
        // Bounded, because standard input may be anything.
        let mut stdin = inner.streams.stdin.as_mut().take(1024);
        let read = stdin.read_line(&mut answer);
        if !self.stdin_is_terminal || !answer.ends_with('\n') {
            // Nobody's Enter has ended the line of the prompt.
            inner.say("\n");
        }
        match read {
            Ok(0) if self.stdin_is_terminal => Err(NotConfirmed::NoAnswer),
            Ok(0) => Err(NotConfirmed::NoTerminal),
            Ok(_) if answer.trim() == "yes" => Ok(()),
            Ok(_) => Err(NotConfirmed::Declined),
            // Not text, so not a yes.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(NotConfirmed::Declined),
            Err(error) => Err(NotConfirmed::Unreadable(error)),
        }
    }

    /// Returns whether somebody types what is read.
    pub fn is_typed(&self) -> bool {
        self.stdin_is_terminal
    }

    /// Reads a line with its end, after a prompt where somebody types it; none at the end of the input. What is longer
    /// than `most` bytes comes in parts.
    ///
    /// # Errors
    /// When standard input cannot be read.
    pub fn line(&self, prompt: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
        let mut inner = self.lock();
        inner.wipe();
        if self.stdin_is_terminal {
            inner.say(prompt);
        }
        let mut line = Vec::new();
        inner.streams.stdin.as_mut().take(most).read_until(b'\n', &mut line)?;
        if self.stdin_is_terminal && !line.ends_with(b"\n") {
            // Nobody's Enter has ended the line of the prompt.
            inner.say("\n");
        }
        Ok(Some(line).filter(|line| !line.is_empty()))
    }

    /// Reads standard input to its end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn input(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.lock().streams.stdin.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Ends the run's output.
    ///
    /// # Errors
    /// When the result could not be written, a full disk for example. That its reader has gone is not an error, as
    /// with other Unix tools: `wgform plan | head` ends in peace.
    pub fn finish(&self) -> io::Result<()> {
        let mut inner = self.lock();
        inner.wipe();
        match inner.result_failed.take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                // What is said of it cannot be said there.
                inner.result_failed = Some(error.kind().into());
                Err(error)
            }
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while writing leaves at worst half a line.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Writes to stdout.
    fn result(&mut self, text: &str) {
        self.wipe();
        if self.result_failed.is_none()
            && let Err(error) = write(&mut self.streams.stdout.writer, &line(text))
        {
            self.result_failed = Some(error);
        }
    }

    /// Writes to stderr. When even that fails there is nobody left to tell.
    fn say(&mut self, text: &str) {
        if !text.is_empty() {
            let _ = write(&mut self.streams.stderr.writer, text);
        }
    }

    /// Writes to stderr what is no part of what is drawn there.
    fn say_alone(&mut self, text: &str) {
        let wiped = self.wiped();
        // In one piece, so that nothing flickers.
        self.say(&(wiped + text));
    }

    fn wipe(&mut self) {
        let wiped = self.wiped();
        self.say(&wiped);
    }

    fn wiped(&mut self) -> String {
        if !self.live.is_drawn() {
            return String::new();
        }
        self.live.wipe((self.streams.window)())
    }
}

fn write(writer: &mut dyn Write, text: &str) -> io::Result<()> {
    writer.write_all(text.as_bytes())?;
    writer.flush()
}

/// Returns a text that ends its line.
fn line(text: &str) -> String {
    let text = text.to_owned();
    if text.ends_with('\n') { text } else { text + "\n" }
}

/// Decides on colour: the flag, then what users set for all their programs, then what is there.
fn has_colour(is_terminal: bool, environment: &BTreeMap<String, String>, no_color: bool) -> bool {
    let is_set = |name| value_of(environment, name).is_some();
    if no_color || is_set("NO_COLOR") {
        return false;
    }
    if is_set("CLICOLOR_FORCE") && value_of(environment, "CLICOLOR_FORCE") != Some("0") {
        return true;
    }
    is_terminal && value_of(environment, "TERM") != Some("dumb")
}

/// Decides on lines that are drawn over and over. The log of a CI runner keeps all of them, even where it plays a terminal.
fn can_redraw(environment: &BTreeMap<String, String>) -> bool {
    let is_ci = value_of(environment, "CI").is_some_and(|it| it != "false");
    value_of(environment, "TERM") != Some("dumb") && !is_ci
}

/// Decides on the characters that boxes are drawn with. A CI runner seldom sets a locale and always shows UTF-8, so only
/// a locale that says otherwise, or a terminal without such a font, is drawn in ASCII.
fn has_unicode(environment: &BTreeMap<String, String>) -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let locale = names.into_iter().find_map(|name| value_of(environment, name));
    let locale = locale.map(str::to_ascii_lowercase);
    let is_utf8 = locale.is_none_or(|locale| locale.contains("utf-8") || locale.contains("utf8"));
    is_utf8 && !matches!(value_of(environment, "TERM"), Some("dumb" | "linux"))
}

fn value_of<'a>(environment: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{self, BufReader, Read, Write};

    use jiff::{SignedDuration, Timestamp};

    use crate::event::Event;
    use crate::ui::live::Window;
    use crate::ui::streams::Output;
    use crate::ui::{Captured, Input, NotConfirmed, Options, Streams, Ui, has_colour, has_unicode};

    fn environment(text: &str) -> BTreeMap<String, String> {
        let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn ui(streams: Streams) -> Ui {
        Ui::new(streams, &BTreeMap::new(), Options::default())
    }

    #[test]
    fn colour_is_what_the_user_asked_for_and_otherwise_what_the_terminal_takes() {
        for (is_terminal, variables, flag, expected) in [
            (true, "", false, true),
            (false, "", false, false),
            (true, "", true, false),
            (true, "NO_COLOR=1", false, false),
            (true, "NO_COLOR=", false, true),
            (true, "TERM=dumb", false, false),
            (false, "CLICOLOR_FORCE=1", false, true),
            (false, "CLICOLOR_FORCE=0", false, false),
            (true, "CLICOLOR_FORCE=1 NO_COLOR=1", false, false),
            (true, "CLICOLOR_FORCE=1", true, false),
        ] {
            let colour = has_colour(is_terminal, &environment(variables), flag);
            assert_eq!(colour, expected, "{is_terminal} {variables} {flag}");
        }
    }

    #[test]
    fn only_a_locale_or_a_terminal_that_cannot_gets_ascii() {
        for (variables, expected) in [
            ("", true),
            ("LANG=C.UTF-8", true),
            ("LANG=de_DE.utf8", true),
            ("LANG=C", false),
            ("LANG=C.UTF-8 LC_ALL=POSIX", false),
            ("LANG=C LC_ALL=", false),
            ("TERM=linux", false),
        ] {
            assert_eq!(has_unicode(&environment(variables)), expected, "{variables}");
        }
    }

    #[test]
    fn the_result_and_the_talk_do_not_mix() {
        let (streams, stdout, stderr) = Streams::in_memory("");
        let ui = ui(streams);
        ui.talk("reading");
        ui.result("plan\n");
        ui.warn("no lock");
        ui.detail("only with -v");
        assert_eq!(stdout.take(), "plan\n");
        assert_eq!(stderr.take(), "reading\nWarning: no lock\n");
        ui.finish().unwrap();
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms)
    }

    fn on_terminal(
        stdin: &str,
        environment: &BTreeMap<String, String>,
    ) -> (Ui, Captured, Captured) {
        let (mut streams, stdout, stderr) = Streams::in_memory(stdin);
        streams.stderr.is_terminal = true;
        streams.stdin_is_terminal = true;
        streams.window = Box::new(|| Window { columns: Some(40), rows: Some(24), is_ours: true });
        (
            Ui::new(streams, environment, Options { no_color: true, ..Options::default() }),
            stdout,
            stderr,
        )
    }

    #[test]
    fn what_is_drawn_is_wiped_before_anything_else_is_written() {
        let (ui, stdout, stderr) = on_terminal("yes\n", &BTreeMap::new());
        ui.event(&Event::ApplyStarted { steps: 2 }, at(0));
        let bar = "Applying ────────────────────────  0/2\n";
        assert_eq!(stderr.take(), bar);
        ui.tick(at(99));
        assert_eq!(stderr.take(), "", "it is drawn ten times a second at most");
        ui.tick(at(100));
        assert_eq!(stderr.take(), format!("\r\u{1b}[A\u{1b}[2K{bar}"));
        ui.result("one");
        assert_eq!((stdout.take(), stderr.take()), ("one\n".into(), "\r\u{1b}[A\u{1b}[2K".into()));
        ui.tick(at(200));
        ui.talk("two");
        assert_eq!(stderr.take(), format!("{bar}\r\u{1b}[A\u{1b}[2Ktwo\n"));
        ui.tick(at(300));
        ui.confirm("Go ahead?", Input::Allowed).unwrap();
        let asked = stderr.take();
        assert!(asked.starts_with(&format!("{bar}\r\u{1b}[A\u{1b}[2KGo ahead?\n")), "{asked:?}");
        ui.tick(at(400));
        ui.resumed();
        ui.tick(at(500));
        assert_eq!(stderr.take(), format!("{bar}{bar}"), "the shell was there in between");
        ui.finish().unwrap();
        assert_eq!(stderr.take(), "\r\u{1b}[A\u{1b}[2K");
    }

    #[test]
    fn nothing_is_drawn_where_every_line_stays() {
        for variables in ["TERM=dumb", "CI=true TERM=xterm"] {
            let (ui, _, stderr) = on_terminal("", &environment(variables));
            ui.event(&Event::ApplyStarted { steps: 2 }, at(0));
            ui.tick(at(1_000));
            assert_eq!(stderr.take(), "", "{variables}");
            ui.tick(at(10_000));
            assert_eq!(stderr.take(), "0 of 2 steps ended\n", "{variables}");
        }
    }

    #[test]
    fn only_yes_is_a_yes() {
        for (answer, is_yes) in [
            ("yes\n", true),
            ("yes", true),
            (" yes \r\n", true),
            ("y\n", false),
            ("YES\n", false),
            ("\n", false),
            ("yes please\n", false),
        ] {
            let (streams, _, stderr) = Streams::in_memory(answer);
            let answered = ui(streams).confirm("Go ahead?", Input::Allowed);
            assert_eq!(answered.is_ok(), is_yes, "{answer:?}");
            if !is_yes {
                assert!(matches!(answered, Err(NotConfirmed::Declined)), "{answer:?}");
            }
            assert_eq!(
                stderr.take(),
                "Go ahead?\n  Only `yes` is accepted as a yes.\n\n  Enter a value: \n"
            );
        }
    }

    #[test]
    fn no_answer_has_its_reason() {
        let ask = |streams, input| ui(streams).confirm("Go ahead?", input).unwrap_err().to_string();
        let (streams, ..) = Streams::in_memory("");
        assert_eq!(
            ask(streams, Input::Allowed),
            "nothing was done, because standard input is not a terminal and holds no answer"
        );
        let (mut streams, ..) = Streams::in_memory("");
        streams.stdin_is_terminal = true;
        assert_eq!(ask(streams, Input::Allowed), "nothing was done, because there was no answer");
        let (streams, _, stderr) = Streams::in_memory("yes\n");
        assert_eq!(
            ask(streams, Input::Off),
            "nothing was done, because `-input=false` forbids to ask"
        );
        assert_eq!(stderr.take(), "", "no prompt is shown");
    }

    #[test]
    fn an_answer_that_is_not_text_or_never_ends_is_no_yes() {
        // Whoever reads on and on comes to the failure at its end.
        let endless = io::repeat(b'y').take(100_000).chain(Failing(io::ErrorKind::Other));
        for answer in
            [Box::new(b"\xff\xfe\n".as_slice()) as Box<dyn Read + Send>, Box::new(endless)]
        {
            let (mut streams, ..) = Streams::in_memory("");
            streams.stdin = Box::new(BufReader::new(answer));
            let answered = ui(streams).confirm("Go ahead?", Input::Allowed);
            assert!(matches!(answered, Err(NotConfirmed::Declined)));
        }
    }

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
    }

    #[test]
    fn nobody_is_asked_about_what_could_not_be_shown() {
        for kind in [io::ErrorKind::BrokenPipe, io::ErrorKind::StorageFull] {
            let (mut streams, _, stderr) = Streams::in_memory("yes\n");
            streams.stdout = Output { writer: Box::new(Failing(kind)), is_terminal: false };
            let ui = ui(streams);
            ui.result("the plan");
            let answered = ui.confirm("Go ahead?", Input::Allowed);
            assert!(matches!(answered, Err(NotConfirmed::NotShown)));
            assert_eq!(stderr.take(), "");
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure_and_a_full_disk_is() {
        let finish = |kind| {
            let (mut streams, _, stderr) = Streams::in_memory("");
            streams.stdout = Output { writer: Box::new(Failing(kind)), is_terminal: false };
            let ui = ui(streams);
            ui.result("one");
            ui.result("two");
            ui.talk("still here");
            assert_eq!(stderr.take(), "still here\n");
            ui.finish()
        };
        finish(io::ErrorKind::BrokenPipe).unwrap();
        assert_eq!(
            finish(io::ErrorKind::StorageFull).unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
    }
}
