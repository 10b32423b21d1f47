//! How a backend is reached, as the state remembers it: enough to get there again once its block is gone, and never a
//! credential.

use std::collections::BTreeMap;
use std::num::NonZeroU8;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::config::{Driver, Jump, Login, Password, PfSense, RouterOs, Ssh, Tls, Transport};
use crate::resource::{BackendId, BackendKind};
use crate::value::Secret;
use crate::world::World;

/// Says how a backend is reached.
pub(super) fn recorded(transport: &Transport) -> BTreeMap<String, Json> {
    let (netns, driver, program, ssh) = match transport {
        Transport::Local { netns, driver, userspace_program } => {
            (netns, driver, userspace_program, None)
        }
        Transport::Ssh { ssh, netns, driver, userspace_program } => {
            (netns, driver, userspace_program, Some(ssh))
        }
        Transport::RouterOs(router) => return recorded_router(router),
        Transport::PfSense(firewall) => return recorded_firewall(firewall),
    };
    let driver = match driver {
        Driver::Auto => "auto",
        Driver::Kernel => "kernel",
        Driver::Userspace => "userspace",
    };
    let mut record = BTreeMap::from([("driver".to_owned(), json!(driver))]);
    record.extend(netns.iter().map(|name| ("netns".to_owned(), json!(name))));
    record.extend(program.iter().map(|name| ("userspace_program".to_owned(), json!(name))));
    record.extend(ssh.map(|ssh| ("ssh".to_owned(), recorded_ssh(ssh))));
    record
}

fn recorded_router(router: &RouterOs) -> BTreeMap<String, Json> {
    let RouterOs { api_url, api_user, api_password, api_timeout, tls, concurrency, debug: _ } =
        router;
    let mut record = given([
        ("api_url", json!(api_url)),
        ("api_user", json!(api_user)),
        ("api_password_command", asked(api_password)),
        ("api_timeout", json!(api_timeout.as_secs())),
        ("concurrency", json!(concurrency)),
    ]);
    record.append(&mut recorded_tls(tls));
    record
}

fn recorded_firewall(firewall: &PfSense) -> BTreeMap<String, Json> {
    let PfSense { api_url, login, api_timeout, tls, manage_service, read_only, debug: _ } =
        firewall;
    let (key, user, password) = match login {
        Login::Key(key) => (asked(key), Json::Null, Json::Null),
        Login::User { name, password } => (Json::Null, json!(name), asked(password)),
    };
    let mut record = given([
        ("api_url", json!(api_url)),
        ("api_key_command", key),
        ("api_user", user),
        ("api_password_command", password),
        ("api_timeout", json!(api_timeout.as_secs())),
        ("manage_service", json!(manage_service)),
        ("read_only", json!(read_only)),
    ]);
    record.append(&mut recorded_tls(tls));
    record
}

fn recorded_tls(Tls { api_verify_tls, ca_file, tls_pin_sha256 }: &Tls) -> BTreeMap<String, Json> {
    given([
        ("api_verify_tls", json!(api_verify_tls)),
        ("ca_file", json!(ca_file)),
        ("tls_pin_sha256", json!(tls_pin_sha256)),
    ])
}

