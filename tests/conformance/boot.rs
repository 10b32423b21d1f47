//! What brings an interface back at boot, over whatever does so on the host: written, read by that, and read back.

use std::path::PathBuf;

use wgform::actual::FoundInterface;
use wgform::backend::{Act, Interest, Persist, PersistWish, Surroundings};
use wgform::persist::{Outside, Style};
use wgform::resource::{Field, Fields};

use crate::conformance::Bed;
use crate::conformance::bed::{
    addresses, create, create_peer, endpoint, keepalive, networks, preshared, private, public,
};

/// Makes an interface with everything, lets the host forget it and `boot`, and compares.
pub fn comes_back(bed: &Bed, style: Style, forget: impl Fn(), boot: impl Fn()) {
    let fields = Fields::from([
        ("listen_port", Field::Number(51_820)),
        ("addresses", addresses(&["10.8.0.1/24", "fd00:8::1/64"])),
        ("mtu", Field::Number(1380)),
        ("fwmark", Field::Number(51)),
    ]);
    let hub = Fields::from([
        ("allowed_ips", networks(&["10.8.0.2/32", "10.20.0.0/16", "fd00:8::2/128"])),
        ("endpoint", endpoint("198.51.100.7:51820")),
        ("persistent_keepalive", keepalive("25s")),
    ]);
    let quiet = Fields::from([("allowed_ips", networks(&[]))]);
    bed.done(create("wg0", &private(1), fields.clone()));
    let mut with_secret = hub.clone();
    with_secret.insert("preshared_key", Field::PresharedKey(Some(preshared(7))));
    bed.done(create_peer(public(1), with_secret));
    bed.done(create_peer(public(2), quiet.clone()));
    // One that is not there is not written.
    let peers = [(public(1), hub), (public(2), quiet), (public(3), Fields::new())].into();
    let wish = Some(PersistWish { style, fields, outside: Outside::default(), peers });
    let remove = [].into();
    let act = Persist { name: "wg0".to_owned(), wish, may_replace: false, remove };
    let digest = bed.done(Act::Persist(Box::new(act.clone())));
    let before = bed.interface("wg0");
    forget();
    assert!(bed.read().interfaces.is_empty());
    boot();
    assert_eq!(told(&bed.interface("wg0")), told(&before));
    assert_eq!(bed.done(Act::Persist(Box::new(act))), digest, "nothing is left to write");
    let interest = Interest { boot: true, ..Interest::default() };
    let files: Vec<PathBuf> = bed.read_with(&interest).boot.unwrap().files.into_keys().collect();
    assert_eq!(files.len(), style.paths("wg0").len());
    bed.done(Act::DeleteInterface {
        name: "wg0".to_owned(),
        remove_key_file: None,
        remove_boot_files: style.paths("wg0").into_iter().collect(),
        around: Surroundings::default(),
    });
    assert!(bed.read_with(&interest).boot.unwrap().files.is_empty());
}

/// Returns all there is to say of an interface.
fn told(found: &FoundInterface) -> String {
    let peers: Vec<_> = found.peers.iter().map(|(key, peer)| (key, &peer.fields)).collect();
    format!("{:?} {peers:?}", found.fields)
}
