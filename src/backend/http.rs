//! What the backends share that are asked over HTTP: whom to believe, how a client is set up, what no answer means, and
//! the log of what was asked.
//!
//! Knows no device and no format: what a request says and what an answer means is each backend's own.

mod access;
mod silence;

mod trace;

use std::time::Duration;

use reqwest::Url;
use zeroize::Zeroizing;

pub use crate::tls::{Seen, Trust};
pub use access::{Risks, risks, secret, trust};
pub use silence::{Silence, SilenceKind, Words, silence};
pub use trace::{Trace, redacted};

/// What a device may answer at most. Ten thousand peers are about six million bytes.
const LONGEST_BODY: usize = 256 << 20;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// Reads the URL of a device, and adds the path at which its service begins, unless it is there.
///
/// # Errors
/// Says why it is no URL.
pub fn base(text: &str, path: &str) -> Result<String, String> {
    let url: Url = text.parse().map_err(|error| format!("`api_url` is no URL: {error}"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("`api_url` is neither `https` nor `http`".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "`api_url` has a user in it, which goes into `api_user` and `api_password`".to_owned()
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("`api_url` has something after its path".to_owned());
    }
    let text = url.as_str().trim_end_matches('/');
    Ok(match url.path().trim_end_matches('/').ends_with(path) {
        true => text.to_owned(),
        false => format!("{text}{path}"),
    })
}

/// Sets up a client that keeps so many connections, follows nothing and repeats nothing by itself.
///
/// # Errors
/// Says what is wrong with the certificates.
pub fn client(
    url: &str,
    trust: &Trust,
    seen: &Seen,
    timeout: Duration,
    connections: usize,
) -> Result<reqwest::Client, String> {
    // Without TLS nobody is believed, and the system's authorities, which take a while to load, are left alone.
    let is_plain = url.trim_start().starts_with("http:");
    let trust = if is_plain { &Trust::Anybody } else { trust };
    reqwest::Client::builder()
        .tls_backend_preconfigured(crate::tls::config(trust, seen)?)
        .http1_only()
        // What is in the environment of a CI runner is for the way out, and not for a device on the inside.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT)
        .timeout(timeout)
        .pool_max_idle_per_host(connections)
        .user_agent(concat!("wgform/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())
}

/// Takes the body of an answer, which may hold keys. One that is too long is cut off.
///
/// # Errors
/// When the connection ends before the body does.
pub async fn body(mut response: reqwest::Response) -> Result<Zeroizing<Vec<u8>>, reqwest::Error> {
    let announced = usize::try_from(response.content_length().unwrap_or_default());
    let capacity = announced.unwrap_or_default().min(LONGEST_BODY);
    let mut body = Zeroizing::new(Vec::with_capacity(capacity));
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LONGEST_BODY {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
