//! The state in a PostgreSQL database.
//!
//! Three tables, made at the first use: `TABLE` holds the state of each name, `TABLE_history` its last twenty writes, and
//! `TABLE_lock` says for people who holds the lock. The lock itself is an advisory lock of the session: the server frees it
//! when the session ends, however it ends. The locks of devices are of the same kind, and their rows lie beside. So one session is kept for the whole run. When it breaks the lock is taken again
//! at the next request, unless somebody else has had it in between.

mod arguments;
mod connect;
mod devices;
mod document;
mod lock;
mod schema;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio_postgres::Client;

use crate::store::LockInfo;
use crate::store::remote::{
    DeviceWish, Document, Held, HeldDevice, Past, Remote, RemoteError, Reply, Version,
};
use crate::tls::Trust;
use crate::value::Secret;

/// How long a request may take, ten megabytes over a slow line.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A renewal waits so long for a request to end before it looks beside it.
const BUSY: Duration = Duration::from_secs(1);

/// The server frees the lock after a minute and a half of silence.
const LEASE: Duration = Duration::from_secs(60);

/// Where the database is, and as whom it is asked.
#[derive(Clone)]
pub struct PostgresSettings {
    /// A connection string: `postgres://user@host/database`, or `host=… user=…`. It may have a password in it.
    pub conn_str: Option<Secret>,
    /// The host, or the directory of a socket.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The database.
    pub database: Option<String>,
    /// Whether TLS is used: `disable` or `verify-full`. Without a word it is, except for this machine.
    pub sslmode: Option<String>,
    /// Whose certificate is believed.
    pub trust: Trust,
    /// The schema of the tables.
    pub schema: String,
    /// The first table, and how the names of the others begin.
    pub table: String,
    /// Which state of the table it is.
    pub name: String,
    /// The environment, in which the variables of PostgreSQL's own programs are looked for.
    pub environment: BTreeMap<String, Secret>,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
}

impl PostgresSettings {
    /// How long a connection may take to come about.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment and the connection string are secrets.
        f.debug_struct("PostgresSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("schema", &self.schema)
            .field("table", &self.table)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The state as a row.
pub struct Database {
    target: connect::Target,
    names: Names,
    /// Which state of the table it is.
    seat: Seat,
    session: Mutex<Session>,
}

/// What a lock is on: a state, or a device.
struct Seat {
    /// The name of its row.
    name: String,
    /// The number of the advisory lock.
    key: i64,
}

impl Seat {
    /// Gives a seat the number that comes from a text.
    fn new(name: String, text: &str) -> Self {
        let mut key = [0; 8];
        key.copy_from_slice(&Sha256::digest(text)[..8]);
        Self { name, key: i64::from_be_bytes(key) }
    }
}

/// The session, and what it has.
#[derive(Default)]
struct Session {
    client: Option<Client>,
    /// The ids of the locks that it holds, or held before it broke, by the names of their rows.
    holds: BTreeMap<String, String>,
}

impl Session {
    fn holds(&self, seat: &Seat, info: &LockInfo) -> bool {
        self.holds.get(&seat.name) == Some(&info.id)
    }

    fn took(&mut self, seat: &Seat, id: &str) {
        self.holds.insert(seat.name.clone(), id.to_owned());
    }
}

/// The names of the tables, quoted.
struct Names {
    schema: String,
    state: String,
    history: String,
    lock: String,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("place", &self.place()).finish_non_exhaustive()
    }
}

impl Database {
    /// Sets up the way to a database. Nothing is asked yet.
    ///
    /// # Errors
    /// When the settings do not go together.
    pub fn new(settings: &PostgresSettings) -> Result<Self, RemoteError> {
        let PostgresSettings { schema, table, name, .. } = settings;
        // PostgreSQL cuts off longer names, and then two tables would be one.
        let longest = 63 - "_history".len();
        if [schema, table].iter().any(|it| it.is_empty() || it.len() > longest || it.contains('\0'))
        {
            return Err(RemoteError::Refused(format!(
                "the name of a schema or table has 1 to {longest} letters"
            )));
        }
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let of =
            |suffix: &str| format!("{}.{}", quoted(schema), quoted(&format!("{table}{suffix}")));
        let names = Names {
            schema: quoted(schema),
            state: of(""),
            history: of("_history"),
            lock: of("_lock"),
        };
        // The names are quoted, so that no two places have one text.
        let text = format!("wgform {} {}", names.state, quoted(name));
        Ok(Self {
            target: connect::Target::new(settings)?,
            names,
            seat: Seat::new(name.clone(), &text),
            session: Mutex::default(),
        })
    }