fn given<const N: usize>(record: [(&str, Json); N]) -> BTreeMap<String, Json> {
    let record = record.into_iter().filter(|(_, value)| !value.is_null());
    record.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What program knows a secret is no secret.
fn asked(secret: &Password) -> Json {
    match secret {
        Password::Given(_) => Json::Null,
        Password::Asked(argv) => json!(argv),
    }
}

fn recorded_ssh(ssh: &Ssh) -> Json {
    let Ssh { host, port, user, identity_file, known_hosts, host_key, jump, sudo, timeout } = ssh;
    let jump: Vec<Json> = jump
        .iter()
        .map(|Jump { user, host, port }| json!({ "user": user, "host": host, "port": port }))
        .collect();
    let mut record = json!({
        "host": host,
        "port": port,
        "user": user,
        "identity_file": identity_file,
        "known_hosts": known_hosts,
        "host_key": host_key,
        "jump": jump,
        "sudo": sudo,
        "timeout": timeout.as_secs(),
    });
    if let Some(fields) = record.as_object_mut() {
        fields.retain(|_, value| !value.is_null() && *value != json!([]));
    }
    record
}

/// The credentials that the environment gives for a backend.
#[derive(Debug, Default)]
pub(crate) struct Given {
    variables: String,
    user: Option<String>,
    password: Option<Secret>,
    key: Option<Secret>,
}

impl Given {
    /// Takes `WGFORM_BACKEND_<ID>_USER`, `_PASSWORD` and `_KEY`: the id in capitals, with `_` for what is no letter or digit.
    pub(crate) fn of(id: &BackendId, world: &World) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let name: String = id.as_str().chars().map(plain).collect();
        // `site["berlin"]` is SITE_BERLIN.
        let words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
        let variables = format!("WGFORM_BACKEND_{}", words.join("_"));
        let get = |what: &str| {
            world.variable(&format!("{variables}_{what}")).filter(|text| !text.is_empty())
        };
        let user = get("USER").map(str::to_owned);
        let (password, key) = (get("PASSWORD").map(Secret::new), get("KEY").map(Secret::new));
        Self { variables, user, password, key }
    }

    /// Says which variable is missing.
    pub(crate) fn hint(&self, kind: BackendKind, record: &BTreeMap<String, Json>) -> String {
        let variables = &self.variables;
        let is_by_key = kind == BackendKind::PfSense && !record.contains_key("api_user");
        match is_by_key {
            true => {
                format!("set `{variables}_KEY`, or `{variables}_USER` and `{variables}_PASSWORD`")
            }
            false => format!("set `{variables}_PASSWORD`, and `{variables}_USER` for another user"),
        }
    }
}

/// Reads it again; none when it does not say enough, as of a router that asks for a password.
pub(super) fn remembered(
    kind: BackendKind,
    simulated: bool,
    record: &BTreeMap<String, Json>,
    given: &Given,
) -> Option<Transport> {
    let text = |name: &str| record.get(name).and_then(Json::as_str);
    let driver = match text("driver") {
        Some("kernel") => Driver::Kernel,
        Some("userspace") => Driver::Userspace,
        _ => Driver::Auto,
    };
    let netns = text("netns").map(str::to_owned);
    let userspace_program = text("userspace_program").map(str::to_owned);
    Some(match kind {
        BackendKind::Local => Transport::Local { netns, driver, userspace_program },
        BackendKind::Linux => Transport::Ssh {
            ssh: remembered_ssh(record.get("ssh")?)?,
            netns,
            driver,
            userspace_program,
        },
        BackendKind::RouterOs => {
            let router = remembered_router(record, given)?;
            // Only a simulated one lets in who has no password.
            let is_let_in = simulated || is_known(&router.api_password);
            Transport::RouterOs(is_let_in.then_some(router)?)
        }
        BackendKind::PfSense => {
            let firewall = remembered_firewall(record, given)?;
            let is_let_in = match &firewall.login {
                Login::Key(secret) | Login::User { password: secret, .. } => is_known(secret),
            };
            Transport::PfSense((simulated || is_let_in).then_some(firewall)?)
        }
    })
}

/// Returns whether a program is asked for the credentials.
pub(super) fn asks(transport: &Transport) -> bool {
    let secret = match transport {
        Transport::Local { .. } | Transport::Ssh { .. } => return false,
        Transport::RouterOs(router) => &router.api_password,
        Transport::PfSense(firewall) => match &firewall.login {
            Login::Key(secret) | Login::User { password: secret, .. } => secret,
        },
    };
    matches!(secret, Password::Asked(_))
}

/// Returns whether there is a secret, or a program that knows it.
fn is_known(secret: &Password) -> bool {
    match secret {
        Password::Given(secret) => !secret.expose().is_empty(),
        Password::Asked(_) => true,
    }
}

