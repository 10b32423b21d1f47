//! The stores on real servers: every promise of `tests/store_contract`, and what each store does on its own.
#![cfg(all(feature = "object_store", feature = "postgres"))]
#![expect(clippy::disallowed_methods, reason = "these tests start processes and end them")]
#![expect(clippy::disallowed_types, reason = "servers of these tests are on loopback")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod gitlab;
mod harness;
mod store_contract;

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gitlab::GitLab;
use harness::{Project, Ran};
use store_contract::servers::{
    self, AZURE_ACCOUNT, AZURE_KEY, BUCKET, POSTGRES_PASSWORD, Server, skipped,
};
use store_contract::{google, holds, holds_under_the_lock, info, is_refused, is_unreachable};
use uuid::Uuid;
use wgform::store::remote::http::{HttpStore, Settings};
use wgform::store::remote::object::{ObjectSettings, Objects, Service};
use wgform::store::remote::postgres::{Database, PostgresSettings};
use wgform::store::remote::{Arguments, Remote, RemoteError};
use wgform::tls::Trust;
use wgform::value::Secret;

#[tokio::test]
async fn s3_keeps_every_promise() {
    let Some(server) = started("s3_keeps_every_promise", servers::moto(false)) else { return };
    holds(&|name| Box::new(objects(Service::S3, server.port, name))).await;
}

#[tokio::test]
async fn azure_keeps_every_promise() {
    let Some(server) = started("azure_keeps_every_promise", servers::azurite()) else { return };
    holds(&|name| Box::new(objects(Service::Azure, server.port, name))).await;
}

#[tokio::test]
async fn google_keeps_every_promise() {
    let port = google::start(true);
    holds(&|name| Box::new(objects(Service::Gcs, port, name))).await;
}

#[tokio::test]
async fn postgres_keeps_every_promise() {
    let Some(server) = started("postgres_keeps_every_promise", servers::postgres()) else { return };
    holds(&|name| Box::new(database(server.port, name))).await;
}

#[tokio::test]
async fn http_keeps_the_promises_of_its_protocol() {
    let server = GitLab::start();
    server.kept().is_plain = true;
    holds_under_the_lock(&|name| Box::new(behind_http(&server, name))).await;
}

/// A server that gives a lock once more to the one who has it gives it also to the one from whom it was taken away: there
/// such a holder finds out only when somebody else has it.
#[tokio::test]
async fn behind_a_server_that_gives_a_lock_again_a_lock_that_was_removed_is_taken_again() {
    let server = GitLab::start();
    server.kept().is_plain = true;
    server.kept().gives_again = true;
    let (store, other) = (behind_http(&server, "a"), behind_http(&server, "a"));
    store.lock(&info("mine")).await.unwrap();
    other.force_unlock("mine").await.unwrap();
    store.renew(&info("mine")).await.unwrap();
    other.force_unlock("mine").await.unwrap();
    other.lock(&info("other")).await.unwrap();
    let lost = store.renew(&info("mine")).await;
    assert!(matches!(lost, Err(RemoteError::LockLost)), "{lost:?}");
}

/// Two who write at once without a lock both believe that they have won: the protocol has nothing against it, and that is
/// why `-lock=false` is no way to work.
#[tokio::test]
async fn http_does_not_keep_two_apart_that_go_without_its_lock() {
    let server = GitLab::start();
    server.kept().is_plain = true;
    let (one, two) = (behind_http(&server, "a"), behind_http(&server, "a"));
    let mut both = 0;
    for round in 0..50 {
        let over = one.read().await.unwrap().map(|it| it.version);
        let texts = [format!("one {round}"), format!("two {round}")];
        let (first, second) = tokio::join!(
            one.write(texts[0].as_bytes(), 1, over.as_ref(), None),
            two.write(texts[1].as_bytes(), 1, over.as_ref(), None),
        );
        both += usize::from(first.is_ok() && second.is_ok());
    }
    assert!(both > 0, "the exception is none any more: let http join the others");
}

#[test]
fn a_project_lives_in_s3() {
    let Some(server) = started("a_project_lives_in_s3", servers::moto(false)) else { return };
    a_project_lives_in(&format!(
        "state \"s3\" {{\n bucket = \"{BUCKET}\"\n key = \"a/b.json\"\n endpoint = \"http://127.0.0.1:{}\"\n \
         access_key = \"{SECRET}-id\"\n secret_key = \"{SECRET}\"\n}}",
        server.port
    ));
}

