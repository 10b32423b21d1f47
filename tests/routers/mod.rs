//! Routers to test: simulated ones, and one that is real.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(unreachable_pub, reason = "each test binary has this as a module of its own")]
#![expect(clippy::unwrap_used, reason = "tests")]

pub mod points;
pub mod raw;
pub mod scenarios;
pub mod under;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wgform::actual::Picture;
use wgform::backend::routeros::RouterOs;
use wgform::backend::{Act, Interest, Trace, Write};
use wgform::config;
use wgform::resource::{Field, Fields};
use wgform::value::{Route, Secret};

use crate::conformance::bed::{id, public, world};
use crate::conformance::{Bed, Kind};

/// How long a client waits for an answer, however busy the machine is.
pub const ANSWERS_WITHIN: Duration = config::RouterOs::TIMEOUT;

/// A router, as scenarios need it.
pub struct Lab {
    pub bed: Bed,
    /// The number after `7.` of its version.
    pub minor: u8,
    /// Whether it takes IPv6 addresses.
    pub has_ipv6: bool,
    /// How many requests begin so: `PUT /rest/ip/route`.
    pub asked: Box<dyn Fn(&str) -> usize>,
    /// Makes a routing table.
    pub add_table: Box<dyn Fn(&str)>,
    /// Routes of wgform that were there before, and are somebody else's.
    pub not_ours: BTreeSet<Route>,
}

impl Lab {
    /// Reads all that a router can be asked for.
    pub fn read(&self) -> Picture {
        self.bed.read_with(&everything())
    }

    pub fn interface(&self) -> Fields {
        self.read().interfaces.remove("wg0").unwrap().fields
    }

    pub fn peer(&self, number: u32) -> Fields {
        self.bed.peer("wg0", &public(number)).fields
    }

    /// Returns the routes that wgform made.
    pub fn own_routes(&self) -> BTreeSet<Route> {
        let routes = self.read().routing.routes.into_iter();
        let marked = routes.filter(|(_, found)| found.is_marked).map(|(route, _)| route);
        marked.filter(|route| !self.not_ours.contains(route)).collect()
    }
}

/// Asks for all there is.
pub fn everything() -> Interest {
    Interest { routes: true, interface_lists: true, ..Interest::default() }
}

/// Returns how a router is reached that somebody serves there.
pub fn settings(api_url: String, api_user: &str, password: Secret) -> config::RouterOs {
    config::RouterOs {
        api_url,
        api_user: api_user.to_owned(),
        api_password: config::Password::Given(password),
        api_timeout: ANSWERS_WITHIN,
        tls: config::Tls { api_verify_tls: true, ca_file: None, tls_pin_sha256: None },
        concurrency: config::RouterOs::CONCURRENCY,
        debug: false,
    }
}

/// Gets ready to ask it.
pub fn backend(settings: config::RouterOs, trace: &Trace) -> RouterOs {
    let world = world(BTreeMap::new(), "/nowhere".into());
    RouterOs::new(id(), settings, None, &world, trace).unwrap()
}

/// Puts a router where scenarios expect a host.
pub fn bed(backend: Box<dyn Write>) -> Bed {
    Bed {
        kind: Kind::Router,
        backend,
        add_other_link: Box::new(|_| {}),
        add_route: Box::new(|_, _| {}),
        set_up: Box::new(|_, _| {}),
    }
}

/// Returns a change of the routes to `wg0`.
pub fn set_routes(all: &[Route]) -> Act {
    Act::SetRoutes {
        interface: "wg0".to_owned(),
        routes: Some(all.iter().copied().collect()),
        add_rules: BTreeSet::new(),
        remove_rules: BTreeSet::new(),
    }
}

/// Returns the making of an interface whose key the router makes.
pub fn create_without_key(name: &str, fields: Fields) -> Act {
    Act::CreateInterface {
        name: name.to_owned(),
        private_key: None,
        key_file: None,
        fields,
        around: Default::default(),
    }
}

/// Asserts that these attributes are so; others may be there.
pub fn assert_has(found: &Fields, wanted: &Fields) {
    for (name, field) in wanted {
        assert_eq!(found.get(name), Some(field), "{name}");
    }
}

pub fn names(all: &[&str]) -> Field {
    Field::Names(all.iter().map(ToString::to_string).collect())
}

pub fn text(text: &str) -> Field {
    Field::Text(text.to_owned())
}
