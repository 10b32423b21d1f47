//! One suite for every Linux host, simulated or real: what a backend promises, as scenarios over `&dyn Write`.
//!
//! Each scenario starts from a host without WireGuard interfaces and says in its name what it shows.

#![allow(dead_code, reason = "each test binary uses a part")]
#![expect(clippy::disallowed_methods, reason = "a real host lives by the real clock")]
#![expect(clippy::unwrap_used, reason = "tests")]
#![allow(unreachable_pub, reason = "each test binary has the suite as a module of its own")]

pub mod bed;
pub mod boot;
pub mod hooks;
pub mod interfaces;
pub mod peers;
pub mod routes;

pub use bed::{Bed, Kind};

/// Lists every scenario once, so that each bed runs all of them. `$run` gets the name and the function.
#[macro_export]
macro_rules! scenarios {
    ($run:path) => {
        $crate::scenarios!(@each $run, interfaces:
            an_empty_host_has_no_interfaces
            a_created_interface_reads_back
            a_port_that_is_not_set_is_chosen_by_the_host
            every_attribute_of_an_interface_can_be_changed
            a_change_leaves_foreign_addresses_alone
            removing_the_first_address_of_a_network_keeps_the_others
            a_disabled_interface_is_down_and_comes_back_with_its_addresses
            an_interface_that_is_there_is_not_made_again
            what_cannot_be_finished_is_not_left_behind
            a_link_of_another_kind_is_left_alone
            a_key_is_kept_in_its_file_and_removed_with_the_interface
            a_foreign_key_file_is_not_overwritten
            a_new_key_replaces_the_old_one_in_file_and_device
            an_interface_is_renamed_where_the_host_can
            a_deleted_interface_is_gone_and_may_be_deleted_again
            a_thousand_peers_go_with_their_interface
        );
        $crate::scenarios!(@each $run, peers:
            a_created_peer_reads_back
            every_attribute_of_a_peer_can_be_changed
            a_name_is_resolved_and_the_address_is_told
            a_name_that_does_not_resolve_fails_only_its_peer
            a_preshared_key_is_set_kept_and_cleared
            an_allowed_ip_moves_from_peer_to_peer
            five_thousand_allowed_ips_are_written_and_changed
            a_thousand_peers_are_one_batch
            foreign_peers_stay
            a_disabled_peer_is_absent_and_comes_back
            a_peer_that_is_there_is_not_made_again
            a_peer_that_is_gone_is_not_made_by_an_update
            the_interfaces_own_key_is_no_peer
            what_follows_a_failure_is_skipped_and_the_rest_is_done
            a_stop_leaves_the_rest_untouched
            peers_of_an_interface_that_is_gone_count_as_deleted
        );
        $crate::scenarios!(@each $run, routes:
            routes_are_made_in_their_tables_and_go
            foreign_routes_and_rules_stay
            a_route_of_somebody_else_is_not_taken
            routes_that_went_with_the_link_going_down_come_back
            routes_that_went_with_the_last_address_come_back_in_the_same_batch
            routes_go_with_their_interface
            rules_come_and_go
            two_thousand_routes_are_set_and_removed
        );
        $crate::scenarios!(@each $run, hooks:
            commands_that_end_well_stop_nothing
            a_command_that_fails_leaves_no_interface
            a_command_that_fails_leaves_a_link_as_it_was
            a_command_that_fails_on_the_way_down_stops_it
            a_program_that_is_not_there_is_named
        );
    };
    (@each $run:path, $module:ident: $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $run(stringify!($name), $crate::conformance::$module::$name);
            }
        )*
    };
}
