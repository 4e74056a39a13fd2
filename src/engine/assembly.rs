//! Puts an engine's workers together: takes partitions over, reads what was decided, and starts them.

use super::EngineError;
use super::allotments::Allotments;
use super::broker::Broker;
use super::checkpoints::Checkpoints;
use super::watermark;
use super::worker::{Shared, Worker};
use crate::clock::{Clock, Millis, format_rfc3339};
use crate::decode::Decoder;
use crate::durable::{LogItem, OwnerRecord, Recovery};
use crate::health::Health;
use crate::nats::{Chain, ChainState, LogMessage};
use crate::partition::{Logged, LoggedDecision, Partition};
use crate::policy::Quarantine;
use crate::registry::RuleRegistry;
use crate::state::{Customers, Draw, JournalLimits, Ledger};
use crate::telemetry::Metrics;
use jiff::tz::TimeZone;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
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
    /// `None` if none are taken.
    pub(super) checkpoints: Option<Checkpoints>,
    /// Gets a permit from each worker that has committed everything after it was told to stop.
    pub(super) drained: Arc<Semaphore>,
}

/// Its tasks; when they are dropped, it is as if it had crashed.
pub(super) type Tasks = JoinSet<Result<(), EngineError>>;

/// Takes the partitions over and starts a worker for each.
pub(super) async fn assemble<B: Broker>(
    broker: &B,
    parts: Parts,
    stop: &CancellationToken,
) -> Result<Tasks, EngineError> {
    let quarantine = Arc::new(Quarantine::default());
    let taken = take_over(broker, &parts, &quarantine).await?;
    let owned = i64::try_from(taken.len()).unwrap_or(i64::MAX);
    parts.metrics.partitions_owned.set(owned);
    spend(
        &parts.ledger,
        taken.iter().map(|taken| &taken.recovery),
        &parts.zone,
    );
    let mut tasks = Tasks::new();
    let (dues, watermark) = watermark::start(
        broker,
        parts.decoder.partitions,
        &parts.clock,
        stop,
        &mut tasks,
    );
    let from: Vec<(u16, u64)> = taken
        .iter()
        .map(|taken| (taken.chain.partition(), taken.from))
        .collect();
    let earliest = from.iter().map(|(_, from)| *from).min().unwrap_or(0);
    let allotments = Allotments::new(parts.ledger.clone());
    for taken in &taken {
        let open = taken.partition.open_broadcasts().collect();
        allotments.begin_at(taken.chain.partition(), taken.from, open);
    }
    let shared = Arc::new(Shared {
        known_dead: broker.refused_since(earliest).await?,
        broker: broker.clone(),
        first: parts.owns.first().copied().unwrap_or(0),
        allotments: Arc::new(allotments),
        dues,
        watermark,
        decoder: parts.decoder,
        registry: parts.registry,
        metrics: parts.metrics,
        customers: parts.customers,
        health: parts.health,
        clock: parts.clock,
        batch_events_max: parts.batch_events_max,
        through_interval: std::time::Duration::from_millis(parts.through_interval.unsigned_abs()),
        checkpoints: parts.checkpoints,
        drained: parts.drained,
    });
    let readers = broker.read_events(&from).await?;
    for (taken, reader) in taken.into_iter().zip(readers) {
        let Taken {
            chain,
            recovery,
            partition,
            ..
        } = taken;
        let worker = Worker::new(shared.clone(), chain, recovery, partition, reader);
        tasks.spawn(worker.run(stop.clone()));
    }
    Ok(tasks)
}

/// A partition that was taken over, and what is known of it before the first event is read.
struct Taken<S> {
    chain: Chain<S>,
    /// What its log says beyond the checkpoint.
    recovery: Recovery,
    /// Its state as of the checkpoint.
    partition: Partition,
    /// The first event that is not in it.
    from: u64,
}

/// Takes the partitions over, loads their checkpoints and reads their logs, side by side.
async fn take_over<B: Broker>(
    broker: &B,
    parts: &Parts,
    quarantine: &Arc<Quarantine>,
) -> Result<Vec<Taken<B::Log>>, EngineError> {
    let record = serde_json::to_vec(&OwnerRecord {
        owner: parts.owner.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: format_rfc3339(parts.clock.now()),
    })
    .expect("invariant: text fields serialise");
    let partitions = parts.owns.iter().map(|partition| {
        let (partition, record) = (*partition, record.clone());
        async move {
            let state = watch::Sender::new(ChainState::Flowing);
            parts.health.watch_chain(partition, state.subscribe());
            let (log, owner) = (broker.log(), &parts.owner);
            let taken = Chain::take_over_telling(log, partition, owner, record, state);
            let (chain, tail) = taken.await?;
            let new = parts.new_partition(quarantine);
            let restored = match &parts.checkpoints {
                Some(checkpoints) => {
                    let partitions = parts.decoder.partitions;
                    let restoring = checkpoints.restore(broker, partition, partitions, new.clone());
                    restoring.await?
                }
                None => None,
            };
            let (through, log) = restored
                .as_ref()
                .map_or((0, 0), |(_, cut)| (cut.through, cut.log));
            if log > 0 {
                spend_before(broker, parts, partition, log).await?;
            }
            let mut recovery = Recovery::from(through);
            let read = broker.read_log(partition, log + 1, tail, |message| {
                recovery.take(item_of(partition, &message)?);
                Ok(())
            });
            read.await?;
            Ok(Taken {
                chain,
                recovery,
                partition: restored.map_or_else(new, |(partition, _)| partition),
                from: through + 1,
            })
        }
    });
    futures_util::future::try_join_all(partitions).await
}

impl Parts {
    /// Makes partitions that know nothing yet.
    fn new_partition(
        &self,
        quarantine: &Arc<Quarantine>,
    ) -> impl Fn() -> Partition + Clone + Send + 'static {
        let (customers, journal, zone) = (self.customers.clone(), self.journal, self.zone.clone());
        let (ledger, quarantine) = (self.ledger.clone(), quarantine.clone());
        move || {
            Partition::new(customers.clone(), journal, zone.clone())
                .sharing(ledger.clone(), quarantine.clone())
        }
    }
}

fn item_of(partition: u16, message: &LogMessage) -> Result<LogItem, EngineError> {
    let header = |name: &str| message.headers.get(name);
    let item = crate::durable::log::read(message.sequence, header, &message.payload);
    item.map_err(|source| EngineError::Log { partition, source })
}

/// Notes what a partition spent before its checkpoint was taken: a checkpoint holds customers, not budgets.
async fn spend_before<B: Broker>(
    broker: &B,
    parts: &Parts,
    partition: u16,
    log: u64,
) -> Result<(), EngineError> {
    let read = broker.read_log(partition, 1, log, |message| {
        let item = item_of(partition, &message)?;
        if let LogItem::Entry {
            logged: Logged::Decision(decision),
            ..
        } = item
        {
            pay(&parts.ledger, &decision, &parts.zone);
        }
        Ok(())
    });
    read.await
}

/// Notes what budgets have spent, as the partitions' logs say.
fn spend<'a>(ledger: &Ledger, logs: impl Iterator<Item = &'a Recovery>, zone: &TimeZone) {
    for decision in logs.flat_map(Recovery::decisions) {
        pay(ledger, decision, zone);
    }
}

fn pay(ledger: &Ledger, decision: &LoggedDecision, zone: &TimeZone) {
    if let (Some(cost), false) = (decision.cost, decision.holdout) {
        ledger.add(&Draw {
            rule: decision.rule.clone(),
            account: decision.account.clone(),
            day: crate::policy::local_day(decision.at, zone),
            cost,
        });
    }
}
