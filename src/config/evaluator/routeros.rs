//! The arguments of a `routeros` backend, checked before anybody is asked: how a router is reached, and what no router
//! takes of a resource.

use std::num::NonZeroU8;
use std::time::Duration;

use crate::config::block::{BackendBlock, Expr};
use crate::config::decode::{command, secret_in_command};
use crate::config::evaluator::run::Run;
use crate::config::evaluator::settings::unknown;
use crate::config::expression::{Evaluated, Failures, both, poisoned, wrong_type};
use crate::config::{Desired, Password, RouterOs, Wanted};
use crate::diagnostic::{Diagnostic, Span, sentence};
use crate::resource::Field;
use crate::value::{Route, RouteTable, Routes, Secret, parse_seconds};

impl Run<'_> {
    pub(super) fn routeros(&self, block: &BackendBlock) -> Evaluated<RouterOs> {
        let mut failures = Failures::default();
        let api_url = failures.take(self.url(block));
        let api_user = failures.take(self.user(block));
        let api_password = failures.take(self.password(block));
        let api_timeout = failures.take(self.api_timeout(block));
        let api_verify_tls = failures.take(self.flag_of(block, "api_verify_tls", true));
        let debug = failures.take(self.flag_of(block, "debug", false));
        let ca_file = failures.take(self.text_of(block, "ca_file"));
        let tls_pin_sha256 = failures.take(self.pin(block));
        let concurrency = failures.take(self.concurrency(block));
        let given = |name: &'static str, value: &Option<Option<String>>| {
            value.iter().flatten().next().and_then(|_| block.attributes.get(name)).map(Expr::span)
        };
        let (file, pin) = (given("ca_file", &ca_file), given("tls_pin_sha256", &tls_pin_sha256));
        let is_plain = api_url.as_ref().is_some_and(|url| url.starts_with("http://"));
        for problem in idle_trust(is_plain, api_verify_tls == Some(false), file, pin) {
            failures.add(problem);
        }
        failures.or(()).and_then(|()| {
            let all = || {
                Some(RouterOs {
                    api_url: api_url?,
                    api_user: api_user?,
                    api_password: api_password?,
                    api_timeout: api_timeout?,
                    api_verify_tls: api_verify_tls?,
                    ca_file: ca_file?,
                    tls_pin_sha256: tls_pin_sha256?,
                    concurrency: concurrency?,
                    debug: debug?,
                })
            };
            all().map_or_else(poisoned, Ok)
        })
    }

    /// Evaluates an argument; an empty one is as good as none.
    fn text_of(&self, block: &BackendBlock, name: &'static str) -> Evaluated<Option<String>> {
        let Some(expr) = block.attributes.get(name) else { return Ok(None) };
        Ok(self.string(expr, &format!("`{name}`"))?.filter(|text| !text.is_empty()))
    }

    /// Evaluates an argument; null is as good as none.
    fn flag_of(&self, block: &BackendBlock, name: &str, default: bool) -> Evaluated<bool> {
        let name_shown = format!("`{name}`");
        match block.attributes.get(name) {
            Some(expr) if !self.known_value(expr, &name_shown).is_ok_and(|it| it.is_null()) => {
                self.flag(expr, &name_shown)
            }
            _ => Ok(default),
        }
    }

    fn url(&self, block: &BackendBlock) -> Evaluated<String> {
        // One that is not written was reported when the block was read.
        let Some(expr) = block.attributes.get("api_url") else { return poisoned() };
        let text = self.text_of(block, "api_url")?.unwrap_or_default();
        let help = "Write it as \"https://192.168.88.1\", with the port of the service when it has another one.";
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let Some(rest) = rest.filter(|rest| !rest.is_empty() && !rest.starts_with('/')) else {
            let label = "this is neither an `https` nor an `http` URL";
            return Err(invalid(expr, label, help));
        };
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            let label = "there is a user in this URL";
            return Err(invalid(expr, label, "Write them as `api_user` and `api_password`."));
        }
        if rest.contains(|c: char| c.is_whitespace() || c.is_control() || "?#\"\\".contains(c)) {
            return Err(invalid(expr, "this is not the URL of a router", help));
        }
        Ok(text)
    }

    fn user(&self, block: &BackendBlock) -> Evaluated<String> {
        let Some(expr) = block.attributes.get("api_user") else { return poisoned() };
        match self.text_of(block, "api_user")? {
            // What is before the first colon is the user, for the router too.
            Some(user) if !user.contains(|c: char| c == ':' || c.is_control()) => Ok(user),
            Some(_) => Err(invalid(
                expr,
                "this is not the name of a user",
                "It has no colon, which ends a user's name in HTTP.",
            )),
            None => {
                Err(invalid(expr, "there is no user", "Write the name of a user of the router."))
            }
        }
    }

    fn password(&self, block: &BackendBlock) -> Evaluated<Password> {
        let given = self.text_of(block, "api_password");
        let asked = self.password_command(block);
        let (given, asked) = both(given, asked)?;
        match (given, asked) {
            (given, None) => Ok(Password::Given(Secret::new(given.unwrap_or_default()))),
            (None, Some((_, argv))) => Ok(Password::Asked(argv)),
            (Some(_), Some((at, _))) => Err(vec![
                Diagnostic::error("two passwords of a router")
                    .label(&at, "there is an `api_password` too")
                    .help("Write `api_password` or `api_password_command`, not both."),
            ]),
        }
    }

    /// Evaluates the program that is asked for the password, with its place.
    fn password_command(&self, block: &BackendBlock) -> Evaluated<Option<(Span, Vec<String>)>> {
        const NAME: &str = "`api_password_command`";
        let Some(expr) = block.attributes.get("api_password_command") else { return Ok(None) };
        let value = self.known_value(expr, NAME)?;
        if value.is_null() {
            return Ok(None);
        }
        if value.is_unknown_anywhere() {
            return Err(vec![unknown(&expr.span(), NAME)]);
        }
        if value.is_sensitive_anywhere() {
            return Err(vec![secret_in_command(&expr.span())]);
        }
        let help = "Write it as `[\"pass\", \"show\", \"branch\"]`.";
        match command(&value) {
            Some(Ok(argv)) => Ok(Some((expr.span(), argv))),
            Some(Err(error)) => {
                let hint = error.get_hint().filter(|_| value.to_text().is_some()).map(sentence);
                Err(invalid(expr, &error.to_string(), hint.as_deref().unwrap_or(help)))
            }
            None => {
                let problem = wrong_type(&expr.span(), NAME, "a list of strings", &value);
                Err(vec![problem.help(help)])
            }
        }
    }

    fn api_timeout(&self, block: &BackendBlock) -> Evaluated<Duration> {
        let text = self.text_of(block, "api_timeout")?;
        let (Some(expr), Some(text)) = (block.attributes.get("api_timeout"), text) else {
            return Ok(RouterOs::TIMEOUT);
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

    fn pin(&self, block: &BackendBlock) -> Evaluated<Option<String>> {
        let text = self.text_of(block, "tls_pin_sha256")?;
        let is_pin = |text: &str| {
            let digits: String = text.chars().filter(|c| *c != ':').collect();
            digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())
        };
        match (block.attributes.get("tls_pin_sha256"), &text) {
            (Some(expr), Some(text)) if !is_pin(text) => Err(invalid(
                expr,
                "this is not the SHA-256 of a certificate",
                "Write 64 hexadecimal digits, as `openssl x509 -noout -fingerprint -sha256` shows them.",
            )),
            _ => Ok(text),
        }
    }

    fn concurrency(&self, block: &BackendBlock) -> Evaluated<NonZeroU8> {
        let Some(expr) = block.attributes.get("concurrency") else {
            return Ok(RouterOs::CONCURRENCY);
        };
        let value = self.known_value(expr, "`concurrency`")?;
        if value.is_null() {
            return Ok(RouterOs::CONCURRENCY);
        }
        let Some(number) = value.to_number() else {
            return Err(vec![wrong_type(&expr.span(), "`concurrency`", "a number", &value)]);
        };
        let number = number.to_integer().filter(|it| (1..=16).contains(it));
        let number = number.and_then(|it| u8::try_from(it).ok()).and_then(NonZeroU8::new);
        number.ok_or_else(|| {
            invalid(
                expr,
                "this is not a number of requests",
                "Write a number from 1 to 16: a router has 20 sessions for all who ask.",
            )
        })
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
            Diagnostic::error("certificate of a router without TLS")
                .label(&at, "nobody looks at this with an `http` URL")
                .help("Write `https://` in `api_url`, or leave this out.")
        };
        return [file, pin].into_iter().flatten().map(idle).collect();
    }
    let two = |at: Span, label: &str, help: &str| {
        vec![Diagnostic::error("two ways to believe a router").label(&at, label).help(help)]
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

fn invalid(expr: &Expr, label: &str, help: &str) -> Vec<Diagnostic> {
    vec![Diagnostic::error("invalid value").label(&expr.span(), label).help(help)]
}

/// Returns what no router takes.
pub(super) fn misfits(desired: &Desired) -> Vec<Diagnostic> {
    let known = |name: &str| desired.fields.get(name).and_then(Wanted::known);
    let span = |name: &str| desired.spans.get(name).unwrap_or(&desired.span);
    let mut problems = Vec::new();
    for name in ["name", "description"] {
        if let Some(Field::Text(text)) = known(name) {
            problems.extend(wrong_text(name, text, span(name)));
        }
    }
    if let Some(Field::Prefixes(all)) = known("allowed_ips")
        && all.is_empty()
    {
        problems.push(
            Diagnostic::error("peer without allowed IPs on a router")
                .label(span("allowed_ips"), "a router takes no peer without one")
                .help("Write a network, or set `enabled = false` on a peer that is to have no traffic."),
        );
    }
    // Whether a router keeps the host bits is not known, and a change must not depend on it.
    if let Some(Field::Addresses(all)) = known("client_address")
        && all.iter().any(|it| it.prefix().address() != it.address())
    {
        problems.push(
            Diagnostic::error("invalid value")
                .label(span("client_address"), "a router may keep no more than the network of this")
                .help("Write the address with `/32`, or `/128` for IPv6."),
        );
    }
    if let Some(Field::Prefixes(all)) = known("client_allowed_ips")
        && all.is_empty()
    {
        problems.push(
            Diagnostic::error("invalid value")
                .label(span("client_allowed_ips"), "a router reads an empty list as `::/0`")
                .help("Leave it out, or write the networks."),
        );
    }
    if let Some(Field::Routes(routes)) = known("routes") {
        problems.extend(wrong_routes(routes, span("routes")));
    }
    problems
}

/// Returns what no router takes of `routes`.
fn wrong_routes(routes: &Routes, at: &Span) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    if matches!(routes.table, RouteTable::Number(number) if number != Route::MAIN) {
        problems.push(
            Diagnostic::error("routing table without a name on a router")
                .label(at, "this `table` is a number, and one of RouterOS has a name")
                .help("Write the name that it has in `/routing/table` of the router."),
        );
    }
    if routes.default_route && routes.table == RouteTable::MAIN {
        problems.push(
            Diagnostic::error("default route in the main table of a router")
                .label(at, "the tunnel's own packets would be sent into the tunnel")
                .help("Set a `table` of its own, and let a rule of the router send there what is meant for it."),
        );
    }
    if routes.check_gateway.is_some() && routes.gateway.is_none() {
        problems.push(
            Diagnostic::error("invalid value")
                .label(at, "this has a `check_gateway`, and no gateway to check")
                .help("Write the address of the far end as `gateway`."),
        );
    }
    if routes.distance.is_some_and(|it| !(1..=255).contains(&it)) {
        problems.push(
            Diagnostic::error("invalid value")
                .label(at, "this `distance` is not one of RouterOS")
                .help("Write a number from 1 to 255."),
        );
    }
    problems
}

/// A router shows the id of what is gone in the place of its name, and sends control characters as they are.
fn wrong_text(name: &str, text: &str, at: &Span) -> Option<Diagnostic> {
    let is_name = name == "name";
    let is_wrong = text.contains(char::is_control)
        || is_name && (text.is_empty() || text.starts_with('*') || text.contains([',', '"']));
    is_wrong.then(|| {
        Diagnostic::error("text that a router does not take")
            .label(at, format!("`{name}` has characters in it that make it unreadable on RouterOS"))
            .help(match is_name {
                true => "Write a name without control characters, commas and quotes, that does not begin with `*`.",
                false => "Write it in one line.",
            })
    })
}
