//! Links that pass nothing.

use brigade::history::{Answer, Ask, Need};

use crate::harness::{Brokers, Dinner, Party, Plan, Wiring};

fn plan() -> Plan {
    Plan { brokers: Brokers::Mosquitto(1), wiring: Wiring::Cuttable, ..Plan::default() }
}

/// The links of a node with the other two.
fn peers_of(node: u64) -> Vec<(Party, Party)> {
    let others = [1, 2, 3].into_iter().filter(|n| *n != node);
    others.map(|other| (Party::Node(node), Party::Node(other))).collect()
}

/// Row 27.
#[test]
fn a_leader_alone_on_the_broker_is_replaced_and_obeyed_no_more() {
    let mut dinner = Dinner::begin(&plan(), 2);
    dinner.seat_guests(2);
    dinner.wait_until_one_bakes();
    let leader = dinner.leader();
    dinner.part(&peers_of(leader));
    let place = Ask::Place { order: "minority".to_owned(), items: vec!["quick".to_owned()] };
    let answer = dinner.call(leader, place);
    assert!(
        matches!(answer, Answer::NotApplied { .. } | Answer::Unknown { .. }),
        "a minority took an order: {answer:?}"
    );
    dinner.wait_until("the majority has another one", |d| d.in_charge().is_some_and(|n| n != leader));
    dinner.order(1);
    let show = Ask::Show { order: "dinner-2".to_owned(), stale: false };
    let answer = dinner.call(leader, show);
    assert!(matches!(answer, Answer::NotApplied { .. }), "a minority reads what may be old: {answer:?}");
    dinner.deliver_late_when_there_are();
    dinner.heal();
    dinner.ends_well(&[Need::Cut, Need::Failover, Need::StaleCommand]);
}

/// Row 27, half of it: what the leader says does not arrive, and it hears everything. Through proxies: the connections look alive.
#[test]
fn a_leader_that_only_hears_is_replaced() {
    let mut dinner = Dinner::begin(&Plan { wiring: Wiring::Proxied, ..plan() }, 2);
    dinner.seat_guests(2);
    dinner.wait_until_one_bakes();
    let leader = dinner.leader();
    dinner.cut(&peers_of(leader));
    dinner.wait_until("another one is in charge", |d| d.in_charge().is_some_and(|n| n != leader));
    dinner.heal();
    dinner.ends_well(&[Need::Cut, Need::Failover]);
}

/// Row 44.
#[test]
fn a_leader_that_reaches_its_peers_and_no_broker_hands_over() {
    let mut dinner = Dinner::begin(&plan(), 2);
    dinner.seat_guests(2);
    dinner.wait_until_one_bakes();
    let leader = dinner.leader();
    dinner.part(&[(Party::Node(leader), Party::Broker(1))]);
    dinner.wait_until("another one is in charge", |d| d.in_charge().is_some_and(|n| n != leader));
    dinner.deliver_late_when_there_are();
    dinner.heal();
    dinner.ends_well(&[Need::Cut, Need::Failover, Need::StaleCommand]);
}

/// Row 43.
#[test]
fn devices_on_a_broker_that_the_leader_can_not_reach_move_on_and_work() {
    let mut dinner = Dinner::begin(&Plan { brokers: Brokers::Mosquitto(2), ..plan() }, 1);
    dinner.seat_guests(2);
    dinner.wait_until_one_bakes();
    let nodes = [1, 2, 3].map(|n| (Party::Node(n), Party::Broker(1)));
    // No controller reaches it: handing over would not help, the devices must move.
    let at = dinner.part(&nodes);
    let devices: Vec<String> = dinner.device_states().into_keys().collect();
    let spans = dinner.wait_for("every device was told something", |d| {
        let history = d.history();
        let told = |device: &String| {
            let its = history.devices().filter(|(_, f)| f.event == "instructed" && f.device == *device);
            its.map(|(_, f)| f.t_ms).find(|t_ms| *t_ms > at + 1_000)
        };
        devices.iter().map(|device| Some(told(device)? - at)).collect::<Option<Vec<u64>>>()
    });
    let worst = spans.into_iter().max().unwrap_or(0);
    assert!(worst < 10_000, "a device heard nothing for {worst} ms");
    dinner.heal();
    dinner.ends_well(&[Need::Cut]);
}

/// Row 21 for the cut that no one sees: the devices' link to their broker, one way.
#[test]
fn devices_that_are_heard_and_hear_nothing_start_nothing_they_may_not() {
    let dinner = Dinner::begin(&Plan { wiring: Wiring::Proxied, ..plan() }, 2);
    dinner.wait_until_one_bakes();
    let at = dinner.cut(&[(Party::Broker(1), Party::Devices)]);
    dinner.wait_until("a device found that nobody answers", |d| {
        // What was held back arrives late: leases that are over by then.
        let history = d.history();
        let quiet = history.devices().filter(|(_, f)| f.event == "leased").map(|(_, f)| f.t_ms).max().unwrap_or(0);
        brigade::clock::boottime_ms() > quiet.max(at) + 3_500
    });
    dinner.heal();
    dinner.ends_well(&[Need::Cut]);
}
