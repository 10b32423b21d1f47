//! The firewall: what it has stored, what of that is pending, what runs, and what was installed on it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::simulator::pfsense::config::{Config, Object, Store};
use crate::simulator::pfsense::kernel::Kernel;
use crate::simulator::pfsense::profile::{Profile, Switches};
use crate::simulator::pfsense::value::Value;

/// How many requests a background process takes when nobody has said.
const USUAL_WAIT: u32 = 1;

/// A firewall.
pub(super) struct Firewall {
    pub(super) profile: &'static Profile,
    pub(super) switches: Switches,
    pub(super) seed: u64,
    pub(super) booted_at: Timestamp,
    /// Every request begins with it, and a write puts another one in its place.
    pub(super) config: Arc<Config>,
    pub(super) runtime: Runtime,
    pub(super) kernel: Arc<Kernel>,
}

/// What is not in the configuration, and not in the kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Runtime {
    pub(super) has_wireguard: bool,
    pub(super) package: Package,
    /// Whether there are writes that were not applied.
    pub(super) is_pending: bool,
    /// The tunnels that the next apply is for; all when there is none.
    pub(super) apply_list: Vec<String>,
    /// The ids of the interfaces with writes that were not applied.
    pub(super) pending_interfaces: Vec<String>,
    pub(super) jobs: Vec<Job>,
    /// For how many further requests a background process runs.
    pub(super) wait: u32,
    /// The id of the machine, when it is not the one that the seed gives.
    pub(super) netgate_id: Option<String>,
    pub(super) hostname: String,
    pub(super) domain: String,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            has_wireguard: true,
            package: Package::Present,
            is_pending: false,
            apply_list: Vec::new(),
            pending_interfaces: Vec::new(),
            jobs: Vec::new(),
            wait: USUAL_WAIT,
            netgate_id: None,
            hostname: "pfSense".to_owned(),
            domain: "home.arpa".to_owned(),
        }
    }
}

/// Whether the REST API package is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Package {
    /// It is.
    Present,
    /// It is being installed.
    Updating,
    /// An upgrade of the system took it away.
    Absent,
}

/// A background process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) kind: JobKind,
    /// How many requests it still goes on for.
    pub(super) left: u32,
}

/// What a background process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum JobKind {
    WireGuard,
    Interfaces,
}

impl Firewall {
    /// Makes one as it is delivered, with both packages: only passwords let somebody in, and WireGuard is off.
    pub(super) fn new(profile: &'static Profile, seed: u64, now: Timestamp) -> Self {
        let object = |entries: &[(&str, Value)]| {
            let entries = entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            Arc::new(entries.collect::<Object>())
        };
        let interface = |id: &str, device: &str, address: &str| {
            object(&[
                ("id", id.into()),
                ("if", device.into()),
                ("enable", true.into()),
                ("descr", id.to_uppercase().into()),
                ("ipaddr", address.into()),
                ("subnet", Value::Int(24)),
            ])
        };
        let config = Config {
            interfaces: vec![
                interface("wan", "em0", "192.0.2.2"),
                interface("lan", "em1", "192.168.1.1"),
            ],
            settings: object(&[
                ("keep_conf", true.into()),
                ("hide_secrets", true.into()),
                ("hide_peers", true.into()),
                ("enable", false.into()),
                ("resolve_interval_track", false.into()),
            ]),
            api: standard_api(),
            ..Config::default()
        };
        Self {
            profile,
            switches: Switches::default(),
            seed,
            booted_at: now,
            config: Arc::new(config),
            runtime: Runtime::default(),
            kernel: Arc::default(),
        }
    }

    /// Returns the id of the machine.
    pub(super) fn netgate_id(&self) -> String {
        if let Some(id) = &self.runtime.netgate_id {
            return id.clone();
        }
        let digest = Sha256::digest(self.seed.to_be_bytes());
        digest.iter().take(10).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns the interfaces that the kernel has.
    pub(super) fn devices(&self) -> Vec<String> {
        let tunnels = self.kernel.devices.iter().map(|device| device.name.clone());
        ["em0", "em1"].map(str::to_owned).into_iter().chain(tunnels).collect()
    }

    /// Returns a setting of the REST API.
    pub(super) fn api(&self, name: &str) -> Value {
        let standard =
            || Store::Api.model().fields.iter().find(|field| field.name == name)?.standard();
        self.config.api.get(name).cloned().or_else(standard).unwrap_or_default()
    }

    /// Starts again: what was stored runs, and what was pending is forgotten.
    pub(super) fn reboot(&mut self, now: Timestamp) {
        self.booted_at = now;
        self.runtime.is_pending = false;
        self.runtime.apply_list.clear();
        self.runtime.pending_interfaces.clear();
        self.runtime.jobs.clear();
        self.kernel = Arc::default();
        if self.runtime.has_wireguard {
            Arc::make_mut(&mut self.kernel).toggle(&self.config, self.switches);
        }
    }
}

fn standard_api() -> Arc<Object> {
    let fields = Store::Api.model().fields.iter();
    let entry = |field: &crate::simulator::pfsense::model::Field| {
        (field.name.to_owned(), field.standard().unwrap_or_default())
    };
    let mut api: Object = fields.map(entry).collect();
    api.insert("represent_interfaces_as".to_owned(), "id".into());
    Arc::new(api)
}
