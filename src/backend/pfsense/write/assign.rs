//! The interface of the firewall that a tunnel is assigned to, without which nothing is routed into it.
//!
//! A change of interfaces is brought to the kernel together with all others that wait for it, so that somebody else's are
//! waited for. One that waits when its interface goes blocks every later one, so that it is applied before.

use crate::backend::BackendError;
use crate::backend::pfsense::client::{Body, Cause, Failure};
use crate::backend::pfsense::snapshot::{self, PORT, PORT_APPLY, PORTS};
use crate::backend::pfsense::wire::{List, Port, PortRow, Scalar};
use crate::backend::pfsense::wish::{self, PortWish};
use crate::backend::pfsense::write::Job;
use crate::backend::pfsense::write::apply::{Pending, ended};

/// What a tunnel is assigned to.
pub(super) enum Assigned {
    /// To this interface.
    To(Port),
    /// To none.
    Nowhere,
    /// This user may not see it.
    Unknown,
}

impl Job<'_> {
    /// Looks to what a tunnel is assigned.
    pub(super) async fn assigned(
        &self,
        attempt: &str,
        tunnel: &str,
    ) -> Result<Assigned, BackendError> {
        let rows = self.client.get_once(attempt, PORTS, &[("if", tunnel)]).await;
        let rows: List<PortRow> = match rows {
            Ok(rows) => rows,
            Err(Failure { cause: Cause::NotPermitted, .. }) => return Ok(Assigned::Unknown),
            Err(failure) => return Err(failure.error),
        };
        let row = rows.0.iter().find(|row| row.device() == tunnel);
        Ok(row.map_or(Assigned::Nowhere, |row| Assigned::To(row.port())))
    }

    /// Assigns a tunnel, or changes the interface that it is assigned to.
    pub(super) async fn assign(
        &mut self,
        attempt: &str,
        tunnel: &str,
        wish: &PortWish,
    ) -> Result<(), BackendError> {
        let ports = self.ports(attempt).await?;
        let before = ports.iter().find(|it| it.device == tunnel);
        let mut body = wish::port_change(before, wish);
        if body.is_empty() {
            return Ok(());
        }
        self.wait_for_others(attempt, &ports, before).await?;
        // What is applied by the write itself is not held up by an interface that is gone.
        body.set("apply", true);
        body.set("async", false);
        let client = self.client;
        let answer = match before {
            Some(port) => {
                body.set("id", port.id.as_str());
                self.send(client.patch::<PortRow>(attempt, PORT, &body)).await
            }
            None => {
                self.bring_up(attempt).await?;
                body.set("if", tunnel);
                self.send(client.post::<PortRow>(attempt, PORT, &body)).await
            }
        };
        let port = match answer {
            Ok(row) => row.port(),
            Err(failure) if self.end.is_some() => return Err(failure.error),
            // It may be stored, and only its apply have failed.
            Err(failure) => match self.assigned(attempt, tunnel).await? {
                Assigned::To(port) if wish::port_difference(wish, &port).is_none() => port,
                _ => return Err(failure.error),
            },
        };
        if port.device != tunnel {
            let reason = format!(
                "somebody changed the interfaces in between, and `{}` was changed",
                port.description
            );
            let hint = "take it from `Diagnostics > Backup & Restore > Config History` at once";
            return Err(self.error(attempt, reason, hint));
        }
        if let Some(attribute) = wish::port_difference(wish, &port) {
            return Err(self.differs(attempt, attribute));
        }
        let is_done = async || Ok(!waits(&self.pending(attempt).await?, &port));
        ended(client, is_done).await
    }

    /// Brings what is stored to the kernel: only what is there can be assigned.
    async fn bring_up(&mut self, attempt: &str) -> Result<(), BackendError> {
        if !snapshot::is_enabled(self.client).await.map_err(|failure| failure.error)? {
            let hint = "set `manage_service = true` on the backend, or enable it in `VPN > WireGuard > Settings`";
            return Err(self.error(
                attempt,
                "WireGuard is switched off, and what is not in the kernel cannot be assigned",
                hint,
            ));
        }
        // A run that was cut off may have left the tunnel stored, and no more.
        if !self.is_dirty {
            self.is_dirty =
                !snapshot::is_applied(self.client).await.map_err(|failure| failure.error)?;
        }
        self.apply().await
    }

    /// Takes a tunnel off its interface, which goes with its firewall rules.
    pub(super) async fn release(
        &mut self,
        attempt: &str,
        tunnel: &str,
    ) -> Result<(), BackendError> {
        let port = match self.assigned(attempt, tunnel).await? {
            Assigned::To(port) => port,
            Assigned::Nowhere => return Ok(()),
            Assigned::Unknown => {
                let reason = "the firewall does not tell this user whether the tunnel is assigned, and without its device the firewall may not start";
                let hint = "give the user the privilege `api-v2-interfaces-get`, in `System > User Manager`";
                return Err(self.error(attempt, reason, hint));
            }
        };
        let ports = self.ports(attempt).await?;
        let pending = self.wait_for_others(attempt, &ports, Some(&port)).await?;
        let client = self.client;
        if waits(&pending, &port) {
            let mut body = Body::of("id", port.id.as_str());
            body.set("apply", true);
            body.set("async", false);
            self.send(client.patch::<Scalar>(attempt, PORT, &body)).await.map_err(|it| it.error)?;
        }
        match self.send(client.delete::<PortRow>(attempt, PORT, ("id", &port.id))).await {
            Ok(echo) if echo.device() == tunnel => {}
            Ok(echo) => {
                let reason = format!(
                    "somebody changed the interfaces in between, and that of `{}` was removed",
                    echo.device()
                );
                let hint = "take it from `Diagnostics > Backup & Restore > Config History` at once";
                return Err(self.error(attempt, reason, hint));
            }
            Err(failure) if self.end.is_some() => return Err(failure.error),
            Err(failure) => match self.assigned(attempt, tunnel).await? {
                Assigned::Nowhere => {}
                _ => return Err(failure.error),
            },
        }
        // The packet filter still has the rules; that it cannot be loaded again now is no reason to stop.
        _ = self.send(client.post::<Scalar>(attempt, PORT_APPLY, &Body::of("async", false))).await;
        Ok(())
    }

    /// Refuses while changes of other interfaces wait, which would be brought to the kernel too. What waits for an
    /// interface that is gone is nobody's. Returns what waits.
    async fn wait_for_others(
        &self,
        attempt: &str,
        ports: &[Port],
        own: Option<&Port>,
    ) -> Result<Vec<String>, BackendError> {
        let pending = self.pending(attempt).await.map_err(|failure| failure.error)?;
        let is_other = |it: &&Port| waits(&pending, it) && own.is_none_or(|own| own.id != it.id);
        let others: Vec<_> =
            ports.iter().filter(is_other).map(|it| format!("`{}`", it.description)).collect();
        if others.is_empty() {
            return Ok(pending);
        }
        let reason = format!(
            "changes of {} wait to be applied, and would be applied with it",
            others.join(", ")
        );
        let hint = "apply them, or take them back, in `Interfaces`";
        Err(self.error(attempt, reason, hint))
    }

    async fn pending(&self, attempt: &str) -> Result<Vec<String>, Failure> {
        let Pending { applied, pending_interfaces } =
            self.client.get(attempt, PORT_APPLY, &[]).await?;
        Ok(if applied { Vec::new() } else { pending_interfaces })
    }

    async fn ports(&self, attempt: &str) -> Result<Vec<Port>, BackendError> {
        let rows = self.client.get(attempt, PORTS, &[]).await;
        let List(rows): List<PortRow> = rows.map_err(|failure| failure.error)?;
        Ok(rows.iter().map(PortRow::port).collect())
    }
}

/// Returns whether a change of an interface waits to be applied. The package calls interfaces as it is set to.
fn waits(pending: &[String], Port { id, device, description, .. }: &Port) -> bool {
    pending.iter().any(|it| [id, device, description].contains(&it))
}
