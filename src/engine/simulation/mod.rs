//! Deterministic simulation, after FoundationDB's and TigerBeetle's: the real chain, workers, recovery and core
//! run against a model of NATS in which everything goes wrong that can, in an order that follows from a seed.
//!
//! * [`random`], [`time`]: numbers from a seed; a clock that jumps to whatever is waited for next
//! * [`faults`], [`plan`]: what goes wrong, and what is done to the engines
//! * [`books`], [`workload`]: the rules, and the events
//! * [`world`], [`link`], [`feed`]: the server, and how an engine reaches it
//! * [`disk`]: where checkpoints are kept
//! * [`driver`]: runs a seed
//! * [`evidence`], [`check`], [`waiting`], [`outcomes`], [`oracle`], [`portrait`]: whether the laws hold
//!
//! A seed that fails prints what happened and how to run it again:
//! `ONSCENE_SEED=1234 cargo test --lib simulation::one_seed -- --nocapture`.

mod books;
mod check;
mod disk;
mod driver;
mod evidence;
mod faults;
mod feed;
mod link;
mod oracle;
mod outcomes;
mod plan;
mod portrait;
mod random;
mod time;
mod waiting;
mod workload;
mod world;

use driver::{Failure, Kit, Report, Tally, failure, run};
use faults::Planted;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// As the engine's binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seeds that are run unless the environment says otherwise.
const SEEDS: u64 = 10_000;
/// Seeds within which a planted mistake must be found.
const PLANTED_SEEDS: u64 = 1_000;

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{name}={value} is not a whole number")))
}

/// Which seeds are run, with which mistake, and for how long at the most.
#[derive(Clone, Copy, Debug)]
struct Search {
    first: u64,
    seeds: u64,
    seconds: u64,
    planted: Planted,
    /// The law whose failure ends it; any if none is named.
    law: Option<&'static str>,
}

/// What was found.
#[derive(Debug, Default)]
struct Found {
    tally: Tally,
    seeds: u64,
    /// How often each law failed.
    laws: BTreeMap<&'static str, u64>,
    /// The seed that ended it.
    failed: Option<(u64, Failure)>,
}

