//! The copies of the last writes.

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use object_store::ObjectStore as _;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use crate::store::remote::object::Objects;
use crate::store::remote::{Past, RemoteError, Version};

/// How many copies are kept.
const KEPT: usize = 20;

impl Objects {
    /// Keeps a copy of a write that has succeeded, and lets the oldest ones go.
    ///
    /// The state is written already, and a copy that cannot be made does not undo it: there is one less to go back to.
    pub(super) async fn keep_copy(&self, bytes: &[u8], serial: u64, write: &str) {
        let name = format!("{serial:020}.{write}");
        let kept = self.put(&self.history.clone().join(name), bytes.to_vec(), None, write).await;
        if kept.is_err() {
            return;
        }
        let Ok(copies) = self.copies().await else { return };
        for copy in copies.iter().skip(KEPT) {
            let _ = self.store.delete(&self.history.clone().join(copy.version.0.as_str())).await;
        }
    }

    pub(super) async fn copies(&self) -> Result<Vec<Past>, RemoteError> {
        let listed: Result<Vec<_>, _> = self.store.list(Some(&self.history)).try_collect().await;
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => return self.absent(error).map(|()| Vec::new()),
        };
        let mut copies: Vec<Past> = listed
            .into_iter()
            .filter_map(|it| {
                let name = it.location.filename()?.to_owned();
                let serial = name.split_once('.')?.0.parse().ok()?;
                let written_at = Timestamp::from_millisecond(it.last_modified.timestamp_millis());
                Some(Past { serial, version: Version(name), written_at: written_at.ok() })
            })
            .collect();
        copies.sort_by(|a, b| {
            let order = |it: &Past| (it.serial, it.written_at);
            order(b).cmp(&order(a)).then_with(|| b.version.cmp(&a.version))
        });
        Ok(copies)
    }

    pub(super) async fn copy(&self, version: &Version) -> Result<Option<Vec<u8>>, RemoteError> {
        let Ok(name) = Path::parse(&version.0) else { return Ok(None) };
        // A version is one name, and never a way out of the history.
        let Some(name) = name.filename().filter(|it| *it == version.0) else { return Ok(None) };
        let found = self.get(&self.history.clone().join(name)).await?;
        Ok(found.map(|it| it.bytes))
    }
}
