//! The arguments that every backend has that is asked over HTTP: where it is, who asks, and whom to believe. They are
//! checked before anybody is asked.

use std::time::Duration;

use crate::config::block::{BackendArguments, Expr};
use crate::config::decode::{command, secret_in_command};
use crate::config::evaluator::run::Run;
use crate::config::evaluator::settings::unknown;
use crate::config::expression::{Evaluated, Failures, both, poisoned, wrong_type};
use crate::config::{Password, Tls};
use crate::diagnostic::{Diagnostic, Span, sentence};
use crate::value::{Secret, parse_seconds};

impl Run<'_> {
    /// Evaluates an argument; an empty one is as good as none.
    pub(super) fn text_of(
        &self,
        block: BackendArguments<'_>,
        name: &'static str,
    ) -> Evaluated<Option<String>> {
        let Some(expr) = block.get(name) else { return Ok(None) };
        Ok(self.string(expr, &format!("`{name}`"))?.filter(|text| !text.is_empty()))
    }

    /// Evaluates an argument; null is as good as none.
    pub(super) fn flag_of(
        &self,
        block: BackendArguments<'_>,
        name: &str,
        default: bool,
    ) -> Evaluated<bool> {
        let name_shown = format!("`{name}`");
        match block.get(name) {
            Some(expr) if !self.known_value(expr, &name_shown).is_ok_and(|it| it.is_null()) => {
                self.flag(expr, &name_shown)
            }
            _ => Ok(default),
        }
    }

    /// Evaluates `api_url`; the example is one of such a device.
    pub(super) fn url(&self, block: BackendArguments<'_>, example: &str) -> Evaluated<String> {
        // One that is not written was reported when the block was read.
        let Some(expr) = block.get("api_url") else { return poisoned() };
        let text = self.text_of(block, "api_url")?.unwrap_or_default();
        let help = format!(
            "Write it as \"{example}\", with the port of the service when it has another one."
        );
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let Some(rest) = rest.filter(|rest| !rest.is_empty() && !rest.starts_with('/')) else {
            let label = "this is neither an `https` nor an `http` URL";
            return Err(invalid(expr, label, &help));
        };
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            let label = "there is a user in this URL";
            return Err(invalid(expr, label, "Write them as `api_user` and `api_password`."));
        }
        if rest.contains(|c: char| c.is_whitespace() || c.is_control() || "?#\"\\".contains(c)) {
            return Err(invalid(expr, "this is not the URL of a device", &help));
        }
        Ok(text)
    }

    /// Evaluates `api_user`; none when it is not written.
    pub(super) fn user(&self, block: BackendArguments<'_>) -> Evaluated<Option<String>> {
        let Some(expr) = block.get("api_user") else { return Ok(None) };
        match self.text_of(block, "api_user")? {
            // What is before the first colon is the user, for the device too.
            Some(user) if !user.contains(|c: char| c == ':' || c.is_control()) => Ok(Some(user)),
            Some(_) => Err(invalid(
                expr,
                "this is not the name of a user",
                "It has no colon, which ends a user's name in HTTP.",
            )),
            None => {
                Err(invalid(expr, "there is no user", "Write the name of a user of the device."))
            }
        }
    }

    /// Evaluates a secret that is written, or printed by a program; none when it is neither.
    pub(super) fn password(
        &self,
        block: BackendArguments<'_>,
        name: &'static str,
        command: &'static str,
    ) -> Evaluated<Option<Password>> {
        let given = self.sendable(block, name);
        let asked = self.password_command(block, command);
        let (given, asked) = both(given, asked)?;
        match (given, asked) {
            (given, None) => Ok(given.map(|it| Password::Given(Secret::new(it)))),
            (None, Some((_, argv))) => Ok(Some(Password::Asked(argv))),
            (Some(_), Some((at, _))) => Err(vec![
                Diagnostic::error("two places for one secret")
                    .label(&at, format!("there is an `{name}` too"))
                    .help(format!("Write `{name}` or `{command}`, not both.")),
            ]),
        }
    }

    /// Evaluates a secret; one that cannot be sent as it is, such as that of a whole file, would only be refused.
    fn sendable(
        &self,
        block: BackendArguments<'_>,
        name: &'static str,
    ) -> Evaluated<Option<String>> {
        let text = self.text_of(block, name)?;
        let is_sent = |c: char| !c.is_control() && (name != "api_key" || c.is_ascii());
        match (&text, block.get(name)) {
            (Some(text), Some(expr)) if !text.chars().all(is_sent) => Err(invalid(
                expr,
                "there is a line break in this, or another character that cannot be sent",
                &format!(
                    "A file mostly ends with a line break: write `{name} = trimspace(file(…))`."
                ),
            )),
            _ => Ok(text),
        }
    }

    /// Evaluates the program that is asked for a secret, with its place.
    fn password_command(
        &self,
        block: BackendArguments<'_>,
        name: &'static str,
    ) -> Evaluated<Option<(Span, Vec<String>)>> {
        let shown = format!("`{name}`");
        let Some(expr) = block.get(name) else { return Ok(None) };
        let value = self.known_value(expr, &shown)?;
        if value.is_null() {
            return Ok(None);
        }
        if value.is_unknown_anywhere() {
            return Err(vec![unknown(&expr.span(), &shown)]);
        }
        if value.is_sensitive_anywhere() {
            return Err(vec![secret_in_command(&expr.span())]);
        }
        let help = "Write it as `[\"pass\", \"show\", \"branch\"]`.";
        match command(&value, expr.expression.is_str()) {
            Some(Ok(argv)) => Ok(Some((expr.span(), argv))),
            Some(Err(error)) => {
                let hint = error.get_hint().filter(|_| value.to_text().is_some()).map(sentence);
                Err(invalid(expr, &error.to_string(), hint.as_deref().unwrap_or(help)))
            }
            None => {
                let problem = wrong_type(&expr.span(), &shown, "a list of strings", &value);
                Err(vec![problem.help(help)])
            }
        }
    }

    /// Evaluates `api_timeout`.
    pub(super) fn api_timeout(
        &self,
        block: BackendArguments<'_>,
        default: Duration,
    ) -> Evaluated<Duration> {
        let text = self.text_of(block, "api_timeout")?;
        let (Some(expr), Some(text)) = (block.get("api_timeout"), text) else {
            return Ok(default);
        };
        match parse_seconds(&text) {
            Ok(seconds) if (1..=3600).contains(&seconds) => Ok(Duration::from_secs(seconds)),
            _ => Err(invalid(
                expr,
                "this is not a duration from 1 s to 1 h",
                "Write it as \"90s\" or \"2m\".",
            )),
        }
    }

    /// Evaluates whom to believe to be the device at a URL, if that is known.
    pub(super) fn tls(&self, block: BackendArguments<'_>, api_url: Option<&str>) -> Evaluated<Tls> {
        let mut failures = Failures::default();
        let api_verify_tls = failures.take(self.flag_of(block, "api_verify_tls", true));
        let ca_file = failures.take(self.text_of(block, "ca_file"));
        let tls_pin_sha256 = failures.take(self.pin(block));
        let given = |name: &'static str, value: &Option<Option<String>>| {
            value.iter().flatten().next().and_then(|_| block.get(name)).map(Expr::span)
        };
        let (file, pin) = (given("ca_file", &ca_file), given("tls_pin_sha256", &tls_pin_sha256));
        let is_plain = api_url.is_some_and(|url| url.starts_with("http://"));
        for problem in idle_trust(is_plain, api_verify_tls == Some(false), file, pin) {
            failures.add(problem);
        }
        failures.or(()).and_then(|()| {
            let all = || {
                Some(Tls {
                    api_verify_tls: api_verify_tls?,
                    ca_file: ca_file?,
                    tls_pin_sha256: tls_pin_sha256?,
                })
            };
            all().map_or_else(poisoned, Ok)
        })
    }

    fn pin(&self, block: BackendArguments<'_>) -> Evaluated<Option<String>> {
        let text = self.text_of(block, "tls_pin_sha256")?;
        let is_pin = |text: &str| {
            let digits: String = text.chars().filter(|c| *c != ':').collect();
            digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())
        };
        match (block.get("tls_pin_sha256"), &text) {
            (Some(expr), Some(text)) if !is_pin(text) => Err(invalid(
                expr,
                "this is not the SHA-256 of a certificate",
                "Write 64 hexadecimal digits, as `openssl x509 -noout -fingerprint -sha256` shows them.",
            )),
            _ => Ok(text),
        }
    }
}

