//! The real host, as it is seen from the thread that has entered its network namespace.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use zeroize::Zeroizing;

use crate::actual::Identity;
use crate::backend::linux::host::Host;
use crate::backend::linux::netlink::{Netlink, RawKind, RawLink};
use crate::backend::linux::{device, files, userspace};
use crate::backend::program;
use crate::config::Driver;
use crate::failpoint::around_host_change;
use crate::simulator::linux::call::{
    Device, DeviceChange, HostFile, HostRouting, Link, LinkKind, NotRouted, Program, Ran, Refusal,
    RoutingChange, WireGuard, is_link_name,
};
use crate::value::Cidr;

/// This machine.
pub(crate) struct System {
    driver: Driver,
    /// The program of a userspace WireGuard.
    program: String,
    environment: BTreeMap<String, String>,
    netlink: Netlink,
}

impl System {
    /// Moves this thread into the namespace, for good, and opens what it needs there.
    pub(crate) fn enter(
        netns: Option<&str>,
        driver: Driver,
        program: String,
        environment: BTreeMap<String, String>,
    ) -> Result<Self, Refusal> {
        if let Some(name) = netns {
            let namespace = files::open_namespace(name)?;
            let moved =
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network));
            moved.map_err(|errno| match errno {
                Errno::PERM => Refusal::said("this user may not enter it", "run as root"),
                Errno::INVAL => Refusal::said(
                    format!("`/run/netns/{name}` is not a network namespace any more"),
                    format!("remove it with `ip netns delete {name}`, and make it with `ip netns add {name}`"),
                ),
                errno => Refusal::Errno(errno),
            })?;
        }
        Ok(Self { driver, program, environment, netlink: Netlink::open()? })
    }

    fn start_userspace(&self, name: &str) -> Result<(), Refusal> {
        around_host_change(|| userspace::start(name, &self.program, &self.environment))
    }

    /// Returns what is behind a link that must be there.
    fn kind(&self, name: &str) -> Result<LinkKind, Refusal> {
        let raw = self.netlink.links()?.remove(name).ok_or(Errno::NODEV)?;
        kind(name, raw.kind)
    }
}

impl Host for System {
    fn identity(&mut self) -> Result<Identity, Refusal> {
        Ok(files::identity())
    }

    fn renames(&mut self, links: &BTreeMap<String, Link>) -> bool {
        let has = |kind| links.values().any(|link| link.kind == kind);
        match self.driver {
            Driver::Userspace => false,
            // An old process behind one of the links cannot follow a new name.
            _ if has(LinkKind::Userspace) => false,
            Driver::Kernel => true,
            Driver::Auto => has(LinkKind::Kernel) || files::has_module(),
        }
    }

    fn wireguard(&mut self) -> Result<WireGuard, Refusal> {
        let is_in_kernel = self.driver != Driver::Userspace && files::has_module();
        Ok(match self.driver {
            _ if is_in_kernel => WireGuard::Kernel,
            Driver::Kernel => WireGuard::NoKernel,
            Driver::Auto | Driver::Userspace => WireGuard::Userspace {
                program: self.program.clone(),
                is_there: program::is_there(&self.program, &self.environment),
                has_tun: userspace::has_tun(),
            },
        })
    }

    fn may_change(&mut self) -> Result<bool, Refusal> {
        Ok(files::may_change_links())
    }

    fn links(&mut self) -> Result<BTreeMap<String, Link>, Refusal> {
        let link = |(name, raw): (String, RawLink)| {
            let kind = kind(&name, raw.kind)?;
            let RawLink { is_up, mtu, addresses, .. } = raw;
            Ok((name, Link { kind, is_up, mtu, addresses }))
        };
        self.netlink.links()?.into_iter().map(link).collect()
    }

    fn device(&mut self, name: &str) -> Result<Device, Refusal> {
        device::get(name, self.kind(name)?)
    }

    fn configure(&mut self, name: &str, change: &DeviceChange) -> Result<(), Refusal> {
        let kind = self.kind(name)?;
        around_host_change(|| device::apply(name, kind, change))
    }

