//! `/interface/wireguard` and its peers: what the router chooses, what it refuses, and how it prints them.

use std::borrow::Cow;

use crate::simulator::routeros::request::{Fields, Refused};
use crate::simulator::routeros::router::Router;
use crate::simulator::routeros::table::Row;
use crate::simulator::routeros::users::Rights;
use crate::simulator::routeros::value::print_id;
use crate::value::PrivateKey;

/// What each peer of that kind has beside its own, by version.
const EMPTY_CLIENT: [&str; 2] = ["client-address", "client-dns"];

impl Router {
    pub(super) fn complete_interface(
        &mut self,
        id: Option<u64>,
        row: &mut Row,
    ) -> Result<(), Refused> {
        row.fill("type", "wg");
        let name = match row.text("name") {
            Cow::Borrowed("") => self.free_name("interface", "wireguard"),
            name => name.into_owned(),
        };
        if self.interface_named(&name).is_some_and(|(found, _)| Some(found) != id) {
            return Err(Refused::bad("failure: already have interface with such name"));
        }
        row.set("name", name);
        row.fill("mtu", "1420");
        if row.get("listen-port").is_none() {
            row.set("listen-port", self.free_port().to_string());
        }
        if row.get("private-key").is_none() {
            row.set("private-key", PrivateKey::from_bytes(self.draw()).expose_text().as_bytes());
        }
        let public = row.text("private-key").parse::<PrivateKey>().map(|key| key.public());
        row.set("public-key", public.map(|key| key.to_string()).unwrap_or_default());
        Ok(())
    }

    pub(super) fn complete_peer(&mut self, id: Option<u64>, row: &mut Row) -> Result<(), Refused> {
        if row.text("public-key").is_empty() {
            match row.text("private-key").parse::<PrivateKey>() {
                Ok(key) => row.set("public-key", key.public().to_string()),
                Err(_) if self.switches.peer_without_key => {}
                Err(_) => return Err(Refused::missing("public-key")),
            }
        }
        self.check_twins(id, row)?;
        if self.profile.minor >= 15 && row.text("name").is_empty() {
            row.set("name", self.free_peer_name());
        }
        if id.is_none() && !self.switches.empty_client_allowed {
            row.fill("client-allowed-address", "::/0");
        }
        if self.switches.client_allowed_returns && row.text("client-allowed-address").is_empty() {
            row.set("client-allowed-address", "::/0");
        }
        Ok(())
    }

    /// Refuses a peer that cannot be beside another one.
    fn check_twins(&self, id: Option<u64>, row: &Row) -> Result<(), Refused> {
        let switches = &self.switches;
        let (key, name) = (row.get("public-key"), row.get("name"));
        let others = self.rows("peers").filter(|(other, _)| Some(*other) != id);
        for (_, other) in others {
            let same_key = key.is_some_and(|key| !key.is_empty()) && other.get("public-key") == key;
            // Among ten thousand peers, nearly none is worth a closer look.
            if !same_key && !switches.peer_name_is_unique && !switches.refuses_overlap {
                continue;
            }
            let is_neighbour = other.get("interface") == row.get("interface");
            let both_enabled = !row.is_true("disabled") && !other.is_true("disabled");
            let may_be_twin = switches.disabled_twin && !both_enabled;
            if same_key && !may_be_twin && (is_neighbour || switches.key_is_unique) {
                return Err(Refused::entry_exists());
            }
            let same_name = name.is_some_and(|name| !name.is_empty()) && other.get("name") == name;
            if is_neighbour && switches.peer_name_is_unique && same_name {
                return Err(Refused::entry_exists());
            }
            let (ours, theirs) = (row.text("allowed-address"), other.text("allowed-address"));
            let overlaps = || ours.split(',').any(|it| theirs.split(',').any(|its| its == it));
            if is_neighbour && switches.refuses_overlap && overlaps() {
                return Err(Refused::bad("failure: allowed-address overlaps with another peer"));
            }
        }
        Ok(())
    }

    pub(super) fn free_peer_name(&self) -> String {
        self.free_name("peers", "peer")
    }