/// Returns what is said of the certificate, at these places, and would never be looked at.
fn idle_trust(
    is_plain: bool,
    believes_anybody: bool,
    file: Option<Span>,
    pin: Option<Span>,
) -> Vec<Diagnostic> {
    if is_plain {
        let idle = |at: Span| {
            Diagnostic::error("certificate of a device without TLS")
                .label(&at, "nobody looks at this with an `http` URL")
                .help("Write `https://` in `api_url`, or leave this out.")
        };
        return [file, pin].into_iter().flatten().map(idle).collect();
    }
    let two = |at: Span, label: &str, help: &str| {
        vec![Diagnostic::error("two ways to believe a device").label(&at, label).help(help)]
    };
    match (file, pin) {
        (Some(file), Some(_)) => two(
            file,
            "the certificate in `tls_pin_sha256` is the only one that is believed",
            "Write `ca_file` or `tls_pin_sha256`, not both.",
        ),
        (Some(file), None) if believes_anybody => two(
            file,
            "with `api_verify_tls = false` anybody is believed, whatever is in this file",
            "Leave `api_verify_tls` or `ca_file` out.",
        ),
        _ => Vec::new(),
    }
}

pub(super) fn invalid(expr: &Expr, label: &str, help: &str) -> Vec<Diagnostic> {
    vec![Diagnostic::error("invalid value").label(&expr.span(), label).help(help)]
}
