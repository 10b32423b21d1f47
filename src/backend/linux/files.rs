//! The files of a real host: its identity, the keys that wgform keeps there, and what brings interfaces back at boot.

#![expect(clippy::disallowed_methods, reason = "this module reads and writes files of the host")]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::actual::Identity;
use crate::disk;
use crate::simulator::linux::call::{HostFile, Refusal};

/// A key with its comment has 105 bytes; a file that is much larger is something else.
const LARGEST: usize = 4096;

/// A hundred thousand peers, and then some; a file that is larger is something else.
const LARGEST_WHOLE: usize = 64 << 20;
/// The permissions of a file that only root can read.
const PRIVATE: u32 = 0o600;

/// Returns which machine this is.
pub(crate) fn identity() -> Identity {
    let host_name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let machine = ["/etc/machine-id", "/var/lib/dbus/machine-id"].iter().find_map(|path| {
        line(Path::new(path)).filter(|id| !id.is_empty() && id != "uninitialized")
    });
    Identity {
        // A machine without an id has at least a name that stays.
        id: machine.unwrap_or_else(|| format!("host={host_name}")),
        boot_id: line(Path::new("/proc/sys/kernel/random/boot_id")),
        uptime: line(Path::new("/proc/uptime")).and_then(|text| uptime(&text)),
        // It is ours.
        clock_skew: None,
        host_name,
    }
}

/// Returns whether the kernel has WireGuard, loaded or ready to be.
pub(crate) fn has_module() -> bool {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let folder = Path::new("/lib/modules").join(release);
    let lists = ["modules.dep", "modules.builtin"];
    Path::new("/sys/module/wireguard").exists()
        || lists.iter().any(|list| {
            fs::read_to_string(folder.join(list)).is_ok_and(|text| text.contains("/wireguard.ko"))
        })
}

/// Returns whether systemd is the init, as `sd_booted` finds out.
pub(crate) fn runs_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Returns whether this process may change links: the capability `CAP_NET_ADMIN`, which root has as a rule.
pub(crate) fn may_change_links() -> bool {
    const NET_ADMIN: u32 = 12;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = held.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    held.is_some_and(|held| held >> NET_ADMIN & 1 == 1)
}

/// Opens a named network namespace.
pub(crate) fn open_namespace(name: &str) -> Result<File, Refusal> {
    let is_name = !name.is_empty() && name != "." && name != ".." && !name.contains('/');
    if !is_name {
        return Err(Refusal::said(
            "that is not a name that a network namespace can have",
            "use a name that `ip netns list` shows",
        ));
    }
    File::open(Path::new("/run/netns").join(name)).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Refusal::said(
            format!("there is no network namespace `{name}`"),
            format!("make it with `ip netns add {name}`"),
        ),
        _ => refused(&error),
    })
}

/// Returns the files in a directory of keys; none when it is not there.
pub(crate) fn list(directory: &Path) -> Result<Vec<PathBuf>, Refusal> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(refused(&error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| refused(&error))?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file() || kind.is_symlink());
        // One that a killed run was about to write is not a key file yet.
        let is_new = entry.path().extension().is_some_and(|it| it == NEW);
        if is_file && !is_new {
            files.push(entry.path());
        }
    }
    Ok(files)
}

fn open(path: &Path) -> Result<Option<File>, Refusal> {
    // Whoever named a pipe must not make us wait at it.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(&error)),
    }
}

/// Reads at most so many bytes. What is no file has none.
fn bytes(file: File, largest: usize) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let data = file.metadata().map_err(|error| refused(&error))?;
    if !data.is_file() {
        return Ok(Zeroizing::default());
    }
    // A vector that grows leaves copies of what it held.
    let room = usize::try_from(data.len()).unwrap_or(largest).min(largest);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    file.take(largest as u64).read_to_end(&mut bytes).map_err(|error| refused(&error))?;
    Ok(bytes)
}

/// Returns the text of a file. What is no file and what is no text comes back empty, which is no key either.
pub(crate) fn read(path: &Path) -> Result<Option<Zeroizing<String>>, Refusal> {
    let Some(file) = open(path)? else { return Ok(None) };
    let bytes = bytes(file, LARGEST)?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    Ok(Some(Zeroizing::new(text.to_owned())))
}

/// Returns a file with its permissions. Bytes that are no text come back as `U+FFFD`.
pub(crate) fn read_whole(path: &Path) -> Result<Option<HostFile>, Refusal> {
    let Some(file) = open(path)? else { return Ok(None) };
    let data = file.metadata().map_err(|error| refused(&error))?;
    let bytes = bytes(file, LARGEST_WHOLE)?;
    let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
    let group = (data.gid() != 0).then(|| {
        let named = groups().into_iter().find(|(_, id)| *id == data.gid());
        named.map_or_else(|| data.gid().to_string(), |(name, _)| name)
    });
    Ok(Some(HostFile { text, mode: data.mode() & 0o7777, group }))
}

/// Returns the groups of the host, with their numbers.
fn groups() -> Vec<(String, u32)> {
    let text = fs::read_to_string("/etc/group").unwrap_or_default();
    let group = |line: &str| {
        let mut parts = line.split(':');
        let name = parts.next()?.to_owned();
        Some((name, parts.nth(1)?.parse().ok()?))
    };
    text.lines().filter_map(group).collect()
}

