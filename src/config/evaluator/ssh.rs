//! The `ssh` block of a backend: how a host is reached, checked before anybody is asked.

use std::time::Duration;

use crate::config::block::{BackendArguments, Expr};
use crate::config::evaluator::run::Run;
use crate::config::expression::{Evaluated, Failures, poisoned, wrong_type};
use crate::config::{Jump, Ssh};
use crate::diagnostic::Diagnostic;
use crate::value::parse_seconds;

/// What a fingerprint begins with; 43 characters of base64 follow.
const FINGERPRINT: &str = "SHA256:";

impl Run<'_> {
    pub(super) fn ssh(&self, block: BackendArguments<'_>) -> Evaluated<Ssh> {
        let text = |name: &'static str| self.ssh_text(block, name);
        let mut failures = Failures::default();
        let host = failures.take(self.required_host(block));
        let port = failures.take(self.ssh_port(block));
        let user = failures.take(self.checked(block, "user", is_user, "the name of a user"));
        let identity_file = failures.take(text("identity_file"));
        let known_hosts = failures.take(text("known_hosts"));
        let host_key = failures.take(self.host_key(block));
        let jump = failures.take(self.jump(block));
        let sudo = failures.take(self.sudo(block));
        let timeout = failures.take(self.timeout(block));
        failures.or(()).and_then(|()| {
            let all = || {
                Some(Ssh {
                    host: host?,
                    port: port?,
                    user: user?,
                    identity_file: identity_file?,
                    known_hosts: known_hosts?,
                    host_key: host_key?,
                    jump: jump?,
                    sudo: sudo?,
                    timeout: timeout?,
                })
            };
            all().map_or_else(poisoned, Ok)
        })
    }

    /// Evaluates an argument; an empty one is as good as none.
    fn ssh_text(
        &self,
        block: BackendArguments<'_>,
        name: &'static str,
    ) -> Evaluated<Option<String>> {
        let Some(expr) = block.get(name) else { return Ok(None) };
        Ok(self.string(expr, &format!("`{name}`"))?.filter(|text| !text.is_empty()))
    }

    fn checked(
        &self,
        block: BackendArguments<'_>,
        name: &'static str,
        is_one: fn(&str) -> bool,
        noun: &str,
    ) -> Evaluated<Option<String>> {
        let text = self.ssh_text(block, name)?;
        match (block.get(name), &text) {
            (Some(expr), Some(text)) if !is_one(text) => Err(invalid(
                expr,
                &format!("this is not {noun}"),
                "It has no spaces, and does not begin with `-`.",
            )),
            _ => Ok(text),
        }
    }

    fn required_host(&self, block: BackendArguments<'_>) -> Evaluated<String> {
        // One that is not written was reported when the block was read.
        let Some(expr) = block.get("host") else { return poisoned() };
        let host = self.checked(block, "host", is_host, "the name or the address of a host")?;
        host.ok_or_else(|| {
            invalid(expr, "there is no host", "Write a name, or an address without brackets.")
        })
    }

    fn ssh_port(&self, block: BackendArguments<'_>) -> Evaluated<Option<u16>> {
        let Some(expr) = block.get("port") else { return Ok(None) };
        let value = self.known_value(expr, "`port`")?;
        if value.is_null() {
            return Ok(None);
        }
        let Some(number) = value.to_number() else {
            return Err(vec![wrong_type(&expr.span(), "`port`", "a number", &value)]);
        };
        let port = number.to_integer().and_then(|port| u16::try_from(port).ok());
        match port.filter(|port| *port != 0) {
            Some(port) => Ok(Some(port)),
            None => Err(invalid(expr, "this is not a port", "Write a number from 1 to 65535.")),
        }
    }

    fn host_key(&self, block: BackendArguments<'_>) -> Evaluated<Option<String>> {
        let text = self.ssh_text(block, "host_key")?;
        match (block.get("host_key"), &text) {
            (Some(expr), Some(text)) if !is_fingerprint(text) => Err(invalid(
                expr,
                "this is not the fingerprint of a host key",
                "Write it as \"SHA256:…\", as `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` shows it on that host.",
            )),
            _ => Ok(text),
        }
    }

    fn jump(&self, block: BackendArguments<'_>) -> Evaluated<Vec<Jump>> {
        let text = self.ssh_text(block, "jump")?;
        let (Some(expr), Some(text)) = (block.get("jump"), text) else {
            return Ok(Vec::new());
        };
        let jumps: Option<Vec<Jump>> = text.split(',').map(|it| parse_jump(it.trim())).collect();
        jumps.ok_or_else(|| {
            invalid(
                expr,
                "this is not a host to go through",
                "Write it as \"user@host:port\", where the user and the port can be left out, and several with commas between them.",
            )
        })
    }

    fn sudo(&self, block: BackendArguments<'_>) -> Evaluated<Option<bool>> {
        let Some(expr) = block.get("sudo") else { return Ok(None) };
        let is_null = self.known_value(expr, "`sudo`")?.is_null();
        Ok(Some(self.flag(expr, "`sudo`")?).filter(|_| !is_null))
    }

    fn timeout(&self, block: BackendArguments<'_>) -> Evaluated<Duration> {
        let seconds = self.ssh_text(block, "timeout")?;
        let (Some(expr), Some(text)) = (block.get("timeout"), seconds) else {
            return Ok(Ssh::TIMEOUT);
        };
        match parse_seconds(&text) {
            Ok(seconds) if (1..=86_400).contains(&seconds) => Ok(Duration::from_secs(seconds)),
            _ => Err(invalid(
                expr,
                "this is not a time for which a host may be silent",
                "Write it as \"30s\" or \"2m\", at most a day.",
            )),
        }
    }
}

