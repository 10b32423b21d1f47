//! Makes, changes and removes one interface, and looks at the result.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::actual::{KeyFile, OwnKeys};
use crate::backend::linux::batch::{Ended, Job};
use crate::backend::linux::explain::{self, During};
use crate::backend::linux::hooks::Hooks;
use crate::backend::linux::host::Host;
use crate::backend::linux::resolver::{self, Names, NamesWish};
use crate::backend::linux::wire::{self, InterfaceWish, Misfit};
use crate::backend::linux::{boot, key_text};
use crate::backend::{BackendError, REPLACED, REPLACED_HINT, Surroundings};
use crate::resource::{Field, Fields, Settings};
use crate::simulator::linux::call::{DeviceChange, HostFile, Link, LinkKind, Refusal};
use crate::value::{Cidr, PrivateKey, PublicKey};

/// Below this a link has no IPv6.
const IPV6_MIN_MTU: u32 = 1280;

/// A refusal, and what was being done.
pub(crate) type Refused = (During, Refusal);

/// What [`create`] is to do; the words of [`crate::backend::Act::CreateInterface`].
pub(crate) struct Create<'a> {
    pub(crate) name: &'a str,
    pub(crate) private_key: Option<&'a PrivateKey>,
    pub(crate) key_file: Option<&'a Path>,
    pub(crate) fields: &'a Fields,
    pub(crate) around: &'a Surroundings,
}

/// What [`update`] is to do; the words of [`crate::backend::Act::UpdateInterface`].
pub(crate) struct Update<'a> {
    pub(crate) name: &'a str,
    pub(crate) rename: Option<&'a str>,
    pub(crate) private_key: Option<&'a PrivateKey>,
    pub(crate) key_file: Option<&'a Path>,
    pub(crate) own_keys: &'a OwnKeys,
    pub(crate) settings: &'a Settings,
    pub(crate) wanted: &'a Fields,
    pub(crate) around: &'a Surroundings,
}

/// What [`delete`] is to do; the words of [`crate::backend::Act::DeleteInterface`].
pub(crate) struct Delete<'a> {
    pub(crate) name: &'a str,
    pub(crate) public_key: Option<PublicKey>,
    pub(crate) own_keys: &'a OwnKeys,
    pub(crate) remove_boot_files: &'a BTreeSet<PathBuf>,
    pub(crate) around: &'a Surroundings,
}

/// Makes an interface, or leaves nothing behind.
pub(crate) fn create(job: &mut Job<'_>, create: &Create<'_>) -> Ended {
    let Create { name, private_key, key_file, fields, around } = *create;
    let hooks = Hooks { backend: job.backend, around };
    let attempt = format!("create interface `{name}`");
    // No host makes one by itself.
    let key = private_key.ok_or_else(|| misfit(Misfit("private_key")));
    let made = key.and_then(|private_key| {
        let wish = wire::interface_of_fields(fields).map_err(misfit)?;
        let undo = key_file.map_or(Ok(KeyUndo::Nothing), |path| {
            keep_key(job.host, path, private_key, &BTreeSet::new())
        })?;
        make(job.host, name, private_key, &wish, &hooks)
            .map_err(|refused| also(refused, undo.carry_out(job.host)))
    });
    // Somebody made that link since the plan was made, and it is theirs. What could not be undone is said in other words.
    let is_theirs = matches!(made, Err((During::Naming, Refusal::Errno(Errno::EXIST))));
    let made =
        made.map_err(|(during, refusal)| explain::error(job.backend, attempt, during, refusal));
    match made {
        Err(error) if is_theirs => Ended::Untouched(error),
        made => made.into(),
    }
}

/// Changes an interface.
pub(crate) fn update(job: &mut Job<'_>, update: &Update<'_>) -> Result<Fields, BackendError> {
    let attempt = format!("update interface `{}`", update.name);
    let hooks = Hooks { backend: job.backend, around: update.around };
    change(job.host, update, &hooks)
        .map_err(|(during, refusal)| explain::error(job.backend, attempt, during, refusal))
}

