//! Two states that write to one device: each store that can keeps them apart. The devices are simulated routers that are
//! served over TCP, as two repositories would reach them.

#![cfg(all(feature = "failpoints", feature = "object_store", feature = "postgres"))]
#![expect(clippy::disallowed_methods, reason = "these tests start processes and write files")]
#![expect(clippy::disallowed_types, reason = "servers of these tests are on loopback")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod gitlab;
mod harness;
#[path = "reliability/shop.rs"]
mod shop;
mod store_contract;

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Project, Ran, Running, eventually};
use crate::shop::Shop;

const PASSWORD: &str = "hunter2hunter2";

macro_rules! each_store {
    ($($store:ident),+) => {
        $(mod $store {
            #[test]
            fn keeps_two_states_apart_on_one_device() {
                let Some(shop) = crate::Shop::open(stringify!($store), "apart") else { return };
                crate::keeps_two_states_apart_on_one_device(&shop);
            }

            #[test]
            fn two_states_on_two_devices_do_not_wait_for_each_other_for_ever() {
                let Some(shop) = crate::Shop::open(stringify!($store), "crosswise") else { return };
                crate::two_states_on_two_devices_do_not_wait_for_each_other_for_ever(&shop);
            }
        })+
    };
}

each_store!(local, s3, azure, gcs, postgres);

/// A router that others reach, until this value goes.
struct Router {
    url: String,
    name: &'static str,
    served: Project,
    running: Running,
}

impl Router {
    fn serve(name: &'static str) -> Self {
        let served = Project::new("");
        let environment = [("WGFORM_SIMULATED_PASSWORD", PASSWORD)];
        let mut running =
            served.start_in(&environment, &format!("simulate routeros -version=7.16 {name}"));
        running.wait_for(". Ctrl-C ends it.");
        let url =
            running.said().split(" at ").nth(1).unwrap().split(". ").next().unwrap().to_owned();
        Self { url, name, served, running }
    }

    /// Lets the next thing that is made take a while.
    fn is_slow_once(&self) {
        let rule = json!([{ "method": "PUT", "times": 1, "fault": { "latency": 4000 } }]);
        let path = format!(".wgform/simulated/{}.faults.json", self.name);
        fs::write(self.served.path().join(path), rule.to_string()).unwrap();
    }

    fn block(&self, backend: &str) -> String {
        format!(
            "backend \"routeros\" \"{backend}\" {{\n  api_url = \"{}\"\n  api_user = \"admin\"\n  \
             api_password = \"{PASSWORD}\"\n}}\n",
            self.url
        )
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.running.signal(Signal::INT);
    }
}

/// One repository of several, with a home that all of them have.
struct Repository<'a> {
    project: Project,
    home: &'a str,
}

impl Repository<'_> {
    fn run(&self, arguments: &str) -> Ran {
        let mut command = self.project.command(arguments);
        command.env("HOME", self.home);
        Ran::of(arguments, command.output().unwrap())
    }

    fn is_settled(&self) {
        self.run("plan -detailed-exitcode").ends(0).says("No changes");
        self.run("lock show").ends(0).says("The state is not locked.").says("No device is locked.");
    }
}

fn interface(name: &str, backend: &str) -> String {
    format!("interface \"{name}\" {{\n  backend = backend.{backend}\n  name = \"{name}\"\n}}\n")
}

fn keeps_two_states_apart_on_one_device(shop: &Shop) {
    let (router, home) = (Router::serve("fw"), tempfile::tempdir().unwrap());
    let home = home.path().to_str().unwrap();
    let repository = |state: &str| {
        let text =
            shop.block(state) + &router.block("fw") + &interface(&format!("wg-{state}"), "fw");
        Repository { project: Project::new(&text), home }
    };
    let (one, two) = (repository("one"), repository("two"));

    // One of them writes, and takes its time.
    router.is_slow_once();
    let writing = one.project.start_in(&[("HOME", home)], "apply -auto-approve");
    eventually("the device is locked", || two.run("lock show").stdout.contains("is locked:"));
    let shown = two.run("lock show").ends(0).says("A device that this state does not know");
    let shown = shown.says("The state is not locked.").says("for:       apply of ");
    let id = shown.stdout.split("id:").nth(1).unwrap().split_whitespace().next().unwrap();
    let refused = two.run("apply -auto-approve").ends(5).tells(id);
    let refused = refused.tells("the device of backend `fw`").tells("is locked by another run");
    assert!(refused.stderr.contains("one"), "it does not say for which state: {refused}");
    two.run("lock show").ends(0).says("The state is not locked.");
    let waited = two.run("apply -auto-approve -lock-timeout=1m").ends(0);
    waited.tells("Waiting for the lock.").tells("device:    the device of backend `fw`");
    writing.end().ends(0);
    one.is_settled();
    two.is_settled();

    // One of them is killed in the middle.
    one.project.edit("name = \"wg-one\"", "name = \"wg-1\"");
    two.project.edit("name = \"wg-two\"", "name = \"wg-2\"");
    let mut command = one.project.command("apply -auto-approve");
    let killed = command.env("HOME", home).env("WGFORM_FAILPOINT", "batch-write").output().unwrap();
    assert_eq!(Ran::of("apply", killed).code, None);
    if shop.frees() {
        two.run("apply -auto-approve -lock-timeout=1m").ends(0);
    } else {
        let shown =
            two.run("lock show").ends(0).says("The device of backend `fw` is locked:").stdout;
        let id = shown.split("id:").nth(1).unwrap().split_whitespace().next().unwrap();
        two.run("apply -auto-approve -lock-timeout=1s")
            .ends(5)
            .tells(&format!("wgform force-unlock {id}"));
        two.run("apply -auto-approve -lock=false").ends(0);
        two.project.edit("name = \"wg-2\"", "name = \"wg-two\"");
        two.run("force-unlock -force nonsense").ends(1).tells("not locked");
        two.run(&format!("force-unlock -force {id}")).ends(0);
        two.run("apply -auto-approve").ends(0);
        // It was the device's lock, and not that of a state that is not theirs.
        one.run("apply -auto-approve").ends(5);
        one.run(&format!("force-unlock -force {id}")).ends(0);
    }
    one.run("apply -auto-approve -lock-timeout=1m").ends(0);
    one.is_settled();
    two.is_settled();
}

