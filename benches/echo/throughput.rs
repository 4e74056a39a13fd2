//! How fast a backlog is answered.
//!
//! The backlog is there before the contender starts. Time runs from the first answer stored to the last, by
//! the server's own timestamps, so that starting up counts for nobody.

use crate::broker::Broker;
use crate::contender::{Contender, processor_seconds};
use crate::report::Result;
use async_nats::jetstream::stream::Stream;
use std::time::Duration;

/// After this the measurement is given up.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Measures one contender once.
pub(crate) async fn run(
    broker: &Broker,
    contender: &Contender,
    events: u64,
    every: u64,
) -> anyhow::Result<Result> {
    let first = broker.empty().await?;
    broker.publish(&first.to_string(), events, every).await?;
    let (stream, filter) = contender.answers();
    let broker_before = processor_seconds(broker.pid());
    let process = contender.start(broker, first, every)?;
    let answers = events.div_ceil(every);
    let stored = broker.answered(stream, filter, answers, TIMEOUT).await?;
    let processor = processor_seconds(process.pid());
    let broker_processor = processor_seconds(broker.pid()) - broker_before;
    process.stop().await?;
    let seconds = between_first_and_last(&stored, filter).await?;
    // From the first answer to the last, so many events were gone through.
    let between = as_f64(events) * as_f64(answers - 1) / as_f64(answers);
    Ok(Result {
        events_per_second: between / seconds,
        latencies_ms: None,
        generations: 0,
        processor_us: processor / as_f64(events) * 1e6,
        broker_us: broker_processor / as_f64(events) * 1e6,
    })
}

async fn between_first_and_last(stream: &Stream, filter: &str) -> anyhow::Result<f64> {
    let first = stream.get_first_raw_message_by_subject(filter, 1).await?;
    let last = stream.get_last_raw_message_by_subject(filter).await?;
    Ok((last.time - first.time).as_seconds_f64())
}

pub(crate) fn as_f64(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
}