#[test]
fn a_project_lives_in_azure() {
    let Some(server) = started("a_project_lives_in_azure", servers::azurite()) else { return };
    a_project_lives_in(&format!(
        "state \"azure\" {{\n account = \"{AZURE_ACCOUNT}\"\n container = \"{BUCKET}\"\n \
         endpoint = \"http://127.0.0.1:{}/{AZURE_ACCOUNT}\"\n access_key = \"{AZURE_KEY}\"\n}}",
        server.port
    ));
}

#[test]
fn a_project_lives_in_google() {
    a_project_lives_in(&format!(
        "state \"gcs\" {{\n bucket = \"{BUCKET}\"\n endpoint = \"http://127.0.0.1:{}\"\n \
         access_token = \"{}\"\n}}",
        google::start(true),
        google::TOKEN
    ));
}

#[test]
fn a_project_lives_in_postgres() {
    let Some(server) = started("a_project_lives_in_postgres", servers::postgres()) else { return };
    a_project_lives_in(&format!(
        "state \"postgres\" {{\n conn_str = \"postgres://wgform:{POSTGRES_PASSWORD}@127.0.0.1:{}/postgres\"\n}}",
        server.port
    ));
}

/// A secret that a server believes, and nobody shall see.
const SECRET: &str = "hunter2-hunter2";

/// Lets the real program keep its state in a store.
fn a_project_lives_in(state: &str) {
    let hub = "backend \"local\" \"hq\" {\n  simulate = true\n}\n\
        interface \"hub\" {\n  name = \"wg0\"\n  listen_port = 51820\n}\n\
        peer \"laptop\" {\n  interface = interface.hub\n  public_key = wg_public_key(base64sha256(\"1\"))\n  \
         allowed_ips = [\"10.8.0.2/32\"]\n}\n";
    let text = format!("wgform {{\n{state}\n}}\n{hub}");
    let (project, other) = (Project::new(&text), Project::new(&text));
    let run = |project: &Project, arguments: &str| -> Ran {
        let ran = project.run(arguments);
        let shown = ran.to_string();
        let secrets = [SECRET, AZURE_KEY, google::TOKEN, POSTGRES_PASSWORD];
        assert!(!secrets.iter().any(|it| shown.contains(it)), "a secret is shown: {ran}");
        ran
    };
    run(&project, "plan").ends(0).says("2 to add");
    run(&project, "apply -auto-approve").ends(0);
    run(&project, "plan -detailed-exitcode").ends(0).says("No changes");
    run(&other, "state list").ends(0).says("interface.hub\npeer.laptop");
    run(&other, "lock show").ends(0).says("The state is not locked.");
    let elsewhere = project.command("state list").env("WGFORM_WORKSPACE", "b").output().unwrap();
    Ran::of("state list", elsewhere).says_no("peer.laptop");
    let history = run(&project, "state history").ends(0).stdout;
    let serials: Vec<_> = history.lines().map(|it| it.split_whitespace().next().unwrap()).collect();
    assert_eq!(serials, ["2", "1"], "{history}");
    run(&project, "destroy -auto-approve").ends(0);
    run(&other, "state restore 2").ends(0);
    run(&other, "state list").ends(0).says("peer.laptop");
}

#[cfg(feature = "age")]
#[tokio::test]
async fn an_old_copy_in_an_object_is_noticed_by_who_has_never_seen_the_state() {
    let port = google::start(true);
    let store = objects(Service::Gcs, port, "state");
    let moved = moved_on(&format!(
        "state \"gcs\" {{\n bucket = \"{BUCKET}\"\n key = \"office/state.json\"\n \
         endpoint = \"http://127.0.0.1:{port}\"\n access_token = \"{}\"\n}}",
        google::TOKEN
    ));
    // As its services let anybody do it who may write: without a word to wgform.
    let kept = store.history().await.unwrap().unwrap();
    let old = kept.iter().find(|it| it.serial == moved.old).unwrap();
    let old = store.past(&old.version).await.unwrap().unwrap();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        stream,
        "PUT /{BUCKET}/office/state.json HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        google::TOKEN,
        old.len()
    )
    .unwrap();
    stream.write_all(&old).unwrap();
    std::io::read_to_string(stream).unwrap();
    assert!(store.read().await.unwrap().is_some_and(|it| it.bytes == old));
    moved.is_refused_and_can_be_written_anew();
}

