//! Routes and policy rules over rtnetlink.
//!
//! The kernel compares a route to remove with everything that the message says, so a message says all that a route of
//! ours has, its protocol first: it can never match somebody else's. A rule is removed by the message that describes
//! it, since the kernel does not compare who made it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::TryStreamExt;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
    RouteType,
};
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage};
use rtnetlink::{Error, IpVersion};
use rustix::io::Errno;

use crate::backend::linux::netlink::{Netlink, refused};
use crate::simulator::linux::call::{HostRoute, HostRule, NotRouted, Refusal, RoutingChange};
use crate::value::{Family, Prefix, Route, RouteRule};

/// Where the kernel keeps its own addresses, and broadcasts.
const LOCAL_TABLE: u32 = 255;

impl Netlink {
    /// Returns all routes but those of the local table.
    pub(crate) fn routes(&self) -> Result<Vec<HostRoute>, Refusal> {
        self.runtime.block_on(async {
            let names = self.link_names().await?;
            let mut routes = Vec::new();
            for family in [AddressFamily::Inet, AddressFamily::Inet6] {
                let mut message = RouteMessage::default();
                message.header.address_family = family;
                let found: Result<Vec<RouteMessage>, Error> =
                    self.handle.route().get(message).execute().try_collect().await;
                let found = if_there(found.map_err(refused))?;
                routes.extend(found.iter().filter_map(|it| host_route(it, &names)));
            }
            Ok(routes)
        })
    }

    /// Returns the policy rules that have the form of ours.
    pub(crate) fn rules(&self) -> Result<Vec<HostRule>, Refusal> {
        self.runtime.block_on(async {
            let found = self.rule_messages().await?;
            Ok(found.iter().filter_map(host_rule).collect())
        })
    }

    /// Carries out changes in order, up to the first that is refused. They are sent one by one: a thousand take less
    /// than a tenth of a second.
    pub(crate) fn change_routing(&self, changes: &[RoutingChange]) -> Result<(), NotRouted> {
        self.runtime.block_on(async {
            let names = self.link_names().await.map_err(|refusal| (0, refusal))?;
            let indices: BTreeMap<&str, u32> =
                names.iter().map(|(index, name)| (name.as_str(), *index)).collect();
            for (at, change) in changes.iter().enumerate() {
                self.change_route_or_rule(change, &indices).await.map_err(|it| (at, it))?;
            }
            Ok(())
        })
    }

    async fn change_route_or_rule(
        &self,
        change: &RoutingChange,
        indices: &BTreeMap<&str, u32>,
    ) -> Result<(), Refusal> {
        match change {
            RoutingChange::AddRoute(route) => {
                self.handle.route().add(route_message(route, indices)?).execute().await
            }
            RoutingChange::DeleteRoute(route) => {
                self.handle.route().del(route_message(route, indices)?).execute().await
            }
            RoutingChange::AddRule(rule) => {
                let mut request = self.handle.rule().add();
                *request.message_mut() = rule_message(rule);
                request.execute().await
            }
            RoutingChange::DeleteRule(rule) => {
                let found = self.rule_messages().await?;
                let message = found.into_iter().find(|it| host_rule(it).as_ref() == Some(rule));
                self.handle.rule().del(message.ok_or(Errno::NOENT)?).execute().await
            }
        }
        .map_err(refused)
    }

    async fn rule_messages(&self) -> Result<Vec<RuleMessage>, Refusal> {
        let mut rules = Vec::new();
        for version in [IpVersion::V4, IpVersion::V6] {
            let found: Result<Vec<RuleMessage>, Error> =
                self.handle.rule().get(version).execute().try_collect().await;
            rules.extend(if_there(found.map_err(refused))?);
        }
        Ok(rules)
    }

    async fn link_names(&self) -> Result<BTreeMap<u32, String>, Refusal> {
        let links: Vec<LinkMessage> =
            self.handle.link().get().execute().try_collect().await.map_err(refused)?;
        let named = links.iter().filter_map(|link| {
            let name = link.attributes.iter().find_map(|attribute| match attribute {
                LinkAttribute::IfName(name) => Some(name.clone()),
                _ => None,
            });
            Some((link.header.index, name?))
        });
        Ok(named.collect())
    }
}

/// A kernel that was built without IPv6, or without policy rules, has none of them.
fn if_there<T>(found: Result<Vec<T>, Refusal>) -> Result<Vec<T>, Refusal> {
    match found {
        Err(Refusal::Errno(Errno::OPNOTSUPP | Errno::AFNOSUPPORT)) => Ok(Vec::new()),
        found => found,
    }
}

