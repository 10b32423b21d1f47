//! Firewalls to test, and what scenarios need of one.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(unreachable_pub, reason = "each test binary has this as a module of its own")]
#![expect(clippy::unwrap_used, reason = "tests")]

pub mod scenarios;
pub mod under;

use std::collections::BTreeMap;
use std::time::Duration;

use wgform::actual::FoundPeer;
use wgform::backend::pfsense::PfSense;
use wgform::backend::pfsense::client::{Credentials, Pace, Settings, Trace, Trust};
use wgform::backend::{Act, BackendError, Batch, Operation, Outcome, Read as _, Stop, Write};
use wgform::resource::{Field, Fields};
use wgform::value::{PresharedKey, PublicKey};

use crate::conformance::bed::{id, public, wait, world};
use crate::conformance::{Bed, Kind};

/// How long a client waits for an answer, however busy the machine is.
pub const ANSWERS_WITHIN: Duration = Settings::TIMEOUT;

/// A firewall, as scenarios need it. Its tunnels are called `wg0`, `wg1`, …
pub struct Lab {
    pub bed: Bed,
    /// Of the REST API package.
    pub version: (u16, u16, u16),
    /// Whether it shows private keys.
    pub shows_private_keys: bool,
    /// Whether it shows pre-shared keys.
    pub shows_preshared_keys: bool,
    /// How many requests begin so: `POST /api/v2/vpn/wireguard/peer`.
    pub asked: Box<dyn Fn(&str) -> usize>,
}

impl Lab {
    /// Returns the attributes of the tunnel `wg0`.
    pub fn tunnel(&self) -> Fields {
        self.bed.interface("wg0").fields
    }

    /// Returns a peer on `wg0`.
    pub fn peer(&self, number: u32) -> FoundPeer {
        self.bed.peer("wg0", &public(number))
    }

    /// Asserts that a peer has these attributes and no others. A pre-shared key counts where it is shown, and elsewhere
    /// that there is one.
    pub fn assert_peer(&self, number: u32, mut wanted: Fields, whose: &str) {
        let found = self.peer(number);
        let has_key = matches!(wanted.get("preshared_key"), Some(Field::PresharedKey(Some(_))));
        let is_hidden = has_key && !self.shows_preshared_keys;
        if is_hidden {
            wanted.remove("preshared_key");
        }
        assert_eq!(found.fields, wanted, "{whose}");
        assert_eq!(found.hidden.contains("preshared_key"), is_hidden, "{whose}");
    }
}

/// Returns how a firewall is reached that somebody serves there. What is waited for depends on who it is.
pub fn settings(api_url: String, credentials: Credentials, trust: Trust, pace: Pace) -> Settings {
    Settings {
        backend: id(),
        api_url,
        credentials,
        trust,
        api_timeout: ANSWERS_WITHIN,
        trace: Trace::default(),
        pace,
    }
}

/// Gets ready to ask it.
pub fn backend(settings: Settings) -> PfSense {
    let world = world(BTreeMap::new(), "/nowhere".into());
    PfSense::reached(settings, &world).unwrap()
}

/// Lets a firewall do one thing that is not about an object.
fn act(firewall: &PfSense, act: Act) -> Result<(), BackendError> {
    let batch = Batch { operations: vec![Operation { after: Vec::new(), act }] };
    let mut ended = Ok(());
    let mut landed = |_, outcome| {
        ended = match outcome {
            Outcome::Done(_) => Ok(()),
            Outcome::Failed(error) | Outcome::Untouched(error) => Err(error),
            Outcome::Skipped(_) | Outcome::NotStarted => panic!("there is one operation"),
        };
    };
    wait(firewall.write(batch, Stop::default(), &mut landed));
    ended
}

/// Switches WireGuard on.
pub fn enable_service(firewall: &PfSense) -> Result<(), BackendError> {
    act(firewall, Act::Apply { switch_on: true })
}

/// Applies what is stored.
pub fn apply_pending(firewall: &PfSense) -> Result<(), BackendError> {
    act(firewall, Act::Apply { switch_on: false })
}

/// Returns whether a peer has this pre-shared key.
pub fn holds(firewall: &PfSense, peer: PublicKey, key: &PresharedKey) -> bool {
    wait(firewall.holds(peer, Some(key))).unwrap().unwrap()
}

/// Puts a firewall where scenarios expect a host.
pub fn bed(backend: Box<dyn Write>) -> Bed {
    Bed {
        kind: Kind::Firewall,
        backend: Box::new(under::Under { inner: backend }),
        add_other_link: Box::new(|_| {}),
        add_route: Box::new(|_, _| {}),
        set_up: Box::new(|_, _| {}),
    }
}

/// Returns what a peer has of which nothing is said but this.
pub fn bare(more: impl IntoIterator<Item = (&'static str, Field)>) -> Fields {
    let mut fields = Fields::from([
        ("name", text("")),
        ("description", text("")),
        ("enabled", Field::Bool(true)),
        ("persistent_keepalive", Field::Keepalive("off".parse().unwrap())),
        ("preshared_key", Field::PresharedKey(None)),
        ("allowed_ips", Field::Prefixes([].into())),
    ]);
    fields.extend(more);
    fields
}

/// Returns the change of a peer's key.
pub fn rekey(old: PublicKey, new: PublicKey, fields: Fields) -> Act {
    let interface = "wg0".to_owned();
    Act::CreatePeer { interface, public_key: new, replaces: Some(old), fields }
}

pub fn psk(key: PresharedKey) -> Field {
    Field::PresharedKey(Some(key))
}

pub fn text(text: &str) -> Field {
    Field::Text(text.to_owned())
}
