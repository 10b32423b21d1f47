//! Which two peers are the two ends of one link.
//!
//! A link is two peers that name each other's interface by its key: peer A on interface I with the key of interface
//! J, and peer B on J with the key of I. What must happen at both ends together (a new key, a new pre-shared key) is
//! ordered by it, and `-target` brings in the other end.

use std::collections::BTreeMap;

use crate::resource::Address;
use crate::value::PublicKey;

/// One peer, as far as links are concerned.
#[derive(Debug, Clone)]
pub struct End {
    /// The peer.
    pub peer: Address,
    /// The interface that it is on.
    pub interface: Address,
    /// The interface at the far end, when the configuration names it by reference.
    pub far_interface: Option<Address>,
    /// The key that the peer expects of the far end, when it is known.
    pub public_key: Option<PublicKey>,
    /// The key of the interface that it is on, when it is known.
    pub own_key: Option<PublicKey>,
}

/// The links of one configuration.
#[derive(Debug, Clone, Default)]
pub struct Links {
    other_end: BTreeMap<Address, Address>,
}

impl Links {
    /// Finds the links among these ends. References decide where there are some, keys where there are none.
    pub fn find(ends: &[End]) -> Self {
        let mut by_interfaces: BTreeMap<(&Address, &Address), &End> = BTreeMap::new();
        let mut by_keys: BTreeMap<(PublicKey, PublicKey), &End> = BTreeMap::new();
        for end in ends {
            if let Some(far) = &end.far_interface {
                by_interfaces.entry((&end.interface, far)).or_insert(end);
            }
            if let (Some(own), Some(far)) = (end.own_key, end.public_key) {
                by_keys.entry((own, far)).or_insert(end);
            }
        }
        let mut other_end = BTreeMap::new();
        for end in ends {
            let by_reference = end
                .far_interface
                .as_ref()
                .and_then(|far| by_interfaces.get(&(far, &end.interface)))
                .filter(|other| other.far_interface.as_ref() == Some(&end.interface));
            let by_key = || by_keys.get(&(end.public_key?, end.own_key?));
            if let Some(other) = by_reference.or_else(by_key).filter(|it| it.peer != end.peer) {
                other_end.insert(end.peer.clone(), other.peer.clone());
            }
        }
        Self { other_end }
    }

    /// Returns the peer at the other end.
    pub fn other_end(&self, peer: &Address) -> Option<&Address> {
        self.other_end.get(peer)
    }

    /// Returns a name that both ends of a link share, to keep them next to each other in an order.
    pub fn name<'a>(&'a self, peer: &'a Address) -> &'a Address {
        self.other_end(peer).map_or(peer, |other| other.min(peer))
    }
}

#[cfg(test)]
mod tests {
    use crate::link::{End, Links};
    use crate::resource::{Address, Kind};
    use crate::value::PublicKey;

    fn end(
        peer: &str,
        interface: &str,
        far: Option<&str>,
        own: Option<u8>,
        key: Option<u8>,
    ) -> End {
        let key_of = |byte: u8| PublicKey::from_bytes([byte; 32]);
        End {
            peer: Address::root(Kind::Peer, peer),
            interface: Address::root(Kind::Interface, interface),
            far_interface: far.map(|far| Address::root(Kind::Interface, far)),
            public_key: key.map(key_of),
            own_key: own.map(key_of),
        }
    }

    #[test]
    fn two_peers_that_name_each_others_interface_are_one_link() {
        let ends = [
            end("a", "hq", Some("branch"), None, None),
            end("b", "branch", Some("hq"), None, None),
            end("c", "hq", None, None, Some(9)),
        ];
        let links = Links::find(&ends);
        assert_eq!(links.other_end(&ends[0].peer), Some(&ends[1].peer));
        assert_eq!(links.name(&ends[1].peer), &ends[0].peer);
        assert_eq!(links.other_end(&ends[2].peer), None);
    }

    #[test]
    fn keys_alone_make_a_link_too() {
        let ends = [end("a", "x", None, Some(1), Some(2)), end("b", "y", None, Some(2), Some(1))];
        assert_eq!(Links::find(&ends).other_end(&ends[1].peer), Some(&ends[0].peer));
    }
}
