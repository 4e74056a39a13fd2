//! One measurement: customers with a history, rules, and events stepped by several threads at once.

use crate::traffic::{Kind, Traffic, scattered};
use anyhow::Context as _;
use onscene::clock::{Millis, monotonic_now};
use onscene::partition::{Input, Output, Partition};
use onscene::rules::{RuleSet, Sources, render};
use onscene::state::{Customers, JournalLimits};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Events stepped at once, as the engine does.
const BATCH: usize = 64;
/// Events that each thread decodes, uncounted, before it steps them: at first, and at most.
const CHUNK: [u64; 2] = [8, 1_024];
/// As soon as a chunk takes less than this, the next is larger.
const CHUNK_TIME: Duration = Duration::from_millis(20);
/// The first part of a measurement that is as long as one says does not count: one in so many.
const WARM_UP: u32 = 5;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) customers: u64,
    pub(crate) entries: u64,
    pub(crate) threads: u64,
    /// So many live events and no more; otherwise for so long.
    pub(crate) events: Option<u64>,
    pub(crate) seconds: f64,
}

/// What came out.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Measured {
    pub(crate) rules: usize,
    pub(crate) events: u64,
    pub(crate) seconds: f64,
    pub(crate) events_per_second: f64,
    /// Of all live events, those before the measurement included.
    pub(crate) stepped: u64,
    pub(crate) fired: u64,
    /// Over customer, rule and time of each that fired.
    pub(crate) checksum: String,
    pub(crate) compile_seconds: f64,
    /// What each customer with its history added to the process, in bytes.
    pub(crate) bytes_a_customer: Option<f64>,
}

/// Compiles the rules of a folder, lets the customers' history happen, and measures.
pub(crate) fn measure(folder: &Path, plan: Plan) -> anyhow::Result<Measured> {
    let sources = Sources::read(folder)?;
    let started = monotonic_now();
    let rules = RuleSet::compile(&sources).map_err(|faults| anyhow::anyhow!(render(&faults)))?;
    let compile_seconds = started.elapsed().as_secs_f64();
    let before = resident_bytes();
    let race = Race::new(plan);
    let customers = Arc::new(Customers::default());
    let bytes = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.threads)
            .map(|number| {
                let (race, rules, customers) = (&race, &rules, customers.clone());
                scope.spawn(move || race.runner(number, customers, rules))
            })
            .collect();
        let ended: Vec<_> = threads
            .into_iter()
            .map(std::thread::ScopedJoinHandle::join)
            .collect();
        ended.into_iter().find_map(Result::ok).flatten()
    });
    let clock = *race.clock.lock().unwrap_or_else(PoisonError::into_inner);
    anyhow::ensure!(clock.events > 0, "nothing was measured");
    let seconds = clock.counted.as_secs_f64();
    let each = |bytes: f64| bytes / u32::try_from(plan.customers).map_or(f64::NAN, f64::from);
    Ok(Measured {
        rules: rules.rules().len(),
        events: clock.events,
        seconds,
        events_per_second: u32::try_from(clock.events).map_or(f64::NAN, f64::from) / seconds,
        stepped: clock.stepped,
        fired: race.fired.load(Ordering::Relaxed),
        checksum: format!("{:x}", race.checksum.load(Ordering::Relaxed)),
        compile_seconds,
        bytes_a_customer: bytes
            .zip(before)
            .map(|(after, before)| each(after - before)),
    })
}

/// What the threads have in common.
struct Race {
    plan: Plan,
    barrier: Barrier,
    chunk: AtomicU64,
    is_over: AtomicBool,
    clock: Mutex<Clock>,
    fired: AtomicU64,
    checksum: AtomicU64,
}

/// Time during which all threads stepped.
#[derive(Clone, Copy, Default)]
struct Clock {
    began: Option<Instant>,
    all: Duration,
    counted: Duration,
    events: u64,
    stepped: u64,
}

