//! Reads everything on a Linux host.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::io::Errno;

use crate::actual::{Capabilities, Identity, KeyFile, NameServers, Picture};
use crate::backend::linux::explain::{self, During};
use crate::backend::linux::host::Host;
use crate::backend::linux::{boot, key_text, resolver, wire};
use crate::backend::{BackendError, Interest};
use crate::resource::{BackendId, BackendKind};
use crate::simulator::linux::call::{LinkKind, Refusal};

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
    let Question { backend, kind, netns, simulated, now, interest } = *question;
    let failed = |attempt: &'static str, during| {
        move |refusal| explain::error(backend, attempt, during, refusal)
    };
    let identity = host.identity().map_err(failed("identify the host", During::Reading))?;
    let links = host.links().map_err(failed("read the links", During::Reading))?;
    let name_servers = match interest.name_servers {
        true => resolver::find(host).map_err(failed("find the resolver", During::Running))?,
        false => NameServers::Unasked,
    };
    let mut interfaces = BTreeMap::new();
    let mut other_links = BTreeSet::new();
    for (name, link) in &links {
        if link.kind == LinkKind::Other {
            other_links.insert(name.clone());
            continue;
        }
        match host.device(name) {
            Ok(device) => {
                let mut found = wire::found_interface(link, device, now);
                if name_servers == NameServers::Held {
                    let attempt = format!("read the name servers of `{name}`");
                    let names = resolver::read(host, name).map_err(|refusal| {
                        explain::error(backend, attempt, During::Running, refusal)
                    })?;
                    found.fields.extend(wire::found_names(names));
                }
                interfaces.insert(name.clone(), found);
            }
            // It went between the list and the look at it.
            Err(Refusal::Errno(Errno::NODEV)) => {}
            Err(refusal) => {
                let attempt = format!("read the WireGuard interface `{name}`");
                return Err(explain::error(backend, attempt, During::Reading, refusal));
            }
        }
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
    Ok(Picture {
        kind,
        simulated,
        identity: in_namespace(identity, netns),
        capabilities: Capabilities { renames: host.renames(&links), name_servers, lacks: &[] },
        interfaces,
        other_links,
        key_directory: Some(directory),
        key_files,
        routing: wire::routing(routing),
        boot,
        remarks: Vec::new(),
    })
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
