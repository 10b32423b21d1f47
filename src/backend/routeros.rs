//! MikroTik routers with RouterOS v7, over their REST service.
//!
//! A router is read as whole menus, and written one object at a time: `write` carries out a batch, `picture` says what
//! there is in our words, `wish` says what we want in the router's. A simulated router is a server on the loopback that
//! is asked in the same way.

pub mod client;
pub mod wire;
pub mod menus;
mod picture;
mod wish;
mod write;

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz {
    pub(crate) use crate::backend::routeros::client::fuzz as body;
    pub(crate) use crate::backend::routeros::wire::fuzz as values;
}

use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::actual::{Examination, Picture, Remark};
use crate::backend::http::{self, Risks};
use crate::backend::routeros::client::{Client, Pace, Settings, Trace, Trust};
use crate::backend::routeros::menus::{Menus, Wanted};
use crate::backend::routeros::wire::Version;
use crate::backend::{
    Answer, BackendError, Batch, Interest, Landed, Outcome, Read, Rights, Stop, Write,
};
use crate::config::{self, Password};
use crate::resource::BackendId;
use crate::simulator::SimulatorError;
use crate::simulator::routeros::http::{Options, Server};
use crate::simulator::routeros::{ALL_POLICIES, POLICIES_TO_READ, SimulatedRouter};
use crate::value::Secret;
use crate::world::World;

/// How long a router works on one command.
const ROUTER_GIVES_UP: Duration = Duration::from_secs(60);

/// A router.
pub struct RouterOs {
    id: BackendId,
    /// How it is reached, but for the password.
    settings: Settings,
    password: Password,
    /// What asks it, from the first request on.
    client: OnceCell<Client>,
    /// What answers in the place of a router.
    simulated: Option<Server>,
    /// What everybody should know of the way to it.
    remarks: Vec<Remark>,
    world: World,
}

impl RouterOs {
    /// Gets ready to ask a router, or opens a simulated one.
    ///
    /// # Errors
    /// When the certificates cannot be read, or the simulated router is in use by another run, or damaged.
    pub fn new(
        id: BackendId,
        router: config::RouterOs,
        simulate: Option<Rights>,
        world: &World,
        trace: &Trace,
    ) -> Result<Self, BackendError> {
        let trust =
            if simulate.is_some() { Trust::Anybody } else { http::trust(&id, &router.tls, world)? };
        let password = match router.api_password.clone() {
            Password::Asked(_) if simulate.is_some() => Password::Given(Secret::new("")),
            password => password,
        };
        let simulated = match (&password, simulate) {
            (Password::Given(secret), Some(rights)) => {
                Some(simulated(&id, (&router.api_user, secret, rights), world)?)
            }
            _ => None,
        };
        let api_url = match &simulated {
            Some(server) => format!("http://{}", server.address()),
            None => router.api_url.clone(),
        };
        let remarks = if simulate.is_some() { Vec::new() } else { risks(&router) };
        let settings = Settings {
            backend: id.clone(),
            api_url,
            api_user: router.api_user,
            api_password: Secret::new(""),
            trust,
            api_timeout: router.api_timeout,
            concurrency: NonZeroUsize::from(router.concurrency),
            trace: if router.debug { trace.clone().of(&id) } else { Trace::default() },
            pace: Pace::default(),
        };
        let client = OnceCell::new();
        Ok(Self { id, settings, password, client, simulated, remarks, world: world.clone() })
    }

    /// Returns what asks the router. The program that knows the password is asked once.
    async fn client(&self) -> Result<&Client, BackendError> {
        let make = || async {
            let what = format!("the password of `{}`", self.settings.api_user);
            let api_password = http::secret(&self.id, &what, &self.password, &self.world).await?;
            Client::new(Settings { api_password, ..self.settings.clone() })
        };
        self.client.get_or_try_init(make).await
    }

    async fn menus(&self, client: &Client, interest: &Interest) -> Result<Menus, BackendError> {
        let wanted = Wanted {
            identity: true,
            addresses: true,
            routes: interest.routes,
            members: interest.interface_lists,
            others: true,
        };
        Menus::read(client, wanted).await.map_err(|failure| failure.error)
    }

    fn refuse_old(&self, version: Version) -> Result<(), BackendError> {
        let (wanted, backend) = (Version::OLDEST, self.id.clone());
        (version >= wanted).then_some(()).ok_or_else(|| BackendError {
            backend,
            attempt: "read the router".to_owned(),
            reason: format!("RouterOS {version} is too old"),
            hints: vec![format!("upgrade it to {wanted} or later")],
        })
    }

