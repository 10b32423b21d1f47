//! Peers: made at once, found again by their key before they are changed or removed.

use crate::backend::BackendError;
use crate::backend::pfsense::client::{Body, Cause, Failure};
use crate::backend::pfsense::snapshot::{PEER, PEERS};
use crate::backend::pfsense::wire::{Kept, List, Peer, PeerRow};
use crate::backend::pfsense::wish;
use crate::backend::pfsense::write::{Check, Done, Job, SHIFTS, Written, is_shifted, is_taken};
use crate::resource::{Fields, Setting, Settings};
use crate::value::PublicKey;

impl Job<'_> {
    pub(super) async fn create_peer(
        &mut self,
        attempt: &str,
        tunnel: &str,
        key: PublicKey,
        fields: &Fields,
    ) -> Done {
        let after =
            wish::created_peer(tunnel, key, fields).map_err(|it| self.misfit(attempt, &it))?;
        let body = wish::peer_creation(&after);
        let client = self.client;
        match self.send(client.post::<PeerRow>(attempt, PEER, &body)).await {
            Ok(row) => match row.peer() {
                Ok(echo) => {
                    if let Some(attribute) = wish::peer_difference(&after, &echo, |_| true) {
                        return Err(self.differs(attempt, attribute));
                    }
                }
                Err(strange) => {
                    let error = self.strange(attempt, &strange);
                    let failure =
                        Failure { error, cause: Cause::Unreadable, may_have_changed: true };
                    self.prove_peer(attempt, &after, failure).await?;
                }
            },
            Err(failure) if is_taken(&failure) => {
                let hint = "import it, or remove it on the firewall; a firewall has a key on one tunnel only";
                return Err(self.error(attempt, "a peer with that key is there already", hint));
            }
            Err(failure) => self.prove_peer(attempt, &after, failure).await?,
        }
        self.is_moved |= self.left.get(&key).is_some_and(|it| it != tunnel);
        self.known.insert(key, after.clone());
        Ok(Written::new(Check::Peer { after: Box::new(after), sent: body, was: None }))
    }

    /// Looks for a peer after a failure, and returns the failure unless it is there as it was to be.
    async fn prove_peer(
        &self,
        attempt: &str,
        after: &Peer,
        failure: Failure,
    ) -> Result<(), BackendError> {
        if !failure.may_have_changed {
            return Err(failure.error);
        }
        let row = self.peer_row(attempt, after.public_key).await?;
        let found = row.and_then(|row| row.peer().ok());
        let is_so = |it: &Peer| wish::peer_difference(after, it, |_| true).is_none();
        match found.filter(is_so) {
            Some(found) if self.is_preshared_key_proven(attempt, after, &found).await? => Ok(()),
            _ => Err(failure.error),
        }
    }

    /// Returns whether a peer has a pre-shared key for certain, or none, though it may not be shown.
    pub(super) async fn is_preshared_key_proven(
        &self,
        attempt: &str,
        after: &Peer,
        found: &Peer,
    ) -> Result<bool, BackendError> {
        if found.preshared_key != Kept::Hidden {
            return Ok(found.preshared_key == after.preshared_key);
        }
        let mut filter = Body::of("publickey", after.public_key.to_string());
        match &after.preshared_key {
            Kept::Set(key) => filter.set_secret("presharedkey", key.expose_text()),
            Kept::Unset => filter.set("presharedkey", ""),
            Kept::Hidden => return Ok(true),
        }
        let rows = self.client.search(attempt, PEERS, &filter).await;
        let List(rows): List<PeerRow> = rows.map_err(|failure| failure.error)?;
        Ok(rows.len() == 1 && rows[0].public_key() == Some(after.public_key))
    }

    pub(super) async fn update_peer(
        &mut self,
        attempt: &str,
        tunnel: &str,
        key: PublicKey,
        settings: &Settings,
        wanted: &Fields,
    ) -> Done {
        for _ in 0..SHIFTS {
            let Some(row) = self.peer_row(attempt, key).await? else {
                return Err(self.gone(attempt));
            };
            let before = row.peer().map_err(|it| self.strange(attempt, &it))?;
            if before.tunnel != tunnel {
                let hint = "plan again: somebody put it there since";
                return Err(self.error(attempt, format!("it is on `{}`", before.tunnel), hint));
            }
            let after =
                wish::peer(settings, wanted, &before).map_err(|it| self.misfit(attempt, &it))?;
            let mut sent = wish::peer_change(&before, &after);
            if sent.is_empty() {
                return Ok(Written::new(Check::Peer { after: Box::new(after), sent, was: None }));
            }
            sent.set("id", before.id);
            // Whom it means: with another peer at that place, the firewall refuses, unless ours is gone.
            sent.set("publickey", key.to_string());
            let client = self.client;
            return match self.send(client.patch::<PeerRow>(attempt, PEER, &sent)).await {
                Ok(row) => self.settle(attempt, &before, after, sent, row.peer().ok(), None).await,
                Err(failure) if is_shifted(&failure) => continue,
                Err(failure) if failure.may_have_changed => {
                    self.settle(attempt, &before, after, sent, None, Some(failure)).await
                }
                Err(failure) => Err(failure.error),
            };
        }
        Err(self.restless(attempt))
    }

    /// Gives a peer another key, and makes it where it is gone. What nobody wants otherwise stays with it.
    pub(super) async fn rekey_peer(
        &mut self,
        attempt: &str,
        tunnel: &str,
        (old, new): (PublicKey, PublicKey),
        fields: &Fields,
    ) -> Done {
        for _ in 0..SHIFTS {
            let row = self.peer_row(attempt, old).await?.filter(|it| it.tunnel_name() == tunnel);
            let Some(row) = row else {
                return self.create_peer(attempt, tunnel, new, fields).await;
            };
            let before = row.peer().map_err(|it| self.strange(attempt, &it))?;
            let mut settings = wish::all(fields);
            for name in wish::PLAIN {
                settings.entry(name).or_insert(Setting::Clear);
            }
            let after =
                wish::peer(&settings, fields, &before).map_err(|it| self.misfit(attempt, &it))?;
            let mut sent = wish::peer_change(&before, &after);
            let after = Peer { public_key: new, ..after };
            sent.set("id", before.id);
            sent.set("publickey", new.to_string());
            let client = self.client;
            let answer = self.send(client.patch::<PeerRow>(attempt, PEER, &sent)).await;
            let (echo, failure) = match answer {
                Ok(row) => (row.peer().ok(), None),
                Err(failure) if is_taken(&failure) => {
                    let hint = "import it, or remove it on the firewall";
                    return Err(self.error(attempt, "a peer with that key is there already", hint));
                }
                Err(failure) if is_shifted(&failure) => continue,
                Err(failure) if failure.may_have_changed => (None, Some(failure)),
                Err(failure) => return Err(failure.error),
            };
            // The key does not say whom it means. While ours still has its old one, another peer was meant.
            let is_still_there = self.peer_row(attempt, old).await?.is_some();
            let echo = echo.filter(|_| !is_still_there);
            let written = self.settle(attempt, &before, after, sent, echo, failure).await?;
            self.known.remove(&old);
            return Ok(written);
        }
        Err(self.restless(attempt))
    }

    pub(super) fn gone(&self, attempt: &str) -> BackendError {
        let hint = "plan again: it was removed in between, and would be made anew";
        self.error(attempt, "it is gone", hint)
    }

    pub(super) async fn delete_peer(
        &mut self,
        attempt: &str,
        tunnel: &str,
        key: PublicKey,
    ) -> Done {
        // What picks several peers would remove all of them, so that it has to have picked this one just before.
        let row = self.peer_row(attempt, key).await?;
        if row.is_some_and(|it| it.tunnel_name() == tunnel) {
            self.remove_peer(attempt, key).await?;
            self.left.insert(key, tunnel.to_owned());
        }
        self.known.remove(&key);
        Ok(Written::new(Check::NoPeer { tunnel: tunnel.to_owned(), key }))
    }

    async fn remove_peer(&mut self, attempt: &str, key: PublicKey) -> Result<(), BackendError> {
        let (client, text) = (self.client, key.to_string());
        let query = ("publickey", text.as_str());
        match self.send(client.delete::<List<PeerRow>>(attempt, PEERS, query)).await {
            Ok(List(rows)) if rows.iter().all(|it| it.public_key() == Some(key)) => Ok(()),
            Ok(List(rows)) => {
                let reason = format!("the firewall removed {} peers for it", rows.len());
                let hint =
                    "take them from `Diagnostics > Backup & Restore > Config History` at once";
                Err(self.error(attempt, reason, hint))
            }
            Err(failure) if failure.may_have_changed => match self.peer_row(attempt, key).await? {
                None => Ok(()),
                Some(_) => Err(failure.error),
            },
            Err(failure) => Err(failure.error),
        }
    }

    /// Removes all peers of a tunnel, whoever made them; those without a key by their place, the last one first.
    pub(super) async fn clear_peers(
        &mut self,
        attempt: &str,
        tunnel: &str,
    ) -> Result<(), BackendError> {
        let mut keyless = 0;
        for turn in 0.. {
            let rows = self.peers_of(attempt, tunnel).await?;
            let keys: Vec<_> = rows.iter().filter_map(PeerRow::public_key).collect();
            let Some(last) = rows.last() else { break };
            keyless = keyless.max(rows.len() - keys.len());
            if turn > keyless + SHIFTS {
                return Err(self.restless(attempt));
            }
            match keys.is_empty() {
                true => self.remove_keyless(attempt, last).await?,
                false => {
                    for key in keys {
                        let written = self.delete_peer(attempt, tunnel, key).await?;
                        self.confirm(attempt, written).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn remove_keyless(&mut self, attempt: &str, row: &PeerRow) -> Result<(), BackendError> {
        let id = row.id().map_err(|it| self.strange(attempt, &it))?.to_string();
        let client = self.client;
        let echo = self.send(client.delete::<PeerRow>(attempt, PEER, ("id", &id))).await;
        match echo.map_err(|failure| failure.error)?.key_text() == row.key_text() {
            true => Ok(()),
            false => {
                let reason = "somebody changed the list in between, and another peer was removed";
                let hint = "take it from `Diagnostics > Backup & Restore > Config History` at once";
                Err(self.error(attempt, reason, hint))
            }
        }
    }

    /// Reads the peers that name a tunnel, also one that is gone.
    pub(super) async fn peers_of(
        &self,
        attempt: &str,
        tunnel: &str,
    ) -> Result<Vec<PeerRow>, BackendError> {
        let rows = self.client.get(attempt, PEERS, &[("tun", tunnel)]).await;
        let List(rows): List<PeerRow> = rows.map_err(|failure| failure.error)?;
        match rows.iter().all(|it| it.tunnel_name() == tunnel) {
            true => Ok(rows),
            false => Err(self.unfiltered(attempt)),
        }
    }
}
