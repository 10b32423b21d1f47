//! The state in the object storage of a cloud: S3 and what is compatible with it, Google Cloud Storage, and Azure.
//!
//! Beside the object of the state lie
//!
//! * `KEY.lock`, which says who holds the lock, or that nobody does. It is never deleted: every change of it is a write
//!   with a condition, and none of the three services has a delete with one that works everywhere.
//! * `KEY.history/SERIAL.WRITE`, a copy of each of the last twenty writes. A bucket that keeps versions keeps more, but
//!   there is no way to list them that works everywhere.
//! * `wgform-devices/DEVICE.lock`, the same for a device, for all states of the bucket.
//! * `KEY.probe/RUN` for an instant, once in a run: whether the store keeps its word.
//!
//! Every write carries the name of its run. A condition that does not hold may be the echo of our own write, whose answer
//! was lost and which was sent again: then what lies there has our name on it, and the write has succeeded.

mod arguments;
mod client;
mod devices;
mod history;
mod lock;
mod probe;
mod trouble;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, GetOptions, ObjectStore as _, ObjectStoreExt as _, PutMode,
    PutOptions, UpdateVersion,
};
use uuid::Uuid;

use crate::store::LockInfo;
use crate::store::remote::{
    DeviceWish, Document, Held, HeldDevice, Past, Remote, RemoteError, Reply, Version,
};
use crate::tls::Trust;
use crate::value::Secret;
use trouble::{Trouble, Words};

/// Under which name a write of an object says whose it is. Azure takes letters and digits only.
const WRITTEN_BY: &str = "wgformwrite";

/// No state is so large.
const LARGEST: u64 = 1 << 30;

/// How often a change is tried again when another request for the object was on its way, or somebody else was faster. Each
/// time the object is looked at anew, so that only one that changes all the time runs into it.
const TRIES: usize = 20;

/// Whose object storage it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Amazon S3, and what is compatible with it.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
}

/// Where the objects are, and as whom they are asked for.
#[derive(Clone)]
pub struct ObjectSettings {
    /// Whose.
    pub service: Service,
    /// The bucket; Azure calls it a container.
    pub bucket: String,
    /// The name of the state's object.
    pub key: String,
    /// The URL of the service, when it is not the usual one.
    pub endpoint: Option<String>,
    /// The region of S3.
    pub region: Option<String>,
    /// Whether the bucket is named in the path of a URL and not in its host. Without a word: where there is an endpoint.
    pub path_style: Option<bool>,
    /// The storage account of Azure.
    pub account: Option<String>,
    /// The id of the access key of S3.
    pub access_key: Option<String>,
    /// The secret access key of S3, the access key of Azure, or the key of a service account of Google, as JSON.
    pub secret: Option<Secret>,
    /// The session token of S3, the access token of Google, or the shared access signature of Azure.
    pub token: Option<Secret>,
    /// Whose certificate is believed.
    pub trust: Trust,
    /// The environment, in which the usual variables of the service are looked for.
    pub environment: BTreeMap<String, Secret>,
    /// How long one request may take.
    pub timeout: Duration,
    /// The name of the run, by which it knows its own writes again.
    pub run: Uuid,
}

impl ObjectSettings {
    /// How long one request may take: ten megabytes over a slow line.
    pub const TIMEOUT: Duration = Duration::from_secs(120);
}

impl fmt::Debug for ObjectSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment and the credentials are secrets.
        f.debug_struct("ObjectSettings")
            .field("service", &self.service)
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// The state as an object.
pub struct Objects {
    service: Service,
    place: String,
    store: Arc<dyn object_store::ObjectStore>,
    state: Path,
    lock: Path,
    history: Path,
    probe: Path,
    /// What must never be seen in a message.
    words: Words,
    run: Uuid,
    /// How many writes this run has made.
    writes: AtomicU64,
    /// Whether the store was found to keep its word.
    is_proven: AtomicBool,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("place", &self.place).finish_non_exhaustive()
    }
}

/// An object that has been read.
struct Found {
    bytes: Vec<u8>,
    version: Version,
}

impl Objects {
    /// Sets up the way to a store. Nothing is asked yet.
    ///
    /// # Errors
    /// When the settings do not go together.
    pub fn new(settings: &ObjectSettings) -> Result<Self, RemoteError> {
        let words = Words::new(settings);
        let place = client::place(settings);
        let key = settings.key.trim_matches('/');
        let path = |suffix: &str| Path::parse(format!("{key}{suffix}"));
        let paths = (path(""), path(".lock"), path(".history"), path(".probe"));
        let (Ok(state), Ok(lock), Ok(history), Ok(probe), false) =
            (paths.0, paths.1, paths.2, paths.3, key.is_empty())
        else {
            return Err(RemoteError::Refused(format!(
                "`{}` is no name of an object: it has an empty part, `.` or `..`, or a character that no service takes",
                settings.key
            )));
        };
        let store = client::build(settings, &words)?;
        Ok(Self {
            service: settings.service,
            place,
            store,
            state,
            lock,
            history,
            probe: probe.join(settings.run.simple().to_string()),
            words,
            run: settings.run,
            writes: AtomicU64::new(0),
            is_proven: AtomicBool::new(false),
        })
    }

