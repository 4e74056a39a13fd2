//! One partition's worker: read, decode, step, commit, in stream order; and in between what is due, and
//! broadcasts ([`later`]).

mod arrivals;
mod checkpoint;
mod control;
mod counting;
mod intake;
mod later;
mod stepping;
mod write;

use super::EngineError;
use super::allotments::Allotments;
use super::broker::{Broker, Events as _};
use super::checkpoint_writer::{Pace, Written};
use super::checkpoints::Checkpoints;
use super::experiments::Experiments;
use super::grants::Grants;
use super::listeners::Listeners;
use super::watermark::{Dues, Watermark};
use crate::action::Decision;
use crate::clock::{Clock, monotonic_now};
use crate::decode::Decoder;
use crate::durable::{Recovery, ThroughRecord, log};
use crate::health::Health;
use crate::nats::{Chain, LogWrite, StoredEvent};
use crate::partition::{LogEntry, Partition, SweepKey};
use crate::policy::Switches;
use crate::registry::RuleRegistry;
use crate::state::Customers;
use crate::telemetry::Metrics;
use checkpoint::Saving;
use counting::Backlog;
use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use stepping::Chunk;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Interval;
use tokio_util::sync::CancellationToken;
use write::{RECORD_CHANNEL, write_of};

/// Events stepped before other tasks get a turn.
const STEP_EVENTS_MAX: usize = 64;
/// Events after which progress is written down although no decision was.
const THROUGH_EVENTS_MAX: u64 = 10_000;
/// How often a worker without events of its own looks whether it has caught up.
const CATCH_UP_POLL: Duration = Duration::from_millis(20);

/// What all workers share.
pub(super) struct Shared<B> {
    pub(super) broker: B,
    /// The first of the partitions that this engine owns; it speaks for what all share.
    pub(super) first: u16,
    pub(super) decoder: Decoder,
    /// Events that were in the dead letters when the engine started.
    pub(super) known_dead: HashSet<u64>,
    pub(super) registry: Arc<RuleRegistry>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) customers: Arc<Customers>,
    pub(super) health: Arc<Health>,
    pub(super) clock: Clock,
    pub(super) batch_events_max: usize,
    /// A permit for each worker that may step at the same time.
    pub(super) turns: Arc<Semaphore>,
    pub(super) through_interval: Duration,
    /// `None` if none are taken.
    pub(super) checkpoints: Option<Checkpoints>,
    /// Gets a permit from each worker that has committed everything after it was told to stop.
    pub(super) drained: Arc<Semaphore>,
    pub(super) allotments: Arc<Allotments>,
    pub(super) grants: Grants,
    pub(super) experiments: Experiments,
    pub(super) dues: Arc<Dues>,
    pub(super) watermark: Arc<Listeners<Watermark>>,
    pub(super) switches: Arc<Listeners<Arc<Switches>>>,
}

/// What a worker does next.
enum Next {
    Stop,
    /// Switches were changed.
    Switched,
    /// Events have come.
    Batch(Vec<StoredEvent>),
    /// Progress is to be written down.
    Through,
    /// It may have caught up.
    Look,
    /// Policy time goes on.
    Time,
    /// Other rules are live.
    Generation,
    /// Scarce budgets were shared out.
    Settled,
    /// A broadcast waits to be taken further.
    Sweep,
    /// It is time for a checkpoint.
    CheckpointDue,
    /// It is this partition's turn to take one.
    Turn(OwnedSemaphorePermit),
    /// A checkpoint has been written, or could not be.
    Saved(io::Result<Written>),
}

/// What comes again and again.
struct Ticks {
    through: Interval,
    look: Interval,
    checkpoint: Option<Interval>,
}

impl Ticks {
    fn new<B>(shared: &Shared<B>, partition: u16) -> Self {
        let checkpoint = shared.checkpoints.as_ref().map(|checkpoints| {
            let first = checkpoints.first_due(partition, shared.decoder.partitions);
            checkpoints.ticks(first)
        });
        Self {
            through: tokio::time::interval(shared.through_interval),
            look: tokio::time::interval(CATCH_UP_POLL),
            checkpoint,
        }
    }
}

