//! The router's web server on a loopback socket: HTTP/1.1, one command of a user at a time, and what goes wrong on
//! the way.
//!
//! It runs on a thread of its own, so that whoever plans does not keep it from answering.

#![expect(clippy::disallowed_types, reason = "a simulator listens on the loopback")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::{BodyExt, Limited, combinators::BoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS12;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use crate::simulator::certificate::Certificate;
use crate::simulator::routeros::SimulatedRouter;
use crate::simulator::routeros::fault::Fault;
use crate::simulator::routeros::request::{Refused, Reply, Request};
use crate::world::World;

/// The header that names a fault for its request.
pub const FAULT_HEADER: &str = "x-simulate-fault";

/// What a request may be long.
const LONGEST_BODY: usize = 16 << 20;

/// How the server behaves.
pub struct Options {
    /// Where it listens; port 0 for any that is free.
    pub listen: SocketAddr,
    /// How TLS 1.2 is spoken; none for plain HTTP.
    pub tls: Option<Tls>,
    /// How long each request is on its way.
    pub latency: Duration,
    /// How long a command may take.
    pub command_limit: Duration,
    /// For how long a request that its client gave up on leaves damage.
    pub damage: Duration,
    /// How many connections there may be; those beyond are reset.
    pub max_sessions: usize,
}

/// What a service that speaks TLS was given.
pub enum Tls {
    /// A certificate.
    With(Certificate),
    /// `certificate=none`: it then offers only ways to talk that no client takes which cares whom it talks to.
    Without,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            latency: Duration::ZERO,
            command_limit: Duration::from_secs(60),
            damage: Duration::from_millis(2400),
            max_sessions: 20,
        }
    }
}

