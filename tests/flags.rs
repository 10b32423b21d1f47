//! Flags through the built program, on simulated hosts: what they change, and what they say when they make no sense.

#![expect(clippy::disallowed_methods, reason = "these tests run the program")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::fs;

use crate::harness::Project;

fn applied() -> Project {
    let project = Project::of_example("quickstart");
    project.run("apply -auto-approve").ends(0);
    project
}

fn state(project: &Project) -> String {
    fs::read_to_string(project.path().join("wgform.state.json")).unwrap()
}

#[test]
fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    let project = applied();
    let before = state(&project);
    let moved = project.run("state mv -dry-run peer.hq_to_branch peer.b").ends(0);
    assert_eq!(moved.stdout, "Would move `peer.hq_to_branch` to `peer.b`.\n");
    let removed = project.run("state rm -dry-run peer.hq_to_branch interface.hq").ends(0);
    assert_eq!(
        removed.stdout,
        "Would forget `peer.hq_to_branch`. What is on its device would stay there.\n\
         Would forget `interface.hq`. What is on its device would stay there.\n"
    );
    // What would fail fails, too.
    let missing = project.run("state rm -dry-run peer.hq_to_branhc").ends(1);
    missing.tells("Did you mean `peer.hq_to_branch`?");
    project.run("state mv -dry-run peer.hq_to_branch peer.branch_to_hq").ends(1);
    assert_eq!(state(&project), before);
}

#[test]
fn several_resources_are_forgotten_together_or_not_at_all() {
    let project = applied();
    let before = state(&project);
    project.run("state rm peer.hq_to_branch peer.nobody").ends(1);
    assert_eq!(state(&project), before);
    project.run("state rm peer.hq_to_branch peer.branch_to_hq").ends(0);
    let left = project.run("state list").ends(0).stdout;
    assert_eq!(left, "interface.branch\ninterface.hq\npreshared_key.tunnel\n");
}

#[test]
fn a_list_is_narrowed_by_addresses_and_by_what_is_found_on_a_device() {
    let project = applied();
    let list = |arguments: &str| project.run(&format!("state list {arguments}")).ends(0).stdout;
    assert_eq!(list("interface.hq peer.hq_to_branch"), "interface.hq\npeer.hq_to_branch\n");
    assert_eq!(list("-id=wg0"), "interface.branch\ninterface.hq\n");
    assert_eq!(list("-id=wg0 interface.hq"), "interface.hq\n");
    assert_eq!(list("-id=wg7"), "");
    project.run("state list interface.hp").ends(1).tells("Did you mean `interface.hq`?");
    project.run("state show interface.hp").ends(1).tells("Did you mean `interface.hq`?");
}

#[test]
fn a_pattern_names_many_resources_wherever_an_address_is_taken() {
    let project = applied();
    let list = |patterns: &str| project.run(&format!("state list {patterns}")).ends(0).stdout;
    let peers = "peer.branch_to_hq\npeer.hq_to_branch\n";
    assert_eq!(list("'peer.*'"), peers);
    assert_eq!(list("'**.peer.*'"), peers);
    assert_eq!(list("'peer.*' peer.hq_to_branch"), peers);
    assert_eq!(list("'*.hq*'"), "interface.hq\npeer.hq_to_branch\n");
    assert_eq!(list("backend.hq"), "interface.hq\npeer.hq_to_branch\n");
    assert_eq!(list("'**'"), list(""));
    let shown = project.run("state show 'peer.*'").ends(0).stdout;
    assert_eq!(shown.matches("\npeer \"").count(), 2, "{shown}");
    let shown = project.run("show backend.hq").ends(0);
    let shown = shown.says("interface \"hq\" {").says("\n2 of 5 resources, serial ");
    assert!(!shown.stdout.contains("\"branch\""), "{}", shown.stdout);
    let would = project.run("state rm -dry-run backend.branch 'peer.branch*'").ends(0).stdout;
    assert_eq!(
        would,
        "Would forget `interface.branch`. What is on its device would stay there.\n\
         Would forget `peer.branch_to_hq`. What is on its device would stay there.\n"
    );
    project.run("state rm 'peer.*'").ends(0);
    assert_eq!(list(""), "interface.branch\ninterface.hq\npreshared_key.tunnel\n");
}