/// Ends when the interval does; never if there is none. Cancel safe.
async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// The owner of one partition.
pub(super) struct Worker<B: Broker> {
    shared: Arc<Shared<B>>,
    chain: Chain<B::Log>,
    reader: B::Events,
    /// How often the reader was started anew, as far as it was counted.
    reopened: u64,
    recovery: Recovery,
    caught_up: bool,
    backlog: Backlog,
    partition: Partition,
    /// Everything up to here is done: decided and committed.
    done: u64,
    /// What the log says is done.
    written: u64,
    /// The generation that decided last.
    generation: Arc<str>,
    watermark: watch::Receiver<Watermark>,
    /// Changes when other rules go live.
    generations: watch::Receiver<u64>,
    /// What people have switched off.
    switches: watch::Receiver<Arc<Switches>>,
    /// Changes when scarce budgets were shared out.
    settled: watch::Receiver<u64>,
    /// The broadcast or daily trigger whose demands were handed in.
    asking: Option<SweepKey>,
    stop: CancellationToken,
    /// Its turn to step, until it has to wait for somebody.
    turn: Option<OwnedSemaphorePermit>,
    /// A checkpoint is due.
    wants_checkpoint: bool,
    /// A checkpoint on its way.
    saving: Option<Saving>,
    /// Where the last one was taken: what was read, and what was written.
    saved: Option<(u64, u64)>,
}

impl<B: Broker> Worker<B> {
    pub(super) fn new(
        shared: Arc<Shared<B>>,
        chain: Chain<B::Log>,
        recovery: Recovery,
        partition: Partition,
        reader: B::Events,
    ) -> Self {
        for broadcast in recovery.swept() {
            shared.allotments.excuse(*broadcast, chain.partition());
        }
        shared
            .health
            .watch_chain(chain.partition(), chain.watch_state());
        Self {
            generation: shared.registry.live().generation().clone(),
            done: recovery.through(),
            written: recovery.through(),
            watermark: shared.watermark.listen(),
            generations: shared.registry.generations(),
            switches: shared.switches.listen(),
            settled: shared.allotments.watch(),
            asking: None,
            stop: CancellationToken::new(),
            turn: None,
            wants_checkpoint: false,
            saving: None,
            saved: None,
            shared,
            chain,
            reader,
            reopened: 0,
            recovery,
            caught_up: false,
            backlog: Backlog::default(),
            partition,
        }
    }

