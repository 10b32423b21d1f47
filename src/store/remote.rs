//! What a store has to be able to do that is not this machine's disk.
//!
//! A remote store keeps one document, whole, with a version that it gives to each write, and a lock that says who holds
//! it. What happens between two writes of a run is in the journal on this machine, as with the local store.

mod arguments;
#[cfg(any(feature = "object_store", feature = "postgres"))]
mod here;
pub mod http;
mod line;
#[cfg(feature = "object_store")]
pub mod object;
#[cfg(feature = "postgres")]
pub mod postgres;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;

use crate::store::LockInfo;

pub use crate::store::remote::arguments::{Arguments, WrongArgument, in_workspace};
pub(crate) use crate::store::remote::line::{Line, Write};

/// The id of a lock that does not say what its id is.
pub const UNKNOWN: &str = "unknown";

/// What a request to a store comes to.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, RemoteError>> + 'a>>;

/// What a store calls one write of the document: an entity tag, a generation, a number of a row. It means something to
/// the store that gave it only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub String);

/// The document, as it was read.
#[derive(Clone)]
pub struct Document {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What the store calls this write of it.
    pub version: Version,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("bytes", &self.bytes.len())
            .field("version", &self.version)
            .finish()
    }
}

/// The lock of a store, as somebody holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who, where, since when and for what; none when what lies there says nothing that can be read.
    pub info: Option<LockInfo>,
    /// What changes each time the holder says that it still lives; the same for five minutes of the waiter's clock
    /// means that it does not. None where the store itself frees the lock of a holder that dies.
    pub beat: Option<String>,
}

/// The lock of a device, as somebody holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldDevice {
    /// Which: as much of a digest of its identity as tells it from others.
    pub device: String,
    /// By whom.
    pub held: Held,
}

/// What is asked of the lock of a device. Each means what the method of [`Remote`] means that does the same for a state.
#[derive(Debug, Clone, Copy)]
pub enum DeviceWish<'a> {
    /// As [`Remote::lock`].
    Take(&'a LockInfo),
    /// As [`Remote::renew`].
    Renew(&'a LockInfo),
    /// As [`Remote::unlock`].
    GiveBack(&'a LockInfo),
    /// As [`Remote::force_unlock`].
    TakeAway(&'a str),
}

/// An older write of the document, that the store still has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The serial of the state.
    pub serial: u64,
    /// What the store calls it.
    pub version: Version,
    /// When it was written, by the clock of the store.
    pub written_at: Option<Timestamp>,
}

/// A place for one state, that many machines reach.
pub trait Remote: fmt::Debug {
    /// Returns where it is, for messages: an address without credentials.
    fn place(&self) -> String;

    /// Returns the document; none before the first write.
    fn read(&self) -> Reply<'_, Option<Document>>;

    /// Writes the document over the one that was read last, and fails with [`RemoteError::Stale`] when that is no
    /// longer the one that is there. `over` is none when there was none. The lock is held by `lock`; none with
    /// `-lock=false`.
    fn write<'a>(
        &'a self,
        bytes: &'a [u8],
        serial: u64,
        over: Option<&'a Version>,
        lock: Option<&'a LockInfo>,
    ) -> Reply<'a, Version>;

    /// Takes the lock, or fails with [`RemoteError::Locked`]. Two that try at once never both get it.
    fn lock<'a>(&'a self, info: &'a LockInfo) -> Reply<'a, ()>;

    /// Says that the holder still lives, every 30 seconds. Fails with [`RemoteError::LockLost`] when somebody else
    /// holds the lock now, or nobody.
    fn renew<'a>(&'a self, info: &'a LockInfo) -> Reply<'a, ()>;

    /// Returns after how long without a renewal the holder has to stop, because others may have the lock soon: a minute
    /// before a waiter takes it for that of a dead one, or well before the store frees it by itself.
    fn lease(&self) -> Duration {
        Duration::from_secs(4 * 60)
    }

    /// Gives the lock back. Never takes it away from another holder.
    fn unlock<'a>(&'a self, info: &'a LockInfo) -> Reply<'a, ()>;

    /// Returns who holds the lock.
    fn holder(&self) -> Reply<'_, Option<Held>>;

    /// Takes the lock away from its holder, if that is still the one with this id.
    fn force_unlock<'a>(&'a self, id: &'a str) -> Reply<'a, ()>;

    /// Returns the writes that the store still has, the newest first; none where a store keeps no history.
    fn history(&self) -> Reply<'_, Option<Vec<Past>>>;

    /// Returns an older document.
    fn past<'a>(&'a self, version: &'a Version) -> Reply<'a, Option<Vec<u8>>>;

    /// Returns whether the store holds locks of devices, by which states that are kept in it know of each other.
    fn holds_devices(&self) -> bool {
        false
    }

    /// Takes the lock of a device, or does something else with it.
    fn device<'a>(&'a self, _device: &'a str, _wish: DeviceWish<'a>) -> Reply<'a, ()> {
        let why = "this store holds no locks of devices";
        Box::pin(async move { Err(RemoteError::Refused(why.to_owned())) })
    }

    /// Returns the devices whose locks are held.
    fn devices(&self) -> Reply<'_, Vec<HeldDevice>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// Why a store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Somebody holds the lock.
    #[error("the lock is held")]
    Locked(Box<Held>),
    /// The lock was taken away.
    #[error("the lock is no longer ours")]
    LockLost,
    /// The document is no longer the one that was read.
    #[error("somebody else has written the state since it was read")]
    Stale,
    /// The store does not keep its word: it takes a write although its condition does not hold.
    #[error(
        "the store takes writes whose condition does not hold, so two runs could overwrite each other's state"
    )]
    Unconditional,
    /// It could not be reached, or gave up in the middle: what was asked may have been done or not.
    #[error("{0}")]
    Unreachable(String),
    /// It says no: credentials, permissions, a bucket or a database that is not there.
    #[error("{0}")]
    Refused(String),
    /// Its answer cannot be understood.
    #[error("{0}")]
    Unclear(String),
}

/// Makes the connection to a store. It is called where the store is talked to, on a thread of its own.
pub type Make = Box<dyn FnOnce() -> Result<Box<dyn Remote>, RemoteError> + Send>;

/// Gets ready to talk to a store of a kind, by the arguments of its block. Nothing is asked of it yet.
///
/// # Errors
/// When an argument is missing or makes no sense.
pub fn open(kind: &str, arguments: &Arguments) -> Result<Make, WrongArgument> {
    match kind {
        "http" => {
            let settings = http::Settings::new(arguments)?;
            Ok(Box::new(move || Ok(Box::new(http::HttpStore::open(settings)?))))
        }
        #[cfg(feature = "object_store")]
        "s3" | "gcs" | "azure" => {
            let service = match kind {
                "s3" => object::Service::S3,
                "gcs" => object::Service::Gcs,
                _ => object::Service::Azure,
            };
            let settings = object::ObjectSettings::read(service, arguments)?;
            Ok(Box::new(move || Ok(Box::new(object::Objects::new(&settings)?))))
        }
        #[cfg(feature = "postgres")]
        "postgres" => {
            let settings = postgres::PostgresSettings::read(arguments)?;
            Ok(Box::new(move || Ok(Box::new(postgres::Database::new(&settings)?))))
        }
        _ => {
            let feature = if kind == "postgres" { "postgres" } else { "object_store" };
            let why = format!("this wgform was built without the feature `{feature}`");
            Err(WrongArgument::new("", why))
        }
    }
}
