//! A state that is kept elsewhere, with the real program and a server as strict as GitLab's. Needs the feature
//! `failpoints`: runs are ended at named instants, and in a hurry.

#![cfg(feature = "failpoints")]
#![expect(clippy::disallowed_methods, reason = "these tests look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod gitlab;
mod harness;

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::gitlab::{GitLab, TOKEN, Trouble};
use crate::harness::{Project, Ran, Running, eventually};

const STATE: &str = "wireguard";

fn hub(peers: usize) -> String {
    let mut text = "backend \"local\" \"hq\" {\n  simulate = true\n}\n\
        interface \"hub\" {\n  name = \"wg0\"\n  listen_port = 51820\n}\n"
        .to_owned();
    for peer in 0..peers {
        text += &format!(
            "peer \"p{peer}\" {{\n  interface = interface.hub\n  public_key = wg_public_key(base64sha256(\"{peer}\"))\n  \
             allowed_ips = [\"10.8.{}.{}/32\"]\n}}\n",
            peer / 250,
            peer % 250 + 1
        );
    }
    text
}

fn project(server: &GitLab, peers: usize) -> Project {
    Project::new(&(server.block(STATE) + &hub(peers)))
}

fn configure(project: &Project, server: &GitLab, peers: usize) {
    project.configure(&(server.block(STATE) + &hub(peers)));
}

/// Runs the program with all waiting cut short.
fn hurried(project: &Project, arguments: &str) -> Ran {
    let output = project.command(arguments).env("WGFORM_HURRY", "100").output().unwrap();
    let ran = Ran::of(arguments, output);
    assert!(!ran.to_string().contains(TOKEN), "the token is shown: {ran}");
    ran
}

/// Runs the program so that it tells its store a hundred times a second how far it has come: also a short run then does.
fn in_a_great_hurry(project: &Project, arguments: &str) -> Ran {
    let output = project.command(arguments).env("WGFORM_HURRY", "3000").output().unwrap();
    Ran::of(arguments, output)
}

fn asking(project: &Project, environment: &[(&str, &str)], command: &str) -> Running {
    let mut run = project.start_in(environment, command);
    run.wait_for("Enter a value");
    run
}

/// Gives a new project what the first one has on its simulated hosts, and nothing else of what it kept.
fn elsewhere(project: &Project, server: &GitLab, peers: usize) -> Project {
    let other = self::project(server, peers);
    let simulated = ".wgform/simulated";
    fs::create_dir_all(other.path().join(simulated)).unwrap();
    for entry in fs::read_dir(project.path().join(simulated)).unwrap() {
        let name = entry.unwrap().file_name();
        let path = |it: &Project| it.path().join(simulated).join(&name);
        fs::copy(path(project), path(&other)).unwrap();
    }
    other
}

#[track_caller]
fn is_whole(server: &GitLab) {
    let kept = server.kept();
    assert_eq!(kept.offences, [] as [String; 0]);
    assert!(kept.locks.is_empty(), "{:?}", kept.locks);
}

#[test]
fn a_state_behind_http_goes_through_its_whole_life() {
    let server = GitLab::start();
    let project = project(&server, 2);
    project.run("plan").ends(0).says("3 to add");
    project.run("apply -auto-approve").ends(0);
    // What is about to be done, and then what was done.
    assert_eq!(server.serials(STATE), [1, 2]);
    let document = server.document(STATE);
    assert_eq!(document["in_flight"], json!([]));
    assert!(document.get("applying").is_none());
    project.run("plan -detailed-exitcode").ends(0).says("No changes");
    project.run("state list").ends(0).says("interface.hub\npeer.p0\npeer.p1");
    project.run("state mv peer.p1 peer.p9").ends(0);
    project.run("state mv peer.p9 peer.p1").ends(0);
    project.run("lock show").ends(0).says("The state is not locked.");
    project.run("destroy -auto-approve").ends(0);
    assert_eq!(server.serials(STATE), [1, 2, 3, 4, 5, 6]);
    is_whole(&server);
    let mut names = project.names();
    names.sort();
    assert_eq!(names, [".wgform", "main.wg.hcl"]);
    let order: Vec<String> = server
        .kept()
        .asked
        .iter()
        .map(|it| it.replace("/api/v4/projects/7/terraform/state/", ""))
        .collect();
    assert_eq!(
        order[1..9],
        [
            // The second time says what the server answers to the one who has it.
            "POST wireguard/lock",
            "POST wireguard/lock",
            "GET wireguard",
            "GET wireguard",
            "POST wireguard",
            "GET wireguard",
            "POST wireguard",
            "DELETE wireguard/lock",
        ]
    );
}

