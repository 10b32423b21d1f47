//! Tunnels: found again by their name before they are changed or removed, and never removed before their peers.

use std::num::NonZeroU16;

use crate::backend::pfsense::client::{Body, Failure};
use crate::backend::pfsense::snapshot::{self, TUNNEL};
use crate::backend::pfsense::wire::{Tunnel, TunnelRow, Version};
use crate::backend::pfsense::wish::{self, Assignment, Misfit};
use crate::backend::pfsense::write::assign::Assigned;
use crate::backend::pfsense::write::{Check, Done, Job, SHIFTS, Written, is_shifted, is_taken};
use crate::backend::{BackendError, REPLACED, REPLACED_HINT};
use crate::resource::{Field, Fields, Setting, Settings};
use crate::value::{PrivateKey, PublicKey};

/// What is said of addresses that would not count.
const BELONGS_TO_ASSIGN: &str = "the tunnel is assigned to an interface of the firewall, which has the addresses: write them into `assign`";

impl Job<'_> {
    pub(super) async fn create_tunnel(
        &mut self,
        attempt: &str,
        name: &str,
        key: Option<&PrivateKey>,
        fields: &Fields,
    ) -> Done {
        let misfit = |attribute, hint| self.misfit(attempt, &Misfit::new(attribute, hint));
        let key = key.ok_or_else(|| misfit("private_key", "a firewall makes no keys"))?;
        let number = name.strip_prefix("tun_wg").filter(|it| !it.is_empty());
        if !number.is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(misfit("name", "a tunnel of a firewall is called `tun_wgN`"));
        }
        let settings = wish::all(fields);
        let assignment =
            wish::assignment(&settings, fields).map_err(|it| self.misfit(attempt, &it))?;
        let (after, sent) = self.make_tunnel(attempt, name, key, &settings, &assignment).await?;
        if let Assignment::Put(wish) = &assignment
            && let Err(error) = self.assign(attempt, name, wish).await
        {
            if self.end.is_some() {
                return Err(error);
            }
            // What is half made would be in the way of the next try. When this fails too, the next plan shows it.
            let row = self.tunnel_row(attempt, name).await?;
            let is_ours = |it: &Tunnel| it.public_key == key.public();
            if row.and_then(|it| it.tunnel().ok()).is_some_and(|it| is_ours(&it)) {
                _ = self.delete_tunnel(attempt, name, Some(key.public())).await;
            }
            return Err(error);
        }
        let is_asked = settings.contains_key("listen_port");
        let port = after.listen_port.filter(|_| !is_asked);
        let fields = port.map(|port| ("listen_port", Field::Number(port.get().into())));
        let check = Check::Tunnel { after: Box::new(after), sent };
        Ok(Written { check, fields: fields.into_iter().collect() })
    }

    /// Makes a tunnel, on a port that is free unless one is asked for.
    async fn make_tunnel(
        &mut self,
        attempt: &str,
        name: &str,
        key: &PrivateKey,
        settings: &Settings,
        assignment: &Assignment,
    ) -> Result<(Tunnel, Body), BackendError> {
        let client = self.client;
        for _ in 0..SHIFTS {
            let read = snapshot::tunnels(client).await.map_err(|failure| failure.error)?;
            let (tunnels, odd) = read;
            let mut names =
                tunnels.iter().map(|it| &it.name).chain(odd.iter().map(|it| &it.tunnel));
            if names.any(|it| it == name) {
                let hint = "import it, or plan again for another name";
                return Err(self.error(attempt, "a tunnel of that name is there already", hint));
            }
            if !self.peers_of(attempt, name).await?.is_empty() {
                let reason = "peers of a tunnel that is gone still point to that name, and it would take them on";
                let hint =
                    "plan again for another name, or remove them in `VPN > WireGuard > Peers`";
                return Err(self.error(attempt, reason, hint));
            }
            let port = wish::free_port(&tunnels).unwrap_or(NonZeroU16::MAX);
            let made = wish::new_tunnel(name, port, key);
            let after = wish::tunnel(settings, &made, Some(key), Some(port))
                .map_err(|it| self.misfit(attempt, &it))?;
            if *assignment != Assignment::Leave && !after.addresses.is_empty() {
                return Err(self.misfit(attempt, &Misfit::new("addresses", BELONGS_TO_ASSIGN)));
            }
            let body = wish::tunnel_creation(&after, key);
            match self.send(client.post::<TunnelRow>(attempt, TUNNEL, &body)).await {
                Ok(row) => self.compare_tunnel(attempt, &after, &row, &body)?,
                // Somebody took the port just now.
                Err(failure) if is_taken(&failure) && !settings.contains_key("listen_port") => {
                    continue;
                }
                Err(failure) => self.prove_tunnel(attempt, &after, &body, failure).await?,
            }
            return Ok((after, body));
        }
        Err(self.restless(attempt))
    }

    pub(super) async fn update_tunnel(
        &mut self,
        attempt: &str,
        name: &str,
        key: Option<&PrivateKey>,
        settings: &Settings,
        wanted: &Fields,
    ) -> Done {
        let assignment =
            wish::assignment(settings, wanted).map_err(|it| self.misfit(attempt, &it))?;
        if assignment == Assignment::Release {
            self.release(attempt, name).await?;
        }
        let is_open = settings.get("listen_port") == Some(&Setting::Clear);
        let free = match is_open {
            true => {
                wish::free_port(&snapshot::tunnels(self.client).await.map_err(|it| it.error)?.0)
            }
            false => None,
        };
        let (after, sent) =
            self.change_tunnel(attempt, name, key, settings, free, &assignment).await?;
        if let Assignment::Put(wish) = &assignment {
            self.assign(attempt, name, wish).await?;
        }
        let port = after.listen_port.filter(|_| is_open);
        let fields = port.map(|port| ("listen_port", Field::Number(port.get().into())));
        let check = Check::Tunnel { after: Box::new(after), sent };
        Ok(Written { check, fields: fields.into_iter().collect() })
    }

    async fn change_tunnel(
        &mut self,
        attempt: &str,
        name: &str,
        key: Option<&PrivateKey>,
        settings: &Settings,
        free: Option<NonZeroU16>,
        assignment: &Assignment,
    ) -> Result<(Tunnel, Body), BackendError> {
        for _ in 0..SHIFTS {
            let Some(row) = self.tunnel_row(attempt, name).await? else {
                return Err(self.gone(attempt));
            };
            let before = row.tunnel().map_err(|it| self.strange(attempt, &it))?;
            let after = wish::tunnel(settings, &before, key, free)
                .map_err(|it| self.misfit(attempt, &it))?;
            let mut sent = wish::tunnel_change(&before, &after, key);
            if sent.is_empty() && (after.addresses.is_empty() || *assignment == Assignment::Leave) {
                return Ok((after, sent));
            }
            self.guard_addresses(attempt, &before, &after, &sent, assignment).await?;
            sent.set("id", before.id);
            // Whom it means: with another tunnel at that place, the firewall refuses.
            sent.set("name", name);
            let client = self.client;
            match self.send(client.patch::<TunnelRow>(attempt, TUNNEL, &sent)).await {
                Ok(row) => self.compare_tunnel(attempt, &after, &row, &sent)?,
                Err(failure) if is_shifted(&failure) && !is_port_taken(&failure, &sent) => continue,
                Err(failure) => self.prove_tunnel(attempt, &after, &sent, failure).await?,
            }
            return Ok((after, sent));
        }
        Err(self.restless(attempt))
    }

    /// Refuses a change that takes away the addresses of an assigned tunnel, or gives it some that do not count.
    async fn guard_addresses(
        &self,
        attempt: &str,
        before: &Tunnel,
        after: &Tunnel,
        sent: &Body,
        assignment: &Assignment,
    ) -> Result<(), BackendError> {
        if after.addresses.is_empty() {
            return Ok(());
        }
        let belongs = || self.misfit(attempt, &Misfit::new("addresses", BELONGS_TO_ASSIGN));
        match assignment {
            Assignment::Put(_) => return Err(belongs()),
            Assignment::Release => return Ok(()),
            Assignment::Leave => {}
        }
        let Assigned::To(port) = self.assigned(attempt, &before.name).await? else { return Ok(()) };
        if sent.has("addresses") {
            return Err(belongs());
        }
        if self.version < Version::SCRUBS {
            return Ok(());
        }
        let reason = format!(
            "the tunnel is assigned to `{}`, and any change of it would take away the addresses that are stored with it",
            port.description
        );
        let hint = "move them into `assign`, or remove them in `VPN > WireGuard > Tunnels`: while it is assigned, they do not count";
        Err(self.error(attempt, reason, hint))
    }

    /// Compares what the firewall answers with what was meant. What was not sent may have been changed by somebody else.
    fn compare_tunnel(
        &self,
        attempt: &str,
        after: &Tunnel,
        row: &TunnelRow,
        sent: &Body,
    ) -> Result<(), BackendError> {
        let echo = row.tunnel().map_err(|it| self.strange(attempt, &it))?;
        if !sent.has("addresses") && echo.addresses.is_empty() && !after.addresses.is_empty() {
            let reason = "the firewall took away the addresses of the tunnel, because it is assigned to an interface";
            let hint = "write them into `assign`, and give the user the privilege `api-v2-interfaces-get`, with which this is seen beforehand";
            return Err(self.error(attempt, reason, hint));
        }
        match wish::tunnel_difference(after, &echo, |field| sent.has(field)) {
            Some(attribute) => Err(self.differs(attempt, attribute)),
            None => Ok(()),
        }
    }

    /// Looks for a tunnel after a failure, and returns the failure unless it is there as it was to be.
    async fn prove_tunnel(
        &self,
        attempt: &str,
        after: &Tunnel,
        sent: &Body,
        failure: Failure,
    ) -> Result<(), BackendError> {
        if !failure.may_have_changed {
            return Err(failure.error);
        }
        let row = self.tunnel_row(attempt, &after.name).await?;
        match row.is_some_and(|row| self.compare_tunnel(attempt, after, &row, sent).is_ok()) {
            true => Ok(()),
            false => Err(failure.error),
        }
    }

    /// Removes a tunnel with everything on it: first its interface, with which its device could not be missed, then its
    /// peers, which would wait for the next tunnel of its name.
    pub(super) async fn delete_tunnel(
        &mut self,
        attempt: &str,
        name: &str,
        public_key: Option<PublicKey>,
    ) -> Done {
        if let Some(row) = self.tunnel_row(attempt, name).await? {
            let is_other = |key| row.tunnel().is_ok_and(|it| it.public_key != key);
            if public_key.is_some_and(is_other) {
                return Err(self.error(attempt, REPLACED, REPLACED_HINT));
            }
            self.release(attempt, name).await?;
            self.clear_peers(attempt, name).await?;
            self.remove_tunnel(attempt, name).await?;
        }
        Ok(Written::new(Check::NoTunnel(name.to_owned())))
    }

    async fn remove_tunnel(&mut self, attempt: &str, name: &str) -> Result<(), BackendError> {
        let Some(row) = self.tunnel_row(attempt, name).await? else { return Ok(()) };
        let id = row.id().map_err(|it| self.strange(attempt, &it))?.to_string();
        let client = self.client;
        match self.send(client.delete::<TunnelRow>(attempt, TUNNEL, ("id", &id))).await {
            Ok(echo) if echo.name() == name => Ok(()),
            Ok(echo) => Err(self.give_tunnel_back(attempt, &echo).await),
            Err(failure) if failure.may_have_changed => match self.tunnel_row(attempt, name).await?
            {
                None => Ok(()),
                Some(_) => Err(failure.error),
            },
            Err(failure) => Err(failure.error),
        }
    }

    /// Makes a tunnel again that was removed in the place of another one, where its key is known.
    async fn give_tunnel_back(&mut self, attempt: &str, echo: &TunnelRow) -> BackendError {
        let reason =
            format!("somebody changed the list in between, and `{}` was removed", echo.name());
        let made = echo.tunnel().ok();
        if let Some(tunnel) = &made
            && let Some(key) = &tunnel.private_key
        {
            let (client, body) = (self.client, wish::tunnel_creation(tunnel, key));
            let again = self.send(client.post::<TunnelRow>(attempt, TUNNEL, &body)).await;
            if again.is_ok_and(|it| it.name() == tunnel.name) {
                return self.error(attempt, format!("{reason}; it was made again"), "plan again");
            }
        }
        let hint = "take it from `Diagnostics > Backup & Restore > Config History` at once: its key is not shown";
        self.error(attempt, reason, hint)
    }
}

/// Returns whether a refusal is about the port that was sent, and not about the place of the tunnel: its name is guarded
/// by an answer of its own.
fn is_port_taken(failure: &Failure, sent: &Body) -> bool {
    is_taken(failure) && sent.has("listenport")
}
