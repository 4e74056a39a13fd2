//! Puts an engine's workers together: takes partitions over, reads what was decided, and starts them.

use super::EngineError;
use super::allotments::Allotments;
use super::broker::Broker;
use super::checkpoints::Checkpoints;
use super::experiments::Experiments;
use super::grants::{self, Teller};
use super::listeners::Listeners;
use super::watermark;
use super::worker::{Shared, Worker};
use crate::clock::{Clock, Millis, format_rfc3339};
use crate::decode::Decoder;
use crate::durable::{LogItem, OwnerRecord, Recovery};
use crate::health::Health;
use crate::nats::{Chain, ChainState, LogMessage, LogStore};
use crate::partition::Partition;
use crate::policy::{Held, Quarantine, Switches};
use crate::registry::RuleRegistry;
use crate::state::{Customers, JournalLimits, Ledger};
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
    /// A permit for each worker that may step at the same time.
    pub(super) turns: Arc<Semaphore>,
    pub(super) through_interval: Millis,
    pub(super) journal: JournalLimits,
    pub(super) zone: TimeZone,
    /// `None` if none are taken.
    pub(super) checkpoints: Option<Checkpoints>,
    /// Gets a permit from each worker that has committed everything after it was told to stop.
    pub(super) drained: Arc<Semaphore>,
    /// What people have switched off, now and whenever that changes.
    pub(super) switches: Arc<Listeners<Arc<Switches>>>,
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
    grants::forget_former(broker).await;
    parts.tell_owned(taken.len());
    spend(&parts.ledger, &taken, &parts.zone);
    hold(&quarantine, &taken, &parts);
    let mut tasks = Tasks::new();
    let (dues, watermark) = watermark::start(
        broker,
        parts.decoder.partitions,
        &parts.clock,
        stop,
        &mut tasks,
    );
    let from = (taken.iter()).map(|taken| (taken.chain.partition(), taken.from));
    let from: Vec<(u16, u64)> = from.collect();
    let earliest = from.iter().map(|(_, from)| *from).min().unwrap_or(0);
    let allotments = Arc::new(Allotments::new());
    for taken in &taken {
        let open = taken.partition.open_broadcasts().collect();
        allotments.begin_at(taken.chain.partition(), taken.from, open);
    }
    let (grants, asks) = grants::channel();
    let teller = teller(broker, &parts, &taken, stop);
    let answering = grants::run(teller, asks, allotments.clone());
    tasks.spawn(async move {
        answering.await;
        Ok(())
    });
    let shared = Arc::new(Shared {
        known_dead: broker.refused_since(earliest).await?,
        broker: broker.clone(),
        first: parts.owns.first().copied().unwrap_or(0),
        allotments,
        grants,
        experiments: Experiments::default(),
        dues,
        watermark,
        decoder: parts.decoder,
        registry: parts.registry,
        metrics: parts.metrics,
        customers: parts.customers,
        health: parts.health,
        clock: parts.clock,
        batch_events_max: parts.batch_events_max,
        turns: parts.turns,
        through_interval: std::time::Duration::from_millis(parts.through_interval.unsigned_abs()),
        checkpoints: parts.checkpoints,
        drained: parts.drained,
        switches: parts.switches,
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
    /// The sequence of the record of that.
    epoch: u64,
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
            let (chain, epoch) = taken.await?;
            let new = parts.new_partition(partition, quarantine);
            let restored = match &parts.checkpoints {
                Some(checkpoints) => {
                    let partitions = parts.decoder.partitions;
                    let restoring = checkpoints.restore(broker, &chain, partitions, new.clone());
                    restoring.await?
                }
                None => None,
            };
            let (through, log) = restored
                .as_ref()
                .map_or((0, 0), |(_, cut)| (cut.through, cut.log));
            let mut recovery = Recovery::from(through);
            let read = broker.read_log(partition, log + 1, epoch, |message| {
                recovery.take(item_of(partition, &message)?);
                Ok(())
            });
            read.await?;
            Ok(Taken {
                chain,
                epoch,
                recovery,
                partition: restored.map_or_else(new, |(partition, _)| partition),
                from: through + 1,
            })
        }
    });
    futures_util::future::try_join_all(partitions).await
}

/// Who asks for grants, for all of these partitions.
fn teller<B: Broker>(
    broker: &B,
    parts: &Parts,
    taken: &[Taken<B::Log>],
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

impl Parts {
    fn tell_owned(&self, partitions: usize) {
        let owned = i64::try_from(partitions).unwrap_or(i64::MAX);
        self.metrics.partitions_owned.set(owned);
    }

    /// Makes partitions that know nothing yet.
    fn new_partition(
        &self,
        number: u16,
        quarantine: &Arc<Quarantine>,
    ) -> impl Fn() -> Partition + Clone + Send + 'static {
        let (customers, journal, zone) = (self.customers.clone(), self.journal, self.zone.clone());
        let (ledger, quarantine) = (self.ledger.clone(), quarantine.clone());
        move || {
            Partition::new(customers.clone(), journal, zone.clone()).sharing(
                number,
                ledger.clone(),
                quarantine.clone(),
            )
        }
    }
}

fn item_of(partition: u16, message: &LogMessage) -> Result<LogItem, EngineError> {
    let header = |name: &str| message.headers.get(name);
    let item = crate::durable::log::read(message.sequence, header, &message.payload);
    item.map_err(|source| EngineError::Log { partition, source })
}

/// Notes what budgets have spent, as the partitions' checkpoints and their logs beyond them say.
fn spend<S: LogStore>(ledger: &Ledger, taken: &[Taken<S>], zone: &TimeZone) {
    for Taken {
        chain,
        recovery,
        partition,
        ..
    } in taken
    {
        ledger.add_all(chain.partition(), partition.spending());
        for draw in recovery.decisions().filter_map(|d| d.draw(zone)) {
            ledger.add(chain.partition(), &draw);
        }
    }
}

/// Goes on not asking the rules that are in quarantine, as checkpoints and logs say.
fn hold<S>(quarantine: &Quarantine, taken: &[Taken<S>], parts: &Parts) {
    for record in taken.iter().flat_map(|taken| taken.recovery.quarantines()) {
        let held = Held {
            until: record.until,
            times: record.times,
        };
        quarantine.restore(&record.rule, record.digest, held);
    }
    let now = parts.clock.now();
    for (rule, digest, held) in quarantine.held() {
        if now < held.until {
            parts.health.rule_quarantined(&rule, digest, held.until);
        }
    }
}
