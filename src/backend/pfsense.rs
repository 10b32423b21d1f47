//! pfSense firewalls, over the REST API package.
//!
//! A firewall is read as whole lists, and written one object at a time, with one apply at the end: `write` carries out a
//! batch, `picture` says what there is in our words, `wish` says what we want in the package's, and `checks` asks what it
//! would make of a plan.

pub mod client;
pub mod wire;
pub mod snapshot;
mod picture;
mod wish;
mod write;
mod checks;

#[cfg(test)]
mod script;

use crate::actual::{Examination, Picture};
use crate::backend::pfsense::client::{Client, Failure, Settings};
use crate::backend::pfsense::snapshot::Snapshot;
use crate::backend::{Answer, BackendError, Batch, Interest, Landed, Read, Stop, Write};
use crate::resource::{BackendId, BackendKind};
use crate::value::{PresharedKey, PublicKey};
use crate::world::World;

pub use checks::Verdict;

/// A firewall.
pub struct PfSense {
    id: BackendId,
    kind: BackendKind,
    client: Client,
    /// Whether something else answers in the place of a firewall.
    is_simulated: bool,
    world: World,
}

impl PfSense {
    /// Gets ready to ask a firewall.
    ///
    /// # Errors
    /// When the URL or the certificates make no sense.
    pub fn new(
        settings: Settings,
        kind: BackendKind,
        is_simulated: bool,
        world: &World,
    ) -> Result<Self, BackendError> {
        let id = settings.backend.clone();
        Ok(Self { id, kind, client: Client::new(settings)?, is_simulated, world: world.clone() })
    }

    /// Asks what the firewall would make of each operation of a batch. Nothing is changed.
    ///
    /// # Errors
    /// Before v2.8.0, where it would carry them out; and as [`Read::read`].
    pub async fn validate(&self, batch: &Batch) -> Result<Vec<Verdict>, BackendError> {
        checks::dry_run(&self.client, batch).await
    }

    /// Returns whether a peer has this pre-shared key, though the firewall may not show it. One request.
    ///
    /// # Errors
    /// As [`Read::read`].
    pub async fn holds_preshared_key(
        &self,
        peer: PublicKey,
        key: &PresharedKey,
    ) -> Result<bool, BackendError> {
        checks::holds_preshared_key(&self.client, peer, key).await
    }

    /// Switches WireGuard on, which brings up all that is stored.
    ///
    /// # Errors
    /// When the firewall refuses, or is not switched on then.
    pub async fn enable_service(&self) -> Result<(), BackendError> {
        write::enable_service(&self.client).await
    }

    /// Brings to the kernel whatever is stored, whoever stored it.
    ///
    /// # Errors
    /// When the firewall refuses, or does not come to an end.
    pub async fn apply_pending(&self) -> Result<(), BackendError> {
        write::apply(&self.client).await
    }

    async fn snapshot(&self) -> Result<Snapshot, BackendError> {
        Snapshot::read(&self.client).await.map_err(|failure: Failure| failure.error)
    }

    fn picture_of(&self, snapshot: &Snapshot) -> Result<Picture, BackendError> {
        picture::picture(snapshot, self.kind, self.is_simulated, self.world.now())
            .map_err(|reason| self.client.unreadable("read the WireGuard tunnels", reason).error)
    }
}

impl Read for PfSense {
    fn id(&self) -> &BackendId {
        &self.id
    }

    fn read<'a>(&'a self, _: &'a Interest) -> Answer<'a, Result<Picture, BackendError>> {
        Box::pin(async move { self.picture_of(&self.snapshot().await?) })
    }

    fn examine(&self) -> Answer<'_, Result<Examination, BackendError>> {
        Box::pin(async move {
            let snapshot = self.snapshot().await?;
            let facts = picture::facts(&snapshot);
            Ok(Examination { picture: self.picture_of(&snapshot)?, facts })
        })
    }
}

impl Write for PfSense {
    fn write<'a>(&'a self, batch: Batch, stop: Stop, landed: Landed<'a>) -> Answer<'a, ()> {
        Box::pin(write::carry_out(&self.client, batch, stop, landed))
    }
}
