//! Devices that break one rule each: the report names that rule, and others only where the one can't be broken without them.

use std::sync::{Arc, Mutex};

use brigade::conform::{Error, Hand, Hands};
use brigade::device::sim::{Place, Record, World};
use brigade::mqtt::testing::AnyBroker;
use brigade::protocol::{DeviceId, DeviceKind};

use crate::broken::{Broken, DEVICE};
use crate::flaws::Flaw;
use crate::support::{failures, judge, try_to_judge};

/// What is wrong, on which kind of device, the rule that it breaks, and what else can't hold then.
const CASES: [(Flaw, DeviceKind, &str, &[&str]); 84] = [
    (Flaw::OtherClientId, DeviceKind::Camera, "C2", &[]),
    (Flaw::NoWill, DeviceKind::Camera, "R1.1", &[]),
    (Flaw::WillOfAnotherConnection, DeviceKind::Camera, "M4", &[]),
    (Flaw::ForgetsFacts, DeviceKind::Camera, "R1.2", &[]),
    (Flaw::RefusesUnknownFields, DeviceKind::Camera, "C7", &[]),
    (Flaw::StateNotRetained, DeviceKind::Camera, "T2", &[]),
    (Flaw::StateOnce, DeviceKind::Camera, "T2", &[]),
    (Flaw::ObeysRetained, DeviceKind::Camera, "R2.2", &[]),
    (Flaw::ObeysAnyBoot, DeviceKind::Camera, "R2.3", &[]),
    (Flaw::ObeysLowerEpochs, DeviceKind::Camera, "R2.4", &[]),
    (Flaw::KnowsStaleIds, DeviceKind::Camera, "R2.5", &[]),
    (Flaw::SilentOnRepeats, DeviceKind::Camera, "R2.6", &[]),
    (Flaw::ObeysOldHolds, DeviceKind::Camera, "R2.8", &[]),
    (Flaw::RunsWhatWasCancelled, DeviceKind::Camera, "R2.9", &[]),
    // What is over runs once more.
    (Flaw::DoesItAgain, DeviceKind::Camera, "R3.1", &["R6.1"]),
    (Flaw::ForgivesRefusals, DeviceKind::Camera, "R3.2", &[]),
    // Who forgets at once has forgotten after ten seconds.
    (Flaw::ForgetsWithAck, DeviceKind::Camera, "R3.3", &["R7.2"]),
    (Flaw::ForgetsAfterFiveSeconds, DeviceKind::Camera, "R7.2", &[]),
    // Who starts unasked does so in every case in which it must not, and nothing that should wait waits.
    (
        Flaw::StartsUnasked,
        DeviceKind::BeforeOven,
        "R4.1",
        &[
            "R1.3", "R2.2", "R2.6", "R4.2", "R4.3", "R4.4", "R4.5", "R4.6", "R4.9", "R4.10", "R7.3", "R8.3", "R10.2",
            "H1", "M16",
        ],
    ),
    (Flaw::TakesAnyLease, DeviceKind::BeforeOven, "R4.1", &[]),
    (Flaw::LeaseFromReceipt, DeviceKind::Camera, "R4.2", &[]),
    (Flaw::LeaseOfAnyBoot, DeviceKind::Camera, "R4.3", &[]),
    // A former controller's lease that is on its way counts again.
    (Flaw::LeaseOfAnyEpoch, DeviceKind::Camera, "R4.4", &["R4.9"]),
    (Flaw::TakesEarlierAnswers, DeviceKind::Camera, "R4.5", &[]),
    (Flaw::KeepsTheWord, DeviceKind::Camera, "R4.6", &[]),
    (Flaw::NoBeatForTasks, DeviceKind::Camera, "R4.7", &[]),
    (Flaw::NoBeatForEpochs, DeviceKind::Camera, "R4.8", &[]),
    (Flaw::EpochVoidsNothing, DeviceKind::Camera, "R4.9", &[]),
    (Flaw::NeverExpires, DeviceKind::Camera, "R4.10", &[]),
    // The delayed task finds another place where it should have waited.
    (Flaw::TwoTasksInOnePlace, DeviceKind::Camera, "R5.4", &["R5.5", "R7.4"]),
    (Flaw::DancesOnDemand, DeviceKind::Camera, "R5.11", &[]),
    // What is forgotten is not seen to stay over, and makes room.
    (Flaw::ForgetsWhatIsOver, DeviceKind::Camera, "R7.1", &["R3.1", "R4.10", "R7.3"]),
    (Flaw::StopsWhenAlone, DeviceKind::Camera, "R8.1", &[]),
    (Flaw::OrphansNeverStart, DeviceKind::Camera, "R8.2", &[]),
    (Flaw::OrphansStartLate, DeviceKind::Camera, "R8.3", &[]),
    (Flaw::StaysInSilence, DeviceKind::Camera, "R8.4", &[]),
    (Flaw::CountsBeatsAtOnce, DeviceKind::Camera, "R8.5", &[]),
    // Without a watchdog there is none on hold either.
    (Flaw::NoWatchdog, DeviceKind::Camera, "R9.1", &["R9.3"]),
    (Flaw::StopsWhatMustEnd, DeviceKind::AfterOven, "R10.3", &[]),
    (Flaw::ObeysOtherZones, DeviceKind::Camera, "H2", &[]),
    (Flaw::RevStands, DeviceKind::Camera, "M7", &[]),
    (Flaw::OldRevInBeats, DeviceKind::Camera, "M12", &[]),
    (Flaw::OddProgress, DeviceKind::Camera, "M10", &[]),
    // What has expired goes back, too.
    (Flaw::GoesBack, DeviceKind::Camera, "R6.1", &["R4.10"]),
    (Flaw::SameBoot, DeviceKind::Camera, "R2.10", &[]),
    (Flaw::NamesNoPizza, DeviceKind::Oven, "O1", &[]),
    (Flaw::NamesNoPizza, DeviceKind::BeforeOven, "G1", &[]),
    // What lies in the slot already is taken for its pizza: it is not refused either.
    (Flaw::LoadedIsFull, DeviceKind::Oven, "O3", &["R5.6"]),
    (Flaw::RemembersItsPizza, DeviceKind::Oven, "O2", &[]),
    (Flaw::RemembersItsPizza, DeviceKind::BeforeOven, "G2", &[]),
    (Flaw::StopsBakes, DeviceKind::Oven, "R9.4", &[]),
    // Who is never overdue is not so after a power cut either.
    (Flaw::NeverOverdue, DeviceKind::Oven, "R9.5", &["R9.7"]),
    (Flaw::ForgetsThatItWasFull, DeviceKind::Oven, "R9.7", &[]),
    (Flaw::ReadsIds, DeviceKind::Camera, "C5", &[]),
    (Flaw::DeafToZones, DeviceKind::Camera, "T1", &["H2", "H4", "H5", "R2.1", "R2.8"]),
    (Flaw::ForgetsGoodbyes, DeviceKind::Camera, "R2.1", &[]),
    // What is repeated has a lower id than what came since.
    (Flaw::ObeysInOrder, DeviceKind::Camera, "R2.7", &["R2.6", "R2.8"]),
    (Flaw::RefusesWhatShouldWait, DeviceKind::Camera, "R5.5", &["R7.4"]),
    (Flaw::DeafWhileHeld, DeviceKind::Camera, "R5.8", &[]),
    (Flaw::GuessesTimes, DeviceKind::Camera, "M16", &[]),
    (Flaw::DeafToHeldLeases, DeviceKind::Camera, "H3", &["T1", "H5"]),
    (Flaw::HoldsOn, DeviceKind::Camera, "H4", &[]),
    (Flaw::KeepsTheHold, DeviceKind::Camera, "H5", &[]),
    // Who only says that it holds takes tasks meanwhile, and knows no order, boot or epoch of holds.
    (Flaw::ShamsHolds, DeviceKind::Camera, "H1", &["R2.3", "R2.4", "R2.8", "R5.2", "R5.7", "R8.3"]),
    (Flaw::HoldStopsTheClock, DeviceKind::Camera, "R9.3", &[]),
    (Flaw::NeverStops, DeviceKind::BeforeOven, "R10.1", &[]),
    // Eight cancelled tasks are waited for there.
    (Flaw::CallsItExpired, DeviceKind::AfterOven, "R10.2", &["R7.3"]),
    (Flaw::KeepsItsBeat, DeviceKind::Camera, "R5.10", &[]),
    (Flaw::UnknownIsInvalid, DeviceKind::Camera, "R5.1", &["R5.7"]),
    (Flaw::HeldIsBusy, DeviceKind::Camera, "R5.2", &["R5.7"]),
    (Flaw::InvalidIsUnsupported, DeviceKind::Camera, "R5.3", &["R5.7"]),
    (Flaw::FullIsInvalid, DeviceKind::BeforeOven, "R5.6", &[]),
    (Flaw::HoldComesFirst, DeviceKind::Camera, "R5.7", &[]),
    (Flaw::SettlesWhileBusy, DeviceKind::Camera, "R5.9", &[]),
    (Flaw::TakesANinthDone, DeviceKind::Camera, "R7.3", &[]),
    (Flaw::TakesANinthToDo, DeviceKind::Camera, "R7.4", &[]),
    (Flaw::ShortMemory, DeviceKind::Camera, "M9", &[]),
    (Flaw::AlwaysIdle, DeviceKind::Camera, "M8", &[]),
    (Flaw::StoppedClock, DeviceKind::Camera, "M13", &[]),
    // It is late where it should beat at once, too.
    (Flaw::LazyHeart, DeviceKind::Camera, "M14", &["R4.7", "R4.8", "R5.10"]),
    // What is asked for meanwhile changes a state whose rev stands.
    (Flaw::AnswersQuestions, DeviceKind::Camera, "M17", &["M7"]),
    // Nobody can tell that it connected anew.
    (Flaw::CountsDown, DeviceKind::Camera, "M2", &["R1.1", "R8.4"]),
    // Its birth is not that of the device that beats.
    (Flaw::TwoBoots, DeviceKind::Camera, "M1", &["M3", "R2.10", "R8.4"]),
    (Flaw::OutOfBounds, DeviceKind::Camera, "M5", &[]),
];

