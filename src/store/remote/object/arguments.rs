//! What the blocks `state "s3"`, `state "gcs"` and `state "azure"` say.

use std::fs;

use crate::store::remote::object::{ObjectSettings, Service};
use crate::store::remote::{Arguments, WrongArgument, in_workspace};
use crate::value::Secret;

/// How the object is called when nothing else is said.
const KEY: &str = "wgform.state.json";

impl ObjectSettings {
    /// Reads the arguments of a block. What it leaves out of the credentials is in the environment.
    ///
    /// # Errors
    /// When one is missing or makes no sense.
    pub fn read(service: Service, arguments: &Arguments) -> Result<Self, WrongArgument> {
        let text = |name: &str| arguments.text(name, &[]).map(str::to_owned);
        let secret = |name: &str| arguments.text(name, &[]).map(Secret::new);
        let bucket = if service == Service::Azure { "container" } else { "bucket" };
        let Some(name) = text(bucket) else {
            let why = format!("the {bucket} is missing: write it as `{bucket} = \"…\"`");
            return Err(WrongArgument::new(bucket, why));
        };
        let (secret, token) = match service {
            Service::S3 => (secret("secret_key"), secret("session_token")),
            Service::Gcs => (service_account(arguments)?, secret("access_token")),
            Service::Azure => (secret("access_key"), secret("sas_token")),
        };
        let access_key = if service == Service::S3 { text("access_key") } else { None };
        if service == Service::S3 && access_key.is_some() != secret.is_some() {
            let (given, missing) = match access_key {
                Some(_) => ("access_key", "secret_key"),
                None => ("secret_key", "access_key"),
            };
            return Err(WrongArgument::new(given, format!("`{missing}` is missing beside it")));
        }
        let key = text("key").unwrap_or_else(|| KEY.to_owned());
        let is_wanted = |name: &str| {
            ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|prefix| name.starts_with(prefix))
        };
        let environment = arguments.environment.iter().filter(|(name, _)| is_wanted(name));
        Ok(Self {
            service,
            bucket: name,
            key: in_workspace(&key, &arguments.workspace),
            endpoint: text("endpoint"),
            region: text("region"),
            path_style: match arguments.text("path_style", &[]) {
                Some(_) => Some(arguments.flag("path_style", &[])?),
                None => None,
            },
            account: text("account"),
            access_key,
            secret,
            token,
            trust: arguments.trust("ca_file", &[])?,
            environment: environment.map(|(name, it)| (name.clone(), it.clone())).collect(),
            timeout: Self::TIMEOUT,
            run: arguments.run,
        })
    }
}

/// Reads the key of a service account: its JSON, or the file that has it.
fn service_account(arguments: &Arguments) -> Result<Option<Secret>, WrongArgument> {
    match arguments.text("credentials", &[]) {
        None => Ok(None),
        Some(json) if json.trim_start().starts_with('{') => Ok(Some(Secret::new(json))),
        Some(path) => {
            let read = fs::read_to_string(arguments.directory.join(path));
            let read = read.map_err(|error| {
                WrongArgument::new("credentials", format!("this file cannot be read: {error}"))
            })?;
            Ok(Some(Secret::new(read)))
        }
    }
}