#[test]
fn the_intents_are_in_the_store_before_the_first_device_is_touched() {
    let server = GitLab::start();
    let project = project(&server, 2);
    let run =
        project.command("apply -auto-approve").env("WGFORM_FAILPOINT", "batch-write").output();
    assert_eq!(Ran::of("apply", run.unwrap()).code, None);
    assert_eq!(server.serials(STATE), [1]);
    let document = server.document(STATE);
    assert_eq!(document["in_flight"].as_array().unwrap().len(), 3);
    assert_eq!(document["resources"], json!({}));
    let holder = server.kept().locks[STATE].clone();
    assert_eq!(document["applying"]["id"], holder["ID"]);
    // Another one is told who holds it, and how to go on.
    let id = holder["ID"].as_str().unwrap();
    let locked = hurried(&project, "apply -auto-approve").ends(5);
    let locked =
        locked.tells(&format!("wgform force-unlock {id}")).tells("store:     http://127.0.0.1");
    assert!(locked.stderr.contains("for:       apply"), "{locked}");
    hurried(&project, "lock show").ends(0).says(id);
    hurried(&project, "apply -auto-approve -lock=false").ends(5).tells(id);
    hurried(&project, "plan").ends(0).tells("an apply by");
    hurried(&project, "force-unlock -force nonsense").ends(5);
    hurried(&project, &format!("force-unlock -force {id}")).ends(0);
    hurried(&project, "apply -auto-approve").ends(0);
    hurried(&project, "plan -detailed-exitcode").ends(0);
    is_whole(&server);
}

#[test]
fn a_runner_that_dies_with_its_disk_is_made_up_for_elsewhere() {
    for point in
        ["batch-write", "host-changed:2", "outcome-landed:3", "batch-written", "lock-release"]
    {
        let server = GitLab::start();
        let first = project(&server, 4);
        let run =
            first.command("apply -auto-approve").env("WGFORM_FAILPOINT", point).output().unwrap();
        assert_eq!(Ran::of("apply", run).code, None, "{point}");
        let second = elsewhere(&first, &server, 4);
        let held = server.kept().locks.get(STATE).map(|it| it["ID"].as_str().unwrap().to_owned());
        if let Some(id) = held {
            hurried(&second, &format!("force-unlock -force {id}")).ends(0);
        }
        let again = hurried(&second, "apply -auto-approve").ends(0);
        assert!(!again.stdout.contains("will be destroyed"), "{again}");
        hurried(&second, "plan -detailed-exitcode").ends(0).says("No changes");
        let document = server.document(STATE);
        assert_eq!(document["resources"].as_object().unwrap().len(), 5, "{point}");
        assert_eq!(document["in_flight"], json!([]), "{point}");
        // There is one interface with four peers, and nothing twice.
        let host = second.host("hq").to_string();
        assert_eq!(host.matches("10.8.0.").count(), 4, "{point}: {host}");
        hurried(&second, "destroy -auto-approve").ends(0);
        is_whole(&server);
    }
}

#[test]
fn a_killed_run_whose_disk_is_there_goes_on_with_its_journal() {
    for point in ["host-changed:2", "outcome-landed:3", "batch-written"] {
        let server = GitLab::start();
        let project = project(&server, 4);
        let run =
            project.command("apply -auto-approve").env("WGFORM_FAILPOINT", point).output().unwrap();
        assert_eq!(Ran::of("apply", run).code, None, "{point}");
        let id = server.kept().locks[STATE]["ID"].as_str().unwrap().to_owned();
        hurried(&project, &format!("force-unlock -force {id}")).ends(0);
        hurried(&project, "apply -auto-approve").ends(0).tells("was cut off");
        hurried(&project, "plan -detailed-exitcode").ends(0);
        is_whole(&server);
    }
}

