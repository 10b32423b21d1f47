//! What holds for every configuration, everything that happens to its hosts, and every change of it.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use wgform::plan::Plan;
use wgform::resource::{Address, BackendId};

use crate::backend::Crash;
use crate::lab::Lab;
use crate::model::{Model, event, linked_model, model};

/// So many of each, so that all of them take half a minute. The seed is always the same; to look for more, raise the
/// one and take another of the other.
const CASES: u32 = 24;
const SEED: u64 = 1;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: CASES,
        rng_seed: RngSeed::Fixed(SEED),
        failure_persistence: None,
        max_shrink_iters: 300,
        ..ProptestConfig::default()
    }
}

/// Applies a configuration, and everything that it takes.
fn applied(model: &Model) -> Lab {
    Lab::matching(&model.text())
}

/// Returns the lines of what is not ours.
fn foreign(lab: &Lab) -> Vec<String> {
    let text = lab.show("hq") + &lab.show("branch");
    let is_foreign = |line: &&str| line.contains("172.17.");
    let mut lines: Vec<_> = text.lines().filter(is_foreign).map(str::to_owned).collect();
    let words = text.split([' ', '[', ']', '\n']).filter(|it| it.starts_with("172.16."));
    lines.extend(words.map(str::to_owned));
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn after_an_apply_nothing_is_left_to_do(before in model(), after in model(), renames in any::<bool>()) {
        let mut lab = applied(&before);
        ["hq", "branch"].iter().for_each(|it| lab.traits(it).cannot_rename = !renames);
        lab.replace(&after.text());
        let plan = lab.plan();
        // What cannot be had in one apply is said, and nothing is done: names that go round without renames, or a peer
        // that moves to the interface which takes the name of its old one's old place.
        prop_assume!(!plan.contains("error: changes that wait for each other"));
        prop_assume!(!plan.contains("error: two interfaces with one listen port"));
        lab.settle();
        lab.options.destroy = true;
        lab.apply();
        prop_assert!(lab.owned().is_empty());
        prop_assert_eq!(lab.show("hq") + &lab.show("branch"), "");
    }

    #[test]
    fn drift_is_shown_as_drift_and_healed_and_nothing_else_is_touched(
        model in model(),
        events in prop::collection::vec(event(), 1..6),
    ) {
        let mut lab = applied(&model);
        for (number, event) in events.iter().enumerate() {
            event.happen(&lab.host(event.host()), number);
        }
        ["hq", "branch"].iter().for_each(|it| _ = lab.options.accept_loss.insert(BackendId::new(*it)));
        let before = foreign(&lab);
        let plan = lab.plan();
        prop_assert!(!plan.contains("error:"), "{}", plan);
        if plan.contains("a new secret would cut it off") {
            return Ok(());
        }
        let changes = lab.look(|plan| plan.changes.iter().filter(|it| !it.is_drift()).count());
        let is_new_secret = plan.contains("a new secret is made");
        prop_assert!(changes == 0 || is_new_secret, "{}", plan);
        lab.settle();
        let lost = events.iter().any(crate::model::Event::takes_foreign_things);
        prop_assert!(lost || foreign(&lab) == before, "{:?} {:?}", before, foreign(&lab));
    }

    #[test]
    fn a_killed_apply_is_finished_by_the_next_one(
        before in model(),
        after in model(),
        done in 0usize..12,
        reported in 0usize..12,
        renames in any::<bool>(),
    ) {
        let mut lab = applied(&before);
        ["hq", "branch"].iter().for_each(|it| lab.traits(it).cannot_rename = !renames);
        lab.replace(&after.text());
        prop_assume!(!lab.plan().contains("error:"));
        lab.let_time_pass();
        lab.crash(Crash { done, reported });
        lab.stop_time();
        let plan = lab.plan();
        prop_assert!(!plan.contains("error:") && !plan.contains("refused:"), "{}", plan);
        lab.settle();
    }

    #[test]
    fn a_part_leaves_no_link_one_sided_unless_it_is_to_and_a_whole_apply_follows(
        model in linked_model(),
        events in prop::collection::vec(event(), 1..6),
        chosen in any::<prop::sample::Index>(),
        destroy in any::<bool>(),
    ) {
        let mut lab = applied(&model);
        for (number, event) in events.iter().enumerate() {
            event.happen(&lab.host(event.host()), number);
        }
        ["hq", "branch"].iter().for_each(|it| _ = lab.options.accept_loss.insert(BackendId::new(*it)));
        prop_assume!(!lab.plan().contains("refused:"));
        lab.options.destroy = destroy;
        let changes = |plan: &Plan| -> Vec<Address> {
            plan.changes.iter().filter_map(|it| it.subject.address().cloned()).collect()
        };
        let changed = lab.look(changes);
        prop_assume!(!changed.is_empty());
        for address in &changed {
            lab.options.excludes = vec![address.clone()];
            prop_assert!(lab.look(|plan| plan.one_sided.is_empty()), "{}", lab.plan());
            lab.options.excludes.clear();
            lab.options.targets = vec![address.clone()];
            prop_assert!(lab.look(|plan| plan.one_sided.is_empty()), "{}", lab.plan());
        }
        lab.options.targets = vec![chosen.get(&changed).clone()];
        lab.options.target_exact = true;
        let left_out = lab.look(|plan| {
            let changed = changes(plan);
            plan.one_sided.iter().all(|it| changed.contains(&it.changed) && !changed.contains(&it.left_out))
        });
        prop_assert!(left_out, "{}", lab.plan());
        lab.apply();
        lab.options.targets.clear();
        (lab.options.target_exact, lab.options.destroy) = (false, false);
        lab.settle();
    }
}
