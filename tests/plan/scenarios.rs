//! The stories in `testdata/scenarios`: configurations, and a transcript of what somebody says and what wgform answers.
//!
//! A line that starts with `> ` is said, the lines below it are the answer. With `UPDATE_SCENARIOS` in the environment
//! the answers are written anew.

#![expect(clippy::disallowed_methods, reason = "the stories are files")]

use std::path::{Path, PathBuf};

use crate::backend::Crash;
use crate::host::Host;
use crate::lab::Lab;

#[test]
fn every_story_goes_as_it_is_told() {
    let all = std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = all.collect();
    all.sort();
    assert!(all.len() >= 6, "{all:?}");
    let is_update = std::env::var_os("UPDATE_SCENARIOS").is_some();
    for scenario in all {
        let path = scenario.join("story.txt");
        let told = std::fs::read_to_string(&path).unwrap();
        let seen = retell(&scenario, &told);
        if is_update {
            std::fs::write(&path, seen).unwrap();
        } else if let Some((line, (told, seen))) =
            told.lines().zip(seen.lines()).enumerate().find(|(_, (told, seen))| told != seen)
        {
            panic!("{}:{}\n  told: {told}\n  seen: {seen}", path.display(), line + 1);
        } else {
            assert_eq!(told, seen, "{}", path.display());
        }
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/scenarios")
}

/// Says again what is said, and returns the transcript.
fn retell(scenario: &Path, told: &str) -> String {
    let mut lab = Lab::new("");
    let mut seen = String::new();
    for line in told.lines().filter(|line| line.starts_with(['>', '#'])) {
        seen += line;
        seen.push('\n');
        if let Some(said) = line.strip_prefix("> ") {
            seen += &say(scenario, &mut lab, said);
        }
        seen.push('\n');
    }
    seen
}

fn say(scenario: &Path, lab: &mut Lab, said: &str) -> String {
    let words: Vec<&str> = said.split(' ').collect();
    match words.as_slice() {
        ["use", file] => {
            let text = std::fs::read_to_string(scenario.join(file));
            lab.replace(&text.unwrap_or_else(|error| panic!("{file}: {error}")));
            String::new()
        }
        ["plan"] => lab.plan(),
        ["drift"] => lab.drift(),
        ["steps"] => lab.steps(),
        ["apply"] => lab.apply(),
        ["destroy"] => {
            lab.options.destroy = true;
            let said = lab.apply();
            lab.options.destroy = false;
            said
        }
        ["crash", done, reported] => {
            let crash = Crash { done: done.parse().unwrap(), reported: reported.parse().unwrap() };
            lab.let_time_pass();
            let said = lab.crash(crash);
            lab.stop_time();
            said
        }
        ["import", address, id] => lab.import(address, id),
        ["state"] => lab.state_text(),
        ["on", host, "show"] => lab.show(host),
        ["on", host, "names", "are", "fixed"] => {
            lab.traits(host).cannot_rename = true;
            String::new()
        }
        ["on", host, event @ ..] => {
            happen(&lab.host(host), event);
            String::new()
        }
        _ => panic!("nobody understands `{said}`"),
    }
}

fn happen(host: &Host, event: &[&str]) {
    match event {
        ["interface", interface, name, port] => {
            host.add_interface(interface, name, port.parse().unwrap());
        }
        ["address", interface, address] => host.add_address(interface, address),
        ["peer", interface, name, networks @ ..] => host.set_peer(interface, name, networks),
        ["no", "peer", interface, name] => host.remove_peer(interface, name),
        ["port", interface, port] => host.set_port(interface, port.parse().unwrap()),
        ["handshake", interface, name, ago] => {
            host.handshake(interface, name, ago.parse().unwrap());
        }
        ["reboot"] => host.reboot(),
        ["name", name, "is", "unknown"] => host.linux.set_host(name, &[]).unwrap(),
        ["name", name, "is", address] => {
            host.linux.set_host(name, &[address.parse().unwrap()]).unwrap();
        }
        _ => panic!("nobody understands `{}`", event.join(" ")),
    }
}
