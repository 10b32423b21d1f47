//! The order in which a menu prints its objects, and what a new object takes from another one.

use crate::simulator::routeros::menu::Menu;
use crate::simulator::routeros::request::Refused;
use crate::simulator::routeros::router::{Arguments, Router};
use crate::simulator::routeros::table::Row;

/// The property that nobody sees, with the place of an object that was given one.
const PLACE: &str = "(place)";

/// The room between two objects that were made one after another.
const STEP: u64 = 1 << 20;

/// What an object does not hand on.
const OWN: [&str; 9] = [
    "name",
    "dynamic",
    "public-key",
    PLACE,
    "current-endpoint-address",
    "current-endpoint-port",
    "last-handshake",
    "rx",
    "tx",
];

/// What `add` was told besides properties.
#[derive(Default)]
pub(super) struct Helpers {
    /// What the object begins with.
    pub(super) base: Row,
    /// Before which other one it is put.
    before: Option<u64>,
}

/// Returns where an object stands among the others.
pub(super) fn place(id: u64, row: &Row) -> u64 {
    row.text(PLACE).parse().unwrap_or(id.saturating_mul(STEP))
}

impl Router {
    /// Takes `copy-from` and `place-before` out of the arguments of `add`.
    pub(super) fn take_helpers(
        &self,
        menu: &Menu,
        arguments: &mut Arguments,
    ) -> Result<Helpers, Refused> {
        if !menu.is_ordered {
            return Ok(Helpers::default());
        }
        let mut other = |name: &str| -> Result<Option<u64>, Refused> {
            let Some(word) = arguments.set.remove(name) else { return Ok(None) };
            self.find(menu, &word).map(Some).map_err(|_| Refused::no_match(name))
        };
        let (from, before) = (other("copy-from")?, other("place-before")?);
        let mut base = from.and_then(|id| self.row(menu.table, id)).cloned().unwrap_or_default();
        base.0.retain(|name, _| !OWN.contains(&name.as_str()));
        Ok(Helpers { base, before })
    }

    /// Puts a new object where it was wanted.
    pub(super) fn place_new(&mut self, menu: &'static Menu, id: u64, helpers: &Helpers) {
        if helpers.before.is_some() {
            self.put_before(menu, id, helpers.before);
        }
    }

    /// Puts an object before another one, or at the end.
    pub(super) fn put_before(&mut self, menu: &'static Menu, id: u64, before: Option<u64>) {
        let mut order: Vec<u64> = self.in_order(menu).into_iter().filter(|it| *it != id).collect();
        let at = before.and_then(|before| order.iter().position(|it| *it == before));
        order.insert(at.unwrap_or(order.len()), id);
        for (place, id) in (1..).zip(order) {
            if let Some(row) = self.table(menu.table).rows.get_mut(&id) {
                row.set(PLACE, (place * STEP).to_string());
            }
            self.touched.insert((menu.table, id));
        }
    }

    fn in_order(&self, menu: &Menu) -> Vec<u64> {
        let mut all: Vec<_> = self.rows(menu.table).map(|(id, row)| (place(id, row), id)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, id)| id).collect()
    }
}
