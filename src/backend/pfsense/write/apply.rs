//! Brings to the kernel what is stored.

use serde::Deserialize;
use tokio::time::sleep;

use crate::backend::BackendError;
use crate::backend::pfsense::client::{Body, Client, Failure, Pace};
use crate::backend::pfsense::snapshot::{self, APPLY, SETTINGS};
use crate::backend::pfsense::wire::Scalar;
use crate::backend::pfsense::write::Job;

const APPLYING: &str = "apply the changes";

impl Job<'_> {
    /// Applies what is stored; once more when a peer went from one tunnel to another, for only the new one is on the
    /// list of the first time.
    pub(super) async fn apply_all(&mut self) -> Result<(), BackendError> {
        if !self.is_dirty {
            return Ok(());
        }
        self.apply().await?;
        match self.is_moved {
            true => apply(self.client).await,
            false => Ok(()),
        }
    }

    /// Applies what is stored.
    pub(super) async fn apply(&mut self) -> Result<(), BackendError> {
        if self.is_dirty {
            apply(self.client).await?;
            self.is_dirty = false;
        }
        Ok(())
    }
}

/// Applies whatever is stored, whoever stored it.
///
/// # Errors
/// When the firewall refuses, or does not come to an end.
pub(in crate::backend::pfsense) async fn apply(client: &Client) -> Result<(), BackendError> {
    // The answer says what was before, so that only the next one counts; a lost one is none the worse.
    match client.post::<Scalar>(APPLYING, APPLY, &Body::default()).await {
        Err(failure) if !failure.may_have_changed => return Err(failure.error),
        _ => {}
    }
    let is_done = async || snapshot::is_applied(client).await;
    ended(client, is_done).await
}

/// Switches WireGuard on, which brings up all that is stored.
///
/// # Errors
/// When the firewall refuses, or is not switched on then.
pub(in crate::backend::pfsense) async fn enable_service(
    client: &Client,
) -> Result<(), BackendError> {
    let attempt = "switch WireGuard on";
    let mut body = Body::of("enable", true);
    body.set("apply", true);
    body.set("async", false);
    let answer = client.patch::<Scalar>(attempt, SETTINGS, &body).await;
    match (answer, snapshot::is_enabled(client).await) {
        (_, Ok(true)) => ended(client, async || snapshot::is_applied(client).await).await,
        (Err(failure), _) | (Ok(_), Err(failure)) => Err(failure.error),
        (Ok(_), Ok(false)) => Err(BackendError {
            backend: client.backend().clone(),
            attempt: attempt.to_owned(),
            reason: "the firewall says that it is done, and it is off".to_owned(),
            hints: vec!["take `User - Config: Deny Config Write` from the user".to_owned()],
        }),
    }
}

/// What waits to be applied of the interfaces of the firewall.
#[derive(Deserialize)]
pub(super) struct Pending {
    pub(super) applied: bool,
    #[serde(default)]
    pub(super) pending_interfaces: Vec<String>,
}

/// Looks until an apply has come to its end.
pub(super) async fn ended(
    client: &Client,
    is_done: impl AsyncFn() -> Result<bool, Failure>,
) -> Result<(), BackendError> {
    let Pace { poll, polls, .. } = client.pace();
    // Most are over in a moment.
    let mut wait = poll / 16;
    for _ in 0..polls {
        if is_done().await.map_err(|failure| failure.error)? {
            return Ok(());
        }
        sleep(wait).await;
        wait = (wait * 2).min(poll);
    }
    Err(BackendError {
        backend: client.backend().clone(),
        attempt: APPLYING.to_owned(),
        reason: "the firewall does not come to an end with it".to_owned(),
        hints: vec![
            "apply them in `VPN > WireGuard` or `Interfaces`, and see `Status > System Logs` for why it failed"
                .to_owned(),
        ],
    })
}
