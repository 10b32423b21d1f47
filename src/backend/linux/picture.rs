//! Reads everything on a Linux host.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::io::Errno;

use crate::actual::{
    Capabilities, FoundInterface, Identity, KeyFile, NameServers, Picture, Remark,
};
use crate::backend::clock;
use crate::backend::linux::explain::{self, During};
use crate::backend::linux::host::Host;
use crate::backend::linux::{boot, key_text, resolver, wire};
use crate::backend::{BackendError, Interest};
use crate::resource::{BackendId, BackendKind};
use crate::simulator::linux::call::{Link, LinkKind, Refusal};

/// What a read is about.
pub(crate) struct Question<'a> {
    pub(crate) backend: &'a BackendId,
    pub(crate) kind: BackendKind,
    pub(crate) netns: Option<&'a str>,
    pub(crate) simulated: bool,
    pub(crate) now: Timestamp,
    pub(crate) interest: &'a Interest,
}

/// Reads a host.
pub(crate) fn read(host: &mut dyn Host, question: &Question<'_>) -> Result<Picture, BackendError> {
    let Question { backend, kind, netns, simulated, now: _, interest } = *question;
    let failed = |attempt: &'static str, during| {
        move |refusal| explain::error(backend, attempt, during, refusal)
    };
    let identity = host.identity().map_err(failed("identify the host", During::Reading))?;
    let links = host.links().map_err(failed("read the links", During::Reading))?;
    let name_servers = match interest.name_servers {
        true => resolver::find(host).map_err(failed("find the resolver", During::Running))?,
        false => NameServers::Unasked,
    };
    let (others, ours): (Vec<_>, Vec<_>) =
        links.iter().partition(|(_, link)| link.kind == LinkKind::Other);
    let mut interfaces = BTreeMap::new();
    for (name, link) in ours {
        let found = interface(host, question, name, link, name_servers)?;
        interfaces.extend(found.map(|found| (name.clone(), found)));
    }
    let routing = host.routing().map_err(failed("read the routes", During::Reading))?;
    let directory = host.key_directory();
    // Two namespaces may each have a `wg0`.
    let directory = netns.map_or(directory.clone(), |name| directory.join(name));
    let key_files = key_files(host, &directory, interest).map_err(|(path, refusal)| {
        let attempt = format!("read the keys in `{}`", path.display());
        explain::error(backend, attempt, During::KeyFile, refusal)
    })?;
    let boot = interest.boot.then(|| boot::read(host)).transpose().map_err(|(path, refusal)| {
        let attempt = format!("read `{}`, for what is started at boot,", path.display());
        explain::error(backend, attempt, During::Boot, refusal)
    })?;
    let remarks = clock::wrong(identity.clock_skew)
        .map(|says| Remark::new("host with a wrong clock", says, clock::HINT));
    Ok(Picture {
        service: None,
        kind,
        simulated,
        identity: in_namespace(identity, netns),
        capabilities: Capabilities { renames: host.renames(&links), name_servers, lacks: &[] },
        interfaces,
        other_links: others.into_iter().map(|(name, _)| name.clone()).collect(),
        key_directory: Some(directory),
        key_files,
        routing: wire::routing(routing),
        boot,
        remarks: remarks.into_iter().collect(),
        strangers: Vec::new(),
    })
}

/// Reads what is behind a link; nothing when it went between the list and the look at it.
fn interface(
    host: &mut dyn Host,
    question: &Question<'_>,
    name: &str,
    link: &Link,
    name_servers: NameServers,
) -> Result<Option<FoundInterface>, BackendError> {
    let failed = |what: &str, during, refusal| {
        let attempt = format!("read the {what} `{name}`");
        explain::error(question.backend, attempt, during, refusal)
    };
    let device = match host.device(name) {
        Ok(device) => device,
        Err(Refusal::Errno(Errno::NODEV)) => return Ok(None),
        Err(refusal) => return Err(failed("WireGuard interface", During::Reading, refusal)),
    };
    let mut found = wire::found_interface(link, device, question.now);
    if name_servers == NameServers::Held {
        let names = resolver::read(host, name);
        let names = names.map_err(|it| failed("name servers of", During::Running, it))?;
        found.fields.extend(wire::found_names(names));
    }
    Ok(Some(found))
}

fn in_namespace(identity: Identity, netns: Option<&str>) -> Identity {
    match netns {
        Some(name) => Identity { id: format!("{}#netns={name}", identity.id), ..identity },
        None => identity,
    }
}

fn key_files(
    host: &mut dyn Host,
    directory: &Path,
    interest: &Interest,
) -> Result<BTreeMap<PathBuf, KeyFile>, (PathBuf, Refusal)> {
    let Interest { key_files, name_servers: _, boot: _, routes: _, interface_lists: _ } = interest;
    let listed = host.list_files(directory).map_err(|it| (directory.to_owned(), it))?;
    let mut paths: BTreeSet<PathBuf> = listed.into_iter().collect();
    paths.extend(key_files.iter().cloned());
    let mut found = BTreeMap::new();
    for path in paths {
        match host.read_key_file(&path) {
            Ok(Some(text)) => _ = found.insert(path, key_text::read(&text)),
            Ok(None) => {}
            Err(refusal) => return Err((path, refusal)),
        }
    }
    Ok(found)
}
