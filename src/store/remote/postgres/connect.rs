//! How a session comes about, and what it means when it does not.

use std::net::IpAddr;
use std::time::Duration;

use rustls::ClientConfig;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::remote::RemoteError;
use crate::store::remote::here::is_loopback;
use crate::store::remote::postgres::{Failure, PostgresSettings};
use crate::tls::{self, Seen};
use crate::value::Secret;

/// How a holder that vanishes without a word is noticed: a minute and a half of silence frees its lock. A session that is
/// idle between two writes is none to be ended.
const PREPARE: &str = "
    SELECT set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),
           set_config('tcp_keepalives_count', '6', false), set_config('idle_in_transaction_session_timeout', '5min', false);
    SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('idle_session_timeout', 'statement_timeout')";

/// How much of what the database says is shown.
const LONGEST: usize = 300;

/// Where a session goes to.
pub(super) struct Target {
    config: Config,
    /// None without TLS.
    tls: Option<ClientConfig>,
    timeout: Duration,
    password: Option<Secret>,
}

impl Target {
    pub(super) fn new(settings: &PostgresSettings) -> Result<Self, RemoteError> {
        let (text, options) = match &settings.conn_str {
            Some(text) => without_tls_options(text.expose())?,
            None => (String::new(), None),
        };
        // Neither the text nor what the parser says of it is shown: either may have the password in it.
        let Ok(mut config) = text.parse::<Config>() else {
            return Err(refused(
                "the connection string cannot be understood; it is `postgres://USER@HOST:PORT/DATABASE`, or `host=HOST user=USER dbname=DATABASE`",
            ));
        };
        complete(&mut config, settings)?;
        let variable = settings.environment.get("PGSSLMODE").map(|it| it.expose().to_owned());
        let mode = settings.sslmode.clone().or(options).or(variable);
        let is_here = is_here(&config);
        let with_tls = match mode.as_deref() {
            None => !is_here,
            Some("disable") => false,
            Some("require" | "verify-ca" | "verify-full") => true,
            Some(_) => {
                return Err(refused(
                    "`sslmode` is `disable` or `verify-full`; the others take whoever answers, or go without TLS when somebody says so",
                ));
            }
        };
        config.ssl_mode(if with_tls { SslMode::Require } else { SslMode::Disable });
        config.application_name("wgform").connect_timeout(settings.connect_timeout);
        let tls = match with_tls {
            true => Some(
                tls::config(&settings.trust, &Seen::default())
                    .map_err(|why| refused(&format!("`ca_file`: {why}")))?,
            ),
            false => None,
        };
        let password = config.get_password().map(String::from_utf8_lossy).map(Secret::new);
        Ok(Self { config, tls, timeout: settings.connect_timeout, password })
    }

    /// Returns where the database is, without credentials.
    pub(super) fn place(&self) -> String {
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) if name.contains(':') => format!("[{name}]:{port}"),
            Some(Host::Tcp(name)) => format!("{name}:{port}"),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => String::new(),
        };
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        // What is connected to is the address, whatever the name says.
        let address = match (self.config.get_hostaddrs().first(), self.config.get_hosts().first()) {
            (Some(address), Some(Host::Tcp(name))) if *name == address.to_string() => String::new(),
            (Some(address), _) => format!("?hostaddr={address}"),
            (None, _) => String::new(),
        };
        format!("postgres://{host}/{database}{address}")
    }

    /// Begins a session.
    pub(super) async fn connect(&self) -> Result<Client, Failure> {
        let connected = tokio::time::timeout(self.timeout, self.try_connect()).await;
        connected.unwrap_or_else(|_| {
            Err(RemoteError::Unreachable("the database did not answer in time".to_owned()).into())
        })
    }

    async fn try_connect(&self) -> Result<Client, Failure> {
        let client = match &self.tls {
            Some(config) => {
                let tls = MakeRustlsConnect::new(config.clone());
                let (client, connection) = self.config.connect(tls).await?;
                tokio::spawn(connection);
                client
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(connection);
                client
            }
        };
        client.batch_execute(PREPARE).await?;
        Ok(client)
    }

    /// Says what went wrong, without the password.
    pub(super) fn trouble(&self, error: &tokio_postgres::Error) -> RemoteError {
        if let Some(said) = error.as_db_error() {
            let text = self.clean(said.message());
            let code = said.code();
            return match code.code().get(..2) {
                _ if *code == SqlState::ADMIN_SHUTDOWN
                    || *code == SqlState::CRASH_SHUTDOWN
                    || *code == SqlState::CANNOT_CONNECT_NOW
                    || *code == SqlState::TOO_MANY_CONNECTIONS =>
                {
                    RemoteError::Unreachable(text)
                }
                Some("08") => RemoteError::Unreachable(text),
                _ if *code == SqlState::DISK_FULL
                    || *code == SqlState::READ_ONLY_SQL_TRANSACTION =>
                {
                    RemoteError::Refused(text)
                }
                // Who one is, which database and schema, and what one may do there.
                Some("28" | "3D" | "3F" | "42") => RemoteError::Refused(text),
                _ => RemoteError::Unclear(text),
            };
        }
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let (head, cause) = (error.to_string(), self.clean(&cause.to_string()));
        if error.is_closed() {
            return RemoteError::Unreachable("the connection to the database broke".to_owned());
        }
        match head.as_str() {
            it if it.contains("TLS") => RemoteError::Refused(format!("no TLS: {cause}")),
            it if it.contains("authentication") || it.contains("configuration") => {
                RemoteError::Refused(cause)
            }
            it if it.contains("connect")
                || it.contains("communicating")
                || it.contains("timeout") =>
            {
                RemoteError::Unreachable(cause)
            }
            _ => RemoteError::Unclear(cause),
        }
    }

    fn clean(&self, text: &str) -> String {
        let text = match &self.password {
            Some(password) if !password.expose().is_empty() => {
                text.replace(password.expose(), "*****")
            }
            _ => text.to_owned(),
        };
        let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match one_line.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &one_line[..end]),
            None => one_line,
        }
    }
}

