//! A store behind HTTP, with the protocol of Terraform's `http` backend: that of the state that GitLab keeps for a
//! project, and of many small servers.
//!
//! The state is read with GET and written with POST, which names the lock as `?ID=`. The lock is taken with LOCK, whose
//! answer is 423 or 409 with the holder in its body when somebody else has it, and given back with UNLOCK. The protocol has
//! no version of a document, no history and no question who holds the lock: the version is the digest of what is there,
//! and whoever asks for the holder tries to take the lock.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use crate::failpoint;
use crate::store::LockInfo;
use crate::store::remote::{
    Arguments, Document, Held, Past, Remote, RemoteError, Reply, Version, WrongArgument,
};
use crate::tls::{self, Seen, Trust};
use crate::value::Secret;
use crate::world::World;

const RETRIES: u32 = 2;
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
/// A state of ten thousand peers has ten megabytes.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Less than this is too little for a busy host, also in a test.
const SHORTEST: Duration = Duration::from_millis(600);
/// When it is looked, after a lock was given back, whether a request for it that had no answer has taken it once more: the
/// pause before each look.
const LOOKS: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// No state is so large, and nothing else that a server says.
const LARGEST: usize = 1 << 30;
const LARGEST_WORD: usize = 64 << 10;
/// As much of a refusal as a terminal can bear.
const LONGEST_WORD: usize = 300;

/// What a `state "http"` block says.
#[derive(Debug)]
pub struct Settings {
    address: Url,
    lock_address: Option<Url>,
    unlock_address: Option<Url>,
    update_method: Method,
    lock_method: Method,
    unlock_method: Method,
    username: Option<String>,
    password: Option<Secret>,
    headers: HeaderMap,
    retries: u32,
    wait_min: Duration,
    wait_max: Duration,
    trust: Trust,
    /// The name of the run, by which it knows its own look at the lock again.
    run: Uuid,
}

impl Settings {
    /// Reads the arguments of the block, with `WGFORM_HTTP_*` behind them.
    ///
    /// # Errors
    /// When one is missing or makes no sense.
    pub fn new(arguments: &Arguments) -> Result<Self, WrongArgument> {
        let url = |name: &'static str, variable: &str| match arguments.text(name, &[variable]) {
            Some(text) => address(name, text).map(Some),
            None => Ok(None),
        };
        let Some(base) = url("address", "WGFORM_HTTP_ADDRESS")? else {
            let why = "the address of the state is missing: write it as `address = \"https://…\"`, or set WGFORM_HTTP_ADDRESS";
            return Err(WrongArgument::new("address", why));
        };
        let lock = url("lock_address", "WGFORM_HTTP_LOCK_ADDRESS")?;
        let unlock = url("unlock_address", "WGFORM_HTTP_UNLOCK_ADDRESS")?;
        let unlock = unlock.or_else(|| lock.clone());
        let placed =
            |name: &str, url: Option<Url>| in_workspace(name, url, &base, &arguments.workspace);
        let method = |name: &str, variable: &str, default: &str| {
            let text = arguments.text(name, &[variable]).unwrap_or(default).to_ascii_uppercase();
            Method::from_bytes(text.as_bytes())
                .map_err(|_| WrongArgument::new(name, "this is no method of HTTP"))
        };
        let text = |name: &str, variable: &str| arguments.text(name, &[variable]);
        Ok(Self {
            lock_address: placed("lock_address", lock)?,
            unlock_address: placed("unlock_address", unlock)?,
            update_method: method("update_method", "WGFORM_HTTP_UPDATE_METHOD", "POST")?,
            lock_method: method("lock_method", "WGFORM_HTTP_LOCK_METHOD", "LOCK")?,
            unlock_method: method("unlock_method", "WGFORM_HTTP_UNLOCK_METHOD", "UNLOCK")?,
            username: text("username", "WGFORM_HTTP_USERNAME").map(ToOwned::to_owned),
            password: text("password", "WGFORM_HTTP_PASSWORD").map(Secret::new),
            headers: headers(arguments)?,
            retries: arguments.number("retry_max", &["WGFORM_HTTP_RETRY_MAX"], RETRIES)?,
            wait_min: arguments.duration(
                "retry_wait_min",
                &["WGFORM_HTTP_RETRY_WAIT_MIN"],
                WAIT_MIN,
            )?,
            wait_max: arguments.duration(
                "retry_wait_max",
                &["WGFORM_HTTP_RETRY_WAIT_MAX"],
                WAIT_MAX,
            )?,
            trust: trust(arguments)?,
            run: arguments.run,
            address: placed("address", Some(base.clone()))?.unwrap_or(base),
        })
    }
}

