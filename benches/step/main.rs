//! The engine's own work without NATS: decoding, `partition.step`, and encoding what is committed.
//!
//! Beside it, in the same rounds, two anchors for one rule's condition: the same five conjuncts as a Rust
//! closure, and as a bare call of Rhai with nothing around it. Run it by `cargo bench --bench step`;
//! `-- --quick` is a smoke run.

mod anchors;
mod fixture;
#[path = "../kit/mod.rs"]
mod kit;
mod many;
mod waiting;

use anchors::{bare_rhai, native};
use clap::Parser;
use fixture::Fixture;
use kit::{Spread, grouped, table};
use onscene::clock::monotonic_now;
use std::hint::black_box;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Numbers of rules that listen to every event.
const RULES: [usize; 4] = [1, 10, 100, 1_000];

#[derive(Debug, Parser)]
#[command(about = "partition.step, decoding and encoding, without NATS")]
struct Arguments {
    /// A smoke run that shows that everything works; its numbers mean little.
    #[arg(long)]
    quick: bool,
    /// Customers in memory, with eight entries in each journal.
    #[arg(long)]
    customers: Option<u64>,
    /// Rounds; in each, everything is measured once.
    #[arg(long)]
    rounds: Option<usize>,
    /// Only what has this text in its name, beside the two anchors.
    filter: Option<String>,
    #[arg(long, hide = true)]
    bench: bool,
}

/// Some work that was done, and how long it took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    count: usize,
    time: Duration,
}

impl Done {
    pub(crate) fn since(started: Instant, count: usize) -> Self {
        let time = started.elapsed();
        Self { count, time }
    }

    /// What one took.
    fn nanoseconds(self) -> f64 {
        let count = u32::try_from(self.count).map_or(f64::NAN, f64::from);
        self.time.as_secs_f64() * 1e9 / count
    }
}

/// One thing that is measured.
struct Case {
    name: String,
    work: Box<dyn FnMut() -> Done>,
    nanoseconds: Vec<f64>,
}

impl Case {
    fn new(name: impl Into<String>, work: impl FnMut() -> Done + 'static) -> Self {
        Self {
            name: name.into(),
            work: Box::new(work),
            nanoseconds: Vec::new(),
        }
    }

    /// Works for about so long and notes how long one usually took. The median over short pieces of work leaves
    /// out those in which the machine did something else.
    fn measure(&mut self, length: Duration) {
        let begun = monotonic_now();
        let mut pieces = Vec::new();
        while begun.elapsed() < length {
            pieces.push((self.work)().nanoseconds());
        }
        self.nanoseconds.push(Spread::of(pieces).median);
    }

    fn spread(&self) -> Spread {
        Spread::of(self.nanoseconds.iter().copied())
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let quick = arguments.quick;
    let customers = arguments
        .customers
        .unwrap_or(if quick { 1_000 } else { 100_000 });
    let rounds = arguments.rounds.unwrap_or(if quick { 1 } else { 5 });
    let length = Duration::from_millis(if quick { 20 } else { 400 });
    let fixture = Fixture::new(customers);
    println!(
        "{} customers with {} journal entries each; {rounds} interleaved round(s)\n",
        grouped(u32::try_from(customers).map_or(f64::NAN, f64::from), 0),
        fixture::HISTORY,
    );
    let mut cases = cases(&fixture)?;
    if let Some(filter) = &arguments.filter {
        let is_wanted = |case: &Case| case.name.contains(filter) || case.name.contains("condition");
        cases.retain(is_wanted);
    }
    for _ in 0..rounds {
        for case in &mut cases {
            case.measure(length);
        }
    }
    report(&cases);
    many::measure(&fixture, rounds, length / 2)?;
    waiting::measure(if quick { 10_000 } else { 1_000_000 })
}

fn cases(fixture: &Fixture) -> anyhow::Result<Vec<Case>> {
    let mut cases = vec![
        Case::new("condition, native Rust", native(fixture)),
        Case::new("condition, bare call of Rhai", bare_rhai()?),
        Case::new("decode", {
            let mut decoding = fixture.decoding();
            move || decoding.run()
        }),
        Case::new("step, no rule", {
            let mut stepping = fixture.stepping(0, false)?;
            move || stepping.run()
        }),
    ];
    for rules in RULES {
        let mut stepping = fixture.stepping(rules, false)?;
        let name = format!("step, {rules} rule(s), none fires");
        cases.push(Case::new(name, move || stepping.run()));
    }
    let mut stepping = fixture.stepping(1, true)?;
    let decisions = stepping.decisions();
    cases.push(Case::new("step, 1 rule, which fires", move || {
        stepping.run()
    }));
    cases.push(Case::new("encode a decision", move || {
        let started = monotonic_now();
        for decision in &decisions {
            black_box((decision.to_cloudevent(), decision.headers()));
        }
        Done::since(started, decisions.len())
    }));
    Ok(cases)
}

fn report(cases: &[Case]) {
    let rows: Vec<_> = cases
        .iter()
        .map(|case| {
            let ratio = |anchor: usize| {
                let pairs = case.nanoseconds.iter().zip(&cases[anchor].nanoseconds);
                Spread::of(pairs.map(|(own, anchor)| own / anchor)).median
            };
            let spread = case.spread();
            vec![
                case.name.clone(),
                spread.show(0),
                grouped(1e9 / spread.median, 0),
                grouped(ratio(0), 1),
                grouped(ratio(1), 2),
            ]
        })
        .collect();
    let head = ["", "ns an event", "events/s", "× native", "× bare Rhai"];
    println!("{}", table(&head, &rows));
}