    /// Returns a name for the next write that no other write has.
    fn next_write(&self) -> String {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number:06}", self.run.simple())
    }

    async fn get(&self, path: &Path) -> Result<Option<Found>, RemoteError> {
        let found = match self.store.get(path).await {
            Ok(found) => found,
            Err(error) => return self.absent(error).map(|()| None),
        };
        let version = self.version(found.meta.e_tag.clone(), found.meta.version.clone())?;
        if found.meta.size > LARGEST {
            let why = format!("`{path}` has more than a gigabyte, which is no state");
            return Err(RemoteError::Unclear(why));
        }
        let bytes = found.bytes().await.map_err(|error| self.words.trouble(error).into_error())?;
        Ok(Some(Found { bytes: bytes.to_vec(), version }))
    }

    /// Passes over that an object is not there. That its bucket is not there is another matter.
    fn absent(&self, error: object_store::Error) -> Result<(), RemoteError> {
        match self.words.trouble(error) {
            Trouble::Absent => Ok(()),
            trouble => Err(trouble.into_error()),
        }
    }

    /// Writes an object if a condition holds. [`Trouble::Lost`] when it does not, although it may have held for the same
    /// request before, whose answer was lost.
    async fn put(
        &self,
        path: &Path,
        bytes: Vec<u8>,
        over: Option<&Version>,
        write: &str,
    ) -> Result<Version, Trouble> {
        let mode = over.map_or(PutMode::Create, |it| PutMode::Update(self.condition(it)));
        let mut options = PutOptions { mode, ..PutOptions::default() };
        options.attributes.insert(Attribute::ContentType, "application/json".into());
        let written_by = Attribute::Metadata(WRITTEN_BY.into());
        options.attributes.insert(written_by, AttributeValue::from(write.to_owned()));
        match self.store.put_opts(path, bytes.into(), options).await {
            Ok(written) => self.version(written.e_tag, written.version).map_err(Trouble::Other),
            Err(error) => Err(self.words.trouble(error)),
        }
    }

    /// Returns the version of an object if this write made it.
    async fn written(&self, path: &Path, write: &str) -> Result<Option<Version>, RemoteError> {
        let found = match self.store.get_opts(path, GetOptions::new().with_head(true)).await {
            Ok(found) => found,
            Err(error) => return self.absent(error).map(|()| None),
        };
        let name = found.attributes.get(&Attribute::Metadata(WRITTEN_BY.into()));
        if name.is_none_or(|it| it.as_ref() != write) {
            return Ok(None);
        }
        self.version(found.meta.e_tag.clone(), found.meta.version.clone()).map(Some)
    }

    /// Picks what a condition of this service is about: Google counts generations, the others compare entity tags.
    fn version(
        &self,
        e_tag: Option<String>,
        generation: Option<String>,
    ) -> Result<Version, RemoteError> {
        let version = if self.service == Service::Gcs { generation } else { e_tag };
        version.map(Version).ok_or_else(|| {
            RemoteError::Unclear("the store does not say which write of the object it has".into())
        })
    }

    fn condition(&self, version: &Version) -> UpdateVersion {
        let text = Some(version.0.clone());
        match self.service {
            Service::Gcs => UpdateVersion { e_tag: None, version: text },
            Service::S3 | Service::Azure => UpdateVersion { e_tag: text, version: None },
        }
    }

    async fn write_state(
        &self,
        bytes: &[u8],
        serial: u64,
        over: Option<&Version>,
    ) -> Result<Version, RemoteError> {
        self.prove().await?;
        let write = self.next_write();
        let mut tries = 0..TRIES;
        let version = loop {
            match self.put(&self.state, bytes.to_vec(), over, &write).await {
                Ok(version) => break version,
                Err(Trouble::Lost) => {
                    break self.written(&self.state, &write).await?.ok_or(RemoteError::Stale)?;
                }
                // Nobody can say yet who was first. The next answer says it.
                Err(Trouble::Busy(_)) if tries.next().is_some() => {}
                Err(trouble) => return Err(trouble.into_error()),
            }
        };
        self.keep_copy(bytes, serial, &write).await;
        Ok(version)
    }
}

impl Remote for Objects {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn read(&self) -> Reply<'_, Option<Document>> {
        Box::pin(async {
            let found = self.get(&self.state).await?;
            Ok(found.map(|Found { bytes, version }| Document { bytes, version }))
        })
    }

    fn write<'a>(
        &'a self,
        bytes: &'a [u8],
        serial: u64,
        over: Option<&'a Version>,
        _lock: Option<&'a LockInfo>,
    ) -> Reply<'a, Version> {
        Box::pin(self.write_state(bytes, serial, over))
    }

    fn lock<'a>(&'a self, info: &'a LockInfo) -> Reply<'a, ()> {
        Box::pin(self.take_lock(&self.lock, info))
    }

    fn renew<'a>(&'a self, info: &'a LockInfo) -> Reply<'a, ()> {
        Box::pin(self.renew_lock(&self.lock, info))
    }

    fn unlock<'a>(&'a self, info: &'a LockInfo) -> Reply<'a, ()> {
        Box::pin(self.give_lock_back(&self.lock, info))
    }

    fn holder(&self) -> Reply<'_, Option<Held>> {
        Box::pin(self.lock_holder(&self.lock))
    }

    fn force_unlock<'a>(&'a self, id: &'a str) -> Reply<'a, ()> {
        Box::pin(self.take_lock_away(&self.lock, id))
    }

    fn history(&self) -> Reply<'_, Option<Vec<Past>>> {
        Box::pin(async { self.copies().await.map(Some) })
    }

    fn past<'a>(&'a self, version: &'a Version) -> Reply<'a, Option<Vec<u8>>> {
        Box::pin(self.copy(version))
    }

    fn holds_devices(&self) -> bool {
        true
    }

    fn device<'a>(&'a self, device: &'a str, wish: DeviceWish<'a>) -> Reply<'a, ()> {
        Box::pin(self.ask_device(device, wish))
    }

    fn devices(&self) -> Reply<'_, Vec<HeldDevice>> {
        Box::pin(self.held_devices())
    }
}
