//! A server for tests that gives one answer after the other, and remembers what it was asked.
//!
//! What it answers was recorded on the package's own code where there is a number. That the client asks the right thing
//! is for the test to say, of the whole log.

#![expect(clippy::disallowed_types, reason = "it listens on the loopback")]

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::backend::pfsense::client::{Client, Credentials, Pace, Settings, Trace, Trust};
use crate::resource::BackendId;
use crate::value::Secret;

pub(super) const KEY: &str = "0123456789abcdef0123456789abcdef";
/// The key of `tun_wg0`, and of three peers.
pub(super) const PRIVATE: &str = "YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
pub(super) const P0: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
pub(super) const P1: &str = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";
pub(super) const P2: &str = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
pub(super) const PRESHARED: &str = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";

/// One answer.
#[derive(Clone)]
pub(super) enum Say {
    /// This status, more headers, and this body.
    Answer(u16, &'static str, String),
    /// Nothing, and the connection ends.
    Nothing,
    /// Nothing, for longer than anybody waits.
    Silence,
}

/// Answers well.
pub(super) fn ok(data: Json) -> Say {
    let body =
        json!({"code": 200, "status": "ok", "response_id": "SUCCESS", "message": "", "data": data});
    Say::Answer(200, "", body.to_string())
}

/// Refuses.
pub(super) fn no(status: u16, id: &str) -> Say {
    let body = json!({"code": status, "status": "x", "response_id": id, "message": "Not like this.", "data": []});
    Say::Answer(status, "", body.to_string())
}

#[derive(Deserialize)]
struct Recorded {
    status: u16,
    answer: Json,
}

/// Answers what was recorded under that number.
pub(super) fn recorded(number: &str) -> Say {
    let all = include_str!("../../../testdata/pfsense-answers/recorded.json");
    let all: BTreeMap<String, Recorded> = serde_json::from_str(all).unwrap();
    let Recorded { status, answer } = &all[number];
    let body = match answer {
        Json::String(page) => page.clone(),
        answer => answer.to_string(),
    };
    Say::Answer(*status, "", body)
}

/// A peer as the package gives it.
pub(super) fn peer(id: u32, key: &str, descr: &str, last: u8) -> Json {
    json!({
        "id": id, "enabled": true, "tun": "tun_wg0", "endpoint": null, "port": null, "descr": descr,
        "persistentkeepalive": null, "publickey": key,
        "allowedips": [{"parent_id": id, "id": 0, "address": format!("10.66.0.{last}"), "mask": 32, "descr": ""}],
    })
}

/// A tunnel as the package gives it.
pub(super) fn tunnel(id: u32, name: &str, addresses: Json) -> Json {
    json!({
        "id": id, "name": name, "enabled": true, "descr": "hub", "listenport": (51_820 + id).to_string(),
        "publickey": "Y2FD6uTgrq+/bbBAXCNOtE+PGk8Papoh7qaWBpQUXn0=", "mtu": 1420, "addresses": addresses,
    })
}

/// Another object with these values in it.
pub(super) fn with(object: &Json, values: Json) -> Json {
    let mut object = object.clone();
    for (name, value) in values.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

/// A firewall that says what it is told to say.
pub(super) struct Script {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Asked>>>,
    answers: Arc<Mutex<VecDeque<Say>>>,
}

/// One request.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) line: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Script {
    pub(super) fn new(answers: impl IntoIterator<Item = Say>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let script = Self {
            address: listener.local_addr().unwrap(),
            log: Arc::default(),
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
        };
        let (log, answers) = (Arc::clone(&script.log), Arc::clone(&script.answers));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, answers) = (Arc::clone(&log), Arc::clone(&answers));
                thread::spawn(move || converse(stream, &log, &answers));
            }
        });
        script
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            backend: BackendId::new("fw1"),
            api_url: format!("http://{}", self.address),
            credentials: Credentials::Key(Secret::new(KEY)),
            trust: Trust::System,
            api_timeout: Duration::from_secs(20),
            trace: Trace::default(),
            pace: Pace {
                retries: [Duration::ZERO; 3],
                after_timeout: Duration::ZERO,
                poll: Duration::ZERO,
                polls: 3,
            },
        }
    }

    pub(super) fn client(&self) -> Client {
        Client::new(self.settings()).unwrap()
    }

    pub(super) fn log(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    /// Returns what was asked, a line each, and that nothing more was expected.
    pub(super) fn asked(&self) -> String {
        let left = self.answers.lock().unwrap().len();
        let mut lines: Vec<_> = self
            .log()
            .into_iter()
            .map(|Asked { line, body, .. }| format!("{line} {body}").trim_end().to_owned())
            .collect();
        if left > 0 {
            lines.push(format!("({left} answers are left)"));
        }
        lines.join("\n")
    }
}

fn converse(stream: TcpStream, log: &Mutex<Vec<Asked>>, answers: &Mutex<VecDeque<Say>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(asked) = request(&mut reader) {
        log.lock().unwrap().push(asked);
        let next = answers.lock().unwrap().pop_front();
        match next.unwrap_or_else(|| no(400, "NOTHING_LEFT_IN_THE_SCRIPT")) {
            Say::Answer(status, headers, body) => {
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
                );
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
            Say::Nothing => return,
            Say::Silence => thread::sleep(Duration::from_secs(60)),
        }
    }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |it| it.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = line.trim().trim_end_matches(" HTTP/1.1").replacen("/api/v2/", "", 1);
    Some(Asked { line, headers, body: String::from_utf8(body).unwrap() })
}
