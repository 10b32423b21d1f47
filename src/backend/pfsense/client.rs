//! The REST client: one firewall, one user, one request at a time on one kept connection.
//!
//! The package has no concurrency control: two requests that overlap can lose an update, so that they never do. It is
//! known here how to ask, and what an answer that is none means. What the firewall holds is not.

mod body;
mod failure;

#[cfg(test)]
pub(in crate::backend::pfsense) mod tests;

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use crate::backend::BackendError;
use crate::backend::clock::Told;
use crate::backend::http::{self, Seen};
use crate::backend::pfsense::client::failure::{Reason, no_answer, refused, unreadable};
use crate::resource::BackendId;
use crate::value::Secret;

pub use crate::backend::http::{Trace, Trust};
pub use body::Body;
pub use failure::{Cause, Failure};

/// The part of a URL that every address of the package begins with.
const API: &str = "/api/v2";

/// The names of values that are never shown, as they are stored and as the kernel has them.
const SECRETS: [&str; 4] = ["presharedkey", "privatekey", "preshared_key", "private_key"];

/// How a firewall is reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of its block.
    pub backend: BackendId,
    /// Where: `https://pfsense.example.com`; `/api/v2` is added when it is missing.
    pub api_url: String,
    /// Who asks.
    pub credentials: Credentials,
    /// Whom to believe to be the firewall.
    pub trust: Trust,
    /// How long an answer may take.
    pub api_timeout: Duration,
    /// Who hears what is asked and answered.
    pub trace: Trace,
    /// What is waited for between requests.
    pub pace: Pace,
}

impl Settings {
    /// How long an answer may take when nobody says: longer than the 180 s that the firewall allows itself, so that it is the
    /// firewall who ends a request.
    pub const TIMEOUT: Duration = Duration::from_secs(190);
}

/// Who asks.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Whoever has this key, made in `System > REST API > Keys`.
    Key(Secret),
    /// A user of the firewall's own database.
    User {
        /// The name.
        name: String,
        /// The password.
        password: Secret,
    },
}

/// What is waited for between requests.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Before a read is tried again, each time.
    pub retries: [Duration; 3],
    /// After a request was given up: the firewall may still be at it.
    pub after_timeout: Duration,
    /// Between two looks at an apply, after the first few.
    pub poll: Duration,
    /// How many looks are taken at most.
    pub polls: u32,
}

impl Pace {
    /// What is waited for where nobody has to be spared.
    pub fn simulated() -> Self {
        Self { poll: Duration::from_millis(20), ..Self::default() }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            retries: [1, 3, 9].map(Duration::from_secs),
            after_timeout: Duration::from_secs(3),
            poll: Duration::from_secs(1),
            // The firewall ends an apply after 300 s.
            polls: 310,
        }
    }
}

/// Returns whether a URL has the part that is added to it anyway, which is worth a warning.
pub fn has_api_path(api_url: &str) -> bool {
    http::base(api_url, API).is_ok_and(|base| base == api_url.trim().trim_end_matches('/'))
}

/// Asks one firewall.
pub struct Client {
    settings: Settings,
    base: String,
    seen: Seen,
    /// Held while a request is on its way; replaced to drop its connection.
    http: Mutex<reqwest::Client>,
}

/// One request.
struct Ask<'a> {
    /// What it is for, as a clause: "read the WireGuard peers".
    attempt: &'a str,
    method: Method,
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    body: Option<&'a Body>,
}

/// An answer with its status.
struct Answer {
    status: u16,
    date: Option<Told>,
    retry_after: Option<u64>,
    location: Option<String>,
    body: Zeroizing<Vec<u8>>,
}

impl Client {
    /// Gets ready; asks nothing yet.
    ///
    /// # Errors
    /// When the URL or the certificates make no sense.
    pub fn new(settings: Settings) -> Result<Self, BackendError> {
        let wrong = |reason: String, hint: &str| BackendError {
            backend: settings.backend.clone(),
            attempt: "get ready to reach the firewall".to_owned(),
            reason,
            hints: vec![hint.to_owned()],
        };
        let base = http::base(&settings.api_url, API)
            .map_err(|reason| wrong(reason, "write `api_url` like `https://192.168.1.1`"))?;
        if let Credentials::Key(key) = &settings.credentials
            && HeaderValue::from_str(key.expose()).is_err()
        {
            let reason = "there is a character in the key that cannot be sent".to_owned();
            return Err(wrong(reason, "see what `api_key_command` prints"));
        }
        let seen = Seen::default();
        let http = http_client(&settings, &seen)
            .map_err(|reason| wrong(reason, "check the certificates in `ca_file`"))?;
        Ok(Self { base, seen, http: Mutex::new(http), settings })
    }

    /// Returns the name of the firewall's block.
    pub fn backend(&self) -> &BackendId {
        &self.settings.backend
    }

