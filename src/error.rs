//! Any failure of a run, as a kind, a chain of causes and hints; and the only place that knows exit codes.

use std::fmt;
use std::process::ExitCode;

use crate::backend::BackendError;
use crate::diagnostic::{Diagnostic, sentence};
use crate::outfile::Unwritten;
use crate::plan::saved::SavedError;
use crate::render::validation::Validation;
use crate::render::{Paint, Style, printable};
use crate::source::SourceError;
use crate::store::StoreError;
use crate::store::plan_file::PlanFileError;
use crate::ui::{Failure, NotConfirmed, Ui};
use crate::value::InvalidValue;

/// How a run ended, for whoever reads the exit code. A contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing differs.
    Done,
    /// An error in the configuration or in the use of wgform.
    Failed,
    /// There are changes or drift, and the code was to say so.
    Changes,
    /// A file is not laid out as it should be, and the code was to say so.
    Unformatted,
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
    const PRECEDENCE: [Self; 10] = [
        Self::Interrupted,
        Self::Partial,
        Self::Refused,
        Self::Stale,
        Self::Locked,
        Self::Failed,
        Self::Unreachable,
        Self::Changes,
        Self::Unformatted,
        Self::Done,
    ];

    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::Unformatted => 3,
            Self::Partial => 4,
            Self::Locked => 5,
            Self::Unreachable => 6,
            Self::Stale => 7,
            Self::Refused => 8,
            Self::Interrupted => 130,
        }
    }

    /// Returns its name for a program that reads it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Changes => "changes",
            Self::Unformatted => "unformatted",
            Self::Partial => "partial",
            Self::Locked => "locked",
            Self::Unreachable => "unreachable",
            Self::Stale => "stale",
            Self::Refused => "refused",
            Self::Interrupted => "interrupted",
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

    /// Returns its name for a program that reads it.
    fn word(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Declined => "declined",
            kind => kind.exit().word(),
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
pub struct Error(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    diagnostics: Vec<Diagnostic>,
    also: Vec<Error>,
}

impl Error {
    /// Says what was attempted and failed, in lower case and without a final period.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            diagnostics: Vec::new(),
            also: Vec::new(),
        }))
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
        let mut new = Self::new(Kind::Failed, String::new());
        new.0.diagnostics = diagnostics;
        new
    }

    /// Adds why it failed: an error and what caused it in turn.
    #[must_use]
    pub fn cause(mut self, cause: &dyn std::error::Error) -> Self {
        let mut next = Some(cause);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some libraries repeat their cause in their own message.
            let said = self.0.causes.last().unwrap_or(&self.0.message);
            if !said.ends_with(&text) {
                self.0.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// Adds why it failed, in words.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.0.causes.push(reason.into());
        self
    }

    /// Adds what to do; it is shown as a whole sentence.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// Says that it is of another kind than its module can know.
    #[must_use]
    pub fn of_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Adds a failure of the same run that has another cause.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.also.push(other);
        self
    }

    /// Returns what kind it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns how the run ends.
    pub fn exit(&self) -> Exit {
        self.0.also.iter().fold(self.0.kind.exit(), |exit, other| exit.or_worse(other.exit()))
    }

    /// Shows it.
    pub fn show(&self, ui: &Ui) {
        ui.diagnostics(&self.0.diagnostics);
        if let Some(failure) = self.failure(ui.talk_paint()) {
            ui.failure(&failure);
        }
        for other in &self.0.also {
            other.show(ui);
        }
    }

    /// Tells it to the reports only, for a command that prints a document of its own.
    pub fn tell(&self, ui: &Ui) {
        ui.tell_diagnostics(&self.0.diagnostics);
        if let Some(failure) = self.failure(Paint::PLAIN) {
            ui.tell_failure(&failure);
        }
        for other in &self.0.also {
            other.tell(ui);
        }
    }

    fn failure(&self, paint: Paint) -> Option<Failure> {
        let Parts { kind, message, causes, hints, diagnostics: _, also: _ } = &*self.0;
        let text = self.text(paint);
        let details = causes.iter().chain(hints).cloned().collect();
        (!text.is_empty()).then(|| Failure {
            kind: kind.word(),
            message: message.clone(),
            details,
            text,
        })
    }

    /// Returns it as the document of `validate -json`.
    pub fn validation(&self) -> Validation {
        let mut all = vec![self];
        let mut next = 0;
        while let Some(error) = all.get(next) {
            next += 1;
            all.extend(&error.0.also);
        }
        let diagnostics = all.iter().flat_map(|it| it.0.diagnostics.iter().cloned());
        let validation = Validation::new(&diagnostics.collect::<Vec<_>>());
        let failures = all.into_iter().filter(|it| !it.0.message.is_empty());
        failures.fold(validation, |validation, failure| {
            let Parts { message, causes, hints, .. } = &*failure.0;
            validation.and_failure(message, causes.iter().chain(hints).cloned())
        })
    }

    /// Returns the heading with the causes, and then the hints in a paragraph of their own; nothing for an error that
    /// consists of diagnostics.
    pub fn text(&self, paint: Paint) -> String {
        let Parts { kind, message, causes, hints, diagnostics: _, also: _ } = &*self.0;
        if message.is_empty() {
            return String::new();
        }
        let heading = format!("{}:", kind.heading());
        let mut text = format!("{} {}\n", paint.paint(Style::Error, heading), printable(message));
        for cause in causes {
            text += &format!("  cause: {}\n", indented(cause, 9));
        }
        for hint in hints {
            let help = paint.paint(Style::Bold, "help:");
            text += &format!("\n  {help} {}\n", indented(&sentence(hint), 8));
        }
        text
    }
}

