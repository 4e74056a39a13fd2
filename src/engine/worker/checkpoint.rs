//! A worker takes a checkpoint of its partition while it works: it makes the cut, and a task of its own writes that.

use super::super::broker::{Broker, Events as _};
use super::super::checkpoint_writer::{Pace, Writing, Written, start};
use super::super::checkpoints::Checkpoints;
use super::{EngineError, Worker};
use crate::clock::runtime_now;
use crate::durable::Cut;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;
use tokio::time::Instant;

/// A checkpoint on its way; its writer gives up when this is dropped.
pub(super) struct Saving {
    writing: Writing,
    through: u64,
    log: u64,
    started: Instant,
    /// How long events waited for its cut.
    pause: Duration,
    _turn: OwnedSemaphorePermit,
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

/// Waits until a checkpoint has been written, or could not be. Cancel safe.
pub(super) async fn written(saving: &mut Option<Saving>) -> Result<io::Result<Written>, JoinError> {
    match saving {
        Some(saving) => saving.writing.ended().await,
        None => std::future::pending().await,
    }
}

impl<B: Broker> Worker<B> {
    /// What came before the next event to be handed out is done, also where none of it was of this partition.
    pub(super) fn pass_others(&mut self) {
        let passed = self.reader.next_sequence().saturating_sub(1);
        self.done = self.done.max(passed);
    }

    /// Begins a checkpoint as of now: everything that was decided is stored, and nothing is half done.
    pub(super) fn begin_checkpoint(&mut self, turn: OwnedSemaphorePermit, pace: Pace) {
        self.wants_checkpoint = false;
        let Some(checkpoints) = &self.shared.checkpoints else {
            return;
        };
        let started = runtime_now();
        let (rest, customers) = self.partition.begin_cut();
        let cut = Cut {
            partition: self.chain.partition(),
            partitions: self.shared.decoder.partitions,
            through: self.done,
            log: self.chain.tail(),
            log_id: self.chain.tail_id().to_owned(),
            taken_at: self.shared.clock.now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rest,
        };
        let (through, log) = (cut.through, cut.log);
        self.saving = Some(Saving {
            writing: start(checkpoints, cut, customers, pace),
            through,
            log,
            started,
            pause: started.elapsed(),
            _turn: turn,
        });
    }

    /// Notes what became of the checkpoint that was on its way.
    pub(super) fn end_checkpoint(&mut self, written: io::Result<Written>) {
        let Some(saving) = self.saving.take() else {
            return;
        };
        let partition = self.chain.partition();
        let metrics = &self.shared.metrics;
        let took = saving.started.elapsed();
        match written {
            Ok(written) => {
                self.saved = Some((saving.through, saving.log));
                let now = self.shared.clock.now();
                metrics.checkpointed(partition, written.bytes, now, took, saving.pause);
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
    }

    /// Takes a last checkpoint when everything is committed, if there is news since the one before.
    pub(super) async fn checkpoint_at_stop(&mut self) -> Result<(), EngineError> {
        let Some(Checkpoints { turn, .. }) = self.shared.checkpoints.clone() else {
            return Ok(());
        };
        let is_news = self.saved != Some((self.done, self.chain.tail()));
        // One that is on its way is of an earlier moment. Two must not write at once.
        if let Some(saving) = self.saving.take() {
            saving.writing.give_up().await?;
        }
        if !self.caught_up || !is_news {
            return Ok(());
        }
        let Ok(turn) = turn.acquire_owned().await else {
            return Ok(());
        };
        self.begin_checkpoint(turn, Pace::Hurried);
        let written = written(&mut self.saving).await?;
        self.end_checkpoint(written);
        Ok(())
    }
}
