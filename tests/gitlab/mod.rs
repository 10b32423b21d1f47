//! A server that keeps states as GitLab does for a project: strict with lock ids and serials, and unwell when told so.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(unreachable_pub, reason = "each test binary has this as a module of its own")]
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::disallowed_types, reason = "this server is on loopback")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use md5::{Digest as _, Md5};
use serde_json::{Value as Json, json};

pub const USER: &str = "ci";
pub const TOKEN: &str = "glpat-7Hk3xW9vQm2";

/// How a request goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// 500, and nothing is done.
    Unwell,
    /// Nothing is done, and nothing answered.
    Hangs,
    /// It is done, and the connection closed in the middle of the answer.
    Breaks,
    /// The connection is closed at once.
    Gone,
    /// It is done, and answered, only then.
    Late(Duration),
}

/// The states of one server.
#[derive(Default)]
pub struct Kept {
    /// By the name of the state: every version by its serial.
    pub versions: BTreeMap<String, BTreeMap<u64, Vec<u8>>>,
    /// By the name of the state.
    pub locks: BTreeMap<String, Json>,
    /// `GET`, `POST`, `LOCK`, `UNLOCK` in their order.
    pub asked: Vec<String>,
    /// What was refused that a careful client does not do.
    pub offences: Vec<String>,
    /// The number of the request that goes wrong, and whether all later ones do.
    pub trouble: Option<(usize, bool, Trouble)>,
    /// Once so many versions are kept, every request is answered with 500.
    pub dies_with: Option<usize>,
    /// With the write that makes so many versions, the server dies before it answers.
    pub dies_in: Option<usize>,
    /// After so many versions, somebody writes another one without the lock.
    pub overtaken_after: Option<usize>,
    /// A lock is given once more to the one who has it.
    pub gives_again: bool,
    /// It says that there is a lock, and not whose.
    pub is_mute: bool,
    /// Nobody may lock.
    pub is_read_only: bool,
    /// It keeps any bytes, and one version of them, as a small server does that is not GitLab.
    pub is_plain: bool,
}

/// The server, until this value goes.
pub struct GitLab {
    pub address: String,
    kept: Arc<Mutex<Kept>>,
}

impl GitLab {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let shared = Arc::clone(&kept);
        // The thread ends with the test program.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&shared);
                thread::spawn(move || while serve(&stream, &kept) {});
            }
        });
        Self { address, kept }
    }

    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    /// The block that a configuration names this server with.
    pub fn block(&self, state: &str) -> String {
        let address = format!("{}/api/v4/projects/7/terraform/state/{state}", self.address);
        format!(
            "wgform {{\n  state \"http\" {{\n    address = \"{address}\"\n    lock_address = \"{address}/lock\"\n    \
             lock_method = \"POST\"\n    unlock_method = \"DELETE\"\n    username = \"{USER}\"\n    \
             password = var.token\n    retry_wait_min = \"1s\"\n  }}\n}}\n\
             variable \"token\" {{\n  sensitive = true\n  default = \"{TOKEN}\"\n}}\n"
        )
    }

    /// From the request of this number on, counted from now, something goes wrong.
    pub fn trouble(&self, at: usize, for_good: bool, what: Trouble) {
        let mut kept = self.kept();
        let at = kept.asked.len() + at;
        kept.trouble = Some((at, for_good, what));
    }

    /// After so many more writes, every request is answered with 500.
    pub fn die_after(&self, writes: usize) {
        let mut kept = self.kept();
        let count: usize = kept.versions.values().map(BTreeMap::len).sum();
        kept.dies_with = Some(count + writes);
    }

    pub fn heal(&self) {
        let mut kept = self.kept();
        kept.trouble = None;
        kept.dies_with = None;
        kept.dies_in = None;
    }

    pub fn serials(&self, state: &str) -> Vec<u64> {
        self.kept().versions.get(state).map(|it| it.keys().copied().collect()).unwrap_or_default()
    }

    pub fn document(&self, state: &str) -> Json {
        let kept = self.kept();
        let (_, bytes) = kept.versions[state].last_key_value().unwrap();
        serde_json::from_slice(bytes).unwrap()
    }
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path: path.to_owned(), query: query.to_owned(), headers, body })
}

