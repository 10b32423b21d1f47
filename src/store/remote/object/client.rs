//! How a client of each service is set up.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder, split_sas};
use object_store::client::{ClientConfigKey, HttpClient, HttpConnector};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use reqwest::Url;

use crate::store::remote::RemoteError;
use crate::store::remote::here::is_loopback;
use crate::store::remote::object::trouble::Words;
use crate::store::remote::object::{ObjectSettings, Service};
use crate::tls::{self, Seen};
use crate::value::Secret;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// How often a request is sent again that the store may not have got, and for how long.
const RETRIES: usize = 3;
const RETRIED_FOR: Duration = Duration::from_secs(20);

/// Returns where the state is, without credentials.
pub(super) fn place(settings: &ObjectSettings) -> String {
    let (bucket, key) = (&settings.bucket, settings.key.trim_matches('/'));
    let place = match settings.service {
        Service::S3 => format!("s3://{bucket}/{key}"),
        Service::Gcs => format!("gs://{bucket}/{key}"),
        Service::Azure => match account(settings) {
            Some(account) => format!("azure://{account}/{bucket}/{key}"),
            None => format!("azure://{bucket}/{key}"),
        },
    };
    match endpoint(settings).and_then(|it| it.parse::<Url>().ok()) {
        Some(url) => format!("{place} at {}", url.origin().ascii_serialization()),
        None => place,
    }
}

/// Sets up the client.
pub(super) fn build(
    settings: &ObjectSettings,
    words: &Words,
) -> Result<Arc<dyn ObjectStore>, RemoteError> {
    let endpoint = endpoint(settings).map(|it| checked(&it)).transpose()?;
    let tls = tls::config(&settings.trust, &Seen::default())
        .map_err(|why| RemoteError::Refused(format!("`ca_file`: {why}")))?;
    let is_plain = endpoint.as_ref().is_some_and(|it| it.scheme() == "http");
    let is_here = endpoint.as_ref().and_then(Url::host_str).is_some_and(is_loopback);
    let connector = Connector { tls, timeout: settings.timeout, is_here };
    let options = ClientOptions::new().with_allow_http(is_plain);
    let built = match settings.service {
        Service::S3 => s3(settings, endpoint.as_ref(), options, connector),
        Service::Gcs => gcs(settings, endpoint.as_ref(), options, connector),
        Service::Azure => azure(settings, endpoint.as_ref(), options, connector),
    };
    built.map_err(|error| RemoteError::Refused(words.clean(&error.to_string())))
}

fn s3(
    settings: &ObjectSettings,
    endpoint: Option<&Url>,
    options: ClientOptions,
    connector: Connector,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let mut builder = AmazonS3Builder::new()
        .with_client_options(options)
        .with_http_connector(connector)
        .with_retry(retry())
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // Not every compatible store knows how to delete many, and there is mostly one to delete.
        .with_disable_bulk_delete(true)
        .with_bucket_name(&settings.bucket);
    for (key, value) in variables::<AmazonS3ConfigKey>(settings, "AWS_") {
        builder = builder.with_config(key, value);
    }
    let region = ["AWS_REGION", "AWS_DEFAULT_REGION"];
    if let Some(region) = settings.region.clone().or_else(|| variable(settings, &region)) {
        builder = builder.with_region(region);
    }
    // A certificate of `*.s3.amazonaws.com` is none for a bucket with a dot in its name.
    let is_odd = endpoint.is_some() || settings.bucket.contains('.');
    let is_path_style = settings.path_style.unwrap_or(is_odd);
    builder = builder.with_virtual_hosted_style_request(!is_path_style);
    if let Some(url) = endpoint {
        builder = builder.with_endpoint(match is_path_style {
            true => bare(url),
            false => bare(url).replacen("://", &format!("://{}.", settings.bucket), 1),
        });
    }
    if let (Some(id), Some(secret)) = (&settings.access_key, &settings.secret) {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose());
        if let Some(token) = &settings.token {
            builder = builder.with_token(token.expose());
        }
    }
    Ok(Arc::new(builder.build()?))
}

fn gcs(
    settings: &ObjectSettings,
    endpoint: Option<&Url>,
    options: ClientOptions,
    connector: Connector,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_client_options(options)
        .with_http_connector(connector)
        .with_retry(retry())
        .with_bucket_name(&settings.bucket);
    for (key, value) in variables::<GoogleConfigKey>(settings, "GOOGLE_") {
        builder = builder.with_config(key, value);
    }
    if let Some(url) = endpoint {
        builder = builder.with_base_url(&bare(url));
    }
    let token = settings.token.clone().or_else(|| match &settings.secret {
        Some(_) => None,
        None => variable(settings, &["GOOGLE_OAUTH_ACCESS_TOKEN"]).map(Secret::new),
    });
    if let Some(token) = token {
        builder = builder.with_bearer_token(token.expose());
    }
    if let Some(key) = &settings.secret {
        builder = builder.with_service_account_key(key.expose());
    }
    Ok(Arc::new(builder.build()?))
}

