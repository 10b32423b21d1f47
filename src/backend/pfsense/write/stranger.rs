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
use crate::backend::pfsense::write::{
    Check, Done, Job, SHIFTS, There, Written, all_peers, is_shifted,
};
use crate::value::PublicKey;

/// What is left to do for a peer of somebody else.
const HISTORY: &str =
    "take that peer from `Diagnostics > Backup & Restore > Config History` at once";

/// What a try to give something back came to.
enum Back {
    /// It is as it was.
    Done,
    /// Nothing was changed, or nobody knows.
    Again,
    /// This one was hit.
    Other(Box<Peer>),
    /// One was hit that was made since, and of which nobody knows what it was.
    New,
    /// It cannot be done.
    Lost,
}

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
                    return self.give_back(attempt, stranger, (key, peers), &sent).await;
                }
                (Some(stranger), Some(_)) => return Err(self.lost(attempt, [&stranger])),
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

    /// Gives a peer back what it had. When places shift once more, the way back hits yet another peer, which comes first then.
    async fn give_back(
        &mut self,
        attempt: &str,
        stranger: Peer,
        (key, there): (PublicKey, Vec<Peer>),
        sent: &Body,
    ) -> Done {
        let name = named(&stranger);
        let is_bare = sent.has("presharedkey") && stranger.preshared_key == Kept::Hidden;
        let (mut hit, mut there) = (vec![(key, stranger)], Some(there));
        for _ in 0..2 * SHIFTS {
            let Some((key, was)) = hit.last() else { break };
            match self.put_back(*key, was, there.take()).await {
                Back::Done => _ = hit.pop(),
                Back::Again => {}
                Back::Other(other) => {
                    let key = was.public_key;
                    hit.push((key, *other));
                }
                Back::New => {
                    let reason = format!(
                        "somebody changed the list in between, and the change hit {name}; the way back hit a peer that is new there"
                    );
                    return Err(self.error(attempt, reason, HISTORY));
                }
                Back::Lost => break,
            }
        }
        if !hit.is_empty() {
            return Err(self.lost(attempt, hit.iter().map(|(_, was)| was)));
        }
        let reason = format!(
            "somebody changed the list in between, and the change hit {name}; that was undone"
        );
        Err(match is_bare {
            true => self.error(
                attempt,
                format!("{reason}, but for its pre-shared key, which nobody can read"),
                "take that key from `Diagnostics > Backup & Restore > Config History`, then plan again",
            ),
            false => self.error(attempt, reason, "plan again"),
        })
    }

    /// Makes what has a key now into what it was; the peers are as they were read right before, if they were.
    async fn put_back(&mut self, key: PublicKey, was: &Peer, there: Option<Vec<Peer>>) -> Back {
        let client = self.client;
        let read = match there {
            Some(peers) => Ok(peers),
            None => all_peers(client).await.map(|(peers, _)| peers),
        };
        let Ok(there) = read else { return Back::Lost };
        let Some(now) = there.iter().find(|it| it.public_key == key) else {
            return match there.iter().any(|it| it.public_key == was.public_key) {
                true => Back::Done,
                false => Back::Lost,
            };
        };
        let mut body = wish::peer_change(now, was);
        body.set("id", now.id);
        body.set("publickey", was.public_key.to_string());
        match self.send(client.patch::<PeerRow>("undo a change", PEER, &body)).await {
            Ok(row) => {
                let echo = row.peer().ok();
                let is_so = |it: Peer| wish::peer_difference(was, &it, |_| true).is_none();
                match echo.is_some_and(is_so) {
                    true => Back::Done,
                    false => self.other_hit(was, &there, &body).await,
                }
            }
            Err(failure) if is_shifted(&failure) || failure.may_have_changed => Back::Again,
            Err(_) => Back::Lost,
        }
    }

    /// Finds the peer that got a key in the place of the one that it belongs to.
    async fn other_hit(&self, was: &Peer, before: &[Peer], sent: &Body) -> Back {
        let Ok((peers, _)) = all_peers(self.client).await else { return Back::Lost };
        let key = was.public_key;
        let Some(now) = peers.iter().find(|it| it.public_key == key) else { return Back::Lost };
        let is_gone = |it: &&Peer| !peers.iter().any(|now| now.public_key == it.public_key);
        let mut hit = before.iter().filter(is_gone).filter(|it| could_be(it, now, sent));
        match (hit.next(), hit.next()) {
            (Some(other), None) => Back::Other(Box::new(other.clone())),
            (None, _) if could_be(was, now, sent) => Back::Done,
            (None, _) => Back::New,
            (Some(_), Some(_)) => Back::Lost,
        }
    }

    fn lost<'p>(
        &self,
        attempt: &str,
        strangers: impl IntoIterator<Item = &'p Peer>,
    ) -> BackendError {
        let names: Vec<_> = strangers.into_iter().map(named).collect();
        let reason = format!(
            "somebody changed the list in between, and the change hit {}, which could not be undone",
            names.join(", ")
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
            "{} is gone since, which is like it in everything that was not changed: either somebody removed it, or it was taken for this one",
            named(missing)
        ))
    }
}

fn named(peer: &Peer) -> String {
    format!("peer `{}` on `{}`", peer.public_key.short(), peer.tunnel)
}

/// Returns whether a change may have made a peer out of that one: what was not sent is the same.
fn could_be(was: &Peer, now: &Peer, sent: &Body) -> bool {
    wish::peer_difference(was, now, |field| !sent.has(field)).is_none()
}
