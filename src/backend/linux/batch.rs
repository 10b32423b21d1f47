//! Walks a batch: keeps its order, skips what follows a failure, merges changes of peers into few messages, and
//! reports every operation exactly once.
//!
//! Operations on peers that follow each other are gathered by interface and handed over together. Whatever must
//! see their end (an operation on an interface, or one that follows a peer of another interface) comes after them.

use std::collections::{BTreeMap, BTreeSet};

use crate::backend::linux::host::Host;
use crate::backend::linux::peers::{self, PeerAct, PeerOperation};
use crate::backend::linux::{boot, interface, routes};
use crate::backend::{Act, BackendError, Operation, Outcome};
use crate::resource::{BackendId, Fields};
use crate::simulator::linux::call::Device;
use crate::value::PublicKey;

/// So many operations are handed over together at first: a stop is looked at in between, and outcomes land.
const FIRST_GROUP: usize = 2000;

/// The device is read after each group, so that a group may then be so many times as large as what the device holds:
/// otherwise the time for reading would grow with the square of the peers.
const GROWTH: usize = 4;

/// Who is asked, and in whose name.
pub(crate) struct Job<'a> {
    pub(crate) backend: &'a BackendId,
    pub(crate) host: &'a mut dyn Host,
    /// What is known of devices from the last look at them in this batch.
    pub(crate) devices: BTreeMap<String, Device>,
}

/// How an operation ended.
pub(crate) enum Ended {
    Done(Fields),
    Failed(BackendError),
    /// It failed, and the host is as before.
    Untouched(BackendError),
    Skipped(usize),
}

impl From<Result<Fields, BackendError>> for Ended {
    fn from(result: Result<Fields, BackendError>) -> Self {
        result.map_or_else(Self::Failed, Self::Done)
    }
}

impl From<Ended> for Outcome {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Done(fields) => Self::Done(fields),
            Ended::Failed(error) => Self::Failed(error),
            Ended::Untouched(error) => Self::Untouched(error),
            Ended::Skipped(after) => Self::Skipped(after),
        }
    }
}

/// Carries out a batch.
pub(crate) fn run(
    backend: &BackendId,
    host: &mut dyn Host,
    operations: Vec<Operation>,
    is_stopped: &dyn Fn() -> bool,
    report: &mut dyn FnMut(usize, Outcome),
) {
    let job = Job { backend, host, devices: BTreeMap::new() };
    let ended = vec![End::Open; operations.len()];
    let mut walk = Walk { job, ended, waiting: Vec::new(), is_stopped, report };
    for (index, Operation { after, act }) in operations.into_iter().enumerate() {
        walk.take(index, after, act);
    }
    walk.flush();
}

/// Reports a batch for which there is no host to ask.
pub(crate) fn refuse(
    operations: &[Operation],
    error: &BackendError,
    report: &mut dyn FnMut(usize, Outcome),
) {
    for (index, Operation { after, act: _ }) in operations.iter().enumerate() {
        match after.first() {
            Some(first) => report(index, Outcome::Skipped(*first)),
            None => report(index, Outcome::Failed(error.clone())),
        }
    }
}

struct Walk<'a> {
    job: Job<'a>,
    ended: Vec<End>,
    waiting: Vec<Group>,
    is_stopped: &'a dyn Fn() -> bool,
    report: &'a mut dyn FnMut(usize, Outcome),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Done,
    NotDone,
}

struct Group {
    interface: String,
    /// The peers of its operations.
    keys: BTreeSet<PublicKey>,
    operations: Vec<PeerOperation>,
}

