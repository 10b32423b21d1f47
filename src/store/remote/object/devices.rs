//! The locks of devices: for each an object as that of a state's lock is, under one name for all states of the bucket.

use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore as _;
use object_store::path::Path;

use crate::store::remote::object::Objects;
use crate::store::remote::{DeviceWish, HeldDevice, RemoteError};

/// Where they lie. Two states find each other here wherever in the bucket they are.
const DIRECTORY: &str = "wgform-devices";

const SUFFIX: &str = ".lock";

/// How many of them are looked at side by side.
const AT_ONCE: usize = 16;

impl Objects {
    pub(super) async fn ask_device(
        &self,
        device: &str,
        wish: DeviceWish<'_>,
    ) -> Result<(), RemoteError> {
        let at = Path::from(DIRECTORY).join(format!("{device}{SUFFIX}"));
        match wish {
            DeviceWish::Take(info) => self.take_lock(&at, info).await,
            DeviceWish::Renew(info) => self.renew_lock(&at, info).await,
            DeviceWish::GiveBack(info) => self.give_lock_back(&at, info).await,
            DeviceWish::TakeAway(id) => self.take_lock_away(&at, id).await,
        }
    }

    pub(super) async fn held_devices(&self) -> Result<Vec<HeldDevice>, RemoteError> {
        let directory = Path::from(DIRECTORY);
        let listed: Result<Vec<_>, _> = self.store.list(Some(&directory)).try_collect().await;
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => return self.absent(error).map(|()| Vec::new()),
        };
        let names = listed.into_iter().filter_map(|it| {
            let device = it.location.filename()?.strip_suffix(SUFFIX)?.to_owned();
            Some((device, it.location))
        });
        let looks = names.map(async |(device, at)| {
            let held = self.lock_holder(&at).await?;
            Ok::<_, RemoteError>(held.map(|held| HeldDevice { device, held }))
        });
        let found: Vec<_> =
            futures_util::stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }
}
