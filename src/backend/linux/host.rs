//! The calls that the backend makes of a Linux host, real or simulated.
//!
//! Each is one thing that a host does, with the host's own refusals; what they mean together is the business of
//! [`crate::backend::linux::batch`]. All calls of one read or one batch come from one thread.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::actual::{Fact, Identity};
use crate::simulator::linux::SimulatedLinux;
use crate::simulator::linux::call::{
    Device, DeviceChange, HostFile, HostRouting, Link, NotRouted, Program, Ran, Refusal,
    RoutingChange, WireGuard,
};
use crate::value::Cidr;

/// Where keys are kept, readable by root only.
const KEY_DIRECTORY: &str = "/var/lib/wgform/keys";

/// A Linux host.
pub(crate) trait Host {
    /// Returns which machine it is.
    fn identity(&mut self) -> Result<Identity, Refusal>;

    /// Returns whether a new link could be renamed later.
    fn renames(&mut self, links: &BTreeMap<String, Link>) -> bool;

    /// Returns which WireGuard a new interface gets.
    fn wireguard(&mut self) -> Result<WireGuard, Refusal>;

    /// Returns whether this user may change links.
    fn may_change(&mut self) -> Result<bool, Refusal>;

    /// Says how a host that is far away is worked with: as whom, and by which programs.
    fn means(&mut self) -> Vec<Fact> {
        Vec::new()
    }

    /// Returns every link, by name.
    fn links(&mut self) -> Result<BTreeMap<String, Link>, Refusal>;

    /// Returns what WireGuard holds for a link.
    fn device(&mut self, name: &str) -> Result<Device, Refusal>;

    /// Changes what WireGuard holds for a link, and never makes one. After a refusal a part may be done.
    fn configure(&mut self, name: &str, change: &DeviceChange) -> Result<(), Refusal>;

    /// Makes a WireGuard link, down.
    fn add_link(&mut self, name: &str) -> Result<(), Refusal>;

    /// Removes a link, and returns when it is gone.
    fn delete_link(&mut self, name: &str) -> Result<(), Refusal>;

    /// Sets the MTU of a link.
    fn set_mtu(&mut self, name: &str, mtu: u32) -> Result<(), Refusal>;

    /// Sets a link up or down.
    fn set_up(&mut self, name: &str, up: bool) -> Result<(), Refusal>;

    /// Gives a link that is down another name.
    fn rename(&mut self, name: &str, new: &str) -> Result<(), Refusal>;

    /// Gives a link that is up another name, for which it goes down, and sets it up again with its addresses. A host that is
    /// far away does all of that by itself: the way to it may lead through the link. After a refusal a part may be done.
    fn rename_up(
        &mut self,
        name: &str,
        new: &str,
        _addresses: &BTreeSet<Cidr>,
    ) -> Result<(), Refusal> {
        self.set_up(name, false)?;
        self.rename(name, new)?;
        self.set_up(new, true)
    }

    /// Adds an address to a link.
    fn add_address(&mut self, name: &str, address: Cidr) -> Result<(), Refusal>;

    /// Removes an address from a link.
    fn delete_address(&mut self, name: &str, address: Cidr) -> Result<(), Refusal>;

    /// Returns all routes but those of the local table, and the policy rules that have the form of ours.
    fn routing(&mut self) -> Result<HostRouting, Refusal>;

    /// Changes routes and rules in order, up to the first that is refused.
    fn change_routing(&mut self, changes: &[RoutingChange]) -> Result<(), NotRouted>;