/// Removes an interface.
pub(crate) fn delete(job: &mut Job<'_>, delete: &Delete<'_>) -> Ended {
    let Delete { name, public_key, own_keys, remove_boot_files, around } = *delete;
    let hooks = Hooks { backend: job.backend, around };
    let attempt = format!("delete interface `{name}`");
    if let Err((during, refusal)) = check_key(job.host, name, public_key) {
        return Ended::Untouched(explain::error(job.backend, attempt, during, refusal));
    }
    let own: BTreeSet<PublicKey> = own_keys.keys.iter().copied().chain(public_key).collect();
    // The files go first: killed in between, the interface is still there, is found, and goes with the next run. The
    // other way round nothing would be left that tells of them.
    let gone = bring_down(job.host, name, &hooks).and_then(|was_up| {
        boot::remove_files(job.host, remove_boot_files)?;
        let undo = take_keys(job.host, &own_keys.remove, &own)?;
        remove(job.host, name).map_err(|refused| undo.put_back(job.host, refused))?;
        resolver::forget(job.host, name, around.had_name_servers)?;
        match was_up {
            true => hooks.run(job.host, name, "post_down", "the interface is gone"),
            false => Ok(()),
        }
    });
    let gone = gone.map(|()| Fields::new());
    gone.map_err(|(during, refusal)| explain::error(job.backend, attempt, during, refusal)).into()
}

/// Refuses an interface that somebody made in the place of the one that was seen.
fn check_key(host: &mut dyn Host, name: &str, expected: Option<PublicKey>) -> Result<(), Refused> {
    let link = host.links().map_err(during(During::Reading))?.remove(name);
    let (Some(expected), Some(_)) = (expected, link.filter(|link| link.kind != LinkKind::Other))
    else {
        return Ok(());
    };
    let device = host.device(name).map_err(during(During::Reading))?;
    match device.private_key.as_ref().map(PrivateKey::public) == Some(expected) {
        true => Ok(()),
        false => Err((During::Reading, Refusal::said(REPLACED, REPLACED_HINT))),
    }
}

/// Says that an attribute has no place on Linux.
pub(crate) fn misfit(Misfit(name): Misfit) -> Refused {
    let refusal = Refusal::said(
        format!("`{name}` cannot be written like this on a Linux host"),
        "this is a mistake in wgform: please report it",
    );
    (During::Configuring, refusal)
}

fn make(
    host: &mut dyn Host,
    name: &str,
    private_key: &PrivateKey,
    wish: &InterfaceWish,
    hooks: &Hooks<'_>,
) -> Result<Fields, Refused> {
    let is_up = wish.enabled != Some(false);
    let names = Names {
        servers: wish.dns.clone().unwrap_or_default(),
        domains: wish.dns_search.clone().unwrap_or_default(),
    };
    let has_names = names != Names::default();
    host.add_link(name).map_err(during(During::Naming))?;
    let built = configure(host, name, Some(private_key), wish)
        .and_then(|()| set_mtu(host, name, wish))
        .and_then(|()| add_addresses(host, name, wish))
        .and_then(|()| match is_up {
            false => Ok(()),
            true => {
                hooks.run(host, name, "pre_up", REMOVED_AGAIN)?;
                host.set_up(name, true).map_err(during(During::Binding))
            }
        })
        .and_then(|()| write_names(host, name, wish, &names, is_up, is_up))
        .and_then(|()| match is_up {
            false => Ok(()),
            true => hooks.run(host, name, "post_up", REMOVED_AGAIN),
        })
        .and_then(|()| {
            let wish = InterfaceWish { enabled: Some(is_up), ..wish.clone() };
            compare(host, name, Some(private_key), &wish)
        });
    built.map_err(|refused| {
        let refused = also(refused, remove(host, name));
        also(refused, resolver::forget(host, name, has_names))
    })
}

/// What holds when a command stops the making of an interface.
const REMOVED_AGAIN: &str = "the interface was removed again";