/// Runs seeds on all cores until one fails, the number is reached or the time is over.
fn search(what: Search) -> Found {
    let kit = Kit::new();
    let next = AtomicU64::new(what.first);
    let is_over = AtomicBool::new(false);
    let found = Mutex::new(Found::default());
    let began = crate::clock::monotonic_now();
    let work = || {
        while !is_over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed - what.first >= what.seeds || began.elapsed().as_secs() >= what.seconds {
                return;
            }
            let report = run_caught(&kit, seed, what.planted, false);
            let mut found = found.lock().unwrap();
            found.seeds += 1;
            match report.result {
                Ok(tally) => found.tally.add(tally),
                Err(failure) => {
                    *found.laws.entry(failure.law).or_default() += 1;
                    let known = found.failed.as_ref().map(|(known, _)| *known);
                    let is_wanted = what.law.is_none_or(|law| law == failure.law);
                    if is_wanted && known.is_none_or(|known| seed < known) {
                        is_over.store(true, Ordering::Relaxed);
                        found.failed = Some((seed, failure));
                    }
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    found.into_inner().unwrap()
}

/// A panic of the simulation itself is a failure of its seed.
fn run_caught(kit: &Kit, seed: u64, planted: Planted, tells: bool) -> Report {
    let caught = std::panic::catch_unwind(AssertUnwindSafe(|| run(kit, seed, planted, tells)));
    caught.unwrap_or_else(|panic| Report {
        result: Err(failure(
            "nothing panics",
            format!("{:?}", panic.downcast_ref::<&str>()),
        )),
        history: String::new(),
    })
}

/// What happened in a seed, and how to see it again.
fn told(seed: u64, planted: Planted) -> String {
    let report = run_caught(&Kit::new(), seed, planted, true);
    let outcome = match &report.result {
        Ok(tally) => format!("all laws hold: {tally:?}"),
        Err(failure) => failure.to_string(),
    };
    format!(
        "{}seed {seed}: {outcome}\nONSCENE_SEED={seed} cargo test --lib simulation::one_seed -- --nocapture\n",
        report.history
    )
}

/// `make test` runs 10,000 seeds; `ONSCENE_SEEDS`, `ONSCENE_SEED_FIRST` and `ONSCENE_SECONDS` (at the most) say
/// otherwise.
#[test]
fn the_laws_hold_in_every_seed() {
    let first = number("ONSCENE_SEED_FIRST").unwrap_or(1);
    let seconds = number("ONSCENE_SECONDS");
    let seeds = match (number("ONSCENE_SEEDS"), seconds) {
        (Some(seeds), _) => seeds,
        (None, Some(_)) => u64::MAX,
        (None, None) => SEEDS,
    };
    let seconds = seconds.unwrap_or(u64::MAX);
    let found = search(Search {
        first,
        seeds,
        seconds,
        planted: Planted::Nothing,
        law: None,
    });
    if let Some((seed, failure)) = found.failed {
        panic!("{}{failure}", told(seed, Planted::Nothing));
    }
    let tally = found.tally;
    println!("result: {} seeds, all laws hold: {tally:?}", found.seeds);
    // A simulation in which nothing goes wrong shows nothing.
    assert!(
        tally.crashes > 0 && tally.fenced > 0 && tally.compared > 0 && tally.fallbacks > 0,
        "{tally:?}"
    );
}

#[test]
fn a_seed_has_one_history() {
    let kit = Kit::new();
    for seed in 1..=40 {
        let (one, other) = (
            run(&kit, seed, Planted::Nothing, true),
            run(&kit, seed, Planted::Nothing, true),
        );
        assert!(one.history.lines().count() > 50, "{}", one.history);
        let mut lines = one.history.lines().zip(other.history.lines());
        if let Some(at) = lines.position(|(one, other)| one != other) {
            let before: Vec<&str> = one.history.lines().take(at).collect();
            let other = other.history.lines().nth(at);
            let one = one.history.lines().nth(at);
            panic!("{}\nseed {seed}: {one:?} or {other:?}", before.join("\n"));
        }
        assert_eq!(one.history.len(), other.history.len(), "seed {seed}");
    }
}

/// For a person who looks into a failure.
#[test]
fn one_seed() {
    if let Some(seed) = number("ONSCENE_SEED") {
        println!("{}", told(seed, Planted::Nothing));
        let report = run(&Kit::new(), seed, Planted::Nothing, false);
        assert!(report.result.is_ok(), "{:?}", report.result);
    }
}

/// A planted mistake must be found by the law that it breaks, not only by another that looks closer.
fn is_found(planted: Planted, law: &'static str) {
    let found = search(Search {
        first: 1,
        seeds: PLANTED_SEEDS,
        seconds: u64::MAX,
        planted,
        law: Some(law),
    });
    let (seeds, laws) = (found.seeds, found.laws);
    let Some((seed, failure)) = found.failed else {
        panic!("{planted:?} was not found in {seeds} seeds by \"{law}\"; but: {laws:?}");
    };
    println!("{planted:?} was found by seed {seed}: {failure}\n{laws:?} in {seeds} seeds");
    // Without the mistake the same seed is sound, so that it is the mistake that was found.
    let sound = run(&Kit::new(), seed, Planted::Nothing, false);
    assert!(sound.result.is_ok(), "{:?}", sound.result);
}

#[test]
fn an_expectation_left_out_of_a_write_is_found() {
    is_found(Planted::NoExpectation, "only the owner extends a log");
}

#[test]
fn going_on_without_reading_the_tail_is_found() {
    is_found(Planted::TailNotRead, "exactly one entry per id");
}

#[test]
fn a_timer_that_is_not_logged_is_found() {
    is_found(Planted::TimerNotLogged, "what waits begins and ends once");
}

#[test]
fn a_checkpoint_without_what_was_seen_is_found() {
    is_found(Planted::DedupeForgotten, "publishing again changes nothing");
}
