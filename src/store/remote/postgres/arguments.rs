//! What the block `state "postgres"` says.

use crate::store::remote::postgres::PostgresSettings;
use crate::store::remote::{Arguments, WrongArgument, in_workspace};
use crate::value::Secret;

impl PostgresSettings {
    /// Reads the arguments of a block. What it leaves out is in the environment, under the names that PostgreSQL's own
    /// programs use.
    ///
    /// # Errors
    /// When one makes no sense.
    pub fn read(arguments: &Arguments) -> Result<Self, WrongArgument> {
        let text = |name: &str| arguments.text(name, &[]).map(str::to_owned);
        let or = |name: &str, default: &str| text(name).unwrap_or_else(|| default.to_owned());
        let port = arguments.text("port", &[]).map(str::parse).transpose();
        let port = port.map_err(|_| WrongArgument::new("port", "this is no port"))?;
        let is_wanted = |name: &str| name.starts_with("PG");
        let environment = arguments.environment.iter().filter(|(name, _)| is_wanted(name));
        Ok(Self {
            conn_str: arguments.text("conn_str", &["WGFORM_POSTGRES_CONN_STR"]).map(Secret::new),
            host: text("host"),
            port,
            user: text("user"),
            password: arguments.text("password", &[]).map(Secret::new),
            database: text("database"),
            sslmode: text("sslmode"),
            trust: arguments.trust("ca_file", &[])?,
            schema: or("schema", "wgform"),
            table: or("table", "states"),
            name: in_workspace(&or("name", "default"), &arguments.workspace),
            environment: environment.map(|(name, it)| (name.clone(), it.clone())).collect(),
            connect_timeout: Self::CONNECT_TIMEOUT,
        })
    }
}