    /// The first of `peer1`, `peer2`, … that nothing has.
    fn free_name(&self, table: &str, word: &str) -> String {
        let number = |row: &Row| -> Option<usize> {
            let digits = row.get("name")?.strip_prefix(word.as_bytes())?;
            std::str::from_utf8(digits).ok()?.parse().ok()
        };
        // Among n names, one of n + 1 is free.
        let mut is_taken = vec![false; self.rows(table).count() + 2];
        for taken in self.rows(table).filter_map(|(_, row)| number(row)) {
            if let Some(place) = is_taken.get_mut(taken) {
                *place = true;
            }
        }
        let free = is_taken.iter().skip(1).take_while(|taken| **taken).count() + 1;
        format!("{word}{free}")
    }

    fn free_port(&mut self) -> u16 {
        let is_taken = |router: &Self, port: u16| {
            router.rows("interface").any(|(_, row)| row.is("listen-port", &port.to_string()))
        };
        if self.switches.documented_port && !is_taken(self, 13_231) {
            return 13_231;
        }
        loop {
            let bytes = self.draw();
            let port = u16::from_be_bytes([bytes[0] | 0x80, bytes[1]]);
            if !is_taken(self, port) {
                return port;
            }
        }
    }

    pub(super) fn show_any_interface(&self, row: &Row) -> Fields {
        let mut shown = Shown::new(row);
        shown.copy(&["name", "type", "mtu"]).or("disabled", "false").when_set("comment");
        let mtu = row.text("mtu");
        shown.put("actual-mtu", if mtu == "auto" { "1420" } else { &*mtu });
        shown.put("dynamic", "false");
        shown.put("running", if row.is_true("disabled") { "false" } else { "true" });
        shown.put("rx-byte", "0");
        shown.put("tx-byte", "0");
        shown.fields
    }

    pub(super) fn show_interface(&self, id: u64, row: &Row, rights: &Rights) -> Fields {
        let mut shown = Shown::new(row);
        shown.copy(&["name", "listen-port", "mtu", "public-key"]);
        shown.or("disabled", "false").when_set("comment");
        if self.profile.minor >= 21 {
            shown.or("vrf", "main");
        }
        self.show_key(&mut shown, "private-key", rights);
        let has_peers = || self.rows("peers").any(|(_, peer)| peer.is("interface", &print_id(id)));
        let runs = !row.is_true("disabled") && (!self.switches.runs_with_peers || has_peers());
        shown.put("running", if runs { "true" } else { "false" });
        shown.fields
    }

    pub(super) fn show_peer(&self, row: &Row, rights: &Rights) -> Fields {
        let mut shown = Shown::new(row);
        let interface = row.get("interface").unwrap_or_default();
        shown.put("interface", self.show_reference(interface));
        shown.put("allowed-address", self.show_list_value(&row.text("allowed-address")));
        shown.or("public-key", "").or("endpoint-address", "").or("disabled", "false");
        shown.when_set("comment");
        let has_port = !matches!(&*row.text("endpoint-port"), "" | "0");
        if has_port || !self.switches.absent_endpoint_port {
            shown.or("endpoint-port", "0");
        }
        let empty_key = self.switches.empty_preshared_key.then_some("");
        self.show_key_or(&mut shown, "preshared-key", empty_key, rights);
        self.show_keepalive(&mut shown, "persistent-keepalive");
        self.show_newer(&mut shown, rights);
        self.show_session(&mut shown);
        shown.fields
    }

