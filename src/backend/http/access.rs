//! Who asks a device, and whom to believe to be it, as the configuration says: a secret here or from a program, the
//! certificates of a file, a fingerprint.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use tokio::task::spawn_blocking;

use crate::actual::Remark;
use crate::backend::http::Trust;
use crate::backend::{BackendError, program};
use crate::config::{Password, Tls};
use crate::resource::BackendId;
use crate::value::Secret;
use crate::world::World;

/// How long the program may take that knows a secret.
const ASKED_WITHIN: Duration = Duration::from_secs(60);

/// Returns whom to believe.
///
/// # Errors
/// When the file of certificates cannot be read.
pub fn trust(id: &BackendId, tls: &Tls, world: &World) -> Result<Trust, BackendError> {
    let Tls { api_verify_tls, ca_file, tls_pin_sha256 } = tls;
    if let Some(pin) = tls_pin_sha256.as_deref().and_then(Trust::pinned) {
        return Ok(pin);
    }
    match (api_verify_tls, ca_file) {
        (false, _) => Ok(Trust::Anybody),
        (true, None) => Ok(Trust::System),
        (true, Some(path)) => {
            let pem = certificates(&world.path(path)).map_err(|error| BackendError {
                backend: id.clone(),
                attempt: format!("read `{path}`"),
                reason: error.to_string(),
                hints: vec!["write the path of a PEM file as `ca_file`".to_owned()],
            })?;
            Ok(Trust::Authorities(pem))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "`ca_file` is read when its device is asked")]
fn certificates(path: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
}

/// Returns a secret, and asks the program that knows it; `what` is the secret in words.
///
/// # Errors
/// When the program does not print one.
pub async fn secret(
    id: &BackendId,
    what: &str,
    secret: &Password,
    world: &World,
) -> Result<Secret, BackendError> {
    let argv = match secret {
        Password::Given(secret) => return Ok(secret.clone()),
        Password::Asked(argv) => argv.clone(),
    };
    let (directory, environment) = (world.directory.clone(), world.environment.clone());
    let ask = move || program::first_line(&argv, ASKED_WITHIN, &directory, &environment);
    let (reason, hint) = match spawn_blocking(ask).await {
        Ok(Ok(secret)) => return Ok(secret),
        Ok(Err(program::NoLine { reason, hint })) => (reason, hint),
        Err(error) => (error.to_string(), "this is a fault of wgform: please report it"),
    };
    Err(BackendError {
        backend: id.clone(),
        attempt: format!("get {what}"),
        reason,
        hints: vec![hint.to_owned()],
    })
}

/// What is said of a way to a device that somebody could listen on or stand in.
pub struct Risks {
    /// Of a secret that is sent in the clear: the hint.
    pub in_the_clear: &'static str,
    /// Of a device that does not have to prove what it is: makes the remark of what there is and of the hint.
    pub anybody: fn(&'static str, &'static str) -> Remark,
}

/// Returns what is risky in how a device is reached.
pub fn risks(api_url: &str, tls: &Tls, Risks { in_the_clear, anybody }: &Risks) -> Option<Remark> {
    if is_in_the_clear(api_url) {
        return Some(Remark::new(
            "password that is sent in the clear",
            "with an `http` URL, whoever is on the way reads what lets one in, and every key",
            in_the_clear,
        ));
    }
    let is_anybody =
        !tls.api_verify_tls && tls.tls_pin_sha256.is_none() && !api_url.starts_with("http://");
    is_anybody.then(|| {
        anybody(
            "with `api_verify_tls = false`, whoever is on the way can be the device, and reads what lets one in, and every key",
            "Leave it out: what is said then has the SHA-256 that is to be written as `tls_pin_sha256`.",
        )
    })
}

/// Returns whether what is sent there can be read on the way: on this host nobody is.
fn is_in_the_clear(api_url: &str) -> bool {
    let Ok(url) = Url::parse(api_url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here =
        host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    url.scheme() == "http" && !is_here
}