fn serve(stream: &TcpStream, kept: &Mutex<Kept>) -> bool {
    let Some(request) = read(stream) else { return false };
    let trouble = {
        let mut kept = kept.lock().unwrap();
        let number = kept.asked.len();
        kept.asked.push(format!("{} {}", request.method, request.path));
        match kept.trouble {
            Some((at, false, what)) if at == number => Some(what),
            Some((at, true, what)) if number >= at => Some(what),
            _ => {
                let count: usize = kept.versions.values().map(BTreeMap::len).sum();
                kept.dies_with.filter(|at| count >= *at).map(|_| Trouble::Unwell)
            }
        }
    };
    let (status, body) = match trouble {
        Some(Trouble::Gone) => return false,
        Some(Trouble::Hangs) => {
            thread::sleep(Duration::from_secs(20));
            return false;
        }
        Some(Trouble::Unwell) => (500, b"out of sorts".to_vec()),
        Some(Trouble::Breaks) => {
            let (_, body) = answer(&request, &mut kept.lock().unwrap());
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len() + 9);
            _ = (&*stream).write_all(head.as_bytes());
            return false;
        }
        Some(Trouble::Late(time)) => {
            thread::sleep(time);
            answer(&request, &mut kept.lock().unwrap())
        }
        None => answer(&request, &mut kept.lock().unwrap()),
    };
    let head = format!("HTTP/1.1 {status} Told\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut whole = head.into_bytes();
    if status != 204 {
        whole.extend(body);
    }
    (&*stream).write_all(&whole).is_ok()
}

fn answer(request: &Request, kept: &mut Kept) -> (u16, Vec<u8>) {
    let Request { method, path, query, headers, body } = request;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{TOKEN}"));
    if headers.get("authorization") != Some(&format!("Basic {basic}")) {
        return (401, b"{\"message\":\"401 Unauthorized\"}".to_vec());
    }
    let Some(name) = path.strip_prefix("/api/v4/projects/7/terraform/state/") else {
        return (404, Vec::new());
    };
    if !body.is_empty() {
        let digest = base64::engine::general_purpose::STANDARD.encode(Md5::digest(body));
        if headers.get("content-md5") != Some(&digest) {
            return (400, b"wrong Content-MD5".to_vec());
        }
    }
    match (method.as_str(), name.strip_suffix("/lock")) {
        ("GET", None) => match kept.versions.get(name).and_then(|it| it.last_key_value()) {
            Some((_, bytes)) => (200, bytes.clone()),
            None => (204, Vec::new()),
        },
        ("POST", None) => write(name, query, body, kept),
        ("POST", Some(_)) if kept.is_read_only => {
            (403, b"{\"message\":\"403 Forbidden\"}".to_vec())
        }
        ("POST", Some(name)) => {
            let wanted: Json = serde_json::from_slice(body).unwrap_or_default();
            for field in ["ID", "Operation", "Info", "Who", "Version", "Created", "Path"] {
                if !wanted[field].is_string() {
                    return (400, format!("{field} is missing").into_bytes());
                }
            }
            match kept.locks.get(name) {
                Some(held) if kept.gives_again && held["ID"] == wanted["ID"] => (200, Vec::new()),
                Some(_) if kept.is_mute => (423, Vec::new()),
                Some(held) => (409, held.to_string().into_bytes()),
                None => {
                    kept.locks.insert(name.to_owned(), wanted);
                    (200, Vec::new())
                }
            }
        }
        ("DELETE", Some(name)) => {
            let wanted: Json = serde_json::from_slice(body).unwrap_or_default();
            match kept.locks.get(name) {
                Some(held) if held["ID"] != wanted["ID"] => (409, held.to_string().into_bytes()),
                _ => {
                    kept.locks.remove(name);
                    (200, Vec::new())
                }
            }
        }
        _ => (405, Vec::new()),
    }
}

fn write(name: &str, query: &str, body: &[u8], kept: &mut Kept) -> (u16, Vec<u8>) {
    let id = query.strip_prefix("ID=").unwrap_or_default();
    let held = kept.locks.get(name).cloned().unwrap_or(json!({ "ID": "" }));
    if held["ID"] != id {
        return (409, held.to_string().into_bytes());
    }
    if kept.is_plain {
        kept.versions.insert(name.to_owned(), BTreeMap::from([(1, body.to_vec())]));
        return (200, Vec::new());
    }
    let Ok(document) = serde_json::from_slice::<Json>(body) else {
        return (400, b"no JSON".to_vec());
    };
    let (Some(serial), Some(_), Some(_)) =
        (document["serial"].as_u64(), document["version"].as_u64(), document["lineage"].as_str())
    else {
        return (400, b"no serial, version or lineage".to_vec());
    };
    let versions = kept.versions.entry(name.to_owned()).or_default();
    let newest = versions.last_key_value().map_or(0, |(serial, _)| *serial);
    if versions.contains_key(&serial) {
        kept.offences.push(format!("serial {serial} twice"));
        return (422, b"Version has already been taken".to_vec());
    }
    if newest > 0 && serial != newest + 1 {
        kept.offences.push(format!("serial {serial} after {newest}"));
    }
    versions.insert(serial, body.to_vec());
    let count = versions.len();
    if kept.overtaken_after == Some(count) {
        let mut theirs = document;
        theirs["serial"] = (serial + 1).into();
        versions.insert(serial + 1, theirs.to_string().into_bytes());
    }
    if kept.dies_in == Some(count) {
        kept.dies_with = Some(count);
        return (500, Vec::new());
    }
    (200, Vec::new())
}