/// Runs a device with this flaw, with a hand on its power switch, and two at its first slot.
fn power_up(flaw: Flaw, kind: DeviceKind, kitchen: &str, broker: &str) -> Hands {
    let world = Arc::new(World::new(Record::in_memory()));
    let start = {
        let (kitchen, broker, world) = (kitchen.to_owned(), broker.to_owned(), world.clone());
        move || tokio::spawn(Broken::new(flaw, kind, &kitchen, &broker, world.clone()).run())
    };
    let running = Arc::new(Mutex::new(start()));
    let slot = Place::new(DEVICE.parse::<DeviceId>().unwrap(), 0);
    let (full, empty) = ((world.clone(), slot.clone()), (world, slot));
    Hands {
        power_cycle: Hand::Call(Box::new(move || {
            let mut running = running.lock().unwrap();
            running.abort();
            *running = start();
            Ok(())
        })),
        load: Hand::Call(Box::new(move || {
            let (world, slot) = &full;
            world.put(slot.clone(), "something".parse().unwrap()).map_err(|mishap| format!("{mishap:?}"))
        })),
        clear: Hand::Call(Box::new(move || {
            let (world, slot) = &empty;
            world.take_away(slot).map(drop).ok_or("there was nothing".to_owned())
        })),
    }
}

