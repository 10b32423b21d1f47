//! Links and addresses of the network namespace that this thread is in, over rtnetlink.

mod routing;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use futures_util::TryStreamExt;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use rtnetlink::{Error, Handle, LinkMessageBuilder, LinkUnspec, LinkWireguard};
use rustix::io::Errno;
use tokio::runtime::{Builder, Runtime};

use crate::simulator::linux::call::Refusal;
use crate::value::Cidr;

/// A connection to the kernel. It works only on the thread that opened it.
pub(crate) struct Netlink {
    runtime: Runtime,
    handle: Handle,
}

/// A link as the kernel lists it.
pub(crate) struct RawLink {
    pub(crate) kind: RawKind,
    pub(crate) is_up: bool,
    pub(crate) mtu: u32,
    pub(crate) addresses: BTreeSet<Cidr>,
    index: u32,
}

/// What the kernel says of the kind of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RawKind {
    WireGuard,
    Tun,
    Other,
}

impl Netlink {
    pub(crate) fn open() -> Result<Self, Refusal> {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(refused_by_system)?;
        let guard = runtime.enter();
        let (connection, handle, _) = rtnetlink::new_connection().map_err(refused_by_system)?;
        drop(guard);
        runtime.spawn(connection);
        Ok(Self { runtime, handle })
    }

    pub(crate) fn links(&self) -> Result<BTreeMap<String, RawLink>, Refusal> {
        self.runtime.block_on(async {
            let links: Vec<LinkMessage> =
                self.handle.link().get().execute().try_collect().await.map_err(refused)?;
            let addresses: Vec<AddressMessage> =
                self.handle.address().get().execute().try_collect().await.map_err(refused)?;
            Ok(raw_links(&links, &addresses))
        })
    }

    /// Makes a link of the kernel's WireGuard, which loads the module where there is one.
    pub(crate) fn add_wireguard(&self, name: &str) -> Result<(), Refusal> {
        let message = LinkWireguard::new(name).build();
        self.runtime.block_on(self.handle.link().add(message).execute()).map_err(refused)
    }

    pub(crate) fn delete(&self, name: &str) -> Result<(), Refusal> {
        self.runtime.block_on(async {
            let index = self.index(name).await?;
            self.handle.link().del(index).execute().await.map_err(refused)
        })
    }

    pub(crate) fn set_mtu(&self, name: &str, mtu: u32) -> Result<(), Refusal> {
        self.set(name, |link| link.mtu(mtu))
    }

    pub(crate) fn set_up(&self, name: &str, up: bool) -> Result<(), Refusal> {
        self.set(name, |link| if up { link.up() } else { link.down() })
    }

    pub(crate) fn rename(&self, name: &str, new: &str) -> Result<(), Refusal> {
        self.set(name, |link| link.name(new))
    }

    pub(crate) fn add_address(&self, name: &str, address: Cidr) -> Result<(), Refusal> {
        self.runtime.block_on(async {
            let index = self.index(name).await?;
            let request = self.handle.address().add(index, address.address(), address.length());
            request.execute().await.map_err(refused)
        })
    }

    /// Removes an address by the message that describes it: the kernel compares more than its value.
    pub(crate) fn delete_address(&self, name: &str, wanted: Cidr) -> Result<(), Refusal> {
        self.runtime.block_on(async {
            let index = self.index(name).await?;
            let found: Vec<AddressMessage> =
                self.handle.address().get().execute().try_collect().await.map_err(refused)?;
            let message = found
                .into_iter()
                .find(|it| it.header.index == index && address(it) == Some(wanted))
                .ok_or(Errno::ADDRNOTAVAIL)?;
            self.handle.address().del(message).execute().await.map_err(refused)
        })
    }

    fn set(
        &self,
        name: &str,
        change: impl FnOnce(LinkMessageBuilder<LinkUnspec>) -> LinkMessageBuilder<LinkUnspec>,
    ) -> Result<(), Refusal> {
        self.runtime.block_on(async {
            let index = self.index(name).await?;
            let message = change(LinkUnspec::new_with_index(index)).build();
            self.handle.link().set(message).execute().await.map_err(refused)
        })
    }

    /// Finds a link by its name. A long list is not asked for: the kernel filters.
    async fn index(&self, name: &str) -> Result<u32, Refusal> {
        let mut found = self.handle.link().get().match_name(name.to_owned()).execute();
        let message = found.try_next().await.map_err(refused)?;
        Ok(message.ok_or(Errno::NODEV)?.header.index)
    }
}

impl RawLink {
    /// A tun device gives itself a link-local address, which is neither ours nor anybody's.
    fn forget_automatic_address(&mut self) {
        if self.kind == RawKind::Tun {
            self.addresses.retain(|it| !is_automatic(it));
        }
    }
}

/// Returns whether an address is of the form that a tun device gives itself.
pub(crate) fn is_automatic(address: &Cidr) -> bool {
    match address.address() {
        IpAddr::V6(it) => it.segments()[0] & 0xffc0 == 0xfe80 && address.length() == 64,
        IpAddr::V4(_) => false,
    }
}

/// Puts together what the kernel says of links and of addresses.
pub(crate) fn raw_links(
    links: &[LinkMessage],
    addresses: &[AddressMessage],
) -> BTreeMap<String, RawLink> {
    let mut links: BTreeMap<String, RawLink> = links.iter().filter_map(raw_link).collect();
    let mut by_index: BTreeMap<u32, BTreeSet<Cidr>> = BTreeMap::new();
    for message in addresses {
        by_index.entry(message.header.index).or_default().extend(address(message));
    }
    for link in links.values_mut() {
        link.addresses = by_index.remove(&link.index).unwrap_or_default();
        link.forget_automatic_address();
    }
    links
}

fn raw_link(message: &LinkMessage) -> Option<(String, RawLink)> {
    let LinkMessage { header, attributes, .. } = message;
    let mut name = None;
    let mut mtu = 0;
    let mut kind = RawKind::Other;
    for attribute in attributes {
        match attribute {
            LinkAttribute::IfName(text) => name = Some(text.clone()),
            LinkAttribute::Mtu(bytes) => mtu = *bytes,
            LinkAttribute::LinkInfo(infos) => kind = raw_kind(infos),
            _ => {}
        }
    }
    let is_up = header.flags.contains(LinkFlags::Up);
    let addresses = BTreeSet::new();
    Some((name?, RawLink { kind, is_up, mtu, addresses, index: header.index }))
}

fn raw_kind(infos: &[LinkInfo]) -> RawKind {
    let kind = infos.iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind),
        _ => None,
    });
    match kind {
        Some(InfoKind::Wireguard) => RawKind::WireGuard,
        Some(InfoKind::Tun) => RawKind::Tun,
        _ => RawKind::Other,
    }
}

/// Reads the own end of an address: IPv6 has no `Local`, a point-to-point IPv4 has the far end as `Address`.
fn address(message: &AddressMessage) -> Option<Cidr> {
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let any = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Address(address) => Some(*address),
        _ => None,
    });
    Cidr::new(local.or(any)?, message.header.prefix_len).ok()
}

fn refused(error: Error) -> Refusal {
    match error {
        Error::NetlinkError(message) => {
            Refusal::Errno(Errno::from_raw_os_error(message.raw_code().saturating_abs()))
        }
        _ => Refusal::said(
            "the kernel's answer could not be understood",
            "this is a mistake in wgform: please report it with the version of the kernel",
        ),
    }
}

fn refused_by_system(error: std::io::Error) -> Refusal {
    Errno::from_io_error(&error)
        .map_or_else(|| Refusal::said("no connection to the kernel", "try again"), Refusal::Errno)
}