    /// What came after 7.11.
    fn show_newer(&self, shown: &mut Shown<'_>, rights: &Rights) {
        let minor = self.profile.minor;
        if minor < 12 {
            return;
        }
        let switches = &self.switches;
        let unset = match (switches.none_private_key, switches.empty_private_key) {
            (true, _) => Some("none"),
            (false, true) => Some(""),
            (false, false) => None,
        };
        self.show_key_or(shown, "private-key", unset, rights);
        for name in EMPTY_CLIENT {
            let value = self.show_list_value(&shown.row.text(name));
            if !value.is_empty() || !switches.absent_client {
                shown.put(name, value);
            }
        }
        shown.or("client-endpoint", "");
        self.show_keepalive(shown, "client-keepalive");
        if !matches!(&*shown.row.text("client-listen-port"), "" | "0") || switches.zero_client_port
        {
            shown.or("client-listen-port", "0");
        }
        shown.put("dynamic", if shown.row.is_true("dynamic") { "true" } else { "false" });
        if minor >= 15 {
            shown.copy(&["name"]);
            let word = if minor < 17 { "is-responder" } else { "responder" };
            if shown.row.is_true(word) || !switches.absent_responder {
                shown.or(word, "false");
            }
        }
        if minor >= 21 {
            let value = self.show_list_value(&shown.row.text("client-allowed-address"));
            shown.put("client-allowed-address", value);
        }
    }

    fn show_session(&self, shown: &mut Shown<'_>) {
        let is_configured = shown.row.text("endpoint-address").parse::<std::net::IpAddr>().is_ok();
        let (address, port) = match shown.row.get("current-endpoint-address") {
            Some(address) => (address.to_vec(), shown.row.text("current-endpoint-port")),
            None if is_configured => (
                shown.row.text("endpoint-address").as_bytes().to_vec(),
                shown.row.text("endpoint-port"),
            ),
            None => (Vec::new(), Cow::Borrowed("0")),
        };
        let port = port.into_owned();
        shown.put("current-endpoint-address", address);
        shown.put("current-endpoint-port", port);
        shown.or("rx", "0").or("tx", "0");
        let never = match (self.switches.zero_handshake, self.switches.empty_handshake) {
            (true, _) => Some("0s"),
            (false, true) => Some(""),
            (false, false) => None,
        };
        match never {
            Some(never) => shown.or("last-handshake", never),
            None => shown.when_set("last-handshake"),
        };
    }

    fn show_keepalive(&self, shown: &mut Shown<'_>, name: &str) {
        let is_unset = matches!(&*shown.row.text(name), "" | "0s");
        if !is_unset || self.switches.zero_keepalive {
            shown.or(name, "0s");
        }
    }

    fn show_key(&self, shown: &mut Shown<'_>, name: &str, rights: &Rights) {
        self.show_key_or(shown, name, None, rights);
    }

    /// A secret, or a mask for whoever may not see it; what an unset one reads otherwise.
    fn show_key_or(&self, shown: &mut Shown<'_>, name: &str, unset: Option<&str>, rights: &Rights) {
        let is_set = !shown.row.text(name).is_empty();
        let value = match (is_set, rights.sees_secrets()) {
            (true, true) => Some(shown.row.text(name).into_owned()),
            (true, false) if self.switches.absent_keys => None,
            (true, false) => Some("*".repeat(if self.switches.long_masks { 8 } else { 5 })),
            (false, _) => unset.map(str::to_owned),
        };
        if let Some(value) = value {
            shown.put(name, value);
        }
    }

    fn show_list_value(&self, list: &str) -> String {
        if self.switches.blanks_in_lists { list.replace(',', ", ") } else { list.to_owned() }
    }
}

/// The properties of a reply, from an object.
pub(super) struct Shown<'a> {
    pub(super) row: &'a Row,
    pub(super) fields: Fields,
}

impl<'a> Shown<'a> {
    pub(super) fn new(row: &'a Row) -> Self {
        Self { row, fields: Fields::new() }
    }

    pub(super) fn put(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.fields.insert(name.to_owned(), value.as_ref().to_vec());
    }

    /// Shows what is always set.
    pub(super) fn copy(&mut self, names: &[&str]) -> &mut Self {
        for name in names {
            self.or(name, "");
        }
        self
    }

    /// Shows a value, or this one where there is none.
    pub(super) fn or(&mut self, name: &str, default: &str) -> &mut Self {
        let value = self.row.get(name).unwrap_or(default.as_bytes());
        self.put(name, value);
        self
    }

    /// Shows a value unless it is empty.
    pub(super) fn when_set(&mut self, name: &str) -> &mut Self {
        if let Some(value) = self.row.get(name).filter(|value| !value.is_empty()) {
            self.put(name, value);
        }
        self
    }
}
