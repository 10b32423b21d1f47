//! Which peer of an interface gets the packets to a network: the one to whom it was given last.
//!
//! WireGuard has each network of an interface with one peer only. Another peer that is given the same takes it silently, and the one
//! that has lost it goes on listing it, and does not get it back when the other one goes.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::simulator::routeros::router::Router;
use crate::simulator::routeros::table::Row;
use crate::simulator::routeros::value::{parse_id, print_id};

/// The properties of a peer with which its networks are given to it anew.
const GIVES: [&str; 4] = ["interface", "public-key", "allowed-address", "disabled"];

/// Peers by the interface and the network.
#[derive(Default)]
pub(super) struct Carried(BTreeMap<(u64, IpNet), u64>);

impl Carried {
    fn give(&mut self, id: u64, row: &Row) {
        if !row.is_true("disabled") {
            self.0.extend(places(row).map(|place| (place, id)));
        }
    }

    fn take(&mut self, id: u64, row: &Row) {
        for place in places(row) {
            if self.0.get(&place) == Some(&id) {
                self.0.remove(&place);
            }
        }
    }
}

fn places(row: &Row) -> impl Iterator<Item = (u64, IpNet)> {
    let interface = parse_id(&row.text("interface")).unwrap_or_default();
    let text = row.text("allowed-address").into_owned();
    let networks: Vec<IpNet> = text.split(',').filter_map(|it| it.trim().parse().ok()).collect();
    networks.into_iter().map(move |network| (interface, network.trunc()))
}

impl Router {
    /// Gives a peer its networks, if it was made or something of them was written.
    pub(super) fn carry(&mut self, id: u64, before: Option<&Row>, written: &[&str]) {
        if before.is_some() && !written.iter().any(|name| GIVES.contains(name)) {
            return;
        }
        if let Some(before) = before {
            self.carried.take(id, before);
        }
        if let Some(row) = self.row("peers", id).cloned() {
            self.carried.give(id, &row);
        }
    }

    /// Gives the peers their networks one after another, as when the router starts.
    pub(super) fn carry_all(&mut self) {
        let mut carried = Carried::default();
        self.rows("peers").for_each(|(id, row)| carried.give(id, row));
        self.carried = carried;
    }

    /// Returns the key of the peer that gets the packets to a network of an interface.
    pub(super) fn carrier(&self, interface: &str, network: IpNet) -> Option<String> {
        let (interface, _) = self.interface_named(interface)?;
        let id = self.carried.0.get(&(interface, network.trunc()))?;
        let row = self.row("peers", *id).filter(|it| it.is("interface", &print_id(interface)))?;
        Some(row.text("public-key").into_owned())
    }
}
