//! The tables, made at the first use.

use tokio_postgres::Client;

use crate::store::remote::postgres::{Failure, Names};

/// Under which number those wait for each other that make the tables: `IF NOT EXISTS` alone fails when two do it at once.
const MAKING: i64 = 0x7767_666f_726d;

/// Returns whether the tables are there. A reader does not make them.
pub(super) async fn is_there(client: &Client, names: &Names) -> Result<bool, Failure> {
    let row = client
        .query_one(
            "SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL AND to_regclass($3) IS NOT NULL",
            &[&names.state, &names.history, &names.lock],
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// Makes the tables, unless they are there. So a user who may make none can use those that somebody else has made.
pub(super) async fn prepare(client: &mut Client, names: &Names) -> Result<(), Failure> {
    if is_there(client, names).await? {
        return Ok(());
    }
    let Names { schema, state, history, lock } = names;
    let transaction = client.transaction().await?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MAKING]).await?;
    let has_schema =
        "SELECT 1 FROM pg_namespace WHERE '\"' || replace(nspname, '\"', '\"\"') || '\"' = $1";
    if transaction.query_opt(has_schema, &[schema]).await?.is_none() {
        transaction.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await?;
    }
    transaction
        .batch_execute(&format!(
            "CREATE TABLE IF NOT EXISTS {history} (
               version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
               name text NOT NULL,
               serial bigint NOT NULL,
               document bytea NOT NULL,
               written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
               UNIQUE (name, version)
             );
             CREATE TABLE IF NOT EXISTS {state} (
               name text PRIMARY KEY,
               version bigint NOT NULL,
               FOREIGN KEY (name, version) REFERENCES {history} (name, version)
             );
             CREATE TABLE IF NOT EXISTS {lock} (
               name text PRIMARY KEY,
               id text NOT NULL,
               info text NOT NULL,
               backend integer NOT NULL,
               renewed_at timestamptz NOT NULL DEFAULT clock_timestamp()
             )"
        ))
        .await?;
    transaction.commit().await?;
    Ok(())
}
