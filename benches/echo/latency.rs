//! How long an answer takes at a given rate: from just before the event is published to the reception of
//! the answer that the stream republishes after storing it.

use crate::broker::Broker;
use crate::contender::{Contender, Role, processor_seconds};
use crate::disturbance::Disturbance;
use crate::events;
use crate::report::{Latencies, Result};
use crate::throughput::as_f64;
use anyhow::Context as _;
use async_nats::{Message, Subscriber};
use futures_util::StreamExt as _;
use onscene::clock::{monotonic_now, now_ms};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Events are published so often; what is due by then goes out together.
const TICK: Duration = Duration::from_millis(1);
/// The first part of a run does not count: one event in so many.
const WARM_UP: u64 = 5;
/// How long the last answers may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) events: u64,
    /// One in so many is answered.
    pub(crate) every: u64,
    /// Events a second.
    pub(crate) rate: u64,
}

/// It did not keep up.
#[derive(Debug, thiserror::Error)]
#[error("not every answer came within {TIMEOUT:?} of the last event")]
pub(crate) struct Unanswered;

/// Measures one contender once, while something else happens if one says so.
pub(crate) async fn run(
    broker: &Broker,
    contender: &Contender,
    load: Load,
    disturbance: Option<&Disturbance>,
) -> anyhow::Result<Result> {
    let Load {
        events,
        every,
        rate,
    } = load;
    let first = broker.empty().await?;
    let mut process = contender.start(broker, first, every)?;
    process.ready().await?;
    let listener = async_nats::connect(broker.url()).await?;
    let live = listener.subscribe(contender.live()).await?;
    listener.flush().await?;
    let start = monotonic_now();
    let sent: Arc<Vec<AtomicU64>> = Arc::new((0..events).map(|_| AtomicU64::new(0)).collect());
    let answers = events.div_ceil(every);
    let receiving = Receiving {
        bare: matches!(contender.role, Role::Bare | Role::Plain),
        by_id: disturbance.is_some(),
        first,
        start,
        sent: sent.clone(),
    };
    let received = tokio::spawn(receiving.run(live, answers));
    let disturbing = disturbance.map(|d| tokio::spawn(d.clone().go_on(broker.client.clone())));
    let before = [process.pid(), broker.pid()].map(processor_seconds);
    publish(broker, &first.to_string(), every, rate, start, &sent).await?;
    let seconds = start.elapsed().as_secs_f64();
    let received = tokio::time::timeout(TIMEOUT, received).await;
    if let Some(disturbing) = disturbing {
        disturbing.abort();
    }
    let (latencies, generations) = received.map_err(|_| Unanswered)???;
    let after = [process.pid(), broker.pid()].map(processor_seconds);
    process.stop().await?;
    Ok(Result {
        events_per_second: as_f64(events) / seconds,
        latencies_ms: Some(Latencies {
            p50: percentile(&latencies, 500),
            p99: percentile(&latencies, 990),
            p999: percentile(&latencies, 999),
            max: percentile(&latencies, 1_000),
            answers: latencies.len(),
        }),
        generations,
        processor_us: (after[0] - before[0]) / as_f64(events) * 1e6,
        broker_us: (after[1] - before[1]) / as_f64(events) * 1e6,
    })
}

async fn publish(
    broker: &Broker,
    run: &str,
    every: u64,
    rate: u64,
    start: Instant,
    sent: &[AtomicU64],
) -> anyhow::Result<()> {
    let time = now_ms();
    let events: Vec<_> = (0..sent.len() as u64)
        .map(|index| events::event(run, index, every, time))
        .collect();
    let begun = monotonic_now();
    let mut tick = tokio::time::interval(TICK);
    let mut events = events.into_iter().zip(sent);
    let mut published = 0;
    loop {
        tick.tick().await;
        let due = u64::try_from(begun.elapsed().as_micros())? * rate / 1_000_000;
        while published <= due {
            let Some(((subject, payload), sent)) = events.next() else {
                return Ok(());
            };
            sent.store(nanoseconds(start), Ordering::Release);
            broker.client.publish(subject, payload).await?;
            published += 1;
        }
    }
}

struct Receiving {
    bare: bool,
    /// Other events are stored between those that are measured: an answer is told by its trigger's id.
    by_id: bool,
    first: u64,
    start: Instant,
    sent: Arc<Vec<AtomicU64>>,
}

impl Receiving {
    /// The sorted latencies of the answers after the warm-up, in milliseconds, and how many generations of
    /// rules gave them, if that was looked at.
    async fn run(self, mut live: Subscriber, answers: u64) -> anyhow::Result<(Vec<f64>, usize)> {
        let mut generations = HashSet::new();
        let warm = self.sent.len() as u64 / WARM_UP;
        let mut latencies = Vec::new();
        for _ in 0..answers {
            let message = live.next().await.context("the subscription ended")?;
            let now = nanoseconds(self.start);
            let index = if self.by_id {
                let action: serde_json::Value = serde_json::from_slice(&message.payload)?;
                generations.insert(action["data"]["generation"].to_string());
                index_in(&action).context("an answer to nothing")?
            } else {
                self.trigger(&message).context("an answer to nothing")? - self.first
            };
            let sent = self.sent.get(usize::try_from(index)?);
            let sent = sent.context("an answer to another run's event")?;
            if index >= warm {
                let latency = now - sent.load(Ordering::Acquire);
                latencies.push(Duration::from_nanos(latency).as_secs_f64() * 1e3);
            }
        }
        latencies.sort_by(f64::total_cmp);
        Ok((latencies, generations.len()))
    }

    /// The sequence of the event that it answers.
    fn trigger(&self, message: &Message) -> Option<u64> {
        if self.bare {
            return std::str::from_utf8(&message.payload)
                .ok()?
                .trim()
                .parse()
                .ok();
        }
        let header = message.headers.as_ref()?.get("Onscene-Trigger")?;
        header.as_str().parse().ok()
    }
}

/// The index in the trigger's id, `<run>-<index>`.
fn index_in(action: &serde_json::Value) -> Option<u64> {
    let id = action["data"]["trigger"]["id"].as_str()?;
    id.rsplit('-').next()?.parse().ok()
}

fn nanoseconds(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn percentile(sorted: &[f64], thousandths: usize) -> f64 {
    let at = (sorted.len() * thousandths / 1_000).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(f64::NAN)
}
