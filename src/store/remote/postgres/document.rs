//! The state of a name and its last writes. A version is a number that no write of the table has had before.

use jiff::Timestamp;

use crate::store::LockInfo;
use crate::store::remote::postgres::{Database, Failure, Session, schema};
use crate::store::remote::{Document, Past, RemoteError, Version};

/// How many writes are kept.
const KEPT: i64 = 20;

impl Database {
    pub(super) async fn document(
        &self,
        session: &mut Session,
    ) -> Result<Option<Document>, Failure> {
        let client = self.ready(session).await?;
        if !schema::is_there(client, &self.names).await? {
            return Ok(None);
        }
        let query = format!(
            "SELECT document, version FROM {} JOIN {} USING (name, version) WHERE name = $1",
            self.names.state, self.names.history
        );
        let Some(row) = client.query_opt(&query, &[&self.seat.name]).await? else {
            return Ok(None);
        };
        let version: i64 = row.try_get(1)?;
        Ok(Some(Document { bytes: row.try_get(0)?, version: Version(version.to_string()) }))
    }

    /// Writes the state in one transaction. A second writer waits for the row, and finds another version in it then.
    pub(super) async fn write_document(
        &self,
        session: &mut Session,
        bytes: &[u8],
        serial: u64,
        over: Option<&Version>,
        lock: Option<&LockInfo>,
    ) -> Result<Version, Failure> {
        self.ready(session).await?;
        if lock.is_some_and(|it| !session.holds(&self.seat, it)) {
            return Err(RemoteError::LockLost.into());
        }
        let client = self.ready(session).await?;
        schema::prepare(client, &self.names).await?;
        let over: Option<i64> = match over.map(|it| it.0.parse()).transpose() {
            Ok(over) => over,
            Err(_) => return Err(RemoteError::Stale.into()),
        };
        let serial = i64::try_from(serial)
            .map_err(|_| RemoteError::Unclear("the serial is beyond what a table holds".into()))?;
        let (state, history) = (&self.names.state, &self.names.history);
        let transaction = client.transaction().await?;
        let insert = format!(
            "INSERT INTO {history} (name, serial, document) VALUES ($1, $2, $3) RETURNING version"
        );
        let row = transaction.query_one(&insert, &[&self.seat.name, &serial, &bytes]).await?;
        let version: i64 = row.try_get(0)?;
        let written = match over {
            Some(over) => {
                let update =
                    format!("UPDATE {state} SET version = $2 WHERE name = $1 AND version = $3");
                transaction.execute(&update, &[&self.seat.name, &version, &over]).await?
            }
            None => {
                let insert = format!(
                    "INSERT INTO {state} (name, version) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
                );
                transaction.execute(&insert, &[&self.seat.name, &version]).await?
            }
        };
        if written == 0 {
            transaction.rollback().await?;
            return Err(RemoteError::Stale.into());
        }
        let prune = format!(
            "DELETE FROM {history} WHERE name = $1 AND version <=
             (SELECT version FROM {history} WHERE name = $1 ORDER BY version DESC OFFSET $2 LIMIT 1)"
        );
        transaction.execute(&prune, &[&self.seat.name, &KEPT]).await?;
        transaction.commit().await?;
        Ok(Version(version.to_string()))
    }

    pub(super) async fn versions(&self, session: &mut Session) -> Result<Vec<Past>, Failure> {
        let client = self.ready(session).await?;
        if !schema::is_there(client, &self.names).await? {
            return Ok(Vec::new());
        }
        let query = format!(
            "SELECT serial, version, (extract(epoch FROM written_at) * 1000000)::bigint
             FROM {} WHERE name = $1 ORDER BY version DESC",
            self.names.history
        );
        let mut past = Vec::new();
        for row in client.query(&query, &[&self.seat.name]).await? {
            let (serial, version): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            past.push(Past {
                serial: u64::try_from(serial).unwrap_or_default(),
                version: Version(version.to_string()),
                written_at: Timestamp::from_microsecond(row.try_get(2)?).ok(),
            });
        }
        Ok(past)
    }

    pub(super) async fn old_document(
        &self,
        session: &mut Session,
        version: &Version,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let client = self.ready(session).await?;
        let Ok(version) = version.0.parse::<i64>() else { return Ok(None) };
        if !schema::is_there(client, &self.names).await? {
            return Ok(None);
        }
        let query =
            format!("SELECT document FROM {} WHERE name = $1 AND version = $2", self.names.history);
        let row = client.query_opt(&query, &[&self.seat.name, &version]).await?;
        Ok(row.map(|it| it.try_get(0)).transpose()?)
    }
}