fn azure(
    settings: &ObjectSettings,
    endpoint: Option<&Url>,
    options: ClientOptions,
    connector: Connector,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let mut builder = MicrosoftAzureBuilder::new()
        .with_client_options(options)
        .with_http_connector(connector)
        .with_retry(retry())
        .with_container_name(&settings.bucket);
    for (key, value) in variables::<AzureConfigKey>(settings, "AZURE_") {
        builder = builder.with_config(key, value);
    }
    if let Some(account) = account(settings) {
        builder = builder.with_account(account);
    }
    if let Some(url) = endpoint {
        builder = builder.with_endpoint(bare(url));
    }
    if let Some(key) = &settings.secret {
        builder = builder.with_access_key(key.expose());
    }
    if let Some(sas) = &settings.token {
        builder = builder.with_sas_authorization(split_sas(sas.expose())?);
    }
    Ok(Arc::new(builder.build()?))
}

fn retry() -> RetryConfig {
    let backoff = BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRIED_FOR }
}

/// Reads the usual variables of a service. With credentials that are given none is read: half of the ones and half of the
/// others are no credentials.
fn variables<K: FromStr>(settings: &ObjectSettings, prefix: &str) -> Vec<(K, String)> {
    if settings.secret.is_some() || settings.token.is_some() || settings.access_key.is_some() {
        return Vec::new();
    }
    // Where the store is and how it is reached is looked at by ourselves.
    let ours = [
        "ENDPOINT",
        "BASE_URL",
        "ALLOW_HTTP",
        "ALLOW_INVALID",
        "BUCKET",
        "CONTAINER_NAME",
        "EMULATOR",
    ];
    let credentials = ["AWS_CONTAINER", "AZURE_MSI", "AZURE_IDENTITY"];
    let is_wanted = |name: &str| {
        name.starts_with(prefix)
            && (credentials.iter().any(|it| name.starts_with(it))
                || !ours.iter().any(|it| name.contains(it)))
    };
    let environment = settings.environment.iter().filter(|(name, _)| is_wanted(name));
    environment
        .filter_map(|(name, value)| {
            Some((name.to_ascii_lowercase().parse().ok()?, value.expose().to_owned()))
        })
        .collect()
}

fn variable(settings: &ObjectSettings, names: &[&str]) -> Option<String> {
    let values = names.iter().filter_map(|name| settings.environment.get(*name));
    values.map(Secret::expose).find(|it| !it.is_empty()).map(str::to_owned)
}

fn account(settings: &ObjectSettings) -> Option<String> {
    let name = ["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"];
    settings.account.clone().or_else(|| variable(settings, &name))
}

fn endpoint(settings: &ObjectSettings) -> Option<String> {
    let names: &[&str] = match settings.service {
        Service::S3 => &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"],
        Service::Gcs => &[],
        Service::Azure => &["AZURE_STORAGE_ENDPOINT"],
    };
    settings.endpoint.clone().or_else(|| variable(settings, names))
}

/// Looks that an endpoint is a URL to which a state can be sent: over TLS, or not beyond this machine.
fn checked(text: &str) -> Result<Url, RemoteError> {
    let refused = |why: &str| Err(RemoteError::Refused(format!("the endpoint {why}")));
    let Ok(url) = text.parse::<Url>() else { return refused("is no URL") };
    if !url.username().is_empty() || url.password().is_some() {
        return refused("has a user in it; credentials have arguments of their own");
    }
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if is_loopback(host) => Ok(url),
        ("http", Some(_)) => refused(
            "is `http`, which shows the state to everybody on the way; only this machine is reached without TLS",
        ),
        _ => refused("is neither `https` nor `http`"),
    }
}

fn bare(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// Makes HTTP clients whose TLS is ours.
#[derive(Debug)]
struct Connector {
    tls: rustls::ClientConfig,
    timeout: Duration,
    /// Whether the store is on this machine. What the environment says of a way out does not lead there.
    is_here: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // Some clients ask the cloud's own machine for credentials, which has no TLS.
        let allow_http = options.get_config_value(&ClientConfigKey::AllowHttp);
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .https_only(allow_http.as_deref() != Some("true"))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT.min(self.timeout))
            .timeout(self.timeout)
            .user_agent(concat!("wgform/", env!("CARGO_PKG_VERSION")));
        if self.is_here {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| object_store::Error::Generic {
            store: "HTTP",
            source: Box::new(error),
        })?;
        Ok(HttpClient::new(client))
    }
}

#[cfg(test)]
mod tests {
    use crate::store::remote::object::client::checked;

    #[test]
    fn without_tls_only_this_machine_is_reached() {
        let refusal = |text: &str| checked(text).err().map(|error| error.to_string());
        assert_eq!(refusal("https://s3.example.com"), None);
        assert_eq!(refusal("http://127.0.0.1:9000"), None);
        assert_eq!(refusal("http://[::1]:9000"), None);
        for (text, why) in [
            ("http://s3.example.com", "without TLS"),
            ("https://me:secret@s3.example.com", "has a user in it"),
            ("s3.example.com", "is no URL"),
            ("ftp://s3.example.com", "neither"),
        ] {
            let said = refusal(text).unwrap_or_default();
            assert!(said.contains(why) && !said.contains("secret"), "{text}: {said}");
        }
    }
}