/// Adds what the connection string does not say: from the arguments, then from the environment.
fn complete(config: &mut Config, settings: &PostgresSettings) -> Result<(), RemoteError> {
    let variable = |name: &str| {
        let text = settings.environment.get(name).map(Secret::expose);
        text.filter(|it| !it.is_empty()).map(str::to_owned)
    };
    let given = [
        (settings.host.is_some() && !config.get_hosts().is_empty(), "host"),
        (settings.port.is_some() && !config.get_ports().is_empty(), "port"),
        (settings.user.is_some() && config.get_user().is_some(), "user"),
        (settings.password.is_some() && config.get_password().is_some(), "password"),
        (settings.database.is_some() && config.get_dbname().is_some(), "database"),
    ];
    if settings.conn_str.is_some()
        && let Some((_, name)) = given.iter().find(|(is_twice, _)| *is_twice)
    {
        return Err(refused(&format!("`{name}` is given, and is in the connection string, too")));
    }
    if config.get_hosts().is_empty() {
        let addresses = config.get_hostaddrs().to_vec();
        match (&settings.host, addresses.is_empty()) {
            (Some(host), _) => _ = config.host(host),
            (None, true) => {
                _ = config.host(variable("PGHOST").unwrap_or_else(|| "localhost".to_owned()));
            }
            // A certificate is then for the address itself.
            (None, false) => addresses.iter().for_each(|it| _ = config.host(it.to_string())),
        }
    }
    if config.get_ports().is_empty() {
        let port = variable("PGPORT").map(|it| it.parse()).transpose();
        let port = port.map_err(|_| refused("`PGPORT` is no port"))?;
        config.port(settings.port.or(port).unwrap_or(5432));
    }
    if config.get_user().is_none()
        && let Some(user) = settings.user.clone().or_else(|| variable("PGUSER"))
    {
        config.user(user);
    }
    if config.get_password().is_none() {
        let password =
            settings.password.clone().or_else(|| variable("PGPASSWORD").map(Secret::new));
        if let Some(password) = password {
            config.password(password.expose());
        }
    }
    if config.get_dbname().is_none()
        && let Some(database) = settings.database.clone().or_else(|| variable("PGDATABASE"))
    {
        config.dbname(database);
    }
    Ok(())
}

/// Returns whether a session stays on this machine. An address of a host goes before its name.
fn is_here(config: &Config) -> bool {
    let is_named_here = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => is_loopback(name),
        Host::Unix(_) => true,
    });
    is_named_here && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

/// Takes out of a connection string what is decided here: how TLS is used.
fn without_tls_options(text: &str) -> Result<(String, Option<String>), RemoteError> {
    let (head, options, separator) = match text.split_once('?') {
        Some((head, query)) if text.contains("://") => (Some(head), query, '&'),
        _ if text.contains("://") => return Ok((text.to_owned(), None)),
        _ => (None, text, ' '),
    };
    let (mut mode, mut rest) = (None, Vec::new());
    for option in options.split(separator) {
        match option.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value.to_owned()),
            Some(("sslrootcert", _)) => {
                return Err(refused(
                    "`sslrootcert` does not go into the connection string; the file with the authorities has an argument of its own",
                ));
            }
            _ => rest.push(option),
        }
    }
    let rest = rest.join(&separator.to_string());
    Ok(match head {
        Some(head) if rest.is_empty() => (head.to_owned(), mode),
        Some(head) => (format!("{head}?{rest}"), mode),
        None => (rest, mode),
    })
}

