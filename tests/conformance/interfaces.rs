//! Scenarios on interfaces.

use wgform::actual::{KeyFile, OwnKeys};
use wgform::backend::{Act, Interest, Surroundings};
use wgform::resource::{Field, Fields, Setting, Settings};

use crate::conformance::bed::{
    Bed, Kind, REPLACED, addresses, clear, create, create_peer, delete, delete_keyed, elements,
    held, hub_fields, key_path, only, private, public, set, to, update, update_with,
};

pub fn an_empty_host_has_no_interfaces(bed: &Bed) {
    let picture = bed.read();
    assert!(picture.interfaces.is_empty());
    assert_eq!(picture.simulated, bed.kind == Kind::Simulated);
    assert!(picture.other_links.contains("lo"));
    assert!(!picture.identity.id.is_empty());
    assert!(picture.identity.boot_id.is_some());
    assert_eq!(picture.capabilities.renames, bed.kind != Kind::Userspace);
    assert_eq!(picture.identity, {
        let mut again = bed.read().identity;
        again.uptime = picture.identity.uptime;
        again
    });
}

pub fn a_created_interface_reads_back(bed: &Bed) {
    let key = private(1);
    let fields = Fields::from([
        ("listen_port", Field::Number(51_820)),
        ("addresses", addresses(&["10.8.0.1/24", "10.8.0.9/24", "fd00:8::1/64"])),
        ("mtu", Field::Number(1400)),
        ("fwmark", Field::Number(51)),
        ("enabled", Field::Bool(true)),
    ]);
    assert_eq!(bed.done(create("wg0", &key, fields.clone())), Fields::new());
    let found = bed.interface("wg0");
    assert_eq!(found.private_key, Some(key.clone()));
    let mut expected = fields;
    expected.insert("public_key", Field::PublicKey(key.public()));
    assert_eq!(found.fields, expected);
    assert!(found.peers.is_empty());
}

pub fn a_port_that_is_not_set_is_chosen_by_the_host(bed: &Bed) {
    let chosen = bed.done(create("wg0", &private(1), Fields::new()));
    let found = bed.interface("wg0");
    assert!(chosen.contains_key("listen_port"));
    assert_eq!(found.fields.get("listen_port"), chosen.get("listen_port"));
    assert_eq!(found.fields.get("mtu"), Some(&Field::Number(1420)));
    assert_eq!(found.fields.get("enabled"), Some(&Field::Bool(true)));
}

pub fn every_attribute_of_an_interface_can_be_changed(bed: &Bed) {
    bed.hub();
    let changes = [
        ("listen_port", Field::Number(51_999)),
        ("mtu", Field::Number(1300)),
        ("fwmark", Field::Number(7)),
        ("enabled", Field::Bool(false)),
        ("enabled", Field::Bool(true)),
    ];
    for (name, field) in changes {
        let before = bed.interface("wg0").fields;
        let port = before.get("listen_port").cloned();
        let told = bed.done(update("wg0", to(name, field.clone())));
        assert!(told.is_empty() || told.get("listen_port") == port.as_ref(), "{told:?}");
        let mut expected = before;
        expected.insert(name, field);
        assert_eq!(bed.interface("wg0").fields, expected, "{name}");
    }
    bed.done(update("wg0", clear("mtu")));
    bed.done(update("wg0", clear("fwmark")));
    let found = bed.interface("wg0").fields;
    assert_eq!(found.get("mtu"), Some(&Field::Number(1420)));
    assert_eq!(found.get("fwmark"), Some(&Field::Number(0)));
}

pub fn a_change_leaves_foreign_addresses_alone(bed: &Bed) {
    bed.hub();
    // What somebody else added.
    bed.done(update("wg0", elements(&["192.0.2.1/32", "fd00:9::1/64"], &[])));
    bed.done(update("wg0", elements(&["10.9.0.1/24", "fd00:8::1/64"], &["10.8.0.1/24"])));
    let expected = set(&["10.9.0.1/24", "192.0.2.1/32", "fd00:8::1/64", "fd00:9::1/64"]);
    assert_eq!(held(&bed.interface("wg0")), expected);
    // IPv6 has an address once, so that another length has to take the place of the first.
    bed.done(update("wg0", elements(&["fd00:8::1/48"], &["fd00:8::1/64"])));
    let expected = set(&["10.9.0.1/24", "192.0.2.1/32", "fd00:8::1/48", "fd00:9::1/64"]);
    assert_eq!(held(&bed.interface("wg0")), expected);
}