#[test]
fn the_store_is_told_how_far_a_run_has_come() {
    let server = GitLab::start();
    let project = project(&server, 60);
    let mut run = project.command("apply -auto-approve");
    let run = run.env("WGFORM_HURRY", "1000000").output().unwrap();
    Ran::of("apply", run).ends(0);
    let serials = server.serials(STATE);
    assert!(serials.len() > 2, "{serials:?}");
    is_whole(&server);
    // As if the run had been killed after it had told of itself once, and its disk were gone.
    let mut kept = server.kept();
    let versions = kept.versions.get_mut(STATE).unwrap();
    versions.retain(|serial, _| *serial <= 2);
    drop(kept);
    let document = server.document(STATE);
    let landed = document["resources"].as_object().unwrap().len();
    let open = document["in_flight"].as_array().unwrap().len();
    assert!(landed > 0 && landed + open == 61, "{landed} landed, {open} open");
    let other = elsewhere(&project, &server, 60);
    hurried(&other, "apply -auto-approve").ends(0).tells("was cut off");
    hurried(&other, "plan -detailed-exitcode").ends(0);
    is_whole(&server);
}

#[test]
fn a_store_that_dies_at_any_request_loses_nothing() {
    for what in [Trouble::Unwell, Trouble::Gone, Trouble::Breaks, Trouble::Hangs] {
        for for_good in [false, true] {
            if for_good && what == Trouble::Hangs {
                // Each request then waits for its end.
                continue;
            }
            for at in 0..8 {
                let server = GitLab::start();
                let project = project(&server, 2);
                server.trouble(at, for_good, what);
                let ran = hurried(&project, "apply -auto-approve");
                let case = format!("{what:?} at {at}, for good: {for_good}: {ran}");
                assert!(matches!(ran.code, Some(0 | 1 | 4)), "{case}");
                server.heal();
                let held =
                    server.kept().locks.get(STATE).map(|it| it["ID"].as_str().unwrap().to_owned());
                if let Some(id) = held {
                    hurried(&project, &format!("force-unlock -force {id}")).ends(0);
                }
                let again = hurried(&project, "apply -auto-approve");
                assert_eq!(again.code, Some(0), "{case}\n{again}");
                let plan = hurried(&project, "plan -detailed-exitcode");
                assert_eq!(plan.code, Some(0), "{case}\n{again}\n{plan}");
                assert!(!project.names().contains(&"errored.wgform.json".to_owned()), "{case}");
                let document = server.document(STATE);
                assert_eq!(document["resources"].as_object().unwrap().len(), 3, "{case}");
                is_whole(&server);
            }
        }
    }
}

#[test]
fn a_state_that_could_not_be_written_is_kept_and_pushed_by_the_next_run() {
    let server = GitLab::start();
    let project = project(&server, 2);
    hurried(&project, "apply -auto-approve").ends(0);
    configure(&project, &server, 3);
    // Everything after the intents fails.
    server.die_after(1);
    let ran = hurried(&project, "apply -auto-approve").ends(4).tells("errored.wgform.json");
    assert!(ran.stderr.contains("the next apply in this directory"), "{ran}");
    server.heal();
    server.kept().locks.clear();
    let before = server.serials(STATE);
    // Somebody who only looks changes nothing, and sees it all the same.
    hurried(&project, "state list").ends(0).says("peer.p2").tells("could not be written");
    assert_eq!(server.serials(STATE), before);
    hurried(&project, "apply -auto-approve")
        .ends(0)
        .says("No changes")
        .tells("is in the store now");
    assert!(!project.names().contains(&"errored.wgform.json".to_owned()));
    is_whole(&server);
}

#[test]
fn a_run_that_is_ended_while_its_store_hangs_has_kept_its_state() {
    let server = GitLab::start();
    let project = project(&server, 2);
    hurried(&project, "apply -auto-approve").ends(0);
    configure(&project, &server, 3);
    let mut run = asking(&project, &[], "apply");
    // The intents are looked at and written; the end hangs.
    server.trouble(2, true, Trouble::Hangs);
    run.answer("yes\n");
    let kept = || project.names().contains(&"errored.wgform.json".to_owned());
    eventually("the state is kept", kept);
    run.signal(Signal::KILL);
    _ = run.end();
    server.heal();
    server.kept().locks.clear();
    hurried(&project, "apply -auto-approve").ends(0).tells("is in the store now");
    hurried(&project, "plan -detailed-exitcode").ends(0);
    assert!(!kept());
    is_whole(&server);
}

