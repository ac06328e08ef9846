//! The checks: one for each rule that can be told from outside, in the order in which they are tried.
//!
//! Each begins with a device at rest and leaves any mess: the bench tidies up. What is looked at in everything that the device says comes
//! last, and what needs the power cut at the very end.

mod accept;
mod alone;
mod cancel;
mod connecting;
mod forms;
mod holding;
mod lease;
mod once;
mod places;
mod refuse;
mod remember;
mod watchdog;

use futures::future::LocalBoxFuture;

use super::Stop;
use super::bench::Bench;

/// One rule, and how it is tried.
pub(super) struct Check {
    /// The rule's id.
    pub(super) rule: &'static str,
    /// Tries it.
    pub(super) run: for<'a> fn(&'a mut Bench) -> LocalBoxFuture<'a, Result<(), Stop>>,
}

macro_rules! checks {
    ($($rule:literal $module:ident::$name:ident;)*) => {
        /// All checks.
        pub(super) const ALL: &[Check] = &[$(Check { rule: $rule, run: |bench| Box::pin($module::$name(bench)) }),*];
    };
}

checks! {
    "C5" connecting::ids_mean_nothing;
    "C7" connecting::unknown_fields_are_ignored;
    "T1" connecting::all_topics_are_heard;
    "C2" connecting::its_client_id_is_its_name;
    "M3" connecting::conn_is_online_while_it_is_there;
    "R1.1" connecting::the_will_is_set_and_n_grows;
    "M4" connecting::the_will_is_that_of_its_birth;
    "R1.2" connecting::it_introduces_itself;
    "R1.3" connecting::nothing_starts_from_memory;
    "R2.1" refuse::the_highest_epoch_is_remembered;
    "R2.2" refuse::what_was_retained_is_ignored;
    "R2.3" refuse::another_boot_is_refused;
    "R2.4" refuse::a_lower_epoch_is_refused;
    "R2.5" refuse::a_stale_id_may_come_again_rightly;
    "R2.6" refuse::a_known_id_shows_the_state_again;
    "R2.7" refuse::the_order_of_ids_means_nothing;
    "R2.8" refuse::holds_obey_later_decisions_only;
    "R2.9" refuse::a_cancel_may_come_before_its_task;
    "R3.1" once::an_attempt_is_executed_once;
    "R3.2" once::a_refused_attempt_stays_refused;
    "R3.3" once::an_acknowledged_attempt_is_not_done_again;
    "R4.1" lease::a_task_starts_when_it_is_named;
    "R4.2" lease::a_lease_counts_from_its_heartbeat;
    "R4.3" lease::a_lease_of_another_boot_is_nothing;
    "R4.4" lease::a_lease_of_a_lower_epoch_is_nothing;
    "R4.5" lease::an_earlier_answer_is_ignored;
    "R4.6" lease::a_later_lease_takes_the_word_back;
    "R4.7" lease::a_task_asks_at_once;
    "R4.8" lease::a_higher_epoch_asks_at_once;
    "R4.9" lease::a_higher_epoch_voids_leases;
    "R4.10" lease::what_is_not_named_expires;
    "R5.1" accept::unknown_actions_are_unsupported;
    "R5.2" accept::nothing_is_accepted_on_hold;
    "R5.3" accept::lanes_and_parameters_must_exist;
    "R5.4" accept::a_lane_has_one_task;
    "R5.5" accept::a_delayed_task_waits_for_its_lane;
    "R5.6" accept::the_lane_must_fit;
    "R5.7" accept::refusals_have_an_order;
    "R5.8" accept::some_instructions_are_always_obeyed;
    "R5.9" accept::settings_and_tests_wait_for_tasks;
    "R5.10" accept::settings_are_followed;
    "R5.11" accept::what_is_not_understood_is_refused;
    "R7.2" remember::ids_are_kept_for_ten_seconds;
    "R7.3" remember::eight_unacknowledged_tasks_are_enough;
    "R7.4" remember::eight_active_tasks_are_enough;
    "R8.1" alone::what_runs_is_finished;
    "R8.2" alone::orphans_start_in_their_time;
    "R8.3" alone::nothing_else_starts;
    "R8.4" alone::silence_sends_it_to_the_next_broker;
    "R8.5" alone::heartbeats_at_once_are_no_silence;
    "R9.1" watchdog::the_watchdog_ends_a_task;
    "R9.3" watchdog::time_on_hold_counts;
    "R9.4" watchdog::bakes_are_exempt;
    "R9.5" watchdog::what_stays_in_the_oven_is_overdue;
    "R10.1" cancel::what_can_always_stop_stops;
    "R10.2" cancel::what_waits_is_cancelled;
    "R10.3" cancel::what_must_end_ends;
    "H1" holding::an_instruction_holds;
    "H2" holding::the_zone_holds;
    "H3" holding::the_lease_holds;
    "H4" holding::a_later_lease_ends_the_hold_of_the_zone;
    "H5" holding::a_resume_of_the_zone_ends_the_hold_of_the_lease;
    "O1" places::an_oven_names_what_it_bakes;
    "O3" places::loaded_is_a_change;
    "G1" places::a_gripper_knows_its_pizza;
    "M9" forms::results_are_shown;
    "M12" forms::heartbeats_carry_the_rev;
    "M13" forms::up_is_the_time_since_power_up;
    "M14" forms::heartbeats_keep_their_interval;
    "M16" forms::what_is_left_out_has_its_default;
    "M17" forms::questions_have_no_result;
    "T2" forms::quality_and_retention;
    "C6" forms::sizes;
    "C8" forms::versions;
    "M1" forms::boot;
    "M2" forms::n;
    "M5" forms::facts;
    "M6" forms::fields_of_state;
    "M7" forms::rev;
    "M8" forms::condition_and_holds;
    "M10" forms::progress;
    "M11" forms::numbers_of_heartbeats;
    "R6.1" forms::tasks_go_forward;
    "R7.1" forms::tasks_stay_until_they_are_acknowledged;
    "R2.10" places::a_reboot_is_another_boot;
    "O2" places::an_oven_knows_no_pizza_after_a_reboot;
    "G2" places::a_gripper_knows_no_pizza_after_a_reboot;
    "R9.7" watchdog::an_oven_that_boots_full_is_overdue;
}

/// Rules that nobody can tell from outside, and why.
pub(super) const NOT_CHECKABLE: &[(&str, &str)] = &[
    ("C1", "only the broker sees how a client connects: look at its log"),
    ("C3", "which brokers it knows is its configuration; that it leaves one is R8.4"),
    ("C4", "names, keys and certificates are the site's: its brokers hold them to it"),
    ("T3", "the brokers' access lists hold it to that"),
    ("M15", "a camera speaks unasked when it sees something: this bench has nothing to show it"),
    ("R4.11", "a comparison of wall clocks shows only where clocks are wrong: look at the code"),
    ("R9.2", "what a safe stop is depends on the machine: look at it"),
    ("R9.6", "heat and shelves are not on the wire: look at the oven"),
    ("R11.1", "hard-wired: test it with the button, without this program"),
    ("R11.2", "a person presses the button: do so, and see R5.2 fail to start anything"),
];
