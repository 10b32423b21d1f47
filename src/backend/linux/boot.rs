//! Reads, writes and removes what brings an interface back when the host boots.
//!
//! Nothing is started or stopped: the kernel has the interface already, and a tunnel that is up stays up. Only a networkd
//! that has brought the link up is told of its new files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use crate::actual::Boot;
use crate::backend::linux::batch::Job;
use crate::backend::linux::explain::{self, During};
use crate::backend::linux::host::Host;
use crate::backend::linux::interface::{Refused, during, named};
use crate::backend::linux::resolver;
use crate::backend::{BackendError, Persist, PersistWish};
use crate::persist::{self, Style};
use crate::resource::{Field, Fields};
use crate::simulator::linux::call::{Device, HostFile, Program, Refusal};

/// `systemctl` reads all units again, which takes a slow host a while.
const PATIENCE: Duration = Duration::from_secs(90);

/// Reads what a host does for interfaces when it boots.
pub(crate) fn read(host: &mut dyn Host) -> Result<Boot, (PathBuf, Refusal)> {
    let mut files = BTreeMap::new();
    for directory in [persist::WG_QUICK_DIRECTORY, persist::NETWORKD_DIRECTORY] {
        let directory = Path::new(directory);
        let listed = host.list_files(directory).map_err(|it| (directory.to_owned(), it))?;
        for path in listed.into_iter().filter(|path| is_boot_file(path)) {
            match host.read_file(&path) {
                Ok(Some(file)) => _ = files.insert(path, file),
                Ok(None) => {}
                Err(refusal) => return Err((path, refusal)),
            }
        }
    }
    let units = units(host).map_err(|it| (PathBuf::from(persist::ENABLED_DIRECTORY), it))?;
    let has_systemd = host.runs_systemd().map_err(|it| (PathBuf::from("/run/systemd"), it))?;
    Ok(Boot { files, units, has_systemd })
}

fn is_boot_file(path: &Path) -> bool {
    persist::owner(path).is_some()
}

fn units(host: &mut dyn Host) -> Result<BTreeSet<String>, Refusal> {
    let links = host.list_files(Path::new(persist::ENABLED_DIRECTORY))?;
    let name = |path: &PathBuf| Some(path.file_name()?.to_str()?.to_owned());
    Ok(links.iter().filter_map(name).collect())
}

/// Writes the files of an interface as the device has it now, removes others, and returns the digest of what is there.
pub(crate) fn carry_out(job: &mut Job<'_>, act: &Persist) -> Result<Fields, BackendError> {
    let Persist { name, wish, may_replace, remove } = act;
    let written = match wish {
        Some(wish) => write(job.host, name, wish, *may_replace),
        None => Ok(Fields::new()),
    };
    let done = written.and_then(|fields| remove_files(job.host, remove).map(|()| fields));
    done.map_err(|(during, refusal)| {
        explain::error(job.backend, format!("persist interface `{name}`"), during, refusal)
    })
}

fn write(
    host: &mut dyn Host,
    name: &str,
    wish: &PersistWish,
    may_replace: bool,
) -> Result<Fields, Refused> {
    let device = host.device(name).map_err(during(During::Reading))?;
    let files = wanted(name, wish, &device)?;
    let mut is_changed = false;
    // In the order in which a power cut leaves nothing that comes up without its key.
    for path in &wish.style.paths(name) {
        let Some(file) = files.get(path) else { continue };
        let found = host.read_file(path).map_err(|it| refused(path, it))?;
        match &found {
            Some(found) if found == file => continue,
            Some(found) => make_room(host, path, found, may_replace)?,
            None => {}
        }
        host.write_file(path, file).map_err(|it| refused(path, it))?;
        is_changed = true;
        if host.read_file(path).map_err(|it| refused(path, it))?.as_ref() != Some(file) {
            let hint = "something else may be writing it: run `plan` again to see what it holds";
            return Err(refused(path, Refusal::said("it is not what was written", hint)));
        }
    }
    enable(host, wish.style, name)?;
    // One that it brought up it goes on to look after, and would bring back what the file said before.
    if is_changed && resolver::is_networkds(host, name).map_err(during(During::Boot))? {
        carry_out_well(host, &["networkctl", "reload"], "see what `networkctl status` says")?;
    }
    Ok(Fields::from([("persisted", Field::Text(persist::digest(&files)))]))
}

