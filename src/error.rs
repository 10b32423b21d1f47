//! Any failure of a run, as a kind, a chain of causes and hints; and the only place that knows exit codes.

use std::fmt;
use std::process::ExitCode;

use crate::backend::BackendError;
use crate::diagnostic::Diagnostic;
use crate::render::{Paint, Style, printable};
use crate::ui::{NotConfirmed, Ui};
use crate::value::InvalidValue;

/// How a run ended, for whoever reads the exit code. A contract; 3 is kept for `fmt -check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing differs.
    Done,
    /// An error in the configuration or in the use of wgform.
    Failed,
    /// There are changes or drift, and the code was to say so.
    Changes,
    /// An apply was done in part.
    Partial,
    /// The lock is held.
    Locked,
    /// A backend was unreachable or refused.
    Unreachable,
    /// What was planned is no longer what is there.
    Stale,
    /// A guard refused.
    Refused,
    /// Interrupted, cleanly.
    Interrupted,
}

impl Exit {
    /// From what a script must know first to what may wait.
    const PRECEDENCE: [Self; 9] = [
        Self::Interrupted,
        Self::Partial,
        Self::Refused,
        Self::Stale,
        Self::Locked,
        Self::Failed,
        Self::Unreachable,
        Self::Changes,
        Self::Done,
    ];

    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::Partial => 4,
            Self::Locked => 5,
            Self::Unreachable => 6,
            Self::Stale => 7,
            Self::Refused => 8,
            Self::Interrupted => 130,
        }
    }

    /// Returns the one of the two that counts when both apply.
    #[must_use]
    pub fn or_worse(self, other: Self) -> Self {
        let either = Self::PRECEDENCE.into_iter().find(|it| *it == self || *it == other);
        either.unwrap_or(self)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What went wrong, as far as a heading and an exit code can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line makes no sense.
    Usage,
    /// The configuration makes no sense, or anything else that no other kind names.
    Failed,
    /// The prompt was not answered by `yes`.
    Declined,
    /// An apply was done in part.
    Partial,
    /// Another run holds the lock.
    Locked,
    /// A backend could not be reached, or refused.
    Unreachable,
    /// What was planned is no longer what is there.
    Stale,
    /// A guard refused.
    Refused,
    /// Ctrl-C.
    Interrupted,
}

impl Kind {
    /// Returns the word that the message starts with.
    fn heading(self) -> &'static str {
        match self {
            Self::Usage | Self::Failed | Self::Unreachable => "Error",
            Self::Declined => "Cancelled",
            Self::Partial => "Applied in part",
            Self::Locked => "Locked",
            Self::Stale => "Stale plan",
            Self::Refused => "Refused",
            Self::Interrupted => "Interrupted",
        }
    }

    /// Returns the exit code's meaning.
    pub fn exit(self) -> Exit {
        match self {
            Self::Usage | Self::Failed | Self::Declined => Exit::Failed,
            Self::Partial => Exit::Partial,
            Self::Locked => Exit::Locked,
            Self::Unreachable => Exit::Unreachable,
            Self::Stale => Exit::Stale,
            Self::Refused => Exit::Refused,
            Self::Interrupted => Exit::Interrupted,
        }
    }
}

/// A failure, with what to do about it. Never holds a secret.
#[derive(Debug, Clone)]
pub struct Error {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    diagnostics: Vec<Diagnostic>,
    also: Vec<Self>,
}

impl Error {
    /// Says what was attempted and failed, in lower case and without a final period.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            diagnostics: Vec::new(),
            also: Vec::new(),
        }
    }

    /// Takes an error of a module with all its causes.
    pub fn from_error(kind: Kind, error: &dyn std::error::Error) -> Self {
        let new = Self::new(kind, error.to_string());
        match error.source() {
            Some(source) => new.cause(source),
            None => new,
        }
    }

    /// Says that the user's files are wrong, and where.
    pub fn diagnostics(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics, ..Self::new(Kind::Failed, String::new()) }
    }

    /// Adds why it failed: an error and what caused it in turn.
    #[must_use]
    pub fn cause(mut self, cause: &dyn std::error::Error) -> Self {
        let mut next = Some(cause);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some libraries repeat their cause in their own message.
            let said = self.causes.last().unwrap_or(&self.message);
            if !said.ends_with(&text) {
                self.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// Adds why it failed, in words.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.causes.push(reason.into());
        self
    }

    /// Adds what to do, as a whole sentence.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a failure of the same run that has another cause.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.also.push(other);
        self
    }

    /// Returns what kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns how the run ends.
    pub fn exit(&self) -> Exit {
        self.also.iter().fold(self.kind.exit(), |exit, other| exit.or_worse(other.exit()))
    }

    /// Shows it.
    pub fn show(&self, ui: &Ui) {
        ui.diagnostics(&self.diagnostics);
        let text = self.text(ui.talk_paint());
        if !text.is_empty() {
            ui.talk(&text);
        }
        for other in &self.also {
            other.show(ui);
        }
    }

    /// Returns the heading with the causes, and then the hints in a paragraph of their own; nothing for an error that
    /// consists of diagnostics.
    pub fn text(&self, paint: Paint) -> String {
        let Self { kind, message, causes, hints, diagnostics: _, also: _ } = self;
        if message.is_empty() {
            return String::new();
        }
        let heading = format!("{}:", kind.heading());
        let mut text = format!("{} {}\n", paint.paint(Style::Error, heading), printable(message));
        for cause in causes {
            text += &format!("  cause: {}\n", indented(cause));
        }
        for hint in hints {
            let help = paint.paint(Style::Bold, "help:");
            text += &format!("\n  {help} {}\n", indented(hint));
        }
        text
    }
}

/// Returns a text whose further lines stand under its first.
fn indented(text: &str) -> String {
    printable(text).trim_end().replace('\n', "\n         ")
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Paint::PLAIN))
    }
}

impl From<BackendError> for Error {
    fn from(error: BackendError) -> Self {
        let BackendError { backend, attempt, reason, hints } = error;
        let message = format!("could not {attempt} on backend `{backend}`");
        let new = Self::new(Kind::Unreachable, message).because(reason);
        hints.into_iter().fold(new, Self::hint)
    }
}

impl From<InvalidValue> for Error {
    fn from(error: InvalidValue) -> Self {
        let new = Self::new(Kind::Usage, error.to_string());
        error.get_hint().into_iter().fold(new, Self::hint)
    }
}

impl From<NotConfirmed> for Error {
    fn from(error: NotConfirmed) -> Self {
        let new = Self::from_error(Kind::Declined, &error);
        match error {
            NotConfirmed::NoTerminal | NotConfirmed::InputOff => {
                new.hint("To go ahead without a question, say `-auto-approve`.")
            }
            NotConfirmed::Declined | NotConfirmed::NoAnswer | NotConfirmed::Unreadable(_) => new,
        }
    }
}
