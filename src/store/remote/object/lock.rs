//! The lock as an object: who holds it, or that nobody does. Every change is a write over the one that was read.

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::store::LockInfo;
use crate::store::remote::object::trouble::Trouble;
use crate::store::remote::object::{Objects, TRIES};
use crate::store::remote::{Held, RemoteError, UNKNOWN, Version};

/// What the lock object says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Paper {
    /// Who holds the lock; nobody when it is given back.
    held: Option<LockInfo>,
    /// The name of this write. It changes each time, also in the entity tag of a store that makes it from the content.
    write: String,
}

/// The lock object, as it was read.
struct Seen {
    /// None when it is something else than a lock of wgform.
    paper: Option<Paper>,
    version: Version,
}

impl Seen {
    fn info(&self) -> Option<&LockInfo> {
        self.paper.as_ref()?.held.as_ref()
    }

    fn is_free(&self) -> bool {
        self.paper.as_ref().is_some_and(|it| it.held.is_none())
    }

    fn is_of(&self, id: &str) -> bool {
        self.info().is_some_and(|it| it.id == id)
    }

    fn into_held(self) -> Held {
        let beat = match &self.paper {
            Some(paper) => paper.write.clone(),
            None => self.version.0.clone(),
        };
        Held { info: self.paper.and_then(|it| it.held), beat: Some(beat) }
    }
}

impl Objects {
    pub(super) async fn take_lock(&self, at: &Path, info: &LockInfo) -> Result<(), RemoteError> {
        self.prove().await?;
        for _ in 0..TRIES {
            let over = match self.seen(at).await? {
                None => None,
                Some(seen) if seen.is_free() => Some(seen.version),
                // An answer was lost, and this is what was asked for.
                Some(seen) if seen.is_of(&info.id) => return Ok(()),
                Some(seen) => return Err(RemoteError::Locked(Box::new(seen.into_held()))),
            };
            if self.put_lock(at, Some(info), over.as_ref()).await? {
                return Ok(());
            }
        }
        Err(restless())
    }

    pub(super) async fn renew_lock(&self, at: &Path, info: &LockInfo) -> Result<(), RemoteError> {
        for _ in 0..TRIES {
            match self.seen(at).await? {
                Some(seen) if seen.is_of(&info.id) => {
                    if self.put_lock(at, Some(info), Some(&seen.version)).await? {
                        return Ok(());
                    }
                }
                _ => return Err(RemoteError::LockLost),
            }
        }
        Err(restless())
    }

    pub(super) async fn give_lock_back(
        &self,
        at: &Path,
        info: &LockInfo,
    ) -> Result<(), RemoteError> {
        for _ in 0..TRIES {
            match self.seen(at).await? {
                Some(seen) if seen.is_of(&info.id) => {
                    if self.put_lock(at, None, Some(&seen.version)).await? {
                        return Ok(());
                    }
                }
                _ => return Ok(()),
            }
        }
        Err(restless())
    }

    pub(super) async fn take_lock_away(&self, at: &Path, id: &str) -> Result<(), RemoteError> {
        for _ in 0..TRIES {
            match self.seen(at).await? {
                Some(seen) if seen.is_of(id) || (seen.paper.is_none() && id == UNKNOWN) => {
                    if self.put_lock(at, None, Some(&seen.version)).await? {
                        return Ok(());
                    }
                }
                Some(seen) if seen.is_free() => return Err(RemoteError::LockLost),
                None => return Err(RemoteError::LockLost),
                Some(seen) => return Err(RemoteError::Locked(Box::new(seen.into_held()))),
            }
        }
        Err(restless())
    }

    pub(super) async fn lock_holder(&self, at: &Path) -> Result<Option<Held>, RemoteError> {
        let seen = self.seen(at).await?.filter(|it| !it.is_free());
        Ok(seen.map(Seen::into_held))
    }

    async fn seen(&self, at: &Path) -> Result<Option<Seen>, RemoteError> {
        let found = self.get(at).await?;
        Ok(found
            .map(|it| Seen { paper: serde_json::from_slice(&it.bytes).ok(), version: it.version }))
    }

    /// Writes the lock object over the one that was seen. Returns whether it was still that one.
    async fn put_lock(
        &self,
        at: &Path,
        held: Option<&LockInfo>,
        over: Option<&Version>,
    ) -> Result<bool, RemoteError> {
        let write = self.next_write();
        let paper = Paper { held: held.cloned(), write: write.clone() };
        let bytes = serde_json::to_vec_pretty(&paper).expect("the fields are texts and numbers");
        match self.put(at, bytes, over, &write).await {
            Ok(_) => Ok(true),
            Err(Trouble::Lost | Trouble::Busy(_)) => Ok(false),
            Err(trouble) => Err(trouble.into_error()),
        }
    }
}

fn restless() -> RemoteError {
    RemoteError::Unreachable("the lock changed hands each time it was tried".to_owned())
}
