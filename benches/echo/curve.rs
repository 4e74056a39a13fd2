//! Latency over load: ever more events a second, each answered, until nobody keeps up.

use crate::broker::Broker;
use crate::contender::{Contender, Role};
use crate::kit::{grouped, table};
use crate::latency::{self, Load};
use crate::report::{Latencies, Result, spread};
use crate::throughput::as_f64;
use crate::{Arguments, Extent, picture};
use anyhow::Context as _;

/// Every event is answered, so that a slow rate has enough answers to tell the slowest ones.
const EVERY: u64 = 1;
/// At least so many events, however slow they come.
const EVENTS_MIN: u64 = 2_000;
/// Who gets less of the events out than this, or answers later, does not keep up.
const KEPT_UP: f64 = 0.95;
const LATE_MS: f64 = 200.0;

/// What one contender did at one rate.
pub(crate) struct Point {
    pub(crate) rate: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

/// One contender's points, and from which rate on it did not keep up.
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<Point>,
    pub(crate) saturated_at: Option<u64>,
}

/// Measures, prints the table, and draws the picture.
pub(crate) async fn measure(
    broker: &Broker,
    arguments: &Arguments,
    extent: Extent,
) -> anyhow::Result<()> {
    let mut contenders = Contender::all(arguments)?;
    contenders.retain(|contender| matches!(contender.role, Role::Fair | Role::Engine));
    let mut curves: Vec<Curve> = contenders
        .iter()
        .map(|contender| Curve {
            name: contender.name.clone(),
            points: Vec::new(),
            saturated_at: None,
        })
        .collect();
    let mut rows = Vec::new();
    for &rate in &arguments.rates {
        let events = (rate * extent.seconds).max(if arguments.quick { 100 } else { EVENTS_MIN });
        let load = Load {
            events,
            every: EVERY,
            rate,
        };
        let mut results = vec![Vec::new(); contenders.len()];
        for round in 0..extent.rounds {
            for turn in 0..contenders.len() {
                let at = (turn + round) % contenders.len();
                if curves[at].saturated_at.is_some() {
                    continue;
                }
                match keeping_up(broker, &contenders[at], load).await? {
                    Some(result) => results[at].push(result),
                    None => curves[at].saturated_at = Some(rate),
                }
            }
        }
        for (curve, results) in curves.iter_mut().zip(&results) {
            rows.extend(curve.take(rate, results));
        }
        if curves.iter().all(|curve| curve.saturated_at.is_some()) {
            break;
        }
    }
    let head = [
        "events/s",
        "",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "answers a round",
    ];
    println!(
        "Latency over load, every event answered\n\n{}",
        table(&head, &rows)
    );
    for curve in &curves {
        if let Some(rate) = curve.saturated_at {
            println!(
                "The {} did not keep up with {} events/s.",
                curve.name,
                grouped(as_f64(rate), 0)
            );
        }
    }
    std::fs::write(&arguments.picture, picture::svg(&curves))
        .with_context(|| format!("could not write {}", arguments.picture.display()))?;
    println!("\nDrawn in {}\n", arguments.picture.display());
    Ok(())
}

/// Measures one contender once; nothing if it does not keep up.
async fn keeping_up(
    broker: &Broker,
    contender: &Contender,
    load: Load,
) -> anyhow::Result<Option<Result>> {
    let result = match latency::run(broker, contender, load, None).await {
        Ok(result) => result,
        Err(error) if error.is::<latency::Unanswered>() => {
            eprintln!("  {}/s: {}: {error}", load.rate, contender.name);
            return Ok(None);
        }
        Err(error) => {
            return Err(error).with_context(|| format!("could not measure the {}", contender.name));
        }
    };
    eprintln!("  {}/s: {}: {result}", load.rate, contender.name);
    let is_late = result.latencies_ms.is_none_or(|l| l.p50 > LATE_MS);
    let is_behind = result.events_per_second < KEPT_UP * as_f64(load.rate);
    Ok(Some(result).filter(|_| !is_late && !is_behind))
}

impl Curve {
    /// Adds a rate's rounds, if it kept up in each; tells the table's row.
    fn take(&mut self, rate: u64, results: &[Result]) -> Option<Vec<String>> {
        if self.saturated_at.is_some() {
            return None;
        }
        let of = |value: fn(&Latencies) -> f64| {
            spread(results, |result| {
                result.latencies_ms.as_ref().map_or(f64::NAN, value)
            })
        };
        let (p50, p99, p999) = (of(|l| l.p50), of(|l| l.p99), of(|l| l.p999));
        self.points.push(Point {
            rate,
            p50: p50.median,
            p99: p99.median,
            p999: p999.median,
        });
        let answers = results.first()?.latencies_ms?.answers;
        Some(vec![
            grouped(as_f64(rate), 0),
            self.name.clone(),
            p50.show(2),
            p99.show(2),
            p999.show(2),
            grouped(as_f64(answers as u64), 0),
        ])
    }
}
