//! pfSense firewalls, over the REST API package.
//!
//! A firewall is read as whole lists, and written one object at a time, with one apply at the end: `write` carries out a
//! batch, `picture` says what there is in our words, `wish` says what we want in the package's, and `checks` asks what it
//! would make of a plan.

pub mod client;
pub mod wire;
pub mod snapshot;
mod picture;
mod wish;
mod write;
mod checks;

#[cfg(any(test, fuzzing))]
pub(crate) use wire::fuzz as fuzz_answer;

#[cfg(test)]
mod script;

use std::time::Duration;

use serde_json::json;
use tokio::sync::OnceCell;

use crate::actual::{Examination, Picture, Remark};
use crate::backend::http::{self, Risks};
use crate::backend::pfsense::client::{
    Client, Credentials, Failure, Pace, Settings, Trace, Trust, has_api_path,
};
use crate::backend::pfsense::snapshot::Snapshot;
use crate::backend::{
    Answer, BackendError, Batch, Interest, Landed, Outcome, Read, Rights, Stop, Verdict, Write,
};
use crate::config::{self, Login, Password};
use crate::resource::BackendId;
use crate::simulator::SimulatorError;
use crate::simulator::pfsense::http::{Options, Server};
use crate::simulator::pfsense::{ALL_PRIVILEGES, DENY_WRITE, SimulatedFirewall};
use crate::value::{PresharedKey, PublicKey, Secret};
use crate::world::World;

/// How long a firewall works on one request.
const FIREWALL_GIVES_UP: Duration = Duration::from_secs(180);

/// Who asks a simulated firewall.
const SIMULATED_USER: &str = "wgform";

/// A firewall.
pub struct PfSense {
    id: BackendId,
    /// How it is reached, but for what lets one in.
    settings: Settings,
    login: Login,
    /// What asks it, from the first request on.
    client: OnceCell<Client>,
    /// What answers in the place of a firewall.
    simulated: Option<Server>,
    /// Whether nothing may be written.
    read_only: bool,
    /// What everybody should know of the way to it.
    remarks: Vec<Remark>,
    world: World,
}

impl PfSense {
    /// Gets ready to ask a firewall, or opens a simulated one.
    ///
    /// # Errors
    /// When the certificates cannot be read, or the simulated firewall is in use by another run, or damaged.
    pub fn new(
        id: BackendId,
        firewall: config::PfSense,
        simulate: Option<Rights>,
        world: &World,
        trace: &Trace,
    ) -> Result<Self, BackendError> {
        let trust = if simulate.is_some() {
            Trust::Anybody
        } else {
            http::trust(&id, &firewall.tls, world)?
        };
        // Whoever has to be let in is let in by a simulated one.
        let simulated = simulate.map(|rights| simulated(&id, rights, world)).transpose()?;
        let (api_url, login) = match &simulated {
            Some((server, key)) => {
                (format!("http://{}", server.address()), Login::Key(Password::Given(key.clone())))
            }
            None => (firewall.api_url.clone(), firewall.login.clone()),
        };
        let remarks = if simulate.is_some() { Vec::new() } else { risks(&firewall) };
        let settings = Settings {
            backend: id.clone(),
            api_url,
            credentials: Credentials::Key(Secret::new("")),
            trust,
            api_timeout: firewall.api_timeout,
            trace: if firewall.debug { trace.clone().of(&id) } else { Trace::default() },
            pace: if simulate.is_some() { Pace::simulated() } else { Pace::default() },
        };
        Ok(Self {
            id,
            settings,
            login,
            client: OnceCell::new(),
            simulated: simulated.map(|(server, _)| server),
            read_only: firewall.read_only,
            remarks,
            world: world.clone(),
        })
    }

    /// Gets ready to ask a firewall whose way and key are here already.
    ///
    /// # Errors
    /// When the URL or the certificates make no sense.
    pub fn reached(settings: Settings, world: &World) -> Result<Self, BackendError> {
        Ok(Self {
            id: settings.backend.clone(),
            client: OnceCell::from(Client::new(settings.clone())?),
            settings,
            login: Login::Key(Password::Given(Secret::new(""))),
            simulated: None,
            read_only: false,
            remarks: Vec::new(),
            world: world.clone(),
        })
    }

    /// Returns what asks the firewall. The program that knows what lets one in is asked once.
    async fn client(&self) -> Result<&Client, BackendError> {
        let make = || async {
            let secret = async |what: &str, secret: &Password| {
                http::secret(&self.id, what, secret, &self.world).await
            };
            let credentials = match &self.login {
                Login::Key(key) => Credentials::Key(secret("the key of the firewall", key).await?),
                Login::User { name, password } => Credentials::User {
                    password: secret(&format!("the password of `{name}`"), password).await?,
                    name: name.clone(),
                },
            };
            Client::new(Settings { credentials, ..self.settings.clone() })
        };
        self.client.get_or_try_init(make).await
    }

    async fn snapshot(&self) -> Result<Snapshot, BackendError> {
        Snapshot::read(self.client().await?).await.map_err(|failure: Failure| failure.error)
    }

    async fn picture_of(&self, snapshot: &Snapshot) -> Result<Picture, BackendError> {
        let client = self.client().await?;
        let mut picture = picture::picture(snapshot, self.simulated.is_some(), self.world.now())
            .map_err(|reason| client.unreadable("read the WireGuard tunnels", reason).error)?;
        picture.remarks.extend_from_slice(&self.remarks);
        Ok(picture)
    }

