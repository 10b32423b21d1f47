//! What somebody does at a simulated router or firewall past wgform.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use serde_json::Value as Json;
use wgform::resource::BackendId;
use wgform::simulator::SimulatorError;
use wgform::simulator::pfsense::SimulatedFirewall;
use wgform::simulator::pfsense::request::Request as FirewallRequest;
use wgform::simulator::routeros::request::Request as RouterRequest;
use wgform::simulator::routeros::{ALL_POLICIES, SimulatedRouter};
use wgform::value::Secret;
use wgform::world::World;

use crate::harness::{Project, now};

/// Comes to the router of a backend.
pub fn router(project: &Project, backend: &str) -> SimulatedRouter {
    opened(|| SimulatedRouter::open(project.path(), &BackendId::new(backend), &world(project)))
}

/// Comes to the firewall of a backend.
pub fn firewall(project: &Project, backend: &str) -> SimulatedFirewall {
    opened(|| SimulatedFirewall::open(project.path(), &BackendId::new(backend), &world(project)))
}

/// A child that another test is just starting holds the lock until it is a program of its own.
fn opened<T>(open: impl Fn() -> Result<T, SimulatorError>) -> T {
    for _ in 0..100 {
        match open() {
            Ok(system) => return system,
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
    open().unwrap_or_else(|error| panic!("{}", error.reason))
}

/// Asks a router for something that it is to do, and returns its answer.
pub fn ask_router(router: &SimulatedRouter, method: &str, path: &str, body: &str) -> Json {
    router.set_user("x", &Secret::new("x"), &ALL_POLICIES);
    let request = RouterRequest {
        method: method.to_owned(),
        path: format!("/rest/{path}"),
        query: String::new(),
        // x:x
        authorization: Some("Basic eDp4".to_owned()),
        content_type: Some("application/json".to_owned()),
        body: body.as_bytes().to_owned(),
    };
    let reply = router.answer(&request, now()).unwrap();
    assert!(reply.status < 300, "{method} {path}: {}", String::from_utf8_lossy(&reply.body));
    serde_json::from_slice(&reply.body).unwrap_or_default()
}

/// Asks a firewall for something that it is to do, and returns the data of its answer.
pub fn ask_firewall(firewall: &SimulatedFirewall, method: &str, path: &str, body: &Json) -> Json {
    let has_body = !body.is_null();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let request = FirewallRequest {
        method: method.to_owned(),
        path: format!("/api/v2/{path}"),
        query: query.to_owned(),
        content_type: has_body.then(|| "application/json".to_owned()),
        body: if has_body { body.to_string().into_bytes() } else { Vec::new() },
        ..FirewallRequest::default()
    };
    let reply = firewall.by_hand(&request, now()).unwrap();
    let mut answer: Json = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(reply.status, 200, "{method} {path} {body}: {answer}");
    answer["data"].take()
}

fn world(project: &Project) -> World {
    World::new(BTreeMap::new(), project.path().to_owned(), now, |it| it.fill(7))
}
