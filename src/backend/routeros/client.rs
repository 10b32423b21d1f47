//! The REST client: one router, one user, one kept connection for what changes something.
//!
//! It knows how to ask, and what an answer that is none means. What the router holds and what is done about it is not
//! known here.

mod body;
mod failure;
mod tls;
mod trace;

#[cfg(test)]
pub(in crate::backend::routeros) mod tests;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use tokio::sync::{Mutex, RwLock, Semaphore};
use tokio::time::sleep;
use zeroize::Zeroizing;

use crate::backend::BackendError;
use crate::backend::routeros::client::body::SECRETS;
use crate::backend::routeros::client::failure::{Reason, Verb, no_answer, refused, unreadable};
use crate::backend::routeros::client::tls::Seen;
use crate::backend::routeros::client::trace::redacted;
use crate::resource::BackendId;
use crate::value::Secret;

pub use body::{Row, Text};
pub use failure::{Cause, Failure};
pub use tls::Trust;
pub use trace::Trace;

#[cfg(any(test, fuzzing))]
pub(crate) use body::fuzz;

/// What a router may answer at most. Ten thousand peers are about six million bytes.
const LONGEST_BODY: usize = 256 << 20;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// How a router is reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of its block.
    pub backend: BackendId,
    /// Where: `https://10.10.10.10/rest`; `/rest` is added when it is missing.
    pub api_url: String,
    /// Who asks.
    pub api_user: String,
    /// The password, which may be empty.
    pub api_password: Secret,
    /// Whom to believe to be the router.
    pub trust: Trust,
    /// How long an answer may take. Longer than the router's own 60 s, so that it is the router who ends a command.
    pub api_timeout: Duration,
    /// How many reads may be on their way at once. Whatever changes something waits for the one before it.
    pub concurrency: NonZeroUsize,
    /// Who hears what is asked and answered.
    pub trace: Trace,
    /// What is waited for between requests.
    pub pace: Pace,
}

impl Settings {
    /// How long an answer may take when nobody says.
    pub const TIMEOUT: Duration = Duration::from_secs(90);

    /// How many reads are on their way at once when nobody says.
    pub const CONCURRENCY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);
}

/// What is waited for between requests.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Before a read is tried again, each time.
    pub retries: [Duration; 3],
    /// After a request was given up: a router resets other connections meanwhile, and gives answers to the wrong ones.
    pub after_timeout: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { retries: [1, 3, 9].map(Duration::from_secs), after_timeout: Duration::from_secs(3) }
    }
}

/// What is written: values by property, as the router spells them.
pub type Fields = BTreeMap<&'static str, Zeroizing<String>>;

/// Asks one router.
pub struct Client {
    settings: Settings,
    base: String,
    seen: Seen,
    /// Replaced to drop its connections; held for reading while a request is on its way.
    http: RwLock<reqwest::Client>,
    reads: Semaphore,
    writes: Mutex<()>,
}

/// One request.
struct Ask<'a> {
    /// What it is for, as a clause: "read the WireGuard peers".
    attempt: &'a str,
    verb: Verb,
    path: String,
    fields: Option<&'a Fields>,
}