    /// Returns what is waited for between requests.
    pub fn pace(&self) -> Pace {
        self.settings.pace
    }

    /// Reads what is at a path such as `vpn/wireguard/peers`. Tried up to four times.
    ///
    /// # Errors
    /// As [`Cause`] says; the firewall has not changed.
    pub async fn get<T: DeserializeOwned>(
        &self,
        attempt: &str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let ask = Ask { attempt, method: Method::GET, path, query, body: None };
        self.read(&ask).await.map(|(data, _)| data)
    }

    /// Reads as [`Client::get`], once: what a firewall may lack for good is not asked for again.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get_once<T: DeserializeOwned>(
        &self,
        attempt: &str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let ask = Ask { attempt, method: Method::GET, path, query, body: None };
        self.once(&ask).await
    }

    /// Reads as [`Client::get`], and also what the firewall's clock said.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get_dated<T: DeserializeOwned>(
        &self,
        attempt: &str,
        path: &str,
    ) -> Result<(T, Option<Told>), Failure> {
        let ask = Ask { attempt, method: Method::GET, path, query: &[], body: None };
        self.read(&ask).await
    }

    /// Reads as [`Client::get_once`], and also what the firewall's clock said.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get_dated_once<T: DeserializeOwned>(
        &self,
        attempt: &str,
        path: &str,
    ) -> Result<(T, Option<Told>), Failure> {
        let ask = Ask { attempt, method: Method::GET, path, query: &[], body: None };
        self.ask(&ask).await.map_err(|reason| self.failure(&ask, reason))
    }

    /// Reads what matches, where that must not stand in a URL, which the firewall's web server logs.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn search<T: DeserializeOwned>(
        &self,
        attempt: &str,
        path: &str,
        body: &Body,
    ) -> Result<T, Failure> {
        let ask = Ask { attempt, method: Method::GET, path, query: &[], body: Some(body) };
        self.read(&ask).await.map(|(data, _)| data)
    }

    /// Makes an object, or sets something off, and returns what the firewall then has. Never tried again.
    ///
    /// # Errors
    /// As [`Cause`] says.
    pub async fn post<T: DeserializeOwned>(
        &self,
        attempt: &str,
        path: &str,
        body: &Body,
    ) -> Result<T, Failure> {
        self.once(&Ask { attempt, method: Method::POST, path, query: &[], body: Some(body) }).await
    }

    /// Changes what is named in the body, and returns the object as the firewall then has it. Never tried again.
    ///
    /// # Errors
    /// As [`Cause`] says.
    pub async fn patch<T: DeserializeOwned>(
        &self,
        attempt: &str,
        path: &str,
        body: &Body,
    ) -> Result<T, Failure> {
        let ask = Ask { attempt, method: Method::PATCH, path, query: &[], body: Some(body) };
        self.once(&ask).await
    }

    /// Removes what one value picks, and returns what was removed. Never tried again.
    ///
    /// # Errors
    /// As [`Cause`] says.
    pub async fn delete<T: DeserializeOwned>(
        &self,
        attempt: &str,
        path: &str,
        (name, value): (&str, &str),
    ) -> Result<T, Failure> {
        let query = [(name, value)];
        let ask = Ask { attempt, method: Method::DELETE, path, query: &query, body: None };
        self.once(&ask).await
    }

    /// Says that an answer was read, and holds something that makes no sense.
    pub(in crate::backend::pfsense) fn unreadable(
        &self,
        attempt: &str,
        why: impl Into<String>,
    ) -> Failure {
        let ask = Ask { attempt, method: Method::GET, path: "", query: &[], body: None };
        let hint = "is it a firewall with the REST API package for pfSense?";
        self.failure(&ask, Reason::new(Cause::Unreadable, why, [hint]))
    }

    async fn read<T: DeserializeOwned>(&self, ask: &Ask<'_>) -> Result<(T, Option<Told>), Failure> {
        let mut waits = self.settings.pace.retries.into_iter();
        loop {
            let reason = match self.ask(ask).await {
                Ok(read) => return Ok(read),
                Err(reason) => reason,
            };
            match waits.next() {
                Some(wait) if reason.may_pass() => sleep(wait).await,
                _ => return Err(self.failure(ask, reason)),
            }
        }
    }

    async fn once<T: DeserializeOwned>(&self, ask: &Ask<'_>) -> Result<T, Failure> {
        let answer = self.ask(ask).await;
        answer.map(|(data, _)| data).map_err(|reason| self.failure(ask, reason))
    }

    /// Sends a request, and gives the data of the answer if it is a good one.
    async fn ask<T: DeserializeOwned>(&self, ask: &Ask<'_>) -> Result<(T, Option<Told>), Reason> {
        let mut http = self.http.lock().await;
        let answer = match self.exchange(&http, ask).await {
            Ok(answer) => answer,
            Err(error) => {
                let fingerprint = self.seen.text();
                let timeout = self.settings.api_timeout;
                let reason = no_answer(&error, timeout, fingerprint.as_deref());
                if reason.cause == Cause::Silent {
                    self.start_over(&mut http).await;
                }
                return Err(reason);
            }
        };
        drop(http);
        let body = answer.body.as_slice();
        let Some(head) = body::head(body) else { return Err(unreadable(&answer)) };
        match head.is_success() && (200..300).contains(&answer.status) {
            true => {
                body::data(body).map(|data| (data, answer.date)).ok_or_else(|| unreadable(&answer))
            }
            false => Err(refused(ask, &self.settings.credentials, &answer, &head)),
        }
    }

    async fn exchange(
        &self,
        http: &reqwest::Client,
        ask: &Ask<'_>,
    ) -> Result<Answer, reqwest::Error> {
        let sent = ask.body.map(Body::encoded).unwrap_or_default();
        let url = url(ask);
        let trace = &self.settings.trace;
        trace.say(|| {
            let body = http::redacted(&sent, &SECRETS);
            format!("> {} {url} {body}", ask.method).trim_end().to_owned()
        });
        // A list of types is refused, and so is a query together with a type.
        let mut request = http
            .request(ask.method.clone(), format!("{}/{url}", self.base))
            .header(ACCEPT, HeaderValue::from_static("*/*"));
        request = match &self.settings.credentials {
            Credentials::Key(key) => request.header("X-API-Key", sensitive(key)),
            Credentials::User { name, password } => {
                request.basic_auth(name, Some(password.expose()))
            }
        };
        if ask.body.is_some() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request = request.body(sent.to_vec());
        }
        let asked = Instant::now();
        let response =
            request.send().await.inspect_err(|error| trace.say(|| format!("< {error}")))?;
        let status = response.status().as_u16();
        let headers = response.headers();
        let date = text(headers, DATE.as_str());
        let date = date.and_then(|it| DateTimeParser::new().parse_timestamp(it).ok());
        let date = date.map(|says| Told::new(says, asked));
        let retry_after = text(headers, RETRY_AFTER.as_str()).and_then(|it| it.trim().parse().ok());
        let location = text(headers, LOCATION.as_str()).map(str::to_owned);
        let body = http::body(response).await?;
        trace.say(|| {
            let body = http::redacted(&body, &SECRETS);
            self.without_secrets(ask, format!("< {status} {body}").trim_end().to_owned())
        });
        Ok(Answer { status, date, retry_after, location, body })
    }

    /// Drops the connection, and waits until the firewall has got over the request that was given up.
    async fn start_over(&self, http: &mut reqwest::Client) {
        if let Ok(fresh) = http_client(&self.settings, &self.seen) {
            *http = fresh;
        }
        sleep(self.settings.pace.after_timeout).await;
    }

    fn failure(&self, ask: &Ask<'_>, reason: Reason) -> Failure {
        let Reason { cause, reason, mut hints, is_certain } = reason;
        let may_have_changed = ask.method != Method::GET && !is_certain;
        if may_have_changed {
            hints.push("whether it was done is known once the firewall is read again".to_owned());
        }
        let error = BackendError {
            backend: self.settings.backend.clone(),
            attempt: ask.attempt.to_owned(),
            reason: self.without_secrets(ask, reason),
            hints,
        };
        Failure { error, cause, may_have_changed }
    }

    /// Leaves out what was secret in the request, should the firewall repeat it.
    fn without_secrets(&self, ask: &Ask<'_>, words: String) -> String {
        let keys = ask.body.into_iter().flat_map(Body::secrets);
        let own = match &self.settings.credentials {
            Credentials::Key(secret) | Credentials::User { password: secret, .. } => {
                secret.expose()
            }
        };
        // A shorter one is no secret, and would tear holes into words.
        let secrets = keys.chain([own]).filter(|secret| secret.len() >= 8);
        secrets.fold(words, |words, secret| words.replace(secret, "…"))
    }
}

fn http_client(settings: &Settings, seen: &Seen) -> Result<reqwest::Client, String> {
    http::client(&settings.api_url, &settings.trust, seen, settings.api_timeout, 1)
}

/// Returns the path of a request with its query.
fn url(ask: &Ask<'_>) -> String {
    let mut url = ask.path.to_owned();
    for (index, (name, value)) in ask.query.iter().enumerate() {
        url.push(if index == 0 { '?' } else { '&' });
        url.push_str(&format!("{name}={}", encoded(value)));
    }
    url
}

/// Writes whatever is not a plain letter as its bytes: a `+` that is sent as it is becomes a blank.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                all.push(char::from(byte));
            }
            _ => all.push_str(&format!("%{byte:02X}")),
        }
        all
    })
}

/// Makes a header that is not shown. That the key can stand in one was looked at when the client was made.
fn sensitive(key: &Secret) -> HeaderValue {
    let mut value = HeaderValue::from_str(key.expose()).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
