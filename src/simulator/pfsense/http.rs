//! The firewall's web server on a loopback socket. It runs several requests at a time, and none of them waits for another.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use tokio::time::sleep;

use crate::simulator::http::{Ending, Handler, Running, read_body};
use crate::simulator::pfsense::SimulatedFirewall;
use crate::simulator::pfsense::fault::Fault;
use crate::simulator::pfsense::request::Request;
use crate::world::World;

/// The header that names a fault for its request.
pub const FAULT_HEADER: &str = "x-simulate-fault";

/// How the server behaves.
pub struct Options {
    /// Where it listens; port 0 for any that is free.
    pub listen: SocketAddr,
    /// Certificates and their private key, both in DER, to speak TLS; none for plain HTTP.
    pub tls: Option<(Vec<Vec<u8>>, Vec<u8>)>,
    /// How long each request is on its way.
    pub latency: Duration,
    /// How many connections there may be; those beyond are reset.
    pub max_sessions: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            latency: Duration::ZERO,
            max_sessions: 100,
        }
    }
}

/// A server that runs until this value is dropped.
pub struct Server(Running);

impl Server {
    /// Starts to serve a firewall. The clock is the world's.
    ///
    /// # Errors
    /// When nothing can listen there, or the certificate cannot be used.
    pub fn start(firewall: SimulatedFirewall, world: &World, options: Options) -> io::Result<Self> {
        let Options { listen, tls, latency, max_sessions } = options;
        let service = Service { firewall, world: world.clone(), latency, max_sessions };
        Ok(Self(Running::start("firewall", listen, tls.as_ref(), Arc::new(service))?))
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Takes connections and closes each one at once, as during a reboot; or serves again.
    pub fn set_available(&self, is_available: bool) {
        self.0.set_available(is_available);
    }
}

struct Service {
    firewall: SimulatedFirewall,
    world: World,
    latency: Duration,
    max_sessions: usize,
}

impl Handler for Service {
    fn max_sessions(&self) -> usize {
        self.max_sessions
    }

    async fn handle(self: Arc<Self>, incoming: hyper::Request<Incoming>) -> Ending {
        let header = |name: &str| {
            let value = incoming.headers().get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        let fault = header(FAULT_HEADER);
        let mut request = Request {
            method: incoming.method().to_string(),
            path: incoming.uri().path().to_owned(),
            query: incoming.uri().query().unwrap_or_default().to_owned(),
            authorization: header(AUTHORIZATION.as_str()),
            api_key: header("x-api-key"),
            content_type: header(CONTENT_TYPE.as_str()),
            accept: header(ACCEPT.as_str()),
            prefer: header("prefer"),
            body: Vec::new(),
        };
        let Some(body) = read_body(incoming.into_body()).await else { return Ending::Close };
        request.body = body;
        let faults = self.firewall.strike(&request, fault.as_deref());
        let late = |fault: &Fault| match fault {
            Fault::Latency(milliseconds) => Duration::from_millis(*milliseconds),
            _ => Duration::ZERO,
        };
        wait(self.latency + faults.iter().map(late).sum::<Duration>()).await;
        self.answer(&request, &faults).await
    }
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

impl Service {
    async fn answer(&self, request: &Request, faults: &[Fault]) -> Ending {
        for fault in faults {
            match fault {
                Fault::Reset => return Ending::Reset,
                Fault::Close => return Ending::Close,
                Fault::Meanwhile(others) => {
                    for other in others {
                        if self.firewall.by_hand(other, self.world.now()).is_err() {
                            return Ending::Close;
                        }
                    }
                }
                _ => {}
            }
            if let Some(reply) = fault.instead() {
                return Ending::Reply(reply);
            }
        }
        let begun = self.firewall.begin();
        let slow = |fault: &Fault| match fault {
            Fault::Slow(milliseconds) => Duration::from_millis(*milliseconds),
            _ => Duration::ZERO,
        };
        wait(faults.iter().map(slow).sum()).await;
        let is_locked = faults.contains(&Fault::Locked);
        // What cannot be kept did not happen, as far as a client can know.
        let now = self.world.now();
        let Ok(reply) = self.firewall.finish(begun, request, is_locked, now) else {
            return Ending::Close;
        };
        let reply = faults.iter().fold(reply, |reply, fault| fault.spoil(reply));
        match faults {
            _ if faults.contains(&Fault::LoseAnswer) => Ending::Reset,
            _ if faults.contains(&Fault::Truncate) => Ending::Cut(reply),
            _ => Ending::Reply(reply),
        }
    }
}