impl Walk<'_> {
    fn take(&mut self, index: usize, after: Vec<usize>, act: Act) {
        match act {
            Act::CreateInterface { name, private_key, key_file, fields, around } => {
                let create = interface::Create {
                    name: &name,
                    private_key: private_key.as_ref(),
                    key_file: key_file.as_deref(),
                    fields: &fields,
                    around: &around,
                };
                self.take_interface(index, &after, |job| interface::create(job, &create));
            }
            Act::UpdateInterface {
                name,
                rename,
                private_key,
                key_file,
                own_keys,
                settings,
                wanted,
                around,
            } => {
                let update = interface::Update {
                    name: &name,
                    rename: rename.as_deref(),
                    private_key: private_key.as_ref(),
                    key_file: key_file.as_deref(),
                    own_keys: &own_keys,
                    settings: &settings,
                    wanted: &wanted,
                    around: &around,
                };
                self.take_interface(index, &after, |job| interface::update(job, &update));
            }
            Act::DeleteInterface { .. } => self.take_removal(index, &after, act),
            Act::SetRoutes { interface, routes, add_rules, remove_rules } => {
                let (interface, routes) = (interface.as_str(), routes.as_ref());
                let (add_rules, remove_rules) = (&add_rules, &remove_rules);
                let wish = routes::Wish { interface, routes, add_rules, remove_rules };
                self.take_interface(index, &after, |job| routes::set(job, &wish));
            }
            Act::Persist(act) => self.take_interface(index, &after, |it| boot::carry_out(it, &act)),
            // Here everything takes effect at once.
            Act::Apply { .. } => self.take_interface(index, &after, |_| Ok(Fields::new())),
            Act::CreatePeer { .. } | Act::UpdatePeer { .. } | Act::DeletePeer { .. } => {
                self.take_act_on_peer(index, after, act);
            }
        }
    }

    fn take_removal(&mut self, index: usize, after: &[usize], act: Act) {
        let Act::DeleteInterface { name, public_key, own_keys, remove_boot_files, around } = act
        else {
            return;
        };
        let delete = interface::Delete {
            name: &name,
            public_key,
            own_keys: &own_keys,
            remove_boot_files: &remove_boot_files,
            around: &around,
        };
        self.take_interface(index, after, |job| interface::delete(job, &delete));
    }

    /// Here a peer is its key.
    fn take_act_on_peer(&mut self, index: usize, after: Vec<usize>, act: Act) {
        let (interface, act) = match act {
            Act::CreatePeer { interface, public_key, replaces: _, fields } => {
                (interface, PeerAct::Create { public_key, fields })
            }
            Act::UpdatePeer { interface, public_key, settings, wanted } => {
                (interface, PeerAct::Update { public_key, settings, wanted })
            }
            Act::DeletePeer { interface, public_key } => {
                (interface, PeerAct::Delete { public_key })
            }
            _ => return,
        };
        self.take_peer(index, after, interface, act);
    }

    fn take_interface<E: Into<Ended>>(
        &mut self,
        index: usize,
        after: &[usize],
        carry_out: impl FnOnce(&mut Job<'_>) -> E,
    ) {
        self.flush();
        if self.is_over(index, after) {
            return;
        }
        // A new key lets go of a peer, a new name moves them all: what was known is old.
        self.job.devices.clear();
        let ended = carry_out(&mut self.job).into();
        self.end(index, ended.into());
    }

    fn take_peer(&mut self, index: usize, after: Vec<usize>, interface: String, act: PeerAct) {
        self.make_way(&interface, &after, act.public_key());
        if self.is_over(index, &after) {
            return;
        }
        let at = self.waiting.iter().position(|group| group.interface == interface);
        let at = at.unwrap_or_else(|| {
            let keys = BTreeSet::new();
            self.waiting.push(Group { interface, keys, operations: Vec::new() });
            self.waiting.len() - 1
        });
        let group = &mut self.waiting[at];
        group.keys.insert(*act.public_key());
        group.operations.push(PeerOperation { index, after, act });
    }

    /// Carries out what waits, if the operation must see its end.
    fn make_way(&mut self, interface: &str, after: &[usize], public_key: &PublicKey) {
        let own = self.waiting.iter().find(|group| group.interface == interface);
        let held = self.job.devices.get(interface).map_or(0, |device| device.peers.len());
        let is_full =
            own.is_some_and(|group| group.operations.len() >= (GROWTH * held).max(FIRST_GROUP));
        // Two operations on one peer cannot both be compared with what the device holds in the end.
        let is_twice = own.is_some_and(|group| group.keys.contains(public_key));
        let follows_other = after.iter().any(|it| {
            self.ended.get(*it) == Some(&End::Open) && !own.is_some_and(|group| group.holds(*it))
        });
        if is_full || is_twice || follows_other {
            self.flush();
        }
    }

    /// Ends the operation if it is not to be tried.
    fn is_over(&mut self, index: usize, after: &[usize]) -> bool {
        if (self.is_stopped)() {
            self.end(index, Outcome::NotStarted);
            return true;
        }
        // One that comes later in the batch, or never, cannot have been done.
        let is_missing = |it: &&usize| match self.ended.get(**it) {
            Some(End::Done) => false,
            Some(End::Open) => **it >= index,
            Some(End::NotDone) | None => true,
        };
        match after.iter().find(is_missing) {
            Some(missing) => {
                self.end(index, Outcome::Skipped(*missing));
                true
            }
            None => false,
        }
    }

    fn flush(&mut self) {
        for Group { interface, keys: _, operations } in std::mem::take(&mut self.waiting) {
            if (self.is_stopped)() {
                operations.iter().for_each(|it| self.end(it.index, Outcome::NotStarted));
                continue;
            }
            for (index, ended) in peers::carry_out(&mut self.job, &interface, operations) {
                self.end(index, ended.into());
            }
        }
    }

    fn end(&mut self, index: usize, outcome: Outcome) {
        let is_done = matches!(outcome, Outcome::Done(_));
        self.ended[index] = if is_done { End::Done } else { End::NotDone };
        (self.report)(index, outcome);
    }
}

