//! The files that bring an interface back when its host boots: which there are, what is in them, and which are ours.
//!
//! Their text is a function of what wgform manages of an interface and its peers, so that a plan knows it and an apply
//! writes the same. Nothing is read or written here, and no text is read back: a file is as it should be, or it differs.

mod commands;
mod difference;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::actual::HostFile;
use crate::resource::{Field, Fields};
use crate::value::{
    Cidr, Fingerprint, FingerprintKey, PresharedKey, PrivateKey, PublicKey, Route, RouteRule,
};

pub use commands::{COMMAND_SECONDS, RESOLVCONF_PREFIX, quoted, variables};
pub use difference::differences;

/// Where wg-quick looks for interfaces.
pub const WG_QUICK_DIRECTORY: &str = "/etc/wireguard";
/// Where systemd-networkd looks for what an administrator has set.
pub const NETWORKD_DIRECTORY: &str = "/etc/systemd/network";
/// Where systemd keeps what is started at boot, as links to units.
pub const ENABLED_DIRECTORY: &str = "/etc/systemd/system/multi-user.target.wants";
/// All of them.
pub const DIRECTORIES: [&str; 3] = [WG_QUICK_DIRECTORY, NETWORKD_DIRECTORY, ENABLED_DIRECTORY];
/// The group that systemd-networkd runs in, and must be able to read its files.
pub const NETWORKD_GROUP: &str = "systemd-network";

/// The first line of a file that wgform wrote. The same on every host and for ever: it says whose the file is.
const HEAD: &str = "# Written by wgform. A change by hand is undone by the next apply.";
/// The extension of the private key's own file. A name that nobody else gives: there is no room for a first line.
const KEY_EXTENSION: &str = "wgform-key";
/// What is put behind the name of a file that was there before wgform wrote its own.
const BEFORE: &str = "before-wgform";
/// What a new link has. wg-quick would choose by the route to a peer, and networkd keeps this.
const DEFAULT_MTU: u32 = 1420;

/// What brings interfaces back at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Style {
    /// `wg-quick@NAME.service`, with one file.
    WgQuick,
    /// systemd-networkd, with a device, a network, and the key in a file of its own.
    Networkd,
}

impl Style {
    /// Every style.
    pub const ALL: [Self; 2] = [Self::WgQuick, Self::Networkd];

    /// Reads the value of `persist`; nothing for `"none"`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|style| style.word() == word)
    }

    /// Returns the value of `persist`.
    pub fn word(self) -> &'static str {
        match self {
            Self::WgQuick => "wg-quick",
            Self::Networkd => "networkd",
        }
    }

    /// Returns the files of an interface, in the order in which they are written.
    pub fn paths(self, name: &str) -> Vec<PathBuf> {
        let at = |directory: &str, extension: &str| {
            Path::new(directory).join(format!("{name}.{extension}"))
        };
        match self {
            Self::WgQuick => vec![at(WG_QUICK_DIRECTORY, "conf")],
            Self::Networkd => [KEY_EXTENSION, "netdev", "network"]
                .map(|extension| at(NETWORKD_DIRECTORY, extension))
                .into(),
        }
    }

    /// Returns the unit that has to be started at boot.
    pub fn unit(self, name: &str) -> String {
        match self {
            Self::WgQuick => format!("wg-quick@{name}.service"),
            Self::Networkd => "systemd-networkd.service".to_owned(),
        }
    }

    /// Returns whether a name can stand in the names of files and units, and in the files, as it is.
    pub fn takes_name(name: &str) -> bool {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        name.chars().all(is_plain)
    }

    /// Returns the mode and the group of the files.
    fn access(self) -> (u32, Option<String>) {
        match self {
            Self::WgQuick => (0o600, None),
            Self::Networkd => (0o640, Some(NETWORKD_GROUP.to_owned())),
        }
    }
}

/// An interface as it is to come back.
#[derive(Debug, Clone)]
pub struct Interface<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its key.
    pub private_key: &'a PrivateKey,
    /// Its attributes; `listen_port` is the one in use.
    pub fields: &'a Fields,
    /// What belongs to it outside of the link.
    pub outside: &'a Outside,
    /// Its peers, in the order of their keys.
    pub peers: BTreeMap<PublicKey, Peer<'a>>,
}