    fn refuse_to_write(&self) -> BackendError {
        BackendError {
            backend: self.id.clone(),
            attempt: "write to the firewall".to_owned(),
            reason: "its backend has `read_only = true`".to_owned(),
            hints: vec!["leave `read_only` out, with a key that may write".to_owned()],
        }
    }
}

/// What is said of the way to a firewall.
const RISKS: Risks = Risks {
    in_the_clear: "Let the web interface of the firewall speak HTTPS, and write `https://` in `api_url`.",
    anybody: |says, hint| {
        Remark::new("firewall that does not have to prove what it is", says, hint)
    },
};

/// Returns what is risky in how a firewall is reached, and what is idle.
fn risks(firewall: &config::PfSense) -> Vec<Remark> {
    let mut remarks = Vec::from_iter(http::risks(&firewall.api_url, &firewall.tls, &RISKS));
    if has_api_path(&firewall.api_url) {
        remarks.push(Remark::new(
            "path that is added to the URL anyway",
            "`api_url` ends with `/api/v2`",
            "Write only the URL of the firewall, such as \"https://192.168.1.1\".",
        ));
    }
    if firewall.api_timeout <= FIREWALL_GIVES_UP {
        remarks.push(Remark::new(
            "time limit no longer than the firewall's own",
            format!(
                "a request is given up after {} s, and the firewall itself takes up to 180 s for one",
                firewall.api_timeout.as_secs()
            ),
            "Set `api_timeout` above 180 s, or leave it out: what is given up may be done all the same.",
        ));
    }
    remarks
}

/// Serves the simulated firewall of a backend, and returns the key that it lets in.
fn simulated(
    id: &BackendId,
    rights: Rights,
    world: &World,
) -> Result<(Server, Secret), BackendError> {
    let failed = |SimulatorError { reason, hints }| BackendError {
        backend: id.clone(),
        attempt: "open the simulated firewall".to_owned(),
        reason,
        hints,
    };
    let host = SimulatedFirewall::open(&world.directory, id, world).map_err(failed)?;
    let key = Secret::new(world.new_id().simple().to_string());
    host.set_api("auth_methods", json!(["BasicAuth", "KeyAuth"])).map_err(failed)?;
    let privileges = match rights {
        Rights::All => &[ALL_PRIVILEGES][..],
        Rights::ToRead => &[ALL_PRIVILEGES, DENY_WRITE],
    };
    host.set_user(SIMULATED_USER, &key, privileges);
    host.add_key(&key, SIMULATED_USER);
    let server = Server::start(host, world, Options::default()).map_err(|error| {
        let hints = vec!["see whether this host has a loopback".to_owned()];
        failed(SimulatorError { reason: error.to_string(), hints })
    })?;
    Ok((server, key))
}

impl Read for PfSense {
    fn id(&self) -> &BackendId {
        &self.id
    }

    fn read<'a>(&'a self, _: &'a Interest) -> Answer<'a, Result<Picture, BackendError>> {
        Box::pin(async move { self.picture_of(&self.snapshot().await?).await })
    }

    fn examine(&self) -> Answer<'_, Result<Examination, BackendError>> {
        Box::pin(async move {
            let snapshot = self.snapshot().await?;
            let facts = picture::facts(&snapshot);
            Ok(Examination { picture: self.picture_of(&snapshot).await?, facts })
        })
    }

    fn holds<'a>(
        &'a self,
        peer: PublicKey,
        key: Option<&'a PresharedKey>,
    ) -> Answer<'a, Result<Option<bool>, BackendError>> {
        Box::pin(async move {
            checks::holds_preshared_key(self.client().await?, peer, key).await.map(Some)
        })
    }

    fn validate<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Result<Vec<Verdict>, BackendError>> {
        Box::pin(async move { checks::dry_run(self.client().await?, batch).await })
    }
}

impl Write for PfSense {
    fn write<'a>(&'a self, batch: Batch, stop: Stop, landed: Landed<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            let client = match self.read_only {
                true => Err(self.refuse_to_write()),
                false => self.client().await,
            };
            match client {
                Ok(client) => write::carry_out(client, batch, stop, landed).await,
                Err(error) => {
                    landed(0, Outcome::Untouched(error));
                    (1..batch.operations.len()).for_each(|it| landed(it, Outcome::Skipped(0)));
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::backend::pfsense::risks;
    use crate::config::{Login, Password, PfSense, Tls};
    use crate::value::Secret;

    fn said(firewall: &PfSense) -> Vec<&'static str> {
        risks(firewall).into_iter().map(|it| it.summary).collect()
    }

    #[test]
    fn what_is_risky_or_idle_on_the_way_is_said() {
        let firewall = PfSense {
            api_url: "https://192.168.1.1".to_owned(),
            login: Login::Key(Password::Given(Secret::new("x"))),
            api_timeout: PfSense::TIMEOUT,
            tls: Tls { api_verify_tls: true, ca_file: None, tls_pin_sha256: None },
            manage_service: false,
            read_only: false,
            debug: false,
        };
        assert!(said(&firewall).is_empty());
        let firewall = PfSense {
            api_url: "http://192.168.1.1/api/v2/".to_owned(),
            api_timeout: Duration::from_secs(60),
            ..firewall
        };
        assert_eq!(
            said(&firewall),
            [
                "password that is sent in the clear",
                "path that is added to the URL anyway",
                "time limit no longer than the firewall's own"
            ]
        );
        let api_url = "https://192.168.1.1".to_owned();
        let tls = Tls { api_verify_tls: false, ca_file: None, tls_pin_sha256: None };
        let firewall = PfSense { api_url, tls, api_timeout: PfSense::TIMEOUT, ..firewall };
        assert_eq!(said(&firewall), ["firewall that does not have to prove what it is"]);
    }
}