fn host_route(message: &RouteMessage, names: &BTreeMap<u32, String>) -> Option<HostRoute> {
    let RouteMessage { header, attributes, .. } = message;
    let (mut to, mut table, mut metric, mut device) = (None, u32::from(header.table), 0, None);
    for attribute in attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(it)) => to = Some(IpAddr::V4(*it)),
            RouteAttribute::Destination(RouteAddress::Inet6(it)) => to = Some(IpAddr::V6(*it)),
            // The header has no room for a number above 255.
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Priority(number) => metric = *number,
            RouteAttribute::Oif(index) => device = names.get(index).cloned(),
            _ => {}
        }
    }
    let any = match header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        _ => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    // One for some packets only is another one than those that are made here, and so is one in the cache.
    let is_special = header.tos != 0 || header.source_prefix_length != 0;
    if is_special || table == LOCAL_TABLE || header.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    let to = Prefix::new(to.unwrap_or(any), header.destination_prefix_length).ok()?;
    let is_multicast = header.kind == RouteType::Multicast;
    let route = Route::new(to, table, Some(metric));
    (!is_multicast).then(|| HostRoute { route, device, protocol: header.protocol.into() })
}

fn route_message(
    route: &HostRoute,
    indices: &BTreeMap<&str, u32>,
) -> Result<RouteMessage, Refusal> {
    let HostRoute { route, device, protocol } = route;
    let address = route.to.address();
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: match Family::of(&route.to) {
            Family::V4 => AddressFamily::Inet,
            Family::V6 => AddressFamily::Inet6,
        },
        destination_prefix_length: route.to.length(),
        table: u8::try_from(route.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC),
        protocol: RouteProtocol::from(*protocol),
        // As `ip route` has it for a route that leads to a link; IPv6 knows none.
        scope: if address.is_ipv4() { RouteScope::Link } else { RouteScope::Universe },
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    message.attributes = vec![
        RouteAttribute::Destination(address.into()),
        RouteAttribute::Table(route.table),
        RouteAttribute::Priority(route.metric()),
    ];
    if let Some(device) = device {
        let index = indices.get(device.as_str()).ok_or(Errno::NODEV)?;
        message.attributes.push(RouteAttribute::Oif(*index));
    }
    Ok(message)
}

fn host_rule(message: &RuleMessage) -> Option<HostRule> {
    let RuleMessage { header, attributes, .. } = message;
    let family = match header.family {
        AddressFamily::Inet => Family::V4,
        AddressFamily::Inet6 => Family::V6,
        _ => return None,
    };
    let (mut table, mut mark, mut suppresses) = (u32::from(header.table), None, None);
    let mut protocol = 0;
    for attribute in attributes {
        match attribute {
            RuleAttribute::Table(number) => table = *number,
            RuleAttribute::FwMark(number) => mark = Some(*number),
            RuleAttribute::FwMask(u32::MAX) | RuleAttribute::Priority(_) => {}
            // This is how the kernel says that it has none.
            RuleAttribute::SuppressPrefixLen(u32::MAX) => {}
            RuleAttribute::SuppressPrefixLen(length) => suppresses = Some(*length),
            RuleAttribute::Protocol(it) => protocol = (*it).into(),
            _ => return None,
        }
    }
    let is_plain = header.action == RuleAction::ToTable
        && (header.dst_len, header.src_len, header.tos) == (0, 0, 0);
    let is_inverted = header.flags.contains(RuleFlags::Invert);
    let rule = match (mark, suppresses, is_inverted) {
        (Some(mark), None, true) if mark == table => RouteRule::Unmarked(family, mark),
        (None, Some(0), false) if table == Route::MAIN => RouteRule::Main(family),
        _ => return None,
    };
    is_plain.then_some(HostRule { rule, protocol })
}

fn rule_message(HostRule { rule, protocol }: &HostRule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = match rule.family() {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    };
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::Priority(rule.priority()),
        RuleAttribute::Protocol(RouteProtocol::from(*protocol)),
    ];
    let own = match rule {
        RouteRule::Main(_) => {
            vec![RuleAttribute::Table(Route::MAIN), RuleAttribute::SuppressPrefixLen(0)]
        }
        RouteRule::Unmarked(_, mark) => {
            message.header.flags = RuleFlags::Invert;
            vec![RuleAttribute::Table(*mark), RuleAttribute::FwMark(*mark)]
        }
    };
    message.attributes.extend(own);
    message
}
