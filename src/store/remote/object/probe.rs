//! Whether a store keeps its word. Some that call themselves compatible take a write whose condition does not hold and say
//! that all is well: with them a lock is none, and a state is overwritten. It is found out with an object that nobody else
//! writes, and once in a run.

use std::sync::atomic::Ordering;

use object_store::ObjectStoreExt as _;

use crate::store::remote::object::Objects;
use crate::store::remote::object::trouble::Trouble;
use crate::store::remote::{RemoteError, Version};

impl Objects {
    /// Makes sure that conditions are looked at, before anything relies on it.
    pub(super) async fn prove(&self) -> Result<(), RemoteError> {
        if self.is_proven.load(Ordering::Relaxed) {
            return Ok(());
        }
        let outcome = self.try_conditions().await;
        // What is left of it disturbs nobody, and a user who may not delete can still hold a lock.
        let _ = self.store.delete(&self.probe).await;
        outcome?;
        self.is_proven.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn try_conditions(&self) -> Result<(), RemoteError> {
        let first = self.probe_put(None).await?;
        let Some(first) = first else {
            // One of this run is there already: the answer to it was lost, or it could not be deleted.
            return Err(RemoteError::Unreachable(
                "whether the store keeps its word could not be found out".to_owned(),
            ));
        };
        if self.probe_put(None).await?.is_some() {
            return Err(RemoteError::Unconditional);
        }
        if self.probe_put(Some(&first)).await?.is_none() {
            return Err(RemoteError::Unclear(
                "the store refuses a write whose condition holds".to_owned(),
            ));
        }
        match self.probe_put(Some(&first)).await? {
            Some(_) => Err(RemoteError::Unconditional),
            None => Ok(()),
        }
    }

    /// Writes the probe object. Returns nothing when the condition was said not to hold.
    async fn probe_put(&self, over: Option<&Version>) -> Result<Option<Version>, RemoteError> {
        let write = self.next_write();
        match self.put(&self.probe, write.clone().into_bytes(), over, &write).await {
            Ok(version) => Ok(Some(version)),
            // The echo of our own write is one that was taken.
            Err(Trouble::Lost) => self.written(&self.probe, &write).await,
            Err(trouble) => Err(trouble.into_error()),
        }
    }
}