/// A server that runs until this value is dropped.
pub struct Server {
    address: SocketAddr,
    is_available: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts to serve a router. The clock is the world's.
    ///
    /// # Errors
    /// When nothing can listen there, or the certificate cannot be used.
    pub fn start(router: SimulatedRouter, world: &World, options: Options) -> io::Result<Self> {
        let speaks = match &options.tls {
            None => Speaks::Plainly,
            Some(Tls::With(certificate)) => Speaks::Tls(acceptor(certificate)?),
            Some(Tls::Without) => Speaks::Nothing,
        };
        let listener = std::net::TcpListener::bind(options.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let is_available = Arc::new(AtomicBool::new(true));
        let service = Arc::new(Service {
            router,
            world: world.clone(),
            options,
            is_available: Arc::clone(&is_available),
            sessions: AtomicUsize::new(0),
            gates: Mutex::default(),
            damage: Mutex::default(),
        });
        let thread = std::thread::Builder::new().name("router".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, speaks, service) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { address, is_available, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes connections and closes each one at once, as a service does that is not available from an address.
    pub fn set_available(&self, is_available: bool) {
        self.is_available.store(is_available, Ordering::SeqCst);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How a connection is spoken on.
#[derive(Clone)]
enum Speaks {
    Plainly,
    Tls(TlsAcceptor),
    /// There is no agreement with any client.
    Nothing,
}

/// The fatal alert `handshake_failure` of TLS 1.2.
const NO_AGREEMENT: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

fn acceptor(Certificate { der, key }: &Certificate) -> io::Result<TlsAcceptor> {
    let chain = vec![CertificateDer::from(der.clone())];
    let key = PrivateKeyDer::try_from(key.to_vec()).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS12])
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: std::net::TcpListener, speaks: Speaks, service: Arc<Service>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        // A connection that ended before it was taken is no reason to stop.
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (speaks, service) = (speaks.clone(), Arc::clone(&service));
        tokio::spawn(async move {
            if service.is_available.load(Ordering::SeqCst) {
                service.connection(stream, speaks).await;
            }
        });
    }
}

struct Service {
    router: SimulatedRouter,
    world: World,
    options: Options,
    is_available: Arc<AtomicBool>,
    sessions: AtomicUsize,
    /// By user.
    gates: Mutex<HashMap<Option<String>, Arc<Gate>>>,
    damage: Mutex<Damage>,
}

/// Lets one command of a user through at a time, in the order in which they came.
#[derive(Default)]
struct Gate {
    turn: tokio::sync::Mutex<()>,
    /// How often a command went beyond its time, and took those behind it along.
    closed: AtomicU64,
}

/// What a request leaves behind that its client gave up on.
#[derive(Default)]
struct Damage {
    until: Option<Instant>,
    /// Another request was answered since.
    is_open: bool,
    /// The answer that nobody took, and that somebody else will get.
    astray: Option<Reply>,
}

/// How a request ends.
enum Ending {
    Reply(Reply),
    /// The body is cut in half.
    Cut(Reply),
    Close,
    Reset,
}

/// The handling of a request ends in one of these ways for hyper, which closes the connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends here")]
struct Ended;

type Body = BoxBody<Bytes, Ended>;

impl Service {
    async fn connection(self: Arc<Self>, stream: TcpStream, speaks: Speaks) {
        let Ok(socket) = stream.as_fd().try_clone_to_owned() else { return };
        let sessions = self.sessions.fetch_add(1, Ordering::SeqCst);
        let is_reset = Arc::new(AtomicBool::new(sessions >= self.options.max_sessions));
        if !is_reset.load(Ordering::SeqCst) {
            // An answer shall not wait for the one before it to be acknowledged.
            let _ = stream.set_nodelay(true);
            match speaks {
                Speaks::Plainly => self.serve(stream, &is_reset).await,
                Speaks::Tls(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        self.serve(stream, &is_reset).await;
                    }
                }
                Speaks::Nothing => refuse(&stream).await,
            }
        }
        self.sessions.fetch_sub(1, Ordering::SeqCst);
        if is_reset.load(Ordering::SeqCst) {
            reset(socket);
        }
    }

    async fn serve<S>(self: &Arc<Self>, stream: S, is_reset: &Arc<AtomicBool>)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|incoming| {
            let (service, is_reset) = (Arc::clone(self), Arc::clone(is_reset));
            async move {
                match service.handle(incoming).await {
                    Ending::Reply(reply) => Ok(response(reply, false)),
                    Ending::Cut(reply) => Ok(response(reply, true)),
                    Ending::Close => Err(Ended),
                    Ending::Reset => {
                        is_reset.store(true, Ordering::SeqCst);
                        Err(Ended)
                    }
                }
            }
        });
        // How a connection ends is the client's business.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn handle(self: &Arc<Self>, incoming: hyper::Request<Incoming>) -> Ending {
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
            content_type: header(CONTENT_TYPE.as_str()),
            body: Vec::new(),
        };
        let Ok(body) = Limited::new(incoming.into_body(), LONGEST_BODY).collect().await else {
            return Ending::Close;
        };
        request.body = body.to_bytes().to_vec();
        let faults = self.router.strike(&request, fault.as_deref());
        let late = |fault: &Fault| match fault {
            Fault::Latency(milliseconds) => Duration::from_millis(*milliseconds),
            _ => Duration::ZERO,
        };
        let latency = self.options.latency + faults.iter().map(late).sum::<Duration>();
        if !latency.is_zero() {
            sleep(latency).await;
        }
        self.answer(request, faults).await
    }

    async fn answer(self: &Arc<Self>, request: Request, faults: Vec<Fault>) -> Ending {
        let damaged = self.take_damage();
        // Giving up does not cancel a command: it runs on its own.
        let mut watch = Watch { service: Arc::clone(self), is_done: false };
        let service = Arc::clone(self);
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            let ending = service.command(&request, &faults).await;
            if let Err(Ending::Reply(reply)) = answer.send(ending) {
                service.damage().astray = Some(reply);
            }
        });
        let ending = answered.await.unwrap_or(Ending::Close);
        watch.is_done = true;
        match damaged {
            Some(ending) => ending,
            None => {
                self.damage().is_open = true;
                ending
            }
        }
    }

    /// Carries out a request in its user's turn.
    async fn command(&self, request: &Request, faults: &[Fault]) -> Ending {
        let gate = self.gate(request.authorization.clone());
        let closed = gate.closed.load(Ordering::SeqCst);
        let _turn = gate.turn.lock().await;
        if gate.closed.load(Ordering::SeqCst) != closed {
            return Ending::Reply(Refused::session_closed().into());
        }
        for fault in faults {
            match fault {
                Fault::Reset => return Ending::Reset,
                Fault::Close => return Ending::Close,
                Fault::Meanwhile { menu, properties }
                    if self.router.make(menu, properties).is_err() =>
                {
                    return Ending::Close;
                }
                Fault::Stall { applied } => {
                    if *applied && self.router.answer(request, self.world.now()).is_err() {
                        return Ending::Close;
                    }
                    return self.give_up(&gate).await;
                }
                _ => {}
            }
            if let Some(reply) = fault.instead() {
                return Ending::Reply(reply);
            }
        }
        // What cannot be kept did not happen, as far as a client can know.
        let Ok(reply) = self.router.answer(request, self.world.now()) else {
            return Ending::Close;
        };
        let slow = |fault: &Fault| match fault {
            Fault::RowLatency(micros) => Duration::from_micros(*micros),
            _ => Duration::ZERO,
        };
        let slow = faults.iter().map(slow).sum::<Duration>();
        let slow = slow.saturating_mul(u32::try_from(reply.rows).unwrap_or(u32::MAX));
        if slow >= self.options.command_limit {
            return self.give_up(&gate).await;
        }
        if !slow.is_zero() {
            // In its user's turn: the router is busy with it, and not the way to it.
            sleep(slow).await;
        }
        let reply = faults.iter().fold(reply, |reply, fault| fault.spoil(request, reply));
        match faults {
            _ if faults.contains(&Fault::LoseAnswer) => Ending::Reset,
            _ if faults.contains(&Fault::Truncate) => Ending::Cut(reply),
            _ => Ending::Reply(reply),
        }
    }

    /// Works on a command for as long as a router does, and closes the session with all that waits in it.
    async fn give_up(&self, gate: &Gate) -> Ending {
        sleep(self.options.command_limit).await;
        gate.closed.fetch_add(1, Ordering::SeqCst);
        Ending::Reply(Refused::session_closed().into())
    }

    fn gate(&self, user: Option<String>) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(user).or_default())
    }

    fn damage(&self) -> MutexGuard<'_, Damage> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what happens to a request that comes after one was given up: the first gets an answer that is not its
    /// own, the others none.
    fn take_damage(&self) -> Option<Ending> {
        let mut damage = self.damage();
        if damage.until.is_some_and(|until| until <= Instant::now()) {
            *damage = Damage::default();
        }
        let is_damaged = damage.until.is_some() && damage.is_open;
        is_damaged.then(|| damage.astray.take().map_or(Ending::Reset, Ending::Reply))
    }
}

