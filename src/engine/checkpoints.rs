//! Checkpoints of this engine: the newest sound one that fits the streams at a start, and when the next are due.

use super::EngineError;
use super::broker::Broker;
use crate::clock::{Millis, monotonic_now};
use crate::durable::{Checkpoint, CheckpointError, CheckpointStore, Cut, UnusableError, load};
use crate::nats::{Chain, ChainError, EventsState, LogStore as _};
use crate::partition::Partition;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Interval, MissedTickBehavior};

/// How often the broker is asked for its streams' state, while it does not answer.
const ASK_INTERVAL: Duration = Duration::from_millis(100);
/// What a later owner is called of whom only a checkpoint is known.
const LATER_OWNER: &str = "a later owner, whose checkpoint is in the same data folder";
/// Checkpoints that are read into memory at the same time.
const LOADS_MAX: usize = 2;

/// Where checkpoints are kept, and how often they are taken.
#[derive(Clone, Debug)]
pub(super) struct Checkpoints {
    pub(super) store: Arc<dyn CheckpointStore>,
    /// How often each partition takes one.
    pub(super) interval: Millis,
    /// How many of each partition are kept.
    pub(super) keep: usize,
    /// One partition after another, so that they never all are busy with it.
    pub(super) turn: Arc<Semaphore>,
    loads: Arc<Semaphore>,
}

impl Checkpoints {
    pub(super) fn new(store: Arc<dyn CheckpointStore>, interval: Millis, keep: usize) -> Self {
        Self {
            store,
            interval,
            keep,
            turn: Arc::new(Semaphore::new(1)),
            loads: Arc::new(Semaphore::new(LOADS_MAX)),
        }
    }

    /// When a partition's first one is due after a start: they are spread over the interval.
    pub(super) fn first_due(&self, partition: u16, partitions: u16) -> Duration {
        let share = self.interval.saturating_mul(i64::from(partition) + 1);
        let first = share / i64::from(partitions.max(1));
        Duration::from_millis(first.unsigned_abs().max(1))
    }

    /// Ticks whenever one is due; what is late is not made up for.
    pub(super) fn ticks(&self, first: Duration) -> Interval {
        let interval = Duration::from_millis(self.interval.unsigned_abs().max(1));
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset_after(first);
        ticks
    }

