//! The arguments that only a `pfsense` backend has, and what no firewall takes of a resource.

use crate::config::block::{BackendArguments, Expr};
use crate::config::evaluator::run::Run;
use crate::config::expression::{Evaluated, Failures, poisoned};
use crate::config::{Desired, Login, PfSense, Wanted};
use crate::diagnostic::{Diagnostic, Span};
use crate::resource::{Field, Kind};
use crate::value::{Endpoint, Host};

/// How long a text may be on a firewall, in characters.
const LONGEST_TEXT: usize = 1024;

impl Run<'_> {
    pub(super) fn pfsense(&self, block: BackendArguments<'_>) -> Evaluated<PfSense> {
        let mut failures = Failures::default();
        let api_url = failures.take(self.url(block, "https://192.168.1.1"));
        let login = failures.take(self.login(block));
        let api_timeout = failures.take(self.api_timeout(block, PfSense::TIMEOUT));
        let tls = failures.take(self.tls(block, api_url.as_deref()));
        let manage_service = failures.take(self.flag_of(block, "manage_service", false));
        let read_only = failures.take(self.flag_of(block, "read_only", false));
        let debug = failures.take(self.flag_of(block, "debug", false));
        failures.or(()).and_then(|()| {
            let all = || {
                Some(PfSense {
                    api_url: api_url?,
                    login: login?,
                    api_timeout: api_timeout?,
                    tls: tls?,
                    manage_service: manage_service?,
                    read_only: read_only?,
                    debug: debug?,
                })
            };
            all().map_or_else(poisoned, Ok)
        })
    }

    /// Evaluates who asks: a key, or a user with a password.
    fn login(&self, block: BackendArguments<'_>) -> Evaluated<Login> {
        let mut failures = Failures::default();
        let key = failures.take(self.password(block, "api_key", "api_key_command"));
        let user = failures.take(self.user(block));
        let password = failures.take(self.password(block, "api_password", "api_password_command"));
        let (Some(key), Some(user), Some(password)) = (key, user, password) else {
            return failures.or(()).and_then(|()| poisoned());
        };
        let at = |names: [&str; 2]| {
            let written = names.iter().find_map(|it| block.get(it));
            written.map_or_else(|| block.span().clone(), Expr::span)
        };
        let wrong = |at: Span, label: &str| {
            Err(vec![
                Diagnostic::error("no way to log in to a firewall").label(&at, label).help(
                    "Write `api_key`, made in `System > REST API > Keys`, or `api_user` and `api_password`.",
                ),
            ])
        };
        match (key, user, password) {
            (Some(key), None, None) => Ok(Login::Key(key)),
            (None, Some(name), Some(password)) => Ok(Login::User { name, password }),
            (Some(_), ..) => {
                wrong(at(["api_key", "api_key_command"]), "there is a user or a password, too")
            }
            (None, Some(_), None) => wrong(at(["api_user"; 2]), "this user has no password"),
            (None, None, Some(_)) => {
                wrong(at(["api_password", "api_password_command"]), "nobody has this password")
            }
            (None, None, None) => wrong(block.span().clone(), "neither a key nor a user is here"),
        }
    }
}