/// Runs the commands that come before a link goes, and returns whether it is up.
fn bring_down(host: &mut dyn Host, name: &str, hooks: &Hooks<'_>) -> Result<bool, Refused> {
    let link = host.links().map_err(during(During::Reading))?.remove(name);
    let is_up = link.is_some_and(|link| link.is_up && link.kind != LinkKind::Other);
    if is_up {
        hooks.run(host, name, "pre_down", "the interface is as it was")?;
    }
    Ok(is_up)
}

fn write_names(
    host: &mut dyn Host,
    name: &str,
    wish: &InterfaceWish,
    all: &Names,
    is_up: bool,
    came_up: bool,
) -> Result<(), Refused> {
    let InterfaceWish { dns, dns_search, .. } = wish;
    let (servers, domains) = (dns.as_deref(), dns_search.as_deref());
    resolver::write(host, name, &NamesWish { servers, domains, all, is_up, came_up })
}

fn change(host: &mut dyn Host, update: &Update<'_>, hooks: &Hooks<'_>) -> Result<Fields, Refused> {
    let Update { name, rename, private_key, settings, wanted, around, .. } = *update;
    let link = wireguard_link(host, name)?.ok_or((During::Configuring, Errno::NODEV.into()))?;
    let wish = wire::interface_of_settings(settings, &link.addresses).map_err(misfit)?;
    let ups = UpAndDown {
        was_up: link.is_up,
        stays_up: wish.enabled.unwrap_or(link.is_up),
        is_renamed: rename.is_some(),
    };
    if ups.goes_down() {
        hooks.run(host, name, "pre_down", AS_IT_WAS)?;
    } else if ups.comes_up() && rename.is_none() {
        hooks.run(host, name, "pre_up", AS_IT_WAS)?;
    }
    let files = KeyFiles::keep(host, update)?;
    let name = match rename {
        Some(new) => match move_link(host, name, new, &link, &ups, hooks) {
            Ok(()) => {
                resolver::forget(host, name, around.had_name_servers)?;
                new
            }
            // Under its new name, the interface has its key in the new file.
            Err((refused, true)) => return Err(refused),
            Err((refused, false)) => return Err(files.put_back(host, refused)),
        },
        None => name,
    };
    if ups.goes_down() && rename.is_none() {
        host.set_up(name, false).map_err(during(During::Binding))?;
        resolver::forget(host, name, around.had_name_servers)?;
        hooks.run(host, name, "post_down", "the link is down")?;
    }
    configure_with_key(host, name, update, &wish, &files)?;
    set_mtu(host, name, &wish)?;
    if ups.stays_up {
        host.set_up(name, true).map_err(during(During::Binding))?;
    }
    add_addresses(host, name, &wish)?;
    let expected = expected_addresses(&link, &wish, wanted, &ups);
    remove_addresses(host, name, &wish, &expected)?;
    restore_addresses(host, name, &expected)?;
    write_names(host, name, &wish, &wire::names(wanted), ups.stays_up, ups.comes_up())?;
    if ups.comes_up() {
        came_up(host, name, hooks, &ups, wanted)?;
    }
    compare(host, name, private_key, &wish)
}

/// Changes what WireGuard holds for an interface under its new name. The key file has the key that the device has in the end.
fn configure_with_key(
    host: &mut dyn Host,
    name: &str,
    update: &Update<'_>,
    wish: &InterfaceWish,
    files: &KeyFiles<'_>,
) -> Result<(), Refused> {
    let Err(refused) = configure(host, name, update.private_key, wish) else {
        return update.private_key.map_or(Ok(()), |key| files.follow(host, name, key));
    };
    Err(match update.private_key.map(|key| (key, has_key(host, name, key))) {
        // Only the answer was lost, or the refusal was for something else.
        Some((key, Some(true))) => also(refused, files.follow(host, name, key)),
        Some((_, None)) => refused,
        // Under its new name, the interface has its key in the new file.
        None if update.rename.is_some() => refused,
        None | Some((_, Some(false))) => files.put_back(host, refused),
    })
}

