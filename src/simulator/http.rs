//! A web server on a loopback socket, for every simulated device that has one: connections, TLS, and the ways in which an
//! answer can go astray. What is answered is the device's own business.
//!
//! It runs on a thread of its own, so that whoever plans does not keep it from answering.

#![expect(clippy::disallowed_types, reason = "a simulator listens on the loopback")]

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use http_body_util::{BodyExt, Limited, combinators::BoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// What a request may be long.
const LONGEST_BODY: usize = 16 << 20;

/// What a device answers.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers but those of the transport.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// How a request ends.
pub(super) enum Ending {
    Reply(Reply),
    /// The body is cut in half.
    Cut(Reply),
    Close,
    Reset,
}

/// Answers requests.
pub(super) trait Handler: Send + Sync + 'static {
    /// How many connections there may be; those beyond are reset.
    fn max_sessions(&self) -> usize;

    /// Answers one.
    fn handle(
        self: Arc<Self>,
        incoming: hyper::Request<Incoming>,
    ) -> impl Future<Output = Ending> + Send;
}

/// A server that runs until this value is dropped.
pub(super) struct Running {
    address: SocketAddr,
    is_available: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts to serve on a thread of that name. With a certificate and its private key, both in DER, it speaks TLS.
    pub(super) fn start<H: Handler>(
        name: &str,
        listen: SocketAddr,
        tls: Option<&(Vec<Vec<u8>>, Vec<u8>)>,
        handler: Arc<H>,
    ) -> io::Result<Self> {
        let acceptor = tls.map(acceptor).transpose()?;
        let listener = std::net::TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let is_available = Arc::new(AtomicBool::new(true));
        let server = Arc::new(Server {
            handler,
            is_available: Arc::clone(&is_available),
            sessions: AtomicUsize::new(0),
        });
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, acceptor, server) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { address, is_available, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes connections and closes each one at once.
    pub(super) fn set_available(&self, is_available: bool) {
        self.is_available.store(is_available, Ordering::SeqCst);
    }
}

impl Drop for Running {
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

/// Reads what came with a request; none when it is too long, or its end never came.
pub(super) async fn read_body(body: Incoming) -> Option<Vec<u8>> {
    let body = Limited::new(body, LONGEST_BODY).collect().await.ok()?;
    Some(body.to_bytes().to_vec())
}

fn acceptor((chain, key): &(Vec<Vec<u8>>, Vec<u8>)) -> io::Result<TlsAcceptor> {
    let chain = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let key = PrivateKeyDer::try_from(key.clone()).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS12, &TLS13])
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept<H: Handler>(
    listener: std::net::TcpListener,
    acceptor: Option<TlsAcceptor>,
    server: Arc<Server<H>>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        // A connection that ended before it was taken is no reason to stop.
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (acceptor, server) = (acceptor.clone(), Arc::clone(&server));
        tokio::spawn(async move {
            if server.is_available.load(Ordering::SeqCst) {
                server.connection(stream, acceptor).await;
            }
        });
    }
}

struct Server<H> {
    handler: Arc<H>,
    is_available: Arc<AtomicBool>,
    sessions: AtomicUsize,
}

/// The handling of a request ends in one of these ways for hyper, which closes the connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends here")]
struct Ended;

type Body = BoxBody<Bytes, Ended>;

impl<H: Handler> Server<H> {
    async fn connection(&self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let Ok(socket) = stream.as_fd().try_clone_to_owned() else { return };
        let sessions = self.sessions.fetch_add(1, Ordering::SeqCst);
        let is_reset = Arc::new(AtomicBool::new(sessions >= self.handler.max_sessions()));
        if !is_reset.load(Ordering::SeqCst) {
            // An answer shall not wait for the one before it to be acknowledged.
            let _ = stream.set_nodelay(true);
            match acceptor {
                None => self.serve(stream, &is_reset).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        self.serve(stream, &is_reset).await;
                    }
                }
            }
        }
        self.sessions.fetch_sub(1, Ordering::SeqCst);
        if is_reset.load(Ordering::SeqCst) {
            reset(socket);
        }
    }

    async fn serve<S>(&self, stream: S, is_reset: &Arc<AtomicBool>)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|incoming| {
            let (handler, is_reset) = (Arc::clone(&self.handler), Arc::clone(is_reset));
            async move {
                match handler.handle(incoming).await {
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
}

fn response(reply: Reply, is_cut: bool) -> hyper::Response<Body> {
    let Reply { status, headers, body } = reply;
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
            let end = async {
                // What has come so far is sent before the connection ends.
                tokio::task::yield_now().await;
                Err(Ended)
            };
            let parts = stream::iter([half]).chain(stream::once(end));
            BodyExt::boxed(http_body_util::StreamBody::new(parts))
        }
    };
    response.body(body).unwrap_or_default()
}

fn never(never: Infallible) -> Ended {
    match never {}
}

/// Ends a connection so that its client sees a reset.
fn reset(socket: OwnedFd) {
    // A socket that is gone already needs no reset.
    let _ = rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
}