#[cfg(feature = "age")]
#[tokio::test]
async fn an_old_row_is_noticed_by_who_has_never_seen_the_state() {
    let test = "an_old_row_is_noticed_by_who_has_never_seen_the_state";
    let Some(server) = started(test, servers::postgres()) else { return };
    let moved = moved_on(&format!(
        "state \"postgres\" {{\n conn_str = \"postgres://wgform:{POSTGRES_PASSWORD}@127.0.0.1:{}/postgres\"\n}}",
        server.port
    ));
    let back = format!(
        "UPDATE wgform.states SET version = \
         (SELECT version FROM wgform.states_history WHERE serial = {})",
        moved.old
    );
    sql(&server, &back).await;
    moved.is_refused_and_can_be_written_anew();
}

/// A sealed state that somebody has gone on with.
#[cfg(feature = "age")]
struct MovedOn {
    key: String,
    text: String,
    /// The serial that it had before.
    old: u64,
    newest: u64,
}

#[cfg(feature = "age")]
fn moved_on(state: &str) -> MovedOn {
    use age::secrecy::ExposeSecret as _;

    let identity = age::x25519::Identity::generate();
    let text = format!(
        "wgform {{\n{state}\n encryption {{\n age_recipients = [\"{}\"]\n }}\n}}\n{}",
        identity.to_public(),
        "backend \"local\" \"hq\" {\n simulate = true\n}\ninterface \"hub\" {\n name = \"wg0\"\n}\n"
    );
    let key = identity.to_string().expose_secret().to_owned();
    let mut moved = MovedOn { key, text, old: 0, newest: 0 };
    let project = Project::new(&moved.text);
    moved.run(&project, "apply -auto-approve").ends(0);
    moved.old = moved.serial(&project);
    moved.run(&project, "state mv interface.hub interface.hq").ends(0);
    moved.run(&project, "state mv interface.hq interface.hub").ends(0);
    moved.newest = moved.serial(&project);
    moved
}

#[cfg(feature = "age")]
impl MovedOn {
    fn run(&self, project: &Project, arguments: &str) -> Ran {
        let key = ("WGFORM_AGE_IDENTITY", self.key.as_str());
        Ran::of(arguments, project.command(arguments).envs([key]).output().unwrap())
    }

    fn serial(&self, project: &Project) -> u64 {
        let pulled = self.run(project, "state pull").ends(0).stdout.clone();
        let state: serde_json::Value = serde_json::from_str(&pulled).unwrap();
        state["serial"].as_u64().unwrap()
    }