/// Returns whether a device has a key; nothing when it does not say.
fn has_key(host: &mut dyn Host, name: &str, key: &PrivateKey) -> Option<bool> {
    match host.device(name) {
        Ok(device) => Some(device.private_key.as_ref() == Some(key)),
        Err(Refusal::Errno(Errno::NODEV)) => Some(false),
        Err(_) => None,
    }
}

/// What holds when a command stops a change before anything was done.
const AS_IT_WAS: &str = "the interface is as it was";

/// Runs the commands that come after a link went up, and sets one that was down before down again when they fail.
fn came_up(
    host: &mut dyn Host,
    name: &str,
    hooks: &Hooks<'_>,
    ups: &UpAndDown,
    wanted: &Fields,
) -> Result<(), Refused> {
    if ups.was_up {
        return hooks.run(host, name, "post_up", &format!("the link is up, as `{name}`"));
    }
    hooks.run(host, name, "post_up", "the link was set down again").map_err(|refused| {
        let had_any = wire::names(wanted) != Names::default();
        let down = host.set_up(name, false).map_err(during(During::Binding));
        also(refused, down.and_then(|()| resolver::forget(host, name, had_any)))
    })
}

/// Whether a link was up before, and is to be up in the end. It cannot be given another name while it is up.
struct UpAndDown {
    was_up: bool,
    stays_up: bool,
    is_renamed: bool,
}

impl UpAndDown {
    fn goes_down(&self) -> bool {
        self.was_up && (self.is_renamed || !self.stays_up)
    }

    fn comes_up(&self) -> bool {
        self.stays_up && (self.is_renamed || !self.was_up)
    }
}

/// Gives a link its new name, and the old state back when that fails. Leaves a link that was up and stays so, up. A
/// refusal says whether the link has its new name all the same, because only what comes after that was refused.
fn move_link(
    host: &mut dyn Host,
    name: &str,
    new: &str,
    link: &Link,
    ups: &UpAndDown,
    hooks: &Hooks<'_>,
) -> Result<(), (Refused, bool)> {
    let unmoved = |refused| (refused, false);
    if link.kind == LinkKind::Userspace {
        let refusal = Refusal::said(
            "a userspace WireGuard cannot be renamed",
            "give the interface its old name, or remove it and let it be made anew",
        );
        return Err(unmoved((During::Naming, refusal)));
    }
    if host.links().map_err(during(During::Naming)).map_err(unmoved)?.contains_key(new) {
        return Err(unmoved((During::Naming, Errno::EXIST.into())));
    }
    let is_at_once = ups.was_up && ups.stays_up && !(hooks.has("post_down") || hooks.has("pre_up"));
    let renamed = if is_at_once {
        host.rename_up(name, new, &link.addresses).map_err(during(During::Naming))
    } else {
        if ups.was_up {
            host.set_up(name, false).map_err(during(During::Naming)).map_err(unmoved)?;
        }
        rename_down(host, name, new, ups, hooks)
    };
    // The answer may be lost, or the refusal for what comes after the name.
    let is_moved = renamed.is_ok() || host.links().is_ok_and(|links| links.contains_key(new));
    let current = if is_moved { new } else { name };
    // What may be missing is done below.
    let renamed = if is_at_once && is_moved { Ok(()) } else { renamed };
    if ups.was_up && (ups.stays_up || renamed.is_err()) {
        let restored = host
            .set_up(current, true)
            .map_err(during(During::Binding))
            .and_then(|()| restore_addresses(host, current, &link.addresses));
        return match (renamed, restored) {
            (Err(refused), restored) => Err((also(refused, restored), is_moved)),
            (Ok(()), restored) => restored.map_err(|refused| (refused, true)),
        };
    }
    renamed.map_err(|refused| (refused, is_moved))
}

/// What holds when a command stops a rename.
const KEPT_NAME: &str = "the interface has its old name, and is as it was";

