//! The client against a simulated router on a real socket: how it asks, and what it makes of every way to fail.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::backend::routeros::client::{
    Cause, Client, Failure, Fields, Pace, Settings, Trace, Trust,
};
use crate::resource::BackendId;
use crate::simulator::certificate::Certificate;
use crate::simulator::routeros::fault::{Fault, Rule};
use crate::simulator::routeros::http::{Options, Server, Tls};
use crate::simulator::routeros::profile::Profile;
use crate::simulator::routeros::{ALL_POLICIES, SimulatedRouter};
use crate::value::Secret;
use crate::world::World;

const INTERFACES: &str = "interface/wireguard";
const PEERS: &str = "interface/wireguard/peers";
const KEY: &str = "v/oIzPyFm1FPHrqhytZgsKjU7mUToQHLrW+Tb5e601M=";
const PASSWORD: &str = "hunter2hunter2";

/// A router behind a server, with an interface `wg1`.
pub(in crate::backend::routeros) struct Lab {
    pub(in crate::backend::routeros) router: SimulatedRouter,
    server: Server,
    tls: bool,
}

impl Lab {
    fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        Self::of(Profile::newest(), options)
    }

    pub(in crate::backend::routeros) fn of(profile: &'static Profile, options: Options) -> Self {
        let tls = options.tls.is_some();
        let router = SimulatedRouter::in_memory(profile, 7, Timestamp::UNIX_EPOCH);
        router.set_user("wgform", &Secret::new(PASSWORD), &ALL_POLICIES);
        let clock = || Timestamp::UNIX_EPOCH;
        let world = World::new([].into(), "/".into(), clock, |bytes| bytes.fill(7));
        let server = Server::start(router.clone(), &world, options).unwrap();
        router.plant("interface", 0, &[("name", b"wg1"), ("type", b"wg")]).unwrap();
        Self { router, server, tls }
    }

    fn settings(&self) -> Settings {
        let scheme = if self.tls { "https" } else { "http" };
        Settings {
            backend: BackendId::new("branch"),
            api_url: format!("{scheme}://{}", self.server.address()),
            api_user: "wgform".to_owned(),
            api_password: Secret::new(PASSWORD),
            trust: Trust::System,
            api_timeout: Duration::from_secs(20),
            concurrency: Settings::CONCURRENCY,
            trace: Trace::default(),
            pace: Pace { retries: [Duration::from_millis(1); 3], after_timeout: Duration::ZERO },
        }
    }

    pub(in crate::backend::routeros) fn client(&self) -> Client {
        Client::new(self.settings()).unwrap()
    }

    async fn add(&self, client: &Client, name: &str) -> Result<(), Failure> {
        let attempt = format!("create peer `{name}` on `wg1`");
        client.add(&attempt, PEERS, &peer(name)).await.map(drop)
    }

    fn asked(&self, method: &str) -> usize {
        self.router.requests().iter().filter(|line| line.starts_with(method)).count()
    }

    /// How many peers there are, whatever anybody was told.
    async fn peers(&self) -> usize {
        self.client().list("look", PEERS).await.unwrap().len()
    }
}

fn peer(name: &str) -> Fields {
    let texts = [
        ("interface", "wg1"),
        ("name", name),
        ("public-key", KEY),
        ("allowed-address", "10.0.0.2"),
    ];
    fields(&texts)
}

