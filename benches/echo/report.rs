//! The results as tables.

use crate::Measure;
use crate::kit::{Spread, table};
use std::fmt;

/// What one run of one contender gave.
#[derive(Clone, Debug)]
pub(crate) struct Result {
    pub(crate) events_per_second: f64,
    pub(crate) latencies_ms: Option<Latencies>,
    /// How many generations of rules answered, where that was looked at.
    pub(crate) generations: usize,
    /// The contender's own processor time for each event.
    pub(crate) processor_us: f64,
    /// The server's.
    pub(crate) broker_us: f64,
}

/// Of answers, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latencies {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
    pub(crate) answers: usize,
}

impl fmt::Display for Result {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} events/s", self.events_per_second)?;
        if let Some(Latencies { p50, p99, p999, .. }) = self.latencies_ms {
            write!(f, ", p50 {p50:.2} ms, p99 {p99:.2} ms, p99.9 {p999:.2} ms")?;
        }
        let (own, broker) = (self.processor_us, self.broker_us);
        write!(
            f,
            ", {own:.0} µs of its own and {broker:.0} µs of the server's processor an event"
        )
    }
}

/// The table of one measurement.
pub(crate) fn text(
    measure: Measure,
    events: u64,
    rate: u64,
    names: &[&str],
    results: &[Vec<Result>],
) -> String {
    match measure {
        Measure::Every => {
            let title = format!("Throughput, every one of {events} events answered");
            throughput(&title, names, results)
        }
        Measure::Synced => {
            let title =
                format!("Throughput, every one of {events} events answered, sync_interval always");
            throughput(&title, names, results)
        }
        Measure::Tenth => {
            let title = format!("Throughput, one in ten of {events} events answered");
            throughput(&title, names, results)
        }
        Measure::SyncedLatency => {
            let title =
                format!("Latency at {rate} events/s, one in ten answered, sync_interval always");
            latency(&title, names, results)
        }
        _ => {
            let title = format!("Latency at {rate} events/s, one in ten answered");
            latency(&title, names, results)
        }
    }
}

fn throughput(title: &str, names: &[&str], results: &[Vec<Result>]) -> String {
    let speed = |result: &Result| result.events_per_second;
    let rows: Vec<_> = names
        .iter()
        .zip(results)
        .map(|(name, own)| {
            let mut row = vec![(*name).to_owned(), spread(own, speed).show(0)];
            row.extend(ratios(names, results, own, speed));
            row.extend(processor(own));
            row
        })
        .collect();
    let head = [
        "",
        "events/s",
        "of bare",
        "of fair",
        "own µs/event",
        "server µs/event",
    ];
    format!("{title}\n\n{}", table(&head, &rows))
}

fn latency(title: &str, names: &[&str], results: &[Vec<Result>]) -> String {
    let p50 = |result: &Result| result.latencies_ms.map_or(f64::NAN, |l| l.p50);
    let p99 = |result: &Result| result.latencies_ms.map_or(f64::NAN, |l| l.p99);
    let rows: Vec<_> = names
        .iter()
        .zip(results)
        .map(|(name, own)| {
            let mut row = vec![(*name).to_owned(), spread(own, p50).show(2)];
            row.extend(ratios(names, results, own, p50));
            row.push(spread(own, p99).show(2));
            row.extend(ratios(names, results, own, p99));
            row.extend(processor(own));
            row
        })
        .collect();
    let head = [
        "",
        "p50 ms",
        "of bare",
        "of fair",
        "p99 ms",
        "of bare",
        "of fair",
        "own µs/event",
        "server µs/event",
    ];
    format!("{title}\n\n{}", table(&head, &rows))
}

pub(crate) fn spread(results: &[Result], value: impl Fn(&Result) -> f64) -> Spread {
    Spread::of(results.iter().map(value))
}

fn processor(results: &[Result]) -> [String; 2] {
    let own = spread(results, |r| r.processor_us);
    let broker = spread(results, |r| r.broker_us);
    [own, broker].map(|spread| format!("{:.0}", spread.median))
}

/// The ratios to the bare and the fair echo, of values that were taken in the same round.
fn ratios(
    names: &[&str],
    results: &[Vec<Result>],
    own: &[Result],
    value: impl Fn(&Result) -> f64,
) -> [String; 2] {
    ["bare echo", "fair echo"].map(|anchor| {
        let anchor = names.iter().position(|name| *name == anchor);
        let anchor = anchor.and_then(|at| results.get(at));
        anchor.map_or_else(String::new, |anchor| {
            let pairs = own.iter().zip(anchor);
            Spread::of(pairs.map(|(own, anchor)| value(own) / value(anchor))).show(2)
        })
    })
}
