//! The advisory lock of a state or of a device, and the row that says for people who holds it.

use std::time::Duration;

use tokio_postgres::Client;

use crate::store::LockInfo;
use crate::store::remote::postgres::{Database, Failure, Seat, Session, schema};
use crate::store::remote::{Held, RemoteError};

/// How often it is looked whether a session that was ended is gone, and how long is waited in between.
const LOOKS: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Which session holds an advisory lock of 64 bits in this database.
const HOLDER: &str =
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::bigint << 32 | objid::bigint) = $1";

impl Database {
    pub(super) async fn take_lock(
        &self,
        session: &mut Session,
        seat: &Seat,
        info: &LockInfo,
    ) -> Result<(), Failure> {
        let client = self.ready(session).await?;
        schema::prepare(client, &self.names).await?;
        // A session gets a lock that it has a second time.
        if session.holds(seat, info) {
            return Ok(());
        }
        let holds = session.holds.contains_key(&seat.name);
        let client = self.ready(session).await?;
        if holds || !self.try_lock(client, seat).await? {
            let held = self.lock_holder(client, seat).await?;
            return Err(RemoteError::Locked(Box::new(held.unwrap_or(NOBODY_KNOWN))).into());
        }
        let signed = self.sign(client, seat, info).await;
        match &signed {
            Ok(()) => session.took(seat, &info.id),
            // The lock of which nobody is told goes with its session.
            Err(_) => session.client = None,
        }
        signed
    }

    /// Says who has the lock, after a look that the session has it.
    async fn sign(&self, client: &Client, seat: &Seat, info: &LockInfo) -> Result<(), Failure> {
        let own: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
        if self.backend(client, seat).await? != Some(own) {
            return Err(RemoteError::Refused(
                "the lock does not stay with the session: this is a pooler that gives each transaction another one, and the state needs the database itself, or a pool by session".to_owned(),
            )
            .into());
        }
        let text = serde_json::to_string(info).expect("the fields are texts and numbers");
        let sign = format!(
            "INSERT INTO {} (name, id, info, backend) VALUES ($1, $2, $3, $4)
             ON CONFLICT (name) DO UPDATE SET id = $2, info = $3, backend = $4, renewed_at = clock_timestamp()",
            self.names.lock
        );
        client.execute(&sign, &[&seat.name, &info.id, &text, &own]).await?;
        Ok(())
    }

    pub(super) async fn renew_lock(
        &self,
        session: &mut Session,
        seat: &Seat,
        info: &LockInfo,
    ) -> Result<(), Failure> {
        self.ready(session).await?;
        if !session.holds(seat, info) {
            return Err(RemoteError::LockLost.into());
        }
        let client = self.ready(session).await?;
        let sign = format!(
            "UPDATE {} SET renewed_at = clock_timestamp() WHERE name = $1 AND id = $2",
            self.names.lock
        );
        if client.execute(&sign, &[&seat.name, &info.id]).await? == 0 {
            session.holds.remove(&seat.name);
            return Err(RemoteError::LockLost.into());
        }
        Ok(())
    }

    /// Looks by another session whether the busy one still has the lock: a state of ten megabytes may take longer to write
    /// than the lease of a lock that is not renewed.
    pub(super) async fn renew_beside(&self, seat: &Seat, info: &LockInfo) -> Result<(), Failure> {
        let client = self.target.connect().await?;
        let Some(backend) = self.backend(&client, seat).await? else {
            // The busy one is about to find out, and takes it again if it can.
            let why = "the session that has the lock broke off";
            return Err(RemoteError::Unreachable(why.to_owned()).into());
        };
        let query = format!(
            "SELECT 1 FROM {} WHERE name = $1 AND id = $2 AND backend = $3",
            self.names.lock
        );
        match client.query_opt(&query, &[&seat.name, &info.id, &backend]).await? {
            Some(_) => Ok(()),
            None => Err(RemoteError::LockLost.into()),
        }
    }

    pub(super) async fn give_lock_back(
        &self,
        session: &mut Session,
        seat: &Seat,
        info: &LockInfo,
    ) -> Result<(), Failure> {
        self.ready(session).await?;
        if !session.holds(seat, info) {
            return Ok(());
        }
        let client = self.ready(session).await?;
        self.erase(client, seat, &info.id).await?;
        client.execute("SELECT pg_advisory_unlock($1)", &[&seat.key]).await?;
        session.holds.remove(&seat.name);
        Ok(())
    }

