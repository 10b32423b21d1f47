//! What nobody has proven of routers, found out on one: at each point of the simulator, which setting is this router's.
//!
//! It makes two interfaces below the prefix with peers and addresses, and leaves them to be swept away.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use wgform::backend::routeros::client::Row;
use wgform::simulator::routeros::profile::{POINTS, Profile, Switches};

use crate::conformance::bed::public;
use crate::routers::raw::Raw;
use crate::routers::under::PREFIX;

const INTERFACES: &str = "interface/wireguard";
const PEERS: &str = "interface/wireguard/peers";

/// What was found of one point: whether it is so, or why that could not be seen.
pub type Seen = Result<bool, String>;

/// Finds out what can be seen of a router.
pub fn survey(raw: &Raw) -> BTreeMap<&'static str, Seen> {
    let mut survey = Survey { raw, minor: raw.minor(), seen: BTreeMap::new(), made: 0 };
    let ports = raw.list(INTERFACES);
    let (one, other) = (survey.interface("a"), survey.interface("b"));
    survey.interfaces(&ports, &one);
    let peer = survey.plain_peer(&one);
    survey.resting_peer(&peer);
    survey.changed_peer(&peer);
    survey.refused_peers(&one, &other);
    survey.addresses(&one);
    survey.lists(&one);
    survey.system(&one);
    for (point, _) in POINTS {
        survey.seen.entry(point).or_insert_with(|| Err("nothing looks at it".to_owned()));
    }
    survey.seen
}

/// Says what was found, beside what is simulated unless somebody asks for something else.
pub fn report(minor: u8, seen: &BTreeMap<&'static str, Seen>) -> String {
    let profile = Profile { name: "", version: "", minor };
    let mut usual = Switches::usual(&profile);
    let mut text = String::new();
    for (point, switch) in POINTS {
        let usual = *switch(&mut usual);
        let line = match &seen[point] {
            Ok(is_so) if *is_so == usual => format!("proven    {point}: {is_so}, as simulated"),
            Ok(is_so) => format!("PROVEN    {point}: {is_so}, and simulated as {usual}"),
            Err(why) => format!("not seen  {point}: {why}"),
        };
        let _ = writeln!(text, "{line}");
    }
    text
}

struct Survey<'a> {
    raw: &'a Raw,
    minor: u8,
    seen: BTreeMap<&'static str, Seen>,
    made: u32,
}

