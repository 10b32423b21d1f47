//! Servers to keep a state in: started for a test on this machine, and ended with it.
//!
//! PostgreSQL is the system's. The others are what `.ci/stores` installs in `target/testbeds`, or in the directory that
//! `WGFORM_TESTBEDS` names.

use std::env;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use tempfile::TempDir;

/// The account of Azurite, and its key: both are in its documentation.
pub const AZURE_ACCOUNT: &str = "devstoreaccount1";
pub const AZURE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The password of PostgreSQL: a word that nothing else is called by, so that it is found where it is shown.
pub const POSTGRES_PASSWORD: &str = "right-3e9c41";

/// The bucket, container or database of every test.
pub const BUCKET: &str = "states";

/// Moto looks at a condition and writes in two steps, with other requests between them: S3 does not.
const MOTO: &str = r#"
import sys, threading
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

moto, turn = DomainDispatcherApplication(create_backend_app), threading.Lock()

def one_at_a_time(environ, start_response):
    with turn:
        return list(moto(environ, start_response))

run_simple("127.0.0.1", int(sys.argv[1]), one_at_a_time, threaded=True)
"#;

/// A server that ends with this value.
pub struct Server {
    pub port: u16,
    child: Child,
    _directory: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn start(mut command: Command, port: u16, directory: TempDir) -> Self {
        let log = fs::File::create(directory.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = || fs::read_to_string(directory.path().join("log")).unwrap_or_default();
            if let Some(status) = child.try_wait().unwrap() {
                panic!("{command:?} has ended: {status}\n{}", said());
            }
            assert!(began.elapsed() < Duration::from_secs(90), "{command:?} is silent\n{}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { port, child, _directory: directory }
    }
}

/// Returns a port that was free this instant.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Says why a test does not run. Under CI there is no such reason.
pub fn skipped(test: &str, why: &str) {
    let must_run = env::var_os("REAL").is_some() || env::var("CI").is_ok_and(|it| it == "true");
    assert!(!must_run, "{test} has to run here, but {why}");
    let mut stderr = std::io::stderr();
    writeln!(stderr, "skipped {test}: {why}").unwrap();
}

/// Finds a program of the test beds. The error says how to get it.
pub fn program(name: &str) -> Result<PathBuf, String> {
    let beds = env::var_os("WGFORM_TESTBEDS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/testbeds"),
        PathBuf::from,
    );
    let places = ["venv/bin", "node_modules/.bin"];
    places
        .iter()
        .map(|it| beds.join(it).join(name))
        .find(|it| it.exists())
        .ok_or_else(|| format!("`{name}` is not in `{}`; `.ci/stores` installs it", beds.display()))
}

/// A server of S3 that honours conditions. With `is_strict` it knows nobody after the first request.
pub fn moto(is_strict: bool) -> Result<Server, String> {
    let (port, directory) = (free_port(), TempDir::new().unwrap());
    let mut command = Command::new(program("moto_server")?.with_file_name("python3"));
    command.args(["-c", MOTO, &port.to_string()]);
    command.env_remove("AWS_PROFILE");
    if is_strict {
        command.env("INITIAL_NO_AUTH_ACTION_COUNT", "1");
    }
    let server = Server::start(command, port, directory);
    let answer = http(port, "PUT", &format!("/{BUCKET}"), &[]);
    assert!(answer.contains(" 200 "), "{answer}");
    Ok(server)
}

/// A server of S3 that does not look at conditions.
pub fn s3rver() -> Result<Server, String> {
    let (port, directory) = (free_port(), TempDir::new().unwrap());
    let mut command = Command::new(program("s3rver")?);
    command.args(["--address", "127.0.0.1", "-p", &port.to_string(), "--configure-bucket", BUCKET]);
    command.arg("-d").arg(directory.path());
    Ok(Server::start(command, port, directory))
}

/// Microsoft's own emulator.
pub fn azurite() -> Result<Server, String> {
    let (port, directory) = (free_port(), TempDir::new().unwrap());
    let mut command = Command::new(program("azurite-blob")?);
    command.args([
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        &port.to_string(),
        "--disableTelemetry",
    ]);
    command.args(["--silent", "--skipApiVersionCheck", "--location"]).arg(directory.path());
    let server = Server::start(command, port, directory);
    make_container(port);
    Ok(server)
}

/// Makes the container, with the signature that the service wants.
fn make_container(port: u16) {
    let (date, version) = ("Mon, 27 Jul 2009 12:28:53 GMT", "2021-08-06");
    let now = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let path = format!("/{AZURE_ACCOUNT}/{BUCKET}");
    let to_sign = format!(
        "PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{now}\nx-ms-version:{version}\n/{AZURE_ACCOUNT}{path}\nrestype:container"
    );
    let key = BASE64_STANDARD.decode(AZURE_KEY).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(to_sign.as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    assert!(now.len() == date.len(), "{now}");
    let headers = [
        format!("x-ms-date: {now}"),
        format!("x-ms-version: {version}"),
        format!("Authorization: SharedKey {AZURE_ACCOUNT}:{signature}"),
    ];
    let answer = http(port, "PUT", &format!("{path}?restype=container"), &headers);
    assert!(answer.contains(" 201 "), "{answer}");
}

/// A PostgreSQL whose user is `wgform` with [`POSTGRES_PASSWORD`].
pub fn postgres() -> Result<Server, String> {
    let bin = postgres_bin()?;
    let (port, directory) = (free_port(), TempDir::new().unwrap());
    let data = directory.path().join("data");
    let password = directory.path().join("password");
    fs::write(&password, POSTGRES_PASSWORD).unwrap();
    // The server does not run as root.
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        run(Command::new("chown").args(["-R", "postgres"]).arg(directory.path()));
    }
    let command = |name: &str| {
        let mut command = match is_root {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
                command.arg(bin.join(name));
                command
            }
            false => Command::new(bin.join(name)),
        };
        command.current_dir(directory.path()).env("LC_ALL", "C");
        command
    };
    let mut init = command("initdb");
    init.args([
        "--no-sync",
        "--auth=scram-sha-256",
        "--username=wgform",
        "--encoding=UTF8",
        "--pwfile",
    ]);
    run(init.arg(&password).arg(&data));
    let mut start = command("postgres");
    start.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    // Nobody else's socket is in the way, and what is lost with the machine is lost with the test.
    start.args(["-c", "unix_socket_directories=", "-c", "fsync=off"]);
    let server = Server::start(start, port, directory);
    let port = port.to_string();
    // It listens before it lets anybody in.
    let is_ready = || {
        Command::new(bin.join("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &port]).status()
    };
    let began = Instant::now();
    while !is_ready().unwrap().success() {
        assert!(began.elapsed() < Duration::from_secs(60), "the database does not begin");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(server)
}

/// Finds the programs of PostgreSQL, which Debian keeps out of the way.
fn postgres_bin() -> Result<PathBuf, String> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places: Vec<PathBuf> = versions.map(|it| it.path().join("bin")).collect();
    places.sort();
    places.reverse();
    places.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let is_whole =
        |it: &Path| ["initdb", "postgres", "pg_isready"].iter().all(|name| it.join(name).exists());
    let found = places.into_iter().find(|it| is_whole(it));
    found.ok_or_else(|| "`initdb` is not installed; it is in the package `postgresql`".to_owned())
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// Asks a server of this machine something small, and returns the whole answer.
fn http(port: u16, method: &str, path: &str, headers: &[String]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let headers: String = headers.iter().map(|it| format!("{it}\r\n")).collect();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
