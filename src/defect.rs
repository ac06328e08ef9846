//! Deliberate defects, so that the tests can be tested: a build with the feature `defects` has the one that DELIBERATE_DEFECT names.
//!
//! Not BRIGADE_…: those variables are keys of the configuration, and an unknown one ends the start.
//!
//! In every other build `is` is false when compiled, and nothing of this is left. `make mutants` shows which test catches which.

/// Every defect: its name, and what is wrong with a program that has it.
pub const ALL: [(&str, &str); 26] = [
    ("no-fence-check", "a device obeys a controller that has been replaced"),
    ("lease-ignored", "a device starts what nobody allows at the moment"),
    ("start-without-naming-lease", "a device takes any lease for a lease of its task"),
    ("lease-from-receipt", "a device counts its lease from when it came, not from when it asked"),
    ("counter-as-token", "the epoch counts tenures of a node instead of entries of the log"),
    ("reassignment-without-proof", "a lost device's work is given away at once"),
    ("proof-without-margin", "time proves an attempt over before its last lease has ended"),
    ("quorum-lease-ignored", "a node that has lost its majority goes on answering heartbeats"),
    ("lease-not-withheld", "a device gets leases while it is being judged lost"),
    ("wall-clock-in-apply", "the state goes by the wall clock of who proposes"),
    ("late-reports-accepted", "a state of a device that comes late is taken for the present one"),
    ("archive-not-asked", "an order that ended is taken again under its id"),
    ("spare-not-told", "a pizza that was replaced and packed all the same lies on the counter, and nobody is told"),
    ("skipped-fsync", "writes are acknowledged before they are on the disk"),
    ("answer-before-commit", "an order is acknowledged before a majority has it"),
    ("point-in-time-recovery", "a damaged log opens silently with what precedes the damage"),
    ("applied-not-in-batch", "the applied index is not written with the rows"),
    ("mqtt-ack-before-commit", "what a device says is acknowledged before it is in the log"),
    ("retained-command", "instructions are kept by the broker for whoever comes"),
    ("begun-before-cleared", "an order of the backend is begun before the backend has heard of it"),
    ("begun-past-lease", "an order of the backend is begun when its lease is over"),
    ("revocation-ignored", "an order that the backend gave to another kitchen is kept"),
    ("assignment-lease-ignored", "an order of the backend is moved while its kitchen may still begin it"),
    ("moved-without-lock", "an order is moved although its kitchen has made contact meanwhile"),
    ("outcome-of-anyone", "what a kitchen says of an order counts, whoever has it"),
    ("change-without-comparing", "a change of an order goes over one that came first"),
];

/// True in a build with the feature `defects` that was started with DELIBERATE_DEFECT set to this name.
#[cfg(feature = "defects")]
pub fn is(name: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let chosen = std::env::var("DELIBERATE_DEFECT").ok();
        let known = |chosen: &String| ALL.iter().any(|(name, _)| name == chosen);
        assert!(chosen.as_ref().is_none_or(known), "DELIBERATE_DEFECT is {chosen:?}: use one of {ALL:?}");
        chosen
    });
    debug_assert!(ALL.iter().any(|(known, _)| *known == name), "{name} is no defect");
    chosen.as_deref() == Some(name)
}

/// Never, in a build without the feature `defects`.
#[cfg(not(feature = "defects"))]
#[inline(always)]
pub const fn is(_name: &str) -> bool {
    false
}