impl Group {
    fn holds(&self, index: usize) -> bool {
        // In the order of the batch, so that ten thousand peers are looked up quickly.
        self.operations.binary_search_by_key(&index, |it| it.index).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use jiff::Timestamp;
    use rustix::io::Errno;

    use crate::actual::OwnKeys;
    use crate::backend::linux::batch::run;
    use crate::backend::linux::host::Simulated;
    use crate::backend::{Act, Operation, Outcome, Surroundings};
    use crate::resource::{BackendId, Field, Fields};
    use crate::simulator::linux::SimulatedLinux;
    use crate::simulator::linux::call::DeviceChange;
    use crate::value::{PrivateKey, PublicKey};

    fn host() -> SimulatedLinux {
        let host = SimulatedLinux::in_memory(1, Timestamp::UNIX_EPOCH);
        for name in ["wg0", "wg1"] {
            host.add_link(name).unwrap();
        }
        host
    }

    fn key(number: u8) -> PublicKey {
        PublicKey::from_bytes([number; 32])
    }

    fn peer(after: &[usize], interface: &str, number: u8) -> Operation {
        let networks = Field::Prefixes([format!("10.{number}.0.0/16").parse().unwrap()].into());
        let act = Act::CreatePeer {
            interface: interface.to_owned(),
            public_key: key(number),
            replaces: None,
            fields: Fields::from([("allowed_ips", networks)]),
        };
        Operation { after: after.to_vec(), act }
    }

    /// Carries out a batch, stopped after so many outcomes, and returns how each operation ended, in landing order.
    fn ends(host: &SimulatedLinux, operations: Vec<Operation>, stop_after: usize) -> Vec<String> {
        let ends = std::cell::RefCell::new(Vec::new());
        let mut report = |index, outcome| {
            let end = match outcome {
                Outcome::Done(_) => "done".to_owned(),
                Outcome::Failed(error) | Outcome::Untouched(error) => format!("{error}"),
                Outcome::Skipped(after) => format!("skipped after {after}"),
                Outcome::NotStarted => "not started".to_owned(),
            };
            ends.borrow_mut().push(format!("{index} {end}"));
        };
        let mut host = Simulated { host: host.clone(), now: Timestamp::UNIX_EPOCH };
        let is_stopped = || ends.borrow().len() >= stop_after;
        run(&BackendId::new("hq"), &mut host, operations, &is_stopped, &mut report);
        ends.into_inner()
    }

    #[test]
    fn peers_of_one_interface_are_one_change_whatever_lies_between() {
        let host = host();
        let before = host.changes();
        let operations =
            (0..40).map(|n| peer(&[], if n % 2 == 0 { "wg0" } else { "wg1" }, n)).collect();
        assert_eq!(ends(&host, operations, 99).len(), 40);
        assert_eq!(host.changes() - before, 2);
    }

    #[test]
    fn groups_grow_with_the_device_that_is_read_after_each() {
        let host = host();
        let create = |n: u16| {
            let mut bytes = [1; 32];
            bytes[..2].copy_from_slice(&n.to_be_bytes());
            let public_key = PublicKey::from_bytes(bytes);
            let (interface, fields) = ("wg0".to_owned(), Fields::new());
            let act = Act::CreatePeer { interface, public_key, replaces: None, fields };
            Operation { after: vec![], act }
        };
        let (reads, changes) = (host.reads(), host.changes());
        assert_eq!(ends(&host, (0..14_000).map(create).collect(), usize::MAX).len(), 14_000);
        // 2000, 8000 and 4000 peers, and a look before them.
        assert_eq!((host.reads() - reads, host.changes() - changes), (4, 3));
    }

    #[test]
    fn a_peer_that_follows_one_of_another_interface_waits_for_it() {
        let host = host();
        let operations = vec![
            peer(&[], "wg0", 1),
            peer(&[0], "wg0", 2),
            peer(&[9], "wg0", 3),
            peer(&[], "wg9", 4),
            peer(&[3], "wg1", 5),
        ];
        assert_eq!(
            ends(&host, operations, 99),
            [
                "2 skipped after 9",
                "0 done",
                "1 done",
                "3 could not create peer `BAQEBAQE…` on `wg9` on backend `hq`: the link is gone",
                "4 skipped after 3",
            ]
        );
    }

    #[test]
    fn nothing_starts_after_a_stop() {
        let host = host();
        let operations = vec![
            peer(&[], "wg0", 1),
            peer(&[], "wg1", 2),
            peer(&[1], "wg0", 3),
            peer(&[], "wg0", 4),
        ];
        assert_eq!(
            ends(&host, operations, 1),
            ["0 done", "1 not started", "2 not started", "3 not started"]
        );
        assert_eq!(host.device("wg0").unwrap().peers.len(), 1);
    }

    #[test]
    fn a_refused_message_fails_only_the_peer_that_is_to_blame() {
        let host = host();
        host.refuse_peer(key(3), Errno::NOMEM).unwrap();
        let operations = vec![
            peer(&[], "wg0", 1),
            peer(&[], "wg0", 2),
            peer(&[], "wg0", 3),
            peer(&[2], "wg0", 4),
            peer(&[], "wg0", 5),
        ];
        assert_eq!(
            ends(&host, operations, 99),
            [
                "0 done",
                "1 done",
                "2 could not create peer `AwMDAwMD…` on `wg0` on backend `hq`: cannot allocate memory",
                "3 skipped after 2",
                "4 done",
            ]
        );
        // The half of it that was made is gone again.
        let keys: Vec<_> = host.device("wg0").unwrap().peers.into_keys().collect();
        assert_eq!(keys, [key(1), key(2), key(5)]);
    }

    #[test]
    fn a_refusal_that_is_meant_for_all_is_not_tried_again() {
        let host = host();
        host.refuse_peer(key(1), Errno::PERM).unwrap();
        let before = host.changes();
        let found = ends(&host, (1..9).map(|n| peer(&[], "wg0", n)).collect(), 99);
        assert!(
            found.iter().all(|end| end.ends_with("cannot read or change WireGuard interfaces")
                || end.ends_with("may not change or read WireGuard interfaces"))
        );
        assert_eq!(host.changes() - before, 1);
    }

    #[test]
    fn a_peer_that_is_there_already_stays_whose_it_is() {
        let host = host();
        assert_eq!(ends(&host, vec![peer(&[], "wg0", 1)], 99), ["0 done"]);
        let mut outcomes = Vec::new();
        let mut report = |_, outcome| outcomes.push(outcome);
        let mut system = Simulated { host, now: Timestamp::UNIX_EPOCH };
        let again = vec![peer(&[], "wg0", 1)];
        run(&BackendId::new("hq"), &mut system, again, &|| false, &mut report);
        assert!(matches!(outcomes[..], [Outcome::Untouched(_)]), "{outcomes:?}");
    }

    #[test]
    fn a_link_that_somebody_made_in_the_place_of_ours_is_not_removed() {
        let host = host();
        let theirs = PrivateKey::from_bytes([7; 32]);
        let change = DeviceChange { private_key: Some(theirs.clone()), ..DeviceChange::default() };
        host.configure("wg0", &change).unwrap();
        let delete = |public_key| {
            let act = Act::DeleteInterface {
                name: "wg0".to_owned(),
                public_key: Some(public_key),
                own_keys: Default::default(),
                remove_boot_files: BTreeSet::new(),
                around: Surroundings::default(),
            };
            let mut outcomes = Vec::new();
            let mut report = |_, outcome| outcomes.push(outcome);
            let mut system = Simulated { host: host.clone(), now: Timestamp::UNIX_EPOCH };
            let operations = vec![Operation { after: Vec::new(), act }];
            run(&BackendId::new("hq"), &mut system, operations, &|| false, &mut report);
            outcomes
        };
        let outcomes = delete(PrivateKey::from_bytes([8; 32]).public());
        assert!(matches!(outcomes[..], [Outcome::Untouched(_)]), "{outcomes:?}");
        assert!(host.links().contains_key("wg0"));
        let outcomes = delete(theirs.public());
        assert!(matches!(outcomes[..], [Outcome::Done(_)]), "{outcomes:?}");
        assert!(!host.links().contains_key("wg0"));
    }

    #[test]
    fn a_link_that_is_there_already_stays_whose_it_is() {
        let host = host();
        let before = host.changes();
        let mut outcomes = Vec::new();
        let mut report = |_, outcome| outcomes.push(outcome);
        let mut system = Simulated { host: host.clone(), now: Timestamp::UNIX_EPOCH };
        let act = Act::CreateInterface {
            name: "wg0".to_owned(),
            private_key: Some(PrivateKey::from_bytes([9; 32])),
            key_file: Some("/etc/wireguard/wg0.key".into()),
            fields: Fields::new(),
            around: Surroundings::default(),
        };
        let create = vec![Operation { after: Vec::new(), act }];
        run(&BackendId::new("hq"), &mut system, create, &|| false, &mut report);
        assert!(matches!(outcomes[..], [Outcome::Untouched(_)]), "{outcomes:?}");
        assert!(host.list_files(Path::new("/etc/wireguard")).is_empty());
        assert!(host.changes() > before, "the key file was written and taken away again");
    }

    #[test]
    fn a_new_key_of_the_interface_is_known_to_the_peers_after_it() {
        let host = host();
        let private = PrivateKey::from_bytes([9; 32]);
        let own = private.public();
        let update = Act::UpdateInterface {
            name: "wg0".to_owned(),
            rename: None,
            private_key: Some(private),
            key_file: None,
            own_keys: Default::default(),
            settings: Default::default(),
            wanted: Fields::new(),
            around: Surroundings::default(),
        };
        let create = |public_key| Act::CreatePeer {
            interface: "wg0".to_owned(),
            public_key,
            replaces: None,
            fields: Fields::new(),
        };
        let acts = [create(key(1)), update, create(own), create(key(2))];
        let operations = acts.map(|act| Operation { after: vec![], act }).into();
        let found = ends(&host, operations, 99);
        assert!(found[2].contains("the interface's own public key"), "{found:?}");
        assert_eq!((&*found[1], &*found[3]), ("1 done", "3 done"));
    }

    #[test]
    fn a_link_that_cannot_come_up_under_its_new_name_has_its_key_in_the_new_file() {
        let host = host();
        let private = PrivateKey::from_bytes([9; 32]);
        let (old, new) = (Path::new("/etc/wireguard/wg0.key"), Path::new("/etc/wireguard/new.key"));
        let rename = |name: &str, to: &str, from: Option<&Path>, into: &Path| {
            let act = Act::UpdateInterface {
                name: name.to_owned(),
                rename: (name != to).then(|| to.to_owned()),
                private_key: Some(private.clone()).filter(|_| from.is_none()),
                key_file: Some(into.into()),
                own_keys: OwnKeys {
                    remove: from.map(Into::into).into_iter().collect(),
                    ..OwnKeys::default()
                },
                settings: Default::default(),
                wanted: Fields::new(),
                around: Surroundings::default(),
            };
            ends(&host, vec![Operation { after: vec![], act }], 99)
        };
        assert_eq!(rename("wg0", "wg0", None, old), ["0 done"]);
        host.set_up("wg0", true).unwrap();
        host.refuse_up("wg9", Errno::ADDRINUSE).unwrap();
        let found = rename("wg0", "wg9", Some(old), new);
        assert!(!found[0].contains("done"), "{found:?}");
        let names: Vec<String> = host.links().into_keys().collect();
        assert!(names.contains(&"wg9".to_owned()), "{names:?}");
        assert_eq!(host.list_files(Path::new("/etc/wireguard")), [new]);
    }
}
