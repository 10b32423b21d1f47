//! The state lies where it cannot be written, or where there is no room: nothing is lost, nothing is done halfway, and
//! what needs no write works. With real file systems, in a sandbox, and with the built program on simulated hosts.

#![expect(clippy::disallowed_methods, reason = "these tests look at files and make some")]

mod harness;
mod sandbox;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::harness::{Project, Ran};
use crate::sandbox::{sandboxed, sh};

const HUB: &str = r#"
wgform {
  state "local" {
    path = "/run/state/wgform.state.json"
  }
}

backend "local" "hq" {
  simulate = true
}

interface "hub" {
  name        = "wg0"
  listen_port = 51820
}

output "key" {
  value = interface.hub.public_key
}
"#;

const SIDE: &str = "interface \"side\" {\n  name        = \"wg1\"\n  listen_port = 51821\n}\n";

const READERS: [&str; 6] =
    ["plan", "drift", "show", "output", "state list", "state show interface.hub"];

/// A project whose state lies on a file system of its own, of so many KiB.
fn project(size: u32) -> Project {
    sh(&format!("mkdir /run/state; mount -t tmpfs -o size={size}k,mode=700 t /run/state"));
    let project = Project::new(HUB);
    project.run("apply -auto-approve").ends(0);
    project
}

fn state(suffix: &str) -> String {
    format!("/run/state/wgform.state.json{suffix}")
}

/// Demands that everything that writes the state is refused, with a word of the reason, and does nothing.
fn nothing_is_done(project: &Project, why: &str) {
    let before = project.host("hq");
    for command in [
        "apply -auto-approve",
        "destroy -auto-approve",
        "import interface.side wg1",
        "state mv interface.hub interface.core",
        "state rm interface.hub",
    ] {
        let ran = project.run(command).ends(1).tells(why);
        assert!(ran.stderr.contains("help:"), "{ran}");
    }
    assert_eq!(project.host("hq"), before);
}

#[test]
fn a_read_only_state_can_be_read() {
    sandboxed("a_read_only_state_can_be_read", &[], || {
        let project = project(1024);
        project.add("side.wg.hcl", SIDE);
        sh("mount -o remount,ro /run/state");
        for command in READERS {
            project.run(command).ends(0);
        }
        project.run("plan -detailed-exitcode").ends(2).says("interface.side");
        nothing_is_done(&project, "The file system is read-only.");
        sh("mount -o remount,rw /run/state");
        project.run("apply -auto-approve").ends(0);
        project.run("plan -detailed-exitcode").ends(0);
    });
}

#[test]
fn a_run_that_was_cut_off_is_seen_on_a_read_only_file_system_too() {
    sandboxed("a_run_that_was_cut_off_is_seen_on_a_read_only_file_system_too", &[], || {
        let project = project(1024);
        let mut more = String::new();
        for number in 0..100 {
            more += &format!("interface \"i{number}\" {{\n  name = \"wgi{number}\"\n}}\n");
        }
        project.add("more.wg.hcl", &more);
        let mut run = project.start("apply -auto-approve");
        run.wait_for("interface.i1: created");
        run.signal(rustix::process::Signal::KILL);
        run.end();
        assert!(Path::new(&state(".journal")).exists());
        let journal = fs::read(state(".journal")).unwrap();
        sh("mount -o remount,ro /run/state");
        for command in READERS {
            project.run(command).ends(0);
        }
        project.run("plan").tells("was cut off");
        nothing_is_done(&project, "The file system is read-only.");
        assert_eq!(fs::read(state(".journal")).unwrap(), journal);
        sh("mount -o remount,rw /run/state");
        project.run("apply -auto-approve").ends(0);
        project.run("plan -detailed-exitcode").ends(0);
    });
}

