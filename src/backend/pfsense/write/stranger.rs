//! What is done when a change of a peer may have hit another one.
//!
//! A change names its place and its key. If our peer is removed between the look and the change, and another one slid into
//! its place, that one gets our key, and loses its own. The answer shows it: what was not sent is not as it was. Then the
//! other peer gets back what it had. Two windows are left: a peer that is like ours in everything that was not sent shows
//! no difference, is missing in the end, and that is said; and of one that was made since the batch began nobody knows
//! what it had, and that is said too.

use std::collections::BTreeSet;

use crate::backend::BackendError;
use crate::backend::pfsense::client::{Body, Failure};
use crate::backend::pfsense::snapshot::{Odd, OddRow, PEER};
use crate::backend::pfsense::wire::{Kept, Peer, PeerRow};
use crate::backend::pfsense::wish;
use crate::backend::pfsense::write::{Check, Done, Job, There, Written, all_peers};

/// What is left to do for a peer of somebody else.
const HISTORY: &str =
    "take that peer from `Diagnostics > Backup & Restore > Config History` at once";

impl Job<'_> {
    /// Compares what a peer is after a change with what was meant; looks closer where that is not certain.
    pub(super) async fn settle(
        &mut self,
        attempt: &str,
        before: &Peer,
        after: Peer,
        sent: Body,
        echo: Option<Peer>,
        failure: Option<Failure>,
    ) -> Done {
        let key = after.public_key;
        let is_meant =
            echo.is_some_and(|it| wish::peer_difference(&after, &it, |_| true).is_none());
        if !is_meant {
            let (peers, odd) = all_peers(self.client).await?;
            let Some(now) = peers.iter().find(|it| it.public_key == key) else {
                let failure = failure.filter(|_| before.public_key != key);
                return Err(failure.map_or_else(|| self.gone(attempt), |it| it.error));
            };
            let is_other = |it: &Peer| it.public_key != before.public_key;
            let missing = self.missing(&peers, &odd).into_iter().filter(is_other);
            // One that is to get another key is not ours while its old one is there.
            let is_still_there = before.public_key != key
                && peers.iter().any(|it| it.public_key == before.public_key);
            let is_ours = could_be(before, now, &sent) && !is_still_there;
            let mut hit = missing.filter(|it| !is_ours && could_be(it, now, &sent));
            match (hit.next(), hit.next()) {
                (Some(stranger), None) => {
                    return self.give_back(attempt, stranger, now, &sent).await;
                }
                (Some(stranger), Some(_)) => return Err(self.lost(attempt, &stranger)),
                (None, _) if is_still_there => return Err(self.unknown(attempt)),
                (None, _) => {}
            }
            if let Some(attribute) = wish::peer_difference(&after, now, |field| sent.has(field)) {
                return Err(failure.map_or_else(|| self.differs(attempt, attribute), |it| it.error));
            }
            if !is_ours {
                return Err(self.other(attempt));
            }
            if let Some(failure) = failure
                && !self.is_preshared_key_proven(attempt, &after, now).await?
            {
                return Err(failure.error);
            }
        }
        self.known.insert(key, after.clone());
        let was = Some(before.public_key);
        Ok(Written::new(Check::Peer { after: Box::new(after), sent, was }))
    }

    /// Gives a peer back what it had.
    async fn give_back(&mut self, attempt: &str, stranger: Peer, now: &Peer, sent: &Body) -> Done {
        let mut body = wish::peer_change(now, &stranger);
        body.set("id", now.id);
        body.set("publickey", stranger.public_key.to_string());
        let client = self.client;
        let echo = self.send(client.patch::<PeerRow>(attempt, PEER, &body)).await;
        let echo = echo.ok().and_then(|row| row.peer().ok());
        let is_back =
            echo.is_some_and(|it| wish::peer_difference(&stranger, &it, |_| true).is_none());
        if !is_back {
            return Err(self.lost(attempt, &stranger));
        }
        let name = format!("peer `{}` on `{}`", stranger.public_key.short(), stranger.tunnel);
        let reason = format!(
            "somebody changed the list in between, and the change hit {name}; that was undone"
        );
        Err(match sent.has("presharedkey") && stranger.preshared_key == Kept::Hidden {
            true => self.error(
                attempt,
                format!("{reason}, but for its pre-shared key, which nobody can read"),
                "take that key from `Diagnostics > Backup & Restore > Config History`, then plan again",
            ),
            false => self.error(attempt, reason, "plan again"),
        })
    }

    fn lost(&self, attempt: &str, stranger: &Peer) -> BackendError {
        let name = format!("peer `{}` on `{}`", stranger.public_key.short(), stranger.tunnel);
        let reason = format!(
            "somebody changed the list in between, and the change hit {name}, which could not be undone"
        );
        self.error(attempt, reason, HISTORY)
    }

    fn other(&self, attempt: &str) -> BackendError {
        let reason = "it is not as it was right before: somebody changed it in between, or a new peer is in its place and has its key";
        let hint = "plan again; if a peer is missing then, take it from `Diagnostics > Backup & Restore > Config History`";
        self.error(attempt, reason, hint)
    }

    fn unknown(&self, attempt: &str) -> BackendError {
        let reason =
            "somebody changed the list in between, and the change hit a peer that is new there";
        self.error(attempt, reason, HISTORY)
    }

    /// Returns the peers that were there, and are there no longer.
    pub(super) fn missing(&self, peers: &[Peer], odd: &[Odd]) -> Vec<Peer> {
        let odd = odd.iter().filter_map(|it| match it.what {
            OddRow::Peer(key) => Some(key),
            OddRow::Tunnel | OddRow::Keyless => None,
        });
        let keys: BTreeSet<_> = peers.iter().map(|it| it.public_key).chain(odd).collect();
        let missing = self.known.values().filter(|it| !keys.contains(&it.public_key));
        missing.cloned().collect()
    }
}

impl There {
    /// Says which peer is missing in the end that a change may have hit without anybody seeing it.
    pub(super) fn vanished(&self, check: &Check) -> Option<String> {
        let Check::Peer { after, sent, was: Some(_) } = check else { return None };
        let now = self.peers.iter().find(|it| it.public_key == after.public_key)?;
        let missing = self.missing.iter().find(|it| could_be(it, now, sent))?;
        Some(format!(
            "peer `{}` on `{}` is gone since, which is like it in everything that was not changed: either somebody removed it, or it was taken for this one",
            missing.public_key.short(),
            missing.tunnel
        ))
    }
}

/// Returns whether a change may have made a peer out of that one: what was not sent is the same.
fn could_be(was: &Peer, now: &Peer, sent: &Body) -> bool {
    wish::peer_difference(was, now, |field| !sent.has(field)).is_none()
}
