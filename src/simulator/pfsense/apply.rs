//! What is written becomes what runs: the two applies, which answer what was the case before them, and the background
//! processes that do it.

use std::sync::Arc;

use crate::simulator::pfsense::config::{Config, text_of};
use crate::simulator::pfsense::firewall::{Firewall, Job, JobKind};
use crate::simulator::pfsense::request::Refused;
use crate::simulator::pfsense::value::Value;

/// How many processes of a kind there may be.
const MOST_JOBS: usize = 10;

impl Firewall {
    /// Lets background processes go on by one request. Those that had waited long enough before it end.
    pub(super) fn go_on(&mut self) {
        let jobs = std::mem::take(&mut self.runtime.jobs);
        let (ended, going_on): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.left == 0);
        let later = going_on.into_iter().map(|job| Job { left: job.left - 1, ..job });
        self.runtime.jobs = later.collect();
        ended.into_iter().for_each(|job| self.carry_out(job.kind));
    }

    /// Starts an apply, in the background or at once.
    pub(super) fn apply(&mut self, kind: JobKind, is_async: bool) -> Result<(), Refused> {
        if kind == JobKind::WireGuard && !self.runtime.has_wireguard {
            return Err(Refused::no_package(424, "DISPATCHER_MISSING_REQUIRED_PACKAGE"));
        }
        if self.runtime.jobs.iter().filter(|job| job.kind == kind).count() >= MOST_JOBS {
            return Err(Refused::too_many_processes());
        }
        match is_async {
            true => self.runtime.jobs.push(Job { kind, left: self.runtime.wait }),
            false => self.carry_out(kind),
        }
        Ok(())
    }

    fn carry_out(&mut self, kind: JobKind) {
        let config = Arc::clone(&self.config);
        match kind {
            JobKind::WireGuard => self.apply_wireguard(&config),
            JobKind::Interfaces => self.apply_interfaces(&config),
        }
    }

    fn apply_wireguard(&mut self, config: &Config) {
        // Without the service there is nothing to apply to, and that counts as applied too.
        if self.runtime.has_wireguard
            && Arc::make_mut(&mut self.kernel).toggle(config, self.switches)
        {
            let names = std::mem::take(&mut self.runtime.apply_list);
            Arc::make_mut(&mut self.kernel).sync(config, &names, self.switches);
        }
        self.runtime.is_pending = false;
    }

    fn apply_interfaces(&mut self, config: &Config) {
        for id in std::mem::take(&mut self.runtime.pending_interfaces) {
            let Some(interface) = config.interface(&id) else { continue };
            if let Some(device) =
                Arc::make_mut(&mut self.kernel).device_mut(text_of(interface, "if"))
            {
                device.follow(interface);
            }
        }
    }

    /// Returns what of WireGuard is applied.
    pub(super) fn wireguard_state(&self) -> Value {
        Value::map([("applied", (!self.runtime.is_pending).into())])
    }

    /// Returns which interfaces are pending.
    pub(super) fn interface_state(&self) -> Value {
        let pending = &self.runtime.pending_interfaces;
        let by = self.api("represent_interfaces_as");
        let name = |id: &String| match (self.config.interface(id), by.text()) {
            (Some(interface), Some(field @ ("descr" | "if"))) => text_of(interface, field).into(),
            _ => Value::from(id.as_str()),
        };
        Value::map([
            ("applied", pending.is_empty().into()),
            ("pending_interfaces", Value::List(pending.iter().map(name).collect())),
        ])
    }

    /// Refuses to apply while an interface is pending that is gone.
    pub(super) fn check_pending_interfaces(&self) -> Result<(), Refused> {
        let is_gone = |id: &&String| self.config.interface(id).is_none();
        if !self.runtime.pending_interfaces.iter().any(|id| is_gone(&id)) {
            return Ok(());
        }
        let ids: Vec<&str> = self.config.interfaces.iter().map(|it| text_of(it, "id")).collect();
        let why = format!("Field `pending_interfaces` must be one of [{}]", ids.join(", "));
        Err(Refused::bad("FIELD_INVALID_CHOICE", why))
    }
}