#[test]
fn a_directory_without_the_right_to_write_can_be_read() {
    sandboxed("a_directory_without_the_right_to_write_can_be_read", &["setpriv"], || {
        let project = project(1024);
        project.add("side.wg.hcl", SIDE);
        // Root may write everywhere, unless it gives that right away.
        let run = |arguments: &str| {
            let inner = project.command(arguments);
            let mut command = Command::new("setpriv");
            let rights = "-dac_override,-dac_read_search";
            command.args(["--bounding-set", rights, "--inh-caps", rights]);
            command.arg(inner.get_program()).args(inner.get_args());
            Ran::of(arguments, command.current_dir(project.path()).output().unwrap())
        };
        sh("chmod 500 /run/state");
        READERS.iter().for_each(|command| _ = run(command).ends(0));
        run("apply -auto-approve")
            .ends(1)
            .tells("Permission denied")
            .tells("Run wgform as the user");
        sh("chmod 700 /run/state; chmod 000 /run/state/wgform.state.json");
        for command in ["plan", "apply -auto-approve"] {
            run(command).ends(1).tells("Permission denied").tells("Run wgform as the user");
        }
        // A run replaces its files, and needs no right to write them. A lock of somebody else is another matter.
        sh("chmod 400 /run/state/wgform.state.json; touch /run/state/wgform.state.json.backup
            chmod 000 /run/state/wgform.state.json.backup");
        run("apply -auto-approve").ends(0);
        run("plan -detailed-exitcode").ends(0);
        sh("touch /run/state/wgform.state.json.lock; chmod 400 /run/state/wgform.state.json.lock");
        run("destroy -auto-approve").ends(1).tells("could not take the lock");
        run("plan").ends(0);
    });
}

#[test]
fn a_full_disk_stops_a_run_and_more_room_lets_it_go_on() {
    sandboxed("a_full_disk_stops_a_run_and_more_room_lets_it_go_on", &[], || {
        let project = project(256);
        let mut more = String::new();
        for number in 0..60 {
            more += &format!("interface \"i{number}\" {{\n  name = \"wgi{number}\"\n}}\n");
        }
        project.add("more.wg.hcl", &more);
        let mut codes = Vec::new();
        // Each time there is a page more, from none to enough.
        for pages in (0..64).step_by(3) {
            let free = 4 * pages;
            sh(&format!(
                "rm -f /run/state/ballast; have=$(df --output=avail -k /run/state | tail -n 1)
                 test $have -le {free} || head -c $(((have - {free}) * 1024)) /dev/zero >/run/state/ballast"
            ));
            let before = project.host("hq");
            let ran = project.run("apply -auto-approve");
            let is_changed = project.host("hq") != before;
            match ran.code {
                Some(0) => {}
                Some(code @ (1 | 4)) => {
                    assert_eq!(code == 4, is_changed, "{ran}");
                    assert!(ran.stderr.contains("Make room on the disk"), "{ran}");
                }
                _ => panic!("{ran}"),
            }
            codes.push(ran.code.unwrap());
            // Whatever is there can be read.
            project.run("state list").ends(0).says("interface.hub");
            project.run("plan").ends(0);
        }
        assert!([1, 4, 0].iter().all(|code| codes.contains(code)), "{codes:?}");
        assert_eq!(codes.last(), Some(&0));
        sh("rm -f /run/state/ballast");
        project.run("plan -detailed-exitcode").ends(0).says("No changes");
        assert_eq!(project.run("state list").ends(0).stdout.lines().count(), 61);
        assert_eq!(sh("ls /run/state"), "wgform.state.json\nwgform.state.json.backup\n");
    });
}

#[test]
fn what_lies_in_the_place_of_a_file_is_named_and_left_alone() {
    sandboxed("what_lies_in_the_place_of_a_file_is_named_and_left_alone", &["mkfifo"], || {
        let project = project(1024);
        project.add("side.wg.hcl", SIDE);
        for suffix in [".journal", ".lock"] {
            for make in ["mkfifo", "mkdir"] {
                sh(&format!("{make} {}", state(suffix)));
                let ran = project.run("apply -auto-approve").ends(1);
                ran.tells(&format!("the file `{}`: it is", state(suffix)));
                sh(&format!("rm -r {}", state(suffix)));
            }
        }
        sh(&format!("mkfifo {0}.tmp", state("")));
        project.run("apply -auto-approve").ends(0);
        // A backup that cannot be written is a state that is not written.
        project.edit("51820", "51900");
        sh(&format!("rm {0}.backup; mkdir {0}.backup", state("")));
        let ran = project.run("apply -auto-approve").ends(4);
        ran.tells("could not write the copy of the previous state").tells("Nothing is lost");
        sh(&format!("rmdir {}.backup", state("")));
        project.run("apply -auto-approve").ends(0);
        project.run("plan -detailed-exitcode").ends(0);

        fs::rename(state(""), "/run/state/real").unwrap();
        symlink("real", state("")).unwrap();
        project.run("plan -detailed-exitcode").ends(0);
        sh(&format!("ln -sfn /run/state {}", state("")));
        project.run("plan").ends(1).tells("it is a directory");
        sh(&format!("rm {0}; mkfifo {0}", state("")));
        project.run("plan").ends(1).tells("not a regular file");
        sh(&format!("rm {0}; truncate -s 3G {0}", state("")));
        project.run("plan").ends(1).tells("larger than 1 GiB");
    });
}