pub fn removing_the_first_address_of_a_network_keeps_the_others(bed: &Bed) {
    bed.hub();
    bed.done(update("wg0", elements(&["10.8.0.2/24", "10.8.0.3/24"], &[])));
    bed.done(update("wg0", elements(&[], &["10.8.0.1/24"])));
    assert_eq!(held(&bed.interface("wg0")), set(&["10.8.0.2/24", "10.8.0.3/24"]));
}

pub fn a_disabled_interface_is_down_and_comes_back_with_its_addresses(bed: &Bed) {
    let mut fields = hub_fields();
    fields.insert("addresses", addresses(&["10.8.0.1/24", "fd00:8::1/64"]));
    fields.insert("enabled", Field::Bool(false));
    bed.done(create("wg0", &private(1), fields.clone()));
    let found = bed.interface("wg0");
    assert_eq!(found.fields.get("enabled"), Some(&Field::Bool(false)));
    for enabled in [true, false, true] {
        fields.insert("enabled", Field::Bool(enabled));
        bed.done(update_with("wg0", to("enabled", Field::Bool(enabled)), fields.clone()));
        let found = bed.interface("wg0");
        assert_eq!(found.fields.get("enabled"), Some(&Field::Bool(enabled)));
        match enabled {
            true => assert_eq!(held(&found), set(&["10.8.0.1/24", "fd00:8::1/64"])),
            false => assert_eq!(held(&found), set(&["10.8.0.1/24"])),
        }
    }
}

pub fn an_interface_that_is_there_is_not_made_again(bed: &Bed) {
    bed.hub();
    let why = bed.failed(create("wg0", &private(2), Fields::new()));
    assert_eq!(why, "failed: a link of that name is there already");
    assert_eq!(bed.interface("wg0").private_key, Some(private(1)));
    let why = bed.failed(create("sixteen-bytes-xx", &private(2), Fields::new()));
    assert_eq!(why, "failed: that is not a name that a link can have");
}

pub fn what_cannot_be_finished_is_not_left_behind(bed: &Bed) {
    let fields = Fields::from([
        ("mtu", Field::Number(1000)),
        ("addresses", addresses(&["10.8.0.1/24", "fd00:8::1/64"])),
    ]);
    let act = Act::CreateInterface {
        name: "wg0".to_owned(),
        private_key: Some(private(1)),
        key_file: Some(key_path("wg0")),
        fields,
        around: Surroundings::default(),
    };
    let why = bed.failed(act);
    assert_eq!(why, "failed: the address `fd00:8::1/64`: the link does not take that address");
    let picture = bed.read();
    assert!(picture.interfaces.is_empty());
    assert!(picture.key_files.is_empty());
}

pub fn a_link_of_another_kind_is_left_alone(bed: &Bed) {
    (bed.add_other_link)("other0");
    let picture = bed.read();
    assert!(picture.other_links.contains("other0"));
    assert!(picture.interfaces.is_empty());
    let why = bed.failed(create("other0", &private(1), Fields::new()));
    assert_eq!(why, "failed: a link of that name is there already");
    for act in [update("other0", to("mtu", Field::Number(1300))), delete("other0")] {
        assert_eq!(bed.failed(act), "failed: the link is not a WireGuard interface");
    }
    assert!(bed.read().other_links.contains("other0"));
}

pub fn a_key_is_kept_in_its_file_and_removed_with_the_interface(bed: &Bed) {
    let elsewhere = std::path::PathBuf::from("/var/lib/elsewhere/deep/wg0.key");
    let interest = Interest { key_files: [elsewhere.clone()].into(), ..Interest::default() };
    let keyed = |name: &str, path: &std::path::Path| Act::CreateInterface {
        name: name.to_owned(),
        private_key: Some(private(1)),
        key_file: Some(path.to_owned()),
        fields: Fields::new(),
        around: Surroundings::default(),
    };
    bed.done(keyed("wg0", &key_path("wg0")));
    let picture = bed.read_with(&interest);
    assert_eq!(picture.key_directory.as_deref(), key_path("wg0").parent());
    assert_eq!(picture.key_files.len(), 1);
    assert!(
        matches!(&picture.key_files[&key_path("wg0")], KeyFile::Key(key) if *key == private(1))
    );
    // A change can move the file, and a destroy removes it.
    bed.done(Act::UpdateInterface {
        name: "wg0".to_owned(),
        rename: None,
        private_key: None,
        key_file: Some(elsewhere.clone()),
        own_keys: OwnKeys { remove: [key_path("wg0")].into(), ..OwnKeys::default() },
        settings: Settings::new(),
        wanted: Fields::new(),
        around: Surroundings::default(),
    });
    let picture = bed.read_with(&interest);
    assert_eq!(picture.key_files.len(), 1);
    assert!(matches!(&picture.key_files[&elsewhere], KeyFile::Key(key) if *key == private(1)));
    bed.done(Act::DeleteInterface {
        name: "wg0".to_owned(),
        public_key: None,
        own_keys: OwnKeys { keys: [private(1).public()].into(), remove: [elsewhere].into() },
        remove_boot_files: Default::default(),
        around: Surroundings::default(),
    });
    assert!(bed.read_with(&interest).key_files.is_empty());
}