    /// Returns who holds the lock. A row whose session is gone says nothing any more.
    pub(super) async fn lock_holder(
        &self,
        client: &Client,
        seat: &Seat,
    ) -> Result<Option<Held>, Failure> {
        let Some(backend) = self.backend(client, seat).await? else { return Ok(None) };
        if !schema::is_there(client, &self.names).await? {
            return Ok(Some(NOBODY_KNOWN));
        }
        let query =
            format!("SELECT info FROM {} WHERE name = $1 AND backend = $2", self.names.lock);
        // It may have been taken this instant, and its holder be about to write its name.
        for _ in 0..5 {
            if let Some(row) = client.query_opt(&query, &[&seat.name, &backend]).await? {
                let info = serde_json::from_str(row.try_get(0)?).ok();
                return Ok(Some(Held { info, beat: None }));
            }
            tokio::time::sleep(PAUSE / 5).await;
        }
        Ok(Some(NOBODY_KNOWN))
    }

    /// Ends the session that holds the lock, if it is still the one with this id.
    pub(super) async fn take_lock_away(
        &self,
        session: &mut Session,
        seat: &Seat,
        id: &str,
    ) -> Result<(), Failure> {
        let client = self.ready(session).await?;
        let Some(held) = self.lock_holder(client, seat).await? else {
            return Err(RemoteError::LockLost.into());
        };
        if held.info.as_ref().is_none_or(|it| it.id != id) {
            return Err(RemoteError::Locked(Box::new(held)).into());
        }
        if session.holds.get(&seat.name).map(String::as_str) == Some(id) {
            let client = self.ready(session).await?;
            self.erase(client, seat, id).await?;
            client.execute("SELECT pg_advisory_unlock($1)", &[&seat.key]).await?;
            session.holds.remove(&seat.name);
            return Ok(());
        }
        let client = self.ready(session).await?;
        if !self.end_session_of(client, seat, id).await? {
            return Err(RemoteError::Unreachable(
                "the session that holds the lock was told to end, and is still there".to_owned(),
            )
            .into());
        }
        self.erase(client, seat, id).await
    }

    /// Takes the lock again after the session broke. Returns whether nobody has had it in between.
    pub(super) async fn take_again(
        &self,
        client: &Client,
        seat: &Seat,
        id: &str,
    ) -> Result<bool, Failure> {
        if !self.is_signed(client, seat, id).await? {
            return Ok(false);
        }
        // The server may not have noticed yet that the old session is broken.
        let has_it = self.try_lock(client, seat).await?
            || (self.end_session_of(client, seat, id).await?
                && self.try_lock(client, seat).await?);
        if !has_it || !self.is_signed(client, seat, id).await? {
            client.execute("SELECT pg_advisory_unlock($1)", &[&seat.key]).await?;
            return Ok(false);
        }
        let sign = format!(
            "UPDATE {} SET backend = pg_backend_pid() WHERE name = $1 AND id = $2",
            self.names.lock
        );
        Ok(client.execute(&sign, &[&seat.name, &id]).await? == 1)
    }

    async fn try_lock(&self, client: &Client, seat: &Seat) -> Result<bool, Failure> {
        Ok(client.query_one("SELECT pg_try_advisory_lock($1)", &[&seat.key]).await?.try_get(0)?)
    }

    /// Returns the session that has the lock.
    async fn backend(&self, client: &Client, seat: &Seat) -> Result<Option<i32>, Failure> {
        let row = client.query_opt(HOLDER, &[&seat.key]).await?;
        Ok(row.map(|it| it.try_get(0)).transpose()?)
    }

    async fn is_signed(&self, client: &Client, seat: &Seat, id: &str) -> Result<bool, Failure> {
        let query = format!("SELECT 1 FROM {} WHERE name = $1 AND id = $2", self.names.lock);
        Ok(client.query_opt(&query, &[&seat.name, &id]).await?.is_some())
    }

    async fn erase(&self, client: &Client, seat: &Seat, id: &str) -> Result<(), Failure> {
        let erase = format!("DELETE FROM {} WHERE name = $1 AND id = $2", self.names.lock);
        client.execute(&erase, &[&seat.name, &id]).await?;
        Ok(())
    }

    /// Ends the session that has the lock, if the row says that it is the one with this id. Returns whether it is gone.
    async fn end_session_of(
        &self,
        client: &Client,
        seat: &Seat,
        id: &str,
    ) -> Result<bool, Failure> {
        let Some(backend) = self.backend(client, seat).await? else { return Ok(true) };
        let end = format!(
            "SELECT pg_terminate_backend(backend) FROM {} WHERE name = $1 AND id = $2 AND backend = $3",
            self.names.lock
        );
        client.query(&end, &[&seat.name, &id, &backend]).await?;
        for _ in 0..LOOKS {
            if self.backend(client, seat).await? != Some(backend) {
                return Ok(true);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
    }
}

/// Somebody has the lock, and has not said who.
const NOBODY_KNOWN: Held = Held { info: None, beat: None };