    /// Works until told to stop, or until it cannot go on.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Result<(), EngineError> {
        self.stop = stop.clone();
        self.hand_over().await;
        let mut ticks = Ticks::new(&self.shared, self.chain.partition());
        loop {
            match self.next(&stop, &mut ticks).await? {
                Next::Stop => break,
                Next::Switched => self.obey().await?,
                Next::Batch(batch) => {
                    if !self.batch(&batch).await? {
                        return self.leave_midway().await;
                    }
                    self.progress();
                    self.take_grant();
                    if self.caught_up && self.partition.is_sweeping() {
                        self.sweep().await?;
                    }
                    if self.done - self.written >= THROUGH_EVENTS_MAX {
                        self.write_through().await?;
                    }
                }
                Next::Through => self.write_through().await?,
                Next::Look => self.progress(),
                Next::Time => self.advance().await?,
                Next::Generation => self.look_ahead(),
                Next::Settled => self.take_grant(),
                Next::Sweep => self.sweep().await?,
                Next::CheckpointDue => self.wants_checkpoint = true,
                Next::Turn(turn) => {
                    // A checkpoint must not know more to be done than the log: whoever goes on from the log alone
                    // decides the rest, and this one would take it for done.
                    self.pass_others();
                    self.write_through().await?;
                    self.begin_checkpoint(turn, Pace::Easy);
                }
                Next::Saved(written) => self.end_checkpoint(written),
            }
        }
        if self.caught_up {
            self.pass_others();
        }
        self.write_through().await?;
        self.shared.drained.add_permits(1);
        self.checkpoint_at_stop().await
    }

    /// Waits for whatever is to be done next; what is first here goes first.
    async fn next(
        &mut self,
        stop: &CancellationToken,
        ticks: &mut Ticks,
    ) -> Result<Next, EngineError> {
        let is_sweeping = self.caught_up && self.partition.is_sweeping();
        let may_begin = self.wants_checkpoint && self.caught_up && self.saving.is_none();
        let turn = self.shared.checkpoints.as_ref().map(|c| c.turn.clone());
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => Next::Stop,
            written = checkpoint::written(&mut self.saving) => Next::Saved(written?),
            () = control::changed(&mut self.switches), if self.caught_up => Next::Switched,
            batch = self.reader.next_batch(self.shared.batch_events_max) => Next::Batch(batch?),
            _ = ticks.through.tick() => Next::Through,
            _ = ticks.look.tick(), if !self.caught_up => Next::Look,
            Ok(()) = self.watermark.changed(), if self.caught_up => Next::Time,
            Ok(()) = self.generations.changed(), if self.caught_up => Next::Generation,
            Ok(()) = self.settled.changed(), if self.asking.is_some() => Next::Settled,
            () = tokio::task::yield_now(), if is_sweeping => Next::Sweep,
            () = tick(&mut ticks.checkpoint) => Next::CheckpointDue,
            turn = checkpoint::turn(turn), if may_begin => Next::Turn(turn),
        };
        Ok(next)
    }

    fn progress(&mut self) {
        let pending = self.reader.pending();
        let reopened = self.reader.reopened();
        let metrics = &self.shared.metrics;
        if self.chain.partition() == self.shared.first {
            // All partitions share one consumer.
            metrics
                .pending
                .set(i64::try_from(pending).unwrap_or(i64::MAX));
            metrics.readers_reopened.inc_by(reopened - self.reopened);
        }
        self.reopened = reopened;
        self.shared.health.progress(self.chain.partition(), pending);
        if pending == 0 && !self.caught_up {
            self.caught_up = true;
            // The events that the rest of the log answers are no longer kept.
            self.recovery.finish(&mut self.partition);
            metrics.partitions_ready.inc();
            self.look_ahead();
            std::mem::take(&mut self.backlog).tell(self.chain.partition());
        }
    }

    /// Takes a batch the whole way: afterwards everything it led to is stored. Returns whether it came to
    /// the end: not if it was told to stop while it waited for a grant.
    async fn batch(&mut self, batch: &[StoredEvent]) -> Result<bool, EngineError> {
        let mut rules = self.adopt().await?;
        let mut entries = Vec::new();
        for events in batch.chunks(STEP_EVENTS_MAX) {
            self.take_turn().await;
            let (inputs, refused) = self.decode(events, &rules);
            self.hand_over().await;
            let new = &inputs[self.fold(&inputs)..];
            if !new.is_empty() && self.is_to_obey() {
                self.commit(&std::mem::take(&mut entries)).await?;
                self.obey().await?;
            }
            self.backlog.folded += inputs.len() - new.len();
            self.backlog.decided += new.len();
            if let Some(first) = new.first()
                && first.already == 0
                && self.partition.is_due(first.stored_at)
            {
                self.commit(&std::mem::take(&mut entries)).await?;
                if !self.fire_before(first.stored_at).await? {
                    return Ok(false);
                }
            }
            let mut chunk = Chunk {
                events,
                refused,
                entries: std::mem::take(&mut entries),
            };
            if !self.step(new, &mut chunk, &mut rules).await? {
                return Ok(false);
            }
            entries = chunk.entries;
            self.count_events(&inputs, &rules);
            if events.len() == STEP_EVENTS_MAX {
                tokio::task::yield_now().await;
            }
        }
        self.turn = None;
        self.commit(&entries).await?;
        self.look_ahead();
        if let Some(last) = batch.last() {
            // What was decided before this start is read again, and done all the same.
            self.done = self.done.max(last.sequence);
        }
        self.shared
            .metrics
            .customers
            .set(i64::try_from(self.shared.customers.len()).unwrap_or(i64::MAX));
        Ok(true)
    }

    async fn commit(&mut self, entries: &[LogEntry]) -> Result<(), EngineError> {
        let Some(last) = entries.last() else {
            return Ok(());
        };
        let writes = entries.iter().map(write_of).collect();
        self.turn = None;
        let started = monotonic_now();
        self.chain.commit(writes).await?;
        let metrics = &self.shared.metrics;
        metrics
            .commit_seconds
            .observe(started.elapsed().as_secs_f64());
        let now = self.shared.clock.now();
        let decisions: Vec<&Decision> = entries.iter().filter_map(LogEntry::decision).collect();
        for same in decisions.chunk_by(|a, b| a.subject_channel() == b.subject_channel()) {
            let channel = same
                .first()
                .map_or("", |decision| decision.subject_channel());
            let committed = metrics.committed.with_label_values(&[channel]);
            committed.inc_by(same.len() as u64);
        }
        // Counted here first: all workers share the histogram.
        let waited = metrics.event_to_action_seconds.local();
        for decision in decisions {
            let millis = u32::try_from((now - decision.policy_time).max(0)).unwrap_or(u32::MAX);
            waited.observe(f64::from(millis) / 1e3);
        }
        waited.flush();
        let after = last.place().after;
        self.done = self.done.max(after);
        self.written = self.written.max(after);
        Ok(())
    }

    /// Writes down how far events are done, if that is news.
    async fn write_through(&mut self) -> Result<(), EngineError> {
        if self.done <= self.written {
            return Ok(());
        }
        let record = ThroughRecord {
            through: self.done,
            generation: self.generation.to_string(),
        };
        self.turn = None;
        let payload = serde_json::to_vec(&record).expect("invariant: text and numbers serialise");
        self.chain
            .commit(vec![LogWrite {
                channel: RECORD_CHANNEL.to_owned(),
                id: format!("through/{}", self.done),
                kind: log::KIND_THROUGH,
                headers: Vec::new(),
                payload: payload.into(),
            }])
            .await?;
        self.written = self.done;
        Ok(())
    }
}