#[test]
fn a_plan_is_narrowed_and_something_is_made_anew_by_patterns() {
    let project = applied();
    project.edit("\"25s\"", "\"20s\"");
    let changed = project.run("plan -target=backend.hq -detailed-exitcode").ends(2);
    changed.says("peer.hq_to_branch on").says("1 to change");
    project.run("plan -target=backend.branch -target-exact -detailed-exitcode").ends(0);
    project.run("plan -exclude='peer.hq_*' -detailed-exitcode").ends(0);
    project.run("plan -target='interface.*' -detailed-exitcode").ends(0);
    project.run("drift -target=backend.hq -target-exact").ends(0);
    let replaced = project.run("plan -replace='peer.*'").ends(0);
    replaced.says("peer.branch_to_hq on").says("2 to add, 0 to change, 2 to destroy");
    let destroyed = project.run("destroy -auto-approve -target='peer.hq*' -target-exact").ends(0);
    destroyed.says("peer.hq_to_branch changes, and peer.branch_to_hq is left out\n");
    project.run("state list peer.branch_to_hq").ends(0);
}

#[test]
fn a_pattern_that_names_nothing_is_an_error_with_what_was_meant() {
    let project = applied();
    let ends = |line: &str| project.run(line).ends(1);
    let nothing = ends("plan -target='interface.hp*'");
    nothing.tells("`-target=interface.hp*` matches nothing in the configuration or in the state");
    ends("plan -target='peer.hq_to_branhc[*]'").tells("Did you mean `peer.hq_to_branch`?");
    ends("plan -exclude=backend.hp").tells("Did you mean `backend.hq`?");
    ends("plan -target=module.site").tells("matches nothing");
    ends("apply -replace=backend.x").tells("names a backend that there is not");
    ends("plan -allow-new-key=interface.hp").tells("Did you mean `interface.hq`?");
    ends("plan -allow-new-key='peer.*'").tells("`-allow-new-key=peer.*` names no interface");
    ends("state list 'peer.x*'").tells("the state has no resource that `peer.x*` matches");
    ends("state rm backend.x").tells("the state has nothing on `backend.x`");
    ends("show interface.hp").tells("Did you mean `interface.hq`?");
    ends("plan -target-exact").tells("-target=ADDRESS");
    // What a shell leaves of `peer.rw["alice"]`.
    ends("plan -target=peer.rw[alice]").tells("write it as `'peer.rw[\"alice\"]'`");
    ends("import peer.rw[alice] wg0").tells("write it as `'peer.rw[\"alice\"]'`");
}

#[test]
fn without_the_lock_a_run_waits_for_nobody_but_never_takes_a_journal_for_a_left_over() {
    let project = applied();
    project.edit("\"25s\"", "\"20s\"");
    let mut holder = project.start("apply");
    holder.wait_for("Enter a value:");
    project.run("state rm peer.branch_to_hq").ends(5);
    project.run("state rm -lock=false peer.branch_to_hq").ends(0);
    // Nobody's lock was taken away.
    project.run("state rm peer.hq_to_branch").ends(5);
    let journal = project.path().join("wgform.state.json.journal");
    fs::write(&journal, "of the run that holds the lock\n").unwrap();
    project.run("state rm -lock=false peer.hq_to_branch").ends(5).tells("Locked:");
    fs::remove_file(&journal).unwrap();
    holder.answer("no\n");
    holder.end();
    let owned = project.run("state list").ends(0).stdout;
    assert!(!owned.contains("peer.branch_to_hq") && owned.contains("peer.hq_to_branch"), "{owned}");
}

#[test]
fn flags_that_make_no_sense_together_are_told_apart_from_a_slip() {
    let project = applied();
    let ends = |line: &str| project.run(line).ends(1);
    ends("plan -target=peer.a -exclude=peer.b").tells("cannot be used with");
    ends("plan -destroy -replace=interface.hq").tells("cannot be used with");
    ends("plan -exclude=interface.hp").tells("Did you mean `interface.hq`?");
    ends("plan -replace=interface.hp").tells("Did you mean `interface.hq`?");
    ends("plan -replace=interface.hq -exclude=interface.hq").tells("would replace nothing");
    ends("plan -parallelism=0")
        .tells("invalid value `0` for `-parallelism=N`: at least one has to be done at a time");
    ends("plan -parallelism=-1").tells("-parallelism");
}

