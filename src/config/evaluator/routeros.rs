//! The arguments that only a `routeros` backend has, and what no router takes of a resource.

use std::num::NonZeroU8;

use crate::config::block::BackendArguments;
use crate::config::evaluator::api::invalid;
use crate::config::evaluator::run::Run;
use crate::config::expression::{Evaluated, Failures, poisoned, wrong_type};
use crate::config::{Desired, Password, RouterOs, Wanted};
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::Field;
use crate::value::{Route, RouteTable, Routes, Secret};

impl Run<'_> {
    pub(super) fn routeros(&self, block: BackendArguments<'_>) -> Evaluated<RouterOs> {
        let mut failures = Failures::default();
        let api_url = failures.take(self.url(block, "https://192.168.88.1"));
        let api_user = failures.take(self.user(block));
        let api_password =
            failures.take(self.password(block, "api_password", "api_password_command"));
        let api_timeout = failures.take(self.api_timeout(block, RouterOs::TIMEOUT));
        let tls = failures.take(self.tls(block, api_url.as_deref()));
        let debug = failures.take(self.flag_of(block, "debug", false));
        let concurrency = failures.take(self.concurrency(block));
        failures.or(()).and_then(|()| {
            let all = || {
                let none = || Password::Given(Secret::new(""));
                Some(RouterOs {
                    api_url: api_url?,
                    // One that is not written was reported when the block was read.
                    api_user: api_user??,
                    api_password: api_password?.unwrap_or_else(none),
                    api_timeout: api_timeout?,
                    tls: tls?,
                    concurrency: concurrency?,
                    debug: debug?,
                })
            };
            all().map_or_else(poisoned, Ok)
        })
    }

    fn concurrency(&self, block: BackendArguments<'_>) -> Evaluated<NonZeroU8> {
        let Some(expr) = block.get("concurrency") else {
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
    if !desired.fields.contains_key("name") {
        // It is made of the label and the keys.
        problems.extend(wrong_text("name", &desired.address.default_name(), &desired.span));
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