fn refused(why: &str) -> RemoteError {
    RemoteError::Refused(why.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use crate::store::remote::postgres::PostgresSettings;
    use crate::store::remote::postgres::connect::Target;
    use crate::tls::Trust;
    use crate::value::Secret;

    fn settings(conn_str: &str) -> PostgresSettings {
        PostgresSettings {
            conn_str: Some(Secret::new(conn_str)),
            host: None,
            port: None,
            user: None,
            password: None,
            database: None,
            sslmode: None,
            trust: Trust::System,
            schema: "wgform".to_owned(),
            table: "states".to_owned(),
            name: "default".to_owned(),
            environment: BTreeMap::new(),
            connect_timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn what_the_database_says_is_short_and_holds_no_password() {
        let target = Target::new(&settings("postgres://me:hunter2@127.0.0.1/wg")).unwrap();
        let said = format!("no\n {} hunter2", "words ".repeat(1000));
        let shown = target.clean(&said);
        assert!(shown.starts_with("no words") && shown.ends_with('…'), "{shown}");
        assert_eq!(shown.chars().count(), 301);
        assert_eq!(target.clean("it is hunter2"), "it is *****");
    }

    #[test]
    fn the_state_leaves_this_machine_over_tls_only() {
        for (text, with_tls) in [
            ("postgres://me@db.example.com/wg", true),
            ("postgres://me@db.example.com/wg?sslmode=require&application_name=x", true),
            ("postgres://me@db.example.com/wg?sslmode=disable", false),
            ("postgres://me@127.0.0.1:5433/wg", false),
            ("postgres://me@127.0.0.1:5433/wg?sslmode=verify-full", true),
            ("host=/run/postgresql user=me", false),
            ("host=db.example.com user=me sslmode=verify-full", true),
            ("hostaddr=192.0.2.2 user=me", true),
            ("host=localhost hostaddr=192.0.2.2 user=me", true),
            ("host=/run/postgresql hostaddr=192.0.2.2 user=me", true),
            ("postgres://me@localhost/wg?hostaddr=192.0.2.2", true),
            ("host=db.example.com hostaddr=127.0.0.1 user=me", true),
            ("hostaddr=127.0.0.1 user=me", false),
            ("host=localhost hostaddr=::1 user=me", false),
        ] {
            let target = Target::new(&settings(text)).unwrap();
            assert_eq!(target.tls.is_some(), with_tls, "{text}");
        }
    }

    #[test]
    fn what_is_refused_shows_no_password() {
        for (text, why) in [
            ("postgres://me:hunter2@db/wg?sslmode=prefer", "`sslmode` is"),
            ("postgres://me:hunter2@db/wg?sslrootcert=/ca.pem", "an argument of its own"),
            ("postgres://me:hunter2@db:port/wg", "cannot be understood"),
            ("hunter2", "cannot be understood"),
            ("host=db hunter2=x", "cannot be understood"),
        ] {
            let error = Target::new(&settings(text)).err().unwrap().to_string();
            assert!(error.contains(why) && !error.contains("hunter2"), "{text}: {error}");
        }
        let twice = PostgresSettings {
            user: Some("you".to_owned()),
            ..settings("postgres://me:hunter2@db/wg")
        };
        let error = Target::new(&twice).err().unwrap().to_string();
        assert_eq!(error, "`user` is given, and is in the connection string, too");
    }

    #[test]
    fn the_place_has_no_credentials_in_it() {
        let target = Target::new(&settings("postgres://me:hunter2@db.example.com/wg")).unwrap();
        assert_eq!(target.place(), "postgres://db.example.com:5432/wg");
        for (text, place) in [
            ("hostaddr=192.0.2.2 dbname=wg", "postgres://192.0.2.2:5432/wg"),
            ("hostaddr=2001:db8::2 dbname=wg", "postgres://[2001:db8::2]:5432/wg"),
            (
                "host=localhost hostaddr=192.0.2.2 dbname=wg",
                "postgres://localhost:5432/wg?hostaddr=192.0.2.2",
            ),
        ] {
            assert_eq!(Target::new(&settings(text)).unwrap().place(), place);
        }
        assert!(!format!("{:?}", settings("postgres://me:hunter2@db/wg")).contains("hunter2"));
    }
}