fn remembered_router(record: &BTreeMap<String, Json>, given: &Given) -> Option<RouterOs> {
    let number = |name: &str| record.get(name).and_then(Json::as_u64);
    let concurrency = number("concurrency").and_then(|it| NonZeroU8::new(u8::try_from(it).ok()?));
    Some(RouterOs {
        api_url: text(record, "api_url")?,
        api_user: given.user.clone().or_else(|| text(record, "api_user"))?,
        api_password: remembered_secret(record, "api_password_command", given.password.as_ref()),
        api_timeout: timeout(record).unwrap_or(RouterOs::TIMEOUT),
        tls: remembered_tls(record),
        concurrency: concurrency.unwrap_or(RouterOs::CONCURRENCY),
        debug: false,
    })
}

fn remembered_firewall(record: &BTreeMap<String, Json>, given: &Given) -> Option<PfSense> {
    let flag = |name: &str| record.get(name).and_then(Json::as_bool).unwrap_or_default();
    let (password, key) = (given.password.as_ref(), given.key.as_ref());
    let login = match given.user.clone().or_else(|| text(record, "api_user")) {
        Some(name) if key.is_none() => {
            let password = remembered_secret(record, "api_password_command", password);
            Login::User { name, password }
        }
        _ => Login::Key(remembered_secret(record, "api_key_command", key)),
    };
    Some(PfSense {
        api_url: text(record, "api_url")?,
        login,
        api_timeout: timeout(record).unwrap_or(PfSense::TIMEOUT),
        tls: remembered_tls(record),
        manage_service: flag("manage_service"),
        read_only: flag("read_only"),
        debug: false,
    })
}

fn remembered_tls(record: &BTreeMap<String, Json>) -> Tls {
    Tls {
        api_verify_tls: record.get("api_verify_tls").and_then(Json::as_bool).unwrap_or(true),
        ca_file: text(record, "ca_file"),
        tls_pin_sha256: text(record, "tls_pin_sha256"),
    }
}

/// Only the program that knows a secret is remembered. What the environment gives counts before that.
fn remembered_secret(
    record: &BTreeMap<String, Json>,
    name: &str,
    given: Option<&Secret>,
) -> Password {
    if let Some(secret) = given {
        return Password::Given(secret.clone());
    }
    let argv = record.get(name).and_then(Json::as_array);
    let argv: Option<Vec<String>> =
        argv.and_then(|parts| parts.iter().map(|it| Some(it.as_str()?.to_owned())).collect());
    argv.map_or(Password::Given(Secret::new("")), Password::Asked)
}

fn text(record: &BTreeMap<String, Json>, name: &str) -> Option<String> {
    record.get(name).and_then(Json::as_str).map(str::to_owned)
}

fn timeout(record: &BTreeMap<String, Json>) -> Option<Duration> {
    record.get("api_timeout").and_then(Json::as_u64).map(Duration::from_secs)
}

fn remembered_ssh(record: &Json) -> Option<Ssh> {
    let text = |name: &str| Some(record.get(name)?.as_str()?.to_owned());
    let jumps = record.get("jump").and_then(Json::as_array);
    let jump = jumps.into_iter().flatten().map(|it| {
        let text = |name: &str| Some(it.get(name)?.as_str()?.to_owned());
        Some(Jump { user: text("user"), host: text("host")?, port: port(it) })
    });
    let ssh = Ssh {
        host: text("host")?,
        port: port(record),
        user: text("user"),
        identity_file: text("identity_file"),
        known_hosts: text("known_hosts"),
        host_key: text("host_key"),
        jump: jump.collect::<Option<_>>()?,
        sudo: record.get("sudo").and_then(Json::as_bool),
        timeout: record
            .get("timeout")
            .and_then(Json::as_u64)
            .map_or(Ssh::TIMEOUT, Duration::from_secs),
    };
    // What no configuration is let through with comes from somebody who means to be more than a host.
    ssh.is_plain().then_some(ssh)
}

