//! Puts an engine's workers together: takes partitions over, reads what was decided, and starts them.

use super::EngineError;
use super::allotments::Allotments;
use super::broker::Broker;
use super::watermark;
use super::worker::{Shared, Worker};
use crate::clock::{Clock, Millis, format_rfc3339};
use crate::decode::Decoder;
use crate::durable::{OwnerRecord, Recovery};
use crate::health::Health;
use crate::nats::Chain;
use crate::policy::Quarantine;
use crate::registry::RuleRegistry;
use crate::state::{Customers, Draw, JournalLimits, Ledger};
use crate::telemetry::Metrics;
use jiff::tz::TimeZone;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What an engine works with, beside its broker.
pub(super) struct Parts {
    /// The engine's id, new at each start.
    pub(super) owner: String,
    /// The partitions it is to own.
    pub(super) owns: Vec<u16>,
    pub(super) decoder: Decoder,
    pub(super) registry: Arc<RuleRegistry>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) customers: Arc<Customers>,
    pub(super) health: Arc<Health>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) clock: Clock,
    pub(super) batch_events_max: usize,
    pub(super) through_interval: Millis,
    pub(super) journal: JournalLimits,
    pub(super) zone: TimeZone,
}

/// Its tasks; when they are dropped, it is as if it had crashed.
pub(super) type Tasks = JoinSet<Result<(), EngineError>>;

/// Takes the partitions over and starts a worker for each.
pub(super) async fn assemble<B: Broker>(
    broker: &B,
    parts: Parts,
    stop: &CancellationToken,
) -> Result<Tasks, EngineError> {
    let taken = take_over(broker, &parts).await?;
    let owned = i64::try_from(taken.len()).unwrap_or(i64::MAX);
    parts.metrics.partitions_owned.set(owned);
    spend(&parts.ledger, taken.iter().map(|(_, log)| log), &parts.zone);
    let mut tasks = Tasks::new();
    let (dues, watermark) = watermark::start(
        broker,
        parts.decoder.partitions,
        &parts.clock,
        stop,
        &mut tasks,
    );
    let shared = Arc::new(Shared {
        known_dead: broker.refused_since(0).await?,
        broker: broker.clone(),
        first: parts.owns.first().copied().unwrap_or(0),
        allotments: Arc::new(Allotments::new(parts.ledger.clone(), parts.owns.len())),
        quarantine: Arc::new(Quarantine::default()),
        dues,
        watermark,
        decoder: parts.decoder,
        registry: parts.registry,
        metrics: parts.metrics,
        customers: parts.customers,
        health: parts.health,
        ledger: parts.ledger,
        clock: parts.clock,
        batch_events_max: parts.batch_events_max,
        through_interval: std::time::Duration::from_millis(parts.through_interval.unsigned_abs()),
        journal: parts.journal,
        zone: parts.zone,
    });
    // Until there are checkpoints, state is folded from the first event that is kept.
    let from: Vec<(u16, u64)> = taken
        .iter()
        .map(|(chain, _)| (chain.partition(), 0))
        .collect();
    let readers = broker.read_events(&from).await?;
    for ((chain, recovery), reader) in taken.into_iter().zip(readers) {
        let worker = Worker::new(shared.clone(), chain, recovery, reader);
        tasks.spawn(worker.run(stop.clone()));
    }
    Ok(tasks)
}

type Taken<B> = (Chain<<B as Broker>::Log>, Recovery);

/// Takes the partitions over and reads their logs, side by side.
async fn take_over<B: Broker>(broker: &B, parts: &Parts) -> Result<Vec<Taken<B>>, EngineError> {
    let record = serde_json::to_vec(&OwnerRecord {
        owner: parts.owner.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: format_rfc3339(parts.clock.now()),
    })
    .expect("invariant: text fields serialise");
    let partitions = parts.owns.iter().map(|partition| {
        let (partition, record) = (*partition, record.clone());
        async move {
            let taken = Chain::take_over(broker.log(), partition, &parts.owner, record).await?;
            let (chain, tail) = taken;
            let mut recovery = Recovery::default();
            let read = broker.read_log(partition, 0, tail, |message| {
                let header = |name: &str| message.headers.get(name);
                let item = crate::durable::log::read(message.sequence, header, &message.payload)
                    .map_err(|source| EngineError::Log { partition, source })?;
                recovery.take(item);
                Ok(())
            });
            read.await?;
            Ok((chain, recovery))
        }
    });
    futures_util::future::try_join_all(partitions).await
}

/// Notes what budgets have spent, as the partitions' logs say.
fn spend<'a>(ledger: &Ledger, logs: impl Iterator<Item = &'a Recovery>, zone: &TimeZone) {
    for decision in logs.flat_map(Recovery::decisions).filter(|d| !d.holdout) {
        if let Some(cost) = decision.cost {
            ledger.add(&Draw {
                rule: decision.rule.clone(),
                account: decision.account.clone(),
                day: crate::policy::local_day(decision.at, zone),
                cost,
            });
        }
    }
}