impl Race {
    fn new(plan: Plan) -> Self {
        Self {
            plan,
            barrier: Barrier::new(usize::try_from(plan.threads).unwrap_or(1)),
            chunk: AtomicU64::new(CHUNK[0]),
            is_over: AtomicBool::new(false),
            clock: Mutex::default(),
            fired: AtomicU64::new(0),
            checksum: AtomicU64::new(0),
        }
    }

    /// One thread: history, then chunk after chunk, each begun and ended together with the others'. Tells what
    /// the process held after the history.
    fn runner(&self, number: u64, customers: Arc<Customers>, rules: &RuleSet) -> Option<f64> {
        let plan = self.plan;
        let mut partition =
            Partition::new(customers, JournalLimits::default(), jiff::tz::TimeZone::UTC)
                .keeping_quiet();
        let mut traffic = Traffic::new(
            number,
            plan.threads,
            plan.customers,
            plan.entries,
            plan.kind,
        );
        for at in 0..traffic.history {
            partition.fold(&sound(traffic.input(at)));
        }
        self.barrier.wait();
        let bytes = resident_bytes();
        let mut next = traffic.history;
        let last = plan.events.map(|events| next + events / plan.threads);
        while !self.is_over.load(Ordering::Acquire) {
            let chunk = self.chunk.load(Ordering::Acquire);
            let chunk = last.map_or(chunk, |last| chunk.min(last - next));
            let inputs: Vec<Input> = (next..next + chunk)
                .map(|at| sound(traffic.input(at)))
                .collect();
            next += chunk;
            if self.barrier.wait().is_leader() {
                self.begin();
            }
            // A barrier of its own, so that nobody steps before the clock runs.
            self.barrier.wait();
            for batch in inputs.chunks(BATCH) {
                let now = batch.last().map_or(0, |input| input.stored_at);
                self.count(&partition.step(batch, now, rules));
            }
            if self.barrier.wait().is_leader() {
                self.end(chunk * plan.threads, last == Some(next));
            }
            self.barrier.wait();
        }
        bytes
    }

    fn count(&self, output: &Output) {
        for decision in output.decisions() {
            let digits = |text: &str| {
                text.rsplit(['/', 'C'])
                    .next()
                    .and_then(|d| d.parse::<u64>().ok())
            };
            let rule = digits(&decision.rule).unwrap_or_default();
            let customer = digits(decision.customer.as_str()).unwrap_or_default();
            let time: Millis = decision.time;
            let sum = scattered(rule << 32 | customer).wrapping_mul(time.unsigned_abs() | 1);
            self.fired.fetch_add(1, Ordering::Relaxed);
            self.checksum.fetch_add(sum, Ordering::Relaxed);
        }
    }

    fn begin(&self) {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.began = Some(monotonic_now());
    }

    fn end(&self, events: u64, is_last: bool) {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(took) = clock.began.take().map(|began| began.elapsed()) else {
            return;
        };
        let whole = Duration::from_secs_f64(self.plan.seconds);
        clock.all += took;
        clock.stepped += events;
        if self.plan.events.is_some() || clock.all > whole / WARM_UP {
            clock.counted += took;
            clock.events += events;
        }
        let is_over = self.plan.events.map_or(clock.all > whole, |_| is_last);
        self.is_over.store(is_over, Ordering::Release);
        if took < CHUNK_TIME {
            let chunk = self.chunk.load(Ordering::Acquire) * 2;
            self.chunk.store(chunk.min(CHUNK[1]), Ordering::Release);
        }
    }
}

/// The others wait for this thread at a barrier: it cannot just end.
fn sound(input: anyhow::Result<Input>) -> Input {
    input
        .context("could not make an event")
        .unwrap_or_else(|error| {
            eprintln!("{error:?}");
            std::process::abort()
        })
}

/// What the process holds in memory, if the system tells.
fn resident_bytes() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4_096.0)
}