/// Gives a link that is down its new name, between the commands that come after it went down and before it goes up.
fn rename_down(
    host: &mut dyn Host,
    name: &str,
    new: &str,
    ups: &UpAndDown,
    hooks: &Hooks<'_>,
) -> Result<(), Refused> {
    if ups.was_up {
        hooks.run(host, name, "post_down", KEPT_NAME)?;
    }
    host.rename(name, new).map_err(during(During::Naming))?;
    if !ups.stays_up {
        return Ok(());
    }
    hooks
        .run(host, new, "pre_up", KEPT_NAME)
        .map_err(|refused| also(refused, host.rename(new, name).map_err(during(During::Naming))))
}

fn remove(host: &mut dyn Host, name: &str) -> Result<(), Refused> {
    if wireguard_link(host, name)?.is_none() {
        return Ok(());
    }
    // The kernel takes 13 ms for each peer that is still there when a link goes; cleared first, they cost nothing.
    let clear = DeviceChange { clears_peers: true, ..DeviceChange::default() };
    let gone = host.configure(name, &clear).and_then(|()| host.delete_link(name));
    match gone {
        Ok(()) | Err(Refusal::Errno(Errno::NODEV)) => {}
        Err(refusal) => return Err((During::Configuring, refusal)),
    }
    match host.links().map_err(during(During::Reading))?.contains_key(name) {
        false => Ok(()),
        true => Err(differs("it is still there")),
    }
}

/// Finds a link that is to be written to. One that is no WireGuard is left alone.
fn wireguard_link(host: &mut dyn Host, name: &str) -> Result<Option<Link>, Refused> {
    match host.links().map_err(during(During::Reading))?.remove(name) {
        Some(Link { kind: LinkKind::Other, .. }) => {
            Err((During::Configuring, Errno::OPNOTSUPP.into()))
        }
        link => Ok(link),
    }
}

fn configure(
    host: &mut dyn Host,
    name: &str,
    private_key: Option<&PrivateKey>,
    wish: &InterfaceWish,
) -> Result<(), Refused> {
    let InterfaceWish {
        listen_port,
        fwmark,
        add_addresses: _,
        remove_addresses: _,
        mtu: _,
        enabled: _,
        dns: _,
        dns_search: _,
    } = wish;
    if private_key.is_none() && listen_port.is_none() && fwmark.is_none() {
        return Ok(());
    }
    let change = DeviceChange {
        private_key: private_key.cloned(),
        listen_port: *listen_port,
        fwmark: *fwmark,
        clears_peers: false,
        peers: Vec::new(),
    };
    host.configure(name, &change).map_err(during(During::Configuring))
}

fn set_mtu(host: &mut dyn Host, name: &str, wish: &InterfaceWish) -> Result<(), Refused> {
    wish.mtu.map_or(Ok(()), |mtu| host.set_mtu(name, mtu).map_err(during(During::Addressing)))
}

fn add_addresses(host: &mut dyn Host, name: &str, wish: &InterfaceWish) -> Result<(), Refused> {
    // IPv6 has an address once, whatever its length: one that takes the place of another is made when that has gone, by
    // `remove_addresses`.
    wish.add_addresses.iter().try_for_each(|it| add_address(host, name, *it))
}

fn add_address(host: &mut dyn Host, name: &str, address: Cidr) -> Result<(), Refused> {
    match host.add_address(name, address) {
        Ok(()) | Err(Refusal::Errno(Errno::EXIST)) => Ok(()),
        Err(refusal) => Err(address_refused(address, refusal)),
    }
}

/// Removes addresses, and adds at once what goes with them: a host that is far away does both by itself, and the way to it
/// may lead to one of those.
fn remove_addresses(
    host: &mut dyn Host,
    name: &str,
    wish: &InterfaceWish,
    expected: &BTreeSet<Cidr>,
) -> Result<(), Refused> {
    for address in &wish.remove_addresses {
        match host.delete_address(name, *address) {
            Ok(()) | Err(Refusal::Errno(Errno::ADDRNOTAVAIL)) => {}
            Err(refusal) => return Err(address_refused(*address, refusal)),
        }
    }
    // With the first IPv4 address of a network go the others of it. IPv6 has an address once, whatever its length.
    let goes_along = |it: &&Cidr| {
        let mut gone = wish.remove_addresses.iter();
        gone.any(|gone| gone.prefix() == it.prefix() || gone.address() == it.address())
    };
    expected.iter().filter(goes_along).try_for_each(|it| add_address(host, name, *it))
}