    /// Returns the client of the session. A new one is made when there is none, or when it is broken; what the broken one
    /// held is taken again.
    async fn ready<'a>(&self, session: &'a mut Session) -> Result<&'a mut Client, Failure> {
        let Session { client, holds } = session;
        if client.as_ref().is_none_or(Client::is_closed) {
            let begun = self.target.connect().await?;
            let mut again = BTreeMap::new();
            for (name, id) in &*holds {
                let device = devices::of_name(name);
                if self.take_again(&begun, device.as_ref().unwrap_or(&self.seat), id).await? {
                    again.insert(name.clone(), id.clone());
                }
            }
            *holds = again;
            *client = Some(begun);
        }
        client.as_mut().ok_or_else(|| {
            RemoteError::Unreachable("there is no connection to the database".to_owned()).into()
        })
    }

    /// Does something in the session, within a bounded time.
    async fn asked<T>(
        &self,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, Failure>,
    ) -> Result<T, RemoteError> {
        let mut session = self.session.lock().await;
        match tokio::time::timeout(TIMEOUT, work(&mut session)).await {
            Ok(done) => self.told(done),
            Err(_) => {
                // What the session is in the middle of is not known. The next request begins a new one.
                session.client = None;
                Err(RemoteError::Unreachable("the database did not answer in time".to_owned()))
            }
        }
    }

    /// Says that the holder of a lock lives. A session that is busy with a long write is not waited for.
    async fn renewed(&self, seat: &Seat, info: &LockInfo) -> Result<(), RemoteError> {
        match tokio::time::timeout(BUSY, self.session.lock()).await {
            Ok(free) => {
                drop(free);
                self.asked(async move |session| self.renew_lock(session, seat, info).await).await
            }
            Err(_) => self.told(self.renew_beside(seat, info).await),
        }
    }

    fn told<T>(&self, done: Result<T, Failure>) -> Result<T, RemoteError> {
        done.map_err(|failure| match failure {
            Failure::Remote(error) => error,
            Failure::Database(error) => self.target.trouble(&error),
        })
    }
}

/// Why a piece of work in the session failed.
enum Failure {
    Remote(RemoteError),
    Database(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        Self::Remote(error)
    }
}

impl Remote for Database {
    fn place(&self) -> String {
        let Names { state, .. } = &self.names;
        format!("{} in {}, `{}`", self.target.place(), state.replace('"', ""), self.seat.name)
    }

    fn read(&self) -> Reply<'_, Option<Document>> {
        Box::pin(self.asked(async |session| self.document(session).await))
    }

    fn write<'a>(
        &'a self,
        bytes: &'a [u8],
        serial: u64,
        over: Option<&'a Version>,
        lock: Option<&'a LockInfo>,
    ) -> Reply<'a, Version> {
        Box::pin(self.asked(async move |session| {
            self.write_document(session, bytes, serial, over, lock).await
        }))
    }

    fn lock<'a>(&'a self, info: &'a LockInfo) -> Reply<'a, ()> {
        Box::pin(self.asked(async move |session| self.take_lock(session, &self.seat, info).await))
    }

    fn renew<'a>(&'a self, info: &'a LockInfo) -> Reply<'a, ()> {
        Box::pin(self.renewed(&self.seat, info))
    }

    fn lease(&self) -> Duration {
        LEASE
    }

    fn unlock<'a>(&'a self, info: &'a LockInfo) -> Reply<'a, ()> {
        Box::pin(
            self.asked(async move |session| self.give_lock_back(session, &self.seat, info).await),
        )
    }

    fn holder(&self) -> Reply<'_, Option<Held>> {
        Box::pin(self.asked(async |session| {
            let client = self.ready(session).await?;
            self.lock_holder(client, &self.seat).await
        }))
    }

    fn force_unlock<'a>(&'a self, id: &'a str) -> Reply<'a, ()> {
        Box::pin(
            self.asked(async move |session| self.take_lock_away(session, &self.seat, id).await),
        )
    }

    fn history(&self) -> Reply<'_, Option<Vec<Past>>> {
        Box::pin(self.asked(async |session| self.versions(session).await.map(Some)))
    }

    fn past<'a>(&'a self, version: &'a Version) -> Reply<'a, Option<Vec<u8>>> {
        Box::pin(self.asked(async move |session| self.old_document(session, version).await))
    }

    fn holds_devices(&self) -> bool {
        true
    }

    fn device<'a>(&'a self, device: &'a str, wish: DeviceWish<'a>) -> Reply<'a, ()> {
        Box::pin(async move {
            match wish {
                DeviceWish::Renew(info) => self.renewed(&devices::seat(device), info).await,
                wish => {
                    self.asked(async move |session| self.ask_device(session, device, wish).await)
                        .await
                }
            }
        })
    }

    fn devices(&self) -> Reply<'_, Vec<HeldDevice>> {
        Box::pin(self.asked(async |session| self.held_devices(session).await))
    }
}