    /// Does something that reads or writes the store, on a thread that may wait.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn CheckpointStore) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        if !self.store.waits() {
            return Ok(work(&*self.store));
        }
        let store = self.store.clone();
        Ok(tokio::task::spawn_blocking(move || work(&*store)).await?)
    }

    /// Removes all but the newest ones of a partition.
    pub(super) fn prune(
        store: &dyn CheckpointStore,
        partition: u16,
        keep: usize,
    ) -> io::Result<()> {
        for number in store.numbers(partition)?.into_iter().skip(keep.max(1)) {
            store.remove(partition, number)?;
        }
        Ok(())
    }

    /// Puts a partition together from its newest sound checkpoint that fits the streams, and tells where that
    /// was taken; `None` if there is none, so that all must be read from the streams.
    pub(super) async fn restore<B: Broker>(
        &self,
        broker: &B,
        chain: &Chain<B::Log>,
        partitions: u16,
        new: impl Fn() -> Partition + Clone + Send + 'static,
    ) -> Result<Option<(Partition, Cut)>, EngineError> {
        let partition = chain.partition();
        let numbers = self.run(move |store| store.numbers(partition)).await?;
        let numbers = numbers.map_err(|source| EngineError::Checkpoints { partition, source })?;
        let had_any = !numbers.is_empty();
        for number in numbers {
            // Held while its bytes are in memory.
            let _load = self.loads.acquire().await;
            let started = monotonic_now();
            let Some(checkpoint) = self.load(partition, number).await? else {
                continue;
            };
            let cut = checkpoint.cut().clone();
            let events = ask(|| broker.events_state()).await;
            if let Some(misfit) = misfit(broker, events, &cut, partition, partitions).await {
                self.set_aside(partition, number, &misfit).await?;
                continue;
            }
            if cut.log > chain.tail() {
                // Whoever owns the partition by now has taken it on a disk that both use. What it knows must not be
                // mixed with what this engine believes the log to be.
                let by = LATER_OWNER.to_owned();
                return Err(ChainError::Fenced { partition, by }.into());
            }
            let new = new.clone();
            match self.run(move |_| decode(&checkpoint, new())).await? {
                Ok(restored) => {
                    let milliseconds = started.elapsed().as_secs_f64() * 1e3;
                    let through = cut.through;
                    tracing::info!(
                        partition,
                        number,
                        through,
                        milliseconds,
                        "checkpoint loaded"
                    );
                    tell_gap(&cut, events);
                    return Ok(Some((restored, cut)));
                }
                Err(error) => {
                    self.set_aside(partition, number, &error.to_string())
                        .await?;
                }
            }
        }
        if had_any {
            tracing::warn!(
                partition,
                "no checkpoint can be used: what is known is put together from the streams alone, as far back as they are kept"
            );
        }
        Ok(None)
    }

    /// Reads and checks one; `None` if it cannot be used.
    async fn load(&self, partition: u16, number: u64) -> Result<Option<Checkpoint>, EngineError> {
        let loaded = self
            .run(move |store| load(store, partition, number))
            .await?;
        match loaded {
            Ok(checkpoint) => Ok(Some(checkpoint)),
            // Another engine on the same folder has a newer one by now.
            Err(UnusableError::Read(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // Whoever may not read it, or has no file handle left, would lose it for nothing.
            Err(UnusableError::Read(source)) => Err(EngineError::Checkpoints { partition, source }),
            Err(UnusableError::Damaged(error @ CheckpointError::Later { .. })) => {
                tracing::warn!(partition, number, %error, "a checkpoint of a later version is passed over");
                Ok(None)
            }
            Err(UnusableError::Damaged(error)) => {
                self.set_aside(partition, number, &error.to_string())
                    .await?;
                Ok(None)
            }
        }
    }

    async fn set_aside(
        &self,
        partition: u16,
        number: u64,
        reason: &str,
    ) -> Result<(), EngineError> {
        let moved = self
            .run(move |store| store.set_aside(partition, number))
            .await?;
        let aside = moved.map_err(|source| EngineError::Checkpoints { partition, source })?;
        tracing::error!(
            partition,
            number,
            reason,
            aside,
            "a checkpoint cannot be used and was set aside; the one before it is tried, then the streams"
        );
        Ok(())
    }
}

fn decode(checkpoint: &Checkpoint, mut partition: Partition) -> Result<Partition, CheckpointError> {
    match checkpoint.restore(&mut partition) {
        Ok(()) => Ok(partition),
        Err(error) => {
            partition.forget_members();
            Err(error)
        }
    }
}

/// Says so when events that the checkpoint does not know are no longer kept.
fn tell_gap(cut: &Cut, events: EventsState) {
    if events.first_sequence > cut.through + 1 {
        tracing::error!(
            partition = cut.partition,
            from = cut.through + 1,
            to = events.first_sequence - 1,
            "events since the checkpoint are no longer kept, so state lacks them: keep events longer (events.max_age_days) than the engine may be away"
        );
    }
}

/// Why a sound checkpoint is not one of these streams, if it is not.
async fn misfit<B: Broker>(
    broker: &B,
    events: EventsState,
    cut: &Cut,
    partition: u16,
    partitions: u16,
) -> Option<String> {
    if (cut.partition, cut.partitions) != (partition, partitions) {
        return Some(format!(
            "it is of partition {} of {}, and this is {partition} of {partitions}",
            cut.partition, cut.partitions
        ));
    }
    if cut.through > events.last_sequence {
        return Some(format!(
            "it knows events up to {}, and SCENE_EVENTS ends at {}: the stream was made anew, or lost data",
            cut.through, events.last_sequence
        ));
    }
    let found = ask(|| async { broker.log().read(partition, Some(cut.log)).await.ok() }).await;
    let is_other = match &found {
        // It is no longer kept, or was never there: the log must at least reach beyond it.
        None => cut.log > 0,
        Some(message) if message.sequence == cut.log => {
            let id = message.headers.get(crate::nats::log_write::HEADER_ID);
            !cut.log_id.is_empty() && id.is_some_and(|id| id != cut.log_id)
        }
        Some(_) => false,
    };
    is_other.then(|| {
        format!(
            "it knows the log up to message {} ({}), which SCENE_ACTIONS does not have: the stream was made anew, or lost data",
            cut.log, cut.log_id
        )
    })
}

/// Asks until there is an answer.
async fn ask<T, F: Future<Output = Option<T>>>(mut question: impl FnMut() -> F) -> T {
    loop {
        if let Some(answer) = question().await {
            return answer;
        }
        tokio::time::sleep(ASK_INTERVAL).await;
    }
}
