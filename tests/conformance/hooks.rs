//! The user's commands around the going up and down of a link.

use wgform::backend::Surroundings;
use wgform::resource::{Field, Fields};

use crate::conformance::Bed;
use crate::conformance::bed::{create_with, delete_with, hub_fields, private, to, update_around};

/// Commands, each written with blanks between its parts.
fn around(hooks: &[(&'static str, &[&str])]) -> Surroundings {
    let command = |line: &&str| line.split(' ').map(str::to_owned).collect();
    let list = |lines: &[&str]| lines.iter().map(command).collect();
    Surroundings {
        address: "interface.hub".to_owned(),
        action: "create",
        hooks: hooks.iter().map(|(at, lines)| (*at, list(lines))).collect(),
        had_name_servers: false,
    }
}

fn enabled(yes: bool) -> wgform::resource::Settings {
    to("enabled", Field::Bool(yes))
}

pub fn commands_that_end_well_stop_nothing(bed: &Bed) {
    let all: &[(&'static str, &[&str])] = &[
        ("pre_up", &["true", "test %i = wg0"]),
        ("post_up", &["true"]),
        ("pre_down", &["true"]),
        ("post_down", &["true"]),
    ];
    bed.done(create_with("wg0", &private(1), hub_fields(), around(all)));
    bed.done(update_around("wg0", enabled(false), around(all)));
    bed.done(update_around("wg0", enabled(true), around(all)));
    bed.done(delete_with("wg0", around(all)));
    assert!(bed.read().interfaces.is_empty());
}

pub fn a_command_that_fails_leaves_no_interface(bed: &Bed) {
    for at in ["pre_up", "post_up"] {
        let failing = around(&[(at, &["true", "false"])]);
        let why = bed.failed(create_with("wg0", &private(1), hub_fields(), failing));
        let expected = "runs `false`: it ended with 1; the interface was removed again";
        assert_eq!(why, format!("failed: `{at}` {expected}"));
        assert!(bed.read().interfaces.is_empty());
    }
    // One that is made down runs none.
    let fields = Fields::from([("enabled", Field::Bool(false))]);
    bed.done(create_with("wg0", &private(1), fields, around(&[("pre_up", &["false"])])));
}

pub fn a_command_that_fails_leaves_a_link_as_it_was(bed: &Bed) {
    let fields = Fields::from([("enabled", Field::Bool(false))]);
    bed.done(create_with("wg0", &private(1), fields, Surroundings::default()));
    let failing = |at| around(&[(at, &["false"])]);
    let why = bed.failed(update_around("wg0", enabled(true), failing("pre_up")));
    assert_eq!(why, "failed: `pre_up` runs `false`: it ended with 1; the interface is as it was");
    let why = bed.failed(update_around("wg0", enabled(true), failing("post_up")));
    assert_eq!(why, "failed: `post_up` runs `false`: it ended with 1; the link was set down again");
    assert_eq!(bed.interface("wg0").fields["enabled"], Field::Bool(false));
    // What leaves the link as it is runs nothing.
    let mtu = to("mtu", Field::Number(1400));
    bed.done(update_around(
        "wg0",
        mtu,
        around(&[("pre_up", &["false"]), ("pre_down", &["false"])]),
    ));
}

pub fn a_command_that_fails_on_the_way_down_stops_it(bed: &Bed) {
    bed.hub();
    let failing = |at| around(&[(at, &["false"])]);
    let as_it_was = "failed: `pre_down` runs `false`: it ended with 1; the interface is as it was";
    assert_eq!(bed.failed(delete_with("wg0", failing("pre_down"))), as_it_was);
    assert_eq!(bed.failed(update_around("wg0", enabled(false), failing("pre_down"))), as_it_was);
    assert_eq!(bed.interface("wg0").fields["enabled"], Field::Bool(true));
    let why = bed.failed(delete_with("wg0", failing("post_down")));
    assert_eq!(why, "failed: `post_down` runs `false`: it ended with 1; the interface is gone");
    assert!(bed.read().interfaces.is_empty());
}

pub fn a_program_that_is_not_there_is_named(bed: &Bed) {
    let missing = around(&[("post_up", &["no-such-program %i"])]);
    let why = bed.failed(create_with("wg0", &private(1), hub_fields(), missing));
    assert_eq!(
        why,
        "failed: `post_up` runs `no-such-program wg0`: there is no program `no-such-program` on the host; \
         the interface was removed again"
    );
}