/// Returns the files as they have to be: keys and the port are the device's, and so is which peers there are.
fn wanted(
    name: &str,
    wish: &PersistWish,
    device: &Device,
) -> Result<BTreeMap<PathBuf, HostFile>, Refused> {
    let PersistWish { style, fields, outside, peers } = wish;
    let Some(private_key) = &device.private_key else {
        let refusal = Refusal::said("the interface has no key", "run `apply` again");
        return Err((During::Reading, refusal));
    };
    let mut fields = fields.clone();
    if device.listen_port != 0 && !persist::has_no_port(&fields) {
        fields.insert("listen_port", Field::Number(device.listen_port.into()));
    }
    let peers = peers.iter().filter_map(|(key, fields)| {
        let preshared_key = device.peers.get(key)?.preshared_key.as_ref();
        Some((*key, persist::Peer { preshared_key, fields }))
    });
    let peers = peers.collect();
    let fields = &fields;
    let interface = persist::Interface { name, private_key, fields, outside, peers };
    Ok(persist::files(*style, &interface))
}

/// Keeps a file that wgform did not write, before another one takes its place.
fn make_room(
    host: &mut dyn Host,
    path: &Path,
    found: &HostFile,
    may_replace: bool,
) -> Result<(), Refused> {
    if persist::is_ours(path, &found.text) {
        return Ok(());
    }
    if !may_replace {
        let reason = "it was not written by wgform, and was not touched";
        return Err(refused(path, Refusal::said(reason, "run `plan` again: it came in between")));
    }
    if found.text.contains(char::REPLACEMENT_CHARACTER) {
        let reason = "it holds bytes that are no text, and cannot be kept";
        return Err(refused(path, Refusal::said(reason, "move it away")));
    }
    // One that is kept already may be the only copy of what somebody wrote, whoever came first.
    let mut number = 1;
    loop {
        let kept = persist::kept(path, number);
        match host.read_file(&kept).map_err(|it| refused(&kept, it))? {
            Some(there) if there.text == found.text => return Ok(()),
            Some(_) => number += 1,
            None => return host.write_file(&kept, found).map_err(|it| refused(&kept, it)),
        }
    }
}

/// Sees that the unit is started at boot, where there is a systemd that starts it.
fn enable(host: &mut dyn Host, style: Style, name: &str) -> Result<(), Refused> {
    let unit = style.unit(name);
    let is_enabled = units(host).map_err(during(During::Boot))?.contains(&unit);
    if is_enabled || !host.runs_systemd().map_err(during(During::Boot))? {
        return Ok(());
    }
    let package = match style {
        Style::WgQuick => "wireguard-tools",
        Style::Networkd => "systemd-networkd",
    };
    let hint = format!("see that `{package}` is installed");
    carry_out_well(host, &["systemctl", "enable", &unit], &hint)
}

/// Removes files, and lets nothing be started at boot for which there is none any longer. Files that wgform did not write
/// stay.
pub(crate) fn remove_files(host: &mut dyn Host, paths: &BTreeSet<PathBuf>) -> Result<(), Refused> {
    let (mut ours, mut units) = (Vec::new(), BTreeSet::new());
    for path in paths {
        match host.read_file(path).map_err(|it| refused(path, it))? {
            Some(found) if !persist::is_ours(path, &found.text) => continue,
            Some(_) => ours.push(path),
            None => {}
        }
        if let Some((style @ Style::WgQuick, name)) = persist::owner(path) {
            units.insert(style.unit(name));
        }
    }
    // A unit without a file fails at boot, a file without a unit does nothing.
    let enabled = self::units(host).map_err(during(During::Boot))?;
    for unit in units.intersection(&enabled) {
        carry_out_well(host, &["systemctl", "disable", unit], "see what it says by hand")?;
    }
    for path in ours {
        match host.remove_file(path) {
            Ok(()) | Err(Refusal::Errno(Errno::NOENT)) => {}
            Err(refusal) => return Err(refused(path, refusal)),
        }
    }
    Ok(())
}

/// Runs a program that has to end with 0.
fn carry_out_well(host: &mut dyn Host, words: &[&str], hint: &str) -> Result<(), Refused> {
    let argv = words.iter().map(ToString::to_string).collect();
    let program = Program { argv, environment: BTreeMap::new(), timeout: PATIENCE };
    let ran = host.run(&program).map_err(during(During::Boot))?;
    if ran.status == 0 {
        return Ok(());
    }
    let said = if ran.tail.is_empty() { String::new() } else { format!(": {}", ran.tail) };
    let reason = format!("`{}` ended with exit code {}{said}", words.join(" "), ran.status);
    Err((During::Boot, Refusal::said(reason, hint)))
}

fn refused(path: &Path, refusal: Refusal) -> Refused {
    named(During::Boot, &format!("the file `{}`", path.display()), refusal)
}
