//! Many things that wait: what one costs in time and memory, to begin, to end early, and to fire.

use crate::fixture::{self, NOW};
use crate::kit::grouped;
use onscene::clock::{MINUTE, monotonic_now};
use onscene::event::Incoming;
use onscene::partition::{Input, Partition};
use onscene::rules::{RuleSet, Source, Sources, render};
use onscene::state::{Customers, JournalLimits};
use std::hint::black_box;
use std::sync::Arc;

/// Whoever starts a checkout is looked at again ten minutes later, and nothing is said.
const RULE: &str = r#"const RULE = #{ on: "merchant.checkout", channels: ["push"], delay: "10m", fresh: "1d" };
fn when(event, customer) { event.stage == "started" }
fn still(event, customer) { customer.count("merchant.checkout", "10m", #{ stage: "paid" }) > 0 }
fn action(event, customer) { #{ kind: "offer", code: "X", text: #{ "en": `x` } } }
"#;
/// How many of a customer's wait at the same time.
const EACH: u64 = 4;

/// Arms so many timers and fires them; prints what each step took for one.
pub(crate) fn measure(count: u64) -> anyhow::Result<()> {
    let sources = Sources {
        rules: vec![Source {
            path: "bench/absence.rhai".into(),
            text: RULE.into(),
        }],
        ..Sources::default()
    };
    let rules = RuleSet::compile(&sources).map_err(|faults| anyhow::anyhow!(render(&faults)))?;
    let customers = Arc::new(Customers::default());
    let mut partition = Partition::new(
        customers.clone(),
        JournalLimits::default(),
        jiff::tz::TimeZone::UTC,
    );
    let input = |id: u64, stage: &str| Input {
        sequence: id + 1,
        stored_at: NOW,
        already: 0,
        what: Incoming::Event(fixture::event("waiting", id, id / EACH, stage, NOW)),
    };
    // The customers and their journals are there before anything waits.
    for id in 0..count {
        partition.fold(&input(id + count, "paid"));
    }
    let before = resident_bytes();
    let (mut arming, mut memory) = (0.0, 0.0);
    for id in 0..count {
        let input = [input(id, "started")];
        let started = monotonic_now();
        black_box(partition.step(&input, NOW, &rules));
        arming += started.elapsed().as_secs_f64();
    }
    if let (Some(before), Some(after)) = (before, resident_bytes()) {
        memory = after - before;
    }
    let started = monotonic_now();
    let due = NOW + 10 * MINUTE;
    let output = black_box(partition.advance(due, due, &rules));
    let firing = started.elapsed().as_secs_f64();
    let number = u32::try_from(count).map_or(f64::NAN, f64::from);
    anyhow::ensure!(
        output.entries.len() as u64 == count,
        "not all of them fired"
    );
    println!(
        "\n{} timers, {EACH} for each customer: {} ns to step an event and arm one, {} bytes each (the event in the \
         journal included), {} ns to fire one and find that nothing is to be said",
        grouped(number, 0),
        grouped(arming * 1e9 / number, 0),
        grouped(memory / number, 0),
        grouped(firing * 1e9 / number, 0),
    );
    Ok(())
}

/// What the process holds in memory, if the system tells.
fn resident_bytes() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4_096.0)
}
