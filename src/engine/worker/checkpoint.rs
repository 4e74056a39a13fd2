//! A worker takes a checkpoint of its partition while it works: a slice of customers between events, written by a
//! task of its own.

use super::super::broker::{Broker, Events as _};
use super::super::checkpoint_writer::{Part, Written, start};
use super::super::checkpoints::Checkpoints;
use super::{EngineError, Worker};
use crate::clock::{runtime_now, thread_cpu};
use crate::durable::Cut;
use crate::durable::checkpoint::BLOCK_BYTES;
use crate::telemetry::Pauses;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long customers are written before events get their turn.
const SLICE_MAX: Duration = Duration::from_micros(500);
/// How long nothing is written then, unless events come meanwhile: a thread that never rests is the one that
/// the system interrupts, and in the middle of a slice that is a pause.
const REST: Duration = Duration::from_millis(1);
/// Customers written between two looks at the clock.
const CUSTOMERS_MAX: usize = 64;
/// A step may hand over the last customers and the end.
const ROOM_PARTS_MIN: usize = 2;

/// A checkpoint on its way.
pub(super) struct Saving {
    /// `None` when all was handed over.
    parts: Option<mpsc::Sender<Part>>,
    writing: JoinHandle<io::Result<Written>>,
    through: u64,
    log: u64,
    started: Instant,
    rests_until: Instant,
    pauses: Pauses,
    _turn: OwnedSemaphorePermit,
}

/// Something that events wait for, from its beginning: by the runtime's clock, so that a simulation has the same slices
/// however busy the machine is, and by what its thread had run.
struct Pause(Instant, Duration);

impl Pause {
    fn begin() -> Self {
        Self(runtime_now(), thread_cpu())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn end(&self) -> Pauses {
        Pauses {
            longest: self.elapsed(),
            longest_work: thread_cpu().saturating_sub(self.1),
        }
    }
}

/// Waits until it is a partition's turn to take a checkpoint. Cancel safe.
pub(super) async fn turn(turns: Option<Arc<Semaphore>>) -> OwnedSemaphorePermit {
    match turns {
        Some(turns) => match turns.acquire_owned().await {
            Ok(turn) => turn,
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// The same as [`ready`], but between two slices at least for the rest after the first. Cancel safe.
pub(super) async fn rested(saving: &mut Option<Saving>) {
    if let Some(saving) = saving {
        tokio::time::sleep_until(saving.rests_until).await;
    }
    ready(saving).await;
}

/// Waits until there is something to be done for a checkpoint. Cancel safe.
pub(super) async fn ready(saving: &mut Option<Saving>) {
    let Some(saving) = saving else {
        return std::future::pending().await;
    };
    match &saving.parts {
        // If the writer has failed, it takes no more, and that is to be seen to.
        Some(parts) => drop(parts.reserve_many(ROOM_PARTS_MIN).await),
        None => {
            while !saving.writing.is_finished() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
}

impl<B: Broker> Worker<B> {
    /// What came before the next event to be handed out is done, also where none of it was of this partition.
    pub(super) fn pass_others(&mut self) {
        let passed = self.reader.next_sequence().saturating_sub(1);
        self.done = self.done.max(passed);
    }

    /// Begins a checkpoint as of now: everything that was decided is stored, and nothing is half done.
    pub(super) fn begin_checkpoint(&mut self, turn: OwnedSemaphorePermit) {
        self.wants_checkpoint = false;
        let Some(checkpoints) = &self.shared.checkpoints else {
            return;
        };
        let pause = Pause::begin();
        let cut = Cut {
            partition: self.chain.partition(),
            partitions: self.shared.decoder.partitions,
            through: self.done,
            log: self.chain.tail(),
            log_id: self.chain.tail_id().to_owned(),
            taken_at: self.shared.clock.now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rest: self.partition.begin_cut(),
        };
        let (through, log) = (cut.through, cut.log);
        let (parts, writing) = start(checkpoints, cut);
        self.saving = Some(Saving {
            parts: Some(parts),
            writing,
            through,
            log,
            started: pause.0,
            rests_until: runtime_now(),
            pauses: pause.end(),
            _turn: turn,
        });
    }

    /// Takes the checkpoint a slice further, if there is one and its writer has room.
    pub(super) async fn save_some(&mut self) -> Result<(), EngineError> {
        let Some(saving) = &mut self.saving else {
            return Ok(());
        };
        let Some(parts) = &saving.parts else {
            if saving.writing.is_finished() {
                return self.end_checkpoint().await;
            }
            return Ok(());
        };
        if parts.is_closed() {
            return self.end_checkpoint().await;
        }
        if parts.capacity() < ROOM_PARTS_MIN {
            return Ok(());
        }
        let pause = Pause::begin();
        let mut is_last = self.partition.write_cut(CUSTOMERS_MAX);
        while !is_last && pause.elapsed() < SLICE_MAX {
            is_last = self.partition.write_cut(CUSTOMERS_MAX);
        }
        let bytes_min = if is_last { 1 } else { BLOCK_BYTES };
        // What cannot be handed over belongs to a writer that has failed, which is seen at the end.
        if let Some(customers) = self.partition.take_cut(bytes_min) {
            let _ = parts.try_send(Part::Customers(customers));
        }
        if is_last {
            let _ = parts.try_send(Part::End(self.partition.end_cut()));
            saving.parts = None;
        }
        saving.pauses = saving.pauses.or(pause.end());
        saving.rests_until = runtime_now() + REST;
        Ok(())
    }

    async fn end_checkpoint(&mut self) -> Result<(), EngineError> {
        self.partition.end_cut();
        let Some(saving) = self.saving.take() else {
            return Ok(());
        };
        let partition = self.chain.partition();
        let metrics = &self.shared.metrics;
        let took = saving.started.elapsed();
        match saving.writing.await? {
            Ok(written) => {
                self.saved = Some((saving.through, saving.log));
                let now = self.shared.clock.now();
                metrics.checkpointed(partition, written.bytes, now, took, saving.pauses);
                tracing::debug!(
                    partition,
                    number = written.number,
                    through = saving.through,
                    customers = written.customers,
                    bytes = written.bytes,
                    milliseconds = took.as_secs_f64() * 1e3,
                    "checkpoint written"
                );
            }
            Err(error) => {
                metrics.checkpoint_failed();
                tracing::error!(
                    partition,
                    %error,
                    "a checkpoint could not be written: see that there is room in the data folder and that the engine may write there; the one before stays, a restart takes longer, and the next is tried as planned"
                );
            }
        }
        Ok(())
    }

    /// Takes a last checkpoint when everything is committed, if there is news since the one before.
    pub(super) async fn checkpoint_at_stop(&mut self) -> Result<(), EngineError> {
        let Some(Checkpoints { turn, .. }) = self.shared.checkpoints.clone() else {
            return Ok(());
        };
        let is_news = self.saved != Some((self.done, self.chain.tail()));
        // One that is on its way is of an earlier moment.
        self.saving = None;
        if !self.caught_up || !is_news {
            return Ok(());
        }
        let Ok(turn) = turn.acquire_owned().await else {
            return Ok(());
        };
        self.begin_checkpoint(turn);
        while self.saving.is_some() {
            ready(&mut self.saving).await;
            self.save_some().await?;
        }
        Ok(())
    }
}
