//! The advisory lock, and the row that says for people who holds it.

use std::time::Duration;

use tokio_postgres::Client;

use crate::store::LockInfo;
use crate::store::remote::postgres::{Database, Failure, Session, schema};
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
        info: &LockInfo,
    ) -> Result<(), Failure> {
        let client = self.ready(session).await?;
        schema::prepare(client, &self.names).await?;
        // A session gets a lock that it has a second time.
        if session.holds(info) {
            return Ok(());
        }
        let holds = session.holds.is_some();
        let client = self.ready(session).await?;
        if holds || !self.try_lock(client).await? {
            let held = self.lock_holder(client).await?;
            return Err(RemoteError::Locked(Box::new(held.unwrap_or(NOBODY_KNOWN))).into());
        }
        let signed = self.sign(client, info).await;
        match &signed {
            Ok(()) => session.holds = Some(info.id.clone()),
            // The lock of which nobody is told goes with its session.
            Err(_) => session.client = None,
        }
        signed
    }

    /// Says who has the lock, after a look that the session has it.
    async fn sign(&self, client: &Client, info: &LockInfo) -> Result<(), Failure> {
        let own: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
        if self.backend(client).await? != Some(own) {
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
        client.execute(&sign, &[&self.name, &info.id, &text, &own]).await?;
        Ok(())
    }

    pub(super) async fn renew_lock(
        &self,
        session: &mut Session,
        info: &LockInfo,
    ) -> Result<(), Failure> {
        self.ready(session).await?;
        if !session.holds(info) {
            return Err(RemoteError::LockLost.into());
        }
        let client = self.ready(session).await?;
        let sign = format!(
            "UPDATE {} SET renewed_at = clock_timestamp() WHERE name = $1 AND id = $2",
            self.names.lock
        );
        if client.execute(&sign, &[&self.name, &info.id]).await? == 0 {
            session.holds = None;
            return Err(RemoteError::LockLost.into());
        }
        Ok(())
    }

    pub(super) async fn give_lock_back(
        &self,
        session: &mut Session,
        info: &LockInfo,
    ) -> Result<(), Failure> {
        self.ready(session).await?;
        if !session.holds(info) {
            return Ok(());
        }
        let client = self.ready(session).await?;
        self.erase(client, &info.id).await?;
        client.execute("SELECT pg_advisory_unlock($1)", &[&self.key]).await?;
        session.holds = None;
        Ok(())
    }

    /// Returns who holds the lock. A row whose session is gone says nothing any more.
    pub(super) async fn lock_holder(&self, client: &Client) -> Result<Option<Held>, Failure> {
        let Some(backend) = self.backend(client).await? else { return Ok(None) };
        if !schema::is_there(client, &self.names).await? {
            return Ok(Some(NOBODY_KNOWN));
        }
        let query =
            format!("SELECT info FROM {} WHERE name = $1 AND backend = $2", self.names.lock);
        // It may have been taken this instant, and its holder be about to write its name.
        for _ in 0..5 {
            if let Some(row) = client.query_opt(&query, &[&self.name, &backend]).await? {
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
        id: &str,
    ) -> Result<(), Failure> {
        let client = self.ready(session).await?;
        let Some(held) = self.lock_holder(client).await? else {
            return Err(RemoteError::LockLost.into());
        };
        if held.info.as_ref().is_none_or(|it| it.id != id) {
            return Err(RemoteError::Locked(Box::new(held)).into());
        }
        if session.holds.as_deref() == Some(id) {
            let client = self.ready(session).await?;
            self.erase(client, id).await?;
            client.execute("SELECT pg_advisory_unlock($1)", &[&self.key]).await?;
            session.holds = None;
            return Ok(());
        }
        let client = self.ready(session).await?;
        if !self.end_session_of(client, id).await? {
            return Err(RemoteError::Unreachable(
                "the session that holds the lock was told to end, and is still there".to_owned(),
            )
            .into());
        }
        self.erase(client, id).await
    }

    /// Takes the lock again after the session broke. Returns whether nobody has had it in between.
    pub(super) async fn take_again(&self, client: &Client, id: &str) -> Result<bool, Failure> {
        if !self.is_signed(client, id).await? {
            return Ok(false);
        }
        // The server may not have noticed yet that the old session is broken.
        let has_it = self.try_lock(client).await?
            || (self.end_session_of(client, id).await? && self.try_lock(client).await?);
        if !has_it || !self.is_signed(client, id).await? {
            client.execute("SELECT pg_advisory_unlock($1)", &[&self.key]).await?;
            return Ok(false);
        }
        let sign = format!(
            "UPDATE {} SET backend = pg_backend_pid() WHERE name = $1 AND id = $2",
            self.names.lock
        );
        Ok(client.execute(&sign, &[&self.name, &id]).await? == 1)
    }

    async fn try_lock(&self, client: &Client) -> Result<bool, Failure> {
        Ok(client.query_one("SELECT pg_try_advisory_lock($1)", &[&self.key]).await?.try_get(0)?)
    }

    /// Returns the session that has the lock.
    async fn backend(&self, client: &Client) -> Result<Option<i32>, Failure> {
        let row = client.query_opt(HOLDER, &[&self.key]).await?;
        Ok(row.map(|it| it.try_get(0)).transpose()?)
    }

    async fn is_signed(&self, client: &Client, id: &str) -> Result<bool, Failure> {
        let query = format!("SELECT 1 FROM {} WHERE name = $1 AND id = $2", self.names.lock);
        Ok(client.query_opt(&query, &[&self.name, &id]).await?.is_some())
    }

    async fn erase(&self, client: &Client, id: &str) -> Result<(), Failure> {
        let erase = format!("DELETE FROM {} WHERE name = $1 AND id = $2", self.names.lock);
        client.execute(&erase, &[&self.name, &id]).await?;
        Ok(())
    }

    /// Ends the session that has the lock, if the row says that it is the one with this id. Returns whether it is gone.
    async fn end_session_of(&self, client: &Client, id: &str) -> Result<bool, Failure> {
        let Some(backend) = self.backend(client).await? else { return Ok(true) };
        let end = format!(
            "SELECT pg_terminate_backend(backend) FROM {} WHERE name = $1 AND id = $2 AND backend = $3",
            self.names.lock
        );
        client.query(&end, &[&self.name, &id, &backend]).await?;
        for _ in 0..LOOKS {
            if self.backend(client).await? != Some(backend) {
                return Ok(true);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
    }
}

/// Somebody has the lock, and has not said who.
const NOBODY_KNOWN: Held = Held { info: None, beat: None };