#[test]
fn a_part_is_left_out_and_a_part_is_made_anew() {
    let project = applied();
    project.edit("\"25s\"", "\"20s\"");
    let plan = project.run("plan -exclude=interface.branch -detailed-exitcode").ends(0);
    let plan = plan.says("Left out, as `-exclude` says, with what hangs together with it:\n");
    plan.says("  peer.branch_to_hq\n").says("No changes.");
    let key = |project: &Project| {
        let shown = project.run("state show interface.hq").ends(0).stdout;
        shown.lines().find(|line| line.contains("public_key")).map(str::to_owned)
    };
    let before = key(&project);
    assert!(before.is_some());
    let applied = project.run("apply -auto-approve -replace=interface.hq -parallelism=1").ends(0);
    applied.tells("interface.hq: old one destroyed").says("Apply complete.");
    assert_eq!(key(&project), before);
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn what_changed_outside_is_taken_into_the_state_after_a_yes_and_written_to_no_device() {
    let project = applied();
    let address = "10.8.0.1/24".parse().unwrap();
    project.enter("hq").delete_address("wg0", address).unwrap();
    let host = project.host("hq");
    let before = state(&project);
    project
        .run("plan -refresh-only")
        .ends(0)
        .says("  # interface.hq on local \"hq\" (simulated) has changed\n");
    project.run("plan -refresh-only -detailed-exitcode").ends(2);
    project.run_with("apply -refresh-only", "no\n").ends(1);
    assert_eq!(state(&project), before);
    let applied = project.run_with("apply -refresh-only", "yes\n").ends(0);
    applied.says("Recorded what changed about 1 resource. Nothing was written to any device.");
    assert_eq!(project.host("hq"), host);
    project.run("drift").ends(0);
    project.run("plan -refresh-only -detailed-exitcode").ends(0).says("Nothing to record.");
    project.run("plan -detailed-exitcode").ends(2).says("Drift undone: none.");
    // Nobody has to say `-heal` for it, since nothing is undone.
    project.enter("hq").add_address("wg0", address).unwrap();
    project.run("apply -refresh-only -auto-approve -input=false").ends(0);
    for with in ["-replace=interface.hq", "-refresh=false", "-heal", "-destroy"] {
        let ran = project.run(&format!("apply -refresh-only {with}")).ends(1);
        ran.tells("cannot be used with");
    }
}

#[test]
fn an_interface_that_a_refresh_took_for_gone_is_no_longer_listed() {
    let project = applied();
    project.enter("hq").delete_link("wg0").unwrap();
    project.run("apply -refresh-only -auto-approve").ends(0);
    let list = |arguments: &str| project.run(&format!("state list {arguments}")).ends(0).stdout;
    assert_eq!(list(""), "interface.branch\npeer.branch_to_hq\npreshared_key.tunnel\n");
    assert_eq!(list("-id=wg0"), "interface.branch\n");
    // Its key is still ours, until a destroy or `state rm` lets it go.
    assert_eq!(list("interface.hq"), "interface.hq\n");
    let heading = "# interface.hq on backend `hq` is gone; its key is remembered\n";
    project.run("state show interface.hq").ends(0).says(heading);
    project.run("show").ends(0).says(heading);
}

#[test]
fn warnings_are_one_line_each_when_they_shall_be_and_nothing_is_wrong() {
    let key = "YWxpY2UgaGFzIGEgcHVibGljIGtleSBvZiBoZXIgb3c=";
    let text = format!(
        "interface \"a\" {{\n  private_key = \"{key}\"\n}}\ninterface \"b\" {{\n  name = \"wg1\"\n  private_key = \"{key}\"\n}}\n"
    );
    let project = Project::new(&text);
    let ran = project.run("validate -compact-warnings").ends(0);
    assert_eq!(
        ran.stderr,
        "Warnings:\n\n- literal key in the configuration [literal-key], in main.wg.hcl:2 (and 1 more)\n\
         - two interfaces with one private key [shared-interface-key], in main.wg.hcl:6\n\n\
         Without -compact-warnings they are shown in full.\n"
    );
    project.configure(&(text + "x = 1\n"));
    let ran = project.run("validate -compact-warnings").ends(1);
    assert!(ran.stderr.contains("1 error, 2 warnings"), "{}", ran.stderr);
}