/// Returns a text whose further lines stand under its first, that many columns in.
fn indented(text: &str, columns: usize) -> String {
    let text = printable(text);
    let mut lines = text.trim_end().lines();
    let mut indented = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        indented += format!("\n{:columns$}{line}", "").trim_end_matches(' ');
    }
    indented
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

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        let new = Self::from_error(Kind::Failed, &error);
        error.hint().into_iter().fold(new, Self::hint)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::Locked(_)
            | StoreError::DeviceLocked { .. }
            | StoreError::OwnerLives(_)
            | StoreError::OtherLock { .. }
            | StoreError::NamelessLock { .. } => Kind::Locked,
            _ => Kind::Failed,
        };
        error.hints().into_iter().fold(Self::from_error(kind, &error), Self::hint)
    }
}

impl From<PlanFileError> for Error {
    fn from(error: PlanFileError) -> Self {
        error.hints().into_iter().fold(Self::from_error(Kind::Failed, &error), Self::hint)
    }
}

impl From<SavedError> for Error {
    fn from(error: SavedError) -> Self {
        Self::from_error(Kind::Failed, &error).hint(error.hint())
    }
}

impl From<InvalidValue> for Error {
    fn from(error: InvalidValue) -> Self {
        let new = Self::new(Kind::Usage, error.to_string());
        error.get_hint().into_iter().fold(new, Self::hint)
    }
}

impl From<Unwritten> for Error {
    fn from(error: Unwritten) -> Self {
        Self::from_error(Kind::Failed, &error).hint(error.hint())
    }
}

impl From<NotConfirmed> for Error {
    fn from(error: NotConfirmed) -> Self {
        Self::not_confirmed(&error, "-auto-approve")
    }
}

impl Error {
    /// Says that nobody said yes, and which flag goes ahead without a question.
    pub fn not_confirmed(error: &NotConfirmed, flag: &str) -> Self {
        let new = Self::from_error(Kind::Declined, error);
        match error {
            NotConfirmed::NoTerminal | NotConfirmed::InputOff | NotConfirmed::Json => {
                new.hint(format!("To go ahead without a question, say `{flag}`."))
            }
            NotConfirmed::NotShown => {
                new.hint(format!("Look at it with `wgform plan`, or say `{flag}`."))
            }
            NotConfirmed::Declined | NotConfirmed::NoAnswer | NotConfirmed::Unreadable(_) => new,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::BackendError;
    use crate::diagnostic::Diagnostic;
    use crate::error::{Error, Exit, Kind};
    use crate::resource::BackendId;

    #[derive(Debug, thiserror::Error)]
    #[error("could not write the state: {source}")]
    struct Repeating {
        source: std::io::Error,
    }

    fn unreachable() -> BackendError {
        BackendError {
            backend: BackendId::new("hq"),
            attempt: "read the WireGuard interfaces".to_owned(),
            reason: "permission denied".to_owned(),
            hints: vec!["Run wgform as root.".to_owned()],
        }
    }

    #[test]
    fn an_error_is_a_heading_its_causes_and_its_hints() {
        assert_eq!(
            Error::from(unreachable()).hint("Or\n  wgform plan").to_string(),
            "Error: could not read the WireGuard interfaces on backend `hq`\n  \
               cause: permission denied\n\n  \
               help: Run wgform as root.\n\n  \
               help: Or\n          \
                       wgform plan\n"
        );
    }

    #[test]
    fn a_cause_is_said_once() {
        let error = Repeating { source: std::io::Error::other("disk full") };
        assert_eq!(
            Error::from_error(Kind::Failed, &error).to_string(),
            "Error: could not write the state: disk full\n"
        );
        let other = Error::new(Kind::Partial, "1 of 2 steps failed").cause(&error);
        assert_eq!(
            other.to_string(),
            "Applied in part: 1 of 2 steps failed\n  cause: could not write the state: disk full\n"
        );
    }

    #[test]
    fn words_of_a_device_cannot_drive_the_terminal() {
        let error = Error::new(Kind::Failed, "refused").because("\u{1b}[2Jgone\r");
        assert_eq!(error.to_string(), "Error: refused\n  cause: \u{fffd}[2Jgone\u{fffd}\n");
    }

    #[test]
    fn exit_codes_are_a_contract() {
        let codes = Exit::PRECEDENCE.map(Exit::code);
        assert_eq!(codes, [130, 4, 8, 7, 5, 1, 6, 2, 3, 0]);
        for (one, other, worse) in [
            (Exit::Changes, Exit::Unreachable, Exit::Unreachable),
            (Exit::Failed, Exit::Unreachable, Exit::Failed),
            (Exit::Partial, Exit::Interrupted, Exit::Interrupted),
            (Exit::Done, Exit::Changes, Exit::Changes),
            (Exit::Unformatted, Exit::Failed, Exit::Failed),
        ] {
            assert_eq!(one.or_worse(other), worse);
            assert_eq!(other.or_worse(one), worse);
        }
    }

    #[test]
    fn several_errors_end_with_the_worst() {
        let refused = Error::new(Kind::Refused, "3 peers would go");
        assert_eq!(Error::from(unreachable()).and(refused).exit(), Exit::Refused);
        let wrong = Error::diagnostics(vec![Diagnostic::error("x")]);
        assert_eq!((wrong.exit(), wrong.to_string()), (Exit::Failed, String::new()));
    }
}