/// An answer with its status.
struct Answer {
    status: u16,
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
            attempt: "get ready to reach the router".to_owned(),
            reason,
            hints: vec![hint.to_owned()],
        };
        let base = base(&settings.api_url)
            .map_err(|reason| wrong(reason, "write `api_url` like `https://192.168.88.1/rest`"))?;
        let seen = Seen::default();
        let http = http_client(&settings, &seen)
            .map_err(|reason| wrong(reason, "check the certificates in `ca_file`"))?;
        Ok(Self {
            base,
            seen,
            http: RwLock::new(http),
            reads: Semaphore::new(settings.concurrency.get()),
            writes: Mutex::new(()),
            settings,
        })
    }

    /// Returns the name of the router's block.
    pub fn backend(&self) -> &BackendId {
        &self.settings.backend
    }

    /// Reads all objects of a menu, such as `ip/address`. Tried up to four times.
    ///
    /// # Errors
    /// As [`Cause`] says; the router has not changed.
    pub async fn list(&self, attempt: &str, menu: &str) -> Result<Vec<Row>, Failure> {
        self.read(attempt, menu, body::list).await
    }

    /// Reads the object of a menu that has one, such as `system/resource`. Tried up to four times.
    ///
    /// # Errors
    /// As [`Client::list`].
    pub async fn one(&self, attempt: &str, menu: &str) -> Result<Row, Failure> {
        self.read(attempt, menu, body::one).await
    }

    /// Makes an object, and returns it as the router has it. Never tried again: the router would make another one.
    ///
    /// # Errors
    /// As [`Cause`] says.
    pub async fn add(&self, attempt: &str, menu: &str, fields: &Fields) -> Result<Row, Failure> {
        let ask = Ask { attempt, verb: Verb::Add, path: menu.to_owned(), fields: Some(fields) };
        self.write(&ask).await.and_then(|answer| self.object(&ask, &answer))
    }

    /// Changes properties of an object, and returns it as the router then has it. Not tried again: the caller reads
    /// first.
    ///
    /// # Errors
    /// As [`Cause`] says. Any refusal may have changed something.
    pub async fn set(
        &self,
        attempt: &str,
        menu: &str,
        id: &str,
        fields: &Fields,
    ) -> Result<Row, Failure> {
        let path = format!("{menu}/{id}");
        let ask = Ask { attempt, verb: Verb::Set, path, fields: Some(fields) };
        self.write(&ask).await.and_then(|answer| self.object(&ask, &answer))
    }

    /// Removes an object. One that is gone is removed.
    ///
    /// # Errors
    /// As [`Cause`] says.
    pub async fn remove(&self, attempt: &str, menu: &str, id: &str) -> Result<(), Failure> {
        let path = format!("{menu}/{id}");
        let ask = Ask { attempt, verb: Verb::Remove, path, fields: None };
        match self.write(&ask).await {
            Err(Failure { cause: Cause::NotFound, .. }) => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Runs a command of a menu, such as `set` of `ip/dns`, and returns what it says. Not tried again.
    ///
    /// # Errors
    /// As [`Cause`] says.
    pub async fn command(
        &self,
        attempt: &str,
        menu: &str,
        command: &str,
        fields: &Fields,
    ) -> Result<Vec<Row>, Failure> {
        let path = format!("{menu}/{command}");
        let ask = Ask { attempt, verb: Verb::Command, path, fields: Some(fields) };
        let answer = self.write(&ask).await?;
        body::rows(&answer.body)
            .map_err(|error| self.failure(&ask, unreadable(error.wanted, &answer.body)))
    }

    /// Says that an answer was read, and holds something that makes no sense.
    pub(in crate::backend::routeros) fn unreadable(
        &self,
        attempt: &str,
        why: impl Into<String>,
    ) -> Failure {
        let ask = Ask { attempt, verb: Verb::Read, path: String::new(), fields: None };
        let hint = "is it a router with RouterOS 7?";
        self.failure(&ask, Reason::new(Cause::Unreadable, why, [hint]))
    }

    async fn read<T>(
        &self,
        attempt: &str,
        menu: &str,
        parse: fn(&[u8]) -> Result<T, body::Unreadable>,
    ) -> Result<T, Failure> {
        let ask = Ask { attempt, verb: Verb::Read, path: menu.to_owned(), fields: None };
        let mut waits = self.settings.pace.retries.into_iter();
        loop {
            let reason = match self.read_once(&ask).await {
                Err(reason) => reason,
                Ok(answer) => match parse(&answer.body) {
                    Ok(parsed) => return Ok(parsed),
                    Err(error) => unreadable(error.wanted, &answer.body),
                },
            };
            match waits.next() {
                Some(wait) if reason.may_pass() => sleep(wait).await,
                _ => return Err(self.failure(&ask, reason)),
            }
        }
    }

    async fn read_once(&self, ask: &Ask<'_>) -> Result<Answer, Reason> {
        // The semaphore is never closed; without it, the reads would only be more at once.
        let _permit = self.reads.acquire().await.ok();
        self.ask(ask).await
    }

    async fn write(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let _turn = self.writes.lock().await;
        self.ask(ask).await.map_err(|reason| self.failure(ask, reason))
    }

    /// Sends a request, and gives the answer if it is a good one.
    async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Reason> {
        let http = self.http.read().await;
        let answer = self.exchange(&http, ask).await;
        drop(http);
        match answer {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer),
            Ok(answer) => Err(refused(ask.verb, answer.status, &answer.body)),
            Err(error) => {
                let fingerprint = self.seen.text();
                let timeout = self.settings.api_timeout;
                let reason = no_answer(&error, timeout, fingerprint.as_deref());
                if reason.cause == Cause::Silent {
                    self.start_over().await;
                }
                Err(reason)
            }
        }
    }

    async fn exchange(
        &self,
        http: &reqwest::Client,
        ask: &Ask<'_>,
    ) -> Result<Answer, reqwest::Error> {
        let method = match ask.verb {
            Verb::Read => Method::GET,
            Verb::Add => Method::PUT,
            Verb::Set => Method::PATCH,
            Verb::Remove => Method::DELETE,
            Verb::Command => Method::POST,
        };
        let sent = ask.fields.map(encode).unwrap_or_default();
        let trace = &self.settings.trace;
        trace.say(|| format!("> {method} /{} {}", ask.path, redacted(&sent)).trim_end().to_owned());
        let mut request = http
            .request(method, format!("{}/{}", self.base, ask.path))
            .basic_auth(&self.settings.api_user, Some(self.settings.api_password.expose()));
        if ask.fields.is_some() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request = request.body(sent.to_vec());
        }
        let mut response =
            request.send().await.inspect_err(|error| trace.say(|| format!("< {error}")))?;
        let status = response.status().as_u16();
        let announced = usize::try_from(response.content_length().unwrap_or_default());
        let capacity = announced.unwrap_or_default().min(LONGEST_BODY);
        let mut body = Zeroizing::new(Vec::with_capacity(capacity));
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > LONGEST_BODY {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        trace.say(|| {
            let body = self.without_secrets(ask, redacted(&body));
            format!("< {status} {body}").trim_end().to_owned()
        });
        Ok(Answer { status, body })
    }

    /// Drops every connection, once the requests that are on their way have ended, and waits until the router has got
    /// over the one that was given up.
    async fn start_over(&self) {
        let mut http = self.http.write().await;
        if let Ok(fresh) = http_client(&self.settings, &self.seen) {
            *http = fresh;
        }
        sleep(self.settings.pace.after_timeout).await;
    }

    fn object(&self, ask: &Ask<'_>, answer: &Answer) -> Result<Row, Failure> {
        body::one(&answer.body)
            .map_err(|error| self.failure(ask, unreadable(error.wanted, &answer.body)))
    }

    fn failure(&self, ask: &Ask<'_>, Reason { cause, reason, mut hints }: Reason) -> Failure {
        // An answer may be somebody else's, and a refusal may come after the change.
        let was_sent = !matches!(cause, Cause::Unreachable | Cause::NotTrusted);
        let may_have_changed = ask.verb != Verb::Read && was_sent;
        if may_have_changed && matches!(cause, Cause::Silent | Cause::Lost | Cause::Unreadable) {
            hints.push("whether it was done is known once the router is read again".to_owned());
        }
        let cause = match cause {
            Cause::Refused(words) => Cause::Refused(self.without_secrets(ask, words)),
            cause => cause,
        };
        let error = BackendError {
            backend: self.settings.backend.clone(),
            attempt: ask.attempt.to_owned(),
            reason: self.without_secrets(ask, reason),
            hints,
        };
        Failure { error, cause, may_have_changed }
    }

    /// Leaves out what was secret in the request, should the router repeat it.
    fn without_secrets(&self, ask: &Ask<'_>, words: String) -> String {
        let fields = ask.fields.into_iter().flatten();
        let keys = fields.filter(|(name, _)| SECRETS.contains(name)).map(|(_, key)| key.as_str());
        let password = self.settings.api_password.expose();
        // A shorter one is no secret, and would tear holes into words.
        let secrets = keys.chain([password]).filter(|secret| secret.len() >= 8);
        secrets.fold(words, |words, secret| words.replace(secret, "…"))
    }
}

/// Reads a URL; the error says why it is none.
fn base(text: &str) -> Result<String, String> {
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
    Ok(if url.path().trim_end_matches('/').ends_with("/rest") {
        text.to_owned()
    } else {
        format!("{text}/rest")
    })
}

fn http_client(settings: &Settings, seen: &Seen) -> Result<reqwest::Client, String> {
    // Without TLS nobody is believed, and the system's authorities, which take a while to load, are left alone.
    let is_plain = settings.api_url.trim_start().starts_with("http:");
    let trust = if is_plain { &Trust::Anybody } else { &settings.trust };
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls::config(trust, seen)?)
        .http1_only()
        // What is in the environment of a CI runner is for the way out, and not for a router on the inside.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT)
        .timeout(settings.api_timeout)
        .pool_max_idle_per_host(settings.concurrency.get())
        .user_agent(concat!("wgform/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| error.to_string())
}

/// Spells what is written: texts only, which RouterOS reads as they are.
fn encode(fields: &Fields) -> Zeroizing<Vec<u8>> {
    let texts: BTreeMap<_, _> = fields.iter().map(|(name, text)| (name, text.as_str())).collect();
    Zeroizing::new(serde_json::to_vec(&texts).unwrap_or_default())
}