/// Notices that a client has gone before it was answered.
struct Watch {
    service: Arc<Service>,
    is_done: bool,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.is_done {
            let until = Some(Instant::now() + self.service.options.damage);
            *self.service.damage() = Damage { until, ..Damage::default() };
        }
    }
}

fn response(reply: Reply, is_cut: bool) -> hyper::Response<Body> {
    let Reply { status, headers, body, rows: _ } = reply;
    let whole = body.len();
    let mut response = hyper::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    if is_cut {
        response = response.header("content-length", whole.to_string());
    }
    let body = match is_cut {
        false => http_body_util::Full::new(Bytes::from(body)).map_err(never).boxed(),
        true => {
            let half = Ok(Frame::data(Bytes::copy_from_slice(&body[..whole / 2])));
            let parts = futures_util::stream::iter([half, Err(Ended)]);
            BodyExt::boxed(http_body_util::StreamBody::new(parts))
        }
    };
    response.body(body).unwrap_or_default()
}

fn never(never: Infallible) -> Ended {
    match never {}
}

/// Hears what a client has to say first, and tells it that there is no agreement.
async fn refuse(stream: &TcpStream) {
    let mut hello = [0; 4096];
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut hello) {
            Ok(1..) => {
                // Seven bytes find room, and how a connection ends is the client's business.
                let _ = stream.try_write(&NO_AGREEMENT);
                return;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return,
        }
    }
}

/// Ends a connection so that its client sees a reset.
fn reset(socket: OwnedFd) {
    // A socket that is gone already needs no reset.
    let _ = rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
}
