//! Google Cloud Storage, as far as a state needs it: objects with generations, in memory.
//!
//! No emulator that can be installed honours the generations of the XML interface: `fake-gcs-server` has no such interface
//! for writes, and `gcp-storage-emulator` takes every write and does not say which it has. What is here follows Google's
//! reference: 412 when `x-goog-if-generation-match` names another generation, 0 for an object that is not there.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::store_contract::servers::BUCKET;

/// The access token that is believed.
pub const TOKEN: &str = "ya29.right";

#[derive(Default)]
struct World {
    generation: u64,
    objects: BTreeMap<String, Object>,
}

struct Object {
    generation: u64,
    bytes: Bytes,
    metadata: Vec<(String, String)>,
}

/// Starts it on a thread of its own, which ends with the process. Returns the port. When it is not strict, it takes every
/// write.
pub fn start(is_strict: bool) -> u16 {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            send.send(listener.local_addr().unwrap().port()).unwrap();
            let world = Arc::new(Mutex::new(World::default()));
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let world = Arc::clone(&world);
                tokio::spawn(async move {
                    let service =
                        service_fn(move |request| answer(Arc::clone(&world), request, is_strict));
                    let io = TokioIo::new(stream);
                    let _ = http1::Builder::new().serve_connection(io, service).await;
                });
            }
        });
    });
    receive.recv().unwrap()
}

async fn answer(
    world: Arc<Mutex<World>>,
    request: Request<Incoming>,
    is_strict: bool,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.map(|it| it.to_bytes()).unwrap_or_default();
    let header = |name: &str| parts.headers.get(name).and_then(|it| it.to_str().ok());
    if header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return Ok(error(401, "AuthenticationRequired", "Authentication required."));
    }
    let path = percent_decoded(parts.uri.path());
    let Some(rest) = path.strip_prefix(&format!("/{BUCKET}")) else {
        return Ok(error(404, "NoSuchBucket", "The specified bucket does not exist."));
    };
    let mut world = world.lock().unwrap();
    let key = rest.trim_start_matches('/').to_owned();
    if key.is_empty() {
        return Ok(list(&world, parts.uri.query().unwrap_or_default()));
    }
    let there = world.objects.get(&key).map_or(0, |it| it.generation);
    if is_strict && header("x-goog-if-generation-match").is_some_and(|it| it != there.to_string()) {
        return Ok(error(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions did not hold.",
        ));
    }
    if parts.method == Method::PUT {
        world.generation += 1;
        let metadata =
            parts.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-goog-meta-"));
        let metadata = metadata
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let object = Object { generation: world.generation, bytes, metadata };
        world.objects.insert(key.clone(), object);
    }
    let Some(object) = world.objects.get(&key) else {
        return Ok(error(404, "NoSuchKey", "The specified key does not exist."));
    };
    let mut response = Response::builder()
        .header("x-goog-generation", object.generation)
        .header("etag", format!("\"{}\"", object.generation))
        .header("last-modified", "Mon, 27 Jul 2009 12:28:53 GMT");
    for (name, value) in &object.metadata {
        response = response.header(name, value);
    }
    let body = match parts.method {
        Method::PUT => Bytes::new(),
        Method::DELETE => {
            world.objects.remove(&key);
            return Ok(Response::builder().status(204).body(Full::default()).unwrap());
        }
        _ => object.bytes.clone(),
    };
    if parts.method == Method::HEAD {
        response = response.header("content-length", body.len());
        return Ok(response.body(Full::default()).unwrap());
    }
    Ok(response.body(Full::new(body)).unwrap())
}

fn list(world: &World, query: &str) -> Response<Full<Bytes>> {
    let option = query.split('&').find_map(|it| it.strip_prefix("prefix="));
    let prefix = percent_decoded(option.unwrap_or_default());
    let contents: String = world
        .objects
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix))
        .map(|(key, object)| {
            format!(
                "<Contents><Key>{key}</Key><Size>{}</Size><LastModified>2009-07-27T12:28:53.000Z</LastModified><ETag>\"{}\"</ETag></Contents>",
                object.bytes.len(),
                object.generation
            )
        })
        .collect();
    let text = format!("<ListBucketResult><Name>{BUCKET}</Name>{contents}</ListBucketResult>");
    Response::new(Full::new(Bytes::from(text)))
}

fn error(status: u16, code: &str, message: &str) -> Response<Full<Bytes>> {
    let text = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Response::builder().status(status).body(Full::new(Bytes::from(text))).unwrap()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' && after.len() >= 2 {
            let digits = std::str::from_utf8(&after[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}