    /// Resolves a host name.
    fn resolve(&mut self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Refusal>;

    /// Returns where keys are kept when the configuration names no file.
    fn key_directory(&mut self) -> PathBuf {
        PathBuf::from(KEY_DIRECTORY)
    }

    /// Returns the files in a directory, and the links to files; none without such a directory.
    fn list_files(&mut self, directory: &Path) -> Result<Vec<PathBuf>, Refusal>;

    /// Returns the text of a file that can be a key's; none without one.
    fn read_key_file(&mut self, path: &Path) -> Result<Option<Zeroizing<String>>, Refusal>;

    /// Returns a file; none without one.
    fn read_file(&mut self, path: &Path) -> Result<Option<HostFile>, Refusal>;

    /// Writes a file, whole or not at all.
    fn write_file(&mut self, path: &Path, file: &HostFile) -> Result<(), Refusal>;

    /// Removes a file.
    fn remove_file(&mut self, path: &Path) -> Result<(), Refusal>;

    /// Runs a program to its end. Refused when it cannot be started, or does not end in its time.
    fn run(&mut self, program: &Program) -> Result<Ran, Refusal>;

    /// Returns whether there is a program of that name in the host's `PATH`, or at that absolute path.
    fn has_program(&mut self, name: &str) -> Result<bool, Refusal>;

    /// Returns whether systemd is the host's init.
    fn runs_systemd(&mut self) -> Result<bool, Refusal>;
}

/// A simulated host, and the clock that it lives by.
#[derive(Debug)]
pub(crate) struct Simulated {
    pub(crate) host: SimulatedLinux,
    pub(crate) now: Timestamp,
}

impl Host for Simulated {
    fn identity(&mut self) -> Result<Identity, Refusal> {
        Ok(self.host.identity(self.now))
    }

    fn renames(&mut self, _: &BTreeMap<String, Link>) -> bool {
        true
    }

    fn wireguard(&mut self) -> Result<WireGuard, Refusal> {
        Ok(WireGuard::Kernel)
    }

    fn may_change(&mut self) -> Result<bool, Refusal> {
        Ok(true)
    }

    fn links(&mut self) -> Result<BTreeMap<String, Link>, Refusal> {
        Ok(self.host.links())
    }

    fn device(&mut self, name: &str) -> Result<Device, Refusal> {
        self.host.device(name)
    }

    fn configure(&mut self, name: &str, change: &DeviceChange) -> Result<(), Refusal> {
        self.host.configure(name, change)
    }

    fn add_link(&mut self, name: &str) -> Result<(), Refusal> {
        self.host.add_link(name)
    }

    fn delete_link(&mut self, name: &str) -> Result<(), Refusal> {
        self.host.delete_link(name)
    }

    fn set_mtu(&mut self, name: &str, mtu: u32) -> Result<(), Refusal> {
        self.host.set_mtu(name, mtu)
    }

    fn set_up(&mut self, name: &str, up: bool) -> Result<(), Refusal> {
        self.host.set_up(name, up)
    }

    fn rename(&mut self, name: &str, new: &str) -> Result<(), Refusal> {
        self.host.rename(name, new)
    }

    fn add_address(&mut self, name: &str, address: Cidr) -> Result<(), Refusal> {
        self.host.add_address(name, address)
    }

    fn delete_address(&mut self, name: &str, address: Cidr) -> Result<(), Refusal> {
        self.host.delete_address(name, address)
    }

    fn routing(&mut self) -> Result<HostRouting, Refusal> {
        Ok(self.host.routing())
    }

    fn change_routing(&mut self, changes: &[RoutingChange]) -> Result<(), NotRouted> {
        self.host.change_routing(changes)
    }

    fn resolve(&mut self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Refusal> {
        self.host.resolve(name, port)
    }

    fn list_files(&mut self, directory: &Path) -> Result<Vec<PathBuf>, Refusal> {
        Ok(self.host.list_files(directory))
    }

    fn read_key_file(&mut self, path: &Path) -> Result<Option<Zeroizing<String>>, Refusal> {
        Ok(self.host.read_key_file(path))
    }

    fn read_file(&mut self, path: &Path) -> Result<Option<HostFile>, Refusal> {
        Ok(self.host.read_file(path))
    }

    fn write_file(&mut self, path: &Path, file: &HostFile) -> Result<(), Refusal> {
        self.host.write_file(path, file)
    }

    fn remove_file(&mut self, path: &Path) -> Result<(), Refusal> {
        self.host.remove_file(path)
    }

    fn run(&mut self, program: &Program) -> Result<Ran, Refusal> {
        self.host.run(program)
    }

    fn has_program(&mut self, name: &str) -> Result<bool, Refusal> {
        Ok(self.host.has_program(name))
    }

    fn runs_systemd(&mut self) -> Result<bool, Refusal> {
        Ok(self.host.runs_systemd())
    }
}