pub fn a_foreign_key_file_is_not_overwritten(bed: &Bed) {
    let keyed = |name: &str, number| Act::CreateInterface {
        name: name.to_owned(),
        private_key: Some(private(number)),
        key_file: Some(key_path("wg0")),
        fields: Fields::new(),
        around: Surroundings::default(),
    };
    bed.done(keyed("wg0", 1));
    bed.done(delete("wg0"));
    let why = bed.failed(keyed("wg0", 2));
    assert_eq!(
        why,
        "failed: the key file `/var/lib/wgform/keys/wg0` holds another private key, and was not touched"
    );
    assert!(bed.read().interfaces.is_empty());
    // The same key is taken as it is.
    bed.done(keyed("wg0", 1));
    assert_eq!(bed.interface("wg0").private_key, Some(private(1)));
}

pub fn a_new_key_replaces_the_old_one_in_file_and_device(bed: &Bed) {
    bed.done(Act::CreateInterface {
        name: "wg0".to_owned(),
        private_key: Some(private(1)),
        key_file: Some(key_path("wg0")),
        fields: Fields::new(),
        around: Surroundings::default(),
    });
    bed.done(create_peer(public(1), only(&["10.8.0.2/32"])));
    bed.done(Act::UpdateInterface {
        name: "wg0".to_owned(),
        rename: None,
        private_key: Some(private(2)),
        key_file: Some(key_path("wg0")),
        own_keys: Default::default(),
        settings: Settings::new(),
        wanted: Fields::new(),
        around: Surroundings::default(),
    });
    let picture = bed.read();
    let found = &picture.interfaces["wg0"];
    assert_eq!(found.private_key, Some(private(2)));
    assert_eq!(found.peers.len(), 1);
    assert!(
        matches!(&picture.key_files[&key_path("wg0")], KeyFile::Key(key) if *key == private(2))
    );
}

pub fn an_interface_is_renamed_where_the_host_can(bed: &Bed) {
    let mut fields = hub_fields();
    fields.insert("addresses", addresses(&["10.8.0.1/24", "fd00:8::1/64"]));
    bed.done(create("wg0", &private(1), fields.clone()));
    bed.done(create_peer(public(1), only(&["10.8.0.2/32"])));
    let rename = |name: &str, new: &str| Act::UpdateInterface {
        name: name.to_owned(),
        rename: Some(new.to_owned()),
        private_key: None,
        key_file: None,
        own_keys: Default::default(),
        settings: Settings::from([("mtu", Setting::To(Field::Number(1300)))]),
        wanted: fields.clone(),
        around: Surroundings::default(),
    };
    if bed.kind == Kind::Userspace {
        assert_eq!(
            bed.failed(rename("wg0", "wg1")),
            "failed: a userspace WireGuard cannot be renamed"
        );
        assert_eq!(bed.interface("wg0").peers.len(), 1);
        return;
    }
    let before = bed.interface("wg0");
    bed.done(rename("wg0", "wg1"));
    let after = bed.interface("wg1");
    let mut expected = before.fields;
    expected.insert("mtu", Field::Number(1300));
    assert_eq!(after.fields, expected);
    assert_eq!((after.private_key, after.peers.len()), (before.private_key, 1));
    // A name that is taken changes nothing, and nothing is lost on the way.
    assert_eq!(bed.failed(rename("wg1", "lo")), "failed: a link of that name is there already");
    assert_eq!(bed.interface("wg1").fields, expected);
}

pub fn a_deleted_interface_is_gone_and_may_be_deleted_again(bed: &Bed) {
    let key = bed.hub();
    bed.done(create_peer(public(1), only(&["10.8.0.2/32"])));
    assert_eq!(bed.failed(delete_keyed("wg0", public(9))), REPLACED);
    assert_eq!(bed.interface("wg0").peers.len(), 1);
    for _ in 0..2 {
        bed.done(delete_keyed("wg0", key));
        assert!(bed.read().interfaces.is_empty());
    }
    bed.hub();
    assert!(bed.interface("wg0").peers.is_empty());
}

pub fn a_thousand_peers_go_with_their_interface(bed: &Bed) {
    bed.hub();
    bed.write((0..1000).map(|n| create_peer(public(n), only(&[]))).collect());
    assert_eq!(bed.interface("wg0").peers.len(), 1000);
    bed.done(delete("wg0"));
    assert!(bed.read().interfaces.is_empty());
}