    fn is_refused_and_can_be_written_anew(&self) {
        let project = Project::new(&self.text);
        for command in ["plan", "apply -auto-approve", "state list"] {
            let ran = self.run(&project, command).ends(1).tells("is an old copy");
            ran.tells(&format!("it has serial {}", self.old))
                .tells(&format!("the store keeps serial {} of it", self.newest));
        }
        let pulled = self.run(&project, "state pull").ends(0);
        project.add("old.json", &pulled.stdout);
        self.run(&project, "state push -force old.json").ends(0);
        assert_eq!(self.serial(&project), self.newest + 1);
        self.run(&project, "state list").ends(0).says("interface.hub");
        self.run(&Project::new(&self.text), "state list").ends(0).says("interface.hub");
    }
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_refused() {
    let test = "a_store_that_ignores_conditions_is_refused";
    let Some(server) = started(test, servers::s3rver()) else { return };
    // The only user that it knows.
    let settings = ObjectSettings {
        secret: Some(Secret::new("S3RVER")),
        ..object_settings(Service::S3, server.port, "state")
    };
    let store = Objects::new(&settings).unwrap();
    for outcome in [
        store.lock(&info("x")).await,
        store.write(b"x", 1, None, None).await.map(|_| ()),
        // It is not forgotten.
        store.lock(&info("x")).await,
    ] {
        assert!(matches!(outcome, Err(RemoteError::Unconditional)), "{outcome:?}");
    }
    assert!(store.read().await.unwrap().is_none());
    assert!(store.holder().await.unwrap().is_none());
}

#[tokio::test]
async fn a_store_of_google_that_ignores_conditions_is_refused() {
    let store = objects(Service::Gcs, google::start(false), "state");
    let outcome = store.lock(&info("x")).await;
    assert!(matches!(outcome, Err(RemoteError::Unconditional)), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_unreachable() {
    let port = servers::free_port();
    for service in [Service::S3, Service::Azure, Service::Gcs] {
        is_unreachable(&objects(service, port, "state")).await;
    }
    is_unreachable(&database(port, "state")).await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_said_to_be_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let settings = ObjectSettings {
        timeout: Duration::from_secs(1),
        ..object_settings(Service::S3, port, "state")
    };
    is_unreachable(&Objects::new(&settings).unwrap()).await;
    let settings = PostgresSettings {
        connect_timeout: Duration::from_secs(1),
        ..postgres_settings(port, "state")
    };
    is_unreachable(&Database::new(&settings).unwrap()).await;
}

#[tokio::test]
async fn wrong_credentials_of_s3_are_refused() {
    let test = "wrong_credentials_of_s3_are_refused";
    let Some(server) = started(test, servers::moto(true)) else { return };
    is_refused(&objects(Service::S3, server.port, "state"), "right-secret").await;
}

#[tokio::test]
async fn wrong_credentials_of_azure_are_refused() {
    let test = "wrong_credentials_of_azure_are_refused";
    let Some(server) = started(test, servers::azurite()) else { return };
    let wrong = AZURE_KEY.replace("Eby8", "Abcd");
    let settings = ObjectSettings {
        secret: Some(Secret::new(&wrong)),
        ..object_settings(Service::Azure, server.port, "state")
    };
    is_refused(&Objects::new(&settings).unwrap(), &wrong).await;
}

#[tokio::test]
async fn wrong_credentials_of_google_are_refused() {
    let settings = ObjectSettings {
        token: Some(Secret::new("ya29.wrong")),
        ..object_settings(Service::Gcs, google::start(true), "state")
    };
    is_refused(&Objects::new(&settings).unwrap(), "ya29.wrong").await;
}

#[tokio::test]
async fn wrong_credentials_of_postgres_are_refused() {
    let test = "wrong_credentials_of_postgres_are_refused";
    let Some(server) = started(test, servers::postgres()) else { return };
    let conn_str = format!("postgres://wgform:wrong-password@127.0.0.1:{}/postgres", server.port);
    let settings = PostgresSettings {
        conn_str: Some(Secret::new(conn_str)),
        host: None,
        port: None,
        user: None,
        password: None,
        database: None,
        ..postgres_settings(server.port, "state")
    };
    is_refused(&Database::new(&settings).unwrap(), "wrong-password").await;
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_said_to_be_missing() {
    let test = "a_bucket_that_is_not_there_is_said_to_be_missing";
    let (Some(moto), Some(azurite)) =
        (started(test, servers::moto(false)), started(test, servers::azurite()))
    else {
        return;
    };
    let ports = [
        (Service::S3, moto.port),
        (Service::Azure, azurite.port),
        (Service::Gcs, google::start(true)),
    ];
    for (service, port) in ports {
        let settings = ObjectSettings {
            bucket: "nowhere".to_owned(),
            ..object_settings(service, port, "state")
        };
        let store = Objects::new(&settings).unwrap();
        for outcome in [
            store.read().await.map(|_| ()),
            store.lock(&info("x")).await,
            store.history().await.map(|_| ()),
        ] {
            let Err(RemoteError::Refused(text)) = &outcome else {
                panic!("{service:?}: {outcome:?}")
            };
            assert!(text.contains("is not there"), "{text}");
        }
    }
}

#[tokio::test]
async fn the_lock_of_a_holder_that_is_killed_stays_as_it_is_in_an_object() {
    let test = "the_lock_of_a_holder_that_is_killed_stays_as_it_is_in_an_object";
    let Some(server) = started(test, servers::moto(false)) else { return };
    kill(holder_elsewhere("s3", server.port));
    let store = objects(Service::S3, server.port, "killed");
    let held = store.holder().await.unwrap().unwrap();
    assert_eq!(held.info, Some(info("elsewhere")));
    assert_eq!(store.holder().await.unwrap(), Some(held));
    let refused = store.lock(&info("mine")).await;
    assert!(matches!(refused, Err(RemoteError::Locked(_))), "{refused:?}");
    store.force_unlock("elsewhere").await.unwrap();
    store.lock(&info("mine")).await.unwrap();
}

#[tokio::test]
async fn the_lock_of_a_holder_that_is_killed_is_freed_by_postgres() {
    let test = "the_lock_of_a_holder_that_is_killed_is_freed_by_postgres";
    let Some(server) = started(test, servers::postgres()) else { return };
    let store = database(server.port, "killed");
    let holder = holder_elsewhere("postgres", server.port);
    let refused = store.lock(&info("mine")).await;
    let Err(RemoteError::Locked(held)) = refused else { panic!("{refused:?}") };
    assert_eq!((held.info, held.beat), (Some(info("elsewhere")), None));
    kill(holder);
    for _ in 0..100 {
        match store.lock(&info("mine")).await {
            Ok(()) => return store.unlock(&info("mine")).await.unwrap(),
            Err(RemoteError::Locked(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("the lock was not freed");
}

/// Is started as another process by the tests above: takes the lock, says so, and stays.
#[tokio::test]
async fn holds_the_lock_for_another_test() {
    let Ok(order) = env::var("STORE_CONTRACT_HOLD") else { return };
    let (kind, port) = order.split_once(' ').unwrap();
    let port = port.parse().unwrap();
    let store: Box<dyn Remote> = match kind {
        "s3" => Box::new(objects(Service::S3, port, "killed")),
        _ => Box::new(database(port, "killed")),
    };
    store.lock(&info("elsewhere")).await.unwrap();
    let mut stderr = std::io::stderr();
    writeln!(stderr, "held").unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
}

fn holder_elsewhere(kind: &str, port: u16) -> Child {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "holds_the_lock_for_another_test", "--nocapture"])
        .env("STORE_CONTRACT_HOLD", format!("{kind} {port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "held"), "it did not get the lock");
    child
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_session_of_postgres_that_breaks_gets_its_lock_again() {
    let test = "a_session_of_postgres_that_breaks_gets_its_lock_again";
    let Some(server) = started(test, servers::postgres()) else { return };
    let (store, mine) = (database(server.port, "broken"), info("mine"));
    store.lock(&mine).await.unwrap();
    let over = store.write(b"before", 1, None, Some(&mine)).await.unwrap();
    end_all_sessions(&server).await;
    store.renew(&mine).await.unwrap();
    assert_eq!(store.holder().await.unwrap().unwrap().info, Some(mine.clone()));
    end_all_sessions(&server).await;
    store.write(b"after", 2, Some(&over), Some(&mine)).await.unwrap();

    // Somebody else has had it in between, and may have changed anything.
    end_all_sessions(&server).await;
    let other = database(server.port, "broken");
    other.lock(&info("other")).await.unwrap();
    other.unlock(&info("other")).await.unwrap();
    let lost = store.renew(&mine).await;
    assert!(matches!(lost, Err(RemoteError::LockLost)), "{lost:?}");
    let lost = store.write(b"lost", 3, None, Some(&mine)).await;
    assert!(matches!(lost, Err(RemoteError::LockLost)), "{lost:?}");
}

#[tokio::test]
async fn a_lock_of_postgres_is_renewed_beside_a_long_write() {
    let test = "a_lock_of_postgres_is_renewed_beside_a_long_write";
    let Some(server) = started(test, servers::postgres()) else { return };
    let (store, mine) = (database(server.port, "long"), info("mine"));
    store.lock(&mine).await.unwrap();
    let over = store.write(b"before", 1, None, Some(&mine)).await.unwrap();
    let hold = "BEGIN; LOCK TABLE wgform.states; SELECT pg_sleep(6); COMMIT";
    let (_, written, renewed) = tokio::join!(
        sql(&server, hold),
        async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            store.write(b"after", 2, Some(&over), Some(&mine)).await
        },
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            tokio::time::timeout(Duration::from_secs(4), store.renew(&mine)).await
        },
    );
    renewed.expect("it waits for the write").unwrap();
    written.unwrap();
    store.unlock(&mine).await.unwrap();
    let late = store.renew(&mine).await;
    assert!(matches!(late, Err(RemoteError::LockLost)), "{late:?}");
}

#[tokio::test]
async fn eight_first_users_of_a_database_make_its_tables_together() {
    let test = "eight_first_users_of_a_database_make_its_tables_together";
    let Some(server) = started(test, servers::postgres()) else { return };
    let stores: Vec<_> = (0..8).map(|it| database(server.port, &format!("{it}"))).collect();
    // A reader makes nothing.
    assert!(stores[0].read().await.unwrap().is_none());
    let writes = stores.iter().map(|it| it.write(b"x", 1, None, None));
    for outcome in futures_util::future::join_all(writes).await {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn a_user_who_may_only_read_reads_what_is_there() {
    let test = "a_user_who_may_only_read_reads_what_is_there";
    let Some(server) = started(test, servers::postgres()) else { return };
    let store = database(server.port, "state");
    store.write(b"x", 1, None, None).await.unwrap();
    sql(
        &server,
        &format!(
            "CREATE USER reader PASSWORD '{POSTGRES_PASSWORD}'; GRANT USAGE ON SCHEMA wgform TO reader;
             GRANT SELECT ON ALL TABLES IN SCHEMA wgform TO reader"
        ),
    )
    .await;
    let settings = PostgresSettings {
        user: Some("reader".to_owned()),
        ..postgres_settings(server.port, "state")
    };
    let reader = Database::new(&settings).unwrap();
    assert_eq!(reader.read().await.unwrap().unwrap().bytes, b"x");
    assert!(reader.holder().await.unwrap().is_none());
    let refused = reader.lock(&info("x")).await;
    let Err(RemoteError::Refused(text)) = refused else { panic!("{refused:?}") };
    assert_eq!(text, "permission denied for table states_lock");
    // What was half taken was given back, as soon as the server has seen that its session is over.
    for _ in 0..100 {
        match store.lock(&info("y")).await {
            Err(RemoteError::Locked(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            taken => return taken.unwrap(),
        }
    }
    panic!("the lock is still held");
}

async fn end_all_sessions(server: &Server) {
    sql(server, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'wgform'").await;
}

async fn sql(server: &Server, text: &str) {
    let target = format!(
        "host=127.0.0.1 port={} user=wgform password={POSTGRES_PASSWORD} dbname=postgres",
        server.port
    );
    let (client, connection) =
        tokio_postgres::connect(&target, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(text).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}

fn started(test: &str, server: Result<Server, String>) -> Option<Server> {
    server.map_err(|why| skipped(test, &why)).ok()
}

fn behind_http(server: &GitLab, name: &str) -> HttpStore {
    let address = format!("{}/api/v4/projects/7/terraform/state/{name}", server.address);
    let text = |name: &str, text: &str| (name.to_owned(), Secret::new(text));
    let arguments = Arguments {
        texts: BTreeMap::from([
            text("address", &address),
            text("lock_address", &format!("{address}/lock")),
            text("lock_method", "POST"),
            text("unlock_method", "DELETE"),
            text("username", gitlab::USER),
            text("password", gitlab::TOKEN),
        ]),
        workspace: "default".to_owned(),
        run: new_run(),
        ..Arguments::default()
    };
    HttpStore::open(Settings::new(&arguments).unwrap()).unwrap()
}

fn objects(service: Service, port: u16, name: &str) -> Objects {
    Objects::new(&object_settings(service, port, name)).unwrap()
}

fn object_settings(service: Service, port: u16, name: &str) -> ObjectSettings {
    let url = format!("http://127.0.0.1:{port}");
    let secret = |text: &str| Some(Secret::new(text));
    ObjectSettings {
        service,
        bucket: BUCKET.to_owned(),
        key: format!("office/{name}.json"),
        endpoint: Some(match service {
            Service::Azure => format!("{url}/{AZURE_ACCOUNT}"),
            Service::S3 | Service::Gcs => url,
        }),
        region: None,
        path_style: None,
        account: Some(AZURE_ACCOUNT.to_owned()),
        access_key: Some("S3RVER".to_owned()),
        secret: match service {
            Service::S3 => secret("right-secret"),
            Service::Azure => secret(AZURE_KEY),
            Service::Gcs => None,
        },
        token: if service == Service::Gcs { secret(google::TOKEN) } else { None },
        trust: Trust::System,
        environment: BTreeMap::new(),
        timeout: ObjectSettings::TIMEOUT,
        run: new_run(),
    }
}

/// Each store is a run of its own.
fn new_run() -> Uuid {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    Uuid::from_u64_pair(std::process::id().into(), RUNS.fetch_add(1, Ordering::Relaxed))
}

fn database(port: u16, name: &str) -> Database {
    Database::new(&postgres_settings(port, name)).unwrap()
}

fn postgres_settings(port: u16, name: &str) -> PostgresSettings {
    PostgresSettings {
        conn_str: None,
        host: Some("127.0.0.1".to_owned()),
        port: Some(port),
        user: Some("wgform".to_owned()),
        password: Some(Secret::new(POSTGRES_PASSWORD)),
        database: Some("postgres".to_owned()),
        sslmode: None,
        trust: Trust::System,
        schema: "wgform".to_owned(),
        table: "states".to_owned(),
        name: name.to_owned(),
        environment: BTreeMap::new(),
        connect_timeout: PostgresSettings::CONNECT_TIMEOUT,
    }
}