    fn picture_of(&self, client: &Client, menus: Menus) -> Result<Picture, BackendError> {
        let mut picture = picture::picture(menus, self.simulated.is_some(), self.world.now())
            .map_err(|reason| client.unreadable("read the WireGuard interfaces", reason).error)?;
        picture.remarks.extend_from_slice(&self.remarks);
        Ok(picture)
    }
}

/// What is said of the way to a router.
const RISKS: Risks = Risks {
    in_the_clear: "Give the service `www-ssl` of the router a certificate, and write `https://` in `api_url`.",
    anybody: |says, hint| Remark::new("router that does not have to prove what it is", says, hint),
};

/// Returns what is risky in how a router is reached.
fn risks(router: &config::RouterOs) -> Vec<Remark> {
    let mut remarks = Vec::from_iter(http::risks(&router.api_url, &router.tls, &RISKS));
    if router.api_timeout <= ROUTER_GIVES_UP {
        remarks.push(Remark::new(
            "time limit no longer than the router's own",
            format!(
                "a command is given up after {} s, and the router itself takes up to 60 s for one",
                router.api_timeout.as_secs()
            ),
            "Set `api_timeout` above 60 s, or leave it out: what is given up may be done all the same, and disturbs others who ask.",
        ));
    }
    remarks
}

fn simulated(
    id: &BackendId,
    (user, password, rights): (&str, &Secret, Rights),
    world: &World,
) -> Result<Server, BackendError> {
    let failed = |reason: String, hints: Vec<String>| BackendError {
        backend: id.clone(),
        attempt: "open the simulated router".to_owned(),
        reason,
        hints,
    };
    let host = SimulatedRouter::open(&world.directory, id, world)
        .map_err(|SimulatorError { reason, hints }| failed(reason, hints))?;
    let policies = match rights {
        Rights::All => &ALL_POLICIES[..],
        Rights::ToRead => &POLICIES_TO_READ,
    };
    host.set_user(user, password, policies);
    Server::start(host, world, Options::default()).map_err(|error| {
        failed(error.to_string(), vec!["see whether this host has a loopback".to_owned()])
    })
}

impl Read for RouterOs {
    fn id(&self) -> &BackendId {
        &self.id
    }

    fn read<'a>(&'a self, interest: &'a Interest) -> Answer<'a, Result<Picture, BackendError>> {
        Box::pin(async move {
            let client = self.client().await?;
            let menus = self.menus(client, interest).await?;
            self.refuse_old(menus.system.version)?;
            self.picture_of(client, menus)
        })
    }

    fn examine(&self) -> Answer<'_, Result<Examination, BackendError>> {
        Box::pin(async move {
            let interest = Interest { interface_lists: true, ..Interest::default() };
            let client = self.client().await?;
            let menus = self.menus(client, &interest).await?;
            let facts = picture::facts(&menus);
            Ok(Examination { picture: self.picture_of(client, menus)?, facts })
        })
    }
}

impl Write for RouterOs {
    fn write<'a>(&'a self, batch: Batch, stop: Stop, landed: Landed<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            match self.client().await {
                Ok(client) => {
                    let router = (client, self.simulated.is_some());
                    write::carry_out(router, batch, stop, landed).await;
                }
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
    use crate::backend::routeros::{ROUTER_GIVES_UP, risks};
    use crate::config::{Password, RouterOs, Tls};
    use crate::value::Secret;

    fn said_of(api_url: &str) -> Vec<&'static str> {
        let remarks = risks(&RouterOs {
            api_url: api_url.to_owned(),
            api_user: "wgform".to_owned(),
            api_password: Password::Given(Secret::new("")),
            api_timeout: ROUTER_GIVES_UP * 2,
            tls: Tls { api_verify_tls: true, ca_file: None, tls_pin_sha256: None },
            concurrency: RouterOs::CONCURRENCY,
            debug: false,
        });
        remarks.into_iter().map(|it| it.summary).collect()
    }

    #[test]
    fn what_is_sent_by_tls_or_to_this_host_is_read_by_nobody() {
        for url in
            ["https://192.168.88.1", "http://127.0.0.1:80/rest", "http://[::1]", "http://localhost"]
        {
            assert!(said_of(url).is_empty(), "{url}");
        }
        for url in ["http://192.168.88.1", "http://router.lan/rest", "http://[fd00::1]:80"] {
            assert_eq!(said_of(url), ["password that is sent in the clear"], "{url}");
        }
    }
}