    fn add_link(&mut self, name: &str) -> Result<(), Refusal> {
        if !is_link_name(name) {
            return Err(Errno::INVAL.into());
        }
        if self.netlink.links()?.contains_key(name) {
            return Err(Errno::EXIST.into());
        }
        match self.driver {
            Driver::Userspace => self.start_userspace(name),
            Driver::Kernel | Driver::Auto => {
                match around_host_change(|| self.netlink.add_wireguard(name)) {
                    Err(Refusal::Errno(Errno::OPNOTSUPP)) if self.driver == Driver::Auto => {
                        self.start_userspace(name)
                    }
                    Err(Refusal::Errno(Errno::OPNOTSUPP)) => Err(Refusal::said(
                        "the kernel has no module `wireguard`",
                        userspace::NO_MODULE,
                    )),
                    answer => answer,
                }
            }
        }
    }

    fn delete_link(&mut self, name: &str) -> Result<(), Refusal> {
        let kind = self.kind(name)?;
        around_host_change(|| self.netlink.delete(name))?;
        match kind {
            LinkKind::Userspace => userspace::wait_until_gone(name),
            LinkKind::Kernel | LinkKind::Other => Ok(()),
        }
    }

    fn set_mtu(&mut self, name: &str, mtu: u32) -> Result<(), Refusal> {
        around_host_change(|| self.netlink.set_mtu(name, mtu))
    }

    fn set_up(&mut self, name: &str, up: bool) -> Result<(), Refusal> {
        around_host_change(|| self.netlink.set_up(name, up))
    }

    fn rename(&mut self, name: &str, new: &str) -> Result<(), Refusal> {
        if !is_link_name(new) {
            return Err(Errno::INVAL.into());
        }
        around_host_change(|| self.netlink.rename(name, new))
    }

    fn add_address(&mut self, name: &str, address: Cidr) -> Result<(), Refusal> {
        around_host_change(|| self.netlink.add_address(name, address))
    }

    fn delete_address(&mut self, name: &str, address: Cidr) -> Result<(), Refusal> {
        around_host_change(|| self.netlink.delete_address(name, address))
    }

    fn routing(&mut self) -> Result<HostRouting, Refusal> {
        let (routes, rules) = (self.netlink.routes()?, self.netlink.rules()?);
        Ok(HostRouting { routes, rules, table_names: files::table_names() })
    }

    fn change_routing(&mut self, changes: &[RoutingChange]) -> Result<(), NotRouted> {
        around_host_change(|| self.netlink.change_routing(changes))
    }

    fn resolve(&mut self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Refusal> {
        match (name, port).to_socket_addrs() {
            Ok(found) => Ok(found.collect()),
            Err(_) => Err(Refusal::said(
                format!("the name `{name}` does not resolve"),
                "check the name, and the name server of the host",
            )),
        }
    }

    fn list_files(&mut self, directory: &Path) -> Result<Vec<PathBuf>, Refusal> {
        files::list(directory)
    }

    fn read_key_file(&mut self, path: &Path) -> Result<Option<Zeroizing<String>>, Refusal> {
        files::read(path)
    }

    fn read_file(&mut self, path: &Path) -> Result<Option<HostFile>, Refusal> {
        files::read_whole(path)
    }

    fn write_file(&mut self, path: &Path, file: &HostFile) -> Result<(), Refusal> {
        files::write(path, file)
    }

    fn remove_file(&mut self, path: &Path) -> Result<(), Refusal> {
        files::remove(path)
    }

    fn run(&mut self, program: &Program) -> Result<Ran, Refusal> {
        around_host_change(|| program::run(program, &self.environment))
    }

    fn has_program(&mut self, name: &str) -> Result<bool, Refusal> {
        Ok(program::is_there(name, &self.environment))
    }

    fn runs_systemd(&mut self) -> Result<bool, Refusal> {
        Ok(files::runs_systemd())
    }
}

/// A tun device is a WireGuard when a process answers for its name.
fn kind(name: &str, raw: RawKind) -> Result<LinkKind, Refusal> {
    Ok(match raw {
        RawKind::WireGuard => LinkKind::Kernel,
        RawKind::Tun if userspace::is_served(name)? => LinkKind::Userspace,
        RawKind::Tun | RawKind::Other => LinkKind::Other,
    })
}
