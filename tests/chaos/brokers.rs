//! Brokers that die and forget.

use brigade::history::Need;

use crate::harness::{Brokers, Dinner, Plan};

/// Row 21.
#[test]
fn a_mosquitto_killed_in_use_and_started_again_loses_nothing() {
    let mut dinner = Dinner::begin(&Plan { brokers: Brokers::Mosquitto(1), ..Plan::default() }, 2);
    dinner.seat_guests(2);
    dinner.wait_until_one_bakes();
    dinner.kill_broker(1);
    dinner.start_broker(1);
    dinner.ends_well(&[Need::BrokerKill]);
}

/// Row 22.
#[test]
fn a_mosquitto_that_forgot_everything_changes_no_outcome() {
    let mut dinner = Dinner::begin(&Plan { brokers: Brokers::Mosquitto(1), ..Plan::default() }, 2);
    dinner.seat_guests(2);
    dinner.wait_until_one_bakes();
    dinner.kill_broker(1);
    dinner.wipe_broker(1);
    dinner.start_broker(1);
    dinner.ends_well(&[Need::BrokerKill, Need::BrokerWipe]);
}
