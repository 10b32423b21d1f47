//! The locks of devices: advisory locks whose numbers are the same for all states of the database, whatever table they
//! are in. Who holds one is said in the table of the holder.

use crate::store::remote::postgres::{Database, Failure, Seat, Session, schema};
use crate::store::remote::{DeviceWish, HeldDevice};

/// How the names of their rows begin. A state may have such a name, and has another number all the same.
const PREFIX: &str = "wgform-device ";

impl Database {
    pub(super) async fn ask_device(
        &self,
        session: &mut Session,
        device: &str,
        wish: DeviceWish<'_>,
    ) -> Result<(), Failure> {
        let seat = seat(device);
        match wish {
            DeviceWish::Take(info) => self.take_lock(session, &seat, info).await,
            DeviceWish::Renew(info) => self.renew_lock(session, &seat, info).await,
            DeviceWish::GiveBack(info) => self.give_lock_back(session, &seat, info).await,
            DeviceWish::TakeAway(id) => self.take_lock_away(session, &seat, id).await,
        }
    }

    /// Returns those that somebody holds whose state is in the same table.
    pub(super) async fn held_devices(
        &self,
        session: &mut Session,
    ) -> Result<Vec<HeldDevice>, Failure> {
        let client = self.ready(session).await?;
        if !schema::is_there(client, &self.names).await? {
            return Ok(Vec::new());
        }
        let query = format!(
            "SELECT name FROM {} WHERE starts_with(name, '{PREFIX}') ORDER BY name",
            self.names.lock
        );
        let mut devices = Vec::new();
        for row in client.query(&query, &[]).await? {
            let name: &str = row.try_get(0)?;
            let Some(device) = name.strip_prefix(PREFIX) else { continue };
            if let Some(held) = self.lock_holder(client, &seat(device)).await? {
                devices.push(HeldDevice { device: device.to_owned(), held });
            }
        }
        Ok(devices)
    }
}

/// Returns the seat whose row has a name; none when it is the row of a state.
pub(super) fn of_name(name: &str) -> Option<Seat> {
    name.strip_prefix(PREFIX).map(seat)
}

pub(super) fn seat(device: &str) -> Seat {
    let name = format!("{PREFIX}{device}");
    // No name of a table begins so.
    Seat::new(name.clone(), &name)
}