fn two_states_on_two_devices_do_not_wait_for_each_other_for_ever(shop: &Shop) {
    let (first, second) = (Router::serve("fw1"), Router::serve("fw2"));
    let home = tempfile::tempdir().unwrap();
    let home = home.path().to_str().unwrap();
    let repository = |state: &str, a: &Router, b: &Router| {
        let text = shop.block(state)
            + &(a.block("a") + &b.block("b"))
            + "variable \"port\" {\n  default = 1000\n}\n"
            + &(interface(&format!("a-{state}"), "a") + &interface(&format!("b-{state}"), "b"))
                .replace("  name =", "  listen_port = var.port\n  name =");
        Repository { project: Project::new(&text), home }
    };
    let both = [repository("one", &first, &second), repository("two", &second, &first)];
    let began = Instant::now();
    std::thread::scope(|scope| {
        for (number, it) in both.iter().enumerate() {
            scope.spawn(move || {
                for round in 0..4 {
                    let port = 2000 + 100 * number + round;
                    it.run(&format!("apply -auto-approve -lock-timeout=2m -var=port={port}"))
                        .ends(0);
                }
            });
        }
    });
    assert!(began.elapsed() < Duration::from_secs(110), "they have waited for each other");
    for it in &both {
        it.run("lock show").ends(0).says("No device is locked.");
    }
}

/// What is under way is brought to its end, and nothing new is started: somebody else may be at work there now.
#[test]
fn a_run_whose_device_is_unlocked_by_force_stops() {
    let (shop, router) = (Shop::open("gcs", "devices").unwrap(), Router::serve("fw"));
    let repository = |state: &str| {
        let names = (0..3).map(|it| interface(&format!("{state}-{it}"), "fw"));
        Repository {
            project: Project::new(
                &(shop.block(state) + &router.block("fw") + &names.collect::<String>()),
            ),
            home: "/",
        }
    };
    let (one, two) = (repository("one"), repository("two"));
    router.is_slow_once();
    let writing = one.project.start_in(&[("WGFORM_HURRY", "100")], "apply -auto-approve");
    eventually("the device is locked", || two.run("lock show").stdout.contains("is locked:"));
    let shown = two.run("lock show").stdout;
    let id = shown.split("id:").nth(1).unwrap().split_whitespace().next().unwrap();
    two.run(&format!("force-unlock -force {id}")).ends(0);
    let ran = writing.end().ends(130).tells("the lock of a device was taken away");
    ran.says("Apply interrupted.");
    one.run("apply -auto-approve").ends(0);
    two.run("apply -auto-approve").ends(0);
    one.is_settled();
    two.is_settled();
}

/// The protocol has one lock for each state, and none for what two states have in common.
#[test]
fn a_store_that_cannot_lock_devices_is_said_to_be_one_that_cannot() {
    let (shop, router) = (Shop::open("http", "devices").unwrap(), Router::serve("fw"));
    let host = "backend \"local\" \"hq\" {\n  simulate = true\n}\n";
    let project = Project::new(&(shop.block("a") + host + &interface("wg0", "hq")));
    let quiet = project.run("apply -auto-approve").ends(0);
    assert!(!quiet.stderr.contains("locks of devices"), "{quiet}");
    project.configure(&(shop.block("b") + &router.block("fw") + &interface("wg0", "fw")));
    let planned = project.run("plan").ends(0);
    assert!(!planned.stderr.contains("locks of devices"), "{planned}");
    let applied = project.run("apply -auto-approve").ends(0);
    assert_eq!(applied.stderr.matches("has no locks of devices").count(), 1, "{applied}");
    let again = project.run("apply -auto-approve").ends(0);
    assert!(!again.stderr.contains("locks of devices"), "nothing is written: {again}");
    project.run("lock show").ends(0).says("There are no locks of devices here.");
}
