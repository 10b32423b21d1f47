//! What an answer of a store means that is not the one that was hoped for, in words that show no secret.

use std::error::Error as _;

use object_store::client::{HttpError, HttpErrorKind};

use crate::store::remote::RemoteError;
use crate::store::remote::object::ObjectSettings;
use crate::value::Secret;

/// How much of a text of the store is shown.
const LONGEST: usize = 300;

/// What went wrong.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The object is not there.
    Absent,
    /// The condition of a write does not hold.
    Lost,
    /// Another request is on its way for the same object.
    Busy(String),
    /// Everything else.
    Other(RemoteError),
}

impl Trouble {
    pub(super) fn into_error(self) -> RemoteError {
        match self {
            Self::Absent => RemoteError::Refused("the bucket is not there".to_owned()),
            Self::Lost => RemoteError::Stale,
            Self::Busy(text) => RemoteError::Unreachable(text),
            Self::Other(error) => error,
        }
    }
}

/// Puts trouble into words, and takes secrets out of them.
#[derive(Clone)]
pub(super) struct Words {
    secrets: Vec<Secret>,
}

impl Words {
    pub(super) fn new(settings: &ObjectSettings) -> Self {
        let given = [&settings.secret, &settings.token];
        let from_environment = settings.environment.iter().filter(|(name, value)| {
            let parts = ["SECRET", "TOKEN", "KEY", "SAS", "PASSWORD"];
            // What is short is no secret, and would take letters out of words.
            value.expose().len() >= 8 && parts.iter().any(|part| name.contains(part))
        });
        let secrets = given
            .into_iter()
            .flatten()
            .cloned()
            .chain(from_environment.map(|(_, value)| value.clone()))
            .filter(|secret| !secret.expose().is_empty())
            .collect();
        Self { secrets }
    }

    pub(super) fn clean(&self, text: &str) -> String {
        let text = self
            .secrets
            .iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret.expose(), "*****"));
        let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match one_line.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &one_line[..end]),
            None => one_line,
        }
    }

    pub(super) fn trouble(&self, error: object_store::Error) -> Trouble {
        use object_store::Error;
        let text = error.to_string();
        match &error {
            _ if is_about_the_bucket(&text) => {
                Trouble::Other(RemoteError::Refused(self.said(&text, "the bucket is not there")))
            }
            Error::NotFound { .. } => Trouble::Absent,
            Error::Precondition { .. } | Error::NotModified { .. } => Trouble::Lost,
            // S3 says so, too, when another request for the object is on its way: then neither may have won.
            Error::AlreadyExists { .. } if text.contains("ConditionalRequestConflict") => {
                Trouble::Busy("another request for the same object was on its way".to_owned())
            }
            Error::AlreadyExists { .. } => Trouble::Lost,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Trouble::Other(
                RemoteError::Refused(self.said(&text, "the store does not accept the credentials")),
            ),
            Error::NotImplemented { .. } | Error::NotSupported { .. } => {
                Trouble::Other(RemoteError::Refused(self.clean(&text)))
            }
            _ => Trouble::Other(self.other(&error, &text)),
        }
    }

    /// Tells an error of the connection from an answer that says no.
    fn other(&self, error: &object_store::Error, text: &str) -> RemoteError {
        if let Some(status) = status(text) {
            let said = self.said(text, "the store answered");
            return match status {
                408 | 425 | 429 | 500 | 502..=599 => RemoteError::Unreachable(said),
                400..=499 => RemoteError::Refused(said),
                501 => RemoteError::Refused(format!("{said}; it knows no writes with a condition")),
                _ => RemoteError::Unclear(said),
            };
        }
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(http) = cause.downcast_ref::<HttpError>() {
                return self.connection(http);
            }
            source = cause.source();
        }
        if text.contains("metadata") || text.contains("token") || text.contains("redential") {
            return RemoteError::Refused(format!(
                "no credentials: {}",
                self.clean(&innermost(error).to_string())
            ));
        }
        RemoteError::Unclear(self.clean(text))
    }

    fn connection(&self, error: &HttpError) -> RemoteError {
        let cause = self.clean(&innermost(error).to_string());
        match error.kind() {
            HttpErrorKind::Timeout => {
                RemoteError::Unreachable("the store did not answer in time".to_owned())
            }
            HttpErrorKind::Connect if cause.contains("certificate") => {
                RemoteError::Refused(format!("its certificate is not believed: {cause}"))
            }
            HttpErrorKind::Decode => RemoteError::Unclear(cause),
            _ => RemoteError::Unreachable(cause),
        }
    }

    /// Takes out of a long error what the store itself says.
    fn said(&self, text: &str, head: &str) -> String {
        let between = |open: &str, close: &str| {
            let rest = &text[text.find(open)? + open.len()..];
            Some(rest[..rest.find(close)?].trim().to_owned())
        };
        let code = between("<Code>", "</Code>");
        let message =
            between("<Message>", "</Message>").or_else(|| between("<Details>", "</Details>"));
        let said = match (code, message, status(text)) {
            (Some(code), Some(message), _) => format!("{code}: {message}"),
            (Some(one), None, _) | (None, Some(one), _) => one,
            (None, None, Some(status)) => format!("status {status}"),
            (None, None, None) => return self.clean(text),
        };
        format!("{head}: {}", self.clean(&said))
    }
}

/// The error that all the others were made of.
fn innermost<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// The status in the text of an error: its type is not public.
fn status(text: &str) -> Option<u16> {
    let rest = &text[text.find("status code: ")? + "status code: ".len()..];
    rest.get(..3)?.parse().ok()
}

fn is_about_the_bucket(text: &str) -> bool {
    ["NoSuchBucket", "ContainerNotFound", "bucket does not exist", "UserProjectInvalid"]
        .iter()
        .any(|word| text.contains(word))
}