#[test]
fn a_kept_state_never_replaces_a_newer_one() {
    let server = GitLab::start();
    let project = project(&server, 1);
    hurried(&project, "apply -auto-approve").ends(0);
    configure(&project, &server, 2);
    server.die_after(1);
    hurried(&project, "apply -auto-approve").ends(4);
    server.heal();
    server.kept().locks.clear();
    let kept = fs::read(project.path().join("errored.wgform.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_slice(&kept).unwrap();
    let aside = format!("errored.wgform.{}.json", kept["serial"]);
    let other = elsewhere(&project, &server, 3);
    hurried(&other, "apply -auto-approve").ends(0);
    let serials = server.serials(STATE);
    hurried(&project, "plan").ends(0).tells("it is not used");
    assert_eq!(server.serials(STATE), serials);
    hurried(&project, "state push errored.wgform.json").ends(8).tells("the stored state is newer");
    // Nor is it lost when the next one cannot be written either.
    configure(&project, &server, 4);
    server.die_after(1);
    hurried(&project, "apply -auto-approve").ends(4).tells(&aside);
    server.heal();
    server.kept().locks.clear();
    hurried(&project, &format!("state push -force {aside}")).ends(0);
    is_whole(&server);
}

#[test]
fn a_kept_state_follows_what_its_own_run_had_told_the_store() {
    let server = GitLab::start();
    let project = project(&server, 200);
    // The second write tells how far the run has come. It arrives, and its answer does not.
    server.kept().dies_in = Some(2);
    in_a_great_hurry(&project, "apply -auto-approve").ends(4).tells("errored.wgform.json");
    assert!(server.document(STATE).get("applying").is_some(), "the run was over too soon");
    server.heal();
    server.kept().locks.clear();
    let path = project.path().join("errored.wgform.json");
    let kept: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(kept["serial"], server.document(STATE)["serial"]);
    hurried(&project, "plan -detailed-exitcode").ends(0).tells("the next apply puts it into");
    hurried(&project, "apply -auto-approve").ends(0).tells("is in the store now");
    assert!(!project.names().contains(&"errored.wgform.json".to_owned()));
    hurried(&project, "plan -detailed-exitcode").ends(0).says("No changes");
    assert_eq!(server.serials(STATE), [1, 2, 3]);
    is_whole(&server);
}

#[test]
fn a_run_whose_state_somebody_else_writes_gives_its_lock_back() {
    let server = GitLab::start();
    let project = project(&server, 200);
    server.kept().overtaken_after = Some(1);
    let ran = in_a_great_hurry(&project, "apply -auto-approve").ends(4);
    let ran = ran.tells("somebody else has written the state").tells("state push -force");
    for wrong in ["was lost", "the next apply in this directory", "could not be given back"] {
        assert!(!ran.stderr.contains(wrong), "{ran}");
    }
    is_whole(&server);
}

#[test]
fn two_processes_lose_no_update() {
    let server = GitLab::start();
    let rounds = std::env::var("WGFORM_ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(8);
    std::thread::scope(|scope| {
        for number in 0..2 {
            let server = &server;
            scope.spawn(move || {
                let project = Project::new("");
                for round in 0..rounds {
                    // Each value is new, so that each apply has something to write.
                    let output = format!("output \"it\" {{ value = \"{number}-{round}\" }}\n");
                    project.configure(&(server.block(STATE) + &output));
                    project.run("apply -auto-approve -lock-timeout=10m").ends(0);
                }
            });
        }
    });
    assert_eq!(server.serials(STATE), (1..=2 * rounds).collect::<Vec<u64>>());
    is_whole(&server);
}

#[test]
fn a_lock_that_is_taken_away_stops_the_apply() {
    let server = GitLab::start();
    let project = project(&server, 2);
    let hurry = [("WGFORM_HURRY", "100")];
    let mut run = asking(&project, &hurry, "apply");
    // Somebody takes it away while the question stands.
    let theirs = json!({ "ID": "theirs", "Operation": "apply", "Info": "", "Who": "bob@ci", "Version": "0.1.0",
                         "Created": "2026-11-21T12:00:00Z", "Path": "" });
    server.kept().locks.insert(STATE.to_owned(), theirs);
    let renewals = server.kept().asked.len();
    eventually("it is renewed", || server.kept().asked.len() > renewals);
    run.answer("yes\n");
    let ran = run.end().ends(1).tells("the lock on the state").tells("was lost");
    assert!(!ran.stdout.contains("Applied"), "{ran}");
    // Their lock is theirs, nothing was written, and no device was touched.
    assert_eq!(server.kept().locks[STATE]["ID"], "theirs");
    assert_eq!(server.serials(STATE), [] as [u64; 0]);
}

#[test]
fn a_lock_that_was_removed_is_not_taken_back() {
    let server = GitLab::start();
    let project = project(&server, 2);
    let hurry = [("WGFORM_HURRY", "100")];
    let mut run = asking(&project, &hurry, "apply");
    assert!(server.kept().locks.remove(STATE).is_some());
    let asked = server.kept().asked.len();
    eventually("it is looked at, and given back", || server.kept().asked.len() > asked + 1);
    run.answer("yes\n");
    run.end().ends(1).tells("the lock on the state").tells("was lost");
    assert_eq!(server.serials(STATE), [] as [u64; 0]);
    is_whole(&server);
}

#[test]
fn a_server_that_gives_a_lock_again_keeps_it() {
    let server = GitLab::start();
    server.kept().gives_again = true;
    let project = project(&server, 2);
    let mut run = asking(&project, &[("WGFORM_HURRY", "100")], "apply");
    let asked = server.kept().asked.len();
    eventually("it is renewed", || server.kept().asked.len() > asked + 1);
    run.answer("yes\n");
    run.end().ends(0);
    is_whole(&server);
}

#[test]
fn a_look_at_the_lock_leaves_none_behind() {
    let server = GitLab::start();
    let project = project(&server, 1);
    for at in 0..2 {
        server.trouble(at, false, Trouble::Breaks);
        hurried(&project, "lock show").ends(0).says("The state is not locked.");
        server.heal();
        is_whole(&server);
    }
}

#[test]
fn who_may_not_lock_may_still_look() {
    let server = GitLab::start();
    let project = project(&server, 2);
    let run =
        project.command("apply -auto-approve").env("WGFORM_FAILPOINT", "batch-write").output();
    assert_eq!(Ran::of("apply", run.unwrap()).code, None);
    server.kept().is_read_only = true;
    let looked = hurried(&project, "plan").ends(0).tells("whether it still runs could not be");
    assert!(!looked.stderr.contains("was cut off"), "{looked}");
    // Without an address for it there is no lock to be asked for.
    let lock =
        server.block(STATE).lines().find(|it| it.contains("lock_address")).unwrap().to_owned();
    project.edit(&lock, "");
    hurried(&project, "plan").ends(0).tells("was cut off");
}

#[test]
fn a_run_that_is_cut_off_from_its_store_stops() {
    let server = GitLab::start();
    let project = project(&server, 2);
    let mut run = asking(&project, &[("WGFORM_HURRY", "100")], "apply");
    // Each renewal hangs for longer than the lease.
    server.trouble(0, true, Trouble::Hangs);
    std::thread::sleep(std::time::Duration::from_secs(6));
    server.heal();
    run.answer("yes\n");
    run.end().ends(1).tells("the lock on the state").tells("was lost");
    assert_eq!(server.serials(STATE), [] as [u64; 0]);
    // Nobody had taken it meanwhile, and nobody is left who could give it back.
    is_whole(&server);
}

#[test]
fn what_a_run_had_begun_is_not_forgotten() {
    let server = GitLab::start();
    let first = project(&server, 2);
    cut_off(&first);
    server.kept().locks.clear();
    let second = elsewhere(&first, &server, 2);
    hurried(&second, "state restore 1").ends(1).tells("an apply was cut off");
    let pulled = hurried(&second, "state pull").ends(0).stdout;
    let mut copy: serde_json::Value = serde_json::from_str(&pulled).unwrap();
    copy["serial"] = 5.into();
    copy["in_flight"] = json!([]);
    second.add("less.json", &copy.to_string());
    hurried(&second, "state push less.json").ends(1).tells("an apply was cut off");
    copy["serial"] = 1.into();
    second.add("less.json", &copy.to_string());
    // A copy from the middle of a run does not say that the run goes on.
    hurried(&second, "state push -force less.json").ends(0);
    assert!(server.document(STATE).get("applying").is_none());
    is_whole(&server);
}

/// Runs an apply to its first write on a device.
fn cut_off(project: &Project) {
    let run =
        project.command("apply -auto-approve").env("WGFORM_FAILPOINT", "batch-write").output();
    assert_eq!(Ran::of("apply", run.unwrap()).code, None);
}

#[test]
fn what_a_run_had_begun_is_not_forgotten_with_a_damaged_state() {
    let project = Project::new(&hub(1));
    hurried(&project, "apply -auto-approve").ends(0);
    let path = project.path().join("wgform.state.json");
    let good = fs::read_to_string(&path).unwrap();
    project.add("copy.json", &good);
    project.configure(&hub(2));
    for command in ["state restore 1", "state push -force copy.json"] {
        for damage in [Some("{\"serial\": 1}"), None] {
            fs::write(&path, &good).unwrap();
            cut_off(&project);
            match damage {
                Some(damage) => fs::write(&path, damage).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            hurried(&project, command).ends(0).tells("are looked up by the next apply");
            hurried(&project, "state restore 1").ends(1).tells("an apply was cut off");
        }
    }
    hurried(&project, "apply -auto-approve").ends(0);
    hurried(&project, "plan -detailed-exitcode").ends(0).says("No changes");

    // The same of a state elsewhere, whose journal is here.
    let server = GitLab::start();
    let project = self::project(&server, 1);
    hurried(&project, "apply -auto-approve").ends(0);
    let pulled = hurried(&project, "state pull").ends(0).stdout;
    project.add("copy.json", &pulled);
    configure(&project, &server, 2);
    cut_off(&project);
    server.kept().locks.clear();
    let broken = json!({ "version": 1, "serial": 4, "lineage": "none" }).to_string();
    server.kept().versions.get_mut(STATE).unwrap().insert(4, broken.into_bytes());
    hurried(&project, "state push -force copy.json").ends(0).tells("are looked up by the next");
    assert_eq!(server.document(STATE)["in_flight"].as_array().unwrap().len(), 1);
    hurried(&project, "apply -auto-approve").ends(0);
    is_whole(&server);
}

#[test]
fn a_lock_is_left_to_who_lives_and_given_back_at_ctrl_c() {
    let server = GitLab::start();
    let project = project(&server, 1);
    for signal in [Signal::INT, Signal::TERM] {
        let run = asking(&project, &[], "apply");
        let id = server.kept().locks[STATE]["ID"].as_str().unwrap().to_owned();
        hurried(&project, &format!("force-unlock -force {id}"))
            .ends(5)
            .tells("its owner is still running");
        run.end_by(signal).ends(130);
        is_whole(&server);
    }
}

#[test]
fn a_run_with_reports_gives_its_lock_back_at_ctrl_c() {
    let server = GitLab::start();
    let project = project(&server, 1);
    for report in ["summary", "json", "markdown"] {
        let run = asking(&project, &[], &format!("apply -{report}-into={report}"));
        server.trouble(0, false, Trouble::Late(Duration::from_millis(700)));
        run.end_by(Signal::TERM).ends(130);
        is_whole(&server);
        assert_ne!(fs::read_to_string(project.path().join(report)).unwrap(), "", "{report}");
    }
}

#[test]
fn both_locks_of_a_move_are_given_back_at_ctrl_c() {
    let (old, new) = (GitLab::start(), GitLab::start());
    let project = project(&old, 1);
    hurried(&project, "apply -auto-approve").ends(0);
    project.add("old-state.hcl", &old.block(STATE).replace("var.token", &format!("\"{TOKEN}\"")));
    configure(&project, &new, 1);
    // Both are locked when the old one is read.
    let asked = old.kept().asked.len();
    old.trouble(2, false, Trouble::Late(Duration::from_secs(2)));
    let run = project.start("state migrate -from=old-state.hcl");
    eventually("the old one is read", || old.kept().asked.len() > asked + 2);
    run.signal(Signal::INT);
    run.end().ends(130);
    is_whole(&old);
    is_whole(&new);
}

#[test]
fn a_request_for_the_lock_that_comes_late_does_not_take_it_again() {
    let server = GitLab::start();
    let project = project(&server, 1);
    let mut run = asking(&project, &[("WGFORM_HURRY", "100")], "apply");
    let late = Duration::from_secs(2);
    let asked = server.kept().asked.len();
    server.trouble(0, false, Trouble::Late(late));
    eventually("it is renewed once more", || server.kept().asked.len() > asked + 1);
    run.answer("no\n");
    _ = run.end();
    std::thread::sleep(late);
    is_whole(&server);
}

#[test]
fn a_lock_that_does_not_say_whose_it_is_is_left_to_its_store() {
    let server = GitLab::start();
    let project = project(&server, 1);
    server.kept().locks.insert(STATE.to_owned(), json!({ "ID": "theirs" }));
    server.kept().is_mute = true;
    let ran = hurried(&project, "force-unlock -force unknown").ends(5);
    let ran = ran.tells("the store does not say who holds it").tells("by the means of the store");
    assert!(!ran.stderr.contains("force-unlock"), "{ran}");
}

#[test]
fn a_wrong_password_is_said_and_not_shown() {
    let server = GitLab::start();
    let project = project(&server, 1);
    let wrong = "glpat-wrong-and-secret";
    project.edit(TOKEN, wrong);
    for command in ["plan", "apply -auto-approve", "lock show", "state pull"] {
        let ran =
            hurried(&project, command).ends(1).tells("`username` and `password` are not accepted");
        assert!(!ran.to_string().contains(wrong), "{ran}");
    }
}

#[test]
fn another_lineage_is_not_pushed() {
    let server = GitLab::start();
    let project = project(&server, 1);
    hurried(&project, "apply -auto-approve").ends(0);
    let pulled = hurried(&project, "state pull").ends(0);
    let mut other: serde_json::Value = serde_json::from_str(&pulled.stdout).unwrap();
    hurried(&project, "state push main.wg.hcl").ends(1).tells("could not push");
    hurried(&project, "state push nowhere.json").ends(1).tells("there is no such file");
    project.add("same.json", &other.to_string());
    hurried(&project, "state push same.json").ends(0).says("has this state already");
    other["lineage"] = "6b0a3a8e-5f6e-4c62-9e43-111111111111".into();
    other["serial"] = 99.into();
    project.add("other.json", &other.to_string());
    hurried(&project, "state push other.json").ends(8).tells("this is another state");
    other["environment"] = "lab".into();
    project.add("other.json", &other.to_string());
    hurried(&project, "state push -force other.json").ends(1).tells("the workspace `lab`");
    is_whole(&server);
}

#[test]
fn a_workspace_has_a_state_and_a_world_of_its_own() {
    let server = GitLab::start();
    let project = project(&server, 1);
    hurried(&project, "apply -auto-approve").ends(0);
    hurried(&project, "-workspace=lab apply -auto-approve").ends(0).says("2 added");
    assert_ne!(server.serials("wireguard-env-lab"), [] as [u64; 0]);
    assert_eq!(server.document("wireguard-env-lab")["environment"], "lab");
    assert!(project.path().join(".wgform/simulated/env-lab/hq.json").exists());
    hurried(&project, "-workspace=lab destroy -auto-approve").ends(0);
    hurried(&project, "plan -detailed-exitcode").ends(0);
    for wrong in ["../x", "a/b", ".", "a b"] {
        let output = project.command("state list").env("WGFORM_WORKSPACE", wrong).output().unwrap();
        Ran::of(wrong, output).ends(1).tells("is no name of a workspace");
    }
    is_whole(&server);
}

#[test]
fn a_state_file_moves_into_a_store_and_leaves_a_note() {
    let server = GitLab::start();
    let project = Project::new(&hub(1));
    hurried(&project, "apply -auto-approve").ends(0);
    project.configure(&(server.block(STATE) + &hub(1)));
    let before = fs::read(project.path().join("wgform.state.json")).unwrap();
    hurried(&project, "state migrate").ends(0).says("The state is in http://127.0.0.1");
    // As if the note could not have been left.
    fs::write(project.path().join("wgform.state.json"), before).unwrap();
    let serials = server.serials(STATE);
    hurried(&project, "state migrate").ends(0).says("The state is in http://127.0.0.1");
    assert_eq!(server.serials(STATE), serials);
    hurried(&project, "plan -detailed-exitcode").ends(0).says("No changes");
    project.configure(&hub(1));
    let moved = hurried(&project, "plan").ends(1).tells("the state was moved to http://127.0.0.1");
    assert!(!moved.stderr.contains("good copy"), "{moved}");
    assert!(!moved.stderr.contains("before the last write"), "{moved}");
    // And back, from a file with the old block.
    project
        .add("old-state.hcl", &server.block(STATE).replace("var.token", &format!("\"{TOKEN}\"")));
    hurried(&project, "state migrate -from=old-state.hcl").ends(0);
    hurried(&project, "plan -detailed-exitcode").ends(0).says("No changes");
    project.configure(&(server.block(STATE) + &hub(1)));
    hurried(&project, "plan").ends(1).tells("the state was moved to");
    is_whole(&server);
}

#[test]
fn a_broken_document_can_be_replaced() {
    let server = GitLab::start();
    let project = project(&server, 1);
    hurried(&project, "apply -auto-approve").ends(0);
    let pulled = hurried(&project, "state pull").ends(0).stdout;
    project.add("copy.json", &pulled);
    let broken = json!({ "version": 1, "serial": 3, "lineage": "none" }).to_string();
    server.kept().versions.get_mut(STATE).unwrap().insert(3, broken.into_bytes());
    hurried(&project, "plan").ends(1);
    hurried(&project, "state push copy.json").ends(1).tells("could not read the state in");
    hurried(&project, "state push -force copy.json").ends(0).says("with serial 4");
    hurried(&project, "plan -detailed-exitcode").ends(0).says("No changes");
    is_whole(&server);
    // One whose next serial would be no number any more.
    let mut last: serde_json::Value = serde_json::from_str(&pulled).unwrap();
    last["serial"] = u64::MAX.into();
    let only = std::collections::BTreeMap::from([(1, last.to_string().into_bytes())]);
    server.kept().versions.insert(STATE.to_owned(), only);
    project.add("errored.wgform.json", &pulled);
    hurried(&project, "plan").ends(1).tells("is too large for the number of a write");
    hurried(&project, "state push -force copy.json").ends(0);
    // A state file, with its history.
    let project = Project::new(&hub(1));
    hurried(&project, "apply -auto-approve").ends(0);
    let path = project.path().join("wgform.state.json");
    let good = fs::read(&path).unwrap();
    fs::write(&path, last.to_string()).unwrap();
    project.edit("51820", "51821");
    hurried(&project, "apply -auto-approve").ends(1).tells("at `serial` in line 1");
    project.edit("51821", "51820");
    fs::write(&path, good).unwrap();
    fs::write(project.path().join("wgform.state.json"), "{").unwrap();
    hurried(&project, "state restore 1").ends(0);
    hurried(&project, "plan -detailed-exitcode").ends(0).says("No changes");
}

#[test]
fn a_state_file_has_a_history() {
    let project = Project::new(&hub(1));
    hurried(&project, "apply -auto-approve").ends(0);
    for round in 0..12 {
        let (from, to) = if round % 2 == 0 { ("p0", "q") } else { ("q", "p0") };
        hurried(&project, &format!("state mv peer.{from} peer.{to}")).ends(0);
    }
    let listed = hurried(&project, "state history").ends(0);
    assert_eq!(listed.stdout.lines().count(), 10, "{listed}");
    hurried(&project, "state restore 1").ends(1).tells("is not kept");
    hurried(&project, "state restore 12").ends(0).says("with serial 14");
    hurried(&project, "state list").ends(0).says("peer.q");
    // What is put back over a state that tells no serial is the last write all the same.
    fs::write(project.path().join("wgform.state.json"), "{").unwrap();
    hurried(&project, "state restore 12").ends(0).says("with serial 15");
    hurried(&project, "state restore 13").ends(0).says("with serial 16");
    hurried(&project, "state list").ends(0).says("peer.p0");
    let server = GitLab::start();
    let other = self::project(&server, 1);
    hurried(&other, "state history").ends(1).tells("keeps no history that wgform can read");
}