/// Reads an address. Credentials have arguments of their own, because an address is shown.
fn address(name: &str, text: &str) -> Result<Url, WrongArgument> {
    let wrong = |why: &str| WrongArgument::new(name, why);
    let url: Url = text.parse().map_err(|_| wrong("this is no URL"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(wrong("this is neither `https` nor `http`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("there is a user in it, which goes into `username` and `password`"));
    }
    Ok(url)
}

/// Puts the workspace behind the name of the state, which is the last part of the path of its address.
fn in_workspace(
    name: &str,
    url: Option<Url>,
    base: &Url,
    workspace: &str,
) -> Result<Option<Url>, WrongArgument> {
    let Some(mut url) = url else { return Ok(None) };
    if workspace == World::DEFAULT_WORKSPACE {
        return Ok(Some(url));
    }
    let stem = base.path().trim_end_matches('/');
    let Some(rest) = url.path().strip_prefix(stem) else {
        let why = "with a workspace, this address has to begin with `address`, which gets the workspace behind its name";
        return Err(WrongArgument::new(name, why));
    };
    let path = format!("{stem}-env-{workspace}{rest}");
    url.set_path(&path);
    Ok(Some(url))
}

fn headers(arguments: &Arguments) -> Result<HeaderMap, WrongArgument> {
    let mut headers = HeaderMap::new();
    for (name, value) in arguments.maps.get("headers").into_iter().flatten() {
        let wrong = |why: &str| WrongArgument::new("headers", why);
        let name = HeaderName::try_from(name.as_str())
            .map_err(|_| wrong("one of these is no name of a header"))?;
        let mut value = HeaderValue::try_from(value.expose())
            .map_err(|_| wrong("one of these values cannot be sent in a header"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn trust(arguments: &Arguments) -> Result<Trust, WrongArgument> {
    if arguments.flag("skip_cert_verification", &["WGFORM_HTTP_SKIP_CERT_VERIFICATION"])? {
        return Ok(Trust::Anybody);
    }
    arguments.trust("ca_file", &["WGFORM_HTTP_CA_FILE"])
}

/// A state behind HTTP.
#[derive(Debug)]
pub struct HttpStore {
    settings: Settings,
    http: reqwest::Client,
    /// Whether the server gives a lock once more to the one who has it.
    gives_again: AtomicBool,
    /// How many requests for a lock had no answer: the server may still do them.
    unanswered: AtomicUsize,
}

/// What the server says.
struct Answer {
    status: StatusCode,
    body: Vec<u8>,
    /// There is more of a document than can be one.
    is_too_large: bool,
}

impl HttpStore {
    /// Sets up the client. Nothing is asked yet.
    ///
    /// # Errors
    /// When the certificates cannot be used.
    pub fn open(settings: Settings) -> Result<Self, RemoteError> {
        let config = tls::config(
            if settings.address.scheme() == "http" { &Trust::Anybody } else { &settings.trust },
            &Seen::default(),
        );
        let refused = |why: String| RemoteError::Refused(format!("`ca_file`: {why}"));
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(config.map_err(refused)?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT)
            .timeout(failpoint::hurried(TIMEOUT).max(SHORTEST))
            .user_agent(concat!("wgform/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| RemoteError::Refused(error.to_string()))?;
        Ok(Self {
            settings,
            http,
            gives_again: AtomicBool::new(false),
            unanswered: AtomicUsize::new(0),
        })
    }

    /// Asks, and asks again while the server cannot be reached or is not well. Whoever asks for something that must not
    /// be done twice says so: it is then repeated only when it did not leave this host.
    async fn ask(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&[u8]>,
        is_repeatable: bool,
    ) -> Result<Answer, RemoteError> {
        let (mut left, mut pause) = (self.settings.retries, self.settings.wait_min);
        loop {
            let is_lock = self.settings.lock_address.as_ref() == Some(url)
                && *method == self.settings.lock_method;
            if is_lock {
                // Before it is asked: who waits for the answer may lose patience.
                self.unanswered.fetch_add(1, Ordering::Relaxed);
            }
            let asked = self.ask_once(method, url, body).await;
            if is_lock && asked.as_ref().err().is_none_or(reqwest::Error::is_connect) {
                self.unanswered.fetch_sub(1, Ordering::Relaxed);
            }
            let may_repeat = left > 0
                && match &asked {
                    Ok(answer) => is_repeatable && is_unwell(answer.status),
                    Err(error) => is_repeatable || error.is_connect(),
                };
            match asked {
                _ if may_repeat => {
                    left -= 1;
                    tokio::time::sleep(failpoint::hurried(pause)).await;
                    pause = (pause * 2).min(self.settings.wait_max);
                }
                Ok(answer) if answer.is_too_large => {
                    let why = "the server answers with more than a gigabyte, which is no state";
                    return Err(RemoteError::Unclear(why.to_owned()));
                }
                Ok(answer) => return Ok(answer),
                Err(error) => return Err(RemoteError::Unreachable(why(&error))),
            }
        }
    }

    async fn ask_once(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&[u8]>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method.clone(), url.clone());
        if let Some(username) = &self.settings.username {
            request =
                request.basic_auth(username, self.settings.password.as_ref().map(|it| it.expose()));
        }
        if let Some(body) = body {
            let digest = BASE64.encode(Md5::digest(body));
            request = request
                .header(CONTENT_TYPE, "application/json")
                .header("Content-MD5", digest)
                .body(body.to_vec());
        }
        let mut response = request.headers(self.settings.headers.clone()).send().await?;
        let (status, mut body) = (response.status(), Vec::new());
        let largest = if status == StatusCode::OK { LARGEST } else { LARGEST_WORD };
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > largest {
                // Of a refusal, the beginning is enough.
                let is_too_large = status == StatusCode::OK;
                return Ok(Answer { status, body, is_too_large });
            }
        }
        Ok(Answer { status, body, is_too_large: false })
    }

    async fn get(&self) -> Result<Option<Document>, RemoteError> {
        let answer = self.ask(&Method::GET, &self.settings.address, None, true).await?;
        match answer.status {
            StatusCode::OK if answer.body.is_empty() => Ok(None),
            StatusCode::OK => {
                let version = version(&answer.body);
                Ok(Some(Document { bytes: answer.body, version }))
            }
            StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refusal(&answer)),
        }
    }

    async fn post(
        &self,
        bytes: &[u8],
        over: Option<&Version>,
        lock: Option<&LockInfo>,
    ) -> Result<Version, RemoteError> {
        // The server compares nothing, so it is looked at here, under the lock.
        if self.get().await?.map(|it| it.version).as_ref() != over {
            return Err(RemoteError::Stale);
        }
        let mut url = self.settings.address.clone();
        if let Some(lock) = lock {
            url.query_pairs_mut().append_pair("ID", &lock.id);
        }
        let answer = self.ask(&self.settings.update_method, &url, Some(bytes), false).await?;
        match answer.status {
            status if status.is_success() => Ok(version(bytes)),
            StatusCode::CONFLICT | StatusCode::LOCKED => Err(RemoteError::LockLost),
            // GitLab refuses a serial that it has already.
            StatusCode::PRECONDITION_FAILED | StatusCode::UNPROCESSABLE_ENTITY => {
                Err(RemoteError::Stale)
            }
            _ => Err(self.refusal(&answer)),
        }
    }

    /// Tries to take the lock; who holds it, when somebody does.
    async fn try_lock(&self, info: &LockInfo) -> Result<Option<Held>, RemoteError> {
        let Some(url) = &self.settings.lock_address else {
            return Err(RemoteError::Refused(
                "`lock_address` is not set, so that nobody could be kept from writing at the same time".to_owned(),
            ));
        };
        let body = TerraformLock::of(info, &self.place()).to_bytes();
        let answer = self.ask(&self.settings.lock_method, url, Some(&body), true).await?;
        match answer.status {
            status if status.is_success() => Ok(None),
            StatusCode::CONFLICT | StatusCode::LOCKED => {
                let found: Option<TerraformLock> = serde_json::from_slice(&answer.body).ok();
                Ok(Some(Held { info: found.map(TerraformLock::into_info), beat: None }))
            }
            _ => Err(self.refusal(&answer)),
        }
    }

    async fn take(&self, info: &LockInfo) -> Result<(), RemoteError> {
        let is_ours = |held: &Held| held.info.as_ref().is_some_and(|holder| holder.id == info.id);
        match self.try_lock(info).await? {
            None => {}
            // The answer to an earlier try did not arrive.
            Some(held) if is_ours(&held) => return Ok(()),
            Some(held) => return Err(RemoteError::Locked(Box::new(held))),
        }
        // What a server says to the holder is learnt now, while nobody can have taken the lock away: later the same
        // answer has to mean that it was.
        match self.try_lock(info).await {
            Ok(None) => self.gives_again.store(true, Ordering::Relaxed),
            Ok(Some(held)) if held.info.is_none() || is_ours(&held) => {}
            Ok(Some(held)) => return Err(RemoteError::Locked(Box::new(held))),
            Err(error) => {
                _ = self.give_back(info).await;
                return Err(error);
            }
        }
        Ok(())
    }

    async fn still_ours(&self, info: &LockInfo) -> Result<(), RemoteError> {
        match self.try_lock(info).await? {
            None if self.gives_again.load(Ordering::Relaxed) => Ok(()),
            // Nobody had it: it was taken away, and has been taken again by this look.
            None => {
                _ = self.give_back(info).await;
                Err(RemoteError::LockLost)
            }
            // A server that does not say by whom still says that it is locked.
            Some(Held { info: None, .. }) => Ok(()),
            Some(Held { info: Some(holder), .. }) if holder.id == info.id => Ok(()),
            Some(_) => Err(RemoteError::LockLost),
        }
    }

    async fn give_back(&self, info: &LockInfo) -> Result<(), RemoteError> {
        let Some(url) = &self.settings.unlock_address else { return Ok(()) };
        let body = TerraformLock::of(info, &self.place()).to_bytes();
        let answer = self.ask(&self.settings.unlock_method, url, Some(&body), true).await?;
        match answer.status {
            // It is not there: an answer to an earlier try was lost, or somebody took it away.
            status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            StatusCode::CONFLICT | StatusCode::LOCKED => Err(RemoteError::LockLost),
            _ => Err(self.refusal(&answer)),
        }
    }

    /// Gives back what a request took that is done only now, after the lock was given back.
    async fn give_back_late(&self, info: &LockInfo) -> Result<(), RemoteError> {
        let mut left = self.unanswered.load(Ordering::Relaxed);
        for pause in LOOKS {
            if left == 0 {
                break;
            }
            tokio::time::sleep(pause).await;
            let held = self.look().await?.and_then(|it| it.info);
            if held.is_some_and(|it| it.id == info.id) {
                self.give_back(info).await?;
                left -= 1;
            }
        }
        Ok(())
    }

    /// Tries to take the lock for an instant, because the protocol has no other question.
    async fn look(&self) -> Result<Option<Held>, RemoteError> {
        // There is no lock that anybody could hold.
        if self.settings.lock_address.is_none() {
            return Ok(None);
        }
        let probe = LockInfo {
            id: format!("look-{}", self.settings.run),
            operation: "look".to_owned(),
            who: "wgform".to_owned(),
            host: "unknown".to_owned(),
            pid: 0,
            since: Timestamp::UNIX_EPOCH,
            wgform_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let held = self.try_lock(&probe).await?;
        // When an answer is lost, the next one names our own look.
        if held.as_ref().is_none_or(|it| it.info.as_ref().is_some_and(|it| it.id == probe.id)) {
            self.give_back(&probe).await?;
            return Ok(None);
        }
        Ok(held)
    }

    /// Says why the server did not do what it was asked for.
    fn refusal(&self, answer: &Answer) -> RemoteError {
        let Answer { status, body, is_too_large: _ } = answer;
        let mut text = format!("the server answers {}", status.as_u16());
        if let Some(reason) = status.canonical_reason() {
            text += &format!(" ({reason})");
        }
        let said = self.said(body);
        if !said.is_empty() {
            text += &format!(": {said}");
        }
        match *status {
            StatusCode::UNAUTHORIZED => {
                RemoteError::Refused(format!("{text}. `username` and `password` are not accepted"))
            }
            StatusCode::FORBIDDEN => {
                RemoteError::Refused(format!("{text}. The user may not do this"))
            }
            status if is_unwell(status) => RemoteError::Unreachable(text),
            status if status.is_client_error() => RemoteError::Refused(text),
            _ => RemoteError::Unclear(text),
        }
    }

    /// Returns the words of a refusal, short, in one line, and without what nobody may see.
    fn said(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let secrets = self.settings.headers.values().filter_map(|it| it.to_str().ok());
        let password = self.settings.password.as_ref().map(|it| it.expose());
        for secret in secrets.chain(password).filter(|it| it.len() >= 4) {
            text = text.replace(secret, "(sensitive)");
        }
        // A page for people says nothing here.
        if text.starts_with('<') {
            return String::new();
        }
        text.chars().take(LONGEST_WORD).collect()
    }
}

fn is_unwell(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

fn version(bytes: &[u8]) -> Version {
    Version(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Returns why nothing was answered, without the address, which is said with it.
fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it does not answer".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match error.is_connect() {
        true => format!("it cannot be reached: {cause}"),
        false => format!("the connection broke off: {cause}"),
    }
}

impl Remote for HttpStore {
    fn place(&self) -> String {
        place(&self.settings.address)
    }

    fn read(&self) -> Reply<'_, Option<Document>> {
        Box::pin(self.get())
    }

    fn write<'a>(
        &'a self,
        bytes: &'a [u8],
        _serial: u64,
        over: Option<&'a Version>,
        lock: Option<&'a LockInfo>,
    ) -> Reply<'a, Version> {
        Box::pin(self.post(bytes, over, lock))
    }

    fn lock<'a>(&'a self, info: &'a LockInfo) -> Reply<'a, ()> {
        Box::pin(self.take(info))
    }

    fn renew<'a>(&'a self, info: &'a LockInfo) -> Reply<'a, ()> {
        Box::pin(self.still_ours(info))
    }

    fn unlock<'a>(&'a self, info: &'a LockInfo) -> Reply<'a, ()> {
        Box::pin(async move {
            match self.give_back(info).await {
                // Somebody else has it by now, and keeps it.
                Err(RemoteError::LockLost) => Ok(()),
                Ok(()) => self.give_back_late(info).await,
                refused => refused,
            }
        })
    }

    fn holder(&self) -> Reply<'_, Option<Held>> {
        Box::pin(self.look())
    }

    fn force_unlock<'a>(&'a self, id: &'a str) -> Reply<'a, ()> {
        Box::pin(async move {
            match self.look().await? {
                Some(Held { info: Some(info), .. }) if info.id == id => self.give_back(&info).await,
                Some(held) => Err(RemoteError::Locked(Box::new(held))),
                None => Err(RemoteError::LockLost),
            }
        })
    }

    fn history(&self) -> Reply<'_, Option<Vec<Past>>> {
        Box::pin(async { Ok(None) })
    }

    fn past<'a>(&'a self, _: &'a Version) -> Reply<'a, Option<Vec<u8>>> {
        Box::pin(async { Ok(None) })
    }
}

/// Returns an address as it may be shown: what follows its path may hold a token.
fn place(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// A lock as Terraform writes it, and so as servers expect it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TerraformLock {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    info: String,
    #[serde(default)]
    who: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    created: Option<Timestamp>,
    #[serde(default)]
    path: String,
}

/// What stands before the number of the process.
const PROCESS: &str = "process ";

impl TerraformLock {
    fn of(info: &LockInfo, place: &str) -> Self {
        let LockInfo { id, operation, who, host, pid, since, wgform_version } = info.clone();
        Self {
            id,
            operation,
            info: format!("{PROCESS}{pid}"),
            who: format!("{who}@{host}"),
            version: wgform_version,
            created: Some(since),
            path: place.to_owned(),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("the fields are texts")
    }

    fn into_info(self) -> LockInfo {
        let Self { id, operation, info, who, version, created, path: _ } = self;
        let (who, host) = who.rsplit_once('@').unwrap_or((&who, "another host"));
        LockInfo {
            id,
            operation,
            who: who.to_owned(),
            host: host.to_owned(),
            pid: info.strip_prefix(PROCESS).and_then(|it| it.parse().ok()).unwrap_or_default(),
            since: created.unwrap_or(Timestamp::UNIX_EPOCH),
            wgform_version: version,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::store::remote::http::{HttpStore, Settings, TerraformLock};
    use crate::store::remote::{Arguments, Remote as _};
    use crate::value::Secret;

    fn arguments(texts: &[(&str, &str)], workspace: &str) -> Arguments {
        let secret = |(name, text): &(&str, &str)| ((*name).to_owned(), Secret::new(*text));
        Arguments {
            texts: texts.iter().map(secret).collect(),
            workspace: workspace.to_owned(),
            ..Arguments::default()
        }
    }

    fn wrong(texts: &[(&str, &str)]) -> String {
        let wrong = Settings::new(&arguments(texts, "default")).unwrap_err();
        format!("{}: {}", wrong.argument, wrong.why)
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        assert!(wrong(&[]).contains("WGFORM_HTTP_ADDRESS"));
        assert_eq!(wrong(&[("address", "x y")]), "address: this is no URL");
        let user = wrong(&[("address", "https://u:hunter22@host/s")]);
        assert!(user.contains("`password`") && !user.contains("hunter22"), "{user}");
        let wait = [("address", "https://host/s"), ("retry_wait_min", "soon")];
        assert!(wrong(&wait).starts_with("retry_wait_min: this is no duration"));
    }

    #[test]
    fn a_workspace_is_behind_the_name_of_the_state() {
        let given = [
            ("address", "https://host/state/a?token=x"),
            ("lock_address", "https://host/state/a/lock"),
        ];
        let settings = Settings::new(&arguments(&given, "lab")).unwrap();
        assert_eq!(settings.lock_address.as_ref().unwrap().path(), "/state/a-env-lab/lock");
        let store = HttpStore::open(settings).unwrap();
        assert_eq!(store.place(), "https://host/state/a-env-lab");
        let other = [given[0], ("lock_address", "https://other/locks/a")];
        let wrong = Settings::new(&arguments(&other, "lab")).unwrap_err();
        assert_eq!(wrong.argument, "lock_address");
    }

    #[test]
    fn a_lock_of_terraform_itself_can_be_shown() {
        let theirs = r#"{"ID":"5c","Operation":"OperationTypeApply","Info":"","Who":"root@ci","Version":"1.11.4",
            "Created":"2026-11-21T12:00:00.5Z","Path":"","Other":1}"#;
        let lock: TerraformLock = serde_json::from_str(theirs).unwrap();
        let info = lock.into_info();
        assert_eq!((info.id.as_str(), info.who.as_str(), info.host.as_str()), ("5c", "root", "ci"));
        let back: serde_json::Value =
            serde_json::from_slice(&TerraformLock::of(&info, "x").to_bytes()).unwrap();
        assert_eq!((&back["ID"], &back["Who"]), (&"5c".into(), &"root@ci".into()));
    }
}