/// Returns what no firewall takes.
pub(super) fn misfits(desired: &Desired) -> Vec<Diagnostic> {
    let known = |name: &str| desired.fields.get(name).and_then(Wanted::known);
    let span = |name: &str| desired.spans.get(name).unwrap_or(&desired.span);
    let invalid = |name: &str, label: &str, help: &str| {
        Diagnostic::error("invalid value").label(span(name), label).help(help)
    };
    let mut problems = Vec::new();
    let text = |name: &str| match known(name) {
        Some(Field::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    if let (Kind::Interface, Some(name)) = (desired.address.kind, text("name"))
        && !is_tunnel_name(name)
    {
        problems.push(
            Diagnostic::error("interface name that a firewall does not take")
                .label(span("name"), "a tunnel of pfSense is called `tun_wg0`, `tun_wg1` and so on")
                .help("Leave `name` out: wgform takes the lowest name that is free."),
        );
    }
    // Where no name is written, it is made of the label and the keys.
    let made = desired.address.default_name();
    let name = if desired.fields.contains_key("name") { text("name") } else { Some(made.as_str()) };
    if let (Kind::Peer, Some(name)) = (desired.address.kind, name)
        && name.contains(": ")
    {
        let help = "On a firewall `: ` stands between the name of a peer and its description. Write it otherwise.";
        let label = match desired.spans.contains_key("name") {
            true => "there is `: ` in this name",
            false => "there is `: ` in the name that comes from the label and the keys",
        };
        problems.push(invalid("name", label, help));
    }
    let of_peer = if desired.address.kind == Kind::Peer { text("name") } else { None };
    let length = |text: Option<&str>| text.map_or(0, |it| it.chars().count());
    let (name, description) = (length(of_peer), length(text("description")));
    let between = if name > 0 && description > 0 { ": ".len() } else { 0 };
    if name + between + description > LONGEST_TEXT {
        let help = "A firewall takes 1024 characters, the name of a peer among them.";
        problems.push(invalid("description", "this is too long for a firewall", help));
    }
    if let Some(Field::Endpoint(endpoint)) = known("endpoint") {
        problems.extend(wrong_host(endpoint).then(|| {
            let help = "Write an address, or the whole name of the host.";
            invalid("endpoint", "a firewall takes no host name without a dot in it", help)
        }));
    }
    problems.extend(wrong_assignment(desired));
    problems
}

fn is_tunnel_name(name: &str) -> bool {
    let Some(number) = name.strip_prefix("tun_wg") else { return false };
    let is_canonical = number == "0" || !number.starts_with('0');
    is_canonical && (1..=4).contains(&number.len()) && number.bytes().all(|it| it.is_ascii_digit())
}

fn wrong_host(endpoint: &Endpoint) -> bool {
    matches!(&endpoint.host, Host::Name(name) if !name.contains('.'))
}

/// Returns what is wrong with the interface of the firewall that a tunnel is to be assigned to.
fn wrong_assignment(desired: &Desired) -> Vec<Diagnostic> {
    let known = |name: &str| desired.fields.get(name).and_then(Wanted::known);
    let span = |name: &str| desired.spans.get(name).unwrap_or(&desired.span);
    if !desired.fields.contains_key("assign_descr") {
        let part = ["assign_addresses", "assign_mtu"].into_iter();
        let written = part.filter_map(|it| desired.spans.get(it)).next();
        let problem = written.map(|at| {
            Diagnostic::error("missing argument")
                .label(at, "an assigned interface needs a name, and `descr` is missing")
                .help("Add a line such as `descr = \"VPN\"` to the block `assign`.")
        });
        return problem.into_iter().collect();
    }
    let mut problems = Vec::new();
    if let Some(Field::Text(descr)) = known("assign_descr") {
        let is_name = (1..=128).contains(&descr.len())
            && descr.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
            && !descr.bytes().all(|c| c.is_ascii_digit())
            && !descr.starts_with("pkg_");
        if !is_name {
            problems.push(
                Diagnostic::error("invalid value")
                    .label(span("assign_descr"), "this is not the name of an interface of pfSense")
                    .help("Write letters, digits and underscores, not only digits, and without `pkg_` in front."),
            );
        }
    }
    if let Some(Field::Addresses(all)) = known("assign_addresses") {
        let sixes = all.iter().filter(|it| it.address().is_ipv6()).count();
        if sixes > 1 || all.len() - sixes > 1 {
            problems.push(
                Diagnostic::error("invalid value")
                    .label(
                        span("assign_addresses"),
                        "an interface of a firewall has one IPv4 and one IPv6 address",
                    )
                    .help("Leave the others out, and make them virtual IPs of the firewall."),
            );
        }
    }
    if let Some(Field::Number(mtu)) = known("assign_mtu")
        && !(1280..=8192).contains(mtu)
    {
        problems.push(
            Diagnostic::error("invalid value")
                .label(span("assign_mtu"), "an interface of a firewall takes 1280 to 8192")
                .help("Write a number from 1280 to 8192, or leave it out."),
        );
    }
    problems.extend(beside_an_assignment(desired));
    problems
}

/// Returns what has no place beside an assignment.
fn beside_an_assignment(desired: &Desired) -> Vec<Diagnostic> {
    let known = |name: &str| desired.fields.get(name).and_then(Wanted::known);
    let span = |name: &str| desired.spans.get(name).unwrap_or(&desired.span);
    let mut problems = Vec::new();
    if known("enabled") == Some(&Field::Bool(false)) {
        problems.push(
            Diagnostic::error("assigned tunnel that is disabled")
                .label(span("enabled"), "a firewall does not disable a tunnel that is assigned")
                .help("Remove the block `assign`, or disable the peers."),
        );
    }
    for name in ["addresses", "mtu"] {
        let is_empty = matches!(known(name), Some(Field::Addresses(all)) if all.is_empty());
        if let Some(at) = desired.spans.get(name).filter(|_| !is_empty) {
            problems.push(of_the_interface(at, name));
        }
    }
    problems
}

/// Says that an attribute of a tunnel belongs to the interface that it is assigned to.
pub fn of_the_interface(at: &Span, name: &str) -> Diagnostic {
    Diagnostic::error("attribute that belongs to the assigned interface")
        .label(at, format!("the tunnel is assigned, so that `{name}` here has no effect"))
        .help(format!("Write `{name}` in the block `assign`, and leave it out here."))
}