impl Ssh {
    /// Returns whether its words are such as a configuration is let through with: none is taken for an option of `ssh`, or
    /// for more than one word of a shell.
    pub fn is_plain(&self) -> bool {
        let Self { host, port: _, user, identity_file, known_hosts, .. } = self;
        let is_path = |path: &String| !path.contains(|c: char| c.is_control() || c == '"');
        let is_way = |it: &Jump| is_host(&it.host) && it.user.as_deref().is_none_or(is_user);
        is_host(host)
            && user.as_deref().is_none_or(is_user)
            && identity_file.iter().chain(known_hosts).all(is_path)
            && self.host_key.as_deref().is_none_or(is_fingerprint)
            && self.jump.iter().all(is_way)
    }
}

fn is_fingerprint(text: &str) -> bool {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    text.strip_prefix(FINGERPRINT)
        .is_some_and(|rest| rest.len() == 43 && rest.chars().all(is_base64))
}

fn invalid(expr: &Expr, label: &str, help: &str) -> Vec<Diagnostic> {
    vec![Diagnostic::error("invalid value").label(&expr.span(), label).help(help)]
}

/// Whether `ssh` can take it for a host: never for an option, nor for several words.
fn is_host(text: &str) -> bool {
    let is_bad = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '/' | '@' | '"' | '\'' | '\\' | '`')
    };
    !text.is_empty() && !text.starts_with(['-', '[']) && !text.contains(is_bad)
}

fn is_user(text: &str) -> bool {
    let is_bad = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '\\' | '`' | '$' | ';')
    };
    !text.is_empty() && !text.starts_with('-') && !text.contains(is_bad)
}

fn parse_jump(text: &str) -> Option<Jump> {
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user.to_owned()), rest),
        None => (None, text),
    };
    let (host, port) = match rest.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0)?),
        None => None,
    };
    let is_one = is_host(host) && user.as_deref().is_none_or(is_user);
    is_one.then(|| Jump { user, host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use crate::config::Jump;
    use crate::config::evaluator::ssh::{is_host, parse_jump};

    #[test]
    fn a_jump_is_read_as_ssh_reads_it() {
        let jump = |user: Option<&str>, host: &str, port| {
            Some(Jump { user: user.map(str::to_owned), host: host.to_owned(), port })
        };
        assert_eq!(parse_jump("bastion"), jump(None, "bastion", None));
        assert_eq!(parse_jump("ops@bastion:2222"), jump(Some("ops"), "bastion", Some(2222)));
        assert_eq!(parse_jump("[2001:db8::1]:22"), jump(None, "2001:db8::1", Some(22)));
        for text in ["", "-oProxyCommand=x", "a b", "@host", "host:", "host:0", "[::1", "ops@-x"] {
            assert_eq!(parse_jump(text), None, "{text}");
        }
    }

    #[test]
    fn a_host_is_never_an_option() {
        assert!(is_host("fe80::1%eth0") && is_host("hub-1.example.com"));
        assert!(!is_host("-oProxyCommand=touch /tmp/x") && !is_host("[::1]") && !is_host("a b"));
    }
}