/// Returns what is to be on the link in the end: all that was, less what goes.
fn expected_addresses(
    before: &Link,
    wish: &InterfaceWish,
    wanted: &Fields,
    ups: &UpAndDown,
) -> BTreeSet<Cidr> {
    let mut expected = &before.addresses | &wish.add_addresses;
    // A link that was down had lost its IPv6 addresses.
    if let (Some(Field::Addresses(all)), false, true) =
        (wanted.get("addresses"), ups.was_up, ups.stays_up)
    {
        expected.extend(all.iter().filter(|it| it.address().is_ipv6()));
    }
    let mtu = wish.mtu.unwrap_or(before.mtu);
    let has_ipv6 = mtu >= IPV6_MIN_MTU && (ups.stays_up || !ups.was_up);
    expected
        .retain(|it| !wish.remove_addresses.contains(it) && (it.address().is_ipv4() || has_ipv6));
    expected
}

/// Adds what is missing in the end: IPv6 addresses that were lost when the link went down, the other addresses of a
/// network whose first one was removed, an IPv6 address with a new length.
fn restore_addresses(
    host: &mut dyn Host,
    name: &str,
    expected: &BTreeSet<Cidr>,
) -> Result<(), Refused> {
    let link = wireguard_link(host, name)?.ok_or((During::Addressing, Errno::NODEV.into()))?;
    (expected - &link.addresses).into_iter().try_for_each(|it| add_address(host, name, it))
}

/// Compares what was written with what the host then holds, and returns what the host chose.
fn compare(
    host: &mut dyn Host,
    name: &str,
    private_key: Option<&PrivateKey>,
    wish: &InterfaceWish,
) -> Result<Fields, Refused> {
    let InterfaceWish {
        listen_port,
        add_addresses,
        remove_addresses,
        mtu,
        fwmark,
        enabled,
        dns,
        dns_search,
    } = wish;
    resolver::compare(host, name, dns.as_deref(), dns_search.as_deref())?;
    let link = wireguard_link(host, name)?.ok_or_else(|| differs("it is gone"))?;
    let device = host.device(name).map_err(during(During::Reading))?;
    let is_lost = |it: &&Cidr| {
        it.address().is_ipv6() && !link.is_up && enabled.is_some() && !link.addresses.contains(*it)
    };
    let holds = [
        ("private_key", private_key.is_none_or(|key| device.private_key.as_ref() == Some(key))),
        ("listen_port", listen_port.is_none_or(|port| port == 0 || port == device.listen_port)),
        ("fwmark", fwmark.is_none_or(|mark| mark == device.fwmark)),
        ("mtu", mtu.is_none_or(|mtu| mtu == link.mtu)),
        ("enabled", enabled.is_none_or(|enabled| enabled == link.is_up)),
        (
            "addresses",
            add_addresses.iter().all(|it| link.addresses.contains(it) || is_lost(&it))
                && remove_addresses.is_disjoint(&link.addresses),
        ),
    ];
    if let Some((attribute, _)) = holds.iter().find(|(_, holds)| !holds) {
        return Err(differs(&format!("`{attribute}` is not what was written")));
    }
    // A host chooses when it is asked to, and for a link that comes up without one.
    let may_choose = match listen_port {
        Some(port) => *port == 0,
        None => *enabled == Some(true),
    };
    let is_chosen = may_choose && device.listen_port != 0;
    let port = is_chosen.then(|| ("listen_port", Field::Number(device.listen_port.into())));
    Ok(port.into_iter().collect())
}

/// Says that the host took a write and holds something else.
pub(crate) fn differs(what: &str) -> Refused {
    let refusal = Refusal::said(
        format!("the device was read again after the write, and {what}"),
        "something else may be changing it: run `plan` again to see what it holds now",
    );
    (During::Reading, refusal)
}

