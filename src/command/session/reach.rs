//! Where backends are, by their addresses: a plan is made without a name server, so names are looked up before.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::actual::{Actual, Reading};
use crate::command::session::Session;
use crate::config::BackendDeclaration;
use crate::plan::Reach;
use crate::resource::BackendId;

/// A name server that is slower than that is not waited for: the way to the backend is then not known.
const PATIENCE: Duration = Duration::from_secs(2);

/// What names stand for.
pub(crate) type Addresses = BTreeMap<String, Vec<IpAddr>>;

impl Session<'_> {
    /// Looks up the names of the backends that answered, all at once. One that has no address, as an alias of an
    /// `ssh_config`, is passed over.
    pub(super) async fn resolve(
        &self,
        declarations: &BTreeMap<BackendId, BackendDeclaration>,
        actual: &Actual,
    ) -> Addresses {
        let has_answered = |it: &&BackendDeclaration| {
            !it.simulate && matches!(actual.backends.get(&it.id), Some(Reading::Read(_)))
        };
        let hosts = declarations.values().filter(has_answered).flat_map(|it| Reach::of(it).hosts);
        let unknown = hosts.filter(|it| it.addresses.is_empty()).map(|it| it.name);
        let mut lookups = tokio::task::JoinSet::new();
        for name in unknown.collect::<std::collections::BTreeSet<_>>() {
            lookups.spawn(async move {
                let found = tokio::net::lookup_host((name.clone(), 0));
                let found = tokio::time::timeout(PATIENCE, found).await.ok()?.ok()?;
                Some((name, found.map(|it| it.ip()).collect()))
            });
        }
        let mut addresses = Addresses::new();
        while let Some(found) = lookups.join_next().await {
            addresses.extend(found.ok().flatten());
        }
        addresses
    }
}

/// Returns how a backend is reached, with what its names stand for.
pub(super) fn reach(declaration: &BackendDeclaration, addresses: &Addresses) -> Reach {
    let mut reach = Reach::of(declaration);
    for host in reach.hosts.iter_mut().filter(|it| it.addresses.is_empty()) {
        host.addresses = addresses.get(&host.name).cloned().unwrap_or_default();
    }
    reach
}