/// Writes a file with its permissions: the old one is there until the new one is whole.
pub(crate) fn write(path: &Path, file: &HostFile) -> Result<(), Refusal> {
    let HostFile { text, mode, group } = file;
    let group = group.as_deref().map(group_number).transpose()?;
    let has_folder = path.parent().is_some_and(Path::is_dir);
    if group.is_some() && !has_folder {
        return Err(Refusal::said(
            "there is no such directory, which a service has to be able to read",
            "install the service that the file is for",
        ));
    }
    let open_up = |new: &File| {
        fchown(new, None, group)?;
        new.set_permissions(fs::Permissions::from_mode(*mode))?;
        new.sync_all()
    };
    let is_plain = *mode == PRIVATE && group.is_none();
    replace(path, text, |new| if is_plain { Ok(()) } else { open_up(new) })
        .map_err(|error| refused(&error))
}

fn group_number(name: &str) -> Result<u32, Refusal> {
    let found = groups().into_iter().find(|(group, _)| group == name);
    found.map(|(_, id)| id).ok_or_else(|| {
        let hint = "install the service that runs in it, or set `persist` to another value";
        Refusal::said(format!("the host has no group `{name}`"), hint)
    })
}

/// Removes a file. A key must not come back with a power cut: nobody would know whose it is.
pub(crate) fn remove(path: &Path) -> Result<(), Refusal> {
    let gone = disk::remove(path).and_then(|()| path.parent().map_or(Ok(()), disk::sync_directory));
    gone.map_err(|error| refused(&error))
}

/// The extension of a file that is being written.
const NEW: &str = "wgform-new";

fn replace(
    path: &Path,
    text: &str,
    open_up: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::ISDIR.into());
    };
    disk::make_directory(folder)?;
    let mut new = name.to_owned();
    new.push(".");
    new.push(NEW);
    let new = folder.join(new);
    disk::prepare(&new, text.as_bytes())?;
    File::open(&new)
        .and_then(|file| open_up(&file))
        .and_then(|()| disk::rename(&new, path))
        .inspect_err(|_| _ = disk::remove(&new))?;
    disk::sync_directory(folder)
}

/// Returns the names of the routing tables, from where iproute2 has them. What cannot be read has none.
pub(crate) fn table_names() -> BTreeMap<String, u32> {
    let mut names = BTreeMap::new();
    for folder in ["/usr/lib/iproute2", "/usr/share/iproute2", "/etc/iproute2"] {
        let folder = Path::new(folder);
        let more = fs::read_dir(folder.join("rt_tables.d")).into_iter().flatten().flatten();
        let more = more.map(|entry| entry.path());
        let mut more: Vec<_> =
            more.filter(|it| it.extension().is_some_and(|it| it == "conf")).collect();
        more.sort();
        for path in [folder.join("rt_tables")].into_iter().chain(more) {
            names.extend(tables_of(&fs::read_to_string(path).unwrap_or_default()));
        }
    }
    names
}

/// Reads lines such as `200 vpn`; a number may be hexadecimal.
pub(crate) fn tables_of(text: &str) -> BTreeMap<String, u32> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (number, name) = (words.next()?, words.next()?);
        let number = match number.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        Some((name.to_owned(), number))
    });
    lines.collect()
}

fn line(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

pub(crate) fn uptime(text: &str) -> Option<Duration> {
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn refused(error: &io::Error) -> Refusal {
    match Errno::from_io_error(error) {
        Some(errno) => Refusal::Errno(errno),
        None => Refusal::said(error.kind().to_string(), "see that the path is right"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use crate::backend::linux::files;
    use crate::simulator::linux::call::HostFile;

    fn private(text: &str) -> HostFile {
        HostFile::private(text.to_owned().into())
    }

    #[test]
    fn a_key_file_is_private_and_replaced_whole() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("keys");
        let path = folder.join("wg0");
        assert!(files::list(&folder).unwrap().is_empty());
        assert!(files::read(&path).unwrap().is_none());
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("wg0.wgform-new"), "left by a killed run").unwrap();
        assert!(files::list(&folder).unwrap().is_empty());
        files::write(&path, &private("one")).unwrap();
        files::write(&path, &private("two")).unwrap();
        assert_eq!(files::read(&path).unwrap().unwrap().as_str(), "two");
        assert_eq!(files::list(&folder).unwrap(), std::slice::from_ref(&path));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        files::remove(&path).unwrap();
        assert!(files::list(&folder).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_file_and_no_text_is_no_key_and_keeps_nobody_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let bytes = directory.path().join("bytes");
        std::fs::write(&bytes, [0xff; 9]).unwrap();
        for path in [&pipe, &bytes, &directory.path().to_owned()] {
            assert_eq!(files::read(path).unwrap().unwrap().as_str(), "");
        }
    }

    #[test]
    fn names_of_tables_are_read_as_iproute2_writes_them() {
        let text = "#\n# reserved\n255\tlocal\n 200 vpn # ours\n0x10 hex\nbad line\n7\n";
        let names = files::tables_of(text);
        let expected = [("hex", 16), ("local", 255), ("vpn", 200)];
        assert_eq!(names.into_iter().collect::<Vec<_>>(), expected.map(|(n, t)| (n.to_owned(), t)));
    }

    #[test]
    fn a_new_directory_of_keys_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/wg0");
        files::write(&path, &private("one")).unwrap();
        let mode = std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
