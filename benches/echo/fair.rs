//! The fair echo: the engine's reader, batches, bytes, headers and chained writes, and no thinking.

use crate::{events, roles};
use anyhow::Context as _;
use onscene::clock::now_ms;
use onscene::decode::Decoder;
use onscene::nats::{Chain, Connection, EventReader, LogWrite, StoredEvent};
use onscene::partitioning::PARTITIONS_DEFAULT;
use onscene::replay::Replay;
use onscene::rules::{RuleSet, Sources, render};
use onscene::state::JournalLimits;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinSet;

/// As the engine's `engine.batch_events_max`.
const BATCH_EVENTS_MAX: usize = 500;

/// Echoes until it is dropped.
pub(crate) async fn run(url: &str, first: u64, every: u64) -> anyhow::Result<()> {
    let reading = Connection::open(url, "echo read").await?;
    let writing = Connection::open(url, "echo commit").await?;
    let answer = Arc::new(answer()?);
    let owner = format!("{:x}-{:x}-0123456789abcdef", now_ms(), std::process::id());
    let mut chains = Vec::new();
    for partition in 0..PARTITIONS_DEFAULT {
        let record = b"{}".to_vec();
        chains.push(
            Chain::take_over(&writing, partition, &owner, record)
                .await?
                .0,
        );
    }
    let from: Vec<(u16, u64)> = (0..PARTITIONS_DEFAULT).map(|p| (p, first)).collect();
    let readers = EventReader::open_all(&reading, &from).await?;
    let mut workers = JoinSet::new();
    for (chain, reader) in chains.into_iter().zip(readers) {
        workers.spawn(work(chain, reader, answer.clone(), first, every));
    }
    roles::ready();
    workers
        .join_next()
        .await
        .context("there are no workers")??
}

async fn work(
    mut chain: Chain,
    mut reader: EventReader,
    template: Arc<LogWrite>,
    first: u64,
    every: u64,
) -> anyhow::Result<()> {
    loop {
        let batch = reader.next_batch(BATCH_EVENTS_MAX).await?;
        let answered = |event: &&StoredEvent| (event.sequence - first).is_multiple_of(every);
        let writes: Vec<LogWrite> = batch
            .iter()
            .filter(answered)
            .map(|event| answer_to(event, &template))
            .collect();
        if !writes.is_empty() {
            chain.commit(writes).await?;
        }
    }
}

fn answer_to(event: &StoredEvent, template: &LogWrite) -> LogWrite {
    let mut write = template.clone();
    write.id = format!("{:032x}", event.sequence);
    for (name, value) in &mut write.headers {
        if name == "Onscene-Trigger" {
            *value = event.sequence.to_string();
        }
    }
    write
}

/// What the engine itself writes for an event of the benchmark.
fn answer() -> anyhow::Result<LogWrite> {
    let sources = Sources::read(Path::new(roles::RULES))?;
    let rules = RuleSet::compile(&sources).map_err(|faults| anyhow::anyhow!(render(&faults)))?;
    let (limits, zone) = (JournalLimits::default(), jiff::tz::TimeZone::UTC);
    let mut replay = Replay::new(Decoder::default(), rules, limits, zone, false);
    let (_, event) = events::event("run", 1_000, 1, now_ms());
    let line = replay.line(1_000_000, &event);
    let decision = line.decisions.first().context("the rule answers nothing")?;
    Ok(LogWrite {
        channel: decision.subject_channel().to_owned(),
        id: decision.id.to_string(),
        kind: "action",
        headers: decision
            .headers()
            .into_iter()
            .map(|(name, value)| (Cow::Borrowed(name), value))
            .collect(),
        payload: decision.to_cloudevent().into(),
    })
}