impl Survey<'_> {
    fn is(&mut self, point: &'static str, is_so: bool) {
        self.seen.insert(point, Ok(is_so));
    }

    fn unseen(&mut self, points: &[&'static str], why: &str) {
        self.seen.extend(points.iter().map(|point| (*point, Err(why.to_owned()))));
    }

    /// Sees by an answer whether something is refused, for which a router has these words. Other ones prove nothing.
    fn is_refused(&mut self, point: &'static str, answer: Result<Row, String>, words: &str) {
        match answer {
            Ok(_) => self.is(point, false),
            Err(said) if said.contains(words) => self.is(point, true),
            Err(said) => self.unseen(&[point], &format!("it says {said:?}")),
        }
    }

    /// Sees by an answer whether something is taken.
    fn is_taken(&mut self, point: &'static str, answer: Result<Row, String>, words: &str) {
        self.is_refused(point, answer, words);
        if let Some(Ok(is_so)) = self.seen.get_mut(point) {
            *is_so = !*is_so;
        }
    }

    fn interface(&self, name: &str) -> Row {
        let name = format!("{PREFIX}{name}");
        self.raw.add(INTERFACES, &[("name", &name)]).unwrap_or_else(|words| panic!("{words}"))
    }

    /// Makes a peer with a network of its own, and these properties.
    fn peer(&mut self, on: &Row, key: u32, fields: &[(&'static str, &str)]) -> Result<Row, String> {
        self.made += 1;
        let (interface, key) = (on.text("name"), public(key).to_string());
        let network = format!("10.77.{}.0/24", self.made);
        let mut all =
            BTreeMap::from([("interface", interface), ("allowed-address", network.as_str())]);
        all.insert("public-key", &key);
        all.extend(fields.iter().copied());
        all.retain(|_, text| *text != ABSENT);
        let all: Vec<_> = all.into_iter().collect();
        self.raw.add(PEERS, &all)
    }

    fn interfaces(&mut self, before: &[Row], one: &Row) {
        match before.iter().any(|row| row.text("listen-port") == "13231") {
            true => self.unseen(&["documented-port"], "an interface has the port 13231 already"),
            false => self.is("documented-port", one.text("listen-port") == "13231"),
        }
        self.is("runs-with-peers", one.text("running") == "false");
        let path = format!("{INTERFACES}/{}?.proplist=name", one.id());
        let row = self.raw.one(&path).unwrap_or_else(|failure| panic!("{failure}"));
        self.is("proplist-without-id", row.get(".id").is_none());
    }

    fn plain_peer(&mut self, one: &Row) -> Row {
        let networks = [("allowed-address", "10.77.200.5/24,10.77.201.0/24")];
        self.peer(one, 1, &networks).unwrap_or_else(|words| panic!("{words}"))
    }

    /// How a peer reads that has nothing but its key and its networks.
    fn resting_peer(&mut self, peer: &Row) {
        let reads = |name: &str| peer.get(name).map(|text| text.as_str());
        let allowed = peer.text("allowed-address");
        self.is("masks-host-bits", allowed.contains("10.77.200.0/24"));
        self.is("blanks-in-lists", allowed.contains(", "));
        self.is("zero-keepalive", reads("persistent-keepalive").is_some());
        self.is("empty-preshared-key", reads("preshared-key") == Some(""));
        self.is("none-private-key", reads("private-key") == Some("none"));
        self.is("empty-private-key", reads("private-key") == Some(""));
        self.is("absent-endpoint-port", reads("endpoint-port").is_none());
        self.is("absent-client", reads("client-address").is_none());
        self.is("zero-client-port", reads("client-listen-port").is_some());
        self.is("zero-handshake", reads("last-handshake") == Some("0s"));
        self.is("empty-handshake", reads("last-handshake") == Some(""));
        match self.minor {
            ..15 => self.unseen(&["absent-responder"], "that came with 7.15"),
            15..17 => self.is("absent-responder", reads("is-responder").is_none()),
            17.. => self.is("absent-responder", reads("responder").is_none()),
        }
        match self.minor {
            ..21 => self.unseen(&["empty-client-allowed"], "that came with 7.21"),
            21.. => self.is("empty-client-allowed", peer.text("client-allowed-address").is_empty()),
        }
    }

    /// How a peer reads that is changed.
    fn changed_peer(&mut self, peer: &Row) {
        let set = |fields: &[(&'static str, &str)]| self.raw.set(PEERS, peer.id(), fields);
        let cleared = (self.minor >= 21).then(|| set(&[("client-allowed-address", "")]));
        let emptied = (self.minor >= 22).then(|| set(&[("preshared-key", "")]));
        match cleared {
            None => self.unseen(&["client-allowed-returns"], "that came with 7.21"),
            Some(Err(words)) => self.unseen(&["client-allowed-returns"], &words),
            Some(Ok(row)) => {
                self.is("client-allowed-returns", !row.text("client-allowed-address").is_empty());
            }
        }
        match emptied {
            None => self.unseen(&["refuses-empty-key"], "that came with 7.22"),
            Some(answer) => self.is_refused("refuses-empty-key", answer, "preshared-key"),
        }
    }

    /// Which peers cannot be beside which others.
    fn refused_peers(&mut self, one: &Row, other: &Row) {
        let elsewhere = self.peer(other, 1, &[]);
        self.is_refused("key-is-unique", elsewhere, "already exists");
        let twin = self.peer(one, 1, &[("disabled", "yes")]);
        self.is_taken("disabled-twin", twin, "already exists");
        let keyless = self.peer(one, 2, &[("public-key", ABSENT)]);
        self.is_taken("peer-without-key", keyless, "public-key");
        let overlapping = self.peer(one, 3, &[("allowed-address", "10.77.201.0/24")]);
        // Nobody knows the words; they name what is wrong.
        self.is_refused("refuses-overlap", overlapping, "allowed-address");
        if self.minor < 15 {
            return self.unseen(&["peer-name-is-unique"], "that came with 7.15");
        }
        let name = format!("{PREFIX}peer");
        let first = self.peer(one, 4, &[("name", &name)]);
        let second = self.peer(one, 5, &[("name", &name)]);
        match first {
            Ok(_) => self.is_refused("peer-name-is-unique", second, "already exists"),
            Err(words) => self.unseen(&["peer-name-is-unique"], &words),
        }
    }

    fn addresses(&mut self, one: &Row) {
        let name = one.text("name").to_owned();
        let address = [("interface", name.as_str()), ("address", "10.77.250.1/24")];
        let moved = self
            .raw
            .add("ip/address", &address)
            .and_then(|row| self.raw.set("ip/address", row.id(), &[("address", "10.77.251.1/24")]));
        match moved {
            Ok(row) => self.is("network-stays", row.text("network") == "10.77.250.0"),
            Err(words) => self.unseen(&["network-stays"], &words),
        }
        let length = [("interface", name.as_str()), ("address", "10.77.252.1/24")];
        let longer = [("interface", name.as_str()), ("address", "10.77.252.1/25")];
        match self.raw.add("ip/address", &length) {
            Ok(_) => {
                let taken = self.raw.add("ip/address", &longer);
                self.is_taken("length-tells-addresses", taken, "already have such address");
            }
            Err(words) => self.unseen(&["length-tells-addresses"], &words),
        }
        let own = |row: &&Row| row.text("interface") == name;
        let Some(six) = self.raw.menu("ipv6/address") else {
            self.is("no-ipv6-menus", true);
            return self.unseen(&["ipv6-is-off", "takes-true"], "there is no menu for IPv6");
        };
        match six.iter().find(own) {
            Some(row) if row.text("invalid") == "true" => {
                self.is("no-ipv6-menus", false);
                self.is("ipv6-is-off", true);
            }
            _ => self.unseen(&["no-ipv6-menus", "ipv6-is-off"], "IPv6 is on"),
        }
        let words =
            [("interface", name.as_str()), ("address", "fd00:77::1/64"), ("advertise", "false")];
        let taken = self.raw.add("ipv6/address", &words);
        self.is_taken("takes-true", taken, "advertise");
    }

    fn lists(&mut self, one: &Row) {
        let list = format!("{PREFIX}list");
        let member = [("list", list.as_str()), ("interface", one.text("name"))];
        let twice = self.raw.add("interface/list", &[("name", &list)]).and_then(|_| {
            let first = self.raw.add("interface/list/member", &member)?;
            Ok((first, self.raw.add("interface/list/member", &member)))
        });
        match twice {
            Ok((_, Err(words))) if words == "failure: entry already exists" => {
                self.is("member-exists", true);
            }
            Ok((_, Err(words))) if words == "failure: already have such entry" => {
                self.is("member-exists", false);
            }
            Ok((_, Err(words))) => self.unseen(&["member-exists"], &format!("it says {words:?}")),
            Ok((_, Ok(_))) => self.unseen(&["member-exists"], "an equal member is taken"),
            Err(words) => self.unseen(&["member-exists"], &words),
        }
    }

    fn system(&mut self, one: &Row) {
        self.raw.one("system/resource").unwrap_or_else(|failure| panic!("{failure}"));
        self.is("resource-is-array", self.raw.last_begins('['));
        self.unseen(&["resource-needs-test"], "that takes a user without `test`");
        match self.raw.one("system/clock").map(|clock| clock.text("gmt-offset").to_owned()) {
            Ok(offset) => self.is("offset-in-seconds", !offset.contains(':')),
            Err(failure) => self.unseen(&["offset-in-seconds"], &failure.to_string()),
        }
        match one.text("private-key") {
            "" => self.is("absent-keys", true),
            key if key.bytes().all(|byte| byte == b'*') => {
                self.is("absent-keys", false);
                self.is("long-masks", key.len() == 8);
            }
            _ => {
                let why = "that takes a user without `sensitive`";
                self.unseen(&["absent-keys", "long-masks"], why);
            }
        }
    }
}

/// In the place of a property that is left out.
const ABSENT: &str = "\0";
