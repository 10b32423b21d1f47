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
use std::path::Path;

use crate::actual::{Examination, Picture};
use crate::backend::routeros::client::{Client, Pace, Settings, Trace, Trust};
use crate::backend::routeros::menus::{Menus, Wanted};
use crate::backend::{Answer, BackendError, Batch, Interest, Landed, Read, Stop, Write};
use crate::config;
use crate::resource::BackendId;
use crate::simulator::SimulatorError;
use crate::simulator::routeros::http::{Options, Server};
use crate::simulator::routeros::{ALL_POLICIES, SimulatedRouter};
use crate::world::World;

/// A router.
pub struct RouterOs {
    id: BackendId,
    client: Client,
    /// What answers in the place of a router.
    simulated: Option<Server>,
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
        simulate: bool,
        world: &World,
        trace: &Trace,
    ) -> Result<Self, BackendError> {
        let trust = if simulate { Trust::Anybody } else { trust(&id, &router, world)? };
        let simulated = simulate.then(|| simulated(&id, &router, world)).transpose()?;
        let api_url = match &simulated {
            Some(server) => format!("http://{}", server.address()),
            None => router.api_url.clone(),
        };
        let settings = Settings {
            backend: id.clone(),
            api_url,
            api_user: router.api_user,
            api_password: router.api_password,
            trust,
            api_timeout: router.api_timeout,
            concurrency: NonZeroUsize::from(router.concurrency),
            trace: if router.debug { trace.clone().of(&id) } else { Trace::default() },
            pace: Pace::default(),
        };
        Ok(Self { client: Client::new(settings)?, id, simulated, world: world.clone() })
    }

    async fn menus(&self, interest: &Interest) -> Result<Menus, BackendError> {
        let wanted = Wanted {
            identity: true,
            addresses: true,
            routes: interest.routes,
            members: interest.interface_lists,
            others: true,
        };
        Menus::read(&self.client, wanted).await.map_err(|failure| failure.error)
    }

    fn picture_of(&self, menus: Menus) -> Result<Picture, BackendError> {
        picture::picture(menus, self.simulated.is_some(), self.world.now())
            .map_err(|reason| self.client.unreadable("read the WireGuard interfaces", reason).error)
    }
}

/// Returns whom to believe to be the router.
fn trust(id: &BackendId, router: &config::RouterOs, world: &World) -> Result<Trust, BackendError> {
    if let Some(pin) = router.tls_pin_sha256.as_deref().and_then(Trust::pinned) {
        return Ok(pin);
    }
    match (router.api_verify_tls, &router.ca_file) {
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

#[expect(clippy::disallowed_methods, reason = "`ca_file` is read when its router is asked")]
fn certificates(path: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
}

fn simulated(
    id: &BackendId,
    router: &config::RouterOs,
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
    host.set_user(&router.api_user, &router.api_password, &ALL_POLICIES);
    Server::start(host, world, Options::default()).map_err(|error| {
        failed(error.to_string(), vec!["see whether this host has a loopback".to_owned()])
    })
}

impl Read for RouterOs {
    fn id(&self) -> &BackendId {
        &self.id
    }

    fn read<'a>(&'a self, interest: &'a Interest) -> Answer<'a, Result<Picture, BackendError>> {
        Box::pin(async move { self.picture_of(self.menus(interest).await?) })
    }

    fn examine(&self) -> Answer<'_, Result<Examination, BackendError>> {
        Box::pin(async move {
            let interest = Interest { interface_lists: true, ..Interest::default() };
            let menus = self.menus(&interest).await?;
            let facts = picture::facts(&menus);
            Ok(Examination { picture: self.picture_of(menus)?, facts })
        })
    }
}

impl Write for RouterOs {
    fn write<'a>(&'a self, batch: Batch, stop: Stop, landed: Landed<'a>) -> Answer<'a, ()> {
        Box::pin(write::carry_out(&self.client, batch, stop, landed))
    }
}