fn fields(texts: &[(&'static str, &str)]) -> Fields {
    texts.iter().map(|(name, text)| (*name, Zeroizing::new((*text).to_owned()))).collect()
}

fn told(failure: &Failure) -> String {
    let mut lines = vec![failure.to_string()];
    lines.extend(failure.error.hints.iter().map(|hint| format!("  {hint}")));
    lines.push(format!("  ({:?}, may have changed: {})", failure.cause, failure.may_have_changed));
    lines.join("\n")
}

#[tokio::test]
async fn objects_are_made_changed_read_and_removed() {
    let lab = Lab::new();
    let client = lab.client();
    let made = client.add("create peer", PEERS, &peer("a")).await.unwrap();
    assert_eq!((made.id(), made.text("allowed-address")), ("*1", "10.0.0.2/32"));
    let changed =
        client.set("change peer", PEERS, "*1", &fields(&[("comment", "é\"")])).await.unwrap();
    assert_eq!(changed.text("comment"), "é\"");
    assert_eq!(client.list("read peers", PEERS).await.unwrap()[0].text("name"), "a");
    assert_eq!(
        client.one("read the version", "system/resource").await.unwrap().text("version"),
        "7.24.5 (stable)"
    );
    client.remove("remove peer", PEERS, "*1").await.unwrap();
    client.remove("remove peer", PEERS, "*1").await.unwrap();
    let dns = fields(&[("servers", "1.1.1.1")]);
    assert_eq!(client.command("set DNS", "ip/dns", "set", &dns).await.unwrap(), []);
    assert_eq!(lab.peers().await, 0);
}

#[tokio::test]
async fn an_empty_password_is_sent_too() {
    let lab = Lab::new();
    lab.router.set_user("admin", &Secret::new(""), &ALL_POLICIES);
    let mut settings = lab.settings();
    (settings.api_user, settings.api_password) = ("admin".to_owned(), Secret::new(""));
    assert_eq!(Client::new(settings).unwrap().list("read", INTERFACES).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_missing_policy_says_which_one_it_is() {
    let told_with = async |policies: &[&str]| {
        let lab = Lab::new();
        lab.router.set_user("wgform", &Secret::new(PASSWORD), policies);
        let client = lab.client();
        let read = client.list("read the WireGuard interfaces", INTERFACES).await;
        let failure = match read {
            Err(failure) => failure,
            Ok(_) => match client.add("create peer `a`", PEERS, &peer("a")).await {
                Err(failure) => failure,
                Ok(_) => unreachable!("something is missing"),
            },
        };
        told(&failure)
    };
    insta::assert_snapshot!(told_with(&["api", "read"]).await, @"
    could not read the WireGuard interfaces on backend `branch`: the router does not accept the user or the password (401)
      check `api_user` and `api_password`
      the user's group needs the policies `rest-api`, `api` and `read`, and `write` to change anything
      (Unauthorized, may have changed: false)
    ");
    insta::assert_snapshot!(told_with(&["rest-api", "read"]).await, @"
    could not read the WireGuard interfaces on backend `branch`: std failure: not allowed (9) (500)
      the user's group lacks the policy `api`: add it; it counts within ten minutes
      (NotPermitted, may have changed: false)
    ");
    insta::assert_snapshot!(told_with(&["rest-api", "api"]).await, @"
    could not read the WireGuard interfaces on backend `branch`: not enough permissions (9) (500)
      the user's group lacks the policy `read`, or `test`: add it; it counts within ten minutes
      (NotPermitted, may have changed: false)
    ");
    insta::assert_snapshot!(told_with(&["rest-api", "api", "read"]).await, @"
    could not create peer `a` on backend `branch`: not enough permissions (9) (500)
      the user's group lacks the policy `write`: add it; it counts within ten minutes
      (NotPermitted, may have changed: true)
    ");
    let lab = Lab::new();
    lab.router.set_user("wgform", &Secret::new(PASSWORD), &["rest-api", "api", "read"]);
    let set = lab.client().set("rename `wg1`", INTERFACES, "*3", &fields(&[("name", "wg2")])).await;
    insta::assert_snapshot!(told(&set.unwrap_err()), @r#"
    could not rename `wg1` on backend `branch`: missing or invalid resource identifier (400)
      a router says so when the user's group lacks the policy `write`: add it; it counts within ten minutes
      or somebody removed the object since it was read: plan again
      (Refused("missing or invalid resource identifier"), may have changed: true)
    "#);
}

/// What is told about a peer that is added while that goes wrong.
async fn told_after(fault: Fault) -> String {
    let command_limit = Duration::from_millis(5);
    let lab = Lab::with(Options { command_limit, ..Options::default() });
    lab.router.inject(Rule::always(fault));
    told(&lab.add(&lab.client(), "a").await.unwrap_err())
}

#[tokio::test]
async fn an_answer_that_never_came_says_that_it_is_not_known_what_was_done() {
    insta::assert_snapshot!(told_after(Fault::Stall { applied: true }).await, @"
    could not create peer `a` on `wg1` on backend `branch`: the router closed the session: a command took longer than 60 seconds, this one or one before it
      give wgform a user of its own, so that it does not wait behind others
      see what keeps the router busy, and try again
      (TooSlow, may have changed: true)
    ");
    insta::assert_snapshot!(told_after(Fault::LoseAnswer).await, @"
    could not create peer `a` on `wg1` on backend `branch`: the connection ended before the answer did
      see whether the router has just started, or is out of sessions
      see whether its service takes connections from this address: `available-from` in `/ip/service`, once `address`
      whether it was done is known once the router is read again
      (Lost, may have changed: true)
    ");
    insta::assert_snapshot!(told_after(Fault::Close).await, @"
    could not create peer `a` on `wg1` on backend `branch`: the connection ended before the answer did
      see whether the router has just started, or is out of sessions
      see whether its service takes connections from this address: `available-from` in `/ip/service`, once `address`
      whether it was done is known once the router is read again
      (Lost, may have changed: true)
    ");
    insta::assert_snapshot!(told_after(Fault::Truncate).await, @"
    could not create peer `a` on `wg1` on backend `branch`: the connection ended before the answer did
      see whether the router has just started, or is out of sessions
      see whether its service takes connections from this address: `available-from` in `/ip/service`, once `address`
      whether it was done is known once the router is read again
      (Lost, may have changed: true)
    ");
}

#[tokio::test]
async fn an_answer_that_is_no_routers_says_where_to_look() {
    insta::assert_snapshot!(told_after(Fault::Html(403)).await, @r#"
    could not create peer `a` on `wg1` on backend `branch`: the web server of the router does not serve REST (403)
      switch it on: `/ip/service/webserver set rest-secure=yes`, or `rest-plain=yes` for http
      (Refused("Forbidden"), may have changed: true)
    "#);
    insta::assert_snapshot!(told_after(Fault::Html(502)).await, @"
    could not create peer `a` on `wg1` on backend `branch`: a page for people came back, with status 502
      check `api_url`: a proxy or another web server answers there
      whether it was done is known once the router is read again
      (Unreadable, may have changed: true)
    ");
    insta::assert_snapshot!(told_after(Fault::Html(200)).await, @"
    could not create peer `a` on `wg1` on backend `branch`: a page for people came back, with status 200
      check `api_url`: a proxy or another web server answers there
      whether it was done is known once the router is read again
      (Unreadable, may have changed: true)
    ");
    insta::assert_snapshot!(told_after(Fault::Answer(500, String::new())).await, @"
    could not create peer `a` on `wg1` on backend `branch`: an answer came back that no router gives, with status 500
      check `api_url`
      whether it was done is known once the router is read again
      (Unreadable, may have changed: true)
    ");
}

#[tokio::test]
async fn an_answer_that_is_an_error_says_what_to_do_and_repeats_no_secret() {
    insta::assert_snapshot!(told_after(Fault::WrongBody).await, @"
    could not create peer `a` on `wg1` on backend `branch`: the answer, of 2 bytes, is not one object
      a router that has just started may answer so: try again
      whether it was done is known once the router is read again
      (Unreadable, may have changed: true)
    ");
    insta::assert_snapshot!(told_after(Fault::AppliedButRefused).await, @r#"
    could not create peer `a` on `wg1` on backend `branch`: failure: could not finish (400)
      (Refused("failure: could not finish"), may have changed: true)
    "#);
    insta::assert_snapshot!(told_after(Fault::Answer(200, format!("[\"{PASSWORD}\"]"))).await, @"
    could not create peer `a` on `wg1` on backend `branch`: the answer, of 18 bytes, is not one object
      a router that has just started may answer so: try again
      whether it was done is known once the router is read again
      (Unreadable, may have changed: true)
    ");
    let repeated = format!(r#"{{"error":400,"detail":"wrong: {PASSWORD}"}}"#);
    insta::assert_snapshot!(told_after(Fault::Answer(400, repeated)).await, @r#"
    could not create peer `a` on `wg1` on backend `branch`: wrong: … (400)
      (Refused("wrong: …"), may have changed: true)
    "#);
    let unknown = r#"{"error":400,"detail":"unknown parameter responder","message":"Bad Request"}"#;
    insta::assert_snapshot!(told_after(Fault::Answer(400, unknown.to_owned())).await, @r#"
    could not create peer `a` on `wg1` on backend `branch`: unknown parameter responder (400)
      this version of RouterOS has no `responder`: upgrade it, or leave that attribute out
      (Refused("unknown parameter responder"), may have changed: true)
    "#);
}

#[tokio::test]
async fn nothing_that_makes_an_object_is_asked_twice() {
    for fault in [
        Fault::LoseAnswer,
        Fault::Reset,
        Fault::Truncate,
        Fault::WrongBody,
        Fault::AppliedButRefused,
        Fault::Html(502),
    ] {
        let lab = Lab::new();
        let (client, applied) = (lab.client(), !matches!(fault, Fault::Reset | Fault::Html(_)));
        // The connection is kept from here on, and a kept one that ends is the case in which a client would try again.
        client.list("read", PEERS).await.unwrap();
        lab.router.inject(Rule::once("PUT", 0, fault.clone()));
        let failure = lab.add(&client, "a").await.unwrap_err();
        assert!(failure.may_have_changed, "{fault:?}");
        assert_eq!((lab.asked("PUT"), lab.peers().await), (1, usize::from(applied)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_read_is_tried_again_while_that_may_help() {
    for fault in [
        Fault::Reset,
        Fault::Close,
        Fault::Truncate,
        Fault::WrongBody,
        Fault::Html(502),
        Fault::LoseAnswer,
    ] {
        let lab = Lab::new();
        let client = lab.client();
        for skip in 0..3 {
            lab.router.inject(Rule::once("GET", skip, fault.clone()));
        }
        assert_eq!(client.list("read", INTERFACES).await.unwrap().len(), 1, "{fault:?}");
        lab.router.inject(Rule::always(fault.clone()));
        let failure = client.list("read", INTERFACES).await.unwrap_err();
        assert!(!failure.may_have_changed, "{fault:?}");
    }
    // Each wrong password is a line in the router's log.
    let lab = Lab::new();
    lab.router.set_user("wgform", &Secret::new("another"), &ALL_POLICIES);
    lab.client().list("read", INTERFACES).await.unwrap_err();
    lab.router.inject(Rule::always(Fault::Html(403)));
    lab.client().list("read", INTERFACES).await.unwrap_err();
    assert_eq!(lab.asked("GET"), 2);
}

#[tokio::test]
async fn after_a_time_out_no_connection_is_kept_and_the_answer_of_another_is_not_taken() {
    let damage = Duration::from_millis(600);
    let lab = Lab::with(Options {
        damage,
        command_limit: Duration::from_millis(700),
        ..Options::default()
    });
    let mut settings = lab.settings();
    settings.api_timeout = Duration::from_millis(500);
    settings.pace.after_timeout = damage + Duration::from_millis(200);
    let client = Client::new(settings).unwrap();
    lab.router.inject(Rule::once("PUT", 0, Fault::Stall { applied: true }));
    let failure = lab.add(&client, "a").await.unwrap_err();
    insta::assert_snapshot!(told(&failure), @"
    could not create peer `a` on `wg1` on backend `branch`: no answer within 0.5 s
      see whether the router is busy or the way to it is broken; `api_timeout` says how long to wait
      whether it was done is known once the router is read again
      (Silent, may have changed: true)
    ");
    // The router was done before the wait ended, and nobody got what was meant for us.
    for _ in 0..3 {
        assert_eq!(client.list("read", PEERS).await.unwrap()[0].text("name"), "a");
    }
}

#[tokio::test]
async fn who_asks_on_too_early_after_a_time_out_gets_the_answers_of_others() {
    let lab =
        Lab::with(Options { command_limit: Duration::from_millis(600), ..Options::default() });
    let mut settings = lab.settings();
    settings.api_timeout = Duration::from_millis(300);
    let hasty = Client::new(settings).unwrap();
    lab.router.inject(Rule::once("PUT", 0, Fault::Stall { applied: false }));
    assert_eq!(lab.add(&hasty, "a").await.unwrap_err().cause, Cause::Silent);
    lab.router.set_user("other", &Secret::new("password"), &ALL_POLICIES);
    let mut settings = lab.settings();
    (settings.api_user, settings.api_password) = ("other".to_owned(), Secret::new("password"));
    settings.pace.retries = [Duration::ZERO; 3];
    let other = Client::new(settings).unwrap();
    other.list("read", INTERFACES).await.unwrap();
    let cause = other.list("read", INTERFACES).await.unwrap_err().cause;
    assert!(matches!(cause, Cause::Lost | Cause::TooSlow | Cause::Unreachable), "{cause:?}");
}

#[tokio::test]
async fn whoever_waits_behind_a_command_that_takes_too_long_goes_with_it() {
    let lab =
        Lab::with(Options { command_limit: Duration::from_millis(100), ..Options::default() });
    lab.router.inject(Rule::once("PUT", 0, Fault::Stall { applied: false }));
    let (slow, behind) = (lab.client(), lab.client());
    let first = lab.add(&slow, "a");
    let second = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        lab.add(&behind, "b").await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap_err().cause, Cause::TooSlow);
    assert_eq!(second.unwrap_err().cause, Cause::TooSlow);
    assert_eq!(lab.peers().await, 0);
}

#[tokio::test]
async fn raw_bytes_of_a_comment_are_read_and_known_not_to_be_exact() {
    let lab = Lab::new();
    let client = lab.client();
    lab.router.plant("interface", 3, &[("comment", b"caf\xe9\x07")]).unwrap();
    let rows = client.list("read", INTERFACES).await.unwrap();
    let comment = rows[0].get("comment").unwrap();
    assert_eq!((comment.as_str(), comment.is_exact()), ("caf\u{fffd}\u{7}", false));
    assert!(rows[0].get("name").unwrap().is_exact());
}

#[tokio::test]
async fn what_is_traced_has_no_secret_in_it() {
    let lab = Lab::new();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let mut settings = lab.settings();
    let heard = Arc::clone(&lines);
    settings.trace = Trace::new(move |line| heard.lock().unwrap().push(line.to_owned()));
    let client = Client::new(settings).unwrap();
    let key = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    let fields = fields(&[("name", "wg2"), ("private-key", key), ("listen-port", "51820")]);
    client.add("create", INTERFACES, &fields).await.unwrap();
    insta::assert_snapshot!(lines.lock().unwrap().join("\n"), @r#"
    > PUT /interface/wireguard {"listen-port":"51820","name":"wg2","private-key":"…"}
    < 201 {".id":"*4","disabled":"false","listen-port":"51820","mtu":"1420","name":"wg2","private-key":"…","public-key":"HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=","running":"true","vrf":"main"}
    "#);
}

#[tokio::test]
async fn one_connection_serves_what_comes_one_after_another() {
    // Two sessions at most, and each client takes one.
    let lab = Lab::with(Options { max_sessions: 2, ..Options::default() });
    let (one, two) = (lab.client(), lab.client());
    for _ in 0..5 {
        one.list("read", INTERFACES).await.unwrap();
        two.list("read", INTERFACES).await.unwrap();
    }
    let failure = lab.client().list("read", INTERFACES).await.unwrap_err();
    assert!(matches!(failure.cause, Cause::Lost | Cause::Unreachable), "{failure:?}");
}

#[tokio::test]
async fn writes_go_one_by_one_and_reads_two_by_two() {
    let lab = Lab::with(Options {
        latency: Duration::from_millis(20),
        max_sessions: 2,
        ..Options::default()
    });
    let client = lab.client();
    let done = AtomicUsize::new(0);
    let writes = (0..6).map(async |index| {
        let name = format!("wg1{index}");
        client.add("create", INTERFACES, &fields(&[("name", &name)])).await.unwrap();
        // In the order in which they were asked for.
        assert_eq!(done.fetch_add(1, Ordering::SeqCst), index);
    });
    futures_util::future::join_all(writes).await;
    let reads = (0..6).map(async |_| client.list("read", INTERFACES).await.map(|rows| rows.len()));
    let read = futures_util::future::join_all(reads).await;
    assert!(read.iter().all(|rows| matches!(rows, Ok(7))), "{read:?}");
}

#[tokio::test]
async fn a_router_that_is_not_there_says_how_to_find_it() {
    let lab = Lab::new();
    let mut settings = lab.settings();
    settings.api_url = "http://127.0.0.1:1".to_owned();
    let refused = Client::new(settings).unwrap().list("read the interfaces", INTERFACES).await;
    insta::assert_snapshot!(told(&refused.unwrap_err()), @"
    could not read the interfaces on backend `branch`: the connection is refused
      check `api_url`, and that the router can be reached from here
      the service has to be on: `/ip/service set www-ssl certificate=… disabled=no`, or `www` for http
      (Unreachable, may have changed: false)
    ");
    lab.server.set_available(false);
    let closed = lab.client().list("read the interfaces", INTERFACES).await.unwrap_err();
    insta::assert_snapshot!(told(&closed), @"
    could not read the interfaces on backend `branch`: the connection ended before the answer did
      see whether the router has just started, or is out of sessions
      see whether its service takes connections from this address: `available-from` in `/ip/service`, once `address`
      (Lost, may have changed: false)
    ");
}

#[test]
fn a_url_is_a_router_and_nothing_else() {
    let base = |url: &str| match client_of(url) {
        Ok(client) => client.base,
        Err(error) => error.reason,
    };
    insta::assert_snapshot!(base("https://10.10.10.10/rest"), @"https://10.10.10.10/rest");
    insta::assert_snapshot!(base("https://[fd00::1]:8443/"), @"https://[fd00::1]:8443/rest");
    insta::assert_snapshot!(base("https://proxy.example.com/branch"), @"https://proxy.example.com/branch/rest");
    insta::assert_snapshot!(base("10.10.10.10"), @"`api_url` is no URL: relative URL without a base");
    insta::assert_snapshot!(base("ftp://10.10.10.10"), @"`api_url` is neither `https` nor `http`");
    insta::assert_snapshot!(base("https://admin:secret@10.10.10.10"), @"`api_url` has a user in it, which goes into `api_user` and `api_password`");
    insta::assert_snapshot!(base("https://10.10.10.10/rest?a=b"), @"`api_url` has something after its path");
}

fn client_of(url: &str) -> Result<Client, crate::backend::BackendError> {
    Client::new(Settings {
        backend: BackendId::new("branch"),
        api_url: url.to_owned(),
        api_user: String::new(),
        api_password: Secret::new(""),
        trust: Trust::Anybody,
        api_timeout: Settings::TIMEOUT,
        concurrency: Settings::CONCURRENCY,
        trace: Trace::default(),
        pace: Pace::default(),
    })
}

/// A certificate that a router has signed itself, for that name.
fn certificate(name: &str) -> (Options, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = made.signing_key.serialize_der().into();
    let certificate = Certificate { der: made.cert.der().to_vec(), key };
    let options = Options { tls: Some(Tls::With(certificate)), ..Options::default() };
    (options, made.cert.pem())
}

#[tokio::test]
async fn a_service_without_a_certificate_is_said_to_need_one() {
    let lab = Lab::with(Options { tls: Some(Tls::Without), ..Options::default() });
    let failure = lab.client().list("read the interfaces", INTERFACES).await.unwrap_err();
    insta::assert_snapshot!(told(&failure), @"
    could not read the interfaces on backend `branch`: it offers no way to talk that is safe
      give the service a certificate: `/ip/service set www-ssl certificate=…`
      (NotTrusted, may have changed: false)
    ");
}

#[tokio::test]
async fn a_self_signed_certificate_is_believed_when_it_is_named_or_pinned() {
    let (options, pem) = certificate("router");
    let lab = Lab::with(options);
    let ask = async |trust: Trust| {
        let settings = Settings { trust, ..lab.settings() };
        Client::new(settings).unwrap().list("read the interfaces", INTERFACES).await
    };
    let failure = ask(Trust::System).await.unwrap_err();
    let pin = failure.error.hints[1].split('"').nth(1).unwrap().to_owned();
    insta::assert_snapshot!(told(&failure).replace(&pin, "PIN"), @r#"
    could not read the interfaces on backend `branch`: its certificate is signed by nobody who is known here
      name the certificate, or the authority that signed it, as `ca_file`
      if the router's own certificate has the SHA-256 PIN, write `tls_pin_sha256 = "PIN"`
      (NotTrusted, may have changed: false)
    "#);
    ask(Trust::pinned(&pin).unwrap()).await.unwrap();
    ask(Trust::Authorities(pem.into_bytes())).await.unwrap();
    ask(Trust::Anybody).await.unwrap();
    let wrong = ask(Trust::Pinned([1; 32])).await.unwrap_err();
    insta::assert_snapshot!(told(&wrong).replace(&pin, "PIN"), @r#"
    could not read the interfaces on backend `branch`: it shows another certificate than the one in `tls_pin_sha256`
      somebody made a new certificate, or something else answers: look before you change the pin
      if the router's own certificate has the SHA-256 PIN, write `tls_pin_sha256 = "PIN"`
      (NotTrusted, may have changed: false)
    "#);
    let (_, other) = certificate("router");
    let wrong = ask(Trust::Authorities(other.into_bytes())).await.unwrap_err();
    assert_eq!(wrong.cause, Cause::NotTrusted);
    // Who says `https` and means `http`.
    let plain = Lab { tls: true, ..Lab::new() };
    let failure = plain.client().list("read the interfaces", INTERFACES).await.unwrap_err();
    insta::assert_snapshot!(told(&failure), @"
    could not read the interfaces on backend `branch`: no TLS: received corrupt message of type InvalidContentType
      check that `api_url` leads to `www-ssl`, and not to `www`, which is for http
      (NotTrusted, may have changed: false)
    ");
}