fn port(record: &Json) -> Option<u16> {
    record.get("port").and_then(Json::as_u64).and_then(|port| u16::try_from(port).ok())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use serde_json::Value as Json;

    use crate::command::session::transport::{Given, recorded};
    use crate::config::{Driver, Jump, Password, RouterOs, Ssh, Tls, Transport};
    use crate::resource::BackendKind;
    use crate::value::Secret;

    fn remembered(
        kind: BackendKind,
        simulated: bool,
        record: &BTreeMap<String, Json>,
    ) -> Option<Transport> {
        super::remembered(kind, simulated, record, &Given::default())
    }

    #[test]
    fn a_state_gives_ssh_no_more_than_a_configuration_may() {
        let fields = [
            ("host", "-oProxyCommand=touch x"),
            ("host", "$(touch'x')"),
            ("user", "-x"),
            ("host_key", "SHA256:x; touch x"),
            ("known_hosts", "a\nProxyCommand touch x"),
        ];
        for (field, word) in fields {
            let mut ssh = serde_json::json!({ "host": "hub.example.com" });
            let record = BTreeMap::from([("ssh".to_owned(), ssh.clone())]);
            assert!(remembered(BackendKind::Linux, false, &record).is_some());
            ssh[field] = word.into();
            let record = BTreeMap::from([("ssh".to_owned(), ssh)]);
            assert_eq!(remembered(BackendKind::Linux, false, &record), None, "{word}");
        }
    }

    #[test]
    fn how_a_host_is_reached_is_remembered_whole() {
        let jump =
            |host: &str, port| Jump { user: Some("ops".to_owned()), host: host.to_owned(), port };
        let ssh = Ssh {
            host: "hub.example.com".to_owned(),
            port: Some(2222),
            user: Some("deploy".to_owned()),
            identity_file: Some("~/.ssh/hub".to_owned()),
            known_hosts: Some("known_hosts".to_owned()),
            host_key: Some(format!("SHA256:{}", "x".repeat(43))),
            jump: vec![jump("one", None), jump("two", Some(22))],
            sudo: Some(false),
            timeout: Duration::from_secs(9),
        };
        let whole = Transport::Ssh {
            ssh,
            netns: Some("blue".to_owned()),
            driver: Driver::Userspace,
            userspace_program: Some("boringtun".to_owned()),
        };
        assert_eq!(remembered(BackendKind::Linux, false, &recorded(&whole)), Some(whole));
        let local = Transport::Local { netns: None, driver: Driver::Auto, userspace_program: None };
        assert_eq!(remembered(BackendKind::Linux, false, &recorded(&local)), None);
        assert_eq!(remembered(BackendKind::Local, false, &recorded(&local)), Some(local));
    }

    #[test]
    fn how_a_router_is_reached_is_remembered_without_its_password() {
        let router = RouterOs {
            api_url: "https://10.0.0.1".to_owned(),
            api_user: "wgform".to_owned(),
            api_password: Password::Given(Secret::new("hunter2hunter2")),
            api_timeout: Duration::from_secs(70),
            tls: Tls {
                api_verify_tls: false,
                ca_file: Some("router.pem".to_owned()),
                tls_pin_sha256: None,
            },
            concurrency: RouterOs::CONCURRENCY,
            debug: false,
        };
        let record = recorded(&Transport::RouterOs(router.clone()));
        assert!(!format!("{record:?}").contains("hunter2"));
        // Only a simulated one lets in who has no password.
        assert_eq!(remembered(BackendKind::RouterOs, false, &record), None);
        let with = |api_password| Transport::RouterOs(RouterOs { api_password, ..router.clone() });
        let known = with(Password::Given(Secret::new("")));
        assert_eq!(remembered(BackendKind::RouterOs, true, &record), Some(known));
        let asked = with(Password::Asked(vec!["pass".to_owned(), "branch".to_owned()]));
        assert_eq!(remembered(BackendKind::RouterOs, false, &recorded(&asked)), Some(asked));
    }
}
