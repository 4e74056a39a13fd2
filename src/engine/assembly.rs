//! Puts an engine's workers together: takes partitions over, reads what was decided, and starts them.

use super::EngineError;
use super::allotments::Allotments;
use super::broker::Broker;
use super::grants::{self, Teller};
use super::watermark;
use super::worker::{Shared, Worker};
use crate::clock::{Clock, Millis, format_rfc3339};
use crate::decode::Decoder;
use crate::durable::{OwnerRecord, Recovery};
use crate::health::Health;
use crate::nats::Chain;
use crate::policy::{Held, Quarantine};
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
    spend(&parts.ledger, &taken, &parts.zone);
    let quarantine = Arc::new(Quarantine::default());
    hold(&quarantine, &taken, &parts);
    let mut tasks = Tasks::new();
    let (dues, watermark) = watermark::start(
        broker,
        parts.decoder.partitions,
        &parts.clock,
        stop,
        &mut tasks,
    );
    let allotments = Arc::new(Allotments::new(parts.owns.len()));
    let (grants, asks) = grants::channel();
    let teller = teller(broker, &parts, &taken, stop);
    let answering = grants::run(teller, asks, allotments.clone());
    tasks.spawn(async move {
        answering.await;
        Ok(())
    });
    let shared = Arc::new(Shared {
        known_dead: broker.refused_since(0).await?,
        broker: broker.clone(),
        first: parts.owns.first().copied().unwrap_or(0),
        allotments,
        grants,
        quarantine,
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
        .map(|taken| (taken.chain.partition(), 0))
        .collect();
    let readers = broker.read_events(&from).await?;
    for (taken, reader) in taken.into_iter().zip(readers) {
        let worker = Worker::new(shared.clone(), taken.chain, taken.recovery, reader);
        tasks.spawn(worker.run(stop.clone()));
    }
    Ok(tasks)
}

/// A partition that was taken over.
struct Taken<B: Broker> {
    chain: Chain<B::Log>,
    /// The sequence of the record of that.
    epoch: u64,
    recovery: Recovery,
}

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
            let (chain, epoch) = taken;
            let mut recovery = Recovery::default();
            let read = broker.read_log(partition, 0, epoch, |message| {
                let header = |name: &str| message.headers.get(name);
                let item = crate::durable::log::read(message.sequence, header, &message.payload)
                    .map_err(|source| EngineError::Log { partition, source })?;
                recovery.take(item);
                Ok(())
            });
            read.await?;
            Ok(Taken {
                chain,
                epoch,
                recovery,
            })
        }
    });
    futures_util::future::try_join_all(partitions).await
}

/// Who asks for grants, for all of these partitions.
fn teller<B: Broker>(
    broker: &B,
    parts: &Parts,
    taken: &[Taken<B>],
    stop: &CancellationToken,
) -> Teller<B> {
    Teller {
        broker: broker.clone(),
        ledger: parts.ledger.clone(),
        registry: parts.registry.clone(),
        metrics: parts.metrics.clone(),
        clock: parts.clock.clone(),
        partitions: parts.decoder.partitions,
        epochs: (taken.iter())
            .map(|taken| (taken.chain.partition(), taken.epoch))
            .collect(),
        stop: stop.clone(),
    }
}

/// Notes what budgets have spent, as the partitions' logs say.
fn spend<B: Broker>(ledger: &Ledger, taken: &[Taken<B>], zone: &TimeZone) {
    for Taken {
        chain, recovery, ..
    } in taken
    {
        for decision in recovery.decisions().filter(|d| !d.holdout) {
            if let Some(cost) = decision.cost {
                let draw = Draw {
                    rule: decision.rule.clone(),
                    account: decision.account.clone(),
                    day: crate::policy::local_day(decision.at, zone),
                    cost,
                };
                ledger.add(chain.partition(), &draw);
            }
        }
    }
}

/// Goes on not asking the rules that are in quarantine, as the partitions' logs say.
fn hold<B: Broker>(quarantine: &Quarantine, taken: &[Taken<B>], parts: &Parts) {
    let now = parts.clock.now();
    for record in taken.iter().flat_map(|taken| taken.recovery.quarantines()) {
        if now < record.until {
            let held = Held {
                until: record.until,
                times: record.times,
            };
            quarantine.restore(&record.rule, record.digest, held);
            let health = &parts.health;
            health.rule_quarantined(&record.rule, record.digest, record.until);
        }
    }
}
