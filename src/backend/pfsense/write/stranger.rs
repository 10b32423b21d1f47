//! What is done when a change of a peer may have hit another one.
//!
//! A change names its place and its key. If our peer is removed between the look and the change, and another one slid into
//! its place, that one gets our key, and loses its own. The answer shows it: what was not sent is not as it was. Then the
//! other peer gets back what it had. One window is left: a peer that is like ours in everything that was not sent shows
//! no difference. It is missing in the end, and that is said.

use crate::backend::BackendError;
use crate::backend::pfsense::client::{Body, Failure};
use crate::backend::pfsense::snapshot::{OddRow, PEER};
use crate::backend::pfsense::wire::{Kept, Peer, PeerRow};
use crate::backend::pfsense::wish;
use crate::backend::pfsense::write::{Check, Done, Job, Written, all_peers};

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
            let is_there = |peer: &Peer| {
                let is_odd = odd.iter().any(|it| it.what == OddRow::Peer(peer.public_key));
                is_odd || peers.iter().any(|it| it.public_key == peer.public_key)
            };
            let is_missing = |it: &&Peer| !is_there(it) && it.public_key != before.public_key;
            let missing: Vec<_> = self.known.values().filter(is_missing).cloned().collect();
            // One that is to get another key is not ours while its old one is there.
            let has_moved_on = before.public_key != key && is_there(before);
            let is_ours = could_be(before, now, &sent) && !has_moved_on;
            let mut hit = missing.into_iter().filter(|it| !is_ours && could_be(it, now, &sent));
            match (hit.next(), hit.next()) {
                (Some(stranger), None) => {
                    return self.give_back(attempt, stranger, now, &sent).await;
                }
                (Some(stranger), Some(_)) => return Err(self.lost(attempt, &stranger)),
                (None, _) if has_moved_on => return Err(self.unknown(attempt)),
                (None, _) => {}
            }
            if let Some(attribute) = wish::peer_difference(&after, now, |field| sent.has(field)) {
                return Err(failure.map_or_else(|| self.differs(attempt, attribute), |it| it.error));
            }
            if let Some(failure) = failure {
                if !self.is_preshared_key_proven(attempt, &after, now).await? {
                    return Err(failure.error);
                }
            }
        }
        self.known.insert(key, after.clone());
        Ok(Written::new(Check::Peer { after: Box::new(after), sent, is_change: true }))
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

    fn unknown(&self, attempt: &str) -> BackendError {
        let reason =
            "somebody changed the list in between, and the change hit a peer that is new there";
        self.error(attempt, reason, HISTORY)
    }

    /// Says which peer is missing in the end that a change may have hit without anybody seeing it.
    pub(super) fn vanished(&self, peers: &[Peer], check: &Check) -> Option<String> {
        let Check::Peer { after, sent, is_change: true } = check else { return None };
        let now = peers.iter().find(|it| it.public_key == after.public_key)?;
        let is_there = |peer: &Peer| peers.iter().any(|it| it.public_key == peer.public_key);
        let missing = self.known.values().find(|it| !is_there(it) && could_be(it, now, sent))?;
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