/// So many at a time: a busy machine makes late devices, and late is what some of them are judged for.
const AT_ONCE: usize = 27;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "make conform runs it: a minute and a half of waiting, by clocks that a busy machine upsets"]
async fn a_device_that_breaks_one_rule_fails_by_that_rule() {
    let broker = AnyBroker::all().remove(0);
    let mut wrong = Vec::new();
    let chosen: Option<Vec<String>> =
        std::env::var("FLAW").ok().map(|names| names.split(',').map(str::to_owned).collect());
    let is_chosen = |flaw: Flaw| chosen.as_ref().is_none_or(|names| names.contains(&format!("{flaw:?}")));
    let cases: Vec<_> = CASES.iter().filter(|case| is_chosen(case.0)).collect();
    for some in cases.chunks(AT_ONCE) {
        let judged = some.iter().map(|(flaw, kind, rule, also)| {
            let (kitchen, url) = (format!("{flaw:?}.{kind:?}"), broker.url());
            async move {
                let hands = power_up(*flaw, *kind, &kitchen, &url);
                let report = judge(&url, &kitchen, DEVICE, hands).await;
                let failed = report.failed();
                eprintln!("{flaw:?} {rule}: {failed:?}, {} skipped, {} ms", report.skipped().len(), report.took_ms);
                let is_fine = failed.contains(rule) && failed.iter().all(|id| id == rule || also.contains(id));
                (!is_fine)
                    .then(|| format!("{flaw:?} should fail by {rule}, failed by {failed:?}\n{}", failures(&report)))
            }
        });
        wrong.extend(futures::future::join_all(judged).await.into_iter().flatten());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_device_without_a_flaw_keeps_every_rule() {
    let broker = AnyBroker::all().remove(0);
    let report =
        judge(&broker.url(), "none", DEVICE, power_up(Flaw::None, DeviceKind::Camera, "none", &broker.url())).await;
    assert!(report.failed().is_empty(), "{}", failures(&report));
}

/// It can't be driven at all, and the reason names the rule.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_cannot_be_read_is_told_why() {
    let broker = AnyBroker::all().remove(0);
    let unread = [
        (Flaw::NoErrorsField, "M6", "missing field `errors`"),
        (Flaw::TalksTooMuch, "C6", "at most 16384 are allowed"),
        (Flaw::NoVersion, "C8", "`v`"),
    ];
    let judged = unread.map(|(flaw, rule, why)| {
        let (kitchen, url) = (format!("{flaw:?}"), broker.url());
        async move {
            let _hands = power_up(flaw, DeviceKind::Camera, &kitchen, &url);
            let error = try_to_judge(&url, &kitchen, DEVICE, Hands::default(), &[]).await.unwrap_err().to_string();
            assert!(error.contains(rule) && error.contains(why), "{flaw:?}: {error}");
        }
    });
    futures::future::join_all(judged).await;
}

/// A controller that goes on in the kitchen is never spoken against.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_where_another_controller_is_at_work() {
    let broker = AnyBroker::all().remove(0);
    let _hands = power_up(Flaw::None, DeviceKind::Camera, "busy", &broker.url());
    let mut controller = crate::session_controller::Controller::connect(&broker.url(), &"busy".parse().unwrap()).await;
    controller.until_known(DEVICE).await;
    let judged = async { try_to_judge(&broker.url(), "busy", DEVICE, Hands::default(), &[]).await };
    let error = tokio::select! {
        judged = judged => judged.unwrap_err(),
        () = controller.until::<()>("nothing", |_| None) => unreachable!("it listens for ever"),
    };
    assert!(matches!(error, Error::Busy { .. }), "{error}");
}