/// How a key file is brought back to what it was.
enum KeyUndo<'a> {
    Nothing,
    Remove(&'a Path),
    Restore(&'a Path, PrivateKey),
    /// It still holds this key, which the device had.
    Follows(&'a Path, PrivateKey),
}

impl KeyUndo<'_> {
    fn carry_out(&self, host: &mut dyn Host) -> Result<(), Refused> {
        match self {
            Self::Nothing | Self::Follows(..) => Ok(()),
            Self::Remove(path) => host.remove_file(path),
            Self::Restore(path, key) => {
                host.write_file(path, &HostFile::private(key_text::write(key)))
            }
        }
        .map_err(during(During::KeyFile))
    }

    /// Writes the key that the device has now, where the file was to follow it; else the device gets its old key back.
    fn follow(&self, host: &mut dyn Host, name: &str, key: &PrivateKey) -> Result<(), Refused> {
        let Self::Follows(path, old) = self else { return Ok(()) };
        let Err(refusal) = host.write_file(path, &HostFile::private(key_text::write(key))) else {
            return Ok(());
        };
        // A file of which the answer was lost may hold the new key, which then has to stay on the device.
        let is_unknown = matches!(refusal, Refusal::Errno(Errno::CONNRESET | Errno::TIMEDOUT));
        let refused = file_refused(path, refusal);
        if is_unknown {
            return Err(refused);
        }
        Err(also(refused, configure(host, name, Some(old), &InterfaceWish::default())))
    }
}

/// The key files of an interface that changes.
struct KeyFiles<'a> {
    undo: Vec<KeyUndo<'a>>,
}

impl<'a> KeyFiles<'a> {
    /// Keeps the key of an interface that changes: the new one, or the one it has when the file is new; and takes away the
    /// files that it leaves.
    ///
    /// A file that holds the key of the device, and stays the only one, follows it: whatever happens on the way, the key that
    /// the far ends know is there until they can be told another one.
    fn keep(host: &mut dyn Host, update: &Update<'a>) -> Result<Self, Refused> {
        let Update { name, private_key, key_file, own_keys, .. } = *update;
        if key_file.is_none() && own_keys.remove.is_empty() {
            return Ok(Self { undo: Vec::new() });
        }
        let held = host.device(name).map_err(during(During::Reading))?.private_key;
        let held_key = held.as_ref().map(PrivateKey::public);
        let own = own_keys.keys.iter().copied().chain(held_key).collect();
        let mut files = Self { undo: Vec::new() };
        if let Some(path) = key_file {
            let Some(key) = private_key.or(held.as_ref()) else {
                let refusal = Refusal::said("it has no key to keep", "set `private_key`");
                return Err((During::KeyFile, refusal));
            };
            files.undo.push(match held.as_ref().filter(|_| own_keys.remove.is_empty()) {
                Some(old) if old != key && holds(host, path, old)? => {
                    KeyUndo::Follows(path, old.clone())
                }
                _ => keep_key(host, path, key, &own)?,
            });
        }
        // As when an interface goes: nothing would tell of a file that is removed last and was not.
        match take_keys(host, &own_keys.remove, &own) {
            Ok(taken) => files.undo.extend(taken.undo),
            Err(refused) => return Err(files.put_back(host, refused)),
        }
        Ok(files)
    }

    /// Lets the file that was to follow the device have the key that the device has now.
    fn follow(&self, host: &mut dyn Host, name: &str, key: &PrivateKey) -> Result<(), Refused> {
        self.undo.iter().try_for_each(|it| it.follow(host, name, key))
    }

    /// Brings them back to what they were, and adds what is refused of that.
    fn put_back(&self, host: &mut dyn Host, refused: Refused) -> Refused {
        self.undo.iter().fold(refused, |refused, it| also(refused, it.carry_out(host)))
    }
}

/// Returns whether a key file holds a key.
fn holds(host: &mut dyn Host, path: &Path, key: &PrivateKey) -> Result<bool, Refused> {
    let text = host.read_key_file(path).map_err(|it| file_refused(path, it))?;
    Ok(text
        .is_some_and(|text| matches!(key_text::read(&text), KeyFile::Key(found) if found == *key)))
}