/// What belongs to an interface outside of its link, and in whose name its commands run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside {
    /// The backend.
    pub backend: String,
    /// The address of the resource.
    pub address: String,
    /// All routes to it.
    pub routes: BTreeSet<Route>,
    /// What a default route needs.
    pub rules: BTreeSet<RouteRule>,
}

/// A peer as it is to come back.
#[derive(Debug, Clone)]
pub struct Peer<'a> {
    /// What the device holds.
    pub preshared_key: Option<&'a PresharedKey>,
    /// Its attributes.
    pub fields: &'a Fields,
}

/// Returns the files of an interface.
pub fn files(style: Style, interface: &Interface<'_>) -> BTreeMap<PathBuf, HostFile> {
    let texts = match style {
        Style::WgQuick => vec![text::wg_quick(interface)],
        Style::Networkd => {
            let key = Style::Networkd.paths(interface.name).swap_remove(0);
            vec![
                Zeroizing::new(format!("{}\n", *interface.private_key.expose_text())),
                text::netdev(interface, &key),
                text::network(interface),
            ]
        }
    };
    let file = |text| {
        let (mode, group) = style.access();
        HostFile { text, mode, group }
    };
    style.paths(interface.name).into_iter().zip(texts.into_iter().map(file)).collect()
}

/// Returns a digest of files, in hexadecimal, that is another one when anything about them is.
pub fn digest<'a>(files: impl IntoIterator<Item = (&'a PathBuf, &'a HostFile)>) -> String {
    let mut hash = Sha256::new();
    for (path, HostFile { text, mode, group }) in files {
        let head = format!("{}\n{mode:o} {group:?} {}\n", path.display(), text.len());
        hash.update(head);
        hash.update(text.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns what a state holds of a digest.
pub fn fingerprint(key: &FingerprintKey, digest: &str) -> Fingerprint {
    key.fingerprint(&Sha256::digest(digest).into())
}

/// Returns the style that a file is of, and the name of its interface.
pub fn owner(path: &Path) -> Option<(Style, &str)> {
    let name = path.file_stem()?.to_str()?;
    let style =
        Style::ALL.into_iter().find(|style| style.paths(name).iter().any(|it| it == path))?;
    Some((style, name))
}

/// Returns whether wgform wrote a file.
pub fn is_ours(path: &Path, text: &str) -> bool {
    path.extension().is_some_and(|it| it == KEY_EXTENSION) || text.lines().next() == Some(HEAD)
}

/// Returns the private key in a file, whoever wrote it.
pub fn private_key(path: &Path, text: &str) -> Option<PrivateKey> {
    if path.extension().is_some_and(|it| it == KEY_EXTENSION) {
        return text.trim().parse().ok();
    }
    let mut pairs = text.lines().filter_map(|line| line.split_once('='));
    let (_, key) = pairs.find(|(name, _)| name.trim() == "PrivateKey")?;
    key.trim().parse().ok()
}

/// Returns the addresses that a file gives an interface.
pub fn addresses(text: &str) -> BTreeSet<Cidr> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let lists = pairs.filter(|(key, _)| key.trim() == "Address").map(|(_, list)| list);
    lists.flat_map(|list| list.split(',')).filter_map(|it| it.trim().parse().ok()).collect()
}

/// Returns whether an interface has no port of its own to come back with: one that is down chooses when it comes up.
pub fn has_no_port(fields: &Fields) -> bool {
    !fields.contains_key("listen_port") && fields.get("enabled") == Some(&Field::Bool(false))
}

/// Returns where a file that was there before is kept, the first time, the second and so on.
pub fn kept(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(BEFORE);
    if number > 1 {
        name.push(format!(".{number}"));
    }
    PathBuf::from(name)
}

/// Returns whether a file that wgform did not write makes an interface of that name: at boot, two would.
pub fn makes_interface(path: &Path, text: &str, name: &str) -> bool {
    let is_in = |directory: &str| path.parent() == Some(Path::new(directory));
    let has = |extension: &str| path.extension().is_some_and(|it| it == extension);
    let is_conf = is_in(WG_QUICK_DIRECTORY) && has("conf");
    let is_netdev = is_in(NETWORKD_DIRECTORY) && has("netdev");
    let names_it = || {
        text.lines().any(|line| {
            let pair = line.split_once('=');
            pair.is_some_and(|(key, value)| key.trim() == "Name" && value.trim() == name)
        })
    };
    (is_conf && path.file_stem().is_some_and(|it| it == name)) || (is_netdev && names_it())
}

#[cfg(test)]
mod tests;