/// Writes a key into its file before the device gets it, so that no key is only in the kernel. A file is replaced only if it
/// holds one of the interface's `own` keys.
fn keep_key<'a>(
    host: &mut dyn Host,
    path: &'a Path,
    key: &PrivateKey,
    own: &BTreeSet<PublicKey>,
) -> Result<KeyUndo<'a>, Refused> {
    let undo = match host.read_key_file(path).map_err(|it| file_refused(path, it))? {
        None => KeyUndo::Remove(path),
        Some(text) => match key_text::read(&text) {
            KeyFile::Key(found) if found == *key => return Ok(KeyUndo::Nothing),
            KeyFile::Key(found) if own.contains(&found.public()) => KeyUndo::Restore(path, found),
            KeyFile::Key(_) => return Err(occupied(path, "holds another private key")),
            KeyFile::Unusable(why) => return Err(occupied(path, &format!("is not ours: {why}"))),
        },
    };
    host.write_file(path, &HostFile::private(key_text::write(key)))
        .map_err(|it| file_refused(path, it))?;
    Ok(undo)
}

/// Removes those of the key files that hold one of the interface's `own` keys, and returns how to bring them back. What
/// somebody else has put there by now stays.
fn take_keys<'a>(
    host: &mut dyn Host,
    paths: &'a BTreeSet<PathBuf>,
    own: &BTreeSet<PublicKey>,
) -> Result<KeyFiles<'a>, Refused> {
    let mut taken = KeyFiles { undo: Vec::new() };
    for path in paths {
        match take_key(host, path, own) {
            Ok(undo) => taken.undo.push(undo),
            Err(refused) => return Err(taken.put_back(host, refused)),
        }
    }
    Ok(taken)
}

fn take_key<'a>(
    host: &mut dyn Host,
    path: &'a Path,
    own: &BTreeSet<PublicKey>,
) -> Result<KeyUndo<'a>, Refused> {
    let text = host.read_key_file(path).map_err(|it| file_refused(path, it))?;
    let key = match text.map(|text| key_text::read(&text)) {
        Some(KeyFile::Key(key)) if own.contains(&key.public()) => key,
        _ => return Ok(KeyUndo::Nothing),
    };
    match host.remove_file(path) {
        Ok(()) | Err(Refusal::Errno(Errno::NOENT)) => Ok(KeyUndo::Restore(path, key)),
        Err(refusal) => Err(file_refused(path, refusal)),
    }
}

fn occupied(path: &Path, what: &str) -> Refused {
    let refusal = Refusal::said(
        format!("the key file `{}` {what}, and was not touched", path.display()),
        "move the file away, or set `key_file` to another path",
    );
    (During::KeyFile, refusal)
}

fn file_refused(path: &Path, refusal: Refusal) -> Refused {
    named(During::KeyFile, &format!("the key file `{}`", path.display()), refusal)
}

fn address_refused(address: Cidr, refusal: Refusal) -> Refused {
    named(During::Addressing, &format!("the address `{address}`"), refusal)
}

/// Puts the thing that was refused before the reason.
pub(crate) fn named(during: During, what: &str, refusal: Refusal) -> Refused {
    let (reason, hints) = explain::words(during, refusal);
    (during, Refusal::Said { reason: format!("{what}: {reason}"), hints })
}

pub(crate) fn during(during: During) -> impl Fn(Refusal) -> Refused {
    move |refusal| (during, refusal)
}

/// Adds that bringing things back to what they were failed as well.
fn also((during, refusal): Refused, undone: Result<(), Refused>) -> Refused {
    let Err((second_during, second)) = undone else {
        return (during, refusal);
    };
    let (reason, mut hints) = explain::words(during, refusal);
    let (second, more) = explain::words(second_during, second);
    hints.extend(more);
    let reason = format!("{reason}; it could not be brought back to what it was: {second}");
    (during, Refusal::Said { reason, hints })
}
